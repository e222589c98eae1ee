"""Digits on request, and the average of a generator's weights: `python -m helpers.studies.conditional_gan`.

Six minutes on one core: three settings, five seeds each.
"""

import copy
import time

import torch
from torch import Tensor, nn

from helpers.data import batches, load_digits
from helpers.gan import (
    ConditionalDiscriminator,
    ConditionalGenerator,
    Discriminator,
    conditional_step,
    ema_copy,
    lr_factor,
    sample_conditional,
    to_tanh,
    update_bn,
    update_ema,
)
from helpers.metrics import digit_classifier, score_digits
from helpers.studies import write_study

SEEDS, BATCH, ROUNDS, EARLY = (0, 1, 2, 3, 4), 32, 800, 300
G_RATE, D_RATE, DECAYS, SHOWN = 2e-3, 1e-2, (0.98, 0.99, 0.995), 0.98


class BlindDiscriminator(Discriminator):
    """A discriminator that is handed the labels and does not read them."""

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        return super().forward(images)


def class_accuracy(images: Tensor, labels: Tensor) -> Tensor:
    """The share of the images of each asked class in which the frozen classifier sees that class, (10,)."""
    seen = digit_classifier()(images).argmax(dim=1)
    return torch.stack([(seen == digit)[labels == digit].float().mean() for digit in range(10)])


def within_class(images: Tensor, labels: Tensor) -> Tensor:
    """The mean Euclidean distance of two different images of the same class, for each of ten classes, (10,)."""
    return torch.stack([torch.pdist(images[labels == digit].flatten(1)).mean() for digit in range(10)])


def asked_for(generator: nn.Module, seed: int = 1) -> tuple[Tensor, Tensor]:
    """200 images of each digit, and their labels."""
    labels = torch.arange(2000) % 10
    z = torch.randn(2000, generator.latent, generator=torch.Generator().manual_seed(seed))
    return sample_conditional(generator, labels, z), labels


def distances(generator: nn.Module, averages: dict[float, nn.Module]) -> dict[str, float]:
    """The digit distance of the newest generator and of each average, to the validation images.

    All draw with batch-norm statistics of the same fresh noise; "as it is" is the newest with those of its training.
    """
    found = {"as it is": score_digits(asked_for(generator)[0], "validation").distance}
    drawers = {"newest": copy.deepcopy(generator)} | {f"average {d}": each for d, each in averages.items()}
    for name, drawer in drawers.items():
        update_bn(drawer, drawer.latent)
        found[name] = score_digits(asked_for(drawer)[0], "validation").distance
    return {name: round(value, 2) for name, value in found.items()}


def conditional_run(setting: str, seed: int, rounds: int = ROUNDS, early: int = EARLY) -> dict:
    """One run with "steady" rates, with "falling" ones, or with steady ones and a D that is "blind" to the labels.

    Returns CPU-seconds of training; of the average with decay 0.98 its accuracy (the classifier sees what was asked),
    that of the worst class, and the mean distance within a class over that of real digits, for the class where it is
    least; the digit distances of the newest generator and of all averages, after `early` rounds and at the end.
    """
    torch.manual_seed(seed)
    images, labels = load_digits("train")
    source = batches((to_tanh(images), labels), BATCH, torch.Generator().manual_seed(seed))
    generator = ConditionalGenerator()
    discriminator = BlindDiscriminator() if setting == "blind" else ConditionalDiscriminator()
    averages = {decay: ema_copy(generator) for decay in DECAYS}
    g_optimiser = torch.optim.Adam(generator.parameters(), G_RATE, betas=(0.0, 0.9), fused=True)
    d_optimiser = torch.optim.Adam(discriminator.parameters(), D_RATE, betas=(0.0, 0.9), fused=True)
    seconds, then = 0.0, {}
    for t in range(1, rounds + 1):
        begin = time.process_time()
        factor = lr_factor(t / rounds if setting == "falling" else min(t / rounds, 0.4))
        g_optimiser.param_groups[0]["lr"], d_optimiser.param_groups[0]["lr"] = (
            G_RATE * factor,
            D_RATE * factor,
        )
        conditional_step(generator, discriminator, g_optimiser, d_optimiser, next(source))
        for decay, average in averages.items():
            update_ema(average, generator, decay)
        seconds += time.process_time() - begin
        if t == early:
            then = distances(generator, averages)
    end = distances(generator, averages)
    drawn, asked = asked_for(averages[SHOWN])
    right, unseen = class_accuracy(drawn, asked), load_digits("validation")
    spread = within_class(drawn, asked) / within_class(*unseen)
    figures = {"accuracy": right.mean(), "worst_class": right.min(), "least_spread": spread.min()}
    figures = {name: round(value.item(), 3) for name, value in figures.items()}
    score = score_digits(drawn, "validation")
    figures |= {"distance": round(score.distance, 2), "nearest": round(score.nearest, 3)}
    return figures | {"seconds": round(seconds, 1), "early": then, "end": end}


def main() -> None:
    torch.set_num_threads(1)
    runs = {
        setting: [conditional_run(setting, seed) for seed in SEEDS]
        for setting in ("steady", "falling", "blind")
    }
    settings = {"seeds": SEEDS, "batch": BATCH, "rounds": ROUNDS, "early": EARLY, "decays": DECAYS}
    settings |= {"rates": {"G": G_RATE, "D": D_RATE}, "shown_decay": SHOWN}
    write_study("conditional_gan", settings, runs)
    for name, rows in runs.items():
        print(name, *rows, sep="\n  ")


if __name__ == "__main__":
    main()
