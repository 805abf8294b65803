from __future__ import annotations

import polars as pl

from reco_assets.features.catalogue import USER_ATTRIBUTES, USER_FEATURES, names
from reco_assets.platform.engine import Engine
from tests.builders import add_to_cart, click, impression, moment, purchase
from tests.features.asking import open_shop, users_at
from tests.features.lakes import product

SHELF = [product("p1", "shoes"), product("p2", "hats"), product("p3", "bags"), product("p4", None)]


def test_every_user_feature_of_the_catalogue_with_its_value(engine: Engine) -> None:
    open_shop(
        engine,
        [
            click("u1", "p1", at="2024-05-01T12:00", price=10.0, duration_ms=1_000),
            click("u1", "p2", at="2024-05-01T12:01", price=20.0, duration_ms=2_000),
            click("u1", "p1", at="2024-05-02T09:00", price=15.0),
            click("u1", "p4", at="2024-05-02T09:01"),
            add_to_cart("u1", "p1", at="2024-05-02T09:02", price=15.0),
            purchase("u1", "p1", at="2024-05-02T09:03", price=15.0),
            impression("u1", "p3", at="2024-05-02T09:04"),
        ],
        SHELF,
    )

    [row] = users_at(engine, ("u1", "2024-05-03T00:00:10"))

    assert row == {
        "user_id": "u1",
        "as_of": moment("2024-05-03T00:00:10"),
        "total_events": 6,
        "clicks": 4,
        "purchases": 1,
        "add_to_carts": 1,
        "purchase_rate": 0.25,
        "categories_viewed": 2,
        "favorite_category": "shoes",
        "avg_price_point": 15.0,
        "avg_time_on_page": 1_500.0,
        "first_event_time": moment("2024-05-01T12:00"),
        "last_event_time": moment("2024-05-02T09:03"),
    }
    assert set(row) - {"user_id", "as_of"} == {*names(USER_FEATURES), *names(USER_ATTRIBUTES)}


def test_a_tile_counts_ten_seconds_after_its_end_and_not_before(engine: Engine) -> None:
    open_shop(engine, [click("u1", "p1", at="2024-05-01T12:00"), click("u1", "p1", at="2024-05-01T12:05")])

    asked = ("12:05:09.999999", "12:05:10", "12:10:09.999999", "12:10:10")
    rows = users_at(engine, *[("u1", f"2024-05-01T{time}") for time in asked])

    assert [row["total_events"] for row in rows] == [0, 1, 1, 2]


def test_midnight_changes_nothing_but_what_leaves(engine: Engine) -> None:
    open_shop(engine, [click("u1", "p1", at="2024-05-01T23:50"), click("u1", "p1", at="2024-05-01T23:59")])

    asked = ("01T23:59:59", "02T00:00:09.999999", "02T00:00:10", "02T12:00")
    rows = users_at(engine, *[("u1", f"2024-05-{time}") for time in asked])

    assert [row["total_events"] for row in rows] == [1, 1, 2, 2]


def test_a_day_leaves_after_thirty_more(engine: Engine) -> None:
    open_shop(
        engine,
        [click("u1", "p1", at="2024-05-01T12:00", price=5.0), click("u1", "p2", at="2024-05-20T12:00")],
        SHELF,
    )

    before, after, empty = users_at(
        engine,
        ("u1", "2024-06-01T00:00:09.999999"),
        ("u1", "2024-06-01T00:00:10"),
        ("u1", "2024-06-20T00:00:10"),
    )

    assert (before["total_events"], before["favorite_category"]) == (2, "hats")
    assert (before["first_event_time"], before["avg_price_point"]) == (moment("2024-05-01T12:00"), 5.0)
    assert (after["total_events"], after["categories_viewed"]) == (1, 1)
    assert (after["first_event_time"], after["avg_price_point"]) == (moment("2024-05-20T12:00"), None)
    assert (empty["total_events"], empty["favorite_category"], empty["last_event_time"]) == (0, None, None)


def test_of_two_categories_with_as_many_events_the_first_by_name_is_the_favorite(engine: Engine) -> None:
    open_shop(
        engine,
        [click("u1", "p1", at="2024-05-01T12:00"), click("u1", "p2", at="2024-05-01T12:01")],
        SHELF,
    )

    assert users_at(engine, ("u1", "2024-05-02"))[0]["favorite_category"] == "hats"


def test_an_unknown_user_has_zero_counts_and_no_means(engine: Engine) -> None:
    open_shop(engine, [click("u1", "p1", at="2024-05-01T12:00")])

    [row] = users_at(engine, ("nobody", "2024-05-02"))

    assert (row["total_events"], row["purchase_rate"], row["categories_viewed"]) == (0, 0.0, 0)
    assert (row["avg_price_point"], row["avg_time_on_page"], row["first_event_time"]) == (None, None, None)


def test_no_points_give_no_rows(engine: Engine) -> None:
    open_shop(engine, [click("u1", "p1", at="2024-05-01T12:00")])

    assert users_at(engine) == []


def test_an_engine_table_has_the_declared_types(engine: Engine) -> None:
    open_shop(engine, [click("u1", "p1", at="2024-05-01T12:00")], SHELF)
    tiles = engine.lake.scan("gold/user_windows").collect_schema()

    assert tiles["price_sum"] == pl.Int64()
    assert tiles["window_start"] == pl.Datetime("us", "UTC")
    assert tiles["event_date"] == pl.Date()
