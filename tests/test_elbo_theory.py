"""The equations of notebook 10, each against an oracle that cannot share its mistake. Float64 throughout."""

import math

import pytest
import sympy
import torch
from torch import nn
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from helpers.data import ring
from helpers.theory import LinearGaussian, best_diagonal, exact_elbo, kl_to_posterior, normal_kl
from helpers.vae import gaussian_kl

D, SIZE = 5, 2


@pytest.fixture
def model():
    torch.manual_seed(1)
    kind = {"dtype": torch.float64}
    weight = torch.randn(D, 1, **kind) + 0.7 * torch.randn(D, SIZE, **kind)
    return LinearGaussian(weight, torch.randn(D, **kind), 0.7)


def guesses(n, seed=2):
    torch.manual_seed(seed)
    return 2 * torch.randn(n, SIZE).double(), torch.randn(n, SIZE).double()


def sampled(model, x, mu, log_var, k):
    """log p(x|z), log p(z), log q(z|x) at k draws of z ~ q, each (k, B)."""
    q = Normal(mu, (log_var / 2).exp())
    z = q.sample((k,))
    return model.log_likelihood(x, z), model.log_prior(z), q.log_prob(z).sum(-1)


def near(samples, exact, errors=4.0):
    """Whether the mean of samples (k, B) is within so many standard errors of `exact` (B,)."""
    return ((samples.mean(0) - exact).abs() < errors * samples.std(0) / math.sqrt(len(samples))).all()


# The model


def test_samples_of_the_model_have_its_mean_and_covariance(model):
    """(10.1): 400,000 draws; the second moments within five standard errors."""
    state = torch.get_rng_state()
    x, z = model.sample(400_000, torch.Generator().manual_seed(0))
    noise = torch.Generator().manual_seed(0)
    assert torch.equal(z, torch.randn(400_000, SIZE, generator=noise, dtype=torch.float64))
    rest = torch.randn(400_000, D, generator=noise, dtype=torch.float64)
    assert torch.allclose(x, z @ model.weight.T + model.bias + 0.7 * rest)
    assert torch.equal(torch.get_rng_state(), state)
    assert x.dtype == torch.float64 and (z.T.cov() - torch.eye(SIZE)).abs().max() < 0.01
    cov = model.weight @ model.weight.T + model.std**2 * torch.eye(D, dtype=torch.float64)
    assert ((x.T.cov() - cov).abs() < 5 * cov.diagonal().max() * math.sqrt(2 / 400_000)).all()
    assert torch.allclose(
        model.log_likelihood(x[:9], z[:9]),
        Independent(Normal(z[:9] @ model.weight.T + model.bias, 0.7), 1).log_prob(x[:9]),
    )


def test_evidence_is_the_integral_over_z(model):
    """(10.2) and its closed form: a sum over a grid of 401 × 401 codes."""
    x, _ = model.sample(3)
    line = torch.linspace(-8, 8, 401, dtype=torch.float64)
    z = torch.cartesian_prod(line, line)
    joint = model.log_likelihood(x[:, None], z) + model.log_prior(z)
    by_sum = torch.logsumexp(joint, dim=1) + 2 * math.log((line[1] - line[0]).item())
    assert torch.allclose(by_sum, model.log_evidence(x), atol=1e-8)


def test_posterior_obeys_bayes_rule(model):
    """Bayes' rule: p(x|z) p(z) = p(z|x) p(x) at every z."""
    x, _ = model.sample(4)
    mean, cov = model.posterior(x)
    for z in 3 * torch.randn(5, SIZE).double():
        left = model.log_likelihood(x, z) + model.log_prior(z)
        assert torch.allclose(
            left, MultivariateNormal(mean, cov).log_prob(z) + model.log_evidence(x), atol=1e-9
        )


# Three derivations


def test_jensen_bounds_the_logarithm_of_the_mean(model):
    """(10.3): the mean weight is p(x) (within its error), and the mean of its logarithm lies below, by far."""
    x, _ = model.sample(4)
    mu, log_var = best_diagonal(model, x)
    log_likelihood, log_prior, log_q = sampled(model, x, mu, log_var + 0.5, 200_000)
    log_w = log_likelihood + log_prior - log_q
    weights = (log_w - model.log_evidence(x)).exp()
    assert near(weights, torch.ones(4).double())
    assert (log_w.mean(0) < model.log_evidence(x) - 0.01).all()
    assert near(log_w, exact_elbo(model, x, mu, log_var + 0.5))


def test_elbo_plus_gap_is_the_evidence(model):
    """(10.4): for 100 random q, to 1e-6 and far better; the gap is never negative."""
    x, _ = model.sample(100)
    mu, log_var = guesses(100)
    gap = kl_to_posterior(model, x, mu, log_var)
    assert gap.min() > 0
    assert (exact_elbo(model, x, mu, log_var) + gap - model.log_evidence(x)).abs().max() < 1e-10


def test_the_gap_is_the_mean_log_ratio_to_the_posterior(model):
    """(10.4): E_q[log q − log p(z|x)] by Monte Carlo."""
    x, _ = model.sample(3)
    mu, log_var = best_diagonal(model, x)
    log_var = log_var + 0.3
    q = Normal(mu, (log_var / 2).exp())
    z = q.sample((100_000,))
    posterior = MultivariateNormal(*model.posterior(x))
    assert near(q.log_prob(z).sum(-1) - posterior.log_prob(z), kl_to_posterior(model, x, mu, log_var))


def test_the_forms_of_the_elbo_agree(model):
    """(10.5): reconstruction − rate, and E_q log p(x, z) + entropy, both by Monte Carlo against the exact bound."""
    x, _ = model.sample(4)
    mu, log_var = guesses(4)
    log_likelihood, log_prior, _ = sampled(model, x, mu, log_var, 100_000)
    exact = exact_elbo(model, x, mu, log_var)
    assert near(log_likelihood - gaussian_kl(mu, log_var), exact)
    entropy = Independent(Normal(mu, (log_var / 2).exp()), 1).entropy()
    assert near(log_likelihood + log_prior + entropy, exact)


def test_the_divergence_of_the_joints(model):
    """(10.12): Gaussian data and a linear q, so that the left side is a KL of 7-dimensional Gaussians; both exact."""
    torch.manual_seed(3)
    kind = {"dtype": torch.float64}
    mean, root = torch.randn(D, **kind), torch.randn(D, D, **kind) / 2
    cov = root @ root.T + 0.3 * torch.eye(D, **kind)
    a, c, log_var = (
        torch.randn(SIZE, D, **kind) / 3,
        torch.randn(SIZE, **kind),
        torch.tensor([-0.8, -1.5], **kind),
    )
    inference = torch.cat(
        [torch.cat([cov, cov @ a.T], 1), torch.cat([a @ cov, a @ cov @ a.T + log_var.exp().diag()], 1)]
    )
    w, unit = model.weight, torch.eye(SIZE, **kind)
    evidence = w @ w.T + model.std**2 * torch.eye(D, **kind)
    generation = torch.cat([torch.cat([evidence, w], 1), torch.cat([w.T, unit], 1)])
    left = normal_kl(
        torch.cat([mean, a @ mean + c]),
        inference,
        torch.cat([model.bias, torch.zeros(SIZE, **kind)]),
        generation,
    )

    # The mean of the ELBO, quadratic in x: its value at the mean plus half the trace of Hessian times covariance.
    def at(x):
        return exact_elbo(model, x[None], (a @ x + c)[None], log_var[None])[0]

    hessian = torch.autograd.functional.hessian(at, mean)
    bound = at(mean) + (hessian @ cov).trace() / 2
    assert abs(left - (-MultivariateNormal(mean, cov).entropy() - bound)) < 1e-9


# The rate


def test_the_two_means_of_the_rate():
    """(10.6) symbolically, from the moments of a Gaussian."""
    z, mu = sympy.symbols("z mu", real=True)
    s = sympy.symbols("sigma", positive=True)
    q = sympy.exp(-((z - mu) ** 2) / (2 * s**2)) / sympy.sqrt(2 * sympy.pi * s**2)
    log_q = -sympy.log(2 * sympy.pi * s**2) / 2 - (z - mu) ** 2 / (2 * s**2)
    log_p = -sympy.log(2 * sympy.pi) / 2 - z**2 / 2

    def mean(f):
        return sympy.simplify(sympy.integrate(sympy.expand(f) * q, (z, -sympy.oo, sympy.oo)))

    first = -(sympy.log(2 * sympy.pi) + sympy.log(s**2) + 1) / 2
    second = -(sympy.log(2 * sympy.pi) + mu**2 + s**2) / 2
    assert sympy.simplify(sympy.expand_log(mean(log_q) - first, force=True)) == 0
    assert sympy.simplify(mean(log_p) - second) == 0


def test_gaussian_kl_against_pytorch_and_monte_carlo():
    """(10.6): PyTorch's closed form to 1e-12, and 400,000 draws within four standard errors."""
    mu, log_var = guesses(6)
    q, p = Normal(mu, (log_var / 2).exp()), Normal(torch.zeros_like(mu), 1.0)
    assert torch.allclose(gaussian_kl(mu, log_var), kl_divergence(q, p).sum(1), rtol=1e-12)
    z = q.sample((400_000,))
    assert near((q.log_prob(z) - p.log_prob(z)).sum(-1), gaussian_kl(mu, log_var))
    assert gaussian_kl(torch.zeros(1, 3), torch.zeros(1, 3)) == 0


def test_derivatives_of_the_rate():
    """The derivatives of the Gaussian KL against autograd through PyTorch's own divergence, and central differences."""
    mu, log_var = (part.requires_grad_() for part in guesses(4))
    by_formula = (mu.detach(), (log_var.detach().exp() - 1) / 2)
    oracle = kl_divergence(Normal(mu, (log_var / 2).exp()), Normal(torch.zeros_like(mu), 1.0)).sum()
    for found, wanted in zip(torch.autograd.grad(oracle, (mu, log_var)), by_formula, strict=True):
        assert torch.allclose(found, wanted)
    assert torch.autograd.gradcheck(gaussian_kl, (mu, log_var))


def test_reconstruction_in_closed_form(model):
    """(10.7): the exact bound plus the rate against the mean log-likelihood of draws."""
    x, _ = model.sample(4)
    mu, log_var = guesses(4)
    log_likelihood, _, _ = sampled(model, x, mu, log_var, 100_000)
    assert near(log_likelihood, exact_elbo(model, x, mu, log_var) + gaussian_kl(mu, log_var))


def test_divergence_of_two_gaussians():
    """(10.8): against PyTorch's, for random covariances, one by one and as a batch."""
    torch.manual_seed(4)
    roots = torch.randn(2, 3, 4, 4).double()
    covs = roots @ roots.transpose(-1, -2) + 0.2 * torch.eye(4).double()
    means = torch.randn(2, 3, 4).double()
    oracle = kl_divergence(MultivariateNormal(means[0], covs[0]), MultivariateNormal(means[1], covs[1]))
    assert torch.allclose(normal_kl(means[0], covs[0], means[1], covs[1]), oracle)
    assert torch.allclose(normal_kl(means[0, 1], covs[0, 1], means[1, 1], covs[1, 1]), oracle[1])


# The best guess, and EM


def test_the_best_diagonal_guess(model):
    """(10.10): no gradient is left, every other q tried is worse, and it is no wider than the posterior."""
    x, _ = model.sample(5)
    mu, log_var = (part.clone().requires_grad_() for part in best_diagonal(model, x))
    best = exact_elbo(model, x, mu, log_var)
    for slope in torch.autograd.grad(best.sum(), (mu, log_var)):
        assert slope.abs().max() < 1e-10
    torch.manual_seed(5)
    for _ in range(20):
        other = exact_elbo(model, x, mu + 0.1 * torch.randn_like(mu), log_var + 0.1 * torch.randn_like(mu))
        assert (other < best).all()
    assert (log_var.exp() <= model.posterior(x)[1].diagonal() + 1e-12).all()
    assert (best < model.log_evidence(x) - 0.001).all()  # the posterior is tilted, so a gap is left


def test_m_step_and_e_step():
    """(10.11): each is the best of a fine grid, and together they never lower the evidence."""
    x, s, theta = 2.0, 0.8, 0.6
    observed = torch.tensor([[x]], dtype=torch.float64)
    thetas = torch.linspace(-4, 4, 8001, dtype=torch.float64)

    def bound(theta, m, v):
        one = LinearGaussian(torch.full((1, 1), theta).double(), torch.zeros(1).double(), s)
        return exact_elbo(
            one, observed, torch.tensor([[m]]).double(), torch.tensor([[math.log(v)]]).double()
        ).item()

    def evidence(theta):
        return Normal(0.0, math.sqrt(theta**2 + s**2)).log_prob(torch.tensor(x)).item()

    for _ in range(6):
        m, v = theta * x / (theta**2 + s**2), s**2 / (theta**2 + s**2)
        assert abs(bound(theta, m, v) - evidence(theta)) < 1e-6  # the E-step touches the curve
        new = x * m / (m**2 + v)
        misfit = (x**2 - 2 * thetas * x * m + thetas**2 * (m**2 + v)) / (2 * s**2)
        assert abs(thetas[misfit.argmin()] - new) < 1e-3 + 1e-9
        assert evidence(new) >= evidence(theta) - 1e-7
        theta = new


def test_posteriors_fill_the_prior_together(model):
    """(10.13): the covariance of the posterior means plus the posterior's own is I; by samples and in closed form."""
    x, _ = model.sample(200_000, torch.Generator().manual_seed(0))
    mean, cov = model.posterior(x)
    unit = torch.eye(SIZE, dtype=torch.float64)
    assert (mean.T.cov() + cov - unit).abs().max() < 0.015
    assert torch.linalg.eigvalsh(cov).max() < 0.9  # and no single posterior is the prior


def test_beta_is_another_noise_of_the_decoder(model):
    """(10.14): ELBO_β(s) − β·ELBO(√β s) does not depend on x or q."""
    x, _ = model.sample(50)
    mu, log_var = guesses(50)
    for beta in (0.3, 4.0):
        wider = LinearGaussian(model.weight, model.bias, math.sqrt(beta) * model.std)
        weighted = exact_elbo(model, x, mu, log_var) - (beta - 1) * gaussian_kl(mu, log_var)
        difference = weighted - beta * exact_elbo(wider, x, mu, log_var)
        assert difference.std() < 1e-9


def test_reparameterised_gradients_are_right_on_average(model):
    """(10.15): z has the moments of q, and the mean of 40,000 gradients is that of the exact bound."""
    torch.manual_seed(6)
    x, _ = model.sample(1)
    mu, log_var = (part[:1].requires_grad_() for part in guesses(1))
    exact = torch.cat(torch.autograd.grad(exact_elbo(model, x, mu, log_var).sum(), (mu, log_var)), 1)
    mus, log_vars = (part.detach().repeat(40_000, 1).requires_grad_() for part in (mu, log_var))
    z = mus + (log_vars / 2).exp() * torch.randn(40_000, SIZE).double()
    assert near(z.detach(), mu[0].detach())
    assert ((z.var(0) / log_var[0].exp() - 1).abs() < 5 * math.sqrt(2 / 40_000)).all()
    estimate = (model.log_likelihood(x, z) - gaussian_kl(mus, log_vars)).sum()
    gradients = torch.cat(torch.autograd.grad(estimate, (mus, log_vars)), 1)
    assert near(gradients, exact[0], 4.5)


# The article's formulas


def test_the_article_taken_literally():
    """(10.9): the best answer of L_D to every z is the mean of the data, and L_E has no floor."""
    torch.manual_seed(7)
    data = ring(std=0.2)
    decoder = nn.Sequential(nn.Linear(2, 32), nn.SiLU(), nn.Linear(32, 2))
    optimiser = torch.optim.Adam(decoder.parameters(), lr=5e-3)
    for _ in range(600):
        x, z = data.sample(256), torch.randn(256, 2)  # z from the prior, whatever x is
        loss = (x - decoder(z)).square().sum(1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        answers = decoder(torch.randn(1000, 2))
    assert answers.norm(dim=1).quantile(0.99) < 0.25  # the ring has radius 2, its mean is the origin
    x = torch.randn(10, 2).double()

    def l_e(log_var):
        return -Normal(x, math.exp(log_var / 2)).log_prob(x).sum(1).mean()

    for log_var in (-10.0, -100.0, -600.0):
        assert abs(l_e(log_var) - (log_var + math.log(2 * math.pi))) < 1e-6
