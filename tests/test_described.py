"""Descriptions of figures: kind, axes, series, range and trend, from what is drawn."""

import numpy as np
import pytest
import torch

from helpers.described import described
from helpers.plotting import (
    bar_plot,
    density_plot,
    history_plot,
    line_plot,
    new_figure,
    scatter_plot,
    strip_plot,
)

X = np.linspace(0, 1, 11)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (X, "rises from 0 to 1"),
        (-X, "falls from 0 to −1"),
        (0 * X + 2, "stays at 2"),
        (4 * X * (1 - X), "goes from 0 to 0 with a top of 1 at 0.5"),
        (-4 * X * (1 - X), "goes from 0 to 0 with a bottom of −1 at 0.5"),
        (np.sin(6 * X), "a top of 0.974 at 0.3 and a bottom of −0.996 at 0.8"),
        (np.where(X > 0.5, np.nan, X), "rises from 0 to 0.5"),
    ],
)
def test_a_line_tells_its_trend(y, words):
    alt = line_plot(X, {"loss": y}).alt
    assert alt.startswith("loss ") and words in alt


def test_what_rounding_leaves_of_zero_is_told_as_zero_but_not_on_a_logarithmic_axis():
    x, y = np.array([-1, -7e-17, 1]), np.array([1e-8, 1, 1e-8])
    assert "goes from 0 to 0 with a top of 1 at 0" in line_plot(x, {"p": y}).alt
    assert "from 1e−08 to 1e−08" in line_plot(x, {"p": y}, yscale="log").alt


def test_axes_tell_label_range_and_scale():
    alt = line_plot(
        X, {"p": X}, xlabel=r"$\theta$", ylabel=r"$\log p$", xlim=(0, 2), yscale="log", ylim=(0.1, 10)
    ).alt
    assert "The x axis, θ, runs from 0 to 2." in alt
    assert "The y axis, log p, runs from 0.1 to 10, logarithmic." in alt


def test_points_bars_levels_and_rows_are_told():
    points = scatter_plot(torch.tensor([[0.0, 1], [2, 3], [4, 5], [1, 1], [3, 2]])).alt
    assert "Points: 5 around (2, 2), from 0 to 4 across, 1 to 5 up." in points
    digits = scatter_plot(torch.rand(20, 2), labels=torch.arange(20) % 2).alt
    assert digits.count("around") == 2
    assert "a 1, b 2.5" in bar_plot([1, 2.5], names=["a", "b"]).alt
    assert "20 from 0 to 19, the highest at" in bar_plot(list(range(20))).alt
    density = density_plot(lambda x: -((x - 1) ** 2).sum(1)).alt
    assert "Filled levels from 0" in density and "the highest around (0.98" in density
    assert "colorbar" not in density and "2 panels" not in density
    assert "The y axis has a, b." in strip_plot({"a": [1, 2, 3], "b": [4]}).alt


def test_several_panels_are_numbered_and_many_are_cut_short():
    figure, axes = new_figure(1, 2)
    axes[0].plot(X, X, label="a")
    axes[1].plot(X, -X, label="b")
    axes[1].set_title("second")
    alt = described(figure)
    assert alt.startswith("2 panels. Panel 1: a rises") and "Panel 2: second: b falls" in alt
    figure, axes = new_figure(3, 4)
    assert described(figure).endswith("And more.")


def test_what_is_hidden_or_empty_is_not_told():
    figure, axes = new_figure()
    axes.plot([], [], label="nothing")
    (hidden,) = axes.plot(X, X, label="hidden")
    hidden.set_visible(False)
    alt = described(figure)
    assert "nothing" not in alt and "hidden" not in alt


def test_a_history_names_what_it_shows():
    alt = history_plot({"loss of D": [3.0, 2.0, 1.0]}, ["loss of D"], ylabel="nats").alt
    assert "loss of D falls from 3 to 1" in alt


def test_every_description_is_longer_than_a_title_and_shorter_than_a_page():
    lines = {f"line {n}": X * n for n in range(30)}
    assert 20 <= len(line_plot(X, lines).alt) < 1500
