"""Sliders that set the attributes of a bench, and follow them while it plays."""

from collections.abc import Callable

from ipywidgets import FloatSlider, IntSlider

from helpers.plotting import Picture
from helpers.widgets.frame import LiveFrame


class BoundSliders:
    """A slider for each named attribute of `bench`; `look` gives the picture and the sentence of the bench."""

    def __init__(
        self,
        bench: object,
        sliders: dict[str, FloatSlider | IntSlider],
        look: Callable[[], tuple[Picture, str]],
    ):
        self.bench, self.sliders, self.look = bench, sliders, look
        self._start = {attribute: slider.value for attribute, slider in sliders.items()}
        self._placing = False

    def place(self) -> tuple[Picture, str]:
        """Move the sliders to where the bench is, and look at it."""
        self._placing = True
        try:
            for attribute, slider in self.sliders.items():
                slider.value = round(getattr(self.bench, attribute), 2)
        finally:
            self._placing = False
        return self.look()

    def restart(self) -> tuple[Picture, str]:
        """Put bench and sliders back to where they began, and look at it."""
        for attribute, number in self._start.items():
            setattr(self.bench, attribute, number)
        return self.place()

    def connect(self, frame: LiveFrame) -> None:
        """From now on a slider that the reader moves sets its attribute, and `frame` shows what follows."""
        for attribute, slider in self.sliders.items():
            slider.observe(frame.guarded(self._mover(frame, attribute)), "value")

    def _mover(self, frame: LiveFrame, attribute: str) -> Callable:
        def moved(change) -> None:
            if self._placing:
                return

            def move() -> tuple[Picture, str]:
                setattr(self.bench, attribute, change.new)
                return self.look()

            frame.on_loop(lambda: frame.attempt(move))

        return moved
