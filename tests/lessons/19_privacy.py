"""Answers to assignment 19: right ones written in other ways, and wrong ones with words of the sentence they get."""

import math

import numpy as np
import torch
from scipy.stats import beta, norm
from sklearn.neighbors import KNeighborsClassifier

from helpers.data.patients import COLUMNS
from helpers.data.scaling import Scaling
from helpers.privacy import closer_to_training, closest_distance, outcome_auc, tpr_at_fpr

# --- question 1 --------------------------------------------------------------------------------------------------


def share_above(members, others, fpr):
    """The TPR and the number that it is a share of, by NumPy: how many others score above each of their scores."""
    a, b = np.asarray(members, dtype=float), np.asarray(others, dtype=float)
    above = (b[None] > b[:, None]).sum(1)
    return float((a > b[above <= fpr * len(b) + 1e-9].min()).mean()), len(a)


def by_beta(members, others, fpr):
    """Clopper–Pearson by quantiles of the beta distribution."""
    tpr, n = share_above(members, others, fpr)
    k = round(tpr * n)
    low = beta.ppf(0.025, k, n - k + 1) if k else 0.0
    high = beta.ppf(0.975, k + 1, n - k) if k < n else 1.0
    return {"tpr": tpr, "low": low, "high": high, "n": n}


def by_jeffreys(members, others, fpr):
    """The posterior of the share with Jeffreys' prior, the TPR within it."""
    tpr, n = share_above(members, others, fpr)
    low, high = beta.ppf([0.025, 0.975], tpr * n + 0.5, n - tpr * n + 0.5)
    return {"tpr": torch.tensor(tpr), "low": min(low, tpr), "high": max(high, tpr)}


def by_bootstrap(members, others, fpr):
    """Percentiles over resampled members and others; where all or none are found, the rule of three."""
    a, b, dice = members.numpy(), others.numpy(), np.random.default_rng(0)
    n, m, k = len(a), len(b), math.floor(fpr * len(b) + 1e-9)
    tpr = share_above(members, others, fpr)[0]
    lines = np.sort(b[dice.integers(m, size=(1000, m))], axis=1)[:, m - 1 - k]
    shares = (a[dice.integers(n, size=(1000, n))] > lines[:, None]).mean(1)
    low, high = np.quantile(shares, [0.025, 0.975])
    if tpr in (0, 1):
        low, high = min(low, tpr - 3 / n), max(high, tpr + 3 / n)
    return {"tpr": tpr, "low": max(0, min(low, tpr)), "high": min(1, max(high, tpr))}


def wilson(tpr, n, z=1.96):
    centre = (tpr + z * z / 2 / n) / (1 + z * z / n)
    half = z * math.sqrt(tpr * (1 - tpr) / n + z * z / 4 / n / n) / (1 + z * z / n)
    return {"tpr": tpr, "low": centre - half, "high": centre + half}


def other_tpr(wrong):
    """Wilson's interval around the share that `wrong(members, others, sorted others, allowed)` gives."""

    def answer(members, others, fpr):
        k = math.floor(fpr * len(others) + 1e-9)
        tpr = float(wrong(members, others, others.sort(descending=True).values, k))
        return {"tpr": tpr, "low": tpr - 0.1, "high": tpr + 0.1}

    return answer


def own_threshold(members, others, fpr):
    line = members.sort(descending=True).values[int(fpr * len(members))]
    return wilson((members > line).double().mean().item(), len(members))


def pooled(members, others, fpr):
    both = torch.cat([members, others]).sort(descending=True).values
    return wilson((members > both[int(fpr * len(both))]).double().mean().item(), len(members))


def five_per_cent(members, others, fpr):
    return wilson(*share_above(members, others, 0.05))


def with_interval(make):
    """The right TPR with an interval of `make(tpr, n, m)`."""

    def answer(members, others, fpr):
        tpr, n = share_above(members, others, fpr)
        return {"tpr": tpr} | dict(zip(("low", "high"), make(tpr, n, len(others)), strict=True))

    return answer


def wald(tpr, n, m, z=1.96):
    half = z * math.sqrt(tpr * (1 - tpr) / n)
    return max(0.0, tpr - half), min(1.0, tpr + half)


def of_level(level):
    def make(tpr, n, m):
        found = wilson(tpr, n, norm.ppf((1 + level) / 2))
        return found["low"], found["high"]

    return make


def plain_bootstrap(tpr, n, m):
    shares = np.random.default_rng(0).binomial(n, tpr, 2000) / n
    return np.quantile(shares, [0.025, 0.975])


def changing(members, others, fpr):
    others.copy_(others.sort().values)
    return by_beta(members, others, fpr)


MEMBERSHIP_RIGHT = {"beta": by_beta, "Jeffreys": by_jeffreys, "bootstrap": by_bootstrap}
MEMBERSHIP_WRONG = {
    "own threshold": (own_threshold, "taken from the members"),
    "pooled": (pooled, "members and non-members together"),
    "wrong end": (other_tpr(lambda a, b, s, k: (a > s[-1 - k]).double().mean()), "wrong end"),
    "at least": (other_tpr(lambda a, b, s, k: (a >= s[k]).double().mean()), "above means >"),
    "one too high": (
        other_tpr(lambda a, b, s, k: (a > s[max(k - 1, 0)]).double().mean()),
        "one score too high",
    ),
    "one too low": (other_tpr(lambda a, b, s, k: (a > s[k + 1]).double().mean()), "one score too low"),
    "fpr fixed": (five_per_cent, "whatever `fpr` says"),
    "nobody accused": (other_tpr(lambda a, b, s, k: (a > s[0]).double().mean()), "at an FPR of 0"),
    "the FPR": (other_tpr(lambda a, b, s, k: (b > s[k]).double().mean()), "the FPR"),
    "accuracy": (
        other_tpr(lambda a, b, s, k: torch.cat([a > s[k], b <= s[k]]).double().mean()),
        "accuracy: non-members",
    ),
    "precision": (
        other_tpr(lambda a, b, s, k: (a > s[k]).sum() / ((a > s[k]).sum() + (b > s[k]).sum())),
        "precision",
    ),
    "advantage": (
        other_tpr(lambda a, b, s, k: (a > s[k]).double().mean() - (b > s[k]).double().mean()),
        "advantage",
    ),
    "a count": (other_tpr(lambda a, b, s, k: (a > s[k]).sum()), "a count"),
    "of the others": (other_tpr(lambda a, b, s, k: (a > s[k]).sum() / len(b)), "number of non-members"),
    "missed": (other_tpr(lambda a, b, s, k: (a <= s[k]).double().mean()), "missed"),
    "Wald": (with_interval(wald), "no member of 80"),
    "bootstrap at the ends": (with_interval(plain_bootstrap), "no member of 80"),
    "one standard error": (with_interval(lambda tpr, n, m: wald(tpr, n, m, z=1.0)), "too narrow"),
    "90 %": (with_interval(of_level(0.9)), "too narrow"),
    "99 %": (with_interval(of_level(0.99)), "too wide"),
    "N of the others": (with_interval(lambda tpr, n, m: of_level(0.95)(tpr, m, n)), "too narrow"),
    "N of all": (with_interval(lambda tpr, n, m: of_level(0.95)(tpr, n + m, m)), "too narrow"),
    "ends exchanged": (with_interval(lambda tpr, n, m: of_level(0.95)(tpr, n, m)[::-1]), "lower end"),
    "around the FPR": (with_interval(lambda tpr, n, m: (0.0, 0.1)), "does not contain the TPR"),
    "scores changed": (changing, "changed"),
    "a tuple": (lambda members, others, fpr: share_above(members, others, fpr), "keys"),
    "no interval": (lambda members, others, fpr: {"tpr": share_above(members, others, fpr)[0]}, "keys"),
    "the helper": (lambda members, others, fpr: tpr_at_fpr(members, others, fpr), "ValueError"),
}

# --- question 2 --------------------------------------------------------------------------------------------------


def distances(table, room):
    """By hand: standardised features and all pairs of distances."""
    scaling = room["scaling"]
    rows, real, new = (
        scaling.features(scaling.standardise(each)) for each in (table, room["members"], room["others"])
    )
    return torch.cdist(real, rows), torch.cdist(new, rows)


def by_pairs(table, room, membership=by_beta):
    to_real, to_new = distances(table, room)
    attack = membership(-to_real.min(1).values, -to_new.min(1).values, 0.05)
    auc, best = outcome_auc(table, room["test"]), outcome_auc(room["members"], room["test"])
    verdict = "leaks" if attack["low"] > 0.05 else "useless" if auc < 0.5 * (0.5 + best) else "release"
    closer = (to_real.min(0).values < to_new.min(0).values).double().mean()
    return {"auc": auc, "tpr": attack["tpr"], "closer": closer, "verdict": verdict}


def by_jeffreys_too(table, room):
    return by_pairs(table, room, by_jeffreys)


def by_bootstrap_too(table, room):
    return by_pairs(table, room, by_bootstrap)


def figures(table, room):
    real, new, scaling = room["members"], room["others"], room["scaling"]
    attack = tpr_at_fpr(*(-closest_distance(each, table, scaling) for each in (real, new)))
    auc, best = outcome_auc(table, room["test"]), outcome_auc(real, room["test"])
    closer = closer_to_training(table, real, new, scaling)
    return attack, auc, best, closer


def by_rule(rule):
    """The right figures, and the verdict `rule(attack, auc, best, closer)`."""

    def answer(table, room):
        attack, auc, best, closer = figures(table, room)
        return {
            "auc": auc,
            "tpr": attack["tpr"],
            "closer": closer,
            "verdict": rule(attack, auc, best, closer),
        }

    return answer


def right_rule(attack, auc, best, closer):
    return "leaks" if attack["low"] > 0.05 else "release" if 2 * auc >= best + 0.5 else "useless"


def leaks_if(condition):
    def rule(attack, auc, best, closer):
        known = right_rule({"low": 0.0}, auc, best, closer)
        return "leaks" if condition(attack, closer) else known

    return by_rule(rule)


def other_figure(key, wrong):
    return lambda table, room: by_rule(right_rule)(table, room) | {key: wrong(table, room)}


def attacked(sign=-1, swap=False, rows=False, raw=False, fpr=0.05, key="tpr"):
    def answer(table, room):
        groups = [room["members"], room["others"]]
        if raw:
            scores = [sign * torch.cdist(each, table).min(1).values for each in groups]
        elif rows:
            scores = [sign * closest_distance(table, each, room["scaling"]) for each in groups]
        else:
            scores = [sign * closest_distance(each, table, room["scaling"]) for each in groups]
        return tpr_at_fpr(*(reversed(scores) if swap else scores), fpr=fpr)[key]

    return other_figure("tpr", answer)


AUDIT_RIGHT = {"by hand": by_pairs, "Jeffreys": by_jeffreys_too, "bootstrap": by_bootstrap_too}
AUDIT_WRONG = {
    "TRTS": (other_figure("auc", lambda table, room: outcome_auc(room["test"], table)), "other way round"),
    "real rows": (
        other_figure("auc", lambda t, room: outcome_auc(room["members"], room["test"])),
        "real records",
    ),
    "tested on members": (other_figure("auc", lambda t, room: outcome_auc(t, room["members"])), "has seen"),
    "tested on others": (
        other_figure("auc", lambda t, room: outcome_auc(t, room["others"])),
        "tested on the others",
    ),
    "tested on itself": (
        other_figure("auc", lambda t, room: outcome_auc(t, t)),
        "rows that it was trained on",
    ),
    "sign": (attacked(sign=1), "the sign is turned"),
    "exchanged": (attacked(swap=True), "exchanged"),
    "rows for people": (attacked(rows=True), "each *person* needs one"),
    "raw units": (attacked(raw=True), "the scaling is left out"),
    "FPR 1 %": (attacked(fpr=0.01), "FPR of 1 %"),
    "FPR 10 %": (attacked(fpr=0.1), "FPR of 10 %"),
    "AUC of the attack": (attacked(key="auc"), "AUC of the attack"),
    "lower end": (attacked(key="low"), "lower end"),
    "closer to others": (
        other_figure("closer", lambda t, r: closer_to_training(t, r["others"], r["members"], r["scaling"])),
        "closer to the others",
    ),
    "release all": (by_rule(lambda *_: "release"), "“leaks” was called “release”"),
    "no interval": (leaks_if(lambda attack, closer: attack["tpr"] > 0.05), "“release” was called “leaks”"),
    "upper end": (leaks_if(lambda attack, closer: attack["high"] > 0.05), "was called “leaks”"),
    "by closer": (leaks_if(lambda attack, closer: closer > 0.6), "“leaks” was called “release”"),
    "by accuracy": (
        leaks_if(lambda attack, closer: (attack["tpr"] + 1 - attack["fpr"]) / 2 > 0.6),
        "“leaks” was called “release”",
    ),
    "by AUC of the attack": (
        leaks_if(lambda attack, closer: attack["auc"] > 0.65),
        "“leaks” was called “release”",
    ),
    "useless first": (
        by_rule(lambda a, auc, best, c: "useless" if 2 * auc < best + 0.5 else right_rule(a, auc, best, c)),
        "“leaks” was called “useless”",
    ),
    "better than 0.5": (
        by_rule(
            lambda a, auc, best, c: "leaks" if a["low"] > 0.05 else "release" if auc > 0.5 else "useless"
        ),
        "“useless” was called “release”",
    ),
    "as good as real": (
        by_rule(
            lambda a, auc, best, c: "leaks" if a["low"] > 0.05 else "release" if auc >= best else "useless"
        ),
        "“release” was called “useless”",
    ),
    "utility alone": (
        by_rule(lambda a, auc, best, c: "release" if 2 * auc >= best + 0.5 else "useless"),
        "“leaks” was called",
    ),
    "another word": (by_rule(lambda *_: "private"), "none of the three words"),
    "a key missing": (lambda table, room: {"auc": outcome_auc(table, room["test"])}, "keys"),
}

# --- question 3 --------------------------------------------------------------------------------------------------


def judged(synthetic, rows):
    return outcome_auc(synthetic, rows, classifier=KNeighborsClassifier(3))


def pipeline(split, seen=lambda train, test, records: train, scaled=None, auc=None, rows=2000):
    """A pipeline of parts: the test rows as a mask, what `fit` and the scaling see, and the AUC."""
    scaled = scaled or seen
    auc = auc or (lambda synthetic, train, test, records: judged(synthetic, test))

    def answer(records, person, fit, seed):
        mask = split(person, torch.Generator().manual_seed(seed))
        train, test = records[~mask], records[mask]
        scaling = Scaling.fit(scaled(train, test, records), COLUMNS)
        synthetic = fit(seen(train, test, records), scaling)(rows)
        numbers = torch.arange(len(records))
        return {"auc": auc(synthetic, train, test, records), "train": numbers[~mask], "test": numbers[mask]}

    return answer


def some_people(person, dice, share=0.25):
    """The people of the quarter with the smallest random numbers."""
    names, place = person.unique(return_inverse=True)
    luck = torch.rand(len(names), generator=dice)
    return (luck.argsort().argsort() < int(share * len(names)))[place]


def some_rows(person, dice):
    mask = torch.zeros(len(person), dtype=torch.bool)
    mask[torch.randperm(len(person), generator=dice)[: len(person) // 4]] = True
    return mask


def by_lists(records, person, fit, seed):
    """Plain Python, NumPy's dice, and lists of row numbers."""
    names = sorted(set(person.tolist()))
    chosen = set(np.random.default_rng(seed).choice(names, len(names) // 4, replace=False).tolist())
    test = [i for i, who in enumerate(person.tolist()) if who in chosen]
    train = [i for i, who in enumerate(person.tolist()) if who not in chosen]
    sample = fit(records[train], Scaling.fit(records[train], COLUMNS))
    return {"auc": judged(sample(2000), records[test]), "train": train, "test": test, "seed": seed}


def by_groups(records, person, fit, seed):
    """scikit-learn's splitter of groups, the rows shuffled before `fit`."""
    from sklearn.model_selection import GroupShuffleSplit

    people = len(person.unique())
    splitter = GroupShuffleSplit(1, test_size=people // 4, random_state=seed)
    train, test = (torch.from_numpy(each) for each in next(splitter.split(records, groups=person)))
    rows = records[train.flip(0)]
    return {
        "auc": judged(fit(rows, Scaling.fit(rows, COLUMNS))(2000), records[test]),
        "train": train,
        "test": test,
    }


def first_people(person, dice):
    return torch.isin(person, person.unique()[: len(person.unique()) // 4])


def global_dice(person, dice):
    return some_people(person, None)


def everything(train, test, records):
    return records


def the_colleagues(records, person, fit, seed):
    sample = fit(records, Scaling.fit(records, COLUMNS))
    order = torch.randperm(len(records), generator=torch.Generator().manual_seed(seed))
    test, train = order[: len(records) // 4], order[len(records) // 4 :]
    return {"auc": judged(sample(2000), records[test]), "train": train, "test": test}


def fitted_twice(records, person, fit, seed):
    fit(records, Scaling.fit(records, COLUMNS))
    return by_lists(records, person, fit, seed)


def standardised(records, person, fit, seed):
    def fit_scaled(rows, scaling):
        return fit(scaling.standardise(rows), scaling)

    return by_lists(records, person, fit_scaled, seed)


def rows_dropped(records, person, fit, seed):
    found = by_lists(records, person, fit, seed)
    return found | {"train": found["train"][:-5]}


REPAIRED_RIGHT = {"masks": pipeline(some_people), "lists": by_lists, "scikit-learn": by_groups}
REPAIRED_WRONG = {
    "the colleague's": (the_colleagues, "rows on both sides"),
    "rows split": (pipeline(some_rows), "rows on both sides"),
    "fitted to all": (pipeline(some_people, seen=everything), "the generator knows them"),
    "scaling of all": (
        pipeline(some_people, scaled=everything),
        "It has seen the test rows",
    ),
    "scaling of the test": (
        pipeline(some_people, scaled=lambda train, test, records: test),
        "fitted to the test rows",
    ),
    "fitted to the test": (
        pipeline(some_people, seen=lambda train, test, records: test),
        "the generator knows them",
    ),
    "half": (pipeline(lambda person, dice: some_people(person, dice, 0.5)), "a quarter is asked for"),
    "exchanged": (pipeline(lambda person, dice: ~some_people(person, dice)), "a quarter is asked for"),
    "not mixed": (pipeline(first_people), "the same split"),
    "global dice": (pipeline(global_dice), "in two ways"),
    "training AUC": (
        pipeline(some_people, auc=lambda synthetic, train, test, records: judged(synthetic, train)),
        "AUC on the training rows",
    ),
    "AUC of all": (
        pipeline(some_people, auc=lambda synthetic, train, test, records: judged(synthetic, records)),
        "AUC on all rows",
    ),
    "TRTR": (
        pipeline(some_people, auc=lambda synthetic, train, test, records: judged(train, test)),
        "real training rows",
    ),
    "TRTS": (
        pipeline(some_people, auc=lambda synthetic, train, test, records: judged(test, synthetic)),
        "other way round",
    ),
    "logistic regression": (
        pipeline(some_people, auc=lambda synthetic, train, test, records: outcome_auc(synthetic, test)),
        "logistic regression",
    ),
    "few samples": (pipeline(some_people, rows=200), "2,000 sampled rows"),
    "fitted twice": (fitted_twice, "called 2 times"),
    "standardised": (standardised, "not in the table"),
    "rows dropped": (rows_dropped, "on neither side"),
    "a number": (lambda *arguments: by_lists(*arguments)["auc"], "keys"),
}

RIGHT = {"membership_test": MEMBERSHIP_RIGHT, "audit": AUDIT_RIGHT, "repaired": REPAIRED_RIGHT}
WRONG = {"membership_test": MEMBERSHIP_WRONG, "audit": AUDIT_WRONG, "repaired": REPAIRED_WRONG}
