"""Assignment 13: how its patients are made, that each illness has its test, and what the medicines do.

Run as a program it trains the patients of the exam and writes both groups into the assignment, about a minute.
"""

import base64
import hashlib
import json
import math
import re
import textwrap
import zlib
from pathlib import Path

import nbformat
import pytest
import torch
from test_lessons import answers, exam, nbgrader_cells

LESSON = "13_collapse"
ASSIGNMENT = Path(__file__).resolve().parents[1] / "lessons" / LESSON / "assignment.ipynb"
NAMES = ("collapsed", "blind encoder", "deaf decoder", "crossed wires", "partly collapsed", "healthy")

# --- how the patients are made -----------------------------------------------------------------------------------


def run(latent, reach, seed, *first):
    """A training: units, reach, seed, and the β of each unit at the start (8 presses it down, 0 lets it go)."""
    return [latent, reach, seed, list(first) * (latent if len(first) == 1 else 1)]


def parked(latent, **places):
    """What is added to the encoder's last biases, so that the means of some units are moved (u1=0.9)."""
    return [places.get(f"u{unit}", 0.0) for unit in range(latent)] + [0.0] * latent


def fixed(means, log_var):
    """The only guess of an encoder whose hidden units have died."""
    return {"times": 0.0, "plus": [*means, *[log_var] * len(means)]}


# letter → its name and how it was made: `one` is the training of the decoder, `two` that of the encoder
WARD = {
    "A": ("collapsed", {"one": run(6, 2, 11, 8.0)}),
    "B": ("healthy", {"one": run(6, 2, 1, 0.0)}),
    "C": (
        "partly collapsed",
        {"one": run(6, 2, 21, 0.0, 8.0, 8.0, 0.0, 8.0, 0.0), "plus": parked(6, u1=0.9, u4=-0.7)},
    ),
    "D": ("healthy", {"one": run(4, 0, 5, 0.0)}),
    "E": ("blind encoder", {"one": run(6, 2, 11, 8.0)} | fixed([1.6, -1.1, 0.9, -1.4, 1.2, 0.5], -1.5)),
    "F": ("collapsed", {"one": run(8, 2, 14, 8.0)}),
    "G": ("deaf decoder", {"one": run(6, 2, 11, 8.0), "two": run(6, 2, 1, 0.0)}),
    "H": ("crossed wires", {"one": run(6, 2, 1, 0.0), "two": run(6, 2, 3, 0.0)}),
    "I": ("partly collapsed", {"one": run(4, 1, 23, 0.0, 0.0, 8.0, 8.0)}),
}
EXAM = {
    "collapsed": [{"one": run(6, 2, 12, 8.0)}, {"one": run(8, 2, 13, 8.0)}, {"one": run(4, 1, 14, 8.0)}],
    "blind encoder": [
        {"one": run(6, 2, 12, 8.0)} | fixed([0.3, -1.5, 1.0, 0.8, -0.6, 2.0], -0.8),
        {"one": run(8, 2, 19, 0.0)} | fixed([1.1, 0.9, -0.7, 0.4, -1.2, 0.1, 0.8, -0.3], -2.0),
        {"one": run(4, 0, 15, 0.0)} | fixed([-1.3, 0.7, 1.9, -0.2], -2.5),
    ],
    "deaf decoder": [
        {"one": run(6, 2, 12, 8.0), "two": run(6, 2, 2, 0.0)},
        {"one": run(8, 2, 13, 8.0), "two": run(8, 2, 4, 0.0)},
        {"one": run(4, 1, 14, 8.0), "two": run(4, 1, 16, 0.0)},
    ],
    "crossed wires": [
        {"one": run(6, 2, 17, 0.0), "two": run(6, 2, 27, 0.0)},
        {"one": run(4, 0, 18, 0.0), "two": run(4, 0, 15, 0.0)},
        {"one": run(8, 2, 19, 0.0), "two": run(8, 2, 4, 0.0)},
    ],
    "partly collapsed": [
        {"one": run(6, 2, 22, 8.0, 0.0, 8.0, 8.0, 0.0, 8.0)},
        {
            "one": run(8, 2, 24, 0.0, 8.0, 8.0, 0.0, 0.0, 8.0, 0.0, 8.0),
            "plus": parked(8, u1=-1.0, u2=0.8, u5=0.6),
        },
        {"one": run(6, 2, 25, 8.0, 0.0, 0.0, 8.0, 0.0, 8.0), "plus": parked(6, u0=1.2)},
    ],
    "healthy": [
        {"one": run(6, 2, 26, 0.0, 0.0, 0.0, 8.0, 0.0, 0.0), "plus": parked(6, u3=0.8)},
        {"one": run(8, 2, 19, 0.0)},
        {"one": run(4, 0, 18, 0.0)},
    ],
}


def packed(things):
    text = base64.b64encode(zlib.compress(json.dumps(things, separators=(",", ":")).encode(), 9)).decode()
    return "\n".join(textwrap.wrap(text, 100))


def checksum(said):
    return hashlib.pbkdf2_hmac("sha256", " ".join(said).encode(), b"ward 13", 300_000).hex()[:16]


def patient_of(tools, parts, seed):
    """A patient on 64 pictures, in hundredths."""
    found = tools["report"](tools["made"](parts), tools["pictures"](64, seed))
    return {key: (100 * value).round().int().tolist() for key, value in found.items()}


def write_patients():
    """Train, measure, and put both groups into the assignment."""
    notebook = nbformat.read(ASSIGNMENT, as_version=4)
    cells = nbgrader_cells(notebook)
    tools = {}
    ward = packed([parts for _, parts in WARD.values()])
    cells["ward"].source = re.sub(
        r'WARD = """.*?"""', f'WARD = """\n{ward}\n"""', cells["ward"].source, flags=re.S
    )
    for name in ("setup", "pictures", "vae", "ward"):
        exec(compile(cells[name].source, name, "exec"), tools)
    people = [
        patient_of(tools, parts, 1000 + 10 * number + turn)
        for number, name in enumerate(NAMES)
        for turn, parts in enumerate(EXAM[name])
    ]
    hidden = cells["diagnose-hidden"]
    hidden.source = re.sub(
        r'EXAM = """.*?"""', f'EXAM = """\n{packed(people)}\n"""', hidden.source, flags=re.S
    )
    seal = checksum([name for name, _ in WARD.values()])
    cells["envelope"].source = re.sub(r'SEAL = ".*?"', f'SEAL = "{seal}"', cells["envelope"].source)
    ASSIGNMENT.write_text(nbformat.writes(notebook).rstrip("\n") + "\n", encoding="utf-8")


# --- the patients ------------------------------------------------------------------------------------------------


def names():
    """What the assignment defines, with its right answers."""
    return exam(LESSON).names


def signs_of(patient):
    signs = names()["vital_signs"](patient["mu"], patient["log_var"])
    difference = patient["own"] - patient["other"]
    kl = signs["kl"].sum().item()
    return {
        "elbo": patient["own"].mean().item() - kl,
        "kl": kl,
        "told": signs["told"].sum().item(),
        "variance": patient["mu"].var(0),
        "active": int(signs["active"].sum()),
        "gain": difference.mean().item(),
        "stir": difference.abs().mean().item(),
    }


def test_the_ward_is_as_it_was_made_and_holds_no_labels():
    assert names()["NAMES"] == NAMES and {kind for kind, _ in WARD.values()} == set(NAMES)
    assert [json.loads(json.dumps(parts)) for _, parts in WARD.values()] == names()["unpacked"](
        names()["WARD"]
    )
    truth = [kind for kind, _ in WARD.values()]
    assert names()["SEAL"] == checksum(truth)
    assert [names()["diagnose"](patient) for patient in names()["ward"].values()] == truth


def test_the_exam_has_three_new_patients_a_name():
    hidden = names()["hidden_ward"]
    assert names()["truth"] == [kind for kind in NAMES for _ in range(3)] and len(hidden) == 18
    in_ward = [parts for _, parts in WARD.values()]
    assert not any(parts in in_ward for kind in NAMES for parts in EXAM[kind])
    for patient in hidden:
        assert patient["mu"].shape == patient["log_var"].shape and len(patient["own"]) == 64
    assert {patient["mu"].shape[1] for patient in hidden} == {4, 6, 8}


def everybody():
    """(name, signs, units) of ward and exam."""
    ward = zip([kind for kind, _ in WARD.values()], names()["ward"].values(), strict=True)
    both = [*ward, *zip(names()["truth"], names()["hidden_ward"], strict=True)]
    return [(kind, signs_of(patient), patient["mu"].shape[1]) for kind, patient in both]


def test_nobody_is_a_borderline_case():
    """So that rounding on another machine changes nothing, and thresholds in the middle of a gap pass."""
    for kind, sign, units in everybody():
        assert not ((sign["variance"] > 0.007) & (sign["variance"] < 0.05)).any(), kind
        if kind == "collapsed":
            assert sign["kl"] < 0.05 and sign["active"] == 0
        elif kind == "blind encoder":
            assert sign["kl"] > 2.5 and sign["active"] == 0 and sign["told"] < 0.01
        elif kind == "deaf decoder":
            assert sign["stir"] < 0.8 and sign["kl"] > 1.5
        elif kind == "crossed wires":
            assert sign["stir"] > 4 and sign["gain"] < 0.25 * sign["stir"]
        else:
            assert sign["gain"] > 2.5 and sign["gain"] > 0.9 * sign["stir"]
            assert (sign["active"] > units / 2) == (kind == "healthy")


def test_the_exam_is_fair_thresholds_anywhere_in_the_gaps_of_the_ward_pass():
    """A learner knows only the ward. Of each gap there the middle half is tried, all thresholds together."""
    ward = [each for each in everybody()[: len(WARD)]]

    def gap(key, low, high):
        below = max(sign[key] for kind, sign, _ in ward if kind in low)
        above = min(sign[key] for kind, sign, _ in ward if kind in high)
        return math.log(below), math.log(above)

    # Of the gain some will take the mean itself, some its share of the stir.
    lowest = max(sign["gain"] for kind, sign, _ in ward if kind == "crossed wires")
    highest = min(sign["gain"] for kind, sign, _ in ward if kind in ("partly collapsed", "healthy"))
    speaking = ("crossed wires", "partly collapsed", "healthy")
    gaps = {
        "kl": gap("kl", ["collapsed"], ["blind encoder"]),
        "stir": gap("stir", ["deaf decoder"], speaking),
    }
    rule = answers(LESSON)[0]["diagnose"]["a chain"]
    for at in (0.25, 0.5, 0.75):
        thresholds = {key: math.exp(low + at * (high - low)) for key, (low, high) in gaps.items()}
        for share in (0.3, 0.5, 0.7):
            said = [rule(patient, **thresholds, share=share) for patient in names()["hidden_ward"]]
            assert said == names()["truth"], (thresholds, share)
        gain = lowest + at * (highest - lowest)
        said = [rule(patient, **thresholds, gain=gain) for patient in names()["hidden_ward"]]
        assert said == names()["truth"], (thresholds, gain)


def test_the_elbo_alone_does_not_tell():
    """As the guide says it: collapsed A before healthy D, and the large KLs of E and G are of no use."""
    signs = {letter: signs_of(patient) for letter, patient in names()["ward"].items()}
    assert signs["A"]["elbo"] > signs["D"]["elbo"] + 1 and signs["D"]["active"] == 4
    assert signs["B"]["elbo"] > signs["A"]["elbo"] + 0.5
    assert signs["E"]["kl"] > 3 and signs["E"]["told"] < 1e-4
    assert signs["G"]["kl"] == pytest.approx(signs["B"]["kl"]) and signs["G"]["stir"] < 0.8
    assert signs["C"]["kl"] - signs["C"]["told"] > 0.5


def test_a_patient_of_the_exam_made_anew_is_the_same():
    again = patient_of(names(), EXAM["deaf decoder"][2], 1022)
    kept = names()["hidden_ward"][8]
    for key, values in again.items():
        assert torch.allclose(torch.tensor(values) / 100, kept[key], atol=0.5)


def test_told_and_what_all_have_in_common_add_up_to_the_kl():
    """kl = told + KL(N(m, v) ‖ N(0, 1)), exactly."""
    for patient in names()["ward"].values():
        mu, log_var = patient["mu"].double(), patient["log_var"].double()
        signs = names()["vital_signs"](mu, log_var)
        mean, variance = mu.mean(0), mu.var(0, correction=0) + log_var.exp().mean(0)
        common = 0.5 * (mean.square() + variance - 1 - variance.log())
        assert torch.allclose(signs["kl"], signs["told"] + common, atol=1e-10)


# --- the points for names ----------------------------------------------------------------------------------------

PAIRS = {"silent": NAMES[:2], "unheard": NAMES[2:4], "speaking": NAMES[4:]}


def lost(answer):
    """The cells of names whose points a rule does not get."""
    right, found = names()["diagnose"], set()
    names()["diagnose"] = answer
    try:
        for pair in PAIRS:
            cell = f"diagnose-{pair}-hidden"
            try:
                exec(compile(exam(LESSON).cells[cell].source, cell, "exec"), names())
            except AssertionError:
                found.add(pair)
    finally:
        names()["diagnose"] = right
    return found


def test_the_right_rules_lose_nothing():
    for answer in answers(LESSON)[0]["diagnose"].values():
        assert lost(answer) == set()


@pytest.mark.parametrize("said", NAMES)
def test_one_word_for_everybody_earns_no_point(said):
    assert lost(lambda patient: said) == set(PAIRS)


@pytest.mark.parametrize(
    ("label", "cells"),
    [
        ("deaf by the mean", {"unheard"}),
        ("half of the units forgotten", {"speaking"}),
        ("blind forgotten", {"silent"}),
        ("active by KL", {"silent", "unheard", "speaking"}),
    ],
)
def test_a_mistake_costs_the_points_of_its_own_names(label, cells):
    assert lost(answers(LESSON)[1]["diagnose"][label][0]) <= cells and lost(
        answers(LESSON)[1]["diagnose"][label][0]
    )


# --- the medicines -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [51, 52])
def test_what_the_medicines_do(seed):
    """As the guide says it, on collapses that the hidden test does not use: warm-up, cycles, free bits, and nothing."""
    tools = names()
    sick, x = tools["trained"](6, 2, seed, (8.0,) * 6), tools["pictures"](500, 70 + seed)
    _, _, before = tools["examined"](sick, x)
    found = {}
    for label, medicine in {
        "nothing": lambda t, updates: (1.0, 0.0),
        "warm-up": tools["prescription"],
        "cycles": lambda t, updates: (tools["cyclic_beta"](t, updates, 2, 0.8), 0.0),
        "free bits": lambda t, updates: (1.0, 0.3),
        "too many": lambda t, updates: (1.0, 1.5),
    }.items():
        found[label] = tools["examined"](tools["treated"](sick, medicine, seed), x)
    assert found["nothing"][1] < 0.7
    for label in ("warm-up", "cycles", "free bits"):
        active, kl, elbo = found[label]
        assert active == 6 and kl > 1.0 and elbo > before + 0.2, label
    assert found["too many"][2] < before - 1


def test_exact_collapse_in_probabilistic_pca():
    """Question 5c: along an eigenvector the best w² is max(0, λ − σ²), and the KL of its unit ½ log(λ/σ²) or 0."""
    noise, w2 = 0.8, torch.linspace(0, 4, 40001, dtype=torch.float64)
    for eigenvalue, kl in ((3.2, 0.6931), (1.6, 0.3466), (0.8, 0.0), (0.3, 0.0)):
        # The gap is 0 at the best guess, so the ELBO is the mean of log N(x; 0, w² + σ²) over data of this variance.
        elbo = -0.5 * (math.log(2 * math.pi) + (w2 + noise).log() + eigenvalue / (w2 + noise))
        best = w2[elbo.argmax()].item()
        assert best == pytest.approx(max(0.0, eigenvalue - noise), abs=2e-4)
        posterior = noise / (best + noise)  # and the means have the variance w² λ / (w² + σ²)²
        spread = best * eigenvalue / (best + noise) ** 2
        assert 0.5 * (spread + posterior - 1 - math.log(posterior)) == pytest.approx(kl, abs=1e-3)


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_patients()
