"""Checks of notebook 05's bug hunts: the door of the data, a cross-entropy written by hand, a round that remembers.

An answer is judged by what it gives or does, compared with a right one and with every wrong one in a table.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.nn.functional import softplus

from helpers.checks.frame import Answer, Feedback, Mistake, Way, gives_feedback, right, tensor
from helpers.checks.gan import IMAGE, LATENT, RATE, TinyDiscriminator, TinyGenerator, same_moves

# A: the door of the data


def _door(pixels: Tensor) -> Tensor:
    return 2 * (pixels.unsqueeze(1).float() / 255) - 1


def _scaled(pixels: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return 2 * (pixels.float() - low) / (high - low).clamp(min=1e-9) - 1


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
    Way(
        "wraps",
        lambda x: (2 * x.unsqueeze(1)).float() / 255 - 1,
        "Dark ink has become paper: whole numbers of type `uint8` start again at 0 after 255. Turn them into decimal "
        "numbers before you calculate.",
    ),
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
    Way(
        "image_range",
        lambda x: _scaled(x, x.amin((1, 2), True), x.float().amax((1, 2), True)).unsqueeze(1),
        "Each image is stretched to its own darkest and lightest pixel, so a faint digit becomes a strong one. One "
        "scale holds for all.",
    ),
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
        f"The shape is right. In an image with all shades, your paper is {ends[0]:.4g} and your ink {ends[-1]:.4g}, "
        "where a tanh ends at −1 and 1. Does each pixel depend on its own value only?",
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

    Compared are values, to a relative 1e-3, for mixed labels, for a batch of one and for logits of ±200, and whether a
    gradient reaches the logits. Raises nothing.
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
    if not _same_number(_entropy(answer, *one), _per_image(*one).mean()):
        raise Mistake(
            "batch_of_one", "For a batch of one image the loss is another: name the dimension you remove."
        )
    sure = (torch.tensor([[-200.0], [200.0], [3.0]]), torch.tensor([1.0, 0.0, 1.0]))
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
    value = tensor(answer(logits, labels.clone()), (), "()", hints)
    if not value.requires_grad:
        raise Mistake(
            "detached", "No gradient can flow from your loss to the logits: look for `.item()`, `detach`."
        )
    return value.detach()


def _same_number(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs() <= 1e-3 * other.abs() + 1e-9)


# C: a round that remembers too much


def _d_loss(real: Tensor, fake: Tensor) -> Tensor:
    return softplus(-real).mean() + softplus(fake).mean()


def _g_loss(fake: Tensor) -> Tensor:
    return softplus(-fake).mean()


def _round(
    d_loss=_d_loss,
    g_loss=_g_loss,
    clear=("d", "g"),
    cut=True,
    noise=(0, 1),
    old_d=False,
    g_first=False,
    both=False,
):
    """A round with some of its parts changed: what is cleared, where fakes are cut off, which D the generator meets."""

    def play(generator, discriminator, g_optimiser, d_optimiser, real, z):
        def update_g():
            critic = earlier if old_d else discriminator
            loss = g_loss(critic(generator(z[noise[1]])))
            if "g" in clear:
                g_optimiser.zero_grad()
            if both:
                d_optimiser.zero_grad()
            loss.backward()
            g_optimiser.step()
            if both:
                d_optimiser.step()

        def update_d():
            fake = generator(z[noise[0]])
            loss = d_loss(discriminator(real), discriminator(fake.detach() if cut else fake))
            if "d" in clear:
                d_optimiser.zero_grad()
            loss.backward()
            d_optimiser.step()

        earlier = copy.deepcopy(discriminator)
        for update in (update_g, update_d) if g_first else (update_d, update_g):
            update()
        return 0.0

    return play


def _one_step_each(generator, discriminator, g_optimiser, d_optimiser, real, z, steps_on_reals=1):
    fake = generator(z[0]).detach()
    for sign, images in [(-1, real)] * steps_on_reals + [(1, fake)]:
        d_optimiser.zero_grad()
        softplus(sign * discriminator(images)).mean().backward()
        d_optimiser.step()
    g_optimiser.zero_grad()
    _g_loss(discriminator(generator(z[1]))).backward()
    g_optimiser.step()
    return 0.0


def _two_on_reals(*players_and_data):
    return _one_step_each(*players_and_data, steps_on_reals=2)


PILED_D = (
    "D's step still contains what an earlier `backward` left in D's gradients. Who clears them, and when?"
)
PILED_G = (
    "G's step still contains what an earlier `backward` left in G's gradients. Who clears them, and when?"
)
ROUND_WAYS = [
    Way("right", _round()),
    Way(
        "half",
        _round(d_loss=lambda r, f: _d_loss(r, f) / 2),
        "You take half of D's loss, a usual choice too: it halves D's steps.",
        ok=True,
    ),
    Way("d_not_cleared", _round(clear=("g",)), PILED_D),
    Way("g_not_cleared", _round(clear=("d",)), PILED_G),
    Way(
        "g_not_cleared",
        _round(clear=("d",), cut=False),
        "D's `backward` runs on into G, and G's step takes that gradient along. Two lines are missing: one that cuts, "
        "or one that clears.",
    ),
    Way(
        "not_cleared",
        _round(clear=(), cut=False),
        "Nothing is cleared: each network still adds up the gradients of both losses, of this round and of all before.",
    ),
    Way(
        "not_cleared",
        _round(clear=()),
        "The fakes are cut from G, and still nothing is cleared: gradients of earlier rounds pile up in both.",
    ),
    Way("noise", _round(noise=(0, 0)), "Both steps use `z[0]`; the generator's step has noise of its own."),
    Way("noise", _round(noise=(1, 1)), "Both steps use `z[1]`; the fakes that D sees are those of `z[0]`."),
    Way(
        "noise",
        _round(noise=(1, 0)),
        "The two noises have changed places: `z[0]` is for D's step, `z[1]` for G's.",
    ),
    Way(
        "old_d",
        _round(old_d=True),
        "G's step goes through the D of before this round. That is another order of play; here the new D is asked for.",
    ),
    Way(
        "g_first",
        _round(g_first=True),
        "G moves before D here. The round is: first D, then G through the new D.",
    ),
    Way(
        "minimax",
        _round(g_loss=lambda f: -softplus(f).mean()),
        "G's update follows the minimax loss, log(1 − D). Asked for is the one that does not saturate.",
    ),
    Way(
        "g_labels",
        _round(g_loss=lambda f: softplus(f).mean()),
        "G learns to be called fake: the sign in its loss is that of D's.",
    ),
    Way(
        "d_labels",
        _round(d_loss=lambda r, f: softplus(r).mean() + softplus(-f).mean()),
        "D learns to call reals fake and fakes real: both signs in its loss are turned.",
    ),
    Way(
        "no_fakes",
        _round(d_loss=lambda r, f: softplus(-r).mean() + 0 * f.mean()),
        "D's step leaves the fakes out.",
    ),
    Way(
        "no_reals",
        _round(d_loss=lambda r, f: softplus(f).mean() + 0 * r.mean()),
        "D's step leaves the reals out.",
    ),
    Way(
        "sum",
        _round(
            d_loss=lambda r, f: softplus(-r).sum() + softplus(f).sum(), g_loss=lambda f: softplus(-f).sum()
        ),
        "Both losses are summed over the batch, so larger batches take larger steps. A mean does not.",
    ),
    Way(
        "d_moved",
        _round(both=True),
        "D moves in G's step as well, down G's loss: it learns to call fakes real. Let only G's optimiser step there.",
    ),
    Way(
        "two_steps",
        _one_step_each,
        "D takes two steps here, one on reals and one on fakes. One step on both is asked.",
    ),
    Way(
        "two_steps",
        _two_on_reals,
        "D takes two steps on the same reals, and another on fakes. One step on both is asked for.",
    ),
]


def _case(batch: int, batch_norm: bool) -> tuple[nn.Module, nn.Module, Tensor, Tensor]:
    real = torch.rand(2, batch, *IMAGE) * 2 - 1  # one for each of the two rounds
    return TinyGenerator(batch_norm), TinyDiscriminator(), real, torch.randn(2, 2, batch, LATENT)


def _moves(play: Callable, case: tuple) -> Tensor:
    """The moves (2, 2 networks' parameters) of two rounds by gradient descent, from stale gradients in both.

    Raises `Mistake` where something else than parameters is left changed.
    """
    generator, discriminator, reals, noises = copy.deepcopy(case)
    networks = (generator, discriminator)
    for network in networks:
        for parameter in network.parameters():
            stale = torch.sin(torch.arange(parameter.numel()).view_as(parameter))
            parameter.grad = 0.3 * stale.to(parameter)
    optimisers = [torch.optim.SGD(network.parameters(), lr=RATE) for network in networks]
    moves = []
    for real, z in zip(reals, noises, strict=True):
        before = [each.detach().clone() for network in networks for each in network.parameters()]
        play(generator, discriminator, *optimisers, real.clone(), z.clone())
        after = [each.detach() for network in networks for each in network.parameters()]
        moves.append(torch.cat([(b - a).flatten() for a, b in zip(before, after, strict=True)]).double())
        if not all(each.requires_grad for network in networks for each in network.parameters()):
            raise Mistake(
                "left_frozen",
                "Parameters are still frozen when the round is over: the next cannot train them.",
            )
        if not all(module.training for network in networks for module in network.modules()):
            raise Mistake("left_in_eval", "A network is still in evaluation mode when the round is over.")
    return torch.stack(moves)


@gives_feedback
def check_round(play: Callable) -> Feedback:
    """Say whether `play(generator, discriminator, g_optimiser, d_optimiser, real, z)` is one round of the two players.

    z (2, B, latent): D's step on softplus(−a_real) + softplus(a_fake) with the fakes of z[0], then G's on softplus(−a)
    of z[1] through the new D, each a mean over the batch. Compared are the moves of all parameters over two rounds of
    gradient descent that begin with stale gradients, to a relative 1e-3. What is returned does not matter, as long as
    something is. Raises nothing.
    """
    answer = Answer(play, "my_round(generator, discriminator, g_optimiser, d_optimiser, real, z)")
    torch.manual_seed(5)
    cases = [_case(5, batch_norm=True), _case(7, batch_norm=False)]
    seen = [_moves(answer, case) for case in cases]
    if not all(each.isfinite().all() for each in seen):
        raise Mistake(
            "nan", "After your round some parameters are NaN or infinite. Where can a logarithm of 0 come in?"
        )
    for way in ROUND_WAYS:
        if all(same_moves(each, _moves(way.answer, case)) for each, case in zip(seen, cases, strict=True)):
            if way.kind == "right" or way.ok:
                remarks = [(way.kind, way.message)] if way.ok else []
                return right("Each network moves by its own loss alone, in every round.", remarks)
            raise Mistake(way.kind, way.message)
    size = sum(each.numel() for each in cases[0][0].parameters())
    wanted = [_moves(_round(), case) for case in cases]
    for name, part in (("G", slice(0, size)), ("D", slice(size, None))):
        if not seen[0][0, part].any():
            raise Mistake(
                "still",
                f"{name} does not move in your round. Is its way cut by a `detach` or a `no_grad`, is it frozen, or "
                "does its optimiser never step?",
            )
    first = all(same_moves(each[0], want[0]) for each, want in zip(seen, wanted, strict=True))
    if first:
        raise Mistake(
            "second_round", "The first round is right and the second is not: something is left over."
        )
    wrong = [
        name
        for name, part in (("G", slice(0, size)), ("D", slice(size, None)))
        if not same_moves(seen[0][0, part], wanted[0][0, part])
    ]
    raise Mistake(
        "update",
        f"{' and '.join(wrong)} moved, but not along the gradient of the loss asked for. Check, line by line, "
        "what each gradient contains when its optimiser steps.",
    )
