"""Both sides of the checks of notebook 05's bug hunts: right answers pass, each wrong one is called by its name."""

import pytest
import torch
import torch.nn.functional as F
from folded_solutions import folded_solutions
from torch.nn.functional import softplus

from helpers.checks import check_bce_by_hand, check_data_door, check_round, one_round
from helpers.gan import discriminator_step, generator_step

# A: the door of the data

DOOR_RIGHT = {
    "stretch": lambda x: 2 * (x.unsqueeze(1).float() / 255) - 1,
    "half of 255": lambda x: x[:, None].float() / 127.5 - 1,
    "centred": lambda x: (x.view(len(x), 1, 28, 28).to(torch.float32) - 127.5) / 127.5,
    "lerp": lambda x: torch.lerp(-torch.ones(1).float(), torch.ones(1).float(), x.unsqueeze(1).float() / 255),
    "by doubles": lambda x: (x.unsqueeze(1).double() / 255 * 2 - 1).float(),
    "by integers": lambda x: (2 * x.unsqueeze(1).int() - 255).float() / 255,
    "by table": lambda x: torch.linspace(-1, 1, 256, dtype=torch.float32)[x.long()].unsqueeze(1),
    "one by one": lambda x: torch.stack([(2 * image.float() / 255 - 1)[None] for image in x]),
    "by parts": lambda x: x.unsqueeze(1).float().div(255).sub(0.5).div(0.5),
    "clamped": lambda x: (2 * x.unsqueeze(1).float() / 255 - 1).clamp(-1, 1),
}


def in_place(x):
    x //= 2
    return x.unsqueeze(1).float() / 63.5 - 1


DOOR_WRONG = {
    "as shown": (lambda x: x.unsqueeze(1).float() / 255, "zero_to_one", "between 0 and 1"),
    "raw": (lambda x: x.unsqueeze(1).float(), "raw", "255"),
    "not divided": (lambda x: 2 * x.unsqueeze(1).float() - 1, "no_scale", "509"),
    "whole numbers": (lambda x: (x * 2).unsqueeze(1).float() / 255 - 1, "wraps", "start again at 0"),
    "mirrored": (lambda x: 1 - 2 * x.unsqueeze(1).float() / 255, "negative", "changed places"),
    "half": (lambda x: x.unsqueeze(1).float() / 255 - 0.5, "half_range", "half"),
    "twice": (lambda x: 2 * x.unsqueeze(1).float() / 255**2 - 1, "twice", "done twice"),
    "shifted": (lambda x: x.unsqueeze(1).float() / 255 - 1, "shift_only", "not stretched"),
    "its maximum": (lambda x: 2 * x.unsqueeze(1).float() / x.max() - 1, "batch_range", "images at hand"),
    "its range": (
        lambda x: (2 * (x.float() - x.min()) / (x.max() - x.min()) - 1).unsqueeze(1),
        "batch_range",
        "neighbours",
    ),
    "each image": (
        lambda x: torch.stack([2 * (i.float() - i.min()) / (i.max() - i.min()) - 1 for i in x]).unsqueeze(1),
        "image_range",
        "faint digit",
    ),
    "standardised": (
        lambda x: ((x.float() - x.float().mean()) / x.float().std()).unsqueeze(1),
        "standardised",
        "fixed ends",
    ),
    "as for a classifier": (
        lambda x: (x.unsqueeze(1).float() / 255 - 0.1307) / 0.3081,
        "standardised",
        "2.8",
    ),
    "of 256": (lambda x: 2 * x.unsqueeze(1).float() / 256 - 1, "of_256", "short of 1"),
    "of 128": (lambda x: x.unsqueeze(1).float() / 128 - 1, "of_256", "short of 1"),
    "of 127": (lambda x: x.unsqueeze(1).float() / 127 - 1, "of_127", "beyond 1"),
    "whole numbers, shifted": (lambda x: (2 * x - 255).unsqueeze(1).float() / 255, "wraps", "start again"),
    "whole numbers, centred": (lambda x: (x.unsqueeze(1) - 128).float() / 128, "wraps", "255 below 0"),
    "whole numbers with signs": (lambda x: x.unsqueeze(1).to(torch.int8).float() / 127, "wraps", "decimal"),
    "clamped": (lambda x: x.unsqueeze(1).float().clamp(-1, 1), "clamped", "became ink"),
    "two shades": (lambda x: 2 * (x.unsqueeze(1) > 127).float() - 1, "threshold", "paper and ink only"),
    "signs": (lambda x: (x.unsqueeze(1).float() - 127.5).sign(), "threshold", "paper and ink only"),
    "not shifted": (lambda x: 2 * x.unsqueeze(1).float() / 255, "not_shifted", "between 0 and 2"),
    "its own maximum": (
        lambda x: 2 * x[:, None].float() / x[:, None].float().amax((2, 3), True) - 1,
        "image_range",
        "faint digit",
    ),
    "turned": (lambda x: 2 * x[:, None].mT.float() / 255 - 1, "transposed", "sides"),
    "upside down": (lambda x: 2 * x[:, None].flip(2).float() / 255 - 1, "flipped", "heads"),
    "by a hundred": (lambda x: 2 * x[:, None].float() / 100 - 1, "values", "middle grey 1.56"),
    "tanh": (lambda x: (2 * x.unsqueeze(1).float() / 255 - 1).tanh(), "values", "0.76"),
    "no channel": (lambda x: 2 * x.float() / 255 - 1, "shape", "channels"),
    "channel last": (lambda x: 2 * x[..., None].float() / 255 - 1, "shape", "before height"),
    "channel first": (lambda x: 2 * x[None].float() / 255 - 1, "shape", "images come first"),
    "flat": (lambda x: 2 * x.flatten(1).float() / 255 - 1, "shape", "rows and columns"),
    "double": (lambda x: 2 * x.unsqueeze(1).double() / 255 - 1, "dtype", "float64"),
    "in place": (in_place, "changed_input", "changes the pixels"),
    "numpy": (lambda x: x.numpy() / 127.5 - 1, "type", "tensor"),
    "nan": (lambda x: 2 * x.unsqueeze(1).float() / 255 - 1 + float("nan"), "nan", "NaN"),
    "nothing": (lambda x: None, "none", "return"),
}

# B: a cross-entropy written by hand

ENTROPY_RIGHT = {
    "squeezed": lambda a, y: (softplus(a.squeeze(1)) - y * a.squeeze(1)).mean(),
    "labels lifted": lambda a, y: (softplus(a) - y[:, None] * a).mean(),
    "viewed": lambda a, y: (softplus(a) - y.view_as(a) * a).mean(),
    "flattened": lambda a, y: F.binary_cross_entropy_with_logits(a.flatten(), y),
    "library": lambda a, y: F.binary_cross_entropy_with_logits(a, y.unsqueeze(1)),
    "two terms": lambda a, y: (y * softplus(-a[:, 0]) + (1 - y) * softplus(a[:, 0])).mean(),
    "signs": lambda a, y: softplus((1 - 2 * y) * a[:, 0]).mean(),
    "log sigmoid": lambda a, y: -(y * F.logsigmoid(a[:, 0]) + (1 - y) * F.logsigmoid(-a[:, 0])).mean(),
    "dot": lambda a, y: (softplus(a).sum() - y @ a[:, 0]) / len(a),
    "distribution": lambda a, y: -torch.distributions.Bernoulli(logits=a[:, 0]).log_prob(y).mean(),
    "in double": lambda a, y: (softplus(a[:, 0].double()) - y * a[:, 0].double()).mean(),
    "permuted": lambda a, y: F.binary_cross_entropy_with_logits(a[:, 0].flip(0), y.flip(0)),
}


def by_probabilities(a, y):
    d = a[:, 0].sigmoid()
    return -(y * d.log() + (1 - y) * (1 - d).log()).mean()


ENTROPY_WRONG = {
    "as shown": (lambda a, y: (softplus(a) - y * a).mean(), "broadcast", "every label"),
    "the other way": (
        lambda a, y: (softplus(a[:, 0]) - y[:, None] * a[:, 0]).mean(),
        "broadcast",
        "every label",
    ),
    "sum": (lambda a, y: (softplus(a[:, 0]) - y * a[:, 0]).sum(), "sum", "mean"),
    "labels turned": (
        lambda a, y: (softplus(a[:, 0]) - (1 - y) * a[:, 0]).mean(),
        "labels",
        "changed places",
    ),
    "sign": (lambda a, y: -(softplus(a[:, 0]) - y * a[:, 0]).mean(), "sign", "sign"),
    "plus": (lambda a, y: (softplus(a[:, 0]) + y * a[:, 0]).mean(), "sign", "rises"),
    "inner sign": (lambda a, y: (softplus(-a[:, 0]) - y * a[:, 0]).mean(), "softplus_sign", "softplus"),
    "all fake": (lambda a, y: softplus(a).mean(), "one_label", "as fakes"),
    "all real": (lambda a, y: softplus(-a).mean(), "one_label", "real images"),
    "twice": (
        lambda a, y: F.binary_cross_entropy_with_logits(a.sigmoid()[:, 0], y),
        "sigmoid_twice",
        "twice",
    ),
    "squares": (lambda a, y: (a.sigmoid()[:, 0] - y).square().mean(), "squares", "squared"),
    "bits": (
        lambda a, y: F.binary_cross_entropy_with_logits(a[:, 0], y) / torch.tensor(2.0).log(),
        "base_2",
        "bits",
    ),
    "half": (lambda a, y: F.binary_cross_entropy_with_logits(a[:, 0], y) / 2, "half", "half as large"),
    "ten": (
        lambda a, y: F.binary_cross_entropy_with_logits(a[:, 0], y) / torch.tensor(10.0).log(),
        "value",
        "log 2",
    ),
    "every pair": (lambda a, y: (softplus(a) - y * a).sum(1).mean(), "broadcast", "all pairs"),
    "only reals": (lambda a, y: (y * softplus(-a[:, 0])).mean(), "one_sided", "label of 0"),
    "only fakes": (lambda a, y: ((1 - y) * softplus(a[:, 0])).mean(), "one_sided", "label of 1"),
    "two means": (
        lambda a, y: softplus(-a[y == 1]).mean() + softplus(a[y == 0]).mean(),
        "two_means",
        "averaged apart",
    ),
    "half of two means": (
        lambda a, y: (softplus(-a[y == 1]).mean() + softplus(a[y == 0]).mean()) / 2,
        "two_means",
        "averaged apart",
    ),
    "a corner": (lambda a, y: (a[:, 0].relu() - y * a[:, 0]).mean(), "relu", "corner"),
    "squeezed by the library": (
        lambda a, y: F.binary_cross_entropy_with_logits(a.squeeze(), y),
        "batch_of_one",
        "name the dimension",
    ),
    "clamped": (
        lambda a, y: F.binary_cross_entropy_with_logits(a[:, 0].clamp(-20, 20), y),
        "tails",
        "very large",
    ),
    "exponentials": (lambda a, y: (a[:, 0].exp().log1p() - y * a[:, 0]).mean(), "tails", "very large"),
    "half detached": (lambda a, y: (softplus(a[:, 0]) - y * a[:, 0].detach()).mean(), "detached", "part of"),
    "labels changed": (
        lambda a, y: (softplus(a[:, 0]) + y.neg_() * a[:, 0]).mean(),
        "changed_input",
        "the labels",
    ),
    "one an image": (lambda a, y: softplus(a[:, 0]) - y * a[:, 0], "shape", "become one"),
    "a column": (lambda a, y: softplus(a) - y[:, None] * a, "shape", "become one"),
    "a square": (lambda a, y: softplus(a) - y * a, "shape", "every label"),
    "squeezed to nothing": (
        lambda a, y: (
            (softplus(a.squeeze()) - y * a.squeeze()) if len(a) > 1 else 2 * softplus(a[0] * y)
        ).mean(),
        "batch_of_one",
        "one image",
    ),
    "probabilities": (by_probabilities, "tails", "rounded"),
    "logits as probabilities": (lambda a, y: F.binary_cross_entropy(a[:, 0], y), "logits", "logits"),
    "sizes": (lambda a, y: F.binary_cross_entropy_with_logits(a, y), "raised", "shapes"),
    "item": (lambda a, y: F.binary_cross_entropy_with_logits(a[:, 0], y).item(), "type", "tensor"),
    "detached": (
        lambda a, y: F.binary_cross_entropy_with_logits(a[:, 0], y).detach(),
        "detached",
        "gradient",
    ),
}

# C: a round


def by_steps(generator, discriminator, g_optimiser, d_optimiser, real, z):
    discriminator_step(generator, discriminator, d_optimiser, real, z[0])
    return generator_step(generator, discriminator, g_optimiser, z[1])


def cleared_at_the_start(generator, discriminator, g_optimiser, d_optimiser, real, z):
    g_optimiser.zero_grad()
    d_optimiser.zero_grad()
    with torch.no_grad():
        fake = generator(z[0])
    (softplus(-discriminator(real)) + softplus(discriminator(fake))).mean().backward()
    d_optimiser.step()
    softplus(-discriminator(generator(z[1]))).mean().backward()
    g_optimiser.step()
    return True


def not_cut_but_cleared(generator, discriminator, g_optimiser, d_optimiser, real, z):
    loss = softplus(-discriminator(real)).mean() + softplus(discriminator(generator(z[0]))).mean()
    discriminator.zero_grad()
    loss.backward()
    d_optimiser.step()
    g_loss = softplus(-discriminator(generator(z[1]))).mean()
    generator.zero_grad(set_to_none=False)
    g_loss.backward()
    g_optimiser.step()
    return loss.item(), g_loss.item()


def cleared_afterwards_too(generator, discriminator, g_optimiser, d_optimiser, real, z):
    for optimiser in (g_optimiser, d_optimiser):
        optimiser.zero_grad()
    by_steps(generator, discriminator, g_optimiser, d_optimiser, real, z)
    for optimiser in (g_optimiser, d_optimiser):
        optimiser.zero_grad()
    return {"d_loss": 0.0}


def with_autograd_grad(generator, discriminator, g_optimiser, d_optimiser, real, z):
    for network, optimiser, loss in (
        (discriminator, d_optimiser, lambda: F.softplus(-discriminator(real)).mean()
         + F.softplus(discriminator(generator(z[0]))).mean()),
        (generator, g_optimiser, lambda: F.softplus(-discriminator(generator(z[1]))).mean()),
    ):  # fmt: skip
        parameters = list(network.parameters())
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss(), parameters), strict=True):
            parameter.grad = gradient
        optimiser.step()
    return z


def with_labels(generator, discriminator, g_optimiser, d_optimiser, real, z):
    bce = F.binary_cross_entropy_with_logits
    images = torch.cat([real, generator(z[0]).detach()])
    labels = torch.cat([torch.ones(len(real)), torch.zeros(len(real))])
    d_optimiser.zero_grad()
    (2 * bce(discriminator(images), labels)).backward()
    d_optimiser.step()
    g_optimiser.zero_grad()
    bce(discriminator(generator(z[1])), torch.ones(len(real))).backward()
    g_optimiser.step()
    return 0


def says_nothing(generator, discriminator, g_optimiser, d_optimiser, real, z):
    by_steps(generator, discriminator, g_optimiser, d_optimiser, real, z)


def each_freezes_the_other(generator, discriminator, g_optimiser, d_optimiser, real, z):
    generator.requires_grad_(False)
    d_optimiser.zero_grad()
    (softplus(-discriminator(real)) + softplus(discriminator(generator(z[0])))).mean().backward()
    d_optimiser.step()
    generator.requires_grad_(True)
    discriminator.requires_grad_(False)
    g_optimiser.zero_grad()
    softplus(-discriminator(generator(z[1]))).mean().backward()
    g_optimiser.step()
    discriminator.requires_grad_(True)


ROUND_RIGHT = [
    says_nothing,
    each_freezes_the_other,
    one_round._round(),
    by_steps,
    cleared_at_the_start,
    not_cut_but_cleared,
    cleared_afterwards_too,
    with_autograd_grad,
    with_labels,
]


def as_shown(generator, discriminator, g_optimiser, d_optimiser, real, z):
    d_loss = softplus(-discriminator(real)).mean() + softplus(discriminator(generator(z[0]))).mean()
    d_loss.backward()
    d_optimiser.step()
    g_loss = softplus(-discriminator(generator(z[1]))).mean()
    g_loss.backward()
    g_optimiser.step()
    return d_loss, g_loss


def g_is_cut(generator, discriminator, g_optimiser, d_optimiser, real, z):
    d_optimiser.zero_grad()
    g_optimiser.zero_grad()
    (softplus(-discriminator(real)) + softplus(discriminator(generator(z[0]).detach()))).mean().backward()
    d_optimiser.step()
    g_optimiser.zero_grad()
    softplus(-discriminator(generator(z[1]).detach())).mean().backward()
    g_optimiser.step()
    return 0


def leaves_d_frozen(generator, discriminator, g_optimiser, d_optimiser, real, z):
    result = by_steps(generator, discriminator, g_optimiser, d_optimiser, real, z)
    discriminator.requires_grad_(False)
    return result


def leaves_g_in_eval(generator, discriminator, g_optimiser, d_optimiser, real, z):
    result = by_steps(generator, discriminator, g_optimiser, d_optimiser, real, z)
    generator.eval()
    return result


def thaws_d_itself(generator, discriminator, g_optimiser, d_optimiser, real, z):
    discriminator.requires_grad_(True)
    by_steps(generator, discriminator, g_optimiser, d_optimiser, real, z)
    discriminator.requires_grad_(False)


def trains_g_itself(generator, discriminator, g_optimiser, d_optimiser, real, z):
    generator.train()
    by_steps(generator, discriminator, g_optimiser, d_optimiser, real, z)
    generator.eval()


def leaves_g_frozen(generator, discriminator, g_optimiser, d_optimiser, real, z):
    by_steps(generator, discriminator, g_optimiser, d_optimiser, real, z)
    generator.requires_grad_(False)


def d_steps_by_nothing(generator, discriminator, g_optimiser, d_optimiser, real, z):
    by_steps(generator, discriminator, g_optimiser, d_optimiser, real, z)
    d_optimiser.zero_grad(set_to_none=False)
    d_optimiser.step()


def cleared_at_the_start_only(generator, discriminator, g_optimiser, d_optimiser, real, z):
    g_optimiser.zero_grad()
    d_optimiser.zero_grad()
    return as_shown(generator, discriminator, g_optimiser, d_optimiser, real, z)


def cleared_at_the_end_only(generator, discriminator, g_optimiser, d_optimiser, real, z):
    as_shown(generator, discriminator, g_optimiser, d_optimiser, real, z)
    g_optimiser.zero_grad()
    d_optimiser.zero_grad()


def cleared_too_early(generator, discriminator, g_optimiser, d_optimiser, real, z):
    (softplus(-discriminator(real)) + softplus(discriminator(generator(z[0]).detach()))).mean().backward()
    d_optimiser.zero_grad()
    d_optimiser.step()
    softplus(-discriminator(generator(z[1]))).mean().backward()
    g_optimiser.zero_grad()
    g_optimiser.step()


def both_then_both(generator, discriminator, g_optimiser, d_optimiser, real, z):
    d_optimiser.zero_grad()
    (softplus(-discriminator(real)) + softplus(discriminator(generator(z[0]).detach()))).mean().backward()
    g_optimiser.zero_grad()
    softplus(-discriminator(generator(z[1]))).mean().backward()
    d_optimiser.step()
    g_optimiser.step()


def both_losses_first(generator, discriminator, g_optimiser, d_optimiser, real, z):
    d_loss = (softplus(-discriminator(real)) + softplus(discriminator(generator(z[0]).detach()))).mean()
    g_loss = softplus(-discriminator(generator(z[1]))).mean()
    for loss, optimiser in ((d_loss, d_optimiser), (g_loss, g_optimiser)):
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def networks_cleared_optimisers_swapped(generator, discriminator, g_optimiser, d_optimiser, real, z):
    return one_round._round(exchanged=True)(generator, discriminator, g_optimiser, d_optimiser, real, z)


def g_without_grad(generator, discriminator, g_optimiser, d_optimiser, real, z):
    discriminator_step(generator, discriminator, d_optimiser, real, z[0])
    g_optimiser.zero_grad()
    with torch.no_grad():
        fake = generator(z[1])
    softplus(-discriminator(fake)).mean().backward()
    g_optimiser.step()


def steps_swapped(generator, discriminator, g_optimiser, d_optimiser, real, z):
    return by_steps(generator, discriminator, d_optimiser, g_optimiser, real, z)


def divided(generator, discriminator, g_optimiser, d_optimiser, real, z):
    return one_round._round(g_loss=lambda f: softplus(-f).mean() / 3)(
        generator, discriminator, g_optimiser, d_optimiser, real, z
    )


ROUND_WRONG = [
    (as_shown, "not_cleared", "both losses"),
    (one_round._round(clear=()), "not_cleared", "pile up"),
    (one_round._round(clear=("g",)), "d_not_cleared", "D's step"),
    (one_round._round(clear=("d",)), "g_not_cleared", "G's step"),
    (one_round._round(clear=("d",), cut=False), "g_not_cleared", "runs on into G"),
    (one_round._round(noise=(0, 0)), "noise", "Both steps use `z[0]`"),
    (one_round._round(noise=(1, 1)), "noise", "Both steps use `z[1]`"),
    (one_round._round(noise=(1, 0)), "noise", "changed places"),
    (one_round._round(old_d=True), "old_d", "before this round"),
    (one_round._round(g_first=True), "g_first", "G moves before D"),
    (one_round._round(g_loss=lambda f: -softplus(f).mean()), "minimax", "minimax"),
    (one_round._round(g_loss=lambda f: softplus(f).mean()), "g_labels", "called fake"),
    (one_round._round(d_loss=lambda r, f: (softplus(r) + softplus(-f)).mean()), "d_labels", "turned"),
    (one_round._round(d_loss=lambda r, f: softplus(-r).mean()), "no_fakes", "fakes out"),
    (one_round._round(d_loss=lambda r, f: softplus(f).mean()), "no_reals", "reals out"),
    (
        one_round._round(lambda r, f: (softplus(-r) + softplus(f)).sum(), lambda f: softplus(-f).sum()),
        "sum",
        "summed",
    ),
    (one_round._round(both=True), "d_moved", "D moves in G's step"),
    (one_round._one_step_each, "two_steps", "two steps"),
    (one_round._two_on_reals, "two_steps", "same reals"),
    (g_is_cut, "still", "G does not move"),
    (leaves_d_frozen, "left_frozen", "frozen"),
    (leaves_g_in_eval, "left_in_eval", "evaluation mode"),
    (steps_swapped, "still", "does not move"),
    (networks_cleared_optimisers_swapped, "exchanged", "changed places"),
    (leaves_g_frozen, "left_frozen", "frozen"),
    (d_steps_by_nothing, "idle_step", "Adam"),
    (cleared_at_the_start_only, "g_not_cleared", "not enough"),
    (cleared_at_the_end_only, "cleared_late", "left there before"),
    (cleared_too_early, "still", "after the gradient was cleared"),
    (both_then_both, "at_once", "before either"),
    (both_losses_first, "in_place", "stepped before"),
    (g_without_grad, "still", "G does not move"),
    (
        one_round._round(d_loss=lambda r, f: softplus(-r).sum() + softplus(f).sum()),
        "sum",
        "D's loss is summed",
    ),
    (one_round._round(g_loss=lambda f: softplus(-f).sum()), "sum", "G's loss is summed"),
    (one_round._round(d_loss=lambda r, f: (2 * softplus(-r) + softplus(f)).mean()), "unequal", "count twice"),
    (one_round._round(steps=(2, 1)), "twice", "D takes two"),
    (one_round._round(steps=(1, 2)), "twice", "G takes two"),
    (divided, "update", "G moved"),
]


@pytest.mark.parametrize("name", DOOR_RIGHT)
def test_right_doors_pass(name, dtype):
    assert check_data_door(DOOR_RIGHT[name]).kind == "right"


@pytest.mark.parametrize("name", ENTROPY_RIGHT)
def test_right_cross_entropies_pass(name, dtype):
    assert check_bce_by_hand(ENTROPY_RIGHT[name]).kind == "right"


@pytest.mark.parametrize("play", ROUND_RIGHT)
def test_right_rounds_pass(play, dtype):
    assert check_round(play).kind == "right", check_round(play)


def test_half_of_ds_loss_is_remarked_on():
    feedback = check_round(one_round._round(d_loss=lambda r, f: one_round._d_loss(r, f) / 2))
    assert feedback.ok and feedback.kind == "half"


@pytest.mark.parametrize(
    ("play", "kind"), [(thaws_d_itself, "left_frozen"), (trains_g_itself, "left_in_eval")]
)
def test_what_a_round_leaves_and_puts_right_itself_is_remarked_on(play, kind):
    feedback = check_round(play)
    assert feedback.ok and feedback.kind == kind and "itself" in feedback.message


@pytest.mark.parametrize("name", DOOR_WRONG)
def test_wrong_doors_are_called_by_name(name):
    prepare, kind, phrase = DOOR_WRONG[name]
    feedback = check_data_door(prepare)
    assert not feedback.ok and feedback.kind == kind and phrase in feedback.message, feedback


@pytest.mark.parametrize("name", ENTROPY_WRONG)
def test_wrong_cross_entropies_are_called_by_name(name, dtype):
    loss, kind, phrase = ENTROPY_WRONG[name]
    feedback = check_bce_by_hand(loss)
    assert not feedback.ok and feedback.kind == kind and phrase in feedback.message, feedback


@pytest.mark.parametrize(("play", "kind", "phrase"), ROUND_WRONG)
def test_wrong_rounds_are_called_by_name(play, kind, phrase, dtype):
    feedback = check_round(play)
    assert not feedback.ok and feedback.kind == kind and phrase in feedback.message, feedback


def test_each_check_leaves_random_numbers_alone():
    state = torch.get_rng_state()
    for check, answer in (
        (check_round, by_steps),
        (check_data_door, DOOR_RIGHT["stretch"]),
        (check_bce_by_hand, ENTROPY_RIGHT["squeezed"]),
    ):
        check(answer)
        assert torch.equal(state, torch.get_rng_state())


def test_the_cases_tell_every_two_kinds_of_round_apart():
    torch.manual_seed(5)
    cases = [one_round._case(5, batch_norm=True), one_round._case(7, batch_norm=False)]
    seen = [
        (way.kind, [one_round._moves(way.answer, case) for case in cases]) for way in one_round.ROUND_WAYS
    ]
    for k, (kind, moves) in enumerate(seen):
        for other, others in seen[:k]:
            same = all(one_round.same_moves(a, b) for a, b in zip(moves, others, strict=True))
            assert kind == other or not same, (kind, other)


def test_folded_solutions_pass_and_what_is_shown_does_not():
    mine = folded_solutions("05_gan_on_digits", torch=torch, softplus=softplus)
    assert check_data_door(mine["my_prepare"]).kind == "right"
    assert check_bce_by_hand(mine["my_cross_entropy"]).kind == "right"
    assert check_round(mine["my_round"]).kind == "right"
