"""A GAN for clips: one content code a clip, a motion code for each step; a discriminator for patches, one for flights.

Patches are (n, 1, 14, 14) in [0, 1], flights (n, 16, 2) in units of half the box, (p − 15.5)/8, as `to_units` writes
positions in pixels: the walls are at −1 and 1. Source of the two kinds of codes and of two discriminators: Tulyakov et
al. (2018), MoCoGAN.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from helpers.data.clips import FRAMES, HALF, MIDDLE, PATCH, crop, draw
from helpers.gan.ema import ema_copy, update_ema
from helpers.gan.losses import relativistic
from helpers.gan.networks import layers
from helpers.gan.penalties import gradient_norm_squared
from helpers.gan.steps import discriminator_step, generator_step, lr_factor
from helpers.training import Budget, noise_like

DIGITS = 10


def to_units(positions: Tensor) -> Tensor:
    """Pixels as networks see them, (p − 15.5)/8, any shape."""
    return (positions - MIDDLE) / HALF


def to_pixels(flights: Tensor) -> Tensor:
    """`to_units` the other way."""
    return MIDDLE + HALF * flights


class PatchGenerator(nn.Module):
    """A content code (n, latent), a style from N(0, I) and after it a digit as a one-hot row, to a patch in [0, 1]."""

    def __init__(self, style: int = 24, hidden: int = 256):
        super().__init__()
        self.style, self.latent = style, style + DIGITS
        self.net = layers(self.latent, hidden, hidden, PATCH**2)

    def forward(self, content: Tensor) -> Tensor:
        return self.net(content).sigmoid().view(-1, 1, PATCH, PATCH)

    def codes(self, digits: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Content codes for these digits (n,), each with a style of its own, (n, latent)."""
        style = noise_like(self, len(digits), self.style, generator=generator)
        return torch.cat([style, one_hot(digits, DIGITS).to(style)], dim=1)


class PatchDiscriminator(nn.Module):
    """Patches beside what they should show, as `labelled` writes them, (n, 206), to logits (n,)."""

    def __init__(self, hidden: int = 256):
        super().__init__()
        self.net = layers(PATCH**2 + DIGITS, hidden, hidden, 1)

    def forward(self, rows: Tensor) -> Tensor:
        return self.net(rows).squeeze(1)


def labelled(patches: Tensor, codes: Tensor) -> Tensor:
    """Patches (n, 1, 14, 14) beside the digit at the end of their content codes (n, …), as rows (n, 206)."""
    return torch.cat([patches.flatten(1), codes[:, -DIGITS:]], dim=1)


def fold(u: Tensor) -> Tensor:
    """Reflection at −1 and 1 as often as needed: a triangle wave of period 4, any shape; u itself between −1 and 1."""
    return 1 - ((u + 1) % 4 - 2).abs()


class FlightGenerator(nn.Module):
    """A start code and a motion code for each step, in one row (n, latent), to flights (n, 16, 2).

    The start code gives a position and a velocity. A GRU reads the motion codes, and its state changes the velocity.
    Positions end in `fold`, as images end in tanh: nothing leaves the box.
    """

    def __init__(self, start: int = 8, code: int = 2, state: int = 32, hidden: int = 64):
        super().__init__()
        self.start, self.steps = start, FRAMES - 1
        self.latent = start + self.steps * code
        self.launch = layers(start, hidden, hidden, 4)
        self.gru = nn.GRU(code, state, batch_first=True)
        self.change = nn.Linear(state, 2)

    def forward(self, z: Tensor) -> Tensor:
        position, velocity = self.launch(z[:, : self.start]).unflatten(1, (2, 1, 2)).unbind(1)
        states, _ = self.gru(z[:, self.start :].unflatten(1, (self.steps, -1)))  # (n, 15, state)
        steps = velocity / 4 + (0.1 * self.change(states)).cumsum(dim=1)
        return fold(torch.cat([position, position + steps.cumsum(dim=1)], dim=1))


class FlightDiscriminator(nn.Module):
    """Flights (n, 16, 2) to logits (n,), from positions, steps and changes of steps."""

    def __init__(self, hidden: int = 128):
        super().__init__()
        self.net = layers(2 * (3 * FRAMES - 3), hidden, hidden, 1)

    def forward(self, flights: Tensor) -> Tensor:
        steps = flights.diff(dim=1)
        seen = [flights, 4 * steps, 4 * steps.diff(dim=1)]
        return self.net(torch.cat(seen, dim=1).flatten(1)).squeeze(1)


class ClipGenerator(nn.Module):
    """A patch from the content code and a flight from the motion codes: whole clips."""

    def __init__(self, content: nn.Module, motion: nn.Module):
        super().__init__()
        self.content, self.motion = content, motion

    def forward(self, content: Tensor, motion: Tensor) -> Tensor:
        """Content codes (n, C) and motion codes (n, M) to frames (n, 16, 1, 32, 32): each patch, at each position."""
        return draw(self.content(content), to_pixels(self.motion(motion)))

    @torch.no_grad()
    def sample(self, n: int, truncation: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
        """`n` clips of a uniform digit, with everything else from N(0, I); styles are multiplied by `truncation`.

        Truncation trades variety for quality. Source of a factor on styles: Karras, Laine, Aila (2019), appendix B.
        """
        content = self.content.codes(
            torch.randint(DIGITS, (n,), generator=generator, device="cpu"), generator
        )
        content[:, : self.content.style] *= truncation
        return self(content, noise_like(self, n, self.motion.latent, generator=generator))


def as_seen(patches: Tensor, positions: Tensor) -> Tensor:
    """Patches (n, 1, 14, 14) drawn into a frame at positions (n, 2), and cut out again, as real ones were.

    Drawing between pixels makes a patch softer; this is how a generator learns to be sharp enough for it.
    """
    return crop(draw(patches, positions[:, None]), positions[:, None])[:, 0]


def clip_gan_step(
    generator,
    discriminator: nn.Module,
    g_optimiser: torch.optim.Optimizer,
    d_optimiser: torch.optim.Optimizer,
    real: Tensor,
    z: Tensor,
    gamma: float = 0.0,
) -> dict[str, Tensor]:
    """One update of D, then one of G on the same fakes: the relativistic loss, and R1 on D with the weight γ/2.

    `generator(z)` gives fakes of the shape of `real`, labelled patches or flights, z (n, latent). For a lazy penalty
    give k γ at every kth step and 0 at the others. Each update leaves the other network's parameters bitwise as they
    were. Source: Jolicoeur-Martineau (2018); lazy R1: Karras et al. (2020), appendix B.
    """
    fake = generator(z)
    seen = fake.detach()

    def d_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        loss = relativistic(real_logits, fake_logits)
        return loss + gamma / 2 * gradient_norm_squared(discriminator, real) if gamma else loss

    def g_loss(fake_logits: Tensor) -> Tensor:
        return relativistic(fake_logits, discriminator(real))

    measured = discriminator_step(lambda z: seen, discriminator, d_optimiser, real, z, d_loss)
    return measured | generator_step(lambda z: fake, discriminator, g_optimiser, z, g_loss)


def play(
    generator: nn.Module,
    discriminator: nn.Module,
    make: Callable[[], tuple[Tensor, Tensor, Callable[[Tensor], Tensor]]],
    budget: Budget,
    learning_rate: float = 1e-3,
    gamma: float = 0.1,
    lazy: int = 8,
    decay: float = 0.995,
) -> tuple[nn.Module, int]:
    """A whole game until `budget` is spent: the running average of G, and the number of updates.

    `make()` gives real data, noise for as many fakes, and the view of what G makes that D gets to see. Adam with β₁ = 0
    for both, learning rates as `lr_factor` says, R1 at every `lazy`-th update, an average with this `decay`.
    """
    average, taken = ema_copy(generator), 0
    optimisers = [
        torch.optim.Adam(each.parameters(), learning_rate, (0.0, 0.9), fused=True)
        for each in (generator, discriminator)
    ]

    def update(done: float) -> None:
        nonlocal taken
        for optimiser in optimisers:
            optimiser.param_groups[0]["lr"] = learning_rate * lr_factor(done)
        real, z, view = make()
        penalty = 0.0 if taken % lazy else lazy * gamma
        clip_gan_step(lambda z: view(generator(z)), discriminator, *optimisers, real, z, penalty)
        update_ema(average, generator, decay)
        taken += 1

    return average, budget(update)
