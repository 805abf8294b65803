"""Small pictures for asset pages: pure functions from columns to a PNG in a Markdown image."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from io import BytesIO
from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from PIL import Image

#: Width of every picture, pixels; an asset page shows it unscaled.
WIDTH: Final = 700
_DPI: Final = 100
#: A picture of fewer days leaves room at its sides, so that a bar looks like a day.
_FEWEST_DAYS: Final = 7
_INK, _MUTED, _GRID = "#24292f", "#6e7781", "#e6e9ed"
_MAIN, _OTHER = "#3b6fd4", "#b9c4d6"

Values = npt.NDArray[np.float64] | npt.NDArray[np.float32] | Sequence[float]


def daily_bars(title: str, days: Sequence[date], counts: Sequence[int]) -> bytes:
    """PNG of one bar a day; days that are missing stay empty, so a gap is seen."""
    figure, axes = _canvas(title, rows=9)
    at = np.asarray(days, dtype="datetime64[D]").astype(np.int64)  # days since 1970, as matplotlib counts
    axes.bar(at, np.asarray(counts), width=0.85, color=_MAIN)
    if at.size:
        spare = max(0.0, (_FEWEST_DAYS - (at.max() - at.min() + 1)) / 2)
        axes.set_xlim(at.min() - 0.6 - spare, at.max() + 0.6 + spare)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(_day))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(_short))
    axes.grid(axis="y", color=_GRID)
    axes.set_ylim(bottom=0)
    return _png(figure)


def histograms(title: str, columns: Mapping[str, Values], bins: int = 30) -> bytes:
    """PNG of one small histogram a column, three in a row.

    Shown between the 0.5th and the 99.5th percentile, so that one odd value does not flatten the
    rest; the caption says how much is unknown (NaN). Counts are on a square-root scale.
    """
    across = min(3, max(1, len(columns)))
    down = max(1, -(-len(columns) // across))
    figure = Figure(figsize=(WIDTH / _DPI, 0.45 + 1.75 * down), dpi=_DPI, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold", color=_INK)
    grid = figure.subplots(down, across, squeeze=False)
    for axes in grid.flat[len(columns) :]:
        axes.set_visible(False)
    for axes, (name, column) in zip(grid.flat, columns.items(), strict=False):
        _style(axes)
        _histogram(axes, name, np.asarray(column, dtype=np.float64), bins)
    return _png(figure)


def metric_bars(title: str, metrics: Mapping[str, Mapping[str, float]], best: str = "") -> bytes:
    """PNG that compares recommenders: one panel a metric, one bar a recommender.

    Parameters
    ----------
    metrics
        Metric name to recommender name to value.
    best
        The recommender to stand out; the highest of each metric where it is empty.
    """
    tallest = max((len(values) for values in metrics.values()), default=1)
    figure = Figure(figsize=(WIDTH / _DPI, 0.75 + 0.27 * max(tallest, 2)), dpi=_DPI, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold", color=_INK)
    panels = figure.subplots(1, max(1, len(metrics)), squeeze=False, sharey=True)
    names = list(dict.fromkeys(name for values in metrics.values() for name in values))
    for axes, (metric, values) in zip(panels.flat, metrics.items(), strict=False):
        _style(axes)
        _ranked_bars(axes, {name: values.get(name, 0.0) for name in names}, best, decimals=4)
        axes.set_title(metric, fontsize=9.5, color=_INK, loc="left")
    return _png(figure)


def interval_bars(title: str, intervals: Mapping[str, tuple[float, float, float]]) -> bytes:
    """PNG of one line an interval ``(value, low, high)`` round a line at 0; not finite ones are left out.

    What lies apart from 0 stands out.
    """
    shown = {name: one for name, one in intervals.items() if np.all(np.isfinite(one))}
    figure, axes = _canvas(title, rows=max(3, 2 * len(shown)))
    _intervals(axes, shown)
    for place, (value, _low, _high) in enumerate(shown.values()):
        axes.annotate(f"{value:+.1f}", (value, place), (0, 6), textcoords="offset points", fontsize=8.5)
    axes.set_yticks(range(len(shown)), list(shown))
    axes.invert_yaxis()
    axes.margins(y=0.25)
    if not shown:
        axes.text(0.5, 0.5, "too few users yet", ha="center", color=_MUTED, transform=axes.transAxes)
    return _png(figure)


def interval_panels(title: str, panels: Mapping[str, Mapping[str, tuple[float, float, float]]]) -> bytes:
    """PNG of one panel a metric, two in a row, each with a line an interval ``(value, low, high)`` round 0.

    What lies apart from 0 stands out; not finite ones are left out. All panels have the same names.
    """
    down = max(1, -(-len(panels) // 2))
    names = len(next(iter(panels.values()), {}))
    height = 0.5 + down * (0.5 + 0.2 * max(names, 2))
    figure = Figure(figsize=(WIDTH / _DPI, height), dpi=_DPI, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold", color=_INK)
    grid = figure.subplots(down, min(2, max(1, len(panels))), squeeze=False, sharey=True)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes, (metric, intervals) in zip(grid.flat, panels.items(), strict=False):
        _style(axes)
        _intervals(axes, intervals)
        axes.set_title(metric, fontsize=9.5, color=_INK, loc="left")
        axes.set_yticks(range(names), list(intervals))
        axes.tick_params(axis="y", labelcolor=_INK)
        axes.margins(y=0.04)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    if names:
        grid.flat[0].invert_yaxis()
    return _png(figure)


def _intervals(axes: Axes, intervals: Mapping[str, tuple[float, float, float]]) -> None:
    axes.axvline(0.0, color=_MUTED, linewidth=1)
    for place, (value, low, high) in enumerate(intervals.values()):
        if not np.all(np.isfinite((value, low, high))):
            continue
        colour = _MAIN if low > 0 or high < 0 else _OTHER
        axes.plot([low, high], [place, place], color=colour, linewidth=4, solid_capstyle="round")
        axes.plot([value], [place], "o", color=_INK, markersize=4)


def importance_bars(title: str, importance: Mapping[str, float], top: int = 20) -> bytes:
    """PNG of the ``top`` features by their share of the ranker's total gain, per cent."""
    total = sum(importance.values()) or 1.0
    shares = {name: 100.0 * gain / total for name, gain in importance.items()}
    shown = dict(sorted(shares.items(), key=lambda pair: (-pair[1], pair[0]))[:top])
    figure, axes = _canvas(f"{title} (share of gain, %)", rows=max(3, len(shown)))
    _ranked_bars(axes, shown, best="", decimals=1)
    return _png(figure)


def markdown_image(png: bytes, alt: str) -> str:
    """Markdown that shows ``png`` in place, with nothing to fetch."""
    return f"![{alt}](data:image/png;base64,{base64.b64encode(png).decode('ascii')})"


def _canvas(title: str, rows: int) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH / _DPI, 0.8 + 0.21 * rows), dpi=_DPI, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold", color=_INK)
    axes = figure.subplots()
    _style(axes)
    return figure, axes


def _style(axes: Axes) -> None:
    axes.set_axisbelow(True)
    axes.tick_params(colors=_MUTED, labelsize=8.5, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_GRID)


def _histogram(axes: Axes, name: str, values: npt.NDArray[np.float64], bins: int) -> None:
    known = values[np.isfinite(values)]
    unknown = 1.0 - known.size / values.size if values.size else 0.0
    note = f"  ({unknown:.1%} unknown)" if unknown else ""
    axes.set_title(name + note, fontsize=9.5, color=_INK, loc="left")
    axes.set_yticks([])
    if known.size == 0:
        axes.set_xticks([])
        axes.text(0.5, 0.5, "no values", ha="center", va="center", color=_MUTED, transform=axes.transAxes)
        return
    low, high = np.percentile(known, [0.5, 99.5])
    if low == high and low != np.floor(low):
        low, high = low - 0.5, high + 0.5
    if high - low < bins and np.all(known == np.floor(known)):
        low, high = np.floor(low) - 0.5, np.ceil(high) + 0.5  # few whole numbers: a bar each
        bins = round(high - low)
    heights, edges = np.histogram(known, bins=bins, range=(low, high))
    axes.stairs(np.sqrt(heights), edges, fill=True, color=_MAIN)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=bool(high - low > 3)))
    axes.xaxis.set_major_formatter(FuncFormatter(_short))


def _ranked_bars(axes: Axes, values: Mapping[str, float], best: str, decimals: int) -> None:
    names = list(values)
    widths = np.asarray([values[name] for name in names], dtype=np.float64)
    chosen = best or (names[int(np.argmax(widths))] if names else "")
    bars = axes.barh(
        names, widths, color=[_MAIN if name == chosen else _OTHER for name in names], height=0.72
    )
    axes.bar_label(bars, fmt=f"%.{decimals}f", padding=3, fontsize=8.5, color=_INK)
    axes.set_xlim(0, max(float(widths.max(initial=0.0)), 1e-12) * 1.22)
    axes.set_xticks([])
    axes.margins(y=0.01)
    if not axes.yaxis_inverted():  # panels that share an axis turn it only once
        axes.invert_yaxis()
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="y", labelcolor=_INK)


def _day(value: float, _position: int) -> str:
    day = date(1970, 1, 1) + timedelta(days=round(value))
    return f"{day:%b} {day.day}\n{day.year}"


def _short(value: float, _position: int) -> str:
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{suffix}"
    return f"{value:g}"


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    drawn, small = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png", dpi=_DPI)
    # A few flat colours: a palette makes the picture a third of the size in Dagster's event log.
    Image.open(drawn).convert("RGB").quantize(48).save(small, "png")
    return small.getvalue()
