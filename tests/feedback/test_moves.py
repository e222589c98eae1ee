"""The observer of optimiser steps: it sees moves, returned numbers and side effects, and leaves a case as it was."""

import pytest
import torch
from torch import nn

from helpers.feedback import Case, Mistake, Moves, Recorder, Row, Task, diagnose
from helpers.feedback.explain import choices
from helpers.feedback.moves import SAID

STEP = Moves(("net",), lambda made: {"optimiser": made["net"]}, returned="loss")
BOTH = Moves(("net", "other"), lambda made: {"optimiser": tuple(made.values())}, optimiser=Recorder)


def case(batch=4):
    torch.manual_seed(batch)
    other = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    return Case(net=nn.Linear(3, 1), other=other, optimiser=None, x=torch.randn(batch, 2))


def loss_of(c):
    return c.net(c.other(c.x)).square().mean()


def step(c, then=lambda c: None):
    loss = loss_of(c)
    c.optimiser.zero_grad()
    loss.backward()
    c.optimiser.step()
    then(c)
    return loss


def gradient(c, network):
    found = torch.autograd.grad(loss_of(c), list(network.parameters()))
    return torch.cat([each.flatten() for each in found]).double()


def tensors(c):
    return [each.clone() for each in (c.x, *c.net.state_dict().values(), *c.other.state_dict().values())]


def test_moves_are_those_of_gradient_descent_and_the_case_stays_as_it_was():
    c = case()
    kept, glance, did = tensors(c), STEP.glance(step, c), STEP(step, c)
    assert list(did) == list(STEP.results) == ["moves", "net 1", "net 2"]
    for moves in (glance, did["moves"], did["net 1"], STEP.glance(step, c)):
        torch.testing.assert_close(moves, -0.1 * gradient(c, c.net))
    assert not torch.allclose(did["net 2"], did["net 1"])
    torch.testing.assert_close(did.returned[0], loss_of(c).double().detach())
    assert all(map(torch.equal, kept[:3], tensors(c)[:3])) and c.net.weight.grad is None


def test_recorders_find_the_gradients_of_all_whatever_the_order():
    def wired(c, order):
        for optimiser in c.optimiser:
            optimiser.zero_grad()
        loss_of(c).backward()
        for k in order:
            c.optimiser[k].step()

    c = case()
    for order in ((0, 1), (1, 0)):
        did = BOTH(lambda c, order=order: wired(c, order), c)
        for name in ("net", "other"):
            torch.testing.assert_close(did[f"{name} 1"], gradient(c, c[name]))
            torch.testing.assert_close(did[f"{name} 2"], gradient(c, c[name]))


def test_a_recorder_spoils_a_graph_as_a_real_optimiser_would():
    def steps_between(c):
        loss = loss_of(c)
        loss.backward(retain_graph=True)
        c.optimiser[0].step()
        loss.backward()

    with pytest.raises(RuntimeError, match="inplace"):
        BOTH(steps_between, case())


def test_stale_gradients_are_there_when_the_first_call_begins():
    did = Moves(STEP.trains, STEP.given, stale=("net",))(lambda c: c.optimiser.step(), case())
    assert did["net 1"].all() and not did.has("gradients")


EFFECTS = {
    "moved": lambda c: step(c, lambda c: c.other[0].weight.data.add_(1)),
    "by_hand": lambda c: loss_of(c) + 0 * c.net.weight.data.add_(1).sum(),
    "frozen": lambda c: step(c, lambda c: c.other.requires_grad_(False)),
    "eval": lambda c: step(c, lambda c: c.other.eval()),
    "changed": lambda c: step(c, lambda c: c.x.add_(1)),
}


@pytest.mark.parametrize("effect", EFFECTS)
def test_effects_are_told(effect):
    with pytest.raises(Mistake) as told:
        STEP(EFFECTS[effect], case())
    assert told.value.feedback.kind == SAID[effect][0]
    assert Moves(STEP.trains, STEP.given, later=tuple(SAID))(EFFECTS[effect], case()).has(effect)


def test_other_effects_are_kept():
    did = STEP(lambda c: step(c, lambda c: c.optimiser.step()), case())
    left = {(word, name) for word in ("reached", "gradients") for name in ("net", "other")}
    assert did.effects == {*left, ("steps_many", "net")}
    assert STEP(loss_of, case()).effects == {("steps_missing", "net")}


def freezes(c):
    if not c.net.weight.requires_grad:
        raise Mistake("detached", "")
    return step(c, lambda c: c.net.requires_grad_(False))


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (freezes, "left_frozen"),
        (lambda c: len(c.net.register_module("more", nn.Linear(1, 1)) or "loss"), "layers"),
        (lambda c: {"loss": float("nan")}, "nan"),
        (lambda c: torch.ones(2), "shape"),
        (lambda c: {}, "type"),
        (lambda c: [1.0], "type"),
    ],
)
def test_a_call_that_cannot_be_followed_is_told(call, kind):
    with pytest.raises(Mistake) as told:
        Moves(STEP.trains, STEP.given, "loss", later=("frozen",))(call, case())
    assert told.value.feedback.kind == kind


def test_the_engine_explains_steps():
    sizes = [Row("right", lambda v: v, ok=True), Row("twice", lambda v: 2 * v, "Twice.")]
    orders = [Row("right", lambda o: o.zero_grad(), ok=True), Row("stale", lambda o: None, "Stale.")]

    def compose(c, size, clear):
        clear(c.optimiser)
        size(loss_of(c)).backward()
        c.optimiser.step()
        return loss_of(c)

    observe = Moves(STEP.trains, STEP.given, returned="loss", stale=("net",))
    task = Task("f(…)", lambda: [case(4), case(5)], (sizes, orders), "Good.", observe, compose)
    assert diagnose(task, lambda *args: step(Case(zip(case(), args, strict=True)))).ok
    for choice in [*choices(task, 1), *choices(task, 2)]:
        feedback = diagnose(task, lambda *args, c=choice: c(Case(zip(case(), args, strict=True))))
        assert not feedback.ok and all(row.say in feedback.message for row in choice.wrong)
