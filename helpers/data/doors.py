"""Doors: what would give a wrong number without a word, or an error that does not help, gets a sentence here.

A door looks at shape, dtype and range, and computes nothing else. `@door` puts one before a function whose body is a
notebook's cell, so that the cell holds the formula alone.
"""

import inspect
import math
from collections.abc import Callable
from functools import wraps

import torch
from torch import Tensor, nn


def door(expect: Callable, *names: str) -> Callable:
    """Call `expect` with the arguments of these names before the function itself, unless one is left out."""

    def before(function: Callable) -> Callable:
        places = {name: place for place, name in enumerate(inspect.signature(function).parameters)}

        @wraps(function)
        def behind(*given, **named):
            met = []
            for name in names:
                if name in named:
                    met.append(named[name])
                elif places[name] < len(given):
                    met.append(given[places[name]])
            if len(met) == len(names):
                expect(*met)
            return function(*given, **named)

        return behind

    return before


def expect_floats(values: Tensor, what: str = "Images", network: nn.Module | None = None) -> Tensor:
    """The values, if they are a tensor of floating-point numbers, and as `network` has them; otherwise ValueError."""
    if not isinstance(values, Tensor):
        raise ValueError(f"{what} must be a tensor, this is a {type(values).__name__}: use torch.as_tensor.")
    if not values.dtype.is_floating_point:
        remedy = ".float() / 255" if values.dtype == torch.uint8 else ".float()"
        raise ValueError(f"{what} must be floating-point numbers, these are {values.dtype}: use {remedy}.")
    weight = next(network.parameters(), None) if isinstance(network, nn.Module) else None
    if weight is not None and (weight.dtype, weight.device) != (values.dtype, values.device):
        raise ValueError(
            f"{what} are {values.dtype} on {values.device} and the network is {weight.dtype} on {weight.device}: "
            "bring them together by .to(device, dtype)."
        )
    return values


def ends_of(values: Tensor, what: str = "Images") -> tuple[float, float] | None:
    """The least and the largest value, or ValueError where one is not finite; nothing where no numbers are kept."""
    if values.is_meta or not values.numel():
        return None
    low, high = (end.item() for end in values.detach().aminmax())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"{what} hold NaN or infinity: look where the numbers stopped being finite.")
    return low, high


def expect_tanh_images(images: Tensor, network: nn.Module | None = None) -> Tensor:
    """The images themselves, if they are (B, C, H, W) in [−1, 1], as a generator draws them; otherwise ValueError."""
    if expect_floats(images, "Images", network).ndim != 4 or not len(images):
        raise ValueError(f"Images have the shape (B, 1, 28, 28), B ≥ 1, these have {tuple(images.shape)}.")
    ends = ends_of(images)
    if ends and not (-1.001 <= ends[0] and ends[1] <= 1.001):
        raise ValueError(
            f"Images must lie in [−1, 1] here, these reach from {ends[0]:.3g} to {ends[1]:.3g}: "
            "rescale them, to_tanh(x) for x in [0, 1] and to_tanh(x / 255) for bytes."
        )
    if ends and ends[0] >= 0 and ends[1] > 0:
        raise ValueError(
            "Images must lie in [−1, 1] here, and none of these has a value below 0: "
            "if they lie in [0, 1], bring them there by to_tanh(x)."
        )
    return images


def expect_same_shape(*tensors: Tensor) -> None:
    """Nothing, if all have one shape; otherwise ValueError, where PyTorch would repeat the smaller or say something."""
    shapes = [tuple(each.shape) for each in tensors if isinstance(each, Tensor)]
    if len(set(shapes)) > 1:
        raise ValueError(
            f"These must have equal shapes, and have {' and '.join(map(str, shapes))}: "
            "a missing or a spare dimension, such as (B, 1) for (B,), would be repeated without a word."
        )


def expect_rows(*tensors: Tensor) -> None:
    """Nothing, if all are (B, d), one row an example; otherwise ValueError."""
    expect_same_shape(*tensors)
    if tensors[0].ndim != 2:
        raise ValueError(
            f"The shape must be (B, d), one row an example, here it is {tuple(tensors[0].shape)}: use .flatten(1), "
            "or x[None] for a single one."
        )


def expect_unit_interval(x: Tensor) -> None:
    """Nothing, if the values lie in [0, 1], whatever the shape; otherwise ValueError."""
    ends = ends_of(expect_floats(x, "Pixels"), "Pixels")
    if ends and not (ends[0] >= 0 and ends[1] <= 1):
        raise ValueError(
            f"Pixels must lie in [0, 1], these reach from {ends[0]:.3g} to {ends[1]:.3g}: "
            "rescale them, (x + 1) / 2 after a tanh or x / 255 for bytes."
        )


def expect_points(points: Tensor) -> Tensor:
    """The points themselves, if they are (N, 2), N ≥ 1, of a diverged game too; otherwise ValueError."""
    if expect_floats(points, "Points").ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(
            f"Points in the plane have the shape (N, 2), N ≥ 1, these have {tuple(points.shape)}."
        )
    return points


def expect_count(n: int) -> None:
    """A number of things to draw: raises ValueError for anything but a whole number from 1."""
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"The number to draw must be a whole number from 1, this is {n!r}.")
