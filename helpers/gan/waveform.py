"""Networks that write and judge waveforms, 2,048 samples; their upsampling can be heard."""

from torch import Tensor, nn

UPSAMPLED = 4  # times as many samples after each layer


def upsampling(inputs: int, outputs: int, nearest: bool = False) -> nn.Module:
    """(B, inputs, L) to (B, outputs, 4 L): a transposed convolution of stride 4, or repeated samples and a convolution.

    Source: the first as in Donahue, McAuley, Puckette (2019), with a kernel of 24, which the stride divides; the second
    as in Odena, Dumoulin, Olah (2016).
    """
    if nearest:
        return nn.Sequential(
            nn.Upsample(scale_factor=UPSAMPLED), nn.Conv1d(inputs, outputs, 25, padding="same")
        )
    return nn.ConvTranspose1d(inputs, outputs, 24, stride=UPSAMPLED, padding=10)


class WaveformGenerator(nn.Module):
    """Noise (B, latent) to waveforms (B, 2048) in [−1, 1]: 32 samples become 128, 512 and 2,048."""

    def __init__(self, latent: int = 32, width: int = 32, nearest: bool = False):
        super().__init__()
        self.latent = latent
        self.net = nn.Sequential(
            nn.Linear(latent, 4 * width * 32),
            nn.Unflatten(1, (4 * width, 32)),
            nn.ReLU(),
            upsampling(4 * width, 2 * width, nearest),
            nn.ReLU(),
            upsampling(2 * width, width, nearest),
            nn.ReLU(),
            upsampling(width, 1, nearest),
            nn.Tanh(),
            nn.Flatten(),
        )

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z)


class WaveformDiscriminator(nn.Module):
    """Waveforms (B, 2048) to logits (B,), by three convolutions of stride 4 and a dense layer."""

    def __init__(self, width: int = 32):
        super().__init__()
        self.net = nn.Sequential(
            nn.Unflatten(1, (1, 2048)),
            nn.Conv1d(1, width, 25, stride=4, padding=12),
            nn.LeakyReLU(0.2),
            nn.Conv1d(width, 2 * width, 25, stride=4, padding=12),
            nn.LeakyReLU(0.2),
            nn.Conv1d(2 * width, 4 * width, 25, stride=4, padding=12),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(4 * width * 32, 1),
        )

    def forward(self, waveforms: Tensor) -> Tensor:
        return self.net(waveforms).squeeze(1)
