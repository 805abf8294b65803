"""What was asked last, on this machine's own disk: a new worker tries bundles on real requests too."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

from reco_assets.platform.settings import Settings
from reco_serving.rehearsal import RECORDED, Case
from reco_serving.whole_file import write_whole

#: Pause between two writes: a worker that is killed forgets no more than this.
PAUSE_SECONDS: Final = 60.0
#: The most that the file may hold; of longer requests, the newest that fit.
MOST_BYTES: Final = 4_000_000
#: Of the layout of the file, which changes with that of a case.
VERSION: Final = 1
_NAME: Final = "asked.msgpack"
_DIGEST: Final = 16

log = logging.getLogger("reco.bundle")


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    version: int
    cases: list[Case]


class _Head(msgspec.Struct, frozen=True, array_like=True):
    version: int


@dataclass
class Recordings:
    """The file of one home; several workers write it in turn, and each is as good as the other.

    Attributes
    ----------
    path
        Where it lies. It begins with a digest of the rest, so that what was torn is not taken for requests.
    trouble
        Why it was not written at last; None where it was.
    """

    path: Path
    clock: Callable[[], float] = time.monotonic
    trouble: str | None = None
    _known: tuple[Case, ...] = field(default=(), repr=False)
    _written: float = field(default=float("-inf"), repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Recordings:
        """Where ``settings`` have it; nothing is read yet."""
        return cls(settings.home.resolve() / "serving" / _NAME)

    def read(self) -> tuple[Case, ...]:
        """The requests that were kept, the oldest first; none where there are none that can be used."""
        try:
            self._known = _read(self.path)
        except FileNotFoundError:
            return ()
        except (OSError, ValueError) as error:
            log.warning("the requests in %s are not used: %s", self.path, error)
            return ()
        return self._known

    def keep(self, cases: Sequence[Case], at_once: bool = False) -> bool:
        """Write ``cases``, the oldest first, where they are others than before; whether it was done.

        Not more often than once in ``PAUSE_SECONDS``, unless it is to be done ``at_once``.
        """
        now = self.clock()
        if not at_once and now - self._written < PAUSE_SECONDS:
            return False
        told = tuple(cases)[-RECORDED:]
        if not told or told == self._known:
            return False
        self._written = now
        try:
            _write(self.path, msgspec.msgpack.encode(_Kept(VERSION, _fitting(told))))
        except OSError as error:
            if self.trouble is None:
                log.warning("what was asked last cannot be kept: %s", error)
            self.trouble = str(error)
            return False
        self._known, self.trouble = told, None
        return True


def _fitting(cases: Sequence[Case]) -> list[Case]:
    """The newest of ``cases`` that are within the bound together, the oldest first."""
    left, kept = MOST_BYTES, list[Case]()
    for case in reversed(cases):
        packed = case.packed
        values = (packed.user, packed.pending, packed.session, packed.habits)
        left -= len(case.body) + sum(len(value) for value in values if value is not None)
        if left < 0:
            break
        kept.insert(0, case)
    return kept


def _write(path: Path, content: bytes) -> None:
    write_whole(path, blake2b(content, digest_size=_DIGEST).digest() + content)


def _read(path: Path) -> tuple[Case, ...]:
    """Raises OSError, and ValueError where the file is damaged or of another version."""
    content = path.read_bytes()
    digest, content = content[:_DIGEST], content[_DIGEST:]
    if blake2b(content, digest_size=_DIGEST).digest() != digest:
        raise ValueError("the file is damaged")
    version = msgspec.msgpack.decode(content, type=_Head).version
    if version != VERSION:
        raise ValueError(f"the file is of version {version}, this is version {VERSION}")
    return tuple(msgspec.msgpack.decode(content, type=_Kept).cases[-RECORDED:])
