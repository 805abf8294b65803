"""Values as of any moment: running sums over signed changes, one definition for every caller.

A tile counts from the end of its window; at the following midnight its day's rollup takes over from
it, and that counts until it leaves the horizon. Written as changes (+x when something enters, -x
when it leaves), the value at a moment is the sum of all changes up to it. No row meets each of its
thirty successors in a join, so the cost grows with the rows and not with rows times horizon; and the
daily tables, training rows and micro-batches differ only in the moments they ask for.

``at`` is the moment, in microseconds, as the watermark sees it: ``as_of`` minus the watermark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import ibis
import ibis.expr.types as ir

from reco_assets.features.catalogue import HORIZON_DAYS
from reco_assets.features.windows import DAY_US, WATERMARK_US, WINDOW_US
from reco_assets.platform.engine import day_number, micros, moment

Sums = Mapping[str, ir.Value]

HORIZON_US: Final = HORIZON_DAYS * DAY_US


def midnight_after(event_date: ir.Value) -> ir.IntegerValue:
    """The end of a day, microseconds."""
    end: ir.IntegerValue = (day_number(event_date).cast("int64") + 1) * DAY_US
    return end


def entering(days: ir.Table, key: Sequence[str], sums: Sums, times: Sequence[str] = ()) -> ir.Table:
    """Changes by the rows of a daily rollup when their day is over.

    ``times`` are columns of event times that :func:`as_of` may take minima and maxima of.
    """
    return _changes(days, key, midnight_after(days.event_date), sums, {name: days[name] for name in times})


def leaving(days: ir.Table, key: Sequence[str], sums: Sums, after_days: int = HORIZON_DAYS) -> ir.Table:
    """Changes by the rows of a daily rollup ``after_days`` days after they have entered."""
    return _changes(days, key, midnight_after(days.event_date) + after_days * DAY_US, _negated(sums), {})


def passing(
    windows: ir.Table, key: Sequence[str], sums: Sums, times: Sequence[str] = ()
) -> tuple[ir.Table, ir.Table]:
    """Changes by tiles: in when their window is closed, out when the day's rollup takes over."""
    closed = micros(windows.window_start) + WINDOW_US
    over = midnight_after(windows.event_date)
    return (
        _changes(windows, key, closed, sums, {name: windows[name] for name in times}),
        _changes(windows, key, over, _negated(sums), {}),
    )


def moments(points: ir.Table, key: str) -> ir.Table:
    """``key, at`` of each distinct point ``(key, as_of)``."""
    return points.select(points[key], at=micros(points.as_of) - WATERMARK_US).distinct()


def as_of(
    points: ir.Table,
    key: str,
    changes: Sequence[ir.Table],
    sums: Sequence[str],
    first: str | None = None,
    latest: Sequence[str] = (),
) -> ir.Table:
    """``sums`` of ``changes`` at each of ``points`` (``key, at``).

    Parameters
    ----------
    first
        A column of microseconds; the smallest within the horizon is kept.
    latest
        Columns of microseconds; the largest ever is kept.
    """
    times = [*([first] if first else []), *latest]
    asked = points.select(
        key,
        "at",
        **{name: _nothing(0) for name in sums},
        **{name: _nothing(None) for name in times},
        asked=ibis.literal(1).cast("int64"),
    )
    rows = [asked]
    for change in seen_by(points, changes):
        lacking = {name: _nothing(0) for name in sums if name not in change.columns}
        lacking |= {name: _nothing(None) for name in times if name not in change.columns}
        rows.append(change.mutate(**lacking, asked=_nothing(0)).select(*asked.columns))
    steps = ibis.union(*rows)
    steps = steps.group_by(key, "at").agg(
        **{name: steps[name].sum() for name in sums},
        **{name: steps[name].min() if name == first else steps[name].max() for name in times},
        asked=steps.asked.max(),
    )
    so_far = ibis.window(group_by=steps[key], order_by=steps["at"], preceding=None, following=0)
    values: dict[str, ir.Value] = {name: steps[name].sum().over(so_far) for name in sums}
    values |= {name: steps[name].max().over(so_far) for name in latest}
    if first:
        horizon = ibis.range_window(
            group_by=steps[key], order_by=steps["at"], preceding=HORIZON_US - 1, following=0
        )
        values[first] = steps[first].min().over(horizon)
    running = steps.select(key, "at", "asked", **values)
    return running.filter(running.asked == 1).drop("asked")


def seen_by(points: ir.Table, changes: Sequence[ir.Table]) -> list[ir.Table]:
    """``changes`` up to the last of ``points``: most rows of the last horizon leave after it."""
    last = points["at"].max().as_scalar()
    return [change.filter(change["at"] <= last) for change in changes]


def asked_time(at: ir.Value) -> ir.TimestampValue:
    """The ``as_of`` of a moment."""
    time: ir.TimestampValue = moment(at + WATERMARK_US)
    return time


def _changes(
    rows: ir.Table, key: Sequence[str], at: ir.Value, sums: Sums, times: Mapping[str, ir.Value]
) -> ir.Table:
    return rows.select(*key, at=at, **sums, **{name: micros(time) for name, time in times.items()})


def _negated(sums: Sums) -> dict[str, ir.Value]:
    return {name: -value for name, value in sums.items()}


def _nothing(value: int | None) -> ir.Scalar:
    return ibis.literal(value, type="int64")
