"""What a figure shows, in words made from what is drawn: kind, axes, series, range and trend."""

import re
from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.container import BarContainer
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.quiver import Quiver

MOST = 8  # series, bars or titles that are told one by one


def described(figure: Figure) -> str:
    """The alternative text of a matplotlib figure, panel by panel.

    Read are titles, labels and limits of the axes, lines, points, bars, levels, pictures and arrows. What is drawn by
    hand on a figure, such as text, is not in it.
    """
    panels = [axes for axes in figure.axes if axes.get_visible() and axes.get_label() != "<colorbar>"]
    texts = [_panel(axes) for axes in panels]
    if len(texts) == 1:
        return texts[0]
    told = [f"Panel {number}: {text}" for number, text in enumerate(texts[:MOST], 1)]
    return " ".join([f"{len(texts)} panels.", *told, *(["And more."] if len(texts) > MOST else [])])


def described_images(images: np.ndarray, columns: int, titles=(), row_titles=()) -> str:
    """The alternative text of grey images (N, H, W) in a grid."""
    count, height, width = images.shape
    headline, titles = (f"{_plain(titles)}: ", ()) if isinstance(titles, str) and titles else ("", titles)
    text = f"{headline}{count} grey image{'s' * (count > 1)} of {height} × {width} pixels"
    text += f" in {-(-count // columns)} rows of {columns}" if count > columns else ""
    text += f", {_number(100 * float(images.mean()))} % ink."
    if isinstance(titles, str):
        text, titles = (f"{_plain(titles)}: {text}" if titles else text), ()
    for what, names in (("Columns", titles), ("Rows", row_titles)):
        names = [_plain(name) for name in names if str(name).strip()]
        if names:
            text += f" {what}: {_listed(names)}."
    return text


def _panel(axes: Axes) -> str:
    parts = [f"{_plain(axes.get_title(loc='left') or axes.get_title())}:"] if _titled(axes) else []
    series = list(_series(axes))
    parts += series[:MOST] + ([f"And {len(series) - MOST} more."] if len(series) > MOST else [])
    parts += [text for text in (_axis(axes, "x"), _axis(axes, "y")) if text]
    return " ".join(parts) or "An empty panel."


def _titled(axes: Axes) -> bool:
    return bool((axes.get_title(loc="left") or axes.get_title()).strip())


def _axis(axes: Axes, which: str) -> str:
    label, (low, high) = getattr(axes, f"get_{which}label")(), getattr(axes, f"get_{which}lim")()
    axis = getattr(axes, f"{which}axis")
    if not axis.get_visible() or not (label or len(axis.get_ticklocs())):
        return ""
    what = f", {_plain(label)}," if label else ""
    names = [_plain(text.get_text()) for text in axis.get_ticklabels() if text.get_text().strip()]
    if any(re.search(r"[^\W\d_]", name) for name in names) and axis.get_scale() == "linear":
        return f"The {which} axis{what} has {_listed(names, 12)}."
    scale = ", logarithmic" if axis.get_scale() == "log" else ""
    return f"The {which} axis{what} runs from {_number(low)} to {_number(high)}{scale}."


def _series(axes: Axes) -> Iterator[str]:
    for container in axes.containers:
        if isinstance(container, BarContainer):
            yield _bars(axes, container)
    for line in axes.lines:
        if line.get_visible() and (text := _line(line)):
            yield text
    for drawn in axes.collections:
        if isinstance(drawn, QuadContourSet):
            levels = [float(level) for level in drawn.levels]
            yield f"Filled levels from {_number(levels[0])} to {_number(levels[-1])}, {_top(drawn)}."
        elif isinstance(drawn, PathCollection) and len(drawn.get_offsets()):
            yield _points(_named(drawn.get_label(), "Points"), *np.asarray(drawn.get_offsets(), float).T)
        elif isinstance(drawn, Quiver):
            yield f"{len(drawn.U)} arrows."
    for image in axes.images:
        values = np.ma.masked_invalid(np.asarray(image.get_array(), float)).compressed()
        if values.size:
            size = " × ".join(map(str, np.shape(image.get_array())[:2]))
            yield f"A picture of {size} values from {_number(values.min())} to {_number(values.max())}."


def _bars(axes: Axes, container: BarContainer) -> str:
    heights = [bar.get_height() for bar in container]
    ticks = [label.get_text() for label in axes.get_xticklabels()]
    names = ticks if len(ticks) == len(heights) and all(ticks) else [str(n) for n in range(len(heights))]
    label = _named(container.get_label(), "Bars")
    if len(heights) <= 12:
        return f"{label}: {_listed([f'{_plain(n)} {_number(h)}' for n, h in zip(names, heights, strict=True)], 12)}."
    highest = int(np.argmax(heights))
    span = f"from {_number(min(heights))} to {_number(max(heights))}"
    return f"{label}: {len(heights)} {span}, the highest at {_plain(names[highest])}."


def _line(line: Line2D) -> str:
    x, y = (np.asarray(values, float) for values in line.get_data())
    x, y = _finite(x, y)
    x, y = _as_seen(x, line.axes.get_xscale()), _as_seen(y, line.axes.get_yscale())
    named = bool(line.get_label()) and not line.get_label().startswith("_")
    if not len(x) or (len(x) < 3 and not named):
        return ""
    label = _named(line.get_label(), "A line" if line.get_linestyle() != "None" else "Points")
    if len(x) == 1:
        return f"{label}: a point at ({_number(x[0])}, {_number(y[0])})."
    if line.get_linestyle() == "None":
        return _points(label, x, y)
    if len(x) == 2 and np.ptp(y) == 0:
        return f"{label}: level at {_number(y[0])}."
    if np.ptp(x) == 0:
        return f"{label}: upright at {_number(x[0])}."
    if not (np.diff(x) >= 0).all():
        ends = f"({_number(x[0])}, {_number(y[0])}) to ({_number(x[-1])}, {_number(y[-1])})"
        return f"{label}: a curve from {ends}."
    return f"{label} {_trend(x, y)}."


def _trend(x: np.ndarray, y: np.ndarray) -> str:
    """How a function of x goes: its ends, and a top or a bottom between them that is higher or lower than both."""
    first, last, low, high = y[0], y[-1], y.min(), y.max()
    size = high - low
    if size <= 1e-3 * max(abs(high), abs(low)) or size == 0:
        return f"stays at {_number(first)}"
    top = high - max(first, last) > 0.15 * size
    bottom = min(first, last) - low > 0.15 * size
    ends = f"goes from {_number(first)} to {_number(last)}"
    turns = [f"a top of {_number(high)} at {_number(x[y.argmax()])}"] if top else []
    turns += [f"a bottom of {_number(low)} at {_number(x[y.argmin()])}"] if bottom else []
    if turns:
        return f"{ends} with {' and '.join(turns)}"
    word = "rises" if last > first else "falls"
    return f"{word} from {_number(first)} to {_number(last)}"


def _points(label: str, x: np.ndarray, y: np.ndarray) -> str:
    x, y = _finite(x, y)
    if not len(x):
        return f"{label}: none."
    if len(x) <= 4:
        return f"{label} at {_listed([f'({_number(a)}, {_number(b)})' for a, b in zip(x, y, strict=True)])}."
    spread = (
        f"from {_number(x.min())} to {_number(x.max())} across, {_number(y.min())} to {_number(y.max())} up"
    )
    return f"{label}: {len(x)} around ({_number(np.median(x))}, {_number(np.median(y))}), {spread}."


def _finite(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    kept = np.isfinite(x) & np.isfinite(y)
    return x[kept], y[kept]


def _as_seen(values: np.ndarray, scale: str) -> np.ndarray:
    """Less than a ten-thousandth of the range is 0 to the eye, but not on a logarithmic axis."""
    if scale != "linear" or not len(values):
        return values
    return np.where(np.abs(values) < 1e-4 * np.ptp(values), 0.0, values)


def _top(drawn: QuadContourSet) -> str:
    """Where the highest level that was drawn lies."""
    paths = [path.vertices for path in drawn.get_paths() if len(path.vertices)]
    x, y = np.median(paths[-1], axis=0) if paths else (np.nan, np.nan)
    return f"the highest around ({_number(x)}, {_number(y)})"


def _named(label: object, otherwise: str) -> str:
    label = "" if label is None or str(label).startswith("_") else _plain(str(label))
    return label or otherwise


def _listed(texts: list[str], most: int = MOST) -> str:
    more = [f"and {len(texts) - most} more"] if len(texts) > most else []
    return ", ".join([*texts[:most], *more])


def _number(value: float) -> str:
    """Three significant digits, with a minus sign as in the formulas."""
    return f"{float(value) + 0.0:.3g}".replace("-", "−")


WORDS = {
    r"\log": "log ", r"\theta": "θ", r"\sigma": "σ", r"\mu": "μ", r"\beta": "β", r"\lambda": "λ", r"\varepsilon": "ε",
    r"\mid": "|", r"\|": "‖", r"\cdot": "·", r"\mathrm": "", r"\text": "", r"\hat": "", r"\tau": "τ", r"\psi": "ψ",
}  # fmt: skip


def _plain(text: str) -> str:
    """A label without the marks of TeX and without line breaks."""
    text = str(text)
    if "$" in text:
        for mark, word in WORDS.items():
            text = text.replace(mark, word)
        text = text.translate(str.maketrans("", "", "${}_\\"))
    return " ".join(text.split())
