"""What a minute of one CPU buys: `python -m helpers.bench gan|vae|step|live|feedback|scale|all`.

A budget is counted in CPU-seconds of this process, from models built and data loaded to the end of training. Only the
training split is read while training, and nothing is pretrained; the test split is read once, for the figures.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from helpers.data import batches, binarised, jitter, load_digits
from helpers.gan import (
    Discriminator,
    Generator,
    draw,
    ema_copy,
    gan_step,
    lr_factor,
    to_tanh,
    update_bn,
    update_ema,
)
from helpers.metrics import DigitScore, score_digits
from helpers.scale import launch
from helpers.training import Budget, for_cpu_seconds, for_updates, seed_everything
from helpers.vae import VAE, elbo, importance_weighted_bound, save, vae_step


def train_gan(budget: Budget, seed: int) -> tuple[nn.Module, int]:
    """The course's GAN; gives the average of its generator's weights and the number of updates."""
    generator = seed_everything(seed)
    images = to_tanh(load_digits("train")[0])
    g, d = Generator(), Discriminator()
    average = ema_copy(g)
    g_optimiser = torch.optim.Adam(g.parameters(), 2e-3, betas=(0.0, 0.9), fused=True)
    d_optimiser = torch.optim.Adam(d.parameters(), 1e-2, betas=(0.0, 0.9), fused=True)
    source = batches(images, 32, generator)

    def update(done: float) -> None:
        for optimiser, rate in ((g_optimiser, 2e-3), (d_optimiser, 1e-2)):
            optimiser.param_groups[0]["lr"] = rate * lr_factor(done)
        gan_step(g, d, g_optimiser, d_optimiser, next(source))
        update_ema(average, g)

    taken = budget(update)
    if taken:
        update_bn(average, g.latent)
    return average, taken


def train_default_gan(budget: Budget, seed: int) -> tuple[nn.Module, int]:
    """A plain dense GAN at the usual defaults (Adam 2e-4, β₁ 0.5, batch 64): what the course's is compared with."""
    generator = seed_everything(seed)
    images = to_tanh(load_digits("train")[0])
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate([(100, 128), (128, 256), (256, 512), (512, 1024)]):
        layers += [nn.Linear(a, b), *([nn.BatchNorm1d(b, 0.8)] if i else []), nn.LeakyReLU(0.2)]
    g = nn.Sequential(*layers, nn.Linear(1024, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))
    g.latent = 100
    d = nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 512),
        nn.LeakyReLU(0.2),
        nn.Linear(512, 256),
        nn.LeakyReLU(0.2),
        nn.Linear(256, 1),
        nn.Flatten(0),
    )
    g_optimiser = torch.optim.Adam(g.parameters(), 2e-4, betas=(0.5, 0.999))
    d_optimiser = torch.optim.Adam(d.parameters(), 2e-4, betas=(0.5, 0.999))
    source = batches(images, 64, generator)
    return g, budget(lambda _: gan_step(g, d, g_optimiser, d_optimiser, next(source)))


def train_vae(budget: Budget, seed: int) -> tuple[VAE, int]:
    """The course's VAE, somewhat larger; gives the average of its weights and the number of updates.

    On validation images SiLU was worth one nat of ELBO, jitter two, the larger sizes and rate two more.
    """
    generator = seed_everything(seed)
    images = load_digits("train")[0]
    vae = VAE(latent=40, hidden=500).start_from(images)
    average = ema_copy(vae)
    optimiser = torch.optim.AdamW(vae.parameters(), 4e-3, weight_decay=0.03, fused=True)
    source = batches(images, 128, generator)

    def update(done: float) -> None:
        optimiser.param_groups[0]["lr"] = 4e-3 * (0.02 + 0.98 * (1 + np.cos(np.pi * done)) / 2)
        vae_step(vae, optimiser, jitter(next(source)))
        update_ema(average, vae, 0.998)

    return average.eval(), budget(update)


def budget_of(seconds: float, number: int | None, kept: float = 0.0) -> Budget:
    return for_cpu_seconds(seconds, kept) if number is None else for_updates(number)


def bench_gan(seconds: float, number: int | None, seed: int, out: Path | None) -> dict:
    # What is kept pays for the batch-norm statistics of the averaged generator.
    model, taken = train_gan(budget_of(seconds, number, kept=min(1.0, seconds / 10)), seed)
    images = draw(model, 2000)
    if out is not None:
        with out.open("wb") as file:  # a file, not a name: NumPy would append to a name without .npz
            np.savez_compressed(file, images=images.numpy())
    score = score_digits(images)
    default = score_digits(draw(train_default_gan(budget_of(seconds, number), seed)[0], 2000))
    print(f"this course's GAN, {taken} updates: {score}")
    print(f"usual defaults: {default}")
    return gan_figures(score, default, taken)


def gan_figures(score: DigitScore, default: DigitScore, taken: int) -> dict:
    return {
        "distance": round(score.distance, 2),
        "floor": round(score.floor, 2),
        "default_distance": round(default.distance, 2),
        "share_of_default": round(score.distance / default.distance, 4),
        "classes": score.classes,
        "rarest_class": round(min(score.shares), 4),
        "nearest_ratio": round(score.nearest, 3),
        "updates": taken,
    }


@torch.no_grad()
def vae_figures(vae: VAE, split: str = "test") -> dict:
    """ELBO and importance-weighted bound on the binarised images of `split`, in nats an image, and their errors."""
    x = binarised(load_digits(split)[0])
    torch.manual_seed(0)
    bound = torch.stack([elbo(vae, x) for _ in range(50)]).mean(0)
    tight = importance_weighted_bound(vae, x, 256)
    return {
        "elbo": round(bound.mean().item(), 2),
        "elbo_se": round((bound.std() / len(x) ** 0.5).item(), 2),
        "iwae_256": round(tight.mean().item(), 2),
        "iwae_se": round((tight.std() / len(x) ** 0.5).item(), 2),
    }


def bench_vae(seconds: float, number: int | None, seed: int, out: Path | None) -> dict:
    vae, taken = train_vae(budget_of(seconds, number), seed)
    if out is not None:
        save(vae, out)
    means = score_digits(vae.sample(2000, torch.Generator().manual_seed(12345)))
    print(f"decoder means, {taken} updates: {means}")
    return {**vae_figures(vae), "updates": taken, "distance": round(means.distance, 2)}


def milliseconds(
    update: Callable[[], object], seconds: float = 2.0, of: Callable[[list[float]], float] = np.median
) -> float:
    """The wall time of one update in milliseconds: the median, or what else `of` makes of all the times."""
    for _ in range(5):
        update()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        update()
        times.append(time.perf_counter() - begin)
    return 1000 * float(of(times))


def matrix_speed() -> float:
    """Multiplications and additions a second in the fastest of many products of two 1024 × 1024 float32 matrices."""
    a = torch.full((1024, 1024), 0.01)
    return 2 * 1024**3 / (milliseconds(lambda: a @ a, 1.0, of=min) / 1000)


def bench_step(seed: int) -> dict:
    """One update of each model: milliseconds, images a second, and the share of the matrix-product peak."""
    from torch.utils.flop_counter import FlopCounterMode

    generator = seed_everything(seed)
    images = load_digits("train")[0]
    peak = matrix_speed()
    vae, g, d = VAE(), Generator(), Discriminator()
    optimiser = torch.optim.AdamW(vae.parameters(), 1e-3, fused=True)
    g_optimiser = torch.optim.Adam(g.parameters(), 1e-3, betas=(0.0, 0.9), fused=True)
    d_optimiser = torch.optim.Adam(d.parameters(), 1e-3, betas=(0.0, 0.9), fused=True)
    grey, scaled = batches(images, 128, generator), batches(to_tanh(images), 32, generator)
    models = {
        "gan": (32, lambda: gan_step(g, d, g_optimiser, d_optimiser, next(scaled))),
        "vae": (128, lambda: vae_step(vae, optimiser, next(grey))),
    }
    figures = {"matmul_gflops": round(peak / 1e9, 1)}
    for name, (size, update) in models.items():
        with FlopCounterMode(display=False) as counter:
            update()
        ms = milliseconds(update)
        share = counter.get_total_flops() / (ms / 1000) / peak
        figures[name] = {
            "ms": round(ms, 2),
            "images_per_second": round(1000 * size / ms),
            "share_of_peak": round(share, 3),
        }
        print(
            f"{name}: {ms:.2f} ms an update, {1000 * size / ms:.0f} images/s, {100 * share:.1f} % of the peak"
        )
    return figures


def bench_live() -> dict:
    """The pictures a second that each live view can draw: what a reader sees while it plays."""
    from helpers.widgets import DivergenceBench, ElboBench, GanLab, PairBench

    alt, lab, figures = "A live view, drawn again and again.", GanLab(), {}
    views = {
        "gan_lab, 8 rounds": lambda: ([lab.round() for _ in range(8)], lab.picture(alt)),
        "divergence_bench": partial(DivergenceBench().picture, alt),
        "elbo_bench": partial(ElboBench().picture, alt),
        "pair_bench": partial(PairBench().picture, alt),
    }
    for name, picture in views.items():
        figures[name] = round(1000 / milliseconds(picture, 1.0), 1)
        print(f"{name}: {figures[name]} pictures a second")
    return figures


def bench_feedback() -> dict:
    """CPU-seconds of the checks' feedback: on right answers, on the first wrong one of each task, on later ones."""
    from helpers.checks import tasks
    from helpers.feedback import choices, diagnose, made_of

    def cpu_seconds(task, choice) -> float:
        begin = time.process_time()
        diagnose(task, made_of(task, choice))
        return time.process_time() - begin

    right, first, later = {}, {}, {}
    for name, task in tasks().items():
        cpu_seconds(task, task.best())  # what PyTorch imports at its first use is not the check's
        right[name] = cpu_seconds(task, task.best())
        wrong = list(choices(task, 1, others=False))[:8]
        first[name] = cpu_seconds(task, wrong[0])  # builds the tables that the others look up
        later[name] = float(np.median([cpu_seconds(task, choice) for choice in wrong]))
    figures = {}
    for label, seconds in (("right", right), ("first_wrong", first), ("wrong", later)):
        slowest = max(seconds, key=seconds.get)
        figures[label] = round(float(np.median(list(seconds.values()))), 3)
        figures[f"{label}_slowest"] = round(seconds[slowest], 3)
        print(f"feedback, {label}: {figures[label]:.3f} s of CPU, {seconds[slowest]:.3f} s for {slowest}")
    return figures


def bench_scale(seed: int) -> dict:
    """Images a second of one process and of two, one thread each: two idle cores should give 1.7 times as many.

    They take turns, so that what else the machine does meets both.
    """
    figures = {}
    for model, batch in (("vae", 4000), ("gan", 256)):
        ms = launch(model, "--batch", batch, "--seed", seed, "--processes", 2, "--in-turn", 12)[0]
        one, two = (1000 * batch / ms[way] for way in ("1 process", "2 processes"))
        figures[model] = {"one": round(one), "two": round(two), "speed_up": round(two / one, 2)}
        print(f"{model}, batch {batch}: {one:.0f} images/s, with two processes {two / one:.2f} times as many")
    return figures


def bench_all(seconds: float, number: int | None, seed: int) -> dict:
    figures = {
        "step": bench_step(seed),
        "live": bench_live(),
        "feedback": bench_feedback(),
        "scale": bench_scale(seed),
        "gan": bench_gan(seconds, number, seed, None),
        "vae": bench_vae(seconds, number, seed, None),
    }
    print(f"\n{'':4} {'figure':>22} {'value':>10}")
    for model in ("gan", "vae"):
        for name, value in figures[model].items():
            print(f"{model:4} {name:>22} {value:>10}")
    return figures


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m helpers.bench", description=__doc__)
    parser.add_argument("what", choices=["gan", "vae", "step", "live", "feedback", "scale", "all"])
    parser.add_argument("--seconds", type=float, default=60, help="CPU-seconds of training (60)")
    parser.add_argument("--updates", type=int, help="so many updates in place of seconds")
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch (1)")
    parser.add_argument("--seed", type=int, default=0, help="seed (0)")
    parser.add_argument("--out", type=Path, help="file for the images (gan, .npz) or the checkpoint (vae)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    if (
        options.out is not None
    ):  # a folder that is missing is noticed before the minute of training, not after
        options.out.parent.mkdir(parents=True, exist_ok=True)
    if options.what == "gan":
        figures = bench_gan(options.seconds, options.updates, options.seed, options.out)
    elif options.what == "vae":
        figures = bench_vae(options.seconds, options.updates, options.seed, options.out)
    elif options.what == "step":
        figures = bench_step(options.seed)
    elif options.what == "live":
        figures = bench_live()
    elif options.what == "feedback":
        figures = bench_feedback()
    elif options.what == "scale":
        figures = bench_scale(options.seed)
    else:
        figures = bench_all(options.seconds, options.updates, options.seed)
    settings = {
        "what": options.what,
        "seconds": options.seconds,
        "threads": options.threads,
        "seed": options.seed,
    }
    print(json.dumps({**settings, **figures}))


if __name__ == "__main__":
    main()
