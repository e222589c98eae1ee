"""A benchmark of losses: nine games on a grid of 25 modes, equal networks, equal compute, learning rates chosen alike.

`python -m helpers.studies.loss_benchmark` runs it, a quarter of an hour on one core.
"""

import statistics
import time
from functools import cache
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils._python_dispatch import TorchDispatchMode

from helpers.data import grid
from helpers.gan import (
    PointDiscriminator,
    PointGenerator,
    discriminator_loss,
    generator_step,
    gradient_norm_squared,
    gradient_penalty,
    hinge_discriminator,
    hinge_generator,
    least_squares_discriminator,
    least_squares_generator,
    non_saturating,
    relativistic,
    wasserstein_critic,
    wasserstein_generator,
)
from helpers.metrics import mode_coverage
from helpers.plotting import COLOUR_OF, Picture, new_figure, picture
from helpers.studies import linear_decay, write_study
from helpers.theory import wasserstein_exact

ROUNDS = 6000  # of the cheapest game: its arithmetic is everybody's budget
BATCH, POINTS = 128, 2000
VALIDATION_SEED, SEEDS = 99, (0, 1, 2, 3, 4)
D_STEPS = (1, 3)
RATES = ((3e-3, 3e-3), (3e-3, 1e-2))  # of G and D
MORE_RATES = ((5e-3, 5e-3), (1e-2, 1e-2))  # where there is no strength to choose: eight tries for everyone

# name → the losses of D and G, what bounds D's slope, and the two strengths of it that are tried. (These come from a
# short look at a few values with the validation seed beforehand, 0.1 to 1 for the clip and 0.01 to 0.1 for R1.)
ENTRANTS = {
    "non-saturating": (discriminator_loss, non_saturating, None, ()),
    "non-saturating + R1": (discriminator_loss, non_saturating, "r1", (0.01, 0.1)),
    "least squares": (least_squares_discriminator, least_squares_generator, None, ()),
    "hinge": (hinge_discriminator, hinge_generator, None, ()),
    "hinge + spectral norm": (hinge_discriminator, hinge_generator, "spectral", (1.0, 10.0)),
    "Wasserstein, clipped": (wasserstein_critic, wasserstein_generator, "clip", (0.1, 0.3)),
    "Wasserstein, penalty": (wasserstein_critic, wasserstein_generator, "penalty", (1.0, 10.0)),
    "relativistic": (relativistic, relativistic, None, ()),
    "relativistic + R1 + R2": (relativistic, relativistic, "r1 r2", (0.01, 0.1)),
}


class NormalisedDiscriminator(nn.Module):
    """A `PointDiscriminator` with spectral norm in each layer, its logit times `slope`: no slope is larger than that,
    because the layers are dense and LeakyReLU has slope 1 at most (as far as the power iteration has settled)."""

    def __init__(self, slope: float):
        super().__init__()
        self.inner, self.slope = PointDiscriminator(), slope
        for layer in self.inner.net:
            if isinstance(layer, nn.Linear):
                spectral_norm(layer)

    def forward(self, points: Tensor) -> Tensor:
        return self.slope * self.inner(points)


class Game:
    """One entrant's players, optimisers and rules; `round` takes `d_steps` steps of D and one of G."""

    def __init__(
        self, entrant: str, g_rate: float, d_rate: float, d_steps: int, strength: float | None = None
    ):
        self.d_loss, self.g_loss, self.bound, _ = ENTRANTS[entrant]
        self.data, self.d_steps, self.strength, self.rates = grid(), d_steps, strength, (g_rate, d_rate)
        self.generator = PointGenerator()
        self.discriminator = (
            NormalisedDiscriminator(strength) if self.bound == "spectral" else PointDiscriminator()
        )
        self.g_optimiser = torch.optim.Adam(self.generator.parameters(), g_rate, (0.0, 0.9))
        self.d_optimiser = torch.optim.Adam(self.discriminator.parameters(), d_rate, (0.0, 0.9))

    def noise(self) -> Tensor:
        return torch.randn(BATCH, self.generator.latent)

    def bounded(self, real: Tensor, fake: Tensor) -> Tensor | float:
        """What is added to D's loss, (B,): γ/2 |∇D|² (R1, and R2) or λ (|∇D| − 1)²."""
        d = self.discriminator
        if self.bound == "penalty":
            return self.strength * gradient_penalty(d, real, fake)
        if self.bound == "r1":
            return self.strength / 2 * gradient_norm_squared(d, real)
        if self.bound == "r1 r2":
            return self.strength / 2 * (gradient_norm_squared(d, real) + gradient_norm_squared(d, fake))
        return 0.0

    def d_step(self) -> None:
        real = self.data.sample(BATCH)
        with torch.no_grad():
            fake = self.generator(self.noise())
        real_logits, fake_logits = self.discriminator(torch.cat([real, fake])).chunk(2)
        loss = (self.d_loss(real_logits, fake_logits) + self.bounded(real, fake)).mean()
        self.d_optimiser.zero_grad()
        loss.backward()
        self.d_optimiser.step()
        if self.bound == "clip":
            with torch.no_grad():
                for weight in self.discriminator.parameters():
                    weight.clamp_(-self.strength, self.strength)

    def g_step(self) -> None:
        generator_step(self.generator, self.discriminator, self.g_optimiser, self.noise(), self.g_loss_of)

    def g_loss_of(self, fake_logits: Tensor) -> Tensor:
        if self.g_loss is relativistic:
            return relativistic(fake_logits, self.discriminator(self.data.sample(BATCH)))
        return self.g_loss(fake_logits)

    def round(self, done: float = 0.0) -> None:
        """`done` is the share of the training that is over; in its second half the rates fall to 2 %."""
        factor = linear_decay(done)
        for optimiser, rate in zip((self.g_optimiser, self.d_optimiser), self.rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate * factor
        for _ in range(self.d_steps):
            self.d_step()
        self.g_step()


class Operations(TorchDispatchMode):
    """Counts 2·m·n·k for each product of an m × n and an n × k matrix, forwards, backwards and backwards again.

    (PyTorch's own FlopCounterMode does the same, but not through `autograd.grad` inside a step.)
    """

    total = 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        if function in (torch.ops.aten.mm.default, torch.ops.aten.addmm.default):
            left, right = arguments[-2:]
            self.total += 2 * left.numel() * right.shape[1]
        return function(*arguments, **(keywords or {}))


@cache
def operations(entrant: str, d_steps: int) -> int:
    """The floating-point operations in the matrix products of one round."""
    with torch.random.fork_rng():
        game = Game(entrant, 0.0, 0.0, d_steps, 1.0)
        with Operations() as counted:
            game.round()
    return counted.total


def rounds_for(entrant: str, d_steps: int, rounds: int = ROUNDS) -> int:
    """The rounds that cost as many operations as `rounds` rounds of the non-saturating game with one D step."""
    return rounds * operations("non-saturating", 1) // operations(entrant, d_steps)


@torch.no_grad()
def judge(points: Tensor, seed: int) -> dict[str, float]:
    """Modes covered of 25, the share of good points, and W₁ to as many fresh points of the data, `points` (n, 2)."""
    data = grid()
    modes, good = mode_coverage(points, data)
    fresh = data.sample(len(points), torch.Generator().manual_seed(10_000 + seed))
    return {"modes": modes, "good": round(good, 3), "w1": round(wasserstein_exact(points, fresh).item(), 3)}


def benchmark_run(entrant: str, seed: int, rounds: int | None = None, **settings) -> dict[str, float]:
    """One game from `seed`, as many rounds as the budget pays for, judged on 2,000 points; CPU seconds beside.

    `settings`: g_rate, d_rate, d_steps and, where the entrant has one, strength.
    """
    torch.manual_seed(seed)
    game, start = Game(entrant, **settings), time.process_time()
    rounds = rounds or rounds_for(entrant, settings["d_steps"])
    for t in range(rounds):
        game.round(t / rounds)
    seconds = round(time.process_time() - start, 1)
    with torch.no_grad():
        points = game.generator(torch.randn(POINTS, game.generator.latent))
    return judge(points, seed) | {"rounds": rounds, "seconds": seconds}


def tries(entrant: str) -> list[dict]:
    """The eight settings that the entrant is tried with: rates, steps of D and, where it has one, the strength."""
    strengths = ENTRANTS[entrant][3]
    found = []
    for (g_rate, d_rate), d_steps, strength in product(
        RATES if strengths else RATES + MORE_RATES, D_STEPS, strengths or (None,)
    ):
        chosen = {"g_rate": g_rate, "d_rate": d_rate, "d_steps": d_steps}
        found.append(chosen | ({} if strength is None else {"strength": strength}))
    return found


def summary(runs: list[dict]) -> str:
    """One line: mean ± standard deviation over the seeds of the three scores, and what a run costs."""
    told = []
    for key, name, digits in (("w1", "W₁", 2), ("good", "good", 2), ("modes", "modes", 1)):
        column = [run[key] for run in runs]
        told.append(f"{name} {statistics.mean(column):5.{digits}f} ± {statistics.stdev(column):.{digits}f}")
    if "rounds" in runs[0]:
        told.append(f"{runs[0]['rounds']} rounds, {statistics.mean(run['seconds'] for run in runs):.0f} s")
    return "   ".join(told)


def standings(found: dict) -> Picture:
    """Each seed of each loss as a point, W₁ and the share of high-quality samples side by side; `found` is the study.

    Filled circles had equal compute, open diamonds as many iterations as the cheapest game. Dashed: two data samples.
    """
    figure, panels = new_figure(columns=2, width=7, height=4.4, sharey=True)
    names = list(found["tries"])
    for axes, key, label in zip(
        panels,
        ("w1", "good"),
        ("W₁ to fresh data (less is better)", "share of high-quality samples"),
        strict=True,
    ):
        for row, name in enumerate(names):
            scores = [run[key] for run in found["runs"][name]]
            longer = [run[key] for run in found["equal_rounds"].get(name, [])]
            (equal,) = axes.plot(
                scores, [row - 0.1] * len(scores), "o", color=COLOUR_OF["result"], markersize=5
            )
            (open_,) = axes.plot(
                longer,
                [row + 0.2] * len(longer),
                "D",
                color=COLOUR_OF["second result"],
                markersize=4,
                fillstyle="none",
            )
        of_data = statistics.mean(run[key] for run in found["runs"]["data against data"])
        data = axes.axvline(of_data, color="black", linestyle="--", linewidth=1)
        axes.set(xlabel=label, yticks=range(len(names)), yticklabels=names)
        axes.locator_params(axis="x", nbins=4)
        axes.grid(axis="y", color="0.9", linewidth=0.8)
        axes.set_axisbelow(True)
    panels[0].invert_yaxis()
    series = {"equal compute": equal, "6,000 iterations": open_, "two samples of the data": data}
    figure.legend(series.values(), series, loc="outside upper center", ncols=3, frameon=False)
    caption = "Nine losses, five seeds each. Look at how far the seeds of one loss lie apart, compared with the losses."
    return picture(figure, caption=caption)


def main() -> None:
    torch.set_num_threads(1)
    start, tried, chosen, runs, equal_rounds = time.process_time(), {}, {}, {}, {}
    for entrant in ENTRANTS:
        tried[entrant] = [
            {"settings": each} | benchmark_run(entrant, VALIDATION_SEED, **each) for each in tries(entrant)
        ]
        chosen[entrant] = min(tried[entrant], key=lambda run: run["w1"])["settings"]
        runs[entrant] = [benchmark_run(entrant, seed, **chosen[entrant]) for seed in SEEDS]
        if runs[entrant][0]["rounds"] < 0.9 * ROUNDS:  # what arithmetic alone took from it
            equal_rounds[entrant] = [
                benchmark_run(entrant, seed, ROUNDS, **chosen[entrant]) for seed in SEEDS
            ]
        print(f"{entrant:24}", summary(runs[entrant]), chosen[entrant], flush=True)
    floor = [judge(grid().sample(POINTS, torch.Generator().manual_seed(seed)), seed) for seed in SEEDS]
    settings = {"seeds": SEEDS, "validation_seed": VALIDATION_SEED, "rounds": ROUNDS, "batch": BATCH}
    settings |= {"points": POINTS, "chosen": chosen}
    runs = {"data against data": floor} | runs
    write_study("loss_benchmark", settings, runs, equal_rounds=equal_rounds, tries=tried)
    print(f"{time.process_time() - start:.0f} CPU seconds, data against data", *floor, sep="\n  ")


if __name__ == "__main__":
    main()
