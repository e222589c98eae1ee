"""Both sides of the checks of notebook 13: right ways pass, each wrong one is called by its name."""

import math

import pytest
import torch
from answers import folded_solutions, tests_of
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import cosine_similarity, normalize, relu, softplus

from helpers.checks import nb13_latent_space as checks
from helpers.checks.nb13_latent_space import check_active_units, check_free_bits, check_slerp
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
    *(
        (lambda m, v, t=t: (m.var(0) > t).sum(), "threshold", "0.01")
        for t in (0, 0.005, 0.0093, 0.0108, 0.0115, 0.02)
    ),
    # two mistakes
    (lambda m, v: (m.std(0) > 0.001).sum(), "std", "too low"),
    (lambda m, v: (m.std(0) <= 0.01).sum(), "std", "not active"),
    (lambda m, v: ((m**2).mean(0) > 0.1).sum(), "second_moment", "too high"),
    # no count, or one of something else
    (lambda m, v: m.var(0) > 0.01, "shape", "count"),
    (lambda m, v: str((m.var(0) > 0.01).sum().item()), "type", "one number"),
    (lambda m, v: [[1], [1, 2]], "type", "one number"),
    (lambda m, v: [j for j, each in enumerate(m.var(0)) if each > 0.01], "shape", "indices"),
    *((lambda m, v, f=f: f(m.var(0) > 0.01), "count", "never above 1") for f in (torch.any, lambda x: int(x[0]))),
    (lambda m, v: (m.var(0).log() > 0.01).sum(), "count", "always 0"),
    (lambda m, v: ((m - m.median(0).values).square().mean(0) > 0.01).sum(), "count", "over the images"),
    (lambda m, v: 100, "count", "variance over the images"),
    (lambda m, v: (m.var(0) > 0.01).sum() + 1, "count", "variance over the images"),
    (shifted, "changed_input", "`mu`"),
]  # fmt: skip

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
    (loud_detached, "detached", "above the floor"),
    (half_detached, "gradient", "gradients at `mu` and `log_var`"),
    (changed_in_place, "in_place", "changed in place"),
    (lambda m, v, f: kl(m.data, v).mean(0).clamp(f).sum(), "detached", "back to μ"),
    (lambda m, v, f: kl(m, v).mean(0).detach().clamp(f).sum(), "no_gradient", "cut from the graph"),
    (lambda m, v, f: torch.tensor(kl(m, v).mean(0).clamp(f).sum().item()), "no_gradient", "cut from the graph"),
    (lambda m, v, f: kl(m, v).mean(0).clamp(f).sum().item(), "type", "tensors"),
    (lambda m, v, f: sum(max(f, k) for k in kl(m, v).mean(0)), "type", "every dimension is below"),
    (lambda m, v, f: (-kl(m, v)).mean(0).clamp(f).sum() + 0 * m.sum(), "sign", "wrong sign"),
    # two mistakes
    (lambda m, v, f: (2 * kl(m, v)).mean(0).clamp(f).mean(), "half", "average over the dimensions"),
    (lambda m, v, f: -kl(m, v).clamp(f).sum(1).mean(), "each_image", "The sign is turned"),
    (lambda m, v, f: kl(m, v).mean(0).sum() / m.shape[1], "mean_of_units", "plain KL"),
    # near the floor, and elsewhere
    (lambda m, v, f: kl(m, v).mean(0).clamp(0.9 * f).sum(), "value", "three lines"),
    (lambda m, v, f: torch.where(kl(m, v).mean(0) > 1.05 * f, kl(m, v).mean(0), f).sum(), "value", "three lines"),
    (lambda m, v, f: softplus(kl(m, v).mean(0) - f).sum() + f * m.shape[1], "value", "three lines"),
    (lambda m, v, f: kl(m, v).mean(0).clamp(f, 5.0).sum(), "value", "three lines"),
    (lambda m, v, f: kl(m, v).mean(0).clamp(f).sum() / len(m), "batch_twice", "once too often"),
    (lambda m, v, f: 3 + kl(m, v).mean(0).clamp(f).sum(), "value", "three lines"),
    (lambda m, v, f: 2 * kl(m, v).mean(0).clamp(f).sum(), "scale", "2 times"),
    (lambda m, v, f: kl(m, v).mean(0).clamp(f), "shape", "summed"),
    (lambda m, v, f: kl(m, v).clamp(f).sum(1), "shape", "whole batch"),
    (shifts_mu, "changed_input", "`mu`"),
]  # fmt: skip

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


def guarded_angle(of):
    def way(a, b, t):
        turn = of(unclamped(a, b).clamp(-1, 1))
        return torch.lerp(a, b, t) if turn.sin() < 1e-4 else blend(turn, a, b, t)

    return way


def unclamped(a, b):
    return a @ b / (a.norm() * b.norm())


WRONG_SLERPS = [
    # where the sine is small
    (by_small_number, "opposite", "opposite ways"),
    (guarded(lambda turn, sine: sine < 1e-4, unclamped), "rounding", "1.0000001"),
    (guarded(lambda turn, sine: turn == 0, unclamped), "rounding", "1.0000001"),
    (lambda a, b, t: torch.nan_to_num(guarded(lambda turn, sine: sine < 1e-4, unclamped)(a, b, t)),
     "parallel_value", "straight line"),
    (guarded(lambda turn, sine: turn < 1e-4), "opposite", "opposite ways"),
    (guarded(lambda turn, sine: sine == 0), "opposite", "opposite ways"),
    (guarded(lambda turn, sine: sine < 1e-4, lambda a, b: unclamped(a, b).clamp(max=1)), "opposite", "no finite"),
    *((guarded(lambda turn, sine, w=w: sine < w), "wide", "0.08") for w in (0.1, 0.2, 0.3)),
    (guarded(lambda turn, sine: sine < 1e-4 or turn > 3), "wide", "3.06"),
    (guarded(lambda turn, sine: sine < 0.1, lambda a, b: cosine_similarity(a, b, dim=0)), "rounding", "1."),
    (lambda a, b, t: by_numbers(a, b, t) if unclamped(a, b) > -0.999 else a, "opposite", "opposite ways"),
    (lambda a, b, t: blend(angle(a, b), a, b, t), "parallel", "0 by 0"),
    (lambda a, b, t: slerp(a, b, t) if angle(a, b) > 1e-3 else a, "parallel_value", "straight line"),
    # what comes back
    (lambda a, b, t: slerp(a, b, t) > 0, "type", "bool"),
    (lambda a, b, t: slerp(a, b, t).norm(), "shape", "one number"),
    (lambda a, b, t: (slerp(a, b, t), 0), "type", "tensor"),
    (shifts_a, "changed_input", "`a`"),
    # on the way
    (guarded(lambda turn, sine: sine < 1e-4, lambda a, b: unclamped(a, b).abs().clamp(max=1)), "acute", "sign"),
    (lambda a, b, t: blend((a @ b).acos(), a, b, t), "not_normalised", "without the lengths"),
    (guarded(lambda turn, sine: sine < 1e-4, lambda a, b: unclamped(a, b).clamp(-0.99, 0.99)), "parallel_value", "or"),
    *((guarded_angle(f), kind, "angle") for f, kind in ((torch.asin, "arcsine"), (torch.clone, "no_arccos"))),
    (lambda a, b, t: slerp(a, b, t) + 1, "value", "angle first"),
    (lambda a, b, t: slerp(a, b, t * t), "value", "angle first"),
    # two mistakes
    (lambda a, b, t: blend((a @ b).clamp(-1, 1).acos(), b, a, t), "swapped", "without the lengths"),
    (lambda a, b, t: blend(angle(a, b) / 2, normalize(a, dim=0), normalize(b, dim=0), t), "half_angle", "lost"),
]  # fmt: skip

test_units_right, _, test_units_wrong = tests_of(check_active_units, RIGHT_UNITS, (), WRONG_UNITS)
test_bits_right, _, test_bits_wrong = tests_of(check_free_bits, RIGHT_BITS, (), WRONG_BITS)
test_slerp_right, _, test_slerp_wrong = tests_of(check_slerp, RIGHT_SLERPS, (), WRONG_SLERPS)


def refuses(error):
    def way(a, b, t):
        if angle(a, b) > 3.14:
            raise error
        return slerp(a, b, t)

    return way


@pytest.mark.parametrize("error", [ValueError("No way is the shortest."), AssertionError("opposite codes")])
def test_opposite_codes_may_be_refused(error):
    assert check_slerp(refuses(error)).kind == "right"


def test_an_accident_at_opposite_codes_is_no_refusal():
    assert check_slerp(refuses(ValueError("math domain error"))).kind == "raised"


def test_units_lie_on_either_side_of_the_threshold():
    torch.manual_seed(checks.ACTIVE_UNITS.seed)
    for divisor in (0, 1):
        variances = torch.cat([case.mu.var(0, correction=divisor) for case in checks.ACTIVE_UNITS.cases()])
        assert 0.0096 < variances[variances < 0.01].max() and variances[variances > 0.01].min() < 0.0104


def test_dimensions_lie_on_either_side_of_the_floor():
    torch.manual_seed(checks.FREE_BITS.seed)
    for case in checks.FREE_BITS.cases()[:2]:
        shares = oracle_kl(case.mu, case.log_var).mean(0) / case.floor
        assert 0.93 < shares[shares < 1].max() and shares[shares > 1].min() < 1.07


def test_the_solutions_in_the_notebook_pass(dtype):
    mine = folded_solutions("13_the_latent_space", torch=torch)
    assert check_active_units(mine["my_active_units"]).kind == "right"
    assert check_free_bits(mine["my_free_bits"]).kind == "right"
    assert check_slerp(mine["my_slerp"]).kind == "right"
