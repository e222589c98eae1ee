"""Feedback on learners' answers: every correct way of writing one is accepted, a mistake is called by its name."""

from helpers.checks.frame import Feedback
from helpers.checks.gan import check_discriminator_step, check_generator_step
from helpers.checks.vae import check_scale_bug, check_vae_loss

__all__ = [
    "Feedback",
    "check_discriminator_step",
    "check_generator_step",
    "check_scale_bug",
    "check_vae_loss",
]
