"""Answers to assignment 21: right ones, written in several ways, and wrong ones with words of the sentence they get."""

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import torch

from helpers.acceptance import (
    break_even,
    corrected_interval,
    corrected_share,
    corrected_shares,
    cost_of_accepted,
)

# --- question 1 --------------------------------------------------------------------------------------------------


def solved(accepted, acceptable, rate):
    s, f = (accepted[kind].double().mean().item() for kind in (acceptable, ~acceptable))
    return (rate - f) / (s - f) if s != f else math.nan, s, f


def cut(value):
    return min(max(value, 0.0), 1.0)


def jackknifed(
    accepted,
    acceptable,
    prompt,
    rate,
    share=None,
    units=None,
    inside=lambda values: values,
    sigma=None,
    u=1.96,
    around=None,
    ends=cut,
):
    """The right answer; each argument replaces a part of it."""
    full, s, f = solved(accepted, acceptable, rate)
    if s <= f:
        return {"share": math.nan, "low": 0.0, "high": 1.0}
    units = prompt if units is None else units(prompt)
    values = [solved(accepted[units != g], acceptable[units != g], rate)[0] for g in units.unique()]
    values = inside(torch.tensor(values, dtype=torch.float64))
    g = len(values)
    one = math.sqrt((g - 1) / g * (values - values.mean()).square().sum()) if sigma is None else sigma(values)
    said = cut(full) if share is None else share(accepted, acceptable, prompt, rate)
    middle = cut(full) if around is None else around(full)
    return {"share": said, "low": ends(middle - u * one), "high": ends(middle + u * one)}


def by_counts(accepted, acceptable, prompt, rate):
    """A table of counts for each prompt, taken off the sums."""
    names, place = prompt.unique(return_inverse=True)
    cells = [
        (a & b).double() for a in (accepted, ~accepted) for b in (acceptable, ~acceptable)
    ]  # accepted good, accepted bad, rejected good, rejected bad
    table = torch.stack([torch.zeros(len(names)).double().index_add(0, place, cell) for cell in cells])
    total = table.sum(1, keepdim=True)

    def pi(counts):
        s, f = counts[0] / (counts[0] + counts[2]), counts[1] / (counts[1] + counts[3])
        return (rate - f) / (s - f), s > f

    (share,), tells = pi(total)
    if not tells:
        return {"share": float("nan"), "low": 0, "high": 1}
    values, g = pi(total - table)[0], len(names)
    share = share.clamp(0, 1)
    half = 1.96 * (g - 1) * (values.var() / g).sqrt()
    return {"share": share, "low": (share - half).clamp(min=0), "high": (share + half).clamp(max=1)}


def by_pandas(accepted, acceptable, prompt, rate):
    frame = pd.DataFrame({"told": accepted.numpy(), "good": acceptable.numpy(), "prompt": prompt.numpy()})

    def pi(rows):
        means = rows.groupby("good")["told"].mean()
        return (rate - means[False]) / (means[True] - means[False])

    means = frame.groupby("good")["told"].mean()
    if means[True] <= means[False]:
        return dict(share=np.nan, low=0.0, high=1.0)
    values = np.array([pi(frame[frame["prompt"] != each]) for each in frame["prompt"].unique()])
    middle = np.clip(pi(frame), 0, 1)
    half = 1.96 * np.sqrt((len(values) - 1) * values.var())
    return {"share": middle, "low": np.clip(middle - half, 0, 1), "high": np.clip(middle + half, 0, 1)}


def round_the_estimate(accepted, acceptable, prompt, rate):
    """The other usual jackknife: squares around the estimate from all prompts. And the helper for the share."""
    full, s, f = solved(accepted, acceptable, rate)
    if not f < s:
        return {"share": math.nan, "low": 0.0, "high": 1.0}
    full = corrected_share(rate, s, f)
    return jackknifed(
        accepted,
        acceptable,
        prompt,
        rate,
        sigma=lambda v: math.sqrt((len(v) - 1) / len(v) * (v - full).square().sum()),
    )


def with_helper(accepted, acceptable, prompt, rate):
    counts = [(int(accepted[kind].sum()), int(kind.sum())) for kind in (acceptable, ~acceptable)]
    if counts[0][0] * counts[1][1] <= counts[1][0] * counts[0][1]:
        return {"share": math.nan, "low": 0.0, "high": 1.0}
    n = len(accepted)
    low, high = corrected_interval((round(rate * n), n), *counts)[1:]
    return {"share": cut(solved(accepted, acceptable, rate)[0]), "low": low, "high": high}


def slip(**parts):
    return lambda *given: jackknifed(*given, **parts)


def independent(accepted, acceptable, prompt, rate):
    share, s, f = solved(accepted, acceptable, rate)
    if s <= f:
        return {"share": math.nan, "low": 0.0, "high": 1.0}
    share, n = cut(share), (acceptable.sum().item(), (~acceptable).sum().item())
    variance = share**2 * s * (1 - s) / n[0] + (1 - share) ** 2 * f * (1 - f) / n[1]
    half = 1.96 * math.sqrt(variance) / (s - f)
    return {"share": share, "low": cut(share - half), "high": cut(share + half)}


def as_if_useful(accepted, acceptable, prompt, rate):
    """No look at s ≤ f."""
    full, s, f = solved(accepted, acceptable, rate)
    if s > f:
        return jackknifed(accepted, acceptable, prompt, rate)
    return {"share": cut(full), "low": 0.0, "high": 1.0}


def by_predictive_values(accepted, acceptable, prompt, rate):
    good, bad = (acceptable[kind].double().mean().item() for kind in (accepted, ~accepted))
    return good * rate + bad * (1 - rate)


def by_columns(accepted, acceptable, prompt, rate):
    s, f = (acceptable[kind].double().mean().item() for kind in (accepted, ~accepted))
    return cut((rate - f) / (s - f))


def by_joint_shares(accepted, acceptable, prompt, rate):
    s, f = ((accepted & kind).double().mean().item() for kind in (acceptable, ~acceptable))
    return cut((rate - f) / (s - f))


def each_problem(prompt):
    return torch.arange(len(prompt))


def blocks_of_four(prompt):
    return torch.arange(len(prompt)) // 4


def audit_rate(answer):
    """`rate` is computed anew, from the audit."""
    return lambda accepted, acceptable, prompt, rate: answer(
        accepted, acceptable, prompt, accepted.double().mean().item()
    )


def counted_up(accepted, acceptable, prompt, rate):
    """Leaves out the prompts 0 to G − 1, whatever their numbers are."""
    share, g = jackknifed(accepted, acceptable, prompt, rate)["share"], len(prompt.unique())
    if math.isnan(share):
        return {"share": share, "low": 0.0, "high": 1.0}
    values = [solved(accepted[prompt != k], acceptable[prompt != k], rate)[0] for k in range(g)]
    values = torch.tensor(values, dtype=torch.float64)
    half = 1.96 * math.sqrt((g - 1) / g * (values - values.mean()).square().sum())
    return {"share": share, "low": cut(share - half), "high": cut(share + half)}


def mean_without(accepted, acceptable, prompt, rate):
    """The mean of the π₍g₎."""
    units = prompt.unique()
    values = [solved(accepted[prompt != g], acceptable[prompt != g], rate)[0] for g in units]
    return sum(values) / len(values)


def round_the_mean(accepted, acceptable, prompt, rate):
    mean = mean_without(accepted, acceptable, prompt, rate)
    return jackknifed(accepted, acceptable, prompt, rate, around=lambda full: cut(mean))


SHARE_RIGHT = {
    "counts": by_counts,
    "pandas": by_pandas,
    "around the estimate": round_the_estimate,
    "parts": slip(),
}
SHARE_WRONG = {
    "the accepted share": (slip(share=lambda t, g, p, a: a), "not every accepted problem is acceptable"),
    "of the audit": (slip(share=lambda t, g, p, a: g.double().mean()), "acceptable share of the audit"),
    "bad ones": (slip(share=lambda t, g, p, a: cut(1 - solved(t, g, a)[0])), "*bad* problems"),
    "f forgotten": (slip(share=lambda t, g, p, a: cut(a / solved(t, g, a)[1])), "f is not taken off"),
    "predictive values": (slip(share=by_predictive_values), "acceptable shares of the audit"),
    "columns": (slip(share=by_columns), "columns for rows"),
    "joint": (slip(share=by_joint_shares), "not of all"),
    "not brought back": (slip(share=lambda t, g, p, a: solved(t, g, a)[0]), "outside [0, 1]"),
    "always useful": (as_if_useful, "tells nothing"),
    "independent": (independent, "resemble each other"),
    "by the helper": (with_helper, "resemble each other"),
    "problem by problem": (slip(units=each_problem), "each *problem* is left out"),
    "no factor": (
        slip(sigma=lambda v: math.sqrt((v - v.mean()).square().sum())),
        "factor (G − 1)/G is missing",
    ),
    "standard deviation": (slip(sigma=lambda v: v.std().item()), "*summed*"),
    "standard error": (slip(sigma=lambda v: v.std().item() / math.sqrt(len(v))), "independent values"),
    "one sigma": (slip(u=1.0), "68 %"),
    "90 %": (slip(u=1.645), "90 %"),
    "boxed": (slip(inside=lambda v: v.clamp(0, 1)), "before their spread"),
    "not cut": (slip(ends=lambda x: x), "has to be cut"),
    "around the uncut": (slip(around=lambda full: full), "before it is brought"),
    "two: single problems, no factor": (
        slip(units=each_problem, sigma=lambda v: math.sqrt((v - v.mean()).square().sum())),
        "two mistakes",
    ),
    "two: single problems, one sigma": (slip(units=each_problem, u=1.0), "two mistakes"),
    "two: accepted share, independent": (
        lambda *given: independent(*given) | {"share": given[-1]},
        "not every accepted problem",
    ),
    "rate of the audit": (audit_rate(slip()), "acceptable share of the audit"),
    "prompts counted up": (counted_up, "not numbered 0 to G − 1"),
    "blocks of four": (slip(units=blocks_of_four), "none of the usual"),
    "around the mean": (round_the_mean, "around the mean of the π₍g₎"),
    "the mean": (
        slip(share=lambda *given: cut(mean_without(*given))),
        "that is the mean of the π₍g₎",
    ),
    "two: rate of the audit, independent": (audit_rate(independent), "acceptable share of the audit"),
    "a tuple": (lambda *given: tuple(jackknifed(*given).values()), "keys"),
    "nothing": (lambda *given: None, "keys"),
}

# --- question 2 --------------------------------------------------------------------------------------------------

WAYS = ("program", "program, then teacher", "teacher")


def parts_of(share, s, f, prices):
    look = prices["wage"] / 60 * prices["minutes"]
    return s * share + f * (1 - share), prices["generate"] + prices["inspect"], look


def costs(share, s, f, prices, **other):
    """The right costs, and others for some of the ways: each a function of share, s, f, prices, a, make, look."""
    a, make, look = parts_of(share, s, f, prices)
    right = {
        WAYS[0]: lambda: make / a + f * (1 - share) / a * prices["error"] if a else math.inf,
        WAYS[1]: lambda: (make + a * look) / (s * share) if s * share else math.inf,
        WAYS[2]: lambda: (prices["generate"] + look) / share if share else math.inf,
    }
    names = dict(zip(("program", "then", "teacher"), WAYS, strict=True))
    found = {way: f() for way, f in right.items()}
    if a and s * share and share:
        found |= {names[key]: f_(share, s, f, prices, a, make, look) for key, f_ in other.items()}
    return found


def by_thousand(share, s, f, prices):
    """A thousand problems, counted."""
    good, bad = 1000 * share, 1000 * (1 - share)
    sold, slipped = s * good + f * bad, f * bad
    hour = prices["wage"]
    bill = 1000 * prices["generate"] + 1000 * prices["inspect"]
    spent = [
        bill + slipped * prices["error"],
        bill + sold * prices["minutes"] / 60 * hour,
        1000 * prices["generate"] + 1000 * prices["minutes"] / 60 * hour,
    ]
    numbers = sold, s * good, good
    return {
        way: float("inf") if n == 0 else euros / n for way, euros, n in zip(WAYS, spent, numbers, strict=True)
    }


def by_helper_costs(share, s, f, prices):
    a, make, look = parts_of(share, s, f, prices)

    def safe(accepted, generate, review, slipped=0.0):
        return (
            cost_of_accepted(accepted, generate, review, slipped, prices["error"])
            if accepted > 0
            else math.inf
        )

    return {
        "teacher": torch.tensor(safe(share, prices["generate"], look)),
        "program": safe(a, prices["generate"], prices["inspect"], f * (1 - share) / max(a, 1e-300)),
        "program, then teacher": np.float64(safe(s * share, make, a * look)),
    }


def by_division(share, s, f, prices):
    """Divides by zero in torch, where that is infinity."""
    share, s, f = (torch.tensor(x, dtype=torch.float64) for x in (share, s, f))
    a, make, look = parts_of(share, s, f, prices)
    program = (make + f * (1 - share) * prices["error"]) / a
    return {
        WAYS[0]: program.item(),
        WAYS[1]: ((make + a * look) / (s * share)).item(),
        WAYS[2]: ((prices["generate"] + look) / share).item(),
    }


def cost_slip(**other):
    return lambda share, s, f, prices: costs(share, s, f, prices, **other)


COST_RIGHT = {"a thousand": by_thousand, "helper": by_helper_costs, "division": by_division}
COST_WRONG = {
    "per generated": (
        cost_slip(program=lambda p, s, f, c, a, make, look: make + f * (1 - p) / a * c["error"]),
        "*generated*",
    ),
    "no errors": (cost_slip(program=lambda p, s, f, c, a, make, look: make / a), "left out"),
    "f for r": (
        cost_slip(program=lambda p, s, f, c, a, make, look: make / a + f * c["error"]),
        "accepted share of the *bad* ones",
    ),
    "of the generated": (
        cost_slip(program=lambda p, s, f, c, a, make, look: make / a + f * (1 - p) * c["error"]),
        "share of the generated",
    ),
    "all bad ones": (
        cost_slip(program=lambda p, s, f, c, a, make, look: make / a + (1 - p) * c["error"]),
        "most bad ones are rejected",
    ),
    "by π": (
        cost_slip(program=lambda p, s, f, c, a, make, look: make / p + f * (1 - p) / a * c["error"]),
        "divided by π",
    ),
    "she looks at all": (
        cost_slip(then=lambda p, s, f, c, a, make, look: (make + look) / (s * p)),
        "accepted problems only",
    ),
    "by a": (
        cost_slip(then=lambda p, s, f, c, a, make, look: (make + a * look) / a),
        "what the teacher rejects",
    ),
    "only good looks": (
        cost_slip(then=lambda p, s, f, c, a, make, look: make / (s * p) + look),
        "bad accepted problems, too",
    ),
    "errors after her": (
        cost_slip(
            then=lambda p, s, f, c, a, make, look: (make + a * look) / (s * p) + f * (1 - p) / a * c["error"]
        ),
        "finds every bad",
    ),
    "wage a minute": (
        cost_slip(teacher=lambda p, s, f, c, a, make, look: (c["generate"] + 60 * look) / p),
        "sixtieths",
    ),
    "program paid": (cost_slip(teacher=lambda p, s, f, c, a, make, look: (make + look) / p), "does not run"),
    "two: f for r, by π": (
        cost_slip(program=lambda p, s, f, c, a, make, look: make / p + f * c["error"]),
        "sold is what the program accepts, not what is acceptable. And f is",
    ),
    "two: all looked at, by a": (
        cost_slip(then=lambda p, s, f, c, a, make, look: (make + look) / a),
        "not at every one. And divided by a",
    ),
    "two: wage a minute, by a": (
        cost_slip(teacher=lambda p, s, f, c, a, make, look: (c["generate"] + 60 * look) / a),
        "sixtieths. And divided by a",
    ),
    "1 − s for r": (
        cost_slip(program=lambda p, s, f, c, a, make, look: make / a + (1 - s) * c["error"]),
        "good ones that are rejected",
    ),
    "she looks at π": (
        cost_slip(then=lambda p, s, f, c, a, make, look: (make + p * look) / (s * p)),
        "not at what is acceptable",
    ),
    "teacher by a": (
        cost_slip(teacher=lambda p, s, f, c, a, make, look: (c["generate"] + look) / a),
        "divided by a: she sells",
    ),
    "two: 1 − s for r, by π": (
        cost_slip(program=lambda p, s, f, c, a, make, look: make / p + (1 - s) * c["error"]),
        "And 1 − s",
    ),
    "two in each way, which cancel at π = a and f = r": (
        cost_slip(
            program=lambda p, s, f, c, a, make, look: make / p + f * c["error"],
            then=lambda p, s, f, c, a, make, look: (make + p * look) / (s * p),
            teacher=lambda p, s, f, c, a, make, look: (c["generate"] + look) / a,
        ),
        "And f is",
    ),
    "zero": (
        lambda share, s, f, prices: {
            way: by_thousand(max(share, 1e-9), max(s, 1e-9), max(f, 1e-9), prices)[way] for way in WAYS
        },
        "infinity",
    ),
    "division by zero": (
        lambda share, s, f, prices: {
            WAYS[0]: (parts_of(share, s, f, prices)[1] + f * (1 - share) * prices["error"])
            / parts_of(share, s, f, prices)[0],
            WAYS[1]: (
                parts_of(share, s, f, prices)[1]
                + parts_of(share, s, f, prices)[0] * parts_of(share, s, f, prices)[2]
            )
            / (s * share),
            WAYS[2]: (prices["generate"] + parts_of(share, s, f, prices)[2]) / share,
        },
        "ZeroDivisionError",
    ),
    "a list": (lambda *given: list(by_thousand(*given).values()), "keys"),
}


def quantity(cost, share, prices, whole=math.ceil):
    left = prices["price"] - cost(share)
    return whole(prices["fixed"] / left) if left > 0 else math.inf


def by_search(cost, interval, prices):
    """Counts upwards."""

    def first(share):
        left = prices["price"] - cost(share)
        if left <= 0:
            return math.inf
        n = max(int(prices["fixed"] / left) - 2, 0)
        while n * left < prices["fixed"]:
            n += 1
        return n

    low, share, high = interval
    return {"quantity": first(share), "from": first(high), "to": first(low)}


def by_sorting(cost, interval, prices):
    found = [quantity(cost, share, prices) for share in interval]
    return {"quantity": found[1], "from": min(found), "to": torch.tensor(float(max(found)))}


def by_numpy(cost, interval, prices):
    left = prices["price"] - np.array([cost(share) for share in interval])
    with np.errstate(divide="ignore"):
        n = np.where(left > 0, np.ceil(prices["fixed"] / left), np.inf)
    return {"quantity": n[1], "from": n[2], "to": n[0]}


def by_break_even_helper(cost, interval, prices):
    """break_even(fixed, 0, price − c) is the quantity, not rounded."""
    c = [min(cost(share), prices["price"]) for share in interval]
    n = [break_even(prices["fixed"], 0, prices["price"], 1.0, each) for each in c]
    n = [math.ceil(each) if each < math.inf else each for each in n]
    return dict(zip(("to", "quantity", "from"), n, strict=True))


def quantity_slip(of=quantity, order=(1, 2, 0), shift=lambda interval: interval):
    def answer(cost, interval, prices):
        found = [of(cost, share, prices) for share in shift(interval)]
        return dict(zip(("quantity", "from", "to"), (found[i] for i in order), strict=True))

    return answer


def raw_margin(cost, share, prices, whole=math.ceil):
    left = prices["price"] - cost(share)
    return whole(prices["fixed"] / left) if left and math.isfinite(left) else math.inf


def by_the_price(cost, share, prices):
    return math.ceil(prices["fixed"] / prices["price"])


def one_more(cost, share, prices):
    left = prices["price"] - cost(share)
    return math.floor(prices["fixed"] / left) + 1 if left > 0 else math.inf


QUANTITY_RIGHT = {
    "search": by_search,
    "sorting": by_sorting,
    "numpy": by_numpy,
    "helper": by_break_even_helper,
}
QUANTITY_WRONG = {
    "exchanged": (quantity_slip(order=(1, 0, 2)), "exchanged"),
    "not whole": (quantity_slip(lambda c, s, p: quantity(c, s, p, float)), "whole number"),
    "rounded down": (quantity_slip(lambda c, s, p: quantity(c, s, p, math.floor)), "rounded down"),
    "one more": (quantity_slip(one_more), "one problem too many"),
    "negative": (quantity_slip(raw_margin), "negative"),
    "no cost": (quantity_slip(by_the_price), "cost is left out"),
    "no price": (
        quantity_slip(lambda c, s, p: math.ceil(p["fixed"] / c(s)) if 0 < c(s) < math.inf else math.inf),
        "price is left out",
    ),
    "nothing sold": (
        quantity_slip(lambda c, s, p: 0 if quantity(c, s, p) == math.inf else quantity(c, s, p)),
        "0 problems are sold",
    ),
    "no loss seen": (
        quantity_slip(
            lambda c, s, p: math.ceil(p["fixed"] / abs(p["price"] - c(s))) if p["price"] != c(s) else math.inf
        ),
        "loss counts as a gain",
    ),
    "one share": (quantity_slip(order=(1, 1, 1)), "an end of the interval"),
    "to the nearest": (quantity_slip(lambda c, s, p: quantity(c, s, p, round)), "to the nearest"),
    "generated": (
        quantity_slip(
            lambda c, s, p: math.ceil(quantity(c, s, p) / s) if quantity(c, s, p) < math.inf else math.inf
        ),
        "*generated*",
    ),
    "two: generated, rounded down": (
        quantity_slip(
            lambda c, s, p: (
                math.floor(quantity(c, s, p, math.floor) / s) if quantity(c, s, p) < math.inf else math.inf
            )
        ),
        "none of the usual",
    ),
    "two: exchanged, not whole": (
        quantity_slip(lambda c, s, p: quantity(c, s, p, float), order=(1, 0, 2)),
        "whole number",
    ),
    "two: rounded down, no cost": (
        quantity_slip(lambda c, s, p: math.floor(p["fixed"] / p["price"])),
        "none of the usual",
    ),
    "division by zero": (
        quantity_slip(
            lambda c, s, p: math.ceil(p["fixed"] / (p["price"] - c(s))) if c(s) <= p["price"] else math.inf
        ),
        "ZeroDivisionError",
    ),
    "a triple": (lambda *given: tuple(by_search(*given).values()), "keys"),
}

# --- question 3 --------------------------------------------------------------------------------------------------


def lines(score, acceptable, share, prices):
    """Each line with its cost and its figures."""
    for line in range(102):
        told = score >= line
        if told.any():
            s, f = (told[kind].double().mean().item() for kind in (acceptable, ~acceptable))
            a = s * share + f * (1 - share)
            r = f * (1 - share) / a
            yield {
                "line": line,
                "s": s,
                "f": f,
                "a": a,
                "r": r,
                "right": (told == acceptable).double().mean().item(),
            }


def cheapest(of, cost=None, share_of=lambda share, acceptable: share):
    """The best line by `of`, called with a row and the prices; its cost by `cost`, or else the true one."""

    def answer(score, acceptable, share, prices):
        used = share_of(share, acceptable)
        best = min(lines(score, acceptable, used, prices), key=lambda row: of(row, prices, used))
        here = {row["line"]: row for row in lines(score, acceptable, share, prices)}[best["line"]]
        return {"line": best["line"], "cost": (cost or true_cost)(best if cost else here, prices, used)}

    return answer


def true_cost(row, prices, share):
    return (prices["generate"] + prices["inspect"]) / row["a"] + row["r"] * prices["error"]


def by_sorted_scores(score, acceptable, share, prices):
    """Cumulative counts from the highest score down, the line half a point below the score."""
    values, order = score.sort(descending=True)
    good = acceptable[order].double()
    s, f = good.cumsum(0) / good.sum(), (1 - good).cumsum(0) / (1 - good).sum()
    last = torch.cat([values[1:] != values[:-1], torch.tensor([True])])  # of those with the same score
    a = s * share + f * (1 - share)
    cost = (prices["generate"] + prices["inspect"] + f * (1 - share) * prices["error"]) / a
    cost = torch.where(last & (a > 0), cost, math.inf)
    return {"line": values[cost.argmin()] - 0.5, "cost": cost.min()}


def by_weights(score, acceptable, share, prices):
    """Each problem of the audit weighs what its kind has today, so all sums are those of today."""
    kinds = acceptable.double().numpy()
    weight = np.where(kinds == 1, share / kinds.sum(), (1 - share) / (1 - kinds).sum())
    spent = prices["generate"] + prices["inspect"]
    found = {}
    for line in np.unique(score.numpy()):
        told = score.numpy() >= line
        found[line] = (spent + prices["error"] * (weight * told * (1 - kinds)).sum()) / (weight * told).sum()
    line = min(found, key=found.get)
    return {"line": np.int64(line), "cost": found[line]}


LINE_RIGHT = {
    "all lines": cheapest(true_cost),
    "sorted scores": by_sorted_scores,
    "weights": by_weights,
}


def make_of(prices):
    return prices["generate"] + prices["inspect"]


def strictly(score, acceptable, share, prices):
    """Accepts above the line: the same decisions need a line one lower."""
    found = cheapest(true_cost)(score, acceptable, share, prices)
    return found | {
        "line": score[score < found["line"]].max().item() if (score < found["line"]).any() else -1
    }


def the_own_share(share, acceptable):
    return acceptable.double().mean().item()


LINE_WRONG = {
    "accuracy": (cheapest(lambda row, c, p: -row["right"]), "most right verdicts"),
    "Youden": (cheapest(lambda row, c, p: row["f"] - row["s"]), "largest s − f"),
    "the audit's share": (cheapest(true_cost, true_cost, the_own_share), "audit's own share"),
    "per generated": (
        cheapest(lambda row, c, p: make_of(c) + row["f"] * (1 - p) * c["error"]),
        "sell almost nothing",
    ),
    "gain per generated": (
        cheapest(lambda row, c, p: make_of(c) + row["f"] * (1 - p) * c["error"] - row["a"] * c["price"]),
        "gain from a generated problem",
    ),
    "no errors": (cheapest(lambda row, c, p: make_of(c) / row["a"]), "errors cost nothing"),
    "f for r": (cheapest(lambda row, c, p: make_of(c) / row["a"] + row["f"] * c["error"]), "f is paid for"),
    "rejected for nothing": (
        cheapest(lambda row, c, p: make_of(c) + row["r"] * c["error"]),
        "sell almost nothing",
    ),
    "only errors": (cheapest(lambda row, c, p: row["r"]), "only the errors"),
    "before the teacher": (
        cheapest(
            lambda row, c, p: (make_of(c) + row["a"] * c["wage"] * c["minutes"] / 60) / (row["s"] * p or 1e-9)
        ),
        "before a teacher",
    ),
    "above the line": (strictly, "≥, not >"),
    "every tenth": (
        lambda score, acceptable, share, prices: min(
            (
                {"line": row["line"], "cost": true_cost(row, prices, share)}
                for row in lines(score, acceptable, share, prices)
                if row["line"] % 10 == 0
            ),
            key=lambda each: each["cost"],
        ),
        "every tenth line",
    ),
    "the line of today": (
        lambda score, acceptable, share, prices: {"line": 50, "cost": 1.0},
        "at your line of 50",
    ),
    "no line": (
        lambda score, acceptable, share, prices: {"line": 101, "cost": 0.0},
        "no problem reaches",
    ),
    "cost of the audit": (
        lambda score, acceptable, share, prices: (
            cheapest(true_cost)(score, acceptable, share, prices)
            | {
                "cost": cheapest(true_cost, true_cost, the_own_share)(score, acceptable, share, prices)[
                    "cost"
                ]
            }
        ),
        "cost",
    ),
    "two: f for r, audit's share": (
        cheapest(
            lambda row, c, p: make_of(c) / row["a"] + row["f"] * c["error"],
            lambda row, c, p: make_of(c) / row["a"] + row["f"] * c["error"],
            the_own_share,
        ),
        "f is paid for",
    ),
    "two: gain, and the look left out": (
        cheapest(lambda row, c, p: c["generate"] + row["f"] * (1 - p) * c["error"] - row["a"] * c["price"]),
        "gain from a generated",
    ),
    "zero accepted": (
        lambda score, acceptable, share, prices: {
            "line": min(range(102), key=lambda t: 1 / (score >= t).sum().item()),
            "cost": 1.0,
        },
        "ZeroDivisionError",
    ),
    "a pair": (lambda *given: (50, 1.0), "keys"),
}

# --- question 4 --------------------------------------------------------------------------------------------------


def finished(shares):
    shares = shares.clamp(min=0)
    return shares / shares.sum()


def by_the_helper(counts, read):
    return finished(corrected_shares(read / read.sum(), (counts / counts.sum(1, keepdim=True)).T))


def by_inverse(counts, read):
    rates = counts.numpy() / counts.numpy().sum(1)[:, None]
    shares = np.maximum(read.numpy() @ np.linalg.inv(rates), 0)
    return shares / shares.sum()


def by_least_squares(counts, read):
    rates = counts / counts.sum(1)[:, None]
    found = torch.linalg.lstsq(rates.T, read[:, None]).solution[:, 0]
    found[found < 0] = 0
    return (found / found.sum()).tolist()


def by_cramer(counts, read):
    """In fractions."""
    k = len(read)
    rows = [[Fraction(int(x)) / int(sum(row)) for x in row] for row in counts.tolist()]
    table = [[rows[i][j] for i in range(k)] + [Fraction(int(read[j]))] for j in range(k)]
    for i in range(k):
        pivot = next(r for r in range(i, k) if table[r][i] != 0)
        table[i], table[pivot] = table[pivot], table[i]
        table[i] = [x / table[i][i] for x in table[i]]
        for r in range(k):
            if r != i:
                table[r] = [x - table[r][i] * y for x, y in zip(table[r], table[i], strict=True)]
    shares = [max(row[-1], Fraction(0)) for row in table]
    return [float(each / sum(shares)) for each in shares]


def rates_of(counts):
    return counts / counts.sum(1, keepdim=True)


def share_of(read):
    return read / read.sum()


GROUP_RIGHT = {
    "the helper": by_the_helper,
    "inverse": by_inverse,
    "least squares": by_least_squares,
    "fractions": by_cramer,
}
GROUP_WRONG = {
    "as read": (lambda counts, read: share_of(read), "*read*"),
    "not transposed": (
        lambda counts, read: finished(torch.linalg.solve(rates_of(counts), share_of(read))),
        "transpose",
    ),
    "not divided": (
        lambda counts, read: finished(torch.linalg.solve(counts.T, share_of(read))),
        "sums of its rows",
    ),
    "by columns": (
        lambda counts, read: finished(torch.linalg.solve((counts / counts.sum(0)).T, share_of(read))),
        "sums of its columns",
    ),
    "forward": (lambda counts, read: share_of(read) @ rates_of(counts), "would be read"),
    "precision": (lambda counts, read: (counts / counts.sum(0)) @ share_of(read), "old shares"),
    "negative": (
        lambda counts, read: torch.linalg.solve(rates_of(counts).T, share_of(read)),
        "left as it is",
    ),
    "not rescaled": (
        lambda counts, read: torch.linalg.solve(rates_of(counts).T, share_of(read)).clamp(min=0),
        "divided by their sum",
    ),
    "numbers": (
        lambda counts, read: torch.linalg.solve(rates_of(counts).T, read).clamp(min=0),
        "shares are asked for",
    ),
    "no keepdim": (
        lambda counts, read: finished(torch.linalg.solve((counts / counts.sum(1)).T, share_of(read))),
        "keepdim",
    ),
    "by the total": (
        lambda counts, read: finished(torch.linalg.solve((counts / counts.sum()).T, share_of(read))),
        "sums of its rows",
    ),
    "cut to [0, 1]": (
        lambda counts, read: torch.linalg.solve(rates_of(counts).T, share_of(read)).clamp(0, 1),
        "divided by their sum",
    ),
    "shifted": (
        lambda counts, read: (lambda x: share_of(x - x.min().clamp(max=0)))(
            torch.linalg.solve(rates_of(counts).T, share_of(read))
        ),
        "smallest share is taken off",
    ),
    "two: no keepdim, not transposed": (
        lambda counts, read: finished(torch.linalg.solve(counts / counts.sum(1), share_of(read))),
        "none of the usual",
    ),
    "two: no keepdim, negative": (
        lambda counts, read: torch.linalg.solve((counts / counts.sum(1)).T, share_of(read)),
        "keepdim",
    ),
    "two: not transposed, negative": (
        lambda counts, read: torch.linalg.solve(rates_of(counts), share_of(read)),
        "transpose",
    ),
    "two: by columns, negative": (
        lambda counts, read: torch.linalg.solve((counts / counts.sum(0)).T, share_of(read)),
        "columns",
    ),
    "only the diagonal": (
        lambda counts, read: finished(share_of(read) / rates_of(counts).diag()),
        "only the right readings",
    ),
    "nothing": (lambda counts, read: None, "return"),
}

RIGHT = {
    "acceptable_share": SHARE_RIGHT,
    "cost_of_sold": COST_RIGHT,
    "break_even_quantity": QUANTITY_RIGHT,
    "best_line": LINE_RIGHT,
    "group_shares": GROUP_RIGHT,
}
WRONG = {
    "acceptable_share": SHARE_WRONG,
    "cost_of_sold": COST_WRONG,
    "break_even_quantity": QUANTITY_WRONG,
    "best_line": LINE_WRONG,
    "group_shares": GROUP_WRONG,
}
