"""Checks of notebook 05's bug hunts: scaling the data, a cross-entropy by hand, a step that keeps old gradients."""

import copy
import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import softplus
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from helpers.checks.shared import players
from helpers.feedback import Case, Close, Feedback, Mistake, Observe, Row, Task, Trial, diagnose, reading
from helpers.feedback.fallbacks import scaled, told, worst
from helpers.feedback.moves import Moves
from helpers.feedback.observe import Wanted, alike, copied
from helpers.feedback.probes import at, in_the_tails

# A: scaling the data, from pixels 0 … 255 to images: what becomes of a pixel, and where it goes


def _scaled(pixels: Tensor, low: Tensor | int, high: Tensor) -> Tensor:
    return 2 * (pixels.float() - low) / (high - low).clamp(min=1e-9) - 1


WRAPS = (
    "An integer overflow: whole numbers of type `uint8` start again at 0 after 255, and at 255 below 0. Turn them into "
    "decimal numbers before you calculate."
)
NEIGHBOURS = (
    "Your scale is taken from the darkest or lightest pixel of the images at hand, so an image depends on its "
    "neighbours. The scale of a pixel is known beforehand."
)
FAINT = (
    "Each image is scaled by its own darkest or lightest pixel, so a faint digit becomes a strong one. One scale "
    "holds for all."
)
PIXELS = [
    Row("right", lambda x: 2 * (x.float() / 255) - 1, ok=True),
    Row("zero_to_one", lambda x: x.float() / 255,
        "Your images lie between 0 and 1, and the generator's between −1 and 1. D needs one look at a negative value "
        "to know a fake."),
    Row("raw", lambda x: x.float(), "Your images still reach to 255, and a tanh only to 1."),
    Row("no_scale", lambda x: 2 * x.float() - 1,
        "You scale and shift, but a pixel of 255 becomes 509. Which number has to be divided by first?"),
    Row("negative", lambda x: 1 - 2 * x.float() / 255,
        "Paper and ink have changed places: 0 should become −1, and 255 should become 1."),
    Row("half_range", lambda x: x.float() / 255 - 0.5,
        "Your images lie between −½ and ½: the middle is right, and the range is half of what a tanh reaches."),
    Row("twice", lambda x: 2 * (x.float() / 255**2) - 1,
        "Every pixel is nearly −1: the division by 255 was done twice."),
    Row("shift_only", lambda x: x.float() / 255 - 1, "Your images lie between −1 and 0: shifted, and not scaled."),
    Row("not_shifted", lambda x: 2 * x.float() / 255, "Your images lie between 0 and 2: scaled, and not shifted."),
    Row("of_256", lambda x: x.float() / 128 - 1,
        "The darkest ink is a little short of 1: the largest pixel is 255, not 256."),
    Row("of_127", lambda x: x.float() / 127 - 1, "The darkest ink reaches beyond 1: half of 255 is no whole number."),
    Row("clamped", lambda x: x.float().clamp(-1, 1), "Grey is lost: every pixel above 1 became ink."),
    Row("threshold", lambda x: 2.0 * (x > 127).float() - 1, "Grey is lost: yours knows paper and ink only."),
    Row("batch_range", lambda x: _scaled(x, x.min(), x.float().max()), NEIGHBOURS),
    Row("batch_range", lambda x: _scaled(x, 0, x.float().max()), NEIGHBOURS),
    Row("image_range", lambda x: _scaled(x, x.amin((1, 2), True), x.float().amax((1, 2), True)), FAINT),
    Row("image_range", lambda x: _scaled(x, 0, x.float().amax((1, 2), True)), FAINT),
    Row("standardised", lambda x: (x.float() - x.float().mean()) / x.float().std(),
        "Mean 0 and standard deviation 1 are made from the images at hand, and reach beyond 1. A tanh has fixed ends: "
        "which pixel belongs to which end?"),
    Row("standardised", lambda x: (x.float() / 255 - 0.1307) / 0.3081,
        "These are the mean and standard deviation that classifiers of MNIST like; the result reaches to 2.8. A tanh "
        "ends at 1."),
    *(Row("wraps", f, WRAPS) for f in (
        lambda x: (2 * x).float() / 255 - 1, lambda x: (2 * x - 255).float() / 255, lambda x: (2 * x - 1).float() / 255,
        *(lambda x, a=a, b=b: (x - a).float() / b for a in (127, 128) for b in (127, 127.5, 128)),
        *(lambda x, b=b: x.to(torch.int8).float() / b for b in (127, 127.5, 128)))),
]  # fmt: skip
PLACES = [
    Row("right", lambda x: x, ok=True),
    Row("transposed", lambda x: x.mT, "Rows and columns have changed places: the digits lie on their sides."),
    Row("flipped", lambda x: x.flip(1), "The digits stand on their heads."),
    Row("flipped", lambda x: x.flip(2), "Left and right have changed places: the digits are mirrored."),
]  # fmt: skip


def _door_cases() -> list[Case]:
    sizes = ((3, 256), (1, 256), (5, 181))  # one batch has no pixel of 255
    cases = [Case(pixels=torch.randint(0, top, (n, 28, 28), dtype=torch.uint8)) for n, top in sizes]
    cases[0].pixels[0] //= 2  # a faint image beside strong ones
    return cases


def _door_hints(c: Case) -> dict[tuple, str]:
    n = len(c.pixels)
    return {
        (n, 28, 28): "Convolutions want a dimension for the channels, here one, after that of the images.",
        (n, 28, 28, 1): "PyTorch keeps the channel before height and width.",
        (n, 784): "The pixels should stay in rows and columns.",
        (1, n, 28, 28): "The images come first, then the channel.",
        (n, 3, 28, 28): "These images are grey: one channel is enough.",
    }  # fmt: skip


def _float32(value: object, c: Case) -> Tensor:
    value = reading.tensor(value, "a tensor of shape (N, 1, 28, 28)")
    if value.dtype == torch.float32:
        return value
    name = str(value.dtype).removeprefix("torch.")
    say = f"Your images are of type `{name}`; the networks calculate with `float32`, and refuse to mix."
    raise Mistake("dtype", say)


def _pairs(trial: Trial) -> list[tuple[Tensor, Tensor]]:
    """The values of each case, as they are and as they should be."""
    return [(seen["value"], trial.ours(c)["value"]) for c, seen in zip(trial.cases, trial.seen, strict=True)]


def _all_shades(trial: Trial) -> Mistake:
    if all(alike(*(each.flatten(1).sort().values for each in pair), DOOR.close) for pair in _pairs(trial)):
        return Mistake("values", "All shades are right, in other places: which pixels have you exchanged?")
    shades = Case(pixels=torch.linspace(0, 255, 28 * 28).round().to(torch.uint8).view(1, 28, 28))
    if trial.fits(shades):
        case, _, (n, _, row, column), given, wanted = worst(trial)
        return Mistake(
            "values",
            f"An image alone comes out right. In a batch of {len(case.pixels)}, pixel [{row}, {column}] of image {n} "
            f"becomes {told(given)}, and should become {told(wanted)}. What does it take from other images?",
        )
    seen = trial.ask(shades)["value"].flatten()
    paper, grey, ink = (told(seen[place], 6) for place in (0, len(seen) // 2, -1))
    return Mistake(
        "values",
        f"In an image with all shades, your paper (0) becomes {paper}, your middle grey (128) {grey} and your ink "
        f"(255) {ink}. What should these three become, where a tanh ends at −1 and 1?",
    )


DOOR = Task(
    usage="my_prepare(pixels)",
    cases=_door_cases,
    tables=(PIXELS, PLACES),
    compose=lambda c, pixel, place: place(pixel(c.pixels)).unsqueeze(1),
    observe=Observe(
        Wanted(
            "(N, 1, 28, 28)",
            lambda c: (len(c.pixels), 1, 28, 28),
            _door_hints,
            otherwise="Which dimension is too many, too few or of another length than it should be?",
        ),
        read=_float32,
    ),
    close=Close(0, 1e-5),
    praise="Paper is −1, ink is 1, and each image stands for itself.",
    witness=_all_shades,
    said=(("is invalid for input of size", "sizes",
           "A size is written into your code that does not hold for every batch. Take it from the pixels that come in, "
           "as `len(pixels)`."),),
    fixed=(28,),
    seed=5,
)  # fmt: skip


def check_data_door(prepare: Callable[[Tensor], Tensor]) -> Feedback:
    """Say whether `prepare(pixels)` maps uint8 (N, 28, 28), 0 … 255, to float32 (N, 1, 28, 28) by 2x/255 − 1.

    Compared are values to 1e-5, on several batches, one of them without a pixel of 255, so any equal formula passes.
    Raises nothing.
    """
    return diagnose(DOOR, prepare)


# B: a cross-entropy written by hand: how logits and labels meet, what the labels say, the formula, the reduction


def _bce(a: Tensor, y: Tensor) -> Tensor:
    return softplus(a) - y * a


MEETINGS = [
    Row("right", lambda c: (c.logits.squeeze(1), c.labels), ok=True),
    Row("broadcast", lambda c: (c.logits, c.labels),
        "Every logit has met every label: `(B, 1)` and `(B,)` broadcast to `(B, B)`, without a word. Give both the "
        "same shape first."),
]  # fmt: skip
LABELS = [
    Row("right", lambda y: y, ok=True),
    Row("labels", lambda y: 1 - y, "The labels have changed places: with your loss D learns to call fakes real."),
    Row("one_label", lambda y: 0 * y, "The labels do not count in your loss: real images are treated as fakes."),
    Row("one_label", lambda y: 0 * y + 1, "The labels do not count in your loss: fakes are treated as real images."),
]  # fmt: skip
FORMULAS = [
    Row("right", _bce, ok=True),
    Row("sign", lambda a, y: softplus(a) + y * a,
        "One of the two terms has the wrong sign: for a label of 1 your loss rises with the logit."),
    Row("softplus_sign", lambda a, y: softplus(-a) - y * a,
        "The sign inside the softplus is reversed: for a label of 0 it should rise with the logit."),
    Row("one_sided", lambda a, y: y * softplus(-a),
        "Only the real images count in your loss: where is the term for a label of 0?"),
    Row("one_sided", lambda a, y: (1 - y) * softplus(a),
        "Only the fakes count in your loss: where is the term for a label of 1?"),
    Row("relu", lambda a, y: a.relu() - y * a,
        "A ReLU stands where a softplus should be: a logit of the right sign costs nothing at all."),
    Row("sigmoid_twice", lambda a, y: _bce(a.sigmoid(), y),
        "The logits go through a sigmoid, and then into a formula that wants logits: the sigmoid is taken twice."),
    Row("squares", lambda a, y: (a.sigmoid() - y) ** 2,
        "This is a squared error of probabilities, not a cross-entropy."),
]  # fmt: skip
REDUCTIONS = [
    Row("right", lambda loss: loss.mean(), ok=True),
    Row("sum", lambda loss: loss.sum(-1).mean(), "This is the sum over the batch; its mean is asked for."),
    Row("sum", lambda loss: loss.sum(), "This is the sum over the batch; its mean is asked for."),
    Row("sign", lambda loss: -loss.mean(), "The sign is reversed: lower should mean better."),
    Row("half", lambda loss: loss.mean() / 2, "Yours is half as large as it should be."),
    Row("base_2", lambda loss: loss.mean() / math.log(2), "This is measured in bits; a natural logarithm gives nats."),
]  # fmt: skip


def _apart(c: Case) -> Tensor:
    return softplus(-c.logits[c.labels == 1]).mean() + softplus(c.logits[c.labels == 0]).mean()


TWO_MEANS = "Reals and fakes are averaged apart, so the rarer kind weighs more. Asked for is one mean over all images."


def _bce_by(c: Case, meet: Callable, label: Callable, formula: Callable, reduce: Callable) -> Tensor:
    logits, labels = meet(c)
    return reduce(formula(logits, label(labels)))


def _logits_case(logits: Tensor, every: int) -> Case:
    """Logits (B, 1), and labels (B,) of which one in `every` is 1."""
    return Case(logits=logits, labels=(torch.arange(len(logits)) % every == 0).to(logits))


def _bce_hints(c: Case) -> dict[tuple, str]:
    size, become = len(c.logits), "How do the losses of a batch become one?"
    met = "Every logit has met every label. Print the shapes of both."
    return {(size,): become, (size, 1): become, (size, size): met}


def _some_images(trial: Trial) -> Mistake:
    pair, case = max(
        zip(_pairs(trial), trial.cases, strict=True), key=lambda each: (each[0][0] - each[0][1]).abs()
    )
    given, wanted = (told(each, 5) for each in pair)
    return Mistake(
        "value",
        f"For {len(case.logits)} images your loss is {given} and should be {wanted}. Print the loss of each image "
        "beside its logit and its label: which ones should be large, and which small?",
    )


TAILS = (
    "The loss is right, except where a logit is large: an exponential overflows, a sigmoid is rounded to 0 or 1, or "
    "something is cut off. Stay with the logits as they are."
)


BCE = Task(
    usage="my_cross_entropy(logits, labels)",
    cases=lambda: [_logits_case(torch.randn(size, 1) + 0.5, 3) for size in (6, 7)],
    tables=(MEETINGS, LABELS, FORMULAS, REDUCTIONS),
    compose=_bce_by,
    ways=[Row("two_means", _apart, TWO_MEANS), Row("two_means", lambda c: _apart(c) / 2, TWO_MEANS)],
    observe=Observe(Wanted("()", lambda c: (), _bce_hints), at=("logits",)),
    praise="Each logit meets its own label, and no other.",
    close=Close(1e-5, 1e-7),
    probes=(
        at(lambda case: _logits_case(torch.tensor([[0.7]]), 1), "batch_of_one",
            "Your loss fails on a batch of one image alone: name the dimension you remove."),
        at(lambda case: _logits_case(torch.tensor([[-1000.0], [1000.0], [3.0]]), 2), "tails", TAILS),
        at(lambda case: _logits_case(torch.tensor([[6.0], [-6.0], [7.5]]), 2), "tails", TAILS),
    ),
    fallbacks=(scaled("Your loss", lambda c: {"B": len(c.labels)}, ("value", "gradient at logits")),),
    witness=_some_images,
    seed=5,
)  # fmt: skip


def check_bce_by_hand(loss: Callable[[Tensor, Tensor], Tensor]) -> Feedback:
    """Say whether `loss(logits, labels)`, logits (B, 1) and labels (B,), is mean_b [softplus(a_b) − y_b a_b], ().

    Compared are values, to a relative 1e-5, for mixed labels, for a batch of one and for logits of ±1000, and the
    gradient in the logits. Raises nothing.
    """
    return diagnose(BCE, loss)


# C: a training step of both networks: two losses, what is cleared and detached, which noise, in which order


D_LOSSES = [
    Row("right", lambda r, f: softplus(-r) + softplus(f), ok=True),
    Row("d_labels", lambda r, f: softplus(r) + softplus(-f),
        "D learns to call reals fake and fakes real: both signs in its loss are reversed."),
    Row("no_fakes", lambda r, f: softplus(-r) + 0 * f, "D's step leaves the fakes out."),
    Row("no_reals", lambda r, f: softplus(f) + 0 * r, "D's step leaves the reals out."),
    Row("unequal", lambda r, f: 2 * softplus(-r) + softplus(f), "The reals count twice in D's loss, the fakes once."),
]  # fmt: skip
SUMMED = "{}'s loss is summed over the batch, so larger batches take larger steps. A mean does not."
D_SIZES = [
    Row("right", lambda loss: loss.mean(), ok=True),
    Row("half", lambda loss: loss.mean() / 2, "You take half of D's loss, a usual choice too: it halves D's steps.",
        ok=True),
    Row("sum", lambda loss: loss.sum(), SUMMED.format("D")),
]  # fmt: skip
G_LOSSES = [
    Row("right", lambda f: softplus(-f), ok=True),
    Row("minimax", lambda f: -softplus(f),
        "G's update follows the saturating loss, log(1 − D). Asked for is the non-saturating one."),
    Row("g_labels", lambda f: softplus(f), "G learns to be called fake: the sign in its loss is that of D's."),
]  # fmt: skip
G_SIZES = [
    Row("right", lambda loss: loss.mean(), ok=True),
    Row("sum", lambda loss: loss.sum(), SUMMED.format("G")),
]
LATE = "You clear when all is done, so the first step uses the gradients left from before. Clear, then fill."
CLEARINGS = [  # which network is cleared before its own backward, or when both are; and whether the fakes are detached
    Row("right", lambda: ("DG", True), ok=True),
    Row("d_not_cleared", lambda: ("G", True),
        "D's step still contains what an earlier `backward` left in D's gradients. What clears them, and when?"),
    Row("g_not_cleared", lambda: ("D", True),
        "G's step still contains what an earlier `backward` left in G's gradients. What clears them, and when?"),
    Row("g_not_cleared", lambda: ("D", False),
        "D's `backward` runs on into G, and G's step takes that gradient along. Which line would detach the "
        "fakes, or clear it?"),
    Row("not_cleared", lambda: ("", False),
        "Nothing is cleared: gradients of both losses, of this step and of all before, accumulate in both networks."),
    Row("not_cleared", lambda: ("", True),
        "The fakes are detached, and still nothing is cleared: gradients of earlier steps accumulate in both."),
    Row("g_not_cleared", lambda: ("start", False),
        "Clearing at the start is not enough here: D's `backward` runs on into G in the same step. Detach the fakes, "
        "or clear again."),
    Row("cleared_late", lambda: ("end", True), LATE),
    Row("cleared_late", lambda: ("end", False), LATE),
]  # fmt: skip
NOISES = [
    Row("right", lambda z: (z[0], z[1]), ok=True),
    Row("noise", lambda z: (z[0], z[0]), "Both steps use `z[0]`; the generator's step has noise of its own."),
    Row("noise", lambda z: (z[1], z[1]), "Both steps use `z[1]`; the fakes that D sees are those of `z[0]`."),
    Row("noise", lambda z: (z[1], z[0]),
        "The two noises have changed places: `z[0]` is for D's step, `z[1]` for G's."),
]  # fmt: skip


def _old_d(c: Case, d: Callable, g: Callable) -> None:
    earlier = copy.deepcopy(c.discriminator)
    d()
    g(earlier)


ORDERS = [
    Row("right", lambda c, d, g: (d(), g()), ok=True),
    Row("g_first", lambda c, d, g: (g(), d()),
        "G moves before D here. A training step is: first D, then G through the new D."),
    Row("old_d", _old_d,
        "G's step goes through the old D, from before its update. That is a simultaneous update; here G should use the "
        "new D."),
]  # fmt: skip


def _round(c: Case, *parts: Callable) -> tuple | None:
    d_loss, d_size, g_loss, g_size, clear, noise, order = parts
    (cleared, cut), (z_d, z_g) = clear(), noise(c.z)

    def clear_all(when: str) -> None:
        for network in (c.generator, c.discriminator):
            if when in cleared:
                network.zero_grad()

    def d() -> Tensor:
        fake = c.generator(z_d)
        loss = d_size(d_loss(c.discriminator(c.real), c.discriminator(fake.detach() if cut else fake)))
        if "D" in cleared:
            c.discriminator.zero_grad()
        loss.backward()
        c.d_optimiser.step()
        return loss

    def g(critic: Callable = c.discriminator) -> Tensor:
        loss = g_size(g_loss(critic(c.generator(z_g))))
        if "G" in cleared:
            c.generator.zero_grad()
        loss.backward()
        c.g_optimiser.step()
        return loss

    clear_all("start")
    losses = order(c, d, g)
    clear_all("end")
    return losses


def _at_once(c: Case) -> None:
    c.generator.zero_grad()
    c.discriminator.zero_grad()
    D_LOSSES[0].f(c.discriminator(c.real), c.discriminator(c.generator(c.z[0]).detach())).mean().backward()
    G_LOSSES[0].f(c.discriminator(c.generator(c.z[1]))).mean().backward()
    c.d_optimiser.step()
    c.g_optimiser.step()


def _g_alone(c: Case) -> None:
    c.generator.zero_grad()
    G_LOSSES[0].f(c.discriminator(c.generator(c.z[1]))).mean().backward()
    c.g_optimiser.step()


ROUND_WAYS = [
    Row("at_once", _at_once,
        "Both gradients are taken before either network has moved, and D's takes G's loss along. A training step is: "
        "first D, then G through the new D."),
]  # fmt: skip


def _round_cases() -> list[Case]:
    cases = []
    for batch, latent, *other in ((5, 3, (1, 4, 9), False), (7, 4, (1, 3, 10), True)):
        z = torch.randn(2, batch, latent)
        these = players(z[0], *other)
        names = ("generator", "discriminator", "g_optimiser", "d_optimiser", "real")
        cases.append(Case({**{name: these.get(name) for name in names}, "z": z}))
    return cases


# What is said of right rounds, and of unknown ones


LEFT = {
    kind: (
        f"left_{word}",
        f"A network is still {what} when the training step is over, and the next one suffers.",
    )
    for kind, word, what in (("frozen", "frozen", "frozen"), ("eval", "in_eval", "in evaluation mode"))
}


def _left(trial: Trial) -> Mistake | None:
    return next((Mistake(*said) for effect, said in LEFT.items() if trial.seen[0].has(effect)), None)


def _puts_right(trial: Trial) -> list[tuple[str, str]]:
    found = _left(trial)
    say = str(found).replace("the next one suffers", "yours puts that right itself")
    return [(found.feedback.kind, say)] if found else []


def _observed(trial: Trial, **changes) -> Trial:
    """The trial with another way to observe."""
    return replace(trial, task=replace(trial.task, observe=replace(trial.task.observe, **changes)))


def _by_adam(trial: Trial) -> None:
    by_adam = _observed(
        trial, optimiser=lambda own: torch.optim.Adam(own, lr=0.1, eps=1e-2)
    )  # rounding is no step
    if trial.seen[0].has("steps_many") and not by_adam.fits(trial.cases[0]):
        raise Mistake(
            "idle_step",
            "With plain gradient descent your step is right. With Adam a network moves once more, by its "
            "momentum: does an optimiser step whose turn it is not?",
        )


def _sure(case: Case) -> Case:
    """The case with logits from −120 to 120, where float32 has no exponential, the same for both noises."""
    sure = copied(case.but(z=case.z[:1].expand_as(case.z)))
    with torch.no_grad():
        images, last = sure.generator(sure.z[0]), sure.discriminator[3]
        low, high = sure.discriminator(images).aminmax()
        last.bias -= (low + high) / 2
        for each in (last.weight, last.bias):
            each *= 240 / (high - low)
    return sure.but(real=images.roll(1, 0))


def _tails(trial: Trial) -> list[tuple[str, str]]:
    """One step where the logits are large, in updates so small that they stay so."""
    where, stay = (
        "Your step is right, except where the logits are large: ",
        "Stay with the logits as they are.",
    )
    return in_the_tails(
        _sure,
        f"{where}an exponential overflows, or a sigmoid is rounded to 0 or 1, and then comes log 0. {stay}",
        f"{where}a rounded sigmoid or a bound cuts a loss off, and its gradient vanishes. {stay}",
    )(_observed(trial, calls=1, optimiser=lambda own: torch.optim.SGD(own, lr=1e-3)))


def _returned(trial: Trial) -> list[tuple[str, str]]:
    """A remark on two numbers that come back, each in the place of the other."""
    found = []
    for play in (trial.choice, lambda mine: trial.answer(*mine.values())):
        trial.task.observe(lambda mine, play=play: found.append(play(mine)), trial.cases[0])
    if not isinstance(found[2], tuple) or not all(isinstance(each, Tensor | float) for each in found[2]):
        return []
    ours, given = (
        torch.cat([torch.as_tensor(x).detach().double().flatten() for x in pair]) for pair in found[::2]
    )
    turned = alike(given.flip(0), ours, Close())
    say = "The losses come back in another order than in the function you were given: there D's is the first."
    return [("returned", say)] if turned else []


def _exchanged(trial: Trial) -> Mistake | None:
    names = {"g_optimiser": "discriminator", "d_optimiser": "generator"}
    turned = _observed(trial, given=lambda made: {argument: made[name] for argument, name in names.items()})
    try:
        right = trial.task.alike(turned.ask(trial.cases[0]), trial.ours(trial.cases[0]))
    except Mistake:
        return None
    say = "The optimisers have changed places: which one moves which network?"
    return Mistake("exchanged", say) if right else None


def _many_steps(trial: Trial) -> Mistake | None:
    many = [name[0].upper() for name in trial.task.observe.trains if trial.seen[0].has("steps_many", name)]
    say = (
        f"The optimiser of {' and that of '.join(many)} steps more than once in your function. One step of D is asked "
        "for, on reals and fakes together, and one step of G, on its own loss."
    )
    return Mistake("many_steps", say) if many else None


def _not_moved(trial: Trial) -> Mistake | None:
    still = next(
        (name[0].upper() for name in trial.task.observe.trains if not trial.seen[0][f"{name} 1"].any()), ""
    )
    say = (
        f"{still} does not move in your step. Is its gradient blocked by a `detach` or a `no_grad`, is it frozen, does "
        "its optimiser never step, or only after the gradient was cleared?"
    )
    return Mistake("still", say) if still else None


def _wrong_ones(trial: Trial) -> Mistake:
    """Which of the two moves is wrong, and how; G's is judged by the D that it met, right or wrong."""
    case, seen, found = trial.cases[0], trial.seen[0], []
    met = copied(case)
    own = list(met.discriminator.parameters())
    vector_to_parameters(parameters_to_vector(own).detach() + seen["discriminator 1"].float(), own)
    for name, right in (
        ("discriminator 1", trial.ours(case)),
        ("generator 1", trial.task.observe(_g_alone, met)),
    ):
        if not trial.task.alike(seen, right, [name]):
            cosine = float(torch.cosine_similarity(seen[name], right[name], dim=0))
            times = told(seen[name].norm() / right[name].norm())
            how = f"moves in the right direction, but {times} times as far as it should"
            if cosine < 0.9999:
                how = "moves nearly as it should, as if something small were added or left out"
            if cosine < 0.995:
                how = f"does not move along the gradient of its loss (cosine {cosine:.2f})"
            found.append(f"{name[0].upper()} {how}.")
    if not found:
        return Mistake(
            "second_round", "The first step is right and the second is not: something is left over."
        )
    ask = "Check, line by line, what each gradient contains when its optimiser steps."
    return Mistake("update", " ".join([*found, ask]))


ROUND = Task(
    usage="my_round(generator, discriminator, g_optimiser, d_optimiser, real, z)",
    cases=_round_cases,
    tables=(D_LOSSES, D_SIZES, G_LOSSES, G_SIZES, CLEARINGS, NOISES, ORDERS),
    compose=_round,
    ways=ROUND_WAYS,
    observe=Moves(
        ("generator", "discriminator"),
        lambda made: {"g_optimiser": made["generator"], "d_optimiser": made["discriminator"]},
        stale=("generator", "discriminator"),
        said=LEFT,
        later=tuple(LEFT),
    ),
    praise="Each network moves by its own loss alone, in every step.",
    probes=(_returned, _by_adam, _puts_right, _tails),
    fallbacks=(_left, _exchanged, _many_steps, _not_moved),
    witness=_wrong_ones,
    nothing=True,
    fixed=(2,),
    seed=5,
)


def check_round(play: Callable) -> Feedback:
    """Say whether `play(generator, discriminator, g_optimiser, d_optimiser, real, z)` is one step of both networks.

    z (2, B, latent): D's step on softplus(−a_real) + softplus(a_fake) with the fakes of z[0], then G's on softplus(−a)
    of z[1] through the new D, each a mean over the batch. Compared are the moves of all parameters over two steps of
    gradient descent, and two of Adam, that begin with stale gradients, to a relative 1e-3. What is returned does not
    matter. Raises nothing.
    """
    return diagnose(ROUND, play)
