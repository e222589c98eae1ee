"""The loop, seeds, threads and checkpoints: what is promised when things go well, and when they do not."""

import gc
import io
import os
import pickle
import subprocess
import sys
from functools import partial

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
    assert run.history.recent_mean("loss", 2) == pytest.approx(sum(run.history["loss"][-2:]) / 2)


def test_the_length_of_a_history_is_that_of_its_longest_curve():
    history = History()
    for t in range(3):
        history.record({"loss": 1.0} | ({"late": 2.0} if t == 2 else {}))
    assert len(history) == 3 and history == {"loss": [1.0] * 3, "late": [2.0]}


def test_one_seed_makes_two_generators():
    """PyTorch's own and one more, each as if seeded by hand; another seed, other numbers."""
    for seed in (7, 8):
        generator = seed_everything(seed)
        found, torchs = torch.rand(4, generator=generator), torch.rand(4)
        assert torch.equal(found, torch.rand(4, generator=torch.Generator().manual_seed(seed)))
        torch.manual_seed(seed)
        assert torch.equal(torchs, torch.rand(4))
    assert not torch.equal(torchs, torch.rand(4, generator=seed_everything(7)))


@pytest.mark.parametrize("end", ["at the end", "by a break", "by an error"])
def test_the_bar_is_closed(monkeypatch, end):
    """A bar that stays open would be drawn again below the next one."""
    calls = []

    class Bar:
        def update(self):
            calls.append("update")

        def close(self):
            calls.append("close")

    def step(batch):
        if end == "by an error" and batch == 2:
            raise KeyboardInterrupt
        return {"loss": 0.0}

    monkeypatch.setattr("helpers.training.tqdm", lambda **_: Bar())
    try:
        for t, _ in train(step, range(9), 3):
            if end == "by a break" and t == 2:
                break
    except KeyboardInterrupt:
        pass
    gc.collect()  # a loop that was left by a break is closed when nobody holds it
    assert calls == ["update"] * (3 if end == "at the end" else 2) + ["close"]


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


def test_a_generator_beside_the_batches_and_an_old_history_come_back_as_they_were(tmp_path):
    generator, history = torch.Generator().manual_seed(5), History(loss=[1.0, 2.0])
    torch.rand(3, generator=generator)
    file = save_checkpoint(tmp_path / "run.pt", models={}, generator=generator, history=history)
    expected, torchs = torch.rand(4, generator=generator), torch.rand(4)
    other, another = torch.Generator().manual_seed(6), History(loss=[9.0] * 5, accuracy=[0.1])
    load_checkpoint(file, models={}, generator=other, history=another)
    assert torch.equal(torch.rand(4, generator=other), expected) and another == {"loss": [1.0, 2.0]}
    assert torch.equal(torch.rand(4), torchs)


@pytest.mark.parametrize("content", [{"weights": {}}, [1, 2], torch.zeros(3)], ids=["dict", "list", "tensor"])
def test_a_file_that_is_no_checkpoint(tmp_path, content):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match="not a checkpoint of this course: it holds no models"):
        load_checkpoint(tmp_path / "other.pt", models={"model": nn.Linear(1, 1)})


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


WORTH_NOTHING = {
    "the second optimiser": lambda state: state["optimisers"].update(rate=None),
    "an optimiser of other sizes": lambda state: state["optimisers"].update(
        optimiser=torch.optim.Adam(nn.Linear(3, 1, bias=False).parameters()).state_dict()
    ),
    "batches over other data": lambda state: state["batches"].update(rows=21),
    "no batches": lambda state: state.update(batches=None),
    "the generator": lambda state: state.update(generator=torch.zeros(3)),
    "no random state": lambda state: state.pop("random_state"),
}


@pytest.mark.parametrize("part", WORTH_NOTHING)
def test_a_checkpoint_that_fits_in_part_changes_nothing(tmp_path, part):
    """What fails comes after weights that fit: they are undone too, and the run goes on to its own numbers."""
    other = Run(3)
    other.go_on(7)
    state = torch.load(save_checkpoint(tmp_path / "run.pt", **other.parts))
    WORTH_NOTHING[part](state)
    torch.save(state, tmp_path / "run.pt")
    untouched = Run(0)
    untouched.go_on(9)
    run = Run(0)
    run.go_on(4)
    with pytest.raises(CheckpointError, match="sizes they had"):
        load_checkpoint(tmp_path / "run.pt", **run.parts)
    run.go_on(5)
    assert run.history == untouched.history
    assert torch.equal(run.model.weight, untouched.model.weight)
    assert run.rate.get_last_lr() == untouched.rate.get_last_lr()


def full(*_):
    raise OSError("no space left on the disk")


def full_half_way(content, file, save=torch.save):
    """Some bytes are there, and look like the beginning of a checkpoint."""
    whole = io.BytesIO()
    save(content, whole)
    file.write(whole.getvalue()[: len(whole.getvalue()) // 2])
    file.flush()
    full()


FAILURES = {"half of it written": (torch, "save", full_half_way), "not on the disk": (os, "fsync", full)}
FAILURES["not renamed"] = (os, "replace", full)


@pytest.mark.parametrize("failure", FAILURES)
def test_a_save_that_fails_leaves_the_old_file_or_none(tmp_path, monkeypatch, failure):
    file, old, new = tmp_path / "run.pt", Run(0), Run(1)
    with monkeypatch.context() as patch:
        patch.setattr(*FAILURES[failure])
        with pytest.raises(OSError, match="no space"):
            save_checkpoint(file, **new.parts)
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        load_checkpoint(file, **Run(2).parts)
    whole = save_checkpoint(file, **old.parts).read_bytes()  # what is left of the other is in nobody's way
    with monkeypatch.context() as patch:
        patch.setattr(*FAILURES[failure])
        with pytest.raises(OSError, match="no space"):
            save_checkpoint(file, **new.parts)
    assert file.read_bytes() == whole
    load_checkpoint(file, **new.parts)
    assert torch.equal(new.model.weight, old.model.weight)
    save_checkpoint(file, **new.parts)
    assert [each.name for each in tmp_path.iterdir()] == ["run.pt"]


def test_all_bytes_are_on_the_disk_before_the_new_file_takes_the_name(tmp_path, monkeypatch):
    """A machine that loses power must not find the name on a file whose bytes never came."""
    events, replace = [], os.replace
    monkeypatch.setattr(os, "fsync", lambda number: events.append(os.fstat(number).st_size))
    monkeypatch.setattr(os, "replace", lambda *names: events.append("renamed") or replace(*names))
    file = save_checkpoint(tmp_path / "new" / "folder" / "run.pt", **Run(0).parts)
    assert events == [file.stat().st_size, "renamed"]


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
    for said in ("nonsense", "0", "-1"):
        assert granted_cpus({"CPU_LIMIT": said}, tmp_path) == 6
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


@pytest.mark.parametrize(("given", "kept"), [({}, "passive"), ({"OMP_WAIT_POLICY": "active"}, "active")])
def test_waiting_threads_leave_their_core_to_others(given, kept):
    """The package says so before PyTorch is loaded, which reads it then and never again; the user's own wish stays."""
    script = "import sys, os, helpers; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    env = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"} | given
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, check=True)
    assert said.stdout == f"{kept} False\n"
