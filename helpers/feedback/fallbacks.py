"""What can be said of a wrong answer that no table explains: a factor, a shift, a gradient, and at last a witness."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from helpers.feedback.explain import Trial
from helpers.feedback.observe import Case, Close, alike, multiple
from helpers.feedback.says import Mistake

GRADIENT = (
    "The values are right, but the gradients at {} are not: a part of the result no longer reaches there, or more than "
    "it should. Look for a `detach`, a `no_grad` or a `clamp`."
)
CUT = (
    "Your result is cut from the graph, so nothing could be trained with it. Look for a `detach`, a `no_grad`, an "
    "`.item()` or a `torch.tensor(...)` on the way."
)
FACTOR = (
    "The values are right, but the gradient at {} is {} times what it should be. Does a part of it pass twice, "
    "half or reversed, as with `detach` in one of two terms?"
)


def told(value: float | Tensor, digits: int = 3) -> str:
    """The number with a minus sign as in the formulas."""
    value = float(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value + 0.0:.{digits}g}".replace("-", "−")


def own_noise(trial: Trial) -> Mistake | None:
    """Whether two calls with the same arguments differ."""
    torch.manual_seed(trial.task.seed + 3)
    again = trial.ask(trial.cases[0])
    return None if trial.task.alike(again, trial.seen[0]) else Mistake(*trial.task.noise)


def wrong_gradient(trial: Trial) -> Mistake | None:
    """Whether the values are right and the gradients alone are not."""
    values = getattr(trial.task.observe, "results", {})
    at = [name for name in trial.seen[0] if name not in values]
    if not at or not values:
        return None
    for ours in trial.rights():
        pairs = list(zip(trial.seen, ours, strict=True))
        if all(trial.task.alike(seen, want, list(values)) for seen, want in pairs):
            break
    else:
        return None
    if any(seen.cut for seen in trial.seen):
        return Mistake("no_gradient", CUT)
    wrong = [name for name in at if not all(trial.task.alike(seen, want, [name]) for seen, want in pairs)]
    name = wrong[0] if wrong else at[0]
    factors = [multiple(seen[name], want[name], trial.task.close_of(name)) for seen, want in pairs]
    places = " and ".join(f"`{each.removeprefix('gradient at ')}`" for each in wrong or at)
    if None not in factors and max(factors) - min(factors) < 1e-3:
        return Mistake("gradient", FACTOR.format(places, told(factors[0])))
    return Mistake("gradient", GRADIENT.format(places))


SIGNS = {1: "", -1: "the sign is turned"}
SIZES = {1: "", 2: "a ½ is missing, or something is counted twice", 0.5: "a ½ stands there once too often"}
BASES = {
    1: "",
    1 / math.log(2): "the logarithm is that to base 2 (bits, where nats are wanted)",
    1 / math.log(10): "the logarithm is that to base 10 (where nats are wanted)",
}


def factor_said(factor: float, sizes: Mapping[str, int] | None = None) -> str:
    """What a factor usually means: a sign, a ½, another base, a size counted too often; "" where nothing fits."""
    powers = [(1, "")]
    for name, size in (sizes or {}).items():
        powers += [
            (size, f"a sum stands where the mean over {name} belongs, or something is counted {name} times")
        ]
        powers += [(1 / size, f"a mean stands where the sum over {name} belongs")]
    for (power, d), (base, c), (size, b), (sign, a) in itertools.product(
        powers, BASES.items(), SIZES.items(), SIGNS.items()
    ):
        if abs(factor - sign * size * base * power) < 1e-3 * abs(factor):
            return ", and ".join(text for text in (a, b, c, d) if text)
    return ""


def scaled(
    what: str = "Your result",
    sizes: Callable[[Case], Mapping[str, int]] = lambda case: {},
    results: Sequence[str] = (),
) -> Callable[[Trial], Mistake | None]:
    """A fallback: every result is a multiple of the right one. `sizes` are those a mean or a sum may run over."""

    def factors_of(trial: Trial, ours: list) -> list[float] | None:
        factors = []
        for seen, right in zip(trial.seen, ours, strict=True):
            names = list(results) or list(getattr(trial.task.observe, "results", right))
            each = [multiple(seen[name], right[name], trial.task.close_of(name)) for name in names]
            if None in each or max(each) - min(each) > 1e-3 * abs(each[0]):
                return None
            factors.append(each[0])
        return factors

    def fallback(trial: Trial) -> Mistake | None:
        factors = next((found for ours in trial.rights() if (found := factors_of(trial, ours))), None)
        if factors is None:
            return None
        if any(abs(factor - 1) < 2e-3 for factor in (factors[0], factors[-1])):
            return None  # right on a case: no factor
        said = [factor_said(f, sizes(case)) for f, case in zip(factors, trial.cases, strict=True)]
        first, last = told(factors[0]), told(factors[-1])
        if said[0] and said == [said[0]] * len(said):
            return Mistake("scale", f"{what} is {first} times the right one: {said[0]}.")
        if first == last:
            return Mistake("scale", f"{what} is {first} times the right one. Which factor is that?")
        if all(each.numel() == 1 for each in trial.seen[0].values()):
            return None  # any number is some multiple of another
        names = ", ".join(f"{name} = {size}" for name, size in sizes(trial.cases[0]).items())
        other = ", ".join(f"{name} = {size}" for name, size in sizes(trial.cases[-1]).items())
        return Mistake(
            "scale",
            f"{what} is {first} times the right one for {names or 'one input'}, and {last} times for "
            f"{other or 'another'}. Is there a mean where a sum should be, or the reverse?",
        )

    return fallback


def shifted(what: str = "Every number", hint: str = "Which constant is missing, or too many?") -> Callable:
    """A fallback: right gradients or none, and every value off by the same number in a case."""

    def off_by(trial: Trial, ours: list) -> float | None:
        first, values = None, getattr(trial.task.observe, "results", {})
        for seen, right in zip(trial.seen, ours, strict=True):
            for name in right:
                if name not in values and not trial.task.alike(seen, right, [name]):
                    return None
            for name in values:
                off = seen[name] - right[name]
                if off.numel() < 2 or not alike(off, off.mean().expand_as(off), Close(1e-3, 1e-4)):
                    return None
                first = float(off.mean()) if first is None else first
        return first

    def fallback(trial: Trial) -> Mistake | None:
        every = [found for ours in trial.rights() if (found := off_by(trial, ours))]
        if not every or abs(every[0]) < 1e-4:
            return None
        return Mistake("constants", f"{what} is off by the same {told(every[0])}. {hint}")

    return fallback


def beside_the_path(name: str, say: str, kind: str = "value") -> Callable[[Trial], Mistake | None]:
    """A fallback: the result `name` is right and the others are not."""

    def fallback(trial: Trial) -> Mistake | None:
        ours = [trial.ours(case) for case in trial.cases]
        pairs = zip(trial.seen, ours, strict=True)
        return Mistake(kind, say) if all(trial.task.alike(a, b, [name]) for a, b in pairs) else None

    return fallback


def worst(trial: Trial) -> tuple[Case, str, tuple[int, ...], float, float]:
    """(case, name, place, given, wanted) where the answer is most wrong: a witness that is never right."""
    found = None
    values = getattr(trial.task.observe, "results", {})
    for case, seen in zip(trial.cases, trial.seen, strict=True):
        right = trial.ours(case)
        for name, want in right.items():
            if name not in seen or seen[name].shape != want.shape or not want.numel():
                continue
            off = torch.nan_to_num((seen[name] - want).abs(), math.inf) / (want.abs().max() + 1e-12)
            place = tuple(int(i) for i in torch.unravel_index(off.argmax(), off.shape))
            size = name in values and float(off[place]) > 1e-3, float(off[place])  # values before gradients
            if found is None or size > found[0]:
                found = size, case, name, place, float(seen[name][place]), float(want[place])
    return found[1:]


def witness(trial: Trial) -> Mistake:
    """The last word: the place where the answer is most wrong, with both numbers."""
    case, name, place, given, wanted = worst(trial)
    index = f"[{', '.join(map(str, place))}]" if place else ""
    shapes = ", ".join(
        f"{key} {tuple(value.shape)}"
        if isinstance(value, Tensor) and value.ndim
        else f"{key} = {told(value)}"
        for key, value in case.items()
        if isinstance(value, Tensor | int | float)
    )
    what = "result" if name == "value" else name
    return Mistake(
        "value",
        f"For {shapes} your {what}{index} is {told(given)}, and should be {told(wanted)}. Compute that one number by "
        "hand, step by step, and print what your function makes of it.",
    )
