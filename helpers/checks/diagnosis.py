"""Feedback on the five anonymous logs of notebook 07."""

from collections.abc import Mapping
from dataclasses import dataclass

from helpers.checks.frame import Feedback, Mistake, a_or_an, gives_feedback, right
from helpers.diagnosis import DIAGNOSES

# How the logs of `helpers.studies.logs.ANONYMOUS` were made.
TRUTH = {
    "A": "oscillation",
    "B": "range too small",
    "C": "healthy",
    "D": "mode collapse",
    "E": "vanishing gradient",
}

# Other words for the same thing, as learners write them: the first word that fits decides.
SYNONYMS = {
    "vanish": "vanishing gradient",
    "saturat": "vanishing gradient",
    "collaps": "mode collapse",
    "oscillat": "oscillation",
    "circl": "oscillation",
    "range": "range too small",
    "bounded": "range too small",
    "health": "healthy",
    "梯度消失": "vanishing gradient",
    "坍塌": "mode collapse",
    "振荡": "oscillation",
}


@dataclass(frozen=True)
class Sign:
    """What in the log of `letter` speaks against the diagnosis `answer`, without naming the right one."""

    letter: str
    answer: str
    message: str


SIGNS = [
    Sign("A", "healthy", "Log A has fine losses, but look at its points: hardly one of them is good."),
    Sign("A", "vanishing gradient", "In log A a gradient of length about 0.3 reaches G to the last round."),
    Sign(
        "A",
        "mode collapse",
        "Collapsed points are good ones, on a few modes. In log A hardly a point is good.",
    ),
    Sign(
        "A",
        "range too small",
        "In log A the largest coordinate is far larger than the data's and never at rest.",
    ),
    Sign("B", "healthy", "In log B four of the eight modes are missing to the end."),
    Sign("B", "vanishing gradient", "In log B a gradient of length about 3 reaches G to the last round."),
    Sign(
        "B",
        "oscillation",
        "In log B the mean of the fakes stays near one place, and nearly all points are good.",
    ),
    Sign(
        "B",
        "mode collapse",
        "The modes of log B alone would say so. But follow its largest coordinate: does that of points which are free "
        "to move ever stand so still?",
    ),
    Sign("C", "vanishing gradient", "In log C a gradient of length above 1 reaches G nearly all the time."),
    Sign("C", "mode collapse", "Count the modes of log C again."),
    Sign(
        "C", "oscillation", "In log C the mean of the fakes stays near the origin, and most points are good."
    ),
    Sign("C", "range too small", "In log C the largest coordinate is that of the data."),
    Sign("D", "healthy", "In log D five of the eight modes are missing to the end."),
    Sign("D", "vanishing gradient", "In log D a gradient of length above 1 reaches G nearly all the time."),
    Sign(
        "D",
        "oscillation",
        "In log D the mean of the fakes hardly moves in the last third, and most points are good.",
    ),
    Sign(
        "D", "range too small", "In log D the largest coordinate is about that of the data, and it wobbles."
    ),
    Sign("E", "healthy", "No point of log E lies near the data: 0 modes, 0 % good."),
    Sign(
        "E",
        "mode collapse",
        "Collapsed points are good ones, on a few modes. Log E has no good point at all.",
    ),
    Sign(
        "E", "oscillation", "In log E the mean of the fakes does not move from the first record to the last."
    ),
    Sign(
        "E",
        "range too small",
        "In log E the largest coordinate is small, but it wobbles by a fifth from look to look; a wall would hold it "
        "still.",
    ),
]


@gives_feedback
def check_diagnoses(answers: Mapping[str, str]) -> Feedback:
    """Say whether `answers`, a dict from the letters A to E to words, names what went wrong in each anonymous log.

    Capitals, spaces, hyphens and underscores do not matter. A wrong word is answered with the sign in the log that
    speaks against it; words that are no diagnosis, with the list of those that are. Raises nothing.
    """
    if answers is ...:
        answers = dict.fromkeys(TRUTH, ...)
    if not isinstance(answers, Mapping):
        raise Mistake(
            "type",
            f"Please give a dict with a word for each letter, as in `{{'A': 'healthy', ...}}`; this is "
            f"{a_or_an(answers)}.",
        )
    given = {str(letter).strip().upper(): answer for letter, answer in answers.items()}
    missing = [letter for letter in TRUTH if letter not in given]
    if missing:
        raise Mistake("missing", f"The dict has no entry for {_and(missing)}. Its keys should be 'A' to 'E'.")
    blank = [letter for letter in TRUTH if given[letter] is ... or given[letter] is None]
    if len(blank) == len(TRUTH):
        raise Mistake("stub", f"Replace each `...` by one of these words: {_names()}.")
    said = {letter: _diagnosis(letter, given[letter]) for letter in TRUTH if letter not in blank}
    correct = [letter for letter, answer in said.items() if answer == TRUTH[letter]]
    so_far = f" (Right so far: {_and(correct)}.)" if correct else ""
    against = [s.message for s in SIGNS if said.get(s.letter) == s.answer]
    if against:
        raise Mistake("wrong", " ".join(against) + so_far)
    if blank:
        raise Mistake("unfinished", f"Still to do: {_and(blank)}.{so_far}")
    return right(
        "All five. A and C have the same losses, and B and D much the same modes: what tells them apart is where "
        "the points are, and whether they move."
    )


def _diagnosis(letter: str, answer: object) -> str:
    if not isinstance(answer, str):
        raise Mistake(
            "type", f"Log {letter} should get a word in quotation marks, and got {a_or_an(answer)}."
        )
    plain = " ".join(answer.replace("_", " ").replace("-", " ").lower().split())
    if plain in DIAGNOSES:
        return plain
    meant = {name for part, name in SYNONYMS.items() if part in plain}
    if len(meant) == 1:
        return meant.pop()
    if len(meant) > 1:
        raise Mistake("two", f"Log {letter} got more than one diagnosis, `{answer}`. Decide for one.")
    raise Mistake("unknown", f"`{answer}` is not among the diagnoses for log {letter}: {_names()}.")


def _names() -> str:
    return ", ".join(f"`{name}`" for name in DIAGNOSES)


def _and(letters: list[str]) -> str:
    return " and ".join([", ".join(letters[:-1])] * (len(letters) > 1) + letters[-1:])
