"""Values as databases and their connectors write them, into typed columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import polars as pl

from reco_assets.events.contract import EARLIEST
from reco_assets.events.values import as_integer, as_number, as_text, as_time, blank

_READ: Final[Mapping[type[pl.DataType], tuple[Callable[[pl.Series], pl.Series], str]]] = {
    pl.String: (as_text, "not a text or a whole number"),
    pl.Float64: (as_number, "not a number"),
    pl.Int64: (as_integer, "not a whole number"),
    pl.Datetime: (as_time, "not a time"),
}

#: Microseconds in one unit of a time that a message's schema names.
_UNITS: Final[Mapping[str, float]] = {
    "io.debezium.time.Date": 86_400_000_000,
    "org.apache.kafka.connect.data.Date": 86_400_000_000,
    "io.debezium.time.Timestamp": 1_000,
    "org.apache.kafka.connect.data.Timestamp": 1_000,
    "io.debezium.time.MicroTimestamp": 1,
    "io.debezium.time.NanoTimestamp": 0.001,
}
_DECIMALS: Final = ("org.apache.kafka.connect.data.Decimal", "io.debezium.data.VariableScaleDecimal")
_DECIMAL: Final = "a decimal in base64; set decimal.handling.mode to string or double"
_BASE64: Final = "; if it is a decimal in base64, set decimal.handling.mode to string or double"
_LIKE_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")


def typed(
    name: str, dtype: pl.DataType, values: Sequence[object], types: Sequence[str | None]
) -> tuple[pl.Series, dict[int, str]]:
    """A column of ``values``, and by row why a value cannot be read; there the column is null.

    Parameters
    ----------
    types
        Kafka Connect's name of each value's type, None where it is plain or not known.
    """
    wrong: dict[int, str] = {}
    texts: list[str | None] = []
    for row, (value, kind) in enumerate(zip(values, types, strict=True)):
        if value is None or (kind is None and isinstance(value, str)):
            texts.append(value)
            continue
        text, reason = _text(value, kind, dtype)
        texts.append(text)
        if reason:
            wrong[row] = f"{name}: {reason}"
    read, expected = _READ[type(dtype)]
    given = pl.Series(name, texts, dtype=pl.String)
    column = read(given).cast(dtype)
    unread = column.is_null() & ~blank(given)
    for row in unread.arg_true():
        wrong[row] = f"{name}: {expected}{_BASE64 if _like_base64(dtype, given[row]) else ''}"
    for faulty, reason in _faults(name, column):
        for row in faulty.fill_null(False).arg_true():
            wrong[row] = f"{name}: {reason}"
    return column, wrong


def _text(value: object, kind: str | None, dtype: pl.DataType) -> tuple[str | None, str]:
    """The value as a text that values.py reads, and what is wrong with it."""
    if kind in _DECIMALS or (isinstance(value, dict) and set(value) == {"scale", "value"}):
        return None, _DECIMAL
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None, f"{type(value).__name__} instead of a text or a number"
    if isinstance(value, str):
        return value, ""
    if isinstance(dtype, pl.Datetime) and kind is not None and kind in _UNITS:
        return str(round(value * _UNITS[kind])), ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value)), ""
    return repr(value), ""


def _like_base64(dtype: pl.DataType, text: str) -> bool:
    return isinstance(dtype, pl.Float64) and len(text) % 4 == 0 and bool(_LIKE_BASE64.fullmatch(text))


def _faults(name: str, column: pl.Series) -> list[tuple[pl.Series, str]]:
    """What no database should say: the same bounds as for a file of products or of events."""
    if column.dtype == pl.Float64:
        return [(~column.is_finite(), "not finite"), (column < 0, "below 0")]
    if isinstance(column.dtype, pl.Datetime):
        return [(column < EARLIEST, f"before {EARLIEST.year}, a wrong unit")]
    return []
