"""Live views: a frame with play, pause, step and reset, and the latent explorer.

Each also carries a static picture, which is all that a reader without a kernel sees.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence

import ipywidgets
import numpy as np
import torch
from torch import Tensor

from helpers.plotting import Picture, image_grid, new_figure, picture, tile

_shown: dict[str, "LiveFrame"] = {}  # name → the frame shown last: a cell run again closes the old one


class LiveFrame:
    """A picture that moves: `start()` gives a fresh iterator of (Picture, caption), and four buttons drive it.

    Playing is a task on the kernel's own event loop that rests between two pictures, so that other cells and the
    buttons go on answering. An iterator that ends or fails says so under the picture.
    """

    def __init__(self, start: Callable[[], Iterator[tuple[Picture, str]]], name: str, pause: float = 0.02):
        if name in _shown:
            _shown[name].close()
        _shown[name] = self
        self.start, self.name, self.rest = start, name, pause
        self.task: asyncio.Task | None = None
        try:
            self.loop = asyncio.get_running_loop()
        except RuntimeError:  # outside Jupyter: only `advance` is of use
            self.loop = None
        self.image = ipywidgets.HTML()
        self.status = ipywidgets.HTML()
        self.buttons = {}
        for label, icon, action in (
            ("Play", "play", self.play),
            ("Pause", "pause", self.pause),
            ("Step", "step-forward", self.step),
            ("Reset", "undo", self.reset),
        ):
            button = ipywidgets.Button(description=label, icon=icon, layout={"width": "6.5em"})
            button.on_click(lambda _, act=action: self._soon(act))
            self.buttons[label] = button
        self.view = ipywidgets.VBox([self.image, ipywidgets.HBox(list(self.buttons.values())), self.status])
        self.frames = start()
        self.picture: Picture | None = None
        self.advance()
        self.first = self.picture

    def _soon(self, action: Callable[[], None]) -> None:
        """Run `action` on the kernel's loop: some kernels call back from another thread."""
        if self.loop is None:
            action()
        else:
            self.loop.call_soon_threadsafe(action)

    def advance(self, frames: int = 1) -> bool:
        """Show the next picture, `frames` times; False when there is no further one."""
        for _ in range(frames):
            try:
                self.picture, caption = next(self.frames)
            except StopIteration:
                self._say("That was the last picture: press Reset to begin again.")
                return False
            except Exception as reason:
                self._say(f"Stopped: {type(reason).__name__}: {reason}")
                return False
            self.image.value = self.picture.html()
            self._say(caption)
        return True

    def _say(self, sentence: str) -> None:
        self.status.value = f'<span role="status" aria-live="polite">{sentence}</span>'

    def play(self) -> None:
        if self.task is None or self.task.done():
            self.task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self.advance():
            await asyncio.sleep(self.rest)

    def pause(self) -> None:
        if self.task is not None:
            self.task.cancel()
            self.task = None

    def step(self) -> None:
        self.pause()
        self.advance()

    def reset(self) -> None:
        self.pause()
        self.frames = self.start()
        self.advance()

    def close(self) -> None:
        """Stop playing and forget the frame."""
        self._soon(self.pause)
        _shown.pop(self.name, None)

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        live = self.view._repr_mimebundle_()
        return {**live, "text/html": self.first.html(), "text/plain": self.first.alt}


class LatentExplorer:
    """Walk through a latent space: two sliders move z along two dimensions, Play walks round a circle.

    `decode` takes z (B, latent) and gives images (B, 1, 28, 28) in [0, 1]; `base` (latent,) is where the other
    dimensions stay, the prior's mean when it is not given.
    """

    def __init__(
        self,
        decode: Callable[[Tensor], Tensor],
        latent: int,
        name: str,
        base: Tensor | None = None,
        dimensions: Sequence[int] = (0, 1),
        reach: float = 2.5,
        side: int = 11,
    ):
        if latent < 2:
            raise ValueError("The explorer needs a latent space of two dimensions or more.")
        if max(dimensions) >= latent or len(set(dimensions)) != 2:
            raise ValueError(
                f"Choose two different dimensions between 0 and {latent - 1}, not {tuple(dimensions)}."
            )
        self.decode, self.reach, self.side = decode, reach, side
        self.base = torch.zeros(latent) if base is None else base.detach().clone()
        self.dimensions = tuple(dimensions)
        self.map = self._map()
        self.sliders = [
            ipywidgets.FloatSlider(
                value=0.0, min=-reach, max=reach, step=0.05, description=f"z{d + 1}", continuous_update=True
            )
            for d in self.dimensions
        ]
        self.frame = LiveFrame(self._circle, name)
        for slider in self.sliders:
            slider.observe(self._moved, names="value")
        self.walking = False
        self.view = ipywidgets.VBox([*self.sliders, self.frame.view])
        self.static = image_grid(
            self.decode(self._lattice()).detach(),
            f"Latent map, {side} by {side} decoded images: dimension {self.dimensions[0] + 1} runs from left to "
            f"right, dimension {self.dimensions[1] + 1} from bottom to top, each from −{reach} to {reach}.",
            columns=side,
            scale=1.2,
        )

    def point(self, a: float, b: float) -> Tensor:
        """z (latent,) with the two chosen dimensions at a and b."""
        z = self.base.clone()
        z[list(self.dimensions)] = torch.tensor([a, b], dtype=z.dtype)
        return z

    def _lattice(self) -> Tensor:
        line = np.linspace(-self.reach, self.reach, self.side)
        return torch.stack([self.point(a, b) for b in line[::-1] for a in line])

    @torch.no_grad()
    def _map(self) -> np.ndarray:
        return tile(self.decode(self._lattice()), self.side, gap=0)

    @torch.no_grad()
    def draw(self, a: float, b: float) -> Picture:
        """The map with a ring at (a, b), beside the image decoded there."""
        one = tile(self.decode(self.point(a, b)[None]), 1)
        figure, (left, right) = new_figure(6.4, 3.2, 2)
        cell = self.reach / (self.side - 1)
        edge = self.reach + cell
        left.imshow(self.map, cmap="gray", vmin=0, vmax=255, extent=(-edge, edge) * 2)
        left.plot(
            [a], [b], marker="o", markersize=13, markerfacecolor="none", markeredgewidth=2.5, color="#d55e00"
        )
        left.set(xlabel=f"$z_{{{self.dimensions[0] + 1}}}$", ylabel=f"$z_{{{self.dimensions[1] + 1}}}$")
        left.grid(False)
        right.imshow(one, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        right.set_title("decoded here")
        right.set_axis_off()
        return picture(
            figure,
            f"Left: map of decoded digits with a ring at ({a:.2f}, {b:.2f}). Right: the digit decoded at that point.",
        )

    def _circle(self) -> Iterator[tuple[Picture, str]]:
        """The sliders' own point, then round a circle for ever."""
        yield self._here()
        turn = 0
        while True:
            angle = 2 * np.pi * turn / 60
            turn += 1
            self.walking = True
            self.sliders[0].value = round(1.5 * np.cos(angle), 2)
            self.sliders[1].value = round(1.5 * np.sin(angle), 2)
            self.walking = False
            yield self._here()

    def _here(self) -> tuple[Picture, str]:
        a, b = (slider.value for slider in self.sliders)
        return self.draw(a, b), f"z = ({a:.2f}, {b:.2f}); the other dimensions stay where they are."

    def _moved(self, _) -> None:
        if not self.walking:  # a hand on the slider, not our own walk
            shown, caption = self._here()
            self.frame.image.value = shown.html()
            self.frame._say(caption)

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        live = self.view._repr_mimebundle_()
        return {**live, "text/html": self.static.html(), "text/plain": self.static.alt}
