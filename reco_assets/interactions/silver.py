"""Silver interactions: one row per real event, with its product's category at that time.

A table expression over ``raw/events``; no arrival order, batch border or repetition can change it.
"""

from __future__ import annotations

from typing import Final

import ibis
import ibis.expr.types as ir

from reco_assets.events.contract import EVENT_SCHEMA
from reco_assets.platform.engine import Engine, day_number, hash64, micros

#: Columns of ``silver/interactions``, in order.
COLUMNS: Final[tuple[str, ...]] = (
    "event_id",
    "user_id",
    "session_id",
    "event_type",
    "product_id",
    "category",
    "timestamp",
    "event_date",
    "price",
    "quantity",
    "duration_ms",
    "query",
    "rating",
    "recommendation_id",
    "position",
    "source",
)

#: Columns of ``raw/events`` that are read.
RAW_COLUMNS: Final[tuple[str, ...]] = ("event_date", *EVENT_SCHEMA)

#: A repetition of an event is known as one up to this many days after it. A client that retries
#: over midnight may stamp its copy anew; an id that comes back later than this is another event.
MARGIN_DAYS: Final = 1

_ALWAYS: Final = 2**62


def interactions(raw: ir.Table, repeated: ir.Table, categories: ir.Table) -> ir.Table:
    """The events of ``raw``, each once, with ``category`` as of the event.

    Parameters
    ----------
    raw
        ``RAW_COLUMNS`` of ``raw/events``; to decide a day, the ``MARGIN_DAYS`` before it are needed.
    repeated
        What :func:`repeated_ids` finds in ``raw``.
    categories
        What :func:`category_history` makes.
    """
    return with_categories(unique_events(raw, repeated), categories).select(*COLUMNS)


def repeated_ids(engine: Engine, raw: ir.Table) -> ir.Table:
    """Hashes of the ids of ``raw`` that come more than once: few, and found by the ids alone.

    Computed before the rest: within one query an engine keeps all columns of all events until it
    knows them.
    """
    return engine.arrow(engine.repeated(raw.select(_hash=hash64(raw.event_id))))


def unique_events(raw: ir.Table, repeated: ir.Table) -> ir.Table:
    """``raw`` with one row per event.

    Of rows with one ``event_id`` the earliest ``timestamp`` stays; among equal ones the smallest
    content, field by field, so that the winner does not depend on which copy was delivered first.
    Nearly all ids come once, so only those whose hash is ``repeated`` are sorted.
    """
    hashed = raw.mutate(_hash=hash64(raw.event_id))
    once = hashed.anti_join(repeated, "_hash").drop("_hash")
    often = hashed.semi_join(repeated, "_hash").drop("_hash")

    content = [often["timestamp"], *(often[name] for name in EVENT_SCHEMA if name != "timestamp")]
    in_order = ibis.window(
        group_by=often.event_id, order_by=[ibis.asc(column, nulls_first=True) for column in content]
    )
    ranked = often.mutate(_before=day_number(often.event_date).lag().over(in_order))
    first = ranked.filter(
        ranked._before.isnull() | (day_number(ranked.event_date) - ranked._before > MARGIN_DAYS)
    ).drop("_before")
    return once.union(first)


def category_history(products: ir.Table) -> ir.Table:
    """Who was in which category when: ``product_id, category, since, until`` (us, until excluded).

    From ``silver/products``, only its changes of category. A product's first known category also
    holds before it was observed: catalogues are often loaded after the first events, and an unknown
    category would say less.
    """
    known = products.filter(products.category.notnull()).select("product_id", "category", "valid_from")
    in_time = ibis.window(group_by=known.product_id, order_by=known.valid_from)
    stepped = known.mutate(_before=known.category.lag().over(in_time))
    changed = stepped.filter(stepped._before.isnull() | (stepped._before != stepped.category))
    return changed.select(
        "product_id",
        "category",
        since=changed._before.isnull().ifelse(-_ALWAYS, micros(changed.valid_from)),
        until=micros(changed.valid_from)
        .lead()
        .over(ibis.window(group_by=changed.product_id, order_by=changed.valid_from))
        .coalesce(_ALWAYS),
    )


def with_categories(events: ir.Table, categories: ir.Table) -> ir.Table:
    """``events`` with the category that their product had at their time, null where unknown."""
    timed = events.mutate(_at=micros(events.timestamp))
    named = categories.rename(_product="product_id")
    return timed.left_join(
        named,
        [
            timed.product_id == named._product,
            named.since <= timed._at,
            timed._at < named.until,
        ],
    )
