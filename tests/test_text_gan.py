"""The text GAN: one-hot rows with a soft gradient, each update moves one network, samples follow the softmax."""

import copy
import math
from statistics import median

import pytest
import torch
from torch.nn.functional import one_hot

from helpers.data import report_grammar
from helpers.gan import gradient_norm_squared, relativistic
from helpers.gan.text import (
    END,
    PADDING,
    RecurrentGenerator,
    TextDiscriminator,
    TextGenerator,
    sample_reports,
    text_gan_step,
    windows,
)
from helpers.language import LanguageModel, report_nll
from helpers.studies import study
from helpers.studies.text import straight_through, trigram_coverage

GRAMMAR = report_grammar(short=True)
SIZE, LONGEST = len(GRAMMAR.vocabulary), GRAMMAR.longest


@pytest.fixture
def players(one_thread):
    generator = TextGenerator(SIZE, LONGEST, latent=4, width=16, channels=5).double()
    discriminator = TextDiscriminator(SIZE, LONGEST, embedding=5, width=16).double()
    return generator, discriminator


def real_reports(n=8):
    return one_hot(GRAMMAR.encode(GRAMMAR.sample(n, torch.Generator().manual_seed(0))), SIZE).double()


def noise(n=8, latent=4):
    return torch.randn(n, latent, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def relax(seed=2, tau=0.7):
    return straight_through(tau, torch.Generator().manual_seed(seed))


# Straight-through


def test_hard_samples_are_one_hot_with_the_gradient_of_the_soft_ones(one_thread):
    """(16.4)"""
    logits = torch.randn(50, 7, dtype=torch.float64, requires_grad=True)
    direction = torch.randn(50, 7, dtype=torch.float64)
    hard = relax()(logits)
    assert torch.allclose(hard, one_hot(hard.argmax(1), 7).double(), atol=1e-12)
    (found,) = torch.autograd.grad((hard * direction).sum(), logits)
    gumbels = -(
        -torch.rand(50, 7, generator=torch.Generator().manual_seed(2), dtype=torch.float64).log()
    ).log()
    p = ((logits + gumbels) / 0.7).softmax(1).detach()
    by_hand = (
        p * (direction - (p * direction).sum(1, keepdim=True)) / 0.7
    )  # the Jacobian of a softmax, times 1/τ
    assert torch.allclose(found, by_hand) and found.abs().sum() > 0


@pytest.mark.parametrize("tau", [0.3, 1.5])
def test_hard_samples_follow_the_softmax_at_every_temperature(tau):
    """So a falling τ changes the gradient and not what D is shown."""
    logits, n = torch.tensor([1.0, 0.0, -1.0, 2.0]), 20_000
    share = straight_through(tau, torch.Generator().manual_seed(3))(logits.expand(n, -1)).mean(0)
    p = logits.softmax(0)
    assert ((share - p).abs() < 4 * (p * (1 - p) / n).sqrt()).all()


# The networks


def test_windows_are_a_convolution_with_a_kernel_of_three(one_thread):
    h = torch.randn(2, 5, 3)
    layer = torch.nn.Linear(9, 4)
    kernel = layer.weight.view(4, 3, 3).transpose(
        1, 2
    )  # (out, neighbour, channel) to (out, channel, neighbour)
    right = torch.nn.functional.conv1d(h.mT, kernel, layer.bias, padding=1).mT
    assert torch.allclose(layer(windows(h)), right, atol=1e-6)


def test_the_generator_is_as_soft_as_it_is_told(players):
    generator, discriminator = players
    z = noise()
    soft = generator(z, lambda logits: logits.softmax(-1))
    assert soft.shape == (8, LONGEST, SIZE) and torch.allclose(soft.sum(2), torch.ones(8, LONGEST).double())
    assert discriminator(soft).shape == (8,)


def test_the_discriminator_is_the_whole_and_a_sum_over_neighbours(players):
    _, discriminator = players
    real = real_reports(2)
    with torch.no_grad():
        for layer in discriminator.whole:
            if isinstance(layer, torch.nn.Linear):
                layer.weight.zero_()
                layer.bias.zero_()
        h = torch.nn.functional.pad(real @ discriminator.embed.weight.T, (0, 0, 1, 1))
        by_hand = sum(discriminator.part(h[:, t : t + 3].flatten(1)).squeeze(1) for t in range(LONGEST))
        assert torch.allclose(discriminator(real), by_hand)


def test_samples_are_reproducible_and_follow_the_logits(players):
    generator, _ = players
    state = torch.get_rng_state()
    first, second = (
        sample_reports(generator, 30, generator=torch.Generator().manual_seed(4)) for _ in range(2)
    )
    assert torch.equal(first, second) and first.shape == (30, LONGEST)
    assert torch.equal(torch.get_rng_state(), state)
    n = 4000
    with torch.no_grad():
        for p in generator.net.parameters():
            p.zero_()  # z says nothing: the same logits for all
        generator.head.bias.copy_(torch.randn(SIZE, generator=torch.Generator().manual_seed(5)))
        expected = n * (generator.logits(noise(1))[0, 0] / 0.5).softmax(0)
    tokens = sample_reports(generator, n, 0.5, torch.Generator().manual_seed(6))[:, 0]
    chi2 = ((torch.bincount(tokens, minlength=SIZE) - expected).square() / expected).sum().item()
    assert chi2 < SIZE + 4 * math.sqrt(2 * SIZE)


# A language model as a generator


def test_a_language_model_writes_in_hard_samples_what_it_would_write_by_itself(one_thread):
    """The log-likelihood of the samples under the model: minus its mean is the entropy both ways."""
    model = LanguageModel(SIZE, embedding=6, hidden=8).double()
    with torch.no_grad():
        model.head.bias[END] += 2  # reports that end
        fake = RecurrentGenerator(model, 6)(noise(5, 1), relax(7))
        assert torch.allclose(fake, one_hot(fake.argmax(2), SIZE).double(), atol=1e-12)
        tokens, state, token = fake.argmax(2), None, torch.full((5, 1), END)
        gumbels, over = relax(7), torch.zeros(5, dtype=torch.bool)
        for t in range(6):  # the same noise, the model called in its own way, on token numbers
            logits, state = model(token, state)
            token = gumbels(logits[:, 0]).argmax(1, keepdim=True)
            right = token[:, 0].masked_fill(over, PADDING)
            assert torch.equal(tokens[:, t], right)
            over |= right == END
    assert over.any() and (tokens == PADDING).any()
    assert report_nll(model, tokens).isfinite().all()


def test_a_gradient_reaches_the_language_model_through_all_tokens(one_thread):
    model = LanguageModel(SIZE, embedding=6, hidden=8).double()
    fake = RecurrentGenerator(model, 6)(noise(5, 1), relax())
    fake[:, -1].square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


# The step


def test_a_step_by_hand(players):
    """(16.5) D on the relativistic loss with R1 and R2, then G through the D of that moment, with the same fakes."""
    generator, discriminator = players
    hand_g, hand_d = copy.deepcopy(generator), copy.deepcopy(discriminator)
    real, z = real_reports(), noise()
    optimisers = [torch.optim.SGD(network.parameters(), 0.5) for network in players]
    for p in (*generator.parameters(), *discriminator.parameters()):
        p.grad = torch.full_like(p, 7.0)  # left from before
    measured = text_gan_step(generator, discriminator, *optimisers, real, z, relax(), gamma=0.4)

    def descend(network, loss):
        gradients = torch.autograd.grad(loss, [*network.parameters()])
        with torch.no_grad():
            for p, gradient in zip(network.parameters(), gradients, strict=True):
                p.sub_(0.5 * gradient)

    fake = hand_g(z, relax())
    seen = fake.detach()
    penalty = gradient_norm_squared(hand_d, real) + gradient_norm_squared(hand_d, seen)
    d_loss = (relativistic(hand_d(real), hand_d(seen)) + 0.2 * penalty).mean()
    descend(hand_d, d_loss)
    g_loss = relativistic(hand_d(fake), hand_d(real)).mean()
    descend(hand_g, g_loss)
    assert torch.isclose(measured["d_loss"], d_loss) and torch.isclose(measured["g_loss"], g_loss)
    for network, by_hand in ((generator, hand_g), (discriminator, hand_d)):
        for p, q in zip(network.parameters(), by_hand.parameters(), strict=True):
            assert torch.allclose(p, q, atol=1e-12)


@pytest.mark.parametrize("still", [0, 1])
def test_each_update_leaves_the_other_network_as_it_is(players, still):
    rates = [0.5, 0.5]
    rates[still] = 0.0
    before = [copy.deepcopy(network.state_dict()) for network in players]
    optimisers = [torch.optim.SGD(net.parameters(), rate) for net, rate in zip(players, rates, strict=True)]
    text_gan_step(*players, *optimisers, real_reports(), noise(), relax())
    same = [
        all(torch.equal(value, old[name]) for name, value in network.state_dict().items())
        for network, old in zip(players, before, strict=True)
    ]
    assert same[still] and not same[1 - still]
    assert all(p.requires_grad for p in players[1].parameters())


def test_the_generators_update_leaves_no_gradient_in_the_discriminator(players):
    generator, discriminator = players
    optimisers = [torch.optim.SGD(network.parameters(), 0.0) for network in players]
    real, z = real_reports(), noise()
    text_gan_step(generator, discriminator, *optimisers, real, z, relax())
    seen = generator(z, relax()).detach()
    d_loss = relativistic(discriminator(real), discriminator(seen)).mean()
    right = torch.autograd.grad(d_loss, [*discriminator.parameters()])
    assert all(torch.allclose(p.grad, g) for p, g in zip(discriminator.parameters(), right, strict=True))


# The study


def test_the_coverage_of_trigrams_counted_by_hand():
    held_out = [("a", "b", "c", "d"), ("a", "b", "c")]  # abc twice, bcd once
    assert trigram_coverage([("x", "a", "b", "c", "x")], held_out) == pytest.approx(2 / 3)
    assert trigram_coverage([("b", "c", "d"), ("a", "b"), ()], held_out) == pytest.approx(1 / 3)


def test_the_gan_of_the_study_is_grammatical_and_its_opponent_better_at_every_temperature():
    runs = study("text")["runs"]
    gans, opponents = runs["short: GAN"], runs["short: language model"]
    assert median(run["samples"]["1"]["grammatical"] for run in gans) >= 0.75
    for gan, opponent in zip(gans, opponents, strict=True):
        for temperature in ("0.4", "0.6", "0.8", "1"):
            ours, theirs = gan["samples"][temperature], opponent["samples"][temperature]
            assert theirs["in agreement"] > ours["in agreement"] and theirs["coverage"] > ours["coverage"]


def test_more_likelihood_does_more_for_a_pretrained_model_than_the_game():
    runs = study("text")["runs"]
    more = zip(
        runs["short: pre-trained, then likelihood"], runs["short: pre-trained, then adversarial"], strict=True
    )
    for likelihood, adversarial in more:
        assert likelihood["nats"] < adversarial["nats"]
        assert likelihood["samples"]["1"]["in agreement"] > adversarial["samples"]["1"]["in agreement"]
