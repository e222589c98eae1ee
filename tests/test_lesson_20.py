"""Assignment 20: every variant is solvable and fair, each fault has its figure, and what the guide says is measured.

Run as a program with a number it makes that variant the one of the assignment and of the guide's table.
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

LESSON = "20_judging"
FOLDER = Path(__file__).resolve().parents[1] / "lessons" / LESSON
FAULTS = ("fidelity", "diversity", "copies", "tuned")
FIGURES = ("Fréchet", "fresh Fréchet", "precision", "fresh precision", "recall", "closer", "copies")
VARIANTS = (1, 2, 3, 4)
NOT_NEEDED = ("outlines", "sweep", "board", "envelope")  # they show, and define nothing that is used here
each_variant = pytest.mark.parametrize("number", VARIANTS)


@functools.cache
def variant(number):
    """What the assignment defines in this variant, with its right answers; its tests have passed."""
    if exam(LESSON).names["VARIANT"] == number:
        return exam(LESSON).names
    names = {"__name__": "__main__"}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        for cell in source(LESSON).cells:
            if cell.cell_type == "code" and cell.id not in NOT_NEEDED:
                text = re.sub(r"^VARIANT = \d+", f"VARIANT = {number}", cell.source, flags=re.MULTILINE)
                text = text.replace("\nset_threads()\n", "\n")  # it is measured once, in `exam`
                exec(compile(text, cell.id, "exec"), names)
    assert number == names["VARIANT"]
    return names


@functools.cache
def judged(number):
    """letter → (faults, figures by the right answers, their standing among perfect generators)."""
    tools, found = variant(number), {}
    for letter, (faults, _) in zip(tools["generators"], tools["dealt"], strict=True):
        figures = tools["figures_of"](tools["generators"][letter], tools["reference"])
        found[letter] = faults, figures, tools["standing"](figures, tools["null"])
    return found


def board(number):
    """The rows of the guide's table."""
    for letter, (faults, figures, _) in judged(number).items():
        shown = ", ".join(fault for fault in FAULTS if fault in faults) or "no fault"
        numbers = [f"{figures[name]:.2f}" for name in FIGURES[:-1]] + [f"{figures['copies']:.0f}"]
        yield f"| {letter} | {shown} | {' | '.join(numbers)} |".replace("| -", "| −")


# --- variants ----------------------------------------------------------------------------------------------------


@each_variant
def test_a_variant_is_solvable(number):
    """Its cells ran with the right answers, hidden tests among them; and the seven are what they were made as."""
    tools = variant(number)
    for faults, figures, _ in judged(number).values():
        assert tools["verdict"](figures, tools["null"]) == faults
    kinds = sorted(tuple(sorted(faults)) for faults, _ in tools["dealt"])
    assert kinds == sorted(tuple(sorted(faults)) for faults, _ in tools["SEVEN"])
    assert set().union(*(faults for faults, _ in tools["unseen"])) == set(FAULTS)


def test_variants_differ_in_data_and_letters():
    first = variant(VARIANTS[0])
    for number in VARIANTS[1:]:
        other = variant(number)
        assert not torch.equal(first["species"], other["species"])
        assert not torch.equal(first["training"], other["training"])
        assert not torch.equal(first["projection"], other["projection"])
        assert all(
            mine != theirs for (_, mine), (_, theirs) in zip(first["unseen"], other["unseen"], strict=True)
        )
    letters = {
        tuple(tuple(sorted(faults)) + tuple(how) for faults, how in variant(number)["dealt"])
        for number in VARIANTS
    }
    assert len(letters) == len(VARIANTS)


@each_variant
def test_species_are_equally_far_apart(number):
    """So that blurring does the same harm in every variant."""
    tools = variant(number)
    apart = torch.pdist(tools["published"](tools["species"]))
    assert torch.allclose(apart, torch.full_like(apart, 6 * math.sqrt(2)))


@each_variant
def test_nobody_among_the_seven_is_a_borderline_case(number):
    """So that rounding on another machine changes nothing, and thresholds in the gap pass."""
    for faults, figures, marks in judged(number).values():
        asked = {"fidelity": "precision", "diversity": "recall", "tuned": "fresh precision"}
        if "fidelity" in faults:
            del asked["tuned"]
        for fault, name in asked.items():
            assert marks[name][0] > 6 if fault in faults else marks[name][0] < 3.2, (fault, marks)
        assert figures["copies"] >= 20 if "copies" in faults else figures["copies"] <= 6


@each_variant
def test_nobody_in_the_exam_is_a_borderline_case(number):
    """But for one weak alarm, which a rate of 5 % sees and one of 1 % does not."""
    tools = variant(number)
    assert len(tools["unseen"]) == 16
    for (faults, figures), (_, _, weak) in zip(tools["unseen"], tools["EXAM"], strict=True):
        assert tools["is_clear"](faults, figures, tools["real_null"], weak), faults
    alarms = [
        name
        for name in tools["evidence"](tools["unseen"][2][1], tools["real_null"], 0.05)
        if name in ("precision", "fresh precision", "recall")
    ]
    assert tools["unseen"][2][0] == set() and len(alarms) == 1


@each_variant
def test_limits_anywhere_in_the_gap_of_the_seven_pass_the_exam(number):
    """A learner knows only the seven. From a fifth to a half of each gap is tried, all together."""
    tools, seven = variant(number), judged(number).values()
    asked = {"fidelity": "precision", "diversity": "recall", "tuned": "fresh precision"}
    for portion in (0.2, 0.35, 0.5):
        limits = {}
        for fault, name in asked.items():
            those = [(faults, marks[name][0]) for faults, _, marks in seven]
            if fault == "tuned":
                those = [(faults, score) for faults, score in those if "fidelity" not in faults]
            low = max(score for faults, score in those if fault not in faults)
            limits[fault] = low + portion * (min(score for faults, score in those if fault in faults) - low)
        few = max(figures["copies"] for faults, figures, _ in seven if "copies" not in faults)
        many = min(figures["copies"] for faults, figures, _ in seven if "copies" in faults)
        for faults, figures in tools["unseen"]:
            marks = tools["standing"](figures, tools["real_null"])
            said = {fault for fault, name in asked.items() if marks[name][0] > limits[fault]}
            said -= {"tuned"} if "fidelity" in said else set()
            said |= {"copies"} if figures["copies"] > few + portion * (many - few) else set()
            assert said == faults, (portion, limits)


@each_variant
def test_every_limit_from_three_and_a_half_to_six_gets_all_sixteen(number):
    """Standard deviations, the same for all faults or not; also where *copies* is treated like the others."""
    tools = variant(number)
    asked = {"fidelity": "precision", "diversity": "recall", "copies": "copies", "tuned": "fresh precision"}
    for faults, figures in tools["unseen"]:
        marks = tools["standing"](figures, tools["real_null"])
        for fault, name in asked.items():
            if fault != "tuned" or "fidelity" not in faults:
                assert marks[name][0] > 6 if fault in faults else marks[name][0] < 3.5, (fault, marks)
        for limit in (3.5, 4, 4.5, 5, 5.5, 6):
            said = {fault for fault, name in asked.items() if marks[name][0] > limit}
            assert (said - {"tuned"} if "fidelity" in said else said) == faults


@each_variant
def test_recall_is_blinded_by_copies_of_all_species_and_not_in_the_exam(number):
    tools = variant(number)
    for seed in range(3):
        made = tools["handed_in"](70_000 + seed, missing=1, copied=0.16)
        figures = tools["exact_figures"](made, tools["reference"])
        assert tools["standing"](figures, tools["real_null"])["recall"][0] < 3.5
    for _, how, *_ in (*tools["SEVEN"], *tools["EXAM"]):
        assert "copied" not in how or not {"missing", "spread", "blended"} & how.keys()


@each_variant
def test_what_the_words_of_the_assignment_rely_on(number):
    """`closer` accuses an honest generator more than it does a copier; FID and precision pass a cheat."""
    tools = variant(number)
    of = {}
    for (_, how), (_, figures, marks) in zip(tools["dealt"], judged(number).values(), strict=True):
        of[" ".join(how) or "good"] = figures, marks
    honest, copier, few = of["spread"], of["copied"], of["copied few"]
    assert honest[0]["closer"] > 0.8 > copier[0]["closer"] > 0.5 and honest[0]["copies"] <= 6
    assert few[1]["precision"][0] < 3.2
    assert of["junk"][1]["Fréchet"][0] < 4 < 6 < of["junk"][1]["fresh Fréchet"][0]


# --- closed forms ------------------------------------------------------------------------------------------------


def test_the_solution_has_hardly_any_bias():
    """Against the closed form, for all Gaussians of the hidden test; the tolerance is four standard errors."""
    tools = exam(LESSON).names
    for turn, (n, mean, deviations, variances) in enumerate(tools["CORRECTED"]):
        target = torch.zeros_like(mean), variances.diag()
        sets = tools["gaussian_sets"](144, n, mean, deviations, 50_000 + 500 * turn)
        found = torch.tensor([tools["corrected"](x, *target) for x in sets])
        plain = torch.tensor([tools["frechet_to"](x, *target) for x in sets])
        truth = tools["true_distance"](mean, deviations, target[1])
        error = found.std() / 12
        assert abs(found.mean() - truth) < 4 * error
        assert plain.mean() - truth > 3 * plain.std() / 12


def test_the_p_value_is_exact():
    """Fakes of any kind, nothing copied: P(p ≤ a) ≤ a, and for the values that occur nearly equal to them."""
    copy_test = exam(LESSON).names["copy_test"]
    noise, found = torch.Generator().manual_seed(1), []
    for _ in range(1500):
        fake, training, held_out = (torch.randn(n, 2, generator=noise) for n in (8, 12, 9))
        found.append(copy_test(0.3 * fake, training, held_out)["p"])
    for c in range(1, 6):
        p = math.comb(12, c) / math.comb(21, c)
        share = sum(each <= p + 1e-12 for each in found) / len(found)
        assert share == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / 1500))


def test_alarms_of_perfect_generators_are_as_rare_as_the_assignment_says():
    """Each figure at 5 %; one or more of the seven in about three cases of ten."""
    tools, alarms = exam(LESSON).names, []
    for k in range(80):
        made, real = (tools["leaves"](300, tools["seeded"](60_000 + 100 * k + i)) for i in range(2))
        alarms.append(len(tools["evidence"](tools["figures_of"](made, real), tools["null"], 0.05)))
    assert 0.15 < sum(alarms) / 80 < 0.6
    assert 0.15 < sum(each > 0 for each in alarms) / 80 < 0.45


# --- what the guide says -----------------------------------------------------------------------------------------


def test_the_table_of_the_guide_is_that_of_the_assignment():
    guide = (FOLDER / "guide.md").read_text(encoding="utf-8")
    for row in board(exam(LESSON).names["VARIANT"]):
        assert row in guide, row


def test_the_sample_answer_has_the_right_numbers():
    text, found = nbgrader_cells(source(LESSON))["report"].source, judged(1)
    faults = {letter: faults for letter, (faults, *_) in found.items()}
    assert faults["A"] == {"tuned"} and faults["D"] == {"copies"} and faults["F"] == {"copies", "diversity"}
    assert faults["B"] == set() and faults["C"] == faults["E"] == {"diversity"}
    assert faults["G"] == {"fidelity", "diversity"}

    def said(letter, name, digits=2):
        number = f"{found[letter][1][name]:.{digits}f}"
        assert number in text, (letter, name, number)

    for letter, name in (
        ("A", "precision"),
        ("A", "fresh precision"),
        ("A", "Fréchet"),
        ("A", "fresh Fréchet"),
        ("D", "closer"),
        ("F", "recall"),
        ("C", "fresh Fréchet"),
        ("C", "recall"),
        ("C", "closer"),
        ("G", "fresh Fréchet"),
        ("G", "precision"),
        ("E", "fresh Fréchet"),
        ("E", "recall"),
    ):
        said(letter, name)
    assert (found["D"][1]["copies"], found["F"][1]["copies"]) == (47, 100)
    for c, shown in ((47, "1.0e-15"), (100, "3.7e-35")):
        assert f"{math.comb(300, c) / math.comb(600, c):.1e}" == shown and shown in text
    levels = {
        name: torch.tensor(values).quantile(0.05 if name in LOW else 0.95) for name, values in null_of(1)
    }
    for name in ("precision", "fresh precision", "Fréchet", "fresh Fréchet", "closer", "recall"):
        assert f"{levels[name]:.2f}" in text, (name, levels[name])


LOW = ("precision", "fresh precision", "recall")


def null_of(number):
    return variant(number)["null"].items()


def test_what_the_answers_say_of_fifty_leaves_and_of_leaves_copied_often():
    tools = variant(1)
    target = tools["moments"](tools["published"])
    sets = [tools["published"](tools["leaves"](50, tools["seeded"](9000 + k))) for k in range(200)]
    plain = torch.tensor([tools["frechet_to"](x, *target) for x in sets])
    mine = torch.tensor([tools["corrected"](x, *target) for x in sets])
    assert 1.3 < plain.mean() < 1.7 and 2.5 < plain.quantile(0.95) < 3.3 and 0.8 < mine.std() < 1.2
    assert abs(mine.mean()) < 0.4
    often = torch.cat([tools["training"][:3].repeat(30, 1), tools["leaves"](210, tools["seeded"](78))])
    assert tools["copy_test"](often, tools["training"], tools["reference"])["p"] == pytest.approx(
        0.03, abs=0.002
    )


# --- visible tests -----------------------------------------------------------------------------------------------

NAMED_AT_ONCE = {
    "corrected": ("plain", "clipped", "halves added, clipped", "zero"),
    "outside": (
        "itself counted",
        "one missed",
        "nearest ball",
        "open balls",
        "over the points",
        "k left out",
    ),
    "copy_test": ("fakes", "fakes that are nearer", "pairs", "median", "put back", "exactly c", "simulated"),
    "null_values": ("one split", "fixed reference", "overlap", "resampled", "other chance", "one seed"),
    "evidence": ("worse, not equal", "less than the rate", "at the level", "large is bad", "weakest first"),
    "verdict": ("closer", "closer or copies", "elif", "five per cent", "fresh precision alone"),
}


@pytest.mark.parametrize(
    ("function", "label"), [(name, label) for name, labels in NAMED_AT_ONCE.items() for label in labels]
)
def test_a_usual_mistake_fails_the_visible_tests_too(function, label):
    error = exam(LESSON).verdict(function, answers(LESSON)[1][function][label][0], "visible")
    assert isinstance(error, AssertionError) and "usual slip" not in str(error)


# --- points for faults -------------------------------------------------------------------------------------------

CELLS = {"cheats": ("copies", "tuned"), "faults": ("fidelity", "diversity")}


def lost(answer):
    """The cells of faults whose points a rule does not get."""
    names, found = exam(LESSON).names, set()
    right, names["verdict"] = names["verdict"], answer
    try:
        for kind, faults in CELLS.items():
            assert (
                f"pass_in({', '.join(map(repr, faults))})".replace("'", '"')
                in exam(LESSON).cells[f"verdict-{kind}-hidden"].source
            )
            try:
                names["pass_in"](*faults)
            except AssertionError:
                found.add(kind)
    finally:
        names["verdict"] = right
    return found


def test_the_right_rules_lose_nothing():
    for answer in answers(LESSON)[0]["verdict"].values():
        assert lost(answer) == set()


@pytest.mark.parametrize(
    "said",
    [set(), *({fault} for fault in FAULTS), set(FAULTS)],
    ids=lambda said: " and ".join(sorted(said)) or "none",  # a set has another order in each process
)
def test_one_verdict_for_everybody_earns_no_point(said):
    assert lost(lambda figures, null: said) == set(CELLS)
    assert exam(LESSON).verdict("verdict", lambda figures, null: said, "visible") is not None


@pytest.mark.parametrize(
    ("label", "cells"),
    [
        ("closer", {"cheats"}),
        ("no tuned", {"cheats"}),
        ("fresh precision alone", {"cheats"}),
        ("Fréchet for diversity", {"faults"}),
        ("fidelity by fresh", {"faults"}),
        ("most copies", {"cheats"}),
    ],
)
def test_a_mistake_costs_the_points_of_its_own_faults(label, cells):
    assert lost(answers(LESSON)[1]["verdict"][label][0]) == cells


if __name__ == "__main__":
    number = int(sys.argv[1])
    make_variant(LESSON, number, {row[:6]: row for row in board(number)})  # "| A | "
