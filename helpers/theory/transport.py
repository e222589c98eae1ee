"""The Wasserstein distance W₁, the least mean distance over all ways to move one heap onto another, exactly.

In the unit of the data. Three routes: sorting on a line, an assignment of equal numbers of points, a linear programme.
"""

import numpy as np
import torch
from scipy import sparse
from scipy.optimize import linear_sum_assignment, linprog
from torch import Tensor


def wasserstein_1d(a: Tensor, b: Tensor) -> Tensor:
    """W₁ = ∫₀¹ |F⁻¹(u) − G⁻¹(u)| du between the samples `a` (n,) and `b` (m,) on a line, to ().

    For n = m this is the mean of |a − b| after both are sorted; else the two quantile functions are steps, of width
    1/n and 1/m. Differentiable in the samples. Raises ValueError where a sample is not a non-empty vector.
    Source: Villani (2003), remark 2.19.
    """
    if a.ndim != 1 or b.ndim != 1 or not len(a) or not len(b):
        raise ValueError(
            f"Samples on a line have shapes (n,) and (m,), these {tuple(a.shape)}, {tuple(b.shape)}."
        )
    a, b = a.sort().values, b.sort().values
    n, m = len(a), len(b)
    if n == m:
        return (a - b).abs().mean()
    # In units of 1/(nm) the steps end at multiples of m and of n: whole numbers, so no edge is lost to rounding.
    edges = torch.cat([torch.arange(n + 1) * m, torch.arange(m + 1) * n]).unique()
    left, width = edges[:-1], edges.diff().to(a) / (n * m)
    return (width * (a[left // m] - b[left // n]).abs()).sum()


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances |aᵢ − bⱼ| between points (n, d) and (m, d), to (n, m)."""
    # PyTorch's default expands the square for more than 25 points, and loses half of the digits of small distances.
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def wasserstein_exact(a: Tensor, b: Tensor) -> Tensor:
    """W₁ = min over permutations π of (1/n) Σᵢ |aᵢ − b_π(i)| between equal numbers of points (n, d), to ().

    With equal weights some permutation is as good as any plan that splits points (Birkhoff). Time grows like n³: a
    thousand points take a tenth of a second or so. Differentiable in the points. Raises ValueError where the shapes are
    not equal and (n, d).
    Source: Villani (2003), introduction; the assignment by Crouse (2016).
    """
    if a.ndim != 2 or a.shape != b.shape or not len(a):
        raise ValueError(f"Two equal shapes (n, d) are needed, not {tuple(a.shape)} and {tuple(b.shape)}.")
    cost = distances(a, b)
    rows, columns = linear_sum_assignment(cost.detach().cpu().numpy())
    return cost[rows, columns].mean()


def wasserstein_lp(p: Tensor, q: Tensor, cost: Tensor) -> tuple[float, Tensor, Tensor]:
    """min over plans π ≥ 0 of Σᵢⱼ πᵢⱼ cᵢⱼ with row sums `p` (n,) and column sums `q` (m,); `cost` (n, m).

    Returns the value and the potentials f (n,) and g (m,), float64, of the dual: max Σ pᵢ fᵢ + Σ qⱼ gⱼ with
    fᵢ + gⱼ ≤ cᵢⱼ. If c is a distance, f and −g are values, at the points of p and q with weight, of one function of
    slope at most 1, the perfect critic. A constant may be moved from f to g. Raises ValueError for shapes that do not
    fit, negative weights and unequal totals, RuntimeError where the solver gives up.
    Source: Villani (2003), theorem 1.3; solved by HiGHS (Huangfu and Hall, 2018).
    """
    if p.ndim != 1 or q.ndim != 1 or cost.shape != (len(p), len(q)):
        raise ValueError(
            f"Weights (n,), (m,) need costs (n, m), not {tuple(p.shape)}, {tuple(q.shape)}, {tuple(cost.shape)}."
        )
    p, q, cost = (each.detach().cpu().double().numpy() for each in (p, q, cost))
    if (p < 0).any() or (q < 0).any() or not np.isclose(p.sum(), q.sum()):
        raise ValueError("Weights are not negative and have the same total: divide each by its sum first.")
    n, m = cost.shape
    q = q * (p.sum() / q.sum())  # equal to the last digit, or the programme would have no solution
    rows = sparse.kron(sparse.eye_array(n), np.ones((1, m)))  # Σⱼ πᵢⱼ, the plan written row after row
    columns = sparse.kron(np.ones((1, n)), sparse.eye_array(m))  # Σᵢ πᵢⱼ
    found = linprog(
        cost.ravel(), A_eq=sparse.vstack([rows, columns]), b_eq=np.concatenate([p, q]), method="highs"
    )
    if not found.success:
        raise RuntimeError(f"The linear programme was not solved: {found.message}")
    potentials = torch.from_numpy(found.eqlin.marginals.copy())
    return found.fun, potentials[:n], potentials[n:]
