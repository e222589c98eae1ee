"""Each track of notebook 24 runs from its own instructions: its cells alone, after the imports, with few updates."""

import re
from pathlib import Path

import nbformat
import pytest

PATH = Path(__file__).parents[1] / "notebooks" / "24_capstone.ipynb"
SHORTER = {"steps=1500": "steps=20", "steps=600": "steps=20", "real_against_real(40,": "real_against_real(3,"}


def cells_of(track):
    """The imports, and the code cells of one track."""
    cells = [cell for cell in nbformat.read(PATH, as_version=4).cells if cell.cell_type == "code"]
    return [cell for cell in cells if {"hide-input", track} & set(cell.metadata.get("tags", []))]


@pytest.mark.parametrize(
    ("track", "made", "budgets"), [("track-a", "log", 1), ("track-b", "widths", 1), ("track-c", "card", 1)]
)
def test_a_track_needs_only_the_imports(track, made, budgets, one_thread, capsys):
    cells = cells_of(track)
    source = "\n\n".join(cell.source for cell in cells)
    assert len(cells) > 5 and sum(budget in source for budget in SHORTER) == budgets
    for budget, short in SHORTER.items():
        source = source.replace(budget, short)
    names = {"display": print}
    exec(compile(source, track, "exec"), names)
    assert made in names
    said = capsys.readouterr().out
    assert {"track-a": "A second reading", "track-b": "", "track-c": "not complete"}[track] in said


def test_each_track_has_numbered_instructions():
    cells = nbformat.read(PATH, as_version=4).cells
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    for track, steps in (("A", 6), ("B", 5), ("C", 5)):
        (line,) = re.findall(rf"> \*\*Instructions for {track}\.\*\* (.*)", prose)
        assert re.findall(r"(\d) · ", line) == [str(k) for k in range(1, steps + 1)]
