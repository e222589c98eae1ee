"""The GAN lab without a browser: who moves in which step, what the presets do, what is drawn."""

import ipywidgets
import pytest
import torch
from test_widgets import page, press, widgets_in

from helpers.gan import PRESETS
from helpers.metrics import js_from_samples
from helpers.widgets import GanLab, LiveFrame, gan_lab
from helpers.widgets.gan_lab import DATA, LOSSES

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
    assert "3 iterations" in lab.sentence() and f"of {len(lab.data.centres)} modes" in lab.sentence()


@pytest.fixture
def leaning():
    """A lab whose D is a plane, its logit x₁ + 5 x₂, so that the picture can be told by hand."""
    lab = GanLab(loss="hinge")
    lab.discriminator = lambda points: points @ torch.tensor([1.0, 5.0])
    return lab


def test_the_heat_is_d_at_its_place(leaning):
    """Upwards and to the right the logit grows, corner by corner."""
    leaning.picture(ALT)
    heat = torch.as_tensor(leaning._heat.get_array())
    corners = torch.tensor([[-3.0 + 15, 3 + 15], [-3 - 15, 3 - 15]]).sigmoid()  # above, below
    assert torch.allclose(heat[[0, 0, -1, -1], [0, -1, 0, -1]].view(2, 2), corners, atol=1e-6)
    assert list(leaning._heat.get_extent()) == [-3, 3, -3, 3] and leaning._heat.origin == "upper"


def test_the_line_is_where_d_is_one_half(leaning):
    """Where x₁ + 5 x₂ = 0; without such a place there is none."""
    leaning.picture(ALT)
    x1, x2 = torch.as_tensor(leaning._border.get_xydata()).T
    drawn = ~x1.isnan()
    assert drawn.sum() > 20 and torch.allclose(x1[drawn] + 5 * x2[drawn], torch.zeros(1).double(), atol=0.05)
    leaning.discriminator = lambda points: 1 + points.square().sum(1)
    leaning.picture(ALT)
    assert torch.as_tensor(leaning._border.get_xydata()).isnan().all()


def test_arrows_are_cut_and_not_turned(leaning, monkeypatch):
    """A long push becomes an arrow of 0.6, a shorter one 0.6 of itself, and none stays none."""
    pushes = torch.zeros(60, 2)
    pushes[0], pushes[1] = torch.tensor([3.0, -4.0]), torch.tensor([0.0, 0.5])
    monkeypatch.setattr(leaning, "pushes", lambda fake: pushes)
    leaning.picture(ALT)
    arrows = torch.stack([torch.as_tensor(leaning._arrows.U), torch.as_tensor(leaning._arrows.V)], 1)
    expected = torch.zeros(60, 2)
    expected[0], expected[1] = torch.tensor([0.36, -0.48]), torch.tensor([0.0, 0.3])
    assert torch.allclose(arrows.float(), expected, atol=1e-6)


def test_curves_show_the_last_rounds_alone(leaning):
    leaning.rounds = 1000
    for at in (650, 700, 701, 999):
        leaning.curves["D"].append((at, at / 1000))
    leaning.picture(ALT)
    assert leaning._lines["D"].get_xydata().tolist() == [[-299, 0.701], [-1, 0.999]]
    assert leaning._lines["JS"].get_xdata().tolist() == [0]


def test_the_null_level_is_of_two_samples_as_large_as_those_of_the_estimate():
    lab, noise = GanLab(data="grid of 9", seed=5), torch.Generator().manual_seed(5)
    first, second = (DATA["grid of 9"]().sample(1000, noise) for _ in range(2))
    assert lab.null == js_from_samples(first, second)


def test_a_rate_set_by_hand_is_that_of_its_optimiser(monkeypatch):
    """And what the lab itself puts on the sliders is no hand."""
    lab = GanLab()
    lab.set_rates(0.01, 0.02)
    assert lab.g_optimiser.param_groups[0]["lr"] == 0.01 and lab.d_optimiser.param_groups[0]["lr"] == 0.02
    asked = []
    monkeypatch.setattr(GanLab, "set_rates", lambda lab, *rates: asked.append(rates))
    monkeypatch.setattr(GanLab, "round", lambda lab: None)  # nobody needs the 800 rounds of the still picture
    monkeypatch.setattr(GanLab, "estimate", lambda lab: lab.curves["JS"].append((0, 0.1)))
    frame = gan_lab(alt=ALT)
    g_rate, d_rate = (w for w in widgets_in(frame.box) if isinstance(w, ipywidgets.FloatLogSlider))
    assert not asked
    g_rate.value = 0.005
    d_rate.value = 0.02
    assert asked == [(0.005, pytest.approx(3e-3)), (0.005, 0.02)]
    press(frame, "Reset")
    assert len(asked) == 2 and g_rate.value == pytest.approx(3e-3)


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
        assert lab.d_optimiser.param_groups[0]["betas"][0] == preset.beta1
        assert len(lab.curves["D"]) == preset.d_steps


def test_its_controls():
    frame = gan_lab(alt=ALT)
    assert "0 iterations" in page(frame)
    press(frame, "Step")
    assert "1 iterations" in page(frame)
    press(frame, "One D step")
    assert "1 iterations" in page(frame)
    press(frame, "One G step")
    assert "2 iterations" in page(frame)
    g_rate, d_rate = (w for w in widgets_in(frame.box) if isinstance(w, ipywidgets.FloatLogSlider))
    choice = next(w for w in widgets_in(frame.box) if getattr(w, "description", "") == "preset")
    choice.value = "collapses"
    assert "0 iterations" in page(frame)
    assert (g_rate.value, d_rate.value) == pytest.approx((1e-3, 1e-2))
    press(frame, "Reset")
    assert "0 iterations" in page(frame)


def test_a_reader_without_a_kernel_sees_a_game_under_way():
    frame = gan_lab(alt=ALT)
    assert frame.static is not None and frame.static != frame.picture
