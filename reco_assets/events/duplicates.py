"""Which events of a delivery are there already: in the lake, or earlier in the same file."""

from __future__ import annotations

from typing import Final

import polars as pl
from deltalake import DeltaTable

#: Two hashes of one id: ids that differ agree in both once in 10^20 even among a billion.
_SEEDS: Final = (11, 23)


class InFile:
    """Marks ids that came before in the same file; it remembers 16 bytes of each."""

    def __init__(self) -> None:
        self._seen: list[pl.DataFrame] = []

    def of(self, ids: pl.Series) -> pl.Series:
        """``bool[n]`` over the next ``ids`` of the file."""
        hashed = pl.DataFrame([ids.hash(seed).alias(str(seed)) for seed in _SEEDS])
        suspect = hashed.columns[0]
        again = ~hashed[suspect].is_first_distinct()
        for earlier in self._seen:
            again = again | hashed[suspect].is_in(earlier[suspect].implode())
        if again.any():  # seldom: only then both hashes are compared
            again = ~ids.is_first_distinct()
            for earlier in self._seen:
                met = earlier.join(hashed, on=hashed.columns, how="semi").with_columns(met=True)
                marked = hashed.join(met, on=hashed.columns, how="left", maintain_order="left")
                again = again | marked["met"].fill_null(False)
        self._seen.append(hashed.filter(~again))
        return again


class InLake:
    """Marks events that ``raw/events`` has.

    Parameters
    ----------
    events
        The table as it is before the delivery.
    """

    def __init__(self, events: DeltaTable) -> None:
        self._stored = pl.scan_delta(events) if events.file_uris() else None

    def of(self, rows: pl.DataFrame) -> pl.Series:
        """``bool[n]`` over ``rows`` (``event_id``, ``event_date``).

        Reads the ids of the days of ``rows`` only; the order of the days' files makes that few.
        """
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
