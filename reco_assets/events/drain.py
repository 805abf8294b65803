"""A stream into the lake: every record once, its position in the commit that holds it.

What the contract accepts goes to ``raw/events``, what it refuses to ``raw/quarantine`` with the bytes
and all reasons; one bad record does not stop the others. Quarantine is committed first. A drain that
was cut short begins again at the position of ``raw/events``, and quarantine leaves out what it has.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import polars as pl
from deltalake import DeltaTable

from reco_assets.events.contract import EVENTS, QUARANTINE, QUARANTINE_SCHEMA, RAW_SCHEMA, VERSION
from reco_assets.events.validate import validate
from reco_assets.events.wire import json_rows
from reco_assets.platform.increments import until_alone
from reco_assets.platform.lake import Lake
from reco_assets.platform.staging import Staged
from reco_assets.platform.streams.positions import places_of, progress_of, recorded_in, unread
from reco_assets.platform.streams.stream import Record, Stream

_TIME: Final = RAW_SCHEMA["ingested_at"]
#: How a quarantined record is read again.
_READER: Final = json.dumps({"format": "json"})


@dataclass(frozen=True)
class Drained:
    """What one drain did.

    Attributes
    ----------
    records
        Read from the stream; ``accepted + quarantined``.
    waiting
        Records that were in the stream behind them.
    oldest_us, newest_us
        When the stream took the first and the last of them, UTC microseconds; 0 where there were none.
    event_delay_s
        Median seconds between an event's own time and its arrival in the stream.
    version
        Version of ``raw/events`` that holds them.
    """

    records: int = 0
    accepted: int = 0
    quarantined: int = 0
    waiting: int = 0
    oldest_us: int = 0
    newest_us: int = 0
    event_delay_s: float = 0.0
    version: int | None = None
    positions: dict[str, int] = field(default_factory=dict)

    def and_then(self, later: Drained) -> Drained:
        """The two as one, ``later`` being the second."""
        records = self.records + later.records
        delay = self.event_delay_s * self.records + later.event_delay_s * later.records
        return Drained(
            records=records,
            accepted=self.accepted + later.accepted,
            quarantined=self.quarantined + later.quarantined,
            waiting=later.waiting,
            oldest_us=self.oldest_us or later.oldest_us,
            newest_us=later.newest_us or self.newest_us,
            event_delay_s=delay / records if records else 0.0,
            version=later.version,
            positions=self.positions | later.positions,
        )


def drain(lake: Lake, stream: Stream, most: int) -> Drained:
    """Bring up to ``most`` records of every partition into the lake; what is there already is not read.

    Raises StreamUnavailable; the lake is then as it was.
    """
    lake.ensure(EVENTS, RAW_SCHEMA)
    lake.ensure(QUARANTINE, QUARANTINE_SCHEMA)
    with _uncollected():
        drained = until_alone(lambda: _drain(lake, stream, most))
    for partition, position in drained.positions.items():
        stream.forget(partition, position)
    return drained


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection: it would walk over the records in flight for a fifth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def waiting(lake: Lake, stream: Stream) -> int:
    """How many records the stream has that ``raw/events`` has not."""
    return unread(lake, EVENTS, stream)


def _drain(lake: Lake, stream: Stream, most: int) -> Drained:
    onto = lake.open(EVENTS)
    frames, positions, behind = [], {}, 0
    for partition in stream.partitions():
        after = recorded_in(onto, stream.name, partition)
        there = stream.waiting(partition, after)
        records = stream.read(partition, after, most)
        behind += max(0, there - len(records))
        if records:
            frames.append(_rows(stream.name, partition, records))
            positions[partition] = records[-1].position
    if not frames:
        return Drained(waiting=behind, version=onto.version())
    rows = pl.concat(frames)
    verdict = validate(rows, rows["ingested_at"])
    quarantined = _quarantine(lake, stream, verdict.rejected, positions)
    events = verdict.accepted.with_columns(event_date=pl.col("timestamp").dt.date())
    version = _commit(lake, EVENTS, RAW_SCHEMA, events, _progress(stream, positions), onto)
    delay = (events["ingested_at"] - events["timestamp"]).dt.total_milliseconds().median()
    return Drained(
        records=rows.height,
        accepted=events.height,
        quarantined=quarantined,
        waiting=behind,
        oldest_us=rows.select(pl.col("ingested_at").dt.timestamp("us").min()).item(),
        newest_us=rows.select(pl.col("ingested_at").dt.timestamp("us").max()).item(),
        event_delay_s=delay / 1000 if isinstance(delay, float | int) else 0.0,
        version=version,
        positions=positions,
    )


def _rows(stream: str, partition: str, records: Sequence[Record]) -> pl.DataFrame:
    """The records of one partition as the contract judges them, with the columns of a delivery."""
    positions = [record.position for record in records]
    at = pl.Series("ingested_at", [record.at_us for record in records], dtype=pl.Int64).cast(_TIME)
    return json_rows([record.value for record in records]).with_columns(
        *places_of(stream, partition, positions),
        at,
        at.dt.date().alias("ingest_date"),
        pl.lit(VERSION, dtype=pl.Int64).alias("contract_version"),
        pl.Series("_partition", [partition]).new_from_index(0, len(records)),
        pl.Series("_position", list(map(str, positions))),
    )


def _quarantine(lake: Lake, stream: Stream, rejected: pl.DataFrame, positions: dict[str, int]) -> int:
    """Put what was refused into quarantine, unless an earlier attempt has; how many were refused."""
    if rejected.height:
        onto = lake.open(QUARANTINE)
        known = {name: recorded_in(onto, stream.name, name) for name in positions}
        new = [
            (known[partition] is None or int(position) > (known[partition] or 0))
            for partition, position in rejected.select("_partition", "_position").iter_rows()
        ]
        rows = rejected.filter(pl.Series(new, dtype=pl.Boolean)).with_columns(reader=pl.lit(_READER))
        if rows.height:
            # an earlier attempt may have read further: its progress must not be set back
            ahead = {name: position for name, position in positions.items() if position > (known[name] or -1)}
            _commit(lake, QUARANTINE, QUARANTINE_SCHEMA, rows, _progress(stream, ahead), onto)
    return rejected.height


def _progress(stream: Stream, positions: dict[str, int]) -> dict[str, int]:
    """What a commit that holds all up to ``positions`` says of it."""
    progress: dict[str, int] = {}
    for partition, position in positions.items():
        progress |= progress_of(stream.name, partition, position)
    return progress


def _commit(
    lake: Lake,
    table: str,
    schema: dict[str, pl.DataType],
    rows: pl.DataFrame,
    progress: dict[str, int],
    onto: DeltaTable,
) -> int:
    staged = Staged(lake, table, schema, order="event_date" if "event_date" in schema else None)
    staged.write(rows)
    return staged.append(progress, onto)
