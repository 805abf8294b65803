"""Attributions and impressions of days: from what was answered and done to rows to learn from."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

import msgspec
import polars as pl
from polars.testing import assert_frame_equal

from reco_assets.events.decided import Decided, encode
from reco_assets.events.decision_rows import DECISIONS, DECISIONS_SCHEMA, decision_row, impressions
from reco_assets.interactions.outcomes import (
    ATTRIBUTIONS,
    IMPRESSIONS,
    OPEN,
    build_attributions,
    build_impressions,
)
from reco_assets.interactions.pipeline import build_interactions
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.engine import Engine
from reco_assets.platform.lake import Lake
from reco_assets.platform.spark_engine import SparkEngine
from reco_assets.platform.streams.stream import Record
from tests.builders import Event, add_to_cart, click, events, impression, moment, purchase
from tests.events.answers import decided
from tests.features.lakes import content, deliver, product, stock

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DAY = date(2024, 5, 1)
LATER = DAY + timedelta(days=5)


def answered(engine: Engine, *decisions: Decided) -> None:
    """``raw/decisions`` and the impressions in ``raw/events``, as a drain leaves them."""
    records = [Record(place, said.now_us, encode(said)) for place, said in enumerate(decisions)]
    rows = [("stream:decisions:0", record.position, *decision_row(record)) for record in records]
    table = pl.DataFrame(rows, schema=DECISIONS_SCHEMA, orient="row")
    engine.lake.append(DECISIONS, table.to_arrow())
    engine.lake.append("raw/events", impressions(table).to_arrow())


def lookalikes() -> list[Event]:
    """Events that have the form of our impressions; nobody was shown these."""
    return [
        impression(
            "u9",
            "p1",
            at="2024-05-01T12:00",
            event_id=f"{name}:{place}",
            recommendation_id=name,
            position=place,
        )
        for name, place in (("r9", 0), ("r1", 2), ("r1", 2**40))
    ]


def open_shop(engine: Engine) -> None:
    """Two answers of one day, and what came of them on that day and five days later."""
    stock(engine, product("p1", "shoes"), product("p2", "hats"))
    answered(
        engine,
        decided("r1", "u1", "p1", "p2", at="2024-05-01T12:00", variant="blue", propensities=[1.0, 0.25]),
        decided("r2", "u2", "p1", at="2024-05-01T13:00"),
    )
    deliver(
        engine,
        events(
            click("u1", "p2", at="2024-05-01T12:01", recommendation_id="r1"),
            add_to_cart("u1", "p2", at="2024-05-01T12:02"),
            click("u2", "p2", at="2024-05-01T13:01"),
            impression("u2", "p2", at="2024-05-01T13:01", source="web"),
            *lookalikes(),
            purchase("u1", "p2", at="2024-05-06T09:00", price=9.5),
        ),
    )


def build(engine: Engine, first: date, last: date) -> None:
    build_interactions(engine, first, last)
    build_attributions(engine, first, last)
    build_impressions(engine, first - OPEN, last)


def results(engine: Engine) -> list[tuple[object, ...]]:
    columns = ("recommendation_id", "product_id", "clicked", "carted", "purchased")
    return sorted(engine.lake.scan(IMPRESSIONS).select(columns).collect().rows())


def test_a_shown_product_has_what_the_decision_said_and_what_came_of_it(engine: Engine) -> None:
    open_shop(engine)
    build(engine, DAY, LATER)

    rows = engine.lake.scan(IMPRESSIONS).sort("recommendation_id", "position").collect()

    assert rows.height == 3
    assert rows.row(1, named=True) == {
        "recommendation_id": "r1",
        "user_id": "u1",
        "product_id": "p2",
        "position": 1,
        "shown_at": moment("2024-05-01T12:00"),
        "event_date": DAY,
        "variant": "blue",
        "bundle": "b1",
        "rung": "full",
        "score": 0.5,
        "source": "popular",
        "propensity": 0.25,
        "clicked": True,
        "carted": True,
        "purchased": True,
    }
    assert results(engine) == [
        ("r1", "p1", False, False, False),
        ("r1", "p2", True, True, True),
        ("r2", "p1", False, False, False),
    ]


def test_a_purchase_of_today_changes_the_outcome_of_an_impression_of_last_week(engine: Engine) -> None:
    open_shop(engine)
    build(engine, DAY, DAY)
    assert ("r1", "p2", True, True, False) in results(engine)

    build(engine, LATER, LATER)

    assert ("r1", "p2", True, True, True) in results(engine)
    how = engine.lake.scan(ATTRIBUTIONS).select("event_type", "how").collect().rows()
    assert sorted(how) == [("add_to_cart", "product"), ("click", "id"), ("purchase", "product")]


def test_day_by_day_or_at_once_or_twice_gives_the_same(engine: Engine, tmp_path: Path) -> None:
    open_shop(engine)
    build(engine, DAY, LATER)
    other = DuckDBEngine(Lake(str(tmp_path / "other")), threads=2, memory_gb=1)
    open_shop(other)

    for number in range((LATER - DAY).days + 1):
        day = DAY + number * timedelta(days=1)
        build(other, day, day)
    build(other, LATER, LATER)

    for name in (ATTRIBUTIONS, IMPRESSIONS):
        assert_frame_equal(content(other, name), content(engine, name))
    other.close()


def test_the_commit_names_what_the_days_were_made_from(engine: Engine) -> None:
    open_shop(engine)
    build(engine, DAY, LATER)
    lake, day = engine.lake, DAY.isoformat()

    assert lake.progress(ATTRIBUTIONS, f"silver/interactions@{day}") == lake.version("silver/interactions")
    assert lake.progress(IMPRESSIONS, f"gold/attributions@{day}") == lake.version(ATTRIBUTIONS)


def test_a_shop_that_has_never_answered_has_empty_tables(engine: Engine) -> None:
    stock(engine, product("p1", "shoes"))
    deliver(engine, events(click("u1", "p1", at="2024-05-01T12:01")))
    build(engine, DAY, DAY)
    build(engine, DAY, DAY)

    for name in (ATTRIBUTIONS, IMPRESSIONS):
        assert engine.lake.scan(name).collect().is_empty()


def as_of_old(lake: Lake, name: str, rows: pl.DataFrame) -> None:
    """The table as code that did not know all its columns had written it."""
    rmtree(lake.uri(name))
    lake.append(name, rows.to_arrow())


def test_tables_of_an_earlier_version_get_the_column_and_their_rows_have_null(engine: Engine) -> None:
    open_shop(engine)
    lake = engine.lake
    old = lake.scan(DECISIONS).drop("propensities").collect()
    as_of_old(lake, DECISIONS, old)
    build(engine, DAY, LATER)
    as_of_old(lake, IMPRESSIONS, lake.scan(IMPRESSIONS).drop("propensity").collect())

    answered(engine, decided("r3", "u3", "p1", at="2024-05-04T12:00"))
    build(engine, DAY, LATER)

    rows = lake.scan(IMPRESSIONS).sort("recommendation_id", "position").collect()
    assert rows["recommendation_id"].to_list() == ["r1", "r1", "r2", "r3"]
    assert rows["propensity"].to_list() == [None, None, None, 1.0]


def test_a_record_of_the_first_version_says_no_propensities() -> None:
    told = decided("r1", "u1", "p1", at="2024-05-01T12:00")
    first, second = (
        decision_row(Record(0, told.now_us, encode(one)))
        for one in (msgspec.structs.replace(told, propensities=[], version=1), told)
    )
    place = list(DECISIONS_SCHEMA).index("propensities") - 2
    assert (first[place], second[place]) == (None, [1.0])


def test_spark_replaces_days_by_what_duckdb_had_written(engine: Engine, session: SparkSession) -> None:
    open_shop(engine)
    build(engine, DAY, LATER)
    before = {name: content(engine, name) for name in (ATTRIBUTIONS, IMPRESSIONS)}
    spark = SparkEngine(engine.lake, session)

    assert build_attributions(spark, DAY, LATER).rows == 3
    assert build_impressions(spark, DAY, LATER).rows == 3

    for name, expected in before.items():
        found = content(engine, name)
        assert dict(found.schema) == dict(expected.schema)
        assert_frame_equal(found, expected, check_exact=True)
    spark.close()
