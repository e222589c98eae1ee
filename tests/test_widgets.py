"""The live frame and the latent explorer without a browser: what the buttons do, and what is left behind."""

import asyncio
import itertools
import time

import ipywidgets
import numpy as np
import pytest
import torch

from helpers.plotting import image_grid
from helpers.widgets import LatentPlane, LiveFrame, latent_explorer
from helpers.widgets.latent import decoded_ink

ALT = "A square of ink that grows darker with each picture."


async def until(condition):
    """Let the loop run until it is so, however slow the machine is."""
    while not condition():
        await asyncio.sleep(0.005)


def shade(number, of=10):
    return image_grid(torch.full((1, 1, 8, 8), number / of), alt=f"A square of ink, picture number {number}.")


def ten_shades():
    for number in range(10):
        yield shade(number), f"picture <{number}>"


@pytest.fixture(autouse=True)
def nothing_left_open():
    yield
    for frame in list(LiveFrame.open_frames.values()):
        frame.close()


def widgets_in(widget):
    return [widget, *(inner for child in getattr(widget, "children", ()) for inner in widgets_in(child))]


def press(frame, label):
    (button,) = (
        w for w in widgets_in(frame.box) if isinstance(w, ipywidgets.Button) and w.description == label
    )
    button.click()


def page(frame):
    """All that the frame shows as HTML."""
    return "".join(w.value for w in widgets_in(frame.box) if isinstance(w, ipywidgets.HTML))


def test_the_first_picture_is_there_at_once():
    frame = LiveFrame(ten_shades, ALT)
    assert frame.picture == shade(0)
    assert f'alt="{ALT}"' in page(frame)
    assert "picture &lt;0&gt;" in page(frame)
    assert '<span role="status" aria-live="polite">Ready.</span>' in page(frame)


def test_step_reset_and_the_end():
    frame = LiveFrame(ten_shades, ALT)
    press(frame, "Step")
    assert frame.picture == shade(1)
    assert frame.advance(4) == 4
    assert frame.picture == shade(5)
    assert frame.advance(100) == 4
    assert frame.picture == shade(9)  # the last stays
    assert "This is the end. Reset begins again." in page(frame)
    press(frame, "Step")
    assert "This is the end" in page(frame)
    press(frame, "Reset")
    assert frame.picture == shade(0)
    assert "Ready." in page(frame)


def test_an_error_becomes_a_sentence_and_reset_helps():
    tries = []

    def breaks_once():
        tries.append(1)
        yield shade(0)
        if len(tries) == 1:
            raise ValueError("the loss is <NaN>")
        yield shade(1)

    frame = LiveFrame(breaks_once, ALT)
    press(frame, "Step")
    assert "Stopped by ValueError: the loss is &lt;NaN&gt;. Reset begins again." in page(frame)
    assert frame.picture == shade(0)
    press(frame, "Reset")
    press(frame, "Step")
    assert frame.picture == shade(1)


@pytest.mark.parametrize("start", [lambda: 1 / 0, lambda: iter(["no picture"]), lambda: None])
def test_a_start_that_fails_is_said_and_the_frame_can_be_shown(start):
    frame = LiveFrame(start, ALT)
    assert "Stopped by" in page(frame)
    assert "application/vnd.jupyter.widget-view+json" in frame._repr_mimebundle_()


def test_an_empty_iterator_is_said():
    assert "This is the end" in page(LiveFrame(lambda: iter([]), ALT))


def test_without_a_kernel_play_says_so():
    frame = LiveFrame(ten_shades, ALT)
    press(frame, "Play")
    assert not frame.playing
    assert "Play needs a notebook with a running kernel." in page(frame)


def test_a_reader_without_a_kernel_sees_a_picture():
    frame = LiveFrame(ten_shades, ALT)
    frame.advance(3)
    bundle = frame._repr_mimebundle_()
    assert bundle["text/html"] == shade(3).html()
    assert bundle["text/plain"] == "A square of ink, picture number 3."
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == frame.box.model_id
    frame.static = shade(7)
    assert frame._repr_mimebundle_()["text/html"] == shade(7).html()


def test_the_place_of_the_picture_is_fixed_beforehand():
    frame = LiveFrame(ten_shades, ALT)
    (image,) = (w for w in widgets_in(frame.box) if "<img" in getattr(w, "value", ""))
    assert image.layout.width == f"{shade(0).width}px"
    assert int(image.layout.height.removesuffix("px")) >= shade(0).height


def test_play_and_pause():
    async def scene():
        frame = LiveFrame(ten_shades, ALT, fps=50)
        press(frame, "Play")
        assert frame.picture == shade(0)  # a button asks, the kernel's loop does it
        await until(lambda: frame.picture != shade(0))
        assert frame.playing and "Playing." in page(frame)
        press(frame, "Play")  # again: not twice as fast
        await asyncio.sleep(0)
        press(frame, "Pause")
        await asyncio.sleep(0)
        assert not frame.playing and "Paused." in page(frame)
        there = frame.picture
        assert shade(0) != there != shade(9)
        await asyncio.sleep(0.1)
        assert frame.picture == there
        press(frame, "Play")
        await until(lambda: "This is the end" in page(frame))
        assert frame.picture == shade(9) and not frame.playing
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scene())


def test_step_and_reset_stop_playing():
    async def scene(label):
        frame = LiveFrame(ten_shades, ALT)
        frame.play()
        await asyncio.sleep(0.1)
        press(frame, label)
        await asyncio.sleep(0.01)
        assert not frame.playing
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scene("Step"))
    asyncio.run(scene("Reset"))


def test_others_are_answered_while_it_plays():
    shown = itertools.count()

    def slow():
        while True:
            time.sleep(0.05)
            next(shown)
            yield shade(0)

    async def scene():
        frame = LiveFrame(slow, ALT, fps=1000)
        frame.play()
        between, last = [], next(shown)
        for _ in range(10):
            await asyncio.sleep(0.001)
            between.append(next(shown) - last - 1)
            last += between[-1] + 1
        assert frame.playing
        return between

    between = asyncio.run(scene())
    assert max(between) <= 2 and sum(between) > 0  # pictures that stand in the way of an answer


def test_no_faster_than_told(monkeypatch):
    """By a clock that only moves while the frame rests: each rest lasts until the next picture is due."""
    clock, rests = [0.0], []

    async def rest(seconds):
        rests.append(seconds)
        clock[0] += seconds

    def pictures():
        for work in (0.0, 0.01, 0.03, 0.5):  # what a picture takes
            clock[0] += work
            yield shade(0)

    monkeypatch.setattr("helpers.widgets.frame.perf_counter", lambda: clock[0])
    monkeypatch.setattr("helpers.widgets.frame.asyncio.sleep", rest)
    frame = LiveFrame(lambda: itertools.chain([shade(0)], pictures()), ALT, fps=20)
    asyncio.run(frame._run())
    assert rests == pytest.approx([0.05, 0.04, 0.02, 0.02])  # and never none: others want to be answered


def test_an_error_while_playing_is_said():
    def breaks():
        yield shade(0)
        yield shade(1)
        raise RuntimeError("no more ink")

    async def scene():
        frame = LiveFrame(breaks, ALT, fps=50)
        frame.play()
        await until(lambda: not frame.playing)
        assert "Stopped by RuntimeError: no more ink." in page(frame)
        assert not frame.playing
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scene())


def test_a_cell_run_again_leaves_nothing_behind():
    async def scene():
        first = LiveFrame(ten_shades, ALT)
        first.play()
        await asyncio.sleep(0.05)
        before = len(ipywidgets.widgets.widget._instances)
        second = LiveFrame(ten_shades, ALT)
        await asyncio.sleep(0.05)
        assert not first.playing
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert list(LiveFrame.open_frames.values()) == [second]
        assert all(widget.comm is None for widget in widgets_in(first.box))
        assert len(ipywidgets.widgets.widget._instances) == before
        first.close()  # a second time does no harm to the new one
        assert list(LiveFrame.open_frames.values()) == [second]

    asyncio.run(scene())


def test_one_frame_plays_at_a_time():
    async def scene():
        one, two = LiveFrame(ten_shades, ALT, name="one"), LiveFrame(ten_shades, ALT, name="two")
        one.play()
        two.play()
        await asyncio.sleep(0.01)
        assert not one.playing and two.playing
        assert "Paused." in page(one)
        two.close()

    asyncio.run(scene())


# --- the latent explorer -----------------------------------------------------------------------------------------


def decode(z):
    """Below on the left as dark as z1 is large, below on the right z2, above z3."""
    images = torch.zeros(len(z), 1, 28, 28)
    images[:, 0, 14:, :14] = ((z[:, 0] + 3) / 6)[:, None, None]
    images[:, 0, 14:, 14:] = ((z[:, 1] + 3) / 6)[:, None, None]
    if z.shape[1] > 2:
        images[:, 0, :14, :] = ((z[:, 2] + 3) / 6)[:, None, None]
    return images


def darkness(frame, x, y):
    """The ink from 0 to 1 at a pixel of the page."""
    return 1 - frame.picture.image().convert("L").getpixel((2 * x, 2 * y)) / 255


def digit(frame):
    """The ink of the single image: lower left, lower right, top."""
    (x, y), side = LatentPlane.DIGIT_CORNER, LatentPlane.DIGIT
    places = [
        (x + side // 4, y + 3 * side // 4),
        (x + 3 * side // 4, y + 3 * side // 4),
        (x + side // 2, y + side // 4),
    ]
    return [darkness(frame, *place) for place in places]


def controls(frame, kind):
    return [w for w in widgets_in(frame.box) if isinstance(w, kind)]


def test_what_is_decoded_becomes_ink_and_never_wraps_round():
    """Black on white; a decoder that leaves [0, 1] a little is cut, and not turned from black to white."""
    values = torch.tensor([-0.1, 0.0, 0.4, 1.0, 1.1])
    ink = decoded_ink(lambda z: values[:, None, None, None].expand(5, 1, 28, 28), torch.zeros(5, 2))
    assert ink.dtype == np.uint8 and ink[:, 3, 5].tolist() == [255, 255, 153, 0, 0]


def test_the_sliders_decode_their_point():
    frame = latent_explorer(decode, 2, alt=ALT)
    across, up = controls(frame, ipywidgets.FloatSlider)
    assert (across.description, up.description) == ("z₁", "z₂")
    assert not controls(frame, ipywidgets.Dropdown)
    assert digit(frame) == pytest.approx([0.5, 0.5, 0], abs=0.05)
    across.value, up.value = -3, 1.5
    assert digit(frame) == pytest.approx([0, 0.75, 0], abs=0.05)


def test_the_plane_shows_each_place_and_the_ring_where_we_are():
    frame = latent_explorer(decode, 2, alt=ALT)
    across, up = controls(frame, ipywidgets.FloatSlider)
    (left, top), cell = LatentPlane.PLANE_CORNER, 28

    def plane(column, row):  # the lower left and lower right of one small image, counted from the upper left
        x, y = left + column * cell, top + row * cell
        return [darkness(frame, x + 7, y + 20), darkness(frame, x + 20, y + 20)]

    assert plane(0, 0) == pytest.approx([0, 1], abs=0.05)
    assert plane(12, 0) == pytest.approx([1, 1], abs=0.05)
    assert plane(12, 12) == pytest.approx([1, 0], abs=0.05)
    assert plane(9, 12) == pytest.approx([0.75, 0], abs=0.05)

    def ring():  # the middle of the coloured pixels, in z
        rgb = np.asarray(frame.picture.image()).astype(int)
        y, x = np.nonzero(rgb[..., 0] - rgb[..., 2] > 100)
        middle = (x.min() + x.max()) / 4, (y.min() + y.max()) / 4
        return (middle[0] - left) / cell / 2 - 3.25, 3.25 - (middle[1] - top) / cell / 2

    assert ring() == pytest.approx((0, 0), abs=0.03)
    across.value, up.value = 1, -2
    assert ring() == pytest.approx((1, -2), abs=0.03)


def test_other_dimensions_rest_at_the_base_and_can_be_chosen():
    frame = latent_explorer(decode, 20, alt=ALT, base=torch.tensor([1.0, 0.0, -1.5] + [0.0] * 17))
    across, up = controls(frame, ipywidgets.FloatSlider)
    first, second = controls(frame, ipywidgets.Dropdown)
    assert (across.value, up.value) == (1, 0)
    assert digit(frame) == pytest.approx([4 / 6, 0.5, 0.25], abs=0.05)
    second.value = 2  # the third dimension upwards
    assert (across.description, up.description) == ("z₁", "z₃")
    assert (across.value, up.value) == (1, -1.5)
    up.value = 3
    assert digit(frame) == pytest.approx([4 / 6, 0.5, 1], abs=0.05)
    first.value = 2  # taken already: they change places
    assert (first.value, second.value) == (2, 0)
    assert (across.description, up.description) == ("z₃", "z₁")
    assert first.options[19] == ("z₂₀", 19)


def test_play_walks_a_circle_and_a_hand_on_the_slider_stops_it():
    frame = latent_explorer(decode, 2, alt=ALT)
    across, up = controls(frame, ipywidgets.FloatSlider)
    places = []
    while frame.advance():
        places.append((across.value, up.value))
        if len(places) % 12 == 0:
            assert digit(frame) == pytest.approx([(across.value + 3) / 6, (up.value + 3) / 6, 0], abs=0.05)
    assert len(places) > 50 and places[0] == places[-1] == (2, 0)
    assert all(x**2 + y**2 == pytest.approx(4, abs=0.3) for x, y in places)

    async def scene():
        frame = latent_explorer(decode, 2, alt=ALT)
        across, _ = controls(frame, ipywidgets.FloatSlider)
        frame.play()
        await asyncio.sleep(0.3)
        across.value += 1e-15  # the browser sends back what it was given, not quite exactly
        await asyncio.sleep(0.1)
        assert frame.playing
        across.value = 0.111
        await until(lambda: not frame.playing)
        assert across.value == 0.111

    asyncio.run(scene())


def test_a_slider_decodes_one_code():
    asked = []

    def spied(z):
        asked.append(len(z))
        return decode(z)

    across, _ = controls(latent_explorer(spied, 2, alt=ALT), ipywidgets.FloatSlider)
    asked.clear()
    across.value = 0.55
    assert asked == [1]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: latent_explorer(lambda z: decode(z)[:, 0], 2, alt=ALT),
            r"decode must return .* not \(169, 28, 28\)",
        ),
        (lambda: latent_explorer(decode, 1, alt=ALT), "latent_dim is 1"),
        (lambda: latent_explorer(decode, 2, alt=ALT, base=torch.zeros(3)), "base has 3 numbers"),
    ],
)
def test_what_cannot_be_explored_gets_a_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
