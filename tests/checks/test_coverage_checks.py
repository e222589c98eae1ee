"""Both sides of the check of notebook 07: right ways to count modes pass, each wrong one is called by its name."""

import numpy as np
import pytest
import torch
from folded_solutions import folded_solutions

from helpers.checks import check_mode_coverage
from helpers.checks import coverage as checks
from helpers.data import Mixture
from helpers.metrics import mode_coverage


def by_loop(points, centres, std):
    good_at = [0] * len(centres)
    for point in points:
        distances = [(point - centre).norm().item() for centre in centres]
        if min(distances) < 3 * std:
            good_at[distances.index(min(distances))] += 1
    return sum(count >= 0.02 * len(points) for count in good_at), sum(good_at) / len(points)


def by_table(points, centres, std):
    inside = torch.cdist(points, centres) < 3 * std
    return (inside.double().mean(0) >= 0.02).sum(), inside.any(1).double().mean()


def by_squares(points, centres, std):
    squares = (points[:, None] - centres).square().sum(2)
    good = squares.amin(1) < 9 * std**2
    return [len([k for k in range(len(centres)) if ((squares.argmin(1) == k) & good).sum() >= 0.02 * len(points)]),
            good.sum() / len(good)]  # fmt: skip


def by_one_hot(points, centres, std):
    near, which = torch.cdist(points, centres).min(1)
    table = torch.nn.functional.one_hot(which, len(centres)) * (near < 3 * std)[:, None]
    return {"modes": int((50 * table.sum(0) >= len(points)).sum()), "good": float(table.sum()) / len(points)}


def by_histogram(points, centres, std):
    near, which = torch.cdist(points, centres).min(1)
    counts = torch.histc(which[near < 3 * std].double(), len(centres), -0.5, len(centres) - 0.5)
    return torch.tensor([(counts >= 0.02 * len(points)).sum(), counts.sum() / len(points)])


def by_helpers(points, centres, std):
    return mode_coverage(points, Mixture(centres, std))


def by_numpy(points, centres, std):
    distance = ((points.numpy()[:, None] - centres.numpy()) ** 2).sum(2) ** 0.5
    inside = distance < 3 * std
    return (inside.mean(0) >= 0.02).sum(), inside.any(1).mean()


def permuted(points, centres, std):
    return by_table(points.flip(0), centres.flip(0), std)


def as_array(points, centres, std):
    return np.array([float(each) for each in by_table(points, centres, std)])


def without_minlength(points, centres, std):
    near, which = torch.cdist(points, centres).min(1)
    counts = which[
        near < 3 * std
    ].bincount()  # shorter where the last modes are empty, and they do not count anyway
    return int((counts / len(points) >= 0.02).sum()), counts.sum() / len(points)


RIGHT = [
    by_loop,
    by_table,
    by_squares,
    by_one_hot,
    by_histogram,
    by_helpers,
    by_numpy,
    permuted,
    as_array,
    without_minlength,
]


def shifts(points, centres, std):
    points += 1
    return by_table(points - 1, centres, std)


def each_count_without_minlength(points, centres, std):
    near, which = torch.cdist(points, centres).min(1)
    counts = which[near < 3 * std].bincount()
    return sum(int(counts[k] >= 0.02 * len(points)) for k in range(len(centres))), counts.sum() / len(points)


def by_norm(p, reach=3.0):
    def coverage(points, centres, std):
        inside = torch.cdist(points, centres, p=p) < reach * std
        return (inside.double().mean(0) >= 0.02).sum(), inside.any(1).double().mean()

    return coverage


def good_at_covered(points, centres, std):
    inside = torch.cdist(points, centres) < 3 * std
    covered = inside.double().mean(0) >= 0.02
    return covered.sum(), inside[:, covered].any(1).double().mean()


WRONG = [
    (lambda *a: by_table(*a)[::-1], "exchanged", "changed places"),
    (lambda *a: checks._coverage(*a, of="good"), "of_good", "all points"),
    (lambda *a: checks._coverage(*a, of="one", least=1), "any_point", "stray"),
    (lambda *a: checks._coverage(*a, good_at="anywhere"), "all_near", "however far"),
    (lambda *a: checks._coverage(*a, reach=1.0), "one_sigma", "one standard"),
    (lambda *a: checks._coverage(*a, reach=2.0), "two_sigma", "two standard"),
    (lambda p, c, s: checks._coverage(p, c, 1.0), "no_std", "whatever"),
    (lambda p, c, s: by_table(p, c, (3 * s) ** 0.5 / 3), "squared", "squared"),
    (lambda p, c, s: by_table(p, c, 3 * s * s), "squared", "squared"),
    (checks._boxes, "boxes", "discs"),
    (lambda *a: checks._coverage(*a, least=0.01), "one_percent", "2 %"),
    (lambda *a: checks._coverage(*a, least=0.2), "twenty_percent", "0.02"),
    (lambda p, c, s: checks._coverage(p, c, s, least=1 / len(c)), "equal_share", "chance"),
    (lambda p, c, s: (by_table(p, c, s)[0] / len(c), by_table(p, c, s)[1]), "share_of_modes", "number"),
    (lambda *a: (by_table(*a)[0], 100 * by_table(*a)[1]), "per_cent", "between 0 and 1"),
    (lambda *a: (by_table(*a)[0], 1 - by_table(*a)[1]), "bad_share", "not good"),
    (by_norm(2, reach=3**0.5), "squared", "square of the 3"),
    (by_norm(float("inf")), "boxes", "discs"),
    (by_norm(1), "diamonds", "diamonds"),
    (by_norm(2, reach=18**0.5), "too_wide", "√2"),
    (lambda p, c, s: checks._coverage(p, c, s, least=0.02 / len(c)), "share_of_share", "however many"),
    (lambda p, c, s: (len(c) - by_table(p, c, s)[0], by_table(p, c, s)[1]), "missing_modes", "missing"),
    (lambda p, c, s: (len(c), by_table(p, c, s)[1]), "all_modes", "without any"),
    (good_at_covered, "only_at_covered", "all the same"),
    (lambda p, c, s: (by_table(p, c, s)[0], by_table(p, c, s)[1] * len(p)), "good_count", "share"),
    (lambda p, c, s: (torch.ones(len(c)), by_table(p, c, s)[1]), "shape", "how many modes"),
    (lambda p, c, s: ([1, 2], by_table(p, c, s)[1]), "shape", "how many modes"),
    (lambda p, c, s: (by_table(p, c, s)[0], p[:, 0] > 0), "shape", "one share"),
    (each_count_without_minlength, "raised", "IndexError"),
    (lambda *a: (by_table(*a)[0] + 1, by_table(*a)[1]), "modes", "is right"),
    (lambda *a: (by_table(*a)[0], by_table(*a)[1] / 2), "good", "nearest centre"),
    (lambda *a: by_table(*a)[0], "type", "Two values"),
    (lambda *a: (by_table(*a)[0], float("nan")), "nan", "NaN"),
    (shifts, "changed_input", "changes the points"),
    (lambda *a: None, "none", "return"),
]


@pytest.mark.parametrize("coverage", RIGHT)
def test_right_ways_pass(coverage, dtype):
    assert check_mode_coverage(coverage).kind == "right", check_mode_coverage(coverage)


@pytest.mark.parametrize(("coverage", "kind", "phrase"), WRONG)
def test_wrong_ways_are_called_by_name(coverage, kind, phrase, dtype):
    feedback = check_mode_coverage(coverage)
    assert not feedback.ok and feedback.kind == kind and phrase in feedback.message, feedback


def test_the_cases_tell_every_two_ways_apart():
    torch.manual_seed(7)
    cases = checks._cases()
    answers = [tuple(way.answer(*case) for case in cases) for way in checks.COVERAGE_WAYS]
    assert len(set(answers)) == len(answers)


def test_the_solution_in_the_notebook_passes():
    mine = folded_solutions("07_how_gans_fail", torch=torch)
    assert check_mode_coverage(mine["my_mode_coverage"]).kind == "right"
