"""Live views: a frame with Play, Pause, Step and Reset, and what is put into it."""

from helpers.widgets.divergence import DivergenceBench, divergence_bench
from helpers.widgets.elbo import ElboBench, elbo_bench
from helpers.widgets.frame import LiveFrame
from helpers.widgets.latent import LatentPlane, latent_explorer

__all__ = [
    "DivergenceBench",
    "ElboBench",
    "LatentPlane",
    "LiveFrame",
    "divergence_bench",
    "elbo_bench",
    "latent_explorer",
]
