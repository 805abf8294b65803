"""What the person keeps coming back to: every event on a product, the old ones for less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from reco_assets.candidates.kernels import taken
from reco_assets.candidates.retriever import (
    EVENT_WEIGHTS,
    Floats,
    History,
    Int8s,
    Int32s,
    Int64s,
    Scratch,
    SparseQuery,
    Stored,
)
from reco_assets.catalogue.items import ItemTable
from reco_assets.interactions.log import InteractionLog
from reco_assets.recommender.types import RECENT, Habits

#: Products that are remembered of a person, those with the most weight.
REMEMBERED: Final = 16
#: Of people with more events than this. The last ``RECENT`` tell nearly as much of everybody else, and a
#: value for each of those would take a third of the memory that the online store needs.
LONG: Final = 2 * RECENT
#: An event counts by its kind, halved in so many days.
HALF_LIFE_DAYS: Final = 30.0
DAY_US: Final = 86_400_000_000
#: The greatest weight that a float16 holds.
_MOST: Final = np.float32(np.finfo(np.float16).max)

Doubles = npt.NDArray[np.float64]


@njit(cache=True)
def _weigh(items: Int32s, kinds: Int8s, times: Int64s, at: int, weights: Floats) -> tuple[Int32s, Floats]:
    """Distinct ``items``, rising, and the weight of each at the moment ``at``."""
    order = np.argsort(items, kind="mergesort")
    rows = np.empty(len(items), np.int32)
    total = np.empty(len(items), np.float64)
    count = 0
    for place in order:
        if count == 0 or rows[count - 1] != items[place]:
            rows[count] = items[place]
            total[count] = 0.0
            count += 1
        age = (at - times[place]) / DAY_US
        total[count - 1] += weights[kinds[place]] * 0.5 ** (age / HALF_LIFE_DAYS)
    return rows[:count], total[:count].astype(np.float32)


@njit(cache=True)
def _score(
    rows: Int32s,
    remembered: Floats,
    faded: float,
    since: int,
    items: Int32s,
    kinds: Int8s,
    times: Int64s,
    now: int,
    weights: Floats,
    dense: Floats,
    touched: Int32s,
) -> tuple[Int32s, Floats]:
    """What is remembered, faded, and what has been done since or is not remembered: rows and scores."""
    count = 0
    for at in range(len(rows)):
        if remembered[at] * faded > 0.0:
            dense[rows[at]] = remembered[at] * faded
            touched[count] = rows[at]
            count += 1
    known = count
    for h in range(len(items)):
        row = items[h]
        if times[h] < since:
            told = False
            for at in range(known):
                told = told or touched[at] == row
            if told:
                continue
        added = np.float32(weights[kinds[h]] * 0.5 ** ((now - times[h]) / DAY_US / HALF_LIFE_DAYS))
        # what adds nothing must not be noted: a row is known as untouched by its 0
        if added > 0.0:
            if dense[row] == 0.0:
                touched[count] = row
                count += 1
            dense[row] += added
    return taken(dense, touched, count)


def midnight(at: int) -> int:
    """The last midnight UTC at or before ``at``, both UTC microseconds: what habits are made as of."""
    return at // DAY_US * DAY_US


def habits_of(log: InteractionLog, keys: npt.NDArray[np.uint64], user: int, at: int) -> Habits:
    """What the events of ``user`` (a row of the log) before ``at`` make a habit.

    Nothing where there are no more than ``LONG``: the last ``RECENT`` tell it as well. Of equal weights,
    which have the precision of a float16, the smaller product key comes first.

    Parameters
    ----------
    keys
        ``uint64[n_items]`` product keys.
    """
    low, high = log.user_bounds[user : user + 2].tolist()
    end = low + int(np.searchsorted(log.time[low:high], at))
    if end - low <= LONG:
        return Habits(at=at)
    rows, weights = _weigh(log.item[low:end], log.kind[low:end], log.time[low:end], at, EVENT_WEIGHTS)
    # as the online store keeps them: training has the same numbers
    weights = np.minimum(weights, _MOST).astype(np.float16).astype(np.float32)
    best = np.lexsort((keys[rows], -weights))[:REMEMBERED]
    return Habits(rows[best], weights[best], at)


@dataclass(frozen=True)
class HabitSource(Stored):
    """Every event of the person on a product: by its kind, halved in ``HALF_LIFE_DAYS``.

    The state brings what the nights before have remembered of a person with a long history; the last
    events add what has happened since.

    Cost: a pass over the log to learn; ``REMEMBERED`` x ``RECENT`` steps at the most to answer. Memory: 4
    bytes a product, and 8 bytes online for each of a person's ``REMEMBERED`` products.

    Attributes
    ----------
    returning
        ``int32[n_items]``: people who had to do with the product on two days or more. Nothing is ranked by
        it; it says which products habits are made of.
    """

    returning: Int32s
    name: ClassVar[str] = "habits"
    blend: ClassVar[float] = 1.0
    similar: ClassVar[float] = 0.0
    reason: ClassVar[str] = "you come back to it"

    @classmethod
    def fit(cls, log: InteractionLog, items: ItemTable, now: int) -> Self:
        """Count who comes back; what ranks is in the person's state."""
        day = pl.col("day")
        pairs = (
            pl.DataFrame({"item": log.item, "user": log.user, "day": log.time // DAY_US})
            .lazy()
            .group_by("item", "user")
            .agg((day.min() < day.max()).alias("again"))
            .filter("again")
            .collect()
        )
        returning = np.bincount(pairs["item"].to_numpy(), minlength=len(items))
        return cls(returning.astype(np.int32))

    def query(self, history: History, scratch: Scratch) -> SparseQuery:
        """Weights of what the person has had to do with, as of the moment of ``history``."""
        habits = history.habits
        faded = 0.5 ** ((history.now - habits.at) / DAY_US / HALF_LIFE_DAYS)
        found = _score(
            habits.items, habits.weights, faded, habits.at, history.items, history.kinds,
            history.times, history.now, EVENT_WEIGHTS, scratch.dense, scratch.touched,
        )  # fmt: skip
        return SparseQuery(*found, scratch)

    def table(self, items: ItemTable) -> pl.DataFrame:
        """Columns product_id, returning: people who had to do with it on two days or more."""
        return pl.DataFrame(
            {"product_id": pl.Series(items.ids.tolist(), dtype=pl.String), "returning": self.returning}
        )
