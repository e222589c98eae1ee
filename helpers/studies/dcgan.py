"""What batch norm in D, and a D that sees few images, do to a GAN: `python -m helpers.studies.dcgan`.

Eight minutes on one core: six settings, five seeds each.
"""

import torch
from torch import Tensor, nn

from helpers.data import batches, load_digits
from helpers.gan import (
    Augmented,
    Generator,
    discriminator_loss,
    draw,
    gan_step,
    generator_step,
    lr_factor,
    shift,
    to_tanh,
)
from helpers.metrics import nearest_distance, score_digits
from helpers.studies import write_study

SEEDS, BATCH, WIDTH, FEW = (0, 1, 2, 3, 4), 32, 24, 200
NORM_ROUNDS, FEW_ROUNDS = 300, 2000
G_RATE, NORM_D_RATE, FEW_D_RATE = 2e-3, 2e-3, 4e-3


def plain_discriminator(width=24, batch_norm=False):
    """Images (B, 1, 28, 28) to logits (B,): a Discriminator's layers without spectral norm, perhaps with batch norm."""
    return nn.Sequential(
        nn.Conv2d(1, width, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
        nn.BatchNorm2d(2 * width) if batch_norm else nn.Identity(),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(2 * width * 7 * 7, 1),
        nn.Flatten(0),
    )


def separate_step(generator, discriminator, g_optimiser, d_optimiser, real):
    """`gan_step` with one difference: real and fake images go through D in two batches, not in one."""
    z = torch.randn(2, len(real), generator.latent, device=real.device, dtype=real.dtype)
    with torch.no_grad():
        fake = generator(z[0])
    loss = discriminator_loss(discriminator(real), discriminator(fake)).mean()
    d_optimiser.zero_grad()
    loss.backward()
    d_optimiser.step()
    return {"d_loss": loss.detach()} | generator_step(generator, discriminator, g_optimiser, z[1])


def play(step, generator: nn.Module, discriminator: nn.Module, source, rounds: int, d_rate: float) -> None:
    """`rounds` rounds of `step`, both rates by the course's schedule."""
    g_optimiser = torch.optim.Adam(generator.parameters(), G_RATE, betas=(0.0, 0.9))
    d_optimiser = torch.optim.Adam(discriminator.parameters(), d_rate, betas=(0.0, 0.9))
    for t in range(rounds):
        for optimiser, rate in ((g_optimiser, G_RATE), (d_optimiser, d_rate)):
            optimiser.param_groups[0]["lr"] = rate * lr_factor(t / rounds)
        step(generator, discriminator, g_optimiser, d_optimiser, next(source))


@torch.no_grad()
def mean_logit(discriminator: nn.Module, images: Tensor) -> float:
    return discriminator(images).mean().item()


def norm_run(setting: str, seed: int, rounds: int = NORM_ROUNDS) -> dict[str, float]:
    """One run on the 4,000 digits with batch norm in D, real and fake "together" or "apart", or with "none".

    Returns the digit distance to the validation images, and D's mean logit on 32 of its own fakes among 32 real images
    and among fakes alone, by batch statistics.
    """
    torch.manual_seed(seed)
    source = batches(to_tanh(load_digits("train")[0]), BATCH, torch.Generator().manual_seed(seed))
    generator, discriminator = Generator(width=WIDTH), plain_discriminator(batch_norm=setting != "none")
    step = separate_step if setting == "apart" else gan_step
    play(step, generator, discriminator, source, rounds, NORM_D_RATE)
    distance = score_digits(draw(generator, 2000, seed=1), "validation").distance
    real, fake = to_tanh(load_digits("validation")[0][:32]), to_tanh(draw(generator, 32, seed=2))
    with torch.no_grad():
        among_real = discriminator(torch.cat([real, fake]))[32:].mean().item()
    figures = {"distance": distance, "among_real": among_real, "among_fakes": mean_logit(discriminator, fake)}
    return {name: round(value, 2) for name, value in figures.items()}


def centre_spread(images: Tensor) -> float:
    """How far the centres of the ink of (N, 1, H, W) scatter: root of the mean variance along both axes, in pixels."""
    ink = images[:, 0] / images[:, 0].sum((1, 2), keepdim=True).clamp(min=1e-6)
    rows, columns = torch.arange(ink.shape[1]), torch.arange(ink.shape[2])
    centre = torch.stack([(ink.sum(2) * rows).sum(1), (ink.sum(1) * columns).sum(1)])
    return centre.var(dim=1).mean().sqrt().item()


def few_run(setting: str, seed: int, rounds: int = FEW_ROUNDS) -> dict[str, float]:
    """One run on 200 digits with "no" augmentation, of "real" images only, or of "both" real and fake images.

    Returns the digit distance; D's mean logit on its 200 images, on validation images and on fakes; the distance of a
    fake to the nearest of the 200 over that of a validation image (medians); how far the centres of the ink scatter.
    """
    torch.manual_seed(seed)
    order = torch.Generator().manual_seed(seed)
    images, unseen = load_digits("train")[0], load_digits("validation")[0]
    few = images[torch.randperm(len(images), generator=order)[:FEW]]
    generator, discriminator = Generator(width=WIDTH), plain_discriminator()
    player = Augmented(discriminator) if setting == "both" else discriminator

    def step(generator, player, g_optimiser, d_optimiser, real):
        gan_step(generator, player, g_optimiser, d_optimiser, shift(real) if setting == "real" else real)

    play(step, generator, player, batches(to_tanh(few), BATCH, order), rounds, FEW_D_RATE)
    fakes = draw(generator, 2000, seed=1)
    near = nearest_distance(fakes, few).median() / nearest_distance(unseen, few).median()
    figures = {
        "distance": score_digits(fakes, "validation").distance,
        "seen": mean_logit(discriminator, to_tanh(few)),
        "unseen": mean_logit(discriminator, to_tanh(unseen)),
        "fake": mean_logit(discriminator, to_tanh(fakes)),
        "nearest": near.item(),
        "centre_spread": centre_spread(fakes),
    }
    return {name: round(value, 3) for name, value in figures.items()}


def main() -> None:
    torch.set_num_threads(1)
    runs = {}
    for name in ("together", "apart", "none"):
        runs[f"batch norm {name}"] = [norm_run(name, seed) for seed in SEEDS]
    for name in ("no", "real", "both"):
        runs[f"few, {name}"] = [few_run(name, seed) for seed in SEEDS]
    settings = {"seeds": SEEDS, "batch": BATCH, "generator_width": WIDTH, "images": FEW, "most_shift": 2}
    settings |= {"rounds": {"batch norm": NORM_ROUNDS, "few": FEW_ROUNDS}}
    settings |= {"rates": {"G": G_RATE, "D, batch norm": NORM_D_RATE, "D, few": FEW_D_RATE}}
    settings |= {"centre_spread_of_real_images": round(centre_spread(load_digits("validation")[0]), 3)}
    write_study("dcgan", settings, runs)
    for name, rows in runs.items():
        print(name, *rows, sep="\n  ")


if __name__ == "__main__":
    main()
