"""Both sides of the checks of notebook 13: right ways pass, each wrong one is called by its name."""

import math

import pytest
import torch
from folded_solutions import folded_solutions
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import cosine_similarity, normalize, relu

from helpers.checks import check_active_units, check_free_bits, check_slerp
from helpers.checks import latent_space as checks
from helpers.vae import active_units, free_bits, gaussian_kl, slerp

# Active units


def units_by_loop(mu, log_var):
    count = 0
    for j in range(mu.shape[1]):
        column = [float(value) for value in mu[:, j]]
        mean = sum(column) / len(column)
        if sum((value - mean) ** 2 for value in column) / len(column) > 0.01:
            count += 1
    return count


RIGHT_UNITS = [
    lambda mu, log_var: active_units(mu),
    lambda mu, log_var: (mu.var(dim=0) > 0.01).sum(),
    lambda mu, log_var: (mu.var(dim=0, correction=0) >= 0.01).sum().item(),
    lambda mu, log_var: (mu.std(dim=0) > 0.1).sum(),
    lambda mu, log_var: ((mu - mu.mean(0)).square().mean(0) > 0.01).sum(),
    lambda mu, log_var: (mu.square().mean(0) - mu.mean(0).square() > 0.01).sum(),
    lambda mu, log_var: (torch.cov(mu.T).diagonal() > 0.01).sum(),
    lambda mu, log_var: int((mu.numpy().var(axis=0) > 0.01).sum()),
    lambda mu, log_var: len([v for v in mu.var(0) if v > 0.01]),
    lambda mu, log_var: torch.count_nonzero(mu.double().var(0) > 0.01),
    lambda mu, log_var: (mu.flip(0).flip(1).var(0) > 0.01).float().sum(),
    units_by_loop,
]


def shifted(mu, log_var):
    mu += 1
    return (mu.var(0) > 0.01).sum()


def sampled(mu, log_var):
    z = mu + (log_var / 2).exp() * torch.randn_like(mu)
    return (z.var(0) > 0.01).sum()


WRONG_UNITS = [
    (sampled, "of_samples", "noise"),
    (lambda m, v: (m.std(0) > 0.01).sum(), "std", "square"),
    (lambda m, v: ((m**2).mean(0) > 0.01).sum(), "second_moment", "mean away"),
    (lambda m, v: (v.exp().mean(0) > 0.01).sum(), "posterior_variance", "width"),
    (lambda m, v: (v.exp().mean(0) < 0.99).sum(), "narrow", "narrow"),
    (lambda m, v: (v.var(0) > 0.01).sum(), "log_var", "means"),
    (lambda m, v: ((m**2 + v.exp() - 1 - v).mean(0) / 2 > 0.01).sum(), "kl", "same way"),
    (lambda m, v: (m.mean(0).abs() > 0.01).sum(), "mean", "from 0"),
    (lambda m, v: (m.mean(0) ** 2 > 0.01).sum(), "mean", "squared mean"),
    (lambda m, v: (m.abs() > 0.01).any(0).sum(), "any_image", "One image"),
    (lambda m, v: ((m - m.mean(0)) ** 2 > 0.01).any(0).sum(), "any_image", "squared deviation"),
    (lambda m, v: (m.var(1) > 0.01).sum(), "over_units", "Which dimension"),
    (lambda m, v: (m.T.var(0) > 0.01).sum(), "over_units", "Which dimension"),
    (lambda m, v: int(m.var() > 0.01), "all_at_once", "its own"),
    (lambda m, v: (m.var(0) > 0.01).double().mean(), "share", "number"),
    (lambda m, v: (m.var(0) < 0.01).sum(), "inactive", "not active"),
    (lambda m, v: (m.var(0) > 0.1).sum(), "threshold", "too high"),
    (lambda m, v: (m.var(0) > 0.001).sum(), "threshold", "too low"),
    (lambda m, v: (m.var(0) > 0).sum(), "threshold", "trembles"),
    (lambda m, v: (m.var(0) / v.exp().mean(0) > 0.01).sum(), "divided", "alone"),
    (lambda m, v: ((m - m.mean(0)).square().sum(0) > 0.01).sum(), "sum_of_squares", "mean over"),
    (lambda m, v: m.var(0) > 0.01, "shape", "count"),
    (lambda m, v: m.var(0), "shape", "count"),
    (lambda m, v: m.var(0).tolist(), "shape", "count"),
    (lambda m, v: "seven", "type", "one number"),
    (lambda m, v: str((m.var(0) > 0.01).sum().item()), "type", "one number"),
    (lambda m, v: (m.var(0) > 0.01).sum() + 1j, "type", "one number"),
    (lambda m, v: [[1], [1, 2]], "type", "one number"),
    (lambda m, v: 100, "count", "variance over the images"),
    (lambda m, v: m.var(0).log().sum() * float("nan"), "nan", "NaN"),
    (lambda m, v: None, "none", "return"),
    (shifted, "changed_input", "changes the tensors"),
]

# Free bits


def bits_by_loop(mu, log_var, floor):
    total = 0
    for j in range(mu.shape[1]):
        kl = gaussian_kl(mu[:, j : j + 1], log_var[:, j : j + 1]).mean()
        total = total + (kl if kl > floor else kl * 0 + floor)
    return total


def oracle_kl(mu, log_var):
    return kl_divergence(Normal(mu, (log_var / 2).exp()), Normal(torch.zeros_like(mu), 1.0))


def floor_by_index(m, v, floor):
    price = kl(m, v).mean(0).clone()
    price[price < floor] = floor
    return price.sum()


RIGHT_BITS = [
    free_bits,
    floor_by_index,
    lambda m, v, floor: torch.stack(
        [each if each > floor else torch.tensor(floor) for each in kl(m, v).mean(0)]
    ).sum(),
    bits_by_loop,
    lambda m, v, floor: oracle_kl(m, v).mean(0).clamp(min=floor).sum(),
    lambda m, v, floor: torch.maximum((-0.5 * (1 + v - m**2 - v.exp())).mean(0), torch.tensor(floor)).sum(),
    lambda m, v, floor: relu(oracle_kl(m, v).mean(0) - floor).sum() + floor * m.shape[1],
    lambda m, v, floor: (relu(oracle_kl(m, v).mean(0) - floor) + floor).sum(),
    lambda m, v, floor: torch.where(oracle_kl(m, v).mean(0) > floor, oracle_kl(m, v).mean(0), floor).sum(),
    lambda m, v, floor: sum(max(kl, torch.tensor(floor)) for kl in oracle_kl(m, v).mean(0)),
    lambda m, v, floor: oracle_kl(m.double(), v.double()).mean(0).clamp(floor).sum(),
    lambda m, v, floor: oracle_kl(m.flip(0), v.flip(0)).sum(0).div(len(m)).clamp_min(floor).sum().view(1),
    lambda m, v, floor: torch.clamp(oracle_kl(m, v).T.mean(1), floor, float("inf")).sum(),
]


def kl(m, v):
    return 0.5 * (m**2 + v.exp() - 1 - v)


def shifts_mu(m, v, floor):
    m.data += 1
    return kl(m, v).mean(0).clamp(floor).sum()


def floor_in_data(m, v, floor):
    price = kl(m, v).mean(0)
    price.data.clamp_(min=floor)
    return price.sum()


def floor_without_grad(m, v, floor):
    price = kl(m, v).mean(0)
    with torch.no_grad():
        price[price < floor] = floor
    return price.sum()


def straight_through(m, v, floor):
    price = kl(m, v).mean(0)
    return (price + (price.clamp(min=floor) - price).detach()).sum()


def loud_detached(m, v, floor):
    price = kl(m, v).mean(0)
    return torch.where(price > floor, price.detach(), price * 0 + floor).sum()


def half_detached(m, v, floor):
    price = kl(m, v).mean(0).clamp(floor).sum()
    return (price + price.detach()) / 2


def changed_in_place(m, v, floor):
    sigma2 = v.exp()
    root = sigma2.sqrt()
    price = (m**2 + root**2 - 1 - v).mean(0).clamp(2 * floor).sum() / 2
    root += 1
    return price


WRONG_BITS = [
    (floor_in_data, "pulled", "below the floor"),
    (floor_without_grad, "pulled", "below the floor"),
    (straight_through, "pulled", "below the floor"),
    (loud_detached, "detached", "above the floor"),
    (half_detached, "gradient", "not that of the formula"),
    (changed_in_place, "backward", "modified by an inplace"),
    (lambda m, v, f: kl(m.detach(), v).mean(0).clamp(f).sum(), "detached", "back to μ"),
    (lambda m, v, f: kl(m, v.detach()).mean(0).clamp(f).sum(), "detached", "back to log σ²"),
    (lambda m, v, f: kl(m.data, v).mean(0).clamp(f).sum(), "detached", "back to μ"),
    (lambda m, v, f: kl(m, v).mean(0).clamp(f).sum() + 0j, "type", "complex"),
    (lambda m, v, f: kl(m, v).mean(0).clamp(f).sum().long(), "type", "int64"),
    (lambda m, v, f: sum(max(f, k) for k in kl(m, v).mean(0)), "type", "every dimension is below"),
    (lambda m, v, f: kl(m, v).clamp(f).sum(1).mean(), "each_image", "average afterwards"),
    (lambda m, v, f: kl(m, v).clamp(f).mean(0).sum(), "each_image", "average afterwards"),
    (lambda m, v, f: kl(m, v).sum(1).mean().clamp(f), "total", "all dimensions together"),
    (lambda m, v, f: kl(m, v).sum(1).mean().clamp(f * m.shape[1]), "total", "one floor"),
    (lambda m, v, f: kl(m, v).sum(1).clamp(f).mean(), "total", "before you compare"),
    (lambda m, v, f: kl(m, v).mean(0).clamp(max=f).sum(), "minimum", "smaller"),
    (lambda m, v, f: kl(m, v).sum(1).mean(), "no_floor", "plain KL"),
    (lambda m, v, f: relu(kl(m, v).mean(0) - f).sum(), "excess", "too low"),
    (lambda m, v, f: (kl(m, v).mean(0) * (kl(m, v).mean(0) > f)).sum(), "dropped", "counts 0"),
    (lambda m, v, f: (kl(m, v).mean(0) + f).sum(), "added", "no gradient"),
    (lambda m, v, f: f * kl(m, v).sum(1).mean(), "weight", "no weight"),
    (lambda m, v, f: kl(m, v).mean(0).clamp(f).mean(), "mean_of_units", "their sum"),
    (lambda m, v, f: kl(m, v).sum(0).clamp(f).sum(), "sum_of_images", "mean over the batch"),
    (lambda m, v, f: kl(m, v).mean(1).clamp(f).sum(), "over_units", "Which dimension"),
    (lambda m, v, f: kl(m, v).clamp(f).sum(), "every_term", "First comes"),
    (lambda m, v, f: (2 * kl(m, v)).mean(0).clamp(f).sum(), "half", "a half"),
    (lambda m, v, f: (-kl(m, v)).mean(0).clamp(f).sum() + 0 * m.sum(), "sign", "wrong sign"),
    (lambda m, v, f: kl(m, 2 * v).mean(0).clamp(f).sum(), "log_sigma", "log σ"),
    (lambda m, v, f: (0.5 * (m**2 + (v / 2).exp() - 1 - v)).mean(0).clamp(f).sum(), "sigma", "σ²"),
    (lambda m, v, f: (0.5 * (m**2 + v.exp() - 1)).mean(0).clamp(f).sum(), "no_log", "logarithm"),
    (lambda m, v, f: (0.5 * (v.exp() - 1 - v)).mean(0).clamp(f).sum(), "no_mu", "μ is missing"),
    (lambda m, v, f: -kl(m, v).mean(0).clamp(f).sum(), "negated", "turned"),
    (lambda m, v, f: kl(m.mean(0), v.mean(0)).clamp(f).sum(), "of_means", "averages"),
    (lambda m, v, f: kl(m, v).mean(0).clamp(f), "shape", "summed"),
    (lambda m, v, f: kl(m, v).clamp(f).sum(1), "shape", "whole batch"),
    (lambda m, v, f: kl(m, v).mean(0).clamp(f).sum().item(), "type", "tensors"),
    (lambda m, v, f: kl(m, v).mean(0).detach().clamp(f).sum(), "detached", "train an encoder"),
    (lambda m, v, f: torch.tensor(kl(m, v).mean(0).clamp(f).sum().item()), "detached", "train an encoder"),
    (lambda m, v, f: 3 + kl(m, v).mean(0).clamp(f).sum(), "value", "three lines"),
    (lambda m, v, f: kl(m, v.log()).mean(0).clamp(f).sum(), "nan", "NaN"),
    (lambda m, v, f: None, "none", "return"),
    (shifts_mu, "changed_input", "changes the tensors"),
]

# Spherical interpolation


def by_numbers(a, b, t):
    cosine = sum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True))
    cosine /= math.hypot(*a.tolist()) * math.hypot(*b.tolist())
    turn = math.acos(max(-1.0, min(1.0, cosine)))
    if math.sin(turn) < 1e-3:
        return a + t * (b - a)
    return (math.sin((1 - t) * turn) * a + math.sin(t * turn) * b) / math.sin(turn)


def by_directions(a, b, t):
    turn = (normalize(a, dim=0) @ normalize(b, dim=0)).clamp(-1.0, 1.0).arccos()
    if turn.sin() < 1e-3:
        return torch.lerp(a, b, t)
    return a * torch.sin((1 - t) * turn) / torch.sin(turn) + b * torch.sin(t * turn) / torch.sin(turn)


def by_basis(a, b, t):
    """With the part of b that is upright on a: an orthonormal turn, scaled back."""
    one, two = a / a.norm(), b / b.norm()
    side = two - (two @ one) * one
    if side.norm() < 1e-4:
        return (1 - t) * a + t * b
    turn = torch.atan2(side.norm(), two @ one)
    u, v = torch.sin((1 - t) * turn) / torch.sin(turn), torch.sin(t * turn) / torch.sin(turn)
    return u * a + v * b


def by_cosine_similarity(a, b, t):
    turn = torch.acos(cosine_similarity(a, b, dim=0).clamp(-1, 1))
    return (
        a + t * (b - a)
        if turn.sin() < 1e-4
        else (((1 - t) * turn).sin() * a + (t * turn).sin() * b) / turn.sin()
    )


def by_branch_on_cosine(a, b, t):
    cosine = (a @ b) / (a.norm() * b.norm())
    if cosine.abs() > 0.9995:
        return (1 - t) * a + t * b
    turn = torch.arccos(cosine)
    return torch.stack([((1 - t) * turn).sin(), (t * turn).sin()]) @ torch.stack([a, b]) / turn.sin()


def round_a_half_turn(a, b, t):
    """For opposite codes any half turn is as good as another."""
    cosine = (a @ b) / (a.norm() * b.norm())
    if cosine < -0.99999:
        side = torch.zeros_like(a)
        side[a.abs().argmin()] = 1
        side = normalize(side - (side @ a) / (a @ a) * a, dim=0)
        way = math.cos(t * math.pi) * normalize(a, dim=0) + math.sin(t * math.pi) * side
        return way * torch.lerp(a.norm(), b.norm(), t)
    return by_numbers(a, b, t)


def guarded(below, cosine=lambda a, b: (a @ b / (a.norm() * b.norm())).clamp(-1, 1)):
    """The formula with a guard: `below` says of the angle, or of its sine, whether it is small."""

    def way(a, b, t):
        turn = cosine(a, b).acos()
        return torch.lerp(a, b, t) if below(turn, turn.sin()) else blend(turn, a, b, t)

    return way


RIGHT_SLERPS = [
    slerp,
    by_numbers,
    by_directions,
    by_basis,
    by_cosine_similarity,
    by_branch_on_cosine,
    round_a_half_turn,
    guarded(lambda turn, sine: sine < 1e-4),
    guarded(lambda turn, sine: sine.abs() < 1e-3),
    guarded(lambda turn, sine: sine < 1e-2),
    guarded(lambda turn, sine: not sine > 1e-4, lambda a, b: a @ b / (a.norm() * b.norm())),
    lambda a, b, t: slerp(a.double(), b.double(), t),
    lambda a, b, t: slerp(b, a, 1 - t),
    lambda a, b, t: slerp(a.flip(0), b.flip(0), t).flip(0),
]


def angle(a, b):
    return (a @ b / (a.norm() * b.norm())).clamp(-1, 1).acos()


def blend(turn, a, b, t):
    return (((1 - t) * turn).sin() * a + (t * turn).sin() * b) / turn.sin()


def shifts_a(a, b, t):
    a -= 1
    return blend(angle(a, b), a, b, t)


def by_small_number(a, b, t):
    turn = (
        ((a * b).sum() / a.square().sum().sqrt() / b.square().sum().sqrt()).clamp(-1 + 1e-6, 1 - 1e-6).acos()
    )
    return (((1 - t) * turn).sin() * a + (t * turn).sin() * b) / turn.sin()


def unclamped(a, b):
    return a @ b / (a.norm() * b.norm())


WRONG_SLERPS = [
    (by_small_number, "opposite", "opposite ways"),
    (guarded(lambda turn, sine: sine < 1e-4, unclamped), "rounding", "1.0000001"),
    (guarded(lambda turn, sine: turn == 0, unclamped), "rounding", "1.0000001"),
    (
        lambda a, b, t: torch.nan_to_num(guarded(lambda turn, sine: sine < 1e-4, unclamped)(a, b, t)),
        "parallel_value",
        "straight line",
    ),
    (guarded(lambda turn, sine: turn < 1e-4), "opposite", "opposite ways"),
    (guarded(lambda turn, sine: sine == 0), "opposite", "opposite ways"),
    (
        guarded(lambda turn, sine: sine < 1e-4, lambda a, b: unclamped(a, b).clamp(max=1)),
        "opposite",
        "no finite",
    ),
    *((guarded(lambda turn, sine, w=w: sine < w), "wide", "0.08") for w in (0.1, 0.2, 0.3)),
    (guarded(lambda turn, sine: sine < 1e-4 or turn > 3), "wide", "3.06"),
    (guarded(lambda turn, sine: sine < 0.1, lambda a, b: cosine_similarity(a, b, dim=0)), "rounding", "1."),
    (lambda a, b, t: by_numbers(a, b, t) if unclamped(a, b) > -0.999 else a, "opposite", "opposite ways"),
    (lambda a, b, t: slerp(a, b, t).long(), "type", "int64"),
    (lambda a, b, t: slerp(a, b, t) > 0, "type", "bool"),
    (lambda a, b, t: slerp(a, b, t) + 0j, "type", "complex64"),
    (guarded(lambda turn, sine: sine < 1e-4, lambda a, b: unclamped(a, b).clamp(0, 1)), "acute", "right one"),
    (
        guarded(lambda turn, sine: sine < 1e-4, lambda a, b: unclamped(a, b).abs().clamp(max=1)),
        "acute",
        "sign",
    ),
    (lambda a, b, t: (1 - t) * a + t * b, "straight", "straight line"),
    (lambda a, b, t: slerp(b, a, t), "swapped", "changed places"),
    (lambda a, b, t: blend((a @ b).clamp(-1, 1).acos(), a, b, t), "not_normalised", "without the lengths"),
    (lambda a, b, t: blend((a @ b / (a @ a)).clamp(-1, 1).acos(), a, b, t), "not_normalised", "one length"),
    (lambda a, b, t: blend((a @ b).acos(), a, b, t), "not_normalised", "without the lengths"),
    (lambda a, b, t: (a - b).sqrt(), "nan", "NaN"),
    (lambda a, b, t: blend(a @ b / (a.norm() * b.norm()), a, b, t), "no_arccos", "as if"),
    (lambda a, b, t: blend(torch.rad2deg(angle(a, b)), a, b, t), "degrees", "radians"),
    (lambda a, b, t: blend(angle(a, b) / 2, a, b, t), "half_angle", "half"),
    (lambda a, b, t: blend(math.pi - angle(a, b), a, b, t), "supplement", "opposite"),
    (lambda a, b, t: slerp(a / a.norm(), b / b.norm(), t), "unit_result", "length 1"),
    (lambda a, b, t: normalize(slerp(a, b, t), dim=0), "unit_result", "to length 1"),
    (
        lambda a, b, t: slerp(a / a.norm(), b / b.norm(), t) * torch.lerp(a.norm(), b.norm(), t),
        "norm_apart",
        "apart",
    ),
    (lambda a, b, t: slerp(a / a.norm(), b / b.norm(), t) * a.norm(), "norm_apart", "first code"),
    (lambda a, b, t: normalize(torch.lerp(a, b, t), dim=0), "normalised_line", "lengths are lost"),
    (
        lambda a, b, t: normalize(torch.lerp(a, b, t), dim=0) * torch.lerp(a.norm(), b.norm(), t),
        "normalised_line",
        "uneven",
    ),
    (lambda a, b, t: blend(angle(a, b), a, b, t) * angle(a, b).sin(), "not_divided", "divided"),
    (
        lambda a, b, t: blend(angle(a, b), a, b, t) * angle(a, b).sin() / angle(a, b),
        "divided_by_angle",
        "its sine",
    ),
    (lambda a, b, t: (t * angle(a, b)).cos() * a + (t * angle(a, b)).sin() * b, "cosines", "both sines"),
    (
        lambda a, b, t: math.cos(t * math.pi / 2) * a + math.sin(t * math.pi / 2) * b,
        "right_angle",
        "right one",
    ),
    (
        lambda a, b, t: (t * angle(a, b)).sin() / angle(a, b).sin() * (a + b),
        "first_weight",
        "same weight",
    ),
    (
        lambda a, b, t: a + (t * angle(a, b)).sin() / angle(a, b).sin() * (b - a),
        "first_weight",
        "add up to 1",
    ),
    (lambda a, b, t: blend(angle(a, b), a, b, t), "parallel", "0 by 0"),
    (lambda a, b, t: blend((a @ b / (a.norm() * b.norm())).acos(), a, b, t), "parallel", "0 by 0"),
    (lambda a, b, t: slerp(a, b, t) if angle(a, b) > 1e-3 else a, "parallel_value", "straight line"),
    (lambda a, b, t: slerp(a, b, t).norm(), "shape", "one number"),
    (lambda a, b, t: (slerp(a, b, t), 0), "type", "tensor"),
    (lambda a, b, t: slerp(a, b, t) + 1, "value", "angle first"),
    (lambda a, b, t: None, "none", "return"),
    (shifts_a, "changed_input", "changes the tensors"),
]

LIBRARIES = [
    (check_active_units, RIGHT_UNITS, WRONG_UNITS),
    (check_free_bits, RIGHT_BITS, WRONG_BITS),
    (check_slerp, RIGHT_SLERPS, WRONG_SLERPS),
]


@pytest.mark.parametrize(("check", "way"), [(check, way) for check, ways, _ in LIBRARIES for way in ways])
def test_right_ways_pass(check, way, dtype):
    assert check(way).kind == "right", check(way)


@pytest.mark.parametrize(
    ("check", "way", "kind", "phrase"),
    [(check, *wrong) for check, _, wrongs in LIBRARIES for wrong in wrongs],
)
def test_wrong_ways_are_called_by_name(check, way, kind, phrase, dtype):
    feedback = check(way)
    assert not feedback.ok and feedback.kind == kind and phrase in feedback.message, feedback


@pytest.mark.parametrize(
    ("ways", "cases"),
    [
        (checks.UNIT_WAYS, checks._unit_cases),
        (checks.BIT_WAYS, checks._bit_cases),
        (checks.SLERP_WAYS, checks._slerp_cases),
    ],
)
def test_the_cases_tell_every_two_ways_apart(ways, cases):
    torch.manual_seed({"_unit_cases": 0, "_bit_cases": 2, "_slerp_cases": 3}[cases.__name__])
    answers = []
    made = cases()
    for way in ways:
        answers.append(torch.cat([way.answer(*case).double().flatten() for case in made]))
    for number, one in enumerate(answers):
        for other in answers[:number]:
            assert (one - other).abs().max() > 1e-2


def test_the_solutions_in_the_notebook_pass():
    mine = folded_solutions("13_the_latent_space", torch=torch, gaussian_kl=gaussian_kl)
    assert check_active_units(mine["my_active_units"]).kind == "right"
    assert check_free_bits(mine["my_free_bits"]).kind == "right"
    assert check_slerp(mine["my_slerp"]).kind == "right"
