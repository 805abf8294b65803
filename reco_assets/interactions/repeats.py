"""Which of a batch of raw events are new, which repeat an event, and which contradict one."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final, Protocol

import polars as pl

from reco_assets.events.contract import EVENT_SCHEMA
from reco_assets.interactions.silver import MARGIN_DAYS
from reco_assets.platform.lake import Lake

_CONTENT: Final = list(EVENT_SCHEMA)
_MARGIN: Final = timedelta(days=MARGIN_DAYS)


class Known(Protocol):
    """Looks up events that were there before a batch."""

    def like(self, batch: pl.DataFrame, version: int) -> pl.DataFrame:
        """Which events of ``batch`` have namesakes in ``raw/events`` at ``version``, themselves left out.

        Returns
        -------
        event_id, and ``same``: whether every event of that id within ``MARGIN_DAYS`` of it has its
        content too. An id that is not there is new. A wrong False costs time, a wrong True is not
        allowed.
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


def near(days: list[date]) -> list[date]:
    """``days`` and those within ``MARGIN_DAYS`` of them."""
    return sorted({day + number * timedelta(days=1) for day in days for number in (-1, 0, 1)})


def compare(batch: pl.DataFrame, namesakes: pl.DataFrame) -> pl.DataFrame:
    """``event_id, same`` of the ids of ``batch`` that ``namesakes`` (rows of ``EVENT_SCHEMA``) has."""
    contents = pl.concat([batch.select(_CONTENT), namesakes.select(_CONTENT)]).unique()
    counted = contents.group_by("event_id").agg(same=pl.len() == 1)
    return counted.join(namesakes.select("event_id").unique(), on="event_id", how="semi")
