"""Checks of notebook 03, the minimax game: the best discriminator, the value it reaches, one extragradient step.

An answer is called on a few small inputs whose numbers are chosen so that mistakes show. What it returns is compared
with the right formula and with every wrong one in a table. How it is written does not matter.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from helpers.checks.frame import Answer, Feedback, Mistake, a_or_an, gives_feedback, right, tensor

SAME = 1e-3  # of the largest number, or of 1: float32 rounds to 1e-4, and two ways differ by over 1e-2


class Way(NamedTuple):
    """A way to compute the answer, from inputs in float64; in each table the first is the right one."""

    kind: str
    formula: Callable
    message: str = ""


Case = tuple  # the arguments of one call
Ask = Callable[[Case], Tensor]  # calls the answer and gives a vector in float64, or raises `Mistake`


# What the three checks share


def _dtypes() -> tuple[torch.dtype, torch.dtype]:
    """The notebook's own default dtype, in which a learner's constants are made, and the other one."""
    own = torch.get_default_dtype()
    return own, torch.float32 if own == torch.float64 else torch.float64


def _in(dtype: torch.dtype, case: Case) -> Case:
    return tuple(each.to(dtype) if isinstance(each, Tensor) else each for each in case)


def _case(*numbers) -> Case:
    return tuple(
        torch.tensor(each, dtype=torch.float64) if isinstance(each, list) else each for each in numbers
    )


def _call(answer: Answer, case: Case, surprise: str) -> object:
    """What the learner's function returns on a copy of `case`, which it has to leave as it is."""
    theirs = tuple(each.clone() if isinstance(each, Tensor) else each for each in case)
    value = answer(*theirs)
    pairs = [pair for pair in zip(case, theirs, strict=True) if isinstance(pair[0], Tensor)]
    if not all(torch.equal(before, after.detach()) for before, after in pairs):
        raise Mistake(
            "changed_input",
            f"Your function changes what it was given, {surprise}. Look for `+=`, `-=` and for methods that end in "
            "`_`.",
        )
    return value


def _vector(value: object, length: int, symbols: str, wanted: str, hints: Mapping[tuple, str]) -> Tensor:
    """`value`, a tensor, an array or a list of numbers, as a vector in float64. Raises `Mistake` as `tensor` does."""
    if not isinstance(value, Tensor):
        try:
            value = torch.as_tensor(value, dtype=torch.float64)
        except (TypeError, ValueError, RuntimeError):
            raise Mistake(
                "type",
                f"Your function returned {a_or_an(value)}, and {wanted} is wanted: a tensor of shape {symbols}.",
            ) from None
    value = value.detach()
    hints = {tuple(value.shape): f"What is wanted is {wanted}."} | hints
    return tensor(value, (length,), symbols, hints).double()


def _or_nan(ask: Ask, case: Case, like: Tensor) -> Tensor:
    """What `ask` gives on `case`; NaN where that is not finite, or where plain Python refuses to compute it."""
    try:
        return ask(case)
    except Mistake as found:
        refused = re.search(
            "ZeroDivisionError|OverflowError|ValueError: (math domain|expected a)", str(found)
        )
        if found.feedback.kind != "nan" and not refused:
            raise
        return torch.full_like(like, math.nan)


def _right(ways: list[Way], case: Case) -> Tensor:
    return _by(ways[0], case)


def _by(way: Way, case: Case) -> Tensor:
    value = way.formula(*_in(torch.float64, case))
    return torch.atleast_1d(torch.cat(value) if isinstance(value, tuple) else value)


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether the two agree, relative to the largest number in `other`, or to 1 if that is larger."""
    return bool((one - other).abs().max() <= SAME * max(float(other.abs().max()), 1.0))


def _judge(
    ask: Ask, ways: list[Way], cases: Sequence[Case], unknown: Callable[[list[Tensor]], Mistake]
) -> None:
    """Raise the `Mistake` of the way that explains what `ask` gives on all cases, unless that is the right one."""
    seen = [ask(case) for case in cases]
    for way in ways:
        if all(_same(value, _by(way, case)) for value, case in zip(seen, cases, strict=True)):
            if way is not ways[0]:
                raise Mistake(way.kind, way.message)
            return
    raise unknown(seen)


def _told(value: float | Tensor, digits: int) -> str:
    """The number with a minus sign as in the formulas."""
    return f"{round(float(value), digits) + 0.0:.{digits}f}".replace("-", "−").replace("nan", "NaN")


def _permuted(ask: Ask, ways: list[Way], case: Case, what: str) -> None:
    """Raise `Mistake` if a right answer goes wrong on `case`, the same things in another order."""
    if not _same(ask(case), _right(ways, case)):
        raise Mistake(
            "order",
            f"Your answer is right for one order of the {what} and wrong for another. Is a place, a size or a number "
            "of the example written into it?",
        )


def _other_dtype(ask: Ask, ways: list[Way], cases: Sequence[Case]) -> list[tuple[str, str]]:
    """A remark if the answer stops on inputs that are not in the notebook's own dtype; raises `Mistake` if it errs."""
    own, other = (str(dtype).removeprefix("torch.") for dtype in _dtypes())
    for case in cases:
        case = _in(_dtypes()[1], case)
        try:
            value = ask(case)
        except Mistake as found:
            if found.feedback.kind != "raised":
                raise
            return [
                (
                    "dtype",
                    f"On inputs in {other} your function stops: probably a tensor that it makes itself is in {own}. "
                    "`zeros_like` or `new_zeros` would follow the input.",
                )
            ]
        if not _same(value, _right(ways, case)):
            raise Mistake(
                "dtype",
                f"Your answer is right on inputs in {own} and wrong in {other}. Look for something that is rounded, "
                "or cut off at a small number.",
            )
    return []


# The optimal discriminator

# Log densities of the data and of the generator, at 7 points and at 5. Nowhere is p = q, and no ratio comes twice.
POINTS = _case([-0.7, -2.1, -1.2, -0.4, -3.0, -1.6, -0.9], [-1.9, -0.8, -2.6, -1.3, -1.1, -1.2, -2.9])
FEWER = _case([-1.4, 0.3, -0.6, -2.4, -1.8], [-0.5, -1.0, -2.3, -0.9, -3.3])
# Both densities underflow to 0 at some points, in float64 too, where their logarithms still tell them apart.
FAR = _case(
    [-0.7, -801.0, -799.5, -2.1, -803.0, -800.4, -1.2], [-1.9, -800.0, -801.5, -0.8, -800.5, -801.3, -2.6]
)
# One density is so much larger that their ratio is infinite in float32.
STEEP = _case([-1.0, -201.0, -800.0, -1000.0, -0.5], [-201.0, -1.5, -1000.0, -800.0, -1.3])
ORDER = torch.tensor([3, 0, 5, 1, 6, 4, 2])

LOGS = (
    "The arguments are logarithms of densities, and you use at least one of them as if it were a density. Which of "
    "them still needs its exponential?"
)
DECISION = (
    "That is a decision, not a probability: it says which density is larger, and not by how much. D* has to be "
    "surer where one is a hundred times the other than where they nearly agree."
)
OVER_POINTS = (
    "Your numbers sum to 1 over the points, so the points compete. At each point it is two sources that compete: "
    "over which dimension should the sum run?"
)
SCALED_LOGIT = (
    "The direction is right, but D is too {}. Somewhere a square, a root, a 2 or another base changes the ratio "
    "that the logit is made of."
)
POINT_WAYS = [
    Way("right", lambda a, b: torch.sigmoid(a - b)),
    Way(
        "fake",
        lambda a, b: torch.sigmoid(b - a),
        "That is the probability of *fake*. D says how probable it is that x is real: what should happen to it where p "
        "is much larger than q?",
    ),
    Way(
        "ratio",
        lambda a, b: (a - b).exp(),
        "That is the ratio of the two densities, which runs from 0 to infinity. It knows all that D knows, but a "
        "probability lies between 0 and 1.",
    ),
    Way(
        "ratio",
        lambda a, b: (b - a).exp(),
        "That is a ratio, and upside down: it is large where the generator is. A probability lies between 0 and 1, "
        "and D should be large where the data are.",
    ),
    Way("decision", lambda a, b: (a > b).double(), DECISION),
    Way("decision", lambda a, b: (a < b).double(), DECISION),
    Way("decision", lambda a, b: (a - b).sign(), DECISION),
    Way(
        "density_difference",
        lambda a, b: torch.sigmoid(a.exp() - b.exp()),
        "Your sigmoid takes the difference of the densities. Its argument should be a logit, and a logit is the "
        "*logarithm* of a ratio: which ratio is it here?",
    ),
    Way(
        "logit",
        lambda a, b: a - b,
        "That is the logit of D, any real number. One step is missing: what makes a probability of a logit?",
    ),
    Way(
        "logit",
        lambda a, b: b - a,
        "That is a logit, and the one of *fake*. Which of the two should make D large, and what makes a probability "
        "of a logit?",
    ),
    Way(
        "sigmoid_of_ratio",
        lambda a, b: torch.sigmoid((a - b).exp()),
        "Your sigmoid takes the ratio itself, which is never negative, so D can never say less than ½. A logit has to "
        "be negative where fake is more likely.",
    ),
    Way(
        "sigmoid_of_ratio",
        lambda a, b: torch.sigmoid((b - a).exp()),
        "Your sigmoid takes a ratio, which is never negative, so D can never say less than ½; and the ratio is upside "
        "down. A logit has to be negative where fake is more likely.",
    ),
    Way(
        "sigmoid_of_ratio",
        lambda a, b: torch.sigmoid(a / b),
        "Your sigmoid takes one logarithm divided by the other. A logit is the logarithm of a ratio, which is not the "
        "ratio of the logarithms.",
    ),
    Way(
        "sigmoid_twice",
        lambda a, b: torch.sigmoid(torch.sigmoid(a - b)),
        "The sigmoid is applied twice, so D is squeezed between 0.5 and 0.73. What goes in should be any real number.",
    ),
    Way(
        "log_ratio_of_logs",
        lambda a, b: a / b,
        "You divide one logarithm by the other. The logarithm of a ratio is something else, and a probability comes "
        "only after it.",
    ),
    Way("logs_as_densities", lambda a, b: a / (a + b), LOGS),
    Way("logs_as_densities", lambda a, b: b / (a + b), LOGS),
    Way("missing_exp", lambda a, b: a.exp() / (a.exp() + b), LOGS),
    Way("missing_exp", lambda a, b: a.exp() / (a + b.exp()), LOGS),
    Way("missing_exp", lambda a, b: a / (a.exp() + b.exp()), LOGS),
    Way("missing_exp", lambda a, b: a / (a + b.exp()), LOGS),
    Way("missing_exp", lambda a, b: a.exp() / (a + b), LOGS),
    Way(
        "exp_of_sum",
        lambda a, b: a.exp() / (a + b).exp(),
        "You take the exponential of a sum of logarithms, which is the *product* of the densities. First the "
        "exponentials, then the sum.",
    ),
    Way(
        "half",
        lambda a, b: torch.full_like(a, 0.5),
        "Your D is ½ everywhere, as if p and q were equal. That is where training should end; here D has two different "
        "densities to tell apart.",
    ),
    Way("over_points", lambda a, b: torch.softmax(a - b, 0), OVER_POINTS),
    Way("over_points", lambda a, b: torch.softmax(a, 0), OVER_POINTS),
    Way("over_points", lambda a, b: torch.softmax(torch.sigmoid(a - b), 0), OVER_POINTS),
    Way(
        "over_points",
        lambda a, b: a.exp() / (a.exp() + b.exp()).sum(),
        "You divide by one sum over all points, so D at a point depends on points elsewhere. Divide at each point by "
        "what the two densities are there.",
    ),
    Way(
        "log_d",
        lambda a, b: logsigmoid(a - b),
        "That is log D, never above 0, which the value V is made of. Here the probability itself is wanted.",
    ),
    Way(
        "log_d",
        lambda a, b: logsigmoid(b - a),
        "That is log(1 − D), never above 0, which the value V is made of. Here the probability of *real* itself is "
        "wanted.",
    ),
    Way(
        "twice",
        lambda a, b: 2 * torch.sigmoid(a - b),
        "That is twice too large, and reaches 2. If you divide by the mixture of p and q, remember that it has a "
        "½ in it.",
    ),
    Way(
        "halved",
        lambda a, b: torch.sigmoid(a - b) / 2,
        "That is half of what it should be: your D never goes beyond ½, even where all points are real. Look for a "
        "½ or a 2 too many.",
    ),
    Way(
        "minus_one_to_one",
        lambda a, b: torch.tanh((a - b) / 2),
        "Your values run from −1 to 1 and are 0 where p = q. A probability runs from 0 to 1: where should it be when "
        "nothing speaks for either side?",
    ),
    Way(
        "minus_one_to_one",
        lambda a, b: torch.tanh(a - b),
        "A tanh runs from −1 to 1 and is 0 where p = q. Which function takes a logit to a number from 0 to 1?",
    ),
    Way(
        "difference",
        lambda a, b: a.exp() - b.exp(),
        "That is the difference of the densities, which depends on their units. D only cares how many times larger "
        "one is than the other.",
    ),
    Way(
        "mixture",
        lambda a, b: (a.exp() + b.exp()) / 2,
        "That is the density of the mixture of p and q. What share of it is real at each point?",
    ),
    Way(
        "one_density",
        lambda a, b: a.exp(),
        "That is p alone, a density and not a probability. D has to weigh it against the other density.",
    ),
    Way("scaled_logit", lambda a, b: torch.sigmoid(2 * (a - b)), SCALED_LOGIT.format("sure")),
    Way("scaled_logit", lambda a, b: torch.sigmoid((a - b) / 2), SCALED_LOGIT.format("unsure")),
    Way("scaled_logit", lambda a, b: torch.sigmoid((a - b) / math.log(2)), SCALED_LOGIT.format("sure")),
]


def _ask_points(answer: Answer, case: Case) -> Tensor:
    n = len(case[0])
    both = "The probabilities of real and of fake are both there: return that of real."
    hints = {
        (): "That is one number for all points. D has an answer at each point.",
        (1,): "That is one number for all points. D has an answer at each point.",
        (2,): "You have summed over the points. D has an answer at each point.",
        (2, n): both,
        (n, 2): both,
        (n, 1): "The last dimension is one too many.",
        (1, n): "The first dimension is one too many.",
        (n, n): "A (n,) met a (n, 1) and grew to (n, n): print the shapes of both.",
    }
    value = _call(answer, case, "and the value V, which needs the same densities, would be wrong")
    return _vector(value, n, "(n,)", "one probability for each point", hints)


def _unknown_points(ask: Ask, case: Case, seen: list[Tensor]) -> Mistake:
    """What can be said of a wrong D that stands in no table."""
    log_p, log_q = case
    values = torch.cat(seen)
    if values.min() < -SAME or values.max() > 1 + SAME:
        low, high = _told(values.min(), 2), _told(values.max(), 2)
        return Mistake(
            "range",
            f"A probability lies between 0 and 1, and yours reach from {low} to {high}. What "
            "should D be where p is far larger than q, and what where it is far smaller?",
        )
    few = ask((log_p[:3], log_q[:3]))
    if not _same(few, seen[0][:3]):
        return Mistake(
            "over_points",
            "Your D at a point changes when other points are left out. Each point stands for itself: nothing should be "
            "summed or averaged over them.",
        )
    for name, other in (("q", (log_p, log_q - 3)), ("p", (log_p - 3, log_q))):
        if _same(ask(other), seen[0]):
            return Mistake(
                "one_density",
                f"Your D is the same whatever {name} is. It has to weigh both densities: where does `log_{name}` come "
                "in?",
            )
    if len(values.unique()) == 2:
        return Mistake("decision", DECISION)
    best = _right(POINT_WAYS, case)
    worst = int((seen[0] - best).abs().argmax())
    return Mistake(
        "value",
        f"Where log p = {_told(log_p[worst], 1)} and log q = {_told(log_q[worst], 1)} your D is "
        f"{_told(seen[0][worst], 2)}, and D* is {_told(best[worst], 2)}. Try two "
        "places by hand: where p = q it should be ½, and where p is three times q it should be ¾.",
    )


def _in_the_tails(ask: Ask, dtypes: Sequence[torch.dtype]) -> None:
    """Raise `Mistake` if a D that is right for moderate densities is not where they, or their ratio, are extreme."""
    for name, case in (("far", FAR), ("steep", STEEP)):
        for dtype in dtypes:
            inputs = _in(dtype, case)
            best = _right(POINT_WAYS, inputs)
            seen = _or_nan(ask, inputs, best)
            if not seen.isfinite().all():
                raise Mistake(
                    "tails",
                    "Your formula is right where the densities are ordinary numbers, but far out both are rounded to "
                    "0, and 0/0 is no number. Their logarithms are still exact there: stay with logarithms to the end."
                    if name == "far"
                    else "Your formula is right where the densities are alike, but where one is e²⁰⁰ times the other "
                    "an exponential is rounded to infinity, and ∞/∞ is no number. PyTorch has a function that is "
                    "safe at both ends.",
                )
            worst = int((seen - best).abs().argmax())
            if not _same(seen, best):
                raise Mistake(
                    "tails",
                    f"Your formula is right where the densities are ordinary numbers, but far out it gives "
                    f"{_told(seen[worst], 2)} for {_told(best[worst], 2)}. Something added, replaced or cut off "
                    "decides there; stay with the logarithms, which are still exact.",
                )


@gives_feedback
def check_optimal_discriminator(f: Callable[[Tensor, Tensor], Tensor]) -> Feedback:
    """Say whether `f(log_p, log_q)` is the best discriminator between data of density p and a generator of density q.

    D* = p/(p + q) = σ(log p − log q), shape (n,), a probability without unit, from log densities (n,) in nats of the
    same n points. Values are compared to a relative 1e-3 in float32 and float64, in another order of the points, and
    where p and q underflow, so any equal formula passes that stays finite there. Raises nothing. Source: Goodfellow et
    al. (2014), proposition 1.
    """
    answer = Answer(f, "my_optimal_discriminator(log_p, log_q)")
    own, other = _dtypes()

    def ask(case: Case) -> Tensor:
        return _ask_points(answer, case)

    cases = [_in(own, POINTS), _in(own, FEWER)]
    _judge(ask, POINT_WAYS, cases, lambda seen: _unknown_points(ask, cases[0], seen))
    _permuted(ask, POINT_WAYS, tuple(each[ORDER] for each in cases[0]), "points")
    remarks = _other_dtype(ask, POINT_WAYS, [POINTS, FEWER])
    _in_the_tails(ask, [own] if remarks else [own, other])
    return right("This is D*, and it still knows what to say where both densities have underflowed.", remarks)


# The value at the optimal discriminator

# Probabilities of 5 and of 4 outcomes without a zero, then the same twice, and then with zeros.
OUTCOMES = _case([0.40, 0.05, 0.25, 0.10, 0.20], [0.10, 0.30, 0.12, 0.45, 0.03])
FEWER_OUTCOMES = _case([0.15, 0.50, 0.30, 0.05], [0.60, 0.05, 0.22, 0.13])
EQUAL = _case([0.20, 0.50, 0.30], [0.20, 0.50, 0.30])
ZEROS = _case([0.50, 0.00, 0.30, 0.00, 0.20], [0.10, 0.40, 0.00, 0.25, 0.25])
DISJOINT = _case([0.70, 0.00, 0.30, 0.00], [0.00, 0.60, 0.00, 0.40])
NEITHER = _case([0.50, 0.00, 0.30, 0.20, 0.00], [0.10, 0.00, 0.00, 0.50, 0.40])
OUTCOME_ORDER = torch.tensor([3, 0, 4, 1, 2])
LOG_4 = math.log(4)


def _mean(weights: Tensor, values: Tensor) -> Tensor:
    """Σ weights · values, where a weight of 0 counts nothing."""
    return torch.where(weights > 0, weights * values, 0.0).sum()


def _log_d(p: Tensor, q: Tensor) -> Tensor:
    return torch.log(p / (p + q))


def _real_term(p: Tensor, q: Tensor) -> Tensor:
    return _mean(p, _log_d(p, q))


def _fake_term(p: Tensor, q: Tensor) -> Tensor:
    return _mean(q, _log_d(q, p))


def _value(p: Tensor, q: Tensor) -> Tensor:
    return _real_term(p, q) + _fake_term(p, q)


def _kl(p: Tensor, q: Tensor) -> Tensor:
    return _mean(p, torch.log(p / q))


def _js(p: Tensor, q: Tensor) -> Tensor:
    return (_kl(p, (p + q) / 2) + _kl(q, (p + q) / 2)) / 2


def _entropy(p: Tensor) -> Tensor:
    return -_mean(p, p.log())


def _any_value(p: Tensor, q: Tensor, logit: Tensor) -> Tensor:
    return _mean(p, logsigmoid(logit)) + _mean(q, logsigmoid(-logit))


BITS = (
    "Somewhere the logarithm has base 2, so this is, at least in part, in bits. The course counts in nats: use the "
    "natural logarithm everywhere, in the constant too."
)
KL = (
    "Your formula compares p and q directly, by a KL divergence, which can be infinite. In V(D*) each of them is "
    "compared with a third distribution: which one?"
)
MEAN = (
    "Somewhere you average over the outcomes, so your number depends on how many there are. An expectation weighs "
    "each outcome by its probability, and then sums."
)
ONE_DISTRIBUTION = (
    "Both of your logarithms are averaged over the same distribution. One of them is about real samples and the other "
    "about fakes: who draws which?"
)
ONE_TERM = (
    "Only the term of the {} samples is there. D is judged on two kinds of samples: where is the other one?"
)
DISCRIMINATOR = (
    "You compute V with a D that is not the best one, so your number is below the maximum. Which D did you find at "
    "each outcome?"
)
SIGN = "The term of the {} samples has the wrong sign. Both logarithms count in favour of D, and neither is above 0."
VALUE_WAYS = [
    Way("right", _value),
    Way(
        "factor",
        lambda p, q: _js(p, q) - LOG_4,
        "The constant is right, but a factor is missing in front of the JS divergence. JS is the *average* of two KL "
        "divergences: what are they in V?",
    ),
    Way("bits", lambda p, q: _value(p, q) / math.log(2), BITS),
    Way("bits", lambda p, q: 2 * _js(p, q) / math.log(2) - LOG_4, BITS),
    Way("bits", lambda p, q: 2 * _js(p, q) - 2, BITS),
    Way(
        "half",
        lambda p, q: _value(p, q) / 2,
        "That is half of V, the average of its two terms. V adds them: at p = q it should be −log 4, and yours is "
        "−log 2.",
    ),
    Way("mean", lambda p, q: _value(p, q) / len(p), MEAN),
    Way("mean", lambda p, q: _value(p, q) / (2 * len(p)), MEAN),
    Way("mean", lambda p, q: 2 * _js(p, q) / len(p) - LOG_4, MEAN),
    Way("mean", lambda p, q: _js(p, q) / len(p) - LOG_4, MEAN),
    Way(
        "sign",
        lambda p, q: -_value(p, q),
        "That is −V, the loss which the discriminator minimises. V itself is a sum of logarithms of probabilities: "
        "can it be above 0?",
    ),
    Way(
        "sign_of_constant",
        lambda p, q: 2 * _js(p, q) + LOG_4,
        "The constant has the wrong sign. V is a sum of logarithms of probabilities, so it is never above 0.",
    ),
    Way(
        "sign_of_js",
        lambda p, q: -2 * _js(p, q) - LOG_4,
        "Your value falls when p and q move apart, but the better D can tell them apart, the higher V climbs. Look at "
        "the sign of the divergence, or of the entropies.",
    ),
    Way("sign_of_one_term", lambda p, q: _real_term(p, q) - _fake_term(p, q), SIGN.format("fake")),
    Way("sign_of_one_term", lambda p, q: _fake_term(p, q) - _real_term(p, q), SIGN.format("real")),
    Way(
        "other_game",
        lambda p, q: _real_term(p, q) - _mean(q, _log_d(p, q)),
        "That is another game: −log D in the term of the fakes is what the non-saturating generator minimises. The "
        "minimax value holds the logarithm of the probability that D gives to *fake*.",
    ),
    Way(
        "other_game",
        lambda p, q: -_mean(q, _log_d(p, q)),
        "That is the loss of the non-saturating generator, of another game. V is what the discriminator maximises, and "
        "has a term for the real samples and one for the fakes.",
    ),
    Way(
        "one_minus_log",
        lambda p, q: _real_term(p, q) + 1 - _mean(q, _log_d(p, q)),
        "In the term of the fakes you subtract a logarithm from 1. It is the other way round: first 1 minus the "
        "probability, then the logarithm.",
    ),
    Way(
        "both_real",
        lambda p, q: _real_term(p, q) + _mean(q, _log_d(p, q)),
        "Both terms hold log D, so D would be praised for calling the fakes real. What is the probability that it "
        "gives to *fake*?",
    ),
    Way(
        "swapped",
        lambda p, q: _mean(p, _log_d(q, p)) + _mean(q, _log_d(p, q)),
        "D is exchanged with its opposite: real samples count when it calls them fake. Which of p and q belongs in the "
        "numerator of D?",
    ),
    Way("one_term", _real_term, ONE_TERM.format("real")),
    Way("one_term", _fake_term, ONE_TERM.format("fake")),
    Way(
        "no_constant",
        lambda p, q: 2 * _js(p, q),
        "The divergence is right, but the constant is missing: at p = q yours is 0. What is V when D can only say ½?",
    ),
    Way(
        "no_constant",
        _js,
        "That is the JS divergence itself. V(D*) is made of it, with a factor and a constant: what is V when D can "
        "only say ½, and what when D is always right?",
    ),
    Way(
        "log_2",
        lambda p, q: 2 * _js(p, q) - math.log(2),
        "The constant is only half of what it should be: at p = q yours is −log 2, which is what *one* of the two "
        "terms gives there.",
    ),
    Way(
        "constant_twice",
        lambda p, q: _value(p, q) - LOG_4,
        "Your value is too small by log 4, whatever p and q are. The ½ of the mixture and the constant say the same "
        "thing: count it once.",
    ),
    Way("kl", _kl, KL),
    Way("kl", lambda p, q: _kl(q, p), KL),
    Way("kl", lambda p, q: _kl(p, q) - LOG_4, KL),
    Way("kl", lambda p, q: _kl(q, p) - LOG_4, KL),
    Way("kl", lambda p, q: 2 * _kl(p, q) - LOG_4, KL),
    Way("kl", lambda p, q: _kl(p, q) + _kl(q, p), KL),
    Way("kl", lambda p, q: _kl(p, q) + _kl(q, p) - LOG_4, KL),
    Way("kl", lambda p, q: (_kl(p, q) + _kl(q, p)) / 2 - LOG_4, KL),
    Way(
        "kl_reversed",
        lambda p, q: _kl((p + q) / 2, p) + _kl((p + q) / 2, q) - LOG_4,
        "Your two KL divergences are the wrong way round: they average over the mixture. Which distribution does each "
        "term of V average over? (`kl_div` in PyTorch takes its arguments in the reverse order.)",
    ),
    Way(
        "fixed_half",
        lambda p, q: torch.tensor(-LOG_4, dtype=p.dtype),
        "That is −log 4 whatever p and q are: V with a D that always says ½. The best D says more wherever p and q "
        "differ.",
    ),
    Way(
        "unweighted",
        lambda p, q: (_log_d(p, q) + _log_d(q, p)).sum(),
        "You add the logarithms of all outcomes alike. An expectation weighs each outcome by how often it comes: the "
        "weights are missing.",
    ),
    Way(
        "unweighted",
        lambda p, q: (_log_d(p, q) + _log_d(q, p)).mean(),
        "You average the logarithms of all outcomes alike. An expectation weighs each outcome by how often it comes: "
        "the weights are missing.",
    ),
    Way("one_distribution", lambda p, q: _mean(p, _log_d(p, q) + _log_d(q, p)), ONE_DISTRIBUTION),
    Way("one_distribution", lambda p, q: _mean(q, _log_d(p, q) + _log_d(q, p)), ONE_DISTRIBUTION),
    Way("one_distribution", lambda p, q: _mean((p + q) / 2, _log_d(p, q) + _log_d(q, p)), ONE_DISTRIBUTION),
    Way(
        "log_of_mean",
        lambda p, q: torch.log((p * p / (p + q)).sum()) + torch.log((q * q / (p + q)).sum()),
        "You take the logarithm of an average, where V has the average of a logarithm. The first is larger (Jensen): "
        "take the logarithm at each outcome.",
    ),
    Way(
        "no_log",
        lambda p, q: (p * p / (p + q)).sum() + (q * q / (p + q)).sum(),
        "You average the probabilities that D gives to the right answer. V averages their logarithms.",
    ),
    Way(
        "entropies",
        lambda p, q: _entropy((p + q) / 2) - _entropy(p) - _entropy(q) - LOG_4,
        "Your entropies do not balance: at p = q they should cancel. How many terms of V does the mixture come from?",
    ),
    Way(
        "trapezoid",
        lambda p, q: torch.trapezoid(p * _log_d(p, q) + q * _log_d(q, p)),
        "The first and the last outcome count only half: the trapezoidal rule is for densities on a grid. Outcomes "
        "have probabilities, and these are summed.",
    ),
    Way("discriminator", lambda p, q: _any_value(p, q, p - q), DISCRIMINATOR),
    Way("discriminator", lambda p, q: _any_value(p, q, p / q), DISCRIMINATOR),
    Way("discriminator", lambda p, q: _any_value(p, q, p), DISCRIMINATOR),
    Way("discriminator", lambda p, q: _any_value(p, q, p / (p + q)), DISCRIMINATOR),
]


def _ask_value(answer: Answer, case: Case) -> Tensor:
    n = len(case[0])
    value = _call(answer, case, "and the next one to use these probabilities would be surprised")
    if isinstance(value, tuple | list) and len(value) == 2:
        raise Mistake(
            "type", "Your function returned two things. V is one number: what happens to its two terms?"
        )
    if not isinstance(value, Tensor):
        try:
            value = torch.as_tensor(value, dtype=torch.float64)
        except (TypeError, ValueError, RuntimeError):
            raise Mistake(
                "type", f"Your function returned {a_or_an(value)}. V is one number: a tensor or a float."
            ) from None
    value = value.detach()
    if value.numel() == 1:
        value = value.reshape(1)
    hints = {
        (n,): "That is one number an outcome: what does an expectation do with them?",
        (2,): "Those are its two terms: what happens to them?",
        (n, n): "Every p met every q. Which outcomes belong together?",
    }
    shape = tuple(value.shape)
    if shape != (1,):
        hint = hints.get(shape, "Over what should still be summed?")
        raise Mistake("shape", f"V is one number, but yours has shape {shape}. {hint}")
    return _vector(value, 1, "(1,)", "one number", {})


def _number(ask: Ask, case: Case) -> float:
    """The answer on `case`, NaN included."""
    return float(_or_nan(ask, case, torch.zeros(1)))


def _unknown_value(ask: Ask, cases: Sequence[Case], seen: list[Tensor]) -> Mistake:
    """What can be said of a wrong V that stands in no table; the last of `cases` has p = q."""
    mine = torch.cat(seen)
    best = torch.cat([_right(VALUE_WAYS, case) for case in cases])
    if _same(mine, mine[0]):
        return Mistake(
            "fixed",
            f"Your V is {_told(mine[0], 2)} whatever p and q are. The further they are apart, the better D can tell "
            "them apart: where do they come in?",
        )
    if not _same(ask(tuple(each[OUTCOME_ORDER] for each in cases[0])), seen[0]):
        return Mistake(
            "order",
            "Your V changes when the outcomes are listed in another order. An expectation only knows how probable each "
            "outcome is, not which one comes first.",
        )
    js = torch.cat([torch.atleast_1d(_js(*_in(torch.float64, case))) for case in cases])
    slope = (mine[0] - mine[2]) / js[0]  # the third is at p = q, where JS = 0
    if _same(mine, slope * js + mine[2]):
        return Mistake(
            "affine",
            f"Your V is {_told(slope, 2)} · JS {'−' if mine[2] < 0 else '+'} {abs(float(mine[2])):.2f}. The JS "
            "divergence is there, but a factor or the constant is not what it should be: what is V where p = q, and "
            "what where they share no outcome?",
        )
    equal = (
        f"is {_told(mine[2], 3)}, and should be −log 4 = −1.386"
        if not _same(mine[2], best[2])
        else "is right"
    )
    hand = _case([0.9, 0.1], [0.5, 0.5])
    by_hand, by_heart = _number(ask, _in(cases[0][0].dtype, hand)), _right(VALUE_WAYS, hand)
    if abs(by_hand - by_heart) <= SAME:
        return Mistake(
            "value",
            f"On {len(cases[0][0])} outcomes your V is {_told(mine[0], 3)}, and should be {_told(best[0], 3)}, though "
            "for p = (0.9, 0.1), q = (0.5, 0.5) it is right. What in your formula holds for two outcomes only?",
        )
    return Mistake(
        "value",
        f"At p = q your V {equal}. At p = (0.9, 0.1), q = (0.5, 0.5) it is {_told(by_hand, 3)}, and should be "
        f"{_told(by_heart, 3)}: take that one by hand, D at each outcome first.",
    )


def _with_zeros(ask: Ask, dtypes: Sequence[torch.dtype]) -> list[tuple[str, str]]:
    """Raise `Mistake` if a right V goes wrong where p or q is 0; a remark where it does so only if both are."""
    for case in (ZEROS, DISJOINT):
        for dtype in dtypes:
            inputs = _in(dtype, case)
            mine, best = _number(ask, inputs), float(_right(VALUE_WAYS, inputs))
            if not math.isfinite(mine):
                raise Mistake(
                    "zeros",
                    "Your formula is right, but where an outcome has probability 0 it gives no number: 0 log 0. What "
                    "never happens counts nothing in an expectation, so 0 log 0 is 0: how can you say that in code?",
                )
            if abs(mine - best) > SAME:
                raise Mistake(
                    "zeros",
                    f"Your formula is right as long as no probability is 0, but then it gives {_told(mine, 3)} for "
                    f"{_told(best, 3)}. An outcome that only one of p and q can produce still counts for that one.",
                )
    for dtype in dtypes:
        inputs = _in(dtype, NEITHER)
        try:
            fine = abs(_number(ask, inputs) - float(_right(VALUE_WAYS, inputs))) <= SAME
        except Mistake as found:
            if found.feedback.kind == "slow":
                raise
            fine = False
        if not fine:
            return [
                (
                    "neither",
                    "An outcome that neither p nor q can produce makes your D 0/0, and V goes wrong. It never comes, "
                    "so D may say anything there, and it should count nothing.",
                )
            ]
    return []


@gives_feedback
def check_optimal_value(f: Callable[[Tensor, Tensor], Tensor]) -> Feedback:
    """Say whether `f(p, q)` is the value of the game at its best discriminator, for probabilities of the same outcomes.

    V(D*) = Σ p log D* + q log(1 − D*) = 2·JS(p, q) − log 4 with D* = p/(p + q) and 0 log 0 = 0, one number in nats from
    p and q (n,). Values are compared to 1e-3 in float32 and float64, in another order of the outcomes, for p = q, for
    p and q with zeros, and for p and q that share no outcome, so any equal formula passes. A number may be a float or a
    tensor of one element. Raises nothing. Source: Goodfellow et al. (2014), eq. 4 to 6.
    """
    answer = Answer(f, "my_optimal_value(p, q)")
    own, other = _dtypes()

    def ask(case: Case) -> Tensor:
        return _ask_value(answer, case)

    cases = [_in(own, case) for case in (OUTCOMES, FEWER_OUTCOMES, EQUAL)]
    _judge(ask, VALUE_WAYS, cases, lambda seen: _unknown_value(ask, cases, seen))
    _permuted(ask, VALUE_WAYS, tuple(each[OUTCOME_ORDER] for each in cases[0]), "outcomes")
    remarks = _other_dtype(ask, VALUE_WAYS, [OUTCOMES, FEWER_OUTCOMES, EQUAL])
    remarks += _with_zeros(ask, [own] if remarks else [own, other])
    return right("This is V at D*, in nats: −log 4 where p = q, and 0 where D can never be wrong.", remarks)


# One extragradient step

# x, y, A, η. In the first two A is square but not symmetric, so that A in place of its transpose gives wrong numbers.
SQUARE = _case(
    [0.8, -0.5, 1.1], [-0.6, 0.9, 0.4], [[0.9, -0.4, 0.3], [0.7, 0.5, -0.8], [-0.2, 0.6, 1.0]], 0.4
)
SMALL_STEP = (*SQUARE[:3], 0.25)
WIDE = _case([0.8, -0.5], [-0.6, 0.9, 0.4, 1.2], [[0.9, -0.4, 0.3, 0.5], [0.7, 0.5, -0.8, -0.3]], 0.3)
X_ORDER, Y_ORDER = torch.tensor([2, 0, 1]), torch.tensor([1, 2, 0])

Step = Callable[[Tensor, Tensor, Tensor, float], tuple[Tensor, Tensor]]


def _extragradient(
    ahead: tuple[int, int] = (-1, 1),
    step: tuple[int, int] = (-1, 1),
    sizes: Callable[[float], tuple[float, float]] = lambda eta: (eta, eta),
    transposed: str = "",
) -> Step:
    """The step with the signs of x and y in its look-ahead and in itself, and with its two step sizes.

    `transposed` names the places where A and its transpose are exchanged: "x" and "y" in the look-ahead, "X" and "Y"
    in the step.
    """

    def taken(x: Tensor, y: Tensor, A: Tensor, eta: float) -> tuple[Tensor, Tensor]:
        first, second = sizes(eta)
        matrix = {place: A.T if (place in "yY") != (place in transposed) else A for place in "xyXY"}
        x_ahead = x + ahead[0] * first * matrix["x"] @ y
        y_ahead = y + ahead[1] * first * matrix["y"] @ x
        return x + step[0] * second * matrix["X"] @ y_ahead, y + step[1] * second * matrix["Y"] @ x_ahead

    return taken


def _simultaneous(x: Tensor, y: Tensor, A: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    return x - eta * A @ y, y + eta * A.T @ x


def _mix(old: float, ahead: float) -> Step:
    """A step along `old` times the gradient at the old point plus `ahead` times that at the look-ahead."""

    def taken(x: Tensor, y: Tensor, A: Tensor, eta: float) -> tuple[Tensor, Tensor]:
        x_ahead, y_ahead = _simultaneous(x, y, A, eta)
        return x - eta * A @ (old * y + ahead * y_ahead), y + eta * A.T @ (old * x + ahead * x_ahead)

    return taken


def _from(start: str) -> Step:
    """A step along the right gradient, from the look-ahead for the players in `start`."""

    def taken(x: Tensor, y: Tensor, A: Tensor, eta: float) -> tuple[Tensor, Tensor]:
        x_ahead, y_ahead = _simultaneous(x, y, A, eta)
        return (
            (x_ahead if "x" in start else x) - eta * A @ y_ahead,
            (y_ahead if "y" in start else y) + eta * A.T @ x_ahead,
        )

    return taken


def _x_first(x: Tensor, y: Tensor, A: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    x_new = x - eta * A @ y
    return x_new, y + eta * A.T @ x_new


def _y_first(x: Tensor, y: Tensor, A: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    y_new = y + eta * A.T @ x
    return x - eta * A @ y_new, y_new


def _after(look: Step) -> Step:
    """The step from the old point along the gradient at the point that `look` gives."""

    def taken(x: Tensor, y: Tensor, A: Tensor, eta: float) -> tuple[Tensor, Tensor]:
        x_ahead, y_ahead = look(x, y, A, eta)
        return x - eta * A @ y_ahead, y + eta * A.T @ x_ahead

    return taken


def _proximal(x: Tensor, y: Tensor, A: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    x_new = torch.linalg.solve(torch.eye(len(x), dtype=A.dtype) + eta**2 * A @ A.T, x - eta * A @ y)
    return x_new, y + eta * A.T @ x_new


def _own_gradient(x: Tensor, y: Tensor, A: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    x_ahead, y_ahead = x - eta * A @ x, y + eta * A.T @ y
    return x - eta * A @ x_ahead, y + eta * A.T @ y_ahead


def _twice(x: Tensor, y: Tensor, A: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    return _extragradient()(*_extragradient()(x, y, A, eta), A, eta)


FROM_LOOK_AHEAD = (
    "Your real step starts where the look-ahead ended{}. The look-ahead is only for looking: come back to the old "
    "point before you step."
)
TURNS = (
    "One player looks ahead and the other does not: {}. That is the alternating step, which only circles; "
    "here both look ahead from the old point before either moves."
)
IN_TURN = (
    "Your players take turns: in the look-ahead {} sees {} already ahead, or in the real step {} sees {} already "
    "there. Both move at the same moment: has a name been overwritten too early?"
)
BOTH_MINIMISE = (
    "Your y goes downhill like x, as if both players wanted the value small. One minimises and the other maximises: "
    "which sign does y need?"
)
BOTH_MAXIMISE = (
    "Your x goes uphill like y, as if both players wanted the value large. One minimises and the other maximises: "
    "which sign does x need?"
)
EXCHANGED = (
    "The roles are exchanged: your x maximises and your y minimises. Look at the sign of both updates, and at who "
    "wants what."
)
LOOK_AHEAD_SIGN = (
    "The real step has the right signs, but in the look-ahead {}. It should go where a plain step would go."
)
TRANSPOSE = (
    "A stands where its transpose belongs, or the reverse, {}. With a square A nothing stops you, but the gradient for "
    "a player has as many entries as that player: which side of A is summed over?"
)
ETA_MISSING = "The step size is missing in {}: there you move along the whole gradient, however small η is."
STEP_WAYS = [
    Way("right", _extragradient()),
    Way(
        "from_look_ahead",
        _from("xy"),
        FROM_LOOK_AHEAD.format(", or, which is the same, adds the old gradient to the new one"),
    ),
    Way("from_look_ahead", _from("x"), FROM_LOOK_AHEAD.format(", for x but not for y")),
    Way("from_look_ahead", _from("y"), FROM_LOOK_AHEAD.format(", for y but not for x")),
    Way(
        "simultaneous",
        _simultaneous,
        "That is the plain step: its gradient is the one at the old point, and in this game it spirals outwards. The "
        "look-ahead shows you another gradient, to be used from where you are.",
    ),
    Way("alternating", _x_first, TURNS.format("y sees where x will be, and x sees only where y was")),
    Way("alternating", _y_first, TURNS.format("x sees where y will be, and y sees only where x was")),
    Way("in_turn", _after(_x_first), IN_TURN.format("y", "x", "x", "y")),
    Way("in_turn", _after(_y_first), IN_TURN.format("x", "y", "y", "x")),
    Way("both_minimise", _extragradient((-1, -1), (-1, -1)), BOTH_MINIMISE),
    Way("both_minimise", _extragradient((-1, 1), (-1, -1)), BOTH_MINIMISE),
    Way("both_maximise", _extragradient((1, 1), (1, 1)), BOTH_MAXIMISE),
    Way("both_maximise", _extragradient((-1, 1), (1, 1)), BOTH_MAXIMISE),
    Way("exchanged", _extragradient((1, -1), (1, -1)), EXCHANGED),
    Way("exchanged", _extragradient((-1, 1), (1, -1)), EXCHANGED),
    Way(
        "look_ahead_sign",
        _extragradient((1, -1), (-1, 1)),
        LOOK_AHEAD_SIGN.format("both players go backwards"),
    ),
    Way("look_ahead_sign", _extragradient((-1, -1), (-1, 1)), LOOK_AHEAD_SIGN.format("y goes the wrong way")),
    Way("look_ahead_sign", _extragradient((1, 1), (-1, 1)), LOOK_AHEAD_SIGN.format("x goes the wrong way")),
    Way("transpose", _extragradient(transposed="xyXY"), TRANSPOSE.format("for both players")),
    Way("transpose", _extragradient(transposed="yY"), TRANSPOSE.format("in the gradient for y")),
    Way("transpose", _extragradient(transposed="xX"), TRANSPOSE.format("in the gradient for x")),
    Way("transpose", _extragradient(transposed="xy"), TRANSPOSE.format("in the look-ahead")),
    Way("transpose", _extragradient(transposed="XY"), TRANSPOSE.format("in the real step")),
    *[
        Way(
            "transpose",
            _extragradient(transposed=place),
            TRANSPOSE.format(f"for {place.lower()} in the {part}"),
        )
        for place, part in (("x", "look-ahead"), ("y", "look-ahead"), ("X", "real step"), ("Y", "real step"))
    ],
    Way(
        "optimism",
        _mix(-1, 2),
        "That is a cousin, not this: twice the new gradient minus the old one, as in optimism, which here is the same "
        "as looking two steps ahead. Extragradient uses only the gradient it finds one step ahead.",
    ),
    Way(
        "midpoint",
        _mix(0.5, 0.5),
        "You look half a step ahead or, which is the same here, average the old gradient and the new one. That is a "
        "cousin that stays near the circle; extragradient looks a full step ahead and uses only what it finds there.",
    ),
    Way(
        "half_step",
        _extragradient(sizes=lambda eta: (eta, eta / 2)),
        "The look-ahead is right, but the real step is only half as long. Both halves use the same η.",
    ),
    Way(
        "eta_missing",
        _extragradient(sizes=lambda eta: (1, eta)),
        ETA_MISSING.format("your look-ahead"),
    ),
    Way(
        "eta_missing",
        _extragradient(sizes=lambda eta: (eta, 1)),
        ETA_MISSING.format("your real step"),
    ),
    Way(
        "eta_missing",
        _extragradient(sizes=lambda eta: (1, 1)),
        ETA_MISSING.format("the look-ahead and in the real step"),
    ),
    Way(
        "eta_squared",
        _extragradient(sizes=lambda eta: (eta, eta**2)),
        "In the real step the gradient is multiplied by η twice. It is a step like any other: once is enough.",
    ),
    Way(
        "eta_squared",
        _extragradient(sizes=lambda eta: (eta**2, eta)),
        "In the look-ahead the gradient is multiplied by η twice. It is a step like any other: once is enough.",
    ),
    Way(
        "second_look",
        _after(_extragradient()),
        "You look ahead twice before you step. That takes one gradient more; here one look is enough.",
    ),
    Way(
        "two_steps",
        _twice,
        "That is right, and done twice. One call should take one step: is there a loop?",
    ),
    Way(
        "own_gradient",
        _own_gradient,
        "The gradient for x is made of x itself, and that for y of y. The value is linear in each: when you "
        "differentiate by one player, which one is left?",
    ),
    Way(
        "proximal",
        _proximal,
        "You solve for the point whose own gradient leads there: the proximal step, which extragradient imitates. Here "
        "one look ahead takes the place of solving.",
    ),
    Way(
        "players_exchanged",
        lambda x, y, A, eta: _extragradient()(x, y, A, eta)[::-1],
        "The numbers are right, but y comes first. Return the new x and then the new y.",
    ),
    Way(
        "moves",
        lambda x, y, A, eta: tuple(
            new - old for new, old in zip(_extragradient()(x, y, A, eta), (x, y), strict=True)
        ),
        "Those are the moves, how far each player goes. Wanted is where they arrive: from where do they set out?",
    ),
]


def _ask_step(answer: Answer, case: Case) -> Tensor:
    x, y = case[:2]
    value = _call(answer, case, "and the real step needs the old point")
    if isinstance(value, Tensor) or not isinstance(value, tuple | list):
        what = f"one tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else a_or_an(value)
        raise Mistake(
            "type",
            f"Your function returned {what}. Two players move, and may have different numbers of coordinates: please "
            "return a tuple, `x_new, y_new`.",
        )
    if len(value) != 2:
        raise Mistake(
            "type",
            f"Your function returned {len(value)} things, and two are wanted: the new x and the new y. The look-ahead "
            "may be forgotten.",
        )
    parts = []
    for name, part, old, size in (("x", value[0], x, "(n,)"), ("y", value[1], y, "(m,)")):
        if part is ...:
            raise Mistake("unfinished", f"Your new {name} is still a `...`. Put your own code in its place.")
        n = len(old)
        hints = {
            (): "That is one number: has the sum run over everything?",
            (n, 1): "A column too many: a vector and a matrix meet in `@` without any reshaping.",
            (1, n): "A row too many: a vector and a matrix meet in `@` without any reshaping.",
            tuple(
                case[2].shape
            ): "That is as large as A: either a column met a row, or a `*` stands for an `@`.",
        }
        if len(x) != len(y):
            hints[(len(y if name == "x" else x),)] = "That is the size of the other player."
        parts.append(_vector(part, n, size, f"the new {name}", hints))
    return torch.cat(parts)


def _unknown_step(ask: Ask, case: Case, seen: list[Tensor]) -> Mistake:
    """What can be said of a wrong step that stands in no table."""
    x, y, A, _ = case
    n = len(x)
    old = torch.cat([x, y]).double()
    if not _same(ask((x, y, A, 0.0)), old):
        return Mistake(
            "eta",
            "With η = 0 nothing should move, and your players do. Is each gradient multiplied by η before it is added, "
            "and is it added to the old point?",
        )
    best = _right(STEP_WAYS, case)
    x_is_right, y_is_right = _same(seen[0][:n], best[:n]), _same(seen[0][n:], best[n:])
    if x_is_right or y_is_right:
        fine, wrong = ("x", "y") if x_is_right else ("y", "x")
        return Mistake(
            "one_player",
            f"Your new {fine} is right, and your new {wrong} is not. Compare the two lines: sign, matrix, starting "
            "point, and at which point the other player is looked at.",
        )
    tiny = 1e-3
    moved = (ask((x, y, A, tiny)) - old) / tiny
    plain = torch.cat([-A @ y, A.T @ x]).double()
    for name, mine, want in (("x", moved[:n], plain[:n]), ("y", moved[n:], plain[n:])):
        if (mine - want).abs().max() > 0.02 * want.abs().max():
            cosine = float(torch.cosine_similarity(mine, want, dim=0))
            times = float(mine.norm() / want.norm())
            return Mistake(
                "direction",
                f"For a tiny η the look-ahead hardly matters, and the step should be that of plain gradients. Your "
                f"{name} then moves {times:.2f} times as far as it should, with cosine {_told(cosine, 2)}: check its "
                "sign, its factors and which side of A is used.",
            )
    return Mistake(
        "look_ahead",
        "For a tiny η your step is right, so its signs and sizes are. What differs is the point at which the gradients "
        "are taken: print it, and compare it with one plain step from the old point.",
    )


def _rectangular(ask: Ask, case: Case) -> None:
    """Raise `Mistake` if a step that is right for a square A is not for one with more columns than rows."""
    try:
        seen = ask(case)
    except Mistake as found:
        if found.feedback.kind not in ("raised", "sizes"):
            raise
        raise Mistake(
            "rectangular",
            f"Your step is right where A is square, but where x has {len(case[0])} coordinates and y has "
            f"{len(case[1])} it stops with an error. Look for a `stack`, and for a size taken from the wrong player.",
        ) from None
    if not _same(seen, _right(STEP_WAYS, case)):
        raise Mistake(
            "rectangular",
            "Your step is right where A is square, and wrong where x and y have different numbers of coordinates. Is a "
            "size taken from the wrong player?",
        )


@gives_feedback
def check_extragradient_step(f: Callable) -> Feedback:
    """Say whether `f(x, y, A, eta)` is one extragradient step of the game min over x, max over y of xᵀAy.

    x′ = x − ηA(y + ηAᵀx), y′ = y + ηAᵀ(x − ηAy): the gradients of the point one plain step ahead, taken from the old
    point; x (n,), y (m,), A (n, m), η a float, none with a unit; returned is the pair (x′, y′), as a tuple or a list.
    Values are compared to a relative 1e-3 in float32 and float64, for a square A, a wide one, and in another order of
    the coordinates, so any equal formula passes. Raises nothing. Source: Korpelevich (1976).
    """
    answer = Answer(f, "my_extragradient_step(x, y, A, eta)")
    own, _ = _dtypes()

    def ask(case: Case) -> Tensor:
        return _ask_step(answer, case)

    cases = [_in(own, case) for case in (SQUARE, SMALL_STEP)]
    _judge(ask, STEP_WAYS, cases, lambda seen: _unknown_step(ask, cases[0], seen))
    x, y, A, eta = cases[0]
    _permuted(ask, STEP_WAYS, (x[X_ORDER], y[Y_ORDER], A[X_ORDER][:, Y_ORDER], eta), "coordinates")
    _rectangular(ask, _in(own, WIDE))
    remarks = _other_dtype(ask, STEP_WAYS, [SQUARE, WIDE])
    return right(
        "You look ahead, come back, and step along what you saw: in this game a spiral inwards.", remarks
    )
