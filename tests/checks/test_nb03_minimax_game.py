"""Both sides of the checks of notebook 03: every right way to write an answer passes, every wrong one is named."""

import functools
import math
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from answers import folded_solutions, tests_of
from torch.distributions import Bernoulli, Categorical, kl_divergence

from helpers.checks import nb03_minimax_game as checks
from helpers.checks.nb03_minimax_game import (
    check_extragradient_step,
    check_optimal_discriminator,
    check_optimal_value,
)
from helpers.feedback import choices
from helpers.theory import games

# The optimal discriminator, right


def d_with_sigmoid(log_p, log_q):
    return torch.sigmoid(log_p - log_q)


def d_with_exp(log_p, log_q):
    return 1 / (1 + torch.exp(log_q - log_p))


def d_in_plain_python(log_p, log_q):
    """No tensor, and so no `sigmoid`: two cases keep the exponential small."""
    pairs = zip(log_p.tolist(), log_q.tolist(), strict=True)
    return [1 / (1 + math.exp(b - a)) if a > b else math.exp(a - b) / (1 + math.exp(a - b)) for a, b in pairs]


class Discriminator:
    def __call__(self, log_p, log_q):
        return F.logsigmoid(log_p - log_q).exp()


# fmt: off
D_RIGHT = [
    d_with_sigmoid, d_with_exp, d_in_plain_python, games.optimal_discriminator,
    Discriminator(), Discriminator().__call__,
    lambda a, b: (a - torch.stack([a, b], dim=1).logsumexp(dim=1)).exp(),
    lambda a, b: np.exp(a.numpy() - np.logaddexp(a.numpy(), b.numpy())),
    lambda a, b: (lambda p, q: p / (p + q))(*((each - torch.maximum(a, b)).exp() for each in (a, b))),
    lambda a, b: (lambda i: torch.sigmoid(a[i] - b[i])[i.argsort()])(torch.randperm(len(a))),
    lambda a, b: torch.exp(a - torch.logaddexp(a, b)),
    lambda a, b: torch.softmax(torch.stack([a, b]), dim=0)[0],
    lambda a, b: 0.5 * (1 + torch.tanh(0.5 * (a - b))),
    lambda a, b: Bernoulli(logits=a - b).probs,
    lambda a, b: torch.sigmoid(a.double() - b.double()).to(a.dtype),
    lambda a, b: torch.sigmoid((a - b).clamp(-30, 30)).clamp(1e-6, 1 - 1e-6),
    lambda a, b: (a - b).sigmoid(),
    functools.partial(lambda scale, a, b: torch.special.expit(scale * (a - b)), 1.0),
    lambda a, b: 1 - torch.sigmoid(b - a),
    lambda a, b: Categorical(logits=torch.stack([a, b], -1)).probs[:, 0],
    lambda a, b: [torch.sigmoid(x - y) for x, y in zip(a, b, strict=True)],
    lambda a, b: (1 + (b - a).exp()).reciprocal(),
    lambda a, b: torch.stack([torch.sigmoid(a[i] - b[i]) for i in range(len(a))]),
    lambda a, b: torch.stack([a - b, b - a], 1).sigmoid().T[0],
    lambda a, b: (a - b).sigmoid().to_sparse(),
]
# fmt: on


# … wrong


def d_from(formula):
    """D* computed from densities p and q."""
    return lambda log_p, log_q: formula(log_p.exp(), log_q.exp())


# fmt: off
D_WRONG = [
    (lambda a, b: 0.1 + 0.8 * (a > b), "decision", "not by how much"),
    (lambda a, b: b.exp() / (b.exp() + a), "logs_as_densities", "Two mistakes meet"),
    (lambda a, b: torch.softmax(torch.stack([a, b]), dim=1)[0], "over_points", "compete"),
    (d_from(lambda p, q: p / p.max() / (p / p.max() + q / q.max())), "over_points", "left out"),
    (lambda a, b: torch.sigmoid(a - b - (a - b).mean()), "over_points", "left out"),
    (d_from(lambda p, q: p / (1 + p)), "one_density", "whatever q is"),
    (lambda a, b: torch.sigmoid(a), "one_density", "`log_q`"),
    (lambda a, b: 1 / (1 + 2 ** (b - a).div(math.log(2) ** 2)), "scaled_logit", "too confident"),
    (lambda a, b: -torch.sigmoid(a - b), "scale", "the sign is turned"),
    (lambda a, b: torch.sigmoid(a - b) / len(a), "scale", "a mean stands where"),
    (lambda a, b: a + b, "range", "reach from −5.1 to −0.7"),
    (d_from(lambda p, q: p / (p + q)), "tails", "0/0"),
    (d_from(lambda p, q: (p / (p + q)).nan_to_num(0.5)), "tails", "your D is 0.5 where"),
    (lambda a, b: [math.exp(x) / (math.exp(x) + math.exp(y)) for x, y in zip(a.tolist(), b.tolist(), strict=True)],
        "tails", "0/0"),
    (lambda a, b: d_with_sigmoid(a.clamp(min=-50), b.clamp(min=-50)), "tails", "cut off"),
    (lambda a, b: (a - b).exp() / (1 + (a - b).exp()), "tails", "∞/∞"),
    (lambda a, b: a.log() - b.log(), "nan", "negative number"),
    (lambda a, b: torch.sigmoid(a.sub_(b)), "changed_input", "changes `log_p`"),
    (lambda a, b: d_with_sigmoid(a, b) if a[0] < -0.5 else d_with_sigmoid(a, b).flip(0),
        "order", "the points come in another order"),
    (lambda a, b: d_with_exp(a, b).round(decimals=7 if a.dtype == torch.get_default_dtype() else 1),
        "dtype", "Does it round"),
    (d_from(lambda p, q: p.sum() / (p + q).sum()), "shape", "one number for all points"),
    (lambda a, b: (d_with_exp(a, b), d_with_exp(b, a)), "shape", "that of real"),
    (lambda a, b: d_with_sigmoid(a, b)[:, None], "shape", "one too many"),
    (lambda a, b: torch.sigmoid(a[:, None] - b), "shape", "grew to (n, n)"),
    (lambda a, b: torch.sigmoid(torch.stack([a, b]).sum(1)), "shape", "summed over the points"),
    (lambda a, b: d_with_sigmoid(a, b)[1:], "shape", "One point is lost"),
    (d_from(lambda p, q: p / (p + 2 * q)), "value", "where p = q it should be ½"),
    (lambda a, b: torch.sigmoid(1.02 * (a - b)), "value", "D* is"),
    (lambda a, b: d_with_sigmoid(a, b).clamp(0.2, 0.8), "value", "is 0.8, and D* is 0.88"),
]
# fmt: on

test_right_discriminator, _, test_wrong_discriminator = tests_of(
    check_optimal_discriminator, D_RIGHT, wrong=D_WRONG
)


def test_the_numbers_that_are_told_are_those_of_the_answer():
    feedback = check_optimal_discriminator(d_from(lambda p, q: p / (p + 2 * q)))
    log_p, log_q, mine, best = map(float, re.findall(r"-?\d+\.\d+", feedback.message.replace("−", "-")))
    assert mine == pytest.approx(math.exp(log_p) / (math.exp(log_p) + 2 * math.exp(log_q)), abs=0.006)
    assert best == pytest.approx(math.exp(log_p) / (math.exp(log_p) + math.exp(log_q)), abs=0.006)


# The value, right


def v_with_xlogy(p, q):
    return (torch.xlogy(p, p) + torch.xlogy(q, q) - torch.xlogy(p, p + q) - torch.xlogy(q, p + q)).sum()


def v_with_masks(p, q):
    d = p / (p + q)
    real, fake = p > 0, q > 0
    return (p[real] * torch.log(d[real])).sum() + (q[fake] * torch.log(1 - d[fake])).sum()


def entropy(p):
    return torch.special.entr(p).sum()


def v_with_js(p, q):
    js = entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2
    return 2 * js - math.log(4)


def v_with_distributions(p, q):
    m = Categorical((p + q) / 2)
    return kl_divergence(Categorical(p), m) + kl_divergence(Categorical(q), m) - math.log(4)


def v_in_plain_python(p, q):
    total = 0.0
    for a, b in zip(p.tolist(), q.tolist(), strict=True):
        total += a * math.log(a / (a + b)) if a else 0.0
        total += b * math.log(b / (a + b)) if b else 0.0
    return total


# fmt: off
V_RIGHT = [
    v_with_xlogy, v_with_masks, v_with_js, v_with_distributions, v_in_plain_python,
    lambda p, q: v_with_xlogy(p, q).item(),
    lambda p, q: sum(np.nansum(w.numpy() * np.log((w / (p + q)).numpy().clip(1e-30))) for w in (p, q)),
    lambda p, q: math.log(2) * (sum((w * (w / (p + q).clamp(1e-20)).clamp(1e-20).log2()).sum() for w in (p, q))),
    lambda p, q: sum(F.kl_div(((p + q) / 2).clamp(min=1e-30).log(), w, reduction="sum") for w in (p, q)) - math.log(4),
    lambda p, q: sum((w * (w / (p + q + 1e-12) + 1e-12).log()).sum() for w in (p, q)),
    lambda p, q: sum((w * (w / (p + q)).log()).nan_to_num(0.0).sum() for w in (p, q)),
    lambda p, q: (lambda i: v_with_masks(p[i], q[i]))(torch.randperm(len(p))),
    lambda p, q: sum(torch.dot(w, torch.where(w > 0, (w / (p + q)).log(), 0.0)) for w in (p, q)),
    lambda p, q: 2 * entropy((p + q) / 2) - entropy(p) - entropy(q) - torch.log(torch.tensor(4.0)),
    lambda p, q: v_with_xlogy(p.double(), q.double()).to(p.dtype),
    lambda p, q: v_with_xlogy(p, q)[None],
    lambda p, q: sum(torch.xlogy(w, w).sum() * s for w, s in ((p, 1), (q, 1), (p + q, -1))),
    lambda p, q: -torch.einsum("i,i->", p + q, Bernoulli(p / (p + q).clamp(1e-12)).entropy()),
    lambda p, q: sum(v_with_masks(p[i : i + 1], q[i : i + 1]) for i in range(len(p))),
    functools.partial(lambda game, p, q: game(p, q), v_with_js),
]
V_REMARKS = [
    (lambda p, q: (torch.xlogy(p, p / (p + q)) + torch.xlogy(q, q / (p + q))).sum(),
        "neither", "neither p nor q can produce"),
    (lambda p, q: -sum(F.binary_cross_entropy(p / (p + q), p * 0 + i, weight=w, reduction="sum")
        for i, w in enumerate((q, p))), "neither", "neither p nor q can produce"),
]
# fmt: on


# … wrong


def v_from(formula):
    """A value made of D*, without zeros."""
    return lambda p, q: formula(p, q, p / (p + q))


def js(p, q):
    return (v_with_xlogy(p, q) + math.log(4)) / 2


def kl(p, q):
    return (p * (p / q).log()).sum()


# fmt: off
V_WRONG = [
    (v_from(lambda p, q, d: (p * d.log() + q * (1 - d).log()).mean() / 2), "mean", "Two mistakes meet"),
    (lambda p, q: F.kl_div(((p + q) / 2).log(), p) + F.kl_div(((p + q) / 2).log(), q) - math.log(4),
        "mean", "average over the outcomes"),
    (v_from(lambda p, q, d: -(p * (1 - d).log() + q * d.log()).sum()), "swapped", "Two mistakes meet"),
    (lambda p, q: kl(p, p + q) + kl(q, p + q) - math.log(4), "constant_twice", "count it once"),
    (lambda p, q: (F.kl_div(p.log(), (p + q) / 2, reduction="sum") + F.kl_div(q.log(), (p + q) / 2, reduction="sum")),
        "kl_reversed", "the constant is missing"),
    (v_from(lambda p, q, d: (p * d.log() + q * (1 - d).log()).sum()), "zeros", "it gives no number"),
    (lambda p, q: kl(p, (p + q) / 2).nan_to_num(0) + kl(q, (p + q) / 2).nan_to_num(0) - math.log(4),
        "zeros", "your V is −1.39, and should be"),
    (lambda p, q: v_with_js((p + 1e-9)[p * q > 0], q[p * q > 0]), "zeros", "left out"),
    (lambda p, q: sum(a * math.log(a / (a + b)) for w in ((p, q), (q, p)) for a, b in zip(*w, strict=True)),
        "zeros", "it gives no number"),
    (v_from(lambda p, q, d: (p * (p / q).log() + q * (1 - p / q).log()).sum()), "nan", "negative number"),
    (lambda p, q: 2 * torch.log(q / p.add_(q)).sum(), "changed_input", "changes `p`"),
    (lambda p, q: v_with_xlogy(p, q) if p[0] > p[-1] or len(p) < 5 else v_with_xlogy(p, q) - 1,
        "order", "in another order"),
    (lambda p, q: v_with_xlogy(p, q) * (1.0 if p.dtype == torch.get_default_dtype() else 1.1),
        "dtype", "other numbers"),
    (v_from(lambda p, q, d: p * d.log() + q * (1 - d).log()), "shape", "one number an outcome"),
    (v_from(lambda p, q, d: ((p * d.log()).sum(), (q * (1 - d).log()).sum())), "shape", "two terms"),
    (lambda p, q: 3 * js(p, q) - math.log(4), "affine", "3 · JS − 1.386"),
    (lambda p, q: math.log(4) * v_with_xlogy(p, q), "scale", "1.39 times"),
    (lambda p, q: kl(p, 0.45 * p + 0.55 * q) + kl(q, 0.45 * p + 0.55 * q) - math.log(4), "value", "by hand"),
    (lambda p, q: 2 * entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2 - math.log(4), "entropies", "balance"),
    (v_from(lambda p, q, d: (lambda d: (p * d.log() + q * (1 - d).log()).sum())(d.nan_to_num().clamp(0.01, 0.99))),
        "zeros", "cut off"),
    (lambda p, q: 0.25, "fixed", "0.25 whatever"),
    (lambda p, q: 0, "fixed", "Your V is 0 whatever"),
    (lambda p, q: (p - q).abs().sum() / 2 - math.log(4), "value", "At p = q your V is right"),
    (lambda p, q: ((p - q) ** 2 / (p + q)).sum() - 1, "value", "should be −1.183"),
    (lambda p, q: v_with_xlogy(p, q) if len(p) == 2 else v_with_xlogy(p**2 / (p**2).sum(), q),
        "value", "your result is −0.737"),
]
# fmt: on

test_right_value, test_value_remarks, test_wrong_value = tests_of(
    check_optimal_value, V_RIGHT, V_REMARKS, V_WRONG
)
test_wrong_value = pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")(test_wrong_value)


# The extragradient step, right


def s_in_four_lines(x, y, A, eta):
    x_ahead = x - eta * A @ y
    y_ahead = y + eta * A.T @ x
    x_new = x - eta * A @ y_ahead
    y_new = y + eta * A.T @ x_ahead
    return x_new, y_new


def s_with(down, up, kind=tuple):
    """A step whose gradients are `down(A, y)` and `up(A, x)`."""
    return lambda x, y, A, eta: kind(
        (x - eta * down(A, y + eta * up(A, x)), y + eta * up(A, x - eta * down(A, y)))
    )


def s_with_one_matrix(x, y, A, eta):
    n, m = A.shape
    field = torch.cat([torch.cat([A.new_zeros(n, n), -A], dim=1), torch.cat([A.T, A.new_zeros(m, m)], dim=1)])
    z = torch.cat([x, y])
    new = z + eta * field @ (z + eta * field @ z)
    return new[:n], new[n:]


def s_with_autograd(x, y, A, eta):
    def gradients(x, y):
        x, y = x.detach().requires_grad_(), y.detach().requires_grad_()
        return torch.autograd.grad(x @ A @ y, [x, y])

    down, up = gradients(x, y)
    down, up = gradients(x - eta * down, y + eta * up)
    return x - eta * down, y + eta * up


def s_in_plain_python(x, y, A, eta):
    def moved(z, rows, at, length):
        return [
            a + length * sum(b * c for b, c in zip(row, at, strict=True))
            for a, row in zip(z, rows, strict=True)
        ]

    x, y, rows, columns = x.tolist(), y.tolist(), A.tolist(), A.T.tolist()
    x_ahead, y_ahead = moved(x, rows, y, -eta), moved(y, columns, x, eta)
    return moved(x, rows, y_ahead, -eta), moved(y, columns, x_ahead, eta)


def s_with_optimisers(x, y, A, eta):
    x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
    old = x.detach().clone(), y.detach().clone()
    optimiser = torch.optim.SGD([x, y], lr=eta)
    for start in (None, old):
        optimiser.zero_grad()
        (x @ A @ y).backward()
        y.grad.neg_()
        if start:
            with torch.no_grad():
                x.copy_(old[0])
                y.copy_(old[1])
        optimiser.step()
    return x, y


class Extragradient:
    def __init__(self, steps=1):
        self.steps = steps

    def __call__(self, x, y, A, eta):
        for _ in range(self.steps):
            x, y = s_in_four_lines(x, y, A, eta)
        return x, y


# fmt: off
S_RIGHT = [
    s_in_four_lines, s_with_one_matrix, s_with_autograd, s_in_plain_python, s_with_optimisers, Extragradient(),
    s_with(lambda A, y: torch.einsum("nm,m->n", A, y), lambda A, x: torch.einsum("nm,n->m", A, x), list),
    s_with(lambda A, y: (A * y).sum(dim=1), lambda A, x: (A * x[:, None]).sum(dim=0)),
    s_with(lambda A, y: (A.double() @ y.double()).to(y.dtype), lambda A, x: (A.double().T @ x.double()).to(x.dtype)),
    s_with(lambda A, y: (lambda i: A[:, i] @ y[i])(torch.randperm(len(y))), lambda A, x: torch.mv(A.t(), x)),
    lambda x, y, A, eta: (x - eta * A @ y - eta**2 * A @ (A.T @ x), y + eta * x @ A - eta**2 * (A @ y) @ A),
    lambda x, y, A, eta: s_in_four_lines(x.numpy(), y.numpy(), A.numpy(), eta),
    lambda x, y, A, eta: (x - eta * A @ (y + eta * A.T @ x), y + eta * A.T @ (x - eta * A @ y)),
    lambda x, y, A, eta: (torch.addmv(x, A, y + eta * (x @ A), alpha=-eta), y + eta * (A.T @ (x - eta * (A @ y)))),
    lambda x, y, A, eta: (lambda g, z: torch.split(z + eta * g(z + eta * g(z)), [len(x), len(y)]))(
        lambda z: torch.cat([-A.mv(z[len(x) :]), A.T.mv(z[: len(x)])]), torch.cat([x, y])),
    functools.partial(lambda sign, x, y, A, eta: s_in_four_lines(x, y, sign * A, eta), 1),
]
S_REMARKS = [(lambda x, y, A, eta: s_with_one_matrix(x, y, A.to(torch.get_default_dtype()), eta),
    "dtype", "itself is of another type")]
# fmt: on


# … wrong


def ahead(x, y, A, eta):
    return x - eta * A @ y, y + eta * A.T @ x


def s_from(formula):
    """A step made of the old point and of the right look-ahead."""
    return lambda x, y, A, eta: formula(x, y, *ahead(x, y, A, eta), A, eta)


def s_looking(ahead):
    """A step that looks `ahead(eta)` ahead."""
    return lambda x, y, A, eta: (
        x - eta * A @ (y + ahead(eta) * A.T @ x),
        y + eta * A.T @ (x - ahead(eta) * A @ y),
    )


def s_in_turn(x, y, A, eta):
    x = x - eta * A @ y
    y = y + eta * A.T @ x
    return x, y


def s_with_field(z, look, A, eta):
    return z[0] - eta * A @ look[1], z[1] + eta * A.T @ look[0]


# fmt: off
S_WRONG = [
    (lambda x, y, A, eta: ahead(*ahead(x, y, A, eta), A, eta), "from_look_ahead", "only for looking"),
    (s_from(lambda x, y, a, b, A, eta: (x - eta * A @ (y + b), y + eta * A.T @ (x + a))),
        "from_look_ahead", "adds the old gradient"),
    (lambda x, y, A, eta: (x - eta * A @ (y + eta * A.T @ x), y + eta * A.T @ x), "alternating", "x sees where y"),
    (lambda x, y, A, eta: (lambda a: (x - eta * A @ (y + eta * A.T @ a), y + eta * A.T @ a))(x - eta * A @ y),
        "in_turn", "overwritten"),
    (lambda x, y, A, eta: (lambda a: (a, y + eta * A.T @ a))(x - eta * A @ (y + eta * A.T @ x)),
        "in_turn", "take turns"),
    (lambda x, y, A, eta: (x - eta * A @ (y - eta * A @ x), y - eta * A @ (x - eta * A @ y)),
        "both_minimise", "in the gradient for y"),
    (s_from(lambda x, y, a, b, A, eta: (x - eta * A @ (2 * b - y), y + eta * A.T @ (2 * a - x))),
        "optimism", "a cousin"),
    (s_from(lambda x, y, a, b, A, eta: (x - eta * A @ (y + b) / 2, y + eta * A.T @ (x + a) / 2)),
        "midpoint", "average the old gradient"),
    (s_from(lambda x, y, a, b, A, eta: (-A @ b, A.T @ a)), "eta_missing", "how far each player goes"),
    (lambda x, y, A, eta: (lambda a, b: (x - eta * A @ b, y + eta * A.T @ a))(*s_in_four_lines(x, y, A, eta)),
        "second_look", "one look is enough"),
    (Extragradient(steps=2), "two_steps", "is there a loop"),
    (lambda x, y, A, eta: (x - eta * A @ (x - eta * A @ x), y + eta * A.T @ (y + eta * A.T @ y)),
        "own_gradient", "which one is left"),
    (lambda x, y, A, eta: (lambda a: (a, y + eta * A.T @ a))(
        torch.linalg.solve(torch.eye(len(x)) + eta**2 * A @ A.T, x - eta * A @ y)), "proximal", "proximal step"),
    (lambda x, y, A, eta: s_in_turn(x, y, A, eta)[::-1], "alternating", "You return y first"),
    (lambda x, y, A, eta: (x.sub_(eta * A @ (y + eta * A.T @ x)), y), "changed_input", "changes `x`"),
    (s_from(lambda x, y, a, b, A, eta: s_with_field(torch.stack([x, y]), torch.stack([a, b]), A, eta)),
        "rectangular", "Look for a `stack`"),
    (lambda x, y, A, eta: s_in_four_lines(x, y, A, eta if x.dtype == torch.get_default_dtype() else eta / 2),
        "dtype", "other numbers"),
    (lambda x, y, A, eta: s_in_four_lines(x, y, A, eta) if x[0] < x[2] else ahead(x, y, A, eta),
        "order", "coordinates come in another order"),
    (lambda x, y, A, eta: torch.stack(s_in_four_lines(x, y, A, eta)), "type", "return a tuple"),
    (lambda x, y, A, eta: (*s_in_four_lines(x, y, A, eta), *ahead(x, y, A, eta)), "type", "4 things"),
    (lambda x, y, A, eta: (x, ...), "unfinished", "Your new y"),
    (lambda x, y, A, eta: (x - eta * A * y, y), "shape", "either a column met"),
    (lambda x, y, A, eta: ((x - eta * A @ y).sum(), y), "shape", "run over everything"),
    (lambda x, y, A, eta: s_in_four_lines(x, y, A, 1.2 * eta), "direction", "1.2 times as far"),
    (lambda x, y, A, eta: s_in_four_lines(x, y, A / A.norm(), eta), "direction", "with cosine 1"),
    (lambda x, y, A, eta: (x, y), "unmoved", "Nothing moves"),
    (s_from(lambda x, y, a, b, A, eta: (x - 0.99 * eta * A @ b, y + 0.99 * eta * A.T @ a)), "direction", "0.99 times"),
    (s_looking(lambda eta: 0.1), "look_ahead", "print that point"),
    (lambda x, y, A, eta: tuple(z.half().to(x.dtype) for z in s_in_four_lines(x, y, A, eta)), "eta", "nothing rounded"),
    (s_from(lambda x, y, a, b, A, eta: (x - eta * A @ b, y + eta * A.T @ a + eta * y)),
        "one_player", "Your new x is right"),
    (s_looking(lambda eta: 0.7 * eta), "look_ahead", "there yours is right"),
    (lambda x, y, A, eta: (x - eta * A @ y - 0.1, y + eta * A.T @ x + 0.1), "eta", "With η = 0"),
]
# fmt: on

test_right_step, test_step_remarks, test_wrong_step = tests_of(
    check_extragradient_step,
    S_RIGHT,
    S_REMARKS,
    S_WRONG,
)


# References and inputs

TASKS = [checks.DISCRIMINATOR, checks.VALUE, checks.STEP]


def right_on(task, **inputs):
    case = checks.Case({n: torch.tensor(v) if isinstance(v, list) else v for n, v in inputs.items()})
    return task.observe(task.best(), case)["value"]


def test_the_references_are_those_of_the_theory(dtype):
    """Against `helpers.theory`, and against distributions and autograd, which share no code with the check."""
    for task, other in zip(
        TASKS, (games.optimal_discriminator, v_with_distributions, s_with_autograd), strict=True
    ):
        torch.manual_seed(task.seed)
        for case in task.cases():
            value = other(*case.values())
            value = torch.cat(value) if isinstance(value, tuple) else value
            torch.testing.assert_close(
                task.observe(task.best(), case)["value"], value.double(), atol=1e-5, rtol=1e-5
            )
    for p, q in (([0.5, 0.0, 0.5], [0.1, 0.9, 0.0]), ([0.7, 0.0, 0.3], [0.0, 1.0, 0.0])):
        value = v_with_distributions(torch.tensor(p), torch.tensor(q)).double()
        torch.testing.assert_close(right_on(checks.VALUE, p=p, q=q), value, atol=1e-5, rtol=1e-5)
    step = right_on(checks.STEP, x=[0.7], y=[-0.4], A=[[1.0]], eta=0.3)
    torch.testing.assert_close(step, torch.tensor(games.extragradient([(0.7, -0.4)], 0.3)).double().flatten())


def test_the_value_is_the_maximum_over_all_discriminators():
    p, q = (
        torch.tensor(each, dtype=torch.float64) for each in ([0.4, 0.05, 0.25, 0.3], [0.1, 0.3, 0.15, 0.45])
    )
    logit = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([logit], max_iter=100, tolerance_grad=1e-10)

    def loss():
        optimiser.zero_grad()
        value = -(p * F.logsigmoid(logit) + q * F.logsigmoid(-logit)).sum()
        value.backward()
        return value

    optimiser.step(loss)
    torch.testing.assert_close(-loss().detach(), right_on(checks.VALUE, p=p, q=q))


def test_messages_are_short_and_give_nothing_away():
    answers = r"p ?/ ?\(p ?\+ ?q\)|sigmoid\(log|σ\(log|log_?p − log_?q|log p − log q|2 ?[·*]? ?JS|A @|A\.T|Aᵀ|y_ahead"
    says = {row.say for task in TASKS for choice in choices(task, 1, others=False) for row in choice.wrong}
    says |= {v for name, v in vars(checks).items() if name.isupper() and isinstance(v, str)}
    for message in says:
        assert len(message) <= 260, message
        assert message[0].isupper() and message[-1] in ".?)", message
        assert not re.search(answers + "|xlogy|nan_to_num|torch.where|logaddexp", message), message


def test_the_solutions_in_the_notebook_pass(dtype):
    names = folded_solutions("03_minimax_game", torch=torch, math=math)
    for check in (check_optimal_discriminator, check_optimal_value, check_extragradient_step):
        assert check(names[check.__name__.replace("check", "my")]).kind == "right"
