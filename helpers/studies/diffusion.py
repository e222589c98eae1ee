"""Digits by latent diffusion with minutes of training, three seeds, beside the prior of the same VAE.

`python -m helpers.studies.diffusion`: some eight minutes on one core. The guidance weight is chosen on validation
images; the test images are read once, with that weight.
"""

import math

import torch
from torch import Tensor, nn

from helpers.data import batches, load_digits
from helpers.diffusion import (
    CodeNetwork,
    WithSkip,
    cosine_schedule,
    ddim,
    diffusion_step,
    guided,
    some_dropped,
)
from helpers.gan import ema_copy, update_ema
from helpers.metrics import digit_classifier, score_digits
from helpers.studies import rounded, write_study
from helpers.studies.conditional_gan import within_class
from helpers.training import Budget, for_updates
from helpers.vae import VAE, vae_step

SEEDS, WEIGHTS, STEPS, DDIM_STEPS = (0, 1, 2), (0.0, 1.0, 1.5, 2.0, 3.0, 5.0), 100, 50
UPDATES = {"VAE": 3000, "diffusion": 4000}
BATCHES, RATE = {"VAE": 128, "diffusion": 256}, 3e-3


def fall(done: float) -> float:
    """The factor on the learning rate when the fraction `done` is over: a short rise, then a cosine down to 2 %."""
    return min(1.0, 0.05 + 30 * done) * (0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2)


def trained(network: nn.Module, step, source, budget: Budget) -> nn.Module:
    """The EMA of the weights after `budget`, where step(network, optimiser, batch) is one update."""
    optimiser, average = torch.optim.Adam(network.parameters(), RATE, fused=True), ema_copy(network)

    def update(done: float) -> None:
        optimiser.param_groups[0]["lr"] = RATE * fall(done)
        step(network, optimiser, next(source))
        update_ema(average, network)

    budget(update)
    return average.eval()


class LatentDiffusion:
    """A VAE, the scale of its codes, and a denoiser of these; `sample` asks for labels with a guidance weight."""

    def __init__(self, seed: int, vae_budget: Budget, budget: Budget):
        torch.manual_seed(seed)
        images, labels = load_digits("train")
        order = torch.Generator().manual_seed(seed)
        self.alpha_bar = cosine_schedule(STEPS)
        self.vae = trained(
            VAE().start_from(images), vae_step, batches(images, BATCHES["VAE"], order), vae_budget
        )
        with torch.no_grad():
            mu = self.vae.encode(images)[0]
        self.mean, self.std = mu.mean(0), mu.std(0)

        def step(network: nn.Module, optimiser: torch.optim.Optimizer, batch: tuple[Tensor, Tensor]) -> dict:
            return diffusion_step(network, optimiser, batch[0], self.alpha_bar, some_dropped(batch[1]))

        source = batches(((mu - self.mean) / self.std, labels), BATCHES["diffusion"], order)
        self.denoiser = trained(WithSkip(CodeNetwork(), self.alpha_bar), step, source, budget)

    @torch.no_grad()
    def decoded(self, codes: Tensor) -> Tensor:
        return self.vae.decode(codes).sigmoid().view(-1, 1, 28, 28)

    def sample(self, labels: Tensor, weight: float, noise: Tensor) -> Tensor:
        """Images (B, 1, 28, 28) for labels (B,), from noise (B, 20)."""
        x = ddim(guided(self.denoiser, labels, weight), noise, self.alpha_bar, DDIM_STEPS)
        return self.decoded(x * self.std + self.mean)


def judged(images: Tensor, labels: Tensor, split: str = "validation") -> dict[str, float]:
    """FID, the share recognised as asked, the spread within a class over that of real digits, nearest distance."""
    score, real = score_digits(images, split), load_digits("validation")
    return {
        "FID": score.distance,
        "recognised": (digit_classifier()(images).argmax(1) == labels).double().mean().item(),
        "spread": (within_class(images, labels) / within_class(*real)).mean().item(),
        "nearest": score.nearest,
    }


def diffusion_run(
    seed: int, vae_budget: Budget | None = None, budget: Budget | None = None, n: int = 2000
) -> tuple:
    """The trained model of one seed, its labels and noise, and its rows on validation images."""
    model = LatentDiffusion(
        seed, vae_budget or for_updates(UPDATES["VAE"]), budget or for_updates(UPDATES["diffusion"])
    )
    labels = torch.arange(n) % 10
    noise = torch.randn(n, 20, generator=torch.Generator().manual_seed(seed))
    images = load_digits("train")[0][:n]
    with torch.no_grad():
        copies = model.decoded(model.vae.encode(images)[0])
    rows = {"VAE, prior": judged(model.decoded(noise), labels)}
    rows["VAE, reconstructions"] = judged(copies, load_digits("train")[1][:n])
    for weight in WEIGHTS:
        rows[f"w = {weight:g}"] = judged(model.sample(labels, weight, noise), labels)
    return model, labels, noise, {name: rounded(row, 3) for name, row in rows.items()}


def main() -> None:
    torch.set_num_threads(1)
    found = []
    for seed in SEEDS:
        found.append(diffusion_run(seed))
        print(seed, found[-1][-1], flush=True)
    runs = {name: [each[-1][name] for each in found] for name in found[0][-1]}

    def median(weight: float) -> float:
        return sorted(row["FID"] for row in runs[f"w = {weight:g}"])[len(SEEDS) // 2]

    chosen = min(WEIGHTS, key=median)
    tests = [judged(model.sample(labels, chosen, noise), labels, "test") for model, labels, noise, _ in found]
    runs["test, chosen w"] = [rounded(row, 3) for row in tests]
    settings = {"seeds": SEEDS, "updates": UPDATES, "batches": BATCHES, "rate": RATE, "steps": STEPS}
    write_study("diffusion", settings | {"ddim steps": DDIM_STEPS, "chosen w": chosen}, runs)
    print("chosen", chosen, *runs["test, chosen w"], sep="\n  ")


if __name__ == "__main__":
    main()
