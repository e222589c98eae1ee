"""Networks that look at something noisy and at the time, and return the noise (or a velocity): of points, of codes."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from helpers.diffusion.schedule import per_row


def waves(values: Tensor, number: int) -> Tensor:
    """sin and cos of π·2ᵏ·values for k = 0 … `number` − 1, (B, n) to (B, 2·n·number): near values can be told apart.

    Source: Tancik et al. (2020); for the time, Vaswani et al. (2017), section 3.5.
    """
    angle = math.pi * values[..., None] * 2.0 ** torch.arange(number).to(values)
    return torch.cat([angle.sin(), angle.cos()], dim=-1).flatten(1)


class WithSkip(nn.Module):
    """ε_θ(x_t, t) = √(1 − ᾱ_t) x_t + √ᾱ_t F(x_t, t): near T the answer is nearly x_t itself, and F learns the rest.

    `network` F takes x (B, …), t (B,) and whatever else is given. Source: Salimans and Ho (2022), section 4, where F is
    called v.
    """

    def __init__(self, network: nn.Module, alpha_bar: Tensor):
        super().__init__()
        self.network = network
        self.register_buffer("alpha_bar", alpha_bar.float())

    def forward(self, x: Tensor, t: Tensor, *given: Tensor) -> Tensor:
        kept = per_row(self.alpha_bar[t], x)
        return (1 - kept).sqrt() * x + kept.sqrt() * self.network(x, t, *given)


class PointNetwork(nn.Module):
    """Points (B, 2) and times (B,) in 0 … `steps` to (B, 2), by three hidden layers over waves of both."""

    def __init__(self, steps: float = 100, width: int = 64):
        super().__init__()
        self.steps = steps
        hidden = [nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()]
        self.net = nn.Sequential(nn.Linear(30, width), nn.SiLU(), *hidden, nn.Linear(width, 2))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        time = (t / self.steps).to(x)[:, None]
        return self.net(torch.cat([x, waves(x / 4, 4), waves(time, 6)], dim=1))


class CodeNetwork(nn.Module):
    """Codes (B, d), times (B,) in 0 … `steps`, labels (B,) with `classes` for *none*, to (B, d), by residual layers."""

    def __init__(
        self, dims: int = 20, steps: float = 100, width: int = 256, blocks: int = 3, classes: int = 10
    ):
        super().__init__()
        self.steps = steps
        self.time, self.label = nn.Linear(12, width), nn.Embedding(classes + 1, width)
        self.enter, self.leave = nn.Linear(dims, width), nn.Linear(width, dims)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(blocks))
        self.first = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        self.second = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        known = self.time(waves((t / self.steps).to(x)[:, None], 6)) + self.label(labels)
        h = self.enter(x)
        for norm, first, second in zip(self.norms, self.first, self.second, strict=True):
            h = h + second(silu(first(norm(h) + known)))
        return self.leave(silu(h))
