"""Feedback on learners' answers: every correct way of writing one is accepted, a mistake is called by its name."""

from helpers.checks.better_games import check_gradient_penalty, check_hinge_loss, check_wasserstein_1d
from helpers.checks.bound import check_elbo, check_gaussian_kl
from helpers.checks.coverage import check_mode_coverage
from helpers.checks.debugging import check_bce_by_hand, check_data_door, check_round
from helpers.checks.diagnosis import check_diagnoses
from helpers.checks.divergence import check_discrete_kl, check_js
from helpers.checks.evidence import check_log_evidence
from helpers.checks.frame import Feedback
from helpers.checks.game import check_extragradient_step, check_optimal_discriminator, check_optimal_value
from helpers.checks.gan import check_discriminator_step, check_generator_step
from helpers.checks.gradients import check_pathwise_gradient, check_score_gradient
from helpers.checks.images import check_average_update, check_conditional_input
from helpers.checks.latent_space import check_active_units, check_free_bits, check_slerp
from helpers.checks.tighter import check_iwae_bound, check_quantise
from helpers.checks.vae import check_scale_bug, check_vae_loss
from helpers.checks.vae_gan import check_vae_gan_wiring

__all__ = [
    "Feedback",
    "check_active_units",
    "check_average_update",
    "check_bce_by_hand",
    "check_conditional_input",
    "check_data_door",
    "check_diagnoses",
    "check_discrete_kl",
    "check_discriminator_step",
    "check_elbo",
    "check_extragradient_step",
    "check_free_bits",
    "check_gaussian_kl",
    "check_generator_step",
    "check_gradient_penalty",
    "check_hinge_loss",
    "check_iwae_bound",
    "check_js",
    "check_log_evidence",
    "check_mode_coverage",
    "check_optimal_discriminator",
    "check_optimal_value",
    "check_pathwise_gradient",
    "check_quantise",
    "check_round",
    "check_scale_bug",
    "check_score_gradient",
    "check_slerp",
    "check_vae_gan_wiring",
    "check_vae_loss",
    "check_wasserstein_1d",
]
