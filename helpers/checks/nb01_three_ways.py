"""Checks of notebook 01: the novelty of generated reports, and a rule that a knowledge base gets for its scorers."""

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from helpers.feedback import (
    Case,
    Close,
    Feedback,
    Mistake,
    Observe,
    Row,
    Task,
    Trial,
    Wanted,
    a_or_an,
    at,
    diagnose,
)
from helpers.feedback.fallbacks import told

# A: novelty. Counts are chosen so that no share equals another.


def _reports(text: str) -> list[tuple]:
    return [tuple(line.split()) for line in text.strip().splitlines()]


TRAINING = _reports("""
    the foxes beat the herons 2 - 1 .
    the foxes beat the herons 2 - 1 at home .
    the moles drew with the otters 0 - 0 .
    the otters lost to the foxes 1 - 3 . Ada scored .
    the ravens thrashed the moles 4 - 0 .
    the ravens thrashed the moles 4 - 0 .
    the lynxes held the badgers 1 - 1 . the coach was calm .
""")
GENERATED = _reports("""
    the foxes beat the herons 2 - 1 .
    the foxes beat the herons 2 - 1 .
    the foxes beat the herons 2 - 1 .
    the moles drew with the otters 0 - 0 .
    the herons beat the foxes 2 - 1 .
    the herons beat the foxes 2 - 1 .
    the badgers held the lynxes 1 - 1 . the coach was calm .
    the otters lost to the foxes 1 - 3 .
    the falcons fell to the moles 1 - 2 .
    the falcons fell to the moles 1 - 2 .
    the falcons fell to the moles 1 - 2 .
    the falcons fell to the moles 1 - 2 .
    the badgers edged the lynxes 1 - 0 .
    the moles beat the ravens 4 - 3 .
""")  # words in another order, a part of a training report, known words in a new order, and new words
FEWER = _reports("""
    the moles beat the foxes 2 - 1 .
    the ravens thrashed the moles 4 - 0 .
    the ravens thrashed the moles 4 - 0 .
    the ravens thrashed the moles 4 - 0 .
    the lynxes thrashed the badgers 3 - 1 .
""")


def _holds(report: tuple, others: Sequence[tuple]) -> bool:
    return any(" ".join(report) in " ".join(other) for other in others)


def _bags(reports: Sequence[tuple]) -> list[list]:
    return [sorted(report) for report in reports]


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


COUNTED = [
    Row("right", lambda reports: list(dict.fromkeys(reports)), ok=True),
    Row("duplicates", lambda reports: list(reports),
        "Each copy of a report counts again, so a model that writes one new report a thousand times would look very "
        "novel. Asked for is the share among the *distinct* reports."),
]  # fmt: skip
KNOWN = [
    Row("right", lambda report, training: report in training, ok=True),
    Row("part", _holds,
        "A report that is only a part of a longer training report counts as a copy. Are whole reports compared, or is "
        "one text looked for inside another?"),
    Row("order", lambda report, training: sorted(report) in _bags(training),
        "The order of the words is lost, so *the foxes beat the herons* counts as a copy of *the herons beat the "
        "foxes*. Compare the tuples as they are."),
    Row("words", lambda report, training: set(report) <= {word for other in training for word in other},
        "You compare words and not reports: a report of known words counts as known. A new report is usually made of "
        "old words."),
]  # fmt: skip
SHARES = [
    Row("right", lambda new, items, c: _share(new, len(items)), ok=True),
    Row("of_all", lambda new, items, c: _share(new, len(c.reports)),
        "Two numbers that do not belong together are divided: the new ones are counted among the distinct reports, "
        "and divided by the number of all. How many distinct ones are there?"),
    Row("of_training", lambda new, items, c: _share(new, len(c.training)),
        "You divide by the number of training reports. The share of which reports is asked for?"),
    Row("of_distinct_training", lambda new, items, c: _share(new, len(set(c.training))),
        "You divide by the number of distinct training reports. The share of which reports is asked for?"),
    Row("count", lambda new, items, c: float(new),
        "That is how many reports are new, and a share is asked for, a number from 0 to 1. Divide by what?"),
    Row("percent", lambda new, items, c: 100 * _share(new, len(items)),
        "That is the novelty in per cent; a number from 0 to 1 is asked for."),
    Row("copies", lambda new, items, c: 1 - _share(new, len(items)),
        "That is the share of the copies, of those that *are* in the training set. Novelty is what is left."),
]  # fmt: skip
OTHERS = [
    Row("distinct", lambda c: len(set(c.reports)) / len(c.reports),
        "That is the share of distinct reports: how varied they are, whatever the training set is. Where do the "
        "training reports come in?"),
    Row("exchanged", lambda c: len(set(c.training) - set(c.reports)) / len(set(c.training)),
        "That is the share of the *training* reports that were not generated. The two sets have changed places."),
    Row("recalled", lambda c: len(set(c.training) & set(c.reports)) / len(set(c.training)),
        "That is the share of the training reports that were generated again. Which reports is novelty a share of?"),
    Row("symmetric", lambda c: len(set(c.training) ^ set(c.reports)) / len(set(c.training) | set(c.reports)),
        "Training reports that were not generated count as new too. `^` takes what is in one set alone, whichever it "
        "is; novelty looks at the generated ones."),
    Row("union", lambda c: len(set(c.reports) - set(c.training)) / len(set(c.training) | set(c.reports)),
        "You divide by the number of reports in both sets together. The share of which reports is asked for?"),
    Row("vocabulary", lambda c: _share(len(_words(c.reports) - _words(c.training)), len(_words(c.reports))),
        "That is the share of new *words*, and hardly any word is ever new. A report is a tuple of words: compare "
        "whole tuples."),
    Row("places", lambda c: float(np.mean([a != b for a, b in zip(c.reports, c.training, strict=False)])),
        "Each report is compared only with the training report at the same place in the list. A copy may stand "
        "anywhere."),
]  # fmt: skip


def _words(reports: Sequence[tuple]) -> set:
    return {word for report in reports for word in report}


def _novelty(c: Case, counted: Callable, known: Callable, share: Callable) -> float:
    items = counted(c.reports)
    return share(sum(not known(report, c.training) for report in items), items, c)


def _extremes(trial: Trial) -> None:
    """A probe: 0 where all are copies, 1 where none is."""
    for reports, best, what in ((TRAINING[2:], 0, "copies"), (FEWER[:1] + FEWER[-1:], 1, "new")):
        mine = float(trial.ask(trial.cases[0].but(reports=reports))["value"])
        if not abs(mine - best) < 1e-6:
            raise Mistake(
                "extremes",
                f"Where all reports are {what} your novelty is {told(mine)}, and should be {best}. Is a number of the "
                "example written into your code?",
            )


def _small_case(trial: Trial) -> Mistake:
    mine, best = (float(each["value"]) for each in (trial.seen[-1], trial.ours(trial.cases[-1])))
    if abs(mine - best) < 1e-3:
        mine, best = (float(each["value"]) for each in (trial.seen[0], trial.ours(trial.cases[0])))
        where = f"For {len(GENERATED)} generated reports, of which {len(set(GENERATED))} are distinct,"
    else:
        where = "Five reports were generated, one of them three times, and that one alone is in the training set. There"
    return Mistake(
        "value",
        f"{where} your novelty is {told(mine, 4)}, and should be {told(best, 4)}. How many reports count, and how many "
        "of those are new?",
    )


NOVELTY = Task(
    usage="my_novelty(reports, training)",
    cases=lambda: [Case(reports=GENERATED, training=TRAINING), Case(reports=FEWER, training=TRAINING)],
    tables=(COUNTED, KNOWN, SHARES),
    compose=_novelty,
    ways=OTHERS,
    observe=Observe(Wanted("()", lambda c: (), what="one number", otherwise="One share for all reports together.")),
    close=Close(1e-4, 1e-6),
    praise="Whole reports are compared, and each distinct one counts once.",
    probes=(
        at(lambda c: c.but(reports=c.reports[::-1], training=c.training[::-1]), "order",
           "When the reports come in another order your novelty is another one. Is a report only compared with some of "
           "the training reports?"),
        _extremes,
    ),
    witness=_small_case,
    said=(("unhashable", "unhashable",
           "A set can hold tuples, and not lists. The reports are tuples already: keep each one as it is."),),
)  # fmt: skip


def check_novelty(f: Callable[[Sequence[tuple], Sequence[tuple]], float]) -> Feedback:
    """Say whether `f(reports, training)` is the share of the distinct reports that are none of the training reports.

    Both are lists of tuples of words, with duplicates. Compared is one number to 1e-4, on two lists, in another order,
    and where all or none are copies, so any equal formula passes. Raises nothing.
    """
    return diagnose(NOVELTY, f)


# B: a rule for the knowledge base. The learner's function judges one match; the task sees its answers to many.

MATCHES = [(home, away, goals) for home in range(5) for away in range(5) for goals in (1, 2, 3)]
HIGHER = [(home, away, goals) for home in (0, 5, 7) for away in (0, 6, 8) for goals in (1, 4, 5, 6, 7, 8, 9)]


def _truth(value: object) -> bool:
    """True or False from what a rule says of one match. Raises `Mistake` for anything else."""
    if isinstance(value, Tensor) and value.numel() == 1 and not value.is_meta:
        value = value.item()
    if isinstance(value, bool | np.bool_ | int | float) and value in (0, 1):
        return bool(value)
    raise Mistake(
        "type",
        f"For one match your rule returned {a_or_an(value)} that is neither True nor False. A rule answers yes or no: "
        "may one player have scored so many goals?",
    )


def _truths(value: object, c: Case) -> list[bool]:
    return [_truth(each) for each in value]


def _rows(kind: str, say: str, *rules: Callable) -> list[Row]:
    return [Row(kind, _each(rule), say) for rule in rules]


def _each(rule: Callable) -> Callable:
    """The rule of one match as one of a list of matches; `...` and None where it gives these."""

    @functools.wraps(rule)
    def asked(home_goals: list, away_goals: list, goals: list) -> object:
        said = [rule(*match) for match in zip(home_goals, away_goals, goals, strict=True)]
        return next((each for each in said if each is None or each is ...), said)

    return asked


ANSWERS = [
    Row("right", _each(lambda h, a, g: g <= max(h, a)), ok=True),
    *_rows("strict",
        "A player who scored all goals of the side is refused: two goals in a 2–1 are possible. Look at your "
        "comparison where both numbers are equal.",
        lambda h, a, g: g < max(h, a)),
    *_rows("total",
        "You count the goals of both sides together, so after a 1–1 a player may have scored two. Nobody scores for "
        "both sides: which of the two numbers is the limit?",
        lambda h, a, g: g <= h + a, lambda h, a, g: g < h + a),
    *_rows("fewer",
        "Your limit is the side that scored *fewer* goals, so after a 2–0 nobody may have scored. The player may be in "
        "the other team.",
        lambda h, a, g: g <= min(h, a)),
    *_rows("home",
        "Only the goals of the home side count in your rule. The scorer may play for the visitors.",
        lambda h, a, g: g <= h),
    *_rows("away",
        "Only the goals of the visitors count in your rule. The scorer may play at home.",
        lambda h, a, g: g <= a),
    *_rows("winner",
        "After a draw your rule refuses every scorer, as if only the winning side had scored. In a 1–1 there are two "
        "scorers.",
        lambda h, a, g: h != a and g <= max(h, a)),
    *_rows("margin",
        "You compare with the difference of the goals. That says by how much a side has won, not how many goals it "
        "scored.",
        lambda h, a, g: g <= abs(h - a), lambda h, a, g: g <= h - a),
    *_rows("negated",
        "Your rule is the wrong way round: it is true where the report has to be refused.",
        lambda h, a, g: g > max(h, a)),
    *_rows("at_least",
        "Your comparison is the wrong way round: it lets those pass who scored at least as many goals as a side.",
        lambda h, a, g: g >= max(h, a)),
    *_rows("equal",
        "Only a player who scored all goals of a side passes your rule. Fewer are possible too.",
        lambda h, a, g: g == max(h, a), lambda h, a, g: g in (h, a)),
    *_rows("goalless",
        "Your rule refuses a scorer after a 0–0 only. After a 1–0 it lets a hat-trick pass: compare the goals.",
        lambda h, a, g: h + a > 0),
    *_rows("both_scored",
        "Your rule asks only whether both sides have scored. Compare with the number of goals, and think of a 2–0.",
        lambda h, a, g: h > 0 and a > 0),
    *_rows("always",
        "Your rule says yes to everything, so it refuses nothing. What is impossible after a 0–0?",
        lambda h, a, g: True),
    *_rows("never",
        "Your rule says no to everything. Is one goal possible after a 1–0?",
        lambda h, a, g: False),
]  # fmt: skip


def _one_match(trial: Trial) -> Mistake:
    for case, seen in zip(trial.cases, trial.seen, strict=True):
        for *match, mine in zip(*case.values(), seen["value"].tolist(), strict=True):
            home, away, goals = match
            best = goals <= max(home, away)
            if bool(mine) != best:
                told_of = "lets pass" if mine else "refuses"
                times = "one goal" if goals == 1 else f"{goals} goals"
                return Mistake(
                    "value",
                    f"After a {home}–{away} your rule {told_of} a player with {times}, which is "
                    f"{'possible' if best else 'impossible'}. Go through this match with your rule, word by word.",
                )
    raise AssertionError("A rule that is right everywhere has a row.")


RULE = Task(
    usage="my_rule(home_goals, away_goals, goals)",
    cases=lambda: [
        Case(zip(("home_goals", "away_goals", "goals"), map(list, zip(*matches, strict=True)), strict=True))
        for matches in (MATCHES, HIGHER)
    ],
    tables=(ANSWERS,),
    observe=Observe(Wanted("(N,)", lambda c: (len(c.goals),)), read=_truths),
    close=Close(0, 1e-6),
    praise="One player scores at most what the side with more goals scored, so after a 0–0 the rule names no scorer.",
    witness=_one_match,
)


def check_scorer_rule(f: Callable[[int, int, int], bool]) -> Feedback:
    """Say whether `f(home_goals, away_goals, goals)` is true where one player may have scored `goals` goals, 1 or more.

    Asked are all scores up to 4–4 with one to three goals, and some higher ones; True and False may be written as 1 and
    0. Raises nothing.
    """
    return diagnose(RULE, _each(f) if callable(f) else f)
