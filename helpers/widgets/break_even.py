"""The break-even calculator: prices, an accepted share with its interval, and whether generating pays."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from ipywidgets import FloatSlider, HBox, IntSlider, Layout

from helpers.acceptance import break_even, cost_of_accepted, wilson
from helpers.plotting import COLOUR_OF, Picture, Stage, new_figure
from helpers.widgets.frame import LiveFrame
from helpers.widgets.sliders import BoundSliders

TOP = 2.5  # euros that are drawn; what costs more stays at the edge
MOST = 1000  # items that Play goes up to
CAPTION = "The cost of a card that is accepted. Compare the green bar with the dotted line."
PRICES = {  # attribute: (description, largest, step)
    "generate": ("generate, €", 0.5, 0.01),
    "review": ("review, €", 1.0, 0.01),
    "manual": ("by hand, €", 3.0, 0.05),
    "error": ("an error, €", 20.0, 0.5),
    "slipped": ("slip through", 0.5, 0.01),
}


class BreakEven:
    """The cost of an accepted item against the accepted share p, in euros; k of n items were accepted so far."""

    SHARES = np.linspace(0.02, 1, 197)

    def __init__(
        self,
        generate: float = 0.01,
        review: float = 0.2,
        manual: float = 1.2,
        error: float = 5.0,
        slipped: float = 0.0,
        accepted: int = 12,
        of: int = 20,
    ):
        self.generate, self.review, self.manual, self.error, self.slipped = (
            generate,
            review,
            manual,
            error,
            slipped,
        )
        self.accepted, self.of = accepted, of
        self._stage = self._set_up()

    def cost(self, share: float) -> float:
        """Euros for one accepted item."""
        return cost_of_accepted(share, self.generate, self.review, self.slipped, self.error)

    def threshold(self) -> float:
        """The accepted share at which generating costs as much as working by hand."""
        return break_even(self.generate, self.review, self.manual, self.slipped, self.error)

    def interval(self) -> tuple[float, float]:
        return wilson(min(self.accepted, self.of), self.of)

    def verdict(self) -> str:
        """What the interval says: generating pays, does not pay, or not yet known."""
        low, high = self.interval()
        threshold = self.threshold()
        if low > threshold:
            return "it pays"
        return "it does not pay" if high < threshold else "not yet known"

    def grow(self) -> None:
        """Three items for two, the same share of them accepted, until there are MOST."""
        of = min(MOST, round(1.5 * self.of))
        self.accepted, self.of = round(min(self.accepted, self.of) / self.of * of), of

    def picture(self, alt: str | None = None, caption: str = "") -> Picture:
        low, high = self.interval()
        threshold, share = self.threshold(), min(self.accepted, self.of) / self.of
        self._lines["cost"].set_ydata(np.minimum([self.cost(p) for p in self.SHARES], 2 * TOP))
        self._lines["by hand"].set_ydata([self.manual] * 2)
        self._lines["break-even"].set_data([min(threshold, 2)] * 2, [0, TOP])
        self._lines["interval"].set_data([low, high], [0.04 * TOP] * 2)
        height = min(self.cost(share), TOP) if share else TOP
        self._lines["here"].set_data([share], [height])
        return replace(self._stage.picture(alt), caption=caption)

    def sentence(self) -> str:
        low, high = self.interval()
        k, threshold = min(self.accepted, self.of), self.threshold()
        reach = f"p* = {threshold:.3f}" if threshold <= 1 else "no accepted share is enough"
        each = f"{self.cost(k / self.of):.2f} € an accepted card" if k else "nothing accepted yet"
        return f"accepted {k} of {self.of}, 95 % interval {low:.2f} to {high:.2f} · {each} · {reach} · {self.verdict()}"

    def _set_up(self) -> Stage:
        figure, axes = new_figure(width=7.0, height=3.4)
        kinds = {
            "cost": ("model", "-", "generated, an accepted card"),
            "by hand": ("truth", "--", "made by hand"),
            "break-even": ("data", ":", "break-even p*"),
        }
        self._lines = {
            name: axes.plot(
                self.SHARES if name == "cost" else [0, 1],
                self.SHARES * 0 if name == "cost" else [0, 0],
                color=COLOUR_OF[role],
                linestyle=line,
                label=label,
            )[0]
            for name, (role, line, label) in kinds.items()
        }
        strong = {"color": COLOUR_OF["discriminator"], "solid_capstyle": "butt"}
        (self._lines["interval"],) = axes.plot(
            [0, 1], [0, 0], "-", linewidth=7, label="95 % interval of p", **strong
        )
        (self._lines["here"],) = axes.plot([0], [0], "o", color="black", markersize=7, label="p so far")
        axes.set(xlabel="accepted share p", ylabel="euros", xlim=(0, 1), ylim=(0, TOP))
        figure.legend(loc="outside upper left", ncols=3)
        return Stage(figure, list(self._lines.values()))


def break_even_calculator(*, alt: str | None = None, name: str | None = None, **start) -> LiveFrame:
    """Sliders for the prices and for what was accepted; Play reviews more and more items, Reset puts all back.

    `start` are BreakEven's arguments.
    """
    bench = BreakEven(**start)
    alt = bench.picture().alt if alt is None else alt
    wide = {"layout": Layout(width="330px"), "style": {"description_width": "90px"}}
    sliders: dict[str, FloatSlider | IntSlider] = {
        attribute: FloatSlider(
            value=getattr(bench, attribute),
            min=0,
            max=most,
            step=step,
            description=text,
            readout_format=".2f",
            **wide,
        )
        for attribute, (text, most, step) in PRICES.items()
    }
    sliders["accepted"] = IntSlider(value=bench.accepted, min=0, max=MOST, description="accepted", **wide)
    sliders["of"] = IntSlider(value=bench.of, min=1, max=MOST, description="of", **wide)

    def look() -> tuple[Picture, str]:
        return bench.picture(alt, CAPTION), bench.sentence()

    bound = BoundSliders(bench, sliders, look)

    def reviewing() -> Iterator[tuple[Picture, str]]:
        yield bound.restart()
        while bench.of < MOST:
            bench.grow()
            yield bound.place()

    names = list(sliders)
    rows = [HBox([sliders[name] for name in names[i : i + 2]]) for i in range(0, len(names), 2)]
    frame = LiveFrame(reviewing, alt, name=name or "break_even", controls=rows, fps=2)
    bound.connect(frame)
    return frame
