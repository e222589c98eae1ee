"""Both sides of the check of notebook 15: every right way to wire a VAE-GAN passes, every wrong one is named."""

import functools
import itertools

import pytest
import torch
import torch.nn.functional as F
from folded_solutions import folded_solutions
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.nn.functional import softplus

from helpers.checks import check_vae_gan_wiring
from helpers.checks.vae_gan import LATENT, WAYS, TinyDiscriminator, TinyEncoder, _decoder, _terms
from helpers.vae import gaussian_kl

# Right


def step_each(networks, optimisers, three):
    """Each network by its own loss."""
    for network, optimiser, loss in zip(networks, optimisers, three, strict=True):
        optimiser.zero_grad()
        loss.backward(inputs=list(network.parameters()), retain_graph=True)
        optimiser.step()


def from_verdicts(kl, f, f_again, a, a_again, a_sample, gamma):
    """The three losses (15.6) from features and logits, wherever these were cut."""
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


def by_inputs(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    networks = encoder, decoder, discriminator
    three = losses(*networks, real, eps, z, gamma)
    for network, optimiser, loss in zip(networks, optimisers, three, strict=True):
        optimiser.zero_grad()
        loss.backward(inputs=list(network.parameters()), retain_graph=True)
    for optimiser in optimisers:
        optimiser.step()
    return three


def by_hand_to_grad(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    networks = encoder, decoder, discriminator
    three = losses(*networks, real, eps, z, gamma)
    for network, loss in zip(networks, three, strict=True):
        parts = list(network.parameters())
        for part, grad in zip(parts, torch.autograd.grad(loss, parts, retain_graph=True), strict=True):
            part.grad = grad
    for optimiser in optimisers:
        optimiser.step()
    return three[0]


def one_pass_each(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    """Clear all, one backward, one step; three times, with a pass of its own."""
    networks = encoder, decoder, discriminator
    for place, optimiser in enumerate(optimisers):
        loss = losses(*networks, real, eps, z, gamma)[place]
        for each in optimisers:
            each.zero_grad()
        loss.backward()
        optimiser.step()
    return loss


def discriminator_first(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    """With fakes that are cut off for D, and a frozen D for the others."""
    e_optimiser, g_optimiser, d_optimiser = optimisers
    mu, log_var = encoder(real)
    code = mu + torch.exp(0.5 * log_var) * eps
    fakes = torch.cat([decoder(code), decoder(z)])
    _, real_logits = discriminator(real)
    _, fake_logits = discriminator(fakes.detach())
    d_loss = cross_entropy(real_logits, torch.ones_like(real_logits)) + cross_entropy(
        fake_logits, torch.zeros_like(fake_logits)
    )
    d_optimiser.zero_grad()
    d_loss.backward()
    d_optimiser.step()
    discriminator.requires_grad_(False)
    features, logits = discriminator(torch.cat([real, fakes]))
    n = len(real)
    rec = 0.5 * F.mse_loss(features[n : 2 * n], features[:n], reduction="sum") / n
    kl = gaussian_kl(mu, log_var).mean()
    fool = cross_entropy(logits[n:], torch.ones_like(logits[n:]))
    e_optimiser.zero_grad()
    (kl + rec).backward(inputs=list(encoder.parameters()), retain_graph=True)
    g_optimiser.zero_grad()
    (gamma * rec + fool).backward(inputs=list(decoder.parameters()))
    e_optimiser.step()
    g_optimiser.step()
    discriminator.requires_grad_(True)
    return d_loss


def with_detached_codes(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    """The decoder's loss on codes that are cut off from the encoder; all cleared at the end."""
    e_optimiser, g_optimiser, d_optimiser = optimisers
    mu, log_var = encoder(real)
    code = mu + (log_var / 2).exp() * eps
    f, a = discriminator(real)
    f_again, _ = discriminator(decoder(code))
    (gaussian_kl(mu, log_var).mean() + (f - f_again).square().sum(1).mean() / 2).backward()
    e_optimiser.step()
    decoder.zero_grad(), discriminator.zero_grad()
    again, sample = decoder(code.detach()), decoder(z)
    f_again, a_again = discriminator(again)
    _, a_sample = discriminator(sample)
    fool = -(F.logsigmoid(a_again).mean() + F.logsigmoid(a_sample).mean()) / 2
    (gamma * (f.detach() - f_again).square().sum(1).mean() / 2 + fool).backward()
    g_optimiser.step()
    discriminator.zero_grad()
    a, a_again, a_sample = (discriminator(x.detach())[1] for x in (real, again, sample))
    tell = (-F.logsigmoid(a) - F.logsigmoid(-a_again) / 2 - F.logsigmoid(-a_sample) / 2).mean()
    tell.backward()
    d_optimiser.step()
    for network in (encoder, decoder, discriminator):
        network.zero_grad()
    return tell


def permuted(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    order = torch.randperm(len(real))
    return by_inputs(encoder, decoder, discriminator, optimisers, real[order], eps[order], z.flip(0), gamma)


def with_distributions(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    networks = encoder, decoder, discriminator
    mu, log_var = encoder(real)
    q = Normal(mu, log_var.exp().sqrt())
    kl = kl_divergence(q, Normal(torch.zeros_like(mu), torch.ones_like(mu))).sum(1).mean()
    f, a = discriminator(real)
    f_again, a_again = discriminator(decoder(q.mean + q.stddev * eps))
    _, a_sample = discriminator(decoder(z))
    rec = -Normal(f_again, torch.ones_like(f_again)).log_prob(f).sum(1).mean()  # with its constant
    fake = torch.stack([a_again, a_sample])
    three = kl + rec, gamma * rec + softplus(-fake).mean(), softplus(-a).mean() + softplus(fake).mean()
    for network, loss, optimiser in zip(networks, three, optimisers, strict=True):
        network.zero_grad()
        loss.backward(inputs=[*network.parameters()], retain_graph=True)
        optimiser.step()
    return rec


def in_double(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    networks = encoder, decoder, discriminator
    mu, log_var = encoder(real)
    again, sample = decoder(mu + (log_var / 2).exp() * eps), decoder(z)
    seen = [discriminator(x) for x in (real, again, sample)]
    (f, a), (f_again, a_again), (_, a_sample) = [(f.double(), a.double()) for f, a in seen]
    kl = gaussian_kl(mu.double(), log_var.double()).mean()
    rec = torch.einsum("bi,bi->", f - f_again, f - f_again) / (2 * len(real))
    fool = 0.5 * torch.log1p((-a_again).exp()).mean() + 0.5 * torch.log1p((-a_sample).exp()).mean()
    tell = torch.log1p((-a).exp()).mean() + (softplus(a_again).mean() + softplus(a_sample).mean()) / 2
    for network, loss, optimiser in zip(
        networks, (kl + rec, gamma * rec + fool, tell), optimisers, strict=True
    ):
        optimiser.zero_grad(set_to_none=False)
        loss.backward(inputs=list(network.parameters()), retain_graph=True)
    [optimiser.step() for optimiser in optimisers]
    return rec.item()


def image_by_image(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    """Gradients of single images, added up, one at a time."""
    networks = encoder, decoder, discriminator
    for network in networks:
        network.zero_grad()
    for i in range(len(real)):
        row = slice(i, i + 1)
        three = losses(*networks, real[row], eps[row], z[row], gamma)
        for network, loss in zip(networks, three, strict=True):
            (loss / len(real)).backward(inputs=list(network.parameters()), retain_graph=True)
    for optimiser in optimisers:
        optimiser.step()
    return real


def returning_nothing(*args):
    by_inputs(*args)


def stepping_in_between(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    """One graph; the only order in which each step spoils nothing that a later loss has to pass."""
    networks = encoder, decoder, discriminator
    step_each(networks, optimisers, losses(*networks, real, eps, z, gamma))


def discriminator_first_with_passes_of_their_own(
    encoder, decoder, discriminator, optimisers, real, eps, z, gamma
):
    networks = encoder, decoder, discriminator
    for place in (2, 1, 0):
        loss = losses(*networks, real, eps, z, gamma)[place]
        optimisers[place].zero_grad()
        loss.backward()
        optimisers[place].step()


RIGHT = [
    stepping_in_between,
    discriminator_first_with_passes_of_their_own,
    by_inputs,
    by_hand_to_grad,
    one_pass_each,
    discriminator_first,
    with_detached_codes,
    permuted,
    with_distributions,
    in_double,
    image_by_image,
    returning_nothing,
]


@pytest.mark.parametrize("step", RIGHT)
def test_right_wiring_passes(step, dtype):
    feedback = check_vae_gan_wiring(step)
    assert (feedback.ok, feedback.kind) == (True, "right"), feedback


def test_the_solution_that_the_notebook_folds_away_passes():
    solutions = folded_solutions("15_vae_meets_gan", torch=torch, softplus=softplus, gaussian_kl=gaussian_kl)
    feedback = check_vae_gan_wiring(solutions["my_vae_gan_step"])
    assert (feedback.ok, feedback.kind) == (True, "right"), feedback


# Wrong, by the table: each way of each network, while the other two are right


def wired(**chosen):
    """A step in which the networks named follow the way at that place of their table, and the others the right one."""

    def step(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
        terms = _terms(encoder, decoder, discriminator, real, eps, z)
        networks = encoder, decoder, discriminator
        for (name, ways), network, optimiser in zip(WAYS.items(), networks, optimisers, strict=True):
            loss = ways[chosen.get(name, 0)].answer(terms)
            optimiser.zero_grad()
            loss.backward(inputs=list(network.parameters()), retain_graph=True)
        for optimiser in optimisers:
            optimiser.step()
        return terms["kl"]

    return step


TABLE = [(name, place) for name, ways in WAYS.items() for place in range(1, len(ways))]


@pytest.mark.parametrize(("name", "place"), TABLE, ids=lambda value: str(value))
def test_each_way_of_the_table_is_called_by_its_name(name, place):
    way, feedback = WAYS[name][place], check_vae_gan_wiring(wired(**{name: place}))
    assert (feedback.ok, feedback.kind) == (way.ok, way.kind)
    assert way.message in feedback.message


def test_the_library_is_large_enough():
    assert len(RIGHT) >= 8
    assert sum(not way.ok for ways in WAYS.values() for way in ways) >= 15


# Wrong, as it happens in code


def forgets_to_clear(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    networks = encoder, decoder, discriminator
    for network, loss in zip(networks, losses(*networks, real, eps, z, gamma), strict=True):
        loss.backward(inputs=list(network.parameters()), retain_graph=True)
    for optimiser in optimisers:
        optimiser.step()
    return loss


def three_plain_backwards(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    """Cleared once, then three times `backward`: each network holds the gradients of all three losses."""
    for optimiser in optimisers:
        optimiser.zero_grad()
    for loss in losses(encoder, decoder, discriminator, real, eps, z, gamma):
        loss.backward(retain_graph=True)
    for optimiser in optimisers:
        optimiser.step()
    return loss


def one_sum(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    """One loss for all: the fakes are told to look fake and real at once."""
    for optimiser in optimisers:
        optimiser.zero_grad()
    loss = sum(losses(encoder, decoder, discriminator, real, eps, z, gamma))
    loss.backward()
    for optimiser in optimisers:
        optimiser.step()
    return loss


def detached_code(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    mu, log_var = encoder(real)
    again, sample = decoder((mu + (log_var / 2).exp() * eps).detach()), decoder(z)
    (f, a), (f_again, a_again), (_, a_sample) = map(discriminator, (real, again, sample))
    three = from_verdicts(gaussian_kl(mu, log_var).mean(), f, f_again, a, a_again, a_sample, gamma)
    step_each((encoder, decoder, discriminator), optimisers, three)
    return three


def fakes_cut_for_all(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    """The verdict on fakes is taken once, cut off from the decoder, and used for its loss too."""
    mu, log_var = encoder(real)
    again, sample = decoder(mu + (log_var / 2).exp() * eps), decoder(z)
    (f, a), (f_again, _) = map(discriminator, (real, again))
    a_again, a_sample = (discriminator(x.detach())[1] for x in (again, sample))
    three = from_verdicts(gaussian_kl(mu, log_var).mean(), f, f_again, a, a_again, a_sample, gamma)
    step_each((encoder, decoder, discriminator), optimisers, three)
    return three


def moves_by_hand(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    loss = by_inputs(encoder, decoder, discriminator, optimisers, real, eps, z, gamma)
    with torch.no_grad():
        for part in encoder.parameters():
            part -= 0.01 * part.grad
    return loss


def two_discriminator_steps(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    loss = by_inputs(encoder, decoder, discriminator, optimisers, real, eps, z, gamma)
    optimisers[2].step()
    return loss


def never_steps(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    return losses(encoder, decoder, discriminator, real, eps, z, gamma)


def losses_exchanged(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    networks = encoder, decoder, discriminator
    three = losses(*networks, real, eps, z, gamma)
    for network, loss in zip(networks, (three[1], three[0], three[2]), strict=True):
        network.zero_grad()
        loss.backward(inputs=list(network.parameters()), retain_graph=True)
    for optimiser in optimisers:
        optimiser.step()
    return three


def deviation_for_variance(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    """ε is stretched, so that σ ε becomes σ² ε."""
    deviation = (encoder(real)[1] / 2).exp()
    return by_inputs(encoder, decoder, discriminator, optimisers, real, deviation * eps, z, gamma)


def features_averaged(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    def look(images):
        features, logits = discriminator(images)
        return features / features.shape[1] ** 0.5, logits

    networks = encoder, decoder, discriminator
    three = losses(encoder, decoder, look, real, eps, z, gamma)
    for network, optimiser, loss in zip(networks, optimisers, three, strict=True):
        optimiser.zero_grad()
        loss.backward(inputs=list(network.parameters()), retain_graph=True)
        optimiser.step()
    return three


def the_mean_as_code(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    return by_inputs(encoder, decoder, discriminator, optimisers, real, 0 * eps, z, gamma)


def summed_over_the_images(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    networks = encoder, decoder, discriminator
    three = losses(*networks, real, eps, z, gamma)
    for network, optimiser, loss in zip(networks, optimisers, three, strict=True):
        optimiser.zero_grad()
        (len(real) * loss).backward(inputs=list(network.parameters()), retain_graph=True)
        optimiser.step()
    return three


def hinge_for_the_discriminator(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    networks = encoder, decoder, discriminator
    e_loss, g_loss, _ = losses(*networks, real, eps, z, gamma)
    mu, log_var = encoder(real)
    fakes = decoder(torch.cat([mu + (log_var / 2).exp() * eps, z]))
    d_loss = F.relu(1 - discriminator(real)[1]).mean() + F.relu(1 + discriminator(fakes)[1]).mean()
    for network, optimiser, loss in zip(networks, optimisers, (e_loss, g_loss, d_loss), strict=True):
        optimiser.zero_grad()
        loss.backward(inputs=list(network.parameters()), retain_graph=True)
        optimiser.step()
    return d_loss


def returns_nothing_and_does_nothing(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    losses(encoder, decoder, discriminator, real, eps, z, gamma)


def plain_backward_each(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    """Cleared just before each `backward`, but nobody says where it should go."""
    three = losses(encoder, decoder, discriminator, real, eps, z, gamma)
    for optimiser, loss in zip(optimisers, three, strict=True):
        optimiser.zero_grad()
        loss.backward(retain_graph=True)
    for optimiser in optimisers:
        optimiser.step()


def sent_to(places):
    """One graph, cleared once; the loss at each place goes to the networks named there, or to all."""

    def step(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
        networks = encoder, decoder, discriminator
        for optimiser in optimisers:
            optimiser.zero_grad()
        for loss, to in zip(losses(*networks, real, eps, z, gamma), places, strict=True):
            parts = [part for place in to for part in networks[place].parameters()]
            loss.backward(inputs=parts, retain_graph=True)
        for optimiser in optimisers:
            optimiser.step()

    step.__name__ = f"sent_to{places}"
    return step


d_loss_everywhere = sent_to(((0,), (1,), (0, 1, 2)))
two_in_one = sent_to(((0, 1), (0, 1), (2,)))
decoder_loss_for_two = sent_to(((0,), (0, 1), (2,)))


def cleared_by_every_loss(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    for loss in losses(encoder, decoder, discriminator, real, eps, z, gamma):
        for optimiser in optimisers:
            optimiser.zero_grad()
        loss.backward(retain_graph=True)
    for optimiser in optimisers:
        optimiser.step()


def graph_not_kept(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    networks = encoder, decoder, discriminator
    three = losses(*networks, real, eps, z, gamma)
    for network, optimiser, loss in zip(networks, optimisers, three, strict=True):
        optimiser.zero_grad()
        loss.backward(inputs=list(network.parameters()))
        optimiser.step()


def cleared_before_the_step(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    networks = encoder, decoder, discriminator
    for network, loss in zip(networks, losses(*networks, real, eps, z, gamma), strict=True):
        loss.backward(inputs=list(network.parameters()), retain_graph=True)
    for optimiser in optimisers:
        optimiser.zero_grad()
        optimiser.step()


def steps_before_backward(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    for optimiser in optimisers:
        optimiser.zero_grad()
        optimiser.step()
    networks = encoder, decoder, discriminator
    for network, loss in zip(networks, losses(*networks, real, eps, z, gamma), strict=True):
        loss.backward(inputs=list(network.parameters()), retain_graph=True)


def adds_in_place(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    """No optimiser has stepped: the learner's own line is to blame."""

    kl_and_features, *others = losses(encoder, decoder, discriminator, real, eps, z, gamma)
    variance = encoder(real)[1].exp()
    spoilt = kl_and_features + 0 * variance.sum()
    variance.add_(1)
    step_each((encoder, decoder, discriminator), optimisers, (spoilt, *others))


@functools.cache
def one_graph(order):
    """One pass, and each network is stepped at once, in this order."""

    def step(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
        networks = encoder, decoder, discriminator
        three = losses(*networks, real, eps, z, gamma)
        for place in order:
            optimisers[place].zero_grad()
            three[place].backward(inputs=list(networks[place].parameters()), retain_graph=True)
            optimisers[place].step()

    step.__name__ = f"one_graph{order}"
    return step


def own_code_noise(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    by_inputs(encoder, decoder, discriminator, optimisers, real, torch.randn_like(eps), z, gamma)


def own_prior_noise(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    by_inputs(encoder, decoder, discriminator, optimisers, real, eps, torch.randn_like(z), gamma)


def eps_for_the_sample(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    by_inputs(encoder, decoder, discriminator, optimisers, real, eps, eps, gamma)


def z_for_the_code(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    by_inputs(encoder, decoder, discriminator, optimisers, real, z, z, gamma)


def discriminator_ascends(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    networks = encoder, decoder, discriminator
    e_loss, g_loss, d_loss = losses(*networks, real, eps, z, gamma)
    step_each(networks, optimisers, (e_loss, g_loss, -d_loss))


def infinite_loss(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    networks = encoder, decoder, discriminator
    step_each(networks, optimisers, [loss / 0 for loss in losses(*networks, real, eps, z, gamma)])


def stub(encoder, decoder, discriminator, optimisers, real, eps, z, gamma):
    return ...


WRONG = {
    forgets_to_clear: "stale",
    three_plain_backwards: "other_loss",
    one_sum: "other_loss",
    detached_code: "only_kl",
    fakes_cut_for_all: "no_game",
    moves_by_hand: "by_hand",
    two_discriminator_steps: "steps",
    never_steps: "steps",
    losses_exchanged: "decoders_loss",
    deviation_for_variance: "deviation",
    the_mean_as_code: "no_noise",
    features_averaged: "mean",
    summed_over_the_images: "scale",
    hinge_for_the_discriminator: "gradient",
    returns_nothing_and_does_nothing: "steps",
    plain_backward_each: "other_loss",
    d_loss_everywhere: "other_loss",
    two_in_one: "other_loss",
    decoder_loss_for_two: "other_loss",
    cleared_by_every_loss: "other_loss",
    graph_not_kept: "second_backward",
    cleared_before_the_step: "empty",
    steps_before_backward: "empty",
    adds_in_place: "in_place",
    one_graph((2, 1, 0)): "in_place",
    one_graph((1, 0, 2)): "in_place",
    own_code_noise: "own_noise",
    own_prior_noise: "own_noise",
    eps_for_the_sample: "eps_for_z",
    z_for_the_code: "z_for_eps",
    discriminator_ascends: "sign",
    infinite_loss: "nan",
    stub: "stub",
}


@pytest.mark.parametrize("step", WRONG, ids=lambda step: step.__name__)
def test_a_mistake_in_code_is_named(step, dtype):
    feedback = check_vae_gan_wiring(step)
    assert not feedback.ok and feedback.kind == WRONG[step], feedback


def test_every_wire_is_watched():
    """One wrong network is enough, whichever it is."""
    for name in WAYS:
        assert not check_vae_gan_wiring(wired(**{name: 3})).ok


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_one_graph_is_accepted_in_the_orders_that_a_real_optimiser_survives(order):
    networks = TinyEncoder(), _decoder(), TinyDiscriminator()
    optimisers = [torch.optim.Adam(network.parameters()) for network in networks]
    try:
        one_graph(order)(*networks, optimisers, torch.rand(5, 1, 4, 4), *torch.randn(2, 5, LATENT), 0.3)
        survives = True
    except RuntimeError:
        survives = False
    feedback = check_vae_gan_wiring(one_graph(order))
    assert survives == (order == (0, 1, 2))
    assert feedback.kind == ("right" if survives else "in_place"), feedback


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("one_sum", "The encoder also receives the decoder's loss and the discriminator's loss"),
        ("two_in_one", "The encoder also receives the decoder's loss:"),
        ("d_loss_everywhere", "The encoder also receives the discriminator's loss:"),
        ("cleared_by_every_loss", "The encoder receives the discriminator's loss in place of its own"),
        ("graph_not_kept", "Keep the graph, or compute it again"),
        ("adds_in_place", "a method that ends in `_`"),
        ("returns_nothing_and_does_nothing", "stepped 0 times"),
    ],
)
def test_the_sentence_says_what_happened(step, words):
    assert words in check_vae_gan_wiring(globals()[step]).message
