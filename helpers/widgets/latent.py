"""The latent explorer: two sliders move a point of the latent space, and the image decoded there is shown."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from ipywidgets import Dropdown, FloatSlider, HBox, Layout
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from helpers import plotting
from helpers.plotting import SHARPNESS, Picture
from helpers.widgets.frame import LiveFrame

REACH = 3.0  # the explorer goes from -3 to 3: a standard normal leaves 0.3 % outside


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
