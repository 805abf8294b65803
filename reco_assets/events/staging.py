"""Appending to a lake table batch by batch, as one commit, in bounded memory.

``Lake.append`` takes a stream too, but pulls it from inside the Delta writer's own threads: a reader
that waits for something there can stop every other use of the lake in the process. Here the data
files are written as the rows come, three times as fast, and one commit adds them to the table.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction, RemoveAction

from reco_assets.errors import ConcurrentWrite
from reco_assets.platform.lake import PARTITIONS, Lake

#: Rows of one data file, at least.
_FILE_ROWS: Final = 400_000
_GROUP_ROWS: Final = 100_000
#: Columns whose range in a file is written into the log, so that readers skip the file.
_RANGED: Final = ("event_date", "timestamp", "ingested_at", "observed_at", "delivery_position")


class StagedAppend:
    """One append to ``table``: rows are handed over by :meth:`write`, :meth:`commit` makes them visible.

    What is written and never committed is invisible, and a vacuum of the table removes it.

    Parameters
    ----------
    schema
        Columns and types of what is written, in order.
    order
        Column by which the rows of a data file are sorted, so that its values are close together.
    """

    def __init__(
        self, lake: Lake, table: str, schema: Mapping[str, pl.DataType], order: str | None = None
    ) -> None:
        self._lake = lake
        self.table = table
        self._schema = dict(schema)
        self._order = order
        self._held: list[pl.DataFrame] = []
        self._actions: list[AddAction | RemoveAction] = []
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"append {table}")
        self._writing: Future[None] | None = None
        self.rows = 0

    def write(self, batch: pl.DataFrame) -> None:
        """Hand over rows; they must have the columns of the schema."""
        if batch.height:
            self._held.append(batch.select(list(self._schema)))
            self.rows += batch.height
        if sum(part.height for part in self._held) >= _FILE_ROWS:
            self._flush()

    def commit(self, progress: Mapping[str, int], onto: DeltaTable | None = None) -> int:
        """Add all rows to the table, with ``progress`` in the same commit; the table's new version.

        ``onto`` as in :meth:`Lake.append`; raises ConcurrentWrite.
        """
        self._flush()
        self._wait()
        self._pool.shutdown()
        if not self._actions:
            return self._lake.append(
                self.table, pl.DataFrame(schema=self._schema).to_arrow(), progress=progress, onto=onto
            )
        column = PARTITIONS.get(self.table)
        delta = onto or self._lake.open(self.table)
        try:
            delta.create_write_transaction(
                self._actions,
                mode="append",
                schema=delta.schema(),
                partition_by=[column] if column else None,
                commit_properties=CommitProperties(
                    app_transactions=[Transaction(key, value) for key, value in progress.items()]
                ),
            )
        except CommitFailedError as error:
            raise ConcurrentWrite(
                f"writing {self.table}: another writer was there first: {error}", hint="run it again"
            ) from error
        return self._lake.open(self.table).version()

    def _flush(self) -> None:
        if not self._held:
            return
        if not self._lake.exists(self.table):
            self._lake.append(self.table, pl.DataFrame(schema=self._schema).to_arrow())
        self._wait()
        self._writing = self._pool.submit(self._write_files, self._held)
        self._held = []

    def _wait(self) -> None:
        """Until the last file is written; raises what went wrong there."""
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def _write_files(self, parts: list[pl.DataFrame]) -> None:
        """One file a partition; runs beside the caller, who reads on meanwhile."""
        rows = pl.concat(parts)
        column = PARTITIONS.get(self.table)
        if column is None:
            self._write_file(rows, None, None)
        elif rows[column].n_unique() == 1:
            self._write_file(rows.drop(column), column, str(rows[column][0]))
        else:
            for (value,), part in rows.group_by(column, maintain_order=True):
                self._write_file(part.drop(column), column, str(value))

    def _write_file(self, rows: pl.DataFrame, column: str | None, value: str | None) -> None:
        if self._order is not None and not rows[self._order].is_sorted():
            rows = rows.sort(self._order, maintain_order=True)
        path = f"part-{uuid.uuid4()}.zstd.parquet"
        if column is not None:
            path = f"{column}={value}/{path}"
        options = dict(self._lake.storage_options)
        rows.write_parquet(
            f"{self._lake.uri(self.table)}/{path}",
            compression="zstd",
            compression_level=1,
            row_group_size=_GROUP_ROWS,
            storage_options=options or None,
            mkdir=not self._lake.remote,
        )
        (info,) = DeltaStorageHandler(self._lake.uri(self.table), options or None).get_file_info([path])
        self._actions.append(
            AddAction(
                path=path,
                size=info.size,
                partition_values={column: value} if column is not None else {},
                modification_time=int(time.time() * 1000),
                data_change=True,
                stats=json.dumps(_statistics(rows)),
            )
        )


def _statistics(rows: pl.DataFrame) -> dict[str, object]:
    """What the log says of a data file, as the Delta protocol has it."""
    ranged = [name for name in _RANGED if name in rows.columns and rows[name].null_count() < rows.height]
    flat = [name for name, kind in rows.schema.items() if not kind.is_nested()]
    written = [
        pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
        if rows.schema[name] == pl.Datetime("us", "UTC")
        else pl.col(name).cast(pl.String)
        if rows.schema[name] == pl.Date
        else pl.col(name)
        for name in ranged
    ]
    return {
        "numRecords": rows.height,
        "minValues": rows.select(pl.col(ranged).min()).select(written).row(0, named=True) if ranged else {},
        "maxValues": rows.select(pl.col(ranged).max()).select(written).row(0, named=True) if ranged else {},
        "nullCount": rows.select(pl.col(flat).null_count()).row(0, named=True),
    }
