"""Rényi's bound: its limits, and its closed form on the linear-Gaussian model against sums over a grid."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from helpers.theory import LinearGaussian, best_diagonal, exact_elbo, log_mean_exp, normal_kl
from helpers.theory.renyi import best_mean_field, exact_renyi_bound, normal_renyi
from helpers.vae import iwae_bound, log_weights
from helpers.vae.renyi import renyi_bound


@pytest.fixture
def model(double):
    return LinearGaussian(
        torch.tensor([[1.0, 0.8], [0.3, 1.0], [-0.5, 0.4]]), torch.tensor([0.1, -0.2, 0.3]), 0.6
    )


@pytest.fixture
def x(model):
    return model.sample(4, torch.Generator().manual_seed(1))[0]


@pytest.fixture
def q(model, x):
    mean, log_var = best_diagonal(model, x)
    return mean + 0.2, log_var + 0.6  # wide, so that no weight is huge


def test_the_bound_of_two_weights_by_hand():
    """(24.2): weights 1 and 4, and the powers written out."""
    log_w = torch.tensor([[1.0], [4.0]]).log()
    assert renyi_bound(log_w, 0).item() == pytest.approx(math.log(2.5))
    assert renyi_bound(log_w, 1).item() == pytest.approx(math.log(4) / 2)
    assert renyi_bound(log_w, 0.5).item() == pytest.approx(2 * math.log(1.5))
    assert renyi_bound(log_w, 2).item() == pytest.approx(-math.log((1 + 1 / 4) / 2))
    assert renyi_bound(log_w, -1).item() == pytest.approx(math.log(8.5) / 2)


def test_its_limits_are_the_elbo_and_the_importance_weighted_bound():
    """(24.2): α = 0 and α → 1; it falls as α grows, for the same samples."""
    log_w = 3 * torch.randn(50, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.allclose(renyi_bound(log_w, 0), iwae_bound(log_w, 50))
    for near in (1 - 1e-6, 1 + 1e-6):
        assert torch.allclose(renyi_bound(log_w, near), log_w.mean(0), atol=1e-4)
    values = torch.stack([renyi_bound(log_w, a) for a in (-2, -0.5, 0, 0.3, 0.9, 1, 1.1, 3)])
    assert (values.diff(dim=0) < 0).all()
    assert torch.allclose(renyi_bound(log_w, -1e4), log_w.max(0).values, atol=1e-2)
    assert renyi_bound(torch.full((3, 2), -2000.0), 0.5).tolist() == pytest.approx([-2000, -2000])


@pytest.mark.parametrize("alpha", [-0.3, 0.2, 0.5, 0.9, 1.2])
def test_the_divergence_of_two_gaussians_against_a_grid(alpha, double):
    a = MultivariateNormal(torch.tensor([0.3, -0.2]), torch.tensor([[0.5, 0.2], [0.2, 0.7]]))
    b = MultivariateNormal(torch.tensor([-0.1, 0.4]), torch.tensor([[0.9, -0.1], [-0.1, 0.6]]))
    line = torch.linspace(-9, 9, 601)
    z = torch.cartesian_prod(line, line)
    inside = (
        torch.logsumexp(alpha * a.log_prob(z) + (1 - alpha) * b.log_prob(z), 0)
        + 2 * (line[1] - line[0]).log()
    )
    found = normal_renyi(a.loc, a.covariance_matrix, b.loc, b.covariance_matrix, alpha)
    assert found.item() == pytest.approx((inside / (alpha - 1)).item(), abs=1e-8)


def test_the_divergence_at_its_ends(double):
    a, b = (torch.zeros(1), 4 * torch.eye(1)), (torch.ones(1), torch.eye(1))
    assert normal_renyi(*a, *b, 1).item() == pytest.approx(normal_kl(*a, *b).item())
    assert normal_renyi(*a, *b, 1 + 1e-6).item() == pytest.approx(normal_kl(*a, *b).item(), abs=1e-4)
    assert normal_renyi(*a, *b, 0).item() == pytest.approx(0, abs=1e-12)
    assert normal_renyi(*a, *b, 2).item() == math.inf  # a is wider: ∫ a²/b diverges
    assert normal_renyi(*b, *a, 2).item() < math.inf
    assert normal_renyi(*b, *a, -1).item() == -math.inf


@pytest.mark.parametrize("alpha", [-0.2, 0.0, 0.4, 1.0])
def test_the_exact_bound_is_what_the_estimate_goes_to(alpha, model, x, q):
    """(24.3): with 200,000 samples the estimate is within a hundredth of the closed form."""
    eps = torch.randn(200_000, 4, 2, generator=torch.Generator().manual_seed(2))
    log_w = log_weights(model, x, *q, eps)
    assert torch.allclose(renyi_bound(log_w, alpha), exact_renyi_bound(model, x, *q, alpha), atol=1e-2)


def test_the_exact_bound_has_the_known_limits(model, x, q):
    """(24.3): the ELBO at α = 1, log p(x) at α = 0, and log p(x) at every α where q is the posterior."""
    assert torch.allclose(exact_renyi_bound(model, x, *q, 1), exact_elbo(model, x, *q))
    assert torch.allclose(exact_renyi_bound(model, x, *q, 0), model.log_evidence(x))
    upright = LinearGaussian(torch.diag(torch.tensor([1.0, 2.0])), torch.zeros(2), 0.5)
    mean, cov = upright.posterior(x[:, :2])
    log_var = cov.diagonal().log().expand_as(mean)
    for alpha in (0.3, 1, 2):
        assert torch.allclose(
            exact_renyi_bound(upright, x[:, :2], mean, log_var, alpha), upright.log_evidence(x[:, :2])
        )


def test_few_samples_give_a_lower_bound_on_average(model, x, q):
    eps = torch.randn(200_000, 4, 2, generator=torch.Generator().manual_seed(3))
    log_w = log_weights(model, x, *q, eps)
    for alpha in (-0.3, 0.0, 0.5):
        five = renyi_bound(log_w.view(5, -1, 4), alpha).mean(0)
        assert (five < exact_renyi_bound(model, x, *q, alpha) - 1e-3).all()


def test_the_best_q_grows_from_the_best_of_the_elbo_to_the_posteriors_own(model, x):
    posterior = model.posterior(x)[1].diagonal().sqrt()
    stds = torch.stack([best_mean_field(model, x, alpha)[1] for alpha in (1, 0.5, 0.25, 0.02)])
    assert torch.allclose(stds[0], (best_diagonal(model, x)[1] / 2).exp(), atol=1e-4)
    assert (stds.diff(dim=0) > 0).all() and (stds < posterior + 1e-6).all()
    assert torch.allclose(stds[-1], posterior.expand(4, 2), rtol=0.02)
    mu, std = best_mean_field(model, x, 0.5)
    best = exact_renyi_bound(model, x, mu, 2 * std.log(), 0.5)
    for shift in (0.05, -0.05):
        assert (exact_renyi_bound(model, x, mu + shift, 2 * std.log(), 0.5) < best).all()
        assert (exact_renyi_bound(model, x, mu, 2 * std.log() + shift, 0.5) < best).all()
    with pytest.raises(ValueError, match="α > 0"):
        best_mean_field(model, x, 0)


def test_the_estimate_has_the_gradient_of_its_weights():
    """∂/∂ log w_k is w_k^(1−α) over their sum: for α = 1 each counts alike."""
    log_w = torch.randn(
        6, 1, generator=torch.Generator().manual_seed(4), dtype=torch.float64
    ).requires_grad_()
    for alpha in (0.0, 0.5, 1.0):
        (gradient,) = torch.autograd.grad(renyi_bound(log_w, alpha).sum(), log_w)
        assert torch.allclose(gradient, ((1 - alpha) * log_w).softmax(0))
    assert log_mean_exp(log_w.detach()).item() == pytest.approx(renyi_bound(log_w, 0).item())
