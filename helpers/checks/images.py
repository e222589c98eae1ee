"""Checks of notebook 06: a label beside an image, and the running average of a generator's weights."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from helpers.checks.frame import Answer, Feedback, Mistake, Way, gives_feedback, right, tensor

# A: a label beside an image


def _planes(images: Tensor, labels: Tensor, classes: int) -> Tensor:
    _, _, height, width = images.shape
    return one_hot(labels, classes).to(images)[:, :, None, None].expand(-1, -1, height, width)


def _beside(images: Tensor, labels: Tensor, classes: int) -> Tensor:
    return torch.cat([images, _planes(images, labels, classes)], dim=1)


LABEL_WAYS = [
    Way("right", _beside),
    Way(
        "planes_first",
        lambda x, y, k: torch.cat([_planes(x, y, k), x], dim=1),
        "The planes stand before the image; asked for is the image first.",
    ),
    Way(
        "first_label",
        lambda x, y, k: _beside(x, y[:1].expand(len(y)), k),
        "All images got the planes of the first label. Each has its own.",
    ),
    Way(
        "shifted",
        lambda x, y, k: _beside(x, (y + 1) % k, k),
        "The one stands in the plane beside the right one: classes are counted from 0.",
    ),
    Way(
        "shifted",
        lambda x, y, k: _beside(x, (y - 1) % k, k),
        "The one stands in the plane beside the right one: classes are counted from 0.",
    ),
    Way(
        "inverted",
        lambda x, y, k: torch.cat([x, 1 - _planes(x, y, k)], dim=1),
        "Ones and zeros have changed places in the planes.",
    ),
    Way(
        "signs",
        lambda x, y, k: torch.cat([x, 2 * _planes(x, y, k) - 1], dim=1),
        "Your planes hold −1 and 1. One-hot means 0 and 1.",
    ),
    Way(
        "number",
        lambda x, y, k: torch.cat([x, y.to(x)[:, None, None, None].expand(-1, k, *x.shape[2:])], dim=1),
        "The label itself fills the planes, so a 6 is twice a 3. Classes have no order: which plane is 1?",
    ),
    Way(
        "number",
        lambda x, y, k: torch.cat([x, (y.to(x) / k)[:, None, None, None].expand(-1, k, *x.shape[2:])], dim=1),
        "The label, divided by the number of classes, fills the planes. Classes have no order: which plane is 1?",
    ),
    Way(
        "staircase",
        lambda x, y, k: torch.cat([x, _planes(x, y, k).flip(1).cumsum(1).flip(1)], dim=1),
        "All planes up to that of the label are 1. One-hot means one.",
    ),
    Way(
        "reversed",
        lambda x, y, k: _beside(x, k - 1 - y, k),
        "Your planes count the classes from the end: class 0 belongs to the first plane.",
    ),
    Way(
        "wrong_axis",
        lambda x, y, k: torch.cat(
            [x, one_hot(y, k).T.reshape(len(x), k, 1, 1).to(x).expand(-1, -1, *x.shape[2:])], dim=1
        ),
        "The labels have been mixed among the images: a table of images and classes was read along the wrong axis.",
    ),
    Way(
        "weighted",
        lambda x, y, k: torch.cat([x, _planes(x, y, k) * y.to(x)[:, None, None, None]], dim=1),
        "The right plane holds the label itself, so class 0 has no plane at all. One-hot means a 1.",
    ),
    Way(
        "empty",
        lambda x, y, k: torch.cat([x, torch.zeros(len(x), k, *x.shape[2:]).to(x)], dim=1),
        "All planes are 0: the label does not arrive.",
    ),
    Way(
        "normalised",
        lambda x, y, k: torch.cat([x, _planes(x, y, k) / (x.shape[2] * x.shape[3])], dim=1),
        "The one is spread over the pixels of its plane; each pixel should be 1.",
    ),
]


DETACHED = (
    "No gradient reaches the images any more, so a generator that made them could not learn. Look for `detach`, "
    "`no_grad`, `torch.tensor`."
)


@gives_feedback
def check_conditional_input(beside: Callable[[Tensor, Tensor, int], Tensor]) -> Feedback:
    """Say whether `beside(images, labels, classes)` puts `classes` one-hot planes behind the image's channels.

    (B, C, H, W), (B,), classes to (B, C + classes, H, W): plane y of an image is 1, the others 0. Three channels and
    sizes that differ make sure that none is confused; images must not change, and a gradient must reach them. Raises
    nothing.
    """
    answer = Answer(beside, "my_conditional_input(images, labels, classes)")
    torch.manual_seed(6)
    cases = [
        (torch.randn(5, 1, 4, 3), torch.tensor([2, 0, 5, 3, 2]), 6),
        (torch.randn(8, 3, 2, 6), torch.tensor([1, 0, 3, 2, 1, 0, 1, 3]), 5),  # class 4 does not occur
    ]
    values, flows = [], []
    for images, labels, classes in cases:
        batch, channels, height, width = images.shape
        given, names = images.clone().requires_grad_(), labels.clone()
        seen = max(labels.tolist()) + 1
        hints = {
            (
                batch,
                channels + 1,
                height,
                width,
            ): "There is one plane for the label; each class needs its own.",
            (batch, classes, height, width): "The image is missing, or the planes were added to it.",
            (
                batch,
                1 + classes,
                height,
                width,
            ): "Only one channel of the image is left; images may have several.",
            (
                batch + batch,
                channels,
                height,
                width,
            ): "The planes stand behind the images as more images. Along which dimension are channels?",
            (
                batch,
                channels,
                height,
                width,
            ): "The planes were added to the image; they should stand beside it.",
            (
                batch,
                channels + seen,
                height,
                width,
            ): "The number of planes depends on the labels that happen to occur.",
            (
                batch,
                channels + 10,
                height,
                width,
            ): "Ten classes are written into your code; their number comes in.",
            (batch, height, width, channels + classes): "PyTorch keeps channels before height and width.",
            (batch, channels + classes, width, height): "Height and width have changed places.",
        }
        symbols = "(B, C + classes, H, W)"
        value = tensor(
            _called(answer, given, names, classes), (batch, channels + classes, height, width), symbols, hints
        )
        if not (torch.equal(given.detach(), images) and torch.equal(names, labels)):
            raise Mistake("changed_input", "Your function changes the images or the labels it was given.")
        if value.dtype != images.dtype:
            raise Mistake(
                "dtype",
                f"The result is of type `{str(value.dtype).removeprefix('torch.')}`, and the images are not: a network "
                "refuses to mix.",
            )
        if not value.requires_grad:
            raise Mistake("detached", DETACHED)
        flows.append(_passes(value[:, :channels], given))
        values.append(value.detach())
    for way in LABEL_WAYS:
        if all(
            torch.allclose(seen, way.answer(*case), atol=1e-5)
            for seen, case in zip(values, cases, strict=True)
        ):
            if way.kind == "right" and not all(flows):
                raise Mistake("detached", DETACHED)
            if way.kind == "right":
                return right("Each image comes with its label, on every pixel.")
            raise Mistake(way.kind, way.message)
    if not all(
        torch.allclose(seen[:, : case[0].shape[1]], case[0]) for seen, case in zip(values, cases, strict=True)
    ):
        raise Mistake("image", "The first channels should be the image as it came in, and are not.")
    planes = [seen[:, case[0].shape[1] :] for seen, case in zip(values, cases, strict=True)]
    if not all(torch.equal(each, each[..., :1, :1].expand_as(each)) for each in planes):
        raise Mistake(
            "uneven",
            "The image is right. A plane says the same at every pixel, and yours differ from pixel to pixel.",
        )
    raise Mistake(
        "planes",
        "The image is right and the planes are not. For each image one plane should be 1 everywhere, and all others 0.",
    )


def _called(answer: Answer, images: Tensor, labels: Tensor, classes: int) -> object:
    """The answer; a size that is written into it gets a name of its own."""
    try:
        return answer(images, labels, classes)
    except Mistake as found:
        if found.feedback.kind == "raised" and "Sizes of tensors must match" in found.feedback.message:
            raise Mistake(
                "sizes",
                "Planes and images do not fit beside each other. Height and width may differ, and may be any: take "
                f"them from the images, each in its place. ({found.feedback.message.split('. Print')[0]}.)",
            ) from None
        raise


def _passes(value: Tensor, images: Tensor) -> bool:
    """Whether some gradient goes from every element of `value` back to `images`."""
    (gradient,) = torch.autograd.grad(value.sum(), images, allow_unused=True)
    return gradient is not None and bool(gradient.all())


# B: the running average of weights


def _blend(decay_of: Callable, buffers: Callable = lambda mean, now, decay: now) -> Callable:
    """θ̄ ← decay_of(θ̄, θ, decay) for parameters, and `buffers` for buffers."""

    @torch.no_grad()
    def update(average: nn.Module, model: nn.Module, decay: float) -> None:
        for mean, weight in zip(average.parameters(), model.parameters(), strict=True):
            mean.copy_(decay_of(mean, weight, decay))
        for mean, now in zip(average.buffers(), model.buffers(), strict=True):
            mean.copy_(buffers(mean, now, decay))

    return update


def _usual(mean: Tensor, weight: Tensor, decay: float) -> Tensor:
    return decay * mean + (1 - decay) * weight


AVERAGE_WAYS = [
    Way("right", _blend(_usual)),
    Way(
        "swapped",
        _blend(lambda m, w, d: (1 - d) * m + d * w),
        "The two weights have changed places: with a decay near 1 your average follows every step.",
    ),
    Way(
        "copied",
        _blend(lambda m, w, d: w),
        "Your average is a copy of the model: nothing of before is left in it.",
    ),
    Way("half", _blend(lambda m, w, d: (m + w) / 2), "Old and new count the same, whatever `decay` is."),
    Way(
        "sum", _blend(lambda m, w, d: d * m + w), "The two weights should add up to 1, or the average grows."
    ),
    Way(
        "sum",
        _blend(lambda m, w, d: m + (1 - d) * w),
        "The two weights should add up to 1, or the average grows.",
    ),
    Way("shrinks", _blend(lambda m, w, d: d * m), "The model is missing: your average only shrinks."),
    Way(
        "sign",
        _blend(lambda m, w, d: m - (1 - d) * (w - m)),
        "Your average moves away from the model: one sign is turned.",
    ),
    Way(
        "no_buffers",
        _blend(_usual, lambda mean, now, decay: mean),
        "The parameters are right. A batch norm also has buffers, its running statistics, and yours stay as they were.",
    ),
    Way(
        "averaged_buffers",
        _blend(
            _usual,
            lambda mean, now, decay: (decay * mean + (1 - decay) * now) if now.is_floating_point() else now,
        ),
        "You average the running statistics as well, which are averages already. Here they are copied.",
    ),
    Way(
        "averaged_buffers",
        _blend(
            _usual,
            lambda mean, now, decay: (decay * mean + (1 - decay) * now) if now.is_floating_point() else mean,
        ),
        "You average the running statistics as well, which are averages already. Here all buffers are copied.",
    ),
    Way(
        "averaged_buffers",
        _blend(_usual, lambda mean, now, decay: decay * mean + (1 - decay) * now),
        "You average all that `state_dict` holds. The statistics are averages already, and a counter of batches is a "
        "whole number: buffers are copied.",
    ),
    Way(
        "no_counter",
        _blend(_usual, lambda mean, now, decay: now if now.is_floating_point() else mean),
        "All is right but for one buffer: the batch norm counts its batches, and your average keeps an old count.",
    ),
    Way(
        "no_statistics",
        _blend(_usual, lambda mean, now, decay: mean if now.is_floating_point() else now),
        "The counter of batches is copied, and the running mean and variance stay as they were.",
    ),
    Way(
        "squared",
        _blend(lambda m, w, d: d**2 * m + (1 - d**2) * w),
        "Your average forgets twice as fast as asked: is every parameter met once in a call?",
    ),
]


def _model(batches: int) -> nn.Sequential:
    """A small generator whose batch norm has met so many batches, and whose every parameter is its own."""
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))
        for _ in range(batches):
            model(torch.randn(8, 3))
    return model


def _state(model: nn.Module) -> Tensor:
    return torch.cat([each.detach().flatten().double() for each in [*model.parameters(), *model.buffers()]])


def _averages(update: Callable, decay: float, models: list[nn.Module]) -> Tensor:
    """What the average holds after each of three models was met, (3, numbers)."""
    average = copy.deepcopy(models[0]).requires_grad_(False)
    states = []
    for model in models[1:]:
        update(average, copy.deepcopy(model), decay)
        states.append(_state(average))
    return torch.stack(states)


UNMOVED = (
    "The average is as it was. Names that are given a new tensor change nothing in the network: write into its "
    "parameters (`copy_`, `mul_`, `lerp_`)."
)
COUNTS = (2, 30, 5, 50)  # of batches that each model has met; no average of two of them is a third


def _explain(found: Mistake, unmoved: bool) -> None:
    """Raise what an update was told again, in better words where there are any; that it returned None is no mistake."""
    if found.feedback.kind == "none":
        return
    if found.feedback.kind == "stub" and not unmoved:
        return
    if "a leaf Variable that requires grad" in found.feedback.message:
        raise Mistake(
            "leaf",
            "Autograd watches a parameter, and so forbids to change it in place. An average needs no gradients: write "
            f"it under `no_grad`. ({found.feedback.message.split('. Print')[0]}.)",
        ) from None
    raise found


@gives_feedback
def check_average_update(update: Callable[[nn.Module, nn.Module, float], object]) -> Feedback:
    """Say whether `update(average, model, decay)` is θ̄ ← decay · θ̄ + (1 − decay) · θ in place, buffers copied.

    It meets three models one after the other, with two decays, and the numbers are compared to 1e-5. The model may not
    change, and its average may not change with it later. What is returned does not matter. Raises nothing.
    Source: Karras et al. (2018), appendix A.1.
    """
    told = Answer(update, "my_update_average(average, model, decay)")
    torch.manual_seed(6)
    models = [_model(batches) for batches in COUNTS]
    decays = (0.9, 0.7)

    def answer(average: nn.Module, model: nn.Module, decay: float) -> None:
        """None is a good answer here, unless nothing was written."""
        before, objects = (_state(average), _state(model)), [*average.parameters()]
        try:
            told(average, model, decay)
        except Mistake as found:
            _explain(found, unmoved=torch.equal(before[0], _state(average)))
        if not torch.equal(before[1], _state(model)) or not all(each.training for each in model.modules()):
            raise Mistake("model_moved", "The model itself has changed. Only its average should.")
        if torch.equal(before[0], _state(average)):
            raise Mistake("unmoved", UNMOVED)
        if any(each.grad_fn is not None or each.requires_grad for each in objects):
            raise Mistake(
                "graph",
                "The average has become part of a graph that remembers every earlier model. An average needs no "
                "gradients: write it under `no_grad`.",
            )
        after = _state(average)
        with torch.no_grad():
            for each in [*model.parameters(), *model.buffers()]:
                each.add_(1)  # the model goes on; its average may not follow by itself
        if not torch.equal(after, _state(average)):
            raise Mistake(
                "shared",
                "Average and model now share a tensor: when the model takes a step, its "
                "average moves along. Copy numbers, not tensors.",
            )
        if not all(one is other for one, other in zip(objects, average.parameters(), strict=True)):
            raise Mistake(
                "replaced",
                "The average now holds new parameters in place of its own. Write into those "
                "that are there (`copy_`, `mul_`, `lerp_`).",
            )

    seen = [_averages(answer, decay, models) for decay in decays]
    for way in AVERAGE_WAYS:
        wanted = [_averages(way.answer, decay, models) for decay in decays]
        if all(torch.allclose(one, other, atol=1e-5) for one, other in zip(seen, wanted, strict=True)):
            if way.kind == "right":
                return right("The average follows slowly, and the model does not notice.")
            raise Mistake(way.kind, way.message)
    wanted = torch.stack([_averages(AVERAGE_WAYS[0].answer, decay, models) for decay in decays])
    close = torch.isclose(torch.stack(seen), wanted, atol=1e-5).all(0).all(0)
    weights = sum(each.numel() for each in models[0].parameters())
    raise Mistake(
        "value",
        f"{int(close[:weights].sum())} of {weights} parameters and {int(close[weights:].sum())} of "
        f"{len(close) - weights} numbers in buffers are right. Is every tensor of the network met, once?",
    )
