"""A task: what may be learned, and the questions with their answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from reco_assets.catalogue.items import ItemTable, item_table
from reco_assets.events.contract import EventType
from reco_assets.interactions.history import ShopHistory
from reco_assets.interactions.log import interaction_log
from reco_assets.ranking.decisions import Objective
from reco_assets.ranking.split import Split
from reco_assets.recommender.state import empty_state
from reco_assets.recommender.types import UserState

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]

#: Midnight at which every question is asked, UTC microseconds (1 January 2020); the data have no times.
ASKED: Final = 1_577_836_800_000_000
DAY: Final = 86_400_000_000
MINUTE: Final = 60_000_000


@dataclass(frozen=True)
class Ragged:
    """Lists of item rows, one after the other: list ``i`` is ``rows[ends[i - 1]:ends[i]]``."""

    rows: Int32s
    ends: Int64s

    @classmethod
    def of(cls, lists: pl.Series, items: ItemTable) -> Self:
        """Lists of product ids as rows of ``items``; what the table lacks is -1."""
        ids = items.ids.tolist()
        rows = pl.int_range(len(ids), dtype=pl.Int32, eager=True)
        flat = lists.explode(empty_as_null=False).replace_strict(
            pl.Series(ids, dtype=pl.String), rows, default=-1, return_dtype=pl.Int32
        )
        return cls(flat.to_numpy(), np.cumsum(lists.list.len().to_numpy(), dtype=np.int64))

    def __len__(self) -> int:
        """Number of lists."""
        return len(self.ends)

    def __getitem__(self, at: int) -> Int32s:
        """List ``at``."""
        return self.rows[int(self.ends[at - 1]) if at else 0 : int(self.ends[at])]


@dataclass(frozen=True)
class Cases:
    """The questions of a test.

    Attributes
    ----------
    past
        What each person had done, oldest first; products that the training data lack are left out.
    wanted
        What the answer should hold; -1 for products that the training data lack, never found.
    group
        ``int64[n]``: questions with the same number are one person's or session's, and are drawn together.
    """

    past: Ragged
    wanted: Ragged
    group: Int64s

    def __len__(self) -> int:
        """Number of questions."""
        return len(self.wanted)

    def questions(self, asked: Sequence[int]) -> Iterator[tuple[Int32s, Int32s]]:
        """The past and the wanted rows of some questions."""
        for at in asked:
            past = self.past[at]
            yield past[past >= 0], self.wanted[at]


@dataclass(frozen=True)
class Task:
    """One test.

    Attributes
    ----------
    history
        All that may be learned from, with synthetic times.
    split
        Where the ranker's own examples and validation are cut from ``history``.
    learned_before
        Sources that answer the test learn what is before this, UTC microseconds.
    cases
        The test.
    kind
        What every event is: ``click``, or ``purchase`` where what a person has is not shown again.
    gap, step
        Microseconds from the last event of a person's past to the question, and between two of them.
    metrics
        The papers' name of each metric to ours.
    recent
        How many events of the past a source alone is given.
    objective
        What the task's definition asks of an answer.
    """

    name: str
    history: ShopHistory
    split: Split
    learned_before: int
    cases: Cases
    kind: EventType
    gap: int
    step: int
    metrics: Mapping[str, str]
    recent: int
    objective: Objective

    def state(self, past: Int32s) -> UserState:
        """What the online store would hold of a person with this past; no windowed features."""
        seen = self.kind == EventType.purchase
        return replace(
            empty_state(),
            items=past,
            kinds=np.full(len(past), self.kind, np.int8),
            times=ASKED - self.gap - self.step * np.arange(len(past) - 1, -1, -1, dtype=np.int64),
            bought=past if seen else past[:0],
        )


def catalogue(ids: pl.Series) -> ItemTable:
    """The item table of products of which only the id is known."""
    known = pl.DataFrame({"product_id": ids.unique()})
    blank = {"title": pl.String, "category": pl.String, "brand": pl.String}
    return item_table(
        known.with_columns(
            *(pl.lit(None, dtype).alias(name) for name, dtype in blank.items()),
            pl.lit(None, pl.Float64).alias("price"),
            pl.lit(None, pl.Int64).alias("inventory"),
            pl.from_epoch(pl.lit(ASKED - 1000 * DAY), "us").dt.replace_time_zone("UTC").alias("valid_from"),
        )
    )


def shop_history(events: pl.DataFrame, kind: EventType) -> ShopHistory:
    """A history of ``events`` (user_id, product_id, time in microseconds), all of one type."""
    items = catalogue(events["product_id"])
    rows = events.select(
        "user_id",
        "product_id",
        pl.lit(kind.name).alias("event_type"),
        pl.from_epoch("time", "us").dt.replace_time_zone("UTC").alias("timestamp"),
    )
    return ShopHistory(items, interaction_log(rows.lazy(), items))
