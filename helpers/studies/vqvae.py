"""VAE and VQ-VAE with a prior after equal CPU time, and what keeps a codebook alive: `python -m helpers.studies.vqvae`.

Five minutes on one core: 30 CPU-seconds a run for two models, 250 updates a run for four codebooks, three seeds each.
With `picture` behind the name of the module: only vqvae.png, sixteen samples of the first VAE, in half a minute.
"""

import math
import sys
from collections.abc import Callable

import torch
from matplotlib.image import imread, imsave
from torch import Tensor

from helpers.data import batches, binarised, load_digits
from helpers.metrics import DigitScore, score_digits
from helpers.studies import RESULTS, study, write_study
from helpers.training import Budget, for_cpu_seconds, for_updates
from helpers.vae import (
    VAE,
    VQVAE,
    CodePrior,
    bernoulli_log_likelihood,
    code_shares,
    dead_codes,
    elbo,
    means_of,
    nearest_code,
    perplexity,
    prior_nll,
    prior_step,
    sample_tokens,
    tokens_of,
    vae_step,
    vqvae_step,
)

SEEDS, SECONDS, SIZE = (0, 1, 2), 30.0, 64
VAE_BATCH, VAE_RATE, VAE_DECAY = 128, 3e-3, 0.1  # as in notebook 12
VQ_BATCH, VQ_RATE, VQ_SHARE = 64, 2e-3, 0.23  # the prior, which is harder to learn, gets the rest of the time
VQ_BUDGET, PRIOR_BUDGET = for_cpu_seconds(SECONDS * VQ_SHARE), for_cpu_seconds(SECONDS * (1 - VQ_SHARE))
PRIOR_BATCH, PRIOR_RATE = 32, 5e-3
CODEBOOK_STEPS = 250
CODEBOOKS = {
    "gradient": {"ema": False},
    "gradient, codes from data": {"ema": False, "from_data": True},
    "averages": {"restart": False},
    "averages, restarts": {},
}


def cosine(done: float) -> float:
    """The factor on the rate when the fraction `done` of the training is over: from 1 to a fiftieth."""
    return 0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2


def take(budget: Budget, optimiser: torch.optim.Optimizer, rate: float, step: Callable[[], object]) -> int:
    """Call `step` as often as the budget allows, with the rate falling along a cosine; returns how often."""

    def update(done: float) -> None:
        optimiser.param_groups[0]["lr"] = rate * cosine(done)
        step()

    return budget(update)


def judged(score: DigitScore, **more: float) -> dict[str, float]:
    figures = {"distance": score.distance, "classes": score.classes, "nearest": score.nearest} | more
    return {name: round(value, 3) for name, value in figures.items()}


def trained_vae(seed: int, budget: Budget) -> tuple[VAE, int]:
    """The VAE of notebook 12 when `budget` is spent, and its number of updates."""
    torch.manual_seed(seed)
    images = load_digits("train")[0]
    source = batches(images, VAE_BATCH, torch.Generator().manual_seed(seed))
    vae = VAE().start_from(images)
    optimiser = torch.optim.AdamW(vae.parameters(), VAE_RATE, weight_decay=VAE_DECAY, fused=True)
    return vae, take(budget, optimiser, VAE_RATE, lambda: vae_step(vae, optimiser, next(source)))


def draw_picture() -> None:
    """vqvae.png, which section 6 of the notebook shows: two rows of eight samples of the first seed's VAE."""
    vae, _ = trained_vae(SEEDS[0], for_updates(study("vqvae")["runs"]["VAE"][0]["steps"]))
    rows = (
        vae.sample(16, torch.Generator().manual_seed(3)).view(2, 8, 28, 28).transpose(1, 2).reshape(56, 224)
    )
    imsave(RESULTS / "vqvae.png", rows.numpy(), cmap="gray", vmin=0, vmax=1)


def vae_samples() -> Tensor:
    """The sixteen samples of vqvae.png, (16, 1, 28, 28) with values in [0, 1]."""
    rows = torch.from_numpy(imread(RESULTS / "vqvae.png")[..., 0].copy())
    return rows.view(2, 28, 8, 28).transpose(1, 2).reshape(16, 1, 28, 28)


def vae_run(seed: int) -> dict[str, float]:
    """The VAE of notebook 12 after `SECONDS` of CPU time: its decoder's means, judged on validation, and its ELBO."""
    vae, steps = trained_vae(seed, for_cpu_seconds(SECONDS))
    with torch.no_grad():
        bound = elbo(vae, binarised(load_digits("validation")[0])).mean().item()
    score = score_digits(vae.sample(2000, torch.Generator().manual_seed(3)), "validation")
    return judged(score, steps=steps, bound=bound)


def trained_vqvae(seed: int, budget: Budget, prior_budget: Budget) -> tuple[VQVAE, CodePrior, int, int]:
    """A VQ-VAE, then its prior, when their budgets are spent, and the number of updates of each."""
    torch.manual_seed(seed)
    images, order = load_digits("train")[0], torch.Generator().manual_seed(seed)
    source = batches(images, VQ_BATCH, order)
    vqvae = VQVAE(SIZE)
    optimiser = torch.optim.AdamW(vqvae.parameters(), VQ_RATE, weight_decay=0.01, fused=True)
    steps = take(budget, optimiser, VQ_RATE, lambda: vqvae_step(vqvae, optimiser, next(source)))
    prior, source = CodePrior(SIZE), batches(images, PRIOR_BATCH, order)
    optimiser = torch.optim.AdamW(prior.parameters(), PRIOR_RATE, weight_decay=0.01, fused=True)

    def step():
        prior_step(prior, optimiser, tokens_of(vqvae, torch.bernoulli(next(source))))

    return vqvae, prior, steps, take(prior_budget, optimiser, PRIOR_RATE, step)


def vqvae_run(seed: int, budget: Budget = VQ_BUDGET, prior_budget: Budget = PRIOR_BUDGET) -> dict[str, float]:
    """A VQ-VAE, then its prior, `SECONDS` of CPU time together: samples judged on validation, and the bound.

    Returns also the rate −log p(k) in nats on validation, the dead codes and the perplexity on the training images.
    """
    vqvae, prior, steps, prior_steps = trained_vqvae(seed, budget, prior_budget)
    images = load_digits("train")[0]
    used = tokens_of(vqvae, torch.bernoulli(images))
    x = binarised(load_digits("validation")[0])
    with torch.no_grad():
        k = tokens_of(vqvae, x)
        nats = prior_nll(prior, k).mean().item()
        likelihood = bernoulli_log_likelihood(x.flatten(1), vqvae.decode(vqvae.quantiser.codes[k.flatten()]))
    drawn = means_of(vqvae, sample_tokens(prior, 2000, torch.Generator().manual_seed(3)))
    return judged(
        score_digits(drawn, "validation"),
        steps=steps,
        prior_steps=prior_steps,
        bound=likelihood.mean().item() - nats,
        nats=nats,
        dead=int(dead_codes(used, SIZE).sum()),
        perplexity=perplexity(code_shares(used, SIZE)).item(),
    )


def codebook_run(setting: str, seed: int, steps: int = CODEBOOK_STEPS) -> dict[str, float]:
    """One of `CODEBOOKS`: dead codes and perplexity on the training images, and −log p(x|z) on validation, in nats."""
    ways = dict(CODEBOOKS[setting])
    torch.manual_seed(seed)
    images = load_digits("train")[0]
    source = batches(images, VQ_BATCH, torch.Generator().manual_seed(seed))
    vqvae = VQVAE(SIZE)
    if ways.pop("from_data", False):
        with torch.no_grad():
            h = vqvae.encode(torch.bernoulli(next(source)))
            vqvae.quantiser.codes.copy_(h[torch.randperm(len(h))[:SIZE]])
    optimiser = torch.optim.AdamW(vqvae.parameters(), VQ_RATE, weight_decay=0.01, fused=True)
    for _ in range(steps):
        vqvae_step(vqvae, optimiser, next(source), **ways)
    used = tokens_of(vqvae, torch.bernoulli(images))
    x = binarised(load_digits("validation")[0])
    with torch.no_grad():
        z = vqvae.quantiser.codes[nearest_code(vqvae.encode(x), vqvae.quantiser.codes)]
        error = -bernoulli_log_likelihood(x.flatten(1), vqvae.decode(z)).mean().item()
    figures = {"dead": int(dead_codes(used, SIZE).sum()), "reconstruction": error}
    figures["perplexity"] = perplexity(code_shares(used, SIZE)).item()
    return {name: round(value, 3) for name, value in figures.items()}


def main() -> None:
    torch.set_num_threads(1)
    if sys.argv[1:] == ["picture"]:
        return draw_picture()
    runs = {"VAE": [vae_run(seed) for seed in SEEDS], "VQ-VAE": [vqvae_run(seed) for seed in SEEDS]}
    runs |= {setting: [codebook_run(setting, seed) for seed in SEEDS] for setting in CODEBOOKS}
    settings = {
        "seeds": SEEDS,
        "cpu_seconds": SECONDS,
        "share_of_the_vq_vae": VQ_SHARE,
        "codes": SIZE,
    }
    settings |= {"batches": {"VAE": VAE_BATCH, "VQ-VAE": VQ_BATCH, "prior": PRIOR_BATCH}}
    settings |= {"rates": {"VAE": VAE_RATE, "VQ-VAE": VQ_RATE, "prior": PRIOR_RATE}}
    settings |= {"updates_of_the_codebooks": CODEBOOK_STEPS}
    write_study("vqvae", settings, runs)
    draw_picture()
    for name, rows in runs.items():
        print(name, *rows, sep="\n  ")


if __name__ == "__main__":
    main()
