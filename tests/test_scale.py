"""Training in several processes: its result is that of one, and a killed run goes on to the unbroken run's numbers."""

import json
import random
import subprocess
import sys
import time

import pytest
import torch

from helpers import bench
from helpers.gan import Discriminator, Generator
from helpers.scale import (
    NegativeELBO,
    accumulate_gradients,
    all_reduce_seconds,
    gan_training,
    in_bfloat16,
    launch,
    shard,
    step_seconds,
    train_digits,
    vae_training,
    with_group_norm,
)
from helpers.training import read_safely
from helpers.vae import VAE, elbo

pytestmark = pytest.mark.usefixtures("one_thread")


def farthest(weights, training, model):
    """The largest difference between a parameter or buffer in the file and in the training."""
    return max(
        (weights[f"{model}.{name}"][key] - value).abs().max().item()
        for name, part in training.models.items()
        for key, value in part.state_dict().items()
    )


# Two processes against one


def test_two_spawned_processes_give_the_parameters_of_one(tmp_path):
    """Fifty updates of the VAE and of the GAN in float64, to 1e-6 (it is 1e-13), and the same losses."""
    out = tmp_path / "two"
    lines = launch("vae", "gan", "--processes", 2, "--updates", 50, "--batch", 8, "--double", "--out", out)
    assert [(line["model"], line["processes"], line["updates"]) for line in lines] == [
        ("vae", 2, 50),
        ("gan", 2, 50),
    ]
    for line in lines:
        training, measured = train_digits(line["model"], updates=50, batch=8, double=True)
        assert farthest(read_safely(out), training, line["model"]) < 1e-6
        for name in ("loss", "d_loss", "g_loss"):
            assert line.get(name, 0.0) == pytest.approx(measured.get(name, 0.0), abs=1e-8)


def test_one_process_and_two_are_timed_in_turn():
    """Positive milliseconds of all ways, for each batch size; and both processes agree on when whose turn is."""
    lines = launch("vae", "--processes", 2, "--in-turn", 1, "--batch", 8, 16)
    assert [line["batch"] for line in lines] == [8, 16]
    for line in lines:
        assert line["numbers"] == sum(p.numel() for p in VAE().parameters())
        assert all(line[way] > 0 for way in ("1 process", "2 processes", "2 threads", "all-reduce"))


def test_timing_in_turn_asks_for_several_processes():
    with pytest.raises(RuntimeError, match="name --processes as well"):
        launch("vae", "--in-turn", 1)


def test_torchrun_starts_them_too(tmp_path):
    out = tmp_path / "two"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "helpers.scale", "vae", "--updates", "3", "--batch", "8", "--double", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert farthest(read_safely(out), train_digits("vae", updates=3, batch=8, double=True)[0], "vae") < 1e-12


def test_what_a_process_says_of_its_end_is_passed_on():
    with pytest.raises(RuntimeError, match="name one model and one batch size"):
        launch("vae", "gan", "--checkpoint", "somewhere")


# Killed, and continued


def test_a_killed_run_goes_on_to_the_numbers_of_the_unbroken_one(tmp_path):
    """kill -9 at a random moment after the first checkpoint; what was learned after the last one is computed again."""
    checkpoint, out = tmp_path / "checkpoint", tmp_path / "out"
    asked = ["vae", "--batch", "16", "--checkpoint", str(checkpoint), "--every", "3", "--out", str(out)]
    long = [sys.executable, "-m", "helpers.scale", *asked, "--updates", "100000"]
    process = subprocess.Popen(long, stdout=subprocess.DEVNULL)
    while not checkpoint.exists():
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(random.random())
    process.kill()
    process.wait()
    done = len(read_safely(checkpoint)["history"]["loss"])
    assert done % 3 == 0
    (line,) = launch(*asked, "--updates", done + 7)
    training, measured = train_digits("vae", batch=16, updates=done + 7)
    assert line["updates"] == done + 7 and line["loss"] == measured["loss"]
    assert farthest(read_safely(out), training, "vae") == 0


@pytest.mark.parametrize("model", ["vae", "gan"])
def test_a_checkpoint_is_all_that_a_run_needs(model, tmp_path):
    kept = {"checkpoint": tmp_path / "checkpoint", "every": 2, "batch": 8}
    train_digits(model, updates=3, **kept)  # of the three updates the last is lost
    training, _ = train_digits(model, updates=5, **kept)
    unbroken, _ = train_digits(model, updates=5, batch=8)
    for name, part in unbroken.models.items():
        for key, value in part.state_dict().items():
            assert torch.equal(value, training.models[name].state_dict()[key]), (name, key)


def test_a_run_that_is_over_is_left_as_it_is(tmp_path):
    kept = {"checkpoint": tmp_path / "checkpoint", "every": 2, "batch": 8}
    train_digits("vae", updates=2, **kept)
    assert train_digits("vae", updates=2, **kept)[1]["updates"] == 2


# Parts of a batch


@pytest.mark.parametrize("processes", [1, 2, 3, 6])
def test_the_shards_are_the_batch(processes):
    rows = torch.arange(24).view(12, 2)
    parts = [shard(rows, rank, processes) for rank in range(processes)]
    assert torch.equal(torch.cat(parts), rows) and {len(part) for part in parts} == {12 // processes}


def test_unequal_shards_are_refused():
    with pytest.raises(ValueError, match="10 rows make no 4 equal parts"):
        shard(torch.zeros(10), 0, 4)


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 7])
def test_accumulated_gradients_are_those_of_the_whole_batch(parts, double):
    """The gradient of a mean over parts of any size is the sum of the parts' gradients, each by its share (22.2)."""
    x, target = torch.randn(10, 3), torch.randn(10)
    linear = torch.nn.Linear(3, 1)

    def loss(x, target):
        return (linear(x).squeeze(1) - target).square()

    whole = torch.autograd.grad(loss(x, target).mean(), linear.parameters())
    mean = accumulate_gradients(loss, parts, x, target)
    assert torch.isclose(mean, loss(x, target).mean()) and not mean.requires_grad
    for p, gradient in zip(linear.parameters(), whole, strict=True):
        assert torch.allclose(p.grad, gradient, atol=1e-12)
    by_shares = torch.zeros_like(linear.weight)
    for part in zip(x.chunk(parts), target.chunk(parts), strict=True):
        share = len(part[0]) / len(x)
        by_shares += share * torch.autograd.grad(loss(*part).mean(), linear.weight)[0]
    assert torch.allclose(by_shares, whole[0], atol=1e-12)


def test_parts_of_a_batch_train_the_same_vae():
    images = torch.rand(12, 1, 28, 28, dtype=torch.float64)
    found = []
    for parts in (1, 3):
        torch.manual_seed(1)
        training = vae_training(images, parts=parts)
        measured = training.update(images, *(n.double() for n in training.noise(12, torch.Generator())))
        found.append((measured["loss"], training.models["vae"].decoder[-1].bias))
    assert torch.isclose(found[0][0], found[1][0]) and torch.allclose(found[0][1], found[1][1])


# The losses


def test_the_loss_is_the_negative_elbo_of_binarised_images(double):
    vae, images = VAE(latent=3, hidden=5), torch.rand(6, 1, 28, 28)
    uniform, eps = torch.rand(6, 784), torch.randn(6, 3)
    x = (uniform.view_as(images) < images).double()
    assert torch.allclose(NegativeELBO(vae)(images, uniform, eps), -elbo(vae, x, eps))


def test_mixed_precision_changes_little_and_leaves_the_parameters_as_they_are():
    vae, images = VAE(), torch.rand(6, 1, 28, 28)
    uniform, eps = torch.rand(6, 784), torch.randn(6, vae.latent)
    exact = NegativeELBO(vae)(images, uniform, eps)
    names = list(vae.state_dict())
    in_bfloat16(vae.encoder)
    assert in_bfloat16(vae.decoder) is vae.decoder and list(vae.state_dict()) == names
    mixed = NegativeELBO(vae)(images, uniform, eps)
    assert mixed.dtype == torch.float32 and not torch.equal(exact, mixed)
    assert torch.allclose(exact, mixed, rtol=0.01)
    mixed.mean().backward()
    assert all(p.grad.dtype == torch.float32 for p in vae.parameters())


def test_a_pixel_is_one_as_often_as_it_is_bright():
    images, (uniform, _) = (
        torch.full((400, 1, 28, 28), 0.3),
        vae_training(torch.rand(4, 1, 28, 28)).noise(400, torch.Generator()),
    )
    assert (uniform < images.flatten(1)).double().mean().item() == pytest.approx(0.3, abs=0.005)


def test_group_norm_replaces_every_batch_norm_and_looks_at_one_image():
    g = with_group_norm(Generator())
    kinds = [type(part) for part in g.modules()]
    assert torch.nn.BatchNorm2d not in kinds and kinds.count(torch.nn.GroupNorm) == 2
    z = torch.randn(4, g.latent)
    assert torch.allclose(g(z)[:2], g(z[:2]), atol=1e-6)
    assert not torch.allclose(Generator()(z)[:2], Generator()(z[:2]), atol=1e-3)


def test_each_player_of_the_gan_trains_alone():
    training = gan_training(torch.rand(8, 1, 28, 28))
    assert isinstance(training.models["discriminator"], Discriminator)
    z_d, z_g = training.noise(8, torch.Generator().manual_seed(0))
    assert z_d.shape == z_g.shape == (8, 64) and not torch.equal(z_d, z_g)
    assert set(training.update(torch.rand(8, 1, 28, 28), z_d, z_g)) == {
        "d_loss",
        "d_real",
        "d_fake",
        "g_loss",
    }


# The model of the time


def test_a_step_takes_a_fixed_time_and_a_time_for_each_image():
    """2 ms and 0.05 ms an image (22.1); two processes share the images and pay for communication (22.3)."""
    assert step_seconds(32, 1, 0.002, 20_000) == pytest.approx(0.0036)
    assert step_seconds(1024, 2, 0.002, 20_000, 0.004) == pytest.approx(0.002 + 0.0256 + 0.004)


@pytest.mark.parametrize("processes", [1, 2, 5])
def test_a_ring_all_reduce_sends_what_the_formula_says(processes):
    """The ring, played through: each process sends 2 (N − 1) parts of M/N numbers, and all hold the sum (22.4)."""
    numbers = 60
    held = [torch.randn(processes, numbers // processes) for _ in range(processes)]
    total, sent = sum(held).clone(), 0
    for phase in ("reduce", "gather"):
        for k in range(processes - 1):
            shift = k if phase == "reduce" else k - 1
            moving = [(rank, (rank - shift) % processes, held[rank].clone()) for rank in range(processes)]
            for rank, part, values in moving:
                target = held[(rank + 1) % processes]
                target[part] = target[part] + values[part] if phase == "reduce" else values[part]
                sent += values[part].numel() / processes
    for mine in held:
        assert torch.allclose(mine, total, atol=1e-5)
    assert all_reduce_seconds(numbers, processes, bandwidth=4.0) == pytest.approx(sent)
    assert all_reduce_seconds(0, processes, 1.0, latency=0.5) == processes - 1


def test_efficiency_is_the_price_of_one_machine_over_that_of_many():
    """Speed-up over processes, and what a training costs in machine-hours (22.5)."""
    one, eight = step_seconds(1000, 1, 0.01, 1000), step_seconds(1000, 8, 0.01, 1000, 0.1)
    efficiency = one / eight / 8
    assert 8 * eight / one == pytest.approx(1 / efficiency) and efficiency < 1


def test_the_bench_compares_two_processes_with_one(monkeypatch, capsys):
    def pretend(model, *options):
        assert "--in-turn" in options and options[options.index("--processes") + 1] == 2
        batch = options[options.index("--batch") + 1]
        return [{"1 process": batch, "2 processes": batch / 1.866}]

    monkeypatch.setattr(bench, "launch", pretend)
    bench.main(["scale"])
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures["vae"] == figures["gan"] == {"one": 1000, "two": 1866, "speed_up": 1.87}
