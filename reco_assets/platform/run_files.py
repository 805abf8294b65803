"""What the runs of an index are on disk: rows of a fixed layout, sorted by key and day, and a manifest.

A run is two files of plain arrays that are mapped into memory: its keys, which are searched, and its
rows, which are read where a key was found. Keys that lie together take few pages to search, and the
numbers of the rows are as narrow as they can be in that run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from reco_assets.platform.run_layout import Layout

Rows = npt.NDArray[Any]
UInt64s = npt.NDArray[np.uint64]

_FORMAT: Final = 3
#: Seeds of the two hashes of an id: ids that agree in the key's 48 bits and in the check's 64 are one.
_SEEDS: Final = (71, 113)
#: The day, counted from 1970, takes the lowest bits of a key: the days of an id lie side by side.
_DAY_BITS: Final = 16
_DAY_MASK: Final = np.uint64((1 << _DAY_BITS) - 1)
_EPOCH: Final = date(1970, 1, 1)
#: Names of a run's two files end so.
KEYS: Final = ".keys"
ROWS: Final = ".rows"


@dataclass(frozen=True)
class Run:
    """Sorted rows in files: as of which version of the table, of which days, and how wide its values are."""

    name: str
    version: int
    first: int
    last: int
    count: int
    widths: tuple[int, ...]

    def whole(self, folder: Path) -> bool:
        """Whether its files are there, as long as they were: a power cut may have left less."""
        try:
            size = (folder / f"{self.name}{ROWS}").stat().st_size
            return (
                size == self.count * (8 + sum(self.widths))
                and (folder / f"{self.name}{KEYS}").stat().st_size == 8 * self.count
            )
        except FileNotFoundError:
            return False


@dataclass
class Manifest:
    """Which runs hold which version; ``floors`` are days whose rows of older runs are void.

    ``since`` is the first day that is kept, ``kinds`` tells times from numbers, ``words`` are the
    texts that numbers stand for.
    """

    upto: int
    kinds: dict[str, str]
    since: int = 0
    runs: list[Run] = field(default_factory=list)
    floors: dict[int, int] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path, layout: Layout) -> Manifest | None:
        """The manifest of ``folder``; None where there is none, or where it is another version's."""
        try:
            told: Mapping[str, Any] = json.loads((folder / "manifest.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        if {name: told.get(name) for name in _made_by(layout)} != _made_by(layout):
            return None
        runs = [Run(**(run | {"widths": tuple(run["widths"])})) for run in told["runs"]]
        if not all(run.whole(folder) for run in runs):
            return None
        floors = {int(day): version for day, version in told["floors"].items()}
        return cls(told["upto"], told["kinds"], told["since"], runs, floors, told["words"])

    def write(self, folder: Path, layout: Layout) -> None:
        """Make it the manifest of ``folder``, and delete the files that it does not name."""
        oldest = min((run.version for run in self.runs), default=self.upto)
        self.floors = {day: version for day, version in self.floors.items() if version > oldest}
        told = _made_by(layout) | {
            "upto": self.upto,
            "kinds": self.kinds,
            "since": self.since,
            "runs": [asdict(run) for run in self.runs],
            "floors": self.floors,
            "words": self.words,
        }
        partial = folder / f"manifest.{os.getpid()}"
        partial.write_text(json.dumps(told))
        partial.replace(folder / "manifest.json")
        kept = {run.name for run in self.runs}
        for path in folder.iterdir():
            if path.name != "manifest.json" and path.stem not in kept:
                path.unlink()

    def valid(self, days: npt.NDArray[np.int64], version: int) -> npt.NDArray[np.bool_]:
        """Which rows of ``days``, of a run of ``version``, were not replaced since."""
        void = [day for day, floor in self.floors.items() if version < floor]
        return ~np.isin(days, void) if void else np.ones(len(days), np.bool_)


def _made_by(layout: Layout) -> dict[str, Any]:
    return {"format": _FORMAT, "polars": pl.__version__, "layout": layout.told}  # hashes may differ


def hashes(ids: pl.Series) -> tuple[UInt64s, UInt64s]:
    """Keys, with day 0, and checks of ``ids``."""
    key, check = (ids.cast(pl.String).hash(seed).to_numpy() for seed in _SEEDS)
    return key & ~_DAY_MASK, check


def on_day(keys: UInt64s, days: npt.NDArray[np.int64] | int) -> UInt64s:
    """``keys`` of day 0 on ``days``."""
    dated: UInt64s = keys | np.uint64(days) if isinstance(days, int) else keys | days.astype(np.uint64)
    return dated


def days_in(keys: UInt64s) -> npt.NDArray[np.int64]:
    """The days that ``keys`` hold."""
    return (keys & _DAY_MASK).astype(np.int64)


def number_of(day: date) -> int:
    """``day`` as a key holds it; the ends of the calendar are the ends of what it can hold."""
    return min(max((day - _EPOCH).days, 0), int(_DAY_MASK))


def day_of(number: int) -> date:
    """The day that a key holds as ``number``."""
    return date.fromordinal(_EPOCH.toordinal() + number)


def places_in(left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """All places of the half-open ranges, one after the other."""
    lengths = right - left
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    places: npt.NDArray[np.int64] = np.arange(total) + np.repeat(left - (ends - lengths), lengths)
    return places
