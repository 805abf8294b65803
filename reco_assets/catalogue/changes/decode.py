"""Messages into rows of ``raw/changes``: which are changes of ours, which are bad and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

import polars as pl

from reco_assets.catalogue.changes.columns import typed
from reco_assets.catalogue.changes.dms import row_envelope
from reco_assets.catalogue.changes.envelope import UNAVAILABLE, Envelope, Row
from reco_assets.catalogue.changes.table import ATTRIBUTES, CHANGE_SCHEMA, Reader
from reco_assets.catalogue.changes.tables import Mapped, Tables
from reco_assets.catalogue.changes.wrapping import decoded, read_envelope
from reco_assets.errors import BadEvent
from reco_assets.events.contract import EARLIEST, MAX_AHEAD

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_BAD: Final[dict[str, pl.DataType]] = {
    "delivery_position": pl.Int64(),
    "payload": pl.Binary(),
    "reasons": pl.List(pl.String()),
}


@dataclass(frozen=True)
class Decoded:
    """What some messages were; ``messages == good + ignored + sum(unknown) + bad.height``.

    Attributes
    ----------
    changes
        ``CHANGE_SCHEMA``; a change of a row's id is two rows.
    bad
        ``delivery_position, payload, reasons``: every reason, never empty.
    good
        Messages that ``changes`` is made of.
    ignored
        Tombstones and control records.
    unknown
        Messages of tables that are none of ours, by table.
    """

    changes: pl.DataFrame
    bad: pl.DataFrame
    good: int
    ignored: int
    unknown: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Change:
    """A change with its columns found, its values as the database wrote them."""

    place: int
    payload: bytes
    told: Envelope
    entity: str
    key: str
    op: str
    values: Mapping[str, object]
    types: Mapping[str, str]


def decode(messages: Sequence[bytes], places: Sequence[int], reader: Reader, now: datetime) -> Decoded:
    """Judge ``messages``, which stand at ``places`` of their delivery; ``now`` measures the future."""
    tables = reader.mapping
    latest = (now + MAX_AHEAD - _EPOCH) // _MICROSECOND
    found: list[_Change] = []
    bad: list[tuple[int, bytes, list[str]]] = []
    ignored, unknown = 0, Counter[str]()
    for message, place in zip(messages, places, strict=True):
        try:
            told = _read(message, place, reader)
            if told is None:
                ignored += 1
                continue
            _check_time(told.at_us, latest)
            changes = _changes(told, place, message, tables)
        except BadEvent as error:
            bad.append((place, message, [error.message]))
            continue
        if changes is None:
            unknown[told.table] += 1
        else:
            found += changes
    table, faults = _table(found)
    payloads = {one.place: one.payload for one in found}
    bad += [(place, payloads[place], reasons) for place, reasons in faults.items()]
    return Decoded(
        table,
        pl.DataFrame(bad, schema=_BAD, orient="row").sort("delivery_position"),
        len(payloads) - len(faults),
        ignored,
        dict(unknown),
    )


def _read(message: bytes, place: int, reader: Reader) -> Envelope | None:
    if reader.form == "envelope":
        return read_envelope(message)
    row = decoded(message)
    if not isinstance(row, dict):
        raise BadEvent("not a JSON object")
    return row_envelope(row, reader.table, place, reader.read_us)


def _check_time(at_us: int, latest: int) -> None:
    if at_us > latest:
        raise BadEvent("time of the change: in the future")
    if at_us < (EARLIEST - _EPOCH) // _MICROSECOND:
        raise BadEvent(f"time of the change: before {EARLIEST.year}, a wrong unit")


def _changes(told: Envelope, place: int, payload: bytes, tables: Tables) -> list[_Change] | None:
    """The change as rows of ours; two where the id itself was changed. None for a table of no interest."""
    row = told.after if told.after is not None else told.before or told.key or {}
    mapped = tables.of(told.table, row)
    if mapped is None or (told.after is not None and _no_lines(mapped, row, given=tables.given(told.table))):
        return None

    def change(op: str, key: str, values: Mapping[str, object]) -> _Change:
        types = {ours: told.types[theirs] for ours, theirs in mapped.columns.items() if theirs in told.types}
        return _Change(place, payload, told, mapped.entity.name, key, op, values, types)

    key = _key(mapped, row)
    if key is None and told.key is not None:
        mapped_key = tables.of(told.table, {**row, **told.key})
        key = _key(mapped_key, {**row, **told.key}) if mapped_key else None
    if key is None:
        columns = ", ".join(mapped.columns.get(one, one) for one in mapped.key)
        side = "after" if told.after is not None else "before"
        raise BadEvent(f"{side}: no {columns}, which says which of the {mapped.entity.name} it is")
    if told.after is None:
        return [change("d", key, {})]
    values = {
        ours: told.after[theirs]
        for ours, theirs in mapped.columns.items()
        if ours in mapped.entity.attributes and theirs in told.after and told.after[theirs] != UNAVAILABLE
    }
    former = _key(mapped, told.before) if told.before else None
    moved = [change("d", former, {})] if former is not None and former != key else []
    return [*moved, change(told.op, key, values)]


def _no_lines(mapped: Mapped, row: Row, given: object) -> bool:
    """Whether a table that only its name made one of orders has no products: the heads of orders."""
    return given is None and mapped.entity.name == "orders" and "product_id" not in mapped.columns


def _key(mapped: Mapped, row: Row) -> str | None:
    """The row's id; several columns are joined by ``/``, and what is one inside of them is quoted."""
    parts = []
    for name in mapped.key:
        value = row.get(mapped.columns.get(name, name))
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
            return None
        parts.append(str(value))
    return parts[0] if len(parts) == 1 else "/".join(quote(part, safe="") for part in parts)


def _table(found: list[_Change]) -> tuple[pl.DataFrame, dict[int, list[str]]]:
    """``found`` as a table, without the messages that have a value that cannot be read, and why."""
    columns = [
        pl.Series("delivery_position", [one.place for one in found], dtype=pl.Int64),
        pl.Series("payload", [one.payload for one in found], dtype=pl.Binary),
        pl.Series("entity", [one.entity for one in found], dtype=pl.String),
        pl.Series("source_table", [one.told.table for one in found], dtype=pl.String),
        pl.Series("key", [one.key for one in found], dtype=pl.String),
        pl.Series("op", [one.op for one in found], dtype=pl.String),
        pl.Series("log", [one.told.log for one in found], dtype=pl.String),
        pl.Series("log_position", [one.told.position for one in found], dtype=pl.String),
        pl.Series("source_ts", [one.told.at_us for one in found], dtype=pl.Int64),
        _said([one.values for one in found]),
    ]
    faults: dict[int, list[str]] = {}
    for name, dtype in ATTRIBUTES.items():
        values, types = [one.values.get(name) for one in found], [one.types.get(name) for one in found]
        read, wrong = typed(name, dtype, values, types)
        columns.append(read)
        for row, reason in wrong.items():
            faults.setdefault(found[row].place, []).append(reason)
    table = pl.DataFrame(columns).select(pl.col(name).cast(dtype) for name, dtype in CHANGE_SCHEMA.items())
    return table.filter(~pl.col("delivery_position").is_in(list(faults))) if faults else table, faults


def _said(rows: Sequence[Mapping[str, object]]) -> pl.Series:
    """Names of the columns of each row, sorted: texts that are split, ten times as fast as lists of texts."""
    texts = pl.Series("said", [" ".join(sorted(one)) for one in rows], dtype=pl.String)
    return (
        pl.select(
            pl.when(texts == "").then(pl.lit([], dtype=pl.List(pl.String))).otherwise(texts.str.split(" "))
        )
        .to_series()
        .alias("said")
    )
