"""The equations of notebook 02, each against an oracle that cannot share its mistake. Float64 throughout."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
import sympy
import torch
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr
from torch.distributions import Categorical, LogNormal, Normal, kl_divergence

from helpers.theory import (
    discrete_js,
    discrete_kl,
    entropy,
    integral,
    js,
    kl,
    kl_monte_carlo,
    log_mixture,
    quadrature,
    value,
)

X = torch.linspace(-15, 15, 6001, dtype=torch.float64)
BREAKS = [-30, -8, -4, -2, -1, 0, 1, 2, 4, 8, 30]


def f64(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def normal(mean, std):
    return Normal(*f64(mean, std))


def pair(seed, n=5, zeros_in_p=1):
    """Two vectors of probabilities, the first with some zeros."""
    p, q = torch.distributions.Dirichlet(torch.ones(n, dtype=torch.float64)).sample((2,))
    p[:zeros_in_p] = 0
    return p / p.sum(), q


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


seeds = pytest.mark.parametrize("seed", range(5))


# Means


def test_an_expectation_is_a_sum_or_an_integral():
    """(2.1): of a die by fractions, of exp(x) under a normal density by SciPy, both against samples."""
    die = sum(sympy.Rational(k * k, 6) for k in range(1, 7))
    rolls = torch.randint(1, 7, (200_000,)).double().square()
    assert die == sympy.Rational(91, 6)
    assert abs(rolls.mean() - float(die)) < 4 * rolls.std() / len(rolls) ** 0.5
    oracle, _ = quad(lambda t: scipy.stats.norm.pdf(t) * math.exp(t), -20, 20)
    assert abs(integral(normal(0, 1).log_prob(X).exp() * X.exp(), X) - oracle) < 1e-9
    assert abs(oracle - math.exp(0.5)) < 1e-9


@pytest.mark.parametrize("n", [1, 2, 4])
def test_a_mean_of_samples_is_right_on_average_and_its_standard_deviation_falls_like_the_root(n):
    """(2.2) exactly: all outcomes of n rolls of an unfair die, each with its probability."""
    faces, chances = [1.0, 5.0, 2.0], [0.5, 0.2, 0.3]
    mean = sum(c * f for c, f in zip(chances, faces, strict=True))
    variance = sum(c * (f - mean) ** 2 for c, f in zip(chances, faces, strict=True))
    first = second = sample = 0.0
    for throws in itertools.product(range(3), repeat=n):
        chance = math.prod(chances[t] for t in throws)
        numbers = np.array([faces[t] for t in throws])
        first += chance * numbers.mean()
        second += chance * (numbers.mean() - mean) ** 2
        sample += chance * (numbers.var(ddof=1) if n > 1 else variance)
    assert first == pytest.approx(mean) and second == pytest.approx(variance / n)
    assert sample == pytest.approx(variance)  # s² is right on average, so s/√n estimates the error


# Entropy and Jensen


@seeds
def test_entropy_is_the_mean_self_information(seed):
    """(2.3) against SciPy, with zeros among the probabilities; it lies between 0 and log n."""
    p, _ = pair(seed)
    assert abs(entropy(p) - scipy.stats.entropy(p.numpy())) < 1e-12
    assert 0 <= entropy(p) <= math.log(5)
    assert entropy(f64(1, 0, 0)) == 0 and abs(entropy(torch.full((7,), 1 / 7).double()) - math.log(7)) < 1e-6


@pytest.mark.parametrize("std", [0.1, 1.0, 2.5])
def test_entropy_of_a_normal_density(std):
    """(2.17) against SciPy's quadrature, also where it is negative."""
    density = scipy.stats.norm(0.5, std)
    oracle, _ = quad(
        lambda t: -density.pdf(t) * density.logpdf(t), 0.5 - 20 * std, 0.5 + 20 * std, points=[0.5]
    )
    assert oracle == pytest.approx(0.5 * math.log(2 * math.pi * std**2) + 0.5, abs=1e-9)
    assert oracle < 0 or std > 0.2


@seeds
def test_jensen(seed):
    """(2.5): for random numbers with a few values, and symbolically for the tangent that proves it."""
    chances, _ = pair(seed)
    numbers = torch.rand(5).double() * 10 + 0.01
    mean = (chances * numbers).sum()
    assert mean.log() > (chances * numbers.log()).sum()
    for convex in (torch.square, torch.exp, lambda u: -u.log(), lambda u: (u - 1).abs()):
        assert convex(mean) <= (chances * convex(numbers)).sum() + 1e-12
    u, m = sympy.symbols("u m", positive=True)
    above = sympy.log(m) + (u - m) / m - sympy.log(u)
    assert sympy.solve(above.diff(u), u) == [m] and above.subs(u, m) == 0
    assert sympy.simplify(above.diff(u, 2) - 1 / u**2) == 0  # convex: that place is its lowest


# Kullback–Leibler


@seeds
def test_kl_is_cross_entropy_minus_entropy(seed):
    """(2.4) against SciPy's and PyTorch's own, with a zero in p; infinite where only q is zero."""
    p, q = pair(seed)
    assert abs(discrete_kl(p, q) - rel_entr(p.numpy(), q.numpy()).sum()) < 1e-12
    assert abs(discrete_kl(p, q) - kl_divergence(Categorical(p), Categorical(q))) < 1e-5
    assert abs(discrete_kl(p, q) - (-(p * q.log()).sum() - entropy(p))) < 1e-12
    assert torch.isinf(discrete_kl(q, p)) and discrete_kl(q, p) > 0


@seeds
def test_kl_is_never_negative(seed):
    """(2.6), link by link; zero for equal vectors and for no others."""
    p, q = pair(seed)
    lives = p > 0
    mean_of_log = (p[lives] * (q[lives] / p[lives]).log()).sum()
    log_of_mean = (p[lives] * (q[lives] / p[lives])).sum().log()
    assert mean_of_log <= log_of_mean and abs(log_of_mean - q[lives].sum().log()) < 1e-12
    assert discrete_kl(p, q) > 0 and abs(discrete_kl(p, p)) < 1e-12 and log_of_mean <= 0


@pytest.mark.parametrize(("p", "q"), [((0, 1), (1.2, 0.6)), ((1.2, 0.6), (0, 1)), ((-1, 2), (-1, 0.7))])
def test_kl_of_two_normal_densities(p, q):
    """(2.7) against PyTorch, a grid, quadrature, and samples within four standard errors."""
    (mean_p, std_p), (mean_q, std_q) = p, q
    formula = math.log(std_q / std_p) + (std_p**2 + (mean_p - mean_q) ** 2) / (2 * std_q**2) - 0.5
    p, q = normal(*p), normal(*q)
    a, b = scipy.stats.norm(mean_p, std_p), scipy.stats.norm(mean_q, std_q)
    assert formula == pytest.approx(kl_divergence(p, q).item(), abs=1e-12)
    assert formula == pytest.approx(kl(p.log_prob(X), q.log_prob(X), X).item(), abs=1e-9)
    assert formula == pytest.approx(
        quadrature(lambda t: a.pdf(t) * (a.logpdf(t) - b.logpdf(t)), BREAKS), abs=1e-8
    )
    estimate, error = kl_monte_carlo(p, q, 100_000)
    assert abs(estimate - formula) < 4 * error < 0.2


def test_one_normal_density_for_two_modes_covers_or_seeks():
    """Section 5: the lowest KL(p‖q) has p's mean and variance; the lowest KL(q‖p) sits on a mode."""
    x = X[::10]
    p = log_mixture(normal(-2, 0.6).log_prob(x), normal(2, 0.6).log_prob(x))

    def lowest(of, start):
        def height(at):
            return of(normal(at[0], math.exp(at[1])).log_prob(x)).item()

        found = minimize(height, start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-12})
        return found.x[0], math.exp(found.x[1]), found.fun

    mean, std, _ = lowest(lambda q: kl(p, q, x), (0.5, 0.0))
    assert abs(mean) < 1e-4 and abs(std - math.sqrt(4.36)) < 1e-4
    mean, std, one = lowest(lambda q: kl(q, p, x), (1.5, -0.5))
    assert abs(mean - 2) < 0.01 and abs(std - 0.6) < 0.01 and abs(one - math.log(2)) < 0.01
    assert one < lowest(lambda q: kl(q, p, x), (0.0, 0.7))[2] + 1e-9


# Maximum likelihood


@seeds
def test_likelihood_is_a_kl_less_the_entropy_of_the_data(seed):
    """(2.8): for outcomes, exactly."""
    p, q = pair(seed)
    assert abs(discrete_kl(p, q) - (-entropy(p) - torch.xlogy(p, q).sum())) < 1e-12


def test_maximum_likelihood_is_minimum_kl():
    """(2.8): one family, two searches. Exactly for the examples' own frequencies, nearly for the truth."""
    outcomes = torch.arange(6, dtype=torch.float64)

    def model(theta):
        return torch.softmax(theta * outcomes, 0)

    truth = f64(0.30, 0.05, 0.20, 0.20, 0.05, 0.20)  # not in the family
    examples = torch.multinomial(truth, 20_000, replacement=True)
    frequencies = torch.bincount(examples, minlength=6).double() / len(examples)
    thetas = torch.linspace(-1, 1, 2001, dtype=torch.float64)
    likelihood = torch.stack([model(t).log()[examples].mean() for t in thetas])
    best = thetas[likelihood.argmax()]
    for target, allowed in ((frequencies, 1e-12), (truth, 0.03)):
        prices = torch.stack([discrete_kl(target, model(t)) for t in thetas])
        assert abs(thetas[prices.argmin()] - best) <= allowed


def test_the_most_likely_normal_density():
    """Section 6 against a search that knows no derivative; n − 1 in place of n is less likely."""
    data = torch.cat([torch.randn(7) - 2, 0.5 * torch.randn(5) + 3]).double()

    def minus(at):
        return -normal(at[0], math.exp(at[1])).log_prob(data).mean().item()

    found = minimize(minus, (0.0, 0.0), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-14})
    mean, std = data.mean().item(), data.std(correction=0).item()
    assert found.x[0] == pytest.approx(mean, abs=1e-5) and math.exp(found.x[1]) == pytest.approx(
        std, abs=1e-5
    )
    assert minus((mean, math.log(std))) < minus((mean, data.std().log().item())) - 1e-4


# Jensen–Shannon


@seeds
def test_js_is_two_kls_to_the_mixture(seed):
    """(2.9) against SciPy, which returns the root; symmetric, and finite where KL is not."""
    p, q = pair(seed, zeros_in_p=2)
    oracle = jensenshannon(p.numpy(), q.numpy()) ** 2
    m = (p + q) / 2
    assert abs((discrete_kl(p, m) + discrete_kl(q, m)) / 2 - oracle) < 1e-12
    assert abs(discrete_js(p, q) - oracle) < 1e-12 and abs(discrete_js(q, p) - oracle) < 1e-12
    assert 0 < oracle < math.log(2)


@seeds
def test_js_is_what_one_x_tells_about_its_origin(seed):
    """(2.11): the mutual information of x and its origin, from the table of their joint probabilities."""
    p, q = pair(seed)
    table = torch.stack([p, q]).numpy() / 2
    alone = table.sum(1, keepdims=True) * table.sum(0, keepdims=True)
    assert abs(rel_entr(table, alone).sum() - discrete_js(p, q)) < 1e-12
    m, heads = (p + q) / 2, p / (p + q)
    left_over = (m * entropy(torch.stack([heads, 1 - heads], -1))).sum()
    assert abs(math.log(2) - left_over - discrete_js(p, q)) < 1e-12


def test_js_of_two_normal_densities_by_quadrature():
    """(2.9), (2.11): the grid against SciPy's quadrature of both forms."""
    a, b = scipy.stats.norm(0, 1), scipy.stats.norm(1.2, 0.6)

    def coin(t):
        heads = a.pdf(t) / (a.pdf(t) + b.pdf(t))
        m = (a.pdf(t) + b.pdf(t)) / 2
        return m * (math.log(2) - scipy.stats.entropy([heads, 1 - heads]))

    def halves(t):
        m = (a.pdf(t) + b.pdf(t)) / 2
        return (rel_entr(a.pdf(t), m) + rel_entr(b.pdf(t), m)) / 2

    grid = js(normal(0, 1).log_prob(X), normal(1.2, 0.6).log_prob(X), X).item()
    for form in (coin, halves):
        assert quadrature(form, [-10, -4, -1, 0, 1, 2, 4, 10]) == pytest.approx(grid, abs=1e-8)


# A map


def bend(x):
    return torch.stack([x[..., 0], (x[..., 0] / 2).exp() * x[..., 1] + x[..., 0] ** 2 / 2], dim=-1)


def log_bent(y):
    x1 = y[..., 0]
    x2 = (y[..., 1] - x1**2 / 2) / (x1 / 2).exp()
    return normal(0, 1).log_prob(x1) + normal(0, 1).log_prob(x2) - x1 / 2


def test_change_of_variables():
    """(2.16): on a line against SciPy's log-normal; in the plane by autograd, by the sum, and by counting in a box."""
    y = torch.linspace(0.01, 9, 100, dtype=torch.float64)
    line = normal(0, 1).log_prob(y.log()).exp() / y
    assert np.allclose(line, scipy.stats.lognorm(1).pdf(y.numpy()))
    for point in torch.randn(5, 2, dtype=torch.float64):
        jacobian = torch.autograd.functional.jacobian(bend, point)
        by_autograd = normal(0, 1).log_prob(point).sum() - jacobian.det().abs().log()
        assert abs(log_bent(bend(point)) - by_autograd) < 1e-12
    samples = bend(torch.randn(200_000, 2).double())
    for left, bottom in ((0.5, 0.0), (-1.5, 0.0), (0.0, -2.0)):
        a = torch.linspace(left, left + 1, 201, dtype=torch.float64)
        c = torch.linspace(bottom, bottom + 2, 401, dtype=torch.float64)
        density = log_bent(torch.cartesian_prod(a, c).reshape(201, 401, 2)).exp()
        expected = torch.trapezoid(torch.trapezoid(density, c), a).item()
        inside = (samples[:, 0] > left) & (samples[:, 0] < left + 1)
        inside &= (samples[:, 1] > bottom) & (samples[:, 1] < bottom + 2)
        error = math.sqrt(expected * (1 - expected) / len(samples))
        assert abs(inside.double().mean() - expected) < 4 * error < 0.01


def test_a_map_changes_entropy_and_not_kl():
    """(2.18): PyTorch's entropy of the log-normal, and quadrature of the KL over y; against those of x."""
    for mean, std in ((0.0, 1.0), (1.2, 0.6)):
        shifted = normal(mean, std).entropy() + mean  # log|det J| of exp is x, whose mean is μ
        assert abs(LogNormal(*f64(mean, std)).entropy() - shifted) < 1e-12
    a, b = scipy.stats.lognorm(0.6, scale=math.exp(1.2)), scipy.stats.lognorm(1.0)
    over_y, _ = quad(
        lambda t: a.pdf(t) * (a.logpdf(t) - b.logpdf(t)), 0.01, 200, points=[1, 3, 10], limit=400
    )
    assert over_y == pytest.approx(kl_divergence(normal(1.2, 0.6), normal(0, 1)).item(), abs=1e-6)


# The failure


@pytest.mark.parametrize("k", range(-6, 7))
def test_shifted_intervals(k):
    """(2.10): in boxes, four a unit of length, and by an integral over the parts of two intervals."""
    p = torch.zeros(24, dtype=torch.float64).index_fill(0, torch.arange(10, 14), 0.25)
    q, theta = p.roll(k), k / 4
    expected = min(abs(theta), 1) * math.log(2)
    assert discrete_kl(p, q) == discrete_kl(q, p) == (math.inf if k else 0)
    assert discrete_js(p, q).item() == pytest.approx(expected, abs=1e-12)

    def inside(t):
        a, b = float(0 < t < 1), float(theta < t < theta + 1)
        return (rel_entr(a, (a + b) / 2) + rel_entr(b, (a + b) / 2)) / 2

    assert quadrature(inside, sorted({0, 1, theta, theta + 1})) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("theta", [0.1, 0.5, 1.0])
def test_derivatives_of_two_narrow_normal_densities(theta, sigma=0.1, h=1e-5):
    """Section 8: central differences of sums over a grid; JS has next to no derivative at ten standard deviations."""
    x = torch.linspace(-1.5, 2.5, 8001, dtype=torch.float64)

    def at(of, t):
        return of(normal(0, sigma).log_prob(x), normal(t, sigma).log_prob(x), x).item()

    assert at(kl, theta) == pytest.approx(theta**2 / (2 * sigma**2), abs=1e-8)
    slope_of_kl, slope_of_js = ((at(of, theta + h) - at(of, theta - h)) / (2 * h) for of in (kl, js))
    assert slope_of_kl == pytest.approx(theta / sigma**2, rel=1e-6)
    assert slope_of_js > 0.1 if theta < 1 else abs(slope_of_js) < 1e-4


# One formula for five

GENERATORS = {
    "kl": lambda u: torch.xlogy(u, u),
    "reverse": lambda u: -u.log(),
    "js": lambda u: (torch.xlogy(u, u) - (u + 1) * ((u + 1) / 2).log()) / 2,
    "tv": lambda u: (u - 1).abs() / 2,
    "chi2": lambda u: (u - 1) ** 2,
}


@seeds
def test_five_divergences_by_one_formula(seed):
    """(2.15): SciPy for three, all events for total variation, a variance for χ²; never negative, zero if p = q."""
    p, q = pair(seed, zeros_in_p=0)
    a, b = p.numpy(), q.numpy()
    events = itertools.product([0, 1], repeat=5)
    oracle = {
        "kl": rel_entr(a, b).sum(),
        "reverse": rel_entr(b, a).sum(),
        "js": jensenshannon(a, b) ** 2,
        "tv": max(abs((a - b) @ np.array(event)) for event in events),
        "chi2": np.cov(a / b, aweights=b, ddof=0).item(),
    }
    for name, f in GENERATORS.items():
        mean = (q * f(p / q)).sum().item()
        assert mean == pytest.approx(oracle[name], abs=1e-10) and mean > 0
        assert f(f64(1.0)).item() == 0
        u = torch.linspace(0.01, 5, 500, dtype=torch.float64)
        assert f(u).diff().diff().min() > -1e-12  # convex


# Two bounds


@seeds
def test_no_discriminator_passes_twice_js_minus_log_4(seed):
    """(2.12): many D for probabilities of outcomes, none above; the best, found by search, reaches it."""
    p, q = pair(seed, zeros_in_p=0)
    ceiling = 2 * jensenshannon(p.numpy(), q.numpy()) ** 2 - math.log(4)
    d = torch.rand(1000, 5).double()
    assert ((p * d.log() + q * (1 - d).log()).sum(1) <= ceiling + 1e-12).all()

    def minus(logits):
        d = 1 / (1 + np.exp(-logits))
        return -(p.numpy() @ np.log(d) + q.numpy() @ np.log(1 - d))

    found = minimize(minus, np.zeros(5), options={"gtol": 1e-9})
    assert -found.fun == pytest.approx(ceiling, abs=1e-8)


@seeds
def test_no_approximate_posterior_passes_the_evidence(seed):
    """(2.13): a hidden z with five values; log p(x) by a plain sum, Dirichlet samples below, the posterior on it."""
    prior, likelihood = pair(seed, zeros_in_p=0)[1], torch.rand(5).double()
    evidence = (prior * likelihood).sum().log()
    samples = torch.distributions.Dirichlet(torch.ones(5).double()).sample((1000,))
    posterior = prior * likelihood / (prior * likelihood).sum()
    bound = (torch.cat([samples, posterior[None]]) * (prior * likelihood).log()).sum(1)
    bound = bound + entropy(torch.cat([samples, posterior[None]]))
    assert (bound <= evidence + 1e-12).all() and abs(bound[-1] - evidence) < 1e-12


def test_one_is_lowered_and_the_other_raised():
    """(2.14): min max ends at q = p with −log 4, max max at the best θ; and a low V promises nothing about JS."""
    p, means = normal(0, 1).log_prob(X), torch.linspace(-2, 2, 41, dtype=torch.float64)
    logs = [normal(m.item(), 1).log_prob(X) for m in means]
    best = torch.stack([value(p - q, p, q, X) for q in logs])
    assert abs(means[best.argmin()]) < 1e-9 and abs(best.min() + math.log(4)) < 1e-9
    # With a D that is poor, the worse generator has the lower V.
    poor = torch.sin(X)
    near, far = normal(0.2, 1).log_prob(X), normal(1.5, 1).log_prob(X)
    assert js(p, far, X) > js(p, near, X) and value(poor, p, far, X) < value(poor, p, near, X)

    thetas, x, s = torch.linspace(0.1, 4, 391, dtype=torch.float64), 2.0, 0.8
    v, m = s**2 / (thetas**2 + s**2), thetas * x / (thetas**2 + s**2)  # the best q for each θ
    mean_square = x**2 - 2 * thetas * x * m + thetas**2 * (m**2 + v)
    elbo = -math.log(2 * math.pi * s**2) / 2 - mean_square / (2 * s**2) - (m**2 + v - 1 - v.log()) / 2
    assert abs(thetas[elbo.argmax()] - math.sqrt(x**2 - s**2)) < 0.01
    assert torch.allclose(elbo, Normal(0.0, (thetas**2 + s**2).sqrt()).log_prob(f64(x)))
