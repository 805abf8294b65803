"""Files as streams of plain bytes, whatever they are compressed with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from reco_assets.errors import BadInput

#: The first bytes of a compressed file; the name's ending is not trusted.
_MAGIC: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}
_BLOCK: Final = 1 << 24


@dataclass(frozen=True)
class PlainFile:
    """An open file that is read decompressed."""

    path: Path
    raw: pa.NativeFile
    stream: pa.NativeFile
    size: int

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes; raises BadInput where the compressed data is damaged."""
        try:
            block: bytes = self.stream.read(size)
        except OSError as error:
            raise BadInput(
                f"decompressing {self.path}: {error}",
                hint="the file is damaged or was not copied whole; copy it again",
            ) from error
        return block

    @property
    def fraction(self) -> float:
        """How much of the file on disk has been read, from 0 to 1."""
        return min(1.0, self.raw.tell() / self.size) if self.size else 1.0


@contextmanager
def plain_file(path: Path) -> Iterator[PlainFile]:
    """Open ``path`` for reading its decompressed content; raises BadInput where that is impossible."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
        raw = pa.OSFile(str(path))
    except FileNotFoundError as error:
        raise BadInput(f"reading {path}: there is no such file", hint="check the path") from error
    except IsADirectoryError as error:
        raise BadInput(f"reading {path}: it is a folder", hint="name the files in it") from error
    kind = next((name for magic, name in _MAGIC.items() if start.startswith(magic)), None)
    with raw, pa.CompressedInputStream(raw, kind) if kind else raw as stream:
        yield PlainFile(path, raw, stream, path.stat().st_size)


def content_digest(path: Path) -> str:
    """16 hex digits of the SHA-256 of the decompressed content: the same rows, however compressed."""
    digest = hashlib.sha256()
    with plain_file(path) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()[:16]
