"""What the tests of the checks share: libraries of answers as tests, and the solutions that a notebook folds away."""

import re
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"


def tests_of(check, right=(), remarks=(), wrong=()):
    """Three tests: right answers pass in both dtypes, others with a remark, and wrong ones are called by name.

    `right` holds functions, `remarks` and `wrong` hold (function, kind, phrase of the message).
    """

    @pytest.mark.parametrize("answer", right)
    def test_right(answer, dtype):
        feedback = check(answer)
        assert (feedback.ok, feedback.kind) == (True, "right"), feedback

    @pytest.mark.parametrize(("answer", "kind", "phrase"), remarks, ids=_named(remarks))
    def test_remarks(answer, kind, phrase, dtype):
        feedback = check(answer)
        assert (feedback.ok, feedback.kind) == (True, kind), feedback
        assert phrase in feedback.message

    @pytest.mark.parametrize(("answer", "kind", "phrase"), wrong, ids=_named(wrong))
    def test_wrong(answer, kind, phrase):
        feedback = check(answer)
        assert (feedback.ok, feedback.kind) == (False, kind), feedback
        assert phrase in feedback.message, feedback

    return test_right, test_remarks, test_wrong


tests_of.__test__ = False  # its name alone would make it a test wherever it is imported


def _named(rows):
    return [f"{row[1]}-{n}" for n, row in enumerate(rows)]


def folded_solutions(notebook: str, **names) -> dict:
    """The functions `my_…` defined in the prose of a notebook, by name; `names` is what they may use."""
    for source in folded_sources(notebook):
        exec(source, names)
    return {name: value for name, value in names.items() if name.startswith("my_")}


def folded_sources(notebook: str) -> list[str]:
    """The source of each solution that a notebook folds away."""
    cells = nbformat.read(FOLDER / f"{notebook}.ipynb", as_version=4).cells
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return re.findall(r"```python\n(def my_.*?)```", prose, flags=re.DOTALL)
