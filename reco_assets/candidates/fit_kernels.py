"""Compiled inner loops by which the sources are fitted; arrays in, arrays out."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from reco_assets.candidates.kernels import Floats, Int32s, Int64s, top_rows


@njit(cache=True)
def group_rows(groups: Int32s, order: Int64s, n_groups: int) -> tuple[Int64s, Int64s]:
    """``(ptr int64[n_groups + 1], rows int64[n])``: the rows of each group, in the order of ``order``."""
    ptr = np.zeros(n_groups + 1, np.int64)
    for group in groups:
        ptr[group + 1] += 1
    for group in range(n_groups):
        ptr[group + 1] += ptr[group]
    free = ptr[:-1].copy()
    rows = np.empty(len(order), np.int64)
    for row in order:
        rows[free[groups[row]]] = row
        free[groups[row]] += 1
    return ptr, rows


@njit(cache=True)
def _keep_best(dense: Floats, touched: Int32s, count: int, found: Int32s, scores: Floats) -> int:
    """Write the best of ``touched[:count]`` into one padded list, and set ``dense`` back to zero."""
    rows = touched[:count]
    best = top_rows(rows, dense[rows], len(found))
    for rank in range(len(best)):
        found[rank] = best[rank]
        scores[rank] = dense[best[rank]]
    for row in rows:
        dense[row] = 0.0
    return len(best)


@njit(cache=True, parallel=True)
def cooccurrence(
    item_ptr: Int64s,
    postings: Int64s,
    user: Int32s,
    item: Int32s,
    time: Int64s,
    recency: Floats,
    worth: Floats,
    own: Floats,
    power: Floats,
    window: int,
    max_gap: int,
    distance_decay: float,
    backward: float,
    most_postings: int,
    k: int,
    threads: int,
) -> tuple[Int32s, Int32s, Floats]:
    """Top-``k`` co-occurring items of every item.

    Walks, for each occurrence of an item, up to ``window`` events ahead and behind in the same
    user's history (gap at most ``max_gap`` microseconds), and sums
    ``recency * exp(-(distance - 1) / distance_decay)``, times ``backward`` for what came before and
    times ``worth`` of the neighbouring event, then multiplies by ``own`` of the item and ``power`` of
    the neighbour. Cost: events x window. Memory: one dense row
    a thread. The last ``most_postings`` occurrences of an item are enough and bound its cost.
    """
    n_items = len(item_ptr) - 1
    n = len(user)
    found = np.full((n_items, k), -1, np.int32)
    scores = np.zeros((n_items, k), np.float32)
    counts = np.zeros(n_items, np.int32)
    decay = np.empty(window + 1, np.float32)
    for d in range(window + 1):
        decay[d] = np.exp(-(d - 1) / distance_decay)
    for thread in prange(threads):
        dense = np.zeros(n_items, np.float32)
        touched = np.empty(n_items, np.int32)
        for target in range(thread, n_items, threads):
            count = 0
            begin = max(item_ptr[target], item_ptr[target + 1] - most_postings)
            for p in range(begin, item_ptr[target + 1]):
                here = postings[p]
                for step in (1, -1):
                    direction = np.float32(1.0) if step == 1 else np.float32(backward)
                    for d in range(1, window + 1 if direction > 0.0 else 1):
                        there = here + step * d
                        if there < 0 or there >= n or user[there] != user[here]:
                            break
                        if abs(time[there] - time[here]) > max_gap:
                            break
                        other = item[there]
                        if other == target:
                            continue
                        added = direction * decay[d] * recency[here] * worth[there]
                        # worth nothing, or so long ago that it counts for nothing
                        if added <= 0.0:
                            continue
                        if dense[other] == 0.0:
                            touched[count] = other
                            count += 1
                        dense[other] += added
            for at in range(count):
                dense[touched[at]] *= power[touched[at]]
            counts[target] = _keep_best(dense, touched, count, found[target], scores[target])
            scores[target] *= own[target]
    return counts, found, scores


@njit(cache=True, parallel=True, fastmath={"reassoc", "contract", "nsz"})
def solve_rows(
    ptr: Int64s,
    columns: Int32s,
    confidence: Floats,
    own: Floats,
    other: Floats,
    gram: Floats,
    steps: int,
    threads: int,
) -> None:
    """Half an iteration of implicit ALS: move each row of ``own`` towards its least-squares solution.

    Row ``x`` solves ``(gram + sum (c - 1) y y') x = sum c y`` over its compressed row of ``columns`` (rows
    ``y`` of ``other``) and confidences ``c``, by ``steps`` of conjugate gradients from where it was, without
    ever making the matrix. Cost: 4 x (steps + 1) x width operations a stored value. Rows know nothing of
    each other: the result is the same with any number of ``threads``.

    Source: Takacs, Pilaszy, Tikk, "Applications of the conjugate gradient method for implicit feedback
    collaborative filtering", 2011.
    """
    n, width = own.shape
    one = np.float32(1.0)
    for thread in prange(threads):
        left = np.empty(width, np.float32)
        way = np.empty(width, np.float32)
        image = np.empty(width, np.float32)
        for row in range(thread, n, threads):
            x = own[row]
            _times(gram, x, image)
            for f in range(width):
                left[f] = -image[f]
            for at in range(ptr[row], ptr[row + 1]):
                y = other[columns[at]]
                c = confidence[at]
                _add(c - (c - one) * _dot(y, x), y, left)
            error = _dot(left, left)
            way[:] = left
            for _ in range(steps):
                if error < 1e-20:
                    break
                _times(gram, way, image)
                for at in range(ptr[row], ptr[row + 1]):
                    y = other[columns[at]]
                    _add((confidence[at] - one) * _dot(y, way), y, image)
                step = error / _dot(way, image)
                _add(step, way, x)
                _add(-step, image, left)
                before, error = error, _dot(left, left)
                for f in range(width):
                    way[f] = left[f] + error / before * way[f]


@njit(cache=True, fastmath={"reassoc", "contract", "nsz"}, inline="always")
def _dot(a: Floats, b: Floats) -> np.float32:
    total = np.float32(0.0)
    for f in range(len(a)):
        total += a[f] * b[f]
    return total


@njit(cache=True, fastmath={"reassoc", "contract", "nsz"}, inline="always")
def _add(weight: np.float32, a: Floats, to: Floats) -> None:
    for f in range(len(a)):
        to[f] += weight * a[f]


@njit(cache=True, fastmath={"reassoc", "contract", "nsz"}, inline="always")
def _times(matrix: Floats, x: Floats, out: Floats) -> None:
    """``out = matrix @ x`` of a symmetric matrix."""
    out[:] = 0.0
    for f in range(len(x)):
        _add(x[f], matrix[f], out)


@njit(cache=True, parallel=True)
def shared_tokens(
    item_ptr: Int64s,
    tokens: Int32s,
    weights: Floats,
    token_ptr: Int64s,
    token_items: Int32s,
    token_weights: Floats,
    k: int,
    threads: int,
) -> tuple[Int32s, Int32s, Floats]:
    """Top-``k`` items by cosine of weighted tokens, through the inverted index of tokens."""
    n_items = len(item_ptr) - 1
    found = np.full((n_items, k), -1, np.int32)
    scores = np.zeros((n_items, k), np.float32)
    counts = np.zeros(n_items, np.int32)
    for thread in prange(threads):
        dense = np.zeros(n_items, np.float32)
        touched = np.empty(n_items, np.int32)
        for target in range(thread, n_items, threads):
            count = 0
            for t in range(item_ptr[target], item_ptr[target + 1]):
                token = tokens[t]
                for p in range(token_ptr[token], token_ptr[token + 1]):
                    other = token_items[p]
                    if other == target:
                        continue
                    if dense[other] == 0.0:
                        touched[count] = other
                        count += 1
                    dense[other] += weights[t] * token_weights[p]
            counts[target] = _keep_best(dense, touched, count, found[target], scores[target])
    return counts, found, scores
