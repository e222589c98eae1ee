"""What a trained critic measures: its value against exact W₁, its slope against 1, under a penalty and under clipping.

Run `python -m helpers.studies.critics` for the table over seeds (a minute on one core).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from helpers.data.points import ring
from helpers.gan import gradient_norm_squared, gradient_penalty, wasserstein_critic
from helpers.studies import write_study
from helpers.theory import wasserstein_exact

SEEDS = (0, 1, 2, 3, 4)


def critic(dimensions: int, seed: int, width: int = 64) -> nn.Sequential:
    """A network from points (B, dimensions) to values (B,), two hidden layers, its weights drawn from `seed`."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Linear(dimensions, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, 1),
            nn.Flatten(0),
        )


def train_critic(
    net: nn.Module,
    real: Tensor,
    fake: Tensor,
    generator: torch.Generator,
    penalty: float = 0.0,
    clip: float | None = None,
    steps: int = 600,
    rate: float = 2e-3,
    batch: int = 256,
) -> nn.Module:
    """Train `net` in place to minimise E f(fake) − E f(real) + λ E(|∇f| − 1)², λ = `penalty`; returns it.

    `real` (n, d) and `fake` (m, d) stay as they are; batches pair them at random. After each step every parameter is
    clipped to [−clip, clip], if that is given. Adam, its rate falling to 0 along a straight line.
    Source: Gulrajani et al. (2017), algorithm 1; clipping: Arjovsky et al. (2017), algorithm 1.
    """
    optimiser = torch.optim.Adam(net.parameters(), rate, betas=(0.5, 0.9))
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda t: 1 - t / steps)
    for _ in range(steps):
        a, b = (x[torch.randint(len(x), (batch,), generator=generator)] for x in (real, fake))
        loss = wasserstein_critic(net(a), net(b)).mean()
        if penalty:
            loss = loss + penalty * gradient_penalty(net, a, b, generator).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        scheduler.step()
        if clip is not None:
            with torch.no_grad():
                for weight in net.parameters():
                    weight.clamp_(-clip, clip)
    return net


@torch.no_grad()
def critic_value(net: nn.Module, real: Tensor, fake: Tensor) -> float:
    """E f(real) − E f(fake), in the unit of the data if the slope of f is at most 1."""
    return (net(real).mean() - net(fake).mean()).item()


def steepest(net: nn.Module, x: Tensor) -> float:
    """The largest |∇f| at the points `x` (n, d): the Lipschitz constant from below, so dividing by it flatters."""
    return gradient_norm_squared(net, x).max().sqrt().item()


def between(real: Tensor, fake: Tensor, generator: torch.Generator, n: int = 2000) -> Tensor:
    """Both samples and `n` points between random pairs of them, (…, d): where a critic's slope is asked for."""
    a, b = (x[torch.randint(len(x), (n,), generator=generator)] for x in (real, fake))
    eps = torch.rand(n, 1, generator=generator)
    return torch.cat([real, fake, eps * a + (1 - eps) * b])


def operator_norm(layer: Callable[[Tensor], Tensor], shape: tuple[int, ...], steps: int = 500) -> float:
    """max |Ax|/|x| of the linear part A of `layer` on inputs of `shape` (no batch), from below, by power iteration.

    One step is x ← AᵀAx/|AᵀAx|, where AᵀAx is the gradient of ½|Ax|², so any layer that autograd knows will do.
    """
    x = torch.randn(1, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        offset = layer(torch.zeros_like(x))
    for _ in range(steps):
        x = (x / x.norm()).requires_grad_()
        image = layer(x) - offset
        (x,) = torch.autograd.grad(image.square().sum() / 2, x)
    return image.norm().item()


def blobs(distance: float, seed: int, n: int = 512, std: float = 0.05) -> tuple[Tensor, Tensor]:
    """Two small round Gaussians in the plane, `distance` apart, each (n, 2): the best critic is a ramp."""
    generator = torch.Generator().manual_seed(seed)
    real, fake = std * torch.randn(2, n, 2, generator=generator)
    return real + distance * torch.tensor([0.6, 0.8]), fake


def ring_and_centre(seed: int, n: int = 512) -> tuple[Tensor, Tensor]:
    """Eight Gaussians on a circle of radius 2 and one at its centre, each (n, 2): the best critic is a cone, |x|."""
    generator = torch.Generator().manual_seed(seed)
    return ring().sample(n, generator), 0.05 * torch.randn(n, 2, generator=generator)


def measure(real: Tensor, fake: Tensor, seed: int, **settings) -> dict[str, float]:
    """Train one critic: exact W₁, the critic's value over W₁, its steepest slope, and the value over both."""
    generator = torch.Generator().manual_seed(seed)
    net = train_critic(critic(real.shape[1], seed), real, fake, generator, **settings)
    exact, slope = wasserstein_exact(real, fake).item(), steepest(net, between(real, fake, generator))
    ratio = critic_value(net, real, fake) / exact
    found = {"exact": exact, "ratio": ratio, "slope": slope, "normalised": ratio / slope}
    return {name: float(f"{value:.5g}") for name, value in found.items()}


def main() -> None:
    torch.set_num_threads(1)
    rows = {
        f"blobs {w:g} apart, penalty {penalty}": (lambda seed, w=w: blobs(w, seed), {"penalty": penalty})
        for penalty in (10, 100)
        for w in (1.0, 2.0, 4.0)
    }
    for name in ("penalty", "clip"):
        for weight in {"penalty": (10, 100), "clip": (0.01, 0.03, 0.1, 0.3, 1.0)}[name]:
            rows[f"ring, {name} {weight}"] = ring_and_centre, {name: weight, "steps": 1000}
    runs = {
        row: [measure(*problem(seed), seed, **settings) for seed in SEEDS]
        for row, (problem, settings) in rows.items()
    }
    write_study("critics", {"seeds": SEEDS} | {row: settings for row, (_, settings) in rows.items()}, runs)
    for row, measured in runs.items():
        columns = {key: torch.tensor([run[key] for run in measured]) for key in measured[0]}
        print(f"{row:28}", *(f"{key} {c.mean():.4g} ± {c.std():.2g}  " for key, c in columns.items()))


if __name__ == "__main__":
    main()
