"""What one worker has found out about a bundle, the others of the machine need not find out again."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from reco_serving.whole_file import write_whole

#: A version, and when its files were changed last.
Mark: TypeAlias = tuple[str, int]
#: Of what did not come from files.
NO_MARK: Final[Mark] = ("", 0)

_FILE: Final = "tried.json"
#: The workers of a machine look at the registry every second; what was found long ago may hold no more.
_FRESH_SECONDS: Final = 60.0


def mark_of(version: str, folder: Path) -> Mark:
    """Changes with the version and with any of its files."""
    times = [path.stat().st_mtime_ns for path in folder.rglob("*")]
    return version, max(times, default=0)


@dataclass(frozen=True)
class Verdicts:
    """The last bundle that a worker found whole and fit to serve instead of another, in ``folder``."""

    folder: Path

    def passed(self, mark: Mark, instead: Mark) -> bool:
        """Whether a worker has just let ``mark`` serve ``instead`` of the bundle that serves here."""
        path = self.folder / _FILE
        try:
            age = time.time() - path.stat().st_mtime
            told = json.loads(path.read_text())
        except (OSError, ValueError):
            return False
        return age < _FRESH_SECONDS and bool(told == _told(mark, instead))

    def note(self, mark: Mark, instead: Mark) -> None:
        """Tell the others; on a full disk each finds out for itself."""
        with suppress(OSError):
            write_whole(self.folder / _FILE, json.dumps(_told(mark, instead)).encode())


def _told(mark: Mark, instead: Mark) -> list[list[str | int]]:
    return [list(mark), list(instead)]
