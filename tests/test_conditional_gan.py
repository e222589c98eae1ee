"""The conditional GAN: what reads the label, whose weights move, what its study reached."""

import copy
import itertools

import pytest
import torch
from torch import nn

from helpers.data import load_digits
from helpers.gan import (
    ConditionalDiscriminator,
    ConditionalGenerator,
    conditional_step,
    discriminator_loss,
    draw,
    ema_copy,
    non_saturating,
    sample_conditional,
    to_tanh,
    update_bn,
    update_ema,
)
from helpers.studies import study
from helpers.studies.conditional_gan import SEEDS, asked_for, class_accuracy, conditional_run, within_class


def small_players():
    torch.manual_seed(0)
    return ConditionalGenerator(latent=8, width=8), ConditionalDiscriminator(width=4)


def optimisers(generator, discriminator, g_rate=1e-3, d_rate=1e-3):
    return (
        torch.optim.SGD(generator.parameters(), lr=g_rate),
        torch.optim.SGD(discriminator.parameters(), lr=d_rate),
    )


def some_digits(count=12):
    images, labels = load_digits("train")
    return to_tanh(images[:count]), labels[:count]


def parameters_of(network):
    return [p.detach().clone() for p in network.parameters()]


def same(network, before):
    return [torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True)]


def test_without_labels_the_digits_come_in_turn():
    generator, _ = small_players()
    z = torch.randn(23, 8)
    generator.eval()
    assert torch.equal(generator(z), generator(z, torch.arange(23) % 10))
    assert generator(z).shape == (23, 1, 28, 28) and generator(z).abs().max() <= 1


def test_the_label_changes_the_picture_and_nothing_else_does():
    generator, _ = small_players()
    z = torch.randn(1, 8).repeat(10, 1)
    pictures = generator.eval()(z, torch.arange(10)).flatten(1)
    apart = torch.cdist(pictures, pictures) + torch.eye(10)
    assert apart.min() > 1e-3
    assert torch.allclose(generator(z, torch.full((10,), 3))[0], pictures[3].view(1, 28, 28), atol=1e-6)


def test_the_first_layer_sees_one_bias_for_each_class():
    generator, _ = small_players()
    first, z = generator.net[0], torch.randn(4, 8)
    labels = torch.tensor([0, 9, 4, 4])
    by_hand = z @ first.weight[:, :8].T + first.weight[:, 8:].T[labels] + first.bias
    seen = []
    first.register_forward_hook(lambda module, inputs, output: seen.append(output))
    generator(z, labels)
    assert torch.allclose(seen[0], by_hand, atol=1e-6)


def test_the_best_logit_is_that_of_the_image_and_that_of_its_label():
    """(6.7), on a table of probabilities in which labels are as frequent among fakes as among real images."""
    torch.manual_seed(0)
    p, q = torch.rand(2, 7, 3, dtype=torch.float64)  # 7 images, 3 labels
    p, q = (joint / joint.sum(0) / 3 for joint in (p, q))  # each label has the probability 1/3
    left = ((p / p.sum(0)) / (q / q.sum(0))).log()
    real, label = (p.sum(1) / q.sum(1)).log(), ((p / p.sum(1, True)) / (q / q.sum(1, True))).log()
    assert torch.allclose(left, real[:, None] + label)


def test_the_logit_is_a_verdict_and_a_projection():
    """(6.4), by hand."""
    _, discriminator = small_players()
    discriminator.eval()
    x, y = some_digits()
    h = discriminator.features(x)
    w, b = discriminator.verdict.weight, discriminator.verdict.bias
    by_hand = (
        h @ w[0]
        + b
        + torch.stack([discriminator.directions.weight[k] @ row for k, row in zip(y, h, strict=True)])
    )
    assert discriminator(x, y).shape == (12,)
    assert torch.allclose(discriminator(x, y), by_hand, atol=1e-5)
    assert abs(discriminator.directions.weight.std() - 0.02) < 0.001  # so that all classes start much alike
    other = (y + 1) % 10
    difference = ((discriminator.directions(y) - discriminator.directions(other)) * h).sum(1)
    assert torch.allclose(discriminator(x, y) - discriminator(x, other), difference, atol=1e-5)


@pytest.mark.parametrize(("g_rate", "d_rate"), [(1e-2, 0.0), (0.0, 1e-2)])
def test_each_update_moves_its_own_network(g_rate, d_rate):
    generator, discriminator = small_players()
    of_g, of_d = parameters_of(generator), parameters_of(discriminator)
    conditional_step(
        generator, discriminator, *optimisers(generator, discriminator, g_rate, d_rate), some_digits()
    )
    assert all(same(generator, of_g)) == (g_rate == 0)
    assert all(same(discriminator, of_d)) == (d_rate == 0)


def test_the_step_is_one_of_d_and_one_of_g_by_hand():
    generator, discriminator = small_players()
    hand_g, hand_d = copy.deepcopy(generator), copy.deepcopy(discriminator)
    real, labels = some_digits()
    for p in (*generator.parameters(), *discriminator.parameters()):
        p.grad = torch.full_like(p, 7.0)  # left from before
    torch.manual_seed(1)
    measured = conditional_step(
        generator, discriminator, *optimisers(generator, discriminator, 0.1, 0.1), (real, labels)
    )
    torch.manual_seed(1)
    z = torch.randn(2, 12, 8)
    g_optimiser, d_optimiser = optimisers(hand_g, hand_d, 0.1, 0.1)
    logits = hand_d(torch.cat([real, hand_g(z[0], labels).detach()]), torch.cat([labels, labels]))
    d_loss = discriminator_loss(logits[:12], logits[12:]).mean()
    d_loss.backward()
    d_optimiser.step()
    g_loss = non_saturating(hand_d(hand_g(z[1], labels), labels)).mean()
    g_loss.backward()
    g_optimiser.step()
    assert torch.allclose(measured["d_loss"], d_loss) and torch.allclose(measured["g_loss"], g_loss)
    for network, by_hand in ((generator, hand_g), (discriminator, hand_d)):
        for p, q in zip(network.parameters(), by_hand.parameters(), strict=True):
            assert torch.allclose(p, q, atol=1e-6)


def test_d_is_thawed_even_if_the_generator_breaks():
    generator, discriminator = small_players()
    calls = []

    class Breaks(nn.Module):
        latent = 8

        def forward(self, z, labels):
            calls.append(1)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return generator(z, labels)

    with pytest.raises(KeyboardInterrupt):
        conditional_step(Breaks(), discriminator, *optimisers(generator, discriminator), some_digits())
    assert all(p.requires_grad for p in discriminator.parameters())


@pytest.mark.parametrize("training", [True, False])
def test_drawing_on_request_leaves_the_run_as_it_was(training):
    generator = small_players()[0].train(training)
    z, labels, state = torch.randn(5, 8), torch.tensor([7, 7, 7, 0, 1]), torch.get_rng_state()
    buffers = [b.clone() for b in generator.buffers()]
    drawn = sample_conditional(generator, labels, z)
    assert drawn.min() >= 0 and drawn.max() <= 1 and not drawn.requires_grad
    assert generator.training is training and torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(buffers, generator.buffers(), strict=True))
    alone = torch.cat([sample_conditional(generator, labels[i : i + 1], z[i : i + 1]) for i in range(5)])
    assert torch.allclose(drawn, alone, atol=1e-5)  # no picture depends on its neighbours


def test_the_tools_of_other_generators_work_on_it():
    generator, _ = small_players()
    average = ema_copy(generator)
    update_ema(average, generator, 0.9)
    update_bn(average, average.latent, batches=2)
    z = torch.randn(20, 8, generator=torch.Generator().manual_seed(3))
    assert torch.equal(draw(average, 20, seed=3), sample_conditional(average, torch.arange(20) % 10, z))


def test_class_accuracy_is_a_share_of_what_was_asked_for(monkeypatch):
    """With a classifier that reads the class from the first pixel: of three sevens asked for, two were drawn."""
    labels = torch.tensor([7, 7, 7, *range(7), 8, 9])
    seen = torch.tensor([7, 1, 7, *range(7), 9, 9])
    images = (seen / 10)[:, None, None, None].expand(-1, 1, 28, 28)
    classifier = lambda images: torch.eye(10)[(10 * images[:, 0, 0, 0]).round().long()]  # noqa: E731
    monkeypatch.setattr("helpers.studies.conditional_gan.digit_classifier", lambda: classifier)
    expected = torch.ones(10)
    expected[7], expected[8] = 2 / 3, 0
    assert torch.allclose(class_accuracy(images, labels), expected)


def test_the_spread_within_a_class_is_a_mean_over_its_pairs():
    torch.manual_seed(0)
    labels, images = torch.arange(40) % 10, torch.rand(40, 1, 28, 28)
    for digit, found in enumerate(within_class(images, labels)):
        of_class = images[labels == digit].flatten(1)
        pairs = [(a - b).norm() for a, b in itertools.combinations(of_class, 2)]
        assert torch.isclose(found, torch.stack(pairs).mean())


def test_digits_asked_for_come_from_a_noise_of_their_own():
    generator, state = small_players()[0], torch.get_rng_state()
    images, labels = asked_for(generator, seed=3)
    assert torch.equal(labels, torch.arange(10).repeat(200)) and torch.equal(torch.get_rng_state(), state)
    z = torch.randn(2000, 8, generator=torch.Generator().manual_seed(3))
    assert torch.equal(images, sample_conditional(generator, labels, z))


def test_real_digits_are_seen_as_what_they_are():
    images, labels = load_digits("validation")
    assert class_accuracy(images, labels).min() > 0.85
    assert class_accuracy(images, (labels + 1) % 10).max() < 0.1


def test_one_picture_drawn_again_and_again_has_no_spread():
    images, labels = load_digits("validation")
    first = torch.stack([images[labels == k][0] for k in range(10)])
    assert within_class(first[labels], labels).max() < 1e-4
    assert within_class(images, labels).min() > 3


def test_the_study_reached_what_the_course_promises():
    runs = study("conditional_gan")["runs"]
    assert len(runs["steady"]) == len(SEEDS) >= 3
    for run in runs["steady"]:
        assert run["accuracy"] >= 0.88 and run["worst_class"] >= 0.65
        assert run["least_spread"] > 0.7
    for run in runs["blind"]:
        assert 0.05 < run["accuracy"] < 0.15  # a label that D does not read is not obeyed


def test_the_average_helps_where_the_rates_are_high():
    runs = study("conditional_gan")["runs"]
    for setting in ("steady", "falling"):
        for run in runs[setting]:
            assert run["early"]["average 0.98"] < run["early"]["newest"]
    gained = [run["end"]["newest"] - run["end"]["average 0.98"] for run in runs["steady"]]
    assert sum(gain > 0 for gain in gained) >= 4


def test_a_short_run_learns_to_read_the_label(one_thread):
    """It trains, a little: the notebook trains to the end."""
    run = conditional_run("steady", seed=11, rounds=120, early=60)
    assert run.keys() == study("conditional_gan")["runs"]["steady"][0].keys()
    assert run["accuracy"] > 0.2 and run["end"]["newest"] < run["early"]["newest"]  # chance: 0.1
