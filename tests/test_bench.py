"""The bench: it writes what it promises, spends what it is given, and knows nothing that it was not taught."""

import json
import math
import statistics

import numpy as np
import pytest
import torch

import helpers.checks
from helpers import bench
from helpers.data import binarised, load_digits
from helpers.metrics import DigitScore
from helpers.training import for_updates
from helpers.vae import VAE, elbo, importance_weighted_bound, load


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


def test_a_budget_can_be_counted_in_updates(capsys, tmp_path):
    figures = run(capsys, "vae", "--updates", "2", "--seed", "1", "--out", str(tmp_path / "v"))
    assert figures["updates"] == 2 and figures["iwae_256"] > figures["elbo"]
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


class Clock:
    """A clock that is looked at: it shows one of the given times after the other."""

    def __init__(self, *times):
        self.times = iter(times)
        self.process_time = self.perf_counter = lambda: next(self.times)


def test_an_update_takes_the_median_of_its_times(monkeypatch):
    calls = []
    for of, expected in ((np.median, 20.0), (min, 10.0)):
        looks = (
            0.0,
            0.1,
            0.1,
            0.11,
            0.2,
            0.2,
            0.22,
            0.3,
            0.3,
            0.39,
            2.0,
        )  # 10, 20 and 90 ms, until 2 s are over
        monkeypatch.setattr(bench, "time", Clock(*looks))
        assert bench.milliseconds(lambda: calls.append(1), 2.0, of=of) == pytest.approx(expected)
    assert len(calls) == 2 * (5 + 3)  # five to warm up


def test_the_figures_of_a_vae_by_hand(monkeypatch):
    """On 12 images of the test split: a mean of 50 draws of the ELBO, a bound of 256, and standard errors."""
    asked, images = [], load_digits("test")[0][:12]
    monkeypatch.setattr(bench, "load_digits", lambda split: asked.append(split) or (images, None))
    torch.manual_seed(1)
    vae = VAE(latent=2, hidden=8)
    figures = bench.vae_figures(vae)
    torch.manual_seed(0)
    x = binarised(images)
    elbos = torch.stack([elbo(vae, x) for _ in range(50)]).mean(0).tolist()
    bounds = importance_weighted_bound(vae, x, 256).tolist()
    by_hand = {"elbo": statistics.mean(elbos), "elbo_se": statistics.stdev(elbos) / 12**0.5}
    by_hand |= {"iwae_256": statistics.mean(bounds), "iwae_se": statistics.stdev(bounds) / 12**0.5}
    assert asked == ["test"] and figures == pytest.approx(by_hand, abs=0.0051)


def test_the_figures_of_a_gan_by_hand():
    shares = (0.3, 0.03, 0.07, *[0.1] * 6, 0.0)
    score, default = (DigitScore(distance, 12.3, shares, 0.8) for distance in (50.0, 200.0))
    assert bench.gan_figures(score, default, 7) == {
        "distance": 50.0,
        "floor": 12.3,
        "default_distance": 200.0,
        "share_of_default": 0.25,
        "classes": 8,
        "rarest_class": 0.0,
        "nearest_ratio": 0.8,
        "updates": 7,
    }


def three_updates(update):
    """A budget of three updates, at a quarter, a half and three quarters of it."""
    for done in (0.25, 0.5, 0.75):
        update(done)
    return 3


@pytest.mark.parametrize(
    ("train", "step", "decay"), [("train_gan", "gan_step", 0.995), ("train_vae", "vae_step", 0.998)]
)
def test_what_is_judged_is_the_average_of_the_weights(monkeypatch, train, step, decay):
    """Of those at the start and after each update, by hand, with batch-norm statistics made anew for it."""
    weights, rates, real_step = [], [], getattr(bench, step)

    def spy(model, *rest):
        if not weights:
            weights.append([p.detach().clone() for p in model.parameters()])
        measured = real_step(model, *rest)
        weights.append([p.detach().clone() for p in model.parameters()])
        optimisers = [each for each in rest if hasattr(each, "param_groups")]
        rates.append([each.param_groups[0]["lr"] for each in optimisers])
        return measured

    monkeypatch.setattr(bench, step, spy)
    average, updates = getattr(bench, train)(three_updates, 0)
    assert updates == 3 and len(weights) == 4
    expected = weights[0]
    for newest in weights[1:]:
        expected = [decay * old + (1 - decay) * p for old, p in zip(expected, newest, strict=True)]
    for p, each, start in zip(average.parameters(), expected, weights[0], strict=True):
        assert torch.allclose(p, each, atol=1e-7) and not torch.equal(p, start)
    if train == "train_gan":
        assert average.net[2].num_batches_tracked == 20  # of the 20 batches of noise
        assert rates == [pytest.approx([2e-3 * f, 1e-2 * f]) for f in map(bench.lr_factor, (0.25, 0.5, 0.75))]
    else:
        assert not average.training
        falling = [0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2 for done in (0.25, 0.5, 0.75)]
        assert rates == [pytest.approx([4e-3 * factor]) for factor in falling]


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


def test_feedback_tells_the_cpu_seconds_of_right_and_wrong_answers(capsys, monkeypatch):
    every = helpers.checks.tasks()
    monkeypatch.setattr(helpers.checks, "tasks", lambda: {name: every[name] for name in ("02.KL", "10.KL")})
    figures = run(capsys, "feedback")
    assert 0 < figures["right"] <= figures["right_slowest"]
    assert 0 < figures["wrong"] <= figures["wrong_slowest"]
    assert 0 < figures["first_wrong"] <= figures["first_wrong_slowest"]
