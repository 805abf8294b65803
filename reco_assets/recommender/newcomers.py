"""Products that too little is known of, and how worth showing each may be: draws of its posterior.

Source: Thompson, "On the likelihood that one unknown probability exceeds another", 1933.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from reco_assets.candidates.retriever import Stored
from reco_assets.catalogue.items import ItemTable
from reco_assets.events.contract import EventType
from reco_assets.interactions.log import InteractionLog
from reco_assets.recommender.types import Int32s

Numbers = npt.NDArray[np.float64]

#: A product is new for so many days after it was first seen...
NEW_DAYS: Final = 30
#: ...while it was shown less often than this by the service, and opened less often than this.
FEW_IMPRESSIONS: Final = 200
FEW_CLICKS: Final = 50
#: What was there within the first day of the catalogue is not new: that is when the records begin.
BEGINNING_DAYS: Final = 1
#: The newest products at the most; with ``WORLDS`` this bounds the table to 1 MB.
MOST: Final = 1000
#: Joint draws of all rates. A decision takes one of them, each with the same probability, so the
#: probability of showing a product is the exact share of the draws in which it wins.
WORLDS: Final = 256
#: A category's rate leans on the shop's as on so many trials, a product's on its category's.
CATEGORY_TRIALS: Final = 100.0
PRODUCT_TRIALS: Final = 20.0
_DAY_US: Final = 86_400_000_000


@dataclass(frozen=True)
class Evidence:
    """What is known of every product: of so many trials so many were successes.

    Attributes
    ----------
    trials, successes
        ``float64[n_items]``: times shown and times clicked of it where the service has shown anything,
        else times opened and times that this led to a cart or a purchase.
    shown, opened
        ``float64[n_items]``: impressions and clicks, whichever of them the trials are.
    """

    trials: Numbers
    successes: Numbers
    shown: Numbers
    opened: Numbers

    @classmethod
    def of(cls, shown: Numbers, clicked: Numbers, log: InteractionLog) -> Self:
        """From impressions and the clicks on them, and all events of the shop."""
        opened, taken = (
            np.bincount(log.item[np.isin(log.kind, kinds)], minlength=log.n_items).astype(np.float64)
            for kinds in ([EventType.click], [EventType.add_to_cart, EventType.purchase])
        )
        if shown.any():
            return cls(shown, clicked, shown, opened)
        return cls(opened, np.minimum(taken, opened), shown, opened)


@dataclass(frozen=True)
class Newcomers(Stored):
    """New products, and their order in each of the draws.

    Attributes
    ----------
    rows
        ``int32[k]`` item rows, rising.
    order
        ``int32[WORLDS, k]``: places in ``rows`` by the drawn rate, the best first.
    """

    rows: Int32s
    order: Int32s

    def __len__(self) -> int:
        """How many are new."""
        return len(self.rows)

    @classmethod
    def none(cls) -> Self:
        """Nothing is new."""
        return cls(np.empty(0, np.int32), np.empty((WORLDS, 0), np.int32))

    @classmethod
    def fit(cls, evidence: Evidence, items: ItemTable, now: int) -> Self:
        """Those of ``items`` that are new at ``now`` (UTC microseconds); deterministic.

        The rate of each has a Beta posterior: the prior is its category's rate, as if seen in
        ``PRODUCT_TRIALS`` trials, which in turn leans on the shop's rate.
        """
        rows = new_rows(evidence, items, now)
        if not len(rows):
            return cls.none()
        mean = _category_rates(evidence, items)[items.category[rows]]
        won = np.minimum(evidence.successes[rows], evidence.trials[rows])
        lost = evidence.trials[rows] - won
        rng = np.random.default_rng(now)
        drawn = rng.beta(
            PRODUCT_TRIALS * mean + won, PRODUCT_TRIALS * (1.0 - mean) + lost, (WORLDS, len(rows))
        )
        return cls(rows, np.argsort(-drawn, axis=1, kind="stable").astype(np.int32))


def new_rows(evidence: Evidence, items: ItemTable, now: int) -> Int32s:
    """Rows of the products that are new at ``now``, rising: late, young and little known."""
    if not len(items):
        return np.empty(0, np.int32)
    first = items.first_seen
    new = (first > first.min() + BEGINNING_DAYS * _DAY_US) & (first > now - NEW_DAYS * _DAY_US)
    new &= (evidence.shown < FEW_IMPRESSIONS) & (evidence.opened < FEW_CLICKS)
    rows = np.flatnonzero(new)
    latest = rows[np.argsort(-first[rows], kind="stable")][:MOST]
    return np.sort(latest).astype(np.int32)


def _category_rates(evidence: Evidence, items: ItemTable) -> Numbers:
    """Rate of each category by its code, and at the end, which is place -1, that of no category."""
    # half a success in ten trials: a shop without any evidence has some rate
    shop = (evidence.successes.sum() + 0.5) / (evidence.trials.sum() + 10.0)
    codes = np.where(items.category >= 0, items.category, len(items.category_names))
    size = len(items.category_names) + 1
    trials = np.bincount(codes, evidence.trials, size)
    won = np.bincount(codes, np.minimum(evidence.successes, evidence.trials), size)
    rates: Numbers = (won + CATEGORY_TRIALS * shop) / (trials + CATEGORY_TRIALS)
    return rates
