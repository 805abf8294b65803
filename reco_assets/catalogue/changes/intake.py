"""Judged messages into the lake: the bad ones, the purchases they make, and the changes last.

The commit of ``raw/changes`` carries how far the delivery was read; while it lacks that, the delivery is
not imported, and a run that was cut short is completed by running it again. Purchases are compared with
those that are there, so a second attempt adds none twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import polars as pl

from reco_assets.catalogue.changes.decode import Decoded
from reco_assets.catalogue.changes.purchases import EVENTS, VERSION, fresh, purchases
from reco_assets.catalogue.changes.report import ChangeReport
from reco_assets.catalogue.changes.table import CHANGES, CHANGES_SCHEMA, Reader
from reco_assets.events.contract import QUARANTINE, QUARANTINE_SCHEMA, RAW_SCHEMA
from reco_assets.events.importer import stamped
from reco_assets.events.validate import validate
from reco_assets.platform.lake import Lake
from reco_assets.platform.staging import Staged

#: Purchases that are compared with those of the lake at once; comparing reads the events of their days.
_COMPARED: Final = 200_000


class Intake:
    """Messages of one or more deliveries on their way into the three tables."""

    def __init__(self, lake: Lake, now: datetime) -> None:
        self._lake, self._now = lake, now
        for table, schema in (
            (EVENTS, RAW_SCHEMA),
            (QUARANTINE, QUARANTINE_SCHEMA),
            (CHANGES, CHANGES_SCHEMA),
        ):
            lake.ensure(table, schema)
        #: The tables as they were when it was decided what to read; of two who read the same, one wins.
        self.changes, self.quarantine = lake.open(CHANGES), lake.open(QUARANTINE)
        self._to_quarantine = Staged(lake, QUARANTINE, QUARANTINE_SCHEMA)
        self._to_events = Staged(lake, EVENTS, RAW_SCHEMA, order="event_date")
        self._to_changes = Staged(lake, CHANGES, CHANGES_SCHEMA)
        self._held: list[pl.DataFrame] = []
        self._made: list[pl.DataFrame] = []
        self.report = ChangeReport()

    def take(self, delivery: str, decoded: Decoded, reader: Reader, judged: pl.Series | None = None) -> None:
        """Stage what ``decoded`` holds; the positions ``judged`` are in quarantine already."""
        bad = (
            decoded.bad if judged is None else decoded.bad.filter(~pl.col("delivery_position").is_in(judged))
        )
        self._to_quarantine.write(
            stamped(bad, delivery, self._now).with_columns(pl.lit(reader.text()).alias("reader"))
        )
        self._to_changes.write(stamped(decoded.changes, delivery, self._now))
        refused = self._hold_purchases(delivery, decoded.changes)
        self.report += ChangeReport(
            messages=decoded.good + decoded.ignored + sum(decoded.unknown.values()) + decoded.bad.height,
            changes=decoded.good,
            ignored=decoded.ignored,
            quarantined=decoded.bad.height,
            unknown=decoded.unknown,
            reasons=_counts(decoded.bad["reasons"]),
            refused=refused,
        )

    def commit(self, done: Mapping[str, int], judged: Mapping[str, int]) -> None:
        """Make everything visible; ``done`` goes into the commit of the changes, ``judged`` of the bad.

        Raises ConcurrentWrite where somebody else has read the same meanwhile.
        """
        self._write_purchases()
        if self._to_quarantine.rows:
            self._to_quarantine.append(judged, self.quarantine)
        if self._to_events.rows:
            self._to_events.append({})
        self._to_changes.append(done, self.changes)

    def _hold_purchases(self, delivery: str, changes: pl.DataFrame) -> dict[str, int]:
        """Keep the purchases of some changes; why other order lines are none."""
        verdict = validate(purchases(changes), self._now)
        events = stamped(verdict.accepted, delivery, self._now).with_columns(
            pl.col("timestamp").dt.date().alias("event_date")
        )
        self._held.append(events)
        if sum(part.height for part in self._held) >= _COMPARED:
            self._write_purchases()
        return _counts(verdict.rejected["reasons"])

    def _write_purchases(self) -> None:
        """Stage the purchases that are not there yet, in the lake or earlier in these deliveries."""
        if not self._held:
            return
        made = fresh(self._lake, pl.concat(self._held))
        for earlier in self._made:
            made = made.join(earlier, on=VERSION, how="anti", nulls_equal=True, maintain_order="left")
        self._held = []
        self._made.append(made.select(VERSION))
        self._to_events.write(made)
        self.report += ChangeReport(purchases=made.height)


def _counts(reasons: pl.Series) -> dict[str, int]:
    return dict(reasons.explode().value_counts().iter_rows()) if reasons.len() else {}
