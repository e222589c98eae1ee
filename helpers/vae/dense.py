"""A VAE of dense layers for data of any shape: numbers with a Gaussian likelihood, or 0 and 1 with a Bernoulli one."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Distribution, Normal


def dense(*sizes: int) -> nn.Sequential:
    """Linear layers from sizes[0] to sizes[−1], with a SiLU between each two."""
    layers = [nn.Linear(inputs, outputs) for inputs, outputs in pairwise(sizes)]
    return nn.Sequential(*(part for layer in layers for part in (layer, nn.SiLU())))[:-1]


class DenseVAE(nn.Module):
    """q(z|x) = N(μ(x), diag σ²(x)), and p(x|z) = N(f(z), s² I) with one learned s; Bernoulli(f(z)) where `binary`.

    x (B, *shape); f(z) are logits where `binary`. The encoder has layers of the sizes `hidden`, the decoder the same
    ones in reverse; s begins at `std`. Source: Kingma and Welling (2014), appendix C.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        latent: int,
        hidden: tuple[int, ...],
        binary: bool = False,
        std: float = 1.0,
    ):
        super().__init__()
        self.shape, self.latent, self.binary = shape, latent, binary
        self.encoder = dense(math.prod(shape), *hidden, 2 * latent)
        self.decoder = dense(latent, *hidden[::-1], math.prod(shape))
        self.log_std = nn.Parameter(torch.tensor(math.log(std)), requires_grad=not binary)  # log s

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, *shape) to μ and log σ², each (B, latent)."""
        mu, log_var = self.encoder(x.flatten(1)).chunk(2, dim=1)
        return mu, log_var

    def decode(self, z: Tensor) -> Distribution:
        """z (…, latent) to p(x|z), a distribution of (…, *shape), whose `.mean` is what is shown."""
        f = self.decoder(z).unflatten(-1, self.shape)
        if self.binary:
            return Bernoulli(logits=f, validate_args=False)
        return Normal(f, self.log_std.exp(), validate_args=False)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) in nats, (B, *shape) and (…, B, latent) to (…, B)."""
        return self.decode(z).log_prob(x).flatten(-len(self.shape)).sum(dim=-1)

    def log_prior(self, z: Tensor) -> Tensor:
        """log N(z; 0, I) in nats, (…, latent) to (…,)."""
        return Normal(0.0, 1.0).log_prob(z).sum(dim=-1)
