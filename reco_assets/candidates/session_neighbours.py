"""What others did next who did the same: neighbouring sessions, near the places where they agree.

Source: Ludewig and Jannach, "Evaluation of session-based recommendation algorithms", 2018 (V-SKNN).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Self

import numpy as np
import polars as pl
from numba import njit

from reco_assets.candidates.fit_kernels import group_rows
from reco_assets.candidates.retriever import (
    DenseQuery,
    Floats,
    History,
    Int32s,
    Int64s,
    Scratch,
    Stored,
    without_repeats,
)
from reco_assets.catalogue.items import ItemTable
from reco_assets.interactions.log import InteractionLog

DAY_US = 86_400_000_000
#: Events remembered at the most, the newest; memory is 16 bytes each.
REMEMBERED: Final = 20_000_000
#: Own products that are looked up, the last ones.
OWN: Final = 10
#: Newest occurrences of a product that are looked up.
LOOKED_UP: Final = 150
#: Events looked at on either side of an occurrence. Twice as many find the next item of a session in
#: 0.1 % more of the lists and take twice the time.
WINDOW: Final = 6
#: An own event counts exp(-rank / OWN_DECAY), rank 0 being the newest.
OWN_DECAY: Final = 3.0
#: A neighbour's event counts exp(-(distance - 1) / DISTANCE_DECAY) from where the two agree.
DISTANCE_DECAY: Final = 2.0
#: What came before the agreement, against what came after it.
BACKWARD: Final = 0.5
#: Power to which the popularity of own products is divided out.
OWN_POWER: Final = 0.2


@njit(cache=True)
def _agree(
    history: Int32s,
    weights: Floats,
    ptr: Int64s,
    postings: Int64s,
    items: Int32s,
    owner: Int32s,
    worth: Floats,
    decay: Floats,
    backward: float,
    dense: Floats,
    touched: Int32s,
) -> int:
    """Score what stands near the history's products in the sessions that hold them; rows written.

    A session counts once more for every further product of the history that it holds.
    """
    occurrences = 0
    for own in history:
        occurrences += ptr[own + 1] - ptr[own]
    place = np.empty(occurrences, np.int64)
    weight = np.empty(occurrences, np.float32)
    at = 0
    for h in range(len(history)):
        for p in range(ptr[history[h]], ptr[history[h] + 1]):
            place[at] = postings[p]
            weight[at] = weights[h]
            at += 1
    # occurrences in one session lie together
    order = np.argsort(place)
    count = 0
    begin = 0
    while begin < occurrences:
        session = owner[place[order[begin]]]
        end = begin
        shared = np.float32(0.0)
        while end < occurrences and owner[place[order[end]]] == session:
            shared += weight[order[end]]
            end += 1
        for o in range(begin, end):
            here = place[order[o]]
            strength = shared * weight[order[o]] * worth[here]
            for step in (1, -1):
                direction = np.float32(1.0) if step == 1 else np.float32(backward)
                for distance in range(1, len(decay)):
                    there = here + step * distance
                    if there < 0 or there >= len(items) or owner[there] != session:
                        break
                    row = items[there]
                    added = strength * direction * decay[distance]
                    # what adds nothing must not be noted: a row is known as untouched by its 0
                    if row == items[here] or not added > 0.0:
                        continue
                    if dense[row] == 0.0:
                        touched[count] = row
                        count += 1
                    dense[row] += added
        begin = end
    return count


@dataclass(frozen=True)
class SessionNeighbours(Stored):
    """Remembered sessions and where each product occurs in them.

    Cost: a sort of the remembered events to learn; to answer, 2 x ``WINDOW`` steps for each of at most
    ``LOOKED_UP`` places of each of the last ``OWN`` products. Memory: 12 bytes a remembered event, 8 for each
    place that is looked up, 12 a product.

    Attributes
    ----------
    items, owner
        ``int32[n]``: remembered events, session by session in their order, and whose they are.
    worth
        ``float32[n]``: halved in 60 days, and the less the longer the session.
    ptr, postings
        Newest occurrences of each product, as places in ``items``.
    popularity
        ``float32[n_items]``: times each product was remembered, at least 1.
    """

    items: Int32s
    owner: Int32s
    worth: Floats
    ptr: Int64s
    postings: Int64s
    popularity: Floats
    name: ClassVar[str] = "session_neighbours"
    blend: ClassVar[float] = 2.0
    similar: ClassVar[float] = 0.5
    reason: ClassVar[str] = "people whose visit went like this one went on to it"

    @classmethod
    def fit(cls, log: InteractionLog, items: ItemTable, now: int) -> Self:
        """Remember the newest events; nothing is trained."""
        if len(log) > REMEMBERED:
            log = log.where(log.time > np.partition(log.time, -REMEMBERED)[-REMEMBERED])
        kept = without_repeats(log)
        lengths = np.bincount(kept.user, minlength=1)
        fade = np.exp2(-(now - kept.time) / (60.0 * DAY_US)).astype(np.float32)
        worth = fade / np.log(2.0 + lengths[kept.user]).astype(np.float32)
        ptr, rows = group_rows(kept.item, np.argsort(kept.time, kind="stable"), len(items))
        counts = np.diff(ptr)
        # oldest first a product: the newest are the last
        newest = np.arange(len(rows)) >= np.repeat(ptr[1:] - LOOKED_UP, counts)
        short = np.zeros(len(items) + 1, np.int64)
        np.cumsum(np.minimum(counts, LOOKED_UP), out=short[1:])
        popularity = np.maximum(counts, 1).astype(np.float32)
        return cls(kept.item, kept.user, worth, short, rows[newest], popularity)

    def query(self, history: History, scratch: Scratch) -> DenseQuery:
        """Look up the sessions that hold the history's products, each product at its newest place."""
        dense, touched = scratch.take()
        distinct, last = np.unique(history.items[::-1], return_index=True)
        newest = np.argsort(last)[:OWN]
        distinct, last = distinct[newest], last[newest]
        weights = np.exp(last / -OWN_DECAY) * self.popularity[distinct] ** -OWN_POWER
        decay = np.exp((1.0 - np.arange(WINDOW + 1)) / DISTANCE_DECAY)
        count = _agree(
            distinct,
            weights.astype(np.float32),
            self.ptr,
            self.postings,
            self.items,
            self.owner,
            self.worth,
            decay.astype(np.float32),
            BACKWARD,
            dense,
            touched,
        )
        return DenseQuery(dense, touched, count)

    def table(self, items: ItemTable) -> pl.DataFrame:
        """Columns product_id, occurrences: how often each product is remembered and looked up."""
        return pl.DataFrame(
            {
                "product_id": pl.Series(items.ids.tolist(), dtype=pl.String),
                "occurrences": np.diff(self.ptr).astype(np.int32),
            }
        )
