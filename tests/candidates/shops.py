"""Tiny shops: ``shop("a", "b")``, ``log(items, click("u1", "a", ago=2))``, ``past(items, "a")``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from reco_assets.candidates.retriever import History, Retriever, Scratch, history
from reco_assets.catalogue.items import ItemTable, item_table
from reco_assets.events.contract import EventType
from reco_assets.interactions.log import InteractionLog

DAY = 86_400_000_000
NOW = 1_700_000_000_000_000


class Product(NamedTuple):
    """A product as the catalogue knows it; ``age`` in days before ``NOW``."""

    id: str
    title: str | None = None
    category: str | None = None
    brand: str | None = None
    price: float | None = None
    inventory: int | None = None
    age: float = 100.0


class Did(NamedTuple):
    """One event, ``ago`` days before ``NOW``."""

    user: str
    product: str
    kind: EventType
    ago: float


def click(user: str, product: str, *, ago: float = 1.0) -> Did:
    """A product page opened."""
    return Did(user, product, EventType.click, ago)


def cart(user: str, product: str, *, ago: float = 1.0) -> Did:
    """A product put into the cart."""
    return Did(user, product, EventType.add_to_cart, ago)


def buy(user: str, product: str, *, ago: float = 1.0) -> Did:
    """A product bought."""
    return Did(user, product, EventType.purchase, ago)


def shop(*products: str | Product) -> ItemTable:
    """The item table of ``products``; a bare text is a product of which only the id is known."""
    rows = [Product(one) if isinstance(one, str) else one for one in products]
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return item_table(
        pl.DataFrame(
            {
                "product_id": [row.id for row in rows],
                "title": [row.title for row in rows],
                "category": [row.category for row in rows],
                "brand": [row.brand for row in rows],
                "price": [row.price for row in rows],
                "inventory": [row.inventory for row in rows],
                "valid_from": [epoch + timedelta(microseconds=int(NOW - row.age * DAY)) for row in rows],
            },
            schema={
                "product_id": pl.String,
                "title": pl.String,
                "category": pl.String,
                "brand": pl.String,
                "price": pl.Float64,
                "inventory": pl.Int64,
                "valid_from": pl.Datetime("us", "UTC"),
            },
        )
    )


def log(items: ItemTable, *events: Did) -> InteractionLog:
    """The interaction log of ``events``."""
    users = sorted({event.user for event in events})
    rows = sorted(
        (users.index(e.user), int(NOW - e.ago * DAY), items.row(e.product), int(e.kind)) for e in events
    )
    user, time, item, kind = (np.array([row[at] for row in rows]) for at in range(4))
    return InteractionLog(
        user=user.astype(np.int32),
        item=item.astype(np.int32),
        kind=kind.astype(np.int8),
        time=time.astype(np.int64),
        user_ids=pl.Series(users, dtype=pl.String),
        n_items=len(items),
    )


def random_log(items: ItemTable, users: int, events: int, seed: int = 0) -> InteractionLog:
    """Random events of the 30 days before ``NOW`` on the products of ``items``."""
    rng = np.random.default_rng(seed)
    user = np.sort(rng.integers(0, users, events)).astype(np.int32)
    time = NOW - 1 - rng.integers(0, 30 * DAY, events)
    return InteractionLog(
        user=user,
        item=(rng.integers(0, len(items), events) * rng.random(events)).astype(np.int32),
        kind=rng.choice(np.array([0, 0, 0, 0, 1, 3, 4, 5], np.int8), events),
        time=time[np.lexsort((time, user))],
        user_ids=pl.Series([f"u{row:04d}" for row in range(users)], dtype=pl.String),
        n_items=len(items),
    )


def past(items: ItemTable, *seen: str | Did) -> History:
    """The history of what was seen, oldest first; a bare text is a click at ``NOW``."""
    events = [click("me", one, ago=0.0) if isinstance(one, str) else one for one in seen]
    return history(
        np.array([items.row(event.product) for event in events], np.int32),
        np.array([event.kind for event in events], np.int8),
        np.array([int(NOW - event.ago * DAY) for event in events], np.int64),
        np.empty(0, np.int32),
        NOW,
    )


def top(retriever: Retriever, items: ItemTable, seen: History, n: int = 10) -> dict[str, float]:
    """Product ids that ``retriever`` proposes for ``seen``, best first, with their scores."""
    query = retriever.query(seen, Scratch(len(items)))
    rows = query.top(n)
    scores = query.score(rows)
    return {items.ids[row]: float(score) for row, score in zip(rows.tolist(), scores, strict=True)}


def pairs(retriever: Retriever, items: ItemTable) -> Iterator[tuple[str, str, float]]:
    """Rows of the table of a source of neighbours: product, neighbour, score."""
    for row in retriever.table(items).iter_rows(named=True):
        yield row["product_id"], row["neighbour_id"], row["score"]
