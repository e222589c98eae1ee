"""The verdict on a learner's function: called, observed, explained, said."""

import functools
from dataclasses import replace

import torch

from helpers.feedback.explain import Task, Trial, explain, named
from helpers.feedback.fallbacks import CUT, own_noise, witness, wrong_gradient
from helpers.feedback.observe import Observe, Seen, finite, nan_mistake
from helpers.feedback.sandbox import Answer, gives_feedback
from helpers.feedback.says import Feedback, Mistake, right


@gives_feedback
def diagnose(task: Task, function: object) -> Feedback:
    """Call `function` on the cases of `task` and say whether it is right, or what kind of mistake it makes.

    An answer is right if some combination of rows that are ok gives the same values and gradients on all cases, and
    every probe is content. Raises nothing.
    """
    answer = Answer(function, task.usage, said=task.said, nothing=task.nothing)
    torch.manual_seed(task.seed)
    trial = Trial(task, answer, task.cases())
    try:
        trial.seen = [trial.ask(case) for case in trial.cases]
    except Mistake as found:
        raise _after_retreat(trial, found) from None
    if any(seen.cut for seen in trial.seen):
        raise _without_a_graph(trial)
    found = explain(trial.seen, task, trial.cases)
    if not found:
        raise _unknown(trial)
    if found[0].wrong:
        raise named(found)
    trial.choice = found[0]
    remarks = [(row.kind, row.say) for row in trial.choice.rows if row.say]
    for probe in task.probes:
        remarks += probe(trial) or []
    return right(task.praise, remarks)


def _after_retreat(trial: Trial, found: Mistake) -> Mistake:
    """What to say of an answer that stops or is not finite: perhaps it is explained where it does not."""
    task = trial.task
    if task.retreat is None or found.feedback.kind in (
        "stub",
        "unfinished",
        "signature",
        "slow",
        "none",
        "type",
    ):
        return found
    cases = [task.retreat(case) for case in trial.cases]
    try:
        seen = [trial.ask(case) for case in cases]
    except Mistake:
        return found
    known = explain(seen, task, cases)
    return named(known) if known and known[0].wrong else found


def _unknown(trial: Trial) -> Mistake:
    """What can be said of a wrong answer that no rows explain."""
    task = trial.task
    if isinstance(task.observe, Observe):
        for case, seen in zip(trial.cases, trial.seen, strict=True):
            for name, wanted in task.observe.results.items():
                try:
                    wanted.check(seen[name], case)
                except Mistake as found:
                    return found
    for case, seen in zip(trial.cases, trial.seen, strict=True):
        if not finite(seen) and finite(trial.ours(case)):
            return _after_retreat(trial, nan_mistake(seen))
    for fallback in (own_noise, wrong_gradient, *task.fallbacks):
        if found := fallback(trial):
            return found
    return (task.witness or witness)(trial)


def _without_a_graph(trial: Trial) -> Mistake:
    """Of an answer that no gradient passes: what its values alone say, if they are wrong too."""
    names = trial.task.observe.results
    values = [Seen({name: each[name] for name in names}) for each in trial.seen]
    known = explain(values, _by_values(trial.task), trial.cases)
    if known and not known[0].wrong:
        return Mistake("no_gradient", CUT)
    return named(known) if known else _unknown(trial)


@functools.cache
def _by_values(task: Task) -> Task:
    return replace(task, observe=replace(task.observe, at=()))
