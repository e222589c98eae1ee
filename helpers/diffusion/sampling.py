"""From noise to data: one random step after the other, or few steps without noise; and how to ask for a class."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from helpers.diffusion.bounds import Denoiser, mean_factor


def reverse_mean(x: Tensor, t: int, eps_hat: Tensor, alpha_bar: Tensor) -> Tensor:
    """μ_θ(x_t, t) = x_t/√α_t − c_t ε̂, with c_t = β_t/√(α_t (1 − ᾱ_t)), (B, …).

    Source: Ho, Jain, Abbeel (2020), eq. 11.
    """
    alpha = alpha_bar[t] / alpha_bar[t - 1]
    return x / alpha.sqrt().to(x) - mean_factor(alpha_bar)[t - 1].to(x) * eps_hat


@torch.no_grad()
def ancestral(network: Denoiser, x: Tensor, alpha_bar: Tensor, variance: Tensor) -> Tensor:
    """x_0 from x_T = x (B, …) by x_{t−1} ~ N(μ_θ(x_t, t), σ_t² I), t = T … 1; variance (T,) holds σ_t².

    Source: Ho, Jain, Abbeel (2020), algorithm 2.
    """
    for t in range(len(alpha_bar) - 1, 0, -1):
        mean = reverse_mean(x, t, network(x, torch.full((len(x),), t)), alpha_bar)
        x = mean + variance[t - 1].sqrt().to(x) * torch.randn_like(x)
    return x


def ddim_step(x: Tensor, eps_hat: Tensor, kept: Tensor | float, kept_next: Tensor | float) -> Tensor:
    """x_s = √ᾱ_s x̂_0 + √(1 − ᾱ_s) ε̂ with x̂_0 = (x_t − √(1 − ᾱ_t) ε̂)/√ᾱ_t, from ᾱ_t = `kept` to ᾱ_s = `kept_next`.

    Source: Song, Meng, Ermon (2021), eq. 12 with σ = 0.
    """
    x_0 = (x - (1 - kept) ** 0.5 * eps_hat) / kept**0.5
    return kept_next**0.5 * x_0 + (1 - kept_next) ** 0.5 * eps_hat


def spaced(last: int, number: int) -> list[int]:
    """`number` + 1 whole numbers from `last` down to 0, as evenly spaced as they can be."""
    if not 1 <= number <= last:
        raise ValueError(f"From {last} down to 0 there are 1 to {last} steps, not {number}.")
    return [round(last * (number - k) / number) for k in range(number + 1)]


@torch.no_grad()
def ddim_path(network: Denoiser, x: Tensor, alpha_bar: Tensor, times: Sequence[int]) -> list[Tensor]:
    """x at each of the `times`, which fall from that of the given x (B, …) to 0, by a DDIM step between each two."""
    path = [x]
    for t, s in pairwise(times):
        eps_hat = network(path[-1], torch.full((len(x),), t))
        path.append(ddim_step(path[-1], eps_hat, alpha_bar[t].to(x), alpha_bar[s].to(x)))
    return path


def ddim(
    network: Denoiser, x: Tensor, alpha_bar: Tensor, number: int = 20, start: int | None = None
) -> Tensor:
    """x_0 (B, …) from x_T, or from x at step `start`, in `number` DDIM steps; nothing in it is random."""
    last = len(alpha_bar) - 1 if start is None else start
    return ddim_path(network, x, alpha_bar, spaced(last, number))[-1]


def guided(network: Callable, labels: Tensor, weight: float = 2.0, none: int = 10) -> Denoiser:
    """A denoiser (x, t) ↦ ε_θ(x, t) + w (ε_θ(x, t, y) − ε_θ(x, t)): w = 1 is the conditional one, 0 ignores y.

    Both are one pass through the network with twice the rows. Source: Ho and Salimans (2022), eq. 6, whose w is ours
    less 1.
    """

    def denoiser(x: Tensor, t: Tensor) -> Tensor:
        both = torch.cat([labels, torch.full_like(labels, none)])
        with_label, without = network(x.repeat(2, *[1] * (x.ndim - 1)), t.repeat(2), both).chunk(2)
        return without + weight * (with_label - without)

    return denoiser
