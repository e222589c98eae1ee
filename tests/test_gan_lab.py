"""The GAN lab without a browser: who moves in which step, what the presets do, what is drawn."""

import ipywidgets
import pytest
import torch
from test_widgets import page, press, widgets_in

from helpers.widgets import GanLab, LiveFrame, gan_lab
from helpers.widgets.gan_lab import DATA, LOSSES, PRESETS

ALT = "A plane with data, fakes and arrows, and two curves."


@pytest.fixture(autouse=True)
def one_thread_and_nothing_left_open():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    for frame in list(LiveFrame.open_frames.values()):
        frame.close()


def copy_of(network):
    return [p.clone() for p in network.parameters()]


def moved(network, before):
    return any(not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


def test_a_single_step_moves_one_network_alone():
    lab = GanLab()
    g, d = copy_of(lab.generator), copy_of(lab.discriminator)
    lab.d_step()
    assert moved(lab.discriminator, d) and not moved(lab.generator, g) and lab.rounds == 0
    d = copy_of(lab.discriminator)
    lab.g_step()
    assert moved(lab.generator, g) and not moved(lab.discriminator, d) and lab.rounds == 1


def test_the_same_seed_plays_the_same_game_and_disturbs_nobody():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first, second = GanLab(seed=3), GanLab(seed=3)
    for lab in (first, second):
        lab.round()
    assert torch.equal(first.fakes(10), second.fakes(10))
    assert torch.equal(torch.get_rng_state(), state)


def test_arrows_point_down_the_generators_loss():
    lab = GanLab()
    for _ in range(50):
        lab.round()
    fake = lab.fakes(40)

    def loss(at):
        return lab.losses[1](lab.discriminator(at)).sum()

    with torch.no_grad():
        assert loss(fake + 1e-3 * lab.pushes(fake)) < loss(fake)


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_data_set_and_loss_can_be_played(data, loss):
    lab = GanLab(data=data, loss=loss)
    for _ in range(3):
        lab.round()
    assert lab.picture(ALT).alt == ALT
    assert "3 rounds" in lab.sentence() and f"of {len(lab.data.centres)} modes" in lab.sentence()


def test_the_null_level_stands_beside_the_estimate():
    lab = GanLab(data="one mode")
    lab.picture(ALT)
    assert 0 < lab.null < 0.15 < lab.curves["JS"][-1][1]
    assert f"two samples of the data: {lab.null:.2f}" in lab.sentence()


def test_presets_set_rates_momentum_and_steps():
    for name, preset in PRESETS.items():
        lab = GanLab(preset=name)
        lab.round()
        assert lab.g_optimiser.param_groups[0]["lr"] == preset.g_rate
        assert lab.d_optimiser.param_groups[0]["betas"][0] == preset.momentum
        assert len(lab.curves["D"]) == preset.d_steps


def test_its_controls():
    frame = gan_lab(ALT)
    assert "0 rounds" in page(frame)
    press(frame, "Step")
    assert "1 rounds" in page(frame)
    press(frame, "One D step")
    assert "1 rounds" in page(frame)
    press(frame, "One G step")
    assert "2 rounds" in page(frame)
    g_rate, d_rate = (w for w in widgets_in(frame.box) if isinstance(w, ipywidgets.FloatLogSlider))
    choice = next(w for w in widgets_in(frame.box) if getattr(w, "description", "") == "preset")
    choice.value = "collapses"
    assert "0 rounds" in page(frame)
    assert (g_rate.value, d_rate.value) == pytest.approx((1e-3, 1e-2))
    press(frame, "Reset")
    assert "0 rounds" in page(frame)


def test_a_reader_without_a_kernel_sees_a_game_under_way():
    frame = gan_lab(ALT)
    assert frame.static is not None and frame.static != frame.picture
