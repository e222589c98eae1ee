"""What tells a collapsed VAE from a working one, and the floor under the KL that keeps dimensions in use."""

import math

import torch
from torch import Tensor

from helpers.data import door, expect_rows
from helpers.data.doors import ends_of


def active_units(mu: Tensor, threshold: float = 0.01) -> int:
    """The latent dimensions j with Var_x(E_q[z_j]) > `threshold`, from the means μ (N, d) of held-out images, N ≥ 2.

    Raises ValueError on fewer rows or another shape. Source: Burda, Grosse, Salakhutdinov (2016), section 5.
    """
    if mu.ndim != 2 or len(mu) < 2:
        raise ValueError(f"The means must be (N, d) with N ≥ 2, these are {tuple(mu.shape)}.")
    ends_of(mu, "The means")
    return int((mu.var(dim=0) > threshold).sum())


@door(expect_rows, "mu", "log_var")
def kl_per_dimension(mu: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(μⱼ, σⱼ²) ‖ N(0, 1)) = ½ (μⱼ² + σⱼ² − 1 − log σⱼ²), batch mean, (B, d), (B, d) to (d,), in nats."""
    return 0.5 * (mu.square() + log_var.exp() - 1 - log_var).mean(dim=0)


def free_bits(mu: Tensor, log_var: Tensor, floor: float) -> Tensor:
    """Σⱼ max(λ, KLⱼ) with KLⱼ the batch's mean and λ = `floor` nats a dimension, (B, d), (B, d) to one number.

    Not the KL, so reconstruction minus it is a bound only because it is never less than the KL. Source: Kingma et al.
    (2016), "free bits", with one dimension a group.
    """
    return kl_per_dimension(mu, log_var).clamp(min=floor).sum()


def kl_warmup(done: float, until: float = 2 / 3) -> float:
    """KL warm-up: β at the fraction `done` of the training, from 0 in a straight line to 1 at `until`, then 1.

    Source: Bowman et al. (2016), section 3.1.
    """
    return min(1.0, done / until)


def falling_beta(done: float, top: float = 8.0, until: float = 0.9) -> float:
    """The wrong way round: β from `top` in a straight line down to 1 at `until`, then 1."""
    return max(1.0, top + (1 - top) * done / until)


@door(expect_rows, "mu", "log_var", "eps")
@torch.no_grad()
def information_and_gap(mu: Tensor, log_var: Tensor, eps: Tensor, rows: int = 500) -> tuple[float, float]:
    """I(x; z) and KL(q(z) ‖ p(z)) with q(z) = (1/N) Σₙ q(z|xₙ), from one z = μ + σ·ε an image, (N, d) each, in nats.

    Their sum is a Monte Carlo estimate of the mean KL, and the first is at most log N. Source: Hoffman and Johnson
    (2016).
    """
    mu, log_var, eps = mu.double(), log_var.double(), eps.double()  # squares of large numbers are subtracted
    z, normaliser = mu + (log_var / 2).exp() * eps, 0.5 * mu.shape[1] * math.log(2 * math.pi)
    precision = (-log_var).exp()
    constant = (mu.square() * precision + log_var).sum(1)
    mixture = []
    for part in z.split(rows):  # log q(zᵢ|xₙ) for all pairs, the square multiplied out
        squares = part.square() @ precision.T - 2 * part @ (mu * precision).T + constant
        mixture.append(torch.logsumexp(-0.5 * squares, dim=1) - math.log(len(mu)) - normaliser)
    log_mixture = torch.cat(mixture)
    log_own = -0.5 * (eps.square() + log_var).sum(1) - normaliser
    log_prior = -0.5 * z.square().sum(1) - normaliser
    return (log_own - log_mixture).mean().item(), (log_mixture - log_prior).mean().item()
