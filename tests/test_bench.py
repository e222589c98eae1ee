"""The bench: it writes what it promises, spends what it is given, and knows nothing that it was not taught."""

import json

import numpy as np
import pytest
import torch

from helpers import bench
from helpers.data import load_digits
from helpers.vae import load


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def run(capsys, *arguments):
    bench.main([*arguments, "--threads", "1"])
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def test_no_training_scores_like_noise(capsys, tmp_path):
    figures = run(capsys, "gan", "--seconds", "0", "--out", str(tmp_path / "g.npz"))
    images = np.load(tmp_path / "g.npz")["images"]
    assert images.shape == (2000, 1, 28, 28) and images.dtype == np.float32
    assert 0 <= images.min() and images.max() <= 1
    assert figures["distance"] > 400 and figures["classes"] < 5 and figures["updates"] == 0


def test_no_training_of_the_vae_scores_like_noise(capsys, tmp_path):
    figures = run(capsys, "vae", "--seconds", "0", "--out", str(tmp_path / "v"))
    assert figures["elbo"] < -200
    assert load(tmp_path / "v").latent == 40


def test_a_few_seconds_teach_both_something(capsys, tmp_path):
    gan = run(capsys, "gan", "--seconds", "6")
    vae = run(capsys, "vae", "--seconds", "6", "--seed", "1", "--out", str(tmp_path / "v"))
    assert gan["distance"] < 400 and gan["floor"] < 20  # noise: about 1,000; six seconds: about 160
    # The mean image: −207; six seconds: about −125, and −155 where both cores are busy elsewhere.
    assert vae["elbo"] > -175 and vae["iwae_256"] > vae["elbo"]
    mu, log_var = load(tmp_path / "v").encode(load_digits("test")[0][:3])
    assert mu.shape == log_var.shape == (3, 40)


def test_training_reads_the_training_split_alone(monkeypatch):
    asked = []

    def spy(split="train", full=False):
        asked.append((split, full))
        return load_digits(split, full)

    monkeypatch.setattr(bench, "load_digits", spy)
    bench.train_gan(0.5, 0)
    bench.train_vae(0.5, 0)
    bench.train_default_gan(0.5, 0)
    assert asked and set(asked) == {("train", False)}


def test_the_budget_is_kept():
    import time

    begin = time.process_time()
    updates = bench.spend(0.5, lambda done: sum(range(20_000)))
    assert updates > 10 and 0.5 <= time.process_time() - begin < 0.7


def test_the_same_seed_draws_the_same_first_images():
    torch.set_num_threads(1)
    a, b = (bench.draw(bench.train_gan(0, 4)[0], 5) for _ in range(2))
    assert torch.equal(a, b)


def test_step_prints_its_figures(capsys):
    figures = run(capsys, "step")
    for model in ("gan", "vae"):
        assert figures[model]["ms"] > 0 and 0 < figures[model]["share_of_peak"] < 1
