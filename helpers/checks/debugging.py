"""Checks of notebook 05's bug hunts: the door of the data, a cross-entropy written by hand, a round that remembers.

An answer is judged by what it gives or does, compared with a right one and with every wrong one in a table.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.nn.functional import softplus

from helpers.checks.frame import Answer, Feedback, Mistake, Way, gives_feedback, right, tensor
from helpers.checks.one_round import ROUND_WAYS, check_round

__all__ = ["DOOR_WAYS", "ENTROPY_WAYS", "ROUND_WAYS", "check_bce_by_hand", "check_data_door", "check_round"]


# A: the door of the data


def _door(pixels: Tensor) -> Tensor:
    return 2 * (pixels.unsqueeze(1).float() / 255) - 1


def _scaled(pixels: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return 2 * (pixels.float() - low) / (high - low).clamp(min=1e-9) - 1


WRAPS = (
    "Dark and light have run into each other: whole numbers of type `uint8` start again at 0 after 255, and at 255 "
    "below 0. Turn them into decimal numbers before you calculate."
)
WRAPPING = [
    lambda x: (2 * x.unsqueeze(1)).float() / 255 - 1,
    lambda x: (2 * x.unsqueeze(1) - 255).float() / 255,
    lambda x: (2 * x.unsqueeze(1) - 1).float() / 255,
    lambda x: (x.unsqueeze(1) - 127).float() / 127,
    lambda x: (x.unsqueeze(1) - 127).float() / 128,
    lambda x: (x.unsqueeze(1) - 128).float() / 127,
    lambda x: (x.unsqueeze(1) - 128).float() / 128,
    lambda x: x.unsqueeze(1).to(torch.int8).float() / 127,
    lambda x: x.unsqueeze(1).to(torch.int8).float() / 128,
]
DOOR_WAYS = [
    Way("right", lambda x: _door(x)),
    Way(
        "zero_to_one",
        lambda x: (_door(x) + 1) / 2,
        "Your images lie between 0 and 1, and the generator's between −1 and 1. D needs one look at a negative value "
        "to know a fake.",
    ),
    Way("raw", lambda x: x.unsqueeze(1).float(), "Your images still reach to 255, and a tanh only to 1."),
    Way(
        "no_scale",
        lambda x: 2 * x.unsqueeze(1).float() - 1,
        "You stretch and shift, but a pixel of 255 becomes 509. Which number has to be divided by first?",
    ),
    *(Way("wraps", way, WRAPS) for way in WRAPPING),
    Way(
        "negative",
        lambda x: -_door(x),
        "Paper and ink have changed places: 0 should become −1, and 255 should become 1.",
    ),
    Way(
        "half_range",
        lambda x: _door(x) / 2,
        "Your images lie between −½ and ½: the middle is right, and the width is half of what a tanh reaches.",
    ),
    Way(
        "twice",
        lambda x: 2 * (x.unsqueeze(1).float() / 255 / 255) - 1,
        "Every pixel is nearly −1: the division by 255 was done twice.",
    ),
    Way(
        "shift_only",
        lambda x: x.unsqueeze(1).float() / 255 - 1,
        "Your images lie between −1 and 0: shifted, and not stretched.",
    ),
    Way(
        "batch_range",
        lambda x: _scaled(x, x.min(), x.float().max()).unsqueeze(1),
        "Your scale is taken from the darkest and lightest pixel of the images at hand, so an image depends on its "
        "neighbours. The scale of a pixel is known beforehand.",
    ),
    Way(
        "batch_range",
        lambda x: 2 * x.unsqueeze(1).float() / x.max().clamp(min=1) - 1,
        "Your scale is taken from the darkest pixel of the images at hand, so an image depends on its neighbours. The "
        "scale of a pixel is known beforehand.",
    ),
    *(
        Way(
            "image_range",
            lambda x, low=low: _scaled(x, low * x.amin((1, 2), True), x.float().amax((1, 2), True)).unsqueeze(
                1
            ),
            "Each image is stretched to its own darkest and lightest pixel, so a faint digit becomes a strong one. One "
            "scale holds for all.",
        )
        for low in (0, 1)
    ),
    Way(
        "of_256",
        lambda x: x.unsqueeze(1).float() / 128 - 1,
        "The darkest ink is a little short of 1: the largest pixel is 255, not 256.",
    ),
    Way(
        "of_127",
        lambda x: x.unsqueeze(1).float() / 127 - 1,
        "The darkest ink reaches beyond 1: half of 255 is no whole number.",
    ),
    Way(
        "clamped",
        lambda x: x.unsqueeze(1).float().clamp(-1, 1),
        "Grey is lost: every pixel above 1 became ink.",
    ),
    Way(
        "threshold",
        lambda x: 2.0 * (x.unsqueeze(1) > 127).float() - 1,
        "Grey is lost: yours knows paper and ink only.",
    ),
    Way(
        "not_shifted", lambda x: _door(x) + 1, "Your images lie between 0 and 2: stretched, and not shifted."
    ),
    Way(
        "transposed",
        lambda x: _door(x).mT,
        "Rows and columns have changed places: the digits lie on their sides.",
    ),
    Way("flipped", lambda x: _door(x).flip(2), "The digits stand on their heads."),
    Way(
        "standardised",
        lambda x: ((x.float() - x.float().mean()) / x.float().std()).unsqueeze(1),
        "Mean 0 and deviation 1 are made from the images at hand, and reach beyond 1. A tanh has fixed ends: which "
        "pixel belongs to which end?",
    ),
    Way(
        "standardised",
        lambda x: (x.unsqueeze(1).float() / 255 - 0.1307) / 0.3081,
        "These are the mean and deviation that classifiers of MNIST like; the result reaches to 2.8. A tanh ends at 1.",
    ),
]


def _near(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() < 1e-3)  # ½/255 is 2e-3: a scale of 256 or 254 is seen


@gives_feedback
def check_data_door(prepare: Callable[[Tensor], Tensor]) -> Feedback:
    """Say whether `prepare(pixels)` maps uint8 (N, 28, 28), 0 … 255, to float32 (N, 1, 28, 28) by 2x/255 − 1.

    Compared are values to 1e-3, on several batches, one of them without a pixel of 255, so any equal formula passes.
    Raises nothing.
    """
    answer = Answer(prepare, "my_prepare(pixels)")
    torch.manual_seed(5)
    cases = [
        torch.randint(0, top, (n, 28, 28), dtype=torch.uint8) for n, top in ((3, 256), (5, 181), (1, 256))
    ]
    cases[0][0] //= 2  # a faint image beside strong ones
    results = []
    for pixels in cases:
        n, given = len(pixels), pixels.clone()
        result = answer(given)
        if not torch.equal(given, pixels):
            raise Mistake(
                "changed_input",
                "Your function changes the pixels it was given, and who uses them next is surprised. Look for methods "
                "that end in `_`, and for `*=`.",
            )
        hints = {
            (
                n,
                28,
                28,
            ): "Convolutions want a dimension for the channels, here one, after that of the images.",
            (n, 28, 28, 1): "PyTorch keeps the channel before height and width.",
            (n, 784): "The pixels should stay in rows and columns.",
            (1, n, 28, 28): "The images come first, then the channel.",
        }
        result = tensor(result, (n, 1, 28, 28), "(N, 1, 28, 28)", hints)
        if result.dtype != torch.float32:
            raise Mistake(
                "dtype",
                f"Your images are of type `{str(result.dtype).removeprefix('torch.')}`; the networks calculate with "
                "`float32`, and refuse to mix.",
            )
        results.append(result)
    if all(_near(result, _door(pixels)) for result, pixels in zip(results, cases, strict=True)):
        return right("Paper is −1, ink is 1, and each image stands for itself.")
    for way in DOOR_WAYS:
        if all(_near(result, way.answer(pixels)) for result, pixels in zip(results, cases, strict=True)):
            raise Mistake(way.kind, way.message)
    reach = torch.linspace(0, 255, 28 * 28).round().to(torch.uint8).view(1, 28, 28)
    ends = answer(reach).flatten()
    raise Mistake(
        "values",
        f"The shape is right. In an image with all shades, your paper is {ends[0]:.4g}, your middle grey "
        f"{ends[len(ends) // 2]:.4g} and your ink {ends[-1]:.4g}, where a tanh ends at −1 and 1. Does each pixel "
        "depend on its own value only?",
    )


# B: a cross-entropy written by hand


def _per_image(logits: Tensor, labels: Tensor) -> Tensor:
    a = logits.squeeze(1)
    return softplus(a) - labels.to(a) * a


def _crossed(logits: Tensor, labels: Tensor) -> Tensor:
    return (softplus(logits) - labels.to(logits) * logits).mean()


ENTROPY_WAYS = [
    Way("right", lambda a, y: _per_image(a, y).mean()),
    Way(
        "broadcast",
        _crossed,
        "Every logit has met every label: `(B, 1)` against `(B,)` makes `(B, B)`, without a word. Give both the same "
        "shape first.",
    ),
    Way(
        "broadcast",
        lambda a, y: (softplus(a.squeeze(1)) - y[:, None] * a.squeeze(1)).mean(),
        "Every logit has met every label: `(B,)` against `(B, 1)` makes `(B, B)`, without a word. Give both the same "
        "shape first.",
    ),
    Way(
        "broadcast",
        lambda a, y: _crossed(a, y) * len(a),
        "Every logit has met every label, and the sum over all pairs is divided by B. Give both the same shape first.",
    ),
    Way("sum", lambda a, y: _per_image(a, y).sum(), "This is the sum over the batch; its mean is asked for."),
    Way(
        "labels",
        lambda a, y: _per_image(a, 1 - y).mean(),
        "The labels have changed places: with your loss D learns to call fakes real.",
    ),
    Way("sign", lambda a, y: -_per_image(a, y).mean(), "The sign is turned: lower should mean better."),
    Way(
        "sign",
        lambda a, y: (softplus(a.squeeze(1)) + y * a.squeeze(1)).mean(),
        "One of the two terms has the wrong sign: for a label of 1 your loss rises with the logit.",
    ),
    Way(
        "softplus_sign",
        lambda a, y: (softplus(-a.squeeze(1)) - y * a.squeeze(1)).mean(),
        "The sign inside the softplus is turned: for a label of 0 it should rise with the logit.",
    ),
    Way(
        "one_label",
        lambda a, y: softplus(a).mean(),
        "The labels do not count in your loss: real images are treated as fakes.",
    ),
    Way(
        "one_label",
        lambda a, y: softplus(-a).mean(),
        "The labels do not count in your loss: fakes are treated as real images.",
    ),
    Way(
        "one_sided",
        lambda a, y: (y * softplus(-a.squeeze(1))).mean(),
        "Only the real images count in your loss: where is the term for a label of 0?",
    ),
    Way(
        "one_sided",
        lambda a, y: ((1 - y) * softplus(a.squeeze(1))).mean(),
        "Only the fakes count in your loss: where is the term for a label of 1?",
    ),
    *(
        Way(
            "two_means",
            lambda a, y, share=share: share * (softplus(-a[y == 1]).mean() + softplus(a[y == 0]).mean()),
            "Reals and fakes are averaged apart, so the rarer kind weighs more. Asked for is one mean over all images.",
        )
        for share in (1, 0.5)
    ),
    Way("half", lambda a, y: _per_image(a, y).mean() / 2, "Yours is half as large as it should be."),
    Way(
        "relu",
        lambda a, y: (a.relu().squeeze(1) - y * a.squeeze(1)).mean(),
        "A corner stands where a softplus should be: a logit of the right sign costs nothing at all.",
    ),
    Way(
        "sigmoid_twice",
        lambda a, y: cross_entropy(a.sigmoid().squeeze(1), y),
        "The logits go through a sigmoid, and then into a formula that wants logits: the sigmoid is taken twice.",
    ),
    Way(
        "squares",
        lambda a, y: (a.sigmoid().squeeze(1) - y).square().mean(),
        "This is a squared error of probabilities, not a cross-entropy.",
    ),
    Way(
        "base_2",
        lambda a, y: _per_image(a, y).mean() / torch.tensor(2.0).log(),
        "This is measured in bits; a natural logarithm gives nats.",
    ),
]


@gives_feedback
def check_bce_by_hand(loss: Callable[[Tensor, Tensor], Tensor]) -> Feedback:
    """Say whether `loss(logits, labels)`, logits (B, 1) and labels (B,), is mean_b [softplus(a_b) − y_b a_b], ().

    Compared are values, to a relative 1e-3, for mixed labels, for a batch of one and for logits of ±1000, and the
    gradient in the logits. Raises nothing.
    """
    answer = Answer(loss, "my_cross_entropy(logits, labels)")
    torch.manual_seed(5)
    cases = [
        (torch.randn(b, 1) + 0.5, (torch.arange(b) % 3 == 0).float().to(torch.get_default_dtype()))
        for b in (6, 7)
    ]
    seen = [_entropy(answer, *case) for case in cases]
    for way in ENTROPY_WAYS:
        if all(_same_number(value, way.answer(*case)) for value, case in zip(seen, cases, strict=True)):
            if way.kind != "right":
                raise Mistake(way.kind, way.message)
            break
    else:
        value, wanted = seen[0].item(), _per_image(*cases[0]).mean().item()
        raise Mistake(
            "value",
            f"For six images your loss is {value:.4g} and should be {wanted:.4g}. Try one image with logit 0: its loss "
            "is log 2, whatever its label.",
        )
    one = (torch.tensor([[0.7]]), torch.ones(1))
    try:
        fits = _same_number(_entropy(answer, *one), _per_image(*one).mean())
    except Mistake as found:
        if found.feedback.kind not in ("raised", "shape"):
            raise
        fits = False
    if not fits:
        raise Mistake(
            "batch_of_one", "Your loss fails on a batch of one image alone: name the dimension you remove."
        )
    sure = (torch.tensor([[-1000.0], [1000.0], [3.0]]), torch.tensor([1.0, 0.0, 1.0]))
    try:
        finite = _same_number(_entropy(answer, *sure), _per_image(*sure).mean())
    except Mistake as found:
        if found.feedback.kind != "nan":
            raise
        finite = False
    if not finite:
        raise Mistake(
            "tails",
            "The loss is right, except where a logit is very large and wrong: a sigmoid is rounded to 0 or 1 there. "
            "Stay with the logits.",
        )
    slopes = [_slopes(each, *cases[0]) for each in (answer, lambda a, y: _per_image(a, y).mean())]
    if not torch.allclose(*slopes, atol=1e-5):
        raise Mistake(
            "detached",
            "The numbers are right, and part of their gradient is cut off: look for `detach`, `.data`.",
        )
    return right("Each logit meets its own label, and no other.")


def _entropy(answer: Answer, logits: Tensor, labels: Tensor) -> Tensor:
    """The answer on one case; raises `Mistake` where its shape or its gradient is wrong."""
    logits = logits.clone().requires_grad_()
    size = len(logits)
    hints = {
        (size,): "How do the losses of a batch become one?",
        (size, 1): "How do the losses of a batch become one?",
        (size, size): "Every logit has met every label. Print the shapes of both.",
    }
    given = labels.clone()
    value = tensor(answer(logits, given), (), "()", hints)
    if not torch.equal(given, labels):
        raise Mistake("changed_input", "Your function changes the labels it was given.")
    if not value.requires_grad:
        raise Mistake(
            "detached", "No gradient can flow from your loss to the logits: look for `.item()`, `detach`."
        )
    return value.detach()


def _slopes(answer: Callable, logits: Tensor, labels: Tensor) -> Tensor:
    """How the loss changes with each logit, (B, 1)."""
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(answer(logits, labels), logits)[0]


def _same_number(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs() <= 1e-3 * other.abs() + 1e-9)
