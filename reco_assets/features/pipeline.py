"""From silver interactions to gold features: what each asset does, for any range of days at once.

Every step reads the days that it needs and replaces the days that it was asked for, so a range gives
the same as its days one by one, and doing it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Final

import ibis
import ibis.expr.types as ir
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from reco_assets.features import products, users, windows
from reco_assets.features.catalogue import HORIZON_DAYS
from reco_assets.features.history import IN_LAKE, History
from reco_assets.platform.engine import Engine, Written, day, micros
from reco_assets.platform.increments import made_from, until_alone

_EPOCH: Final = date(1970, 1, 1)
HORIZON: Final = timedelta(days=HORIZON_DAYS)

INTERACTIONS: Final = "silver/interactions"
USER_DAYS: Final = "gold/user_days"
USER_CATEGORY_DAYS: Final = "gold/user_category_days"
PRODUCT_DAYS: Final = "gold/product_days"
USER_FEATURES: Final = "gold/user_features"
PRODUCT_FEATURES: Final = "gold/product_features"

#: What makes the tiles of each table out of interactions.
TILES: Final[dict[str, Callable[[ir.Table], ir.Table]]] = {
    "gold/user_windows": windows.user_windows,
    "gold/user_category_windows": windows.user_category_windows,
    "gold/product_windows": windows.product_windows,
}

#: What a row of each additive table is about; all other columns are values that add up.
KEYS: Final[dict[str, tuple[str, ...]]] = {
    "gold/user_windows": ("user_id", "window_start", "event_date"),
    "gold/user_category_windows": ("user_id", "window_start", "event_date", "category"),
    "gold/product_windows": ("product_id", "window_start", "event_date"),
    USER_DAYS: ("user_id", "event_date"),
    USER_CATEGORY_DAYS: ("user_id", "event_date", "category"),
    PRODUCT_DAYS: ("product_id", "event_date"),
}

#: Rollups by the table of tiles that they are made from, with the key beside the day.
ROLLUPS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "gold/user_days": ("gold/user_windows", ("user_id",)),
    "gold/user_category_days": ("gold/user_category_windows", ("user_id", "category")),
    "gold/product_days": ("gold/product_windows", ("product_id",)),
}


def build_windows(engine: Engine, first: date, last: date, *, name: str) -> Written:
    """Tiles ``name`` (one of ``TILES``) of the days ``first``..``last``."""

    def rows(version: int) -> ir.Table:
        days = (first, last)
        return TILES[name](
            engine.table(INTERACTIONS, event_dates=days, columns=windows.INPUT, version=version)
        )

    return _rebuilt(engine, name, INTERACTIONS, rows, first, last)


def build_days(engine: Engine, first: date, last: date, *, name: str) -> Written:
    """Daily rollup ``name`` (one of ``ROLLUPS``) of the days ``first``..``last``."""
    source, key = ROLLUPS[name]

    def rows(version: int) -> ir.Table:
        return windows.days(engine.table(source, event_dates=(first, last), version=version), key)

    return _rebuilt(engine, name, source, rows, first, last)


@dataclass(frozen=True)
class Touched:
    """Keys whose features are made again, and where their past is found.

    Attributes
    ----------
    table
        The key, ``since``, ``until``: the moments, microseconds, ``(since, until]`` that are asked for.
    ids
        The keys, distinct.
    """

    table: ir.Table
    ids: pl.Series
    history: History


def user_features(
    engine: Engine, first: date, last: date, version: int, touched: Touched | None = None
) -> ir.Table:
    """Rows of ``gold/user_features`` of the days ``first``..``last`` from ``version`` of the rollups.

    Only of the users ``touched``, who are looked up in the newest version; of everybody by default.
    """
    needed = (first - HORIZON, last)
    if touched is None:
        days = engine.table(USER_DAYS, event_dates=needed, version=version)
        tastes = engine.table(USER_CATEGORY_DAYS, event_dates=needed)
    else:
        days, tastes = (
            touched.history.rows(engine, name, touched.table, touched.ids, needed)
            for name in (USER_DAYS, USER_CATEGORY_DAYS)
        )
    points = users.changed_at_day_ends(days, *midnights(first, last))
    return dated(users.user_features(_within(points, touched, users.KEY), days, tastes))


def product_features(
    engine: Engine, first: date, last: date, version: int, touched: Touched | None = None
) -> ir.Table:
    """Rows of ``gold/product_features``; as :func:`user_features`."""
    needed = (first - HORIZON, last)
    attributes = engine.table("silver/products")
    if touched is None:
        days = engine.table(PRODUCT_DAYS, event_dates=needed, version=version)
    else:
        days = touched.history.rows(engine, PRODUCT_DAYS, touched.table, touched.ids, needed)
        attributes = _of(attributes, touched.table, products.KEY)
    points = products.changed_at_day_ends(days, attributes, *midnights(first, last))
    return dated(products.product_features(_within(points, touched, products.KEY), days, attributes))


@dataclass(frozen=True)
class FeatureTable:
    """A table of features at day ends: its key, the rollups that it follows, and what makes its rows."""

    key: str
    upstream: str
    rows: Callable[[Engine, date, date, int, Touched | None], ir.Table]


FEATURES: Final[dict[str, FeatureTable]] = {
    USER_FEATURES: FeatureTable(users.KEY, USER_DAYS, user_features),
    PRODUCT_FEATURES: FeatureTable(products.KEY, PRODUCT_DAYS, product_features),
}


def build_features(engine: Engine, first: date, last: date, *, name: str) -> Written:
    """Features ``name`` (one of ``FEATURES``) at the ends of the days ``first``..``last``."""
    table = FEATURES[name]
    return _rebuilt(
        engine,
        name,
        table.upstream,
        lambda version: table.rows(engine, first, last, version, None).mutate(
            revision=ibis.literal(0, type="int64")
        ),
        first,
        last,
    )


#: What makes a range of days of each table, in the order in which they follow from each other.
BUILDS: Final[dict[str, Callable[[Engine, date, date], Written]]] = {
    **{name: partial(build_windows, name=name) for name in TILES},
    **{name: partial(build_days, name=name) for name in ROLLUPS},
    **{name: partial(build_features, name=name) for name in FEATURES},
}


def point_in_time_user_features(engine: Engine, points: pa.Table, past: History = IN_LAKE) -> pa.Table:
    """User features at each distinct ``(user_id, as_of)`` of ``points``, as serving had them.

    Parameters
    ----------
    points
        ``user_id`` string, ``as_of`` UTC microseconds timestamp.
    past
        Where the users' tiles and rollups are found.
    """
    asked, ids = engine.arrow(points), _distinct(points, users.KEY)
    history, current = _days_of(points)
    tiles = past.rows(engine, "gold/user_windows", asked, ids, current)
    tastes = past.rows(engine, "gold/user_category_windows", asked, ids, current)
    if _at_once(points):
        tiles = windows.closed(tiles, (users.KEY,), asked)
        tastes = windows.closed(tastes, (users.KEY, "category"), asked)
    rows = users.user_features(
        asked,
        past.rows(engine, USER_DAYS, asked, ids, history),
        past.rows(engine, USER_CATEGORY_DAYS, asked, ids, history),
        tiles,
        tastes,
    )
    return engine.to_arrow(rows)


def point_in_time_product_features(engine: Engine, points: pa.Table, past: History = IN_LAKE) -> pa.Table:
    """Product features at each distinct ``(product_id, as_of)`` of ``points``, as serving had them.

    Parameters
    ----------
    points
        ``product_id`` string, ``as_of`` UTC microseconds timestamp.
    """
    asked, ids = engine.arrow(points), _distinct(points, products.KEY)
    history, current = _days_of(points)
    tiles = past.rows(engine, "gold/product_windows", asked, ids, current)
    if _at_once(points):
        tiles = windows.closed(tiles, (products.KEY,), asked)
    rows = products.product_features(
        asked,
        past.rows(engine, PRODUCT_DAYS, asked, ids, history),
        _of(engine.table("silver/products"), asked, products.KEY),
        tiles,
    )
    return engine.to_arrow(rows)


def _rebuilt(
    engine: Engine, name: str, upstream: str, rows: Callable[[int], ir.Table], first: date, last: date
) -> Written:
    """Replace days of ``name`` by ``rows`` of one version of ``upstream``, which the commit names."""

    def build() -> Written:
        onto = engine.lake.open(name) if engine.lake.exists(name) else None
        version = engine.lake.open(upstream).version()
        progress = made_from(upstream, version, first, last)
        return engine.replace_window(name, rows(version), first, last, progress=progress, onto=onto)

    return until_alone(build)


def midnights(first: date, last: date) -> tuple[int, int]:
    """The midnights before the first and after the last of the days, microseconds."""
    since = (first - _EPOCH).days * windows.DAY_US
    return since, since + ((last - first).days + 1) * windows.DAY_US


def dated(features: ir.Table) -> ir.Table:
    """Features at day ends as the tables hold them: ``as_of`` is the day, ``as_of_time`` the moment.

    The tables add ``revision``: 0 for the rows of a day that was made as a whole, rising for those that
    micro-batches add. Of several rows of one key and day the one of the highest revision holds.
    """
    before_midnight = micros(features.as_of) - windows.WATERMARK_US - 1
    number = (before_midnight - before_midnight % windows.DAY_US) / windows.DAY_US
    named = features.rename(as_of_time="as_of").mutate(as_of=day(number.cast("int32")))
    return named.relocate("as_of", "as_of_time", after=features.columns[0])


def _days_of(points: pa.Table) -> tuple[tuple[date, date], tuple[date, date]]:
    """Days of the rollups and days of the tiles that features at ``points`` are made from."""
    if not points.num_rows:
        return (_EPOCH, _EPOCH), (_EPOCH, _EPOCH)
    times = pc.min_max(points["as_of"])
    lag = timedelta(microseconds=windows.WATERMARK_US)
    first, last = ((times[end].as_py() - lag).date() for end in ("min", "max"))
    return (first - HORIZON, last), (first, last)


def _at_once(points: pa.Table) -> bool:
    """Whether all ``points`` are of one moment, as those of the online store are."""
    return bool(pc.count_distinct(points["as_of"]).as_py() == 1)


def _distinct(points: pa.Table, key: str) -> pl.Series:
    return pl.Series(key, points[key]).unique()


def _within(points: ir.Table, touched: Touched | None, key: str) -> ir.Table:
    """Those of ``points`` (key, as_of) that lie within the times of ``touched``."""
    if touched is None:
        return points
    named = touched.table.rename(_key=key)
    at = micros(points.as_of) - windows.WATERMARK_US
    kept = points.join(named, [points[key] == named._key, at > named.since, at <= named.until])
    return kept.select(key, "as_of").distinct()


def _of(rows: ir.Table, asked: ir.Table, key: str) -> ir.Table:
    """Only the rows of ids that are asked for."""
    return rows.semi_join(asked, key)
