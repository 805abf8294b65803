"""Tiles, rollups and features kept up to date: what new interactions change, and nothing else."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from typing import cast

import polars as pl

from reco_assets.features import windows
from reco_assets.features.history import History
from reco_assets.features.pipeline import (
    BUILDS,
    FEATURES,
    HORIZON,
    INTERACTIONS,
    ROLLUPS,
    TILES,
    Touched,
    midnights,
)
from reco_assets.platform.engine import Engine
from reco_assets.platform.follow import follow, rows_by_day
from reco_assets.platform.increments import (
    Advanced,
    Progress,
    changes,
    read_appended,
    runs,
    taken_in,
    until_alone,
)
from reco_assets.platform.lake import PARTITIONS

_DAY = timedelta(days=1)


def advance_windows(engine: Engine) -> list[Advanced]:
    """Bring every table of tiles, then every daily rollup up to date; doing it again changes nothing."""
    tiles = [
        follow(engine, name, INTERACTIONS, windows.INPUT, make, BUILDS[name]) for name, make in TILES.items()
    ]
    rollups = [
        follow(engine, name, source, None, partial(windows.days, key=key), BUILDS[name])
        for name, (source, key) in ROLLUPS.items()
    ]
    return tiles + rollups


def advance_features(engine: Engine, history: History) -> list[Advanced]:
    """Bring the features at day ends up to date; the rollups must be. Doing it again changes nothing."""
    return [until_alone(partial(_advance, engine, name, history)) for name in FEATURES]


def _advance(engine: Engine, name: str, history: History) -> Advanced:
    """New rows, of a higher revision, for whom new rollups touch; whole days where days are new or redone.

    A day's rows tell what changed at its end, so a day that begins is made as a whole once: some change
    because a day of theirs has left the horizon. A day's rollup counts at its end and thirty days on.
    """
    lake, table = engine.lake, FEATURES[name]
    progress = Progress.open(lake, name, table.upstream)
    above = lake.open(table.upstream)
    upto, present = above.version(), rows_by_day(above, PARTITIONS[table.upstream])
    if not present:
        return Advanced(name, upto)
    last = max(present)
    counted = {day + number * _DAY for day in present for number in range(HORIZON.days + 1)}
    made = {day: progress.made(day) for day in counted if day <= last}
    stale = {day for day, version in made.items() if version is None}
    after = progress.upto
    if after is None:
        after = min((version for version in made.values() if version is not None), default=upto)
    found = changes(lake, table.upstream, after, upto)
    if found.gone:
        stale = set(made)
    for day, version in found.rewritten.items():
        if day is not None:
            later = (day + number * _DAY for number in range(HORIZON.days + 1))
            stale |= {one for one in later if one <= last and (made.get(one) or -1) < version}
    if found.nothing and not stale and progress.upto is not None:
        return Advanced(name, upto)
    for begin, end in runs(stale):
        BUILDS[name](engine, begin, end)
    if stale:
        progress = Progress.open(lake, name, table.upstream)
    new = read_appended(lake, table.upstream, found.appended, (table.key, "event_date"), above)
    touched = _touched(new, table.key, last)
    first = cast("date", new["event_date"].min() or last)
    asked = Touched(engine.arrow(touched.to_arrow()), touched[table.key], history)
    rows = table.rows(engine, first, last, upto, asked)
    frame = pl.DataFrame(engine.to_arrow(rows)).filter(~pl.col("as_of").is_in(sorted(stale)))
    frame = frame.with_columns(revision=pl.lit(upto + 1, dtype=pl.Int64))
    days = frame["as_of"].unique().to_list()
    lake.append(name, frame.to_arrow(), taken_in(table.upstream, upto, days), progress.table)
    return Advanced(name, upto, new.height, len(found.appended), frame.height, tuple(sorted(stale)))


def _touched(new: pl.DataFrame, key: str, last: date) -> pl.DataFrame:
    """``key, since, until``: the moments, microseconds, between which rollups ``new`` change values."""
    _, end = midnights(last, last)
    day = windows.DAY_US
    at = pl.col("event_date").cast(pl.Int64) * day
    return (
        new.group_by(key)
        .agg(since=at.min(), until=at.max() + (HORIZON.days + 1) * day)
        .with_columns(pl.col("until").clip(upper_bound=end))
    )
