"""What a perfect network would answer: equally weighted round Gaussians, seen through Gaussian noise.

Everywhere x = a·x_0 + b·ε with x_0 ~ (1/K) Σₖ N(cₖ, s² I) and ε ~ N(0, I): a = √ᾱ, b = √(1 − ᾱ) in diffusion, and
a = 1 − t, b = t in flow matching. `centres` cₖ (K, d), `std` s, points x (B, d), and a, b numbers or (B,).
"""

import math

import torch
from torch import Tensor


def _posterior(centres: Tensor, std: float, x: Tensor, a, b) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """a, b and the variance a²s² + b² of each row, (B, 1), x − a cₖ (B, K, d), and log p(k, x) (B, K)."""
    a, b = (torch.as_tensor(each, dtype=x.dtype).expand(len(x))[:, None] for each in (a, b))
    variance = a.square() * std**2 + b.square()
    apart = x[:, None] - a[:, :, None] * centres.to(x)
    d = x.shape[1]
    log_joint = -apart.square().sum(-1) / (2 * variance) - d / 2 * (2 * math.pi * variance).log()
    return a, b, variance, apart, log_joint - math.log(len(centres))


def noised_log_prob(centres: Tensor, std: float, x: Tensor, a, b) -> Tensor:
    """log q(x) of the noised points, in nats, (B,): the Gaussians at a·cₖ with variance a²s² + b²."""
    return _posterior(centres, std, x, a, b)[-1].logsumexp(1)


def perfect_prediction(centres: Tensor, std: float, x: Tensor, a, b) -> tuple[Tensor, Tensor]:
    """E[x_0|x] and E[ε|x], each (B, d): the predictions with the least squared error.

    Given the component k both are linear in x − a cₖ: x_0 is cₖ + a s²/(a²s² + b²) (x − a cₖ), ε is b/(a²s² + b²)
    (x − a cₖ). The mean over p(k|x) of both.
    """
    a, b, variance, apart, log_joint = _posterior(centres, std, x, a, b)
    weight = log_joint.softmax(1)[:, :, None]  # p(k|x)
    mean_apart = (weight * apart).sum(1)
    mean_centre = (weight * centres.to(x)).sum(1)
    return mean_centre + a * std**2 / variance * mean_apart, b / variance * mean_apart


def perfect_noise(centres: Tensor, std: float, x: Tensor, alpha_bar: Tensor | float) -> Tensor:
    """E[ε|x_t], (B, d), with ᾱ_t a number or (B,): what a perfect diffusion network returns.

    It is −√(1 − ᾱ_t) times the score ∇ log q(x_t). Source: Vincent (2011); Ho, Jain, Abbeel (2020), section 3.2.
    """
    kept = torch.as_tensor(alpha_bar, dtype=x.dtype)
    return perfect_prediction(centres, std, x, kept.sqrt(), (1 - kept).sqrt())[1]


def perfect_velocity(centres: Tensor, std: float, x: Tensor, t: Tensor | float) -> Tensor:
    """E[ε − x_0|x_t] at x_t = (1 − t) x_0 + t ε, (B, d): what a perfect flow-matching network returns."""
    t = torch.as_tensor(t, dtype=x.dtype)
    data, noise = perfect_prediction(centres, std, x, 1 - t, t)
    return noise - data
