"""What an index keeps of a lake table's rows, and for which days."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from reco_assets.platform.lake import PARTITIONS


class Condenser(Protocol):
    """Leaves out what nobody will ask for, when an index is built from the whole table."""

    def add(self, rows: pl.DataFrame) -> None:
        """Take in ``rows``, all of them of earlier days than those before."""

    def rows(self) -> pl.DataFrame:
        """What is left of everything."""


@dataclass(frozen=True)
class Layout:
    """What is kept of a table's rows.

    Attributes
    ----------
    table, key
        The lake table and the column by which its rows are found.
    numbers
        Columns of whole numbers and of times, kept as integers.
    words
        Columns of texts of which there are few different ones.
    reads, prepare
        Columns of the table, and what makes those above of them; by default they are the same.
    condense
        Makes a condenser for building the index from the whole table. An index of which days were
        replaced is then built anew: what was left out may be wanted now.
    period
        Runs hold rows of so many days, side by side, and only those that can hold the days asked for
        are searched; None puts all days together.
    recent
        Keep only so many days, counted back from the newest; older ones are read from the table.
    """

    table: str
    key: str
    numbers: tuple[str, ...]
    words: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    prepare: Callable[[pl.LazyFrame], pl.LazyFrame] | None = None
    condense: Callable[[], Condenser] | None = None
    period: int | None = None
    recent: int | None = None

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
    def fields(self) -> tuple[str, ...]:
        """What a row holds beside its key and its check, each as an integer."""
        return (*self.numbers, *self.words)

    def period_of(self, day: int) -> int:
        """The period that ``day`` is in."""
        return day // self.period if self.period is not None else 0

    def periods(self, days: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The periods that ``days`` are in."""
        return days // self.period if self.period is not None else np.zeros_like(days)

    @property
    def told(self) -> list[Any]:
        """What an index must agree with to be one of this layout."""
        return [self.table, self.key, list(self.fields), self.period, self.recent]

    def dtype(self, widths: tuple[int, ...] = ()) -> np.dtype[Any]:
        """A row of a run: the check, and the values in so many bytes each, 8 by default."""
        given = zip(self.fields, widths or (8,) * len(self.fields), strict=True)
        return np.dtype([("check", "<u8"), *((name, f"<i{width}") for name, width in given)])
