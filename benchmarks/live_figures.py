"""What an A/B test says: rates of each arm, the relative gain, and how sure of it one may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.live_days import ARMS, Tally

Doubles = npt.NDArray[np.float64]

#: Draws of the bootstrap, and its level.
DRAWS: Final = 2_000
LEVEL: Final = 0.95
#: Each rate as what is counted over what it is counted by.
RATES: Final[Mapping[str, tuple[str, str]]] = {
    "clicks_per_impression": ("clicks", "impressions"),
    "purchases_per_visitor": ("purchases", "visitors"),
    "revenue_per_visitor": ("revenue", "visitors"),
}


@dataclass(frozen=True)
class Estimate:
    """A value and the ends of its interval."""

    value: float
    low: float
    high: float

    def told(self) -> dict[str, float]:
        """With as many digits as are worth telling."""
        return {name: round(getattr(self, name), 5) for name in ("value", "low", "high")}


def judged(tallies: Sequence[Tally], seed: int = 7) -> dict[str, dict[str, Estimate]]:
    """For each rate: an estimate for each arm, and ``gain``, that of ``full`` over ``popularity`` less 1.

    Intervals are percentiles of a bootstrap over shoppers, drawn within each arm: all that one shopper
    did is drawn together.
    """
    dice = np.random.default_rng(seed)
    drawn: dict[str, Doubles] = {}
    plain: dict[str, Doubles] = {}
    columns = ("clicks", "impressions", "purchases", "revenue", "visitors")
    for arm in ARMS:
        people = [tally for tally in tallies if tally.arm == arm]
        table = np.array(
            [[one.clicks, one.impressions, one.purchases, one.revenue, 1.0] for one in people], np.float64
        ).reshape(len(people), len(columns))
        plain[arm] = table.sum(axis=0)
        times = dice.multinomial(len(people), np.full(len(people), 1 / max(1, len(people))), DRAWS)
        drawn[arm] = times.astype(np.float64) @ table
    found: dict[str, dict[str, Estimate]] = {}
    for rate, (over, by) in RATES.items():
        top, bottom = columns.index(over), columns.index(by)
        values = {arm: plain[arm][top] / max(1.0, plain[arm][bottom]) for arm in ARMS}
        draws = {arm: drawn[arm][:, top] / np.maximum(1.0, drawn[arm][:, bottom]) for arm in ARMS}
        found[rate] = {arm: _estimate(float(values[arm]), draws[arm]) for arm in ARMS}
        base, full = values[ARMS[0]], values[ARMS[1]]
        # a draw in which nobody of the other arm did anything has no relative gain
        some = draws[ARMS[0]] > 0
        gains = draws[ARMS[1]][some] / draws[ARMS[0]][some] - 1
        found[rate]["gain"] = _estimate(float(full / base - 1) if base else float("nan"), gains)
    return found


def _estimate(value: float, draws: Doubles) -> Estimate:
    if not len(draws):
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(low), float(high))


def picture(found: Mapping[str, Mapping[str, Mapping[str, Estimate]]]) -> bytes:
    """PNG: a panel a rate, a line a seed and one for all together, both arms with their intervals.

    Parameters
    ----------
    found
        What :func:`judged` found, by the name of the line.
    """
    figure = Figure(figsize=(9.5, 1.2 + 0.55 * len(found)), dpi=100, layout="constrained")
    figure.suptitle("Popularity against the full recommender, simulated shoppers", x=0.01, ha="left")
    for axes, rate in zip(figure.subplots(1, len(RATES), sharey=True), RATES, strict=True):
        for line, rates in enumerate(found.values()):
            for arm, colour, aside in zip(ARMS, ("#8a94a6", "#3b6fd4"), (0.14, -0.14), strict=True):
                one = rates[rate][arm]
                span = [[one.value - one.low], [one.high - one.value]]
                axes.errorbar(
                    one.value,
                    line + aside,
                    xerr=np.abs(span),
                    fmt="o",
                    color=colour,
                    capsize=2,
                    label=arm if line == 0 else None,
                )
            gain = rates[rate]["gain"]
            axes.annotate(
                f"{gain.value:+.0%}", (1.0, line), xycoords=("axes fraction", "data"), fontsize=8, va="center"
            )
        axes.set_yticks(range(len(found)), list(found))
        axes.set_title(rate.replace("_", " "), fontsize=9.5, loc="left")
        axes.set_xlim(left=0)
        axes.tick_params(labelsize=8)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.axes[0].invert_yaxis()
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=8, loc="outside upper right", ncols=len(ARMS), frameon=False)
    FigureCanvasAgg(figure)
    out = BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()
