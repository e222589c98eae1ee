"""Reading what a learner's function returned: whatever comes back becomes a tensor, or one sentence says why not."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from helpers.feedback.says import Mistake, a_or_an

STAY = "Stay with tensors from the first line to the last, so that gradients can flow."


def numbers(value: object, wanted: str = "a tensor") -> Tensor:
    """`value` as a real, dense tensor on the CPU that may still have its graph; numbers, lists and arrays are taken.

    Raises `Mistake` of kind "type" for anything else, in one sentence.
    """
    if isinstance(value, Tensor):
        return _plain(value, wanted)
    if isinstance(value, Mapping | str | bytes) or value is None or isinstance(value, type):
        raise _no_numbers(value, wanted)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**300:
        return torch.tensor(math.inf if value > 0 else -math.inf, dtype=torch.float64)
    try:
        parts = list(value) if isinstance(value, list | tuple) else None
        if parts and any(isinstance(part, Tensor) for part in parts):
            return torch.stack([numbers(part, wanted).double() for part in parts])
        array = np.asarray(value.detach() if hasattr(value, "detach") else value)
        if array.dtype.kind == "c":
            raise _complex(wanted)
        return torch.as_tensor(array.astype(float), dtype=torch.float64)
    except Mistake:
        raise
    except Exception:  # whatever an object of the learner's own does when it is asked for numbers
        raise _no_numbers(value, wanted) from None


def tensor(value: object, wanted: str = "a tensor") -> Tensor:
    """As `numbers`, but only a tensor will do, because a gradient has to flow through it."""
    if isinstance(value, Tensor):
        return _plain(value, wanted)
    hint = "Return one tensor: the sum, not its parts." if isinstance(value, tuple | Mapping) else STAY
    raise Mistake("type", f"Your function returned {a_or_an(value)}, and {wanted} is wanted. {hint}")


def number(value: object, name: str) -> float:
    """The loss in `value`: a number, a tensor of one element, or a dict with it under `name`. Raises `Mistake`."""
    if isinstance(value, Mapping):
        losses = [key for key in value if "loss" in str(key)]
        if name not in value and len(losses) != 1:
            raise Mistake(
                "type", f"Your function returned a dict without `{name}`: put the loss under that name."
            )
        value = value[name if name in value else losses[0]]
    if isinstance(value, str | bytes | list | tuple):
        raise Mistake("type", f"Your function returned {a_or_an(value)}; please return the loss.")
    value = numbers(value, "the loss").detach().double()
    if value.numel() != 1:
        raise Mistake(
            "shape",
            f"The loss should be one number, but yours has shape {tuple(value.shape)}. How do the losses of a batch "
            "become one?",
        )
    return float(value)


def _plain(value: Tensor, wanted: str) -> Tensor:
    if value.is_complex():
        raise _complex(wanted)
    if value.is_meta:
        raise Mistake(
            "type",
            "Your function returned a tensor on the device `meta`, which has a shape and no numbers. "
            "Leave `device` out.",
        )
    try:
        value = value.to_dense() if value.layout is not torch.strided else value
        value = value.dequantize() if value.is_quantized else value
        value = torch.stack(list(value.unbind())) if value.is_nested else value
        return value if value.device.type == "cpu" else value.cpu()
    except Exception:
        raise _no_numbers(value, wanted) from None


def _complex(wanted: str) -> Mistake:
    return Mistake(
        "type",
        f"Your function returned complex numbers, and {wanted} of real ones is wanted. Is the root or the logarithm of "
        "a negative number taken somewhere?",
    )


def _no_numbers(value: object, wanted: str) -> Mistake:
    return Mistake("type", f"Your function returned {a_or_an(value)}, and {wanted} is wanted.")
