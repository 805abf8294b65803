"""The picture of the curves: accuracy upwards, variety or time to the right."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.quality.curve import ACCURACY, SIDES, Curve, Point

#: What an answer took, to the right of what a count brings.
TIME: Final = "milliseconds an answer"


def curve_picture(title: str, found: Sequence[Curve]) -> bytes:
    """PNG: a row for each metric; shares against each kind of diversity, counts against time.

    The bars upon a curve against time are the 95 % intervals; each point is named by its value.
    """
    figure = Figure(figsize=(13.0, 7.2), dpi=100, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    panels = figure.subplots(len(ACCURACY), len(SIDES) + 1, squeeze=False)
    for metric, row in zip(ACCURACY, panels, strict=True):
        for axes, across in zip(row, (*SIDES, TIME), strict=True):
            for curve in found:
                if curve.counts == (across == TIME):
                    _drawn(axes, curve, metric, across)
            axes.set_xlabel(across.replace("_", " "), fontsize=8.5)
            axes.set_ylabel(metric, fontsize=8.5)
            axes.tick_params(labelsize=8)
            if axes.lines:
                axes.legend(fontsize=7)
            else:
                axes.set_visible(False)
    FigureCanvasAgg(figure)
    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    return drawn.getvalue()


def _drawn(axes: Axes, curve: Curve, metric: str, across: str) -> None:
    at = np.array([_place(point, across) for point in curve.points])
    up = np.array([point.accuracy[metric].mean for point in curve.points])
    if np.isnan(at).all():
        return  # of a shop without categories their variety is not known
    label = f"{curve.knob}, {curve.question}"
    if curve.counts:
        low = np.array([point.accuracy[metric].low for point in curve.points])
        high = np.array([point.accuracy[metric].high for point in curve.points])
        axes.errorbar(at, up, (up - low, high - up), marker="o", markersize=3, capsize=2, label=label)
    else:
        axes.plot(at, up, marker="o", markersize=3, label=label)
    for point, here, height in zip(curve.points, at.tolist(), up.tolist(), strict=True):
        if not np.isnan(here):
            axes.annotate(f"{point.value:g}", (here, height), fontsize=6.5)


def _place(point: Point, across: str) -> float:
    return point.answer_ms if across == TIME else point.diversity[across]
