"""Both sides of the check of notebook 09: right ways to estimate log p(x) pass, wrong ones are called by name."""

import math

import torch
from answers import folded_solutions, tests_of
from torch.distributions import Independent, MultivariateNormal, Normal

from helpers.checks import nb09_latent_variables as checks
from helpers.checks.nb09_latent_variables import check_log_evidence
from helpers.theory import log_mean_exp


def draw(mu, log_var, eps):
    return mu + (log_var / 2).exp() * eps


def log_q(z, mu, log_var):
    return Normal(mu, (log_var / 2).exp()).log_prob(z).sum(-1)


def weights(model, x, mu, log_var, eps):
    z = draw(mu, log_var, eps)
    return model.log_likelihood(x, z) + model.log_prior(z) - log_q(z, mu, log_var)


def put(sample=draw, weight=lambda r, p, q: r + p - q, mean=log_mean_exp, of_q=log_q):
    """An estimate with one of its steps changed; `weight(r, p, q)` of three log-densities (K, B)."""

    def my_log_evidence(model, x, mu, log_var, eps):
        z = sample(mu, log_var, eps)
        return mean(weight(model.log_likelihood(x, z), model.log_prior(z), of_q(z, mu, log_var)))

    return my_log_evidence


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


def online(model, x, mu, log_var, eps):
    """The running maximum of online softmax."""
    top, total = torch.full_like(x[:, 0], -math.inf), torch.zeros_like(x[:, 0])
    for each in eps:
        log_w = weights(model, x, mu, log_var, each)
        top, before = torch.maximum(top, log_w), top
        total = total * (before - top).exp() + (log_w - top).exp()
    return top + (total / len(eps)).log()


# fmt: off
RIGHT = [
    by_log_mean_exp, by_hand, by_noise, by_loops, by_logaddexp, online,
    torch.no_grad()(by_log_mean_exp),
    put(of_q=lambda z, mu, lv: Independent(Normal(mu, lv.exp().sqrt()), 1).log_prob(z)),
    put(of_q=lambda z, mu, lv: MultivariateNormal(mu, torch.diag_embed(lv.exp())).log_prob(z)),
    lambda m, x, mu, lv, eps: log_mean_exp(  # p(x|z) p(z) = p(z|x) p(x), the other way round
        MultivariateNormal(*m.posterior(x)).log_prob(draw(mu, lv, eps)) + m.log_evidence(x)
        - log_q(draw(mu, lv, eps), mu, lv)),
    lambda *given: torch.logsumexp(weights(*given).T, 1) - torch.tensor(float(len(given[-1]))).log(),
    lambda *given: (lambda w: w[0] - w.log_softmax(0)[0] - math.log(len(w)))(weights(*given)),  # log w₁ − log softmax₁
    lambda *given: (lambda w, top: top + (w - top).exp().mean(0).log())(
        weights(*given), weights(*given).detach().max(0)[0]),
    lambda *given: by_noise(*given).double(), lambda *given: by_log_mean_exp(*given).tolist(),
    lambda *given: by_log_mean_exp(*given).numpy(),
    lambda *given: by_log_mean_exp(*given[:-1], given[-1].permute(2, 1, 0).contiguous().permute(2, 1, 0)),
]
# fmt: on


REMARKS = [
    (lambda *given: by_noise(*given[:-1], -given[-1]), "mirrored", "subtract"),
    (lambda *given: by_noise(*given[:-1], torch.cat([given[-1], -given[-1]])), "antithetic", "both signs"),
    (
        lambda *given: by_log_mean_exp(*given) + 0 * torch.zeros(3).dot(given[1][0, :3]),
        "dtype",
        "of another type",
    ),
]


# Wrong


def with_q(density):
    """An estimate whose log q is `density(z, mu, log_var, eps)`, (K, B, d) before the sum."""

    def my_log_evidence(model, x, mu, log_var, eps):
        z = draw(mu, log_var, eps)
        own = density(z, mu, log_var, eps).sum(-1)
        return log_mean_exp(model.log_likelihood(x, z) + model.log_prior(z) - own)

    return my_log_evidence


def shifted_by(pivot):
    """Stable where the weights lie close together; `pivot(log_w)` is taken out and put back."""
    return put(mean=lambda w: pivot(w) + (w - pivot(w)).exp().mean(0).log())


def changes_eps(model, x, mu, log_var, eps):
    eps *= (log_var / 2).exp()
    z = mu + eps
    return log_mean_exp(model.log_likelihood(x, z) + model.log_prior(z) - log_q(z, mu, log_var))


def not_summed(model, x, mu, log_var, eps):
    z = draw(mu, log_var, eps)
    of_q = Normal(mu, (log_var / 2).exp()).log_prob(z)
    return log_mean_exp((model.log_likelihood(x, z) + model.log_prior(z))[..., None] - of_q)


def depends_on_the_row(*given):
    estimate = by_log_mean_exp(*given)
    return estimate + torch.linspace(0, 3, len(estimate))


def with_sigma(deviation):
    """An estimate that computes σ once, for z and for q."""

    def my_log_evidence(model, x, mu, log_var, eps):
        sigma = deviation(log_var)
        z = mu + sigma * eps
        of_q = Normal(mu, sigma).log_prob(z).sum(-1)
        return log_mean_exp(model.log_likelihood(x, z) + model.log_prior(z) - of_q)

    return my_log_evidence


# fmt: off
WRONG = [
    # the samples, and σ
    (put(lambda mu, lv, eps: draw(mu, lv, eps)[0], mean=lambda w: w), "one_sample", "the first of the K"),
    (lambda *given: by_log_mean_exp(*given[:-1], torch.randn_like(given[-1])), "noise", "new noise"),
    (changes_eps, "changed_input", "`+=`"),
    (with_sigma(lambda lv: lv.exp()), "variance_for_deviation", "Your noise is multiplied by the variance"),
    (with_sigma(lambda lv: (lv / 4).exp()), "root", "Your noise is multiplied by √σ"),
    (with_sigma(lambda lv: (-lv / 2).exp()), "inverse_deviation", "Your noise is divided by σ"),
    (with_sigma(torch.ones_like), "unit_deviation", "Your noise keeps standard deviation 1"),
    (with_sigma(lambda lv: (lv / 2).exp() + 1e-3), "nearly", "added to σ"),
    (with_sigma(lambda lv: (lv.clamp(-5, 5) / 2).exp()), "narrow", "cut off"),
    (with_sigma(lambda lv: (lv.clamp(-2, 2) / 2).exp()), "value", "your result["),
    # the weights
    (with_q(lambda z, mu, lv, eps: Normal(mu, lv.exp()).log_prob(z)), "q_spread", "its standard deviation is σ²"),
    (with_q(lambda z, mu, lv, eps: Normal(0.0, 1.0).log_prob(eps) - lv), "q_of_eps", "wrong power"),
    (with_q(lambda z, mu, lv, eps: -0.5 * (eps**2 + lv + math.log(2 * 3.14))), "constants", "Every row is off by"),
    # the mean and the result
    (put(mean=lambda w: log_mean_exp(w).mean()), "shape", "whole batch"),
    (put(mean=lambda w: w.logsumexp(1)), "shape", "kept the samples"),
    (put(mean=lambda w: w), "shape", "How do the K"),
    (put(mean=lambda w: w.logsumexp(0, keepdim=True)), "shape", "still there"),
    (not_summed, "shape", "latent dimensions"),
    # the floats
    (put(mean=lambda w: w.exp().mean(0).log()), "range", "two observations"),
    (put(mean=lambda w: (w.exp().mean(0) + 1e-300).log()), "range", "two observations"),
    (put(mean=lambda w: log_mean_exp(w.clamp(-500, 500))), "range", "Is anything cut off"),
    (shifted_by(lambda w: w.max()), "range", "is it the same for both"),
    (shifted_by(lambda w: w[0]), "range", "from sample to sample"),
    (shifted_by(lambda w: w.mean(0)), "range", "from sample to sample"),
    (put(mean=lambda w: (w.exp().mean(0) + 1e-6).log()), "guard", "1e-06"),
    (put(mean=lambda w: w.exp().mean(0).clamp(min=1e-8).log()), "guard", "1e-08"),
    (put(mean=lambda w: (w.exp() + 1e-8).mean(0).log()), "guard", "1e-08"),
    # two mistakes at once
    (put(lambda mu, lv, eps: mu + lv.exp() * eps, mean=lambda w: w.logsumexp(0)), "variance_for_deviation", "a sum"),
    (put(weight=lambda r, p, q: r, mean=lambda w: w.mean(0)), "likelihood_only", "the mean of the logarithms"),
    (put(mean=lambda w: -log_mean_exp(w) / math.log(2)), "scale", "the sign is turned, and the logarithm"),
    # more
    (put(mean=lambda w: log_mean_exp(w) > 0), "type", "torch.bool"),
    (put(mean=lambda w: log_mean_exp(w).to(torch.complex64)), "type", "torch.complex64"),
    (put(mean=lambda w: log_mean_exp(w) + 2.5), "constants", "the same 2.5"),
    (put(mean=lambda w: log_mean_exp(w).flip(0)), "value", "result[0]"),
    (depends_on_the_row, "value", "result[4]"),
]
# fmt: on

test_right, test_remarks, test_wrong = tests_of(check_log_evidence, RIGHT, REMARKS, WRONG)


def test_the_reference_estimates_log_p(double):
    """With many samples from a q near the posterior it is the exact log p(x); with the exact posterior, for any K."""
    case = checks.LOG_EVIDENCE.cases()[0]
    mean, cov = case.model.posterior(case.x)
    many = case.but(
        mu=mean, log_var=cov.diagonal().log().expand_as(mean), eps=torch.randn(20_000, *mean.shape)
    )
    torch.testing.assert_close(
        checks.LOG_EVIDENCE.best()(many), case.model.log_evidence(case.x), atol=0.05, rtol=0
    )


def test_the_extremes_leave_the_floats(double):
    case = checks._many_dimensions(checks.LOG_EVIDENCE.cases()[0])
    estimate = checks.LOG_EVIDENCE.best()(case)
    assert estimate.max() > 1000 and estimate.min() < -900
    assert not estimate.exp().log().isfinite().any()


def test_the_solution_in_the_notebook_passes(dtype):
    mine = folded_solutions("09_latent_variables", Normal=Normal, log_mean_exp=log_mean_exp)
    assert check_log_evidence(mine["my_log_evidence"]).kind == "right"
