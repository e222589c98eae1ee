"""Small networks for 28 × 28 images and for points in the plane, sized by their arguments."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from helpers.training import mode_kept, noise_like


def to_tanh(images: Tensor) -> Tensor:
    """From [0, 1], where images live, to [−1, 1], where a generator ends: 2x − 1, any shape."""
    return 2 * images - 1


def from_tanh(images: Tensor) -> Tensor:
    """From [−1, 1] back to [0, 1]: (x + 1)/2, any shape."""
    return (images + 1) / 2


def layers(*sizes: int) -> nn.Sequential:
    """Linear layers from sizes[0] to sizes[−1], with a LeakyReLU between each two."""
    linear = [nn.Linear(inputs, outputs) for inputs, outputs in pairwise(sizes)]
    return nn.Sequential(*(part for layer in linear for part in (layer, nn.LeakyReLU(0.2))))[:-1]


class Generator(nn.Module):
    """z (B, latent) to images (B, 1, 28, 28) in [−1, 1]; 7 × 7 maps are enlarged twice by two.

    Weights start from N(0, 0.02²), as in Radford, Metz, Chintala (2016).
    """

    def __init__(self, latent: int = 64, width: int = 40):
        super().__init__()
        self.latent = latent
        self.net = nn.Sequential(
            nn.Linear(latent, width * 7 * 7),
            nn.Unflatten(1, (width, 7, 7)),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),  # (B, width/2, 14, 14)
            nn.BatchNorm2d(width // 2),
            nn.ReLU(),
            nn.Conv2d(width // 2, 4, 3, padding=1),
            nn.PixelShuffle(2),  # four maps become one of twice the size: (B, 1, 28, 28)
            nn.Tanh(),
        )
        for module in self.net:
            if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.normal_(module.weight, 0, 0.02)
                nn.init.zeros_(module.bias)

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z)


class Discriminator(nn.Module):
    """Images (B, 1, 28, 28) in [−1, 1] to logits (B,), each layer spectrally normalised.

    The normalisation divides a weight, flattened to a matrix, by an estimate of its largest singular value, renewed by
    one power iteration in every forward pass in training mode: its two vectors are buffers that move whenever the
    network is used so. Miyato et al. (2018), section 2.1.
    """

    def __init__(self, width: int = 24):
        super().__init__()
        self.net = nn.Sequential(
            spectral_norm(nn.Conv2d(1, width, 4, stride=2, padding=1)),  # (B, width, 14, 14)
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)),  # (B, 2 width, 7, 7)
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            spectral_norm(nn.Linear(2 * width * 7 * 7, 1)),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images).squeeze(1)


class PointGenerator(nn.Module):
    """z (B, latent) to points (B, 2) in the plane, by two hidden layers."""

    def __init__(self, latent: int = 2, width: int = 64):
        super().__init__()
        self.latent = latent
        hidden = [nn.Linear(latent, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
        self.net = nn.Sequential(*hidden, nn.Linear(width, 2))

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z)


class PointDiscriminator(nn.Module):
    """Points (B, 2) to logits (B,), by two hidden layers."""

    def __init__(self, width: int = 64):
        super().__init__()
        hidden = [nn.Linear(2, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2)]
        self.net = nn.Sequential(*hidden, nn.Linear(width, 1))

    def forward(self, points: Tensor) -> Tensor:
        return self.net(points).squeeze(1)


@torch.no_grad()
def draw(generator: nn.Module, n: int, seed: int = 0) -> Tensor:
    """`n` images in [0, 1], (n, 1, 28, 28), from noise by `seed`; batch norm uses its running statistics.

    The network's mode is put back afterwards, and the run's own random numbers do not move.
    """
    z = noise_like(generator, n, generator.latent, generator=torch.Generator().manual_seed(seed))
    with mode_kept(generator):
        return from_tanh(generator.eval()(z)).clamp(0, 1)
