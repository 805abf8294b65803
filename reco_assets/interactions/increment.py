"""Silver interactions kept up to date: what new raw events add, at a cost that follows the new events.

The result is what :func:`build_interactions` would make of everything. An event whose id is new is
appended. One that repeats an event in every field changes nothing. A row that is there already has to
go only where two events share an id and differ in content, or where the shop's database has taken a
purchase back; the days in question are made anew.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final, cast

import polars as pl

from reco_assets.catalogue.changes.purchases import SOURCE
from reco_assets.interactions import silver
from reco_assets.interactions.pipeline import INTERACTIONS, RAW, build_interactions
from reco_assets.interactions.repeats import Known, sift
from reco_assets.interactions.withdrawn import (
    NO_ORDERS,
    ORDERS,
    days_taken_back,
    orders_version,
    withdrawn_purchases,
)
from reco_assets.platform.engine import Engine
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
from reco_assets.platform.lake import Lake

_DAY: Final = timedelta(days=1)
_COLUMNS: Final = ("delivery", "delivery_position", *silver.RAW_COLUMNS)


def advance_interactions(engine: Engine, known: Known) -> Advanced:
    """Bring ``silver/interactions`` up to the newest ``raw/events``; doing it again changes nothing."""
    return until_alone(lambda: _advance(engine, known))


def _advance(engine: Engine, known: Known) -> Advanced:
    lake = engine.lake
    progress = Progress.open(lake, INTERACTIONS, RAW)
    above = lake.open(RAW)
    upto, after, stale = above.version(), progress.upto, set[date]()
    if after is None:
        stale, after = first_look(progress, _days(lake, RAW, upto), upto)
    found = changes(lake, RAW, after, upto)
    if found.gone:
        stale |= _days(lake, RAW, upto)
    if found.rewritten:  # raw events were taken away: partitions there are days of arrival, not of events
        newest = max(found.rewritten.values())
        stale |= {day for day in _days(lake, INTERACTIONS) if progress.of(day) < newest}
    orders, told = orders_version(lake), Progress(progress.table, ORDERS)
    stale |= days_taken_back(lake, told, orders)
    known_orders = told.upto == orders or orders == NO_ORDERS
    if found.nothing and not stale and progress.upto is not None and known_orders:
        return Advanced(INTERACTIONS, upto)
    rows = read_appended(lake, RAW, found.appended, _COLUMNS, above)
    new = not_taken_in(rows.filter(~pl.col("event_date").is_in(sorted(stale))), progress, "event_date")
    fresh, unclear = sift(new, known, upto)
    stale |= unclear | {day + _DAY for day in unclear}
    for first, last in runs(stale):
        build_interactions(engine, first, last)
    if stale:
        progress = Progress.open(lake, INTERACTIONS, RAW)
        fresh = fresh.filter(~pl.col("event_date").is_in(sorted(stale)))
    if SOURCE in fresh["source"]:
        fresh = fresh.join(withdrawn_purchases(lake, orders), on="event_id", how="anti")
    shelf = engine.table("silver/products")
    arrived = engine.arrow(fresh.select(silver.RAW_COLUMNS).to_arrow())
    products = shelf.semi_join(arrived, "product_id")
    made = engine.to_arrow(
        silver.with_categories(arrived, silver.category_history(products)).select(*silver.COLUMNS)
    )
    days = cast("list[date]", fresh["event_date"].unique().to_list())
    taken = taken_in(RAW, upto, days) | ({} if orders == NO_ORDERS else {ORDERS: orders})
    lake.append(INTERACTIONS, made, taken, progress.table)
    return Advanced(INTERACTIONS, upto, new.height, len(found.appended), made.num_rows, tuple(sorted(stale)))


def _days(lake: Lake, name: str, version: int | None = None) -> set[date]:
    """Days of the events of a table."""
    days = lake.scan(name, version).select(pl.col("event_date").unique()).collect()["event_date"]
    return set(days.to_list())
