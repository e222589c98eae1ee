"""Both sides of the checks of notebook 21: each right way to write a break-even or corrected shares; the mistakes."""

import numpy as np
import pytest
import torch
from answers import folded_solutions, tests_of
from scipy.optimize import brentq

from helpers.acceptance import break_even, cost_of_accepted
from helpers.checks import check_break_even, check_shares

SOLUTIONS = folded_solutions("21_generative_ai_at_work", torch=torch)

# A: the break-even


def by_root(generate, review, manual, slipped, error):
    return brentq(
        lambda p: cost_of_accepted(p, generate, review, slipped, error) - manual, 1e-6, 1, xtol=1e-13
    )


def by_tries(generate, review, manual, slipped, error):
    most = (manual - slipped * error) / (generate + review)  # how many may be made for one that is accepted
    return 1 / most


test_right_a, _, test_wrong_a = tests_of(
    check_break_even,
    right=[
        SOLUTIONS["my_break_even"],
        by_root,
        by_tries,
        break_even,
        lambda g, c, m, r, e: torch.tensor((g + c) / (m - r * e)),
    ],
    wrong=[
        (lambda g, c, m, r, e: (g + c) / m, "no_errors", "left out"),
        (lambda g, c, m, r, e: (g + c) / (m + r * e), "sign", "added to the price by hand"),
        (lambda g, c, m, r, e: g / (m - r * e), "no_review", "Only generating"),
        (lambda g, c, m, r, e: c / (m - r * e), "no_generate", "Only the review"),
        (lambda g, c, m, r, e: (g + c + r * e) / m, "error_paid", "Two mistakes"),
        (lambda g, c, m, r, e: (m - r * e) / (g + c), "inverse", "upside down"),
        (lambda g, c, m, r, e: 1 - (g + c) / (m - r * e), "rejected", "*rejected*"),
        (lambda g, c, m, r, e: g + c + r * e, "cost", "in euros"),
        (lambda g, c, m, r, e: (g + c) / (m - e), "all_bad", "counts as a bad one"),
        (lambda g, c, m, r, e: g / m, "no_review", "Two mistakes"),
        (lambda g, c, m: (g + c) / m, "signature", "my_break_even(generate, review, manual, slipped, error)"),
    ],
)


# B: corrected shares


def by_numpy(read, counts):
    rates = np.asarray(counts) / np.asarray(counts).sum(1, keepdims=True)
    return torch.from_numpy(np.linalg.solve(rates.T, np.asarray(read)))


def by_the_inverse(read, counts):
    return read @ torch.linalg.inv(counts / counts.sum(1)[:, None])


def by_least_squares(read, counts):
    return torch.linalg.lstsq((counts / counts.sum(1, keepdim=True)).T, read[:, None]).solution.squeeze(1)


def rates_of(counts, dim=1):
    return counts / counts.sum(dim, keepdim=True)


test_right_b, _, test_wrong_b = tests_of(
    check_shares,
    right=[SOLUTIONS["my_shares"], by_numpy, by_the_inverse, by_least_squares],
    wrong=[
        (lambda read, counts: torch.linalg.solve(rates_of(counts), read), "untransposed", "transposed"),
        (
            lambda read, counts: torch.linalg.solve(rates_of(counts, 0).T, read),
            "columns",
            "sums of the columns",
        ),
        (lambda read, counts: torch.linalg.solve(counts.T, read), "counts", "used as they are"),
        (
            lambda read, counts: torch.linalg.solve((counts / counts.sum()).T, read),
            "all",
            "all audited items",
        ),
        (lambda read, counts: rates_of(counts).T @ read, "multiplied", "once more"),
        (lambda read, counts: read / rates_of(counts).diagonal(), "diagonal", "diagonal alone"),
        (lambda read, counts: read, "uncorrected", "without a correction"),
        (lambda read, counts: torch.linalg.solve(rates_of(counts, 0), read), "columns", "Two mistakes"),
        (lambda read, counts: rates_of(counts) @ read, "untransposed", "Two mistakes"),
        (lambda read, counts: by_numpy(read, counts).sum(), "shape", "As many shares"),
        (lambda read: read, "signature", "my_shares(read, counts)"),
    ],
)


@pytest.mark.parametrize("check", [check_break_even, check_shares])
def test_untouched_stubs_are_no_mistakes(check):
    def my_break_even(generate, review, manual, slipped, error):
        return ...  # replace this line

    def my_shares(read, counts):
        return ...  # replace this line

    assert check(my_break_even if check is check_break_even else my_shares).kind == "stub"
