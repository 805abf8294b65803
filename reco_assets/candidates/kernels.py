"""Compiled inner loops of the sources' queries; arrays in, arrays out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

#: Below 0 by so much stands for a sum that comes out as 0.
_NEARLY_NOTHING = np.float32(1e-30)


@njit(cache=True)
def top_rows(rows: Int32s, scores: Floats, n: int) -> Int32s:
    """The ``n`` of ``rows`` with the largest of ``scores``, one each, best first; ties by smaller row."""
    size = max(0, min(n, len(rows)))
    found = np.empty(size, np.int32)
    if size == 0:
        return found
    # a heap whose root is the worst of those kept
    heap_score = np.empty(size, np.float32)
    heap_row = np.empty(size, np.int32)
    filled = 0
    for place in range(len(rows)):
        row, score = rows[place], scores[place]
        if filled < size:
            at = filled
            filled += 1
            while at > 0:
                parent = (at - 1) >> 1
                if heap_score[parent] < score or (heap_score[parent] == score and heap_row[parent] > row):
                    break
                heap_score[at] = heap_score[parent]
                heap_row[at] = heap_row[parent]
                at = parent
            heap_score[at] = score
            heap_row[at] = row
        elif score > heap_score[0] or (score == heap_score[0] and row < heap_row[0]):
            _sink(heap_score, heap_row, size, score, row)
    for place in range(size - 1, -1, -1):
        found[place] = heap_row[0]
        _sink(heap_score, heap_row, place, heap_score[place], heap_row[place])
    return found


@njit(cache=True)
def _sink(heap_score: Floats, heap_row: Int32s, size: int, score: float, row: int) -> None:
    """Put ``score`` and ``row`` in place of the root of a heap of ``size``."""
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        right = child + 1
        if right < size and (
            heap_score[right] < heap_score[child]
            or (heap_score[right] == heap_score[child] and heap_row[right] > heap_row[child])
        ):
            child = right
        if score < heap_score[child] or (score == heap_score[child] and row > heap_row[child]):
            break
        heap_score[at] = heap_score[child]
        heap_row[at] = heap_row[child]
        at = child
    heap_score[at] = score
    heap_row[at] = row


@njit(cache=True)
def taken(dense: Floats, touched: Int32s, count: int) -> tuple[Int32s, Floats]:
    """The rows ``touched[:count]`` and what ``dense`` holds of them, which is 0 afterwards."""
    rows = touched[:count].copy()
    values = np.empty(count, np.float32)
    for at in range(count):
        values[at] = dense[rows[at]]
        dense[rows[at]] = 0.0
    return rows, values


@njit(cache=True)
def accumulate(
    history: Int32s,
    weights: Floats,
    indptr: Int64s,
    indices: Int32s,
    values: Floats,
    dense: Floats,
    touched: Int32s,
) -> tuple[Int32s, Floats]:
    """Add ``weights[h] * values`` of every neighbour of ``history``: the rows that got any, and their sums.

    ``dense`` must be zero on entry and is zero again on return.
    """
    count = 0
    for h in range(len(history)):
        item = history[h]
        weight = weights[h]
        for at in range(indptr[item], indptr[item + 1]):
            row = indices[at]
            added = weight * values[at]
            # what adds nothing must not be noted: a row is known as untouched by its 0
            if added != 0.0:
                if dense[row] == 0.0:
                    touched[count] = row
                    count += 1
                dense[row] += added
                if dense[row] == 0.0:
                    dense[row] = -_NEARLY_NOTHING
    return taken(dense, touched, count)


@njit(cache=True)
def summed_by(codes: Int32s, weights: Floats) -> tuple[Int32s, Floats]:
    """Distinct ``codes``, rising, without those below 0, and the sum of the ``weights`` of each.

    For a handful: each code is looked for among those before it.
    """
    distinct = np.empty(len(codes), np.int32)
    sums = np.empty(len(codes), np.float64)
    count = 0
    for at in range(len(codes)):
        code = codes[at]
        if code < 0:
            continue
        place = count
        while place > 0 and distinct[place - 1] >= code:
            place -= 1
        if place == count or distinct[place] != code:
            for later in range(count, place, -1):
                distinct[later] = distinct[later - 1]
                sums[later] = sums[later - 1]
            distinct[place] = code
            sums[place] = 0.0
            count += 1
        sums[place] += weights[at]
    return distinct[:count], sums[:count].astype(np.float32)


@njit(cache=True)
def strongest(
    history: Int32s, weights: Floats, indptr: Int64s, indices: Int32s, values: Floats, target: int
) -> int:
    """Place in ``history`` whose neighbour list speaks most for ``target``; -1 if none does."""
    place = -1
    most = np.float32(0.0)
    for h in range(len(history)):
        for at in range(indptr[history[h]], indptr[history[h] + 1]):
            if indices[at] == target and weights[h] * values[at] > most:
                most = weights[h] * values[at]
                place = h
    return place


@njit(cache=True)
def links(
    newest: Int32s,
    items: Int32s,
    indptr: Int64s,
    indices: Int32s,
    values: Floats,
    dense: Floats,
    out: Floats,
    column: int,
) -> None:
    """What the neighbour lists of the ``newest`` products, the newest first, say of each of ``items``.

    ``out[k, column]`` gets what the first list says of item ``k``, the next column the most that one of them
    says, the one after it how many name it; all three must be 0 on entry. ``dense`` must be zero on entry and
    is zero again on return; it holds places, so ``items`` are fewer than 2**24.
    """
    for k in range(len(items)):
        dense[items[k]] = k + 1
    for h in range(len(newest)):
        for at in range(indptr[newest[h]], indptr[newest[h] + 1]):
            k = int(dense[indices[at]]) - 1
            if k >= 0:
                if h == 0:
                    out[k, column] = values[at]
                out[k, column + 1] = max(out[k, column + 1], values[at])
                out[k, column + 2] += 1.0
    for k in range(len(items)):
        dense[items[k]] = 0.0


@njit(cache=True)
def scores_of(items: Int32s, rows: Int32s, scores: Floats, dense: Floats) -> Floats:
    """The one of ``scores`` that belongs to each of ``items``, 0 where they are not among ``rows``.

    ``dense`` must be zero on entry and is zero again on return.
    """
    for at in range(len(rows)):
        dense[rows[at]] = scores[at]
    found = np.empty(len(items), np.float32)
    for at in range(len(items)):
        found[at] = dense[items[at]]
    for row in rows:
        dense[row] = 0.0
    return found


@njit(cache=True)
def dot_rows(factors: Floats, vector: Floats, rows: Int32s) -> Floats:
    """``factors[rows] @ vector`` without copying the rows."""
    out = np.empty(len(rows), np.float32)
    for at in range(len(rows)):
        total = np.float32(0.0)
        for f in range(factors.shape[1]):
            total += factors[rows[at], f] * vector[f]
        out[at] = total
    return out


@njit(cache=True)
def head_scores(head_factors: Floats, vector: Floats) -> Floats:
    """``vector @ head_factors`` for ``float32[f, n]`` factors; no threads to wake, unlike BLAS.

    Sums in the same order as :func:`dot_rows`, so the two agree to the bit.
    """
    width, n = head_factors.shape
    out = np.zeros(n, np.float32)
    whole = width - width % 4
    # four factors a pass: the sums are read and written a quarter as often
    for f in range(0, whole, 4):
        a, b, c, d = vector[f], vector[f + 1], vector[f + 2], vector[f + 3]
        for at in range(n):
            summed = (out[at] + a * head_factors[f, at]) + b * head_factors[f + 1, at]
            out[at] = (summed + c * head_factors[f + 2, at]) + d * head_factors[f + 3, at]
    for f in range(whole, width):
        for at in range(n):
            out[at] += vector[f] * head_factors[f, at]
    return out


@njit(cache=True)
def union(lists: Int32s, ends: Int64s, blocked: Int32s, seen: npt.NDArray[np.bool_], most: int) -> Int32s:
    """Distinct rows of several ranked lists, taken in turn (first of each, second of each, ...).

    ``lists[ends[s - 1]:ends[s]]`` is list ``s``. ``blocked`` rows are left out. ``seen`` must be
    false on entry and is false again on return. At most ``most`` rows.
    """
    out = np.empty(min(most, len(lists)), np.int32)
    count = 0
    for row in blocked:
        seen[row] = True
    longest = 0
    start = 0
    for end in ends:
        longest = max(longest, end - start)
        start = end
    for rank in range(longest):
        start = 0
        for end in ends:
            if start + rank < end and count < most:
                row = lists[start + rank]
                if not seen[row]:
                    seen[row] = True
                    out[count] = row
                    count += 1
            start = end
    for at in range(count):
        seen[out[at]] = False
    for row in blocked:
        seen[row] = False
    return out[:count]
