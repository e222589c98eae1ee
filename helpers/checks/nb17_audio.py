"""Checks of notebook 17: the log-mel spectrogram, and a morph between two sounds through their codes."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from helpers.checks.shared import sigma
from helpers.feedback import Case, Close, Feedback, Mistake, Observe, Row, Task, Trial, Wanted, at, diagnose
from helpers.feedback.fallbacks import scaled, told, witness
from helpers.feedback.probes import other_dtype

# A: the log-mel spectrogram.

SMALL = 0.001


def _mel_cases() -> list[Case]:
    """Magnitudes with silence in them, at which the sum over a filter is 0, and filters that overlap unequally."""
    cases = []
    for n, bins, frames, mels in ((3, 11, 6, 4), (2, 9, 5, 7)):
        filters = torch.rand(mels, bins) * (torch.rand(mels, bins) < 0.7)
        filters[:, 0] = 0.4
        magnitudes = 0.2 + 2 * torch.rand(n, bins, frames)
        magnitudes[0, :, 1] = 0
        cases.append(Case(magnitudes=magnitudes, filters=filters))
    return cases


MAGNITUDES = (
    "Your filters add magnitudes. Energies add up, and the energy is the square of the magnitude: square it before the "
    "filters."
)
POWERS = [
    Row("right", lambda s: s**2, ok=True),
    Row("magnitude", lambda s: s, MAGNITUDES),
    Row("fourth_power", lambda s: s**4, "The magnitude is squared twice: `magnitudes` is |S|, not S."),
    Row("half_power", lambda s: s**2 / 2, "There is a ½ before the square, which the formula has not."),
    Row("added_before", lambda s: s**2 + SMALL,
        "The 0.001 is added before the filters, so a wide filter gets more of it. Add it to what comes out of the "
        "filters."),
]  # fmt: skip
BANDS = [
    Row("right", lambda filters, power: filters @ power, ok=True),
    Row("normalised", lambda filters, power: filters @ power / filters.sum(1)[:, None],
        "Each filter is divided by its sum, so you take a mean over its frequencies. Some libraries do that; the "
        "formula takes the sum."),
    Row("squared_filters", lambda filters, power: filters**2 @ power,
        "The filters are squared along with the magnitudes. Only |S| is: square first, filter afterwards."),
    Row("binary", lambda filters, power: (filters > 0).to(power) @ power,
        "All frequencies of a filter count equally in yours. A filter is a triangle: its weights belong to the sum."),
]  # fmt: skip
NO_LOG = "The logarithm is missing. The ear hears ratios: ten times the energy is one step, always."
LOGS = [
    Row("right", lambda bands: (bands + SMALL).log(), ok=True),
    Row("clamped", lambda bands: bands.clamp(min=SMALL).log(),
        "You cut off at 0.001, where the formula adds it. Both keep the logarithm finite, and give different numbers "
        "for soft sounds."),
    Row("no_small_number", lambda bands: bands.log(),
        "Nothing is added before the logarithm, so silence becomes −∞. Which small number does the formula add?"),
    Row("added_after", lambda bands: bands.log() + SMALL,
        "The 0.001 is added after the logarithm, where it cannot help: log 0 is −∞ already."),
    Row("log1p", lambda bands: bands.log1p(),
        "You add 1 before the logarithm, and not 0.001. That is finite too, but soft sounds all look alike then."),
    Row("another_small_number", lambda bands: (bands + 0.01).log(),
        "You add 0.01, as the log spectrogram does to |S|. Here energies are added up, which are squares, and the "
        "formula adds 0.001."),
    Row("another_small_number", lambda bands: (bands + 1e-6).log(),
        "You add a millionth, and the formula adds 0.001. What is softer than that would look important."),
    Row("base_10", lambda bands: (bands + SMALL).log10(),
        "Your logarithm is that to base 10. The formula takes the natural one, `torch.log`."),
    Row("decibels", lambda bands: 10 * (bands + SMALL).log10(),
        "Your result is in decibels, ten times the logarithm to base 10. The formula takes the natural logarithm."),
    Row("base_2", lambda bands: (bands + SMALL).log2(),
        "Your logarithm is that to base 2. The formula takes the natural one, `torch.log`."),
    Row("half", lambda bands: (bands + SMALL).log() / 2,
        "Your result is half of the right one: that is the logarithm of a root. The formula takes no root."),
    Row("no_log", lambda bands: bands, NO_LOG),
    Row("no_log", lambda bands: bands + SMALL, NO_LOG),
    Row("sign", lambda bands: -(bands + SMALL).log(), "The sign is turned: loud should be large."),
]  # fmt: skip
LOG_FIRST = (
    "You take the logarithm before the filters, which gives a weighted sum of logarithms. First add the energies of a "
    "band, then take the logarithm."
)


def _log_mel(c: Case, power: Callable, bands: Callable, log: Callable) -> Tensor:
    return log(bands(c.filters, power(c.magnitudes)))


def _mel_hints(c: Case) -> dict[tuple, str]:
    n, bins, frames = c.magnitudes.shape
    mels = len(c.filters)
    return {
        (n, bins, frames): "There is still a row for each frequency: where are the filters?",
        (n, frames, mels): "Filters and frames have changed places.",
        (mels, frames): "The sounds of the batch have been added up. Keep them apart.",
        (n, mels): "The frames have been added up: the result should still say *when* a band is loud.",
    }


LOG_MEL = Task(
    usage="my_log_mel(magnitudes, filters)",
    cases=_mel_cases,
    tables=(POWERS, BANDS, LOGS),
    compose=_log_mel,
    ways=(
        Row("log_first", lambda c: c.filters @ (c.magnitudes**2 + SMALL).log(), LOG_FIRST),
        Row("log_first", lambda c: c.filters @ (c.magnitudes + SMALL).log(), LOG_FIRST),
        Row("log_first", lambda c: c.filters @ (c.magnitudes + 0.01).log(), LOG_FIRST),
        Row("square_last", lambda c: ((c.filters @ c.magnitudes) ** 2 + SMALL).log(),
            "You square after the filters, so it is magnitudes that they add. Square each magnitude first."),
    ),
    observe=Observe(Wanted("(n, m, frames)", lambda c: (len(c.magnitudes), len(c.filters), c.magnitudes.shape[2]),
                           _mel_hints, otherwise="One number for each sound, filter and frame is wanted.")),
    close=Close(1e-4, 1e-5),
    fallbacks=(scaled(),),
    witness=witness,
    probes=(
        at(lambda c: c.but(magnitudes=0 * c.magnitudes), "silence",
           "For silence your result is not log 0.001 everywhere. Is anything divided by the loudest value?"),
        at(lambda c: c.but(magnitudes=100 * c.magnitudes), "loud",
           "For loud sounds your result is another one. Is something cut off?"),
        other_dtype(),
    ),
    praise="Energies are added up within a band, and the logarithm comes last.",
    seed=17,
)  # fmt: skip


def check_log_mel(f: Callable[[Tensor, Tensor], Tensor]) -> Feedback:
    """Say whether `f(magnitudes, filters)` is log(filters |S|² + 0.001).

    |S| (n, bins, frames), filters (m, bins), to (n, m, frames). Compared are values, at silence and at loud sounds too,
    in float32 and float64. Raises nothing.
    """
    return diagnose(LOG_MEL, f)


# B: a morph through the codes.


class TinySoundVAE(nn.Module):
    """A VAE of small spectrograms, curved in both directions, with posteriors that are not narrow."""

    def __init__(self, shape: tuple[int, int], latent: int):
        super().__init__()
        size = math.prod(shape)
        self.shape, self.latent = shape, latent
        self.mu, self.log_var = nn.Linear(size, latent), nn.Linear(size, latent)
        self.out = nn.Linear(latent, size)
        with torch.no_grad():
            for layer in (self.mu, self.log_var, self.out):
                layer.bias.normal_()
            self.mu.weight.normal_(0, 2 / size**0.5)
            self.out.weight.normal_()

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        flat = x.flatten(1)
        return 2 * torch.tanh(self.mu(flat)), self.log_var(flat)

    def decode(self, z: Tensor) -> Normal:
        return Normal(torch.sin(self.out(z)).unflatten(-1, self.shape), 0.3)


def _morph_cases() -> list[Case]:
    return [
        Case(vae=TinySoundVAE(shape, latent), a=torch.randn(shape), b=torch.randn(shape), steps=steps)
        for shape, latent, steps in (((5, 4), 3, 6), ((3, 7), 2, 9))
    ]


def _mean(c: Case, x: Tensor) -> Tensor:
    return c.vae.encode(x[None])[0][0]


def _slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    angle = (a @ b / (a.norm() * b.norm())).clamp(-1, 1).acos()
    return (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()


CODES = [
    Row("right", lambda c, x: _mean(c, x), ok=True),
    Row("log_var", lambda c, x: c.vae.encode(x[None])[1][0],
        "`vae.encode` gives μ first and log σ² second. You go from one log σ² to the other."),
    Row("unit", lambda c, x: _mean(c, x) / _mean(c, x).norm(),
        "You bring the codes to length 1, and the decoder has never seen such codes. Take them as they are."),
    Row("shifted", lambda c, x: _mean(c, x) + sigma(c.vae.encode(x[None])[1][0]),
        "You add σ to μ. The code of a sound is μ alone."),
]  # fmt: skip
TIMES = [
    Row("right", lambda steps: torch.linspace(0, 1, steps), ok=True),
    Row("no_end", lambda steps: torch.arange(steps) / steps,
        "Your last step is not yet the second sound. With `steps` points from 0 to 1, both ends count: they lie "
        "1/(steps − 1) apart."),
    Row("no_start", lambda steps: torch.arange(1, steps + 1) / steps,
        "Your first step is not the first sound. Begin at t = 0."),
    Row("inside", lambda steps: torch.linspace(0, 1, steps + 2)[1:-1],
        "Both ends are missing: the first step should be at t = 0 and the last at t = 1."),
    Row("half", lambda steps: torch.linspace(0, 0.5, steps), "Your morph stops half-way, at t = ½."),
    Row("uneven", lambda steps: torch.linspace(0, 1, steps) ** 2,
        "Your steps are not even: t should grow by the same amount each time."),
]  # fmt: skip
PATHS = [
    Row("right", lambda a, b, t: (1 - t) * a + t * b, ok=True),
    Row("reversed", lambda a, b, t: t * a + (1 - t) * b,
        "The ends have changed places: the first step should be the first sound."),
    Row("no_start_weight", lambda a, b, t: a + t * b,
        "The first code keeps its full weight all the way. Along a straight line its weight is 1 − t."),
    Row("sum", lambda a, b, t: t * a + t * b, "Both codes have the weight t. The first one has 1 − t."),
    Row("minus", lambda a, b, t: (1 - t) * a - t * b, "The second code has the wrong sign."),
    Row("from_zero", lambda a, b, t: t * (b - a) + 0 * a,
        "You go along b − a, but begin at 0 and not at the first code: a is missing."),
    Row("away", lambda a, b, t: a + t * (a - b), "You go away from the second sound: b − a leads there."),
    Row("arc", _slerp,
        "You go along an arc, as in notebook 13. Here the straight line is asked for: codes of sounds need not have "
        "equal lengths."),
]  # fmt: skip


def _mixed(a: Tensor, b: Tensor, steps: int) -> Tensor:
    t = torch.linspace(0, 1, steps).to(a)[:, None, None]
    return (1 - t) * a + t * b


def _through_codes(c: Case, code: Callable, times: Callable, path: Callable) -> Tensor:
    a, b = code(c, c.a), code(c, c.b)
    z = torch.stack([path(a, b, t) for t in times(c.steps).to(a)])
    return c.vae.decode(z).mean


def _mean_of(value: object, c: Case) -> object:
    if isinstance(value, Normal):
        raise Mistake("distribution", "You return p(x|z), a distribution. Its `.mean` is what is shown.")
    return value


def _morph_hints(c: Case) -> dict[tuple, str]:
    steps = c.steps
    return {
        (steps, c.vae.latent): "These are codes. Which network turns them into spectrograms?",
        (steps, 1, *c.a.shape): "A dimension of size 1 is left: the batch of one sound that was encoded.",
        (1, steps, *c.a.shape): "A dimension of size 1 is left: the batch of one sound that was encoded.",
        (steps + 1, *c.a.shape): "That is one spectrogram too many. `steps` counts both ends.",
        (steps - 1, *c.a.shape): "That is one spectrogram too few. `steps` counts both ends.",
        (steps - 2, *c.a.shape): "The two ends are missing. `steps` counts them too.",
        tuple(c.a.shape): "That is one spectrogram, and `steps` of them are wanted.",
    }


def _ends(trial: Trial) -> Mistake | None:
    """Whether one end of an unknown answer is wrong."""
    for case, seen in zip(trial.cases, trial.seen, strict=True):
        ours = trial.ours(case)["value"]
        for place, name in ((0, "first"), (-1, "last")):
            off = (seen["value"][place] - ours[place]).abs().max()
            if off > 1e-3:
                return Mistake(
                    "ends",
                    f"Your {name} spectrogram is not the decoded code of the {'first' if place == 0 else 'second'} "
                    f"sound: they differ by up to {told(off)}. Look at t = {0 if place == 0 else 1} alone.",
                )
    return None


MORPH = Task(
    usage="my_morph(vae, a, b, steps)",
    cases=_morph_cases,
    tables=(CODES, TIMES, PATHS),
    compose=_through_codes,
    ways=(
        Row("crossfade", lambda c: _mixed(c.a, c.b, c.steps),
            "You mix the two spectrograms: both sounds are heard at once, one louder and one softer. A morph mixes the "
            "*codes* and decodes each mixture."),
        Row("decoded_crossfade",
            lambda c: _mixed(*(c.vae.decode(_mean(c, x)).mean for x in (c.a, c.b)), c.steps),
            "You decode both sounds first and mix the spectrograms. Mix the codes, then decode."),
        Row("round_trip",
            lambda c: c.vae.decode(c.vae.encode(_mixed(c.a, c.b, c.steps))[0]).mean,
            "You mix the spectrograms and send the mixture through the VAE. Encode the two sounds alone, and mix their "
            "codes."),
    ),
    observe=Observe(Wanted("(steps, bins, frames)", lambda c: (c.steps, *c.a.shape), _morph_hints,
                           otherwise="One spectrogram for each step is wanted."), read=_mean_of),
    close=Close(1e-3, 1e-5),
    fallbacks=(_ends,),
    witness=witness,
    probes=(
        at(lambda c: c.but(steps=2), "two_steps", "With steps = 2 the result should be the two ends. Yours is not."),
        at(lambda c: c.but(b=c.a), "same_sound", "From a sound to itself nothing should change. Here it does."),
        other_dtype(),
    ),
    noise=("noise", "Two calls gave two different morphs, so z is sampled somewhere. Take μ as the code of a sound, "
                    "and the `.mean` of the decoder."),
    praise="The codes are mixed, and each mixture is decoded.",
    seed=18,
)  # fmt: skip


def check_morph(f: Callable[[nn.Module, Tensor, Tensor, int], Tensor]) -> Feedback:
    """Say whether `f(vae, a, b, steps)` decodes `steps` codes on the straight line from the mean of a to that of b.

    a and b are one spectrogram each, (bins, frames); the result is (steps, bins, frames), with both ends. In float32
    and float64. Raises nothing.
    """
    return diagnose(MORPH, f)
