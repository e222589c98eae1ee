"""Checks of notebook 06: a label as channels beside an image, and the moving average of a generator's weights."""

import copy
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from helpers.feedback import Case, Close, Feedback, Mistake, Observe, Row, Task, Trial, Wanted, diagnose
from helpers.feedback.observe import Seen, alike

# A label beside an image: which class, which number its channels have, where they stand


LABELS = [
    Row("right", lambda y, k: y, ok=True),
    Row("first_label", lambda y, k: y[:1].expand(len(y)),
        "All images got the channels of the first label. Each has its own."),
    Row("shifted", lambda y, k: (y + 1) % k, "The ones stand a channel too late: classes are counted from 0."),
    Row("shifted", lambda y, k: (y - 1) % k, "The ones stand a channel too early: classes are counted from 0."),
    Row("reversed", lambda y, k: k - 1 - y,
        "Your channels count the classes from the end: class 0 belongs to the first of them."),
]  # fmt: skip
NO_ORDER = "The label{} fills the channels, so a 6 is twice a 3. Classes have no order: which channel is 1?"
MARKS = [  # (B, classes): the number that fills each channel
    Row("right", lambda y, k, x: one_hot(y, k), ok=True),
    Row("inverted", lambda y, k, x: 1 - one_hot(y, k), "Ones and zeros have changed places in the channels."),
    Row("signs", lambda y, k, x: 2 * one_hot(y, k) - 1, "The channels of the label hold −1 and 1. One-hot is 0 and 1."),
    Row("number", lambda y, k, x: y[:, None].expand(-1, k), NO_ORDER.format("itself")),
    Row("number", lambda y, k, x: y[:, None].expand(-1, k) / k, NO_ORDER.format(", divided by the number of classes,")),
    Row("staircase", lambda y, k, x: one_hot(y, k).flip(1).cumsum(1).flip(1),
        "All channels up to that of the label are 1. One-hot means one."),
    Row("wrong_axis", lambda y, k, x: one_hot(y, k).T.reshape(len(y), k),
        "The labels have been mixed among the images: a table of images and classes was read along the wrong axis."),
    Row("weighted", lambda y, k, x: one_hot(y, k) * y[:, None],
        "The right channel holds the label itself, so class 0 has none at all. One-hot means a 1."),
    Row("empty", lambda y, k, x: 0 * one_hot(y, k), "All new channels are 0: the label does not arrive."),
    Row("normalised", lambda y, k, x: one_hot(y, k) / x[0, 0].numel(),
        "The one is spread over the pixels of its channel; each pixel should be 1."),
]  # fmt: skip
ORDERS = [
    Row("right", lambda x, new: torch.cat([x, new], 1), ok=True),
    Row("planes_first", lambda x, new: torch.cat([new, x], 1),
        "The new channels stand before those of the image; asked for is the image first."),
]  # fmt: skip


def _beside(c: Case, label: Callable, mark: Callable, order: Callable) -> Tensor:
    marks = mark(label(c.labels, c.classes), c.classes, c.images).to(c.images)
    return order(c.images, marks[:, :, None, None].expand(-1, -1, *c.images.shape[2:]))


LENGTHS = "Which dimension is too long or too short? Print the shapes of what you join."


def _image_hints(c: Case) -> dict[tuple, str]:
    (b, channels, h, w), k, seen = c.images.shape, c.classes, int(c.labels.max()) + 1
    return {
        (b, channels + 1, h, w): "There is one channel for the label; each class needs its own.",
        (b, k, h, w): "The image is missing, or the new channels were added to it.",
        (b, 1 + k, h, w): "Only one channel of the image is left; images may have several.",
        (2 * b, channels, h, w): "The new channels became more images. Along which dimension are channels?",
        (b, channels, h, w): "The new channels are missing, or were added to the image; they should stand beside it.",
        (b, channels + seen, h, w): "How many channels there are depends on the labels that happen to occur.",
        (b, channels + k - 1, h, w): "One class has no channel. The classes are 0, 1 and so on: how many are there?",
        (b, channels + k + 1, h, w): "One channel is too many. The classes are 0, 1 and so on: how many are there?",
        (b, channels + 10, h, w): "Ten classes are written into your code; their number comes in.",
        (b, h, w, channels + k): "PyTorch keeps channels before height and width.",
        (b, channels + k, w, h): "Height and width have changed places.",
    }  # fmt: skip


def _of_one_type(value: object, case: Case) -> object:
    """The value as it is. Raises `Mistake` where it is a tensor of another type than the images."""
    if isinstance(value, Tensor) and value.dtype != case.images.dtype and not value.is_complex():
        name = str(value.dtype).removeprefix("torch.")
        say = f"The result is of type `{name}`, and the images are not: a network refuses to mix."
        raise Mistake("dtype", say)
    return value


def _which_part(trial: Trial) -> Mistake:
    """Whether the image is wrong, or the new channels, and those within themselves."""
    for seen, case in zip(trial.seen, trial.cases, strict=True):
        image, new = seen["value"].tensor_split([case.images.shape[1]], 1)
        if not alike(image, case.images.double(), EXACT):
            return Mistake("image", "The first channels should be the image as it came in, and are not.")
        if not alike(new, new[..., :1, :1].expand_as(new), EXACT):
            return Mistake("uneven", "The image is right. A channel of the label says the same at every pixel, and "
                           "yours differ from pixel to pixel.")  # fmt: skip
    return Mistake("planes", "The image is right and the channels of the labels are not. For each image the channel of "
                   "its own label should be 1 everywhere, and all others 0.")  # fmt: skip


EXACT = Close(1e-5, 1e-6)
CONDITIONAL = Task(
    usage="my_conditional_input(images, labels, classes)",
    cases=lambda: [
        Case(images=torch.randn(8, 3, 2, 6), labels=torch.tensor([1, 0, 2, 2, 1, 0, 1, 2]), classes=7),  # only 0 … 2
        Case(images=torch.randn(5, 1, 4, 3), labels=torch.tensor([2, 0, 5, 3, 2]), classes=6),
    ],
    tables=(LABELS, MARKS, ORDERS),
    compose=_beside,
    observe=Observe(
        Wanted("(B, C + classes, H, W)", lambda c: (len(c.images), c.images.shape[1] + c.classes, *c.images.shape[2:]),
               _image_hints, otherwise=LENGTHS),
        at=("images",), read=_of_one_type),
    praise="Each image comes with its label, on every pixel.",
    witness=_which_part,
    said=(("Sizes of tensors must match", "sizes",
           "The new channels and the images do not fit beside each other. Are their height and width those of the "
           "images, each in its place, and do you join along the dimension of the channels?"),),
    close=EXACT,
    seed=6,
)  # fmt: skip


def check_conditional_input(beside: Callable[[Tensor, Tensor, int], Tensor]) -> Feedback:
    """Say whether `beside(images, labels, classes)` puts `classes` one-hot channels behind those of the image.

    (B, C, H, W), (B,), classes to (B, C + classes, H, W): channel C + y of an image is 1, the other new ones are 0, to
    1e-5. All sizes differ; images must not change, and a gradient must reach them. Raises nothing.
    """
    return diagnose(CONDITIONAL, beside)


# The moving average of weights: that of the parameters, and what buffers do


UNMOVED = (
    "The parameters of the average are as they were. A name that is given a new tensor changes nothing in the network: "
    "write into its parameters (`copy_`, `mul_`, `lerp_`)."
)
SHARES = "The two weights should add up to 1, or the average grows."
BLENDS = [
    Row("right", lambda m, w, d: d * m + (1 - d) * w, ok=True),
    Row("swapped", lambda m, w, d: (1 - d) * m + d * w,
        "The two weights have changed places: with a decay near 1 your average follows every step."),
    Row("copied", lambda m, w, d: w, "Your average is a copy of the model: nothing of before is left in it."),
    Row("half", lambda m, w, d: (m + w) / 2, "Old and new count the same, whatever `decay` is."),
    Row("sum", lambda m, w, d: d * m + w, SHARES),
    Row("sum", lambda m, w, d: m + (1 - d) * w, SHARES),
    Row("shrinks", lambda m, w, d: d * m, "The model is missing: your average only shrinks."),
    Row("unmoved", lambda m, w, d: m, UNMOVED),
    Row("sign", lambda m, w, d: m - (1 - d) * (w - m), "Your average moves away from the model: one sign is turned."),
    Row("squared", lambda m, w, d: d**2 * m + (1 - d**2) * w,
        "Your average forgets twice as fast as asked: is every parameter met once in a call?"),
]  # fmt: skip
COPIED = "The statistics are averages already, and a counter of batches is a whole number: copy buffers."
BUFFERS = [  # of the average m, of the model b, and the decay
    Row("right", lambda m, b, d: b, ok=True),
    Row("no_buffers", lambda m, b, d: m,
        "A batch norm also has buffers, its running statistics, and those of your average stay as they were."),
    Row("averaged_buffers", lambda m, b, d: d * m + (1 - d) * b if b.is_floating_point() else b,
        f"You average the running statistics as well. {COPIED}"),
    Row("averaged_buffers", lambda m, b, d: d * m + (1 - d) * b if b.is_floating_point() else m,
        f"You average the running statistics as well, and keep the counter. {COPIED}"),
    Row("averaged_buffers", lambda m, b, d: d * m + (1 - d) * b, f"You average all numbers, the counter too. {COPIED}"),
    Row("no_counter", lambda m, b, d: b if b.is_floating_point() else m,
        "One buffer is left out: the batch norm counts its batches, and your average keeps an old count."),
    Row("no_statistics", lambda m, b, d: m if b.is_floating_point() else b,
        "The counter of batches is copied, and the running mean and variance stay as they were."),
]  # fmt: skip


@torch.no_grad()
def _update(c: Case, blend: Callable, buffer: Callable) -> None:
    for name, rule in (("parameters", blend), ("buffers", buffer)):
        for mean, now in zip(getattr(c.average, name)(), getattr(c.model, name)(), strict=True):
            mean.copy_(rule(mean, now, c.decay))


def _state(network: nn.Module) -> Tensor:
    every = [*network.parameters(), *network.buffers()]
    return torch.cat([each.detach().flatten().double() for each in every])


SAID = {
    "model_moved": "The model itself has changed. Only its average should.",
    "nan": "Some numbers of the average are NaN or infinite. Is something divided by 0?",
    "unmoved": UNMOVED,
    "graph": "The average has become part of a graph that remembers every earlier model. An average needs no "
    "gradients: write it under `no_grad`.",
    "shared": "Average and model now share a tensor: when the model takes a step, its average moves along. Copy "
    "numbers, not tensors.",
    "replaced": "The average now holds new parameters in place of its own. Write into those that are there (`copy_`, "
    "`mul_`, `lerp_`).",
}  # fmt: skip


class _Followed:
    """What the average holds while its model takes three steps, (3, numbers); "first", after the first."""

    results: ClassVar = {"first": None, "average": None}

    def glance(self, update: Callable[[Case], object], case: Case) -> Tensor:
        mine = case.but(average=copy.deepcopy(case.average))
        update(mine)
        return _state(mine.average)

    def __call__(self, update: Callable[[Case], object], case: Case) -> Seen:
        mine, states = case.but(average=copy.deepcopy(case.average), model=copy.deepcopy(case.model)), []
        own, tensors = [*mine.average.parameters()], [*mine.model.parameters(), *mine.model.buffers()]
        for step in range(3):
            average, model = _state(mine.average), _state(mine.model)
            update(mine)
            after = _state(mine.average)
            trains = all(each.training for each in mine.model.modules())
            thawed = all(each.requires_grad for each in mine.model.parameters())
            still = trains and thawed and torch.equal(model, _state(mine.model))
            with torch.no_grad():
                for each in tensors:  # the model goes on; its average may not follow by itself
                    each += 25 if each.dtype == torch.long else each.roll(1, 0) - each + (step + each).cos()
            for kind, wrong in (
                ("model_moved", not still),
                ("nan", not after.isfinite().all()),
                ("unmoved", torch.equal(average, after)),
                ("graph", any(each.grad_fn is not None or each.requires_grad for each in own)),
                ("shared", not torch.equal(after, _state(mine.average))),
                ("replaced", any(a is not b for a, b in zip(own, mine.average.parameters(), strict=True))),
            ):
                if wrong:
                    raise Mistake(kind, SAID[kind])
            states.append(after)
        return Seen(first=states[0], average=torch.stack(states))


def _generator(latent: int, hidden: int, out: int, batches: int) -> nn.Sequential:
    """A small generator whose batch norm has met so many batches, and whose every number is its own."""
    layers = nn.Linear(latent, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, out)
    network = nn.Sequential(*layers)
    with torch.no_grad():
        for each in network.parameters():
            each.add_(torch.randn_like(each))
        for _ in range(batches):
            network(torch.randn(8, latent))
    return network


def _average_case(decay: float, *sizes: int) -> Case:
    average = _generator(*sizes, batches=2).requires_grad_(False)
    return Case(average=average, model=_generator(*sizes, batches=30), decay=decay)


def _counted(trial: Trial) -> Mistake:
    """How many numbers are right where most are wrong."""
    found = []
    for case, seen in zip(trial.cases, trial.seen, strict=True):
        right = torch.isclose(seen["average"], trial.ours(case)["average"], rtol=1e-5, atol=1e-5).all(0)
        parts = right.tensor_split([sum(each.numel() for each in case.average.parameters())])
        counts = (n for each in parts for n in (int(each.sum()), len(each)))
        found.append((int(right.sum()), case.decay, *counts))
    text = (
        "With a decay of {} your average has {} of {} parameters and {} of {} numbers in buffers right. Is every "
        "tensor of the network met, once, and is the decay that comes in used?"
    )
    return Mistake("value", text.format(*min(found)[1:]))


AVERAGE = Task(
    usage="my_update_average(average, model, decay)",
    cases=lambda: [_average_case(*sizes) for sizes in ((0.98, 3, 4, 2), (0.35, 4, 3, 5), (0.995, 2, 5, 3))],
    tables=(BLENDS, BUFFERS),
    compose=_update,
    observe=_Followed(),
    praise="The average follows slowly, and the model does not notice.",
    close=Close(1e-5, 1e-5, each=True),
    witness=_counted,
    said=(("a leaf Variable that requires grad", "leaf",
           "Autograd watches a parameter, and so forbids to change it in place. An average needs no gradients: write "
           "it under `no_grad`."),
          ("can't be cast", "counter",
           "A batch norm counts its batches, and a whole number takes no average. What should become of buffers?")),
    nothing=True,
    seed=6,
)  # fmt: skip


def check_average_update(update: Callable[[nn.Module, nn.Module, float], object]) -> Feedback:
    """Say whether `update(average, model, decay)` is θ̄ ← decay · θ̄ + (1 − decay) · θ in place, buffers copied.

    It meets three models one after the other, with three decays, and the numbers are compared to 1e-5. The model may
    not change, nor its average with it later. What is returned does not matter. Raises nothing.
    Source: Karras et al. (2018), appendix A.1.
    """
    return diagnose(AVERAGE, update)
