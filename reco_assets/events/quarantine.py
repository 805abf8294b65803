"""Bad events, kept with their bytes and every reason; judged again when the contract has changed."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import polars as pl

from reco_assets.events.adapters.formats import reread
from reco_assets.events.contract import EVENTS, QUARANTINE, QUARANTINE_SCHEMA, RAW_SCHEMA
from reco_assets.events.duplicates import InFile, InLake
from reco_assets.events.importer import stamped
from reco_assets.events.report import ImportReport
from reco_assets.events.validate import validate
from reco_assets.platform.lake import Lake
from reco_assets.platform.staging import Staged

#: What was cut off is not in the bytes: no contract can bring it back.
CUT: Final = "cut line"

#: Where changes of a database's rows go.
CHANGES: Final = "raw/changes"

_KEY: Final = ("delivery", "delivery_position")


def quarantined(lake: Lake) -> pl.DataFrame:
    """Rows of ``raw/quarantine`` that have not been replayed, oldest first."""
    if not lake.exists(QUARANTINE):
        return pl.DataFrame(schema=QUARANTINE_SCHEMA)
    rows = lake.scan(QUARANTINE).collect()
    for table in (EVENTS, CHANGES):
        if rows.height and lake.exists(table):
            deliveries = rows["delivery"].unique().to_list()
            replayed = lake.scan(table).filter(pl.col("delivery").is_in(deliveries)).select(_KEY)
            rows = rows.lazy().join(replayed, on=_KEY, how="anti").collect()
    return rows.sort("ingested_at", *_KEY)


def of_changes() -> pl.Expr:
    """Whether a quarantined row is a change of a database's row, which the catalogue replays."""
    return pl.col("reader").str.starts_with('{"format": "changes"').fill_null(False)


def of_decisions() -> pl.Expr:
    """Whether a quarantined row is a decision record that could not be read; it is no event."""
    return pl.col("reader").str.starts_with('{"format": "decision"').fill_null(False)


def summary(rows: pl.DataFrame) -> pl.DataFrame:
    """How many of the quarantined ``rows`` each delivery has by reason: delivery, reason, rows."""
    return (
        rows.select("delivery", pl.col("reasons").alias("reason"))
        .explode("reason")
        .group_by("delivery", "reason")
        .agg(pl.len().cast(pl.Int64).alias("rows"))
        .sort("rows", "delivery", "reason", descending=[True, False, False])
    )


def replay(lake: Lake, now: datetime) -> ImportReport:
    """Judge every quarantined row again; what is good now goes to ``raw/events``, in one commit.

    A row keeps its delivery, its position and so its event id: running it twice changes nothing. What
    is still bad stays where it is and is reported with today's reasons.
    """
    rows = quarantined(lake).filter(~of_changes() & ~of_decisions())
    cut = pl.col("reasons").list.eval(pl.element().str.starts_with(CUT)).list.any()
    report = ImportReport(rows=rows.height)
    for_good = rows.filter(cut)
    report += _still_bad(for_good["reasons"])
    lake.ensure(EVENTS, RAW_SCHEMA)
    stored, before = InLake(lake.open(EVENTS)), InFile()
    staged = Staged(lake, EVENTS, RAW_SCHEMA, order="event_date")
    for (reader, delivery), part in rows.filter(~cut).group_by("reader", "delivery", maintain_order=True):
        again = reread(str(reader), part["payload"], part["delivery_position"])
        verdict = validate(again, now)
        events = stamped(verdict.accepted, str(delivery), now).with_columns(
            pl.col("timestamp").dt.date().alias("event_date")
        )
        fresh = events.filter(~(before.of(events["event_id"]) | stored.of(events)))
        staged.write(fresh)
        report += ImportReport(
            accepted=fresh.height,
            duplicates=events.height - fresh.height,
            first_day=fresh.select(pl.col("event_date").min()).item(),
            last_day=fresh.select(pl.col("event_date").max()).item(),
        )
        report += _still_bad(verdict.rejected["reasons"])
    if staged.rows:
        staged.append({})
    return report


def _still_bad(reasons: pl.Series) -> ImportReport:
    counts = dict(reasons.explode().value_counts().iter_rows()) if reasons.len() else {}
    return ImportReport(quarantined=reasons.len(), reasons=counts)
