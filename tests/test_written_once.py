"""What is read in a notebook is what is tested in helpers: the cell that defines it says so by a tag.

`written-once:helpers.gan.losses` speaks for every function and class that the cell defines,
`written-once:helpers.gan.steps:lr_factor` for one of them, where the cell defines others too.
"""

import ast
import re
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell
from test_notebooks import NAMES, PATHS, code_cells, code_of, read

HELPERS = Path(__file__).parents[1] / "helpers"
TAG = re.compile(r"written-once:(helpers(?:\.\w+)+)(?::(\w+))?")
NAME_IT = "name in the tag the function that is, as :NAME at its end"
# Rooms with words of their own, such as `right` or `play`: there, the same name need not be the same thing.
ELSEWHERE = {"checks", "feedback", "studies"}


class Bare(ast.NodeTransformer):
    """A syntax tree without docstrings, type hints and doors, which compute nothing: the rest is what runs."""

    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        node.returns = None
        node.decorator_list = [
            each for each in node.decorator_list if not ast.unparse(each).startswith("door(")
        ]
        if isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant):
            node.body = node.body[1:]
        return node

    visit_ClassDef = visit_FunctionDef

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_AnnAssign(self, node):
        return ast.Assign(targets=[node.target], value=node.value)


def definitions(source):
    """name -> what runs, of the functions and classes that `source` defines."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = ast.dump(Bare().visit(node))
    return found


def definitions_of(module):
    """Those of a module of helpers, None if there is no such module."""
    place = HELPERS.parent.joinpath(*module.split("."))
    files = [file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()]
    return definitions(files[0].read_text(encoding="utf-8")) if files else None


def compared(cell):
    """(module, name) of each definition of which the cell's tags say that helpers holds it too."""
    tags = [TAG.fullmatch(tag) for tag in cell.metadata.get("tags", [])]
    for module, name in (tag.groups() for tag in tags if tag):
        for each in [name] if name else definitions(cell.source):
            yield module, each


def problems(cell):
    """Sentences about what the cell's tags say and what is not so."""
    for tag in cell.metadata.get("tags", []):
        if "written" in tag and not TAG.fullmatch(tag):
            yield f"{tag}: a tag is written-once:helpers.MODULE or written-once:helpers.MODULE:NAME"
        elif TAG.fullmatch(tag) and not definitions(cell.source):
            yield f"{tag}: this cell defines nothing"
    taught = definitions(cell.source)
    for module, name in compared(cell):
        tested = definitions_of(module)
        if tested is None:
            yield f"there is no module {module}"
        elif name not in taught:
            yield f"{name} is not defined in this cell"
        elif name not in tested:
            yield f"{name} is not defined in {module}: {NAME_IT}"
        elif taught[name] != tested[name]:
            yield f"{name} differs from the one in {module}"


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_what_is_read_is_what_is_tested(path):
    assert [f"{cell.id}: {problem}" for cell in code_cells(read(path)) for problem in problems(cell)] == []


def test_nothing_is_defined_twice_without_being_compared():
    kept = set()
    for file in HELPERS.rglob("*.py"):
        if file.relative_to(HELPERS).parts[0] not in ELSEWHERE:
            kept |= definitions(file.read_text(encoding="utf-8")).keys()
    for path in PATHS:
        cells = code_cells(read(path))
        told = {name for cell in cells for _, name in compared(cell)}
        twice = definitions(code_of(read(path))).keys() & kept
        assert twice - told == set(), (
            f"{path.name} defines what helpers does: tag the cell written-once:MODULE"
        )


# --- that it would be noticed --------------------------------------------------------------------------------

SIGMA = "def sigma(x):\n    return 1 / (1 + exp(-x))"
KEPT = "written-once:helpers.theory.kept"


@pytest.fixture
def problems_of(tmp_path, monkeypatch):
    """The problems of a cell beside a helpers which has one module, with one function."""
    monkeypatch.setattr("test_written_once.HELPERS", tmp_path / "helpers")
    (tmp_path / "helpers" / "theory").mkdir(parents=True)
    (tmp_path / "helpers" / "theory" / "kept.py").write_text(f"{SIGMA}\n")
    return lambda source, *tags: list(problems(new_code_cell(source, metadata={"tags": ["setup", *tags]})))


def test_the_comparison_sees_a_changed_sign_and_not_a_docstring():
    plain, documented = "def f(x):\n    return -x", 'def f(x: int) -> int:\n    """Negate."""\n    return -x'
    assert definitions(plain) == definitions(documented)
    assert definitions(plain) != definitions("def f(x):\n    return x")


def test_a_tag_speaks_for_all_that_its_cell_defines_or_for_one(problems_of):
    assert problems_of(SIGMA, KEPT) == problems_of(SIGMA, f"{KEPT}:sigma") == []
    more = f"{SIGMA}\n\n\ndef ours(x):\n    return x"
    assert problems_of(more, f"{KEPT}:sigma") == []
    assert problems_of(more, KEPT) == [f"ours is not defined in helpers.theory.kept: {NAME_IT}"]


@pytest.mark.parametrize(
    ("source", "tag", "words"),
    [
        (SIGMA.replace("-x", "x"), KEPT, "sigma differs"),
        (SIGMA.replace("-x", "x"), f"{KEPT}:sigma", "sigma differs"),
        (SIGMA, f"{KEPT}:tau", "tau is not defined in this cell"),
        (SIGMA, f"{KEPT}_not", "no module helpers.theory.kept_not"),
        (SIGMA, "written-once:helpers.theory", "no module helpers.theory"),
        ("x = 1", KEPT, "defines nothing"),
        (SIGMA, "written-once", "a tag is"),
        (SIGMA, KEPT.replace("-", "_"), "a tag is"),
    ],
)
def test_a_tag_that_says_what_is_not_so_is_found(problems_of, source, tag, words):
    (problem,) = problems_of(source, tag)
    assert words in problem


def test_a_definition_without_a_tag_is_not_compared(problems_of):
    assert problems_of(SIGMA.replace("-x", "x")) == []
