"""GAN: losses against oracles, steps against their promises."""

import copy

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from helpers.gan import (
    Discriminator,
    Generator,
    average_of,
    discriminator_loss,
    discriminator_step,
    draw,
    from_tanh,
    gan_step,
    generator_step,
    hinge_discriminator,
    hinge_generator,
    minimax,
    non_saturating,
    refresh_statistics,
    schedule,
    to_tanh,
    update_average,
)

LOGITS = torch.tensor([-40.0, -6, -1, 0, 0.5, 3, 40], dtype=torch.float64)


def gradient(loss, logits):
    logits = logits.clone().requires_grad_()
    loss(logits).sum().backward()
    return logits.grad


def test_discriminator_loss_is_the_cross_entropy_of_two_classes():
    real, fake = LOGITS, LOGITS.flip(0) + 0.3
    oracle = cross_entropy(real, torch.ones(7).double(), reduction="none")
    oracle += cross_entropy(fake, torch.zeros(7).double(), reduction="none")
    assert torch.allclose(discriminator_loss(real, fake), oracle, rtol=1e-12)


def test_gradients_tell_the_two_generator_losses_apart():
    d = LOGITS.sigmoid()
    assert torch.allclose(gradient(non_saturating, LOGITS), -(1 - d), atol=1e-15)
    assert torch.allclose(gradient(minimax, LOGITS), -d, atol=1e-15)


def test_minimax_is_the_negative_of_the_discriminators_fake_term():
    real = torch.zeros_like(LOGITS)
    assert torch.allclose(
        minimax(LOGITS) + discriminator_loss(real, LOGITS), discriminator_loss(real, real) / 2
    )


def test_hinge_losses():
    assert torch.equal(
        hinge_discriminator(torch.tensor([2.0, 0.5]), torch.tensor([-2.0, 0.5])), torch.tensor([0, 2.0])
    )
    assert torch.equal(gradient(hinge_generator, LOGITS), -torch.ones(7).double())


def test_losses_stay_finite_in_the_tails():
    far = torch.tensor([-1e4, 1e4])
    for loss in (minimax, non_saturating, hinge_generator):
        assert torch.isfinite(loss(far)).all() and torch.isfinite(gradient(loss, far)).all()


def test_networks_have_the_shapes_and_ranges_they_promise():
    torch.manual_seed(0)
    g, d = Generator(latent=5, width=8), Discriminator(width=4)
    images = g(torch.randn(6, 5))
    assert images.shape == (6, 1, 28, 28) and images.abs().max() <= 1
    assert d(images).shape == (6,)


def test_the_door_goes_both_ways():
    x = torch.rand(3, 1, 28, 28)
    assert to_tanh(x).min() >= -1 and torch.allclose(from_tanh(to_tanh(x)), x, atol=1e-6)


@pytest.fixture
def players():
    torch.manual_seed(0)
    g, d = Generator(latent=5, width=8), Discriminator(width=4)
    return g, d, torch.optim.Adam(g.parameters(), 1e-2), torch.optim.Adam(d.parameters(), 1e-2)


def parameters(model):
    return [p.detach().clone() for p in model.parameters()]


def buffers(model):
    return [b.detach().clone() for b in model.buffers()]


def same(before, after):
    return all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_discriminator_step_moves_d_and_leaves_gs_parameters_bitwise(players):
    g, d, _, d_optimiser = players
    g_before, d_before, statistics = parameters(g), parameters(d), buffers(g)
    discriminator_step(g, d, d_optimiser, torch.rand(4, 1, 28, 28), torch.randn(4, 5))
    assert same(g_before, parameters(g)) and not same(d_before, parameters(d))
    assert all(p.grad is None for p in g.parameters())
    assert not same(statistics, buffers(g))  # as stated: running statistics move


def test_a_generator_step_moves_g_and_leaves_ds_parameters_bitwise(players):
    g, d, g_optimiser, _ = players
    g_before, d_before, vectors = parameters(g), parameters(d), buffers(d)
    generator_step(g, d, g_optimiser, torch.randn(4, 5))
    assert same(d_before, parameters(d)) and not same(g_before, parameters(g))
    assert all(p.grad is None and p.requires_grad for p in d.parameters())
    assert not same(vectors, buffers(d))  # as stated: power-iteration vectors move


def test_an_interrupted_generator_step_leaves_d_able_to_learn(players):
    g, d, g_optimiser, d_optimiser = players

    def interrupted(logits):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generator_step(g, d, g_optimiser, torch.randn(4, 5), interrupted)
    discriminator_step(g, d, d_optimiser, torch.rand(4, 1, 28, 28), torch.randn(4, 5))


def test_steps_go_downhill_on_their_own_loss(players):
    g, d, g_optimiser, d_optimiser = players
    real, z = torch.rand(16, 1, 28, 28), torch.randn(16, 5)
    d_losses = [discriminator_step(g, d, d_optimiser, real, z)["d_loss"].item() for _ in range(20)]
    g_losses = [generator_step(g, d, g_optimiser, z)["g_loss"].item() for _ in range(20)]
    assert d_losses[-1] < d_losses[0] and g_losses[-1] < g_losses[0]


def test_a_round_is_one_step_of_each(players):
    g, d, g_optimiser, d_optimiser = players
    twins = copy.deepcopy((g, d))
    twin_optimisers = [torch.optim.Adam(twin.parameters(), 1e-2) for twin in twins]
    real = torch.rand(4, 1, 28, 28)
    torch.manual_seed(1)
    measured = gan_step(g, d, g_optimiser, d_optimiser, real)
    torch.manual_seed(1)
    z = torch.randn(2, 4, 5)
    discriminator_step(*twins, twin_optimisers[1], real, z[0])
    generator_step(*twins, twin_optimisers[0], z[1])
    assert same(parameters(g), parameters(twins[0])) and same(parameters(d), parameters(twins[1]))
    assert set(measured) == {"d_loss", "d_real", "d_fake", "g_loss"}


def test_the_average_is_the_average():
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    average = average_of(model)
    expected = model.weight.detach().clone()
    for _ in range(5):
        with torch.no_grad():
            model.weight.add_(1.0)
        update_average(average, model, decay=0.9)
        expected = 0.9 * expected + 0.1 * model.weight.detach()
    assert torch.allclose(average.weight, expected) and not average.weight.requires_grad


def test_refreshed_statistics_are_those_of_the_noise():
    torch.manual_seed(0)
    g = Generator(latent=5, width=8)
    refresh_statistics(g, 5, batches=50)
    first = g.net[:2](torch.randn(4000, 5))
    norm = g.net[2]
    assert torch.allclose(norm.running_mean, first.mean((0, 2, 3)), atol=0.01)
    assert torch.allclose(norm.running_var, first.var((0, 2, 3)), rtol=0.1)
    assert norm.momentum == 0.1 and g.training


def test_drawing_changes_nothing():
    torch.manual_seed(0)
    g = Generator(latent=5, width=8)
    before, state = buffers(g), torch.get_rng_state()
    images = draw(g, 7, seed=3)
    assert images.shape == (7, 1, 28, 28) and 0 <= images.min() and images.max() <= 1
    assert same(before, buffers(g)) and torch.equal(state, torch.get_rng_state()) and g.training
    assert torch.equal(images, draw(g, 7, seed=3))


def test_the_schedule_rises_stays_and_falls():
    values = [schedule(i / 1000) for i in range(1001)]
    assert values[0] == 0.05 and values[10] == values[399] == 1 and values[1000] == pytest.approx(0.02)
    assert values[400:] == sorted(values[400:], reverse=True)
