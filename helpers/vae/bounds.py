"""Bounds on log p(x): one number an image, summed over pixels and latent dimensions, in nats."""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from helpers.data import door, expect_rows, expect_unit_interval
from helpers.theory import log_mean_exp
from helpers.training import noise_like


@door(expect_rows, "mu", "log_var")
def gaussian_kl(mu: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(μ, diag σ²) ‖ N(0, I)) = −½ Σ (1 + log σ² − μ² − σ²), (B, d), (B, d) to (B,), in nats.

    Source: Kingma and Welling (2014), appendix B.
    """
    return -0.5 * (1 + log_var - mu.square() - log_var.exp()).sum(dim=1)


@door(expect_rows, "x", "logits")
def bernoulli_log_likelihood(x: Tensor, logits: Tensor) -> Tensor:
    """log p(x|z) = Σ x·a − softplus(a) for pixels x in {0, 1} and logits a, (B, D), (B, D) to (B,), in nats.

    On grey pixels the same number is the average over their coin tosses, Bernoulli(grey), and no density of the grey
    values. Source: Kingma and Welling (2014), appendix C.1.
    """
    return (x * logits - softplus(logits)).sum(dim=1)


@door(expect_unit_interval, "x")
def elbo(vae, x: Tensor, eps: Tensor | None = None, beta: float = 1.0) -> Tensor:
    """E_q[log p(x|z)] − β · KL(q(z|x) ‖ p(z)) with one z = μ + σ·ε an image, x (B, 1, 28, 28) to (B,), in nats.

    In expectation over ε a lower bound on log p(x) for β ≥ 1; for β < 1 it need not be one. ε (B, latent) is drawn when
    it is not given. Source: Kingma and Welling (2014), eq. 10; β: Higgins et al. (2017), eq. 4.
    """
    mu, log_var = vae.encode(x)
    eps = torch.randn_like(mu) if eps is None else eps
    logits = vae.decode(mu + (log_var / 2).exp() * eps)
    return bernoulli_log_likelihood(x.flatten(1), logits) - beta * gaussian_kl(mu, log_var)


@door(expect_unit_interval, "x")
@torch.no_grad()
def importance_weighted_bound(
    vae, x: Tensor, samples: int = 256, generator: torch.Generator | None = None, rows: int = 20
) -> Tensor:
    """log (1/K) Σₖ p(x|zₖ) p(zₖ) / q(zₖ|x) with K = `samples`, in expectation between the ELBO and log p(x).

    x (B, 1, 28, 28) to (B,), in nats; `rows` images are handled at a time to keep the memory small. Source: Burda,
    Grosse, Salakhutdinov (2016), eq. 8.
    """
    bounds = []
    for part in x.split(rows):
        mu, log_var = vae.encode(part)
        eps = noise_like(mu, samples, *mu.shape, generator=generator)
        z = mu + (log_var / 2).exp() * eps  # (K, B, d)
        logits = vae.decode(z.flatten(0, 1))
        flat = part.flatten(1).repeat(samples, 1)
        log_likelihood = bernoulli_log_likelihood(flat, logits).view(samples, -1)
        log_ratio = (-0.5 * z.square() + 0.5 * eps.square() + 0.5 * log_var).sum(-1)  # log p(z) − log q(z|x)
        bounds.append(log_mean_exp(log_likelihood + log_ratio))
    return torch.cat(bounds)
