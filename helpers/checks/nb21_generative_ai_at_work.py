"""Checks of notebook 21: the break-even of a generated item, and shares corrected for a classifier's errors."""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.feedback import Case, Close, Feedback, Observe, Row, Task, Wanted, diagnose

# A: the break-even.


def _prices(generate: float, review: float, manual: float, slipped: float, error: float) -> Case:
    return Case(generate=generate, review=review, manual=manual, slipped=slipped, error=error)


PAID = [
    Row("right", lambda c: c.generate + c.review, ok=True),
    Row("no_review", lambda c: c.generate,
        "Only generating is paid for in your function. Each item is reviewed as well, also those that are rejected."),
    Row("no_generate", lambda c: c.review,
        "Only the review is paid for in your function. Each item has to be generated as well."),
    Row("difference", lambda c: c.review - c.generate,
        "The two costs of an item are subtracted from each other. Both are paid: add them."),
    Row("product", lambda c: c.generate * c.review,
        "The two costs of an item are multiplied. Both are paid, in euros: add them."),
    Row("error_paid", lambda c: c.generate + c.review + c.slipped * c.error,
        "The cost of errors stands beside the costs of an item, as if each rejected one caused it too. In (21.1) it is "
        "added to the cost of an accepted item: bring it to the other side."),
]  # fmt: skip
LEFT = [
    Row("right", lambda c: c.manual - c.slipped * c.error, ok=True),
    Row("no_errors", lambda c: c.manual,
        "The errors that slip through are left out. They cost `slipped * error` for each accepted item."),
    Row("sign", lambda c: c.manual + c.slipped * c.error,
        "The cost of errors is added to the price by hand. That would make generating pay sooner the more errors there "
        "are: what is its sign on the other side of the equation?"),
    Row("all_bad", lambda c: c.manual - c.error,
        "Each accepted item counts as a bad one. Only the share `slipped` of them is."),
    Row("no_price", lambda c: c.manual - c.slipped,
        "A share is subtracted from a price in euros. What does one error cost?"),
    Row("kept", lambda c: c.manual - (1 - c.slipped) * c.error,
        "You count the good ones among the accepted: `slipped` is already the share of the bad ones."),
]  # fmt: skip
OTHER = [
    Row("inverse", lambda c: (c.manual - c.slipped * c.error) / (c.generate + c.review),
        "Your fraction is upside down: that is how many items you may generate for one that is accepted, 1/p*."),
    Row("inverse", lambda c: c.manual / (c.generate + c.review),
        "Your fraction is upside down: that is how many items you may generate for one that is accepted, 1/p*."),
    Row("rejected", lambda c: 1 - (c.generate + c.review) / (c.manual - c.slipped * c.error),
        "That is the share that may be *rejected*. The accepted share is asked for."),
    Row("cost", lambda c: (c.generate + c.review) + c.slipped * c.error,
        "That is the cost of an accepted item if all are accepted, in euros. A share is asked for."),
]  # fmt: skip

BREAK_EVEN = Task(
    usage="my_break_even(generate, review, manual, slipped, error)",
    cases=lambda: [
        _prices(0.03, 0.21, 1.3, 0.07, 4.0),
        _prices(0.11, 0.4, 2.9, 0.12, 7.0),
        _prices(0.02, 0.35, 1.7, 0.31, 1.1),
    ],
    tables=(PAID, LEFT),
    compose=lambda c, paid, left: paid(c) / left(c),
    ways=OTHER,
    observe=Observe(Wanted("()", lambda c: (), what="one number", otherwise="A share for these prices.")),
    close=Close(1e-6, 1e-9),
    praise="Above this share generating is cheaper than working by hand; each error that slips through raises it.",
)  # fmt: skip


def check_break_even(f: Callable[[float, float, float, float, float], float]) -> Feedback:
    """Say whether `f(generate, review, manual, slipped, error)` is (generate + review)/(manual − slipped · error).

    Five numbers, of which `slipped` is a share and the others are prices; compared to 1e-6. Raises nothing.
    """
    return diagnose(BREAK_EVEN, f)


# B: corrected shares. The classes have different numbers in the audit, and the matrix is not symmetric.


def _audit(classes: int, seed: int) -> Case:
    draw = torch.Generator().manual_seed(seed)
    counts = torch.randint(1, 9, (classes, classes), generator=draw).double()
    counts += torch.diag(torch.arange(classes, dtype=torch.float64) * 11 + 40)
    pi = torch.rand(classes, generator=draw, dtype=torch.float64) + 0.1
    rates = counts / counts.sum(1, keepdim=True)
    return Case(read=rates.T @ (pi / pi.sum()), counts=counts)


RATES = [
    Row("right", lambda counts: counts / counts.sum(1, keepdim=True), ok=True),
    Row("columns", lambda counts: counts / counts.sum(0, keepdim=True),
        "You divide by the sums of the columns: that is the share of the *read* items that truly are i. It depends on "
        "how many of each class the audit had. Divide each row, a true class, by its own sum."),
    Row("all", lambda counts: counts / counts.sum(),
        "You divide by the number of all audited items. Each row, a true class, needs its own sum."),
    Row("counts", lambda counts: counts,
        "The counts are used as they are. Make rates of them: of all items of class i, the share that is read as j."),
]  # fmt: skip
TURNED = [
    Row("right", lambda rates: rates.T, ok=True),
    Row("untransposed", lambda rates: rates,
        "The matrix has to be transposed. `read[j]` is a sum over the true classes i, and these are the *rows* of your "
        "rates."),
]  # fmt: skip
SOLVED = [
    Row("right", lambda matrix, read: torch.linalg.solve(matrix, read), ok=True),
    Row("multiplied", lambda matrix, read: matrix @ read,
        "You multiply by the matrix, so errors are added once more. `read` is already the matrix times the true "
        "shares, so solve for them."),
    Row("diagonal", lambda matrix, read: read / matrix.diagonal(),
        "You divide by the diagonal alone. That repairs what is missed, and leaves what comes in from other classes."),
]  # fmt: skip
RAW = [
    Row("uncorrected", lambda c: c.read, "These are the shares as they were read, without a correction."),
]


def _shares(c: Case, rates: Callable, turned: Callable, solved: Callable) -> Tensor:
    return solved(turned(rates(c.counts)), c.read)


SHARES = Task(
    usage="my_shares(read, counts)",
    cases=lambda: [_audit(3, 1), _audit(4, 2), _audit(5, 3)],
    tables=(RATES, TURNED, SOLVED),
    compose=_shares,
    ways=RAW,
    observe=Observe(Wanted("(K,)", lambda c: (len(c.read),), what="one share for each class",
                           otherwise="As many shares as there are classes.")),
    close=Close(1e-4, 1e-7),
    praise="What was read is the matrix of rates times the true shares, and you have solved for these.",
)  # fmt: skip


def check_shares(f: Callable[[Tensor, Tensor], Tensor]) -> Feedback:
    """Say whether `f(read, counts)` corrects the shares that a classifier read by what it read in an audit.

    `read` (K,) are shares and counts[i, j] the items of class i that were read as j, (K, K). Wanted are the shares (K,)
    that solve Mᵀ π = read, where M are the counts with each row divided by its sum; compared to 1e-4. Raises nothing.
    """
    return diagnose(SHARES, f)
