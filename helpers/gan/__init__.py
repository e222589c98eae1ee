"""GAN: losses, penalties, networks and steps."""

from helpers.gan.augment import Augmented, shift
from helpers.gan.averaging import average_of, refresh_statistics, update_average
from helpers.gan.conditional import (
    ConditionalDiscriminator,
    ConditionalGenerator,
    conditional_step,
    draw_asked,
)
from helpers.gan.losses import (
    discriminator_loss,
    hinge_discriminator,
    hinge_generator,
    least_squares_discriminator,
    least_squares_generator,
    minimax,
    non_saturating,
    relativistic,
    wasserstein_critic,
    wasserstein_generator,
)
from helpers.gan.networks import (
    Discriminator,
    Generator,
    PointDiscriminator,
    PointGenerator,
    draw,
    from_tanh,
    to_tanh,
)
from helpers.gan.penalties import gradient_norm_squared, gradient_penalty, input_gradient
from helpers.gan.steps import discriminator_step, gan_step, generator_step, schedule

__all__ = [
    "Augmented",
    "ConditionalDiscriminator",
    "ConditionalGenerator",
    "Discriminator",
    "Generator",
    "PointDiscriminator",
    "PointGenerator",
    "average_of",
    "conditional_step",
    "discriminator_loss",
    "discriminator_step",
    "draw",
    "draw_asked",
    "from_tanh",
    "gan_step",
    "generator_step",
    "gradient_norm_squared",
    "gradient_penalty",
    "hinge_discriminator",
    "hinge_generator",
    "input_gradient",
    "least_squares_discriminator",
    "least_squares_generator",
    "minimax",
    "non_saturating",
    "refresh_statistics",
    "relativistic",
    "schedule",
    "shift",
    "to_tanh",
    "update_average",
    "wasserstein_critic",
    "wasserstein_generator",
]
