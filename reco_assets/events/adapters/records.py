"""Where the records of a text file begin and end: a record is a line, or more inside quotes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

Int64s = npt.NDArray[np.int64]

_NEWLINE: Final = 10
_QUOTE: Final = 34
#: A quote that is not closed within this many bytes was never meant to open anything.
MOST_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Block:
    """Consecutive whole records.

    Attributes
    ----------
    positions
        ``int64[n]``: numbers of the records; the header of a file has 0.
    payload
        ``binary[n]``: the records without their line ends.
    quoted
        ``bool[n]``: whether the record holds a quote.
    ended
        False where the last record has no line end; that can only be the last one of a file.
    """

    positions: pl.Series
    payload: pl.Series
    quoted: pl.Series
    ended: bool

    def where(self, keep: pl.Series) -> Block:
        """Only the records that ``keep`` marks."""
        return Block(
            self.positions.filter(keep), self.payload.filter(keep), self.quoted.filter(keep), self.ended
        )


class Readable(Protocol):
    """A stream of bytes; an empty answer is its end."""

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes."""
        ...


def blocks(stream: Readable, size: int, *, first: int = 0, quoting: bool = True) -> Iterator[Block]:
    """The records of ``stream`` in blocks of about ``size`` bytes; without ``quoting`` a record is a line."""
    carried = b""
    while True:
        buffer, final = _more(stream, carried, size)
        starts, quoted, end = split(buffer, final=final, quoting=quoting)
        if len(starts):
            positions = pl.Series("delivery_position", np.arange(first, first + len(starts)), dtype=pl.Int64)
            yield Block(
                positions, _slices(buffer, starts, end), pl.Series(quoted), buffer[end - 1] == _NEWLINE
            )
            first += len(starts)
        carried = buffer[end:]
        if final:
            return


def _more(stream: Readable, carried: bytes, size: int) -> tuple[bytes, bool]:
    """``carried`` and up to ``size`` bytes more, and whether that was all."""
    parts, wanted = [carried], size
    while wanted and (part := stream.read(wanted)):
        parts.append(part)
        wanted -= len(part)
    return b"".join(parts), wanted > 0


def split(buffer: bytes, *, final: bool, quoting: bool = True) -> tuple[Int64s, npt.NDArray[np.bool_], int]:
    """Starts of the whole records of ``buffer``, which of them hold quotes, and where the last one ends.

    What follows the end belongs to the next call; where ``final``, nothing does.
    """
    codes = np.frombuffer(buffer, np.uint8)
    ends = np.flatnonzero(codes == _NEWLINE) + 1
    if final and len(buffer) and (not len(ends) or ends[-1] != len(buffer)):
        ends = np.append(ends, len(buffer))
    starts = np.concatenate(([0], ends[:-1])).astype(np.int64) if len(ends) else np.empty(0, np.int64)
    if not quoting or b'"' not in buffer:
        return starts, np.zeros(len(starts), np.bool_), int(ends[-1]) if len(ends) else 0
    quotes = np.flatnonzero(codes == _QUOTE)
    counts = (
        np.diff(np.searchsorted(quotes, np.concatenate((starts[:1], ends))))
        if len(ends)
        else np.empty(0, int)
    )
    joined, kept = _joined(buffer, starts, ends, np.flatnonzero(counts % 2), final)
    lines = np.delete(np.arange(kept), joined)
    held = np.add.reduceat(counts[:kept], lines) > 0 if len(lines) else np.zeros(0, np.bool_)
    return starts[lines], held, int(ends[kept - 1]) if kept else 0


def _joined(buffer: bytes, starts: Int64s, ends: Int64s, odd: Int64s, final: bool) -> tuple[Int64s, int]:
    """Lines that continue the record before them, and how many lines make whole records."""
    joined: list[int] = []
    at = 0
    while at < len(odd):
        line = int(odd[at])
        at += 1
        if not _opens(buffer[starts[line] : ends[line]]):
            continue
        if at == len(odd):
            if not final and len(buffer) - starts[line] < MOST_BYTES:
                return np.array(joined, np.int64), line
            continue
        closing = int(odd[at])
        if ends[closing] - starts[line] > MOST_BYTES:
            continue
        joined.extend(range(line + 1, closing + 1))
        at += 1
    return np.array(joined, np.int64), len(starts)


def _opens(line: bytes) -> bool:
    """Whether ``line`` ends inside a quoted field: a quote opens one only where the field begins."""
    text = line.rstrip(b"\r\n")
    at = 0
    while at < len(text):
        if text[at] == _QUOTE:
            at = text.find(b'"', at + 1)
            while at != -1 and text[at + 1 : at + 2] == b'"':
                at = text.find(b'"', at + 2)
            if at == -1:
                return True
        separators = [
            found for found in (text.find(mark, at) for mark in (b",", b";", b"\t", b"|")) if found != -1
        ]
        if not separators:
            return False
        at = min(separators) + 1
    return False


def _slices(buffer: bytes, starts: Int64s, end: int) -> pl.Series:
    offsets = np.append(starts, end)
    array = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(starts), [None, pa.py_buffer(offsets), pa.py_buffer(buffer)]
    )
    payload = pl.Series("payload", array)
    for mark in (b"\n", b"\r"):
        marked = payload.bin.ends_with(mark)
        if marked.any():
            kept = payload.bin.size() - marked.cast(pl.UInt32)
            payload = pl.DataFrame([payload, kept.alias("kept")]).select(
                pl.col("payload").bin.head(pl.col("kept"))
            )["payload"]
    return payload
