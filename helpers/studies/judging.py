"""Five generators and three cheats by every metric of notebook 20: `python -m helpers.studies.judging`.

A quarter of an hour on one core: each model is trained with three seeds as in the studies `vae_gan` and `vqvae`, for
half a minute, and latent diffusion as in `diffusion`, for a minute or two. 500 samples are judged against 500 real
images that no model has seen, with levels from 200 random halves of the 1,000 of these.
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from helpers.data import load_digits
from helpers.judging import alarms, judge_digits, levels, real_against_real, unseen_digits
from helpers.judging.cheats import copies, one_class, tuned_noise
from helpers.studies import rounded, study, write_study
from helpers.studies.diffusion import UPDATES, LatentDiffusion
from helpers.studies.vae_gan import STEPS, sampled, trained
from helpers.studies.vqvae import trained_vqvae
from helpers.training import for_updates
from helpers.vae import means_of, sample_tokens

SEEDS, SAMPLES, SPLITS, FALSE_ALARMS = (0, 1, 2), 500, 200, 0.05
DIGIT = 3


def copied(seed: int) -> Tensor:
    return copies(load_digits("train")[0], SAMPLES, torch.Generator().manual_seed(seed))


def of_one_class(seed: int) -> Tensor:
    torch.manual_seed(seed)  # for the turns and moves
    return one_class(*load_digits("train"), DIGIT, SAMPLES, torch.Generator().manual_seed(seed))


def noise(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return tuned_noise(copies(load_digits("train")[0], SAMPLES, generator), generator)


def of_model(name: str, seed: int, steps: int | None = None) -> Tensor:
    """Samples of "VAE", "GAN" or "VAE-GAN", trained as in the study `vae_gan`."""
    deviation = study("vae_gan")["settings"]["pixel_deviation"]
    return sampled(trained(name, seed, deviation, steps or STEPS[name]), SAMPLES)


def of_vqvae(seed: int) -> Tensor:
    """Samples of a VQ-VAE and its prior, trained for as many updates as in the study `vqvae`."""
    run = study("vqvae")["runs"]["VQ-VAE"][SEEDS.index(seed)]
    budgets = for_updates(run["steps"]), for_updates(run["prior_steps"])
    vqvae, prior, *_ = trained_vqvae(seed, *budgets)
    return means_of(vqvae, sample_tokens(prior, SAMPLES, torch.Generator().manual_seed(3)))


@cache
def _diffusion(seed: int) -> LatentDiffusion:
    return LatentDiffusion(seed, *(for_updates(UPDATES[part]) for part in ("VAE", "diffusion")))


def of_diffusion(seed: int, weight: float | None = None) -> Tensor:
    """Samples of the latent diffusion of the study `diffusion`, fifty of each digit, guided as was best there."""
    if weight is None:
        weight = study("diffusion")["settings"]["chosen w"]
    noise = torch.randn(SAMPLES, 20, generator=torch.Generator().manual_seed(3))
    return _diffusion(seed).sample(torch.arange(SAMPLES) % 10, weight, noise)


MAKERS: dict[str, Callable[[int], Tensor]] = {
    "copies": copied,
    "one class": of_one_class,
    "tuned noise": noise,
    "VAE": lambda seed: of_model("VAE", seed),
    "GAN": lambda seed: of_model("GAN", seed),
    "VAE-GAN": lambda seed: of_model("VAE-GAN", seed),
    "VQ-VAE": of_vqvae,
    "latent diffusion": of_diffusion,
    "latent diffusion, w = 0": lambda seed: of_diffusion(seed, 0.0),
}


def judging_run(name: str, seed: int, level: dict[str, float]) -> dict[str, float]:
    """One row: every metric of one generator, and the number of its alarms."""
    return judged(MAKERS[name](seed), seed, level)


def judged(images: Tensor, seed: int, level: dict[str, float]) -> dict[str, float]:
    """The metrics of 500 images and the number of alarms: what another study adds its row by."""
    found = judge_digits(images, seed)
    return rounded(found | {"alarms": len(alarms(found, level))}, 4)


def runs_of(name: str, setting: str, measure: str) -> list:
    """The sorted values of a measure in the runs of a setting of a study; of texts, those at temperature 1."""
    rows = study(name)["runs"][setting]
    return sorted((row if measure in row else row["samples"]["1"])[measure] for row in rows)


def spread(values: list[float], digits: int = 2) -> str:
    """The median of several runs and, in brackets, their smallest and largest value: `0.46 (0.45–0.47)`."""
    low, middle, high = (
        f"{v:.{digits}f}" for v in (min(values), sorted(values)[len(values) // 2], max(values))
    )
    return f"{middle} ({low}–{high})" if low != high else middle


def _middle(name: str, setting: str, measure: str) -> float:
    values = runs_of(name, setting, measure)
    return values[len(values) // 2]


def other_data() -> dict[str, tuple[str, str, str, str]]:
    """What notebooks 15 to 19 measured of VAE and GAN → which values are good, and those of real, VAE and GAN."""
    sharp = (spread(runs_of("vae_gan", model, "sharpness")) for model in ("VAE", "GAN"))
    found = {"sharpness of digits, over that of real ones (15)": ("near 1", "1.00", *sharp)}
    for what, good, digits, name, measure, settings in (
        (
            "share of match reports without a mistake (16; the GAN's are shorter)",
            *("large", 2, "text", "in agreement", ("true grammar", "VAE", "short: GAN")),
        ),
        (
            "FAD of drum sounds, the FID of notebook 17",
            *("small", 1, "audio", "FAD", ("real", "VAE, mixture", "waveform GAN, transposed")),
        ),
        (
            "share of video clips whose digit a classifier can read (18)",
            *("large", 2, "video", "readable", ("real", "VAE", "GAN")),
        ),
        (
            "AUC of a classifier trained on generated patients (19)",
            *("large", 3, "patients", "auc", ("real", "VAE", "GAN")),
        ),
    ):
        found[what] = (good, *(spread(runs_of(name, each, measure), digits) for each in settings))
    return found


def article_claims() -> dict[str, tuple[str, str]]:
    """Claims of the survey article (its section 3.3) on GAN and VAE → what our studies measured, and if it holds.

    The first five are shown in the core of notebook 20.
    """

    def of_both(study_name: str, measure: str, digits: int) -> str:
        values = {name: _middle(study_name, name, measure) for name in ("GAN", "VAE")}
        return ", ".join(f"{name} {value:.{digits}f}" for name, value in values.items())

    def ends(name: str) -> str:
        values = runs_of("judging", name, "FID")
        return f"{name} {values[0]:.0f} to {values[-1]:.0f}"

    fid = of_both("judging", "FID", 0)
    agree = [_middle("text", name, "in agreement") for name in ("short: GAN", "VAE")]
    fad = [_middle("audio", name, "FAD") for name in ("waveform GAN, transposed", "VAE, mixture", "real")]
    balanced, strong = (
        ", ".join(map(str, runs_of("collapse", f"ring, {name}, non-saturating", "modes")))
        for name in ("balanced", "strong D")
    )
    d_fake = _middle("article_gan", "+ freeze D", "d_fake")
    reports = f"Match reports without a mistake: GAN {agree[0]:.2f}, VAE {agree[1]:.2f}."
    looks = f"Sharpness of digits: {of_both('vae_gan', 'sharpness', 2)}, real 1. FID: {fid}."
    return {
        "GANs give samples of high quality.": (
            f"{looks} Precision: {of_both('judging', 'precision', 2)}.",
            "Yes by sharpness and FID, no by precision.",
        ),
        "GANs suit all kinds of data.": (
            f"{reports} FAD of drums: waveform GAN {fad[0]:.0f}, VAE {fad[1]:.1f}, real {fad[2]:.1f}.",
            "Not these GANs.",
        ),
        "GANs suffer from mode collapse.": (
            f"Of 8 modes, five seeds found {balanced} with a balanced D, and {strong} with a strong D.",
            "It depends on the settings.",
        ),
        "VAEs train stably.": (
            f"FID of three seeds: {ends('VAE')}, {ends('GAN')}.",
            "Yes, and with these settings so does the GAN.",
        ),
        "VAEs are poor for discrete data.": (reports, "No, the VAE did better."),
        "GANs suffer from vanishing gradients.": (
            f"Where D(fake) = {d_fake}, the gradient is multiplied by {d_fake} with the minimax loss, and by "
            f"{1 - d_fake} with the non-saturating one.",
            "With the minimax loss.",
        ),
        "GANs need much compute.": (f"FID after half a minute of training each: {fid}.", "Not at this size."),
        "VAEs have an interpretable latent space.": (
            "Notebook 13: of ten dimensions, one comes close to one meaning.",
            "In part.",
        ),
        "VAEs are efficient.": (
            f"FID after as long a training: {fid}. But the VAE also has a bound on log p(x).",
            "In part.",
        ),
        "VAE samples are less realistic.": (
            f"{looks} AUC of patient records: {of_both('patients', 'auc', 3)}, "
            f"real {_middle('patients', 'real', 'auc'):.3f}.",
            "On digits by these two; with records the two are nearly equal.",
        ),
    }


def main() -> None:
    torch.set_num_threads(1)
    null = real_against_real(SPLITS, torch.Generator().manual_seed(0))
    level = levels(null, FALSE_ALARMS)
    runs = {"real": [judged(unseen_digits()[1], seed, level) for seed in SEEDS]}
    for name in MAKERS:
        runs[name] = [judging_run(name, seed, level) for seed in SEEDS]
        print(name, *runs[name], sep="\n  ", flush=True)
    settings = {"seeds": SEEDS, "samples": SAMPLES, "splits": SPLITS, "false alarms": FALSE_ALARMS}
    settings |= {"steps": {name: STEPS[name] for name in ("VAE", "GAN", "VAE-GAN")}, "class": DIGIT}
    middle = {name: sorted(row[name] for row in null)[SPLITS // 2] for name in null[0]}
    write_study("judging", settings, runs, levels=rounded(level, 4), medians=rounded(middle, 4))


if __name__ == "__main__":
    main()
