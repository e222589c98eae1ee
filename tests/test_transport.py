"""W₁ by three routes, against each other, SciPy, and what is known in closed form. Float64."""

import itertools
import math

import pytest
import torch
from scipy.stats import wasserstein_distance
from torch.distributions import Normal

from helpers.theory import wasserstein_1d, wasserstein_exact, wasserstein_lp


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def points(n, d=None):
    return torch.randn(n, dtype=torch.float64) if d is None else torch.randn(n, d, dtype=torch.float64)


def even(n):
    return torch.full((n,), 1 / n, dtype=torch.float64)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (7, 7), (200, 200), (1, 5), (4, 6), (30, 7), (128, 1000)])
def test_on_a_line_as_scipy_says(n, m):
    a, b = points(n), 2 * points(m) + 1
    assert abs(wasserstein_1d(a, b) - wasserstein_distance(a, b)) < 1e-12


def test_on_a_line_with_ties_and_repetitions():
    a, b = torch.tensor([0.0, 0, 1, 3]).double(), torch.tensor([2.0, 2, 2, 0]).double()
    assert wasserstein_1d(a, b) == (0 + 2 + 1 + 1) / 4
    # every point twice is the same heap: the sorted and the quantile branch must agree
    assert abs(wasserstein_1d(a.repeat(3), b) - wasserstein_1d(a, b)) < 1e-15
    assert wasserstein_1d(a, a[[2, 0, 3, 1]]) == 0


def test_many_steps_lose_no_edge():
    """Numbers of points whose multiples do not fit in binary fractions: each width is exact."""
    a, b = points(999), points(1001)
    assert abs(wasserstein_1d(a, b) - wasserstein_distance(a, b)) < 1e-12


@pytest.mark.parametrize("n", [1, 2, 6])
def test_the_assignment_is_the_best_of_all_permutations(n):
    a, b = points(n, 3), points(n, 3) + 0.5
    best = min(
        sum(math.dist(a[i].tolist(), b[j].tolist()) for i, j in enumerate(order)) / n
        for order in itertools.permutations(range(n))
    )
    assert abs(wasserstein_exact(a, b) - best) < 1e-12


def test_in_one_dimension_the_assignment_sorts():
    a, b = points(300), points(300).exp()
    assert abs(wasserstein_exact(a[:, None], b[:, None]) - wasserstein_1d(a, b)) < 1e-12


@pytest.mark.parametrize("d", [1, 2, 5])
def test_a_translation_costs_its_length(d):
    """And a tiny one too: an expanded square would lose 1e-9 among points of size 100."""
    for size in (2.0, 1e-9):
        shift = size * torch.nn.functional.normalize(points(d), dim=0)
        a = 100 * points(60, d)
        assert abs(wasserstein_exact(a + shift, a) - size) < 1e-12 + 1e-5 * size
    assert wasserstein_exact(a, a[torch.randperm(60)]) == 0


def test_distances_scale_turn_and_obey_the_triangle():
    a, b, c = points(40, 2), points(40, 2) + 1, 3 * points(40, 2)
    turn, _ = torch.linalg.qr(points(2, 2))
    assert torch.allclose(wasserstein_exact(2.5 * a @ turn, 2.5 * b @ turn), 2.5 * wasserstein_exact(a, b))
    assert torch.allclose(wasserstein_exact(a, b), wasserstein_exact(b, a))
    assert wasserstein_exact(a, c) <= wasserstein_exact(a, b) + wasserstein_exact(b, c)


def test_gradients_are_those_of_finite_differences():
    a, b, h = points(9, 2).requires_grad_(), points(9, 2), 1e-6
    (slope,) = torch.autograd.grad(wasserstein_exact(a, b), a)
    line, other = points(5).requires_grad_(), points(8)
    (line_slope,) = torch.autograd.grad(wasserstein_1d(line, other), line)
    with torch.no_grad():
        for function, at, against, found in (
            (wasserstein_exact, a, b, slope),
            (wasserstein_1d, line, other, line_slope),
        ):
            for index in range(at.numel()):
                step = torch.zeros(at.numel()).double()
                step[index] = h
                step = step.view_as(at)
                secant = (function(at + step, against) - function(at - step, against)) / (2 * h)
                assert abs(secant - found.flatten()[index]) < 1e-6


def test_the_programme_is_the_assignment_when_weights_are_equal():
    a, b = points(25, 2), points(25, 2) + 1
    value, _, _ = wasserstein_lp(even(25), even(25), torch.cdist(a, b))
    assert abs(value - wasserstein_exact(a, b)) < 1e-9


def test_the_programme_with_unequal_weights_as_scipy_says():
    x, y = points(20), points(31)
    p, q = points(20).exp(), points(31).exp()
    p, q = p / p.sum(), q / q.sum()
    p[:3] = 0
    p /= p.sum()
    value, _, _ = wasserstein_lp(p, q, (x[:, None] - y).abs())
    assert abs(value - wasserstein_distance(x, y, p, q)) < 1e-9


def test_the_programme_takes_any_cost():
    """Three places, worked by hand: move ½ from the first to the last (5), not by way of the middle (1 + 1)."""
    cost = torch.tensor([[0.0, 1, 5], [1, 0, 1], [5, 1, 0]]).double()
    value, _, _ = wasserstein_lp(
        torch.tensor([0.5, 0.5, 0]).double(), torch.tensor([0, 0.5, 0.5]).double(), cost
    )
    assert abs(value - 1.0) < 1e-12  # each half moves one place
    value, _, _ = wasserstein_lp(torch.tensor([1.0, 0, 0]).double(), torch.tensor([0, 0, 1.0]).double(), cost)
    assert abs(value - 5.0) < 1e-12
    # not symmetric: rows are where the heap lies
    value, _, _ = wasserstein_lp(
        torch.tensor([1.0, 0]).double(), torch.tensor([0, 1.0]).double(), torch.tensor([[0.0, 3], [7, 0]])
    )
    assert abs(value - 3.0) < 1e-12


def test_the_potentials_prove_the_value():
    """Dual value = primal value, and feasible: nobody can do better, whatever the solver did."""
    a, b = points(18, 2), points(26, 2) + 1
    p, q = points(18).exp(), points(26).exp()
    p, q, cost = p / p.sum(), q / q.sum(), torch.cdist(a, b)
    value, f, g = wasserstein_lp(p, q, cost)
    assert f.shape == (18,) and g.shape == (26,) and f.dtype == torch.float64
    assert abs(p @ f + q @ g - value) < 1e-9
    assert (f[:, None] + g <= cost + 1e-9).all()
    # Kantorovich–Rubinstein: f and −g are one function of slope at most 1 on all the points
    u, where = torch.cat([f, -g]), torch.cat([a, b])
    assert ((u[:, None] - u).abs() <= torch.cdist(where, where) + 1e-9).all()


def test_bells_in_closed_form():
    """Equal widths: the distance of the means. Equal means: |σ − τ| √(2/π). By samples at quantiles and by grid."""
    u = (torch.arange(20_000).double() + 0.5) / 20_000
    narrow, wide = Normal(0.0, 0.7).icdf(u), Normal(0.0, 1.9).icdf(u)
    assert abs(wasserstein_1d(narrow + 1.3, narrow[torch.randperm(20_000)]) - 1.3) < 1e-12
    assert abs(wasserstein_1d(narrow, wide) - 1.2 * math.sqrt(2 / math.pi)) < 1e-3
    x = torch.linspace(-4, 6, 101, dtype=torch.float64)
    p, q = (torch.softmax(Normal(mean, 0.7).log_prob(x), 0) for mean in (0.0, 1.5))
    value, _, _ = wasserstein_lp(p, q, (x[:, None] - x).abs())
    assert abs(value - 1.5) < 1e-4


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: wasserstein_1d(torch.ones(3, 1), torch.ones(3)), "on a line"),
        (lambda: wasserstein_1d(torch.ones(3), torch.ones(0)), "on a line"),
        (lambda: wasserstein_exact(torch.ones(3, 2), torch.ones(4, 2)), "equal shapes"),
        (lambda: wasserstein_exact(torch.ones(3), torch.ones(3)), "equal shapes"),
        (lambda: wasserstein_exact(torch.ones(0, 2), torch.ones(0, 2)), "equal shapes"),
        (lambda: wasserstein_lp(even(3), even(4), torch.ones(4, 3)), "need costs"),
        (lambda: wasserstein_lp(even(3)[:, None], even(3), torch.ones(3, 3)), "need costs"),
        (lambda: wasserstein_lp(even(3), 2 * even(3), torch.ones(3, 3)), "same total"),
        (lambda: wasserstein_lp(torch.tensor([1.5, -0.5]), even(2), torch.ones(2, 2)), "not negative"),
        (lambda: wasserstein_lp(even(2), torch.tensor([1.5, -0.5]), torch.ones(2, 2)), "not negative"),
    ],
)
def test_wrong_shapes_and_weights_are_told(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_single_precision_weights_are_still_a_programme():
    """Totals that differ in the seventh digit must not make the equations contradict each other."""
    p, q = torch.rand(200), torch.rand(150)
    value, _, _ = wasserstein_lp(p / p.sum(), q / q.sum(), torch.rand(200, 150))
    assert math.isfinite(value)
