"""Checks of notebook 20: precision and recall from balls, and how often fakes lie closer to the training set."""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.feedback import (
    Case,
    Close,
    Feedback,
    Mistake,
    Observe,
    Row,
    Task,
    Trial,
    Wanted,
    diagnose,
    in_any_order,
)
from helpers.feedback.fallbacks import told

# A: precision and recall. The two sets overlap in part and are of different sizes; no distance equals a radius.


def _clouds(reals: int, fakes: int, d: int, k: int, seed: int) -> Case:
    draw = torch.Generator().manual_seed(seed)
    real = torch.randn(reals, d, generator=draw, dtype=torch.float64)
    near = 0.4 * torch.randn(fakes - 4, d, generator=draw, dtype=torch.float64) + 0.8
    far = torch.randn(4, d, generator=draw, dtype=torch.float64) - 3
    return Case(real=real, fake=torch.cat([near, far]), k=k)


def _neighbour(points: Tensor, place: int) -> Tensor:
    return torch.cdist(points, points).sort(dim=1).values[:, min(place, len(points) - 1)]


OFF_BY_ONE = (
    "Your balls are too small. In the distances of the points to themselves the smallest is 0, the point itself, so "
    "the k-th nearest *other* point is number k + 1 of the sorted ones."
)
RADII = [
    Row("right", lambda own, other, k: _neighbour(own, k), ok=True),
    Row("itself", lambda own, other, k: _neighbour(own, k - 1), OFF_BY_ONE),
    Row("one_more", lambda own, other, k: _neighbour(own, k + 1),
        "Your balls are too large: they reach to the neighbour after the k-th. Python counts from 0, and place 0 of "
        "the sorted distances is the point itself."),
    Row("first", lambda own, other, k: _neighbour(own, 1),
        "Your balls reach to the nearest neighbour whatever `k` is."),
    Row("other_set", lambda own, other, k: torch.cdist(own, other).sort(dim=1).values[:, k - 1],
        "Your balls reach to the k-th nearest point of the *other* set. A ball shows how dense its own set is, so its "
        "radius is a distance within that set."),
    Row("mean", lambda own, other, k: torch.cdist(own, own).sort(dim=1).values[:, 1 : k + 1].mean(1),
        "Your radius is the mean distance of the k nearest neighbours. It should reach to the k-th of them."),
    Row("diameter", lambda own, other, k: _neighbour(own, k) / 2,
        "The distance to the k-th neighbour is the radius of the ball; you use it as the diameter."),
    Row("one_for_all", lambda own, other, k: _neighbour(own, k).mean().expand(len(own)),
        "All your balls have the same radius. Each point has its own, small where the points lie densely."),
    Row("squared", lambda own, other, k: _neighbour(own, k) ** 2,
        "A distance is compared with a squared distance: take the root of both or of neither."),
]  # fmt: skip
SHARES = [
    Row("right", lambda apart, r: (apart <= r[:, None]).any(0).double().mean(), ok=True),
    Row("centres", lambda apart, r: (apart <= r[:, None]).any(1).double().mean(),
        "You count the *balls* with a point of the other set in them. Of the real points' balls this is called "
        "coverage. For precision and recall count the points of the other set that lie in a ball."),
    Row("every", lambda apart, r: (apart <= r[:, None]).all(0).double().mean(),
        "A point counts for you only if it lies in *all* balls. One is enough."),
    Row("pairs", lambda apart, r: (apart <= r[:, None]).double().mean(),
        "You take the mean over all pairs of a point and a ball. First ask of each point whether it lies in any ball, "
        "then take the mean over the points."),
    Row("sum", lambda apart, r: (apart <= r[:, None]).sum(0).double().mean(),
        "A point in three balls counts three times for you. It should count once: `any` before the mean."),
    Row("nearest_only", lambda apart, r: (apart.min(0).values <= r[apart.argmin(0)]).double().mean(),
        "You look at the ball of the nearest centre alone. A point may lie outside that small ball and still inside "
        "the larger ball of another centre."),
    Row("outside", lambda apart, r: (apart > r[:, None]).all(0).double().mean(),
        "That is the share of points that lie in *no* ball."),
    Row("count", lambda apart, r: (apart <= r[:, None]).any(0).sum().double(),
        "That is a number of points. Asked for is their share, from 0 to 1."),
]  # fmt: skip
ORDERS = [
    Row("right", lambda precision, recall: (precision, recall), ok=True),
    Row("exchanged", lambda precision, recall: (recall, precision),
        "Precision and recall have changed places. Precision is about the fakes, in the balls of the real points; "
        "recall is about the real points, in the balls of the fakes."),
]  # fmt: skip


def _both(c: Case, radius: Callable, share: Callable, order: Callable) -> tuple[Tensor, Tensor]:
    precision = share(torch.cdist(c.real, c.fake), radius(c.real, c.fake, c.k))
    return order(precision, share(torch.cdist(c.fake, c.real), radius(c.fake, c.real, c.k)))


def _ends(trial: Trial) -> None:
    """A probe: 1 and 1 for copies, 0 and 0 for sets that lie far apart."""
    case = trial.cases[0]
    for fake, best in ((case.real.clone(), 1), (case.real + 1000, 0)):
        found = trial.ask(case.but(fake=fake))
        if any(abs(float(found[name]) - best) > 1e-6 for name in ("precision", "recall")):
            where = "the fakes are copies of the real points" if best else "the two sets lie far apart"
            raise Mistake("ends", f"Where {where} both should be {best}; yours are "
                          f"{told(float(found['precision']))} and {told(float(found['recall']))}.")  # fmt: skip


def _share(name: str) -> Wanted:
    return Wanted(
        "()", lambda c: (), what=f"the {name}, one number", otherwise="One share for all points together."
    )


PRECISION_RECALL = Task(
    usage="my_precision_recall(real, fake, k)",
    cases=lambda: [_clouds(31, 23, 3, 3, 1), _clouds(26, 37, 2, 2, 2), _clouds(41, 29, 5, 4, 3)],
    tables=(RADII, SHARES, ORDERS),
    compose=_both,
    observe=Observe({"precision": _share("precision"), "recall": _share("recall")}),
    close=Close(1e-4, 1e-6),
    praise="Each set is asked against the balls of the other, and one ball is enough.",
    probes=(in_any_order("real points", {"real": 0}), in_any_order("fakes", {"fake": 0}), _ends),
)  # fmt: skip


def check_precision_recall(f: Callable[[Tensor, Tensor, int], tuple]) -> Feedback:
    """Say whether `f(real, fake, k)` gives precision and recall by balls to the k-th nearest neighbour.

    real (N, d), fake (M, d), N ≠ M, float64. Compared are two numbers to 1e-4. Raises nothing.
    """
    return diagnose(PRECISION_RECALL, f)


# B: the share of pairs in which the fake lies closer to the training set. There are no ties.


def _three(fakes: int, others: int, trained: int, d: int, seed: int) -> Case:
    draw = torch.Generator().manual_seed(seed)
    training, held_out, fake = (
        torch.randn(n, d, generator=draw, dtype=torch.float64) for n in (trained, others, fakes)
    )
    copied = training[: fakes // 3] + 0.1 * torch.randn(fakes // 3, d, generator=draw, dtype=torch.float64)
    return Case(fake=torch.cat([copied, 1.3 * fake[fakes // 3 :]]), held_out=held_out, training=training)


NEAREST = [
    Row("right", lambda a, b, t: (torch.cdist(a, t).amin(1), torch.cdist(b, t).amin(1)), ok=True),
    Row("mean", lambda a, b, t: (torch.cdist(a, t).mean(1), torch.cdist(b, t).mean(1)),
        "You take the mean distance to all training examples. A copy is close to *one* of them, far from the rest."),
    Row("farthest", lambda a, b, t: (torch.cdist(a, t).amax(1), torch.cdist(b, t).amax(1)),
        "You take the largest distance to a training example; the nearest one tells a copy."),
    Row("to_held_out", lambda a, b, t: (torch.cdist(a, t).amin(1), torch.cdist(a, b).amin(1)),
        "You ask whether a fake is closer to the training set than to the *held-out set*. The larger of the two sets "
        "wins that. Compare two distances to the same set, the training set: that of a fake and that of a held-out "
        "example."),
    Row("training_to", lambda a, b, t: (torch.cdist(t, a).amin(1), torch.cdist(t, b).amin(1)),
        "You look for the nearest fake of each training example. Look for the nearest training example of each fake: "
        "the minimum is over the training set."),
    Row("within", lambda a, b, t: (_neighbour(a, 1), _neighbour(b, 1)),
        "Your distances are within each set. Where does the training set come in?"),
]  # fmt: skip
PAIRS = [
    Row("right", lambda a, b: (a[:, None] < b).double().mean(), ok=True),
    Row("farther", lambda a, b: (a[:, None] > b).double().mean(),
        "That is the share of pairs in which the fake lies *farther* from the training set."),
    Row("below_median", lambda a, b: (a < b.median()).double().mean(),
        "You compare each fake with the median of the held-out distances. Compare it with each of them, and take the "
        "mean over all pairs."),
    Row("below_mean", lambda a, b: (a < b.mean()).double().mean(),
        "You compare each fake with the mean of the held-out distances. Compare it with each of them, and take the "
        "mean over all pairs."),
    Row("below_all", lambda a, b: (a < b.min()).double().mean(),
        "A fake counts for you only if it is closer than *every* held-out example. Take the mean over all pairs."),
    Row("means", lambda a, b: (a.mean() < b.mean()).double(),
        "You compare two means, which gives 0 or 1. Compare every fake with every held-out example."),
    Row("ratio", lambda a, b: a.mean() / b.mean(),
        "That is the ratio of the mean distances. Asked for is a share of pairs, from 0 to 1."),
    Row("ratio", lambda a, b: a.median() / b.median(),
        "That is the ratio of the median distances. Asked for is a share of pairs, from 0 to 1."),
    Row("count", lambda a, b: (a[:, None] < b).double().sum(),
        "That is the number of pairs; divide by how many pairs there are."),
    Row("per_fake", lambda a, b: (a[:, None] < b).double().sum() / len(a),
        "You divide by the number of fakes. There is a pair for each fake and each held-out example."),
]  # fmt: skip

COPYING = Task(
    usage="my_share_closer(fake, held_out, training)",
    cases=lambda: [_three(18, 23, 31, 3, 1), _three(27, 20, 41, 2, 2), _three(21, 33, 25, 4, 3)],
    tables=(NEAREST, PAIRS),
    compose=lambda c, nearest, share: share(*nearest(c.fake, c.held_out, c.training)),
    observe=Observe(Wanted("()", lambda c: (), what="one number", otherwise="One share for all pairs together.")),
    close=Close(1e-4, 1e-6),
    praise="Both distances are to the same set, so its size does not matter, and honest generators stay near one half.",
    probes=(in_any_order("fakes", {"fake": 0}), in_any_order("training examples", {"training": 0})),
)  # fmt: skip


def check_share_closer(f: Callable[[Tensor, Tensor, Tensor], float]) -> Feedback:
    """Say whether `f(fake, held_out, training)` is the share of pairs whose fake lies closer to the training set.

    fake (n, d), held_out (m, d), training (t, d), all of different sizes, float64. Compared is one number to 1e-4.
    Raises nothing.
    """
    return diagnose(COPYING, f)
