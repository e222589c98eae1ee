"""Mode collapse over five seeds: which setting brings it about, which divergence does not, and what cures it.

`python -m helpers.studies.collapse` plays the games, some nine minutes on one core. The networks are those of notebook
04, on a ring of eight modes and a grid of 25.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from helpers.data import Mixture, grid, ring
from helpers.gan import (
    PRESETS,
    PointDiscriminator,
    PointGenerator,
    Preset,
    discriminator_loss,
    discriminator_step,
    generator_step,
    gradient_norm_squared,
    non_saturating,
    saturating,
)
from helpers.metrics import mode_coverage
from helpers.studies import linear_decay, write_study

BATCH, SEEDS = 128, (0, 1, 2, 3, 4)
DATA = {"ring": (ring, 3000), "grid": (grid, 6000)}  # name → the mixture, and the rounds of a game on it


def forward_kl(fake_logits: Tensor) -> Tensor:
    """−eᵃ, whose mean has the gradient of KL(p‖q) while D = D*. Source: Goodfellow (2016), section 3.2.4."""
    return -fake_logits.exp()


def reverse_kl(fake_logits: Tensor) -> Tensor:
    """−a, whose mean has the gradient of KL(q‖p) while D = D*."""
    return -fake_logits


LOSSES = {
    "non-saturating": non_saturating,
    "minimax": saturating,
    "forward KL": forward_kl,
    "reverse KL": reverse_kl,
}


@dataclass(frozen=True)
class Setting(Preset):
    """A preset with R1's weight γ, and whether the rates fall to 2 % in the second half."""

    gamma: float = 0.0
    lr_decay: bool = True


BALANCED, COLLAPSES = (Setting(**vars(PRESETS[name])) for name in ("recommended", "collapses"))
OSCILLATES = Setting(g_rate=3e-3, d_rate=3e-4, beta1=0.5, d_steps=1, lr_decay=False)

# name → data, setting and the generator's loss
GAMES = {f"ring, balanced, {loss}": ("ring", BALANCED, loss) for loss in LOSSES}
GAMES |= {f"ring, strong D, {loss}": ("ring", COLLAPSES, loss) for loss in LOSSES}
for loss in ("non-saturating", "forward KL"):
    GAMES[f"grid, balanced, {loss}"] = ("grid", BALANCED, loss)
    GAMES[f"grid, strong D, {loss}"] = ("grid", COLLAPSES, loss)
GAMES |= {
    "ring, strong D, R1": ("ring", replace(COLLAPSES, gamma=0.1), "non-saturating"),
    "grid, strong D, R1": ("grid", replace(COLLAPSES, gamma=0.1), "non-saturating"),
    "ring, strong D, one D step": ("ring", replace(COLLAPSES, d_steps=1), "non-saturating"),
    "ring, slow D": ("ring", OSCILLATES, "non-saturating"),
    "ring, slow D, R1": ("ring", replace(OSCILLATES, gamma=0.1), "non-saturating"),
    "ring, slow D, equal rates": ("ring", replace(OSCILLATES, d_rate=3e-3), "non-saturating"),
}


def with_r1(
    discriminator: nn.Module, real: Tensor, gamma: float, real_logits: Tensor, fake_logits: Tensor
) -> Tensor:
    """D's loss plus γ/2 times its squared slope at the real points, (B,), in nats."""
    penalty = gradient_norm_squared(discriminator, real)
    return discriminator_loss(real_logits, fake_logits) + gamma / 2 * penalty


def collapse_run(
    data: Mixture, setting: Setting, loss: Callable[[Tensor], Tensor], seed: int, rounds: int
) -> dict[str, float]:
    """One game: the modes covered and the share of good ones among 4,000 points at its end.

    `off` is the distance of the mean of 500 fakes from the origin, itself a mean over the last third of the game: far
    from 0 in an oscillation and in a collapse.
    """
    torch.manual_seed(seed)
    generator, discriminator = PointGenerator(), PointDiscriminator()
    g_optimiser = torch.optim.Adam(generator.parameters(), setting.g_rate, (setting.beta1, 0.9))
    d_optimiser = torch.optim.Adam(discriminator.parameters(), setting.d_rate, (setting.beta1, 0.9))
    off = []
    for t in range(rounds):
        factor = linear_decay(t / rounds) if setting.lr_decay else 1.0
        g_optimiser.param_groups[0]["lr"] = setting.g_rate * factor
        d_optimiser.param_groups[0]["lr"] = setting.d_rate * factor
        for _ in range(setting.d_steps):
            real, z = data.sample(BATCH), torch.randn(BATCH, generator.latent)
            if setting.gamma:
                loss_of_d = partial(with_r1, discriminator, real, setting.gamma)
            else:
                loss_of_d = discriminator_loss
            discriminator_step(generator, discriminator, d_optimiser, real, z, loss_of_d)
        generator_step(generator, discriminator, g_optimiser, torch.randn(BATCH, generator.latent), loss)
        if 3 * t >= 2 * rounds and t % 20 == 0:
            with torch.no_grad():
                off.append(generator(torch.randn(500, generator.latent)).mean(dim=0).norm().item())
    with torch.no_grad():
        points = generator(torch.randn(4000, generator.latent))
    modes, good = mode_coverage(points, data)
    return {"modes": modes, "good": round(good, 3), "off": round(sum(off) / len(off), 3)}


def game(name: str, seed: int) -> dict[str, float]:
    """The game called `name` in GAMES."""
    kind, setting, loss = GAMES[name]
    make, rounds = DATA[kind]
    return collapse_run(make(), setting, LOSSES[loss], seed, rounds)


def main() -> None:
    torch.set_num_threads(1)
    runs = {}
    for name in GAMES:
        runs[name] = [game(name, seed) for seed in SEEDS]
        print(
            f"{name:32}", ", ".join(f"{run['modes']} ({run['good']:.0%})" for run in runs[name]), flush=True
        )
    settings = {
        "rounds": {kind: rounds for kind, (_, rounds) in DATA.items()},
        "batch": BATCH,
        "seeds": SEEDS,
    }
    settings |= {name: vars(setting) | {"g_loss": loss} for name, (_, setting, loss) in GAMES.items()}
    write_study("collapse", settings, runs)


if __name__ == "__main__":
    main()
