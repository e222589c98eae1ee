"""A VQ-VAE for 28 × 28 images: 49 positions, at each one of K tokens."""

from functools import partial

import torch
from torch import Tensor, nn

from helpers.data import door, expect_images
from helpers.vae.bounds import bernoulli_log_likelihood
from helpers.vae.quantiser import Quantiser, nearest_code, update_codebook_ema


class VQVAE(nn.Module):
    """Encoder 28 × 28 → 7 × 7 vectors, their nearest codes, decoder back to the logits of the pixels.

    Source: van den Oord, Vinyals, Kavukcuoglu (2017), with two convolutions on each side and SiLU.
    """

    def __init__(self, size: int = 64, dim: int = 8, width: int = 32):
        super().__init__()
        down = partial(nn.Conv2d, kernel_size=4, stride=2, padding=1)  # halves height and width
        up = partial(nn.ConvTranspose2d, kernel_size=4, stride=2, padding=1)  # doubles them
        layers = [down(1, width), nn.SiLU(), down(width, 2 * width), nn.SiLU()]
        self.encoder = nn.Sequential(*layers, nn.Conv2d(2 * width, dim, 1))
        self.quantiser = Quantiser(size, dim)
        layers = [nn.Conv2d(dim, 2 * width, 3, padding=1), nn.SiLU()]
        self.decoder = nn.Sequential(*layers, up(2 * width, width), nn.SiLU(), up(width, 1))

    @door(expect_images, "x", "self")
    def encode(self, x: Tensor) -> Tensor:
        """Images (B, 1, 28, 28) to vectors (B·49, dim), row by row of the grid."""
        return self.encoder(x).permute(0, 2, 3, 1).flatten(0, 2)

    def decode(self, z: Tensor) -> Tensor:
        """Vectors (B·49, dim) to the logits of the pixels, (B, 784)."""
        grid = z.view(-1, 7, 7, z.shape[1]).permute(0, 3, 1, 2)
        return self.decoder(grid).flatten(1)


@door(expect_images, "x", "vqvae")
def vqvae_step(
    vqvae: VQVAE,
    optimiser: torch.optim.Optimizer,
    x: Tensor,
    ema: bool = True,
    restart: bool = True,
    commitment: float = 0.25,
) -> dict[str, Tensor]:
    """One update on −log p(x|z) + c |h − sg(e)|², and of the codes: by moving averages (`ema`), or on |sg(h) − e|².

    x (B, 1, 28, 28) in [0, 1] is binarised anew; sg stops a gradient, c = `commitment`. Returns −log p(x|z) and
    |h − e|², means over the batch, and the number of codes restarted. Source: van den Oord et al. (2017), eq. 3.
    """
    x = torch.bernoulli(x)
    h = vqvae.encode(x)
    z, k, e = vqvae.quantiser(h)
    reconstruction = -bernoulli_log_likelihood(x.flatten(1), vqvae.decode(z)).mean()
    error = (h - e.detach()).square().sum() / len(x)
    loss = reconstruction + commitment * error
    if not ema:
        loss = loss + (h.detach() - e).square().sum() / len(x)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    restarted = update_codebook_ema(vqvae.quantiser, h.detach(), k, restart=restart) if ema else 0
    return {"reconstruction": reconstruction.detach(), "quantisation": error.detach(), "restarted": restarted}


@torch.no_grad()
def tokens_of(vqvae: VQVAE, x: Tensor) -> Tensor:
    """The tokens of images (B, 1, 28, 28), whole numbers (B, 49)."""
    parts = [nearest_code(vqvae.encode(part), vqvae.quantiser.codes) for part in x.split(250)]
    return torch.cat(parts).view(len(x), -1)


@torch.no_grad()
def means_of(vqvae: VQVAE, k: Tensor) -> Tensor:
    """The decoder's means for tokens (B, 49), (B, 1, 28, 28) in [0, 1]."""
    parts = [vqvae.decode(vqvae.quantiser.codes[part.flatten()]) for part in k.split(250)]
    return torch.cat(parts).sigmoid().view(-1, 1, 28, 28)
