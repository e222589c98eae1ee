"""The solutions that a notebook folds away: the checks must accept what the reader is told is right."""

import re
from pathlib import Path

import nbformat

FOLDER = Path(__file__).parents[2] / "notebooks"


def folded_solutions(notebook: str, **names) -> dict:
    """The functions `my_…` defined in the prose of a notebook, by name; `names` is what they may use."""
    cells = nbformat.read(FOLDER / f"{notebook}.ipynb", as_version=4).cells
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    for source in re.findall(r"```python\n(def my_.*?)```", prose, flags=re.DOTALL):
        exec(source, names)
    return {name: value for name, value in names.items() if name.startswith("my_")}
