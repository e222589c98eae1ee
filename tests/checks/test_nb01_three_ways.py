"""Both sides of the checks of notebook 01: each right way to count, each right rule; and the mistakes, by name."""

import collections

import numpy as np
import pandas as pd
import torch
from answers import folded_solutions, tests_of

from helpers.checks import check_novelty, check_scorer_rule
from helpers.metrics import novelty

SOLUTIONS = folded_solutions("01_three_ways_to_generate")

# A: novelty


def by_a_loop(reports, training):
    seen, new = [], 0
    for report in reports:
        if report not in seen:
            seen.append(report)
            new += report not in training
    return new / len(seen)


def by_pandas(reports, training):
    texts = pd.Series([" ".join(report) for report in reports]).drop_duplicates()
    return 1 - texts.isin([" ".join(report) for report in training]).mean()


def by_a_counter(reports, training):
    distinct = collections.Counter(reports)
    return np.mean([report not in set(training) for report in distinct])


def as_a_tensor(reports, training):
    return torch.tensor([report not in training for report in dict.fromkeys(reports)]).float().mean()


def joined_without_spaces(reports, training):
    mine, theirs = ({"".join(report) for report in each} for each in (reports, training))
    return 1 - len(mine & theirs) / len(mine)


def with_duplicates(reports, training):
    return sum(report not in training for report in reports) / len(reports)


def new_among_distinct_over_all(reports, training):
    return len(set(reports) - set(training)) / len(reports)


def inside_a_text(reports, training):
    text = " ".join(" ".join(report) for report in training)
    distinct = {" ".join(report) for report in reports}
    return sum(report not in text for report in distinct) / len(distinct)


def without_order(reports, training):
    mine, theirs = ({frozenset(report) for report in each} for each in (reports, training))
    return len(mine - theirs) / len(mine)


def of_words(reports, training):
    mine, theirs = ({word for report in each for word in report} for each in (reports, training))
    return len(mine - theirs) / len(mine)


def of_lists(reports, training):
    return len({list(report) for report in reports}) / len(reports)


def of_the_example(reports, training):
    return 6 / 8 if len(reports) > 10 else 2 / 3


test_right_a, _, test_wrong_a = tests_of(
    check_novelty,
    right=[
        novelty,
        SOLUTIONS["my_novelty"],
        by_a_loop,
        by_pandas,
        by_a_counter,
        as_a_tensor,
        joined_without_spaces,
        lambda reports, training: [novelty(reports, training)],
    ],
    wrong=[
        (with_duplicates, "duplicates", "counts again"),
        (new_among_distinct_over_all, "of_all", "do not belong together"),
        (inside_a_text, "part", "inside another"),
        (without_order, "value", "should be"),
        (of_words, "vocabulary", "new *words*"),
        (of_lists, "unhashable", "tuples, and not lists"),
        (of_the_example, "extremes", "example written into your code"),
        (lambda reports, training: 1 - novelty(reports, training), "copies", "Novelty is what is left"),
        (lambda reports, training: 100 * novelty(reports, training), "percent", "per cent"),
        (lambda reports, training: len(set(reports) - set(training)), "count", "Divide by what?"),
        (lambda reports, training: novelty(training, reports), "exchanged", "changed places"),
        (lambda reports, training: len(set(reports)) / len(reports), "distinct", "how varied"),
        (lambda reports, training: 1 - with_duplicates(reports, training), "duplicates", "Two mistakes"),
        (lambda reports, training: set(reports) - set(training), "type", "set"),
        (lambda reports, training: [report not in training for report in reports], "shape", "One number"),
        (lambda reports, training: 0.5, "value", "should be"),
        (lambda reports: 0.5, "signature", "my_novelty(reports, training)"),
    ],
)

# B: the scorer's rule


def in_a_range(home_goals, away_goals, goals):
    return goals in range(1, max(home_goals, away_goals) + 1)


def by_cases(home_goals, away_goals, goals):
    if home_goals == 0 and away_goals == 0:
        return False
    if home_goals >= away_goals:
        return home_goals - goals >= 0
    return away_goals - goals >= 0


def only_two(home_goals, away_goals, goals):
    return goals <= max(home_goals, away_goals) and goals <= 3


test_right_b, _, test_wrong_b = tests_of(
    check_scorer_rule,
    right=[
        SOLUTIONS["my_rule"],
        in_a_range,
        by_cases,
        lambda home_goals, away_goals, goals: int(not goals > max([home_goals, away_goals])),
        lambda h, a, g: np.maximum(h, a) >= g,
        lambda h, a, g: torch.tensor(max(h, a) >= g),
    ],
    wrong=[
        (lambda h, a, g: g < max(h, a), "strict", "two goals in a 2–1"),
        (lambda h, a, g: g <= h + a, "total", "both sides together"),
        (lambda h, a, g: g <= h and g <= a, "fewer", "*fewer* goals"),
        (lambda h, a, g: g <= h, "home", "visitors"),
        (lambda h, a, g: h >= g if h > a else a >= g if a > h else False, "winner", "After a draw"),
        (lambda h, a, g: g <= abs(h - a), "margin", "difference"),
        (lambda h, a, g: not g <= max(h, a), "negated", "wrong way round"),
        (lambda h, a, g: (h, a) != (0, 0), "goalless", "0–0 only"),
        (lambda h, a, g: h > 0 or a > 0, "goalless", "0–0 only"),
        (lambda h, a, g: True, "always", "says yes"),
        (lambda h, a, g: h or a, "type", "neither True nor False"),
        (only_two, "value", "4 goals, which is possible"),
        (lambda h, a, g: g <= max(h, a) or (h, a, g) == (1, 1, 2), "value", "After a 1–1"),
        (lambda h, a, g: "yes", "type", "`str`"),
        (lambda h, a, g: None, "none", "returned None"),
        (lambda h, a: True, "signature", "my_rule(home_goals, away_goals, goals)"),
    ],
)


def test_untouched_stubs_are_no_mistakes():
    def my_rule(home_goals, away_goals, goals):
        return ...  # replace this line

    def my_novelty(reports, training):
        return ...  # replace this line

    assert check_scorer_rule(my_rule).kind == check_novelty(my_novelty).kind == "stub"
