"""Checks of notebook 08: the gradient penalty, the hinge loss, the Wasserstein distance on a line.

An answer is judged by its numbers and gradients, compared with a right one and with every wrong one in a table.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, relu, softplus

from helpers.checks.frame import Answer, Feedback, Mistake, Way, gives_feedback, number, right, tensor

CLOSE = 1e-3  # relative to the largest number: float32 rounds to 1e-6, and two rows of a table differ by over 1e-2


def _alike(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool((one - other).abs().max() <= CLOSE * other.abs().max() + 1e-9)


def _name(answers: list[Tensor], cases: list[tuple], ways: list[Way]) -> Way | None:
    """The first way that gives all the answers."""
    for way in ways:
        if all(_alike(seen, way.answer(*case)) for seen, case in zip(answers, cases, strict=True)):
            return way
    return None


# A: the gradient penalty


def _eps(eps: Tensor, like: Tensor) -> Tensor:
    return eps.view(-1, *[1] * (like.ndim - 1))


def _between(real: Tensor, fake: Tensor, eps: Tensor) -> Tensor:
    return _eps(eps, real) * real + (1 - _eps(eps, real)) * fake


def _slope(critic: nn.Module, x: Tensor, of=torch.sum) -> Tensor:
    """∇ₓ of the critic's summed output at x, (B, …), with its graph."""
    x = x.detach().requires_grad_()
    return torch.autograd.grad(of(critic(x)), x, create_graph=True)[0].flatten(1)


def _penalty(place=_between, of=torch.sum, score=lambda slope: (slope.norm(dim=1) - 1).square()):
    return lambda critic, real, fake, eps: score(_slope(critic, place(real, fake, eps), of))


PENALTY_WAYS = [
    Way("right", _penalty()),
    Way(
        "swapped",
        _penalty(lambda r, f, e: _between(f, r, e)),
        "`eps` multiplies the fake in your x, and here it belongs to the real one. For a uniform `eps` the game is the "
        "same, but a formula should be the one that was agreed on.",
    ),
    Way(
        "no_root",
        _penalty(score=lambda s: (s.square().sum(1) - 1).square()),
        "You compare the squared length of the gradient with 1. Where is the root?",
    ),
    Way(
        "not_squared",
        _penalty(score=lambda s: s.norm(dim=1) - 1),
        "A slope below 1 would earn a reward: the difference from 1 is not squared.",
    ),
    Way(
        "absolute",
        _penalty(score=lambda s: (s.norm(dim=1) - 1).abs()),
        "You take the size of the difference from 1; the penalty is its square.",
    ),
    Way(
        "one_sided",
        _penalty(score=lambda s: relu(s.norm(dim=1) - 1).square()),
        "Slopes below 1 go free in yours. This is the one-sided penalty, a known variant; asked for is the two-sided.",
    ),
    Way(
        "no_target",
        _penalty(score=lambda s: s.square().sum(1)),
        "You draw the slope to 0, as R1 does; this penalty draws it to 1.",
    ),
    Way(
        "batch_mean",
        _penalty(of=torch.mean),
        "Your slopes are too small by the size of the batch: the critic's outputs were averaged before the gradient "
        "was taken.",
    ),
    Way(
        "per_coordinate",
        _penalty(score=lambda s: (s.abs() - 1).square().sum(1)),
        "Each partial derivative is compared with 1. It is the length of the whole gradient that should be 1.",
    ),
    Way(
        "mean_square",
        _penalty(score=lambda s: (s.square().mean(1).sqrt() - 1).square()),
        "The length of a gradient is the root of the sum of squares, not of their mean.",
    ),
    Way(
        "l1_norm",
        _penalty(score=lambda s: (s.abs().sum(1) - 1).square()),
        "You add up absolute values; the length of a gradient is Euclidean.",
    ),
    Way(
        "at_real",
        _penalty(lambda r, f, e: r),
        "The slope is taken at the real samples. Asked for is a place between each real and its fake.",
    ),
    Way(
        "at_fake",
        _penalty(lambda r, f, e: f),
        "The slope is taken at the fakes. Asked for is a place between each real and its fake.",
    ),
    Way(
        "one_eps",
        _penalty(lambda r, f, e: _between(r, f, e[:1].expand(len(e)))),
        "All pairs share the first `eps`. Each pair has its own.",
    ),
    Way(
        "one_eps",
        _penalty(lambda r, f, e: _between(r, f, e.mean().expand(len(e)))),
        "All pairs share one mean `eps`. Each pair has its own.",
    ),
    Way(
        "eps_of_rows",
        _penalty(lambda r, f, e: e[:, None] * r + (1 - e[:, None]) * f),
        "For points your x is right. Among images each `eps` has met a row of pixels: it needs as many dimensions as "
        "they have.",
    ),
    Way(
        "minus",
        _penalty(lambda r, f, e: _between(r, -f, e)),
        "Your x does not lie between real and fake: the two shares are subtracted, and should be added.",
    ),
    Way(
        "plus",
        _penalty(score=lambda s: (s.norm(dim=1) + 1).square()),
        "You add 1 to the slope and square that, so the best slope is 0. Which slope should cost nothing?",
    ),
    Way(
        "not_squared",
        _penalty(score=lambda s: s.norm(dim=1)),
        "You return the slope itself. What should a slope of 1 cost?",
    ),
    Way(
        "whole_batch",
        _penalty(score=lambda s: (s.norm() - 1).square().expand(len(s))),
        "One length was taken for the gradients of the whole batch together. Each pair has its own.",
    ),
    Way(
        "probabilities",
        lambda critic, r, f, e: (
            _slope(lambda x: critic(x).sigmoid(), _between(r, f, e)).norm(dim=1) - 1
        ).square(),
        "The critic's output goes through a sigmoid before the gradient is taken. A critic's output is a plain number.",
    ),
    Way(
        "midpoint",
        _penalty(lambda r, f, e: (r + f) / 2),
        "The slope is always taken half-way, whatever `eps` is.",
    ),
    Way(
        "weighted",
        lambda *a: 10 * _penalty()(*a),
        "The weight 10 is inside. Leave λ to the one who calls.",
    ),
    Way(
        "halved",
        lambda *a: _penalty()(*a) / 2,
        "Yours is half as large: there is no ½ in this penalty.",
    ),
    Way("sign", lambda *a: -_penalty()(*a), "The sign is turned: a penalty is never negative."),
]


def _critic(*shape: int) -> nn.Sequential:
    size = int(np.prod(shape))
    return nn.Sequential(nn.Flatten(), nn.Linear(size, 6), nn.Tanh(), nn.Linear(6, 1), nn.Flatten(0))


def _penalty_case(batch: int, *shape: int) -> tuple[nn.Module, Tensor, Tensor, Tensor]:
    critic = _critic(*shape)
    with torch.no_grad():
        critic[3].weight.mul_(4)
    return critic, torch.randn(batch, *shape), torch.randn(batch, *shape) + 1, torch.rand(batch)


def _to_parameters(value: Tensor, critic: nn.Module) -> Tensor:
    """How the sum of the penalties changes with the critic's parameters, flat; zeros where it does not."""
    parameters = list(critic.parameters())
    gradients = torch.autograd.grad(value.sum(), parameters, retain_graph=True, allow_unused=True)
    pairs = zip(gradients, parameters, strict=True)
    return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for g, p in pairs])


@gives_feedback
def check_gradient_penalty(penalty: Callable) -> Feedback:
    """Say whether `penalty(critic, real, fake, eps)` is (|∇D(x)| − 1)² at x = ε·real + (1 − ε)·fake, to (B,).

    Compared are values and their gradients in the critic's parameters, to a relative 1e-3, for points (B, 2) and images
    (B, 1, 4, 3). A gradient that flows on into `fake` is remarked on. Raises nothing. Source: Gulrajani et al. (2017),
    eq. 3.
    """
    answer = Answer(penalty, "my_gradient_penalty(critic, real, fake, eps)")
    torch.manual_seed(8)
    cases = [_penalty_case(5, 2), _penalty_case(4, 1, 4, 3)]
    values, into_fakes, filled = [], False, False
    for critic, real, fake, eps in cases:
        source = fake.clone().requires_grad_()
        made = source + 0.0  # as a generator hands it over: not a leaf, with a past
        given = real.clone()
        value = answer(critic, given, made, eps.clone())
        if not all(each.requires_grad for each in critic.parameters()):
            raise Mistake(
                "left_frozen",
                "The critic is frozen after your function was called, and can learn nothing more.",
            )
        filled |= any(each.grad is not None for each in critic.parameters())
        size = len(real)
        hints = {
            (): "One number a pair is asked for; the mean is taken later, by the step.",
            (size, 1): "One number a pair: there is a dimension too many.",
            tuple(real.shape): "There is a number for each coordinate. How long is a gradient?",
            (
                size,
                4,
            ): "The length was taken over the last dimension alone. An image's gradient is one long vector.",
            (
                size,
                1,
                4,
            ): "The length was taken over the last dimension alone. An image's gradient is one long vector.",
        }
        value = tensor(value, (size,), "(B,)", hints)
        if not torch.equal(given, real):
            raise Mistake("changed_input", "Your function changes the real samples it was given.")
        if value.requires_grad:
            (reached,) = torch.autograd.grad(value.sum(), source, retain_graph=True, allow_unused=True)
            into_fakes |= reached is not None and bool(reached.any())
        values.append(value)
    way = _name([value.detach() for value in values], cases, PENALTY_WAYS)
    if way is None and _alike(values[0].detach(), _penalty()(*cases[0]).detach()):
        raise Mistake(
            "images",
            f"For points you are right. For four images your penalties are {_told(values[1])}, and should be "
            f"{_told(_penalty()(*cases[1]))}. What is x, and how long is its gradient, if a sample is an image?",
        )
    if way is None:
        raise Mistake(
            "value",
            f"For five points your penalties are {_told(values[0])}, and should be "
            f"{_told(_penalty()(*cases[0]))}. Print x, its gradient and the lengths, one after the other.",
        )
    if way.kind != "right":
        raise Mistake(way.kind, way.message)
    for value, (critic, real, fake, eps) in zip(values, cases, strict=True):
        wanted = _to_parameters(_penalty()(critic, real, fake, eps), critic)
        if not value.requires_grad or not _alike(_to_parameters(value, critic), wanted):
            raise Mistake(
                "no_graph",
                "The numbers are right, but they cannot teach the critic: no gradient reaches its parameters. A "
                "gradient that will be differentiated again needs its graph (`create_graph`).",
            )
    remarks = [
        (
            "into_fakes",
            "The gradient runs on through x into whatever made the fakes, which costs time and leaves something "
            "behind: detach x first.",
        ),
        (
            "filled",
            "Your `backward` has also filled the gradients of the critic's parameters, where the next step finds "
            "them. `torch.autograd.grad` gives one gradient and leaves the others alone.",
        ),
    ]
    found = [remark for remark, seen in zip(remarks, (into_fakes, filled), strict=True) if seen]
    return right("One slope for each pair, drawn towards 1.", found)


def _told(values: Tensor) -> str:
    return ", ".join(f"{value:.3g}" for value in values.detach().tolist())


# B: the hinge loss


HINGE_WAYS = [
    Way("right", lambda r, f: relu(1 - r) + relu(1 + f)),
    Way(
        "signs",
        lambda r, f: relu(1 + r) + relu(1 - f),
        "Your D is drawn to call reals fake and fakes real: both signs are turned.",
    ),
    Way(
        "real_sign",
        lambda r, f: relu(1 + r) + relu(1 + f),
        "The real logits should rise, and your loss lowers them.",
    ),
    Way(
        "fake_sign",
        lambda r, f: relu(1 - r) + relu(1 - f),
        "The fake logits should fall, and your loss raises them.",
    ),
    Way(
        "no_margin",
        lambda r, f: relu(-r) + relu(f),
        "There is no margin: a logit of the right sign is left alone.",
    ),
    Way("no_hinge", lambda r, f: 2 - r + f, "Nothing stops: where is the corner beyond which the loss is 0?"),
    Way("critic", lambda r, f: f - r, "This is the Wasserstein critic's loss, which has no corner."),
    Way(
        "together",
        lambda r, f: relu(2 - r + f),
        "One corner for both together: a very good real would excuse a bad fake. Each logit has its own.",
    ),
    Way(
        "together",
        lambda r, f: relu(1 - r + f),
        "One corner for the difference of both, as in a relativistic hinge. Here each logit has its own.",
    ),
    Way("squared", lambda r, f: relu(1 - r).square() + relu(1 + f).square(), "This is the squared hinge."),
    Way("only_real", lambda r, f: relu(1 - r), "The fakes are left out."),
    Way("only_fake", lambda r, f: relu(1 + f), "The reals are left out."),
    Way(
        "larger",
        lambda r, f: torch.maximum(relu(1 - r), relu(1 + f)),
        "Only the larger of the two terms counts in yours; they are added.",
    ),
    Way("product", lambda r, f: relu(1 - r) * relu(1 + f), "The two terms are multiplied; they are added."),
    Way(
        "leaky",
        lambda r, f: leaky_relu(1 - r, 0.2) + leaky_relu(1 + f, 0.2),
        "Beyond the corner your loss still falls, a little: a leaky hinge. Here it stops at 0.",
    ),
    Way(
        "leaky",
        lambda r, f: leaky_relu(1 - r, 0.01) + leaky_relu(1 + f, 0.01),
        "Beyond the corner your loss still falls, a little: a leaky hinge. Here it stops at 0.",
    ),
    Way(
        "half",
        lambda r, f: (relu(1 - r) + relu(1 + f)) / 2,
        "Yours is half as large: the two terms are added.",
    ),
    Way(
        "minimum",
        lambda r, f: -(relu(1 - r) + relu(1 + f)),
        "The sign is turned: D minimises this loss, so it should be largest where D is wrong.",
    ),
    Way(
        "wrong_side",
        lambda r, f: (1 - r).clamp(max=0) + (1 + f).clamp(max=0),
        "The corner is kept and the slope thrown away: the larger of the two is asked for, not the smaller.",
    ),
    Way(
        "probabilities",
        lambda r, f: relu(1 - r.sigmoid()) + relu(1 + f.sigmoid()),
        "The logits go through a sigmoid first, and then never reach the corner. The hinge takes them as they are.",
    ),
    Way(
        "smooth",
        lambda r, f: softplus(1 - r) + softplus(1 + f),
        "A softplus has no corner: it never becomes 0.",
    ),
    Way("cross_entropy", lambda r, f: softplus(-r) + softplus(f), "This is the cross-entropy of before."),
    Way(
        "generator",
        lambda r, f: -f,
        "This is the generator's side of the hinge game; D's is asked for.",
    ),
]


@gives_feedback
def check_hinge_loss(loss: Callable[[Tensor, Tensor], Tensor]) -> Feedback:
    """Say whether `loss(real_logits, fake_logits)`, (B,), (B,) to (B,), is max(0, 1 − a_real) + max(0, 1 + a_fake).

    Compared are values to a relative 1e-3, on both sides of both corners, and that gradients flow. Raises nothing.
    Source: Miyato et al. (2018), eq. 16.
    """
    answer = Answer(loss, "my_hinge_discriminator(real_logits, fake_logits)")
    torch.manual_seed(8)
    cases = [(3 * torch.randn(b) + 0.3, 3 * torch.randn(b) - 0.2) for b in (9, 14)]
    values, cut = [], False
    for real, fake in cases:
        size = len(real)
        hints = {
            (): "One number a pair is asked for; the mean is taken later, by the step.",
            (2,): "One number a pair is asked for: add the two terms.",
            (2 * size,): "The terms were joined, one behind the other, and not added.",
            (size, size): "Every real met every fake.",
        }
        logits = real.clone().requires_grad_(), fake.clone().requires_grad_()
        given = [
            each * 1 for each in logits
        ]  # as a network hands them over: no leaves, so they may be overwritten
        value = tensor(answer(*given), (size,), "(B,)", hints)
        if not all(torch.equal(each.detach(), was) for each, was in zip(given, (real, fake), strict=True)):
            raise Mistake("changed_input", "Your function overwrites the logits it was given.")
        if not value.requires_grad:
            raise Mistake(
                "detached", "No gradient can flow from your loss to the logits: look for `detach`, `no_grad`."
            )
        slopes = torch.autograd.grad(value.sum(), logits, allow_unused=True)
        wanted = (-(real < 1).to(real), (fake > -1).to(fake))
        cut |= not all(s is not None and torch.equal(s, w) for s, w in zip(slopes, wanted, strict=True))
        values.append(value.detach())
    way = _name(values, cases, HINGE_WAYS)
    if way is None:
        probe = answer(torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)).item()
        raise Mistake(
            "value",
            f"For two logits of 0 your loss is {probe:.4g}; each term should be 1 there, 0 beyond its margin, and a "
            "straight line between.",
        )
    if way.kind != "right":
        raise Mistake(way.kind, way.message)
    if cut:
        raise Mistake(
            "detached",
            "The numbers are right, and part of their gradient is cut off: look for `detach`, `no_grad`.",
        )
    return right("Wrong or unsure logits pay, sure and right ones rest.")


# C: the Wasserstein distance on a line


def _sorted(a: Tensor, b: Tensor) -> Tensor:
    return a.sort().values - b.sort().values


def _distances(a: Tensor, b: Tensor) -> Tensor:
    return (a[:, None] - b).abs()


LINE_WAYS = [
    Way("right", lambda a, b: _sorted(a, b).abs().mean()),
    Way(
        "unsorted",
        lambda a, b: (a - b).abs().mean(),
        "You pair the points in the order in which they came. Which order makes the way shortest?",
    ),
    Way(
        "one_sorted",
        lambda a, b: (a.sort().values - b).abs().mean(),
        "Only the first sample is sorted; its partner has to be, too.",
    ),
    Way(
        "one_sorted",
        lambda a, b: (a - b.sort().values).abs().mean(),
        "Only the second sample is sorted; its partner has to be, too.",
    ),
    Way(
        "opposite",
        lambda a, b: (a.sort().values - b.sort(descending=True).values).abs().mean(),
        "The smallest is sent to the largest: this is the longest way there is.",
    ),
    Way(
        "sum",
        lambda a, b: _sorted(a, b).abs().sum(),
        "This is the sum over the points; each carries 1/n of the heap.",
    ),
    Way(
        "means",
        lambda a, b: (a.mean() - b.mean()).abs(),
        "Two heaps of one mean need not be equal: size before mean.",
    ),
    Way(
        "signed",
        lambda a, b: _sorted(a, b).mean(),
        "Ways to the left and to the right cancel in your mean: what is the length of a way?",
    ),
    Way(
        "signed",
        lambda a, b: b.mean() - a.mean(),
        "Ways to the left and to the right cancel in your mean: what is the length of a way?",
    ),
    Way(
        "squares",
        lambda a, b: _sorted(a, b).square().mean(),
        "You average squares: this is W₂², another distance.",
    ),
    Way(
        "squares",
        lambda a, b: _sorted(a, b).square().mean().sqrt(),
        "This is W₂, by squares. W₁ averages the ways themselves.",
    ),
    Way("largest", lambda a, b: _sorted(a, b).abs().max(), "This is the longest way of all, W∞."),
    Way(
        "median", lambda a, b: _sorted(a, b).abs().median(), "This is the middle way; the mean is asked for."
    ),
    Way(
        "all_pairs",
        lambda a, b: _distances(a, b).mean(),
        "Every point goes to every other: two equal samples would not have distance 0.",
    ),
    Way(
        "nearest",
        lambda a, b: _distances(a, b).amin(1).mean(),
        "Each point goes to its nearest, and many may go to the same. In transport every place is filled once.",
    ),
    Way(
        "nearest",
        lambda a, b: _distances(a, b).amin(0).mean(),
        "Each place takes from its nearest, and many may take from the same. In transport every point leaves once.",
    ),
    *(
        Way(
            "nearest",
            lambda a, b, share=share: (
                share * (_distances(a, b).amin(0).mean() + _distances(a, b).amin(1).mean())
            ),
            "Each point goes to its nearest, from both sides, and many may go to the same. In transport every place is "
            "filled once.",
        )
        for share in (1, 0.5)
    ),
    Way("half", lambda a, b: _sorted(a, b).abs().mean() / 2, "Yours is half as large as it should be."),
    Way("norm", lambda a, b: _sorted(a, b).norm(), "This is the Euclidean length of all ways together."),
]


@gives_feedback
def check_wasserstein_1d(distance: Callable[[Tensor, Tensor], Tensor]) -> Feedback:
    """Say whether `distance(a, b)`, (n,), (n,) to (), is W₁, the mean of |a − b| after both are sorted.

    A number, an array or a tensor is taken, and compared to a relative 1e-3 for several n, order and ties. Raises
    nothing. Source: Villani (2003), remark 2.19.
    """
    answer = Answer(distance, "my_wasserstein_1d(a, b)")
    torch.manual_seed(8)
    ties = (torch.tensor([2.0, 0, 0, 1, 2]), torch.tensor([1.0, 1, 3, 0, 1]))
    cases = [(torch.randn(9), 2 * torch.randn(9) + 0.5), (torch.rand(14) * 3, torch.randn(14)), ties]
    values = []
    for a, b in cases:
        given = a.clone(), b.clone()
        value = answer(*given)
        if not (torch.equal(given[0], a) and torch.equal(given[1], b)):
            raise Mistake(
                "changed_input",
                "Your function sorts the samples it was given, and who uses them next finds them changed. `sort` of a "
                "tensor gives a new one.",
            )
        if isinstance(value, tuple | list) or (
            isinstance(value, Tensor | np.ndarray) and np.prod(value.shape) != 1
        ):
            raise Mistake("shape", "There are several numbers. How do they become one distance?")
        values.append(torch.tensor(number(value, "distance")).to(a))
    way = _name(values, cases, LINE_WAYS)
    if way is None:
        off = [not _alike(seen, LINE_WAYS[0].answer(*case)) for seen, case in zip(values, cases, strict=True)]
        if off == [False, False, True]:
            raise Mistake(
                "ties",
                "Where points lie on one another your distance is another: each carries its part of the heap.",
            )
        probe = number(answer(torch.tensor([0.0, 1.0]), torch.tensor([5.0, 2.0])), "distance")
        if abs(probe - 3) < 1e-3:
            wanted = LINE_WAYS[0].answer(*cases[0]).item()
            raise Mistake(
                "value",
                f"For nine points around 0 your distance is {values[0].item():.4g} and should be {wanted:.4g}. "
                "Try points at −1 and 1, and move both.",
            )
        raise Mistake(
            "value",
            f"From points at 0 and 1 to points at 5 and 2 your distance is {probe:.4g}. Two ways of 2 and 4, each with "
            "half of the heap, make 3.",
        )
    if way.kind != "right":
        raise Mistake(way.kind, way.message)
    return right("Sorted, the points take the shortest ways.")
