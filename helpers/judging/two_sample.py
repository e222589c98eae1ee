"""Two-sample tests: could these two sets have come from one distribution?"""

import math

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from helpers.data import door
from helpers.judging.neighbours import expect_two_sets


@door(expect_two_sets, "x", "y")
def kernel_matrix(x: Tensor, y: Tensor, bandwidth: float | None = None) -> Tensor:
    """exp(−|a − b|²/(2h²)) of all pairs of rows of x (n, d) and y (m, d) together, (n + m, n + m) in float64.

    Without `bandwidth` h is the median distance of two different rows. Source: Gretton et al. (2012).
    """
    both = torch.cat([x, y]).double()
    apart = torch.cdist(both, both)
    if bandwidth is None:
        bandwidth = apart[~torch.eye(len(both), dtype=torch.bool)].median().clamp(min=1e-12).item()
    return (-apart.square() / (2 * bandwidth**2)).exp()


def _mmd(kernel: Tensor, first: Tensor) -> Tensor:
    """The unbiased MMD² where `first` (P, N), ones and zeros, says which rows are the first sample, (P,)."""
    second = 1 - first
    n, m = first.sum(1), second.sum(1)
    own = kernel.diagonal()
    in_first = ((first @ kernel) * first).sum(1) - first @ own
    in_second = ((second @ kernel) * second).sum(1) - second @ own
    between = ((first @ kernel) * second).sum(1)
    return in_first / (n * (n - 1)) + in_second / (m * (m - 1)) - 2 * between / (n * m)


def _expect_kernel(kernel: Tensor, n: int) -> None:
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1] or not 2 <= n <= len(kernel) - 2:
        raise ValueError(
            f"A kernel matrix is (N, N), and its first n rows are one sample, 2 ≤ n ≤ N − 2: here {tuple(kernel.shape)}"
            f" and n = {n}."
        )


@door(_expect_kernel, "kernel", "n")
def mmd_unbiased(kernel: Tensor, n: int) -> float:
    """The unbiased estimate of MMD² = E k(x, x') + E k(y, y') − 2 E k(x, y), x ≠ x', y ≠ y'.

    kernel (N, N) of both samples together, the first n rows are x. Two samples of one distribution give 0 on average,
    so about half of the time a negative number: do not clip it. Source: Gretton et al. (2012), eq. 3.
    """
    first = (torch.arange(len(kernel)) < n).to(kernel.dtype)
    return _mmd(kernel, first[None]).item()


@door(_expect_kernel, "kernel", "n")
def permutation_test(
    kernel: Tensor, n: int, generator: torch.Generator, permutations: int = 200
) -> tuple[float, float]:
    """The unbiased MMD² of the first n rows against the rest, and its p-value, (1 + as large ones)/(1 + permutations).

    If both samples come from one distribution, any n rows could as well have been the first: the statistic is computed
    for `permutations` random choices. Then p ≤ α happens with probability α at most, whatever the kernel and the
    sizes. Source: Gretton et al. (2012), section 6; the 1 is counted as Phipson and Smyth (2010) advise.
    """
    order = torch.rand(permutations, len(kernel), generator=generator).argsort(dim=1)
    first = torch.cat([torch.arange(len(kernel))[None], order]) < n  # a row of True at n random places
    values = _mmd(kernel, first.to(kernel.dtype))
    larger = (values[1:] >= values[0] - 1e-12).sum().item()
    return values[0].item(), (1 + larger) / (1 + permutations)


@door(expect_two_sets, "real", "fake")
def c2st(real: Tensor, fake: Tensor, generator: torch.Generator, classifier=None) -> dict[str, float]:
    """A classifier learns to tell `real` (N, d) from `fake` (N, d) on one half of each, and is tested on the other.

    Returns the `accuracy` on the n = N examples of the other halves, and the `p` of an accuracy as high if nothing can
    be told apart, N(½, 1/4n). The default is logistic regression on standardised features; any of scikit-learn's will
    do. `real` are images that no generator was trained on. Raises ValueError for sets of different sizes, where always
    giving the commoner answer would beat ½. Source: Lopez-Paz and Oquab (2017), section 3.
    """
    if len(real) != len(fake) or len(real) < 4:
        raise ValueError(
            f"Both sets must have the same size, at least 4, here {len(real)} and {len(fake)}: cut the larger."
        )
    half = len(real) // 2
    parts = [each[torch.randperm(len(each), generator=generator)].numpy() for each in (real, fake)]
    answers = np.repeat([0, 1], half)
    model = make_pipeline(StandardScaler(), classifier or LogisticRegression(C=0.01, max_iter=200))
    model.fit(np.concatenate([part[:half] for part in parts]), answers)
    test = np.concatenate([part[half : 2 * half] for part in parts])
    accuracy = float((model.predict(test) == answers).mean())
    z = (accuracy - 0.5) * 2 * math.sqrt(len(test))
    return {"accuracy": accuracy, "p": math.erfc(z / math.sqrt(2)) / 2}
