"""Quarantined changes judged again, after a change of the mapping or of the rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import polars as pl

from reco_assets.catalogue.changes.decode import decode
from reco_assets.catalogue.changes.intake import Intake
from reco_assets.catalogue.changes.report import ChangeReport
from reco_assets.catalogue.changes.table import Reader
from reco_assets.catalogue.changes.tables import Tables
from reco_assets.events.quarantine import of_changes, quarantined
from reco_assets.platform.lake import Lake


def replay_changes(lake: Lake, now: datetime, tables: Tables | None = None) -> ChangeReport:
    """Append what is good now to ``raw/changes``, in one commit; the rest stays where it is.

    A message keeps its delivery and its place, so running it twice changes nothing. ``tables`` takes the
    place of the mapping with which the messages were read first.
    """
    rows = quarantined(lake).filter(of_changes())
    intake: Intake | None = None
    for (text, delivery), part in rows.group_by("reader", "delivery", maintain_order=True):
        reader = Reader.of(str(text))
        reader = replace(reader, tables=tables.text) if tables else reader
        intake = intake or Intake(lake, now)
        decoded = decode(part["payload"].to_list(), part["delivery_position"].to_list(), reader, now)
        intake.take(str(delivery), decoded, reader, judged=part["delivery_position"].cast(pl.Int64))
    if intake is None:
        return ChangeReport()
    if intake.report.changes:
        intake.commit({}, {})
    return intake.report
