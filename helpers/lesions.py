"""Scans judged: how much of a lesion is left in an image, and a reader that finds lesions without having learned."""

from torch import Tensor
from torch.nn.functional import max_pool2d


def contrast_kept(lesion: Tensor, copied: Tensor) -> Tensor:
    """Σ d d̂ / Σ d² of each scan, (n, 1, H, W) twice to (n,): 1 where a lesion is kept as it was, 0 where it is gone.

    d is a scan minus its healthy counterpart, and d̂ the same difference after some model copied both. It is the number
    c that makes |d̂ − c d|² least.
    """
    return (lesion * copied).flatten(1).sum(1) / lesion.square().flatten(1).sum(1)


def brightest_square(images: Tensor) -> Tensor:
    """The darkest pixel of the 3 × 3 square in which that is brightest, (n, 1, H, W) to (n,): high where a lesion is.

    The bright rim of `helpers.data.phantoms` is too thin for such a square, a lesion is not. Source: a grey-scale
    erosion, Serra (1982).
    """
    darkest = -max_pool2d(-images, kernel_size=3, stride=1)
    return darkest.flatten(1).max(1).values
