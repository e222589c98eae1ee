"""One stray cell costs a student what stands in it and no more, and what is no earned zero does not look like one.

A class hands in a tiny assignment: one function, its tests, a second one, a question in words. Each student met with
another mishap. All is graded once, by nbgrader with the settings of lessons/.
"""

import copy
import csv
import json
import os
import sys
from types import SimpleNamespace

import nbformat
import pytest
from nbformat import v4
from test_lessons import GRADES, ROOT, TEACHER, nbgrader_cells, run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nbgrader's make target is for Unix")

LESSON = "99_tiny"
STUB = "### BEGIN SOLUTION\n    {}\n    ### END SOLUTION"
TRIPLE = "def triple(x):\n    return UNIT * x"
FULL = {"triple-visible": 1.0, "triple-hidden": 2.0, "half-visible": 1.0}


def cell(name, source, points=0, answer=False, make=v4.new_code_cell):
    entry = {"grade_id": name, "grade": points > 0, "solution": answer, "locked": not answer, "task": False}
    entry |= {"schema_version": 3, "cell_type": make("").cell_type} | ({"points": points} if points else {})
    return make(source, metadata={"nbgrader": entry})


def tiny():
    return v4.new_notebook(
        metadata={"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        cells=[
            v4.new_markdown_cell("# Multiply and divide"),
            cell("zero", "UNIT = 3"),
            cell("triple", f"def triple(x):\n    {STUB.format('return UNIT * x')}", answer=True),
            cell("triple-visible", "assert triple(1) == 3", 1),
            cell("triple-hidden", "### BEGIN HIDDEN TESTS\nassert triple(-2) == -6\n### END HIDDEN TESTS", 2),
            v4.new_markdown_cell("## And now the other way"),
            cell("half", f"def half(x):\n    {STUB.format('return x / 2')}", answer=True),
            cell("half-visible", "assert half(3) == 1.5", 1),
            cell("words", "Why not x // 2?", 2, True, v4.new_markdown_cell),
        ],
    )


# --- what happened to whom -----------------------------------------------------------------------------------


class Copy:
    """A student's copy, solved: `cells[name]` is one of its cells, and the methods are mishaps."""

    def __init__(self, released):
        self.notebook = copy.deepcopy(released)
        self.cells = nbgrader_cells(self.notebook)
        self.stub = copy.deepcopy(self.cells["triple"])
        self.cells["triple"].source = TRIPLE
        self.cells["half"].source = "def half(x):\n    return x / 2"
        self.cells["words"].source = "Because 3 // 2 is 1."

    def delete(self, *names):
        for name in names:
            self.notebook.cells.remove(self.cells[name])
        return self

    def put(self, new, *, before):
        self.notebook.cells.insert(self.notebook.cells.index(self.cells[before]), new)
        return self


def pasted(original):
    """As JupyterLab pastes a cell: everything is the same but its id."""
    new = copy.deepcopy(original)
    new.id = v4.new_code_cell().id
    return new


def pasted_twice(student):
    return student.put(pasted(student.cells["triple"]), before="triple-visible")


def pasted_at_the_end_and_tried_out(student):
    student.notebook.cells.append(pasted(student.cells["half"]))
    return student


def split(student):
    second = pasted(student.cells["triple"])
    student.cells["triple"].source = "def three():\n    return UNIT"
    second.source = "def triple(x):\n    return three() * x"
    return student.put(second, before="triple-visible")


def an_empty_copy_below(student):
    return student.put(pasted(student.stub), before="triple-visible")


def a_test_pasted_and_changed(student):
    changed = pasted(student.cells["half-visible"])
    changed.source = "assert half(8) == 5"
    return student.put(changed, before="half")


def empty_metadata(student):
    return student.put(v4.new_code_cell("1 + 1", metadata={"nbgrader": {}}), before="half")


def a_cell_of_another_assignment(student):
    return student.put(cell("kl", "def kl(p, q):\n    return 0", answer=True), before="half")


def answer_and_test_rewritten(student):
    anew = v4.new_code_cell(TRIPLE + "\n\nassert triple(1) == 3")
    return student.put(anew, before="triple-hidden").delete("triple", "triple-visible")


def rewritten_below_all_of_its_tests(student):
    return student.put(v4.new_code_cell(TRIPLE), before="half").delete("triple", "triple-visible")


def answer_and_tests_rewritten(student):
    anew = v4.new_code_cell(TRIPLE)
    return student.put(anew, before="triple").delete("triple", "triple-visible", "triple-hidden")


def the_first_cell_deleted(student):
    return student.delete("zero")


def every_mark_of_nbgrader_lost(student):
    for each in student.notebook.cells:
        each.metadata.clear()
    return student


def marks_of_an_old_or_broken_form(student):
    student.cells["triple"].metadata.nbgrader.schema_version = 1
    del student.cells["triple-visible"].metadata.nbgrader["points"]
    student.cells["half"].metadata.nbgrader = {"grade_id": "half"}
    return student


def turned_into_text(student):
    for name in ("triple", "half-visible"):
        text = v4.new_markdown_cell(student.cells[name].source, metadata=student.cells[name].metadata)
        student.put(text, before=name).delete(name)
    return student


def written_by_an_old_program(student):
    for each in student.notebook.cells:
        del each["id"]
    student.notebook.nbformat_minor = 4
    return student.put(copy.deepcopy(student.cells["triple"]), before="triple-visible")


def the_words_deleted(student):
    return student.delete("words")


MISHAPS = [
    pasted_twice,
    pasted_at_the_end_and_tried_out,
    split,
    an_empty_copy_below,
    a_test_pasted_and_changed,
    empty_metadata,
    a_cell_of_another_assignment,
    answer_and_test_rewritten,
    rewritten_below_all_of_its_tests,
    answer_and_tests_rewritten,
    the_first_cell_deleted,
    every_mark_of_nbgrader_lost,
    marks_of_an_old_or_broken_form,
    turned_into_text,
    written_by_an_old_program,
    the_words_deleted,
]


def wrong(released):
    """A copy with an answer in it, which is wrong, and nothing else."""
    notebook = copy.deepcopy(released)
    nbgrader_cells(notebook)["triple"].source = "def triple(x):\n    return x"
    return notebook


# --- the class -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def school(tmp_path_factory):
    """A folder in which all is handed in and graded: class/ with the gradebook, and grades.csv as rows."""
    assert TEACHER.exists(), "nbgrader has an environment of its own: `make test` makes it"
    folder = tmp_path_factory.mktemp("school")
    source = folder / "source" / LESSON / "assignment.ipynb"
    source.parent.mkdir(parents=True)
    nbformat.write(tiny(), source)

    def nbgrader(*arguments):
        command = [TEACHER, "-m", "nbgrader", *arguments]
        command.append(f"--CourseDirectory.source_directory={folder / 'source'}")
        return run(command, ROOT / "lessons", CLASS=str(folder / "class"), CELL_SECONDS="60")

    def hand_in(student, notebook, name="assignment.ipynb", lesson=LESSON):
        path = folder / "class" / "submitted" / student / lesson / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)
        return path

    done = nbgrader("generate_assignment", LESSON)
    assert done.returncode == 0, done.stderr[-3000:]
    released = nbformat.read(folder / "class" / "release" / LESSON / "assignment.ipynb", as_version=4)
    solved = Copy(released).notebook
    for mishap in MISHAPS:
        hand_in(mishap.__name__, mishap(Copy(released)).notebook)
    hand_in("solved", solved)
    hand_in("wrong", wrong(released))
    hand_in("untouched", released)
    hand_in("untouched_beside_solved", released)
    hand_in("untouched_beside_solved", solved, "assignment (1).ipynb")
    hand_in("two_versions", wrong(released))
    hand_in("two_versions", solved, "assignment (1).ipynb")
    hand_in("the_same_twice", solved)
    hand_in("the_same_twice", solved, "assignment (1).ipynb")
    hand_in("the_same_twice", released, "assignment (2).ipynb")
    hand_in("with_scribbles", solved)
    hand_in("with_scribbles", v4.new_notebook(cells=[v4.new_code_cell("1 + 1")]), "scribbles.ipynb")
    hand_in("under_another_name", solved, "assignment (1).ipynb")
    hand_in("half_a_file", solved).write_text(nbformat.writes(solved)[:-300])
    died = hand_in("kernel_died", solved)
    dying = Copy(released)
    dying.cells["half"].source = "import os\nos._exit(1)"
    nbformat.write(dying.notebook, died)
    hand_in("another_folder", solved, lesson="99_tinny")
    hand_in("handed_in_again", wrong(released))

    graded = nbgrader("autograde", LESSON)
    again = hand_in("handed_in_again", solved)
    later = (folder / "class/autograded/handed_in_again" / LESSON / "assignment.ipynb").stat().st_mtime + 60
    os.utime(again, (later, later))
    hand_in("after_the_grading", solved)
    assert nbgrader("db", "student", "add", "on_the_roll").returncode == 0
    exported = nbgrader("export")
    assert exported.returncode == 0, exported.stderr[-3000:]

    book = [TEACHER, "-c", GRADES, folder / "class" / "gradebook.db", LESSON]
    with open(folder / "class" / "grades.csv", encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    return SimpleNamespace(
        log=graded.stderr,
        listed=exported.stdout,
        book=json.loads(run(book, folder).stdout),
        lines=lines,
        rows={row["student_id"]: row for row in lines},
        handed_in={path.name for path in (folder / "class" / "submitted").iterdir()},
    )


def points_of(school, student):
    return {name: points for name, (points, _) in school.book[student].items() if name != "words"}


@pytest.mark.parametrize("mishap", MISHAPS, ids=lambda mishap: mishap.__name__)
def test_a_stray_cell_costs_nothing_else(school, mishap):
    assert points_of(school, mishap.__name__) == FULL
    assert school.book[mishap.__name__]["words"] == [None, True], "a teacher is to read it"


def test_what_was_changed_is_in_the_log(school):
    assert "pasted_twice, 99_tiny: there are several triple" in school.log
    assert "an_empty_copy_below, 99_tiny: an empty copy of triple is left out" in school.log
    assert "the_first_cell_deleted, 99_tiny: zero was deleted" in school.log
    assert "a_cell_of_another_assignment, 99_tiny: a cell with the name kl" in school.log
    assert "solved, 99_tiny:" not in school.log.replace("beside_solved", "")


def test_a_wrong_answer_earns_its_zero(school):
    assert points_of(school, "wrong") == dict.fromkeys(FULL, 0.0)
    assert (school.rows["wrong"]["score"], school.rows["wrong"]["reason"]) == ("0.0", "")


@pytest.mark.parametrize("student", ["solved", "pasted_twice", "with_scribbles", "the_same_twice"])
def test_a_right_one_has_its_points_and_waits_for_the_teacher(school, student):
    row = school.rows[student]
    assert row["score"] == "4.0" and row["max_score"] == "6.0"
    assert row["reason"].startswith("to be marked by hand: words")


@pytest.mark.parametrize(
    ("student", "words"),
    [
        ("untouched", "nothing is written in assignment.ipynb"),
        ("untouched_beside_solved", "something else is written in assignment (1).ipynb"),
        ("two_versions", "something else is written in assignment (1).ipynb"),
        ("under_another_name", "no assignment.ipynb in what was handed in, but assignment (1).ipynb"),
        ("half_a_file", "the grading stopped"),
        ("kernel_died", "the grading stopped"),
        ("another_folder", "nothing was handed in, but there is 99_tinny"),
        ("on_the_roll", "nothing was handed in"),
        ("handed_in_again", "handed in again"),
        ("after_the_grading", "not graded yet"),
    ],
)
def test_what_is_no_mark_has_no_points_and_a_reason(school, student, words):
    row = school.rows[student]
    assert words in row["reason"]
    assert row["score"] == row["raw_score"] == row["late_submission_penalty"] == ""
    assert row["assignment"] == LESSON and row["max_score"] == "6.0"
    assert f"{LESSON}, {student}: {row['reason']}" in school.listed


def test_everybody_has_one_line(school):
    assert len(school.lines) == len(school.rows)
    assert school.rows.keys() == school.handed_in | {"on_the_roll"}
    assert "wrong:" not in school.listed
