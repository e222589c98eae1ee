"""Days of electricity whose density is known; the stranger's digits; twenty seeds."""

import math

import pytest
import torch
from scipy.stats import multivariate_normal

from helpers.data import load_digits
from helpers.data.days import electricity_days
from helpers.judging.anonymous import COPIES, SHARES, anonymous_digits
from helpers.metrics import class_shares, nearest_distance
from helpers.studies import study
from helpers.studies.seeds import seeds_run


def test_the_density_against_scipy():
    town = electricity_days()
    x = town.sample(20, torch.Generator().manual_seed(1))
    parts = [
        share * multivariate_normal(curve.numpy(), town.covariance.numpy()).pdf(x.double().numpy())
        for share, curve in zip(town.shares.tolist(), town.curves, strict=True)
    ]
    assert torch.allclose(town.log_prob(x), torch.from_numpy(sum(parts)).log())


def test_samples_have_the_moments_of_the_mixture():
    town = electricity_days()
    x = town.sample(100_000, torch.Generator().manual_seed(2)).double()
    mean = town.shares @ town.curves
    off = town.curves - mean
    cov = town.covariance + (town.shares[:, None] * off).T @ off
    assert town.shares.sum() == pytest.approx(1) and len(town.curves) == 18
    assert (x.mean(0) - mean).abs().max() < 0.06
    assert (torch.cov(x.T) - cov).abs().max() < 0.15
    assert x.dtype == torch.float64 and town.sample(3).shape == (3, 24)


def test_the_entropy_lies_between_its_bounds():
    """H(x|k) ≤ H(x) ≤ H(x|k) + H(k), and two estimates agree within their errors."""
    town = electricity_days()
    given = 12 * math.log(2 * math.pi * math.e) + torch.logdet(town.covariance).item() / 2
    kinds = -(town.shares * town.shares.log()).sum().item()
    found = [town.entropy(n=50_000, seed=seed) for seed in (0, 1)]
    assert given < found[0] < given + kinds
    assert abs(found[0] - found[1]) < 5 * math.sqrt(2) * 3.5 / math.sqrt(50_000)


def test_days_are_asked_for_in_the_right_shape():
    town = electricity_days()
    with pytest.raises(ValueError, match=r"\(n, 24\)"):
        town.log_prob(torch.zeros(24))
    with pytest.raises(ValueError, match="whole number"):
        town.sample(0)


def test_the_stranger_does_what_the_page_reveals():
    images = anonymous_digits(2000, torch.Generator().manual_seed(0))
    assert images.shape == (2000, 1, 28, 28) and images.min() >= 0 and images.max() <= 1
    distance = nearest_distance(images, load_digits("train")[0])
    assert (distance < 0.1).sum() == round(COPIES * 2000) == 80
    assert ((distance > 0.1) & (distance < 0.5)).sum() == 0
    assert (class_shares(images) - torch.tensor(SHARES)).abs().max() < 0.04
    again = anonymous_digits(2000, torch.Generator().manual_seed(0))
    assert torch.equal(images, again)


def test_the_best_of_twenty_seeds_is_less_ahead_on_fresh_days():
    runs = torch.tensor([[run["validation"], run["fresh"]] for run in study("seeds")["runs"]["seeds"]])
    ahead = runs.mean(0) - runs[runs[:, 0].argmin()]
    assert len(runs) == 20 and abs(ahead[1]) < 0.2 * ahead[0]


def test_the_study_runs():
    (row,) = seeds_run(seeds=[0], updates=3, repeats=2)
    assert row.keys() == {"validation", "fresh"} and min(row.values()) > 0
