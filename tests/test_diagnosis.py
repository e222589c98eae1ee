"""The rule of notebook 07: made-up logs on both sides of each threshold, and the logs that were kept for it."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from helpers.data import ring
from helpers.diagnosis import DIAGNOSES, diagnose, signs
from helpers.studies import RESULTS, study
from helpers.studies.logs import (
    ANONYMOUS,
    RECIPES,
    RECORDS,
    SEEDS,
    gradient_norm,
    keep_log,
    largest_of_data,
    look,
    made,
    recipe_of,
)

GOOD = {"g_gradient": 2.0, "modes": 8, "good": 0.9, "x": 0.0, "y": 0.0, "largest": 2.1}


def log_of(early=None, **late):
    """24 records of a healthy game, the last eight with other values; a list is cycled through."""
    log = {}
    for name, value in GOOD.items():
        values = late.get(name, value)
        values = values if isinstance(values, list) else [values]
        log[name] = [(early or GOOD)[name]] * 16 + [values[i % len(values)] for i in range(8)]
    log["largest"][-1] *= 1.05 if "largest" not in late else 1  # points that are free to move do
    return log


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        ({}, "healthy"),
        ({"modes": 6}, "healthy"),
        ({"modes": 5}, "mode collapse"),
        ({"modes": 1, "good": 0.5}, "mode collapse"),
        ({"modes": 1, "good": 0.4}, "unclear"),
        ({"modes": 8, "good": 0.4}, "unclear"),
        ({"g_gradient": 9e-5}, "vanishing gradient"),
        ({"g_gradient": [1e-9, 2e-4]}, "healthy"),  # a single record above the threshold
        ({"largest": 1.4, "modes": 4}, "range too small"),
        ({"largest": [1.4, 1.5], "modes": 2}, "mode collapse"),  # small, but it moves
        ({"largest": 1.99}, "healthy"),  # at rest, but where the data are
        ({"x": [-0.6, 0.6], "good": 0.0, "modes": 0}, "oscillation"),
        ({"x": [-0.4, 0.4], "y": [0.4, -0.4], "good": 0.0}, "oscillation"),
        ({"x": [-0.4, 0.4], "good": 0.0}, "unclear"),
        ({"x": 1.4, "y": 1.4, "modes": 1}, "mode collapse"),  # off the centre is no oscillation
    ],
)
def test_each_threshold_from_both_sides(late, expected):
    assert diagnose(log_of(**late), 2.15) == expected


def test_the_six_signs_by_hand():
    """Of 26 records the last eight, with NumPy: maxima, medians, and variances divided by their number."""
    numbers = np.random.default_rng(0)
    log = {name: numbers.uniform(0.5, 2, 26).tolist() for name in GOOD}
    for name in ("g_gradient", "largest"):
        log[name][17], log[name][18] = 9.0, 4.0  # one too early, and the first that counts
    late = {name: np.array(values[18:]) for name, values in log.items()}
    assert signs(log, 2.5) == pytest.approx(
        {
            "gradient": 4.0,
            "reach": 4.0 / 2.5,
            "reach moved": (4.0 - late["largest"].min()) / 4.0,
            "wander": np.sqrt(late["x"].var() + late["y"].var()),
            "good": np.median(late["good"]),
            "modes": np.median(late["modes"]),
        }
    )


def test_only_the_last_third_is_read():
    bad = {"g_gradient": 0.0, "modes": 0, "good": 0.0, "x": 50.0, "y": 0.0, "largest": 0.1}
    assert diagnose(log_of(early=bad), 2.15) == "healthy"


def test_the_unit_of_the_data_does_not_matter_to_the_reach():
    log = log_of(largest=0.14, modes=4)
    assert diagnose(log, 0.215) == "range too small"
    assert signs(log, 0.215)["reach"] == pytest.approx(0.14 / 0.215)


def test_the_rule_on_development_and_held_out_logs():
    content = study("logs")
    assert content["settings"]["largest_of_data"] == largest_of_data()
    right = {"development": 0, "held out": 0}
    for kind, entries in content["runs"].items():
        assert kind in DIAGNOSES
        for place, entry in enumerate(entries):
            verdict = diagnose(entry["log"], content["settings"]["largest_of_data"])
            right["development" if place < 4 else "held out"] += verdict == kind
    assert right["development"] == 20 and right["held out"] >= 18


def test_the_logs_are_as_they_say():
    path = RESULTS / "logs.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    assert path.stat().st_size <= 150_000
    assert tuple(content["runs"]) == tuple(RECIPES) == DIAGNOSES
    seen = set()
    for kind, entries in content["runs"].items():
        assert len(entries) == 8
        for planned, entry in zip(SEEDS, entries, strict=True):
            assert entry["skipped"] or entry["seed"] == planned
            recipe = recipe_of(kind, entry["seed"])
            assert entry["recipe"]["g_rate"] == recipe.g_rate and entry["recipe"]["d_rate"] == recipe.d_rate
            assert all(len(values) == RECORDS for values in entry["log"].values())
            seen.add((kind, recipe.g_rate, recipe.d_rate))
    assert len(seen) == 40  # no two games of a kind share their rates


def test_the_anonymous_logs_say_nothing_of_their_making():
    content = study("logs")
    assert content["anonymous"].keys() == ANONYMOUS.keys()
    for letter, entry in content["anonymous"].items():
        assert entry.keys() == {"log", "points"}
        assert diagnose(entry["log"], content["settings"]["largest_of_data"]) == ANONYMOUS[letter][0]


def test_what_a_record_says_of_the_fakes_and_of_the_gradient():
    """The largest coordinate in size may be a negative one; the gradient's length is that of all of them."""
    points = torch.cat([ring().centres[:1].expand(300, 2), torch.tensor([[-3.0, 0.5]]).expand(200, 2)])

    class Draws(nn.Module):
        latent = 2

        def forward(self, z):
            return points

    assert look(Draws()) == pytest.approx(
        {"modes": 1, "good": 0.6, "x": 0.0, "y": 0.2, "largest": 3.0}, abs=1e-6
    )
    layer = nn.Linear(3, 2)
    layer.weight.grad, layer.bias.grad = torch.full((2, 3), 2.0), torch.tensor([0.0, 5.0])
    assert gradient_norm(layer) == pytest.approx(7.0)


def test_a_game_can_be_watched_and_cut_short(one_thread):
    """`watch` sees G after each iteration, and changes nothing."""
    seen = []
    log, generator, _ = keep_log(RECIPES["oscillation"], 3, 100, lambda t, g: seen.append((t, g)))
    assert [t for t, _ in seen] == [*range(1, 101)] and seen[-1][1] is generator
    assert log == keep_log(RECIPES["oscillation"], 3, 100)[0] and log["round"] == [100]


@pytest.mark.parametrize("kind", ["healthy", "vanishing gradient"])
def test_a_new_log_is_made_and_read_right(kind, one_thread):
    """It trains, from a seed that neither thresholds nor table have seen: the rule must not know them by heart."""
    entry = made(kind, seed=10)
    assert diagnose(entry["log"], largest_of_data()) == kind
    assert ring().sample(500).abs().max() < 1.1 * largest_of_data()
