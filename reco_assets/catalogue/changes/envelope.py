"""One change of one row, as the log of a shop's database has it; the columns are still the shop's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

#: Inserted, updated, deleted, or read by a snapshot.
Op = Literal["c", "u", "d", "r"]
OPS: Final[tuple[str, ...]] = get_args(Op)

Row: TypeAlias = Mapping[str, object]

#: What Debezium writes for a large value that an update left alone: it says nothing of the value.
UNAVAILABLE: Final = "__debezium_unavailable_value"


@dataclass(frozen=True, slots=True)
class Envelope:
    """One change.

    Attributes
    ----------
    table
        ``schema.table`` or ``database.table``, as the log names it.
    before, after
        The row; None where the log has none. ``after`` is None for a deleted row.
    key
        Columns of the primary key, where the message had one of its own.
    log
        Which log it is from; positions of one log can be compared, those of two cannot.
    position
        Place in that log, as a text that sorts as the log is ordered.
    at_us
        When the database made the change, UTC microseconds.
    types
        Kafka Connect's name of the type of a column, where the message has a schema.
    """

    table: str
    op: Op
    before: Row | None
    after: Row | None
    key: Row | None
    log: str
    position: str
    at_us: int
    types: Mapping[str, str] = field(default_factory=dict)


def sortable(*parts: int | str) -> str:
    """A position whose texts sort as its numbers do; texts among the parts must have one width.

    >>> sortable(9, 120) < sortable(10, 4)
    True
    """
    return "-".join(f"{part:020d}" if isinstance(part, int) else part for part in parts)


def whole(value: object) -> int | None:
    """A whole number that is not negative, given as such or as its digits; None for all else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and value >= 0 else None


def mapping_of(value: object) -> Row | None:
    """``value`` where it is a JSON object."""
    return value if isinstance(value, dict) else None
