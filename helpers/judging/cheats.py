"""Generators that cheat: each wins by one metric, and another one notices."""

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu

from helpers.data import jitter
from helpers.metrics import digit_classifier
from helpers.training import train


def copies(training: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """`n` different images of the training set, unchanged: nothing that looks at the distribution can object."""
    return training[torch.randperm(len(training), generator=generator)[:n]]


def one_class(training: Tensor, labels: Tensor, digit: int, n: int, generator: torch.Generator) -> Tensor:
    """`n` images of one class, training images a little turned, stretched and moved: good ones, and all alike."""
    those = training[labels == digit]
    chosen = those[torch.randint(len(those), (n,), generator=generator)]
    return jitter(chosen, share=1.0)


def tuned_noise(images: Tensor, generator: torch.Generator, steps: int = 30) -> Tensor:
    """Noise whose pixels are tuned until the classifier has the features of `images` (n, 1, 28, 28), as many of it.

    Each image is its own: pixels are sigmoid(u), and u descends |f(sigmoid(u)) − f(x)|², with a leaky ReLU at the end
    of f, because a unit that is off gives no gradient. Only the features become those of digits. Source: after Szegedy
    et al. (2014), who tune images for a classifier's answer, by L-BFGS too.
    """
    last_layer = digit_classifier().features[:-1]  # its 64 features, without the last ReLU
    made = []

    def features(x):
        return leaky_relu(last_layer(x), 0.2)  # a unit that is off has a gradient, too

    def step(part):  # 25 images
        u = torch.randn(part.shape, generator=generator).requires_grad_()
        optimiser = torch.optim.LBFGS([u], max_iter=steps, history_size=10, line_search_fn="strong_wolfe")

        def loss():
            optimiser.zero_grad()
            error = (features(u.sigmoid()) - features(part)).square().sum(1).mean()
            error.backward()
            return error

        first = optimiser.step(loss)
        made.append(u.sigmoid().detach())
        return {"loss": first.detach()}

    parts = images.split(25)
    for _ in train(step, parts, len(parts)):
        pass
    return torch.cat(made)


def three_entries(
    training: Tensor, labels: Tensor, generator: torch.Generator, n: int = 500, digit: int = 3
) -> dict[str, Tensor]:
    """The entries A, B and C of notebook 20, each (n, 1, 28, 28): copies, one class, tuned noise."""
    return {
        "A": copies(training, n, generator),
        "B": one_class(training, labels, digit, n, generator),
        "C": tuned_noise(copies(training, n, generator), generator),
    }
