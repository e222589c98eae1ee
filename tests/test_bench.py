"""The bench: it writes what it promises, spends what it is given, and knows nothing that it was not taught."""

import json

import numpy as np
import pytest
import torch

from helpers import bench
from helpers.data import load_digits
from helpers.training import for_updates
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


def test_some_updates_teach_both_something(capsys, tmp_path):
    """It trains, because a recipe can be broken in a way that only shows in what was learned."""
    gan = run(capsys, "gan", "--updates", "300")
    vae = run(capsys, "vae", "--updates", "700", "--seed", "1", "--out", str(tmp_path / "v"))
    assert gan["distance"] < 400 and gan["floor"] < 20  # noise: about 1,000
    assert vae["elbo"] > -175 and vae["iwae_256"] > vae["elbo"]  # the mean image: −207
    assert (gan["updates"], vae["updates"]) == (300, 700)
    mu, log_var = load(tmp_path / "v").encode(load_digits("test")[0][:3])
    assert mu.shape == log_var.shape == (3, 40)


def test_training_reads_the_training_split_alone(monkeypatch):
    asked = []

    def spy(split="train", full=False):
        asked.append((split, full))
        return load_digits(split, full)

    monkeypatch.setattr(bench, "load_digits", spy)
    for train in (bench.train_gan, bench.train_vae, bench.train_default_gan):
        train(for_updates(1), 0)
    assert asked and set(asked) == {("train", False)}


def test_the_same_seed_draws_the_same_first_images():
    torch.set_num_threads(1)
    a, b = (bench.draw(bench.train_gan(for_updates(0), 4)[0], 5) for _ in range(2))
    assert torch.equal(a, b)


def test_step_prints_its_figures(capsys):
    figures = run(capsys, "step")
    for model in ("gan", "vae"):
        assert figures[model]["ms"] > 0 and 0 < figures[model]["share_of_peak"] < 1


def test_live_tells_the_pictures_a_second_of_each_view(capsys):
    figures = run(capsys, "live")
    views = ("gan_lab, 8 rounds", "divergence_bench", "elbo_bench", "pair_bench")
    assert all(figures[view] > 0 for view in views)
