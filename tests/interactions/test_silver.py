from __future__ import annotations

from datetime import timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.interactions import silver
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.engine import Engine
from reco_assets.platform.lake import Lake
from tests.builders import Event, click, events, moment, purchase, search
from tests.features.lakes import product, products, raw

SHELF = products(product("p1", "shoes"), product("p2", "hats"))


def interactions(engine: Engine, rows: pl.DataFrame, shelf: pl.DataFrame = SHELF) -> pl.DataFrame:
    history = silver.category_history(engine.arrow(shelf.to_arrow()))
    delivered = engine.arrow(rows.select(silver.RAW_COLUMNS).to_arrow())
    found = silver.interactions(delivered, silver.repeated_ids(engine, delivered), history)
    return pl.DataFrame(engine.to_arrow(found)).sort("timestamp", "event_id")


def test_an_event_delivered_twice_is_one_interaction(engine: Engine) -> None:
    once = events(click("u1", "p1", at="2024-05-01T12:00"))
    twice = pl.concat([raw(once, "file:a"), raw(once, "stream:b")])

    assert interactions(engine, twice).height == 1


def test_rows_keep_every_field_of_the_event(engine: Engine) -> None:
    bought = purchase(
        "u1", "p1", at="2024-05-01T12:00", price=9.5, quantity=2, recommendation_id="r1", position=3
    )

    [row] = interactions(engine, raw(events(bought))).to_dicts()

    assert {name: row[name] for name in bought} == bought
    assert list(row) == list(silver.COLUMNS)


def test_the_earliest_of_two_copies_stays(engine: Engine) -> None:
    late = click("u1", "p1", at="2024-05-01T12:00:05", event_id="e1", source="app")
    early = click("u1", "p1", at="2024-05-01T12:00:00", event_id="e1", source="web")

    assert interactions(engine, raw(events(late, early)))["source"].to_list() == ["web"]


def test_a_retry_over_midnight_is_the_same_event(engine: Engine) -> None:
    first = click("u1", "p1", at="2024-05-01T23:59:59", event_id="e1")
    again = click("u1", "p1", at="2024-05-02T00:00:01", event_id="e1")

    assert interactions(engine, raw(events(again, first)))["timestamp"].to_list() == [first["timestamp"]]


def test_an_id_that_comes_back_days_later_is_another_event(engine: Engine) -> None:
    first = click("u1", "p1", at="2024-05-01T12:00", event_id="1")
    other = click("u1", "p2", at="2024-05-03T12:00", event_id="1")

    assert interactions(engine, raw(events(first, other)))["product_id"].to_list() == ["p1", "p2"]


def test_the_winner_between_copies_of_one_moment_does_not_depend_on_their_order(engine: Engine) -> None:
    web = click("u1", "p1", at="2024-05-01T12:00", event_id="e1", source="web", price=1.0)
    app = click("u1", "p1", at="2024-05-01T12:00", event_id="e1", source="app", price=None)

    assert interactions(engine, raw(events(web, app))).equals(interactions(engine, raw(events(app, web))))


def test_the_category_is_the_one_at_the_time_of_the_event(engine: Engine) -> None:
    shelf = products(
        product("p1", "shoes", price=1.0, since="2024-05-01", until="2024-05-02"),
        product("p1", "shoes", price=2.0, since="2024-05-02", until="2024-05-03"),
        product("p1", "sale", price=2.0, since="2024-05-03"),
    )
    rows = raw(
        events(
            click("u1", "p1", at="2024-05-02T23:59:59.999999"),
            click("u1", "p1", at="2024-05-03T00:00"),
        )
    )

    assert interactions(engine, rows, shelf)["category"].to_list() == ["shoes", "sale"]


def test_the_first_known_category_holds_for_earlier_events_too(engine: Engine) -> None:
    shelf = products(
        product("p1", None, since="2024-05-01", until="2024-05-04"),
        product("p1", "shoes", since="2024-05-04"),
    )

    rows = raw(events(click("u1", "p1", at="2024-05-02")))

    assert interactions(engine, rows, shelf)["category"].to_list() == ["shoes"]


def test_a_product_that_the_catalogue_lacks_and_a_search_have_no_category(engine: Engine) -> None:
    rows = raw(events(click("u1", "p9", at="2024-05-01"), search("u1", "red shoes", at="2024-05-02")))

    assert interactions(engine, rows)["category"].to_list() == [None, None]


MOMENTS = st.integers(0, 3 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))


@st.composite
def copies_of_events(draw: st.DrawFn) -> list[Event]:
    """Events of which some come again, at another time or with other fields."""
    start = moment("2024-05-01")
    rows = []
    for number in draw(st.lists(st.integers(0, 6), min_size=1, max_size=12)):
        at = start + draw(MOMENTS)
        rows.append(
            click("u1", draw(st.sampled_from(["p1", "p2"])), at=at, event_id=f"e{number}",
                  price=draw(st.sampled_from([None, 1.0, 2.0])))
        )  # fmt: skip
    return rows


@settings(max_examples=25, deadline=None)
@given(rows=copies_of_events(), order=st.randoms(use_true_random=False))
def test_no_order_and_no_repetition_changes_the_table(rows: list[Event], order: object) -> None:
    shuffled = rows + rows[: len(rows) // 2]
    # drawn before the engine is opened: an example that is given up here would leave it open
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    engine = DuckDBEngine(Lake("unused"), threads=1, memory_gb=1)

    assert interactions(engine, raw(events(*shuffled))).equals(interactions(engine, raw(events(*rows))))
    engine.close()
