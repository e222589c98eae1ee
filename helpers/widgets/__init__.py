"""Live views: a frame with Play, Pause, Step and Reset, and what is put into it."""

from helpers.widgets.divergence import DivergenceBench, divergence_bench
from helpers.widgets.elbo import ElboBench, elbo_bench
from helpers.widgets.explorer import explorer
from helpers.widgets.frame import LiveFrame, Text
from helpers.widgets.gan_lab import GanLab, gan_lab
from helpers.widgets.latent import LatentPlane, latent_explorer
from helpers.widgets.pair import PairBench, pair_bench

__all__ = [
    "DivergenceBench",
    "ElboBench",
    "GanLab",
    "LatentPlane",
    "LiveFrame",
    "PairBench",
    "Text",
    "divergence_bench",
    "elbo_bench",
    "explorer",
    "gan_lab",
    "latent_explorer",
    "pair_bench",
]
