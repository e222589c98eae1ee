"""One update of a network that predicts noise."""

import torch
from torch import Tensor, nn

from helpers.diffusion.bounds import noise_loss


def diffusion_step(
    network: nn.Module, optimiser: torch.optim.Optimizer, x: Tensor, alpha_bar: Tensor, *given: Tensor
) -> dict[str, Tensor]:
    """One update on x (B, …), each row at a random step t = 1 … T; `given` (labels, say) goes to the network too.

    Returns the mean loss over batch and dimensions, which is 1 for a network that always predicts 0.
    """
    t = torch.randint(1, len(alpha_bar), (len(x),))
    loss = noise_loss(lambda x_t, t: network(x_t, t, *given), x, t, torch.randn_like(x), alpha_bar)
    loss = loss.mean() / x[0].numel()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return {"loss": loss.detach()}


def some_dropped(labels: Tensor, share: float = 0.1, none: int = 10) -> Tensor:
    """The labels (B,), of which a random `share` is replaced by `none`, the label that says nothing.

    Source: Ho and Salimans (2022), algorithm 1.
    """
    return torch.where(torch.rand(len(labels)) < share, none, labels)
