"""Checks of notebook 13: active units, free bits, and spherical interpolation."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from helpers.checks.frame import (
    Answer,
    Feedback,
    Mistake,
    Way,
    a_or_an,
    finite,
    gives_feedback,
    right,
    tensor,
)


def _called(answer: Answer, case: tuple) -> object:
    """What the learner's function answers; `Mistake` where it changes what it was given."""
    given = [each.clone() if isinstance(each, Tensor) else each for each in case]
    value = answer(*given)
    for mine, theirs in zip(case, given, strict=True):
        if isinstance(mine, Tensor) and not torch.equal(mine, theirs):
            raise Mistake(
                "changed_input", "Your function changes the tensors it was given. Work on new ones."
            )
    return value


def _one_number(value: object, several: str) -> float:
    """The number in `value`; `several` is what to say of more than one."""
    try:
        if isinstance(value, Tensor | np.ndarray | list | tuple) and np.prod(np.shape(_plain(value))) != 1:
            raise Mistake("shape", several)
        value = float("text" if isinstance(value, str | bytes) else value)
    except (TypeError, ValueError, RuntimeError):  # RuntimeError from a complex tensor
        raise Mistake("type", f"Your function returned {a_or_an(value)}, and one number is wanted.") from None
    finite(torch.tensor(value))
    return value


def _plain(value: object) -> object:
    return value.detach() if isinstance(value, Tensor) else value


def _real(value: Tensor) -> Tensor:
    """`value`, or `Mistake` if it holds integers, yes and no, or complex numbers."""
    if not value.is_floating_point():
        name = str(value.dtype).removeprefix("torch.")
        raise Mistake(
            "type", f"Your tensor holds numbers of the type `{name}`. Stay with floating-point numbers."
        )
    return value


# Active units


def _column(values: tuple[float, ...], rows: int) -> Tensor:
    return torch.tensor(values).expand(rows, -1)


# deviation of μ over the images, mean of μ, σ: kinds of units, none near a threshold of any way
UNITS = [
    (1.0, 0.0, 0.08),
    (0.5, 0.0, 0.6),
    (0.2, 1.0, 0.9),
    (0.14, 0.0, 0.03),
    (0.05, 0.0, 1.0),
    (0.05, 0.7, 1.0),
    (0.0, 2.0, 1.0),
    (0.02, 0.0, 0.05),
    (0.013, 0.0, 0.5),
    (0.008, 0.0, 0.3),
    (0.0, 0.05, 1.0),
    (0.0, 0.0, 0.02),
    (0.002, 0.3, 1.3),
]


def _unit_cases() -> list[tuple[Tensor, Tensor]]:
    """Means and log variances (N, d) of units drawn from UNITS, such that no two of the ways count alike."""
    cases = []
    for rows in (301, 206, 150, 97, 260, 133):
        drawn = torch.randint(len(UNITS), (9,)).tolist()
        units = [UNITS[number] for number in drawn] if cases else UNITS
        deviations, means, sigmas = (tuple(part) for part in zip(*units, strict=True))
        wave = torch.randn(rows, len(units))
        wave[0] = 6 / (1 - 36 / rows) ** 0.5  # one image lies 6 deviations away
        wave = (wave - wave.mean(0)) / wave.std(0)
        mu = wave * _column(deviations, rows) + _column(means, rows)
        log_var = 2 * _column(sigmas, rows).log() + 0.3 * (torch.rand(rows, len(units)) - 0.5)
        cases.append((mu, log_var))
    return cases


def _kl(mu: Tensor, log_var: Tensor) -> Tensor:
    return 0.5 * (mu.square() + log_var.exp() - 1 - log_var)


UNIT_WAYS = [
    Way("right", lambda mu, log_var: (mu.var(0) > 0.01).sum()),
    Way(
        "std",
        lambda mu, log_var: (mu.std(0) > 0.01).sum(),
        "You compare a standard deviation with 0.01. The criterion compares a variance, its square.",
    ),
    Way(
        "second_moment",
        lambda mu, log_var: (mu.square().mean(0) > 0.01).sum(),
        "You average squares of μ without taking its mean away. A unit whose μ is 2 for every image says nothing.",
    ),
    Way(
        "of_samples",
        lambda mu, log_var: (mu.var(0) + log_var.exp().mean(0) > 0.01).sum(),
        "That is the variance of sampled z, with the encoder's own noise in it. A unit that is all noise has one "
        "too: look at the means.",
    ),
    Way(
        "posterior_variance",
        lambda mu, log_var: (log_var.exp().mean(0) > 0.01).sum(),
        "You look at σ², the width of a guess. A unit is active if its mean moves from image to image.",
    ),
    Way(
        "narrow",
        lambda mu, log_var: (log_var.exp().mean(0) < 0.99).sum(),
        "You count the units whose σ² is below 1. A narrow guess that is the same for all images carries nothing.",
    ),
    Way(
        "log_var",
        lambda mu, log_var: (log_var.var(0) > 0.01).sum(),
        "You take the variance of log σ². The criterion is about the means μ.",
    ),
    Way(
        "kl",
        lambda mu, log_var: (_kl(mu, log_var).mean(0) > 0.01).sum(),
        "You compare the KL of each unit with 0.01. It also counts a unit that is off the prior in the same way for "
        "all images.",
    ),
    Way(
        "mean",
        lambda mu, log_var: (mu.mean(0).abs() > 0.01).sum(),
        "You look at how far the mean of μ is from 0. What matters is how much μ changes from image to image.",
    ),
    Way(
        "mean",
        lambda mu, log_var: (mu.mean(0).square() > 0.01).sum(),
        "You look at the squared mean of μ over the images. What matters is how much μ changes between them.",
    ),
    Way(
        "any_image",
        lambda mu, log_var: ((mu.abs() > 0.01).any(0)).sum(),
        "One image with a μ above 0.01 makes a unit active in yours. A variance over all images is asked for.",
    ),
    Way(
        "any_image",
        lambda mu, log_var: ((mu - mu.mean(0)).square() > 0.01).any(0).sum(),
        "One image whose squared deviation is above 0.01 makes a unit active in yours. A variance is the mean of "
        "these squares over all images.",
    ),
    Way(
        "over_units",
        lambda mu, log_var: (mu.var(1) > 0.01).sum(),
        "The variance was taken over the units, and images were counted. Which dimension holds the images?",
    ),
    Way(
        "all_at_once",
        lambda mu, log_var: (mu.var() > 0.01).sum(),
        "You took one variance of all numbers together. Each unit needs its own.",
    ),
    Way(
        "share",
        lambda mu, log_var: (mu.var(0) > 0.01).float().mean(),
        "That is the share of the active units; their number is asked for.",
    ),
    Way(
        "inactive",
        lambda mu, log_var: (mu.var(0) <= 0.01).sum(),
        "You count the units that are not active.",
    ),
    Way(
        "threshold",
        lambda mu, log_var: (mu.var(0) > 0.1).sum(),
        "The threshold is too high: it is 0.01.",
    ),
    Way(
        "threshold",
        lambda mu, log_var: (mu.var(0) > 0.001).sum(),
        "The threshold is too low: it is 0.01.",
    ),
    Way(
        "threshold",
        lambda mu, log_var: (mu.var(0) > 0.0).sum(),
        "Any variance above 0 makes a unit active in yours. The encoder of a dead unit trembles a little, so the "
        "threshold is 0.01.",
    ),
    Way(
        "divided",
        lambda mu, log_var: (mu.var(0) / log_var.exp().mean(0) > 0.01).sum(),
        "You divide by σ². The criterion is the variance of the means alone.",
    ),
    Way(
        "sum_of_squares",
        lambda mu, log_var: ((mu - mu.mean(0)).square().sum(0) > 0.01).sum(),
        "You add up squared deviations. A variance is their mean over the images.",
    ),
]


@gives_feedback
def check_active_units(active_units: Callable[[Tensor, Tensor], object]) -> Feedback:
    """Say whether `active_units(mu, log_var)` counts the units with Var_x(E_q[z_j]) > 0.01.

    mu and log_var (N, d); an int, a float or a tensor of one element is taken, with either divisor, N or N − 1.
    Raises nothing. Source: Burda, Grosse, Salakhutdinov (2016), section 5.
    """
    answer = Answer(active_units, "my_active_units(mu, log_var)")
    torch.manual_seed(0)
    cases = [tuple(each.float() for each in case) for case in _unit_cases()]
    several = (
        "One number is asked for, how many units are active; yours has several. How does a row of yes and no "
        "become a count?"
    )
    seen = [_one_number(_called(answer, case), several) for case in cases]
    for way in UNIT_WAYS:
        if all(abs(each - float(way.answer(*case))) < 1e-4 for each, case in zip(seen, cases, strict=True)):
            if way.kind == "right":
                return right(
                    "A unit counts if its mean moves from image to image; its own noise says nothing."
                )
            raise Mistake(way.kind, way.message)
    raise Mistake(
        "count",
        f"Among {cases[0][0].shape[1]} units you count {seen[0]:g}. Take the mean μ of each image, then for each unit "
        "the variance over the images, and count those above 0.01.",
    )


# Free bits


def _bit_cases() -> list[tuple[Tensor, Tensor, float]]:
    """(B, d) and a floor such that single images lie on both sides of it where their mean does not."""
    cases = []
    for batch, latent, floor in ((6, 4, 0.3), (3, 7, 0.05), (5, 3, 2.5)):
        size = torch.linspace(0.1, 1.6, latent)
        cases.append((size * torch.randn(batch, latent), -size * torch.rand(batch, latent), floor))
    return cases


BIT_WAYS = [
    Way("right", lambda mu, log_var, floor: _kl(mu, log_var).mean(0).clamp(min=floor).sum()),
    Way(
        "each_image",
        lambda mu, log_var, floor: _kl(mu, log_var).clamp(min=floor).sum(1).mean(),
        "You compare the KL of each image with the floor, and average afterwards. The floor is for the mean over the "
        "batch.",
    ),
    Way(
        "total",
        lambda mu, log_var, floor: _kl(mu, log_var).sum(1).mean().clamp(min=floor),
        "You compare the KL of all dimensions together with the floor. One loud unit would free all others.",
    ),
    Way(
        "total",
        lambda mu, log_var, floor: _kl(mu, log_var).sum(1).mean().clamp(min=floor * mu.shape[1]),
        "You give all dimensions one floor together. Each has its own, or one loud unit would free all others.",
    ),
    Way(
        "total",
        lambda mu, log_var, floor: _kl(mu, log_var).sum(1).clamp(min=floor).mean(),
        "You sum over the dimensions before you compare with the floor. Each dimension has its own.",
    ),
    Way(
        "minimum",
        lambda mu, log_var, floor: _kl(mu, log_var).mean(0).clamp(max=floor).sum(),
        "You take the smaller of the two. Above the floor, the KL would be free, and below it would be charged.",
    ),
    Way(
        "no_floor",
        lambda mu, log_var, floor: _kl(mu, log_var).mean(0).sum(),
        "That is the plain KL: `floor` changes nothing yet.",
    ),
    Way(
        "excess",
        lambda mu, log_var, floor: (_kl(mu, log_var).mean(0) - floor).clamp(min=0).sum(),
        "You sum what lies above the floor. Its gradient is right, but the value is too low by the floors: it is no "
        "longer at least the KL.",
    ),
    Way(
        "dropped",
        lambda mu, log_var, floor: (
            torch.relu(_kl(mu, log_var).mean(0) - floor).sum()
            + floor * (_kl(mu, log_var).mean(0) > floor).sum()
        ),
        "A dimension below the floor counts 0 in yours. It should count the floor.",
    ),
    Way(
        "added",
        lambda mu, log_var, floor: (_kl(mu, log_var).mean(0) + floor).sum(),
        "You add the floor to every KL, which changes no gradient. Below the floor, the floor takes the KL's place.",
    ),
    Way(
        "weight",
        lambda mu, log_var, floor: floor * _kl(mu, log_var).mean(0).sum(),
        "You multiply by the floor. It is no weight, but a least price.",
    ),
    Way(
        "mean_of_units",
        lambda mu, log_var, floor: _kl(mu, log_var).mean(0).clamp(min=floor).mean(),
        "You average over the dimensions. The KL of independent dimensions is their sum.",
    ),
    Way(
        "sum_of_images",
        lambda mu, log_var, floor: _kl(mu, log_var).sum(0).clamp(min=floor).sum(),
        "You sum over the images before you compare. The floor is for the mean over the batch.",
    ),
    Way(
        "over_units",
        lambda mu, log_var, floor: _kl(mu, log_var).mean(1).clamp(min=floor).sum(),
        "The mean was taken over the dimensions, and the images were summed. Which dimension holds the images?",
    ),
    Way(
        "every_term",
        lambda mu, log_var, floor: _kl(mu, log_var).clamp(min=floor).sum(),
        "You clamp every number and sum them all. First comes the mean over the batch, for each dimension.",
    ),
    Way(
        "half",
        lambda mu, log_var, floor: (2 * _kl(mu, log_var)).mean(0).clamp(min=floor).sum(),
        "Your KL is twice too large. The closed form begins with a half.",
    ),
    Way(
        "sign",
        lambda mu, log_var, floor: (-_kl(mu, log_var)).mean(0).clamp(min=floor).sum(),
        "Your KL has the wrong sign: it is never above 0, so the floor takes its place everywhere.",
    ),
    Way(
        "log_sigma",
        lambda mu, log_var, floor: _kl(mu, 2 * log_var).mean(0).clamp(min=floor).sum(),
        "You read `log_var` as log σ. It is the logarithm of the variance.",
    ),
    Way(
        "sigma",
        lambda mu, log_var, floor: (
            (0.5 * (mu.square() + (log_var / 2).exp() - 1 - log_var)).mean(0).clamp(min=floor).sum()
        ),
        "Your KL has σ where σ² should stand.",
    ),
    Way(
        "no_log",
        lambda mu, log_var, floor: (0.5 * (mu.square() + log_var.exp() - 1)).mean(0).clamp(min=floor).sum(),
        "The logarithm is missing in your KL.",
    ),
    Way(
        "no_mu",
        lambda mu, log_var, floor: (0.5 * (log_var.exp() - 1 - log_var)).mean(0).clamp(min=floor).sum(),
        "μ is missing in your KL.",
    ),
    Way(
        "negated",
        lambda mu, log_var, floor: -_kl(mu, log_var).mean(0).clamp(min=floor).sum(),
        "The sign is turned. What is asked for is the price itself, which a loss adds.",
    ),
    Way(
        "of_means",
        lambda mu, log_var, floor: _kl(mu.mean(0), log_var.mean(0)).clamp(min=floor).sum(),
        "You average μ and log σ² over the images, and take the KL of the averages. First the KL of each image, then "
        "the mean.",
    ),
]


@gives_feedback
def check_free_bits(free_bits: Callable[[Tensor, Tensor, float], Tensor]) -> Feedback:
    """Say whether `free_bits(mu, log_var, floor)` is Σⱼ max(λ, KLⱼ), KLⱼ the mean over the batch, one number in nats.

    mu and log_var (B, d), λ = floor. Values and the gradients in both inputs are compared. Raises nothing. Source:
    Kingma et al. (2016), "free bits".
    """
    answer = Answer(free_bits, "my_free_bits(mu, log_var, floor)")
    torch.manual_seed(2)
    cases = [(*(part.float() for part in case[:2]), case[2]) for case in _bit_cases()]
    hints = {
        (cases[0][0].shape[1],): "The dimensions still have to be summed.",
        (
            cases[0][0].shape[0],
        ): "One number for the whole batch is asked for: the floor is for the batch's mean.",
    }
    seen, graphs = [], []
    for mu, log_var, floor in cases:
        leaves = mu.clone().requires_grad_(), log_var.clone().requires_grad_()
        value = answer(*leaves, floor)
        if not all(torch.equal(*pair) for pair in zip(leaves, (mu, log_var), strict=True)):
            raise Mistake(
                "changed_input", "Your function changes the tensors it was given. Work on new ones."
            )
        value = value.squeeze() if isinstance(value, Tensor) and value.numel() == 1 else value
        if seen and isinstance(value, int | float):
            raise Mistake(
                "type",
                f"Where every dimension is below the floor, your function returned {a_or_an(value)}; elsewhere it is "
                "a tensor, as it should be. What do you add up when no KL is left in the sum?",
            )
        value = _real(tensor(value, (), "()", hints))
        if (
            not seen and not value.requires_grad
        ):  # with all dimensions below the floor there may be no way back
            raise Mistake(
                "detached",
                "No gradient can pass from your number back to μ and log σ², so it could not train an encoder. Is "
                "there a `detach`, an `.item()` or a new `torch.tensor` on the way?",
            )
        seen.append(value.item())
        graphs.append((value, leaves))
    for way in BIT_WAYS:
        wanted = [way.answer(*case).item() for case in cases]
        if all(math.isclose(*pair, rel_tol=1e-4, abs_tol=1e-5) for pair in zip(seen, wanted, strict=True)):
            if way.kind == "right":
                for graph, case in zip(graphs, cases, strict=True):
                    _same_gradient(*graph, case)
                return right("Below the floor a dimension costs the same whatever it says, so it may speak.")
            raise Mistake(way.kind, way.message)
    plain = _kl(*cases[0][:2]).mean(0).sum().item()
    raise Mistake(
        "value",
        f"On a batch whose KL is {plain:.3f} nats you return {seen[0]:.3f}. Build it in three lines: the KL of each "
        "image and dimension, the mean over the batch, the larger of that and the floor.",
    )


def _same_gradient(value: Tensor, leaves: tuple[Tensor, Tensor], case: tuple) -> None:
    """`Mistake` unless the right `value` has the right gradient in both leaves, μ and log σ²."""
    mu, log_var, floor = case
    own = mu.clone().requires_grad_(), log_var.clone().requires_grad_()
    kl = _kl(*own).mean(0)
    wanted = torch.autograd.grad(kl.clamp(min=floor).sum(), own)
    got = [None, None]
    if value.requires_grad:
        try:
            got = torch.autograd.grad(value, leaves, allow_unused=True)
        except RuntimeError as error:
            said = str(error).split("\n")[0].split(":")[0][:120]
            raise Mistake(
                "backward", f"The value is right, but backward stopped with RuntimeError: {said}."
            ) from None
    got = [torch.zeros_like(mu) if part is None else part for part in got]
    near = [torch.isclose(*pair, rtol=1e-3, atol=1e-5).all(0) for pair in zip(got, wanted, strict=True)]
    near, free = near[0] & near[1], kl.detach() < floor
    if near.all():
        return
    for name, mine, theirs in zip(("μ", "log σ²"), got, wanted, strict=True):
        if theirs.any() and not mine.any() and got[0].any() | got[1].any():
            raise Mistake(
                "detached",
                f"The value is right, but no gradient passes back to {name}. Is there a `detach` or a `.data` on the "
                "way?",
            )
    if near[~free].all():
        raise Mistake(
            "pulled",
            "The value is right, but its gradient still pulls at dimensions below the floor. Did the floor change "
            "numbers where backward does not look, with a `.data`, a `no_grad` or a `detach`?",
        )
    if near[free].all() and not any(part[:, ~free].any() for part in got):
        raise Mistake(
            "detached",
            "The value is right, but no gradient passes back from the dimensions above the floor, which should still "
            "pay. Is there a `detach`, an `.item()` or a new `torch.tensor` on the way?",
        )
    raise Mistake(
        "gradient",
        "The value is right, but its gradient in μ and log σ² is not that of the formula. Backward goes through every "
        "operation but a `detach`, a `.data` or a `no_grad`: is there one?",
    )


# Spherical interpolation


def _angle(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b / (a.norm() * b.norm())).clamp(-1, 1).acos()


def _slerp(a: Tensor, b: Tensor, t: float, angle: Callable[[Tensor, Tensor], Tensor] = _angle) -> Tensor:
    turn = angle(a, b)
    if turn.sin().abs() < 1e-4:
        return (1 - t) * a + t * b
    return (((1 - t) * turn).sin() * a + (t * turn).sin() * b) / turn.sin()


def _weighted(weights: Callable[[float, Tensor], tuple]) -> Callable:
    """u a + v b with u, v = weights(t, Ω)."""

    def blend(a: Tensor, b: Tensor, t: float) -> Tensor:
        u, v = weights(t, _angle(a, b))
        return u * a + v * b

    return blend


def _unit(a: Tensor) -> Tensor:
    return a / a.norm()


def _lerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    return (1 - t) * a + t * b


def _slerp_cases() -> list[tuple[Tensor, Tensor, float]]:
    """Unequal lengths, sharp and blunt angles; the angle is never a right one, nor any length one."""
    cases = []
    for latent, t, mix, length in (
        (5, 0.3, 0.4, 0.9),
        (8, 0.75, -0.7, 0.6),
        (3, 0.5, 0.8, 0.9),
        (6, 0.1, -0.2, 0.7),
    ):
        a, other = _unit(torch.randn(latent)), torch.randn(latent)
        b = mix * a + (1 - mix**2) ** 0.5 * _unit(other - (other @ a) * a)
        cases.append((length * a, 1.2 * length * b, t))
    return cases


SLERP_WAYS = [
    Way("right", _slerp),
    Way(
        "straight",
        _lerp,
        "That is the straight line. It cuts through the inside of the sphere, where |z| is too small.",
    ),
    Way(
        "swapped",
        lambda a, b, t: _slerp(b, a, t),
        "The ends have changed places: t = 0 should give the first code.",
    ),
    Way(
        "not_normalised",
        lambda a, b, t: _slerp(a, b, t, lambda a, b: (a @ b).clamp(-1, 1).acos()),
        "The angle comes from a @ b without the lengths. The cosine is the product divided by both.",
    ),
    Way(
        "not_normalised",
        lambda a, b, t: _slerp(a, b, t, lambda a, b: (a @ b / (a @ a)).clamp(-1, 1).acos()),
        "The product is divided by one length squared. The cosine is divided by both lengths.",
    ),
    Way(
        "no_arccos",
        lambda a, b, t: _slerp(a, b, t, lambda a, b: a @ b / (a.norm() * b.norm())),
        "The cosine is used as if it were the angle.",
    ),
    Way(
        "degrees",
        lambda a, b, t: _slerp(a, b, t, lambda a, b: torch.rad2deg(_angle(a, b))),
        "The angle is in degrees, and `sin` wants radians, as `acos` returns them.",
    ),
    Way(
        "half_angle",
        lambda a, b, t: _slerp(a, b, t, lambda a, b: _angle(a, b) / 2),
        "Your angle is half of the one between the codes.",
    ),
    Way(
        "supplement",
        lambda a, b, t: _slerp(a, b, t, lambda a, b: torch.pi - _angle(a, b)),
        "Your angle is that between one code and the opposite of the other.",
    ),
    Way(
        "acute",
        lambda a, b, t: _slerp(a, b, t, lambda a, b: (a @ b / (a.norm() * b.norm())).clamp(0, 1).acos()),
        "Your angle is never more than a right one. The cosine of an obtuse angle is negative, and should stay so.",
    ),
    Way(
        "acute",
        lambda a, b, t: _slerp(
            a, b, t, lambda a, b: (a @ b / (a.norm() * b.norm())).abs().clamp(max=1).acos()
        ),
        "Your cosine has lost its sign, so an obtuse angle becomes an acute one.",
    ),
    Way(
        "unit_result",
        lambda a, b, t: _slerp(_unit(a), _unit(b), t),
        "Your points have the length 1. The lengths of the codes are lost: normalise for the angle only.",
    ),
    Way(
        "unit_result",
        lambda a, b, t: _unit(_slerp(a, b, t)),
        "You bring the result to length 1. The lengths of the codes are lost.",
    ),
    Way(
        "norm_apart",
        lambda a, b, t: _slerp(_unit(a), _unit(b), t) * ((1 - t) * a.norm() + t * b.norm()),
        "You move direction and length apart. That is a good path too, but not the formula that is asked for: there a "
        "and b keep their lengths.",
    ),
    Way(
        "norm_apart",
        lambda a, b, t: _slerp(_unit(a), _unit(b), t) * a.norm(),
        "All your points have the length of the first code. In the formula a and b keep their lengths.",
    ),
    Way(
        "normalised_line",
        lambda a, b, t: _unit(_lerp(a, b, t)) * ((1 - t) * a.norm() + t * b.norm()),
        "You stretch the straight line back to the sphere. That goes through the right directions at an uneven speed.",
    ),
    Way(
        "normalised_line",
        lambda a, b, t: _unit(_lerp(a, b, t)),
        "You bring the straight line to length 1: the lengths are lost, and the speed is uneven.",
    ),
    Way(
        "normalised_line",
        lambda a, b, t: _unit(_lerp(_unit(a), _unit(b), t)) * ((1 - t) * a.norm() + t * b.norm()),
        "You stretch a straight line back to the sphere. That goes through the right directions at an uneven speed.",
    ),
    Way(
        "not_divided",
        _weighted(lambda t, turn: (((1 - t) * turn).sin(), (t * turn).sin())),
        "The two weights still have to be divided by the sine of the whole angle: at t = 0 the first must be 1.",
    ),
    Way(
        "divided_by_angle",
        _weighted(lambda t, turn: (((1 - t) * turn).sin() / turn, (t * turn).sin() / turn)),
        "You divide by the angle. It is divided by its sine.",
    ),
    Way(
        "cosines",
        _weighted(lambda t, turn: ((t * turn).cos(), (t * turn).sin())),
        "A cosine and a sine would be right for codes at a right angle. The weights for any angle are both sines.",
    ),
    Way(
        "squares",
        _weighted(lambda t, turn: (math.cos(t * math.pi / 2) ** 2, math.sin(t * math.pi / 2) ** 2)),
        "Your weights do not depend on the angle between the codes.",
    ),
    Way(
        "right_angle",
        _weighted(lambda t, turn: (math.cos(t * math.pi / 2), math.sin(t * math.pi / 2))),
        "You take the angle to be a right one, whatever the codes are.",
    ),
    Way(
        "first_weight",
        _weighted(lambda t, turn: ((t * turn).sin() / turn.sin(), (t * turn).sin() / turn.sin())),
        "Both codes have the same weight in yours. The first has (1 − t) where the second has t.",
    ),
    Way(
        "first_weight",
        _weighted(lambda t, turn: (1 - (t * turn).sin() / turn.sin(), (t * turn).sin() / turn.sin())),
        "The weights of a path on the sphere do not add up to 1.",
    ),
]


@gives_feedback
def check_slerp(slerp: Callable[[Tensor, Tensor, float], Tensor]) -> Feedback:
    """Say whether `slerp(a, b, t)` is (sin((1 − t)Ω) a + sin(tΩ) b) / sin Ω, and straight where a and b are parallel.

    a and b (d,), t a float from 0 to 1. For opposite codes the straight line, any half turn, or an exception that the
    learner raises is taken. Raises nothing. Source: Shoemake (1985).
    """
    answer = Answer(slerp, "my_slerp(a, b, t)")
    torch.manual_seed(3)
    cases = [(a.float(), b.float(), t) for a, b, t in _slerp_cases()]
    hints = {
        (): "That is one number. The path goes through points of the latent space.",
        (1,): "That is one number.",
    }
    seen = [_real(tensor(_called(answer, case), tuple(case[0].shape), "(d,)", hints)) for case in cases]
    for way in SLERP_WAYS:
        if all(
            torch.allclose(each.detach().double(), way.answer(*case).double(), rtol=1e-3, atol=1e-4)
            for each, case in zip(seen, cases, strict=True)
        ):
            if way.kind == "right":
                return _at_the_limits(answer)
            raise Mistake(way.kind, way.message)
    length = seen[0].norm().item()
    raise Mistake(
        "value",
        f"Between codes of length 0.9 and 1.08, at t = 0.3, your point has the length {length:.3g}, and it is not on "
        "the path. Print the angle first: it should lie between 0 and π.",
    )


# The cosine of such a code and a multiple of it is 1 in float32, however it is computed, and here it is above 1.
EXACT = [([2.0, 0.0, 0.0, 0.0], 1.0), ([0.0, 0.5, 0.0, 0.0], 4.0)]
ABOVE_ONE = [
    ([-0.7, 0.4, -0.8, 0.4], 3.0),
    ([0.3, -0.7, 0.8, -0.1], 1.0),
    ([0.4, -0.1, 0.9, -0.3], 2.0),
    ([0.9, 0.5, 0.9, -0.1], 1.0),
]
ROLLED = [([0.3, -1.1, 0.7, 0.2], length) for length in (1.0, 2.5, 0.31)]


def _at_the_limits(answer: Answer) -> Feedback:
    """Codes that point the same way, opposite ways, and nearly the same way."""
    for code, length in EXACT + ABOVE_ONE + ROLLED:
        a = torch.tensor(code).float()
        value, straight = _point(answer, a, length * a, 0.25), _lerp(a, length * a, 0.25)
        if not value.isfinite().all() and (code, length) in EXACT:
            raise Mistake(
                "parallel",
                "The formula is right, but where both codes point the same way it divides 0 by 0. What is wanted "
                "there?",
            )
        if not value.isfinite().all():
            raise Mistake(
                "rounding",
                "The formula is right, but for some codes that point the same way your point is not finite. Rounding "
                "makes their cosine 1.0000001, and no angle has that cosine.",
            )
        if not torch.allclose(value, straight, rtol=1e-3, atol=1e-4):
            raise Mistake(
                "parallel_value",
                "The path is right but for codes that point the same way. There it should be the straight line "
                "between them.",
            )
    for code, length in ABOVE_ONE + EXACT:
        a = torch.tensor(code).float()
        try:
            value = _point(answer, a, -length * a, 0.3)
        except Mistake as found:
            if _refused(found):
                continue
            raise
        if not torch.allclose(value, _lerp(a, -length * a, 0.3), rtol=1e-3, atol=1e-4) and not _half_turn(
            value, a, length, 0.3
        ):
            point = (
                f"your point has the length {value.norm():.3g}"
                if value.isfinite().all()
                else "your point has no finite length"
            )
            raise Mistake(
                "opposite",
                "The path is right but for codes that point in opposite ways: there sin Ω is practically 0 too, and "
                f"between codes of length {a.norm():.3g} and {length * a.norm():.3g} {point}. What is wanted there?",
            )
    a, side = torch.tensor([1.0, 0.0, 0.5, -0.4]).float(), torch.tensor([0.0, 1.0, 0.0, 0.0]).float()
    for turn, near in ((0.08, 2e-4), (math.pi - 0.08, 2e-2)):
        b = 1.5 * (math.cos(turn) * a + math.sin(turn) * a.norm() * side)
        if not torch.allclose(_point(answer, a, b, 0.5), _slerp(a, b, 0.5), rtol=0, atol=near):
            raise Mistake(
                "wide",
                f"The path is right but for an angle of {turn:.2f} between the codes. Its sine is 0.08, which is not "
                "yet practically 0, so the formula still holds. From where on does your code leave it?",
            )
    return right("Even steps of t are even steps of the angle, and the ends are the codes themselves.")


def _point(answer: Answer, a: Tensor, b: Tensor, t: float) -> Tensor:
    """The answer as float32; a `Mistake` if it is no tensor like `a`."""
    value = _called(answer, (a, b, t))
    if not isinstance(value, Tensor) or value.shape != a.shape:
        raise Mistake(
            "parallel_value",
            "For codes that point the same way or opposite ways your function returns no tensor of shape (d,). There "
            "it should be the straight line between them.",
        )
    return _real(value).detach().float()


def _half_turn(point: Tensor, a: Tensor, length: float, t: float) -> bool:
    """Whether `point` lies on some arc from `a` to its opposite: any of them is as short as the others."""
    size = point.norm() / a.norm()
    turned = (point @ a / (point.norm() * a.norm()) - math.cos(t * math.pi)).abs() < 1e-2
    return bool(turned and min(1.0, length) * 0.99 < size < max(1.0, length) * 1.01)


def _refused(found: Mistake) -> bool:
    """Whether the learner's own `raise` or `assert` says that no way round is the shortest, as helpers.vae does."""
    said = str(found)
    return "AssertionError:" in said or (
        "ValueError:" in said and "domain error" not in said and "number in range" not in said
    )
