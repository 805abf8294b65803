"""What a stream owes its users, whichever server is behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from reco_assets.errors import MissingDependency


class StreamUnavailable(MissingDependency):
    """The server does not answer, or refuses; what was not acknowledged may or may not be there."""


class StreamFull(StreamUnavailable):
    """The stream holds as many unread records as it may: whoever reads it is behind."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a partition.

    Attributes
    ----------
    position
        Its place in the partition: grows from record to record, with gaps; may exceed 64 bits.
    at_us
        When the stream took it, UTC microseconds.
    value
        The bytes as they were appended.
    """

    position: int
    at_us: int
    value: bytes


class Stream(Protocol):
    """An ordered, durable, partitioned log; records of one key are in one partition, in order."""

    #: Its name; with a partition and a position it names a record for ever.
    name: str

    def partitions(self) -> Sequence[str]:
        """Names of the partitions, sorted; a server may add some while it runs."""

    def append(self, records: Sequence[tuple[str, bytes]]) -> None:
        """Append ``(key, value)`` records; on return all of them are durable.

        Raises
        ------
        StreamUnavailable
            Some of them may have been taken: whoever tries again may append them twice.
        StreamFull
            None of them was taken.
        """

    def read(self, partition: str, after: int | None, most: int) -> list[Record]:
        """Up to ``most`` records of ``partition`` after position ``after`` (None: from the start).

        Does not wait: an empty list where there is nothing new. Raises StreamUnavailable.
        """

    def waiting(self, partition: str, after: int | None) -> int:
        """How many records of ``partition`` come after ``after``; an estimate where the server has no count.

        Raises StreamUnavailable.
        """

    def forget(self, partition: str, upto: int) -> None:
        """Records up to and including position ``upto`` are not needed any more.

        A server that keeps records by age ignores it. Raises StreamUnavailable.
        """

    def close(self) -> None:
        """Give the connections back."""
