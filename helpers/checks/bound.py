"""Checks of notebook 10, the ELBO: the KL of a Gaussian to the prior, and the bound on a model that is solved exactly.

An answer is judged by its values and by their gradients at μ and log σ², on inputs where mistakes separate. A wrong
one is explained by the fewest wrong parts, out of tables, that give the same numbers. How it is written is free.
"""

import copy
import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from helpers.checks.frame import Answer, Feedback, Mistake, finite, gives_feedback, right, tensor
from helpers.checks.vae import SAME, SECOND, Part
from helpers.theory import LinearGaussian, exact_elbo, kl_to_posterior, log_mean_exp

KL_SIZES = ((5, 4), (7, 3))  # (B, d): no size equals another
ELBO_SIZES = ((5, 3, 4, 6), (4, 5, 7, 3))  # (B, d, D, K)
NEAR, WIDE, TAILS = 0.05, 6.0, (-30.0, 20.0)  # of log σ²: almost the prior, beyond most clamps, extreme
ROUNDING = 1e-5  # nats: of float32, where a small KL is the difference of larger numbers


class KLCase(NamedTuple):
    """One input of a KL: μ and log σ², each (B, d)."""

    mu: Tensor
    log_var: Tensor

    def permuted(self, order: Tensor) -> "KLCase":
        return KLCase(self.mu[order], self.log_var[order])

    def to(self, dtype: torch.dtype) -> "KLCase":
        return KLCase(self.mu.to(dtype), self.log_var.to(dtype))

    def tensors(self) -> list[Tensor]:
        return list(self)


class Case(NamedTuple):
    """One input of a bound: a model, data x (B, D), μ and log σ² of q(z|x), each (B, d), noise ε (K, B, d)."""

    model: LinearGaussian
    x: Tensor
    mu: Tensor
    log_var: Tensor
    eps: Tensor

    def permuted(self, order: Tensor) -> "Case":
        return Case(self.model, self.x[order], self.mu[order], self.log_var[order], self.eps[:, order])

    def to(self, dtype: torch.dtype) -> "Case":
        weight, bias, *inputs = (each.to(dtype) for each in self.tensors())
        return Case(LinearGaussian(weight, bias, self.model.std), *inputs)

    def tensors(self) -> list[Tensor]:
        return [self.model.weight, self.model.bias, *self[1:]]


class Outcome(NamedTuple):
    """The result for each row (B,), and the gradient of a weighted sum of them at μ and log σ²."""

    value: Tensor
    gradient: Tensor


# The parts of a KL: what is summed, its factor, and over what it is summed. The right way stands first in each table.


def _sigma(log_var: Tensor) -> Tensor:
    return (log_var / 2).exp()


def _kl(mu: Tensor, log_var: Tensor) -> Tensor:
    return 0.5 * (mu**2 + log_var.exp() - 1 - log_var)


NOT_A_LOGARITHM = (
    "You use `log_var` as if it were {} itself. It is a logarithm, and negative wherever q is narrower than the prior: "
    "what has to be done to it first?"
)
HALF = "The factor ½ reaches only some of the terms. Check the brackets: it belongs to all of them."
TERMS = [
    Part("right", _kl, ok=True),
    Part(
        "deviation",
        lambda mu, lv: _kl(mu, 2 * lv),
        "You read `log_var` as log σ. It is log σ², the logarithm of the variance, so no further square or factor 2 is "
        "needed.",
    ),
    Part(
        "not_a_logarithm",
        lambda mu, lv: 0.5 * (mu**2 + lv - 1 - lv.log()),
        NOT_A_LOGARITHM.format("the variance"),
    ),
    Part(
        "not_a_logarithm",
        lambda mu, lv: 0.5 * (mu**2 + lv**2 - 1 - 2 * lv.log()),
        NOT_A_LOGARITHM.format("the standard deviation"),
    ),
    Part(
        "no_exponential",
        lambda mu, lv: 0.5 * (mu**2 - 1),
        "`log_var` stands where the variance itself belongs, and then cancels against the logarithm. What turns one "
        "into the other?",
    ),
    Part(
        "root",
        lambda mu, lv: _kl(mu, lv / 2),
        "The standard deviation stands where the variance belongs, in the logarithm too. `log_var` is already the "
        "logarithm of the variance: is there a ½ too many?",
    ),
    Part(
        "deviation_not_squared",
        lambda mu, lv: 0.5 * (mu**2 + _sigma(lv) - 1 - lv),
        "Your KL holds σ where σ² belongs. Look at what stands in the exponential.",
    ),
    Part(
        "variance_squared",
        lambda mu, lv: 0.5 * (mu**2 + (2 * lv).exp() - 1 - lv),
        "The variance is squared once more: the exponential of `log_var` is σ² already.",
    ),
    Part(
        "log_deviation",
        lambda mu, lv: 0.5 * (mu**2 + lv.exp() - 1 - lv / 2),
        "Your KL holds log σ where log σ² belongs, or the ½ stands twice before that term.",
    ),
    Part(
        "not_zero",
        lambda mu, lv: _kl(mu, lv) + 0.5,
        "Your KL is not 0 where q is the prior, at μ = 0 and log σ² = 0: a 1 is missing. The gradients survive that, "
        "the nats do not.",
    ),
    Part(
        "not_zero",
        lambda mu, lv: _kl(mu, lv) + 1,
        "Your KL is not 0 where q is the prior, at μ = 0 and log σ² = 0: the 1 has the wrong sign. The gradients "
        "survive that, the nats do not.",
    ),
    Part(
        "one_outside",
        lambda mu, lv: _kl(mu, lv) + 0.5 - 0.5 / mu.shape[1],
        "The 1 is counted once an observation, and should be counted once a dimension: it belongs inside the sum.",
    ),
    Part(
        "log_var_sign",
        lambda mu, lv: 0.5 * (mu**2 + lv.exp() - 1 + lv),
        "The sign of `log_var` is wrong: your KL falls without end as σ goes to 0. At which σ should a KL to the prior "
        "be smallest?",
    ),
    Part(
        "variance_sign",
        lambda mu, lv: 0.5 * (mu**2 - lv.exp() - 1 - lv),
        "The variance has the wrong sign: your KL falls without end as σ grows. Check the brackets behind the minus.",
    ),
    Part(
        "mean_sign",
        lambda mu, lv: 0.5 * (-(mu**2) + lv.exp() - 1 - lv),
        "The term of μ has the wrong sign: your KL gets smaller the further q moves away from the prior.",
    ),
    Part(
        "mean_not_squared",
        lambda mu, lv: 0.5 * (mu + lv.exp() - 1 - lv),
        "μ is not squared, so a negative mean makes your KL smaller, even less than 0. A distance from the prior "
        "does not know left from right.",
    ),
    Part(
        "mean_absolute",
        lambda mu, lv: 0.5 * (mu.abs() + lv.exp() - 1 - lv),
        "You take the absolute value of μ. The logarithm of a Gaussian is a parabola: which power of the distance does "
        "it hold?",
    ),
    Part("half_of_one_term", lambda mu, lv: 0.5 * mu**2 + lv.exp() - 1 - lv, HALF),
    Part("half_of_one_term", lambda mu, lv: mu**2 + 0.5 * (lv.exp() - 1 - lv), HALF),
    Part("half_of_one_term", lambda mu, lv: mu**2 + lv.exp() - 0.5 * (1 + lv), HALF),
    Part("half_of_one_term", lambda mu, lv: lv.exp() + 0.5 * (mu**2 - 1 - lv), HALF),
    Part("half_of_one_term", lambda mu, lv: mu**2 + lv.exp() - lv - 0.5, HALF),
    Part(
        "no_mean",
        lambda mu, lv: _kl(torch.zeros_like(mu), lv),
        "Your KL does not depend on μ: it is that to a Gaussian around μ itself. The prior sits at 0.",
    ),
    Part(
        "no_variance",
        lambda mu, lv: 0.5 * mu**2,
        "Your KL only counts μ: it is that of a q with σ = 1. What does it cost q to be narrower than the prior, or "
        "wider?",
    ),
    Part(
        "reversed",
        lambda mu, lv: 0.5 * ((1 + mu**2) / lv.exp() - 1 + lv),
        "That is KL(p‖q), the two distributions exchanged. Here the mean is taken over q, which stands first.",
    ),
    Part(
        "cross_entropy",
        lambda mu, lv: 0.5 * (mu**2 + lv.exp() + math.log(2 * math.pi)),
        "That is the cross-entropy, the mean of −log p under q. A KL says how much it exceeds q's own entropy.",
    ),
    Part(
        "entropy",
        lambda mu, lv: 0.5 * (1 + lv + math.log(2 * math.pi)),
        "That is the entropy of q. A KL compares q with the prior: where does log p come in?",
    ),
]

FACTORS = [
    Part("right", lambda k: k, ok=True),
    Part(
        "sign",
        lambda k: -k,
        "That is −KL. A KL is never negative: print yours. In the ELBO it is subtracted, but a function with its "
        "name returns it with a plus.",
    ),
    Part("no_half", lambda k: 2 * k, "Your KL is twice too large: the ½ in front of the sum is missing."),
    Part(
        "half_twice",
        lambda k: k / 2,
        "Your KL is half as large as it should be. Is the factor ½ there twice?",
    ),
    Part(
        "bits",
        lambda k: k / math.log(2),
        "Your KL is in bits. Nats are wanted: take the natural logarithm throughout.",
    ),
]

ONE_EACH = (
    "Keep one number per observation: which dimension holds the observations, and which the latent numbers?"
)
REDUCTIONS = [
    Part("right", lambda k: k.sum(1), ok=True),
    Part(
        "mean",
        lambda k: k.mean(1),
        "You take the mean over the latent dimensions, and should take the sum: independent dimensions add their KLs. "
        "As it stands, β now depends on d.",
    ),
    Part(
        "batch_sum",
        lambda k: k.sum(),
        f"You sum over the batch too, so every observation pays for all. {ONE_EACH}",
    ),
    Part(
        "batch_mean",
        lambda k: k.sum(1).mean(),
        "You take the mean over the batch as well. That is the step's business: return one number per observation.",
    ),
    Part(
        "mean_of_all",
        lambda k: k.mean(),
        f"You take one mean over everything, latent dimensions included: β now depends on d. {ONE_EACH}",
    ),
    Part(
        "not_summed",
        lambda k: k,
        "That is the KL of each latent dimension. They are independent: how do their KLs become one?",
    ),
    Part(
        "wrong_dimension",
        lambda k: k.sum(0),
        f"You sum over the observations and keep the latent dimensions. {ONE_EACH}",
    ),
    Part(
        "wrong_dimension",
        lambda k: k.mean(0),
        f"You average over the observations and keep the latent dimensions. {ONE_EACH}",
    ),
]
KL_TABLES = (TERMS, FACTORS, REDUCTIONS)


# The parts of a bound: z, log p(x|z), log p(z) − log q(z|x) or its mean, their sum, the mean over K samples, the result


def _log_normal(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    return -0.5 * ((z - mu) ** 2 / log_var.exp() + log_var + math.log(2 * math.pi)).sum(-1)


def _log_q(c: Case, z: Tensor) -> Tensor:
    return _log_normal(z, c.mu, c.log_var)


def _entropy(c: Case) -> Tensor:
    return 0.5 * (1 + math.log(2 * math.pi) + c.log_var).sum(-1)


def _mean_log_prior(c: Case) -> Tensor:
    return -0.5 * (c.mu**2 + c.log_var.exp() + math.log(2 * math.pi)).sum(-1)


def _rate(c: Case) -> Tensor:
    return _kl(c.mu, c.log_var).sum(-1)


def _from_posterior(c: Case, root: Callable[[Tensor], Tensor]) -> Tensor:
    mean, cov = c.model.posterior(c.x)
    return mean + c.eps @ root(cov).T


def _noise(c: Case, z: Tensor) -> Tensor:
    return (z - c.mu) / _sigma(c.log_var)  # ε itself, however many samples z holds


def _errors(c: Case, z: Tensor) -> Tensor:
    return (c.x - z @ c.model.weight.T - c.model.bias).square().sum(-1)


SAMPLES = [
    Part("right", lambda c: c.mu + _sigma(c.log_var) * c.eps, ok=True),
    Part(
        "mirrored",
        lambda c: c.mu - _sigma(c.log_var) * c.eps,
        "You subtract σ·ε where one usually adds it. A Gaussian is symmetric, so this changes nothing in the mean.",
        ok=True,
    ),
    Part(
        "antithetic",
        lambda c: torch.cat([c.mu + s * _sigma(c.log_var) * c.eps for s in (1, -1)]),
        "You use each `eps` with both signs. That is allowed, and takes out some of the noise.",
        ok=True,
    ),
    Part(
        "no_expectation",
        lambda c: c.mu.expand_as(c.eps),
        "Your z is μ, so `eps` has no effect and no expectation is taken. The bound averages over all z that q(z|x) "
        "allows, not over the middle one alone.",
    ),
    Part(
        "prior",
        lambda c: c.eps,
        "Your z is drawn from the prior and does not depend on x: the error of the survey article. The expectation in "
        "the bound is over q(z|x), with its μ and its σ.",
    ),
    Part(
        "variance_for_deviation",
        lambda c: c.mu + c.log_var.exp() * c.eps,
        "Your noise is multiplied by the variance, where the standard deviation belongs. `log_var` is log σ²: what do "
        "you have to do to it to get σ?",
    ),
    Part(
        "log_for_deviation",
        lambda c: c.mu + c.log_var * c.eps,
        "Your noise is multiplied by `log_var` itself, which is a logarithm and may be negative. Turn it into a "
        "standard deviation first.",
    ),
    Part(
        "log_for_deviation",
        lambda c: c.mu + 0.5 * c.log_var * c.eps,
        "Your noise is multiplied by log σ. Its exponential is missing.",
    ),
    Part(
        "unit_deviation",
        lambda c: c.mu + c.eps,
        "Your noise keeps standard deviation 1, whatever q says. Scale `eps` by q's own σ.",
    ),
    Part(
        "half_variance",
        lambda c: c.mu + 0.5 * c.log_var.exp() * c.eps,
        "Your σ is half the variance. It is the root of the variance, not its half: where does the ½ belong?",
    ),
    Part(
        "inverse_deviation",
        lambda c: c.mu + (-c.log_var / 2).exp() * c.eps,
        "Your noise is divided by σ, where it should be multiplied: look at the sign in the exponential.",
    ),
    Part(
        "no_mean",
        lambda c: _sigma(c.log_var) * c.eps,
        "Your z has the right spread, but around 0. Where does μ come in?",
    ),
    Part(
        "no_noise",
        lambda c: (c.mu + _sigma(c.log_var)).expand_as(c.eps),
        "You add σ itself, the same shift every time, so nothing is sampled. What should it be multiplied by?",
    ),
    Part(
        "brackets",
        lambda c: (c.mu + _sigma(c.log_var)) * c.eps,
        "The noise multiplies μ too. Only σ should be stretched by `eps`: check the brackets.",
    ),
    Part(
        "exchanged_roles",
        lambda c: c.mu * c.eps + _sigma(c.log_var),
        "μ and σ have changed places in z: which one shifts the noise, and which one stretches it?",
    ),
    Part(
        "one_sample",
        lambda c: c.mu + _sigma(c.log_var) * c.eps[:1],
        "Only the first of the K samples is used. One sample is unbiased but noisy: `eps` holds K of them, "
        "along its first dimension.",
    ),
    Part(
        "one_sample",
        lambda c: c.mu + _sigma(c.log_var) * c.eps[-1:],
        "Only the last of the K samples is used. If you loop over them, is something overwritten where it should be "
        "collected?",
    ),
    Part(
        "one_noise_for_all",
        lambda c: c.mu + _sigma(c.log_var) * c.eps[:, :1],
        "One row of noise serves the whole batch. `eps` is (K, B, d): each observation has noise of its own.",
    ),
    Part(
        "averaged_noise",
        lambda c: c.mu + _sigma(c.log_var) * c.eps.mean(0, keepdim=True),
        "You average the noise, then compute the bound once. That z is almost μ: average what the K samples give, "
        "not the samples.",
    ),
    Part(
        "posterior",
        lambda c: _from_posterior(c, lambda cov: cov.diagonal().sqrt().diag()),
        "Your z is drawn from the model's own posterior. The bound is one for the q that comes in: use `mu` and "
        "`log_var`.",
    ),
    Part(
        "posterior",
        lambda c: _from_posterior(c, torch.linalg.cholesky),
        "Your z is drawn from the model's own posterior. The bound is one for the q that comes in: use `mu` and "
        "`log_var`.",
    ),
    Part(
        "detached",
        lambda c: (c.mu + _sigma(c.log_var) * c.eps).detach(),
        "The value is right, but z is cut from the graph, so the samples no longer tell μ and σ where to go. Look for "
        "`detach`, `no_grad` or `.sample()` around z.",
    ),
    Part(
        "detached_deviation",
        lambda c: c.mu + _sigma(c.log_var).detach() * c.eps,
        "The value is right, but σ is cut from the graph, so the samples cannot tell q how wide to be. Only `eps` is a "
        "constant here; look for `detach`, `no_grad` or `torch.normal`.",
    ),
    Part(
        "detached_mean",
        lambda c: c.mu.detach() + _sigma(c.log_var) * c.eps,
        "The value is right, but μ is cut from the graph, so the samples cannot move it. Only `eps` is a constant.",
    ),
]

SQUARES = (
    "Your squared errors are not weighed by the model's own standard deviation. How wide is p(x|z)? `model.std` and "
    "`model.log_likelihood` know."
)
RECONSTRUCTIONS = [
    Part("right", lambda c, z: c.model.log_likelihood(c.x, z), ok=True),
    Part(
        "right",
        lambda c, z: exact_elbo(*c[:4]) + _rate(c),
        "You take the mean of log p(x|z) exactly, where this linear model allows it. With a network for a decoder "
        "only samples are left.",
        ok=True,
    ),
    Part(
        "dimension_mean",
        lambda c, z: c.model.log_likelihood(c.x, z) / c.x.shape[1],
        "Your log p(x|z) is a mean over the D numbers of x, where it is a sum: independent dimensions add their "
        "logarithms. Beside it the KL weighs D times too much.",
    ),
    Part(
        "batch_average",
        lambda c, z: c.model.log_likelihood(c.x, z).mean(-1, keepdim=True),
        "Your log p(x|z) is averaged over the batch, then joined to the KL of each observation. Average only "
        "over the K samples.",
    ),
    Part("squares", lambda c, z: -_errors(c, z), SQUARES),
    Part("squares", lambda c, z: -_errors(c, z) / 2, SQUARES),
    Part("squares", lambda c, z: -_errors(c, z) / c.x.shape[1], SQUARES),
    Part("squares", lambda c, z: -_errors(c, z) / c.model.std**2, SQUARES),
    Part("squares", lambda c, z: -_errors(c, z) / (2 * c.model.std), SQUARES),
]

NOT_THERE = "log q(z|x) is evaluated at the wrong place. All three densities belong to one and the same z."
PRIOR_PLACE = "log p(z) is evaluated at the wrong place. Both terms are about the z that was sampled from q."
NO_LOG_Q = (
    "q's own density is missing: this is the mean of log p(x, z) alone, and largest for a q that is one point. What "
    "rewards q for staying wide?"
)
NO_PRIOR = "The prior is missing: q's spread is counted, but nothing asks whether z is likely under p(z)."
ENTROPY_SIGN = (
    "q's own part has the wrong sign, so a wide q is punished where the bound rewards it. Should −log q, whose mean "
    "is the entropy, make the bound larger or smaller?"
)
BATCH_KL = (
    "Your KL is {} over the batch, and joined to log p(x|z) of each observation. Keep one number for each."
)
REGULARISERS = [
    Part("right", lambda c, z: -_rate(c), ok=True),
    Part(
        "right",
        lambda c, z: c.model.log_prior(z) - _log_q(c, z),
        "Your KL is estimated from the same samples, as a mean of log q − log p. That is right and needs no formula; "
        "where there is one, as here, it often has less noise.",
        ok=True,
    ),
    Part(
        "right",
        lambda c, z: c.model.log_prior(z) + _entropy(c),
        "You take the entropy of q exactly and sample the rest: right, and handy where only q is a Gaussian.",
        ok=True,
    ),
    Part(
        "right",
        lambda c, z: _mean_log_prior(c) - _log_q(c, z),
        "You take the mean of log p(z) exactly and sample log q. That is right; its mean is known as well.",
        ok=True,
    ),
    Part(
        "path_gradient",
        lambda c, z: c.model.log_prior(z) - _log_normal(z, c.mu.detach(), c.log_var.detach()),
        "Within log q your μ and σ are constants. The gradient differs from sample to sample, but its mean is right, "
        "and it is free of noise where q is the posterior.",
        ok=True,
    ),
    Part("kl_half", lambda c, z: -2 * _rate(c), "Your KL is twice too large: a ½ is missing."),
    Part("kl_half_twice", lambda c, z: -_rate(c) / 2, "Your KL is half as large as it should be."),
    Part(
        "kl_mean",
        lambda c, z: -_rate(c) / c.mu.shape[1],
        "Your KL is a mean over the latent dimensions, and should be a sum: it now weighs d times too little.",
    ),
    Part(
        "kl_mean",
        lambda c, z: (c.model.log_prior(z) - _log_q(c, z)) / c.mu.shape[1],
        "Your log p(z) and log q(z|x) are means over the latent dimensions, and should be sums: as they stand, they "
        "weigh d times too little.",
    ),
    Part("kl_batch_mean", lambda c, z: -_rate(c).mean(), BATCH_KL.format("averaged")),
    Part("kl_batch_mean", lambda c, z: -_rate(c).mean() / c.mu.shape[1], BATCH_KL.format("averaged")),
    Part("kl_batch_sum", lambda c, z: -_rate(c).sum(), BATCH_KL.format("summed")),
    Part(
        "kl_deviation",
        lambda c, z: -_kl(c.mu, 2 * c.log_var).sum(-1),
        "Your KL reads `log_var` as log σ. It is log σ², the logarithm of the variance.",
    ),
    Part(
        "kl_root",
        lambda c, z: -_kl(c.mu, c.log_var / 2).sum(-1),
        "Your KL is that of the standard deviation where the variance belongs: `log_var` is log σ² already.",
    ),
    Part(
        "kl_reversed",
        lambda c, z: -0.5 * ((1 + c.mu**2) / c.log_var.exp() - 1 + c.log_var).sum(-1),
        "That is KL(p‖q), the two distributions exchanged. In the bound the mean is taken over q.",
    ),
    Part(
        "kl_no_mean",
        lambda c, z: -_kl(0 * c.mu, c.log_var).sum(-1),
        "Your KL forgets μ: how far is q's mean from that of the prior?",
    ),
    Part(
        "kl_no_variance",
        lambda c, z: -0.5 * (c.mu**2).sum(-1),
        "Your KL only counts μ. What does it cost q to be narrower than the prior, or wider?",
    ),
    Part(
        "kl_of_z",
        lambda c, z: -_kl(z, c.log_var).sum(-1),
        "z stands in your KL where μ belongs. If you wrote μ, look for a `+=` that turned it into z.",
    ),
    Part(
        "kl_detached",
        lambda c, z: -_rate(c).detach(),
        "The value is right, but the KL is cut from the graph, so nothing draws q towards the prior. Look for `detach` "
        "or `no_grad`.",
    ),
    Part(
        "kl_to_posterior",
        lambda c, z: -kl_to_posterior(*c[:4]),
        "Your KL is that to the posterior. That is the gap beneath log p(x); what log p(x|z) is weighed against is the "
        "KL to what was believed before x was seen.",
    ),
    Part("no_log_q", lambda c, z: c.model.log_prior(z), NO_LOG_Q),
    Part("no_log_q", lambda c, z: _mean_log_prior(c), NO_LOG_Q),
    Part("no_prior", lambda c, z: -_log_q(c, z), NO_PRIOR),
    Part("no_prior", lambda c, z: _entropy(c), NO_PRIOR),
    Part("entropy_sign", lambda c, z: c.model.log_prior(z) + _log_q(c, z), ENTROPY_SIGN),
    Part("entropy_sign", lambda c, z: c.model.log_prior(z) - _entropy(c), ENTROPY_SIGN),
    Part("entropy_sign", lambda c, z: _mean_log_prior(c) - _entropy(c), ENTROPY_SIGN),
    Part("q_place", lambda c, z: c.model.log_prior(z) - _log_q(c, c.mu), NOT_THERE),
    Part("q_place", lambda c, z: c.model.log_prior(z) - _log_q(c, _noise(c, z)), NOT_THERE),
    Part(
        "q_of_noise",
        lambda c, z: c.model.log_prior(z) - c.model.log_prior(_noise(c, z)),
        "You take the density of the noise for that of z. Stretching the noise by σ thins it out: which term of "
        "log q(z|x) says so?",
    ),
    Part("prior_place", lambda c, z: c.model.log_prior(c.mu) - _log_q(c, z), PRIOR_PLACE),
    Part("prior_place", lambda c, z: c.model.log_prior(_noise(c, z)) - _log_q(c, z), PRIOR_PLACE),
    Part("prior_place", lambda c, z: c.model.log_prior(c.mu) + _entropy(c), PRIOR_PLACE),
    Part(
        "q_variance",
        lambda c, z: c.model.log_prior(z) - _log_normal(z, c.mu, 2 * c.log_var),
        "The density of q has the variance where the standard deviation belongs. Which of the two does `Normal` take?",
    ),
    Part(
        "prior_twice",
        lambda c, z: c.model.log_prior(z) - _rate(c),
        "The prior is counted twice: log p(z) stands in your sum, and in the KL as well. Take one of the two.",
    ),
    Part(
        "entropy_twice",
        lambda c, z: _entropy(c) - _rate(c),
        "The entropy of q is counted twice: it stands in your sum, and in the KL as well.",
    ),
]

WEIGHINGS = [
    Part("right", lambda r, k, evidence: (r, k), ok=True),
    Part(
        "kl_added",
        lambda r, k, evidence: (r, -k),
        "You add the KL, so the bound rewards q for leaving the prior, and may rise above log p(x). What should the KL "
        "do to a lower bound? (If you sample it: look at the order of the two logarithms.)",
    ),
    Part(
        "kl_missing",
        lambda r, k, evidence: (r, 0 * k),
        "Only the reconstruction is there: that is an autoencoder with noise, and no bound on log p(x). What does the "
        "bound charge for a q that differs from the prior?",
    ),
    Part(
        "reconstruction_missing",
        lambda r, k, evidence: (0 * r, k),
        "The data are missing, or weigh nothing: without log p(x|z), the logarithm and not p itself, the best q is the "
        "prior, whatever x is.",
    ),
    Part(
        "reconstruction_sign",
        lambda r, k, evidence: (-r, k),
        "log p(x|z) has the wrong sign: your bound falls when the model explains x better.",
    ),
    Part(
        "evidence",
        lambda r, k, evidence: (evidence + 0 * r, 0 * k),
        "That is log p(x) itself, which this model happens to know. The bound lies below, by a gap that depends on q.",
    ),
    Part(
        "evidence_minus_kl",
        lambda r, k, evidence: (evidence + 0 * r, k),
        "You subtract the KL to the prior from log p(x). The gap beneath log p(x) is a KL to another distribution: "
        "which one would q have to be for the gap to close?",
    ),
    Part(
        "gap_sign",
        lambda r, k, evidence: (2 * evidence - r, -k),
        "You add the gap to log p(x), so your bound lies above it. A lower bound lies below.",
    ),
    Part(
        "gap",
        lambda r, k, evidence: (evidence - r, -k),
        "That is the gap, how far the bound lies beneath log p(x). The bound itself is wanted.",
    ),
]


IMPORTANCE = (
    "You take the logarithm of a mean over the samples, where the mean of logarithms belongs. With the weights "
    "p(x, z)/q(z|x) that is the importance-weighted bound: larger, another bound."
)
SUM_OF_SAMPLES = "You sum over the K samples, so {} grows with K. An expectation is estimated by a mean."
AVERAGES = [
    Part("right", lambda r, k: (r + k).mean(0), ok=True),
    Part("sum_of_samples", lambda r, k: (r + k).sum(0), SUM_OF_SAMPLES.format("your bound")),
    Part("sum_of_samples", lambda r, k: r.sum(0) + k.mean(0), SUM_OF_SAMPLES.format("log p(x|z)")),
    Part("sum_of_samples", lambda r, k: r.mean(0) + k.sum(0), SUM_OF_SAMPLES.format("the KL")),
    Part("log_mean_exp", lambda r, k: log_mean_exp(r + k), IMPORTANCE),
    Part("log_mean_exp", lambda r, k: log_mean_exp(r) + k.mean(0), IMPORTANCE),
    Part(
        "log_sum_exp",
        lambda r, k: (r + k).logsumexp(0),
        "You take the logarithm of a sum over the samples. Even as an importance-weighted bound it would need the mean "
        "(it grows by log K as it stands); the ELBO is the mean of logarithms.",
    ),
    Part(
        "best_sample",
        lambda r, k: (r + k).max(0).values,
        "You keep the best of the K samples. The bound takes their mean: q pays for its bad samples as well.",
    ),
]

RESULTS = [
    Part("right", lambda v: v, ok=True),
    Part(
        "negative",
        lambda v: -v,
        "That is −ELBO, the loss that an optimiser minimises. Here the bound itself is wanted, below log p(x).",
    ),
    Part(
        "batch_mean",
        lambda v: v.mean().expand_as(v),
        "Every observation has the same bound: you average over the batch. Average over the K samples only.",
    ),
    Part(
        "bits", lambda v: v / math.log(2), "Your bound is in bits. Nats are wanted: take natural logarithms."
    ),
]
ELBO_TABLES = (SAMPLES, RECONSTRUCTIONS, REGULARISERS, WEIGHINGS, AVERAGES, RESULTS)


# Making cases


def _rows(batch: int, latent: int) -> tuple[Tensor, Tensor]:
    """μ and log σ² (B, d) of both signs, never near 0, larger from row to row, in the notebook's own default dtype."""
    signs = torch.ones(batch, latent)
    signs.view(-1)[1::2] = -1
    sizes = torch.linspace(0.9, 1.5, batch)[:, None]
    mu = sizes * signs * (0.5 + torch.rand(batch, latent))
    return mu, sizes * signs.roll(1, dims=0).flip(1) * (0.5 + torch.rand(batch, latent))


def _kl_case(batch: int, latent: int) -> KLCase:
    return KLCase(*_rows(batch, latent))


def _elbo_case(batch: int, latent: int, dimensions: int, samples: int) -> Case:
    # So noisy a model leaves the KL its say beside log p(x|z), and no weight p(x, z)/q(z|x) underflows.
    model = LinearGaussian(0.7 * torch.randn(dimensions, latent), torch.randn(dimensions), 1.3)
    x, _ = model.sample(batch)
    return Case(model, x, *_rows(batch, latent), torch.randn(samples, batch, latent))


def _with_rows_at(case, low: float, high: float):
    """`case` with log σ² = `low` in half of its rows and `high` in the others, so that neither hides the other."""
    at = torch.tensor([low, high]).repeat(len(case.mu))[: len(case.mu), None]
    return case._replace(log_var=at + 0.1 * case.log_var)


# Asking and comparing


def _ask(answer: Answer, case: KLCase | Case) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """The learner's tensor on a copy of `case`, without NaN, and the μ and log σ² whose graph it belongs to."""
    theirs = copy.deepcopy(case)
    leaves = theirs.mu.requires_grad_(), theirs.log_var.requires_grad_()
    theirs = theirs._replace(mu=leaves[0].clone(), log_var=leaves[1].clone())
    value = answer(*theirs)
    if isinstance(value, Tensor):
        finite(value)
    if not all(map(torch.equal, case.tensors(), theirs.tensors())):
        raise Mistake(
            "changed_input",
            "Your function changes the tensors it was given, and the next one to use them would be surprised. Look for "
            "`+=` and for methods that end in `_`.",
        )
    return value, leaves


def _outcome(value: Tensor, leaves: tuple[Tensor, Tensor]) -> Outcome:
    """Differentiate `value`; the weights differ from row to row, so that no two rows can be exchanged."""
    weights = torch.linspace(1, 2, len(value), dtype=value.dtype)
    try:
        gradients = torch.autograd.grad((weights * value).sum(), leaves, materialize_grads=True)
    except RuntimeError as error:
        if "inplace" in str(error):
            raise Mistake(
                "in_place",
                "A tensor that backward still needs was changed in place. Look for `+=`, `*=` and for methods that "
                "end in `_`.",
            ) from None
        if value.grad_fn is None:
            raise Mistake(
                "no_gradient",
                "Your result is cut from the graph, so q could not be trained with it. Look for a `detach`, a "
                "`no_grad`, an `.item()` or a `torch.tensor(...)` on the way.",
            ) from None
        raise Mistake(
            "backward",
            "Your function has already gone backward. Return the value and leave `backward` to the training step.",
        ) from None
    finite(torch.cat([each.flatten() for each in gradients]))
    return Outcome(value.detach().double(), torch.cat([each.flatten() for each in gradients]).double())


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool((one - other).abs().max() <= SAME * other.abs().max())


def _close(one: Tensor, other: Tensor, relative: float) -> bool:
    """Whether every row agrees by itself, up to rounding: small ones are not hidden by large ones."""
    return bool(((one - other).abs() <= relative * other.abs() + ROUNDING).all())


def _choices(tables: tuple[list[Part], ...]) -> Iterator[tuple[Part, ...]]:
    """Every choice of one part from each table with at most two wrong ones, the least wrong first."""
    for wrong in range(3):
        for places in itertools.combinations(range(len(tables)), wrong):
            yield from itertools.product(
                *([part for part in table if part.ok != (i in places)] for i, table in enumerate(tables))
            )


def _kl_value(parts: tuple[Part, ...], case: KLCase) -> Tensor:
    terms, factor, reduction = parts
    return reduction.formula(factor.formula(terms.formula(*case)))


def _elbo_value(parts: tuple[Part, ...], case: Case) -> Tensor:
    return _elbo_values(case)(parts)


def _elbo_values(case: Case) -> Callable[[tuple[Part, ...]], Tensor]:
    """A function from parts to the bound of each observation; what many choices share is computed once."""
    sample = functools.cache(lambda part: part.formula(case))
    term = functools.cache(lambda part, z_part: part.formula(case, sample(z_part)))
    evidence = case.model.log_evidence(case.x)

    def value(parts: tuple[Part, ...]) -> Tensor:
        z, reconstruction, regulariser, weighing, average, result = parts
        size = (len(sample(z)), len(case.x))
        r, k = weighing.formula(term(reconstruction, z), term(regulariser, z), evidence)
        return result.formula(average.formula(r.expand(size), k.expand(size)))

    return value


def _ours(parts: tuple[Part, ...], value_of: Callable, case) -> Outcome:
    """What an answer made of `parts` gives."""
    leaves = case.mu.clone().requires_grad_(), case.log_var.clone().requires_grad_()
    value = value_of(parts, case._replace(mu=leaves[0], log_var=leaves[1]))
    # What is cut from the graph has the gradient 0, and is no error here.
    return _outcome(value + 0 * sum(leaf.sum() for leaf in leaves), leaves)


def _explains(parts, value_of, cases, outcomes: list[Outcome]) -> bool:
    """Whether `parts` have the values and the gradients of `outcomes`."""
    for case, seen in zip(cases, outcomes, strict=True):
        if not _same(seen.value, value_of(parts, case).double()):
            return False
        if not _same(seen.gradient, _ours(parts, value_of, case).gradient):
            return False
    return True


def _is_noisy(answer: Answer, case, outcome: Outcome) -> bool:
    torch.manual_seed(13)
    return not _same(_ask(answer, case)[0].detach().double(), outcome.value)


def _says_wrong(parts: tuple[Part, ...]) -> Mistake | None:
    wrong = [part for part in parts if not part.ok]
    return Mistake(wrong[0].kind, wrong[0].message + (SECOND if wrong[1:] else "")) if wrong else None


def _same_everywhere(
    answer: Answer, value_of: Callable[[KLCase | Case], Tensor], case, outcome: Outcome
) -> list[tuple[str, str]]:
    """Remarks on an answer that is right on `case`; raises `Mistake` where it fails on another.

    Tried are another order of the rows, a q near the prior, a wide and a narrow one, and the other float.
    """
    order = torch.arange(len(case.mu)).roll(2)
    if not _same(_ask(answer, case.permuted(order))[0].detach().double(), outcome.value[order]):
        raise Mistake(
            "order",
            "When the observations come in another order, the results should come in that order too; yours do not. "
            "What does an observation's result take from its neighbours, or from its place?",
        )
    near = case._replace(mu=NEAR * case.mu, log_var=NEAR * case.log_var)
    wide = _with_rows_at(case, -WIDE, WIDE)
    for other, relative, message in (
        (
            near,
            SAME / 10,
            "Close to the prior your KL stays too large: something like `clamp(min=...)` holds it up. Free bits are a "
            "cure for collapse, and no longer the KL.",
        ),
        (
            wide,
            SAME,
            "Where `log_var` is large, of either sign, your result is cut off: look for a `clamp`. None belongs there.",
        ),
    ):
        if not _close(_ask(answer, other)[0].detach().double(), value_of(other).detach().double(), relative):
            raise Mistake("limited", message)
    return _in_the_other_float(answer, value_of, case)


def _in_the_other_float(answer: Answer, value_of: Callable, case) -> list[tuple[str, str]]:
    dtype = torch.float64 if case.mu.dtype == torch.float32 else torch.float32
    name = str(dtype).removeprefix("torch.")
    other = case.to(dtype)
    try:
        value = _ask(answer, other)[0].detach().double()
    except Mistake as found:
        if found.feedback.kind != "raised":
            raise
        return [
            (
                "dtype",
                f"With {name} inputs your function stops, because a tensor that it makes itself is of another type. "
                "`zeros_like(mu)` and its relatives follow the input.",
            )
        ]
    if not _same(value, value_of(other).detach().double()):
        raise Mistake(
            "dtype",
            f"With {name} inputs your function gives other numbers. Does it round, or turn anything into integers?",
        )
    return []


# The KL


def _kl_hints(batch: int, latent: int) -> dict[tuple, str]:
    return {
        (): f"That is one number for the whole batch. {ONE_EACH}",
        (1,): f"That is one number for the whole batch. {ONE_EACH}",
        (batch, latent): "Sum over the latent dimensions of an observation.",
        (batch, 1): "The last dimension is one too many: beside a (B,) it silently grows to (B, B).",
        (latent,): f"You summed over the observations and kept the latent dimensions. {ONE_EACH}",
        (batch, batch): "A (B,) met a (B, 1) and grew to (B, B), or rows were multiplied with other rows.",
    }


def _ask_kl(answer: Answer, case: KLCase) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """As `_ask`; of a wrong shape `Mistake` says which reduction gives it."""
    value, leaves = _ask(answer, case)
    batch, latent = case.mu.shape
    if isinstance(value, Tensor) and value.shape != (batch,):
        for parts in _choices(KL_TABLES):
            if not parts[2].ok and _same(value.detach().double(), _kl_value(parts, case).double()):
                # Of two mistakes the shape is the one to mend first.
                raise Mistake(
                    parts[2].kind, parts[2].message + (SECOND if not all(p.ok for p in parts[:2]) else "")
                )
    return tensor(value, (batch,), "(B,)", _kl_hints(batch, latent)), leaves


def _as_a_variance(answer: Answer, case: KLCase, found: Mistake) -> Mistake:
    """What to say where a negative `log_var` stops an answer: perhaps it was taken for a variance."""
    if found.feedback.kind not in ("nan", "raised"):
        return found
    positive = case._replace(log_var=case.log_var.abs())
    try:
        value = _ask(answer, positive)[0]
    except Mistake:
        return found
    for parts in _choices(KL_TABLES):
        if isinstance(value, Tensor) and _same(value.detach().double(), _kl_value(parts, positive).double()):
            return _says_wrong(parts) or found
    return found


@gives_feedback
def check_gaussian_kl(kl: Callable[[Tensor, Tensor], Tensor]) -> Feedback:
    """Say whether `kl(mu, log_var)` is KL(N(μ, diag σ²) ‖ N(0, I)) = −½ Σ (1 + log σ² − μ² − σ²) of each row.

    μ and log σ² (B, d) to (B,), summed over d, in nats. Values, and gradients at μ and log σ², are compared to a
    relative 1e-3, so any equal formula passes: also near the prior, for log σ² from −30 to 20, in float32 and float64,
    and with rows in another order. Raises nothing. Source: Kingma and Welling (2014), appendix B.
    """
    answer = Answer(kl, "my_gaussian_kl(mu, log_var)")
    torch.manual_seed(10)
    cases = [_kl_case(*sizes) for sizes in KL_SIZES]
    try:
        asked = [_ask_kl(answer, case) for case in cases]
        outcomes = [_outcome(*each) for each in asked]
    except Mistake as found:
        raise _as_a_variance(answer, cases[0], found) from None
    if _is_noisy(answer, cases[0], outcomes[0]):
        raise Mistake("sampled", SAMPLED)
    parts = next((p for p in _choices(KL_TABLES) if _explains(p, _kl_value, cases, outcomes)), None)
    if parts is None:
        raise _unknown_kl(answer, cases, outcomes)
    if wrong := _says_wrong(parts):
        raise wrong
    remarks = _same_everywhere(answer, lambda case: _kl_value(parts, case), cases[0], outcomes[0])
    remarks += _in_the_tails(answer, _with_rows_at(cases[0], *TAILS))
    return right(
        "This is the KL to the prior, one number per observation, and its gradient is right too.", remarks
    )


SAMPLED = (
    "Two calls with the same μ and `log_var` gave two different numbers, so your KL is estimated from samples. Between "
    "two Gaussians a closed form exists: the mean of log q − log p can be worked out by hand, without noise."
)


def _in_the_tails(answer: Answer, case: KLCase) -> list[tuple[str, str]]:
    """A remark if the KL is cut off where log σ² is −30 or 20; raises `Mistake` if it is not finite there."""
    expected = _ours(next(_choices(KL_TABLES)), _kl_value, case)
    try:
        outcome = _outcome(*_ask(answer, case))
    except Mistake as found:
        if found.feedback.kind not in ("nan", "raised"):
            raise
        raise Mistake(
            "tails",
            "The formula is right, but for `log_var` = −30 or 20, a q very narrow or very wide, it or its gradient is "
            "no longer a finite number. Is there a way with fewer detours through exponentials and logarithms?",
        ) from None
    if _close(outcome.value, expected.value, SAME) and _close(outcome.gradient, expected.gradient, SAME):
        return []
    return [
        (
            "tails",
            "For `log_var` = −30 or 20 your KL is cut off: look for a small constant inside a logarithm, or for a "
            "`clamp`. The logarithm is given, so none is needed.",
        )
    ]


def _unknown_kl(answer: Answer, cases: list[KLCase], outcomes: list[Outcome]) -> Mistake:
    """What can be said of a wrong KL that stands in no table."""
    best = next(_choices(KL_TABLES))
    expected = [_kl_value(best, case).double() for case in cases]
    if all(_same(seen.value, want) for seen, want in zip(outcomes, expected, strict=True)):
        return Mistake("gradient", GRADIENT)
    case = cases[0]
    torch.manual_seed(14)
    before = torch.random.get_rng_state()
    _ask(answer, case)
    if not torch.equal(before, torch.random.get_rng_state()):
        return Mistake(
            "sampled",
            "Your KL draws random numbers, so it is an estimate, even if a fixed seed makes it the same each time. "
            "Between two Gaussians a closed form exists.",
        )
    factors = [seen.value / want for seen, want in zip(outcomes, expected, strict=True)]
    if found := _scale(factors, [case.mu.shape for case in cases], "(B, d)"):
        return found

    def given(mu: Tensor, log_var: Tensor) -> tuple[Tensor, Tensor]:
        probe = KLCase(mu, log_var)
        return _ask(answer, probe)[0].detach().double(), _kl_value(best, probe).double()

    nothing = torch.zeros_like(case.mu)
    try:
        at_prior, no_spread, no_shift = (
            given(nothing, nothing),
            given(case.mu, nothing),
            given(nothing, case.log_var),
        )
    except Mistake:  # what stops or overflows there is no guide
        at_prior = no_spread = no_shift = (nothing, nothing + 1)
    if _close(*no_shift, SAME) and not _close(*no_spread, SAME):
        return Mistake(
            "mean_term",
            "At μ = 0 your KL is right: σ comes in as it should, and μ does not. Try it by hand, for one dimension: "
            "with log σ² = 0 it should be ½ at μ = 1 and at μ = −1, and 2 at μ = 2.",
        )
    if _close(*no_spread, SAME):
        return Mistake(
            "variance_term",
            "At log σ² = 0 your KL is right: μ comes in as it should, and σ does not. Try it by hand, for one "
            "dimension: with μ = 0 it should be 0 at log σ² = 0, 0.36 at log σ² = 1, and 0.18 at log σ² = −1.",
        )
    zero = _close(*at_prior, SAME)
    return Mistake(
        "value",
        ("" if zero else "Your KL is not 0 where q is the prior, at μ = 0 and log σ² = 0. ")
        + "Try it by hand, for one dimension: it should be 2 at μ = 2, log σ² = 0, and 0.36 at μ = 0, log σ² = 1.",
    )


GRADIENT = (
    "The values are right, but the gradients at μ and `log_var` are not: a part of the result no longer reaches them. "
    "Look for a `detach`, a `no_grad` or a `clamp`."
)


def _scale(factors: list[Tensor], sizes: list, symbols: str) -> Mistake | None:
    """What to say where every result is the same multiple of the right one."""
    if not all(_same(factor, factor.mean().expand_as(factor)) for factor in factors):
        return None
    first, second = (f"{factor.mean():.3g} times" for factor in factors)
    return Mistake(
        "scale",
        f"Your result is {first} the right one for {symbols} = {tuple(sizes[0])}, and {second} for {tuple(sizes[1])}. "
        "Is there a mean where a sum should be, or the reverse, or a factor too many?",
    )


# The bound


def _ask_elbo(answer: Answer, case: Case) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """As `_ask`, for a tensor (B,)."""
    value, leaves = _ask(answer, case)
    samples, batch, latent = case.eps.shape
    dimensions = case.x.shape[1]
    over_samples = "That is one number for each sample. An expectation is estimated by their mean."
    one = "Keep one number per observation: average over the K samples only."
    hints = {
        (): f"That is one number for the whole batch. {one}",
        (1,): f"That is one number for the whole batch. {one}",
        (samples, batch): over_samples,
        (1, batch): "The first dimension, of the samples, is still there.",
        (samples,): f"You averaged over the observations and kept the samples. {one}",
        (batch, latent): "Sum over the latent dimensions of an observation.",
        (samples, batch, latent): "Sum over the latent dimensions, then average over the samples.",
        (batch, dimensions): "Sum log p(x|z) over the D numbers of x.",
        (
            samples,
            batch,
            dimensions,
        ): "Sum log p(x|z) over the D numbers of x, then average over the samples.",
        (batch, 1): "The last dimension is one too many: beside a (B,) it silently grows to (B, B).",
        (batch, batch): "A (B,) met a (B, 1) and grew to (B, B): print the shapes of your terms.",
        (latent,): "You kept the latent dimensions. Sum over those, and keep the observations.",
    }
    return tensor(value, (batch,), "(B,)", hints), leaves


@gives_feedback
def check_elbo(elbo: Callable[..., Tensor]) -> Feedback:
    """Say whether `elbo(model, x, mu, log_var, eps)` estimates E_q[log p(x|z)] − KL(q(z|x) ‖ p(z)) of each observation.

    q = N(μ, diag σ²), z_k = μ + σ·ε_k, the mean over k; x (B, D), μ and log σ² (B, d), ε (K, B, d), to (B,), in nats.
    `model` is a `LinearGaussian`. The KL, the entropy of q, log p(x|z) or all of them may be exact or sampled. Values,
    and gradients at μ and log σ², are compared with every such way to a relative 1e-3, in float32 and float64, and
    with rows in another order. Raises nothing. Source: Kingma and Welling (2014), eq. 3 and 10.
    """
    answer = Answer(elbo, "my_elbo(model, x, mu, log_var, eps)")
    torch.manual_seed(11)
    cases = [_elbo_case(*sizes) for sizes in ELBO_SIZES]
    asked = [_ask_elbo(answer, case) for case in cases]
    try:
        outcomes = [_outcome(*each) for each in asked]
    except Mistake as found:
        raise _as_a_value(asked[0][0], cases[0], found) from None
    if _is_noisy(answer, cases[0], outcomes[0]):
        raise Mistake(
            "noise",
            "Two calls with the same `eps` gave two different bounds, so new noise is drawn somewhere. Use the `eps` "
            "that comes in: a result that can be repeated can be tested.",
        )
    parts = _explain_elbo(cases, outcomes)
    if parts is None:
        raise _unknown_elbo(answer, cases, outcomes)
    if wrong := _says_wrong(parts):
        raise wrong
    remarks = [(part.kind, part.message) for part in parts if part.message]
    remarks += _same_everywhere(answer, lambda case: _elbo_value(parts, case), cases[0], outcomes[0])
    # A remark with a kind of its own stands first: it names the feedback.
    remarks.sort(key=lambda remark: remark[0] == "right")
    return right("This is the ELBO of each observation, in nats, and its gradient reaches μ and σ.", remarks)


def _as_a_value(value: Tensor, case: Case, found: Mistake) -> Mistake:
    """What to say of a bound without a graph: perhaps its value is wrong as well, as that of log p(x) is."""
    with torch.no_grad():
        values = _elbo_values(case)
        choices = (p for p in _choices(ELBO_TABLES) if _same(value.detach().double(), values(p).double()))
        parts = next(choices, None)
    return (parts and _says_wrong(parts)) or found


def _explain_elbo(cases: list[Case], outcomes: list[Outcome]) -> tuple[Part, ...] | None:
    with torch.no_grad():  # most choices fail on the first values already
        values = _elbo_values(cases[0])
        alike = (p for p in _choices(ELBO_TABLES) if _same(outcomes[0].value, values(p).double()))
        for parts in alike:
            with torch.enable_grad():
                if _explains(parts, _elbo_value, cases, outcomes):
                    return parts
    return None


def _right_choices() -> list[tuple[Part, ...]]:
    return list(itertools.takewhile(lambda parts: all(p.ok for p in parts), _choices(ELBO_TABLES)))


def _unknown_elbo(answer: Answer, cases: list[Case], outcomes: list[Outcome]) -> Mistake:
    """What can be said of a wrong bound that stands in no table."""
    for parts in _right_choices():
        pairs = [(seen, _ours(parts, _elbo_value, case)) for case, seen in zip(cases, outcomes, strict=True)]
        if all(_same(seen.value, want.value) for seen, want in pairs):
            return Mistake("gradient", GRADIENT)
        off = [seen.value - want.value for seen, want in pairs]
        if all(_same(seen.gradient, want.gradient) for seen, want in pairs) and all(
            (each - each.mean()).abs().max() <= SAME * want.value.abs().max()
            for each, (_, want) in zip(off, pairs, strict=True)
        ):
            return Mistake(
                "constants",
                f"Right gradient, wrong nats: every row is off by the same {off[0].mean():+.3g} nats. A constant "
                "of a Gaussian (what makes a density integrate to 1) or of the KL is missing. The optimum survives "
                "that, a bound on log p(x) does not.",
            )
        factors = [seen.value / want.value for seen, want in pairs]
        if found := _scale(factors, [(*case.eps.shape, case.x.shape[1]) for case in cases], "(K, B, d, D)"):
            return found
    return _which_term(answer, cases[0], outcomes[0])


def _which_term(answer: Answer, case: Case, outcome: Outcome) -> Mistake:
    """Which of the two terms is wrong, seen where the other is known."""
    nothing = torch.zeros_like(case.mu)
    if _fits(answer, [case._replace(mu=nothing, log_var=nothing)]):
        return Mistake(
            "kl",
            "Where q is the prior your bound is right, elsewhere it is not: so look at what is charged for leaving the "
            "prior. For one dimension a KL is 2 at μ = 2, log σ² = 0, and 0.36 at μ = 0, log σ² = 1.",
        )
    used = [k for k in range(len(case.eps)) if _uses(answer, case, k, outcome)]
    if not used:
        return Mistake(
            "noise_unused",
            "Your result does not depend on `eps`, and is not the exact mean either. Where should the samples come in?",
        )
    if len(used) < len(case.eps):
        return Mistake(
            "some_samples",
            f"Only {len(used)} of the {len(case.eps)} samples have an effect. `eps` holds them along its first "
            "dimension: look at how you index it, loop over it, or choose among what it gives.",
        )
    model = LinearGaussian(0 * case.model.weight, case.model.bias, case.model.std)
    blind = case._replace(
        model=model
    )  # log p(x|z) is the same for every z, so between two q only the KL differs
    if _fits(answer, [blind, blind._replace(mu=nothing, log_var=nothing)]):
        return Mistake(
            "reconstruction",
            "Where x tells nothing about z (a `model.weight` of 0), your KL is right. Look at the mean of log p(x|z): "
            "print the z you decode with `eps` all 0, then all 1; then what is averaged, and over which dimension.",
        )
    return Mistake(
        "value",
        "Your bound is right neither where q is the prior nor in how it changes with q. Begin at μ = 0 and log σ² = 0: "
        "there the KL is 0, z is `eps` itself, and what is left is a mean of `model.log_likelihood`.",
    )


def _uses(answer: Answer, case: Case, k: int, outcome: Outcome) -> bool:
    """Whether the answer changes with sample k."""
    eps = case.eps.clone()
    eps[k] = 2 * eps[k] + 1
    return not _same(_ask(answer, case._replace(eps=eps))[0].detach().double(), outcome.value)


def _fits(answer: Answer, cases: list[Case]) -> bool:
    """Whether the answer has a right value on the one of `cases`, or a right difference between two."""

    def difference(values: list[Tensor]) -> Tensor:
        return (values[0] - values[1] if values[1:] else values[0]).detach().double()

    try:
        seen = difference([_ask_elbo(answer, case)[0] for case in cases])
    except Mistake:  # what stops there is no guide
        return False
    values = [_elbo_values(case) for case in cases]
    return any(_same(seen, difference([value(parts) for value in values])) for parts in _right_choices())
