"""The explorer of any kind of sample without a browser: what is shown where, what is said, what is kept."""

import asyncio
import itertools

import ipywidgets
import pytest
import torch

from helpers.plotting import image_grid
from helpers.widgets import LiveFrame, Text, explorer

ALT = "A sentence that says how long and how loud something is."
CODES = {
    "here": torch.tensor([1.0, 0.0]),
    "there": torch.tensor([0.0, 1.0]),
    "low": torch.tensor([0.5, -2.0]),
}


@pytest.fixture(autouse=True)
def nothing_left_open():
    yield
    for frame in list(LiveFrame.open_frames.values()):
        frame.close()


def widgets_in(widget):
    return [widget, *(inner for child in getattr(widget, "children", ()) for inner in widgets_in(child))]


def page(frame):
    """All that the frame shows as HTML."""
    return "".join(w.value for w in widgets_in(frame.box) if isinstance(w, ipywidgets.HTML))


def place(frame):
    """What holds the sample itself."""
    return next(w for w in widgets_in(frame.box) if isinstance(w, ipywidgets.HTML))


def press(frame, label):
    next(w for w in widgets_in(frame.box) if getattr(w, "description", "") == label).click()


def controls(frame):
    """The switch between the views; from, to, t of the first view; from, dimension, slider of the second."""
    switch, *panels = frame.box.children[:3]
    return switch, *((*panel.children[0].children, panel.children[1]) for panel in panels)


def words(z):
    return f"long {z[0]:.2f}, loud {z[1]:.2f}"


def ink(z):
    return image_grid(
        torch.full((1, 1, 8, 8), float(z[0].clamp(0, 1))), alt="A square of ink, dark or light."
    )


def ink_and_sound(z):
    return ink(z), f'<audio controls src="data:audio/wav;base64,{z[1]:.1f}"></audio>'


def test_it_slides_from_one_code_to_another():
    frame = explorer(words, CODES, alt=ALT)
    switch, (start, end, t), _ = controls(frame)
    assert switch.options == ("morph", "one dimension")
    assert (start.description, start.value, end.description, end.value) == ("from", "here", "to", "there")
    assert "long 1.00, loud 0.00" in page(frame) and f'aria-label="{ALT}"' in page(frame)
    t.value = 0.25
    assert "long 0.75, loud 0.25" in page(frame)
    end.value = "low"
    assert t.value == 0 and "long 1.00, loud 0.00" in page(frame)  # begins anew
    t.value = 1
    assert "long 0.50, loud -2.00" in page(frame)
    start.value = "low"  # taken already: they change places
    assert (start.value, end.value) == ("low", "here") and "long 0.50, loud -2.00" in page(frame)


def test_on_the_sphere_the_norm_stays():
    frame = explorer(words, CODES, alt=ALT, way="sphere")
    controls(frame)[1][2].value = 0.5
    assert "long 0.71, loud 0.71" in page(frame)


def test_it_moves_one_dimension_of_the_chosen_code():
    frame = explorer(words, CODES, alt=ALT)
    switch, (start, _, _), (again, dimension, moved) = controls(frame)
    start.value = "low"
    switch.value = "one dimension"
    assert again is start and "long 0.50, loud -2.00" in page(frame)
    assert dimension.options == (("z₁", 0), ("z₂", 1)) and moved.description == "z₁" and moved.value == 0.5
    moved.value = -3
    assert "long -3.00, loud -2.00" in page(frame)
    dimension.value = 1
    assert moved.description == "z₂" and "long 0.50, loud -2.00" in page(frame)
    again.value = "here"
    assert "long 1.00, loud 0.00" in page(frame)


def test_play_walks_there_and_back_and_through_a_dimension():
    frame = explorer(words, CODES, alt=ALT)
    switch, (*_, t), (*_, moved) = controls(frame)
    for view, each, rest, low, high in (("morph", t, 0, 0, 1), ("one dimension", moved, 1, -3, 3)):
        switch.value = view
        places = [each.value]
        while frame.advance():
            places.append(each.value)
        assert places[0] == places[-1] == rest and min(places) == low and max(places) == high
        assert 30 < len(places) < 60
        assert max(abs(a - b) for a, b in itertools.pairwise(places)) < 0.1 * (high - low)


def test_it_plays_until_a_hand_is_on_the_slider():
    async def scene():
        frame = explorer(words, CODES, alt=ALT, fps=50)
        t = controls(frame)[1][2]
        press(frame, "Play")
        while t.value < 0.2:
            await asyncio.sleep(0.005)
        assert frame.playing
        t.value = 0.777
        while frame.playing:
            await asyncio.sleep(0.005)
        assert t.value == 0.777 and "long 0.22, loud 0.78" in page(frame)

    asyncio.run(scene())


def test_a_text_is_escaped_wrapped_and_in_a_place_of_fixed_size():
    texts = ["short", "<b>first</b> & foremost\nsecond", "long " * 500, ""]
    frame = explorer(
        lambda z: texts[int(z[0])], {"a": torch.tensor([0.0]), "b": torch.tensor([3.0])}, alt=ALT
    )
    t, sizes = controls(frame)[1][2], set()
    for at, shown in (
        (0, "short"),
        (0.35, "&lt;b&gt;first&lt;/b&gt; &amp; foremost<br>second"),
        (1, "(no words)"),
    ):
        t.value = at
        assert f">{shown}</div>" in place(frame).value
    for at in (0, 0.7):
        t.value = at
        sizes.add((place(frame).layout.width, place(frame).layout.height))
        assert "height:150px;overflow-y:auto" in place(frame).value and "overflow-wrap" in place(frame).value
    assert sizes == {("650px", "154px")}


def test_a_sound_stands_below_its_picture_and_is_not_interrupted_without_need():
    frame = explorer(ink_and_sound, {"a": torch.tensor([0.0, 0.0]), "b": torch.tensor([1.0, 0.04])}, alt=ALT)
    t = controls(frame)[1][2]
    (sound,) = (w for w in widgets_in(frame.box) if "<audio" in str(getattr(w, "value", "")))
    assert place(frame) is not sound and "<img" in place(frame).value
    replaced, before = [], frame.picture
    sound.observe(replaced.append, "value")
    t.value = 0.5  # another picture, the same sound
    press(frame, "Pause")
    assert frame.picture != before and not replaced
    switch, _, (_, dimension, moved) = controls(frame)
    switch.value = "one dimension"
    dimension.value = 1
    moved.value = 2
    assert "base64,2.0" in sound.value and len(replaced) == 1
    assert "Stopped" not in page(frame)


def test_what_shows_a_picture_alone_has_nothing_below():
    frame = explorer(ink, CODES, alt=ALT)
    assert [w.layout.display for w in widgets_in(frame.box) if isinstance(w, ipywidgets.HTML)][1:3] == [
        "none"
    ] * 2


def test_show_gets_a_code_of_its_own_without_gradients():
    codes = {
        "here": CODES["here"].clone().requires_grad_(),
        "there": CODES["there"].double().requires_grad_(),
    }
    before = {name: code.detach().clone() for name, code in codes.items()}
    seen = []

    def show(z):
        seen.append((z.dtype, z.shape, z.requires_grad or (z * codes["here"]).requires_grad))
        z += 100  # its own affair
        return str(z)

    frame = explorer(show, codes, alt=ALT)
    controls(frame)[0].value = "one dimension"
    assert set(seen) == {(torch.float32, (2,), False)}
    assert all(torch.equal(codes[name], before[name]) for name in codes)


def test_a_reader_without_a_kernel_sees_texts_on_the_way_or_the_first_sample():
    kept = explorer(words, CODES, alt=ALT)._repr_mimebundle_()
    assert "From here to there<br>t = 0: long 1.00, loud 0.00<br>t = 0.25: long 0.75" in kept["text/html"]
    assert "t = 1: long 0.00, loud 1.00" in kept["text/html"] and "overflow-y" not in kept["text/html"]
    assert kept["text/plain"] == ALT and "application/vnd.jupyter.widget-view+json" in kept
    kept = explorer(ink, CODES, alt=ALT)._repr_mimebundle_()
    assert kept["text/html"] == ink(CODES["here"]).html()
    kept = explorer(ink_and_sound, CODES, alt=ALT)._repr_mimebundle_()
    assert kept["text/html"] == "".join([ink(CODES["here"]).html(), ink_and_sound(CODES["here"])[1]])
    for static in (ink(CODES["there"]), Text("a list", ALT, height=None)):
        for show in (words, ink_and_sound):
            kept = explorer(show, CODES, alt=ALT, static=static)._repr_mimebundle_()
            assert kept["text/html"] == static.html()


def codes_of(*codes):
    return dict(zip("abc", codes, strict=False))


@pytest.mark.parametrize(
    ("codes", "sentence"),
    [
        (codes_of(torch.zeros(2)), "give two or more by name"),
        ([torch.zeros(2), torch.ones(2)], "give two or more by name"),
        (codes_of(torch.zeros(2), torch.zeros(3)), r"of one length, these are 'a' \(2,\), 'b' \(3,\)"),
        (codes_of(torch.zeros(1, 2), torch.zeros(1, 2)), r"'a' \(1, 2\), .* mu\[0\]"),
        (codes_of(torch.zeros(0), torch.zeros(0)), r"'a' \(0,\)"),
        (codes_of(torch.zeros(2), torch.tensor([0.0, torch.nan])), "code 'b' hold NaN or infinity"),
        (codes_of(torch.zeros(2), [0.0, 1.0]), "Codes must be a tensor, this is a list"),
        (codes_of(torch.zeros(2), torch.arange(2)), "Codes must be floating-point numbers"),
    ],
)
def test_codes_that_cannot_be_explored_get_a_sentence(codes, sentence):
    with pytest.raises(ValueError, match=sentence):
        explorer(words, codes, alt=ALT)


@pytest.mark.parametrize(
    ("sample", "sentence"),
    [
        (None, "not a NoneType"),
        (torch.zeros(8, 8), "not a Tensor: draw the sample first"),
        (("a text", "<b>html</b>"), "not a tuple of str, str"),
        ((ink(torch.zeros(1)), 3), "not a tuple of Picture, int"),
        ((ink(torch.zeros(1)), '<audio controls AUTOPLAY src="data:,">'), "leave out autoplay"),
    ],
)
def test_a_sample_that_cannot_be_shown_is_refused_at_the_door_and_said_later(sample, sentence):
    with pytest.raises(ValueError, match=sentence):
        explorer(lambda z: sample, CODES, alt=ALT)
    now = [words]
    frame = explorer(lambda z: now[0](z), CODES, alt=ALT)
    t = controls(frame)[1][2]
    now[0] = lambda z: sample
    t.value = 0.5
    assert "Stopped by ValueError" in page(frame) and "long 1.00" in page(frame)
    now[0] = words
    t.value = 0.6
    assert "Ready." in page(frame) and "long 0.40" in page(frame)


def test_another_way_and_ends_without_a_way_get_a_sentence():
    with pytest.raises(ValueError, match=r'no way "round" .* straight, sphere'):
        explorer(words, CODES, alt=ALT, way="round")
    with pytest.raises(ValueError, match="opposite directions"):
        explorer(words, codes_of(torch.ones(2), -torch.ones(2)), alt=ALT, way="sphere")
