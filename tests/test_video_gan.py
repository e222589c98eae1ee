"""The GAN for clips: codes go where they should, each update moves one network, patches are seen as real ones are."""

import copy

import pytest
import torch

from helpers.data import clips, fly
from helpers.data.clips import draw, launch
from helpers.gan import gradient_norm_squared, relativistic
from helpers.gan.video import (
    ClipGenerator,
    FlightDiscriminator,
    FlightGenerator,
    PatchDiscriminator,
    PatchGenerator,
    as_seen,
    clip_gan_step,
    fold,
    labelled,
    play,
    to_pixels,
    to_units,
)
from helpers.training import for_updates
from helpers.video import aligned, track


@pytest.fixture
def motion(one_thread):
    """A generator of flights and its discriminator."""
    torch.manual_seed(0)
    return FlightGenerator(4, 2, 5, 8).double(), FlightDiscriminator(8).double()


def noise(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def real_flights(n=6):
    return to_units(fly(*launch(n, generator=torch.Generator().manual_seed(0)))[0])


def test_units_are_half_the_box_and_back():
    assert to_units(torch.tensor([7.5, 15.5, 23.5])).tolist() == [-1, 0, 1]
    positions = noise(3, 16, 2)
    assert torch.allclose(to_pixels(to_units(positions)), positions)


def test_a_fold_reflects_at_the_walls_as_the_simulator_does():
    """(18.5)"""
    start, velocity = launch(300, generator=torch.Generator().manual_seed(4))
    velocity = 4 * velocity  # several walls in one clip, and in one step
    straight = start[:, None] + velocity[:, None] * torch.arange(16)[:, None]
    assert (to_units(straight).abs() > 3).any()
    assert torch.allclose(to_pixels(fold(to_units(straight))), fly(start, velocity)[0], atol=1e-9)
    inside = 2 * torch.rand(100) - 1
    assert torch.allclose(fold(inside), inside, atol=1e-6)


def test_a_flight_depends_on_the_codes_of_its_past_alone(motion):
    """(18.4)"""
    generator, _ = motion
    z = noise(1, generator.latent).requires_grad_()
    flight = generator(z)
    assert flight.shape == (1, 16, 2) and flight.abs().max() <= 1
    for t in range(16):
        (gradient,) = torch.autograd.grad(flight[0, t].sum(), z, retain_graph=True)
        start, codes = gradient[0, :4], gradient[0, 4:].view(15, 2)
        assert start.abs().min() > 0
        assert (codes[:t].abs().amax(1) > 0).all() and not codes[t:].any()


def test_a_flight_by_hand(motion):
    """(18.4): the velocity changes by the GRU's state, the position by the velocity, and the walls fold it."""
    generator, _ = motion
    z = noise(3, generator.latent)
    x, y, across, down = generator.launch(z[:, :4]).T
    position, velocity, state = (
        torch.stack([x, y], 1),
        torch.stack([across, down], 1) / 4,
        torch.zeros(1, 3, 5),
    )
    for t in range(16):
        assert torch.allclose(generator(z)[:, t], fold(position))
        if t < 15:
            seen, state = generator.gru(z[:, None, 4 + 2 * t : 6 + 2 * t], state.double())
            velocity = velocity + 0.1 * generator.change(seen[:, 0])
            position = position + velocity


def test_without_changes_a_flight_is_one_of_the_simulator(motion):
    generator, _ = motion
    for parameter in generator.change.parameters():
        torch.nn.init.zeros_(parameter)
    flights = to_pixels(generator(noise(50, generator.latent)))
    launched = generator.launch(noise(50, generator.latent)[:, :4])
    assert launched[:, :2].abs().max() < 1
    true = fly(to_pixels(launched[:, :2]), 8 * launched[:, 2:] / 4)[0]
    assert torch.allclose(flights, true, atol=1e-9)


def test_content_never_moves_a_clip_and_motion_never_changes_its_patch(motion):
    generator = ClipGenerator(PatchGenerator(3, 8).double(), motion[0])
    c, m = noise(4, 13), noise(4, motion[0].latent, seed=2)
    frames = generator(c, m)
    assert frames.shape == (4, 16, 1, 32, 32)
    positions = to_pixels(generator.motion(m))
    for t in (0, 9, 15):
        again = draw(generator.content(c), positions[:, t : t + 1])[:, 0]
        assert torch.allclose(frames[:, t], again)


def test_samples_repeat_by_their_seed(motion):
    generator, state = ClipGenerator(PatchGenerator(3, 8), motion[0].float()), torch.get_rng_state()
    one, again = (generator.sample(3, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, again) and torch.equal(torch.get_rng_state(), state)


def test_a_patch_is_seen_as_a_real_one_was():
    """A real digit drawn into a frame and cut out where it was seen: what `aligned` cuts out of real frames."""
    data = clips(20, split="validation")
    positions = track(data.frames)[:, 3].float()
    patches = aligned(data.frames[:, 3:4])[:, 0]
    assert (as_seen(patches, positions) - patches).square().mean() < 0.004
    whole = torch.full((20, 2), 15.5)
    torch.testing.assert_close(as_seen(patches, whole), patches, atol=1e-4, rtol=0)
    moved = patches.requires_grad_()
    as_seen(moved, positions).sum().backward()
    assert moved.grad.abs().sum() > 0


def test_flights_are_judged_by_positions_steps_and_changes(motion):
    """Changes of steps stand in the last features: two flights that differ there alone get two opinions."""
    _, discriminator = motion
    first = discriminator.net[0].weight
    assert first.shape[1] == 2 * (16 + 15 + 14)
    with torch.no_grad():
        first[:, : 2 * (16 + 15)] = 0
    straight = torch.linspace(-1, 1, 16, dtype=torch.float64)[None, :, None].expand(1, 16, 2)
    elsewhere = 0.5 * straight + 0.1
    assert torch.allclose(discriminator(straight), discriminator(elsewhere))
    assert not torch.allclose(discriminator(straight), discriminator(straight**2))


@pytest.mark.parametrize("gamma", [0.0, 0.3])
def test_a_step_by_hand(motion, gamma):
    generator, discriminator = motion
    hand_g, hand_d = copy.deepcopy(generator), copy.deepcopy(discriminator)
    optimisers = [torch.optim.SGD(each.parameters(), 0.1) for each in motion]
    real, z = real_flights(), noise(6, generator.latent)
    told = clip_gan_step(generator, discriminator, *optimisers, real, z, gamma)
    fake = hand_g(z)
    d_loss = relativistic(hand_d(real), hand_d(fake.detach()))
    d_loss = (d_loss + gamma / 2 * gradient_norm_squared(hand_d, real)).mean()
    descend(hand_d, d_loss)
    g_loss = relativistic(hand_d(fake), hand_d(real)).mean()
    descend(hand_g, g_loss)
    assert told["d_loss"].item() == pytest.approx(d_loss.item())
    assert told["g_loss"].item() == pytest.approx(g_loss.item())
    for mine, by_hand in ((generator, hand_g), (discriminator, hand_d)):
        for p, q in zip(mine.parameters(), by_hand.parameters(), strict=True):
            torch.testing.assert_close(p, q)
    assert all(p.requires_grad for p in discriminator.parameters())


def descend(network, loss):
    gradients = torch.autograd.grad(loss, [*network.parameters()])
    with torch.no_grad():
        for p, gradient in zip(network.parameters(), gradients, strict=True):
            p -= 0.1 * gradient


@pytest.mark.parametrize("moves", ["d_optimiser", "g_optimiser"])
def test_each_update_leaves_the_other_network_bitwise(motion, moves):
    before = [copy.deepcopy(each.state_dict()) for each in motion]
    rates = {"g_optimiser": 0.0, "d_optimiser": 0.0, moves: 0.1}
    optimisers = [
        torch.optim.SGD(each.parameters(), rate) for each, rate in zip(motion, rates.values(), strict=True)
    ]
    clip_gan_step(*motion, *optimisers, real_flights(), noise(6, motion[0].latent), 0.1)
    still, moved = (0, 1) if moves == "d_optimiser" else (1, 0)
    after = [each.state_dict() for each in motion]
    assert all(torch.equal(before[still][name], after[still][name]) for name in before[still])
    assert not all(torch.equal(before[moved][name], after[moved][name]) for name in before[moved])


def test_content_codes_hold_a_style_and_a_digit_and_the_discriminator_sees_the_digit(one_thread):
    torch.manual_seed(0)
    generator, discriminator, digits = PatchGenerator(3, 8), PatchDiscriminator(8), torch.tensor([7, 0, 7])
    codes = generator.codes(digits, torch.Generator().manual_seed(2))
    assert codes.shape == (3, 13) and codes[:, 3:].argmax(1).tolist() == [7, 0, 7]
    assert torch.equal(codes[:, 3:].sum(1), torch.ones(3)) and not torch.equal(codes[0], codes[2])
    patches = generator(codes)
    assert patches.shape == (3, 1, 14, 14) and 0 <= patches.min() and patches.max() <= 1
    rows = labelled(patches, codes)
    assert rows.shape == (3, 206) and torch.equal(rows[:, :196], patches.flatten(1))
    other = labelled(patches, generator.codes(torch.tensor([3, 0, 7])))
    opinions = discriminator(rows) == discriminator(other)
    assert opinions.tolist() == [False, True, True]


def test_a_game_penalises_lazily_and_returns_the_average(motion, monkeypatch):
    """Nine updates: R1 at the first and at the ninth, eight times as strong; the average lags behind."""
    penalties = []

    def noted(generator, discriminator, g_optimiser, d_optimiser, real, z, gamma):
        penalties.append(gamma)
        return clip_gan_step(generator, discriminator, g_optimiser, d_optimiser, real, z, gamma)

    monkeypatch.setattr("helpers.gan.video.clip_gan_step", noted)
    generator, discriminator = motion
    before = copy.deepcopy(generator)
    make = lambda: (real_flights(), noise(6, generator.latent), lambda fake: fake)  # noqa: E731
    average, updates = play(generator, discriminator, make, for_updates(9), gamma=0.2)
    assert updates == 9 and penalties == [1.6, *[0.0] * 7, 1.6]
    for start, mean, end in zip(*(each.parameters() for each in (before, average, generator)), strict=True):
        assert not mean.requires_grad and (mean - start).norm() <= (end - start).norm()
