"""Answers to assignment 16: right ones, written in several ways, and wrong ones with words of the sentence they get."""

import bisect
import math
import re
import statistics
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from helpers.data.reports import report_grammar
from helpers.metrics import novelty, score_reports
from helpers.vae import gaussian_kl

ASSIGNMENT = Path(__file__).resolve().parents[2] / "lessons" / "16_text" / "assignment.ipynb"
VARIANT = int(re.search(r"VARIANT = (\d+)", ASSIGNMENT.read_text(encoding="utf-8"))[1])
GRAMMAR = report_grammar()
TRAINING = GRAMMAR.sample(2000, torch.Generator().manual_seed(100_000 * VARIANT))

# --- question 1 --------------------------------------------------------------------------------------------------


def by_gumbel(logits, temperature, generator):
    u = torch.rand(logits.shape, generator=generator).clamp(min=1e-30)
    return (logits - temperature * (-u.log()).log()).argmax(1)


def by_cumulative(logits, temperature, generator):
    """From whole random numbers, row by row on the cumulative probabilities."""
    if not temperature:
        return logits.topk(1).indices[:, 0]
    p = ((logits - logits.amax(1, keepdim=True)).double() / temperature).exp()
    steps = (p / p.sum(1, keepdim=True)).cumsum(1)
    u = torch.rand(len(logits), 1, generator=generator, dtype=torch.float64)
    return (u > steps).sum(1).clamp(max=logits.shape[1] - 1)


def by_powers(logits, temperature, generator):
    """Probabilities to the power 1/T, relative to the largest."""
    p = logits.softmax(1).double()
    p = p / p.max(1, keepdim=True).values
    p = (p == 1).double() if temperature == 0 else p ** (1 / temperature)
    return torch.multinomial(p, 1, generator=generator).flatten()


def drawn(probabilities, cold=None):
    """An answer that draws with `probabilities(logits, T)`; at T = 0 the argmax."""

    def answer(logits, temperature, generator):
        if temperature == 0:
            return (cold or (lambda a: a.argmax(1)))(logits)
        return torch.multinomial(probabilities(logits, temperature), 1, generator=generator).squeeze(1)

    return answer


def once_for_all(logits, temperature, generator):
    """One random number for all rows."""
    if temperature == 0:
        return logits.argmax(1)
    steps = (logits / temperature).softmax(1).cumsum(1)
    return (torch.rand(1, generator=generator) > steps).sum(1)


def without_shift(logits, temperature, generator):
    if temperature == 0:
        return logits.argmax(1)
    p = (logits / temperature).exp()
    return torch.multinomial(p / p.sum(1, keepdim=True), 1, generator=generator).squeeze(1)


def changing(logits, temperature, generator):
    if temperature:
        logits /= temperature
    return by_gumbel(logits, 1.0 if temperature else 0.0, generator)


def by_name(logits, temperature, generator):
    return torch.multinomial((logits / max(temperature, 1e-6)).softmax(1), 1)[:, 0]


DRAW_RIGHT = {
    "gumbel": by_gumbel,
    "cumulative": by_cumulative,
    "powers": by_powers,
    "a small number": lambda logits, temperature, generator: torch.multinomial(
        (logits / max(temperature, 1e-6)).softmax(1), 1, generator=generator
    ).flatten(),
}
DRAW_WRONG = {
    "probabilities divided": (
        drawn(lambda a, t: a.softmax(1) / t / (a.softmax(1) / t).sum(1, keepdim=True)),
        "no effect",
    ),
    "probabilities in a softmax": (
        drawn(lambda a, t: (a.softmax(1) / t).softmax(1)),
        "before a softmax",
    ),
    "multiplied": (drawn(lambda a, t: (a * t).softmax(1)), "multiplied by T"),
    "never random": (lambda a, t, g: a.argmax(1), "at every temperature"),
    "uniform": (lambda a, t, g: torch.randint(4, (len(a),), generator=g), "equally likely"),
    "smallest": (drawn(lambda a, t: (a / t).softmax(1), cold=lambda a: a.argmin(1)), "smallest"),
    "no zero": (
        lambda a, t, g: torch.multinomial((a / t).softmax(1), 1, generator=g).squeeze(1),
        "It stops with",
    ),
    "no shift": (without_shift, "It stops with"),
    "one number for all": (once_for_all, "of its own"),
    "another chance": (by_name, "not its own"),
    "changed": (changing, "changed"),
    "a column": (
        lambda a, t, g: torch.multinomial((a / max(t, 1e-6)).softmax(1), 1, generator=g),
        "one for each row",
    ),
    "floats": (lambda a, t, g: by_gumbel(a, t, g).float(), "int64"),
    "nothing": (lambda a, t, g: None, "return missing"),
}

# --- question 2 --------------------------------------------------------------------------------------------------


def by_helpers(reports, log_p, training):
    distinct = set(reports)
    known = distinct & set(training)
    return {
        "agreement": score_reports(reports, training, GRAMMAR)["in agreement"],
        "distinct": len(distinct) / len(reports),
        "copies": sum(reports.count(report) for report in known) / len(reports),
    }


def by_counter(reports, log_p, training):
    counts, n = Counter(reports), len(reports)
    return {
        "agreement": 1 - torch.isinf(log_p).sum() / n,
        "distinct": torch.tensor(len(counts) / n),
        "copies": np.float64(sum(times for report, times in counts.items() if report in training) / n),
    }


def by_lists(reports, log_p, training):
    seen = []
    for report in reports:
        if report not in seen:
            seen.append(report)
    return {
        "agreement": sum(p > -1e9 for p in log_p.tolist()) / len(log_p),
        "distinct": len(seen) / len(reports),
        "copies": np.mean([report in training for report in reports]),
        "more": 3,
    }


def sample_slip(**other):
    """The right signs, and others in their place."""

    def answer(reports, log_p, training):
        return by_counter(reports, log_p, training) | {
            key: f(reports, log_p, training) for key, f in other.items()
        }

    return answer


def share_of_different_in_agreement(reports, log_p, training):
    fine = {report: bool(p.isfinite()) for report, p in zip(reports, log_p, strict=True)}
    return sum(fine.values()) / len(fine)


SAMPLE_RIGHT = {"helpers": by_helpers, "counter": by_counter, "lists": by_lists}
SAMPLE_WRONG = {
    "not in agreement": (
        sample_slip(agreement=lambda r, p, t: p.isinf().double().mean()),
        "*not* in agreement",
    ),
    "a number in agreement": (
        sample_slip(agreement=lambda r, p, t: p.isfinite().sum()),
        "share is asked for",
    ),
    "different in agreement": (sample_slip(agreement=share_of_different_in_agreement), "different samples"),
    "number of different": (sample_slip(distinct=lambda r, p, t: len(set(r))), "share is asked for"),
    "repetitions": (sample_slip(distinct=lambda r, p, t: 1 - len(set(r)) / len(r)), "repetitions"),
    "once": (
        sample_slip(distinct=lambda r, p, t: sum(r.count(each) == 1 for each in r) / len(r)),
        "exactly once",
    ),
    "number of copies": (
        sample_slip(copies=lambda r, p, t: sum(each in t for each in r)),
        "number of copies",
    ),
    "new ones": (
        sample_slip(copies=lambda r, p, t: sum(each not in t for each in r) / len(r)),
        "*new* samples",
    ),
    "different copies": (
        sample_slip(copies=lambda r, p, t: len(set(r) & set(t)) / len(set(r))),
        "each different sample counts once",
    ),
    "novelty": (sample_slip(copies=lambda r, p, t: novelty(r, t)), "novelty"),
    "of the training reports": (
        sample_slip(copies=lambda r, p, t: len(set(r) & set(t)) / len(set(t))),
        "not of the samples",
    ),
    "over the training reports": (
        sample_slip(copies=lambda r, p, t: sum(each in t for each in r) / len(t)),
        "divided by the number of training",
    ),
    "a key missing": (lambda r, p, t: {"distinct": 1.0}, "keys"),
    "nothing": (lambda r, p, t: None, "keys"),
}


def by_distributions(mu, log_var, nats, exact):
    normal = torch.distributions.Normal
    kl = torch.distributions.kl_divergence(normal(mu, (log_var / 2).exp()), normal(0.0, 1.0))
    return {
        "active": (mu.var(0, correction=0) > 0.01).float().mean(),
        "kl": kl.mean(0).sum(),
        "excess": nats.mean() - exact.mean(),
    }


def by_numpy(mu, log_var, nats, exact):
    m, v = mu.double().numpy(), log_var.double().numpy()
    return {
        "active": sum(m[:, j].std() > 0.1 for j in range(m.shape[1])) / m.shape[1],
        "kl": 0.5 * (np.expm1(v) - v + m**2).sum() / len(m),
        "excess": statistics.fmean((nats - exact).tolist()),
    }


def by_the_helper(mu, log_var, nats, exact):
    active = [((mu[:, j] - mu[:, j].mean()) ** 2).mean() > 0.01 for j in range(mu.shape[1])]
    return {
        "active": active.count(True) / len(active),
        "kl": float(gaussian_kl(mu, log_var).mean()),
        "excess": (nats.sum() - exact.sum()) / len(nats),
    }


def latent_slip(**other):
    def answer(mu, log_var, nats, exact):
        return by_distributions(mu, log_var, nats, exact) | {
            key: f(mu, log_var, nats, exact) for key, f in other.items()
        }

    return answer


def kl_table(mu, log_var):
    return 0.5 * (mu.square() + log_var.exp() - 1 - log_var)


LATENT_RIGHT = {"distributions": by_distributions, "numpy": by_numpy, "the helper": by_the_helper}
LATENT_WRONG = {
    "a number": (latent_slip(active=lambda m, v, n, e: (m.var(0) > 0.01).sum()), "share is asked for"),
    "asleep": (latent_slip(active=lambda m, v, n, e: (m.var(0) <= 0.01).double().mean()), "*not* active"),
    "second moment": (
        latent_slip(active=lambda m, v, n, e: (m.square().mean(0) > 0.01).double().mean()),
        "mean square",
    ),
    "by the KL": (
        latent_slip(active=lambda m, v, n, e: (kl_table(m, v).mean(0) > 0.01).double().mean()),
        "the KL is compared",
    ),
    "deviation": (
        latent_slip(active=lambda m, v, n, e: (m.std(0) > 0.01).double().mean()),
        "standard deviation",
    ),
    "over the dimensions": (
        latent_slip(active=lambda m, v, n, e: (m.var(1) > 0.01).double().mean()),
        "over the dimensions",
    ),
    "mean of the KL": (
        latent_slip(kl=lambda m, v, n, e: kl_table(m, v).mean()),
        "the mean over the dimensions",
    ),
    "sum of the KL": (latent_slip(kl=lambda m, v, n, e: kl_table(m, v).sum()), "the sum over the reports"),
    "no half": (latent_slip(kl=lambda m, v, n, e: 2 * kl_table(m, v).sum(1).mean()), "½"),
    "log σ": (latent_slip(kl=lambda m, v, n, e: kl_table(m, 2 * v).sum(1).mean()), "log σ"),
    "negative": (latent_slip(kl=lambda m, v, n, e: -kl_table(m, v).sum(1).mean()), "sign"),
    "of the mean": (
        latent_slip(kl=lambda m, v, n, e: kl_table(m.mean(0), v.mean(0)).sum()),
        "averaged first",
    ),
    "for each dimension": (latent_slip(kl=lambda m, v, n, e: kl_table(m, v).mean(0)), "one KL for each"),
    "turned": (latent_slip(excess=lambda m, v, n, e: (e - n).mean()), "sign is turned"),
    "absolute": (latent_slip(excess=lambda m, v, n, e: (n - e).abs().mean()), "absolute"),
    "median": (latent_slip(excess=lambda m, v, n, e: (n - e).median()), "median"),
    "not taken off": (latent_slip(excess=lambda m, v, n, e: n.mean()), "taken off"),
    "ratio": (latent_slip(excess=lambda m, v, n, e: n.mean() / e.mean()), "ratio"),
    "a tuple": (lambda *given: tuple(by_distributions(*given).values()), "keys"),
}

NAMES = ("no bound", "incoherent", "mode collapse", "memorises", "posterior collapse", "healthy")
ORDER = NAMES[:5]


def rule(model, excess=-0.2, agreement=0.7, distinct=0.5, copies=0.3, active=0.25, order=ORDER, signs=None):
    """The first name in `order` whose sign is beyond its threshold."""
    found = by_counter(model["reports"], model["log_p"], set(TRAINING))
    found |= by_distributions(model["mu"], model["log_var"], model["nats"], model["exact"]) | (signs or {})
    fits = {
        "no bound": found["excess"] < excess,
        "incoherent": found["agreement"] < agreement,
        "mode collapse": found["distinct"] < distinct,
        "memorises": found["copies"] > copies,
        "posterior collapse": found["active"] < active,
    }
    return next((name for name in order if fits[name]), "healthy")


def by_other_signs(model):
    """How often the commonest sample occurs, the pairs nats < exact, the KL that tells reports apart."""
    if (model["nats"] - model["exact"]).mean() < 2 * (model["nats"] - model["exact"]).std() / -10:
        return "no bound"
    if model["log_p"].isinf().sum() > 0.3 * len(model["log_p"]):
        return "incoherent"
    top = sum(times for _, times in Counter(model["reports"]).most_common(20)) / len(model["reports"])
    if top > 0.35:
        return "mode collapse"
    if novelty(model["reports"], TRAINING) < 0.6:
        return "memorises"
    told = model["mu"].var(0).clamp(min=1e-9)
    return "posterior collapse" if (told > 0.1).sum() < 3 else "healthy"


def by_table(model):
    """All conditions in one table, read from the bottom."""
    return max(
        (name for name in NAMES if name == "healthy" or rule(model, order=(name,)) == name),
        key=lambda name: -NAMES.index(name),
    )


def from_the_elbo(model):
    excess = (model["nats"] - model["exact"]).mean()
    return (
        "no bound"
        if excess < 0
        else "posterior collapse"
        if excess < 0.5
        else "healthy"
        if excess < 1.4
        else "memorises"
    )


DIAGNOSE_RIGHT = {
    "a chain": rule,
    "other thresholds": lambda model: rule(
        model, excess=0.0, agreement=0.65, distinct=0.4, copies=0.4, active=0.2
    ),
    "other signs": by_other_signs,
    "a table": by_table,
}
DIAGNOSE_WRONG = {
    "all well": (lambda model: "healthy", "“no bound” was called “healthy”"),
    "the −ELBO": (from_the_elbo, "was called"),
    "no bound forgotten": (lambda model: rule(model, order=ORDER[1:]), "“no bound” was called"),
    "copies first": (
        lambda model: rule(
            model, order=("no bound", "incoherent", "memorises", "mode collapse", "posterior collapse")
        ),
        "“mode collapse” was called “memorises”",
    ),
    "code first": (
        lambda model: rule(model, order=("no bound", "posterior collapse", *ORDER[1:4])),
        "was called “posterior collapse”",
    ),
    "bound last": (
        lambda model: rule(model, order=(*ORDER[1:], "no bound")),
        "“no bound” was called",
    ),
    "copies before agreement": (
        lambda model: rule(model, order=("no bound", "memorises", "mode collapse", "incoherent", ORDER[4])),
        "“incoherent” was called “memorises”",
    ),
    "by the KL": (
        lambda model: rule(
            model, signs={"active": kl_table(model["mu"], model["log_var"]).sum(1).mean() > 0.5}
        ),
        "“posterior collapse” was called “healthy”",
    ),
    "second moment": (
        lambda model: rule(model, signs={"active": (model["mu"].square().mean(0) > 0.01).double().mean()}),
        "“posterior collapse” was called “healthy”",
    ),
    "any sleeper": (lambda model: rule(model, active=1.0), "“healthy” was called “posterior collapse”"),
    "no collapse of modes": (
        lambda model: rule(model, order=("no bound", "incoherent", "memorises", "posterior collapse")),
        "“mode collapse” was called",
    ),
    "a strict teacher": (lambda model: rule(model, agreement=0.98), "was called “incoherent”"),
    "one sample": (
        lambda model: rule(model, signs={"agreement": float(model["log_p"][0].isfinite())}),
        "was called",
    ),
    "a number": (lambda model: 3, "none of the six names"),
    "capitals": (lambda model: rule(model).title(), "none of the six names"),
}

# --- question 3 --------------------------------------------------------------------------------------------------


def margin_by_interp(curve, point):
    qualities, diversities = np.array(sorted(curve, key=lambda pair: pair[1])).T
    return point[0] - float(np.interp(point[1], diversities, qualities, left=np.nan, right=np.nan))


def margin_by_bisect(curve, point):
    turned = sorted((d, q) for q, d in curve)
    k = bisect.bisect([d for d, _ in turned], point[1])
    if k == 0 or k == len(turned):
        return float("nan")
    (d0, q0), (d1, q1) = turned[k - 1 : k + 1]
    share = (point[1] - d0) / (d1 - d0)
    return point[0] - (1 - share) * q0 - share * q1


def margin_by_neighbours(curve, point):
    below = [pair for pair in curve if pair[1] <= point[1]]
    above = [pair for pair in curve if pair[1] > point[1]]
    if not below or not above:
        return math.nan
    low, high = max(below, key=lambda pair: pair[1]), min(above, key=lambda pair: pair[1])
    slope = (high[0] - low[0]) / (high[1] - low[1])
    return torch.tensor(point[0] - low[0] - slope * (point[1] - low[1]), dtype=torch.float64)


def inside(answer):
    """Another answer within the curve, and the right one outside."""

    def whole(curve, point):
        right = margin_by_bisect(curve, point)
        return right if math.isnan(right) else answer(curve, point)

    return whole


def in_the_order_given(curve, point):
    for (q0, d0), (q1, d1) in pairwise(curve):
        if min(d0, d1) <= point[1] <= max(d0, d1):
            return point[0] - (q0 + (q1 - q0) * (point[1] - d0) / (d1 - d0))
    return math.nan


def half_way(curve, point):
    below, above = (
        [q for q, d in sorted(curve, key=lambda p: p[1]) if sign * (point[1] - d) > 0] for sign in (1, -1)
    )
    return point[0] - (below[-1] + above[0]) / 2


def sideways(curve, point):
    q, d = zip(*sorted(curve), strict=True)
    for k in range(len(q) - 1):
        if q[k] <= point[0] <= q[k + 1]:
            return point[1] - (d[k] + (d[k + 1] - d[k]) * (point[0] - q[k]) / (q[k + 1] - q[k]))
    return 5.0


MARGIN_RIGHT = {
    "interp": margin_by_interp,
    "bisect": margin_by_bisect,
    "neighbours": lambda curve, point: float(margin_by_neighbours(curve, point)),
}
MARGIN_WRONG = {
    "sign": (lambda curve, point: -margin_by_bisect(curve, point), "sign is turned"),
    "the curve": (lambda curve, point: point[0] - margin_by_bisect(curve, point), "curve's quality"),
    "nearest": (
        inside(lambda curve, point: point[0] - min(curve, key=lambda pair: abs(pair[1] - point[1]))[0]),
        "nearest point",
    ),
    "half way": (inside(half_way), "averaged"),
    "not sorted": (in_the_order_given, "order of the list"),
    "interp, not sorted": (
        inside(
            lambda curve, point: (
                point[0] - float(np.interp(point[1], [d for _, d in curve], [q for q, _ in curve]))
            )
        ),
        "sort",
    ),
    "sideways": (inside(sideways), "in diversity at the same quality"),
    "best": (inside(lambda curve, point: point[0] - max(q for q, _ in curve)), "best point"),
    "mean": (
        inside(lambda curve, point: point[0] - statistics.fmean(q for q, _ in curve)),
        "mean of the curve",
    ),
    "clamped": (
        lambda curve, point: (
            point[0] - float(np.interp(point[1], *np.array(sorted((d, q) for q, d in curve)).T))
        ),
        "Outside the curve",
    ),
    "a word": (inside(lambda curve, point: "above"), "came back"),
    "nothing": (lambda curve, point: None, "return"),
}


def place_by_statistics(margins):
    if any(m != m for m in margins):
        return "unknown"
    error = statistics.stdev(margins) / len(margins) ** 0.5
    ratio = statistics.fmean(margins) / (error or 1e-12)
    return "on" if abs(ratio) <= 2 else ("below", "above")[ratio > 0]


def place_by_numpy(margins):
    m = np.asarray(margins, dtype=float)
    low, high = m.mean() - 2 * m.std(ddof=1) / np.sqrt(len(m)), m.mean() + 2 * m.std(ddof=1) / np.sqrt(len(m))
    return "unknown" if np.isnan(m).any() else "above" if low > 0 else "below" if high < 0 else "on"


def place_by_squares(margins):
    n, mean = len(margins), sum(margins) / len(margins)
    if math.isnan(mean):
        return "unknown"
    variance = sum((m - mean) ** 2 for m in margins) / (n - 1)
    if mean * mean <= 4 * variance / n:
        return "on"
    return "above" if mean > 0 else "below"


def placed(limit, known=lambda margins: not any(map(math.isnan, margins)), centre=statistics.fmean):
    def answer(margins):
        if not known(margins):
            return "unknown"
        kept = [m for m in margins if not math.isnan(m)]
        mean = centre(kept)
        return "above" if mean > limit(kept) else "below" if mean < -limit(kept) else "on"

    return answer


def two_errors(m):
    return 2 * statistics.stdev(m) / len(m) ** 0.5


PLACE_RIGHT = {"statistics": place_by_statistics, "numpy": place_by_numpy, "squares": place_by_squares}
PLACE_WRONG = {
    "the mean alone": (placed(lambda m: 0.0), "“on” is right, and 'above'"),
    "standard deviation": (placed(lambda m: 2 * statistics.stdev(m)), "“above” is right, and 'on'"),
    "with n": (placed(lambda m: 2 * statistics.pstdev(m) / len(m) ** 0.5), "“on” is right"),
    "one error": (placed(lambda m: two_errors(m) / 2), "“on” is right"),
    "NaN left out": (placed(two_errors, known=lambda margins: True), "“unknown” is right"),
    "the median": (placed(two_errors, centre=statistics.median), "is right"),
    "the first": (lambda margins: place_by_numpy([margins[0]] * 2), "is right"),
    "NaN falls through": (
        lambda margins: (
            "above"
            if np.mean(margins) > 2 * np.std(margins, ddof=1) / len(margins) ** 0.5
            else "below"
            if np.mean(margins) < -2 * np.std(margins, ddof=1) / len(margins) ** 0.5
            else "on"
        ),
        "“unknown” is right",
    ),
    "turned": (
        lambda margins: {"above": "below", "below": "above"}.get(
            place_by_numpy(margins), place_by_numpy(margins)
        ),
        "“above” is right, and 'below'",
    ),
    "nothing": (lambda margins: None, "None came back"),
}

RIGHT = {
    "draw": DRAW_RIGHT,
    "sample_signs": SAMPLE_RIGHT,
    "latent_signs": LATENT_RIGHT,
    "diagnose": DIAGNOSE_RIGHT,
    "margin": MARGIN_RIGHT,
    "place": PLACE_RIGHT,
}
WRONG = {
    "draw": DRAW_WRONG,
    "sample_signs": SAMPLE_WRONG,
    "latent_signs": LATENT_WRONG,
    "diagnose": DIAGNOSE_WRONG,
    "margin": MARGIN_WRONG,
    "place": PLACE_WRONG,
}
