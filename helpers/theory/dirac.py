"""The Dirac-GAN: all data at 0, all fakes at θ, a discriminator whose logit is ψx. The smallest GAN that circles.

Mescheder, Geiger, Nowozin (2018), section 2: L = f(ψθ) + f(0) with f(t) = −log(1 + e⁻ᵗ). There D maximises L and is
high on fakes; here a high logit means *real*, as everywhere in this course, so their ψ is our −ψ and nothing else
changes. With a = ψθ, the fake's logit, D minimises log(1 + eᵃ) + log 2 + (γ/2) ψ². The last term is R1: D's slope is ψ
everywhere, so R2 would be the same again. The equilibrium is θ = ψ = 0.
"""

import cmath
import math
from collections.abc import Callable

import torch
from torch import Tensor

from helpers.theory.games import Point

Slopes = Callable[[float], tuple[float, float]]


def sigma(a: float) -> float:
    """σ(a) = 1/(1 + e⁻ᵃ) of a number, without overflow."""
    return math.exp(min(a, 0.0)) / (1 + math.exp(-abs(a)))


# A version of the game is how hard each player pulls at the fake's logit a: G up, then D down.


def dirac_minimax(a: float) -> tuple[float, float]:
    """G minimises −log(1 + eᵃ): both pull with σ(a), and at equal rates the flow runs on circles, at any radius."""
    return sigma(a), sigma(a)


def dirac_non_saturating(a: float) -> tuple[float, float]:
    """G minimises log(1 + e⁻ᵃ) and pulls with σ(−a), D with σ(a).

    At equal rates the flow has d(θ² + ψ²)/dt = −2a tanh(a/2) ≤ 0: not first order but a fourth one brings it home, like
    r = r₀/√(1 + r₀² t/8) when r is small, slower than any exponential. Simultaneous steps of size h push out by h² r²/4
    in θ² + ψ² and so come to rest on a circle of radius about √(2h), from inside and from outside.
    """
    return sigma(-a), sigma(a)


def dirac_wasserstein(a: float) -> tuple[float, float]:
    """G minimises −a, D minimises a: both pull with 1, and this is the bilinear game. Nothing bounds D's slope."""
    return 1.0, 1.0


def dirac_simultaneous(
    point: Point, slopes: Slopes, g_rate: float, d_rate: float, gamma: float = 0.0
) -> Point:
    """Both move at once from (θ, ψ): θ + h_G s_G ψ and ψ − h_D (s_D θ + γψ), with (s_G, s_D) = `slopes`(ψθ).

    Near (0, 0) a step multiplies by 1 + λ, λ from `dirac_eigenvalues`. In the minimax and the Wasserstein game with
    equal rates and γ = 0 the radius grows by √(1 + h² s²) a step.
    """
    theta, psi = point
    g_slope, d_slope = slopes(psi * theta)
    return theta + g_rate * g_slope * psi, psi - d_rate * (d_slope * theta + gamma * psi)


def dirac_alternating(
    point: Point, slopes: Slopes, g_rate: float, d_rate: float, gamma: float = 0.0
) -> Point:
    """First D moves, then G, which sees the new ψ, as in `helpers.gan.gan_step`.

    Near (0, 0) a step multiplies by the roots μ of μ² − (2 − γh_D − c² h_G h_D) μ + 1 − γh_D = 0, c² = s_G s_D at
    a = 0: |μ| = 1 without R1 while c² h_G h_D < 4, and √(1 − γh_D) with it, while the roots are complex.
    """
    theta, psi = point
    psi = psi - d_rate * (slopes(psi * theta)[1] * theta + gamma * psi)
    return theta + g_rate * slopes(psi * theta)[0] * psi, psi


def dirac_path(
    step: Callable[..., Point],
    slopes: Slopes,
    start: Point,
    steps: int,
    g_rate: float,
    d_rate: float,
    gamma: float = 0.0,
) -> Tensor:
    """The points (θ, ψ) from `start` on, (steps + 1, 2), in float64."""
    points = [start]
    for _ in range(steps):
        points.append(step(points[-1], slopes, g_rate, d_rate, gamma))
    return torch.tensor(points, dtype=torch.float64)


def dirac_eigenvalues(
    slopes: Slopes, g_rate: float = 1.0, d_rate: float = 1.0, gamma: float = 0.0
) -> tuple[complex, complex]:
    """λ = −γh_D/2 ± √(γ²h_D²/4 − c² h_G h_D), c² = s_G s_D at a = 0: ¼, and 1 in the Wasserstein game.

    The eigenvalues of the Jacobian, at (0, 0), of the flow θ̇ = h_G s_G ψ, ψ̇ = −h_D (s_D θ + γψ). Without R1 they are
    imaginary whatever the rates: two time scales alone do not damp. With R1 the pair meets on the real axis at
    γ²h_D = 4c²h_G; a still faster D leaves one at about −c²h_G/γ: G follows a D that is at its best, and R1 makes it
    slow. Source: Mescheder et al. (2018), section 2 for γ = 0 and section 4.1 for equal rates.
    """
    g_slope, d_slope = slopes(0.0)
    half = gamma * d_rate / 2
    root = cmath.sqrt(half**2 - g_slope * d_slope * g_rate * d_rate)
    return -half + root, -half - root
