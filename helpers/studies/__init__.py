"""Evidence that needs more than a notebook's minute: scripts that write notebooks/results/, and a way to read it."""

import json
from pathlib import Path

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
