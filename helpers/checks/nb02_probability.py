"""Checks of notebook 02, divergences: KL(p‖q) and the Jensen–Shannon divergence of probability vectors."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, xlogy

from helpers.feedback import Case, Close, Feedback, Mistake, Observe, Row, Task, Trial, Wanted, diagnose
from helpers.feedback.fallbacks import factor_said, told, witness
from helpers.feedback.probes import at, other_dtype

CLOSE = Close(1e-3, 1e-5)  # a guard of 1e-6 beside a probability is harmless where nothing is infinite
# (p, q) without zeros, found by a search: no two wrong rows come close on both. Then zeros in p, in q, in both.
APART = [0.18, 0.05, 0.27, 0.16, 0.34], [0.59, 0.03, 0.32, 0.04, 0.02]
FEWER = [0.39, 0.02, 0.51, 0.08], [0.05, 0.71, 0.08, 0.16]
EQUAL = [0.2, 0.5, 0.3], [0.2, 0.5, 0.3]
BY_HAND = [0.9, 0.1], [0.5, 0.5]
P_ZEROS = [0.5, 0.0, 0.3, 0.0, 0.2], [0.1, 0.4, 0.15, 0.1, 0.25]
Q_ZERO = [0.5, 0.2, 0.3, 0.0], [0.4, 0.0, 0.35, 0.25]
BOTH_ZERO = [0.6, 0.0, 0.3, 0.1], [0.2, 0.0, 0.35, 0.45]
DISJOINT = [0.7, 0.0, 0.3, 0.0], [0.0, 0.6, 0.0, 0.4]
RARE = [0.5, 0.4995, 0.0005], [0.5, 0.499999, 0.000001]  # KL is 3e-3 and JS 2e-4, from the last outcome alone


def _case(pair: tuple) -> Case:
    return Case(p=torch.tensor(pair[0]), q=torch.tensor(pair[1]))


def _rows(kind: str, say: str, *functions: Callable) -> list[Row]:
    return [Row(kind, f, say) for f in functions]


# What the two checks share: parts, probes, and what is said of unknown answers

INPUTS = [
    Row("right", lambda p, q: (p, q), ok=True),
    *_rows("softmax",
        "A softmax is applied to probabilities, and makes other probabilities of them. It belongs to logits: what you "
        "are given sums to 1 already.",
        lambda p, q: (p.softmax(0), q.softmax(0)), lambda p, q: (p, q.softmax(0))),
]  # fmt: skip
SUMS = [
    Row("right", torch.sum, ok=True),
    Row("mean", torch.mean,
        "Somewhere you average over the outcomes, so your number depends on how many there are. An expectation weighs "
        "each outcome by its probability, and then sums."),
]  # fmt: skip
UNITS = [
    Row("right", lambda v: v, ok=True),
    Row("bits", lambda v: v / math.log(2),
        "The logarithm has base 2, so this is in bits: the same divergence in another unit. The course counts in nats: "
        "which logarithm do they come from?"),
]  # fmt: skip


def _kl(p: Tensor, q: Tensor) -> Tensor:
    return xlogy(p, p) - xlogy(p, q)  # of each outcome


TERMS = [
    Row("right", _kl, ok=True),
    Row("unweighted", lambda p, q: (p / q).log(),
        "The logarithms of all outcomes count alike. An expectation weighs each outcome by how often it comes: the "
        "weights are missing."),
]  # fmt: skip
ABS = (
    "The negative terms are left out, or count without their sign. A term may be negative, where the first of its two "
    "probabilities is the smaller one: only the sum of them all may not."
)
DIFFERENCES = [
    *_rows("total_variation",
        "That adds up how far the probabilities are apart: the total variation, or twice that. It is another measure "
        "of difference, in which no logarithm occurs: where is the ratio of the two?",
        lambda c: (c.p - c.q).abs().sum(), lambda c: (c.p - c.q).abs().sum() / 2),
    *_rows("squared",
        "That is made of squared differences, as for points in space. A divergence compares probabilities by the "
        "logarithm of their ratio.",
        *[lambda c, f=f: f((c.p - c.q).square()) for f in (torch.sum, torch.mean, lambda s: s.sum().sqrt())]),
]  # fmt: skip


def _hints(c: Case) -> dict[tuple, str]:
    return {
        c.p.shape: "That is one number an outcome: what does an expectation do with them?",
        (2,): "Those are its two parts: what happens to them?",
        (len(c.p), len(c.p)): "Every p met every q. Which outcomes belong together?",
    }


OBSERVE = Observe(Wanted("()", lambda c: (), _hints, "one number"))


def _ask(trial: Trial, pair: tuple) -> float:
    """The answer's number on `pair`; NaN where it stops, as plain Python does at log 0."""
    case = _case(pair)
    try:
        value = trial.ask(case)["value"]
    except Mistake as found:
        if found.feedback.kind != "raised":
            raise
        return math.nan
    OBSERVE.wanted.check(value, case)
    return float(value)


def _near(mine: float, best: float, close: Close = CLOSE) -> bool:
    return abs(mine - best) <= close.relative * abs(best) + close.absolute  # not for NaN


def _probes(zeros: list, *further: Callable) -> tuple:
    """What is tried on a right answer: equal p and q, another order, `zeros`, a rare outcome, the other dtype."""

    def equal(trial: Trial) -> None:
        if abs(mine := _ask(trial, EQUAL)) > CLOSE.absolute or math.isnan(mine):
            raise Mistake(
                "identical",
                f"Where p = q your number is {told(mine)}, and should be 0. Is something added to a probability, or is "
                "that case treated apart?",
            )

    def with_zeros(trial: Trial) -> None:
        for pair in zeros:
            mine, best = _ask(trial, pair), float(trial.ours(_case(pair))["value"])
            if math.isnan(mine):
                raise Mistake(
                    "zeros",
                    "Your formula is right, but where an outcome has probability 0 it gives no number: 0 log 0. What "
                    "never happens counts nothing in an expectation, so 0 log 0 is 0: how can you say that in code?",
                )
            if not _near(mine, best):
                raise Mistake(
                    "zeros",
                    f"Where some probabilities are 0 your number is wrong: for p = {tuple(pair[0])}, q = "
                    f"{tuple(pair[1])} it is {told(mine, 4)}, and should be {told(best, 4)}. Is something left out, "
                    "added, replaced or cut off?",
                )

    return (
        equal,
        at(lambda c: Case(p=c.p.roll(2), q=c.q.roll(2)), "order",
           "Your number is right for one order of the outcomes and wrong for another. Is a place, a size or a number "
           "of the example written into your code?"),
        with_zeros,
        *further,
        at(lambda c: _case(RARE), "small",
           "An outcome that is rare, but does come, is left out or gets another probability. Is something added, cut "
           "off or compared with a threshold above 0?", Close(1e-2, 5e-5)),
        other_dtype(cases=lambda trial: [*trial.cases, *map(_case, (EQUAL, *zeros))]),
        at(lambda c: _case(BOTH_ZERO), "neither",
           "Where neither p nor q can produce an outcome your answer goes wrong: is there a ratio 0/0? It never comes, "
           "so it should count nothing.", remark=True),
    )  # fmt: skip


def _unknown(name: str, symmetric: bool) -> Callable:
    """A fallback that looks where p = q, at another order, at p and q exchanged, for a factor and a constant."""
    exact = Close(1e-5, 1e-6)  # a mixture of 45 % and 55 % makes 1.009 JS of one pair and 1.008 JS of another

    def fallback(trial: Trial) -> Mistake | None:
        mine, best = ([float(seen["value"]) for seen in each] for each in (trial.seen, next(trial.rights())))
        equal, turned = _ask(trial, EQUAL), _ask(trial, tuple(each[::-1] for each in APART))
        slope, zero = (mine[0] - equal) / best[0], abs(equal) <= CLOSE.absolute
        made = name if abs(slope - 1) < 5e-4 else f"{told(slope, 4)} · {name}"
        made += "" if zero else f" {'−' if equal < 0 else '+'} {told(abs(equal))}"
        why = f": {factor_said(slope)}" if factor_said(slope) else ""
        said = [
            (all(_near(each, equal) for each in mine), "fixed",
             f"Your number is {told(equal)} whatever p and q are. The further they are apart, the larger {name} should "
             "be: where do they come in?"),
            (not _near(turned, mine[0]), "order",
             f"Your number changes when the outcomes are listed in another order. {name} only knows how probable each "
             "outcome is, not which one comes first."),
            (symmetric and not _near(_ask(trial, APART[::-1]), mine[0], exact), "asymmetric",
             f"Your number changes when p and q change places, and {name} does not. Which weight, or which term, "
             "treats one of them differently from the other?"),
            (_near(mine[1], slope * best[1] + equal, exact) and made != name, "affine",
             f"Your number is {made}. The divergence is there, but a factor or a constant is not what it should "
             f"be{why}. What should it be where p = q, and in which unit?"),
            (not zero, "not_zero",
             f"Where p = q your number is {told(equal)}. A divergence compares two distributions, and finds nothing "
             "there: which of your terms should cancel?"),
            (min(mine) < -CLOSE.absolute, "negative",
             f"Your number can be below 0: here it is {told(min(mine))}. A divergence never is: look at the signs, and "
             "at which distribution each logarithm is averaged over."),
        ]  # fmt: skip
        return next((Mistake(kind, text) for wrong, kind, text in said if wrong), None)

    return fallback


def _by_hand(trial: Trial) -> Mistake:
    mine, best = _ask(trial, BY_HAND), float(trial.ours(_case(BY_HAND))["value"])
    if _near(mine, best):
        return witness(trial)
    return Mistake(
        "value",
        "Where p = q your number is 0, as it should be. At p = (0.9, 0.1), q = (0.5, 0.5) it is "
        f"{told(mine, 4)}, and should be {told(best, 4)}: take that one by hand, one outcome after the other.",
    )


# KL(p‖q)


def _js(p: Tensor, q: Tensor) -> Tensor:
    return (_kl(p, (p + q) / 2) + _kl(q, (p + q) / 2)) / 2


KL_TERMS = [
    *TERMS,
    *_rows("abs", ABS, lambda p, q: _kl(p, q).abs(), lambda p, q: _kl(p, q).relu()),
    Row("reversed", lambda p, q: _kl(q, p),
        "That is the other direction, KL(q‖p), and the two differ. Whose samples are averaged over in KL(p‖q)? "
        "(`kl_div` in PyTorch takes its arguments in the reverse order.)"),
    Row("sign", lambda p, q: -_kl(p, q),
        "That is −KL(p‖q). A divergence is never below 0: is the ratio in the logarithm upside down, or a minus sign "
        "too many?"),
    Row("weights", lambda p, q: -_kl(q, p),
        "The logarithm of the ratio is averaged over q, or the other direction has a minus sign. Which of the two "
        "distributions do the samples of KL(p‖q) come from?"),
    *_rows("entropy",
        "That is the entropy of one of the two, up to its sign, and the other is missing. A divergence compares them: "
        "what does each outcome cost under p, and what under q?",
        lambda p, q: p * p.log(), lambda p, q: -p * p.log(), lambda p, q: q * q.log(), lambda p, q: -q * q.log()),
    *_rows("cross_entropy",
        "That is a cross-entropy, up to its sign, which is not 0 where p = q. A part of it knows only one of the two: "
        "what is left when that is taken away?",
        lambda p, q: -p * q.log(), lambda p, q: p * q.log(), lambda p, q: -q * p.log()),
    *_rows("entropies",
        "Those are two entropies, each under its own distribution, and their difference. In KL both logarithms are "
        "averaged over the same distribution: which one?",
        lambda p, q: p * p.log() - q * q.log(), lambda p, q: q * q.log() - p * p.log()),
    *_rows("no_log",
        "That is made of the ratio itself, or of its square (the χ² divergence). KL averages the *logarithm* of the "
        "ratio.",
        lambda p, q: (p - q).square() / q, lambda p, q: p * p / q, lambda p, q: p / q),
    *_rows("input_of_kl_div",
        "One of the two stands in the difference without its logarithm. If that is `kl_div` of PyTorch: what does it "
        "want as its first argument?",
        lambda p, q: p * (p.log() - q), lambda p, q: q * (q.log() - p)),
    *_rows("js",
        "You compare with the mixture of p and q: that is the Jensen–Shannon divergence, or a part of it. With what "
        "does KL compare p?",
        _js, lambda p, q: 2 * _js(p, q), lambda p, q: _kl(p, (p + q) / 2)),
    *_rows("symmetrised",
        "That is made of both directions, and comes out the same when p and q change places. KL(p‖q) looks from one "
        "side only: whose samples are averaged over?",
        lambda p, q: _kl(p, q) + _kl(q, p), lambda p, q: (_kl(p, q) + _kl(q, p)) / 2),
]  # fmt: skip
LOGS_OF_MEANS = _rows("log_of_mean",
    "You take the logarithm of an average, where KL has the average of a logarithm. The first is larger (Jensen): take "
    "the logarithm at each outcome, and sum last.",
    lambda c: (c.p * c.p / c.q).sum().log(), lambda c: (c.p / c.q).sum().log(), lambda c: (c.p / c.q).mean().log(),
)  # fmt: skip


def _infinite(trial: Trial) -> None:
    """A probe: +∞ where q = 0 < p."""
    where = "Zeros in p are right, but where p can produce an outcome that q calls impossible you give"
    for pair in (Q_ZERO, DISJOINT):
        mine = _ask(trial, pair)
        said = [
            (_near(mine, sum(a * math.log(a / b) for a, b in zip(*pair, strict=True) if a * b)), "left_out",
             "An outcome that q calls impossible and p does not is left out of your sum. It may be dropped where *p* "
             "is 0, because it never comes; but this one does come: what does it cost?"),
            (math.isfinite(mine), "hidden_infinity",
             f"{where} {told(round(mine, 1), 7)}: a finite number stands for an infinity. Something added, replaced or "
             "cut off decides how large KL is there, and it should be truly infinite."),
            (mine != math.inf, "infinity",
             f"{where} {'no number' if math.isnan(mine) else '−∞'}. What is its self-information under q?"),
        ]  # fmt: skip
        for wrong, kind, text in said:
            if wrong:
                raise Mistake(kind, text)


KL = Task(
    usage="my_kl(p, q)",
    cases=lambda: [_case(APART), _case(FEWER)],
    tables=(INPUTS, KL_TERMS, SUMS, UNITS),
    compose=lambda c, given, terms, total, unit: unit(total(terms(*given(c.p, c.q)))),
    ways=(*DIFFERENCES, *LOGS_OF_MEANS),
    observe=OBSERVE,
    close=CLOSE,
    praise="This is KL(p‖q) in nats: 0 only where p = q, and infinite where q calls impossible what p can do.",
    probes=_probes([P_ZEROS], _infinite),
    fallbacks=(_unknown("KL", symmetric=False),),
    witness=_by_hand,
)


def check_discrete_kl(f: Callable[[Tensor, Tensor], Tensor]) -> Feedback:
    """Say whether `f(p, q)` is the Kullback–Leibler divergence of probabilities of the same outcomes.

    KL(p‖q) = Σ p log(p/q) with 0 log 0 = 0, infinite where q = 0 < p; one number in nats from p and q (n,). Values are
    compared to 1e-3 in float32 and float64, in another order of the outcomes, for p = q and with zeros in p or q, so
    any equal formula passes. A number may be a float or a tensor of one element. Raises nothing. Source: Kullback and
    Leibler (1951).
    """
    return diagnose(KL, f)


# The Jensen–Shannon divergence, from what `side` gives for p and for q, each with the mixture m


def _entropy(p: Tensor) -> Tensor:
    return torch.special.entr(p).sum()


def _jeffreys(c: Case) -> Tensor:
    return (_kl(c.p, c.q) + _kl(c.q, c.p)).sum()


NOT_HALVED = (
    "The m you compare with sums to 2, so that p = q does not give 0. What turns p + q into a distribution?"
)


def _mix(first: float, second: float) -> Callable:
    """The mixture of p and q, and what each of them weighs."""
    return lambda p, q: ((p + q) / 2, first, second)


MIXTURES = [
    Row("right", _mix(0.5, 0.5), ok=True),
    Row("gan_value", lambda p, q: (p + q, 1, 1),
        "That is the value of the GAN game, or it comes from an m that sums to 2. JS is made of the same terms, but it "
        "is 0 where p = q: which factor and which constant have to go?"),
    Row("no_half", _mix(1, 1),
        "That is twice JS: at its largest it would be log 4. JS is the *average* of its two divergences."),
    *_rows("one_side", "Only one of the two divergences is there. JS looks from both sides: what does the other say?",
        _mix(1, 0), _mix(0.5, 0), _mix(0, 1), _mix(0, 0.5)),
]  # fmt: skip
SIDES = [
    *TERMS,
    Row("reversed", lambda p, m: _kl(m, p),
        "Your two KL divergences are the wrong way round: they average over the mixture. Whose samples does each of "
        "them average over? (`kl_div` in PyTorch takes its arguments in the reverse order.)"),
]  # fmt: skip
RESULTS = [
    Row("right", lambda v: v, ok=True),
    Row("sign", lambda v: -v,
        "That is −JS. A divergence is never below 0: is a ratio upside down, or are the entropies subtracted the wrong "
        "way round?"),
    Row("distance", lambda v: v.sqrt(),
        "That is the square root of JS: the Jensen–Shannon *distance*, which is what SciPy returns. Here the "
        "divergence itself is wanted."),
]  # fmt: skip
JS_WAYS = [
    *DIFFERENCES,
    Row("abs", lambda c: sum(_kl(each, (c.p + c.q) / 2).abs().sum() for each in (c.p, c.q)) / 2, ABS),
    *_rows("kl",
        "You compare p and q directly, in one direction or in both (Jeffreys' divergence), which can be infinite. JS "
        "compares each of them with something between the two.",
        lambda c: _kl(c.p, c.q).sum(), lambda c: _kl(c.q, c.p).sum(), _jeffreys, lambda c: _jeffreys(c) / 2),
    *_rows("geometric",
        "You compare with the geometric mean of p and q, which is 0 wherever one of them is. The mixture of two "
        "distributions is another mean: how often does an outcome come if it is sampled from each with probability ½?",
        lambda c: _jeffreys(c) / 4, lambda c: _jeffreys(c) / 4 + (c.p * c.q).sqrt().sum().log()),
    *_rows("not_halved", NOT_HALVED, lambda c: _js(c.p, c.q).sum() - math.log(2),
        lambda c: _entropy(c.p + c.q) - (_entropy(c.p) + _entropy(c.q)) / 2),
    Row("coin", lambda c: math.log(2) - _js(c.p, c.q).sum(),
        "That is log 2 − JS: how uncertain it stays whether p or q made an outcome. JS is what an outcome tells about "
        "it: how uncertain was it before?"),
    *_rows("entropies",
        "Your entropies do not balance: where p = q they should cancel. Which signs, and which weights, do the "
        "entropies of p and q need beside that of the mixture?",
        *[lambda c, a=a, b=b: _entropy((c.p + c.q) / 2) + a * _entropy(c.p) + b * _entropy(c.q)
          for a, b in ((-1, -1), (0.5, 0.5), (-0.5, 0.5), (-0.5, -1), (0, 0))]),
    Row("one_distribution", lambda c: (c.p * (4 * c.p * c.q / (c.p + c.q) ** 2).log()).sum() / 2,
        "Both of your logarithms are averaged over p. One of them is about the samples of q: which is which?"),
]  # fmt: skip


def _compose(c, given, side, total, mix, result, unit):
    p, q = given(c.p, c.q)
    m, first, second = mix(p, q)
    return result(unit(first * total(side(p, m)) + second * total(side(q, m))))


JS = Task(
    usage="my_js(p, q)",
    cases=lambda: [_case(APART), _case(FEWER)],
    tables=(INPUTS, SIDES, SUMS, MIXTURES, RESULTS, UNITS),
    compose=_compose,
    ways=JS_WAYS,
    observe=OBSERVE,
    close=CLOSE,
    praise="This is JS in nats: 0 where p = q, and log 2 where they share nothing, however far apart.",
    probes=_probes([Q_ZERO, DISJOINT]),
    fallbacks=(_unknown("JS", symmetric=True),),
    witness=_by_hand,
)


def check_js(f: Callable[[Tensor, Tensor], Tensor]) -> Feedback:
    """Say whether `f(p, q)` is the Jensen–Shannon divergence of probabilities of the same outcomes.

    JS(p, q) = ½ KL(p‖m) + ½ KL(q‖m) with m = (p + q)/2 and 0 log 0 = 0; one number in nats, from 0 to log 2, from p and
    q (n,). Values are compared to 1e-3 in float32 and float64, in another order of the outcomes, for p = q, for p and q
    with zeros, and for p and q that share no outcome, so any equal formula passes. A number may be a float or a tensor
    of one element. Raises nothing. Source: Lin (1991), half of eq. 3.4.
    """
    return diagnose(JS, f)
