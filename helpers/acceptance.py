"""What an accepted item costs, and how many items are good: intervals, shares corrected for an inspector's errors."""

import math

import torch
from torch import Tensor

from helpers.data import door


def _expect_prices(*prices: float) -> None:
    if any(not (math.isfinite(price) and price >= 0) for price in prices):
        raise ValueError(f"Prices are finite and not negative, these are {', '.join(map(str, prices))}.")


def _expect_accepted(accepted: float) -> None:
    if not 0 < accepted <= 1:
        raise ValueError(
            f"An accepted share lies above 0 and up to 1, this is {accepted}: if it is 0, no price is enough."
        )


def _expect_counts(*counts: tuple[int, int]) -> None:
    for k, n in counts:
        if not (n >= 1 and 0 <= k <= n):
            raise ValueError(f"A count is some of all, k of n with 0 ≤ k ≤ n and n ≥ 1, this is {k} of {n}.")


def _expect_count(k: int, n: int) -> None:
    _expect_counts((k, n))


def _expect_rates(sensitivity: float, false_acceptance: float) -> None:
    if not 0 <= false_acceptance < sensitivity <= 1:
        raise ValueError(
            "An inspector accepts good items more often than bad ones, and this one accepts "
            f"{sensitivity:.3g} of the good and {false_acceptance:.3g} of the bad: nothing can be learned from it."
        )


@door(_expect_accepted, "accepted")
@door(_expect_prices, "generate", "review")
def cost_of_accepted(
    accepted: float, generate: float, review: float, slipped: float = 0.0, error: float = 0.0
) -> float:
    """The mean cost of one accepted item, (c_gen + c_review)/p + r · c_error, in the unit of the prices.

    `accepted` p is the share of generated items that the review accepts, `slipped` r the share of bad ones among those.
    Raises ValueError for p outside (0, 1] and for negative prices.
    """
    return (generate + review) / accepted + slipped * error


@door(_expect_prices, "generate", "review", "manual")
def break_even(
    generate: float, review: float, manual: float, slipped: float = 0.0, error: float = 0.0
) -> float:
    """The accepted share p* = (c_gen + c_review)/(c_manual − r c_error).

    At this share an accepted item costs as much as one made by hand. Above 1, or infinite, if no share is enough.
    Raises ValueError for negative prices.
    """
    left = manual - slipped * error
    return (generate + review) / left if left > 0 else math.inf


@door(_expect_count, "k", "n")
def wilson(k: int, n: int, u: float = 1.96) -> tuple[float, float]:
    """The Wilson interval (low, high) of a share of which `k` of `n` were seen; u = 1.96 for 95 %.

    Raises ValueError unless 0 ≤ k ≤ n and n ≥ 1. Source: Wilson (1927).
    """
    p = k / n
    middle = p + u**2 / (2 * n)
    half = u * math.sqrt(p * (1 - p) / n + u**2 / (4 * n**2))
    return (middle - half) / (1 + u**2 / n), (middle + half) / (1 + u**2 / n)


@door(_expect_rates, "sensitivity", "false_acceptance")
def corrected_share(raw: float, sensitivity: float, false_acceptance: float) -> float:
    """The share π of good items from the accepted share a = s π + f (1 − π): π = (a − f)/(s − f).

    `sensitivity` s is the share of good items that are accepted, `false_acceptance` f that of bad ones. It may come out
    below 0 or above 1. Raises ValueError unless f < s. Source: Rogan and Gladen (1978).
    """
    return (raw - false_acceptance) / (sensitivity - false_acceptance)


@door(_expect_counts, "inspected", "good", "bad")
def corrected_interval(
    inspected: tuple[int, int], good: tuple[int, int], bad: tuple[int, int], u: float = 1.96
) -> tuple[float, float, float]:
    """The corrected share with its interval, (share, low, high), from three counts, each (accepted, of so many).

    By the delta method, with independent counts: Var π = (Var a + π² Var s + (1 − π)² Var f)/(s − f)². In the variances
    a rate of k of n counts as (k + 1)/(n + 2), so that a rate of 0 does not look certain; a share outside [0, 1] is
    brought to its end. Raises ValueError for counts
    that are none, and for an inspector that accepts bad items as often as good ones. Source: Rogan and Gladen (1978).
    """
    a, s, f = (k / n for k, n in (inspected, good, bad))
    share = min(max(corrected_share(a, s, f), 0.0), 1.0)
    rates = [((k + 1) / (n + 2), n) for k, n in (inspected, good, bad)]
    var_a, var_s, var_f = (rate * (1 - rate) / n for rate, n in rates)
    error = math.sqrt(var_a + share**2 * var_s + (1 - share) ** 2 * var_f) / (s - f)
    return share, max(0.0, share - u * error), min(1.0, share + u * error)


def corrected_shares(read: Tensor, confusion: Tensor) -> Tensor:
    """The true shares (K,) of K classes from the shares `read` (K,) of a classifier: the solution of M π = read.

    `confusion` M (K, K) has in row i and column j the probability that class i is read where class j is: its columns
    sum to 1. Raises ValueError for other shapes and sums.
    """
    if confusion.shape != (len(read), len(read)):
        raise ValueError(
            f"{len(read)} shares need a square confusion matrix with as many rows, this is {tuple(confusion.shape)}."
        )
    if not torch.allclose(confusion.sum(0), torch.ones_like(read), atol=1e-4):
        raise ValueError(
            "Column j of the confusion matrix says how class j is read, so each column sums to 1: transpose?"
        )
    return torch.linalg.solve(confusion, read)
