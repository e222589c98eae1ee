"""The pair bench without a browser: its numbers, its sliders, its buttons."""

import itertools
import math

import ipywidgets
import pytest
import torch
from test_widgets import page, press, widgets_in
from torch.distributions import Normal, kl_divergence

from helpers.theory import quadrature
from helpers.widgets import LiveFrame, PairBench, pair_bench
from helpers.widgets.pair import REACH

ALT = "Two bell curves on the left, three curves of divergences on the right."


@pytest.fixture(autouse=True)
def nothing_left_open():
    yield
    for frame in list(LiveFrame.open_frames.values()):
        frame.close()


def sliders(frame):
    return [w for w in widgets_in(frame.box) if isinstance(w, ipywidgets.FloatSlider)]


def drawn(frame):
    return frame.picture.data


def normal(mean, std):
    return Normal(torch.tensor(mean, dtype=torch.float64), torch.tensor(std, dtype=torch.float64))


@pytest.mark.parametrize("shapes", [(0.0, 1.0, 1.5, 0.6), (-2.0, 0.3, 1.0, 2.0), (1.0, 2.0, 1.0, 0.3)])
def test_its_numbers_against_pytorch_and_quadrature(shapes):
    bench = PairBench(*shapes)
    p, q = normal(*shapes[:2]), normal(*shapes[2:])
    here = bench.here()
    assert here["KL(p‖q)"] == pytest.approx(kl_divergence(p, q).item(), abs=1e-12)
    assert here["KL(q‖p)"] == pytest.approx(kl_divergence(q, p).item(), abs=1e-12)

    def inside(t):
        log_p, log_q = (each.log_prob(torch.tensor(t, dtype=torch.float64)).item() for each in (p, q))
        log_m = max(log_p, log_q) + math.log1p(math.exp(-abs(log_p - log_q))) - math.log(2)
        return (math.exp(log_p) * (log_p - log_m) + math.exp(log_q) * (log_q - log_m)) / 2

    assert here["JS(p, q)"] == pytest.approx(quadrature(inside, [-20, -4, -2, -1, 0, 1, 2, 4, 20]), abs=1e-8)


def test_the_curves_pass_through_the_dots_and_js_stays_below_log_2():
    bench = PairBench()
    curves = bench.divergences(bench.MEANS)
    assert curves["JS(p, q)"].max() <= math.log(2) and all(curve.min() >= -1e-12 for curve in curves.values())
    for number in (0, 17, 80):
        bench.mean_q = bench.MEANS[number].item()
        for name, height in bench.here().items():
            assert height == pytest.approx(curves[name][number].item(), abs=1e-12)


def test_equal_bells_have_three_zeros():
    assert all(abs(number) < 1e-12 for number in PairBench(0.5, 0.7, 0.5, 0.7).here().values())


def test_the_curves_are_drawn_anew_only_when_a_shape_changes_and_then_rightly():
    bench = PairBench()
    bench.picture(ALT)
    before = bench._curves["JS(p, q)"].get_ydata()
    bench.slide()
    bench.picture(ALT)
    assert bench._curves["JS(p, q)"].get_ydata() is before
    bench.std_p = 2.0
    bench.picture(ALT)
    assert torch.equal(bench._curves["KL(q‖p)"].get_ydata(), bench.divergences(bench.MEANS)["KL(q‖p)"])


def test_q_slides_to_and_fro():
    bench = PairBench()
    places = []
    for _ in range(200):
        bench.slide()
        places.append(bench.mean_q)
    assert max(places) == REACH and min(places) == -REACH
    assert all(abs(b - a) == pytest.approx(0.1) for a, b in itertools.pairwise(places))


def test_its_sliders_and_buttons():
    frame = pair_bench(alt=ALT)
    mean_p, std_p, mean_q, std_q = sliders(frame)
    start = drawn(frame)
    assert f'alt="{ALT}"' in page(frame)
    mean_q.value, std_q.value = 0.0, 1.0
    assert drawn(frame) != start and "KL(p‖q) = 0.000 · KL(q‖p) = 0.000 · JS(p, q) = 0.000" in page(frame)
    before = drawn(frame)
    mean_p.value = 2.0
    assert drawn(frame) != before and "KL(p‖q) = 2.000 · KL(q‖p) = 2.000" in page(frame)
    before = drawn(frame)
    std_p.value = 0.5
    assert drawn(frame) != before
    press(frame, "Step")
    assert mean_q.value == pytest.approx(0.1) and mean_p.value == 2.0 and std_p.value == 0.5
    press(frame, "Reset")
    assert drawn(frame) == start and [s.value for s in sliders(frame)] == [0.0, 1.0, 1.2, 0.6]
