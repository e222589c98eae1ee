"""A generator of digits that a stranger hands in, for an audit: it is quick, and what is wrong with it is known."""

import torch
from torch import Tensor

from helpers.data import load_digits
from helpers.theory import fit_ppca

SHARES = (0.10, 0.17, 0.10, 0.10, 0.10, 0.10, 0.10, 0.10, 0.03, 0.10)  # of the digits 0 to 9
COPIES, DIMENSIONS = 0.04, 25


def anonymous_digits(n: int, generator: torch.Generator) -> Tensor:
    """`n` images (n, 1, 28, 28) in [0, 1]: a linear-Gaussian model for each digit, and a few training images.

    Ones come too often and eights too rarely (SHARES), and a share COPIES is copied from the training set.
    """
    images, labels = load_digits("train")
    models = [fit_ppca(images[labels == digit].flatten(1), DIMENSIONS) for digit in range(10)]
    digits = torch.multinomial(torch.tensor(SHARES), n, replacement=True, generator=generator)
    made = torch.empty(n, 784)
    for digit, model in enumerate(models):
        those = digits == digit
        z = torch.randn(int(those.sum()), DIMENSIONS, generator=generator)
        made[those] = z @ model.weight.T + model.bias  # the mean of p(x|z), without its noise
    made = made.clamp(0, 1).view(-1, 1, 28, 28)
    copied = torch.randperm(n, generator=generator)[: round(COPIES * n)]
    for place in copied.tolist():
        same = images[labels == digits[place]]
        made[place] = same[torch.randint(len(same), (1,), generator=generator)[0]]
    return made
