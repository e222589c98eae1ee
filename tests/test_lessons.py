"""Assignments are sound: the source earns full marks, the untouched copy none, nothing leaks, mistakes are named.

A lesson is a folder lessons/NN_topic with assignment.ipynb and guide.md, and a file tests/lessons/NN_topic.py with
answers: RIGHT and WRONG, each a dict from the name of a graded function to its answers. The notebook asks for a
function in a cell with that function's name as grade_id, and tests it in NAME-visible and NAME-hidden.
"""

import copy
import functools
import json
import os
import re
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import nbformat
import pytest
from jupyter_core.paths import jupyter_config_path, jupyter_path

ROOT = Path(__file__).resolve().parents[1]
LESSONS = [path.parent.name for path in sorted((ROOT / "lessons").glob("[0-9][0-9]_*/assignment.ipynb"))]
TEACHER = ROOT / ".venv-teach" / "bin" / "python"
GUIDE = [
    "What students can do afterwards",
    "Ninety minutes",
    "On the board",
    "What goes wrong in heads",
    "Rubric",
    "Questions for a viva",
    "Release, collect, grade",
]
each_lesson = pytest.mark.parametrize("lesson", LESSONS)


# --- reading a lesson ----------------------------------------------------------------------------------------


def source(lesson):
    return nbformat.read(ROOT / "lessons" / lesson / "assignment.ipynb", as_version=4)


def answers(lesson):
    """RIGHT and WRONG of the lesson."""
    found = runpy.run_path(str(ROOT / "tests" / "lessons" / f"{lesson}.py"))
    return found["RIGHT"], found["WRONG"]


def nbgrader_cells(notebook):
    """grade_id -> cell"""
    cells = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    found = {cell.metadata.nbgrader.grade_id: cell for cell in cells}
    assert len(found) == len(cells), "two cells have the same grade_id"
    return found


def manual_ids(notebook):
    """The graded cells that hold an answer: these are marked by hand."""
    cells = nbgrader_cells(notebook).items()
    return [name for name, cell in cells if cell.metadata.nbgrader.grade and cell.metadata.nbgrader.solution]


def graded_functions(notebook):
    cells = nbgrader_cells(notebook).items()
    return [name for name, cell in cells if cell.cell_type == "code" and cell.metadata.nbgrader.solution]


def points(notebook):
    """grade_id -> points, of the cells that are graded without a teacher."""
    cells, by_hand = nbgrader_cells(notebook), manual_ids(notebook)
    graded = {name: cell for name, cell in cells.items() if cell.metadata.nbgrader.grade}
    return {name: cell.metadata.nbgrader.points for name, cell in graded.items() if name not in by_hand}


def secrets(notebook):
    """The lines that a student must not see, but those too short to say anything."""
    lines = []
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution") and cell.cell_type == "markdown":
            lines += cell.source.splitlines()
        for region in re.findall(
            r"### BEGIN (SOLUTION|HIDDEN TESTS)\n(.*?)### END \1", cell.source, re.DOTALL
        ):
            lines += region[1].splitlines()
    return [line.strip() for line in lines if len(line.strip()) > 12]


def leaks(notebook, text_of_copy):
    """What the text of a student's copy gives away."""
    text = "\n".join(cell.source for cell in nbformat.reads(text_of_copy, as_version=4).cells)
    words = [word for word in ("BEGIN SOLUTION", "END SOLUTION", "HIDDEN TESTS") if word in text_of_copy]
    return words + [line for line in secrets(notebook) if line in text]


# --- trying answers ------------------------------------------------------------------------------------------


class Exam:
    """The source executed here, in which one answer at a time is replaced by another."""

    def __init__(self, lesson):
        self.cells = nbgrader_cells(source(lesson))
        self.names = {"__name__": "__main__"}
        with warnings.catch_warnings():
            for cell in source(lesson).cells:
                if cell.cell_type == "code":
                    exec(compile(cell.source, cell.id, "exec"), self.names)

    def verdict(self, function, answer, kind="hidden"):
        """None if `answer` passes the tests of `function`, else the exception that it meets."""
        right = self.names[function]
        self.names[function] = answer
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exec(
                    compile(self.cells[f"{function}-{kind}"].source, f"{function}-{kind}", "exec"), self.names
                )
        except (KeyboardInterrupt, pytest.fail.Exception):  # the user, or the time limit of a test
            raise
        except BaseException as error:
            return error
        finally:
            self.names[function] = right
        return None


exam = functools.cache(Exam)


def make_variant(lesson, number, rows):
    """Write `number` into the assignment and `rows`, {how a line begins: the line}, into the guide's tables."""
    folder = ROOT / "lessons" / lesson
    numbers = {
        "assignment.ipynb": r"^(\s*\"VARIANT = )\d+()",
        "guide.md": r"^(Variant )\d+(\. )",
    }
    for name, pattern in numbers.items():
        text = (folder / name).read_text(encoding="utf-8")
        text = re.sub(pattern, lambda found: f"{found[1]}{number}{found[2]}", text, flags=re.MULTILINE)
        for begin, row in rows.items() if name == "guide.md" else ():
            text = re.sub(f"^{re.escape(begin)}.*$", lambda _, row=row: row, text, flags=re.MULTILINE)
        (folder / name).write_text(text, encoding="utf-8")


def cases(library):
    """(lesson, function, label) for each answer in the libraries of all lessons; library 0 is RIGHT, 1 is WRONG."""
    return [
        (lesson, function, label)
        for lesson in LESSONS
        for function, entries in answers(lesson)[library].items()
        for label in entries
    ]


@pytest.mark.parametrize(("lesson", "function", "label"), cases(0))
def test_a_right_answer_passes_however_it_is_written(lesson, function, label):
    answer = answers(lesson)[0][function][label]
    for kind in ("visible", "hidden"):
        assert exam(lesson).verdict(function, answer, kind) is None


@pytest.mark.parametrize(("lesson", "function", "label"), cases(1))
def test_a_wrong_answer_fails_the_hidden_tests_with_a_sentence(lesson, function, label):
    answer, words = answers(lesson)[1][function][label]
    error = exam(lesson).verdict(function, answer)
    assert isinstance(error, AssertionError)
    assert len(str(error)) > 12 and words in str(error)


@each_lesson
def test_every_graded_function_has_its_libraries(lesson):
    right, wrong = answers(lesson)
    functions = graded_functions(source(lesson))
    assert functions and set(functions) == right.keys() == wrong.keys()
    assert all(len(entries) >= 2 for entries in right.values())
    assert all(len(entries) >= 3 for entries in wrong.values())
    for function in functions:
        assert exam(lesson).verdict(function, exam(lesson).names[function]) is None, "the solution itself"


# --- structure -----------------------------------------------------------------------------------------------


@each_lesson
def test_the_source_is_well_formed(lesson):
    from notebook_form import as_text, normalise

    notebook = source(lesson)
    nbformat.validate(notebook)
    text = (ROOT / "lessons" / lesson / "assignment.ipynb").read_text(encoding="utf-8")
    assert text == as_text(normalise(notebook)), "not in the committed form"
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)

    cells = nbgrader_cells(notebook)
    for name, cell in cells.items():
        entry = cell.metadata.nbgrader
        assert entry.schema_version == 3 and entry.cell_type == cell.cell_type and not entry.task
        assert entry.locked != entry.solution, f"{name}: answers are open, everything else is locked"
        assert entry.grade == ("points" in entry) and (not entry.grade or entry.points > 0)
        assert ("BEGIN HIDDEN TESTS" in cell.source) == name.endswith("-hidden")
        assert ("BEGIN SOLUTION" in cell.source) == (entry.solution and cell.cell_type == "code")
    for cell in notebook.cells:
        assert cell.cell_type == "markdown" or "nbgrader" in cell.metadata, "code that a student could lose"
    assert len(manual_ids(notebook)) == 1
    for function in graded_functions(notebook):
        assert f"def {function}(" in cells[function].source
        assert {f"{function}-visible", f"{function}-hidden"} <= points(notebook).keys()


@each_lesson
def test_the_guide_has_all_its_parts(lesson):
    guide = (ROOT / "lessons" / lesson / "guide.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)", guide, re.MULTILINE) == GUIDE
    minutes = [(int(a), int(b)) for a, b in re.findall(r"^\| (\d+)–(\d+) \|", guide, re.MULTILINE)]
    assert [begin for begin, _ in minutes] == [0, *(end for _, end in minutes[:-1])], (
        "a gap in the minute plan"
    )
    assert minutes[-1][1] == 90
    notebook = source(lesson)
    for name in [*graded_functions(notebook), *manual_ids(notebook)]:
        assert f"`{name}`" in guide, f"the guide does not speak of {name}"
    assert "make assignments" in guide and "nbgrader autograde" in guide and "sandbox" in guide


# --- release and grading, through make and nbgrader ------------------------------------------------------------


def run(command, folder, **environment):
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "CLASS"))
    }
    # One thread: what is computed here is tiny, and threads only wait for each other.
    clean |= {"OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=clean)


def nbgrader(classroom, *arguments, **environment):
    done = run([TEACHER, "-m", "nbgrader", *arguments], ROOT / "lessons", CLASS=str(classroom), **environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stderr


def hand_in(classroom, student, lesson, notebook):
    path = classroom / "submitted" / student / lesson / "assignment.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)


def filled_in(released, lesson):
    """The student's copy with every answer of the source put in."""
    solved = copy.deepcopy(released)
    for name, cell in nbgrader_cells(source(lesson)).items():
        if cell.metadata.nbgrader.solution:
            nbgrader_cells(solved)[name].source = cell.source
    return solved


def mishandled(released, lesson):
    """The first answer never ends, the next fail to import or print without end, the last is right. Of the tests one
    is emptied, which would give its point away, and one of the right answer is deleted."""
    notebook = filled_in(released, lesson)
    cells = nbgrader_cells(notebook)
    first, *others, last = graded_functions(notebook)
    disasters = ["import a_module_that_nobody_has", "print('0123456789' * 300_000)\nraise SystemExit"]
    cells[first].source = "while True:\n    pass"
    for name, disaster in zip(others, disasters, strict=False):
        cells[name].source = disaster
    cells[f"{first}-visible"].source = "pass"
    notebook.cells.remove(cells[f"{last}-hidden"])
    return notebook


# Reads the gradebook, in the only environment that can: student -> grade_id -> [points or null, wanted by a teacher].
GRADES = """
import json, sys
from nbgrader.api import Gradebook
with Gradebook("sqlite:///" + sys.argv[1]) as book:
    print(json.dumps({
        submission.student.id: {
            grade.name: [grade.auto_score, grade.needs_manual_grade]
            for notebook in submission.notebooks for grade in notebook.grades
        }
        for submission in book.assignment_submissions(sys.argv[2])
    }))
"""


@pytest.fixture(scope="module")
def classroom(tmp_path_factory):
    """A class for which `make assignments` has made the copies of all lessons."""
    assert TEACHER.exists(), "nbgrader has an environment of its own: `make test` makes it"
    folder = tmp_path_factory.mktemp("class")
    done = run(["make", "--no-print-directory", "assignments", f"CLASS={folder}"], ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def grades(classroom):
    """lesson -> student -> grade_id -> [points, wanted by a teacher]; each lesson is graded once."""

    @functools.cache
    def graded(lesson):
        released = nbformat.read(classroom / "release" / lesson / "assignment.ipynb", as_version=4)
        hand_in(classroom, "untouched", lesson, released)
        hand_in(classroom, "solved", lesson, filled_in(released, lesson))
        nbgrader(classroom, "autograde", lesson)
        if lesson == LESSONS[0]:  # what this tests belongs to nbgrader and its settings, so once is enough
            hand_in(classroom, "mishandled", lesson, mishandled(released, lesson))
            nbgrader(classroom, "autograde", lesson, "--student=mishandled", CELL_SECONDS="5")
        book = [TEACHER, "-c", GRADES, classroom / "gradebook.db", lesson]
        return json.loads(run(book, classroom).stdout)

    return graded


@each_lesson
def test_the_students_copy_gives_nothing_away(lesson, classroom):
    folder = classroom / "release" / lesson
    assert [path.name for path in folder.iterdir()] == ["assignment.ipynb"], (
        "more than the notebook is released"
    )
    text = (folder / "assignment.ipynb").read_text(encoding="utf-8")
    released = nbformat.reads(text, as_version=4)
    assert leaks(source(lesson), text) == []
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in released.cells)
    assert nbgrader_cells(released).keys() == nbgrader_cells(source(lesson)).keys()
    assert not (ROOT / "lessons" / "gradebook.db").exists() and not (ROOT / "gradebook.db").exists()


@each_lesson
def test_a_leak_is_seen(lesson, classroom):
    released = nbformat.read(classroom / "release" / lesson / "assignment.ipynb", as_version=4)
    notebook = source(lesson)
    for line in secrets(notebook):
        told = copy.deepcopy(released)
        told.cells[0].source += f"\n    {line}"
        assert line in leaks(notebook, nbformat.writes(told))
    assert "HIDDEN TESTS" in leaks(notebook, nbformat.writes(notebook))


@each_lesson
def test_the_solution_earns_full_marks(lesson, grades):
    by_hand = {name: [None, True] for name in manual_ids(source(lesson))}
    full = {name: [each, False] for name, each in points(source(lesson)).items()}
    assert grades(lesson)["solved"] == full | by_hand


@each_lesson
def test_the_untouched_copy_earns_nothing(lesson, grades):
    assert set(map(tuple, grades(lesson)["untouched"].values())) == {(0, False)}


def test_one_bad_answer_costs_no_other(grades):
    """Endless loop, failed import, floods of text, deleted and emptied tests: what is right still counts."""
    lesson = LESSONS[0]
    earned = {name: score for name, (score, _) in grades(lesson)["mishandled"].items() if score}
    last = graded_functions(source(lesson))[-1]
    full = points(source(lesson))
    assert earned == {name: full[name] for name in (f"{last}-visible", f"{last}-hidden")}


def test_feedback_and_a_table_of_grades_come_out(grades, classroom):
    lesson = LESSONS[0]
    grades(lesson)
    nbgrader(classroom, "generate_feedback", lesson, "--student=solved")
    page = classroom / "feedback" / "solved" / lesson / "assignment.html"
    assert graded_functions(source(lesson))[0] in page.read_text(encoding="utf-8")
    nbgrader(classroom, "export")
    rows = (classroom / "grades.csv").read_text(encoding="utf-8").splitlines()
    assert sum(row.startswith(f"{lesson},") for row in rows) == 3


def test_what_nbgrader_brings_is_pinned():
    script = """
import importlib.metadata, sysconfig
for each in importlib.metadata.distributions(path=[sysconfig.get_path("purelib")]):
    print(f"{each.metadata['name'].lower()}=={each.version}")
"""
    brought = run([TEACHER, "-c", script], ROOT).stdout.split()
    assert any(line.startswith("nbgrader==") for line in brought)
    assert set(brought) <= set((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines())


def test_nbgrader_stays_out_of_jupyterlab():
    places = [Path(place) for place in (*jupyter_path("labextensions"), *jupyter_config_path())]
    assert any(place.is_relative_to(sys.prefix) for place in places), "the learner's environment is looked at"
    assert not [found for place in places for found in place.rglob("*nbgrader*")]
