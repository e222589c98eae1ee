"""GAN: losses, penalties, networks and steps."""

from helpers.gan.augment import Augmented, shift
from helpers.gan.conditional import (
    ConditionalDiscriminator,
    ConditionalGenerator,
    conditional_step,
    sample_conditional,
)
from helpers.gan.ema import ema_copy, update_bn, update_ema
from helpers.gan.losses import (
    discriminator_loss,
    hinge_discriminator,
    hinge_generator,
    least_squares_discriminator,
    least_squares_generator,
    non_saturating,
    relativistic,
    saturating,
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
from helpers.gan.presets import PRESETS, Preset
from helpers.gan.steps import discriminator_step, gan_step, generator_step, lr_factor

__all__ = [
    "PRESETS",
    "Augmented",
    "ConditionalDiscriminator",
    "ConditionalGenerator",
    "Discriminator",
    "Generator",
    "PointDiscriminator",
    "PointGenerator",
    "Preset",
    "conditional_step",
    "discriminator_loss",
    "discriminator_step",
    "draw",
    "ema_copy",
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
    "lr_factor",
    "non_saturating",
    "relativistic",
    "sample_conditional",
    "saturating",
    "shift",
    "to_tanh",
    "update_bn",
    "update_ema",
    "wasserstein_critic",
    "wasserstein_generator",
]
