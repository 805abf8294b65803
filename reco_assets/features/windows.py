"""Additive tiles: what happened in five minutes of a user or a product, and the same by day.

Everything is an integer (money in 1e-4 units), so a sum of tiles is exact in any order and on any
engine, and any horizon is a sum of tiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import ibis
import ibis.expr.types as ir

from reco_assets.platform.engine import micros, moment

#: Width of a tile, microseconds.
WINDOW_US: Final = 5 * 60 * 1_000_000
#: Events up to this late are waited for before a tile counts as closed, microseconds.
WATERMARK_US: Final = 10 * 1_000_000
DAY_US: Final = 24 * 60 * 60 * 1_000_000
#: Money and ratings are kept as integers of one ten-thousandth.
MONEY: Final = 10_000

USER_SUMS: Final[tuple[str, ...]] = (
    "events",
    "clicks",
    "add_to_carts",
    "remove_from_carts",
    "purchases",
    "favorites",
    "rates",
    "searches",
    "price_sum",
    "price_count",
    "spend",
    "duration_sum",
    "duration_count",
)
PRODUCT_SUMS: Final[tuple[str, ...]] = (
    "impressions",
    "clicks",
    "add_to_carts",
    "remove_from_carts",
    "purchases",
    "favorites",
    "quantity",
    "revenue",
    "rating_sum",
    "rating_count",
)

#: Columns of ``silver/interactions`` that the tiles are made from.
INPUT: Final[tuple[str, ...]] = (
    "user_id",
    "product_id",
    "category",
    "event_type",
    "timestamp",
    "event_date",
    "price",
    "quantity",
    "duration_ms",
    "rating",
)


def user_windows(interactions: ir.Table) -> ir.Table:
    """Tiles of each user: ``user_id, window_start, event_date``, sums, first and last event time.

    An impression is what the shop did, not the user, and is left out.
    """
    t = _prepared(interactions.filter(interactions.event_type != "impression"))
    click, purchase = t.event_type == "click", t.event_type == "purchase"
    return t.group_by("user_id", "window_start", "event_date").agg(
        events=t.count(),
        clicks=t.count(where=click),
        add_to_carts=t.count(where=t.event_type == "add_to_cart"),
        remove_from_carts=t.count(where=t.event_type == "remove_from_cart"),
        purchases=t.count(where=purchase),
        favorites=t.count(where=t.event_type == "favorite"),
        rates=t.count(where=t.event_type == "rate"),
        searches=t.count(where=t.event_type == "search"),
        price_sum=t.money.sum(where=click).coalesce(0),
        price_count=t.money.count(where=click),
        spend=(t.money * t.quantity.coalesce(1)).sum(where=purchase).coalesce(0),
        duration_sum=t.duration_ms.sum().coalesce(0),
        duration_count=t.duration_ms.count(),
        first_event_time=t.timestamp.min(),
        last_event_time=t.timestamp.max(),
    )


def user_category_windows(interactions: ir.Table) -> ir.Table:
    """Tiles of each user and known category: ``user_id, window_start, event_date, category, events``."""
    known = (interactions.event_type != "impression") & interactions.category.notnull()
    t = _prepared(interactions.filter(known))
    return t.group_by("user_id", "window_start", "event_date", "category").agg(events=t.count())


def product_windows(interactions: ir.Table) -> ir.Table:
    """Tiles of each product: ``product_id, window_start, event_date`` and sums."""
    t = _prepared(interactions.filter(interactions.product_id.notnull()))
    purchase, rate = t.event_type == "purchase", t.event_type == "rate"
    units = t.quantity.coalesce(1)
    return t.group_by("product_id", "window_start", "event_date").agg(
        impressions=t.count(where=t.event_type == "impression"),
        clicks=t.count(where=t.event_type == "click"),
        add_to_carts=t.count(where=t.event_type == "add_to_cart"),
        remove_from_carts=t.count(where=t.event_type == "remove_from_cart"),
        purchases=t.count(where=purchase),
        favorites=t.count(where=t.event_type == "favorite"),
        quantity=units.sum(where=purchase).coalesce(0),
        revenue=(t.money * units).sum(where=purchase).coalesce(0),
        rating_sum=t.stars.sum(where=rate).coalesce(0),
        rating_count=t.stars.count(where=rate),
    )


def days(windows: ir.Table, key: Sequence[str]) -> ir.Table:
    """Tiles of one kind rolled up by ``key`` and ``event_date``; the meaning of each column stays."""
    return summed(windows.drop("window_start"), (*key, "event_date"))


def summed(rows: ir.Table, key: Sequence[str]) -> ir.Table:
    """Tiles or rollups with one row for each ``key``, which are all their columns but the values."""
    totals: dict[str, ir.Scalar] = {}
    for name in rows.columns:
        if name in key:
            continue
        if name == "first_event_time":
            totals[name] = rows[name].min()
        elif name in ("last_event_time", "window_start"):
            totals[name] = rows[name].max()
        else:
            totals[name] = rows[name].sum()
    return rows.group_by(*key).agg(**totals)


def closed(windows: ir.Table, key: Sequence[str], points: ir.Table) -> ir.Table:
    """Tiles that count at the one ``as_of`` of all ``points``, those of a key and day as one.

    They count until midnight together, so their sum, at the last of them, is what each of them adds.
    """
    last = micros(points.as_of).max().as_scalar() - WATERMARK_US - WINDOW_US
    return summed(windows.filter(micros(windows.window_start) <= last), (*key, "event_date"))


def _prepared(interactions: ir.Table) -> ir.Table:
    at = micros(interactions.timestamp)
    return interactions.mutate(
        window_start=moment(at - at % WINDOW_US),
        money=_ten_thousandths(interactions.price),
        stars=_ten_thousandths(interactions.rating),
    )


def _ten_thousandths(value: ir.Column) -> ir.Column:
    # floor(x + 1/2) is the same double arithmetic everywhere; engines' own round() differ in ties.
    scaled: ir.Column = (value * ibis.literal(float(MONEY)) + 0.5).floor().cast("int64")
    return scaled
