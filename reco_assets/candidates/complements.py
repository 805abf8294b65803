"""What goes with it and is no substitute: popular products of the categories that people turn to next."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Final, Self

import numba
import numpy as np
import numpy.typing as npt
import polars as pl

from reco_assets.candidates.fit_kernels import cooccurrence
from reco_assets.candidates.popular import GroupPopular
from reco_assets.candidates.retriever import Floats, Int32s, by_item, of_kind
from reco_assets.catalogue.items import ItemTable
from reco_assets.events.contract import EventType
from reco_assets.interactions.log import InteractionLog

DAY_US: Final = 86_400_000_000
Doubles = npt.NDArray[np.float64]
#: Half-life of what people did, days.
HALF_LIFE_DAYS: Final = 60.0
#: Newest visits to a category that are looked at; with the window it bounds the cost.
LOOKED_AT: Final = 5_000
#: Visits, and time, within which another category follows.
AHEAD: Final = 3
WITHIN_US: Final = 30 * DAY_US
#: Next categories of a category, and products of each of them.
NEXT: Final = 5
OF_EACH: Final = 20
#: Times as many people as chance would send.
LIFT: Final = 1.5
#: Visits that a category has before its own, none of them to anywhere in particular.
PRIOR: Final = 10.0


class Complements(GroupPopular):
    """Popular products of the categories that follow those of the person's recent products.

    A category follows another by how many went on to it within the next three visits to others, and
    counts only where that is more than chance (``LIFT``, both categories with ``PRIOR`` visits more
    than they had); of what follows, the ``NEXT`` best by share x root of the lift. Purchases are
    counted where there is at least one step for each category, all events otherwise. Silent without
    categories.

    Cost: at most ``LOOKED_AT`` x 3 a category to learn; for each category of the history ``NEXT`` x
    ``OF_EACH`` products to answer. Memory: 800 bytes a category and 4 a product.
    """

    name: ClassVar[str] = "complements"
    blend: ClassVar[float] = 0.5
    similar: ClassVar[float] = 0.1
    reason: ClassVar[str] = "people go on to {category}"

    @classmethod
    def fit(cls, log: InteractionLog, items: ItemTable, now: int) -> Self:
        """Steps from category to category, then the popular products of where they lead."""
        category, n = np.asarray(items.category), len(items.category_names)
        popular = GroupPopular.of_groups(log, category, n, now)
        follows, strength = _next_categories(_steps(log, category, n), now)
        owner = np.repeat(np.arange(n), NEXT)
        first, last = popular.indptr[follows.ravel()], popular.indptr[follows.ravel() + 1]
        counts = np.where(strength.ravel() > 0, np.minimum(last - first, OF_EACH), 0)
        # the places of each next category's first products, one list after the other
        at = (
            np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
        )
        weights = np.repeat(strength.ravel(), counts) * popular.weights[at]
        owner = np.repeat(owner, counts)
        order = np.lexsort((popular.indices[at], -weights, owner))
        indptr = np.searchsorted(owner, np.arange(n + 1)).astype(np.int64)
        return cls(indptr, popular.indices[at][order], weights[order].astype(np.float32), category)

    def table(self, items: ItemTable) -> pl.DataFrame:
        """Columns category, product_id, rank, score."""
        return self.listed(items.category_names.tolist(), "category", items)


def _steps(log: InteractionLog, category: Int32s, n: int) -> InteractionLog:
    """The log with categories in the place of items, each stay in one as one event."""

    def visits(part: InteractionLog) -> InteractionLog:
        known = part.where(category[part.item] >= 0)
        return replace(known, item=category[known.item], n_items=n).without_repeats

    bought = visits(of_kind(log, EventType.purchase))
    steps = int((bought.user[1:] == bought.user[:-1]).sum())
    return bought if steps > n else visits(log)


def _next_categories(visits: InteractionLog, now: int) -> tuple[Int32s, Floats]:
    """``(int32[n, NEXT], float32[n, NEXT])``: what follows each category, best first; 0 is nothing."""
    ptr, postings = by_item(visits)
    recency = np.exp2(-(now - visits.time) / (HALF_LIFE_DAYS * DAY_US)).astype(np.float32)
    total = np.concatenate([[0.0], np.cumsum(recency[postings], dtype=np.float64)])
    whole = total[ptr[1:]] - total[ptr[:-1]]
    looked_at = total[ptr[1:]] - total[np.maximum(ptr[:-1], ptr[1:] - LOOKED_AT)]
    # of the visits that are looked at, as many steps as all visits make
    steps = _steps_from(visits, recency) * looked_at / np.maximum(whole, 1e-9)
    share = (whole + PRIOR) / (total[-1] + PRIOR * visits.n_items)
    _, follows, scores = cooccurrence(
        ptr,
        postings,
        visits.user,
        visits.item,
        visits.time,
        recency,
        np.ones(len(visits), np.float32),
        (1.0 / (steps + PRIOR)).astype(np.float32),
        (share**-0.5).astype(np.float32),
        AHEAD,
        WITHIN_US,
        1e9,
        0.0,
        LOOKED_AT,
        4 * NEXT,
        numba.get_num_threads(),
    )
    # a step never leads back, so the others have the category's share as well
    lift = scores * share[follows] ** -0.5 * (1.0 - share[:, None])
    scores = np.where((follows >= 0) & (lift > LIFT), scores, np.float32(0.0))
    best = np.argsort(-scores, axis=1, kind="stable")[:, :NEXT]
    chosen = np.take_along_axis(scores, best, axis=1)
    return np.where(chosen > 0, np.take_along_axis(follows, best, axis=1), 0), chosen


def _steps_from(visits: InteractionLog, recency: Floats) -> Doubles:
    """``float64[n]``: steps that people made from each category to others, faded by age."""
    steps = np.zeros(visits.n_items)
    for ahead in range(1, AHEAD + 1):
        user, item, time = visits.user, visits.item, visits.time
        step = (user[ahead:] == user[:-ahead]) & (item[ahead:] != item[:-ahead])
        step &= time[ahead:] - time[:-ahead] <= WITHIN_US
        steps += np.bincount(item[:-ahead][step], recency[:-ahead][step], visits.n_items)
    return steps
