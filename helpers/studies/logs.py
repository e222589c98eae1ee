"""Training logs of games that go well and of games that fail, labelled by how they were made.

`python -m helpers.studies.logs` writes them, some three minutes on one core. Every game is the ring of eight with the
networks of notebook 04; only what `Recipe` names differs.
"""

import math
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor, nn

from helpers.data import ring
from helpers.gan import (
    PointDiscriminator,
    PointGenerator,
    discriminator_step,
    generator_step,
    non_saturating,
    saturating,
)
from helpers.metrics import mode_coverage
from helpers.studies import linear_decay, write_study

ROUNDS, BATCH, RECORDS, POINTS = 2400, 128, 24, 500
# Seeds of each kind: the first four are there to develop the rule on, the others are held out.
SEEDS = (0, 1, 2, 3, 20, 21, 22, 23)


@dataclass(frozen=True)
class Recipe:
    """What may differ between two games; `bound` is that of a tanh behind G, `lead` counts D steps before round 1."""

    g_rate: float = 3e-3
    d_rate: float = 3e-3
    beta1: float = 0.0
    d_steps: int = 1
    lead: int = 0
    g_loss: str = "non-saturating"
    g_adam: bool = True  # else plain gradient descent
    lr_decay: bool = True  # the rates fall to 2 % in the second half
    bound: float = math.inf
    frozen: bool = True  # D stays as it is while G learns


# How each kind of log is made. The rates are multiplied by factors of their own in each log: see `recipe_of`.
RECIPES = {
    "healthy": Recipe(),
    "vanishing gradient": Recipe(g_rate=0.05, lead=400, g_loss="saturating", g_adam=False),
    "mode collapse": Recipe(g_rate=1e-3, d_rate=1e-2, beta1=0.5, d_steps=3),
    "oscillation": Recipe(g_rate=3e-3, d_rate=3e-4, beta1=0.5, lr_decay=False),
    "range too small": Recipe(bound=1.3),
}
# The five logs of the exercise in notebook 07.
ANONYMOUS = {
    "A": ("oscillation", 8),
    "B": ("range too small", 15),
    "C": ("healthy", 8),
    "D": ("mode collapse", 8),
    "E": ("vanishing gradient", 8),
}
UNFROZEN = Recipe(frozen=False)  # a failure of notebook 05 that the rule was not made for


def recipe_of(kind: str, seed: int) -> Recipe:
    """The recipe of `kind` with each rate times a factor of its own, and a bound of its own.

    Factors lie between 0.75 and 1.33 and bounds between 0.9 and 1.7 while the seed is below 20; in the held-out logs
    both reach further, to 0.5 and 2, and to 0.8 and 1.9.
    """
    recipe = UNFROZEN if kind == "unfrozen D" else RECIPES[kind]
    draw, held_out = random.Random(f"{kind} {seed}"), seed >= SEEDS[4]
    spread = 1.0 if held_out else 0.4
    g_rate, d_rate = (rate * 2 ** draw.uniform(-spread, spread) for rate in (recipe.g_rate, recipe.d_rate))
    bound = (
        draw.uniform(*((0.8, 1.9) if held_out else (0.9, 1.7))) if math.isfinite(recipe.bound) else math.inf
    )
    return replace(recipe, g_rate=round(g_rate, 6), d_rate=round(d_rate, 6), bound=round(bound, 3))


class Bounded(nn.Module):
    """A generator of points whose coordinates lie in ±`bound`."""

    def __init__(self, bound: float):
        super().__init__()
        self.latent, self.bound, self.inner = 2, bound, PointGenerator()

    def forward(self, z: Tensor) -> Tensor:
        return self.bound * self.inner(z).tanh()


def gradient_norm(network: nn.Module) -> float:
    """The length of the gradient that the last backward pass left at the parameters."""
    return math.sqrt(sum(p.grad.square().sum().item() for p in network.parameters()))


def keep_log(
    recipe: Recipe, seed: int, rounds: int = ROUNDS, watch: Callable[[int, nn.Module], None] | None = None
) -> tuple[dict[str, list[float]], PointGenerator, PointDiscriminator]:
    """Play one game of `rounds` iterations and return its log and both networks.

    The log has RECORDS entries in each curve, fewer after fewer rounds: the losses (nats), the mean D of real and fake
    points and the length of the gradient that reached G, as means since the record before; and of POINTS fakes at that
    moment the modes covered, the share of good points, the mean (`x`, `y`) and the largest coordinate in size. After
    each iteration t = 1, 2, … `watch(t, generator)` may look at G, if it takes none of PyTorch's own random numbers.
    """
    torch.manual_seed(seed)
    data = ring()
    generator = Bounded(recipe.bound) if math.isfinite(recipe.bound) else PointGenerator()
    discriminator = PointDiscriminator()
    betas = (recipe.beta1, 0.9)
    trained = [*generator.parameters()] + ([] if recipe.frozen else [*discriminator.parameters()])
    if recipe.g_adam:
        g_optimiser = torch.optim.Adam(trained, recipe.g_rate, betas)
    else:
        g_optimiser = torch.optim.SGD(trained, recipe.g_rate)
    d_optimiser = torch.optim.Adam(discriminator.parameters(), recipe.d_rate, betas)
    g_loss = {"saturating": saturating, "non-saturating": non_saturating}[recipe.g_loss]

    def d_step() -> dict[str, Tensor]:
        z = torch.randn(BATCH, generator.latent)
        return discriminator_step(generator, discriminator, d_optimiser, data.sample(BATCH), z)

    for _ in range(recipe.lead):
        d_step()
    log, window = {}, []
    for t in range(1, rounds + 1):
        factor = linear_decay(t / rounds) if recipe.lr_decay else 1.0
        g_optimiser.param_groups[0]["lr"] = recipe.g_rate * factor
        d_optimiser.param_groups[0]["lr"] = recipe.d_rate * factor
        for _ in range(recipe.d_steps):
            measured = d_step()
        z = torch.randn(BATCH, generator.latent)
        if recipe.frozen:
            measured |= generator_step(generator, discriminator, g_optimiser, z, g_loss)
        else:
            measured |= unfrozen_step(generator, discriminator, g_optimiser, z, g_loss)
        window.append({name: float(value) for name, value in measured.items()})
        window[-1]["g_gradient"] = gradient_norm(generator)
        if t % (ROUNDS // RECORDS) == 0:
            record = {"round": t} | {name: mean_of(window, name) for name in window[0]} | look(generator)
            for name, value in record.items():
                log.setdefault(name, []).append(value if isinstance(value, int) else float(f"{value:.3g}"))
            window.clear()
        if watch:
            watch(t, generator)
    return log, generator, discriminator


def unfrozen_step(generator, discriminator, g_optimiser, z: Tensor, loss: Callable) -> dict[str, Tensor]:
    """G's step with an optimiser that holds D as well: the forgotten freeze of notebook 05."""
    value = loss(discriminator(generator(z))).mean()
    g_optimiser.zero_grad()
    value.backward()
    g_optimiser.step()
    return {"g_loss": value.detach()}


def mean_of(window: list[dict[str, float]], name: str) -> float:
    return sum(measured[name] for measured in window) / len(window)


@torch.no_grad()
def look(generator: nn.Module) -> dict[str, float]:
    points = generator(torch.randn(POINTS, generator.latent))
    modes, good = mode_coverage(points, ring())
    x, y = points.mean(dim=0).tolist()
    return {"modes": modes, "good": good, "x": x, "y": y, "largest": points.abs().max().item()}


def sure_of(kind: str, recipe: Recipe, log: dict[str, list[float]], generator, discriminator) -> bool:
    """Whether the game really went as its recipe is meant to, by what the log does not hold where that is possible.

    healthy: of 4,000 points at least half good, 7 modes or more. vanishing gradient: on the last fakes the
    non-saturating loss would send G a gradient at least 1,000 times as long. mode collapse: at least half good and 90 %
    nearest to three modes. oscillation: the mean of the fakes has been, in the second half, nearest to four modes or
    more at a distance of at least 1 from the origin. range too small: at least 5 % of the 4,000 points have a
    coordinate within 1 % of the bound, which lies below the data's.
    """
    with torch.no_grad():
        points = generator(torch.randn(4000, generator.latent))
    modes, good = mode_coverage(points, ring())
    if kind == "healthy":
        return modes >= 7 and good >= 0.5
    if kind == "vanishing gradient":
        z, lengths = torch.randn(1000, generator.latent), []
        for loss in (saturating, non_saturating):
            generator.zero_grad()
            loss(discriminator(generator(z))).mean().backward()
            lengths.append(gradient_norm(generator))
        return lengths[1] > 1000 * lengths[0]
    if kind == "mode collapse":
        nearest = torch.cdist(points, ring().centres).argmin(1).bincount(minlength=8)
        return good >= 0.5 and nearest.sort(descending=True).values[:3].sum().item() >= 0.9 * len(points)
    if kind == "oscillation":
        centre = torch.tensor([log["x"], log["y"]]).T[RECORDS // 2 :]
        away = centre[centre.norm(dim=1) >= 1]
        return len(torch.cdist(away, ring().centres).argmin(1).unique()) >= 4 if len(away) else False
    if kind == "range too small":
        at_the_wall = (points.abs().max(dim=1).values > 0.99 * recipe.bound).float().mean().item()
        return at_the_wall >= 0.05 and recipe.bound < ring().centres.abs().max().item()
    return modes <= 6 or good < 0.5  # unfrozen D: some failure, whatever it looks like


def made(kind: str, seed: int) -> dict:
    """A log with how it was made. A seed whose game did not go as `kind` is meant to is skipped, and said to be."""
    skipped = []
    while True:
        recipe = recipe_of(kind, seed)
        log, generator, discriminator = keep_log(recipe, seed)
        if sure_of(kind, recipe, log, generator, discriminator):
            named = {name: value for name, value in asdict(recipe).items() if value != math.inf}
            return {"seed": seed, "skipped": skipped, "recipe": named, "log": log}
        skipped.append(seed)
        seed += 4


def anonymous(kind: str, seed: int) -> dict:
    """A log with 250 of the last fakes, and not a word of how it was made."""
    recipe = recipe_of(kind, seed)
    log, generator, discriminator = keep_log(recipe, seed)
    if not sure_of(kind, recipe, log, generator, discriminator):
        raise ValueError(
            f"The game with seed {seed} did not go as {kind!r} is meant to: choose another seed."
        )
    with torch.no_grad():
        points = generator(torch.randn(250, generator.latent))
    return {"log": log, "points": [[round(value, 2) for value in point] for point in points.tolist()]}


def largest_of_data() -> float:
    """The largest coordinate in size of POINTS real points, as many as there are fakes in a record."""
    return round(ring().sample(POINTS, torch.Generator().manual_seed(0)).abs().max().item(), 2)


def main() -> None:
    torch.set_num_threads(1)
    runs = {kind: [made(kind, seed) for seed in SEEDS] for kind in RECIPES}
    settings = {"rounds": ROUNDS, "batch": BATCH, "points": POINTS, "seeds": SEEDS}
    settings |= {"largest_of_data": largest_of_data()}
    strangers = [made("unfrozen D", seed) for seed in range(3)]
    unnamed = {letter: anonymous(*how) for letter, how in ANONYMOUS.items()}
    write_study("logs", settings, runs, strangers=strangers, anonymous=unnamed)
    for kind, entries in runs.items():
        skipped = [seed for each in entries for seed in each["skipped"]]
        print(f"{kind:20} seeds {[each['seed'] for each in entries]}, skipped {skipped}")


if __name__ == "__main__":
    main()
