"""What is tried on an answer that is right on the cases: another order, another dtype, extremes, defaults."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from helpers.feedback.explain import Trial
from helpers.feedback.observe import Case, Close, copied, finite, tensors_of
from helpers.feedback.says import Mistake

Remarks = Sequence[tuple[str, str]]
ORDER = (
    "When the {what} come in another order, the results should come in that order too; yours do not. What does a "
    "result take from its neighbours, or from its place? Is a place, a size or a number of the example written into "
    "your code?"
)


def in_any_order(what: str, order: Callable[[Case], Case] | Mapping[str, int]) -> Callable[[Trial], Remarks]:
    """The answer on the first case with its rows in another order: `order` makes it, or names dimensions of inputs."""

    def probe(trial: Trial) -> Remarks:
        case = trial.cases[0]
        if callable(order):
            other = order(case)
        else:
            other = case.but(**{name: case[name].roll(2, dims=dim) for name, dim in order.items()})
        if not trial.fits(other):
            raise Mistake("order", ORDER.format(what=what))
        return []

    return probe


def at(
    make: Callable[[Case], Case],
    kind: str,
    say: str,
    close: Close | None = None,
    names: Sequence[str] | None = None,
    remark: bool = False,
) -> Callable[[Trial], Remarks]:
    """The answer on the first case, changed by `make`: where it differs, `say` is a mistake, or a remark."""

    def probe(trial: Trial) -> Remarks:
        task = replace(trial.task, close=close) if close else trial.task
        other = Trial(task, trial.answer, trial.cases, trial.seen, trial.choice)
        if other.fits(make(trial.cases[0]), names):
            return []
        if remark:
            return [(kind, say)]
        raise Mistake(kind, say)

    return probe


def in_the_tails(
    make: Callable[[Case], Case], broken: str, cut: str, kind: str = "tails", close: Close | None = None
) -> Callable[[Trial], Remarks]:
    """The answer at an extreme: a mistake, `broken`, where it is not finite; a remark, `cut`, where it is another."""

    def probe(trial: Trial) -> Remarks:
        case = make(trial.cases[0])
        task = replace(trial.task, close=close) if close else trial.task
        try:
            seen = trial.ask(case)
        except Mistake as found:
            if found.feedback.kind not in ("nan", "raised", "logits"):
                raise
            raise Mistake(kind, broken) from None
        right = trial.ours(case)
        if not finite(seen) and finite(right):
            raise Mistake(kind, broken)
        return [] if task.alike(seen, right) else [(kind, cut)]

    return probe


def other_dtype(
    names: Sequence[str] = (), cases: Callable[[Trial], Sequence[Case]] | None = None
) -> Callable:
    """The answer on inputs in the dtype that is not the notebook's own: a remark where it stops, a mistake if wrong."""

    def probe(trial: Trial) -> Remarks:
        own = torch.get_default_dtype()
        other = torch.float32 if own == torch.float64 else torch.float64
        name = str(other).removeprefix("torch.")
        for case in cases(trial) if cases else trial.cases[:1]:
            case = in_dtype(case, other, names)
            try:
                seen = trial.ask(case)
            except Mistake as found:
                if found.feedback.kind != "raised":
                    raise
                return [
                    (
                        "dtype",
                        f"On inputs in {name} your function stops: probably a tensor that it makes itself is of "
                        "another type. `zeros_like` and its relatives follow the input.",
                    )
                ]
            if not trial.task.alike(seen, trial.ours(case)):
                raise Mistake(
                    "dtype",
                    f"On inputs in {name} your function gives other numbers. Does it round, cut off at a small "
                    "number, or turn anything into integers?",
                )
        return []

    return probe


def in_dtype(case: Case, dtype: torch.dtype, names: Sequence[str] = ()) -> Case:
    """The case with its floating tensors, also those in networks and objects, in `dtype`; all, or those in `names`."""
    other = copied(case)
    for name, value in other.items():
        if names and name not in names:
            continue
        if isinstance(value, nn.Module):
            value.to(dtype)
        elif isinstance(value, Tensor):
            other[name] = value.to(dtype) if value.is_floating_point() else value
        elif any(True for _ in tensors_of(value)) and hasattr(value, "__dict__"):
            for key, part in vars(value).items():
                if isinstance(part, Tensor) and part.is_floating_point():
                    object.__setattr__(value, key, part.to(dtype))
    return other


def without(name: str, value: object, say: str, kind: str = "default") -> Callable[[Trial], Remarks]:
    """The answer with the last argument, `name`, left out, where it should be `value`; to insist on it is right too."""

    def probe(trial: Trial) -> Remarks:
        case = trial.cases[0]
        try:
            seen = trial.task.observe(
                lambda mine: trial.answer(*(each for key, each in mine.items() if key != name)), case
            )
        except Mistake as found:
            if found.feedback.kind == "signature":
                return []
            raise
        if not trial.task.alike(seen, trial.ours(case.but(**{name: value}))):
            raise Mistake(kind, say)
        return []

    return probe
