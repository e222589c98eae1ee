"""Clips: a handwritten digit or a ball flies through a box and bounces off its walls; every position is known exactly.

A clip is 16 frames of 32 × 32 pixels, 0 = paper and 1 = ink. Positions are (x, y) in pixels, x to the right and y
downwards; (0, 0) is the middle of the first pixel. Velocities are in pixels a frame.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers.data.digits import SIZES, expect_images, load_digits
from helpers.data.doors import ends_of, expect_floats

SIDE = 32  # pixels of a frame
PATCH = 14  # pixels of what flies
FRAMES = 16
MIDDLE, HALF = (
    (SIDE - 1) / 2,
    8.0,
)  # pixels: networks see positions as (p − MIDDLE)/HALF, digits between −1 and 1
CUT = 22  # the middle of a 28 × 28 digit that is shrunk to the patch; around it there is little ink
SPEEDS = (1.0, 3.0)  # least and largest, in pixels a frame
BALL_RADIUS = 3.0  # pixels
CLIPS_SEED = 1878  # the year of Muybridge's galloping horse
WALLS = {  # least and largest coordinate that a centre reaches, the same across and down
    # A patch fits from 6.5 on; a pixel more, because the ink of a digit is not quite in the middle of its patch.
    "digits": (7.5, 23.5),
    # A ball touches the edge of the frame, which is half a pixel before the middle of the first one.
    "balls": (BALL_RADIUS - 0.5, SIDE - 0.5 - BALL_RADIUS),
}


class Clips(NamedTuple):
    """`frames` (n, 16, 1, 32, 32) in [0, 1], float32, and the truth of each frame, in float64.

    `positions` (n, 16, 2) of the centre of mass in pixels, `velocities` (n, 16, 2) in pixels a frame, `bounces`
    (n, 16), True where a wall was hit since the frame before, and `labels` (n,), the digit, or 0 for a ball.
    """

    frames: Tensor
    positions: Tensor
    velocities: Tensor
    bounces: Tensor
    labels: Tensor


def clips(n: int, kind: str = "digits", split: str = "train", seed: int = CLIPS_SEED) -> Clips:
    """`n` independent clips of bouncing "digits", from this split of `load_digits`, or of bouncing "balls".

    They begin as `launch` says, and reflection keeps it so: in *every* frame the position is uniform, p = 1/w² for
    walls w apart, the direction uniform, and both are independent of each other and of the constant speed. A bounce
    comes in a share 8/(π w) − 13/(3 π w²) of the steps: .154 for digits (w = 16), .096 for balls (w = 26).
    The same seed gives the same clips on every machine, up to rounding; splits share neither digits nor flights.
    Raises ValueError for n < 1, another kind and another split.
    """
    walls(kind)
    if n < 1:
        raise ValueError(f"There must be at least one of the clips, you asked for {n}.")
    digits, labels = load_digits(split)
    # A seed for each split, or else the flights of the test clips would be those of the training clips.
    generator = torch.Generator().manual_seed(len(SIZES) * seed + list(SIZES).index(split))
    positions, velocities, bounces = fly(*launch(n, kind, generator), kind=kind)
    if kind == "digits":
        chosen = torch.randint(len(digits), (n,), generator=generator)
        patches, labels = shrink(digits[chosen]), labels[chosen]
    else:
        patches, labels = ball().expand(n, -1, -1, -1), torch.zeros(n, dtype=torch.int64)
    # The centre of the ink, not that of the patch, is at the position.
    offset = centre_of_mass(patches)[:, None] - (PATCH - 1) / 2
    frames = torch.cat(
        [draw(*part) for part in zip(patches.split(200), (positions - offset).split(200), strict=True)]
    )
    return Clips(frames, positions, velocities, bounces, labels)


def walls(kind: str) -> tuple[float, float]:
    """The least and the largest coordinate of a centre, across and down; ValueError for a kind that there is not."""
    if kind not in WALLS:
        raise ValueError(f'There are no clips of "{kind}": choose one of {", ".join(WALLS)}.')
    return WALLS[kind]


def launch(n: int, kind: str = "digits", generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """`n` states of the first frame: positions (n, 2) in pixels and velocities (n, 2) in pixels a frame, in float64.

    x, y uniform between the walls, speed uniform on [1, 3], direction uniform over the circle, all independent; each is
    a multiple of 2⁻²⁰ of its range.
    """
    low, high = walls(kind)
    # Whole numbers, for these come out the same everywhere.
    share = torch.randint(2**20, (n, 4), generator=generator).double() / 2**20
    speed = SPEEDS[0] + (SPEEDS[1] - SPEEDS[0]) * share[:, 2:3]
    angle = 2 * math.pi * share[:, 3]
    return low + (high - low) * share[:, :2], speed * torch.stack([angle.cos(), angle.sin()], dim=1)


def fly(
    position: Tensor, velocity: Tensor, frames: int = FRAMES, kind: str = "digits"
) -> tuple[Tensor, Tensor, Tensor]:
    """The simulator: where a centre is in so many frames, from its state (n, 2), (n, 2) in the first of them.

    Without walls it would be at u(t) = x + v t. The walls fold this line back and forth: with w = high − low,
    k = ⌊(u − low)/w⌋ and r = u − low − k w, it is at low + r for even k, and at high − r with velocity −v for odd k.
    Returns positions (n, T, 2), velocities (n, T, 2) after the reflection, and bounces (n, T), True where a wall was
    hit since the frame before. Raises ValueError for other shapes and for a position behind a wall.
    """
    low, high = walls(kind)
    shape = tuple(expect_floats(position, "Positions").shape)
    if position.ndim != 2 or shape[1] != 2 or expect_floats(velocity, "Velocities").shape != position.shape:
        raise ValueError(
            f"Give positions and velocities (n, 2), these have {shape} and {tuple(velocity.shape)}."
        )
    ends_of(velocity, "Velocities")
    ends = ends_of(position, "Positions")
    if ends and not (low <= ends[0] and ends[1] <= high):
        raise ValueError(
            f"Positions must lie between the walls at {low} and {high}, these reach from {ends[0]:.3g} to "
            f"{ends[1]:.3g}: use position.clamp({low}, {high})."
        )
    width, velocity = high - low, velocity[:, None]
    time = torch.arange(frames, dtype=position.dtype, device=position.device)[:, None]
    unfolded = position[:, None] - low + velocity * time
    fold = (unfolded / width).floor()
    turned = fold % 2 == 1
    along = unfolded - width * fold
    positions = low + torch.where(turned, width - along, along)
    velocities = torch.where(turned, -velocity, velocity)
    bounces = F.pad((fold.diff(dim=1) != 0).any(-1), (1, 0))
    return positions, velocities, bounces


# --- drawing ---------------------------------------------------------------------------------------------------------


def window(images: Tensor, corners: Tensor, size: int, mode: str = "bilinear") -> Tensor:
    """The window (N, 1, size, size) of each image (N, 1, H, H) whose first pixel lies at `corners` (N, 2).

    Between pixels the image is interpolated, outside it is 0. Bilinear interpolation keeps ink and centre of mass
    exactly; bicubic is sharper, and is cut off at 0 and 1. Gradients reach images and corners.
    """
    step = torch.arange(size, dtype=images.dtype, device=images.device)
    place = corners.to(images)[:, None] + step[:, None]  # (N, size, 2), in pixels
    place = (2 * place + 1) / images.shape[-1] - 1  # and from −1 to 1, as grid_sample wants it
    across, down = place[:, None, :, 0], place[:, :, None, 1]
    grid = torch.stack(torch.broadcast_tensors(across, down), dim=-1)
    seen = F.grid_sample(images, grid, mode=mode, align_corners=False)
    return seen.clamp(0, 1) if mode == "bicubic" else seen


def draw(patches: Tensor, positions: Tensor) -> Tensor:
    """Frames (n, T, 1, 32, 32) with the middle of a patch at each of the positions (n, T, 2), between pixels too.

    One patch a clip, (n, 1, 14, 14), or one a frame, (n, T, 1, 14, 14). What lies outside the frame is not drawn.
    Gradients reach patches and positions. Raises ValueError for other shapes.
    """
    n, frames = positions.shape[:2]
    if patches.ndim == 4:
        patches = patches[:, None].expand(-1, frames, -1, -1, -1)
    if positions.shape != (n, frames, 2) or patches.shape != (n, frames, 1, PATCH, PATCH):
        raise ValueError(
            "Give positions (n, T, 2) and patches (n, 1, 14, 14) or (n, T, 1, 14, 14), these have "
            f"{tuple(positions.shape)} and {tuple(patches.shape)}."
        )
    drawn = window(patches.flatten(0, 1), (PATCH - 1) / 2 - positions.flatten(0, 1), SIDE)
    return drawn.unflatten(0, (n, frames))


def crop(frames: Tensor, positions: Tensor) -> Tensor:
    """The patches (n, T, 1, 14, 14) around the positions (n, T, 2) in frames (n, T, 1, 32, 32): `draw` taken back."""
    # Bicubic, because a second bilinear interpolation would make them as soft as no digit is.
    patches = window(frames.flatten(0, 1), positions.flatten(0, 1) - (PATCH - 1) / 2, PATCH, mode="bicubic")
    return patches.unflatten(0, frames.shape[:2])


def centre_of_mass(images: Tensor) -> Tensor:
    """Σ ink (x, y) / Σ ink, the centre of mass in pixels, (..., 1, H, W) to (..., 2); NaN where there is no ink."""
    down, across = images.sum((-3, -1)), images.sum((-3, -2))
    sums = [
        line @ torch.arange(line.shape[-1], dtype=line.dtype, device=line.device) for line in (across, down)
    ]
    return torch.stack(sums, dim=-1) / images.sum((-3, -2, -1))[..., None]


def shrink(digits: Tensor) -> Tensor:
    """Digits (N, 1, 28, 28) as patches (N, 1, 14, 14): the middle 22 × 22 pixels, made smaller."""
    edge = (expect_images(digits).shape[-1] - CUT) // 2
    middle = digits[..., edge:-edge, edge:-edge]
    return F.interpolate(middle, size=PATCH, mode="bilinear", antialias=True, align_corners=False).clamp(0, 1)


def magnify(patches: Tensor) -> Tensor:
    """Patches (N, 1, 14, 14) as digits (N, 1, 28, 28), for those that read digits: `shrink` the other way."""
    edge = (28 - CUT) // 2
    middle = F.interpolate(patches, size=CUT, mode="bicubic", align_corners=False).clamp(0, 1)
    return F.pad(middle, (edge,) * 4)


def ball(radius: float = BALL_RADIUS) -> Tensor:
    """A disc in the middle of a patch, (1, 1, 14, 14): ink 1, and an edge one pixel wide."""
    line = torch.arange(PATCH) - (PATCH - 1) / 2
    return (radius + 0.5 - torch.hypot(line[:, None], line)).clamp(0, 1)[None, None]
