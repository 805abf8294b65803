"""Order lines as purchase events, so that database and event stream make one purchase history.

``raw/events`` is append only. A line that is changed later comes as a further version of the event, with
the same ``event_id``; which one counts does not depend on the order of arrival, because silver tells an
event from its copies by their content. A line that is cancelled, returned or deleted cannot be taken out
of ``raw/events``: ``silver/orders`` has the truth, its ``event_id`` says which events it withdraws, and
``silver/interactions`` leaves these out.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from reco_assets.events.contract import EVENT_SCHEMA
from reco_assets.platform.lake import Lake

EVENTS: Final = "raw/events"
#: ``source`` of these events: the channel is the shop's database.
SOURCE: Final = "orders"

#: States, in lower case, in which an order line is no purchase.
WITHDRAWN: Final = (
    "cancelled", "canceled", "returned", "refunded", "voided", "rejected", "failed", "expired",
)  # fmt: skip

#: What a version of a purchase says: two rows that agree in it are the same version.
VERSION: Final = ("event_id", "user_id", "product_id", "timestamp", "price", "quantity")
_NEEDED: Final = ("user_id", "product_id", "ordered_at")


def event_id(table: str, key: str) -> pl.Expr:
    """Id of the purchase of the line ``key`` (column) of ``table`` (column): the same for ever."""
    return pl.format("order:{}:{}", pl.col(table), pl.col(key))


def withdrawn(status: str = "status", quantity: str = "quantity") -> pl.Expr:
    """Whether a line with these columns is no purchase: its state says so, or nothing is left of it."""
    state = pl.col(status).str.strip_chars().str.to_lowercase().is_in(WITHDRAWN).fill_null(False)
    return state | (pl.col(quantity) <= 0).fill_null(False)


def purchases(changes: pl.DataFrame) -> pl.DataFrame:
    """Events of the order lines among ``changes`` (``CHANGE_SCHEMA``), still to be validated.

    A partial update, one that leaves out who bought what and when, is no event of its own.
    """
    partial = (pl.col("op") == "u") & ~pl.all_horizontal(
        pl.col("said").list.contains(name) for name in _NEEDED
    )
    lines = changes.filter((pl.col("entity") == "orders") & (pl.col("op") != "d") & ~withdrawn() & ~partial)
    named = {
        "event_id": event_id("source_table", "key"),
        "event_type": pl.lit("purchase"),
        "timestamp": pl.col("ordered_at"),
        "source": pl.lit(SOURCE),
    }
    kept = ("user_id", "product_id", "price", "quantity")
    return lines.select(
        "delivery_position",
        "payload",
        *(
            named[name].alias(name)
            if name in named
            else pl.col(name)
            if name in kept
            else pl.lit(None, dtype=dtype).alias(name)
            for name, dtype in EVENT_SCHEMA.items()
        ),
    )


def fresh(lake: Lake, events: pl.DataFrame) -> pl.DataFrame:
    """The versions among ``events`` (with ``event_date``) that are not in ``raw/events`` yet, each once."""
    events = events.unique(VERSION, keep="first", maintain_order=True)
    if not events.height or not lake.exists(EVENTS) or not lake.rows(EVENTS):
        return events
    first, last = events["event_date"].min(), events["event_date"].max()
    there = (
        lake.scan(EVENTS)
        .filter(pl.col("event_date").is_between(pl.lit(first), pl.lit(last)), pl.col("source") == SOURCE)
        .select(VERSION)
        .join(events.lazy().select("event_id"), on="event_id", how="semi")
        .collect()
    )
    return events.join(there, on=VERSION, how="anti", nulls_equal=True, maintain_order="left")
