"""Which of a batch of raw events are new, which repeat an event, and which contradict one."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Final, Protocol, cast

import polars as pl

from reco_assets.events.contract import EVENT_SCHEMA
from reco_assets.platform.lake import Lake
from reco_assets.platform.run_layout import Layout
from reco_assets.platform.runs import Runs

_CONTENT: Final = list(EVENT_SCHEMA)
#: So long a chain of events of one id, each within ``MARGIN_DAYS`` of the next, is followed.
_CHAIN: Final = timedelta(days=31)
_SEED: Final = 7


class Known(Protocol):
    """Looks up events that were there before a batch."""

    def like(self, batch: pl.DataFrame, version: int) -> pl.DataFrame:
        """Which events of ``batch`` have namesakes in ``raw/events`` at ``version``, themselves left out.

        Returns
        -------
        event_id, and ``same``: whether every event of that id that is looked at, at the least within
        ``MARGIN_DAYS`` of it, has its content too. An id that is not there is new. A wrong False
        costs time, a wrong True is not allowed.
        """


def sift(batch: pl.DataFrame, known: Known, version: int) -> tuple[pl.DataFrame, set[date]]:
    """The events of ``batch`` that are new, each once; and the days of those that contradict others.

    Parameters
    ----------
    batch
        ``RAW_COLUMNS`` and the source position of rows of ``raw/events``.
    version
        Version of ``raw/events`` that holds the batch.
    """
    distinct = batch.unique(subset=_CONTENT, keep="first", maintain_order=True)
    contradicting = distinct.filter(pl.col("event_id").is_duplicated())
    found = known.like(batch, version)
    differing = distinct.join(found.filter(~pl.col("same")), on="event_id", how="semi")
    unclear = {*contradicting["event_date"].unique().to_list(), *differing["event_date"].unique().to_list()}
    fresh = distinct.join(found, on="event_id", how="anti").filter(~pl.col("event_id").is_duplicated())
    return fresh, unclear


class LakeKnown(Known):
    """Reads ``raw/events`` itself: always right, at a cost that follows the days of the batch."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def like(self, batch: pl.DataFrame, version: int) -> pl.DataFrame:
        """Look the ids of the batch up in the days round it."""
        days = near(batch["event_date"].unique().to_list())
        position = ["delivery", "delivery_position"]
        if not batch.height:
            return pl.DataFrame(schema={"event_id": pl.String, "same": pl.Boolean})
        namesakes = (
            self._lake.scan("raw/events", version)
            .filter(pl.col("event_date").is_between(min(days), max(days)))
            .filter(pl.col("event_date").is_in(days))
            .select(*position, *_CONTENT)
            .join(batch.lazy().select("event_id").unique(), on="event_id", how="semi")
            .join(batch.lazy().select(position), on=position, how="anti")
            .collect()
        )
        return compare(batch, namesakes)


class IndexedKnown(Known):
    """Asks an index in ``folder`` that follows ``silver/interactions``: the cost follows the batch.

    That table has one event of each id. A namesake further away than ``MARGIN_DAYS`` is not the same
    event, but an event in between may have been left out because of it: it is reported as different,
    and the days are made anew.
    """

    def __init__(self, lake: Lake, folder: Path) -> None:
        self._runs = Runs(lake, _LAYOUT, folder / "event-ids")
        self._lake = lake
        self.rows_read = 0

    def follow(self) -> int:
        """Bring the index up to the table; how many rows were read."""
        return self._runs.follow()

    def like(self, batch: pl.DataFrame, version: int) -> pl.DataFrame:
        """Look the ids of the batch up."""
        if not batch.height or not self._lake.exists(_LAYOUT.table):
            return pl.DataFrame(schema={"event_id": pl.String, "same": pl.Boolean})
        self.follow()
        days = batch["event_date"]
        first, last = cast("date", days.min()) - _CHAIN, cast("date", days.max()) + _CHAIN
        found = self._runs.find(batch["event_id"].unique(), first, last)
        self.rows_read += found.height
        asked = batch.select("event_id", content=_content())
        told = found.join(asked, on="event_id", how="inner", suffix="_asked")
        return told.group_by("event_id").agg(same=(pl.col("content") == pl.col("content_asked")).all())


def _content() -> pl.Expr:
    """A hash of all that an event says; the sign bit is left out, so that it is a number like others."""
    return (pl.struct(_CONTENT).hash(_SEED) // 2).cast(pl.Int64)


def _indexed(interactions: pl.LazyFrame) -> pl.LazyFrame:
    return interactions.select("event_id", "event_date", content=_content())


_LAYOUT: Final = Layout(
    "silver/interactions",
    "event_id",
    ("content",),
    reads=("event_date", *EVENT_SCHEMA),
    prepare=_indexed,
    period=_CHAIN.days + 1,
)


def near(days: list[date]) -> list[date]:
    """``days`` and those within ``MARGIN_DAYS`` of them."""
    return sorted({day + number * timedelta(days=1) for day in days for number in (-1, 0, 1)})


def compare(batch: pl.DataFrame, namesakes: pl.DataFrame) -> pl.DataFrame:
    """``event_id, same`` of the ids of ``batch`` that ``namesakes`` (rows of ``EVENT_SCHEMA``) has."""
    contents = pl.concat([batch.select(_CONTENT), namesakes.select(_CONTENT)]).unique()
    counted = contents.group_by("event_id").agg(same=pl.len() == 1)
    return counted.join(namesakes.select("event_id").unique(), on="event_id", how="semi")
