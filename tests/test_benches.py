"""The divergence bench and the ELBO bench without a browser: their numbers, their sliders, their buttons."""

import math

import ipywidgets
import pytest
import torch
from matplotlib.figure import Figure
from test_widgets import page, press, widgets_in
from torch.distributions import Bernoulli, Normal, kl_divergence

from helpers.theory import js, optimal_discriminator
from helpers.widgets import (
    DivergenceBench,
    ElboBench,
    GanLab,
    LiveFrame,
    PairBench,
    divergence_bench,
    elbo_bench,
)
from helpers.widgets.elbo import NARROW

ALT = "Curves that answer to the sliders, and a bar."


@pytest.fixture(autouse=True)
def nothing_left_open():
    yield
    for frame in list(LiveFrame.open_frames.values()):
        frame.close()


def sliders(frame):
    return [w for w in widgets_in(frame.box) if isinstance(w, ipywidgets.FloatSlider)]


def drawn(frame):
    return frame.picture.data


# Divergences


def test_the_bar_never_passes_the_ceiling_and_the_gap_is_a_mean_kl():
    bench = DivergenceBench()
    torch.manual_seed(0)
    for _ in range(20):
        bench.levels = torch.rand(9).double().clamp(0.01, 0.99)
        bench.move_q(6 * torch.rand(()).item() - 3, 0.3 + 1.7 * torch.rand(()).item())  # as the sliders go
        best = Bernoulli(probs=optimal_discriminator(bench.log_p, bench.log_q).clamp(1e-15, 1 - 1e-15))
        kls = kl_divergence(best, Bernoulli(probs=bench.discriminator()))
        by_kl = torch.trapezoid((bench.log_p.exp() + bench.log_q.exp()) * kls, bench.X).item()
        assert abs(bench.gap() - by_kl) < 1e-6
        assert abs(bench.ceiling - bench.value() - bench.gap()) < 1e-6 < bench.gap()


def test_one_half_earns_minus_log_4_and_the_machine_climbs_nearly_to_the_ceiling():
    bench = DivergenceBench()
    assert abs(bench.value() + math.log(4)) < 1e-6
    heights = []
    for _ in range(60):
        bench.climb()
        heights.append(bench.value())
    assert heights == sorted(heights) and bench.gap() < 0.06
    bench.jump()
    assert bench.gap() < 0.06


def test_d_stays_away_from_0_and_1_where_its_logarithms_would_run_away():
    """By climbing and by a jump, where p and q hardly meet; the value stays a number."""
    for go in (lambda bench: [bench.climb() for _ in range(60)], DivergenceBench.jump):
        bench = DivergenceBench(mean=3.0, std=0.3)
        go(bench)
        assert bench.levels.min().item() == pytest.approx(0.01) and bench.levels.max().item() <= 0.99
        assert math.isfinite(bench.value()) and math.isfinite(bench.gap())


def test_the_ceiling_is_minus_log_4_where_the_generator_is_the_data():
    bench = DivergenceBench()
    bench.move_q(-1.0, 1.0)
    assert abs(bench.ceiling + math.log(4)) < 1e-9
    bench.move_q(3.0, 0.3)
    assert bench.ceiling == pytest.approx(2 * js(bench.log_p, bench.log_q, bench.X).item() - math.log(4))


def test_its_sliders_bend_d_and_move_q():
    frame = divergence_bench(alt=ALT)
    *knots, mean, std = sliders(frame)
    assert len(knots) == 9 and f'alt="{ALT}"' in page(frame)
    before, sentence = drawn(frame), page(frame)
    knots[3].value = 0.9
    assert drawn(frame) != before and page(frame) != sentence
    before = drawn(frame)
    mean.value, std.value = -1.0, 1.0
    assert drawn(frame) != before and "ceiling 2·JS − log 4 = -1.386" in page(frame)


def test_the_best_discriminator_is_drawn_only_once_it_was_asked_for():
    bench = DivergenceBench()
    assert "D*, the best" not in bench.picture().alt
    bench.jump()
    assert "D*, the best" in bench.picture().alt


def test_its_buttons_jump_step_and_start_again():
    frame = divergence_bench(alt=ALT)
    start = drawn(frame)
    press(frame, "Jump to D*")
    *knots, _, _ = sliders(frame)
    assert knots[0].value > 0.9 and knots[6].value < 0.1
    press(frame, "Reset")
    assert drawn(frame) == start and all(knot.value == 0.5 for knot in knots)
    press(frame, "Step")
    assert drawn(frame) != start


# The ELBO


def test_the_bound_touches_at_the_posterior_and_nowhere_crosses():
    bench = ElboBench()
    evidence = bench.evidence(bench.THETAS)
    assert torch.allclose(bench.bound(bench.THETAS), bench.bound_curve())
    for mean, std in ((0.0, 1.0), (1.0, 0.4), (-2.0, 0.3)):
        bench.mean, bench.std = mean, std
        assert (bench.bound_curve() <= evidence + 1e-9).all() and bench.gap() > 0.01
    bench.e_step()
    assert bench.gap() < 1e-9 and (bench.bound_curve() <= evidence + 1e-9).all()


def test_e_and_m_steps_climb_to_the_top_and_a_narrow_family_does_not():
    bench, heights = ElboBench(), []
    top = math.sqrt(bench.X**2 - bench.STD**2)
    for _ in range(60):
        bench.e_step()
        bench.m_step()
        heights.append(bench.evidence(torch.tensor([bench.theta]).double()).item())
    assert heights == sorted(heights) and abs(bench.theta - top) < 1e-3
    bench = ElboBench()
    bench.narrow = True
    for _ in range(60):
        bench.e_step()
        bench.m_step()
    assert bench.std == NARROW and bench.gap() > 0.05 and bench.theta > top + 0.02


def test_m_step_is_the_top_of_the_drawn_parabola():
    for mean, std in ((1.2, 0.5), (0.9, 1.3), (-2.0, 0.2)):
        bench = ElboBench(mean=mean, std=std)
        top = bench.THETAS[bench.bound_curve().argmax()].item()
        bench.m_step()
        assert abs(bench.theta - top) <= (bench.THETAS[1] - bench.THETAS[0]).item()


def test_its_sliders_buttons_and_box():
    frame = elbo_bench(alt=ALT)
    mean, std, theta = sliders(frame)
    before = drawn(frame)
    mean.value = 1.0
    assert drawn(frame) != before
    press(frame, "E-step")
    assert "gap = KL(q ‖ posterior) = 0.000" in page(frame)
    assert mean.value == pytest.approx(1.2) and std.value == pytest.approx(0.8)
    press(frame, "M-step")
    assert theta.value == pytest.approx(2 * 1.2 / (1.2**2 + 0.8**2), abs=0.01)
    before = drawn(frame)
    mean.value = -1.0  # after a button, too, the sliders are the reader's
    assert drawn(frame) != before
    press(frame, "E-step")
    (box,) = (w for w in widgets_in(frame.box) if isinstance(w, ipywidgets.Checkbox))
    box.value = True
    assert std.disabled and std.value == pytest.approx(NARROW)
    press(frame, "E-step")
    assert "posterior) = 0.000" not in page(frame)
    press(frame, "Reset")
    assert theta.value == pytest.approx(0.6)


@pytest.mark.parametrize("make", [DivergenceBench, ElboBench, PairBench, GanLab])
def test_a_picture_draws_what_moves_and_nothing_else(make, monkeypatch):
    """A figure drawn from scratch takes eight times as long: only the first picture may be one."""
    bench, drawn, whole = make(), [], Figure.draw
    monkeypatch.setattr(Figure, "draw", lambda *arguments: (drawn.append(1), whole(*arguments)))
    pictures = [bench.picture(ALT) for _ in range(3)]
    assert not drawn and pictures[0].width > 100


def test_float32_is_not_used_where_an_identity_is_shown():
    bench = DivergenceBench()
    assert bench.log_q.dtype == torch.float64
    exact = Normal(*torch.tensor([1.5, 0.6], dtype=torch.float64)).log_prob(bench.X)
    assert torch.allclose(bench.log_q, exact, rtol=0, atol=1e-12)
