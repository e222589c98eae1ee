"""The linear-Gaussian model, in which evidence, posterior and bound are known exactly."""

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal

from helpers.theory.divergences import normal_kl


class LinearGaussian:
    """z ~ N(0, I_d), x|z ~ N(Wz + b, s² I_D): a VAE's model with a linear decoder, also called probabilistic PCA.

    `weight` W (D, d), `bias` b (D,), `std` s > 0. Source: Tipping and Bishop (1999), section 3.
    """

    def __init__(self, weight: Tensor, bias: Tensor, std: float):
        self.weight, self.bias, self.std = weight, bias, std

    def log_prior(self, z: Tensor) -> Tensor:
        """log p(z), (…, d) to (…), in nats."""
        return Normal(torch.zeros_like(z), 1.0).log_prob(z).sum(-1)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z), (…, D) and (…, d) to (…), in nats."""
        return Normal(z @ self.weight.T + self.bias, self.std).log_prob(x).sum(-1)

    def log_evidence(self, x: Tensor) -> Tensor:
        """log p(x) = log N(x; b, WWᵀ + s² I), (…, D) to (…), in nats."""
        noise = self.std**2 * torch.eye(len(self.bias), dtype=x.dtype)
        return MultivariateNormal(self.bias, self.weight @ self.weight.T + noise).log_prob(x)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (…, d) and covariance (d, d) of p(z|x): C = (I + WᵀW/s²)⁻¹, mean C Wᵀ(x − b)/s²."""
        unit = torch.eye(self.weight.shape[1], dtype=x.dtype)
        cov = torch.linalg.inv(unit + self.weight.T @ self.weight / self.std**2)
        return (x - self.bias) @ self.weight @ cov / self.std**2, cov

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """`n` draws of x (n, D) and the z (n, d) they came from, in the dtype of W."""
        kind = {"generator": generator, "dtype": self.weight.dtype}
        z = torch.randn(n, self.weight.shape[1], **kind)
        return z @ self.weight.T + self.bias + self.std * torch.randn(n, len(self.bias), **kind), z


def exact_elbo(model: LinearGaussian, x: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    """E_q[log p(x|z)] − KL(q ‖ p(z)) with q = N(μ, diag σ²), the expectation in closed form, in nats.

    E_q[log p(x|z)] = log N(x; Wμ + b, s²) − ½ Σⱼ σⱼ² |wⱼ|²/s², wⱼ the columns of W. x (B, D), μ and log σ² (B, d), to
    (B,).
    """
    spread = (log_var.exp() * model.weight.square().sum(0)).sum(-1) / (2 * model.std**2)
    rate = 0.5 * (mu.square() + log_var.exp() - 1 - log_var).sum(-1)
    return model.log_likelihood(x, mu) - spread - rate


def kl_to_posterior(model: LinearGaussian, x: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    """The gap: KL(N(μ, diag σ²) ‖ p(z|x)), x (B, D), μ and log σ² (B, d), to (B,), in nats."""
    mean, cov = model.posterior(x)
    return normal_kl(mu, torch.diag_embed(log_var.exp()), mean, cov.expand(len(x), *cov.shape))


def best_diagonal(model: LinearGaussian, x: Tensor) -> tuple[Tensor, Tensor]:
    """μ and log σ², each (B, d), of the q = N(μ, diag σ²) with the largest ELBO at x (B, D).

    μ is the posterior's mean, and 1/σⱼ² = 1 + |wⱼ|²/s², the diagonal of its *precision*: never wider than the
    posterior's own deviations. Source: Bishop (2006), section 10.1.2.
    """
    mean, _ = model.posterior(x)
    log_var = -torch.log1p(model.weight.square().sum(0) / model.std**2)
    return mean, log_var.expand_as(mean)
