"""Both sides of the checks of notebook 17: right log-mels and morphs pass, wrong ones are called by name."""

import numpy as np
import torch
import torch.nn.functional as F
from answers import folded_solutions, tests_of

from helpers.checks.nb17_audio import LOG_MEL, MORPH, check_log_mel, check_morph

# A: the log-mel spectrogram.


def by_einsum(magnitudes, filters):
    return torch.log(torch.einsum("mk,nkt->nmt", filters, magnitudes.square()) + 0.001)


def by_loops(magnitudes, filters):
    rows = [[(f[:, None] * s * s).sum(0) for f in filters] for s in magnitudes]
    return torch.stack([torch.stack(row) for row in rows]).add(1e-3).log()


def by_linear(magnitudes, filters):
    return (F.linear((magnitudes**2).mT, filters).mT + 1e-3).log()


def by_conv(magnitudes, filters):
    return (F.conv1d(magnitudes.abs() ** 2, filters[:, :, None]) + 0.001).log()


def by_numpy(magnitudes, filters):
    return np.log(np.tensordot(filters.numpy(), magnitudes.numpy() ** 2, (1, 1)).swapaxes(0, 1) + 0.001)


def put(power=lambda s: s**2, bands=lambda f, p: f @ p, log=lambda b: (b + 0.001).log()):
    """The log-mel with a part of its own."""

    def my_log_mel(magnitudes, filters):
        return log(bands(filters, power(magnitudes)))

    return my_log_mel


def changes_its_input(magnitudes, filters):
    magnitudes *= magnitudes
    return (filters @ magnitudes + 0.001).log()


def divided_by_the_loudest(magnitudes, filters):
    bands = filters @ magnitudes**2
    return (bands / bands.amax() * bands.amax() + 0.001).log()


def scaled_to_the_loudest(magnitudes, filters):
    bands = filters @ magnitudes**2
    return (bands / bands.amax() + 0.001).log()


# fmt: off
RIGHT_A = [
    put(), by_einsum, by_loops, by_linear, by_conv, by_numpy,
    lambda s, f: torch.log10(f @ s.pow(2) + 0.001) * torch.log(torch.tensor(10.0)).to(s),
    lambda s, f: (f[None] @ (s * s)).add(0.001).log(),
    lambda s, f: -(1 / (f @ s**2 + 0.001)).log(),
]
WRONG_A = [
    (put(power=lambda s: s), "magnitude", "square it before the filters"),
    (put(power=lambda s: s**4), "fourth_power", "squared twice"),
    (put(bands=lambda f, p: f @ p / f.sum(1, keepdim=True)), "normalised", "divided by its sum"),
    (put(log=lambda b: b.clamp(min=0.001).log()), "clamped", "cut off at 0.001"),
    (put(log=lambda b: b.log()), "no_small_number", "silence becomes −∞"),
    (put(log=lambda b: b.log() + 0.001), "added_after", "after the logarithm"),
    (put(log=torch.log1p), "log1p", "add 1"),
    (put(log=lambda b: 10 * (b + 0.001).log10()), "decibels", "decibels"),
    (put(log=lambda b: (b + 0.001).log10()), "base_10", "base 10"),
    (put(log=lambda b: b + 0.001), "no_log", "The logarithm is missing"),
    (put(log=lambda b: (b + 0.01).log()), "another_small_number", "adds 0.001"),
    (put(log=lambda b: -(b + 0.001).log()), "sign", "loud should be large"),
    (put(power=lambda s: s**2 + 0.001, log=torch.log), "added_before", "wide filter"),
    (lambda s, f: f @ (s**2 + 0.001).log(), "log_first", "before the filters"),
    (lambda s, f: ((f @ s) ** 2 + 0.001).log(), "square_last", "Square each magnitude first"),
    (lambda s, f: (s**2 + 0.001).log(), "shape", "where are the filters"),
    (lambda s, f: put()(s, f).mT, "shape", "changed places"),
    (lambda s, f: put()(s, f).sum(0), "shape", "Keep them apart"),
    (lambda s, f: put()(s, f).sum(2), "shape", "*when*"),
    (changes_its_input, "changed_input", "changes `magnitudes`"),
    (scaled_to_the_loudest, "value", "should be"),
    (lambda s, f: put()(s, f) * 1.5, "scale", "1.5 times"),
    (put(log=lambda b: (b.clamp(max=200) + 0.001).log()), "loud", "cut off"),
    # two mistakes at once
    (put(power=lambda s: s, log=lambda b: 10 * (b + 0.001).log10()), "magnitude", "decibels"),
    (put(bands=lambda f, p: f @ p / f.sum(1, keepdim=True), log=lambda b: (b + 0.001).log2()), "normalised", "base 2"),
]
# fmt: on

test_right_log_mels, _, test_wrong_log_mels = tests_of(check_log_mel, RIGHT_A, (), WRONG_A)

# B: the morph.


def codes(vae, a, b):
    mu, _ = vae.encode(torch.stack([a, b]))
    return mu


def by_broadcasting(vae, a, b, steps):
    z_a, z_b = codes(vae, a, b)
    t = torch.linspace(0, 1, steps)[:, None].to(a)
    return vae.decode((1 - t) * z_a + t * z_b).mean


def by_lerp(vae, a, b, steps):
    z_a, z_b = (vae.encode(x[None])[0] for x in (a, b))
    return torch.cat([vae.decode(torch.lerp(z_a, z_b, i / (steps - 1))).mean for i in range(steps)])


def by_steps(vae, a, b, steps):
    z, end = codes(vae, a, b)
    step, made = (end - z) / (steps - 1), []
    for _ in range(steps):
        made.append(vae.decode(z[None]).mean[0])
        z = z + step
    return torch.stack(made)


def by_weights(vae, a, b, steps):
    t = torch.arange(steps).to(a) / (steps - 1)
    return vae.decode(torch.stack([1 - t, t], dim=1) @ codes(vae, a, b)).mean


@torch.no_grad()
def without_a_graph(vae, a, b, steps):
    return by_broadcasting(vae, a, b, steps)


def by_interpolate(vae, a, b, steps):
    mu = codes(vae, a, b).T[None]  # (1, d, 2)
    z = F.interpolate(mu, size=steps, mode="linear", align_corners=True)[0].T
    return vae.decode(z).mean


def crossfade(vae, a, b, steps):
    t = torch.linspace(0, 1, steps).view(-1, 1, 1).to(a)
    return (1 - t) * a + t * b


def decoded_crossfade(vae, a, b, steps):
    return crossfade(vae, *vae.decode(codes(vae, a, b)).mean, steps)


def sampled(vae, a, b, steps):
    mu, log_var = vae.encode(torch.stack([a, b]))
    z_a, z_b = mu + (log_var / 2).exp() * torch.randn_like(mu)
    t = torch.linspace(0, 1, steps)[:, None].to(a)
    return vae.decode((1 - t) * z_a + t * z_b).mean


def with_times(times, path=lambda a, b, t: (1 - t) * a + t * b):
    def my_morph(vae, a, b, steps):
        z_a, z_b = codes(vae, a, b)
        return vae.decode(path(z_a, z_b, times(steps)[:, None].to(a))).mean

    return my_morph


def line(steps):
    return torch.linspace(0, 1, steps)


# fmt: off
RIGHT_B = [by_broadcasting, by_lerp, by_steps, by_weights, without_a_graph, by_interpolate]
WRONG_B = [
    (crossfade, "crossfade", "mixes the *codes*"),
    (decoded_crossfade, "decoded_crossfade", "then decode"),
    (lambda vae, *given: vae.decode(vae.encode(crossfade(vae, *given))[0]).mean, "round_trip", "Encode the two"),
    (sampled, "noise", "Take μ"),
    (with_times(lambda n: torch.arange(n) / n), "no_end", "not yet the second sound"),
    (with_times(lambda n: torch.linspace(0, 1, n + 2)[1:-1]), "inside", "Both ends are missing"),
    (with_times(line, lambda a, b, t: t * a + (1 - t) * b), "reversed", "changed places"),
    (with_times(line, lambda a, b, t: a + t * b), "no_start_weight", "1 − t"),
    (with_times(line, lambda a, b, t: t * (b - a)), "from_zero", "a is missing"),
    (with_times(lambda n: line(n) ** 2), "uneven", "not even"),
    (with_times(lambda n: torch.linspace(0, 1, n + 1)), "shape", "one spectrogram too many"),
    (lambda *given: by_broadcasting(*given)[1:-1], "shape", "ends are missing"),
    (lambda vae, a, b, n: torch.stack([(1 - t) * x + t * y for x, y in [codes(vae, a, b)] for t in line(n)]),
     "shape", "Which network"),
    (lambda *given: by_broadcasting(*given)[:, None], "shape", "size 1"),
    (lambda *given: by_broadcasting(*given)[0], "shape", "`steps` of them"),
    (lambda vae, a, b, n: vae.decode(codes(vae, a, b)[:1].expand(n, -1)), "distribution", "`.mean`"),
    # two mistakes at once
    (with_times(lambda n: torch.arange(n) / n, lambda a, b, t: t * a + (1 - t) * b), "no_end", "changed places"),
    (with_times(lambda n: line(n) / 2, lambda a, b, t: a + t * b), "half", "1 − t"),
]
# fmt: on

test_right_morphs, _, test_wrong_morphs = tests_of(check_morph, RIGHT_B, (), WRONG_B)


def test_the_references_are_what_the_page_says():
    case = LOG_MEL.cases()[0]
    assert torch.allclose(LOG_MEL.best()(case), by_einsum(case.magnitudes, case.filters), atol=1e-5)
    case = MORPH.cases()[0]
    assert torch.allclose(MORPH.best()(case), by_lerp(**case), atol=1e-5)


def test_the_solutions_in_the_notebook_pass(dtype):
    mine = folded_solutions("17_audio", torch=torch)
    assert check_log_mel(mine["my_log_mel"]).kind == "right"
    assert check_morph(mine["my_morph"]).kind == "right"
