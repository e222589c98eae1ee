"""Metrics of nearest neighbours: is it like the real, is all of it there, is it new?"""

import torch
from torch import Tensor

from helpers.data import door
from helpers.data.doors import ends_of


def expect_two_sets(real: Tensor, fake: Tensor) -> None:
    """Nothing, if the sets are (N, d) and (M, d) and finite; otherwise ValueError."""
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1] or not min(len(real), len(fake)):
        raise ValueError(
            f"Features are (N, d) and (M, d), one row an example, these are {tuple(real.shape)} and "
            f"{tuple(fake.shape)}: use .flatten(1) for images."
        )
    for each in (real, fake):
        ends_of(each, "Features")


def _expect_neighbours(real: Tensor, fake: Tensor, k: int) -> None:
    expect_two_sets(real, fake)
    if not 1 <= k < min(len(real), len(fake)):
        raise ValueError(
            f"k = {k} neighbours need more than k points in each set, here {len(real)} and {len(fake)}."
        )


def radii(points: Tensor, k: int) -> Tensor:
    """The distance of each of the points (N, d) to its k-th nearest neighbour among the others, (N,)."""
    return torch.cdist(points, points).kthvalue(k + 1, dim=1).values  # the nearest of all is the point itself


@door(_expect_neighbours, "real", "fake", "k")
def precision_recall_density_coverage(real: Tensor, fake: Tensor, k: int = 5) -> dict[str, float]:
    """Four shares from balls: each point is the centre of one that reaches to its k-th nearest neighbour.

    real (N, d), fake (M, d). `precision`: fakes inside the ball of a real point. `recall`: real points inside the ball
    of a fake. `density`: in how many balls of real points a fake lies, ÷ k: may exceed 1. `coverage`: real points with
    a fake in their ball; 1 − 2⁻ᵏ on average for two large samples of one distribution, whatever it is. Compare with two
    sets of real examples: precision and recall of one distribution fall with d. Raises ValueError for k ≥ N or M.
    Source: Kynkäänniemi et al. (2019); Naeem et al. (2020).
    """
    apart = torch.cdist(real, fake)  # (N, M)
    in_real, in_fake = apart <= radii(real, k)[:, None], apart <= radii(fake, k)
    return {
        "precision": in_real.any(dim=0).double().mean().item(),
        "recall": in_fake.any(dim=1).double().mean().item(),
        "density": in_real.sum(dim=0).double().mean().item() / k,
        "coverage": in_real.any(dim=1).double().mean().item(),
    }


@door(expect_two_sets, "points", "others")
def nearest(points: Tensor, others: Tensor, rows: int = 500) -> Tensor:
    """The distance of each of the points (N, d) to the nearest of the others (M, d), (N,)."""
    return torch.cat([torch.cdist(part, others).min(dim=1).values for part in points.split(rows)])


def share_closer(fake: Tensor, held_out: Tensor) -> float:
    """How often a fake is closer to the training set than a held-out example: P(a < b) + ½ P(a = b).

    `fake` (n,) and `held_out` (m,) are distances to the nearest training example. 0.5 if nothing is copied, 1 for
    copies; less means that fakes lie further out than real ones. This is the Mann–Whitney statistic ÷ nm: without
    copying it is N(½, (n + m + 1)/(12nm)), nearly. Raises ValueError on other shapes. Source: Meehan et al. (2020).
    """
    if fake.ndim != 1 or held_out.ndim != 1 or not min(len(fake), len(held_out)):
        raise ValueError(
            f"One distance for each example is needed, (n,) and (m,), these are {tuple(fake.shape)} and "
            f"{tuple(held_out.shape)}."
        )
    a, b = fake[:, None], held_out
    return ((a < b).double() + (a == b).double() / 2).mean().item()
