"""Evidence that needs more than a notebook's minute: scripts that write notebooks/results/, and a way to read it."""

import json
import os
import platform
import re
from datetime import date
from pathlib import Path

import torch

RESULTS = Path(__file__).parents[2] / "notebooks" / "results"


def study(name: str) -> dict:
    """What the study `name` found: its settings, versions, date, and runs, a list of dicts for each setting.

    Raises FileNotFoundError with what to do where the file is missing.
    """
    path = RESULTS / f"{name}.json"
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing. In a terminal, in the course's folder, run `git checkout notebooks/results`, "
            "or make it anew with `make studies`."
        )
    return json.loads(path.read_text(encoding="utf-8"))


def linear_decay(done: float) -> float:
    """The factor on the learning rates when the fraction `done` of a game on points is over, as in notebook 04.

    1 in the first half, then a straight line down to 2 %.
    """
    return min(1.0, 2 * 0.98 * (1 - done) + 0.02)


def write_study(name: str, settings: dict, runs: dict[str, list[dict]], **more) -> None:
    """Write what `study(name)` reads: `settings` with their seeds, versions, date, `runs`, and whatever `more`."""
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    content = {"settings": settings, "versions": versions, "date": str(date.today()), "runs": runs} | more
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(
        content, indent=1, default=_number
    )  # minutes of work must not be lost for a NumPy number
    # A list of numbers takes one line, not one a number.
    text = re.sub(r"\[\s+(-?\d[^\[\]{}]*?)\s+\]", lambda row: "[" + re.sub(r"\s+", " ", row[1]) + "]", text)
    unfinished = RESULTS / f"{name}.json.unfinished"
    unfinished.write_text(text + "\n", encoding="utf-8")
    os.replace(unfinished, RESULTS / f"{name}.json")


def rounded(row: dict, digits: int) -> dict:
    """The row, and the rows in it, with so many decimals."""
    return {
        key: rounded(value, digits) if isinstance(value, dict) else round(value, digits)
        for key, value in row.items()
    }


def _number(value):
    """A number of NumPy or a tensor of one element as Python's."""
    return value.item()
