"""Every task of the course, by its own tables: right rows pass, wrong ones are named, pairs are never mistaken."""

import importlib
import itertools
import pkgutil
import random

import pytest
import torch

import helpers.checks
from helpers.feedback import Task, audit, choices, diagnose, made_of

MODULES = [
    importlib.import_module(f"helpers.checks.{each.name}")
    for each in pkgutil.iter_modules(helpers.checks.__path__)
    if each.name.startswith("nb")
]
TASKS = {
    f"{module.__name__.rsplit('.')[-1]}.{name}": value
    for module in MODULES
    for name, value in vars(module).items()
    if isinstance(value, Task)
}
# Pairs of choices that no input can tell apart are said in the message, both; so many there may be.
PAIRS = 8  # of two wrong rows that are tried of each task


def every(values):
    return pytest.mark.parametrize("task", values.values(), ids=values.keys())


@every(TASKS)
def test_rows_that_are_ok_pass(task):
    for choice in choices(task, 0):
        feedback = diagnose(task, made_of(task, choice))
        assert feedback.ok, feedback
        others = [row for row, table in zip(choice.rows, task.tables, strict=True) if row is not table[0]]
        if len(others) == 1:  # of several, one may leave nothing for another to change
            assert others[0].say in feedback.message


@every(TASKS)
def test_a_wrong_row_is_named(task):
    for choice in choices(task, 1, others=False):
        feedback = diagnose(task, made_of(task, choice))
        (row,) = choice.wrong
        assert not feedback.ok, row.kind
        assert row.say in feedback.message, (row.kind, feedback)


@every(TASKS)
def test_a_pair_of_wrong_rows_is_never_explained_by_another_fault(task):
    pairs = list(choices(task, 2, others=False))
    for choice in random.Random(0).sample(pairs, min(PAIRS, len(pairs))):
        feedback = diagnose(task, made_of(task, choice))
        assert not feedback.ok or _undo(task, choice), [row.kind for row in choice.wrong]
        told = [
            row
            for table in (*task.tables, task.ways)
            for row in table
            if row.say and row.say in feedback.message
        ]
        if told and not feedback.ok:
            said = {row.say for row in choice.wrong}
            assert said & {row.say for row in told}, ([row.kind for row in choice.wrong], feedback)


def _undo(task, choice):
    """Whether the two faults give the right numbers together."""
    torch.manual_seed(task.seed)
    return all(
        any(task.alike(task.observe(choice, case), task.observe(right, case)) for right in choices(task, 0))
        for case in task.cases()
    )


@every(TASKS)
def test_single_rows_can_be_told_apart(task):
    """No wrong row gives the numbers of another, or of a right one; of pairs, all that fit are named."""
    same = [(a, b) for a, b in audit(task, faults=1)]
    assert not same, [([r.kind for r in a.wrong], [r.kind for r in b.wrong]) for a, b in same]


@every(TASKS)
def test_cases_differ_in_every_size(task):
    """One fault cannot hide behind another if no size stays the same from case to case."""
    torch.manual_seed(task.seed)
    first, last = task.cases()[0], task.cases()[-1]
    tensors = [name for name, value in first.items() if isinstance(value, torch.Tensor) and value.ndim]
    same = [
        (name, a)
        for name in tensors
        for a, b in itertools.zip_longest(first[name].shape, last[name].shape)
        if a == b and a not in (1, None) and a not in getattr(task, "fixed", ())
    ]
    assert not same, same
