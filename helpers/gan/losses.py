"""GAN losses on logits, one number an image, in nats; a step takes their mean over the batch.

With a = logit of D(x), log D(x) = −softplus(−a) and log(1 − D(x)) = −softplus(a): no sigmoid is ever followed by a log.
"""

from torch import Tensor
from torch.nn.functional import relu, softplus


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """The discriminator's side of the minimax game, −log D(x) − log(1 − D(G(z))), shapes (B,), (B,) to (B,).

    Source: Goodfellow et al. (2014), eq. 1, with the sign turned so that D minimises.
    """
    return softplus(-real_logits) + softplus(fake_logits)


def minimax(fake_logits: Tensor) -> Tensor:
    """The generator's side of the minimax game, log(1 − D(G(z))), (B,) to (B,); its gradient fades
    where D is sure that a fake is one.

    Source: Goodfellow et al. (2014), eq. 1.
    """
    return -softplus(fake_logits)


def non_saturating(fake_logits: Tensor) -> Tensor:
    """The non-saturating loss −log D(G(z)), (B,) to (B,): another game, whose gradient stays
    where D is sure that a fake is one.

    Source: Goodfellow et al. (2014), section 3.
    """
    return softplus(-fake_logits)


def hinge_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """max(0, 1 − a_real) + max(0, 1 + a_fake), (B,), (B,) to (B,). Source: Miyato et al. (2018), eq. 16."""
    return relu(1 - real_logits) + relu(1 + fake_logits)


def hinge_generator(fake_logits: Tensor) -> Tensor:
    """−a_fake, (B,) to (B,). Source: Miyato et al. (2018), eq. 17."""
    return -fake_logits
