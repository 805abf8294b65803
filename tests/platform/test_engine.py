from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import ibis
import polars as pl
import pyarrow as pa
import pytest

from reco_assets.errors import MissingDependency, MissingTable
from reco_assets.platform import duckdb_engine
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.engine import Engine, day, day_number, hash64, micros, moment
from reco_assets.platform.engines import open_engine
from reco_assets.platform.lake import Lake
from reco_assets.platform.settings import Settings

DAYS = [date(2024, 5, 1), date(2024, 5, 2), date(2024, 5, 3)]


@pytest.fixture
def engine(lake: Lake) -> Iterator[Engine]:
    engine = open_engine(Settings(threads=2, memory_gb=1), lake)
    yield engine
    engine.close()


def tiles(*values: int) -> pl.DataFrame:
    return pl.DataFrame({"user_id": ["007", "u2", "u3"], "event_date": DAYS, "events": values})


def rows(engine: Engine, table: ibis.Table) -> list[tuple[object, ...]]:
    return sorted(pl.DataFrame(engine.to_arrow(table)).rows())


def test_the_default_engine_is_duckdb(engine: Engine) -> None:
    assert isinstance(engine, DuckDBEngine)


def test_a_table_comes_back_as_written_with_its_partition_column_and_text_ids(engine: Engine) -> None:
    engine.lake.replace("gold/user_days", tiles(1, 2, 3).to_arrow())

    assert rows(engine, engine.table("gold/user_days")) == tiles(1, 2, 3).rows()
    assert rows(engine, engine.table("gold/user_days", columns=["events"])) == [(1,), (2,), (3,)]


def test_days_select_rows_and_skip_files(engine: Engine) -> None:
    engine.lake.replace("gold/user_days", tiles(1, 2, 3).to_arrow())
    for path in engine.lake.files("gold/user_days", DAYS[2], DAYS[2]):
        Path(path).unlink()

    found = engine.table("gold/user_days", event_dates=(DAYS[0], DAYS[1]), columns=["user_id"])

    assert rows(engine, found) == [("007",), ("u2",)]


def test_days_without_files_are_an_empty_table(engine: Engine) -> None:
    engine.lake.replace("gold/user_days", tiles(1, 2, 3).to_arrow())

    found = engine.table("gold/user_days", event_dates=(date(2030, 1, 1), date(2030, 1, 2)))

    assert engine.to_arrow(found).num_rows == 0
    assert found.columns == ("user_id", "event_date", "events")


def test_files_of_an_older_schema_read_as_null(engine: Engine) -> None:
    engine.lake.append("gold/user_days", tiles(1, 2, 3).to_arrow())
    engine.lake.append("gold/user_days", tiles(4, 5, 6).with_columns(clicks=pl.lit(9)).to_arrow())

    found = engine.table("gold/user_days", columns=["events", "clicks"])

    assert pl.DataFrame(engine.to_arrow(found)).sort("events")["clicks"].to_list() == [None] * 3 + [9] * 3


def test_a_window_replaces_its_days_only_and_says_what_it_wrote(engine: Engine) -> None:
    engine.lake.replace("gold/user_days", tiles(1, 2, 3).to_arrow())
    kept = engine.lake.files("gold/user_days", DAYS[0], DAYS[0])
    days = engine.table("gold/user_days", event_dates=(DAYS[1], DAYS[2]))

    written = engine.replace_window(
        "gold/user_days", days.mutate(events=days.events * 10), DAYS[1], DAYS[2], progress={"r1": 7}
    )

    assert (written.version, written.rows) == (1, 2)
    assert rows(engine, engine.table("gold/user_days", columns=["events"])) == [(1,), (20,), (30,)]
    assert engine.lake.files("gold/user_days", DAYS[0], DAYS[0]) == kept
    assert engine.lake.progress("gold/user_days", "r1") == 7


def test_a_whole_table_is_replaced(engine: Engine) -> None:
    table = engine.arrow(tiles(1, 2, 3).to_arrow())

    first = engine.replace("silver/users", table)
    second = engine.replace("silver/users", table.filter(table.events > 1))

    assert (first.version, first.rows, second.version, second.rows) == (0, 3, 1, 2)
    assert engine.lake.scan("silver/users").collect().height == 2


def test_sums_keep_the_declared_integer_type(engine: Engine) -> None:
    table = engine.arrow(pl.DataFrame({"x": [2**40, 2**40]}).to_arrow())

    found = engine.to_arrow(table.agg(total=table.x.sum()))

    assert str(found.schema.field("total").type) == "int64"
    assert found["total"].to_pylist() == [2**41]


def test_times_and_days_convert_to_integers_and_back_exactly(engine: Engine) -> None:
    table = engine.arrow(
        pl.DataFrame({"us": [0, 1, 1_714_565_580_123_456]}, schema_overrides={"us": pl.Int64()}).to_arrow()
    )

    found = table.select(
        "us",
        back=micros(moment(table.us)),
        number=day_number(ibis.date("2024-05-01")),
        date=day(ibis.literal(19_844, "int32")),
        same=hash64(table.us.cast("string")) == hash64(table.us.cast("string")),
    )

    assert rows(engine, found) == [
        (us, us, 19_844, date(2024, 5, 1), True) for us in (0, 1, 1_714_565_580_123_456)
    ]


def test_a_table_that_was_never_written_is_named(engine: Engine) -> None:
    with pytest.raises(MissingTable, match="gold/user_days"):
        engine.table("gold/user_days")


def test_spark_without_java_says_what_to_install(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    with pytest.raises(MissingDependency, match=r"no Java.*install a full Java 17"):
        open_engine(Settings(engine="spark"), lake)


@pytest.mark.parametrize("sorted_rows", [0, 1_000])
def test_numbers_that_come_again_are_found_sorted_or_grouped(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, sorted_rows: int
) -> None:
    monkeypatch.setattr(duckdb_engine, "_SORTED", sorted_rows)
    numbers = pa.table({"n": pa.array([5, -(2**62), 5, 7, 2**62, 5, -(2**62), 8], pa.int64())})
    assert sorted(engine.repeated(engine.arrow(numbers))["n"].to_pylist()) == [-(2**62), 5]
    assert engine.repeated(engine.arrow(numbers.slice(3, 3)))["n"].to_pylist() == []
    assert engine.repeated(engine.arrow(numbers.slice(0, 0)))["n"].to_pylist() == []
