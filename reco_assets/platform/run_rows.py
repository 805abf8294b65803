"""Rows of a table as an index has them, all numbers, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from reco_assets.platform.run_files import Manifest, Rows, UInt64s, days_in, hashes, on_day
from reco_assets.platform.run_layout import Layout
from reco_assets.platform.run_merge import Sorted

TIME: Final = pl.Datetime("us", "UTC")

#: Rows that were found: the place of the key asked for, the key with its day, the row.
Found = tuple[npt.NDArray[np.int64], UInt64s, Rows]


def kinds_of(layout: Layout, schema: pl.Schema) -> dict[str, str]:
    """Which numbers are times."""
    return {name: "time" if schema[name] == TIME else "number" for name in layout.numbers}


def encoded(layout: Layout, manifest: Manifest, frame: pl.DataFrame) -> tuple[UInt64s, Rows]:
    """Keys with their days, and rows; words that are new are noted in ``manifest``."""
    rows = np.empty(frame.height, layout.dtype())
    keys, rows["check"] = hashes(frame[layout.key])
    dated = on_day(keys, frame[layout.day].cast(pl.Int32).cast(pl.Int64).to_numpy())
    for name in layout.numbers:
        rows[name] = frame[name].cast(pl.Int64).to_numpy()
    for name in layout.words:
        known = set(manifest.words)
        manifest.words += [word for word in frame[name].unique(maintain_order=True) if word not in known]
        words = pl.Series(manifest.words, dtype=pl.String)
        codes = pl.int_range(len(words), dtype=pl.Int64, eager=True)
        rows[name] = frame[name].replace_strict(words, codes, return_dtype=pl.Int64).to_numpy()
    return dated, rows


def decoded(layout: Layout, manifest: Manifest, ids: pl.Series, found: Sequence[Found]) -> pl.DataFrame:
    """What was ``found`` of ``ids``, with the columns of the layout."""
    asked = np.concatenate([np.empty(0, np.int64), *(places for places, _, _ in found)])
    keys = np.concatenate([np.empty(0, np.uint64), *(dated for _, dated, _ in found)])
    wide = {
        name: np.concatenate([np.empty(0, np.int64), *(rows[name] for _, _, rows in found)])
        for name in layout.fields
    }
    words = pl.Series(manifest.words, dtype=pl.String)
    columns = [ids.gather(asked).alias(layout.key)]
    columns.append(pl.Series(layout.day, days_in(keys)).cast(pl.Int32).cast(pl.Date))
    for name in layout.numbers:
        values = pl.Series(name, wide[name])
        columns.append(values.cast(TIME) if manifest.kinds[name] == "time" else values)
    columns += [words.gather(wide[name]).alias(name) for name in layout.words]
    return pl.DataFrame(columns)


def by_period(layout: Layout, keys: UInt64s, rows: Rows, version: int) -> Iterator[tuple[int, Sorted]]:
    """Rows of ``version`` apart by the period of their days, sorted."""
    periods = layout.periods(days_in(keys))
    for period in np.unique(periods):
        here = periods == period
        yield int(period), Sorted.of(keys[here], rows[here], version)
