"""Every check of the course, whatever it is given: a sentence comes, and nothing is raised or disturbed."""

import ast
import re
import time
from pathlib import Path

import pytest
import torch

import helpers.checks
from helpers.feedback import Row, sandbox

HELPERS = Path(helpers.checks.__file__).parents[1]
FILES = sorted([*HELPERS.glob("checks/*.py"), *HELPERS.glob("feedback/*.py")])
CHECKS = sorted(name for name in helpers.checks.__all__ if name.startswith("check_"))
OF_FUNCTIONS = [name for name in CHECKS if name not in ("check_diagnoses", "check_scale_bug")]
JUNK = {
    "complex": torch.ones(5, dtype=torch.complex64),
    "meta": torch.ones(5, device="meta"),
    "sparse": torch.eye(5).to_sparse(),
    "huge": 10**400,
    "text": "0.3",
    "a dict": {"a": 1},
    "empty": torch.ones(0),
    "a pair": (torch.ones(3), "b"),
    "NaN": float("nan"),
    "an exception": ValueError("odd"),
}


@pytest.mark.parametrize("name", OF_FUNCTIONS)
def test_what_can_happen_to_any_function_is_told(name, monkeypatch):
    def stops(*_):
        raise RuntimeError("Hands are full.")

    def loops(*_):
        while True:
            time.sleep(0.01)

    check = getattr(helpers.checks, name)
    assert check(lambda *_: ...).kind == "stub" and check(...).kind == "stub" and check(3).kind == "signature"
    assert check(stops).kind == "raised"
    monkeypatch.setattr(
        sandbox.Answer.__init__, "__defaults__", (0.2, *sandbox.Answer.__init__.__defaults__[1:])
    )
    assert check(loops).kind == "slow"


@pytest.mark.parametrize("name", OF_FUNCTIONS)
@pytest.mark.parametrize("junk", JUNK)
def test_junk_gets_a_sentence(name, junk):
    state = torch.get_rng_state()
    feedback = getattr(helpers.checks, name)(lambda *_: JUNK[junk])
    assert not feedback.ok and feedback.message[-1] in ".?)"
    assert torch.equal(state, torch.get_rng_state())


def all_sentences() -> set[str]:
    """Every sentence of every row, whether its table belongs to a task or not."""
    rows = [
        row
        for task in helpers.checks.tasks().values()
        for table in (*task.tables, task.ways)
        for row in table
    ]
    assert all(isinstance(row, Row) for row in rows)
    return {row.say for row in rows if row.say}


def test_sentences_are_one_to_three_and_whole():
    sentences = all_sentences()
    assert len(sentences) > 300
    for text in sentences:
        parts = [part for part in text.replace("? ", ". ").split(". ") if part]
        assert 1 <= len(parts) <= 3, text
        assert len(text) <= 280, text
        assert text[-1] in ".?)", text
        assert text[0].isupper() or text.startswith(("β", "λ", "μ", "γ", "z", "q", "x", "f", "log ", "`")), (
            text
        )


def test_each_sentence_is_one_literal_that_can_be_searched():
    """A string in pieces stands in one pair of brackets, or as one argument: none is put together with a +."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Row" and len(node.args) > 2:
                assert not isinstance(node.args[2], ast.BinOp), (path.name, ast.unparse(node.args[2])[:80])


def test_docstrings_are_whole_sentences():
    """A tool that wraps long strings once left quotation marks inside them."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                assert not re.search(r'\s"\n\s*"', ast.get_docstring(node) or ""), ast.get_docstring(node)
