"""The evidence that notebooks quote: complete, dated, and repeatable within its own spread."""

import json

import pytest
import torch

from helpers import studies
from helpers.studies import RESULTS, study
from helpers.studies.ring_gan import SEEDS, ring_run


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_every_result_says_how_it_was_made(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    assert {"settings", "versions", "date", "runs"} <= content.keys()
    assert len(content["settings"]["seeds"]) >= 3 and "torch" in content["versions"]
    for runs in content["runs"].values():
        assert len(runs) == len(content["settings"]["seeds"])


def test_the_ring_covers_with_one_preset_and_collapses_with_the_other():
    runs = study("ring_gan")["runs"]
    assert len(runs["recommended"]) == len(SEEDS) == 5
    assert sum(run["modes"] >= 7 and run["good"] >= 0.5 for run in runs["recommended"]) >= 4
    assert sum(run["nearest_three"] >= 0.9 and run["good"] >= 0.5 for run in runs["collapses"]) >= 3


@pytest.mark.parametrize("preset", ["recommended", "collapses"])
def test_a_new_seed_falls_into_the_spread(preset):
    """A seed that the study has not seen: other machines round differently, so no row is repeated to the digit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        run = ring_run(preset, seed=11)
    finally:
        torch.set_num_threads(threads)
    runs = study("ring_gan")["runs"][preset]
    for name, slack in (("modes", 2), ("good", 0.15), ("nearest_three", 0.15)):
        values = [each[name] for each in runs]
        assert min(values) - slack <= run[name] <= max(values) + slack


def test_a_missing_result_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "RESULTS", tmp_path)
    with pytest.raises(FileNotFoundError, match="make studies"):
        study("ring_gan")
