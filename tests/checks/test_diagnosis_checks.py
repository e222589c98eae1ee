"""The diagnosis of five logs: each way of writing a right one passes, each wrong one meets a fact of its own log."""

import pytest
import torch

from helpers.checks import check_diagnoses
from helpers.checks.diagnosis import SIGNS, TRUTH
from helpers.diagnosis import DIAGNOSES, signs
from helpers.studies import study
from helpers.studies.logs import ANONYMOUS

BLANK = dict.fromkeys("ABCDE", ...)


def test_the_truth_is_how_the_logs_were_made():
    assert {letter: kind for letter, (kind, _) in ANONYMOUS.items()} == TRUTH


@pytest.mark.parametrize(
    "answers",
    [
        TRUTH,
        {letter: word.upper() for letter, word in TRUTH.items()},
        {letter: f"  {word.title()} " for letter, word in TRUTH.items()},
        {letter: word.replace(" ", "_") for letter, word in TRUTH.items()},
        {letter: word.replace(" ", "-") for letter, word in TRUTH.items()},
        {letter.lower(): word for letter, word in TRUTH.items()},
        {letter + " ": word for letter, word in reversed(TRUTH.items())},
        TRUTH | {"A": "oscillates", "D": "collapse", "E": "vanishing gradients"},
        TRUTH | {"A": "oscillating", "D": "it collapsed", "E": "the loss is saturated"},
        TRUTH | {"A": "circling", "B": "bounded range", "C": "Health"},
        TRUTH | {"A": "振荡", "D": "模式坍塌", "E": "梯度消失"},
        TRUTH | {"F": "healthy"},
    ],
)
def test_right_diagnoses_pass_however_they_are_written(answers):
    feedback = check_diagnoses(answers)
    assert (feedback.ok, feedback.kind) == (True, "right"), feedback


def test_every_wrong_answer_has_its_sign():
    pairs = {(sign.letter, sign.answer) for sign in SIGNS}
    assert pairs == {(letter, answer) for letter in TRUTH for answer in DIAGNOSES if answer != TRUTH[letter]}
    assert len(SIGNS) == len(pairs)


@pytest.mark.parametrize("sign", SIGNS, ids=lambda sign: f"{sign.letter}-{sign.answer}")
def test_a_wrong_diagnosis_meets_what_speaks_against_it(sign):
    feedback = check_diagnoses(TRUTH | {sign.letter: sign.answer})
    assert (feedback.ok, feedback.kind) == (False, "wrong")
    assert sign.message in feedback.message
    assert TRUTH[sign.letter] not in feedback.message.lower()
    assert f" {sign.letter}" in feedback.message.split("(Right so far")[0]
    alone = check_diagnoses(BLANK | {sign.letter: sign.answer})
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
        (dict.fromkeys("ABCDE"), "stub", "Replace each"),
        (BLANK | {"A": "oscillation"}, "unfinished", "Still to do: B, C, D and E. (Right so far: A.)"),
        (TRUTH | {"C": ...}, "unfinished", "Still to do: C."),
        (TRUTH | {"C": None}, "unfinished", "Right so far: A, B, D and E."),
        (list(TRUTH.values()), "type", "a `list`"),
        ("oscillation", "type", "a `str`"),
        (7, "type", "an `int`"),
        (None, "type", "a `NoneType`"),
        ({}, "missing", "A, B, C, D and E"),
        ({"A": "healthy"}, "missing", "B, C, D and E"),
        ({f"log {letter}": word for letter, word in TRUTH.items()}, "missing", "'A' to 'E'"),
        (TRUTH | {"B": "bad"}, "unknown", "`bad` is not among"),
        (TRUTH | {"B": "unclear"}, "unknown", "`range too small`"),
        (TRUTH | {"B": ""}, "unknown", "log B"),
        (TRUTH | {"B": "collapse or range"}, "two", "Decide for one"),
        (TRUTH | {"B": 3}, "type", "an `int`"),
        (TRUTH | {"B": ["range too small"]}, "type", "a `list`"),
        (TRUTH | {"B": True}, "type", "quotation marks"),
        (TRUTH | {"B": torch.ones(2)}, "type", "a `Tensor`"),
    ],
)
def test_an_answer_of_another_form_is_told_so(answers, kind, phrase):
    feedback = check_diagnoses(answers)
    assert (feedback.ok, feedback.kind) == (False, kind), feedback
    assert phrase in feedback.message


def test_two_wrong_letters_get_two_signs_and_the_right_ones_are_named():
    feedback = check_diagnoses(TRUTH | {"A": "healthy", "B": "mode collapse"})
    assert "Log A has fine losses" in feedback.message and "stand so still" in feedback.message
    assert "Right so far: C, D and E." in feedback.message
