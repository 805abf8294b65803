"""Which engine runs: the one place that knows both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reco_assets.platform.engine import Engine
from reco_assets.platform.lake import Lake
from reco_assets.platform.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def open_engine(settings: Settings, lake: Lake, spark: SparkSession | None = None) -> Engine:
    """The engine that ``settings.engine`` names.

    ``spark`` is a running session to use, e.g. of dagster-pyspark's resource; without one, Spark
    starts a local session. Raises MissingDependency where Spark cannot start.
    """
    if settings.engine == "spark":
        from reco_assets.platform.spark_engine import SparkEngine, local_session

        return SparkEngine(lake, spark or local_session(settings))
    from reco_assets.platform.duckdb_engine import DuckDBEngine

    return DuckDBEngine(lake, threads=settings.threads, memory_gb=settings.memory_gb)
