"""Rules after ranking that look at the list as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from reco_assets.recommender.types import Int32s, Int64s


@njit(cache=True, nogil=True)
def _fitting(
    category: Int32s,
    brand: Int32s,
    beside_category: Int32s,
    beside_brand: Int32s,
    n: int,
    per_category: int,
    per_brand: int,
) -> Int64s:
    taken = np.empty(n, np.int64)
    count = 0
    for at in range(len(category)):
        if count == n:
            break
        same_category = same_brand = 0
        for k in range(len(beside_category)):
            same_category += beside_category[k] == category[at]
            same_brand += beside_brand[k] == brand[at]
        for k in range(count):
            same_category += category[taken[k]] == category[at]
            same_brand += brand[taken[k]] == brand[at]
        if (category[at] < 0 or same_category < per_category) and (brand[at] < 0 or same_brand < per_brand):
            taken[count] = at
            count += 1
    return taken[:count]


@dataclass(frozen=True)
class Caps:
    """How many products of one category, and of one brand, an answer may have.

    Attributes
    ----------
    category, brand
        ``int32[n_items]`` codes; -1 is never capped.
    """

    category: Int32s
    brand: Int32s
    per_category: int
    per_brand: int

    def room(self, item: int, categories: Counter[int], brands: Counter[int]) -> bool:
        """Whether one more product fits beside those that are counted."""
        category, brand = int(self.category[item]), int(self.brand[item])
        return (category < 0 or categories[category] < self.per_category) and (
            brand < 0 or brands[brand] < self.per_brand
        )

    def count(self, item: int, categories: Counter[int], brands: Counter[int]) -> None:
        """Count a product."""
        categories[int(self.category[item])] += 1
        brands[int(self.brand[item])] += 1

    def within(self, items: Int32s, n: int, beside: Sequence[int] = ()) -> Int64s:
        """Places of the first ``n`` of ``items``, best first, that fit together with ``beside``."""
        rows = np.array(beside, np.int32)
        return _fitting(
            self.category[items],
            self.brand[items],
            self.category[rows],
            self.brand[rows],
            n,
            self.per_category,
            self.per_brand,
        )

    def fill(self, items: Int32s, n: int, beside: Sequence[int] = ()) -> Int64s:
        """Places as :meth:`within` finds them, and the best of the rest where they are fewer than ``n``.

        Of the rest, those that only their brand keeps out come first.
        """
        taken = self.within(items, n, beside)
        if len(taken) == n:
            return taken
        passed = np.setdiff1d(np.arange(len(items)), taken)
        anyhow = Caps(self.category, self.brand, self.per_category, n + len(beside))
        more = passed[anyhow.within(items[passed], n - len(taken), [*beside, *items[taken].tolist()])]
        rest = np.setdiff1d(passed, more)
        return np.concatenate([taken, more, rest])[:n]
