"""A GAN for mixed columns: the generator samples categories through Gumbel-softmax, so that gradients pass."""

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from helpers.data.scaling import Scaling
from helpers.gan.losses import relativistic
from helpers.gan.networks import layers
from helpers.gan.penalties import gradient_norm_squared
from helpers.gan.steps import discriminator_step, generator_step
from helpers.training import noise_like, uniform_like


class RecordGenerator(nn.Module):
    """z (B, latent) to records as `Scaling.features` writes them, (B, F), two hidden layers.

    A continuous column is a number of the network; every other one is a sample y = softmax((a + Gumbel noise)/τ) from
    its categories or from the counts 0, …, `most`, made one-hot on the way forward and left soft on the way back
    (straight-through). `scaling` and `most` come from the training records. Source: Jang, Gu, Poole (2017); for tables,
    Camino, Hammerschmidt, State (2018).
    """

    def __init__(self, scaling: Scaling, most: int, latent: int = 16, hidden: int = 128, tau: float = 0.5):
        super().__init__()
        self.scaling, self.latent, self.tau = scaling, latent, tau
        kinds = {"continuous": 1, "count": most + 1}
        self.sizes = [kinds.get(column.kind, len(column.categories)) for column in scaling.columns]
        self.net = layers(latent, hidden, hidden, sum(self.sizes))

    def forward(self, z: Tensor, noise: Tensor | None = None) -> Tensor:
        """`noise`, standard Gumbel (B, Σ sizes), is drawn when it is not given."""
        numbers = self.net(z)
        noise = gumbel_like(numbers) if noise is None else noise
        parts = []
        for column, a, g in zip(self.scaling.columns, *self._split(numbers, noise), strict=True):
            if column.kind == "continuous":
                parts.append(a)
                continue
            soft = ((a + g) / self.tau).softmax(dim=1)
            y = one_hot(soft.argmax(dim=1), soft.shape[1]) - soft.detach() + soft
            if column.kind == "count":
                y = y @ torch.arange(y.shape[1], dtype=y.dtype, device=y.device).log1p()[:, None]
            elif column.kind == "binary":
                y = y[:, 1:]
            parts.append(y)
        return torch.cat(parts, dim=1)

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """`n` records (n, D) float64, in the units of the training records."""
        numbers = self.net(noise_like(self, n, self.latent, generator=generator))
        noise = gumbel_like(numbers, generator)
        drawn = []
        for column, a, g in zip(self.scaling.columns, *self._split(numbers, noise), strict=True):
            drawn.append(a[:, 0].double() if column.kind == "continuous" else (a + g).argmax(dim=1).double())
        return self.scaling.restore(torch.stack(drawn, dim=1))

    def _split(self, *rows: Tensor) -> list[tuple[Tensor, ...]]:
        return [each.split(self.sizes, dim=1) for each in rows]


def gumbel_like(numbers: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Standard Gumbel noise −log(−log u), u uniform, of the shape of `numbers`. Source: Maddison, Mnih, Teh (2017)."""
    u = uniform_like(numbers, generator).clamp(min=1e-10, max=1 - 1e-7)
    return -(-u.log()).log()


class RecordDiscriminator(nn.Module):
    """Records as `Scaling.features` writes them, (B, F), to logits (B,), two hidden layers."""

    def __init__(self, features: int, hidden: int = 128):
        super().__init__()
        self.net = layers(features, hidden, hidden, 1)

    def forward(self, records: Tensor) -> Tensor:
        return self.net(records).squeeze(1)


def record_gan_step(
    generator: RecordGenerator,
    discriminator: nn.Module,
    g_optimiser: torch.optim.Optimizer,
    d_optimiser: torch.optim.Optimizer,
    real: Tensor,
    gamma: float = 0.3,
) -> dict[str, Tensor]:
    """One update of D by the relativistic loss and R1 with the weight γ/2, then one of G on fresh noise.

    `real` (B, F) as `Scaling.features` writes records. Returns both losses (nats, D's with its penalty) and the mean
    D(real), D(fake). Source: Jolicoeur-Martineau (2018); Huang et al. (2024), without R2.
    """
    z = noise_like(real, 2, len(real), generator.latent)

    def d_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return relativistic(real_logits, fake_logits) + gamma / 2 * gradient_norm_squared(discriminator, real)

    def g_loss(fake_logits: Tensor) -> Tensor:
        return relativistic(fake_logits, discriminator(real))

    measured = discriminator_step(generator, discriminator, d_optimiser, real, z[0], d_loss)
    return measured | generator_step(generator, discriminator, g_optimiser, z[1], g_loss)
