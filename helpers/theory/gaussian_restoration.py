"""Restoration with a Gaussian model of the images: the posterior is exact, its mean blurs, a sample of it does not."""

import torch
from torch import Tensor


def shrinking(side: int, factor: int) -> Tensor:
    """The matrix A (m, D) that averages squares of `factor` × `factor` pixels of an image of D = side² pixels.

    In float64, m = (side/factor)². Raises ValueError where the factor does not divide the side.
    """
    if side % factor:
        raise ValueError(f"{factor} does not divide {side}: choose a factor that does.")
    pixels = torch.eye(side**2, dtype=torch.float64).view(-1, 1, side, side)
    return torch.nn.functional.avg_pool2d(pixels, factor).flatten(1).T


def restore(mean: Tensor, cov: Tensor, view: Tensor, std: float, y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (B, D) and covariance (D, D) of p(x|y) for x ~ N(m, C) and y = A x + s ε, ε ~ N(0, I).

    K = C Aᵀ (A C Aᵀ + s² I)⁻¹, mean m + K (y − A m), covariance C − K A C. `mean` m (D,), `cov` C (D, D), `view` A
    (m, D), `std` s > 0, y (B, m). Source: Bishop (2006), section 2.3.3.
    """
    noise = std**2 * torch.eye(len(view), dtype=cov.dtype)
    gain = cov @ view.T @ torch.linalg.inv(view @ cov @ view.T + noise)
    return mean + (y - view @ mean) @ gain.T, cov - gain @ view @ cov


def gaussian_samples(mean: Tensor, cov: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """One sample of N(m_b, C) for each row of `mean` (B, D), with the covariance `cov` (D, D) of all."""
    tiny = 1e-10 * torch.eye(len(cov), dtype=cov.dtype)  # rounding may leave an eigenvalue below 0
    root = torch.linalg.cholesky((cov + cov.T) / 2 + tiny)
    return mean + torch.randn(mean.shape, generator=generator, dtype=mean.dtype) @ root.T
