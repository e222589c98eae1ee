"""No button and no slider of any view dies silently: a sentence, and the next press works."""

import ast
import asyncio
import sys
from pathlib import Path

import ipywidgets
import pytest
import torch

from helpers import widgets
from helpers.plotting import Stage
from helpers.widgets import (
    DivergenceBench,
    GanLab,
    LiveFrame,
    divergence_bench,
    elbo_bench,
    gan_lab,
    latent_explorer,
    pair_bench,
)
from helpers.widgets.latent import Morph, Sheet

ALT = "A live view, in a test of what happens when it breaks."


def decode(z):
    """As dark as z1 is large below, as z2 is large above."""
    images = torch.zeros(len(z), 1, 28, 28)
    images[:, 0, 14:] = ((z[:, 0] + 3) / 6)[:, None, None]
    images[:, 0, :14] = ((z[:, 1] + 3) / 6)[:, None, None]
    return images


def explorer(decode=decode, **more):
    ends = {"a": [3.0, 0.0, 0.0], "b": [-3.0, 0.0, 0.0], "c": [0.0, 3.0, 0.0]}
    ends = {name: torch.tensor(code) for name, code in (ends | more).items()}
    return latent_explorer(decode, 3, alt=ALT, ends=ends)


def texts():
    codes = {"a": torch.tensor([1.0, 0.0]), "b": torch.tensor([0.0, 1.0]), "c": torch.tensor([2.0, 2.0])}
    return widgets.explorer(lambda z: f"long {z[0]:.2f}, loud {z[1]:.2f}", codes, alt=ALT)


VIEWS = {
    "divergence": lambda: divergence_bench(alt=ALT),
    "elbo": lambda: elbo_bench(alt=ALT),
    "pair": lambda: pair_bench(alt=ALT),
    "gan lab": lambda: gan_lab(alt=ALT),
    "latent": lambda: explorer(b=[0.0, 0.0, 3.0]),
    "any sample": lambda: texts(),
}


def parts(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child)


def page(frame):
    return " ".join(part.value for part in parts(frame.box) if isinstance(part, ipywidgets.HTML))


def touch(part):
    """What a hand does to it."""
    if isinstance(part, ipywidgets.Button):
        part.click()
    elif isinstance(part, ipywidgets.Checkbox):
        part.value = not part.value
    elif isinstance(part, (ipywidgets.Dropdown, ipywidgets.ToggleButtons)):
        labels = list(part._options_labels)
        part.label = labels[(labels.index(part.label) + 1) % len(labels)]
    else:
        low, high = (part.min, part.max) if isinstance(part, ipywidgets.FloatSlider) else (1e-4, 1e-2)
        part.value = (low + high) / 2 if abs(part.value - (low + high) / 2) > 1e-3 * high else low


def button(frame, label):
    return next(
        part for part in parts(frame.box) if isinstance(part, ipywidgets.Button) and part.description == label
    )


TOUCHED = (
    ipywidgets.Button,
    ipywidgets.Checkbox,
    ipywidgets.Dropdown,
    ipywidgets.ToggleButtons,
    ipywidgets.FloatSlider,
    ipywidgets.FloatLogSlider,
)


def on_purpose(*_, **__):
    raise ZeroDivisionError("broken on purpose")


@pytest.fixture
def breaking(monkeypatch):
    """A function after which nothing can be drawn, and one after which all is well again."""
    targets = [(Stage, "picture"), (Sheet, "picture_of"), (GanLab, "set_rates")]
    targets += [(sys.modules["helpers.widgets.explorer"], "sample_at")]
    whole = [getattr(*target) for target in targets]

    def set_to(methods):
        for target, method in zip(targets, methods, strict=True):
            monkeypatch.setattr(*target, method)

    return lambda: set_to([on_purpose] * 4), lambda: set_to(whole)


@pytest.mark.parametrize("view", VIEWS)
def test_whatever_is_touched_a_failure_is_a_sentence_and_the_next_touch_works(view, breaking):
    frame, (broken, mended) = VIEWS[view](), breaking
    touched = [part for part in parts(frame.box) if isinstance(part, TOUCHED)]
    assert len(touched) >= 8
    for part in touched:
        if getattr(part, "description", "") in ("Play", "Pause") or getattr(part, "disabled", False):
            continue  # Play needs a loop, see below; Pause draws nothing
        name = f"{type(part).__name__} {getattr(part, 'description', '')}"
        mended()
        touch(button(frame, "Reset"))
        assert "Stopped" not in page(frame), name
        hidden = view in ("latent", "any sample") and not any(
            part in parts(panel) and panel.layout.display != "none" for panel in frame.box.children
        )
        if hidden:
            continue
        broken()
        touch(part)
        assert "Stopped by ZeroDivisionError: broken on purpose. Reset begins again." in page(frame), name
        mended()
        touch(part)
        if part is not button(frame, "Step"):
            assert "Stopped" not in page(frame), name
        touch(button(frame, "Step"))
        assert "Stopped" not in page(frame) and "This is the end" not in page(frame), name


def test_every_view_of_the_explorers_is_touched(breaking):
    """As above, in the views that the explorers do not show at first."""
    broken, mended = breaking
    for view, title in (("latent", "one dimension"), ("latent", "morph"), ("any sample", "one dimension")):
        frame = VIEWS[view]()
        switch, *panels = (each for each in frame.box.children if not isinstance(each, ipywidgets.HTML))
        switch.value = title
        shown = next(panel for panel in panels if panel.layout.display != "none")
        for part in [part for part in parts(shown) if isinstance(part, TOUCHED)]:
            broken()
            touch(part)
            assert "Stopped by ZeroDivisionError" in page(frame)
            mended()
            touch(part)
            assert "Stopped" not in page(frame)


def test_ends_at_opposite_points_are_said_and_other_ends_work():
    frame = explorer(rest=[0.0, 0.0, 0.0])
    switch, _, _, morph = frame.box.children[:4]
    switch.value = "morph"
    for label in ("Step", "Step", "Reset"):
        assert "Stopped by ValueError: a and b point in opposite directions" in page(frame)
        assert "zip" not in page(frame) and "Ready." not in page(frame)
        button(frame, label).click()
    slider = morph.children[1]
    slider.value = 0.4
    assert "opposite" in page(frame)
    _, end, _ = morph.children[0].children
    before = frame.picture
    end.value = "c"
    assert "Ready." in page(frame) and frame.picture != before
    before = frame.picture
    button(frame, "Step").click()
    assert "Ready." in page(frame) and frame.picture != before and slider.value == 0.02
    end.value = "rest"  # it has no direction
    assert "go straight" in page(frame)
    switch.value = "plane"
    assert "Ready." in page(frame)


DECODERS = {
    "logits": (lambda z: 8 * decode(z) - 4, r"reach from -4 to .*sigmoid"),
    "a tanh": (lambda z: 2 * decode(z) - 1, r"reach from -1 to 1: .*\(x \+ 1\) / 2"),
    "NaN": (lambda z: decode(z) * torch.nan, "NaN or infinity"),
    "an interrupt": (on_purpose, "broken on purpose"),
}


@pytest.mark.parametrize("kind", DECODERS)
def test_a_decoder_of_something_else_is_refused_at_the_door_and_said_later(kind):
    """Refused where the explorer is made; said in the view where a model is trained on and goes wrong."""
    wrong, said = DECODERS[kind]
    with pytest.raises((ValueError, ZeroDivisionError), match=said):
        explorer(wrong)
    now = [decode]
    frame = explorer(lambda z: now[0](z))
    now[0] = wrong
    button(frame, "Reset").click()
    slider = next(part for part in parts(frame.box) if isinstance(part, ipywidgets.FloatSlider))
    if kind in ("NaN", "an interrupt"):
        assert "Stopped by" in page(frame)
    slider.value = -2.9
    assert "Stopped by" in page(frame)
    now[0] = decode
    slider.value = 1.0
    assert "Ready." in page(frame)


def test_a_control_that_fails_while_it_is_placed_still_answers_the_hand(monkeypatch):
    def too_few(bench):
        bench.levels = torch.full((3,), 0.5)

    frame = divergence_bench(alt=ALT)
    with monkeypatch.context() as patch:
        patch.setattr(DivergenceBench, "jump", too_few)
        button(frame, "Jump to D*").click()
        assert "Stopped by ValueError" in page(frame)
    button(frame, "Reset").click()
    knot, before = (
        next(part for part in parts(frame.box) if isinstance(part, ipywidgets.FloatSlider)),
        frame.picture,
    )
    knot.value = 0.9
    assert frame.picture != before

    frame = explorer(b=[0.0, 0.0, 3.0])
    switch, _, _, morph = frame.box.children[:4]
    with monkeypatch.context() as patch:
        patch.setattr(Morph, "walk", lambda _: iter([(0.5, 0.5)]))
        switch.value = "morph"
        assert "Stopped by ValueError" in page(frame)
    before = frame.picture
    morph.children[1].value = 0.7
    assert frame.picture != before and "Ready." in page(frame)


def test_a_step_after_an_error_begins_anew_and_is_not_the_end():
    tries = []

    def breaks_once():
        tries.append(1)
        yield frames[0].picture
        if len(tries) == 1:
            raise ValueError("it broke.")
        yield frames[0].picture

    frames = [pair_bench(alt=ALT, name="another")]
    frame = LiveFrame(breaks_once, ALT)
    for said in (
        "Stopped by ValueError: it broke. Reset begins again.",
        "Ready.",
        "Ready.",
        "This is the end.",
    ):
        frame.step()
        assert said in page(frame)


def test_a_button_in_a_kernel_whose_loop_has_ended_does_not_raise():
    frame = pair_bench(alt=ALT)
    frame._loop = asyncio.new_event_loop()
    frame._loop.close()
    for label in ("Play", "Pause", "Step", "Reset"):
        button(frame, label).click()
    next(part for part in parts(frame.box) if isinstance(part, ipywidgets.FloatSlider)).value = 0.55
    assert "Stopped by RuntimeError" in page(frame)


def test_an_error_in_a_kernel_does_not_reach_its_loop():
    """Where the handlers are called from the loop, an error would end up in the loop's own log."""
    raised = []

    async def scene():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
        frame = explorer()
        switch = frame.box.children[0]
        switch.value = "morph"
        for _ in range(5):
            await asyncio.sleep(0)
        assert "opposite" in page(frame)
        frame.on_loop(on_purpose)
        for _ in range(5):
            await asyncio.sleep(0)
        assert "broken on purpose" in page(frame)

    asyncio.run(scene())
    assert not raised


def test_every_handler_is_guarded():
    calls = []
    for path in Path(widgets.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("observe", "on_click"):
                calls.append(ast.unparse(node.args[0]))
    assert len(calls) >= 12 and all("guarded(" in call for call in calls)
