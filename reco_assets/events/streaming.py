"""Appending to a lake table batch by batch, as one commit, in bounded memory."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Final

import polars as pl
import pyarrow as pa

from reco_assets.platform.lake import Lake

#: Batches that wait for the writer; more would only cost memory.
_AHEAD: Final = 1
_POLL_SECONDS: Final = 0.1


class StreamedAppend:
    """One append to ``table``; rows are handed over by :meth:`write`, and :meth:`commit` makes them visible.

    The writer runs beside the caller, so the next batch is read while the last one is compressed,
    and it starts with the first row: without rows there is no commit. When the ``with`` block is
    left before :meth:`commit`, nothing is committed.

    Parameters
    ----------
    schema
        Columns and types of what is written, in order.
    progress
        Application transactions of the commit.
    """

    def __init__(
        self, lake: Lake, table: str, schema: Mapping[str, pl.DataType], progress: Mapping[str, int]
    ) -> None:
        self._lake = lake
        self._table = table
        self._progress = progress
        self._arrow = pl.DataFrame(schema=schema).to_arrow().schema
        self._columns = list(schema)
        self._batches: queue.Queue[pl.DataFrame | None] = queue.Queue(_AHEAD)
        self._pool: ThreadPoolExecutor | None = None
        self._running: Future[int] | None = None
        self._complete = False
        self.rows = 0

    def write(self, batch: pl.DataFrame) -> None:
        """Hand over rows; raises what the writer has raised."""
        if not batch.height:
            return
        self._start()
        self.rows += batch.height
        self._put(batch.select(self._columns))

    def commit(self, *, even_empty: bool = False) -> None:
        """Commit what was written; ``even_empty`` commits the progress where no row was."""
        if even_empty:
            self._start()
        self._complete = True
        if self._running is not None:
            self._put(None)
            self._running.result()

    def __enter__(self) -> StreamedAppend:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running is not None and not self._complete:
            self._put_if_running(None)
        if self._pool is not None:
            self._pool.shutdown(wait=True)

    def _start(self) -> None:
        if self._running is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"append {self._table}")
            self._running = self._pool.submit(self._run)

    def _run(self) -> int:
        reader = pa.RecordBatchReader.from_batches(self._arrow, self._handed_over())
        return self._lake.append(self._table, reader, progress=self._progress)

    def _handed_over(self) -> Iterator[pa.RecordBatch]:
        while (batch := self._batches.get()) is not None:
            yield from batch.to_arrow().cast(self._arrow).to_batches()
        if not self._complete:
            raise InterruptedError(f"the append to {self._table} was given up before its commit")

    def _put(self, batch: pl.DataFrame | None) -> None:
        if not self._put_if_running(batch):
            assert self._running is not None
            self._running.result()

    def _put_if_running(self, batch: pl.DataFrame | None) -> bool:
        """Hand ``batch`` to the writer; False where the writer has ended."""
        while self._running is not None and not self._running.done():
            try:
                self._batches.put(batch, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False
