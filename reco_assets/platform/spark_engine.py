"""Spark as the engine: the same expressions, over the same Delta tables, through the JVM's Delta."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from deltalake import DeltaTable
from ibis.backends.sql.datatypes import PySparkType
from typing_extensions import override

from reco_assets.errors import MissingDependency, MissingTable
from reco_assets.platform.engine import Engine, Written, day_column, plain
from reco_assets.platform.lake import PARTITIONS, Lake, within
from reco_assets.platform.locks import alone
from reco_assets.platform.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: Spark fetches it, and what it needs, by itself on the first start.
DELTA = "io.delta:delta-spark_4.2_2.13:4.4.0"


def spark_config(settings: Settings) -> dict[str, str]:
    """Spark options that the engine relies on; for dagster-pyspark's resource or a session builder."""
    threads = settings.threads or os.cpu_count() or 1
    return {
        "spark.master": f"local[{threads}]",
        "spark.app.name": "reco",
        "spark.jars.packages": DELTA,
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(2 * threads),
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.driver.memory": f"{max(1, int(settings.memory_gb * 1024))}m",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.warehouse.dir": str(Path(tempfile.gettempdir()) / "reco-spark-warehouse"),
    }


def local_session(settings: Settings) -> SparkSession:
    """A local session with Delta, or the one that already runs; raises MissingDependency."""

    def build() -> SparkSession:
        from pyspark.sql import SparkSession

        builder = SparkSession.builder
        for key, value in spark_config(settings).items():
            builder = builder.config(key, value)
        return builder.getOrCreate()

    return started(build)


def started(build: Callable[[], SparkSession]) -> SparkSession:
    """The session that ``build`` makes with :func:`spark_config`; raises MissingDependency."""
    home = os.environ.get("JAVA_HOME")
    if not (shutil.which("java") or (home and (Path(home) / "bin" / "java").exists())):
        raise MissingDependency(
            "starting Spark: no Java was found",
            hint="install a full Java 17 or later, or run with RECO_ENGINE=duckdb",
        )
    from pyspark.errors import PySparkException

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    lock = Path(tempfile.gettempdir()) / f"reco-spark-{os.getuid()}.lock"
    try:
        # the first start fetches packages into a cache that all processes of a user share: two that do so
        # at once find each other's half of a file there, and both fail
        with alone(lock):
            session = build()
    except PySparkException as error:
        raise MissingDependency(
            f"starting Spark with {DELTA}: {error}",
            hint="it needs Java 17 or later and, the first time, the network; or use RECO_ENGINE=duckdb",
        ) from error
    session.sparkContext.setLogLevel("ERROR")
    return session


class SparkEngine(Engine):
    """A running Spark session over a lake; the session is its maker's to stop."""

    def __init__(self, lake: Lake, session: SparkSession) -> None:
        self.lake = lake
        self._session = session
        self._views: list[str] = []
        self._names = (f"reco_{id(self)}_{number}" for number in count())

    @override
    def table(
        self,
        name: str,
        *,
        event_dates: tuple[date, date] | None = None,
        columns: Sequence[str] | None = None,
        version: int | None = None,
    ) -> ir.Table:
        if not self.lake.exists(name):
            raise MissingTable(
                f"reading {name}: the table has not been written yet",
                hint="materialize it first, e.g. `reco materialize`",
            )
        reader = self._session.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        frame = reader.load(self.lake.uri(name))
        if event_dates:
            frame = frame.where(within(day_column(name), *event_dates))
        return self._view(frame.select(*columns) if columns else frame)

    @override
    def arrow(self, data: pa.Table) -> ir.Table:
        return self._view(self._session.createDataFrame(plain(data)))

    @override
    def to_arrow(self, expression: ir.Table) -> pa.Table:
        table: pa.Table = self._frame(expression).toArrow()
        return table

    @override
    def replace_window(
        self,
        name: str,
        expression: ir.Table,
        first: date,
        last: date,
        *,
        progress: Mapping[str, int] | None = None,
        onto: DeltaTable | None = None,
    ) -> Written:
        """As the protocol has it, in two commits.

        Spark's writer takes one application transaction, so ``progress`` follows in a commit of its
        own, and it checks for concurrent writers against its own snapshot, not against ``onto``.
        """
        window = within(PARTITIONS[name], first, last)
        written = self._write(name, expression, window if self.lake.exists(name) else None, {})
        if not progress:
            return written
        nothing = pa.schema(self.lake.open(name).schema().to_arrow()).empty_table()
        return Written(self.lake.append(name, nothing, progress), written.rows)

    @override
    def replace(self, name: str, expression: ir.Table, **metadata: str) -> Written:
        return self._write(name, expression, None, metadata)

    @override
    def close(self) -> None:
        for view in self._views:
            self._session.catalog.dropTempView(view)
        self._views.clear()

    def _write(
        self, name: str, expression: ir.Table, window: str | None, metadata: dict[str, str]
    ) -> Written:
        writer = self._frame(expression).write.format("delta").mode("overwrite")
        if name in PARTITIONS:
            writer = writer.partitionBy(PARTITIONS[name])
        option, value = ("replaceWhere", window) if window else ("overwriteSchema", "true")
        writer = writer.option(option, value)
        if metadata:
            writer = writer.option("userMetadata", json.dumps(metadata))
        writer.save(self.lake.uri(name))
        table = self.lake.open(name)
        metrics = table.history(1)[0].get("operationMetrics", {})
        return Written(table.version(), int(metrics.get("numOutputRows", 0)))

    def _frame(self, expression: ir.Table) -> DataFrame:
        columns = ", ".join(
            f"CAST(`{name}` AS {PySparkType.to_string(dtype)}) AS `{name}`"
            for name, dtype in expression.schema().items()
        )
        return self._session.sql(f"SELECT {columns} FROM ({ibis.pyspark.compile(expression)})")

    def _view(self, frame: DataFrame) -> ir.Table:
        name = next(self._names)
        frame.createOrReplaceTempView(name)
        self._views.append(name)
        return ibis.table(_ibis_schema(frame), name=name)


def _ibis_schema(frame: DataFrame) -> ibis.Schema:
    from pyspark.sql.pandas.types import to_arrow_schema

    return ibis.Schema.from_pyarrow(to_arrow_schema(frame.schema, timezone="UTC"))
