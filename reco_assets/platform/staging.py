"""Writing to a lake table batch by batch, as one commit, in bounded memory.

``Lake.append`` takes a stream too, but pulls it from inside the Delta writer's own threads: a reader
that waits for something there can stop every other use of the lake in the process. Here the data
files are written as the rows come, with half the work, and one commit makes them the table's.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from reco_assets.errors import BadInput, ConcurrentWrite
from reco_assets.platform.lake import PARTITIONS, Lake, within

#: Rows of one data file, at least.
_FILE_ROWS: Final = 400_000
_GROUP_ROWS: Final = 100_000
#: A commit that other writers' commits get in the way of is tried again so many times.
_ATTEMPTS: Final = 10
#: Columns whose range in a file is written into the log, so that readers skip the file.
_RANGED: Final = ("event_date", "timestamp", "ingested_at", "observed_at", "delivery_position")


class Staged:
    """One write to ``table``: rows are handed over by :meth:`write`, one commit makes them visible.

    What is written and never committed is invisible, and a vacuum of the table removes it.

    Parameters
    ----------
    schema
        Columns and types of what is written, in order.
    order
        Column by which the rows of a data file are sorted, so that its values are close together.
    held
        Rows that are kept until they are enough for files, one a partition; twice as many are in memory.
    """

    def __init__(
        self,
        lake: Lake,
        table: str,
        schema: Mapping[str, pl.DataType],
        *,
        order: str | None = None,
        held: int = _FILE_ROWS,
    ) -> None:
        self._lake = lake
        self.table = table
        self._schema = dict(schema)
        self._column = PARTITIONS.get(table)
        self._order = order
        self._most = held
        self._held: list[pl.DataFrame] = []
        self._actions: list[AddAction | RemoveAction] = []
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"write {table}")
        self._writing: Future[None] | None = None
        self.rows = 0

    def write(self, batch: pl.DataFrame) -> None:
        """Hand over rows; they must have the columns of the schema."""
        if batch.height:
            self._held.append(batch.select(list(self._schema)))
            self.rows += batch.height
        if sum(part.height for part in self._held) >= self._most:
            self._flush()

    def append(self, progress: Mapping[str, int], onto: DeltaTable | None = None) -> int:
        """Add all rows to the table, with ``progress`` in the same commit; the table's new version.

        ``onto`` as in :meth:`Lake.append`; raises ConcurrentWrite.
        """
        self._finish()
        if not self._lake.exists(self.table):
            return self._create(progress)
        delta = onto or self._lake.open(self.table)
        if not self._actions:
            nothing = pl.DataFrame(schema=self._schema).to_arrow()
            return self._lake.append(self.table, nothing, progress=progress, onto=delta)
        try:
            self._commit(delta, "append", progress)
        except CommitFailedError as error:
            raise self._beaten(error) from error
        delta.update_incremental()
        return delta.version()

    def replace_window(
        self,
        first: date,
        last: date,
        progress: Mapping[str, int] | None = None,
        onto: DeltaTable | None = None,
    ) -> int:
        """Replace the partitions of the days ``first``..``last`` by the rows; the table's new version.

        Columns that the table lacks are added to it. ``progress`` and ``onto`` as in
        :meth:`Lake.replace_window`; raises ConcurrentWrite.
        """
        self._finish()
        column = PARTITIONS[self.table]
        self._check(column, first.isoformat(), last.isoformat())
        if not self._lake.exists(self.table):
            return self._create(progress or {})
        self._lake.widen(self.table, self._schema)
        days = [(column, ">=", first.isoformat()), (column, "<=", last.isoformat())]
        for _ in range(_ATTEMPTS):
            # Delta would take any removal of rows, in whatever days, for a conflict: so what matters is
            # compared here, and the commit succeeds only upon the very version that was compared.
            newest = self._lake.open(self.table)
            if onto is not None and not self._untouched(onto, newest, within(column, first, last), progress):
                raise self._beaten("these days were written to meanwhile")
            try:
                self._commit(newest, "overwrite", progress or {}, days=days, max_commit_retries=0)
            except CommitFailedError:
                continue
            return newest.version() + 1
        raise self._beaten(f"{_ATTEMPTS} times")

    def _check(self, column: str, first: str, last: str) -> None:
        """No row may be of another day than those that are replaced: the next time it would come twice."""
        days = (action.partition_values[column] for action in self._actions if isinstance(action, AddAction))
        stray = sorted({str(day) for day in days if day is None or not first <= day <= last})
        if stray:
            raise BadInput(
                f"writing {self.table} of {first} to {last}: there are rows of {', '.join(stray[:3])}",
                hint="this is a defect of whatever made the rows; nothing was written",
            )

    def _create(self, progress: Mapping[str, int]) -> int:
        """The table with the rows as its first version."""
        if not self._lake.remote:
            Path(self._lake.uri(self.table)).mkdir(parents=True, exist_ok=True)
        try:
            create_table_with_add_actions(
                self._lake.uri(self.table),
                Schema.from_arrow(pl.DataFrame(schema=self._schema).to_arrow().schema),
                [action for action in self._actions if isinstance(action, AddAction)],
                mode="error",
                partition_by=[self._column] if self._column else [],
                storage_options=dict(self._lake.storage_options) or None,
                commit_properties=CommitProperties(app_transactions=_transactions(progress)),
            )
        except DeltaError as error:
            if not self._lake.exists(self.table):
                raise
            raise self._beaten(error) from error
        return self._lake.open(self.table).version()

    def _commit(
        self,
        delta: DeltaTable,
        mode: str,
        progress: Mapping[str, int],
        *,
        days: list[tuple[str, str, str]] | None = None,
        max_commit_retries: int | None = None,
    ) -> None:
        delta.create_write_transaction(
            self._actions,
            mode=mode,
            schema=delta.schema(),
            partition_by=[self._column] if self._column else None,
            partition_filters=days,
            commit_properties=CommitProperties(
                app_transactions=_transactions(progress), max_commit_retries=max_commit_retries
            ),
        )

    @staticmethod
    def _untouched(
        before: DeltaTable, now: DeltaTable, window: str, progress: Mapping[str, int] | None
    ) -> bool:
        """Whether nobody has written rows of ``window``, or said so in ``progress``, since ``before``."""
        files = [set(table.file_uris(file_pruning_predicate=window)) for table in (before, now)]
        return files[0] == files[1] and all(
            before.transaction_version(key) == now.transaction_version(key) for key in progress or {}
        )

    def _beaten(self, how: object) -> ConcurrentWrite:
        return ConcurrentWrite(
            f"writing {self.table}: another writer was there first: {how}", hint="run it again"
        )

    def _finish(self) -> None:
        self._flush()
        self._wait()
        self._pool.shutdown()

    def _flush(self) -> None:
        if not self._held:
            return
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
        if self._column is None:
            self._write_file(pl.concat(parts), None)
            return
        by_value: dict[str, list[pl.DataFrame]] = {}
        for part in parts:
            for value, rows in _divided(part, self._column):
                by_value.setdefault(value, []).append(rows)
        for value in sorted(by_value):
            self._write_file(pl.concat(by_value.pop(value)), value)

    def _write_file(self, rows: pl.DataFrame, value: str | None) -> None:
        if self._order is not None and not rows[self._order].is_sorted():
            rows = rows.sort(self._order, maintain_order=True)
        path = f"part-{uuid.uuid4()}.zstd.parquet"
        partition = {} if self._column is None else {self._column: value}
        if self._column is not None:
            path = f"{self._column}={value}/{path}"
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
                partition_values=partition,
                modification_time=int(time.time() * 1000),
                data_change=True,
                stats=json.dumps(_statistics(rows)),
            )
        )


def _transactions(progress: Mapping[str, int]) -> list[Transaction]:
    return [Transaction(key, value) for key, value in progress.items()]


def _divided(rows: pl.DataFrame, column: str) -> Iterator[tuple[str, pl.DataFrame]]:
    """``rows`` by the values of their partition ``column``, without it."""
    if rows[column].n_unique() == 1:
        yield str(rows[column][0]), rows.drop(column)
        return
    for (value,), part in rows.partition_by(column, as_dict=True, include_key=False).items():
        yield str(value), part


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
