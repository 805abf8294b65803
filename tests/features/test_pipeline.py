from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from reco_assets.errors import MissingTable
from reco_assets.features import pipeline
from reco_assets.interactions.pipeline import build_interactions
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.engine import Engine
from reco_assets.platform.lake import Lake
from tests.builders import Event, click, events, moment, purchase
from tests.features.asking import open_shop
from tests.features.lakes import TABLES, build, content, contents, deliver, product, stock
from tests.features.shops import SHELF, random_events

FIRST, LAST = date(2024, 5, 1), date(2024, 5, 4)


@pytest.fixture
def shop(engine: Engine) -> Engine:
    stock(engine, *SHELF)
    deliver(engine, random_events(seed=1, count=400, first=FIRST, days=4))
    return engine


def files(engine: Engine, name: str, day: date) -> set[str]:
    return set(engine.lake.files(name, day, day))


def test_a_range_gives_the_same_as_its_days_in_any_order(shop: Engine) -> None:
    build(shop, FIRST, LAST)
    at_once = contents(shop)

    days = [FIRST + timedelta(days=number) for number in range(4)]
    for step in (build_interactions, *pipeline.BUILDS.values()):
        for day in reversed(days):
            step(shop, day, day)

    for name, table in contents(shop).items():
        assert table.height > 0
        assert_frame_equal(table, at_once[name], check_exact=True)


def test_a_day_made_again_has_the_same_rows_and_leaves_the_files_of_other_days(shop: Engine) -> None:
    build(shop, FIRST, LAST)
    before = contents(shop)
    day = FIRST + timedelta(days=1)
    others = {name: set(shop.lake.files(name)) - files(shop, name, day) for name in TABLES}

    build(shop, day, day)

    for name in TABLES:
        assert_frame_equal(content(shop, name), before[name], check_exact=True)
        assert set(shop.lake.files(name)) - files(shop, name, day) == others[name]


def test_a_step_reports_its_version_and_rows(shop: Engine) -> None:
    written = build_interactions(shop, FIRST, LAST)
    again = build_interactions(shop, FIRST, FIRST)

    total = content(shop, "silver/interactions")
    assert (written.version, written.rows) == (0, total.height)
    assert (again.version, again.rows) == (1, total.filter(pl.col("event_date") == FIRST).height)


def test_days_without_events_give_empty_tables(shop: Engine) -> None:
    build(shop, date(2030, 1, 1), date(2030, 1, 2))

    assert [content(shop, name).height for name in TABLES] == [0] * len(TABLES)


def test_a_step_before_its_input_says_what_is_missing(engine: Engine) -> None:
    with pytest.raises(MissingTable, match="raw/events"):
        build_interactions(engine, FIRST, LAST)


def test_daily_features_hold_the_users_that_changed(engine: Engine) -> None:
    open_shop(engine, [click("u1", "p1", at="2024-05-01T12:00"), click("u2", "p1", at="2024-05-02T12:00")])

    pipeline.BUILDS["gold/user_features"](engine, date(2024, 5, 1), date(2024, 6, 5))

    table = content(engine, "gold/user_features").sort("as_of")
    assert table.select("user_id", "as_of", "as_of_time", "total_events").rows() == [
        ("u1", date(2024, 5, 1), moment("2024-05-02T00:00:10"), 1),
        ("u2", date(2024, 5, 2), moment("2024-05-03T00:00:10"), 1),
        ("u1", date(2024, 5, 31), moment("2024-06-01T00:00:10"), 0),
        ("u2", date(2024, 6, 1), moment("2024-06-02T00:00:10"), 0),
    ]


def test_daily_features_hold_the_products_that_changed(engine: Engine) -> None:
    shelf = [
        product("p1", "shoes", price=2.0, since="2024-05-01T08:00", until="2024-05-03T08:00"),
        product("p1", "shoes", price=1.0, since="2024-05-03T08:00"),
    ]
    open_shop(engine, [purchase("u1", "p1", at="2024-05-01T12:00")], shelf)

    pipeline.BUILDS["gold/product_features"](engine, date(2024, 5, 1), date(2024, 6, 5))

    table = content(engine, "gold/product_features").sort("as_of")
    assert table.select("as_of", "price", "purchases", pl.col("trend").round(3)).rows() == [
        (date(2024, 5, 1), 2.0, 1, 2.398),
        (date(2024, 5, 3), 1.0, 1, 2.398),
        (date(2024, 5, 8), 1.0, 1, -2.398),
        (date(2024, 5, 15), 1.0, 1, 0.0),
        (date(2024, 5, 31), 1.0, 0, 0.0),
    ]


def test_daily_rows_are_the_point_in_time_values(shop: Engine) -> None:
    build(shop, FIRST, LAST)
    daily = content(shop, "gold/user_features")

    asked = daily.select("user_id", as_of="as_of_time")
    found = pl.DataFrame(pipeline.point_in_time_user_features(shop, asked.to_arrow()))

    expected = daily.drop("as_of").rename({"as_of_time": "as_of"}).select(found.columns)
    assert_frame_equal(found.sort("user_id", "as_of"), expected.sort("user_id", "as_of"), check_exact=True)


@pytest.mark.parametrize("at", ["2024-05-03T00:00:10", "2024-05-03T11:37:12", "2024-05-03T23:59:59"])
@pytest.mark.parametrize(
    ("key", "features"),
    [
        ("user_id", pipeline.point_in_time_user_features),
        ("product_id", pipeline.point_in_time_product_features),
    ],
)
def test_a_moment_asked_alone_is_what_it_is_among_others(
    shop: Engine, key: str, features: Callable[[Engine, pa.Table], pa.Table], at: str
) -> None:
    build(shop, FIRST, LAST)
    ids = shop.lake.scan("silver/interactions").select(pl.col(key).drop_nulls().unique()).collect()
    alone = ids.with_columns(as_of=pl.lit(moment(at)).cast(pl.Datetime("us", "UTC")))
    others = alone.with_columns(pl.col("as_of") + pl.duration(minutes=7))

    found = pl.DataFrame(features(shop, alone.to_arrow()))
    among = pl.DataFrame(features(shop, pl.concat([alone, others]).to_arrow()))

    expected = among.filter(pl.col("as_of") == moment(at))
    assert_frame_equal(found, expected, check_exact=True, check_row_order=False)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**16), parts=st.integers(2, 3))
def test_late_and_repeated_deliveries_end_in_the_tables_of_one_batch(
    tmp_path_factory: pytest.TempPathFactory, seed: int, parts: int
) -> None:
    table = random_events(seed=seed, count=60, first=FIRST, days=3)
    dice = random.Random(seed)
    of_row = [dice.randrange(parts) for _ in range(table.height)]
    last = FIRST + timedelta(days=2)

    batch = DuckDBEngine(Lake(str(tmp_path_factory.mktemp("batch"))), threads=1, memory_gb=1)
    stock(batch, *SHELF)
    deliver(batch, table)
    build(batch, FIRST, last)

    pieces = DuckDBEngine(Lake(str(tmp_path_factory.mktemp("pieces"))), threads=1, memory_gb=1)
    stock(pieces, *SHELF)
    for part in range(parts):
        piece = table.filter(pl.Series(of_row) == part)
        again = table.filter(pl.Series(of_row) < part).sample(fraction=0.2, seed=seed)
        deliver(pieces, pl.concat([piece, again]).sample(fraction=1, shuffle=True, seed=seed), f"part:{part}")
        build(pieces, FIRST, last)

    for name, expected in contents(batch).items():
        assert_frame_equal(content(pieces, name), expected, check_exact=True)
    batch.close()
    pieces.close()


def test_only_files_that_can_hold_the_day_are_read(engine: Engine) -> None:
    rows: list[Event] = [click("u1", "p1", at=f"2024-05-0{day}T12:00") for day in (1, 2, 3)]
    for number, row in enumerate(rows):
        deliver(engine, events(row), f"file:{number}")
    stock(engine, *SHELF)
    spoiled = engine.lake.files_of_days("raw/events", "event_date", date(2024, 5, 3), date(2024, 5, 3))
    for path in spoiled:
        Path(path).write_bytes(b"unreadable")

    assert len(spoiled) == 1
    assert build_interactions(engine, date(2024, 5, 1), date(2024, 5, 2)).rows == 2
