"""The checks of notebook 10: every right way to write a KL or a bound passes, a wrong one is called by name."""

import functools
import math

import pytest
import torch
from answers import folded_solutions, tests_of
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from helpers.checks.nb10_elbo import ELBO, KL, check_elbo, check_gaussian_kl
from helpers.feedback import choices
from helpers.feedback.probes import in_dtype
from helpers.theory import exact_elbo, kl_to_posterior
from helpers.vae import gaussian_kl

# The KL


def each(mu, lv):
    return -0.5 * (1 + lv - mu**2 - lv.exp())


def summed(formula):
    return lambda mu, lv: formula(mu, lv).sum(1)


by_the_formula = summed(each)


def by_independent_distributions(mu, log_var):
    q = Independent(Normal(mu, log_var.exp().sqrt()), 1)
    return kl_divergence(q, Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1))


def by_full_gaussians(mu, log_var):
    d = mu.shape[1]
    q = MultivariateNormal(mu, torch.diag_embed(log_var.exp()))
    return kl_divergence(q, MultivariateNormal(torch.zeros(d, dtype=mu.dtype), torch.eye(d, dtype=mu.dtype)))


def by_cross_entropy(mu, log_var):
    q = Normal(mu, (0.5 * log_var).exp())
    cross_entropy = 0.5 * (mu**2 + log_var.exp() + math.log(2 * math.pi))
    return (cross_entropy - q.entropy()).sum(1)


def by_quadrature(mu, log_var):
    """∫ q log(q/p) on a grid of σ, in float64: an integral where others have a formula."""
    t = torch.linspace(-12, 12, 2001, dtype=torch.float64)[:, None, None]
    z = mu.double() + (log_var.double() / 2).exp() * t
    q = (-0.5 * t**2).exp() / math.sqrt(2 * math.pi)
    return torch.trapezoid(q * 0.5 * (z**2 - t**2 - log_var.double()), t[:, 0, 0], dim=0).sum(-1)


def shuffled(mu, log_var):
    order = torch.randperm(len(mu))
    return by_the_formula(mu[order], log_var[order])[order.argsort()]


class AsAClass:
    def __call__(self, mu, log_var):
        return by_the_formula(mu, log_var)

    def method(self, mu, log_var):
        return by_cross_entropy(mu, log_var)


def with_constants_of_its_own_dtype(mu, log_var):
    # The plain MultivariateNormal KL promotes; a product of matrices does not.
    return by_full_gaussians(mu, log_var) + (mu @ torch.zeros(mu.shape[1], 1))[:, 0]


def by_monte_carlo(mu, log_var, generator=None):
    eps = torch.randn(64, *mu.shape, generator=generator, dtype=mu.dtype)
    z = mu + (log_var / 2).exp() * eps
    return 0.5 * (z**2 - eps**2 - log_var).sum(-1).mean(0)


def by_seeded_monte_carlo(mu, log_var):
    torch.manual_seed(0)
    return by_monte_carlo(mu, log_var)


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


KL_RIGHT = [
    by_the_formula, by_independent_distributions, by_full_gaussians, by_cross_entropy, by_quadrature, shuffled,
    gaussian_kl, AsAClass(), AsAClass().method,
    functools.partial(lambda half, mu, lv: 2 * half * by_the_formula(mu, lv), 0.5),
    summed(lambda mu, lv: -(lv / 2).exp().log() + ((lv / 2).exp() ** 2 + mu**2) / 2 - 0.5),
    lambda mu, lv: (torch.einsum("bd,bd->b", mu, mu) + torch.einsum("bd->b", lv.exp() - lv) - mu.shape[1]) / 2,
    lambda mu, lv: 0.5 * (lv.exp().sum(1) + (mu * mu).sum(1) - mu.shape[1] - lv.exp().log().sum(1)),
    lambda mu, lv: torch.stack([sum(each(*q) for q in zip(*row, strict=True)) for row in zip(mu, lv, strict=True)]),
    lambda mu, lv: kl_divergence(Normal(mu, (lv / 2).exp()), Normal(0.0, 1.0)).sum(-1),
    summed(lambda mu, lv: 0.5 * (torch.expm1(lv) - lv + mu**2)),
    summed(lambda mu, lv: 0.5 * (mu.square() + 1 / torch.exp(-lv) - 1 - lv)),
    summed(lambda mu, lv: each(mu, lv).clamp(min=0)),
    lambda mu, lv: by_the_formula(mu.double(), lv.double()),
    lambda mu, lv: by_the_formula(mu.double(), lv.double()).to(mu.dtype),
    lambda mu, lv: each(mu, lv).mean(1) * mu.shape[1],
    lambda mu, lv: torch.vmap(lambda m, v: each(m, v).sum())(mu, lv),
]  # fmt: skip
KL_REMARKS = [
    (with_constants_of_its_own_dtype, "dtype", "follow the input"),
    (
        summed(lambda mu, lv: 0.5 * (mu**2 + lv.exp() - 1 - (lv.exp() + 1e-8).log())),
        "tails",
        "small constant",
    ),
    (lambda mu, lv: by_the_formula(mu, lv.clamp(-20, 20)), "tails", "cut off"),
    (lambda mu, lv: by_the_formula(mu, lv).detach(), "no_graph", "None is asked for here"),
    (lambda mu, lv: by_the_formula(mu.detach(), lv.detach()).numpy(), "no_graph", "None is asked for here"),
]
KL_WRONG = [
    # by distributions
    (lambda mu, lv: kl_divergence(Normal(mu, lv.exp()), Normal(0.0, 1.0)).sum(1), "deviation", "as log σ"),
    # brackets
    (summed(lambda mu, lv: -0.5 * 1 - lv + mu**2 + lv.exp()), "half_of_one_term", "Check the brackets"),
    # shapes
    (lambda mu, lv: each(mu, lv).sum(1, keepdim=True), "shape", "one too many"),
    # two mistakes
    (lambda mu, lv: each(mu, 2 * lv).mean(1), "deviation", "d times too little"),
    (lambda mu, lv: (mu**2 + lv.exp() - lv).sum(1), "not_zero", "½ in front of the sum is missing"),
    # estimates, graphs, limits
    (by_monte_carlo, "sampled", "closed form exists"),
    (by_seeded_monte_carlo, "sampled", "even if a fixed seed"),
    (lambda mu, lv: each(mu, 2 * lv).sum(1).tolist(), "deviation", "as log σ"),
    (lambda mu, lv: by_the_formula(mu, lv) + (lv - lv.detach()).sum(1), "gradient", "at `log_var` are not"),
    (lambda mu, lv: by_the_formula(mu, lv.clamp(-4, 4)), "limited", "None belongs there"),
    (lambda mu, lv: by_the_formula(mu, (lv.exp() + 1e-4).log()), "limited", "cut off"),
    (summed(lambda mu, lv: 0.5 * (mu**2 + detour(lv.exp()) - 1 - lv)), "tails", "fewer detours"),
    (RemembersTheOrder(by_the_formula, 0), "order", "in another order"),
    # in no table
    (summed(lambda mu, lv: 3 * each(mu, lv)), "scale", "3 times"),
    (summed(lambda mu, lv: 0.5 * (mu**4 + lv.exp() - 1 - lv)), "mean_term", "what μ does. For mu (7, 3)"),
    (summed(lambda mu, lv: 0.5 * (mu**2 + lv**2)), "variance_term", "what σ does"),
    (summed(lambda mu, lv: mu**4 + lv**2), "value", "should be 5.8"),
]  # fmt: skip
test_kl_right, test_kl_remarks, test_kl_wrong = tests_of(check_gaussian_kl, KL_RIGHT, KL_REMARKS, KL_WRONG)


# The bound


def draw(mu, log_var, eps):
    return mu + (log_var / 2).exp() * eps


def normal(mu, log_var, z):
    return Normal(mu, (log_var / 2).exp()).log_prob(z).sum(-1)


def closed(z=draw, likelihood=lambda model, x, z: model.log_likelihood(x, z), kl=gaussian_kl, total=None):
    """The bound with a closed KL, and parts of its own; `total(r, k)` of log p(x|z) (K, B) and the KL."""

    def my_elbo(model, x, mu, log_var, eps):
        r = likelihood(model, x, z(mu, log_var, eps))
        return (total or (lambda r, k: (r - k).mean(0)))(r, kl(mu, log_var))

    return my_elbo


def densities(log_q=lambda mu, lv, z: normal(mu, lv, z), log_p=lambda model, mu, z: model.log_prior(z),
              total=lambda r, p, q: (r + p - q).mean(0), z=draw):  # fmt: skip
    """The bound from three densities at samples z, and parts of its own."""

    def my_elbo(model, x, mu, log_var, eps):
        here = z(mu, log_var, eps)
        return total(model.log_likelihood(x, here), log_p(model, mu, here), log_q(mu, log_var, here))

    return my_elbo


by_the_closed_kl, by_densities = closed(), densities()


def mean_entropy(mu, log_var):
    return Normal(mu, (log_var / 2).exp()).entropy().sum(-1)


def mean_log_prior(model, mu, log_var):
    return -0.5 * (mu**2 + log_var.exp() + math.log(2 * math.pi)).sum(-1)


def by_the_mean_log_prior(model, x, mu, log_var, eps):
    z = draw(mu, log_var, eps)
    return (model.log_likelihood(x, z) - normal(mu, log_var, z)).mean(0) + mean_log_prior(model, mu, log_var)


def exactly(*args):
    return exact_elbo(*args[:4])


def by_the_gap(*args):
    return args[0].log_evidence(args[1]) - kl_to_posterior(*args[:4])


def one_by_one(*args):
    return [by_densities(*args[:4], noise[None]) for noise in args[4]]


def row_after_row(model, x, mu, log_var, eps):
    rows = [slice(i, i + 1) for i in range(len(x))]
    return torch.cat([by_densities(model, x[i], mu[i], log_var[i], eps[:, i]) for i in rows])


def by_a_sampled_gap(model, x, mu, log_var, eps):
    z = draw(mu, log_var, eps)
    posterior = MultivariateNormal(*model.posterior(x))
    return model.log_evidence(x) - (normal(mu, log_var, z) - posterior.log_prob(z)).mean(0)


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
    centre = torch.einsum("kbd,nd->kbn", draw(mu, log_var, eps), model.weight) + model.bias
    log_x = -0.5 * ((x - centre) / model.std) ** 2 - math.log(model.std) - 0.5 * math.log(2 * math.pi)
    return log_x.sum(-1).mean(0) - gaussian_kl(mu, log_var)


def exact_and_sampled(model, x, mu, log_var, eps):
    """The mean of log p(x|z) exactly, the KL from samples."""
    z = draw(mu, log_var, eps)
    sampled_kl = (normal(mu, log_var, z) - model.log_prior(z)).mean(0)
    return exact_elbo(model, x, mu, log_var) + gaussian_kl(mu, log_var) - sampled_kl


def in_double(model, x, mu, log_var, eps):
    r = model.log_likelihood(x, draw(mu, log_var, eps)).double()
    return r.mean(0) - by_the_formula(mu.double(), log_var.double())


def shuffled_bound(model, x, mu, log_var, eps):
    order = torch.randperm(len(x))
    return by_densities(model, x[order], mu[order], log_var[order], eps[:, order])[order.argsort()]


def z_takes_the_name_of_mu(model, x, mu, log_var, eps):
    mu = mu + (log_var / 2).exp() * eps
    return (model.log_likelihood(x, mu) - each(mu, log_var).sum(-1)).mean(0)


def changes_the_model(model, x, mu, log_var, eps):
    model.bias.zero_()
    return by_the_closed_kl(model, x, mu, log_var, eps)


def half_a_graph(mu, log_var, eps):
    z = draw(mu, log_var, eps)
    return torch.cat([z[..., :1].detach(), z[..., 1:]], -1)


def squared_errors(model, x, z):
    return (x - z @ model.weight.T - model.bias).square().sum(-1)


noise_cubed, wrong_kl = (
    (lambda mu, lv, eps: mu + lv.exp() * eps**3),
    (lambda mu, lv: (mu.abs() + lv**2).sum(1)),
)
ELBO_RIGHT = [
    by_the_closed_kl, by_densities, by_the_mean_log_prior, exactly, by_the_gap, by_a_sampled_gap, by_full_densities,
    by_the_noise, by_own_densities, exact_and_sampled, in_double, shuffled_bound,
    densities(log_q=lambda mu, lv, z: -mean_entropy(mu, lv)),
    lambda *a: in_double(*a).to(a[1].dtype),
    lambda *a: sum(one_by_one(*a)) / len(a[4]),
    row_after_row,
    lambda *a: torch.stack(list(by_densities(*a).unbind())),
    functools.partial(lambda beta, m, x, mu, lv, e: exactly(m, x, mu, lv, e) + (1 - beta) * gaussian_kl(mu, lv), 1.0),
]  # fmt: skip
ELBO_REMARKS = [
    (lambda *a: by_densities(*a[:4], -a[4]), "mirrored", "symmetric"),
    (lambda *a: by_the_closed_kl(*a[:4], -a[4]), "mirrored", "subtract σ·ε"),
    (lambda *a: (by_the_closed_kl(*a) + by_the_closed_kl(*a[:4], -a[4])) / 2, "antithetic", "both signs"),
    (
        densities(log_q=lambda mu, lv, z: normal(mu.detach(), lv.detach(), z)),
        "path_gradient",
        "where q is the posterior",
    ),
    (lambda *a: by_the_closed_kl(*a[:4], a[4] @ torch.eye(a[4].shape[-1])), "dtype", "follow the input"),
]
ELBO_WRONG = [
    # z, log p(x|z)
    (lambda *a: one_by_one(*a)[-1], "one_sample", "Only the last"),
    # the KL, in closed form or from densities
    (z_takes_the_name_of_mu, "kl_of_z", "turned it into z"),
    (closed(kl=lambda mu, lv: mean_entropy(mu, lv) - mean_log_prior(None, mu, lv)), "entropy_sign", "same sign"),
    (densities(total=lambda r, p, q: (r - p - q).mean(0)), "prior_sign", "same sign"),
    (densities(lambda mu, lv, z: gaussian_kl(mu, lv)), "prior_twice", "counted twice"),
    # their sum, the mean over samples, the result
    (densities(total=lambda r, p, q: r.mean(0) + (p - q).sum(0)), "sum_of_samples", "the KL grows with K"),
    # constants
    (closed(likelihood=lambda m, x, z: -squared_errors(m, x, z) / (2 * m.std**2)), "constants", "Right gradient"),
    # two mistakes
    (closed(lambda mu, lv, eps: eps, total=lambda r, k: (r + k).mean(0)), "prior", "may rise above log p(x)"),
    (closed(lambda mu, lv, eps: mu + lv.exp() * eps, kl=lambda mu, lv: gaussian_kl(mu, 2 * lv)),
        "variance_for_deviation", "reads `log_var` as log σ"),
    (densities(total=lambda r, p, q: (r + p).logsumexp(0)), "no_log_q", "logarithm of a sum"),
    # graphs, limits, types, shapes
    (lambda *a: by_the_closed_kl(*a).detach(), "no_gradient", "cut from the graph"),
    (closed(half_a_graph), "gradient", "`mu` and `log_var`"),
    (changes_the_model, "changed_input", "`model`"),
    (RemembersTheOrder(by_the_closed_kl, 2), "order", "in another order"),
    (closed(kl=lambda mu, lv: gaussian_kl(mu, lv).clamp(min=0.3)), "limited", "Free bits"),
    (lambda m, x, mu, lv, eps: by_the_closed_kl(m, x, mu, lv.clamp(-4, 4), eps), "limited", "cut off"),
    (closed(total=lambda r, k: r - k), "shape", "number for each sample"),
    (lambda *a: (by_densities(*a), gaussian_kl(*a[2:4])), "type", "not its parts"),
    # in no table
    (closed(kl=wrong_kl), "kl", "leaving the prior"),
    (closed(noise_cubed), "reconstruction", "the z you decode"),
    (lambda *a: by_densities(*a[:4], a[4][::2]), "some_samples", "3 of the 6 samples"),
    (lambda m, x, mu, lv, eps: m.log_likelihood(x, 2 * mu) - wrong_kl(mu, lv), "noise_unused", "not depend on `eps`"),
]  # fmt: skip
test_elbo_right, _, test_elbo_wrong = tests_of(check_elbo, ELBO_RIGHT, (), ELBO_WRONG)
_, test_elbo_remarks, _ = tests_of(check_elbo, (), ELBO_REMARKS)


@pytest.mark.parametrize(
    "elbo, phrase",
    [
        (by_densities, "from the same samples"),
        (densities(log_q=lambda mu, lv, z: -mean_entropy(mu, lv)), "entropy of q exactly"),
        (by_the_mean_log_prior, "mean of log p(z) exactly"),
        (by_the_gap, "where this linear model allows it"),
        (by_the_closed_kl, "reaches μ and σ."),
    ],
)
def test_a_right_bound_is_told_which_way_it_took(elbo, phrase):
    message = check_elbo(elbo).message
    assert phrase in message
    assert ("A remark" in message) == (elbo is not by_the_closed_kl)


def test_every_right_way_has_the_exact_bound_as_its_mean():
    """Against the closed form, an oracle of its own, from many samples in float64; and the gap to log p(x) is a KL."""
    torch.manual_seed(3)
    case = in_dtype(ELBO.cases()[0], torch.float64)
    case = case.but(eps=torch.randn(20_000, *case.mu.shape, dtype=torch.float64))
    exact = by_the_gap(*case.values())
    torch.testing.assert_close(exact, exactly(*case.values()))
    for choice in choices(ELBO, 0):
        torch.testing.assert_close(choice(case), exact, rtol=0.02, atol=0.1)
    torch.testing.assert_close(KL.best()(case), by_quadrature(case.mu, case.log_var))


def test_the_solutions_in_the_notebook_pass():
    names = folded_solutions("10_elbo", torch=torch, gaussian_kl=gaussian_kl)
    assert check_gaussian_kl(names["my_gaussian_kl"]).kind == "right"
    assert check_elbo(names["my_elbo"]).kind == "right"


SOLUTIONS = [
    "1+log_var-", "1+logσ²-", "μ²+σ²", "σ²+μ²", "mu**2", ".exp()", "exp(", "expm1", "log_var/2", "0.5*", "z=μ+σ", "mu+",
    "μ+σ·ε", "logp(x|z)-kl", "logp(x,z)-logq", "logp(z)-logq", ".mean(0)", "sum(1)",
]  # fmt: skip


def test_no_message_gives_the_answer_away():
    said = [row.say for task in (KL, ELBO) for table in task.tables for row in table]
    said += [check_gaussian_kl(answer).message for answer, kind, _ in KL_WRONG if kind.endswith("term")]
    for message in said:
        plain = message.lower().replace(" ", "").replace("−", "-")
        assert not [solution for solution in SOLUTIONS if solution in plain], message
