"""Figures: described, small, drawn right, and a clear sentence where they cannot be."""

import base64
import io
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image

from helpers import plotting
from helpers.data import load_digits
from helpers.plotting import (
    Picture,
    Stage,
    animation,
    bar_plot,
    density_plot,
    history_plot,
    hstack,
    image_grid,
    image_map,
    line_plot,
    new_figure,
    path_plot,
    picture,
    running_mean,
    scatter_plot,
    scatter_row,
    show,
)

ALT = "A description that is long enough to be one."


def a_figure():
    figure, axes = new_figure()
    axes.plot([0, 1], [0, 1])
    return figure


def drawn(shown: Picture) -> np.ndarray:
    """The grey values, (H, W), as they are in the file."""
    return np.asarray(Image.open(io.BytesIO(shown.data)).convert("L"))


@pytest.fixture
def figures(monkeypatch):
    """The figures that are made from now on, to look at before they are drawn."""
    seen = []
    monkeypatch.setattr(plotting, "picture", lambda figure, alt, caption: seen.append(figure))
    return seen


class Img(HTMLParser):
    """The attributes of the one <img> of a text, as a browser reads them."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)
        ((_, attributes),) = self.found
        self.attributes = dict(attributes)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, attributes))


def test_a_picture_carries_its_description_where_jupyter_shows_it():
    shown = picture(a_figure(), ALT)
    bundle = shown._repr_mimebundle_()
    assert set(bundle) == {
        "text/html",
        "text/plain",
    }  # an image/png would be preferred, and has no description
    assert bundle["text/plain"] == ALT
    img = Img(bundle["text/html"]).attributes
    assert img["alt"] == ALT
    assert img["width"] == str(shown.width) == "614"
    assert img["style"] == "max-width:100%"
    head, _, data = img["src"].partition(",")
    assert head == "data:image/png;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (2 * shown.width, 2 * shown.height)


def test_the_description_may_hold_any_letter():
    nasty = 'Where x < 1 & y > "2" it\'s <b>bold</b>,\nin two lines.'
    img = Img(picture(a_figure(), nasty).html()).attributes
    assert img["alt"] == nasty.replace("\n", " ")


@pytest.mark.parametrize("alt", ["", "   ", "a plot"])
def test_a_description_that_is_none_is_refused(alt):
    for make in (
        lambda: picture(a_figure(), alt),
        lambda: image_grid(torch.zeros(2, 1, 28, 28), alt=alt),
        lambda: animation([picture(a_figure(), ALT)], alt=alt),
    ):
        with pytest.raises(ValueError, match="A description is at least 20 characters"):
            make()


def test_without_one_the_description_is_made_from_what_is_drawn():
    lines = line_plot([0, 1, 2], {"loss": [3.0, 1.0, 2.0]}, xlabel="step", ylabel="nats")
    assert lines.alt.startswith("loss goes from 3 to 2 with a bottom of 1 at 1. The x axis, step, runs from")
    grid = image_grid(torch.full((4, 1, 28, 28), 0.5), columns=2, titles=["a", "b"])
    assert grid.alt == "4 grey images of 28 × 28 pixels in 2 rows of 2, 50 % ink. Columns: a, b."
    assert image_grid(torch.ones(1, 1, 28, 28), titles="the mean").alt.startswith(
        "the mean: 1 grey image of 28"
    )
    moving = animation([lines, lines])
    assert moving.alt == f"An animation of 2 pictures. First: {lines.alt} Last: {lines.alt}"


def test_a_caption_is_read_below_the_picture():
    shown = picture(a_figure(), caption="Where p < q & both are small.")
    assert (
        shown.html().startswith("<figure")
        and "Where p &lt; q &amp; both are small.</figcaption>" in shown.html()
    )
    assert "figcaption" not in picture(a_figure()).html()
    both = hstack(shown, picture(a_figure(), caption="Another."))
    assert both.caption == "Where p < q & both are small. Another."
    assert hstack(shown, shown, caption="Twice.").caption == "Twice."
    assert animation([shown, shown], caption="It moves.").caption == "It moves."


def test_the_page_is_white_and_pyplot_keeps_nothing():
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    axes.plot([1, 2], color="red")
    shown = picture(figure, ALT)
    assert shown.image().getpixel((0, 0)) == (255, 255, 255)
    assert not pyplot.get_fignums()


def test_every_pixel_of_an_image_becomes_a_square_of_ink():
    images = torch.zeros(3, 1, 4, 5)
    images[0, 0, 1, 2], images[1, 0, 0, 0], images[2, 0, 3, 4] = 1, 0.6, 1
    shown = drawn(image_grid(images, alt=ALT, columns=2, scale=2))
    zoom, gap = 4, 4
    assert shown.shape == (2 * 4 * zoom + gap, 2 * 5 * zoom + gap)
    assert (shown[4:8, 8:12] == 0).all()
    assert (shown[:4, 24:28] == round(0.4 * 255)).all()
    assert (shown[32:36, 16:20] == 0).all()
    assert (shown < 255).sum() == 3 * zoom * zoom  # and nothing else, no frame, no blur


def test_faint_patterns_need_more_greys():
    faint = torch.tensor([0.5, 0.51]).view(1, 1, 1, 2)
    assert len(np.unique(drawn(image_grid(faint, alt=ALT)))) == 1
    for titles in ((), ["faint"]):
        assert len(np.unique(drawn(image_grid(faint, alt=ALT, titles=titles, greys=256))[-1])) >= 2


def test_a_map_draws_each_image_at_its_place_and_frames_the_marked_ones():
    images = torch.zeros(4, 1, 8, 8)
    images[3] = 1  # ink
    places = torch.tensor([[-1.0, 1], [1, 1], [-1, -1], [1, -1]])
    shown = image_map(
        images, places, framed=[True, False, False, False], limits=(-2, 2, -2, 2), title="a map"
    )
    assert shown.alt == "a map: 4 grey images of 8 × 8 pixels in 2 rows of 2, 25 % ink. 1 are framed."
    pixels = np.asarray(shown.image()).astype(int)
    frame = np.argwhere(pixels[..., 0] - pixels[..., 2] > 100).mean(0)  # (y, x)
    pixels[:, :100] = 255  # the names of the axis
    ink = np.argwhere(pixels[:, :-4].max(-1) < 40).mean(0)
    assert frame[0] < ink[0] - 100 and frame[1] < ink[1] - 100


def test_a_map_wants_a_place_for_each_image():
    with pytest.raises(ValueError, match="2 images and 3 places"):
        image_map(torch.zeros(2, 1, 8, 8), torch.zeros(3, 2))


def test_titles_stand_beside_the_images_and_cover_none():
    images = torch.full((6, 1, 8, 8), 0.2)
    plain = drawn(image_grid(images, alt=ALT, columns=3))
    titles, row_titles = ["one", "two", "a long third"], ["data", "copy"]
    titled = drawn(image_grid(images, alt=ALT, columns=3, titles=titles, row_titles=row_titles))
    assert (titled < 100).sum() > 100 and not (plain < 100).any()  # black letters
    grey = plain[0, 0]
    assert (titled == grey).sum() >= (plain == grey).sum()
    edge = np.concatenate([titled[0], titled[-1], titled[:, 0], titled[:, -1]])
    assert (edge > 100).all()  # no letter is cut


def test_a_long_headline_is_not_cut():
    shown = drawn(
        image_grid(torch.zeros(1, 1, 8, 8), alt=ALT, titles="a headline wider than the one small image below")
    )
    assert (shown < 100).any() and (shown[:, -1] == 255).all()


def test_a_hundred_digits_stay_small():
    assert len(image_grid(load_digits("validation")[0][:100], alt=ALT).html()) < 40_000


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (torch.zeros(28, 28), r"shape \(N, 1, H, W\), these have \(28, 28\)"),
        (torch.zeros(4, 3, 28, 28), "shape"),
        (torch.zeros(0, 1, 28, 28), "shape"),
        (torch.full((1, 1, 28, 28), torch.nan), "NaN or infinity"),
        (-torch.ones(1, 1, 28, 28), r"from -1.00 to -1.00, and ink from 0 to 1: .*\(x \+ 1\) / 2"),
        (255 * torch.ones(1, 1, 28, 28), "ink from 0 to 1"),
        (torch.full((1, 1, 28, 28), 1.01), r"to 1.01, and ink from 0 to 1"),
    ],
)
def test_images_that_cannot_be_drawn_get_one_sentence(images, sentence):
    with pytest.raises(ValueError, match=sentence):
        image_grid(images, alt=ALT)


def test_wrong_numbers_of_titles_points_labels_names():
    with pytest.raises(ValueError, match="2 columns and 2 rows"):
        image_grid(torch.zeros(4, 1, 8, 8), alt=ALT, columns=2, titles=["only one"])
    with pytest.raises(ValueError, match=r"shape \(n, 2\), these have \(5, 20\)"):
        scatter_plot(torch.zeros(5, 20), alt=ALT)
    with pytest.raises(ValueError, match="5 points and 4 labels"):
        scatter_plot(torch.zeros(5, 2), alt=ALT, labels=[0, 1, 2, 3])
    with pytest.raises(ValueError, match="3 values and 2 names"):
        bar_plot([1, 2, 3], alt=ALT, names=["a", "b"])


def test_the_running_mean_is_the_mean_of_neighbours():
    values = np.random.default_rng(0).normal(size=50)
    smooth = running_mean(values, 5)
    for place in range(50):
        assert smooth[place] == pytest.approx(values[max(place - 2, 0) : place + 3].mean())
    even = running_mean(values, 4)  # of an even number there is one more to the right
    assert even[10] == pytest.approx(values[9:13].mean()) and even[0] == pytest.approx(values[:3].mean())
    assert even[49] == pytest.approx(values[48:].mean())
    assert running_mean([3.0, 4.0], 1) == pytest.approx([3, 4])
    assert running_mean([3.0, 4.0], 100) == pytest.approx([3.5, 3.5])
    assert running_mean(np.full(9, 2.0), 4) == pytest.approx(np.full(9, 2.0))  # no drop at the ends


def test_lines_differ_by_more_than_colour(figures):
    history = {"d_loss": [1.0, 2, 3], "g_loss": torch.tensor([3.0, 2, 1]), "unused": [0.0]}
    history_plot(
        history, ["d_loss", "g_loss"], alt=ALT, smooth=3, labels={"g_loss": "generator"}, ylabel="nats"
    )
    axes = figures[0].axes[0]
    strong = [line for line in axes.get_lines() if not line.get_label().startswith("_")]
    assert [line.get_label() for line in strong] == ["d_loss", "generator"]
    assert len({line.get_color() for line in strong}) == len({line.get_linestyle() for line in strong}) == 2
    assert strong[0].get_ydata() == pytest.approx([1.5, 2, 2.5])
    pale = [line for line in axes.get_lines() if line.get_label().startswith("_")]
    assert [list(line.get_ydata()) for line in pale] == [[1, 2, 3], [3, 2, 1]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("update", "nats")
    assert list(strong[0].get_xdata()) == [1, 2, 3]


@pytest.mark.parametrize("names", [[], ["d_los"], ["empty"]])
def test_a_name_without_history_gets_a_sentence(names):
    with pytest.raises(ValueError, match=r"The history holds \['d_loss', 'empty'\]"):
        history_plot({"d_loss": [1.0], "empty": []}, names, alt=ALT)


def test_a_density_is_drawn_where_it_is(figures):
    centre = torch.tensor([1.0, -2.0])

    def log_prob(x):
        return -((x - centre) ** 2).sum(dim=1) * 4

    density_plot(log_prob, alt=ALT, limits=(-2, 2, -5, 3), points=centre[None])
    axes, scale = figures[0].axes
    assert axes.get_xlim() == (-2, 2) and axes.get_ylim() == (-5, 3)
    corners = np.concatenate(
        [path.vertices for path in axes.collections[0].get_paths() if len(path.vertices)]
    )
    assert corners.min(0).tolist() == [-2, -5] and corners.max(0).tolist() == [2, 3]  # nothing is left white
    assert scale.get_ylim() == pytest.approx((0, 1), abs=0.1)  # the density, not its logarithm
    top_level = axes.collections[0].get_paths()[-1].vertices  # of the highest band
    assert top_level.mean(axis=0) == pytest.approx([1, -2], abs=0.1)
    assert axes.get_lines()[0].get_xydata() == pytest.approx(np.array([[1, -2]]))
    with pytest.raises(ValueError, match="not finite"):
        density_plot(lambda x: torch.full((len(x),), torch.nan), alt=ALT)


def test_each_other_figure_draws():
    points = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    for shown in (
        scatter_plot(points, alt=ALT, labels=torch.arange(50) % 10, circles=(1, 2), limits=(-3, 3, -3, 3)),
        scatter_plot(points, alt=ALT),
        bar_plot(torch.rand(10), alt=ALT, line=0.04, line_label="4 %", xlabel="digit", ylabel="share"),
    ):
        assert len(np.unique(drawn(shown))) > 10
        assert len(shown.data) < 60_000


def test_points_stand_where_they_are_as_their_labels(figures):
    points = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]])
    scatter_plot(points, alt=ALT, labels=[7, 0, 7], circles=(1, 2.5), limits=(-4, 4, -3, 3))
    axes = figures[0].axes[0]
    zeros, sevens = (
        collection.get_offsets() for collection in axes.collections
    )  # in the order of the labels
    assert zeros.tolist() == [[3, -1]] and sevens.tolist() == [[1, 2], [0.5, 0.25]]
    radii = [np.hypot(*line.get_xydata().T) for line in axes.get_lines()]
    assert len(radii) == 2 and all(
        radius == pytest.approx(r) for radius, r in zip(radii, (1, 2.5), strict=True)
    )
    assert axes.get_xlim() == (-4, 4) and axes.get_ylim() == (-3, 3) and axes.get_aspect() == 1
    scatter_plot(points, alt=ALT)
    assert figures[1].axes[0].get_lines()[0].get_xydata().tolist() == points.tolist()


def test_a_path_has_a_dot_at_its_end_and_the_origin_a_cross(figures):
    path_plot({"a": [[0.0, 1.0], [2.0, 3.0]], "b": [[-1.0, 0.5]]}, alt=ALT, limits=(-4, 4, -3, 5))
    axes = figures[0].axes[0]
    drawn_lines = [(line.get_marker(), line.get_xydata().tolist()) for line in axes.get_lines()]
    assert drawn_lines[0] == ("+", [[0, 0]])
    assert drawn_lines[1:3] == [("None", [[0, 1], [2, 3]]), ("o", [[2, 3]])]
    assert drawn_lines[3:] == [("None", [[-1, 0.5]]), ("o", [[-1, 0.5]])]
    assert axes.get_xlim() == (-4, 4) and axes.get_ylim() == (-3, 5)


def test_dots_on_curves_stand_at_their_places(figures):
    line_plot(
        [0.0, 1.0], {"a": [2.0, 3.0]}, alt=ALT, dots={"here": (0.5, 2.5), "there": (1.0, 3.0)}, ylim=(0, 4)
    )
    axes = figures[0].axes[0]
    found = {line.get_label(): line.get_xydata().tolist() for line in axes.get_lines()}
    assert found == {"a": [[0, 2], [1, 3]], "here": [[0.5, 2.5]], "there": [[1, 3]]}
    assert axes.get_ylim() == (0, 4)


def test_a_line_has_the_colour_that_its_name_asks_for(figures):
    for colours in ({"b": "#123456"}, None):
        line_plot([0.0, 1.0], {"a": [2.0, 3.0], "b": [0.0, 1.0]}, alt=ALT, colours=colours)
    chosen, in_turn = ([line.get_color() for line in figure.axes[0].get_lines()] for figure in figures)
    assert chosen == [plotting.COLOURS[0], "#123456"] and in_turn == plotting.COLOURS[:2]


def test_a_line_has_the_style_that_its_name_asks_for(figures):
    line_plot(
        [0.0, 1.0],
        {"a": [2.0, 3.0], "b": [0.0, 1.0]},
        alt=ALT,
        styles={"b": {"linestyle": ":", "linewidth": 1}},
    )
    first, second = figures[0].axes[0].get_lines()
    assert first.get_linestyle() == "-" and (second.get_linestyle(), second.get_linewidth()) == (":", 1)


def test_bars_stand_on_the_ground_or_on_each_other(figures):
    bar_plot({"low": [1.0, 2.0], "high": torch.tensor([0.5, 4.0])}, alt=ALT, names=["x", "y"])
    bar_plot([0.3, 0.1, 0.2], alt=ALT, line=0.04, line_label="4 %")
    stacked, plain = (figure.axes[0] for figure in figures)
    assert [(bar.get_y(), bar.get_height()) for bar in stacked.patches] == [(0, 1), (0, 2), (1, 0.5), (2, 4)]
    assert [label.get_text() for label in stacked.get_xticklabels()] == ["x", "y"]
    assert [(bar.get_y(), bar.get_height()) for bar in plain.patches] == [(0, 0.3), (0, 0.1), (0, 0.2)]
    assert [label.get_text() for label in plain.get_xticklabels()] == ["0", "1", "2"]
    assert list(plain.get_lines()[0].get_ydata()) == [0.04, 0.04]


def test_bars_stand_side_by_side_under_names_that_may_come_twice(figures):
    bar_plot(
        {"a": [1.0, 2.0, 3.0], "b": [0.0, 4.0, 5.0]}, alt=ALT, names=["the", "fox", "the"], side_by_side=True
    )
    axes = figures[0].axes[0]
    assert [bar.get_height() for bar in axes.patches] == [1, 2, 3, 0, 4, 5]
    assert [round(bar.get_x(), 2) for bar in axes.patches] == [-0.4, 0.6, 1.6, 0, 1, 2]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["the", "fox", "the"]


def test_pictures_side_by_side_keep_their_sizes_and_words():
    left, right = (
        image_grid(torch.full((1, 1, 10, side), ink), alt=f"{ALT} {side}")
        for side, ink in ((6, 1.0), (8, 0.0))
    )
    both = hstack(left, right, gap=5)
    assert (both.width, both.height) == (left.width + 5 + right.width, left.height)
    assert both.alt == f"{ALT} 6 {ALT} 8"
    ink = drawn(both) == 0
    assert ink[:, : 2 * left.width].all() and not ink[:, 2 * left.width :].any()


def test_an_animation_is_a_gif_that_ends():
    frames = [
        image_grid(torch.full((2, 1, 28, 28), n / 7), alt=ALT, titles=f"after {n} updates") for n in range(8)
    ]
    shown = animation(frames, alt=ALT, fps=5, plays=3)
    assert shown.mime == "image/gif" and "data:image/gif" in shown.html()
    gif = Image.open(io.BytesIO(shown.data))
    assert gif.n_frames == 8
    assert gif.size == (shown.width, shown.height) == (frames[0].width, frames[0].height)
    assert gif.info["loop"] == 2  # repeated twice: three times in all
    means = []
    for number in range(8):
        gif.seek(number)
        means.append(np.asarray(gif.convert("L")).mean())
        assert gif.info["duration"] == (200 if number < 7 else 1500)
    assert means == sorted(means, reverse=True)  # ever more ink
    assert "loop" not in Image.open(io.BytesIO(animation(frames, alt=ALT, plays=1).data)).info


def test_frames_of_different_size_make_no_animation():
    frames = [image_grid(torch.zeros(n, 1, 8, 8), alt=ALT) for n in (1, 2)]
    for wrong in (frames, []):
        with pytest.raises(ValueError, match="all of one size"):
            animation(wrong, alt=ALT)


def test_show_puts_the_next_picture_in_the_same_place(monkeypatch):
    calls = []

    class Handle:
        def update(self, shown):
            calls.append(("update", shown))

    monkeypatch.setattr(
        plotting, "display", lambda shown, display_id: calls.append(("new", shown)) or Handle()
    )
    handle = show("first")
    assert show("second", handle) is handle
    assert calls == [("new", "first"), ("update", "second")]


def test_the_font_has_the_letters_of_the_mathematics(recwarn):
    figure, _ = new_figure()
    figure.text(0, 0, "β = 1/784, −ELBO, σ, μ, ε, z₁ → z₂, ½, ≤, ×, ‖")
    picture(figure, ALT)
    assert not recwarn.list


def test_curves_and_paths_are_drawn_and_checked():
    x = torch.linspace(0, 1, 50)
    flat, bent = (
        line_plot(x, {"a": x}, alt=ALT),
        line_plot(x, {"a": x**2}, alt=ALT, dots={"here": (0.5, 0.25)}),
    )
    assert flat.data != bent.data and flat.alt == ALT
    with pytest.raises(ValueError, match="50 places"):
        line_plot(x, {"a": x[:7]}, alt=ALT)
    turn = torch.stack([x.cos(), x.sin()], dim=1)
    assert (
        path_plot({"a": turn}, alt=ALT, limits=(-1, 1, -1, 1)).data
        != path_plot({"a": turn[:9]}, alt=ALT, limits=(-1, 1, -1, 1)).data
    )
    with pytest.raises(ValueError, match=r"shape \(n, 2\)"):
        path_plot({"a": x}, alt=ALT, limits=(-1, 1, -1, 1))


def test_a_stage_draws_what_a_fresh_figure_would():
    def figure_at(height):
        figure, axes = new_figure()
        axes.set(ylim=(0, 3))
        (line,) = axes.plot([0, 1], [height, height])
        return figure, line

    figure, line = figure_at(1)
    stage = Stage(figure, [line])
    first = drawn(stage.picture(ALT))
    line.set_ydata([2, 2])
    second = drawn(stage.picture(ALT))
    assert (first != second).any()
    for height, shown in ((1, first), (2, second)):
        difference = np.abs(drawn(picture(figure_at(height)[0], ALT)).astype(int) - shown)
        assert (
            difference > 40
        ).mean() < 0.001  # the order of drawing may differ where the line meets an axis
    with pytest.raises(ValueError, match="alt"):
        stage.picture("short")


def test_a_spread_shows_every_run_and_its_median(figures):
    plotting.strip_plot(
        {"a": [1, 2, 9], "b": [4]}, alt="Two settings, three runs and one run.", xlabel="distance", line=3.0
    )
    axes = figures[0].axes[0]
    rows = [list(line.get_xdata()) for line in axes.get_lines()]
    assert rows == [[1, 2, 9], [2, 2], [4], [4, 4], [3, 3]] and axes.get_ylim()[0] > axes.get_ylim()[1]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]


@pytest.mark.parametrize("runs", [{}, {"a": []}])
def test_a_spread_of_nothing_is_refused(runs):
    with pytest.raises(ValueError, match="at least one run"):
        plotting.strip_plot(runs, alt="No run at all in this picture.")


def test_a_row_of_clouds_shows_the_same_grey_points_in_each_panel():
    row = scatter_row(
        {"a cloud": torch.zeros(6, 2), "none": torch.zeros(0, 2)},
        behind=torch.ones(5, 2),
        limits=(-2, 2, -2, 2),
        caption="Look here.",
    )
    assert row.alt.count("grey points: 5") == 2 and row.alt.count("orange points: 6") == 1
    assert "Panel 1: a cloud:" in row.alt and row.caption == "Look here."
    assert row.width > 1.5 * row.height * 2.1 / 3
    level = scatter_row({"a cloud": torch.zeros(6, 2)}, level=torch.tensor(1.0), limits=(-2, 2, -2, 2)).alt
    assert "dashed line" in level and "dashed line" not in row.alt
    with pytest.raises(ValueError, match="at least one cloud"):
        scatter_row({}, limits=(-2, 2, -2, 2))
    with pytest.raises(ValueError, match="shape"):
        scatter_row({"a line": torch.zeros(3)}, limits=(-2, 2, -2, 2))


def test_points_in_front_and_a_legend_of_given_names():
    named = scatter_row(
        {"a cloud": torch.zeros(6, 2)},
        behind=torch.ones(5, 2),
        front=torch.ones(1, 2),
        level=0.5,
        labels=("members", "others", "accused", "threshold"),
        limits=(-2, 2, -2, 2),
    )
    for text in ("members: 6", "others: 5", "accused: a point", "threshold: level at 0.5"):
        assert text in named.alt
    plain = scatter_row({"a cloud": torch.zeros(6, 2)}, front=torch.ones(1, 2), limits=(-2, 2, -2, 2))
    assert "black points" in plain.alt and "members" not in plain.alt


def test_a_histogram_counts_what_lies_between_its_edges():
    groups = {"few": torch.tensor([0.5, 0.5, 1.5, 9.0]), "more": torch.tensor([2.5] * 7)}
    drawn = plotting.histogram_plot(groups, bins=range(5), line=2.0, line_label="here", xlabel="x")
    assert "few falls from 2 to 0" in drawn.alt and "a top of 7 at 2" in drawn.alt
    assert "here: upright at 2" in drawn.alt
    shared = plotting.histogram_plot(groups, bins=range(5), shares=True, line=2.0, line_style=":")
    assert "few falls from 0.5 to 0" in shared.alt and "a top of 1 at 2" in shared.alt


def test_fewer_colours_make_a_smaller_file_that_looks_the_same():
    def drawn(**settings):
        figure, axes = plotting.new_figure(width=4, height=3)
        for n in range(3):
            axes.plot(torch.arange(20), torch.arange(20) ** n, "o-")
        return plotting.picture(figure, alt=ALT, **settings)

    many, few = drawn(), drawn(colours=16)
    assert len(few.data) < 0.85 * len(many.data) and (few.width, few.height) == (many.width, many.height)
    a, b = (np.asarray(each.image(), dtype=float) for each in (many, few))
    assert len(np.unique(b.reshape(-1, 3), axis=0)) <= 16 and np.abs(a - b).mean() < 2


@pytest.mark.parametrize("letters", [4, 16, 24])
def test_the_legend_stays_inside_the_figure(letters):
    drawn = plotting.line_plot([0, 1], {5 * "n" + letters * str(n): [0, 1] for n in range(5)})
    above = np.asarray(drawn.image().convert("L"))[: drawn.image().height // 3]
    assert above.min() < 128 and above[:, -4:].min() > 250
