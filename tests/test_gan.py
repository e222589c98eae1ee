"""GAN: losses against oracles, steps against their promises."""

import copy

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.nn.functional import conv2d

from helpers.gan import (
    Discriminator,
    Generator,
    discriminator_loss,
    discriminator_step,
    draw,
    ema_copy,
    from_tanh,
    gan_step,
    generator_step,
    hinge_discriminator,
    hinge_generator,
    lr_factor,
    non_saturating,
    saturating,
    to_tanh,
    update_bn,
    update_ema,
)

LOGITS = torch.tensor([-40.0, -6, -1, 0, 0.5, 3, 40], dtype=torch.float64)


def gradient(loss, logits):
    logits = logits.clone().requires_grad_()
    loss(logits).sum().backward()
    return logits.grad


def test_discriminator_loss_is_the_cross_entropy_of_two_classes():
    """The loss of D (5.1), by PyTorch's cross-entropy with labels 1 and 0."""
    real, fake = LOGITS, LOGITS.flip(0) + 0.3
    oracle = cross_entropy(real, torch.ones(7).double(), reduction="none")
    oracle += cross_entropy(fake, torch.zeros(7).double(), reduction="none")
    assert torch.allclose(discriminator_loss(real, fake), oracle, rtol=1e-12)


def test_gradients_tell_the_two_generator_losses_apart():
    """By autograd, for one logit: the non-saturating loss falls at a slope of 1 − D (5.3), the saturating one at D."""
    d = LOGITS.sigmoid()
    assert torch.allclose(gradient(non_saturating, LOGITS), -(1 - d), atol=1e-15)
    assert torch.allclose(gradient(saturating, LOGITS), -d, atol=1e-15)


def test_minimax_is_the_negative_of_the_discriminators_fake_term():
    real = torch.zeros_like(LOGITS)
    assert torch.allclose(
        saturating(LOGITS) + discriminator_loss(real, LOGITS), discriminator_loss(real, real) / 2
    )


def test_hinge_losses():
    assert torch.equal(
        hinge_discriminator(torch.tensor([2.0, 0.5]), torch.tensor([-2.0, 0.5])), torch.tensor([0, 2.0])
    )
    assert torch.equal(gradient(hinge_generator, LOGITS), -torch.ones(7).double())


def test_losses_stay_finite_in_the_tails():
    far = torch.tensor([-1e4, 1e4])
    for loss in (saturating, non_saturating, hinge_generator):
        assert torch.isfinite(loss(far)).all() and torch.isfinite(gradient(loss, far)).all()


def test_networks_have_the_shapes_and_ranges_they_promise():
    torch.manual_seed(0)
    g, d = Generator(latent=5, width=8), Discriminator(width=4)
    images = g(torch.randn(6, 5))
    assert images.shape == (6, 1, 28, 28) and images.abs().max() <= 1
    assert d(images).shape == (6,)
    assert d.eval()(images[:1]).shape == (1,)


def test_networks_start_as_their_papers_say():
    """G from N(0, 0.02²) without biases; each layer of D of spectral norm 1, once power iteration has settled."""
    torch.manual_seed(0)
    g, d = Generator(), Discriminator()
    layers = [m for m in g.net if isinstance(m, (torch.nn.Linear, torch.nn.Conv2d, torch.nn.ConvTranspose2d))]
    assert len(layers) == 3 and not any(layer.bias.any() for layer in layers)
    for layer in layers:
        n = layer.weight.numel()
        assert abs(layer.weight.std() - 0.02) < 5 * 0.02 / (2 * n) ** 0.5
        assert abs(layer.weight.mean()) < 5 * 0.02 / n**0.5
    for _ in range(100):
        d(torch.zeros(1, 1, 28, 28))
    layers = [m for m in d.eval().net if hasattr(m, "weight")]
    norms = [torch.linalg.svdvals(layer.weight.flatten(1))[0].item() for layer in layers]
    assert norms == pytest.approx([1, 1, 1], abs=1e-2)
    images = 2 * torch.rand(3, 1, 28, 28) - 1  # and the layers between have the slope 0.2 of that paper
    h = images
    for layer in layers[:2]:
        h = conv2d(h, layer.weight, layer.bias, stride=2, padding=1)
        h = torch.where(h > 0, h, 0.2 * h)
    by_hand = h.flatten(1) @ layers[2].weight[0] + layers[2].bias
    assert torch.allclose(d(images), by_hand, atol=1e-5)


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


def test_a_discriminator_step_descends_its_mean_loss_on_real_and_on_drawn_images(one_step_down):
    """Real images wanted at 1 and G(z) at 0, by PyTorch's cross-entropy; players whose logits lie far apart."""
    g = torch.nn.Sequential(torch.nn.Linear(5, 784), torch.nn.Tanh(), torch.nn.Unflatten(1, (1, 28, 28)))
    d = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 1), torch.nn.Flatten(0))
    real, z = 2 * torch.rand(4, 1, 28, 28) - 1, 3 * torch.randn(4, 5)
    with torch.no_grad():
        d[1].weight.mul_(5)
    logits = d(real), d(g(z))
    assert min(each.std() for each in logits) > 1
    loss = cross_entropy(logits[0], torch.ones(4)) + cross_entropy(logits[1], torch.zeros(4))
    seen = one_step_down(d, loss, lambda optimiser: discriminator_step(g, d, optimiser, real, z))
    assert torch.isclose(seen["d_loss"], loss) and not seen["d_loss"].requires_grad
    for name, each in zip(("d_real", "d_fake"), logits, strict=True):
        assert torch.isclose(seen[name], (1 / (1 + (-each).exp())).mean())
    loss = (1 - d(real)).clamp(min=0).mean() + (1 + d(g(z))).clamp(min=0).mean()
    seen = one_step_down(
        d, loss, lambda optimiser: discriminator_step(g, d, optimiser, real, z, hinge_discriminator)
    )
    assert torch.isclose(seen["d_loss"], loss)


def test_a_generator_step_descends_its_mean_loss_through_d(players, one_step_down):
    """G(z) wanted at 1; and the loss that is given, minus it where it is minimax."""
    g, d = (network.eval().double() for network in players[:2])
    z = torch.randn(4, 5)
    loss = cross_entropy(d(g(z)), torch.ones(4))
    seen = one_step_down(g, loss, lambda optimiser: generator_step(g, d, optimiser, z))
    assert torch.isclose(seen["g_loss"], loss) and not seen["g_loss"].requires_grad
    loss = -cross_entropy(d(g(z)), torch.zeros(4))
    seen = one_step_down(g, loss, lambda optimiser: generator_step(g, d, optimiser, z, saturating))
    assert torch.isclose(seen["g_loss"], loss)


def test_a_round_is_one_step_of_each(players):
    g, d, g_optimiser, d_optimiser = players
    twins = copy.deepcopy((g, d))
    twin_optimisers = [torch.optim.Adam(twin.parameters(), 1e-2) for twin in twins]
    real = 2 * torch.rand(4, 1, 28, 28) - 1
    torch.manual_seed(1)
    measured = gan_step(g, d, g_optimiser, d_optimiser, real)
    torch.manual_seed(1)
    z = torch.randn(2, 4, 5)
    discriminator_step(*twins, twin_optimisers[1], real, z[0])
    generator_step(*twins, twin_optimisers[0], z[1])
    assert same(parameters(g), parameters(twins[0])) and same(parameters(d), parameters(twins[1]))
    assert set(measured) == {"d_loss", "d_real", "d_fake", "g_loss"}


def test_the_average_is_the_average_and_its_statistics_are_the_newest():
    """Parameters are averaged; running statistics, which are averages already, and their count are copied."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    average = ema_copy(model)
    expected = parameters(model)
    for _ in range(5):
        with torch.no_grad():
            for p in model.parameters():
                p.add_(torch.rand(p.shape))
        model(3 * torch.randn(20, 2) + 1)
        before = parameters(model), buffers(model)
        update_ema(average, model, decay=0.9)
        assert same(before[0], parameters(model)) and same(before[1], buffers(model))
        expected = [0.9 * old + 0.1 * p for old, p in zip(expected, parameters(model), strict=True)]
        assert same(buffers(average), buffers(model))
    assert all(torch.allclose(p, e) for p, e in zip(average.parameters(), expected, strict=True))
    assert model[1].running_mean.abs().max() > 0.1 and average[1].num_batches_tracked == 5
    assert all(p.requires_grad for p in model.parameters())
    assert not any(p.requires_grad for p in average.parameters())
    assert average[1].running_mean.data_ptr() != model[1].running_mean.data_ptr()


@pytest.mark.parametrize("training", [True, False])
def test_refreshed_statistics_are_plain_averages_over_noise_of_their_own(training):
    """Whatever they were: they start anew, and weights, mode, momentum and the run's random numbers stay."""
    torch.manual_seed(0)
    g = Generator(latent=5, width=8).train(training)
    norms = [module for module in g.net if isinstance(module, torch.nn.BatchNorm2d)]
    for k, norm in enumerate(norms):
        norm.running_mean.fill_(50.0)
        norm.running_var.fill_(9.0)
        norm.num_batches_tracked.fill_(7)
        norm.momentum = 0.1 + k / 10
    before, state = parameters(g), torch.get_rng_state()
    update_bn(g, 5, batches=3, size=60)
    assert torch.equal(torch.get_rng_state(), state) and same(before, parameters(g))
    assert g.training is training and all(module.training is training for module in g.modules())
    assert [norm.momentum for norm in norms] == [0.1, 0.2]
    noise, twin = torch.Generator().manual_seed(0), copy.deepcopy(g).train()
    h = [torch.randn(60, 5, generator=noise) for _ in range(3)]
    for k, module in enumerate(twin.net):
        if isinstance(module, torch.nn.BatchNorm2d):
            norm, flat = g.net[k], [each.transpose(0, 1).flatten(1) for each in h]
            assert torch.allclose(norm.running_mean, sum(each.mean(1) for each in flat) / 3, atol=1e-6)
            assert torch.allclose(norm.running_var, sum(each.var(1) for each in flat) / 3)
            assert norm.num_batches_tracked == 3
        h = [module(each) for each in h]


@pytest.mark.parametrize("training", [True, False])
def test_drawing_changes_nothing(training):
    torch.manual_seed(0)
    g = Generator(latent=5, width=8).train(training)
    before, state = buffers(g), torch.get_rng_state()
    images = draw(g, 7, seed=3)
    assert images.shape == (7, 1, 28, 28) and 0 <= images.min() and images.max() <= 1
    assert same(before, buffers(g)) and torch.equal(state, torch.get_rng_state())
    assert g.training is training and torch.equal(images, draw(g, 7, seed=3))
    z = torch.randn(7, 5, generator=torch.Generator().manual_seed(3))
    assert torch.allclose(images, (g.eval()(z) + 1) / 2)


def test_the_schedule_rises_stays_and_falls_in_straight_lines():
    values = [lr_factor(i / 1000) for i in range(1001)]
    assert values[:6] == pytest.approx([0.05, 0.2, 0.4, 0.6, 0.8, 1.0]) and set(values[5:401]) == {1.0}
    assert values[400:] == pytest.approx([1 - 0.98 * i / 600 for i in range(601)])
