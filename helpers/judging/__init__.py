"""Generators judged by their samples: how good, how much of everything, how new, and how sure one can be of that."""

from helpers.judging.digits import (
    alarms,
    judge_digits,
    levels,
    random_features,
    real_against_real,
    unseen_digits,
)
from helpers.judging.frechet import frechet_bias, frechet_extrapolated, white_frechet_bias
from helpers.judging.neighbours import nearest, precision_recall_density_coverage, radii, share_closer
from helpers.judging.two_sample import c2st, kernel_matrix, mmd_unbiased, permutation_test

__all__ = [
    "alarms",
    "c2st",
    "frechet_bias",
    "frechet_extrapolated",
    "judge_digits",
    "kernel_matrix",
    "levels",
    "mmd_unbiased",
    "nearest",
    "permutation_test",
    "precision_recall_density_coverage",
    "radii",
    "random_features",
    "real_against_real",
    "share_closer",
    "unseen_digits",
    "white_frechet_bias",
]
