"""VAE: bounds, networks and steps."""

from helpers.vae.bounds import bernoulli_log_likelihood, elbo, gaussian_kl, importance_weighted_bound
from helpers.vae.code_prior import CodePrior, prior_nll, prior_step, sample_tokens
from helpers.vae.collapse import (
    active_units,
    falling_beta,
    free_bits,
    information_and_gap,
    kl_per_dimension,
    kl_warmup,
)
from helpers.vae.conditional import ConditionalVAE, conditional_vae_step
from helpers.vae.gradients import (
    best_coefficient,
    gradient_check,
    gumbel,
    gumbel_softmax,
    leave_one_out,
    pathwise_gradient,
    score_gradient,
)
from helpers.vae.interpolation import slerp
from helpers.vae.iwae import bound_gradients, dreg_gradients, iwae_bound, log_weights, signal_to_noise
from helpers.vae.networks import VAE, load, save
from helpers.vae.pixelcnn import PixelVAE, decoder_step, pixel_step
from helpers.vae.quantiser import (
    Quantiser,
    code_shares,
    dead_codes,
    nearest_code,
    perplexity,
    straight_through,
    update_codebook_ema,
)
from helpers.vae.steps import vae_step
from helpers.vae.vqvae import VQVAE, means_of, tokens_of, vqvae_step

__all__ = [
    "VAE",
    "VQVAE",
    "CodePrior",
    "ConditionalVAE",
    "PixelVAE",
    "Quantiser",
    "active_units",
    "bernoulli_log_likelihood",
    "best_coefficient",
    "bound_gradients",
    "code_shares",
    "conditional_vae_step",
    "dead_codes",
    "decoder_step",
    "dreg_gradients",
    "elbo",
    "falling_beta",
    "free_bits",
    "gaussian_kl",
    "gradient_check",
    "gumbel",
    "gumbel_softmax",
    "importance_weighted_bound",
    "information_and_gap",
    "iwae_bound",
    "kl_per_dimension",
    "kl_warmup",
    "leave_one_out",
    "load",
    "log_weights",
    "means_of",
    "nearest_code",
    "pathwise_gradient",
    "perplexity",
    "pixel_step",
    "prior_nll",
    "prior_step",
    "sample_tokens",
    "save",
    "score_gradient",
    "signal_to_noise",
    "slerp",
    "straight_through",
    "tokens_of",
    "update_codebook_ema",
    "vae_step",
    "vqvae_step",
]
