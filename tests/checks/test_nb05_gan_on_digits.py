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
    (lambda x: (x.unsqueeze(1).float() - 127.5).sign(), "threshold", "paper and ink only"),
    (lambda x: 2 * x[:, None].mT.float() / 256 - 1, "of_256", "The other: Rows and columns"),
    (lambda x: x[:, None].flip(2).float() / 255, "zero_to_one", "The other: The digits stand"),
    (lambda x: x[:, None].float() / 127.499 - 1, "values", "(255) 1.00002"),
    (lambda x: 2 * x[:, None].float() / 100 - 1, "values", "middle grey (128) 1.56"),
    (lambda x: 2 * x[:, None].float() / 255 - 1 + 0.01 * torch.randn(1).float(), "noise", "two different results"),
    (lambda x: (2 * x[:, None].float() / 255 - 1).roll(1, 0), "values", "other images"),
    (lambda x: (2 * x[:, None].float() / 255 - 1).roll(1, 3), "values", "in other places"),
    (lambda x: (2 * x[:, None].float() / 255 - 1).clamp(-0.999, 0.999), "values", "should these three become"),
    (lambda x: 2 * x.view(64, 1, 28, 28).float() / 255 - 1, "sizes", "every batch"),
    (lambda x: 2 * x[None, None].float() / 255 - 1, "shape", "too many"),
    (lambda x: 2 * x.float() / 255 - 1, "shape", "channels"),
    (lambda x: 2 * x[..., None].float() / 255 - 1, "shape", "before height"),
    (lambda x: 2 * x[None].float() / 255 - 1, "shape", "images come first"),
    (lambda x: 2 * x.flatten(1).float() / 255 - 1, "shape", "rows and columns"),
    (lambda x: 2 * x.unsqueeze(1).double() / 255 - 1, "dtype", "float64"),
    (lambda x: x.unsqueeze(1), "dtype", "uint8"),
    (in_place, "changed_input", "changes `pixels`"),
]  # fmt: skip

test_right_doors, _, test_wrong_doors = tests_of(check_data_door, DOOR_RIGHT, (), DOOR_WRONG)


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
    (lambda a, y: (softplus(a) - y * a).sum(1).mean(), "broadcast", "The other: This is the sum"),
    (lambda a, y: -bce(a[:, 0], 1 - y), "labels", "The other: The sign is reversed"),
    (lambda a, y: bce(a[:, 0].sigmoid(), y, reduction="sum"), "sigmoid_twice", "The other: This is the sum"),
    (lambda a, y: bce(a[:, 0], y) / torch.tensor(10.0).log(), "scale", "base 10"),
    (lambda a, y: 3 * bce(a[:, 0], y), "scale", "3 times"),
    (lambda a, y: (bce(a[y == 1, 0], y[y == 1]) + bce(a[y == 0, 0], y[y == 0])) / 2, "two_means", "averaged apart"),
    (lambda a, y: bce(a[:, 0], 0.999 * y), "value", "which ones should be large"),
    (lambda a, y: bce(a[:, 0], y, reduction="sum") / 6, "value", "For 7 images"),
    (lambda a, y: (softplus(a) - y * a).sum(), "broadcast", "The other: This is the sum"),
    (lambda a, y: (F.softplus(a[:, 0], threshold=5) - y * a[:, 0]).mean(), "tails", "cut off"),
    (lambda a, y: bce(a.squeeze(), y), "batch_of_one", "name the dimension"),
    (lambda a, y: (softplus(a.squeeze()) - y * a.squeeze()).mean() if len(a) > 1 else 2 * softplus(a[0] * y).mean(),
        "batch_of_one", "one image"),
    (lambda a, y: bce(a[:, 0].clamp(-20, 20), y), "tails", "overflows"),
    (lambda a, y: (a[:, 0].exp().log1p() - y * a[:, 0]).mean(), "tails", "overflows"),
    (by_probabilities, "tails", "rounded"),
    (lambda a, y: F.binary_cross_entropy(a.sigmoid()[:, 0], y), "tails", "rounded"),
    (lambda a, y: (softplus(a[:, 0]) - y * a[:, 0].detach()).mean(), "gradient", "`detach`"),
    (lambda a, y: 2 * bce(a[:, 0], y) - bce(a[:, 0], y).detach(), "gradient", "2 times"),
    (lambda a, y: (softplus(a[:, 0]) + y.neg_() * a[:, 0]).mean(), "changed_input", "changes `labels`"),
    (lambda a, y: softplus(a[:, 0]) - y * a[:, 0], "shape", "become one"),
    (lambda a, y: softplus(a) - y * a, "shape", "every label"),
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


def clear(generator, discriminator, g_optimiser, d_optimiser):
    g_optimiser.zero_grad()
    d_optimiser.zero_grad()


def by_steps(generator, discriminator, g_optimiser, d_optimiser, real, z):
    discriminator_step(generator, discriminator, d_optimiser, real, z[0])
    return generator_step(generator, discriminator, g_optimiser, z[1])


def stale(optimiser, loss):
    loss.backward()
    optimiser.step()
    return loss


def as_shown(generator, discriminator, g_optimiser, d_optimiser, real, z):
    d_loss = stale(d_optimiser, d_loss_of(generator, discriminator, real, z[0]))
    return d_loss, stale(g_optimiser, g_loss_of(generator, discriminator, z[1]))


def cleared_at_the_start(generator, discriminator, g_optimiser, d_optimiser, real, z):
    clear(generator, discriminator, g_optimiser, d_optimiser)
    fake = generator(z[0]).detach()
    stale(d_optimiser, (softplus(-discriminator(real)) + softplus(discriminator(fake))).mean())
    return stale(g_optimiser, g_loss_of(generator, discriminator, z[1])) * 0


def not_cut_but_cleared(generator, discriminator, g_optimiser, d_optimiser, real, z):
    loss = d_loss_of(generator, discriminator, real, z[0])
    discriminator.zero_grad()
    stale(d_optimiser, loss)
    generator.zero_grad(set_to_none=False)
    return loss.item(), stale(g_optimiser, g_loss_of(generator, discriminator, z[1])).item()


def cleared_afterwards_too(*args):
    clear(*args[:4])
    by_steps(*args)
    clear(*args[:4])
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


def with_losses(d_loss, g_loss):
    def play(generator, discriminator, g_optimiser, d_optimiser, real, z):
        update(d_optimiser, d_loss(discriminator(real), discriminator(generator(z[0]))).mean())
        update(g_optimiser, g_loss(discriminator(generator(z[1]))).mean())

    return play


ROUND_RIGHT = [
    lambda *args: by_steps(*args) and None, each_freezes_the_other, by_steps, cleared_at_the_start, plain,
    not_cut_but_cleared, cleared_afterwards_too, with_autograd_grad, with_labels,
]  # fmt: skip
ROUND_REMARKS = [
    (lambda *args: plain(*args, half=True), "half", "half of D's loss"),
    (thaws_d_itself, "left_frozen", "itself"),
    (lambda *args: not_cut_but_cleared(*args)[::-1], "returned", "another order"),
    (with_losses(lambda r, f: softplus(-r) + softplus(f), lambda f: -(f.sigmoid() + 1e-6).log()), "tails", "vanishes"),
    (trains_g_itself, "left_in_eval", "itself"),
]  # fmt: skip


def after(change, play=by_steps):
    """The round, and then `change(generator, discriminator, g_optimiser, d_optimiser)`."""

    def changed(*args):
        play(*args)
        change(*args[:4])

    return changed


def d_steps_by_nothing(generator, discriminator, g_optimiser, d_optimiser):
    d_optimiser.zero_grad(set_to_none=False)
    d_optimiser.step()


def detached(generator):
    return lambda z: generator(z).detach()


def cleared_too_early(generator, discriminator, g_optimiser, d_optimiser, real, z):
    d_loss_of(generator, discriminator, real, z[0]).backward()
    d_optimiser.zero_grad()
    d_optimiser.step()
    g_loss_of(generator, discriminator, z[1]).backward()
    g_optimiser.zero_grad()
    g_optimiser.step()


ROUND_WRONG = [
    (as_shown, "not_cleared", "both losses"),
    (lambda g, d, *rest: [g.zero_grad(), d.zero_grad(), as_shown(g, d, *rest)], "g_not_cleared", "not enough"),
    (after(clear, as_shown), "cleared_late", "Clear, then fill"),
    (cleared_too_early, "still", "after the gradient was cleared"),
    (lambda g, d, go, do, real, z:
        [update(*each) for each in ((do, d_loss_of(g, d, real, z[0])), (go, g_loss_of(g, d, z[1])))],
        "in_place", "stepped before"),
    (lambda g, d, go, do, real, z:
        [discriminator_step(g, d, do, real, z[0]), update(go, g_loss_of(detached(g), d, z[1]))],
        "still", "G does not move"),
    (lambda g, d, go, do, real, z: by_steps(g, d, do, go, real, z), "exchanged", "changed places"),
    (after(lambda g, d, *_: d.requires_grad_(False)), "left_frozen", "frozen"),
    (after(lambda g, d, *_: g.requires_grad_(False)), "left_frozen", "frozen"),
    (after(lambda g, d, *_: g.eval()), "left_in_eval", "evaluation mode"),
    (after(d_steps_by_nothing), "idle_step", "Adam"),
    (lambda *args: by_steps(*args[:5], torch.randn_like(args[5])), "noise", "two different results"),
    (lambda g, d, go, do, *inputs: plain(g, d, go, torch.optim.SGD(d.parameters(), 0.1), *inputs),
        "own_optimiser", "not by the optimiser"),
    (lambda g, d, go, do, real, z: plain(g, d, go, do, real.mul_(0.9), z), "changed_input", "changes `real`"),
    (lambda g, d, go, do, real, z: [update(do, d_loss_of(g, d, real, z[0])), update(go, g_loss_of(g, d, z[1]) / 3)],
        "update", "G moves in the right direction, but 0.333 times"),
    (with_losses(lambda r, f: softplus(r) + softplus(f), lambda f: softplus(-f)), "update", "D does not move along"),
    (with_losses(lambda r, f: softplus(-r) + softplus(f), lambda f: (f - 2) ** 2), "update", "G does not move along"),
    (with_losses(lambda r, f: softplus(-r) + softplus(f), lambda f: -f.sigmoid().log()), "tails", "log 0"),
    (lambda g, d, go, do, real, z: [plain(g, d, go, do, real, z), go.step()], "many_steps", "of G steps more"),
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
