"""A GAN whose data are the codes of a trained autoencoder: its decoder makes sounds or pictures of the samples."""

from torch import Tensor, nn


def hidden_layers(inputs: int, hidden: int) -> list[nn.Module]:
    """Two linear layers from `inputs` to `hidden` numbers, each with a LeakyReLU behind it."""
    return [nn.Linear(inputs, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, hidden), nn.LeakyReLU(0.2)]


class LatentGenerator(nn.Module):
    """Noise (B, latent) to codes (B, codes), two hidden layers."""

    def __init__(self, codes: int, latent: int = 16, hidden: int = 128):
        super().__init__()
        self.latent = latent
        self.net = nn.Sequential(*hidden_layers(latent, hidden), nn.Linear(hidden, codes))

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z)


class LatentDiscriminator(nn.Module):
    """Codes (B, codes) to logits (B,), two hidden layers."""

    def __init__(self, codes: int, hidden: int = 128):
        super().__init__()
        self.net = nn.Sequential(*hidden_layers(codes, hidden), nn.Linear(hidden, 1))

    def forward(self, codes: Tensor) -> Tensor:
        return self.net(codes).squeeze(1)
