"""Twenty VAEs that differ in their seed alone, judged on few validation days and on many fresh ones.

The training, its days and the validation days are those of notebook 24, whose VAE has the seed 24.
`python -m helpers.studies.seeds`: a minute and a half on one core.
"""

import torch
from torch import Tensor

from helpers.data.days import electricity_days
from helpers.metrics import frechet_distance
from helpers.studies import rounded, write_study
from helpers.studies.audio import train_vae
from helpers.training import for_updates

SEEDS, TRAINING, VALIDATION, FEW, REPEATS = range(20), 4_000, 1_000, 100, 50
VAE = {"latent": 8, "hidden": (128,), "learning_rate": 5e-3, "batch": 128}
UPDATES = 1_500


@torch.no_grad()
def sampled_days(vae, n: int, mean: Tensor, generator: torch.Generator) -> Tensor:
    """`n` days from p(x|z) with z from the prior, (n, 24), around the `mean` day (24,)."""
    z, noise = (torch.randn(n, size, generator=generator) for size in (vae.latent, len(mean)))
    return vae.decode(z).mean + vae.log_std.exp() * noise + mean


def two_readings(
    vae, few: Tensor, mean: Tensor, generator: torch.Generator, repeats: int
) -> dict[str, float]:
    """The Fréchet distance of as many samples to the `few` validation days, and the mean of it to fresh days."""
    town, n = electricity_days(), len(few)

    def distance(days: Tensor) -> float:
        return frechet_distance(sampled_days(vae, n, mean, generator), days)

    fresh = [distance(town.sample(n, generator)) for _ in range(repeats)]
    return {"validation": distance(few), "fresh": sum(fresh) / repeats}


def seeds_run(seeds=SEEDS, updates: int = UPDATES, repeats: int = REPEATS) -> list[dict[str, float]]:
    """Both readings of each seed's VAE. Training days and validation days are the same for all."""
    town, generator = electricity_days(), torch.Generator().manual_seed(24)
    training, validation = (town.sample(n, generator) for n in (TRAINING, VALIDATION))
    mean, rows = training.mean(dim=0), []
    for seed in seeds:
        vae = train_vae(training - mean, seed, for_updates(updates), **VAE)
        rows.append(rounded(two_readings(vae, validation[:FEW], mean, generator, repeats), 3))
    return rows


def main() -> None:
    torch.set_num_threads(1)
    rows = seeds_run()
    settings = {
        "seeds": list(SEEDS),
        "training": TRAINING,
        "days in a reading": FEW,
        "fresh readings": REPEATS,
    }
    write_study("seeds", settings | {"VAE": VAE, "updates": UPDATES}, {"seeds": rows})
    print(*rows, sep="\n")


if __name__ == "__main__":
    main()
