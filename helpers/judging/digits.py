"""Generated digits judged by many metrics at once, and what each metric gives when real is judged against real."""

import math
from functools import cache

import torch
from torch import Tensor

from helpers.data import load_digits
from helpers.judging.neighbours import nearest, precision_recall_density_coverage, share_closer
from helpers.judging.two_sample import c2st
from helpers.metrics import digit_features, frechet_distance

JUDGED = 500  # images in each set: half of those that no generator has seen
SHUFFLE_SEED, PROJECTION_SEED = 20, 2020
LOW = ("precision", "recall", "coverage")  # a small value of these raises an alarm; a large one of all others
TESTS = ("C2ST", "C2ST, pixels", "closer", "closer, features")  # their levels are known without real images


def random_features(images: Tensor, seed: int = PROJECTION_SEED, d: int = 64) -> Tensor:
    """A random projection of the pixels, (N, d): features that nothing was trained to have.

    images (N, 1, H, W). The matrix is sampled from N(0, 1/d) by `seed`: after the generators are handed in.
    """
    flat = images.flatten(1)
    matrix = torch.randn(flat.shape[1], d, generator=torch.Generator().manual_seed(seed)) / d**0.5
    return flat @ matrix.to(flat)


@cache
def unseen_digits() -> tuple[Tensor, Tensor]:
    """The 1,000 images of test and validation, shuffled and cut into two halves: the reference, and fresh ones."""
    images = torch.cat([load_digits("test")[0], load_digits("validation")[0]])
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(SHUFFLE_SEED))
    return images[order[:JUDGED]], images[order[JUDGED:]]


@cache
def _training() -> tuple[Tensor, Tensor]:
    images = load_digits("train")[0]
    return images.flatten(1), digit_features(images)


@cache
def _reference() -> Tensor:
    return unseen_digits()[0]


def distribution_metrics(
    own: tuple[Tensor, Tensor], random: tuple[Tensor, Tensor], k: int = 5
) -> dict[str, float]:
    """FID, precision, recall, density and coverage of (fake, real) in the classifier's own and in random features."""
    found = {}
    for (fake, real), suffix in ((own, ""), (random, ", random")):
        found[f"FID{suffix}"] = frechet_distance(fake, real)
        shares = precision_recall_density_coverage(real, fake, k)
        found |= {f"{name}{suffix}": value for name, value in shares.items()}
    return found


def judge_digits(images: Tensor, seed: int = 0) -> dict[str, float]:
    """Every metric of 500 generated digits (500, 1, 28, 28) in [0, 1] against the 500 of `unseen_digits()[0]`.

    `seed` halves the sets for the classifier two-sample tests. Raises ValueError for another number of images: the
    values of most metrics depend on it.
    """
    if len(images) != JUDGED:
        raise ValueError(f"{JUDGED} digits are judged, as many as there are real ones, not {len(images)}.")
    real, generator = _reference(), torch.Generator().manual_seed(seed)
    own = digit_features(images), digit_features(real)
    found = distribution_metrics(own, (random_features(images), random_features(real)))
    pixels = images.flatten(1), real.flatten(1)
    found["C2ST"] = c2st(own[1], own[0], generator)["accuracy"]
    found["C2ST, pixels"] = c2st(pixels[1], pixels[0], generator)["accuracy"]
    for name, sets, training in zip(TESTS[2:], (pixels, own), _training(), strict=True):
        found[name] = share_closer(*(nearest(each, training) for each in sets))
    return found


def real_against_real(repeats: int, generator: torch.Generator) -> list[dict[str, float]]:
    """`distribution_metrics` of two random halves of the 1,000 unseen images, `repeats` times."""
    images, rows = torch.cat(unseen_digits()), []
    own, random = digit_features(images), random_features(images)
    for _ in range(repeats):
        order = torch.randperm(len(images), generator=generator)
        halves = order[:JUDGED], order[JUDGED:]
        rows.append(distribution_metrics(*(tuple(each[half] for half in halves) for each in (own, random))))
    return rows


def is_low(name: str) -> bool:
    """Whether a small value of the metric is a bad one."""
    return name.split(",")[0] in LOW


def levels(rows: list[dict[str, float]], false_alarms: float = 0.05) -> dict[str, float]:
    """The value of each metric that a share `false_alarms` of the real sets exceeds, or falls below if small is bad.

    `rows` are of `real_against_real`. The levels of the classifier tests and of the shares closer to the training set
    are those of their normal approximations, N(½, 1/4n) and N(½, (2n + 1)/(12n²)), n = 500. Raises ValueError without
    rows.
    """
    if not rows:
        raise ValueError("Levels need at least one comparison of real with real.")
    found = {}
    for name in rows[0]:
        values = torch.tensor([row[name] for row in rows], dtype=torch.float64)
        found[name] = torch.quantile(values, false_alarms if is_low(name) else 1 - false_alarms).item()
    z = torch.distributions.Normal(0.0, 1.0).icdf(torch.tensor(1 - false_alarms)).item()
    variances = [1 / (4 * JUDGED)] * 2 + [(2 * JUDGED + 1) / (12 * JUDGED**2)] * 2
    return found | {name: 0.5 + z * math.sqrt(each) for name, each in zip(TESTS, variances, strict=True)}


def alarms(found: dict[str, float], level: dict[str, float]) -> list[str]:
    """The metrics by which a set differs from real images more than `levels` allows."""
    return [
        name
        for name, value in found.items()
        if (value < level[name] if is_low(name) else value > level[name])
    ]
