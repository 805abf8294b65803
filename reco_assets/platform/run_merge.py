"""Sorted rows of an index: searched where they lie, and merged into one run in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from reco_assets.platform.run_files import KEYS, ROWS, Rows, Run, UInt64s, days_in, places_in
from reco_assets.platform.run_layout import Layout

#: Says which rows of the days given, of a version, still hold.
Valid = Callable[[npt.NDArray[np.int64], int], npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class Sorted:
    """Rows in the order of their keys, in memory or mapped, as of a version of the table."""

    keys: UInt64s
    rows: Rows
    version: int

    @classmethod
    def of(cls, keys: UInt64s, rows: Rows, version: int) -> Self:
        """Sort ``rows``, and keep their values as narrow as they can be."""
        order = np.argsort(keys, kind="stable")
        kinds = [(name, rows.dtype[name]) for name in rows.dtype.names or ()]
        narrow = [(name, _narrowest(rows[name]) if kind.kind == "i" else kind) for name, kind in kinds]
        return cls(keys[order], rows[order].astype(narrow), version)

    @classmethod
    def map(cls, folder: Path, layout: Layout, run: Run) -> Self:
        """The rows of ``run``, read where and when they are looked at."""
        keys = np.memmap(folder / f"{run.name}{KEYS}", np.uint64, "r")
        rows = np.memmap(folder / f"{run.name}{ROWS}", layout.dtype(run.widths), "r")
        return cls(np.asarray(keys), np.asarray(rows), run.version)

    def search(self, begin: UInt64s, end: UInt64s) -> tuple[npt.NDArray[np.int64], UInt64s, Rows]:
        """Rows within each range ``begin..end``, both ascending: the number of the range, key and row."""
        left = np.searchsorted(self.keys, begin, "left")
        first = self.keys[np.minimum(left, len(self.keys) - 1)]
        # most ids are not in most runs, and only where one is the other end of its rows is looked for
        met = np.flatnonzero((left < len(self.keys)) & (first <= end))
        left, right = left[met], np.searchsorted(self.keys, end[met], "right")
        places = places_in(left, right)
        return np.repeat(met, right - left), self.keys[places], self.rows[places]


def merged(
    folder: Path, layout: Layout, parts: Sequence[Sorted], version: int, valid: Valid, at_once: int
) -> Run | None:
    """Write the valid rows of ``parts`` as one run of ``version`` into ``folder``; None for no rows.

    About ``at_once`` rows are in memory at a time.
    """
    name, count, first, last = uuid4().hex, 0, np.iinfo(np.int64).max, -1
    sizes = np.array([[part.rows.dtype[field].itemsize for field in layout.fields] for part in parts])
    widths = tuple(int(width) for width in sizes.max(axis=0))
    with (folder / f"{name}{KEYS}").open("wb") as to_keys, (folder / f"{name}{ROWS}").open("wb") as to_rows:
        for slices in _slices(parts, at_once):
            keys, rows = _joined(slices, layout.dtype(widths), valid)
            if len(keys):
                days = days_in(keys)
                first, last = min(first, int(days.min())), max(last, int(days.max()))
                count += len(keys)
                keys.tofile(to_keys)
                rows.tofile(to_rows)
    return Run(name, version, first, last, count, widths) if count else None


def _slices(parts: Sequence[Sorted], rows: int) -> Iterator[list[Sorted]]:
    """``parts`` cut at the same keys, so that the slices one after the other are in order."""
    largest = max(parts, key=lambda part: len(part.keys)).keys
    total = sum(len(part.keys) for part in parts)
    step = max(1, len(largest) * rows // max(1, total))
    borders = largest[step::step]
    cuts = [[0, *np.searchsorted(part.keys, borders, "left"), len(part.keys)] for part in parts]
    for number in range(len(borders) + 1):
        ends = [slice(cut[number], cut[number + 1]) for cut in cuts]
        yield [
            Sorted(part.keys[one], part.rows[one], part.version)
            for part, one in zip(parts, ends, strict=True)
        ]


def _joined(parts: Sequence[Sorted], dtype: np.dtype[np.void], valid: Valid) -> tuple[UInt64s, Rows]:
    kept = [(part, valid(days_in(part.keys), part.version)) for part in parts if len(part.keys)]
    if not kept:
        return np.empty(0, np.uint64), np.empty(0, dtype)
    keys = np.concatenate([part.keys[mask] for part, mask in kept])
    order = np.argsort(keys, kind="stable")
    rows = np.empty(len(keys), dtype)
    for field in dtype.names or ():
        rows[field] = np.concatenate([part.rows[field][mask] for part, mask in kept])[order]
    return keys[order], rows


def _narrowest(values: npt.NDArray[np.int64]) -> np.dtype[Any]:
    if not len(values):
        return np.dtype(np.int8)
    least, most = int(values.min()), int(values.max())
    return np.min_scalar_type(min(least, -most - 1, -1))  # a negative number's type is a signed one
