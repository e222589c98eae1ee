"""The engine on a task of its own: what is observed, how it is explained, and what is said of the unknown."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from helpers.feedback import (
    Case,
    Close,
    Mistake,
    Observe,
    Row,
    Task,
    Wanted,
    alike,
    at,
    audit,
    choices,
    diagnose,
    expect,
    explain,
    factor_said,
    in_any_order,
    in_the_tails,
    made_of,
    numbers,
    other_dtype,
    scaled,
    shifted,
    without,
)

# The task: the mean square of a x + b along a row, times the weight w.
INSIDE = [
    Row("right", lambda x, a: a * x + 1, ok=True),
    Row("mirrored", lambda x, a: -a * x - 1, "A square does not know a sign.", ok=True),
    Row("minus", lambda x, a: a * x - 1, "The 1 has the wrong sign."),
    Row("no_slope", lambda x, a: x + 1, "The slope is missing."),
    Row("detached", lambda x, a: a * x.detach() + 1, "x is cut from the graph."),
]
POWERS = [
    Row("right", lambda y: y**2, ok=True),
    Row("absolute", lambda y: y.abs(), "The square is missing."),
    Row("doubled", lambda y: 2 * y, "That is the derivative."),
]
ENDS = [
    Row("right", lambda y: y.mean(1), ok=True),
    Row("sum", lambda y: y.sum(1), "The mean is asked for."),
    Row("wrong_dimension", lambda y: y.mean(0), "You average over the rows."),
]


def cases():
    sizes = ((5, 3), 1.7, 2.0), ((4, 7), 0.6, 0.3)
    return [Case(x=torch.randn(*size), a=torch.tensor(slope), w=w) for size, slope, w in sizes]


TASK = Task(
    usage="f(x, a, w)",
    cases=cases,
    tables=(INSIDE, POWERS, ENDS),
    compose=lambda c, inside, power, end: c.w * end(power(inside(c.x, c.a))),
    observe=Observe(Wanted("(B,)", lambda c: c.x.shape[:1], lambda c: {(): "Keep the rows."}), at=("x", "a")),
    praise="That is it.",
    probes=(
        in_any_order("rows", {"x": 0}),
        at(lambda c: c.but(x=0 * c.x), "at_zero", "At 0 you are wrong."),
        in_the_tails(lambda c: c.but(x=1e6 * c.x), "Not finite far out.", "Cut off far out."),
        without("w", 1.0, "Without `w` the weight is 1."),
        other_dtype(),
    ),
    fallbacks=(
        scaled("Your mean", lambda c: {"B": len(c.x), "d": c.x.shape[1]}),
        shifted("Every mean", "Which constant?"),
    ),
)


def right(x, a, w=1.0):
    return w * (a * x + 1).square().mean(1)


def said(f):
    return diagnose(TASK, f)


def test_right_answers_pass_with_their_remarks():
    assert said(right).kind == "right" and said(right).ok
    assert said(lambda x, a, w=1.0: w * (-1 - a * x).square().mean(1)).ok
    assert said(lambda x, a, w: w * (a * x + 1).square().mean(1)).ok  # to insist on w is right too


def test_every_row_is_named_and_so_are_two():
    for choice in choices(TASK, 1, others=False):
        feedback = said(made_of(TASK, choice))
        assert feedback.kind == choice.wrong[0].kind and choice.wrong[0].say == feedback.message
    two = said(lambda x, a, w: w * (a * x - 1).square().sum(1))
    assert two.kind == "minus" and "The 1 has the wrong sign." in two.message and "The mean is" in two.message


def test_a_pair_beside_a_row_that_is_ok_is_found():
    assert "The mean is asked for." in said(lambda x, a, w: w * (-a * x - 1).abs().sum(1)).message


def test_what_two_explanations_fit_names_both():
    """Where both cases have d = 4, half of twice the mean square and a quarter of the sum are one number."""
    half = Row("half", lambda y: 0.5 * y.mean(1), "A ½ too many.")
    eighth = Row("sum_of_eighths", lambda y: y.sum(1) / 8, "The sum is divided by 8.")
    blind = Task(
        usage="f(x)",
        cases=lambda: [Case(x=torch.randn(5, 4)), Case(x=torch.randn(7, 4))],
        tables=([*ENDS, half, eighth],),
        compose=lambda c, end: end(c.x**2),
        observe=Observe(Wanted("(B,)", lambda c: c.x.shape[:1])),
        praise="",
    )
    message = diagnose(blind, lambda x: x.square().mean(1) / 2).message
    assert "Either: A ½ too many. Or: The sum is divided by 8." in message
    (pair,) = audit(blind, faults=1)
    assert {row.kind for choice in pair for row in choice.wrong} == {"half", "sum_of_eighths"}


def test_explanations_leave_supersets_out_and_agree_on_all_cases():
    torch.manual_seed(TASK.seed)
    where = TASK.cases()
    seen = [
        TASK.observe(lambda c: made_of(TASK, next(choices(TASK, 1, False)))(*c.values()), case)
        for case in where
    ]
    found = explain(seen, TASK, where)
    assert [row.kind for row in found[0].wrong] == ["minus"]
    assert all(len(choice.wrong) == 1 for choice in found)
    seen[1]["value"] = seen[1]["value"] + 1
    assert explain(seen, TASK, where) == []


@pytest.mark.parametrize(
    ("f", "kind", "phrase"),
    [
        (lambda x, a, w=1.0: right(x, a, w)[:, None], "shape", "(B,) = (5,), but yours is (5, 1)"),
        (lambda x, a, w=1.0: right(x, a, w).sum(), "shape", "Keep the rows."),
        (lambda x, a, w=1.0: right(x, a, w) * float("nan"), "nan", "NaN"),
        (lambda x, a, w=1.0: right(x, a, w).detach(), "no_gradient", "cut from the graph"),
        (lambda x, a, w=1.0: (right(x, a, w) + right(x, a, w).detach()) / 2, "gradient", "0.5 times what"),
        (lambda x, a, w=1.0: right(x.detach(), a, w), "detached", "x is cut"),
        (lambda x, a, w=1.0: right(x, a.detach(), w), "gradient", "at `a`"),
        (lambda x, a, w=1.0: 3 * right(x, a, w), "scale", "3 times the right one. Which factor"),
        (lambda x, a, w=1.0: -2 / math.log(2) * right(x, a, w), "scale", "sign is turned, and a ½ is missing"),
        (lambda x, a, w=1.0: right(x, a, w) / len(x), "scale", "a mean stands where the sum over B belongs"),
        (lambda x, a, w=1.0: right(x, a, w) + 0.25, "constants", "off by the same 0.25"),
        (lambda x, a, w=1.0: right(x, a, w) + torch.randn(len(x)), "noise", "two different results"),
        (lambda x, a, w=1.0: right(x.add_(0), a, w).mul(1) + x.mul_(2).mean() * 0, "changed_input", "`x`"),
        (lambda x, a, w=1.0: right(x, a, w) * (1 + (x.mean(1) > 0)), "value", "should be"),
        (lambda x, a, w=2.0: right(x, a, w), "default", "Without `w`"),
        (lambda x, a, w=1.0: right(x, a, w) + (x == 0).all(), "at_zero", "At 0"),
        (lambda x, a, w=1.0: right(x, a, w) / (x.abs().max() < 1e4), "tails", "Not finite"),
        (lambda x, a, w=1.0: right(x.half().to(x), a, w) if x.dtype == torch.float64 else right(x, a, w), "right", ""),
        (lambda x, a, w=1.0: right(x, a, w) + (x.dtype == torch.float64), "dtype", "other numbers"),
    ],
)  # fmt: skip
def test_what_is_said_of_the_unknown(f, kind, phrase):
    feedback = said(f)
    assert feedback.kind == kind, feedback
    assert phrase in feedback.message


def test_an_answer_cut_off_far_out_gets_a_remark():
    feedback = said(lambda x, a, w=1.0: right(x, a, w).clamp(max=1e6))
    assert feedback.ok and feedback.kind == "tails" and "Cut off far out." in feedback.message


def test_a_place_that_is_written_in_is_an_order():
    feedback = said(lambda x, a, w=1.0: right(x, a, w) * torch.where(x[:, 0] == FIRST[len(x)], 1.0, 2.0))
    assert feedback.kind in ("order", "value")


torch.manual_seed(TASK.seed)
FIRST = {len(case.x): case.x[:, 0] for case in cases()}


# What comes back


class Odd:
    def __array__(self, *_):
        raise ZeroDivisionError


JUNK = [
    torch.ones(5, dtype=torch.complex64),
    torch.ones(5, device="meta"),
    10**400,
    -(10**400),
    1 + 2j,
    "0.3",
    b"0.3",
    {"loss": 1},
    [1, [2, 3]],
    [torch.ones(2), torch.ones(3)],
    Odd(),
    Odd,
    float("nan"),
    np.array(["a"]),
    torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    (each for each in "ab"),
]


@pytest.mark.parametrize("junk", JUNK, ids=[str(type(junk).__name__) + str(n) for n, junk in enumerate(JUNK)])
@pytest.mark.parametrize("gradients", [True, False])
def test_whatever_comes_back_gets_a_sentence(junk, gradients):
    task = TASK if gradients else Task(**{**vars(TASK), "observe": Observe(TASK.observe.wanted)})
    feedback = diagnose(task, lambda x, a, w: junk)
    assert not feedback.ok and feedback.kind in ("type", "shape", "nan"), feedback


def test_numbers_are_taken_in_many_wrappings():
    for value in (
        torch.ones(2),
        [1, 1.0],
        (1, torch.tensor(1.0)),
        np.ones(2),
        torch.ones(2).to_sparse(),
        [True, True],
    ):
        assert torch.equal(numbers(value).double(), torch.ones(2).double())
    assert numbers(10**400).item() == math.inf and numbers(-(10**400)).item() == -math.inf
    assert numbers(nn.Parameter(torch.ones(2))).requires_grad


def test_closeness_belongs_to_the_quantity():
    one, other = torch.tensor([100.0, 1.0]), torch.tensor([100.0, 1.05])
    assert alike(one, other, Close(1e-3)) and not alike(one, other, Close(1e-3, each=True))
    assert alike(torch.tensor([math.inf, 1.0]), torch.tensor([math.inf, 1.0]), Close())
    assert not alike(torch.tensor([math.inf, 1.0]), torch.tensor([-math.inf, 1.0]), Close())
    assert not alike(torch.tensor([math.nan]), torch.tensor([math.nan]), Close())
    assert not alike(torch.ones(2), torch.ones(2, 1), Close())


def test_a_network_that_is_left_frozen_or_in_eval_is_told():
    task = Task(
        usage="f(net, x)",
        cases=lambda: [
            Case(net=nn.Linear(3, 1), x=torch.randn(5, 3)),
            Case(net=nn.Linear(4, 1), x=torch.randn(2, 4)),
        ],
        tables=([Row("right", lambda net, x: net(x).sum(1), ok=True)],),
        observe=Observe(Wanted("(B,)", lambda c: c.x.shape[:1]), at=("net",)),
        praise="",
    )
    assert diagnose(task, lambda net, x: net(x)[:, 0]).ok
    assert diagnose(task, lambda net, x: net.eval()(x)[:, 0]).kind == "left_in_eval"
    assert diagnose(task, lambda net, x: net.requires_grad_(False)(x)[:, 0]).kind == "left_frozen"
    assert (
        diagnose(task, lambda net, x: net(x)[:, 0] * (nn.init.zeros_(net.weight) is None)).kind
        == "changed_input"
    )


def test_the_witness_is_where_the_answer_is_wrong():
    feedback = said(lambda x, a, w: right(x, a, w) + torch.arange(len(x)).eq(len(x) - 2) * x[:, :1].mean())
    assert feedback.kind == "value" and "[2]" in feedback.message


@pytest.mark.parametrize(
    ("factor", "phrase"),
    [(-1, "sign is turned"), (2, "½ is missing"), (0.5, "once too often"), (1 / math.log(2), "base 2"),
     (2 / math.log(2), "½ is missing, or something is counted twice, and the logarithm"), (4, "sum over d"),
     (0.25, "mean stands where the sum over d"), (7.3, "")],
)  # fmt: skip
def test_factors_are_put_into_words(factor, phrase):
    text = factor_said(factor, {"d": 4}).replace("a sum stands where the mean over d", "sum over d")
    assert phrase in text and (phrase or not text)


# What lessons use


def test_expect_names_the_slip_or_the_difference():
    expect([1.0, 2.0], torch.tensor([1.0, 2.0]))
    expect(np.float64(2), 2)
    for answer, phrase in [
        (None, "Nothing came back"),
        ("two", "A `str` came back"),
        (torch.ones(3), "shape is (3,), and (2,) is asked for"),
        ([2.0, 4.0], "Twice."),
        ([math.nan, 1.0], "NaN or infinity"),
        ([1.0, 2.5], "Largest difference 0.5"),
        (torch.ones(2, device="meta"), "came back"),
    ]:
        with pytest.raises(AssertionError) as found:
            expect(answer, [1.0, 2.0], {"Twice.": [2.0, 4.0], "One number.": 1.5})
        assert phrase in str(found.value)
    with pytest.raises(AssertionError, match=r"Either One\. or Two\."):
        expect(3.0, 1.0, {"One.": 3.0, "Two.": torch.tensor(3.0)})


def test_a_mistake_is_an_exception_with_its_feedback():
    assert Mistake("kind", "Message.").feedback.kind == "kind"
