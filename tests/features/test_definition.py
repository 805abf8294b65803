"""The running sums against the definition of a feature, written out event by event."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from math import log
from operator import itemgetter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.lake import Lake
from tests.builders import Event, event, moment
from tests.features.asking import features_in_memory
from tests.features.lakes import product

START = moment("2024-03-01")
DAYS = 70
CATEGORIES = {"p1": "shoes", "p2": "hats", "p3": "bags"}
SHELF = [
    *(
        product(name, category, price=1.0, inventory=7)
        for name, category in CATEGORIES.items()
        if name != "p2"
    ),
    product("p2", "hats", price=2.0, inventory=1, since="2024-03-20", until="2024-04-10"),
    product("p2", "hats", price=3.0, inventory=0, since="2024-04-10", until="2024-04-20"),
    product("p4", None),
]
TIMES = st.one_of(
    st.integers(0, DAYS * 24 * 12).map(lambda tile: START + timedelta(minutes=5 * tile)),
    st.integers(0, DAYS).map(lambda day: START + timedelta(days=day, seconds=10)),
    st.integers(0, DAYS * 24 * 3600).map(lambda second: START + timedelta(seconds=second)),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    rows = []
    for number in range(draw(st.integers(1, 40))):
        kind = draw(st.sampled_from(["click", "purchase", "add_to_cart", "search", "impression", "rate"]))
        rows.append(
            event(
                kind,
                draw(st.sampled_from(["u1", "u2"])),
                None if kind == "search" else draw(st.sampled_from(["p1", "p2", "p3", "p4"])),
                at=draw(TIMES),
                event_id=f"e{number}",
                price=draw(st.sampled_from([None, 1.25, 3.0])),
                rating=draw(st.sampled_from([1.0, 4.5])) if kind == "rate" else None,
            )
        )
    return rows


def counted(rows: list[Event], key: str, name: str, as_of: datetime, days: int, skip: int = 0) -> list[Event]:
    """Events of the ``days`` full days before today, but the last ``skip``; with today's closed tiles."""
    seen_until = as_of - timedelta(seconds=10)
    today = seen_until.date()
    found = []
    for row in rows:
        at = row["timestamp"]
        assert isinstance(at, datetime)
        tile_end = START + ((at - START) // timedelta(minutes=5) + 1) * timedelta(minutes=5)
        past = today - timedelta(days=days) <= at.date() < today - timedelta(days=skip)
        current = skip == 0 and at.date() == today and tile_end <= seen_until
        if row[key] == name and row["event_type"] != "impression" and (past or current):
            found.append(row)
    return found


def mean(values: list[float]) -> float:
    """As the definition has it: sums are of whole ten-thousandths, so that their order cannot matter."""
    return sum(round(10_000 * value) for value in values) / len(values) / 10_000


def user_by_hand(rows: list[Event], user: str, as_of: datetime) -> dict[str, object]:
    done = counted(rows, "user_id", user, as_of, days=30)
    kinds = Counter(row["event_type"] for row in done)
    tastes = Counter(CATEGORIES[str(row["product_id"])] for row in done if row["product_id"] in CATEGORIES)
    prices = [float(str(row["price"])) for row in done if row["event_type"] == "click" and row["price"]]
    times = sorted(map(str, map(itemgetter("timestamp"), done)))
    return {
        "total_events": len(done),
        "clicks": kinds["click"],
        "purchases": kinds["purchase"],
        "add_to_carts": kinds["add_to_cart"],
        "purchase_rate": kinds["purchase"] / kinds["click"] if kinds["click"] else 0.0,
        "categories_viewed": len(tastes),
        "favorite_category": min(tastes, key=lambda name: (-tastes[name], name)) if tastes else None,
        "avg_price_point": mean(prices) if prices else None,
        "avg_time_on_page": None,
        "first_event_time": moment(times[0]) if times else None,
        "last_event_time": moment(times[-1]) if times else None,
    }


def interest(rows: list[Event]) -> int:
    kinds = Counter(row["event_type"] for row in rows)
    return kinds["click"] + 3 * kinds["add_to_cart"] + 10 * kinds["purchase"]


def product_by_hand(rows: list[Event], name: str, as_of: datetime) -> dict[str, object]:
    done = counted(rows, "product_id", name, as_of, days=30)
    kinds = Counter(row["event_type"] for row in done)
    stars = [float(str(row["rating"])) for row in done if row["event_type"] == "rate"]
    week, before = (
        interest(counted(rows, "product_id", name, as_of, days=days, skip=skip))
        for days, skip in ((7, 0), (14, 7))
    )
    [told] = [
        row
        for row in SHELF
        if row["product_id"] == name
        and row["valid_from"] <= as_of  # type: ignore[operator]
        and (row["valid_to"] is None or as_of < row["valid_to"])  # type: ignore[operator]
    ] or [product(name)]
    return {
        "clicks": kinds["click"],
        "purchases": kinds["purchase"],
        "add_to_carts": kinds["add_to_cart"],
        "popularity_score": pytest.approx(log(1 + interest(done))),
        "conversion_rate": pytest.approx((kinds["purchase"] + 1) / (kinds["click"] + 50)),
        "avg_rating": mean(stars) if stars else 0.0,
        "trend": pytest.approx(log((week + 1) / (before + 1))),
        "category": told["category"],
        "price": told["price"],
        "inventory_level": told["inventory"],
    }


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=histories(), asked=st.lists(TIMES, min_size=1, max_size=12, unique=True))
def test_features_are_what_their_definition_says(rows: list[Event], asked: list[datetime]) -> None:
    engine = DuckDBEngine(Lake("unused"), threads=1, memory_gb=1)
    users, products = features_in_memory(engine, rows, SHELF, ["u1", "u2"], asked)
    engine.close()

    assert users.height == 2 * len(asked)
    assert products.height == len({row["product_id"] for row in SHELF}) * len(asked)
    for row in users.iter_rows(named=True):
        expected = user_by_hand(rows, row["user_id"], row["as_of"])
        assert {name: row[name] for name in expected} == expected, row
    for row in products.iter_rows(named=True):
        expected = product_by_hand(rows, row["product_id"], row["as_of"])
        assert {name: row[name] for name in expected} == expected, row
