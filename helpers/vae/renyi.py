"""Rényi's bound: a family between the ELBO and the importance-weighted bound, and beyond both."""

from torch import Tensor

from helpers.theory import log_mean_exp


def renyi_bound(log_w: Tensor, alpha: float) -> Tensor:
    """1/(1 − α) log (1/K) Σₖ wₖ^(1−α), log weights (K, B) to (B,), in nats; the mean of log w for α = 1.

    An estimate: for α < 1 it lies below the exact bound on average, the more the fewer samples. α = 0 is the
    importance-weighted bound. Source: Li and Turner (2016), section 4.1.
    """
    if alpha == 1:
        return log_w.mean(dim=0)
    return log_mean_exp((1 - alpha) * log_w) / (1 - alpha)
