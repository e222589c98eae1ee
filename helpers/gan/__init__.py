"""GAN: losses, networks and steps."""

from helpers.gan.averaging import average_of, refresh_statistics, update_average
from helpers.gan.losses import (
    discriminator_loss,
    hinge_discriminator,
    hinge_generator,
    minimax,
    non_saturating,
)
from helpers.gan.networks import Discriminator, Generator, draw, from_tanh, to_tanh
from helpers.gan.steps import discriminator_step, gan_step, generator_step, schedule

__all__ = [
    "Discriminator",
    "Generator",
    "average_of",
    "discriminator_loss",
    "discriminator_step",
    "draw",
    "from_tanh",
    "gan_step",
    "generator_step",
    "hinge_discriminator",
    "hinge_generator",
    "minimax",
    "non_saturating",
    "refresh_statistics",
    "schedule",
    "to_tanh",
    "update_average",
]
