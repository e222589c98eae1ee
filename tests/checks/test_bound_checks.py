"""Both sides of the checks of notebook 10: every right way to write a KL or a bound passes, a wrong one is named."""

import copy
import functools
import itertools
import math
import time

import pytest
import torch
from folded_solutions import folded_solutions
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from helpers.checks import bound as checks
from helpers.checks.bound import check_elbo, check_gaussian_kl
from helpers.checks.frame import Answer, Mistake
from helpers.theory import exact_elbo, kl_to_posterior
from helpers.vae import gaussian_kl


@functools.cache
def judged(check, answer):
    """What `check` says of `answer` in float32, asked once."""
    return check(answer)


def named(rows):
    return [f"{kind}-{n}" for n, (_, kind, _) in enumerate(rows)]


# The KL, right


def by_the_formula(mu, log_var):
    return -0.5 * torch.sum(1 + log_var - mu.pow(2) - log_var.exp(), dim=1)


def by_distributions(mu, log_var):
    return kl_divergence(Normal(mu, (log_var / 2).exp()), Normal(0.0, 1.0)).sum(-1)


def by_independent_distributions(mu, log_var):
    q = Independent(Normal(mu, log_var.exp().sqrt()), 1)
    return kl_divergence(q, Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1))


def by_expm1(mu, log_var):
    return 0.5 * (torch.expm1(log_var) - log_var + mu**2).sum(1)


def by_deviations(mu, log_var):
    sigma = torch.exp(log_var / 2)
    return (-sigma.log() + (sigma**2 + mu**2) / 2 - 0.5).sum(dim=-1)


def by_einsum(mu, log_var):
    squares = torch.einsum("bd,bd->b", mu, mu)
    return (squares + torch.einsum("bd->b", log_var.exp() - log_var) - mu.shape[1]) / 2


def by_full_gaussians(mu, log_var):
    d = mu.shape[1]
    q = MultivariateNormal(mu, torch.diag_embed(log_var.exp()))
    return kl_divergence(q, MultivariateNormal(torch.zeros(d, dtype=mu.dtype), torch.eye(d, dtype=mu.dtype)))


def by_cross_entropy(mu, log_var):
    q = Normal(mu, (0.5 * log_var).exp())
    cross_entropy = 0.5 * (mu**2 + log_var.exp() + math.log(2 * math.pi))
    return (cross_entropy - q.entropy()).sum(1)


def by_determinants(mu, log_var):
    var = log_var.exp()
    return 0.5 * (var.sum(1) + (mu * mu).sum(1) - mu.shape[1] - var.log().sum(1))


def by_precision(mu, log_var):
    return 0.5 * (mu.square() + 1 / torch.exp(-log_var) - 1 - log_var).sum(1)


def row_by_row(mu, log_var):
    rows = []
    for m, lv in zip(mu, log_var, strict=True):
        total = 0.0
        for j in range(len(m)):
            total = total + 0.5 * (m[j] ** 2 + lv[j].exp() - 1 - lv[j])
        rows.append(total)
    return torch.stack(rows)


def in_double(mu, log_var):
    mu, log_var = mu.double(), log_var.double()
    return 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1)


def in_double_and_back(mu, log_var):
    return in_double(mu, log_var).to(mu.dtype)


def means_times_size(mu, log_var):
    return -0.5 * (1 + log_var - mu**2 - log_var.exp()).mean(1) * mu.shape[1]


def shuffled(mu, log_var):
    order = torch.randperm(len(mu))
    return by_the_formula(mu[order], log_var[order])[order.argsort()]


class AsAClass:
    def __call__(self, mu, log_var):
        return by_the_formula(mu, log_var)

    def method(self, mu, log_var):
        return by_expm1(mu, log_var)


def with_a_constant(half, mu, log_var):
    return half * (mu**2 + log_var.exp() - 1 - log_var).sum(1)


KL_RIGHT = [
    by_the_formula,
    by_distributions,
    by_independent_distributions,
    by_expm1,
    by_deviations,
    by_einsum,
    by_full_gaussians,
    by_cross_entropy,
    by_determinants,
    by_precision,
    row_by_row,
    in_double,
    in_double_and_back,
    means_times_size,
    shuffled,
    AsAClass(),
    AsAClass().method,
    functools.partial(with_a_constant, 0.5),
    gaussian_kl,
]


@pytest.mark.parametrize("kl", KL_RIGHT)
def test_a_right_kl_passes(kl, dtype):
    feedback = check_gaussian_kl(kl)
    assert (feedback.ok, feedback.kind) == (True, "right"), feedback
    assert "A remark" not in feedback.message


# … right, with a remark


def with_constants_of_its_own_dtype(mu, log_var):
    d = mu.shape[1]
    q = MultivariateNormal(mu, torch.diag_embed(log_var.exp()))
    # The plain MultivariateNormal KL promotes; a product of matrices does not.
    prior_mean = mu @ torch.zeros(d, 1)
    return kl_divergence(q, MultivariateNormal(torch.zeros_like(mu), torch.eye(d).to(mu))) + prior_mean[:, 0]


def with_a_small_constant(mu, log_var):
    return 0.5 * (mu**2 + log_var.exp() - 1 - (log_var.exp() + 1e-8).log()).sum(1)


def with_wide_bounds(mu, log_var):
    return by_the_formula(mu, log_var.clamp(-20, 20))


KL_REMARKS = [
    (with_constants_of_its_own_dtype, "dtype", "follow the input"),
    (with_a_small_constant, "tails", "small constant"),
    (with_wide_bounds, "tails", "cut off"),
]


@pytest.mark.parametrize("kl, kind, phrase", KL_REMARKS, ids=named(KL_REMARKS))
def test_a_kl_passes_with_a_remark(kl, kind, phrase, dtype):
    feedback = check_gaussian_kl(kl)
    assert (feedback.ok, feedback.kind) == (True, kind), feedback
    assert phrase in feedback.message
    assert "A remark: " in feedback.message


# … wrong


def each(mu, lv):
    return -0.5 * (1 + lv - mu**2 - lv.exp())


def summed(formula):
    return lambda mu, lv: formula(mu, lv).sum(1)


def by_monte_carlo(mu, log_var):
    q, p = Normal(mu, (log_var / 2).exp()), Normal(torch.zeros_like(mu), torch.ones_like(mu))
    z = q.rsample((64,))
    return (q.log_prob(z) - p.log_prob(z)).sum(-1).mean(0)


def by_seeded_monte_carlo(mu, log_var):
    torch.manual_seed(0)
    return by_monte_carlo(mu, log_var)


OWN_GENERATOR = torch.Generator()


def by_monte_carlo_of_its_own(mu, log_var):
    eps = torch.randn(64, *mu.shape, generator=OWN_GENERATOR, dtype=mu.dtype)
    z = mu + (log_var / 2).exp() * eps
    return 0.5 * (z**2 - eps**2 - log_var).sum(-1).mean(0)


def squares_in_place(mu, log_var):
    return 0.5 * (mu.pow_(2) + log_var.exp() - 1 - log_var).sum(1)


def exponential_in_place(mu, log_var):
    var = log_var.exp()
    kl = 0.5 * (mu**2 + var - 1 - log_var)
    var.mul_(2)
    return kl.sum(1)


def without_a_graph(mu, log_var):
    with torch.no_grad():
        return by_the_formula(mu, log_var)


def half_without_a_graph(mu, log_var):
    return 0.5 * (mu.detach() ** 2 + log_var.exp() - 1 - log_var).sum(1)


def goes_backward(mu, log_var):
    value = by_the_formula(mu, log_var)
    value.sum().backward()
    return value


class RemembersTheOrder:
    """Gives the rows that it has met before in the order of then, as a cache with too small a key does."""

    def __init__(self, answer, rows):
        self.answer, self.rows, self.met = answer, rows, {}

    def __call__(self, *args):
        mu = args[self.rows].detach()
        then = self.met.setdefault((mu.dtype, f"{mu.sum():.3f}"), mu.clone())
        order = [(mu - row).abs().sum(1).argmin().item() for row in then]
        return self.answer(*args)[order]


def detour(var):
    """The variance by way of a power that overflows in the tails only."""
    power = 8 if var.dtype == torch.float32 else 40
    return (var**power) ** (1 / power)


KL_WRONG = [
    # what is summed
    (summed(lambda mu, lv: each(mu, 2 * lv)), "deviation", "as log σ"),
    (lambda mu, lv: kl_divergence(Normal(mu, lv.exp()), Normal(0.0, 1.0)).sum(1), "deviation", "as log σ"),
    (summed(lambda mu, lv: 0.5 * (mu**2 + lv - 1 - lv.log())), "not_a_logarithm", "the variance itself"),
    (
        lambda mu, lv: kl_divergence(Normal(mu, lv.sqrt()), Normal(0.0, 1.0)).sum(1),
        "not_a_logarithm",
        "the variance itself",
    ),
    (
        lambda mu, lv: kl_divergence(Normal(mu, lv), Normal(0.0, 1.0)).sum(1),
        "not_a_logarithm",
        "standard deviation itself",
    ),
    (summed(lambda mu, lv: 0.5 * (mu**2 + lv - 1 - lv)), "no_exponential", "cancels against the logarithm"),
    (summed(lambda mu, lv: each(mu, lv / 2)), "root", "a ½ too many"),
    (
        summed(lambda mu, lv: 0.5 * (mu**2 + (lv / 2).exp() - 1 - lv)),
        "deviation_not_squared",
        "σ where σ² belongs",
    ),
    (
        summed(lambda mu, lv: 0.5 * (mu**2 + lv.exp() ** 2 - 1 - lv)),
        "variance_squared",
        "squared once more",
    ),
    (
        summed(lambda mu, lv: 0.5 * (mu**2 + lv.exp() - 1 - 0.5 * lv)),
        "log_deviation",
        "where log σ² belongs",
    ),
    (summed(lambda mu, lv: -0.5 * (lv - mu**2 - lv.exp())), "not_zero", "a 1 is missing"),
    (summed(lambda mu, lv: 0.5 * (1 - lv + mu**2 + lv.exp())), "not_zero", "1 has the wrong sign"),
    (
        lambda mu, lv: -0.5 * (1 + (lv - mu**2 - lv.exp()).sum(1)),
        "one_outside",
        "once a dimension",
    ),
    (summed(lambda mu, lv: 0.5 * (mu**2 + lv.exp() - 1 + lv)), "log_var_sign", "falls without end"),
    (summed(lambda mu, lv: -0.5 * (1 + lv - mu**2 + lv.exp())), "variance_sign", "Check the brackets"),
    (summed(lambda mu, lv: -0.5 * (1 + lv + mu**2 - lv.exp())), "mean_sign", "term of μ"),
    (summed(lambda mu, lv: -0.5 * (1 + lv - mu - lv.exp())), "mean_not_squared", "not squared"),
    (summed(lambda mu, lv: -0.5 * (1 + lv - mu.abs() - lv.exp())), "mean_absolute", "absolute value"),
    (summed(lambda mu, lv: mu**2 / 2 + lv.exp() - 1 - lv), "half_of_one_term", "only some of the terms"),
    (
        summed(lambda mu, lv: mu**2 + 0.5 * (lv.exp() - 1 - lv)),
        "half_of_one_term",
        "only some of the terms",
    ),
    (summed(lambda mu, lv: -0.5 * (1 + lv) + mu**2 + lv.exp()), "half_of_one_term", "Check the brackets"),
    (summed(lambda mu, lv: -0.5 * (1 + lv - mu**2) + lv.exp()), "half_of_one_term", "Check the brackets"),
    (summed(lambda mu, lv: -0.5 * 1 - lv + mu**2 + lv.exp()), "half_of_one_term", "Check the brackets"),
    (
        lambda mu, lv: kl_divergence(Normal(mu, (lv / 2).exp()), Normal(mu, 1.0)).sum(1),
        "no_mean",
        "around μ itself",
    ),
    (summed(lambda mu, lv: 0.5 * mu**2), "no_variance", "only counts μ"),
    (
        lambda mu, lv: kl_divergence(Normal(0.0, 1.0), Normal(mu, (lv / 2).exp())).sum(1),
        "reversed",
        "KL(p‖q)",
    ),
    (
        summed(lambda mu, lv: 0.5 * (mu**2 + lv.exp() + math.log(2 * math.pi))),
        "cross_entropy",
        "is the cross-entropy",
    ),
    (lambda mu, lv: Normal(mu, (lv / 2).exp()).entropy().sum(1), "entropy", "entropy of q"),
    # its factor
    (summed(lambda mu, lv: -each(mu, lv)), "sign", "never negative"),
    (summed(lambda mu, lv: 2 * each(mu, lv)), "no_half", "twice too large"),
    (summed(lambda mu, lv: 0.5 * each(mu, lv)), "half_twice", "half as large"),
    (summed(lambda mu, lv: each(mu, lv) / math.log(2)), "bits", "natural logarithm"),
    # over what it is summed
    (lambda mu, lv: each(mu, lv).mean(1), "mean", "β now depends on d"),
    (lambda mu, lv: each(mu, lv).sum(), "batch_sum", "every observation pays for all"),
    (lambda mu, lv: each(mu, lv).sum(1).mean(), "batch_mean", "mean over the batch"),
    (lambda mu, lv: each(mu, lv).mean(), "mean_of_all", "one mean over everything"),
    (each, "not_summed", "each latent dimension"),
    (lambda mu, lv: each(mu, lv).sum(0), "wrong_dimension", "sum over the observations"),
    (lambda mu, lv: each(mu, lv).mean(0), "wrong_dimension", "average over the observations"),
    (lambda mu, lv: each(mu, lv).sum(1, keepdim=True), "shape", "one too many"),
    (lambda mu, lv: each(mu, lv).sum(1)[:, None] + 0 * mu[:, 0], "shape", "grew to (B, B)"),
    # two mistakes
    (lambda mu, lv: each(mu, 2 * lv).mean(1), "deviation", "second mistake"),
    (lambda mu, lv: 2 * each(mu, lv).mean(), "mean_of_all", "second mistake"),
    # estimates, graphs, limits
    (by_monte_carlo, "sampled", "closed form exists"),
    (by_monte_carlo_of_its_own, "sampled", "Two calls"),
    (by_seeded_monte_carlo, "sampled", "even if a fixed seed"),
    (squares_in_place, "changed_input", "changes the tensors"),
    (exponential_in_place, "in_place", "changed in place"),
    (without_a_graph, "no_gradient", "cut from the graph"),
    (half_without_a_graph, "gradient", "gradients at μ and `log_var` are not"),
    (goes_backward, "backward", "Return the value"),
    (summed(lambda mu, lv: each(mu, lv).clamp(min=0.02)), "limited", "Free bits"),
    (lambda mu, lv: by_the_formula(mu, lv).clamp(min=0.3), "limited", "Free bits"),
    (lambda mu, lv: by_the_formula(mu, lv.clamp(-4, 4)), "limited", "None belongs there"),
    (lambda mu, lv: by_the_formula(mu, (lv.exp() + 1e-4).log()), "limited", "cut off"),
    (summed(lambda mu, lv: 0.5 * (mu**2 + detour(lv.exp()) - 1 - lv)), "tails", "fewer detours"),
    (RemembersTheOrder(by_the_formula, 0), "order", "in another order"),
    # in no table
    (summed(lambda mu, lv: 3 * each(mu, lv)), "scale", "3 times"),
    (summed(lambda mu, lv: 0.5 * (mu**4 + lv.exp() - 1 - lv)), "mean_term", "and μ does not"),
    (summed(lambda mu, lv: 0.5 * (mu**2 + lv**2)), "variance_term", "and σ does not"),
    (summed(lambda mu, lv: mu**4 + lv**2), "value", "Try it by hand"),
    (summed(lambda mu, lv: mu**4 + lv**2 + 1), "value", "not 0 where q is the prior"),
]


@pytest.mark.parametrize("kl, kind, phrase", KL_WRONG, ids=named(KL_WRONG))
def test_a_wrong_kl_is_called_by_name(kl, kind, phrase):
    feedback = judged(check_gaussian_kl, kl)
    assert (feedback.ok, feedback.kind) == (False, kind), feedback
    assert phrase in feedback.message


# The bound, right


def draw(mu, log_var, eps):
    return mu + (log_var / 2).exp() * eps


def by_the_closed_kl(model, x, mu, log_var, eps):
    z = draw(mu, log_var, eps)
    return model.log_likelihood(x, z).mean(0) + 0.5 * (1 + log_var - mu**2 - log_var.exp()).sum(1)


def by_densities(model, x, mu, log_var, eps):
    q = Independent(Normal(mu, (log_var / 2).exp()), 1)
    z = q.mean + q.stddev * eps
    return (model.log_likelihood(x, z) + model.log_prior(z) - q.log_prob(z)).mean(0)


def by_the_entropy(model, x, mu, log_var, eps):
    z = draw(mu, log_var, eps)
    entropy = Normal(mu, (log_var / 2).exp()).entropy().sum(-1)
    return (model.log_likelihood(x, z) + model.log_prior(z)).mean(0) + entropy


def by_the_mean_log_prior(model, x, mu, log_var, eps):
    z = draw(mu, log_var, eps)
    log_prior = -0.5 * (mu**2 + log_var.exp() + math.log(2 * math.pi)).sum(-1)
    log_q = Normal(mu, (log_var / 2).exp()).log_prob(z).sum(-1)
    return (model.log_likelihood(x, z) - log_q).mean(0) + log_prior


def exactly(model, x, mu, log_var, eps):
    return exact_elbo(model, x, mu, log_var)


def by_the_gap(model, x, mu, log_var, eps):
    return model.log_evidence(x) - kl_to_posterior(model, x, mu, log_var)


def by_a_sampled_gap(model, x, mu, log_var, eps):
    z = draw(mu, log_var, eps)
    mean, cov = model.posterior(x)
    log_q = Normal(mu, (log_var / 2).exp()).log_prob(z).sum(-1)
    return model.log_evidence(x) - (log_q - MultivariateNormal(mean, cov).log_prob(z)).mean(0)


def by_full_densities(model, x, mu, log_var, eps):
    q = MultivariateNormal(mu, scale_tril=torch.diag_embed((log_var / 2).exp()))
    z = draw(mu, log_var, eps)
    return (model.log_likelihood(x, z) + model.log_prior(z)).mean(dim=0) - q.log_prob(z).mean(dim=0)


def by_the_noise(model, x, mu, log_var, eps):
    """log q(z|x) = log N(ε; 0, I) − Σ log σ."""
    z = draw(mu, log_var, eps)
    log_q = model.log_prior(eps) - 0.5 * log_var.sum(-1)
    return (model.log_likelihood(x, z) + model.log_prior(z) - log_q).mean(0)


def by_own_densities(model, x, mu, log_var, eps):
    z = draw(mu, log_var, eps)
    centre = torch.einsum("kbd,nd->kbn", z, model.weight) + model.bias
    log_x = -0.5 * ((x - centre) / model.std) ** 2 - math.log(model.std) - 0.5 * math.log(2 * math.pi)
    return log_x.sum(-1).mean(0) - gaussian_kl(mu, log_var)


def sample_by_sample(model, x, mu, log_var, eps):
    total = 0.0
    for noise in eps:
        total = total + by_the_closed_kl(model, x, mu, log_var, noise[None])
    return total / len(eps)


def image_by_image(model, x, mu, log_var, eps):
    rows = [
        by_densities(model, x[i : i + 1], mu[i : i + 1], log_var[i : i + 1], eps[:, i : i + 1])
        for i in range(len(x))
    ]
    return torch.cat(rows)


def exact_and_sampled(model, x, mu, log_var, eps):
    """The mean of log p(x|z) exactly, the KL from samples."""
    z = draw(mu, log_var, eps)
    log_q = Normal(mu, (log_var / 2).exp()).log_prob(z).sum(-1)
    return exact_elbo(model, x, mu, log_var) + gaussian_kl(mu, log_var) + (model.log_prior(z) - log_q).mean(0)


def elbo_in_double(model, x, mu, log_var, eps):
    z = draw(mu, log_var, eps)
    r = model.log_likelihood(x, z).double()
    return r.mean(0) - in_double(mu, log_var)


def elbo_in_double_and_back(model, x, mu, log_var, eps):
    return elbo_in_double(model, x, mu, log_var, eps).to(x.dtype)


def elbo_shuffled(model, x, mu, log_var, eps):
    order = torch.randperm(len(x))
    return by_densities(model, x[order], mu[order], log_var[order], eps[:, order])[order.argsort()]


class BoundAsAClass:
    def __call__(self, model, x, mu, log_var, eps):
        return by_densities(model, x, mu, log_var, eps)


def with_a_weight(beta, model, x, mu, log_var, eps):
    return model.log_likelihood(x, draw(mu, log_var, eps)).mean(0) - beta * gaussian_kl(mu, log_var)


ELBO_RIGHT = [
    by_the_closed_kl,
    by_densities,
    by_the_entropy,
    by_the_mean_log_prior,
    exactly,
    by_the_gap,
    by_a_sampled_gap,
    by_full_densities,
    by_the_noise,
    by_own_densities,
    sample_by_sample,
    image_by_image,
    exact_and_sampled,
    elbo_in_double,
    elbo_in_double_and_back,
    elbo_shuffled,
    BoundAsAClass(),
    functools.partial(with_a_weight, 1.0),
]


@pytest.mark.parametrize("elbo", ELBO_RIGHT)
def test_a_right_bound_passes(elbo, dtype):
    feedback = check_elbo(elbo)
    assert (feedback.ok, feedback.kind) == (True, "right"), feedback


@pytest.mark.parametrize(
    "elbo, phrase",
    [
        (by_densities, "from the same samples"),
        (by_the_entropy, "entropy of q exactly"),
        (by_the_mean_log_prior, "mean of log p(z) exactly"),
        (exactly, "where this linear model allows it"),
        (by_the_gap, "where this linear model allows it"),
    ],
)
def test_a_right_bound_is_told_which_way_it_took(elbo, phrase):
    assert phrase in check_elbo(elbo).message
    assert "A remark" not in check_elbo(by_the_closed_kl).message


# … right, with a remark


def elbo_mirrored(model, x, mu, log_var, eps):
    return by_densities(model, x, mu, log_var, -eps)


def antithetic(model, x, mu, log_var, eps):
    both = [by_the_closed_kl(model, x, mu, log_var, sign * eps) for sign in (1, -1)]
    return (both[0] + both[1]) / 2


def path_gradient(model, x, mu, log_var, eps):
    z = draw(mu, log_var, eps)
    log_q = Normal(mu.detach(), (log_var.detach() / 2).exp()).log_prob(z).sum(-1)
    return (model.log_likelihood(x, z) + model.log_prior(z) - log_q).mean(0)


def elbo_with_its_own_dtype(model, x, mu, log_var, eps):
    return by_the_closed_kl(model, x, mu, log_var, eps @ torch.eye(eps.shape[-1]))


ELBO_REMARKS = [
    (elbo_mirrored, "mirrored", "symmetric"),
    (lambda m, x, mu, lv, e: by_the_closed_kl(m, x, mu, lv, -e), "mirrored", "subtract σ·ε"),
    (antithetic, "antithetic", "both signs"),
    (path_gradient, "path_gradient", "where q is the posterior"),
    (elbo_with_its_own_dtype, "dtype", "follow the input"),
]


@pytest.mark.parametrize("elbo, kind, phrase", ELBO_REMARKS, ids=named(ELBO_REMARKS))
def test_a_bound_passes_with_a_remark(elbo, kind, phrase, dtype):
    feedback = check_elbo(elbo)
    assert (feedback.ok, feedback.kind) == (True, kind), feedback
    assert phrase in feedback.message


# … wrong


def closed(sample=draw, likelihood=None, kl=gaussian_kl, total=None):
    """The bound with a closed KL and one part or more replaced."""

    def my_elbo(model, x, mu, log_var, eps):
        z = sample(mu, log_var, eps)
        r = (likelihood or (lambda model, x, z: model.log_likelihood(x, z)))(model, x, z)
        return (total or (lambda r, k: (r - k).mean(0)))(r, kl(mu, log_var))

    return my_elbo


def sampled(log_q=None, log_p=None, total=None, sample=draw):
    """The bound from three densities, with one part or more replaced; `log_q(mu, log_var, z, eps)` and so on."""

    def my_elbo(model, x, mu, log_var, eps):
        z = sample(mu, log_var, eps)
        q = (log_q or (lambda mu, lv, z, eps: normal(mu, lv, z)))(mu, log_var, z, eps)
        p = (log_p or (lambda model, mu, lv, z, eps: model.log_prior(z)))(model, mu, log_var, z, eps)
        r = model.log_likelihood(x, z)
        return (total or (lambda r, p, q: (r + p - q).mean(0)))(r, p, q)

    return my_elbo


def normal(mu, log_var, z):
    return Normal(mu, (log_var / 2).exp()).log_prob(z).sum(-1)


def entropic(sign=1.0, entropy=lambda lv: 0.5 * (1 + math.log(2 * math.pi) + lv).sum(-1), prior=True):
    def my_elbo(model, x, mu, log_var, eps):
        z = draw(mu, log_var, eps)
        r = model.log_likelihood(x, z) + (model.log_prior(z) if prior else 0)
        return r.mean(0) + sign * entropy(log_var)

    return my_elbo


def squared_errors(model, x, z):
    return (x - z @ model.weight.T - model.bias).square().sum(-1)


def the_evidence(model, x, mu, log_var, eps):
    return model.log_evidence(x) + 0 * mu.sum(1)


def the_evidence_alone(model, x, mu, log_var, eps):
    return model.log_evidence(x)


def evidence_minus_kl(model, x, mu, log_var, eps):
    return model.log_evidence(x) - gaussian_kl(mu, log_var)


def evidence_plus_gap(model, x, mu, log_var, eps):
    return model.log_evidence(x) + kl_to_posterior(model, x, mu, log_var)


def the_gap(model, x, mu, log_var, eps):
    return kl_to_posterior(model, x, mu, log_var)


def from_the_posterior(root):
    def my_elbo(model, x, mu, log_var, eps):
        mean, cov = model.posterior(x)
        z = mean + eps @ root(cov).T
        return model.log_likelihood(x, z).mean(0) - gaussian_kl(mu, log_var)

    return my_elbo


def kl_to_the_wrong_one(model, x, mu, log_var, eps):
    return model.log_likelihood(x, draw(mu, log_var, eps)).mean(0) - kl_to_posterior(model, x, mu, log_var)


def with_own_noise(model, x, mu, log_var, eps):
    return by_densities(model, x, mu, log_var, torch.randn_like(eps))


def z_takes_the_name_of_mu(model, x, mu, log_var, eps):
    mu = mu + (log_var / 2).exp() * eps
    return (model.log_likelihood(x, mu) - gaussian_each(mu, log_var).sum(-1)).mean(0)


def gaussian_each(mu, log_var):
    return 0.5 * (mu**2 + log_var.exp() - 1 - log_var)


def elbo_without_a_graph(model, x, mu, log_var, eps):
    with torch.no_grad():
        return by_the_closed_kl(model, x, mu, log_var, eps)


def elbo_changes_eps(model, x, mu, log_var, eps):
    eps *= (log_var / 2).exp().detach()
    return by_the_closed_kl(model, x, mu, log_var, eps)


def elbo_changes_the_model(model, x, mu, log_var, eps):
    model.bias.zero_()
    return by_the_closed_kl(model, x, mu, log_var, eps)


def elbo_goes_backward(model, x, mu, log_var, eps):
    value = by_the_closed_kl(model, x, mu, log_var, eps)
    value.sum().backward()
    return value


def half_a_graph(model, x, mu, log_var, eps):
    z = draw(mu, log_var, eps)
    z = torch.cat([z[..., :1].detach(), z[..., 1:]], -1)
    return model.log_likelihood(x, z).mean(0) - gaussian_kl(mu, log_var)


def iwae(w):
    return w.logsumexp(0) - math.log(len(w))


ELBO_WRONG = [
    # z
    (closed(lambda mu, lv, eps: mu.expand_as(eps)), "no_expectation", "no expectation is taken"),
    (sampled(sample=lambda mu, lv, eps: mu.expand_as(eps)), "no_expectation", "no expectation is taken"),
    (closed(lambda mu, lv, eps: eps), "prior", "error of the survey article"),
    (sampled(sample=lambda mu, lv, eps: eps), "prior", "error of the survey article"),
    (
        closed(lambda mu, lv, eps: mu + lv.exp() * eps),
        "variance_for_deviation",
        "multiplied by the variance",
    ),
    (
        sampled(sample=lambda mu, lv, eps: mu + lv.exp() * eps),
        "variance_for_deviation",
        "multiplied by the variance",
    ),
    (closed(lambda mu, lv, eps: mu + lv * eps), "log_for_deviation", "`log_var` itself"),
    (closed(lambda mu, lv, eps: mu + lv / 2 * eps), "log_for_deviation", "by log σ"),
    (closed(lambda mu, lv, eps: mu + eps), "unit_deviation", "standard deviation 1"),
    (closed(lambda mu, lv, eps: mu + 0.5 * lv.exp() * eps), "half_variance", "half the variance"),
    (closed(lambda mu, lv, eps: mu + (-lv / 2).exp() * eps), "inverse_deviation", "divided by σ"),
    (closed(lambda mu, lv, eps: (lv / 2).exp() * eps), "no_mean", "Where does μ"),
    (
        closed(lambda mu, lv, eps: (mu + (lv / 2).exp()).expand_as(eps)),
        "no_noise",
        "same shift every time",
    ),
    (closed(lambda mu, lv, eps: (mu + (lv / 2).exp()) * eps), "brackets", "multiplies μ too"),
    (closed(lambda mu, lv, eps: mu * eps + (lv / 2).exp()), "exchanged_roles", "changed places"),
    (closed(lambda mu, lv, eps: draw(mu, lv, eps[:1])), "one_sample", "Only the first"),
    (sampled(sample=lambda mu, lv, eps: draw(mu, lv, eps[:1])), "one_sample", "Only the first"),
    (closed(lambda mu, lv, eps: draw(mu, lv, eps[0]).expand_as(eps)), "one_sample", "Only the first"),
    (closed(lambda mu, lv, eps: draw(mu, lv, eps[-1:])), "one_sample", "Only the last"),
    (closed(lambda mu, lv, eps: draw(mu, lv, eps[:, :1])), "one_noise_for_all", "noise of its own"),
    (closed(lambda mu, lv, eps: draw(mu, lv, eps.mean(0, keepdim=True))), "averaged_noise", "almost μ"),
    (from_the_posterior(torch.linalg.cholesky), "posterior", "model's own posterior"),
    (from_the_posterior(lambda cov: cov.diagonal().sqrt().diag()), "posterior", "model's own posterior"),
    (closed(lambda mu, lv, eps: draw(mu, lv, eps).detach()), "detached", "z is cut from the graph"),
    (
        closed(lambda mu, lv, eps: mu + ((lv / 2).exp() * eps).detach()),
        "detached_deviation",
        "σ is cut from the graph",
    ),
    (
        sampled(sample=lambda mu, lv, eps: mu + ((lv / 2).exp() * eps).detach()),
        "detached_deviation",
        "σ is cut from the graph",
    ),
    (closed(lambda mu, lv, eps: draw(mu.detach(), lv, eps)), "detached_mean", "μ is cut from the graph"),
    # log p(x|z)
    (
        closed(likelihood=lambda m, x, z: m.log_likelihood(x, z) / x.shape[1]),
        "dimension_mean",
        "mean over the D numbers",
    ),
    (
        closed(likelihood=lambda m, x, z: m.log_likelihood(x, z).mean(1, keepdim=True)),
        "batch_average",
        "over the K samples",
    ),
    (closed(likelihood=lambda m, x, z: -squared_errors(m, x, z)), "squares", "How wide is p(x|z)"),
    (closed(likelihood=lambda m, x, z: -0.5 * squared_errors(m, x, z)), "squares", "standard deviation"),
    (
        closed(likelihood=lambda m, x, z: -squared_errors(m, x, z) / x.shape[1]),
        "squares",
        "standard deviation",
    ),
    (closed(likelihood=lambda m, x, z: -squared_errors(m, x, z) / m.std**2), "squares", "How wide"),
    (closed(likelihood=lambda m, x, z: -squared_errors(m, x, z) / (2 * m.std)), "squares", "How wide"),
    # the KL, in closed form or from densities
    (closed(kl=lambda mu, lv: 2 * gaussian_kl(mu, lv)), "kl_half", "a ½ is missing"),
    (closed(kl=lambda mu, lv: gaussian_kl(mu, lv) / 2), "kl_half_twice", "half as large"),
    (closed(kl=lambda mu, lv: gaussian_each(mu, lv).mean(1)), "kl_mean", "d times too little"),
    (
        sampled(
            lambda mu, lv, z, eps: Normal(mu, (lv / 2).exp()).log_prob(z).mean(-1),
            lambda model, mu, lv, z, eps: Normal(torch.zeros_like(z), 1.0).log_prob(z).mean(-1),
        ),
        "kl_mean",
        "d times too little",
    ),
    (closed(kl=lambda mu, lv: gaussian_kl(mu, lv).mean()), "kl_batch_mean", "averaged over the batch"),
    (closed(kl=lambda mu, lv: gaussian_each(mu, lv).mean()), "kl_batch_mean", "averaged over the batch"),
    (closed(kl=lambda mu, lv: gaussian_kl(mu, lv).sum()), "kl_batch_sum", "summed over the batch"),
    (closed(kl=lambda mu, lv: gaussian_kl(mu, 2 * lv)), "kl_deviation", "as log σ"),
    (closed(kl=lambda mu, lv: gaussian_kl(mu, lv / 2)), "kl_root", "log σ² already"),
    (
        closed(kl=lambda mu, lv: kl_divergence(Normal(0.0, 1.0), Normal(mu, (lv / 2).exp())).sum(1)),
        "kl_reversed",
        "KL(p‖q)",
    ),
    (closed(kl=lambda mu, lv: gaussian_kl(0 * mu, lv)), "kl_no_mean", "forgets μ"),
    (closed(kl=lambda mu, lv: 0.5 * mu.square().sum(1)), "kl_no_variance", "only counts μ"),
    (kl_to_the_wrong_one, "kl_to_posterior", "before x was seen"),
    (z_takes_the_name_of_mu, "kl_of_z", "turned it into z"),
    (closed(kl=lambda mu, lv: gaussian_kl(mu, lv).detach()), "kl_detached", "KL is cut from the graph"),
    (sampled(total=lambda r, p, q: (r + p).mean(0)), "no_log_q", "own density is missing"),
    (
        closed(kl=lambda mu, lv: 0.5 * (mu**2 + lv.exp() + math.log(2 * math.pi)).sum(1)),
        "no_log_q",
        "a q that is one point",
    ),
    (sampled(total=lambda r, p, q: (r - q).mean(0)), "no_prior", "prior is missing"),
    (entropic(prior=False), "no_prior", "prior is missing"),
    (entropic(sign=-1), "entropy_sign", "wrong sign"),
    (sampled(total=lambda r, p, q: (r + p + q).mean(0)), "entropy_sign", "wrong sign"),
    (
        closed(
            kl=lambda mu, lv: (
                0.5 * (mu**2 + lv.exp() + math.log(2 * math.pi)).sum(1)
                + Normal(mu, (lv / 2).exp()).entropy().sum(1)
            )
        ),
        "entropy_sign",
        "wrong sign",
    ),
    (sampled(lambda mu, lv, z, eps: normal(mu, lv, mu)), "q_place", "one and the same z"),
    (sampled(lambda mu, lv, z, eps: normal(mu, lv, eps)), "q_place", "one and the same z"),
    (
        sampled(lambda mu, lv, z, eps: Normal(torch.zeros_like(z), 1.0).log_prob(eps).sum(-1)),
        "q_of_noise",
        "density of the noise",
    ),
    (sampled(log_p=lambda model, mu, lv, z, eps: model.log_prior(mu)), "prior_place", "log p(z) is eval"),
    (sampled(log_p=lambda model, mu, lv, z, eps: model.log_prior(eps)), "prior_place", "log p(z) is eval"),
    (
        sampled(
            lambda mu, lv, z, eps: -Normal(mu, (lv / 2).exp()).entropy().sum(-1),
            lambda model, mu, lv, z, eps: model.log_prior(mu),
        ),
        "prior_place",
        "sampled from q",
    ),
    (
        sampled(lambda mu, lv, z, eps: Normal(mu, lv.exp()).log_prob(z).sum(-1)),
        "q_variance",
        "Which of the two does `Normal` take",
    ),
    (
        sampled(lambda mu, lv, z, eps: gaussian_kl(mu, lv)),
        "prior_twice",
        "counted twice",
    ),
    (
        closed(kl=lambda mu, lv: gaussian_kl(mu, lv) - Normal(mu, (lv / 2).exp()).entropy().sum(1)),
        "entropy_twice",
        "entropy of q is counted twice",
    ),
    # their sum
    (closed(total=lambda r, k: (r + k).mean(0)), "kl_added", "may rise above log p(x)"),
    (sampled(total=lambda r, p, q: (r + q - p).mean(0)), "kl_added", "order of the two logarithms"),
    (closed(total=lambda r, k: r.mean(0)), "kl_missing", "autoencoder with noise"),
    (closed(total=lambda r, k: -k), "reconstruction_missing", "data are missing"),
    (closed(total=lambda r, k: -r.mean(0) - k), "reconstruction_sign", "log p(x|z) has the wrong sign"),
    (the_evidence, "evidence", "log p(x) itself"),
    (the_evidence_alone, "evidence", "log p(x) itself"),
    (evidence_minus_kl, "evidence_minus_kl", "for the gap to close"),
    (evidence_plus_gap, "gap_sign", "A lower bound lies below"),
    (the_gap, "gap", "That is the gap"),
    # the mean over samples
    (closed(total=lambda r, k: (r - k).sum(0)), "sum_of_samples", "your bound grows with K"),
    (closed(total=lambda r, k: r.sum(0) - k), "sum_of_samples", "log p(x|z) grows with K"),
    (
        sampled(total=lambda r, p, q: r.mean(0) + (p - q).sum(0)),
        "sum_of_samples",
        "the KL grows with K",
    ),
    (sampled(total=lambda r, p, q: iwae(r + p - q)), "log_mean_exp", "importance-weighted bound"),
    (
        sampled(total=lambda r, p, q: (r + p - q).exp().mean(0).log()),
        "log_mean_exp",
        "larger, another bound",
    ),
    (closed(total=lambda r, k: iwae(r) - k), "log_mean_exp", "where the mean of logarithms belongs"),
    (sampled(total=lambda r, p, q: iwae(r) + (p - q).mean(0)), "log_mean_exp", "logarithm of a mean"),
    (sampled(total=lambda r, p, q: (r + p - q).logsumexp(0)), "log_sum_exp", "grows by log K"),
    (sampled(total=lambda r, p, q: (r + p - q).max(0).values), "best_sample", "best of the K"),
    # the result
    (closed(total=lambda r, k: (k - r).mean(0)), "negative", "That is −ELBO"),
    (lambda *a: -exactly(*a), "negative", "That is −ELBO"),
    (lambda *a: exactly(*a).mean().expand(len(a[1])), "batch_mean", "Every observation has the same bound"),
    (lambda *a: by_densities(*a) / math.log(2), "bits", "natural logarithms"),
    # constants
    (
        closed(likelihood=lambda m, x, z: -squared_errors(m, x, z) / (2 * m.std**2)),
        "constants",
        "Right gradient, wrong nats",
    ),
    (
        closed(
            likelihood=lambda m, x, z: (
                -squared_errors(m, x, z) / (2 * m.std**2) - x.shape[1] * math.log(m.std)
            )
        ),
        "constants",
        "integrate to 1",
    ),
    (entropic(entropy=lambda lv: 0.5 * lv.sum(-1)), "constants", "Right gradient, wrong nats"),
    (entropic(entropy=lambda lv: 0.5 * (1 + lv).sum(-1)), "constants", "nats"),
    (
        sampled(log_p=lambda model, mu, lv, z, eps: -0.5 * z.square().sum(-1)),
        "constants",
        "Right gradient, wrong nats",
    ),
    (closed(kl=lambda mu, lv: -0.5 * (lv - mu**2 - lv.exp()).sum(1)), "constants", "or of the KL"),
    # two mistakes
    (closed(lambda mu, lv, eps: eps, total=lambda r, k: (r + k).mean(0)), "prior", "second mistake"),
    (
        closed(
            likelihood=lambda m, x, z: m.log_likelihood(x, z) / x.shape[1],
            kl=lambda mu, lv: gaussian_each(mu, lv).mean(1),
        ),
        "dimension_mean",
        "second mistake",
    ),
    # noise, graphs, limits, shapes
    (with_own_noise, "noise", "new noise"),
    (elbo_without_a_graph, "no_gradient", "cut from the graph"),
    (half_a_graph, "gradient", "no longer reaches them"),
    (elbo_changes_eps, "changed_input", "changes the tensors"),
    (elbo_changes_the_model, "changed_input", "changes the tensors"),
    (elbo_goes_backward, "backward", "Return the value"),
    (RemembersTheOrder(by_the_closed_kl, 2), "order", "in another order"),
    (closed(kl=lambda mu, lv: gaussian_kl(mu, lv).clamp(min=0.3)), "limited", "Free bits"),
    (lambda m, x, mu, lv, eps: by_the_closed_kl(m, x, mu, lv.clamp(-4, 4), eps), "limited", "cut off"),
    (lambda *a: by_densities(*a).mean(), "shape", "one number for the whole batch"),
    (closed(total=lambda r, k: r - k), "shape", "number for each sample"),
    (closed(total=lambda r, k: (r - k).mean(1)), "shape", "kept the samples"),
    (closed(total=lambda r, k: (r.mean(0) - k)[:, None]), "shape", "one too many"),
    (closed(total=lambda r, k: r.mean(0)[:, None] - k), "shape", "grew to (B, B)"),
    (
        lambda m, x, mu, lv, eps: (
            m.log_likelihood(x, draw(mu, lv, eps)).mean(0)[:, None] - gaussian_each(mu, lv)
        ),
        "shape",
        "latent dimensions",
    ),
    (lambda *a: (by_densities(*a), gaussian_kl(*a[2:4])), "type", "not its parts"),
    # in no table
    (lambda *a: 3 * by_densities(*a), "scale", "3 times"),
    (closed(kl=lambda mu, lv: (mu.abs() + lv**2).sum(1)), "kl", "leaving the prior"),
    (closed(lambda mu, lv, eps: mu + lv.exp() * eps**3), "reconstruction", "print the z"),
    (
        closed(lambda mu, lv, eps: mu + lv.exp() * eps**3, kl=lambda mu, lv: (mu.abs() + lv**2).sum(1)),
        "value",
        "nor in how it changes",
    ),
    (
        lambda m, x, mu, lv, eps: by_the_closed_kl(m, x + 0.3, mu, lv, eps),
        "reconstruction",
        "a `model.weight` of 0",
    ),
    (lambda m, x, mu, lv, eps: by_densities(m, x, mu, lv, eps[::2]), "some_samples", "3 of the 6 samples"),
    (
        lambda m, x, mu, lv, eps: m.log_likelihood(x, 2 * mu) - (mu.abs() + lv**2).sum(1),
        "noise_unused",
        "does not depend on `eps`",
    ),
]


@pytest.mark.parametrize("elbo, kind, phrase", ELBO_WRONG, ids=named(ELBO_WRONG))
def test_a_wrong_bound_is_called_by_name(elbo, kind, phrase):
    feedback = judged(check_elbo, elbo)
    assert (feedback.ok, feedback.kind) == (False, kind), feedback
    assert phrase in feedback.message


# What can go wrong in any function

BOTH = [(check_gaussian_kl, 2), (check_elbo, 5)]


def never_ends(*_):
    while True:
        time.sleep(0.01)


def stub_kl(mu, log_var):
    return ...


def stub_elbo(model, x, mu, log_var, eps):
    return ...


@pytest.mark.parametrize(
    "check, stub, usage",
    [(check_gaussian_kl, stub_kl, "mu, log_var"), (check_elbo, stub_elbo, "model, x, mu, log_var, eps")],
)
def test_an_untouched_stub_is_no_mistake(check, stub, usage):
    assert check(stub).kind == "stub"
    assert check(...).kind == "stub"
    assert check(stub).verdict == "Not started:"
    feedback = check(lambda: 1)
    assert (feedback.ok, feedback.kind) == (False, "signature")
    assert usage in feedback.message


@pytest.mark.parametrize("check, arguments", BOTH)
@pytest.mark.parametrize(
    "make, kind, phrase",
    [
        (lambda *a: None, "none", "returned None"),
        (lambda *a: 1 / 0, "raised", "ZeroDivisionError"),
        (lambda *a: 1.0, "type", "`float`"),
        (lambda *a: a[-1].sum(-1) * math.nan, "nan", "NaN"),
        (lambda *a: a[-2][:, 0] / 0, "nan", "infinite"),
        (lambda *a: torch.zeros(3, 2, 2), "shape", "(B,) = (5,)"),
    ],
)
def test_what_can_go_wrong_anywhere(check, arguments, make, kind, phrase):
    feedback = check(make)
    assert (feedback.ok, feedback.kind) == (False, kind), feedback
    assert phrase in feedback.message


@pytest.mark.parametrize("check, arguments", BOTH)
def test_an_endless_loop_is_stopped(check, arguments, monkeypatch):
    monkeypatch.setattr(Answer.__init__, "__defaults__", (0.3,))
    feedback = check(never_ends)
    assert (feedback.ok, feedback.kind) == (False, "slow")


# The order of the rows


@pytest.mark.parametrize(
    "name, check, answers",
    [("_kl_case", check_gaussian_kl, KL_RIGHT), ("_elbo_case", check_elbo, ELBO_RIGHT)],
)
def test_a_right_answer_passes_whatever_the_order_of_the_batch(name, check, answers, dtype, monkeypatch):
    make = getattr(checks, name)

    def permuted(batch, *sizes):
        return make(batch, *sizes).permuted(torch.randperm(batch))

    monkeypatch.setattr(checks, name, permuted)
    for answer in answers:
        assert check(answer).kind == "right", answer


def test_no_verdict_hangs_on_the_seed_of_the_check(monkeypatch):
    seed = torch.manual_seed
    monkeypatch.setattr(torch, "manual_seed", lambda number: seed(number + 231))
    for check, answers in ((check_gaussian_kl, KL_RIGHT), (check_elbo, ELBO_RIGHT)):
        for answer in answers:
            assert check(answer).kind == "right", answer
    for check, rows in (
        (check_gaussian_kl, KL_REMARKS + KL_WRONG),
        (check_elbo, ELBO_REMARKS + ELBO_WRONG),
    ):
        for answer, kind, _ in rows:
            feedback = check(answer)
            assert feedback.kind == kind, (kind, feedback)


# The tables, and what the checks leave alone


@pytest.mark.parametrize("tables, rows", [(checks.KL_TABLES, KL_WRONG), (checks.ELBO_TABLES, ELBO_WRONG)])
def test_every_row_of_the_tables_has_its_wrong_answer(tables, rows):
    asked = {kind for _, kind, _ in rows}
    assert {part.kind for table in tables for part in table if not part.ok} <= asked


@pytest.mark.parametrize("which", ["kl", "kl of wide q", "elbo"])
def test_no_two_parts_can_be_taken_for_each_other(which, dtype):
    torch.manual_seed(11)
    if which == "elbo":
        tables, value_of = checks.ELBO_TABLES, checks._elbo_value
        cases = [checks._elbo_case(*sizes) for sizes in checks.ELBO_SIZES]
    else:
        tables, value_of = (checks.TERMS, checks.FACTORS, checks.REDUCTIONS[:2]), checks._kl_value
        cases = [checks._kl_case(*sizes) for sizes in checks.KL_SIZES]
    if which == "kl":  # a negative logarithm is no variance
        tables = ([part for part in checks.TERMS if part.kind != "not_a_logarithm"], *tables[1:])
    if which == "kl of wide q":
        cases = [case._replace(log_var=case.log_var.abs()) for case in cases]
    singles = [
        tuple(part if i == place else table[0] for i, table in enumerate(tables))
        for place in range(len(tables))
        for part in tables[place][1:]
    ] + [tuple(table[0] for table in tables)]
    seen = [[checks._ours(parts, value_of, case) for case in cases] for parts in singles]

    def apart(one, two):
        scale = torch.minimum(one.abs().max(), two.abs().max())
        return ((one - two).abs().max() / scale).item()

    for (a, first), (b, second) in itertools.combinations(zip(singles, seen, strict=True), 2):
        if [part.kind for part in a] == [part.kind for part in b]:
            continue  # two ways to make one mistake
        furthest = max(
            max(apart(one.value, two.value), apart(one.gradient, two.gradient))
            for one, two in zip(first, second, strict=True)
        )
        assert furthest > 10 * checks.SAME, ([p.kind for p in a], [p.kind for p in b], furthest)


def test_inputs_are_designed_to_separate(dtype):
    torch.manual_seed(11)
    for sizes in (*checks.KL_SIZES, *checks.ELBO_SIZES):
        assert len(set(sizes)) == len(sizes) and min(sizes) >= 3
    cases = [checks._kl_case(*sizes) for sizes in checks.KL_SIZES]
    cases += [checks._elbo_case(*sizes) for sizes in checks.ELBO_SIZES]
    for case in cases:
        for given in (case.mu, case.log_var):
            assert given.dtype == dtype
            assert given.abs().min() > 0.4
            assert (given > 0).any() and (given < 0).any()
    for case in cases[2:]:
        assert case.model.std != 1
        assert not torch.allclose(case.model.weight[:3, :3], case.model.weight[:3, :3].T)


def test_the_reference_is_the_exact_bound():
    """Against the closed form, an oracle of its own, from many samples in float64; and the gap to log p(x) is a KL."""
    torch.manual_seed(3)
    case = checks._elbo_case(*checks.ELBO_SIZES[0]).to(torch.float64)
    case = case._replace(eps=torch.randn(20_000, *case.mu.shape, dtype=torch.float64))
    exact = by_the_gap(*case)
    torch.testing.assert_close(exact, exact_elbo(*case[:4]))
    for parts in checks._right_choices():
        torch.testing.assert_close(checks._elbo_value(parts, case), exact, rtol=0.02, atol=0.1)
    best = tuple(table[0] for table in checks.KL_TABLES)
    torch.testing.assert_close(
        checks._kl_value(best, checks.KLCase(case.mu, case.log_var)), by_distributions(case.mu, case.log_var)
    )


def test_the_input_of_a_call_is_a_copy():
    torch.manual_seed(11)
    case = checks._elbo_case(*checks.ELBO_SIZES[0])
    kept = copy.deepcopy(case)

    def vandal(model, x, mu, log_var, eps):
        value = by_the_closed_kl(model, x, mu, log_var, eps)
        model.weight.zero_()
        eps.zero_()
        return value

    with pytest.raises(Mistake) as found:
        checks._ask(Answer(vandal, "my_elbo(model, x, mu, log_var, eps)"), case)
    assert found.value.feedback.kind == "changed_input"
    assert all(map(torch.equal, case.tensors(), kept.tensors()))


def test_the_same_answer_gets_the_same_feedback():
    torch.manual_seed(1)
    first = check_elbo(by_densities), check_gaussian_kl(with_a_small_constant)
    torch.manual_seed(2)
    assert (check_elbo(by_densities), check_gaussian_kl(with_a_small_constant)) == first


def test_a_notebook_in_no_grad_mode_gets_the_same_answer():
    with torch.no_grad():
        assert check_gaussian_kl(by_the_formula).kind == "right"
        assert check_elbo(by_densities).kind == "right"


def test_the_solutions_in_the_notebook_pass():
    names = folded_solutions("10_elbo", torch=torch, gaussian_kl=gaussian_kl)
    assert check_gaussian_kl(names["my_gaussian_kl"]).kind == "right"
    assert check_elbo(names["my_elbo"]).kind == "right"


# What a message may say


def every_message():
    for table in (*checks.KL_TABLES, *checks.ELBO_TABLES):
        for part in table:
            if part.message:
                yield part.message
    for check, rows in ((check_gaussian_kl, KL_WRONG), (check_elbo, ELBO_WRONG)):
        for answer, _, _ in rows:
            yield judged(check, answer).message


SOLUTIONS = [
    "1+log_var-",
    "1+logσ²-",
    "μ²+σ²",
    "σ²+μ²",
    "mu**2",
    ".exp()",
    "exp(",
    "expm1",
    "log_var/2",
    "0.5*",
    "z=μ+σ",
    "mu+",
    "μ+σ·ε",
    "logp(x|z)-kl",
    "logp(x,z)-logq",
    "logp(z)-logq",
    ".mean(0)",
    "sum(1)",
]


def test_no_message_gives_the_answer_away():
    for message in every_message():
        plain = message.lower().replace(" ", "").replace("−", "-")
        assert not [solution for solution in SOLUTIONS if solution in plain], message
        assert len(message) < 420, message
