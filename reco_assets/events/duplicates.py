"""Which events of a delivery are there already: in the lake, or earlier in the same file."""

from __future__ import annotations

import polars as pl

from reco_assets.platform.lake import Lake

_EVENTS = "raw/events"
#: Two hashes of one id: ids that differ agree in both once in 10^20 even among a billion.
_SEEDS = (11, 23)


class Duplicates:
    """Marks rows whose ``event_id`` was met before, for one file at a time.

    Parameters
    ----------
    own_ids
        Whether the file may hold one id twice; only then are its ids remembered, 16 bytes each.
    """

    def __init__(self, lake: Lake, *, own_ids: bool) -> None:
        self._own_ids = own_ids
        self._seen: list[pl.DataFrame] = []
        stored = lake.exists(_EVENTS) and bool(lake.files(_EVENTS))
        self._stored = lake.scan(_EVENTS) if stored else None

    def of(self, rows: pl.DataFrame) -> pl.Series:
        """``bool[n]`` over ``rows`` (``event_id``, ``event_date``): True where the event is there already."""
        found = self._in_lake(rows)
        return found | self._in_file(rows["event_id"]) if self._own_ids else found

    def _in_lake(self, rows: pl.DataFrame) -> pl.Series:
        """Reads the ids of the days of ``rows`` only; the order of the days' files makes that few."""
        if self._stored is None or not rows.height:
            return pl.Series([False]).new_from_index(0, rows.height)
        first, last = rows["event_date"].min(), rows["event_date"].max()
        there = (
            self._stored.filter(pl.col("event_date").is_between(pl.lit(first), pl.lit(last)))
            .select("event_id")
            .join(rows.lazy().select("event_id"), on="event_id", how="semi")
            .collect(engine="streaming")
        )
        if not there.height:
            return pl.Series([False]).new_from_index(0, rows.height)
        return rows["event_id"].is_in(there["event_id"].implode())

    def _in_file(self, ids: pl.Series) -> pl.Series:
        again = ~ids.is_first_distinct()
        hashed = pl.DataFrame([ids.hash(seed).alias(str(seed)) for seed in _SEEDS])
        names = hashed.columns
        for earlier in self._seen:
            met = earlier.join(hashed, on=names, how="semi")
            if met.height:
                marked = hashed.join(met.with_columns(met=True), on=names, how="left", maintain_order="left")
                again = again | marked["met"].fill_null(False)
        self._seen.append(hashed.filter(~again))
        return again
