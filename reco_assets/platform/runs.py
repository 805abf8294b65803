"""Rows of a lake table found by key: a local index that follows the table, and can always be made again.

A micro-batch needs the past of the few keys that it touches. A columnar table would have to be read
as a whole for that, so its rows are kept once more, sorted by the hash of their key, in memory-mapped
runs. What a commit appended becomes a run of each period of days; small runs are merged into larger
ones of their period, so that there are never many to search, however long the history. The manifest,
replaced in one rename, says which version of the table the runs hold: after a crash the index goes on
from there, and without a manifest it is built anew. It is never the truth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
from deltalake import DeltaTable

from reco_assets.platform.follow import rows_by_day
from reco_assets.platform.increments import Appended, changes, read_appended
from reco_assets.platform.lake import Lake
from reco_assets.platform.run_files import Manifest, Run, day_of, days_in, hashes, number_of, on_day
from reco_assets.platform.run_layout import Layout
from reco_assets.platform.run_merge import Sorted, merged
from reco_assets.platform.run_rows import Found, by_period, decoded, encoded, kinds_of

#: A run is merged with the one before it while that is not so many times as large.
_RATIO: Final = 4
#: Days whose rows were replaced, of one round, above which everything is read again.
_MOST_DAYS: Final = 40
_DAY: Final = timedelta(days=1)


class Runs:
    """The index of one table in ``folder``.

    Parameters
    ----------
    at_once
        About so many rows are read or merged at a time; a day that has more is read as a whole.

    Attributes
    ----------
    searched
        Keys looked for so far, counted in each run in which they were.
    schema
        The table's columns when it was followed last.
    """

    def __init__(self, lake: Lake, layout: Layout, folder: Path, at_once: int = 1_000_000) -> None:
        self._at_once = at_once
        self._lake = lake
        self._layout = layout
        self._folder = folder
        self._manifest = Manifest.read(folder, layout)
        self._open: dict[str, Sorted] = {}
        self.searched = 0
        self.schema = pa.schema([])

    def follow(self) -> int:
        """Take in what the table has got since; how many rows were read."""
        table = self._lake.open(self._layout.table)
        self.schema = pa.schema(table.schema().to_arrow())
        version, manifest = table.version(), self._manifest
        if manifest is not None and manifest.upto == version:
            return 0
        if manifest is None or manifest.upto > version:
            return self._build(table)
        found = changes(self._lake, self._layout.table, manifest.upto, version)
        if found.gone or len(found.rewritten) > (_MOST_DAYS if self._layout.condense is None else 0):
            return self._build(table)
        manifest = deepcopy(manifest)  # the old one counts until the new one is on disk
        manifest.upto = version
        rows = self._appended(found.appended, table)
        for day in found.rewritten:
            if day is not None:
                manifest.floors[number_of(day)] = version
                rows = pl.concat(
                    [rows.filter(pl.col(self._layout.day) != day), self._of_days(table, day, day)]
                )
        self._add(manifest, rows)
        return rows.height

    def find(self, ids: pl.Series, first: date = date.min, last: date = date.max) -> pl.DataFrame:
        """Rows of the keys ``ids`` (distinct) on the days ``first``..``last``, in no particular order."""
        manifest = self._manifest
        assert manifest is not None, "followed before"
        keys, check = hashes(ids)
        order = np.argsort(keys)
        low, high = max(number_of(first), manifest.since), number_of(last)
        begin, end = on_day(keys[order], low), on_day(keys[order], high)
        found: list[Found] = []
        for one in manifest.runs:
            if one.last < low or one.first > high:
                continue
            self.searched += len(ids)
            ranges, dated, rows = self._run(one).search(begin, end)
            asked = order[ranges]
            kept = (check[asked] == rows["check"]) & manifest.valid(days_in(dated), one.version)
            if kept.any():
                found.append((asked[kept], dated[kept], rows[kept]))
        frame = decoded(self._layout, manifest, ids, found)
        if number_of(first) >= low:
            return frame
        older = self._before(ids, first, min(last, day_of(low) - _DAY), manifest.upto)
        return pl.concat([frame, older.select(frame.columns).cast(frame.schema)])

    def _before(self, ids: pl.Series, first: date, last: date, version: int) -> pl.DataFrame:
        """Rows of days that the index does not keep, from the table."""
        layout, day = self._layout, pl.col(self._layout.day)
        rows = self._lake.scan(layout.table, version).filter(day.is_between(first, last))
        asked = rows.filter(pl.col(layout.key).is_in(ids.implode())).select(layout.columns)
        return layout.prepared(asked).collect()

    def _build(self, table: DeltaTable) -> int:
        """Read the whole table, or its recent days, a stretch of days at a time; how many rows were read."""
        layout, counted = self._layout, rows_by_day(table, self._layout.day)
        self._folder.mkdir(parents=True, exist_ok=True)
        empty = self._of_days(table, date.min, date.min)
        manifest = Manifest(table.version(), kinds_of(layout, empty.schema))
        if layout.recent is not None and counted:
            manifest.since = max(0, number_of(max(counted)) - layout.recent + 1)
        kept = {day: count for day, count in counted.items() if number_of(day) >= manifest.since}
        read, pieces = 0, dict[int, list[Run]]()
        at_once = self._at_once if layout.condense is None else 1  # day by day, most can be left out
        for rows, frame in self._parts(table, _stretches(kept, at_once)):
            read += rows
            for period, part in by_period(layout, *encoded(layout, manifest, frame), manifest.upto):
                pieces.setdefault(period, []).extend(self._merged(manifest, [part]))
        for runs in pieces.values():
            parts = [Sorted.map(self._folder, layout, run) for run in runs]
            manifest.runs += self._merged(manifest, parts) if len(runs) > 1 else runs
        self._replace(manifest)
        return read

    def _parts(
        self, table: DeltaTable, stretches: Sequence[tuple[date, date]]
    ) -> Iterator[tuple[int, pl.DataFrame]]:
        """Rows read, and rows to keep, in parts that fit into memory."""
        if self._layout.condense is None:
            for first, last in stretches:
                rows = self._of_days(table, first, last)
                yield rows.height, rows
            return
        condenser = self._layout.condense()
        for first, last in reversed(stretches):
            rows = self._of_days(table, first, last)
            condenser.add(rows)
            yield rows.height, rows.clear()
        for rows in condenser.rows().iter_slices(self._at_once):
            yield 0, rows

    def _appended(self, files: Sequence[Appended], table: DeltaTable) -> pl.DataFrame:
        rows = read_appended(self._lake, self._layout.table, files, self._layout.columns, table)
        return self._layout.prepared(rows.drop("_version").lazy()).collect()

    def _of_days(self, table: DeltaTable, first: date, last: date) -> pl.DataFrame:
        scan = pl.scan_delta(table).filter(pl.col(self._layout.day).is_between(first, last))
        return self._layout.prepared(scan.select(self._layout.columns)).collect()

    def _add(self, manifest: Manifest, frame: pl.DataFrame) -> None:
        """Make runs of ``frame``, merge what should be merged, and let the manifest say so."""
        layout = self._layout
        keys, rows = encoded(layout, manifest, frame)
        if layout.recent is not None and len(keys):
            manifest.since = max(manifest.since, int(days_in(keys).max()) - layout.recent + 1)
            kept = days_in(keys) >= manifest.since
            keys, rows = keys[kept], rows[kept]
            manifest.runs = [run for run in manifest.runs if run.last >= manifest.since]
        for period, part in by_period(layout, keys, rows, manifest.upto):
            parts, count = [part], len(part.keys)
            older = [run for run in manifest.runs if layout.period_of(run.first) == period]
            while older and older[-1].count < _RATIO * count:
                run = older.pop()
                manifest.runs.remove(run)
                parts.append(self._run(run))
                count += run.count
            manifest.runs += self._merged(manifest, parts)
        self._replace(manifest)

    def _merged(self, manifest: Manifest, parts: Sequence[Sorted]) -> list[Run]:
        """One run of all that is valid in ``parts``, if anything is."""
        valid, version = manifest.valid, manifest.upto
        run = merged(self._folder, self._layout, parts, version, valid, self._at_once)
        return [run] if run is not None else []

    def _replace(self, manifest: Manifest) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        manifest.write(self._folder, self._layout)
        self._manifest = manifest
        kept = {run.name for run in manifest.runs}
        self._open = {name: run for name, run in self._open.items() if name in kept}

    def _run(self, run: Run) -> Sorted:
        if run.name not in self._open:
            self._open[run.name] = Sorted.map(self._folder, self._layout, run)
        return self._open[run.name]


def _stretches(counted: dict[date, int], rows: int) -> list[tuple[date, date]]:
    """First and last days of stretches of about so many ``rows``, in the order of time."""
    stretches: list[tuple[date, date]] = []
    inside = 0
    for day in sorted(counted):
        if not stretches or inside >= rows:
            stretches.append((day, day))
            inside = 0
        stretches[-1] = (stretches[-1][0], day)
        inside += counted[day]
    return stretches
