"""A queue on this machine's disk for events that the stream does not take at the moment.

A spool is a folder of segments, ``00000001.log``, ``00000002.log``...: records one after the other, each
its length and its CRC-32 (4 bytes each, little-endian) and its bytes. A record counts when it has been
flushed to disk, and a segment is removed when all of it has been taken. Whoever writes or drains a spool
holds its lock, which a process loses when it ends, however it ends.
"""

from __future__ import annotations

import fcntl
import logging
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self
from zlib import crc32

from reco_assets.errors import MissingDependency

_HEAD: Final = struct.Struct("<II")
_LOCK: Final = "lock"

log = logging.getLogger("reco.spool")


class SpoolFull(MissingDependency):
    """The spool holds as much as it may; none of the records was taken."""


@dataclass
class Spool:
    """One folder of segments; :meth:`append` at one end, :meth:`peek` and :meth:`advance` at the other.

    Attributes
    ----------
    size
        Bytes that wait.
    segment_bytes
        A segment that is longer than this is followed by the next.
    """

    folder: Path
    most_bytes: int
    size: int = 0
    segment_bytes: int = 4_000_000
    _lock: int = field(default=-1, repr=False)
    _segments: list[Path] = field(default_factory=list, repr=False)
    _offset: int = 0
    _peeked: int = 0
    _file: int = field(default=-1, repr=False)
    _written: int = 0
    _number: int = 0

    @classmethod
    def create(cls, root: Path, name: str, most_bytes: int) -> Self:
        """An empty spool of this process, ``root/name``."""
        hidden = root / f".{name}"
        hidden.mkdir(parents=True)
        lock = _locked(hidden)
        assert lock is not None, "nobody else knows of it"
        hidden.rename(root / name)
        return cls(root / name, most_bytes, _lock=lock)

    @classmethod
    def leftovers(cls, root: Path) -> list[Self]:
        """Spools whose processes have ended, oldest first; empty ones are removed."""
        found = []
        for folder in sorted(path for path in root.glob("[!.]*") if path.is_dir()):
            lock = _locked(folder)
            if lock is None:
                continue
            segments = sorted(folder.glob("*.log"))
            size = sum(segment.stat().st_size for segment in segments)
            spool = cls(folder, 0, size, _lock=lock, _segments=segments)
            if segments:
                found.append(spool)
            else:
                spool.close()
        return found

    def append(self, records: Sequence[bytes]) -> None:
        """Write ``records`` behind all others; on return they are on disk, all of them.

        Raises
        ------
        SpoolFull
            They do not fit.
        OSError
            The disk does not take them. None of them is in the spool then.
        """
        packed = b"".join(_HEAD.pack(len(record), crc32(record)) + record for record in records)
        if self.size + len(packed) > self.most_bytes:
            raise SpoolFull(
                f"spooling {len(records)} events in {self.folder}: it may hold {self.most_bytes:,} bytes",
                hint="bring the stream back, or raise RECO_SPOOL_MB",
            )
        if self._file < 0 or self._written > self.segment_bytes:
            self._begin_segment()
        try:
            _write(self._file, packed)
            os.fdatasync(self._file)
        except OSError:
            self._give_up_segment()
            raise
        self._written += len(packed)
        self.size += len(packed)

    def peek(self, most: int) -> list[bytes]:
        """The first up to ``most`` records, which stay until :meth:`advance`."""
        while self._segments:
            records = []
            self._peeked = self._offset
            for record in self._records(self._segments[0]):
                records.append(record)
                self._peeked += _HEAD.size + len(record)
                if len(records) == most:
                    break
            if records:
                return records
            self._end_segment()
        return []

    def advance(self) -> None:
        """The records of the last :meth:`peek` have been taken."""
        self.size -= self._peeked - self._offset
        self._offset = self._peeked
        if self._segments and self._offset == self._segments[0].stat().st_size:
            self._end_segment()

    def close(self) -> None:
        """Let go of it; an empty spool leaves nothing behind."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if not any(path.name != _LOCK for path in self.folder.iterdir()):
            (self.folder / _LOCK).unlink()
            self.folder.rmdir()
        os.close(self._lock)

    def _give_up_segment(self) -> None:
        """Take back what was half written; what comes next goes into another file in any case."""
        file, self._file = self._file, -1
        try:
            os.ftruncate(file, self._written)
        finally:
            os.close(file)

    def _begin_segment(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._number += 1
        path = self.folder / f"{self._number:08d}.log"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._written = 0
        self._segments.append(path)
        _flush_folder(self.folder)

    def _end_segment(self) -> None:
        """Remove the first segment, which has been taken, but keep one that cannot be read to its end."""
        segment = self._segments.pop(0)
        left = segment.stat().st_size - self._offset
        if not self._segments and self._file >= 0:
            os.close(self._file)
            self._file = -1
        if left and not _cut_short(segment, self._offset):
            log.error("%s cannot be read from byte %d on; it is kept as .damaged", segment, self._offset)
            segment.rename(segment.with_suffix(".damaged"))
        else:
            segment.unlink()
        self.size = max(0, self.size - left)
        self._offset = self._peeked = 0

    def _records(self, segment: Path) -> Iterator[bytes]:
        with segment.open("rb") as file:
            file.seek(self._offset)
            while len(head := file.read(_HEAD.size)) == _HEAD.size:
                length, checksum = _HEAD.unpack(head)
                record = file.read(length)
                if not record or len(record) < length or crc32(record) != checksum:
                    return
                yield record


def _cut_short(segment: Path, offset: int) -> bool:
    """Whether the file ends within a record: its process ended before anybody was told it was kept."""
    with segment.open("rb") as file:
        file.seek(offset)
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return True
        length: int = _HEAD.unpack(head)[0]
        return len(file.read(length)) < length


def _write(file: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(file, rest) :]


def _locked(folder: Path) -> int | None:
    """The lock of a spool; None where its process lives."""
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
