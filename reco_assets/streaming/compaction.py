"""Small files made into few: in a thread beside the micro-batches, which never wait for it.

A compaction says in its commit that it changes no data, so nothing that follows the table reads the
rows again; one that meets a writer on the same files gives up and leaves them to the next.
"""

from __future__ import annotations

import logging
import threading
from datetime import date
from typing import Final

import polars as pl
from deltalake.exceptions import DeltaError

from reco_assets.events.contract import EVENTS, QUARANTINE
from reco_assets.events.decision_rows import DECISIONS
from reco_assets.features.meaning import FOLLOWING
from reco_assets.platform.lake import PARTITIONS, Lake

#: Tables that micro-batches append to.
APPENDED: Final = (EVENTS, QUARANTINE, DECISIONS, *FOLLOWING)
#: Files of one day that are worth it.
SMALL_FILES: Final = 16
_TARGET_BYTES: Final = 128 * 1024 * 1024

log = logging.getLogger("reco.compaction")


class Compaction:
    """Compacts the tables of ``lake`` in the background, one round at a time."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Start a round, unless one is under way."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(
                target=compact, args=(self._lake,), name="compaction", daemon=True
            )
            self._thread.start()

    def end(self) -> None:
        """Wait for the round that is under way."""
        if self._thread is not None:
            self._thread.join()


def compact(lake: Lake, least: int = SMALL_FILES) -> dict[str, int]:
    """Compact the days that have at least ``least`` files; how many days of each table were."""
    done: dict[str, int] = {}
    for name in APPENDED:
        if not lake.exists(name):
            continue
        for day in crowded(lake, name, least):
            partition = [(PARTITIONS[name], "=", day.isoformat())]
            try:
                lake.open(name).optimize.compact(partition_filters=partition, target_size=_TARGET_BYTES)
            except DeltaError as error:
                log.info("compacting %s of %s is left for later: %s", name, day, error)
            else:
                done[name] = done.get(name, 0) + 1
    return done


def crowded(lake: Lake, name: str, least: int) -> list[date]:
    """Days of ``name`` with at least ``least`` files, oldest first."""
    files = pl.DataFrame(lake.open(name).get_add_actions(flatten=True))
    column = f"partition.{PARTITIONS[name]}"
    if column not in files.columns:
        return []
    counted = files.group_by(pl.col(column).cast(pl.Date).alias("day")).len()
    return counted.filter(pl.col("len") >= least).sort("day")["day"].to_list()
