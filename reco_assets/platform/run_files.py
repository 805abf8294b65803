"""What the runs of an index are on disk: rows of a fixed layout, sorted by key and day, and a manifest."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from reco_assets.platform.lake import PARTITIONS

Rows = npt.NDArray[Any]
UInt64s = npt.NDArray[np.uint64]

_FORMAT: Final = 2
#: Seeds of the two hashes of an id: ids that agree in the key's 48 bits and in the check's 64 are one.
_SEEDS: Final = (71, 113)
#: The day, counted from 1970, takes the lowest bits of a key: the days of an id lie side by side.
_DAY_BITS: Final = 16
_DAY_MASK: Final = np.uint64((1 << _DAY_BITS) - 1)
_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True)
class Layout:
    """What is kept of a table's rows.

    Attributes
    ----------
    table, key
        The lake table and the column by which its rows are found.
    numbers
        Columns of whole numbers and of times, kept as 64-bit integers.
    words
        Columns of texts of which there are few different ones.
    reads, prepare
        Columns of the table, and what makes those above of them; by default they are the same.
    condense
        Leaves out what nobody will ask for, when the index is built from the whole table. An index of
        which days were replaced is then built anew: what was left out may be wanted now.
    daily
        Build one run a day: for large tables of which only some days are asked for.
    """

    table: str
    key: str
    numbers: tuple[str, ...]
    words: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    prepare: Callable[[pl.LazyFrame], pl.LazyFrame] | None = None
    condense: Callable[[pl.DataFrame], pl.DataFrame] | None = None
    daily: bool = False

    @property
    def day(self) -> str:
        """The column of the partition day."""
        return PARTITIONS[self.table]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are read from the table."""
        return self.reads or (self.key, self.day, *self.numbers, *self.words)

    def prepared(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Rows of the table as the index keeps them."""
        return self.prepare(rows) if self.prepare is not None else rows

    @property
    def dtype(self) -> np.dtype[Any]:
        """A row of a run: the key with the day, the check, and the values.

        All fields have eight bytes, so that a column of a run can be searched where it lies.
        """
        return np.dtype(
            [
                ("key", "<u8"),
                ("check", "<u8"),
                *((name, "<i8") for name in (*self.numbers, *self.words)),
            ]
        )


@dataclass(frozen=True)
class Run:
    """A file of rows sorted by key: as of which version of the table, and the days that it spans."""

    name: str
    version: int
    first: int
    last: int


@dataclass
class Manifest:
    """Which runs hold which version; ``floors`` are days whose rows of older runs are void.

    ``kinds`` tells times from numbers, ``words`` are the texts that numbers stand for.
    """

    upto: int
    kinds: dict[str, str]
    runs: list[Run] = field(default_factory=list)
    floors: dict[int, int] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> Manifest | None:
        """The manifest of ``folder``; None where there is none, or where it is another version's."""
        try:
            told: Mapping[str, Any] = json.loads((folder / "manifest.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        if (told.get("format"), told.get("polars")) != (_FORMAT, pl.__version__):
            return None  # hashes may differ
        runs = [Run(*run) for run in told["runs"]]
        if not all((folder / run.name).exists() for run in runs):
            return None
        floors = {int(day): version for day, version in told["floors"].items()}
        return cls(told["upto"], told["kinds"], runs, floors, told["words"])

    def write(self, folder: Path) -> None:
        """Make it the manifest of ``folder``, and delete runs that it does not name."""
        told = {
            "format": _FORMAT,
            "polars": pl.__version__,
            "upto": self.upto,
            "kinds": self.kinds,
            "runs": [astuple(run) for run in self.runs],
            "floors": self.floors,
            "words": self.words,
        }
        partial = folder / f"manifest.{os.getpid()}"
        partial.write_text(json.dumps(told))
        partial.replace(folder / "manifest.json")
        kept = {run.name for run in self.runs}
        for path in folder.glob("*.npy"):
            if path.name not in kept:
                path.unlink()


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


def places_in(left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """All places of the half-open ranges, one after the other."""
    lengths = right - left
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    places: npt.NDArray[np.int64] = np.arange(total) + np.repeat(left - (ends - lengths), lengths)
    return places
