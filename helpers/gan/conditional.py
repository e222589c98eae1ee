"""A GAN that is told what to draw: both players read a label beside the image or the noise."""

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from helpers.data import door, expect_labels, expect_tanh_images
from helpers.gan.losses import discriminator_loss, non_saturating
from helpers.gan.networks import Discriminator, Generator, from_tanh
from helpers.training import mode_kept


def _expect_labelled(batch: tuple[Tensor, Tensor], generator: nn.Module) -> None:
    if not (isinstance(batch, (tuple, list)) and len(batch) == 2):
        raise ValueError(
            "A batch holds images and their labels: make it by batches((images, labels), size, generator)."
        )
    expect_tanh_images(batch[0], generator)
    expect_labels(batch[1], len(batch[0]), getattr(generator, "classes", 10))


def _expect_asked(network: nn.Module, rows: Tensor, labels: Tensor | None) -> None:
    if labels is not None:
        expect_labels(labels, len(rows), network.classes)


class ConditionalGenerator(nn.Module):
    """z (B, latent) and labels (B,) to images (B, 1, 28, 28) in [−1, 1], by a Generator that reads both.

    Each label joins its noise as a one-hot vector. Without labels the classes come in turn, 0, 1, 2, …, so that `draw`
    and `update_bn` work on it as on any generator. Source: Mirza and Osindero (2014).
    """

    def __init__(self, latent: int = 64, classes: int = 10, width: int = 40):
        super().__init__()
        self.latent, self.classes = latent, classes
        self.net = Generator(latent + classes, width).net

    @door(_expect_asked, "self", "z", "labels")
    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is None:
            labels = torch.arange(len(z), device=z.device) % self.classes
        return self.net(torch.cat([z, one_hot(labels, self.classes).to(z.dtype)], dim=1))


class ConditionalDiscriminator(nn.Module):
    """Images (B, 1, 28, 28) in [−1, 1] and labels (B,) to logits (B,): a(x, y) = ⟨w, h(x)⟩ + b + ⟨e_y, h(x)⟩.

    h are the features of a Discriminator; each class has a direction e_y among them. The directions are not spectrally
    normalised, unlike those of the source: Miyato and Koyama (2018), eq. 3 and figure 1d.
    """

    def __init__(self, classes: int = 10, width: int = 24):
        super().__init__()
        layers = Discriminator(width).net
        self.features, self.verdict = layers[:-1], layers[-1]
        self.directions = nn.Embedding(classes, 2 * width * 7 * 7)
        nn.init.normal_(self.directions.weight, 0, 0.02)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        h = self.features(images)
        return self.verdict(h).squeeze(1) + (self.directions(labels) * h).sum(dim=1)


@door(_expect_labelled, "batch", "generator")
def conditional_step(
    generator: nn.Module,
    discriminator: nn.Module,
    g_optimiser: torch.optim.Optimizer,
    d_optimiser: torch.optim.Optimizer,
    batch: tuple[Tensor, Tensor],
) -> dict[str, Tensor]:
    """One update of D, then one of G; `batch` is images (B, 1, 28, 28) in [−1, 1] and their labels (B,).

    Each fake is drawn for the label of a real image, so both come with the same labels. Each update leaves the
    parameters of the other network bitwise as they were. Returns both mean losses, in nats.
    """
    real, labels = batch
    z = torch.randn(2, len(real), generator.latent, device=real.device, dtype=real.dtype)
    with torch.no_grad():
        fake = generator(z[0], labels)
    real_logits, fake_logits = discriminator(torch.cat([real, fake]), labels.repeat(2)).chunk(2)
    d_loss = discriminator_loss(real_logits, fake_logits).mean()
    d_optimiser.zero_grad()
    d_loss.backward()
    d_optimiser.step()
    discriminator.requires_grad_(False)
    try:
        g_loss = non_saturating(discriminator(generator(z[1], labels), labels)).mean()
        g_optimiser.zero_grad()
        g_loss.backward()
        g_optimiser.step()
    finally:
        discriminator.requires_grad_(True)
    return {"d_loss": d_loss.detach(), "g_loss": g_loss.detach()}


@torch.no_grad()
def sample_conditional(generator: nn.Module, labels: Tensor, z: Tensor) -> Tensor:
    """The images in [0, 1], (B, 1, 28, 28), that G draws for the labels (B,) from the noise z (B, latent).

    Batch norm uses its running statistics; the network's mode is put back afterwards.
    """
    expect_labels(labels, len(z), getattr(generator, "classes", 10))
    with mode_kept(generator):
        return from_tanh(generator.eval()(z, labels)).clamp(0, 1)
