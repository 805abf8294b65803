"""The workers of a machine take turns at what keeps a core busy, so that visitors have the others."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

#: Nobody waits longer than this for the others.
PATIENCE_SECONDS: Final = 10.0
_GLANCE_SECONDS: Final = 0.01


@contextmanager
def turn(path: Path, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Alone among those who hold the file ``path``, of this process or of others.

    After ``patience`` seconds, or where the disk has no place for the file, it goes on all the same:
    a turn spares visitors, and nothing depends on it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError:
        yield
        return
    with file:
        end = time.monotonic() + patience
        while not _taken(file.fileno()) and time.monotonic() < end:
            time.sleep(_GLANCE_SECONDS)
        yield


def _taken(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
