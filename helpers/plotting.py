"""Every figure of the course: one style, described for those who cannot see it, small enough to be kept.

The description (alternative text) of a figure is made from what is drawn, unless `alt` gives another. `caption` is a
sentence that everybody reads below the figure: what is drawn, and what to look at.
"""

import base64
import html
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle

import matplotlib
import numpy as np
import torch
from cycler import cycler
from IPython.display import display
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextPath
from PIL import Image

from helpers.described import described, described_images

SHARPNESS = 2  # pixels drawn for each pixel of the page, so that text stays crisp on fine screens
DPI = 96 * SHARPNESS  # a page has 96 pixels an inch
GREYS = 16  # levels kept of a grey picture: the eye sees no difference in a digit, the file is half as large

CAPTION = "font-size:90%;line-height:1.4;opacity:0.85;margin:0.2em 0 0.6em"

# matplotlib's okabe_ito, colours that stay apart for colour-blind eyes: the strong ones first, the yellow left out.
BLACK, ORANGE, SKY, GREEN, _, BLUE, VERMILION, PURPLE = map(to_hex, matplotlib.color_sequences["okabe_ito"])
COLOURS = [BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK]  # of lines, in turn
# What a colour means in a figure that is drawn by hand: no other file picks one.
COLOUR_OF = {
    "data": "black",  # points of the data, on any ground
    "fake": VERMILION,  # points of the generator
    "truth": BLUE,  # what there is to find: p, the posterior, log p(x)
    "model": VERMILION,  # what is to become like it: q, the ELBO
    "discriminator": GREEN,  # D as a function, and V(D)
    "best discriminator": PURPLE,
    "loss of D": BLUE,
    "loss of G": VERMILION,
    "KL(p‖q)": PURPLE,
    "KL(q‖p)": ORANGE,
    "JS(p, q)": GREEN,
    "JS estimate": GREEN,
    "result": BLUE,  # what was measured: a dot, a bar
    "second part": ORANGE,  # of a stacked bar
    "second result": VERMILION,  # the same, measured otherwise
    "reference": VERMILION,  # a line to compare with
    "chosen": VERMILION,  # where the reader stands
}
LINES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (8, 2))]


@dataclass(frozen=True)
class Picture:
    """An image with its description, in pixels of the page; as the last expression of a cell it is displayed."""

    data: bytes
    alt: str
    width: int
    height: int
    mime: str = "image/png"
    caption: str = ""

    def html(self) -> str:
        """The <img> element with its caption, complete in itself: it needs no file and no network."""
        source = f"data:{self.mime};base64,{base64.b64encode(self.data).decode()}"
        alt = html.escape(" ".join(self.alt.split()))
        image = f'<img alt="{alt}" src="{source}" width="{self.width}" style="max-width:100%">'
        if not self.caption:
            return image
        caption = f'<figcaption style="{CAPTION}">{html.escape(self.caption, quote=False)}</figcaption>'
        return f'<figure style="margin:0;max-width:{max(self.width, 480)}px">{image}{caption}</figure>'

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        # As text/html, because JupyterLab shows no alternative text of an image/png.
        return {"text/html": self.html(), "text/plain": self.alt}

    def image(self) -> Image.Image:
        """The picture for Pillow, SHARPNESS times as wide as on the page."""
        return Image.open(io.BytesIO(self.data)).convert("RGB")


def use_style() -> None:
    """Give every figure made from now on the look of the course."""
    style = {"figure.dpi": DPI, "font.size": 10, "axes.titlesize": 10, "axes.titlelocation": "left"}
    style |= {"font.family": "DejaVu Sans"}  # comes with matplotlib: the same letters on every machine
    style |= {"axes.spines.top": False, "axes.spines.right": False, "image.cmap": "cividis"}
    style |= {"axes.prop_cycle": cycler(color=COLOURS, linestyle=LINES), "lines.linewidth": 1.8}
    style |= {"legend.frameon": False, "legend.handlelength": 2.6}  # long enough to tell dashes from dots
    style |= {"xtick.labelsize": 9, "ytick.labelsize": 9, "legend.fontsize": 9}
    matplotlib.rcParams.update(style)


def new_figure(rows=1, columns=1, width=6.4, height=3.2, **subplots):
    """An empty figure in the style of the course, `width` × `height` inches (96 page pixels each), and its axes."""
    use_style()
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **subplots)


def picture(figure: Figure, alt: str | None = None, *, caption: str = "", colours: int = 256) -> Picture:
    """Draw a matplotlib figure. It is described by what is drawn, or by `alt`: what is seen, not how it was made.

    For lines and points of two or three kinds 16 `colours` are enough, and make the file a third smaller.

    Raises ValueError where a given description is too short to be one.
    """
    _check_description(alt)
    alt = described(figure) if alt is None else alt
    if getattr(figure, "number", None) is not None:  # made by pyplot, which would show it a second time
        from matplotlib import pyplot

        pyplot.close(figure)
    return encode(_draw(figure), alt, caption, colours=colours)


def encode(
    pixels: np.ndarray, alt: str, caption: str = "", greys: int = GREYS, colours: int = 256
) -> Picture:
    """Pixels (H, W) or (H, W, 3) of uint8 as the smallest PNG that looks the same; a grey one keeps `greys` levels.

    Fewer `colours` are chosen with more care: slower to write, a smaller file.
    """
    height, width = (length // SHARPNESS for length in pixels.shape[:2])
    pixels = pixels[: height * SHARPNESS, : width * SHARPNESS]
    if (
        pixels.ndim == 3 and _is_grey(pixels[::8, ::8]) and _is_grey(pixels)
    ):  # most colours show in a few pixels
        pixels = pixels[..., 0]
    if pixels.ndim == 2:
        levels = np.rint(np.rint(np.arange(256) * (greys - 1) / 255) * 255 / (greys - 1))
        image = Image.fromarray(levels.astype(np.uint8)[pixels])
    else:
        image = Image.fromarray(np.ascontiguousarray(pixels))
        image = image.quantize(colours, method=Image.Quantize.FASTOCTREE, kmeans=2 if colours < 256 else 0)
        palette = np.array(image.getpalette())
        image.putpalette(np.where(palette > 250, 255, palette).tolist())  # the page stays quite white
    data = io.BytesIO()
    image.save(data, "PNG", optimize=colours < 256)
    return Picture(data.getvalue(), alt, width, height, caption=caption)


def image_grid(
    images,
    *,
    alt: str | None = None,
    caption: str = "",
    columns: int | None = None,
    titles: str | Sequence[str] = (),
    row_titles: Sequence[str] = (),
    scale: float = 2,
    greys: int = GREYS,
) -> Picture:
    """Images (N, 1, H, W) with values in [0, 1], row by row, dark ink on a white page.

    `titles` is one line above all, or a list with one for each column; `row_titles` a list with one for each row.
    One pixel of an image becomes `scale` pixels of the page. More than the usual `greys` are for faint patterns. Raises
    ValueError on other shapes or values.
    """
    _check_description(alt)
    images = _as_images(images)
    columns = columns or min(len(images), 10)
    rows = -(-len(images) // columns)
    alt = described_images(images, columns, titles, row_titles) if alt is None else alt
    headline = titles if isinstance(titles, str) else ""
    titles = [] if isinstance(titles, str) else list(titles)
    if len(titles) not in (0, columns) or len(row_titles) not in (0, rows):
        raise ValueError(f"This grid has {columns} columns and {rows} rows: give each a title, or none.")
    # From here on in drawn pixels, whole ones: each pixel of an image becomes a sharp square.
    zoom, gap = max(1, round(scale * SHARPNESS)), 2 * SHARPNESS
    height, width = zoom * images.shape[1], zoom * images.shape[2]
    step = max([width + gap] + [_text_width(title) + 4 * gap for title in titles])
    left = max([0] + [_text_width(title) + 3 * gap for title in row_titles])
    lines = max([0] + [title.count("\n") + 1 for title in [headline, *titles] if title])
    top = lines * 15 * SHARPNESS + (gap if lines else 0)
    overhang = (step - width - gap) // 2  # of a title wider than its column
    sheet_width = max(left + (columns - 1) * step + width + 2 * overhang, _text_width(headline) + gap)
    sheet = np.full((top + rows * (height + gap) - gap, sheet_width), 255, np.uint8)
    corners = [
        (top + number // columns * (height + gap), left + overhang + number % columns * step)
        for number in range(rows * columns)
    ]
    for image, (y, x) in zip(images, corners, strict=False):
        sheet[y : y + height, x : x + width] = np.kron(255 - np.rint(255 * image), np.ones((zoom, zoom)))
    if not lines and not left:
        return encode(sheet, alt, caption, greys)
    use_style()
    figure = Figure(figsize=((sheet.shape[1] + 0.1) / DPI, (sheet.shape[0] + 0.1) / DPI))
    write = partial(figure.text, fontsize=9, transform=None)  # in pixels, from the lower left corner
    write(left, len(sheet) - top + gap, headline)
    for title, (y, x) in zip(titles, corners, strict=False):
        write(x + width / 2, len(sheet) - y + gap, title, ha="center")
    for title, (y, _) in zip(row_titles, corners[::columns], strict=False):
        write(left - 2 * gap, len(sheet) - y - height / 2, title, ha="right", va="center")
    return encode(np.minimum(sheet, _draw(figure)[..., 0]), alt, caption, greys)


def running_mean(values, window: int) -> np.ndarray:
    """The mean of the `window` values around each place; fewer at both ends, so that nothing is invented there."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    first = np.maximum(places - (window - 1) // 2, 0)
    last = np.minimum(places + window // 2 + 1, len(values))
    return (sums[last] - sums[first]) / (last - first)


def _legend_above(figure: Figure, columns: int) -> None:
    """A legend above the axes, in as many columns as the figure is wide enough for, `columns` at most."""
    for number in range(columns, 0, -1):
        legend = figure.legend(loc="outside upper left", ncols=number)
        if number == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()


def history_plot(
    history: Mapping[str, Sequence[float]],
    names: Sequence[str],
    *,
    alt: str | None = None,
    caption: str = "",
    smooth: int = 1,
    labels: Mapping[str, str] | None = None,
    xlabel: str = "update",
    ylabel: str = "",
    xlim=None,
    ylim=None,
    width: float = 6.4,
    height: float = 3,
) -> Picture:
    """What was measured at each update, one line a name: pale as it was, strong as the mean of `smooth` neighbours."""
    if not names or not all(name in history and len(history[name]) for name in names):
        raise ValueError(f"The history holds {sorted(history)}: choose names from these, not {list(names)}.")
    longest = max(map(len, history.values()))
    late = [name for name in names if len(history[name]) != longest]
    if late:
        raise ValueError(
            f"{late[0]!r} has {len(history[late[0]])} values and the history {longest} updates, so nobody knows where "
            "they belong: record it at each update, or draw it with curves(updates, …)."
        )
    if smooth < 1:
        raise ValueError(f"A mean of {smooth} neighbours is none: smooth=1 draws the values as they are.")
    figure, axes = new_figure(width=width, height=height)
    for name, colour, line in zip(names, cycle(COLOURS), cycle(LINES), strict=False):
        values = [float(value) for value in history[name]]
        updates = range(1, len(values) + 1)
        if smooth > 1:
            axes.plot(updates, values, color=colour, linestyle="-", linewidth=0.7, alpha=0.25)
        label = (labels or {}).get(name, name)
        axes.plot(updates, running_mean(values, smooth), color=colour, linestyle=line, label=label)
    axes.set(xlabel=xlabel, ylabel=ylabel, xlim=xlim, ylim=ylim)
    _legend_above(figure, columns=4)
    return picture(figure, alt, caption=caption)


def line_plot(
    x,
    lines: Mapping[str, Sequence[float]],
    *,
    alt: str | None = None,
    caption: str = "",
    xlabel: str = "$x$",
    ylabel: str = "",
    dots: Mapping[str, tuple[float, float]] | None = None,
    colours: Mapping[str, str] | None = None,
    styles: Mapping[str, Mapping] | None = None,
    width: float = 6.4,
    height: float = 2.8,
    **axes_settings,
) -> Picture:
    """Functions of `x` (n,), one line a name, and single points `dots`, a name → (x, y).

    `colours` gives names a colour of their own, and `styles` other properties: `{"ideal": {"linewidth": 1}}`. Further
    settings go to the axes: `ylim=(0, 1)`, `yscale="log"`, `title="…"`.
    """
    places = _as_array(x)
    figure, axes = new_figure(width=width, height=height)
    for (name, values), colour, line in zip(lines.items(), cycle(COLOURS), cycle(LINES), strict=False):
        values = _as_array(values)
        if values.shape != places.shape:
            raise ValueError(
                f"{name!r} has {values.size} values for {places.size} places: give one for each."
            )
        style = {"color": (colours or {}).get(name, colour), "linestyle": line} | (styles or {}).get(name, {})
        axes.plot(places, values, label=name, **style)
    for (name, place), marker in zip((dots or {}).items(), cycle("osD^v"), strict=False):
        axes.plot(*place, marker, color="black", markersize=6, label=name)
    axes.set(xlabel=xlabel, ylabel=ylabel, **axes_settings)
    _legend_above(figure, columns=4)
    return picture(figure, alt, caption=caption)


def density_plot(
    log_prob: Callable,
    *,
    alt: str | None = None,
    caption: str = "",
    limits=(-4, 4, -4, 4),
    points=None,
    cells=160,
    xlabel="$x_1$",
    ylabel="$x_2$",
) -> Picture:
    """The density exp(log_prob(x)) of points x (n, 2) as coloured levels; `points` (n, 2) are drawn over it."""
    x, y = torch.linspace(*limits[:2], cells), torch.linspace(*limits[2:], cells)
    grid = torch.cartesian_prod(x, y)
    density = np.exp(_as_array(log_prob(grid))).reshape(cells, cells).T
    if not np.isfinite(density).all():
        raise ValueError("log_prob gives numbers that are not finite in these limits: plot another region.")
    figure, axes = new_figure(width=5.2, height=4.2)
    figure.colorbar(axes.contourf(x, y, density, levels=12), ax=axes, label="density")
    if points is not None:
        axes.plot(*_as_points(points).T, "ow", markeredgecolor="black", markeredgewidth=0.5, markersize=3)
    axes.set(aspect="equal", xlim=limits[:2], ylim=limits[2:], xlabel=xlabel, ylabel=ylabel)
    return picture(figure, alt, caption=caption)


def scatter_plot(
    points,
    *,
    alt: str | None = None,
    caption: str = "",
    labels=None,
    circles=(),
    limits=None,
    xlabel="$z_1$",
    ylabel="$z_2$",
    size=5.0,
    title="",
) -> Picture:
    """Points (n, 2) in the plane; with `labels` (n,) each point is drawn as its label, a digit for instance.

    `circles` are radii around the origin: a standard normal keeps 39 % of its mass within 1, and 86 % within 2.
    """
    points = _as_points(points)
    if not np.isfinite(points).all():
        raise ValueError(
            "Some points are NaN or infinite and could not be shown: leave them out, or look for the cause."
        )
    labels = None if labels is None else _as_array(labels)
    if labels is not None and labels.shape != points.shape[:1]:
        raise ValueError(f"There are {len(points)} points and {labels.size} labels: give one for each point.")
    figure, axes = new_figure(width=size, height=size)
    if labels is None:
        axes.plot(*points.T, "o", markersize=3, alpha=0.6, markeredgewidth=0)
    else:
        for label, colour in zip(np.unique(labels), cycle(COLOURS), strict=False):
            these = points[labels == label]
            axes.scatter(*these.T, marker=f"${label}$", color=colour, s=28, linewidths=0)
    turn = np.linspace(0, 2 * np.pi, 200)
    for radius in circles:
        axes.plot(radius * np.cos(turn), radius * np.sin(turn), color="black", linestyle="--", linewidth=1.2)
    if limits is not None:
        axes.set(xlim=limits[:2], ylim=limits[2:])
    axes.set(aspect="equal", xlabel=xlabel, ylabel=ylabel, title=title)
    return picture(figure, alt, caption=caption)


def image_map(
    images,
    places,
    *,
    alt: str | None = None,
    caption: str = "",
    framed=None,
    limits=None,
    xlabel="$z_1$",
    ylabel="$z_2$",
    size=5.0,
    title="",
) -> Picture:
    """Images (N, 1, H, W), each at its place (N, 2) in the plane, dark ink on a white page.

    The places form a regular grid with one distance in both directions. `framed` (N,) says which get a frame.
    """
    images, places = _as_images(images), _as_points(places)
    if len(images) != len(places):
        raise ValueError(f"There are {len(images)} images and {len(places)} places: give one for each image.")
    framed = np.zeros(len(images), bool) if framed is None else _as_array(framed).astype(bool)
    across = np.unique(places[:, 0].round(6))
    half = 0.48 * (np.diff(across).min() if len(across) > 1 else 1.0)
    figure, axes = new_figure(width=size, height=size)
    for image, (x, y), frame in zip(images, places, framed, strict=True):
        extent = (x - half, x + half, y - half, y + half)
        axes.imshow(1 - image, extent=extent, cmap="gray", vmin=0, vmax=1)
        if frame:
            corner, length = (x - half, y - half), 2 * half
            axes.add_patch(
                Rectangle(corner, length, length, fill=False, color=COLOUR_OF["chosen"], linewidth=1.5)
            )
    if limits is None:
        limits = [edge for axis in places.T for edge in (axis.min() - half, axis.max() + half)]
    axes.set(aspect="equal", xlim=limits[:2], ylim=limits[2:], xlabel=xlabel, ylabel=ylabel, title=title)
    if alt is None:
        alt = f"{described_images(images, len(across), title)} {framed.sum()} are framed."
    return picture(figure, alt, caption=caption)


def scatter_row(
    clouds: Mapping[str, object],
    *,
    limits,
    behind=None,
    front=None,
    level: float | None = None,
    labels: Sequence[str] = (),
    alt: str | None = None,
    caption: str = "",
    xlabel="$x_1$",
    ylabel="$x_2$",
    size=2.1,
) -> Picture:
    """Clouds of points (n, 2) in a row of panels of one scale, each a title → points; those `behind` are grey in all.

    `limits` are (left, right, bottom, top): what leaves them is cut off. Points in `front` are black and cover the
    others. A dashed line lies at the height `level`. `labels` name cloud, behind, front and level in a legend. A panel
    is `size` inches wide.
    """
    if not clouds:
        raise ValueError("There is nothing to show: give at least one cloud of points.")
    lines = 1 + max(title.count("\n") for title in clouds)
    look = {"markersize": 2.5, "markeredgewidth": 0}
    named = labels or ("orange points", "grey points", "black points", "dashed line")
    figure, panels = new_figure(
        1, len(clouds), size * len(clouds) + 0.4, size + 0.45 + 0.17 * lines, sharey=True, squeeze=False
    )
    for axes, (title, points) in zip(panels[0], clouds.items(), strict=True):
        if behind is not None:
            axes.plot(*_as_points(behind).T, "o", color="0.7", label=named[1], **look)
        axes.plot(*_as_points(points).T, "o", color=COLOUR_OF["fake"], alpha=0.6, label=named[0], **look)
        if front is not None:
            axes.plot(*_as_points(front).T, "o", color="black", label=named[2], **look | {"markersize": 3.5})
        if level is not None:
            axes.axhline(float(level), color="black", linestyle="--", linewidth=1.1, label=named[3])
        axes.set(aspect="equal", xlim=limits[:2], ylim=limits[2:], xlabel=xlabel)
        axes.set_title(title, fontsize=9)
    panels[0][0].set_ylabel(ylabel)
    if labels:
        figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return picture(figure, alt, caption=caption)


def histogram_plot(
    groups: Mapping[str, Sequence[float]],
    *,
    bins: Sequence[float],
    alt: str | None = None,
    caption: str = "",
    line: float | None = None,
    line_label: str = "",
    line_style: str = "--",
    shares: bool = False,
    width: float = 6.4,
    height: float = 2.8,
    **axes_settings,
) -> Picture:
    """How many values of each group, a name → values (n,), lie in each of the `bins`, given by their edges.

    With `shares`, which share of its group they are: for groups of different sizes. A value outside the edges is not
    counted. An upright `line` compares. Further settings go to the axes.
    """
    edges = _as_array(bins)
    figure, axes = new_figure(width=width, height=height)
    for (name, values), colour in zip(
        groups.items(), cycle([COLOUR_OF["fake"], "0.45", *COLOURS]), strict=False
    ):
        counts = np.histogram(_as_array(values), edges)[0] / (len(values) if shares else 1)
        axes.fill_between(edges, np.append(counts, counts[-1]), step="post", color=colour, alpha=0.15)
        axes.plot(edges, np.append(counts, counts[-1]), drawstyle="steps-post", color=colour, label=name)
    if line is not None:
        axes.axvline(
            float(line), color="black", linestyle=line_style, linewidth=1.2, label=line_label or None
        )
    axes.set(ylim=(0, None), **axes_settings)
    _legend_above(figure, columns=3)
    return picture(figure, alt, caption=caption)


def path_plot(
    paths: Mapping[str, Sequence],
    *,
    limits,
    alt: str | None = None,
    caption: str = "",
    xlabel="$x$",
    ylabel="$y$",
    size=4.2,
) -> Picture:
    """Paths in the plane, each a name → points (n, 2), with a dot where it has got to and a cross at the origin.

    `limits` are (left, right, bottom, top): what leaves them is cut off.
    """
    figure, axes = new_figure(width=size, height=size)
    axes.plot(0, 0, "+", color="black", markersize=12)
    for (name, points), colour, line in zip(paths.items(), cycle(COLOURS), cycle(LINES), strict=False):
        points = _as_points(points)
        axes.plot(*points.T, color=colour, linestyle=line, label=name)
        axes.plot(*points[-1], "o", color=colour, markersize=6)
    axes.set(aspect="equal", xlim=limits[:2], ylim=limits[2:], xlabel=xlabel, ylabel=ylabel)
    _legend_above(figure, columns=2)
    return picture(figure, alt, caption=caption)


def bar_plot(
    values,
    *,
    alt: str | None = None,
    caption: str = "",
    names=None,
    xlabel="",
    ylabel="",
    line=None,
    line_label="",
    side_by_side=False,
    width=6.4,
) -> Picture:
    """One bar a value; `names` below them (0, 1, 2, … unless given), and a dashed `line` to compare with.

    `values` is a list of numbers, or a mapping from the name of a part to such a list: then the parts are stacked, or,
    `side_by_side`, stand beside each other; a name may then come more than once.
    """
    parts = values if isinstance(values, Mapping) else {"": values}
    parts = {part: _as_array(heights) for part, heights in parts.items()}
    count = len(next(iter(parts.values())))
    names = [str(name) for name in (range(count) if names is None else names)]
    if any(len(heights) != len(names) for heights in parts.values()):
        raise ValueError(f"There are {count} values and {len(names)} names: give one name for each bar.")
    figure, axes = new_figure(width=width, height=2.6)
    if side_by_side:
        each = 0.8 / len(parts)
        for k, ((part, heights), colour) in enumerate(zip(parts.items(), cycle(COLOURS), strict=False)):
            places = np.arange(count) + (k - (len(parts) - 1) / 2) * each
            axes.bar(places, heights, width=each, color=colour, label=part or None)
        axes.set_xticks(range(count), names)
    else:
        bottom = np.zeros(count)
        for (part, heights), colour in zip(
            parts.items(), (COLOUR_OF["result"], COLOUR_OF["second part"]), strict=False
        ):
            axes.bar(names, heights, width=0.7, bottom=bottom, color=colour, label=part or None)
            bottom = bottom + heights
    if line is not None:
        axes.axhline(line, color=COLOUR_OF["reference"], linestyle="--", label=line_label)
    if line is not None or "" not in parts:
        _legend_above(figure, columns=3)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    return picture(figure, alt, caption=caption)


def strip_plot(
    runs: Mapping[str, Sequence[float]],
    *,
    alt: str | None = None,
    caption: str = "",
    xlabel="",
    line=None,
    line_label="",
    width=6.4,
    **axes_settings,
) -> Picture:
    """One row a setting, the first on top, with a dot for each of its runs and a bar at their median.

    The dots of a row stand a little above each other, so that equal runs stay visible; a dashed `line` compares.
    """
    if not runs or any(not len(values) for values in runs.values()):
        raise ValueError("There is nothing to show: give each setting at least one run.")
    figure, axes = new_figure(width=width, height=0.6 + 0.32 * len(runs))
    for row, values in enumerate(runs.values()):
        values = _as_array(values)
        lift = np.linspace(-0.22, 0.22, len(values)) if len(values) > 1 else np.zeros(1)
        axes.plot(
            values, row + lift, "o", color=COLOUR_OF["result"], markersize=4.5, alpha=0.8, markeredgewidth=0
        )
        axes.plot([np.median(values)] * 2, [row - 0.34, row + 0.34], "-", color="black", linewidth=1.6)
    if line is not None:
        axes.axvline(
            line, color=COLOUR_OF["reference"], linestyle="--", linewidth=1.2, label=line_label or None
        )
        if line_label:
            figure.legend(loc="outside upper left")
    axes.set_yticks(range(len(runs)), list(runs))
    axes.set(xlabel=xlabel, ylim=(len(runs) - 0.5, -0.5), **axes_settings)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    return picture(figure, alt, caption=caption)


def hstack(*pictures: Picture, gap: int = 24, caption: str = "") -> Picture:
    """Pictures side by side as one, their descriptions and captions one after the other."""
    if not pictures:
        raise ValueError("There is nothing to put side by side: give at least one picture.")
    images = [each.image() for each in pictures]
    starts = np.cumsum([0] + [image.width + gap * SHARPNESS for image in images])
    sheet = Image.new("RGB", (starts[-1] - gap * SHARPNESS, max(image.height for image in images)), "white")
    for image, start in zip(images, starts, strict=False):
        sheet.paste(image, (start, 0))
    captions = caption or " ".join(each.caption for each in pictures if each.caption)
    return encode(np.asarray(sheet), " ".join(each.alt for each in pictures), captions)


def animation(
    pictures: Sequence[Picture], *, alt: str | None = None, caption: str = "", fps: float = 6, plays: int = 2
) -> Picture:
    """A GIF of pictures of one size. It plays offline, `plays` times, and rests on its last picture."""
    _check_description(alt)
    if len({(each.width, each.height) for each in pictures}) != 1:
        raise ValueError(
            "An animation needs pictures that are all of one size: draw each with the same settings."
        )
    if alt is None:
        alt = f"An animation of {len(pictures)} pictures. First: {pictures[0].alt} Last: {pictures[-1].alt}"
    width, height = pictures[0].width, pictures[0].height
    # One palette for all: with several the colours flicker, and the parts that rest could not be left out.
    strip = Image.new("RGB", (width, height * len(pictures)))
    for number, each in enumerate(pictures):
        strip.paste(each.image().resize((width, height), Image.Resampling.BOX), (0, number * height))
    strip = strip.quantize(64, dither=Image.Dither.NONE)
    frames = [strip.crop((0, start, width, start + height)) for start in range(0, strip.height, height)]
    durations = [round(1000 / fps)] * (len(frames) - 1) + [1500]
    repeats = {"loop": plays - 1} if plays > 1 else {}  # a GIF counts the repetitions; 0 would mean for ever
    data = io.BytesIO()
    frames[0].save(data, "GIF", save_all=True, append_images=frames[1:], duration=durations, **repeats)
    return Picture(data.getvalue(), alt, width, height, "image/gif", caption)


def film(
    frames,
    *,
    fps: float = 8,
    plays: int = 4,
    given: int = 0,
    alt: str | None = None,
    caption: str = "",
    **grid,
) -> Picture:
    """Clips (N, T, 1, H, W) with values in [0, 1] that play side by side, in a box with grey walls, as a GIF.

    The walls are dark in the first `given` frames, those from which a forecast begins.
    `grid` is what `image_grid` takes: `columns`, `titles`, `row_titles`, `scale`. It plays offline, `plays` times, and
    rests on its last frames. Raises ValueError on other shapes or values.
    """
    frames = _as_array(frames)
    if frames.ndim != 5:
        raise ValueError(
            f"Clips have the shape (N, T, 1, H, W), these have {frames.shape}: for one, clip[None]."
        )
    boxes = np.pad(frames, [(0, 0)] * 3 + [(1, 1)] * 2, constant_values=0.3)
    boxes[:, :given] = np.pad(frames[:, :given], [(0, 0)] * 3 + [(1, 1)] * 2, constant_values=0.9)
    pictures = [image_grid(images, **grid) for images in boxes.swapaxes(0, 1)]
    return animation(pictures, alt=alt, caption=caption, fps=fps, plays=plays)


class Stage:
    """A figure of which only the `moving` artists change: the rest is drawn once, and a picture takes milliseconds."""

    def __init__(self, figure: Figure, moving: Sequence[Artist]):
        self.moving = list(moving)
        figure.set_dpi(DPI)
        self.canvas = FigureCanvasAgg(figure)
        for artist in self.moving:
            artist.set_visible(False)
        self.canvas.draw()
        self.rest = self.canvas.copy_from_bbox(figure.bbox)
        for artist in self.moving:
            artist.set_visible(True)

    def picture(self, alt: str | None = None, colours: int = 256) -> Picture:
        """The figure as its artists stand now, in so many `colours`."""
        _check_description(alt)
        alt = described(self.canvas.figure) if alt is None else alt
        self.canvas.restore_region(self.rest)
        for artist in self.moving:
            artist.axes.draw_artist(artist)
        return encode(np.asarray(self.canvas.buffer_rgba())[..., :3], alt, colours=colours)


def show(picture: Picture, handle=None):
    """Display a picture now and return its handle; `show(next_picture, handle)` puts the next in its place."""
    if handle is None:
        return display(picture, display_id=True)
    handle.update(picture)
    return handle


def _is_grey(pixels: np.ndarray) -> bool:
    return bool((pixels == pixels[..., :1]).all())


def _check_description(alt: str) -> None:
    if alt is not None and (not isinstance(alt, str) or len(alt.strip()) < 20):
        raise ValueError(
            "A description is at least 20 characters for those who cannot see the picture, such as 'Sixteen generated"
            " digits, most of them readable.' Without alt it is made from what is drawn."
        )


def _draw(figure: Figure) -> np.ndarray:
    """The pixels (H, W, 3) of a figure."""
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


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
    if images.ndim != 4 or images.shape[1] != 1 or images.size == 0:
        raise ValueError(f"Images have shape (N, 1, H, W), these have {images.shape}: reshape them first.")
    if not np.isfinite(images).all():
        raise ValueError("The images hold NaN or infinity: look where the training left the finite numbers.")
    if images.min() < -0.001 or images.max() > 1.001:
        raise ValueError(
            f"The images go from {images.min():.2f} to {images.max():.2f}, and ink from 0 to 1: bring a tanh output"
            " there by (x + 1) / 2, and logits by a sigmoid."
        )
    return np.clip(images[:, 0], 0, 1)


def _text_width(text: str) -> int:
    """The drawn pixels that the longest line of a title takes."""
    widths = [
        np.ptp(TextPath((0, 0), line, size=9).vertices[:, 0]) for line in text.split("\n") if line.strip()
    ]
    return round(1.05 * max(widths, default=0) * DPI / 72)  # a little more, for letters drawn on whole pixels
