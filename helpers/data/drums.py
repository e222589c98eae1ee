"""Drums: four sounds synthesised from known parameters, and bars of a rhythm whose rule is known exactly.

A sound is 2,048 samples at 8,000 samples a second, a quarter of a second in [−1, 1]. A bar is 16 steps × 4 drums, 0 or
1. Everything is synthesised here, so nobody's licence is touched.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from helpers.data.doors import door, ends_of, expect_floats

SAMPLE_RATE = 8000  # samples a second
LENGTH = 2048  # samples of a sound, 0.256 s
DRUMS = ("kick", "snare", "hat", "pluck")  # labels 0 to 3
DRUMS_SEED = 1909  # the year of the first bass drum pedal that sold
STEPS = 16  # of a bar: four beats of four
LOUDEST = 0.95  # the peak of a loop

RANGES = {  # least and largest value of each parameter, for kick, snare, hat, pluck; uniform in between
    "pitch": ((45.0, 80.0), (160.0, 230.0), (2000.0, 2400.0), (220.0, 400.0)),  # Hz
    "decay": (
        (0.05, 0.09),
        (0.03, 0.06),
        (0.02, 0.04),
        (0.06, 0.10),
    ),  # s, until the amplitude has fallen to 1/e
    "noise": ((0.00, 0.05), (0.30, 0.60), (0.50, 0.80), (0.00, 0.05)),  # share of the mixture, 0 to 1
    "loudness": ((0.4, 0.9),) * 4,  # largest |sample|
    "onset": ((0.0, 0.01),) * 4,  # s of silence before
}


# --- the four sounds -------------------------------------------------------------------------------------------------
# Parameters are numbers, for one sound (2048,), or tensors (n, 1), for n sounds (n, 2048).


def _expect_parameters(pitch, decay, noise) -> None:
    _expect_between(pitch, 20, SAMPLE_RATE / 2, "Pitch", "Hz")
    _expect_between(decay, 0.001, 10, "Decay", "s")
    _expect_between(noise, 0, 1, "The share of noise")


def _expect_between(value: Tensor | float, low: float, high: float, what: str, unit: str = "") -> None:
    """Nothing, if all values are within both ends; otherwise ValueError."""
    value = torch.as_tensor(value)
    if not ((low <= value) & (value <= high)).all():
        bad = value[~((low <= value) & (value <= high))].flatten()[0].item()
        raise ValueError(
            f"{what} must lie between {low:g} and {high:g} {unit}".rstrip() + f", this is {bad:g}."
        )


@door(lambda onset: _expect_between(onset, 0, 0.1, "The onset", "s"), "onset")
def time_since(onset: Tensor | float) -> Tensor:
    """Seconds since the sound began, (2048,) or (n, 2048); below 0 before the onset."""
    return torch.arange(LENGTH) / SAMPLE_RATE - onset


def hiss(t: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """White noise, uniform on [−1, 1], as many samples as there are times."""
    return 2 * torch.rand(t.shape, dtype=t.dtype, generator=generator) - 1


@door(lambda loudness: _expect_between(loudness, 0.001, 1, "Loudness"), "loudness")
def strike(t: Tensor, tone: Tensor, noise: Tensor, decay: Tensor | float, loudness: Tensor | float) -> Tensor:
    """(tone + noise) e^(−t/decay) from t = 0 on, scaled so that the largest |sample| is the loudness."""
    wave = (tone + noise) * torch.exp(-t.clamp(min=0) / decay) * (t >= 0)
    return (loudness * wave / wave.abs().amax(-1, keepdim=True)).float()


@door(_expect_parameters, "pitch", "decay", "noise")
def kick(pitch, decay, noise, loudness=0.8, onset=0.0, generator=None) -> Tensor:
    """A sine that glides down from four times the pitch, f(t) = pitch (1 + 3 e^(−t/8 ms)), and a little noise."""
    t = time_since(onset)
    glide = 3 * 0.008 * (1 - torch.exp(-t / 0.008))  # the integral of 3 e^(−t/8 ms)
    tone = torch.sin(2 * math.pi * pitch * (t + glide))
    return strike(t, (1 - noise) * tone, noise * hiss(t, generator), decay, loudness)


@door(_expect_parameters, "pitch", "decay", "noise")
def snare(pitch, decay, noise, loudness=0.8, onset=0.0, generator=None) -> Tensor:
    """The two lowest modes of a round skin, at 1 and 1.59 times the pitch, and the noise of the wires below it."""
    t = time_since(onset)
    tone = torch.sin(2 * math.pi * pitch * t) + 0.5 * torch.sin(2 * math.pi * 1.59 * pitch * t)
    return strike(t, (1 - noise) * tone, noise * hiss(t, generator), decay, loudness)


@door(_expect_parameters, "pitch", "decay", "noise")
def hat(pitch, decay, noise, loudness=0.8, onset=0.0, generator=None) -> Tensor:
    """Three high partials that are no multiples of one tone, as metal has them, and noise without its low half."""
    t = time_since(onset)
    tone = sum(torch.sin(2 * math.pi * ratio * pitch * t) / ratio for ratio in (1, 1.28, 1.57))
    white = hiss(t, generator)
    bright = (white - white.roll(1, -1)) / 2  # a difference of neighbours: slow changes cancel
    return strike(t, (1 - noise) * tone, noise * bright, decay, loudness)


@door(_expect_parameters, "pitch", "decay", "noise")
def pluck(pitch, decay, noise, loudness=0.8, onset=0.0, generator=None) -> Tensor:
    """A plucked string: harmonics k = 1 … 6 of amplitude 1/k, and a trace of noise."""
    t = time_since(onset)
    tone = sum(torch.sin(2 * math.pi * k * pitch * t) / k for k in range(1, 7))
    return strike(t, (1 - noise) * tone, noise * hiss(t, generator), decay, loudness)


SYNTHS = (kick, snare, hat, pluck)


class Drums(NamedTuple):
    """`sounds` (n, 2048) in [−1, 1], their `labels` (n,) in int64, and the true `parameters`, each (n,) in float64."""

    sounds: Tensor
    labels: Tensor
    parameters: dict[str, Tensor]


def drum_sounds(n: int, seed: int = DRUMS_SEED) -> Drums:
    """`n` sounds in random order, as many of each drum (one more or less, where 4 does not divide n).

    Parameters are uniform on RANGES: pitch in Hz, decay in s, noise as a share, loudness, onset in s. They and the
    labels are the same for a seed on every machine; a sample of a sound may differ by a rounding. No sound is silent or
    clipped: the largest |sample| is the loudness, 0.4 to 0.9. Raises ValueError for n < 1.
    """
    _expect_some(n, "sounds")
    generator = torch.Generator().manual_seed(seed)
    labels = (torch.arange(n) % len(DRUMS))[torch.randperm(n, generator=generator)]
    parameters = {}
    for name, ranges in RANGES.items():
        low, high = torch.tensor(ranges, dtype=torch.float64)[labels].unbind(-1)
        # Whole numbers, for these come out the same everywhere.
        share = torch.randint(2**20, (n,), generator=generator).double() / 2**20
        parameters[name] = low + (high - low) * share
    sounds = torch.empty(n, LENGTH)
    for label, synth in enumerate(SYNTHS):
        mine = labels == label
        sounds[mine] = synth(
            **{name: value[mine, None].float() for name, value in parameters.items()}, generator=generator
        )
    return Drums(sounds, labels, parameters)


def _expect_some(n: int, what: str) -> None:
    if n < 1:
        raise ValueError(f"There must be at least one of the {what}, you asked for {n}.")


# --- the rhythm ------------------------------------------------------------------------------------------------------
# A groove says how probable each of the 64 hits is, as drum tablature does: one character a step.

PERCENT = {"X": 96, "o": 60, "-": 20, ".": 2}

GROOVES = {  # percent, and a line for kick, snare, hat, pluck
    "eighths": (
        50,
        ("X.....-.X.o...-.", "....X.......X..-", "X.X.X.X.X.X.X.X.", "o..o..o..-....-."),
    ),
    "sixteenths": (
        30,
        ("X.....-.X.o...-.", "....X.......X..-", "XXXXXXXXXXXXXXXX", "o.....o...-....."),
    ),
    "fill": (
        20,
        ("X.....-.X.......", "....X.......oooX", "X.X.X.X.X.X.....", "o..o..o........."),
    ),
}


def groove_probabilities() -> tuple[Tensor, Tensor]:
    """p(groove), (3,), and p(hit | groove), (3, 16, 4), in float64."""
    weights = torch.tensor([percent for percent, _ in GROOVES.values()], dtype=torch.float64)
    hits = [[[PERCENT[sign] for sign in line] for line in lines] for _, lines in GROOVES.values()]
    return weights / 100, torch.tensor(hits, dtype=torch.float64).mT / 100


def rhythms(n: int, seed: int = DRUMS_SEED) -> Tensor:
    """`n` independent bars, (n, 16, 4) of 0 and 1 in float32: a hidden groove for each, then every hit for itself.

    The same seed gives the same bars on every machine. Raises ValueError for n < 1.
    """
    _expect_some(n, "bars")
    generator = torch.Generator().manual_seed(seed)
    weights, hits = ((100 * p).round().long() for p in groove_probabilities())
    groove = torch.bucketize(torch.randint(100, (n,), generator=generator), weights.cumsum(0), right=True)
    return (torch.randint(100, (n, STEPS, len(DRUMS)), generator=generator) < hits[groove]).float()


def rhythm_log_prob(bars: Tensor) -> Tensor:
    """log p(bar) = log Σ_g p(g) Π p(hit | g)^bar (1 − p(hit | g))^(1 − bar) in nats, (n, 16, 4) to (n,) in float64.

    Raises ValueError for another shape and for values other than 0 and 1.
    """
    bars = expect_bars(bars).double()[:, None]  # (n, 1, 16, 4) against (3, 16, 4)
    weights, hits = groove_probabilities()
    given = (bars * hits.log() + (1 - bars) * (1 - hits).log()).sum((-2, -1))  # (n, 3)
    return torch.logsumexp(weights.log() + given, dim=1)


def rhythm_entropy() -> float:
    """H = −Σ p(bar) log p(bar) in nats a bar, exact although there are 2⁶⁴ bars.

    Hits that are equally probable in every groove say nothing about it: their entropies add up. Of the others, those
    with the same three probabilities are exchangeable, so p(bar) depends only on how many of each kind are hit, and the
    sum over bars is one over counts, each weighted by the number of bars that have them.
    """
    weights, hits = groove_probabilities()
    kinds, sizes = hits.flatten(1).unique(dim=1, return_counts=True)  # (3, kinds): a column a kind of hit
    same = (kinds == kinds[:1]).all(0)
    alone, p = sizes[same], kinds[0, same]
    total = -(alone * (torch.xlogy(p, p) + torch.xlogy(1 - p, 1 - p))).sum()
    kinds, sizes = kinds[:, ~same], sizes[~same].double()
    counts = torch.cartesian_prod(*(torch.arange(size + 1.0, dtype=torch.float64) for size in sizes))
    log_given = counts @ kinds.log().T + (sizes - counts) @ (1 - kinds).log().T  # (counts, 3)
    log_p = torch.logsumexp(weights.log() + log_given, dim=1)
    ways = (torch.lgamma(sizes + 1) - torch.lgamma(counts + 1) - torch.lgamma(sizes - counts + 1)).sum(1)
    return (total - ((ways + log_p).exp() * log_p).sum()).item()


def expect_bars(bars: Tensor) -> Tensor:
    """The bars themselves, if they are (n, 16, 4) of 0 and 1, n ≥ 1; otherwise ValueError."""
    if (
        not isinstance(bars, Tensor)
        or bars.ndim != 3
        or bars.shape[1:] != (STEPS, len(DRUMS))
        or not len(bars)
    ):
        shape = tuple(bars.shape) if isinstance(bars, Tensor) else type(bars).__name__
        raise ValueError(
            f"Bars have the shape (n, 16, 4), n ≥ 1, these have {shape}: for a single one, bar[None]."
        )
    if not ((bars == 0) | (bars == 1)).all():
        raise ValueError("Bars hold 0 and 1 only: sample them from probabilities first, torch.bernoulli(p).")
    return bars


# --- both together ---------------------------------------------------------------------------------------------------


def write_bars(sounds: Tensor, bars: Tensor, tempo: float = 110) -> Tensor:
    """A loop: at each hit of bars (n, 16, 4) the sound of its drum, from sounds (4, 2048), all added.

    `tempo` counts beats a minute, four steps each. Returns one waveform of n · 16 · 60 / (4 tempo) seconds, rounded to
    whole samples. What still sounds at its end goes on at its beginning, so that it can be played round and round. If
    the sum would be louder than 0.95, all of it is scaled down to that. Raises ValueError for other shapes and for a
    tempo outside 40 … 240.
    """
    if expect_floats(sounds, "Sounds").ndim != 2 or len(sounds) != len(DRUMS):
        raise ValueError(f"Give one sound a drum, shape (4, samples), these have {tuple(sounds.shape)}.")
    ends_of(sounds, "Sounds")
    _expect_between(tempo, 40, 240, "The tempo", "beats a minute")
    samples_a_step = SAMPLE_RATE * 60 / (4 * tempo)
    steps = expect_bars(bars).flatten(0, 1)  # (16 n, 4)
    loop = torch.zeros(round(len(steps) * samples_a_step))
    for step, drum in steps.nonzero().tolist():
        start = round(step * samples_a_step)
        loop.index_add_(0, torch.arange(start, start + sounds.shape[1]) % len(loop), sounds[drum].float())
    return loop * min(1.0, LOUDEST / loop.abs().max().clamp(min=1e-9).item())
