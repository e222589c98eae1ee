"""Diffusion and flow matching: schedules, bounds, steps, samplers, networks."""

from helpers.diffusion.bounds import (
    best_variance,
    bound_terms,
    mean_factor,
    noise_errors,
    noise_loss,
    posterior_variance,
)
from helpers.diffusion.flow import flow_loss, flow_path, flow_step
from helpers.diffusion.networks import CodeNetwork, PointNetwork, WithSkip, waves
from helpers.diffusion.sampling import ancestral, ddim, ddim_path, ddim_step, guided, reverse_mean, spaced
from helpers.diffusion.schedule import cosine_schedule, linear_schedule, noised, per_row
from helpers.diffusion.steps import diffusion_step, some_dropped

__all__ = [
    "CodeNetwork",
    "PointNetwork",
    "WithSkip",
    "ancestral",
    "best_variance",
    "bound_terms",
    "cosine_schedule",
    "ddim",
    "ddim_path",
    "ddim_step",
    "diffusion_step",
    "flow_loss",
    "flow_path",
    "flow_step",
    "guided",
    "linear_schedule",
    "mean_factor",
    "noise_errors",
    "noise_loss",
    "noised",
    "per_row",
    "posterior_variance",
    "reverse_mean",
    "some_dropped",
    "spaced",
    "waves",
]
