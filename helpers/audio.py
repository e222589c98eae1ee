"""Sounds as spectrograms and back, and what a sound says about itself: its pitch and its decay.

Sounds are (n, 2048) at 8,000 samples a second, spectrograms (n, 128, 32): frequencies × frames.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers.data.digits import expect_labels
from helpers.data.doors import door, ends_of, expect_floats
from helpers.data.drums import DRUMS, LENGTH, RANGES, SAMPLE_RATE

WINDOW = 256  # samples of a frame, 32 ms
HOP = 64  # samples from a frame to the next, 8 ms
BINS = 128  # frequencies 0, 31.25, …, 3,968.75 Hz; the 129th, half the sample rate, is left out
FRAMES = 32
QUIET = 0.01  # added before the logarithm: what lies below is silence
# Mean and standard deviation of log(|S| + 0.01) over 4,000 drum sounds.
LOG_MEAN, LOG_STD = -2.9, 1.6


def expect_sounds(sounds: Tensor) -> Tensor:
    """The sounds themselves, if they are (n, 2048), n ≥ 1, and finite; otherwise ValueError."""
    shape = tuple(expect_floats(sounds, "Sounds").shape)
    if len(shape) != 2 or shape[1] != LENGTH or not shape[0]:
        raise ValueError(
            f"Sounds have the shape (n, 2048), n ≥ 1, these have {shape}: for a single one, sound[None]."
        )
    ends_of(sounds, "Sounds")
    return sounds


def expect_spectrograms(spectrograms: Tensor) -> Tensor:
    """The spectrograms themselves, if they are (n, 128, 32), n ≥ 1, and finite; otherwise ValueError."""
    if not (isinstance(spectrograms, Tensor) and spectrograms.is_complex()):
        expect_floats(spectrograms, "Spectrograms")
        ends_of(spectrograms, "Spectrograms")
    shape = tuple(spectrograms.shape)
    if len(shape) != 3 or shape[1:] != (BINS, FRAMES) or not shape[0]:
        raise ValueError(
            f"Spectrograms have the shape (n, 128, 32), n ≥ 1, these have {shape}: use .view(-1, 128, 32)."
        )
    return spectrograms


# --- spectrograms and back -------------------------------------------------------------------------------------------


@door(expect_sounds, "sounds")
def stft(sounds: Tensor) -> Tensor:
    """S[k, m] = Σⱼ w(j) x(64 m + j − 128) e^(−2πi kj/256), the short-time Fourier transform, (n, 2048) to (n, 128, 32).

    w is the Hann window, j = 0 … 255, so that frame m has its middle at sample 64 m; before and after, the sound is
    silent. S is complex: |S| says how loud a frequency is, its angle where in the period it stands.
    """
    window = torch.hann_window(WINDOW, dtype=sounds.dtype, device=sounds.device)
    whole = torch.stft(sounds, WINDOW, HOP, window=window, pad_mode="constant", return_complex=True)
    return whole[:, :BINS, :FRAMES]


@door(expect_spectrograms, "spectrum")
def istft(spectrum: Tensor) -> Tensor:
    """The sounds whose transform is nearest to `spectrum` in squares, (n, 128, 32) complex to (n, 2048)."""
    window = torch.hann_window(WINDOW, dtype=spectrum.real.dtype, device=spectrum.device)
    whole = F.pad(spectrum, (0, 0, 0, 1))  # the 129th frequency
    return torch.istft(whole, WINDOW, HOP, window=window, length=LENGTH)


@door(expect_sounds, "sounds")
def log_spectrogram(sounds: Tensor) -> Tensor:
    """(log(|S| + 0.01) − mean) / std, about standardised over the drums, (n, 2048) to (n, 128, 32)."""
    return ((stft(sounds).abs() + QUIET).log() - LOG_MEAN) / LOG_STD


@door(expect_spectrograms, "spectrograms")
def magnitude(spectrograms: Tensor) -> Tensor:
    """|S| ≥ 0 from the standardised logarithm: the inverse of the last step of `log_spectrogram`."""
    return ((spectrograms * LOG_STD + LOG_MEAN).exp() - QUIET).clamp(min=0)


@door(expect_spectrograms, "magnitudes")
def griffin_lim(magnitudes: Tensor, iterations: int = 60, momentum: float = 0.99, seed: int = 0) -> Tensor:
    """Sounds (n, 2048) whose spectrum has nearly these magnitudes (n, 128, 32): phases are found by going to and fro.

    Few arrays of complex numbers are the transform of a sound. So each iteration makes a sound and transforms it,
    which gives phases that fit together better, and takes the magnitudes as they were. The result is not limited: in
    some two of a hundred, the largest |sample| is above 1. Source: Griffin and Lim (1984); with momentum, Perraudin,
    Balazs and Søndergaard (2013).
    """
    turn = torch.rand(magnitudes.shape, generator=torch.Generator().manual_seed(seed)).to(magnitudes)
    phase = torch.polar(torch.ones_like(turn), 2 * math.pi * turn)
    before = torch.zeros_like(phase)
    for _ in range(iterations):
        again = stft(istft(magnitudes * phase))
        phase = torch.sgn(again + momentum * (again - before))  # z / |z|
        before = again
    return istft(magnitudes * phase)


def resynthesise(spectrograms: Tensor, iterations: int = 30) -> Tensor:
    """The sounds of standardised log spectrograms, (n, 128, 32) to (n, 2048); one above 1 is made as loud as 1."""
    sounds = griffin_lim(magnitude(spectrograms), iterations)
    return sounds / sounds.abs().amax(dim=1, keepdim=True).clamp(min=1)


def mel_filters(mels: int = 32) -> Tensor:
    """Triangular filters over the 128 frequencies, (mels, 128): log-mel = log(filters @ |S|² + small).

    mel(f) = 2595 log₁₀(1 + f/700). Corners are evenly spaced in mel from 0 to 4,000 Hz; a filter rises from 0 at one
    corner to 1 at the next and falls to 0 at the one after. Raises ValueError for so many filters that one lies between
    two frequencies and would be empty. Source: O'Shaughnessy (1987); HTK's variant, peaks of height 1.
    """
    top = 2595 * math.log10(1 + SAMPLE_RATE / 2 / 700)
    corners = 700 * (10 ** (torch.linspace(0, top, max(mels, 0) + 2, dtype=torch.float64) / 2595) - 1)  # Hz
    frequencies = torch.arange(BINS, dtype=torch.float64) * SAMPLE_RATE / WINDOW
    low, middle, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    filters = torch.minimum(rising, falling).clamp(min=0).float()
    if mels < 1 or not (filters > 0).any(1).all():
        raise ValueError(f"Of {mels} filters some would be empty, between two frequencies: take 1 to 86.")
    return filters


# --- what a sound says about itself ----------------------------------------------------------------------------------


@torch.no_grad()
def estimate_pitch(
    sounds: Tensor, low: Tensor | float, high: Tensor | float, skip: Tensor | float = 0.0
) -> Tensor:
    """The frequency between `low` and `high` Hz at which the spectrum is largest, (n, 2048) to (n,), in Hz.

    `skip`: seconds at the beginning that do not count, for a sound that glides to its pitch. All three may be (n,),
    one for each sound. Zeros are appended until frequencies are 0.5 Hz apart, and a parabola through the logarithms
    of the largest and its neighbours finds the place in between. Raises ValueError unless 0 < low < high < 4,000.
    """
    n, half = len(expect_sounds(sounds)), SAMPLE_RATE / 2
    low, high, skip = (torch.as_tensor(each).to(sounds).expand(n)[:, None] for each in (low, high, skip))
    if not ((0 < low) & (low < high) & (high < half)).all():
        raise ValueError(f"Give 0 < low < high < {half:g} Hz.")
    size = 2**14
    step = SAMPLE_RATE / size
    late = torch.arange(LENGTH, device=sounds.device) / SAMPLE_RATE >= skip
    level = (torch.fft.rfft(sounds * late, size).abs() + 1e-9).log()
    frequencies = torch.arange(level.shape[1], device=sounds.device) * step
    inside = (low <= frequencies) & (frequencies <= high)
    peak = level.masked_fill(~inside, -math.inf).argmax(1, keepdim=True)
    left, middle, right = (level.gather(1, peak + offset)[:, 0] for offset in (-1, 0, 1))
    shift = (left - right) / (2 * (left - 2 * middle + right)).clamp(max=-1e-9)
    return (peak[:, 0] + shift.clamp(-0.5, 0.5)) * step


@torch.no_grad()
def estimate_decay(sounds: Tensor, span: float = 40.0) -> Tensor:
    """Seconds until the amplitude has fallen to 1/e, (n, 2048) to (n,); ∞ where it does not fall.

    The energy in a Hann window of 32 ms that moves over A e^(−t/decay) is proportional to e^(−2t/decay), whatever
    the window: a line through its logarithm, by least squares, has the derivative −2/decay. The line begins where the
    window has left the onset behind, and ends `span` decibels below. Decays under 10 ms are over before it begins.
    """
    hop = 16
    expect_sounds(sounds)
    window = torch.hann_window(WINDOW, dtype=sounds.dtype, device=sounds.device)
    level = ((sounds.unfold(1, WINDOW, hop) * window).square().sum(-1) + 1e-12).log()  # (n, 113)
    place = torch.arange(level.shape[1], device=level.device)
    # The loudest window has its middle a little behind the onset, so half a window later nothing lies before it.
    start = (level.argmax(1, keepdim=True) + WINDOW // 2 // hop).clamp(max=len(place) - 2)
    bottom = level.gather(1, start) - span / 10 * math.log(10)
    before = place < start
    used = (before | (level >= bottom)).cumprod(1).bool() & ~before  # up to the first below the bottom
    weight = used / used.sum(1, keepdim=True)
    t = place * hop / SAMPLE_RATE
    t = t - (weight * t).sum(1, keepdim=True)
    derivative = (weight * t * level).sum(1) / (weight * t.square()).sum(1)
    return torch.where(derivative < 0, -2 / derivative, math.inf)


def heard(sounds: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """The "pitch" in Hz and the "decay" in s of drums (n, 2048) with these labels (n,), each (n,).

    A pitch is looked for up to 10 % outside the range that its drum has in the data; a kick's after it has glided.
    Raises ValueError for labels other than 0 … 3, one a sound.
    """
    if len(expect_labels(labels, classes=len(DRUMS))) != len(sounds):
        raise ValueError(
            f"There are {len(sounds)} sounds but {len(labels)} labels: give one label for each sound."
        )
    low, high = torch.tensor(RANGES["pitch"])[labels.cpu()].unbind(-1)
    skip = 0.05 * (labels == DRUMS.index("kick"))
    return {"pitch": estimate_pitch(sounds, 0.9 * low, 1.1 * high, skip), "decay": estimate_decay(sounds)}


@torch.no_grad()
def mean_spectrum(sounds: Tensor) -> tuple[Tensor, Tensor]:
    """Frequencies in Hz, (1025,), and there the mean |FFT|² of sounds (n, 2048) in decibels, the largest being 0."""
    power = torch.fft.rfft(expect_sounds(sounds)).abs().square().mean(0)
    return torch.fft.rfftfreq(LENGTH, 1 / SAMPLE_RATE), 10 * (power / power.max() + 1e-12).log10()


def line_level(sounds: Tensor, frequency: float, around: float = 150.0) -> float:
    """By how many decibels the mean spectrum at `frequency` exceeds its median within ± `around` Hz.

    About 0 where nothing stands out, whatever the sounds; a tone that all of them have in common gives a large number.
    Raises ValueError for a frequency outside 0 … 4,000 Hz.
    """
    if not 0 < frequency < SAMPLE_RATE / 2:
        raise ValueError(
            f"The frequency must lie between 0 and {SAMPLE_RATE / 2:g} Hz, this is {frequency:g}."
        )
    frequencies, level = mean_spectrum(sounds)
    off = (frequencies - frequency).abs()
    return (level[off.argmin()] - level[off <= around].median()).item()
