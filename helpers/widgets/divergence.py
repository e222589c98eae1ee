"""The divergence bench: be the discriminator, drag nine knots of D, and see V climb to 2·JS − log 4."""

import math
from collections.abc import Iterator

import torch
from ipywidgets import Button, FloatSlider, HBox, Layout
from torch.distributions import Normal

from helpers.plotting import COLOUR_OF, Picture, Stage, new_figure
from helpers.theory import js, optimal_discriminator, value
from helpers.widgets.frame import LiveFrame

LEAST = 0.01  # D stays this far from 0 and 1, where its logarithms would run away
RATE = 0.5  # of the machine's ascent, on the logits of the knots


class DivergenceBench:
    """Data p = N(−1, 1), a generator's q = N(m, s²) that can be moved, and a D that bends at nine knots.

    `levels` (9,) are D's values at `KNOTS`; between them D is straight, beyond them level. All values in nats.
    """

    KNOTS = torch.linspace(-4, 4, 9, dtype=torch.float64)
    X = torch.linspace(-15, 15, 1501, dtype=torch.float64)  # holds all of the widest q

    def __init__(self, mean: float = 1.5, std: float = 0.6):
        self.log_p = self._log_normal(-1.0, 1.0)
        self.levels = torch.full_like(self.KNOTS, 0.5)
        self.revealed = False  # D* is drawn only once it was asked for: finding it is the exercise
        self._left = (torch.searchsorted(self.KNOTS, self.X, right=True) - 1).clamp(0, len(self.KNOTS) - 2)
        gap = self.KNOTS[1] - self.KNOTS[0]
        self._share = ((self.X - self.KNOTS[self._left]) / gap).clamp(0, 1)
        self.move_q(mean, std)
        self._stage = self._set_up()

    def move_q(self, mean: float, std: float) -> None:
        self.log_q = self._log_normal(mean, std)
        self.ceiling = 2 * js(self.log_p, self.log_q, self.X).item() - math.log(4)

    def _log_normal(self, mean: float, std: float) -> torch.Tensor:
        # As tensors, because a plain number would become float32 and cost eight digits.
        return Normal(*torch.tensor([mean, std], dtype=torch.float64)).log_prob(self.X)

    def discriminator(self) -> torch.Tensor:
        """D on the grid, (1501,)."""
        left, right = self.levels[self._left], self.levels[self._left + 1]
        return left + self._share * (right - left)

    def value(self) -> float:
        """V(D, G) of the D that is drawn, in nats."""
        return value(self.discriminator().logit(), self.log_p, self.log_q, self.X).item()

    def gap(self) -> float:
        """2 E_m[KL(Ber D* ‖ Ber D)] with m = (p + q)/2: what D still misses of the ceiling, in nats."""
        best, mine = optimal_discriminator(self.log_p, self.log_q), self.discriminator()
        miss = torch.xlogy(best, best / mine) + torch.xlogy(1 - best, (1 - best) / (1 - mine))
        return torch.trapezoid((self.log_p.exp() + self.log_q.exp()) * miss, self.X).item()

    def climb(self, steps: int = 3) -> None:
        """Gradient ascent of V in the logits of the knots."""
        logits = self.levels.logit().requires_grad_()
        for _ in range(steps):
            self.levels = logits.sigmoid()
            height = value(self.discriminator().logit(), self.log_p, self.log_q, self.X)
            (slope,) = torch.autograd.grad(height, logits)
            # A knot that few points see has a small slope: each is helped by the mass around it.
            mass = (self.log_p.exp() + self.log_q.exp())[torch.searchsorted(self.X, self.KNOTS)]
            logits = (logits + RATE * slope / (mass + 0.01)).detach().requires_grad_()
        self.levels = logits.detach().sigmoid().clamp(LEAST, 1 - LEAST)

    def jump(self) -> None:
        """Put the knots on D*, and draw it from now on."""
        self.revealed = True
        best = optimal_discriminator(self.log_p, self.log_q)
        self.levels = best[torch.searchsorted(self.X, self.KNOTS)].clamp(LEAST, 1 - LEAST)

    def picture(self, alt: str | None = None) -> Picture:
        self._lines["q"].set_ydata(self.log_q.exp())
        best = optimal_discriminator(self.log_p, self.log_q)
        self._lines["D*"].set_ydata(best if self.revealed else torch.full_like(best, math.nan))
        self._lines["D"].set_ydata(self.discriminator())
        self._lines["knots"].set_ydata(self.levels)
        height = self.value()
        self._bar.set_height(height - self._floor)
        self._ceiling.set_ydata([self.ceiling, self.ceiling])
        return self._stage.picture(alt)

    def sentence(self) -> str:
        return (
            f"V(D) = {self.value():.3f} · ceiling 2·JS − log 4 = {self.ceiling:.3f} · "
            f"gap = {self.gap():.3f} nats · JS = {(self.ceiling + math.log(4)) / 2:.3f}"
        )

    def _set_up(self) -> Stage:
        figure, (plane, scale) = new_figure(1, 2, width=7.4, height=3.2, width_ratios=(5, 1))
        x = self.X
        plane.plot(x, self.log_p.exp(), color=COLOUR_OF["truth"], linestyle="-", label="p, the data")
        kinds = {
            "q": ("model", "--", "q, the generator"),
            "D*": ("best discriminator", ":", "D*, the best"),
            "D": ("discriminator", "-", "D, yours"),
        }
        self._lines = {
            name: plane.plot(x, 0 * x, color=COLOUR_OF[role], linestyle=line, label=label)[0]
            for name, (role, line, label) in kinds.items()
        }
        (self._lines["knots"],) = plane.plot(
            self.KNOTS, self.levels, "o", color=COLOUR_OF["discriminator"], markersize=6
        )
        plane.set(xlabel="$x$", ylabel="density, or probability", xlim=(-5, 5), ylim=(-0.02, 1.02))
        self._floor = -3.0
        (self._bar,) = scale.bar([0], [1], bottom=self._floor, width=0.6, color=COLOUR_OF["discriminator"])
        (self._ceiling,) = scale.plot(
            [-0.5, 0.5], [0, 0], color="black", linestyle="-", linewidth=2, label="ceiling"
        )
        scale.set(title="V (nats)", xlim=(-0.55, 0.55), ylim=(self._floor, 0.05), xticks=[])
        scale.set_yticks([0, -math.log(2), -math.log(4), -2, -3], ["0", "−log 2", "−log 4", "−2", "−3"])
        figure.legend(loc="outside upper left", ncols=5)
        return Stage(figure, [*self._lines.values(), self._bar, self._ceiling])


def divergence_bench(*, alt: str | None = None, name: str | None = None) -> LiveFrame:
    """Nine sliders bend D, two move q; Play lets the machine climb, Reset puts D back to ½ everywhere."""
    bench = DivergenceBench()
    alt = bench.picture().alt if alt is None else alt
    upright = {
        "orientation": "vertical",
        "readout_format": ".2f",
        "layout": Layout(width="54px", height="190px"),
    }
    knots = [
        FloatSlider(value=0.5, min=LEAST, max=1 - LEAST, step=0.01, description=f"{knot:g}", **upright)
        for knot in bench.KNOTS
    ]
    wide = {"layout": Layout(width="330px"), "style": {"description_width": "90px"}, "readout_format": ".2f"}
    mean = FloatSlider(value=1.5, min=-3, max=3, step=0.05, description="mean of q", **wide)
    std = FloatSlider(value=0.6, min=0.3, max=2, step=0.05, description="σ of q", **wide)
    best = Button(description="Jump to D*", icon="arrow-up", layout=Layout(width="auto"))
    placing = False

    def look() -> tuple[Picture, str]:
        return bench.picture(alt), bench.sentence()

    def place_knots() -> tuple[Picture, str]:
        nonlocal placing
        placing = True
        try:
            for slider, level in zip(knots, bench.levels.tolist(), strict=True):
                slider.value = round(level, 2)
        finally:
            placing = False
        return look()

    def climbing() -> Iterator[tuple[Picture, str]]:
        bench.levels, bench.revealed = torch.full_like(bench.KNOTS, 0.5), False
        yield place_knots()
        while True:
            bench.climb()
            # While it plays only the picture moves: eleven sliders would each answer with a message of their own.
            yield look()

    def knot_moved(change) -> None:
        if not (placing or frame.playing):
            number = knots.index(change.owner)

            def bend() -> tuple[Picture, str]:
                bench.levels = bench.levels.clone()
                bench.levels[number] = change.new
                return look()

            frame.on_loop(lambda: frame.attempt(bend))

    def q_moved(change) -> None:
        def move() -> tuple[Picture, str]:
            bench.move_q(mean.value, std.value)
            return look()

        frame.on_loop(lambda: frame.attempt(move))

    def jump(_) -> None:
        def to_best() -> tuple[Picture, str]:
            frame.pause()
            bench.jump()
            return place_knots()

        frame.on_loop(lambda: frame.attempt(to_best))

    frame = LiveFrame(
        climbing,
        alt,
        name=name,
        controls=[HBox(knots, layout=Layout(height="200px")), HBox([mean, std, best])],
    )
    for slider in knots:
        slider.observe(frame.guarded(knot_moved), "value")
    for slider in (mean, std):
        slider.observe(frame.guarded(q_moved), "value")
    best.on_click(frame.guarded(jump))
    return frame
