"""A running average of the generator's weights: what is shown and judged, never what is trained."""

import copy

import torch
from torch import nn


def ema_copy(model: nn.Module) -> nn.Module:
    """A copy of `model` that holds its running average and asks for no gradients."""
    return copy.deepcopy(model).requires_grad_(False)


@torch.no_grad()
def update_ema(average: nn.Module, model: nn.Module, decay: float = 0.995) -> None:
    """θ̄ ← decay · θ̄ + (1 − decay) · θ for every parameter; buffers (running statistics) are copied.

    Source: Karras et al. (2018), appendix A.1; Yazıcı et al. (2019).
    """
    for mean, weight in zip(average.parameters(), model.parameters(), strict=True):
        mean.lerp_(weight, 1 - decay)
    for mean, buffer in zip(average.buffers(), model.buffers(), strict=True):
        mean.copy_(buffer)


@torch.no_grad()
def update_bn(generator: nn.Module, latent: int, batches: int = 20, size: int = 200) -> None:
    """Estimate the batch-norm statistics anew, as plain averages over `batches` of noise.

    The averaged weights never met the running statistics of the trained ones. Noise comes from a generator of its
    own, so the run's random numbers do not move.
    """
    norms = [m for m in generator.modules() if isinstance(m, nn.BatchNorm2d)]
    momentum = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # PyTorch's way to say: a plain average
    noise = torch.Generator().manual_seed(0)
    training = generator.training
    generator.train()
    for _ in range(batches):
        generator(torch.randn(size, latent, generator=noise))
    generator.train(training)
    for norm, m in zip(norms, momentum, strict=True):
        norm.momentum = m
