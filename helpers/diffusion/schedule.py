"""How much of the data is left after t steps of noise, and the jump to any step at once."""

import math

import torch
from torch import Tensor

from helpers.data import door, expect_same_shape


def cosine_schedule(steps: int = 100, offset: float = 0.008, least: float = 0.001) -> Tensor:
    """ᾱ_0 = 1, ᾱ_1, …, ᾱ_T along a cosine, (T + 1,) in float64, falling to nearly 0.

    ᾱ_t ∝ cos²(½π (t/T + s)/(1 + s)), and no single step keeps less than α_t = ᾱ_t/ᾱ_{t−1} = `least`.
    Source: Nichol and Dhariwal (2021), eq. 17.
    """
    share = (torch.arange(steps + 1, dtype=torch.float64) / steps + offset) / (1 + offset)
    curve = (share * math.pi / 2).cos().square()
    alpha = (curve[1:] / curve[:-1]).clamp(min=least)
    return torch.cat([torch.ones(1, dtype=torch.float64), alpha.cumprod(0)])


def linear_schedule(steps: int = 1000, first: float = 1e-4, last: float = 0.02) -> Tensor:
    """ᾱ_0 … ᾱ_T, (T + 1,), where the variance added by a step, β_t = 1 − α_t, rises on a straight line.

    Source: Ho, Jain, Abbeel (2020), section 4.
    """
    alpha = 1 - torch.linspace(first, last, steps, dtype=torch.float64)
    return torch.cat([torch.ones(1, dtype=torch.float64), alpha.cumprod(0)])


def expect_schedule(alpha_bar: Tensor) -> None:
    """Nothing, if ᾱ is (T + 1,), starts at 1, falls and stays above 0; otherwise ValueError."""
    if not isinstance(alpha_bar, Tensor) or alpha_bar.ndim != 1 or len(alpha_bar) < 2:
        raise ValueError("A schedule is a tensor ᾱ_0, ᾱ_1, …, ᾱ_T of T + 1 ≥ 2 numbers.")
    if alpha_bar[0] != 1 or (alpha_bar.diff() >= 0).any() or alpha_bar[-1] <= 0:
        raise ValueError("A schedule starts at ᾱ_0 = 1, falls with every step, and stays above 0.")


def _expect_steps(x: Tensor, t: Tensor, eps: Tensor, alpha_bar: Tensor) -> None:
    expect_schedule(alpha_bar)
    expect_same_shape(x, eps)
    if t.shape != x.shape[:1] or t.dtype.is_floating_point:
        raise ValueError(
            f"t is one whole number a row, here ({len(x)},); this is {tuple(t.shape)}, {t.dtype}."
        )
    if len(t) and not (0 <= t.min() and t.max() < len(alpha_bar)):
        raise ValueError(f"t lies in 0 … {len(alpha_bar) - 1}, here it reaches from {t.min()} to {t.max()}.")


def per_row(values: Tensor, x: Tensor) -> Tensor:
    """One number for each row of x, (B,) to (B, 1, …), in the dtype of x and on its device."""
    return values.to(x).view(-1, *[1] * (x.ndim - 1))


@door(_expect_steps, "x", "t", "eps", "alpha_bar")
def noised(x: Tensor, t: Tensor, eps: Tensor, alpha_bar: Tensor) -> Tensor:
    """x_t = √ᾱ_t x_0 + √(1 − ᾱ_t) ε for a step t of each row, x and ε (B, …), t (B,) whole numbers 0 … T.

    Source: Ho, Jain, Abbeel (2020), eq. 4.
    """
    kept = per_row(alpha_bar[t], x)
    return kept.sqrt() * x + (1 - kept).sqrt() * eps
