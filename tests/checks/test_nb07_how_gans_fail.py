"""Both sides of the checks of notebook 07: right answers pass, wrong ones are called by name, or meet a fact."""

from collections import Counter

import numpy as np
import pytest
import torch
from answers import folded_solutions, tests_of
from scipy.spatial import cKDTree

from helpers.checks.nb07_how_gans_fail import COVERAGE, SIGNS, TRUTH, check_diagnoses, check_mode_coverage
from helpers.data import Mixture
from helpers.diagnosis import DIAGNOSES, signs
from helpers.metrics import mode_coverage
from helpers.studies import study
from helpers.studies.logs import ANONYMOUS

# Mode coverage


def by_loop(points, centres, std):
    good_at = [0] * len(centres)
    for point in points:
        distances = [(point - centre).norm().item() for centre in centres]
        if min(distances) < 3 * std:
            good_at[distances.index(min(distances))] += 1
    return sum(count >= 0.02 * len(points) for count in good_at), sum(good_at) / len(points)


def by_table(points, centres, std, reach=3.0, least=0.02):
    distances = torch.cdist(points, centres)
    good = (distances < reach * std) & (distances == distances.amin(1, keepdim=True))
    return (good.double().mean(0) >= least).sum(), good.any(1).double().mean()


def by_squares(points, centres, std):
    squares = (points[:, None] - centres).square().sum(2)
    good = squares.amin(1) < 9 * std**2
    return [len([k for k in range(len(centres)) if ((squares.argmin(1) == k) & good).sum() >= 0.02 * len(points)]),
            good.sum() / len(good)]  # fmt: skip


def by_one_hot(points, centres, std):
    near, which = torch.cdist(points, centres).min(1)
    table = torch.nn.functional.one_hot(which, len(centres)) * (near < 3 * std)[:, None]
    return {"modes": int((50 * table.sum(0) >= len(points)).sum()), "good": float(table.sum()) / len(points)}


def by_histogram(points, centres, std):
    near, which = torch.cdist(points, centres).min(1)
    counts = torch.histc(which[near < 3 * std].double(), len(centres), -0.5, len(centres) - 0.5)
    return torch.tensor([(counts >= 0.02 * len(points)).sum(), counts.sum() / len(points)])


def by_numpy(points, centres, std):
    distances = ((points.numpy()[:, None] - centres.numpy()) ** 2).sum(2) ** 0.5
    counts = np.bincount(distances.argmin(1)[distances.min(1) < 3 * std], minlength=len(centres))
    return (counts / len(points) >= 0.02).sum(), counts.sum() / len(points)


def by_a_tree(points, centres, std):
    distance, which = cKDTree(centres.numpy()).query(points.numpy())
    counts = Counter(which[distance < 3 * std].tolist())
    return len([n for n in counts.values() if n / len(points) >= 0.02]), (distance < 3 * std).mean()


def of_eight_modes(points, centres, std):
    near, which = torch.cdist(points, centres).min(1)
    counts = which[near < 3 * std].bincount()
    return sum(int(counts[k] >= 0.02 * len(points)) for k in range(8)), counts.sum() / len(points)


def shifts(points, centres, std):
    points += 1
    return by_table(points - 1, centres, std)


def but(change):
    return lambda *a: change(*by_table(*a))


COVERAGES = [
    by_loop,
    by_table,
    by_squares,
    by_one_hot,
    by_histogram,
    by_numpy,
    by_a_tree,
    lambda points, centres, std: mode_coverage(points, Mixture(centres, std)),
    lambda points, centres, std: by_table(points.flip(0), centres.flip(0), std),
    but(lambda modes, good: np.array([float(modes), float(good)])),
]
WRONG_COVERAGES = [
    (lambda p, c, s: (torch.ones(len(c)), by_table(p, c, s)[1]), "shape", "how many modes"),
    (lambda p, c, s: (by_table(p, c, s)[0], p[:, 0] > 0), "shape", "one share"),
    (of_eight_modes, "modes", "is right"),
    (but(lambda modes, good: (modes + 1, good)), "modes", "is right"),
    (lambda p, c, s: by_table(p, c, s, least=0.019), "modes", "is right"),
    (lambda p, c, s: by_table(p, c, s, least=0.0215), "modes", "is right"),
    (lambda p, c, s: by_table(p, c, s, reach=2.98), "good", "lie within"),
    (lambda p, c, s: by_table(p, c, s, reach=3.02), "good", "lie within"),
    (but(lambda modes, good: modes), "type", "modes, good"),
    (shifts, "changed_input", "changes `points`"),
    (lambda p, c, s: by_table(p, c, s, reach=2, least=0.01), "two_sigma", "One per cent"),
]
test_right_coverages, _, test_wrong_coverages = tests_of(
    check_mode_coverage, COVERAGES, wrong=WRONG_COVERAGES
)


def test_points_lie_on_either_side_of_every_threshold():
    for case in COVERAGE.cases():
        scaled = torch.cdist(case.points, case.centres) / case.std
        nearest = scaled == scaled.amin(1, keepdim=True)
        counts = ((scaled < 3) & nearest).sum(0) / len(case.points)
        assert ((scaled > 2.98) & (scaled < 3)).any() and ((scaled > 3) & (scaled < 3.02)).any()
        assert ((counts > 0.018) & (counts < 0.02)).any() and ((counts > 0.02) & (counts < 0.022)).any()


def test_the_solution_in_the_notebook_passes():
    mine = folded_solutions("07_how_gans_fail", torch=torch)
    assert check_mode_coverage(mine["my_mode_coverage"]).kind == "right"


# The diagnosis of five logs

BLANK = dict.fromkeys("ABCDE", ...)
RIGHT_DIAGNOSES = [
    TRUTH,
    {letter: word.upper() for letter, word in TRUTH.items()},
    {letter: word.replace(" ", "_") for letter, word in TRUTH.items()},
    {letter.lower(): word for letter, word in TRUTH.items()},
    {letter + " ": word for letter, word in reversed(TRUTH.items())},
    TRUTH | {"A": "oscillates", "D": "collapse", "E": "vanishing gradients"},
    TRUTH | {"A": "oscillating", "D": "it collapsed", "E": "the loss is saturated"},
    TRUTH | {"A": "circling", "B": "bounded range", "C": "Health"},
    TRUTH | {"A": "振荡", "D": "模式坍塌", "E": "梯度消失"},
    TRUTH | {"F": "healthy"},
]


@pytest.mark.parametrize("answers", RIGHT_DIAGNOSES)
def test_right_diagnoses_pass_however_they_are_written(answers):
    feedback = check_diagnoses(answers)
    assert (feedback.ok, feedback.kind) == (True, "right"), feedback


def test_the_truth_is_how_the_logs_were_made_and_every_wrong_answer_has_its_sign():
    assert {letter: kind for letter, (kind, _) in ANONYMOUS.items()} == TRUTH
    assert set(SIGNS) == {
        (letter, answer) for letter in TRUTH for answer in DIAGNOSES if answer != TRUTH[letter]
    }


@pytest.mark.parametrize(("letter", "answer"), SIGNS)
def test_a_wrong_diagnosis_meets_what_speaks_against_it(letter, answer):
    feedback = check_diagnoses(TRUTH | {letter: answer})
    assert (feedback.ok, feedback.kind) == (False, "wrong")
    assert SIGNS[letter, answer] in feedback.message
    assert TRUTH[letter] not in feedback.message.lower()
    assert f" {letter}" in feedback.message.split("(Right so far")[0]
    alone = check_diagnoses(BLANK | {letter: answer})
    assert alone.kind == "wrong" and "Right so far" not in alone.message


def test_what_the_signs_say_is_so():
    """The numbers quoted in the messages, from the logs themselves."""
    content = study("logs")
    logs = {letter: entry["log"] for letter, entry in content["anonymous"].items()}
    sign = {letter: signs(log, content["settings"]["largest_of_data"]) for letter, log in logs.items()}
    assert sign["A"]["good"] < 0.05 and 0.2 < logs["A"]["g_gradient"][-1] < 0.4
    assert sign["A"]["reach"] > 2 and sign["A"]["reach moved"] > 0.3
    assert logs["B"]["modes"][-8:] == [4] * 8 and 2.5 < logs["B"]["g_gradient"][-1] < 4
    assert sign["B"]["wander"] < 0.2 and sign["B"]["good"] > 0.9 and sign["B"]["reach moved"] < 0.001
    assert logs["C"]["modes"][-8:] == [8] * 8 and 0.95 < sign["C"]["reach"] < 1.1
    assert sign["C"]["wander"] < 0.2 and sign["C"]["good"] > 0.5
    assert max(abs(value) for axis in "xy" for value in logs["C"][axis][-8:]) < 0.3
    assert logs["D"]["modes"][-8:] == [3] * 8 and 0.9 < sign["D"]["reach"] < 1.1
    assert sign["D"]["reach moved"] > 0.03 and sign["D"]["wander"] < 0.2 and sign["D"]["good"] > 0.5
    for letter in "CD":
        assert sum(length > 1 for length in logs[letter]["g_gradient"]) >= 0.7 * 24
    assert max(logs["E"]["modes"]) == max(logs["E"]["good"]) == 0 and 0.15 < sign["E"]["reach moved"] < 0.3
    assert max(abs(value - logs["E"][axis][0]) for axis in "xy" for value in logs["E"][axis]) < 0.05


@pytest.mark.parametrize(
    ("answers", "kind", "phrase"),
    [
        (BLANK, "stub", "`vanishing gradient`"),
        (..., "stub", "Replace each `...`"),
        (BLANK | {"A": "oscillation"}, "unfinished", "Still to do: B, C, D and E. (Right so far: A.)"),
        (TRUTH | {"C": None}, "unfinished", "Still to do: C. (Right so far: A, B, D and E.)"),
        (list(TRUTH.values()), "type", "a `list`"),
        (7, "type", "an `int`"),
        (None, "type", "a `NoneType`"),
        ({}, "missing", "A, B, C, D and E"),
        ({f"log {letter}": word for letter, word in TRUTH.items()}, "missing", "'A' to 'E'"),
        (TRUTH | {"B": "bad"}, "unknown", "`bad` is not among"),
        (TRUTH | {"B": "unclear"}, "unknown", "`range too small`"),
        (TRUTH | {"B": ""}, "unknown", "log B"),
        (TRUTH | {"B": "collapse or range"}, "two", "Decide for one"),
        (TRUTH | {"B": ["range too small"]}, "type", "a `list`"),
        (TRUTH | {"B": True}, "type", "quotation marks"),
        (TRUTH | {"B": torch.ones(2)}, "type", "a `Tensor`"),
        (
            TRUTH | {"A": "healthy", "B": "mode collapse"},
            "wrong",
            "stand so still? (Right so far: C, D and E.)",
        ),
        (TRUTH | {"A": "healthy", "B": "mode collapse"}, "wrong", "Log A has fine losses"),
    ],
)
def test_an_answer_of_another_form_is_told_so(answers, kind, phrase):
    feedback = check_diagnoses(answers)
    assert (feedback.ok, feedback.kind) == (False, kind), feedback
    assert phrase in feedback.message
