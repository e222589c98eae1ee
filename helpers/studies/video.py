"""Flying digits by VAE and GAN, against forecasts without learning, three seeds: notebook 18's tables.

`python -m helpers.studies.video`: a quarter of an hour on one core. A minute of CPU time a model on one thread. The
settings were chosen with seed 0 by validation clips; what is written here is measured on test clips and on samples.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from helpers.data import batches, clips
from helpers.data.clips import Clips, draw
from helpers.gan import lr_factor
from helpers.gan.video import (
    ClipGenerator,
    FlightDiscriminator,
    FlightGenerator,
    PatchDiscriminator,
    PatchGenerator,
    as_seen,
    labelled,
    play,
    to_units,
)
from helpers.metrics import read_clips, score_clips
from helpers.studies import audio, rounded, write_study
from helpers.training import Budget, for_cpu_seconds, noise_like
from helpers.vae.video import (
    ClipVAE,
    ContentVAE,
    MotionVAE,
    clip_step,
    content_step,
    motion_step,
)
from helpers.video import SEEN, aligned, extrapolate, repeat_last, simulate, simulate_last_step, track

SEEDS, TRAINING, TEST, SAMPLES = (0, 1, 2), 3_000, 500, 500
SECONDS = {"content": 45.0, "motion": 15.0, "patches": 40.0, "flights": 20.0, "end to end": 60.0}

# The VAE
CONTENT, STD, CONTENT_BATCH, CONTENT_RATE = 12, 0.2, 64, 2e-3  # latent dimensions, σ of a pixel
MOTION_BATCH, MOTION_RATE = 64, 4e-3
COMPONENTS = 30  # of the mixture that is fitted to the codes
END_BATCH, END_RATE, END_STD = 16, 1e-3, 0.2
# The GAN
GAN_RATE, GAMMA, EMA, TRUNCATION = 1e-3, 0.1, 0.995, 0.8
GAN_BATCH = {"patches": 64, "flights": 128}
LAZY = 8  # R1 at every eighth update


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    optimiser.param_groups[0]["lr"] = rate


def adam(model: nn.Module, rate: float) -> torch.optim.Adam:
    return torch.optim.Adam(model.parameters(), rate, fused=True)


# Training


def train_content(vae: ContentVAE, data: Clips, seed: int, budget: Budget) -> int:
    """Each update: one frame of each clip goes in as a patch, and another one has to be drawn."""
    random = torch.Generator().manual_seed(seed)
    patches, positions = aligned(data.frames), track(data.frames).float()
    source, row = batches(torch.arange(len(patches)), CONTENT_BATCH, random), torch.arange(CONTENT_BATCH)
    optimiser = adam(vae, CONTENT_RATE)

    def update(done: float) -> None:
        set_rate(optimiser, CONTENT_RATE * lr_factor(done))
        clip, (given, asked) = next(source), torch.randint(16, (2, len(row)), generator=random)
        content_step(
            vae, optimiser, patches[clip, given], data.frames[clip, asked], positions[clip, asked], STD
        )

    return budget(update)


def train_motion(vae: MotionVAE, positions: Tensor, seed: int, budget: Budget) -> int:
    source = batches(positions, MOTION_BATCH, torch.Generator().manual_seed(seed))
    optimiser = adam(vae, MOTION_RATE)

    def update(done: float) -> None:
        set_rate(optimiser, MOTION_RATE * lr_factor(done))
        motion_step(vae, optimiser, next(source))

    return budget(update)


def train_end_to_end(vae: ClipVAE, data: Clips, seed: int, budget: Budget) -> int:
    source = batches(data.frames, END_BATCH, torch.Generator().manual_seed(seed))
    optimiser = adam(vae, END_RATE)

    def update(done: float) -> None:
        set_rate(optimiser, END_RATE * lr_factor(done))
        clip_step(vae, optimiser, next(source), END_STD)

    return budget(update)


def train_patches(data: Clips, seed: int, budget: Budget) -> tuple[nn.Module, int]:
    """The game of content: a fake patch is drawn where a real one was, cut out again, and shows the same digit."""
    patches, positions = aligned(data.frames), track(data.frames).float()
    random, row = torch.Generator().manual_seed(seed), torch.arange(GAN_BATCH["patches"])
    source = batches(torch.arange(len(patches)), len(row), random)
    generator = PatchGenerator()

    def make() -> tuple:
        clip, frame = next(source), torch.randint(16, (len(row),), generator=random)
        z, where = generator.codes(data.labels[clip]), positions[clip, frame]
        return labelled(patches[clip, frame], z), z, lambda fake: labelled(as_seen(fake, where), z)

    return play(generator, PatchDiscriminator(), make, budget, GAN_RATE, GAMMA, LAZY, EMA)


def train_flights(positions: Tensor, seed: int, budget: Budget) -> tuple[nn.Module, int]:
    """The game of motion, on flights (n, 16, 2) in pixels."""
    source = batches(to_units(positions), GAN_BATCH["flights"], torch.Generator().manual_seed(seed))
    generator = FlightGenerator()

    def make() -> tuple:
        real = next(source)
        return real, torch.randn(len(real), generator.latent), lambda fake: fake

    return play(generator, FlightDiscriminator(), make, budget, GAN_RATE, GAMMA, LAZY, EMA)


# Judging


def judged_forecast(frames: Tensor, positions: Tensor, test: Clips) -> dict[str, float]:
    """A forecast of the last 12 frames: squared error a pixel, distance in the last frame, frames read as the digit."""
    labels = read_clips(frames.clamp(0, 1)).argmax(-1)
    return {
        "error": (frames - test.frames[:, SEEN:]).square().mean().item(),
        "last": (positions[:, -1] - test.positions[:, -1]).norm(dim=-1).mean().item(),
        "digits": (labels == test.labels[:, None]).double().mean().item(),
    }


mixture_codes = partial(audio.mixture_codes, components=COMPONENTS, starts=1, floor=1e-3)


@torch.no_grad()
def sampled_clips(vae: ClipVAE, codes: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """Clips with content codes from a mixture fitted to `codes`, and motion codes from N(0, I)."""
    return vae.decode(mixture_codes(codes, n), noise_like(vae, n, vae.motion.latent, generator=generator))


@torch.no_grad()
def independent_frames(vae: ClipVAE, codes: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """Each frame with a content code and a flight of its own, as if it were a picture alone, (n, 16, 1, 32, 32)."""
    patches = vae.content.decode(mixture_codes(codes, 16 * n)).unflatten(0, (n, 16))
    flights = vae.motion.decode(noise_like(vae, 16 * n, vae.motion.latent, generator=generator), 3)
    return draw(patches, flights[:, 0].unflatten(0, (n, 16)))


def video_run(
    seed: int, budget_of: Callable[[float], Budget] = for_cpu_seconds, size: tuple = (TRAINING, TEST)
) -> dict:
    """One seed of every row; `budget_of(seconds)` is what a training gets."""
    data, test = clips(size[0]), clips(size[1], split="test")
    positions, budget = track(data.frames).float(), {name: budget_of(each) for name, each in SECONDS.items()}
    random = torch.Generator().manual_seed(100 + seed)
    rows = {"real": score_clips(test.frames)}
    for name, forecast in FORECASTS.items():
        rows[name] = judged_forecast(*forecast(test.frames[:, :SEEN]), test)

    torch.manual_seed(seed)
    vae = ClipVAE(ContentVAE(CONTENT), MotionVAE())
    updates = {"updates": train_content(vae.content, data, seed, budget["content"])}
    updates |= {"updates, motion": train_motion(vae.motion, positions, seed, budget["motion"])}
    codes = vae.content.encode(aligned(data.frames[:, :SEEN]).mean(1))[0].detach()
    rows["VAE"] = updates | judged_forecast(*vae.forecast(test.frames[:, :SEEN]), test)
    rows["VAE"] |= score_clips(sampled_clips(vae, codes, SAMPLES, random))
    rows["VAE, N(0, I)"] = score_clips(vae.sample(SAMPLES, random))
    rows["independent frames"] = score_clips(independent_frames(vae, codes, SAMPLES, random))

    torch.manual_seed(seed)
    content, patches = train_patches(data, seed, budget["patches"])
    motion, flights = train_flights(positions, seed, budget["flights"])
    clip_generator = ClipGenerator(content, motion)
    rows["GAN"] = {"updates": patches, "updates, motion": flights} | score_clips(
        clip_generator.sample(SAMPLES, TRUNCATION, random)
    )

    torch.manual_seed(seed)
    whole = ClipVAE(*(part(inputs=SEEN * 1024) for part in (ContentVAE, MotionVAE)), tracked=False)
    rows["end to end"] = {"updates": train_end_to_end(whole, data, seed, budget["end to end"])}
    rows["end to end"] |= judged_forecast(*whole.forecast(test.frames[:, :SEEN]), test)
    rows["end to end"] |= score_clips(whole.sample(SAMPLES, random))
    return {name: rounded(row, 5) for name, row in rows.items()}


FORECASTS = {
    "repeat the last frame": repeat_last,
    "straight on": extrapolate,
    "simulator, last step": simulate_last_step,
    "simulator": simulate,
}


def write(seeds: list[dict]) -> None:
    """notebooks/results/video.json from the rows of each seed."""
    settings = {"seeds": SEEDS, "cpu seconds": SECONDS, "clips": {"training": TRAINING, "test": TEST}}
    settings |= {"samples": SAMPLES, "components": COMPONENTS, "gamma": GAMMA, "truncation": TRUNCATION}
    write_study("video", settings, {name: [rows[name] for rows in seeds] for name in seeds[0]})


def main() -> None:
    torch.set_num_threads(1)
    write([video_run(seed) for seed in SEEDS])


if __name__ == "__main__":
    main()
