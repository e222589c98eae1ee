"""Live views: a frame with Play, Pause, Step and Reset, and what is put into it."""

from helpers.widgets.break_even import BreakEven, break_even_calculator
from helpers.widgets.divergence import DivergenceBench, divergence_bench
from helpers.widgets.elbo import ElboBench, elbo_bench
from helpers.widgets.explorer import explorer
from helpers.widgets.frame import LiveFrame, Text
from helpers.widgets.gan_lab import GanLab, gan_lab
from helpers.widgets.inspection import Inspection, inspection_form
from helpers.widgets.latent import LatentPlane, latent_explorer
from helpers.widgets.pair import PairBench, pair_bench

__all__ = [
    "BreakEven",
    "DivergenceBench",
    "ElboBench",
    "GanLab",
    "Inspection",
    "LatentPlane",
    "LiveFrame",
    "PairBench",
    "Text",
    "break_even_calculator",
    "divergence_bench",
    "elbo_bench",
    "explorer",
    "gan_lab",
    "inspection_form",
    "latent_explorer",
    "pair_bench",
]
