"""Five seeds of the ring of eight with two presets of the GAN lab: `python -m helpers.studies.ring_gan`."""

import torch

from helpers.data import ring
from helpers.gan import PRESETS, PointDiscriminator, PointGenerator, discriminator_step, generator_step
from helpers.metrics import mode_coverage
from helpers.studies import linear_decay, write_study

ROUNDS, BATCH, SEEDS = 3000, 128, (0, 1, 2, 3, 4)


def ring_run(preset: str, seed: int) -> dict[str, float]:
    """One run of 3,000 rounds, the rates falling to 2 % in its second half, judged on 4,000 points.

    Returns the modes covered, the share of good points, the share of points nearest to the three modes that most
    points are nearest to (near 1 in a collapse), and both losses, in nats, as means of the last 100 rounds.
    """
    torch.manual_seed(seed)
    data, settings = ring(), PRESETS[preset]
    generator, discriminator = PointGenerator(), PointDiscriminator()
    g_optimiser = torch.optim.Adam(generator.parameters(), settings.g_rate, (settings.beta1, 0.9))
    d_optimiser = torch.optim.Adam(discriminator.parameters(), settings.d_rate, (settings.beta1, 0.9))
    losses = []
    for t in range(ROUNDS):
        factor = linear_decay(t / ROUNDS)
        g_optimiser.param_groups[0]["lr"] = settings.g_rate * factor
        d_optimiser.param_groups[0]["lr"] = settings.d_rate * factor
        for _ in range(settings.d_steps):
            real, z = data.sample(BATCH), torch.randn(BATCH, generator.latent)
            of_d = discriminator_step(generator, discriminator, d_optimiser, real, z)["d_loss"]
        z = torch.randn(BATCH, generator.latent)
        losses.append((of_d, generator_step(generator, discriminator, g_optimiser, z)["g_loss"]))
    with torch.no_grad():
        points = generator(torch.randn(4000, generator.latent))
    modes, good = mode_coverage(points, data)
    nearest = torch.cdist(points, data.centres).argmin(1).bincount(minlength=len(data.centres))
    top_three = nearest.sort(descending=True).values[:3].sum().item() / len(points)
    d_loss, g_loss = torch.tensor(losses[-100:]).mean(0).tolist()
    figures = {"good": good, "nearest_three": top_three, "d_loss": d_loss, "g_loss": g_loss}
    return {"modes": modes} | {name: round(value, 3) for name, value in figures.items()}


def main() -> None:
    torch.set_num_threads(1)
    runs = {preset: [ring_run(preset, seed) for seed in SEEDS] for preset in ("recommended", "collapses")}
    settings = {"rounds": ROUNDS, "batch": BATCH, "seeds": SEEDS}
    settings |= {preset: vars(PRESETS[preset]) for preset in runs}
    write_study("ring_gan", settings, runs)
    for preset, rows in runs.items():
        print(preset, *rows, sep="\n  ")


if __name__ == "__main__":
    main()
