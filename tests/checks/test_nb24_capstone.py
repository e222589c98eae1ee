"""Both sides of the checks of notebook 24: right ways to an honest figure and to claims; and the mistakes, by name."""

import math
from statistics import NormalDist

import numpy as np
import pytest
import torch
from answers import folded_solutions, tests_of
from scipy import stats

from helpers.checks import check_estimate, check_supported
from helpers.project import is_supported

SOLUTIONS = folded_solutions("24_capstone", torch=torch, NormalDist=NormalDist)

# A: the honest figure


def by_numpy(validation, fresh):
    v, f = np.asarray(validation), np.asarray(fresh)
    best = v.mean(1).argmin()
    return f[best].mean(), stats.sem(f[best]), f[best].mean() - v[best].mean()


def by_python(validation, fresh):
    means = [sum(row) / len(row) for row in validation.tolist()]
    best = means.index(min(means))
    scores = fresh[best].tolist()
    estimate = sum(scores) / len(scores)
    variance = sum((score - estimate) ** 2 for score in scores) / (len(scores) - 1)
    return [estimate, math.sqrt(variance / len(scores)), estimate - min(means)]


def by_sorting(validation, fresh):
    best = validation.sum(dim=-1).sort().indices[0]
    std, mean = torch.std_mean(fresh[best], correction=0)
    return torch.stack([mean, std / fresh.shape[1] ** 0.5, mean - validation.mean(dim=1).min()])


def chosen(validation, fresh, best, of=None):
    scores = fresh[best] if of is None else of
    estimate = scores.mean()
    return estimate, scores.std() / len(scores) ** 0.5, estimate - validation[best].mean()


def by_fresh(v, f):
    return chosen(v, f, f.mean(1).argmin())


def measured_on_validation(v, f):
    best = v.mean(1).argmin()
    return chosen(v, f, best, v[best])


def changed(place, change):
    def answer(v, f):
        found = list(by_numpy(v, f))
        found[place] = change(v, f, found[place])
        return tuple(found)

    return answer


test_right_a, _, test_wrong_a = tests_of(
    check_estimate,
    right=[SOLUTIONS["my_estimate"], by_numpy, by_python, by_sorting],
    wrong=[
        (by_fresh, "by_fresh", "not fresh any more"),
        (measured_on_validation, "validation", "optimism you want to avoid"),
        (lambda v, f: chosen(v, f, v.mean(1).argmax()), "worst", "Small is good"),
        (lambda v, f: chosen(v, f, 0), "first", "first run"),
        (
            lambda v, f: chosen(v, f, torch.cat([v, f], 1).mean(1).argmin()),
            "by_both",
            "take part in the choice",
        ),
        (changed(1, lambda v, f, error: error * math.sqrt(f.shape[1])), "deviation", "more certain"),
        (changed(1, lambda v, f, error: error / math.sqrt(f.shape[1])), "no_root", "root of n"),
        (changed(1, lambda v, f, error: error**2), "variance", "square of the standard error"),
        (changed(2, lambda v, f, optimism: -optimism), "sign", "wrong sign"),
        (changed(2, lambda v, f, optimism: v.mean() - v.mean(1).min()), "of_all", "mean of all runs"),
        (lambda v, f: measured_on_validation(v, f)[:2], "type", "3 are wanted"),
        (lambda v: 0, "signature", "my_estimate(validation, fresh)"),
    ],
)

# B: claims


def by_scipy(difference, standard_error, comparisons):
    p = 2 * stats.norm.sf(np.abs((difference / standard_error).numpy()))
    return p < 0.05 / comparisons


def by_ndtri(difference, standard_error, comparisons):
    level = torch.tensor(0.025 / comparisons, dtype=torch.float64)
    return (difference / standard_error).square() > torch.special.ndtri(level) ** 2


def by_loop(difference, standard_error, comparisons):
    u = -NormalDist().inv_cdf(0.05 / (2 * comparisons))
    return [abs(d) > u * s for d, s in zip(difference.tolist(), standard_error.tolist(), strict=True)]


def at(level, ratio=lambda d, s: d.abs() / s):
    return lambda d, s, m: ratio(d, s) > level(m)


def bonferroni(m):
    return NormalDist().inv_cdf(1 - 0.025 / m)


test_right_b, _, test_wrong_b = tests_of(
    check_supported,
    right=[SOLUTIONS["my_supported"], is_supported, by_scipy, by_ndtri, by_loop],
    wrong=[
        (at(lambda m: 1.96), "uncorrected", "one comparison, 1.96"),
        (at(lambda m: NormalDist().inv_cdf(1 - 0.05 / m)), "one_sided", "on one side"),
        (at(lambda m: 1.959964 * m), "multiplied", "Divide the 5 %"),
        (at(bonferroni, lambda d, s: d / s), "no_absolute", "Negative differences"),
        (at(bonferroni, lambda d, s: d.abs()), "no_error", "not used"),
        (at(bonferroni, lambda d, s: (d / s).square()), "squared", "squared"),
        (lambda d, s, m: ~is_supported(d, s, m), "below", "other way round"),
        (lambda d, s, m: is_supported(d, s, m).any(), "shape", "One answer for each"),
        (lambda d, s: d > s, "signature", "my_supported(difference, standard_error, comparisons)"),
    ],
)


@pytest.mark.parametrize("check", [check_estimate, check_supported])
def test_untouched_stubs_are_no_mistakes(check):
    def my_estimate(validation, fresh):
        return ...  # replace this line

    def my_supported(difference, standard_error, comparisons):
        return ...  # replace this line

    assert check(my_estimate if check is check_estimate else my_supported).kind == "stub"
