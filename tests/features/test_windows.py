from __future__ import annotations

import polars as pl
from ibis.expr import types as ir

from reco_assets.features import windows
from reco_assets.platform.engine import Engine
from tests.builders import (
    Event,
    add_to_cart,
    click,
    events,
    favorite,
    impression,
    moment,
    purchase,
    rate,
    remove_from_cart,
    search,
)


def interactions(engine: Engine, *rows: Event, category: str | None = "shoes") -> ir.Table:
    table = events(*rows).with_columns(
        event_date=pl.col("timestamp").dt.date(), category=pl.lit(category, pl.String)
    )
    return engine.arrow(table.select(windows.INPUT).to_arrow())


def rows(engine: Engine, table: ir.Table) -> list[dict[str, object]]:
    return pl.DataFrame(engine.to_arrow(table)).sort("window_start").to_dicts()


def test_a_tile_is_five_minutes_from_its_start_inclusive(engine: Engine) -> None:
    found = rows(
        engine,
        windows.user_windows(
            interactions(
                engine,
                click("u1", "p1", at="2024-05-01T12:00"),
                click("u1", "p1", at="2024-05-01T12:04:59.999999"),
                click("u1", "p1", at="2024-05-01T12:05"),
            )
        ),
    )

    assert [(row["window_start"], row["events"]) for row in found] == [
        (moment("2024-05-01T12:00"), 2),
        (moment("2024-05-01T12:05"), 1),
    ]


def test_a_user_tile_counts_and_sums_what_the_user_did(engine: Engine) -> None:
    [tile] = rows(
        engine,
        windows.user_windows(
            interactions(
                engine,
                click("u1", "p1", at="2024-05-01T12:00:01", price=0.1, duration_ms=300),
                click("u1", "p2", at="2024-05-01T12:00:02", price=0.2, duration_ms=500),
                click("u1", "p3", at="2024-05-01T12:00:03"),
                add_to_cart("u1", "p1", at="2024-05-01T12:00:04", price=0.1),
                remove_from_cart("u1", "p1", at="2024-05-01T12:00:05"),
                favorite("u1", "p1", at="2024-05-01T12:00:06"),
                rate("u1", "p1", 4.5, at="2024-05-01T12:00:07"),
                search("u1", "hats", at="2024-05-01T12:00:08"),
                purchase("u1", "p1", at="2024-05-01T12:00:09", price=19.99, quantity=3),
                purchase("u1", "p2", at="2024-05-01T12:00:10", price=5.0),
                impression("u1", "p4", at="2024-05-01T12:00:11", price=7.0),
            )
        ),
    )

    assert tile == {
        "user_id": "u1",
        "window_start": moment("2024-05-01T12:00"),
        "event_date": moment("2024-05-01").date(),
        "events": 10,
        "clicks": 3,
        "add_to_carts": 1,
        "remove_from_carts": 1,
        "purchases": 2,
        "favorites": 1,
        "rates": 1,
        "searches": 1,
        "price_sum": 3_000,
        "price_count": 2,
        "spend": 3 * 199_900 + 50_000,
        "duration_sum": 800,
        "duration_count": 2,
        "first_event_time": moment("2024-05-01T12:00:01"),
        "last_event_time": moment("2024-05-01T12:00:10"),
    }


def test_a_product_tile_counts_and_sums_what_happened_to_the_product(engine: Engine) -> None:
    [tile] = rows(
        engine,
        windows.product_windows(
            interactions(
                engine,
                impression("u1", "p1", at="2024-05-01T12:00:01"),
                impression("u2", "p1", at="2024-05-01T12:00:01"),
                click("u1", "p1", at="2024-05-01T12:00:02", price=0.1),
                add_to_cart("u1", "p1", at="2024-05-01T12:00:04"),
                remove_from_cart("u1", "p1", at="2024-05-01T12:00:05"),
                favorite("u1", "p1", at="2024-05-01T12:00:06"),
                rate("u1", "p1", 4.5, at="2024-05-01T12:00:07"),
                rate("u2", "p1", 3.0, at="2024-05-01T12:00:07"),
                purchase("u1", "p1", at="2024-05-01T12:00:09", price=19.99, quantity=3),
                search("u1", "hats", at="2024-05-01T12:00:08"),
            )
        ),
    )

    assert tile == {
        "product_id": "p1",
        "window_start": moment("2024-05-01T12:00"),
        "event_date": moment("2024-05-01").date(),
        "impressions": 2,
        "clicks": 1,
        "add_to_carts": 1,
        "remove_from_carts": 1,
        "purchases": 1,
        "favorites": 1,
        "quantity": 3,
        "revenue": 3 * 199_900,
        "rating_sum": 75_000,
        "rating_count": 2,
    }


def test_a_category_tile_counts_events_of_known_categories(engine: Engine) -> None:
    seen = (click("u1", "p1", at="2024-05-01T12:00"), impression("u1", "p1", at="2024-05-01T12:00"))

    [tile] = rows(engine, windows.user_category_windows(interactions(engine, *seen)))
    unknown = rows(engine, windows.user_category_windows(interactions(engine, *seen, category=None)))

    assert (tile["category"], tile["events"]) == ("shoes", 1)
    assert unknown == []


def test_a_day_is_the_sum_of_its_tiles(engine: Engine) -> None:
    tiles = windows.user_windows(
        interactions(
            engine,
            click("u1", "p1", at="2024-05-01T00:00", price=1.5),
            click("u1", "p1", at="2024-05-01T12:00", price=2.5),
            purchase("u1", "p1", at="2024-05-01T23:59:59.999999", price=2.5),
            click("u1", "p1", at="2024-05-02T00:00"),
        )
    )

    found = pl.DataFrame(engine.to_arrow(windows.days(tiles, ("user_id",)))).sort("event_date").to_dicts()

    assert [(day["events"], day["clicks"], day["price_sum"], day["spend"]) for day in found] == [
        (3, 2, 40_000, 25_000),
        (1, 1, 0, 0),
    ]
    assert found[0]["first_event_time"] == moment("2024-05-01T00:00")
    assert found[0]["last_event_time"] == moment("2024-05-01T23:59:59.999999")
    assert "window_start" not in found[0]
