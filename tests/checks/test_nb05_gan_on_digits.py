"""Both sides of the checks of notebook 05's bug hunts: right answers pass, each wrong one is called by its name."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from answers import folded_solutions, tests_of
from torch.nn.functional import softplus

from helpers.checks import nb05_gan_on_digits as checks
from helpers.checks.nb05_gan_on_digits import check_bce_by_hand, check_data_door, check_round
from helpers.feedback import diagnose
from helpers.gan import discriminator_step, generator_step

bce = F.binary_cross_entropy_with_logits

# A: the door of the data

DOOR_RIGHT = [
    lambda x: 2 * (x.unsqueeze(1).float() / 255) - 1,
    lambda x: x[:, None].float() / 127.5 - 1,
    lambda x: (x.view(len(x), 1, 28, 28).to(torch.float32) - 127.5) / 127.5,
    lambda x: torch.lerp(-torch.ones(1).float(), torch.ones(1).float(), x.unsqueeze(1).float() / 255),
    lambda x: (x.unsqueeze(1).double() / 255 * 2 - 1).float(),
    lambda x: (2 * x.unsqueeze(1).int() - 255).float() / 255,
    lambda x: torch.linspace(-1, 1, 256, dtype=torch.float32)[x.long()].unsqueeze(1),
    lambda x: torch.stack([(2 * image.float() / 255 - 1)[None] for image in x]),
    lambda x: x.unsqueeze(1).float().div(255).sub(0.5).div(0.5),
    lambda x: (2 * x.unsqueeze(1).float() / 255 - 1).clamp(-1, 1),
    lambda x: torch.from_numpy(x.numpy()[:, None].astype("float32") / 127.5 - 1),
    lambda x: (2 * x.float() / 255 - 1).mT.contiguous().mT.unsqueeze(1),
]


def in_place(x):
    x //= 2
    return x.unsqueeze(1).float() / 63.5 - 1


DOOR_WRONG = [
    (lambda x: (2 * (x.float() - x.min()) / (x.max() - x.min()) - 1).unsqueeze(1), "batch_range", "neighbours"),
    (lambda x: torch.stack([2 * (i.float() - i.min()) / (i.max() - i.min()) - 1 for i in x]).unsqueeze(1),
        "image_range", "faint digit"),
    (lambda x: 2 * x[:, None].float() / x[:, None].float().amax((2, 3), True) - 1, "image_range", "faint digit"),
    (lambda x: 2 * x.unsqueeze(1).float() / 256 - 1, "of_256", "short of 1"),
    (lambda x: (x.unsqueeze(1).float() - 127.5).sign(), "threshold", "paper and ink only"),
    (lambda x: (x * 2).unsqueeze(1).float() / 255 - 1, "wraps", "start again at 0"),
    (lambda x: (x.unsqueeze(1) - 128).float() / 128, "wraps", "255 below 0"),
    (lambda x: 2 * x[:, None].mT.float() / 256 - 1, "of_256", "The other: Rows and columns"),
    (lambda x: x[:, None].flip(2).float() / 255, "zero_to_one", "The other: The digits stand"),
    (lambda x: 2 * x[:, None].float() / 254 - 1, "of_127", "beyond 1"),
    (lambda x: 2 * x[:, None].float() / 100 - 1, "values", "middle grey 1.56"),
    (lambda x: (2 * x.unsqueeze(1).float() / 255 - 1).tanh(), "values", "0.76"),
    (lambda x: 2 * x[:, None].float() / 255 - 1 + 0.01 * torch.randn(1).float(), "noise", "two different results"),
    (lambda x: (2 * x[:, None].float() / 255 - 1).roll(1, 0), "values", "other images"),
    (lambda x: 2 * x.float() / 255 - 1, "shape", "channels"),
    (lambda x: 2 * x[..., None].float() / 255 - 1, "shape", "before height"),
    (lambda x: 2 * x[None].float() / 255 - 1, "shape", "images come first"),
    (lambda x: 2 * x.flatten(1).float() / 255 - 1, "shape", "rows and columns"),
    (lambda x: 2 * x.unsqueeze(1).double() / 255 - 1, "dtype", "float64"),
    (lambda x: x.unsqueeze(1), "dtype", "uint8"),
    (in_place, "changed_input", "changes `pixels`"),
    (lambda x: x.numpy() / 127.5 - 1, "type", "tensor"),
    (lambda x: 2 * x.unsqueeze(1).float() / 255 - 1 + float("nan"), "nan", "NaN"),
    (lambda x: None, "none", "return"),
]  # fmt: skip

test_right_doors, _, test_wrong_doors = tests_of(check_data_door, DOOR_RIGHT, (), DOOR_WRONG)


@pytest.mark.parametrize("scale", [127.25, 127.75])
def test_a_scale_is_seen_to_half_a_shade(scale):
    assert not check_data_door(lambda x: x[:, None].float() / scale - 1).ok


# B: a cross-entropy written by hand

BCE_RIGHT = [
    lambda a, y: (softplus(a.squeeze(1)) - y * a.squeeze(1)).mean(),
    lambda a, y: (softplus(a) - y[:, None] * a).mean(),
    lambda a, y: (softplus(a) - y.view_as(a) * a).mean(),
    lambda a, y: bce(a.flatten(), y),
    lambda a, y: bce(a, y.unsqueeze(1)),
    lambda a, y: (y * softplus(-a[:, 0]) + (1 - y) * softplus(a[:, 0])).mean(),
    lambda a, y: softplus((1 - 2 * y) * a[:, 0]).mean(),
    lambda a, y: -(y * F.logsigmoid(a[:, 0]) + (1 - y) * F.logsigmoid(-a[:, 0])).mean(),
    lambda a, y: (softplus(a).sum() - y @ a[:, 0]) / len(a),
    lambda a, y: -torch.distributions.Bernoulli(logits=a[:, 0]).log_prob(y).mean(),
    lambda a, y: (softplus(a[:, 0].double()) - y * a[:, 0].double()).mean(),
    lambda a, y: bce(a[:, 0].flip(0), y.flip(0)),
    lambda a, y: sum(softplus(-logit if label else logit) for (logit,), label in zip(a, y, strict=True)) / len(y),
    lambda a, y: F.cross_entropy(torch.cat([torch.zeros_like(a), a], 1), y.long()),
    lambda a, y: (torch.logaddexp(torch.zeros_like(y), a[:, 0]) - torch.einsum("b,b->b", y, a[:, 0])).mean(),
]  # fmt: skip


def by_probabilities(a, y):
    d = a[:, 0].sigmoid()
    return -(y * d.log() + (1 - y) * (1 - d).log()).mean()


BCE_WRONG = [
    (lambda a, y: (softplus(a) - y * a).mean(), "broadcast", "every label"),
    (lambda a, y: (softplus(a[:, 0]) - y[:, None] * a[:, 0]).mean(), "broadcast", "every label"),
    (lambda a, y: (softplus(a) - y * a).sum(1).mean(), "broadcast", "The other: This is the sum"),
    (lambda a, y: -bce(a[:, 0], 1 - y), "labels", "The other: The sign is turned"),
    (lambda a, y: bce(a[:, 0].sigmoid(), y, reduction="sum"), "sigmoid_twice", "The other: This is the sum"),
    (lambda a, y: bce(a[:, 0], y) / torch.tensor(10.0).log(), "scale", "base 10"),
    (lambda a, y: 3 * bce(a[:, 0], y), "scale", "3 times"),
    (lambda a, y: (bce(a[y == 1, 0], y[y == 1]) + bce(a[y == 0, 0], y[y == 0])) / 2, "two_means", "averaged apart"),
    (lambda a, y: bce(a[:, 0], 0.9 * y), "value", "log 2"),
    (lambda a, y: bce(a[:, 0], y, reduction="sum") / 6, "value", "For 7 images"),
    (lambda a, y: bce(a.squeeze(), y), "batch_of_one", "name the dimension"),
    (lambda a, y: (softplus(a.squeeze()) - y * a.squeeze()).mean() if len(a) > 1 else 2 * softplus(a[0] * y).mean(),
        "batch_of_one", "one image"),
    (lambda a, y: bce(a[:, 0].clamp(-20, 20), y), "tails", "very large"),
    (lambda a, y: (a[:, 0].exp().log1p() - y * a[:, 0]).mean(), "tails", "very large"),
    (by_probabilities, "tails", "rounded"),
    (lambda a, y: F.binary_cross_entropy(a.sigmoid()[:, 0], y), "tails", "rounded"),
    (lambda a, y: (softplus(a[:, 0]) - y * a[:, 0].detach()).mean(), "gradient", "`detach`"),
    (lambda a, y: bce(a[:, 0], y).detach(), "no_gradient", "cut from the graph"),
    (lambda a, y: 2 * bce(a[:, 0], y) - bce(a[:, 0], y).detach(), "gradient", "2 times"),
    (lambda a, y: bce(a[:, 0], y).item(), "type", "tensor"),
    (lambda a, y: (softplus(a[:, 0]) + y.neg_() * a[:, 0]).mean(), "changed_input", "changes `labels`"),
    (lambda a, y: softplus(a[:, 0]) - y * a[:, 0], "shape", "become one"),
    (lambda a, y: softplus(a) - y[:, None] * a, "shape", "become one"),
    (lambda a, y: softplus(a) - y * a, "shape", "every label"),
    (lambda a, y: F.binary_cross_entropy(a[:, 0], y), "logits", "logits"),
    (lambda a, y: bce(a, y), "raised", "shapes"),
]  # fmt: skip

test_right_bces, _, test_wrong_bces = tests_of(check_bce_by_hand, BCE_RIGHT, (), BCE_WRONG)

# C: a round


def d_loss_of(generator, discriminator, real, z):
    return (softplus(-discriminator(real)) + softplus(discriminator(generator(z)))).mean()


def g_loss_of(generator, discriminator, z):
    return softplus(-discriminator(generator(z))).mean()


def update(optimiser, loss, result=None):
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return result


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
    g_loss_of(generator, discriminator, z[1]).backward()
    g_optimiser.step()
    return True


def not_cut_but_cleared(generator, discriminator, g_optimiser, d_optimiser, real, z):
    loss = d_loss_of(generator, discriminator, real, z[0])
    discriminator.zero_grad()
    loss.backward()
    d_optimiser.step()
    g_loss = g_loss_of(generator, discriminator, z[1])
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
        (discriminator, d_optimiser, lambda: d_loss_of(generator, discriminator, real, z[0])),
        (generator, g_optimiser, lambda: g_loss_of(generator, discriminator, z[1])),
    ):
        parameters = list(network.parameters())
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss(), parameters), strict=True):
            parameter.grad = gradient
        optimiser.step()
    return z


def with_labels(generator, discriminator, g_optimiser, d_optimiser, real, z):
    images = torch.cat([real, generator(z[0]).detach()])
    update(d_optimiser, 2 * bce(discriminator(images), (torch.arange(2 * len(real)) < len(real)).to(images)))
    return update(g_optimiser, bce(discriminator(generator(z[1])), torch.ones(len(real))), 0)


def each_freezes_the_other(generator, discriminator, g_optimiser, d_optimiser, real, z):
    generator.requires_grad_(False)
    update(d_optimiser, d_loss_of(generator, discriminator, real, z[0]))
    generator.requires_grad_(True)
    discriminator.requires_grad_(False)
    update(g_optimiser, g_loss_of(generator, discriminator, z[1]))
    discriminator.requires_grad_(True)


def thaws_d_itself(generator, discriminator, *others):
    discriminator.requires_grad_(True)
    by_steps(generator, discriminator, *others)
    discriminator.requires_grad_(False)


def trains_g_itself(generator, *others):
    generator.train()
    by_steps(generator, *others)
    generator.eval()


def plain(generator, discriminator, g_optimiser, d_optimiser, real, z, half=False):
    update(d_optimiser, d_loss_of(generator, discriminator, real, z[0]) / (2 if half else 1))
    update(g_optimiser, g_loss_of(generator, discriminator, z[1]))


ROUND_RIGHT = [
    lambda *args: by_steps(*args) and None, each_freezes_the_other, by_steps, cleared_at_the_start, plain,
    not_cut_but_cleared, cleared_afterwards_too, with_autograd_grad, with_labels,
]  # fmt: skip
ROUND_REMARKS = [
    (lambda *args: plain(*args, half=True), "half", "half of D's loss"),
    (thaws_d_itself, "left_frozen", "itself"),
    (trains_g_itself, "left_in_eval", "itself"),
]


def as_shown(generator, discriminator, g_optimiser, d_optimiser, real, z):
    d_loss = d_loss_of(generator, discriminator, real, z[0])
    d_loss.backward()
    d_optimiser.step()
    g_loss = g_loss_of(generator, discriminator, z[1])
    g_loss.backward()
    g_optimiser.step()
    return d_loss, g_loss


def after(change, play=by_steps):
    """The round, and then `change(generator, discriminator, g_optimiser, d_optimiser)`."""

    def changed(*args):
        play(*args)
        change(*args[:4])

    return changed


def clear(generator, discriminator, g_optimiser, d_optimiser):
    g_optimiser.zero_grad()
    d_optimiser.zero_grad()


def d_steps_by_nothing(generator, discriminator, g_optimiser, d_optimiser):
    d_optimiser.zero_grad(set_to_none=False)
    d_optimiser.step()


def g_is_cut(generator, discriminator, g_optimiser, d_optimiser, real, z):
    update(d_optimiser, d_loss_of(generator, discriminator, real, z[0]))
    update(g_optimiser, softplus(-discriminator(generator(z[1]).detach())).mean())


def g_without_grad(generator, discriminator, g_optimiser, d_optimiser, real, z):
    discriminator_step(generator, discriminator, d_optimiser, real, z[0])
    with torch.no_grad():
        fake = generator(z[1])
    update(g_optimiser, softplus(-discriminator(fake)).mean())


def cleared_too_early(generator, discriminator, g_optimiser, d_optimiser, real, z):
    d_loss_of(generator, discriminator, real, z[0]).backward()
    d_optimiser.zero_grad()
    d_optimiser.step()
    g_loss_of(generator, discriminator, z[1]).backward()
    g_optimiser.zero_grad()
    g_optimiser.step()


def both_then_both(generator, discriminator, g_optimiser, d_optimiser, real, z):
    d_optimiser.zero_grad()
    d_loss_of(generator, discriminator, real, z[0]).backward()
    g_optimiser.zero_grad()
    g_loss_of(generator, discriminator, z[1]).backward()
    d_optimiser.step()
    g_optimiser.step()


def both_losses_first(generator, discriminator, g_optimiser, d_optimiser, real, z):
    d_loss, g_loss = (
        d_loss_of(generator, discriminator, real, z[0]),
        g_loss_of(generator, discriminator, z[1]),
    )
    update(d_optimiser, d_loss)
    update(g_optimiser, g_loss)


def minimax_and_one_noise(generator, discriminator, g_optimiser, d_optimiser, real, z):
    update(d_optimiser, d_loss_of(generator, discriminator, real, z[0]))
    update(g_optimiser, -softplus(discriminator(generator(z[0]))).mean())


def own_noise(generator, discriminator, g_optimiser, d_optimiser, real, z):
    by_steps(generator, discriminator, g_optimiser, d_optimiser, real, torch.randn_like(z))


def by_hand(generator, discriminator, g_optimiser, d_optimiser, real, z):
    update(torch.optim.SGD(discriminator.parameters(), 0.1), d_loss_of(generator, discriminator, real, z[0]))
    update(g_optimiser, g_loss_of(generator, discriminator, z[1]))


ROUND_WRONG = [
    (as_shown, "not_cleared", "both losses"),
    (lambda g, d, *rest: [g.zero_grad(), d.zero_grad(), as_shown(g, d, *rest)], "g_not_cleared", "not enough"),
    (after(clear, as_shown), "cleared_late", "left there before"),
    (cleared_too_early, "still", "after the gradient was cleared"),
    (both_then_both, "at_once", "before either"),
    (both_losses_first, "in_place", "stepped before"),
    (g_is_cut, "still", "G does not move"),
    (g_without_grad, "still", "G does not move"),
    (lambda g, d, go, do, real, z: by_steps(g, d, do, go, real, z), "still", "does not move"),
    (after(lambda g, d, *_: d.requires_grad_(False)), "left_frozen", "frozen"),
    (after(lambda g, d, *_: g.requires_grad_(False)), "left_frozen", "frozen"),
    (after(lambda g, d, *_: g.eval()), "left_in_eval", "evaluation mode"),
    (after(d_steps_by_nothing), "idle_step", "Adam"),
    (lambda g, d, go, do, real, z: [update(do, (softplus(d(real)) + softplus(-d(g(z[0])))).sum()),
        update(go, g_loss_of(g, d, z[1]))], "d_labels", "The other: D's loss is summed"),
    (minimax_and_one_noise, "minimax", "The other: Both steps use `z[0]`"),
    (own_noise, "noise", "two different results"),
    (by_hand, "own_optimiser", "not by the optimiser"),
    (lambda g, d, go, do, real, z: plain(g, d, go, do, real.mul_(0.9), z), "changed_input", "changes `real`"),
    (lambda g, d, go, do, real, z: [update(do, d_loss_of(g, d, real, z[0])), update(go, g_loss_of(g, d, z[1]) / 3)],
        "update", "G moved"),
    (lambda g, d, go, do, real, z: [update(do, d_loss_of(g, d, real / 0, z[0])), update(go, g_loss_of(g, d, z[1]))],
        "nan", "logarithm of 0"),
]  # fmt: skip

test_right_rounds, test_remarks_on_rounds, test_wrong_rounds = tests_of(
    check_round, ROUND_RIGHT, ROUND_REMARKS, ROUND_WRONG
)


@pytest.mark.parametrize("seed", [1, 2])
def test_no_answer_is_judged_by_the_numbers_that_come(seed):
    """Other networks, images and noise: what is right stays right, what is wrong keeps its name."""
    for task, right, wrong in (
        (checks.DOOR, DOOR_RIGHT, DOOR_WRONG),
        (checks.BCE, BCE_RIGHT, BCE_WRONG),
        (checks.ROUND, ROUND_RIGHT, ROUND_WRONG),
    ):
        task = replace(task, seed=seed)
        for answer in right:
            assert diagnose(task, answer).kind == "right", answer
        for answer, kind, _ in wrong:
            assert diagnose(task, answer).kind == kind, answer


def test_folded_solutions_pass():
    mine = folded_solutions("05_gan_on_digits", torch=torch, softplus=softplus)
    assert check_data_door(mine["my_prepare"]).kind == "right"
    assert check_bce_by_hand(mine["my_cross_entropy"]).kind == "right"
    assert check_round(mine["my_round"]).kind == "right"
