"""One update of each player."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from helpers.data import door, expect_tanh_images
from helpers.gan.losses import discriminator_loss, non_saturating


def discriminator_step(
    generator: nn.Module,
    discriminator: nn.Module,
    d_optimiser: torch.optim.Optimizer,
    real: Tensor,
    z: Tensor,
    loss_function: Callable[[Tensor, Tensor], Tensor] = discriminator_loss,
) -> dict[str, Tensor]:
    """One update of D on `real` (B, 1, 28, 28) in [−1, 1] and on G(z), z (B, latent).

    G's parameters stay bitwise as they are; the running statistics of its batch norm do move, as in any forward pass
    in training mode. Returns the mean loss (nats) and the mean D(real), D(fake).
    """
    with torch.no_grad():
        fake = generator(z)
    real_logits, fake_logits = discriminator(torch.cat([real, fake])).chunk(2)
    loss = loss_function(real_logits, fake_logits).mean()
    d_optimiser.zero_grad()
    loss.backward()
    d_optimiser.step()
    with torch.no_grad():
        return {
            "d_loss": loss.detach(),
            "d_real": real_logits.sigmoid().mean(),
            "d_fake": fake_logits.sigmoid().mean(),
        }


def generator_step(
    generator: nn.Module,
    discriminator: nn.Module,
    g_optimiser: torch.optim.Optimizer,
    z: Tensor,
    loss_function: Callable[[Tensor], Tensor] = non_saturating,
) -> dict[str, Tensor]:
    """One update of G through a frozen D, z (B, latent).

    D's parameters stay bitwise as they are and collect no gradient; the power-iteration vectors of its spectral norm
    do move. Returns the mean loss (nats).
    """
    discriminator.requires_grad_(False)
    try:
        loss = loss_function(discriminator(generator(z))).mean()
        g_optimiser.zero_grad()
        loss.backward()
        g_optimiser.step()
    finally:  # also if you interrupt the cell
        discriminator.requires_grad_(True)
    return {"g_loss": loss.detach()}


@door(expect_tanh_images, "real", "generator")
def gan_step(
    generator: nn.Module,
    discriminator: nn.Module,
    g_optimiser: torch.optim.Optimizer,
    d_optimiser: torch.optim.Optimizer,
    real: Tensor,
) -> dict[str, Tensor]:
    """One update of D, then one of G on fresh noise; `real` (B, 1, 28, 28) in [−1, 1]."""
    z = torch.randn(2, len(real), generator.latent, device=real.device, dtype=real.dtype)
    measured = discriminator_step(generator, discriminator, d_optimiser, real, z[0])
    return measured | generator_step(generator, discriminator, g_optimiser, z[1])


def lr_factor(done: float) -> float:
    """The factor on the learning rates when the fraction `done` of the training is over.

    A short rise (to 0.5 %), constant to 40 %, then a straight line down to 2 %.
    """
    if done < 0.005:
        return max(0.05, done / 0.005)
    return 1.0 if done < 0.4 else max(0.02, 1 - 0.98 * (done - 0.4) / 0.6)
