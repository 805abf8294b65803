"""The contract's rules over a whole table at once: what is accepted, and what is not and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from reco_assets.events.contract import EARLIEST, EVENT_SCHEMA, EVENT_TYPES, FIELDS, MAX_AHEAD, Field
from reco_assets.events.values import READERS, blank

REASONS: Final = "reasons"

_EXPECTED: Final[dict[type[pl.DataType], str]] = {
    pl.String: "not a text or a whole number",
    pl.Float64: "not a number",
    pl.Int64: "not a whole number",
    pl.Datetime: "not a time",
}


@dataclass(frozen=True)
class Validated:
    """Every row of the input is in exactly one of the two tables, in input order.

    Attributes
    ----------
    accepted
        The columns of ``EVENT_SCHEMA``, typed, after whatever other columns the input had.
    rejected
        The input's other columns, and ``reasons``: every reason, never empty.
    """

    accepted: pl.DataFrame
    rejected: pl.DataFrame


@dataclass(frozen=True)
class _Fault:
    """One broken rule: the rows that break it, and the words for it (a text, or one a row)."""

    rows: pl.Series
    words: str | pl.Series


def validate(rows: pl.DataFrame, now: datetime | pl.Series) -> Validated:
    """Check ``rows`` against the contract; ``now`` is the clock that the future is measured from.

    One clock for all rows, or for each its own: the moment at which a stream took it.

    Parameters
    ----------
    rows
        Any of the contract's columns, as text or typed; missing columns are null. A column
        ``reasons`` (list of text) brings in what the reader of the rows already found; all other
        columns are passed through.
    """
    found = rows[REASONS] if REASONS in rows.columns else None
    kept = [name for name in rows.columns if name not in EVENT_SCHEMA and name != REASONS]
    raw = {
        field.name: rows[field.name]
        if field.name in rows.columns
        else pl.Series(field.name, [None], dtype=field.dtype).new_from_index(0, rows.height)
        for field in FIELDS
    }
    typed = {name: READERS[name](column) for name, column in raw.items()}
    faults = [fault for fault in _faults(raw, typed, now) if fault.rows.any()]
    bad = pl.Series("bad", [False]).new_from_index(0, rows.height)
    if found is not None:
        bad = bad | (found.list.len() > 0).fill_null(False)
    for fault in faults:
        bad = bad | fault.rows
    table = pl.DataFrame([column.rename(name) for name, column in typed.items()])
    accepted = pl.DataFrame([rows[name] for name in kept] + table.get_columns())
    rejected = pl.DataFrame([rows[name].filter(bad) for name in kept] + [_reasons(faults, bad, found)])
    return Validated(accepted.filter(~bad) if bad.any() else accepted, rejected)


def _faults(
    raw: dict[str, pl.Series], typed: dict[str, pl.Series], now: datetime | pl.Series
) -> Iterator[_Fault]:
    for field in FIELDS:
        yield from _field_faults(field, raw[field.name], typed[field.name])
    kind, time = typed["event_type"], typed["timestamp"]
    unknown = kind.is_not_null() & ~kind.is_in(EVENT_TYPES)
    if unknown.any():
        yield _Fault(unknown, "event_type: unknown '" + kind.str.slice(0, 40) + "'")
    yield _Fault(
        _missing(raw["product_id"], typed["product_id"]) & (kind != "search").fill_null(True),
        "product_id: missing",
    )
    yield _Fault((time > now + MAX_AHEAD).fill_null(False), "timestamp: in the future")
    yield _Fault((time < EARLIEST).fill_null(False), f"timestamp: before {EARLIEST.year}, a wrong unit")


def _field_faults(field: Field, raw: pl.Series, typed: pl.Series) -> Iterator[_Fault]:
    missing = _missing(raw, typed)
    if field.required:
        yield _Fault(missing, f"{field.name}: missing")
    if raw.dtype != field.dtype:
        yield _Fault(typed.is_null() & ~missing, f"{field.name}: {_EXPECTED[type(field.dtype)]}")
    if typed.dtype == pl.Float64:
        yield _Fault(~typed.is_finite().fill_null(True), f"{field.name}: not finite")
    if field.minimum is not None:
        yield _Fault((typed < field.minimum).fill_null(False), f"{field.name}: below {field.minimum:g}")
    if field.maximum is not None:
        above = (
            (typed > field.maximum) & typed.is_finite()
            if typed.dtype == pl.Float64
            else typed > field.maximum
        )
        yield _Fault(above.fill_null(False), f"{field.name}: above {field.maximum:g}")


def _missing(raw: pl.Series, typed: pl.Series) -> pl.Series:
    """Which values say nothing, as opposed to something that cannot be read."""
    return typed.is_null() if raw.dtype == typed.dtype or not typed.null_count() else blank(raw)


def _reasons(faults: list[_Fault], bad: pl.Series, found: pl.Series | None) -> pl.Series:
    """``list[str]`` of the bad rows; what the reader found comes first."""
    none = pl.lit([], dtype=pl.List(pl.String))
    before = found.filter(bad) if found is not None else None
    columns = [pl.Series("found", before) if before is not None else none.alias("found")]
    for number, fault in enumerate(faults):
        words = fault.words.filter(bad) if isinstance(fault.words, pl.Series) else pl.lit(fault.words)
        columns.append(pl.when(fault.rows.filter(bad)).then(words).alias(str(number)))
    table = pl.DataFrame({"row": bad.filter(bad)}).with_columns(columns)
    broken = (
        pl.concat_list([str(number) for number in range(len(faults))]).list.drop_nulls() if faults else none
    )
    return table.select(pl.concat_list(pl.col("found").fill_null(none), broken).alias(REASONS)).to_series()
