"""What figures support: differences with their standard errors, many comparisons, the luck of the best of many."""

import math
from statistics import NormalDist

import torch
from scipy.integrate import quad
from torch import Tensor

from helpers.data import door


def _expect_pairs(a: Tensor, b: Tensor) -> None:
    if a.ndim != 1 or a.shape != b.shape or len(a) < 2:
        raise ValueError(
            f"Pairs need two numbers for each of the same n ≥ 2 examples, (n,) and (n,), these are {tuple(a.shape)} "
            f"and {tuple(b.shape)}."
        )


@door(_expect_pairs, "a", "b")
def paired_difference(a: Tensor, b: Tensor) -> tuple[float, float]:
    """The mean d̄ of d = a − b over n examples, and its standard error s_d/√n.

    a, b (n,), numbers of the same examples by two models. Raises ValueError for other shapes and for n < 2.
    """
    d = (a - b).double()
    return d.mean().item(), d.std().item() / math.sqrt(len(d))


def is_supported(difference: Tensor, standard_error: Tensor, comparisons: int = 1) -> Tensor:
    """Whether |d| > u · SE with Φ(u) = 1 − 0.05/(2m) for m = `comparisons`: of each element, or of two numbers.

    If nothing differs, at least one of m such claims is made with a probability of 5 % at most. Raises ValueError for
    m < 1 and for a standard error that is not positive. Source: Bonferroni's correction, Dunn (1961).
    """
    difference, standard_error = (torch.as_tensor(each).double() for each in (difference, standard_error))
    if comparisons < 1 or not (standard_error > 0).all():
        raise ValueError(
            f"One comparison at least, and positive standard errors: here {comparisons} and {standard_error.tolist()}."
        )
    u = NormalDist().inv_cdf(1 - 0.05 / (2 * comparisons))
    return difference.abs() > u * standard_error


def luck_of_the_best(n: int) -> float:
    """c_n = E[max of n samples of N(0, 1)]: so many σ the best of n scores N(μ, σ²) is better than μ, on average.

    ∫ u n φ(u) Φ(u)ⁿ⁻¹ du: 0, 0.56, 1.16, 1.54, 1.87 for n = 1, 2, 5, 10, 20. Raises ValueError for n < 1.
    """
    if n < 1:
        raise ValueError(f"The best of n scores needs n ≥ 1, this is {n}.")
    normal = NormalDist()
    return quad(lambda u: u * n * normal.pdf(u) * normal.cdf(u) ** (n - 1), -12, 12, limit=200)[0]
