"""Checks of notebook 10, the ELBO: the KL of a Gaussian to the prior, and the bound on an exactly solved model."""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from helpers.checks.shared import (
    DRAWS,
    KL_FACTORS,
    KL_REDUCTIONS,
    KL_TERMS,
    LIKELIHOODS,
    LOG_TWO_PI,
    ONE_EACH,
    evidence,
    exact_case,
    floats,
    gaussian_kl,
    kinds,
    noise,
    of_each_observation,
    rate,
    rows_of_both_signs,
    samples_used,
    sigma,
    sizes_of,
    spread,
)
from helpers.feedback import Case, Close, Feedback, Mistake, Observe, Row, Task, Trial, Wanted, diagnose
from helpers.feedback.explain import choices
from helpers.feedback.fallbacks import scaled, shifted, witness
from helpers.feedback.observe import alike
from helpers.feedback.probes import at, in_any_order, in_the_tails, other_dtype
from helpers.theory import LinearGaussian, exact_elbo, kl_to_posterior, log_mean_exp

ROUNDING = Close(
    1e-4, 1e-5, each=True
)  # nats: of float32, where a small KL is the difference of larger numbers
LIMITS = Close(1e-3, 1e-5, each=True)


# The KL


FACTORS = [
    replace(row, kind="no_half") if row.kind == "half" else row
    for row in KL_FACTORS
    if row.kind != "detached"
]
REDUCTIONS = [
    *KL_REDUCTIONS,
    Row("not_summed", lambda k: k,
        "That is the KL of each latent dimension. They are independent: how do their KLs become one?"),
    Row("wrong_dimension", lambda k: k.sum(0),
        f"You sum over the observations and keep the latent dimensions. {ONE_EACH}"),
    Row("wrong_dimension", lambda k: k.mean(0),
        f"You average over the observations and keep the latent dimensions. {ONE_EACH}"),
]  # fmt: skip


def _kl_cases() -> list[Case]:
    return [
        Case(zip(("mu", "log_var"), rows_of_both_signs(*sizes), strict=True)) for sizes in ((5, 4), (7, 3))
    ]


def _kl_hints(c: Case) -> dict[tuple, str]:
    batch, latent = c.mu.shape
    return {
        **dict.fromkeys([(), (1,)], f"That is one number for the whole batch. {ONE_EACH}"),
        (batch, latent): "Sum over the latent dimensions of an observation.",
        (batch, 1): "The last dimension is one too many: beside a (B,) it silently grows to (B, B).",
        (latent,): f"You summed over the observations and kept the latent dimensions. {ONE_EACH}",
        (batch, batch): "A (B,) met a (B, 1) and grew to (B, B), or rows were multiplied with other rows.",
    }


def _by_a_seed(trial: Trial) -> Mistake | None:
    """Whether the answer draws random numbers, even if a seed of its own makes them the same each time."""
    torch.manual_seed(14)
    before = torch.random.get_rng_state()
    trial.ask(trial.cases[0])
    if torch.equal(before, torch.random.get_rng_state()):
        return None
    return Mistake(
        "sampled",
        "Your KL draws random numbers, so it is an estimate, even if a fixed seed makes it the same each time. "
        "Between two Gaussians a closed form exists.",
    )


def _one_term(trial: Trial) -> Mistake | None:
    """Whether the answer is right wherever μ is 0, or wherever log σ² is."""
    case = trial.cases[0]
    for name, kind, say in (
        ("mu", "mean_term", "Wherever μ is 0 your KL is right, so look at what μ does."),
        (
            "log_var",
            "variance_term",
            "Wherever σ is 1 your KL is right, so look at what σ does, and to which terms.",
        ),
    ):
        if trial.fits(case.but(**{name: torch.zeros_like(case.mu)}), ["value"]):
            return Mistake(kind, f"{say} {witness(trial)}")
    return None


SAMPLED = (
    "Two calls with the same μ and `log_var` gave two different numbers, so your KL is estimated from samples. "
    "Between two Gaussians a closed form exists: the mean of log q − log p can be worked out by hand, without noise."
)
NEAR_PRIOR = (
    "Close to the prior your KL stays too large: something like `clamp(min=...)` holds it up. Free bits are a cure "
    "for collapse, and no longer the KL."
)
CUT_OFF = "Where `log_var` is large, of either sign, your result is cut off: look for a `clamp`. None belongs there."


def _near_the_prior(case: Case) -> Case:
    return case.but(mu=0.05 * case.mu, log_var=0.05 * case.log_var)


KL = Task(
    usage="my_gaussian_kl(mu, log_var)",
    cases=_kl_cases,
    tables=(KL_TERMS, FACTORS, REDUCTIONS),
    compose=lambda c, term, factor, reduce: reduce(factor(term(c.mu, c.log_var))),
    observe=Observe(Wanted("(B,)", lambda c: c.mu.shape[:1], _kl_hints), ("mu", "log_var"), floats),
    praise="This is the KL to the prior, one number per observation, and its gradient is right too.",
    probes=(
        in_any_order("observations", {"mu": 0, "log_var": 0}),
        at(_near_the_prior, "limited", NEAR_PRIOR, ROUNDING, ("value",)),
        at(spread(-6.0, 6.0), "limited", CUT_OFF, LIMITS, ("value",)),
        other_dtype(),
        in_the_tails(
            spread(-30.0, 20.0),
            "The formula is right, but for `log_var` = −30 or 20, a q very narrow or very wide, it or its gradient is "
            "no longer a finite number. Is there a way with fewer detours through exponentials and logarithms?",
            "For `log_var` = −30 or 20 your KL is cut off: look for a small constant inside a logarithm, or for a "
            "`clamp`. The logarithm is given, so none is needed.",
            close=LIMITS,
        ),
    ),
    fallbacks=(
        _by_a_seed,
        scaled("Your KL", lambda c: {"B": len(c.mu), "d": c.mu.shape[1]}),
        _one_term,
    ),
    noise=("sampled", SAMPLED),
    retreat=lambda case: case.but(log_var=case.log_var.abs()),
    seed=10,
)


NO_GRAPH = (
    "No gradient passes through your result. None is asked for here; an encoder could not be trained with it."
)
# Of what is no tensor, or was taken out of the graph, the values alone are judged.
KL_OF_NUMBERS = replace(
    KL,
    observe=Observe(KL.observe.wanted),
    praise="This is the KL to the prior, one number per observation.",
    probes=(*KL.probes, lambda trial: [("no_graph", NO_GRAPH)]),
)


def check_gaussian_kl(kl: Callable[[Tensor, Tensor], Tensor]) -> Feedback:
    """Say whether `kl(mu, log_var)` is KL(N(μ, diag σ²) ‖ N(0, I)) = −½ Σ (1 + log σ² − μ² − σ²) of each row.

    μ and log σ² (B, d) to (B,), summed over d, in nats. Values, and gradients at μ and log σ² if there is a graph, are
    compared to a relative 1e-3, so any equal formula passes: also near the prior, for log σ² from −30 to 20, in float32
    and float64, and with rows in another order. Raises nothing. Source: Kingma and Welling (2014), appendix B.
    """
    feedback = diagnose(KL, kl)
    return diagnose(KL_OF_NUMBERS, kl) if feedback.kind in ("type", "no_gradient") else feedback


# The bound


# Logarithms of densities, and means of them over q, of each latent dimension.
def _p(z: Tensor) -> Tensor:
    return -0.5 * (z**2 + LOG_TWO_PI)


def _q(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    return _p((z - mu) / sigma(log_var)) - 0.5 * log_var


def _mean_p(c: Case) -> Tensor:
    return -0.5 * (c.mu**2 + c.log_var.exp() + LOG_TWO_PI)


def _mean_q(c: Case) -> Tensor:
    return -0.5 * (1 + LOG_TWO_PI + c.log_var)


def _kl(c: Case) -> Tensor:
    return gaussian_kl(c.mu, c.log_var)


ANTITHETIC = Row(
    "antithetic",
    lambda c: torch.cat([c.mu + s * sigma(c.log_var) * c.eps for s in (1, -1)]),
    "You use each `eps` with both signs. That is allowed, and takes out some of the noise.",
    ok=True,
)
EXACT = Row(
    "right",
    lambda c, z: exact_elbo(c.model, c.x, c.mu, c.log_var) + rate(c),
    "You take the mean of log p(x|z) exactly, where this linear model allows it. With a network for a decoder "
    "only samples are left.",
    ok=True,
)
NOT_THERE = "log q(z|x) is evaluated at the wrong place. All three densities belong to one and the same z."
PRIOR_PLACE = "log p(z) is evaluated at the wrong place. Both terms are about the z that was sampled from q."
NO_LOG_Q = (
    "q's own density is missing: this is the mean of log p(x, z) alone, and largest for a q that is one point. What "
    "rewards q for staying wide?"
)
NO_PRIOR = "The prior is missing: q's entropy is counted, but nothing asks whether z is likely under p(z)."
SAME_SIGN = (
    "log p(z) and log q(z|x) come in with the same sign, and should come in with opposite ones. Should the bound rise "
    "or fall where z is likely under the prior, and where q is wide?"
)
# What log p(x|z) is joined to, of each latent dimension: −KL, or log p(z) − log q(z|x).
REGULARISERS = [
    Row("right", lambda c, z: -_kl(c), ok=True),
    Row("right", lambda c, z: _p(z) - _q(z, c.mu, c.log_var),
        "Your KL is estimated from the same samples, as a mean of log q − log p. That is right and needs no formula; "
        "where there is one, as here, it often has less noise.", ok=True),
    Row("right", lambda c, z: _p(z) - _mean_q(c),
        "You take the entropy of q exactly and sample the rest: right, and handy where only q is a Gaussian.", ok=True),
    Row("right", lambda c, z: _mean_p(c) - _q(z, c.mu, c.log_var),
        "You take the mean of log p(z) exactly and sample log q. That is right; its mean is known as well.", ok=True),
    Row("path_gradient", lambda c, z: _p(z) - _q(z, c.mu.detach(), c.log_var.detach()),
        "Within log q your μ and σ are constants. The gradient differs from sample to sample, but its mean is right, "
        "and it is free of noise where q is the posterior.", ok=True),
    *[
        Row(row.kind, lambda c, z, f=row.f: -f(c.mu, c.log_var), row.say)
        for row in kinds(KL_TERMS, "kl_") if "entropy" not in row.kind
    ],
    Row("kl_of_z", lambda c, z: -gaussian_kl(z, c.log_var),
        "z stands in your KL where μ belongs. If you wrote μ, look for a `+=` that turned it into z."),
    Row("no_log_q", lambda c, z: _p(z), NO_LOG_Q),
    Row("no_log_q", lambda c, z: _mean_p(c), NO_LOG_Q),
    Row("no_prior", lambda c, z: -_q(z, c.mu, c.log_var), NO_PRIOR),
    Row("no_prior", lambda c, z: -_mean_q(c), NO_PRIOR),
    Row("entropy_sign", lambda c, z: _p(z) + _q(z, c.mu, c.log_var), SAME_SIGN),
    Row("entropy_sign", lambda c, z: _p(z) + _mean_q(c), SAME_SIGN),
    Row("entropy_sign", lambda c, z: _mean_p(c) + _mean_q(c), SAME_SIGN),
    Row("prior_sign", lambda c, z: -_p(z) - _q(z, c.mu, c.log_var), SAME_SIGN),
    Row("prior_sign", lambda c, z: -_mean_p(c) - _mean_q(c), SAME_SIGN),
    Row("q_place", lambda c, z: _p(z) - _q(c.mu, c.mu, c.log_var), NOT_THERE),
    Row("q_place", lambda c, z: _p(z) - _q(noise(c, z), c.mu, c.log_var), NOT_THERE),
    Row("q_of_noise", lambda c, z: _p(z) - _p(noise(c, z)),
        "You take the density of the noise for that of z. Stretching the noise by σ thins it out: which term of log "
        "q(z|x) says so?"),
    Row("prior_place", lambda c, z: _p(c.mu) - _q(z, c.mu, c.log_var), PRIOR_PLACE),
    Row("prior_place", lambda c, z: _p(noise(c, z)) - _q(z, c.mu, c.log_var), PRIOR_PLACE),
    Row("prior_place", lambda c, z: _p(c.mu) - _mean_q(c), PRIOR_PLACE),
    Row("q_variance", lambda c, z: _p(z) - _q(z, c.mu, 2 * c.log_var),
        "The density of q has the variance where the standard deviation belongs. Which of the two does `Normal` "
        "take?"),
    Row("prior_twice", lambda c, z: _p(z) - _kl(c),
        "The prior is counted twice: log p(z) stands in your sum, and in the KL as well. Take one of the two."),
    Row("entropy_twice", lambda c, z: -_mean_q(c) - _kl(c),
        "The entropy of q is counted twice: it stands in your sum, and in the KL as well."),
]  # fmt: skip


def _to_posterior(c: Case) -> Tensor:
    return kl_to_posterior(c.model, c.x, c.mu, c.log_var)


WEIGHINGS = [
    Row("right", lambda r, k, c: (r, k), ok=True),
    Row("kl_added", lambda r, k, c: (r, -k),
        "You add the KL, so the bound rewards q for leaving the prior, and may rise above log p(x). What should the "
        "KL do to a lower bound? (If you sample it: look at the order of the two logarithms.)"),
    Row("kl_missing", lambda r, k, c: (r, 0 * k),
        "Only the reconstruction is there: that is an autoencoder with noise, and no bound on log p(x). What does "
        "the bound charge for a q that differs from the prior?"),
    Row("reconstruction_missing", lambda r, k, c: (0 * r, k),
        "The data are missing, or weigh nothing: without log p(x|z), the logarithm and not p itself, the best q is "
        "the prior, whatever x is."),
    Row("reconstruction_sign", lambda r, k, c: (-r, k),
        "log p(x|z) has the wrong sign: your bound falls when the model explains x better."),
    Row("kl_to_posterior", lambda r, k, c: (r, 0 * k - c.once(_to_posterior)),
        "Your KL is that to the posterior. That is the gap beneath log p(x); what log p(x|z) is weighed against is "
        "the KL to what was believed before x was seen."),
    Row("evidence", lambda r, k, c: (c.once(evidence) + 0 * r, 0 * k),
        "That is log p(x) itself, which this model happens to know. The bound lies below, by a gap that depends on "
        "q."),
    Row("evidence_minus_kl", lambda r, k, c: (c.once(evidence) + 0 * r, k),
        "You subtract the KL to the prior from log p(x). The gap beneath log p(x) is a KL to another distribution: "
        "which one would q have to be for the gap to close?"),
    Row("gap_sign", lambda r, k, c: (2 * c.once(evidence) - r, -k),
        "You add the gap to log p(x), so your bound lies above it. A lower bound lies below."),
    Row("gap", lambda r, k, c: (c.once(evidence) - r, -k),
        "That is the gap, how far the bound lies beneath log p(x). The bound itself is wanted."),
]  # fmt: skip
IMPORTANCE = (
    "You take the logarithm of a mean over the samples, where the mean of logarithms belongs. With the weights p(x, "
    "z)/q(z|x) that is the importance-weighted bound: larger, another bound."
)
SUM_OF_SAMPLES = "You sum over the K samples, so {} grows with K. An expectation is estimated by a mean."
AVERAGES = [
    Row("right", lambda r, k: (r + k).mean(0), ok=True),
    Row("sum_of_samples", lambda r, k: (r + k).sum(0), SUM_OF_SAMPLES.format("your bound")),
    Row("sum_of_samples", lambda r, k: r.sum(0) + k.mean(0), SUM_OF_SAMPLES.format("log p(x|z)")),
    Row("sum_of_samples", lambda r, k: r.mean(0) + k.sum(0), SUM_OF_SAMPLES.format("the KL")),
    Row("log_mean_exp", lambda r, k: log_mean_exp(r + k), IMPORTANCE),
    Row("log_mean_exp", lambda r, k: log_mean_exp(r) + k.mean(0), IMPORTANCE),
    Row("log_sum_exp", lambda r, k: (r + k).logsumexp(0),
        "You take the logarithm of a sum over the samples. Even as an importance-weighted bound it would need the "
        "mean (it grows by log K as it stands); the ELBO is the mean of logarithms."),
    Row("best_sample", lambda r, k: (r + k).max(0).values,
        "You keep the best of the K samples. The bound takes their mean: q pays for its bad samples as well."),
]  # fmt: skip
RESULTS = [
    Row("right", lambda v: v, ok=True),
    Row("negative", lambda v: -v,
        "That is −ELBO, the loss that an optimiser minimises. Here the bound itself is wanted, below log p(x)."),
    Row("batch_mean", lambda v: v.mean().expand_as(v),
        "Every observation has the same bound: you average over the batch. Average over the K samples only."),
    Row("bits", lambda v: v / math.log(2), "Your bound is in bits. Nats are wanted: take natural logarithms."),
]  # fmt: skip


def _compose(c, draw, likelihood, regulariser, factor, reduce, weigh, average, end):
    z = draw(c)
    size = (len(z), len(c.x))
    r, k = likelihood(c, z), reduce(factor(regulariser(c, z)))
    return end(average(*weigh(*(each if each.shape == size else each.expand(size) for each in (r, k)), c)))


def _which_term(trial: Trial) -> Mistake | None:
    """Which of the two terms is wrong, seen where the other is 0 or the same for every z."""
    case = trial.cases[0]
    used, nothing = samples_used(trial), torch.zeros_like(case.mu)
    blind = case.but(model=LinearGaussian(0 * case.model.weight, case.model.bias, case.model.std))
    right_kl = _fits_some(trial, blind)
    if not right_kl and _fits_some(trial, case.but(mu=nothing, log_var=nothing)):
        say = "Where q is the prior your bound is right: look at what is charged for leaving the prior."
        return Mistake("kl", f"{say} {witness(trial)}")
    if not used:
        say = "Your result does not depend on `eps`, and is not the exact mean. Where should the samples come in?"
        return Mistake("noise_unused", say)
    if len(used) < len(case.eps):
        return Mistake(
            "some_samples",
            f"Only {len(used)} of the {len(case.eps)} samples have an effect. `eps` holds them along its first "
            "dimension: look at how you index it, loop over it, or choose among what it gives.",
        )
    if right_kl:
        say = (
            "Where x tells nothing about z (a `model.weight` of 0) your bound is right, so the KL is. Look at the mean "
            "of log p(x|z): at the z you decode, at what is averaged, and over which dimension."
        )
        return Mistake("reconstruction", f"{say} {witness(trial)}")
    return None


def _fits_some(trial: Trial, case: Case) -> bool:
    """Whether the answer has the value of some right way on `case`."""
    try:
        seen = trial.ask(case)["value"]
    except Mistake:  # what stops there is no guide
        return False
    with torch.no_grad():  # values only: thirty right ways are tried
        values = (trial.task.observe.values(choice, case)["value"] for choice in choices(trial.task, 0))
        return any(alike(seen, value, Close()) for value in values)


ELBO = Task(
    usage="my_elbo(model, x, mu, log_var, eps)",
    cases=lambda: [exact_case(*sizes) for sizes in ((5, 3, 4, 6), (4, 5, 7, 3))],  # (B, d, D, K)
    tables=(
        [*DRAWS, ANTITHETIC],
        [*LIKELIHOODS, EXACT],
        REGULARISERS,
        [row for row in (KL_FACTORS[0], *kinds(KL_FACTORS, "kl_")) if row.kind != "kl_sign"],
        [KL_REDUCTIONS[0], *kinds(KL_REDUCTIONS, "kl_")],
        WEIGHINGS,
        AVERAGES,
        RESULTS,
    ),
    compose=_compose,
    observe=Observe(Wanted("(B,)", lambda c: c.x.shape[:1], of_each_observation), ("mu", "log_var"), floats),
    praise="This is the ELBO of each observation, in nats, and its gradient reaches μ and σ.",
    probes=(
        in_any_order("observations", {"x": 0, "mu": 0, "log_var": 0, "eps": 1}),
        at(_near_the_prior, "limited", NEAR_PRIOR, ROUNDING, ("value",)),
        at(spread(-6.0, 6.0), "limited", CUT_OFF, LIMITS, ("value",)),
        other_dtype(),
    ),
    fallbacks=(
        scaled("Your bound", sizes_of),
        shifted(
            "Right gradient, wrong nats: every row",
            "A constant of a Gaussian (what makes a density integrate to 1) or of the KL is missing. The optimum "
            "survives that, a bound on log p(x) does not.",
        ),
        _which_term,
    ),
    retreat=lambda case: case.but(log_var=case.log_var.abs()),
    seed=11,
)


def check_elbo(elbo: Callable[..., Tensor]) -> Feedback:
    """Say whether `elbo(model, x, mu, log_var, eps)` estimates E_q[log p(x|z)] − KL(q(z|x) ‖ p(z)) of each observation.

    q = N(μ, diag σ²), z_k = μ + σ·ε_k, the mean over k; x (B, D), μ and log σ² (B, d), ε (K, B, d), to (B,), in nats.
    `model` is a `LinearGaussian`. The KL, the entropy of q, log p(x|z) or all of them may be exact or sampled. Values,
    and gradients at μ and log σ², are compared with every such way to a relative 1e-3, in float32 and float64, and
    with rows in another order. Raises nothing. Source: Kingma and Welling (2014), eq. 3 and 10.
    """
    return diagnose(ELBO, elbo)
