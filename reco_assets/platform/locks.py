"""Locks between the processes of a machine: they fall with whoever holds them."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Alone among all that hold the file ``path``, which need not be there; waits for the others."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
