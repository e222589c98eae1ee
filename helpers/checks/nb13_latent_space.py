"""Checks of notebook 13: active units, free bits, and spherical interpolation."""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from helpers.checks.shared import KL_TERMS, floats, gaussian_kl
from helpers.feedback import Case, Close, Feedback, Mistake, Observe, Row, Task, Trial, Wanted, diagnose
from helpers.feedback.fallbacks import scaled, told
from helpers.feedback.observe import Seen
from helpers.feedback.probes import at, in_any_order, other_dtype


def _worst(trial: Trial) -> tuple[Case, Tensor]:
    """The case on which the answer is most wrong, and what it is there."""
    pairs = [(case, seen["value"]) for case, seen in zip(trial.cases, trial.seen, strict=True)]
    return max(pairs, key=lambda pair: float((pair[1] - trial.ours(pair[0])["value"]).abs().max()))


# Active units

# Variance over the images and mean of μ, and σ: on either side of 0.01, of other thresholds, of squares and roots.
UNITS = [
    (1.0, 0.0, 0.08), (0.25, 0.0, 0.6), (0.04, 1.0, 0.9), (0.0196, 0.0, 0.03), (0.0025, 0.0, 1.0), (0.0025, 0.7, 1.0),
    (1e-6, 2.0, 1.0), (4e-4, 0.0, 0.05), (1.7e-4, 0.0, 0.5), (6.4e-5, 0.0, 0.3), (1e-6, 0.05, 1.0), (1e-6, 0.0, 0.02),
    (4e-6, 0.3, 1.3), (0.006, 0.0, 0.5), (0.009, 0.4, 0.7), (0.0097, 0.0, 0.4), (0.0103, 0.0, 0.5), (0.0112, -0.3, 0.9),
    (0.014, 0.0, 0.2), (0.0097, 0.0, 0.6), (1e-7, 0.0, 1.0),
]  # fmt: skip
QUIET = [UNITS[n] for n in (7, 8, 9, 11, 13, 15, 15, 16, 16, 16, 18)]  # their variance in one is below 0.01


def _unit_cases() -> list[Case]:
    """Means and log variances (N, d) of units out of UNITS, other ones from case to case."""
    cases = []
    for rows in (301, 206, 150, 97, 260, 133, 112, 175, 229, 121):
        units = [UNITS[n] for n in torch.randint(len(UNITS), (4 + len(cases),)).tolist()]
        units = (UNITS, QUIET)[len(cases)] if len(cases) < 2 else units
        variances, means, sigmas = torch.tensor(units).T
        wave = torch.randn(rows, len(units))
        wave[:, ::3] = wave[:, ::3].exp()  # skewed, so that the median is far from the mean
        wave = (wave - wave.mean(0)) / wave.std(0)
        wave[0] = 6 / (1 - 36 / rows) ** 0.5  # one image lies 6 standard deviations away
        wave = (wave - wave.mean(0)) / wave.std(0)
        size = torch.tensor([3.0, 0.6, 0.1]).repeat(len(units))[: len(units)]
        log_var = 2 * sigmas.log() + size * (torch.rand_like(wave) - 0.5)
        cases.append(Case(mu=wave * variances.sqrt() + means, log_var=log_var))
    return cases


LAYOUTS = [
    Row("right", lambda c: (c.mu, c.log_var), ok=True),
    Row("over_units", lambda c: (c.mu.T, c.log_var.T),
        "The variance was taken over the units, and images were counted. Which dimension holds the images?"),
]  # fmt: skip
STATISTICS = [
    Row("right", lambda mu, lv: mu.var(0), ok=True),
    Row("std", lambda mu, lv: mu.std(0),
        "You compare a standard deviation with the threshold. The criterion compares a variance, its square."),
    Row("second_moment", lambda mu, lv: mu.square().mean(0),
        "You average squares of μ without taking its mean away. A unit whose μ is 2 for every image says nothing."),
    Row("of_samples", lambda mu, lv: mu.var(0) + lv.exp().mean(0),
        "That is the variance of sampled z, with the encoder's own noise in it. A unit that is all noise has one too: "
        "look at the means."),
    Row("posterior_variance", lambda mu, lv: lv.exp().mean(0),
        "You look at σ², the variance of q(z|x). A unit is active if its mean moves from image to image."),
    Row("log_var", lambda mu, lv: lv.var(0), "You take the variance of log σ². The criterion is about the means μ."),
    Row("kl", lambda mu, lv: gaussian_kl(mu, lv).mean(0),
        "You compare the KL of each unit with the threshold. It also counts a unit that is off the prior in the same "
        "way for all images."),
    Row("mean", lambda mu, lv: mu.mean(0).abs(),
        "You look at how far the mean of μ is from 0. What matters is how much μ changes from image to image."),
    Row("any_image", lambda mu, lv: mu.abs().amax(0),
        "One image with a large enough μ makes a unit active in yours. A variance over all images is wanted."),
    Row("divided", lambda mu, lv: mu.var(0) / lv.exp().mean(0),
        "You divide by σ². The criterion is the variance of the means alone."),
    Row("sum_of_squares", lambda mu, lv: (mu - mu.mean(0)).square().sum(0),
        "You add up squared deviations. A variance is their mean over the images."),
]  # fmt: skip
THRESHOLDS = [
    Row("right", lambda s: s > 0.01, ok=True),
    Row("threshold", lambda s: s > 0.1, "The threshold is too high: it is 0.01."),
    Row("threshold", lambda s: s > 0.001, "The threshold is too low: it is 0.01."),
]  # fmt: skip
COUNTS = [
    Row("right", lambda active: active.double().sum(), ok=True),
    Row("share", lambda active: active.double().mean(),
        "That is the share of the active units; their number is wanted."),
    Row("inactive", lambda active: (~active).double().sum(), "You count the units that are not active."),
]  # fmt: skip


def _never_above_one(trial: Trial) -> Mistake | None:
    """Whether the answer is 0 or 1, as a yes or no is, for any number of units."""
    most = max(float(seen["value"]) for seen in trial.seen)
    if most not in (0, 1) or any(float(seen["value"]) not in (0, 1) for seen in trial.seen):
        return None
    return Mistake(
        "count",
        f"Your number is {'never above 1' if most else 'always 0'}, though several units are active here. Print what "
        "you compare with the threshold, and what comes of it: one yes or no for each unit?",
    )


def _other_threshold(trial: Trial) -> Mistake | None:
    """Whether the answer counts as many units as another threshold would."""
    low, high = 0.0, math.inf
    for case, seen in zip(trial.cases, trial.seen, strict=True):
        ends = [math.inf, *sorted(case.mu.var(0).tolist(), reverse=True), 0.0]
        count = float(seen["value"])
        if count not in range(len(ends) - 1):
            return None
        low, high = max(low, ends[int(count) + 1]), min(high, ends[int(count)])
    if not 0 < low < high < math.inf:
        return None
    return Mistake(
        "threshold",
        f"You count as many units as have a variance above about {told((low * high) ** 0.5, 2)}. So the threshold is "
        "not 0.01, or what you compare with it is not the variance of the means.",
    )


def _wrong_count(trial: Trial) -> Mistake:
    case, seen = _worst(trial)
    return Mistake(
        "count",
        f"Among {case.mu.shape[1]} units you count {told(seen)}. Take the mean μ of each image, then for each unit the "
        "variance over the images, and count those above 0.01.",
    )


def _unit_hints(c: Case) -> dict[tuple, str]:
    d = c.mu.shape[1]
    shapes = [(n, *one) for n in range(d) for one in ((), (1,))]
    chosen = dict.fromkeys(shapes, "These look like the indices of units. Their number is wanted.")
    return {**chosen, (d,): "That is one for each unit. How does a row of yes and no become a count?"}


ACTIVE_UNITS = Task(
    usage="my_active_units(mu, log_var)",
    cases=_unit_cases,
    tables=(LAYOUTS, STATISTICS, THRESHOLDS, COUNTS),
    compose=lambda c, layout, statistic, above, count: count(above(statistic(*layout(c)))),
    ways=(
        Row("narrow", lambda c: (c.log_var.exp().mean(0) < 0.99).double().sum(),
            "You count the units whose σ² is below 1. A narrow q(z|x) that is the same for all images says nothing."),
        Row("threshold", lambda c: torch.tensor(float(c.mu.shape[1])),
            "Every unit is active in yours. The encoder of a dead unit trembles a little, so the threshold is 0.01."),
    ),
    observe=Observe(Wanted("()", lambda c: (), _unit_hints, what="one number")),
    fallbacks=(_never_above_one, _other_threshold),
    witness=_wrong_count,
    probes=(in_any_order("images", {"mu": 0, "log_var": 0}), other_dtype()),
    praise="A unit counts if its mean moves from image to image; its own noise says nothing.",
    seed=0,
)  # fmt: skip


def check_active_units(active_units: Callable[[Tensor, Tensor], object]) -> Feedback:
    """Say whether `active_units(mu, log_var)` counts the units with Var_x(E_q[z_j]) > 0.01.

    mu and log_var (N, d); an int, a float or a tensor of one element is taken, with either divisor, N or N − 1.
    Raises nothing. Source: Burda, Grosse, Salakhutdinov (2016), section 5.
    """
    return diagnose(ACTIVE_UNITS, active_units)


# Free bits

INPUTS = [
    Row("right", lambda c: (c.mu, c.log_var), ok=True),
    Row("of_means", lambda c: (c.mu.mean(0, keepdim=True), c.log_var.mean(0, keepdim=True)),
        "You average μ and log σ² over the images, and take the KL of the averages. Which comes first, the KL of each "
        "image or the mean?"),
    Row("detached", lambda c: (c.mu.detach(), c.log_var),
        "No gradient passes back to μ. Is there a `detach` or a `.data` on the way?"),
    Row("detached", lambda c: (c.mu, c.log_var.detach()),
        "No gradient passes back to log σ². Is there a `detach` or a `.data` on the way?"),
]  # fmt: skip
TERMS = [
    *KL_TERMS,
    Row("no_log", lambda mu, lv: 0.5 * (mu**2 + lv.exp() - 1), "The logarithm is missing in your KL."),
]
FACTORS = [
    Row("right", lambda k: k, ok=True),
    Row("sign", lambda k: -k,
        "Your KL has the wrong sign: it is never above 0, so the floor takes its place everywhere."),
    Row("half", lambda k: 2 * k, "Your KL is twice too large. What does the closed form begin with?"),
    Row("half", lambda k: k / 2, "Your KL is half as large as it should be. Is the factor ½ there twice?"),
    Row("bits", lambda k: k / math.log(2), "Your KL is in bits, and the floor is in nats: take the natural logarithm."),
]  # fmt: skip
BATCHES = [
    Row("right", lambda k: k.mean(0), ok=True),
    Row("sum_of_images", lambda k: k.sum(0),
        "You sum over the images. The floor is for the mean over the batch."),
]  # fmt: skip
SUMS = [
    Row("right", lambda k: k.sum(-1), ok=True),
    Row("mean_of_units", lambda k: k.mean(-1),
        "You average over the dimensions. The KL of independent dimensions is their sum."),
]  # fmt: skip
FREE_OTHERS = "Each has its own, or one dimension with a large KL would free all others."
ORDERS = [
    Row("right", lambda k, batch, units, above, floor: units(above(batch(k), floor)), ok=True),
    Row("each_image", lambda k, batch, units, above, floor: units(batch(above(k, floor))),
        "You compare the KL of each image with the floor, before images are put together. The floor is for the mean "
        "over the batch."),
    Row("total", lambda k, batch, units, above, floor: above(units(batch(k)), floor),
        f"You compare the KL of all dimensions together with the floor. {FREE_OTHERS}"),
    Row("total", lambda k, batch, units, above, floor: above(units(batch(k)), k.shape[1] * floor),
        f"You give all dimensions one floor together. {FREE_OTHERS}"),
    Row("total", lambda k, batch, units, above, floor: batch(above(units(k), floor)),
        "You put the dimensions of each image together before you compare with the floor. Each dimension has its own."),
    Row("over_units", lambda k, batch, units, above, floor: units(above(batch(k.T), floor)),
        "The mean was taken over the dimensions, and the images were summed. Which dimension holds the images?"),
]  # fmt: skip
FLOORS = [
    Row("right", lambda k, floor: k.clamp(min=floor), ok=True),
    Row("minimum", lambda k, floor: k.clamp(max=floor),
        "You take the smaller of the two. Above the floor, the KL would be free, and below it would be charged."),
    Row("no_floor", lambda k, floor: k, "That is the plain KL: `floor` changes nothing yet."),
    Row("excess", lambda k, floor: (k - floor).clamp(min=0),
        "You sum what lies above the floor. Its gradient is right, but the value is too low by the floors: it is no "
        "longer at least the KL."),
    Row("dropped", lambda k, floor: torch.where(k > floor, k, 0.0),
        "A dimension below the floor counts 0 in yours. What should it cost at least?"),
    Row("added", lambda k, floor: k + floor,
        "You add the floor to every KL, which changes no gradient. Below the floor, the floor takes the KL's place."),
    Row("pulled", lambda k, floor: k + (k.clamp(min=floor) - k).detach(),
        "The gradient still pulls at dimensions below the floor. Did the floor change numbers where backward does not "
        "look, with a `.data`, a `no_grad` or a `detach`?"),
    Row("detached", lambda k, floor: k.clamp(min=floor).detach() + 0 * k,
        "No gradient passes back from the dimensions above the floor, which should still pay. Is there a `detach`, an "
        "`.item()` or a new `torch.tensor` on the way?"),
]  # fmt: skip
ENDS = [
    Row("right", lambda v, images: v, ok=True),
    Row("batch_twice", lambda v, images: v / images,
        "You divide by the number of images once too often: the mean over the batch has done so already."),
    Row("negated", lambda v, images: -v, "The sign is turned. What is wanted is the price itself, which a loss adds."),
]  # fmt: skip


def _free_bits(c: Case, inputs, term, factor, batch, units, order, above, end) -> Tensor:
    return end(order(factor(term(*inputs(c))), batch, units, above, c.floor), len(c.mu))


def _floor_case(batch: int, floor: float, *dimensions: tuple) -> Case:
    """Of each dimension the KL as a share of the floor, or 0, the mean of μ, and how large log σ² is."""
    share, mean, size = torch.tensor(dimensions).T
    log_var = size * (0.8 + 0.4 * torch.rand(batch, len(size)))
    log_var[1::2] *= -1
    log_var[:, -1] = -log_var[:, -1].abs()
    mu = mean + 0.5 * torch.randn(batch, len(size))
    left = share * floor - gaussian_kl(torch.zeros(1), log_var).mean(0)
    exact = mu * (2 * left / mu.square().mean(0)).sqrt()
    return Case(mu=torch.where(share > 0, exact, mu), log_var=log_var, floor=floor)


class _FreeBitsSeen(Observe):
    """Where every dimension is below the floor nothing has a gradient, and a right answer may be cut from the graph."""

    def __call__(self, call: Callable, case: Case) -> Seen:
        below = bool((gaussian_kl(case.mu, case.log_var).mean(0) < case.floor).all())
        try:
            seen = super().__call__(call, case)
        except Mistake as found:
            if not below or found.feedback.kind != "type":
                raise
            raise Mistake(
                "type",
                f"Where every dimension is below the floor: {found.feedback.message} Elsewhere it is a tensor, as it "
                "should be. What do you add up when no KL is left in the sum?",
            ) from None
        seen.cut = seen.cut and not below
        return seen


GRADIENTS = "gradient at mu", "gradient at log_var"
SCALED = scaled("Your number", lambda c: {"d": c.mu.shape[1]}, ("value", *GRADIENTS))


def _scaled(trial: Trial) -> Mistake | None:
    return SCALED(replace(trial, cases=trial.cases[:2], seen=trial.seen[:2]))  # those with gradients


def _three_lines(trial: Trial) -> Mistake:
    case, seen = _worst(trial)
    plain = told(gaussian_kl(case.mu, case.log_var).mean(0).sum(), 4)
    return Mistake(
        "value",
        f"On a batch whose KL is {plain} nats, with floor = {case.floor:g}, you return {told(seen, 4)}. Build it in "
        "three lines: the KL of each image and dimension, the mean over the batch, the larger of that and the floor.",
    )


FREE_BITS = Task(
    usage="my_free_bits(mu, log_var, floor)",
    cases=lambda: [
        _floor_case(6, 0.3, (0.985, 0.0, 0.3), (1.015, 0.2, 0.4), (0.0, 0.0, 1.8), (0.0, -0.9, 4.6)),
        _floor_case(3, 0.8, (0.05, 0.0, 0.2), (0.1, 0.3, 0.1), (0.94, 0.0, 0.9), (1.06, 0.2, 0.4), (0.0, 0.1, 1.9),
                    (0.0, 3.4, 0.6), (0.97, -0.4, 0.7)),
        _floor_case(5, 2.5, (0.4, 0.2, 0.9), (0.5, -0.6, 1.2)),
    ],
    tables=(INPUTS, TERMS, FACTORS, BATCHES, SUMS, ORDERS, FLOORS, ENDS),
    compose=_free_bits,
    observe=_FreeBitsSeen(
        Wanted("()", lambda c: (), lambda c: {
            (c.mu.shape[1],): "The dimensions still have to be summed.",
            (c.mu.shape[0],): "One number for the whole batch is wanted: the floor is for the batch's mean."}),
        at=("mu", "log_var"), read=floats),
    fallbacks=(_scaled,),
    witness=_three_lines,
    probes=(in_any_order("images", {"mu": 0, "log_var": 0}), other_dtype()),
    retreat=lambda case: case.but(log_var=case.log_var.abs()),
    praise="Below the floor a dimension costs the same whatever it says, so it may speak.",
    seed=2,
)  # fmt: skip


def check_free_bits(free_bits: Callable[[Tensor, Tensor, float], Tensor]) -> Feedback:
    """Say whether `free_bits(mu, log_var, floor)` is Σⱼ max(λ, KLⱼ), KLⱼ the mean over the batch, one number in nats.

    mu and log_var (B, d), λ = floor. Values and the gradients in both inputs are compared. Raises nothing. Source:
    Kingma et al. (2016), "free bits".
    """
    return diagnose(FREE_BITS, free_bits)


# Spherical interpolation


def _unit(a: Tensor) -> Tensor:
    return a / a.norm()


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    return a @ b / (a.norm() * b.norm())


def _lerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    return (1 - t) * a + t * b


def _slerp_cases() -> list[Case]:
    """Unequal lengths, sharp and blunt angles, none with a negative sine in degrees; no right angle, no length one."""
    cases = []
    chosen = (5, 0.3, 0.432, 0.9), (12, 0.75, -0.7, 0.6), (3, 0.5, 0.774, 0.9), (6, 0.1, -0.2, 0.7)
    for latent, t, mix, length in chosen:
        a, other = _unit(torch.randn(latent)), torch.randn(latent)
        b = mix * a + (1 - mix**2) ** 0.5 * _unit(other - (other @ a) * a)
        cases.append(Case(a=length * a, b=1.2 * length * b, t=t))
    return cases


CODES = [
    Row("right", lambda c: (c.a, c.b), ok=True),
    Row("swapped", lambda c: (c.b, c.a), "The ends have changed places: t = 0 should give the first code."),
]
COSINES = [
    Row("right", _cosine, ok=True),
    Row("not_normalised", lambda a, b: a @ b,
        "The angle comes from a @ b without the lengths. The cosine is the product divided by both."),
    Row("acute", lambda a, b: _cosine(a, b).clamp(min=0),
        "Your angle is never more than a right one. The cosine of an obtuse angle is negative, and should stay so."),
    Row("acute", lambda a, b: _cosine(a, b).abs(),
        "Your cosine has lost its sign, so an obtuse angle becomes an acute one."),
]  # fmt: skip


def _angle(cosine: Tensor) -> Tensor:
    return cosine.clamp(-1, 1).acos()


COSINE = "The cosine is used as if it were the angle."
ARCSINE = "Your angle is an arcsine. Which function belongs to a cosine?"
ANGLES = [  # a negative one and its size: with `if sin Ω < …` the first gives the straight line
    Row("right", _angle, ok=True),
    Row("no_arccos", lambda cosine: cosine, COSINE),
    Row("no_arccos", lambda cosine: cosine.abs(), COSINE),
    Row("arcsine", lambda cosine: cosine.clamp(-1, 1).asin(), ARCSINE),
    Row("arcsine", lambda cosine: cosine.clamp(-1, 1).asin().abs(), ARCSINE),
    Row("degrees", lambda cosine: torch.rad2deg(_angle(cosine)),
        "The angle is in degrees, and `sin` wants radians, as `acos` returns them."),
    Row("half_angle", lambda cosine: _angle(cosine) / 2, "Your angle is half of the one between the codes."),
]  # fmt: skip


def _sines(t: float, turn: Tensor) -> tuple:
    if turn.sin() < 1e-4:
        return 1 - t, t
    return ((1 - t) * turn).sin() / turn.sin(), (t * turn).sin() / turn.sin()


WEIGHTS = [
    Row("right", _sines, ok=True),
    Row("not_divided", lambda t, turn: (((1 - t) * turn).sin(), (t * turn).sin()),
        "The two weights still have to be divided by the sine of the whole angle: at t = 0 the first must be 1."),
    Row("divided_by_angle", lambda t, turn: (((1 - t) * turn).sin() / turn, (t * turn).sin() / turn),
        "You divide by the angle. It is divided by its sine."),
    Row("cosines", lambda t, turn: ((t * turn).cos(), (t * turn).sin()),
        "A cosine and a sine would be right for codes at a right angle. The weights for any angle are both sines."),
    Row("right_angle", lambda t, turn: (math.cos(t * math.pi / 2), math.sin(t * math.pi / 2)),
        "You take the angle to be a right one, whatever the codes are."),
    Row("first_weight", lambda t, turn: (_sines(t, turn)[1],) * 2,
        "Both codes have the same weight in yours. The first has (1 − t) where the second has t."),
    Row("first_weight", lambda t, turn: (1 - _sines(t, turn)[1], _sines(t, turn)[1]),
        "The weights of a path on the sphere do not add up to 1."),
]  # fmt: skip
LOST = "The lengths of the codes are lost"
PATHS = [
    Row("right", lambda a, b, t, u, v: u * a + v * b, ok=True),
    Row("straight", lambda a, b, t, u, v: _lerp(a, b, t),
        "That is the straight line. It cuts through the inside of the sphere, where |z| is too small."),
    Row("unit_result", lambda a, b, t, u, v: u * _unit(a) + v * _unit(b),
        f"You go from one code of length 1 to another. {LOST}: normalise for the angle only."),
    Row("unit_result", lambda a, b, t, u, v: _unit(u * a + v * b), f"You bring the result to length 1. {LOST}."),
    Row("norm_apart", lambda a, b, t, u, v: (u * _unit(a) + v * _unit(b)) * _lerp(a.norm(), b.norm(), t),
        "You move direction and length apart. That is a good path too, but not the formula that is wanted: there a "
        "and b keep their lengths."),
    Row("norm_apart", lambda a, b, t, u, v: (u * _unit(a) + v * _unit(b)) * a.norm(),
        "All your points have the length of the first code. In the formula a and b keep their lengths."),
    Row("normalised_line", lambda a, b, t, u, v: _unit(_lerp(a, b, t)) * _lerp(a.norm(), b.norm(), t),
        "You stretch the straight line back to the sphere: the right directions at an uneven speed."),
    Row("normalised_line", lambda a, b, t, u, v: _unit(_lerp(a, b, t)),
        "You bring the straight line to length 1: the lengths are lost, and the speed is uneven."),
]  # fmt: skip


def _slerp(c: Case, codes, cosine, angle, weights, path) -> Tensor:
    a, b = codes(c)
    return path(a, b, c.t, *weights(c.t, angle(cosine(a, b))))


# The cosine of such a code and a multiple of it is 1 in float32, however it is computed, and here it is above 1.
EXACT = [([2.0, 0.0, 0.0, 0.0], 1.0), ([0.0, 0.5, 0.0, 0.0], 4.0)]
ABOVE_ONE = [
    ([-0.7, 0.4, -0.8, 0.4], 3.0), ([0.3, -0.7, 0.8, -0.1], 1.0), ([0.4, -0.1, 0.9, -0.3], 2.0),
    ([0.9, 0.5, 0.9, -0.1], 1.0),
]  # fmt: skip
ROLLED = [([0.3, -1.1, 0.7, 0.2], length) for length in (1.0, 2.5, 0.31)]


def _point(trial: Trial, a: Tensor, b: Tensor, t: float) -> Tensor:
    """The answer on two codes in float32; a `Mistake` if it is no tensor like `a`."""
    value = trial.ask(Case(a=a, b=b, t=t))["value"]
    if value.shape != a.shape:
        raise Mistake(
            "parallel_value", "Your function returns no tensor of shape (d,) for codes on one line."
        )
    return value.float()


def _near(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-3, atol=1e-4)


ZERO_BY_ZERO = "Where both codes point the same way the formula divides 0 by 0. Which point is wanted there?"
ROUNDING = (
    "For some codes that point the same way your point is not finite. Rounding makes their cosine 1.0000001, and no "
    "angle has that cosine."
)
NOT_STRAIGHT = (
    "The path is wrong for codes that point the same way, or nearly so. There it is the straight line."
)


def _same_way(trial: Trial) -> list:
    """Codes that point the same way."""
    for code, length in EXACT + ABOVE_ONE + ROLLED:
        a = torch.tensor(code).float()
        value = _point(trial, a, length * a, 0.25)
        if not value.isfinite().all():
            zero = (code, length) in EXACT
            raise Mistake("parallel", ZERO_BY_ZERO) if zero else Mistake("rounding", ROUNDING)
        if not _near(value, _lerp(a, length * a, 0.25)):
            raise Mistake("parallel_value", NOT_STRAIGHT)
    return []


def _opposite_ways(trial: Trial) -> list:
    """Codes that point opposite ways: the straight line, any half turn, or a refusal."""
    for code, length in ABOVE_ONE + EXACT:
        a = torch.tensor(code).float()
        try:
            value = _point(trial, a, -length * a, 0.3)
        except Mistake as found:
            if _refused(found):
                continue
            raise
        if not (_near(value, _lerp(a, -length * a, 0.3)) or _half_turn(value, a, length, 0.3)):
            size = f"the length {told(value.norm())}" if value.isfinite().all() else "no finite length"
            raise Mistake(
                "opposite",
                "The path is right but for codes that point in opposite ways: there sin Ω is practically 0 too, and "
                f"between codes of length {told(a.norm())} and {told(length * a.norm())} your point has {size}. What "
                "is wanted there?",
            )
    return []


def _half_turn(point: Tensor, a: Tensor, length: float, t: float) -> bool:
    """Whether `point` lies on some arc from `a` to its opposite: any of them is as short as the others."""
    size = point.norm() / a.norm()
    turned = (_cosine(point, a) - math.cos(t * math.pi)).abs() < 1e-2
    return bool(turned and min(1.0, length) * 0.99 < size < max(1.0, length) * 1.01)


def _refused(found: Mistake) -> bool:
    """Whether the learner's own `raise` or `assert` says that no way round is the shortest, as helpers.vae does."""
    said = found.feedback.message
    return "AssertionError:" in said or (
        "ValueError:" in said and "domain error" not in said and "number in range" not in said
    )


def _nearly(turn: float, near: float) -> Callable[[Trial], list]:
    """Two codes at an angle whose sine is small, and not yet practically 0."""

    def make(case: Case) -> Case:
        a, side = torch.tensor([1.0, 0.0, 0.5, -0.4]).float(), torch.tensor([0.0, 1.0, 0.0, 0.0]).float()
        return Case(a=a, b=1.5 * (math.cos(turn) * a + math.sin(turn) * a.norm() * side), t=0.5)

    say = (
        f"The path is right but for an angle of {turn:.2f} between the codes. Its sine is 0.08, which is not yet "
        "practically 0, so the formula still holds. From where on does your code leave it?"
    )
    return at(make, "wide", say, Close(0.0, near))


def _angle_first(trial: Trial) -> Mistake:
    case, seen = _worst(trial)
    lengths = case.a.norm(), case.b.norm(), case.t, seen.norm(), trial.ours(case)["value"].norm()
    text = (
        "Between codes of length {} and {}, at t = {}, your point has the length {}, and the right one {}. Print the "
        "angle first: it should lie between 0 and π."
    )
    return Mistake("value", text.format(*(told(each, 4) for each in lengths)))


SLERP = Task(
    usage="my_slerp(a, b, t)",
    cases=_slerp_cases,
    tables=(CODES, COSINES, ANGLES, WEIGHTS, PATHS),
    compose=_slerp,
    observe=Observe(Wanted("(d,)", lambda c: c.a.shape, lambda c: dict.fromkeys(
        [(), (1,)], "That is one number. The path goes through points of the latent space.")), read=floats),
    witness=_angle_first,
    probes=(_same_way, _opposite_ways, _nearly(0.08, 2e-4), _nearly(math.pi - 0.08, 2e-2), other_dtype()),
    praise="Even steps of t are even steps of the angle, and the ends are the codes themselves.",
    seed=3,
)  # fmt: skip


def check_slerp(slerp: Callable[[Tensor, Tensor, float], Tensor]) -> Feedback:
    """Say whether `slerp(a, b, t)` is (sin((1 − t)Ω) a + sin(tΩ) b) / sin Ω, and straight where a and b are parallel.

    a and b (d,), t a float from 0 to 1. For opposite codes the straight line, any half turn, or an exception that the
    learner raises is taken. Raises nothing. Source: Shoemake (1985).
    """
    return diagnose(SLERP, slerp)
