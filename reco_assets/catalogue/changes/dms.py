"""AWS DMS: JSON records as it writes to Kafka and Kinesis, and rows of the files that it writes to S3.

DMS tells no place in the log that could be compared, so its changes are ordered by the time of their
commit and then by transaction and record, as far as it names them. In files the column of the task's
``AR_H_CHANGE_SEQ``, where it was added, orders them instead; without it the row's place in its file
decides among changes of one moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from reco_assets.catalogue.changes.envelope import Envelope, Op, Row, mapping_of, sortable, whole
from reco_assets.errors import BadEvent
from reco_assets.events.values import as_time

_OPERATIONS: Final[Mapping[str, Op]] = {"load": "r", "insert": "c", "update": "u", "delete": "d"}
_LETTERS: Final[Mapping[str, Op]] = {"i": "c", "u": "u", "d": "d"}

#: Columns that DMS adds to the rows of a file, compared without case and underscores.
_SEQUENCE: Final = ("arhchangeseq", "changeseq", "transactseq")
_STAMP: Final = ("dmstimestamp", "cdctimestamp", "committimestamp", "transactioncommittimestamp", "timestamp")
_CHANGED: Final = ("updatedat", "modifiedat", "lastmodified", "lastupdated")


def envelope(body: Row) -> Envelope | None:
    """The change of a JSON record; None for a control record. Raises BadEvent with the reason."""
    told = mapping_of(body.get("metadata")) or {}
    if told.get("record-type") == "control":
        return None
    op = _OPERATIONS.get(str(told.get("operation")).lower())
    if op is None:
        raise BadEvent(f"metadata: unknown operation '{str(told.get('operation'))[:20]}'")
    row = mapping_of(body.get("data"))
    if row is None:
        raise BadEvent("data: missing")
    table = told.get("table-name")
    if not isinstance(table, str) or not table:
        raise BadEvent("metadata: no table-name")
    at_us = _moment(told.get("commit-timestamp")) or _moment(told.get("timestamp"))
    if at_us is None:
        raise BadEvent("metadata: no time, neither timestamp nor commit-timestamp")
    space = told.get("schema-name")
    return Envelope(
        table=f"{space}.{table}" if space else table,
        op=op,
        before=row if op == "d" else mapping_of(body.get("before-image")),
        after=None if op == "d" else row,
        key=None,
        log="dms",
        position=sortable(
            at_us, whole(told.get("transaction-id")) or 0, whole(told.get("transaction-record-id")) or 0
        ),
        at_us=at_us,
    )


def row_envelope(row: Row, table: str, place: int, read_us: int) -> Envelope:
    """The change of a row of a file, the ``place``-th; raises BadEvent.

    A file of the full load may have no ``Op``: its rows were read by a snapshot. A row without any
    time is taken as of ``read_us``, when the file was read.
    """
    names = {name.lower().replace("_", ""): name for name in row}
    letter = row[names["op"]] if "op" in names else None
    op: Op | None = "r" if letter is None else _LETTERS.get(str(letter).strip().lower())
    if op is None:
        raise BadEvent(f"Op: unknown '{str(letter)[:20]}'")
    columns = {name: value for name, value in row.items() if name != names.get("op")}
    stamped = [row[names[name]] for name in (*_STAMP, *_CHANGED) if name in names]
    at_us = _moment(stamped[0]) if stamped and stamped[0] is not None else read_us
    if at_us is None:
        raise BadEvent(f"time: '{str(stamped[0])[:40]}' is not a time")
    sequence = next((str(row[names[name]]) for name in _SEQUENCE if name in names and row[names[name]]), None)
    return Envelope(
        table=table,
        op=op,
        before=columns if op == "d" else None,
        after=None if op == "d" else columns,
        key=None,
        log="dms sequence" if sequence else "dms file",
        position=sequence.zfill(40) if sequence else sortable(at_us, place),
        at_us=at_us,
    )


def _moment(value: object) -> int | None:
    """UTC microseconds of a text or a number."""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return None
    read = as_time(pl.Series([str(value)]))[0]
    return None if read is None else round(read.timestamp() * 1_000_000)
