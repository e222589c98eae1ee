"""Both sides of the checks of notebook 08: right answers pass, wrong ones of other hands are called by name."""

import pytest
import torch
import torch.nn.functional as F
from answers import folded_solutions, tests_of
from scipy.stats import wasserstein_distance
from torch.autograd import grad
from torch.nn.functional import relu

from helpers.checks.nb08_better_games import (
    LINE,
    check_gradient_penalty,
    check_hinge_loss,
    check_wasserstein_1d,
)
from helpers.theory import wasserstein_1d, wasserstein_exact

# A: the gradient penalty


def place(real, fake, eps):
    eps = eps.view(-1, *[1] * (real.ndim - 1))
    return eps * real + (1 - eps) * fake


def squared_excess(gradient):
    return (gradient.flatten(1).norm(dim=1) - 1).square()


def at(where=place, score=squared_excess, **settings):
    def penalty(critic, real, fake, eps):
        x = where(real, fake, eps).detach().requires_grad_()
        return score(grad(critic(x).sum(), x, **({"create_graph": True} | settings))[0])

    return penalty


usual = at()


def with_ones(critic, real, fake, eps):
    x = place(real, fake.detach(), eps).requires_grad_(True)
    out = critic(x)
    slope = grad(out, x, grad_outputs=torch.ones_like(out), create_graph=True, retain_graph=True)[0]
    return (slope.reshape(len(x), -1).pow(2).sum(1).sqrt() - 1) ** 2


def by_lerp(critic, real, fake, eps):
    x = torch.lerp(fake.detach(), real, eps.reshape(len(eps), *[1] * (real.ndim - 1))).requires_grad_()
    slope = grad(critic(x).sum(), x, create_graph=True)[0]
    return (torch.linalg.vector_norm(slope, dim=tuple(range(1, x.ndim))) - 1) ** 2


def expanded(slope):
    squared = slope.flatten(1).square().sum(1)
    return squared - 2 * squared.sqrt() + 1


def one_by_one(critic, real, fake, eps):
    penalties = []
    for r, f, e in zip(real, fake.detach(), eps, strict=True):
        x = (e * r + (1 - e) * f)[None].requires_grad_()
        penalties.append((grad(critic(x).sum(), x, create_graph=True)[0].norm() - 1) ** 2)
    return torch.stack(penalties)


def from_fake(real, fake, eps):
    return fake + eps.view(len(eps), *[1] * (real.ndim - 1)) * (real - fake)


def by_parts(slope):
    length = slope.flatten(1).norm(dim=1)
    return relu(length - 1) ** 2 + relu(1 - length) ** 2


def by_func(critic, real, fake, eps):
    x = place(real, fake, eps).detach()
    return squared_excess(torch.func.vmap(torch.func.grad(lambda each: critic(each[None]).sum()))(x))


def with_a_safe_root(slope):
    return ((slope.flatten(1).square().sum(1) + 1e-12).sqrt() - 1) ** 2


def by_einsum(critic, real, fake, eps):
    x = (torch.einsum("b,b...->b...", eps, real) + torch.einsum("b,b...->b...", 1 - eps, fake)).detach()
    return at(lambda r, f, e: x)(critic, real, fake, eps).double()


def lets_fakes_learn(critic, real, fake, eps):
    x = place(real, fake, eps)
    return squared_excess(grad(critic(x).sum(), x, create_graph=True)[0])


def fills_the_critic(critic, real, fake, eps):
    x = place(real, fake, eps).detach().requires_grad_()
    critic(x).sum().backward(create_graph=True)
    return squared_excess(x.grad)


def freezes_the_critic(critic, real, fake, eps):
    penalty = usual(critic, real, fake, eps)
    critic.requires_grad_(False)
    return penalty


def row_by_row(slope):
    rows = slope.norm(dim=-1)
    return (rows if slope.ndim == 2 and rows.ndim == 1 else rows.flatten(1).mean(1)).sub(1).square()


def of_parameters(critic, real, fake, eps):
    slopes = grad(critic(place(real, fake, eps)).sum(), list(critic.parameters()), create_graph=True)
    return (torch.cat([each.flatten() for each in slopes]).norm() - 1).square().expand(len(real))


def of_another_x(critic, real, fake, eps):
    x = place(real, fake, eps).detach().requires_grad_()
    return squared_excess(grad(critic(place(real, fake, eps)).sum(), x, create_graph=True)[0])


def unwatched(critic, real, fake, eps):
    x = place(real, fake, eps).detach()
    return squared_excess(grad(critic(x).sum(), x, create_graph=True)[0])


def shifts_the_reals(critic, real, fake, eps):
    real *= 2
    return usual(critic, real / 2, fake, eps)


PENALTIES = [usual, with_ones, by_lerp, at(score=expanded), one_by_one, at(from_fake), at(score=by_parts), by_func,
             at(score=with_a_safe_root), by_einsum]  # fmt: skip
PENALTY_REMARKS = [(fills_the_critic, "filled", "autograd.grad")]
WRONG_PENALTIES = [
    (lets_fakes_learn, "into_fakes", "nothing should"),
    (lambda c, r, f, e: usual(c, r, f, e.clamp(0.1, 0.9)), "value", "should be"),
    (at(lambda r, f, e: e[:, None] * r + (1 - e[:, None]) * f), "eps_of_rows", "row of pixels"),
    (at(lambda r, f, e: place(r, f, torch.rand(len(e)))), "noise", "new noise"),
    (at(score=row_by_row), "images", "For points you are right"),
    (freezes_the_critic, "left_frozen", "frozen"),
    (of_parameters, "value", "should be"),
    (of_another_x, "unused", "look at"),
    (unwatched, "detached", "watch"),
    (at(create_graph=False), "no_graph", "create_graph"),
    (lambda *a: usual(*a).detach(), "no_graph", "create_graph"),
    (lambda *a: usual(*a).mean(), "shape", "mean is taken later"),
    (at(score=lambda s: (s.norm(dim=-1) - 1).square()), "shape", "one long vector"),
    (at(score=lambda s: (s - 1).square()), "shape", "each coordinate"),
    (lambda *a: usual(*a).tolist(), "type", "tensor"),
    (shifts_the_reals, "changed_input", "changes `real`"),
    (at(score=lambda s: (s.flatten(1).norm(dim=1) - 0.95).square()), "value", "should be"),
    (lambda *a: 10 * at(create_graph=False)(*a), "weighted", "λ"),
]
test_right_penalties, test_remarks_on_penalties, test_wrong_penalties = tests_of(
    check_gradient_penalty, PENALTIES, PENALTY_REMARKS, WRONG_PENALTIES
)
test_remarks_on_penalties = pytest.mark.filterwarnings("ignore:Using backward")(test_remarks_on_penalties)

# B: the hinge loss

HINGES = [
    lambda r, f: relu(1 - r) + relu(1 + f),
    lambda r, f: (1 - r).clamp(min=0) + (1 + f).clamp(min=0),
    lambda r, f: torch.maximum(1 - r, torch.zeros(())) + torch.maximum(1 + f, torch.zeros(())),
    lambda r, f: -(r - 1).clamp(max=0) - (-f - 1).clamp(max=0),
    lambda r, f: torch.where(r < 1, 1 - r, 0 * r) + torch.where(f > -1, 1 + f, 0 * f),
    lambda r, f: ((1 - r) + (1 - r).abs() + (1 + f) + (1 + f).abs()) / 2,
    lambda r, f: relu(1 - torch.stack([r, -f])).sum(0),
    lambda r, f: sum(F.hinge_embedding_loss(a, -torch.ones_like(a), reduction="none") for a in (r, -f)),
    lambda r, f: relu(1 - r.double()) + relu(1 + f.double()),
    lambda r, f: (1 - r).clamp(min=1e-12) + (1 + f).clamp(min=1e-12),
    lambda r, f: torch.stack([relu(1 - a) + relu(1 + b) for a, b in zip(r, f, strict=True)]),
]
WRONG_HINGES = [
    (lambda r, f: f - r, "critic", "Wasserstein"),
    (lambda r, f: relu(1 - (r - f)), "together", "relativistic"),
    (lambda r, f: (r - 1).clamp(max=0) + (-f - 1).clamp(max=0), "minimum", "minimises"),
    (lambda r, f: relu(1 - r) + relu(1 + f.detach()), "detached", "teaches nothing"),
    (lambda r, f: relu(r.neg_().add_(1)) + relu(1 + f), "changed_input", "changes `real_logits`"),
    (lambda r, f: F.elu(1 - r) + F.elu(1 + f), "value", "beyond its margin"),
    (lambda r, f: relu(1 - r) + relu(f), "no_margin", "by its term"),
    (lambda r, f: relu(1 - r) + relu(1 + f).square(), "squared", "squared hinge"),
    (lambda r, f: relu(0.5 - r) + relu(0.5 + f), "value", "logit of 0"),
    (lambda r, f: relu(1 - r) * (r < 0.99) + relu(1 + f), "value", "should be"),
    (lambda r, f: (relu(1 - r) + relu(1 + f)).sort().values, "value", "real logit of"),
    (lambda r, f: (relu(1 - r) + relu(1 + f)).mean(), "shape", "mean is taken later"),
    (lambda r, f: torch.cat([relu(1 - r), relu(1 + f)]), "shape", "joined"),
    (lambda r, f: relu(1 - r)[:, None] + relu(1 + f), "shape", "Every real"),
    (lambda r, f: (relu(1 - r) + relu(1 + f)).detach(), "no_gradient", "cut from the graph"),
    (lambda r, f: (relu(1 - r), relu(1 + f)), "type", "tensor"),
    (lambda r, f: (relu(1 + r) + relu(1 + f)) / 2, "real_sign", "half as large"),
    (lambda r, f: -relu(-r) - relu(f), "no_margin", "minimises"),
]
test_right_hinges, _, test_wrong_hinges = tests_of(check_hinge_loss, HINGES, wrong=WRONG_HINGES)

# C: the Wasserstein distance on a line


def by_curves(a, b):
    places = torch.cat([a, b]).sort().values
    left = places[:-1, None]
    gap = ((a <= left).float().mean(1) - (b <= left).float().mean(1)).abs()
    return (gap * places.diff()).sum()


def sorted_difference(a, b):
    return a.sort().values - b.sort().values


def sorts_in_place(a, b):
    a.copy_(a.sort().values)
    b.copy_(b.sort().values)
    return (a - b).abs().mean()


def times_in_the_gradient(factor):
    def distance(a, b):
        value = wasserstein_1d(a, b)
        return value.detach() + factor * (value - value.detach())

    return distance


def without_repeats(a, b):
    once = [torch.stack([x[x == each][0] for each in dict.fromkeys(x.tolist())]) for x in (a, b)]
    return wasserstein_1d(*once)


DISTANCES = [
    lambda a, b: sorted_difference(a, b).abs().mean(),
    wasserstein_1d,
    by_curves,
    lambda a, b: sum(abs(x - y) for x, y in zip(sorted(a), sorted(b), strict=True)) / len(a),
    lambda a, b: F.l1_loss(a.sort(descending=True)[0], b.sort(descending=True)[0]),
    lambda a, b: (a[a.argsort()] - b[b.argsort()]).abs().sum() / a.numel(),
    lambda a, b: wasserstein_exact(a[:, None], b[:, None]),
    lambda a, b: sorted_difference(a.flip(0), b.roll(1)).abs().mean().reshape(1),
]
WRONG_DISTANCES = [
    (
        lambda a, b: sum(torch.cdist(a[:, None], b[:, None]).amin(k).mean() for k in (0, 1)),
        "nearest",
        "both sides",
    ),
    (lambda a, b: (a.std() - b.std()).abs(), "value", "make 3"),
    (lambda a, b: wasserstein_1d(a.abs(), b.abs()), "value", "−1 and 1"),
    (without_repeats, "ties", "on one another"),
    (lambda a, b: (sorted_difference(a, b).square() + 1e-3).sqrt().mean(), "value", "make 0.0185"),
    (lambda a, b: torch.cdist(a[:, None], b[:, None]), "shape", "several numbers"),
    (lambda a, b: sorted_difference(a, b).abs(), "shape", "one distance"),
    (lambda a, b: (a.sort().values, b.sort().values), "type", "tensor"),
    (sorts_in_place, "changed_input", "changes `a`"),
    (lambda a, b: (a.sort() - b.sort()).abs().mean(), "raised", "TypeError"),
    (lambda a, b: wasserstein_distance(a.numpy(), b.numpy()), "no_gradient", "NumPy"),
    (lambda a, b: wasserstein_1d(a, b).item(), "type", "gradients can flow"),
    (lambda a, b: torch.tensor(wasserstein_1d(a, b).item()), "no_gradient", ".item()"),
    (times_in_the_gradient(0.5), "gradient", "0.5 times"),
    (times_in_the_gradient(-1), "gradient", "−1 times"),
    (lambda a, b: sorted_difference(a, b).abs().unique().mean(), "no_gradient", "no derivative"),
    (lambda a, b: sorted_difference(a, b).abs().sum() / 9, "value", "make 3"),
    (lambda a, b: (a - b.detach()).abs().mean(), "detached", "in which they came"),
]
test_right_distances, _, test_wrong_distances = tests_of(
    check_wasserstein_1d, DISTANCES, wrong=WRONG_DISTANCES
)


def test_the_reference_is_that_of_scipy():
    for case in LINE.cases():
        torch.testing.assert_close(
            LINE.best()(case).item(), wasserstein_distance(case.a, case.b), atol=1e-5, rtol=0
        )


def test_the_solutions_in_the_notebook_pass():
    mine = folded_solutions("08_better_games", torch=torch)
    assert check_gradient_penalty(mine["my_gradient_penalty"]).kind == "right"
    assert check_hinge_loss(mine["my_hinge_discriminator"]).kind == "right"
    assert check_wasserstein_1d(mine["my_wasserstein_1d"]).kind == "right"
