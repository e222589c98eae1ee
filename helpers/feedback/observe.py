"""What is observed of a function: its values and gradients on a case, the learner's and ours by the same path."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from helpers.feedback import reading
from helpers.feedback.says import Mistake

IN_PLACE = "A tensor that backward still needs was changed in place. Look for `+=`, `*=`, or a method that ends in `_`."
FROZEN = "Parameters are frozen when your function is over. Put `requires_grad` back to True."
BACKWARD = (
    "Your function has already gone backward. Return the value and leave `backward` to the training step."
)
NO_DERIVATIVE = (
    "PyTorch knows no derivative of one of your steps, so nothing could be trained with the result. Look for `unique`, "
    "`histc` and the like."
)
CHANGED = (
    "Your function changes {} it was given, and the next one to use it would be surprised. Look for `+=` and for "
    "methods that end in `_`."
)
IN_EVAL = "A network is still in evaluation mode when your function is over. Put it back with `train()`."


class Case(dict):
    """The arguments of one call by their names, in the order of the call; `case.mu` is `case["mu"]`."""

    def __getattr__(self, name: str):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def once(self, f: Callable[["Case"], object]) -> object:
        """f(case), computed once: what many rows of a table need."""
        known = self.__dict__.setdefault("known", {})
        if f not in known:
            known[f] = f(self)
        return known[f]

    def but(self, **changes) -> "Case":
        """The same case with some arguments changed."""
        return Case({**self, **changes})


class Seen(dict):
    """What was observed, tensors in float64 by name; `cut` where no graph leads from the value to any input."""

    cut: bool = False


@dataclass(frozen=True)
class Close:
    """Two tensors agree up to `relative` of the largest number (of each number, if `each`) plus `absolute`."""

    relative: float = 1e-3
    absolute: float = 1e-7
    each: bool = False


@dataclass(frozen=True)
class Wanted:
    """A tensor that should be returned: how its shape is written, the shape on a case, what other shapes mean.

    `hints` are sentences for shapes that are foreseen, `otherwise` is the one for all others.
    """

    symbols: str
    shape: Callable[[Case], tuple]
    hints: Callable[[Case], Mapping[tuple, str]] = field(default=lambda case: {})
    what: str = "a tensor"
    otherwise: str = "Which dimensions still have to be summed, and which one has to stay?"

    def check(self, value: Tensor, case: Case) -> None:
        """Raises `Mistake` of kind "shape" where the shape is another one."""
        got, wanted = tuple(value.shape), tuple(self.shape(case))
        if got == wanted:
            return
        hint = self.hints(case).get(got, self.otherwise)
        if wanted == ():
            text = f"One number is wanted, but yours has the shape {got}. {hint}"
        else:
            text = f"The shape should be {self.symbols} = {wanted}, but yours is {got}. {hint}"
        raise Mistake("shape", text)


def alike(one: Tensor, other: Tensor, close: Close) -> bool:
    """Whether `one` is `other` up to `close`; infinities have to agree, and so does NaN unless all is NaN."""
    if one.shape != other.shape:
        return False
    if one.numel() == 0:
        return True
    off = (one - other).abs()
    size = other.abs() if close.each else other.abs().max()
    if bool((off <= close.relative * size + close.absolute).all()) and bool(torch.isfinite(size).all()):
        return True
    if bool(torch.isfinite(off).all()):
        return False
    agree = (one == other) | (one.isnan() & other.isnan())
    finite = one.isfinite() & other.isfinite()
    if other.isnan().all() or not bool((agree | finite).all()):
        return False
    return not bool(finite.any()) or alike(one[finite], other[finite], close)


def copied(case: Case) -> Case:
    """The case with tensors, networks and objects that hold tensors copied; plain numbers and functions as they are."""
    return Case({name: value if callable(value) and not isinstance(value, nn.Module) else copy.deepcopy(value)
                 for name, value in case.items()})  # fmt: skip


def tensors_of(value: object) -> Iterator[Tensor]:
    """Every tensor in a tensor, a network, a container or an object."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, nn.Module):
        yield from value.state_dict().values()
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from tensors_of(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from tensors_of(each)
    elif hasattr(value, "__dict__") and not callable(value):
        yield from tensors_of(vars(value))


def unchanged(before: Case, after: Case) -> None:
    """Raises `Mistake` where a call left an argument changed, a network frozen or in evaluation mode."""
    for name in before:
        network = after[name]
        if isinstance(network, nn.Module) and isinstance(before[name], nn.Module):
            if not all(each.requires_grad for each in network.parameters()):
                raise Mistake("left_frozen", FROZEN)
            modes = zip(before[name].modules(), network.modules(), strict=False)
            if any(old.training and not new.training for old, new in modes):
                raise Mistake("left_in_eval", IN_EVAL)
        old, new = list(tensors_of(before[name])), list(tensors_of(network))
        if len(old) != len(new) or not all(
            a.shape == b.shape and torch.equal(a, b) for a, b in zip(old, new, strict=True)
        ):
            raise Mistake("changed_input", CHANGED.format(f"`{name}`, which"))


@dataclass(frozen=True)
class Observe:
    """Values of a call, and the gradient of a weighted sum of them at the inputs named in `at`.

    An input in `at` is a tensor, or a network, which stands for all its parameters. The weights differ from element to
    element, so that no two can be exchanged. `wanted` are the results by name: several where a tuple is returned.
    """

    wanted: Wanted | Mapping[str, Wanted]
    at: tuple[str, ...] = ()
    read: Callable[[object, Case], object] = field(default=lambda value, case: value)

    @property
    def results(self) -> Mapping[str, Wanted]:
        return self.wanted if isinstance(self.wanted, Mapping) else {"value": self.wanted}

    def values(self, call: Callable[[Case], object], case: Case) -> dict[str, Tensor]:
        """What `call` returns on `case` itself, by name, with its graph."""
        value = self.read(call(case), case)
        if isinstance(self.wanted, Wanted):
            parts = (value,)
        else:
            parts = self._parts(value)
        found = {}
        for (name, wanted), part in zip(self.results.items(), parts, strict=True):
            what = wanted.what if wanted.shape(case) == () else f"{wanted.what} of shape {wanted.symbols}"
            part = reading.tensor(part, what) if self.at else reading.numbers(part, what)
            if wanted.shape(case) == () and part.numel() == 1:
                part = part.reshape(())
            found[name] = part
        return found

    def _parts(self, value: object) -> list:
        n, names = len(self.results), ", ".join(self.results)
        if isinstance(value, Mapping):
            value = tuple(value.values())
        elif isinstance(value, Tensor) and value.ndim and len(value) == n and not self.at:
            value = tuple(value)
        if not isinstance(value, tuple | list) or len(value) != n:
            got = f"{len(value)} things" if isinstance(value, tuple | list) else reading.a_or_an(value)
            raise Mistake("type", f"Your function returned {got}, and {n} are wanted: {names}.")
        return list(value)

    def __call__(self, call: Callable[[Case], object], case: Case) -> Seen:
        """What `call` gives on a copy of `case`. Raises `Mistake` where it leaves an argument changed."""
        mine, leaves = copied(case), []
        for name in self.at:
            if isinstance(mine[name], nn.Module):
                leaves.append(tuple(mine[name].parameters()))
            else:
                leaf = mine[name].detach().requires_grad_()
                leaves.append((leaf,))
                # No leaf, as in a training step, so that a `+=` is seen and not refused.
                mine[name] = leaf.clone()
        found = self.values(call, mine)
        unchanged(case, mine)
        seen = Seen({name: value.detach().double() for name, value in found.items()})
        if self.at:
            gradients, seen.cut = self._gradients(found, leaves)
            seen.update({f"gradient at {name}": each for name, each in zip(self.at, gradients, strict=True)})
        return seen

    def _gradients(self, found: Mapping[str, Tensor], leaves: list[tuple]) -> tuple[list[Tensor], bool]:
        total = [
            (torch.linspace(1, 2, value.numel(), dtype=value.dtype).view(value.shape) * value).sum()
            for value in found.values()
            if value.requires_grad
        ]
        every = [leaf for group in leaves for leaf in group]
        if not total:
            return [
                torch.cat([torch.zeros_like(leaf).flatten() for leaf in group]).double() for group in leaves
            ], True
        try:
            flat = torch.autograd.grad(sum(total), every, allow_unused=True, retain_graph=True)
        except RuntimeError as error:
            if "inplace" in str(error):
                raise Mistake("in_place", IN_PLACE) from None
            if "not implemented" in str(error):
                raise Mistake("no_gradient", NO_DERIVATIVE) from None
            if not all(leaf.requires_grad for leaf in every):
                raise Mistake("left_frozen", FROZEN) from None
            raise Mistake("backward", BACKWARD) from None
        cut = all(each is None for each in flat)
        flat = iter([torch.zeros_like(x) if g is None else g for g, x in zip(flat, every, strict=True)])
        return [torch.cat([next(flat).detach().flatten() for _ in group]).double() for group in leaves], cut


def finite(seen: Seen) -> bool:
    return all(bool(value.isfinite().all()) for value in seen.values())


def nan_mistake(seen: Seen) -> Mistake:
    """What to say of numbers that are not finite."""
    what = "NaN" if any(bool(value.isnan().any()) for value in seen.values()) else "infinite"
    return Mistake(
        "nan",
        f"The result is {what}. Usual reasons: the logarithm of 0 or of a negative number (a logit is no "
        "probability, `log_var` no variance), the root of one, an exponential of something large, a division "
        "by 0. Which of these can happen here?",
    )


def multiple(seen: Tensor, right: Tensor, close: Close) -> float | None:
    """The number f with `seen` = f × `right`; None where there is none."""
    if (
        seen.shape != right.shape
        or not right.any()
        or not seen.isfinite().all()
        or not right.isfinite().all()
    ):
        return None
    factor = float((seen * right).sum() / right.square().sum())
    return factor if math.isfinite(factor) and factor and alike(seen, factor * right, close) else None
