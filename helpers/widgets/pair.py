"""The pair bench: slide two Gaussians, and watch what the two KL divergences and JS say about them."""

from collections.abc import Iterator
from math import log

import torch
from ipywidgets import FloatSlider, HBox, Layout
from torch.distributions import Normal

from helpers.plotting import COLOUR_OF, Picture, Stage, new_figure
from helpers.theory import js
from helpers.widgets.frame import LiveFrame
from helpers.widgets.sliders import BoundSliders

REACH = 4.0  # the means stay within ±REACH
TOP = 3.0  # nats that are drawn; a dot that is higher stays at the edge
STRIDE = 0.1  # of q at each picture of Play


class PairBench:
    """p = N(mean_p, std_p²) and q = N(mean_q, std_q²), and three divergences of them against the mean of q, in nats."""

    X = torch.linspace(-20, 20, 1601, dtype=torch.float64)  # holds all of the widest
    MEANS = torch.linspace(-REACH, REACH, 81, dtype=torch.float64)

    def __init__(self, mean_p: float = 0.0, std_p: float = 1.0, mean_q: float = 1.2, std_q: float = 0.6):
        self.mean_p, self.std_p, self.mean_q, self.std_q = mean_p, std_p, mean_q, std_q
        self.direction = 1
        self._drawn_for = None
        self._stage = self._set_up()

    def divergences(self, mean_q: torch.Tensor) -> dict[str, torch.Tensor]:
        """KL(p‖q), KL(q‖p) and JS(p, q), each (n,), for q at the means (n,): two closed forms and a grid sum."""
        apart, p_in_q, q_in_p = mean_q - self.mean_p, self.std_p / self.std_q, self.std_q / self.std_p
        log_p, log_q = self._log_normal(self.mean_p, self.std_p), self._log_normal(mean_q, self.std_q)
        return {
            "KL(p‖q)": (p_in_q**2 + (apart / self.std_q) ** 2 - 1) / 2 - log(p_in_q),
            "KL(q‖p)": (q_in_p**2 + (apart / self.std_p) ** 2 - 1) / 2 - log(q_in_p),
            "JS(p, q)": js(log_p, log_q, self.X),
        }

    def here(self) -> dict[str, float]:
        """The three of the q that is drawn."""
        place = torch.tensor([self.mean_q], dtype=torch.float64)
        return {name: number.item() for name, number in self.divergences(place).items()}

    def slide(self) -> None:
        """Move q one stride, and turn at the ends."""
        if abs(self.mean_q + self.direction * STRIDE) > REACH + 1e-9:
            self.direction = -self.direction
        self.mean_q = round(self.mean_q + self.direction * STRIDE, 9)

    def picture(self, alt: str | None = None) -> Picture:
        for name, mean, std in (("p", self.mean_p, self.std_p), ("q", self.mean_q, self.std_q)):
            self._densities[name].set_ydata(self._log_normal(mean, std).exp())
        shapes = (self.mean_p, self.std_p, self.std_q)
        if shapes != self._drawn_for:  # while only q slides, the curves stay as they are
            for name, heights in self.divergences(self.MEANS).items():
                self._curves[name].set_ydata(heights)
            self._drawn_for = shapes
        for name, height in self.here().items():
            self._dots[name].set_data([self.mean_q], [min(height, TOP)])
        return self._stage.picture(alt)

    def sentence(self) -> str:
        said = " · ".join(f"{name} = {number:.3f}" for name, number in self.here().items())
        return f"{said} nats (log 2 = {log(2):.3f})"

    def _log_normal(self, mean: float | torch.Tensor, std: float) -> torch.Tensor:
        # As tensors, because a plain number would become float32 and cost eight digits.
        mean, std = (torch.as_tensor(number, dtype=torch.float64) for number in (mean, std))
        return Normal(mean.unsqueeze(-1), std).log_prob(self.X)

    def _set_up(self) -> Stage:
        figure, (plane, scale) = new_figure(1, 2, width=7.4, height=3.2)
        x, means = self.X, self.MEANS
        self._densities = {
            name: plane.plot(x, 0 * x, color=COLOUR_OF[role], linestyle=line, label=f"${name}$")[0]
            for name, role, line in (("p", "truth", "-"), ("q", "model", "--"))
        }
        plane.set(xlabel="$x$", ylabel="density", xlim=(-6, 6), ylim=(0, 1.4))
        kinds = {"KL(p‖q)": "--", "KL(q‖p)": ":", "JS(p, q)": "-"}
        self._curves, self._dots = {}, {}
        for name, line in kinds.items():
            colour = COLOUR_OF[name]
            (self._curves[name],) = scale.plot(means, 0 * means, color=colour, linestyle=line, label=name)
            (self._dots[name],) = scale.plot([0], [0], "o", color=colour, markersize=7, clip_on=False)
        scale.axhline(log(2), color="0.5", linestyle="-", linewidth=0.8, label="log 2")
        scale.set(xlabel="mean of $q$", ylabel="nats", xlim=(-REACH, REACH), ylim=(0, TOP))
        figure.legend(loc="outside upper left", ncols=6)
        return Stage(figure, [*self._densities.values(), *self._curves.values(), *self._dots.values()])


def pair_bench(*, alt: str | None = None, name: str | None = None) -> LiveFrame:
    """Sliders for the mean and the standard deviation of p and of q; Play slides q to and fro, Reset puts all back."""
    bench = PairBench()
    alt = bench.picture().alt if alt is None else alt
    wide = {"layout": Layout(width="330px"), "style": {"description_width": "90px"}, "readout_format": ".2f"}
    sliders = {}
    for which in "pq":
        for kind, what, least, most in (("mean", "mean", -REACH, REACH), ("std", "σ", 0.3, 2)):
            attribute = f"{kind}_{which}"
            sliders[attribute] = FloatSlider(
                value=getattr(bench, attribute),
                min=least,
                max=most,
                step=0.05,
                description=f"{what} of {which}",
                **wide,
            )

    def look() -> tuple[Picture, str]:
        return bench.picture(alt), bench.sentence()

    bound = BoundSliders(bench, sliders, look)

    def sliding() -> Iterator[tuple[Picture, str]]:
        bench.direction = 1
        yield bound.restart()
        while True:
            bench.slide()
            yield bound.place()

    rows = [HBox([sliders[f"mean_{which}"], sliders[f"std_{which}"]]) for which in "pq"]
    frame = LiveFrame(sliding, alt, name=name or "pair_bench", controls=rows)
    bound.connect(frame)
    return frame
