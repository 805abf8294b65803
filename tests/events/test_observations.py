from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from reco_assets.events.observations import CATALOGUE_SCHEMA, PRODUCT_ATTRIBUTES, Changes


def rows(*prices: tuple[str, int, float | None]) -> pl.DataFrame:
    made = [
        {
            "delivery": "d",
            "delivery_position": n,
            "product_id": p,
            "price": price,
            "observed_at": datetime(2024, 5, 1, 10, minute, tzinfo=UTC),
        }
        for n, (p, minute, price) in enumerate(prices)
    ]
    return pl.DataFrame(made, schema=CATALOGUE_SCHEMA, orient="row")


def kept(changes: Changes, *prices: tuple[str, int, float | None]) -> list[tuple[object, ...]]:
    return changes.of(rows(*prices)).select("product_id", pl.col("observed_at").dt.minute(), "price").rows()


def test_only_changes_are_kept_within_a_batch() -> None:
    changes = Changes("product_id", PRODUCT_ATTRIBUTES)
    assert kept(changes, ("a", 3, 1.0), ("a", 1, 1.0), ("b", 1, 1.0), ("a", 5, 2.0), ("a", 6, None)) == [
        ("a", 1, 1.0),
        ("a", 5, 2.0),
        ("b", 1, 1.0),
    ]


def test_what_an_earlier_batch_said_is_not_repeated() -> None:
    changes = Changes("product_id", PRODUCT_ATTRIBUTES)
    assert kept(changes, ("a", 1, 1.0)) == [("a", 1, 1.0)]
    assert kept(changes, ("a", 2, 1.0), ("b", 2, 5.0)) == [("b", 2, 5.0)]
    assert kept(changes, ("a", 3, 2.0), ("b", 3, 5.0)) == [("a", 3, 2.0)]
    assert kept(changes, ("c", 3, None)) == []
