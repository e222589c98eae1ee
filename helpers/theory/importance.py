"""Estimates of log p(x) from draws of z: how they are made, how far to trust them, and how much they vary."""

import math

import torch
from torch import Tensor

from helpers.theory.linear_gaussian import LinearGaussian


def log_mean_exp(log_w: Tensor) -> Tensor:
    """log (1/K) Σₖ exp(log wₖ) over the first dimension, (K, …) to (…), also where exp(log w) leaves the floats."""
    return torch.logsumexp(log_w, dim=0) - math.log(len(log_w))


def effective_sample_size(log_w: Tensor) -> Tensor:
    """(Σ w)² / Σ w² over the first dimension, (K, …) to (…): K for equal weights, 1 where one outweighs all others.

    It is computed from the draws themselves, so it can warn of them but not vouch for them. Source: Kong (1992).
    """
    return 1 / log_w.softmax(dim=0).square().sum(dim=0)


def naive_relative_variance(model: LinearGaussian, x: Tensor) -> Tensor:
    """ρ = Var[p(x|z)]/p(x)² for z ~ p(z), exactly, (…, D) to (…).

    p(x|z)² = (4πs²)^(−D/2) N(x; Wz + b, s²/2 I), and the mean of it over z is the evidence of a model with the
    noise s/√2. In float64 it is good until ρ is about 1e300.
    """
    sharper = LinearGaussian(model.weight, model.bias, model.std / math.sqrt(2))
    log_factor = -x.shape[-1] / 2 * math.log(4 * math.pi * model.std**2)
    return torch.expm1(log_factor + sharper.log_evidence(x) - 2 * model.log_evidence(x))
