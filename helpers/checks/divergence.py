"""Checks of notebook 02, divergences: KL(p‖q) and the Jensen–Shannon divergence of probability vectors.

An answer is called on a few small vectors without zeros, and compared with the right formula and with every wrong one
in a table. Then come the zeros: where p has them, where q has them and KL is infinite, and where both have.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from helpers.checks.frame import Answer, Feedback, Mistake, a_or_an, finite, gives_feedback, right
from helpers.checks.game import (
    DISJOINT,
    EQUAL,
    NEITHER,
    OUTCOME_ORDER,
    SAME,
    ZEROS,
    Ask,
    Case,
    Way,
    _call,
    _case,
    _dtypes,
    _entropy,
    _in,
    _js,
    _judge,
    _kl,
    _mean,
    _number,
    _other_dtype,
    _permuted,
    _right,
    _same,
    _told,
)

# Probabilities of 5 and of 4 outcomes, found by a search: no two ways of a table come closer than 0.018 on both.
APART = _case([0.18, 0.05, 0.27, 0.16, 0.34], [0.59, 0.03, 0.32, 0.04, 0.02])
FEWER = _case([0.39, 0.02, 0.51, 0.08], [0.05, 0.71, 0.08, 0.16])
# Zeros in p alone; then an outcome that q calls impossible and p does not; then one that neither can produce.
P_ZEROS = _case([0.50, 0.00, 0.30, 0.00, 0.20], [0.10, 0.40, 0.15, 0.10, 0.25])
Q_ZERO = _case([0.50, 0.20, 0.30, 0.00], [0.40, 0.00, 0.35, 0.25])
BOTH_ZERO = _case([0.60, 0.00, 0.30, 0.10], [0.20, 0.00, 0.35, 0.45])
BY_HAND = _case([0.9, 0.1], [0.5, 0.5])


# What the two checks share


def _ask(answer: Answer, name: str, case: Case) -> Tensor:
    """The number that the answer gives on `case`, as a vector of one, NaN and infinity included."""
    n = len(case[0])
    value = _call(answer, case, "and the next one to use these probabilities would be surprised")
    if isinstance(value, tuple | list) and len(value) == 2:
        raise Mistake(
            "type", f"Your function returned two things. {name} is one number: what happens to its two parts?"
        )
    if not isinstance(value, Tensor):
        try:
            value = torch.as_tensor(value, dtype=torch.float64)
        except (TypeError, ValueError, RuntimeError):
            raise Mistake(
                "type",
                f"Your function returned {a_or_an(value)}. {name} is one number: a tensor or a float.",
            ) from None
    if value.numel() != 1:
        shape = tuple(value.shape)
        hints = {
            (n,): "That is one number an outcome: what does an expectation do with them?",
            (2,): "Those are its two parts: what happens to them?",
            (n, n): "Every p met every q. Which outcomes belong together?",
        }
        hint = hints.get(shape, "Over what should still be summed?")
        raise Mistake("shape", f"{name} is one number, but yours has shape {shape}. {hint}")
    return value.detach().reshape(1).double()


def _asks(f: Callable, usage: str, name: str) -> tuple[Ask, Ask]:
    """Two ways to call `f`: one that takes any number, and one to which NaN and infinity are mistakes."""
    answer = Answer(f, usage)

    def ask_any(case: Case) -> Tensor:
        return _ask(answer, name, case)

    def ask(case: Case) -> Tensor:
        value = ask_any(case)
        finite(value)
        return value

    return ask, ask_any


def _identical(ask: Ask, name: str, case: Case) -> None:
    """Raise `Mistake` if an answer that is right for p ≠ q is not 0 for p = q."""
    mine = _number(ask, case)
    if not abs(mine) <= SAME:  # so written, NaN is a mistake too
        raise Mistake(
            "identical",
            f"Your formula is right where p and q differ, but where they are the same it gives {_told(mine, 3)}. "
            f"What is {name} of a distribution and itself?",
        )


def _zeros(
    ask: Ask, ways: list[Way], cases: Sequence[Case], dtypes: Sequence[torch.dtype], hint: str
) -> None:
    """Raise `Mistake` if an answer that is right without zeros is not on `cases`, where the right one is finite."""
    for case in cases:
        for dtype in dtypes:
            inputs = _in(dtype, case)
            mine, best = _number(ask, inputs), float(_right(ways, inputs))
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
                    f"{_told(best, 3)}. {hint}",
                )


def _neither(ask: Ask, ways: list[Way], case: Case, dtypes: Sequence[torch.dtype]) -> list[tuple[str, str]]:
    """A remark if the answer goes wrong only where p and q are both 0."""
    for dtype in dtypes:
        inputs = _in(dtype, case)
        try:
            fine = abs(_number(ask, inputs) - float(_right(ways, inputs))) <= SAME
        except Mistake as found:
            if found.feedback.kind == "slow":
                raise
            fine = False
        if not fine:
            return [
                (
                    "neither",
                    "An outcome that neither p nor q can produce makes a ratio 0/0, and your answer goes wrong. It "
                    "never comes, so it should count nothing.",
                )
            ]
    return []


def _unknown(
    ask: Ask, ways: list[Way], name: str, cases: Sequence[Case], seen: list[Tensor], symmetric: bool
) -> Mistake:
    """What can be said of a wrong divergence that stands in no table."""
    mine, best = torch.cat(seen), torch.cat([_right(ways, case) for case in cases])
    at_equal = _number(ask, _in(cases[0][0].dtype, EQUAL))
    if _same(mine, mine[0]) and abs(at_equal - float(mine[0])) <= SAME:
        return Mistake(
            "fixed",
            f"Your number is {_told(mine[0], 2)} whatever p and q are. The further they are apart, the larger {name} "
            "should be: where do they come in?",
        )
    p, q = cases[0]
    if not _same(ask((p[OUTCOME_ORDER], q[OUTCOME_ORDER])), seen[0]):
        return Mistake(
            "order",
            f"Your number changes when the outcomes are listed in another order. {name} only knows how probable each "
            "outcome is, not which one comes first.",
        )
    if symmetric and not _same(ask((q, p)), seen[0]):
        return Mistake(
            "asymmetric",
            f"Your number changes when p and q change places, and {name} does not. Which weight, or which term, "
            "treats one of them differently from the other?",
        )
    slope = (mine[0] - at_equal) / best[0]
    if _same(mine, slope * best + at_equal):
        constant = "" if abs(at_equal) <= SAME else f" {'−' if at_equal < 0 else '+'} {abs(at_equal):.2f}"
        return Mistake(
            "affine",
            f"Your number is {_told(slope, 2)} · {name}{constant}. The divergence is there, but a factor or a constant "
            "is not what it should be: what should it be where p = q, and in which unit?",
        )
    if not abs(at_equal) <= SAME:
        return Mistake(
            "not_zero",
            f"Where p = q your number is {_told(at_equal, 3)}. A divergence compares two distributions, and finds "
            "nothing there: which of your terms should cancel?",
        )
    if mine.min() < -SAME:
        return Mistake(
            "negative",
            f"Your number can be below 0: here it is {_told(mine.min(), 3)}. A divergence never is: look at the signs, "
            "and at which distribution each logarithm is averaged over.",
        )
    by_hand, by_heart = _number(ask, _in(p.dtype, BY_HAND)), float(_right(ways, BY_HAND))
    if abs(by_hand - by_heart) <= 5 * SAME:
        return Mistake(
            "value",
            f"On {len(p)} outcomes your number is {_told(mine[0], 3)}, and should be {_told(best[0], 3)}, but on two "
            "it can be right. Is something added to the probabilities, or does something hold for two outcomes only?",
        )
    return Mistake(
        "value",
        "Where p = q your number is 0, as it should be. At p = (0.9, 0.1), q = (0.5, 0.5) it is "
        f"{_told(by_hand, 3)}, and should be {_told(by_heart, 3)}: take that one by hand, one outcome after the other.",
    )


def _softmax(p: Tensor) -> Tensor:
    return torch.softmax(p, 0)


def _size(p: Tensor, log_ratio: Tensor) -> Tensor:
    return (p * log_ratio).abs().sum()


def _trapezoid(p: Tensor, log_ratio: Tensor) -> Tensor:
    return torch.trapezoid(p * log_ratio)


BITS = (
    "The logarithm has base 2, so this is in bits: the same divergence in another unit. The course counts in nats: "
    "which logarithm do they come from?"
)
MEAN = (
    "Somewhere you average over the outcomes, so your number depends on how many there are. An expectation weighs "
    "each outcome by its probability, and then sums."
)
SOFTMAX = (
    "A softmax is applied to probabilities, and makes other probabilities of them. It belongs to logits: what you are "
    "given sums to 1 already."
)
TOTAL_VARIATION = (
    "That adds up how far the probabilities are apart: the total variation, or twice that. It is another measure of "
    "difference, in which no logarithm occurs: where is the ratio of the two?"
)
SQUARED = (
    "That is made of squared differences, as for points in space. A divergence compares probabilities by the logarithm "
    "of their ratio."
)
TRAPEZOID = (
    "The first and the last outcome count only half: the trapezoidal rule is for densities on a grid. Outcomes have "
    "probabilities, and these are summed."
)
UNWEIGHTED = (
    "You {} the logarithms of all outcomes alike. An expectation weighs each outcome by how often it comes: the "
    "weights are missing."
)
ABS = (
    "The size of each term is summed, without its sign. A term may be negative: it is only the sum of them all that "
    "cannot be."
)

# KL(p‖q)

SYMMETRISED = (
    "That is made of both directions, and comes out the same when p and q change places. KL(p‖q) looks from one side "
    "only: whose samples are averaged over?"
)
ENTROPY = (
    "That is the entropy of {}, up to its sign, and the other distribution is missing. A divergence compares two: what "
    "does each outcome cost under one of them, and what under the other?"
)
CROSS_ENTROPY = (
    "That is the cross-entropy{}, which is not 0 where p = q. A part of it has nothing to do with q: what is left when "
    "that is taken away?"
)
ENTROPIES = (
    "Those are two entropies, each under its own distribution, and their difference. In KL both logarithms are "
    "averaged over the same distribution: which one?"
)
SQUARED_RATIO = (
    "That is made of the ratio itself, or of its square (the χ² divergence). KL averages the *logarithm* of the "
    "ratio."
)
LOG_OF_MEAN = (
    "You take the logarithm of an average, where KL has the average of a logarithm. The first is larger (Jensen): take "
    "the logarithm at each outcome, and sum last."
)
INPUT_OF_KL_DIV = (
    "One of the two stands in the difference without its logarithm. If that is `kl_div` of PyTorch: what does it want "
    "as its first argument?"
)
KL_WAYS = [
    Way("right", _kl),
    Way(
        "reversed",
        lambda p, q: _kl(q, p),
        "That is the other direction, KL(q‖p), and the two differ. Whose samples are averaged over in KL(p‖q)? "
        "(`kl_div` in PyTorch takes its arguments in the reverse order.)",
    ),
    Way(
        "sign",
        lambda p, q: -_kl(p, q),
        "That is −KL(p‖q). A divergence is never below 0: is the ratio in the logarithm upside down, or a minus sign "
        "too many?",
    ),
    Way(
        "weights",
        lambda p, q: -_kl(q, p),
        "The logarithm of the ratio is averaged over q, or the other direction has a minus sign. Which of the two "
        "distributions draws the samples in KL(p‖q)?",
    ),
    Way("mean", lambda p, q: _kl(p, q) / len(p), MEAN),
    Way("bits", lambda p, q: _kl(p, q) / math.log(2), BITS),
    Way("unweighted", lambda p, q: (p / q).log().sum(), UNWEIGHTED.format("add")),
    Way("unweighted", lambda p, q: (p / q).log().mean(), UNWEIGHTED.format("average")),
    Way(
        "ratio_as_weight",
        lambda p, q: (p / q * (p / q).log()).sum(),
        "You weigh each logarithm by the ratio p/q, and these weights do not sum to 1. How often does each outcome "
        "come?",
    ),
    Way("entropy", lambda p, q: _mean(p, p.log()), ENTROPY.format("p")),
    Way("entropy", lambda p, q: _entropy(p), ENTROPY.format("p")),
    Way("entropy", lambda p, q: _mean(q, q.log()), ENTROPY.format("q")),
    Way("entropy", lambda p, q: _entropy(q), ENTROPY.format("q")),
    Way("cross_entropy", lambda p, q: -_mean(p, q.log()), CROSS_ENTROPY.format("")),
    Way("cross_entropy", lambda p, q: _mean(p, q.log()), CROSS_ENTROPY.format(", with the other sign")),
    Way("cross_entropy", lambda p, q: -_mean(q, p.log()), CROSS_ENTROPY.format(" of q against p")),
    Way(
        "entropy_added",
        lambda p, q: _entropy(p) - _mean(p, q.log()),
        "The cross-entropy and the entropy are both there, but they are added. Where p = q they should cancel: which "
        "sign does that ask for?",
    ),
    Way("entropies", lambda p, q: _entropy(q) - _entropy(p), ENTROPIES),
    Way("entropies", lambda p, q: _entropy(p) - _entropy(q), ENTROPIES),
    Way("total_variation", lambda p, q: (p - q).abs().sum(), TOTAL_VARIATION),
    Way("total_variation", lambda p, q: (p - q).abs().sum() / 2, TOTAL_VARIATION),
    Way("squared", lambda p, q: (p - q).square().sum(), SQUARED),
    Way("squared", lambda p, q: (p - q).square().mean(), SQUARED),
    Way("squared", lambda p, q: (p - q).norm(), SQUARED),
    Way("no_log", lambda p, q: ((p - q).square() / q).sum(), SQUARED_RATIO),
    Way("no_log", lambda p, q: (p * p / q).sum(), SQUARED_RATIO),
    Way("no_log", lambda p, q: (p / q).sum(), SQUARED_RATIO),
    Way("no_log", lambda p, q: (p / q).mean(), SQUARED_RATIO),
    Way("log_of_mean", lambda p, q: (p * p / q).sum().log(), LOG_OF_MEAN),
    Way("log_of_mean", lambda p, q: (p / q).sum().log(), LOG_OF_MEAN),
    Way("log_of_mean", lambda p, q: (p / q).mean().log(), LOG_OF_MEAN),
    Way(
        "difference",
        lambda p, q: (p * (p - q)).sum(),
        "You average the difference of the probabilities. It is the difference of their *logarithms* that KL averages.",
    ),
    Way(
        "ratio_of_logs",
        lambda p, q: (p * p.log() / q.log()).sum(),
        "You divide one logarithm by the other. The logarithm of a ratio is something else.",
    ),
    Way("input_of_kl_div", lambda p, q: (p * (p.log() - q)).sum(), INPUT_OF_KL_DIV),
    Way("input_of_kl_div", lambda p, q: (q * (q.log() - p)).sum(), INPUT_OF_KL_DIV),
    Way("input_of_kl_div", lambda p, q: (p * (p.log() - q)).mean(), INPUT_OF_KL_DIV),
    Way(
        "js",
        _js,
        "That is the Jensen–Shannon divergence, which is symmetric and never above log 2. KL compares p and q without "
        "anything between them.",
    ),
    Way(
        "mixture",
        lambda p, q: _kl(p, (p + q) / 2),
        "You compare p with the mixture of p and q. That is one of the two parts of the Jensen–Shannon divergence: "
        "with what does KL compare p?",
    ),
    Way(
        "mixture",
        lambda p, q: 2 * _js(p, q),
        "You compare p and q with their mixture, and add both: twice the Jensen–Shannon divergence. With what does KL "
        "compare p?",
    ),
    Way("symmetrised", lambda p, q: _kl(p, q) + _kl(q, p), SYMMETRISED),
    Way("symmetrised", lambda p, q: (_kl(p, q) + _kl(q, p)) / 2, SYMMETRISED),
    Way("softmax", lambda p, q: _kl(_softmax(p), _softmax(q)), SOFTMAX),
    Way("softmax", lambda p, q: _kl(p, _softmax(q)), SOFTMAX),
    Way("abs", lambda p, q: _size(p, (p / q).log()), ABS),
    Way(
        "clamped",
        lambda p, q: (p * (p / q).log()).clamp(min=0).sum(),
        "The negative terms are left out. Where p is smaller than q a term is below 0, and it should be: only the sum "
        "cannot be.",
    ),
    Way("trapezoid", lambda p, q: _trapezoid(p, (p / q).log()), TRAPEZOID),
]


def _infinite(ask_any: Ask, dtypes: Sequence[torch.dtype]) -> None:
    """Raise `Mistake` if the answer is not +∞ where q = 0 < p."""
    for case in (Q_ZERO, DISJOINT):
        for dtype in dtypes:
            inputs = _in(dtype, case)
            mine = _number(ask_any, inputs)
            if mine == math.inf:
                continue
            p, q = _in(torch.float64, inputs)
            common = float(_mean(p[q > 0], torch.log(p[q > 0] / q[q > 0])))
            if not math.isfinite(mine):
                what = "−∞" if mine == -math.inf else "no number"
                raise Mistake(
                    "infinity",
                    f"Zeros in p are right, but where p can produce an outcome that q calls impossible you give {what}."
                    " How surprised is someone who believes q when that outcome comes?",
                )
            if abs(mine - common) <= SAME:
                raise Mistake(
                    "left_out",
                    "An outcome that q calls impossible and p does not is left out of your sum. It may be dropped "
                    "where *p* is 0, because it never comes; but this one does come: what does it cost?",
                )
            shown = _told(mine, 2) if abs(mine) < 1e4 else f"{mine:.0e}"
            raise Mistake(
                "hidden_infinity",
                f"Where p can produce an outcome that q calls impossible you give {shown}: a small number hides an "
                "infinity. Something added, replaced or cut off decides how large KL is there; it should be truly "
                "infinite.",
            )


@gives_feedback
def check_discrete_kl(f: Callable[[Tensor, Tensor], Tensor]) -> Feedback:
    """Say whether `f(p, q)` is the Kullback–Leibler divergence of probabilities of the same outcomes.

    KL(p‖q) = Σ p log(p/q) with 0 log 0 = 0, infinite where q = 0 < p; one number in nats from p and q (n,). Values are
    compared to 1e-3 in float32 and float64, in another order of the outcomes, for p = q and with zeros in p or q, so
    any equal formula passes. A number may be a float or a tensor of one element. Raises nothing. Source: Kullback and
    Leibler (1951).
    """
    ask, ask_any = _asks(f, "my_kl(p, q)", "KL")
    own, other = _dtypes()
    cases = [_in(own, case) for case in (APART, FEWER)]
    _judge(ask, KL_WAYS, cases, lambda seen: _unknown(ask, KL_WAYS, "KL", cases, seen, symmetric=False))
    _identical(ask, "KL", _in(own, EQUAL))
    _permuted(ask, KL_WAYS, tuple(each[OUTCOME_ORDER] for each in cases[0]), "outcomes")
    remarks = _other_dtype(ask, KL_WAYS, [APART, FEWER, EQUAL])
    dtypes = [own] if remarks else [own, other]
    hint = "Where p is 0 the outcome never comes, and what never comes counts nothing."
    _zeros(ask, KL_WAYS, [P_ZEROS], dtypes, hint)
    _infinite(ask_any, dtypes)
    remarks += _neither(ask, KL_WAYS, BOTH_ZERO, dtypes)
    return right(
        "This is KL(p‖q) in nats: 0 only where p = q, and infinite where q calls impossible what p can do.",
        remarks,
    )


# The Jensen–Shannon divergence


def _to_mean(mean: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """½ KL(p‖m) + ½ KL(q‖m) for the m that `mean` makes of p and q."""
    return lambda p, q: (_kl(p, mean(p, q)) + _kl(q, mean(p, q))) / 2


def _geometric(p: Tensor, q: Tensor) -> Tensor:
    return (p * q).sqrt()


def _skewed(weight: float) -> Callable[[Tensor, Tensor], Tensor]:
    """The divergence from the mixture that holds p with `weight`."""

    def divergence(p: Tensor, q: Tensor) -> Tensor:
        m = weight * p + (1 - weight) * q
        return weight * _kl(p, m) + (1 - weight) * _kl(q, m)

    return divergence


def _weighed(first: float, second: float) -> Callable[[Tensor, Tensor], Tensor]:
    """The two divergences from the even mixture with these weights."""
    return lambda p, q: first * _kl(p, (p + q) / 2) + second * _kl(q, (p + q) / 2)


def _from_mixture(p: Tensor, q: Tensor) -> Tensor:
    return _kl((p + q) / 2, p) + _kl((p + q) / 2, q)


def _log_ratios(p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    m = (p + q) / 2
    return (p / m).log(), (q / m).log()


NO_HALF = "That is twice JS: at its largest it would be log 4. JS is the *average* of its two divergences."
NOT_HALVED = (
    "Your number can be below 0, as no divergence is: the m you compare with sums to 2. What turns p + q into a "
    "distribution?"
)
GEOMETRIC = (
    "You compare with the geometric mean of p and q, which is 0 wherever one of them is. The mixture of two "
    "distributions is another mean: what do you get by drawing from p or from q, by the toss of a coin?"
)
DISTANCE = (
    "That is the square root of JS: the Jensen–Shannon *distance*, which is what SciPy returns. Here the divergence "
    "itself is wanted."
)
JEFFREYS = (
    "You compare p and q directly in both directions, and that (Jeffreys' divergence) can be infinite. JS compares "
    "each of them with something between the two."
)
KL = (
    "That is KL({}‖{}), which compares them directly, from one side, and can be infinite. JS compares each of them "
    "with something between the two."
)
ONE_SIDE = (
    "Only one of the two divergences is there, that of {}. JS looks from both sides: what does the other one "
    "say?"
)
REVERSED = (
    "Your two KL divergences are the wrong way round: they average over the mixture. Whose samples does each of them "
    "average over? (`kl_div` in PyTorch takes its arguments in the reverse order.)"
)
BALANCE = (
    "Your entropies do not balance: where p = q they should cancel. Which signs, and which weights, do the entropies "
    "of p and q need beside that of the mixture?"
)
WEIGHTS = (
    "The two sides do not count the same: one has more weight than the other. JS stays the same when p and q change "
    "places, so what are its weights?"
)
JS_WAYS = [
    Way("right", _js),
    Way("no_half", lambda p, q: 2 * _js(p, q), NO_HALF),
    Way("not_halved", _to_mean(lambda p, q: p + q), NOT_HALVED),
    Way("not_halved", lambda p, q: _entropy(p + q) - (_entropy(p) + _entropy(q)) / 2, NOT_HALVED),
    Way(
        "gan_value",
        lambda p, q: 2 * _js(p, q) - math.log(4),
        "That is the value of the GAN game, or it comes from an m that sums to 2. JS is made of the same terms, but it "
        "is 0 where p = q: which factor and which constant have to go?",
    ),
    Way(
        "gan_value",
        lambda p, q: _js(p, q) - math.log(4),
        "The divergence is there, but log 4 is taken away from it, as in the value of the GAN game. What should JS be "
        "where p = q?",
    ),
    Way("geometric", _to_mean(_geometric), GEOMETRIC),
    Way("geometric", _to_mean(lambda p, q: _geometric(p, q) / _geometric(p, q).sum()), GEOMETRIC),
    Way("distance", lambda p, q: _js(p, q).sqrt(), DISTANCE),
    Way("distance", lambda p, q: (_js(p, q) / math.log(2)).sqrt(), DISTANCE),
    Way("bits", lambda p, q: _js(p, q) / math.log(2), BITS),
    Way("mean", lambda p, q: _js(p, q) / len(p), MEAN),
    Way("mean", lambda p, q: 2 * _js(p, q) / len(p), MEAN),
    Way("jeffreys", lambda p, q: _kl(p, q) + _kl(q, p), JEFFREYS),
    Way("jeffreys", lambda p, q: (_kl(p, q) + _kl(q, p)) / 2, JEFFREYS),
    Way("kl", _kl, KL.format("p", "q")),
    Way("kl", lambda p, q: _kl(q, p), KL.format("q", "p")),
    Way("one_side", _weighed(0.5, 0), ONE_SIDE.format("p")),
    Way("one_side", _weighed(0, 0.5), ONE_SIDE.format("q")),
    Way("one_side", _weighed(1, 0), ONE_SIDE.format("p")),
    Way("one_side", _weighed(0, 1), ONE_SIDE.format("q")),
    Way("reversed", lambda p, q: _from_mixture(p, q) / 2, REVERSED),
    Way("reversed", _from_mixture, REVERSED),
    Way(
        "sign",
        lambda p, q: -_js(p, q),
        "That is −JS. A divergence is never below 0: is a ratio upside down, or are the entropies subtracted the wrong "
        "way round?",
    ),
    Way("entropies", lambda p, q: _entropy((p + q) / 2) - _entropy(p) - _entropy(q), BALANCE),
    Way("entropies", lambda p, q: _entropy((p + q) / 2) + (_entropy(p) + _entropy(q)) / 2, BALANCE),
    Way("entropies", lambda p, q: _entropy((p + q) / 2) - (_entropy(p) - _entropy(q)) / 2, BALANCE),
    Way("entropies", lambda p, q: _entropy((p + q) / 2) - _entropy(p) / 2 - _entropy(q), BALANCE),
    Way(
        "entropies",
        lambda p, q: _entropy((p + q) / 2),
        "That is the entropy of the mixture alone. How much of it is there already in p and in q?",
    ),
    Way("weights", _weighed(0.5, 1), WEIGHTS),
    Way("weights", _weighed(1, 0.5), WEIGHTS),
    *[Way("weights", _skewed(weight), WEIGHTS) for weight in (0.25, 0.75)],
    *[Way("weights", _weighed(weight, 1 - weight), WEIGHTS) for weight in (0.25, 0.75)],
    Way("unweighted", lambda p, q: sum(_log_ratios(p, q)).sum() / 2, UNWEIGHTED.format("add")),
    Way("unweighted", lambda p, q: sum(_log_ratios(p, q)).mean() / 2, UNWEIGHTED.format("average")),
    Way(
        "one_distribution",
        lambda p, q: _mean(p, sum(_log_ratios(p, q))) / 2,
        "Both of your logarithms are averaged over p. One of them is about the samples of q: who draws which?",
    ),
    Way(
        "no_log",
        lambda p, q: (p * p / (p + q) + q * q / (p + q)).sum(),
        "You average the ratios to the mixture, where JS averages their logarithms.",
    ),
    Way("total_variation", lambda p, q: (p - q).abs().sum(), TOTAL_VARIATION),
    Way("total_variation", lambda p, q: (p - q).abs().sum() / 2, TOTAL_VARIATION),
    Way("squared", lambda p, q: (p - q).square().sum(), SQUARED),
    Way("softmax", lambda p, q: _js(_softmax(p), _softmax(q)), SOFTMAX),
    Way("abs", lambda p, q: sum(map(_size, (p, q), _log_ratios(p, q))) / 2, ABS),
    Way("trapezoid", lambda p, q: sum(map(_trapezoid, (p, q), _log_ratios(p, q))) / 2, TRAPEZOID),
]


@gives_feedback
def check_js(f: Callable[[Tensor, Tensor], Tensor]) -> Feedback:
    """Say whether `f(p, q)` is the Jensen–Shannon divergence of probabilities of the same outcomes.

    JS(p, q) = ½ KL(p‖m) + ½ KL(q‖m) with m = (p + q)/2 and 0 log 0 = 0; one number in nats, from 0 to log 2, from p and
    q (n,). Values are compared to 1e-3 in float32 and float64, in another order of the outcomes, for p = q, for p and q
    with zeros, and for p and q that share no outcome, so any equal formula passes. A number may be a float or a tensor
    of one element. Raises nothing. Source: Lin (1991), half of eq. 3.4.
    """
    ask, _ = _asks(f, "my_js(p, q)", "JS")
    own, other = _dtypes()
    cases = [_in(own, case) for case in (APART, FEWER)]
    _judge(ask, JS_WAYS, cases, lambda seen: _unknown(ask, JS_WAYS, "JS", cases, seen, symmetric=True))
    _identical(ask, "JS", _in(own, EQUAL))
    _permuted(ask, JS_WAYS, tuple(each[OUTCOME_ORDER] for each in cases[0]), "outcomes")
    remarks = _other_dtype(ask, JS_WAYS, [APART, FEWER, EQUAL])
    dtypes = [own] if remarks else [own, other]
    hint = "An outcome that only one of p and q can produce still counts for that one."
    _zeros(ask, JS_WAYS, [ZEROS, DISJOINT], dtypes, hint)
    remarks += _neither(ask, JS_WAYS, NEITHER, dtypes)
    return right(
        "This is JS in nats: 0 where p = q, and log 2 where they share nothing, however far apart.", remarks
    )
