"""The equations of notebook 11, each against an oracle that cannot share its mistake. Float64 throughout.

Most means over q are taken by quadrature: at the nodes of Gauss and Hermite a mean of polynomials is exact, so a bias
is seen as such, and not through noise.
"""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from helpers.theory import LinearGaussian, exact_elbo
from helpers.vae import (
    best_coefficient,
    gaussian_kl,
    gradient_check,
    gumbel,
    gumbel_softmax,
    leave_one_out,
    pathwise_gradient,
    score_gradient,
)


@pytest.fixture(autouse=True)
def in_double():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(torch.float32)


def nodes(d=1, n=60):
    """Noise (n^d, d) and weights (n^d,) with which a weighted sum is the mean over N(0, I)."""
    places, weights = np.polynomial.hermite.hermgauss(n)
    places, weights = torch.tensor(places) * math.sqrt(2), torch.tensor(weights) / math.sqrt(math.pi)
    grid = torch.cartesian_prod(*[places] * d).view(-1, d)
    return grid, torch.cartesian_prod(*[weights] * d).view(-1, d).prod(1)


def mean(values, weights):
    return weights @ values


def variance(values, weights):
    return mean(values.square(), weights) - mean(values, weights).square()


def slope(function, at, h=1e-5):
    """The derivatives of function(at) (d,) by differences."""
    steps = h * torch.eye(len(at))
    return torch.stack([(function(at + step) - function(at - step)) / (2 * h) for step in steps])


def integral(phi, f):
    """∫ q f dz for q = N(μ, σ²), φ = (μ, log σ²), on a grid; f takes z and φ."""
    z = torch.linspace(-14, 14, 20_001)
    q = Normal(phi[0], (phi[1] / 2).exp())
    return torch.trapezoid(q.log_prob(z).exp() * f(z, phi), z)


PHI = torch.tensor([0.4, -0.6], dtype=torch.float64)
MU, LOG_VAR = PHI[:1], PHI[1:]


def wave(z):
    return torch.sin(2 * z).sum(1) + 0.3 * z.square().sum(1) + 2


def wave_on_a_line(z, phi):
    return torch.sin(2 * z) + 0.3 * z.square() + 2


@pytest.fixture
def model():
    torch.manual_seed(1)
    return LinearGaussian(torch.randn(5, 1) + 0.7 * torch.randn(5, 2), torch.randn(5), 0.7)


@pytest.fixture
def start():
    torch.manual_seed(2)
    return torch.randn(2), torch.randn(2)


@pytest.fixture
def integrand(model):
    x, _ = model.sample(1)
    return x, lambda z: model.log_likelihood(x, z)


# A mean whose distribution moves


def test_a_mean_over_q_is_an_integral():
    """(11.1): quadrature in ε, and a sum over a grid of z."""
    eps, weights = nodes()
    by_draws = mean(wave(MU + (LOG_VAR / 2).exp() * eps), weights)
    assert torch.allclose(by_draws, integral(PHI, wave_on_a_line), atol=1e-9)


def test_a_mean_of_samples_has_no_gradient():
    mu = torch.tensor([0.4], requires_grad=True)
    assert not wave(Normal(mu, 1.0).sample((9,))).mean().requires_grad


def test_the_score_function_gives_the_gradient_of_the_integral():
    """(11.2): against differences of the integral."""
    eps, weights = nodes()
    by_score = mean(score_gradient(MU, LOG_VAR, wave, eps), weights)
    assert torch.allclose(by_score, slope(lambda phi: integral(phi, wave_on_a_line), PHI), atol=1e-7)


@pytest.mark.parametrize("baseline", [0.0, 3.0, -100.0])
def test_the_score_has_mean_zero_and_a_baseline_keeps_the_mean(baseline):
    """(11.3): and a large one costs variance."""
    eps, weights = nodes()
    score = score_gradient(MU, LOG_VAR, lambda z: torch.ones(len(z)), eps)
    assert mean(score, weights).abs().max() < 1e-10
    plain, other = (score_gradient(MU, LOG_VAR, wave, eps, b) for b in (0.0, baseline))
    assert torch.allclose(mean(other, weights), mean(plain, weights), atol=1e-9)
    if baseline == -100:
        assert (variance(other, weights) > 100 * variance(plain, weights)).all()


def test_the_score_of_a_gaussian_by_hand(start):
    """(11.4): against autograd, through the density itself and not its logarithm."""
    mu, log_var = (part.requires_grad_() for part in start)
    eps = torch.randn(6, 2)
    by_hand = torch.cat([eps / (log_var / 2).exp(), (eps**2 - 1) / 2], 1)
    z = (mu + (log_var / 2).exp() * eps).detach()
    for row, at in zip(by_hand, z, strict=True):
        density = (Normal(mu, (log_var / 2).exp()).log_prob(at).sum()).exp()
        whole = torch.cat(torch.autograd.grad(density, (mu, log_var))) / density
        assert torch.allclose(row, whole)
    ours = score_gradient(mu, log_var, lambda z: torch.ones(len(z)), eps)
    assert torch.allclose(ours, by_hand)


# The pathwise gradient


def test_the_map_turns_the_noise_into_q(start):
    """(11.5)."""
    mu, log_var = start
    sigma, z = (log_var / 2).exp(), torch.randn(9, 2)
    eps = (z - mu) / sigma
    bent = Normal(0.0, 1.0).log_prob(eps).sum(1).exp() / sigma.prod()
    assert torch.allclose(bent, Normal(mu, sigma).log_prob(z).sum(1).exp())


def test_the_pathwise_mean_is_the_gradient_of_the_integral():
    """(11.6): the mean against differences of the integral, each sample against the chain rule by hand."""
    eps, weights = nodes()
    by_path = pathwise_gradient(MU, LOG_VAR, wave, eps)
    assert torch.allclose(
        mean(by_path, weights), slope(lambda phi: integral(phi, wave_on_a_line), PHI), atol=1e-7
    )
    sigma = (LOG_VAR / 2).exp()
    z = MU + sigma * eps
    in_z = 2 * torch.cos(2 * z) + 0.6 * z
    assert torch.allclose(by_path, torch.cat([in_z, sigma * eps * in_z / 2], 1))


def test_each_sample_has_a_gradient_of_its_own():
    eps = torch.randn(7, 3)
    mu, log_var = torch.randn(3), torch.randn(3)
    for estimator in (score_gradient, pathwise_gradient):
        together = estimator(mu, log_var, wave, eps)
        alone = torch.cat([estimator(mu, log_var, wave, row[None]) for row in eps])
        assert together.shape == (7, 6) and torch.allclose(together, alone)


def test_a_jump_of_f_is_seen_by_the_score_function_alone():
    eps = torch.randn(100_000, 1)
    zero = torch.zeros(1)

    def step(z):
        return (z[:, 0] > 0) + 0 * z[:, 0]

    by_score, by_path = (each(zero, zero, step, eps)[:, 0] for each in (score_gradient, pathwise_gradient))
    assert (by_score.mean() - 1 / math.sqrt(2 * math.pi)).abs() < 4 * by_score.std() / 1e5**0.5
    assert by_path.abs().max() == 0


# On the exact model


def test_the_gradient_of_the_elbo_less_that_of_the_kl(model, integrand, start):
    """(11.7): both estimators at the nodes, where they are exact, against autograd of the closed form."""
    (x, f), (mu, log_var) = integrand, (part.requires_grad_() for part in start)
    exact = torch.cat(torch.autograd.grad(exact_elbo(model, x, mu[None], log_var[None]).sum(), (mu, log_var)))
    rate = torch.cat([mu, (log_var.exp() - 1) / 2]).detach()
    in_closed_form = torch.autograd.grad(gaussian_kl(mu[None], log_var[None]).sum(), (mu, log_var))
    assert torch.allclose(torch.cat(in_closed_form), rate)
    eps, weights = nodes(2, 12)
    for estimator in (score_gradient, pathwise_gradient):
        assert torch.allclose(mean(estimator(mu, log_var, f, eps), weights) - rate, exact, atol=1e-8)


def test_both_estimators_are_within_three_standard_errors_and_one_is_noisier(model, integrand, start):
    (x, f), (mu, log_var) = integrand, (part.requires_grad_() for part in start)
    exact = torch.cat(torch.autograd.grad(exact_elbo(model, x, mu[None], log_var[None]).sum(), (mu, log_var)))
    rate, k = torch.cat([mu, (log_var.exp() - 1) / 2]).detach(), 100_000
    spread = []
    for estimator in (score_gradient, pathwise_gradient):
        g = estimator(mu, log_var, f, torch.randn(k, 2)) - rate
        assert ((g.mean(0) - exact).abs() < 3 * g.std(0) / k**0.5).all()
        spread.append(g.var(0))
    assert (spread[0] > 2 * spread[1]).all()


def test_an_integrand_that_depends_on_the_parameters_adds_its_own_gradient():
    """(11.13): for f = sin(μ z) σ², and for f = −log q, whose second mean is zero."""
    eps, weights = nodes()
    z = MU + (LOG_VAR / 2).exp() * eps

    def moving(z, phi):
        return torch.sin(phi[0] * z) * phi[1].exp()

    first = mean(score_gradient(MU, LOG_VAR, lambda z: moving(z[:, 0], PHI), eps), weights)
    second = slope(lambda phi: mean(moving(z[:, 0], phi), weights), PHI)
    assert torch.allclose(first + second, slope(lambda phi: integral(phi, moving), PHI), atol=1e-7)
    assert second.abs().max() > 0.05

    def minus_log_q(z, phi):
        return -Normal(phi[0], (phi[1] / 2).exp()).log_prob(z)

    first = mean(score_gradient(MU, LOG_VAR, lambda z: minus_log_q(z[:, 0], PHI), eps), weights)
    assert torch.allclose(first, torch.tensor([0.0, 0.5]), atol=1e-9)  # of the entropy ½ log σ² + …
    assert slope(lambda phi: mean(minus_log_q(z[:, 0], phi), weights), PHI).abs().max() < 1e-7


def test_the_variance_of_a_linear_integrand():
    """(11.9)."""
    eps, weights = nodes()
    for c in (-3.0, 0.0, 10.0):
        given = (MU, LOG_VAR, lambda z, c=c: z[:, 0] + c, eps)
        score, path = (variance(each(*given)[:, 0], weights) for each in (score_gradient, pathwise_gradient))
        assert torch.allclose(score, ((MU + c) ** 2 / LOG_VAR.exp() + 2)[0]) and path.abs() < 1e-12


# Control variates


def test_the_parabola_of_a_control_variate():
    """(11.10): on two columns with other correlations, against a scan of c."""
    h = torch.randn(4000, 2) * torch.tensor([1.0, 3.0]) + torch.tensor([0.0, 5.0])
    g = h @ torch.tensor([[0.5, 0.0], [0.1, -0.7]]) + torch.randn(4000, 2)
    c = best_coefficient(g, h)
    for j in range(2):
        both = torch.cov(torch.stack([g[:, j], h[:, j]]))
        assert torch.allclose(c[j], both[0, 1] / both[1, 1])
        for other in torch.linspace(-2, 2, 41):
            left = (g[:, j] - other * h[:, j]).var()
            right = both[0, 0] - 2 * other * both[0, 1] + other**2 * both[1, 1]
            assert torch.allclose(left, right) and left >= (g[:, j] - c[j] * h[:, j]).var() - 1e-12
        rho = both[0, 1] / (both[0, 0] * both[1, 1]).sqrt()
        assert torch.allclose((g[:, j] - c[j] * h[:, j]).var() / both[0, 0], 1 - rho**2)


def test_the_best_baseline_is_a_mean_weighted_by_the_square_of_the_score():
    """(11.11): no other number of a scan gives less variance; it is (11.10) for f·s and s."""
    eps, weights = nodes()
    score = score_gradient(MU, LOG_VAR, lambda z: torch.ones(len(z)), eps)
    f = wave(MU + (LOG_VAR / 2).exp() * eps)
    best = mean(f[:, None] * score.square(), weights) / mean(score.square(), weights)
    plain = f[:, None] * score
    as_coefficient = mean(plain * score, weights) / variance(score, weights)
    assert torch.allclose(best, as_coefficient)
    for j in range(2):
        least = variance(score_gradient(MU, LOG_VAR, wave, eps, best[j])[:, j], weights)
        for b in best[j] + torch.linspace(-3, 3, 20):
            assert variance(score_gradient(MU, LOG_VAR, wave, eps, b)[:, j], weights) > least


def test_leaving_the_sample_out_keeps_the_mean_and_leaving_it_in_shrinks_it():
    """(11.12): all 27 ways to sample three times among three things, each with its probability."""
    a, f = torch.tensor([0.3, -0.5, 1.0]), torch.tensor([2.0, -1.0, 0.5])
    q = a.softmax(0)
    exact = q * (f - q @ f)
    scores = torch.eye(3) - q
    out, within = torch.zeros(3), torch.zeros(3)
    for drawn in itertools.product(range(3), repeat=3):
        rewards, drawn = f[list(drawn)], list(drawn)
        by_hand = torch.stack([(rewards.sum() - one) / 2 for one in rewards])
        assert torch.allclose(leave_one_out(rewards), by_hand)
        out += q[drawn].prod() * ((rewards - leave_one_out(rewards))[:, None] * scores[drawn]).mean(0)
        within += q[drawn].prod() * ((rewards - rewards.mean())[:, None] * scores[drawn]).mean(0)
    assert torch.allclose(out, exact) and torch.allclose(within, exact * 2 / 3)


# Choices


def test_the_gradient_of_a_mean_over_choices():
    """(11.14): against autograd, and as the mean of f times score."""
    a, f = torch.randn(5, requires_grad=True), torch.randn(5)
    q = a.softmax(0)
    (exact,) = torch.autograd.grad(q @ f, a)
    q = q.detach()
    assert torch.allclose(q * (f - q @ f), exact)
    assert torch.allclose(q @ (f[:, None] * (torch.eye(5) - q)), exact)


def test_gumbel_noise_has_a_double_exponential():
    """(11.15): 400,000 samples, within five standard errors; the same generator gives the same noise."""
    noise = gumbel((400_000,), torch.Generator().manual_seed(0))
    assert torch.equal(noise, gumbel((400_000,), torch.Generator().manual_seed(0)))
    for t in torch.linspace(-2, 5, 15):
        wanted = torch.exp(-torch.exp(-t))
        share = (noise <= t).double().mean()
        assert (share - wanted).abs() < 5 * (wanted * (1 - wanted) / 400_000).sqrt()


def test_the_largest_of_logits_with_gumbel_noise_is_a_sample_from_the_softmax():
    """(11.16): the integral on a grid, and frequencies."""
    a = torch.tensor([0.5, 0.0, -0.5, 1.0])
    t = torch.linspace(-12, 45, 100_001)
    stay_below = torch.exp(-torch.exp(a[:, None] - t))  # each by itself
    density = torch.exp(a[:, None] - t) * stay_below
    for i in range(4):
        others = torch.cat([stay_below[:i], stay_below[i + 1 :]]).prod(0)
        assert torch.allclose(torch.trapezoid(density[i] * others, t), a.softmax(0)[i], atol=1e-8)
    chosen = (a + gumbel((100_000, 4))).argmax(1).bincount(minlength=4) / 100_000
    assert ((chosen - a.softmax(0)).abs() < 5 * (a.softmax(0) / 100_000).sqrt()).all()


@pytest.mark.parametrize("tau", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("hard", [False, True])
def test_gumbel_softmax_is_that_of_pytorch(tau, hard):
    """(11.17), (11.18): values and gradients, with the noise that PyTorch draws from the same seed."""
    values, gradients = [], []
    for ours in (False, True):
        logits = torch.linspace(-1, 2, 12).view(3, 4).requires_grad_()
        torch.manual_seed(5)
        y = (
            gumbel_softmax(logits, tau, gumbel((3, 4)), hard)
            if ours
            else torch.nn.functional.gumbel_softmax(logits, tau, hard)
        )
        values.append(y.detach())
        gradients.append(torch.autograd.grad((y * torch.arange(4.0)).square().sum(), logits)[0])
    assert torch.allclose(*values) and torch.allclose(*gradients)
    assert torch.allclose(values[1].sum(1), torch.ones(3)) and (values[1] >= 0).all()


def test_temperature_goes_from_a_choice_to_a_mixture():
    """(11.17): (a + G)/τ, so one extreme is the largest alone, the other is uniform."""
    logits, noise = torch.randn(50, 4), gumbel((50, 4))
    assert torch.allclose(gumbel_softmax(logits, 1e-6, noise).amax(1), torch.ones(50))
    assert torch.allclose(gumbel_softmax(logits, 1e6, noise), torch.full((50, 4), 0.25), atol=1e-4)
    assert torch.allclose(gumbel_softmax(logits, 0.3, noise), ((logits + noise) / 0.3).softmax(1))


def bias_of_a_relaxation(f, tau, hard, k=200_000):
    """How far the mean of a relaxed gradient is off, and its standard error, relative to the exact length."""
    logits = torch.tensor([0.5, 0.0, -0.5, 1.0])
    a = logits.expand(k, 4).clone().requires_grad_()
    noise = gumbel((k, 4), torch.Generator().manual_seed(3))
    (g,) = torch.autograd.grad(f(gumbel_softmax(a, tau, noise, hard)).sum(), a)
    q, rewards = logits.softmax(0), f(torch.eye(4))
    exact = q * (rewards - q @ rewards)
    return (g.mean(0) - exact).norm() / exact.norm(), (g.var(0).sum() / k).sqrt() / exact.norm()


def curved(y):
    """An integrand that is no polynomial between the choices."""
    return (
        torch.exp(1.5 * y @ torch.tensor([1.0, -1.0, 0.5, 0.0]))
        + (y @ torch.tensor([0.0, 2.0, -1.0, 1.0])).cos()
    )


@pytest.mark.parametrize("hard", [False, True])
def test_a_relaxation_is_biased(hard):
    """(11.17), (11.18): by far more than its error at τ = 1; with τ the bias of the soft one falls to nothing."""
    bias, error = bias_of_a_relaxation(curved, 1.0, hard)
    assert bias > 20 * error and bias > 0.1
    small, its_error = bias_of_a_relaxation(curved, 0.05, hard)
    if not hard:
        assert small < 4 * its_error + 0.02


def test_straight_through_keeps_a_bias_at_every_temperature():
    """(11.18): where the slopes at the corners do not add up to the way between them; for a parabola they do."""
    bias, error = bias_of_a_relaxation(curved, 0.05, hard=True)
    assert bias > 5 * error

    def parabola(y):
        return (y @ torch.tensor([2.0, -1.0, 0.5, 0.0])).square() + y[:, 1]

    bias, error = bias_of_a_relaxation(parabola, 0.05, hard=True)
    assert bias < 4 * error


# Detached gradients


def minus_elbo(model, x, draw, detach_log_q=False, closed=False):
    """Minus the ELBO as a function of μ and log σ², with the bugs of section 7."""

    def loss(mu, log_var):
        q = Normal(mu, (log_var / 2).exp())
        z = draw(q)
        log_q = q.log_prob(z).sum(1)
        log_q = log_q.detach() if detach_log_q else log_q
        rate = gaussian_kl(mu[None], log_var[None]) if closed else log_q - model.log_prior(z)
        return (rate - model.log_likelihood(x, z)).mean()

    return loss


DRAWS = {
    "rsample": lambda q: q.rsample((8,)),
    "sample": lambda q: q.sample((8,)),
    "torch.normal": lambda q: torch.normal(q.mean.expand(8, 2), q.stddev.expand(8, 2)),
    "detach": lambda q: q.rsample((8,)).detach(),
    "through numpy": lambda q: torch.tensor(q.rsample((8,)).detach().numpy()),
}


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("detach_log_q", [False, True])
@pytest.mark.parametrize("draw", DRAWS)
def test_finite_differences_find_every_detached_sample(model, integrand, start, draw, detach_log_q, closed):
    """(11.8): autograd and the loss itself agree where nothing is detached, and only there."""
    (x, _), (mu, log_var) = integrand, (part.requires_grad_() for part in start)
    loss = minus_elbo(model, x, DRAWS[draw], detach_log_q, closed)
    if (
        detach_log_q and not closed and draw in ("sample", "detach", "through numpy")
    ):  # nothing is left to differentiate
        with pytest.raises(RuntimeError, match="does not require grad"):
            gradient_check(lambda: loss(mu, log_var), [mu, log_var])
        return
    claimed, done = gradient_check(lambda: loss(mu, log_var), [mu, log_var])
    whole = draw == "rsample" and (closed or not detach_log_q)
    assert torch.allclose(claimed, done, rtol=1e-4, atol=1e-5) == whole
    open_way = minus_elbo(model, x, DRAWS["rsample"], closed=closed)
    torch.manual_seed(0)
    by_autograd = torch.cat(torch.autograd.grad(open_way(mu, log_var), (mu, log_var)))
    if draw in (
        "rsample",
        "sample",
        "detach",
        "through numpy",
    ):  # torch.normal asks for its noise in another order
        assert torch.allclose(done, by_autograd, rtol=1e-4, atol=1e-5)


def test_finite_differences_leave_parameters_and_random_state_as_they_were():
    weight = torch.randn(2, 3, requires_grad=True)
    unused = torch.randn(2, requires_grad=True)
    before, state = weight.detach().clone(), torch.get_rng_state()
    claimed, done = gradient_check(lambda: (weight * torch.randn(2, 3)).sum().square(), [weight, unused])
    assert torch.equal(weight, before) and torch.equal(torch.get_rng_state(), state)
    assert claimed.shape == done.shape == (8,) and torch.allclose(claimed, done, rtol=1e-5)
    assert (claimed[6:] == 0).all() and weight.grad is None


def test_a_surrogate_loss_fails_the_check_and_has_the_right_gradient_on_average(integrand, start):
    (_, f), (mu, log_var) = integrand, (part.requires_grad_() for part in start)

    def surrogate():
        q = Normal(mu, (log_var / 2).exp())
        z = q.sample((5,))
        return (f(z).detach() * q.log_prob(z).sum(1)).mean()

    claimed, done = gradient_check(surrogate, [mu, log_var])
    assert not torch.allclose(claimed, done, rtol=0.1)
    torch.manual_seed(0)
    eps = torch.randn(5, 2)
    assert torch.allclose(claimed, score_gradient(mu, log_var, f, eps).mean(0))
