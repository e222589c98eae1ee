"""The Fréchet distance of finite samples: how much too large it is, and what it would be with infinitely many."""

from collections.abc import Sequence

import torch
from scipy.special import hyp2f1
from torch import Tensor

from helpers.metrics import frechet_distance


def frechet_bias(variances: Tensor, n: int) -> float:
    """tr C/n + 1/(2n) Σ_ij (1 + δ_ij) λ_i λ_j/(λ_i + λ_j), the mean Fréchet distance of a sample to its own Gaussian.

    `variances` (d,) are the eigenvalues λ of C, n the size of the sample. For C = I this is d/n + d(d + 1)/(4n). Right
    to first order in 1/n: for d = 64 and n = 100 a tenth too small. Two samples of n each have twice as much. Raises
    ValueError for n < 2 and for a variance that is not positive. Source: second order of the matrix square root; that
    it depends on the model is Chong and Forsyth (2020).
    """
    variances = torch.as_tensor(variances, dtype=torch.float64)
    if n < 2 or variances.ndim != 1 or not len(variances) or not (variances > 0).all():
        raise ValueError(
            f"A bias needs n ≥ 2 and the positive variances (d,) of the features; here n = {n} and the variances have "
            f"the shape {tuple(variances.shape)}."
        )
    pairs = variances[:, None] * variances / (variances[:, None] + variances)
    return ((variances.sum() + (pairs.sum() + pairs.trace()) / 2) / n).item()


def white_frechet_bias(d: int, n: int) -> float:
    """The mean Fréchet distance of n samples of N(0, I_d) to N(0, I_d) itself, to within a per cent or so.

    d/n + 2d − 2 E tr W^½, where (n − 1) W is a Wishart matrix. Its eigenvalues follow the Marchenko–Pastur law of ratio
    c: E tr W^½ ≈ d · ₂F₁(½, −½; 2; c) for c ≤ 1, with c = (d + 1)/(n − 1) in place of d/(n − 1), so that the first
    order in 1/n is exact. With fewer samples than dimensions the n − 1 eigenvalues that are not 0 count. Raises
    ValueError for d < 1 or n < 2. Source: Marchenko and Pastur (1967).
    """
    if d < 1 or n < 2:
        raise ValueError(f"The bias needs d ≥ 1 dimensions and n ≥ 2 samples, here d = {d} and n = {n}.")
    c = (d + 1) / (n - 1)
    root = d * hyp2f1(0.5, -0.5, 2, c) if c <= 1 else d * hyp2f1(0.5, -0.5, 2, 1 / c) / c**0.5
    return float(d / n + 2 * d - 2 * root)


def frechet_extrapolated(
    fake: Tensor, real: Tensor, sizes: Sequence[int], generator: torch.Generator, repeats: int = 10
) -> dict[str, float | list[float]]:
    """Where the Fréchet distance of n against n samples goes for n → ∞: the `limit` of a straight line in 1/n.

    `fake` (N, d) and `real` (M, d); for each n of `sizes` the `mean` of `repeats` random subsets; the line, with its
    `slope`, is fitted by least squares. Raises ValueError unless there are two sizes, each at most N and M. Source:
    Chong and Forsyth (2020), FID∞.
    """
    sizes = list(sizes)
    if len(set(sizes)) < 2 or not 2 <= min(sizes) or max(sizes) > min(len(fake), len(real)):
        raise ValueError(
            f"A line needs two sizes or more, from 2 to {min(len(fake), len(real))} samples: here {sizes}."
        )

    def part(features: Tensor, n: int) -> Tensor:
        return features[torch.randperm(len(features), generator=generator)[:n]]

    means = [
        sum(frechet_distance(part(fake, n), part(real, n)) for _ in range(repeats)) / repeats for n in sizes
    ]
    x = torch.stack([torch.ones(len(sizes)), 1 / torch.tensor(sizes)], dim=1).double()
    limit, slope = torch.linalg.lstsq(x, torch.tensor(means, dtype=torch.float64)[:, None]).solution[:, 0]
    return {"limit": limit.item(), "slope": slope.item(), "mean": means}
