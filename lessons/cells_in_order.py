"""What a student's notebook goes through before it is graded: a stray cell costs what stands in it, and no more.

nbgrader gives no point at all for a notebook in which an answer was pasted twice or split, or deleted together with
its test, or which holds a cell of another assignment: it stops with KeyError. So before it looks,

* a cell that carries a name which is not in this assignment, or none, is made an ordinary cell;
* of several cells with one name the last that was written in keeps it, and the others stay as ordinary cells, but for
  copies in which nothing was written: the stub in them would undo the answer above;
* a cell that was released locked comes back if it was deleted, and so does the answer that is marked by hand, with a
  sentence for the teacher. The tests of an answer that was deleted move below what may stand in its place.
"""

import copy

from nbformat import v4
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor

GONE = "*The cell for this answer was deleted. If the answer stands elsewhere in the notebook, mark it here.*"


class CellsInOrder(NbGraderPreprocessor):
    """The steps above, each with a line in the log for what it changed."""

    def preprocess(self, nb, resources):
        about = resources["nbgrader"]
        with Gradebook(about["db_url"]) as book:
            released = released_cells(book.find_notebook(about["notebook"], about["assignment"]))
        for step in (forget_strangers, keep_one_of_each, put_back):
            for change in step(nb.cells, released):
                self.log.warning("%s, %s: %s", about["student"], about["assignment"], change)
        if nb.nbformat_minor < 5:
            for cell in nb.cells:
                cell.pop("id", None)
        return nb, resources


def released_cells(notebook):
    """name -> cell as nbgrader released it, in the order of the notebook, for all that nbgrader knows of it."""
    points = {cell.name: cell.max_score for cell in notebook.grade_cells}
    answers = {cell.name for cell in notebook.solution_cells}
    found = {}
    for source in notebook.source_cells:
        entry = {"grade_id": source.name, "grade": source.name in points, "solution": source.name in answers}
        entry |= {"locked": source.locked, "task": False, "schema_version": 3, "checksum": source.checksum}
        entry["cell_type"] = source.cell_type
        if source.name in points:
            entry["points"] = points[source.name]
        make = v4.new_code_cell if source.cell_type == "code" else v4.new_markdown_cell
        found[source.name] = make(source.source, metadata={"nbgrader": entry})
    return found


def name_of(cell):
    return (cell.metadata.get("nbgrader") or {}).get("grade_id")


def is_answer(cell):
    """Whether students are to write in this released cell."""
    return cell.metadata.nbgrader.solution


def forget_strangers(cells, released):
    """Make ordinary cells of those that this assignment does not know; give the others what was released with them."""
    for number, cell in enumerate(cells):
        name = name_of(cell)
        if name in released:
            fresh = copy.deepcopy(released[name])
            fresh.id = cell.get("id", fresh.id)
            fresh.source = cell.source
            cells[number] = fresh
        elif cell.metadata.pop("nbgrader", None):
            yield f"a cell with the name {name}, which is not in this assignment, counts as an ordinary one"


def keep_one_of_each(cells, released):
    """Leave each name to one cell."""
    for name, original in released.items():
        same = [cell for cell in cells if name_of(cell) == name]
        written = [cell for cell in same if not _is_empty(cell, original)]
        kept = (written or same or [None])[-1]
        for cell in same:
            if cell is kept:
                continue
            if _is_empty(cell, original):
                cells[:] = [other for other in cells if other is not cell]
                yield f"an empty copy of {name} is left out"
            else:
                del cell.metadata["nbgrader"]
                yield f"there are several {name}: the last that was written in counts, the others are ordinary cells"


def put_back(cells, released):
    """Bring back what was deleted and is not an answer in code, which may have been written anew in another cell."""
    names = list(released)
    for number, name in enumerate(names):
        if is_answer(released[name]) and released[name].cell_type == "code":
            if _find(cells, name) is None:
                _take_out_tests(cells, released, names[number + 1 :])
        elif _find(cells, name) is None:
            cell = copy.deepcopy(released[name])
            if is_answer(cell):
                cell.source = GONE
            cells.insert(_place(cells, names, number), cell)
            yield f"{name} was deleted or stood before what it is about, and is put back"


def _is_empty(cell, original):
    """Whether it is an answer in which nothing was written."""
    return is_answer(original) and cell.source == original.source


def _find(cells, name):
    return next((number for number, cell in enumerate(cells) if name_of(cell) == name), None)


def _take_out_tests(cells, released, following):
    """Of an answer that is gone, so that they are put back where the next question begins."""
    for name in following:
        if is_answer(released[name]) or not released[name].metadata.nbgrader.grade:
            return
        cells[:] = [cell for cell in cells if name_of(cell) != name]


def _place(cells, names, number):
    """Where the cell `names[number]` belongs: after the one before it, else before the next that is there."""
    if number == 0:
        return 0
    before = _find(cells, names[number - 1])
    if before is not None:
        return before + 1
    later = [place for name in names[number + 1 :] if (place := _find(cells, name)) is not None]
    return min(later, default=len(cells))
