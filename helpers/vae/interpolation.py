"""Interpolation between two codes."""

from torch import Tensor


def slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """(sin((1 − t)Ω) a + sin(tΩ) b) / sin Ω, Ω the angle between a and b (d,); straight if parallel.

    Raises ValueError where a and b point in opposite directions: no way round is the shortest. Source: Shoemake
    (1985).
    """
    if a.ndim != 1 or a.shape != b.shape or not a.norm() * b.norm() > 0:
        raise ValueError(
            f"a and b must be two vectors of one length (d,), with a direction each, not {tuple(a.shape)}, "
            f"{tuple(b.shape)} of norms {a.norm():.3g}, {b.norm():.3g}: from the origin go straight."
        )
    long_a, long_b = a.double(), b.double()  # in float32 a cosine near ±1 leaves the angle half of its digits
    cosine = (long_a @ long_b / (long_a.norm() * long_b.norm())).clamp(-1, 1)
    angle = cosine.acos()
    if angle.sin() < 1e-4:
        if cosine < 0:
            raise ValueError(
                "a and b point in opposite directions: choose a point between, and go in two parts."
            )
        return (1 - t) * a + t * b
    return (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()
