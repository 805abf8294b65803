"""Refreshing what has changed leaves the store as filling it anew does."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import cast

import polars as pl
import pytest
import redis

from reco_assets.catalogue.items import product_keys
from reco_assets.events.contract import RAW_SCHEMA
from reco_assets.online import keys
from reco_assets.online.codec import pack_pending
from reco_assets.online.mark import read_mark
from reco_assets.online.refresh import Refreshed, refresh
from reco_assets.online.state import moment_of
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.lake import Lake
from reco_assets.streaming.indexes import Indexes
from reco_assets.streaming.microbatch import advance_tables
from tests.builders import click, events, impression, moment, purchase
from tests.features.lakes import product, products, raw
from tests.features.shops import SHELF, random_events

FIRST = date(2024, 5, 1)


class Shop:
    """A lake that is followed by an online store."""

    def __init__(self, lake: Lake, store: redis.Redis, indexes: Path) -> None:
        self.lake = lake
        self.store = store
        self.indexes = indexes
        self.deliveries = 0
        lake.replace("silver/products", products(*SHELF).to_arrow())
        lake.ensure("raw/events", RAW_SCHEMA)

    def take(self, rows: pl.DataFrame) -> None:
        self.deliveries += 1
        self.lake.append("raw/events", raw(rows, f"stream:events:{self.deliveries}").to_arrow())

    def refresh(self, at: str | datetime, *, whole: bool = False) -> Refreshed:
        engine = DuckDBEngine(self.lake, threads=2, memory_gb=1)
        try:
            advance_tables(engine, Indexes.in_lake(self.lake))
            return refresh(engine, self.store, moment(at), user_ttl_days=30, product_ttl_days=7, whole=whole)
        finally:
            engine.close()

    def values(self) -> dict[bytes, bytes]:
        names = [*self.store.scan_iter("u:*"), *self.store.scan_iter("p:*"), *self.store.scan_iter("n:*")]
        return {name: cast("bytes", self.store.get(name)) for name in names}

    def filled_anew(self, at: str | datetime) -> dict[bytes, bytes]:
        self.store.flushdb()
        self.refresh(at, whole=True)
        return self.values()


@pytest.fixture
def shop(lake: Lake, store: redis.Redis, tmp_path: Path) -> Shop:
    return Shop(lake, store, tmp_path / "index")


@pytest.mark.parametrize("seed", [1, 2])
def test_refreshing_ends_in_the_values_of_filling_anew(shop: Shop, seed: int) -> None:
    rows = random_events(seed=seed, count=180, first=FIRST, days=40)
    ordered = rows.with_row_index("n").sort(pl.col("timestamp") + pl.duration(hours=pl.col("n") % 7 * 9))
    start = moment("2024-05-02T00:03")
    for step, part in enumerate(ordered.drop("n").iter_slices(60)):
        shop.take(part)
        for minutes in (4, 700):
            shop.refresh(start + timedelta(days=10 * step, minutes=minutes))
    at = start + timedelta(days=41)
    assert not shop.refresh(at).whole
    followed = shop.values()
    assert followed == shop.filled_anew(at)


def test_only_those_whose_values_change_are_written(shop: Shop) -> None:
    shop.take(events(*(click(f"u{n}", "p1", at=f"2024-05-01T12:0{n}") for n in range(9))))
    assert shop.refresh("2024-05-01T12:30").whole

    shop.take(events(click("u3", "p2", at="2024-05-01T12:31"), impression("u4", "p3", at="2024-05-01T12:31")))
    first = shop.refresh("2024-05-01T12:32")
    closed = shop.refresh("2024-05-01T12:35:10")
    idle = shop.refresh("2024-05-01T12:36")

    assert (first.users, first.products) == (1, 2)
    assert (closed.users, closed.products) == (1, 2)
    assert (idle.users, idle.products) == (0, 0)


def test_a_day_that_leaves_the_horizon_changes_those_it_leaves(shop: Shop) -> None:
    shop.take(events(click("u1", "p1", at="2024-05-01T12:00"), click("u2", "p1", at="2024-05-03T12:00")))
    shop.refresh("2024-05-31T23:00")

    left = shop.refresh("2024-06-01T00:00:10")

    assert (left.users, left.products) == (1, 1)


def test_a_changed_catalogue_is_told(shop: Shop) -> None:
    shop.take(events(click("u1", "p1", at="2024-05-01T12:00")))
    shop.refresh("2024-05-01T13:00")
    others = (row for row in SHELF if row["product_id"] != "p1")
    shop.lake.replace("silver/products", products(product("p1", "hats", price=1.0), *others).to_arrow())

    done = shop.refresh("2024-05-01T13:01")

    assert (done.whole, done.users, done.products) == (False, 0, 1)
    followed = shop.values()
    for name, value in shop.filled_anew("2024-05-01T13:01").items():
        assert followed[name] == value


def test_what_the_catalogue_has_known_before_takes_effect_in_its_time(shop: Shop) -> None:
    others = (row for row in SHELF if row["product_id"] != "p1")
    now_and_then = (
        product("p1", "hats", price=9.0, until="2024-05-01T14:00"),
        product("p1", "hats", price=5.0, since="2024-05-01T14:00"),
    )
    shop.lake.replace("silver/products", products(*now_and_then, *others).to_arrow())
    shop.take(events(click("u1", "p1", at="2024-05-01T12:00")))
    shop.refresh("2024-05-01T13:59")

    before = shop.refresh("2024-05-01T13:59:59")
    at = shop.refresh("2024-05-01T14:00")
    after = shop.refresh("2024-05-01T14:01")

    assert [done.products for done in (before, at, after)] == [0, 1, 0]
    followed = shop.values()
    assert followed == shop.filled_anew("2024-05-01T14:01")


def test_a_day_made_anew_touches_those_whose_events_differ(shop: Shop) -> None:
    shop.take(events(*(click(user, "p1", at="2024-05-01T12:00") for user in ("u1", "u2"))))
    shop.refresh("2024-05-01T13:00")
    kept = pl.col("user_id") != "u2"
    raw = shop.lake.scan("raw/events").filter(kept).collect()
    shop.lake.replace("raw/events", raw.to_arrow())
    shop.take(events())

    done = shop.refresh("2024-05-01T13:01")

    assert (done.whole, done.users, done.products) == (False, 1, 1)


def test_events_that_have_reached_the_tables_are_no_longer_pending(shop: Shop) -> None:
    shop.refresh("2024-05-01T11:00")
    rows = events(click("u1", "p1", at="2024-05-01T12:00"), purchase("u1", "p2", at="2024-05-01T12:01"))
    times = rows["timestamp"].dt.timestamp("us").to_numpy()
    kinds = pl.Series([0, 3], dtype=pl.Int8).to_numpy()
    entries = pack_pending(product_keys(["p1", "p2"]), kinds, times, product_keys(rows["event_id"]))
    shop.store.set(keys.pending("u1"), entries.tobytes(), ex=1000)

    shop.take(rows[:1])
    shop.refresh("2024-05-01T12:02")
    assert shop.store.get(keys.pending("u1")) == entries[1:].tobytes()
    assert 0 < int(shop.store.ttl(keys.pending("u1"))) <= 1000

    shop.take(rows[1:])
    shop.refresh("2024-05-01T12:03")
    assert shop.store.get(keys.pending("u1")) is None


def test_filling_anew_settles_what_is_pending_too(shop: Shop) -> None:
    rows = events(click("u1", "p1", at="2024-05-01T12:00"))
    shop.take(rows)
    times = rows["timestamp"].dt.timestamp("us").to_numpy()
    kinds = pl.Series([0], dtype=pl.Int8).to_numpy()
    entry = pack_pending(product_keys(["p1"]), kinds, times, product_keys(rows["event_id"]))
    shop.store.set(keys.pending("u1"), entry.tobytes())

    shop.refresh("2024-05-01T12:03", whole=True)

    assert shop.store.get(keys.pending("u1")) is None


def test_the_mark_says_how_far_the_store_has_come(shop: Shop) -> None:
    assert read_mark(shop.store) is None
    shop.take(events(click("u1", "p1", at="2024-05-01T12:00")))
    done = shop.refresh("2024-05-01T12:03")
    assert read_mark(shop.store) == done.mark


def test_a_history_that_is_only_tried_out_is_taken_as_of_its_end(lake: Lake) -> None:
    day = pl.DataFrame({"event_id": ["e1"], "event_date": [date(2024, 5, 1)]})
    lake.append("silver/interactions", day.to_arrow())

    assert moment_of(lake, moment("2024-05-31T12:00")) == moment("2024-05-31T12:00")
    assert moment_of(lake, moment("2026-01-01T12:00")) == moment("2024-05-02T00:00:10")
