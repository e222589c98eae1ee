"""A GAN whose data are the codes of a trained autoencoder: its decoder makes sounds or pictures of the samples."""

from torch import Tensor, nn

from helpers.gan.networks import layers


class LatentGenerator(nn.Module):
    """Noise (B, latent) to codes (B, codes), two hidden layers."""

    def __init__(self, codes: int, latent: int = 16, hidden: int = 128):
        super().__init__()
        self.latent = latent
        self.net = layers(latent, hidden, hidden, codes)

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z)


class LatentDiscriminator(nn.Module):
    """Codes (B, codes) to logits (B,), two hidden layers."""

    def __init__(self, codes: int, hidden: int = 128):
        super().__init__()
        self.net = layers(codes, hidden, hidden, 1)

    def forward(self, codes: Tensor) -> Tensor:
        return self.net(codes).squeeze(1)
