"""A stream of changes into ``raw/changes``, with the position in the commit that holds the changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

import polars as pl

from reco_assets.catalogue.changes.decode import decode
from reco_assets.catalogue.changes.intake import Intake
from reco_assets.catalogue.changes.report import ChangeReport
from reco_assets.catalogue.changes.table import CHANGES, Reader
from reco_assets.catalogue.changes.tables import Tables
from reco_assets.platform.lake import Lake
from reco_assets.platform.streams.positions import place_of, progress_of, recorded_in, unread
from reco_assets.platform.streams.stream import Record, Stream

_GUESSED: Final = Tables()
#: Records of a partition in one commit.
MOST: Final = 20_000


def drain_changes(
    lake: Lake, stream: Stream, now: datetime, most: int, tables: Tables = _GUESSED
) -> ChangeReport:
    """Append up to ``most`` records of each partition that follow those which the lake has.

    One commit for all partitions, with their positions in it: a run that dies before has read nothing,
    one that dies after it has read everything. Call it again until ``messages`` is 0. Only then is a
    record forgotten by the stream when the lake has it. Raises StreamUnavailable, and
    ConcurrentWrite where somebody else drains the same stream.
    """
    reader = Reader("envelope", tables=tables.text)
    intake = Intake(lake, now)
    done: dict[str, int] = {}
    judged: dict[str, int] = {}
    read: dict[str, int] = {}
    for partition in stream.partitions():
        records = stream.read(partition, recorded_in(intake.changes, stream.name, partition), most)
        if not records:
            continue
        before = recorded_in(intake.quarantine, _judge(stream.name), partition)
        for delivery, places, part in _deliveries(stream.name, partition, records):
            decoded = decode([record.value for record in part], places, reader, now)
            known = [
                n for n, r in zip(places, part, strict=True) if before is not None and r.position <= before
            ]
            intake.take(delivery, decoded, reader, pl.Series(known, dtype=pl.Int64))
        last = read[partition] = records[-1].position
        done |= progress_of(stream.name, partition, last)
        judged |= progress_of(_judge(stream.name), partition, last)
    if not read:
        return ChangeReport()
    intake.commit(done, judged)
    for partition, position in read.items():
        stream.forget(partition, position)
    return intake.report


def drain_all_changes(
    lake: Lake, stream: Stream, clock: Callable[[], datetime], most: int = MOST, tables: Tables = _GUESSED
) -> ChangeReport:
    """Drain until the stream is empty, in commits of up to ``most`` records of each partition."""
    report = ChangeReport()
    while (found := drain_changes(lake, stream, clock(), most, tables)).messages:
        report += found
    return report


def changes_waiting(lake: Lake, stream: Stream) -> int:
    """How many records the stream has that ``raw/changes`` has not. Raises StreamUnavailable."""
    return unread(lake, CHANGES, stream)


def _deliveries(
    stream: str, partition: str, records: Sequence[Record]
) -> Iterator[tuple[str, list[int], list[Record]]]:
    """``records`` by the name of their delivery, with their places in it; for most streams it is one."""
    found: dict[str, tuple[list[int], list[Record]]] = {}
    for record in records:
        delivery, place = place_of(stream, partition, record.position)
        places, part = found.setdefault(delivery, ([], []))
        places.append(place)
        part.append(record)
    for delivery, (places, part) in found.items():
        yield delivery, places, part


def _judge(stream_name: str) -> str:
    """Under which name quarantine remembers what it has of the stream."""
    return f"{stream_name}:changes"
