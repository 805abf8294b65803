"""Files into the lake: every row accepted, known already, or quarantined, and each file exactly once.

A file is one delivery, named after its content. Its rows go to ``raw/quarantine``, ``raw/catalogue``,
``raw/users`` and ``raw/events``, committed in that order, each commit with the delivery's name in it
(an application transaction). ``raw/events`` comes last: while it lacks the delivery the file is not
imported, and a run that was cut short is completed by running it again; whatever table has the
delivery already is left alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from reco_assets.events.adapters import Adapter, Batch
from reco_assets.events.adapters.parquet import as_json
from reco_assets.events.contract import EVENT_SCHEMA, QUARANTINE_SCHEMA, RAW_SCHEMA, VERSION
from reco_assets.events.duplicates import Duplicates
from reco_assets.events.observations import (
    CATALOGUE_SCHEMA,
    PRODUCT_ATTRIBUTES,
    USER_ATTRIBUTES,
    USERS_SCHEMA,
    Changes,
)
from reco_assets.events.report import ImportReport, Progress
from reco_assets.events.streaming import StreamedAppend
from reco_assets.events.validate import validate
from reco_assets.platform.lake import Lake

EVENTS: Final = "raw/events"
QUARANTINE: Final = "raw/quarantine"
CATALOGUE: Final = "raw/catalogue"
USERS: Final = "raw/users"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def import_files(
    lake: Lake, adapter: Adapter, paths: Sequence[Path], now: datetime, progress: Progress | None = None
) -> ImportReport:
    """Import ``paths`` one after the other; what is imported already changes nothing.

    Raises BadInput where a file cannot be read at all; the files before it stay imported.
    """
    report = ImportReport()
    for path in paths:
        started = time.perf_counter()
        counted = _import_file(lake, adapter, path, now, progress or _silent)
        report += counted + ImportReport(seconds=time.perf_counter() - started)
    return report


def delivery_of(adapter: Adapter, path: Path) -> str:
    """Name of the delivery that ``path`` is: its format and its content."""
    return f"file:{adapter.name}:{adapter.digest(path)}"


def stamped(rows: pl.DataFrame, delivery: str, now: datetime) -> pl.DataFrame:
    """``rows`` with the columns that say by which delivery, and when, they came."""
    return rows.with_columns(
        pl.lit(delivery).alias("delivery"),
        pl.lit(VERSION, dtype=pl.Int64).alias("contract_version"),
        pl.lit(now).cast(RAW_SCHEMA["ingested_at"]).alias("ingested_at"),
        pl.lit(now.astimezone(UTC).date()).alias("ingest_date"),
    )


def dated(events: pl.DataFrame) -> pl.DataFrame:
    """``events`` with ``event_date``, in the order of it, so that a day is in few row groups."""
    found = events.with_columns(pl.col("timestamp").dt.date().alias("event_date"))
    return found if found["event_date"].is_sorted() else found.sort("event_date", maintain_order=True)


def _import_file(
    lake: Lake, adapter: Adapter, path: Path, now: datetime, progress: Progress
) -> ImportReport:
    delivery = delivery_of(adapter, path)
    if lake.progress(EVENTS, delivery) is not None:
        rows = lake.progress(QUARANTINE, delivery) or 0
        progress(path, 1.0, rows)
        return ImportReport(files=1, rows=rows, duplicates=rows)
    clock = lake.progress(QUARANTINE, f"{delivery}:clock")
    if clock is not None:
        # An earlier attempt has judged this file: with its clock the verdicts are the same again.
        now = _EPOCH + clock * _MICROSECOND
    with ExitStack() as stack:
        run = _Run(lake, adapter, delivery, now, stack)
        for batch in adapter.batches(path):
            run.take(batch)
            progress(path, batch.fraction, run.report.rows)
        run.commit()
    return run.report


class _Run:
    """One delivery on its way into the four tables."""

    def __init__(
        self, lake: Lake, adapter: Adapter, delivery: str, now: datetime, stack: ExitStack
    ) -> None:
        self._lake, self._delivery, self._now = lake, delivery, now
        self._prices = adapter.observes_prices
        self._duplicates = Duplicates(lake, own_ids=adapter.own_ids)
        self._products = Changes("product_id", PRODUCT_ATTRIBUTES)
        self._users = Changes("user_id", USER_ATTRIBUTES)
        clock = {f"{delivery}:clock": (now - _EPOCH) // _MICROSECOND}
        self._to_quarantine = self._append(stack, QUARANTINE, QUARANTINE_SCHEMA, clock)
        self._to_catalogue = self._append(stack, CATALOGUE, CATALOGUE_SCHEMA, {delivery: 1})
        self._to_users = self._append(stack, USERS, USERS_SCHEMA, {delivery: 1})
        events = StreamedAppend(lake, EVENTS, RAW_SCHEMA, {delivery: 1})
        self._to_events = stack.enter_context(events)
        self.report = ImportReport(files=1)

    def take(self, batch: Batch) -> None:
        """Judge the rows of ``batch`` and hand each to its table."""
        verdict = validate(batch.rows, self._now)
        rejected = stamped(verdict.rejected, self._delivery, self._now).with_columns(
            pl.lit(batch.reader).alias("reader")
        )
        if rejected.height and rejected["payload"].null_count():
            rejected = _with_payload(rejected, batch.rows)
        events = dated(stamped(verdict.accepted, self._delivery, self._now))
        known = self._duplicates.of(events)
        fresh = events.filter(~known) if known.any() else events
        self.report += ImportReport(
            rows=batch.rows.height,
            accepted=fresh.height,
            duplicates=events.height - fresh.height,
            quarantined=rejected.height,
            reasons=dict(rejected["reasons"].explode().value_counts().iter_rows()) if rejected.height else {},
            first_day=fresh["event_date"][0] if fresh.height else None,
            last_day=fresh["event_date"][-1] if fresh.height else None,
        )
        if self._to_quarantine is not None:
            self._to_quarantine.write(rejected)
        if self._to_catalogue is not None:
            self._to_catalogue.write(self._products.of(self._said(fresh, "product_id", CATALOGUE_SCHEMA)))
        if self._to_users is not None:
            self._to_users.write(self._users.of(self._said(fresh, "user_id", USERS_SCHEMA)))
        self._to_events.write(fresh)

    def commit(self) -> None:
        """Make everything visible, the events last."""
        for table in (self._to_quarantine, self._to_catalogue, self._to_users):
            if table is not None:
                table.commit()
        if self._lake.progress(QUARANTINE, self._delivery) is None:
            empty = pl.DataFrame(schema=QUARANTINE_SCHEMA).to_arrow()
            self._lake.append(QUARANTINE, empty, progress={self._delivery: self.report.rows})
        self._to_events.commit(even_empty=True)

    def _append(
        self, stack: ExitStack, table: str, schema: dict[str, pl.DataType], progress: dict[str, int]
    ) -> StreamedAppend | None:
        """An append to ``table``, or None where an earlier attempt has done it."""
        if any(self._lake.progress(table, key) is not None for key in progress):
            return None
        return stack.enter_context(StreamedAppend(self._lake, table, schema, progress))

    def _said(self, events: pl.DataFrame, key: str, schema: dict[str, pl.DataType]) -> pl.DataFrame:
        """What ``events`` say of their products or users, as columns of ``schema``."""
        present = set(events.columns) - (set() if self._prices else {"price"})
        columns = [
            pl.col("timestamp").alias(name)
            if name == "observed_at"
            else pl.col(name)
            if name in present
            else pl.lit(None, dtype=kind).alias(name)
            for name, kind in schema.items()
        ]
        return events.select(columns)


def _with_payload(rejected: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """``rejected`` with the row itself, as JSON, where the file has no bytes of a single row."""
    contract = [name for name in EVENT_SCHEMA if name in rows.columns]
    bad = rows.filter(pl.col("delivery_position").is_in(rejected["delivery_position"].implode()))
    return rejected.with_columns(as_json(bad.select(contract)).alias("payload"))


def _silent(path: Path, fraction: float, rows: int) -> None:
    """Progress for callers that do not want it."""
