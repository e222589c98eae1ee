"""The latent explorer: sliders move a point of the latent space, and the image decoded there is shown."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from ipywidgets import Dropdown, HBox
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from helpers import plotting
from helpers.data.doors import ends_of
from helpers.plotting import COLOUR_OF, SHARPNESS, Picture
from helpers.vae import slerp
from helpers.widgets.frame import LiveFrame
from helpers.widgets.views import REACH, change_places, frame_of, legs, names_of, slider

DESCRIPTION = (
    "Small decoded images in rows and columns, one for each place in the latent space, with a ring at the chosen "
    "place, and at their left the image decoded there, larger."
)
CUT = 0.15  # what leaves [0, 1] by no more is cut off


def decoded_ink(decode: Callable, z: torch.Tensor) -> np.ndarray:
    """Decoded images of z (B, latent) as dark ink on white, (B, 28, 28) of uint8; ValueError on what are none."""
    with torch.no_grad():
        images = decode(z)
    if images.shape != (len(z), 1, 28, 28):
        raise ValueError(
            f"decode must return images of shape (B, 1, 28, 28), here {(len(z), 1, 28, 28)}, not"
            f" {tuple(images.shape)}: reshape what the decoder returns, logits through a sigmoid first."
        )
    ends = ends_of(images, "Decoded images")
    if ends and not (-CUT <= ends[0] and ends[1] <= 1 + CUT):
        raise ValueError(
            f"decode must return images in [0, 1], these reach from {ends[0]:.3g} to {ends[1]:.3g}: "
            "put logits through a sigmoid, and what ends in a tanh through (x + 1) / 2."
        )
    return (255 - 255 * images[:, 0].clamp(0, 1)).round().to(torch.uint8).cpu().numpy()


class Sheet:
    """Small decoded images in rows and columns, and at their left one large image with a ring at its place among them.

    `z` (rows, columns, latent); `extent` are the values at the outer edges, (left, right, bottom, top).
    """

    SIZE = (650, 430)  # of the picture, in pixels of the page
    DIGIT, DIGIT_CORNER = 7 * 28, (12, 94)  # the single image: its side, its upper left corner
    CORNER = (270, 12)  # of a sheet with TALL pixels; a lower one stands in the middle of that
    TALL = 13 * 28

    def __init__(
        self, decode: Callable, z: torch.Tensor, extent: tuple[float, float, float, float], **axes_settings
    ):
        self.decode, self.extent = decode, extent
        rows, columns, _ = z.shape
        self.wide, self.high = 28 * columns, 28 * rows
        self.corner = self.CORNER[0], self.CORNER[1] + (self.TALL - self.high) // 2
        images = decoded_ink(decode, z.flatten(0, 1)).reshape(rows, columns, 28, 28)
        sheet = images.transpose(0, 2, 1, 3).reshape(self.high, self.wide)

        plotting.use_style()
        width, height = self.SIZE
        figure = Figure(figsize=(width / 96, height / 96))
        left, bottom = self.corner[0] / width, 1 - (self.corner[1] + self.high) / height
        axes = figure.add_axes((left, bottom, self.wide / width, self.high / height))
        axes.imshow(
            sheet, cmap="gray", vmin=0, vmax=255, extent=extent, interpolation="nearest", aspect="auto"
        )
        axes.set(**axes_settings)
        x, y = self.DIGIT_CORNER[0] + self.DIGIT / 2, self.DIGIT_CORNER[1] + self.DIGIT + 24
        figure.text(x / width, 1 - y / height, "decoded at the ring", ha="center")
        self._page = plotting.picture(figure).image()

    def picture_of(self, z: torch.Tensor, x: float, y: float, alt: str) -> Picture:
        """The image decoded from z (latent,), beside the sheet with a ring at (x, y)."""
        page = self._page.copy()
        ink = decoded_ink(self.decode, z[None])[0]
        side = self.DIGIT * SHARPNESS
        digit = Image.fromarray(ink).resize((side, side), Image.Resampling.NEAREST)
        page.paste(digit, tuple(SHARPNESS * at for at in self.DIGIT_CORNER))
        left, right, bottom, top = self.extent
        across = SHARPNESS * (self.corner[0] + (x - left) / (right - left) * self.wide)
        down = SHARPNESS * (self.corner[1] + (top - y) / (top - bottom) * self.high)
        colour = COLOUR_OF["chosen"]
        ImageDraw.Draw(page).circle((across, down), 18 * SHARPNESS, outline=colour, width=3 * SHARPNESS)
        return plotting.encode(np.asarray(page), alt)


class LatentPlane:
    """The view of a plane: two coordinates move, the others rest at `base` (latent,).

    With more than two dimensions the reader chooses the two.
    """

    CELLS = 13  # images in each direction: one every half unit
    DIGIT, DIGIT_CORNER, PLANE_CORNER = Sheet.DIGIT, Sheet.DIGIT_CORNER, Sheet.CORNER

    def __init__(self, decode: Callable, base: torch.Tensor, names: Sequence[str]):
        self.decode, self.base, self.names = decode, base, names
        options = list(zip(names, range(len(names)), strict=True))
        self.choices = [
            Dropdown(description="across", options=options, value=0),
            Dropdown(description="up", options=options, value=1),
        ]
        self.sliders = [slider(name, -REACH, REACH, 0.05) for name in names[:2]]
        self.controls = [*self.sliders] if len(names) == 2 else [HBox(self.choices), *self.sliders]

    @property
    def dims(self) -> list[int]:
        return [choice.value for choice in self.choices]

    def chosen(self, change) -> None:
        """The same dimension twice makes no plane."""
        change_places(self.choices, change)

    def lay_out(self) -> None:
        for each, dim in zip(self.sliders, self.dims, strict=True):
            each.description = each.tooltip = self.names[dim]
        places = torch.linspace(-REACH, REACH, self.CELLS)
        z = self.base.repeat(self.CELLS, self.CELLS, 1)
        z[:, :, self.dims[0]], z[:, :, self.dims[1]] = places, places.flip(0)[:, None]
        edge = REACH + REACH / (self.CELLS - 1)  # the outermost images stand half beyond
        labels = [f"$z_{{{dim + 1}}}$" for dim in self.dims]
        self.sheet = Sheet(self.decode, z, (-edge, edge, -edge, edge), xlabel=labels[0], ylabel=labels[1])

    def look(self, alt: str) -> Picture:
        z, place = self.base.clone(), [each.value for each in self.sliders]
        z[self.dims] = torch.tensor(place)
        return self.sheet.picture_of(z, *place, alt)

    def walk(self) -> Iterator[tuple[float, ...]]:
        """A circle around the base."""
        centre = [float(self.base[dim]) for dim in self.dims]
        yield tuple(centre)
        for turn in np.linspace(0, 2 * np.pi, 73):
            yield centre[0] + 2 * np.cos(turn), centre[1] + 2 * np.sin(turn)


class OneDimension:
    """The view in which one coordinate goes from end to end: a row of images for each, up to MOST of them."""

    COLUMNS, MOST = 13, 13

    def __init__(self, decode: Callable, base: torch.Tensor, names: Sequence[str]):
        self.decode, self.base, self.names = decode, base, names[: self.MOST]
        options = list(zip(self.names, range(len(self.names)), strict=True))
        self.choices = [Dropdown(description="dimension", options=options, value=0)]
        self.sliders = [slider(names[0], -REACH, REACH, 0.05)]
        self.controls = [*self.choices, *self.sliders]

    def chosen(self, change) -> None:
        self.sliders[0].description = self.sliders[0].tooltip = self.names[change.new]

    def lay_out(self) -> None:
        rows = len(self.names)
        z = self.base.repeat(rows, self.COLUMNS, 1)
        for dim in range(rows):
            z[dim, :, dim] = torch.linspace(-REACH, REACH, self.COLUMNS)
        edge = REACH + REACH / (self.COLUMNS - 1)
        ticks = {"yticks": range(rows), "yticklabels": [f"$z_{{{dim + 1}}}$" for dim in range(rows)]}
        self.sheet = Sheet(
            self.decode, z, (-edge, edge, rows - 0.5, -0.5), xlabel="its value, the others at rest", **ticks
        )

    def look(self, alt: str) -> Picture:
        z, dim, value = self.base.clone(), self.choices[0].value, self.sliders[0].value
        z[dim] = value
        return self.sheet.picture_of(z, value, dim, alt)

    def walk(self) -> Iterator[tuple[float, ...]]:
        """From the base up, down and back."""
        rest = float(self.base[self.choices[0].value])
        yield from legs(rest, REACH, -REACH, rest, a_unit=8)


class Morph:
    """The view that goes from one code to another, straight or on the sphere, with both ways side by side."""

    COLUMNS, WAYS = 13, ("straight", "sphere")

    def __init__(self, decode: Callable, ends: Mapping[str, torch.Tensor]):
        self.decode, self.ends = (
            decode,
            {name: code.detach().flatten().float() for name, code in ends.items()},
        )
        names = list(self.ends)
        self.choices = [
            Dropdown(description="from", options=names, value=names[0]),
            Dropdown(description="to", options=names, value=names[1]),
            Dropdown(description="way", options=self.WAYS, value=self.WAYS[0]),
        ]
        self.sliders = [slider("t", 0.0, 1.0, 0.02)]
        self.controls = [HBox(self.choices), *self.sliders]

    def chosen(self, change) -> None:
        pass

    def at(self, way: str, t: float) -> torch.Tensor:
        a, b = (self.ends[choice.value] for choice in self.choices[:2])
        return slerp(a, b, t) if way == "sphere" else (1 - t) * a + t * b

    def lay_out(self) -> None:
        steps = np.linspace(0, 1, self.COLUMNS)
        z = torch.stack([torch.stack([self.at(way, float(t)) for t in steps]) for way in self.WAYS])
        edge = 0.5 / (self.COLUMNS - 1)
        ticks = {"yticks": range(len(self.WAYS)), "yticklabels": self.WAYS}
        self.sheet = Sheet(
            self.decode, z, (-edge, 1 + edge, len(self.WAYS) - 0.5, -0.5), xlabel="$t$", **ticks
        )

    def look(self, alt: str) -> Picture:
        way, t = self.choices[2].value, self.sliders[0].value
        return self.sheet.picture_of(self.at(way, t), t, self.WAYS.index(way), alt)

    def walk(self) -> Iterator[tuple[float, ...]]:
        """There and back."""
        for t in (*np.linspace(0, 1, 51), *np.linspace(1, 0, 51)[1:]):
            yield (t,)


def latent_explorer(
    decode: Callable,
    latent_dim: int,
    *,
    alt: str = DESCRIPTION,
    base: torch.Tensor | None = None,
    ends: Mapping[str, torch.Tensor] | None = None,
    name: str | None = None,
) -> LiveFrame:
    """Sliders move a point z of the latent space, and the frame shows the image decoded there; Play walks by itself.

    `decode` takes z (B, latent_dim) to images (B, 1, 28, 28) in [0, 1]. With more than two dimensions the reader
    chooses the two that span the plane; the others rest at `base` (latent_dim,), the code of an image for instance, or
    else at zero, the mean of the prior. With `ends`, two or more codes by name, there are two more views: one dimension
    from end to end, and a morph between two of the codes.
    """
    base = torch.zeros(latent_dim) if base is None else base.detach().flatten().float()
    if latent_dim < 2 or len(base) != latent_dim:
        raise ValueError(
            f"latent_dim is {latent_dim} and base has {len(base)} numbers: give two or more, and as many to base."
        )
    if ends is not None and (len(ends) < 2 or any(code.numel() != latent_dim for code in ends.values())):
        raise ValueError(f"ends are two or more codes of {latent_dim} numbers, by name, to morph between.")
    names = names_of(latent_dim)
    views = {"plane": LatentPlane(decode, base, names)}
    if ends is not None:
        views |= {"one dimension": OneDimension(decode, base, names), "morph": Morph(decode, ends)}
    return frame_of(views, alt, name=name)
