"""An IPython extension for grading: a cell that never ends is stopped, by the CPU time that it used.

CPU time and not the clock on the wall, so that other programs on the machine cost no student a point; and more of it
on a slow machine, which is asked first how slow it is. Code that only waits uses none: `c.Execute.timeout` ends that.
"""

import os
import signal
import time

SECONDS = 60.0  # of CPU time a cell on a fast machine; the longest right one needs three
FAST = 0.03  # seconds that `measure` takes there


class CellStopped(KeyboardInterrupt):
    """Passes `except Exception`, as an interrupt does."""


def measure() -> float:
    """The CPU seconds of a little work such as the lessons do: some Python, some products of matrices."""
    import torch

    a = torch.full((384, 384), 0.01)
    times = []
    for _ in range(3):
        begin = time.process_time()
        for _ in range(20):
            a @ a
        sum(k * k for k in range(300_000))
        times.append(time.process_time() - begin)
    return min(times)


def load_ipython_extension(shell) -> None:
    """Give every cell its seconds: `CELL_SECONDS` of the environment, or 60 on a fast machine, more on a slow one."""
    told = os.environ.get("CELL_SECONDS")
    limit = float(told) if told else SECONDS * max(1.0, measure() / FAST)

    def stop(*_) -> None:
        raise CellStopped(
            f"This cell had not ended after {limit:.0f} seconds of computing, and was stopped. "
            "Is there a loop whose end is never reached?"
        )

    signal.signal(signal.SIGPROF, stop)
    # Once more every second, for code that catches what stops it.
    shell.events.register("pre_run_cell", lambda *_: signal.setitimer(signal.ITIMER_PROF, limit, 1.0))
    shell.events.register("post_run_cell", lambda *_: signal.setitimer(signal.ITIMER_PROF, 0.0))
