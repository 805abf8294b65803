"""Debezium's envelopes: ``before``, ``after``, ``op``, and ``source`` with the place in the log.

The order of changes is that of the log of each database:

==========  ======================================  =============================================
connector   fields of ``source``                    why these
==========  ======================================  =============================================
PostgreSQL  ``lsn``                                 a row is locked until its transaction ends,
                                                    so its changes have growing numbers
MySQL       ``file``, ``pos``, ``row``; ``gtid``    the file's number counts, not its name
SQL Server  ``commit_lsn``, ``change_lsn``,         as its change tables are ordered
            ``event_serial_no``
Oracle      ``scn``, ``ssn``
others      the time of the change                  documented as the weaker order
==========  ======================================  =============================================
"""

from __future__ import annotations

import re
from typing import Final, cast

from reco_assets.catalogue.changes.envelope import OPS, Envelope, Op, Row, mapping_of, sortable, whole
from reco_assets.errors import BadEvent

_UNITS: Final = {"ts_us": 1, "ts_ms": 1_000}
_NUMBERED: Final = re.compile(r"\.(\d+)$")
_LSN: Final = re.compile(r"^[0-9A-Fa-f]{8}:[0-9A-Fa-f]{8}:[0-9A-Fa-f]{4}$")


def envelope(body: Row, key: Row | None, schema: Row | None) -> Envelope:
    """The change that ``body`` tells of; raises BadEvent with the reason where it cannot be used."""
    op = body.get("op")
    if op == "t":
        raise BadEvent("op t: a truncated table is not followed; delete its rows or load it anew")
    if op not in OPS:
        raise BadEvent(f"op: unknown '{str(op)[:20]}'")
    before, after = mapping_of(body.get("before")), mapping_of(body.get("after"))
    if after is None and op != "d":
        raise BadEvent(f"after: missing in a change of op {op}")
    source = mapping_of(body.get("source"))
    if source is None:
        raise BadEvent("source: missing")
    at_us = _time(source) or _time(body)
    if at_us is None:
        raise BadEvent("source: no time, neither ts_ms nor ts_us")
    kind, position = _position(source, at_us)
    return Envelope(
        table=_table(source),
        op=cast(Op, op),
        before=before,
        after=None if op == "d" else after,
        key=key,
        log=f"{source.get('connector') or 'debezium'}:{source.get('name') or ''}:{kind}",
        position=position,
        at_us=at_us,
        types=_types(schema),
    )


def _time(told: Row) -> int | None:
    for name, unit in _UNITS.items():
        number = whole(told.get(name))
        if number:
            return number * unit
    return None


def _table(source: Row) -> str:
    table = source.get("table")
    if not isinstance(table, str) or not table:
        raise BadEvent("source: no table")
    space = source.get("schema") or source.get("db")
    return f"{space}.{table}" if isinstance(space, str) and space else table


def _position(source: Row, at_us: int) -> tuple[str, str]:
    """What orders the changes of this log, and the place in that order."""
    lsn = whole(source.get("lsn"))
    if lsn is not None:
        return "lsn", sortable(lsn)
    file, pos = source.get("file"), whole(source.get("pos"))
    if isinstance(file, str) and pos is not None:
        number = _NUMBERED.search(file)
        if number is None:
            raise BadEvent(f"source: the log file '{file[:40]}' has no number")
        return "file", sortable(int(number[1]), pos, whole(source.get("row")) or 0)
    commit, change = source.get("commit_lsn"), source.get("change_lsn")
    if isinstance(change, str) or isinstance(commit, str):
        if not all(one is None or (isinstance(one, str) and _LSN.match(one)) for one in (commit, change)):
            raise BadEvent("source: change_lsn or commit_lsn is not a log sequence number")
        least = "00000000:00000000:0000"
        first, second = (str(one or least).lower() for one in (commit, change))
        return "commit_lsn", sortable(first, second, whole(source.get("event_serial_no")) or 0)
    scn = whole(source.get("scn"))
    if scn is not None:
        return "scn", sortable(scn, whole(source.get("ssn")) or 0)
    gtid = source.get("gtid")
    if isinstance(gtid, str) and (transaction := whole(gtid.rpartition(":")[2])) is not None:
        return f"gtid {gtid.rpartition(':')[0]}", sortable(transaction)
    return "time", sortable(at_us)


def _types(schema: Row | None) -> dict[str, str]:
    """Names of the semantic types of the row's columns; plain ones have none."""
    for part in _fields(schema):
        if part.get("field") in ("after", "before"):
            return {
                str(column.get("field")): str(column["name"])
                for column in _fields(part)
                if column.get("name")
            }
    return {}


def _fields(schema: Row | None) -> list[Row]:
    found = schema.get("fields") if schema else None
    return [part for part in found if isinstance(part, dict)] if isinstance(found, list) else []
