"""Assignment 21: every variant is solvable, its exam is fair, and the numbers of guide and memo are measured.

Run as a program with a number it makes that variant the one of the assignment and of the guide's tables.
"""

import contextlib
import functools
import io
import math
import re
import sys
import warnings
from pathlib import Path

import pytest
import torch
from test_lessons import answers, exam, make_variant, nbgrader_cells, source

from helpers.acceptance import corrected_interval, cost_of_accepted

LESSON = "21_at_work"
FOLDER = Path(__file__).resolve().parents[1] / "lessons" / LESSON
GUIDES = 7  # the variant of the guide's and the sample memo's numbers
VARIANTS = (1, 2, 3, 4, 5, 6, 7, 8)
each_variant = pytest.mark.parametrize("number", VARIANTS)


@functools.cache
def variant(number):
    """What the assignment defines in this variant, with its right answers; its tests have passed."""
    names = {"__name__": "__main__"}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        for cell in source(LESSON).cells:
            if cell.cell_type == "code":
                text = re.sub(r"^VARIANT = \d+", f"VARIANT = {number}", cell.source, flags=re.MULTILINE)
                exec(compile(text, cell.id, "exec"), names)
    assert number == names["VARIANT"]
    return names


@functools.cache
def tables(number):
    tools = variant(number)
    with contextlib.redirect_stdout(io.StringIO()):
        best = tools["strict"]
        month, villages, lines = tools["month_table"](), tools["villages"](), tools["best_lines"]()
        return month, {line: tools["three_ways"](line) for line in (50, best)}, best, lines, villages


def rates(tools, line):
    told, good = tools["audit"]["score"] >= line, tools["audit"]["acceptable"]
    return [told[kind].double().mean().item() for kind in (good, ~good)]


def slipped(tools, line, share):
    s, f = rates(tools, line)
    return f * (1 - share) / (s * share + f * (1 - share))


def whole(n):
    return "∞" if math.isinf(n) else f"{n:,.0f}"


def board(number):
    """The rows of the guide's two tables, each found again by its beginning."""
    tools, (month, ways, best, lines, villages) = variant(number), tables(number)
    share = month["share"].iloc[2]
    pair = 50, best
    yield "| the line | ", f"| the line | 50 | {best:g} |"
    label = "| s, f in the audit | "
    yield label, label + " | ".join("{:.3f}, {:.3f}".format(*rates(tools, line)) for line in pair) + " |"
    label = "| slips through, r | "
    yield (
        label,
        label + " | ".join(f"{slipped(tools, line, share):.1%}" for line in pair).replace("%", " %") + " |",
    )
    for way in tools["WAYS"]:
        label, cells = f"| {way} | ", []
        for line in pair:
            row = ways[line].loc[way]
            cells.append(
                f"{row.iloc[0]:.2f} euros, from {whole(row['quantity'])} ({whole(row['from'])} to {whole(row['to'])})"
            )
        yield label, label + " | ".join(cells) + " |"
    label = "| village stories sold | "
    cells = [
        f"{r['corrected']:.1%} ({r['from']:.1%} to {r['to']:.1%})" for _, r in villages.iloc[2:].iterrows()
    ]
    yield label, (label + " | ".join(cells) + " |").replace("%", " %")
    made = villages.iloc[1]
    label = "| village stories generated | "
    text = f"{made['corrected']:.1%} ({made['from']:.1%} to {made['to']:.1%})".replace("%", " %")
    yield label, f"{label}{text} | the same |"
    label, prices, costs = "| program, cost in the month | ", tools["prices"], []
    for line in pair:
        told = tools["month"]["score"] >= line
        bad = (~tools["later"]["acceptable"][told]).double().mean().item()
        share_told = told.double().mean().item()
        costs.append(
            cost_of_accepted(share_told, prices["generate"], prices["inspect"], bad, prices["error"])
        )
    assert costs[1] == pytest.approx(lines["cost in the month"].iloc[1], abs=0.006)
    yield label, label + " | ".join(f"{each:.2f} euros" for each in costs) + " |"
    cells = [
        f"{month['share'].iloc[i]:.1%} ({month['low'].iloc[i]:.1%} to {month['high'].iloc[i]:.1%})"
        for i in (2, 3)
    ]
    cells += [f"{month['share'].iloc[i]:.1%}" for i in (0, 1, 4)]
    yield "| share | ", "| " + " | ".join(["share", *cells]).replace("%", " %") + " |"


# --- variants ----------------------------------------------------------------------------------------------------


@each_variant
def test_a_variant_is_solvable_and_tells_the_story(number):
    """Its cells ran with the right answers, hidden tests among them; the words of assignment and guide hold."""
    tools, (month, ways, best, lines, villages) = variant(number), tables(number)
    accepted, audited, mine, naive, later = (month.iloc[i] for i in range(5))
    assert mine["low"] < later["share"] < mine["high"] < audited["share"]
    assert accepted["share"] > mine["share"] + 0.05 and abs(mine["share"] - later["share"]) < 0.04
    assert naive["share"] == pytest.approx(mine["share"]) and mine["high"] - mine["low"] > 1.4 * (
        naive["high"] - naive["low"]
    )
    now, then = ways[50].loc["program"], ways[best].loc["program"]
    assert now["from"] < 0.7 * tools["DEMAND"] and now["to"] > 1.1 * tools["DEMAND"]
    assert then["to"] < 0.7 * tools["DEMAND"] and now.iloc[0] > then.iloc[0] + 0.4 and best > 55
    assert list(lines["line"]) == sorted(lines["line"]) and lines["line"].iloc[0] < best
    shares = villages["corrected"].tolist()
    assert villages["to"].iloc[1] < 0.175 and shares == sorted(shares, reverse=True)
    good = tools["audit"]["acceptable"].view(60, 10).sum(1)
    step = villages.iloc[2:]
    assert step["from"].max() < step["to"].min() - 0.02, "the step from line to line is seen in the intervals"
    assert (lines["cost in the month"].iloc[1] < lines["cost"].iloc[1]) == (number == 5), "as the guide says"
    by_prompt = (tools["month"]["score"] >= 50).view(400, 10).double().mean(1)
    s, f = rates(tools, 50)
    of_a = (by_prompt.std() / 20 / (s - f)).item()
    assert 1.08 < math.hypot(1, of_a / ((mine["high"] - mine["low"]) / 3.92)) < 1.13, "about a tenth wider"
    assert (good <= 2).sum() >= 3 and (good == 10).sum() >= 2


def test_variants_differ_and_the_same_one_is_the_same():
    first = variant(1)
    for number in VARIANTS[1:]:
        other = variant(number)
        assert not torch.equal(first["audit"]["score"], other["audit"]["score"])
        assert not torch.equal(first["month"]["read"], other["month"]["read"])
    assert len({tuple(variant(number)["prices"].values()) for number in VARIANTS}) > 4
    again, _, _ = first["business"]()
    assert all(torch.equal(again[key], first["audit"][key]) for key in again)


@each_variant
def test_no_case_of_the_exam_is_a_borderline_one(number):
    """So that rounding on another machine changes nothing, whatever the right way."""
    tools = variant(number)
    for *given, a in tools["cases"]():
        s, f = tools["rates_of"](*given[:2])
        assert s - f > 0.3 and min((given[1]).sum(), (~given[1]).sum()) > 12
        assert min(abs((a - f) / (s - f)), abs((a - s) / (s - f))) > 0.02
        left = [given[1][given[2] != each] for each in given[2].unique()]
        assert all(each.any() and not each.all() for each in left), "no prompt alone has all of a kind"
    for turn, (size, gap, share, changes) in enumerate(tools["TURNS"]):
        given = {**tools["prices"], **changes}
        cost = tools["costs_of"](*tools["an_exam"](7200 + turn, size, gap), share, given)[""].sort().values
        assert cost[1] - cost[0] > 1e-5
    for cost, interval, given in tools["TRIALS"]:
        for share in interval:
            left = given["price"] - cost(share)
            n = given["fixed"] / left if left > 0 else 0.5
            assert 0.02 < n % 1 < 0.98 or n == round(n)


@pytest.mark.parametrize("number", (2, 5))
def test_wrong_answers_fail_and_right_ones_pass_in_other_variants(number):
    tools = variant(number)
    for function, library in answers(LESSON)[1].items():
        cell = compile(exam(LESSON).cells[f"{function}-hidden"].source, "hidden", "exec")
        kept, right = tools[function], answers(LESSON)[0][function].values()
        try:
            for tools[function] in right:
                exec(cell, tools)
            for label, (tools[function], _) in library.items():
                with pytest.raises(AssertionError):
                    exec(cell, tools)
                    pytest.fail(f"{label} passes")
        finally:
            tools[function] = kept


NEAR_MISSES = {
    "acceptable_share": (
        *("the accepted share", "of the audit", "rate of the audit", "prompts counted up", "blocks of four"),
        *("columns", "problem by problem", "no factor", "standard deviation", "around the mean", "one sigma"),
    ),
    "cost_of_sold": (
        *("f for r", "1 − s for r", "by π", "she looks at π", "teacher by a", "no errors", "wage a minute"),
        *("program paid", "two in each way, which cancel at π = a and f = r"),
    ),
    "break_even_quantity": (
        "no price",
        "no cost",
        "generated",
        "rounded down",
        "to the nearest",
        "exchanged",
    ),
    "best_line": ("every tenth", "above the line", "the audit's share", "no line"),
    "group_shares": (
        *("no keepdim", "by the total", "not divided", "not transposed", "by columns", "forward", "as read"),
        *("negative", "cut to [0, 1]", "not rescaled", "shifted", "two: no keepdim, not transposed"),
    ),
}


@pytest.mark.parametrize("function", NEAR_MISSES)
def test_the_small_numbers_tell_the_central_mistakes(function):
    """None of them passes the tests that students see."""
    for label in NEAR_MISSES[function]:
        error = exam(LESSON).verdict(function, answers(LESSON)[1][function][label][0], "visible")
        assert isinstance(error, AssertionError), label


def test_questions_do_not_need_the_cells_of_other_questions():
    """Answers and tests of one question alone, after the cells that are there for all."""
    cells = nbgrader_cells(source(LESSON))
    for function in NEAR_MISSES:
        names = {"__name__": "__main__"}
        needed = ["setup", "problems", "business", "first_look"]
        needed += [function] if function != "best_line" else ["cost_of_sold", function]
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            for name in (*needed, f"{function}-visible"):
                exec(cells[name].source, names)


def test_a_line_that_waits_for_the_cost_says_so():
    def waiting(*_):
        raise NotImplementedError

    error = exam(LESSON).verdict("best_line", waiting, "visible")
    assert isinstance(error, NotImplementedError) and "cost_of_sold" in str(error)


def test_a_right_share_with_a_wrong_interval_keeps_its_points():
    tools, lost = exam(LESSON).names, []
    kept, tools["acceptable_share"] = (
        tools["acceptable_share"],
        answers(LESSON)[1]["acceptable_share"]["independent"][0],
    )
    try:
        for kind in ("share-hidden", "interval-hidden", "hidden"):
            try:
                exec(exam(LESSON).cells[f"acceptable_share-{kind}"].source, tools)
            except AssertionError:
                lost.append(kind)
    finally:
        tools["acceptable_share"] = kept
    assert lost == ["interval-hidden", "hidden"]


# --- what the guide says -----------------------------------------------------------------------------------------


def test_the_tables_of_the_guide_are_those_of_the_assignment():
    guide = (FOLDER / "guide.md").read_text(encoding="utf-8")
    number = exam(LESSON).names["VARIANT"]
    for _, row in board(number):
        assert row in guide, row
    assert f"\nVariant {number}. " in guide


def test_the_numbers_in_guide_and_memo_are_those_of_their_variant():
    guide = (FOLDER / "guide.md").read_text(encoding="utf-8")
    memo = nbgrader_cells(source(LESSON))["memo"].source
    tools, (month, ways, best, _, villages) = variant(GUIDES), tables(GUIDES)
    share = month["share"].iloc[2]
    s, f = rates(tools, 50)
    thousand = [1000 * share, 1000 * s * share, 1000 * (1 - share), 1000 * f * (1 - share)]
    good, kept, bad, wrong = map(round, thousand)
    for text in (
        f"{good} acceptable",
        f"{kept} accepted",
        f"{bad} bad",
        f"{wrong} accepted",
        f"{kept + wrong} sold",
    ):
        assert text in guide, text
    assert f"r = {slipped(tools, 50, share):.3f}" in guide and f"the {1000 - kept - wrong} that are" in guide
    assert (
        f"{month['share'].iloc[0]:.0%} (accepted), {month['share'].iloc[1]:.0%}".replace("%", " %") in guide
    )
    now, then = ways[50].loc["program"], ways[best].loc["program"]
    safe = ways[50].loc["program, then teacher"]
    assert f"{now['quantity']:,.0f} is the middle" in guide and now["to"] == math.inf
    for text in (
        f"the line {best:g} in place",
        f"about {then.iloc[0]:.2f} euros and brings {tools['prices']['price']:.2f}",
        f"{then['quantity']:.0f} problems a month ({then['from']:.0f} to {then['to']:.0f})",
        f"{now.iloc[0]:.2f}, and the break-even is {now['quantity']:,.0f}",
        f"{safe.iloc[0]:.2f}, from {safe['quantity']:.0f} ({safe['from']:.0f} to {safe['to']:,.0f})",
        f"{tools['prices']['error']:.2f} for an error",
        f"{100 * slipped(tools, best, share):.0f} % of what we sell",
        f"{100 * share:.0f} % of last month's",
        f"{100 * f:.0f} % of the bad problems and misses {100 * (1 - s):.0f} %",
        "{:.0f} to {:.0f} %".format(*(100 * month.iloc[2, 1:3])),
        "{:.0f} to {:.0f} %, too narrow".format(*(100 * month.iloc[3, 1:3])),
        *("{:.0f} % ({:.0f} to {:.0f})".format(*(100 * villages.iloc[i, 1:4])) for i in (1, 2, 3)),
    ):
        assert text in memo, text
    told = tools["audit"]["score"] >= best
    assert f"only {(told & ~tools['audit']['acceptable']).sum()} bad problems" in memo
    assert f"{2.5 * tools['prices']['wage']:.0f} euros" in memo and len(memo.split()) <= 400
    assert f"{villages['read'].iloc[1]:.1%} were read".replace("%", " %") in guide


@functools.cache
def audits(count=300):
    """New audits and months, none chosen: (audit, month, interval by prompts, interval as if independent, truth)."""
    tools, by_counts = variant(GUIDES), answers(LESSON)[0]["acceptable_share"]["counts"]
    found = []
    for k in range(count):
        noise = torch.Generator().manual_seed(10_000_000 + k)
        audit, month = (tools["problems"](noise, n, share) for n, share in ((60, 0.63), (400, 0.45)))
        told, good = audit["score"] >= 50, audit["acceptable"]
        a = (month["score"] >= 50).double().mean().item()
        mine = by_counts(told, good, audit["prompt"], a)
        counted = [(told[kind].sum().item(), kind.sum().item()) for kind in (good, ~good)]
        naive = corrected_interval((round(4000 * a), 4000), *counted)
        found.append(
            (audit, (float(mine["low"]), float(mine["high"])), naive[1:], month["acceptable"].double().mean())
        )
    return found


def test_the_interval_by_prompts_covers_and_the_other_does_not():
    inside = [
        sum(
            bool(ends[which][0] <= truth <= ends[which][1])
            for *ends, truth in (each[1:] for each in audits())
        )
        / 300
        for which in (0, 1)
    ]
    assert 0.885 < inside[0] < 0.945 and 0.68 < inside[1] < 0.78, inside


def test_the_cost_at_the_best_line_is_optimistic():
    tools = variant(GUIDES)
    large = tools["problems"](torch.Generator().manual_seed(1), 20_000, 0.45)
    prices = tools["prices"] | {"generate": 0.2, "error": 6.0}
    off = []
    for audit, *_ in audits()[:200]:
        found = tools["best_line"](audit["score"], audit["acceptable"], 0.45, prices)
        told = large["score"] >= found["line"]
        s, f = (told[kind].double().mean().item() for kind in (large["acceptable"], ~large["acceptable"]))
        off.append(tools["cost_of_sold"](0.45, s, f, prices)["program"] - found["cost"])
    off = torch.tensor(off)
    assert 0.08 < off.mean() < 0.15 and 0.72 < (off > 0).double().mean() < 0.86, (
        off.mean(),
        (off > 0).double().mean(),
    )


if __name__ == "__main__":
    number = int(sys.argv[1])
    make_variant(LESSON, number, dict(board(number)))
