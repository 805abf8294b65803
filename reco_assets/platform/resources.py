"""What assets get from Dagster: the engine's parts, opened from one set of settings."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import dagster as dg
from botocore.client import BaseClient
from dagster_aws.s3 import S3Resource
from dagster_pyspark import LazyPySparkResource

from reco_assets.errors import MissingTable
from reco_assets.platform.artifacts import Artifacts
from reco_assets.platform.engine import Engine
from reco_assets.platform.engines import open_engine
from reco_assets.platform.lake import Lake, open_lake
from reco_assets.platform.registry import Registry
from reco_assets.platform.settings import Settings


class Platform(dg.ConfigurableResource):
    """Lake, engine, artifacts: whatever the ``RECO_*`` settings say they are.

    The environment is read when a run asks, never when the code location loads.
    """

    def settings(self) -> Settings:
        """The settings in force."""
        return Settings()

    def lake(self) -> Lake:
        """The lake."""
        return open_lake(self.settings())

    def artifacts(self) -> Artifacts:
        """Arrays that one asset hands to the next."""
        return Artifacts(self.settings().home / "artifacts")

    def registry(self) -> Registry:
        """The model registry."""
        return Registry(self.settings())

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """The compute engine, closed at the end; on Spark the session comes from dagster-pyspark."""
        settings = self.settings()
        spark = None
        if settings.engine == "spark":
            from reco_assets.platform.spark_engine import spark_config, started

            lazy = LazyPySparkResource(spark_config=spark_config(settings))
            spark = started(lambda: lazy.spark_session)
        engine = open_engine(settings, self.lake(), spark)
        try:
            yield engine
        finally:
            engine.close()

    def now(self) -> datetime:
        """The clock, UTC; pure modules get it as an argument."""
        return datetime.now(UTC)


class Buckets(S3Resource):
    """dagster-aws' S3, at the endpoint and in the region of the settings where it is given none itself."""

    def get_client(self) -> BaseClient:
        """A boto3 client; the environment is read now, the store is not asked."""
        settings = Settings()
        told = {
            "region_name": self.region_name or settings.s3_region,
            "endpoint_url": self.endpoint_url or settings.s3_endpoint,
        }
        return S3Resource.get_client(self.model_copy(update=told))


class MlflowRuns(dg.ConfigurableResource):
    """What dagster-mlflow's hook asks of the resource ``mlflow``: to end a run that a step left open.

    The package's own resource opens a run whenever it is made, used or not, and leaves it running.
    """

    def end_run(self, status: str = "FINISHED") -> None:
        """End the active MLflow run, if there is one."""
        import mlflow

        if mlflow.active_run() is not None:
            mlflow.end_run(status)


def first_day(settings: Settings) -> date:
    """First daily partition: as set, else the first day of raw/events, else thirty days ago.

    A lake on an object store is not asked while the code location loads; there it must be set.
    """
    if settings.first_day is not None:
        return settings.first_day
    fallback = datetime.now(UTC).date() - timedelta(days=30)
    lake = open_lake(settings)
    if lake.remote:
        return fallback
    try:
        span = lake.span("raw/events")
    except MissingTable:
        return fallback
    return span[0] if span else fallback


#: One partition an event day, today included: its events are still coming in.
DAILY = dg.DailyPartitionsDefinition(start_date=first_day(Settings()).isoformat(), end_offset=1)

# Backfill policies have no stable form in Dagster yet; nothing else is silenced.
warnings.filterwarnings("ignore", category=dg.BetaWarning)

#: A backfill of many days is one run over the range.
ONE_RUN = dg.BackfillPolicy.single_run()


def days_of(context: dg.AssetExecutionContext) -> tuple[date, date]:
    """First and last event day of a partitioned run."""
    keys = context.partition_key_range
    return date.fromisoformat(keys.start), date.fromisoformat(keys.end)
