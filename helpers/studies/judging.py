"""Four generators and three cheats by every metric of notebook 20: `python -m helpers.studies.judging`.

Ten minutes on one core: each model is trained for half a minute, with three seeds, as in the studies `vae_gan` and
`vqvae`. 500 samples are judged against 500 real images that no model has seen, with levels from 200 random
halves of the 1,000 of these.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.data import load_digits
from helpers.judging import alarms, judge_digits, levels, real_against_real, unseen_digits
from helpers.judging.cheats import copies, one_class, tuned_noise
from helpers.studies import rounded, study, write_study
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


MAKERS: dict[str, Callable[[int], Tensor]] = {
    "copies": copied,
    "one class": of_one_class,
    "tuned noise": noise,
    "VAE": lambda seed: of_model("VAE", seed),
    "GAN": lambda seed: of_model("GAN", seed),
    "VAE-GAN": lambda seed: of_model("VAE-GAN", seed),
    "VQ-VAE": of_vqvae,
}


def judging_run(name: str, seed: int, level: dict[str, float]) -> dict[str, float]:
    """One row: every metric of one generator, and the number of its alarms."""
    return judged(MAKERS[name](seed), seed, level)


def judged(images: Tensor, seed: int, level: dict[str, float]) -> dict[str, float]:
    """The metrics of 500 images and the number of alarms: what another study adds its row by."""
    found = judge_digits(images, seed)
    return rounded(found | {"alarms": len(alarms(found, level))}, 4)


def article_claims() -> dict[str, tuple[str, str]]:
    """The survey article's claims about GAN and VAE (its section 3.3) → what our studies measured, and if it holds."""

    def runs(name: str, setting: str, *path: str) -> list:
        values = []
        for run in study(name)["runs"][setting]:
            for key in path:
                run = run[key]
            values.append(run)
        return sorted(values)

    def middle(*where: str) -> float:
        values = runs(*where)
        return values[len(values) // 2]

    sharp = {name: f"{name} {middle('vae_gan', name, 'sharpness'):.2f}" for name in ("GAN", "VAE")}
    fids = {name: [round(fid) for fid in runs("judging", name, "FID")] for name in ("GAN", "VAE")}
    fid = ", ".join(f"{name} {values[len(values) // 2]}" for name, values in fids.items())
    agree = [middle("text", name, "samples", "1", "in agreement") for name in ("short: GAN", "VAE")]
    text = f"text without mistakes: GAN {agree[0]:.2f}, VAE {agree[1]:.2f}"
    fad = [middle("audio", name, "FAD") for name in ("waveform GAN, transposed", "VAE, mixture")]
    auc = ", ".join(f"{name} {middle('patients', name, 'auc'):.3f}" for name in ("GAN", "VAE", "real"))
    balanced, strong = (
        runs("collapse", f"ring, {name}, non-saturating", "modes") for name in ("balanced", "strong D")
    )
    d_fake = middle("article_gan", "+ freeze D", "d_fake")
    return {
        "GAN: high quality": (f"sharpness {', '.join(sharp.values())}, real 1; FID {fid}", "on digits"),
        "GAN: for all kinds of data": (f"{text}; FAD of sounds: GAN {fad[0]:.0f}, VAE {fad[1]:.1f}", "no"),
        "GAN: mode collapse": (
            f"modes found of 8, five seeds: {balanced} in balance, {strong} with a strong D",
            "depends on settings",
        ),
        "GAN: vanishing gradients": (
            f"where D(fake) = {d_fake}: gradient × {d_fake} (minimax), × {1 - d_fake} (non-saturating)",
            "with the minimax loss",
        ),
        "GAN: needs much compute": (f"after half a minute each: FID {fid}", "not at this size"),
        "VAE: stable training": (
            f"FID of three seeds: VAE {fids['VAE']}, GAN {fids['GAN']}; but see mode collapse",
            "with good settings both",
        ),
        "VAE: interpretable": ("notebook 13: of ten dimensions, one comes close to one meaning", "in part"),
        "VAE: efficient": ("as long for a larger FID; but gives a bound on log p(x)", "in part"),
        "VAE: less realistic": (f"images: row 1; records: AUC {auc}", "on images"),
        "VAE: poor for discrete data": (text, "no, reversed"),
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
