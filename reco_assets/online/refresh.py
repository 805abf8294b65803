"""The online store brought up to date: only the users and products whose values have changed.

A value is a function of the tables and of the moment. Since the last refresh it can have changed
because interactions came, or went with a day that was made anew, because a tile was closed, because a
day has left a horizon at midnight, or because the catalogue says something else; nobody else is touched.
What was refreshed, up to which versions and which moment, stands in Redis beside the values: a store
that was lost, or whose tables were rewritten over more than a few days, is filled as a whole, without
being emptied first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, cast

import msgspec
import polars as pl
import redis

from reco_assets.features.history import IN_LAKE, History
from reco_assets.features.products import ATTRIBUTES, HORIZONS
from reco_assets.features.windows import WATERMARK_US, WINDOW_US
from reco_assets.online import keys
from reco_assets.online.mark import Mark, micros_of, read_mark
from reco_assets.online.materialise import settle, with_pending, write_products, write_users
from reco_assets.online.past import LakePast, Past, bought_products, recent_events
from reco_assets.online.state import known_products, known_users, product_rows, user_rows
from reco_assets.platform.engine import Engine
from reco_assets.platform.increments import Progress, changes, read_appended
from reco_assets.platform.lake import Lake

_INTERACTIONS: Final = "silver/interactions"
_RAW: Final = "raw/events"
_PRODUCTS: Final = "silver/products"
_WHO_AND_WHEN: Final = ("user_id", "product_id", "event_type", "timestamp")
_WATERMARK: Final = timedelta(microseconds=WATERMARK_US)
_DAY: Final = timedelta(days=1)
#: With more days made anew than this, everybody is written rather than looked for.
_MOST_DAYS: Final = 7
_FEATURES: Final = "gold/product_features"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Refreshed:
    """Values written; ``whole`` where everything was written."""

    at: datetime
    users: int
    products: int
    whole: bool
    mark: Mark


def refresh(
    engine: Engine,
    client: redis.Redis,
    at: datetime,
    *,
    user_ttl_days: int,
    product_ttl_days: int,
    whole: bool = False,
    history: History = IN_LAKE,
    past: Past | None = None,
) -> Refreshed:
    """Bring the online store to what the tables say at ``at``; the tables must be up to date.

    Doing it again changes nothing, also after a crash in the middle.

    Parameters
    ----------
    whole
        Write everybody.
    history, past
        Where the tiles and the events of those who have changed are found; in the lake by default.
    """
    before = None if whole else read_mark(client)
    lake = engine.lake
    raw = Progress.open(lake, _INTERACTIONS, _RAW).upto
    now = Mark(
        at=at,
        interactions=lake.open(_INTERACTIONS).version(),
        raw=lake.open(_RAW).version() if raw is None else raw,
        products=lake.open(_PRODUCTS).version(),
    )
    scope = _touched(engine, before, now) if before is not None and before.at <= at else None
    if scope is None:
        scope, before, history = _everything(engine, now), None, IN_LAKE
    written = 0
    if len(scope.users):
        events = (past or LakePast(lake)).of(None if scope.whole else scope.users)
        rows = user_rows(engine, scope.users, at, history)
        written = write_users(
            client, rows, recent_events(events), bought_products(events), ttl_days=user_ttl_days
        )
    settle(client, _drained(client, scope))
    if len(scope.products):
        rows = product_rows(engine, scope.products, at, history)
        epoch, moment = lake.version(_FEATURES) or 0, micros_of(at)
        write_products(client, rows, epoch=epoch, at=moment, ttl_days=product_ttl_days)
    times = [time for time in (before.newest if before else None, scope.newest) if time is not None]
    mark = msgspec.structs.replace(now, newest=max(times, default=None))
    client.set(keys.ONLINE_MARK, msgspec.json.encode(mark))
    return Refreshed(at, written, len(scope.products), scope.whole, mark)


@dataclass(frozen=True)
class _Scope:
    """Whose values are written.

    Attributes
    ----------
    arrived
        ``user_id`` and ``event_id`` of raw events that have come to the lake and may be pending still.
    newest
        The time of the newest interaction among those looked at.
    whole
        Everybody.
    """

    users: pl.Series
    products: pl.Series
    arrived: pl.LazyFrame
    newest: datetime | None
    whole: bool = False


def _everything(engine: Engine, now: Mark) -> _Scope:
    lake = engine.lake
    interactions = lake.scan(_INTERACTIONS, now.interactions)
    newest = interactions.select(pl.col("timestamp").max()).collect().item()
    return _Scope(
        users=known_users(interactions),
        products=known_products(interactions, lake.scan(_PRODUCTS, now.products)),
        arrived=lake.scan(_RAW, now.raw).select("user_id", "event_id"),
        newest=cast("datetime | None", newest),
        whole=True,
    )


def _touched(engine: Engine, before: Mark, now: Mark) -> _Scope | None:
    """Those whose values may have changed since; None where only writing everything will do."""
    lake = engine.lake
    found = changes(lake, _INTERACTIONS, before.interactions, now.interactions)
    raw = changes(lake, _RAW, before.raw, now.raw)
    days = [day for day in found.rewritten if day is not None]
    late = now.at - before.at > _DAY  # what the tables were may have been cleaned away
    if found.gone or raw.gone or len(days) > _MOST_DAYS or (days and late):
        return None
    new = read_appended(lake, _INTERACTIONS, found.appended, _WHO_AND_WHEN).drop("_version")
    if days:
        new = pl.concat([new, _replaced(lake, before, now, days)])
    did = new.filter(pl.col("event_type") != "impression")
    times = (before.at, now.at)
    users = [did["user_id"], _closed(engine, "user", *times), _left(engine, "user", *times)]
    products = [
        new["product_id"].drop_nulls(),
        _closed(engine, "product", *times),
        _left(engine, "product", *times),
        _revalued(lake, before, now),
    ]
    arrived = read_appended(lake, _RAW, raw.appended, ("user_id", "event_id", "delivery")).lazy()
    return _Scope(
        users=pl.concat(users).unique(),
        products=pl.concat(products).unique(),
        arrived=arrived.filter(pl.col("delivery").str.starts_with("stream:")),
        newest=cast("datetime | None", new["timestamp"].max()),
    )


def _closed(engine: Engine, who: str, since: datetime, until: datetime) -> pl.Series:
    """Ids whose tiles were closed within ``(since, until]``."""
    width = timedelta(microseconds=WINDOW_US)
    first, last = since - _WATERMARK - width, until - _WATERMARK - width
    if (last - _EPOCH) // width == (first - _EPOCH) // width:  # windows begin at whole multiples of it
        return pl.Series(dtype=pl.String)
    tiles = engine.lake.scan(f"gold/{who}_windows").filter(
        pl.col("event_date").is_between(first.date(), last.date())
        & (pl.col("window_start") > first)
        & (pl.col("window_start") <= last)
    )
    return tiles.select(pl.col(f"{who}_id").unique()).collect()[f"{who}_id"]


def _left(engine: Engine, who: str, since: datetime, until: datetime) -> pl.Series:
    """Ids of whom a day has left a horizon at a midnight within ``(since, until]``."""
    day, last = (since - _WATERMARK).date() + _DAY, (until - _WATERMARK).date()
    gone: set[date] = set()
    while day <= last:
        gone |= {day - _DAY - days * _DAY for days in HORIZONS}
        day += _DAY
    if not gone:
        return pl.Series(dtype=pl.String)
    rollups = engine.lake.scan(f"gold/{who}_days").filter(pl.col("event_date").is_in(sorted(gone)))
    return rollups.select(pl.col(f"{who}_id").unique()).collect()[f"{who}_id"]


def _replaced(lake: Lake, before: Mark, now: Mark, days: Sequence[date]) -> pl.DataFrame:
    """``_WHO_AND_WHEN`` of the interactions of ``days`` that are in one of the two versions only."""
    then, today = (
        lake.scan(_INTERACTIONS, version).filter(pl.col("event_date").is_in(days)).collect()
        for version in (before.interactions, now.interactions)
    )
    return _differing(then, today).select(_WHO_AND_WHEN)


def _revalued(lake: Lake, before: Mark, now: Mark) -> pl.Series:
    """Products of which the catalogue says something else than at the last refresh."""
    today = lake.scan(_PRODUCTS, now.products)
    shelf = today if before.products == now.products else lake.scan(_PRODUCTS, before.products)
    if before.products == now.products:  # then only what begins or ends in between can differ
        ends = (pl.col(end).is_between(before.at, now.at, "right") for end in ("valid_from", "valid_to"))
        turning = today.filter(pl.any_horizontal(ends)).select("product_id").unique().collect()
        if not turning.height:
            return turning["product_id"]
        shelf, today = (rows.join(turning.lazy(), on="product_id", how="semi") for rows in (shelf, today))
    return _differing(_valid(shelf, before.at), _valid(today, now.at))["product_id"]


def _valid(products: pl.LazyFrame, at: datetime) -> pl.DataFrame:
    """What the catalogue says at ``at``."""
    known = products.filter(pl.col("valid_from") <= at, (pl.col("valid_to") > at).fill_null(True))
    return known.select("product_id", *ATTRIBUTES).collect()


def _differing(one: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """Rows that only one of the two tables has."""
    ours, theirs = (
        here.join(there, on=one.columns, how="anti", nulls_equal=True)
        for here, there in ((one, other), (other, one))
    )
    return pl.concat([ours, theirs])


def _drained(client: redis.Redis, scope: _Scope) -> dict[str, list[str]]:
    """Ids of the events of each user with pending ones that have come to the lake."""
    among = None if scope.whole else scope.arrived.select(pl.col("user_id").unique()).collect()["user_id"]
    people = with_pending(client, among)
    if not people:
        return {}
    rows = scope.arrived.filter(pl.col("user_id").is_in(people))
    grouped = rows.group_by("user_id").agg(pl.col("event_id")).collect(engine="streaming")
    return dict(grouped.iter_rows())
