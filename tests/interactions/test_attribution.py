"""Attribution: by the answer that an event names, else by the last one that showed its product."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.interactions import attribution
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.engine import Engine
from reco_assets.platform.lake import Lake
from tests.builders import Event, add_to_cart, click, event, favorite, impression, moment, purchase
from tests.interactions.answers import answer, attributed, credits

NOON = "2024-05-01T12:00"


def test_a_click_belongs_to_the_answer_that_showed_the_product(engine: Engine) -> None:
    shown = answer("r1", "u1", "p1", "p2", at=NOON)
    clicked = click("u1", "p2", at="2024-05-01T12:00:30.5", event_id="c1")

    [row] = attributed(engine, *shown, clicked).to_dicts()

    assert row == {
        "event_id": "c1",
        "event_type": "click",
        "user_id": "u1",
        "product_id": "p2",
        "timestamp": moment("2024-05-01T12:00:30.5"),
        "event_date": moment(NOON).date(),
        "recommendation_id": "r1",
        "position": 1,
        "shown_at": moment(NOON),
        "how": "product",
        "seconds_after": 30.5,
    }
    assert list(row) == list(attribution.COLUMNS)


def test_the_answer_that_an_event_names_comes_before_a_later_one(engine: Engine) -> None:
    shown = [*answer("r1", "u1", "p1", at=NOON), *answer("r2", "u1", "p1", at="2024-05-01T12:05")]
    clicked = click("u1", "p1", at="2024-05-01T12:06", recommendation_id="r1")

    assert credits(engine, *shown, clicked) == [("r1", "id")]


def test_without_a_name_the_last_touch_counts(engine: Engine) -> None:
    shown = [*answer("r1", "u1", "p1", at=NOON), *answer("r2", "u1", "p1", at="2024-05-01T12:05")]
    between = click("u1", "p1", at="2024-05-01T12:04")
    after = click("u1", "p1", at="2024-05-01T12:06")

    assert credits(engine, *shown, between, after) == [("r1", "product"), ("r2", "product")]


def test_of_two_answers_at_one_moment_it_is_always_the_same(engine: Engine) -> None:
    shown = [*answer("r2", "u1", "p1", at=NOON), *answer("r1", "u1", "p1", at=NOON)]

    assert credits(engine, *shown, click("u1", "p1", at="2024-05-01T12:01")) == [("r2", "product")]


def test_a_name_that_never_showed_the_product_falls_back_to_the_last_touch(engine: Engine) -> None:
    shown = [*answer("r1", "u1", "p1", at=NOON), *answer("r2", "u1", "p2", at=NOON)]
    wrong = click("u1", "p1", at="2024-05-01T12:01", recommendation_id="r2")
    unknown = click("u1", "p1", at="2024-05-01T12:02", recommendation_id="r9")

    assert credits(engine, *shown, wrong, unknown) == [("r1", "product"), ("r1", "product")]


def test_what_another_user_was_shown_is_not_taken(engine: Engine) -> None:
    shown = answer("r1", "u2", "p1", at=NOON)
    clicks = [
        click("u1", "p1", at="2024-05-01T12:01"),
        click("u1", "p1", at="2024-05-01T12:02", recommendation_id="r1"),
    ]

    assert credits(engine, *shown, *clicks) == []


def test_an_impression_after_the_click_is_not_taken(engine: Engine) -> None:
    shown = answer("r1", "u1", "p1", at=NOON)
    clicks = [
        click("u1", "p1", at="2024-05-01T11:59:59.999999"),
        click("u1", "p1", at="2024-05-01T11:59", recommendation_id="r1"),
    ]

    assert credits(engine, *shown, *clicks) == []
    assert credits(engine, *shown, click("u1", "p1", at=NOON)) == [("r1", "product")]


def test_every_one_of_repeated_clicks_is_attributed(engine: Engine) -> None:
    clicks = [click("u1", "p1", at=f"2024-05-01T12:0{minute}") for minute in range(1, 5)]

    assert credits(engine, *answer("r1", "u1", "p1", at=NOON), *clicks) == [("r1", "product")] * 4


def test_a_click_counts_for_a_day_and_a_purchase_for_a_week(engine: Engine) -> None:
    start, instant = moment(NOON), timedelta(microseconds=1)
    for make, window in (
        (click, timedelta(hours=24)),
        (add_to_cart, timedelta(hours=24)),
        (purchase, timedelta(days=7)),
    ):
        shown = answer("r1", "u1", "p1", at=start)
        inside = make("u1", "p1", at=start + window)
        outside = make("u1", "p1", at=start + window + instant)
        named = make("u1", "p1", at=start + window + 2 * instant, recommendation_id="r1")

        found = attributed(engine, *shown, inside, outside, named)

        assert found["event_id"].to_list() == [inside["event_id"]]
        assert found["seconds_after"].to_list() == [window.total_seconds()]


def test_a_name_out_of_its_window_leaves_the_event_to_a_later_answer(engine: Engine) -> None:
    shown = [*answer("r1", "u1", "p1", at=NOON), *answer("r2", "u1", "p1", at="2024-05-02T12:00")]
    clicked = click("u1", "p1", at="2024-05-02T13:00", recommendation_id="r1")

    assert credits(engine, *shown, clicked) == [("r2", "product")]


def test_only_clicks_carts_and_purchases_are_attributed(engine: Engine) -> None:
    later = "2024-05-01T12:01"
    others = [favorite("u1", "p1", at=later), event("search", "u1", None, at=later, query="shoes")]

    assert credits(engine, *answer("r1", "u1", "p1", at=NOON), *others) == []


def test_an_impression_that_a_page_reports_is_no_answer_of_the_service(engine: Engine) -> None:
    seen = [
        impression("u1", "p1", at=NOON),
        impression("u1", "p1", at=NOON, event_id="x", recommendation_id="r1", position=0),
    ]

    assert credits(engine, *seen, click("u1", "p1", at="2024-05-01T12:01")) == []


def test_a_product_shown_twice_in_one_answer_is_one_touch(engine: Engine) -> None:
    clicked = click("u1", "p1", at="2024-05-01T12:01")
    named = click("u1", "p1", at="2024-05-01T12:02", recommendation_id="r1")

    found = attributed(engine, *answer("r1", "u1", "p1", "p1", at=NOON), clicked, named)

    assert found.select("recommendation_id", "position", "how").rows() == [
        ("r1", 0, "product"),
        ("r1", 0, "id"),
    ]


@st.composite
def visits(draw: st.DrawFn) -> list[Event]:
    """Few users, products and moments, so that nearly everything meets something."""
    start = moment("2024-05-01")
    # whole hours and half days meet the windows' edges
    hours = st.sampled_from([0, 1, 2, 12, 23, 24, 25, 36, 48, 100, 167, 168, 169, 180, 192])
    rows: list[Event] = []
    for number in range(draw(st.integers(1, 6))):
        products = draw(st.permutations(["p1", "p2", "p3"]))[: draw(st.integers(1, 3))]
        user, at = draw(st.sampled_from(["u1", "u2"])), start + timedelta(hours=draw(hours))
        rows += answer(f"r{number}", user, *products, at=at)
    for number in range(draw(st.integers(1, 8))):
        rows.append(
            event(
                draw(st.sampled_from(["click", "add_to_cart", "purchase", "favorite"])),
                draw(st.sampled_from(["u1", "u2"])),
                draw(st.sampled_from(["p1", "p2", "p3"])),
                at=start + timedelta(hours=draw(hours)),
                event_id=f"e{number}",
                recommendation_id=draw(st.sampled_from([None, "r0", "r1", "r2", "r9"])),
            )
        )
    return rows


def touch(row: Event) -> tuple[datetime, str]:
    """When an answer showed something, and its name."""
    at, name = row["timestamp"], row["recommendation_id"]
    assert isinstance(at, datetime)
    return at, str(name)


def expected(rows: list[Event]) -> list[tuple[str, str, str]]:
    """The same by hand: each event held against every impression."""
    found = []
    for row in rows:
        window = attribution.WINDOWS.get(str(row["event_type"]))
        at, named = touch(row)
        touches = [
            (touch(one)[1] == named, touch(one))
            for one in rows
            if one["event_type"] == "impression"
            and (one["user_id"], one["product_id"]) == (row["user_id"], row["product_id"])
            and window is not None
            and timedelta(0) <= at - touch(one)[0] <= window
        ]
        if touches:
            by_id, (_, name) = max(touches)
            found.append((str(row["event_id"]), name, "id" if by_id else "product"))
    return sorted(found)


@settings(max_examples=25, deadline=None)
@given(rows=visits(), order=st.randoms(use_true_random=False))
def test_in_any_order_an_event_goes_to_the_best_impression_in_its_window(
    rows: list[Event], order: object
) -> None:
    shuffled = list(rows)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    engine = DuckDBEngine(Lake("unused"), threads=1, memory_gb=1)

    found = attributed(engine, *shuffled)

    assert sorted(found.select("event_id", "recommendation_id", "how").rows()) == expected(rows)
    after = found["timestamp"] - found["shown_at"]
    assert (after >= timedelta(0)).all()
    assert (found["seconds_after"] == after.dt.total_microseconds() / 1e6).all()
    shown = {(row["recommendation_id"], row["user_id"], row["product_id"], row["position"]) for row in rows}
    places = found.select("recommendation_id", "user_id", "product_id", "position").rows()
    assert set(places) <= shown
    assert found.equals(attributed(engine, *rows).select(pl.col(found.columns)))
    engine.close()
