"""Checks of notebook 19: how many members an attack finds at a false positive rate, and a scaling that sees no test."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from helpers.feedback import (
    Case,
    Close,
    Feedback,
    Mistake,
    Observe,
    Row,
    Task,
    Trial,
    Wanted,
    diagnose,
    in_any_order,
)
from helpers.feedback.fallbacks import told

# A: the membership test. Some members have the very score of the threshold, others lie closely above and below it.


def _scores(members: int, others: int, fpr: float, seed: int) -> Case:
    draw = torch.Generator().manual_seed(seed)
    a = torch.randn(members, generator=draw, dtype=torch.float64) + 1.0
    b = torch.randn(others, generator=draw, dtype=torch.float64)
    k = math.floor(fpr * others + 1e-9)
    above, at, below = b.sort(descending=True).values[k - 1 : k + 2]
    near = torch.stack(
        [at, at, at + (above - at) / 200, (at + above) / 2, (at + below) / 2, torch.full_like(at, 0.03)]
    )
    return Case(members=torch.cat([near, a]), others=b, fpr=fpr)


def _sorted(scores: Tensor) -> Tensor:
    return scores.sort(descending=True).values


def _at(scores: Tensor, k: int) -> Tensor:
    return _sorted(scores)[min(max(k, 0), len(scores) - 1)]


def _allowed(c: Case, scores: Tensor) -> int:
    return math.floor(c.fpr * len(scores) + 1e-9)


THRESHOLDS = [
    Row("right", lambda c: _at(c.others, _allowed(c, c.others)), ok=True),
    Row("between", lambda c: torch.quantile(c.others, 1 - c.fpr),
        "`quantile` takes a number between two scores. That keeps the false positive rate, but a member whose score "
        "lies between them is missed: the score itself is a lower threshold.", ok=True),
    Row("members", lambda c: _at(c.members, _allowed(c, c.members)),
        "The threshold is taken from the members, so the share of *members* above it is fixed beforehand. How many "
        "others are accused is what must be kept small."),
    Row("members", lambda c: torch.quantile(c.members, 1 - c.fpr),
        "The threshold is taken from the members, so the share of *members* above it is fixed beforehand. How many "
        "others are accused is what must be kept small."),
    Row("pooled", lambda c: _at(torch.cat([c.members, c.others]), _allowed(c, torch.cat([c.members, c.others]))),
        "The threshold is taken from members and others together. A false positive is a non-member who is accused, so "
        "only the others say where it lies."),
    Row("pooled", lambda c: torch.quantile(torch.cat([c.members, c.others]), 1 - c.fpr),
        "The threshold is taken from members and others together. A false positive is a non-member who is accused, so "
        "only the others say where it lies."),
    Row("side", lambda c: c.others.sort().values[_allowed(c, c.others)],
        "The threshold lies at the wrong end: nearly all of the others score above it and are accused. From which end "
        "do you count?"),
    Row("side", lambda c: torch.quantile(c.others, c.fpr),
        "The threshold lies at the wrong end: nearly all of the others score above it and are accused. From which end "
        "do you count?"),
    Row("strict", lambda c: _at(c.others, _allowed(c, c.others) - 1),
        "Your threshold is one score too high: one more of the others may be accused before the false positive rate is "
        "used up. Python counts from 0."),
    Row("many", lambda c: _at(c.others, _allowed(c, c.others) + 1),
        "Your threshold is one score too low: more of the others are accused than the false positive rate allows."),
    Row("extreme", lambda c: c.others.max(),
        "None of the others is accused: that is the true positive rate at a false positive rate of 0. Where does `fpr` "
        "come in?"),
    Row("zero", lambda c: torch.zeros((), dtype=torch.float64),
        "Your threshold is 0, whatever the scores are. It has to be found from the scores of the others."),
    Row("level", lambda c: torch.tensor(c.fpr, dtype=torch.float64),
        "Scores are compared with `fpr` itself. That is a share of people, and a threshold is a score: look for the "
        "one that so many of the others exceed."),
    Row("fixed", lambda c: _at(c.others, math.floor(0.05 * len(c.others) + 1e-9)),
        "The false positive rate is 5 % in your function whatever `fpr` says."),
]  # fmt: skip
COMPARED = [
    Row("right", lambda scores, threshold: scores > threshold, ok=True),
    Row("at_least", lambda scores, threshold: scores >= threshold,
        "Scores *equal* to the threshold are accused too. One of the others stands exactly there, so more of them are "
        "accused than allowed: is it `>` or `>=`?"),
    Row("below", lambda scores, threshold: scores < threshold,
        "You accuse those who score *below* the threshold. A high score is the sign of a member."),
]  # fmt: skip
ACCURACY = (
    "That is the accuracy, the share of all people about whom the attack is right. It looks harmless even if some "
    "members are found with certainty: give the share of the members who are found."
)
SHARES = [
    Row("right", lambda found, wrongly: found.double().mean(), ok=True),
    Row("fpr", lambda found, wrongly: wrongly.double().mean(),
        "That is the share of the *others* who are accused, the false positive rate. Asked for is the share of the "
        "members who are found."),
    Row("accuracy", lambda found, wrongly: torch.cat([found, ~wrongly]).double().mean(), ACCURACY),
    Row("accuracy", lambda found, wrongly: (found.double().mean() + 1 - wrongly.double().mean()) / 2, ACCURACY),
    Row("precision", lambda found, wrongly: found.double().sum() / (found.sum() + wrongly.sum()),
        "That is the precision: how many of the accused are members. The true positive rate is a share of the members, "
        "so what do you divide by?"),
    Row("advantage", lambda found, wrongly: found.double().mean() - wrongly.double().mean(),
        "The false positive rate is subtracted: TPR − FPR is called the advantage of an attack. Asked for is the TPR."),
    Row("all", lambda found, wrongly: found.double().sum() / (len(found) + len(wrongly)),
        "You divide by the number of all people. The true positive rate is a share of the members."),
    Row("of_others", lambda found, wrongly: found.double().sum() / len(wrongly),
        "You divide by the number of the others. The true positive rate is a share of the members."),
    Row("count", lambda found, wrongly: found.double().sum(),
        "That is how many members are found; their share is asked for, a number from 0 to 1."),
    Row("missed", lambda found, wrongly: 1 - found.double().mean(),
        "That is the share of the members who are *missed*. The true positive rate counts those who are found."),
    Row("percent", lambda found, wrongly: 100 * found.double().mean(),
        "That is a number of per cent; a number from 0 to 1 is asked for."),
]  # fmt: skip


def _tpr(c: Case, threshold: Callable, compared: Callable, share: Callable) -> Tensor:
    at = threshold(c)
    return share(compared(c.members, at), compared(c.others, at))


def _ends(trial: Trial) -> None:
    """A probe: 1 where every member scores higher than all others, 0 where none exceeds the threshold."""
    low, high = torch.arange(40, dtype=torch.float64), 100 + torch.arange(30, dtype=torch.float64)
    for members, others, best in ((high, low, 1), (low[:30], high.repeat(2)[:40], 0)):
        mine = float(trial.ask(trial.cases[0].but(members=members, others=others))["value"])
        if not abs(mine - best) < 1e-6:
            where = (
                "all members score higher than all others"
                if best
                else "all members score lower than all others"
            )
            raise Mistake("ends", f"Where {where} your function gives {told(mine)}, and should give {best}.")


MEMBERSHIP = Task(
    usage="my_tpr(members, others, fpr)",
    cases=lambda: [_scores(29, 40, 0.05, 1), _scores(46, 50, 0.1, 2), _scores(36, 70, 0.05, 3)],
    tables=(THRESHOLDS, COMPARED, SHARES),
    compose=_tpr,
    observe=Observe(Wanted("()", lambda c: (), what="one number", otherwise="One share for all members together.")),
    close=Close(1e-4, 1e-6),
    praise="The others set the threshold, and the share of the members above it is what you report.",
    probes=(in_any_order("members", {"members": 0}), in_any_order("others", {"others": 0}), _ends),
)  # fmt: skip


def check_tpr(f: Callable[[Tensor, Tensor, float], float]) -> Feedback:
    """Say whether `f(members, others, fpr)` is the share of members above the threshold that `others` set.

    Scores (n,) and (m,), high for members. The threshold is the least score of the others above which at most `fpr` of
    them lie. Compared is one number to 1e-4; some scores are equal. Raises nothing.
    """
    return diagnose(MEMBERSHIP, f)


# B: split first, then fit the scaling on the training rows.


def _table(rows: int, columns: int, n: int, seed: int) -> Case:
    """Records that are sorted, so that the first rows are no sample of all, with columns of different sizes."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, columns, generator=draw, dtype=torch.float64)
    x = x * torch.linspace(1, 4, columns) + torch.linspace(2, 9, columns)
    x = x + torch.arange(rows, dtype=torch.float64)[:, None] / 7
    return Case(records=x, order=torch.randperm(rows, generator=draw), n=n)


ORDERED = [
    Row("right", lambda c: c.records[c.order], ok=True),
    Row("unshuffled", lambda c: c.records,
        "The rows are split in the order of the table, and `order` is not used. Tables are often sorted, by date or by "
        "ward: then training and test rows are different kinds of patients."),
    Row("inverse", lambda c: c.records[c.order.argsort()],
        "You use the inverse of `order`. The first training row is row `order[0]` of the table."),
]  # fmt: skip
PARTS = [
    Row("right", lambda x, n: (x[:n], x[n:]), ok=True),
    Row("exchanged", lambda x, n: (x[n:], x[:n]),
        "Training and test rows have changed places: the first n of the ordered rows are for training."),
    Row("last", lambda x, n: (x[-n:], x[:-n]), "The *last* n rows are taken for training; the first n are asked for."),
    Row("overlap", lambda x, n: (x[:n], x),
        "All rows are returned as test rows, so the training rows are tested too. A test needs rows that nothing has "
        "been fitted to."),
]  # fmt: skip
SEEN = [
    Row("right", lambda training, test: (training, training), ok=True),
    Row("all_rows", lambda training, test: (torch.cat([training, test]),) * 2,
        "Mean and standard deviation come from *all* rows, so the training rows already know something about the test "
        "rows. Split first, then fit the scaling on the training rows alone."),
    Row("each_its_own", lambda training, test: (training, test),
        "The test rows are scaled by their own mean and standard deviation. A model that was trained in one unit is "
        "then tested in another: scale them by the numbers of the training rows."),
    Row("test_rows", lambda training, test: (test, test),
        "Mean and standard deviation come from the test rows. Nothing may be fitted to them."),
]  # fmt: skip
SCALED = [
    Row("right", lambda x, rows: (x - rows.mean(0)) / rows.std(0), ok=True),
    Row("right", lambda x, rows: (x - rows.mean(0)) / rows.std(0, correction=0), ok=True),
    Row("variance", lambda x, rows: (x - rows.mean(0)) / rows.var(0),
        "You divide by the variance. The standard deviation is its root, and has the unit of the column."),
    Row("one_mean", lambda x, rows: (x - rows.mean()) / rows.std(),
        "One mean and one standard deviation serve the whole table. Each column needs its own: years and mmHg have "
        "different sizes."),
    Row("one_mean", lambda x, rows: (x - rows.mean(0)) / rows.std(),
        "One standard deviation serves the whole table. Each column needs its own."),
    Row("no_mean", lambda x, rows: x / rows.std(0), "The mean is not subtracted."),
    Row("only_mean", lambda x, rows: x - rows.mean(0),
        "You subtract the mean and do not divide by the standard deviation."),
    Row("divided_first", lambda x, rows: x / rows.std(0) - rows.mean(0),
        "The mean is subtracted after the division. Brackets are missing: (x − mean)/std."),
    Row("multiplied", lambda x, rows: (x - rows.mean(0)) * rows.std(0),
        "You multiply by the standard deviation; a division makes it 1."),
    Row("range", lambda x, rows: (x - rows.min(0).values) / (rows.max(0).values - rows.min(0).values),
        "The columns are brought to [0, 1] by their smallest and largest value. Asked for are mean 0 and standard "
        "deviation 1."),
    Row("unscaled", lambda x, rows: x, "The rows are split, and not scaled."),
]  # fmt: skip


def _split(
    c: Case, ordered: Callable, parts: Callable, seen: Callable, scaled: Callable
) -> tuple[Tensor, Tensor]:
    training, test = parts(ordered(c), c.n)
    for_training, for_test = seen(training, test)
    return scaled(training, for_training), scaled(test, for_test)


def _right(c: Case) -> tuple[Tensor, Tensor]:
    return _split(c, *(table[0].f for table in (ORDERED, PARTS, SEEN, SCALED)))


OTHERS = [
    Row("returned", lambda c: _right(c)[::-1],
        "The two results come in the other order: return the training rows first, then the test rows."),
    Row("test_unscaled", lambda c: (_right(c)[0], c.records[c.order[c.n :]]),
        "The test rows are returned as they were. They have to be scaled too, by the numbers of the training rows."),
]  # fmt: skip


def _rows_of(name: str, count: Callable[[Case], int], symbols: str) -> Wanted:
    return Wanted(symbols, lambda c: (count(c), c.records.shape[1]), what=f"the {name} rows, a tensor",
                  otherwise="Rows are patients, and all columns stay.")  # fmt: skip


SPLIT = Task(
    usage="my_split(records, order, n)",
    cases=lambda: [_table(23, 4, 14, 1), _table(31, 5, 20, 2)],
    tables=(ORDERED, PARTS, SEEN, SCALED),
    compose=_split,
    ways=OTHERS,
    observe=Observe({
        "training": _rows_of("training", lambda c: c.n, "(n, D)"),
        "test": _rows_of("test", lambda c: len(c.records) - c.n, "(N − n, D)"),
    }),
    close=Close(1e-4, 1e-6),
    praise="Split first: mean and standard deviation come from the training rows, and the test rows are only scaled by "
    "them.",
)  # fmt: skip


def check_split(f: Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]) -> Feedback:
    """Say whether `f(records, order, n)` splits first and scales both parts by the training rows' numbers.

    records (N, D), `order` a permutation (N,), of which the first n are for training. Wanted are (n, D) and (N − n, D),
    standardised by the mean and the standard deviation (with n or n − 1) of the training rows. Raises nothing.
    """
    return diagnose(SPLIT, f)
