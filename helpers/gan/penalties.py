"""Penalties on the slope of a discriminator, one number a sample; a step adds their weighted mean to D's loss.

Each differentiates D in its input and keeps the graph, so that a second backward pass reaches D's parameters. A batch
norm inside D would make one sample's slope depend on the others: these penalties are for discriminators without one.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def input_gradient(discriminator: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """∇ₓ D(x), of the shape (B, …) of `x`, with its graph; nothing flows back into what made `x`."""
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
    return gradient


def gradient_norm_squared(discriminator: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """|∇ₓ D(x)|², (B, …) to (B,), summed over all dimensions of a sample.

    γ/2 times it is R1 when `x` is real and R2 when `x` is fake. Unit: that of D's output over that of the data,
    squared. Source: Mescheder, Geiger, Nowozin (2018), section 4.1.
    """
    return input_gradient(discriminator, x).flatten(1).square().sum(1)


def gradient_penalty(
    discriminator: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    generator: torch.Generator | None = None,
) -> Tensor:
    """(|∇ₓ D(x)| − 1)² at x = ε·real + (1 − ε)·fake, `real` and `fake` (B, …) to (B,); the weight λ is the caller's.

    ε is uniform on [0, 1], one for each pair, drawn with `generator` (the source of random numbers, not the network).
    `fake` is taken as data: no gradient reaches the network that drew it. Raises ValueError where the shapes differ.
    Source: Gulrajani et al. (2017), eq. 3 and algorithm 1.
    """
    if real.shape != fake.shape:
        raise ValueError(f"Pairs need equal shapes: real {tuple(real.shape)}, fake {tuple(fake.shape)}.")
    eps = torch.rand(len(real), generator=generator, dtype=real.dtype, device=real.device)
    eps = eps.view(-1, *[1] * (real.ndim - 1))  # (B, 1, …): one number moves a whole sample
    slope = input_gradient(discriminator, eps * real + (1 - eps) * fake).flatten(1).norm(dim=1)
    return (slope - 1).square()
