"""Reading columns of any type as the contract's types; what cannot be read becomes null."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import polars as pl

from reco_assets.events.contract import EVENT_SCHEMA

_US: Final = pl.Datetime("us", "UTC")

#: Ways to write a moment, the most common first; a zone is in the text or it is UTC.
_NAIVE: Final = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M")
_ZONED: Final = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z")

#: A number counts seconds below the first bound, then milliseconds, microseconds, nanoseconds.
_SECONDS, _MILLISECONDS, _MICROSECONDS = 10**11, 10**14, 10**17


def blank(column: pl.Series) -> pl.Series:
    """Which values say nothing: null, or text of white space only; ``bool[n]``."""
    if column.dtype != pl.String:
        return column.is_null()
    # Whatever is empty or begins with white space sorts before "!": seldom anything does.
    suspects = column < "!"
    if not suspects.any():
        return column.is_null()
    # what a value says must not depend on its neighbours, so only suspects are looked at
    return (suspects & (column.str.strip_chars() == "")).fill_null(True)


def as_text(column: pl.Series) -> pl.Series:
    """Text; whole numbers are written out, so 7, 7.0 of a float column, and "7" are one id."""
    kind = column.dtype
    if kind == pl.String:
        return column.set(blank(column), None) if column.len() else column
    if kind.is_integer() or kind in (pl.Categorical, pl.Enum):
        return column.cast(pl.String)
    if kind.is_float():
        return _whole(column).cast(pl.String)
    if kind == pl.Binary:
        return as_text(column.cast(pl.String, strict=False))
    return _nothing(column, pl.String())


def as_number(column: pl.Series) -> pl.Series:
    """Float64; infinities and NaN stay, for the contract to judge."""
    kind = column.dtype
    if kind.is_numeric():
        return column.cast(pl.Float64)
    if kind == pl.String:
        return column.str.strip_chars().cast(pl.Float64, strict=False)
    return _nothing(column, pl.Float64())


def as_integer(column: pl.Series) -> pl.Series:
    """Int64; 3.0 is 3, and 3.5 is nothing."""
    kind = column.dtype
    if kind.is_integer():
        return column.cast(pl.Int64, strict=False)
    if kind.is_float() or kind.is_decimal():
        return _whole(column.cast(pl.Float64))
    if kind == pl.String:
        text = column.str.strip_chars()
        whole = text.cast(pl.Int64, strict=False)
        left = whole.is_null() & text.is_not_null()
        if left.any():
            whole = whole.zip_with(~left, _whole(text.cast(pl.Float64, strict=False)))
        return whole
    return _nothing(column, pl.Int64())


def as_time(column: pl.Series) -> pl.Series:
    """UTC microseconds, from ISO 8601 text, from a date, or from a number since 1970.

    The unit of a number follows from its size: 1.7e9 is seconds, 1.7e12 milliseconds, 1.7e15
    microseconds, 1.7e18 nanoseconds.
    """
    kind = column.dtype
    if isinstance(kind, pl.Datetime):
        zoned = column if kind.time_zone else column.dt.replace_time_zone("UTC")
        return zoned.dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    if kind == pl.Date:
        return column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if kind.is_integer():
        return _epoch(column.cast(pl.Int64, strict=False))
    if kind.is_numeric():
        return _fraction(column.cast(pl.Float64))
    if kind == pl.String:
        return _time_of_text(column.str.strip_chars())
    return _nothing(column, _US)


def _time_of_text(text: pl.Series) -> pl.Series:
    plain = text.str.strip_suffix(" UTC").str.strip_suffix("Z")
    found = pl.Series(text.name, [None], dtype=_US).new_from_index(0, text.len())
    for form in _NAIVE:
        found = _fill(found, plain, partial(_formatted, form=form))
    for attempt in (_day, _whole_epoch, _decimal_epoch):
        found = _fill(found, plain, attempt)
    for form in _ZONED:
        found = _fill(found, text, partial(_zoned, form=form))
    return found


def _formatted(text: pl.Series, form: str) -> pl.Series:
    return text.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False)


def _zoned(text: pl.Series, form: str) -> pl.Series:
    return text.str.to_datetime(form, time_unit="us", strict=False).cast(_US)


def _day(text: pl.Series) -> pl.Series:
    return as_time(text.str.to_date("%Y-%m-%d", strict=False))


def _whole_epoch(text: pl.Series) -> pl.Series:
    return _epoch(text.cast(pl.Int64, strict=False))


def _decimal_epoch(text: pl.Series) -> pl.Series:
    return _fraction(text.cast(pl.Float64, strict=False))


def _fill(found: pl.Series, text: pl.Series, attempt: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """``found`` with its gaps read by ``attempt``; it sees only the gaps, so the first form is the cost."""
    gaps = found.is_null() & text.is_not_null()
    count = gaps.sum()
    if count == 0:
        return found
    if count == len(found):
        return attempt(text)
    return found.scatter(gaps.arg_true(), attempt(text.filter(gaps)))


def _epoch(number: pl.Series) -> pl.Series:
    size = number.abs()
    us = (
        pl.when(size < _SECONDS)
        .then(pl.lit(number) * 1_000_000)
        .when(size < _MILLISECONDS)
        .then(pl.lit(number) * 1_000)
        .when(size < _MICROSECONDS)
        .then(pl.lit(number))
        .otherwise(pl.lit(number) // 1_000)
    )
    return pl.select(us.alias(number.name)).to_series().cast(_US)


def epoch_us(number: int) -> int:
    """UTC microseconds of one number since 1970, as :func:`as_time` reads a column of them."""
    size = abs(number)
    if size < _SECONDS:
        return number * 1_000_000
    if size < _MILLISECONDS:
        return number * 1_000
    return number if size < _MICROSECONDS else number // 1_000


def _fraction(number: pl.Series) -> pl.Series:
    """A float since 1970: only seconds have a fraction worth keeping."""
    finite = number.set(~number.is_finite().fill_null(False) | (number.abs() > 9e18).fill_null(False), None)
    seconds = finite.abs() < _SECONDS
    us = (finite * 1_000_000).round().set(~seconds.fill_null(False), None).cast(pl.Int64).cast(_US)
    return us.zip_with(seconds.fill_null(False), _epoch(finite.cast(pl.Int64)))


def _whole(number: pl.Series) -> pl.Series:
    keep = number.is_finite() & (number == number.floor()) & (number.abs() < 2.0**63)
    return number.set(~keep.fill_null(False), None).cast(pl.Int64)


def _nothing(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    return pl.Series(column.name, [None], dtype=dtype).new_from_index(0, column.len())


_READERS: Final[Mapping[type[pl.DataType], Callable[[pl.Series], pl.Series]]] = {
    pl.String: as_text,
    pl.Float64: as_number,
    pl.Int64: as_integer,
    pl.Datetime: as_time,
}

#: How each field of the contract is read from a column of any type.
READERS: Final[Mapping[str, Callable[[pl.Series], pl.Series]]] = {
    name: _READERS[type(dtype)] for name, dtype in EVENT_SCHEMA.items()
}
