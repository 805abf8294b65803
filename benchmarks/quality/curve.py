"""Accuracy against diversity: the same questions, asked with every value of a rule's knob."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from io import BytesIO
from typing import Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.quality.beyond import CATEGORIES, TASTES, Beyond
from benchmarks.quality.questions import SHOWN, Question
from benchmarks.quality.shop_judging import METRICS, scored
from benchmarks.report import Value
from reco_assets.errors import BadInput
from reco_assets.ranking.evaluation import recommended
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.types import Policy

#: The values of a knob; all of them are shares.
VALUES: Final = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.85, 1.0)
#: Questions asked for each of them.
MOST: Final = 500
_ACCURACY: Final = "ndcg@20"


@dataclass(frozen=True)
class Point:
    """One value of a knob, and what the answers were like."""

    value: float
    accuracy: float
    diversity: Mapping[str, float]


@dataclass(frozen=True)
class Curve:
    """What one knob does to the answers to one question."""

    question: str
    knob: str
    default: float
    points: Sequence[Point]

    def as_json(self) -> dict[str, Value]:
        """The points, with None for a diversity that nothing is known of."""
        return {
            "question": self.question,
            "knob": self.knob,
            "default": self.default,
            "points": [
                {
                    "value": point.value,
                    _ACCURACY: round(point.accuracy, 5),
                    **{
                        name: None if np.isnan(value) else round(value, 5)
                        for name, value in point.diversity.items()
                    },
                }
                for point in self.points
            ],
        }

    def table(self) -> str:
        """A line a value."""
        lines = [f"{self.knob} (default {self.default:g}), {self.question}: {_ACCURACY}, {', '.join(_SIDES)}"]
        for point in self.points:
            sides = "  ".join(f"{point.diversity[side]:.4f}" for side in _SIDES)
            lines.append(f"  {point.value:4.2f}  {point.accuracy:.4f}  {sides}")
        return "\n".join(lines)


_SIDES: Final = (CATEGORIES, TASTES)


def knobs(policy: Policy) -> dict[str, float]:
    """The settings of a policy that are numbers to turn, each with its value now."""
    values = {one.name: getattr(policy, one.name) for one in fields(policy)}
    return {name: value for name, value in values.items() if isinstance(value, float)}


def curves(
    question: str, asked: Sequence[Question], bundle: Bundle, policy: Policy, look: Beyond
) -> list[Curve]:
    """One curve for each knob of ``policy``; the other knobs stay where they are."""
    drawn = np.random.default_rng(7).permutation(len(asked))[:MOST]
    some = [asked[at] for at in np.sort(drawn)]
    found = []
    for knob, default in knobs(policy).items():
        points = []
        for value in sorted({*VALUES, default}):
            changed: Mapping[str, float] = {knob: value}
            try:
                turned = replace(policy, **changed)  # type: ignore[arg-type]
            except BadInput:
                continue  # a value that the policy itself refuses is no point of the curve
            points.append(_point(value, some, bundle, turned, look))
        found.append(Curve(question, knob, default, points))
    return found


def _point(value: float, asked: Sequence[Question], bundle: Bundle, policy: Policy, look: Beyond) -> Point:
    shown = np.full((len(asked), SHOWN), -1, np.int32)
    accuracy = []
    for row, one in enumerate(asked):
        found = recommended(one.request, one.state, bundle, policy, one.now)
        shown[row, : len(found)] = found
        accuracy.append(scored(found, one.wanted)[METRICS.index(_ACCURACY)])
    beyond = look.of_lists(shown)
    return Point(value, float(np.mean(accuracy)), {side: beyond[side] for side in _SIDES})


def curve_picture(title: str, found: Sequence[Curve]) -> bytes:
    """PNG: accuracy upwards, diversity to the right, a panel for each kind of diversity."""
    figure = Figure(figsize=(9.0, 3.6), dpi=100, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    for axes, side in zip(figure.subplots(1, len(_SIDES)), _SIDES, strict=True):
        for curve in found:
            across = [point.diversity[side] for point in curve.points]
            up = [point.accuracy for point in curve.points]
            axes.plot(across, up, marker="o", markersize=3, label=f"{curve.knob}, {curve.question}")
            for point in curve.points:
                if not np.isnan(point.diversity[side]):
                    axes.annotate(f"{point.value:g}", (point.diversity[side], point.accuracy), fontsize=6.5)
        axes.set_xlabel(side.replace("_", " "), fontsize=8.5)
        axes.set_ylabel(_ACCURACY, fontsize=8.5)
        axes.tick_params(labelsize=8)
        if found:
            axes.legend(fontsize=7)
    FigureCanvasAgg(figure)
    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    return drawn.getvalue()
