"""Settings of a game on points that go well, collapse or oscillate, by name."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """Settings of a game: Adam's two rates and its β₁, and how many D steps come before a G step."""

    g_rate: float
    d_rate: float
    beta1: float
    d_steps: int


PRESETS = {
    "recommended": Preset(3e-3, 3e-3, 0.0, 1),
    "collapses": Preset(1e-3, 1e-2, 0.5, 3),
    "oscillates": Preset(3e-3, 3e-4, 0.0, 1),
}
