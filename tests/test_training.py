"""The loop, seeds, threads and checkpoints: what is promised when things go well, and when they do not."""

import os
import pickle
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from helpers.data import batches
from helpers.training import (
    CheckpointError,
    History,
    TrainingError,
    for_cpu_seconds,
    for_updates,
    granted_cpus,
    load_checkpoint,
    pick_device,
    save_checkpoint,
    seed_everything,
    set_threads,
    step_milliseconds,
    train,
)


def regression_step(model, optimiser, x):
    """A step with noise in it, so that a resumed run must restore PyTorch's own generator too."""
    loss = (model(x + 0.1 * torch.randn_like(x)) - x.sum(1, keepdim=True)).square().mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return {"loss": loss.detach()}


class Run:
    """All that a training owns."""

    def __init__(self, seed):
        self.generator = seed_everything(seed)
        self.model = nn.Linear(3, 1)
        self.optimiser = torch.optim.Adam(self.model.parameters(), 0.01)
        self.rate = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimiser, 40)
        x = torch.randn(20, 3, generator=torch.Generator().manual_seed(7))
        self.batches = batches(x, 6, self.generator)
        self.history = History()

    def go_on(self, steps):
        step = partial(regression_step, self.model, self.optimiser)
        counted = []
        for t, _ in train(step, self.batches, steps, self.history, progress=False):
            self.rate.step()
            counted.append(t)
        return counted

    @property
    def parts(self):
        return {
            "models": {"model": self.model},
            "optimisers": {"optimiser": self.optimiser, "rate": self.rate},
            "batches": self.batches,
            "generator": self.generator,
            "history": self.history,
        }


def test_the_loop_counts_records_and_hands_back():
    run = Run(0)
    assert run.go_on(5) == [1, 2, 3, 4, 5]
    assert run.go_on(2) == [6, 7]
    assert len(run.history["loss"]) == len(run.history) == 7
    assert run.history.last("loss", 2) == pytest.approx(sum(run.history["loss"][-2:]) / 2)


def test_an_empty_history_is_still_the_callers():
    history = History()
    assert history and len(history) == 0


def test_empty_data_raises_instead_of_spinning():
    with pytest.raises(ValueError, match="is the data set empty"):
        list(train(lambda batch: {"loss": 0.0}, [], 3, progress=False))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_history(value):
    losses = iter([1.0, 0.5, value])
    history = History()
    with pytest.raises(TrainingError, match=r"`loss` became .* at update 3.*smaller learning rate"):
        list(train(lambda _: {"loss": next(losses)}, iter(range(9)), 9, history, progress=False))
    assert history["loss"] == [1.0, 0.5]


def test_an_interrupt_leaves_model_and_history_usable():
    run = Run(0)

    def interrupted(x):
        if len(run.history) == 3:
            raise KeyboardInterrupt
        return regression_step(run.model, run.optimiser, x)

    with pytest.raises(KeyboardInterrupt):
        list(train(interrupted, run.batches, 9, run.history, progress=False))
    assert len(run.history["loss"]) == 3
    assert run.go_on(2) == [4, 5]


def test_a_resumed_run_equals_an_unbroken_one(tmp_path):
    whole = Run(3)
    whole.go_on(30)

    first = Run(3)
    first.go_on(13)
    save_checkpoint(tmp_path / "run.pt", **first.parts)
    second = Run(99)  # another seed: everything must come from the file
    load_checkpoint(tmp_path / "run.pt", **second.parts)
    assert second.go_on(17) == list(range(14, 31))

    assert second.history == whole.history
    for a, b in zip(whole.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_missing_checkpoint(tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "none.pt", models={})


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_a_truncated_checkpoint(tmp_path, share):
    file = save_checkpoint(tmp_path / "run.pt", **Run(0).parts)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    run = Run(1)
    before = run.model.weight.clone()
    with pytest.raises(CheckpointError, match=r"damaged|refused"):
        load_checkpoint(file, **run.parts)
    assert torch.equal(run.model.weight, before)


class Attack:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("form", ["zip", "old", "pickle"])
def test_a_checkpoint_that_tries_to_run_code_is_refused(tmp_path, form):
    mark, file = tmp_path / "ran", tmp_path / "evil.pt"
    if form == "pickle":
        file.write_bytes(pickle.dumps({"models": Attack(mark)}))
    else:
        torch.save({"models": Attack(mark)}, file, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(CheckpointError, match="run code"):
        load_checkpoint(file, models={})
    assert not mark.exists()


def test_a_checkpoint_of_other_sizes_changes_nothing(tmp_path):
    other = {"models": {"model": nn.Linear(4, 1)}}
    file = save_checkpoint(tmp_path / "run.pt", **other)
    run = Run(0)
    before, state = run.model.weight.clone(), torch.get_rng_state()
    with pytest.raises(CheckpointError, match="sizes they had"):
        load_checkpoint(file, models={"model": run.model})
    assert torch.equal(run.model.weight, before) and torch.equal(torch.get_rng_state(), state)


KILLED = """
import sys, torch
from torch import nn
from helpers.training import save_checkpoint
print("ready", flush=True)
while True:
    save_checkpoint(sys.argv[1], models={"model": nn.Linear(1500, 1500)})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of Unix")
def test_a_process_killed_while_saving_leaves_a_whole_checkpoint(tmp_path):
    file, model = tmp_path / "run.pt", nn.Linear(1500, 1500)
    save_checkpoint(file, models={"model": model})
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(file)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]
    )
    process.stdout.readline()
    for _ in range(40):  # until a file is being written right now
        time.sleep(0.01)
        if (tmp_path / "run.pt.unfinished").exists():
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    load_checkpoint(file, models={"model": model})
    assert torch.isfinite(model.weight).all()
    save_checkpoint(file, models={"model": model})  # the half-written one is in nobody's way


def test_a_budget_is_spent_and_no_more(monkeypatch):
    """By a clock that only moves with each update."""
    clock = [7.0]
    monkeypatch.setattr("helpers.training.time.process_time", lambda: clock[0])

    def update(done):
        shares.append(done)
        clock[0] += 0.5

    for budget, expected in (
        (for_cpu_seconds(2.0), [0, 0.25, 0.5, 0.75]),
        (for_cpu_seconds(2.0, kept=1.0), [0, 0.25]),
        (for_cpu_seconds(0.0), []),
        (for_updates(4), [0, 0.25, 0.5, 0.75]),
        (for_updates(0), []),
    ):
        shares = []
        assert budget(update) == len(expected) and shares == pytest.approx(expected)


@pytest.mark.parametrize(
    ("files", "environment", "expected"),
    [
        ({}, {"CPU_LIMIT": "1.0"}, 1),
        ({"cpu.max": "100000 100000"}, {}, 1),
        ({"cpu.max": "50000 100000"}, {}, 1),
        ({"cpu.max": "max 100000"}, {"CPU_LIMIT": "1"}, 1),
        ({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, {}, 1),
    ],
)
def test_cpus_really_granted(tmp_path, files, environment, expected):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert granted_cpus(environment, tmp_path) == expected


def test_without_any_limit_the_affinity_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu.max").write_text("max 100000")
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert granted_cpus({"CPU_LIMIT": "nonsense"}, tmp_path) == 6
    (tmp_path / "cpu.max").write_text("250000 100000")
    assert granted_cpus({}, tmp_path) == 2


@pytest.mark.parametrize(
    ("granted", "milliseconds", "threads"),
    [
        (1, {1: 10.0, 2: 1.0, 4: 1.0}, 1),  # a second thread would have no core
        (2, {1: 10.0, 2: 6.0, 4: 1.0}, 2),
        (2, {1: 10.0, 2: 9.5, 4: 1.0}, 1),  # as good as equal: the fewest
        (2, {1: 10.0, 2: 20.0, 4: 1.0}, 1),  # the other core is busy
        (8, {1: 10.0, 2: 6.0, 4: 5.8}, 2),
        (8, {1: 10.0, 2: 6.0, 4: 4.0}, 4),
    ],
)
def test_threads_are_those_that_were_fastest(monkeypatch, granted, milliseconds, threads):
    before = torch.get_num_threads()
    monkeypatch.setattr("helpers.training.granted_cpus", lambda: granted)
    monkeypatch.setattr("helpers.training.step_milliseconds", milliseconds.get)
    try:
        assert set_threads() == torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_measuring_threads_leaves_everything_as_it_was():
    threads, random_state = torch.get_num_threads(), torch.get_rng_state()
    assert step_milliseconds(2 if threads == 1 else 1) > 0
    assert torch.get_num_threads() == threads and torch.equal(torch.get_rng_state(), random_state)


def test_devices():
    assert pick_device("cpu").type == "cpu"
    with pytest.raises(ValueError, match="choose one of"):
        pick_device("abacus")
