"""Checks of notebook 08, better games: the gradient penalty, the hinge loss of D, the Wasserstein distance W₁."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, relu, softplus

from helpers.feedback import Case, Close, Feedback, Mistake, Observe, Row, Task, Trial, Wanted, diagnose
from helpers.feedback.fallbacks import scaled, told
from helpers.feedback.observe import copied
from helpers.feedback.probes import at

EACH_PAIR = "One number a pair is asked for; the mean is taken later, by the step."


# The gradient penalty: at which x, whether x is detached, the gradient of what, its length, the score, times what


def _between(r: Tensor, f: Tensor, e: Tensor) -> Tensor:
    e = e.view(-1, *[1] * (r.ndim - 1))
    return e * r + (1 - e) * f


def _gradient(output: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """∇ₓ of `output(x)` at x, (B, n), with its graph; x stays in the graph it comes from."""
    with torch.enable_grad():
        x = x if x.requires_grad else x.detach().requires_grad_()
        return torch.autograd.grad(output(x), x, create_graph=True)[0].flatten(1)


PLACES = [
    Row("right", _between, ok=True),
    Row("swapped", lambda r, f, e: _between(f, r, e),
        "`eps` multiplies the fake in your x. On average that is the same, but it belongs to the real sample."),
    Row("at_real", lambda r, f, e: r,
        "The gradient is taken at the real samples. Asked for is a place between each real and its fake."),
    Row("at_fake", lambda r, f, e: f,
        "The gradient is taken at the fakes. Asked for is a place between each real and its fake."),
    Row("midpoint", lambda r, f, e: (r + f) / 2, "The gradient is always taken half-way, whatever `eps` is."),
    Row("one_eps", lambda r, f, e: _between(r, f, e[:1]), "All pairs share the first `eps`. Each pair has its own."),
    Row("one_eps", lambda r, f, e: _between(r, f, e.mean()), "All pairs share one mean `eps`. Each pair has its own."),
    Row("eps_of_rows", lambda r, f, e: e[:, None] * r + (1 - e[:, None]) * f,
        "For points your x is right. Among images each `eps` has met a row of pixels: it needs as many dimensions as "
        "they have."),
]  # fmt: skip
DETACHED = [
    Row("right", lambda x: x.detach(), ok=True),
    Row("into_fakes", lambda x: x,
        "The gradient flows on through x into whatever made the fakes, and nothing should: "
        "which method ends its way?"),
]  # fmt: skip
OUTPUTS = [
    Row("right", lambda critic, x: _gradient(lambda x: critic(x).sum(), x), ok=True),
    Row("batch_mean", lambda critic, x: _gradient(lambda x: critic(x).mean(), x),
        "Your gradients are too small by the size of the batch: the critic's outputs were averaged before the gradient "
        "was taken."),
    Row("probabilities", lambda critic, x: _gradient(lambda x: critic(x).sigmoid().sum(), x),
        "The critic's output goes through a sigmoid before the gradient is taken. It is a plain number, no logit."),
]  # fmt: skip
LENGTHS = [
    Row("right", lambda g: g.norm(dim=1), ok=True),
    Row("no_root", lambda g: g.square().sum(1), "You take the squared length of the gradient. Where is the root?"),
    Row("mean_square", lambda g: g.square().mean(1).sqrt(),
        "The length of a gradient is the root of the sum of squares, not of their mean."),
    Row("l1_norm", lambda g: g.abs().sum(1), "You add up absolute values; the length of a gradient is Euclidean."),
    Row("whole_batch", lambda g: g.norm().expand(len(g)),
        "One length was taken for the gradients of the whole batch together. Each pair has its own."),
]  # fmt: skip
SCORES = [
    Row("right", lambda n: (n - 1).square(), ok=True),
    Row("not_squared", lambda n: n - 1, "A slope below 1 would lower the loss: the difference from 1 is not squared."),
    Row("absolute", lambda n: (n - 1).abs(), "You take the size of the difference from 1; the penalty is its square."),
    Row("one_sided", lambda n: relu(n - 1).square(),
        "Slopes below 1 go free in yours. This is the one-sided penalty, a known variant; asked for is the two-sided."),
    Row("no_target", lambda n: n.square(), "You push the slope to 0, as R1 does; this penalty pushes it to 1."),
]  # fmt: skip
FACTORS = [
    Row("right", lambda p: p, ok=True),
    Row("weighted", lambda p: 10 * p, "The weight 10 is inside. Leave λ to the one who calls."),
    Row("halved", lambda p: p / 2, "Yours is half as large: there is no ½ in this penalty."),
    Row("sign", lambda p: -p, "The sign is turned: a penalty is never negative."),
]  # fmt: skip


def _penalties(c: Case, place, detached, output, length, score, factor) -> Tensor:
    return factor(score(length(output(c.critic, detached(place(c.real, c.fake, c.eps))))))


def _pairs(batch: int, *shape: int) -> Case:
    """A critic whose gradients have lengths on both sides of 1, with pairs of points or images."""
    critic = nn.Sequential(
        nn.Flatten(), nn.Linear(math.prod(shape), 6), nn.Tanh(), nn.Linear(6, 1), nn.Flatten(0)
    )
    nn.init.normal_(critic[3].weight)
    nn.init.normal_(critic[1].weight, std=2 / math.prod(shape) ** 0.5)
    real, fake, eps = torch.randn(batch, *shape), torch.randn(batch, *shape) + 1, torch.rand(batch)
    eps[:2] = torch.tensor([0.02, 0.98])
    return Case(critic=critic, real=real, fake=fake, eps=eps)


def _penalty_hints(c: Case) -> dict[tuple, str]:
    every = c.real.shape, c.real.flatten(1).shape
    return {
        (): EACH_PAIR,
        (len(c.real), 1): "One number a pair: there is a dimension too many.",
        **dict.fromkeys(map(tuple, every), "There is a number for each coordinate. How long is a gradient?"),
        tuple(c.real.shape[:-1]): "An image's gradient is one long vector, and you took the last dimension alone.",
    }  # fmt: skip


def _filled(trial: Trial) -> list[tuple[str, str]]:
    """A remark where the critic holds gradients when the function is over."""
    mine = copied(trial.cases[0])
    trial.answer(*mine.but(fake=mine.fake.requires_grad_() + 0).values())
    remark = (
        "Your `backward` has also filled the gradients of the critic's parameters, where the next step finds them. "
        "`torch.autograd.grad` gives one gradient and leaves the others alone."
    )
    return [("filled", remark)] if any(each.grad is not None for each in mine.critic.parameters()) else []


def _by_steps(trial: Trial) -> Mistake:
    points, images = trial.cases
    right = trial.fits(points, ["value"])
    both = (trial.ask(images), trial.ours(images)) if right else (trial.ask(points), trial.ours(points))
    numbers = [", ".join(map(told, each["value"].tolist())) for each in both]
    kind, text = ("images", IMAGES) if right else ("value", POINTS)
    return Mistake(kind, text.format(*numbers))


IMAGES = (
    "For points you are right. For images your penalties are {}, and should be {}. What is x, and how long is its "
    "gradient, if a sample is an image?"
)
POINTS = "For points your penalties are {}, and should be {}. Print x, its gradient and the lengths in turn."

PENALTY = Task(
    usage="my_gradient_penalty(critic, real, fake, eps)",
    cases=lambda: [_pairs(5, 2), _pairs(7, 1, 4, 3)],
    tables=(PLACES, DETACHED, OUTPUTS, LENGTHS, SCORES, FACTORS),
    ways=[Row("not_squared", lambda c: LENGTHS[0].f(OUTPUTS[0].f(c.critic, _between(c.real, c.fake, c.eps).detach())),
              "You return the slope itself. What should a slope of 1 cost?")],
    compose=_penalties,
    observe=Observe(Wanted("(B,)", lambda c: c.eps.shape, _penalty_hints), at=("critic", "fake")),
    praise="One slope for each pair, pushed towards 1.",
    probes=(_filled,),
    witness=_by_steps,
    retreat=lambda c: c if c.real.ndim == 2 else _pairs(4, 1, 4, 3),  # as many images as rows of pixels
    said=(("differentiated Tensors does not require grad", "detached",
           "Autograd is asked for the gradient at an x that it does not watch. What makes it watch a tensor?"),
          ("not have been used in the graph", "unused",
           "The critic's output does not come from the x at which you ask for its gradient. What did it look at?")),
    seed=8,
)  # fmt: skip
NO_GRAPH = (
    "The numbers are right, but they cannot teach the critic: no gradient reaches its parameters. A gradient that will "
    "be differentiated again needs its graph (`create_graph`)."
)


def check_gradient_penalty(penalty: Callable) -> Feedback:
    """Say whether `penalty(critic, real, fake, eps)` is (|∇D(x)| − 1)² at x = ε·real + (1 − ε)·fake, to (B,).

    Compared are values and their gradients in the critic's parameters, to a relative 1e-3, for points (B, 2) and images
    (B, 1, 4, 3); none may flow on into `fake`. Raises nothing. Source: Gulrajani et al. (2017), eq. 3.
    """
    found = diagnose(PENALTY, penalty)
    return Feedback(False, "no_graph", NO_GRAPH) if found.kind == "no_gradient" else found


# The hinge loss: which logits go in, the term of a logit, which terms are so, how they are joined

LOGITS = [
    Row("right", lambda r, f: (r, f), ok=True),
    Row("signs", lambda r, f: (-r, -f), "Your D is trained to call reals fake and fakes real: both signs are turned."),
    Row("real_sign", lambda r, f: (-r, f), "The real logits should rise, and your loss lowers them."),
    Row("fake_sign", lambda r, f: (r, -f), "The fake logits should fall, and your loss raises them."),
    Row("probabilities", lambda r, f: (r.sigmoid(), f.sigmoid()),
        "The logits go through a sigmoid first, and then never reach the margin. The hinge takes them as they are."),
    *[Row("detached", cut, "One of the two terms teaches nothing: look for `detach`, `no_grad` in your code.")
      for cut in (lambda r, f: (r.detach(), f), lambda r, f: (r, f.detach()))],
]  # fmt: skip
LEAKY = "Beyond the margin your loss still falls, a little: a leaky hinge. Here it stops at 0."


def _hinge(a: Tensor) -> Tensor:
    return relu(1 - a)


TERMS = [  # of a logit that should be large; true of both terms or of one
    Row("right", _hinge, ok=True),
    Row("no_margin", lambda a: relu(-a), "A margin is missing: a logit of the right sign is left alone by its term."),
    Row("no_hinge", lambda a: 1 - a, "Something never stops: where is the margin beyond which a term is 0?"),
    Row("critic", lambda a: -a, "There is a term without any margin, as in the Wasserstein critic's loss."),
    Row("squared", lambda a: relu(1 - a).square(), "There is a squared hinge. Which power does the formula have?"),
    Row("leaky", lambda a: leaky_relu(1 - a, 0.2), LEAKY),
    Row("leaky", lambda a: leaky_relu(1 - a, 0.01), LEAKY),
    Row("wrong_side", lambda a: -relu(a - 1),
        "You keep the smaller of 0 and 1 − a in each term; the larger of the two is asked for."),
    Row("smooth", lambda a: softplus(1 - a), "A softplus has no hinge: it never becomes 0."),
    Row("cross_entropy", lambda a: softplus(-a), "There is a cross-entropy, as before. Where is the margin?"),
]  # fmt: skip
SIDES = [  # the terms that are so; the other one is right
    Row("right", lambda term: (term, term), ok=True),
    Row("right", lambda term: (term, _hinge), ok=True),
    Row("right", lambda term: (_hinge, term), ok=True),
]  # fmt: skip
JOINS = [
    Row("right", lambda r, f: r + f, ok=True),
    Row("only_real", lambda r, f: r, "The fakes are left out."),
    Row("only_fake", lambda r, f: f, "The reals are left out."),
    Row("product", lambda r, f: r * f, "The two terms are multiplied; they are added."),
    Row("difference", lambda r, f: r - f, "The second term is subtracted; both should be as small as they can."),
    Row("half", lambda r, f: (r + f) / 2, "Yours is half as large: the two terms are added."),
    Row("minimum", lambda r, f: -(r + f),
        "The sign is turned: D minimises this loss, so it should be largest where D is wrong."),
]  # fmt: skip


def _losses(c: Case, sign, term, sides, join) -> Tensor:
    (real, fake), (r, f) = sides(term), sign(c.real_logits, c.fake_logits)
    return join(real(r), fake(-f))


def _logits(batch: int) -> Case:
    """Logits on both sides of both margins, some of them close by."""
    near, (real, fake) = torch.tensor([0.997, 1.003]), 3 * torch.randn(2, batch)
    return Case(real_logits=torch.cat([near, real]), fake_logits=torch.cat([fake, -near]))


def _logit_hints(c: Case) -> dict[tuple, str]:
    n = len(c.real_logits)
    return {(): EACH_PAIR, (2,): "One number a pair is asked for: add the two terms.",
            (2 * n,): "The terms were joined, one behind the other, and not added.",
            (n, n): "Every real met every fake."}  # fmt: skip


def _two_logits(trial: Trial) -> Mistake:
    """The pair of logits at which the answer is most wrong."""
    both = trial.cases, trial.seen
    pairs = [(case, seen["value"], trial.ours(case)["value"]) for case, seen in zip(*both, strict=True)]
    case, seen, ours = max(pairs, key=lambda pair: float((pair[1] - pair[2]).abs().max()))
    i = (seen - ours).abs().argmax()
    numbers = case.real_logits[i], case.fake_logits[i], seen[i], ours[i]
    text = ("For a real logit of {} and a fake one of {} your loss is {}, and should be {}. Each term is 0 beyond its "
            "margin and 1 at a logit of 0, and the straight line through these goes on to the wrong side.")  # fmt: skip
    return Mistake("value", text.format(*(told(each, 4) for each in numbers)))


HINGE = Task(
    usage="my_hinge_discriminator(real_logits, fake_logits)",
    cases=lambda: [_logits(9), _logits(14)],
    tables=(LOGITS, TERMS, SIDES, JOINS),
    ways=[Row("together", lambda c: relu(2 - c.real_logits + c.fake_logits),
              "One margin for both together: a very good real would excuse a bad fake. Each logit has its own."),
          Row("together", lambda c: relu(1 - c.real_logits + c.fake_logits),
              "One margin for the difference of both, as in a relativistic hinge. Here each logit has its own."),
          Row("larger", lambda c: relu(1 + torch.maximum(-c.real_logits, c.fake_logits)),
              "Only the larger of the two terms counts in yours; they are added."),
          Row("generator", lambda c: -c.fake_logits,
              "This is the generator's side of the hinge game; D's is asked for.")],
    compose=_losses,
    observe=Observe(Wanted("(B,)", lambda c: c.real_logits.shape, _logit_hints), at=("real_logits", "fake_logits")),
    praise="A logit beyond its margin costs nothing, and every other one is pushed there.",
    close=Close(1e-3, 1e-6, each=True),
    fallbacks=(scaled("Your loss"),),
    witness=_two_logits,
    seed=8,
)  # fmt: skip


def check_hinge_loss(loss: Callable[[Tensor, Tensor], Tensor]) -> Feedback:
    """Say whether `loss(real_logits, fake_logits)`, (B,), (B,) to (B,), is max(0, 1 − a_real) + max(0, 1 + a_fake).

    Compared are values to a relative 1e-3, on both sides of both margins, and that gradients flow. Raises nothing.
    Source: Miyato et al. (2018), eq. 16.
    """
    return diagnose(HINGE, loss)


# The Wasserstein distance on a line: which sample gradients reach, which point goes where, how far that is, which mean


def _nearest(x: Tensor, y: Tensor) -> Tensor:
    """For each of x, the nearest of y."""
    return y[(x[:, None] - y).abs().argmin(1)]


REACHED = [
    Row("right", lambda a, b: (a, b), ok=True),
    Row("detached", lambda a, b: (a.detach(), b), "No gradient reaches the first sample: look for a `detach`."),
    Row("detached", lambda a, b: (a, b.detach()), "No gradient reaches the second sample: look for a `detach`."),
]  # fmt: skip
PARTNERS = [
    Row("right", lambda a, b: (a.sort().values, b.sort().values), ok=True),
    Row("unsorted", lambda a, b: (a, b),
        "You pair the points in the order in which they came. Which order makes the distances least?"),
    *[Row("one_sorted", one, "Only one of the samples is sorted; its partner has to be, too.")
      for one in (lambda a, b: (a.sort().values, b), lambda a, b: (a, b.sort().values))],
    Row("opposite", lambda a, b: (a.sort().values, b.sort(descending=True).values),
        "The smallest is sent to the largest: this is the most expensive plan there is."),
    Row("all_pairs", lambda a, b: (a.repeat_interleave(len(b)), b.repeat(len(a))),
        "Every point goes to every other: two equal samples would not have distance 0."),
    Row("nearest", lambda a, b: (a, _nearest(a, b)),
        "Each point goes to its nearest, and many may go to the same. In transport every place is filled once."),
    Row("nearest", lambda a, b: (_nearest(b, a), b),
        "Each place takes from its nearest, and many may take from the same. In transport every point leaves once."),
]  # fmt: skip
SIGNED = "Moves to the left and to the right cancel in your mean: what is the distance of a move?"
WAYS = [
    Row("right", lambda x, y: (x - y).abs(), ok=True),
    Row("signed", lambda x, y: x - y, SIGNED),
    Row("signed", lambda x, y: y - x, SIGNED),
    Row("squares", lambda x, y: (x - y).square(), "You average squares: this is W₂², another distance."),
]  # fmt: skip
MEANS = [
    Row("right", lambda d, n: d.mean(), ok=True),
    Row("sum", lambda d, n: d.mean() * n, "This is the sum over the points; each carries 1/n of the mass."),
    Row("squares", lambda d, n: d.square().mean().sqrt(), "This is W₂, by squares; W₁ averages the distances."),
    Row("largest", lambda d, n: d.max(), "This is the longest distance of all, W∞."),
    Row("median", lambda d, n: d.median(), "This is the median distance; the mean is asked for."),
    Row("norm", lambda d, n: d.norm(), "This is the Euclidean norm of all distances together."),
    Row("half", lambda d, n: d.mean() / 2, "Yours is half as large as it should be."),
]  # fmt: skip


def _several(c: Case) -> dict[tuple, str]:
    n = len(c.a)
    return dict.fromkeys([(n,), (n, n), (2,)], "There are several numbers. How do they become one distance?")


SMALL = [  # samples of two points, and how far they are apart
    ((0, 1), (5, 2), "Two distances of 2 and 4, each with half of the mass, make 3."),
    ((-1, 1), (0, 0), "Two distances of 1, each with half of the mass, make 1."),
    ((-1, 1), (1, 3), "Two distances of 2, each with half of the mass, make 2."),
    ((0, 1), (1.024, 0.013), "Two distances of 0.013 and 0.024, each with half of the mass, make 0.0185."),
]  # fmt: skip


def _two_points(trial: Trial) -> Mistake | None:
    """The first of the small samples where the answer is wrong."""
    for a, b, why in SMALL:
        case = Case(a=torch.tensor(a).to(trial.cases[0].a), b=torch.tensor(b).to(trial.cases[0].a))
        if not trial.fits(case, ["value"]):
            text = "From points at {} and {} to points at {} and {} your distance is {}. {}"
            numbers = *a, *b, trial.ask(case)["value"]
            return Mistake("value", text.format(*(told(each, 4) for each in numbers), why))
    return None


def _samples() -> list[Case]:
    """Two samples apart, twice, and two that nearly agree."""
    steps = torch.arange(11.0).roll(4)
    return [Case(a=torch.randn(9), b=2 * torch.randn(9) + 0.5), Case(a=steps, b=steps.flip(0) + 0.004 + 0.01 * steps),
            Case(a=torch.rand(14) * 3, b=torch.randn(14))]  # fmt: skip


LINE = Task(
    usage="my_wasserstein_1d(a, b)",
    cases=_samples,
    tables=(REACHED, PARTNERS, WAYS, MEANS),
    ways=[Row("means", lambda c: (c.a.mean() - c.b.mean()).abs(),
              "Two distributions of one mean need not be equal: size before mean."),
          Row("nearest", lambda c: sum((x - _nearest(x, y)).abs().mean() for x, y in ((c.a, c.b), (c.b, c.a))),
              "Each point goes to its nearest, from both sides, and many may go to the same. In transport every place "
              "is filled once.")],
    compose=lambda c, reached, partners, way, mean: mean(way(*partners(*reached(c.a, c.b))), len(c.a)),
    observe=Observe(Wanted("()", lambda c: (), _several), at=("a", "b")),
    praise="Sorted, the points move the least distance.",
    probes=(at(lambda c: Case(a=torch.tensor([2.0, 0, 0, 1, 2]), b=torch.tensor([1.0, 1, 3, 0, 1])), "ties",
               "Where points lie on one another your distance is another: each carries its part of the mass.",
               names=("value",)),),
    fallbacks=(_two_points,),
    said=(("Can't call numpy()", "no_gradient",
           "NumPy and SciPy know no gradients, and some are wanted here. Tensors have a method that sorts, too."),),
    seed=8,
)  # fmt: skip


def check_wasserstein_1d(distance: Callable[[Tensor, Tensor], Tensor]) -> Feedback:
    """Say whether `distance(a, b)`, (n,), (n,) to (), is W₁, the mean of |a − b| after both are sorted.

    Values and gradients at both samples are compared to a relative 1e-3, for several n and any order; with ties, the
    values alone. Raises nothing. Source: Villani (2003), remark 2.19.
    """
    return diagnose(LINE, distance)
