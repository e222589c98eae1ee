"""Points in the plane whose density is known exactly: rings, grids and spirals of Gaussians."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Mixture:
    """Equally weighted round Gaussians, p(x) = (1/K) Σₖ N(x; cₖ, σ² I), x in the plane."""

    centres: Tensor  # (K, 2)
    std: float

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """`n` independent points, (n, 2)."""
        mode = torch.randint(len(self.centres), (n,), generator=generator)
        return self.centres[mode] + self.std * torch.randn(n, 2, generator=generator)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) in nats, (n, 2) to (n,)."""
        if x.ndim != 2 or x.shape[1] != 2:
            raise ValueError(f"Points must have shape (n, 2), these have {tuple(x.shape)}.")
        squared = (x[:, None, :] - self.centres.to(x.dtype)).square().sum(-1)
        log_normal = -squared / (2 * self.std**2) - math.log(2 * math.pi * self.std**2)
        return torch.logsumexp(log_normal, dim=1) - math.log(len(self.centres))


def ring(modes: int = 8, radius: float = 2.0, std: float = 0.05) -> Mixture:
    """`modes` Gaussians evenly spaced on a circle."""
    angle = torch.arange(modes) * (2 * math.pi / modes)
    return Mixture(radius * torch.stack([angle.cos(), angle.sin()], dim=1), std)


def grid(side: int = 5, spacing: float = 1.0, std: float = 0.05) -> Mixture:
    """`side` × `side` Gaussians on a square lattice around the origin."""
    line = (torch.arange(side) - (side - 1) / 2) * spacing
    return Mixture(torch.cartesian_prod(line, line), std)


def spiral(modes: int = 100, turns: float = 2.0, radius: float = 2.0, std: float = 0.08) -> Mixture:
    """A spiral from the origin to `radius`: so many small Gaussians along it that they overlap."""
    along = torch.linspace(0, 1, modes).sqrt()  # √: evenly spaced in arc length, more or less
    angle = 2 * math.pi * turns * along
    return Mixture(radius * along[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1), std)
