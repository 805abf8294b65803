"""Purchases that the shop's database has taken back: they stay in ``raw/events`` and count no more.

``silver/orders`` has the truth about order lines. A line that was cancelled, returned or deleted is no
purchase, whatever its events said; a line that is taken up again is one again.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import polars as pl

from reco_assets.catalogue.changes.purchases import withdrawn
from reco_assets.platform.increments import Progress
from reco_assets.platform.lake import Lake

ORDERS: Final = "silver/orders"
#: The version of a table of orders that is not there.
NO_ORDERS: Final = -1


def orders_version(lake: Lake) -> int:
    """The newest version of ``silver/orders``; ``NO_ORDERS`` where the shop has told of none."""
    version = lake.version(ORDERS)
    return NO_ORDERS if version is None else version


def withdrawn_purchases(lake: Lake, version: int) -> pl.DataFrame:
    """``event_id, event_date`` of what ``silver/orders`` at ``version`` has taken back.

    One row for each day on which the line was ever said to be ordered: its events can be of any of them.
    """
    if version == NO_ORDERS:
        return pl.DataFrame(schema={"event_id": pl.String, "event_date": pl.Date})
    lines = lake.scan(ORDERS, version)
    count = lines.filter(pl.col("valid_to").is_null() & ~withdrawn()).select("event_id")
    gone = lines.join(count, on="event_id", how="anti")
    return gone.select("event_id", _day()).drop_nulls().unique().collect()


def days_taken_back(lake: Lake, progress: Progress, version: int) -> set[date]:
    """Days of which other purchases count at ``version`` than when their interactions were made.

    Parameters
    ----------
    progress
        What ``silver/interactions`` has taken in of ``silver/orders``.
    """
    if version == NO_ORDERS or progress.upto == version:
        return set()
    now = withdrawn_purchases(lake, version)
    ordered = lake.scan(ORDERS, version).select(_day()).unique().drop_nulls().collect()["event_date"]
    made = {day: progress.of(day) for day in ordered}
    stale: set[date] = set()
    for before in set(made.values()) - {version}:
        then = withdrawn_purchases(lake, before)
        both = ["event_id", "event_date"]
        differing = pl.concat([now.join(then, on=both, how="anti"), then.join(now, on=both, how="anti")])
        stale |= {day for day in differing["event_date"].unique() if made.get(day, before) == before}
    return stale


def _day() -> pl.Expr:
    return pl.col("ordered_at").dt.date().alias("event_date")
