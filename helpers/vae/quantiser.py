"""A vector quantiser: the nearest code, a gradient that passes straight through, and a codebook that follows."""

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot


def nearest_code(h: Tensor, codes: Tensor) -> Tensor:
    """The number of the code nearest to each vector, h (N, d), codes (K, d) to whole numbers (N,)."""
    return torch.cdist(h, codes).argmin(dim=1)


def straight_through(h: Tensor, e: Tensor) -> Tensor:
    """e, with the gradient of h: ∂/∂h is the identity and ∂/∂e is 0. Source: Bengio et al. (2013)."""
    return h + (e - h).detach()


def code_shares(k: Tensor, size: int) -> Tensor:
    """The share of the assignments k (whole numbers, any shape) that each of `size` codes receives, (size,)."""
    if not k.numel() or k.dtype.is_floating_point or not (0 <= k.min() and k.max() < size):
        raise ValueError(
            f"Assignments are whole numbers from 0 to {size - 1}, one or more: give the number of codes as `size`."
        )
    return k.flatten().bincount(minlength=size) / k.numel()


def dead_codes(k: Tensor, size: int) -> Tensor:
    """Which of `size` codes are used in fewer than 1/(10 · size) of the assignments k, a mask (size,)."""
    return code_shares(k, size) < 1 / (10 * size)


def perplexity(shares: Tensor) -> Tensor:
    """exp(−Σ s log s), the number of equally used codes with the same entropy; shares (K,) sum to 1."""
    if (
        shares.ndim != 1
        or not (shares >= 0).all()
        or not torch.isclose(shares.sum(), shares.new_ones(()), atol=1e-4)
    ):
        raise ValueError(
            "Shares are a vector (K,), not negative, and sum to 1: divide counts by their sum first."
        )
    return torch.special.entr(shares).sum().exp()


class Quantiser(nn.Module):
    """A codebook of `size` vectors of `width` numbers: vectors (N, width) to their nearest codes.

    Source: van den Oord, Vinyals, Kavukcuoglu (2017), eq. 1 and 2; codes start uniform in ±1/size.
    """

    def __init__(self, size: int = 64, width: int = 8):
        super().__init__()
        self.codes = nn.Parameter(torch.empty(size, width).uniform_(-1 / size, 1 / size))
        self.register_buffer("counts", torch.ones(size))
        self.register_buffer("sums", self.codes.detach().clone())

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """h (N, width) to z (codes, with the gradient of h), their numbers k (N,), and e (with that of the codes)."""
        k = nearest_code(h, self.codes)
        e = self.codes[k]
        return straight_through(h, e), k, e


@torch.no_grad()
def restart_codes(quantiser: Quantiser, h: Tensor) -> int:
    """Give dead codes the count of an equal share, and the sum that puts each on a vector of h at random.

    Dead is a code with fewer than 1/(10 · size) of the assignments, by its moving average. h (N, width); returns how
    many were restarted. Source: Dhariwal et al. (2020), section 3.
    """
    size = len(quantiser.codes)
    dead = quantiser.counts < len(h) / (10 * size)
    if dead.any():
        chosen = torch.randint(len(h), (int(dead.sum()),))
        quantiser.counts[dead] = len(h) / size  # as if each had its equal share
        quantiser.sums[dead] = h[chosen] * len(h) / size
    return int(dead.sum())


@torch.no_grad()
def update_codebook_ema(
    quantiser: Quantiser, h: Tensor, k: Tensor, decay: float = 0.95, restart: bool = True
) -> int:
    """Move each code to the moving average of its vectors; with `restart`, put dead codes on vectors h at random.

    Counts and sums keep `decay` of the past: k-means (k 均值), one batch at a time. h (N, width), k (N,); returns how
    many codes were restarted. Source: van den Oord et al. (2017), appendix A.1.
    """
    members = one_hot(k, len(quantiser.codes)).to(h.dtype)  # (N, size)
    quantiser.counts.lerp_(members.sum(0), 1 - decay)
    quantiser.sums.lerp_(members.T @ h, 1 - decay)
    restarted = restart_codes(quantiser, h) if restart else 0
    quantiser.codes.copy_(quantiser.sums / quantiser.counts.clamp(min=1e-6)[:, None])
    return restarted
