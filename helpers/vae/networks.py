"""A variational autoencoder for 28 × 28 images, and its file."""

from pathlib import Path

import torch
from torch import Tensor, nn

from helpers.data import door, expect_images
from helpers.training import CheckpointError, noise_like, read_safely, write_atomically


class VAE(nn.Module):
    """Encoder q(z|x) = N(μ(x), diag σ²(x)) and decoder p(x|z) = Bernoulli(sigmoid(logits)), one hidden layer each.

    Source: Kingma and Welling (2014), appendix C, with SiLU in place of tanh.
    """

    def __init__(self, latent: int = 20, hidden: int = 400):
        super().__init__()
        self.latent, self.hidden = latent, hidden
        self.encoder = nn.Sequential(nn.Linear(784, hidden), nn.SiLU(), nn.Linear(hidden, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.SiLU(), nn.Linear(hidden, 784))

    @door(expect_images, "x", "self")
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, 1, 28, 28) in [0, 1] to μ and log σ², each (B, latent)."""
        mu, log_var = self.encoder(x.flatten(1)).chunk(2, dim=1)
        return mu, log_var

    def decode(self, z: Tensor) -> Tensor:
        """z (B, latent) to the logits of the pixels, (B, 784)."""
        return self.decoder(z)

    @door(expect_images, "images", "self")
    @torch.no_grad()
    def start_from(self, images: Tensor) -> "VAE":
        """Set the decoder's last bias to the logits of the mean image, so that training starts from it."""
        mean = images.flatten(1).mean(0).clamp(0.001, 0.999)
        self.decoder[-1].bias.copy_(mean.logit())
        return self

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """The decoder's means for `n` draws of z from the prior, (n, 1, 28, 28) in [0, 1]."""
        z = noise_like(self, n, self.latent, generator=generator)
        return self.decode(z).sigmoid().view(n, 1, 28, 28)


def save(vae: VAE, path: str | Path) -> Path:
    """Write the sizes and weights of `vae` to `path`, whole or not at all."""
    sizes = {"latent": vae.latent, "hidden": vae.hidden}
    return write_atomically(path, {"sizes": sizes, "weights": vae.state_dict()})


def load(path: str | Path) -> VAE:
    """The VAE that `save` wrote to `path`, in evaluation mode; runs no code from the file.

    Raises CheckpointError where the file is missing, damaged, foreign, or asks to run code.
    """
    content = read_safely(path)
    try:
        vae = VAE(**content["sizes"])
        vae.load_state_dict(content["weights"])
    except Exception:  # a foreign file may hold anything in place of what is looked for
        raise CheckpointError(
            f"{path} does not hold a VAE of this course: save one with helpers.vae.save(vae, path)."
        ) from None
    return vae.eval()
