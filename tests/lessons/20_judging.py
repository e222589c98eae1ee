"""Answers to assignment 20: right ones, written in several ways, and wrong ones with words of the sentence they get."""

import math

import numpy as np
import torch
from scipy.spatial import cKDTree
from scipy.stats import hypergeom

from helpers.judging import frechet_bias, nearest, precision_recall_density_coverage

LOW = ("precision", "fresh precision", "recall")

# --- question 1 --------------------------------------------------------------------------------------------------


def plain(x, mean, cov):
    """The distance, by the eigenvalues of a product that is not symmetric."""
    own = torch.cov(x.T)
    cross = torch.linalg.eigvals(own @ cov).real.clamp(min=0).sqrt().sum()
    return ((x.mean(0) - mean).square().sum() + own.trace() + cov.trace() - 2 * cross).item()


def both(x, mean, cov):
    """F of all, and the mean of the two halves."""
    cut = len(x) // 2
    return plain(x, mean, cov), (plain(x[:cut], mean, cov) + plain(x[cut:], mean, cov)) / 2


def by_every_second(x, mean, cov):
    parts = [plain(x[k::2], mean, cov) for k in range(2)]
    return torch.tensor(2 * plain(x, mean, cov) - sum(parts) / 2)


def by_a_line(x, mean, cov):
    """Chong and Forsyth: a line through thirds, halves and all, by least squares."""
    sizes, found = [], []
    for parts in (1, 2, 3):
        for k in range(parts):
            sizes.append(1 / len(x[k::parts]))
            found.append(plain(x[k::parts], mean, cov))
    return float(np.polyfit(sizes, found, 1, w=np.array(sizes) ** -0.5)[1])


def by_bootstrap(x, mean, cov):
    dice = torch.Generator().manual_seed(0)
    again = [plain(x[torch.randint(len(x), (len(x),), generator=dice)], mean, cov) for _ in range(15)]
    return 2 * plain(x, mean, cov) - sum(again) / 15


def combined(rule):
    """`rule(F of all, mean of the halves)`."""
    return lambda x, mean, cov: rule(*both(x, mean, cov))


def one_half(x, mean, cov):
    return 2 * plain(x, mean, cov) - plain(x[: len(x) // 2], mean, cov)


CORRECTED_RIGHT = {
    "every second": by_every_second,
    "a line": by_a_line,
    "bootstrap": by_bootstrap,
    "one half": one_half,
}
CORRECTED_WRONG = {
    "plain": (plain, "plain distance"),
    "halves": (combined(lambda f, h: h), "twice the bias"),
    "exchanged": (combined(lambda f, h: 2 * h - f), "three times the bias"),
    "the bias": (combined(lambda f, h: h - f), "the bias alone"),
    "averaged": (combined(lambda f, h: (h + f) / 2), "adds bias"),
    "half of it": (combined(lambda f, h: f - (h - f) / 2), "Only half of the bias"),
    "twice": (combined(lambda f, h: f - 2 * (h - f)), "Twice the bias"),
    "halves added": (combined(lambda f, h: 2 * f - 2 * h), "added"),
    "clipped": (combined(lambda f, h: max(0.0, 2 * f - h)), "set to 0"),
    "root": (combined(lambda f, h: abs(2 * f - h) ** 0.5), "square root"),
    "the mean's error": (
        lambda x, m, c: plain(x, m, c) - torch.cov(x.T).trace().item() / len(x),
        "error of the mean",
    ),
    "for N(0, I)": (
        lambda x, m, c: plain(x, m, c) - x.shape[1] / len(x) - x.shape[1] * (x.shape[1] + 1) / (4 * len(x)),
        "N(0, I) only",
    ),
    "(20.6)": (
        lambda x, m, c: plain(x, m, c) - frechet_bias(torch.linalg.eigvalsh(torch.cov(x.T)), len(x)),
        "*own* Gaussian",
    ),
    "exchanged, root": (combined(lambda f, h: abs(2 * h - f) ** 0.5), "square root"),
    "half of it, clipped": (combined(lambda f, h: max(0.0, f - (h - f) / 2)), "Only half of the bias"),
    "halves added, clipped": (combined(lambda f, h: max(0.0, 2 * f - 2 * h)), "All your estimates are equal"),
    "zero": (lambda x, m, c: 0.0, "All your estimates are equal"),
    "a constant": (lambda x, m, c: plain(x, m, c) - 0.3, "No usual slip"),
    "in a list of one": (lambda x, m, c: torch.tensor([plain(x, m, c)]), "One number"),
    "several": (lambda x, m, c: [plain(x, m, c)], "One number"),
    "nothing": (lambda x, m, c: None, "return missing"),
}

# --- question 2 --------------------------------------------------------------------------------------------------


def outside_by_trees(points, centres, k):
    a, b = points.numpy(), centres.numpy()
    reach = cKDTree(b).query(b, k + 1)[0][:, -1]
    return [bool((np.linalg.norm(b - point, axis=1) > reach).all()) for point in a]


def outside_by_infinity(points, centres, k):
    own = torch.cdist(centres, centres).fill_diagonal_(torch.inf)
    return ~(torch.cdist(centres, points) <= own.kthvalue(k).values[:, None]).any(0)


def outside_by_the_helper(points, centres, k):
    """One point at a time as the only fake, and its precision. k + 1 times, since it needs more than k fakes."""
    return torch.tensor(
        [
            1 - precision_recall_density_coverage(centres, point.repeat(k + 1, 1), k)["precision"]
            for point in points
        ]
    )


def mask(make, turned=False):
    """An answer from `make(apart, own, k)`, a table of who lies outside which ball."""

    def answer(points, centres, k):
        apart, own = torch.cdist(points, centres), torch.cdist(centres, centres).sort(1).values
        found = make(apart, own, k)
        found = found.all(1) if found.ndim == 2 else found
        return ~found if turned else found

    return answer


def around_the_points(points, centres, k):
    return (torch.cdist(points, centres) > torch.cdist(points, points).sort(1).values[:, k : k + 1]).all(1)


def nearest_ball(apart, own, k):
    near = apart.min(1)
    return near.values > own[near.indices, k]


OUTSIDE_RIGHT = {
    "trees": outside_by_trees,
    "infinity": outside_by_infinity,
    "the helper": outside_by_the_helper,
}
OUTSIDE_WRONG = {
    "itself counted": (mask(lambda a, o, k: a > o[:, k - 1]), "too small"),
    "one too many": (mask(lambda a, o, k: a > o[:, k + 1]), "too large"),
    "around the points": (around_the_points, "around the points"),
    "to the points": (mask(lambda a, o, k: a > a.sort(0).values[k - 1]), "k-th nearest *point*"),
    "nearest ball": (mask(nearest_ball), "the nearest centre is asked alone"),
    "one missed": (mask(lambda a, o, k: (a > o[:, k]).any(1)), "misses one"),
    "turned": (mask(lambda a, o, k: a > o[:, k], turned=True), "exchanged"),
    "mean radius": (mask(lambda a, o, k: a > o[:, k].mean()), "each has its own"),
    "open balls": (mask(lambda a, o, k: a >= o[:, k]), "on the border"),
    "mean distance": (
        lambda p, c, k: (torch.cdist(p, c) > torch.cdist(c, c).mean(1)).all(1),
        "No usual slip",
    ),
    "over the points": (
        lambda p, c, k: (torch.cdist(c, p) > torch.cdist(c, c).sort(1).values[:, k : k + 1]).all(1),
        "truth values",
    ),
    "k left out": (mask(lambda a, o, k: a > o[:, 1]), "k is left out"),
    "turned, itself counted": (mask(lambda a, o, k: a > o[:, k - 1], turned=True), "exchanged"),
    "turned, nearest ball": (mask(nearest_ball, turned=True), "Two mistakes"),
    "a share": (lambda p, c, k: mask(lambda a, o, k: a > o[:, k])(p, c, k).double().mean(), "truth values"),
    "a table": (lambda p, c, k: torch.cdist(p, c) > 1, "truth values"),
    "nothing": (lambda p, c, k: None, "return missing"),
}

# --- question 3 --------------------------------------------------------------------------------------------------


def deltas(fake, training, held_out):
    return nearest(training, fake), nearest(held_out, fake)


def copies_by_order(fake, training, held_out):
    """Leading training leaves in the order of δ; the p-value by binomial coefficients."""
    a, b = deltas(fake, training, held_out)
    count = 0
    for i in torch.cat([a, b]).argsort().tolist():
        if i >= len(a):
            break
        count += 1
    return {"count": count, "p": math.comb(len(a), count) / math.comb(len(a) + len(b), count)}


def copies_by_scipy(fake, training, held_out):
    a, b = (cKDTree(fake.numpy()).query(each.numpy())[0] for each in (training, held_out))
    count = (a < b.min()).sum()
    return {"count": np.int64(count), "p": hypergeom.pmf(count, len(a) + len(b), len(a), count)}


def copies_by_logs(fake, training, held_out):
    a, b = deltas(fake, training, held_out)
    t, m, c = len(a), len(b), (a < b.min()).sum()
    i = torch.arange(c, dtype=torch.float64)
    return {"count": c, "p": ((t - i).log() - (t + m - i).log()).sum().exp(), "T": t}


def other_count(make):
    def answer(fake, training, held_out):
        return copies_by_order(fake, training, held_out) | {"count": make(fake, training, held_out)}

    return answer


def other_p(make):
    """The right count and `make(c, T, M)`."""

    def answer(fake, training, held_out):
        count = copies_by_order(fake, training, held_out)["count"]
        return {"count": count, "p": make(count, len(training), len(held_out))}

    return answer


def against(level):
    def count(fake, training, held_out):
        a, b = deltas(fake, training, held_out)
        return (a < level(b)).sum()

    return count


def product(c, t, m):
    return math.prod((t - i) / (t + m - i) for i in range(c))


def fakes_counted(fake, training, held_out):
    return (nearest(fake, training) < nearest(held_out, training).min()).sum()


def nearer_fakes(fake, training, held_out):
    """Fakes that are nearer to a training leaf than to a held-out one."""
    return (nearest(fake, training) < nearest(fake, held_out)).sum()


def simulated(seed=None):
    def share(c, t, m):
        dice = torch.Generator().manual_seed(seed) if seed is not None else None
        return sum(bool((torch.randperm(t + m, generator=dice)[:c] < t).all()) for _ in range(2000)) / 2000

    return share


def copies_with_ties(fake, training, held_out):
    """≤ in place of <: there are no ties."""
    a, b = deltas(fake, training, held_out)
    count = int((a <= b.min()).sum())
    return {"count": count, "p": math.comb(len(a), count) / math.comb(len(a) + len(b), count)}


COPY_RIGHT = {
    "order": copies_by_order,
    "scipy": copies_by_scipy,
    "logarithms": copies_by_logs,
    "ties": copies_with_ties,
}
COPY_WRONG = {
    "fakes": (other_count(fakes_counted), "The fakes are counted"),
    "fakes that are nearer": (other_count(nearer_fakes), "came back"),
    "median": (other_count(against(torch.median)), "*median*"),
    "mean": (other_count(against(torch.mean)), "*mean*"),
    "furthest": (other_count(against(torch.max)), "furthest"),
    "exchanged": (lambda f, t, h: copies_by_order(f, h, t), "exchanged"),
    "a share": (
        other_count(lambda f, t, h: copies_by_order(f, t, h)["count"] / len(t)),
        "a share",
    ),
    "pairs": (
        other_count(lambda f, t, h: (torch.cdist(t, f) < nearest(h, f).min()).sum()),
        "Pairs are counted",
    ),
    "coins": (other_p(lambda c, t, m: 0.5**c), "holds only for T = M"),
    "put back": (other_p(lambda c, t, m: (t / (t + m)) ** c), "not drawn again"),
    "exactly c": (other_p(lambda c, t, m: product(c, t, m) * m / (t + m - c)), "exactly c"),
    "simulated": (other_p(simulated()), "simulated"),
    "one more": (other_p(lambda c, t, m: product(c + 1, t, m)), "one leaf more"),
    "one less": (other_p(lambda c, t, m: product(max(c - 1, 0), t, m)), "one leaf less"),
    "T and M": (other_p(lambda c, t, m: product(min(c, m), m, t)), "exchanged"),
    "1 − p": (other_p(lambda c, t, m: 1 - product(c, t, m)), "1 − p"),
    "orders": (other_p(lambda c, t, m: product(c, t, m) / math.factorial(c)), "c! orders"),
    "fakes, coins": (
        lambda f, t, h: {"count": (k := int(fakes_counted(f, t, h))), "p": 0.5**k},
        "The fakes are counted",
    ),
    "furthest, put back": (
        lambda f, t, h: {
            "count": (k := int(against(torch.max)(f, t, h))),
            "p": (len(t) / (len(t) + len(h))) ** k,
        },
        "furthest",
    ),
    "median, one more": (
        lambda f, t, h: {
            "count": (k := int(against(torch.median)(f, t, h))),
            "p": product(k + 1, len(t), len(h)),
        },
        "*median*",
    ),
    "a pair": (lambda f, t, h: tuple(copies_by_order(f, t, h).values()), "keys"),
    "nothing": (lambda f, t, h: None, "keys"),
}

# --- question 4 --------------------------------------------------------------------------------------------------


def nulls(choose):
    """`choose(R, n, generator)` gives the two sets of row numbers."""

    def answer(figure, real, n, repeats, generator):
        return [figure(*(real[rows] for rows in choose(len(real), n, generator))) for _ in range(repeats)]

    return answer


def by_random_keys(size, n, dice):
    order = torch.rand(size, generator=dice).topk(2 * n).indices
    return order[::2], order[1::2]


def by_multinomial(size, n, dice):
    return torch.multinomial(torch.ones(size), 2 * n, generator=dice).split(n)


def by_masks(figure, real, n, repeats, generator):
    found = []
    for _ in range(repeats):
        shuffled = real[torch.randperm(len(real), generator=generator)]
        found += [figure(shuffled[-n:], shuffled[:-n][:n])]
    return found


def one_split(figure, real, n, repeats, generator):
    order = torch.randperm(len(real), generator=generator)
    return [figure(real[order[:n]], real[order[n : 2 * n]]) for _ in range(repeats)]


def fixed_reference(figure, real, n, repeats, generator):
    rest = real[n:]
    return [
        figure(rest[torch.randperm(len(rest), generator=generator)[:n]], real[:n]) for _ in range(repeats)
    ]


def all_the_rest(size, n, dice):
    order = torch.randperm(size, generator=dice)
    return order[:n], order[n:]


def drawn_twice(size, n, dice):
    return torch.randperm(size, generator=dice)[:n], torch.randperm(size, generator=dice)[:n]


def resampled(size, n, dice):
    order = torch.randperm(size, generator=dice)
    left, right = order[:n], order[n : 2 * n]
    return tuple(part[torch.randint(n, (n,), generator=dice)] for part in (left, right))


def half_of_half(size, n, dice):
    """Resampled for the generator, and the rows from which it is sampled are in the other set."""
    return torch.randint(size, (n,), generator=dice), torch.randperm(size, generator=dice)[:n]


def listed(change):
    return lambda *given: change(nulls(by_random_keys)(*given))


NULL_RIGHT = {
    "keys": nulls(by_random_keys),
    "multinomial": nulls(by_multinomial),
    "shuffled": by_masks,
}
NULL_WRONG = {
    "one split": (one_split, "the same set in many rounds"),
    "fixed reference": (fixed_reference, "same set in many rounds"),
    "all the rest": (nulls(all_the_rest), "sets have"),
    "overlap": (nulls(drawn_twice), "in both sets"),
    "resampled": (nulls(resampled), "without replacement"),
    "resampled, overlap": (nulls(half_of_half), "twice"),
    "with itself": (nulls(lambda s, n, d: (torch.randperm(s, generator=d)[:n],) * 2), "in both sets"),
    "other chance": (nulls(lambda s, n, d: by_random_keys(s, n, None)), "not its own"),
    "one seed": (
        lambda f, r, n, k, g: nulls(by_random_keys)(f, r, n, k, torch.Generator().manual_seed(0)),
        "not used",
    ),
    "sorted": (listed(lambda found: found[::-1]), "in this order"),
    "the last": (listed(lambda found: found[-1]), "A list"),
    "a round too many": (lambda f, r, n, k, g: nulls(by_random_keys)(f, r, n, k + 1, g), "was called"),
    "nothing": (lambda f, r, n, k, g: None, "return missing"),
}


def ranked(alarm, score, turn=lambda name: -1 if name in LOW else 1, worst_first=True):
    """`alarm(values, value, rate)` and `score(values, value)` of values turned so that large is bad."""

    def answer(figures, null, rate):
        found = {}
        for name, value in figures.items():
            values = turn(name) * np.array(null[name])
            if alarm(values, turn(name) * value, rate):
                found[name] = score(values, turn(name) * value)
        return sorted(found, key=found.get, reverse=worst_first)

    return answer


def share(values, value, rate):
    return np.mean(values >= value) <= rate


def z(values, value):
    return (value - values.mean()) / values.std()


def by_quantile(figures, null, rate):
    """With levels, and each end treated by itself."""
    scores = {}
    for name, value in figures.items():
        values = torch.tensor(null[name], dtype=torch.float64)
        if name in LOW:
            alarm, score = value < values.quantile(rate), (values.mean() - value) / values.std()
        else:
            alarm, score = value > values.quantile(1 - rate), (value - values.mean()) / values.std()
        if alarm:
            scores[name] = float(score)
    return [name for name, _ in sorted(scores.items(), key=lambda pair: -pair[1])]


def by_counts(figures, null, rate):
    def worse(name):
        return sum(v <= figures[name] if name in LOW else v >= figures[name] for v in null[name])

    def score(name):
        values = null[name]
        mean = sum(values) / len(values)
        sigma = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
        return abs(figures[name] - mean) / sigma

    return tuple(sorted((n for n in figures if worse(n) <= rate * len(null[n]) + 1e-9), key=score)[::-1])


EVIDENCE_RIGHT = {"shares": ranked(share, z), "quantile": by_quantile, "counts": by_counts}
EVIDENCE_WRONG = {
    "large is bad": (ranked(share, z, turn=lambda name: 1), "A small value of it is bad"),
    "small is bad": (ranked(share, z, turn=lambda name: -1), "alarm"),
    "two-sided": (
        ranked(lambda v, x, rate: min(np.mean(v >= x), np.mean(v <= x)) <= rate, z),
        "raises none, and is named",
    ),
    "always 5 %": (ranked(lambda v, x, rate: np.mean(v >= x) <= 0.05, z), "alarm"),
    "worse, not equal": (ranked(lambda v, x, rate: np.mean(v > x) <= rate, z), "equal ones count"),
    "less than the rate": (ranked(lambda v, x, rate: np.mean(v >= x) < rate, z), "is right, and"),
    "at the level": (ranked(lambda v, x, rate: x >= np.quantile(v, 1 - rate), z), "equal ones count"),
    "worse than all": (ranked(lambda v, x, rate: x > v.max(), z), "is missing"),
    "normal": (
        ranked(lambda v, x, rate: z(v, x) > torch.special.ndtri(torch.tensor(1 - rate)).item(), z),
        "null values as bad or worse",
    ),
    "worse than the mean": (ranked(lambda v, x, rate: x > v.mean(), z), "raises none, and is named"),
    "all of them": (ranked(lambda v, x, rate: True, z), "raises none, and is named"),
    "by differences": (ranked(share, lambda v, x: x - v.mean()), "The largest comes first"),
    "by variances": (ranked(share, lambda v, x: (x - v.mean()) / v.var()), "The largest comes first"),
    "weakest first": (ranked(share, z, worst_first=False), "The largest comes first"),
    "as they come": (ranked(share, lambda v, x: 0), "The largest comes first"),
    "large is bad, weakest first": (
        ranked(share, z, turn=lambda name: 1, worst_first=False),
        "A small value of it is bad",
    ),
    "5 %, by differences": (
        ranked(lambda v, x, rate: np.mean(v >= x) <= 0.05, lambda v, x: x - v.mean()),
        "The largest comes first",
    ),
    "a set": (lambda f, n, r: set(by_quantile(f, n, r)), "A list"),
    "nothing": (lambda f, n, r: None, "A list"),
}

# --- question 5 --------------------------------------------------------------------------------------------------


def scored(figures, null):
    return {
        name: z((-1 if name in LOW else 1) * np.array(null[name]), (-1 if name in LOW else 1) * value)
        for name, value in figures.items()
    }


def rule(limit=4.0, copies=10, asked=None, tuned=None, drop=()):
    """The faults by scores above `limit`; `asked` says by which figure, `tuned(marks, limit)` whether it is."""
    asked = {"fidelity": "precision", "diversity": "recall"} | (asked or {})
    tuned = tuned or (lambda marks, limit: marks["fresh precision"] > limit and marks["precision"] <= limit)

    def answer(figures, null):
        marks = scored(figures, null)
        faults = {fault for fault, figure in asked.items() if marks[figure] > limit}
        faults |= {"copies"} if "copies" not in asked and figures["copies"] >= copies else set()
        faults |= {"tuned"} if tuned(marks, limit) else set()
        return faults - set(drop)

    return answer


def by_thresholds(figures, null):
    """Fixed numbers, read off the table."""
    found = []
    if figures["precision"] < 0.85:
        found.append("fidelity")
    if figures["precision"] >= 0.85 and figures["fresh precision"] < 0.75:
        found.append("tuned")
    if figures["recall"] < 0.83:
        found.append("diversity")
    return found + ["copies"] * (figures["copies"] > 12)


def by_one_per_cent(figures, null):
    """Alarms at a rate of 1 %, as Bonferroni would have them for five figures; the test for copies by its p-value."""
    alarms = by_quantile(figures, null, 0.01)
    p = product(int(figures["copies"]), 300, 300)
    return frozenset(
        name
        for name, fits in {
            "fidelity": "precision" in alarms,
            "tuned": "fresh precision" in alarms and "precision" not in alarms,
            "diversity": "recall" in alarms,
            "copies": p < 0.002,
        }.items()
        if fits
    )


def elif_by_elif(figures, null):
    """Each fault excludes the others."""
    marks = scored(figures, null)
    if figures["copies"] >= 10:
        return {"copies"}
    if marks["precision"] > 4:
        return {"fidelity"}
    if marks["fresh precision"] > 4:
        return {"tuned"}
    return {"diversity"} if marks["recall"] > 4 else set()


VERDICT_RIGHT = {
    "scores": rule(),
    "limit 2.6": rule(2.6, copies=8),
    "limit 3.5": rule(3.5, copies=7),
    "limit 5.5": rule(5.5, copies=18),
    "copies by its score": rule(asked={"copies": "copies"}),
    "thresholds": by_thresholds,
    "one per cent": by_one_per_cent,
}
VERDICT_WRONG = {
    "all well": (lambda figures, null: set(), "is missed"),
    "all ill": (lambda figures, null: {"fidelity", "diversity", "copies", "tuned"}, "is wrong"),
    "five per cent": (rule(1.6), "is wrong"),
    "closer": (rule(asked={"copies": "closer"}), "“copies” is wrong"),
    "Fréchet for tuned": (
        rule(tuned=lambda m, limit: m["fresh Fréchet"] > limit and m["Fréchet"] <= limit),
        "“tuned”",
    ),
    "Fréchet for diversity": (rule(asked={"diversity": "Fréchet"}), "“diversity”"),
    "fresh precision alone": (
        rule(tuned=lambda m, limit: m["fresh precision"] > limit),
        "“tuned” is wrong",
    ),
    "fidelity by fresh": (rule(asked={"fidelity": "fresh precision"}), "“fidelity” is wrong"),
    "no tuned": (rule(drop=["tuned"]), "“tuned” is missed"),
    "exchanged": (rule(asked={"fidelity": "recall", "diversity": "precision"}), "got the verdict"),
    "closer, no tuned": (rule(asked={"copies": "closer"}, drop=["tuned"]), "got the verdict"),
    "five per cent, fresh precision": (
        rule(1.6, tuned=lambda m, limit: m["fresh precision"] > limit),
        "is wrong",
    ),
    "closer or copies": (
        lambda figures, null: (
            rule()(figures, null) | ({"copies"} if scored(figures, null)["closer"] > 4 else set())
        ),
        "“copies” is wrong",
    ),
    "elif": (elif_by_elif, "is missed"),
    "one fault": (
        lambda figures, null: set(sorted(rule()(figures, null))[:1]),
        "is missed",
    ),
    "most copies": (rule(copies=150), "“copies” is missed"),
    "a word": (lambda figures, null: "tuned", "A set of faults"),
    "other names": (lambda figures, null: {"cheat"}, "names of faults"),
    "nothing": (lambda figures, null: None, "A set of faults"),
}

RIGHT = {
    "corrected": CORRECTED_RIGHT,
    "outside": OUTSIDE_RIGHT,
    "copy_test": COPY_RIGHT,
    "null_values": NULL_RIGHT,
    "evidence": EVIDENCE_RIGHT,
    "verdict": VERDICT_RIGHT,
}
WRONG = {
    "corrected": CORRECTED_WRONG,
    "outside": OUTSIDE_WRONG,
    "copy_test": COPY_WRONG,
    "null_values": NULL_WRONG,
    "evidence": EVIDENCE_WRONG,
    "verdict": VERDICT_WRONG,
}
