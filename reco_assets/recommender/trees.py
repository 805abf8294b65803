"""The ranker's trees laid out for one request: several times faster than a general predictor, same sums."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self, TypedDict

import numpy as np
import numpy.typing as npt
import xgboost
from numba import njit

from reco_assets.recommender.types import Floats

UInt32s = npt.NDArray[np.uint32]

#: Deeper trees would fill memory with empty places; XGBoost itself walks those.
DEEPEST: Final = 10
#: Rows that go down a tree side by side; their places stay in the first cache.
_BLOCK: Final = 128


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
    """Trees as complete binary trees of one depth; a leaf above it is repeated below.

    Attributes
    ----------
    splits
        ``uint32[trees * (2**depth - 1)]``: twice the feature, plus 1 where an unknown value goes right.
    thresholds
        ``float32`` of the same length: smaller values go left.
    leaves
        ``float32[trees, 2**depth]``.
    """

    splits: UInt32s
    thresholds: Floats
    leaves: Floats
    depth: int
    base: np.float32

    @classmethod
    def of_booster(cls, booster: xgboost.Booster) -> Self | None:
        """The trees of ``booster``; None where they are no plain, shallow, single-output ranking trees."""
        model = json.loads(bytes(booster.save_raw("json")))["learner"]
        if (
            not model["objective"]["name"].startswith("rank:")
            or model["gradient_booster"]["name"] != "gbtree"
        ):
            return None
        documents: list[_Tree] = model["gradient_booster"]["model"]["trees"]
        depth = max((_depth(tree) for tree in documents), default=0)
        if depth > DEEPEST or any(any(tree["split_type"]) for tree in documents):
            return None
        splits = np.zeros((len(documents), 2**depth - 1), np.uint32)
        thresholds = np.zeros(splits.shape, np.float32)
        leaves = np.zeros((len(documents), 2**depth), np.float32)
        for number, tree in enumerate(documents):
            _lay_out(tree, depth, splits[number], thresholds[number], leaves[number])
        # one number, or a list of one, by version
        base = np.float32(model["learner_model_param"]["base_score"].strip("[]"))
        return cls(splits.ravel(), thresholds.ravel(), leaves, depth, base)

    def score(self, matrix: Floats) -> Floats:
        """Margins ``float32[n]`` of ``matrix`` ``float32[n, features]``, equal to XGBoost's to the bit."""
        flat = np.ascontiguousarray(matrix).reshape(-1)
        return _walk(
            flat,
            len(matrix),
            matrix.shape[1],
            self.splits,
            self.thresholds,
            self.leaves,
            self.depth,
            self.base,
        )


def _depth(tree: _Tree, node: int = 0) -> int:
    left, right = tree["left_children"][node], tree["right_children"][node]
    return 0 if left == -1 else 1 + max(_depth(tree, left), _depth(tree, right))


def _lay_out(tree: _Tree, depth: int, splits: UInt32s, thresholds: Floats, leaves: Floats) -> None:
    level = [0]
    for below in range(depth):
        begin = 2**below - 1
        deeper: list[int] = []
        for place, node in enumerate(level):
            left = tree["left_children"][node]
            if left == -1:
                deeper += [node, node]  # whichever way a row goes, it stays at the leaf
                continue
            splits[begin + place] = 2 * tree["split_indices"][node] + (not tree["default_left"][node])
            thresholds[begin + place] = tree["split_conditions"][node]
            deeper += [left, tree["right_children"][node]]
        level = deeper
    leaves[:] = [tree["split_conditions"][node] for node in level]


@njit(cache=True, nogil=True)
def _walk(
    flat: Floats,
    n: int,
    width: int,
    splits: UInt32s,
    thresholds: Floats,
    leaves: Floats,
    depth: int,
    base: np.float32,
) -> Floats:
    # Unsigned places spare the check for negative indices, which would take most of the time.
    one = np.uint32(1)
    # XGBoost starts from the base score and adds tree after tree: in any other order the last bit differs.
    out = np.full(n, base, np.float32)
    at = np.empty(_BLOCK, np.uint32)
    inner = np.uint32((1 << depth) - 1)
    for low in range(0, n, _BLOCK):
        rows = min(n - low, _BLOCK)
        for tree in range(len(leaves)):
            root = np.uint32(tree) * inner
            at[:] = 0
            for _ in range(depth):
                for row in range(rows):
                    here = at[row]
                    split = splits[root + here]
                    value = flat[np.uint32((low + row) * width) + (split >> one)]
                    right = (value >= thresholds[root + here]) | ((value != value) & ((split & one) != 0))
                    at[row] = here + here + one + np.uint32(right)
            for row in range(rows):
                out[low + row] += leaves[tree, at[row] - inner]
    return out
