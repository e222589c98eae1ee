"""The explorer of any kind of sample: slide from one code to another, or along one dimension, and see what is there."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from ipywidgets import Dropdown, HBox
from torch import Tensor

from helpers.data.doors import ends_of, expect_floats
from helpers.plotting import Picture
from helpers.vae import slerp
from helpers.widgets.frame import LiveFrame, Text
from helpers.widgets.views import REACH, Shown, change_places, frame_of, legs, names_of, slider

STEP = 0.05  # of both sliders
STILLS = (0, 0.25, 0.5, 0.75, 1)  # the places t of which a reader without a kernel reads the texts
WAYS = ("straight", "sphere")


def sample_at(show: Callable, z: Tensor, alt: str) -> Shown:
    """What `show(z)` returns, as a frame shows it; ValueError unless a Picture, a text, or (Picture, html)."""
    with torch.no_grad():
        sample = show(z)
    match sample:
        case Picture():
            return sample
        case str():
            return Text(sample or "(no words)", alt)
        case (Picture() as picture, str() as html):
            if re.search(r"<(audio|video)\b[^>]*\sautoplay", html, re.IGNORECASE):
                raise ValueError("A sound would start at each move of a slider: leave out autoplay.")
            return picture, "", html
    found = type(sample).__name__
    if isinstance(sample, tuple):
        found = f"tuple of {', '.join(type(part).__name__ for part in sample) or 'nothing'}"
    raise ValueError(
        f"show must return a Picture, a text, or a pair (Picture, html), not a {found}: draw the sample first."
    )


class Between:
    """The view that goes from one code, t = 0, to another, t = 1: straight, or on the sphere."""

    def __init__(self, show: Callable, codes: Mapping[str, Tensor], start: Dropdown, way: str):
        self.show, self.codes, self.way = show, codes, way
        self.choices = [start, Dropdown(description="to", options=list(codes), value=list(codes)[1])]
        self.sliders = [slider("t", 0.0, 1.0, STEP)]
        self.controls = [HBox(self.choices), *self.sliders]

    def chosen(self, change) -> None:
        change_places(self.choices, change)

    def lay_out(self) -> None:
        pass

    def at(self, t: float) -> Tensor:
        a, b = (self.codes[choice.value] for choice in self.choices)
        return slerp(a, b, t) if self.way == "sphere" else (1 - t) * a + t * b

    def look(self, alt: str) -> Shown:
        return sample_at(self.show, self.at(self.sliders[0].value), alt)

    def walk(self) -> Iterator[tuple[float, ...]]:
        """There and back."""
        yield from legs(0, 1, 0, a_unit=round(1 / STEP) + 1)


class Along:
    """The view in which one dimension of the first code goes from end to end, the others stay."""

    def __init__(self, show: Callable, codes: Mapping[str, Tensor], start: Dropdown, names: Sequence[str]):
        self.show, self.codes, self.names = show, codes, names
        options = list(zip(names, range(len(names)), strict=True))
        self.choices = [start, Dropdown(description="dimension", options=options, value=0)]
        self.sliders = [slider(names[0], -REACH, REACH, STEP)]
        self.controls = [HBox(self.choices), *self.sliders]

    def chosen(self, change) -> None:
        pass

    def lay_out(self) -> None:
        self.sliders[0].description = self.sliders[0].tooltip = self.names[self.choices[1].value]

    def look(self, alt: str) -> Shown:
        z = self.codes[self.choices[0].value].clone()
        z[self.choices[1].value] = self.sliders[0].value
        return sample_at(self.show, z, alt)

    def walk(self) -> Iterator[tuple[float, ...]]:
        """From the code up, down and back."""
        rest = self.codes[self.choices[0].value][self.choices[1].value].clamp(-REACH, REACH).item()
        yield from legs(rest, REACH, -REACH, rest, a_unit=4)


def explorer(
    show: Callable[[Tensor], Picture | str | tuple[Picture, str]],
    codes: Mapping[str, Tensor],
    *,
    alt: str,
    name: str | None = None,
    static: Picture | Text | None = None,
    way: str = "straight",
    fps: float = 3,
) -> LiveFrame:
    """Sliders move a code z (latent,) between two of `codes`, or along one dimension; the frame shows `show(z)`.

    `codes` are two or more, by name, of which the reader chooses. `show` returns a Picture, a text, or (Picture, html),
    html with an <audio> element for instance; it is called without gradients. `way` is "straight" or "sphere". Play
    walks, at most `fps` samples a second: a sound needs more time than a text, and a film even more. A reader without
    a kernel sees `static`, or else the texts at five places from the first code to the second, or the first sample.
    Raises ValueError for codes that do not fit together and for a sample that cannot be shown.
    """
    codes = expect_codes(codes)
    if way not in WAYS:
        raise ValueError(f'There is no way "{way}" between two codes: choose one of {", ".join(WAYS)}.')
    start = Dropdown(description="from", options=list(codes), value=next(iter(codes)))
    between = Between(show, codes, start, way)
    # Here an error is the caller's, not a sentence in the view.
    if isinstance(sample_at(show, between.at(0), alt), Text) and static is None:
        texts = [f"t = {t:g}: {sample_at(show, between.at(t), alt).text}" for t in STILLS]
        ends = " to ".join(choice.value for choice in between.choices)
        static = Text("\n".join([f"From {ends}", *texts]), alt, height=None, letters=15)
    views = {"morph": between, "one dimension": Along(show, codes, start, names_of(len(between.at(0))))}
    return frame_of(views, alt, name=name, static=static, fps=fps)


def expect_codes(codes: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Two or more finite codes of one length (latent,), by name, apart from any graph; otherwise ValueError."""
    if not isinstance(codes, Mapping) or len(codes) < 2:
        raise ValueError("To go from one code to another, give two or more by name, {name: z, name: z}.")
    for name, code in codes.items():
        ends_of(expect_floats(code, "Codes"), f"The numbers of code {name!r}")
    shapes = {name: tuple(code.shape) for name, code in codes.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 or 0 in shape for shape in shapes.values()):
        found = ", ".join(f"{name!r} {shape}" for name, shape in shapes.items())
        raise ValueError(f"Codes are vectors (latent,) of one length, these are {found}: mu[0] is one of mu.")
    return {name: code.detach().float() for name, code in codes.items()}
