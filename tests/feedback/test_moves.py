"""The observer of optimiser steps: it sees moves, returned numbers and side effects, and leaves a case as it was."""

import pytest
import torch
from torch import nn

from helpers.feedback import Case, Mistake, Moves, Recorder, Row, Task, diagnose
from helpers.feedback.explain import choices
from helpers.feedback.moves import SAID

STEP = Moves(("net",), lambda made: {"optimiser": made["net"]}, returned="loss")
BOTH = {"trains": ("net", "other"), "given": lambda made: {"optimiser": tuple(made.values())}}


def case(batch=4):
    torch.manual_seed(batch)
    other = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    return Case(net=nn.Linear(3, 1), other=other, optimiser=None, x=torch.randn(batch, 2))


def loss_of(c):
    return c.net(c.other(c.x)).square().mean()


def step(c):
    loss = loss_of(c)
    c.optimiser.zero_grad()
    loss.backward()
    c.optimiser.step()
    return loss


def flat(gradients):
    return torch.cat([each.flatten() for each in gradients]).double()


def test_moves_are_those_of_gradient_descent():
    c = case()
    did = STEP(step, c)
    right = -0.1 * flat(torch.autograd.grad(loss_of(c), list(c.net.parameters())))
    assert list(did) == list(STEP.results) == ["moves", "net 1", "net 2"]
    torch.testing.assert_close(did["net 1"], right)
    torch.testing.assert_close(did["moves"], right)
    assert not torch.allclose(did["net 2"], right)
    torch.testing.assert_close(did.returned[0], loss_of(c).double().detach())


def test_recorders_find_the_gradients_of_all_whatever_the_order():
    def wired(c, order):
        for optimiser in c.optimiser:
            optimiser.zero_grad()
        loss_of(c).backward()
        for k in order:
            c.optimiser[k].step()

    c, observe = case(), Moves(**BOTH, optimiser=Recorder)
    did, again = observe(lambda c: wired(c, (0, 1)), c), observe(lambda c: wired(c, (1, 0)), c)
    for name in ("net", "other"):
        right = flat(torch.autograd.grad(loss_of(c), list(c[name].parameters())))
        for each in (did, again):
            torch.testing.assert_close(each[f"{name} 1"], right)
            torch.testing.assert_close(each[f"{name} 2"], right)


def test_a_recorder_spoils_a_graph_as_a_real_optimiser_would():
    def steps_between(c):
        loss = loss_of(c)
        loss.backward(retain_graph=True)
        c.optimiser[0].step()
        loss.backward()

    with pytest.raises(RuntimeError, match="inplace"):
        Moves(**BOTH, optimiser=Recorder)(steps_between, case())


def test_a_case_stays_as_it_was_and_a_glance_repeats_itself():
    c = case()
    kept = [each.clone() for each in (c.x, *c.net.state_dict().values(), *c.other.state_dict().values())]
    first = STEP.glance(step, c)
    did = STEP(step, c)
    torch.testing.assert_close(first, did["moves"])
    torch.testing.assert_close(first, STEP.glance(step, c))
    now = (c.x, *c.net.state_dict().values(), *c.other.state_dict().values())
    assert all(map(torch.equal, kept, now))
    assert all(each.grad is None for each in c.net.parameters())


def test_stale_gradients_are_there_when_the_first_call_begins():
    stale = Moves(STEP.trains, STEP.given, stale=("net",))
    did = stale(lambda c: c.optimiser.step(), case())
    assert did["net 1"].all() and not did.has("gradients")


def but(change):
    def changed(c):
        loss = step(c)
        change(c)
        return loss

    return changed


def move(parameter):
    parameter.data += 1


EFFECTS = {
    "moved": but(lambda c: move(c.other[0].weight)),
    "by_hand": lambda c: move(c.net.weight) or loss_of(c),
    "frozen": but(lambda c: c.other.requires_grad_(False)),
    "eval": but(lambda c: c.other.eval()),
    "changed": but(lambda c: c.x.add_(1)),
}


@pytest.mark.parametrize("effect", EFFECTS)
def test_effects_are_told(effect):
    with pytest.raises(Mistake) as told:
        STEP(EFFECTS[effect], case())
    assert told.value.feedback.kind == SAID[effect][0]
    did = Moves(STEP.trains, STEP.given, later=tuple(SAID))(EFFECTS[effect], case())
    assert did.has(effect)


def test_other_effects_are_kept():
    did = STEP(but(lambda c: c.optimiser.step()), case())
    assert did.effects == {(w, n) for w in ("reached", "gradients") for n in ("net", "other")} | {
        ("steps_many", "net")
    }
    assert STEP(loss_of, case()).effects == {("steps_missing", "net")}


def test_what_is_left_is_told_if_a_later_call_stops():
    frozen = Moves(STEP.trains, STEP.given, later=("frozen",))

    def freezes(c):
        if not c.net.weight.requires_grad:
            raise Mistake("detached", "")
        step(c)
        c.net.requires_grad_(False)

    with pytest.raises(Mistake) as told:
        frozen(freezes, case())
    assert told.value.feedback.kind == "left_frozen"


@pytest.mark.parametrize(
    ("value", "kind"),
    [({"loss": float("nan")}, "nan"), (torch.ones(2), "shape"), ({}, "type"), ("1", "type"), ([1.0], "type")],
)
def test_what_is_returned_is_read(value, kind):
    with pytest.raises(Mistake) as told:
        STEP(lambda c: value, case())
    assert told.value.feedback.kind == kind


def test_the_engine_explains_steps():
    sizes = [Row("right", lambda v: v, ok=True), Row("twice", lambda v: 2 * v, "Twice.")]
    orders = [Row("right", lambda o: o.zero_grad(), ok=True), Row("stale", lambda o: None, "Stale.")]

    def compose(c, size, clear):
        loss = size(loss_of(c))
        clear(c.optimiser)
        loss.backward()
        c.optimiser.step()
        return loss

    observe = Moves(STEP.trains, STEP.given, returned="loss", stale=("net",))
    task = Task(
        "f(net, other, optimiser, x)", lambda: [case(4), case(5)], (sizes, orders), "Good.", observe, compose
    )
    assert diagnose(
        task, lambda net, other, optimiser, x: step(Case(net=net, other=other, optimiser=optimiser, x=x))
    ).ok
    for choice in [*choices(task, 1), *choices(task, 2)]:
        feedback = diagnose(task, lambda *args, c=choice: c(Case(zip(case(), args, strict=True))))
        assert not feedback.ok and all(row.say in feedback.message for row in choice.wrong)
