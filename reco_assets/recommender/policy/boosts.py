"""Boosts: products that stand higher or lower than their score alone would have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from numba import njit

from reco_assets.errors import BadExpression
from reco_assets.recommender.policy.columns import Table
from reco_assets.recommender.policy.document import Boost, at_field
from reco_assets.recommender.policy.masks import holds
from reco_assets.recommender.types import Floats, Int32s

Bits = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Boosts:
    """All boosts of a policy together.

    Attributes
    ----------
    names
        Of the boosts, in the order of the file.
    multiply, add
        ``float32[n_items]``: the product of the factors and the sum of the additions that a product gets.
    which
        ``uint64[n_items]``: bit ``k`` where boost ``k`` is for the product.
    """

    names: tuple[str, ...]
    multiply: Floats
    add: Floats
    which: Bits

    @classmethod
    def of(cls, boosts: list[Boost], table: Table, name: str) -> Self:
        """``boosts`` of policy ``name``; raises BadInput where an expression cannot be used."""
        n = len(table.items)
        multiply, add = np.ones(n, np.float32), np.zeros(n, np.float32)
        which = np.zeros(n, np.uint64)
        for number, boost in enumerate(boosts):
            try:
                mask = holds(boost.when, table)
            except BadExpression as error:
                raise at_field(error, f"boosts[{number}].when", name) from error
            multiply *= np.where(mask, np.float32(boost.multiply), np.float32(1.0))
            add += np.where(mask, np.float32(boost.add), np.float32(0.0))
            which |= mask.astype(np.uint64) << np.uint64(number)
        return cls(tuple(boost.name for boost in boosts), multiply, add, which)

    def applied(self, items: Int32s, scores: Floats) -> Floats:
        """``scores`` of ``items`` with the boosts; ``float32[n]``.

        They count on the scale from the lowest score, 0, to the highest, 1, so that they mean the same
        for a ranker's margins, which may be negative, and a blend's sums.
        """
        return _boosted(items, scores, self.which, self.multiply, self.add)

    def named(self, bits: int) -> tuple[str, ...]:
        """Names of the boosts that ``bits`` of ``which`` mean."""
        return tuple(name for number, name in enumerate(self.names) if bits >> number & 1)


@njit(cache=True, nogil=True)
def _boosted(items: Int32s, scores: Floats, which: Bits, multiply: Floats, add: Floats) -> Floats:
    boosted = scores.copy()
    if not len(scores):
        return boosted
    low, high = scores.min(), scores.max()
    span = high - low if high > low else np.float32(1.0)
    for at in range(len(items)):
        row = items[at]
        # what no boost is for keeps its score to the bit
        if which[row] != 0:
            relevance = (scores[at] - low) / span
            boosted[at] = low + (relevance * multiply[row] + add[row]) * span
    return boosted
