"""Clips as seen: where the digit is, how it moves, whether it stays itself; and what any forecast must beat.

Frames are (n, T, 1, 32, 32) in [0, 1], positions (n, T, 2) in pixels, as in `helpers.data.clips`. Nothing here asks for
the truth, so generated clips are measured as real ones are.
"""

import torch
from torch import Tensor

from helpers.data.clips import SIDE, SPEEDS, centre_of_mass, crop, draw, fly, walls
from helpers.data.doors import door, expect_floats, expect_unit_interval

SEEN = 4  # frames from which a forecast begins
PART = 250  # clips that are looked at together, to keep the memory small
JERK = 0.5  # pixels a frame²: more than this, where there is no wall, is no straight flight


def expect_frames(frames: Tensor) -> Tensor:
    """The frames themselves, if they are (n, T, 1, 32, 32) in [0, 1], n, T ≥ 1; otherwise ValueError."""
    shape = tuple(expect_floats(frames, "Frames").shape)
    if len(shape) != 5 or shape[2:] != (1, SIDE, SIDE) or 0 in shape:
        raise ValueError(
            f"Frames have the shape (n, T, 1, 32, 32), n, T ≥ 1, these have {shape}: for a single clip, clip[None]."
        )
    expect_unit_interval(frames)
    return frames


def expect_positions(positions: Tensor, least: int = 3) -> Tensor:
    """The positions themselves, if they are (n, T, 2) with T ≥ `least`; otherwise ValueError."""
    shape = tuple(expect_floats(positions, "Positions").shape)
    if len(shape) != 3 or shape[2] != 2 or not shape[0] or shape[1] < least:
        raise ValueError(f"Positions have the shape (n, T, 2), T ≥ {least}, these have {shape}.")
    return positions


# --- motion ----------------------------------------------------------------------------------------------------------


@door(expect_frames, "frames")
def track(frames: Tensor) -> Tensor:
    """Where the ink of each frame has its centre of mass, in pixels, (n, T, 1, 32, 32) to (n, T, 2).

    The median of a frame counts as its paper and is taken off first, because a trace of grey all over a generated frame
    would pull the centre to the middle. NaN where a frame is blank. On real clips within 0.001 pixels of the truth.
    """
    found = []
    for part in frames.split(PART):
        paper = part.flatten(2).median(-1).values[..., None, None, None]
        found.append(centre_of_mass((part - paper).clamp(min=0)))
    return torch.cat(found)


def speeds(positions: Tensor) -> Tensor:
    """|x(t + 1) − x(t)| in pixels a frame, (n, T, 2) to (n, T − 1): the true speed, but less at a bounce."""
    return expect_positions(positions, 2).diff(dim=1).norm(dim=-1)


def accelerations(positions: Tensor) -> Tensor:
    """|x(t + 1) − 2 x(t) + x(t − 1)| in pixels a frame², (n, T, 2) to (n, T − 2): 0 in straight flight."""
    return expect_positions(positions).diff(n=2, dim=1).norm(dim=-1)


def smooth(positions: Tensor, kind: str = "digits") -> float:
    """The share of accelerations below 0.5 pixels a frame², where no wall is near; (n, T, 2) to one number.

    Near is a wall within 3 pixels, which the fastest reach in one frame. A position that is NaN counts as not smooth;
    if no position is away from walls, the share is NaN. Something that rests is smooth too: look at `speeds` as well.
    """
    low, high = walls(kind)
    middle = expect_positions(positions)[:, 1:-1]
    near = ((middle < low + SPEEDS[1]) | (middle > high - SPEEDS[1])).any(-1)
    return (accelerations(positions)[~near] < JERK).double().mean().item()


def turns(positions: Tensor) -> Tensor:
    """Where a step across or down goes against the one before, by more than 0.5 pixels: bounces as seen, (n, T − 2)."""
    step = expect_positions(positions).diff(dim=1)
    before, after = step[:, :-1], step[:, 1:]
    return ((before * after < 0) & ((after - before).abs() > JERK)).any(-1)


# --- identity --------------------------------------------------------------------------------------------------------


@door(expect_frames, "frames")
def aligned(frames: Tensor) -> Tensor:
    """The patches (n, T, 1, 14, 14) around the centre of mass of each frame; a blank frame gives a blank patch."""
    positions = track(frames).nan_to_num((SIDE - 1) / 2)
    return torch.cat([crop(*part) for part in zip(frames.split(PART), positions.split(PART), strict=True)])


def flicker(patches: Tensor) -> float:
    """The mean squared difference of neighbouring patches (n, T, 1, 14, 14) of a clip: small where it stays itself.

    A blob that never changes has none, so it means something only beside a share of readable digits.
    """
    return expect_floats(patches, "Patches").diff(dim=1).square().mean().item()


def agreement(labels: Tensor) -> float:
    """The share of frames whose label is the most frequent one of their clip, (n, T) whole numbers to one number."""
    if labels.ndim != 2 or labels.dtype.is_floating_point:
        raise ValueError(
            f"Labels are whole numbers (n, T), these are {labels.dtype} of shape {tuple(labels.shape)}: for "
            "probabilities, .argmax(-1)."
        )
    return (labels == labels.mode(dim=1, keepdim=True).values).double().mean().item()


# --- forecasts without learning --------------------------------------------------------------------------------------
# Each sees the first frames of a clip (n, 4, 1, 32, 32), gives the next `steps` as frames and as positions, and draws
# them with the last patch that was seen.


@door(expect_frames, "seen")
def repeat_last(seen: Tensor, steps: int = 12) -> tuple[Tensor, Tensor]:
    """The last frame again and again: frames (n, steps, 1, 32, 32) and positions (n, steps, 2)."""
    return seen[:, -1:].expand(-1, steps, -1, -1, -1), track(seen[:, -1:]).expand(-1, steps, -1)


@door(expect_frames, "seen")
def extrapolate(seen: Tensor, steps: int = 12) -> tuple[Tensor, Tensor]:
    """Straight on, x(T + k) = x(T) + k (x(T) − x(T − 1)), as if there were no walls: frames and positions."""
    last_but_one, last = expect_positions(track(seen[:, -2:]), 2).unbind(1)
    ahead = torch.arange(1, steps + 1).to(last)[:, None]
    positions = last[:, None] + ahead * (last - last_but_one)[:, None]
    return draw(aligned(seen[:, -1:])[:, 0], positions), positions


@door(expect_frames, "seen")
def simulate(seen: Tensor, steps: int = 12, kind: str = "digits") -> tuple[Tensor, Tensor]:
    """The simulator itself, from the state as estimated in the frames seen, four at least: frames and positions."""
    position, velocity = estimated_state(track(seen), kind)
    positions = fly(position, velocity, steps + 1, kind)[0][:, 1:]
    return draw(aligned(seen[:, -1:])[:, 0], positions), positions


@door(expect_frames, "seen")
def simulate_last_step(seen: Tensor, steps: int = 12, kind: str = "digits") -> tuple[Tensor, Tensor]:
    """The simulator with the last step as velocity, as if no wall had been hit in it: frames and positions."""
    last_but_one, last = expect_positions(track(seen[:, -2:]), 2).unbind(1)
    positions = fly(last.clamp(*walls(kind)), last - last_but_one, steps + 1, kind)[0][:, 1:]
    return draw(aligned(seen[:, -1:])[:, 0], positions), positions


def estimated_state(positions: Tensor, kind: str = "digits") -> tuple[Tensor, Tensor]:
    """Position and velocity in the last of four or more frames, (n, T, 2) to (n, 2) and (n, 2).

    A step in which a wall was hit is shorter than the others across (or down), and of the last three at most one is:
    the longest is the speed. If the last one is shorter than that, the direction has turned since the one before.
    """
    low, high = walls(kind)
    step = expect_positions(positions, SEEN)[:, -SEEN:].diff(dim=1)
    speed = step.abs().amax(dim=1)
    hit = step[:, -1].abs() < speed - 0.05  # a margin for positions that are only nearly right
    direction = torch.where(hit, -step[:, -2].sign(), step[:, -1].sign())
    return positions[:, -1].clamp(low, high), direction * speed
