"""The ELBO bench: touch the curve log p(x) from below, by hand or with E- and M-steps."""

import math
from collections.abc import Iterator

import torch
from ipywidgets import Button, Checkbox, FloatSlider, HBox, Layout
from torch import Tensor
from torch.distributions import Normal

from helpers.plotting import COLOUR_OF, Picture, Stage, new_figure
from helpers.theory import LinearGaussian, exact_elbo, kl_to_posterior
from helpers.widgets.frame import LiveFrame

NARROW = 0.2  # the standard deviation that a q from the narrow family must keep


class ElboBench:
    """One observation x = 2 of the model z ~ N(0, 1), x|z ~ N(θz, 0.8²), and a q = N(m, v) for its z.

    Everything is exact: log p_θ(x), the posterior, the bound as a function of θ for this q. All values in nats.
    """

    X, STD = 2.0, 0.8
    THETAS = torch.linspace(-3.2, 3.2, 321, dtype=torch.float64)
    Z = torch.linspace(-3.5, 3.5, 351, dtype=torch.float64)

    def __init__(self, theta: float = 0.6, mean: float = 0.5, std: float = 0.7):
        self.theta, self.mean, self.std, self.narrow = theta, mean, std, False
        self._stage = self._set_up()

    def evidence(self, thetas: Tensor) -> Tensor:
        """log p_θ(x) for each θ (n,)."""
        return torch.stack([self._model(theta).log_evidence(self._x())[0] for theta in thetas])

    def bound(self, thetas: Tensor) -> Tensor:
        """The ELBO at each θ (n,) for the q that is set: a parabola."""
        q = self._q()
        return torch.stack([exact_elbo(self._model(theta), self._x(), *q)[0] for theta in thetas])

    def gap(self) -> float:
        """KL(q ‖ p_θ(z|x)) at the θ that is set."""
        return kl_to_posterior(self._model(self.theta), self._x(), *self._q()).item()

    def e_step(self) -> None:
        """The best q of the family for this θ: the posterior, or its mean alone where q must stay narrow."""
        mean, cov = self._model(self.theta).posterior(self._x())
        self.mean = mean.item()
        self.std = NARROW if self.narrow else math.sqrt(cov.item())

    def m_step(self) -> None:
        """The best θ for this q: the top of the parabola, θ = x·m/(m² + v)."""
        self.theta = self.X * self.mean / (self.mean**2 + self.std**2)

    def picture(self, alt: str | None = None) -> Picture:
        here = torch.tensor([self.theta], dtype=torch.float64)
        mean, cov = self._model(self.theta).posterior(self._x())
        self._posterior.set_ydata(Normal(mean.item(), math.sqrt(cov.item())).log_prob(self.Z).exp())
        self._approximate.set_ydata(Normal(self.mean, self.std).log_prob(self.Z).exp())
        self._bound.set_ydata(self.bound_curve())
        ends = [self.evidence(here).item(), self.bound(here).item()]
        self._gap.set_data([self.theta, self.theta], ends)
        return self._stage.picture(alt)

    def bound_curve(self) -> Tensor:
        """`bound(THETAS)`, in one formula: E_q(x − θz)² = x² − 2θxm + θ²(m² + v)."""
        second = self.mean**2 + self.std**2
        square = self.X**2 - 2 * self.THETAS * self.X * self.mean + self.THETAS.square() * second
        rate = 0.5 * (second - 1) - math.log(self.std)
        return -0.5 * square / self.STD**2 - 0.5 * math.log(2 * math.pi * self.STD**2) - rate

    def sentence(self) -> str:
        here = torch.tensor([self.theta], dtype=torch.float64)
        return (
            f"θ = {self.theta:.2f} · log p(x) = {self.evidence(here).item():.3f} · "
            f"ELBO = {self.bound(here).item():.3f} · gap = KL(q ‖ posterior) = {self.gap():.3f} nats"
        )

    def _x(self) -> Tensor:
        return torch.tensor([[self.X]], dtype=torch.float64)

    def _q(self) -> tuple[Tensor, Tensor]:
        kind = {"dtype": torch.float64}
        return torch.tensor([[self.mean]], **kind), torch.tensor([[2 * math.log(self.std)]], **kind)

    def _model(self, theta) -> LinearGaussian:
        weight = torch.as_tensor(theta, dtype=torch.float64).view(1, 1)
        return LinearGaussian(weight, torch.zeros(1, dtype=torch.float64), self.STD)

    def _set_up(self) -> Stage:
        figure, (codes, curve) = new_figure(1, 2, width=7.4, height=3.2)
        z, theta = self.Z.numpy(), self.THETAS.numpy()
        codes.plot(z, Normal(0.0, 1.0).log_prob(self.Z).exp(), color="grey", linestyle=":", label="prior")
        flat = 0 * self.Z
        (self._posterior,) = codes.plot(
            z, flat, color=COLOUR_OF["truth"], linestyle="-", label="posterior $p(z|x)$"
        )
        (self._approximate,) = codes.plot(
            z, flat, color=COLOUR_OF["model"], linestyle="--", label="$q(z)$, yours"
        )
        codes.set(xlabel="$z$", ylabel="density", ylim=(0, 2.1))
        curve.plot(
            theta,
            self.evidence(self.THETAS),
            color=COLOUR_OF["truth"],
            linestyle="-",
            label=r"$\log p_\theta(x)$",
        )
        (self._bound,) = curve.plot(theta, 0 * theta, color=COLOUR_OF["model"], linestyle="--", label="ELBO")
        (self._gap,) = curve.plot([0, 0], [0, 0], "o-", color="black", markersize=5, label="gap")
        curve.set(xlabel=r"$\theta$", ylabel="nats", ylim=(-6.5, -1.2))
        for panel in (codes, curve):  # above the panel, where no curve can pass
            panel.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, columnspacing=1.2)
        return Stage(figure, [self._posterior, self._approximate, self._bound, self._gap])


def elbo_bench(*, alt: str | None = None, name: str | None = None) -> LiveFrame:
    """Sliders for mean and σ of q and for θ, buttons for an E-step and an M-step; Play alternates the two."""
    bench = ElboBench()
    alt = bench.picture().alt if alt is None else alt
    wide = {"layout": Layout(width="300px"), "style": {"description_width": "80px"}, "readout_format": ".2f"}
    sliders = {
        "mean": FloatSlider(min=-3, max=3, step=0.02, description="mean of q", **wide),
        "std": FloatSlider(min=0.1, max=2, step=0.02, description="σ of q", **wide),
        "theta": FloatSlider(min=-3, max=3, step=0.02, description="θ", **wide),
    }
    narrow = Checkbox(
        description=f"a family too narrow: σ = {NARROW}", indent=False, layout=Layout(width="260px")
    )
    buttons = {
        label: Button(description=label, layout=Layout(width="auto")) for label in ("E-step", "M-step")
    }
    placing = False

    def look() -> tuple[Picture, str]:
        return bench.picture(alt), bench.sentence()

    def place() -> tuple[Picture, str]:
        nonlocal placing
        placing = True
        try:
            for attribute, slider in sliders.items():
                slider.value = round(getattr(bench, attribute), 2)
        finally:
            placing = False
        return look()

    def alternating() -> Iterator[tuple[Picture, str]]:
        bench.theta, bench.mean, bench.std = 0.6, 0.5, NARROW if bench.narrow else 0.7
        yield place()
        while True:
            bench.e_step()
            yield place()
            bench.m_step()
            yield place()

    def moved(change) -> None:
        if placing or frame.playing:
            return
        attribute = next(name for name, slider in sliders.items() if slider is change.owner)

        def move() -> tuple[Picture, str]:
            setattr(bench, attribute, NARROW if attribute == "std" and bench.narrow else change.new)
            return look()

        frame.on_loop(lambda: frame.attempt(move))

    def pressed(step) -> None:
        def act() -> tuple[Picture, str]:
            frame.pause()
            step()
            return place()

        frame.on_loop(lambda: frame.attempt(act))

    def narrowed(change) -> None:
        def restrict() -> tuple[Picture, str]:
            bench.narrow = change.new
            bench.std = NARROW if change.new else bench.std
            sliders["std"].disabled = change.new
            return place()

        frame.on_loop(lambda: frame.attempt(restrict))

    controls = [HBox([sliders["mean"], sliders["std"]]), HBox([sliders["theta"], *buttons.values(), narrow])]
    frame = LiveFrame(alternating, alt, name=name or "elbo_bench", controls=controls, fps=2)
    for slider in sliders.values():
        slider.observe(frame.guarded(moved), "value")
    buttons["E-step"].on_click(frame.guarded(lambda _: pressed(bench.e_step)))
    buttons["M-step"].on_click(frame.guarded(lambda _: pressed(bench.m_step)))
    narrow.observe(frame.guarded(narrowed), "value")
    return frame
