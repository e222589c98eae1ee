"""Live views: a frame with Play, Pause, Step and Reset around any iterator of pictures, and the latent explorer."""

import asyncio
import html
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from time import perf_counter
from typing import ClassVar

import numpy as np
import torch
from ipywidgets import HTML, Button, Dropdown, FloatSlider, HBox, Layout, VBox, Widget
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from helpers import plotting
from helpers.plotting import SHARPNESS, Picture

REST = 0.02  # seconds left to the kernel after each picture, so that buttons and other cells are answered
REACH = 3.0  # the explorer goes from -3 to 3: a standard normal leaves 0.3 % outside


class LiveFrame:
    """A picture that moves: `start()` gives a fresh iterator of Pictures, or of (Picture, caption), and Play runs it.

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
        static: Picture | None = None,
        controls: Sequence[Widget] = (),
        fps: float = 12,
    ):
        self.start, self.alt, self.static, self.fps = start, alt, static, fps
        self.name = name or alt
        self.picture: Picture | None = None
        self._pictures: Iterator | None = None
        self._task: asyncio.Task | None = None
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:  # outside a notebook everything works but Play
            self._loop = None
        if self.name in self.open_frames:
            self.open_frames[self.name].close()
        self.open_frames[self.name] = self

        self._image, self._caption, self._status = HTML(), HTML(), HTML()
        buttons = [
            self._button("Play", "play", self.play),
            self._button("Pause", "pause", self.pause),
            self._button("Step", "step-forward", self.step),
            self._button("Reset", "refresh", self.reset),
        ]
        self.box = VBox([*controls, self._image, self._caption, HBox(buttons), self._status])
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
            return True
        except StopIteration:
            self._say("This is the end. Reset begins again.")
        except (Exception, KeyboardInterrupt) as error:
            self._say(f"Stopped by {type(error).__name__}: {error}. Reset begins again.")
        return False

    def show(self, shown: Picture | tuple[Picture, str]) -> None:
        """Show a picture, with a caption if one comes with it."""
        picture, caption = shown if isinstance(shown, tuple) else (shown, "")
        if not isinstance(picture, Picture):
            raise TypeError(f"a frame shows a Picture, or (Picture, caption), not a {type(picture).__name__}")
        self.picture = picture
        # A size fixed beforehand keeps the page from jumping while the browser changes the picture.
        self._image.layout.width = f"{picture.width}px"
        self._image.layout.height = f"{picture.height + 4}px"
        self._image.value = replace(picture, alt=self.alt).html()
        self._caption.value = html.escape(caption)
        self._caption.layout.display = "block" if caption else "none"

    def close(self) -> None:
        """Stop playing and take the widgets from the page."""
        self.pause()
        if self.open_frames.get(self.name) is self:
            del self.open_frames[self.name]
        _close(self.box)

    def on_loop(self, action: Callable[[], None]) -> None:
        """Do it on the kernel's own thread: some kernels call the handlers of widgets from another."""
        if self._loop is None:
            action()
        else:
            self._loop.call_soon_threadsafe(action)

    def _next(self) -> Picture | tuple[Picture, str]:
        if self._pictures is None:
            self._pictures = iter(self.start())
        return next(self._pictures)

    async def _run(self) -> None:
        began = perf_counter()
        while self.advance():
            await asyncio.sleep(max(REST, began + 1 / self.fps - perf_counter()))
            began = perf_counter()

    def _button(self, label: str, icon: str, action: Callable[[], None]) -> Button:
        button = Button(description=label, icon=icon, layout=Layout(width="auto"))
        button.on_click(lambda _: self.on_loop(action))
        return button

    def _say(self, sentence: str) -> None:
        # role="status": a screen reader speaks the sentence when it changes. Captions change too often for that.
        self._status.value = f'<span role="status" aria-live="polite">{html.escape(sentence)}</span>'

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        still = self.static or self.picture
        bundle = dict(self.box._repr_mimebundle_())
        return bundle | ({"text/html": still.html(), "text/plain": still.alt} if still else {})


class LatentPlane:
    """The plane of two latent coordinates `dims`, the others resting at `base` (latent,), drawn as decoded images.

    `decode` takes z (B, latent) to images (B, 1, 28, 28) with values in [0, 1]; another shape raises ValueError.
    """

    CELLS = 13  # images in each direction: one every half unit
    SIZE = (650, 430)  # of the picture, in pixels of the page
    DIGIT, DIGIT_CORNER = 7 * 28, (12, 94)  # the single image: its side, its upper left corner
    PLANE, PLANE_CORNER = 28 * CELLS, (270, 12)

    def __init__(self, decode: Callable, base: torch.Tensor, dims: tuple[int, int]):
        self.decode, self.base, self.dims = decode, base, dims
        places = torch.linspace(-REACH, REACH, self.CELLS)
        second, first = torch.meshgrid(places.flip(0), places, indexing="ij")
        images = self._ink(first.flatten(), second.flatten()).reshape(self.CELLS, self.CELLS, 28, 28)
        sheet = images.transpose(0, 2, 1, 3).reshape(28 * self.CELLS, 28 * self.CELLS)

        plotting.use_style()
        width, height = self.SIZE
        figure = Figure(figsize=(width / 96, height / 96))
        left, bottom = self.PLANE_CORNER[0] / width, 1 - (self.PLANE_CORNER[1] + self.PLANE) / height
        axes = figure.add_axes((left, bottom, self.PLANE / width, self.PLANE / height))
        self.edge = REACH + REACH / (self.CELLS - 1)  # the outermost images stand half beyond
        extent = (-self.edge, self.edge, -self.edge, self.edge)
        axes.imshow(sheet, cmap="gray", vmin=0, vmax=255, extent=extent, interpolation="nearest")
        axes.set(xlabel=f"$z_{{{dims[0] + 1}}}$", ylabel=f"$z_{{{dims[1] + 1}}}$")
        x, y = self.DIGIT_CORNER[0] + self.DIGIT / 2, self.DIGIT_CORNER[1] + self.DIGIT + 24
        figure.text(x / width, 1 - y / height, "decoded at the ring", ha="center")
        self._page = plotting.picture(figure, "The plane before an image is shown.").image()

    def picture_at(self, first: float, second: float, alt: str) -> Picture:
        """The image decoded at these coordinates, beside the plane with a ring at their place."""
        page = self._page.copy()
        ink = self._ink(torch.tensor([first]), torch.tensor([second]))[0]
        side = self.DIGIT * SHARPNESS
        digit = Image.fromarray(ink).resize((side, side), Image.Resampling.NEAREST)
        page.paste(digit, tuple(SHARPNESS * at for at in self.DIGIT_CORNER))
        x = SHARPNESS * (self.PLANE_CORNER[0] + (self.edge + first) / (2 * self.edge) * self.PLANE)
        y = SHARPNESS * (self.PLANE_CORNER[1] + (self.edge - second) / (2 * self.edge) * self.PLANE)
        ImageDraw.Draw(page).circle((x, y), 18 * SHARPNESS, outline="#D55E00", width=3 * SHARPNESS)
        return plotting.encode(np.asarray(page), alt)

    def _ink(self, first: torch.Tensor, second: torch.Tensor) -> np.ndarray:
        """Decoded images as dark ink on white, (B, 28, 28) of uint8."""
        z = self.base.repeat(len(first), 1)
        z[:, self.dims[0]], z[:, self.dims[1]] = first, second
        with torch.no_grad():
            images = self.decode(z)
        if images.shape != (len(z), 1, 28, 28):
            raise ValueError(
                f"decode must return images of shape (B, 1, 28, 28), here {(len(z), 1, 28, 28)}, not"
                f" {tuple(images.shape)}: reshape what the decoder returns, logits through a sigmoid first."
            )
        return (255 - 255 * images[:, 0].clamp(0, 1)).round().to(torch.uint8).numpy()


def latent_explorer(
    decode: Callable,
    latent_dim: int,
    alt: str,
    *,
    base: torch.Tensor | None = None,
    name: str | None = None,
) -> LiveFrame:
    """Two sliders move a point z of the latent space, and the frame shows the image decoded there; Play walks a circle.

    `decode` takes z (B, latent_dim) to images (B, 1, 28, 28) in [0, 1]. With more than two dimensions the reader
    chooses the two that move; the others rest at `base` (latent_dim,), the code of an image for instance, or else
    at zero, the mean of the prior.
    """
    base = torch.zeros(latent_dim) if base is None else base.detach().flatten().float()
    if latent_dim < 2 or len(base) != latent_dim:
        raise ValueError(
            f"latent_dim is {latent_dim} and base has {len(base)} numbers: give two or more, and as many to base."
        )
    names = [
        "z" + str(n).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")) for n in range(1, latent_dim + 1)
    ]
    wide = {"layout": Layout(width="380px"), "style": {"description_width": "40px"}}
    sliders = [FloatSlider(min=-REACH, max=REACH, step=0.05, readout_format=".2f", **wide) for _ in range(2)]
    options = list(zip(names, range(latent_dim), strict=True))
    choices = [
        Dropdown(description="across", options=options, value=0),
        Dropdown(description="up", options=options, value=1),
    ]
    plane: LatentPlane | None = None
    placing, walked = False, {slider: set() for slider in sliders}

    def choose_plane() -> None:
        nonlocal plane
        plane = LatentPlane(decode, base, (choices[0].value, choices[1].value))
        for slider, choice in zip(sliders, choices, strict=True):
            slider.description = slider.tooltip = names[choice.value]

    def look() -> Picture:
        return plane.picture_at(sliders[0].value, sliders[1].value, alt)

    def move_to(*place: float) -> Picture:
        nonlocal placing
        placing = True
        for slider, value in zip(sliders, place, strict=True):
            walked[slider].add(round(20 * value) / 20)  # the slider goes in steps of 0.05
            slider.value = round(20 * value) / 20
        placing = False
        return look()

    def walk() -> Iterator[Picture]:
        centre = [float(base[dim]) for dim in plane.dims]
        yield move_to(*centre)
        for turn in np.linspace(0, 2 * np.pi, 73):
            yield move_to(centre[0] + 2 * np.cos(turn), centre[1] + 2 * np.sin(turn))

    def slider_moved(change) -> None:
        # The browser sends back, late and not quite exactly, what the walk has set: that is not the reader's hand.
        echo = frame.playing and round(change.new, 2) in walked[change.owner]
        if not (placing or echo):
            frame.on_loop(lambda: take_over(change.owner, change.new))

    def take_over(slider: FloatSlider, value: float) -> None:
        nonlocal placing
        frame.pause()
        placing = True
        slider.value = value  # again, for the walk may have gone one step further
        placing = False
        frame.attempt(look)

    def dimension_chosen(change) -> None:
        other = choices[1] if change.owner is choices[0] else choices[0]
        if other.value == change.new:  # the same twice makes no plane: they change places
            other.value = change.old
        frame.on_loop(lambda: (choose_plane(), frame.reset()))

    choose_plane()
    controls = [*sliders] if latent_dim == 2 else [HBox(choices), *sliders]
    frame = LiveFrame(walk, alt, name=name, controls=controls)
    for slider in sliders:
        slider.observe(slider_moved, "value")
    for choice in choices:
        choice.observe(dimension_chosen, "value")
    return frame


def _close(widget: Widget) -> None:
    for child in getattr(widget, "children", ()):
        _close(child)
    for part in (widget.layout, getattr(widget, "style", None), widget):
        if part is not None:
            part.close()
