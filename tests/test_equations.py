"""Each numbered equation of a notebook is executed by a test, whose docstring names it: `(10.3)`.

A notebook that numbers one of its displayed equations numbers them all, by \\tag: 10.1, 10.2, and so on.
"""

import ast
import re
from pathlib import Path

import pytest
from test_notebooks import PATHS, prose_of, read

NUMBERED = [
    path for path in PATHS if r"\\tag{" in path.read_text(encoding="utf-8")
]  # escaped, as in the file


def numbers(prose):
    """The numbers of each equation between double dollars, in order: a list of one each, where all is well."""
    return [
        re.findall(r"\\tag\{([\d.]+)\}", equation) for equation in re.findall(r"\$\$(.+?)\$\$", prose, re.S)
    ]


def executed(folder):
    """number → the tests whose docstrings name it."""
    found = {}
    for file in sorted(folder.rglob("test_*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for number in re.findall(r"\((\d+\.\d+)\)", ast.get_docstring(node) or ""):
                    found.setdefault(number, []).append(f"{file.stem}.{node.name}")
    return found


PROVED = executed(Path(__file__).parent)


def problems(notebook, prose, proved):
    """Sentences about equations without a number or a test, and about numbers without an equation."""
    chapter, shown = int(notebook[:2]), numbers(prose)
    expected = [f"{chapter}.{k}" for k in range(1, len(shown) + 1)]
    if shown != [[number] for number in expected]:
        yield f"displayed equations are to carry \\tag{{{chapter}.1}}, \\tag{{{chapter}.2}}, … and here carry {shown}"
    for number in expected:
        if number not in proved:
            yield f"no test names ({number}) in its docstring: write the one that executes it"
    for number in set(re.findall(rf"\(({chapter}\.\d+)\)", prose)) - set(expected):
        yield f"the prose refers to ({number}), and there is none"
    for number in proved:
        if number.startswith(f"{chapter}.") and number not in expected:
            yield f"{proved[number][0]} names ({number}), and there is none"


@pytest.mark.parametrize("path", NUMBERED, ids=lambda path: path.stem)
def test_every_displayed_equation_has_a_number_and_a_test(path):
    assert list(problems(path.stem, prose_of(read(path).cells), PROVED)) == []


def test_no_test_names_an_equation_of_a_notebook_without_any():
    chapters = {str(int(path.stem[:2])) for path in NUMBERED}
    strays = {number: tests for number, tests in PROVED.items() if number.split(".")[0] not in chapters}
    assert NUMBERED and strays == {}


# --- that it would be noticed --------------------------------------------------------------------------------

PROSE = "By (4.1):\n$$x = 1 \\tag{4.1}$$\nand\n$$\ny = 2\n\\tag{4.2}\n$$\n"
BOTH = {"4.1": ["test_a.test_x"], "4.2": ["test_a.test_y"]}


def test_numbered_equations_with_a_test_each_are_all_right():
    assert list(problems("04_first", PROSE, BOTH)) == []


@pytest.mark.parametrize(
    ("prose", "proved", "words"),
    [
        (PROSE, {"4.1": BOTH["4.1"]}, "no test names (4.2)"),
        (PROSE + "See (4.3).", BOTH, "the prose refers to (4.3)"),
        (PROSE, BOTH | {"4.12": ["test_b.test_z"]}, "test_b.test_z names (4.12)"),
        (PROSE.replace("4.1}", "4.2}"), BOTH, "carry"),
        (PROSE.replace("\\tag{4.2}", ""), BOTH, "carry"),
        (PROSE.replace("\\tag{4.2}", "\\tag{4.2} \\tag{4.3}"), BOTH, "carry"),
    ],
)
def test_what_is_missing_is_named(prose, proved, words):
    (problem,) = problems("04_first", prose, proved)
    assert words in problem


def test_docstrings_of_tests_are_read(tmp_path):
    text = 'def test_one():\n    """By hand (4.1), not (3)."""\n\n\ndef helper():\n    """As in (4.2)."""\n'
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "test_made.py").write_text(text)
    assert executed(tmp_path) == {"4.1": ["test_made.test_one"]}
