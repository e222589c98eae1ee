"""Both sides of the checks of notebook 19: each right way to set a threshold or to split; and the mistakes, by name."""

import math

import numpy as np
import pytest
import torch
from answers import folded_solutions, tests_of
from sklearn.preprocessing import StandardScaler

from helpers.checks import check_split, check_tpr
from helpers.data.patients import Column
from helpers.data.scaling import Scaling
from helpers.privacy import tpr_at_fpr

SOLUTIONS = folded_solutions("19_patients_and_privacy", torch=torch)

# A: the membership test


def by_numpy(members, others, fpr):
    scores = np.sort(np.asarray(others))[::-1]
    return float(np.mean(np.asarray(members) > scores[int(round(fpr * len(scores), 6))]))


def by_topk(members, others, fpr):
    k = math.floor(fpr * others.numel() + 1e-9)
    return (members > others.topk(k + 1).values[-1]).sum() / members.numel()


def by_trying_thresholds(members, others, fpr):
    best = 0.0
    for threshold in others.tolist():
        if (others > threshold).double().mean() <= fpr + 1e-9:
            best = max(best, (members > threshold).double().mean().item())
    return best


def by_python(members, others, fpr):
    ranked = sorted(others.tolist(), reverse=True)
    threshold = ranked[int(fpr * len(ranked) + 1e-9)]
    return sum(score > threshold for score in members.tolist()) / len(members)


def by_quantile(members, others, fpr):
    return (members > torch.quantile(others, 1 - fpr)).double().mean()


def by_quantile_of_numpy(members, others, fpr):
    return np.mean(np.asarray(members) > np.quantile(np.asarray(others), 1 - fpr))


def threshold_at(scores, k):
    return scores.sort(descending=True).values[int(k + 1e-9)]


def with_ties(members, others, fpr):
    return (members >= threshold_at(others, fpr * len(others))).double().mean()


def from_members(members, others, fpr):
    return (members > threshold_at(members, fpr * len(members))).double().mean()


def wrong_side(members, others, fpr):
    return (members > others.sort().values[int(fpr * len(others) + 1e-9)]).double().mean()


def as_accuracy(members, others, fpr):
    threshold = threshold_at(others, fpr * len(others))
    right = (members > threshold).sum() + (others <= threshold).sum()
    return right / (len(members) + len(others))


def as_precision(members, others, fpr):
    threshold = threshold_at(others, fpr * len(others))
    return (members > threshold).sum() / torch.cat([members > threshold, others > threshold]).sum()


def one_too_strict(members, others, fpr):
    return (members > threshold_at(others, fpr * len(others) - 1)).double().mean()


def one_too_many(members, others, fpr):
    return (members > threshold_at(others, fpr * len(others) + 1)).double().mean()


def fpr_itself(members, others, fpr):
    return (others > threshold_at(others, fpr * len(others))).double().mean()


def ties_of_the_wrong_share(members, others, fpr):
    return (others >= threshold_at(others, fpr * len(others))).double().mean()


def accuracy_with_ties(members, others, fpr):
    threshold = threshold_at(others, fpr * len(others))
    right = (members >= threshold).sum() + (others < threshold).sum()
    return right / (len(members) + len(others))


test_right_a, test_remarks_a, test_wrong_a = tests_of(
    check_tpr,
    right=[
        SOLUTIONS["my_tpr"],
        by_numpy,
        by_topk,
        by_trying_thresholds,
        by_python,
    ],
    remarks=[
        (by_quantile, "between", "between two scores"),
        (by_quantile_of_numpy, "between", "between two scores"),
    ],
    wrong=[
        (with_ties, "at_least", "*equal* to the threshold"),
        (from_members, "members", "share of *members* above it is fixed"),
        (wrong_side, "side", "wrong end"),
        (as_accuracy, "accuracy", "That is the accuracy"),
        (as_precision, "precision", "how many of the accused"),
        (one_too_strict, "strict", "one score too high"),
        (one_too_many, "many", "one score too low"),
        (fpr_itself, "fpr", "share of the *others*"),
        (lambda members, others, fpr: (members > 0).double().mean(), "zero", "Your threshold is 0"),
        (lambda members, others, fpr: (members > fpr).double().mean(), "level", "compared with `fpr` itself"),
        (lambda members, others, fpr: 1 - by_python(members, others, fpr), "missed", "*missed*"),
        (lambda members, others, fpr: by_python(others, members, fpr), "members", "Two mistakes"),
        (ties_of_the_wrong_share, "side", "Or: Two mistakes"),
        (accuracy_with_ties, "at_least", "Two mistakes"),
        (lambda members, others, fpr: 100 * by_python(members, others, fpr), "percent", "per cent"),
        (lambda members, others, fpr: members > others.max(), "shape", "One share for all"),
        (lambda members, others: 0.5, "signature", "my_tpr(members, others, fpr)"),
    ],
)


def test_the_solution_is_what_the_page_uses():
    draw = torch.Generator().manual_seed(0)
    for _ in range(20):
        members, others = torch.randn(50, generator=draw) + 1, torch.randn(50, generator=draw)
        for fpr in (0.0, 0.05, 0.1):
            mine = float(SOLUTIONS["my_tpr"](members, others, fpr))
            assert abs(mine - tpr_at_fpr(members, others, fpr)["tpr"]) < 1e-6


# B: split, then fit


def by_scikit_learn(records, order, n):
    x = records.numpy()[order.numpy()]
    scaler = StandardScaler().fit(x[:n])
    return torch.from_numpy(scaler.transform(x[:n])), torch.from_numpy(scaler.transform(x[n:]))


def by_our_scaling(records, order, n):
    columns = tuple(Column(f"x{i}", "continuous") for i in range(records.shape[1]))
    mean, std = records[order[:n]].mean(0), records[order[:n]].std(0)
    scaling = Scaling(columns, torch.zeros(len(columns), dtype=torch.bool), mean, std)
    return scaling.standardise(records[order[:n]]), scaling.standardise(records[order[n:]])


def by_masks(records, order, n):
    z = records.index_select(0, order)
    s, m = torch.std_mean(z[:n], dim=0, keepdim=True)
    return [z[:n].sub(m).div(s), z[n:].sub(m).div(s)]


def all_then_split(records, order, n):
    z = (records - records.mean(0)) / records.std(0)
    return z[order[:n]], z[order[n:]]


def by_a_scaler_of_all(records, order, n):
    z = torch.from_numpy(StandardScaler().fit_transform(records.numpy()))[order]
    return z[:n], z[n:]


def each_alone(records, order, n):
    x = records[order]
    return tuple((part - part.mean(0)) / part.std(0) for part in (x[:n], x[n:]))


def in_the_order_of_the_table(records, order, n):
    x = records
    return tuple((part - x[:n].mean(0)) / x[:n].std(0) for part in (x[:n], x[n:]))


def by_variance(records, order, n):
    x = records[order]
    return tuple((part - x[:n].mean(0)) / x[:n].var(0) for part in (x[:n], x[n:]))


def one_number_for_all(records, order, n):
    x = records[order]
    return tuple((part - x[:n].mean()) / x[:n].std() for part in (x[:n], x[n:]))


def raw_test_rows(records, order, n):
    x = records[order]
    return (x[:n] - x[:n].mean(0)) / x[:n].std(0), x[n:]


def to_the_unit_interval(records, order, n):
    x = records[order]
    low, high = x[:n].amin(0), x[:n].amax(0)
    return tuple((part - low) / (high - low) for part in (x[:n], x[n:]))


def unshuffled_and_all(records, order, n):
    z = (records - records.mean(0)) / records.std(0)
    return z[:n], z[n:]


def exchanged_and_each_alone(records, order, n):
    return each_alone(records, order, n)[::-1]


def in_place(records, order, n):
    records -= records[order[:n]].mean(0)
    records /= records[order[:n]].std(0)
    return records[order[:n]], records[order[n:]]


test_right_b, _, test_wrong_b = tests_of(
    check_split,
    right=[SOLUTIONS["my_split"], by_scikit_learn, by_our_scaling, by_masks],
    wrong=[
        (all_then_split, "all_rows", "Split first"),
        (by_a_scaler_of_all, "all_rows", "Split first"),
        (each_alone, "each_its_own", "their own mean"),
        (in_the_order_of_the_table, "unshuffled", "`order` is not used"),
        (by_variance, "variance", "divide by the variance"),
        (one_number_for_all, "one_mean", "whole table"),
        (raw_test_rows, "test_unscaled", "returned as they were"),
        (to_the_unit_interval, "range", "to [0, 1]"),
        (unshuffled_and_all, "unshuffled", "Two mistakes"),
        (exchanged_and_each_alone, "exchanged", "Two mistakes"),
        (in_place, "changed_input", "changes"),
        (lambda records, order, n: by_masks(records, order, n)[::-1], "returned", "in the other order"),
        (lambda records, order, n: by_masks(records, order, n)[0], "type", "wanted"),
        (lambda records, order: records, "signature", "my_split(records, order, n)"),
    ],
)


@pytest.mark.parametrize("check", [check_tpr, check_split])
def test_untouched_stubs_are_no_mistakes(check):
    def my_tpr(members, others, fpr):
        return ...  # replace this line

    def my_split(records, order, n):
        return ...  # replace this line

    assert check(my_tpr if check is check_tpr else my_split).kind == "stub"
