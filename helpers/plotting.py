"""Every figure of the course: one style, alternative text always, small enough to be kept in a notebook."""

import base64
import html
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

import matplotlib
import numpy as np
import torch
from cycler import cycler
from IPython.display import display
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath
from PIL import Image

SHARPNESS = 2  # pixels drawn for each pixel of the page, so that text stays crisp on fine screens
DPI = 96 * SHARPNESS  # a page has 96 pixels an inch
GREYS = 16  # levels kept of a grey picture: the eye sees no difference in a digit, the file is half as large
INK = "#222222"

# matplotlib's okabe_ito, colours that stay apart for colour-blind eyes, the strong ones first, without the yellow.
COLOURS = [matplotlib.color_sequences["okabe_ito"][place] for place in (5, 6, 3, 7, 1, 2, 0)]
LINES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (8, 2))]


@dataclass(frozen=True)
class Picture:
    """An image with its description, `width` page pixels wide; the last expression of a cell displays it."""

    data: bytes
    alt: str
    width: int
    height: int
    mime: str = "image/png"

    def html(self) -> str:
        """The <img> element, complete in itself: it needs no file and no network."""
        source = f"data:{self.mime};base64,{base64.b64encode(self.data).decode()}"
        alt = html.escape(" ".join(self.alt.split()), quote=True)
        return f'<img alt="{alt}" src="{source}" width="{self.width}" style="max-width:100%">'

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        # As text/html, because JupyterLab shows no alternative text of an image/png.
        return {"text/html": self.html(), "text/plain": self.alt}

    def image(self) -> Image.Image:
        """The picture for Pillow, in the colours red, green and blue."""
        return Image.open(io.BytesIO(self.data)).convert("RGB")


def use_style() -> None:
    """Give every figure made from now on the look of the course."""
    matplotlib.rcParams.update(
        {
            "figure.dpi": DPI,
            "figure.facecolor": "white",
            "font.size": 10,
            "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every machine
            "text.color": INK,
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "axes.titlesize": 10,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": cycler(color=COLOURS, linestyle=LINES),
            "axes.grid": False,
            "xtick.color": INK,
            "ytick.color": INK,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "legend.fontsize": 9,
            "legend.frameon": False,
            "legend.handlelength": 2.6,  # long enough to tell dashes from dots
            "lines.linewidth": 1.8,
            "image.cmap": "cividis",
        }
    )


def new_figure(rows=1, columns=1, width=6.4, height=3.2, **subplots):
    """An empty figure in the style of the course, `width` × `height` inches (96 page pixels each), and its axes."""
    use_style()
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **subplots)


def picture(figure: Figure, alt: str) -> Picture:
    """Draw a matplotlib figure and describe it in `alt`: what is seen, not how it was made.

    Raises ValueError where the description is missing or too short to be one.
    """
    _check_description(alt)
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    if getattr(figure, "number", None) is not None:  # made by pyplot, which would show it a second time
        from matplotlib import pyplot

        pyplot.close(figure)
    return _encode(np.asarray(canvas.buffer_rgba())[..., :3], alt)


def image_grid(
    images, alt: str, columns: int | None = None, titles=None, row_titles=None, scale=2.0
) -> Picture:
    """Images (N, 1, H, W) with values in [0, 1], row by row, dark ink on a white page.

    `titles` is one line above the whole grid, or a list with one for each column; `row_titles` a list with one for each
    row. One pixel of an image becomes `scale` pixels of the page. Raises ValueError on other shapes or values.
    """
    _check_description(alt)
    images = _as_images(images)
    count, height, width = images.shape
    columns = columns or min(count, 10)
    rows = -(-count // columns)
    above = [titles] if isinstance(titles, str) else list(titles or [])
    left = list(row_titles or [])
    if len(left) not in (0, rows) or (len(above) not in (0, columns) and not isinstance(titles, str)):
        raise ValueError(
            f"This grid has {columns} columns and {rows} rows: give as many titles and row_titles, or none."
        )
    # From here on in drawn pixels: whole ones, so that each pixel of an image becomes a sharp square.
    zoom = max(1, round(scale * SHARPNESS))
    gap = 2 * SHARPNESS
    step_x, step_y = width * zoom + gap, height * zoom + gap
    if not isinstance(titles, str):
        step_x = max([step_x] + [_text_width(title) + 4 * gap for title in above])
    lines = max([title.count("\n") + 1 for title in above], default=0)
    margin_top = round(lines * 15 * SHARPNESS) + (gap if above else 0)
    margin_left = max([_text_width(title) + 2 * gap for title in left], default=0)
    grid_width = (columns - 1) * step_x + width * zoom
    if isinstance(titles, str):
        grid_width = max(grid_width, _text_width(titles))
    total_width, total_height = margin_left + grid_width, margin_top + rows * step_y - gap

    canvas = np.full((total_height, total_width), 255, np.uint8)
    for number, image in enumerate(images):
        top, start = margin_top + number // columns * step_y, margin_left + number % columns * step_x
        canvas[top : top + height * zoom, start : start + width * zoom] = np.kron(
            255 - np.rint(255 * image), np.ones((zoom, zoom))
        )
    if not above and not left:
        return _encode(canvas, alt)

    use_style()
    figure = Figure(figsize=(total_width / DPI, total_height / DPI), dpi=DPI)
    figure.figimage(canvas, cmap="gray", vmin=0, vmax=255)
    for number, title in enumerate(above):
        if isinstance(titles, str):
            place = {"x": margin_left, "ha": "left"}
        else:
            place = {"x": margin_left + number * step_x + width * zoom / 2, "ha": "center"}
        place["x"] /= total_width
        figure.text(**place, y=1 - (margin_top - gap) / total_height, s=title, va="bottom", fontsize=9)
    for number, title in enumerate(left):
        middle = margin_top + number * step_y + height * zoom / 2
        place = {"x": (margin_left - 2 * gap) / total_width, "y": 1 - middle / total_height}
        figure.text(**place, s=title, ha="right", va="center", fontsize=9)
    return picture(figure, alt)


def history_plot(
    history: Mapping[str, Sequence[float]],
    names: Sequence[str],
    alt: str,
    smooth: int = 1,
    labels: Mapping[str, str] | None = None,
    xlabel: str = "update",
    ylabel: str = "",
    xlim=None,
    ylim=None,
    width: float = 6.4,
    height: float = 3.0,
) -> Picture:
    """What was measured at each update, one line a name: pale as it was, strong as the mean of `smooth` neighbours."""
    missing = [name for name in names if name not in history]
    if missing or not names:
        raise ValueError(f"The history holds {sorted(history)}: choose names from these, not {list(names)}.")
    figure, axes = new_figure(width=width, height=height)
    for name, colour, line in zip(names, cycle(COLOURS), cycle(LINES), strict=False):
        values = np.asarray([float(value) for value in history[name]])
        updates = np.arange(1, len(values) + 1)
        if smooth > 1:
            axes.plot(updates, values, color=colour, linestyle="-", linewidth=0.7, alpha=0.25)
        label = (labels or {}).get(name, name)
        axes.plot(updates, running_mean(values, smooth), color=colour, linestyle=line, label=label)
    axes.set(xlabel=xlabel, ylabel=ylabel, xlim=xlim, ylim=ylim)
    _legend_above(figure, axes)
    return picture(figure, alt)


def running_mean(values, window: int):
    """The mean of the `window` values around each place; fewer at both ends, so that nothing is invented there."""
    values = np.asarray(values, dtype=float)
    if window <= 1 or len(values) < 2:
        return values
    before, after = (window - 1) // 2, window // 2
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    first, last = np.maximum(places - before, 0), np.minimum(places + after + 1, len(values))
    return (sums[last] - sums[first]) / (last - first)


def density_plot(
    log_prob: Callable,
    alt: str,
    limits=(-4, 4, -4, 4),
    points=None,
    cells=160,
    xlabel="$x_1$",
    ylabel="$x_2$",
) -> Picture:
    """The density exp(log_prob(x)) of points x (n, 2) in the plane as coloured levels, with a scale beside them.

    `points` (n, 2), such as samples, are drawn over it.
    """
    x, y = np.linspace(*limits[:2], cells), np.linspace(*limits[2:], cells)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    density = np.exp(_as_array(log_prob(torch.from_numpy(grid).float()))).reshape(cells, cells)
    if not np.isfinite(density).all():
        raise ValueError("log_prob gives numbers that are not finite in these limits: plot another region.")
    figure, axes = new_figure(width=5.2, height=4.2)
    levels = axes.contourf(x, y, density, levels=12)
    figure.colorbar(levels, ax=axes, label="density")
    if points is not None:
        axes.plot(
            *_as_points(points).T, ".", color="white", markeredgecolor=INK, markeredgewidth=0.4, markersize=5
        )
    axes.set(aspect="equal", xlim=limits[:2], ylim=limits[2:], xlabel=xlabel, ylabel=ylabel)
    return picture(figure, alt)


def scatter_plot(
    points,
    alt: str,
    labels=None,
    circles=(),
    limits=None,
    xlabel="$z_1$",
    ylabel="$z_2$",
    width=5.0,
    height=5.0,
) -> Picture:
    """Points (n, 2) in the plane. With `labels` (n,) each point is drawn as its label, a digit for instance.

    `circles` are radii around the origin: (1, 2) shows where a standard normal keeps 39 % and 86 % of its mass.
    """
    points = _as_points(points)
    figure, axes = new_figure(width=width, height=height)
    if labels is None:
        axes.plot(*points.T, "o", color=COLOURS[0], markersize=3, alpha=0.6, markeredgewidth=0)
    else:
        labels = _as_array(labels)
        if labels.shape != points.shape[:1]:
            raise ValueError(
                f"There are {len(points)} points and {labels.size} labels: give one for each point."
            )
        for label, colour in zip(np.unique(labels), cycle(COLOURS)):
            style = {"color": colour, "markersize": 5, "markeredgewidth": 0, "linestyle": "none"}
            axes.plot(*points[labels == label].T, marker=f"${label}$", **style)
    turn = np.linspace(0, 2 * np.pi, 200)
    for radius in circles:
        axes.plot(radius * np.cos(turn), radius * np.sin(turn), color=INK, linestyle="--", linewidth=1.2)
    if limits is not None:
        axes.set(xlim=limits[:2], ylim=limits[2:])
    axes.set(aspect="equal", xlabel=xlabel, ylabel=ylabel)
    return picture(figure, alt)


def bars(values, alt: str, names=None, xlabel="", ylabel="", line=None, line_label="") -> Picture:
    """One bar a value; `names` below them (0, 1, 2, … unless given), and a dashed `line` to compare with."""
    values = _as_array(values)
    names = [str(name) for name in (range(len(values)) if names is None else names)]
    if values.ndim != 1 or len(names) != len(values):
        raise ValueError(
            f"There are {values.size} values and {len(names)} names: give one name for each bar."
        )
    figure, axes = new_figure(height=2.6)
    axes.bar(names, values, color=COLOURS[0], width=0.7)
    if line is not None:
        axes.axhline(line, color=COLOURS[1], linestyle="--", label=line_label)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    _legend_above(figure, axes)
    return picture(figure, alt)


def beside(*pictures: Picture, gap: int = 24) -> Picture:
    """Pictures side by side as one, their descriptions one after the other."""
    sharp = [
        each.image().resize((each.width * SHARPNESS, each.height * SHARPNESS), Image.Resampling.NEAREST)
        for each in pictures
    ]
    width = sum(image.width for image in sharp) + gap * SHARPNESS * (len(sharp) - 1)
    sheet = Image.new("RGB", (width, max(image.height for image in sharp)), "white")
    start = 0
    for image in sharp:
        sheet.paste(image, (start, 0))
        start += image.width + gap * SHARPNESS
    return _encode(np.asarray(sheet), " ".join(each.alt for each in pictures))


def animation(pictures: Sequence[Picture], alt: str, fps: float = 6, plays: int = 2) -> Picture:
    """A GIF of pictures of one size. It plays without a network, `plays` times, and rests on its last picture."""
    _check_description(alt)
    pictures = list(pictures)
    sizes = {(each.width, each.height) for each in pictures}
    if len(sizes) != 1:
        raise ValueError(
            "An animation needs one or more pictures, all of one size: give width and height to each."
        )
    ((width, height),) = sizes
    # One palette for all: without it the colours would flicker, and a GIF could not keep the parts that rest.
    strip = Image.new("RGB", (width, height * len(pictures)))
    for number, each in enumerate(pictures):
        strip.paste(each.image().resize((width, height), Image.Resampling.BOX), (0, number * height))
    strip = strip.quantize(64, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    frames = [strip.crop((0, n * height, width, (n + 1) * height)) for n in range(len(pictures))]
    durations = [round(1000 / fps)] * (len(frames) - 1) + [1500]
    repeats = (
        {"loop": plays - 1} if plays > 1 else {}
    )  # a GIF counts the repetitions, and 0 would mean for ever
    data = io.BytesIO()
    frames[0].save(data, "GIF", save_all=True, append_images=frames[1:], duration=durations, **repeats)
    return Picture(data.getvalue(), alt, width, height, mime="image/gif")


def show(picture: Picture, handle=None):
    """Display a picture now and return its handle; `show(next_picture, handle)` puts the next in its place."""
    if handle is None:
        return display(picture, display_id=True)
    handle.update(picture)
    return handle


def _check_description(alt: str) -> None:
    if not isinstance(alt, str) or len(alt.strip()) < 20:
        raise ValueError(
            "A picture needs alt, a description of at least 20 characters for those who cannot see it, such as"
            " 'Sixteen generated digits, most of them readable.'"
        )


def _as_array(values) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def _as_points(points) -> np.ndarray:
    points = _as_array(points)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(
            f"Points in the plane have shape (n, 2), these have {points.shape}: choose two columns."
        )
    return points


def _as_images(images) -> np.ndarray:
    images = _as_array(images)
    if images.ndim == 4 and images.shape[1] == 1:
        images = images[:, 0]
    if images.ndim != 3 or images.size == 0:
        raise ValueError(f"Images have shape (N, 1, H, W), these have {images.shape}: reshape them first.")
    if not np.isfinite(images).all():
        raise ValueError("The images hold NaN or infinity: look where the training left the finite numbers.")
    if images.min() < -0.001 or images.max() > 1.001:
        raise ValueError(
            f"The images go from {images.min():.2f} to {images.max():.2f}, but ink goes from 0 to 1: rescale tanh's"
            " output by (x + 1) / 2, and put logits through a sigmoid."
        )
    return np.clip(images, 0, 1)


def _text_width(text: str) -> int:
    """The drawn pixels that the longest line of a title takes."""
    widths = [TextPath((0, 0), line, size=9).get_extents().width for line in text.split("\n") if line]
    return round(max(widths, default=0) * DPI / 72)


def _legend_above(figure: Figure, axes) -> None:
    """Names of lines above the axes, where they hide nothing."""
    if axes.get_legend_handles_labels()[1]:
        figure.legend(loc="outside upper left", ncols=4)


def _encode(pixels: np.ndarray, alt: str) -> Picture:
    """Pixels (H, W) or (H, W, 3) as the smallest PNG that looks the same."""
    if pixels.ndim == 3 and (pixels == pixels[..., :1]).all():
        pixels = pixels[..., 0]
    if pixels.ndim == 2:
        levels = np.rint(np.rint(np.arange(256) * (GREYS - 1) / 255) * 255 / (GREYS - 1)).astype(np.uint8)
        image = Image.fromarray(levels[pixels])
    else:
        image = Image.fromarray(np.ascontiguousarray(pixels)).quantize(256, method=Image.Quantize.FASTOCTREE)
        palette = np.array(image.getpalette())
        image.putpalette(np.where(palette > 250, 255, palette).tolist())  # the page stays quite white
    data = io.BytesIO()
    image.save(data, "PNG")
    height, width = pixels.shape[:2]
    return Picture(data.getvalue(), alt, round(width / SHARPNESS), round(height / SHARPNESS))
