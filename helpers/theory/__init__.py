"""Exact results that serve as oracles: divergences, transport, games of two players, a model with latents."""

from helpers.theory.dirac import (
    dirac_alternating,
    dirac_eigenvalues,
    dirac_minimax,
    dirac_non_saturating,
    dirac_path,
    dirac_simultaneous,
    dirac_wasserstein,
)
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
from helpers.theory.gaussian_restoration import gaussian_samples, restore, shrinking
from helpers.theory.importance import effective_sample_size, log_mean_exp, naive_relative_variance
from helpers.theory.linear_gaussian import LinearGaussian, best_diagonal, exact_elbo, kl_to_posterior
from helpers.theory.noised import noised_log_prob, perfect_noise, perfect_prediction, perfect_velocity
from helpers.theory.ppca import fit_ppca
from helpers.theory.transport import wasserstein_1d, wasserstein_exact, wasserstein_lp

__all__ = [
    "LinearGaussian",
    "alternating",
    "best_diagonal",
    "dirac_alternating",
    "dirac_eigenvalues",
    "dirac_minimax",
    "dirac_non_saturating",
    "dirac_path",
    "dirac_simultaneous",
    "dirac_wasserstein",
    "discrete_js",
    "discrete_kl",
    "effective_sample_size",
    "entropy",
    "exact_elbo",
    "extragradient",
    "fit_ppca",
    "gaussian_samples",
    "integral",
    "js",
    "kl",
    "kl_monte_carlo",
    "kl_to_posterior",
    "log_mean_exp",
    "log_mixture",
    "naive_relative_variance",
    "noised_log_prob",
    "normal_kl",
    "optimal_discriminator",
    "optimal_logit",
    "optimistic",
    "path",
    "perfect_noise",
    "perfect_prediction",
    "perfect_velocity",
    "quadrature",
    "restore",
    "shrinking",
    "simultaneous",
    "value",
    "wasserstein_1d",
    "wasserstein_exact",
    "wasserstein_lp",
]
