"""Both sides of the checks of notebook 20: right ways to write precision, recall and the share closer; and mistakes."""

import numpy as np
import pytest
import torch
from answers import folded_solutions, tests_of
from scipy.spatial import cKDTree
from scipy.stats import mannwhitneyu

from helpers.checks import check_precision_recall, check_share_closer
from helpers.judging import nearest, precision_recall_density_coverage, radii, share_closer

SOLUTIONS = folded_solutions("20_judging_generators", torch=torch)

# A: precision and recall


def by_the_library(real, fake, k):
    found = precision_recall_density_coverage(real, fake, k)
    return found["precision"], found["recall"]


def by_trees(real, fake, k):
    a, b = np.asarray(real), np.asarray(fake)

    def share(centres, points):
        r = cKDTree(centres).query(centres, k + 1)[0][:, -1]
        return np.mean([(np.linalg.norm(centres - x, axis=1) <= r).any() for x in points])

    return share(a, b), share(b, a)


def by_topk(real, fake, k):
    def share(centres, points):
        r = torch.cdist(centres, centres).topk(k + 1, largest=False).values.amax(1)
        return (torch.cdist(points, centres) < r).any(1).float().mean()

    return [share(real, fake), share(fake, real)]


def by_squares(real, fake, k):
    def apart(a, b):
        return (a[:, None] - b).square().sum(-1)

    r, f = (apart(x, x).sort(0).values[k] for x in (real, fake))
    inside, held = apart(real, fake) <= r[:, None], apart(real, fake) <= f
    return inside.any(0).sum() / len(fake), held.any(1).sum() / len(real)


def by_filled_diagonal(real, fake, k):
    def share(centres, points):
        own = torch.cdist(centres, centres).fill_diagonal_(torch.inf)
        return (torch.cdist(points, centres) <= own.kthvalue(k).values).any(dim=1).double().mean()

    return share(real, fake), share(fake, real)


def itself_counted(real, fake, k):
    return by_the_library(real, fake, k - 1) if k > 1 else (0.0, 0.0)


def swapped(real, fake, k):
    return by_the_library(real, fake, k)[::-1]


def arguments_swapped(real, fake, k):
    return by_the_library(fake, real, k)


def as_coverage(real, fake, k):
    apart = torch.cdist(real, fake)
    of_fake = (apart <= radii(fake, k)).any(0).double().mean()
    return (apart <= radii(real, k)[:, None]).any(1).double().mean(), of_fake


def every_ball(real, fake, k):
    apart = torch.cdist(real, fake)
    return (apart <= radii(real, k)[:, None]).all(0).double().mean(), (apart <= radii(fake, k)).all(
        1
    ).double().mean()


def over_pairs(real, fake, k):
    apart = torch.cdist(real, fake)
    return (apart <= radii(real, k)[:, None]).double().mean(), (apart <= radii(fake, k)).double().mean()


def to_the_other_set(real, fake, k):
    apart = torch.cdist(real, fake)
    r, f = apart.sort(1).values[:, k - 1], apart.sort(0).values[k - 1]
    return (apart <= r[:, None]).any(0).double().mean(), (apart <= f).any(1).double().mean()


def nearest_centre(real, fake, k):
    def share(centres, points):
        near = torch.cdist(points, centres).min(1)
        return (near.values <= radii(centres, k)[near.indices]).double().mean()

    return share(real, fake), share(fake, real)


def coverage_exchanged(real, fake, k):
    return as_coverage(real, fake, k)[::-1]


test_right_a, _, test_wrong_a = tests_of(
    check_precision_recall,
    right=[
        SOLUTIONS["my_precision_recall"],
        by_the_library,
        by_trees,
        by_topk,
        by_squares,
        by_filled_diagonal,
    ],
    wrong=[
        (itself_counted, "itself", "too small"),
        (swapped, "exchanged", "changed places"),
        (arguments_swapped, "exchanged", "changed places"),
        (as_coverage, "centres", "coverage"),
        (every_ball, "every", "*all* balls"),
        (over_pairs, "pairs", "all pairs"),
        (to_the_other_set, "other_set", "*other* set"),
        (nearest_centre, "nearest_only", "nearest centre"),
        (coverage_exchanged, "centres", "Two mistakes"),
        (lambda real, fake, k: by_the_library(real, fake, k)[0], "type", "wanted"),
        (lambda real, fake: (1.0, 1.0), "signature", "my_precision_recall(real, fake, k)"),
    ],
)


def test_the_solution_is_what_the_page_uses():
    draw = torch.Generator().manual_seed(0)
    for k in (1, 3, 5):
        real, fake = torch.randn(40, 3, generator=draw), 0.7 * torch.randn(30, 3, generator=draw)
        mine = SOLUTIONS["my_precision_recall"](real, fake, k)
        assert np.allclose([float(each) for each in mine], by_the_library(real, fake, k))


# B: the share closer to the training set


def by_numpy(fake, held_out, training):
    a, b = (cKDTree(np.asarray(training)).query(np.asarray(x))[0] for x in (fake, held_out))
    return float(np.mean(a[:, None] < b[None, :]))


def by_mann_whitney(fake, held_out, training):
    a, b = nearest(fake, training), nearest(held_out, training)
    return mannwhitneyu(b, a).statistic / (len(a) * len(b))


def by_our_function(fake, held_out, training):
    return share_closer(nearest(fake, training), nearest(held_out, training))


def by_search(fake, held_out, training):
    a, b = nearest(fake, training).contiguous(), nearest(held_out, training).sort().values
    return 1 - torch.searchsorted(b, a, right=True).double().mean() / len(b)


def against_held_out(fake, held_out, training):
    return (nearest(fake, training)[:, None] < nearest(fake, held_out)).double().mean()


def farther(fake, held_out, training):
    return 1 - by_numpy(fake, held_out, training)


def by_medians(fake, held_out, training):
    a, b = nearest(fake, training), nearest(held_out, training)
    return (a < b.median()).double().mean()


def of_means(fake, held_out, training):
    a, b = torch.cdist(fake, training).mean(1), torch.cdist(held_out, training).mean(1)
    return (a[:, None] < b).double().mean()


def other_direction(fake, held_out, training):
    return share_closer(nearest(training, fake), nearest(training, held_out))


def counted(fake, held_out, training):
    return (nearest(fake, training)[:, None] < nearest(held_out, training)).double().sum()


test_right_b, _, test_wrong_b = tests_of(
    check_share_closer,
    right=[SOLUTIONS["my_share_closer"], by_numpy, by_mann_whitney, by_our_function, by_search],
    wrong=[
        (against_held_out, "to_held_out", "*held-out set*"),
        (farther, "farther", "*farther*"),
        (by_medians, "below_median", "median of the held-out"),
        (of_means, "mean", "close to *one*"),
        (other_direction, "training_to", "over the training set"),
        (counted, "count", "number of pairs"),
        (lambda fake, held_out, training: 1 - of_means(fake, held_out, training), "mean", "Two mistakes"),
        (lambda fake, held_out, training: nearest(fake, training), "shape", "One share"),
        (lambda fake, training: 0.5, "signature", "my_share_closer(fake, held_out, training)"),
    ],
)


@pytest.mark.parametrize("check", [check_precision_recall, check_share_closer])
def test_untouched_stubs_are_no_mistakes(check):
    def my_precision_recall(real, fake, k):
        return ...  # replace this line

    def my_share_closer(fake, held_out, training):
        return ...  # replace this line

    assert check(my_precision_recall if check is check_precision_recall else my_share_closer).kind == "stub"
