"""A frame with Play, Pause, Step and Reset around any iterator of pictures."""

import asyncio
import html
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import ClassVar

from ipywidgets import HTML, Button, HBox, Layout, VBox, Widget

from helpers.plotting import Picture

REST = 0.02  # seconds left to the kernel after each picture, so that buttons and other cells are answered


@dataclass(frozen=True)
class Text:
    """A text where a picture would stand. In a place of fixed `height` what is longer is scrolled; sizes in pixels."""

    text: str
    alt: str
    width: int = 650
    height: int | None = 150
    letters: int = 20

    def html(self) -> str:
        """An element that wraps its lines and says by `alt` what it is; a newline is a new line."""
        style = f"font-size:{self.letters}px;line-height:1.5;overflow-wrap:anywhere;max-width:{self.width}px"
        if self.height is not None:
            style += f";height:{self.height}px;overflow-y:auto"
        written = html.escape(self.text).replace("\n", "<br>")
        return f'<div role="group" aria-label="{html.escape(self.alt)}" style="{style}">{written}</div>'


class LiveFrame:
    """A picture that moves: `start()` gives a fresh iterator of Pictures, or of (Picture, caption), and Play runs it.

    A Text may stand for the Picture, and (Picture, caption, html) puts HTML below it, with a sound for instance.
    The first picture is taken at once. `alt` describes what the moving picture shows. A reader without a live kernel
    sees `static`, or else the picture shown last. `controls` are widgets that stand above the buttons, `fps` is the
    most pictures a second. One frame plays at a time. A second frame of the same `name` (its `alt`, unless given)
    closes the first: a cell that is run again leaves nothing behind.
    """

    open_frames: ClassVar[dict[str, "LiveFrame"]] = {}

    def __init__(
        self,
        start: Callable[[], Iterator],
        alt: str,
        *,
        name: str | None = None,
        static: Picture | Text | None = None,
        controls: Sequence[Widget] = (),
        fps: float = 12,
    ):
        self.start, self.alt, self.static, self.fps = start, alt, static, fps
        self.name = name or alt
        self.picture: Picture | Text | None = None
        self._pictures: Iterator | None = None
        self._task: asyncio.Task | None = None
        self._broken = False  # whether the status tells of an error
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:  # outside a notebook everything works but Play
            self._loop = None
        if self.name in self.open_frames:
            self.open_frames[self.name].close()
        self.open_frames[self.name] = self

        self._image, self._more, self._caption, self._status = HTML(), HTML(), HTML(), HTML()
        buttons = [
            self._button("Play", "play", self.play),
            self._button("Pause", "pause", self.pause),
            self._button("Step", "step-forward", self.step),
            self._button("Reset", "refresh", self.reset),
        ]
        self.box = VBox([*controls, self._image, self._more, self._caption, HBox(buttons), self._status])
        self.reset()

    @property
    def playing(self) -> bool:
        return self._task is not None and not self._task.done()

    def play(self) -> None:
        """Show one picture after the other until Pause, or until there are no more."""
        if self._loop is None:
            self._say("Play needs a notebook with a running kernel. Step works everywhere.")
        elif not self.playing:
            for frame in self.open_frames.values():
                frame.pause()
            self._say("Playing.")
            self._task = self._loop.create_task(self._run())

    def pause(self) -> None:
        """Stay at the picture that is shown."""
        if self.playing:
            self._task.cancel()
            self._say("Paused.")
        self._task = None

    def step(self) -> None:
        """Show the next picture, and wait."""
        self.pause()
        self.advance()

    def reset(self) -> None:
        """Begin again from `start()`."""
        self.pause()
        self._say("Ready.")
        self._pictures = None
        self.advance()

    def advance(self, pictures: int = 1) -> int:
        """Show up to so many further pictures without a rest between them; returns how many there were."""
        for shown in range(pictures):
            if not self.attempt(self._next):
                return shown
        return pictures

    def attempt(self, produce: Callable[[], Picture | tuple[Picture, str]]) -> bool:
        """Show what `produce()` returns; an error becomes a sentence below the picture, and the answer False.

        In a button's handler an error would vanish, and the button would seem dead.
        """
        try:
            self.show(produce())
            self._forget()
            return True
        except StopIteration:
            self._say("This is the end. Reset begins again.")
        except (Exception, KeyboardInterrupt) as error:
            self._stopped(error)
        return False

    def guarded(self, handler: Callable) -> Callable:
        """`handler` for a button or slider: its error becomes a sentence too, and the next press is answered."""

        def handle(*told) -> None:
            try:
                handler(*told)
            except (Exception, KeyboardInterrupt) as error:
                self._stopped(error)

        return handle

    def show(self, shown: Picture | Text | tuple) -> None:
        """Show a picture, with a caption, or a caption and HTML, if they come with it."""
        picture, caption, more = (*shown, "", "")[:3] if isinstance(shown, tuple) else (shown, "", "")
        if not isinstance(picture, (Picture, Text)):
            raise TypeError(f"a frame shows a Picture or a Text, not a {type(picture).__name__}")
        self.picture = picture
        # A size fixed beforehand keeps the page from jumping while the browser changes the picture.
        self._image.layout.width = f"{picture.width}px"
        self._image.layout.height = f"{picture.height + 4}px"
        self._image.value = replace(picture, alt=self.alt).html()
        self._more.value, self._caption.value = more, html.escape(caption)
        for part in (self._more, self._caption):
            part.layout.display = "block" if part.value else "none"

    def close(self) -> None:
        """Stop playing and take the widgets from the page."""
        self.pause()
        if self.open_frames.get(self.name) is self:
            del self.open_frames[self.name]
        _close(self.box)

    def on_loop(self, action: Callable[[], None]) -> None:
        """Do it on the kernel's own thread: some kernels call the handlers of widgets from another."""

        def act() -> None:
            self._forget()
            action()

        if self._loop is None:
            self.guarded(act)()
        else:
            self._loop.call_soon_threadsafe(self.guarded(act))

    def _next(self) -> Picture | tuple[Picture, str]:
        if self._pictures is None:
            self._pictures = iter(self.start())
        try:
            return next(self._pictures)
        except StopIteration:
            raise
        except BaseException:
            self._pictures = None  # a generator that raised has ended: the next step begins a new one
            raise

    async def _run(self) -> None:
        began = perf_counter()
        while self.advance():
            await asyncio.sleep(max(REST, began + 1 / self.fps - perf_counter()))
            began = perf_counter()

    def _button(self, label: str, icon: str, action: Callable[[], None]) -> Button:
        button = Button(description=label, icon=icon, layout=Layout(width="auto"))
        button.on_click(self.guarded(lambda _: self.on_loop(action)))
        return button

    def _forget(self) -> None:
        """Take the sentence about an error away: something else has been done since."""
        if self._broken:
            self._broken = False
            self._say("Ready.")

    def _stopped(self, error: BaseException) -> None:
        self._broken = True
        self._say(f"Stopped by {type(error).__name__}: {str(error).rstrip('.')}. Reset begins again.")

    def _say(self, sentence: str) -> None:
        # role="status": a screen reader speaks the sentence when it changes. Captions change too often for that.
        self._status.value = f'<span role="status" aria-live="polite">{html.escape(sentence)}</span>'

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        still, more = (self.static, "") if self.static else (self.picture, self._more.value)
        bundle = dict(self.box._repr_mimebundle_())
        return bundle | ({"text/html": still.html() + more, "text/plain": still.alt} if still else {})


def _close(widget: Widget) -> None:
    for child in getattr(widget, "children", ()):
        _close(child)
    for part in (widget.layout, getattr(widget, "style", None), widget):
        if part is not None:
            part.close()
