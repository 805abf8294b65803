"""What the service answered, into the lake: ``raw/decisions``, and an impression for each shown product.

The position in the stream stands in the commits of ``raw/decisions``. The impressions follow from that
table and not from the stream: the commit to ``raw/events`` that holds them names the version of
``raw/decisions`` up to which they were made. A drain that dies between the two is completed by the next.
A record that cannot be read goes to ``raw/quarantine``, before either, and the others go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from reco_assets.events.contract import EVENTS, QUARANTINE, QUARANTINE_SCHEMA, RAW_SCHEMA, VERSION
from reco_assets.events.decided import PARTITIONS, STREAM
from reco_assets.events.decision_rows import DECISIONS, DECISIONS_SCHEMA, SHOWN, decision_row, impressions
from reco_assets.platform.increments import changes, read_appended, until_alone
from reco_assets.platform.lake import Lake
from reco_assets.platform.redis import connect
from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.positions import place_of, progress_of, recorded, recorded_in, unread
from reco_assets.platform.streams.redis_stream import RedisStream
from reco_assets.platform.streams.stream import Record, Stream

#: Records of one read.
MOST: Final = 10_000
#: What ``reader`` says of a quarantined record, so that nobody takes it for an event.
_READER: Final = '{"format": "decision"}'
_BAD: Final = {
    name: QUARANTINE_SCHEMA[name]
    for name in ("delivery", "delivery_position", "payload", "ingested_at", "reasons")
}


@dataclass(frozen=True)
class DrainedDecisions:
    """What one drain did.

    Attributes
    ----------
    records
        Read from the stream; ``decisions + repeated + quarantined``.
    repeated
        Records of a recommendation that was there already.
    impressions
        Rows appended to ``raw/events``, of these decisions and of those that an earlier drain left.
    waiting
        Records that were in the stream behind them.
    """

    records: int = 0
    decisions: int = 0
    repeated: int = 0
    quarantined: int = 0
    impressions: int = 0
    waiting: int = 0

    def __add__(self, later: DrainedDecisions) -> DrainedDecisions:
        return DrainedDecisions(
            self.records + later.records,
            self.decisions + later.decisions,
            self.repeated + later.repeated,
            self.quarantined + later.quarantined,
            self.impressions + later.impressions,
            later.waiting,
        )


@dataclass
class _Read:
    """Records of all partitions: the decisions among them, and those that are none, with the reasons."""

    good: list[tuple[object, ...]] = field(default_factory=list)
    bad: list[tuple[object, ...]] = field(default_factory=list)
    progress: dict[str, int] = field(default_factory=dict)
    waiting: int = 0

    def take(self, stream: str, partition: str, records: Sequence[Record], quarantined: int | None) -> None:
        """Add ``records`` of ``partition``, which quarantine has up to position ``quarantined``."""
        for record in records:
            place = place_of(stream, partition, record.position)
            try:
                self.good.append((*place, *decision_row(record)))
            except ValueError as error:
                new = quarantined is None or record.position > quarantined
                self.bad.append((*place, record.value, record.at_us, [f"no decision: {error}"], new))
        self.progress |= progress_of(stream, partition, records[-1].position)


def drain_decisions(lake: Lake, stream: Stream, most: int) -> DrainedDecisions:
    """Bring up to ``most`` records of every partition into the lake; each recommendation is there once.

    What the lake has is then forgotten by the stream. Raises StreamUnavailable; what was committed
    until then stays and is not done again.
    """
    ensure_tables(lake)
    drained = until_alone(lambda: _append_decisions(lake, stream, most))
    shown = until_alone(lambda: _append_impressions(lake))
    for partition in stream.partitions():  # also of records that a drain which died had brought in
        position = recorded(lake, DECISIONS, stream.name, partition)
        if position is not None:
            stream.forget(partition, position)
    return drained + DrainedDecisions(impressions=shown, waiting=drained.waiting)


def decisions_stream(settings: Settings) -> RedisStream:
    """The stream that the service writes its decisions to, whatever carries the shop's events."""
    return RedisStream(connect(settings), STREAM, PARTITIONS, settings.stream_most)


def decisions_waiting(lake: Lake, stream: Stream) -> int:
    """How many decisions the stream has that ``raw/decisions`` has not."""
    return unread(lake, DECISIONS, stream)


def drain_all_decisions(lake: Lake, stream: Stream, most: int = MOST) -> DrainedDecisions:
    """Drain until the stream is empty, in reads of ``most`` records."""
    drained = DrainedDecisions()
    while (more := drain_decisions(lake, stream, most)).records or more.impressions:
        drained += more
    return drained


def ensure_tables(lake: Lake) -> None:
    """Empty tables where there are none, so that readers find them."""
    lake.ensure(DECISIONS, DECISIONS_SCHEMA)
    lake.ensure(EVENTS, RAW_SCHEMA)
    lake.ensure(QUARANTINE, QUARANTINE_SCHEMA)


def _append_decisions(lake: Lake, stream: Stream, most: int) -> DrainedDecisions:
    onto, quarantine = lake.open(DECISIONS), lake.open(QUARANTINE)
    read = _Read()
    for partition in stream.partitions():
        records = stream.read(partition, recorded_in(onto, stream.name, partition), most)
        if records:
            read.take(stream.name, partition, records, recorded_in(quarantine, stream.name, partition))
            read.waiting += stream.waiting(partition, records[-1].position)
    if not read.progress:
        return DrainedDecisions()
    bad = _quarantined(read.bad)
    if bad.height:
        lake.append(QUARANTINE, bad.to_arrow(), read.progress, quarantine)
    told = pl.DataFrame(read.good, schema=DECISIONS_SCHEMA, orient="row")
    fresh = _fresh(lake, told, onto.version())
    lake.append(DECISIONS, fresh.to_arrow(), read.progress, onto)
    return DrainedDecisions(
        records=len(read.good) + len(read.bad),
        decisions=fresh.height,
        repeated=told.height - fresh.height,
        quarantined=len(read.bad),
        waiting=read.waiting,
    )


def _fresh(lake: Lake, told: pl.DataFrame, version: int) -> pl.DataFrame:
    """The first of each recommendation in ``told`` that ``raw/decisions`` at ``version`` has not.

    A repeated record says the same time too, so only rows of these times are looked at.
    """
    once = told.unique("recommendation_id", keep="first", maintain_order=True)
    if not once.height:
        return once
    known = (
        lake.scan(DECISIONS, version)
        .filter(pl.col("decided_date").is_between(once["decided_date"].min(), once["decided_date"].max()))
        .filter(pl.col("decided_at").is_between(once["decided_at"].min(), once["decided_at"].max()))
        .select("recommendation_id")
        .collect()
    )
    return once.join(known, on="recommendation_id", how="anti", maintain_order="left")


def _quarantined(bad: Sequence[tuple[object, ...]]) -> pl.DataFrame:
    """Rows of ``raw/quarantine`` of the records that it has not yet."""
    rows = pl.DataFrame(bad, schema=_BAD | {"_new": pl.Boolean()}, orient="row").filter("_new")
    return rows.with_columns(
        contract_version=pl.lit(VERSION, pl.Int64),
        ingest_date=pl.col("ingested_at").dt.date(),
        reader=pl.lit(_READER),
    ).select(list(QUARANTINE_SCHEMA))


def _append_impressions(lake: Lake) -> int:
    """Bring the impressions in ``raw/events`` up to ``raw/decisions``; how many were appended."""
    onto, upto = lake.open(EVENTS), lake.open(DECISIONS).version()
    after = onto.transaction_version(DECISIONS)
    found = changes(lake, DECISIONS, -1 if after is None else after, upto)
    rows = impressions(read_appended(lake, DECISIONS, found.appended, SHOWN))
    if rows.height:
        lake.append(EVENTS, rows.to_arrow(), {DECISIONS: upto}, onto)
    return rows.height
