"""What lessons use: one answer against the right one and the well-known wrong ones; a failure is one sentence."""

from collections.abc import Callable, Mapping

from helpers.feedback.observe import Close, alike
from helpers.feedback.reading import numbers
from helpers.feedback.says import Mistake, a_or_an

EXACT = Close(relative=1e-4, absolute=1e-6)


def attempt(function: Callable, *arguments) -> object:
    """What `function` returns. Raises AssertionError, with its message, where it stops; a stub stays a stub."""
    try:
        return function(*arguments)
    except NotImplementedError:
        raise
    except Exception as error:
        reason = str(error).strip().split("\n")[0]
        raise AssertionError(f"It stops with {type(error).__name__}: {reason}") from error


def expect(answer: object, right: object, slips: Mapping[str, object] | None = None, name: str = "") -> None:
    """Pass if `answer` is `right`; if not, say which of the `slips`, {sentence: wrong answer}, it is.

    Numbers, lists, arrays and tensors are taken, and compared to a relative 1e-4 of the largest number. Where several
    slips give the same, all of them are named. Raises AssertionError with one sentence.
    """

    def failed(sentence: str) -> AssertionError:
        return AssertionError(f"{name}: {sentence}" if name else sentence[0].upper() + sentence[1:])

    if answer is None:
        raise failed("nothing came back. Is the `return` missing?")
    try:
        answer = numbers(answer, "numbers").detach().double()
    except Mistake:
        raise failed(f"{a_or_an(answer)} came back, where numbers are asked for.") from None
    right = numbers(right).detach().double()
    if alike(answer, right, EXACT):
        return
    found = [
        said for said, slip in (slips or {}).items() if alike(answer, numbers(slip).detach().double(), EXACT)
    ]
    if found[1:]:
        raise failed(f"either {' or '.join(found[:3])}")
    if found:
        raise AssertionError(f"{name}: {found[0]}" if name else found[0])
    if answer.shape != right.shape:
        raise failed(f"the shape is {tuple(answer.shape)}, and {tuple(right.shape)} is asked for.")
    if not answer.isfinite().all() and right.isfinite().all():
        raise failed(
            "NaN or infinity came back: look for 0/0, for the logarithm of 0, for an exponential or a square out of "
            "range."
        )
    raise failed(f"largest difference {(answer - right).abs().max():.4g}. This is none of the usual slips.")


def pair(answer: object) -> tuple | list:
    """`answer` itself if it is two things. Raises AssertionError otherwise."""
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise AssertionError("A pair is asked for.")
    return answer
