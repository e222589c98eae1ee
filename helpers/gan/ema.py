"""A running average of the generator's weights: what is shown and judged, never what is trained."""

import copy

import torch
from torch import nn

from helpers.training import noise_like


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
    twin = copy.deepcopy(generator).train()  # an interrupt leaves the generator itself as it was
    for norm in [m for m in twin.modules() if isinstance(m, nn.BatchNorm2d)]:
        norm.reset_running_stats()
        norm.momentum = None  # PyTorch's way to say: a plain average
    noise = torch.Generator().manual_seed(0)
    for _ in range(batches):
        twin(noise_like(twin, size, latent, generator=noise))
    for buffer, renewed in zip(generator.buffers(), twin.buffers(), strict=True):
        buffer.copy_(renewed)
