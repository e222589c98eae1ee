"""Checks of notebook 14: the importance-weighted bound, and a vector quantiser with its borrowed gradient.

A bound is judged by its values and by their gradients at μ and log σ², on the exact model; a wrong one is explained by
the fewest wrong parts, out of tables, that give the same numbers. A quantiser is judged by its numbers, its codes, and
by where the gradient of the codes arrives.
"""

import functools
import math
import re
from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checks import bound
from helpers.checks.bound import (
    Case,
    Outcome,
    _choices,
    _elbo_case,
    _log_normal,
    _log_q,
    _ours,
    _outcome,
    _same,
)
from helpers.checks.evidence import _far_case, _guard, _real
from helpers.checks.frame import (
    Answer,
    Feedback,
    Mistake,
    Way,
    a_or_an,
    finite,
    gives_feedback,
    right,
    tensor,
)
from helpers.checks.vae import SAME, Part
from helpers.theory import log_mean_exp

BOUND_SIZES = ((5, 3, 4, 6), (4, 5, 7, 3))  # (B, d, D, K): no size equals another
QUANTISER_SIZES = ((7, 5, 3), (6, 11, 4))  # (N, K, d): no size equals another


# The parts of a bound: z, log p(x|z), log p(z) − log q(z|x), what of these counts, the mean over K draws, the result

DRAWS = [part for part in bound.SAMPLES if part.kind != "antithetic"] + [
    Part(
        "antithetic",
        lambda c: torch.cat([c.mu + s * (c.log_var / 2).exp() * c.eps for s in (1, -1)]),
        "You use each `eps` with both signs, which makes 2K draws: a bound for another number of draws, and they are "
        "not independent. Use each once.",
    )
]
EXACT = bound.RECONSTRUCTIONS[1].formula
LIKELIHOODS = [part for part in bound.RECONSTRUCTIONS if part.formula is not EXACT] + [
    Part(
        "exact_part",
        EXACT,
        "You put the mean of log p(x|z) in, known exactly. The ELBO may do that; here each weight belongs to one draw.",
    )
]
AT_THE_DRAW = (
    "log {} is not evaluated at the draw itself. All densities of one weight belong to one and the same z."
)
RATIOS = [
    Part("right", lambda c, z: c.model.log_prior(z) - _log_q(c, z), ok=True),
    Part(
        "density_detached",
        lambda c, z: c.model.log_prior(z) - _log_normal(z, c.mu.detach(), c.log_var.detach()),
        "Within log q your μ and σ are constants. In the ELBO that keeps the mean of the gradient; under the logarithm "
        "of a mean it does not.",
    ),
    Part(
        "closed_kl",
        lambda c, z: -bound._rate(c),
        "The KL in closed form stands where each draw needs its own log p(z) − log q(z|x). A KL is already a mean over "
        "q: here the mean is taken later, over the weights.",
    ),
    Part(
        "exact_part",
        lambda c, z: c.model.log_prior(z) + bound._entropy(c),
        "The entropy of q stands where each draw needs its own log q(z|x): a mean taken too early.",
    ),
    Part(
        "inverted",
        lambda c, z: _log_q(c, z) - c.model.log_prior(z),
        "Prior and q have changed places in the weight: a draw that q makes too often should count less, not more.",
    ),
    Part(
        "no_log_q",
        lambda c, z: c.model.log_prior(z),
        "The weight is not divided by q's own density. Draws come from q; what makes up for that?",
    ),
    Part(
        "no_prior",
        lambda c, z: -_log_q(c, z),
        "The prior is missing from the weight: nothing asks whether the model itself would draw this z.",
    ),
    Part("q_place", lambda c, z: c.model.log_prior(z) - _log_q(c, c.mu), AT_THE_DRAW.format("q(z|x)")),
    Part(
        "q_place",
        lambda c, z: c.model.log_prior(z) - _log_q(c, bound._noise(c, z)),
        AT_THE_DRAW.format("q(z|x)"),
    ),
    Part(
        "prior_place",
        lambda c, z: c.model.log_prior(bound._noise(c, z)) - _log_q(c, z),
        AT_THE_DRAW.format("p(z)"),
    ),
    Part("prior_place", lambda c, z: c.model.log_prior(c.mu) - _log_q(c, z), AT_THE_DRAW.format("p(z)")),
    Part(
        "q_of_noise",
        lambda c, z: c.model.log_prior(z) - c.model.log_prior(bound._noise(c, z)),
        "You take the density of the noise for that of z. Stretching the noise by σ thins it out.",
    ),
    Part(
        "q_variance",
        lambda c, z: c.model.log_prior(z) - _log_normal(z, c.mu, 2 * c.log_var),
        "The density of q has the variance where the standard deviation belongs. Which of the two does `Normal` take?",
    ),
    Part(
        "q_log_var",
        lambda c, z: c.model.log_prior(z) - _log_normal(z, c.mu, c.log_var / 2),
        "The density of q is too narrow or too wide by a root: `log_var` is the logarithm of the variance.",
    ),
    Part(
        "dimension_mean",
        lambda c, z: (c.model.log_prior(z) - _log_q(c, z)) / c.mu.shape[1],
        "log p(z) and log q(z|x) are means over the latent dimensions, and should be sums.",
    ),
    Part(
        "dimension_mean",
        lambda c, z: c.model.log_prior(z) - _log_q(c, z) / c.mu.shape[1],
        "log q(z|x) is a mean over the latent dimensions, and should be a sum.",
    ),
    Part(
        "q_added",
        lambda c, z: c.model.log_prior(z) + _log_q(c, z),
        "log q(z|x) has the wrong sign: you multiply by a density that should divide.",
    ),
    Part(
        "prior_sign",
        lambda c, z: -c.model.log_prior(z) - _log_q(c, z),
        "log p(z) has the wrong sign: you divide by a density that should multiply.",
    ),
    Part(
        "q_place",
        lambda c, z: c.model.log_prior(z) - _log_normal(z, 0 * c.mu, c.log_var),
        "Your log q(z|x) is centred at 0. Each q is centred at its own μ.",
    ),
    Part(
        "q_variance",
        lambda c, z: c.model.log_prior(z) - _log_normal(z, c.mu, 0 * c.log_var),
        "The density of q has the standard deviation 1. Each q has one of its own.",
    ),
    Part(
        "q_of_noise",
        lambda c, z: c.model.log_prior(z) - c.model.log_prior(bound._noise(c, z)) - c.log_var.sum(-1) / 2,
        "You turn the density of the noise into that of z by the factor of the stretching, in the wrong direction: a "
        "wide q is thin.",
    ),
    Part(
        "q_of_noise",
        lambda c, z: c.model.log_prior(z) - c.model.log_prior(bound._noise(c, z)) + c.log_var.sum(-1),
        "Your log q(z|x) holds log σ² where log σ belongs: a ½ is missing.",
    ),
    Part(
        "mean_apart",
        lambda c, z: log_mean_exp(c.model.log_prior(z)) - log_mean_exp(_log_q(c, z)),
        "The three densities of a weight are averaged apart. A weight is made of all three: put it together first.",
    ),
    Part(
        "mean_apart",
        lambda c, z: c.model.log_prior(z) - log_mean_exp(_log_q(c, z)),
        "The density of q is averaged apart from the rest of the weight. Put each weight together first.",
    ),
]
PARTS = [
    Part("right", lambda r, k, evidence: (r, k), ok=True),
    Part(
        "no_ratio",
        lambda r, k, evidence: (r, 0 * k),
        "Only p(x|z) is averaged. That would be right for draws from the prior; yours come from q.",
    ),
    Part(
        "no_likelihood",
        lambda r, k, evidence: (0 * r, k),
        "The data are missing from the weight: where does log p(x|z) come in?",
    ),
    Part(
        "inverted",
        lambda r, k, evidence: (-r, -k),
        "The whole weight is turned upside down: it is q over the joint, where the joint over q is wanted.",
    ),
    Part(
        "evidence",
        lambda r, k, evidence: (evidence + 0 * r, 0 * k),
        "That is log p(x) itself, which this model happens to know. The bound lies below it, and depends on q.",
    ),
]


MEANS = [
    Part("right", lambda r, k: log_mean_exp(r + k), ok=True),
    Part(
        "mean_of_logs",
        lambda r, k: (r + k).mean(0),
        "You average the logarithms of the weights. That is the ELBO, whatever K is: which comes first here, the mean "
        "or the logarithm?",
    ),
    Part(
        "sum",
        lambda r, k: (r + k).logsumexp(0),
        "You add the weights up, and should average them: as it stands the bound grows by log K, above log p(x).",
    ),
    Part(
        "normalised",
        lambda r, k: ((r + k).softmax(0) * (r + k)).sum(0),
        "You average log w with the normalised weights. That mean lies above the bound; normalised weights belong in "
        "its gradient.",
    ),
    Part(
        "inverted",
        lambda r, k: -log_mean_exp(-(r + k)),
        "You average the inverses of the weights, and turn the mean over again: that lies below the ELBO.",
    ),
    Part("best", lambda r, k: (r + k).max(0).values, "You keep the best draw alone. All K are averaged."),
    Part(
        "no_logarithm",
        lambda r, k: log_mean_exp(r + k).exp(),
        "That is the mean of the weights, an estimate of p(x). The bound is about its logarithm.",
    ),
    Part(
        "mean_apart",
        lambda r, k: log_mean_exp(r) + k.mean(0),
        "The two factors of a weight are averaged apart, one inside the logarithm and one outside. A weight is a "
        "product: put it together first.",
    ),
    Part(
        "mean_apart",
        lambda r, k: log_mean_exp(r) + log_mean_exp(k),
        "The two factors of a weight are averaged apart. A weight is a product: put it together first.",
    ),
    Part(
        "max_lost",
        lambda r, k: log_mean_exp(r + k) - (r + k).max(0).values,
        "The largest log weight was subtracted before the exponential, and never added again.",
    ),
    Part(
        "divided_log",
        lambda r, k: (r + k).logsumexp(0) / len(r),
        "You divide the logarithm by K. It is the sum that is divided, before the logarithm is taken.",
    ),
    Part(
        "log_k_sign",
        lambda r, k: (r + k).logsumexp(0) + math.log(len(r)),
        "You add log K. A mean is a sum *divided* by K: what is that in logarithms?",
    ),
    Part(
        "wrong_count",
        lambda r, k: (r + k).logsumexp(0) - math.log(max(len(r) - 1, 1)),
        "You divide by K − 1. That belongs to a variance; a mean divides by K.",
    ),
    Part(
        "wrong_count",
        lambda r, k: (r + k).logsumexp(0) - math.log(r.shape[1]),
        "You divide by the number of observations, and should divide by the number of draws.",
    ),
    Part(
        "batch_mixed",
        lambda r, k: ((r + k).flatten().logsumexp(0) - math.log(r.numel())).expand(r.shape[1]),
        "The weights of all observations are averaged together. Each observation has K weights of its own.",
    ),
]
ENDS = [
    Part("right", lambda v: v, ok=True),
    Part("negative", lambda v: -v, "That is the negative of the bound, a loss. Here the bound is wanted."),
    Part(
        "batch_mean",
        lambda v: v.mean().expand_as(v),
        "Every observation has the same bound: you average over the batch. Average over the K draws only.",
    ),
    Part("bits", lambda v: v / math.log(2), "Your bound is in bits. Nats are wanted."),
    Part("bits", lambda v: v / math.log(10), "You took logarithms to the base 10. Nats are wanted: base e."),
]
BOUND_TABLES = (DRAWS, LIKELIHOODS, RATIOS, PARTS, MEANS, ENDS)


def _values(case: Case) -> Callable[[tuple[Part, ...]], Tensor]:
    """A function from parts to the bound of each observation; what many choices share is computed once."""
    draw = functools.cache(lambda part: part.formula(case))
    term = functools.cache(lambda part, z_part: part.formula(case, draw(z_part)))
    evidence = case.model.log_evidence(case.x)

    def value(parts: tuple[Part, ...]) -> Tensor:
        z, likelihood, ratio, of_these, mean, end = parts
        every = torch.zeros(len(draw(z)), len(case.x), dtype=case.x.dtype)
        r, k, _ = torch.broadcast_tensors(term(likelihood, z), term(ratio, z), every)
        r, k = of_these.formula(r, k, evidence)
        return end.formula(mean.formula(r, k))

    return value


def _value(parts: tuple[Part, ...], case: Case) -> Tensor:
    return _values(case)(parts)


def _ask_bound(answer: Answer, case: Case) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    value, leaves = bound._ask(answer, case)
    draws, batch, latent = case.eps.shape
    hints = {
        (): "That is one number for the whole batch. Keep one for each observation: average over the K draws only.",
        (
            1,
        ): "That is one number for the whole batch. Keep one for each observation: average over the K draws only.",
        (
            draws,
        ): "You averaged over the observations and kept the draws. Which dimension of `eps` holds which?",
        (
            draws,
            batch,
        ): "That is one number for each draw. How do the K weights of an observation become one number?",
        (1, batch): "The first dimension, of the draws, is still there.",
        (batch, 1): "The last dimension is one too many: beside a (B,) it silently grows to (B, B).",
        (batch, latent): "The latent dimensions are still there: a log-density sums over them.",
        (draws, batch, latent): "The latent dimensions are still there: a log-density sums over them.",
        (batch, batch): "A (B,) met a (B, 1) and grew to (B, B): print the shapes of your terms.",
    }
    tensor(value, (batch,), "(B,)", hints)
    _real(value)
    return value, leaves


def _reads_log_sigma(parts: tuple[Part, ...], case: Case) -> Tensor:
    return _value(parts, case._replace(log_var=2 * case.log_var))


@gives_feedback
def check_iwae_bound(iwae_bound: Callable[..., Tensor]) -> Feedback:
    """Say whether `iwae_bound(model, x, mu, log_var, eps)` is log (1/K) Σ p(x|zₖ) p(zₖ)/q(zₖ|x) of each observation.

    q = N(μ, diag σ²), zₖ = μ + σ·εₖ; x (B, D), μ and log σ² (B, d), ε (K, B, d), to (B,), in nats; `model` is a
    `LinearGaussian`. Values, and gradients at μ and log σ², are compared to a relative 1e-3, in float32 and float64,
    with rows in another order, and where the weights leave the floats. Raises nothing. Source: Burda, Grosse,
    Salakhutdinov (2016), eq. 8.
    """
    answer = Answer(iwae_bound, "my_iwae_bound(model, x, mu, log_var, eps)")
    torch.manual_seed(14)
    cases = [_elbo_case(*sizes) for sizes in BOUND_SIZES]
    asked = [_ask_bound(answer, case) for case in cases]
    try:
        outcomes = [_outcome(*each) for each in asked]
    except Mistake as found:
        raise _of_a_cut_graph(asked[0][0], cases[0], found) from None
    if bound._is_noisy(answer, cases[0], outcomes[0]):
        raise Mistake(
            "noise",
            "Two calls with the same `eps` gave two different bounds, so new noise is drawn somewhere. Use the `eps` "
            "that comes in: a result that can be repeated can be tested.",
        )
    parts = _explain(cases, outcomes)
    best = tuple(table[0] for table in BOUND_TABLES)
    alone = parts is not None and sum(not part.ok for part in parts) < 2
    if not alone and bound._explains(best, _reads_log_sigma, cases, outcomes):
        raise Mistake(
            "not_a_logarithm",
            "You read `log_var` as log σ, in the draws and in q alike, so this is the bound of another q than the one "
            "you were given. It is log σ².",
        )
    if parts is None:
        raise _unknown_bound(answer, cases, outcomes)
    if wrong := bound._says_wrong(parts):
        raise wrong
    remarks = [(part.kind, part.message) for part in parts if part.message]
    remarks += _elsewhere(answer, parts, cases[0], outcomes[0])
    return right(
        "Each observation has the logarithm of its mean weight, with a gradient that reaches μ and σ.",
        remarks,
    )


def _alike(seen: Tensor, value: Tensor) -> bool:
    """Whether a wrong way, which may overflow, gives the same values."""
    return bool(value.isfinite().all()) and _same(seen, value)


def _of_a_cut_graph(value: Tensor, case: Case, found: Mistake) -> Mistake:
    """What to say of a bound without a graph: perhaps its value is wrong as well."""
    with torch.no_grad():
        values = _values(case)
        alike = (p for p in _choices(BOUND_TABLES) if _alike(value.detach().double(), values(p).double()))
        parts = next(alike, None)
    return (parts and bound._says_wrong(parts)) or found


def _explain(cases: list[Case], outcomes: list[Outcome]) -> tuple[Part, ...] | None:
    with torch.no_grad():  # most choices fail on the first values already
        values = _values(cases[0])
        for parts in (p for p in _choices(BOUND_TABLES) if _alike(outcomes[0].value, values(p).double())):
            with torch.enable_grad():
                if bound._explains(parts, _value, cases, outcomes):
                    return parts
    return None


def _elsewhere(
    answer: Answer, parts: tuple[Part, ...], case: Case, outcome: Outcome
) -> list[tuple[str, str]]:
    """Remarks on an answer that is right on `case`; raises `Mistake` where it fails on another."""
    order = torch.arange(len(case.mu)).roll(2)
    if not _same(_ask_bound(answer, case.permuted(order))[0].detach().double(), outcome.value[order]):
        raise Mistake(
            "order",
            "When the observations come in another order, the results should come in that order too; yours do not. "
            "What does an observation's result take from its neighbours, or from its place?",
        )
    far = _far_case(case)
    underflow = Mistake(
        "underflow",
        "For x near the model your bound is right. Further away every weight is smaller than any float, and draws of "
        "one x differ by more than a float can hold: there yours breaks. So never leave the logarithm, unless what "
        "is left can only be small. Images have such weights too.",
    )
    try:
        value, leaves = _ask_bound(answer, far)
        seen = _outcome(value, leaves)
    except Mistake as found:
        raise underflow if found.feedback.kind == "nan" else found from None
    if not _same(seen.value, _value(parts, far).double()) or not seen.gradient.isfinite().all():
        raise underflow
    return bound._in_the_other_float(answer, lambda other: _value(parts, other), case)


def _unknown_bound(answer: Answer, cases: list[Case], outcomes: list[Outcome]) -> Mistake:
    """What can be said of a wrong bound that stands in no table."""
    best = tuple(table[0] for table in BOUND_TABLES)
    wanted = [_ours(best, _value, case) for case in cases]
    if found := _guard([seen.value for seen in outcomes], [want.value for want in wanted]):
        return found
    if all(_same(seen.value, want.value) for seen, want in zip(outcomes, wanted, strict=True)):
        return Mistake("gradient", bound.GRADIENT)
    off = [seen.value - want.value for seen, want in zip(outcomes, wanted, strict=True)]
    if all(
        (each - each.mean()).abs().max() <= SAME * want.value.abs().max()
        for each, want in zip(off, wanted, strict=True)
    ):
        return Mistake(
            "constants",
            f"Every row is off by the same {off[0].mean():+.3g} nats in one case and {off[1].mean():+.3g} in another. "
            "A constant of a Gaussian, or of the mean over K draws, is missing or wrong.",
        )
    factors = [seen.value / want.value for seen, want in zip(outcomes, wanted, strict=True)]
    if found := bound._scale(factors, [(*c.eps.shape, c.x.shape[1]) for c in cases], "(K, B, d, D)"):
        return found
    case = cases[0]
    used = [k for k in range(len(case.eps)) if _uses(answer, case, k, outcomes[0])]
    if len(used) < len(case.eps):
        return Mistake(
            "some_draws",
            f"Only {len(used)} of the {len(case.eps)} draws have an effect: `eps` holds them along dimension 0.",
        )
    gap = (case.model.log_evidence(case.x).double() - outcomes[0].value).mean()
    side = "below" if gap > 0 else "above"
    return Mistake(
        "value",
        f"Your bound lies {abs(gap):.3g} nats {side} log p(x) on average, and is none that is known here. Begin with "
        "K = 1: there it is one log weight, log p(x|z) + log p(z) − log q(z|x) at one z. Then think of the mean.",
    )


def _uses(answer: Answer, case: Case, k: int, outcome: Outcome) -> bool:
    """Whether the answer changes with draw k: a draw of tiny weight must be moved to where it counts."""
    for factor in (0.0, -1.0, 0.5):
        eps = case.eps.clone()
        eps[k] *= factor
        value = _ask_bound(answer, case._replace(eps=eps))[0].detach().double()
        if (value - outcome.value).abs().max() > 1e-5 * outcome.value.abs().max():
            return True
    return False


# The quantiser: the numbers, then the codes, then the gradient


def _squares(h: Tensor, codes: Tensor) -> Tensor:
    return (h[:, None] - codes).square().sum(2)


def _unit(rows: Tensor) -> Tensor:
    return rows / rows.norm(dim=1, keepdim=True)


NUMBER_WAYS = [
    Way("right", lambda h, codes: _squares(h, codes).argmin(1), ok=True),
    Way(
        "furthest",
        lambda h, codes: _squares(h, codes).argmax(1),
        "You choose the code that is furthest away. The nearest is wanted.",
    ),
    Way(
        "cosine",
        lambda h, codes: (_unit(h) @ _unit(codes).T).argmax(1),
        "You choose the code with the nearest direction. Lengths count too: how far apart are the two points?",
    ),
    Way(
        "product",
        lambda h, codes: (h @ codes.T).argmax(1),
        "You choose the code with the largest product with h. That prefers long codes: a distance is wanted.",
    ),
    Way(
        "half_square",
        lambda h, codes: (codes.square().sum(1) - h @ codes.T).argmin(1),
        "When |h − e|² is multiplied out, the mixed term has a factor 2; yours has lost it.",
    ),
    Way(
        "absolute",
        lambda h, codes: (h[:, None] - codes).abs().sum(2).argmin(1),
        "You add absolute differences. The distance here is the usual one: squares are added.",
    ),
    Way(
        "signed",
        lambda h, codes: (h[:, None] - codes).sum(2).argmin(1),
        "You add differences with their signs, so that they cancel. What makes a difference into a distance?",
    ),
    Way(
        "signed",
        lambda h, codes: (h[:, None] - codes).sum(2).abs().argmin(1),
        "You add the differences first, so that they cancel, and only then drop the sign.",
    ),
    Way(
        "largest_difference",
        lambda h, codes: (h[:, None] - codes).abs().amax(2).argmin(1),
        "You compare the largest difference of a coordinate. In the usual distance all coordinates count.",
    ),
    Way(
        "first_coordinate",
        lambda h, codes: (h[:, None, 0] - codes[:, 0]).abs().argmin(1),
        "Only the first coordinate decides. All of them make the distance.",
    ),
    Way(
        "second",
        lambda h, codes: _squares(h, codes).argsort(1)[:, 1],
        "You choose the second nearest code. Where does your sorted list begin?",
    ),
    Way(
        "counted_from_one",
        lambda h, codes: _squares(h, codes).argmin(1) + 1,
        "Your numbers are too large by one: codes are counted from 0, so that `codes[k]` is the code.",
    ),
    Way(
        "one_for_all",
        lambda h, codes: _squares(h, codes).sum(0).argmin().expand(len(h)),
        "All vectors get the same code, the one nearest to all of them together. Each vector chooses for itself.",
    ),
]
CODE_WAYS = [
    Way("right", lambda h, e: e, ok=True),
    Way(
        "not_quantised",
        lambda h, e: h,
        "Your z is still h: the value must be that of the code. Only its gradient is borrowed.",
    ),
    Way("overshoot", lambda h, e: 2 * e - h, "Your z goes past the code: the difference is counted twice."),
    Way("difference", lambda h, e: e - h, "Your z is the difference of code and vector. The code is wanted."),
    Way("difference", lambda h, e: h - e, "Your z is the difference of vector and code. The code is wanted."),
    Way("mirrored", lambda h, e: 2 * h - e, "Your z lies on the other side of h: look at the sign."),
    Way("halfway", lambda h, e: (h + e) / 2, "Your z lies halfway between vector and code."),
    Way("sum", lambda h, e: h + e, "Your z is the sum of vector and code: what has to be taken away again?"),
    Way("unit", lambda h, e: _unit(e), "Your z has been brought to length 1. The code stays as it is."),
]
# By what d(Σ g·z)/dh and d(Σ g·z)/dcodes are multiples of, in the right z: (of h, of the codes).
GRADIENT_WAYS = {
    (1, 0): ("right", ""),
    (0, 1): (
        "no_gradient",
        "The values are right, but the gradient goes to the codes, and none reaches h: the encoder would learn "
        "nothing. It should arrive at h, as if z were h.",
    ),
    (0, 0): (
        "no_gradient",
        "The values are right, but no gradient reaches h: the encoder would learn nothing. Should all of z be "
        "detached, or only the step from h to its code?",
    ),
    (1, 1): (
        "both",
        "The gradient reaches h, and the codes as well. The codes have a loss, or averages, of their own: what is not "
        "detached that should be?",
    ),
    (-1, 0): ("sign", "The gradient reaches h with the wrong sign: look at what is subtracted."),
    (-1, 1): (
        "sign",
        "The gradient reaches h with the wrong sign, and the codes: the wrong one of the two is detached.",
    ),
    (2, 0): ("twice", "The gradient reaches h twice."),
    (2, 1): ("twice", "The gradient reaches h twice, and the codes too."),
    (2, -1): ("twice", "The gradient reaches h twice, and the codes with the wrong sign."),
    (1, -1): ("both", "The gradient reaches h, and the codes with the wrong sign: detach more of it."),
}


def _quantiser_case(rows: int, size: int, width: int) -> tuple[Tensor, Tensor]:
    """Vectors h (N, d) and codes (K, d), off centre and of different lengths, so that every measure chooses others."""
    lengths = torch.linspace(0.4, 2.2, size)[:, None]
    shift = torch.linspace(-1.2, 0.8, width)
    for _ in range(1000):
        codes = lengths * torch.randn(size, width) + shift
        h = 1.5 * torch.randn(rows, width) + shift
        wanted = NUMBER_WAYS[0].answer(h, codes)
        apart = _squares(h, codes).topk(2, largest=False).values
        others = [way.answer(h, codes) for way in NUMBER_WAYS[1:]]
        separate = all((k != wanted).any() for k in others) and len(set(wanted.tolist())) > 2
        if separate and (apart[:, 1] - apart[:, 0]).min() > 0.05:
            return h, codes
    raise AssertionError("No case separates the ways.")


def _pair(value: object, h: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
    """(z, k) of an answer, of the right shapes and types."""
    rows, size, width = len(h), *codes.shape
    if not isinstance(value, tuple | list) or len(value) != 2:
        what = f"{len(value)} values" if isinstance(value, tuple | list) else a_or_an(value)
        raise Mistake("type", f"Two values are asked for, z and k, in that order; yours returned {what}.")
    z, k = value
    for each, name in ((z, "z"), (k, "k")):
        if not isinstance(each, Tensor):
            raise Mistake("type", f"`{name}` should be a tensor, and is {a_or_an(each)}.")
    if z.shape == (rows,) and k.shape == (rows, width):
        raise Mistake(
            "exchanged", "The two have changed places: first z, the codes themselves, then their numbers."
        )
    _real(z)
    finite(z)
    number_hints = {
        (size,): "You ask for each code which vector is nearest. Turn it round: one code for each vector.",
        (rows, 1): "The last dimension is one too many.",
        (1, rows): "The first dimension is one too many.",
        (rows, size): "That holds something for each code. The number of one code is wanted for each vector.",
        (rows, width): "That looks like the codes themselves. Their numbers are wanted.",
        (): "That is one number. Each vector has a code of its own: over which dimension is the smallest sought?",
    }
    tensor(k, (rows,), "(N,)", number_hints)
    if k.dtype.is_floating_point or k.dtype in (torch.bool, torch.complex64):
        message = "The numbers k should be whole ones, so that `codes[k]` can be read; yours are of type "
        hint = " Is it the smallest distance, and not its place?" if k.dtype.is_floating_point else ""
        raise Mistake("not_whole", f"{message}`{k.dtype}`.{hint}")
    z_hints = {
        (size, width): "That has one row for each code. One row for each vector is wanted.",
        (rows, 1, width): "The dimension in the middle is one too many.",
        (width,): "That is one code. Each vector has its own.",
        (rows, size): "One number for each code: is it a one-hot row? The code itself has d numbers.",
        (
            rows,
            size,
            width,
        ): "That has a row for each pair of a vector and a code. Choose one code for each vector.",
    }
    return tensor(z, (rows, width), "(N, d)", z_hints), k.long()


def _ask_quantiser(answer: Answer, h: Tensor, codes: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
    """z and k of an answer, and the leaves that its graph begins at."""
    leaves = h.clone().requires_grad_(), codes.clone().requires_grad_()
    given = leaves[0].clone(), leaves[1].clone()
    try:
        value = answer(*given)
    except Mistake as found:
        raise _of_shapes_that_clash(answer, h, codes, found) from None
    if not (torch.equal(given[0], h) and torch.equal(given[1], codes)):
        raise Mistake(
            "changed_input",
            "Your function changes the vectors or the codes it was given. Look for `+=` and methods that end in `_`.",
        )
    return *_pair(value, h, codes), leaves


def _of_shapes_that_clash(answer: Answer, h: Tensor, codes: Tensor, found: Mistake) -> Mistake:
    """What to say of an answer that stopped: a single vector, which goes with any number of codes, may show why."""
    said = found.feedback.message
    clash = set(re.findall(r"tensor [ab] \((\d+)\)", said)) == {str(len(h)), str(len(codes))}
    if not clash and "IndexError" not in said:
        return found
    try:
        _pair(answer(h[:1].clone(), codes.clone()), h[:1], codes)
    except Mistake as one:
        if one.feedback.kind == "shape" and not (clash and "yours is ()" in one.feedback.message):
            return one
    if not clash:
        return found
    return Mistake(
        "pairs",
        f"Something with a row for each of the {len(h)} vectors met something with a row for each of the {len(codes)} "
        "codes, row by row. Every vector has to meet every code: which dimension does each of the two lack, so that "
        "together they spread out to (N, K, d)?",
    )


def _gradients(z: Tensor, leaves: tuple[Tensor, Tensor], weights: Tensor) -> tuple[Tensor, Tensor]:
    if not z.requires_grad:
        return tuple(torch.zeros_like(leaf) for leaf in leaves)
    return torch.autograd.grad((weights * z).sum(), leaves, materialize_grads=True)


@gives_feedback
def check_quantise(quantise: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Feedback:
    """Say whether `quantise(h, codes)` returns each vector's nearest code z, with the gradient of h, and its number k.

    h (N, d) and codes (K, d), to z (N, d) and whole numbers (N,). Values are compared to a relative 1e-3, gradients in
    h and in the codes, in float32 and float64. Raises nothing. Source: van den Oord, Vinyals, Kavukcuoglu (2017).
    """
    answer = Answer(quantise, "my_quantise(h, codes)")
    torch.manual_seed(15)
    cases = [_quantiser_case(*sizes) for sizes in QUANTISER_SIZES]
    seen = [_ask_quantiser(answer, *case) for case in cases]
    wanted = [NUMBER_WAYS[0].answer(*case) for case in cases]
    _judge_numbers(cases, [k for _, k, _ in seen], wanted)
    chosen = [codes[k] for (_, codes), k in zip(cases, wanted, strict=True)]
    _judge_codes(cases, [z.detach() for z, _, _ in seen], chosen)
    for (h, codes), (z, k, leaves) in zip(cases, seen, strict=True):
        _judge_gradient(h, codes, z, k, leaves)
    for h, codes in cases[:1]:
        other = torch.float64 if h.dtype == torch.float32 else torch.float32
        try:
            z, k, _ = _ask_quantiser(answer, h.to(other), codes.to(other))
        except Mistake as found:
            if found.feedback.kind != "raised":
                raise
            name = str(other).removeprefix("torch.")
            message = (
                f"With {name} inputs your function stops: a tensor that it makes itself is of another type."
            )
            return right("Nearest codes, whole numbers, and a gradient for h.", [("dtype", message)])
        if not torch.equal(k, wanted[0]) or not _same(z.detach().double(), chosen[0].double()):
            raise Mistake("dtype", "With inputs of the other float type your function gives other codes.")
    return right("Each vector goes to its nearest code, and the gradient comes back to the vector as it was.")


def _judge_numbers(cases: list, numbers: list[Tensor], wanted: list[Tensor]) -> None:
    if all(torch.equal(k, want) for k, want in zip(numbers, wanted, strict=True)):
        return
    for way in NUMBER_WAYS[1:]:
        if all(torch.equal(k, way.answer(*case)) for k, case in zip(numbers, cases, strict=True)):
            raise Mistake(way.kind, way.message)
    agree = sum(int((k == want).sum()) for k, want in zip(numbers, wanted, strict=True))
    raise Mistake(
        "numbers",
        f"For {sum(map(len, wanted)) - agree} of {sum(map(len, wanted))} vectors another code is nearer than yours. "
        "Print the distances of one vector to all codes, an (N, K) table.",
    )


def _judge_codes(cases: list, values: list[Tensor], chosen: list[Tensor]) -> None:
    if all(_same(z.double(), e.double()) for z, e in zip(values, chosen, strict=True)):
        return
    for way in CODE_WAYS[1:]:
        if all(
            _same(z.double(), way.answer(h, e).double())
            for z, (h, _), e in zip(values, cases, chosen, strict=True)
        ):
            raise Mistake(way.kind, way.message)
    off = (values[0] - chosen[0]).norm(dim=1).mean().item()
    raise Mistake(
        "codes",
        f"The numbers k are right, but z lies {off:.3g} away from the code of that number, on average. Its *value* is "
        "the code itself, unmixed.",
    )


def _judge_gradient(h: Tensor, codes: Tensor, z: Tensor, k: Tensor, leaves: tuple[Tensor, Tensor]) -> None:
    weights = torch.linspace(1, 2, h.numel(), dtype=z.dtype).view_as(h)
    try:
        in_h, in_codes = _gradients(z, leaves, weights)
    except RuntimeError as error:
        raise Mistake("graph", f"Backward through z stopped: {str(error).splitlines()[0][:120]}") from None
    to_codes = torch.zeros_like(codes).index_add_(0, k, weights.to(codes.dtype))
    for (a, b), (kind, message) in GRADIENT_WAYS.items():
        if _close(in_h, a * weights) and _close(in_codes, b * to_codes):
            if kind != "right":
                raise Mistake(kind, message)
            return
    leak = in_codes.abs().sum().item()
    if _close(in_h, weights):
        raise Mistake(
            "both",
            f"The gradient reaches h as it should, but {leak:.3g} in all reaches the codes, where nothing should. "
            "Which part of z still holds them?",
        )
    factor = (in_h / weights).mean().item()
    raise Mistake(
        "gradient",
        f"The values are right, but what reaches h is not the gradient of z as it was: about {factor:.3g} times that, "
        f"and {leak:.3g} in all reaches the codes, where nothing should.",
    )


def _close(one: Tensor, other: Tensor) -> bool:
    return bool(((one - other).abs() <= SAME * (1 + other.abs())).all())
