"""The equations of notebook 09, each against an oracle that cannot share its mistake. Float64 throughout."""

import math

import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal

from helpers.checks.nb14_tighter_and_discrete import log_mean_exp as shared
from helpers.theory import (
    LinearGaussian,
    effective_sample_size,
    fit_ppca,
    log_mean_exp,
    naive_relative_variance,
)

KIND = {"dtype": torch.float64}
WEIGHT = torch.tensor([[1.0, 0.5], [-0.5, 1.0], [0.5, 0.5]], **KIND)


@pytest.fixture
def model():
    torch.manual_seed(1)
    return LinearGaussian(WEIGHT, torch.tensor([0.3, -0.2, 0.1], **KIND), 1.0)


def on_a_grid(model, x, reach=8.0, places=321):
    """log p(x|z) p(z) at the places of a fine grid, and the logarithm of the area of a cell."""
    line = torch.linspace(-reach, reach, places, **KIND)
    z = torch.cartesian_prod(line, line)
    return z, model.log_likelihood(x, z) + model.log_prior(z), 2 * math.log((line[1] - line[0]).item())


def naive_log_weights(model, x, repeats, draws):
    torch.manual_seed(2)
    return model.log_likelihood(x, torch.randn(draws, repeats, model.weight.shape[1], **KIND))


def within(values, exact, errors=4.5):
    """Whether the mean of independent `values` (n,) is within so many standard errors of `exact`."""
    return abs(values.mean() - exact) < errors * values.std() / math.sqrt(len(values))


# The model


def test_the_evidence_is_a_mean_over_the_prior(model):
    """(9.1): an integral over a grid, and a mean over 400,000 samples of z, agree with the closed form."""
    x = torch.tensor([1.5, -1.0, 2.0], **KIND)
    _, log_joint, log_area = on_a_grid(model, x)
    assert abs(torch.logsumexp(log_joint, 0) + log_area - model.log_evidence(x)) < 1e-9
    weights = (naive_log_weights(model, x, 400_000, 1)[0] - model.log_evidence(x)).exp()
    assert within(weights, 1)


def test_samples_of_the_model_have_its_mean_and_covariance(model):
    """(9.2): 400,000 samples; log p(z) and log p(x|z) are those of PyTorch's own Gaussians."""
    x, z = model.sample(400_000, torch.Generator().manual_seed(0))
    assert (z.T.cov() - torch.eye(2)).abs().max() < 0.01 and (x.mean(0) - model.bias).abs().max() < 0.01
    assert (x.T.cov() - (WEIGHT @ WEIGHT.T + torch.eye(3))).abs().max() < 0.03
    prior = MultivariateNormal(torch.zeros(2, **KIND), torch.eye(2, **KIND))
    assert torch.allclose(model.log_prior(z[:9]), prior.log_prob(z[:9]))
    given = Independent(Normal(z[:9] @ WEIGHT.T + model.bias, 1.0), 1)
    assert torch.allclose(model.log_likelihood(x[:9], z[:9]), given.log_prob(x[:9]))


def test_the_posterior_is_the_normalised_joint(model):
    """(9.3): at every place of a grid p(z|x) is p(x|z) p(z) over its integral."""
    x = torch.tensor([-0.5, 2.0, 0.7], **KIND)
    z, log_joint, log_area = on_a_grid(model, x)
    by_grid = log_joint - torch.logsumexp(log_joint, 0) - log_area
    assert (by_grid - MultivariateNormal(*model.posterior(x)).log_prob(z)).abs().max() < 1e-8


# The most likely model


def data(n=500, size=6):
    torch.manual_seed(3)
    spread = torch.tensor([3.0, 2.0, 1.5, 0.8, 0.6, 0.5], **KIND)[:size]
    return torch.randn(n, size, **KIND) * spread @ torch.linalg.qr(torch.randn(size, size, **KIND))[0] + 1.0


def test_the_likelihood_of_data_depends_on_their_covariance_alone():
    """(9.8): the mean log-evidence by the formula, and for other data with the same mean and covariance."""
    x = data()
    model = LinearGaussian(torch.randn(6, 2, **KIND), x.mean(0), 0.7)
    centred = x - x.mean(0)
    S, A = centred.T @ centred / len(x), model.weight @ model.weight.T + 0.49 * torch.eye(6, **KIND)
    by_formula = -0.5 * (6 * math.log(2 * math.pi) + torch.logdet(A) + torch.trace(torch.linalg.inv(A) @ S))
    assert abs(model.log_evidence(x).mean() - by_formula) < 1e-9
    mirrored = x.mean(0) - centred
    assert abs(model.log_evidence(mirrored).mean() - by_formula) < 1e-9


@pytest.mark.parametrize("d", [1, 2, 4])
def test_the_most_likely_model(d):
    """(9.9): no gradient is left at the closed form, every neighbour tried is worse, L-BFGS from afar ends there."""
    x = data()
    model = fit_ppca(x, d)

    def likelihood(weight, bias, log_std):
        cov = weight @ weight.T + (2 * log_std).exp() * torch.eye(6, **KIND)
        return MultivariateNormal(bias, cov).log_prob(x).mean()

    at = [model.weight.clone(), model.bias.clone(), torch.tensor(math.log(model.std), **KIND)]
    leaves = [part.requires_grad_() for part in at]
    best = likelihood(*leaves)
    assert all(slope.abs().max() < 1e-9 for slope in torch.autograd.grad(best, leaves))
    torch.manual_seed(4)
    for _ in range(20):
        assert likelihood(*(part + 0.05 * torch.randn_like(part) for part in at)) < best
    start = [torch.randn(6, d, **KIND), torch.zeros(6, **KIND), torch.zeros((), **KIND)]
    climbing = [part.requires_grad_() for part in start]
    optimiser = torch.optim.LBFGS(climbing, max_iter=300, line_search_fn="strong_wolfe", tolerance_grad=1e-10)

    def closure():
        optimiser.zero_grad()
        loss = -likelihood(*climbing)
        loss.backward()
        return loss

    optimiser.step(closure)
    assert abs(likelihood(*climbing) - best) < 1e-6
    values = torch.linalg.eigvalsh((x - x.mean(0)).T @ (x - x.mean(0)) / len(x))
    assert abs(model.std**2 - values[: 6 - d].mean()) < 1e-9


def test_a_direction_below_the_noise_dies():
    """(9.10): gradient ascent with s = 1 finds |w|² = λ − 1 for λ = 4 and 2 and 0 for ½, as the closed form says."""
    torch.manual_seed(5)
    turn = torch.linalg.qr(torch.randn(3, 3, **KIND))[0]
    S = turn @ torch.tensor([4.0, 2.0, 0.5], **KIND).diag() @ turn.T
    weight = torch.randn(3, 3, **KIND).requires_grad_()
    optimiser = torch.optim.Adam([weight], lr=0.05)
    for _ in range(600):
        A = weight @ weight.T + torch.eye(3, **KIND)
        loss = torch.logdet(A) + torch.linalg.solve(A, S).trace()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    wanted = torch.tensor([3.0, 1.0, 0.0], **KIND)
    assert torch.allclose(torch.linalg.svdvals(weight.detach()).square(), wanted, atol=1e-6)
    # Six points with exactly this covariance.
    x = math.sqrt(3) * torch.linalg.cholesky(S).T
    closed = fit_ppca(torch.cat([x, -x]), 3, std=1.0)
    assert torch.allclose(closed.weight.square().sum(0), wanted, atol=1e-9)


# Naive Monte Carlo


def test_the_naive_estimate_is_unbiased_and_its_variance_falls_like_one_over_k(model):
    """(9.4): for K = 1, 4, 16, with 40,000 repeats each."""
    x = torch.tensor([1.5, -1.0, 2.0], **KIND)
    rho = naive_relative_variance(model, x)
    for K in (1, 4, 16):
        ratio = (log_mean_exp(naive_log_weights(model, x, 40_000, K)) - model.log_evidence(x)).exp()
        assert within(ratio, 1)
        assert abs(ratio.var() * K / rho - 1) < 0.1


def test_the_bias_of_the_logarithm(model):
    """(9.11): −ρ/2K within four standard errors and a tenth, at K = 100; ρ is about 1.1."""
    x = torch.tensor([0.9, -0.4, 1.1], **KIND)
    rho = naive_relative_variance(model, x).item()
    off = log_mean_exp(naive_log_weights(model, x, 20_000, 100)) - model.log_evidence(x)
    error = off.std().item() / math.sqrt(len(off))
    print(rho, off.mean(), error)
    assert off.mean() < -4 * error and abs(off.mean() + rho / 200) < 4 * error + 0.1 * rho / 200


def test_more_samples_raise_the_mean_logarithm_in_every_group(model):
    """(9.5), (9.12): row by row for the same samples, and on average far below log p(x) for few."""
    x = torch.tensor([1.5, -1.0, 2.0], **KIND)
    log_w = naive_log_weights(model, x, 5_000, 128)
    fours = torch.stack([log_mean_exp(part) for part in log_w.split(32)]).mean(0)
    assert (log_mean_exp(log_w) >= fours - 1e-12).all()
    assert (log_mean_exp(log_w) > fours + 1e-3).double().mean() > 0.9
    off = log_mean_exp(log_w[:4]) - model.log_evidence(x)
    assert off.mean() < -10 * off.std() / math.sqrt(5_000)


def test_the_relative_variance_of_a_naive_sample(model):
    """(9.14): an integral of p(x|z)² p(z) over a grid, for three observations; and 20 dimensions against samples."""
    for x in model.sample(3)[0]:
        z, log_joint, log_area = on_a_grid(model, x)
        log_square = torch.logsumexp(log_joint + model.log_likelihood(x, z), 0) + log_area
        by_grid = torch.expm1(log_square - 2 * model.log_evidence(x))
        assert abs(naive_relative_variance(model, x) / by_grid - 1) < 1e-9
    torch.manual_seed(6)
    wide = LinearGaussian(0.15 * torch.randn(30, 20, **KIND), torch.zeros(30, **KIND), 1.0)
    x, _ = wide.sample(1)
    weights = (naive_log_weights(wide, x, 200_000, 1)[0] - wide.log_evidence(x)).exp()
    assert abs(weights.var() / naive_relative_variance(wide, x) - 1) < 0.2


# Importance sampling


def log_weights(model, x, q, draws):
    z = q.sample((draws,))
    return model.log_likelihood(x, z) + model.log_prior(z) - q.log_prob(z)


def test_every_proposal_is_unbiased(model):
    """(9.6): three proposals, one of them off the mark; and with the posterior every weight is p(x)."""
    x = torch.tensor([1.5, -1.0, 2.0], **KIND)
    mean, cov = model.posterior(x)
    torch.manual_seed(7)
    for shift, stretch in ((0.0, 1.5), (0.5, 2.0), (-1.0, 3.0)):
        log_w = log_weights(model, x, MultivariateNormal(mean + shift, stretch * cov), 200_000)
        assert within((log_w - model.log_evidence(x)).exp(), 1)
    exact = log_weights(model, x, MultivariateNormal(mean, cov), 100)
    assert (exact - model.log_evidence(x)).abs().max() < 1e-10


@pytest.mark.parametrize("c", [0.9, 1.0, 1.5, 3.0])
def test_the_relative_variance_of_a_stretched_posterior(model, c):
    """(9.13): by an integral over a grid, for each c; below ½ the integral grows with its limits, without end."""
    x = torch.tensor([1.5, -1.0, 2.0], **KIND)
    mean, cov = model.posterior(x)

    def by_grid(c, reach):
        z, log_joint, log_area = on_a_grid(model, x, reach)
        log_square = 2 * log_joint - MultivariateNormal(mean, c * cov).log_prob(z)
        return torch.expm1(torch.logsumexp(log_square, 0) + log_area - 2 * model.log_evidence(x)).item()

    assert abs(by_grid(c, 10.0) - ((c / math.sqrt(2 * c - 1)) ** 2 - 1)) < 1e-6
    assert by_grid(0.4, 12.0) > 10 * by_grid(0.4, 8.0) > 100 * by_grid(0.4, 5.0)


def test_the_effective_sample_size(model):
    """(9.7): K for equal weights, 1 for one that outweighs all, from plain weights, and K/(1 + ρ) for many."""
    assert torch.allclose(
        effective_sample_size(torch.full((7, 2), -900.0, **KIND)), torch.full((2,), 7.0, **KIND)
    )
    assert abs(effective_sample_size(torch.tensor([0.0, 800.0, 1.0], **KIND)) - 1) < 1e-12
    log_w = torch.randn(50, 3, **KIND)
    plain = log_w.exp().sum(0).square() / log_w.exp().square().sum(0)
    assert torch.allclose(effective_sample_size(log_w), plain)
    x = torch.tensor([0.9, -0.4, 1.1], **KIND)
    size = effective_sample_size(naive_log_weights(model, x, 1, 400_000)[:, 0])
    assert abs(size / 400_000 * (1 + naive_relative_variance(model, x)) - 1) < 0.03


# The helpers themselves


def test_the_logarithm_of_a_mean_stays_within_the_floats():
    """Against plain arithmetic where that is possible, and shifted by ±2,000 nats where it is not."""
    log_w = torch.randn(6, 4, **KIND)
    assert torch.allclose(log_mean_exp(log_w), log_w.exp().mean(0).log())
    for shift in (-2000.0, 2000.0):
        assert torch.allclose(log_mean_exp(log_w + shift) - shift, log_mean_exp(log_w), atol=1e-9)
    nothing = torch.full((3,), -math.inf, **KIND)
    assert log_mean_exp(nothing) == -math.inf and log_mean_exp(
        torch.tensor([-math.inf, 0.0], **KIND)
    ) == -math.log(2)
    assert shared is log_mean_exp  # one for all


def test_a_fit_with_all_directions_is_the_full_gaussian():
    x = data()
    full = MultivariateNormal(x.mean(0), (x - x.mean(0)).T @ (x - x.mean(0)) / len(x))
    model = fit_ppca(x, 5)
    assert abs(model.log_evidence(x).mean() - full.log_prob(x).mean()) < 1e-9
    assert fit_ppca(x, 2, std=0.9).std == 0.9
