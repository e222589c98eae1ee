"""Answers to assignment 07: right ones written in other ways, and wrong ones with words of the sentence they get."""

import math
import statistics

import numpy as np
import torch

from helpers.data import Mixture
from helpers.gan import discriminator_loss, discriminator_step, gradient_norm_squared
from helpers.metrics import mode_coverage

CURVES = ("d_loss", "g_loss", "real", "fake")
TURN = torch.arange(6) * (math.pi / 3)
DATA = Mixture(
    torch.cat([torch.zeros(1, 2), 2 * torch.stack([TURN.cos(), TURN.sin()], dim=1)]), std=0.12
)  # as in the assignment

# --- question 1 --------------------------------------------------------------------------------------------------


def late(values):
    return values[-(len(values) // 3) :]


def by_statistics(patient):
    log = patient["log"]
    numbers = [abs(value) for name in CURVES for value in late(log[name])]
    centre = [statistics.fmean(axis) for axis in patient["points"].T.tolist()]
    away = [math.dist(point, centre) ** 2 for point in patient["points"].tolist()]
    return {
        "size": max(numbers) if all(map(math.isfinite, numbers)) else math.inf,
        "lead": statistics.median([a - b for a, b in zip(late(log["real"]), late(log["fake"]), strict=True)]),
        "fooled": statistics.median(late(log["fake"])),
        "spread": math.sqrt(statistics.fmean(away)),
    }


def by_tensors(patient):
    """NaN becomes infinity before the maximum; quantile interpolates between the middle two."""
    log = torch.tensor([patient["log"][name] for name in CURVES], dtype=torch.float64)
    tail = log[:, log.shape[1] - log.shape[1] // 3 :]
    return {
        "size": tail.abs().nan_to_num(nan=math.inf, posinf=math.inf).max(),
        "lead": (tail[2] - tail[3]).quantile(0.5),
        "fooled": tail[3].quantile(0.5),
        "spread": patient["points"].double().var(dim=0, correction=0).sum().sqrt(),
    }


def by_pairs(patient):
    """Over all pairs, the mean squared distance is twice the squared spread."""
    pairs = torch.cdist(patient["points"].double(), patient["points"].double()).square().mean()
    return by_statistics(patient) | {"spread": (pairs / 2).sqrt().item(), "modes": 7}


def with_unbiased_spread(patient):
    return by_statistics(patient) | {"spread": patient["points"].var(dim=0).sum().sqrt().item()}


def other(key, wrong):
    """The right signs, but for one key that comes from `wrong(log, points)`."""
    return lambda patient: by_statistics(patient) | {key: wrong(patient["log"], patient["points"])}


def sizes(log, names=CURVES, part=late):
    return [value for name in names for value in part(log[name])]


def infinite_unless(finite, value):
    return value if all(map(math.isfinite, finite)) else math.inf


def differences(log, part=late):
    return [a - b for a, b in zip(part(log["real"]), part(log["fake"]), strict=True)]


def stepping_over_nan(log, points):
    """max keeps what it has when it is compared with NaN."""
    largest = 0.0
    for value in sizes(log):
        largest = max(largest, abs(value))
    return largest


def patient_changed(patient):
    found = by_statistics(patient)
    for name in CURVES:
        patient["log"][name] = late(patient["log"][name])
    return found


def rms(x):
    return x.square().sum(dim=1).mean().sqrt().item()


SIGNS_RIGHT = {
    "lists": by_statistics,
    "tensors": by_tensors,
    "pairs": by_pairs,
}
SIGNS_WRONG = {
    "no NaN": (other("size", stepping_over_nan), "not infinite"),
    "NumPy's maximum": (
        other("size", lambda log, points: float(np.abs(sizes(log)).max())),
        "not infinite",
    ),
    "NumPy's nanmax": (
        other("size", lambda log, points: float(np.nanmax(np.abs(sizes(log))))),
        "not infinite",
    ),
    "no absolute value": (
        other("size", lambda log, points: infinite_unless(sizes(log), max(sizes(log)))),
        "largest absolute value",
    ),
    "whole log": (
        other(
            "size",
            lambda log, points: infinite_unless(sizes(log), max(map(abs, sizes(log, part=lambda v: v)))),
        ),
        "early records",
    ),
    "losses alone": (
        other("size", lambda log, points: infinite_unless(sizes(log), max(map(abs, sizes(log, CURVES[:2]))))),
        "losses alone",
    ),
    "logits alone": (
        other("size", lambda log, points: infinite_unless(sizes(log), max(map(abs, sizes(log, CURVES[2:]))))),
        "logits alone",
    ),
    "all of the log": (
        other("size", lambda log, points: infinite_unless(sizes(log), max(map(abs, sizes(log, tuple(log)))))),
        "`round`",
    ),
    "lead turned": (
        other("lead", lambda log, points: -statistics.median(differences(log))),
        "sign is turned",
    ),
    "lead of all": (
        other("lead", lambda log, points: statistics.median(differences(log, lambda v: v))),
        "lead: all records",
    ),
    "lead early": (
        other("lead", lambda log, points: statistics.median(differences(log, lambda v: v[: len(v) // 3]))),
        "first third",
    ),
    "lead, mean": (other("lead", lambda log, points: statistics.fmean(differences(log))), "lead: the mean"),
    "lead, last": (other("lead", lambda log, points: differences(log)[-1]), "lead: the last record"),
    "lead, two medians": (
        other(
            "lead",
            lambda log, points: statistics.median(late(log["real"])) - statistics.median(late(log["fake"])),
        ),
        "two medians",
    ),
    "torch.median": (
        other("lead", lambda log, points: torch.tensor(differences(log)).median().item()),
        "lower middle",
    ),
    "lead of losses": (
        other(
            "lead",
            lambda log, points: statistics.median(
                [g - d for g, d in zip(late(log["g_loss"]), late(log["d_loss"]), strict=True)]
            ),
        ),
        "losses are subtracted",
    ),
    "fooled by real": (other("fooled", lambda log, points: statistics.median(late(log["real"]))), "`real`"),
    "fooled, probability": (
        other("fooled", lambda log, points: torch.tensor(late(log["fake"])).sigmoid().quantile(0.5).item()),
        "probability",
    ),
    "fooled, all": (
        other("fooled", lambda log, points: statistics.median(log["fake"])),
        "fooled: all records",
    ),
    "spread, no root": (
        other("spread", lambda log, points: rms(points - points.mean(dim=0)) ** 2),
        "root is missing",
    ),
    "spread, n - 1": (with_unbiased_spread, "n − 1"),
    "spread, averaged": (
        other("spread", lambda log, points: rms(points - points.mean(dim=0)) / math.sqrt(2)),
        "coordinates are averaged",
    ),
    "spread, origin": (other("spread", lambda log, points: rms(points)), "origin"),
    "spread, one mean": (other("spread", lambda log, points: rms(points - points.mean())), "one number"),
    "spread, mean distance": (
        other("spread", lambda log, points: (points - points.mean(dim=0)).norm(dim=1).mean().item()),
        "mean distance",
    ),
    "patient changed": (patient_changed, "patient itself"),
    "a tuple": (lambda patient: tuple(by_statistics(patient).values()), "No dict"),
    "a key missing": (lambda patient: {"size": by_statistics(patient)["size"]}, "key is missing"),
}

# --- question 2 --------------------------------------------------------------------------------------------------


def rule(patient, without=(), lead=0.8, spread=0.03, size=1000.0, good=0.5, fooled=1.0):
    """A chain of questions; the illnesses in `without` are not known to it."""
    sign, (modes, share) = by_statistics(patient), mode_coverage(patient["points"], DATA)
    answers = {
        "diverged": sign["size"] > size,
        "z ignored": sign["spread"] < spread,
        "bribed D": share < good and sign["fooled"] > fooled,
        "blind D": share < good and abs(sign["lead"]) < lead,
        "mode collapse": share >= good and modes <= 4,
        "healthy": share >= good and modes >= 6,
    }
    return next((name for name, true in answers.items() if true and name not in without), "unclear")


def from_the_bottom(patient):
    """Other signs: distinct places, the accuracy that the logits suggest, the last record alone."""
    points, log = patient["points"], patient["log"]
    real, fake = log["real"][-1], log["fake"][-1]
    if not points.isfinite().all() or not np.isfinite([real, fake]).all():
        return "diverged"
    if max(log["g_loss"][-4:] + log["d_loss"][-4:]) > 500:
        return "diverged"
    if torch.pdist(points).max() < 0.1:
        return "z ignored"
    distance, nearest = torch.cdist(points, DATA.centres).min(dim=1)
    near = distance < 0.4
    kinds = len(nearest[near].unique())
    if near.float().mean() > 0.6:
        return "healthy" if kinds > 5 else "mode collapse"
    if fake > max(real, 0.5):
        return "bribed D"
    told_apart = 1 / (1 + math.exp(-real)) - 1 / (1 + math.exp(-fake))
    return "blind D" if abs(told_apart) < 0.15 else "unclear"


def by_votes(patient):
    """The name whose conditions all hold, in a table."""
    sign, (modes, share) = by_tensors(patient), mode_coverage(patient["points"], DATA)
    calm, alive = bool(sign["size"] < 1500), bool(sign["spread"] > 0.05)
    ok = share > 0.55
    table = {
        "diverged": [not calm],
        "z ignored": [calm, not alive],
        "healthy": [calm, alive, ok, modes > 5],
        "mode collapse": [calm, alive, ok, modes < 5],
        "bribed D": [calm, alive, not ok, bool(sign["fooled"] > 2)],
        "blind D": [calm, alive, not ok, bool(sign["fooled"].abs() < 0.5), bool(sign["lead"].abs() < 1)],
    }
    return ([name for name, conditions in table.items() if all(conditions)] or ["unclear"])[0]


def from_the_losses(patient):
    """Losses of log 4 and log 2 are those of a perfect generator."""
    d, g = patient["log"]["d_loss"][-1], patient["log"]["g_loss"][-1]
    if not math.isfinite(d + g) or d + g > 200:
        return "diverged"
    return "healthy" if abs(d - math.log(4)) < 0.25 and abs(g - math.log(2)) < 0.35 else "mode collapse"


def nan_unseen(patient):
    """size without care for NaN: with it, every comparison is False."""
    log = patient["log"]
    sign = other("size", stepping_over_nan)(patient)
    return (
        "diverged" if sign["size"] > 1000 else rule({"log": log, "points": patient["points"]}, ["diverged"])
    )


def collapse_first(patient):
    modes, share = mode_coverage(patient["points"], DATA)
    return "mode collapse" if share >= 0.5 and modes <= 4 else rule(patient)


def blind_first(patient):
    """Before it asks whether the fakes depend on z."""
    sign, (_, share) = by_statistics(patient), mode_coverage(patient["points"], DATA)
    return "blind D" if share < 0.5 and abs(sign["lead"]) < 0.8 else rule(patient)


def modes_alone(patient):
    """Good points are not asked for."""
    sign, (modes, _) = by_statistics(patient), mode_coverage(patient["points"], DATA)
    if sign["size"] > 1000:
        return "diverged"
    if sign["spread"] < 0.03:
        return "z ignored"
    if sign["fooled"] > 1:
        return "bribed D"
    return "mode collapse" if modes <= 4 else "healthy"


def bad_is_blind(patient):
    return rule(patient, lead=math.inf)


def half_means_blind(patient):
    """A D that says ½ is called blind, whatever the fakes."""
    named, sign = rule(patient), by_statistics(patient)
    return "blind D" if named == "healthy" and abs(sign["lead"]) < 2 else named


def first_point(patient):
    """Looks at the first fakes only."""
    return rule(patient | {"points": patient["points"][:2].repeat(50, 1)})


DIAGNOSE_RIGHT = {
    "a chain": rule,
    "other thresholds": lambda patient: rule(patient, lead=2.0, spread=0.08, size=800, good=0.6, fooled=4.0),
    "other signs": from_the_bottom,
    "a table": by_votes,
}
DIAGNOSE_WRONG = {
    "all well": (lambda patient: "healthy", "“diverged” was called “healthy”"),
    "the losses": (from_the_losses, "“blind D” was called “healthy”"),
    "NaN unseen": (nan_unseen, "“diverged” was called"),
    "collapse first": (collapse_first, "“z ignored” was called “mode collapse”"),
    "blind first": (blind_first, "“z ignored” was called “blind D”"),
    "modes alone": (modes_alone, "“unclear” was called “mode collapse”"),
    "bad is blind": (bad_is_blind, "“unclear” was called “blind D”"),
    "half means blind": (half_means_blind, "“healthy” was called “blind D”"),
    "no bribe": (lambda patient: rule(patient, ["bribed D"]), "“bribed D” was called “unclear”"),
    "no spread": (lambda patient: rule(patient, ["z ignored"]), "“z ignored” was called “mode collapse”"),
    "no blindness": (lambda patient: rule(patient, ["blind D"]), "“blind D” was called “unclear”"),
    "no collapse": (lambda patient: rule(patient, ["mode collapse"]), "“mode collapse” was called “unclear”"),
    "no health": (lambda patient: rule(patient, ["healthy"]), "“healthy” was called “unclear”"),
    "size too small": (lambda patient: rule(patient, size=10.0), "was called “diverged”"),
    "two fakes": (first_point, "was called"),
    "a number": (lambda patient: 3, "none of the seven names"),
    "another word": (lambda patient: rule(patient).upper(), "none of the seven names"),
}

# --- question 3 --------------------------------------------------------------------------------------------------


def slope_by_ones(discriminator, x):
    logits = discriminator(x)
    return torch.autograd.grad(logits, x, torch.ones_like(logits), create_graph=True)[0]


def one_by_one(generator, discriminator, d_optimiser, real, z, d_loss, gamma):
    """The slope of each point in a pass of its own, and two backward passes that add up."""
    d_optimiser.zero_grad()
    with torch.no_grad():
        fake = generator(z)
    loss = d_loss(discriminator(real), discriminator(fake)).mean()
    loss.backward()
    for point in real.detach():
        x = point[None].clone().requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(x), x, create_graph=True)
        (gamma / (2 * len(real)) * slope.pow(2).sum()).backward()
    d_optimiser.step()
    return loss.detach()


def both_at_once(generator, discriminator, d_optimiser, real, z, d_loss, gamma):
    real = real.detach().requires_grad_()
    real_logits, fake_logits = discriminator(torch.cat([real, generator(z).detach()])).chunk(2)
    slope = torch.autograd.grad(real_logits.sum(), real, create_graph=True)[0]
    loss = d_loss(real_logits, fake_logits).mean()
    d_optimiser.zero_grad(set_to_none=False)
    (loss + 0.5 * gamma * (slope.norm(dim=1) ** 2).mean()).backward()
    d_optimiser.step()
    return float(loss)


def with_the_helper(generator, discriminator, d_optimiser, real, z, d_loss, gamma):
    """As in notebook 07; the plain loss is kept on the way."""
    kept = []

    def with_r1(real_logits, fake_logits):
        kept.append(d_loss(real_logits, fake_logits).mean().item())
        return d_loss(real_logits, fake_logits) + gamma / 2 * gradient_norm_squared(discriminator, real)

    discriminator_step(generator, discriminator, d_optimiser, real, z, with_r1)
    return kept[0]


def step(
    penalty=lambda D, x, fake, logits: slope_by_ones(D, x).square().sum(dim=1).mean(),
    weight=0.5,
    empty=True,
    detach=True,
    loss_of=None,
    returned=lambda plain, whole: plain.item(),
):
    """A `penalised_step` with a part exchanged."""

    def answer(generator, discriminator, d_optimiser, real, z, d_loss, gamma):
        fake = generator(z)
        fake = fake.detach() if detach else fake
        x = real.detach().clone().requires_grad_()
        logits = discriminator(x)
        plain = (loss_of or d_loss)(logits, discriminator(fake)).mean()
        whole = plain + weight * gamma * penalty(discriminator, x, fake, logits)
        if empty:
            d_optimiser.zero_grad()
        whole.backward()
        d_optimiser.step()
        return returned(plain, whole)

    return answer


def squared(D, x):
    return slope_by_ones(D, x).square().sum(dim=1)


def asking(x):
    return x.detach().requires_grad_()


def graph_lost(D, x, fake, logits):
    (slope,) = torch.autograd.grad(logits.sum(), x, retain_graph=True)
    return slope.square().sum(dim=1).mean()


def of_the_mean(D, x, fake, logits):
    (slope,) = torch.autograd.grad(logits.mean(), x, create_graph=True)
    return slope.square().sum(dim=1).mean()


def of_the_probability(D, x, fake, logits):
    (slope,) = torch.autograd.grad(logits.sigmoid().sum(), x, create_graph=True)
    return slope.square().sum(dim=1).mean()


def in_the_middle(D, x, fake, logits):
    return (squared(D, x).sqrt() - 1).square().mean()


def after_the_step(generator, discriminator, d_optimiser, real, z, d_loss, gamma):
    one_by_one(generator, discriminator, d_optimiser, real, z, d_loss, gamma)
    with torch.no_grad():
        return d_loss(discriminator(real), discriminator(generator(z))).mean().item()


def uphill(generator, discriminator, d_optimiser, real, z, d_loss, gamma):
    return -step()(generator, discriminator, d_optimiser, real, z, lambda a, b: -d_loss(a, b), -gamma)


def frozen(generator, discriminator, d_optimiser, real, z, d_loss, gamma):
    generator.requires_grad_(False)
    return step()(generator, discriminator, d_optimiser, real, z, d_loss, gamma)


def never(generator, discriminator, d_optimiser, real, z, d_loss, gamma):
    """The step is forgotten."""
    d_optimiser.zero_grad()
    loss = d_loss(discriminator(real), discriminator(generator(z).detach())).mean()
    (loss + gamma / 2 * gradient_norm_squared(discriminator, real).mean()).backward()
    return loss.item()


STEP_RIGHT = {
    "one by one": one_by_one,
    "both at once": both_at_once,
    "the helper": with_the_helper,
    "in parts": step(),
}
STEP_WRONG = {
    "the helper alone": (
        lambda G, D, d, real, z, d_loss, gamma: discriminator_step(G, D, d, real, z, d_loss)["d_loss"],
        "no trace",
    ),
    "graph lost": (step(graph_lost), "no trace"),
    "no half": (step(weight=1.0), "twice as large"),
    "at the fakes": (step(lambda D, x, fake, logits: squared(D, asking(fake)).mean()), "at the fakes"),
    "at both": (
        step(lambda D, x, fake, logits: squared(D, x).mean() + squared(D, asking(fake)).mean()),
        "real points and fakes",
    ),
    "of the mean": (step(of_the_mean), "1/B"),
    "not squared": (step(lambda D, x, fake, logits: squared(D, x).sqrt().mean()), "not squared"),
    "sum": (step(lambda D, x, fake, logits: squared(D, x).sum()), "summed over the batch"),
    "mean of all": (
        step(lambda D, x, fake, logits: slope_by_ones(D, x).square().mean()),
        "coordinates are averaged",
    ),
    "drawn to 1": (step(in_the_middle), "drawn to 1"),
    "probability": (step(of_the_probability), "probability"),
    "sign": (step(weight=-0.5), "steeper"),
    "mean slope": (
        step(lambda D, x, fake, logits: slope_by_ones(D, x).mean(dim=0).square().sum()),
        "averaged over the batch before",
    ),
    "not emptied": (step(empty=False), "stood in D's gradients"),
    "fakes with their graph": (step(detach=False), "left at the parameters of G"),
    "one loss": (step(loss_of=discriminator_loss), "`d_loss` is not used"),
    "penalty returned with it": (step(returned=lambda plain, whole: whole.item()), "penalty in it"),
    "penalty returned": (step(returned=lambda plain, whole: (whole - plain).item()), "penalty comes back"),
    "with its graph": (step(returned=lambda plain, whole: plain), "with its graph"),
    "after the step": (after_the_step, "after the update"),
    "nothing": (step(returned=lambda plain, whole: None), "return missing"),
    "uphill": (uphill, "uphill"),
    "G frozen": (frozen, "left frozen"),
    "no step": (never, "has not moved"),
}

RIGHT = {"signs": SIGNS_RIGHT, "diagnose": DIAGNOSE_RIGHT, "penalised_step": STEP_RIGHT}
WRONG = {"signs": SIGNS_WRONG, "diagnose": DIAGNOSE_WRONG, "penalised_step": STEP_WRONG}
