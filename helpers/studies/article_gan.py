"""The survey article's dense GAN, each fault alone, then repairs in order: `python -m helpers.studies.article_gan`.

With `picture` behind the name of the module: only article_gan.png, samples of the faults, in a minute or two.
"""

import sys
import time
from itertools import pairwise

import torch
from matplotlib.image import imread, imsave
from torch import Tensor, nn
from torch.nn.functional import softplus

from helpers.data import batches, load_digits
from helpers.gan import non_saturating
from helpers.metrics import score_digits
from helpers.studies import RESULTS, write_study

SEEDS, ROUNDS = (0, 1, 2, 3, 4), 1500
PICTURED = {"seed": 5, "rounds": 1000, "samples": 6}  # as many rounds as the notebook's own runs

AS_PRINTED = dict(frozen=False, real_steps=2, output=nn.ReLU, low=0.0, rate=1e-4, beta1=0.9, slope=0.0)
# In the order of the notebook; after the last one nothing of AS_PRINTED is left.
REPAIRS = {
    "freeze D": dict(frozen=True),
    "one step on reals": dict(real_steps=1),
    "tanh, data from −1 to 1": dict(output=nn.Tanh, low=-1.0),
    "Adam: learning rate 0.001": dict(rate=1e-3),
    "Adam: β₁ = 0.5": dict(beta1=0.5),
    "leaky ReLU": dict(slope=0.2),
}
# Each alone, in the repaired program.
FAULTS = {
    "D not frozen": dict(frozen=False),
    "two steps on reals": dict(real_steps=2),
    "ReLU at the end of G": dict(output=nn.ReLU, low=0.0),
    "tanh, data from 0 to 1": dict(low=0.0),
    "Adam: learning rate 0.0001": dict(rate=1e-4),
    "Adam: β₁ = 0.9": dict(beta1=0.9),
    "plain ReLU": dict(slope=0.0),
}
PICTURED_PROGRAMS = {"fixed": {}} | FAULTS | {"as printed": AS_PRINTED}

# The article's own sizes: half a minute a run.
FULL_WIDTH = {
    "full width, plain ReLU": dict(width=128, slope=0.0),
    "full width, repaired": dict(width=128),
}


def dense_generator(width=32, output=nn.Tanh, slope=0.2):
    """z (B, 100) to images (B, 1, 28, 28) in the range of `output`; the article's sizes are those of width 128."""
    layers = []
    for inputs, outputs in pairwise([100, width, 2 * width, 4 * width]):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(slope)]
    return nn.Sequential(*layers, nn.Linear(4 * width, 784), output(), nn.Unflatten(1, (1, 28, 28)))


def dense_discriminator(width=32, slope=0.2):
    """Images (B, 1, 28, 28) to logits (B,); the article's sizes are those of width 128."""
    layers = [nn.Flatten()]
    for inputs, outputs in pairwise([784, 8 * width, 4 * width, 2 * width]):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(slope)]
    return nn.Sequential(*layers, nn.Linear(2 * width, 1), nn.Flatten(0))


def article_round(generator, discriminator, g_optimiser, d_optimiser, real, real_steps=1):
    """One round in the article's order; what `g_optimiser` holds decides whether D is frozen. Returns means.

    `real` (B, 1, 28, 28) in the generator's range; the losses in nats.
    """
    z = torch.randn(2, len(real), 100)
    fake = generator(z[0]).detach()
    for images, sign in [(real, -1)] * real_steps + [(fake, 1)]:
        loss = softplus(sign * discriminator(images)).mean()
        d_optimiser.zero_grad()
        loss.backward()
        d_optimiser.step()
    logits = discriminator(generator(z[1]))
    loss = non_saturating(logits).mean()
    g_optimiser.zero_grad()
    loss.backward()
    g_optimiser.step()
    return {"g_loss": loss.detach(), "d_fake": logits.detach().sigmoid().mean()}


def article_players(
    width=32, frozen=True, output=nn.Tanh, rate=1e-3, beta1=0.5, slope=0.2
) -> tuple[nn.Module, nn.Module, torch.optim.Optimizer, torch.optim.Optimizer]:
    """G, D, and an optimiser for each; with `frozen=False` G's optimiser holds D's parameters as well."""
    generator, discriminator = dense_generator(width, output, slope), dense_discriminator(width, slope)
    stacked = [*generator.parameters(), *([] if frozen else discriminator.parameters())]
    betas = (beta1, 0.999)
    d_optimiser = torch.optim.Adam(discriminator.parameters(), rate, betas)
    return generator, discriminator, torch.optim.Adam(stacked, rate, betas), d_optimiser


def to_range(images: Tensor, low: float) -> Tensor:
    """From [0, 1] to [low, 1]."""
    return low + (1 - low) * images


@torch.no_grad()
def article_digits(generator: nn.Module, low: float, n: int = 2000) -> Tensor:
    """`n` images in [0, 1] from noise of a seed of its own; what lies outside the range is cut off."""
    z = torch.randn(n, 100, generator=torch.Generator().manual_seed(1))
    return ((generator(z) - low) / (1 - low)).clamp(0, 1)


def article_training(
    seed: int, rounds: int, real_steps: int = 1, low: float = -1.0, **settings
) -> tuple[tuple, list[list[float]]]:
    """One run on the 4,000 digits, batches of 32: the players after it, and the means of each round."""
    torch.manual_seed(seed)
    players = article_players(**settings)
    reals = to_range(load_digits("train")[0], low)
    source = batches(reals, 32, torch.Generator().manual_seed(seed))
    measured = [
        [value.item() for value in article_round(*players, real, real_steps).values()]
        for real, _ in zip(source, range(rounds), strict=False)
    ]
    return players, measured


def article_run(seed: int, rounds: int = ROUNDS, real_steps: int = 1, low: float = -1.0, **settings) -> dict:
    """What a run's 2,000 pictures and its last 100 rounds are worth.

    The digit Fréchet distance (validation), classes with 4 % of the samples, the share of the commonest class, the
    mean generator's loss (nats) and D(fake), CPU seconds.
    """
    started = time.process_time()
    players, measured = article_training(seed, rounds, real_steps, low, **settings)
    seconds = time.process_time() - started
    g_loss, d_fake = torch.tensor(measured[-100:]).mean(0).tolist()
    score = score_digits(article_digits(players[0], low), "validation")
    figures = {"commonest": max(score.shares), "g_loss": g_loss, "d_fake": d_fake, "seconds": seconds}
    return {"distance": round(score.distance, 1), "classes": score.classes} | {
        name: round(value, 3) for name, value in figures.items()
    }


def draw_picture() -> None:
    """article_gan.png, which the notebook shows: a row of samples of one run for each of `PICTURED_PROGRAMS`."""
    rows = []
    for settings in PICTURED_PROGRAMS.values():
        (generator, *_), _ = article_training(PICTURED["seed"], PICTURED["rounds"], **settings)
        samples = article_digits(generator, settings.get("low", -1.0))[: PICTURED["samples"], 0]
        rows.append(torch.cat([*samples], dim=1))
    imsave(RESULTS / "article_gan.png", torch.cat(rows).numpy(), cmap="gray", vmin=0, vmax=1)


def pictured_samples() -> dict[str, Tensor]:
    """The samples of article_gan.png for each program, (6, 1, 28, 28) with values in [0, 1]."""
    rows = torch.from_numpy(imread(RESULTS / "article_gan.png")[..., 0].copy()).split(28)
    return {
        name: torch.stack(row.split(28, dim=1)).unsqueeze(1)
        for name, row in zip(PICTURED_PROGRAMS, rows, strict=True)
    }


def mann_whitney_u(fault, repaired):
    """How many of all pairs the fault loses, by the larger distance (n,), (m,) to 0 … nm: the Mann–Whitney U."""
    return sum(a > b for a in fault for b in repaired)


def ladder() -> dict[str, dict]:
    """The settings from the program as printed to the repaired one, one repair more at each rung."""
    settings, rungs = dict(AS_PRINTED), {"as printed": dict(AS_PRINTED)}
    for name, repair in REPAIRS.items():
        settings |= repair
        rungs[f"+ {name}"] = dict(settings)
    return rungs


def main() -> None:
    torch.set_num_threads(1)
    if sys.argv[1:] == ["picture"]:
        return draw_picture()
    plan = {"repaired": {}} | FAULTS | dict(list(ladder().items())[:-1]) | FULL_WIDTH
    runs = {}
    for name, settings in plan.items():
        runs[name] = [article_run(seed, **settings) for seed in SEEDS]
        print(name, *runs[name], sep="\n  ", flush=True)
    settings = {"rounds": ROUNDS, "batch": 32, "width": 32, "seeds": SEEDS}
    settings |= {
        name: {key: getattr(value, "__name__", value) for key, value in changes.items()}
        for name, changes in plan.items()
    }
    write_study("article_gan", settings, runs)
    draw_picture()


if __name__ == "__main__":
    main()
