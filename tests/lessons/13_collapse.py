"""Answers to assignment 13: right ones written in other ways, and wrong ones with words of the sentence they get."""

import math

import numpy as np
import torch
from torch.distributions import Normal, kl_divergence

from helpers.vae import free_bits, kl_per_dimension

# --- question 1 --------------------------------------------------------------------------------------------------


def by_distributions(mu, log_var):
    guess = Normal(mu.double(), (log_var.double() / 2).exp())
    centre = mu.double().mean(0)
    variance = (guess.variance + (guess.mean - centre) ** 2).mean(0)
    return {
        "active": mu.double().std(0) > 0.1,
        "kl": kl_divergence(guess, Normal(0.0, 1.0)).mean(0),
        "told": kl_divergence(guess, Normal(centre, variance.sqrt())).mean(0),
    }


def by_numpy(mu, log_var):
    mu, log_var = mu.numpy().astype(float), log_var.numpy().astype(float)
    square = np.exp(log_var)
    variance = (mu**2 + square).mean(0) - mu.mean(0) ** 2
    return {
        "active": np.var(mu, axis=0, ddof=1) > 0.01,
        "kl": ((mu**2 + square - log_var - 1) / 2).mean(0),
        "told": (np.log(variance) - log_var.mean(0)) / 2,
    }


def by_lists(mu, log_var):
    """The helper for the KL, and `told` as the KL minus what all have in common."""
    kl, signs = kl_per_dimension(mu, log_var), {"active": [], "kl": [], "told": [], "note": "mine"}
    for j in range(mu.shape[1]):
        mean = sum(mu[:, j].tolist()) / len(mu)
        between = sum((value - mean) ** 2 for value in mu[:, j].tolist()) / len(mu)
        variance = between + sum(map(math.exp, log_var[:, j].tolist())) / len(mu)
        signs["active"].append(between > 0.01)
        signs["kl"].append(kl[j].item())
        signs["told"].append(kl[j].item() - (mean**2 + variance - 1 - math.log(variance)) / 2)
    return signs


def other(key, wrong):
    """The right signs, but for one key that comes from `wrong(mu, log_var)`."""
    return lambda mu, log_var: by_distributions(mu, log_var) | {key: wrong(mu.double(), log_var.double())}


def kls(mu, log_var):
    return 0.5 * (mu.square() + log_var.exp() - 1 - log_var)


def told_with(variance, *, short=True):
    """`told` with another v(mu, σ²)."""

    def answer(mu, log_var):
        v = variance(mu, log_var.exp())
        if short:
            return 0.5 * (v.log() - log_var.mean(0))
        squares = (mu - mu.mean(0)).square() + log_var.exp()
        return (0.5 * (squares / v - 1 - log_var + v.log())).mean(0)

    return other("told", answer)


def between(mu, square):
    return mu.var(0, correction=0)


def within(mu, square):
    return square.mean(0)


def changing(mu, log_var):
    found = by_distributions(mu, log_var)
    mu -= mu.mean(0)
    return found


SIGNS_RIGHT = {"distributions": by_distributions, "NumPy": by_numpy, "lists": by_lists}
SIGNS_WRONG = {
    "second moment": (other("active", lambda mu, lv: mu.square().mean(0) > 0.01), "second moment"),
    "active by KL": (other("active", lambda mu, lv: kls(mu, lv).mean(0) > 0.01), "the KL is compared"),
    "variance of z": (
        other("active", lambda mu, lv: mu.var(0, correction=0) + lv.exp().mean(0) > 0.01),
        "variance of z",
    ),
    "the noise": (other("active", lambda mu, lv: lv.exp().mean(0) > 0.01), "noise σ²"),
    "deviation": (other("active", lambda mu, lv: mu.std(0) > 0.01), "standard deviation"),
    "threshold 0.1": (other("active", lambda mu, lv: mu.var(0) > 0.1), "0.1"),
    "asleep": (other("active", lambda mu, lv: mu.var(0) <= 0.01), "exchanged"),
    "the variances": (other("active", lambda mu, lv: mu.var(0, correction=0)), "variances themselves"),
    "a count": (other("active", lambda mu, lv: (mu.var(0) > 0.01).sum()), "shape"),
    "over the units": (other("active", lambda mu, lv: mu.var(1) > 0.01), "active"),
    "KL summed": (other("kl", lambda mu, lv: kls(mu, lv).sum(0)), "summed over the pictures"),
    "KL of a picture": (other("kl", lambda mu, lv: kls(mu, lv).sum(1)), "kl"),
    "no half": (other("kl", lambda mu, lv: 2 * kls(mu, lv).mean(0)), "½"),
    "negative": (other("kl", lambda mu, lv: -kls(mu, lv).mean(0)), "sign"),
    "log σ": (other("kl", lambda mu, lv: kls(mu, 2 * lv).mean(0)), "log σ"),
    "no one": (other("kl", lambda mu, lv: kls(mu, lv).mean(0) + 0.5), "−1"),
    "reversed": (
        other("kl", lambda mu, lv: kl_divergence(Normal(0.0, 1.0), Normal(mu, (lv / 2).exp())).mean(0)),
        "other direction",
    ),
    "KL of the mean": (
        other("kl", lambda mu, lv: kls(mu.mean(0, keepdim=True), lv.exp().mean(0, keepdim=True).log())[0]),
        "KL of the mean",
    ),
    "told is KL": (other("told", lambda mu, lv: kls(mu, lv).mean(0)), "distance from the prior"),
    "told is the rest": (
        lambda mu, lv: (
            by_distributions(mu, lv)
            | {"told": by_distributions(mu, lv)["kl"] - by_distributions(mu, lv)["told"]}
        ),
        "in common",
    ),
    "between alone": (told_with(between, short=False), "only the variance of μ"),
    "between alone, short": (told_with(between), "only the variance of μ"),
    "within alone": (told_with(within, short=False), "only the mean σ²"),
    "n - 1": (told_with(lambda mu, square: mu.var(0) + square.mean(0)), "N − 1"),
    "no half of told": (
        lambda mu, lv: by_distributions(mu, lv) | {"told": 2 * by_distributions(mu, lv)["told"]},
        "½",
    ),
    "log of the mean": (
        other(
            "told",
            lambda mu, lv: 0.5 * ((between(mu, None) + lv.exp().mean(0)).log() - lv.exp().mean(0).log()),
        ),
        "mean of log σ²",
    ),
    "mean square": (told_with(lambda mu, square: mu.square().mean(0) + square.mean(0)), "mean square of z"),
    "σ for σ²": (told_with(lambda mu, square: between(mu, None) + square.sqrt().mean(0)), "σ is taken"),
    "changed": (changing, "changed"),
    "a tuple": (lambda mu, lv: tuple(by_distributions(mu, lv).values()), "key"),
    "a key missing": (lambda mu, lv: {"kl": kls(mu, lv).mean(0)}, "key"),
}

# --- question 2 --------------------------------------------------------------------------------------------------


def rule(patient, kl=0.3, stir=1.5, share=0.5, gain=None, active=None):
    signs = by_distributions(patient["mu"], patient["log_var"])
    difference = patient["own"] - patient["other"]
    awake = signs["active"] if active is None else active(patient)
    if not awake.any():
        return "collapsed" if signs["kl"].sum() < kl else "blind encoder"
    if difference.abs().mean() < stir:
        return "deaf decoder"
    if difference.mean() < (share * difference.abs().mean() if gain is None else gain):
        return "crossed wires"
    return "healthy" if 2 * awake.sum() > len(awake) else "partly collapsed"


def by_told(patient):
    """Other signs: `told` in place of the variance, the deviation of the difference, how often the own z is better."""
    signs = by_numpy(patient["mu"], patient["log_var"])
    difference = (patient["own"] - patient["other"]).numpy()
    if signs["told"].sum() < 0.1:
        return NAMES[int(signs["kl"].sum() > 0.5)]
    if np.sqrt((difference**2).mean()) < 2:
        return "deaf decoder"
    if (difference > 0).mean() < 0.75:
        return "crossed wires"
    return "healthy" if (signs["told"] > 0.05).mean() > 0.5 else "partly collapsed"


def by_table(patient):
    """The name whose conditions all hold."""
    awake, kl = patient["mu"].var(0) > 0.02, kl_per_dimension(patient["mu"], patient["log_var"]).sum()
    difference = patient["own"] - patient["other"]
    quiet, helps = bool(difference.abs().median() < 1), bool(difference.mean() > 1.5)
    table = {
        "collapsed": [not awake.any(), kl <= 1],
        "blind encoder": [not awake.any(), kl > 1],
        "deaf decoder": [awake.any(), quiet],
        "crossed wires": [awake.any(), not quiet, not helps],
        "partly collapsed": [awake.any(), not quiet, helps, awake.double().mean() <= 0.5],
        "healthy": [not quiet, helps, awake.double().mean() > 0.5],
    }
    return next(name for name, conditions in table.items() if all(conditions))


NAMES = ("collapsed", "blind encoder", "deaf decoder", "crossed wires", "partly collapsed", "healthy")


def from_the_elbo(patient):
    elbo = patient["own"].mean() - kl_per_dimension(patient["mu"], patient["log_var"]).sum()
    return (
        "healthy"
        if elbo > -36
        else "collapsed"
        if elbo > -37
        else "partly collapsed"
        if elbo > -45
        else "crossed wires"
    )


def from_the_kl(patient):
    kl = kl_per_dimension(patient["mu"], patient["log_var"]).sum()
    return "collapsed" if kl < 0.3 else "partly collapsed" if kl < 2 else "healthy"


def deaf_by_the_mean(patient):
    """Plus and minus cancel, so crossed wires look deaf."""
    difference = patient["own"] - patient["other"]
    named = rule(patient)
    return "deaf decoder" if named in NAMES[2:] and difference.mean() < 1.5 else named


def blind_forgotten(patient):
    named = rule(patient)
    return "collapsed" if named == "blind encoder" else named


def deaf_first(patient):
    """Before it asks whether anything was said."""
    return "deaf decoder" if (patient["own"] - patient["other"]).abs().mean() < 1.5 else rule(patient)


def only_zero_is_crossed(patient):
    """A z that serves worse than another's is taken for one that serves."""
    named, gain = rule(patient), (patient["own"] - patient["other"]).mean()
    return "healthy" if named == "crossed wires" and gain.abs() > 1.5 else named


def wires_forgotten(patient):
    return rule(patient, share=-math.inf)


def deaf_forgotten(patient):
    return rule(patient, stir=0.0)


def half_forgotten(patient):
    named = rule(patient)
    return "healthy" if named == "partly collapsed" else named


def any_sleeper(patient):
    """One sleeping unit is enough for "partly collapsed"."""
    named, awake = rule(patient), by_distributions(patient["mu"], patient["log_var"])["active"]
    return "partly collapsed" if named == "healthy" and not awake.all() else named


def three_units(patient):
    """A number of units, where a share is asked for."""
    named, awake = rule(patient), by_distributions(patient["mu"], patient["log_var"])["active"]
    return ("healthy" if awake.sum() > 3 else "partly collapsed") if named in NAMES[4:] else named


DIAGNOSE_RIGHT = {
    "a chain": rule,
    "other thresholds": lambda patient: rule(patient, kl=1.0, stir=2.5, share=0.7),
    "told": by_told,
    "a table": by_table,
}
DIAGNOSE_WRONG = {
    "all well": (lambda patient: "healthy", "“collapsed” was called “healthy”"),
    "the ELBO": (from_the_elbo, "was called"),
    "the KL": (from_the_kl, "“blind encoder” was called “healthy”"),
    "active by KL": (
        lambda patient: rule(patient, active=lambda p: by_distributions(p["mu"], p["log_var"])["kl"] > 0.01),
        "“blind encoder” was called",
    ),
    "active by second moment": (
        lambda patient: rule(patient, active=lambda p: p["mu"].square().mean(0) > 0.01),
        "“partly collapsed” was called “healthy”",
    ),
    "deaf by the mean": (deaf_by_the_mean, "“crossed wires” was called “deaf decoder”"),
    "blind forgotten": (blind_forgotten, "“blind encoder” was called “collapsed”"),
    "deaf first": (deaf_first, "“collapsed” was called “deaf decoder”"),
    "only zero is crossed": (only_zero_is_crossed, "“crossed wires” was called “healthy”"),
    "wires forgotten": (wires_forgotten, "“crossed wires” was called “healthy”"),
    "deaf forgotten": (deaf_forgotten, "“deaf decoder” was called"),
    "half of the units forgotten": (half_forgotten, "“partly collapsed” was called “healthy”"),
    "any sleeper": (any_sleeper, "“healthy” was called “partly collapsed”"),
    "three units": (three_units, "“partly collapsed” was called “healthy”"),
    "KL too strict": (lambda patient: rule(patient, kl=1e-4), "“collapsed” was called “blind encoder”"),
    "stir at the edge": (lambda patient: rule(patient, stir=8.0), "was called “deaf decoder”"),
    "one picture": (
        lambda patient: rule({key: value[:1].repeat_interleave(2, 0) for key, value in patient.items()}),
        "was called",
    ),
    "a number": (lambda patient: 3, "none of the six names"),
    "capitals": (lambda patient: rule(patient).title(), "none of the six names"),
}

# --- question 3 --------------------------------------------------------------------------------------------------


def by_matrix(mu, log_var, groups, floor):
    member = (groups[:, None] == groups.unique()[None]).to(mu.dtype)
    return torch.relu(kls(mu, log_var).mean(0) @ member - floor).sum() + floor * member.shape[1]


def by_adding(mu, log_var, groups, floor):
    numbers, places = groups.unique(return_inverse=True)
    sums = torch.zeros(len(numbers), dtype=mu.dtype).index_add(0, places, kl_per_dimension(mu, log_var))
    return torch.maximum(sums, torch.full_like(sums, floor)).sum()


def by_loop(mu, log_var, groups, floor):
    total = torch.zeros(())
    for g in sorted(set(groups.tolist())):
        kl = sum(kls(mu[:, j], log_var[:, j]).sum() for j in range(len(groups)) if groups[j] == g) / len(mu)
        total = total + (kl if kl > floor else torch.tensor(floor))
    return total + 0 * mu.sum()


def bits(reduce):
    """An answer from the mean KL of each group, the KL of each picture and group, the sizes and the floor."""

    def answer(mu, log_var, groups, floor):
        member = (groups[:, None] == groups.unique()[None]).to(mu.dtype)
        pictures = kls(mu, log_var) @ member
        return reduce(pictures.mean(0), pictures, member.sum(0), floor)

    return answer


BITS_RIGHT = {"matrix": by_matrix, "index_add": by_adding, "loop": by_loop}
BITS_WRONG = {
    "the notebook's": (lambda mu, lv, groups, floor: free_bits(mu, lv, floor), "under each unit"),
    "each picture": (
        bits(lambda kl, each, size, floor: each.clamp(min=floor).mean(0).sum()),
        "for each picture",
    ),
    "the whole": (bits(lambda kl, each, size, floor: kl.sum().clamp(min=floor)), "whole KL"),
    "smaller": (bits(lambda kl, each, size, floor: kl.clamp(max=floor).sum()), "smaller of the two"),
    "taken off": (bits(lambda kl, each, size, floor: (kl - floor).clamp(min=0).sum()), "taken off"),
    "masked": (bits(lambda kl, each, size, floor: (kl * (kl > floor)).sum()), "count 0"),
    "added": (bits(lambda kl, each, size, floor: (kl + floor).sum()), "added"),
    "mean of a group": (
        bits(lambda kl, each, size, floor: (kl / size).clamp(min=floor).sum()),
        "yours is their mean",
    ),
    "floor a unit": (
        bits(lambda kl, each, size, floor: torch.maximum(kl, floor * size).sum()),
        "times its units",
    ),
    "mean of groups": (
        bits(lambda kl, each, size, floor: kl.clamp(min=floor).mean()),
        "mean over the groups",
    ),
    "batch summed": (
        bits(lambda kl, each, size, floor: each.sum(0).clamp(min=floor).sum()),
        "Summed over the pictures",
    ),
    "no floor": (bits(lambda kl, each, size, floor: kl.sum()), "no floor"),
    "gaps counted": (
        lambda mu, lv, groups, floor: (
            torch.zeros(int(groups.max()) + 1, dtype=mu.dtype)
            .index_add(0, groups, kls(mu, lv).mean(0))
            .clamp(min=floor)
            .sum()
        ),
        "gaps",
    ),
    "a vector": (bits(lambda kl, each, size, floor: kl.clamp(min=floor)), "shape"),
    "a number": (lambda *case: by_matrix(*case).item(), "No gradient"),
    "detached": (
        bits(lambda kl, each, size, floor: kl.sum() + (kl.clamp(min=floor) - kl).detach().sum()),
        "gradient is not",
    ),
    "nothing": (lambda *case: None, "return missing"),
}


def by_modulo(t, updates, cycles, share):
    length = updates / cycles
    return 1.0 if t >= updates else min((t % length) / (share * length), 1.0)


def by_parts(t, updates, cycles, share):
    """As a tensor, from the fraction of all updates."""
    place = torch.tensor(cycles * t / updates, dtype=torch.float64)
    return torch.where(place >= cycles, torch.ones(()), (place.frac() / share).clamp(max=1))


def ramp(t, updates, cycles):
    return cycles * t / updates % 1


CYCLE_RIGHT = {"modulo": by_modulo, "a tensor": by_parts}
CYCLE_WRONG = {
    "once": (lambda t, updates, cycles, share: min(1.0, t / (share * updates)), "later cycles"),
    "endless": (
        lambda t, updates, cycles, share: min(1.0, ramp(t, updates, cycles) / share),
        "another cycle",
    ),
    "first alone": (
        lambda t, updates, cycles, share: min(1.0, cycles * t / updates / share),
        "come back to 0",
    ),
    "no share": (
        lambda t, updates, cycles, share: 1.0 if t >= updates else ramp(t, updates, cycles),
        "`share` is left out",
    ),
    "above one": (
        lambda t, updates, cycles, share: 1.0 if t >= updates else ramp(t, updates, cycles) / share,
        "exceeds 1",
    ),
    "nought after": (
        lambda t, updates, cycles, share: (
            1.0 if t >= updates else ramp(t, updates, cycles) / share * (ramp(t, updates, cycles) < share)
        ),
        "yours is 0",
    ),
    "late": (
        lambda t, updates, cycles, share: (
            1.0 if t >= updates else max(0.0, (ramp(t, updates, cycles) - 1 + share) / share)
        ),
        "order is turned",
    ),
    "falling": (
        lambda t, updates, cycles, share: (
            1.0 if t >= updates else max(0.0, 1 - ramp(t, updates, cycles) / share)
        ),
        "should rise",
    ),
    "multiplied": (
        lambda t, updates, cycles, share: 1.0 if t >= updates else min(1.0, ramp(t, updates, cycles) * share),
        "multiplied",
    ),
    "cycles as a length": (
        lambda t, updates, cycles, share: 1.0 if t >= updates else min(1.0, t % cycles / cycles / share),
        "length of a cycle",
    ),
    "whole parts": (
        lambda t, updates, cycles, share: (
            1.0 if t >= updates else min(1.0, t % (updates // cycles) / (updates // cycles) / share)
        ),
        "rounded",
    ),
    "one": (lambda t, updates, cycles, share: 1.0, "none of the usual"),
}

# --- question 4 --------------------------------------------------------------------------------------------------

CURE_RIGHT = {
    "cycles": lambda t, updates: (by_modulo(t, updates, 2, 0.8), 0.0),
    "free bits": lambda t, updates: [1, 0.3],
    "bits that go": lambda t, updates: (torch.tensor(1.0), 0.5 if t < 0.7 * updates else 0.0),
    "both": lambda t, updates: (min(1.0, 1.5 * t / updates), 0.2),
}
CURE_WRONG = {
    "nothing": (lambda t, updates: (1.0, 0.0), "all but collapsed"),
    "the disease": (lambda t, updates: (max(1.0, 8 - 8 * t / updates), 0.0), "all but collapsed"),
    "too short": (lambda t, updates: (min(1.0, 20 * t / updates), 0.0), "all but collapsed"),
    "too many bits": (lambda t, updates: (1.0, 1.5), "cost more than it gave"),
    "too late": (lambda t, updates: (t / updates, 0.0), "last tenth"),
    "a lower β": (lambda t, updates: (0.1, 0.0), "last tenth"),
    "updates unread": (lambda t, updates: (min(1.0, t / 950), 0.0), "last tenth"),
    "above one": (lambda t, updates: (1.5 * t / updates, 0.0), "last tenth"),
    "one number": (lambda t, updates: min(1.0, 1.5 * t / updates), "pair"),
    "negative": (lambda t, updates: (1.0, -0.3), "negative"),
    "not a number": (lambda t, updates: ("1", None), "numbers"),
}

RIGHT = {
    "vital_signs": SIGNS_RIGHT,
    "diagnose": DIAGNOSE_RIGHT,
    "grouped_free_bits": BITS_RIGHT,
    "cyclic_beta": CYCLE_RIGHT,
    "prescription": CURE_RIGHT,
}
WRONG = {
    "vital_signs": SIGNS_WRONG,
    "diagnose": DIAGNOSE_WRONG,
    "grouped_free_bits": BITS_WRONG,
    "cyclic_beta": CYCLE_WRONG,
    "prescription": CURE_WRONG,
}
