"""Days of electricity use: 24 hourly values from a mixture of Gaussian processes, so that their density is known."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from helpers.data.doors import expect_count

HOURS = 24


@dataclass(frozen=True)
class Days:
    """p(x) = Σₖ πₖ N(x; mₖ, C), x (24,) in megawatts: K kinds of days around mean curves of their own."""

    shares: Tensor  # π, (K,)
    curves: Tensor  # m, (K, 24)
    covariance: Tensor  # C, (24, 24)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """`n` independent days, (n, 24) in float32. Raises ValueError for n < 1."""
        expect_count(n)
        kind = torch.multinomial(self.shares, n, replacement=True, generator=generator)
        noise = torch.randn(n, HOURS, generator=generator, dtype=self.covariance.dtype)
        return (self.curves[kind] + noise @ torch.linalg.cholesky(self.covariance).T).float()

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) in nats, (n, 24) to (n,) in float64. Raises ValueError for another shape."""
        if x.ndim != 2 or x.shape[1] != HOURS:
            raise ValueError(f"Days have the shape (n, {HOURS}), these have {tuple(x.shape)}.")
        each = MultivariateNormal(self.curves, self.covariance).log_prob(x.double()[:, None])  # (n, K)
        return torch.logsumexp(each + self.shares.log(), dim=1)

    def entropy(self, n: int = 200_000, seed: int = 0) -> float:
        """−E log p(x) in nats, the mean of `n` days of their own seed: its standard error is about 3.5/√n."""
        return -self.log_prob(self.sample(n, torch.Generator().manual_seed(seed))).mean().item()


def electricity_days(scale: float = 1.0, hours: float = 4.0, noise: float = 0.4) -> Days:
    """Working days (5 of 7) and weekends of a small town, in megawatts; the evening's peak is at 17:00 to 21:00.

    The peak comes at one of nine times, equally often, since it gets dark early in winter and late in summer.
    C_hk = scale² exp(−(h − k)²/(2 hours²)) + noise² δ_hk: slow deviations, which last for some hours, and fast noise.
    """
    h = torch.arange(HOURS, dtype=torch.float64)

    def bump(centre: float, width: float) -> Tensor:
        return torch.exp(-((h - centre) ** 2) / (2 * width**2))

    working = 16 + 8 * bump(8, 2) + 3 * bump(13, 3)
    weekend = 15 + 6 * bump(12, 3)
    evenings = [bump(17 + late / 2, 2) for late in range(9)]
    curves = [working + 9 * evening for evening in evenings] + [weekend + 6 * evening for evening in evenings]
    smooth = scale**2 * torch.exp(-((h[:, None] - h) ** 2) / (2 * hours**2))
    return Days(
        torch.tensor([5 / 7 / 9] * 9 + [2 / 7 / 9] * 9, dtype=torch.float64),
        torch.stack(curves),
        smooth + noise**2 * torch.eye(HOURS, dtype=torch.float64),
    )
