"""Which product leads to which: substitutes of the same category, complements of the next one."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from reco_assets.simulator.vocabulary import GROUP_SIZE

Floats = npt.NDArray[np.float32]
Int32s = npt.NDArray[np.int32]

SUBSTITUTES: Final = 8
COMPLEMENTS: Final = 4
#: Products are compared within blocks of this size: the cost grows with the catalogue, not its square.
_BLOCK: Final = 1_024
#: How far the graph of a leaf turns, as a share of the distance from its centre.
_TURN: Final = 0.9


def successors(
    random: np.random.Generator, taste: Floats, leaf: Int32s, starts: npt.NDArray[np.int64]
) -> tuple[Int32s, Int32s]:
    """Substitutes ``int32[n, 8]`` and complements ``int32[n, 4]`` of each product; -1 fills up.

    Within a leaf, the nearest products to a taste that is turned a little, each leaf in its own
    direction: the graph runs in circles, so the order of clicks tells more than their set, and there
    are no hubs. Complements come from the next leaf of the same group (phone -> case -> charger).
    """
    leaves = len(starts) - 1
    turns = random.standard_normal((leaves, taste.shape[1], taste.shape[1]), dtype=np.float32)
    turns = _TURN * (turns - turns.transpose(0, 2, 1)) / np.float32(np.sqrt(2 * taste.shape[1]))
    substitutes = np.full((len(taste), SUBSTITUTES), -1, np.int32)
    complements = np.full((len(taste), COMPLEMENTS), -1, np.int32)
    for one in range(leaves):
        follower = one - GROUP_SIZE + 1 if one % GROUP_SIZE == GROUP_SIZE - 1 else one + 1
        there = np.arange(starts[follower], starts[follower + 1])
        for first in range(int(starts[one]), int(starts[one + 1]), _BLOCK):
            here = np.arange(first, min(first + _BLOCK, int(starts[one + 1])))
            own = taste[here] - taste[here].mean(axis=0)
            aim = taste[here] + own @ turns[one]
            substitutes[here] = _nearest(aim, taste, here, SUBSTITUTES, exclude_self=True)
            offset = (first - int(starts[one])) % max(1, len(there))
            block = np.roll(there, -offset)[:_BLOCK]
            complements[here] = _nearest(aim, taste, block, COMPLEMENTS, exclude_self=False)
    return substitutes, complements


def _nearest(
    aim: Floats, taste: Floats, pool: npt.NDArray[np.int64], count: int, exclude_self: bool
) -> npt.NDArray[np.int64]:
    """Rows of ``pool`` nearest to each aim, nearest first, ``[len(aim), count]``, -1 where it is small."""
    closeness = 2 * aim @ taste[pool].T - np.sum(taste[pool] ** 2, axis=1)
    if exclude_self:
        np.fill_diagonal(closeness, -np.inf)
    kept = min(count, len(pool))
    nearest = np.argpartition(-closeness, kept - 1, axis=1)[:, :kept]
    ranks = np.argsort(-np.take_along_axis(closeness, nearest, axis=1), axis=1, kind="stable")
    order = np.take_along_axis(nearest, ranks, axis=1)
    found = np.full((len(aim), count), -1, np.int64)
    found[:, : order.shape[1]] = pool[order]
    if exclude_self and len(pool) <= count:
        found[:, len(pool) - 1 :] = -1
    return found
