"""Try a learner's function in bounded time, and say in a sentence what kind of mistake it makes.

A check is a function marked `@gives_feedback`. It wraps what the learner wrote in an `Answer`, calls that on inputs of
its own, and either returns a `Feedback` or raises `Mistake`. What can go wrong in any function (nothing written,
nothing returned, an exception, a wrong shape, NaN, an endless loop) is told here, before a check looks for more.
"""

import ast
import contextlib
import ctypes
import functools
import html
import inspect
import linecache
import math
import random
import re
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

SECONDS = 5.0  # of CPU time for all calls that one check makes: a right answer needs a hundredth of it
PATIENCE = 4  # times as many seconds by the clock, for code that waits; on a busy machine others use them up
STOPPING = 2.0  # more seconds in which code that catches every exception is stopped again and again
LETTERS = 2000  # of what a learner's function prints while it is checked


@dataclass(frozen=True, repr=False)
class Feedback:
    """What a check says: `ok`, the `kind` of mistake in a word ("right" if none), and one to three sentences."""

    ok: bool
    kind: str
    message: str

    @property
    def verdict(self) -> str:
        """The first words, which carry the result without any colour."""
        return "Right." if self.ok else "Not started:" if self.kind == "stub" else "Not yet:"

    def __repr__(self) -> str:
        return textwrap.fill(
            f"{self.verdict} {self.message}", width=100, break_long_words=False, break_on_hyphens=False
        )

    def _repr_html_(self) -> str:
        message = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(self.message, quote=False))
        edge = "#009E73" if self.ok else "#999999" if self.kind == "stub" else "#E69F00"
        # Ink is inherited and the ground is a thin grey, so the box suits a light and a dark page.
        return (
            f'<div style="border-left: 4px solid {edge}; background: rgba(128, 128, 128, 0.12); color: inherit; '
            'padding: 0.6em 0.9em; margin: 0.4em 0; max-width: 46em; line-height: 1.5; overflow-wrap: anywhere">'
            f"<strong>{self.verdict}</strong> {message}</div>"
        )


class Way(NamedTuple):
    """A way to answer; `ok` where it may stay, with `message` as a remark."""

    kind: str
    answer: Callable
    message: str = ""
    ok: bool = False


class Mistake(Exception):
    """Ends a check: what was found is in `feedback`."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.feedback = Feedback(False, kind, message)


def right(praise: str, remarks: Sequence[tuple[str, str]] = ()) -> Feedback:
    """Feedback on a right answer; `remarks` are (kind, message), and the first gives the feedback its kind."""
    said = [praise, *(f"A remark: {message}" for _, message in remarks)]
    return Feedback(True, remarks[0][0] if remarks else "right", " ".join(said))


def gives_feedback(check: Callable[..., Feedback]) -> Callable[..., Feedback]:
    """Make `check` return the feedback of a `Mistake`, and leave random states and threads as they were."""

    @functools.wraps(check)
    def checked(*args, **kwargs) -> Feedback:
        python_state, numpy_state = random.getstate(), np.random.get_state()
        threads = torch.get_num_threads()
        torch.set_num_threads(
            1
        )  # on networks this tiny a second thread only waits, up to twenty times as long
        try:
            with torch.random.fork_rng(devices=[]), torch.enable_grad():
                return check(*args, **kwargs)
        except Mistake as found:
            return found.feedback
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
            torch.set_num_threads(threads)

    return checked


class Answer:
    """A learner's function that may be called on any input: it returns a value, or `Mistake` says why not.

    `usage` is how the function is meant to be called, as in "my_vae_loss(vae, x, eps, beta)". All calls together may
    take `seconds` of CPU time; then the function is stopped. Raises `Mistake` of kind "stub", "unfinished",
    "signature", "raised" (or one of `KNOWN_ERRORS`), "none" or "slow".
    """

    def __init__(self, function: object, usage: str, seconds: float = SECONDS):
        if function is ...:
            raise Mistake("stub", "Put your function where the `...` stands, then run the cell again.")
        if not callable(function):
            raise Mistake(
                "signature",
                f"This check wants the function itself, and got {a_or_an(function)}. "
                "Write its name alone, with no brackets after it.",
            )
        self.function, self.usage, self.seconds = function, usage, seconds
        self.allowance = _Allowance(LETTERS)

    def __call__(self, *args) -> object:
        self._fits(args)
        start = time.process_time()
        with self.allowance:
            value, error, state = _run(lambda: self.function(*args), self.seconds)
        self.seconds -= time.process_time() - start
        if state != "ended":
            took = (
                f"{SECONDS:.0f} seconds"
                if self.seconds <= 0
                else f"{PATIENCE * SECONDS:.0f} seconds of waiting"
            )
            end = "was stopped" if state == "stopped" else "could not be stopped: please restart the kernel"
            raise Mistake(
                "slow",
                f"Your function had not finished after {took}, where a hundredth of one is "
                f"enough, and {end}. Is there a loop whose end is never reached?",
            )
        if error is not None:
            raise self._raised(error)
        if value is ... and not _is_stub(self.function):
            raise Mistake(
                "unfinished",
                "Your function has a body, but still returns the `...`. Write there what it should return.",
            )
        if value is ... or (value is None and _is_empty(self.function)):
            raise Mistake(
                "stub",
                "Your function still waits for you. Put your own code where the `...` stands, then run the "
                "cell again.",
            )
        if value is None:
            self._unfinished()
            raise Mistake(
                "none", "Your function returned None. Is the `return` missing, or is there nothing after it?"
            )
        return value

    def _fits(self, args: tuple) -> None:
        try:
            inspect.signature(self.function).bind(*args)
        except TypeError:
            theirs = inspect.signature(self.function)
            raise Mistake(
                "signature",
                f"Your function is called as `{self.usage}`, but takes `{theirs}`. "
                "Please give its arguments back as they were.",
            ) from None
        except ValueError:
            pass  # some built-in functions do not tell what they take

    def _unfinished(self) -> None:
        line = _blank(self.function)
        if line:
            raise Mistake(
                "unfinished", f"There is still a `...` in line {line}. Put your own code in its place."
            )

    def _raised(self, error: BaseException) -> Mistake:
        try:
            self._unfinished()
        except Mistake as blank:
            return blank
        said = (str(error).strip().split("\n")[0] or "no message").rstrip(".")
        place, name = _place(self.function, error), type(error).__name__
        for fragment, kind, hint in KNOWN_ERRORS:
            if fragment in str(error):
                return Mistake(kind, f"{hint} ({_capital(place)} stopped with {name}: {_short(said, 80)})")
        text = f"{name}: {_short(said)}"
        return Mistake(
            "raised",
            f"{_capital(place)} stopped with {text}. "
            "Print the shapes and types just before that line to see what it was given.",
        )


# What PyTorch says, and what it means here.
KNOWN_ERRORS = [
    (
        "between 0 and 1",
        "logits",
        "A loss that wants probabilities was given logits. The networks here return logits, which are any "
        "real number: look for the cross-entropy that takes those.",
    ),
    (
        "does not require grad",
        "detached",
        "Backward found nothing to train: the way from the loss back to the parameters is cut. Look for a "
        "`detach`, a `no_grad`, an `.item()` or a network left frozen before that line.",
    ),
    (
        "backward through the graph a second time",
        "second_backward",
        "The same graph was walked back twice. Call `backward` once on each loss, and detach what an "
        "earlier one used.",
    ),
    (
        "modified by an inplace operation",
        "in_place",
        "A tensor that backward still needs was changed in place. Look for `+=`, a method that ends in "
        "`_`, or an optimiser that stepped before backward.",
    ),
    (
        "only for scalar outputs",
        "no_mean",
        "Backward starts from one number, and your loss is still one number an image. How does it become one?",
    ),
    (
        "is invalid for input of size",
        "sizes",
        "A size is written into your code that the check does not have: its images are tiny and its batches odd, "
        "so that sizes cannot be confused. Take sizes from the tensors, as in `x.flatten(1)` or `len(x)`.",
    ),
    (
        "Inference tensors",
        "inference_mode",
        "A tensor made under `inference_mode` can never be part of a backward. `no_grad` or `detach` gives one "
        "that can.",
    ),
    (
        "must be the same as input size",
        "raised",
        "A loss compares two tensors of different shapes. Print both shapes: one may need `flatten(1)`, or "
        "may have an extra dimension of size 1.",
    ),
    (
        "must match the size of tensor",
        "raised",
        "Two tensors of different shapes met in one formula. Print both shapes: is a dimension still to be summed, "
        "is one missing, as `[:, None]` would add it, or is an image not flattened?",
    ),
]


def tensor(value: object, shape: tuple[int, ...], symbols: str, hints: Mapping[tuple, str]) -> Tensor:
    """`value` itself if it is a tensor of `shape`, written `symbols`, without NaN or infinity.

    `hints` says what a wrong shape usually means. Raises `Mistake` of kind "type", "shape" or "nan".
    """
    if not isinstance(value, Tensor):
        hint = (
            "Return one tensor: the sum, not its parts."
            if isinstance(value, tuple | Mapping)
            else "Stay with tensors from the first line to the last, so that gradients can flow."
        )
        raise Mistake(
            "type",
            f"Your function returned {a_or_an(value)}, and a tensor of shape {symbols} is wanted. {hint}",
        )
    got = tuple(value.shape)
    if got != shape:
        hint = hints.get(got, "Which dimensions still have to be summed, and which one has to stay?")
        raise Mistake("shape", f"The shape should be {symbols} = {shape}, but yours is {got}. {hint}")
    finite(value)
    return value


def number(value: object, name: str) -> float:
    """The float in `value`: a number, a tensor of one element, or a dict with it under `name`.

    Raises `Mistake` of kind "type", "shape" or "nan".
    """
    if isinstance(value, Mapping):
        losses = [key for key in value if "loss" in str(key)]
        if name not in value and len(losses) != 1:
            raise Mistake(
                "type", f"Your function returned a dict without `{name}`: put the loss under that name."
            )
        value = value[name if name in value else losses[0]]
    if isinstance(value, Tensor):
        value = value.detach()
    if isinstance(value, Tensor | np.ndarray) and math.prod(value.shape) != 1:
        raise Mistake(
            "shape",
            f"The loss should be one number, but yours has shape {tuple(value.shape)}. "
            "How do the losses of a batch become one?",
        )
    try:
        value = float(value)
    except (TypeError, ValueError):
        raise Mistake("type", f"Your function returned {a_or_an(value)}; please return the loss.") from None
    finite(torch.tensor(value))
    return value


def finite(value: Tensor) -> None:
    """Raises `Mistake` of kind "nan" if an element of `value` is NaN or infinite."""
    if not value.isfinite().all():
        what = "NaN" if value.isnan().any() else "infinite"
        raise Mistake(
            "nan",
            f"The result is {what}. Usual reasons: the logarithm of 0 or of a negative number (a logit is no "
            "probability, `log_var` no variance), the root of one, an exponential of something large, a division "
            "by 0. Which of these can happen here?",
        )


# Running with a time limit


class _Stop(SystemExit):
    """Sent into a thread whose time is over. A SystemExit passes `except Exception`, and ends a thread silently."""


def _run(call: Callable[[], object], seconds: float) -> tuple[object, BaseException | None, str]:
    """(value, error, state) of `call()`, where state is "ended", "stopped", or "running" if nothing could stop it.

    `seconds` are CPU time of this process, so that other programs on the machine take none of it away. A thread
    does the work, so this holds on every system and inside a notebook, and the caller can be interrupted.
    """
    done: list[tuple[object, BaseException | None]] = []
    # An event and not Thread.join, which an interrupt leaves believing that the thread has ended.
    finished = threading.Event()

    def work() -> None:
        try:
            done.append((call(), None))
        except _Stop:
            pass
        except BaseException as error:
            done.append((None, error))
        finally:
            finished.set()

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        end, last = time.process_time() + seconds, time.monotonic() + PATIENCE * seconds
        while not finished.wait(0.1) and time.process_time() < end and time.monotonic() < last:
            pass  # in short waits, because Windows lets no interrupt into a long one
    finally:
        end = time.monotonic() + STOPPING
        while not finished.is_set() and time.monotonic() < end:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(worker.ident), ctypes.py_object(_Stop))
            if finished.wait(0.02) or not worker.is_alive():
                break
    if done:
        return *done[0], "ended"
    return None, None, "stopped" if finished.is_set() or not worker.is_alive() else "running"


class _Allowance:
    """Lets the first letters that are printed through, and drops the rest: `while True: print()` must not flood."""

    def __init__(self, letters: int):
        self.left = letters

    def __enter__(self):
        self.exits = contextlib.ExitStack()
        self.exits.enter_context(contextlib.redirect_stdout(_Narrow(sys.stdout, self)))
        self.exits.enter_context(contextlib.redirect_stderr(_Narrow(sys.stderr, self)))

    def __exit__(self, *_):
        self.exits.close()


class _Narrow:
    def __init__(self, stream, allowance: _Allowance):
        self.stream, self.allowance = stream, allowance

    def write(self, text: str) -> int:
        if self.allowance.left > 0:
            self.stream.write(text[: self.allowance.left])
            self.allowance.left -= len(text)
            if self.allowance.left <= 0:
                self.stream.write("\n… (the rest of what your function prints is left out)\n")
        return len(text)

    def __getattr__(self, name: str):
        return getattr(self.stream, name)


# Reading a learner's source


def _plain(function: Callable) -> Callable:
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    return (
        function if hasattr(function, "__code__") else getattr(function, "__func__", type(function).__call__)
    )


def _body(function: Callable) -> tuple[list[ast.stmt], int]:
    """The statements of `function` and the number of lines before it; no statements where there is no source."""
    try:
        lines, first = inspect.getsourcelines(_plain(function))
        node = ast.parse(textwrap.dedent("".join(lines))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return [], 0
    return (node.body if isinstance(node, ast.FunctionDef) else []), max(first, 1) - 1


def _is_empty(function: Callable) -> bool:
    statements, _ = _body(function)
    return bool(statements) and all(
        isinstance(each, ast.Pass) or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
        for each in statements
    )


def _is_stub(function: Callable) -> bool:
    """Whether nothing but `return ...` (or no source) is there."""
    statements, _ = _body(function)
    body = [s for s in statements if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    return not body or isinstance(body[0], ast.Return)


def _blank(function: Callable) -> int | None:
    """The line of the first `...` that waits to be replaced; the one in `x[..., 0]` does not."""
    statements, before = _body(function)
    waiting = list(statements)
    lines = []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Constant) and node.value is ...:
            lines.append(before + node.lineno)
        waiting.extend([node.value] if isinstance(node, ast.Subscript) else ast.iter_child_nodes(node))
    return min(lines, default=None)


def _place(function: Callable, error: BaseException) -> str:
    """The deepest line of the learner's own cell or file that the exception passed."""
    code = getattr(_plain(function), "__code__", None)
    frame, found = error.__traceback__, "your function"
    while frame is not None:
        here = frame.tb_frame.f_code
        if code is not None and here.co_filename == code.co_filename and here.co_filename != __file__:
            line = linecache.getline(here.co_filename, frame.tb_lineno).strip()
            found = f"line {frame.tb_lineno}" + (f", `{_short(line)}`," if line else "")
        frame = frame.tb_next
    return found


def _short(text: str, letters: int = 160) -> str:
    return text if len(text) <= letters else text[:letters] + " …"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def a_or_an(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} `{name}`"
