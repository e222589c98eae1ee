"""Check of notebook 09: the estimate of log p(x) by importance sampling.

An answer is judged by its values, on weights of ordinary size and on such as leave the floats. A wrong one is explained
by the fewest wrong parts, out of tables, that give the same numbers.
"""

import copy
import functools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checks.bound import (
    ELBO_SIZES,
    Case,
    _choices,
    _elbo_case,
    _log_normal,
    _rate,
    _same,
    _says_wrong,
)
from helpers.checks.frame import Answer, Feedback, Mistake, Way, gives_feedback, right, tensor
from helpers.checks.vae import SAME, Part
from helpers.theory import LinearGaussian, log_mean_exp

EXTREME = (700, 0.05, (1.0, 2.65, 1.0, 2.65))  # D, s, each row's error in units of s: weights of e^±1000


def _sigma(c: Case) -> Tensor:
    return (c.log_var / 2).exp()


def _log_q(c: Case, z: Tensor) -> Tensor:
    return _log_normal(z, c.mu, c.log_var)


def _standard(z: Tensor) -> Tensor:
    return _log_normal(z, torch.zeros_like(z), torch.zeros_like(z))


def _joint(c: Case, z: Tensor) -> Tensor:
    return c.model.log_likelihood(c.x, z) + c.model.log_prior(z)


# The parts of an estimate: the draws, the logarithm of their weights (K, B), their mean, the result (B,)

DRAWS = [
    Part("right", lambda c: c.mu + _sigma(c) * c.eps, ok=True),
    Part(
        "mirrored",
        lambda c: c.mu - _sigma(c) * c.eps,
        "You subtract σ·ε where one usually adds it. A Gaussian is symmetric, so this changes nothing on average.",
        ok=True,
    ),
    Part(
        "antithetic",
        lambda c: torch.cat([c.mu + s * _sigma(c) * c.eps for s in (1, -1)]),
        "You use each `eps` with both signs. That is allowed, and takes out some of the noise.",
        ok=True,
    ),
    Part(
        "no_draws",
        lambda c: c.mu.expand_as(c.eps),
        "Your z is μ every time, so `eps` has no effect and all weights are equal. The weights are a mean over draws "
        "from q.",
    ),
    Part(
        "not_from_q",
        lambda c: c.eps,
        "Your z is `eps` itself, a draw from N(0, I). Where do μ and σ of the guess come in?",
    ),
    Part(
        "variance_for_deviation",
        lambda c: c.mu + c.log_var.exp() * c.eps,
        "Your noise is multiplied by the variance, where the standard deviation belongs. `log_var` is log σ².",
    ),
    Part(
        "log_for_deviation",
        lambda c: c.mu + c.log_var * c.eps,
        "Your noise is multiplied by `log_var` itself. It is a logarithm, and may be negative: how does it become σ?",
    ),
    Part(
        "log_for_deviation",
        lambda c: c.mu + c.log_var / 2 * c.eps,
        "Your noise is multiplied by log σ. How does it become σ?",
    ),
    Part(
        "root",
        lambda c: c.mu + (c.log_var / 4).exp() * c.eps,
        "Your noise is multiplied by √σ. The exponential of half of `log_var` is σ already.",
    ),
    Part(
        "unit_deviation",
        lambda c: c.mu + c.eps,
        "Your draws have the standard deviation 1. The guess has one of its own, σ.",
    ),
    Part("no_mean", lambda c: _sigma(c) * c.eps, "Your draws lie around 0. Where does μ come in?"),
    Part(
        "same_noise",
        lambda c: c.mu + _sigma(c) * c.eps[:, :1],
        "All observations share the noise of the first. `eps` has noise for each of them.",
    ),
    Part(
        "one_draw",
        lambda c: (c.mu + _sigma(c) * c.eps)[:1],
        "You use the first of the K draws only. `eps` holds them along its first dimension.",
    ),
]

TWO_PI = "A factor 2π is missing in q's density. It does not depend on z, and still shifts your log p(x)."
Q_SPREAD = "The spread in your log q is not that of your draws: q's density holds {}, where σ belongs."
WEIGHTS = [
    Part("right", lambda c, z: _joint(c, z) - _log_q(c, z), ok=True),
    Part(
        "no_prior",
        lambda c, z: c.model.log_likelihood(c.x, z) - _log_q(c, z),
        "The prior is missing: nothing in your weight asks how likely z is under p(z).",
    ),
    Part(
        "no_q",
        lambda c, z: _joint(c, z),
        "You drew from q and never divided by it. Where q draws often, each draw must count for less.",
    ),
    Part(
        "likelihood_only",
        lambda c, z: c.model.log_likelihood(c.x, z),
        "You average p(x|z) alone. That is right for draws from the prior; yours come from q, and need a correction.",
    ),
    Part(
        "no_likelihood",
        lambda c, z: c.model.log_prior(z) - _log_q(c, z),
        "Your weight does not look at x: p(x|z) is missing.",
    ),
    Part(
        "ratio_inverted",
        lambda c, z: c.model.log_likelihood(c.x, z) + _log_q(c, z) - c.model.log_prior(z),
        "The ratio of prior and guess stands upside down. Which of them should be there, and which was drawn from?",
    ),
    Part(
        "inverted",
        lambda c, z: _log_q(c, z) - _joint(c, z),
        "Your weight stands upside down: it is large where x is unlikely.",
    ),
    Part(
        "q_added",
        lambda c, z: _joint(c, z) + _log_q(c, z),
        "You multiply by q, and should divide: log q has the wrong sign.",
    ),
    Part(
        "prior_sign",
        lambda c, z: c.model.log_likelihood(c.x, z) - c.model.log_prior(z) - _log_q(c, z),
        "You divide by the prior, and should multiply: log p(z) has the wrong sign.",
    ),
    Part(
        "posterior_only",
        lambda c, z: -_log_q(c, z),
        "Your weight is one over q and nothing else. What is the integrand of p(x)?",
    ),
    Part(
        "q_spread",
        lambda c, z: _joint(c, z) - _log_normal(z, c.mu, 2 * c.log_var),
        Q_SPREAD.format("σ² as its deviation"),
    ),
    Part(
        "q_spread",
        lambda c, z: _joint(c, z) - _log_normal(z, c.mu, c.log_var / 2),
        Q_SPREAD.format("√σ as its deviation"),
    ),
    Part(
        "q_spread",
        lambda c, z: _joint(c, z) - _log_normal(z, c.mu, 0 * c.log_var),
        Q_SPREAD.format("a deviation of 1"),
    ),
    Part(
        "q_place",
        lambda c, z: _joint(c, z) - _log_normal(z, 0 * c.mu, c.log_var),
        "Your log q is centred at 0. The guess is centred at μ.",
    ),
    Part(
        "q_of_eps",
        lambda c, z: _joint(c, z) - _standard((z - c.mu) / _sigma(c)),
        "You divide by the density of ε, and z has another one: stretching by σ thins a density out. Which factor is "
        "that, in each dimension?",
    ),
    Part(
        "q_of_eps",
        lambda c, z: _joint(c, z) - _standard((z - c.mu) / _sigma(c)) - c.log_var.sum(-1) / 2,
        "You correct the density of ε by the factor of the stretching, in the wrong direction: a wide q is thin.",
    ),
    Part(
        "q_of_eps",
        lambda c, z: _joint(c, z) - _standard((z - c.mu) / _sigma(c)) + c.log_var.sum(-1),
        "Your log q holds log σ² where log σ belongs: a ½ is missing.",
    ),
    Part(
        "constants",
        lambda c, z: _joint(c, z) - _log_q(c, z) - c.mu.shape[1] * math.log(2 * math.pi) / 2,
        TWO_PI,
    ),
    Part(
        "mean_of_dimensions",
        lambda c, z: _joint(c, z) - _log_q(c, z) / c.mu.shape[1],
        "You average log q over the latent dimensions. Independent numbers have a product for a density: sum.",
    ),
    Part(
        "likelihood_place",
        lambda c, z: c.model.log_likelihood(c.x, c.mu) + c.model.log_prior(z) - _log_q(c, z),
        "You ask how well μ explains x. All three densities belong to one and the same z.",
    ),
    Part(
        "prior_place",
        lambda c, z: (
            c.model.log_likelihood(c.x, z) + c.model.log_prior((z - c.mu) / _sigma(c)) - _log_q(c, z)
        ),
        "You ask how likely `eps` is under the prior. All three densities belong to one and the same z.",
    ),
    Part(
        "q_at_mean",
        lambda c, z: _joint(c, z) - _log_q(c, c.mu),
        "Your log q is that of μ. All three densities belong to one and the same z.",
    ),
    Part(
        "kl",
        lambda c, z: c.model.log_likelihood(c.x, z) - _rate(c),
        "You subtract a KL divergence, a mean over q. Each draw has its own ratio p(z)/q(z): put that in its weight.",
    ),
]

MEANS = [
    Part("right", log_mean_exp, ok=True),
    Part(
        "mean_of_logarithms",
        lambda w: w.mean(0),
        "You take the mean of the logarithms. The weights themselves are averaged, and the logarithm comes last; the "
        "other order is a lower bound, which is the subject of notebook 10.",
    ),
    Part(
        "sum",
        lambda w: w.logsumexp(0),
        "You take the logarithm of a sum, so your estimate grows with K. What turns a sum of K weights into a mean?",
    ),
    Part("sum_of_logarithms", lambda w: w.sum(0), "You sum the logarithms, which multiplies all weights."),
    Part(
        "largest",
        lambda w: w.max(0).values,
        "You keep the largest weight. It is taken out for the sake of the floats; the others must stay in the mean.",
    ),
    Part(
        "relative",
        lambda w: log_mean_exp(w - w.max(0).values),
        "You took the largest weight out and never put it back, so your estimate is always between −log K and 0.",
    ),
    Part(
        "log_k_sign",
        lambda w: w.logsumexp(0) + math.log(len(w)),
        "You add log K. A mean is a sum *divided* by K: what is that in logarithms?",
    ),
    Part(
        "k_for_log_k",
        lambda w: w.logsumexp(0) - len(w),
        "You subtract K. Dividing by K subtracts its logarithm.",
    ),
    Part(
        "divided_log",
        lambda w: w.logsumexp(0) / len(w),
        "You divide the logarithm by K. Divide the sum by K, and then take the logarithm.",
    ),
    Part(
        "k_minus_one",
        lambda w: w.logsumexp(0) - math.log(max(len(w) - 1, 1)),
        "You divide by K − 1. That belongs to a variance; a mean divides by K.",
    ),
    Part(
        "wrong_count",
        lambda w: w.logsumexp(0) - math.log(w.shape[1]),
        "You divide by the number of observations. The mean runs over the K draws of each.",
    ),
    Part(
        "no_logarithm",
        lambda w: log_mean_exp(w).exp(),
        "That is an estimate of p(x). Its logarithm is wanted, and for real images p(x) itself leaves the floats.",
    ),
    Part(
        "harmonic",
        lambda w: -log_mean_exp(-w),
        "You average one over the weights, and turn the result over: a harmonic mean. The weights themselves have the "
        "expectation p(x).",
    ),
    Part(
        "normalised",
        lambda w: (w.softmax(0) * w).sum(0),
        "You weigh the logarithms by the normalised weights. That is a mean under the posterior; p(x) is the plain "
        "mean of the weights.",
    ),
    Part(
        "median",
        lambda w: w.median(0).values,
        "You take the median of the weights. It is less noisy than the mean, and it is not p(x) on average.",
    ),
]

RESULTS = [
    Part("right", lambda v: v, ok=True),
    Part("sign", lambda v: -v, "That is −log p(x). The logarithm itself is wanted, with a plus."),
    Part(
        "batch_mean",
        lambda v: v.mean().expand_as(v),
        "Every observation has the same value: you average over the batch. Average over the K draws only.",
    ),
    Part(
        "batch_sum",
        lambda v: v.sum().expand_as(v),
        "Every observation has the same value: you sum over the batch. Keep one number for each.",
    ),
    Part(
        "bits", lambda v: v / math.log(2), "Your result is in bits. Nats are wanted: take natural logarithms."
    ),
    Part("bits", lambda v: v / math.log(10), "You took logarithms to the base 10. Nats are wanted: base e."),
]
TABLES = (DRAWS, WEIGHTS, MEANS, RESULTS)


def _drawn(c: Case) -> Tensor:
    return DRAWS[0].formula(c)


def _terms(c: Case) -> tuple[Tensor, Tensor, Tensor]:
    z = _drawn(c)
    return c.model.log_likelihood(c.x, z), c.model.log_prior(z), _log_q(c, z)


def _apart(combine: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable[[Case], Tensor]:
    return lambda c: combine(*_terms(c))


APART = (
    "You average parts of the weight apart from each other. A mean of products is no product of means: put each "
    "draw's three densities together first, and average then."
)
OTHERS = [
    Way(
        "naive",
        lambda c: log_mean_exp(c.model.log_likelihood(c.x, c.eps)),
        "That is the naive estimate: `eps` as draws from the prior. It is unbiased too; use the guess q here.",
    ),
    Way(
        "exact",
        lambda c: c.model.log_evidence(c.x),
        "That is the exact log p(x). Here it is to be estimated from the draws, as one must where no formula exists.",
    ),
    Way("apart", _apart(lambda r, p, q: log_mean_exp(r) + log_mean_exp(p - q)), APART),
    Way("apart", _apart(lambda r, p, q: log_mean_exp(r) + (p - q).mean(0)), APART),
    Way("apart", _apart(lambda r, p, q: r.mean(0) + log_mean_exp(p - q)), APART),
    Way("apart", _apart(lambda r, p, q: log_mean_exp(r) + log_mean_exp(p) - log_mean_exp(q)), APART),
    Way("apart", _apart(lambda r, p, q: log_mean_exp(r + p) - log_mean_exp(q)), APART),
    Way("apart", _apart(lambda r, p, q: log_mean_exp(r + p) - q.mean(0)), APART),
    Way(
        "elbo",
        lambda c: _terms(c)[0].mean(0) - _rate(c),
        "That is the evidence lower bound, with its KL in closed form. Here the weights are averaged before the "
        "logarithm is taken.",
    ),
    Way(
        "batch",
        lambda c: log_mean_exp((_terms(c)[0] + _terms(c)[1] - _terms(c)[2]).flatten()).expand(len(c.x)),
        "You average over the observations too, so each gets the same number. Which dimension holds the draws?",
    ),
    Way(
        "not_a_logarithm",
        lambda c: _value((DRAWS[0], WEIGHTS[0], MEANS[0], RESULTS[0]), c._replace(log_var=2 * c.log_var)),
        "You read `log_var` as log σ, in the draws and in q alike, so you use another guess than the one you were "
        "given. It is log σ².",
    ),
]  # fmt: skip


def _value(parts: tuple[Part, ...], case: Case) -> Tensor:
    return _values(case)(parts)


def _values(case: Case) -> Callable[[tuple[Part, ...]], Tensor]:
    """A function from parts to the estimate of each observation; what many choices share is computed once."""
    draws = functools.cache(lambda part: part.formula(case))
    weights = functools.cache(lambda part, of: part.formula(case, draws(of)))

    def value(parts: tuple[Part, ...]) -> Tensor:
        draw, weight, mean, result = parts
        log_w = weights(weight, draw)
        if log_w.ndim < 2 or len(log_w) not in (1, len(case.eps), 2 * len(case.eps)):
            log_w = log_w.expand(len(case.eps), len(case.x))
        return result.formula(mean.formula(log_w))

    return value


# Asking and judging


def _real(value: object) -> None:
    """Raises `Mistake` of kind "type" for a tensor of whole, true-or-false or complex numbers."""
    if isinstance(value, Tensor) and not value.dtype.is_floating_point:
        raise Mistake(
            "type",
            f"Your result is of type `{value.dtype}`, and floats are wanted. Is something rounded, compared or made "
            "complex on the way?",
        )


def _guard(seen: list[Tensor], wanted: list[Tensor]) -> Mistake | None:
    """What to say where small weights, and those alone, come out too large, as with a small number in the logarithm."""
    got, want = torch.cat(seen), torch.cat(wanted)
    row = (got - want).argmax()
    if got[row] - want[row] < SAME:
        return None
    added = got[row] + torch.log1p(-(want[row] - got[row]).exp())  # the logarithm of what was added
    ways = (added, torch.logaddexp(want, added)), (got[row], want.clamp(min=got[row].item()))
    guards = [size for size, way in ways if (got - way).abs().max() < SAME]
    if not guards or (got - got[0]).abs().max() < SAME:  # one number for all is no guard
        return None
    return Mistake(
        "guard",
        f"The smaller log p(x) is, the more yours is too large, as if about {guards[0].exp():.0e} were added inside "
        "the logarithm, or were the least it may see. Real images have weights far below any such guard, which then is "
        "all that is left: can you do without leaving the logarithms?",
    )


def _far_case(case: Case) -> Case:
    """`case` with its x so far away that, in some row, every draw but the best is lost beside it by e^1000."""
    for power in range(40):
        far = case._replace(x=case.x + 80 * 1.5**power)
        best = WEIGHTS[0].formula(far, _drawn(far)).topk(2, 0).values
        if (best[0] - best[1]).max() > 1000:
            return far
    raise AssertionError("No x is far enough.")


def _extreme_case(dimensions: int, std: float, errors: tuple[float, ...]) -> Case:
    """Many dimensions and a good guess: the weights of a row differ by a few nats, and from row to row by 2,000."""
    model = LinearGaussian(torch.randn(dimensions, 2), torch.randn(dimensions), std)
    rows = torch.tensor(errors)[:, None]
    x = (
        torch.randn(len(rows), 2) @ model.weight.T
        + model.bias
        + std * rows * torch.randn(len(rows), dimensions)
    )
    mu, cov = model.posterior(x)
    return Case(model, x, mu, (1.5 * cov.diagonal()).log().expand_as(mu), torch.randn(5, len(rows), 2))


def _call(answer: Answer, case: Case) -> object:
    """What the answer gives on a copy of `case`; raises `Mistake` where it changes its inputs."""
    theirs = copy.deepcopy(case)
    value = answer(*theirs)
    if not all(map(torch.equal, case.tensors(), theirs.tensors())):
        raise Mistake(
            "changed_input",
            "Your function changes the tensors it was given, and the next one to use them would be surprised. Look for "
            "`+=` and for methods that end in `_`.",
        )
    return value


def _ask(answer: Answer, case: Case) -> Tensor:
    """The answer's estimates (B,), in float64."""
    draws, batch, d = case.eps.shape
    one = "Keep one number for each observation: average over the K draws only."
    hints = {
        (): f"That is one number for the whole batch. {one}",
        (1,): f"That is one number for the whole batch. {one}",
        (draws, batch): "That is one number for each draw. How do K weights become one estimate?",
        (1, batch): "The first dimension, of the draws, is still there.",
        (draws,): f"You averaged over the observations and kept the draws. {one}",
        (batch, d): "Sum the log-densities over the d latent numbers of a z.",
        (draws, batch, d): "Sum the log-densities over the d latent numbers, then average over the draws.",
        (batch, 1): "The last dimension is one too many: beside a (B,) it silently grows to (B, B).",
        (batch, batch): "A (B,) met a (B, 1) and grew to (B, B): print the shapes of your terms.",
        (d,): "You kept the latent dimensions. Sum over those, and keep the observations.",
    }
    value = tensor(_call(answer, case), (batch,), "(B,)", hints)
    _real(value)
    return value.detach().double()


def _explain(cases: list[Case], seen: list[Tensor]) -> tuple[Part, ...]:
    """The parts that give what was seen, or those of an `OTHERS`; raises `Mistake` if they are wrong or unknown."""
    values = [_values(case) for case in cases]

    def fits(formula: Callable[[int], Tensor]) -> bool:
        return all(_same(got, formula(i).double()) for i, got in enumerate(seen))

    others = False
    for parts in _choices(TABLES):
        wrong = sum(not part.ok for part in parts)
        if wrong == 2 and not others:
            others = True
            for way in OTHERS:
                if fits(lambda i, way=way: way.answer(cases[i])):
                    raise Mistake(way.kind, way.message)
        if fits(lambda i, parts=parts: values[i](parts)):
            if wrong:
                raise _says_wrong(parts)
            return parts
    raise _unknown(cases, seen, [value(tuple(table[0] for table in TABLES)).double() for value in values])


def _unknown(cases: list[Case], seen: list[Tensor], wanted: list[Tensor]) -> Mistake:
    """What can be said of a wrong estimate that stands in no table."""
    if found := _guard(seen, wanted):
        return found
    off = [got - want for got, want in zip(seen, wanted, strict=True)]
    if all(
        (each - each.mean()).abs().max() <= SAME * want.abs().max()
        for each, want in zip(off, wanted, strict=True)
    ):
        sizes = ", ".join(f"{each.mean():+.3g}" for each in off)
        return Mistake(
            "constant",
            f"Every row is off by the same number of nats: {sizes} on two inputs, where (K, B, d) is "
            f"{tuple(cases[0].eps.shape)} and {tuple(cases[1].eps.shape)}. Which factor of the "
            "weights, or of the mean, is that?",
        )
    return Mistake(
        "value",
        f"Your estimates are off by {off[0].abs().max():.3g} nats and less, by another number in each row. "
        "Build it up: print z, then log p(x|z), log p(z) and log q(z), each (K, B), then the weights, then their mean.",
    )  # fmt: skip


def _in_the_extremes(answer: Answer, case: Case, parts: tuple[Part, ...]) -> None:
    """Raises `Mistake` where weights of about e^±1000 spoil an estimate that is right for ordinary ones."""
    value = _call(answer, case)
    wanted = _value(parts, case).double()
    number = value.detach().double() if isinstance(value, Tensor) and value.shape == wanted.shape else None
    # A per cent: float32 has its own trouble with 700 dimensions, and who leaves the floats is off by far more.
    if number is not None and (number - wanted).abs().max() < 0.01 * wanted.abs().max():
        return
    what = "something else" if number is None else " and ".join(f"{each.item():.4g}" for each in number[:2])
    raise Mistake(
        "range",
        "For weights of ordinary size your estimate is right. For two observations with weights of about e^1000 and "
        f"e^−1000, which no float holds, it gives {what}. What has to be taken out before `exp`, and is it the same "
        "for both?",
    )


def _far_away(answer: Answer, case: Case, parts: tuple[Part, ...]) -> None:
    """Raises `Mistake` where draws of one x whose weights differ by e^1000 spoil an estimate."""
    value = _call(answer, case)
    wanted = _value(parts, case).double()
    number = value.detach().double() if isinstance(value, Tensor) and value.shape == wanted.shape else None
    if number is not None and (number - wanted).abs().max() < 0.01 * wanted.abs().max():
        return
    what = (
        "something else"
        if number is None
        else f"{number[(number - wanted).abs().nan_to_num(math.inf).argmax()]:.4g}"
    )
    raise Mistake(
        "range",
        "For weights of ordinary size your estimate is right. Where the weights of one observation differ from draw to "
        f"draw by a factor of e^1000, which no float holds, it gives {what}. What has to be taken out before `exp`, so "
        "that nothing which is left can overflow?",
    )


@gives_feedback
def check_log_evidence(estimate: Callable[..., Tensor]) -> Feedback:
    """Say whether `estimate(model, x, mu, log_var, eps)` is log (1/K) Σₖ p(x|zₖ) p(zₖ)/q(zₖ), zₖ = μ + σ·εₖ.

    q = N(μ, diag σ²); x (B, D), μ and log σ² (B, d), ε (K, B, d), to (B,), in nats. `model` is a `LinearGaussian`.
    Values are compared to a relative 1e-3: for ordinary weights, for such of e^1000 and e^−1000, for such that differ
    by e^1000 from draw to draw, with rows in another order, in float32 and float64. −σ·ε, or both signs, are taken.
    Raises nothing. Source: Burda, Grosse, Salakhutdinov (2016), eq. 8.
    """
    answer = Answer(estimate, "my_log_evidence(model, x, mu, log_var, eps)")
    torch.manual_seed(9)
    cases = [_elbo_case(*sizes) for sizes in ELBO_SIZES]
    extreme = _extreme_case(*EXTREME)
    seen = [_ask(answer, case) for case in cases]
    if not _same(_ask(answer, cases[0]), seen[0]):
        raise Mistake(
            "noise",
            "Two calls with the same `eps` gave two different estimates, so new noise is drawn somewhere. Use the "
            "`eps` that comes in: a result that can be repeated can be tested.",
        )
    parts = _explain(cases, seen)
    order = torch.arange(len(cases[0].x)).roll(2)
    if not _same(_ask(answer, cases[0].permuted(order)), seen[0][order]):
        raise Mistake(
            "order",
            "When the observations come in another order, the results should come in that order too; yours do not. "
            "What does an observation's result take from its neighbours, or from its place?",
        )
    _in_the_extremes(answer, extreme, parts)
    _far_away(answer, _far_case(cases[0]), parts)
    remarks = [(part.kind, part.message) for part in parts if part.message]
    dtype = torch.float64 if cases[0].x.dtype == torch.float32 else torch.float32
    try:
        other = _ask(answer, cases[0].to(dtype))
    except Mistake as found:
        if found.feedback.kind != "raised":
            raise
        name = str(dtype).removeprefix("torch.")
        remarks += [
            (
                "dtype",
                f"With {name} inputs your function stops, because a tensor that it makes itself is of another type. "
                "`zeros_like(mu)` and its relatives follow the input.",
            )
        ]
    else:
        if not _same(other, seen[0]):
            raise Mistake(
                "dtype", "With inputs in the other float your function gives other numbers. Does it round?"
            )
    return right(
        "This is the importance-sampling estimate of log p(x), and it stays within the floats.", remarks
    )
