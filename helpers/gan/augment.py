"""Differentiable augmentation: D sees every image, real or fake, through the same random disturbance."""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from helpers.data import door


def expect_grey(images: Tensor) -> None:
    """Nothing, if the images are (B, 1, H, W); otherwise ValueError."""
    if images.ndim != 4 or images.shape[1] != 1:
        raise ValueError(
            f"Only images of one channel can be shifted, (B, 1, H, W), these have {tuple(images.shape)}: "
            "shift the channels as images of their own, x.flatten(0, 1).unsqueeze(1)."
        )


@door(expect_grey, "images")
def shift(images: Tensor, most: int = 2) -> Tensor:
    """Each image (B, 1, H, W) moved by whole pixels, up to ± `most` each way, uniformly at random.

    What comes in from outside is paper, −1, as images for D live in [−1, 1]. Differentiable: the gradient of a pixel
    is that of the place it went to, and 0 where it left the picture.
    """
    count, _, height, width = images.shape
    down, across = torch.randint(2 * most + 1, (2, count, 1))
    rows, columns = down + torch.arange(height), across + torch.arange(width)
    padded = pad(images, [most] * 4, value=-1.0)
    picture = torch.arange(count)[:, None, None]
    return padded[picture, 0, rows[:, :, None], columns[:, None, :]].unsqueeze(1)


class Augmented(nn.Module):
    """D behind an augmentation T: a(x) = D(T(x)) while training, D(x) in eval mode. Images to logits, as D.

    Used in D's place in both updates, it disturbs real and fake images alike, and G's gradient passes through T.
    Source: Zhao et al. (2020), eq. 4 and 5.
    """

    def __init__(self, discriminator: nn.Module, augment=shift):
        super().__init__()
        self.discriminator, self.augment = discriminator, augment

    def forward(self, images: Tensor) -> Tensor:
        return self.discriminator(self.augment(images) if self.training else images)
