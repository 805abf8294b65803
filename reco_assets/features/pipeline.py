"""From silver interactions to gold features: what each asset does, for any range of days at once.

Every step reads the days that it needs and replaces the days that it was asked for, so a range gives
the same as its days one by one, and doing it again changes nothing.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from reco_assets.features import products, users, windows
from reco_assets.features.catalogue import HORIZON_DAYS
from reco_assets.platform.engine import Engine, Written, day, micros

_EPOCH: Final = date(1970, 1, 1)
HORIZON: Final = timedelta(days=HORIZON_DAYS)

#: Rollups by the table of tiles that they are made from, with the key beside the day.
ROLLUPS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "gold/user_days": ("gold/user_windows", ("user_id",)),
    "gold/user_category_days": ("gold/user_category_windows", ("user_id", "category")),
    "gold/product_days": ("gold/product_windows", ("product_id",)),
}


def build_user_windows(engine: Engine, first: date, last: date, **metadata: str) -> Written:
    """``gold/user_windows`` of the days ``first``..``last``."""
    rows = windows.user_windows(_interactions(engine, first, last))
    return engine.replace_window("gold/user_windows", rows, first, last, **metadata)


def build_user_category_windows(engine: Engine, first: date, last: date, **metadata: str) -> Written:
    """``gold/user_category_windows`` of the days ``first``..``last``."""
    rows = windows.user_category_windows(_interactions(engine, first, last))
    return engine.replace_window("gold/user_category_windows", rows, first, last, **metadata)


def build_product_windows(engine: Engine, first: date, last: date, **metadata: str) -> Written:
    """``gold/product_windows`` of the days ``first``..``last``."""
    rows = windows.product_windows(_interactions(engine, first, last))
    return engine.replace_window("gold/product_windows", rows, first, last, **metadata)


def build_days(engine: Engine, name: str, first: date, last: date, **metadata: str) -> Written:
    """Daily rollup ``name`` (one of ``ROLLUPS``) of the days ``first``..``last``."""
    source, key = ROLLUPS[name]
    rows = windows.days(engine.table(source, event_dates=(first, last)), key)
    return engine.replace_window(name, rows, first, last, **metadata)


def build_windows(engine: Engine, first: date, last: date, **metadata: str) -> dict[str, Written]:
    """All tiles and rollups of the days ``first``..``last``, by table."""
    written = {
        "gold/user_windows": build_user_windows(engine, first, last, **metadata),
        "gold/user_category_windows": build_user_category_windows(engine, first, last, **metadata),
        "gold/product_windows": build_product_windows(engine, first, last, **metadata),
    }
    return written | {name: build_days(engine, name, first, last, **metadata) for name in ROLLUPS}


def build_user_features(engine: Engine, first: date, last: date, **metadata: str) -> Written:
    """``gold/user_features`` at the ends of the days ``first``..``last``: users that changed then."""
    needed = (first - HORIZON, last)
    days = engine.table("gold/user_days", event_dates=needed)
    points = users.changed_at_day_ends(days, *_midnights(first, last))
    rows = users.user_features(points, days, engine.table("gold/user_category_days", event_dates=needed))
    return engine.replace_window("gold/user_features", _dated(rows), first, last, **metadata)


def build_product_features(engine: Engine, first: date, last: date, **metadata: str) -> Written:
    """``gold/product_features`` at the ends of the days ``first``..``last``: products that changed then."""
    days = engine.table("gold/product_days", event_dates=(first - HORIZON, last))
    attributes = engine.table("silver/products")
    points = products.changed_at_day_ends(days, attributes, *_midnights(first, last))
    rows = products.product_features(points, days, attributes)
    return engine.replace_window("gold/product_features", _dated(rows), first, last, **metadata)


def point_in_time_user_features(engine: Engine, points: pa.Table) -> pa.Table:
    """User features at each distinct ``(user_id, as_of)`` of ``points``, as serving had them.

    Parameters
    ----------
    points
        ``user_id`` string, ``as_of`` UTC microseconds timestamp.
    """
    asked = engine.arrow(points)
    history, current = _days_of(points)
    rows = users.user_features(
        asked,
        _of(engine.table("gold/user_days", event_dates=history), asked, users.KEY),
        _of(engine.table("gold/user_category_days", event_dates=history), asked, users.KEY),
        _of(engine.table("gold/user_windows", event_dates=current), asked, users.KEY),
        _of(engine.table("gold/user_category_windows", event_dates=current), asked, users.KEY),
    )
    return engine.to_arrow(rows)


def point_in_time_product_features(engine: Engine, points: pa.Table) -> pa.Table:
    """Product features at each distinct ``(product_id, as_of)`` of ``points``, as serving had them.

    Parameters
    ----------
    points
        ``product_id`` string, ``as_of`` UTC microseconds timestamp.
    """
    asked = engine.arrow(points)
    history, current = _days_of(points)
    rows = products.product_features(
        asked,
        _of(engine.table("gold/product_days", event_dates=history), asked, products.KEY),
        _of(engine.table("silver/products"), asked, products.KEY),
        _of(engine.table("gold/product_windows", event_dates=current), asked, products.KEY),
    )
    return engine.to_arrow(rows)


def _interactions(engine: Engine, first: date, last: date) -> ir.Table:
    return engine.table("silver/interactions", event_dates=(first, last), columns=windows.INPUT)


def _midnights(first: date, last: date) -> tuple[int, int]:
    """The midnights before the first and after the last of the days, microseconds."""
    since = (first - _EPOCH).days * windows.DAY_US
    return since, since + ((last - first).days + 1) * windows.DAY_US


def _dated(features: ir.Table) -> ir.Table:
    """Features at day ends as the tables hold them: ``as_of`` is the day, ``as_of_time`` the moment."""
    before_midnight = micros(features.as_of) - windows.WATERMARK_US - 1
    number = (before_midnight - before_midnight % windows.DAY_US) / windows.DAY_US
    dated = features.rename(as_of_time="as_of").mutate(as_of=day(number.cast("int32")))
    return dated.relocate("as_of", "as_of_time", after=features.columns[0])


def _days_of(points: pa.Table) -> tuple[tuple[date, date], tuple[date, date]]:
    """Days of the rollups and days of the tiles that features at ``points`` are made from."""
    if not points.num_rows:
        return (_EPOCH, _EPOCH), (_EPOCH, _EPOCH)
    times = pc.min_max(points["as_of"])
    lag = timedelta(microseconds=windows.WATERMARK_US)
    first, last = ((times[end].as_py() - lag).date() for end in ("min", "max"))
    return (first - HORIZON, last), (first, last)


def _of(rows: ir.Table, asked: ir.Table, key: str) -> ir.Table:
    """Only the rows of ids that are asked for."""
    return rows.semi_join(asked, key)
