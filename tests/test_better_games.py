"""Each displayed equation of notebook 08, executed against an oracle that cannot share its mistake. Float64."""

import itertools
import math

import pytest
import sympy
import torch
from scipy.optimize import linprog
from scipy.stats import wasserstein_distance
from torch import nn
from torch.distributions import Bernoulli, Normal
from torch.nn.utils.parametrizations import spectral_norm

from helpers.gan import (
    gradient_norm_squared,
    gradient_penalty,
    hinge_discriminator,
    hinge_generator,
    least_squares_discriminator,
    least_squares_generator,
    relativistic,
    wasserstein_critic,
    wasserstein_generator,
)
from helpers.studies.critics import operator_norm
from helpers.theory import discrete_js, wasserstein_1d, wasserstein_exact, wasserstein_lp


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def points(n, d=2):
    return torch.randn(n, d, dtype=torch.float64)


def weights(n):
    return torch.softmax(torch.randn(n, dtype=torch.float64), 0)


def distances(a, b):
    return (a[:, None] - b).norm(dim=2)


@pytest.mark.parametrize("theta", [0.0, 0.25, 0.5, 1.0, 1.5, 3.0])
def test_js_of_two_intervals_stops_and_w1_goes_on(theta):
    """(8.1) on 200 boxes an interval; W₁ by SciPy."""
    n = 200
    p = torch.zeros(5 * n, dtype=torch.float64)
    p[:n] = 1 / n
    q = p.roll(round(theta * n))
    places = torch.arange(5 * n) / n
    assert abs(discrete_js(p, q) - min(theta, 1) * math.log(2)) < 1e-12
    assert abs(wasserstein_distance(places, places, p, q) - theta) < 1e-9
    assert abs(wasserstein_1d(places[:n], places[:n] + theta) - theta) < 1e-6


def test_the_cheapest_plan_of_two_and_two():
    """(8.2) where one number is free: the mass t from the first to the first; a fine grid of t."""
    cost, p, q = distances(points(2), points(2)), weights(2), weights(2)
    low, high = max(0.0, (p[0] - q[1]).item()), min(p[0], q[0]).item()
    t = torch.linspace(low, high, 10_001, dtype=torch.float64)
    plans = torch.stack([t, p[0] - t, q[0] - t, q[1] - p[0] + t]).clamp(min=0)
    assert torch.allclose(plans[:2].sum(0), p[0]) and torch.allclose(plans[1] + plans[3], q[1])
    assert abs((plans * cost.flatten()[:, None]).sum(0).min() - wasserstein_lp(p, q, cost)[0]) < 1e-9


@pytest.mark.parametrize("n", [1, 2, 6])
def test_on_a_line_sorting_beats_every_permutation(n):
    """(8.3) against all n! plans, and the argument for it: two crossing ways, uncrossed, never cost more."""
    a, b = torch.randn(2, n, dtype=torch.float64)
    every = torch.stack([(a - b[list(order)]).abs().mean() for order in itertools.permutations(range(n))])
    by_hand = sum(abs(x - y) for x, y in zip(sorted(a.tolist()), sorted(b.tolist()), strict=True)) / n
    assert abs(every.min() - by_hand) < 1e-12 and abs(wasserstein_1d(a, b) - by_hand) < 1e-12
    starts, ends = torch.randn(2, 5000, 2).sort(dim=2).values
    assert ((starts - ends).abs().sum(1) <= (starts - ends.flip(1)).abs().sum(1) + 1e-6).all()


def test_every_landscape_is_a_lower_bound_on_every_plan():
    """(8.4): random plans with the right sums, and landscapes that are 1-Lipschitz because their gradients say so."""
    for _ in range(200):
        a, b, plan = points(5), points(4) + 1, torch.rand(5, 4).double()
        plan = plan / plan.sum()
        p, q, cost = plan.sum(1), plan.sum(0), distances(a, b)
        direction, centre = nn.functional.normalize(points(1)), 3 * points(1)
        for u in (
            lambda x, d=direction: (x @ d.T)[:, 0],
            lambda x, d=direction: torch.sin((x @ d.T)[:, 0]),
            lambda x, c=centre: (x - c).norm(dim=1),
        ):
            descent = (plan * (u(a)[:, None] - u(b))).sum()
            assert torch.isclose(p @ u(a) - q @ u(b), descent)
            assert descent <= (plan * cost).sum() + 1e-12


def test_the_prices_solve_the_dual_programme():
    """(8.9): the carrier's own programme, given to SciPy, earns what ours says."""
    a, b, p, q = points(6), points(5) + 1, weights(6), weights(5)
    cost = distances(a, b)
    conditions = torch.zeros(30, 11)
    for k, (i, j) in enumerate(itertools.product(range(6), range(5))):
        conditions[k, i] = conditions[k, 6 + j] = 1
    most = linprog(
        -torch.cat([p, q]).numpy(),
        A_ub=conditions.numpy(),
        b_ub=cost.flatten().numpy(),
        bounds=(None, None),
    )
    value, f, g = wasserstein_lp(p, q, cost)
    assert abs(-most.fun - (p @ f + q @ g)) < 1e-9 and abs(-most.fun - value) < 1e-9
    assert (f[:, None] + g <= cost + 1e-9).all()


def test_no_allowed_prices_earn_more_than_any_plan_costs():
    """(8.10) for random prices, lowered until allowed, and random plans with the right sums."""
    for _ in range(200):
        cost, f, g = distances(points(5), points(4)), torch.randn(5).double(), torch.randn(4).double()
        f = f - (f[:, None] + g - cost).max().clamp(min=0)
        plan = torch.rand(5, 4).double()
        plan = plan / plan.sum()
        p, q = plan.sum(1), plan.sum(0)
        earned = p @ f + q @ g
        assert torch.isclose(earned, (plan * (f[:, None] + g)).sum())
        assert earned <= (plan * cost).sum() + 1e-12 and earned <= wasserstein_lp(p, q, cost)[0] + 1e-9


def potential(b, g):
    """u(x) = minⱼ (|x − yⱼ| − gⱼ), the prices as one function on the whole plane."""
    return lambda x: (distances(x, b) - g).min(dim=1).values


def test_the_prices_are_one_function_of_slope_1_that_no_other_beats():
    """(8.5): u from the prices reaches W₁ and is nowhere steeper than 1; other functions of slope 1 earn less."""
    a, b, p, q = points(12), points(9) + 1, weights(12), weights(9)
    value, f, g = wasserstein_lp(p, q, distances(a, b))
    u = potential(b, g)
    assert (u(a) >= f - 1e-9).all() and (u(b) <= -g + 1e-9).all()
    assert abs(p @ u(a) - q @ u(b) - value) < 1e-9
    here, there = 3 * points(4000), 3 * points(4000)
    assert ((u(here) - u(there)).abs() <= (here - there).norm(dim=1) + 1e-12).all()
    for _ in range(200):
        direction, centre = nn.functional.normalize(points(1)), 3 * points(1)
        for other in (
            lambda x, d=direction: (x @ d.T)[:, 0],
            lambda x, c=centre: (x - c).norm(dim=1),
            lambda x, d=direction: torch.sin(x @ d.T)[:, 0],
        ):
            assert abs(p @ other(a) - q @ other(b)) <= value + 1e-9


def test_on_a_line_the_critic_follows_the_cumulatives():
    """(8.11) on a fine grid: the identity for smooth u, the bound, and equality for u' = sign(H − F)."""
    x = torch.linspace(-12, 12, 48_001, dtype=torch.float64)
    dx = x[1] - x[0]
    modes = (Normal(-1.5, 0.8), Normal(2.0, 0.5)), Normal(0.3, 1.1)
    p = (0.3 * modes[0][0].log_prob(x).exp() + 0.7 * modes[0][1].log_prob(x).exp()) * dx
    q = modes[1].log_prob(x).exp() * dx
    F, H = 0.3 * modes[0][0].cdf(x) + 0.7 * modes[0][1].cdf(x), modes[1].cdf(x)
    area = (F - H).abs().sum() * dx
    for u, slope in ((torch.sin(x), torch.cos(x)), (x, torch.ones_like(x)), (x.square() / 24, x / 12)):
        earned = (p - q) @ u
        assert abs(earned - (slope * (H - F)).sum() * dx) < 1e-6 and earned <= area + 1e-6
    best = (H - F).sign().cumsum(0) * dx
    assert abs((p - q) @ best - area) < 1e-3
    # and the area is what sorting finds: quantiles of both
    u = (torch.arange(20_000).double() + 0.5) / 20_000
    a, b = (x[torch.searchsorted(cumulative, u)] for cumulative in (F, H))
    assert abs(wasserstein_1d(a, b) - area) < 2e-3


def test_the_wasserstein_game_is_the_formula_with_its_sign_turned():
    """(8.6): minus the mean of L_D is E u(x) − E u(y), and the derivative of G's loss in each output is −1."""
    real, fake = points(50), points(50).requires_grad_()
    critic = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0)).double()
    value = critic(real).mean() - critic(fake).mean()
    assert torch.isclose(-wasserstein_critic(critic(real), critic(fake)).mean(), value)
    (down,) = torch.autograd.grad(wasserstein_generator(critic(fake)).sum(), fake)
    (uphill,) = torch.autograd.grad(critic(fake).sum(), fake)
    assert torch.allclose(down, -uphill)
    assert wasserstein_critic(torch.ones(1), torch.zeros(1)) < wasserstein_critic(
        torch.zeros(1), torch.ones(1)
    )


def test_the_perfect_critic_has_slope_1_along_the_best_ways():
    """Why the gradient penalty asks for it: on each segment of the best assignment u falls by the distance gone."""
    a, b = points(20), points(20) + 1.5
    even = torch.full((20,), 1 / 20, dtype=torch.float64)
    cost = distances(a, b)
    _, f, g = wasserstein_lp(even, even, cost)
    u, pairs = potential(b, g), (f[:, None] + g - cost).abs() < 1e-9  # where the price is fully used
    assert pairs.any(dim=0).all() and pairs.any(dim=1).all()
    for i, j in pairs.nonzero().tolist():
        t = torch.linspace(0, 1, 11, dtype=torch.float64)[:, None]
        way = a[i] + t * (b[j] - a[i])
        assert torch.allclose(u(way), u(a[i : i + 1]) - t[:, 0] * cost[i, j], atol=1e-8)


def test_the_gradient_penalty_by_finite_differences():
    """(8.7) with ε drawn a second time from the same seed."""
    critic = nn.Sequential(nn.Linear(3, 9), nn.Tanh(), nn.Linear(9, 1), nn.Flatten(0)).double()
    real, fake, h = points(7, 3), points(7, 3), 1e-6
    penalty = gradient_penalty(critic, real, fake, torch.Generator().manual_seed(5))
    eps = torch.rand(7, generator=torch.Generator().manual_seed(5), dtype=torch.float64)[:, None]
    x = eps * real + (1 - eps) * fake
    with torch.no_grad():
        slopes = [(critic(x + h * unit) - critic(x - h * unit)) / (2 * h) for unit in torch.eye(3).double()]
    assert torch.allclose(penalty, (torch.stack(slopes).norm(dim=0) - 1).square(), atol=1e-7)


def test_the_bias_of_the_soft_penalty():
    """(8.8), symbolically."""
    s, w, penalty = sympy.symbols("s W lambda", positive=True)
    J = s * w - penalty * (s - 1) ** 2
    (best,) = sympy.solve(J.diff(s), s)
    assert (
        sympy.simplify(best - 1 - w / (2 * penalty)) == 0 and sympy.simplify(J.diff(s, 2) + 2 * penalty) == 0
    )


def test_a_chain_of_dense_layers_is_no_steeper_than_the_product_of_its_norms():
    """(8.12), before and after spectral normalisation."""
    layers = [nn.Linear(4, 16), nn.Linear(16, 16), nn.Linear(16, 1)]
    here, there = 3 * torch.randn(2, 3000, 4)

    def steepest_chord():
        net = nn.Sequential(layers[0], nn.LeakyReLU(0.2), layers[1], nn.LeakyReLU(0.2), layers[2])
        with torch.no_grad():
            return ((net(here) - net(there)).norm(dim=1) / (here - there).norm(dim=1)).max().item()

    product = math.prod(torch.linalg.svdvals(layer.weight)[0].item() for layer in layers)
    assert 0 < steepest_chord() <= product
    for layer in layers:
        layer.weight.data *= 3
    assert steepest_chord() > 1
    for layer in layers:
        spectral_norm(layer, n_power_iterations=100)
        layer.weight  # noqa: B018 (each look in training mode is a round of power iteration)
        layer.eval()
    assert steepest_chord() <= 1 + 1e-4


@pytest.mark.parametrize("n", [1, 4, 9])
def test_the_norm_of_the_blur(n):
    """(8.13) from the matrix itself: a band in each direction, its entries 1/√3."""
    band = torch.ones(n, n).tril(1).triu(-1).double() / math.sqrt(3)
    expected = (1 + 2 * math.cos(math.pi / (n + 1))) ** 2 / 3
    assert abs(torch.linalg.svdvals(torch.kron(band, band))[0] - expected) < 1e-12
    blur = nn.Conv2d(1, 1, 3, padding=1)
    nn.init.constant_(blur.weight, 1 / 3)
    assert abs(torch.linalg.svdvals(blur.weight.flatten(1))[0] - 1) < 1e-6
    assert abs(operator_norm(blur, (1, n, n)) - expected) < 1e-3


def test_least_squares():
    """(8.14): the losses by PyTorch's mean squared error, the best output symbolically."""
    real, fake = torch.randn(2, 30).double()
    half = nn.MSELoss(reduction="none")
    by_torch = (half(real, torch.ones(30).double()) + half(fake, torch.zeros(30).double())) / 2
    assert torch.allclose(least_squares_discriminator(real, fake), by_torch)
    assert torch.allclose(least_squares_generator(fake), half(fake, torch.ones(30).double()) / 2)
    p, q, a = sympy.symbols("p q a", positive=True)
    (best,) = sympy.solve((p * (a - 1) ** 2 / 2 + q * a**2 / 2).diff(a), a)
    assert sympy.simplify(best - p / (p + q)) == 0


def test_hinge():
    """(8.15): free beyond the margins; the best output by search is at a margin and leaves 2 min(p, q)."""
    torch.testing.assert_close(
        hinge_discriminator(torch.tensor([3.0, 1, 0, -2]), torch.tensor([-4.0, -1, 0, 2])),
        torch.tensor([0.0, 0, 2, 6]),
    )
    assert torch.equal(hinge_generator(torch.tensor([3.0, -1])), torch.tensor([-3.0, 1]))
    a, safe = torch.linspace(-5, 5, 10_001, dtype=torch.float64), torch.full((10_001,), 9.0).double()
    for p, q in ((0.7, 0.2), (0.1, 0.4), (1.3, 1.2)):
        loss = p * hinge_discriminator(a, -safe) + q * hinge_discriminator(safe, a)
        assert (
            abs(a[loss.argmin()] - math.copysign(1, p - q)) < 2e-3 and abs(loss.min() - 2 * min(p, q)) < 1e-6
        )


def test_relativistic():
    """(8.16): a Bernoulli whose logit is the difference; at log p − log q the mean over pairs has no slope."""
    real, fake = torch.randn(2, 30).double()
    pair = Bernoulli(logits=real - fake)
    assert torch.allclose(relativistic(real, fake), -pair.log_prob(torch.ones(30).double()))
    assert torch.allclose(relativistic(fake, real), -pair.log_prob(torch.zeros(30).double()))
    p, q = weights(40), weights(40)
    for shift in (0.0, 3.0):
        logit = (p.log() - q.log() + shift).requires_grad_()
        pairs = logit[:, None].expand(40, 40), logit[None, :].expand(40, 40)
        mean = (p[:, None] * q * relativistic(*pairs)).sum()
        (slope,) = torch.autograd.grad(mean, logit)
        assert slope.abs().max() < 1e-12
        bent = (p[:, None] * q * relativistic(*(2 * each for each in pairs))).sum()
        assert bent > mean


def test_r1_and_r2_are_squared_slopes():
    """(8.17) of |x|²/2 + ax, whose gradient is x + a, at real and at fake points."""
    a, real, fake = points(1)[0], points(9), points(9)
    for x in (real, fake):
        found = gradient_norm_squared(lambda y: y.square().sum(1) / 2 + y @ a, x)
        assert torch.allclose(found, (x + a).square().sum(1))


@pytest.mark.parametrize("penalty", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("start", [(1.0, -0.1), (0.5, -1.0), (-1.0, 0.1)])
def test_a_penalised_critic_leaves_the_dirac_gan_two_lambda_away(penalty, start):
    """θ̇ = ψ, ψ̇ = −θ − 2λ(ψ − sign ψ) rests at |θ| = 2λ, ψ = 0: its eigenvalues there are −λ ± √(λ² − 1)."""
    theta, psi = start
    for _ in range(20_000):
        psi -= 0.02 * (theta + 2 * penalty * (psi - math.copysign(1, psi)))
        theta += 0.02 * psi
    assert abs(abs(theta) - 2 * penalty) < 1e-3 and abs(psi) < 1e-3
    assert wasserstein_exact(torch.tensor([[theta]]), torch.zeros(1, 1)) > 1.9 * penalty
