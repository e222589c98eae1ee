"""Scans: phantoms of random ellipses, half of them with a lesion of which everything is known."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from helpers.data.doors import expect_count

SIDE = 32  # pixels
AIR, RIM, TISSUE, ORGAN = 0.06, 0.75, 0.4, 0.2  # how bright they are


@dataclass(frozen=True)
class Scans:
    """`n` scans and the truth about them, lengths in pixels; (0, 0) is the middle of the upper left pixel.

    Where there is no lesion, radius and contrast are 0 and the position is NaN.
    """

    images: Tensor  # (n, 1, 32, 32) float32 in [0, 1]
    healthy: Tensor  # (n, 1, 32, 32): the same scans, noise and all, without the lesion
    present: Tensor  # (n,) bool
    position: Tensor  # (n, 2): x to the right, y down
    radius: Tensor  # (n,)
    contrast: Tensor  # (n,): how much brighter the lesion is than the tissue, 0.4


def phantoms(n: int, generator: torch.Generator | None = None, noise: float = 0.02) -> Scans:
    """`n` scans of 32 × 32 pixels: a body with a bright rim and two dark organs, and in half of the scans a lesion.

    All are random ellipses with smooth edges, painted one over the other, the lesion, a disc, last:
    image = (1 − disc) · healthy + disc · (0.4 + contrast), radius 1.5 to 3 pixels, contrast 0.2 to 0.4. `noise` is the
    standard deviation of the Gaussian noise that every pixel then gets, cut off at 0 and 1. Raises ValueError for n < 1
    and for noise below 0 or above 0.1. After Shepp and Logan (1974), IEEE Transactions on Nuclear Science 21(3).
    """
    expect_count(n)
    if not 0 <= noise <= 0.1:
        raise ValueError(
            f"The noise is a standard deviation from 0 to 0.1, for images in [0, 1], this is {noise}."
        )

    def between(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, dtype=torch.float64, generator=generator)

    def paint(picture: Tensor, level: float | Tensor, inside: Tensor) -> Tensor:
        return picture + inside * (level - picture)

    middle = torch.stack([between(14.5, 16.5), between(14.5, 16.5)], dim=1)
    half = torch.stack([between(10.0, 12.0), between(12.0, 14.0)], dim=1)  # of the body, along its two axes
    turn = between(-0.3, 0.3)
    healthy = torch.full((n, SIDE, SIDE), AIR)
    healthy = paint(healthy, RIM, _ellipse(middle, half, turn))
    healthy = paint(healthy, TISSUE, _ellipse(middle, half - 1.8, turn))
    for side in (-1, 1):
        place = torch.stack([side * between(3.5, 4.5), between(-2.0, 2.0)], dim=1)
        organ = torch.stack([between(1.5, 2.5), between(3.0, 5.0)], dim=1)
        tilt = turn + side * between(0.0, 0.4)
        healthy = paint(healthy, ORGAN, _ellipse(middle + _turned(place, turn), organ, tilt))

    radius, contrast = between(1.5, 3.0), between(0.2, 0.4)
    outward, direction = between(0.0, 1.0).sqrt(), between(0.0, 2 * math.pi)  # √: uniform in the area
    room = half - 1.8 - radius[:, None] - 1  # so that all of the lesion lies inside the rim
    place = room * outward[:, None] * torch.stack([direction.cos(), direction.sin()], dim=1)
    position = middle + _turned(place, turn)
    present = between(0.0, 1.0) < 0.5
    disc = _ellipse(position, radius[:, None].expand(-1, 2), turn) * present[:, None, None]
    images = paint(healthy, TISSUE + contrast[:, None, None].float(), disc)

    static = noise * torch.randn(n, SIDE, SIDE, generator=generator)
    return Scans(
        images=(images + static).clamp(0, 1)[:, None],
        healthy=(healthy + static).clamp(0, 1)[:, None],
        present=present,
        position=position.where(present[:, None], math.nan),
        radius=radius * present,
        contrast=contrast * present,
    )


def _turned(vectors: Tensor, angle: Tensor) -> Tensor:
    x, y = vectors.unbind(1)
    return torch.stack([angle.cos() * x - angle.sin() * y, angle.sin() * x + angle.cos() * y], dim=1)


def _ellipse(middle: Tensor, half: Tensor, turn: Tensor) -> Tensor:
    """How much of every pixel lies inside, (n, 32, 32), for middles and semi-axes (n, 2) in pixels, and angles (n,)."""
    x0, y0, a, b, angle = torch.cat([middle, half, turn[:, None]], dim=1).float()[:, :, None, None].unbind(1)
    x, y = torch.arange(SIDE) - x0, torch.arange(SIDE)[:, None] - y0
    along = (angle.cos() * x + angle.sin() * y) / a
    across = (angle.cos() * y - angle.sin() * x) / b
    f = (along.square() + across.square()).sqrt()  # 1 on the edge
    slope = ((along / a).square() + (across / b).square()).sqrt() / f.clamp(min=1e-9)  # |∇f|
    distance = (f - 1) / slope.clamp(min=1e-9)  # to the edge, in pixels, where that is near
    return (0.5 - distance).clamp(0, 1)
