"""Both sides of the checks of notebook 04: each right way to write a step passes, each wrong one is called by name."""

import copy
import itertools

import pytest
import torch
import torch.nn.functional as F
from folded_solutions import folded_solutions
from torch.distributions import Bernoulli

from helpers.checks import check_discriminator_step, check_generator_step
from helpers.checks import gan as checks
from helpers.gan import discriminator_loss, non_saturating
from helpers.gan.steps import discriminator_step, generator_step


def update(optimiser, loss):
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss


bce = F.binary_cross_entropy_with_logits


# The discriminator's step, right


def d_with_labels(generator, discriminator, d_optimiser, real, z):
    fake = generator(z).detach()
    real_logits, fake_logits = discriminator(real), discriminator(fake)
    loss = bce(real_logits, torch.ones(len(real))) + bce(fake_logits, torch.zeros(len(z)))
    return update(d_optimiser, loss)


def d_with_softplus(generator, discriminator, d_optimiser, real, z):
    with torch.no_grad():
        fake = generator(z)
    loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(fake)).mean()
    return update(d_optimiser, loss).item()


def d_with_logsigmoid(generator, discriminator, d_optimiser, real, z):
    d_optimiser.zero_grad()
    fake = generator(z)
    value = F.logsigmoid(discriminator(real)) + F.logsigmoid(-discriminator(fake.detach()))
    loss = -value.mean()
    loss.backward()
    d_optimiser.step()
    return {"d_loss": loss.detach(), "d_real": 0.5}


def d_in_one_forward(generator, discriminator, d_optimiser, real, z):
    images = torch.cat([generator(z).detach(), real])
    labels = torch.cat([torch.zeros(len(z)), torch.ones(len(real))])
    return update(d_optimiser, 2 * bce(discriminator(images), labels))


def d_with_frozen_generator(generator, discriminator, d_optimiser, real, z):
    generator.requires_grad_(False)
    loss = (F.softplus(-discriminator(real)) + F.softplus(discriminator(generator(z)))).mean()
    generator.requires_grad_(True)
    return update(d_optimiser, loss)


def d_backward_twice(generator, discriminator, d_optimiser, real, z):
    discriminator.zero_grad()
    real_loss = bce(discriminator(real), torch.ones(len(real)))
    real_loss.backward()
    fake_loss = bce(discriminator(generator(z).detach()), torch.zeros(len(z)))
    fake_loss.backward()
    d_optimiser.step()
    return real_loss + fake_loss


def d_with_autograd_grad(generator, discriminator, d_optimiser, real, z):
    loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(generator(z))).mean()
    parameters = list(discriminator.parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    d_optimiser.step()
    return loss


def d_with_distributions(generator, discriminator, d_optimiser, real, z):
    with torch.no_grad():
        fake = generator(z)
    real_d, fake_d = Bernoulli(logits=discriminator(real)), Bernoulli(logits=discriminator(fake))
    loss = -(real_d.log_prob(torch.ones(len(real))) + fake_d.log_prob(torch.zeros(len(z)))).mean()
    return update(d_optimiser, loss)


def d_in_double(generator, discriminator, d_optimiser, real, z):
    fake = generator(z).detach()
    loss = F.softplus(-discriminator(real).double()).mean() + F.softplus(discriminator(fake).double()).mean()
    return update(d_optimiser, loss)


def d_permuted(generator, discriminator, d_optimiser, real, z):
    order = torch.randperm(len(real))
    fake = generator(z[order.flip(0)]).detach()
    return update(
        d_optimiser, (F.softplus(-discriminator(real[order])) + F.softplus(discriminator(fake))).mean()
    )


def d_by_its_definition(generator, discriminator, d_optimiser, real, z):
    r, f = discriminator(real), discriminator(generator(z).detach())
    return update(d_optimiser, (torch.log(1 + torch.exp(-r)) + torch.log(1 + torch.exp(f))).mean())


def d_with_keywords(generator, discriminator, d_optimiser, real, z):
    r, f = discriminator(images=real), discriminator(images=generator(z=z).detach())
    return update(d_optimiser, (F.softplus(-r) + F.softplus(f)).mean())


def d_tidies_g_with_zeros(generator, discriminator, d_optimiser, real, z):
    loss = update(
        d_optimiser, (F.softplus(-discriminator(real)) + F.softplus(discriminator(generator(z)))).mean()
    )
    generator.zero_grad(set_to_none=False)
    return loss


D_RIGHT = [
    d_with_labels,
    d_with_softplus,
    d_with_logsigmoid,
    d_in_one_forward,
    d_with_frozen_generator,
    d_backward_twice,
    d_with_autograd_grad,
    d_with_distributions,
    d_in_double,
    d_permuted,
    d_by_its_definition,
    d_with_keywords,
    d_tidies_g_with_zeros,
    discriminator_step,
]


@pytest.mark.parametrize("step", D_RIGHT)
def test_a_right_discriminator_step_passes(step, dtype):
    feedback = check_discriminator_step(step)
    assert (feedback.ok, feedback.kind) == (True, "right"), feedback


# … right, with a remark


def d_averages_the_terms(generator, discriminator, d_optimiser, real, z):
    real_loss = bce(discriminator(real), torch.ones(len(real)))
    fake_loss = bce(discriminator(generator(z).detach()), torch.zeros(len(z)))
    return update(d_optimiser, (real_loss + fake_loss) / 2)


def d_averages_one_forward(generator, discriminator, d_optimiser, real, z):
    images = torch.cat([real, generator(z).detach()])
    labels = torch.cat([torch.ones(len(real)), torch.zeros(len(z))])
    return update(d_optimiser, bce(discriminator(images), labels))


def d_on_clamped_probabilities(generator, discriminator, d_optimiser, real, z):
    real_d, fake_d = discriminator(real).sigmoid(), discriminator(generator(z).detach()).sigmoid()
    loss = F.binary_cross_entropy(real_d, torch.ones(len(real)))
    return update(d_optimiser, loss + F.binary_cross_entropy(fake_d, torch.zeros(len(z))))


def d_with_a_small_constant(generator, discriminator, d_optimiser, real, z):
    real_d, fake_d = discriminator(real).sigmoid(), discriminator(generator(z).detach()).sigmoid()
    return update(d_optimiser, -((real_d + 1e-7).log() + (1 - fake_d + 1e-7).log()).mean())


@pytest.mark.parametrize(
    "step, kind, phrase",
    [
        (d_averages_the_terms, "half", "half of −V"),
        (d_averages_one_forward, "half", "half of −V"),
        (d_on_clamped_probabilities, "tails", "its gradient vanishes"),
        (d_with_a_small_constant, "tails", "its gradient vanishes"),
    ],
)
def test_a_discriminator_step_passes_with_a_remark(step, kind, phrase, dtype):
    feedback = check_discriminator_step(step)
    assert (feedback.ok, feedback.kind) == (True, kind), feedback
    assert phrase in feedback.message


# … wrong


def d_from(loss, fakes=lambda generator, z: generator(z).detach()):
    """A step on `loss(real_logits, fake_logits)`."""

    def step(generator, discriminator, d_optimiser, real, z):
        return update(d_optimiser, loss(discriminator(real), discriminator(fakes(generator, z))))

    return step


def ones(logits):
    return torch.ones_like(logits)


def zeros(logits):
    return torch.zeros_like(logits)


def d_forgets_detach(generator, discriminator, d_optimiser, real, z):
    fake = generator(z)
    return update(
        d_optimiser, bce(discriminator(real), torch.ones(len(z))) + F.softplus(discriminator(fake)).mean()
    )


def d_moves_both(generator, discriminator, d_optimiser, real, z):
    loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(generator(z))).mean()
    both = torch.optim.SGD([*generator.parameters(), *discriminator.parameters()], lr=0.1)
    return update(both, loss)


def d_never_clears(generator, discriminator, d_optimiser, real, z):
    loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(generator(z).detach())).mean()
    loss.backward()
    d_optimiser.step()
    return loss


def d_clears_late(generator, discriminator, d_optimiser, real, z):
    loss = d_never_clears(generator, discriminator, d_optimiser, real, z)
    d_optimiser.zero_grad()
    return loss


def d_clears_too_late(generator, discriminator, d_optimiser, real, z):
    loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(generator(z).detach())).mean()
    loss.backward()
    d_optimiser.zero_grad()
    d_optimiser.step()
    return loss


def d_never_backward(generator, discriminator, d_optimiser, real, z):
    loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(generator(z).detach())).mean()
    d_optimiser.zero_grad()
    d_optimiser.step()
    return loss


def d_only_steps(generator, discriminator, d_optimiser, real, z):
    loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(generator(z).detach())).mean()
    d_optimiser.step()
    return loss


def d_never_steps(generator, discriminator, d_optimiser, real, z):
    loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(generator(z).detach())).mean()
    d_optimiser.zero_grad()
    loss.backward()
    return loss


def d_only_measures(generator, discriminator, d_optimiser, real, z):
    return F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(generator(z).detach())).mean()


def d_steps_first(generator, discriminator, d_optimiser, real, z):
    loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(generator(z).detach())).mean()
    d_optimiser.step()
    loss.backward()
    return loss


def d_steps_twice(generator, discriminator, d_optimiser, real, z):
    real_loss = update(d_optimiser, F.softplus(-discriminator(real)).mean())
    return real_loss + update(d_optimiser, F.softplus(discriminator(generator(z).detach())).mean())


def d_with_own_noise(generator, discriminator, d_optimiser, real, z):
    return d_with_labels(
        generator, discriminator, d_optimiser, real, torch.randn(len(real), generator.latent)
    )


def d_with_seeded_noise(generator, discriminator, d_optimiser, real, z):
    torch.manual_seed(0)
    return d_with_labels(
        generator, discriminator, d_optimiser, real, torch.randn(len(real), generator.latent)
    )


def d_leaves_eval(generator, discriminator, d_optimiser, real, z):
    generator.eval()
    return d_with_labels(generator, discriminator, d_optimiser, real, z)


def d_fakes_in_eval(generator, discriminator, d_optimiser, real, z):
    generator.eval()
    fake = generator(z).detach()
    generator.train()
    return update(d_optimiser, (F.softplus(-discriminator(real)) + F.softplus(discriminator(fake))).mean())


def d_leaves_frozen(generator, discriminator, d_optimiser, real, z):
    generator.requires_grad_(False)
    return d_with_labels(generator, discriminator, d_optimiser, real, z)


def d_changes_the_images(generator, discriminator, d_optimiser, real, z):
    real += 0.01 * torch.randn_like(real)
    return d_with_labels(generator, discriminator, d_optimiser, real, z)


def d_reports_one_term(generator, discriminator, d_optimiser, real, z):
    real_loss = F.softplus(-discriminator(real)).mean()
    update(d_optimiser, real_loss + F.softplus(discriminator(generator(z).detach())).mean())
    return real_loss


def d_returns_a_batch(generator, discriminator, d_optimiser, real, z):
    loss = F.softplus(-discriminator(real)) + F.softplus(discriminator(generator(z).detach()))
    update(d_optimiser, loss.mean())
    return loss


def d_keeps_momentum(generator, discriminator, d_optimiser, real, z):
    d_optimiser.param_groups[0]["momentum"] = 0.9
    return d_with_labels(generator, discriminator, d_optimiser, real, z)


def d_by_hand(generator, discriminator, d_optimiser, real, z):
    loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(generator(z).detach())).mean()
    discriminator.zero_grad()
    loss.backward()
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter -= d_optimiser.param_groups[0]["lr"] * parameter.grad
    return loss


def d_frozen_in_its_own_step(generator, discriminator, d_optimiser, real, z):
    discriminator.requires_grad_(False)
    loss = update(
        d_optimiser, (F.softplus(-discriminator(real)) + F.softplus(discriminator(generator(z)))).mean()
    )
    discriminator.requires_grad_(True)
    return loss


def d_with_a_new_tensor(generator, discriminator, d_optimiser, real, z):
    loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(generator(z))).mean()
    return update(d_optimiser, torch.tensor(loss.item(), requires_grad=True))


def d_updates_in_a_loop(generator, discriminator, d_optimiser, real, z):
    for _ in range(3):
        loss = d_with_labels(generator, discriminator, d_optimiser, real, z)
    return loss


def d_with_its_own_optimiser(generator, discriminator, d_optimiser, real, z):
    own = torch.optim.Adam(discriminator.parameters(), lr=0.1)
    return d_with_labels(generator, discriminator, own, real, z)


def d_with_noisy_labels(generator, discriminator, d_optimiser, real, z):
    r, f = discriminator(real), discriminator(generator(z).detach())
    return update(d_optimiser, bce(r, 0.8 + 0.2 * torch.rand_like(r)) + bce(f, zeros(f)))


def d_in_inference_mode(generator, discriminator, d_optimiser, real, z):
    with torch.inference_mode():
        fake = generator(z)
    return update(d_optimiser, (F.softplus(-discriminator(real)) + F.softplus(discriminator(fake))).mean())


def d_forgets_the_return(generator, discriminator, d_optimiser, real, z):
    d_with_labels(generator, discriminator, d_optimiser, real, z)
    return ...


D_WRONG = [
    (d_by_hand, "own_optimiser", "not by the optimiser that comes in"),
    (d_with_its_own_optimiser, "own_optimiser", "not by the optimiser that comes in"),
    (d_updates_in_a_loop, "many_steps", "more than once in a call"),
    (d_frozen_in_its_own_step, "frozen", "frozen in its own step"),
    (d_with_a_new_tensor, "no_gradient", "cut from the network"),
    (d_with_noisy_labels, "noise", "the labels"),
    (d_in_inference_mode, "inference_mode", "never be part of a backward"),
    (d_forgets_the_return, "unfinished", "still returns"),
    (d_from(lambda r, f: F.softplus(-r) + F.softplus(f)), "no_mean", "one number an image"),
    (d_from(lambda r, f: (-r.log() - (1 - f).log()).mean()), "nan", "negative number"),
    (d_from(lambda r, f: (F.softplus(-r) + F.softplus(f).detach()).mean()), "only_real", "instead of G(z)"),
    (d_from(lambda r, f: (F.softplus(-r).detach() + F.softplus(f)).mean()), "only_fake", "of its own"),
    (
        d_from(lambda r, f: (-F.logsigmoid(r) + F.logsigmoid(-f)).mean()),
        "sign_of_one_term",
        "term of the fakes has the wrong sign",
    ),
    (
        d_from(lambda r, f: (F.logsigmoid(r) - F.logsigmoid(-f)).mean()),
        "sign_of_one_term",
        "term of the real images has the wrong sign",
    ),
    (d_from(lambda r, f: -(F.logsigmoid(r) + 1 - F.logsigmoid(f)).mean()), "one_minus_log", "first subtract"),
    (
        d_from(lambda r, f: F.cross_entropy(r, ones(r)) + F.cross_entropy(f, zeros(f))),
        "classes",
        "compares classes",
    ),
    (
        d_from(lambda r, f: F.cross_entropy(torch.cat([r, f]), torch.cat([ones(r), zeros(f)]))),
        "classes",
        "compares classes",
    ),
    (d_from(lambda r, f: 3 * bce(r, ones(r)) + 3 * bce(f, zeros(f))), "scale", "clipped gradient"),
    (
        lambda generator, discriminator, d_optimiser, real, z: discriminator(real.flatten(1)).mean(),
        "raised",
        "(B, 1, H, W)",
    ),
    (d_forgets_detach, "forgot_detach", "into G"),
    (d_moves_both, "opponent_moved", "also moved the generator"),
    (d_never_clears, "forgot_zero_grad", "Old gradients"),
    (d_clears_late, "late_zero_grad", "after the step"),
    (d_clears_too_late, "no_gradient", "`zero_grad`"),
    (d_never_backward, "no_gradient", "`backward()`"),
    (d_only_steps, "no_backward", "there before"),
    (d_never_steps, "no_step", "who takes the step"),
    (d_only_measures, "no_gradient", "`backward()`"),
    (d_steps_first, "in_place", "stepped before backward"),
    (d_steps_twice, "two_steps", "steps twice"),
    (d_with_own_noise, "noise", "new noise"),
    (d_with_seeded_noise, "noise", "whatever `z` is"),
    (d_leaves_eval, "left_in_eval", "`train()`"),
    (d_fakes_in_eval, "generator_in_eval", "evaluation mode"),
    (d_leaves_frozen, "left_frozen", "`requires_grad`"),
    (d_changes_the_images, "changed_input", "changes the images"),
    (d_reports_one_term, "returned", "number you return"),
    (d_returns_a_batch, "shape", "(5,)"),
    (d_keeps_momentum, "second_call", "left over from the first"),
    (d_from(lambda r, f: bce(r, zeros(r)) + bce(f, ones(f))), "swapped_labels", "labels are exchanged"),
    (d_from(lambda r, f: (bce(r, zeros(r)) + bce(f, ones(f))) / 2), "swapped_labels", "labels are exchanged"),
    (
        d_from(lambda r, f: bce(r.sigmoid(), ones(r)) + bce(f.sigmoid(), zeros(f))),
        "sigmoid_twice",
        "applied twice",
    ),
    (d_from(lambda r, f: bce(r, ones(r))), "only_real", "Only the real"),
    (d_from(lambda r, f: bce(f, zeros(f)) / 2), "only_fake", "Only the fakes"),
    (d_from(lambda r, f: bce(r, ones(r)) + bce(f, ones(f))), "all_called_real", "call the fakes real"),
    (d_from(lambda r, f: bce(r, zeros(r)) + bce(f, zeros(f))), "all_called_fake", "real images fake"),
    (d_from(lambda r, f: bce(r, ones(r)) + bce(r, zeros(r))), "real_twice", "look at the real images"),
    (d_from(lambda r, f: bce(f, ones(f)) + bce(f, zeros(f))), "fake_twice", "look at the fakes"),
    (d_from(lambda r, f: (F.logsigmoid(r) + F.logsigmoid(-f)).mean()), "ascends", "uphill"),
    (d_from(lambda r, f: (F.softplus(-r) + F.softplus(f)).sum()), "sum", "Take the mean"),
    (d_from(lambda r, f: bce(r, 0.9 * ones(r)) + bce(f, zeros(f))), "smoothed_labels", "0.9"),
    (d_from(lambda r, f: F.mse_loss(r, ones(r)) + F.mse_loss(f, zeros(f))), "least_squares", "least squares"),
    (d_from(lambda r, f: f.mean() - r.mean()), "wasserstein", "Wasserstein"),
    (d_from(lambda r, f: F.relu(1 - r).mean() + F.relu(1 + f).mean()), "hinge", "hinge"),
    (d_from(lambda r, f: -(r.sigmoid().log() + (1 - f.sigmoid()).log()).mean()), "tails", "log 0"),
    (d_from(lambda r, f: F.binary_cross_entropy(r, ones(r))), "logits", "given logits"),
    (d_from(lambda r, f: bce(r, torch.ones(len(r), 1))), "raised", "different shapes"),
    (d_from(lambda r, f: 3 * (F.softplus(-r) + F.softplus(f)).mean()), "scale", "3 times"),
    (d_from(lambda r, f: (F.softplus(-r) + F.softplus(f) + 0.3 * (r + f) ** 2).mean()), "update", "cosine"),
]


@pytest.mark.parametrize(
    "step, kind, phrase", D_WRONG, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_a_wrong_discriminator_step_is_called_by_name(step, kind, phrase):
    feedback = check_discriminator_step(step)
    assert (feedback.ok, feedback.kind) == (False, kind), feedback
    assert phrase in feedback.message


# The generator's step, right


def g_with_labels(generator, discriminator, g_optimiser, z):
    logits = discriminator(generator(z))
    return update(g_optimiser, bce(logits, torch.ones(len(z))))


def g_with_frozen_discriminator(generator, discriminator, g_optimiser, z):
    discriminator.requires_grad_(False)
    loss = update(g_optimiser, F.softplus(-discriminator(generator(z))).mean())
    discriminator.requires_grad_(True)
    return loss


def g_with_logsigmoid(generator, discriminator, g_optimiser, z):
    g_optimiser.zero_grad()
    loss = -F.logsigmoid(discriminator(generator(z))).mean()
    loss.backward(inputs=list(generator.parameters()))
    g_optimiser.step()
    return {"g_loss": loss.detach()}


def g_cleans_up(generator, discriminator, g_optimiser, z):
    loss = -Bernoulli(logits=discriminator(generator(z))).log_prob(torch.ones(len(z))).mean()
    loss = update(g_optimiser, loss)
    discriminator.zero_grad()
    return loss.item()


def g_clears_after(generator, discriminator, g_optimiser, z):
    loss = F.softplus(-discriminator(generator(z))).sum() / len(z)
    loss.backward()
    g_optimiser.step()
    g_optimiser.zero_grad()
    return loss


def g_in_double(generator, discriminator, g_optimiser, z):
    return update(g_optimiser, torch.log1p((-discriminator(generator(z)).double()).exp()).mean())


def g_permuted(generator, discriminator, g_optimiser, z):
    return update(g_optimiser, F.softplus(-discriminator(generator(z[torch.randperm(len(z))]))).mean())


G_RIGHT = [
    (g_with_labels, "opponent_gradients"),
    (g_with_frozen_discriminator, "right"),
    (g_with_logsigmoid, "right"),
    (g_cleans_up, "right"),
    (g_clears_after, "opponent_gradients"),
    (g_permuted, "opponent_gradients"),
    (generator_step, "right"),
]


@pytest.mark.parametrize("step, kind", G_RIGHT)
def test_a_right_generator_step_passes(step, kind, dtype):
    feedback = check_generator_step(step)
    assert (feedback.ok, feedback.kind) == (True, kind), feedback
    assert ("gradients of D" in feedback.message) == (kind == "opponent_gradients")


def test_a_formula_in_double_precision_passes(dtype):
    assert check_generator_step(g_in_double).ok


def g_on_clamped_probabilities(generator, discriminator, g_optimiser, z):
    return update(
        g_optimiser, F.binary_cross_entropy(discriminator(generator(z)).sigmoid(), torch.ones(len(z)))
    )


def test_a_cut_off_generator_loss_passes_with_a_remark():
    def with_a_small_constant(generator, discriminator, g_optimiser, z):
        return update(g_optimiser, -(discriminator(generator(z)).sigmoid() + 1e-7).log().mean())

    feedback = check_generator_step(with_a_small_constant)
    assert (feedback.ok, feedback.kind) == (True, "tails"), feedback
    assert "cuts your loss off" in feedback.message


# … wrong


def g_from(loss):
    def step(generator, discriminator, g_optimiser, z):
        return update(g_optimiser, loss(discriminator(generator(z))))

    return step


def g_moves_both(generator, discriminator, g_optimiser, z):
    """The freeze that was forgotten: D is taught to call fakes real."""
    both = torch.optim.SGD([*generator.parameters(), *discriminator.parameters()], lr=0.1)
    return update(both, F.softplus(-discriminator(generator(z))).mean())


def g_detaches(generator, discriminator, g_optimiser, z):
    return update(g_optimiser, F.softplus(-discriminator(generator(z).detach())).mean())


def g_detaches_before_a_frozen_discriminator(generator, discriminator, g_optimiser, z):
    discriminator.requires_grad_(False)
    return g_detaches(generator, discriminator, g_optimiser, z)


def g_never_clears(generator, discriminator, g_optimiser, z):
    loss = F.softplus(-discriminator(generator(z))).mean()
    loss.backward()
    g_optimiser.step()
    return loss


def g_never_steps(generator, discriminator, g_optimiser, z):
    g_optimiser.zero_grad()
    loss = F.softplus(-discriminator(generator(z))).mean()
    loss.backward()
    return loss


def g_never_backward(generator, discriminator, g_optimiser, z):
    g_optimiser.zero_grad()
    g_optimiser.step()
    return F.softplus(-discriminator(generator(z))).mean()


def g_leaves_frozen(generator, discriminator, g_optimiser, z):
    discriminator.requires_grad_(False)
    return update(g_optimiser, F.softplus(-discriminator(generator(z))).mean())


def g_leaves_eval(generator, discriminator, g_optimiser, z):
    discriminator.eval()
    return g_with_labels(generator, discriminator, g_optimiser, z)


def g_in_eval(generator, discriminator, g_optimiser, z):
    generator.eval()
    loss = g_with_labels(generator, discriminator, g_optimiser, z)
    generator.train()
    return loss


def g_with_own_noise(generator, discriminator, g_optimiser, z):
    return g_with_labels(generator, discriminator, g_optimiser, torch.randn_like(z))


def g_reports_another(generator, discriminator, g_optimiser, z):
    return 2 * g_with_labels(generator, discriminator, g_optimiser, z)


def g_reports_nothing(generator, discriminator, g_optimiser, z):
    g_with_labels(generator, discriminator, g_optimiser, z)


def g_clears_too_late(generator, discriminator, g_optimiser, z):
    loss = F.softplus(-discriminator(generator(z))).mean()
    loss.backward()
    g_optimiser.zero_grad()
    g_optimiser.step()
    return loss


def g_freezes_itself(generator, discriminator, g_optimiser, z):
    generator.requires_grad_(False)
    loss = update(g_optimiser, F.softplus(-discriminator(generator(z))).mean())
    generator.requires_grad_(True)
    return loss


def g_steps_twice(generator, discriminator, g_optimiser, z):
    loss = g_with_logsigmoid(generator, discriminator, g_optimiser, z)
    g_optimiser.step()
    return loss


G_WRONG = [
    (g_clears_too_late, "no_gradient", "cleared before the step"),
    (g_freezes_itself, "detached", "frozen in place of D"),
    (g_steps_twice, "many_steps", "more than once in a call"),
    (g_from(lambda a: F.softplus(-a)), "no_mean", "one number an image"),
    (g_from(lambda a: -a.log().mean()), "nan", "negative number"),
    (g_from(lambda a: F.cross_entropy(a, ones(a))), "classes", "compares classes"),
    (g_moves_both, "opponent_moved", "also moved the discriminator"),
    (g_detaches, "detached", "cut from the graph"),
    (g_detaches_before_a_frozen_discriminator, "detached", "nothing to train"),
    (g_never_clears, "forgot_zero_grad", "Old gradients"),
    (g_never_steps, "no_step", "who takes the step"),
    (g_never_backward, "no_gradient", "`backward()`"),
    (g_leaves_frozen, "left_frozen", "still frozen"),
    (g_leaves_eval, "left_in_eval", "evaluation mode"),
    (g_in_eval, "generator_in_eval", "evaluation mode"),
    (g_with_own_noise, "noise", "new noise"),
    (g_reports_another, "returned", "number you return"),
    (g_reports_nothing, "none", "`return`"),
    (g_from(lambda a: bce(a, zeros(a))), "helps_discriminator", "called fake"),
    (g_from(lambda a: (1 - a.sigmoid()).log().mean()), "saturating", "saturating (minimax) loss"),
    (g_from(lambda a: -bce(a, ones(a))), "ascends", "uphill"),
    (g_from(lambda a: bce(a.sigmoid(), ones(a))), "sigmoid_twice", "applied twice"),
    (g_from(lambda a: bce(a, ones(a), reduction="sum")), "sum", "Take the mean"),
    (g_from(lambda a: bce(a, ones(a)) / 2), "half", "half of what"),
    (g_from(lambda a: -a.mean()), "wasserstein", "Wasserstein"),
    (g_from(lambda a: F.mse_loss(a, ones(a))), "least_squares", "least squares"),
    (g_from(lambda a: F.mse_loss(a.sigmoid(), ones(a))), "least_squares", "squared errors"),
    (g_from(lambda a: -a.sigmoid().mean()), "probability", "without the logarithm"),
    (g_from(lambda a: bce(a, 0.9 * ones(a))), "smoothed_labels", "0.9"),
    (g_from(lambda a: -(1 - (-a).sigmoid()).log().mean()), "tails", "log 0"),
    (g_from(lambda a: F.binary_cross_entropy(a, ones(a))), "logits", "given logits"),
    (g_from(lambda a: 5 * bce(a, ones(a))), "scale", "5 times"),
    (g_from(lambda a: (a**2).mean()), "update", "cosine"),
    (g_from(lambda a: (a / 0).mean()), "nan", "division by 0"),
]


@pytest.mark.parametrize(
    "step, kind, phrase", G_WRONG, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_a_wrong_generator_step_is_called_by_name(step, kind, phrase):
    feedback = check_generator_step(step)
    assert (feedback.ok, feedback.kind) == (False, kind), feedback
    assert phrase in feedback.message


# The tables, and what the checks leave alone


@pytest.mark.parametrize("trains, ways", [("discriminator", checks.D_WAYS), ("generator", checks.G_WAYS)])
def test_no_two_ways_can_be_taken_for_each_other(trains, ways, dtype):
    torch.manual_seed(5)
    cases = [
        checks._case(checks.BATCHES[0], batch_norm=True),
        checks._case(checks.BATCHES[1], batch_norm=False),
    ]
    moves = [[checks._trace(way.step, case, trains).moves for case in cases] for way in ways]
    for (one, a), (two, b) in itertools.combinations(zip(ways, moves, strict=True), 2):
        if one.kind != two.kind:
            apart = max(
                ((x - y).abs().max() / torch.minimum(x.abs().max(), y.abs().max())).item()
                for x, y in zip(a, b, strict=True)
            )
            assert apart > 10 * checks.SAME, (one.kind, two.kind, apart)


@pytest.mark.parametrize("check, trains", [(check_discriminator_step, 0), (check_generator_step, 1)])
def test_every_call_starts_from_untouched_networks(check, trains):
    """A step that wrecks what it is given is judged on fresh copies, and the first inputs come back as they were."""
    seen = []

    def vandal(generator, discriminator, optimiser, *inputs):
        parameters = [*generator.parameters(), *discriminator.parameters()]
        seen.append([each.detach().clone() for each in parameters] + [each.clone() for each in inputs])
        with torch.no_grad():
            for each in parameters:
                each.add_(torch.randn_like(each))
        return 0.5

    step = (
        (lambda a, b, c, real, z: vandal(a, b, c, real, z))
        if trains == 0
        else (lambda a, b, c, z: vandal(a, b, c, z))
    )
    first = check(step)
    second = check(step)
    assert first == second
    assert first.kind == "opponent_moved"
    half = len(seen) // 2
    assert half == 4  # two calls on each of two inputs
    for now, then in zip(seen[:half:2], seen[half::2], strict=True):
        assert all(map(torch.equal, now, then))


def test_a_trace_leaves_its_case_alone():
    torch.manual_seed(1)
    case = checks._case(5, batch_norm=True)
    kept = copy.deepcopy(case)
    checks._trace(d_with_labels, case, "discriminator")
    assert torch.equal(case.real, kept.real) and torch.equal(case.z, kept.z)
    for now, then in zip(case.discriminator.parameters(), kept.discriminator.parameters(), strict=True):
        assert torch.equal(now, then) and now.grad is None


def test_the_reference_is_the_loss_of_the_course():
    """Against log-probabilities from torch.distributions, an oracle that shares no code with the check."""
    torch.manual_seed(2)
    real, fake = 3 * torch.randn(6), 3 * torch.randn(6)
    value = Bernoulli(logits=real).log_prob(torch.ones(6)) + Bernoulli(logits=fake).log_prob(torch.zeros(6))
    torch.testing.assert_close(checks._d_loss(real, fake), -value.mean())
    torch.testing.assert_close(checks._g_loss(fake), -Bernoulli(logits=fake).log_prob(torch.ones(6)).mean())


def test_a_notebook_in_no_grad_mode_gets_the_same_answer():
    with torch.no_grad():
        assert check_discriminator_step(d_with_softplus).kind == "right"
        assert check_generator_step(g_with_frozen_discriminator).kind == "right"


def test_the_solutions_in_the_notebook_pass():
    names = folded_solutions(
        "04_first_gan", torch=torch, discriminator_loss=discriminator_loss, non_saturating=non_saturating
    )
    assert check_discriminator_step(names["my_discriminator_step"]).kind == "right"
    assert check_generator_step(names["my_generator_step"]).kind == "right"


def test_the_tails_are_reached_in_both_precisions(dtype):
    """Sure enough for a sigmoid to round to 0 and 1 in float64 too, not so sure that a float32 logarithm overflows."""
    torch.manual_seed(7)
    for _ in range(2):
        case = checks._sure_case()
        logits = case.discriminator(case.generator(case.z))
        assert logits.min() < -45 and logits.max() > 45
        assert 1 - logits.max().sigmoid() == 0
    naive_d = d_from(lambda r, f: -(r.sigmoid().log() + (1 - f.sigmoid()).log()).mean())
    naive_g = g_from(lambda a: -(1 - (-a).sigmoid()).log().mean())
    assert check_discriminator_step(naive_d).kind == "tails"
    assert check_generator_step(naive_g).kind == "tails"
