"""Drums by a VAE of spectrograms, three ways to sample its codes, a waveform GAN, and rhythms.

`python -m helpers.studies.audio`: three seeds, at most a minute of CPU time a model, a quarter of an hour on one core.
Settings were chosen by validation sounds; what is written is measured on 2,000 test sounds, and on 2,000 samples of
each model.
"""

import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn

from helpers.audio import heard, line_level, log_spectrogram, resynthesise
from helpers.data import DRUMS, batches, drum_sounds, rhythm_entropy, rhythm_log_prob, rhythms
from helpers.gan import ema_copy, lr_factor, update_ema
from helpers.gan.latent import LatentDiscriminator, LatentGenerator
from helpers.gan.records import record_gan_step
from helpers.gan.waveform import WaveformDiscriminator, WaveformGenerator
from helpers.metrics import HELD_OUT_DRUMS, drum_classifier, score_drums
from helpers.studies import rounded, write_study
from helpers.theory import log_mean_exp
from helpers.training import Budget, for_cpu_seconds, noise_like
from helpers.vae import gaussian_kl
from helpers.vae.dense import DenseVAE
from helpers.vae.iwae import log_weights
from helpers.vae.records import record_vae_step

SEEDS, SOUNDS, SAMPLES = (0, 1, 2), 4000, 2000
SECONDS = {"VAE": 60, "latent GAN": 20, "waveform GAN": 40, "rhythm VAE": 15}
VAE = {"latent": 8, "hidden": (384, 192), "learning_rate": 1e-3, "batch": 50}
LATENT_GAN = {"learning_rate": 4e-3, "batch": 128, "gamma": 5.0}
WAVEFORM_GAN = {"learning_rate": 1e-3, "batch": 32, "gamma": 1.0}
RHYTHM_VAE = {"latent": 2, "hidden": (128,), "learning_rate": 3e-3, "batch": 100}
COMPONENTS = 12  # of the mixture of sounds
RHYTHM_COMPONENTS = 8
BARS = 20_000
LINE = 2000.0  # Hz, a quarter of the sample rate


# Training


def train_vae(
    data: Tensor,
    seed: int,
    budget: Budget,
    latent: int,
    hidden: tuple[int, ...],
    learning_rate: float,
    batch: int,
    binary: bool = False,
) -> DenseVAE:
    """A DenseVAE of `data` (n, *shape), in evaluation mode."""
    torch.manual_seed(seed)
    vae = DenseVAE(tuple(data.shape[1:]), latent, hidden, binary)
    optimiser = torch.optim.Adam(vae.parameters(), learning_rate, fused=True)
    source = batches(data, batch, torch.Generator().manual_seed(seed))

    def update(done: float) -> None:
        optimiser.param_groups[0]["lr"] = learning_rate * lr_factor(done)
        record_vae_step(vae, optimiser, next(source))

    budget(update)
    return vae.eval()


def train_gan(
    players: tuple[nn.Module, nn.Module],
    data: Tensor,
    seed: int,
    budget: Budget,
    learning_rate: float,
    batch: int,
    gamma: float,
) -> nn.Module:
    """The exponential moving average of the generator of `players`, trained on `data` (n, d) by the loss of R3GAN."""
    generator, discriminator = players
    average = ema_copy(generator)
    optimisers = [
        torch.optim.Adam(player.parameters(), learning_rate, betas=(0.0, 0.9), fused=True)
        for player in players
    ]
    source = batches(data, batch, torch.Generator().manual_seed(seed))

    def update(done: float) -> None:
        for optimiser in optimisers:
            optimiser.param_groups[0]["lr"] = learning_rate * lr_factor(done)
        record_gan_step(generator, discriminator, *optimisers, next(source), gamma)
        update_ema(average, generator)

    budget(update)
    return average


@torch.no_grad()
def codes_of(vae: DenseVAE, data: Tensor) -> Tensor:
    """The means of q(z|x) of `data` (n, *shape), (n, latent)."""
    return torch.cat([vae.encode(part)[0] for part in data.split(500)])


@torch.no_grad()
def sampled(generator: nn.Module, n: int, seed: int = 1) -> Tensor:
    """`n` samples of a trained generator."""
    return generator(
        noise_like(generator, n, generator.latent, generator=torch.Generator().manual_seed(seed))
    )


def mixture_codes(
    codes: Tensor, n: int, components: int = COMPONENTS, seed: int = 0, starts: int = 2, floor: float = 1e-6
) -> Tensor:
    """`n` samples (n, d) of a Gaussian mixture with full covariances, fitted to the codes (N, d).

    EM begins from so many `starts`; `floor` is added to the variances.
    """
    mixture = GaussianMixture(components, reg_covar=floor, random_state=seed, n_init=starts)
    drawn, _ = mixture.fit(codes.double().numpy()).sample(n)
    return torch.from_numpy(drawn).float()[torch.randperm(n, generator=torch.Generator().manual_seed(seed))]


# Judging


@torch.no_grad()
def judged_reconstructions(vae: DenseVAE, split: str) -> dict:
    """What the VAE's reconstructions of held-out sounds keep: class, decibels, pitch and decay, by drum; nats."""
    sounds, labels, parameters = drum_sounds(SAMPLES, HELD_OUT_DRUMS[split])
    x = log_spectrogram(sounds)
    mu, log_var = vae.encode(x)
    kept = vae.decode(mu).mean
    found = heard(resynthesise(kept), labels)
    row = {
        "recognised": (drum_classifier()(kept).argmax(1) == labels).double().mean().item(),
        "kl": gaussian_kl(mu, log_var).mean().item(),
        "std": vae.log_std.exp().item(),
        **score_drums(kept, split),
    }
    for name in ("pitch", "decay"):
        error = (found[name] / parameters[name] - 1).abs()
        row[name] = {drum: error[labels == k].median().item() for k, drum in enumerate(DRUMS)}
    return row


@torch.no_grad()
def judged_codes(vae: DenseVAE, codes: Tensor, split: str) -> dict:
    """FAD and class shares of the spectrograms of codes (n, latent), and of their sounds, analysed anew."""
    spectrograms = vae.decode(codes).mean
    sounds = resynthesise(spectrograms[: SAMPLES // 2])
    heard_again = score_drums(log_spectrogram(sounds), split)
    return score_drums(spectrograms, split) | {"FAD, heard": heard_again["FAD"]}


def judged_waveforms(sounds: Tensor, split: str) -> dict:
    """FAD and class shares of sounds (n, 2048), and how far the line at a quarter of the sample rate stands out."""
    row = {"line": line_level(sounds, LINE), "largest": sounds.abs().amax(1).median().item()}
    return score_drums(log_spectrogram(sounds), split) | row


@torch.no_grad()
def judged_rhythms(vae: DenseVAE, bars: Tensor, training: Tensor) -> dict[str, float]:
    """−ELBO, −IWAE (256 samples) and exact −log p of held-out bars, KL; and the exact −log p of bars that are sampled.

    Those come from the prior, and from a mixture fitted to one sample of q(z|x) for each of `training` bars.
    """
    mu, log_var = vae.encode(bars)
    generator = torch.Generator().manual_seed(0)
    log_w = torch.cat([
        log_weights(vae, x, m, lv, noise_like(m, 256, *m.shape, generator=generator))
        for x, m, lv in zip(bars.split(200), mu.split(200), log_var.split(200), strict=True)
    ], dim=1)  # fmt: skip
    means, log_vars = vae.encode(training)
    codes = means + (log_vars / 2).exp() * noise_like(means, *means.shape, generator=generator)
    sources = {
        "prior, exact": noise_like(mu, SAMPLES, vae.latent, generator=generator),
        "mixture, exact": mixture_codes(codes, SAMPLES, RHYTHM_COMPONENTS),
    }
    sampled_bars = {
        name: torch.bernoulli(vae.decode(z).mean, generator=generator) for name, z in sources.items()
    }
    return {
        "−ELBO": -log_w.mean().item(),
        "−IWAE": -log_mean_exp(log_w).mean().item(),
        "exact": -rhythm_log_prob(bars).mean().item(),
        "kl": gaussian_kl(mu, log_var).mean().item(),
    } | {name: -rhythm_log_prob(each).mean().item() for name, each in sampled_bars.items()}


# The study


def audio_run(seed: int, budget=for_cpu_seconds, seconds=SECONDS, split: str = "test") -> dict[str, dict]:
    """One seed of every row: name → what was measured."""
    sounds = drum_sounds(SOUNDS).sounds
    spectrograms = log_spectrogram(sounds)
    rows = {"real": score_drums(spectrograms[:SAMPLES], split) | {"line": line_level(sounds, LINE)}}
    again = log_spectrogram(resynthesise(spectrograms[: SAMPLES // 2]))
    rows["real"]["FAD, heard"] = score_drums(again, split)["FAD"]

    vae = train_vae(spectrograms, seed, budget(seconds["VAE"]), **VAE)
    rows["VAE, reconstructions"] = judged_reconstructions(vae, split)
    codes = codes_of(vae, spectrograms)
    noise = torch.Generator().manual_seed(seed)
    rows["VAE, N(0, I)"] = judged_codes(vae, noise_like(codes, SAMPLES, vae.latent, generator=noise), split)
    rows["VAE, mixture"] = judged_codes(vae, mixture_codes(codes, SAMPLES, seed=seed), split)
    torch.manual_seed(seed)
    players = LatentGenerator(vae.latent), LatentDiscriminator(vae.latent)
    generator = train_gan(players, codes, seed, budget(seconds["latent GAN"]), **LATENT_GAN)
    rows["VAE, latent GAN"] = judged_codes(vae, sampled(generator, SAMPLES), split)

    for name, nearest in {"transposed": False, "nearest": True}.items():
        torch.manual_seed(seed)
        players = WaveformGenerator(nearest=nearest), WaveformDiscriminator()
        rows[f"waveform GAN, {name}, untrained"] = judged_waveforms(sampled(players[0], SAMPLES), split)
        generator = train_gan(players, sounds, seed, budget(seconds["waveform GAN"]), **WAVEFORM_GAN)
        rows[f"waveform GAN, {name}"] = judged_waveforms(sampled(generator, SAMPLES), split)

    bars = rhythms(BARS)
    rhythm_vae = train_vae(bars, seed, budget(seconds["rhythm VAE"]), binary=True, **RHYTHM_VAE)
    held_out = rhythms(SAMPLES, HELD_OUT_DRUMS[split])
    rows["rhythm VAE"] = judged_rhythms(rhythm_vae, held_out, bars[:4000])
    return rows


def main() -> None:
    torch.set_num_threads(1)
    seeds = [audio_run(seed) for seed in SEEDS]
    runs = {name: [rounded(rows[name], 4) for rows in seeds] for name in seeds[0]}
    settings = {
        "seeds": SEEDS,
        "cpu seconds": SECONDS,
        "sounds": {"training": SOUNDS, "test": SAMPLES, "samples": SAMPLES},
        "VAE": VAE,
        "latent GAN": LATENT_GAN,
        "waveform GAN": WAVEFORM_GAN,
        "rhythm VAE": RHYTHM_VAE,
        "components": {"sounds": COMPONENTS, "rhythms": RHYTHM_COMPONENTS},
        "rhythm entropy": round(rhythm_entropy(), 4),
    }
    write_study("audio", settings, runs)
    for name, rows in runs.items():
        print(name, *rows, sep="\n  ")


if __name__ == "__main__":
    main()
