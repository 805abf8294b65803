"""What the person has already seen, carted or bought: people come back, to some things in their time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from reco_assets.candidates.kernels import taken
from reco_assets.candidates.renewal import (
    DAY_US,
    EDGES,
    INTEREST_DAYS,
    expected_between,
    expected_since,
    rates_of,
    renewals,
)
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
from reco_assets.events.contract import EventType
from reco_assets.interactions.log import InteractionLog

#: The coming days that are asked about.
HORIZON_DAYS: Final = 7.0

_PURCHASE: Final = int(EventType.purchase)
Doubles = npt.NDArray[np.float64]


@njit(cache=True)
def _bought_later(items: Int32s, kinds: Int8s, row: int, after: int) -> bool:
    """Whether the history has a purchase of ``row`` after place ``after``."""
    found = False
    for h in range(after + 1, len(items)):
        found = found or (items[h] == row and kinds[h] == _PURCHASE)
    return found


@njit(cache=True)
def _expected(
    items: Int32s,
    kinds: Int8s,
    times: Int64s,
    bought: Int32s,
    now: int,
    place: Int32s,
    rates: Floats,
    spent: Floats,
    edges: Doubles,
    waits: bool,
    rows: Int32s,
    found: Floats,
) -> int:
    """Purchases to be expected of each product bought before, distinct as far as ``bought`` is; how many.

    With ``waits``, a product that was bought ``a`` days ago is asked about for ``a`` days at the most.
    """
    count = 0
    for h in range(len(items)):
        if kinds[h] == _PURCHASE and not _bought_later(items, kinds, items[h], h):
            age = max(now - times[h], 0) / DAY_US
            horizon = min(HORIZON_DAYS, age) if waits else HORIZON_DAYS
            rows[count] = items[h]
            found[count] = expected_between(rates[place[items[h]]], edges, age, horizon)
            count += 1
    # what is known as bought and is not among the last events was bought before the oldest of them
    age = max(now - times[0], 0) / DAY_US if len(times) > 0 else 0.0
    for row in bought:
        if not _bought_later(items, kinds, row, -1):
            rows[count] = row
            found[count] = expected_since(rates[place[row]], edges, spent, age, HORIZON_DAYS)
            count += 1
    return count


@njit(cache=True)
def _score(
    items: Int32s,
    kinds: Int8s,
    times: Int64s,
    now: int,
    weights: Floats,
    interest: float,
    half_life: float,
    rows: Int32s,
    found: Floats,
    dense: Floats,
    touched: Int32s,
) -> tuple[Int32s, Floats]:
    """What is expected of bought products, and what interest since then says: rows and scores."""
    count = 0
    for at in range(len(rows)):
        if found[at] > 0.0:
            if dense[rows[at]] == 0.0:
                touched[count] = rows[at]
                count += 1
            dense[rows[at]] = found[at]
    for h in range(len(items)):
        row = items[h]
        if kinds[h] == _PURCHASE or _bought_later(items, kinds, row, h):
            continue
        age = (now - times[h]) / DAY_US
        added = np.float32(HORIZON_DAYS * interest * weights[kinds[h]] * 0.5 ** (age / half_life))
        # what adds nothing must not be noted: a row is known as untouched by its 0
        if added > 0.0:
            if dense[row] == 0.0:
                touched[count] = row
                count += 1
            dense[row] += added
    return taken(dense, touched, count)


@dataclass(frozen=True)
class Repeat(Stored):
    """How often the person will buy each of their own products in the coming week, as far as is known.

    A product that was bought counts by the rate at which its buyers buy it again at that age: nothing
    the day after, the most when it is due, nothing ever if nobody buys it twice (:mod:`.renewal`). Of
    a product in ``History.bought`` that the last events do not hold, only that is known which follows:
    it was bought before the oldest of them. Its rate is then the mean over all later ages. A product
    that was looked at, put into the cart or liked, and not bought since, counts by event weight, halved
    every 30 days, at the rate at which the shop's people buy what they showed interest in.

    Cost: a sort of the log to learn; (events + bought) x bins to answer, some microseconds. Memory: 4
    bytes a product, and 56 more for one that was ever bought.

    Attributes
    ----------
    place
        ``int32[n_items]``: each product's row in ``rates``.
    rates
        ``float32[k, BINS]``: purchases a day by days since the last one.
    spent
        ``float32[BINS]``: share of all the days since purchases that fell in each bin.
    interest
        ``float32[1]``: purchases a day to be expected of an interest of 1.
    """

    place: Int32s
    rates: Floats
    spent: Floats
    interest: Floats
    name: ClassVar[str] = "repeat"
    blend: ClassVar[float] = 2.0
    similar: ClassVar[float] = 0.0
    reason: ClassVar[str] = "looked at or bought before"

    @classmethod
    def fit(cls, log: InteractionLog, items: ItemTable, now: int) -> Self:
        """Learn when people buy again; deterministic for a log."""
        again, days, interest = renewals(log, now)
        rates, place = rates_of(again, days, np.asarray(items.category), len(items.category_names))
        spent = days.sum(axis=0) / max(days.sum(), 1e-9)
        return cls(place, rates, spent.astype(np.float32), np.array([interest], np.float32))

    def query(self, history: History, scratch: Scratch) -> SparseQuery:
        """Purchases to be expected in the coming week of what the person has had to do with."""
        rows, expected = self._expected(history, waits=False)
        found = _score(
            history.items, history.kinds, history.times, history.now, EVENT_WEIGHTS,
            float(self.interest[0]), INTEREST_DAYS, rows, expected, scratch.dense, scratch.touched,
        )  # fmt: skip
        return SparseQuery(*found, scratch)

    def again(self, history: History) -> tuple[Int32s, Floats]:
        """Products bought before, ``int32[n]``, and the probability that each is bought again soon.

        Soon is the coming week; where a product was bought less than a week ago, as many days as have
        passed since, so that what people buy every week is not due the minute after.
        """
        rows, found = self._expected(history, waits=True)
        return rows, -np.expm1(-found)

    def _expected(self, history: History, waits: bool) -> tuple[Int32s, Floats]:
        rows = np.empty(len(history.items) + len(history.bought), np.int32)
        found = np.empty(len(rows), np.float32)
        count = _expected(
            history.items, history.kinds, history.times, history.bought, history.now,
            self.place, self.rates, self.spent, EDGES, waits, rows, found,
        )  # fmt: skip
        return rows[:count], found[:count]

    def table(self, items: ItemTable) -> pl.DataFrame:
        """Columns product_id, days since a purchase (start of the bin), rate a day where it is not 0."""
        own, bins = np.nonzero(self.rates[self.place])
        ids = pl.Series(items.ids.tolist(), dtype=pl.String)
        return pl.DataFrame(
            {
                "product_id": ids.gather(own),
                "days": EDGES[bins].astype(np.int32),
                "rate": self.rates[self.place[own], bins],
            }
        )
