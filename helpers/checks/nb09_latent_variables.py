"""Check of notebook 09: the estimate of log p(x) by importance sampling."""

import math
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
)
from helpers.feedback import Case, Close, Feedback, Observe, Row, Task, Wanted, diagnose
from helpers.feedback.fallbacks import scaled, shifted
from helpers.feedback.probes import at, in_any_order, other_dtype
from helpers.theory import LinearGaussian, log_mean_exp

# An estimate: z from `eps`, three log-densities at that z, the logarithm of the weights (K, B), their mean, (B,)

SAMPLES = [
    # What only a gradient shows is not asked here, a z from the prior is among the ways, and this is no bound.
    *[
        row
        for row in DRAWS
        if row.kind not in ("prior", "posterior", "no_expectation", "averaged_noise")
        and "detached" not in row.kind
    ],
    Row("antithetic", lambda c: torch.cat([c.mu + s * sigma(c.log_var) * c.eps for s in (1, -1)]),
        "You use each `eps` with both signs. That is allowed, and takes out some of the noise.", ok=True),
    Row("no_draws", lambda c: c.mu.expand_as(c.eps),
        "Your z is μ every time, so `eps` has no effect and all weights are equal. The weights are averaged over "
        "samples from q."),
    Row("averaged_noise", lambda c: c.mu + sigma(c.log_var) * c.eps.mean(0, keepdim=True),
        "You average the noise, and have one z. Average the weights of the K samples, not the samples."),
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
    "You average log {} over the latent dimensions. Independent dimensions multiply their densities: what do the "
    "logarithms do?"
)
PRIOR = [
    Row("right", lambda c, z: log_prior(z), ok=True),
    Row("prior_place", lambda c, z: log_prior(c.mu), ONE_Z.format("You ask how likely μ is under the prior")),
    Row("mean_of_dimensions", lambda c, z: log_prior(z) / z.shape[-1], MEAN_OF_DIMENSIONS.format("p(z)")),
]  # fmt: skip
Q_DEVIATION = "q's density in your weight is not that of your samples: it holds {}, where σ belongs."
Q = [
    Row("right", log_q, ok=True),
    Row("q_spread", lambda c, z: log_normal(z, c.mu, 2 * c.log_var),
        Q_DEVIATION.format("σ² as its standard deviation")),
    Row("q_spread", lambda c, z: log_normal(z, c.mu, c.log_var / 2),
        Q_DEVIATION.format("√σ as its standard deviation")),
    Row("q_spread", lambda c, z: log_normal(z, c.mu, -c.log_var), Q_DEVIATION.format("1/σ as its standard deviation")),
    Row("q_spread", lambda c, z: log_normal(z, c.mu, 0 * c.log_var), Q_DEVIATION.format("a standard deviation of 1")),
    Row("q_place", lambda c, z: log_normal(z, 0 * c.mu, c.log_var), "Your log q is centred at 0. Where is q centred?"),
    Row("q_of_eps", lambda c, z: log_prior(noise(c, z)),
        "You divide by the density of ε, and z has another one: stretching by σ thins a density out. Which factor is "
        "that, in each dimension?"),
    Row("q_of_eps", lambda c, z: log_prior(noise(c, z)) + c.log_var.sum(-1) / 2,
        "You correct the density of ε by the factor of the stretching, in the wrong direction: a wide q is thin."),
    Row("q_of_eps", lambda c, z: log_prior(noise(c, z)) - c.log_var.sum(-1),
        "Your log q holds log σ² where log σ belongs: a ½ is missing."),
    Row("constants", lambda c, z: log_q(c, z) + z.shape[-1] * math.log(2 * math.pi) / 2,
        "A factor 2π is missing in q's density. It does not depend on z, and still shifts your log p(x)."),
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
    Row("no_likelihood", lambda r, p, q: p - q, "Your weight does not look at x: p(x|z) is missing."),
    Row("posterior_only", lambda r, p, q: -q,
        "Your weight is one over q and nothing else. What is the integrand of p(x)?"),
    Row("ratio_inverted", lambda r, p, q: r + q - p,
        "The ratio of prior and q stands upside down. Which of them should be there, and which did you sample from?"),
    Row("q_added", lambda r, p, q: r + p + q, "You multiply by q, and should divide: log q has the wrong sign."),
    Row("prior_sign", lambda r, p, q: r - p - q,
        "You divide by the prior, and should multiply: log p(z) has the wrong sign."),
]  # fmt: skip
MEANS = [
    Row("right", log_mean_exp, ok=True),
    Row("mean_of_logarithms", lambda w: w.mean(0),
        "You take the mean of the logarithms. The weights themselves are averaged, and the logarithm comes last; the "
        "other order is a lower bound, which is the subject of notebook 10."),
    Row("sum", lambda w: w.logsumexp(0),
        "You take the logarithm of a sum, so your estimate grows with K. What turns a sum of K weights into a mean?"),
    Row("sum_of_logarithms", lambda w: w.sum(0), "You sum the logarithms, which multiplies all weights."),
    Row("largest", lambda w: w.max(0).values,
        "You keep the largest weight. It is taken out for the sake of the floats; the others must stay in the mean."),
    Row("relative", lambda w: log_mean_exp(w - w.max(0).values),
        "You took the largest weight out and never put it back, so your estimate is always between −log K and 0."),
    Row("log_k_sign", lambda w: w.logsumexp(0) + math.log(len(w)),
        "You add log K. A mean is a sum *divided* by K: what is that in logarithms?"),
    Row("k_for_log_k", lambda w: w.logsumexp(0) - len(w), "You subtract K. Dividing by K subtracts its logarithm."),
    Row("divided_log", lambda w: w.logsumexp(0) / len(w),
        "You divide the logarithm by K. Divide the sum by K, and then take the logarithm."),
    Row("k_minus_one", lambda w: w.logsumexp(0) - math.log(max(len(w) - 1, 1)),
        "You divide by K − 1. That belongs to a variance; a mean divides by K."),
    Row("wrong_count", lambda w: w.logsumexp(0) - math.log(w.shape[1]),
        "You divide by the number of observations. The mean runs over the K samples of each."),
    Row("no_logarithm", lambda w: log_mean_exp(w).exp(),
        "That is an estimate of p(x). Its logarithm is wanted, and for real images p(x) itself leaves the floats."),
    Row("normalised", lambda w: (w.softmax(0) * w).sum(0),
        "You weigh the logarithms by the normalised weights. That is a mean under the posterior; p(x) is the plain "
        "mean of the weights."),
    Row("median", lambda w: w.median(0).values,
        "You take the median of the weights. It is less noisy than the mean, and it is not p(x) on average."),
]  # fmt: skip
RESULTS = [
    Row("right", lambda v: v, ok=True),
    Row("sign", lambda v: -v, "That is −log p(x). The logarithm itself is wanted, with a plus."),
    Row("batch_mean", lambda v: v.mean().expand_as(v),
        "Every observation has the same value: you average over the batch. Average over the K samples only."),
    Row("batch_sum", lambda v: v.sum().expand_as(v),
        "Every observation has the same value: you sum over the batch. Keep one number for each."),
    Row("bits", lambda v: v / math.log(2), "Your result is in bits. Nats are wanted: take natural logarithms."),
    Row("bits", lambda v: v / math.log(10), "You took logarithms to the base 10. Nats are wanted: base e."),
]  # fmt: skip


def _of(combine: Callable[[Tensor, Tensor, Tensor], Tensor], draw: Callable = SAMPLES[0].f) -> Callable:
    """A way made of log p(x|z), log p(z) and log q(z), each (K, B)."""

    def way(c: Case) -> Tensor:
        z = draw(c)
        return combine(log_likelihood(c, z), log_prior(z), log_q(c, z))

    return way


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
    Row("inverted", _of(lambda r, p, q: log_mean_exp(q - r - p)),
        "Your weight stands upside down: it is large where x is unlikely."),
    Row("harmonic", _of(lambda r, p, q: -log_mean_exp(q - r - p)),
        "You average one over the weights, and turn the result over: a harmonic mean. The weights themselves have the "
        "expectation p(x)."),
    Row("prior_place", lambda c: _of(lambda r, p, q: log_mean_exp(r + log_prior(c.eps) - q))(c),
        ONE_Z.format("You ask how likely `eps` is under the prior")),
    Row("kl", lambda c: _of(lambda r, p, q: log_mean_exp(r) - rate(c))(c),
        "You subtract a KL, which is a mean over q. Each sample has its own ratio p(z)/q(z): put that in its weight."),
    Row("elbo", lambda c: _of(lambda r, p, q: r.mean(0) - rate(c))(c),
        "That is the evidence lower bound, with its KL in closed form. Here the weights are averaged before the "
        "logarithm is taken."),
    Row("batch", _of(lambda r, p, q: log_mean_exp((r + p - q).flatten()).expand(r.shape[1])),
        "You average over the observations too, so each gets the same number. Which dimension holds the samples?"),
    Row("apart", _of(lambda r, p, q: log_mean_exp(r) + log_mean_exp(p - q)), APART),
    Row("apart", _of(lambda r, p, q: log_mean_exp(r) + (p - q).mean(0)), APART),
    Row("apart", _of(lambda r, p, q: r.mean(0) + log_mean_exp(p - q)), APART),
    Row("apart", _of(lambda r, p, q: log_mean_exp(r) + log_mean_exp(p) - log_mean_exp(q)), APART),
    Row("apart", _of(lambda r, p, q: log_mean_exp(r + p) - log_mean_exp(q)), APART),
    Row("apart", _of(lambda r, p, q: log_mean_exp(r + p) - q.mean(0)), APART),
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


# float32 has its own trouble with 700 dimensions; who leaves the floats is off by far more.
PERCENT = Close(1e-2)
LOG_EVIDENCE = Task(
    usage="my_log_evidence(model, x, mu, log_var, eps)",
    cases=lambda: [exact_case(5, 3, 4, 6), exact_case(4, 5, 7, 3)],  # (B, d, D, K)
    tables=(SAMPLES, LIKELIHOOD, PRIOR, Q, WEIGHTS, MEANS, RESULTS),
    compose=_compose,
    ways=WAYS,
    observe=Observe(Wanted("(B,)", lambda c: c.x.shape[:1], of_each_observation), read=floats),
    praise="This is the importance-sampling estimate of log p(x), and it stays within the floats.",
    probes=(
        in_any_order("observations", {"x": 0, "mu": 0, "log_var": 0, "eps": 1}),
        at(_many_dimensions, "range",
           "For weights of ordinary size your estimate is right, but not for two observations with weights of about "
           "e^1000 and e^−1000, which no float holds. What has to be taken out before `exp`, and is it the same for "
           "both?", PERCENT),
        at(far_away, "range",
           "For weights of ordinary size your estimate is right, but not where the weights of one observation differ "
           "from sample to sample by a factor of e^1000, which no float holds. What has to be taken out before `exp`, "
           "so that nothing which is left can overflow?", PERCENT),
        other_dtype(),
    ),
    fallbacks=(
        guarded,
        scaled("Your estimate", sizes_of),
        shifted("Every row", "Which factor of the weights, or of the mean, is that?"),
    ),
    seed=9,
)  # fmt: skip


def check_log_evidence(estimate: Callable[..., Tensor]) -> Feedback:
    """Say whether `estimate(model, x, mu, log_var, eps)` is log (1/K) Σₖ p(x|zₖ) p(zₖ)/q(zₖ), zₖ = μ + σ·εₖ.

    q = N(μ, diag σ²); x (B, D), μ and log σ² (B, d), ε (K, B, d), to (B,), in nats. `model` is a `LinearGaussian`.
    Values are compared to a relative 1e-3: for ordinary weights, for such of e^1000 and e^−1000, for such that differ
    by e^1000 from draw to draw, with rows in another order, in float32 and float64. −σ·ε, or both signs, are taken.
    Raises nothing. Source: Burda, Grosse, Salakhutdinov (2016), eq. 8.
    """
    return diagnose(LOG_EVIDENCE, estimate)
