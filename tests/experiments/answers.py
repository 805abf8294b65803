"""Tables of a shop in which an experiment ran: what was answered, and what people did before and after."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from reco_assets.events.decided import Exposure, encode
from reco_assets.events.decision_rows import DECISIONS, DECISIONS_SCHEMA, decision_row, impressions
from reco_assets.platform.lake import Lake
from reco_assets.platform.streams.stream import Record
from tests.builders import Event, events
from tests.events.answers import decided

SILVER = "silver/interactions"


def answered(
    lake: Lake, *answers: tuple[str, str, datetime], experiment: str, phase: int = 1, **said: float
) -> None:
    """Answers of ``(user, variant, when)`` in the lake, each of two products, of which none was clicked.

    ``said`` are fields of the records, such as ``latency_ms``.
    """
    records = [
        decided(
            f"{user}-{at:%d%H%M%S}", user, "p1", "p2", at=at,
            exposures=[Exposure(experiment, variant, phase)], **said,  # type: ignore[arg-type]
        )
        for user, variant, at in answers
    ]  # fmt: skip
    rows = [
        ("stream:decisions:0", place, *decision_row(Record(place, one.now_us, encode(one))))
        for place, one in enumerate(records)
    ]
    told = pl.DataFrame(rows, schema=DECISIONS_SCHEMA, orient="row")
    lake.append(DECISIONS, told.to_arrow())
    shown = impressions(told).select(
        "recommendation_id", "user_id", "position", "event_date", clicked=pl.lit(False)
    )
    lake.append("gold/impressions", shown.to_arrow())


def done(lake: Lake, *rows: Event) -> None:
    """Events in ``silver/interactions``."""
    told = events(*rows).with_columns(event_date=pl.col("timestamp").dt.date())
    lake.append(SILVER, told.to_arrow())


def days(first: datetime, count: int) -> list[datetime]:
    """``count`` days from ``first`` on, at its time of day."""
    return [first + timedelta(days=number) for number in range(count)]
