"""A project's log survives what happens to projects; figures with errors against simulation and scipy; the card."""

import json
import math

import numpy as np
import pytest
import torch
from scipy import stats

from helpers.project import ExperimentLog, is_supported, luck_of_the_best, model_card, paired_difference

# The log


@pytest.fixture
def log(tmp_path):
    return ExperimentLog(tmp_path / "new folder" / "log.jsonl")


def one_run(log, name="VAE", seed=1, nats=2.5, **settings):
    with log.run(name, seed=seed, **settings) as found:
        found["nats"] = nats


def test_a_run_is_a_row_with_its_settings_seed_figures_and_seconds(log):
    one_run(log, latent=4, s="learned")
    with log.run("GAN", seed=2) as found:
        found |= {"FID": torch.tensor(3.0), "n": np.int64(7), "note": "unstable"}
    table = log.table()
    assert list(table.index) == [1, 2] and list(table["seed"]) == [1, 2]
    assert table.loc[1, "settings"] == "latent = 4, s = learned" and table.loc[1, "nats"] == 2.5
    assert table.loc[2, "FID"] == 3 and table.loc[2, "n"] == 7 and table.loc[2, "note"] == "unstable"
    assert math.isnan(table.loc[2, "nats"]) and (table["seconds"] >= 0).all()
    assert list(table)[-2:] == ["seconds", "note"]


def test_an_empty_log_is_an_empty_table(log):
    assert log.events() == [] and log.table().empty


def test_lines_are_only_added(log):
    one_run(log)
    before = log.path.read_bytes()
    one_run(ExperimentLog(log.path), seed=2)
    log.test(lambda: {"nats": 2.0})
    assert log.path.read_bytes().startswith(before)
    assert len(log.events()) == 5 and all("at" in event for event in log.events())


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_a_run_that_is_interrupted_or_fails_is_logged_too(log, error):
    with pytest.raises(error), log.run("VAE", seed=1) as found:
        found["updates"] = 10
        raise error
    row = log.table().loc[1]
    assert row["note"] == f"stopped by {error.__name__}" and row["updates"] == 10


def test_a_run_that_a_crash_ended_is_unfinished_and_the_next_is_whole(log):
    one_run(log)
    crashed = log.run("VAE", seed=2)
    crashed.__enter__()  # and the kernel is gone: its end is never written
    with log.path.open("a") as file:
        file.write('{"at": "2026-12-01T10:00:00", "eve')  # it died while it wrote
    again = ExperimentLog(log.path)
    one_run(again, seed=3)
    assert list(again.table()["note"]) == ["", "unfinished", ""] and list(again.table().index) == [1, 2, 3]
    crashed.gen.close()


def test_the_test_data_are_read_once_also_after_a_restart(log):
    asked = []

    def measure():
        asked.append(1)
        return {"nats": torch.tensor(1.25)}

    assert log.test(measure) == {"nats": 1.25}
    with pytest.raises(ValueError, match=r"have been read: nats 1\.25.*new test data"):
        ExperimentLog(log.path).test(measure)
    assert asked == [1]  # the second reading computed nothing


def test_a_reading_that_fails_does_not_count(log):
    with pytest.raises(ZeroDivisionError):
        log.test(lambda: {"nats": 1 / 0})
    assert log.test(lambda: {"nats": 1.0}) == {"nats": 1.0}


def test_what_is_no_single_number_is_refused_and_the_run_stays(log):
    with pytest.raises(ValueError, match="single numbers"), log.run("VAE", seed=1) as found:
        found["nats"] = torch.zeros(3)
    assert list(log.table()["note"]) == ["unfinished"]
    json.loads(log.path.read_text())


# Differences


def test_the_paired_difference_against_scipy_and_by_hand():
    """(24.1): three days by hand, and the error of the mean from another library."""
    difference, error = paired_difference(torch.tensor([2.0, 4.0, 6.0]), torch.tensor([1.0, 2.0, 3.0]))
    assert difference == 2 and error == pytest.approx(1 / math.sqrt(3))
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50))
    difference, error = paired_difference(torch.from_numpy(a), torch.from_numpy(b))
    assert error == pytest.approx(stats.sem(a - b))
    assert difference / error == pytest.approx(stats.ttest_rel(a, b).statistic)


def test_pairs_have_one_shape():
    for a, b in (((3,), (4,)), ((3, 1), (3, 1)), ((1,), (1,))):
        with pytest.raises(ValueError, match="Pairs need"):
            paired_difference(torch.zeros(a), torch.zeros(b))


@pytest.mark.parametrize("comparisons", [1, 10])
def test_of_many_claims_about_nothing_one_is_made_in_5_per_cent(comparisons):
    """(24.4): 20,000 experiments of m comparisons without any difference."""
    noise = torch.randn(20_000, comparisons, generator=torch.Generator().manual_seed(comparisons))
    claimed = is_supported(noise, torch.ones(()), comparisons).any(dim=1).double().mean().item()
    assert abs(claimed - 0.05) < 0.006
    uncorrected = is_supported(noise, torch.ones(())).any(dim=1).double().mean().item()
    assert abs(uncorrected - (1 - 0.95**comparisons)) < 0.015


def test_the_thresholds_are_those_of_the_normal_distribution():
    for m in (1, 3, 10):
        u = stats.norm.isf(0.025 / m)
        assert is_supported(u + 1e-6, 1.0, m) and not is_supported(u - 1e-6, 1.0, m)
        assert is_supported(-2 * u - 1e-6, 2.0, m)


def test_claims_need_errors_and_comparisons():
    for error, comparisons in ((0.0, 1), (1.0, 0)):
        with pytest.raises(ValueError, match="One comparison"):
            is_supported(1.0, error, comparisons)


def test_the_luck_of_the_best_against_simulation_and_known_values():
    """(24.5): the least of n scores N(μ, σ²) is μ − c_n σ on average."""
    for n, known in (
        (1, 0.0),
        (2, 1 / math.sqrt(math.pi)),
        (3, 1.5 / math.sqrt(math.pi)),
        (5, 1.16296),
        (20, 1.86748),
    ):
        assert luck_of_the_best(n) == pytest.approx(known, abs=1e-5)
        scores = 7 + 3 * torch.randn(40_000, n, generator=torch.Generator().manual_seed(n))
        assert scores.min(dim=1).values.mean().item() == pytest.approx(7 - 3 * luck_of_the_best(n), abs=0.06)
    with pytest.raises(ValueError, match="n ≥ 1"):
        luck_of_the_best(0)


# The card

PARTS = {
    "intended_use": "Exercises.",
    "out_of_scope_use": "Everything else.",
    "data_and_licence": "Invented, MIT.",
    "figures": {"nats": [1.0, 3.0, 2.0], "FID": [4.0]},
    "known_failures": "None measured.",
    "who_is_harmed_by_errors": "The learner.",
}


def test_a_card_has_all_parts_and_the_spread_of_its_figures():
    card = model_card("toy", **PARTS)
    for text in ("Model card: toy", "**Out-of-scope use.** Everything else.", "| nats | 2 | 1 to 3 | 3 |"):
        assert text in card
    assert "| FID | 4 | unknown | 1 |" in card


@pytest.mark.parametrize("part", PARTS)
def test_a_card_with_an_empty_part_is_refused_by_its_name(part):
    name = part.replace("out_of_scope", "out-of-scope").replace("_", " ")
    for empty in ({}, {part: {}}) if part == "figures" else ({}, {part: ""}, {part: "  "}):
        rest = {key: value for key, value in PARTS.items() if key != part}
        with pytest.raises(ValueError, match="not complete") as refused:
            model_card("toy", **rest | empty)
        assert name in str(refused.value).lower()
    assert all(f"{other}." not in str(refused.value) for other in PARTS if other != part)


@pytest.mark.parametrize("values", [[], [math.nan]])
def test_figures_are_finite_numbers(values):
    with pytest.raises(ValueError, match="'nats' needs one finite number"):
        model_card("toy", **PARTS | {"figures": {"nats": values}})
