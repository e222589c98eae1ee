"""Checks of notebook 03, the minimax game: the best discriminator, the value it reaches, one extragradient step."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid
from torch.special import entr

from helpers.feedback import Case, Close, Feedback, Mistake, Observe, Row, Task, Trial, Wanted, diagnose
from helpers.feedback.fallbacks import scaled, told, witness
from helpers.feedback.observe import alike
from helpers.feedback.probes import at, in_any_order, in_dtype, other_dtype
from helpers.feedback.reading import numbers
from helpers.feedback.says import a_or_an

# float32 rounds to 1e-5 at most, and a clamp or a constant in a logarithm of up to 1e-4 does no harm
CLOSE = Close(3e-4, 3e-4)


def _case(**inputs: list[float]) -> Case:
    return Case({name: torch.tensor(each) for name, each in inputs.items()})


def _rows(kind: str, say: str, *ways: Callable) -> list[Row]:
    return [Row(kind, f, say) for f in ways]


def _at_an_extreme(trial: Trial, case: Case, kind: str, broken: str, cut: str) -> None:
    """Raises `Mistake` where the answer on `case`, in either dtype, is not finite, `broken`, or wrong, `cut`."""
    own = torch.get_default_dtype()
    for dtype in (own, torch.float32 if own == torch.float64 else torch.float64):
        theirs = in_dtype(case, dtype)
        best = trial.ours(theirs)["value"]
        try:
            seen = trial.ask(theirs)["value"]
        except Mistake as found:
            if found.feedback.kind not in ("raised", "logits"):
                raise
            if dtype != own:  # of that one there is a remark already
                return
            seen = torch.full_like(best, math.nan)
        if not seen.isfinite().all():
            raise Mistake(kind, broken)
        if not alike(seen, best, Close(0, 1e-3)):
            i = (seen - best).abs().argmax()
            raise Mistake(kind, cut.format(told(seen.flatten()[i]), told(best.flatten()[i])))


# The optimal discriminator

# fmt: off
DECISION = ("That is a decision, not a probability: it says which density is larger, and not by how much. D* has to be "
    "more confident where one is a hundred times the other than where they nearly agree.")
SHARES = [
    Row("right", lambda a, b: torch.sigmoid(a - b), ok=True),
    Row("ratio", lambda a, b: (a - b).exp(), "That is the ratio of the two densities, which runs from 0 to infinity. "
        "It knows all that D knows, but a probability lies between 0 and 1."),
    *_rows("decision", DECISION, lambda a, b: (a > b).to(a.dtype), lambda a, b: (a - b).sign()),
    Row("density_difference", lambda a, b: torch.sigmoid(a.exp() - b.exp()), "Your sigmoid or softmax takes the "
        "densities themselves. Its argument should be a logit, which is the *logarithm* of a ratio: which ratio?"),
    Row("logit", lambda a, b: a - b, "That is a logit, any real number. One step is missing: what makes a probability "
        "of a logit?"),
    *_rows("sigmoid_of_ratio", "Your sigmoid takes a ratio, of the densities or of their logarithms. A logit is the "
        "logarithm of a ratio: it has to be negative where fake is more likely.",
        lambda a, b: torch.sigmoid((a - b).exp()), lambda a, b: torch.sigmoid(a / b)),
    Row("sigmoid_twice", lambda a, b: torch.sigmoid(torch.sigmoid(a - b)), "The sigmoid is applied twice, so D is "
        "squeezed between 0.5 and 0.73. What goes in should be any real number."),
    *_rows("logs_as_densities", "The arguments are logarithms of densities, and you use at least one of them as if it "
        "were a density. Which of them still needs its exponential?",
        lambda a, b: a / (a + b), lambda a, b: a.exp() / (a.exp() + b), lambda a, b: a.exp() / (a + b.exp()),
        lambda a, b: a.exp() / (a + b), lambda a, b: a / (a.exp() + b.exp()), lambda a, b: a / (a + b.exp())),
    *_rows("over_points", "Your numbers sum to 1 over the points, so the points compete. At each point it is two "
        "sources that compete: over which dimension should the sum run?", lambda a, b: torch.softmax(a, 0),
        lambda a, b: torch.softmax(a - b, 0), lambda a, b: torch.softmax(torch.sigmoid(a - b), 0)),
    Row("log_d", lambda a, b: logsigmoid(a - b), "That is the logarithm of a probability, never above 0, which the "
        "value V is made of. Here the probability itself is wanted."),
    *_rows("minus_one_to_one", "Your values run from −1 to 1 and are 0 where p = q. A probability runs from 0 to "
        "1: where should it be when nothing speaks for either side?",
        lambda a, b: torch.tanh((a - b) / 2), lambda a, b: torch.tanh(a - b)),
    *_rows("scaled_logit", "D is too confident, or not confident enough: a square, a root, a 2 or another base "
        "changes the ratio that the logit is made of. What is D where one density is three times the other?",
        *[lambda a, b, size=size: torch.sigmoid(size * (a - b)) for size in (2, 0.5, math.log(2), 1 / math.log(2))]),
]
SIDES = [
    Row("right", lambda a, b: (a, b), ok=True),
    Row("fake", lambda a, b: (b, a), "Here p and q have changed places, which makes it the probability of *fake*. D "
        "says how probable it is that x is real: what should happen to it where p is much larger than q?"),
]
FACTORS = [
    Row("right", lambda d: d, ok=True),
    Row("twice", lambda d: 2 * d, "That is twice too large. If you divide by the mixture of p and q, remember its ½."),
]
HALF = Row("half", lambda c: torch.full_like(c.log_p, 0.5), "Your D is ½ everywhere, as if p and q were equal. That is "
    "where training should end; here D has two different densities to tell apart.")
UNDERFLOW = ("Your formula is right where the densities are ordinary numbers, but far out both are rounded to 0, and "
    "0/0 is no number. Their logarithms are still exact there: stay with logarithms to the end.")
OVERFLOW = ("Your formula is right where the densities are alike, but where one is e²⁰⁰ times the other an exponential "
    "is rounded to infinity, and ∞/∞ is no number. PyTorch has a function that is safe at both ends.")
CUT_OFF = ("Far out, or where one density is far larger than the other, your D is {} where it should be {}: something "
    "added, replaced or cut off decides there. Stay with the logarithms, which are still exact.")
RANGE = ("A probability lies between 0 and 1, and yours reach from {} to {}. What should D be where p is far larger "
    "than q, and what where it is far smaller?")
OTHER_POINTS = ("Your D at a point changes when other points are left out. Each point stands for itself: nothing "
    "should be summed or averaged over them.")
ONE_DENSITY = "Your D is the same whatever {0} is. It has to weigh both densities: where does `log_{0}` come in?"
D_BY_HAND = ("Where log p = {} and log q = {} your D is {}, and D* is {}. Try two places by hand: where p = q it "
    "should be ½, and where p is three times q it should be ¾.")
ONE_FOR_ALL = "That is one number for all points. D has an answer at each point."
BOTH_SIDES = "The probabilities of real and of fake are both there: return that of real."
# fmt: on


def _point_hints(c: Case) -> dict[tuple, str]:
    n = len(c.log_p)
    return {
        **dict.fromkeys([(), (1,)], ONE_FOR_ALL),
        **dict.fromkeys([(2, n), (n, 2)], BOTH_SIDES),
        (2,): "You have summed over the points. D has an answer at each point.",
        (n, 1): "The last dimension is one too many.",
        (1, n): "The first dimension is one too many.",
        (n, n): "A (n,) met a (n, 1) and grew to (n, n): print the shapes of both.",
        (n - 1,): "One point is lost: D has an answer at each.",
    }


def _which_density(trial: Trial) -> Mistake | None:
    """Whether D is out of range, looks at other points, or at one density alone."""
    case, seen, values = trial.cases[0], trial.seen[0], torch.cat([each["value"] for each in trial.seen])
    if values.min() < -1e-3 or values.max() > 1 + 1e-3:
        return Mistake("range", RANGE.format(told(values.min()), told(values.max())))
    few = trial.ask(Case({name: each[:3] for name, each in case.items()}))["value"]
    if not alike(few, seen["value"][:3], CLOSE):
        return Mistake("over_points", OTHER_POINTS)
    for name in ("q", "p"):
        if trial.task.alike(trial.ask(case.but(**{f"log_{name}": case[f"log_{name}"] - 3})), seen):
            return Mistake("one_density", ONE_DENSITY.format(name))
    return Mistake("decision", DECISION) if len(values.unique()) == 2 else None


def _d_by_hand(trial: Trial) -> Mistake:
    case, seen, best = trial.cases[0], trial.seen[0]["value"], trial.ours(trial.cases[0])["value"]
    i = int((seen - best).abs().argmax())
    return Mistake("value", D_BY_HAND.format(*map(told, (case.log_p[i], case.log_q[i], seen[i], best[i]))))


def _in_the_tails(trial: Trial) -> None:
    # Both densities underflow to 0, in float64 too, where their logarithms still tell them apart.
    far = _case(
        log_p=[-0.7, -801.0, -799.5, -2.1, -803.0, -800.4, -1.2],
        log_q=[-1.9, -800.0, -801.5, -0.8, -800.5, -801.3, -2.6],
    )
    # One density is so much larger that their ratio is infinite in float32.
    steep = _case(log_p=[-1.0, -201.0, -800.0, -1000.0, -0.5], log_q=[-201.0, -1.5, -1000.0, -800.0, -1.3])
    _at_an_extreme(trial, far, "tails", UNDERFLOW, CUT_OFF)
    _at_an_extreme(trial, steep, "tails", OVERFLOW, CUT_OFF)


DISCRIMINATOR = Task(
    usage="my_optimal_discriminator(log_p, log_q)",
    cases=lambda: [  # nowhere is p = q, and no ratio comes twice
        _case(
            log_p=[-0.7, -2.1, -1.2, -1.6, -3.0, -0.4, -0.9], log_q=[-1.9, -0.8, -2.6, -1.2, -1.1, -1.3, -2.9]
        ),
        _case(log_p=[-1.4, 0.3, -0.6, -2.4, -1.8], log_q=[-0.5, -1.0, -2.3, -0.9, -3.3]),
    ],
    tables=(SHARES, SIDES, FACTORS),
    compose=lambda c, share, side, factor: factor(share(*side(c.log_p, c.log_q))),
    ways=(HALF,),
    observe=Observe(
        Wanted("(n,)", lambda c: c.log_p.shape, _point_hints, "one probability a point, a tensor")
    ),
    close=CLOSE,
    praise="This is D*, and it still knows what to say where both densities have underflowed.",
    probes=(in_any_order("points", {"log_p": 0, "log_q": 0}), other_dtype(), _in_the_tails),
    fallbacks=(scaled("Your D", lambda c: {"n": len(c.log_p)}), _which_density),
    witness=_d_by_hand,
)


def check_optimal_discriminator(f: Callable[[Tensor, Tensor], Tensor]) -> Feedback:
    """Say whether `f(log_p, log_q)` is the best discriminator between data of density p and a generator of density q.

    D* = p/(p + q) = σ(log p − log q), shape (n,), a probability without unit, from log densities (n,) in nats of the
    same n points. Values are compared to 3e-4 in float32 and float64, in another order of the points, and where p and q
    underflow, so any equal formula passes that stays finite there. Raises nothing. Source: Goodfellow et al. (2014),
    proposition 1.
    """
    return diagnose(DISCRIMINATOR, f)


# The value at the optimal discriminator

LOG_4 = math.log(4)


def _mean(weights: Tensor, values: Tensor) -> Tensor:
    """Σ weights · values, where a weight of 0 counts nothing."""
    return torch.where(weights > 0, weights * values, 0.0).sum()


def _kl(p: Tensor, q: Tensor) -> Tensor:
    return _mean(p, torch.log(p / q))


# fmt: off
BITS = ("Somewhere the logarithm has base 2, so this is, at least in part, in bits. The course counts in nats: use the "
    "natural logarithm everywhere, in the constant too.")
MEAN = ("Somewhere you average over the outcomes, so your number depends on how many there are. An expectation weighs "
    "each outcome by its probability, and then sums.")
ONE_DISTRIBUTION = ("Both of your logarithms are averaged over the same distribution. One of them is about real "
    "samples and the other about fakes: which is which?")
WEIGHTS = [
    Row("right", lambda p, q: (p, q), ok=True),
    *_rows("one_distribution", ONE_DISTRIBUTION, lambda p, q: (p, p), lambda p, q: (q, q)),
]
DISCRIMINATORS = [
    Row("right", lambda p, q: p / (p + q), ok=True),
    Row("swapped", lambda p, q: q / (p + q), "D is exchanged with its opposite: real samples count when it calls them "
        "fake. Which of p and q belongs in the numerator of D?"),
    *_rows("discriminator", "You compute V with a D that is not the best one, so your number is below the maximum. "
        "Which D did you find at each outcome?", lambda p, q: torch.sigmoid(p - q), lambda p, q: torch.sigmoid(p / q),
        lambda p, q: torch.sigmoid(p), lambda p, q: torch.sigmoid(p / (p + q))),
]
EXPECTATIONS = [  # of the logarithm of d, under the weights w
    Row("right", lambda w, d: _mean(w, d.log()), ok=True),
    Row("mean", lambda w, d: _mean(w, d.log()) / len(w), MEAN),
    *_rows("unweighted", "The logarithms of all outcomes count alike. An expectation weighs each by how often it "
        "comes: the weights are missing.", lambda w, d: d.log().sum(), lambda w, d: d.log().mean()),
]
TERMS = [  # of the means of log D over real samples, of log(1 − D) over fakes, and of log D over fakes
    Row("right", lambda real, fake, fooled: real + fake, ok=True),
    Row("sign", lambda real, fake, fooled: -real - fake, "That is −V, the loss which the discriminator minimises. V "
        "itself is a sum of logarithms of probabilities: can it be above 0?"),
    *_rows("sign_of_one_term", "One of the two terms has the wrong sign. Both logarithms count in favour of D, and "
        "neither is above 0.", lambda real, fake, fooled: real - fake, lambda real, fake, fooled: fake - real),
    Row("other_game", lambda real, fake, fooled: real - fooled, "That is another game: −log D in the term of the fakes "
        "is what the non-saturating generator minimises. The minimax value holds the logarithm of D's probability of "
        "*fake*."),
    Row("both_real", lambda real, fake, fooled: real + fooled, "Both terms hold log D, so D would be praised for "
        "calling the fakes real. What is the probability that it gives to *fake*?"),
    *_rows("one_term", "Only one of the two terms is there. D is judged on two kinds of samples: where is the other?",
        lambda real, fake, fooled: real, lambda real, fake, fooled: fake),
]
DIVERGENCES = [  # in place of 2 · JS, which is V + log 4
    Row("right", lambda p, q, v: v + LOG_4, ok=True),
    Row("kl_reversed", lambda p, q, v: _kl((p + q) / 2, p) + _kl((p + q) / 2, q), "Your two KL divergences are the "
        "wrong way round: they average over the mixture. Which distribution does each term of V average over? "
        "(`kl_div` in PyTorch takes its arguments in the reverse order.)"),
    *_rows("entropies", "Your entropies do not balance: at p = q they should cancel. How many terms of V does the "
        "mixture come from?", lambda p, q, v: (entr((p + q) / 2) - entr(p) - entr(q)).sum(),
        lambda p, q, v: (2 * entr((p + q) / 2) - (entr(p) + entr(q)) / 2).sum()),
]
FORMS = [  # of the divergence, 2 · JS, and the number of outcomes
    Row("right", lambda two_js, n: two_js - LOG_4, ok=True),
    Row("factor", lambda two_js, n: two_js / 2 - LOG_4, "A factor is missing in front of the JS divergence. JS is the "
        "*average* of two KL divergences: what are they in V?"),
    *_rows("bits", BITS, lambda two_js, n: two_js / math.log(2) - LOG_4, lambda two_js, n: two_js - 2),
    Row("half", lambda two_js, n: (two_js - LOG_4) / 2, "That is half of V, the average of its two terms. V adds them: "
        "at p = q it should be −log 4, and yours is −log 2."),
    *_rows("mean", MEAN, lambda two_js, n: two_js / n - LOG_4, lambda two_js, n: two_js / (2 * n) - LOG_4),
    Row("sign_of_js", lambda two_js, n: -two_js - LOG_4, "Your value falls when p and q move apart, but the better D "
        "can tell them apart, the higher V climbs. Look at the sign of the divergence, or of the entropies."),
    Row("constant_twice", lambda two_js, n: two_js - 2 * LOG_4, "Your value is too small by log 4, whatever p and q "
        "are. The ½ of the mixture and the constant say the same thing: count it once."),
    Row("no_constant", lambda two_js, n: two_js, "A divergence is there, but the constant is missing: at p = q yours "
        "is 0. What is V when D can only say ½?"),
    Row("no_constant", lambda two_js, n: two_js / 2, "That is the divergence itself. V(D*) is made of it, with a "
        "factor and a constant: what is V when D can only say ½, and what when D is always right?"),
]
UNITS = [
    Row("right", lambda v: v, ok=True),
    Row("bits", lambda v: v / math.log(2), BITS),
]
FIXED = ("Your V is {} whatever p and q are. The further they are apart, the better D can tell them apart: where do "
    "they come in?")
OTHER_VALUES = [
    *[Row("fixed", lambda c, v=v: torch.tensor(v), FIXED.format(told(v))) for v in (0.0, 1.0)],
    Row("one_distribution", lambda c: _mean((c.p + c.q) / 2, (c.p * c.q / (c.p + c.q) ** 2).log()), ONE_DISTRIBUTION),
    *_rows("kl", "Your formula compares p and q directly, by a KL divergence, which can be infinite. In V(D*) each of "
        "them is compared with a third distribution: which one?",
        lambda c: _kl(c.p, c.q), lambda c: _kl(c.p, c.q) - LOG_4, lambda c: 2 * _kl(c.p, c.q) - LOG_4,
        lambda c: _kl(c.q, c.p), lambda c: _kl(c.q, c.p) - LOG_4, lambda c: _kl(c.p, c.q) + _kl(c.q, c.p),
        lambda c: _kl(c.p, c.q) + _kl(c.q, c.p) - LOG_4, lambda c: (_kl(c.p, c.q) + _kl(c.q, c.p)) / 2 - LOG_4),
    Row("log_of_mean", lambda c: (c.p**2 / (c.p + c.q)).sum().log() + (c.q**2 / (c.p + c.q)).sum().log(),
        "You take the logarithm of an average, where V has the average of a logarithm. The first is larger (Jensen): "
        "take the logarithm at each outcome."),
    Row("no_log", lambda c: ((c.p**2 + c.q**2) / (c.p + c.q)).sum(), "You average the probabilities that D gives to "
        "the right answer. V averages their logarithms."),
    Row("fixed_half", lambda c: torch.tensor(-LOG_4), "That is −log 4 whatever p and q are: V with a D that always "
        "says ½. The best D says more where p and q differ."),
]
V_ORDER = ("Your V changes when the outcomes are listed in another order. An expectation only knows how probable each "
    "outcome is, not which one comes first.")
AFFINE = ("Your V is {} · JS {} {}. A factor or the constant is not what it should be, or a number is added inside a "
    "logarithm: what is V where p = q, and what where they share no outcome?")
V_BY_HAND = ("At p = q your V {}. At p = (0.9, 0.1), q = (0.5, 0.5) it is {}, and should be {}: take that one by hand, "
    "D at each outcome first.")
ZERO_LOG_ZERO = ("Your formula is right, but where an outcome has probability 0 it gives no number: 0 log 0. What "
    "never happens counts nothing in an expectation, so 0 log 0 is 0: how can you say that in code?")
ZERO_FOR_ONE = ("Where some probabilities are 0 your V is {}, and should be {}. Is something left out, added, replaced "
    "or cut off?")
NEITHER = ("Where neither p nor q can produce an outcome your V goes wrong: is D 0/0 there? It never comes, so D may "
    "say anything, and it should count nothing.")
# fmt: on


def _compose_value(c, weigh, discriminate, expect, add, diverge, form, unit):
    (real, fake), d = weigh(c.p, c.q), discriminate(c.p, c.q)
    v = add(expect(real, d), expect(fake, 1 - d), expect(fake, d))
    return unit(form(diverge(c.p, c.q, v), len(c.p)))


def _value_hints(c: Case) -> dict[tuple, str]:
    return {
        (len(c.p),): "That is one number an outcome: what does an expectation do with them?",
        (2,): "Those are its two terms: what happens to them?",
        (len(c.p), len(c.p)): "Every p met every q. Which outcomes belong together?",
    }


def _rolled(case: Case) -> Case:
    return case.but(p=case.p.roll(2), q=case.q.roll(2))


def _of_js(trial: Trial) -> Mistake | None:
    """Whether V is fixed, knows an order, is a multiple, or a · JS + b: at p = q, the third case, JS is 0."""
    mine, best = (
        torch.stack([s["value"] for s in each]) for each in (trial.seen, map(trial.ours, trial.cases))
    )
    if alike(mine, mine[0].expand(3), CLOSE):
        return Mistake("fixed", FIXED.format(told(mine[0])))
    if not trial.task.alike(trial.ask(_rolled(trial.cases[0])), trial.seen[0]):
        return Mistake("order", V_ORDER)
    if alike(mine * best[2], mine[2] * best, CLOSE):
        return scaled("Your V")(trial)
    js = (best + LOG_4) / 2
    slope = (mine[0] - mine[2]) / js[0]
    # 45 % and 55 % in the mixture make no multiple of JS, though nearly
    if alike(mine, slope * js + mine[2], Close(1e-5, 1e-5)):
        sign = "−" if mine[2] < 0 else "+"
        return Mistake("affine", AFFINE.format(told(slope, 4), sign, told(mine[2].abs(), 4)))
    return None


def _v_by_hand(trial: Trial) -> Mistake:
    mine, best = ([told(s["value"], 4) for s in each] for each in (trial.seen, map(trial.ours, trial.cases)))
    hand = _case(p=[0.9, 0.1], q=[0.5, 0.5])
    if trial.fits(hand):
        return witness(trial)
    try:
        given = told(trial.ask(hand)["value"], 4)
    except Mistake:
        given = "an error"
    equal = "is right" if mine[2] == best[2] else f"is {mine[2]}, and should be −log 4 = {best[2]}"
    return Mistake("value", V_BY_HAND.format(equal, given, told(trial.ours(hand)["value"], 4)))


def _with_zeros(trial: Trial) -> list[tuple[str, str]]:
    """Raises `Mistake` where p or q is 0 and the answer wrong; a remark where it is so only if both are."""
    for case in (
        _case(p=[0.50, 0.00, 0.30, 0.00, 0.20], q=[0.10, 0.40, 0.00, 0.25, 0.25]),
        _case(p=[0.70, 0.00, 0.30, 0.00], q=[0.00, 0.60, 0.00, 0.40]),
    ):
        _at_an_extreme(trial, case, "zeros", ZERO_LOG_ZERO, ZERO_FOR_ONE)
    neither = _case(p=[0.50, 0.00, 0.30, 0.20, 0.00], q=[0.10, 0.00, 0.00, 0.50, 0.40])
    try:
        _at_an_extreme(trial, neither, "neither", NEITHER, NEITHER)
    except Mistake:
        return [("neither", NEITHER)]
    return []


VALUE = Task(
    usage="my_optimal_value(p, q)",
    cases=lambda: [
        _case(p=[0.40, 0.05, 0.25, 0.10, 0.20], q=[0.10, 0.30, 0.12, 0.45, 0.03]),
        _case(p=[0.15, 0.50, 0.30, 0.05], q=[0.60, 0.05, 0.22, 0.13]),
        _case(p=[0.20, 0.50, 0.30], q=[0.20, 0.50, 0.30]),
    ],
    tables=(WEIGHTS, DISCRIMINATORS, EXPECTATIONS, TERMS, DIVERGENCES, FORMS, UNITS),
    compose=_compose_value,
    ways=OTHER_VALUES,
    observe=Observe(Wanted("()", lambda c: (), _value_hints, "one number, a tensor or a float,")),
    close=CLOSE,
    praise="This is V at D*, in nats: −log 4 where p = q, and 0 where D can never be wrong.",
    probes=(at(_rolled, "order", V_ORDER), other_dtype(), _with_zeros),
    fallbacks=(_of_js,),
    witness=_v_by_hand,
)


def check_optimal_value(f: Callable[[Tensor, Tensor], Tensor]) -> Feedback:
    """Say whether `f(p, q)` is the value of the game at its best discriminator, for probabilities of the same outcomes.

    V(D*) = Σ p log D* + q log(1 − D*) = 2·JS(p, q) − log 4 with D* = p/(p + q) and 0 log 0 = 0, one number in nats from
    p and q (n,). Values are compared to 3e-4 in float32 and float64, in another order of the outcomes, for p = q, for
    p and q with zeros, and for p and q that share no outcome, so any equal formula passes. A number may be a float or a
    tensor of one element. Raises nothing. Source: Goodfellow et al. (2014), eq. 4 to 6.
    """
    return diagnose(VALUE, f)


# One extragradient step


def _plain(c: Case) -> tuple[Tensor, Tensor]:
    return c.x - c.eta * c.A @ c.y, c.y + c.eta * c.A.T @ c.x


def _proximal(c: Case) -> tuple[Tensor, Tensor]:
    x = torch.linalg.solve(torch.eye(len(c.x), dtype=c.A.dtype) + c.eta**2 * c.A @ c.A.T, _plain(c)[0])
    return x, c.y + c.eta * c.A.T @ x


# fmt: off
FROM_LOOK_AHEAD = ("Your real step starts where the look-ahead ended{}. The look-ahead is only for looking: come back "
    "to the old point before you step.")
TURNS = ("One player looks ahead and the other does not: {}. That is the alternating step, which only circles; here "
    "both look ahead from the old point before either moves.")
IN_TURN = ("Your players take turns: in the look-ahead {} sees {} already ahead, or in the real step {} sees {} "
    "already there. Both move at the same moment: has a name been overwritten too early?")
LOOK_AHEAD_SIGN = "The real step has the right signs, but in the look-ahead {}. It should go where a plain step would."
TRANSPOSE = ("A stands where its transpose belongs, or the reverse, {}. With a square A nothing stops you, but the "
    "gradient for a player has as many entries as that player: which side of A is summed over?")
ETA_MISSING = "The step size is missing in your {}: there you move along the whole gradient, however small η is."
ETA_SQUARED = "In the {} the gradient is multiplied by η twice. It is a step like any other: once is enough."
SIGNS = [
    Row("right", lambda: (-1, 1, -1, 1), ok=True),
    *_rows("both_minimise", "Your y goes downhill like x, as if both players wanted the value small. One minimises and "
        "the other maximises: which sign does y need?", lambda: (-1, -1, -1, -1), lambda: (-1, 1, -1, -1)),
    *_rows("both_maximise", "Your x goes uphill like y, as if both players wanted the value large. One minimises and "
        "the other maximises: which sign does x need?", lambda: (1, 1, 1, 1), lambda: (-1, 1, 1, 1)),
    *_rows("exchanged", "The roles are exchanged: your x maximises and your y minimises. Look at the sign of both "
        "updates, and at who wants what.", lambda: (1, -1, 1, -1), lambda: (-1, 1, 1, -1)),
    Row("look_ahead_sign", lambda: (1, -1, -1, 1), LOOK_AHEAD_SIGN.format("both players go backwards")),
    Row("look_ahead_sign", lambda: (-1, -1, -1, 1), LOOK_AHEAD_SIGN.format("y goes the wrong way")),
    Row("look_ahead_sign", lambda: (1, 1, -1, 1), LOOK_AHEAD_SIGN.format("x goes the wrong way")),
]
MATRICES = [  # the places where A and its transpose are exchanged: of x and y in the look-ahead, X and Y in the step
    Row("right", lambda: "", ok=True),
    Row("own_gradient", lambda: "own", "The gradient for x is made of x itself, and that for y of y. The value is "
        "linear in each: when you differentiate by one player, which one is left?"),
    *[
        Row("transpose", lambda places=places: places, TRANSPOSE.format(where))
        for places, where in {
            "xyXY": "for both players", "yY": "in the gradient for y", "xX": "in the gradient for x",
            "xy": "in the look-ahead", "XY": "in the real step",
            "x": "for x in the look-ahead", "y": "for y in the look-ahead",
            "X": "for x in the real step", "Y": "for y in the real step",
        }.items()
    ],
]
SIZES_AHEAD = [
    Row("right", lambda eta: eta, ok=True),
    Row("optimism", lambda eta: 2 * eta, "That is a cousin, not this: twice the new gradient minus the old one, as in "
        "optimism, which here is the same as looking two steps ahead. Extragradient uses only the gradient one step "
        "ahead."),
    Row("midpoint", lambda eta: eta / 2, "You look half a step ahead or, which is the same here, average the old "
        "gradient and the new one. That is a cousin that stays near the circle; extragradient looks a full step ahead "
        "and uses only what it finds there."),
    Row("eta_missing", lambda eta: 1, ETA_MISSING.format("look-ahead")),
    Row("eta_squared", lambda eta: eta**2, ETA_SQUARED.format("look-ahead")),
]
SIZES = [
    Row("right", lambda eta: eta, ok=True),
    Row("eta_missing", lambda eta: 1, ETA_MISSING.format("real step")),
    Row("eta_squared", lambda eta: eta**2, ETA_SQUARED.format("real step")),
]
LOOKS = [  # `go(a, b)` is a plain step from the old point, along the gradient at (a, b)
    Row("right", lambda x, y, go: go(x, y), ok=True),
    Row("in_turn", lambda x, y, go: (go(x, y)[0], go(go(x, y)[0], y)[1]), IN_TURN.format("y", "x", "x", "y")),
    Row("in_turn", lambda x, y, go: (go(x, go(x, y)[1])[0], go(x, y)[1]), IN_TURN.format("x", "y", "y", "x")),
    Row("second_look", lambda x, y, go: go(*go(x, y)), "You look ahead twice before you step. That takes one gradient "
        "more; here one look is enough."),
]
PLACES = [  # where the gradient of the real step is taken: `a` and `b` are ahead of x and y
    Row("right", lambda x, y, a, b: (a, b), ok=True),
    Row("simultaneous", lambda x, y, a, b: (x, y), "That is the plain step: its gradient is the one at the old point, "
        "and in this game it spirals outwards. The look-ahead shows another gradient, to be used from where you are."),
    Row("alternating", lambda x, y, a, b: (a, y), TURNS.format("y sees where x will be, and x sees only where y was")),
    Row("alternating", lambda x, y, a, b: (x, b), TURNS.format("x sees where y will be, and y sees only where x was")),
]
STARTS = [
    Row("right", lambda x, y, a, b: (x, y), ok=True),
    Row("from_look_ahead", lambda x, y, a, b: (a, b),
        FROM_LOOK_AHEAD.format(", or, which is the same, adds the old gradient to the new one")),
    Row("from_look_ahead", lambda x, y, a, b: (a, y), FROM_LOOK_AHEAD.format(", for x but not for y")),
    Row("from_look_ahead", lambda x, y, a, b: (x, b), FROM_LOOK_AHEAD.format(", for y but not for x")),
]
RESULTS = [
    Row("right", lambda x, y, new: new, ok=True),
    Row("players_exchanged", lambda x, y, new: new[::-1], "You return y first. Return the new x and then the new y."),
    Row("moves", lambda x, y, new: (new[0] - x, new[1] - y), "Those are the moves, how far each player goes. Wanted is "
        "where they arrive: from where do they set out?"),
]
OTHER_STEPS = [
    Row("two_steps", lambda c: STEP.best()(c.but(**dict(zip("xy", STEP.best()(c), strict=True)))), "That is right, and "
        "done twice. One call should take one step: is there a loop?"),
    Row("unmoved", lambda c: (c.x, c.y), "Nothing moves: what you return are the old x and the old y. Which names hold "
        "the new ones?"),
    Row("proximal", _proximal, "You solve for the point whose own gradient leads there: the proximal step, which "
        "extragradient imitates. Here one look ahead takes the place of solving."),
]
PLAYERS = ("Your function returned {}. Two players move, and may have different numbers of coordinates: please return "
    "a tuple, `x_new, y_new`.")
THINGS = "Your function returned {} things, and two are wanted: the new x and the new y, no look-ahead."
UNFINISHED = "Your new {} is still a `...`. Put your own code in its place."
STILL = ("With η = 0 nothing should move, and your players do. Is each gradient multiplied by η before it is added "
    "to the old point, and is nothing rounded?")
ONE_PLAYER = ("Your new {} is right, and your new {} is not. Compare the two lines: sign, matrix, starting point, and "
    "at which point the other player is looked at.")
DIRECTION = ("Where {0} is 0 the other player does not move in the look-ahead, so the new {0} is that of a plain step. "
    "Yours goes {1} times as far, with cosine {2}: check its sign, its factors and which side of A is used.")
LOOK_AHEAD = ("Where one player is 0 its own step is that of plain gradients, and there yours is right, in signs and "
    "sizes. What differs is where the gradients are taken: print that point, and compare it with one plain step.")
RECTANGULAR = ("Your step is right where A is square, but not where x and y have different numbers of coordinates: "
    "there it is wrong or stops with an error. Look for a `stack`, and for a size taken from the wrong player.")
# fmt: on


def _step(c, start, place, look, sign, exchange, size_ahead, size, end):
    signs, places = sign(), exchange()

    def go(first: int, length: float, old: tuple, seen: tuple) -> tuple[Tensor, Tensor]:
        mine = c.A.T if "xX"[first] in places else c.A
        other = c.A if "yY"[first] in places else c.A.T
        return tuple(
            z + signs[2 * first + i] * length * matrix @ seen[i if places == "own" else 1 - i]
            for i, (z, matrix) in enumerate(zip(old, (mine, other), strict=True))
        )

    ahead = look(c.x, c.y, lambda a, b: go(0, size_ahead(c.eta), (c.x, c.y), (a, b)))
    return end(c.x, c.y, go(1, size(c.eta), start(c.x, c.y, *ahead), place(c.x, c.y, *ahead)))


def _read(value: object, case: Case) -> Tensor:
    """The new x and the new y in one vector."""
    if not isinstance(value, tuple | list):
        raise Mistake("type", PLAYERS.format(a_or_an(value)))
    if len(value) != 2:
        raise Mistake("type", THINGS.format(len(value)))
    parts = []
    for name, part in zip("xy", value, strict=True):
        if part is ...:
            raise Mistake("unfinished", UNFINISHED.format(name))
        n = len(case[name])
        hints = {
            (): "That is one number: has the sum run over everything?",
            (n, 1): "A column too many: a vector and a matrix meet in `@` without any reshaping.",
            (1, n): "A row too many: a vector and a matrix meet in `@` without any reshaping.",
            (n, n): "That is as large as A: either a column met a row, or a `*` stands for an `@`.",
        }
        part = numbers(part, f"a tensor for the new {name}")
        Wanted(f"that of `{name}`", lambda c, n=n: (n,), lambda c, h=hints: h).check(part, case)
        parts.append(part)
    return torch.cat(parts)


def _where_it_differs(trial: Trial) -> Mistake | None:
    """Whether the players move at η = 0, one of them is right, or a player differs where its step is plain."""
    case = trial.cases[0]
    if not trial.task.alike(trial.ask(case.but(eta=0.0)), trial.ours(case.but(eta=0.0))):
        return Mistake("eta", STILL)
    seen, right = (each["value"].split(len(case.x)) for each in (trial.seen[0], trial.ours(case)))
    for i, (fine, wrong) in enumerate(("xy", "yx")):
        if alike(seen[i], right[i], trial.task.close):
            return Mistake("one_player", ONE_PLAYER.format(fine, wrong))
    for i, name in enumerate("xy"):
        own = case.but(**{name: torch.zeros_like(case[name])})
        mine, want = trial.ask(own)["value"].split(len(case.x))[i], _plain(own)[i].double()
        if not alike(mine, want, trial.task.close):
            cosine = torch.cosine_similarity(mine, want, dim=0)
            far = told(mine.norm() / want.norm())
            return Mistake("direction", DIRECTION.format(name, far, told(cosine, 2)))
    return None


STEP = Task(
    usage="my_extragradient_step(x, y, A, eta)",
    cases=lambda: [  # A is square but not symmetric, so that A in place of its transpose gives wrong numbers
        Case(x=torch.randn(n), y=torch.randn(n), A=0.8 * torch.randn(n, n), eta=eta)
        for n, eta in ((3, 0.4), (4, 0.25))
    ],
    tables=(STARTS, PLACES, LOOKS, SIGNS, MATRICES, SIZES_AHEAD, SIZES, RESULTS),
    compose=_step,
    ways=OTHER_STEPS,
    observe=Observe(Wanted("(n + m,)", lambda c: (len(c.x) + len(c.y),)), read=_read),
    close=Close(1e-4, 1e-6),
    praise="You look ahead, come back, and step along what you saw: in this game a spiral inwards.",
    probes=(
        in_any_order(
            "coordinates", lambda c: c.but(x=c.x.flip(0), y=c.y.roll(1), A=c.A.flip(0).roll(1, dims=1))
        ),
        at(lambda c: c.but(x=c.x[:2], A=c.A[:2]), "rectangular", RECTANGULAR),
        at(lambda c: c.but(y=c.y[:2], A=c.A[:, :2]), "rectangular", RECTANGULAR),
        other_dtype(),
    ),
    fallbacks=(_where_it_differs,),
    witness=lambda trial: Mistake("look_ahead", LOOK_AHEAD),
)


def check_extragradient_step(f: Callable) -> Feedback:
    """Say whether `f(x, y, A, eta)` is one extragradient step of the game min over x, max over y of xᵀAy.

    x′ = x − ηA(y + ηAᵀx), y′ = y + ηAᵀ(x − ηAy): the gradients of the point one plain step ahead, taken from the old
    point; x (n,), y (m,), A (n, m), η a float, none with a unit; returned is the pair (x′, y′), as a tuple or a list.
    Values are compared to a relative 1e-4 in float32 and float64, for a square A, a wide and a tall one, and in another
    order of the coordinates, so any equal formula passes. Raises nothing. Source: Korpelevich (1976).
    """
    return diagnose(STEP, f)
