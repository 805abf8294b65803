"""The event contract, version 1: one place from which schemas, checks and documents are made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Final

import polars as pl

VERSION: Final = 1

#: The tables of what was delivered: events that keep the contract, and the rest with its reasons.
EVENTS: Final = "raw/events"
QUARANTINE: Final = "raw/quarantine"

#: An event this far ahead of the clock is bad; any lateness is fine.
MAX_AHEAD: Final = timedelta(minutes=5)

#: Before this there was no web shop: such a time is a number read in the wrong unit.
EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)


class EventType(IntEnum):
    """What happened; the integer is the code used inside models and packed values."""

    click = 0
    add_to_cart = 1
    remove_from_cart = 2
    purchase = 3
    favorite = 4
    rate = 5
    search = 6
    impression = 7


EVENT_TYPES: Final[tuple[str, ...]] = tuple(kind.name for kind in EventType)


@dataclass(frozen=True)
class Field:
    """One field of an event: its name on the wire, its type in the lake and its rule."""

    name: str
    dtype: pl.DataType
    required: bool
    description: str
    minimum: float | None = None
    maximum: float | None = None


_TIME = pl.Datetime("us", "UTC")

FIELDS: Final[tuple[Field, ...]] = (
    Field("event_id", pl.String(), True, "Identity of the event, from its producer."),
    Field("user_id", pl.String(), True, "Who; a visitor id where nobody is logged in."),
    Field("session_id", pl.String(), False, "The visit, where the shop knows it."),
    Field("event_type", pl.String(), True, "One of: " + ", ".join(EVENT_TYPES) + "."),
    Field("product_id", pl.String(), False, "Which product; required unless event_type is search."),
    Field("timestamp", _TIME, True, "When it happened, UTC, microseconds."),
    Field("price", pl.Float64(), False, "Unit price at that moment.", minimum=0.0),
    Field("quantity", pl.Int64(), False, "Units, for cart and purchase events.", minimum=1),
    Field("duration_ms", pl.Int64(), False, "Time on the page, milliseconds.", minimum=0),
    Field("query", pl.String(), False, "What was searched for."),
    Field("rating", pl.Float64(), False, "Stars, for rate events.", minimum=0.0, maximum=5.0),
    Field("recommendation_id", pl.String(), False, "The answer that showed the product."),
    Field("position", pl.Int64(), False, "The product's place in that answer, from 0.", minimum=0),
    Field("source", pl.String(), False, "The channel: web, app, email, store..."),
)

#: Columns and types of a table of events, in contract order.
EVENT_SCHEMA: Final[dict[str, pl.DataType]] = {field.name: field.dtype for field in FIELDS}

#: Columns of ``raw/events``: the delivery, then the event as the contract read it.
RAW_SCHEMA: Final[dict[str, pl.DataType]] = {
    "delivery": pl.String(),  # "file:<format>:<16 hex digits>", "stream:<name>:<partition>", "decision:<id>"
    "delivery_position": pl.Int64(),  # 1-based row in the file, or offset in the stream
    "payload": pl.Binary(),  # the bytes as delivered; null where the delivery is columnar
    "contract_version": pl.Int64(),
    "ingested_at": _TIME,
    "ingest_date": pl.Date(),
    "event_date": pl.Date(),
    **EVENT_SCHEMA,
}

#: Columns of ``raw/quarantine``.
QUARANTINE_SCHEMA: Final[dict[str, pl.DataType]] = {
    "delivery": pl.String(),
    "delivery_position": pl.Int64(),
    "payload": pl.Binary(),
    "contract_version": pl.Int64(),
    "ingested_at": _TIME,
    "ingest_date": pl.Date(),
    "reasons": pl.List(pl.String()),
    "reader": pl.String(),  # JSON: how the payload is read again, e.g. the header of its file
}
