"""Checks of notebook 02, divergences: KL(p‖q) and the Jensen–Shannon divergence of probability vectors."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, xlogy

from helpers.feedback import Case, Close, Feedback, Mistake, Observe, Row, Task, Trial, Wanted, diagnose
from helpers.feedback.fallbacks import factor_said, told, witness
from helpers.feedback.probes import at, in_the_tails, other_dtype

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
    Row("trapezoid", torch.trapezoid,
        "The first and the last outcome count only half: the trapezoidal rule is for densities on a grid. Outcomes "
        "have probabilities, and these are summed."),
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
ABS = "The size of each term is summed, without its sign. A term may be negative, and only the sum of them all may not."
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


def _near(mine: float, best: float) -> bool:
    return abs(mine - best) <= CLOSE.relative * abs(best) + CLOSE.absolute  # not for NaN


def _probes(zeros: list, hint: str, *further: Callable) -> tuple:
    """What is tried on a right answer: `hint` is what to say where it goes wrong on `zeros`."""

    def on(pair):
        return lambda c: _case(pair)

    no_number = (
        "Your formula is right, but where an outcome has probability 0 it gives no number: 0 log 0. What never happens "
        "counts nothing in an expectation, so 0 log 0 is 0: how can you say that in code?"
    )
    return (
        at(on(EQUAL), "identical",
           "Your formula is right where p and q differ, but not where they are the same. What is the divergence of a "
           "distribution and itself?"),
        at(lambda c: Case(p=c.p.roll(2), q=c.q.roll(2)), "order",
           "Your number is right for one order of the outcomes and wrong for another. Is a place, a size or a number "
           "of the example written into your code?"),
        *[in_the_tails(on(pair), no_number, "", "zeros") for pair in zeros],
        *[at(on(pair), "zeros", f"Your formula is right as long as no probability is 0, and wrong where one is. {hint}")
          for pair in zeros],
        *further,
        at(on(RARE), "small",
           "An outcome that is rare, but does come, is left out or gets another probability. Is something added, cut "
           "off or compared with a threshold above 0?", Close(1e-2, 5e-5)),
        other_dtype(cases=lambda trial: [*trial.cases, *map(_case, (EQUAL, *zeros))]),
        at(on(BOTH_ZERO), "neither",
           "An outcome that neither p nor q can produce makes a ratio 0/0, and your answer goes wrong. It never comes, "
           "so it should count nothing.", remark=True),
    )  # fmt: skip


def _unknown(name: str, symmetric: bool) -> Callable:
    """A fallback that looks where p = q, at another order, at p and q exchanged, for a factor and a constant."""

    def fallback(trial: Trial) -> Mistake | None:
        mine, best = ([float(seen["value"]) for seen in each] for each in (trial.seen, next(trial.rights())))
        equal, turned = _ask(trial, EQUAL), _ask(trial, tuple(each[::-1] for each in APART))
        slope, zero = (mine[0] - equal) / best[0], abs(equal) <= CLOSE.absolute
        made = name if abs(slope - 1) < 2e-3 else f"{told(slope)} · {name}"
        made += "" if zero else f" {'−' if equal < 0 else '+'} {told(abs(equal))}"
        why = f": {factor_said(slope)}" if factor_said(slope) else ""
        said = [
            (all(_near(each, equal) for each in mine), "fixed",
             f"Your number is {told(equal)} whatever p and q are. The further they are apart, the larger {name} should "
             "be: where do they come in?"),
            (not _near(turned, mine[0]), "order",
             f"Your number changes when the outcomes are listed in another order. {name} only knows how probable each "
             "outcome is, not which one comes first."),
            (symmetric and not _near(_ask(trial, APART[::-1]), mine[0]), "asymmetric",
             f"Your number changes when p and q change places, and {name} does not. Which weight, or which term, "
             "treats one of them differently from the other?"),
            (_near(mine[1], slope * best[1] + equal) and made != name, "affine",
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


ENTROPY = (
    "That is the entropy of {}, up to its sign, and the other distribution is missing. A divergence compares two: what "
    "does each outcome cost under one of them, and what under the other?"
)
CROSS_ENTROPY = (
    "That is the cross-entropy{}, which is not 0 where p = q. A part of it has nothing to do with q: what is left when "
    "that is taken away?"
)
KL_TERMS = [
    *TERMS,
    Row("abs", lambda p, q: _kl(p, q).abs(), ABS),
    Row("clamped", lambda p, q: _kl(p, q).relu(),
        "The negative terms are left out. Where p is smaller than q a term is below 0, and it should be: only the sum "
        "cannot be."),
    Row("reversed", lambda p, q: _kl(q, p),
        "That is the other direction, KL(q‖p), and the two differ. Whose samples are averaged over in KL(p‖q)? "
        "(`kl_div` in PyTorch takes its arguments in the reverse order.)"),
    Row("sign", lambda p, q: -_kl(p, q),
        "That is −KL(p‖q). A divergence is never below 0: is the ratio in the logarithm upside down, or a minus sign "
        "too many?"),
    Row("weights", lambda p, q: -_kl(q, p),
        "The logarithm of the ratio is averaged over q, or the other direction has a minus sign. Which of the two "
        "distributions draws the samples in KL(p‖q)?"),
    Row("ratio_as_weight", lambda p, q: p / q * (p / q).log(),
        "You weigh each logarithm by the ratio p/q, and these weights do not sum to 1. How often does each outcome "
        "come?"),
    *_rows("entropy", ENTROPY.format("p"), lambda p, q: p * p.log(), lambda p, q: -p * p.log()),
    *_rows("entropy", ENTROPY.format("q"), lambda p, q: q * q.log(), lambda p, q: -q * q.log()),
    Row("cross_entropy", lambda p, q: -p * q.log(), CROSS_ENTROPY.format("")),
    Row("cross_entropy", lambda p, q: p * q.log(), CROSS_ENTROPY.format(", with the other sign")),
    Row("cross_entropy", lambda p, q: -q * p.log(), CROSS_ENTROPY.format(" of q against p")),
    Row("entropy_added", lambda p, q: -p * (p * q).log(),
        "The cross-entropy and the entropy are both there, but they are added. Where p = q they should cancel: which "
        "sign does that ask for?"),
    *_rows("entropies",
        "Those are two entropies, each under its own distribution, and their difference. In KL both logarithms are "
        "averaged over the same distribution: which one?",
        lambda p, q: p * p.log() - q * q.log(), lambda p, q: q * q.log() - p * p.log()),
    *_rows("no_log",
        "That is made of the ratio itself, or of its square (the χ² divergence). KL averages the *logarithm* of the "
        "ratio.",
        lambda p, q: (p - q).square() / q, lambda p, q: p * p / q, lambda p, q: p / q),
    Row("difference", lambda p, q: p * (p - q),
        "You average the difference of the probabilities. It is the difference of their *logarithms* that KL averages."
        ),
    Row("ratio_of_logs", lambda p, q: p * p.log() / q.log(),
        "You divide one logarithm by the other. The logarithm of a ratio is something else."),
    *_rows("input_of_kl_div",
        "One of the two stands in the difference without its logarithm. If that is `kl_div` of PyTorch: what does it "
        "want as its first argument?",
        lambda p, q: p * (p.log() - q), lambda p, q: q * (q.log() - p)),
    Row("js", _js,
        "That is the Jensen–Shannon divergence, which is symmetric and never above log 2. KL compares p and q without "
        "anything between them."),
    Row("mixture", lambda p, q: _kl(p, (p + q) / 2),
        "You compare p with the mixture of p and q. That is one of the two parts of the Jensen–Shannon divergence: "
        "with what does KL compare p?"),
    Row("mixture", lambda p, q: 2 * _js(p, q),
        "You compare p and q with their mixture, and add both: twice the Jensen–Shannon divergence. With what does KL "
        "compare p?"),
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
             f"{where} {told(mine, 2)}: a small number hides an infinity. Something added, replaced or cut off decides "
             "how large KL is there, and it should be truly infinite."),
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
    probes=_probes([P_ZEROS], "What never comes counts nothing, whatever q says.", _infinite),
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
DIRECTLY = (
    "That is KL({}), which compares them directly, from one side, and can be infinite. JS compares each of them with "
    "something between the two."
)
ONE_SIDE = (
    "Only one of the two divergences is there, that of {}. JS looks from both sides: what does the other say?"
)


def _mix(share: float, first: float, second: float) -> Callable:
    """The mixture that holds p with `share`, and what p and q weigh."""
    return lambda p, q: (share * p + (1 - share) * q, first, second)


MIXTURES = [
    Row("right", _mix(0.5, 0.5, 0.5), ok=True),
    Row("not_halved", lambda p, q: (p + q, 0.5, 0.5), NOT_HALVED),
    Row("gan_value", lambda p, q: (p + q, 1, 1),
        "That is the value of the GAN game, or it comes from an m that sums to 2. JS is made of the same terms, but it "
        "is 0 where p = q: which factor and which constant have to go?"),
    Row("no_half", _mix(0.5, 1, 1),
        "That is twice JS: at its largest it would be log 4. JS is the *average* of its two divergences."),
    *_rows("one_side", ONE_SIDE.format("p"), _mix(0.5, 1, 0), _mix(0.5, 0.5, 0)),
    *_rows("one_side", ONE_SIDE.format("q"), _mix(0.5, 0, 1), _mix(0.5, 0, 0.5)),
    *_rows("weights",
        "The two sides do not count the same: one has more weight than the other. JS stays the same when p and q "
        "change places, so what are its weights?",
        _mix(0.5, 0.5, 1), _mix(0.5, 1, 0.5), _mix(0.5, 0.25, 0.75), _mix(0.5, 0.75, 0.25),
        _mix(0.25, 0.25, 0.75), _mix(0.75, 0.75, 0.25), _mix(0.25, 0.5, 0.5), _mix(0.75, 0.5, 0.5)),
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
    Row("gan_value", lambda c: _js(c.p, c.q).sum() - math.log(4),
        "The divergence is there, but log 4 is taken away from it, as in the value of the GAN game. What should JS be "
        "where p = q?"),
    Row("abs", lambda c: sum(_kl(each, (c.p + c.q) / 2).abs().sum() for each in (c.p, c.q)) / 2, ABS),
    Row("kl", lambda c: _kl(c.p, c.q).sum(), DIRECTLY.format("p‖q")),
    Row("kl", lambda c: _kl(c.q, c.p).sum(), DIRECTLY.format("q‖p")),
    *_rows("jeffreys",
        "You compare p and q directly in both directions, and that (Jeffreys' divergence) can be infinite. JS compares "
        "each of them with something between the two.",
        _jeffreys, lambda c: _jeffreys(c) / 2),
    *_rows("geometric",
        "You compare with the geometric mean of p and q, which is 0 wherever one of them is. The mixture of two "
        "distributions is another mean: how often does an outcome come if a fair coin says which one to sample from?",
        lambda c: _jeffreys(c) / 4, lambda c: _jeffreys(c) / 4 + (c.p * c.q).sqrt().sum().log()),
    Row("not_halved", lambda c: _entropy(c.p + c.q) - (_entropy(c.p) + _entropy(c.q)) / 2, NOT_HALVED),
    *_rows("entropies",
        "Your entropies do not balance: where p = q they should cancel. Which signs, and which weights, do the "
        "entropies of p and q need beside that of the mixture?",
        *[lambda c, a=a, b=b: _entropy((c.p + c.q) / 2) + a * _entropy(c.p) + b * _entropy(c.q)
          for a, b in ((-1, -1), (0.5, 0.5), (-0.5, 0.5), (-0.5, -1))]),
    Row("entropies", lambda c: _entropy((c.p + c.q) / 2),
        "That is the entropy of the mixture alone. How much of it is there already in p and in q?"),
    Row("one_distribution", lambda c: (c.p * (4 * c.p * c.q / (c.p + c.q) ** 2).log()).sum() / 2,
        "Both of your logarithms are averaged over p. One of them is about the samples of q: who draws which?"),
    Row("no_log", lambda c: ((c.p**2 + c.q**2) / (c.p + c.q)).sum(),
        "You average the ratios to the mixture, where JS averages their logarithms."),
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
    probes=_probes([Q_ZERO, DISJOINT], "What only p or only q can produce still counts."),
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
