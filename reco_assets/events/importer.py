"""Files into the lake: every row accepted, known already, or quarantined, and each file exactly once.

A file is one delivery, named after its content. Its rows go to ``raw/quarantine``, ``raw/catalogue``,
``raw/users`` and ``raw/events``, committed in that order, each commit with the delivery's name in it
(an application transaction). ``raw/events`` comes last, with the number of rows: while it lacks the
delivery the file is not imported, and a run that was cut short is completed by running it again;
whatever table has the delivery already is left alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import polars as pl

from reco_assets.events.adapters import Adapter
from reco_assets.events.adapters.parquet import as_json
from reco_assets.events.contract import (
    EVENT_SCHEMA,
    EVENTS,
    QUARANTINE,
    QUARANTINE_SCHEMA,
    RAW_SCHEMA,
    VERSION,
)
from reco_assets.events.duplicates import InLake
from reco_assets.events.observations import (
    CATALOGUE_SCHEMA,
    PRODUCT_ATTRIBUTES,
    USER_ATTRIBUTES,
    USERS_SCHEMA,
    Changes,
)
from reco_assets.events.reading import Delivery, Judged, ahead, read_judged
from reco_assets.events.report import ImportReport, Progress
from reco_assets.events.values import as_number
from reco_assets.platform.lake import Lake
from reco_assets.platform.staging import Staged

CATALOGUE: Final = "raw/catalogue"
USERS: Final = "raw/users"


def import_files(
    lake: Lake, adapter: Adapter, paths: Sequence[Path], now: datetime, progress: Progress | None = None
) -> ImportReport:
    """:func:`import_each` of ``paths``, all of one format."""
    return import_each(lake, ((adapter, path) for path in paths), now, progress)


def import_each(
    lake: Lake, files: Iterable[tuple[Adapter, Path]], now: datetime, progress: Progress | None = None
) -> ImportReport:
    """Import ``files`` one after the other; what is imported already changes nothing.

    While one is written and committed, the next is read and judged. Raises BadInput where a file
    cannot be read at all; the files before it stay imported.
    """
    for table, schema in ((EVENTS, RAW_SCHEMA), (QUARANTINE, QUARANTINE_SCHEMA)):
        if not lake.exists(table):
            lake.append(table, pl.DataFrame(schema=schema).to_arrow())
    started, told = time.perf_counter(), progress or _silent
    report, run, imported = ImportReport(), None, dict[str, int]()
    for delivery, part in ahead(read_judged(lake, files, now)):
        rows = imported.get(delivery.name, delivery.rows)
        if rows is not None:
            if part is None:
                told(delivery.path, 1.0, rows)
                report += ImportReport(files=1, rows=rows, duplicates=rows)
            continue
        run = run or _Run(lake, delivery)
        if part is not None:
            run.take(part)
            told(delivery.path, part.batch.fraction, run.report.rows)
            continue
        run.commit()
        report += run.report
        imported[delivery.name] = run.report.rows
        run = None
    return replace(report, seconds=time.perf_counter() - started)


def stamped(rows: pl.DataFrame, delivery: str, now: datetime) -> pl.DataFrame:
    """``rows`` with the columns that say by which delivery, and when, they came."""
    return rows.with_columns(
        pl.lit(delivery).alias("delivery"),
        pl.lit(VERSION, dtype=pl.Int64).alias("contract_version"),
        pl.lit(now).cast(RAW_SCHEMA["ingested_at"]).alias("ingested_at"),
        pl.lit(now.astimezone(UTC).date()).alias("ingest_date"),
    )


class _Run:
    """One delivery on its way into the four tables."""

    def __init__(self, lake: Lake, delivery: Delivery) -> None:
        self._lake, self._delivery = lake, delivery
        self._before = lake.open(EVENTS)
        self._stored = InLake(self._before)
        self._products = Changes("product_id", PRODUCT_ATTRIBUTES)
        self._users = Changes("user_id", USER_ATTRIBUTES)
        self._to_quarantine = Staged(lake, QUARANTINE, QUARANTINE_SCHEMA)
        self._to_catalogue = Staged(lake, CATALOGUE, CATALOGUE_SCHEMA)
        self._to_users = Staged(lake, USERS, USERS_SCHEMA)
        self._to_events = Staged(lake, EVENTS, RAW_SCHEMA, order="event_date")
        self.report = ImportReport(files=1)

    def take(self, part: Judged) -> None:
        """Stage each row of ``part`` for its table."""
        batch, verdict = part.batch, part.verdict
        name, now = self._delivery.name, self._delivery.now
        rejected = stamped(verdict.rejected, name, now).with_columns(pl.lit(batch.reader).alias("reader"))
        if rejected.height and rejected["payload"].null_count():
            rejected = _with_payload(rejected, batch.rows)
        events = stamped(verdict.accepted, name, now).with_columns(
            pl.col("timestamp").dt.date().alias("event_date")
        )
        known = part.again | self._stored.of(events)
        fresh = events.filter(~known) if known.any() else events
        self.report += ImportReport(
            rows=batch.rows.height,
            accepted=fresh.height,
            duplicates=events.height - fresh.height,
            quarantined=rejected.height,
            reasons=dict(rejected["reasons"].explode().value_counts().iter_rows()) if rejected.height else {},
            first_day=fresh.select(pl.col("event_date").min()).item(),
            last_day=fresh.select(pl.col("event_date").max()).item(),
        )
        self._to_quarantine.write(rejected)
        self._to_catalogue.write(self._products.of(self._said(fresh, CATALOGUE_SCHEMA)))
        self._to_users.write(self._users.of(self._said(fresh, USERS_SCHEMA)))
        self._to_events.write(fresh)

    def commit(self) -> None:
        """Make everything visible, the events last; a table that has the delivery already is left alone."""
        name = self._delivery.name
        for staged, table, progress in (
            (self._to_quarantine, QUARANTINE, self._delivery.clock),
            (self._to_catalogue, CATALOGUE, {name: self._to_catalogue.rows}),
            (self._to_users, USERS, {name: self._to_users.rows}),
        ):
            if staged.rows and all(self._lake.progress(table, key) is None for key in progress):
                staged.append(progress)
        self._to_events.append({name: self.report.rows}, self._before)

    def _said(self, events: pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
        """What ``events`` say of their products or users, as columns of ``schema``."""
        said = {name: events[name] for name in schema if name in events.columns}
        said["observed_at"] = events["timestamp"]
        if "list_price" in events.columns:
            listed = as_number(events["list_price"])
            said["price"] = listed.set(~(listed.is_finite() & (listed >= 0)).fill_null(False), None)
        elif not self._delivery.adapter.observes_prices:
            said.pop("price", None)
        nothing = {name: pl.Series(name, [None], dtype=kind) for name, kind in schema.items()}
        return pl.DataFrame(
            [
                said[name].rename(name) if name in said else nothing[name].new_from_index(0, events.height)
                for name in schema
            ]
        )


def _with_payload(rejected: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """``rejected`` with the row itself, as JSON, where the file has no bytes of a single row."""
    contract = [name for name in EVENT_SCHEMA if name in rows.columns]
    bad = rows.filter(pl.col("delivery_position").is_in(rejected["delivery_position"].implode()))
    return rejected.with_columns(as_json(bad.select(contract)).alias("payload"))


def _silent(path: Path, fraction: float, rows: int) -> None:
    """Progress for callers that do not want it."""
