"""What others did next who did the same: neighbouring sessions, near the places where they agree.

Source: Ludewig and Jannach, "Evaluation of session-based recommendation algorithms", 2018 (V-SKNN).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Self

import numpy as np
import polars as pl
from numba import njit

from reco_assets.candidates.kernels import taken
from reco_assets.candidates.retriever import (
    Floats,
    History,
    Int8s,
    Int32s,
    Int64s,
    Scratch,
    SparseQuery,
    Stored,
    by_item,
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
    places: Int64s,
    visitor: Int32s,
    worth: Floats,
    before: Int8s,
    after: Int8s,
    items: Int32s,
    decay: Floats,
    backward: float,
    dense: Floats,
    touched: Int32s,
) -> tuple[Int32s, Floats]:
    """What stands near the history's products in the sessions that hold them: rows and scores.

    A session counts once more for every further product of the history that it holds. ``dense`` must be zero
    on entry and is zero again on return; ``touched`` has room for every row and one more.
    """
    occurrences = 0
    for own in history:
        occurrences += ptr[own + 1] - ptr[own]
    # how much of the history each session holds, in a table that is at most half full
    size = 16
    while size < 2 * occurrences:
        size *= 2
    sessions = np.full(size, -1, np.int32)
    shared = np.zeros(size, np.float32)
    slots = np.empty(occurrences, np.int32)
    seen = 0
    for h in range(len(history)):
        for p in range(ptr[history[h]], ptr[history[h] + 1]):
            slot = _slot(sessions, visitor[p])
            sessions[slot] = visitor[p]
            shared[slot] += weights[h]
            slots[seen] = slot
            seen += 1
    seen = 0
    count = 0
    for h in range(len(history)):
        own = history[h]
        for p in range(ptr[own], ptr[own + 1]):
            strength = shared[slots[seen]] * weights[h] * worth[p]
            seen += 1
            for distance in range(1, after[p] + 1):
                row = items[places[p] + distance]
                count = _add(row, strength * decay[distance] if row != own else 0.0, dense, touched, count)
            weaker = strength * np.float32(backward)
            for distance in range(1, before[p] + 1):
                row = items[places[p] - distance]
                count = _add(row, weaker * decay[distance] if row != own else 0.0, dense, touched, count)
    return taken(dense, touched, count)


@njit(cache=True)
def _add(row: int, added: float, dense: Floats, touched: Int32s, count: int) -> int:
    """Add to a row; how many rows have been written now. Without a branch: which it would be is random."""
    before = dense[row]
    touched[count] = row
    dense[row] = before + np.float32(added)
    # what adds nothing must not be noted: a row is known as untouched by its 0
    return count + int((before == 0.0) & (added > 0.0))


@njit(cache=True)
def _slot(sessions: Int32s, session: int) -> int:
    """Where ``session`` is in the table, or may be put."""
    last = len(sessions) - 1
    slot = (session * 2_654_435_761 >> 7) & last
    while sessions[slot] >= 0 and sessions[slot] != session:
        slot = (slot + 1) & last
    return slot


@dataclass(frozen=True)
class SessionNeighbours(Stored):
    """Remembered sessions and where each product occurs in them.

    Cost: a sort of the remembered events to learn; to answer, 2 x ``WINDOW`` steps for each of at most
    ``LOOKED_UP`` places of each of the last ``OWN`` products. Memory: 4 bytes a remembered event, 18 for each
    place that is looked up, 12 a product.

    Attributes
    ----------
    items
        ``int32[n]``: remembered events, session by session in their order.
    ptr, places
        Newest occurrences of each product, as places in ``items``.
    visitor, worth
        ``int32[k]`` and ``float32[k]`` of each of ``places``: whose session it is, and what it counts: halved
        in 60 days, and the less the longer the session.
    before, after
        ``int8[k]``: events of the same session on either side of each of ``places``, at most ``WINDOW``.
    popularity
        ``float32[n_items]``: times each product was remembered, at least 1.
    """

    items: Int32s
    ptr: Int64s
    places: Int64s
    visitor: Int32s
    worth: Floats
    before: Int8s
    after: Int8s
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
        kept = log.without_repeats
        lengths = np.bincount(kept.user, minlength=1)
        ends = np.cumsum(lengths)
        ptr, rows = by_item(kept)
        counts = np.diff(ptr)
        # oldest first a product: the newest are the last
        places = rows[np.arange(len(rows)) >= np.repeat(ptr[1:] - LOOKED_UP, counts)]
        short = np.zeros(len(items) + 1, np.int64)
        np.cumsum(np.minimum(counts, LOOKED_UP), out=short[1:])
        visitor = kept.user[places]
        fade = np.exp2(-(now - kept.time[places]) / (60.0 * DAY_US)).astype(np.float32)
        return cls(
            items=kept.item,
            ptr=short,
            places=places,
            visitor=visitor,
            worth=fade / np.log(2.0 + lengths[visitor]).astype(np.float32),
            before=np.minimum(places - (ends - lengths)[visitor], WINDOW).astype(np.int8),
            after=np.minimum(ends[visitor] - 1 - places, WINDOW).astype(np.int8),
            popularity=np.maximum(counts, 1).astype(np.float32),
        )

    def query(self, history: History, scratch: Scratch) -> SparseQuery:
        """Look up the sessions that hold the history's products, each product at its newest place."""
        distinct, last = history.newest
        distinct, last = distinct[:OWN], last[:OWN]
        weights = np.exp(last / -OWN_DECAY) * self.popularity[distinct] ** -OWN_POWER
        decay = np.exp((1.0 - np.arange(WINDOW + 1)) / DISTANCE_DECAY)
        found = _agree(
            distinct,
            weights.astype(np.float32),
            self.ptr,
            self.places,
            self.visitor,
            self.worth,
            self.before,
            self.after,
            self.items,
            decay.astype(np.float32),
            BACKWARD,
            scratch.dense,
            scratch.touched,
        )
        return SparseQuery(*found, scratch)

    def table(self, items: ItemTable) -> pl.DataFrame:
        """Columns product_id, occurrences: how often each product is remembered and looked up."""
        return pl.DataFrame(
            {
                "product_id": pl.Series(items.ids.tolist(), dtype=pl.String),
                "occurrences": np.diff(self.ptr).astype(np.int32),
            }
        )
