"""Checks of notebook 22: the noise of one process among several, and the scale of an accumulated loss."""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.feedback import Case, Close, Feedback, Observe, Row, Task, Wanted, diagnose

# A: the noise of the whole batch, drawn by the same seed in each process, and the rows of one process.


def _asked(batch: int, latent: int, seed: int, rank: int, processes: int) -> Case:
    return Case(batch=batch, latent=latent, seed=seed, rank=rank, processes=processes)


def _noise(rows: int, latent: int, seed: int, dtype: torch.dtype, draw: Callable = torch.randn) -> Tensor:
    return draw(rows, latent, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def _part(z: Tensor, rank: int, processes: int) -> Tensor:
    size = len(z) // processes
    return z[rank * size : (rank + 1) * size]


TYPES = [  # a seed gives other numbers in float64, which may be a learner's default
    Row("right", lambda: torch.float32, ok=True),
    Row("right", lambda: torch.float64, ok=True),
]
SEEDS = [
    Row("right", lambda c: c.seed, ok=True),
    Row("seed_by_rank", lambda c: c.seed + c.rank,
        "Each of your processes draws from a seed of its own. The noise is independent, but it is not that of one "
        "process: with `seed` itself all draw the same batch, and each keeps another part."),
    Row("fixed_seed", lambda c: 0, "Your noise does not depend on `seed`."),
]  # fmt: skip
CUTS = [
    Row("right", _part, ok=True),
    Row("strided", lambda z, rank, n: z[rank::n],
        "You deal the rows out in turn, every N-th to a process. That is a fair cut as well. The images have to be cut "
        "in the same way.", ok=True),
    Row("first", lambda z, rank, n: _part(z, 0, n),
        "You keep the first rows, whatever `rank` is, so all processes hold the same noise. Where does the part of "
        "`rank` begin?"),
    Row("reversed", lambda z, rank, n: _part(z, n - 1 - rank, n),
        "You count the parts from the end. Rank 0 is to hold the first rows, as it holds the first images."),
    Row("next", lambda z, rank, n: _part(z, (rank + 1) % n, n),
        "You take the part of the next rank. Ranks count from 0."),
    Row("before", lambda z, rank, n: _part(z, (rank - 1) % n, n),
        "You take the part of the rank before. Ranks count from 0, and so do the rows of Python."),
    Row("by_rank_rows", lambda z, rank, n: z[rank : rank + len(z) // n],
        "Your part begins at row `rank`, so the parts of two ranks overlap. How many rows belong to the ranks before?"),
]  # fmt: skip


def _ways(dtype: torch.dtype) -> list[Row]:
    return [
        Row("own_part", lambda c: _noise(c.batch // c.processes, c.latent, c.seed, dtype),
            "Each process draws only its part, and all from the same seed, so all hold the *same* noise: the failure "
            "of section 5. Draw for the whole batch, then cut."),
        Row("own_seed", lambda c: _noise(c.batch // c.processes, c.latent, c.seed + c.rank, dtype),
            "Each process draws its part from a seed of its own. The noise is independent, but it is not that of one "
            "process, so the two trainings could not be compared. Draw for the whole batch from `seed`, then cut."),
        Row("transposed", lambda c: _part(_noise(c.latent, c.batch, c.seed, dtype).T, c.rank, c.processes),
            "The noise is drawn as (latent, batch) and turned. The numbers come in another order then: draw (batch, "
            "latent)."),
        Row("uniform", lambda c: _part(_noise(c.batch, c.latent, c.seed, dtype, torch.rand), c.rank, c.processes),
            "These numbers are uniform. A standard normal is asked for: `torch.randn`."),
    ]  # fmt: skip


NOISE = Task(
    usage="my_noise(batch, latent, seed, rank, processes)",
    cases=lambda: [_asked(24, 5, 3, 1, 3), _asked(20, 3, 7, 3, 4), _asked(12, 4, 11, 0, 2), _asked(30, 2, 5, 4, 5)],
    tables=(SEEDS, CUTS, TYPES),
    compose=lambda c, seed, cut, dtype: cut(_noise(c.batch, c.latent, seed(c), dtype()), c.rank, c.processes),
    ways=[*_ways(torch.float32), *_ways(torch.float64)],
    observe=Observe(Wanted(
        "(batch / processes, latent)", lambda c: (c.batch // c.processes, c.latent), what="the noise, a tensor",
        hints=lambda c: {(c.batch, c.latent): "That is the noise of the whole batch: keep the part of `rank`."},
        otherwise="Which rows of the batch belong to this rank?",
    )),
    noise=("noise", "Two calls with the same arguments gave different noise. Draw it from a generator that you "
           "seed with `seed`, inside the function."),
    close=Close(1e-5, 1e-6),
    praise="All processes draw the same batch, and each keeps its own rows of it.",
)  # fmt: skip


def check_noise(f: Callable[[int, int, int, int, int], Tensor]) -> Feedback:
    """Say whether `f(batch, latent, seed, rank, processes)` is this rank's part of the noise that `seed` gives.

    Wanted is (batch / processes, latent): rows of `torch.randn(batch, latent)` from a generator seeded with `seed`, in
    blocks or in turn. Raises nothing.
    """
    return diagnose(NOISE, f)


# B: what each part of a batch adds to the mean over the batch.


def _losses(sizes: list[int], seed: int) -> Case:
    draw = torch.Generator().manual_seed(seed)
    losses = torch.rand(sum(sizes), generator=draw, dtype=torch.float64) + torch.arange(sum(sizes)) / 3 + 1
    return Case(losses=losses, sizes=sizes)


PARTS = [
    Row("right", lambda part: part.sum(), ok=True),
    Row("last", lambda part: part[-1], "Only the last image of each part counts."),
    Row("squared", lambda part: part.square().sum(), "The losses are squared. They are losses already."),
]
MEAN_OF_MEANS = (
    "You divide the mean of each part by the number of parts. That is the mean of means: right for equal parts, and "
    "here an image in a small part counts more than the others. By what is each loss divided in the mean over "
    "the batch?"
)
SCALES = [
    Row("right", lambda c, size: len(c.losses), ok=True),
    Row("mean", lambda c, size: size,
        "Each of your numbers is the mean of its part, and added up they are about as many times too large as there "
        "are parts. By what is each loss divided in the mean over the batch?"),
    Row("mean_of_means", lambda c, size: size * len(c.sizes), MEAN_OF_MEANS),
    Row("sum", lambda c, size: 1, "You do not divide at all, so the gradient is that of the sum over the batch."),
    Row("by_parts", lambda c, size: len(c.sizes),
        "The sum of each part is divided by the number of *parts*. Divide by the number of images in the batch."),
    Row("twice", lambda c, size: size * len(c.losses),
        "The mean of each part is divided once more, by the number of images in the batch. One of the two is enough: "
        "which?"),
    Row("first_size", lambda c, size: c.sizes[0] * len(c.sizes),
        "You divide by the size of the first part times the number of parts. The last parts may be smaller: how many "
        "images are there really?"),
    Row("batches_twice", lambda c, size: len(c.losses) * len(c.sizes),
        "You divide by the number of images and by the number of parts as well. The sums of the parts are added up, so "
        "the first is enough."),
]  # fmt: skip


def _accumulated(c: Case, added: Callable, scale: Callable) -> Tensor:
    parts = c.losses.split(c.sizes)
    return torch.stack([added(part) / scale(c, len(part)) for part in parts])


OTHERS = [
    Row("equal_parts", lambda c: torch.stack([part.sum() for part in c.losses.tensor_split(len(c.sizes))])
        / len(c.losses),
        "You cut the batch into parts of (nearly) equal size. The sizes are given: `losses.split(sizes)`."),
    Row("running", lambda c: _accumulated(c, PARTS[0].f, SCALES[0].f).cumsum(0),
        "Your numbers are running sums: each contains the parts before it, whose gradients have been added already."),
]  # fmt: skip
ACCUMULATED = Task(
    usage="my_accumulated(losses, sizes)",
    cases=lambda: [_losses([3, 3, 3, 1], 1), _losses([5, 2], 2), _losses([4, 4, 3], 3)],
    tables=(PARTS, SCALES),
    compose=_accumulated,
    ways=OTHERS,
    observe=Observe(Wanted(
        "(parts,)", lambda c: (len(c.sizes),), what="a tensor with one number for each part",
        hints=lambda c: {(): "That is one number for the whole batch, which would need all parts in memory at once."},
        otherwise="Return one number for each part.",
    )),
    close=Close(1e-5, 1e-9),
    praise="Each part's sum divided by all images: added up, that is the mean over the batch.",
)  # fmt: skip


def check_accumulated(f: Callable[[Tensor, list], Tensor]) -> Feedback:
    """Say whether `f(losses, sizes)` gives one number a part, whose gradients add up to that of the mean.

    losses (B,), `sizes` a list of the parts' sizes, which add up to B and differ. Wanted is (parts,). Raises nothing.
    """
    return diagnose(ACCUMULATED, f)
