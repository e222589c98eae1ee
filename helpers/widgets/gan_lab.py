"""The GAN lab: two small networks play for points in the plane, and everything about them is drawn."""

from collections import deque
from collections.abc import Callable, Iterator

import contourpy
import matplotlib
import numpy as np
import torch
from ipywidgets import Button, Dropdown, FloatLogSlider, HBox, Layout
from torch import Tensor

from helpers.data import Mixture, grid, ring
from helpers.gan import (
    PRESETS,
    PointDiscriminator,
    PointGenerator,
    discriminator_loss,
    discriminator_step,
    generator_step,
    hinge_discriminator,
    hinge_generator,
    non_saturating,
    saturating,
)
from helpers.metrics import js_from_samples, mode_coverage
from helpers.plotting import COLOUR_OF, Picture, Stage, new_figure
from helpers.widgets.frame import LiveFrame

REACH = 3.0  # of the plane that is drawn
SAMPLES = 1000  # for the Jensen–Shannon estimate; with fewer its finite-sample baseline drowns everything
GREENS = matplotlib.colormaps["Greens"].resampled(14)  # few colours keep the file small, and show levels
KEEP = 300  # iterations that the curves show

DATA: dict[str, Callable[[], Mixture]] = {
    "ring of 8": ring,
    "grid of 9": lambda: grid(3, 1.5, 0.08),
    "two modes": lambda: Mixture(torch.tensor([[-1.5, 0.0], [1.5, 0.0]]), 0.2),
    "one mode": lambda: Mixture(torch.tensor([[1.0, 0.5]]), 0.4),
}
LOSSES = {
    "non-saturating": (discriminator_loss, non_saturating),
    "saturating": (discriminator_loss, saturating),
    "hinge": (hinge_discriminator, hinge_generator),
}


class GanLab:
    """A game on points: `data`, `loss` and `preset` are names from DATA, LOSSES and PRESETS. All of it by one seed."""

    def __init__(
        self, data: str = "ring of 8", loss: str = "non-saturating", preset: str = "recommended", seed=0
    ):
        self.data, self.losses, self.preset = DATA[data](), LOSSES[loss], PRESETS[preset]
        self._lowest = -0.1 if loss == "non-saturating" else -1.5  # the other two losses of G go below 0
        self.noise = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.generator, self.discriminator = PointGenerator().float(), PointDiscriminator().float()
        betas = (self.preset.beta1, 0.9)
        self.g_optimiser = torch.optim.Adam(self.generator.parameters(), self.preset.g_rate, betas)
        self.d_optimiser = torch.optim.Adam(self.discriminator.parameters(), self.preset.d_rate, betas)
        self.rounds = 0
        # (round, value); three D steps a round are the most
        self.curves = {name: deque(maxlen=3 * KEEP) for name in ("D", "G", "JS")}
        self.null = js_from_samples(self.real(SAMPLES), self.real(SAMPLES))
        side = torch.linspace(-REACH, REACH, 48)
        down, right = torch.meshgrid(side.flip(0), side, indexing="ij")
        self._plane = torch.stack([right.flatten(), down.flatten()], dim=1)
        self._shown_z, self._shown_real = self.z(200), self.real(400)
        self._stage = self._set_up()

    def z(self, n: int) -> Tensor:
        return torch.randn(n, self.generator.latent, generator=self.noise, dtype=torch.float32)

    def real(self, n: int) -> Tensor:
        return self.data.sample(n, self.noise).float()

    def d_step(self, batch: int = 128) -> None:
        """One update of the discriminator alone."""
        real, z = self.real(batch), self.z(batch)
        measured = discriminator_step(
            self.generator, self.discriminator, self.d_optimiser, real, z, self.losses[0]
        )
        self.curves["D"].append((self.rounds, float(measured["d_loss"])))

    def g_step(self, batch: int = 128) -> None:
        """One update of the generator alone."""
        measured = generator_step(
            self.generator, self.discriminator, self.g_optimiser, self.z(batch), self.losses[1]
        )
        self.curves["G"].append((self.rounds, float(measured["g_loss"])))
        self.rounds += 1

    def round(self) -> None:
        """As many D steps as the preset says, then one G step."""
        for _ in range(self.preset.d_steps):
            self.d_step()
        self.g_step()

    def set_rates(self, g_rate: float, d_rate: float) -> None:
        self.g_optimiser.param_groups[0]["lr"] = g_rate
        self.d_optimiser.param_groups[0]["lr"] = d_rate

    @torch.no_grad()
    def fakes(self, n: int = SAMPLES) -> Tensor:
        return self.generator(self.z(n))

    @torch.enable_grad()
    def pushes(self, fake: Tensor) -> Tensor:
        """Where the generator's loss sends each fake point: minus its gradient there, (n, 2)."""
        fake = fake.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(self.losses[1](self.discriminator(fake)).sum(), fake)
        return -gradient

    def estimate(self) -> None:
        """Note the Jensen–Shannon estimate of this round."""
        self.curves["JS"].append((self.rounds, js_from_samples(self.real(SAMPLES), self.fakes())))

    def picture(self, alt: str | None = None, colours: int = 256) -> Picture:
        with torch.no_grad():
            heat = self.discriminator(self._plane).sigmoid().view(48, 48)
            fake = self.generator(self._shown_z)
        where = fake.numpy()
        self.estimate()
        self._heat.set_data(heat.numpy())
        self._border.set_data(*half_line(heat))
        self._fake.set_data(*where.T)
        push = self.pushes(fake[:60])
        length = push.norm(dim=1, keepdim=True)
        push = (
            push / length.clamp(min=1e-9) * length.clamp(max=1.0) * 0.6
        )  # long ones are cut, to stay readable
        self._arrows.set_offsets(where[:60])
        self._arrows.set_UVC(*push.T.numpy())
        for name, line in self._lines.items():
            recent = [(at - self.rounds, value) for at, value in self.curves[name] if at > self.rounds - KEEP]
            line.set_data(*np.array(recent or [(0, np.nan)]).T)
        return self._stage.picture(alt, colours)

    def sentence(self) -> str:
        modes, good = mode_coverage(self.fakes(), self.data)
        return (
            f"{self.rounds} iterations · {modes} of {len(self.data.centres)} modes · {good:.0%} high-quality samples · "
            f"JS estimate {self.curves['JS'][-1][1]:.2f} nats (two samples of the data: {self.null:.2f})"
        )

    def _set_up(self) -> Stage:
        figure, (plane, curves) = new_figure(1, 2, width=7.4, height=3.5, width_ratios=(1, 1))
        extent = (-REACH, REACH, -REACH, REACH)
        blank = np.full((48, 48), 0.5)
        self._heat = plane.imshow(
            blank, cmap=GREENS, vmin=0, vmax=1.4, extent=extent, interpolation="bilinear"
        )
        scale = figure.colorbar(self._heat, ax=plane, ticks=[0, 0.5, 1], shrink=0.85, pad=0.02)
        scale.ax.set_ylim(0, 1)  # the darkest greens would hide the points
        scale.ax.set_yticklabels(["0", "½", "1"])
        scale.ax.set_title("D(x)", fontsize=8, loc="center")
        (self._border,) = plane.plot(
            [], [], "-", color=COLOUR_OF["discriminator"], linewidth=1.2, label="D(x) = ½"
        )
        (points,) = plane.plot(
            *self._shown_real.T.numpy(), "o", color=COLOUR_OF["data"], markersize=2, alpha=0.5, label="data"
        )
        (self._fake,) = plane.plot([], [], "o", color=COLOUR_OF["fake"], markersize=3, label="fakes")
        self._arrows = plane.quiver(
            *np.zeros((4, 60)), angles="xy", scale_units="xy", scale=1, width=0.003, color=COLOUR_OF["fake"]
        )
        plane.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), xlabel="$x_1$", ylabel="$x_2$")
        plane.set_title("green: D takes it for real, white: for fake", fontsize=9)
        styles = {"D": ("loss of D", "-"), "G": ("loss of G", "--"), "JS": ("JS estimate", "-.")}
        self._lines = {
            name: curves.plot([], [], color=COLOUR_OF[label], linestyle=line, label=label)[0]
            for name, (label, line) in styles.items()
        }
        curves.axhline(self.null, color="black", linestyle=":", linewidth=1.2, label="its baseline")
        curves.set(
            xlim=(-KEEP, 0),
            ylim=(self._lowest, 3),
            ylabel="nats",
            xlabel="iterations ago",
            xticks=[-300, -200, -100, 0],
        )
        curves.set_xticklabels(["300", "200", "100", "now"])
        figure.legend(loc="outside upper left", ncols=7, fontsize=8, columnspacing=1.0, handlelength=2)
        return Stage(
            figure, [self._heat, self._border, points, self._fake, self._arrows, *self._lines.values()]
        )


def half_line(heat: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Where D is one half on the plane of `heat` (48, 48), its first row on top: x₁ and x₂, NaN between two pieces."""
    side = np.linspace(-REACH, REACH, len(heat))
    pieces = contourpy.contour_generator(side, side[::-1], heat.numpy()).lines(0.5)
    gap = np.full((1, 2), np.nan)
    return tuple(np.concatenate([part for piece in pieces for part in (piece, gap)] or [gap]).T)


def gan_lab(
    *, alt: str | None = None, preset: str = "recommended", name: str | None = None, rounds: int = 8
) -> LiveFrame:
    """The lab with its controls: data, loss, preset, two learning rates, a single D step, a single G step.

    Play runs `rounds` rounds a picture, Step one round, Reset starts with new networks. A reader without a kernel sees
    the game after 800 rounds.
    """
    wide = {"layout": Layout(width="230px"), "style": {"description_width": "60px"}}
    choices = {
        "data": Dropdown(description="data", options=list(DATA), **wide),
        "loss": Dropdown(description="loss", options=list(LOSSES), **wide),
        "preset": Dropdown(description="preset", options=list(PRESETS), value=preset, **wide),
    }
    rates = {
        "g": FloatLogSlider(description="lr of G", min=-4, max=-1.5, step=0.01, readout_format=".4f"),
        "d": FloatLogSlider(description="lr of D", min=-4, max=-1.5, step=0.01, readout_format=".4f"),
    }
    for slider in rates.values():
        slider.layout, slider.style.description_width = Layout(width="330px"), "70px"
    single = {"One D step": lambda: lab.d_step(), "One G step": lambda: lab.g_step()}
    buttons = {label: Button(description=label, layout=Layout(width="auto")) for label in single}
    lab = GanLab(preset=preset)
    placing = False

    def look() -> tuple[Picture, str]:
        return lab.picture(alt), lab.sentence()

    def anew() -> Iterator[tuple[Picture, str]]:
        nonlocal lab, placing
        lab = GanLab(**{kind: choice.value for kind, choice in choices.items()})
        placing = True
        try:
            rates["g"].value, rates["d"].value = lab.preset.g_rate, lab.preset.d_rate
        finally:
            placing = False
        yield look()
        while True:
            for _ in range(rounds if frame.playing else 1):
                lab.round()
            yield look()

    def rates_moved(_) -> None:
        if not placing:
            frame.on_loop(lambda: lab.set_rates(rates["g"].value, rates["d"].value))

    def pressed(step: Callable[[], None]) -> None:
        def act() -> tuple[Picture, str]:
            frame.pause()
            step()
            return look()

        frame.on_loop(lambda: frame.attempt(act))

    still = GanLab(preset=preset)
    for t in range(800):
        still.round()
        if t % 8 == 0:  # for the curve
            still.estimate()
    static = still.picture(alt, colours=64)  # it is kept in the notebook: a smaller file
    alt = static.alt
    controls = [HBox([*choices.values()]), HBox([*rates.values()]), HBox([*buttons.values()])]
    frame = LiveFrame(anew, alt, name=name or "gan_lab", static=static, controls=controls, fps=15)
    for choice in choices.values():
        choice.observe(frame.guarded(lambda _: frame.on_loop(frame.reset)), "value")
    for slider in rates.values():
        slider.observe(frame.guarded(rates_moved), "value")
    for label, step in single.items():
        buttons[label].on_click(frame.guarded(lambda _, step=step: pressed(step)))
    return frame
