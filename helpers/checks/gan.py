"""Checks of notebook 04, a first GAN: one update of the discriminator, one of the generator.

A step is judged by what it does. It runs twice on small networks, and the way their parameters move is compared with
the ways of a right step and of every step in a table of wrong ones. How it is written does not matter.
"""

import copy
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.nn.functional import relu, softplus

from helpers.checks.frame import Answer, Feedback, Mistake, gives_feedback, number, right

IMAGE, LATENT = (1, 4, 4), 3
BATCHES = (5, 7)  # no size equals another
RATE = 0.1  # of plain gradient descent, under which a move shows size and sign of a gradient; Adam would hide the size
SAME = 1e-3  # of the largest move: float32 rounds to 1e-5, and two steps in the tables differ by over 1e-2


class TinyGenerator(nn.Sequential):
    """Noise (B, 3) to images (B, 1, 4, 4) in [−1, 1], with batch norm if asked."""

    def __init__(self, batch_norm: bool):
        norm = [nn.BatchNorm1d(6)] if batch_norm else []
        layers = [nn.Linear(LATENT, 6), *norm, nn.Tanh(), nn.Linear(6, 16), nn.Tanh(), nn.Unflatten(1, IMAGE)]
        super().__init__(*layers)
        self.latent = LATENT

    def forward(self, z: Tensor) -> Tensor:
        return super().forward(z)


class TinyDiscriminator(nn.Sequential):
    """Images (B, 1, 4, 4) to logits (B,) about 1.5 large; no batch norm, so one or two forwards agree."""

    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(16, 5), nn.Tanh(), nn.Linear(5, 1), nn.Flatten(0))
        with torch.no_grad():
            self[3].weight.normal_(std=1.5)
            self[3].bias.fill_(0.4)

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[1:] != IMAGE:
            raise ValueError(f"D looks at images (B, 1, H, W) and was given {tuple(images.shape)}")
        return super().forward(images)


class Case(NamedTuple):
    """What one step works on."""

    generator: TinyGenerator
    discriminator: TinyDiscriminator
    real: Tensor
    z: Tensor


class Trace(NamedTuple):
    """What two calls of a step did: its losses, the moves of its own network (2, parameters), and side effects."""

    losses: Tensor
    moves: Tensor
    effects: frozenset[str]


class Way(NamedTuple):
    """A way to take the step; `ok` where it may stay, with `message` as a remark."""

    kind: str
    step: Callable
    message: str = ""
    ok: bool = False


def _case(batch: int, batch_norm: bool) -> Case:
    # In the notebook's own default dtype, so that a constant the learner writes fits the model.
    real = torch.rand(batch, *IMAGE) * 2 - 1
    return Case(TinyGenerator(batch_norm), TinyDiscriminator(), real, torch.randn(batch, LATENT))


def _sure_case() -> Case:
    """A case in which D is sure: its logits of the fakes reach from below −45 to above 45."""
    case = _case(BATCHES[0], batch_norm=False)
    last = case.discriminator[3]
    with torch.no_grad():
        logits = case.discriminator(case.generator(case.z))
        last.bias -= logits.mean()
        logits -= logits.mean()
        factor = 46 / torch.minimum(logits.max(), -logits.min())
        last.weight *= factor
        last.bias *= factor
    return case


# The discriminator's step, and the ways it goes wrong


def _take(order: str, loss: Tensor, optimiser: torch.optim.Optimizer) -> None:
    does = {"clear": optimiser.zero_grad, "backward": loss.backward, "step": optimiser.step}
    for each in order.split():
        does[each]()


def _by_d(loss, fakes=lambda generator, z, real: generator(z).detach(), order="clear backward step"):
    """The discriminator step on `loss(real_logits, fake_logits)` with `fakes(generator, z, real)`."""

    def step(generator, discriminator, d_optimiser, real, z, size=1.0):
        value = size * loss(discriminator(real), discriminator(fakes(generator, z, real)))
        _take(order, value, d_optimiser)
        return value

    return step


def _d_loss(real: Tensor, fake: Tensor) -> Tensor:
    return (softplus(-real) + softplus(fake)).mean()


def _two_steps(generator, discriminator, d_optimiser, real, z, size=1.0):
    total = 0.0
    for sign, images in ((-1, real), (1, generator(z).detach())):
        loss = size * softplus(sign * discriminator(images)).mean()
        _take("clear backward step", loss, d_optimiser)
        total += loss.detach()
    return total


def _in_eval(generator, z, real):
    generator.eval()
    images = generator(z).detach()
    generator.train()
    return images


# Messages that both players share.
STALE = (
    "Old gradients are still there when new ones arrive, because `backward` adds. What should the "
    "optimiser do before each `backward`?"
)
SUM = "The direction is right, but the loss is a sum over the batch: the step grows with the batch size. Take the mean."


def _cross_entropy(logits: Tensor, label: float) -> Tensor:
    return cross_entropy(logits, torch.full_like(logits, label))


CLASSES = (
    "That cross-entropy compares classes, and takes your batch for the classes of one image. For real against fake, "
    "one logit an image, there is a binary one."
)
D_WAYS = [
    Way("right", _by_d(_d_loss), ok=True),
    Way(
        "half",
        partial(_by_d(_d_loss), size=0.5),
        "You average the real and the fake term, which gives half of −V: the same direction at half the "
        "size. Adam hardly notices; when you compare losses with others, remember the 2.",
        ok=True,
    ),
    Way(
        "sum",
        _by_d(lambda real, fake: _d_loss(real, fake) * len(real)),
        SUM,
    ),
    Way(
        "forgot_zero_grad",
        _by_d(_d_loss, order="backward step"),
        STALE,
    ),
    Way(
        "late_zero_grad",
        _by_d(_d_loss, order="backward step clear"),
        "You clear the gradients after the step, so whatever is there when it begins is added. The "
        "generator's step usually leaves gradients in D: clear them before `backward`.",
    ),
    Way(
        "no_backward",
        _by_d(_d_loss, order="step"),
        "Your D moves, but along gradients that were there before: nothing computes those of its own loss. "
        "What does?",
    ),
    Way(
        "swapped_labels",
        _by_d(lambda real, fake: _d_loss(-real, -fake)),
        "The labels are exchanged: your D learns to call real images fake and fakes real. A large logit "
        "should mean real.",
    ),
    Way(
        "ascends",
        _by_d(lambda real, fake: -_d_loss(real, fake)),
        "Your D goes uphill: the loss has the wrong sign. V is maximised by D, but an optimiser minimises, "
        "so it needs −V.",
    ),
    Way(
        "only_real",
        _by_d(lambda real, fake: softplus(-real).mean()),
        "Only the real images count in your update. Is the term of the fakes there, and cut from D by a "
        "`detach` or `no_grad` that stands around D(G(z)) instead of G(z)?",
    ),
    Way(
        "only_fake",
        _by_d(lambda real, fake: softplus(fake).mean()),
        "Only the fakes count in your update. Is the term of the real images there, with a gradient of its own, "
        "and not cleared by a second `zero_grad`?",
    ),
    Way(
        "all_called_real",
        _by_d(lambda real, fake: _d_loss(real, -fake)),
        "Your D is taught to call the fakes real as well. That is the generator's wish; which label should "
        "fakes have here?",
    ),
    Way(
        "all_called_fake",
        _by_d(lambda real, fake: _d_loss(-real, fake)),
        "Your D is taught to call the real images fake as well. Which label should they have?",
    ),
    Way(
        "real_twice",
        _by_d(_d_loss, fakes=lambda generator, z, real: real),
        "Both terms look at the real images, so the fakes are never seen. Look at what goes into the "
        "second one.",
    ),
    Way(
        "fake_twice",
        _by_d(lambda real, fake: _d_loss(fake, fake)),
        "Both terms look at the fakes, so the real images are never seen. Look at what goes into the first "
        "one.",
    ),
    Way(
        "sigmoid_twice",
        _by_d(lambda real, fake: _d_loss(real.sigmoid(), fake.sigmoid())),
        "The sigmoid is applied twice: once by you and once inside the cross-entropy, which takes logits. "
        "D can then never say less than ½, and its gradients are small.",
    ),
    Way(
        "smoothed_labels",
        _by_d(lambda real, fake: _cross_entropy(real, 0.9) + softplus(fake).mean()),
        "You smooth the real label to 0.9. It is a known trick, but it moves the optimal D; take the plain "
        "labels 1 and 0 first.",
    ),
    Way(
        "least_squares",
        _by_d(lambda real, fake: ((real - 1) ** 2 + fake**2).mean()),
        "That is another game: least squares on the logits. Here D is trained with the cross-entropy of "
        "real against fake.",
    ),
    Way(
        "least_squares",
        _by_d(lambda real, fake: ((real.sigmoid() - 1) ** 2 + fake.sigmoid() ** 2).mean()),
        "You take squared errors of probabilities. Their gradient vanishes where D is sure and wrong; the "
        "cross-entropy of real against fake keeps it.",
    ),
    Way(
        "wasserstein",
        _by_d(lambda real, fake: (fake - real).mean()),
        "That is another game: a Wasserstein critic, which needs a bound on its slope. Here D is trained "
        "with the cross-entropy of real against fake.",
    ),
    Way(
        "hinge",
        _by_d(lambda real, fake: (relu(1 - real) + relu(1 + fake)).mean()),
        "That is another game: the hinge loss. It works, and a later notebook uses it; here D is trained "
        "with the cross-entropy of real against fake.",
    ),
    Way(
        "sign_of_one_term",
        _by_d(lambda real, fake: (softplus(-real) - softplus(fake)).mean()),
        "The term of the fakes has the wrong sign. The minus belongs to both logarithms: check the brackets.",
    ),
    Way(
        "sign_of_one_term",
        _by_d(lambda real, fake: (softplus(fake) - softplus(-real)).mean()),
        "The term of the real images has the wrong sign. The minus belongs to both logarithms: check the brackets.",
    ),
    Way(
        "one_minus_log",
        _by_d(lambda real, fake: softplus(-real).mean() - softplus(-fake).mean()),
        "The term of the fakes is 1 − log D or −log D turned round. It should be log(1 − D): first subtract, then take "
        "the logarithm.",
    ),
    Way(
        "classes",
        _by_d(
            lambda real, fake: (
                nn.functional.cross_entropy(real, torch.ones_like(real))
                + nn.functional.cross_entropy(fake, torch.zeros_like(fake))
            )
        ),
        CLASSES,
    ),
    Way(
        "classes",
        _by_d(
            lambda real, fake: nn.functional.cross_entropy(
                torch.cat([real, fake]), torch.cat([torch.ones_like(real), torch.zeros_like(fake)])
            )
        ),
        CLASSES,
    ),
    Way(
        "two_steps",
        _two_steps,
        "The optimiser steps twice, once on the real images and once on the fakes, so the second term is "
        "judged by a D that has already moved. Add the two terms, then step once.",
    ),
    Way(
        "generator_in_eval",
        _by_d(_d_loss, fakes=_in_eval),
        "Your fakes come from the generator in evaluation mode, where batch norm uses its running "
        "averages. D then judges other images than the ones G is trained on.",
    ),
]
# Who averages the two terms may make the same mistakes.
D_WAYS += [way._replace(step=partial(way.step, size=0.5)) for way in D_WAYS if not way.ok]


# The generator's step, and the ways it goes wrong


def _by_g(loss, mode=nn.Module.train, order="clear backward step"):
    """The generator step on `loss(fake_logits)`, with the generator put in `mode` for its forward pass."""

    def step(generator, discriminator, g_optimiser, z):
        mode(generator)
        value = loss(discriminator(generator(z)))
        generator.train()
        _take(order, value, g_optimiser)
        return value

    return step


def _g_loss(fake: Tensor) -> Tensor:
    return softplus(-fake).mean()


G_WAYS = [
    Way("right", _by_g(_g_loss), ok=True),
    Way(
        "sum",
        _by_g(lambda fake: _g_loss(fake) * len(fake)),
        SUM,
    ),
    Way(
        "half",
        _by_g(lambda fake: _g_loss(fake) / 2),
        "The direction is right, but the loss is half of what it should be. The discriminator's loss has two "
        "terms to average; the generator's has one.",
    ),
    Way(
        "forgot_zero_grad",
        _by_g(_g_loss, order="backward step"),
        STALE,
    ),
    Way(
        "helps_discriminator",
        _by_g(lambda fake: softplus(fake).mean()),
        "Your G learns to have its images called fake: that is D's wish. G wants D to be wrong; which "
        "label says so?",
    ),
    Way(
        "saturating",
        _by_g(lambda fake: -softplus(fake).mean()),
        "That is another game: the saturating (minimax) loss, log(1 − D). It pulls the same way, but has "
        "hardly any gradient while D is sure, which is how training begins. Here G minimises the "
        "non-saturating −log D.",
    ),
    Way(
        "ascends",
        _by_g(lambda fake: -_g_loss(fake)),
        "Your G goes uphill: the loss has the wrong sign, so its images look less and less real to D.",
    ),
    Way(
        "sigmoid_twice",
        _by_g(lambda fake: _g_loss(fake.sigmoid())),
        "The sigmoid is applied twice: once by you and once inside the cross-entropy, which takes logits. "
        "What is left of the gradient is small, most of all where D is sure.",
    ),
    Way(
        "wasserstein",
        _by_g(lambda fake: -fake.mean()),
        "That is another game: G's loss under a Wasserstein critic or the hinge loss. Here G minimises "
        "−log D, the cross-entropy with the label that G wishes for.",
    ),
    Way(
        "least_squares",
        _by_g(lambda fake: ((fake - 1) ** 2).mean()),
        "That is another game: least squares on the logits. Here G minimises −log D, the cross-entropy "
        "with the label that G wishes for.",
    ),
    Way(
        "least_squares",
        _by_g(lambda fake: ((fake.sigmoid() - 1) ** 2).mean()),
        "You take squared errors of probabilities. Their gradient vanishes just where D is sure; that of "
        "−log D, the cross-entropy, does not.",
    ),
    Way(
        "classes",
        _by_g(lambda fake: nn.functional.cross_entropy(fake, torch.ones_like(fake))),
        CLASSES,
    ),
    Way(
        "probability",
        _by_g(lambda fake: -fake.sigmoid().mean()),
        "You maximise D itself, without the logarithm. Where D is sure of a fake, its slope is nearly 0; "
        "−log D keeps one.",
    ),
    Way(
        "smoothed_labels",
        _by_g(lambda fake: _cross_entropy(fake, 0.9)),
        "You smooth the label to 0.9. For G this is no known help: take the plain label first.",
    ),
    Way(
        "generator_in_eval",
        _by_g(_g_loss, mode=nn.Module.eval),
        "Your generator is in evaluation mode during its own update, so batch norm uses running averages "
        "that do not follow the batch. Leave it in training mode.",
    ),
]


# Running a step and judging what it did


def _players(case: Case, trains: str) -> tuple[nn.Module, nn.Module]:
    pair = (case.generator, case.discriminator)
    return pair if trains == "generator" else pair[::-1]


def _flat(tensors) -> Tensor:
    return torch.cat([each.detach().flatten() for each in tensors]).double()


def _trace(step: Callable, case: Case, trains: str, calls: int = 2) -> Trace:
    """Call `step` twice, or `calls` times, on a copy of `case`: what did it do to the network that `trains` names?

    D starts with stale gradients, as it does after a plain generator step; G starts without.
    """
    case = copy.deepcopy(case)
    own, other = _players(case, trains)
    for network in (own, other):
        network.train()
    stale = [0.3 * torch.sin(torch.arange(each.numel()).view_as(each)).to(each) for each in own.parameters()]
    if trains == "discriminator":
        for parameter, gradient in zip(own.parameters(), stale, strict=True):
            parameter.grad = gradient.clone()
    optimiser = torch.optim.SGD(own.parameters(), lr=RATE)
    reached, steps = set(), []
    for who, network in (("own_reached", own), ("opponent_reached", other)):
        for parameter in network.parameters():
            parameter.register_hook(lambda gradient, who=who: reached.add(who))
    optimiser.register_step_post_hook(lambda *_: steps.append(1))
    inputs = [case.z] if trains == "generator" else [case.real, case.z]
    kept = [each.clone() for each in inputs]
    opponent = _flat(other.parameters())
    name = "g_loss" if trains == "generator" else "d_loss"

    losses, moves, effects = [], [], set()
    for _ in range(calls):
        before = _flat(own.parameters())
        losses.append(number(step(case.generator, case.discriminator, optimiser, *inputs), name))
        moves.append(_flat(own.parameters()) - before)
    if not torch.equal(_flat(other.parameters()), opponent):
        effects.add("opponent_moved")
    if any(each.grad is not None and each.grad.any() for each in other.parameters()):
        effects.add("opponent_gradients")
    effects |= reached
    if len(steps) != calls:
        effects.add("steps_missing" if len(steps) < calls else "steps_many")
    if not all(each.requires_grad for network in (own, other) for each in network.parameters()):
        effects.add("left_frozen")
    if not all(module.training for network in (own, other) for module in network.modules()):
        effects.add("left_in_eval")
    if not all(map(torch.equal, inputs, kept)):
        effects.add("changed_input")
    gradients = [each.grad for each in own.parameters()]
    if any(gradient is not None and gradient.any() for gradient in gradients) and not (
        trains == "discriminator" and all(map(torch.equal, gradients, stale))
    ):
        effects.add("own_gradients")
    return Trace(torch.tensor(losses, dtype=torch.float64), torch.stack(moves), frozenset(effects))


def same_moves(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() <= SAME * other.abs().max())


EFFECTS = {
    "opponent_moved": "Your step also moved the {other}. The two play against each other, and each step "
    "may train only its own network: here the {own}.",
    "left_frozen": "Parameters are still frozen when your step is over, and the next step cannot train "
    "them. Put `requires_grad` back to True.",
    "left_in_eval": "A network is still in evaluation mode when your step is over, so its batch norm and "
    "dropout stay switched off for training. Put it back with `train()`.",
    "changed_input": "Your step changes the images or the noise it was given, and the next one to use them "
    "would be surprised. Look for `+=` and for methods that end in `_`.",
}


def _judge(answer: Answer, ways: list[Way], trains: str) -> tuple[list[tuple[str, str]], bool]:
    """Remarks on a right `answer`, and whether its opponent collected gradients; raises `Mistake` for a wrong one."""
    torch.manual_seed(5)
    cases = [_case(BATCHES[0], batch_norm=True), _case(BATCHES[1], batch_norm=False)]
    tails = _sure_case()
    other = "discriminator" if trains == "generator" else "generator"

    traces = [_trace(answer, case, trains) for case in cases]
    for effect, message in EFFECTS.items():
        if any(effect in trace.effects for trace in traces):
            raise Mistake(effect, message.format(own=trains, other=other))
    if not all(trace.moves.isfinite().all() for trace in traces):
        raise Mistake(
            "nan", "After your step some parameters are NaN or infinite. Where can a logarithm of 0 come in?"
        )
    if not any(trace.moves.any() for trace in traces):
        raise _still(traces[0], trains)
    if "steps_missing" in traces[0].effects:
        raise Mistake(
            "own_optimiser",
            f"The {trains} moves, but not by the optimiser that comes in. Let that one take the step: it remembers "
            "earlier gradients, which a new one cannot.",
        )
    torch.manual_seed(6)
    if not same_moves(_trace(answer, cases[0], trains).moves, traces[0].moves):
        raise Mistake(
            "noise",
            "Two calls with the same `z` did two different things, so new noise is drawn somewhere: for the "
            "fakes, the images or the labels. Use only the `z` that comes in: what can be repeated can be tested.",
        )
    way = next((way for way in ways if _takes(way, cases, traces, trains)), None)
    if way is None:
        raise _unknown(answer, ways[0], cases, traces, trains)
    if not way.ok:
        raise Mistake(way.kind, way.message)
    if not any(_reports(fair, cases, traces, trains) for fair in ways if fair.ok):
        raise Mistake(
            "returned",
            "The update is right, but the number you return is not its loss. Return the loss that you "
            "called `backward` on, as it was before the step.",
        )
    remarks = [] if way.kind == "right" else [(way.kind, way.message)]
    remarks += _in_the_tails(answer, way, tails, trains)
    return remarks, any("opponent_gradients" in trace.effects for trace in traces)


def _takes(way: Way, cases: list[Case], traces: list[Trace], trains: str) -> bool:
    return all(
        same_moves(seen.moves, _trace(way.step, case, trains).moves)
        for case, seen in zip(cases, traces, strict=True)
    )


def _reports(way: Way, cases: list[Case], traces: list[Trace], trains: str) -> bool:
    return all(
        same_moves(seen.losses, _trace(way.step, case, trains).losses)
        for case, seen in zip(cases, traces, strict=True)
    )


def _still(trace: Trace, trains: str) -> Mistake:
    """Why nothing moved."""
    if "own_reached" in trace.effects and "own_gradients" not in trace.effects:
        return Mistake(
            "no_gradient",
            f"Gradients reached the {trains}, and were cleared before the step could use them. What has to come "
            "before what: `zero_grad`, `backward`, step?",
        )
    if "opponent_reached" in trace.effects and trains == "discriminator":
        return Mistake(
            "frozen",
            "G received gradients and D none: D is frozen in its own step. It is the other player that should "
            "be left out.",
        )
    if "own_gradients" in trace.effects:
        return Mistake(
            "no_step",
            f"The {trains} has new gradients, but has not moved. Gradients only say where to go: who takes "
            "the step, and after what?",
        )
    if trains == "generator" and "opponent_reached" in trace.effects:
        return Mistake(
            "detached",
            "D received gradients and G none: the images are cut from the graph on their way. In this step "
            "the gradient has to pass through D back into G, so look for a `detach`, "
            "a `no_grad`, or a G frozen in place of D.",
        )
    return Mistake(
        "no_gradient",
        f"The {trains} has not moved, and no gradient ever reached it. Is there a `backward()`, with its "
        "brackets? If so, the loss is cut from the network: look for `torch.tensor(...)`, `.item()`, `detach`, "
        "`no_grad`.",
    )


def _unknown(answer: Answer, best_way: Way, cases: list[Case], traces: list[Trace], trains: str) -> Mistake:
    """What can be said of a wrong update that stands in no table."""
    if "steps_many" in traces[0].effects:
        return Mistake(
            "many_steps",
            "The optimiser steps more than once in a call. One update is one `zero_grad`, the gradients of the "
            "whole loss, one step.",
        )
    elsewhere = cases[0]._replace(z=cases[0].z.roll(1, dims=1))
    if same_moves(_trace(answer, elsewhere, trains).moves, traces[0].moves):
        return Mistake(
            "noise",
            "Your step does the same whatever `z` is. Are the fakes made from the `z` that comes in, and does "
            "their term have a gradient?",
        )
    moves = [trace.moves[0] for trace in traces]
    best = [_trace(best_way.step, case, trains).moves[0] for case in cases]
    if all(map(same_moves, moves, best)):
        return Mistake(
            "second_call",
            "The first update is right and the second is not: something is left over from the first. "
            "When are the gradients cleared?",
        )
    cosines = [
        float(torch.cosine_similarity(seen, want, dim=0)) for seen, want in zip(moves, best, strict=True)
    ]
    if min(cosines) > 1 - SAME:
        factors = [float(seen.norm() / want.norm()) for seen, want in zip(moves, best, strict=True)]
        return Mistake(
            "scale",
            f"The direction is right, but the first update is {factors[0]:.3g} times as large as it should "
            f"be for a batch of {BATCHES[0]} and {factors[1]:.3g} times for one of {BATCHES[1]}. Is there a "
            "sum, a factor, a second `backward` or a clipped gradient?",
        )
    return Mistake(
        "update",
        f"The {trains} moves, but not along the gradient of its loss (cosine {cosines[0]:.2f} with the "
        "right update). Check, for each term, which images go in, which label they get, and that logits "
        "meet a loss made for logits.",
    )


def _in_the_tails(answer: Answer, way: Way, case: Case, trains: str) -> list[tuple[str, str]]:
    """A remark if the update is cut off where logits reach ±45; raises `Mistake` if it is not finite there."""
    try:
        trace = _trace(answer, case, trains, calls=1)  # the second would meet logits of many hundreds
        finite = trace.moves.isfinite().all()
    except Mistake as found:
        if found.feedback.kind != "nan":
            raise
        finite = False
    if not finite:
        raise Mistake(
            "tails",
            "The update is right, but where D is very sure the loss or its gradient is no longer a finite "
            "number: a sigmoid is rounded to 0 or 1, and then comes log 0. There is a "
            "cross-entropy that takes the logits as they are.",
        )
    if same_moves(trace.moves, _trace(way.step, case, trains, calls=1).moves):
        return []
    return [
        (
            "tails",
            "Where D is very sure and wrong, a sigmoid rounded to 0 or 1 cuts your loss off, and its "
            "gradient vanishes. A cross-entropy that takes logits has no such edge.",
        )
    ]


@gives_feedback
def check_discriminator_step(step: Callable) -> Feedback:
    """Say whether `step(generator, discriminator, d_optimiser, real, z)` is one update of D alone, on its own loss.

    The loss is mean_b [softplus(−a_real) + softplus(a_fake)] = −V(D, G) in nats, with logits a (B,) of `real`
    (B, 1, H, W) and of G(z), z (B, latent); its half is accepted with a remark. Compared are the moves of D's
    parameters under gradient descent, to a relative 1e-3, so any equal formula passes; G may neither move nor collect
    gradients. The loss is returned as a number, a tensor, or a dict with `d_loss`. Raises nothing. Source: Goodfellow
    et al. (2014), eq. 1 and algorithm 1.
    """
    answer = Answer(step, "my_discriminator_step(generator, discriminator, d_optimiser, real, z)")
    remarks, other_has_gradients = _judge(answer, D_WAYS, "discriminator")
    if other_has_gradients:
        raise Mistake(
            "forgot_detach",
            "D moves as it should, but the gradient runs on through the fakes into G. That costs a "
            "backward pass through G, and leaves gradients in it that are the opposite of what G wants. "
            "Where should the graph be cut?",
        )
    return right("D moves down its own loss, and G stays as it is.", remarks)


@gives_feedback
def check_generator_step(step: Callable) -> Feedback:
    """Say whether `step(generator, discriminator, g_optimiser, z)` is one update of G alone, on −log D(G(z)).

    The loss is the non-saturating one, mean_b softplus(−a) in nats, with logits a (B,) of G(z), z (B, latent). Compared
    are the moves of G's parameters under gradient descent, to a relative 1e-3, so any equal formula passes; D may not
    move. Gradients left behind in D are remarked on. The loss is returned as a number, a tensor, or a dict with
    `g_loss`. Raises nothing. Source: Goodfellow et al. (2014), section 3.
    """
    answer = Answer(step, "my_generator_step(generator, discriminator, g_optimiser, z)")
    remarks, other_has_gradients = _judge(answer, G_WAYS, "generator")
    if other_has_gradients:
        remarks.append(
            (
                "opponent_gradients",
                "Backward also filled the gradients of D, which its next step has to clear first. "
                "Freezing D for the moment, with `requires_grad_(False)`, saves that work.",
            )
        )
    return right("G moves towards what D calls real, and D stays as it is.", remarks)
