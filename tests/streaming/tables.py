"""What tables mean, so that two lakes can be compared however their rows came together."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl
from polars.testing import assert_frame_equal

from reco_assets.features import windows
from reco_assets.features.pipeline import FEATURES, KEYS
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


def meaning(engine: Engine, name: str) -> pl.DataFrame:
    """The rows that hold: additive ones summed by key, of features the highest revision."""
    table = engine.table(name)
    if name in KEYS:
        table = windows.summed(table, KEYS[name])
    found = pl.DataFrame(engine.to_arrow(table))
    if name in FEATURES:
        held = found.sort("revision").unique([FEATURES[name].key, "as_of"], keep="last")
        found = held.drop("revision")
    return found.select(sorted(found.columns)).sort(sorted(found.columns))


def assert_same_tables(found: Engine, expected: Engine) -> None:
    """Every table that follows from raw events means the same in both lakes."""
    for name in TABLES:
        assert_frame_equal(meaning(found, name), meaning(expected, name), check_exact=True)
