"""The ranker's trees laid out for one request: several times faster than a general predictor, same sums.

Source: Lucchese et al., "QuickScorer: a fast algorithm to rank documents with additive ensembles of
regression trees", 2015.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final, Self, TypedDict

import numpy as np
import numpy.typing as npt
import xgboost
from numba import njit

from reco_assets.recommender.types import Floats, Int64s, UInt64s

#: Trees with more leaves cost more than they are worth here; XGBoost itself walks those.
MOST_LEAVES: Final = 1024
#: Leaves that one mask holds.
_MASK: Final = 64
_ALL: Final = np.uint64(2**_MASK - 1)
#: Multiplied by a power of two, its upper six bits tell which: each of the 64 has six others.
_DE_BRUIJN: Final = np.uint64(0x03F79D71B4CB0A89)
_UPPER_SIX: Final = np.uint64(58)
#: Rows that are looked at side by side; what is kept of them stays in the second cache.
_BLOCK: Final = 512


class _Tree(TypedDict):
    """The part of XGBoost's model document that holds one tree."""

    left_children: Sequence[int]
    right_children: Sequence[int]
    split_indices: Sequence[int]
    split_conditions: Sequence[float]
    split_type: Sequence[int]
    default_left: Sequence[int]


@dataclass(frozen=True)
class Trees:
    """Trees as masks over their leaves: a row's leaf is the leftmost one that no split rules out.

    A split that sends a row to the right rules out the leaves to its left. Every split is looked at, along
    the rows and without a branch, which takes less time than to follow each row down.

    Attributes
    ----------
    columns
        ``int64[c]``: twice a feature, plus 1 where an unknown value goes right: each pair that is asked.
    splits, thresholds, masks
        ``int64``, ``float32`` and ``uint64[splits]``: place in ``columns``; from this value on a row goes
        right; the leaves that are then left.
    ends
        ``int64[blocks]``: where the splits of each block of up to 64 leaves end. The blocks of a tree stand
        from right to left.
    last
        ``bool[blocks]``: whether the block is the last one of its tree.
    leaves
        ``float32[blocks, 64]``, each value at the place that its bit is hashed to.
    base
        What every score starts from.
    """

    columns: Int64s
    splits: Int64s
    thresholds: Floats
    masks: UInt64s
    ends: Int64s
    last: npt.NDArray[np.bool_]
    leaves: Floats
    base: np.float32

    @classmethod
    def of_booster(cls, booster: xgboost.Booster) -> Self | None:
        """The trees of ``booster``; None where they are too large, or no plain ranking trees."""
        model = json.loads(bytes(booster.save_raw("json")))["learner"]
        if (
            not model["objective"]["name"].startswith("rank:")
            or model["gradient_booster"]["name"] != "gbtree"
        ):
            return None
        documents: list[_Tree] = model["gradient_booster"]["model"]["trees"]
        if any(
            tree["left_children"].count(-1) > MOST_LEAVES or any(tree["split_type"]) for tree in documents
        ):
            return None
        places: dict[int, int] = {}
        splits: list[tuple[int, float, int]] = []
        ends, last, leaves = list[int](), list[bool](), list[Floats]()
        for tree in documents:
            values = list[float]()
            asked = list(_splits(tree, 0, values))
            for low in reversed(range(0, len(values), _MASK)):
                for column, threshold, ruled_out in asked:
                    here = ruled_out >> low & int(_ALL)
                    if here:
                        splits.append((places.setdefault(column, len(places)), threshold, here ^ int(_ALL)))
                ends.append(len(splits))
                last.append(low == 0)
                leaves.append(_hashed(values[low : low + _MASK]))
        # one number, or a list of one, by version
        base = np.float32(model["learner_model_param"]["base_score"].strip("[]"))
        return cls(
            np.array(list(places), np.int64),
            np.array([place for place, _, _ in splits], np.int64),
            np.array([threshold for _, threshold, _ in splits], np.float32),
            np.array([mask for _, _, mask in splits], np.uint64),
            np.array(ends, np.int64),
            np.array(last, np.bool_),
            np.array(leaves, np.float32).reshape(-1, _MASK),
            base,
        )

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """All of it, by name."""
        return {one.name: np.asarray(getattr(self, one.name)) for one in fields(self)}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """What :meth:`arrays` gave; raises KeyError where one is missing."""
        # copies, for mapped arrays would be compiled for once more
        found = {one.name: np.array(arrays[one.name]) for one in fields(cls)}
        return cls(**{**found, "base": np.float32(found["base"].item())})  # type: ignore[arg-type]

    def score(self, matrix: Floats) -> Floats:
        """Margins ``float32[n]`` of ``matrix`` ``float32[n, features]``, equal to XGBoost's to the bit."""
        return _score(
            np.ascontiguousarray(matrix), self.columns, self.splits, self.thresholds, self.masks, self.ends,
            self.last, self.leaves, self.base,
        )  # fmt: skip


def _splits(tree: _Tree, node: int, values: list[float]) -> Iterator[tuple[int, float, int]]:
    """Column, threshold and leaves to the left (as bits) of each split below ``node``.

    The leaves' values are added to ``values`` from left to right.
    """
    left = tree["left_children"][node]
    if left == -1:
        values.append(tree["split_conditions"][node])
        return
    first = len(values)
    yield from _splits(tree, left, values)
    ruled_out = (1 << len(values)) - (1 << first)
    column = 2 * tree["split_indices"][node] + (not tree["default_left"][node])
    yield column, tree["split_conditions"][node], ruled_out
    yield from _splits(tree, tree["right_children"][node], values)


def _hashed(values: Sequence[float]) -> Floats:
    """``float32[64]`` with each value at the place of its bit."""
    leaves = np.zeros(_MASK, np.float32)
    bits = np.uint64(1) << np.arange(len(values), dtype=np.uint64)
    leaves[(bits * _DE_BRUIJN) >> _UPPER_SIX] = values
    return leaves


@njit(cache=True, nogil=True)
def _score(
    matrix: Floats,
    columns: Int64s,
    splits: Int64s,
    thresholds: Floats,
    masks: UInt64s,
    ends: Int64s,
    last: npt.NDArray[np.bool_],
    leaves: Floats,
    base: np.float32,
) -> Floats:
    n = len(matrix)
    # XGBoost starts from the base score and adds tree after tree: in any other order the last bit differs
    out = np.full(n, base, np.float32)
    size = min(n, _BLOCK)
    values = np.empty((len(columns), size), np.float32)
    alike = np.empty(len(columns), np.bool_)
    left = np.empty(size, np.uint64)
    reached = np.empty(size, np.float32)
    for low in range(0, n, _BLOCK):
        rows = min(n - low, _BLOCK)
        for c in range(len(columns)):
            unknown = np.float32(np.inf) if columns[c] & 1 else np.float32(-np.inf)
            feature = columns[c] >> 1
            first = matrix[low, feature]
            first = first if first == first else unknown
            same = True
            for row in range(rows):
                value = matrix[low + row, feature]
                value = value if value == value else unknown
                values[c, row] = value
                same &= value == first
            alike[c] = same
        begin = 0
        for block in range(len(ends)):
            left[:rows] = _ALL
            given = _ALL
            for split in range(begin, ends[block]):
                column, threshold, mask = values[splits[split]], thresholds[split], masks[split]
                if not alike[splits[split]]:
                    for row in range(rows):
                        left[row] &= mask if column[row] >= threshold else _ALL
                elif column[0] >= threshold:
                    # what is the same for all candidates, as what is known of the person, is asked once
                    given &= mask
            begin = ends[block]
            for row in range(rows):
                # the leftmost block with a leaf left is the one: the blocks come from right to left
                there = left[row] & given
                lowest = there & (~there + np.uint64(1))
                if there != 0:
                    reached[row] = leaves[block, (lowest * _DE_BRUIJN) >> _UPPER_SIX]
            if last[block]:
                for row in range(rows):
                    out[low + row] += reached[row]
    return out
