"""The losses of notebook 08 against oracles that cannot share their mistake; float64 where an identity is claimed."""

import math

import pytest
import sympy
import torch
from torch import nn
from torch.distributions import Bernoulli, Normal

from helpers.gan import (
    hinge_generator,
    least_squares_discriminator,
    least_squares_generator,
    non_saturating,
    relativistic,
    wasserstein_critic,
    wasserstein_generator,
)

REAL = torch.tensor([-40.0, -3, -0.5, 0, 0.7, 2, 40], dtype=torch.float64)
FAKE = torch.tensor([40.0, 1.5, -2, 0.3, 0.7, -1, -40], dtype=torch.float64)


def gradients(loss, *logits):
    logits = [each.clone().requires_grad_() for each in logits]
    loss(*logits).sum().backward()
    return [each.grad for each in logits]


@pytest.mark.parametrize("loss", [least_squares_discriminator, wasserstein_critic, relativistic])
def test_a_pair_has_one_loss_that_falls_as_real_rises_and_fake_sinks(loss):
    assert loss(REAL, FAKE).shape == (7,)
    lower, higher = torch.tensor([0.2, 0.3]), torch.tensor([0.6, 0.8])
    assert (loss(higher, lower) < loss(lower, higher)).all()


def test_least_squares_is_half_the_squared_error_of_a_regression_on_1_and_0():
    """½ MSE by PyTorch; the factor ½ makes the gradient a − target."""
    half = nn.MSELoss(reduction="none")
    oracle = (half(REAL, torch.ones_like(REAL)) + half(FAKE, torch.zeros_like(FAKE))) / 2
    assert torch.allclose(least_squares_discriminator(REAL, FAKE), oracle, rtol=1e-14)
    to_real, to_fake = gradients(least_squares_discriminator, REAL, FAKE)
    assert torch.allclose(to_real, REAL - 1) and torch.allclose(to_fake, FAKE)
    assert torch.allclose(gradients(least_squares_generator, FAKE)[0], FAKE - 1)
    assert torch.allclose(least_squares_generator(FAKE), half(FAKE, torch.ones_like(FAKE)) / 2)


def test_the_best_least_squares_output_is_a_probability_and_its_value_a_divergence():
    """Symbolically: the best a is p/(p+q), and there the loss is ½ pq/(p+q), at each place."""
    p, q, a = sympy.symbols("p q a", positive=True)
    loss = p * (a - 1) ** 2 / 2 + q * a**2 / 2
    (best,) = sympy.solve(loss.diff(a), a)
    assert sympy.simplify(best - p / (p + q)) == 0
    assert sympy.simplify(loss.subs(a, best) - p * q / (p + q) / 2) == 0
    # and the function of this course is that loss: weights on a real and on a fake term
    grid = torch.linspace(-1, 2, 30001, dtype=torch.float64)
    zero, one = torch.zeros_like(grid), torch.ones_like(grid)
    real_term, fake_term = least_squares_discriminator(grid, zero), least_squares_discriminator(one, grid)
    found = grid[(0.3 * real_term + 0.9 * fake_term).argmin()]
    assert abs(found - 0.25) < 1e-4


def test_wasserstein_losses_are_a_difference_and_do_not_care_for_a_constant():
    assert torch.equal(wasserstein_critic(REAL, FAKE), -(REAL - FAKE))
    assert torch.allclose(wasserstein_critic(REAL + 5, FAKE + 5), wasserstein_critic(REAL, FAKE))
    to_real, to_fake = gradients(wasserstein_critic, REAL, FAKE)
    assert torch.equal(to_real, -torch.ones_like(REAL)) and torch.equal(to_fake, torch.ones_like(FAKE))


def test_a_ramp_of_slope_one_measures_the_distance_of_two_shifted_bells():
    """Minus the mean critic loss of f(x) = x is the difference of the means, W₁ of equal widths; four errors."""
    torch.manual_seed(0)
    real, fake = 1.7 + torch.randn(100_000).double(), torch.randn(100_000).double()
    assert abs(-wasserstein_critic(real, fake).mean() - 1.7) < 4 * math.sqrt(2 / 100_000)


def test_the_generators_of_hinge_and_wasserstein_are_one_function():
    assert wasserstein_generator is hinge_generator
    assert torch.equal(gradients(wasserstein_generator, FAKE)[0], -torch.ones_like(FAKE))


def test_relativistic_is_the_cross_entropy_of_which_of_the_two_is_real():
    """A coin whose logit is the difference, by torch.distributions; the generator has the other side of the coin."""
    coin = Bernoulli(logits=REAL - FAKE)
    assert torch.allclose(relativistic(REAL, FAKE), -coin.log_prob(torch.ones_like(REAL)), rtol=1e-12)
    assert torch.allclose(relativistic(FAKE, REAL), -coin.log_prob(torch.zeros_like(REAL)), rtol=1e-12)


def test_relativistic_gradients_are_equal_and_opposite_and_vanish_where_the_pair_is_told_apart():
    to_real, to_fake = gradients(relativistic, REAL, FAKE)
    wrong = (FAKE - REAL).sigmoid()  # the probability given to the wrong answer
    assert torch.allclose(to_real, -wrong) and torch.allclose(to_fake, wrong)
    assert torch.allclose(relativistic(REAL + 3, FAKE + 3), relativistic(REAL, FAKE), rtol=1e-12)
    assert torch.equal(relativistic(torch.zeros(7).double(), -REAL), non_saturating(REAL))


def test_the_best_relativistic_critic_is_beaten_by_no_bend():
    """Its logit is log p − log q: E over pairs (x, y) of the loss on a grid, against the bent logit."""
    x = torch.linspace(-8, 8, 401, dtype=torch.float64)
    log_p, log_q = Normal(-0.5, 1.0).log_prob(x), Normal(0.8, 1.4).log_prob(x)
    pairs = log_p.exp()[:, None] * log_q.exp() * (x[1] - x[0]) ** 2

    def mean_loss(logit):
        return (pairs * relativistic(*torch.broadcast_tensors(logit[:, None], logit[None, :]))).sum()

    best = log_p - log_q
    for bend in (0.2 * torch.sin(x), 0.1 * x, -0.1 * x):
        assert mean_loss(best + bend) > mean_loss(best) + 1e-4


def test_all_stay_finite_in_the_tails():
    far = torch.tensor([-1e4, 1e4])
    for loss in (least_squares_discriminator, wasserstein_critic, relativistic):
        assert all(torch.isfinite(each).all() for each in [loss(far, -far), *gradients(loss, far, -far)])
