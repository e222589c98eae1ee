"""Both sides of the checks of notebook 04: each right way to write a step passes, each wrong one is called by name."""

import random
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from answers import folded_solutions, tests_of
from torch.distributions import Bernoulli
from torch.nn.functional import softplus

from helpers.checks import nb04_first_gan as checks
from helpers.checks.nb04_first_gan import check_discriminator_step, check_generator_step
from helpers.feedback import diagnose
from helpers.gan import discriminator_loss, non_saturating
from helpers.gan.steps import discriminator_step, generator_step

bce = F.binary_cross_entropy_with_logits
ones, zeros = torch.ones_like, torch.zeros_like


def update(optimiser, loss):
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss


def both(generator, discriminator):
    return torch.optim.SGD([*generator.parameters(), *discriminator.parameters()], lr=0.1)


def d_loss(generator, discriminator, real, z):
    return (softplus(-discriminator(real)) + softplus(discriminator(generator(z).detach()))).mean()


def frozen(name, step):
    """The step, during which the generator or the discriminator is frozen."""

    def played(generator, discriminator, *others):
        network = {"generator": generator, "discriminator": discriminator}[name]
        network.requires_grad_(False)
        loss = step(generator, discriminator, *others)
        network.requires_grad_(True)
        return loss

    return played


# The discriminator's step, right


def d_with_labels(generator, discriminator, d_optimiser, real, z):
    r, f = discriminator(real), discriminator(generator(z).detach())
    return update(d_optimiser, bce(r, torch.ones(len(real))) + bce(f, torch.zeros(len(z))))


def d_without_grad(generator, discriminator, d_optimiser, real, z):
    with torch.no_grad():
        fake = generator(z)
    d_optimiser.zero_grad()
    loss = -(F.logsigmoid(discriminator(real)) + F.logsigmoid(-discriminator(fake))).mean()
    loss.backward()
    d_optimiser.step()
    return {"d_loss": loss.detach(), "d_real": 0.5}


def d_backward_twice(generator, discriminator, d_optimiser, real, z):
    discriminator.zero_grad()
    real_loss = bce(discriminator(real), torch.ones(len(real)))
    real_loss.backward()
    fake_loss = bce(discriminator(generator(z).detach()), torch.zeros(len(z)))
    fake_loss.backward()
    d_optimiser.step()
    return real_loss + fake_loss


def d_with_autograd_grad(generator, discriminator, d_optimiser, real, z):
    loss = softplus(-discriminator(real)).mean() + softplus(discriminator(generator(z))).mean()
    parameters = list(discriminator.parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    d_optimiser.step()
    return loss


def d_undetached(generator, discriminator, d_optimiser, real, z):
    return update(
        d_optimiser, (softplus(-discriminator(real)) + softplus(discriminator(generator(z)))).mean()
    )


def d_tidies_g_with_zeros(generator, *others):
    loss = d_undetached(generator, *others)
    generator.zero_grad(set_to_none=False)
    return loss


def d_with_a_closure(generator, discriminator, d_optimiser, real, z):
    def closure():
        d_optimiser.zero_grad()
        loss = d_loss(generator, discriminator, real, z)
        loss.backward()
        return loss

    return d_optimiser.step(closure)


def d_image_by_image(generator, discriminator, d_optimiser, real, z):
    total = 0.0
    for image, fake in zip(real, generator(z).detach(), strict=True):
        total = total - F.logsigmoid(discriminator(image[None])) - F.logsigmoid(-discriminator(fake[None]))
    return update(d_optimiser, total.squeeze() / len(real)).detach().numpy()


def d_from(loss, fakes=lambda generator, z: generator(z).detach()):
    """A step on `loss(real_logits, fake_logits)`."""

    def step(generator, discriminator, d_optimiser, real, z):
        return update(d_optimiser, loss(discriminator(real), discriminator(fakes(generator, z))))

    return step


D_RIGHT = [
    d_with_labels, d_without_grad, frozen("generator", d_undetached), d_backward_twice,
    d_with_autograd_grad, d_tidies_g_with_zeros, d_with_a_closure, d_image_by_image,
    d_from(lambda r, f: -(Bernoulli(logits=r).log_prob(ones(r)) + Bernoulli(logits=f).log_prob(zeros(f))).mean()),
    d_from(lambda r, f: softplus(-r.double()).mean() + softplus(f.double()).mean()),
    d_from(lambda r, f: 2 * bce(torch.cat([f, r]), torch.cat([zeros(f), ones(r)]))),
    lambda g, d, o, real, z: d_with_labels(g, d, o, real[torch.randperm(len(z))], z.flip(0)),
    lambda g, d, o, real, z: update(o, (softplus(-d(images=real)) + softplus(d(images=g(z=z).detach()))).mean()),
    discriminator_step,
]  # fmt: skip
D_REMARKS = [
    (d_from(lambda r, f: (bce(r, ones(r)) + bce(f, zeros(f))) / 2), "half", "half of −V"),
    (d_from(lambda r, f: bce(torch.cat([r, f]), torch.cat([ones(r), zeros(f)]))), "half", "half of −V"),
    (d_from(lambda r, f: F.binary_cross_entropy(r.sigmoid(), ones(r)) + F.binary_cross_entropy(f.sigmoid(), zeros(f))),
        "tails", "its gradient vanishes"),
    (d_from(lambda r, f: -((r.sigmoid() + 1e-7).log() + (1 - f.sigmoid() + 1e-7).log()).mean()),
        "tails", "its gradient vanishes"),
]  # fmt: skip


# … wrong


def in_eval(generator, z):
    generator.eval()
    images = generator(z)
    generator.train()
    return images


def then(change, step=d_with_labels):
    """The step, after `change(generator, discriminator, optimiser, *inputs)`."""

    def changed(*args):
        change(*args)
        return step(*args)

    return changed


def on_the_loss(*calls):
    """A step that only makes these calls, each of (optimiser, loss)."""

    def step(generator, discriminator, d_optimiser, real, z):
        loss = d_loss(generator, discriminator, real, z)
        for call in calls:
            call(d_optimiser, loss)
        return loss

    return step


def clear(optimiser, loss):
    optimiser.zero_grad()


def backward(optimiser, loss):
    loss.backward()


def take(optimiser, loss):
    optimiser.step()


def d_by_hand(generator, discriminator, d_optimiser, real, z):
    loss = d_loss(generator, discriminator, real, z)
    discriminator.zero_grad()
    loss.backward()
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter -= d_optimiser.param_groups[0]["lr"] * parameter.grad
    return loss


def d_clips(generator, discriminator, d_optimiser, real, z):
    loss = d_loss(generator, discriminator, real, z)
    clear(d_optimiser, loss)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(discriminator.parameters(), 0.1)
    d_optimiser.step()
    return loss


D_WRONG = [
    (d_by_hand, "own_optimiser", "not by the optimiser that comes in"),
    (lambda g, d, o, real, z: d_with_labels(g, d, torch.optim.Adam(d.parameters(), lr=0.1), real, z),
        "own_optimiser", "not by the optimiser that comes in"),
    (lambda *args: [d_with_labels(*args) for _ in range(3)][-1], "many_steps", "more than once in a call"),
    (frozen("discriminator", d_undetached), "frozen", "frozen in its own step"),
    (
        d_from(lambda r, f: torch.tensor(softplus(f - r).mean().item(), requires_grad=True)),
        "no_gradient",
        "detached from",
    ),
    (lambda g, d, o, real, z: update(both(g, d), softplus(-d(real)).mean() + softplus(d(g(z))).mean()),
        "opponent_moved", "also moved the generator"),
    (lambda g, d, o, real, z: d_with_labels(g, d, o, real, torch.randn_like(z)), "noise", "new noise"),
    (then(lambda g, d, o, real, z: torch.manual_seed(0),
        lambda g, d, o, real, z: d_with_labels(g, d, o, real, torch.randn_like(z))), "noise", "whatever `z` is"),
    (then(lambda generator, *_: generator.eval()), "left_in_eval", "`train()`"),
    (then(lambda generator, *_: generator.requires_grad_(False)), "left_frozen", "`requires_grad`"),
    (then(lambda g, d, o, real, z: real.add_(0.01 * torch.randn_like(real))), "changed_input", "changes `real`"),
    (then(lambda g, d, o, *_: o.param_groups[0].update(momentum=0.9)), "second_call", "left over from the first"),
    (then(lambda g, d, o, *_: o.param_groups[0].update(lr=0.3)), "scale", "3 times"),
    (lambda g, d, o, *rest: [d_with_labels(g, d, o, *rest), o.param_groups[0].update(lr=0.05)][0],
        "second_call", "settings"),
    (lambda g, d, *_: len(d.append(torch.nn.Linear(1, 1))), "layers", "changes the layers"),
    (d_clips, "scale", "clipped gradient"),
    (lambda g, d, o, real, z: d_with_labels(g, d, o, real, z) - softplus(-d(real)).mean(), "returned", "number you"),
    (lambda g, d, o, real, z: d_with_labels(g, d, o, real, z) * torch.ones(5), "shape", "(5,)"),
    (lambda g, d, o, real, z: d(real.flatten(1)).mean(), "raised", "(B, 1, H, W)"),
    (on_the_loss(backward, clear, take), "no_gradient", "`zero_grad`"),
    (on_the_loss(clear, take), "no_gradient", "`backward()`"),
    (on_the_loss(clear, backward), "no_step", "who takes the step"),
    (on_the_loss(), "no_gradient", "`backward()`"),
    (on_the_loss(take, backward), "in_place", "stepped before backward"),
    (d_from(lambda r, f: bce(r, ones(r)) + softplus(f).mean(), fakes=lambda g, z: g(z)), "forgot_detach", "into G"),
    (d_from(lambda r, f: bce(r, 0.8 + 0.2 * torch.rand_like(r)) + bce(f, zeros(f))), "noise", "the labels"),
    (d_from(lambda r, f: softplus(-r) + softplus(f)), "no_mean", "one number an image"),
    (d_from(lambda r, f: (-r.log() - (1 - f).log()).mean()), "nan", "negative number"),
    (d_from(lambda r, f: (softplus(-r) + softplus(f).detach()).mean()), "only_real", "instead of G(z)"),
    (d_from(lambda r, f: (softplus(-r).detach() + softplus(f)).mean()), "only_fake", "detached from D"),
    (d_from(lambda r, f: (bce(r, zeros(r)) + bce(f, ones(f))) / 2), "swapped_labels", "labels are exchanged"),
    (d_from(lambda r, f: -(r.sigmoid().log() + (1 - f.sigmoid()).log()).mean()), "tails", "log 0"),
    (d_from(lambda r, f: (torch.log(1 + torch.exp(-r)) + torch.log(1 + torch.exp(f))).mean()), "tails", "overflows"),
    (d_from(lambda r, f: F.binary_cross_entropy(r, ones(r))), "logits", "given logits"),
    (d_from(lambda r, f: bce(r, torch.ones(len(r), 1))), "raised", "different shapes"),
    (d_from(lambda r, f: (softplus(-r) + softplus(f) + 0.3 * (r + f) ** 2).mean()), "update", "cosine"),
    (d_from(lambda r, f: (softplus(-r) + 0.99 * softplus(f) + 0.01 * softplus(-f)).mean()), "update", "nearly right"),
]  # fmt: skip
test_right_d, test_remarks_d, test_wrong_d = tests_of(check_discriminator_step, D_RIGHT, D_REMARKS, D_WRONG)


# The generator's step


def g_from(loss):
    def step(generator, discriminator, g_optimiser, z):
        return update(g_optimiser, loss(discriminator(generator(z))))

    return step


def g_with_labels(generator, discriminator, g_optimiser, z):
    return update(g_optimiser, bce(discriminator(generator(z)), torch.ones(len(z))))


def g_without_gradients_in_d(generator, discriminator, g_optimiser, z):
    g_optimiser.zero_grad()
    loss = -Bernoulli(logits=discriminator(generator(z))).log_prob(torch.ones(len(z))).mean()
    loss.backward(inputs=list(generator.parameters()))
    g_optimiser.step()
    return {"g_loss": loss.detach()}


def g_cleans_up(generator, discriminator, g_optimiser, z):
    loss = update(g_optimiser, -F.logsigmoid(discriminator(generator(z))).mean())
    discriminator.zero_grad()
    return loss.item()


def g_clears_after(generator, discriminator, g_optimiser, z):
    loss = softplus(-discriminator(generator(z))).sum() / len(z)
    loss.backward()
    g_optimiser.step()
    g_optimiser.zero_grad()
    return loss


G_RIGHT = [frozen("discriminator", g_with_labels), g_without_gradients_in_d, g_cleans_up, generator_step]
G_REMARKS = [
    (g_with_labels, "opponent_gradients", "gradients of D"),
    (g_clears_after, "opponent_gradients", "gradients of D"),
    (lambda g, d, o, z: g_with_labels(g, d, o, z[torch.randperm(len(z))]), "opponent_gradients", "gradients of D"),
    (g_from(lambda a: torch.log1p((-a.double()).exp()).mean()), "opponent_gradients", "gradients of D"),
    (g_from(lambda a: F.binary_cross_entropy(a.sigmoid(), ones(a))), "tails", "cuts your loss off"),
    (g_from(lambda a: -(a.sigmoid() + 1e-7).log().mean()), "tails", "cuts your loss off"),
]  # fmt: skip


def g_detaches(generator, discriminator, g_optimiser, z):
    return update(g_optimiser, softplus(-discriminator(generator(z).detach())).mean())


G_WRONG = [
    (frozen("generator", g_with_labels), "detached", "frozen in place of D"),
    (lambda g, d, o, z: (g_without_gradients_in_d(g, d, o, z), o.step())[0], "many_steps", "more than once in a call"),
    (lambda g, d, o, z: update(both(g, d), softplus(-d(g(z))).mean()), "opponent_moved", "moved the discriminator"),
    (g_detaches, "detached", "detached from the graph"),
    (then(lambda g, d, *_: d.requires_grad_(False), g_detaches), "detached", "nothing to train"),
    (then(lambda g, d, *_: d.requires_grad_(False), g_with_labels), "left_frozen", "frozen"),
    (then(lambda g, d, *_: d.eval(), g_with_labels), "left_in_eval", "evaluation mode"),
    (lambda g, d, o, z: update(o, -softplus(-d(in_eval(g, z))).mean()), "generator_in_eval", "The other: Your G"),
    (lambda g, d, o, z: g_with_labels(g, d, o, torch.randn_like(z)), "noise", "new noise"),
    (lambda g, d, o, z: 2 * g_with_labels(g, d, o, z), "returned", "number you return"),
    (lambda g, d, o, z: (g_with_labels(g, d, o, z), 1.0), "type", "a `tuple`"),
    (g_from(lambda a: softplus(-a)), "no_mean", "one number an image"),
    (g_from(lambda a: -(1 - (-a).sigmoid()).log().mean()), "tails", "log 0"),
    (g_from(lambda a: -a.sigmoid().log().mean()), "tails", "log 0"),
    (lambda g, d, o, z: update(o, sum(softplus(-d(g(row[None]))).mean() for row in z)), "row_by_row", "as it comes"),
    (g_from(lambda a: F.binary_cross_entropy(a, ones(a))), "logits", "given logits"),
    (g_from(lambda a: (a**4).mean()), "update", "cosine"),
]  # fmt: skip

test_right_g, test_remarks_g, test_wrong_g = tests_of(check_generator_step, G_RIGHT, G_REMARKS, G_WRONG)


# What the checks stand on


@pytest.mark.parametrize("seed", [1, 2])
def test_no_answer_is_judged_by_the_numbers_that_come(seed):
    """Other networks, images and noise: what is right stays right, what is wrong keeps its name."""
    d_task, g_task = replace(checks.D_STEP, seed=seed), replace(checks.G_STEP, seed=seed)
    for step in D_RIGHT:
        assert diagnose(d_task, step).kind == "right", step
    for step, kind, phrase in D_REMARKS:
        assert diagnose(d_task, step).kind == kind and phrase in diagnose(d_task, step).message
    for step, kind, _ in G_REMARKS:
        assert diagnose(g_task, step).kind == kind, step
    for step, kind, _ in random.Random(seed).sample(D_WRONG, 12):
        assert diagnose(d_task, step).kind == kind, (step, kind)


def test_the_reference_is_the_loss_of_the_course():
    """Against log-probabilities from torch.distributions, an oracle that shares no code with the check."""
    logits = 3 * torch.randn(6)
    for label in (0.0, 1.0):
        wanted = -Bernoulli(logits=logits).log_prob(torch.full((6,), label))
        torch.testing.assert_close(checks.LOSSES[0].f(logits, label), wanted)


def test_the_solutions_in_the_notebook_pass():
    names = folded_solutions(
        "04_first_gan", torch=torch, discriminator_loss=discriminator_loss, non_saturating=non_saturating
    )
    assert check_discriminator_step(names["my_discriminator_step"]).kind == "right"
    assert check_generator_step(names["my_generator_step"]).kind == "right"


def test_the_tails_are_reached_in_both_precisions(dtype):
    """Sure enough for a sigmoid to round to 0 and 1 in float64 too, and for a float32 exponential to overflow."""
    for case in checks.D_STEP.cases():
        sure = checks._sure(case)
        logits = torch.cat([sure.discriminator(sure.generator(sure.z)), sure.discriminator(sure.real)])
        assert -121 < logits.min() < -119 and 119 < logits.max() < 121
        assert 1 - logits.max().sigmoid() == 0
