"""Rényi's divergence between Gaussians, and the bound on log p(x) that it leaves, exactly."""

import torch
from torch import Tensor

from helpers.theory.divergences import normal_kl
from helpers.theory.linear_gaussian import LinearGaussian, best_diagonal


def normal_renyi(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor, alpha: float) -> Tensor:
    """D_α(a ‖ b) = 1/(α − 1) log ∫ a(z)^α b(z)^(1−α) dz of a = N(m_a, C_a) and b = N(m_b, C_b), in nats.

    With S = α C_b + (1 − α) C_a it is α/2 Δᵀ S⁻¹ Δ − (log |S| − (1 − α) log |C_a| − α log |C_b|)/(2(α − 1)); the KL
    for α = 1. Where the integral is infinite, which happens only outside 0 ≤ α ≤ 1, so is the divergence: +∞ for α > 1,
    −∞ for α < 0. Means (…, d), covariances (…, d, d), to (…). Source: Gil, Alajaji, Linder (2013).
    """
    if alpha == 1:
        return normal_kl(mean_a, cov_a, mean_b, cov_b)
    delta = mean_b - mean_a
    mixed = alpha * cov_b + (1 - alpha) * cov_a
    distance = (delta * torch.linalg.solve(mixed, delta.unsqueeze(-1)).squeeze(-1)).sum(-1)
    logs = torch.logdet(mixed) - (1 - alpha) * torch.logdet(cov_a) - alpha * torch.logdet(cov_b)
    precision = alpha * torch.linalg.inv(cov_a) + (1 - alpha) * torch.linalg.inv(cov_b)
    finite = torch.linalg.eigvalsh(precision).min(dim=-1).values > 0
    infinite = torch.full_like(distance, torch.inf if alpha > 1 else -torch.inf)
    return torch.where(finite, alpha / 2 * distance - logs / (2 * (alpha - 1)), infinite)


def exact_renyi_bound(model: LinearGaussian, x: Tensor, mu: Tensor, log_var: Tensor, alpha: float) -> Tensor:
    """log p(x) − D_α(N(μ, diag σ²) ‖ p(z|x)), x (B, D), μ and log σ² (B, d), to (B,), in nats.

    The ELBO for α = 1 and log p(x) for α = 0. Source: Li and Turner (2016), section 3.
    """
    mean, cov = model.posterior(x)
    cov = cov.expand(len(x), *cov.shape)
    return model.log_evidence(x) - normal_renyi(mu, torch.diag_embed(log_var.exp()), mean, cov, alpha)


def best_mean_field(model: LinearGaussian, x: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """μ and the standard deviations, each (B, d), of the q = N(μ, diag σ²) with the largest exact bound at x (B, D).

    Found by L-BFGS from the posterior's mean, for α > 0; at α = 0 every q has the same bound. At α = 1 the σ are those
    of `best_diagonal`, for α → 0 they grow to the posterior's own. Raises ValueError for α ≤ 0.
    """
    if alpha <= 0:
        raise ValueError(
            f"The best q is looked for with α > 0, this is {alpha}: at α = 0 all q are equally good."
        )
    mean, log_var = best_diagonal(model, x)
    mu, log_var = mean.detach().clone().requires_grad_(), log_var.detach().clone().requires_grad_()
    optimiser = torch.optim.LBFGS([mu, log_var], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = -exact_renyi_bound(model, x, mu, log_var, alpha).sum()
        value.backward()
        return value

    optimiser.step(loss)
    return mu.detach(), (log_var / 2).exp().detach()
