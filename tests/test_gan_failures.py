"""The equations of notebook 07, each against an oracle that does not share its derivation; its study of collapse."""

import json
import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from helpers.data import ring
from helpers.gan import (
    PointDiscriminator,
    PointGenerator,
    discriminator_loss,
    discriminator_step,
    gradient_norm_squared,
    non_saturating,
    saturating,
    wasserstein_critic,
    wasserstein_generator,
)
from helpers.studies import RESULTS, study
from helpers.studies.collapse import GAMES, LOSSES, SEEDS, forward_kl, game, reverse_kl, with_r1
from helpers.theory import (
    dirac_alternating,
    dirac_eigenvalues,
    dirac_minimax,
    dirac_non_saturating,
    dirac_path,
    dirac_simultaneous,
    dirac_wasserstein,
)

GAMES_OF_TWO = {
    dirac_minimax: (discriminator_loss, saturating),
    dirac_non_saturating: (discriminator_loss, non_saturating),
    dirac_wasserstein: (wasserstein_critic, wasserstein_generator),
}
each_game = pytest.mark.parametrize("slopes", GAMES_OF_TWO, ids=lambda slopes: slopes.__name__)


def double(value):
    return torch.tensor(value, dtype=torch.float64, requires_grad=True)


# Vanishing gradients


def test_the_pull_on_a_logit():
    """(7.1): autograd and central differences of both losses against −σ(a) and −σ(−a)."""
    a, h = torch.linspace(-30.1, 30.1, 242, dtype=torch.float64, requires_grad=True), 1e-5
    for loss, formula in ((saturating, -a.sigmoid()), (non_saturating, -(1 - a.sigmoid()))):
        (found,) = torch.autograd.grad(loss(a).sum(), a)
        assert (found - formula).abs().max() < 1e-8  # PyTorch's softplus is a straight line above 20
        with torch.no_grad():
            assert ((loss(a + h) - loss(a - h)) / (2 * h) - formula).abs().max() < 1e-8


def test_the_ratio_at_the_parameters_is_e_to_the_logit():
    """(7.2): all parameters of a G that has trained, sample by sample, in float64."""
    torch.manual_seed(0)
    generator, discriminator, data = PointGenerator().double(), PointDiscriminator().double(), ring()
    optimiser = torch.optim.Adam(discriminator.parameters(), 1e-2)
    for _ in range(40):
        z = torch.randn(64, 2, dtype=torch.float64)
        discriminator_step(generator, discriminator, optimiser, data.sample(64).double(), z)
    logits = []
    for z in 3 * torch.randn(10, 1, 2, dtype=torch.float64):
        logit = discriminator(generator(z))
        weak, strong = (
            torch.autograd.grad(loss(logit).sum(), [*generator.parameters()], retain_graph=True)
            for loss in (saturating, non_saturating)
        )
        for a, b in zip(weak, strong, strict=True):
            assert torch.allclose(a, logit.exp() * b, rtol=1e-10, atol=1e-14 * b.abs().max().item())
        logits.append(logit.item())
    assert min(logits) < -3  # not a comparison of equals


# Mode collapse


def test_two_losses_descend_the_two_kls():
    """(7.4): Monte Carlo with D fixed at D*, against the closed form of KLs of Gaussians in the plane, four errors."""
    torch.manual_seed(0)
    m, p_std, q_std = double([0.6, -0.4]), 1.0, 0.8
    p = MultivariateNormal(torch.zeros(2).double(), p_std**2 * torch.eye(2).double())
    q = MultivariateNormal(m.detach(), q_std**2 * torch.eye(2).double())
    n = 400_000
    fake = q.sample((n,))
    a = p.log_prob(fake) - q.log_prob(fake)
    score = (fake - m.detach()) / q_std**2  # ∇ log q in the mean: the gradient of E_q f is E_q f ∇ log q
    for loss, kl_gradient in ((reverse_kl, m.detach() / p_std**2), (forward_kl, m.detach() / q_std**2)):
        terms = loss(a)[:, None] * score
        error = terms.std(0) / math.sqrt(n)
        assert ((terms.mean(0) - kl_gradient).abs() < 4 * error).all()
        assert (kl_gradient.abs() > 20 * error).all()


def test_r1_adds_half_its_weight_times_the_squared_slope_at_the_real_points():
    torch.manual_seed(0)
    discriminator, real = PointDiscriminator(), torch.randn(5, 2, requires_grad=True)
    logits, fake_logits = discriminator(real), torch.randn(5)
    (slope,) = torch.autograd.grad(logits.sum(), real)
    expected = -logits.sigmoid().log() - (-fake_logits).sigmoid().log() + 0.35 * slope.square().sum(1)
    assert torch.allclose(with_r1(discriminator, real, 0.7, logits, fake_logits), expected)


def test_the_study_names_what_it_played():
    content = json.loads((RESULTS / "collapse.json").read_text(encoding="utf-8"))
    assert content["runs"].keys() == GAMES.keys() and tuple(content["settings"]["seeds"]) == SEEDS
    for name, (_, setting, loss) in GAMES.items():
        assert content["settings"][name] == vars(setting) | {"g_loss": loss}


def test_the_setting_decides_and_not_the_divergence():
    modes = {name: [run["modes"] for run in runs] for name, runs in study("collapse")["runs"].items()}
    for loss in LOSSES:
        assert min(modes[f"ring, balanced, {loss}"]) >= 7
    strong = [count for loss in LOSSES for count in modes[f"ring, strong D, {loss}"]]
    assert sum(count <= 4 for count in strong) >= 17
    assert max(modes["ring, strong D, forward KL"]) <= 4
    assert min(modes["ring, strong D, R1"]) >= 6


def test_the_ring_rows_repeat_the_study_of_notebook_04():
    """Two programs, the same games: they differ in the order of random numbers only."""
    ours, theirs = study("collapse")["runs"], study("ring_gan")["runs"]
    for mine, other in (("balanced", "recommended"), ("strong D", "collapses")):
        a, b = (
            [run["modes"] for run in runs] for runs in (ours[f"ring, {mine}, non-saturating"], theirs[other])
        )
        assert abs(sum(a) - sum(b)) <= len(a)


def test_a_new_seed_falls_into_the_spread(one_thread):
    """It trains, to see that the study and the code that made it still belong together."""
    name = "ring, balanced, reverse KL"
    run = game(name, seed=11)
    counts = [each["modes"] for each in study("collapse")["runs"][name]]
    assert min(counts) - 2 <= run["modes"] <= max(counts) + 2


# Oscillation


@each_game
def test_the_flow_is_that_of_the_losses(slopes):
    """(7.5): minus the gradients of the course's own losses, D's with γ/2 of the penalty at the real point 0."""
    d_loss, g_loss = GAMES_OF_TWO[slopes]
    g_rate, d_rate, gamma, step = 0.3, 0.7, 0.4, 1e-6
    for start in ((0.9, -0.4), (-2.0, -1.5), (3.0, 0.5)):
        theta, psi = double([start[0]]), double([start[1]])
        real = torch.zeros(1, 1, dtype=torch.float64)
        penalty = gradient_norm_squared(lambda x, psi=psi: psi * x.squeeze(1), real)
        of_d = (d_loss(psi * real[0], psi * theta) + gamma / 2 * penalty).sum()
        (to_psi,) = torch.autograd.grad(of_d, psi)
        (to_theta,) = torch.autograd.grad(g_loss(psi * theta).sum(), theta)
        end = dirac_simultaneous(start, slopes, g_rate * step, d_rate * step, gamma)
        flow = [(after - before) / step for before, after in zip(start, end, strict=True)]
        assert flow == pytest.approx([-g_rate * to_theta.item(), -d_rate * to_psi.item()], rel=1e-6)


@each_game
def test_the_radius_along_the_flow(slopes):
    """(7.6): 2(s_G − s_D)θψ, which is 0 or −2a tanh(a/2), against the radius after one tiny step."""
    for theta, psi in ((0.9, -0.4), (1.3, 0.8), (-2.0, -1.5)):
        a, step = theta * psi, 1e-7
        after = dirac_simultaneous((theta, psi), slopes, step, step)
        change = (after[0] ** 2 + after[1] ** 2 - theta**2 - psi**2) / step
        s_g, s_d = slopes(a)
        assert change == pytest.approx(2 * (s_g - s_d) * a, abs=1e-5)
        expected = -2 * a * math.tanh(a / 2) if slopes is dirac_non_saturating else 0.0
        assert change == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("slopes", [dirac_minimax, dirac_wasserstein])
def test_simultaneous_steps_push_out(slopes):
    """(7.7): exactly √(1 + h²s²) a step, with s from the derivative of the loss."""
    rate = 0.2
    points = dirac_path(dirac_simultaneous, slopes, (0.9, -0.4), 500, rate, rate)
    a = points.prod(dim=1).requires_grad_()
    (pull,) = torch.autograd.grad(GAMES_OF_TWO[slopes][1](a).sum(), a)
    radius = points.norm(dim=1)
    assert torch.allclose(radius[1:], radius[:-1] * (1 + rate**2 * pull[:-1] ** 2).sqrt(), rtol=1e-12)
    assert radius[-1] > 2 * radius[0]


RATES = [(0.02, 0.06, 0.0), (0.02, 0.002, 0.5), (0.02, 0.02, 0.5), (0.02, 0.06, 0.5), (0.02, 0.6, 0.5)]


@each_game
@pytest.mark.parametrize("rates", RATES)
def test_eigenvalues_of_the_simulated_path(slopes, rates):
    """(7.8): the matrix fitted to a path near the equilibrium has the eigenvalues 1 + λ."""
    points = dirac_path(dirac_simultaneous, slopes, (1e-3, 0.0), 400, *rates)
    found = torch.linalg.eigvals(torch.linalg.lstsq(points[:-1], points[1:]).solution).tolist()
    g_rate, d_rate, gamma = rates
    c2 = 1.0 if slopes is dirac_wasserstein else 0.25
    root = complex(gamma**2 * d_rate**2 / 4 - c2 * g_rate * d_rate) ** 0.5
    expected = [1 - gamma * d_rate / 2 + root, 1 - gamma * d_rate / 2 - root]
    assert [1 + value for value in dirac_eigenvalues(slopes, *rates)] == pytest.approx(expected)
    for value in found:
        assert min(abs(value - each) for each in expected) < 1e-4
    if gamma == 0:
        assert all(value.real == 0 for value in dirac_eigenvalues(slopes, *rates))


@each_game
@pytest.mark.parametrize("rates", RATES[:4])
def test_the_multiplier_of_alternating_steps(slopes, rates):
    """(7.9): of size √(1 − γh_D) while the roots are complex, from the matrix fitted to an alternating path."""
    points = dirac_path(dirac_alternating, slopes, (1e-3, 0.0), 400, *rates)
    found = torch.linalg.eigvals(torch.linalg.lstsq(points[:-1], points[1:]).solution)
    assert found.imag.abs().max() > 1e-4  # complex
    assert torch.allclose(found.abs(), torch.tensor(math.sqrt(1 - rates[2] * rates[1])).double(), atol=1e-5)


def test_a_very_fast_d_leaves_g_to_be_waited_for():
    """One eigenvalue tends to −c²h_G/γ."""
    slow = max(value.real for value in dirac_eigenvalues(dirac_minimax, 0.02, 20.0, 0.5))
    assert slow == pytest.approx(-0.25 * 0.02 / 0.5, rel=0.01)


# The range trap


def test_the_slope_of_a_bounded_output():
    """(7.3): autograd of b tanh u against b(1 − x²/b²), zero at the wall."""
    u, bound = torch.linspace(-30, 30, 241, dtype=torch.float64, requires_grad=True), 1.4
    x = bound * u.tanh()
    (slope,) = torch.autograd.grad(x.sum(), u)
    assert torch.allclose(slope, bound * (1 - x**2 / bound**2), atol=1e-14)
    assert slope[0] < 1e-15 and slope[120] == pytest.approx(bound)
