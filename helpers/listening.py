"""Sounds on a page: players that work offline and say what is heard, and pictures of spectrograms."""

import base64
import html
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.nn.functional import pad

from helpers.audio import HOP, WINDOW, expect_spectrograms
from helpers.data.doors import ends_of, expect_floats
from helpers.data.drums import SAMPLE_RATE
from helpers.plotting import CAPTION, Picture, new_figure, picture

PAUSE = 0.06  # s of silence between sounds that are played one after the other
SILENT = 0.01  # a sound that never gets louder than this is taken for a mistake
LEVELS = 11  # of a spectrogram's colours
LARGEST = 8031  # of the 14 bits that the µ-law squeezes into 8


def mu_law(samples: Tensor) -> bytes:
    """Samples in [−1, 1] as bytes of the µ-law: sign, exponent and four bits of the fraction, all bits inverted.

    As in telephones: steps are fine where a sound is soft, so that 8 bits sound like 13. Source: ITU-T G.711.
    """
    value = np.rint(np.abs(samples.double().numpy()) * LARGEST).astype(int) + 33
    exponent = np.floor(np.log2(value)).astype(int) - 5  # 0 … 7
    fraction = (value >> (exponent + 1)) & 15
    sign = 128 * (samples.numpy() < 0)
    return (255 - (sign + 16 * exponent + fraction)).astype(np.uint8).tobytes()


def wav(samples: Tensor) -> bytes:
    """A WAV file of one channel at 8,000 samples a second, 8 bits a sample by the µ-law, of `samples` (T,) in [−1, 1].

    Nothing is made louder or softer. Raises ValueError for what would be clipped, is silent, or has another shape.
    """
    if expect_floats(samples, "Samples").ndim != 1 or not len(samples):
        raise ValueError(f"Samples have the shape (T,), T ≥ 1, these have {tuple(samples.shape)}.")
    low, high = ends_of(samples, "Samples")
    if max(-low, high) > 1:
        raise ValueError(
            f"Samples from {low:.3g} to {high:.3g} would be clipped: divide them by their largest |sample|."
        )
    if max(-low, high) < SILENT:
        raise ValueError(f"No sample is larger than {max(-low, high):.3g}: this would be silence.")
    data = mu_law(samples.detach().cpu())
    form = struct.pack("<HHIIHHH", 7, 1, SAMPLE_RATE, SAMPLE_RATE, 1, 8, 0)  # 7: µ-law
    parts = {b"fmt ": form, b"fact": struct.pack("<I", len(data)), b"data": data + b"\0" * (len(data) % 2)}
    body = b"".join(name + struct.pack("<I", len(part)) + part for name, part in parts.items())
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


@dataclass(frozen=True)
class Player:
    """Named sounds to play in the page; `html()` needs no file and no network."""

    sounds: dict[str, bytes]  # name → a WAV file
    seconds: dict[str, float]
    caption: str = ""

    def html(self) -> str:
        """An <audio> element for each sound below its name, and the caption."""
        boxes = "".join(self._box(name) for name in self.sounds)
        rows = f'<div style="display:flex;flex-wrap:wrap;gap:0.3em 1em">{boxes}</div>'
        caption = html.escape(self.caption, quote=False)
        caption = f'<figcaption style="{CAPTION}">{caption}</figcaption>' if caption else ""
        return f'<figure style="margin:0">{rows}{caption}</figure>'

    def _box(self, name: str) -> str:
        said = html.escape(f"{name}, {self.seconds[name]:.1f} s")
        source = base64.b64encode(self.sounds[name]).decode()
        return (
            f'<div style="font-size:90%">{html.escape(name)}<br><audio controls preload="auto" '
            f'style="width:210px;height:32px" aria-label="{said}" src="data:audio/wav;base64,{source}">'
            f"{said}: your viewer plays no sound, JupyterLab does.</audio></div>"
        )

    def __str__(self) -> str:
        listed = "; ".join(f"{name} ({self.seconds[name]:.1f} s)" for name in self.sounds)
        return f"Sounds to play: {listed}. {self.caption}".strip()

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": str(self)}


def player(sounds: Mapping[str, Tensor], caption: str = "") -> Player:
    """A player for each of `sounds`, a name → samples (T,) in [−1, 1], or (n, T), which are played one after the other.

    Raises ValueError for what would be clipped or is silent; see `wav`.
    """
    if not sounds:
        raise ValueError("There is nothing to hear: give at least one sound.")
    lined = {name: _in_line(samples) for name, samples in sounds.items()}
    seconds = {name: len(samples) / SAMPLE_RATE for name, samples in lined.items()}
    return Player({name: wav(samples) for name, samples in lined.items()}, seconds, caption)


def _in_line(samples: Tensor) -> Tensor:
    """(n, T) as one sound, with a pause after each but the last; (T,) as it is."""
    if expect_floats(samples, "Samples").ndim != 2:
        return samples
    pause = round(PAUSE * SAMPLE_RATE)
    return pad(samples, (0, pause)).flatten()[:-pause]


def spectrogram_plot(
    spectrograms: Tensor,
    titles: Sequence[str] = (),
    *,
    columns: int | None = None,
    caption: str = "",
    alt: str | None = None,
    width: float = 1.35,
    height: float = 1.4,
) -> Picture:
    """Standardised log spectrograms (n, 128, 32), each a panel: time to the right, frequency upwards, bright is loud.

    All share one scale. `titles` has one for each, or one for each column; a panel is `width` × `height` inches.
    """
    images = expect_spectrograms(spectrograms).detach().cpu().numpy()
    columns = columns or len(images)
    rows = -(-len(images) // columns)
    if len(titles) not in (0, columns, len(images)):
        raise ValueError(
            f"There are {len(images)} spectrograms in {columns} columns: give as many titles, or none."
        )
    figure, panels = new_figure(
        rows, columns, width * columns + 0.5, height * rows + 0.3, sharex=True, sharey=True, squeeze=False
    )
    extent = (0, images.shape[2] * HOP / SAMPLE_RATE * 1000, 0, images.shape[1] / WINDOW * SAMPLE_RATE / 1000)
    for number, axes in enumerate(panels.flat):
        if number >= len(images):
            axes.set_visible(False)
            continue
        # Few levels and sharp edges make a small file, and the eye sees no difference.
        levels = np.clip(np.rint((images[number] + 1) / 4 * LEVELS), 0, LEVELS) / LEVELS * 4 - 1
        axes.imshow(
            levels, origin="lower", aspect="auto", extent=extent, vmin=-1, vmax=3, interpolation="nearest"
        )
        if number < len(titles):
            axes.set_title(titles[number], fontsize=9)
    for axes in panels[:, 0]:
        axes.set_ylabel("kHz")
    for axes in panels[-1]:
        axes.set_xlabel("ms")
    return picture(figure, alt, caption=caption, colours=32)
