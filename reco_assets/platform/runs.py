"""Rows of a lake table found by key: a local index that follows the table, and can always be made again.

A micro-batch needs the past of the few keys that it touches. A columnar table would have to be read
as a whole for that, so its rows are kept once more, sorted by the hash of their key, in memory-mapped
runs. What a commit appended becomes a run; small runs are merged into larger ones, so that there are
never many. The manifest, replaced in one rename, says which version of the table the runs hold: after
a crash the index goes on from there, and without a manifest it is built anew. It is never the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Final
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import polars as pl

from reco_assets.platform.follow import days_of
from reco_assets.platform.increments import Appended, changes, read_appended
from reco_assets.platform.lake import Lake
from reco_assets.platform.run_files import (
    Layout,
    Manifest,
    Rows,
    Run,
    days_in,
    hashes,
    number_of,
    on_day,
    places_in,
)

#: A run is merged with the one before it while that is not so many times as large.
_RATIO: Final = 4
#: Days whose rows were replaced, of one round, above which everything is read again.
_MOST_DAYS: Final = 40
_TIME: Final = pl.Datetime("us", "UTC")


class Runs:
    """The index of one table in ``folder``."""

    def __init__(self, lake: Lake, layout: Layout, folder: Path) -> None:
        self._lake = lake
        self._layout = layout
        self._folder = folder
        self._manifest = Manifest.read(folder)
        self._open: dict[str, Rows] = {}
        self._codes = {word: code for code, word in enumerate(self._manifest.words)} if self._manifest else {}

    def follow(self) -> int:
        """Take in what the table has got since; how many rows were read."""
        version = self._lake.open(self._layout.table).version()
        manifest = self._manifest
        if manifest is not None and manifest.upto == version:
            return 0
        if manifest is None or manifest.upto > version:
            return self._build(version)
        found = changes(self._lake, self._layout.table, manifest.upto, version)
        if found.gone or len(found.rewritten) > (_MOST_DAYS if self._layout.condense is None else 0):
            return self._build(version)
        rows = self._appended(found.appended)
        for day in found.rewritten:
            if day is not None:
                manifest.floors[number_of(day)] = version
                rows = pl.concat([rows.filter(pl.col(self._layout.day) != day), self._of_day(day, version)])
        manifest.upto = version
        self._add(rows, version)
        return rows.height

    def find(self, ids: pl.Series, first: date = date.min, last: date = date.max) -> pl.DataFrame:
        """Rows of the keys ``ids`` (distinct) on the days ``first``..``last``, in no particular order."""
        assert self._manifest is not None, "followed before"
        keys, check = hashes(ids)
        order = np.argsort(keys)
        low, high = number_of(first), number_of(last)
        begin, end = on_day(keys[order], low), on_day(keys[order], high)
        found: list[tuple[npt.NDArray[np.int64], Rows]] = []
        for one in self._manifest.runs:
            if one.last < low or one.first > high:
                continue
            run = self._run(one.name)
            left = np.searchsorted(run["key"], begin, "left")
            right = np.searchsorted(run["key"], end, "right")
            asked = np.repeat(order, right - left)
            rows = run[places_in(left, right)]
            kept = (check[asked] == rows["check"]) & self._valid(rows, one.version)
            found.append((asked[kept], rows[kept]))
        asked = np.concatenate([places for places, _ in found]) if found else np.empty(0, np.int64)
        rows = np.concatenate([rows for _, rows in found]) if found else np.empty(0, self._layout.dtype)
        return self._frame(ids, asked, rows)

    def _frame(self, ids: pl.Series, asked: npt.NDArray[np.int64], rows: Rows) -> pl.DataFrame:
        assert self._manifest is not None
        words = pl.Series(self._manifest.words, dtype=pl.String)
        columns = [ids.gather(asked).alias(self._layout.key)]
        columns.append(pl.Series(self._layout.day, days_in(rows["key"])).cast(pl.Int32).cast(pl.Date))
        for name in self._layout.numbers:
            values = pl.Series(name, np.ascontiguousarray(rows[name]))
            columns.append(values.cast(_TIME) if self._manifest.kinds[name] == "time" else values)
        columns += [words.gather(np.ascontiguousarray(rows[name])).alias(name) for name in self._layout.words]
        return pl.DataFrame(columns)

    def _build(self, version: int) -> int:
        """Read the whole table, day by day where it is large or can be condensed."""
        layout = self._layout
        rows = self._of_day(date.min, version)
        kinds = {name: "time" if rows.schema[name] == _TIME else "number" for name in layout.numbers}
        self._manifest = Manifest(version, kinds)
        self._open, self._codes = {}, {}
        self._folder.mkdir(parents=True, exist_ok=True)
        if layout.condense is None and not layout.daily:
            scan = layout.prepared(self._lake.scan(layout.table, version).select(layout.columns))
            rows = scan.collect(engine="streaming")
            self._add(rows, version)
            return rows.height
        read = 0
        for day in sorted(days_of(self._lake, layout.table, version)):
            of_day = self._of_day(day, version)
            read += of_day.height
            if layout.condense is not None:
                rows = layout.condense(pl.concat([rows, of_day]))
            elif of_day.height:
                self._save(self._encoded(of_day), version)
        self._add(rows, version)
        return read

    def _appended(self, files: Sequence[Appended]) -> pl.DataFrame:
        rows = read_appended(self._lake, self._layout.table, files, self._layout.columns)
        return self._layout.prepared(rows.drop("_version").lazy()).collect()

    def _of_day(self, day: date, version: int) -> pl.DataFrame:
        scan = self._lake.scan(self._layout.table, version).filter(pl.col(self._layout.day) == day)
        return self._layout.prepared(scan.select(self._layout.columns)).collect()

    def _add(self, frame: pl.DataFrame, version: int) -> None:
        """Make a run of ``frame``, merge what should be merged, and let the manifest say so."""
        assert self._manifest is not None
        self._folder.mkdir(parents=True, exist_ok=True)
        manifest = self._manifest
        if frame.height:
            rows = self._encoded(frame)
            while manifest.runs and len(self._run(manifest.runs[-1].name)) < _RATIO * len(rows):
                older = manifest.runs.pop()
                before = self._run(older.name)
                rows = np.concatenate([before[self._valid(before, older.version)], rows])
            self._save(rows, version)
        manifest.write(self._folder)
        kept = {run.name for run in manifest.runs}
        self._open = {name: run for name, run in self._open.items() if name in kept}

    def _save(self, rows: Rows, version: int) -> None:
        assert self._manifest is not None
        rows = rows[np.argsort(rows["key"], kind="stable")]
        name = f"{uuid4().hex}.npy"
        np.save(self._folder / name, rows)
        days = days_in(rows["key"])
        self._manifest.runs.append(Run(name, version, int(days.min()), int(days.max())))

    def _encoded(self, frame: pl.DataFrame) -> Rows:
        assert self._manifest is not None
        rows = np.empty(frame.height, self._layout.dtype)
        keys, rows["check"] = hashes(frame[self._layout.key])
        rows["key"] = on_day(keys, frame[self._layout.day].cast(pl.Int32).cast(pl.Int64).to_numpy())
        for name in self._layout.numbers:
            rows[name] = frame[name].cast(pl.Int64).to_numpy()
        for name in self._layout.words:
            for word in frame[name].unique(maintain_order=True):
                if word not in self._codes:
                    self._codes[word] = len(self._manifest.words)
                    self._manifest.words.append(word)
            old = pl.Series(list(self._codes), dtype=pl.String)
            new = pl.Series(list(self._codes.values()), dtype=pl.Int64)
            rows[name] = frame[name].replace_strict(old, new, return_dtype=pl.Int64).to_numpy()
        return rows

    def _valid(self, rows: Rows, version: int) -> npt.NDArray[np.bool_]:
        """Which of ``rows``, of a run of ``version``, were not replaced since."""
        assert self._manifest is not None
        void = [day for day, floor in self._manifest.floors.items() if version < floor]
        return ~np.isin(days_in(rows["key"]), void) if void else np.ones(len(rows), np.bool_)

    def _run(self, name: str) -> Rows:
        if name not in self._open:
            self._open[name] = np.load(self._folder / name, mmap_mode="r")
        return self._open[name]
