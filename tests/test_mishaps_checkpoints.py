"""A checkpoint that is written can be read; one that does not fit says what, and by then nothing has changed."""

import copy
import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from helpers import studies
from helpers.data import batches
from helpers.training import (
    CheckpointError,
    History,
    load_checkpoint,
    save_checkpoint,
    seed_everything,
    write_atomically,
)
from helpers.vae import VAE, load, save


def bits(content):
    """A copy that can be compared with ==."""
    if isinstance(content, torch.Tensor):
        return tuple(content.shape), content.detach().numpy().tobytes()
    if isinstance(content, dict):
        return {key: bits(value) for key, value in content.items()}
    return [bits(each) for each in content] if isinstance(content, (list, tuple)) else copy.copy(content)


class Run:
    """All that a training owns, after two updates."""

    def __init__(self, seed=0, **settings):
        self.generator = seed_everything(seed)
        self.networks = {"g": nn.Linear(3, 2), "d": nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4))}
        self.adam = torch.optim.Adam(self.networks["g"].parameters(), **({"lr": 0.01} | settings))
        self.rate = torch.optim.lr_scheduler.LambdaLR(self.adam, lambda t: np.cos(t / 10))
        self.source = batches(torch.arange(12.0), 4, self.generator)
        self.history = History()
        for _ in range(2):
            self.update()

    def update(self):
        self.adam.zero_grad()
        loss = (
            self.networks["d"](self.networks["g"](torch.randn(4, 3))).square().sum() * next(self.source).sum()
        )
        loss.backward()
        self.adam.step()
        self.rate.step()
        self.history.record({"loss": np.mean(loss.item())})

    @property
    def parts(self):
        optimisers = {"adam": self.adam, "rate": self.rate}
        found = {"models": self.networks, "optimisers": optimisers, "batches": self.source}
        return found | {"generator": self.generator, "history": self.history}

    def everything(self):
        """All of it to the last bit, random states too."""
        told = {name: each.state_dict() for name, each in (self.networks | self.parts["optimisers"]).items()}
        told["batches"], told["history"] = self.source.state_dict(), dict(self.history)
        told["random"] = torch.get_rng_state(), self.generator.get_state()
        return bits(told)


def test_the_numbers_of_numpy_in_a_run_come_back_as_numbers(tmp_path):
    """The rate of a cosine, the mean in the history, sizes of whole numbers: the run goes on as if never broken."""
    settings = {"lr": np.float32(0.01), "betas": (np.float64(0.5), 0.9), "weight_decay": np.float64(0.1)}
    run = Run(**settings)
    run.source.position = np.int64(run.source.position)
    file = save_checkpoint(tmp_path / "run.pt", **run.parts)
    other = Run(7)
    load_checkpoint(file, **other.parts)
    assert type(other.history["loss"][0]) is float and type(other.source.position) is int
    assert type(other.rate.state_dict()["_last_lr"][0]) is float
    assert torch.load(file, weights_only=True)["optimisers"]["adam"]["param_groups"][0]["betas"] == (0.5, 0.9)
    state = torch.get_rng_state()
    for each in (run, other):
        torch.set_rng_state(state)
        each.update()
    for mine, its in zip(run.networks["g"].parameters(), other.networks["g"].parameters(), strict=True):
        assert torch.allclose(mine, its, rtol=1e-6)
    assert other.history["loss"] == pytest.approx(run.history["loss"], rel=1e-5)


NUMBERS = [np.float64(0.5), np.float32(0.5), np.int64(3), np.bool_(True), np.array(2.5), np.str_("seven")]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: type(number).__name__)
def test_wherever_a_numpy_number_sits_what_is_written_can_be_read(tmp_path, number):
    places = {
        "it": number,
        "list": [1, [number]],
        "tuple": (0, (number, {"deep": number})),
        "tensor": torch.ones(1),
    }
    if number.ndim == 0 and not isinstance(number, np.ndarray):
        places[number] = "a key"
    file = write_atomically(tmp_path / "it.pt", places)
    read = torch.load(file, weights_only=True)
    value = number.item()
    assert read["it"] == read["list"][1][0] == read["tuple"][1][1]["deep"] == value and type(
        read["it"]
    ) is type(value)
    assert isinstance(read["tuple"], tuple)


def test_the_notes_of_a_models_state_are_kept(tmp_path):
    state = nn.BatchNorm2d(2).state_dict()
    read = torch.load(write_atomically(tmp_path / "it.pt", {"model": state}), weights_only=True)["model"]
    assert type(read) is type(state) and read._metadata == state._metadata


def test_a_vae_with_numpy_sizes_comes_back(tmp_path):
    vae = VAE(latent=np.int64(3), hidden=np.int32(5))
    assert load(save(vae, tmp_path / "vae.pt")).latent == 3


STRANGERS = {
    "an array": (np.arange(3), r"state\['more'\]\[1\] is of the type ndarray"),
    "a path": (Path("here"), r"PosixPath|WindowsPath"),
    "a function": (len, r"builtin_function|function"),
    "a lambda": (lambda: 0, "function"),
}


@pytest.mark.parametrize("stranger", STRANGERS)
def test_what_could_not_be_read_back_is_not_written_and_the_old_file_stays(tmp_path, stranger):
    file = write_atomically(tmp_path / "it.pt", {"old": 1})
    content, sentence = STRANGERS[stranger]
    with pytest.raises(CheckpointError, match=rf"not written.*{sentence}"):
        write_atomically(file, {"models": {}, "more": [0, content]})
    assert torch.load(file) == {"old": 1} and [each.name for each in tmp_path.iterdir()] == ["it.pt"]


def sgd(run):
    run.adam = torch.optim.SGD(run.networks["g"].parameters(), 0.1)
    run.rate = torch.optim.lr_scheduler.LambdaLR(run.adam, lambda t: 1.0)


def adamw(run):
    run.adam = torch.optim.AdamW(run.networks["g"].parameters(), 0.1)


def wide(run):
    run.networks["g"] = nn.Linear(3, 5)


def another_layer(run):
    run.networks["d"] = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))


def renamed(run):
    run.networks["generator"] = run.networks.pop("g")


def another_network(run):
    """As many parameters, of other shapes: PyTorch's own loading does not notice."""
    run.adam = torch.optim.Adam(nn.Linear(5, 2).parameters())
    run.rate = torch.optim.lr_scheduler.LambdaLR(run.adam, lambda t: 1.0)


def other_schedule(run):
    run.rate = torch.optim.lr_scheduler.CosineAnnealingLR(run.adam, 10)


def more_data(run):
    run.source = batches(torch.arange(13.0), 4, run.generator)


def other_batch(run):
    run.source = batches(torch.arange(12.0), 6, run.generator)


MISFITS = {
    wide: r"`weight` of the model `g` has the shape \(2, 3\) there and \(5, 3\) here",
    another_layer: r"`2.weight` of the model `d` is in this one alone",
    renamed: r"no model `generator`, but g, d",
    sgd: r"the optimiser `adam` is Adam there and SGD here",
    adamw: r"the optimiser `adam` is Adam there and AdamW here",
    another_network: r"the optimiser `adam` trains parameters of other shapes",
    other_schedule: r"the optimiser `rate` is LambdaLR there and CosineAnnealingLR here",
    more_data: r"ran over 12 examples, these over 13",
    other_batch: r"batches of 4, these of 6",
}


@pytest.mark.parametrize("change", MISFITS, ids=lambda change: change.__name__)
def test_objects_that_do_not_fit_are_named_and_left_alone(tmp_path, change):
    file, run = save_checkpoint(tmp_path / "run.pt", **Run().parts), Run(1)
    change(run)
    before = run.everything()
    with pytest.raises(CheckpointError, match=MISFITS[change]):
        load_checkpoint(file, **run.parts)
    assert run.everything() == before


@pytest.mark.parametrize("part", ["batches", "generator", "history"])
@pytest.mark.parametrize("way", ["saved without", "missing"])
def test_what_the_file_does_not_hold_is_asked_for_in_vain(tmp_path, part, way):
    parts = Run().parts
    if way == "saved without":
        del parts[part]
    file = save_checkpoint(tmp_path / "run.pt", **parts)
    if way == "missing":
        state = torch.load(file)
        del state[part]
        torch.save(state, file)
    run = Run(1)
    before = run.everything()
    with pytest.raises(CheckpointError, match=f"saved without {part}"):
        load_checkpoint(file, **run.parts)
    assert run.everything() == before


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.RMSprop, torch.optim.Adagrad])
def test_a_file_from_before_kinds_were_noted_tells_optimisers_apart_by_their_settings(tmp_path, kind):
    file, run = save_checkpoint(tmp_path / "run.pt", **Run().parts), Run(1)
    state = torch.load(file)
    del state["kinds"]
    torch.save(state, file)
    load_checkpoint(file, **Run(1).parts)
    run.adam = kind(run.networks["g"].parameters(), 0.1)
    before = run.everything()
    with pytest.raises(CheckpointError, match=rf"lacks settings that {kind.__name__} has"):
        load_checkpoint(file, models=run.networks, optimisers={"adam": run.adam})
    assert run.everything() == before


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError, RuntimeError("(101)")], ids=str)
def test_a_load_that_stops_in_the_middle_is_undone(tmp_path, monkeypatch, stop):
    file, run = save_checkpoint(tmp_path / "run.pt", **Run().parts), Run(1)
    before, original, calls = run.everything(), torch.optim.Adam.load_state_dict, []

    def stopped(self, state):
        calls.append(state)
        if len(calls) == 1:
            raise stop
        return original(self, state)

    monkeypatch.setattr(torch.optim.Adam, "load_state_dict", stopped)
    with pytest.raises(KeyboardInterrupt if stop is KeyboardInterrupt else CheckpointError):
        load_checkpoint(file, **run.parts)
    assert run.everything() == before and len(calls) == 2


@pytest.mark.parametrize("form", ["zip", "old"])
def test_whatever_byte_is_wrong_it_is_a_sentence_and_nothing_changes(tmp_path, form):
    file, run, changing = tmp_path / "run.pt", Run(1), random.Random(0)
    save_checkpoint(file, **Run().parts)
    if form == "old":
        torch.save(torch.load(file), file, _use_new_zipfile_serialization=False)
    whole, before, refused = file.read_bytes(), run.everything(), 0
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(changing.choice([1, 4, 40])):
            damaged[changing.randrange(len(damaged))] = changing.randrange(256)
        file.write_bytes(damaged)
        try:
            load_checkpoint(file, **run.parts)
        except CheckpointError as reason:
            refused += 1
            said = str(reason).removeprefix(str(file))
            assert len(said.split()) >= 8 and "(101)" not in said and ":)" not in said
            assert run.everything() == before
        else:  # only values of numbers were hit
            run = Run(1)
            before = run.everything()
    assert refused > 50


def test_a_study_that_found_numpy_numbers_is_written(tmp_path, monkeypatch):
    """After a quarter of an hour of training, a NumPy number must not be what loses it; nor a stop while writing."""
    monkeypatch.setattr(studies, "RESULTS", tmp_path)
    found = {"a": [{"loss": np.float32(0.5), "modes": np.int64(8), "w1": torch.tensor(2.0)}]}
    studies.write_study("it", {"seeds": (0,)}, found, more=np.float64(1))
    assert studies.study("it")["runs"] == {"a": [{"loss": 0.5, "modes": 8, "w1": 2.0}]}
    with pytest.raises(AttributeError):
        studies.write_study("it", {}, {"a": [object()]})
    assert json.loads((tmp_path / "it.json").read_text())["more"] == 1
