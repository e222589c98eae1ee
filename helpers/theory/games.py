"""The games of two players: the value of a GAN for known densities, and steps of the bilinear game."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from helpers.theory.divergences import integral

Point = tuple[float, float]


def value(logit: Tensor, log_p: Tensor, log_q: Tensor, x: Tensor) -> Tensor:
    """V(D, G) = ∫ p log D + q log(1 − D) dx with D = σ(logit), all given on a grid x (n,), in nats.

    p is the data's density, q the generator's. Source: Goodfellow et al. (2014), eq. 1 and 3.
    """
    return integral(log_p.exp() * logsigmoid(logit) + log_q.exp() * logsigmoid(-logit), x)


def optimal_logit(log_p: Tensor, log_q: Tensor) -> Tensor:
    """The logit of the best discriminator, log p − log q, any shape."""
    return log_p - log_q


def optimal_discriminator(log_p: Tensor, log_q: Tensor) -> Tensor:
    """D* = p/(p + q) = σ(log p − log q), any shape; finite where p and q both underflow.

    Source: Goodfellow et al. (2014), proposition 1.
    """
    return torch.sigmoid(optimal_logit(log_p, log_q))


# The bilinear game min over x, max over y of x·y. A step sees the path so far, a list of points (x, y).


def simultaneous(points: Sequence[Point], eta: float) -> Point:
    """Both move at once, each along its own gradient: (x − ηy, y + ηx). The radius grows by √(1 + η²) a step."""
    x, y = points[-1]
    return x - eta * y, y + eta * x


def alternating(points: Sequence[Point], eta: float) -> Point:
    """First x moves, then y, which sees the new x. x² + y² − ηxy never changes, for η < 2 an ellipse."""
    x, y = points[-1]
    x = x - eta * y
    return x, y + eta * x


def extragradient(points: Sequence[Point], eta: float) -> Point:
    """Look one step ahead, then go from the old point along the gradient found there.

    The radius shrinks by √(1 − η² + η⁴) a step, for η < 1. Source: Korpelevich (1976).
    """
    x, y = points[-1]
    x_ahead, y_ahead = x - eta * y, y + eta * x
    return x - eta * y_ahead, y + eta * x_ahead


def optimistic(points: Sequence[Point], eta: float) -> Point:
    """Guess the next gradient from the last two, 2g − g_before: one gradient a step.

    The radius shrinks, in the long run, if η < 1/√3; by √((1 + √(1 − 4η²))/2) a step, if η < ½.
    Source: Daskalakis et al. (2018).
    """
    (x, y), (x_before, y_before) = points[-1], points[max(-2, -len(points))]
    return x - eta * (2 * y - y_before), y + eta * (2 * x - x_before)


def path(step: Callable[[Sequence[Point], float], Point], start: Point, eta: float, steps: int) -> Tensor:
    """The points (steps + 1, 2) from `start` on, in float64."""
    points = [start]
    for _ in range(steps):
        points.append(step(points, eta))
    return torch.tensor(points, dtype=torch.float64)
