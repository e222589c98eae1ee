"""Live views: a frame with Play, Pause, Step and Reset, and what is put into it."""

from helpers.widgets.divergence import DivergenceBench, divergence_bench
from helpers.widgets.elbo import ElboBench, elbo_bench
from helpers.widgets.frame import LiveFrame
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
    "divergence_bench",
    "elbo_bench",
    "gan_lab",
    "latent_explorer",
    "pair_bench",
]
