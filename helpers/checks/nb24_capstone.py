"""Checks of notebook 24: the honest figure of the best of many runs, and which of many claims are supported."""

import math
from collections.abc import Callable
from statistics import NormalDist

import torch
from torch import Tensor

from helpers.feedback import Case, Close, Feedback, Observe, Row, Task, Wanted, diagnose

# A: a run is chosen by its validation scores, and measured by fresh ones.


def _scores(runs: int, validation: int, fresh: int, seed: int) -> Case:
    """Other runs are the best on validation, on fresh examples and on a single example, and another is the first."""
    draw = torch.Generator().manual_seed(seed)
    skill = torch.randn(runs, 1, generator=draw, dtype=torch.float64)
    found = [
        torch.rand(runs, n, generator=draw, dtype=torch.float64) * 3 + skill for n in (validation, fresh)
    ]
    found[0][3, 0] -= 3 + found[0][3, 0] - found[0].min()
    found[0][1] += found[0].mean(1).min() - found[0][1].mean() - 0.4
    found[1][2] += found[1].mean(1).min() - found[1][2].mean() - 0.7
    return Case(validation=found[0] + 9, fresh=found[1] + 9)


CHOSEN = [
    Row("right", lambda v, f: v.mean(1).argmin(), ok=True),
    Row("by_fresh", lambda v, f: f.mean(1).argmin(),
        "The run is chosen by its fresh scores. From then on they are not fresh any more: choose by the validation "
        "scores, then measure by the others."),
    Row("worst", lambda v, f: v.mean(1).argmax(),
        "The run with the *largest* validation scores is chosen. Small is good here."),
    Row("by_single", lambda v, f: v.min(1).values.argmin(),
        "The run is chosen by its best single example. Compare means over the validation examples."),
    Row("first", lambda v, f: torch.tensor(0), "You take the first run, whatever its scores are."),
    Row("by_both", lambda v, f: torch.cat([v, f], dim=1).mean(1).argmin(),
        "The run is chosen by validation and fresh scores together, so the fresh ones take part in the choice."),
]  # fmt: skip
MEASURED = [
    Row("right", lambda v, f, best: f[best], ok=True),
    Row("validation", lambda v, f, best: v[best],
        "The figure comes from the validation scores, by which the run was chosen: that is the optimism you want to "
        "avoid. Measure by `fresh`."),
    Row("both", lambda v, f, best: torch.cat([v[best], f[best]]),
        "Validation and fresh scores are put together for the estimate. Those that took part in the choice are too "
        "good."),
    Row("all_runs", lambda v, f, best: f.mean(0),
        "You average the fresh scores over all runs. That is a figure of the method; asked for is that of the chosen "
        "run."),
]  # fmt: skip
ERRORS = [
    Row("right", lambda s, runs: s.std() / math.sqrt(len(s)), ok=True),
    Row("right", lambda s, runs: s.std(correction=0) / math.sqrt(len(s)), ok=True),
    Row("deviation", lambda s, runs: s.std(),
        "That is the standard deviation of single examples. The mean of n examples is more certain than one of them: "
        "what do you divide by?"),
    Row("no_root", lambda s, runs: s.std() / len(s),
        "The standard deviation is divided by n. The error of a mean falls with the root of n."),
    Row("variance", lambda s, runs: s.var() / len(s),
        "That is the square of the standard error: its root is missing."),
    Row("of_runs", lambda s, runs: s.std() / math.sqrt(runs),
        "You divide by the root of the number of runs. The estimate is a mean over examples: how many are there?"),
]  # fmt: skip
OPTIMISM = [
    Row("right", lambda estimate, v, f, best: estimate - v[best].mean(), ok=True),
    Row("sign", lambda estimate, v, f, best: v[best].mean() - estimate,
        "The optimism has the wrong sign. Small is good, so a validation score that is too good lies *below* the "
        "estimate: the difference is positive then."),
    Row("of_all", lambda estimate, v, f, best: v.mean() - v[best].mean(),
        "You compare the chosen run with the mean of all runs on validation. That is how much was chosen; how much of "
        "it is left on fresh examples?"),
    Row("from_all", lambda estimate, v, f, best: estimate - v.mean(),
        "You compare with the mean over *all* runs on validation. The optimism belongs to the score that would be "
        "reported, that of the chosen run."),
    Row("ratio", lambda estimate, v, f, best: estimate / v[best].mean(),
        "The optimism is a ratio in your function. A difference, in the unit of the scores, is asked for."),
]  # fmt: skip


def _honest(c: Case, chosen: Callable, measured: Callable, error: Callable, optimism: Callable) -> tuple:
    best = chosen(c.validation, c.fresh)
    scores = measured(c.validation, c.fresh, best)
    estimate = scores.mean()
    return estimate, error(scores, len(c.fresh)), optimism(estimate, c.validation, c.fresh, best)


def _one(what: str) -> Wanted:
    return Wanted("()", lambda c: (), what=what, otherwise="One number for the chosen run.")


HONEST = Task(
    usage="my_estimate(validation, fresh)",
    cases=lambda: [_scores(7, 9, 14, 1), _scores(5, 12, 8, 2), _scores(6, 10, 15, 3)],
    tables=(CHOSEN, MEASURED, ERRORS, OPTIMISM),
    compose=_honest,
    observe=Observe({name: _one(f"the {name}") for name in ("estimate", "standard error", "optimism")}),
    close={"standard error": Close(0.08), "estimate": Close(1e-5), "optimism": Close(1e-4, 1e-6)},
    praise="Chosen by validation, measured by examples that had no part in the choice.",
)  # fmt: skip


def check_estimate(f: Callable[[Tensor, Tensor], tuple]) -> Feedback:
    """Say whether `f(validation, fresh)` is (estimate, standard error, optimism) of the run that validation chooses.

    Scores (R, n) and (R, m) of R runs, small is good. The run with the least mean on validation is measured by its
    fresh scores; the standard error may have m or m − 1 in it. Raises nothing.
    """
    return diagnose(HONEST, f)


# B: which of m differences are supported. Ratios d/SE on both sides of every threshold that a mistake may have.


def _claims(comparisons: int, seed: int) -> Case:
    draw = torch.Generator().manual_seed(seed)
    n = 53 + 2 * comparisons
    ratio = torch.linspace(-4.03, 4.17, n, dtype=torch.float64)[torch.randperm(n, generator=draw)]
    error = torch.rand(n, generator=draw, dtype=torch.float64) + 0.2
    return Case(difference=ratio * error, standard_error=error, comparisons=comparisons)


def _u(p: float) -> float:
    return NormalDist().inv_cdf(p)


LEVELS = [
    Row("right", lambda m: _u(1 - 0.05 / (2 * m)), ok=True),
    Row("sidak", lambda m: _u(0.5 + 0.5 * 0.95 ** (1 / m)), ok=True),  # for independent claims, nearly the same
    Row("uncorrected", lambda m: _u(0.975),
        "Your threshold is that of one comparison, 1.96, whatever `comparisons` is. Of many claims about nothing, one "
        "in twenty passes it."),
    Row("one_sided", lambda m: _u(1 - 0.05 / m),
        "The 5 % lie on one side. A difference may be too large in either direction, so each side gets half of them."),
    Row("multiplied", lambda m: _u(0.975) * m,
        "You multiply the threshold by the number of comparisons. Divide the 5 % by it, and look the threshold up."),
    Row("root", lambda m: _u(0.975) * math.sqrt(m),
        "You multiply the threshold by the root of the number of comparisons. Divide the 5 % by the number, and look "
        "the threshold up."),
    Row("two", lambda m: _u(1 - 0.05 / (4 * m)), "The 5 % are halved twice: 0.05/(2m) lies on each side."),
    Row("one_sided_uncorrected", lambda m: _u(0.95),
        "The threshold is 1.64: one-sided, and for one comparison. Each side of each of the comparisons gets its part "
        "of the 5 %."),
]  # fmt: skip
RATIOS = [
    Row("right", lambda d, se: d.abs() / se, ok=True),
    Row("no_absolute", lambda d, se: d / se,
        "Negative differences are never supported in your function. A large difference in either direction counts."),
    Row("no_error", lambda d, se: d.abs(),
        "The standard errors are not used. How large is a difference in units of its error?"),
    Row("squared", lambda d, se: (d / se).square(),
        "The ratio is squared, and compared with a threshold for the ratio itself."),
    Row("variance", lambda d, se: d.abs() / se.square(),
        "You divide by the squared standard error. The ratio has no unit if you divide by the error itself."),
    Row("root", lambda d, se: d.abs() / se.sqrt(),
        "You divide by the root of the standard error, which is a root already."),
]  # fmt: skip
COMPARED = [
    Row("right", lambda ratio, u: ratio > u, ok=True),
    Row("below", lambda ratio, u: ratio < u,
        "The answer is the other way round: True where the difference is *small* against its error."),
]  # fmt: skip
SUPPORTED = Task(
    usage="my_supported(difference, standard_error, comparisons)",
    cases=lambda: [_claims(4, 1), _claims(1, 2), _claims(10, 3)],
    tables=(LEVELS, RATIOS, COMPARED),
    compose=lambda c, level, ratio, compared: compared(ratio(c.difference, c.standard_error), level(c.comparisons)),
    observe=Observe(Wanted("(n,)", lambda c: (len(c.difference),), what="True or False for each difference",
                           otherwise="One answer for each difference.")),
    close=Close(1e-6, 1e-6),
    praise="The 5 % are shared out among the comparisons and the two sides.",
)  # fmt: skip


def check_supported(f: Callable[[Tensor, Tensor, int], Tensor]) -> Feedback:
    """Say whether `f(difference, standard_error, comparisons)` is |d| > u · SE with Φ(u) = 1 − 0.05/(2m).

    Differences and standard errors (n,), the number m of comparisons; wanted are n answers. Raises nothing.
    """
    return diagnose(SUPPORTED, f)
