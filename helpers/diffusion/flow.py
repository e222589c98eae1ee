"""Flow matching: straight paths between data and noise, and a network that learns the velocity on them."""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.diffusion.schedule import per_row


def flow_loss(velocity: Callable[[Tensor, Tensor], Tensor], x: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """|v_θ(x_t, t) − (ε − x_0)|² at x_t = (1 − t) x_0 + t ε, summed over dimensions, x and ε (B, …), t (B,) in [0, 1].

    To (B,). Its smallest value is above 0, since many pairs (x_0, ε) pass through one x_t. Source: Lipman et al.
    (2023), eq. 14 with σ_min = 0, whose time runs from noise to data.
    """
    time = per_row(t, x)
    x_t = (1 - time) * x + time * eps
    return (velocity(x_t, t) - (eps - x)).square().flatten(1).sum(1)


def flow_step(network, optimiser: torch.optim.Optimizer, x: Tensor) -> dict[str, Tensor]:
    """One update of the velocity network on x (B, …), each row at a uniform time; returns the mean over dimensions."""
    t = torch.rand(len(x), dtype=x.dtype)
    loss = flow_loss(network, x, t, torch.randn_like(x)).mean() / x[0].numel()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return {"loss": loss.detach()}


@torch.no_grad()
def flow_path(velocity: Callable[[Tensor, Tensor], Tensor], x: Tensor, number: int) -> list[Tensor]:
    """x at times 1, 1 − 1/n, …, 0, by n = `number` Euler steps x ← x − v_θ(x, t)/n from noise x (B, …) to data."""
    path = [x]
    for k in range(number, 0, -1):
        t = torch.full((len(x),), k / number, dtype=x.dtype)
        path.append(path[-1] - velocity(path[-1], t) / number)
    return path
