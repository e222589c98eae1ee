"""Checks of notebook 07: how many modes samples cover and how many are of high quality; the diagnosis of five logs."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from helpers.diagnosis import DIAGNOSES
from helpers.feedback import Case, Close, Feedback, Mistake, Observe, Row, Task, Trial, Wanted, diagnose
from helpers.feedback.fallbacks import beside_the_path, told
from helpers.feedback.sandbox import gives_feedback
from helpers.feedback.says import a_or_an, right

# Mode coverage: which distance, how far is near, which points a mode counts, how many it needs, what is said of both

DISTANCES = [
    Row("right", lambda c: torch.cdist(c.points, c.centres), ok=True),
    Row("boxes", lambda c: torch.cdist(c.points, c.centres, p=torch.inf),
        "You ask each coordinate alone, which makes squares. A distance makes discs."),
    Row("diamonds", lambda c: torch.cdist(c.points, c.centres, p=1),
        "You add up absolute coordinates, which makes diamonds. A distance makes discs."),
]  # fmt: skip
SQUARED = "A squared distance is compared with a distance that is not squared, or the reverse."
RADII = [
    Row("right", lambda std: 3 * std, ok=True),
    Row("one_sigma", lambda std: std, "Your discs have a radius of one standard deviation; three are asked for."),
    Row("two_sigma", lambda std: 2 * std, "Your discs have a radius of two standard deviations; three are asked for."),
    Row("no_std", lambda std: 3.0, "Your discs have a radius of 3, whatever `std` is."),
    Row("squared", lambda std: (3 * std) ** 0.5, SQUARED),
    Row("squared", lambda std: (3 * std) ** 2, SQUARED),
    Row("squared", lambda std: 3**0.5 * std,
        "A squared distance is compared with 3 std². Where is the square of the 3?"),
]  # fmt: skip
COUNTS = [  # (N, K): whether a point counts for a mode, from the distances and whether these are small
    Row("right", lambda d, near: near * one_hot(d.argmin(1), d.shape[1]), ok=True),
    Row("every_mode", lambda d, near: near,
        "A point that lies near two modes counts for both in yours. It counts for the nearest alone."),
    Row("all_near", lambda d, near: one_hot(d.argmin(1), d.shape[1]),
        "You count the points nearest to a mode, however far away. Only those within three standard deviations count."),
]  # fmt: skip
NEEDS = [  # how many points a mode needs, from (N, K)
    Row("right", lambda near: 0.02 * len(near), ok=True),
    Row("of_good", lambda near: 0.02 * near.any(1).sum(),
        "You take 2 % of the high-quality samples. A mode needs 2 % of all, or few samples would cover many modes."),
    Row("any_point", lambda near: 1,
        "A stray point or two are enough for a mode in yours. It needs 2 % of all points."),
    Row("more", lambda near: 0.02 * len(near) + 0.5, "A mode with just 2 % of the points is not covered in yours."),
    Row("one_percent", lambda near: 0.01 * len(near), "One per cent of the points is enough in yours, not 2 %."),
    Row("twenty_percent", lambda near: 0.2 * len(near), "Yours asks for 20 % of the points: 2 % is 0.02."),
]  # fmt: skip
MODES = [
    Row("right", lambda covered: covered.sum(), ok=True),
    Row("missing_modes", lambda covered: (~covered).sum(),
        "You count the modes that are missing; those that are covered are asked for."),
    Row("all_modes", lambda covered: len(covered) + 0 * covered.sum(),
        "You return the number of all modes, even those without any point."),
    Row("share_of_modes", lambda covered: covered.double().mean(),
        "You return the share of the modes; their number is asked for."),
]  # fmt: skip
GOOD = [
    Row("right", lambda near, covered: near.any(1).double().mean(), ok=True),
    Row("only_at_covered", lambda near, covered: near[:, covered].any(1).double().mean(),
        "A high-quality sample is left out where its mode is not covered. It lies near a mode all the same, and "
        "counts."),
    Row("good_count", lambda near, covered: near.any(1).sum(),
        "You return the number of high-quality samples; their share is asked for."),
    Row("per_cent", lambda near, covered: 100 * near.any(1).double().mean(),
        "The share of high-quality samples is given in per cent; a share lies between 0 and 1."),
    Row("bad_share", lambda near, covered: 1 - near.any(1).double().mean(),
        "You return the share of samples that are not of high quality."),
]  # fmt: skip
ORDERS = [
    Row("right", lambda modes, good: (modes, good), ok=True),
    Row("exchanged", lambda modes, good: (good, modes),
        "The two have changed places: first the number of modes, then the share of high-quality samples."),
]  # fmt: skip


def _coverage(c: Case, distance, radius, count, need, modes, good, order) -> tuple:
    distances = distance(c)
    near = distances < radius(c.std)
    covered = count(distances, near).sum(0) >= need(near)
    return order(modes(covered), good(near, covered))


# (mode, points, x, y) in standard deviations: inside, outside, in a square, above, beyond, far, between two modes
EDGES = (
    (0, 8, 2.99, 0), (0, 9, 3.005, 0), (1, 22, 2.6, 2.6), (1, 12, 0, 3.6), (3, 20, 4.5, 4.5), (6, 30, 4.5, 4.5),
    (6, 5, 0, -11), (5, 9, -2.45, 0), (5, 9, -2.55, 0),
)  # fmt: skip


def _on(centres: Tensor, std: float, counts: tuple[int, ...], n: int) -> Case:
    """So many points in the disc of each centre; some on either side of the edge, in a corner, far; n in all."""
    centres, parts = centres.to(torch.get_default_dtype()), []
    for centre, k in zip(centres, counts, strict=True):
        turn, far = 2 * torch.pi * torch.rand(k, 1), 2.4 * std * torch.rand(k, 1)
        parts.append(centre + far * torch.cat([turn.cos(), turn.sin()], 1))
    for place, k, x, y in EDGES:
        parts.append(centres[place] + std * (torch.tensor([x, y]) + 0.005 * torch.rand(k, 2)))
    parts.append(torch.tensor([20, 0]) + torch.rand(n - sum(map(len, parts)), 2))
    return Case(points=torch.cat(parts)[torch.randperm(n)], centres=centres, std=std)


RING, LINE = (250, 100, 12, 11, 13, 14, 7, 6), (300, 105, 1, 0, 0, 8, 10, 8, 21)


def _cases() -> list[Case]:
    """Around eight places on a circle and nine on a line, two of them near each other; 2 % are 12 and 20
    points. These counts, found by search, tell a mistake in counting from every two, and from one mode more or less."""
    angle, k = torch.arange(8) * torch.pi / 4, torch.tensor([0, 1, 2, 3, 4, 5, 5 + 5 * 0.25 / 3, 7, 8])
    circle, line = 2 * torch.stack([angle.cos(), angle.sin()], 1), torch.stack([-3 * k, 0 * k], 1)
    return [_on(circle, 0.1, RING, 600), _on(line, 0.25, LINE, 1000)]


def _as_pair(value: object, case: Case) -> object:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _several(said: str) -> Wanted:
    return Wanted(
        "()", lambda c: (), lambda c: dict.fromkeys([(2,), (len(c.centres),), (len(c.points),)], said)
    )


def _which_good(trial: Trial) -> Mistake:
    """Where the share of high-quality samples is most wrong."""
    seen, ours = ([each["good"] for each in both] for both in (trial.seen, map(trial.ours, trial.cases)))
    seen, want = max(zip(seen, ours, strict=True), key=lambda pair: abs(pair[0] - pair[1]))
    return Mistake("good", GOOD_SHARE.format(told(seen, 4), told(want, 4)))


GOOD_SHARE = (
    "The share of high-quality samples is {} in yours, where {} lie within three standard deviations of a mode. Begin "
    "with the distance of each point to its nearest centre."
)
COVERAGE = Task(
    usage="my_mode_coverage(points, centres, std)",
    cases=_cases,
    tables=(DISTANCES, RADII, COUNTS, NEEDS, MODES, GOOD, ORDERS),
    compose=_coverage,
    observe=Observe(
        {"modes": _several("The first value should be how many modes are covered; yours says something of each."),
         "good": _several("The second value should be one share for all points; yours says something of each.")},
        read=_as_pair),
    praise="Modes and high-quality samples are both counted: one alone can look fine in a collapse.",
    close={"modes": Close(0, 1e-3), "good": Close(1e-4, 1e-5)},
    fallbacks=(beside_the_path(
        "good",
        "The share of high-quality samples is right, and the number of modes is not: for each mode, count those "
        "nearest to it, and compare with 2 % of all points.", kind="modes"),),
    witness=_which_good,
    seed=7,
    fixed=(2,),
)  # fmt: skip


def check_mode_coverage(coverage: Callable[[Tensor, Tensor, float], tuple]) -> Feedback:
    """Say whether `coverage(points, centres, std)` counts the modes with at least 2 % of all points within 3 std, and
    returns that number with the share of points within 3 std of any mode.

    points (N, 2), centres (K, 2); numbers or tensors are taken. Compared on rings and lines with modes that few points
    cover, strays and corners. Raises nothing. Source: after Srivastava et al. (2017), section 4.1.
    """
    return diagnose(COVERAGE, coverage)


# The diagnosis of five anonymous logs

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
SIGNS = {  # what in the log of a letter speaks against a diagnosis, without naming the right one
    ("A", "healthy"): "Log A has fine losses, but look at its fakes: hardly one of them is of high quality.",
    ("A", "vanishing gradient"): "In log A a gradient of norm about 0.3 reaches G to the last iteration.",
    ("A", "mode collapse"):
        "In a mode collapse the samples are of high quality, on a few modes. In log A hardly one is.",
    ("A", "range too small"): "In log A the largest coordinate is far larger than the data's and never at rest.",
    ("B", "healthy"): "In log B four of the eight modes are missing to the end.",
    ("B", "vanishing gradient"): "In log B a gradient of norm about 3 reaches G to the last iteration.",
    ("B", "oscillation"):
        "In log B the mean of the fakes stays near one place, and nearly all samples are of high quality.",
    ("B", "mode collapse"):
        "The modes of log B alone would say so. But follow its largest coordinate: does that of points which are "
        "free to move ever stand so still?",
    ("C", "vanishing gradient"): "In log C a gradient of norm above 1 reaches G nearly all the time.",
    ("C", "mode collapse"): "Count the modes of log C again.",
    ("C", "oscillation"): "In log C the mean of the fakes stays near the origin, and most samples are of high quality.",
    ("C", "range too small"): "In log C the largest coordinate is that of the data.",
    ("D", "healthy"): "In log D five of the eight modes are missing to the end.",
    ("D", "vanishing gradient"): "In log D a gradient of norm above 1 reaches G nearly all the time.",
    ("D", "oscillation"):
        "In log D the mean of the fakes hardly moves in the last third, and most samples are of high quality.",
    ("D", "range too small"): "In log D the largest coordinate is about that of the data, and it keeps changing.",
    ("E", "healthy"): "No fake of log E lies near the data: 0 modes, 0 % high-quality samples.",
    ("E", "mode collapse"):
        "In a mode collapse the samples are of high quality, on a few modes. Log E has none at all.",
    ("E", "oscillation"): "In log E the mean of the fakes does not move from the first record to the last.",
    ("E", "range too small"):
        "In log E the largest coordinate is small, but it changes by a fifth from record to record; a bound would hold "
        "it still.",
}  # fmt: skip


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
    against = [message for (letter, answer), message in SIGNS.items() if said.get(letter) == answer]
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
