"""The same definitions on DuckDB and on Spark, over the same lakes: equal tables, floats to 1e-9."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import ibis.expr.types as ir
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from reco_assets.errors import MissingTable
from reco_assets.events.adapters.formats import adapter
from reco_assets.events.importer import import_files
from reco_assets.features import pipeline
from reco_assets.interactions.pipeline import build_interactions
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.engine import Written
from reco_assets.platform.engines import open_engine
from reco_assets.platform.lake import Lake
from reco_assets.platform.settings import Settings
from reco_assets.platform.spark_engine import SparkEngine
from reco_assets.simulator.parameters import Parameters
from reco_assets.simulator.shop import simulate
from tests.features.lakes import PRODUCT_SCHEMA, TABLES, build, content, deliver, stock
from tests.features.shops import SHELF, random_events

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ENGINES: tuple[Literal["duckdb", "spark"], ...] = ("duckdb", "spark")
FIRST, LAST = date(2024, 5, 1), date(2024, 5, 3)


class Recalculating(SparkEngine):
    """Spark that keeps what it would write, so that it can be compared with what DuckDB has written."""

    def __init__(self, lake: Lake, session: SparkSession) -> None:
        super().__init__(lake, session)
        self.made: dict[str, pa.Table] = {}

    def replace_window(
        self, name: str, expression: ir.Table, first: date, last: date, **how: object
    ) -> Written:
        self.made[name] = self.to_arrow(expression)
        return Written(0, self.made[name].num_rows)


def assert_spark_makes_the_tables_of(
    duckdb: DuckDBEngine, session: SparkSession, last: date, days: int
) -> None:
    first = last - timedelta(days=days - 1)
    build(duckdb, first, last)
    spark = Recalculating(duckdb.lake, session)
    build(spark, first, last)
    for name in TABLES:
        expected = content(duckdb, name)
        found = pl.DataFrame(spark.made[name]).select(expected.columns).sort(expected.columns)
        assert expected.height > 0
        assert_frame_equal(found, expected, check_exact=False, rel_tol=0, abs_tol=1e-9)
    spark.close()


def observe(lake: Lake, observations: pl.DataFrame) -> None:
    """``silver/products`` with one row an observation."""
    ordered = observations.sort("product_id", "observed_at").rename({"observed_at": "valid_from"})
    table = ordered.with_columns(valid_to=pl.col("valid_from").shift(-1).over("product_id"))
    table = table.filter(pl.col("valid_from").ne_missing(pl.col("valid_to")))
    lake.replace("silver/products", table.select(list(PRODUCT_SCHEMA)).to_arrow())


def test_both_engines_write_the_same_tables_and_go_on_with_each_others(
    tmp_path: Path, session: SparkSession
) -> None:
    duckdb, spark = (
        open_engine(
            Settings(engine=name, threads=2, memory_gb=1),
            Lake(str(tmp_path / name)),
            session if name == "spark" else None,
        )
        for name in ENGINES
    )
    for engine in (duckdb, spark):
        stock(engine, *SHELF)
        deliver(engine, random_events(seed=3, count=300, first=FIRST, days=3))
        build_interactions(engine, FIRST, LAST)
        pipeline.BUILDS["gold/user_windows"](engine, FIRST, LAST)

    for name in ("silver/interactions", "gold/user_windows"):
        expected, found = content(duckdb, name), content(spark, name)
        assert dict(found.schema) == dict(expected.schema)
        assert_frame_equal(found, expected, check_exact=False, rel_tol=0, abs_tol=1e-9)

    # Spark replaces one day of DuckDB's table: the same rows, and all other days keep their files.
    before = content(duckdb, "gold/user_windows")
    kept = {path for path in duckdb.lake.files("gold/user_windows") if LAST.isoformat() not in path}
    other = SparkEngine(duckdb.lake, session)
    written = pipeline.BUILDS["gold/user_windows"](other, LAST, LAST)

    assert written.rows == before.filter(pl.col("event_date") == LAST).height
    assert written.version == duckdb.lake.version("gold/user_windows")
    assert kept < set(duckdb.lake.files("gold/user_windows"))
    assert_frame_equal(content(duckdb, "gold/user_windows"), before, check_exact=True)
    for engine in (duckdb, spark, other):
        engine.close()


def test_both_engines_agree_on_features_at_any_moment(tmp_path: Path, session: SparkSession) -> None:
    duckdb = DuckDBEngine(Lake(str(tmp_path)), threads=2, memory_gb=1)
    stock(duckdb, *SHELF)
    deliver(duckdb, random_events(seed=3, count=300, first=FIRST, days=3))
    build(duckdb, FIRST, LAST)

    points = pl.DataFrame(
        {
            "id": [f"{kind}{number}" for kind in ("u", "p") for number in range(4) for _ in range(3)],
            "as_of": [datetime(2024, 5, 1 + k, 11, 7, 13, tzinfo=UTC) for _ in range(8) for k in range(3)],
        },
        schema_overrides={"as_of": pl.Datetime("us", "UTC")},
    )
    spark = SparkEngine(duckdb.lake, session)
    for key, ask in (
        ("user_id", pipeline.point_in_time_user_features),
        ("product_id", pipeline.point_in_time_product_features),
    ):
        asked = points.rename({"id": key}).to_arrow()
        first, second = (pl.DataFrame(ask(engine, asked)).sort(key, "as_of") for engine in (duckdb, spark))
        assert first.height == points.height
        assert_frame_equal(second, first, check_exact=False, rel_tol=0, abs_tol=1e-9)
    duckdb.close()
    spark.close()


def test_both_engines_agree_on_the_rees46_file(
    tmp_path: Path, shared_data: Path, session: SparkSession
) -> None:
    duckdb = DuckDBEngine(Lake(str(tmp_path)), threads=2, memory_gb=1)
    path = shared_data / "rees46_2019_oct_fragment.csv.gz"
    import_files(duckdb.lake, adapter("rees46"), [path], datetime(2026, 1, 1, tzinfo=UTC))
    observe(duckdb.lake, duckdb.lake.scan("raw/catalogue").collect())
    last = duckdb.lake.scan("raw/events").select(pl.col("event_date").max()).collect().item()

    assert_spark_makes_the_tables_of(duckdb, session, last, days=3)
    duckdb.close()


def test_both_engines_agree_on_a_simulated_shop(tmp_path: Path, session: SparkSession) -> None:
    simulate(Parameters(users=60, products=40, days=3, events=4_000, seed=5), tmp_path / "shop")
    duckdb = DuckDBEngine(Lake(str(tmp_path / "lake")), threads=2, memory_gb=1)
    paths = sorted((tmp_path / "shop" / "events").glob("*.parquet"))
    import_files(duckdb.lake, adapter("parquet"), paths, datetime(2026, 1, 1, tzinfo=UTC))
    observe(duckdb.lake, pl.read_parquet(tmp_path / "shop" / "products.parquet"))

    assert_spark_makes_the_tables_of(duckdb, session, date.fromisoformat(paths[-1].stem), days=3)
    duckdb.close()


def test_a_table_that_was_never_written_is_named(tmp_path: Path, session: SparkSession) -> None:
    with pytest.raises(MissingTable, match="raw/events"):
        build_interactions(SparkEngine(Lake(str(tmp_path)), session), FIRST, LAST)
