"""Random shops: a few users and products, every kind of event, collisions in time on purpose."""

from __future__ import annotations

import random
from datetime import date, timedelta

import polars as pl

from reco_assets.events.contract import EVENT_TYPES
from tests.builders import event, events, moment
from tests.features.lakes import product

SHELF = [
    product("p1", "shoes", price=10.0, inventory=5, since="2024-05-01", until="2024-05-02T12:00"),
    product("p1", "sale", price=8.0, inventory=2, since="2024-05-02T12:00"),
    product("p2", "hats > wool", price=20.5, inventory=0),
    product("p3", "bags", price=30.25),
    product("p4", None),
]


def random_events(
    *, seed: int, count: int, first: date, days: int, users: int = 8, products: int = 6
) -> pl.DataFrame:
    """``count`` events, some of them twice, with every field filled sometimes."""
    dice = random.Random(seed)
    rows = []
    for number in range(count):
        kind = dice.choice(EVENT_TYPES)
        at = moment(first.isoformat()) + timedelta(seconds=dice.randrange(days * 86_400))
        if dice.random() < 0.3:
            at = at.replace(minute=at.minute - at.minute % 5, second=0)
        rows.append(
            event(
                kind,
                f"u{dice.randrange(users)}",
                None if kind == "search" else f"p{dice.randrange(products)}",
                at=at,
                event_id=f"e{number}",
                price=dice.choice([None, round(dice.random() * 100, 2)]),
                quantity=dice.choice([None, 1, 3]) if kind == "purchase" else None,
                duration_ms=dice.randrange(60_000) if kind == "click" else None,
                rating=dice.choice([1.0, 4.5]) if kind == "rate" else None,
                query="red" if kind == "search" else None,
            )
        )
        if dice.random() < 0.1:
            rows.append(rows[dice.randrange(len(rows))])
    return events(*rows)
