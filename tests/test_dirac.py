"""The Dirac-GAN: closed forms against autograd of the course's own losses, and against long runs. Float64."""

import cmath
import math

import pytest
import torch

from helpers.gan import (
    discriminator_loss,
    gradient_norm_squared,
    non_saturating,
    saturating,
    wasserstein_critic,
    wasserstein_generator,
)
from helpers.theory import (
    alternating,
    dirac_alternating,
    dirac_eigenvalues,
    dirac_minimax,
    dirac_non_saturating,
    dirac_path,
    dirac_simultaneous,
    dirac_wasserstein,
    path,
    simultaneous,
)

GAMES = {
    "minimax": (dirac_minimax, discriminator_loss, saturating),
    "non-saturating": (dirac_non_saturating, discriminator_loss, non_saturating),
    "wasserstein": (dirac_wasserstein, wasserstein_critic, wasserstein_generator),
}
each_game = pytest.mark.parametrize(("slopes", "d_loss", "g_loss"), GAMES.values(), ids=GAMES)
each_gamma = pytest.mark.parametrize("gamma", [0.0, 0.3, 2.0])
RATES = (0.1, 0.25)  # unequal, so that an exchange shows
START = (0.9, -0.4)


def field(theta, psi, d_loss, g_loss, gamma):
    """What each player's own loss, with R1 from the penalty of this course, tells it to do: minus the gradients."""
    real = torch.zeros(1, 1, dtype=torch.float64)
    at = psi * theta.view(1)  # D(x) = ψx at x = θ
    r1 = gamma / 2 * gradient_norm_squared(lambda x: psi * x.squeeze(1), real)
    (to_psi,) = torch.autograd.grad(
        (d_loss(psi * real[0], at) + r1).sum(), psi, create_graph=True, retain_graph=True
    )
    (to_theta,) = torch.autograd.grad(g_loss(at).sum(), theta, create_graph=True)
    return -to_theta, -to_psi


def number(value):
    return torch.tensor(value, dtype=torch.float64, requires_grad=True)


@each_game
@each_gamma
@pytest.mark.parametrize("point", [START, (-2.0, -1.5), (0.0, 1.0), (30.0, 40.0), (30.0, -40.0)])
def test_a_step_is_a_step_along_the_gradients_of_the_losses(slopes, d_loss, g_loss, gamma, point):
    g_rate, d_rate = RATES
    to_theta, to_psi = field(number(point[0]), number(point[1]), d_loss, g_loss, gamma)
    expected = point[0] + g_rate * to_theta.item(), point[1] + d_rate * to_psi.item()
    assert dirac_simultaneous(point, slopes, *RATES, gamma) == pytest.approx(expected, rel=1e-12)
    # alternating: first D, then G against the new ψ
    to_theta, _ = field(number(point[0]), number(expected[1]), d_loss, g_loss, gamma)
    expected = point[0] + g_rate * to_theta.item(), expected[1]
    assert dirac_alternating(point, slopes, *RATES, gamma) == pytest.approx(expected, rel=1e-12)


def by_size(values):
    return sorted(values, key=lambda value: (round(value.real, 9), round(value.imag, 9)))


@each_game
@each_gamma
@pytest.mark.parametrize("rates", [(1.0, 1.0), RATES, (0.1, 5.0)])
def test_eigenvalues_are_those_of_the_autograd_jacobian(slopes, d_loss, g_loss, gamma, rates):
    theta, psi = number(0.0), number(0.0)
    flow = field(theta, psi, d_loss, g_loss, gamma)
    rows = [
        torch.stack(torch.autograd.grad(rate * part, (theta, psi), retain_graph=True, materialize_grads=True))
        for rate, part in zip(rates, flow, strict=True)
    ]
    oracle = by_size(torch.linalg.eigvals(torch.stack(rows)).tolist())
    # a double root is found only to the square root of rounding
    for found, expected in zip(by_size(dirac_eigenvalues(slopes, *rates, gamma)), oracle, strict=True):
        assert abs(found - expected) < 1e-7


@each_game
def test_without_r1_they_are_imaginary_whatever_the_rates(slopes, d_loss, g_loss):
    slope = math.sqrt(math.prod(slopes(0.0)))
    assert slope == (1 if slopes is dirac_wasserstein else 0.5)
    for rates in ((1.0, 1.0), RATES, (0.01, 100.0)):
        for value in dirac_eigenvalues(slopes, *rates):
            assert value.real == 0 and abs(abs(value.imag) - slope * math.sqrt(math.prod(rates))) < 1e-15


def test_the_wasserstein_dirac_gan_is_the_bilinear_game():
    """With x = θ and y = −ψ it is min over x, max over y of xy: notebook 03's steps, written there on their own."""
    mirrored = torch.tensor([1.0, -1.0]).double()
    mine = dirac_path(dirac_simultaneous, dirac_wasserstein, (0.8, 0.6), 50, 0.2, 0.2)
    assert torch.allclose(mine * mirrored, path(simultaneous, (0.8, -0.6), 0.2, 50))
    # there x moves first, here D, which is y: exchanging the players turns the picture by a quarter
    mine = dirac_path(dirac_alternating, dirac_wasserstein, (0.8, 0.6), 50, 0.2, 0.2)
    theirs = path(alternating, (0.6, 0.8), 0.2, 50)  # (x, y) = (ψ, θ): ψ − ηθ, then θ + ηψ
    assert torch.allclose(mine.flip(1), theirs)


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_simultaneous_steps_of_the_minimax_game_spiral_out(rate):
    """r grows by √(1 + h² σ(a)²) at each step, exactly: no step ever comes nearer."""
    points = dirac_path(dirac_simultaneous, dirac_minimax, START, 4000, rate, rate)
    squares, a = points.square().sum(1), points.prod(dim=1)
    assert torch.allclose(squares[1:], squares[:-1] * (1 + rate**2 * a[:-1].sigmoid().square()))
    assert squares[-1] > 4 * squares[0]


@pytest.mark.parametrize("rate", [0.05, 0.2])
@pytest.mark.parametrize("slopes", [dirac_minimax, dirac_wasserstein])
def test_alternating_steps_circle(rate, slopes):
    radius = dirac_path(dirac_alternating, slopes, START, 5000, rate, rate).norm(dim=1)
    assert radius.max() / radius.min() < 1 + 1.2 * rate
    assert abs(radius[:1000].mean() / radius[-1000:].mean() - 1) < 0.01


def test_the_flow_of_the_non_saturating_game_comes_home_slower_than_any_exponential():
    """d(r²)/dt = −2a tanh(a/2) from the field of autograd, and r₀/√(1 + r₀² t/8) from alternating steps."""
    theta, psi = number(1.3), number(-0.7)
    to_theta, to_psi = field(theta, psi, discriminator_loss, non_saturating, 0.0)
    a = (theta * psi).detach()
    assert torch.allclose(
        (2 * (theta * to_theta + psi * to_psi)).detach().squeeze(), -2 * a * torch.tanh(a / 2)
    )
    for rate in (0.05, 0.2):
        radius = dirac_path(dirac_alternating, dirac_non_saturating, (1.0, 0.0), 20_000, rate, rate).norm(
            dim=1
        )
        for steps in (1000, 5000, 20_000):
            around = radius[steps - 100 : steps + 1].mean()
            assert abs(around * math.sqrt(1 + rate * steps / 8) - 1) < 0.05


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("start", [(0.1, 0.0), (3.0, 0.0)])
def test_simultaneous_steps_of_the_non_saturating_game_end_on_a_circle(rate, start):
    """Of radius about √(2h), from inside and from outside."""
    radius = dirac_path(dirac_simultaneous, dirac_non_saturating, start, 15_000, rate, rate).norm(dim=1)
    last = radius[-1000:]
    assert abs(last.mean() / math.sqrt(2 * rate) - 1) < 0.02 and last.max() / last.min() < 1 + rate


def shrink(points, late, until):
    """The factor a step, over whole turns far from the start."""
    radius = points.norm(dim=1)
    return ((radius[until] / radius[late]) ** (1 / (until - late))).item()


@each_game
@pytest.mark.parametrize("rates", [(0.05, 0.05), (0.02, 0.1), (0.1, 0.02)])
def test_with_r1_steps_converge_at_the_predicted_rate(slopes, d_loss, g_loss, rates):
    """|1 + λ| for simultaneous steps, √(1 − γh_D) for alternating ones while the roots are complex."""
    gamma = 0.3
    value = dirac_eigenvalues(slopes, *rates, gamma)[0]
    assert value.imag != 0
    for step, expected in (
        (dirac_simultaneous, abs(1 + value)),
        (dirac_alternating, math.sqrt(1 - gamma * rates[1])),
    ):
        points = dirac_path(step, slopes, (0.1, 0.1), 6000, *rates, gamma)
        assert points[-1].norm() < points[0].norm() / 10
        assert abs(math.log(shrink(points, 2000, 6000)) / math.log(expected) - 1) < 0.05


@each_game
@each_gamma
def test_the_multipliers_of_an_alternating_step(slopes, d_loss, g_loss, gamma):
    """The roots of the quadratic in the docstring, against the Jacobian of the step by central differences."""
    (g_rate, d_rate), h = RATES, 1e-6
    columns = []
    for push in ((h, 0.0), (0.0, h)):
        ends = [dirac_alternating((s * push[0], s * push[1]), slopes, *RATES, gamma) for s in (1, -1)]
        columns.append([(up - down) / (2 * h) for up, down in zip(*ends, strict=True)])
    oracle = by_size(torch.linalg.eigvals(torch.tensor(columns).double().T).tolist())
    half = (2 - gamma * d_rate - math.prod(slopes(0.0)) * g_rate * d_rate) / 2
    root = cmath.sqrt(half**2 - (1 - gamma * d_rate))
    for found, expected in zip(by_size([half + root, half - root]), oracle, strict=True):
        assert abs(found - expected) < 1e-6


def test_two_time_scales_help_only_what_r1_already_damps():
    """γ = 0: a D ten times faster still circles. γ > 0: faster is better up to γ²h_D = 4c²h_G, then no better."""
    g_rate, gamma = 0.01, 1.0
    fast = dirac_path(dirac_alternating, dirac_minimax, (0.1, 0.1), 20_000, g_rate, 10 * g_rate)
    energy = fast[:, 0].square() / g_rate + fast[:, 1].square() / (10 * g_rate)  # the ellipse of the flow
    assert 0.9 < energy[-2000:].mean() / energy[:2000].mean() < 1.1

    def slowest(ratio):
        return max(value.real for value in dirac_eigenvalues(dirac_minimax, g_rate, ratio * g_rate, gamma))

    critical = 4 * 0.25 / gamma**2  # the ratio h_D/h_G
    below, above = [slowest(critical * r) for r in (0.1, 0.3, 0.9, 1.0)], [slowest(r) for r in (2, 10, 100)]
    assert below == sorted(below, reverse=True)  # more negative: faster
    assert above == sorted(above) and all(value > below[-1] for value in above)
    assert abs(slowest(1000) / (-0.25 * g_rate / gamma) - 1) < 0.01
    # and measured, in the game itself
    points = dirac_path(dirac_simultaneous, dirac_minimax, (0.1, 0.0), 3000, g_rate, 10 * g_rate, gamma)
    assert abs(math.log(shrink(points, 1000, 3000)) / math.log(1 + slowest(10)) - 1) < 0.02


def test_far_points_do_not_overflow():
    points = dirac_path(dirac_simultaneous, dirac_minimax, (100.0, -50.0), 5, 0.1, 0.1)
    assert points.isfinite().all() and points.dtype == torch.float64 and points.shape == (6, 2)
