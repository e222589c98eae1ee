"""Check of notebook 09: the estimate of log p(x) by importance sampling."""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checks.shared import (
    DRAWS,
    LIKELIHOODS,
    exact_case,
    far_away,
    floats,
    guarded,
    log_likelihood,
    log_normal,
    log_prior,
    log_q,
    noise,
    of_each_observation,
    rate,
    sigma,
    sizes_of,
    spread,
)
from helpers.feedback import Case, Close, Feedback, Mistake, Observe, Row, Task, Trial, Wanted, diagnose
from helpers.feedback.fallbacks import scaled, shifted
from helpers.feedback.observe import alike
from helpers.feedback.probes import at, in_any_order, other_dtype
from helpers.theory import LinearGaussian, log_mean_exp

# An estimate: z from `eps`, three log-densities at that z, the logarithm of the weights (K, B), their mean, (B,)

SAMPLES = [
    # Neither what only a gradient shows, nor what belongs to a bound or to the ways.
    *[row for row in DRAWS if "detached" not in row.kind
      and row.kind not in ("prior", "posterior", "no_expectation", "averaged_noise")],
    Row("antithetic", lambda c: torch.cat([c.mu + s * sigma(c.log_var) * c.eps for s in (1, -1)]),
        "You use each `eps` with both signs. That is allowed, and takes out some of the noise.", ok=True),
    *[Row("averaged_noise", f,
          "You average the noise, or leave it out, and have one z. Average the weights, not the samples.")
      for f in (lambda c: c.mu + sigma(c.log_var) * c.eps.mean(0, keepdim=True), lambda c: c.mu.expand_as(c.eps))],
    Row("root", lambda c: c.mu + (c.log_var / 4).exp() * c.eps,
        "Your noise is multiplied by √σ. The exponential of half of `log_var` is σ already."),
]  # fmt: skip
ONE_Z = "{}. All three densities belong to one and the same z."
LIKELIHOOD = [
    Row("right", log_likelihood, ok=True),
    *[row for row in LIKELIHOODS if row.kind == "squares"],
    Row("likelihood_place", lambda c, z: log_likelihood(c, c.mu), ONE_Z.format("You ask how well μ explains x")),
]  # fmt: skip
MEAN_OF_DIMENSIONS = (
    "You average log {} over the latent dimensions. How do those of independent ones combine?"
)
PRIOR = [
    Row("right", lambda c, z: log_prior(z), ok=True),
    Row("prior_place", lambda c, z: log_prior(c.mu), ONE_Z.format("You ask how likely μ is under the prior")),
    Row("mean_of_dimensions", lambda c, z: log_prior(z) / z.shape[-1], MEAN_OF_DIMENSIONS.format("p(z)")),
]  # fmt: skip
Q = [
    Row("right", log_q, ok=True),
    *[Row("q_spread", lambda c, z, power=power: log_normal(z, c.mu, power * c.log_var),
          f"q's density in your weight is not that of your samples: its standard deviation is {instead}, where σ "
          "belongs.")
      for power, instead in ((2, "σ²"), (0.5, "√σ"), (-1, "1/σ"), (0, "1"))],
    Row("q_place", lambda c, z: log_normal(z, 0 * c.mu, c.log_var), "Your log q is centred at 0. Where is q centred?"),
    Row("q_of_eps", lambda c, z: log_prior(noise(c, z)),
        "You divide by the density of ε, and z has another one: stretching by σ thins a density out. Which factor is "
        "that, in each dimension?"),
    *[Row("q_of_eps", lambda c, z, power=power: log_prior(noise(c, z)) - power * c.log_var.sum(-1),
          "You correct the density of ε by σ, in the wrong direction or by the wrong power. A wide q is thin: by how "
          "much, in each dimension?")
      for power in (-0.5, 1)],
    Row("mean_of_dimensions", lambda c, z: log_q(c, z) / z.shape[-1], MEAN_OF_DIMENSIONS.format("q")),
    Row("q_at_mean", lambda c, z: log_q(c, c.mu), ONE_Z.format("Your log q is that of μ")),
]  # fmt: skip
WEIGHTS = [
    Row("right", lambda r, p, q: r + p - q, ok=True),
    Row("no_prior", lambda r, p, q: r - q,
        "The prior is missing: nothing in your weight asks how likely z is under p(z)."),
    Row("no_q", lambda r, p, q: r + p,
        "You sampled from q and never divided by it. Where q samples often, each sample must count for less."),
    Row("likelihood_only", lambda r, p, q: r,
        "You average p(x|z) alone. That is right for samples from the prior; those from q need a correction: which?"),
    Row("ratio_inverted", lambda r, p, q: r + q - p,
        "The ratio of prior and q stands upside down. Which of them should be there, and which did you sample from?"),
    Row("q_added", lambda r, p, q: r + p + q, "You multiply by q, and should divide: log q has the wrong sign."),
]  # fmt: skip
MEANS = [
    Row("right", log_mean_exp, ok=True),
    Row("mean_of_logarithms", lambda w: w.mean(0),
        "You take the mean of the logarithms. The weights themselves are averaged, and the logarithm comes last; the "
        "other order is a lower bound, which is the subject of notebook 10."),
    Row("sum", lambda w: w.logsumexp(0),
        "You take the logarithm of a sum, so your estimate grows with K. What turns a sum of K weights into a mean?"),
    Row("largest", lambda w: w.max(0).values,
        "You keep the largest weight. It is taken out so that nothing overflows; the others must stay in the mean."),
    Row("relative", lambda w: log_mean_exp(w - w.max(0).values),
        "You took the largest weight out and never put it back, so your estimate is always between −log K and 0."),
    *[Row("divided_log", f, "Dividing the sum by K comes before the logarithm: what does that subtract from it?")
      for f in (lambda w: w.logsumexp(0) / len(w), lambda w: w.logsumexp(0) - len(w))],
    Row("no_logarithm", lambda w: log_mean_exp(w).exp(),
        "That is an estimate of p(x). Its logarithm is wanted, and for real images p(x) itself underflows."),
]  # fmt: skip
RESULTS = [
    Row("right", lambda v: v, ok=True),
    Row("sign", lambda v: -v, "That is −log p(x). The logarithm itself is wanted, with a plus."),
    *[Row("batch_mean", lambda v, reduce=reduce: reduce(v).expand_as(v),
          "Every observation has the same value, from the whole batch. Average over the K samples only.")
      for reduce in (torch.mean, torch.sum)],
]  # fmt: skip


def _of(combine: Callable[[Tensor, Tensor, Tensor], Tensor], draw: Callable = SAMPLES[0].f) -> Callable:
    """A way made of log p(x|z), log p(z) and log q(z), each (K, B)."""

    def way(c: Case) -> Tensor:
        z = draw(c)
        return combine(log_likelihood(c, z), log_prior(z), log_q(c, z))

    return way


def _weights(deviation: Callable[[Tensor], Tensor]) -> Callable:
    """A way that computes σ wrongly once, for z and for q: as the σ that belongs to another log σ²."""
    right = _of(lambda r, p, q: log_mean_exp(r + p - q))
    return lambda c: right(c.but(log_var=deviation(c.log_var)))


SAID = {row.kind: row.say for row in SAMPLES}
APART = (
    "You average parts of the weight apart from each other. A mean of products is no product of means: put each "
    "sample's three densities together first, and average then."
)
WAYS = [
    Row("naive", lambda c: log_mean_exp(log_likelihood(c, c.eps)),
        "That is the naive estimate: `eps` as samples from the prior. It is unbiased too; use q here."),
    Row("not_from_q", _of(lambda r, p, q: log_mean_exp(r + p - q), lambda c: c.eps),
        "Your z is `eps` itself, a sample from N(0, I). Where do q's μ and σ come in?"),
    Row("exact", lambda c: c.model.log_evidence(c.x),
        "That is the exact log p(x). Here it is to be estimated from samples, as one must where no formula exists."),
    Row("inverted", _of(lambda r, p, q: log_mean_exp(q - r - p)), "Your weight stands upside down: 1/w in place of w."),
    Row("prior_place", lambda c: _of(lambda r, p, q: log_mean_exp(r + log_prior(c.eps) - q))(c),
        ONE_Z.format("You ask how likely `eps` is under the prior")),
    Row("kl", lambda c: _of(lambda r, p, q: log_mean_exp(r) - rate(c))(c),
        "You subtract a KL, which is a mean over q. Each sample has its own ratio p(z)/q(z): put that in its weight."),
    Row("elbo", lambda c: _of(lambda r, p, q: r.mean(0) - rate(c))(c),
        "That is the evidence lower bound, with its KL in closed form. Here the weights are averaged before the "
        "logarithm is taken."),
    Row("batch", _of(lambda r, p, q: log_mean_exp((r + p - q).flatten()).expand(r.shape[1])),
        "You average over the observations too, so each gets the same number. Which dimension holds the samples?"),
    *[Row("apart", _of(combine), APART) for combine in (
        lambda r, p, q: log_mean_exp(r) + log_mean_exp(p - q), lambda r, p, q: log_mean_exp(r) + (p - q).mean(0),
        lambda r, p, q: r.mean(0) + log_mean_exp(p - q), lambda r, p, q: log_mean_exp(r + p) - log_mean_exp(q),
        lambda r, p, q: log_mean_exp(r) + log_mean_exp(p) - log_mean_exp(q),
        lambda r, p, q: log_mean_exp(r + p) - q.mean(0))],
    *[Row(kind, _weights(deviation), SAID[kind]) for kind, deviation in (
        ("variance_for_deviation", lambda lv: 2 * lv), ("root", lambda lv: lv / 2),
        ("inverse_deviation", lambda lv: -lv), ("unit_deviation", lambda lv: 0 * lv))],
]  # fmt: skip


def _compose(c, draw, likelihood, prior, q, weigh, average, end):
    z = draw(c)
    size = (len(z), len(c.x))
    parts = likelihood(c, z), prior(c, z), q(c, z)
    return end(average(weigh(*(each if each.shape == size else each.expand(size) for each in parts))))


def _many_dimensions(case: Case) -> Case:
    """700 dimensions and a q close to the posterior: weights of e^±1000, which differ by a few nats within a row."""
    torch.manual_seed(9)
    model = LinearGaussian(torch.randn(700, 2), torch.randn(700), 0.05)
    errors = torch.tensor([1.0, 2.65, 1.0, 2.65])[:, None] * torch.randn(4, 700).sign()
    x = torch.randn(4, 2) @ model.weight.T + model.bias + 0.05 * errors
    mu, cov = model.posterior(x)
    return Case(
        model=model, x=x, mu=mu, log_var=(1.5 * cov.diagonal()).log().expand_as(mu), eps=torch.randn(5, 4, 2)
    )


def _guarded(trial: Trial) -> Mistake | None:
    """`guarded`, where far out the guard alone is left."""
    far = trial.ask(trial.cases[0].but(x=trial.cases[0].x + 1000))["value"]
    return guarded(trial) if far.max() - far.min() < 1e-3 else None


NEARLY = (
    "Your estimate is right to three digits, and no further. Is a constant rounded, or is a small number added to σ or "
    "to a weight?"
)


def _nearly(trial: Trial) -> Mistake | None:
    """Whether the answer is off by a thousandth, which no witness would show."""
    pairs = [(seen["value"], trial.ours(c)["value"]) for seen, c in zip(trial.seen, trial.cases, strict=True)]
    return Mistake("nearly", NEARLY) if all(alike(*pair, Close()) for pair in pairs) else None


# float32 has its own trouble with 700 dimensions; an answer that overflows is off by far more.
PERCENT = Close(1e-2)
LOG_EVIDENCE = Task(
    usage="my_log_evidence(model, x, mu, log_var, eps)",
    cases=lambda: [exact_case(5, 3, 4, 6), exact_case(4, 5, 7, 3)],  # (B, d, D, K)
    tables=(SAMPLES, LIKELIHOOD, PRIOR, Q, WEIGHTS, MEANS, RESULTS),
    compose=_compose,
    ways=WAYS,
    close=Close(1e-5),  # 3.14 in place of π is off by 8e-4 for three latent dimensions
    observe=Observe(Wanted("(B,)", lambda c: c.x.shape[:1], of_each_observation), read=floats),
    praise="This is the importance-sampling estimate of log p(x), and it neither overflows nor underflows.",
    probes=(
        in_any_order("observations", {"x": 0, "mu": 0, "log_var": 0, "eps": 1}),
        at(spread(-12.5, -12.5), "narrow",
           "Your estimate is right where q is about as wide as the prior, and wrong where its σ is 0.002. Is something "
           "added to σ or to `log_var`, replaced or cut off?", PERCENT),
        at(_many_dimensions, "range",
           "For weights of ordinary size your estimate is right, but not for two observations with weights of about "
           "e^1000 and e^−1000. Is anything cut off? If not, no float holds those: what has to be taken out before "
           "`exp`, and is it the same for both?", PERCENT),
        at(far_away, "range",
           "For weights of ordinary size your estimate is right, but not where the weights of one observation differ "
           "from sample to sample by a factor of e^1000, which no float holds. What has to be taken out before `exp`, "
           "so that nothing which is left can overflow?", PERCENT),
        other_dtype(),
    ),
    fallbacks=(
        _guarded,
        scaled("Your estimate", sizes_of),
        shifted("Every row", "Which factor of the weights, or of the mean, is that?"),
        _nearly,
    ),
    seed=9,
)  # fmt: skip


def check_log_evidence(estimate: Callable[..., Tensor]) -> Feedback:
    """Say whether `estimate(model, x, mu, log_var, eps)` is log (1/K) Σₖ p(x|zₖ) p(zₖ)/q(zₖ), zₖ = μ + σ·εₖ.

    q = N(μ, diag σ²); x (B, D), μ and log σ² (B, d), ε (K, B, d), to (B,), in nats. `model` is a `LinearGaussian`.
    Values are compared to a relative 1e-5 in float32 and float64, in another order of the rows, and to 1e-2 for a q of
    σ = 0.002, for weights of e^1000 and e^−1000, and for such that differ by e^1000. −σ·ε, or both signs, are taken.
    Raises nothing. Source: Burda, Grosse, Salakhutdinov (2016), eq. 8.
    """
    return diagnose(LOG_EVIDENCE, estimate)
