"""Scans by VAEs with 8, 16 and 32 latent dimensions, and by a GAN, three seeds: what is left of the lesions.

`python -m helpers.studies.scans`: five minutes on one core.
"""

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from helpers.data import Scans, batches, phantoms
from helpers.gan import ema_copy, lr_factor, relativistic, update_ema
from helpers.gan.penalties import gradient_norm_squared
from helpers.gan.steps import discriminator_step, generator_step
from helpers.lesions import brightest_square, contrast_kept
from helpers.privacy import tpr_at_fpr
from helpers.studies import rounded, write_study
from helpers.training import Budget, for_cpu_seconds, noise_like
from helpers.vae import gaussian_kl
from helpers.vae.records import hidden_layers

SEEDS, LATENTS, SECONDS, GAN_SECONDS = (0, 1, 2), (8, 16, 32), 20, 40
SCANS, UNSEEN, SIDE, HIDDEN = 4_000, 2_000, 32, 256
GAMMA = 1.0  # of R1


def train_scan_vae(
    images: Tensor, latent: int, seed: int, budget: Budget
) -> tuple[nn.Module, nn.Module, float]:
    """Encoder, decoder and the learned σ of a Gaussian likelihood, of scans (N, 1, 32, 32)."""
    torch.manual_seed(seed)
    encoder = nn.Sequential(nn.Flatten(), *hidden_layers(SIDE**2, 2 * latent, HIDDEN, 1, 0.0))
    decoder = nn.Sequential(*hidden_layers(latent, SIDE**2, HIDDEN, 1, 0.0), nn.Unflatten(1, (1, SIDE, SIDE)))
    log_std = nn.Parameter(torch.tensor(-2.0))
    adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters(), log_std], 2e-3, fused=True)
    source = batches(images, 64, torch.Generator().manual_seed(seed))

    def update(done: float) -> None:
        adam.param_groups[0]["lr"] = 2e-3 * lr_factor(done)
        x = next(source)
        mu, log_var = encoder(x).chunk(2, dim=1)
        x_hat = decoder(mu + (log_var / 2).exp() * torch.randn_like(mu))
        log_p = Normal(x_hat, log_std.exp()).log_prob(x).flatten(1).sum(1)
        loss = (gaussian_kl(mu, log_var) - log_p).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()

    budget(update)
    return encoder, decoder, log_std.exp().item()


def train_scan_gan(images: Tensor, seed: int, budget: Budget, latent: int = 32) -> nn.Module:
    """The exponential moving average of a generator of scans, (B, 32) to (B, 1, 32, 32)."""
    torch.manual_seed(seed)
    generator = nn.Sequential(
        nn.Linear(latent, 256),
        nn.LeakyReLU(0.2),
        nn.Linear(256, 24 * 8 * 8),
        nn.LeakyReLU(0.2),
        nn.Unflatten(1, (24, 8, 8)),
        nn.ConvTranspose2d(24, 12, 4, stride=2, padding=1),  # (B, 12, 16, 16)
        nn.LeakyReLU(0.2),
        nn.Conv2d(12, 4, 3, padding=1),
        nn.PixelShuffle(2),  # (B, 1, 32, 32)
        nn.Sigmoid(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(1, 12, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(12, 24, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(24 * 8 * 8, 128),
        nn.LeakyReLU(0.2),
        nn.Linear(128, 1),
        nn.Flatten(0),
    )
    adams = [
        torch.optim.Adam(each.parameters(), 1e-3, betas=(0.0, 0.9), fused=True)
        for each in (generator, discriminator)
    ]
    average, source = ema_copy(generator), batches(images, 48, torch.Generator().manual_seed(seed))

    def update(done: float) -> None:
        for adam in adams:
            adam.param_groups[0]["lr"] = 1e-3 * lr_factor(done)
        real = next(source)
        z = noise_like(real, 2, len(real), latent)
        discriminator_step(
            generator, discriminator, adams[1], real, z[0],
            lambda a, b: relativistic(a, b) + GAMMA / 2 * gradient_norm_squared(discriminator, real),
        )  # fmt: skip
        generator_step(
            generator, discriminator, adams[0], z[1], lambda b: relativistic(b, discriminator(real))
        )
        update_ema(average, generator)

    budget(update)
    return average


@torch.no_grad()
def judged_copies(encoder: nn.Module, decoder: nn.Module, unseen: Scans) -> dict[str, float]:
    """Of reconstructions: pixel error, contrast kept (all, small and large lesions), and the reader's sensitivity."""
    ill = unseen.present
    copies, healthy = (decoder(encoder(x).chunk(2, dim=1)[0]) for x in (unseen.images, unseen.healthy))
    kept = contrast_kept((unseen.images - unseen.healthy)[ill], (copies - healthy)[ill])
    radius = unseen.radius[ill]
    return {
        "pixel error": (copies - unseen.images).square().mean().sqrt().item(),
        "contrast kept": kept.mean().item(),
        "small lesions": kept[radius < 2].mean().item(),
        "large lesions": kept[radius > 2.5].mean().item(),
        "sensitivity": tpr_at_fpr(brightest_square(copies[ill]), brightest_square(healthy[ill]))["tpr"],
    }


def scans_run(
    seed: int, budget: Budget | None = None, gan_budget: Budget | None = None, n: int = SCANS
) -> dict[str, dict]:
    """One seed of every row: name → what was measured, on scans that no model has seen."""
    budget, gan_budget = budget or for_cpu_seconds(SECONDS), gan_budget or for_cpu_seconds(GAN_SECONDS)
    scans = phantoms(n, torch.Generator().manual_seed(100 + seed))
    unseen = phantoms(UNSEEN, torch.Generator().manual_seed(200))
    ill = unseen.present
    found = tpr_at_fpr(brightest_square(unseen.images[ill]), brightest_square(unseen.healthy[ill]))
    rows = {"scans": {"sensitivity": found["tpr"]}}
    for latent in LATENTS:
        encoder, decoder, std = train_scan_vae(scans.images, latent, seed, budget)
        rows[f"VAE, {latent}"] = judged_copies(encoder, decoder, unseen) | {"σ": std}
    gan = train_scan_gan(scans.images, seed, gan_budget)
    with torch.no_grad():
        made = gan(torch.randn(UNSEEN, 32, generator=torch.Generator().manual_seed(seed)))
    # The threshold of the reader where 5 % of the healthy scans are called ill.
    threshold = brightest_square(unseen.healthy).quantile(0.95)
    rows["scans"]["called ill"] = (brightest_square(unseen.images) > threshold).double().mean().item()
    rows["GAN"] = {"called ill": (brightest_square(made) > threshold).double().mean().item()}
    return {name: rounded(row, 4) for name, row in rows.items()}


def main() -> None:
    torch.set_num_threads(1)
    seeds = [scans_run(seed) for seed in SEEDS]
    settings = {"seeds": SEEDS, "latent": LATENTS, "scans": SCANS, "unseen": UNSEEN}
    settings["cpu seconds"] = {"VAE": SECONDS, "GAN": GAN_SECONDS}
    write_study("scans", settings, {name: [rows[name] for rows in seeds] for name in seeds[0]})
    for name in seeds[0]:
        print(name, *(rows[name] for rows in seeds), sep="\n  ")


if __name__ == "__main__":
    main()
