"""Whether a bundle's files are those that were written: a checksum of each, beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final
from zlib import crc32

from reco_assets.errors import BadBundle

_CHECKSUMS: Final = "checksums.json"
_CHUNK: Final = 1 << 20


def seal(folder: Path) -> None:
    """Write the CRC-32 of every file in ``folder``, by its path."""
    sums = {str(path.relative_to(folder)): _checksum(path) for path in sorted(folder.rglob("*.*"))}
    sums.pop(_CHECKSUMS, None)
    (folder / _CHECKSUMS).write_text(json.dumps(sums, indent=0))


def verify(folder: Path) -> None:
    """Read every file of the bundle in ``folder``, which also brings it into memory.

    A bundle from before there were checksums passes.

    Raises
    ------
    BadBundle
        A file is not what was written.
    """
    path = folder / _CHECKSUMS
    if not path.exists():
        return
    try:
        sums: dict[str, int] = json.loads(path.read_text())
        wrong = [name for name, found in sums.items() if _checksum(folder / name) != found]
    except (OSError, ValueError) as error:
        raise BadBundle(
            f"checking bundle {folder.name}: {error}", hint="copy it anew, or train again"
        ) from error
    if wrong:
        raise BadBundle(
            f"checking bundle {folder.name}: {', '.join(wrong[:3])} is not what was written",
            hint="copy it anew, or train again",
        )


def _checksum(path: Path) -> int:
    found = 0
    with path.open("rb") as file:
        while part := file.read(_CHUNK):
            found = crc32(part, found)
    return found
