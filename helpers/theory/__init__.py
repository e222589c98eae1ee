"""Exact results that serve as oracles: divergences, the games of two players, a model with latents solved exactly."""

from helpers.theory.divergences import (
    discrete_js,
    discrete_kl,
    entropy,
    integral,
    js,
    kl,
    kl_monte_carlo,
    log_mixture,
    normal_kl,
    quadrature,
)
from helpers.theory.games import (
    alternating,
    extragradient,
    optimal_discriminator,
    optimal_logit,
    optimistic,
    path,
    simultaneous,
    value,
)
from helpers.theory.linear_gaussian import LinearGaussian, best_diagonal, exact_elbo, kl_to_posterior

__all__ = [
    "LinearGaussian",
    "alternating",
    "best_diagonal",
    "discrete_js",
    "discrete_kl",
    "entropy",
    "exact_elbo",
    "extragradient",
    "integral",
    "js",
    "kl",
    "kl_monte_carlo",
    "kl_to_posterior",
    "log_mixture",
    "normal_kl",
    "optimal_discriminator",
    "optimal_logit",
    "optimistic",
    "path",
    "quadrature",
    "simultaneous",
    "value",
]
