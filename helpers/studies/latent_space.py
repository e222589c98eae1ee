"""A rate–distortion curve, and a collapse with its cures, three seeds each: `python -m helpers.studies.latent_space`.

The second half needs a strong decoder: a small PixelCNN, first trained without z. Then z is added, in five ways that
differ only in how the weight β of the KL comes to 1, or in free bits. Some six minutes on one core.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from helpers.data import batches, binarised, load_digits
from helpers.metrics import score_digits
from helpers.studies import write_study
from helpers.vae import VAE, bernoulli_log_likelihood, gaussian_kl, vae_step
from helpers.vae.collapse import active_units, falling_beta, information_and_gap, kl_per_dimension, kl_warmup
from helpers.vae.pixelcnn import PixelVAE, decoder_step, pixel_step

SEEDS, LATENT = (0, 1, 2), 10
BETAS, CURVE_UPDATES, CURVE_BATCH = (4.0, 2.0, 1.0, 0.5, 0.25, 0.1), 1200, 128
DECODER_UPDATES, UPDATES, BATCH = 600, 300, 32
FREE_BITS = 0.1  # nats a dimension

# name → β at the fraction `done` of the updates, and the floor of the KL of a dimension
WAYS = {
    "β falls from 8 to 1": (falling_beta, 0.0),
    "β falls, early": (partial(falling_beta, until=0.5), 0.0),
    "β = 1": (lambda done: 1.0, 0.0),
    "β rises from 0 to 1": (kl_warmup, 0.0),
    "free bits": (lambda done: 1.0, FREE_BITS),
}


def optimiser_of(model: nn.Module, rate: float, updates: int, decay: float = 0.0):
    """AdamW and a learning rate that falls along a cosine to a fiftieth."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay, fused=True)
    return optimiser, torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, updates, eta_min=rate / 50)


@torch.no_grad()
def judged(decode: Callable, mu: Tensor, log_var: Tensor, x: Tensor) -> dict[str, float]:
    """Rate, distortion (a mean of four draws of z) and their −sum, the ELBO, in nats; active units; KL of each unit."""
    generator = torch.Generator().manual_seed(0)
    draws = [mu + (log_var / 2).exp() * torch.randn(mu.shape, generator=generator) for _ in range(4)]
    distortion = sum(-bernoulli_log_likelihood(x.flatten(1), decode(z)).mean().item() for z in draws) / 4
    rate = gaussian_kl(mu, log_var).mean().item()
    return {
        "rate": round(rate, 3),
        "distortion": round(distortion, 2),
        "elbo": round(-rate - distortion, 2),
        "active": active_units(mu),
        "largest variance": round(mu.var(0).max().item(), 4),
        "kl": [round(each, 4) for each in sorted(kl_per_dimension(mu, log_var).tolist(), reverse=True)],
    }


def dense_vae(beta: Callable[[float], float], seed: int, updates: int = CURVE_UPDATES) -> VAE:
    """The VAE of notebook 12 with ten latent numbers, its KL weighted by β(done), as in WAYS."""
    images, _ = load_digits("train")
    torch.manual_seed(seed)
    vae = VAE(LATENT).start_from(images)
    optimiser, cosine = optimiser_of(vae, 3e-3, updates, decay=0.1)
    source = iter(batches(images, CURVE_BATCH, torch.Generator().manual_seed(seed)))
    for t in range(updates):
        vae_step(vae, optimiser, next(source), beta(t / updates))
        cosine.step()
    return vae


@torch.no_grad()
def judged_dense(vae: VAE) -> dict[str, float]:
    """What `judged` says of a VAE on the validation images."""
    unseen = binarised(load_digits("validation")[0])
    return judged(vae.decode, *vae.encode(unseen), unseen)


def curve_run(beta: float, seed: int, updates: int = CURVE_UPDATES) -> dict[str, float]:
    """One point of the curve, on the validation images; information and gap on the training images; the drawings."""
    vae = dense_vae(lambda done: beta, seed, updates)
    with torch.no_grad():
        mu, log_var = vae.encode(binarised(load_digits("train")[0]))
    eps = torch.randn(mu.shape, generator=torch.Generator().manual_seed(0))
    information, gap = information_and_gap(mu, log_var, eps)
    drawn = vae.sample(2000, torch.Generator().manual_seed(3))
    return judged_dense(vae) | {
        "training rate": round(gaussian_kl(mu, log_var).mean().item(), 3),
        "information": round(information, 3),
        "gap": round(gap, 3),
        "distance": round(score_digits(drawn, "validation").distance, 1),
    }


def strong_decoder(seed: int, updates: int = DECODER_UPDATES) -> PixelVAE:
    """A PixelVAE of which the decoder alone has been trained, without z."""
    images, _ = load_digits("train")
    torch.manual_seed(seed)
    vae = PixelVAE(LATENT).start_from(images)
    optimiser, cosine = optimiser_of(vae, 3e-3, updates)
    source = iter(batches(images, BATCH, torch.Generator().manual_seed(seed)))
    for _ in range(updates):
        decoder_step(vae, optimiser, next(source))
        cosine.step()
    return vae


def add_code(decoder: PixelVAE, way: str, seed: int, updates: int = UPDATES) -> PixelVAE:
    """A copy of `decoder`, trained on with an encoder and z in one of WAYS."""
    beta, floor = WAYS[way]
    torch.manual_seed(100 + seed)
    vae = decoder.with_new_encoder()
    optimiser, cosine = optimiser_of(vae, 1e-3, updates)
    source = iter(batches(load_digits("train")[0], BATCH, torch.Generator().manual_seed(100 + seed)))
    for t in range(updates):
        pixel_step(vae, optimiser, next(source), beta(t / updates), floor)
        cosine.step()
    return vae


@torch.no_grad()
def alone(vae: PixelVAE) -> float:
    """log p(x | z = 0) of the validation images, in nats: where the five ways start."""
    unseen = binarised(load_digits("validation")[0])
    logits = vae.decode(torch.zeros(len(unseen), vae.latent), unseen)
    return round(bernoulli_log_likelihood(unseen.flatten(1), logits).mean().item(), 2)


@torch.no_grad()
def judged_pixels(vae: PixelVAE) -> dict[str, float]:
    """What `judged` says of a PixelVAE on the validation images."""
    unseen = binarised(load_digits("validation")[0])
    return judged(lambda z: vae.decode(z, unseen), *vae.encode(unseen), unseen)


def main() -> None:
    torch.set_num_threads(1)
    runs = {}
    for beta in BETAS:
        runs[f"curve, β = {beta:g}"] = [curve_run(beta, seed) for seed in SEEDS]
        print(
            f"β = {beta:4}",
            *(f"{r['rate']:6.2f} {r['distortion']:6.1f}" for r in runs[f"curve, β = {beta:g}"]),
        )
    decoders = [strong_decoder(seed) for seed in SEEDS]
    runs["decoder alone"] = [{"elbo": alone(decoder)} for decoder in decoders]
    for way in WAYS:
        runs[way] = [
            judged_pixels(add_code(decoder, way, seed)) for decoder, seed in zip(decoders, SEEDS, strict=True)
        ]
        print(
            f"{way:22}",
            *(f"{r['elbo']:7.2f} {r['rate']:5.2f} {r['active']:2d}" for r in runs[way]),
            flush=True,
        )
    runs["dense decoder, β falls"] = [judged_dense(dense_vae(falling_beta, seed)) for seed in SEEDS]
    settings = {"seeds": SEEDS, "latent": LATENT, "curve": {"updates": CURVE_UPDATES, "batch": CURVE_BATCH}}
    settings["collapse"] = {
        "decoder updates": DECODER_UPDATES,
        "updates": UPDATES,
        "batch": BATCH,
        "free bits": FREE_BITS,
    }
    write_study("latent_space", settings, runs)


if __name__ == "__main__":
    main()
