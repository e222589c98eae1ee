"""The evidence lower bound of a chain of latents x_1, …, x_T, one term a step, in nats; and the training loss."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from helpers.data import door
from helpers.diffusion.schedule import expect_schedule, noised

Denoiser = Callable[[Tensor, Tensor], Tensor]  # x_t (B, …) and t (B,) to the predicted noise (B, …)


def noise_loss(network: Denoiser, x: Tensor, t: Tensor, eps: Tensor, alpha_bar: Tensor) -> Tensor:
    """|ε − ε_θ(x_t, t)|², summed over dimensions, x and ε (B, …), t (B,) to (B,): L_simple, which is no bound.

    Source: Ho, Jain, Abbeel (2020), eq. 14.
    """
    x_t = noised(x, t, eps, alpha_bar)
    return (eps - network(x_t, t)).square().flatten(1).sum(1)


@door(expect_schedule, "alpha_bar")
def posterior_variance(alpha_bar: Tensor) -> Tensor:
    """β̃_t = (1 − ᾱ_{t−1})/(1 − ᾱ_t) · β_t for t = 1 … T, the variance of q(x_{t−1}|x_t, x_0), (T,).

    It is 0 for t = 1, where x_0 is known. Source: Ho, Jain, Abbeel (2020), eq. 7.
    """
    before, after = alpha_bar[:-1], alpha_bar[1:]
    return (1 - before) / (1 - after) * (1 - after / before)


@door(expect_schedule, "alpha_bar")
def mean_factor(alpha_bar: Tensor) -> Tensor:
    """c_t = β_t/√(α_t (1 − ᾱ_t)) for t = 1 … T, (T,): |μ̃_t − μ_θ|² = c_t² |ε − ε_θ|².

    Source: Ho, Jain, Abbeel (2020), eq. 8 to 11.
    """
    alpha = alpha_bar[1:] / alpha_bar[:-1]
    return (1 - alpha) / (alpha * (1 - alpha_bar[1:])).sqrt()


@torch.no_grad()
def noise_errors(network: Denoiser, x: Tensor, alpha_bar: Tensor) -> Tensor:
    """|ε − ε_θ(x_t, t)|² of each x (B, …) at every step t = 1 … T, with fresh ε for each, (T, B)."""
    steps = range(1, len(alpha_bar))
    return torch.stack(
        [noise_loss(network, x, torch.full((len(x),), t), torch.randn_like(x), alpha_bar) for t in steps]
    ).to(alpha_bar.dtype)


def best_variance(errors: Tensor, alpha_bar: Tensor, dims: int) -> Tensor:
    """σ_t² = β̃_t + c_t² E|ε − ε_θ|²/d, the variances with the largest ELBO, errors (T, B) of many x, (T,).

    Source: Bao, Li, Zhu, Zhang (2022), Analytic-DPM, theorem 1.
    """
    return posterior_variance(alpha_bar) + mean_factor(alpha_bar) ** 2 * errors.mean(1) / dims


def _expect_errors(errors: Tensor, x: Tensor, alpha_bar: Tensor, variance: Tensor) -> None:
    expect_schedule(alpha_bar)
    steps = len(alpha_bar) - 1
    if errors.shape != (steps, len(x)) or variance.shape != (steps,):
        raise ValueError(
            f"Errors are (T, B) and variances (T,), here ({steps}, {len(x)}) and ({steps},); these are "
            f"{tuple(errors.shape)} and {tuple(variance.shape)}."
        )


@door(_expect_errors, "errors", "x", "alpha_bar", "variance")
def bound_terms(errors: Tensor, x: Tensor, alpha_bar: Tensor, variance: Tensor) -> Tensor:
    """The terms of −ELBO, (T + 1, B), in nats: −log p(x_0|x_1), then KL_2, …, KL_T, and last the prior's KL.

    KL_t = ½ d (β̃_t/σ_t² − 1 + log σ_t²/β̃_t) + c_t² |ε − ε_θ|²/(2 σ_t²). errors (T, B) as from `noise_errors`, x (B, …),
    variance σ_t² (T,). Their sum over the rows is −ELBO. Source: Ho, Jain, Abbeel (2020), eq. 5; section 3.3 for x_0.
    """
    x, last = x.flatten(1).to(errors.dtype), alpha_bar[-1]
    d = x.shape[1]
    squares = (mean_factor(alpha_bar) ** 2 / (2 * variance))[:, None] * errors
    ratio = (posterior_variance(alpha_bar) / variance)[1:, None]
    first = squares[:1] + d / 2 * (2 * math.pi * variance[0]).log()
    steps = squares[1:] + d / 2 * (ratio - 1 - ratio.log())
    prior = 0.5 * (last * x.square().sum(1) - d * (last + (1 - last).log()))
    return torch.cat([first, steps, prior[None]])
