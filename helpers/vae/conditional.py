"""A VAE that is told the label, so that z is left with the handwriting."""

from functools import partial
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from helpers.data import door, expect_images, expect_labels
from helpers.vae.steps import vae_step


def _expect_asked(vae: nn.Module, rows: Tensor, labels: Tensor) -> None:
    expect_labels(labels, len(rows), vae.classes)


class ConditionalVAE(nn.Module):
    """q(z|x, y) and p(x|z, y), one hidden layer each; the label y joins both as a one-hot vector.

    A lower bound on log p(x|y). Source: Sohn, Lee, Yan (2015), with the prior p(z|y) = N(0, I).
    """

    def __init__(self, latent: int = 3, classes: int = 10, hidden: int = 400):
        super().__init__()
        self.latent, self.classes = latent, classes
        self.encoder = nn.Sequential(
            nn.Linear(784 + classes, hidden), nn.SiLU(), nn.Linear(hidden, 2 * latent)
        )
        self.decoder = nn.Sequential(nn.Linear(latent + classes, hidden), nn.SiLU(), nn.Linear(hidden, 784))

    @door(expect_images, "x", "self")
    @door(_expect_asked, "self", "x", "y")
    def encode(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, 1, 28, 28) in [0, 1] and labels (B,) to μ and log σ², each (B, latent)."""
        mu, log_var = self.encoder(torch.cat([x.flatten(1), one_hot(y, self.classes)], 1)).chunk(2, dim=1)
        return mu, log_var

    @door(_expect_asked, "self", "z", "y")
    def decode(self, z: Tensor, y: Tensor) -> Tensor:
        """z (B, latent) and labels (B,) to the logits of the pixels, (B, 784)."""
        return self.decoder(torch.cat([z, one_hot(y, self.classes)], 1))


def conditional_vae_step(
    vae: ConditionalVAE, optimiser: torch.optim.Optimizer, batch: tuple[Tensor, Tensor]
) -> dict[str, Tensor]:
    """`vae_step` on −ELBO(x|y), the labels given; `batch` is images (B, 1, 28, 28), binarised anew, and labels (B,)."""
    if not (isinstance(batch, (tuple, list)) and len(batch) == 2):
        raise ValueError(
            "A batch holds images and their labels: make it by batches((images, labels), size, generator)."
        )
    x, y = batch
    given = SimpleNamespace(encode=partial(vae.encode, y=y), decode=partial(vae.decode, y=y))
    return vae_step(given, optimiser, x)
