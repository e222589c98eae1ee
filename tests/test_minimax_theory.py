"""The equations of notebook 03, each against an oracle that cannot share its mistake. Float64 throughout."""

import itertools
import math
import statistics

import pytest
import sympy
import torch
from scipy.integrate import quad
from torch import nn
from torch.distributions import Bernoulli, Gumbel, Laplace, Normal, kl_divergence

from helpers.gan import discriminator_loss, non_saturating, saturating
from helpers.theory import (
    alternating,
    discrete_js,
    discrete_kl,
    entropy,
    extragradient,
    integral,
    js,
    kl,
    kl_monte_carlo,
    log_mixture,
    optimal_discriminator,
    optimal_logit,
    optimistic,
    path,
    quadrature,
    simultaneous,
    value,
)

X = torch.linspace(-15, 15, 6001, dtype=torch.float64)


def normal(mean, std):
    return Normal(torch.tensor(mean, dtype=torch.float64), torch.tensor(std, dtype=torch.float64))


def on_grid(distribution, x=X):
    return distribution.log_prob(x)


def f64(kind, *parameters):
    return kind(*(torch.tensor(p, dtype=torch.float64) for p in parameters))


PAIRS = {
    "side by side": (normal(-1.0, 1.0), normal(1.5, 0.6)),
    "narrow in wide": (normal(0.0, 1.0), normal(0.0, 3.0)),
    "pointed and round": (f64(Laplace, 0.0, 1.0), normal(0.0, 2**0.5)),
    "skewed and round": (f64(Gumbel, 0.0, 1.0), normal(0.5, 1.3)),
    "pointed and skewed": (f64(Laplace, 1.0, 0.5), f64(Gumbel, -1.0, 1.0)),
    "nearly disjoint": (normal(-6.0, 0.5), normal(6.0, 0.5)),
    "equal": (normal(0.3, 0.7), normal(0.3, 0.7)),
}
BREAKS = [-40, -10, -6, -3, -1, 0, 1, 3, 6, 10, 40]
both = pytest.mark.parametrize(("p", "q"), PAIRS.values(), ids=PAIRS)


def pointwise(f):
    """A function of a number that asks `f` of a float64 tensor."""
    return lambda t: f(torch.tensor(t, dtype=torch.float64)).item()


# The value, and the best discriminator


def test_value_is_the_mean_score_of_samples():
    """(3.1) by Monte Carlo, four standard errors; (3.2) is the grid integral it is compared with."""
    torch.manual_seed(0)
    p, q = PAIRS["side by side"]
    real, fake = p.sample((400_000,)), q.sample((400_000,))

    def logit(x):
        return torch.sin(x) - x / 2

    score = torch.log(logit(real).sigmoid()) + torch.log(1 - logit(fake).sigmoid())
    expected = value(logit(X), on_grid(p), on_grid(q), X)
    assert abs(score.mean() - expected) < 4 * score.std() / math.sqrt(len(score))


def test_value_is_an_integral_of_densities():
    """(3.2): the sum over a grid against SciPy's quadrature of the formula written with numbers."""
    p, q = PAIRS["skewed and round"]

    def logit(x):
        return torch.cos(x) + x / 4

    def inside(t):
        d = 1 / (1 + math.exp(-logit(torch.tensor(t, dtype=torch.float64)).item()))
        return math.exp(pointwise(p.log_prob)(t)) * math.log(d) + math.exp(
            pointwise(q.log_prob)(t)
        ) * math.log(1 - d)

    oracle = sum(quad(inside, a, b)[0] for a, b in itertools.pairwise(BREAKS[1:-1]))
    x = torch.linspace(-10, 10, 20001, dtype=torch.float64)
    # Beyond ±10 a Gumbel keeps some 5e-5 of its mass, on both sides of the comparison left out.
    assert abs(value(logit(x), on_grid(p, x), on_grid(q, x), x) - oracle) < 1e-6


def test_minimax_is_reached_by_the_best_generator_alone():
    """(3.1), (3.6): the largest V over D is −log 4 for q = p and larger for every other q tried."""
    p = on_grid(normal(-1.0, 1.0))

    def at(q):
        return value(optimal_logit(p, q), p, q, X).item()

    assert abs(at(p) + math.log(4)) < 1e-12
    for mean, std in ((-1.2, 1.0), (-1.0, 1.1), (-1.0, 0.9), (2.0, 1.0), (9.0, 0.2)):
        assert at(on_grid(normal(mean, std))) > -math.log(4) + 1e-4
    assert torch.equal(optimal_discriminator(p, p), torch.full_like(p, 0.5))


def test_logarithms_of_d_by_softplus():
    """Section 2 symbolically, and the losses of helpers.gan on logits."""
    a = sympy.symbols("a", real=True)
    sigma, softplus = 1 / (1 + sympy.exp(-a)), lambda t: sympy.log(1 + sympy.exp(t))
    for left, right in ((sympy.log(sigma), -softplus(-a)), (sympy.log(1 - sigma), -softplus(a))):
        assert sympy.simplify(sympy.diff(left - right, a)) == 0 and (left - right).subs(a, 0).equals(0)
    logits = torch.linspace(-20, 20, 41, dtype=torch.float64)
    d = logits.sigmoid()
    assert torch.allclose(
        discriminator_loss(logits, -logits.flip(0)), -d.log() - (1 - (-logits.flip(0)).sigmoid()).log()
    )
    assert torch.allclose(saturating(logits), (1 - d).log())
    assert torch.allclose(non_saturating(logits), -d.log())


def test_one_point_has_one_peak():
    """(3.3) symbolically: the derivative, the sign of the next one, and the only zero of the first."""
    alpha, beta, y = sympy.symbols("alpha beta y", positive=True)
    f = alpha * sympy.log(y) + beta * sympy.log(1 - y)
    assert sympy.simplify(f.diff(y) - (alpha / y - beta / (1 - y))) == 0
    assert sympy.simplify(f.diff(y, 2) + alpha / y**2 + beta / (1 - y) ** 2) == 0
    assert sympy.solve(f.diff(y), y) == [alpha / (alpha + beta)]


@both
def test_the_best_discriminator_beats_its_neighbours(p, q):
    """(3.4): equal to p/(p+q) where that can be computed, and no small change of it scores higher."""
    log_p, log_q = on_grid(p), on_grid(q)
    ratio = log_p.exp() / (log_p.exp() + log_q.exp())
    fine = ratio.isfinite()
    assert torch.allclose(optimal_discriminator(log_p, log_q)[fine], ratio[fine], atol=1e-12)
    best = optimal_logit(log_p, log_q)
    top = value(best, log_p, log_q, X)
    for bend in (0.3 * torch.sin(X), torch.full_like(X, 0.2), -0.1 * X):
        assert value(best + bend, log_p, log_q, X) < top


def test_the_best_discriminator_is_finite_where_densities_underflow():
    log_p, log_q = torch.tensor([-900.0, -900.0, -2000.0]), torch.tensor([-901.0, -1500.0, -1000.0])
    assert torch.allclose(
        optimal_discriminator(log_p, log_q), torch.tensor([torch.tensor(1.0).sigmoid(), 1, 0])
    )


# The value of the best


@both
def test_value_at_the_best_is_twice_js_minus_log_4(p, q):
    """(3.5), (3.11): adaptive quadrature of V(D*) against JS from entropies computed another way, to 1e-6."""

    def inside(t):
        log_p, log_q = p.log_prob(t), q.log_prob(t)
        total = torch.logaddexp(log_p, log_q)
        return log_p.exp() * (log_p - total) + log_q.exp() * (log_q - total)

    left = quadrature(pointwise(inside), BREAKS)
    fine = torch.linspace(-40, 40, 160_001, dtype=torch.float64)
    m = log_mixture(p.log_prob(fine), q.log_prob(fine))
    by_entropies = -torch.trapezoid(m.exp() * m, fine) - (p.entropy() + q.entropy()) / 2
    assert abs(left - (2 * by_entropies - math.log(4))) < 1e-6
    by_divergences = js(p.log_prob(fine), q.log_prob(fine), fine)
    assert abs(by_divergences - by_entropies) < 1e-6
    assert -1e-12 <= by_divergences <= math.log(2) + 1e-12


@both
def test_what_another_discriminator_misses(p, q):
    """(3.12): the loss of value is twice the mean, under the mixture, of a KL between two Bernoulli distributions."""
    log_p, log_q = on_grid(p), on_grid(q)
    for logit in (torch.zeros_like(X), torch.sin(X) - X / 3):
        gap = value(optimal_logit(log_p, log_q), log_p, log_q, X) - value(logit, log_p, log_q, X)
        best = optimal_logit(log_p, log_q).clamp(-30, 30)  # certainty has an infinite logit
        of_bernoulli = kl_divergence(Bernoulli(logits=best), Bernoulli(logits=logit))
        assert abs(gap - 2 * integral(log_mixture(log_p, log_q).exp() * of_bernoulli, X)) < 1e-6


def test_a_weak_discriminator_says_half_to_a_bad_generator():
    """Section 5: the best straight logit for N(0, 1) against N(0, 3²) is 0: no slope there, and V is concave."""
    log_p, log_q = on_grid(normal(0.0, 1.0)), on_grid(normal(0.0, 3.0))
    line = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    v = value(line[0] * X + line[1], log_p, log_q, X)
    (slope,) = torch.autograd.grad(v, line)
    assert slope.abs().max() < 1e-6
    assert js(log_p, log_q, X) > 0.18


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_network_finds_the_best_discriminator_from_samples(seed):
    """Section 6, as in the notebook: mean error below 0.01, where the constant ½ has more than 0.2."""
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
    optimiser = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 2000)
    for _ in range(2000):
        real, fake = -1 + torch.randn(256, 1), 1.5 + 0.6 * torch.randn(256, 1)
        loss = discriminator_loss(net(real), net(fake)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        scheduler.step()
    log_p, log_q = (on_grid(each) for each in PAIRS["side by side"])
    with torch.no_grad():
        learned = net(X.float()[:, None]).squeeze(1).double().sigmoid()
    best, where = optimal_discriminator(log_p, log_q), log_mixture(log_p, log_q).exp()

    def error(d):
        return integral(where * (d - best).abs(), X)

    assert error(learned) < 0.01 and error(torch.full_like(X, 0.5)) > 0.2


# What the generator feels


def slopes(of, at=(1.5, 0.6), h=1e-5):
    """Central differences of a function of log q in q's mean and σ."""
    found = []
    for which in (0, 1):
        ends = [list(at), list(at)]
        ends[0][which] += h
        ends[1][which] -= h
        found.append((of(on_grid(normal(*ends[0]))) - of(on_grid(normal(*ends[1])))) / (2 * h))
    return torch.stack(found)


def test_against_the_best_discriminator_g_descends_js():
    """(3.7) by central differences; and not against a poor one."""
    log_p, log_q = (on_grid(each) for each in PAIRS["side by side"])
    held = optimal_logit(log_p, log_q)
    felt = slopes(lambda q: value(held, log_p, q, X))
    assert torch.allclose(felt, slopes(lambda q: 2 * js(log_p, q, X)), atol=1e-6)
    poor = slopes(lambda q: value(held / 10, log_p, q, X))
    assert not torch.allclose(poor, felt, atol=0.1)


def test_the_non_saturating_game_descends_another_divergence():
    """(3.13) by central differences; its gradient is not that of JS."""
    log_p, log_q = (on_grid(each) for each in PAIRS["side by side"])
    held = optimal_logit(log_p, log_q)
    felt = slopes(lambda q: integral(q.exp() * non_saturating(held), X))
    assert torch.allclose(felt, slopes(lambda q: kl(q, log_p, X) - 2 * js(log_p, q, X)), atol=1e-6)
    assert torch.allclose(felt, slopes(lambda q: 2 * kl(log_mixture(log_p, q), log_p, X)), atol=1e-6)
    assert not torch.allclose(felt, slopes(lambda q: 2 * js(log_p, q, X)), atol=0.5)
    # and the two divergences are equal, not only their gradients
    assert torch.allclose(
        kl(log_q, log_p, X) - 2 * js(log_p, log_q, X), 2 * kl(log_mixture(log_p, log_q), log_p, X)
    )


def test_the_two_games_want_different_densities():
    """Going deeper, III: for two modes and one normal density, 2·JS prefers both modes and 2·KL(m‖p) one of them."""
    p = log_mixture(on_grid(normal(-2.0, 0.6)), on_grid(normal(2.0, 0.6)))
    wide, single = on_grid(normal(0.0, 2.06)), on_grid(normal(2.0, 0.6))
    assert js(p, wide, X) < js(p, single, X) - 0.05
    assert kl(log_mixture(p, single), p, X) < kl(log_mixture(p, wide), p, X) - 0.2


# The bilinear game

ETAS = pytest.mark.parametrize("eta", [0.05, 0.2, 0.45])
START = (0.8, -0.6)


@ETAS
def test_simultaneous_steps_spiral_out(eta):
    """(3.8), (3.9): the radius grows by √(1 + η²) a step, at every learning rate."""
    radius = path(simultaneous, START, eta, 200).norm(dim=1)
    t = torch.arange(201, dtype=torch.float64)
    assert torch.allclose(radius, (1 + eta**2) ** (t / 2)) and radius[-1] > radius[0] * 1.2


@ETAS
def test_alternating_steps_stay_on_an_ellipse(eta):
    """(3.8), (3.9): x² + y² − ηxy never changes, and the radius neither grows nor shrinks."""
    points = path(alternating, START, eta, 2000)
    invariant = points.square().sum(1) - eta * points.prod(dim=1)
    assert torch.allclose(invariant, invariant[0].expand(2001), rtol=1e-9)
    radius = points.norm(dim=1)
    assert radius[1000:].max() < 1.3 * radius[:1000].min() / (1 - eta) and radius.min() > 0.6


@ETAS
def test_averages_of_alternating_steps_converge_and_of_simultaneous_ones_do_not(eta):
    """(3.14): the sum telescopes, so the mean dies like 1/T; that of a growing spiral does not."""
    points = path(alternating, START, eta, 4000)
    t = torch.arange(1, 4001, dtype=torch.float64)
    means = points[1:].cumsum(0) / t[:, None]
    assert torch.allclose(means[:, 0], (points[1:, 1] - START[1]) / (eta * t))
    for time in (500, 4000):
        assert means[time - 1].norm() < 4 / (eta * time)
    spiral = path(simultaneous, START, eta, 4000)[1:].cumsum(0) / t[:, None]
    assert spiral[-1].norm() > 2 * spiral[2000].norm()


@ETAS
def test_extragradient_converges(eta):
    """(3.10): the radius shrinks by √(1 − η² + η⁴) a step; with η above 1 it would grow."""
    radius = path(extragradient, START, eta, 400).norm(dim=1)
    t = torch.arange(401, dtype=torch.float64)
    assert torch.allclose(radius, (1 - eta**2 + eta**4) ** (t / 2)) and radius[-1] < 0.7
    assert path(extragradient, START, 1.2, 50).norm(dim=1)[-1] > 1


@ETAS
def test_optimism_converges(eta):
    """Its long-run rate is the largest root of λ² − (1 + 2iη)λ + iη, of size √((1 + √(1 − 4η²))/2)."""
    radius = path(optimistic, START, eta, 3000).norm(dim=1)
    rate = math.sqrt((1 + math.sqrt(1 - 4 * eta**2)) / 2)
    assert abs((radius[1500] / radius[500]) ** (1 / 1000) - rate) < 1e-3


# Divergences by independent routes


def test_discrete_divergences():
    p, q = torch.tensor([0.5, 0.3, 0.2, 0.0]).double(), torch.tensor([0.1, 0.0, 0.6, 0.3]).double()
    m = (p + q) / 2
    assert torch.allclose(discrete_js(p, q), (discrete_kl(p, m) + discrete_kl(q, m)) / 2)
    assert torch.isinf(discrete_kl(p, q)) and discrete_kl(p, p) == 0
    assert torch.allclose(entropy(torch.full((8,), 1 / 8).double()), torch.tensor(math.log(8)).double())
    disjoint = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).double()
    assert torch.allclose(discrete_js(*disjoint), torch.tensor(math.log(2)).double())
    negative = torch.tensor([0.5, 0.3, 0.4, -0.2]).double()
    for wrong in (2 * p, negative):
        for pair in ((wrong, q), (p, wrong)):
            with pytest.raises(ValueError, match="sum to 1"):
                discrete_kl(*pair)


def test_kl_by_three_routes():
    torch.manual_seed(0)
    p, q = normal(-1.0, 1.0), normal(1.5, 0.6)
    exact = kl_divergence(p, q).item()
    assert abs(kl(on_grid(p), on_grid(q), X) - exact) < 1e-9
    estimate, error = kl_monte_carlo(p, q, 200_000)
    assert abs(estimate - exact) < 4 * error < 0.2
    torch.manual_seed(0)
    few = kl_monte_carlo(p, q, 5)
    torch.manual_seed(0)
    ratios = [(p.log_prob(x) - q.log_prob(x)).item() for x in p.sample((5,))]
    assert few == pytest.approx((statistics.mean(ratios), statistics.stdev(ratios) / math.sqrt(5)))


def test_quadrature_says_when_it_cannot():
    assert abs(quadrature(math.cos, [0, 1, 2]) - math.sin(2)) < 1e-12
    with pytest.raises(ValueError, match="more breaks"), pytest.warns():
        quadrature(lambda t: 1 / math.sqrt(abs(t - 0.123456)) if t != 0.123456 else 0.0, [0, 1])
