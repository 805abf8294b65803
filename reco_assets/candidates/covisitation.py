"""Item to item by what people did next to it: also viewed, and bought together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Self

import numba
import numpy as np
import polars as pl

from reco_assets.candidates.fit_kernels import cooccurrence
from reco_assets.candidates.kernels import accumulate, links, strongest
from reco_assets.candidates.retriever import (
    Floats,
    History,
    Int32s,
    Int64s,
    Scratch,
    SparseQuery,
    Stored,
    by_item,
    of_kind,
)
from reco_assets.catalogue.items import ItemTable
from reco_assets.events.contract import EventType
from reco_assets.interactions.log import InteractionLog

DAY_US: Final = 86_400_000_000
#: Products of a history that are asked one by one for their neighbours, the last ones.
LINKING: Final = 10
#: Half-life of what people did, days.
HALF_LIFE_DAYS: Final = 60.0


@dataclass(frozen=True)
class Neighbours(Stored):
    """Weighted neighbour lists in compressed rows: the answer to "what goes with these?"."""

    indptr: Int64s
    indices: Int32s
    weights: Floats
    name: ClassVar[str] = "neighbours"
    blend: ClassVar[float] = 1.0
    similar: ClassVar[float] = 0.0
    reason: ClassVar[str] = "goes with {because}"

    @classmethod
    def of_lists(cls, counts: Int32s, found: Int32s, scores: Floats) -> Self:
        """Pack padded lists ``[n_items, k]`` of which row ``i`` holds ``counts[i]``."""
        indptr = np.zeros(len(counts) + 1, np.int64)
        np.cumsum(counts, out=indptr[1:])
        mask = np.arange(found.shape[1])[None, :] < counts[:, None]
        return cls(indptr, found[mask], scores[mask])

    def query(self, history: History, scratch: Scratch) -> SparseQuery:
        """Sum the neighbour weights of every item of the history."""
        items, weights = self.asked(history)
        found = accumulate(
            items, weights, self.indptr, self.indices, self.weights, scratch.dense, scratch.touched
        )
        return SparseQuery(*found, scratch)

    def asked(self, history: History) -> tuple[Int32s, Floats]:
        """Whose neighbours are summed, and what each counts."""
        return history.items, history.weights

    def links(self, history: History, items: Int32s, scratch: Scratch, out: Floats, column: int) -> None:
        """Write what single products of the history say of ``items`` into three columns of zeros of ``out``.

        Of the last ``LINKING`` distinct ones: what the newest says, the most that one of them says, and how
        many name it. ``column`` of ``out``, ``float32[n, columns]``, is the first of the three.
        """
        newest = history.newest[0][:LINKING]
        links(newest, items, self.indptr, self.indices, self.weights, scratch.dense, out, column)

    def because(self, item: int, history: History) -> int:
        """The item of the history that speaks most for ``item``; -1 if none does."""
        items, weights = self.asked(history)
        place = strongest(items, weights, self.indptr, self.indices, self.weights, item)
        return int(items[place]) if place >= 0 else -1

    def neighbours(self, item: int) -> tuple[Int32s, Floats]:
        """Neighbours of one item and their weights, best first."""
        rows = slice(int(self.indptr[item]), int(self.indptr[item + 1]))
        return self.indices[rows], self.weights[rows]

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


def neighbours_nearby(
    log: InteractionLog,
    now: int,
    *,
    window: int,
    decay: float,
    backward: float,
    k: int,
    max_gap_days: float = 1e5,
    worth: Floats | None = None,
    own_power: float = 0.4,
    power: float = 0.4,
) -> tuple[Int32s, Int32s, Floats]:
    """Padded lists of the ``k`` items that stand near each item in people's histories.

    Parameters
    ----------
    window, max_gap_days
        How many events, and how long, apart the two may be.
    decay
        Each step of distance counts exp(-1 / decay) of the one before.
    backward
        What came before, against what came after.
    worth
        ``float32[n]``: what each event of ``log`` counts as a neighbour; all 1 by default.
    own_power, power
        Powers to which the popularity of the item and of the neighbour are divided out.
    """
    ptr, postings = by_item(log)
    popularity = np.maximum(np.bincount(log.item, minlength=log.n_items), 1).astype(np.float32)
    return cooccurrence(
        ptr,
        postings,
        log.user,
        log.item,
        log.time,
        np.exp2(-(now - log.time) / (HALF_LIFE_DAYS * DAY_US)).astype(np.float32),
        np.ones(len(log), np.float32) if worth is None else worth,
        popularity ** np.float32(-own_power),
        popularity ** np.float32(-power),
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

    Cost: 16 steps an event to learn, of the newest 5,000 of a product; 60 additions for each event of the
    history to answer. Memory: 488 bytes a product.
    """

    name: ClassVar[str] = "also_viewed"
    blend: ClassVar[float] = 2.0
    similar: ClassVar[float] = 1.0
    reason: ClassVar[str] = "people who looked at {because} went on to it"

    @classmethod
    def fit(cls, log: InteractionLog, items: ItemTable, now: int) -> Self:
        """Over all events, 8 steps apart at the most, each step exp(-1/3) weaker."""
        return cls.of_lists(
            *neighbours_nearby(log.without_repeats, now, window=8, decay=3.0, backward=0.5, k=60)
        )


class NextViewed(Neighbours):
    """How often that is the next thing after this: one step of a Markov chain from the last items.

    Cost: 4 steps an event to learn, of the newest 5,000 of a product; 60 additions for each event of the
    history to answer. Memory: 488 bytes a product.
    """

    name: ClassVar[str] = "next_viewed"
    blend: ClassVar[float] = 1.0
    similar: ClassVar[float] = 0.5
    reason: ClassVar[str] = "what people open right after {because}"

    @classmethod
    def fit(cls, log: InteractionLog, items: ItemTable, now: int) -> Self:
        """Shares of all that followed within two steps; popular products stay in front."""
        pairs = log.without_repeats
        return cls.of_lists(
            *neighbours_nearby(pairs, now, window=2, decay=0.7, backward=0.0, k=60, own_power=1.0, power=0.0)
        )

    def asked(self, history: History) -> tuple[Int32s, Floats]:
        """The last item alone, nearly: each one before it counts a sixth."""
        ranks = np.arange(len(history.items) - 1, -1, -1, dtype=np.float32)
        weights: Floats = np.exp(ranks * np.float32(-1.8))
        return history.items, weights


class ViewedThenBought(Neighbours):
    """Who looked at this bought that in the end, within a day and 20 events.

    Cost: 40 steps an event to learn, of the newest 5,000 of a product; 30 additions for each event of the
    history to answer. Memory: 248 bytes a product.
    """

    name: ClassVar[str] = "viewed_then_bought"
    blend: ClassVar[float] = 1.0
    similar: ClassVar[float] = 0.5
    reason: ClassVar[str] = "bought by people who looked at {because}"

    @classmethod
    def fit(cls, log: InteractionLog, items: ItemTable, now: int) -> Self:
        """Over all events, of which only purchases are neighbours."""
        bought = (log.kind == EventType.purchase).astype(np.float32)
        return cls.of_lists(
            *neighbours_nearby(
                log, now, window=20, decay=20.0, backward=0.0, k=30, max_gap_days=1.0, worth=bought
            )
        )


class BoughtTogether(Neighbours):
    """What the same person bought within a day of it; no direction.

    Cost: 60 steps a purchase to learn, of the newest 5,000 of a product; 30 additions for each event of
    the history to answer. Memory: 248 bytes a product.
    """

    name: ClassVar[str] = "bought_together"
    blend: ClassVar[float] = 2.0
    similar: ClassVar[float] = 0.5
    reason: ClassVar[str] = "bought together with {because}"

    @classmethod
    def fit(cls, log: InteractionLog, items: ItemTable, now: int) -> Self:
        """Over purchases, 30 lines apart at the most."""
        bought = of_kind(log, EventType.purchase).without_repeats
        return cls.of_lists(
            *neighbours_nearby(bought, now, window=30, decay=1e9, backward=1.0, k=30, max_gap_days=1.0)
        )
