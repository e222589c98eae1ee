"""A learner's function that may be called on anything: bounded in time and printing, stopped, its errors told."""

import contextlib
import ctypes
import functools
import inspect
import random
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import torch

from helpers.feedback.says import Feedback, Mistake, a_or_an
from helpers.feedback.source import blank, capital, is_empty, is_stub, place, short

SECONDS = 5.0  # of CPU time for all calls that one check makes: a right answer needs a hundredth of it
PATIENCE = 4  # times as many seconds by the clock, for code that waits; on a busy machine others use them up
STOPPING = 2.0  # more seconds in which code that catches every exception is stopped again and again
LETTERS = 2000  # of what a learner's function prints while it is checked


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
    take `seconds` of CPU time; then the function is stopped. `said` are rows as in `KNOWN_ERRORS` that come first.
    `nothing` is true where None is a good answer, because the function acts on what it is given. Raises `Mistake` of
    kind "stub", "unfinished", "signature", "raised" (or that of a known error), "none" or "slow".
    """

    def __init__(
        self, function: object, usage: str, seconds: float = SECONDS, said: tuple = (), nothing: bool = False
    ):
        if function is ...:
            raise Mistake("stub", "Put your function where the `...` stands, then run the cell again.")
        if not callable(function):
            raise Mistake(
                "signature",
                f"This check wants the function itself, and got {a_or_an(function)}. "
                "Write its name alone, with no brackets after it.",
            )
        self.function, self.usage, self.seconds = function, usage, seconds
        self.said, self.nothing = (*said, *KNOWN_ERRORS), nothing
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
        if value is ... and not is_stub(self.function):
            raise Mistake(
                "unfinished",
                "Your function has a body, but still returns the `...`. Write there what it should return.",
            )
        if value is ... or (value is None and is_empty(self.function)):
            raise Mistake(
                "stub",
                "Your function still waits for you. Put your own code where the `...` stands, then run the "
                "cell again.",
            )
        if value is None:
            self._unfinished()
        if value is None and not self.nothing:
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
        line = blank(self.function)
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
        here, name = place(self.function, error), type(error).__name__
        for fragment, kind, hint in self.said:
            if fragment in str(error):
                return Mistake(kind, f"{hint} ({capital(here)} stopped with {name}: {short(said, 80)})")
        text = f"{name}: {short(said)}"
        return Mistake(
            "raised",
            f"{capital(here)} stopped with {text}. "
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
