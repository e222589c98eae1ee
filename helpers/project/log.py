"""The log of a project: all that was tried, and the one reading of the test data."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pandas as pd


class ExperimentLog:
    """Everything that was tried in a project: a file of JSON lines, to which lines are only ever added.

    A run writes a line when it begins and one when it ends, so that a crash leaves it `unfinished`, and nothing is lost
    that was written. Figures are numbers or tensors of one element.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def events(self) -> list[dict]:
        """All lines, oldest first; one that a crash has cut short is left out."""
        found = []
        for line in self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else ():
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return found

    @contextmanager
    def run(self, name: str, seed: int, **settings) -> Iterator[dict]:
        """`with log.run("VAE", seed=1, latent=4) as found: …`: what is put into `found` is logged, with the seconds.

        Write `found["note"]` for a remark in words. A run that is interrupted or fails is logged too, with the reason.
        """
        number = 1 + sum(event["event"] == "start" for event in self.events())
        self._append({"event": "start", "run": number, "name": name, "seed": seed, "settings": settings})
        found, begin, stopped = {}, time.perf_counter(), ""
        try:
            yield found
        except BaseException as error:  # Stop in the notebook is a KeyboardInterrupt
            stopped = f"stopped by {type(error).__name__}"
            raise
        finally:
            note = "; ".join(filter(None, [str(found.pop("note", "")), stopped]))
            seconds = round(time.perf_counter() - begin, 1)
            self._append({"event": "end", "run": number, "seconds": seconds, "note": note, "found": found})

    def test(self, measure: Callable[[], Mapping]) -> dict:
        """What `measure()` finds on the test data, logged. It can be done once in a project.

        Raises ValueError at a second call, before anything is measured.
        """
        before = [event["found"] for event in self.events() if event["event"] == "test"]
        if before:
            figures = ", ".join(f"{name} {value:.4g}" for name, value in before[0].items())
            raise ValueError(
                f"The test data have been read: {figures}. A second reading would make validation data of them. Keep "
                "these figures, or collect new test data for a new log."
            )
        found = {name: float(value) for name, value in measure().items()}
        self._append({"event": "test", "found": found})
        return found

    def table(self) -> pd.DataFrame:
        """One row a run: name, seed, settings, what was found, seconds, note."""
        rows = {}
        for event in self.events():
            if event["event"] == "start":
                settings = ", ".join(f"{name} = {value}" for name, value in event["settings"].items())
                rows[event["run"]] = {"name": event["name"], "seed": event["seed"], "settings": settings}
                rows[event["run"]] |= {"note": "unfinished"}
            elif event["event"] == "end" and event["run"] in rows:
                rows[event["run"]] |= event["found"] | {"seconds": event["seconds"], "note": event["note"]}
        table = pd.DataFrame(list(rows.values()), index=pd.Index(rows, name="run"))
        last = [name for name in ("seconds", "note") if name in table]
        return table[[name for name in table if name not in last] + last]

    def _append(self, event: dict) -> None:
        event = {"at": datetime.now().isoformat(timespec="seconds")} | event
        line = json.dumps(event, default=_plain, ensure_ascii=False) + "\n"
        with self.path.open("ab+") as file:
            if file.tell() and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n":
                line = "\n" + line  # a crash cut the last line short
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())


def _plain(value: object) -> float:
    """A number of NumPy or a tensor of one element as Python's; otherwise ValueError."""
    try:
        return value.item()
    except (AttributeError, RuntimeError, ValueError):
        raise ValueError(
            f"The log keeps words and single numbers, and this is a {type(value).__name__}: take its mean, or float(…)."
        ) from None
