"""Both sides of the checks of notebook 08: right answers pass, each wrong one is called by its name."""

import pytest
import torch
import torch.nn.functional as F
from folded_solutions import folded_solutions
from scipy.stats import wasserstein_distance
from torch.autograd import grad
from torch.nn.functional import relu

from helpers.checks import check_gradient_penalty, check_hinge_loss, check_wasserstein_1d
from helpers.theory import wasserstein_1d, wasserstein_exact

# A: the gradient penalty


def place(real, fake, eps):
    return eps.view(-1, *[1] * (real.ndim - 1)) * real + (1 - eps.view(-1, *[1] * (real.ndim - 1))) * fake


def usual(critic, real, fake, eps):
    x = place(real, fake, eps).detach().requires_grad_()
    (slope,) = grad(critic(x).sum(), x, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square()


def with_ones(critic, real, fake, eps):
    x = place(real, fake.detach(), eps).requires_grad_(True)
    out = critic(x)
    slope = grad(out, x, grad_outputs=torch.ones_like(out), create_graph=True, retain_graph=True)[0]
    return (slope.reshape(len(x), -1).pow(2).sum(1).sqrt() - 1) ** 2


def by_lerp(critic, real, fake, eps):
    x = torch.lerp(fake.detach(), real, eps.reshape(len(eps), *[1] * (real.ndim - 1))).requires_grad_()
    slope = grad(critic(x).sum(), x, create_graph=True)[0]
    return (torch.linalg.vector_norm(slope, dim=tuple(range(1, x.ndim))) - 1) ** 2


def expanded(critic, real, fake, eps):
    x = place(real, fake.detach(), eps).requires_grad_()
    squared = grad(critic(x).sum(), x, create_graph=True)[0].flatten(1).square().sum(1)
    return squared - 2 * squared.sqrt() + 1


def one_by_one(critic, real, fake, eps):
    penalties = []
    for r, f, e in zip(real, fake.detach(), eps, strict=True):
        x = (e * r + (1 - e) * f)[None].requires_grad_()
        penalties.append((grad(critic(x).sum(), x, create_graph=True)[0].norm() - 1) ** 2)
    return torch.stack(penalties)


def from_fake(critic, real, fake, eps):
    fake = fake.detach()
    x = (fake + eps.view(len(eps), *[1] * (real.ndim - 1)) * (real - fake)).requires_grad_()
    return (grad(critic(x).sum(), x, create_graph=True)[0].flatten(1).norm(dim=1) - 1).pow(2)


def two_sided_by_parts(critic, real, fake, eps):
    x = place(real, fake, eps).detach().requires_grad_()
    slope = grad(critic(x).sum(), x, create_graph=True)[0].flatten(1).norm(dim=1)
    return relu(slope - 1) ** 2 + relu(1 - slope) ** 2


def backward_with_graph(critic, real, fake, eps):
    x = place(real, fake, eps).detach().requires_grad_()
    slope = torch.func.vmap(torch.func.grad(lambda each: critic(each[None]).sum()))(x)
    return (slope.flatten(1).norm(dim=1) - 1).square()


def with_a_safe_root(critic, real, fake, eps):
    x = place(real, fake, eps).detach().requires_grad_()
    slope = grad(critic(x).sum(), x, create_graph=True)[0].flatten(1)
    return ((slope.square().sum(1) + 1e-12).sqrt() - 1) ** 2


PENALTY_RIGHT = [
    with_a_safe_root,
    usual,
    with_ones,
    by_lerp,
    expanded,
    one_by_one,
    from_fake,
    two_sided_by_parts,
    backward_with_graph,
]


def lets_fakes_learn(critic, real, fake, eps):
    x = place(real, fake, eps)
    slope = grad(critic(x).sum(), x, create_graph=True)[0]
    return (slope.flatten(1).norm(dim=1) - 1).square()


def freezes_the_critic(critic, real, fake, eps):
    penalty = usual(critic, real, fake, eps)
    critic.requires_grad_(False)
    return penalty


def fills_the_critic(critic, real, fake, eps):
    x = place(real, fake, eps).detach().requires_grad_()
    critic(x).sum().backward(create_graph=True)
    return (x.grad.flatten(1).norm(dim=1) - 1).square()


def row_by_row(slope):
    rows = slope.norm(dim=-1)
    return (rows if slope.ndim == 2 and rows.ndim == 1 else rows.flatten(1).mean(1)).sub(1).square()


def at(where, score=lambda slope: (slope.flatten(1).norm(dim=1) - 1).square(), **settings):
    def penalty(critic, real, fake, eps):
        x = where(real, fake, eps).detach().requires_grad_()
        return score(grad(critic(x).sum(), x, **({"create_graph": True} | settings))[0])

    return penalty


def of_the_mean(critic, real, fake, eps):
    x = place(real, fake, eps).detach().requires_grad_()
    return (grad(critic(x).mean(), x, create_graph=True)[0].flatten(1).norm(dim=1) - 1).square()


def of_parameters(critic, real, fake, eps):
    slopes = grad(critic(place(real, fake, eps)).sum(), list(critic.parameters()), create_graph=True)
    return (torch.cat([each.flatten() for each in slopes]).norm() - 1).square().expand(len(real))


def of_probabilities(critic, real, fake, eps):
    x = place(real, fake, eps).detach().requires_grad_()
    return (grad(critic(x).sigmoid().sum(), x, create_graph=True)[0].flatten(1).norm(dim=1) - 1).square()


def scored(score):
    return at(place, score=lambda slope: score(slope.flatten(1)))


def shifts_the_reals(critic, real, fake, eps):
    real -= 0
    real *= 2
    return usual(critic, real / 2, fake, eps)


PENALTY_WRONG = [
    (at(lambda r, f, e: place(f, r, e)), "swapped", "belongs to the real"),
    (scored(lambda s: (s.square().sum(1) - 1).square()), "no_root", "root"),
    (scored(lambda s: s.norm(dim=1) - 1), "not_squared", "reward"),
    (scored(lambda s: (s.norm(dim=1) - 1).abs()), "absolute", "square"),
    (scored(lambda s: relu(s.norm(dim=1) - 1).square()), "one_sided", "variant"),
    (scored(lambda s: s.square().sum(1)), "no_target", "R1"),
    (of_the_mean, "batch_mean", "size of the batch"),
    (scored(lambda s: (s.abs() - 1).square().sum(1)), "per_coordinate", "partial"),
    (scored(lambda s: (s.square().mean(1).sqrt() - 1).square()), "mean_square", "mean"),
    (scored(lambda s: (s.abs().sum(1) - 1).square()), "l1_norm", "Euclidean"),
    (at(lambda r, f, e: r), "at_real", "real samples"),
    (at(lambda r, f, e: f), "at_fake", "at the fakes"),
    (at(lambda r, f, e: place(r, f, e[:1].expand(len(e)))), "one_eps", "first `eps`"),
    (at(lambda r, f, e: (r + f) / 2), "midpoint", "half-way"),
    (lambda *a: 10 * usual(*a), "weighted", "λ"),
    (lambda *a: usual(*a) / 2, "halved", "half"),
    (lambda *a: -usual(*a), "sign", "never negative"),
    (of_probabilities, "probabilities", "sigmoid"),
    (at(lambda r, f, e: e[:, None] * r + (1 - e[:, None]) * f), "eps_of_rows", "row of pixels"),
    (at(lambda r, f, e: place(r, -f, e)), "minus", "between real and fake"),
    (at(lambda r, f, e: place(r, f, e.mean().expand(len(e)))), "one_eps", "mean `eps`"),
    (at(lambda r, f, e: place(r, f, torch.rand(len(e)))), "value", "should be"),
    (scored(lambda s: (s.norm(dim=1) + 1).square()), "plus", "best slope is 0"),
    (scored(lambda s: s.norm(dim=1)), "not_squared", "slope of 1"),
    (scored(lambda s: (s.norm() - 1).square().expand(len(s))), "whole_batch", "whole batch"),
    (at(place, score=row_by_row), "images", "For points you are right"),
    (freezes_the_critic, "left_frozen", "frozen"),
    (of_parameters, "value", "should be"),
    (at(place, create_graph=False), "no_graph", "create_graph"),
    (lambda *a: usual(*a).detach(), "no_graph", "create_graph"),
    (lambda *a: usual(*a).mean(), "shape", "mean is taken later"),
    (lambda *a: usual(*a)[:, None], "shape", "too many"),
    (at(place, score=lambda s: (s.norm(dim=-1) - 1).square()), "shape", "one long vector"),
    (at(place, score=lambda s: (s - 1).square()), "shape", "each coordinate"),
    (lambda *a: usual(*a).tolist(), "type", "tensor"),
    (lambda *a: usual(*a) * float("nan"), "nan", "NaN"),
    (shifts_the_reals, "changed_input", "changes the real"),
    (lambda critic, real, fake, eps: None, "none", "return"),
]

# B: the hinge loss

HINGE_RIGHT = {
    "relu": lambda r, f: relu(1 - r) + relu(1 + f),
    "clamp": lambda r, f: (1 - r).clamp(min=0) + (1 + f).clamp(min=0),
    "maximum": lambda r, f: torch.maximum(1 - r, torch.zeros(())) + torch.maximum(1 + f, torch.zeros(())),
    "minus minimum": lambda r, f: -(r - 1).clamp(max=0) - (-f - 1).clamp(max=0),
    "where": lambda r, f: torch.where(r < 1, 1 - r, 0 * r) + torch.where(f > -1, 1 + f, 0 * f),
    "by size": lambda r, f: ((1 - r) + (1 - r).abs() + (1 + f) + (1 + f).abs()) / 2,
    "stacked": lambda r, f: relu(1 - torch.stack([r, -f])).sum(0),
    "library": lambda r, f: (
        F.hinge_embedding_loss(r, -torch.ones_like(r), reduction="none")
        + F.hinge_embedding_loss(-f, -torch.ones_like(f), reduction="none")
    ),
    "in double": lambda r, f: relu(1 - r.double()) + relu(1 + f.double()),
}

HINGE_WRONG = [
    (lambda r, f: relu(1 + r) + relu(1 - f), "signs", "both signs"),
    (lambda r, f: relu(1 + r) + relu(1 + f), "real_sign", "real logits"),
    (lambda r, f: relu(1 - r) + relu(1 - f), "fake_sign", "fake logits"),
    (lambda r, f: relu(-r) + relu(f), "no_margin", "margin"),
    (lambda r, f: 1 - r + 1 + f, "no_hinge", "corner"),
    (lambda r, f: f - r, "critic", "Wasserstein"),
    (lambda r, f: relu(2 - r + f), "together", "its own"),
    (lambda r, f: relu(1 - (r - f)), "together", "relativistic"),
    (lambda r, f: relu(1 - r) ** 2 + relu(1 + f) ** 2, "squared", "squared"),
    (lambda r, f: relu(1 - r), "only_real", "fakes"),
    (lambda r, f: relu(1 + f), "only_fake", "reals"),
    (lambda r, f: (relu(1 - r) + relu(1 + f)) / 2, "half", "half"),
    (lambda r, f: -relu(1 - r) - relu(1 + f), "minimum", "minimises"),
    (lambda r, f: (r - 1).clamp(max=0) + (-f - 1).clamp(max=0), "minimum", "minimises"),
    (lambda r, f: (1 - r).clamp(max=0) + (1 + f).clamp(max=0), "wrong_side", "thrown away"),
    (lambda r, f: relu(1 - r.sigmoid()) + relu(1 + f.sigmoid()), "probabilities", "sigmoid"),
    (lambda r, f: F.softplus(1 - r) + F.softplus(1 + f), "smooth", "corner"),
    (lambda r, f: F.softplus(-r) + F.softplus(f), "cross_entropy", "cross-entropy"),
    (lambda r, f: -f, "generator", "generator"),
    (lambda r, f: F.leaky_relu(1 - r, 0.2) + F.leaky_relu(1 + f, 0.2), "leaky", "a little"),
    (lambda r, f: torch.maximum(relu(1 - r), relu(1 + f)), "larger", "added"),
    (lambda r, f: relu(1 - r) * relu(1 + f), "product", "multiplied"),
    (lambda r, f: relu(1 - r) + relu(1 + f.detach()), "detached", "part of"),
    (lambda r, f: relu(1 - r.detach()) + relu(1 + f), "detached", "part of"),
    (lambda r, f: relu(r.neg_().add_(1)) + relu(1 + f), "changed_input", "overwrites"),
    (lambda r, f: F.elu(1 - r) + F.elu(1 + f), "value", "beyond its margin"),
    (lambda r, f: relu(0.5 - r) + relu(0.5 + f), "value", "logits of 0"),
    (lambda r, f: (relu(1 - r) + relu(1 + f)).mean(), "shape", "mean is taken later"),
    (lambda r, f: torch.cat([relu(1 - r), relu(1 + f)]), "shape", "joined"),
    (lambda r, f: relu(1 - r)[:, None] + relu(1 + f), "shape", "Every real"),
    (lambda r, f: (relu(1 - r) + relu(1 + f)).detach(), "detached", "gradient"),
    (lambda r, f: (relu(1 - r), relu(1 + f)), "type", "tensor"),
    (lambda r, f: None, "none", "return"),
]

# C: the Wasserstein distance on a line


def by_curves(a, b):
    places = torch.cat([a, b]).sort().values
    left = places[:-1, None]
    gap = ((a <= left).float().mean(1) - (b <= left).float().mean(1)).abs()
    return (gap * places.diff()).sum()


LINE_RIGHT = {
    "sorted": lambda a, b: (a.sort().values - b.sort().values).abs().mean(),
    "helpers": wasserstein_1d,
    "curves": by_curves,
    "scipy": lambda a, b: wasserstein_distance(a.numpy(), b.numpy()),
    "numpy": lambda a, b: abs(torch.sort(a)[0].numpy() - torch.sort(b)[0].numpy()).mean(),
    "lists": lambda a, b: sum(abs(x - y) for x, y in zip(sorted(a), sorted(b), strict=True)) / len(a),
    "descending": lambda a, b: F.l1_loss(a.sort(descending=True)[0], b.sort(descending=True)[0]),
    "gather": lambda a, b: (a[a.argsort()] - b[b.argsort()]).abs().sum() / a.numel(),
    "assignment": lambda a, b: wasserstein_exact(a[:, None], b[:, None]),
    "permuted": lambda a, b: (a.flip(0).sort().values - b.roll(1).sort().values).abs().mean(),
}


def sorts_in_place(a, b):
    a.copy_(a.sort().values)
    b.copy_(b.sort().values)
    return (a - b).abs().mean()


LINE_WRONG = [
    (lambda a, b: (a - b).abs().mean(), "unsorted", "order"),
    (lambda a, b: (a.sort().values - b).abs().mean(), "one_sorted", "first"),
    (lambda a, b: (a - b.sort().values).abs().mean(), "one_sorted", "second"),
    (lambda a, b: (a.sort().values - b.sort(descending=True).values).abs().mean(), "opposite", "longest"),
    (lambda a, b: (a.sort().values - b.sort().values).abs().sum(), "sum", "sum"),
    (lambda a, b: (a.mean() - b.mean()).abs(), "means", "one mean"),
    (lambda a, b: (a.sort().values - b.sort().values).mean(), "signed", "cancel"),
    (lambda a, b: b.mean() - a.mean(), "signed", "cancel"),
    (lambda a, b: (a.sort().values - b.sort().values).square().mean(), "squares", "squares"),
    (lambda a, b: (a.sort().values - b.sort().values).square().mean().sqrt(), "squares", "W₂"),
    (lambda a, b: (a.sort().values - b.sort().values).abs().max(), "largest", "longest"),
    (lambda a, b: (a.sort().values - b.sort().values).abs().median(), "median", "middle"),
    (lambda a, b: torch.cdist(a[:, None], b[:, None]).mean(), "all_pairs", "every other"),
    (lambda a, b: torch.cdist(a[:, None], b[:, None]).amin(1).mean(), "nearest", "nearest"),
    (lambda a, b: torch.cdist(a[:, None], b[:, None]).amin(0).mean(), "nearest", "nearest"),
    (lambda a, b: (a.sort().values - b.sort().values).abs().mean() / 2, "half", "half"),
    (lambda a, b: (a.sort().values - b.sort().values).norm(), "norm", "Euclidean"),
    (lambda a, b: (a.std() - b.std()).abs(), "value", "make 3"),
    (lambda a, b: (a.median() - b.median()).abs(), "value", "make 3"),
    (lambda a, b: wasserstein_1d(a.abs(), b.abs()), "value", "points around 0"),
    (lambda a, b: wasserstein_distance(a.unique(), b.unique()), "ties", "on one another"),
    (
        lambda a, b: (
            torch.cdist(a[:, None], b[:, None]).amin(0) + torch.cdist(b[:, None], a[:, None]).amin(0)
        ).mean(),
        "nearest",
        "both sides",
    ),
    (lambda a, b: torch.cdist(a[:, None], b[:, None]), "shape", "several numbers"),
    (lambda a, b: (a.sort().values, b.sort().values), "shape", "several numbers"),
    (lambda a, b: (a.sort().values - b.sort().values).abs(), "shape", "one distance"),
    (sorts_in_place, "changed_input", "changed"),
    (lambda a, b: (a.sort() - b.sort()).abs().mean(), "raised", "TypeError"),
    (lambda a, b: torch.tensor(float("nan")), "nan", "NaN"),
    (lambda a, b: None, "none", "return"),
]


@pytest.mark.parametrize("penalty", PENALTY_RIGHT)
def test_right_penalties_pass(penalty, dtype):
    assert check_gradient_penalty(penalty).kind == "right", check_gradient_penalty(penalty)


@pytest.mark.parametrize("name", HINGE_RIGHT)
def test_right_hinges_pass(name, dtype):
    assert check_hinge_loss(HINGE_RIGHT[name]).kind == "right", check_hinge_loss(HINGE_RIGHT[name])


@pytest.mark.parametrize("name", LINE_RIGHT)
def test_right_distances_pass(name, dtype):
    assert check_wasserstein_1d(LINE_RIGHT[name]).kind == "right", check_wasserstein_1d(LINE_RIGHT[name])


def test_a_gradient_that_reaches_the_fakes_is_remarked_on():
    feedback = check_gradient_penalty(lets_fakes_learn)
    assert feedback.ok and feedback.kind == "into_fakes" and "detach" in feedback.message


@pytest.mark.filterwarnings("ignore:Using backward")
def test_gradients_left_in_the_critic_are_remarked_on():
    feedback = check_gradient_penalty(fills_the_critic)
    assert feedback.ok and feedback.kind == "filled" and "autograd.grad" in feedback.message


@pytest.mark.parametrize(("answer", "kind", "phrase"), PENALTY_WRONG)
def test_wrong_penalties_are_called_by_name(answer, kind, phrase, dtype):
    feedback = check_gradient_penalty(answer)
    assert not feedback.ok and feedback.kind == kind and phrase in feedback.message, feedback


@pytest.mark.parametrize(("answer", "kind", "phrase"), HINGE_WRONG)
def test_wrong_hinges_are_called_by_name(answer, kind, phrase, dtype):
    feedback = check_hinge_loss(answer)
    assert not feedback.ok and feedback.kind == kind and phrase in feedback.message, feedback


@pytest.mark.parametrize(("answer", "kind", "phrase"), LINE_WRONG)
def test_wrong_distances_are_called_by_name(answer, kind, phrase, dtype):
    feedback = check_wasserstein_1d(answer)
    assert not feedback.ok and feedback.kind == kind and phrase in feedback.message, feedback


def test_the_solutions_in_the_notebook_pass():
    mine = folded_solutions("08_better_games", torch=torch)
    assert check_gradient_penalty(mine["my_gradient_penalty"]).kind == "right"
    assert check_hinge_loss(mine["my_hinge_discriminator"]).kind == "right"
    assert check_wasserstein_1d(mine["my_wasserstein_1d"]).kind == "right"
