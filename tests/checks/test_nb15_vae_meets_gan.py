"""Both sides of the check of notebook 15: every right way to train a VAE-GAN passes, wrong ones are named."""

import functools
import itertools

import pytest
import torch
import torch.nn.functional as F
from answers import folded_solutions, tests_of
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.nn.functional import softplus

from helpers.checks.nb15_vae_meets_gan import VAE_GAN, check_vae_gan_wiring
from helpers.feedback import copied
from helpers.vae import gaussian_kl

# Right


def step_each(networks, optimisers, three):
    """Each network by its own loss."""
    for network, optimiser, loss in zip(networks, optimisers, three, strict=True):
        optimiser.zero_grad()
        loss.backward(inputs=list(network.parameters()), retain_graph=True)
        optimiser.step()


def from_verdicts(kl, f, f_again, a, a_again, a_sample, gamma):
    """The three losses (15.5) from features and logits, wherever these were cut."""
    features = (f - f_again).square().sum(dim=1).mean() / 2
    fool = (softplus(-a_again) + softplus(-a_sample)).mean() / 2
    tell = softplus(-a).mean() + (softplus(a_again) + softplus(a_sample)).mean() / 2
    return kl + features, gamma * features + fool, tell


def losses(encoder, decoder, discriminator, real, eps, z, gamma):
    """The three losses, from one pass through all three networks."""
    mu, log_var = encoder(real)
    again, sample = decoder(mu + (log_var / 2).exp() * eps), decoder(z)
    (f, a), (f_again, a_again), (_, a_sample) = map(discriminator, (real, again, sample))
    return from_verdicts(gaussian_kl(mu, log_var).mean(), f, f_again, a, a_again, a_sample, gamma)


def by(train, change=lambda real, eps, z: (real, eps, z), own=losses):
    """A step that takes the three losses and calls train(networks, optimisers, three)."""

    def step(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
        networks = encoder, decoder, discriminator
        return train(networks, optimisers, own(*networks, *change(real, eps, z), gamma))

    return step


def all_then_steps(networks, optimisers, three):
    for network, optimiser, loss in zip(networks, optimisers, three, strict=True):
        optimiser.zero_grad(set_to_none=False)
        loss.backward(inputs=list(network.parameters()), retain_graph=True)
    for optimiser in reversed(optimisers):
        optimiser.step()
    return three


def by_hand_to_grad(networks, optimisers, three):
    for network, loss in zip(networks, three, strict=True):
        parts = list(network.parameters())
        for part, grad in zip(parts, torch.autograd.grad(loss, parts, retain_graph=True), strict=True):
            part.grad = grad
    for optimiser in optimisers:
        optimiser.step()


def own_pass(order):
    """Clear all, one backward, one step; three times, with a pass of its own."""

    def step(encoder, decoder, discriminator, optimisers, *rest):
        for place in order:
            loss = losses(encoder, decoder, discriminator, *rest)[place]
            for each in optimisers:
                each.zero_grad()
            loss.backward()
            optimisers[place].step()

    return step


def discriminator_first(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    """With fakes that are cut off for D, and a frozen D for the others."""
    e_optimiser, g_optimiser, d_optimiser = optimisers
    mu, log_var = encoder(real)
    fakes = torch.cat([decoder(mu + torch.exp(0.5 * log_var) * eps), decoder(z)])
    real_logits, fake_logits = discriminator(real)[1], discriminator(fakes.detach())[1]
    on_real = cross_entropy(real_logits, torch.ones_like(real_logits))
    d_optimiser.zero_grad()
    (on_real + cross_entropy(fake_logits, torch.zeros_like(fake_logits))).backward()
    d_optimiser.step()
    discriminator.requires_grad_(False)
    features, logits = discriminator(torch.cat([real, fakes]))
    n = len(real)
    rec = 0.5 * F.mse_loss(features[n : 2 * n], features[:n], reduction="sum") / n
    fool = cross_entropy(logits[n:], torch.ones_like(logits[n:]))
    e_optimiser.zero_grad()
    (gaussian_kl(mu, log_var).mean() + rec).backward(inputs=list(encoder.parameters()), retain_graph=True)
    g_optimiser.zero_grad()
    (gamma * rec + fool).backward(inputs=list(decoder.parameters()))
    e_optimiser.step()
    g_optimiser.step()
    discriminator.requires_grad_(True)


def with_detached_codes(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    """The decoder's loss on codes that are cut off from the encoder; all cleared at the end."""
    mu, log_var = encoder(real)
    code = mu + (log_var / 2).exp() * eps
    f, f_again = discriminator(real)[0], discriminator(decoder(code))[0]
    (gaussian_kl(mu, log_var).mean() + (f - f_again).square().sum(1).mean() / 2).backward()
    optimisers[0].step()
    decoder.zero_grad(), discriminator.zero_grad()
    again, sample = decoder(code.detach()), decoder(z)
    (f_again, a_again), (_, a_sample) = discriminator(again), discriminator(sample)
    fool = -(F.logsigmoid(a_again).mean() + F.logsigmoid(a_sample).mean()) / 2
    (gamma * (f.detach() - f_again).square().sum(1).mean() / 2 + fool).backward()
    optimisers[1].step()
    discriminator.zero_grad()
    a, a_again, a_sample = (discriminator(x.detach())[1] for x in (real, again, sample))
    (-F.logsigmoid(a) - F.logsigmoid(-a_again) / 2 - F.logsigmoid(-a_sample) / 2).mean().backward()
    optimisers[2].step()
    for network in (encoder, decoder, discriminator):
        network.zero_grad()


def by_distributions(encoder, decoder, discriminator, real, eps, z, gamma):
    mu, log_var = encoder(real)
    q = Normal(mu, log_var.exp().sqrt())
    kl = kl_divergence(q, Normal(torch.zeros_like(mu), torch.ones_like(mu))).sum(1).mean()
    (f, a), (f_again, a_again) = discriminator(real), discriminator(decoder(q.mean + q.stddev * eps))
    rec = -Normal(f_again, torch.ones_like(f_again)).log_prob(f).sum(1).mean()  # with its constant
    fake = torch.stack([a_again, discriminator(decoder(z))[1]])
    return kl + rec, gamma * rec + softplus(-fake).mean(), softplus(-a).mean() + softplus(fake).mean()


def in_double(encoder, decoder, discriminator, real, eps, z, gamma):
    mu, log_var = (each.double() for each in encoder(real))
    again, sample = decoder((mu + (log_var / 2).exp() * eps).to(real)), decoder(z)
    seen = [[each.double() for each in discriminator(x)] for x in (real, again, sample)]
    (f, a), (f_again, a_again), (_, a_sample) = seen
    return from_verdicts(gaussian_kl(mu, log_var).mean(), f, f_again, a, a_again, a_sample, gamma)


def image_by_image(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    """Gradients of single images, added up, one at a time."""
    networks = encoder, decoder, discriminator
    for network in networks:
        network.zero_grad()
    for i in range(len(real)):
        three = losses(*networks, real[i, None], eps[i, None], z[i, None], gamma)
        for network, loss in zip(networks, three, strict=True):
            (loss / len(real)).backward(inputs=list(network.parameters()), retain_graph=True)
    for optimiser in optimisers:
        optimiser.step()
    return real


by_inputs = by(all_then_steps)
RIGHT = [
    by_inputs,
    by(step_each),  # in the only order in which no step spoils what a later loss has to pass
    by(by_hand_to_grad),
    own_pass((0, 1, 2)),
    own_pass((2, 1, 0)),
    discriminator_first,
    with_detached_codes,
    by(step_each, lambda real, eps, z: (real.flip(0), eps.flip(0), z.roll(1, 0))),
    by(step_each, own=by_distributions),
    by(all_then_steps, own=in_double),
    image_by_image,
]

# Wrong


def sent_to(places, clear=True):
    """One graph, cleared once or never; the loss at each place goes to the networks named there."""

    def train(networks, optimisers, three):
        for optimiser in optimisers if clear else ():
            optimiser.zero_grad()
        for loss, to in zip(three, places, strict=True):
            loss.backward(inputs=[part for k in to for part in networks[k].parameters()], retain_graph=True)
        for optimiser in optimisers:
            optimiser.step()

    return by(train)


def plain_backward(clear):
    """Before each plain `backward` the networks at clear(place) are cleared; the steps come at the end."""

    def train(networks, optimisers, three):
        for place, loss in enumerate(three):
            for each in clear(place):
                optimisers[each].zero_grad()
            loss.backward(retain_graph=True)
        for optimiser in optimisers:
            optimiser.step()

    return by(train)


def verdicts_cut(code=lambda x: x, fakes=lambda x: x):
    """What is decoded, or what D sees of the fakes, is cut off for all losses at once."""

    def three(encoder, decoder, discriminator, real, eps, z, gamma):
        mu, log_var = encoder(real)
        again, sample = decoder(code(mu + (log_var / 2).exp() * eps)), decoder(z)
        (f, a), (f_again, _) = map(discriminator, (real, again))
        a_again, a_sample = (discriminator(fakes(x))[1] for x in (again, sample))
        return from_verdicts(gaussian_kl(mu, log_var).mean(), f, f_again, a, a_again, a_sample, gamma)

    return by(step_each, own=three)


def then(change):
    """A right step, and something after it."""

    def step(*args):
        by_inputs(*args)
        change(*args)

    return step


def moves_by_hand(encoder, *rest):
    with torch.no_grad():
        for part in encoder.parameters():
            part -= 0.01


def cleared_before_the_step(networks, optimisers, three):
    for loss in three:
        loss.backward(retain_graph=True)
    for optimiser in optimisers:
        optimiser.zero_grad()
        optimiser.step()


def graph_not_kept(networks, optimisers, three):
    for network, optimiser, loss in zip(networks, optimisers, three, strict=True):
        optimiser.zero_grad()
        loss.backward(inputs=list(network.parameters()))
        optimiser.step()


def adds_in_place(networks, optimisers, three):
    spoilt = next(networks[0].parameters()).exp()
    loss = three[0] + 0 * spoilt.square().sum()
    spoilt.add_(1)
    step_each(networks, optimisers, (loss, *three[1:]))


@functools.cache
def one_graph(order):
    """One pass, and each network is stepped at once, in this order."""

    def train(networks, optimisers, three):
        for place in order:
            step_each(networks[place : place + 1], optimisers[place : place + 1], three[place : place + 1])

    return by(train)


def weighed(change):
    """The three losses, changed."""
    return by(step_each, own=lambda *args: change(*losses(*args)))


def clipped(networks, optimisers, three):
    for network, optimiser, loss in zip(networks, optimisers, three, strict=True):
        optimiser.zero_grad()
        loss.backward(inputs=list(network.parameters()), retain_graph=True)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()


def hinge(encoder, decoder, discriminator, real, eps, z, gamma):
    e_loss, g_loss, _ = losses(encoder, decoder, discriminator, real, eps, z, gamma)
    mu, log_var = encoder(real)
    fakes = decoder(torch.cat([mu + (log_var / 2).exp() * eps, z]))
    d_loss = F.relu(1 - discriminator(real)[1]).mean() + F.relu(1 + discriminator(fakes)[1]).mean()
    return e_loss, g_loss, d_loss


ALL = (0, 1, 2)
WRONG = [
    (sent_to(((0,), (1,), (2,)), clear=False), "stale", "Every network still holds"),
    (sent_to((ALL, ALL, ALL)), "other_loss", "Each loss reaches all networks"),
    (sent_to(((0,), (1,), ALL)), "other_loss", "The discriminator's loss reaches other networks"),
    (sent_to(((0, 1), (0, 1), (2,))), "other_loss", "The decoder's loss reaches other networks"),
    (sent_to(((0,), (0, 1), (2,))), "other_loss", "The decoder's loss reaches other networks"),
    (sent_to(((1,), (0,), (2,))), "decoders_loss", "Which two terms"),
    (plain_backward(lambda place: [place]), "other_loss", "Each loss reaches all networks"),
    (plain_backward(lambda place: ALL), "other_loss", "The discriminator's loss stands in place"),
    (by(lambda n, o, three: step_each(n, o, [sum(three)] * 3)), "other_loss", "Each loss reaches"),
    (verdicts_cut(code=torch.Tensor.detach), "only_kl", "detach"),
    (verdicts_cut(fakes=torch.Tensor.detach), "no_game", "adversarial"),
    (then(moves_by_hand), "by_hand", "other means"),
    (then(lambda *a: a[3][2].step()), "steps", "discriminator's optimiser steps more than once"),
    (then(lambda *a: a[2].requires_grad_(False)), "left_frozen", "requires_grad"),
    (then(lambda *a: a[1].eval()), "left_in_eval", "train()"),
    (then(lambda *a: a[5].mul_(2)), "changed_input", "`eps`"),
    (by(lambda networks, optimisers, three: three), "steps", "does not step"),
    (by(step_each, lambda real, eps, z: (real, torch.randn_like(eps), z)), "own_noise", "handed to you"),
    (by(step_each, own=hinge), "gradient", "The discriminator's gradient is another one"),
    (weighed(lambda e, g, d: (5 * e, 5 * g, 5 * d)), "scale", "5 times the right length"),
    (weighed(lambda e, g, d: (1.02 * e, g, d)), "scale", "Which factor"),
    (by(clipped), "scale", "The decoder's"),
    (weighed(lambda e, g, d: (e / 0, g, d)), "nan", "NaN or infinite"),
    (by(graph_not_kept), "second_backward", "Keep the graph, or compute it again"),
    (by(cleared_before_the_step), "empty", "cleared after `backward`"),
    (by(adds_in_place), "in_place", "a method that ends in `_`"),
]  # fmt: skip
test_right_steps, _, test_wrong_steps = tests_of(check_vae_gan_wiring, RIGHT, wrong=WRONG)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_one_graph_is_accepted_in_the_orders_that_a_real_optimiser_survives(order):
    case = copied(VAE_GAN.cases()[0])
    networks = [case[name] for name in ("encoder", "decoder", "discriminator")]
    optimisers = [torch.optim.Adam(network.parameters()) for network in networks]
    try:
        one_graph(order)(*networks, optimisers, case.real, case.eps, case.z, case.gamma)
        survives = True
    except RuntimeError:
        survives = False
    feedback = check_vae_gan_wiring(one_graph(order))
    assert survives == (order == (0, 1, 2))
    assert feedback.kind == ("right" if survives else "in_place"), feedback


def test_the_solution_that_the_notebook_folds_away_passes():
    solutions = folded_solutions("15_vae_meets_gan", torch=torch, softplus=softplus, gaussian_kl=gaussian_kl)
    feedback = check_vae_gan_wiring(solutions["my_vae_gan_step"])
    assert (feedback.ok, feedback.kind) == (True, "right"), feedback
