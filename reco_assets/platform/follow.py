"""Additive tables kept up to date: what new upstream rows add is appended as rows of its own.

The meaning of such a table is the sum of its rows by key, so a new row for a key that is there
already is no contradiction. A day that is made as a whole has one row of each key again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import cast

import ibis.expr.types as ir
import polars as pl
from deltalake import DeltaTable

from reco_assets.platform.engine import Engine, Written
from reco_assets.platform.increments import (
    Advanced,
    Progress,
    changes,
    first_look,
    not_taken_in,
    read_appended,
    runs,
    taken_in,
    until_alone,
)
from reco_assets.platform.lake import PARTITIONS, Lake


def follow(
    engine: Engine,
    name: str,
    upstream: str,
    columns: Sequence[str] | None,
    make: Callable[[ir.Table], ir.Table],
    rebuild: Callable[[Engine, date, date], Written],
) -> Advanced:
    """Bring additive table ``name`` up to the newest ``upstream``; doing it again changes nothing.

    Parameters
    ----------
    columns
        Columns of ``upstream`` that ``make`` reads; None for all.
    make
        Rows of ``name`` out of rows of ``upstream``, any part of them.
    rebuild
        Makes a range of days of ``name`` anew.
    """

    def attempt() -> Advanced:
        lake = engine.lake
        progress = Progress.open(lake, name, upstream)
        above = lake.open(upstream)
        upto, after, stale = above.version(), progress.upto, set[date]()
        if after is None:
            stale, after = first_look(progress, days_of(lake, upstream, upto), upto)
        found = changes(lake, upstream, after, upto)
        if found.gone:
            stale |= set(days_of(lake, upstream, upto))
        stale |= {
            day for day, version in found.rewritten.items() if day is not None and version > progress.of(day)
        }
        if found.nothing and not stale and progress.upto is not None:
            return Advanced(name, upto)
        for first, last in runs(stale):
            rebuild(engine, first, last)
        if stale:
            progress = Progress.open(lake, name, upstream)
        files = [file for file in found.appended if file.day not in stale]
        rows = read_appended(lake, upstream, files, columns, above)
        new = not_taken_in(rows, progress, PARTITIONS[upstream])
        made = engine.to_arrow(make(engine.arrow(new.to_arrow())))
        days = cast("list[date]", pl.Series(made[PARTITIONS[name]]).unique().to_list())
        lake.append(name, made, taken_in(upstream, upto, days), progress.table)
        return Advanced(name, upto, new.height, len(files), made.num_rows, tuple(sorted(stale)))

    return until_alone(attempt)


def days_of(lake: Lake, name: str, version: int) -> list[date]:
    """Partition days of ``name`` that have files."""
    return list(rows_by_day(lake.open(name, version), PARTITIONS[name]))


def rows_by_day(table: DeltaTable, column: str) -> dict[date, int]:
    """Rows of each partition day that has files, by the log alone; ``column`` is the partition's."""
    actions = pl.DataFrame(table.get_add_actions(flatten=True))
    if f"partition.{column}" not in actions.columns:
        return {}
    day = pl.col(f"partition.{column}").cast(pl.Date)
    counted = actions.group_by(day.alias("day")).agg(pl.col("num_records").sum())
    return dict(counted.iter_rows())
