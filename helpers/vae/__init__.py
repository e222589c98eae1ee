"""VAE: bounds, networks and steps."""

from helpers.vae.bounds import bernoulli_log_likelihood, elbo, gaussian_kl, importance_weighted_bound
from helpers.vae.networks import VAE, load, save
from helpers.vae.steps import vae_step

__all__ = [
    "VAE",
    "bernoulli_log_likelihood",
    "elbo",
    "gaussian_kl",
    "importance_weighted_bound",
    "load",
    "save",
    "vae_step",
]
