"""Both sides of the check of notebook 09: right ways to estimate log p(x) pass, wrong ones are called by name."""

import math

import pytest
import torch
from folded_solutions import folded_solutions
from torch.distributions import Independent, MultivariateNormal, Normal

from helpers.checks import check_log_evidence
from helpers.checks import evidence as checks
from helpers.theory import log_mean_exp
from helpers.vae import gaussian_kl


def draw(mu, log_var, eps):
    return mu + (log_var / 2).exp() * eps


def log_q(z, mu, log_var):
    return Normal(mu, (log_var / 2).exp()).log_prob(z).sum(-1)


def weights(model, x, mu, log_var, eps):
    z = draw(mu, log_var, eps)
    return model.log_likelihood(x, z) + model.log_prior(z) - log_q(z, mu, log_var)


# Right


def by_log_mean_exp(*given):
    return log_mean_exp(weights(*given))


def by_hand(model, x, mu, log_var, eps):
    z = mu + torch.exp(0.5 * log_var) * eps
    of_q = -0.5 * ((z - mu) ** 2 / log_var.exp() + log_var + math.log(2 * math.pi))
    log_w = model.log_likelihood(x, z) + model.log_prior(z) - of_q.sum(dim=-1)
    largest = log_w.max(dim=0, keepdim=True).values
    return (largest + (log_w - largest).exp().mean(0, keepdim=True).log()).squeeze(0)


def by_noise(model, x, mu, log_var, eps):
    """As notebook 12 writes it: the factors 2π cancel, and (z − μ)/σ is ε."""
    z = draw(mu, log_var, eps)
    log_ratio = (-0.5 * z.square() + 0.5 * eps.square() + 0.5 * log_var).sum(-1)
    return torch.logsumexp(model.log_likelihood(x, z) + log_ratio, 0) - math.log(eps.shape[0])


def by_independent(model, x, mu, log_var, eps):
    q = Independent(Normal(mu, log_var.exp().sqrt()), 1)
    z = q.mean + q.stddev * eps
    return (model.log_likelihood(x, z) + model.log_prior(z) - q.log_prob(z)).logsumexp(dim=0) - math.log(
        len(z)
    )


def by_full_gaussians(model, x, mu, log_var, eps):
    q = MultivariateNormal(mu, torch.diag_embed(log_var.exp()))
    z = mu + eps * log_var.exp().sqrt()
    unit = torch.eye(mu.shape[1], dtype=mu.dtype)
    prior = MultivariateNormal(torch.zeros_like(mu[0]), unit)
    return log_mean_exp(model.log_likelihood(x, z) + prior.log_prob(z) - q.log_prob(z))


def by_loops(model, x, mu, log_var, eps):
    rows = []
    for b in range(len(x)):
        logs = [weights(model, x[b], mu[b], log_var[b], eps[k, b]) for k in range(len(eps))]
        rows.append(torch.stack(logs).logsumexp(0) - math.log(len(logs)))
    return torch.stack(rows)


def by_logaddexp(*given):
    total, *rest = weights(*given)
    for each in rest:
        total = torch.logaddexp(total, each)
    return total - math.log(len(rest) + 1)


def by_posterior(model, x, mu, log_var, eps):
    """p(x|z) p(z) = p(z|x) p(x), the other way round."""
    z = draw(mu, log_var, eps)
    mean, cov = model.posterior(x)
    log_joint = MultivariateNormal(mean, cov).log_prob(z) + model.log_evidence(x)
    return log_mean_exp(log_joint - log_q(z, mu, log_var))


def without_a_graph(*given):
    with torch.no_grad():
        return by_log_mean_exp(*given)


def last_dimension(*given):
    log_w = weights(*given).T
    return torch.logsumexp(log_w, 1) - torch.tensor(float(log_w.shape[1])).log()


def by_log_softmax(*given):
    """log Σ w = log w₁ − log softmax₁."""
    log_w = weights(*given)
    return log_w[0] - log_w.log_softmax(0)[0] - math.log(len(log_w))


def by_the_largest_detached(*given):
    log_w = weights(*given)
    top = log_w.detach().max(0)[0]
    return top + (log_w - top).exp().mean(0).log()


def in_double(model, x, mu, log_var, eps):
    return by_noise(model, x, mu, log_var, eps).double()


RIGHT = [
    by_log_mean_exp,
    by_hand,
    by_noise,
    by_independent,
    by_full_gaussians,
    by_loops,
    by_logaddexp,
    by_posterior,
    without_a_graph,
    last_dimension,
    by_log_softmax,
    by_the_largest_detached,
    in_double,
]


def mirrored(model, x, mu, log_var, eps):
    return by_noise(model, x, mu, log_var, -eps)


def antithetic(model, x, mu, log_var, eps):
    return by_noise(model, x, mu, log_var, torch.cat([eps, -eps]))


def makes_float32(model, x, mu, log_var, eps):
    return by_full_gaussians(model, x, mu, log_var, eps) + 0 * MultivariateNormal(
        torch.zeros(mu.shape[1]), torch.eye(mu.shape[1])
    ).log_prob(eps).sum(0)


REMARKS = [(mirrored, "mirrored"), (antithetic, "antithetic")]


# Wrong


def put(sample=draw, weight=None, mean=log_mean_exp):
    """An estimate with one of its steps changed; `weight(r, p, q, z)` of three log-densities (K, B)."""

    def my_log_evidence(model, x, mu, log_var, eps):
        z = sample(mu, log_var, eps)
        parts = model.log_likelihood(x, z), model.log_prior(z), log_q(z, mu, log_var)
        return mean(parts[0] + parts[1] - parts[2] if weight is None else weight(*parts))

    return my_log_evidence


def with_q(density):
    """An estimate whose log q is `density(z, mu, log_var, eps)`, (K, B, d) before the sum."""

    def my_log_evidence(model, x, mu, log_var, eps):
        z = draw(mu, log_var, eps)
        own = density(z, mu, log_var, eps).sum(-1)
        return log_mean_exp(model.log_likelihood(x, z) + model.log_prior(z) - own)

    return my_log_evidence


def at_once(*given):
    return weights(*given).exp().mean(0).log()


def with_a_floor(*given):
    return (weights(*given).exp().mean(0) + 1e-300).log()


def clamped(*given):
    return log_mean_exp(weights(*given).clamp(-100, 100))


def shifted_by_the_largest_of_all(*given):
    log_w = weights(*given)
    return log_w.max() + (log_w - log_w.max()).exp().mean(0).log()


def shifted_by_the_smallest_of_all(*given):
    log_w = weights(*given)
    return log_w.min() + (log_w - log_w.min()).exp().mean(0).log()


def shifted_by(pivot):
    """Stable where the weights of one x lie close together; `pivot(log_w)` (B,) is taken out and put back."""
    return put(mean=lambda w: pivot(w) + (w - pivot(w)).exp().mean(0).log())


def with_own_noise(model, x, mu, log_var, eps):
    return by_log_mean_exp(model, x, mu, log_var, torch.randn_like(eps))


def changes_eps(model, x, mu, log_var, eps):
    eps *= (log_var / 2).exp()
    z = mu + eps
    return log_mean_exp(model.log_likelihood(x, z) + model.log_prior(z) - log_q(z, mu, log_var))


def kl_inside(model, x, mu, log_var, eps):
    return log_mean_exp(model.log_likelihood(x, draw(mu, log_var, eps)) - gaussian_kl(mu, log_var))


def kl_outside(model, x, mu, log_var, eps):
    return log_mean_exp(model.log_likelihood(x, draw(mu, log_var, eps))) - gaussian_kl(mu, log_var)


def elbo(model, x, mu, log_var, eps):
    return model.log_likelihood(x, draw(mu, log_var, eps)).mean(0) - gaussian_kl(mu, log_var)


def naive(model, x, mu, log_var, eps):
    return log_mean_exp(model.log_likelihood(x, eps))


def reads_log_sigma(model, x, mu, log_var, eps):
    return by_log_mean_exp(model, x, mu, 2 * log_var, eps)


def prior_of_eps(model, x, mu, log_var, eps):
    z = draw(mu, log_var, eps)
    return log_mean_exp(model.log_likelihood(x, z) + model.log_prior(eps) - log_q(z, mu, log_var))


def likelihood_of_mu(model, x, mu, log_var, eps):
    z = draw(mu, log_var, eps)
    return log_mean_exp(model.log_likelihood(x, mu) + model.log_prior(z) - log_q(z, mu, log_var))


def not_summed(model, x, mu, log_var, eps):
    z = draw(mu, log_var, eps)
    of_q = Normal(mu, (log_var / 2).exp()).log_prob(z)
    return log_mean_exp((model.log_likelihood(x, z) + model.log_prior(z))[..., None] - of_q)


def two_mistakes(model, x, mu, log_var, eps):
    z = mu + log_var.exp() * eps
    return (model.log_likelihood(x, z) + model.log_prior(z) - log_q(z, mu, log_var)).logsumexp(0)


def depends_on_the_row(*given):
    estimate = by_log_mean_exp(*given)
    return estimate + torch.linspace(0, 3, len(estimate))


def half_precision(*given):
    return by_log_mean_exp(*given).half()


def normal(mu, std):
    return lambda z: Normal(mu, std).log_prob(z)


WRONG = [
    # the draws
    (put(lambda mu, lv, eps: mu.expand_as(eps)), "no_draws", "no effect"),
    (put(lambda mu, lv, eps: eps), "not_from_q", "Where do μ and σ"),
    (put(lambda mu, lv, eps: mu + lv.exp() * eps), "variance_for_deviation", "the variance"),
    (put(lambda mu, lv, eps: mu + lv * eps), "log_for_deviation", "`log_var` itself"),
    (put(lambda mu, lv, eps: mu + lv / 2 * eps), "log_for_deviation", "log σ"),
    (put(lambda mu, lv, eps: mu + (lv / 4).exp() * eps), "root", "√σ"),
    (put(lambda mu, lv, eps: mu + eps), "unit_deviation", "deviation 1"),
    (put(lambda mu, lv, eps: (lv / 2).exp() * eps), "no_mean", "around 0"),
    (put(lambda mu, lv, eps: mu + (lv / 2).exp() * eps[:, :1]), "same_noise", "share the noise"),
    (put(lambda mu, lv, eps: draw(mu, lv, eps)[:1]), "one_draw", "the first of the K"),
    (put(lambda mu, lv, eps: draw(mu, lv, eps)[0], mean=lambda w: w), "one_draw", "the first of the K"),
    (naive, "naive", "naive estimate"),
    (with_own_noise, "noise", "new noise"),
    # the weights
    (put(weight=lambda r, p, q: r - q), "no_prior", "The prior is missing"),
    (put(weight=lambda r, p, q: r + p), "no_q", "never divided"),
    (put(weight=lambda r, p, q: r), "likelihood_only", "alone"),
    (put(weight=lambda r, p, q: p - q), "no_likelihood", "look at x"),
    (put(weight=lambda r, p, q: r + q - p), "ratio_inverted", "upside down"),
    (put(weight=lambda r, p, q: q - r - p), "inverted", "upside down"),
    (put(weight=lambda r, p, q: r + p + q), "q_added", "wrong sign"),
    (put(weight=lambda r, p, q: r - p - q), "prior_sign", "wrong sign"),
    (put(weight=lambda r, p, q: -q), "posterior_only", "integrand"),
    (with_q(lambda z, mu, lv, eps: Normal(mu, lv.exp()).log_prob(z)), "q_spread", "σ² as its deviation"),
    (with_q(lambda z, mu, lv, eps: Normal(mu, (lv / 4).exp()).log_prob(z)), "q_spread", "√σ"),
    (with_q(lambda z, mu, lv, eps: Normal(mu, 1.0).log_prob(z)), "q_spread", "deviation of 1"),
    (with_q(lambda z, mu, lv, eps: Normal(0 * mu, (lv / 2).exp()).log_prob(z)), "q_place", "centred at 0"),
    (with_q(lambda z, mu, lv, eps: Normal(0.0, 1.0).log_prob(eps)), "q_of_eps", "density of ε"),
    (with_q(lambda z, mu, lv, eps: Normal(0.0, 1.0).log_prob(eps) + lv / 2), "q_of_eps", "wrong direction"),
    (with_q(lambda z, mu, lv, eps: Normal(0.0, 1.0).log_prob(eps) - lv), "q_of_eps", "½ is missing"),
    (with_q(lambda z, mu, lv, eps: -0.5 * eps**2 - lv / 2), "constants", "2π"),
    (with_q(lambda z, mu, lv, eps: log_q(z, mu, lv)[..., None] / mu.shape[1]), "mean_of_dimensions", "sum"),
    (
        with_q(lambda z, mu, lv, eps: Normal(mu, (lv / 2).exp()).log_prob(mu)),
        "q_at_mean",
        "one and the same z",
    ),
    (prior_of_eps, "prior_place", "one and the same z"),
    (likelihood_of_mu, "likelihood_place", "one and the same z"),
    (kl_inside, "kl", "KL divergence"),
    (reads_log_sigma, "not_a_logarithm", "another guess"),
    # the mean
    (put(mean=lambda w: w.mean(0)), "mean_of_logarithms", "the logarithm comes last"),
    (elbo, "elbo", "evidence lower bound"),
    (put(mean=lambda w: w.logsumexp(0)), "sum", "grows with K"),
    (put(mean=lambda w: w.sum(0)), "sum_of_logarithms", "multiplies"),
    (put(mean=lambda w: w.max(0).values), "largest", "largest"),
    (put(mean=lambda w: log_mean_exp(w - w.max(0).values)), "relative", "never put it back"),
    (put(mean=lambda w: w.logsumexp(0) + math.log(len(w))), "log_k_sign", "log K"),
    (put(mean=lambda w: w.logsumexp(0) - len(w)), "k_for_log_k", "subtract K"),
    (put(mean=lambda w: w.logsumexp(0) / len(w)), "divided_log", "divide the logarithm"),
    (put(mean=lambda w: w.logsumexp(0) - math.log(len(w) - 1)), "k_minus_one", "variance"),
    (put(mean=lambda w: w.logsumexp(0) - math.log(w.shape[1])), "wrong_count", "number of observations"),
    (put(mean=lambda w: w.exp().mean(0)), "no_logarithm", "estimate of p(x)"),
    (put(mean=lambda w: -log_mean_exp(-w)), "harmonic", "harmonic"),
    (put(mean=lambda w: (w.softmax(0) * w).sum(0)), "normalised", "normalised"),
    (put(mean=lambda w: w.median(0).values), "median", "median"),
    (put(weight=lambda r, p, q: log_mean_exp(r) + log_mean_exp(p - q), mean=lambda w: w), "apart", "apart"),
    (put(weight=lambda r, p, q: log_mean_exp(r) + (p - q).mean(0), mean=lambda w: w), "apart", "apart"),
    (put(weight=lambda r, p, q: r.mean(0) + log_mean_exp(p - q), mean=lambda w: w), "apart", "apart"),
    (put(weight=lambda r, p, q: log_mean_exp(r + p) - log_mean_exp(q), mean=lambda w: w), "apart", "apart"),
    (kl_outside, "kl", "KL divergence"),
    # the result
    (put(mean=lambda w: -log_mean_exp(w)), "sign", "plus"),
    (put(mean=lambda w: log_mean_exp(w).mean()), "shape", "whole batch"),
    (put(mean=lambda w: log_mean_exp(w).mean().expand(w.shape[1])), "batch_mean", "average over the batch"),
    (put(mean=lambda w: log_mean_exp(w).sum().expand(w.shape[1])), "batch_sum", "sum over the batch"),
    (put(mean=lambda w: log_mean_exp(w.flatten()).expand(w.shape[1])), "batch", "over the observations too"),
    (put(mean=lambda w: log_mean_exp(w) / math.log(2)), "bits", "bits"),
    (put(mean=lambda w: log_mean_exp(w) / math.log(10)), "bits", "base 10"),
    (put(mean=lambda w: w.logsumexp(1)), "shape", "kept the draws"),
    (put(mean=lambda w: w), "shape", "K weights"),
    (put(mean=lambda w: w.logsumexp(0, keepdim=True)), "shape", "still there"),
    (not_summed, "shape", "latent numbers"),
    (lambda model, x, mu, log_var, eps: model.log_evidence(x), "exact", "estimated from the draws"),
    # the floats
    (at_once, "range", "no float holds"),
    (with_a_floor, "range", "no float holds"),
    (clamped, "range", "no float holds"),
    (shifted_by_the_largest_of_all, "range", "no float holds"),
    (shifted_by_the_smallest_of_all, "range", "no float holds"),
    (shifted_by(lambda w: w[0]), "range", "from draw to draw"),
    (shifted_by(lambda w: w[-1]), "range", "from draw to draw"),
    (shifted_by(lambda w: w.mean(0)), "range", "from draw to draw"),
    (shifted_by(lambda w: w.median(0).values), "range", "from draw to draw"),
    (shifted_by(lambda w: w.min(0).values), "range", "from draw to draw"),
    (put(mean=lambda w: (w.exp().mean(0) + 1e-6).log()), "guard", "1e-06"),
    (put(mean=lambda w: (w.exp().mean(0) + 1e-10).log()), "guard", "1e-10"),
    (put(mean=lambda w: w.exp().mean(0).clamp(min=1e-8).log()), "guard", "1e-08"),
    (put(mean=lambda w: (w.exp() + 1e-8).mean(0).log()), "guard", "1e-08"),
    (put(mean=lambda w: log_mean_exp(w) + float("nan")), "nan", "NaN"),
    (put(mean=lambda w: log_mean_exp(w) > 0), "type", "torch.bool"),
    (put(mean=lambda w: log_mean_exp(w).to(torch.complex64)), "type", "torch.complex64"),
    (put(mean=lambda w: log_mean_exp(w).long()), "type", "torch.int64"),
    # more
    (two_mistakes, "variance_for_deviation", "second mistake"),
    (changes_eps, "changed_input", "`+=`"),
    (put(mean=lambda w: log_mean_exp(w) + 2.5), "constant", "+2.5, +2.5"),
    (depends_on_the_row, "value", "each (K, B)"),
    (put(mean=lambda w: log_mean_exp(w).tolist()), "type", "list"),
    (put(mean=lambda w: None), "none", "return"),
]


@pytest.mark.parametrize("estimate", RIGHT)
def test_right_ways_pass(estimate, dtype):
    assert check_log_evidence(estimate).kind == "right", check_log_evidence(estimate)


@pytest.mark.parametrize(("estimate", "kind"), REMARKS)
def test_other_draws_from_the_same_guess_are_right(estimate, kind, dtype):
    feedback = check_log_evidence(estimate)
    assert feedback.ok and feedback.kind == kind, feedback


@pytest.mark.parametrize(
    ("estimate", "kind", "phrase"), WRONG, ids=[f"{kind}-{n}" for n, (_, kind, _) in enumerate(WRONG)]
)
def test_wrong_ways_are_called_by_name(estimate, kind, phrase, dtype):
    feedback = check_log_evidence(estimate)
    assert not feedback.ok and feedback.kind == kind and phrase in feedback.message, feedback


def test_a_tensor_of_another_type_is_a_remark():
    """Constants in float32 stop where the inputs are float64, unless the notebook's default is float64."""

    def with_a_constant(model, x, mu, log_var, eps):
        return by_log_mean_exp(model, x, mu, log_var, eps) + torch.zeros(len(x)) @ torch.ones(
            len(x), len(x), dtype=x.dtype
        )

    feedback = check_log_evidence(with_a_constant)
    assert feedback.ok and feedback.kind == "dtype", feedback


def test_no_two_single_mistakes_give_the_same_numbers():
    torch.manual_seed(9)
    cases = [checks._elbo_case(*sizes).to(torch.float64) for sizes in checks.ELBO_SIZES]
    first = tuple(table[0] for table in checks.TABLES)
    alone = [first] + [
        (*first[:i], part, *first[i + 1 :]) for i, table in enumerate(checks.TABLES) for part in table[1:]
    ]
    formulas = [lambda case, parts=parts: checks._value(parts, case) for parts in alone]
    formulas += [way.answer for way in checks.OTHERS]
    values = [torch.cat([formula(case) for case in cases]) for formula in formulas]
    for i, one in enumerate(values):
        for other in values[i + 1 :]:
            assert (one - other).abs().max() > 3 * checks.SAME * one.abs().max()


def test_the_solution_in_the_notebook_passes():
    mine = folded_solutions("09_latent_variables", Normal=Normal, log_mean_exp=log_mean_exp)
    assert check_log_evidence(mine["my_log_evidence"]).kind == "right"
