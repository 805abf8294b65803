"""The engine that runs table expressions: one protocol, DuckDB or Spark behind it.

Expressions are Ibis tables. Both engines know the functions below, in UTC; time arithmetic inside
an expression is done on integer microseconds and integer days, where both engines agree exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Protocol

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa
from deltalake import DeltaTable

from reco_assets.platform.lake import PARTITIONS, Lake

_TIME: Final = dt.Timestamp(timezone="UTC")


def _function(name: str, takes: dt.DataType, gives: dt.DataType) -> Callable[[ir.Value], ir.Value]:
    def body(value: ir.Value) -> ir.Value:
        raise NotImplementedError

    made: Callable[[ir.Value], ir.Value] = ibis.udf.scalar.builtin(
        body, name=name, signature=((takes,), gives)
    )
    return made


#: Microseconds since 1970 of a UTC timestamp.
micros: Final = _function("unix_micros", _TIME, dt.int64)
#: UTC timestamp of microseconds since 1970.
moment: Final = _function("timestamp_micros", dt.int64, _TIME)
#: Days since 1970 of a date.
day_number: Final = _function("unix_date", dt.date, dt.int32)
#: Date of days since 1970.
day: Final = _function("date_from_unix_date", dt.int32, dt.date)
#: Some 64-bit hash of a text; it differs between engines, so it may only narrow a search.
hash64: Final = _function("xxhash64", dt.string, dt.int64)


@dataclass(frozen=True)
class Written:
    """What a write left behind: the table's new Delta version and how many rows were written."""

    version: int
    rows: int


class Engine(Protocol):
    """Reads lake tables as Ibis tables, runs expressions, writes the results back."""

    #: The lake that is read and written.
    lake: Lake

    def table(
        self,
        name: str,
        *,
        event_dates: tuple[date, date] | None = None,
        columns: Sequence[str] | None = None,
        version: int | None = None,
    ) -> ir.Table:
        """Lake table ``name``, only the days of ``event_dates`` (inclusive), only ``columns``.

        As of Delta version ``version``; the newest by default.

        Files whose partition or statistics rule them out are not opened. Raises MissingTable.
        """

    def arrow(self, data: pa.Table) -> ir.Table:
        """``data`` as a table that expressions can join."""

    def to_arrow(self, expression: ir.Table) -> pa.Table:
        """Rows of ``expression``, in no particular order."""

    def repeated(self, column: ir.Table) -> pa.Table:
        """Values of a table of one integer column that come more than once, each once."""
        (name,) = column.columns
        counted = column.group_by(name).agg(_copies=column.count())
        return self.to_arrow(counted.filter(counted._copies > 1).select(name))

    def replace_window(
        self,
        name: str,
        expression: ir.Table,
        first: date,
        last: date,
        *,
        progress: Mapping[str, int] | None = None,
        onto: DeltaTable | None = None,
    ) -> Written:
        """Replace the partitions of the days ``first``..``last`` of ``name`` by ``expression``.

        ``progress`` and ``onto`` as in :meth:`Lake.replace_window`.
        """

    def replace(self, name: str, expression: ir.Table, **metadata: str) -> Written:
        """Replace the whole of table ``name`` by ``expression``."""

    def close(self) -> None:
        """Give back what the engine holds; its tables cannot be used afterwards."""


def day_column(name: str) -> str:
    """The column of lake table ``name`` that ``event_dates`` selects by."""
    column = PARTITIONS.get(name, "")
    return column if column in ("as_of", "decided_date") else "event_date"


def plain(data: pa.Table) -> pa.Table:
    """``data`` with string views and large strings as plain strings, which every engine reads."""
    schema = pa.schema(
        [
            field.with_type(pa.string())
            if pa.types.is_large_string(field.type) or pa.types.is_string_view(field.type)
            else field
            for field in data.schema
        ]
    )
    return data.cast(schema)
