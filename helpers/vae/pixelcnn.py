"""A VAE with a strong decoder: each pixel sees those drawn before it, so that an image can do without z."""

import copy

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, pad

from helpers.data import door, expect_images
from helpers.vae.bounds import bernoulli_log_likelihood
from helpers.vae.collapse import kl_per_dimension


class PixelVAE(nn.Module):
    """log p(x|z) = Σᵢ log p(xᵢ | pixels before i in reading order, z): a VAE whose decoder is a small PixelCNN.

    A pixel sees `reach` rows above it and the pixels left of it, as far as `reach` columns; z joins as a map of 4 × 4
    places, through weights that start at zero. Sources: van den Oord et al. (2016); Gulrajani et al. (2017).
    """

    def __init__(self, latent: int = 10, reach: int = 5, width: int = 32, hidden: int = 400):
        super().__init__()
        self.latent, self.reach = latent, reach
        self.encoder = nn.Sequential(nn.Linear(784, hidden), nn.SiLU(), nn.Linear(hidden, 2 * latent))
        self.before = nn.Conv2d(1, width, (reach + 1, 2 * reach + 1))
        self.register_buffer("mask", torch.ones(reach + 1, 2 * reach + 1))
        self.mask[-1, reach:] = 0  # neither the pixel itself nor what comes after it
        self.place = nn.Parameter(torch.zeros(width, 28, 28))
        self.code = nn.Linear(latent, 16 * width, bias=False)
        nn.init.zeros_(self.code.weight)
        self.pixel = nn.Sequential(nn.SiLU(), nn.Conv2d(width, width, 1), nn.SiLU(), nn.Conv2d(width, 1, 1))
        self.ink = nn.Parameter(torch.zeros(1, 28, 28))

    @door(expect_images, "x", "self")
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, 1, 28, 28) in [0, 1] to μ and log σ², each (B, latent)."""
        mu, log_var = self.encoder(x.flatten(1)).chunk(2, dim=1)
        return mu, log_var

    def decode(self, z: Tensor, x: Tensor) -> Tensor:
        """z (B, latent) and the images x (B, 1, 28, 28) to the logits of their pixels, (B, 784)."""
        r = self.reach
        h = conv2d(pad(x, (r, r, r, 0)), self.before.weight * self.mask, self.before.bias)
        h = h + self.place + interpolate(self.code(z).view(len(z), -1, 4, 4), size=28)
        return (self.pixel(h) + self.ink).flatten(1)

    @door(expect_images, "images", "self")
    @torch.no_grad()
    def start_from(self, images: Tensor) -> "PixelVAE":
        """Set the pixels' biases to the logits of the mean image, so that training starts from it."""
        self.ink.copy_(images.mean(0).clamp(0.001, 0.999).logit())
        return self

    @torch.no_grad()
    def draw(self, z: Tensor, generator: torch.Generator | None = None, blocks: int = 1) -> Tensor:
        """One image for each row of z (B, latent), pixel after pixel, (B, 1, 28, 28) of zeros and ones.

        The rows come in `blocks` of equal size, and each block gets the same random numbers.
        """
        r, page = self.reach, z.new_zeros(len(z), 28 + self.reach, 28 + 2 * self.reach)
        code = interpolate(self.code(z).view(len(z), -1, 4, 4), size=28)
        code = code + self.place + self.before.bias[:, None, None]
        filters = (self.before.weight * self.mask).flatten(1)
        for row in range(28):
            for column in range(28):
                patch = page[:, row : row + r + 1, column : column + 2 * r + 1].flatten(1)
                h = (patch @ filters.T + code[:, :, row, column])[..., None, None]
                ink = (self.pixel(h).flatten() + self.ink[0, row, column]).sigmoid()
                chance = torch.rand(len(z) // blocks, generator=generator, device=z.device)
                page[:, row + r, column + r] = (chance.repeat(blocks) < ink).to(page.dtype)
        return page[:, None, r:, r : r + 28]

    def with_new_encoder(self) -> "PixelVAE":
        """A copy with the same decoder and an encoder that knows nothing."""
        model = copy.deepcopy(self)
        for layer in (model.encoder[0], model.encoder[2]):
            layer.reset_parameters()
        return model


@door(expect_images, "x", "vae")
def decoder_step(vae: PixelVAE, optimiser: torch.optim.Optimizer, x: Tensor) -> dict[str, Tensor]:
    """One update of −log p(x | z = 0), the decoder alone; x (B, 1, 28, 28) in [0, 1] is binarised anew, in nats."""
    x = torch.bernoulli(x)
    loss = -bernoulli_log_likelihood(x.flatten(1), vae.decode(x.new_zeros(len(x), vae.latent), x)).mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return {"loss": loss.detach()}


@door(expect_images, "x", "vae")
def pixel_step(
    vae: PixelVAE, optimiser: torch.optim.Optimizer, x: Tensor, beta: float = 1.0, floor: float = 0.0
) -> dict[str, Tensor]:
    """One update of encoder and decoder on −E log p(x|z) + β · Σⱼ max(λ, KLⱼ), λ = `floor`, KLⱼ the batch's mean.

    −ELBO for β = 1 and λ = 0. x (B, 1, 28, 28) in [0, 1] is binarised anew. Returns this loss, −E log p(x|z) and the
    KL itself, means over the batch in nats.
    """
    x = torch.bernoulli(x)
    mu, log_var = vae.encode(x)
    z = mu + (log_var / 2).exp() * torch.randn_like(mu)
    reconstruction = -bernoulli_log_likelihood(x.flatten(1), vae.decode(z, x)).mean()
    kl = kl_per_dimension(mu, log_var)
    loss = reconstruction + beta * kl.clamp(min=floor).sum()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return {"loss": loss.detach(), "reconstruction": reconstruction.detach(), "kl": kl.sum().detach()}
