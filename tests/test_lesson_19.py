"""Assignment 19: its tables have the verdicts of their recipes, its exam is fair for every variant, the guide is true.

Run as a program with a number it prints the figures of that variant for the teacher.
"""

import functools
import sys

import pytest
import torch
from scipy.stats import beta, binomtest
from test_lessons import answers, nbgrader_cells, source

from helpers.privacy import closest_distance, outcome_auc, tpr_at_fpr

LESSON = "19_privacy"
TRUTH = {
    "sampled from the true network": "release",
    "a fitted copula": "release",
    "marginals only": "useless",
    "copies with tiny noise": "leaks",
    "true network, and 40 members copied": "leaks",
}
WORDS = ("leaks", "useless", "release")
WITHOUT_SURPRISE = (15, 19, 22)  # variants of the guide; all of its list take a minute


@functools.cache
def variant(number):
    """What the assignment defines with another VARIANT, its right answers and its exam, all tests passed."""
    names = {"__name__": "__main__"}
    for cell in source(LESSON).cells:
        if cell.cell_type == "code":
            text = cell.source.replace("VARIANT = 19", f"VARIANT = {number}")
            exec(compile(text, cell.id, "exec"), names)
    return names


def vendors(number):
    """letter → (recipe, audit by the right answer)."""
    names = variant(number)
    return {
        letter: (names["KINDS"][k], names["audit"](names["vendors"][letter], names["clinic"]))
        for letter, k in zip("ABCDE", names["dealt"], strict=True)
    }


# --- variants ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", WITHOUT_SURPRISE)
def test_the_right_answers_pass_and_the_vendors_are_what_they_are(number):
    for kind, found in vendors(number).values():
        assert found["verdict"] == TRUTH[kind], kind


def test_variants_differ():
    letters = {number: tuple(kind for kind, _ in vendors(number).values()) for number in WITHOUT_SURPRISE}
    assert len(set(letters.values())) > 1
    first, second = (variant(number) for number in WITHOUT_SURPRISE[:2])
    assert not torch.equal(first["clinic"]["members"], second["clinic"]["members"])
    assert not torch.equal(first["exam"][0][0], second["exam"][0][0])
    assert not torch.equal(first["exam_room"]["members"], first["clinic"]["members"])


@pytest.mark.parametrize("number", WITHOUT_SURPRISE)
def test_no_table_of_the_exam_is_a_borderline_case(number):
    """Whatever the interval: Clopper–Pearson, Wilson, Jeffreys, or a bootstrap, which is a little wider or narrower."""
    names = variant(number)
    room = names["exam_room"]
    half = (outcome_auc(room["members"], room["test"]) + 0.5) / 2
    for made, truth, tpr, auc in names["exam"]:
        n = len(room["members"])
        found = round(tpr * n)
        lows = [binomtest(found, n).proportion_ci(0.95, method=method).low for method in ("exact", "wilson")]
        lows.append(beta.ppf(0.025, found + 0.5, n - found + 0.5))
        if truth == "leaks":
            assert min(lows) > 0.07
            continue
        assert max(lows) < 0.049
        assert auc < half - 0.02 if truth == "useless" else auc > half + 0.02
        assert len(made) == 1000
    leaking = [made for made, truth, *_ in names["exam"] if truth == "leaks"]
    assert min(outcome_auc(made, room["test"]) for made in leaking) < half, "one that is useless as well"
    innocent = [tpr for _, truth, tpr, _ in names["exam"] if truth != "leaks"]
    assert max(innocent) > 0.0525, "one that only an interval acquits"


# --- points ------------------------------------------------------------------------------------------------------


def lost(function, answer, cells):
    """Which of the cells an answer does not get the point of."""
    names, failed = variant(19), set()
    right, names[function] = names[function], answer
    try:
        for name in cells:
            cell = nbgrader_cells(source(LESSON))[f"{function}-{name}-hidden"]
            try:
                exec(compile(cell.source, name, "exec"), names)
            except AssertionError:
                failed.add(name)
    finally:
        names[function] = right
    return failed


@pytest.mark.parametrize("word", WORDS)
def test_one_word_for_every_table_earns_no_verdict(word):
    right = variant(19)["audit"]
    assert lost("audit", lambda *given: right(*given) | {"verdict": word}, WORDS) == set(WORDS)


@pytest.mark.parametrize(
    ("label", "cells"),
    [
        ("useless first", {"leaks", "useless"}),
        ("better than 0.5", {"useless", "release"}),
        ("no interval", {"leaks", "release"}),
        ("sign", {"figures"}),
    ],
)
def test_a_mistake_costs_the_points_of_its_own_words(label, cells):
    answer = answers(LESSON)[1]["audit"][label][0]
    assert {"figures", *WORDS} >= lost("audit", answer, ("figures", *WORDS)) >= cells - {"useless"}
    assert lost("audit", answer, WORDS) <= cells | {"useless"}


@pytest.mark.parametrize(("label", "cell"), [("fpr fixed", "threshold"), ("Wald", "interval")])
def test_threshold_and_interval_have_a_point_each(label, cell):
    answer = answers(LESSON)[1]["membership_test"][label][0]
    assert lost("membership_test", answer, ("threshold", "interval")) == {cell}


def test_the_coin_finds_rows_and_people_that_leak():
    wrong = answers(LESSON)[1]["repaired"]
    for label in ("the colleague's", "rows split", "fitted to all", "training AUC"):
        assert lost("repaired", wrong[label][0], ["coin"]) == {"coin"}, label


# --- what the guide says -----------------------------------------------------------------------------------------


def test_the_table_on_the_board():
    found = vendors(19)
    assert "".join(entry["verdict"][0] for _, entry in found.values()) == "rlrul"
    board = {"A": (0.819, 0.063, 0.49), "B": (0.802, 1, 1), "C": (0.752, 0.065, 0.50)}
    board |= {"D": (0.545, 0.060, 0.52), "E": (0.821, 0.138, 0.52)}
    for letter, figures in board.items():
        measured = [found[letter][1][key] for key in ("auc", "tpr", "closer")]
        assert measured == pytest.approx(figures, abs=0.006), letter
    names = variant(19)
    with_real = outcome_auc(names["clinic"]["members"], names["clinic"]["test"])
    assert with_real == pytest.approx(0.802, abs=0.002)


def test_copying_has_the_better_tstr():
    """Question 4b, for every variant: the copies are as good as the real records, the copula is not."""
    for number in WITHOUT_SURPRISE:
        auc = {kind: entry["auc"] for kind, entry in vendors(number).values()}
        clinic = variant(number)["clinic"]
        assert auc["copies with tiny noise"] > auc["a fitted copula"] + 0.02
        assert auc["copies with tiny noise"] == pytest.approx(
            outcome_auc(clinic["members"], clinic["test"]), abs=0.01
        )


@pytest.mark.parametrize("number", WITHOUT_SURPRISE)
def test_vendor_f_has_an_accuracy_of_52_per_cent_and_gives_sixteen_away(number):
    names = variant(number)
    members, others = names["f_members"], names["f_others"]
    assert f"{names['accuracy']:.0%}" == "52%"
    assert int((-members < 0.01).sum()) == 16 and -others.max() > 0.05
    attack = tpr_at_fpr(members, others, fpr=0.005)
    assert attack["low"] > 2 * 0.005, "guessing is excluded at this FPR"


def test_the_numbers_of_the_reply_to_f():
    names = variant(19)
    attack = tpr_at_fpr(names["f_members"], names["f_others"], fpr=0.005)
    assert [attack[key] for key in ("tpr", "low", "high")] == pytest.approx([0.055, 0.035, 0.082], abs=0.001)
    assert int((names["f_members"] > names["accused"]).sum()) == 17


def test_the_upper_end_in_people():
    """Question 4c: 37 members for C and 36 for A, some 18 and 16 more than guessing would find."""
    names = variant(19)
    clinic = names["clinic"]
    for letter, people in (("C", 37), ("A", 36)):
        scores = [
            -closest_distance(clinic[who], names["vendors"][letter], clinic["scaling"])
            for who in ("members", "others")
        ]
        assert int(400 * tpr_at_fpr(*scores)["high"]) == people


def test_the_colleagues_coin():
    names = variant(19)
    table = names["compared"]({"hers": names["colleagues"], "right": names["repaired"]})
    assert table.loc["hers"].min() > 0.99
    assert table.loc["right", "a coin flip"] == pytest.approx(0.5, abs=0.08)
    assert 0.58 < table.loc["right", "true outcome"] < 0.75


if __name__ == "__main__":
    torch.set_num_threads(1)
    for shown, (recipe, judged) in vendors(int(sys.argv[1])).items():
        surprise = "" if judged["verdict"] == TRUTH[recipe] else "   <- by chance, not by its recipe"
        print(shown, recipe, *(f"{key} {judged[key]:.3f}" for key in ("auc", "tpr", "closer")), end="  ")
        print(judged["verdict"], surprise, sep="")
