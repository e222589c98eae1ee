"""Checks of notebook 16: what a decoder reads and predicts under word dropout, and a temperature that keeps quality."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad

from helpers.data.reports import END, PADDING
from helpers.feedback import Case, Close, Feedback, Mistake, Observe, Row, Task, Trial, Wanted, at, diagnose
from helpers.feedback.fallbacks import told

# A: inputs and targets under word dropout

SHIFTS = [
    Row("right", lambda x: pad(x[:, :-1], (1, 0), value=END), ok=True),
    Row("unshifted", lambda x: x,
        "At each position the decoder reads the very token that it is to predict there, so it only has to copy. It "
        "should read the token *before*."),
    Row("ahead", lambda x: pad(x[:, 1:], (0, 1), value=PADDING),
        "At each position the decoder reads the token *after* the one that it is to predict: the inputs were moved to "
        "the left. Move them to the right."),
    Row("starts_with_pad", lambda x: pad(x[:, :-1], (1, 0), value=PADDING),
        "Your first input is <pad>. What stands before the first token of a report is an <end>, the number 1."),
    Row("rolled", lambda x: x.roll(1, dims=1),
        "Your first input is the last token of the row, as `roll` brings it round. It should be an <end>, the "
        "number 1, in every row."),
]  # fmt: skip
MASKS = [
    Row("right", lambda u, rate: u < rate, ok=True),
    Row("kept", lambda u, rate: u >= rate,
        "You hide where `u` is *above* the rate, so with a rate of 0.3 you hide 70 %. Hidden is what has u < rate."),
    Row("reports", lambda u, rate: (u[:, :1] < rate).expand_as(u),
        "Whole reports are hidden or shown. Each token has a number `u` of its own."),
    Row("positions", lambda u, rate: (u[:1] < rate).expand_as(u),
        "The same positions are hidden in every report of the batch. Each token has a number `u` of its own."),
    Row("none", lambda u, rate: torch.zeros_like(u, dtype=torch.bool),
        "Nothing is hidden: `u` and `rate` change nothing yet."),
    Row("start_spared", lambda u, rate: (u < rate) & (torch.arange(u.shape[1]) > 0),
        "Your first input is never hidden. Here the <end> in front is hidden like every other input."),
]  # fmt: skip
FILLS = [
    Row("right", lambda tokens, mask, unknown, rate: torch.where(mask, unknown, tokens), ok=True),
    Row("pad", lambda tokens, mask, unknown, rate: torch.where(mask, PADDING, tokens),
        "A hidden token becomes 0, and that is <pad>. The token for hidden ones is `unknown`."),
    Row("end", lambda tokens, mask, unknown, rate: torch.where(mask, END, tokens),
        "A hidden token becomes 1, and that is <end>. The token for hidden ones is `unknown`."),
    Row("scaled", lambda tokens, mask, unknown, rate: torch.where(mask, 0, tokens / (1 - rate)),
        "You set hidden tokens to 0 and divide the others by 1 − rate, as `nn.Dropout` does with activations. Tokens "
        "are names and no quantities: a hidden one becomes `unknown`, the others stay as they are."),
]  # fmt: skip
ORDERS = [
    Row("right", lambda x, shift, hide: hide(shift(x)), ok=True),
    Row("hidden_first", lambda x, shift, hide: shift(hide(x)),
        "You hide tokens first and move them afterwards, so `u` belongs to the position before, and the first input is "
        "never hidden. Move first."),
]  # fmt: skip
TARGETS = [
    Row("right", lambda x, inputs, hide: x, ok=True),
    Row("targets_hidden", lambda x, inputs, hide: hide(x),
        "The *targets* are hidden as well, so the decoder learns to write `unknown`. Word dropout is for what is read; "
        "what is to be predicted stays whole."),
    Row("targets_are_inputs", lambda x, inputs, hide: inputs,
        "Your targets are the inputs, so the decoder only has to copy what it reads. The targets are the report "
        "itself."),
    Row("targets_ahead", lambda x, inputs, hide: pad(x[:, 1:], (0, 1), value=PADDING),
        "Your targets are moved to the left, so the first token is never predicted. The targets are `x` itself: an "
        "<end> stands before it in the inputs."),
    Row("targets_moved", lambda x, inputs, hide: pad(x[:, :-1], (1, 0), value=END),
        "Your targets are moved to the right. Only the inputs are: the targets are `x` itself."),
]  # fmt: skip


def _batch(c: Case, shift, mask, fill, order, target) -> tuple[Tensor, Tensor]:
    def hide(tokens: Tensor) -> Tensor:
        return fill(tokens, mask(c.u, c.rate), c.unknown, c.rate)

    inputs = order(c.x, shift, hide)
    return inputs, target(c.x, inputs, hide)


def _exchanged(c: Case) -> tuple[Tensor, Tensor]:
    inputs, targets = _batch(c, *(table[0].f for table in BATCH_TABLES))
    return targets, inputs


def _one_too_late(c: Case) -> tuple[Tensor, Tensor]:
    return torch.where(c.u < c.rate, c.unknown, c.x), pad(c.x[:, 1:], (0, 1), value=PADDING)


BATCH_TABLES = (SHIFTS, MASKS, FILLS, ORDERS, TARGETS)


def _read(value: object, case: Case) -> object:
    """Both, without what is read where only padding is to be predicted: no loss comes from there, so all is right."""
    if isinstance(value, tuple | list) and len(value) == 2:
        inputs, targets = value
        if isinstance(inputs, Tensor) and inputs.shape == case.x.shape:
            return torch.where(case.x == PADDING, -1, inputs), targets
    return value


def _reports_case(rows: int, longest: int, size: int, rate: float) -> Case:
    """Reports of all lengths up to the longest, and u on both sides of the rate everywhere it matters."""
    x = torch.randint(2, size, (rows, longest))
    for i, row in enumerate(x):
        end = longest - 1 - 2 * i % (longest - 2)
        row[end] = END
        row[end + 1 :] = PADDING
    u = torch.rand(rows, longest)
    u[0, :4] = torch.tensor([1.2, 0.4, 1.1, 0.5]) * rate
    u[1, :4] = torch.tensor([0.3, 1.3, 0.6, 1.2]) * rate
    return Case(x=x, rate=rate, unknown=size, u=u)


def _first_difference(trial: Trial) -> Mistake:
    for case, seen in zip(trial.cases, trial.seen, strict=True):
        best = trial.ours(case)
        for name in ("targets", "inputs"):
            for i, t in (seen[name] != best[name]).nonzero().tolist():
                mine, right = (told(each[name][i, t]) for each in (seen, best))
                u = (
                    f", where u is {told(case.u[i, t])} and the rate {case.rate:g}"
                    if name == "inputs"
                    else ""
                )
                return Mistake(
                    "value",
                    f"In the report {case.x[i].tolist()} the {name} have {mine} at position {t}{u}, and should have "
                    f"{right}. (<pad> is 0, <end> is 1, `unknown` is {case.unknown}.)",
                )
    raise AssertionError("An answer that is right everywhere has its rows.")


DROPOUT = Task(
    usage="my_inputs_and_targets(x, rate, unknown, u)",
    cases=lambda: [_reports_case(5, 9, 30, 0.4), _reports_case(7, 6, 21, 0.25)],
    tables=BATCH_TABLES,
    compose=_batch,
    ways=(
        Row("exchanged", _exchanged, "The two have changed places: first the inputs, then the targets."),
        Row("one_too_late", _one_too_late,
            "Inputs and targets are one position apart, but both come one too late: the first token of a report is "
            "never predicted. The targets are `x` itself, and an <end> stands in front of the inputs."),
    ),
    observe=Observe(
        {"inputs": Wanted("(B, T)", lambda c: tuple(c.x.shape), otherwise="Move the tokens and keep their number: an "
                          "<end> comes in front, and the last token falls away."),
         "targets": Wanted("(B, T)", lambda c: tuple(c.x.shape), otherwise="Every token of `x` is a target.")},
        read=_read),
    close=Close(0, 1e-6),
    praise="Hidden is what the decoder reads, and never what it has to predict.",
    witness=_first_difference,
    seed=16,
)  # fmt: skip


def check_word_dropout(f: Callable[[Tensor, float, int, Tensor], tuple[Tensor, Tensor]]) -> Feedback:
    """Say whether `f(x, rate, unknown, u)` gives what a decoder reads, with word dropout, and what it is to predict.

    x (B, T) are token numbers with an <end> (1) and padding (0), u (B, T) lies in (0, 1): an input is hidden, replaced
    by `unknown`, where u < rate. What is read where only padding is to be predicted may be anything. Raises nothing.
    """
    return diagnose(DROPOUT, f)


# B: a temperature that keeps quality


def _largest(temperatures: Tensor, keeps: Tensor) -> Tensor:
    return temperatures[keeps].max() if keeps.any() else torch.tensor(0.0)


def _until_it_fails(temperatures: Tensor, agreement: Tensor, wanted: float) -> Tensor:
    order = temperatures.argsort()
    keeps = (agreement[order] >= wanted).cumprod(0).bool()
    return _largest(temperatures[order], keeps)


CHOSEN = [
    Row("right", lambda t, a, wanted: _largest(t, a >= wanted), ok=True),
    Row("strict", lambda t, a, wanted: _largest(t, a > wanted),
        "A temperature whose agreement is exactly `wanted` is refused. *At least* includes it."),
    Row("coldest", lambda t, a, wanted: t[a >= wanted].min(),
        "That is the *smallest* temperature that is good enough. A larger one keeps more diversity, so take the "
        "largest."),
    Row("best", lambda t, a, wanted: t[a.argmax()],
        "That is the temperature with the best agreement. Wanted is the largest that is still good enough: above the "
        "threshold, diversity decides."),
    Row("nearest", lambda t, a, wanted: t[(a - wanted).abs().argmin()],
        "That is the temperature whose agreement is nearest to `wanted`. It may lie below it, and *at least* is asked "
        "for."),
    Row("position", lambda t, a, wanted: torch.arange(len(t))[a >= wanted].max().float(),
        "You return the position in the list, and not the temperature that stands there."),
    Row("agreement", lambda t, a, wanted: a[a >= wanted].max(),
        "You return an agreement. The temperature is wanted."),
    Row("agreement", lambda t, a, wanted: a[a >= wanted].min(),
        "You return an agreement. The temperature is wanted."),
    Row("last", lambda t, a, wanted: t[a >= wanted][-1],
        "You take the last one in the list that is good enough. The temperatures need not be sorted: take the "
        "largest."),
    Row("first", lambda t, a, wanted: t[a >= wanted][0],
        "You take the first one in the list that is good enough. The largest is wanted."),
    Row("until_it_fails", _until_it_fails,
        "You go up from the coldest and stop where it fails for the first time. Measured agreement does not fall "
        "evenly: a larger temperature is good enough again."),
    Row("below", lambda t, a, wanted: t[a < wanted].min(),
        "That is the smallest temperature that is *not* good enough. Wanted is the largest one that is."),
    Row("turned", lambda t, a, wanted: t[a <= wanted].max(),
        "Your comparison is turned: these are the temperatures whose agreement is at *most* `wanted`."),
    Row("hottest", lambda t, a, wanted: t.max(),
        "That is the largest temperature of all. `agreement` has to be asked."),
]  # fmt: skip


def _sweep(wanted: float, *pairs: tuple[float, float]) -> Case:
    temperatures, agreement = torch.tensor(pairs).T
    return Case(temperatures=temperatures.clone(), agreement=agreement.clone(), wanted=wanted)


def _asked(trial: Trial) -> Mistake:
    case, seen, best = next(
        (case, seen["value"], trial.ours(case)["value"])
        for case, seen in zip(trial.cases, trial.seen, strict=True)
        if not abs(float(seen["value"] - trial.ours(case)["value"])) < 1e-5
    )
    pairs = ", ".join(
        f"{t:g}: {a:g}" for t, a in zip(*(map(told_number, case[k]) for k in list(case)[:2]), strict=True)
    )
    return Mistake(
        "value",
        f"Measured were (temperature: agreement) {pairs}. With wanted = {case.wanted:g} you return {told(seen, 4)}, "
        f"and it should be {told(best, 4)}. Which of them are good enough, and which of these is the largest?",
    )


def told_number(value: Tensor) -> float:
    return round(float(value), 4)


TEMPERATURE = Task(
    usage="my_temperature(temperatures, agreement, wanted)",
    cases=lambda: [
        _sweep(0.75, (0.4, 0.875), (0.6, 0.8125), (0.8, 0.6875), (1.0, 0.75), (1.2, 0.625), (1.5, 0.5)),
        _sweep(0.9, (1.0, 0.898), (0.25, 0.95), (0.7, 0.97), (1.4, 0.61), (0.9, 0.905), (0.5, 0.93), (0.8, 0.86)),
        _sweep(0.5, (1.7, 0.5625), (0.3, 0.375), (1.1, 0.8125), (0.9, 0.40625)),
    ],
    tables=(CHOSEN,),
    observe=Observe(Wanted("()", lambda c: (), what="one number", otherwise="One temperature is asked for.")),
    close=Close(1e-5, 1e-6),
    praise="The largest temperature that is still good enough: quality first, then as much diversity as it allows.",
    probes=(
        at(lambda c: c.but(temperatures=c.temperatures.flip(0), agreement=c.agreement.flip(0)), "order",
           "When the temperatures come in another order your answer is another one."),
        at(lambda c: c.but(wanted=2.0), "none",
           "Where no temperature is good enough your function should return 0: there the likeliest token is written at "
           "each step. What is the largest of no numbers?"),
    ),
    witness=_asked,
)  # fmt: skip


def check_temperature(f: Callable[[Tensor, Tensor, float], float]) -> Feedback:
    """Say whether `f(temperatures, agreement, wanted)` is the largest temperature whose agreement is at least `wanted`.

    Both are (n,), in any order; 0 where none is good enough. Raises nothing.
    """
    return diagnose(TEMPERATURE, f)
