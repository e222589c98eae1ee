"""Checks of notebook 04, a first GAN: one update of the discriminator, one of the generator.

A step is judged by what it does: how the parameters of small networks move in two calls. How it is written is free.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, relu, softplus

from helpers.checks.shared import players
from helpers.feedback import Case, Feedback, Mistake, Moves, Row, Task, Trial, diagnose
from helpers.feedback.fallbacks import scaled
from helpers.feedback.moves import Did
from helpers.feedback.observe import alike, copied
from helpers.feedback.probes import in_the_tails

# What both steps choose from: the loss of a logit and its label, and the order of the three calls


def _bce(logits: Tensor, label: float) -> Tensor:
    return softplus(logits) - label * logits


HERE = "Here both networks are trained with the cross-entropy of real against fake."
CLASSES = (
    "That cross-entropy compares classes, and takes your batch for the classes of one image. For real against fake, "
    "one logit an image, there is a binary one."
)
LOSSES = [
    Row("right", _bce, ok=True),
    Row("sigmoid_twice", lambda a, y: _bce(a.sigmoid(), y),
        "The sigmoid is applied twice: by you, and inside the cross-entropy, which takes logits. Little is left of the "
        "gradient, least of all where D is confident."),
    Row("least_squares", lambda a, y: (a - y) ** 2,
        f"That is another loss: least squares on the logits. {HERE}"),
    Row("least_squares", lambda a, y: (a.sigmoid() - y) ** 2,
        f"You take squared errors of probabilities, whose gradient vanishes where D is confident and wrong. {HERE}"),
    Row("wasserstein", lambda a, y: (1 - 2 * y) * a,
        "That is another loss: that of a Wasserstein critic, which needs a bound on its gradient norm, or that of G "
        f"under the hinge loss. {HERE}"),
    Row("probability", lambda a, y: (1 - 2 * y) * a.sigmoid(),
        "You take the probability itself. Where D is confident and wrong, its derivative is nearly 0; that of "
        "a logarithm is not."),
    Row("hinge", lambda a, y: relu(1 + (1 - 2 * y) * a),
        f"That is another loss: the hinge loss. It works, and a later notebook uses it. {HERE}"),
    Row("classes", lambda a, y: cross_entropy(a, torch.full_like(a, y)), CLASSES),
]  # fmt: skip


def _order(order: str) -> Callable[[torch.optim.Optimizer, Tensor], None]:
    def take(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
        for each in order.split():
            {"clear": optimiser.zero_grad, "backward": loss.backward, "step": optimiser.step}[each]()

    return take


_take = _order("clear backward step")
ORDERS = [
    Row("right", _take, ok=True),
    Row("forgot_zero_grad", _order("backward step"),
        "Old gradients are still there when new ones arrive, because `backward` adds. What should the optimiser do "
        "before each `backward`?"),
]  # fmt: skip
SUM = Row("sum", lambda loss: loss.sum(),
    "The direction is right, but the loss is a sum over the batch: the step grows with the batch size. Take the mean."
)  # fmt: skip


# The discriminator's step: which images, and which terms


@torch.no_grad()
def _fakes(c: Case) -> Tensor:
    return c.generator(c.z)


def _in_eval(c: Case) -> tuple[Tensor, Tensor]:
    c.generator.eval()
    fakes = _fakes(c)
    c.generator.train()
    return c.real, fakes


IMAGES = [
    Row("right", lambda c: (c.real, _fakes(c)), ok=True),
    Row("real_twice", lambda c: (c.real, c.real),
        "Both terms look at the real images, so the fakes are never seen. Look at what goes into the second one."),
    Row("fake_twice", lambda c: (_fakes(c),) * 2,
        "Both terms look at the fakes, so the real images are never seen. Look at what goes into the first one."),
    Row("generator_in_eval", _in_eval,
        "Your fakes come from the generator in evaluation mode, where batch norm uses its running averages. D then "
        "judges other images than the ones G is trained on."),
]  # fmt: skip
SIGN = "The term of the {} has the wrong sign. The minus belongs to both logarithms: check the brackets."
TERMS = [
    Row("right", lambda e, r, f: e(r, 1) + e(f, 0), ok=True),
    Row("swapped_labels", lambda e, r, f: e(r, 0) + e(f, 1),
        "The labels are exchanged: your D learns to call reals fake and fakes real. A large logit should mean real."),
    Row("ascends", lambda e, r, f: -e(r, 1) - e(f, 0),
        "Your D goes uphill: the loss has the wrong sign. D maximises V, an optimiser minimises, so it needs −V."),
    Row("only_real", lambda e, r, f: e(r, 1),
        "Only the real images count in your update. Is the term of the fakes missing, or detached from D by a `detach` "
        "or `no_grad` around D(G(z)) instead of G(z)?"),
    Row("only_fake", lambda e, r, f: e(f, 0),
        "Only the fakes count in your update. Is the term of the real images missing, detached from D, or cleared "
        "by a second `zero_grad`?"),
    Row("all_called_real", lambda e, r, f: e(r, 1) + e(f, 1),
        "Your D is taught to call the fakes real as well, as the generator wishes. Which label should they have here?"),
    Row("all_called_fake", lambda e, r, f: e(r, 0) + e(f, 0),
        "Your D is taught to call the real images fake as well. Which label should they have?"),
    Row("smoothed_labels", lambda e, r, f: e(r, 0.9) + e(f, 0),
        "You smooth the real label to 0.9: a known trick, but it moves the optimal D. Take the labels 1 and 0 first."),
    Row("sign_of_one_term", lambda e, r, f: e(r, 1) - e(f, 0),
        SIGN.format("fakes")),
    Row("sign_of_one_term", lambda e, r, f: e(f, 0) - e(r, 1),
        SIGN.format("real images")),
    Row("one_minus_log", lambda e, r, f: e(r, 1) - e(f, 1),
        "The term of the fakes is 1 − log D. It should be log(1 − D): first subtract, then take the logarithm."),
]  # fmt: skip
D_SIZES = [
    Row("right", lambda loss: loss.mean(), ok=True),
    Row("half", lambda loss: loss.mean() / 2,
        "You average the real and the fake term: half of −V. Adam hardly notices; when you compare losses with others, "
        "remember the 2.", ok=True),
    SUM,
]  # fmt: skip
D_ORDERS = [
    *ORDERS,
    Row("late_zero_grad", _order("backward step clear"),
        "You clear the gradients after the step, so whatever is there when it begins is added. The generator's step "
        "usually leaves gradients in D: clear them before `backward`."),
    Row("no_backward", _order("step"),
        "Your D moves, but along gradients that were there before: nothing computes those of its own loss. What does?"),
]  # fmt: skip


def _d_step(
    c: Case, images: Callable, loss: Callable, terms: Callable, size: Callable, take: Callable
) -> Tensor:
    value = size(terms(loss, *c.discriminator(torch.cat(images(c))).chunk(2)))
    take(c.d_optimiser, value)
    return value


def _two_steps(c: Case, factor: float = 1.0) -> Tensor:
    losses = []
    for images, label in ((c.real, 1), (_fakes(c), 0)):
        losses.append(factor * _bce(c.discriminator(images), label).mean())
        _take(c.d_optimiser, losses[-1])
    return sum(losses)


def _classes_of_both(c: Case) -> Tensor:
    logits = c.discriminator(torch.cat([c.real, _fakes(c)]))
    loss = cross_entropy(logits, (torch.arange(len(logits)) < len(c.real)).to(logits))
    _take(c.d_optimiser, loss)
    return loss


TWO_STEPS = (
    "The optimiser steps twice, once on the real images and once on the fakes, so the second term is judged by a D "
    "that has already moved. Add the two terms, then step once."
)
D_WAYS = [
    Row("two_steps", _two_steps, TWO_STEPS),
    Row("two_steps", lambda c: _two_steps(c, 0.5), TWO_STEPS),
    Row("classes", _classes_of_both, CLASSES),
]


# The generator's step: its mode, and which label and sign


MODES = [
    Row("right", lambda generator: generator.train(), ok=True),
    Row("generator_in_eval", lambda generator: generator.eval(),
        "Your generator is in evaluation mode during its own update, so batch norm uses running averages that do not "
        "follow the batch. Leave it in training mode."),
]  # fmt: skip
AIMS = [
    Row("right", lambda e, a: e(a, 1), ok=True),
    Row("helps_discriminator", lambda e, a: e(a, 0),
        "Your G learns to have its images called fake: that is D's wish. G wants D to be wrong; which label says so?"),
    Row("saturating", lambda e, a: -e(a, 0),
        "That is another loss: the saturating (minimax) one, log(1 − D). It points the same way, but has hardly any "
        "gradient while D is confident, which is how training begins. Here G minimises the non-saturating −log D."),
    Row("ascends", lambda e, a: -e(a, 1),
        "Your G goes uphill: the loss has the wrong sign, so its images look less and less real to D."),
    Row("smoothed_labels", lambda e, a: e(a, 0.9),
        "You smooth the label to 0.9. For G this is no known help: take the plain label first."),
]  # fmt: skip
G_SIZES = [
    Row("right", lambda loss: loss.mean(), ok=True),
    Row("half", lambda loss: loss.mean() / 2,
        "The direction is right, but the loss is half of what it should be. D's loss has two terms; G's has one."),
    SUM,
]  # fmt: skip


def _g_step(c: Case, mode: Callable, loss: Callable, aim: Callable, size: Callable, take: Callable) -> Tensor:
    mode(c.generator)
    value = size(aim(loss, c.discriminator(c.generator(c.z))))
    c.generator.train()
    take(c.g_optimiser, value)
    return value


# What is said of both


def _cases(*names: str) -> list[Case]:
    """Two cases with these arguments, of other sizes: without batch norm in the generator, and with it."""
    sizes = ((5, 2, (1, 4, 3), False), (7, 4, (1, 3, 9), True))
    cases = [players(torch.randn(batch, latent), *other) for batch, latent, *other in sizes]
    return [Case({name: case.get(name) for name in names}) for case in cases]


def _sure(case: Case) -> Case:
    """The case with a D that is confident: its logits reach from −120 to 120, where float32 has no exponential."""
    sure = copied(case)
    last = sure.discriminator[3]
    with torch.no_grad():
        images = sure.generator(sure.z)
        logits = sure.discriminator(images)
        last.bias -= (logits.max() + logits.min()) / 2
        for each in (last.weight, last.bias):
            each *= 240 / (logits.max() - logits.min())
    return sure.but(**({"real": images.roll(1, dims=0)} if "real" in sure else {}))


def _tails(trial: Trial) -> list[tuple[str, str]]:
    """One call where D is confident; in a second it would meet logits of many hundreds."""
    task = replace(trial.task, observe=replace(trial.task.observe, calls=1, look=lambda did: None))
    return in_the_tails(
        _sure,
        "The update is right, but where D is very confident the loss or its gradient is no longer a finite number: an "
        "exponential overflows, or a sigmoid is rounded to 0 or 1, and then comes log 0. There is a cross-entropy that "
        "takes the logits as they are.",
        "Where D is very confident and wrong, a sigmoid rounded to 0 or 1 or a bound cuts your loss off, and its "
        "gradient vanishes. A cross-entropy that takes logits has no such edge.",
    )(replace(trial, task=task))  # fmt: skip


def _as_right(trial: Trial, same: Callable[[Did, Did], bool]) -> bool:
    """Whether one right choice is the `same` on all cases."""
    return any(all(map(same, trial.seen, ours)) for ours in trial.rights())


def _returned(trial: Trial) -> list[tuple[str, str]]:
    """Raises `Mistake` where the numbers that come back are those of no right choice."""
    close = trial.task.close_of("moves")
    if _as_right(trial, lambda seen, want: alike(seen.returned, want.returned, close)):
        return []
    raise Mistake(
        "returned",
        "The update is right, but the number you return is not its loss. Return the loss that you called `backward` "
        "on, as it was before the step.",
    )


def _left(trial: Trial) -> list[tuple[str, str]]:
    """What to say of gradients that are left in the other network."""
    (own,) = trial.task.observe.trains
    if own == "discriminator" and trial.seen[0].has("gradients", "generator"):
        raise Mistake(
            "forgot_detach",
            "D moves as it should, but the gradient runs on through the fakes into G: a backward pass for nothing, "
            "which leaves gradients in G that are the opposite of what it wants. Where should the fakes be detached?",
        )
    say = (
        "Backward also filled the gradients of D, which its next step has to clear first. Freezing D for the moment, "
        "with `requires_grad_(False)`, saves that work."
    )
    left = own == "generator" and trial.seen[0].has("gradients", "discriminator")
    return [("opponent_gradients", say)] if left else []


STILL = [  # why nothing moved, by what was seen of the network that is trained and of the other one
    (lambda did, own, other: did.has("reached", own) and not did.has("gradients", own), "no_gradient",
        "Gradients reached the {own}, and were cleared before the step could use them. What has to come before what: "
        "`zero_grad`, `backward`, step?"),
    (lambda did, own, other: did.has("reached", other) and own == "discriminator", "frozen",
        "G received gradients and D none: D is frozen in its own step. It is the other network that should be "
        "left out."),
    (lambda did, own, other: did.has("gradients", own), "no_step",
        "The {own} has new gradients, but has not moved. Gradients only say where to go: who takes the step, and after "
        "what?"),
    (lambda did, own, other: did.has("reached", other), "detached",
        "D received gradients and G none: the images are detached from the graph on their way. In this step the "
        "gradient has to pass through D back into G: look for a `detach`, a `no_grad`, or a G frozen in place of D."),
    (lambda did, own, other: True, "no_gradient",
        "The {own} has not moved, and no gradient ever reached it. Is there a `backward()`, with its brackets? If so, "
        "the loss is detached from the network: look for `torch.tensor(...)`, `.item()`, `detach`, `no_grad`."),
]  # fmt: skip


def _no_z(trial: Trial) -> bool:
    case = trial.cases[0]
    return trial.task.alike(trial.ask(case.but(z=case.z.roll(1, dims=1))), trial.seen[0])


def _scale(trial: Trial) -> Mistake | None:
    found = scaled("Your first update", lambda c: {"B": len(c.z)}, ("moves",))(trial)
    say = f"{found} Is there a factor, a second `backward` or a clipped gradient?"
    return Mistake("scale", say) if found else None


def _direction(trial: Trial) -> Mistake:
    cosine = torch.cosine_similarity(trial.seen[0]["moves"], trial.ours(trial.cases[0])["moves"], dim=0)
    own = trial.task.observe.trains[0]
    if cosine > 0.995:
        say = (
            f"The direction in which the {own} moves is nearly right, and not quite. Is something small added to the "
            "loss, is a label smoothed, or does a guard or a bound cut something off?"
        )
        return Mistake("update", say)
    return Mistake(
        "update",
        f"The {own} moves, but not along the gradient of its loss (cosine {cosine:.2f} with the right update). Check, "
        "for each term, which images go in, which label they get, and that logits meet a loss made for logits.",
    )


def _when(true: Callable[[Trial], bool], kind: str, say: str) -> Callable[[Trial], Mistake | None]:
    return lambda trial: Mistake(kind, say) if true(trial) else None


UNKNOWN = (
    _when(lambda trial: trial.seen[0].has("steps_many"), "many_steps",
        "The optimiser steps more than once in a call. One update is one `zero_grad`, the gradients of the whole loss, "
        "one step."),
    _when(_no_z, "noise",
        "Your step does the same whatever `z` is. Are the fakes made from the `z` that comes in, and does their term "
        "have a gradient?"),
    _when(lambda trial: _as_right(trial, lambda a, b: trial.task.alike(a, b, ["moves"])), "second_call",
        "The first update is right and the second is not: something is left over from the first. Are the gradients "
        "cleared in time, and are networks and optimiser left with the settings they came with?"),
    _scale,
)  # fmt: skip
ROW_BY_ROW = (
    "The check's G has a batch norm, which needs the whole batch for its averages. Give G `z` as it comes, not row by "
    "row."
)
NOISE = (
    "Two calls with the same `z` did two different things, so new noise is sampled somewhere: for the fakes, the "
    "images or the labels. Use only the `z` that comes in: what can be repeated can be tested."
)


def _step(own: str, other: str, arguments: str, returned: str, stale: tuple[str, ...] = (), **task) -> Task:
    """The task of the step that trains `own` against `other`, given its tables."""

    def look(did: Did) -> Mistake | None:
        fitting = (Mistake(kind, say.format(own=own)) for true, kind, say in STILL if true(did, own, other))
        return None if did["moves"].any() else next(fitting)

    moved = f"Your step also moved the {other}. Each step may train only its own network: here the {own}."
    return Task(
        usage=f"my_{own}_step({arguments})",
        cases=lambda: _cases(*arguments.split(", ")),
        observe=Moves((own,), lambda made: {f"{own[0]}_optimiser": made[own]}, returned, stale,
                      {"moved": ("opponent_moved", moved)}, look=look),
        probes=(_returned, _tails, _left),
        fallbacks=UNKNOWN,
        witness=_direction,
        noise=("noise", NOISE),
        said=(("more than 1 value per channel", "row_by_row", ROW_BY_ROW),),
        seed=5,
        **task,
    )  # fmt: skip


D_STEP = _step(
    "discriminator", "generator", "generator, discriminator, d_optimiser, real, z", "d_loss", ("discriminator",),
    tables=(IMAGES, LOSSES, TERMS, D_SIZES, D_ORDERS), compose=_d_step, ways=D_WAYS,
    praise="D moves down its own loss, and G stays as it is.",
)  # fmt: skip
G_STEP = _step(
    "generator", "discriminator", "generator, discriminator, g_optimiser, z", "g_loss",
    tables=(MODES, LOSSES, AIMS, G_SIZES, ORDERS), compose=_g_step,
    praise="G moves towards what D calls real, and D stays as it is.",
)  # fmt: skip


def check_discriminator_step(step: Callable) -> Feedback:
    """Say whether `step(generator, discriminator, d_optimiser, real, z)` is one update of D alone, on its own loss.

    The loss is mean_b [softplus(−a_real) + softplus(a_fake)] = −V(D, G) in nats, with logits a (B,) of `real`
    (B, 1, H, W) and of G(z), z (B, latent); its half is accepted with a remark. Compared are the moves of D's
    parameters under gradient descent, to a relative 1e-3, so any equal formula passes; G may neither move nor collect
    gradients. The loss is returned as a number, a tensor, or a dict with `d_loss`. Raises nothing. Source: Goodfellow
    et al. (2014), eq. 1 and algorithm 1.
    """
    return diagnose(D_STEP, step)


def check_generator_step(step: Callable) -> Feedback:
    """Say whether `step(generator, discriminator, g_optimiser, z)` is one update of G alone, on −log D(G(z)).

    The loss is the non-saturating one, mean_b softplus(−a) in nats, with logits a (B,) of G(z), z (B, latent). Compared
    are the moves of G's parameters under gradient descent, to a relative 1e-3, so any equal formula passes; D may not
    move. Gradients left behind in D are remarked on. The loss is returned as a number, a tensor, or a dict with
    `g_loss`. Raises nothing. Source: Goodfellow et al. (2014), section 3.
    """
    return diagnose(G_STEP, step)
