"""What the explorers share: sliders, walks, and a frame in which one of several views is shown."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np
from ipywidgets import Dropdown, FloatSlider, Layout, ToggleButtons, VBox, Widget

from helpers.plotting import Picture
from helpers.widgets.frame import LiveFrame, Text

REACH = 3.0  # an explorer goes from -3 to 3: a standard normal leaves 0.3 % outside
Shown = Picture | Text | tuple  # what LiveFrame.show takes


class View(Protocol):
    """One way to move: sliders that Play walks, `choices` that begin the walk anew, and all of these as `controls`."""

    sliders: Sequence[FloatSlider]
    choices: Sequence[Dropdown]
    controls: Sequence[Widget]

    def chosen(self, change) -> None:
        """One of the choices has changed."""

    def lay_out(self) -> None:
        """Prepare what stays while the sliders move."""

    def look(self, alt: str) -> Shown:
        """What is shown where the sliders stand."""

    def walk(self) -> Iterator[tuple[float, ...]]:
        """The places, a number a slider, to which Play moves them."""


def slider(name: str, low: float, high: float, step: float) -> FloatSlider:
    """A slider of an explorer; its name is spoken by a screen reader."""
    wide = {"layout": Layout(width="380px"), "style": {"description_width": "40px"}}
    return FloatSlider(
        value=max(low, 0.0),
        min=low,
        max=high,
        step=step,
        readout_format=".2f",
        description=name,
        tooltip=name,
        **wide,
    )


def names_of(latent_dim: int) -> list[str]:
    """z₁, z₂, …"""
    return [
        "z" + str(n).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")) for n in range(1, latent_dim + 1)
    ]


def change_places(choices: Sequence[Dropdown], change) -> None:
    """Where one of two choices has become equal to the other, that one takes its old value."""
    other = choices[1] if change.owner is choices[0] else choices[0]
    if other.value == change.new:
        other.value = change.old


def legs(*ends: float, a_unit: int) -> Iterator[tuple[float]]:
    """A walk of one slider from each of the ends to the next, with so many places a unit."""
    for start, end in pairwise(ends):
        for value in np.linspace(start, end, max(2, round(a_unit * abs(end - start)))):
            yield (value,)


def frame_of(
    views: Mapping[str, View],
    alt: str,
    *,
    name: str | None = None,
    static: Picture | Text | None = None,
    fps: float = 12,
) -> LiveFrame:
    """A frame with the first of the views, and buttons for the others; a hand on a slider stops the walk.

    An error in the first layout is raised. `alt`, `name`, `static` and `fps` are those of a LiveFrame.
    """
    switch = ToggleButtons(options=list(views), tooltips=["choose what moves"] * len(views))
    panels = {title: VBox(view.controls) for title, view in views.items()}
    placing, walked = False, {each: set() for view in views.values() for each in view.sliders}
    laid_out = None  # the view, and its choices, that the sheet was last drawn for

    def view() -> View:
        return views[switch.value]

    def lay_out() -> None:
        nonlocal laid_out
        wanted = switch.value, *(choice.value for choice in view().choices)
        if wanted != laid_out:
            laid_out = None  # a sheet that could not be drawn is tried again
            view().lay_out()
            laid_out = wanted

    def look() -> Shown:
        lay_out()
        return view().look(alt)

    def move_to(place: tuple[float, ...]) -> Shown:
        nonlocal placing
        placing = True
        try:
            for each, value in zip(view().sliders, place, strict=True):
                on_a_step = round(value / each.step) * each.step
                walked[each].add(round(on_a_step, 2))
                each.value = on_a_step
        finally:
            placing = False
        return look()

    def walk() -> Iterator[Shown]:
        yield from map(move_to, view().walk())

    def slider_moved(change) -> None:
        # The browser sends back, late and not quite exactly, what the walk has set: that is not the reader's hand.
        echo = frame.playing and round(change.new, 2) in walked[change.owner]
        if not (placing or echo):
            frame.on_loop(lambda: take_over(change.owner, change.new))

    def take_over(moved: FloatSlider, value: float) -> None:
        nonlocal placing
        frame.pause()
        placing = True
        try:
            moved.value = value  # again, for the walk may have gone one step further
        finally:
            placing = False
        frame.attempt(look)

    def show_view() -> None:
        for title, panel in panels.items():
            panel.layout.display = "flex" if title == switch.value else "none"

    def chosen(change) -> None:
        for part in views.values():
            if change.owner in part.choices:
                part.chosen(change)
        frame.on_loop(frame.reset)

    show_view()
    lay_out()  # here an error is the caller's, not a sentence in the view
    controls = [switch, *panels.values()] if len(views) > 1 else view().controls
    frame = LiveFrame(walk, alt, name=name, static=static, controls=controls, fps=fps)
    for each in walked:
        each.observe(frame.guarded(slider_moved), "value")
    for choice in {choice for part in views.values() for choice in part.choices}:  # two views may share one
        choice.observe(frame.guarded(chosen), "value")
    switch.observe(frame.guarded(lambda _: frame.on_loop(lambda: (show_view(), frame.reset()))), "value")
    return frame
