"""Tiny builders of events, so that a test reads as its own example.

>>> events(click("u1", "p7", at="2024-05-01T12:03"), purchase("u1", "p7", at="2024-05-01T12:09", price=9.5))
"""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from reco_assets.events.contract import EVENT_SCHEMA

Value = str | int | float | datetime | None
Event = dict[str, Value]


def moment(at: str | datetime) -> datetime:
    """``"2024-05-01T12:03"`` or a datetime as a UTC datetime; a text without a zone is UTC."""
    parsed = datetime.fromisoformat(at) if isinstance(at, str) else at
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def event(
    event_type: str, user_id: str, product_id: str | None, *, at: str | datetime, **fields: Value
) -> Event:
    """One event; its id is made of what it says unless ``event_id`` is given."""
    timestamp = moment(at)
    made: Event = dict.fromkeys(EVENT_SCHEMA)
    made |= {
        "event_id": f"{event_type}:{user_id}:{product_id or fields.get('query')}:{timestamp.isoformat()}",
        "user_id": user_id,
        "event_type": event_type,
        "product_id": product_id,
        "timestamp": timestamp,
    }
    unknown = set(fields) - set(made)
    if unknown:
        raise TypeError(f"not a field of an event: {', '.join(sorted(unknown))}")
    return made | fields


def click(user_id: str, product_id: str, *, at: str | datetime, **fields: Value) -> Event:
    """A product page opened."""
    return event("click", user_id, product_id, at=at, **fields)


def add_to_cart(user_id: str, product_id: str, *, at: str | datetime, **fields: Value) -> Event:
    """A product put into the cart."""
    return event("add_to_cart", user_id, product_id, at=at, **fields)


def remove_from_cart(user_id: str, product_id: str, *, at: str | datetime, **fields: Value) -> Event:
    """A product taken out of the cart."""
    return event("remove_from_cart", user_id, product_id, at=at, **fields)


def purchase(user_id: str, product_id: str, *, at: str | datetime, **fields: Value) -> Event:
    """A product bought."""
    return event("purchase", user_id, product_id, at=at, **fields)


def favorite(user_id: str, product_id: str, *, at: str | datetime, **fields: Value) -> Event:
    """A product put on the wish list."""
    return event("favorite", user_id, product_id, at=at, **fields)


def rate(user_id: str, product_id: str, rating: float, *, at: str | datetime, **fields: Value) -> Event:
    """A product given stars."""
    return event("rate", user_id, product_id, at=at, rating=rating, **fields)


def search(user_id: str, query: str, *, at: str | datetime, **fields: Value) -> Event:
    """A search; it has no product."""
    return event("search", user_id, None, at=at, query=query, **fields)


def impression(user_id: str, product_id: str, *, at: str | datetime, **fields: Value) -> Event:
    """A product shown."""
    return event("impression", user_id, product_id, at=at, **fields)


def events(*rows: Event) -> pl.DataFrame:
    """A table of events, columns and types of ``EVENT_SCHEMA``."""
    return pl.DataFrame(list(rows), schema=EVENT_SCHEMA, orient="row")
