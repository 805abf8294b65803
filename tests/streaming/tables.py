"""Two lakes compared by what their tables mean, and a lake whose writer dies."""

from __future__ import annotations

from dataclasses import dataclass, field

from polars.testing import assert_frame_equal

from reco_assets.features.meaning import meaning
from reco_assets.platform.engine import Engine
from reco_assets.platform.lake import Lake
from tests.features.lakes import TABLES


class Killed(Exception):
    """The process has ended here."""


@dataclass(frozen=True)
class MortalLake(Lake):
    """A lake whose writer dies at a given write: just before its commit, or just after it.

    Attributes
    ----------
    lives
        One number: half-writes left, two a write; 0 is immortal.
    """

    lives: list[int] = field(default_factory=lambda: [0])

    def _write(self, *args: object, **kwargs: object) -> int:
        self._step()
        version = super()._write(*args, **kwargs)  # type: ignore[arg-type]
        self._step()
        return version

    def _step(self) -> None:
        if self.lives[0]:
            self.lives[0] -= 1
            if not self.lives[0]:
                raise Killed


def assert_same_tables(found: Engine, expected: Engine) -> None:
    """Every table that follows from raw events means the same in both lakes."""
    for name in TABLES:
        assert_frame_equal(meaning(found, name), meaning(expected, name), check_exact=True)
