"""Variety of an answer: maximal marginal relevance over the first candidates.

Source: Carbonell, Goldstein, "The use of MMR, diversity-based reranking", 1998.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from reco_assets.candidates.factors import Factors
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.types import Floats, Int32s, Int64s

#: How far down the ranked candidates variety is looked for; a long answer looks ``DEPTH`` times its
#: own length down.
POOL: Final = 100
DEPTH: Final = 4


def varied(
    order: Int64s, items: Int32s, scores: Floats, bundle: Bundle, n: int, cap: int, diversity: float
) -> Int64s:
    """``order`` with the products that make a varied answer in front, the others as they were.

    Parameters
    ----------
    order
        ``int64[m]``: places in ``items`` and ``scores``, best first.
    cap
        The most that one category may have among the first ``n``.
    diversity
        Weight of being unlike what stands above, below 1; relevance has the rest.
    """
    pool = order[: max(POOL, DEPTH * n)]
    rows = items[pool]
    table = bundle.items
    front = first_varied(
        scores[pool], table.category[rows], table.brand[rows], _factors(bundle)[rows], n, cap, diversity
    )
    left = np.ones(len(order), np.bool_)
    left[front] = False
    return np.concatenate([order[front], order[left]])


def first_varied(
    scores: Floats, category: Int32s, brand: Int32s, factors: Floats, n: int, cap: int, diversity: float
) -> Int64s:
    """Places of the first ``n`` by marginal relevance, fewer where ``cap`` leaves no more.

    The next place is that with the largest ``(1 - diversity) * relevance - diversity * likeness``:
    relevance is the score between the lowest (0) and the highest (1) given, likeness that to the most
    alike product in front. Equals come in the order given, which is best first, so the first product
    stays the first.

    Parameters
    ----------
    scores
        ``float32[m]``, falling.
    category, brand
        ``int32[m]`` codes; -1 unknown.
    factors
        ``float32[m, f]``; a row of zeros, and no columns, say that nothing is known.
    """
    length = np.sqrt(np.sum(factors * factors, axis=1, keepdims=True))
    unit = np.ascontiguousarray((factors / np.maximum(length, np.float32(1e-12))).T)
    return _greedy(
        scores, category, brand, unit, length[:, 0] > 0, min(n, len(scores)), cap, np.float32(diversity)
    )


def likeness(category: Int32s, brand: Int32s, factors: Floats) -> Floats:
    """``float32[m, m]``: how alike products are, 0 to 1.

    The mean of what is known of both of: same category, same brand, cosine of the factors (a negative
    one counts as 0). Products of which nothing is known in common are not alike.
    """
    same_category, known_category = _same(category)
    same_brand, known_brand = _same(brand)
    length = np.sqrt(np.sum(factors * factors, axis=1, keepdims=True))
    unit = factors / np.maximum(length, np.float32(1e-12))
    has = length[:, 0] > 0
    known_factors = has[:, None] & has[None, :]
    cosine = np.maximum(unit @ unit.T, 0) * known_factors
    known = known_category.astype(np.float32) + known_brand + known_factors
    alike: Floats = ((same_category + same_brand + cosine) / np.maximum(known, 1)).astype(np.float32)
    return alike


def _same(codes: Int32s) -> tuple[Floats, Floats]:
    known = (codes >= 0)[:, None] & (codes >= 0)[None, :]
    return ((codes[:, None] == codes[None, :]) & known).astype(np.float32), known.astype(np.float32)


def _factors(bundle: Bundle) -> Floats:
    """Item factors ``float32[n_items, f]``, without columns where no source learns any."""
    for retriever in bundle.sources.retrievers.values():
        if isinstance(retriever, Factors):
            return retriever.factors
    return np.empty((len(bundle.items), 0), np.float32)


@njit(cache=True, nogil=True)
def _greedy(
    scores: Floats,
    category: Int32s,
    brand: Int32s,
    unit: Floats,
    has_factors: np.ndarray[tuple[int], np.dtype[np.bool_]],
    n: int,
    cap: int,
    diversity: np.float32,
) -> Int64s:
    size = len(scores)
    taken = np.empty(n, np.int64)
    if n == 0:
        return taken
    low, high = scores[0], scores[0]
    for at in range(size):
        low = min(low, scores[at])
        high = max(high, scores[at])
    span = high - low
    kept = np.float32(1.0) - diversity
    gain = np.zeros(size, np.float32)
    if span > 0:
        for at in range(size):
            gain[at] = kept * ((scores[at] - low) / span)
    likest = np.zeros(size, np.float32)
    in_category = np.zeros(size, np.int64)  # how many of its category are taken
    free = np.ones(size, np.bool_)
    cosine = np.empty(size, np.float32)
    count = 0
    while count < n:
        best = -1
        value = np.float32(0.0)
        for at in range(size):
            if free[at] and in_category[at] < cap:
                found = gain[at] - diversity * likest[at]
                if best < 0 or found > value:
                    best, value = at, found
        if best < 0:
            break
        taken[count] = best
        count += 1
        free[best] = False
        # factor by factor, so that the loop over products runs in wide registers and in one order
        cosine[:] = 0.0
        if has_factors[best]:
            for f in range(len(unit)):
                one = unit[f, best]
                for at in range(size):
                    cosine[at] += one * unit[f, at]
        for at in range(size):
            alike = np.float32(0.0)
            known = 0
            if category[at] >= 0 and category[best] >= 0:
                known += 1
                if category[at] == category[best]:
                    alike += np.float32(1.0)
                    in_category[at] += 1
            if brand[at] >= 0 and brand[best] >= 0:
                known += 1
                if brand[at] == brand[best]:
                    alike += np.float32(1.0)
            if has_factors[at] and has_factors[best]:
                known += 1
                alike += max(cosine[at], np.float32(0.0))
            if known > 0:
                likest[at] = max(likest[at], alike / np.float32(known))
    return taken[:count]
