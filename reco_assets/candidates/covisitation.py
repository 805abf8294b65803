"""Item to item by what people did next to it: also viewed, and bought together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self, cast

import numba
import numpy as np
import polars as pl

from reco_assets.candidates.kernels import accumulate, cooccurrence
from reco_assets.candidates.retriever import (
    Arrays,
    DenseQuery,
    Floats,
    History,
    Int32s,
    Int64s,
    Scratch,
    by_item,
    of_kind,
    without_repeats,
)
from reco_assets.catalogue.items import ItemTable
from reco_assets.events.contract import EventType
from reco_assets.interactions.log import InteractionLog

DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Neighbours:
    """Weighted neighbour lists in compressed rows: the answer to "what goes with these?"."""

    indptr: Int64s
    indices: Int32s
    weights: Floats
    name: ClassVar[str] = "neighbours"

    @classmethod
    def of_lists(cls, counts: Int32s, found: Int32s, scores: Floats) -> Self:
        """Pack padded lists ``[n_items, k]`` of which row ``i`` holds ``counts[i]``."""
        indptr = np.zeros(len(counts) + 1, np.int64)
        np.cumsum(counts, out=indptr[1:])
        mask = np.arange(found.shape[1])[None, :] < counts[:, None]
        return cls(indptr, found[mask], scores[mask])

    def query(self, history: History, scratch: Scratch) -> DenseQuery:
        """Sum the neighbour weights of every item of the history."""
        dense, touched = scratch.take()
        count = accumulate(
            history.items, history.weights, self.indptr, self.indices, self.weights, dense, touched
        )
        return DenseQuery(dense, touched, count)

    def neighbours(self, item: int) -> tuple[Int32s, Floats]:
        """Neighbours of one item and their weights, best first."""
        rows = slice(int(self.indptr[item]), int(self.indptr[item + 1]))
        return self.indices[rows], self.weights[rows]

    def arrays(self) -> Arrays:
        """The compressed rows."""
        return {"indptr": self.indptr, "indices": self.indices, "weights": self.weights}

    @classmethod
    def of_arrays(cls, arrays: Arrays) -> Self:
        """From the compressed rows."""
        return cls(
            cast("Int64s", arrays["indptr"]),
            cast("Int32s", arrays["indices"]),
            cast("Floats", arrays["weights"]),
        )

    def table(self, items: ItemTable) -> pl.DataFrame:
        """Columns product_id, neighbour_id, rank, score."""
        counts = np.diff(self.indptr)
        ids = pl.Series(items.ids.tolist(), dtype=pl.String)
        owner = np.repeat(np.arange(len(counts)), counts)
        rank = np.arange(len(self.indices)) - np.repeat(self.indptr[:-1], counts)
        return pl.DataFrame(
            {
                "product_id": ids.gather(owner),
                "neighbour_id": ids.gather(self.indices),
                "rank": rank.astype(np.int32),
                "score": self.weights,
            }
        )


def _fit(
    log: InteractionLog, now: int, *, window: int, max_gap_days: float, decay: float, backward: float, k: int
) -> tuple[Int32s, Int32s, Floats]:
    pairs = without_repeats(log)
    ptr, postings = by_item(pairs)
    popularity = np.maximum(np.bincount(pairs.item, minlength=log.n_items), 1).astype(np.float32)
    return cooccurrence(
        ptr,
        postings,
        pairs.user,
        pairs.item,
        pairs.time,
        np.exp2(-(now - pairs.time) / (60.0 * DAY_US)).astype(np.float32),
        popularity ** np.float32(-0.4),
        window,
        int(min(max_gap_days * DAY_US, 2**62)),
        decay,
        backward,
        5000,
        k,
        numba.get_num_threads(),
    )


class AlsoViewed(Neighbours):
    """People who opened this went on to open that; what followed counts more than what came before.

    Counts fade by half in 60 days; the popularity of both items is divided out to the power 0.4.
    """

    name: ClassVar[str] = "also_viewed"

    @classmethod
    def fit(cls, log: InteractionLog, items: ItemTable, now: int) -> Self:
        """Over all events, 8 steps apart at the most, each step exp(-1/3) weaker."""
        return cls.of_lists(*_fit(log, now, window=8, max_gap_days=1e5, decay=3.0, backward=0.5, k=60))


class BoughtTogether(Neighbours):
    """What the same person bought within a day of it; no direction."""

    name: ClassVar[str] = "bought_together"

    @classmethod
    def fit(cls, log: InteractionLog, items: ItemTable, now: int) -> Self:
        """Over purchases, 30 lines apart at the most."""
        bought = of_kind(log, EventType.purchase)
        return cls.of_lists(*_fit(bought, now, window=30, max_gap_days=1.0, decay=1e9, backward=1.0, k=30))
