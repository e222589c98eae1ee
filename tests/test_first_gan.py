"""The equations of notebook 04, each against an oracle that does not share its derivation."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, MultivariateNormal

from helpers.gan import discriminator_loss, non_saturating
from helpers.metrics import js_from_samples
from helpers.theory import optimal_discriminator


@pytest.fixture
def logits():
    torch.manual_seed(0)
    return 3 * torch.randn(2, 7, dtype=torch.float64)


def test_the_loss_of_d_is_the_cross_entropy_of_real_and_fake(logits):
    """(4.1): with log-probabilities from torch.distributions, labels 1 for real points and 0 for fakes."""
    labels = torch.stack([torch.ones(7), torch.zeros(7)]).double()
    by_labels = -Bernoulli(logits=logits).log_prob(labels).sum() / 7
    assert discriminator_loss(*logits).mean() == pytest.approx(by_labels.item(), rel=1e-12)
    D = logits.sigmoid()
    assert -(D[0].log() + (1 - D[1]).log()).mean() == pytest.approx(by_labels.item(), rel=1e-12)


def test_the_loss_of_g_is_minus_the_mean_of_log_d(logits):
    """(4.2): and its gradient raises the logit of every fake."""
    fake = logits[1].clone().requires_grad_()
    loss = non_saturating(fake).mean()
    assert loss.item() == pytest.approx(-logits[1].sigmoid().log().mean().item(), rel=1e-12)
    (gradient,) = torch.autograd.grad(loss, fake)
    assert torch.allclose(gradient, -(-logits[1]).sigmoid() / 7) and (gradient < 0).all()


def test_an_affine_generator_makes_the_gaussian_with_covariance_a_a_transposed():
    """(4.3): mean and covariance of 400,000 samples; a rotation of A changes nothing."""
    torch.manual_seed(0)
    A, b = torch.tensor([[1.2, -0.3], [0.5, 0.8]]).double(), torch.tensor([0.7, -1.1]).double()
    turn = torch.tensor([[math.cos(0.4), -math.sin(0.4)], [math.sin(0.4), math.cos(0.4)]]).double()
    made = torch.randn(400_000, 2, dtype=torch.float64) @ A.T + b
    assert torch.allclose(made.mean(0), b, atol=0.01)
    assert torch.allclose(torch.cov(made.T), A @ A.T, atol=0.02)
    assert not torch.allclose(torch.cov(made.T), A.T @ A, atol=0.1)
    assert torch.allclose((A @ turn) @ (A @ turn).T, A @ A.T)


@pytest.mark.parametrize("k", [1, 2, 3, 8])
def test_the_losses_of_the_best_d_when_the_fakes_fill_k_of_eight_modes(k):
    """(4.4): by sums over the modes; unequal shares raise the loss of G."""
    p = torch.full((8,), 1 / 8, dtype=torch.float64)
    q = (torch.arange(8) < k).double() / k

    def losses(q):
        best = p / (p + q)
        fake = q > 0
        return -(p * best.log()).sum() - (q * (1 - best).log())[fake].sum(), -(q * best.log())[fake].sum()

    d_loss, g_loss = losses(q)
    assert g_loss.item() == pytest.approx(math.log(1 + 8 / k), rel=1e-12)
    assert d_loss.item() == pytest.approx(k / 8 * math.log(1 + 8 / k) + math.log(1 + k / 8), rel=1e-12)
    if k > 1:
        uneven = q * torch.linspace(0.5, 1.5, 8, dtype=torch.float64)
        assert losses(uneven / uneven.sum())[1] > g_loss


def test_the_best_d_of_two_gaussians_has_a_quadratic_logit():
    """(4.5): p/(p + q) and the sigmoid of the log-ratio; six coefficients, fitted to some points, hold at others."""
    torch.manual_seed(0)
    p = MultivariateNormal(
        torch.tensor([1.0, -0.5]).double(), torch.tensor([[1.0, 0.8], [0.8, 1.5]]).double()
    )
    q = MultivariateNormal(torch.zeros(2).double(), torch.tensor([[0.6, -0.2], [-0.2, 0.9]]).double())
    x = 2 * torch.randn(40, 2, dtype=torch.float64)
    log_p, log_q = p.log_prob(x), q.log_prob(x)
    ratio = log_p.exp() / (log_p.exp() + log_q.exp())
    assert torch.allclose(optimal_discriminator(log_p, log_q), ratio)
    features = torch.cat([torch.ones(40, 1), x, x * x, x[:, :1] * x[:, 1:]], dim=1)
    weights = torch.linalg.lstsq(features[:20], (log_p - log_q)[:20, None]).solution
    assert torch.allclose((features[20:] @ weights).squeeze(1), (log_p - log_q)[20:], atol=1e-8)


def test_the_bias_of_the_estimated_divergence():
    """(4.6): the mean of 200 estimates on 400 cells that are equally likely, and on 16 of them."""
    torch.manual_seed(0)
    for part, cells, n in (
        (1.0, 400, 5000),
        (0.2, 16, 1000),
    ):  # the square, and the middle fifth of each side
        pairs = part * (6 * torch.rand(200, 2, n, 2) - 3)
        mean = sum(js_from_samples(*pair) for pair in pairs) / 200
        assert mean == pytest.approx((cells - 1) / (4 * n), rel=0.1)
