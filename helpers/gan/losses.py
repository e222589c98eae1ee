"""GAN losses on logits, one number an image or a pair of images; a step takes their mean over the batch.

The first three and the relativistic one are in nats. With a = logit of D(x), log D(x) = −softplus(−a) and
log(1 − D(x)) = −softplus(a): no sigmoid is ever followed by a log.
"""

from torch import Tensor
from torch.nn.functional import relu, softplus

from helpers.data import door, expect_same_shape


@door(expect_same_shape, "real_logits", "fake_logits")
def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """The discriminator's side of the minimax game, −log D(x) − log(1 − D(G(z))), shapes (B,), (B,) to (B,).

    Source: Goodfellow et al. (2014), eq. 1, with the sign turned so that D minimises.
    """
    return softplus(-real_logits) + softplus(fake_logits)


def saturating(fake_logits: Tensor) -> Tensor:
    """The saturating loss log(1 − D(G(z))), (B,) to (B,), the generator's side of the minimax game; its gradient
    fades where D is sure that a fake is one.

    Source: Goodfellow et al. (2014), eq. 1.
    """
    return -softplus(fake_logits)


def non_saturating(fake_logits: Tensor) -> Tensor:
    """The non-saturating loss −log D(G(z)), (B,) to (B,): another game, whose gradient stays
    where D is sure that a fake is one.

    Source: Goodfellow et al. (2014), section 3.
    """
    return softplus(-fake_logits)


@door(expect_same_shape, "real_logits", "fake_logits")
def hinge_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """max(0, 1 − a_real) + max(0, 1 + a_fake), (B,), (B,) to (B,). Source: Miyato et al. (2018), eq. 16."""
    return relu(1 - real_logits) + relu(1 + fake_logits)


def hinge_generator(fake_logits: Tensor) -> Tensor:
    """−a_fake, (B,) to (B,). Source: Miyato et al. (2018), eq. 17."""
    return -fake_logits


@door(expect_same_shape, "real_logits", "fake_logits")
def least_squares_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """½ (a_real − 1)² + ½ a_fake², (B,), (B,) to (B,), no nats: here the output itself, not its sigmoid, is
    drawn to 1 and 0, and the best one is D* = p/(p + q).

    Source: Mao et al. (2017), eq. 9.
    """
    return ((real_logits - 1).square() + fake_logits.square()) / 2


def least_squares_generator(fake_logits: Tensor) -> Tensor:
    """½ (a_fake − 1)², (B,) to (B,), no nats; it also pulls back a fake that scores above 1.

    Source: Mao et al. (2017), eq. 9.
    """
    return (fake_logits - 1).square() / 2


@door(expect_same_shape, "real_logits", "fake_logits")
def wasserstein_critic(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """a_fake − a_real, (B,), (B,) to (B,), in the unit of the data for a critic of slope at most 1.

    Minus its mean estimates the Wasserstein distance only as far as something else bounds the slope; alone it has no
    minimum. Source: Arjovsky, Chintala, Bottou (2017), eq. 2 and 3, with the sign turned so that the critic minimises.
    """
    return fake_logits - real_logits


# −a_fake again (Arjovsky et al., 2017, theorem 3): for the generator the two games differ in the critic alone.
wasserstein_generator = hinge_generator


@door(expect_same_shape, "real_logits", "fake_logits")
def relativistic(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """−log σ(a_real − a_fake), how little each real looks more real than the fake it is paired with, in nats.

    (B,), (B,) to (B,). This is the discriminator's loss; the generator's is the same function with the roles
    exchanged, `relativistic(fake_logits, real_logits)`. Source: Jolicoeur-Martineau (2018), section 4; R3GAN is this
    with R1 and R2, Huang et al. (2024), section 2.
    """
    return softplus(fake_logits - real_logits)
