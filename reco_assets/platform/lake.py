"""The lake: Delta tables under one root, written idempotently, read with pruning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final, TypeAlias

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, TableNotFoundError

from reco_assets.errors import ConcurrentWrite, MissingDependency, MissingTable
from reco_assets.platform.settings import Settings

#: Partition column of each table; a table that is not named here has none.
PARTITIONS: Mapping[str, str] = {
    "raw/events": "ingest_date",
    "raw/quarantine": "ingest_date",
    "raw/changes": "ingest_date",
    "raw/decisions": "decided_date",
    "silver/interactions": "event_date",
    "gold/user_windows": "event_date",
    "gold/user_category_windows": "event_date",
    "gold/product_windows": "event_date",
    "gold/user_days": "event_date",
    "gold/user_category_days": "event_date",
    "gold/product_days": "event_date",
    "gold/user_features": "as_of",
    "gold/product_features": "as_of",
    "gold/attributions": "event_date",
    "gold/impressions": "event_date",
    "gold/training_examples": "event_date",
    "gold/exposures": "event_date",
    "gold/experiment_results": "as_of",
}

#: What a store other than AWS is told where no region is set; most do not look at it.
_REGION: Final = "us-east-1"

Arrow: TypeAlias = pa.Table | pa.RecordBatchReader


def within(column: str, first: date, last: date) -> str:
    """The condition that ``column`` is a day of ``[first, last]``, as Delta and Spark read it."""
    return f"{column} >= '{first.isoformat()}' AND {column} <= '{last.isoformat()}'"


@dataclass(frozen=True)
class Lake:
    """Delta tables named ``layer/table`` under ``root``.

    Parameters
    ----------
    root
        A folder or an object-store URI such as ``s3://shop/lake``.
    storage_options
        Passed to the object store, as ``deltalake`` names them.
    """

    root: str
    storage_options: Mapping[str, str] = field(default_factory=dict)

    @property
    def remote(self) -> bool:
        """Whether the tables are in an object store, not in a folder."""
        return "://" in self.root

    def uri(self, name: str) -> str:
        """Address of table ``name``."""
        return f"{self.root.rstrip('/')}/{name}"

    def exists(self, name: str) -> bool:
        """Whether table ``name`` has ever been written."""
        try:
            return DeltaTable.is_deltatable(self.uri(name), storage_options=dict(self.storage_options))
        except OSError as error:
            if not self.remote:
                raise
            raise MissingDependency(
                f"looking for {self.uri(name)}: {error}",
                hint="check RECO_LAKE_URI, RECO_S3_ENDPOINT and the AWS_* credentials",
            ) from error

    def open(self, name: str, version: int | None = None) -> DeltaTable:
        """Table ``name`` at ``version`` (the newest by default); raises MissingTable."""
        try:
            return DeltaTable(self.uri(name), version=version, storage_options=dict(self.storage_options))
        except TableNotFoundError as error:
            raise MissingTable(
                f"reading {name}: the table has not been written yet",
                hint="materialize it first, e.g. `reco materialize`",
            ) from error

    def version(self, name: str) -> int | None:
        """Newest Delta version of ``name``, or None where it does not exist."""
        return self.open(name).version() if self.exists(name) else None

    def rows(self, name: str) -> int:
        """Rows of table ``name``, by its log alone."""
        return sum(self.open(name).get_add_actions(flatten=True)["num_records"].to_pylist())

    def scan(self, name: str, version: int | None = None) -> pl.LazyFrame:
        """Lazy reader of ``name``; filters on partition columns and statistics skip files."""
        return pl.scan_delta(self.open(name, version))

    def files(self, name: str, first: date | None = None, last: date | None = None) -> list[str]:
        """Data files of ``name`` whose partition day is within ``[first, last]``."""
        column = PARTITIONS.get(name)
        if column is None or (first is None and last is None):
            return self.open(name).file_uris()
        return self.files_of_days(name, column, first or date.min, last or date.max)

    def files_of_days(self, name: str, column: str, first: date, last: date) -> list[str]:
        """Data files of ``name`` that can hold rows whose ``column`` is a day of ``[first, last]``.

        Decided by the partition where ``column`` is one, else by each file's own minimum and maximum;
        a file without statistics is kept.
        """
        return self.open(name).file_uris(file_pruning_predicate=within(column, first, last))

    def span(self, name: str, column: str = "event_date") -> tuple[date, date] | None:
        """First and last day of ``column`` in table ``name`` by its log alone; None where it is empty."""
        actions = pl.DataFrame(self.open(name).get_add_actions(flatten=True))
        if PARTITIONS.get(name) == column:
            low = high = f"partition.{column}"
        else:
            low, high = f"min.{column}", f"max.{column}"
        if not {low, high} <= set(actions.columns) or actions.height == 0:
            return None
        first = actions[low].cast(pl.Date).min()
        last = actions[high].cast(pl.Date).max()
        return (first, last) if isinstance(first, date) and isinstance(last, date) else None

    def append(
        self,
        name: str,
        data: Arrow,
        progress: Mapping[str, int] | None = None,
        onto: DeltaTable | None = None,
        **metadata: str,
    ) -> int:
        """Append ``data``, with ``progress`` (application transactions) in the same commit; the version.

        Parameters
        ----------
        onto
            The table as it was when the caller decided what to append. Raises ConcurrentWrite where
            somebody else has recorded progress under one of the same keys since.
        """
        return self._write(name, data, "append", None, progress, metadata, onto)

    def ensure(self, name: str, schema: Mapping[str, pl.DataType]) -> None:
        """Create table ``name`` empty where there is none, so that readers find it.

        A table of an earlier version of the code gets the columns that it lacks; its rows have null there.
        """
        if not self.exists(name):
            self.append(name, pl.DataFrame(schema=dict(schema)).to_arrow())
        else:
            self.widen(name, schema)

    def widen(self, name: str, columns: Mapping[str, pl.DataType]) -> None:
        """Add those of ``columns`` that table ``name`` lacks; nothing where there is no such table."""
        if not self.exists(name):
            return
        table = self.open(name)
        known = {field.name for field in table.schema().fields}
        lacking = {column: dtype for column, dtype in columns.items() if column not in known}
        if lacking:
            added = Schema.from_arrow(pl.DataFrame(schema=lacking).to_arrow().schema)
            table.alter.add_columns(added.fields)

    def replace(self, name: str, data: Arrow, **metadata: str) -> int:
        """Replace the whole table by ``data``; the new version."""
        return self._write(name, data, "overwrite", None, None, metadata)

    def replace_window(
        self,
        name: str,
        data: Arrow,
        first: date,
        last: date,
        progress: Mapping[str, int] | None = None,
        onto: DeltaTable | None = None,
        **metadata: str,
    ) -> int:
        """Replace the partitions of the days ``first``..``last`` by ``data``; all other files stay.

        The same call twice leaves the same content, so a batch that is run again changes nothing.

        Parameters
        ----------
        onto
            The table as it was before ``data`` was read from upstream. Raises ConcurrentWrite where
            somebody has written to these days since.
        """
        column = PARTITIONS[name]
        if not self.exists(name):
            return self._write(name, data, "append", None, progress, metadata)
        return self._write(name, data, "overwrite", within(column, first, last), progress, metadata, onto)

    def progress(self, name: str, key: str) -> int | None:
        """Progress recorded under ``key`` in the commits of ``name``."""
        return self.open(name).transaction_version(key) if self.exists(name) else None

    def _write(
        self,
        name: str,
        data: Arrow,
        mode: str,
        predicate: str | None,
        progress: Mapping[str, int] | None,
        metadata: Mapping[str, str],
        onto: DeltaTable | None = None,
    ) -> int:
        if not self.remote:
            # where that is impossible, the operating system says why and where
            Path(self.uri(name)).mkdir(parents=True, exist_ok=True)
        column = PARTITIONS.get(name)
        transactions = [Transaction(key, value) for key, value in (progress or {}).items()]
        try:
            write_deltalake(  # type: ignore[call-overload, misc]
                self.uri(name) if onto is None else onto,
                data,
                mode=mode,
                predicate=predicate,
                partition_by=[column] if column else None,
                # a whole new table may have other columns, as when a feature has come since
                schema_mode="merge" if mode == "append" else "overwrite" if predicate is None else None,
                writer_properties=WriterProperties(compression="ZSTD", compression_level=1),
                commit_properties=CommitProperties(
                    custom_metadata=dict(metadata) or None, app_transactions=transactions or None
                ),
                storage_options=dict(self.storage_options) or None,
            )
        except CommitFailedError as error:
            raise ConcurrentWrite(
                f"writing {name}: another writer was there first: {error}", hint="run it again"
            ) from error
        return (onto or self.open(name)).version()


def open_lake(settings: Settings) -> Lake:
    """The lake that ``settings`` name: a folder, or a prefix of a bucket, which is not asked yet."""
    root, endpoint = settings.lake_root, settings.s3_endpoint
    if not root.startswith("s3://"):
        return Lake(root)
    options = {}
    if settings.s3_region or endpoint:
        options["AWS_REGION"] = settings.s3_region or _REGION
    if endpoint:
        options["AWS_ENDPOINT_URL"] = endpoint
        options["AWS_ALLOW_HTTP"] = str(endpoint.startswith("http://")).lower()
    return Lake(root, options)
