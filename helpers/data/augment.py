"""New training images from old ones, where there are few."""

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from helpers.data.digits import expect_images


def jitter(
    images: Tensor, share: float = 0.5, turn: float = 0.15, stretch: float = 0.08, shift: float = 1.0
) -> Tensor:
    """The first `share` of a shuffled batch (B, 1, H, W) turned, stretched and shifted a little, the rest as it came.

    Each such image gets an angle up to ± `turn` (radians), a factor up to 1 ± `stretch` and a move up to ± `shift`
    pixels each way, uniformly at random; values stay in [0, 1]. Raises ValueError on another shape or values outside.
    """
    expect_images(images)
    count, side = int(share * len(images)), images.shape[-1]
    if count == 0:
        return images
    angle, size, across, down = 2 * torch.rand(4, count, device=images.device, dtype=images.dtype) - 1
    cosine, sine = (1 + stretch * size) * (turn * angle).cos(), (1 + stretch * size) * (turn * angle).sin()
    rows = [torch.stack([cosine, -sine, 2 * shift / side * across], dim=1)]
    rows += [torch.stack([sine, cosine, 2 * shift / side * down], dim=1)]
    grid = affine_grid(torch.stack(rows, dim=1), list(images[:count].shape), align_corners=False)
    moved = grid_sample(images[:count], grid, align_corners=False).clamp(0, 1)
    return torch.cat([moved, images[count:]])
