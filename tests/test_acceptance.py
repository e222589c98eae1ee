"""What an accepted item costs, against simulation, root finding and scipy."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.stats import binomtest

from helpers.acceptance import (
    break_even,
    corrected_interval,
    corrected_share,
    corrected_shares,
    cost_of_accepted,
    wilson,
)


def test_the_cost_against_a_simulated_firm():
    """(21.1): items are made and reviewed one after the other until 20,000 are accepted."""
    rng = np.random.default_rng(0)
    tries = rng.geometric(0.3, 20_000)  # until the first accepted one
    bad = rng.random(20_000) < 0.1  # of the accepted
    paid = (0.01 + 0.2) * tries.sum() + 5 * bad.sum()
    assert cost_of_accepted(0.3, 0.01, 0.2, 0.1, 5) == pytest.approx(paid / 20_000, rel=0.02)
    assert cost_of_accepted(0.5, 0.01, 0.2) == pytest.approx(0.42)


def test_the_wilson_interval_against_scipy():
    """(21.2), and that it stays within [0, 1]."""
    for k, n in ((0, 20), (7, 20), (20, 20), (540, 2000)):
        theirs = binomtest(k, n).proportion_ci(0.95, method="wilson")
        assert wilson(k, n) == pytest.approx((theirs.low, theirs.high), abs=1e-4)
        low, high = wilson(k, n)
        assert -1e-12 <= low <= k / n + 1e-12 and k / n - 1e-12 <= high <= 1 + 1e-12


@pytest.mark.parametrize("prices", [(0.01, 0.2, 1.2, 0.0, 5.0), (0.05, 0.3, 2.0, 0.1, 4.0)])
def test_the_break_even_is_where_the_costs_are_equal(prices):
    """(21.3): found by a root of (21.1) minus the price by hand."""
    generate, review, manual, slipped, error = prices
    root = brentq(lambda p: cost_of_accepted(p, generate, review, slipped, error) - manual, 1e-6, 1)
    assert break_even(*prices) == pytest.approx(root, abs=1e-6)


def test_no_share_is_enough_where_errors_cost_more_than_the_work():
    assert break_even(0.01, 0.2, 1.2, 0.3, 5) == math.inf
    assert break_even(0.5, 1, 1.2) > 1


def binomial(n, p, generator):
    return int((torch.rand(n, generator=generator) < p).sum())


def test_the_correction_undoes_what_the_inspector_does():
    """(21.4) by simulated verdicts, (21.5) as its inverse."""
    generator = torch.Generator().manual_seed(0)
    good = torch.rand(200_000, generator=generator) < 0.62
    accepted = torch.rand(200_000, generator=generator) < torch.where(good, 0.8, 0.25)
    assert accepted.double().mean().item() == pytest.approx(0.8 * 0.62 + 0.25 * 0.38, abs=0.005)
    assert corrected_share(accepted.double().mean().item(), 0.8, 0.25) == pytest.approx(0.62, abs=0.01)
    assert corrected_share(0.8 * 0.1 + 0.25 * 0.9, 0.8, 0.25) == pytest.approx(0.1)


@pytest.mark.parametrize(("pi", "s", "f"), [(0.66, 0.71, 0.2), (0.5, 0.8, 0.3), (0.9, 0.9, 0.2)])
def test_the_interval_contains_the_truth_in_at_least_90_of_100_repeats(pi, s, f):
    """(21.10): each repeat has an audit of 400 items and 3,000 inspected ones."""
    generator = torch.Generator().manual_seed(1)
    inside = 0
    for _ in range(100):
        good = binomial(400, pi, generator)
        rates = [(binomial(n, rate, generator), n) for n, rate in ((good, s), (400 - good, f))]
        inspected = binomial(3000, s * pi + f * (1 - pi), generator), 3000
        share, low, high = corrected_interval(inspected, *rates)
        assert 0 <= low <= share <= high <= 1
        inside += low <= pi <= high
    assert inside >= 90


def test_the_standard_error_against_many_repeats():
    """(21.10) is the standard deviation of the corrected share."""
    generator = torch.Generator().manual_seed(2)
    s, f = 0.8, 0.2  # and 60 % of the items are good, so a = 0.56
    shares, halves = [], []
    for _ in range(1500):
        rates = (binomial(240, s, generator), 240), (binomial(160, f, generator), 160)
        share, low, high = corrected_interval((binomial(1000, 0.56, generator), 1000), *rates)
        shares.append(share)
        halves.append((high - low) / 2)
    assert np.mean(halves) / 1.96 == pytest.approx(np.std(shares), rel=0.08)


def test_many_classes_and_two_agree():
    confusion = torch.tensor([[0.8, 0.25], [0.2, 0.75]], dtype=torch.float64)  # read good, read bad
    pi = torch.tensor([0.62, 0.38], dtype=torch.float64)
    read = confusion @ pi
    assert corrected_shares(read, confusion)[0].item() == pytest.approx(
        corrected_share(read[0].item(), 0.8, 0.25)
    )
    matrix = torch.tensor([[0.9, 0.1, 0.0], [0.1, 0.7, 0.2], [0.0, 0.2, 0.8]], dtype=torch.float64)
    truth = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    assert torch.allclose(corrected_shares(matrix @ truth, matrix), truth)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: cost_of_accepted(0, 0.01, 0.2), "accepted share"),
        (lambda: cost_of_accepted(0.5, -0.01, 0.2), "Prices"),
        (lambda: break_even(0.01, 0.2, math.nan), "Prices"),
        (lambda: wilson(21, 20), "k of n"),
        (lambda: wilson(0, 0), "k of n"),
        (lambda: corrected_share(0.5, 0.3, 0.3), "inspector"),
        (lambda: corrected_interval((5, 10), (1, 10), (9, 10)), "inspector"),
        (lambda: corrected_interval((5, 10), (11, 10), (1, 10)), "k of n"),
        (lambda: corrected_shares(torch.ones(3) / 3, torch.eye(2)), "square"),
        (lambda: corrected_shares(torch.ones(2) / 2, torch.tensor([[0.9, 0.1], [0.3, 0.7]])), "transpose"),
    ],
)
def test_bad_input_gets_a_sentence(call, word):
    with pytest.raises(ValueError, match=word):
        call()
