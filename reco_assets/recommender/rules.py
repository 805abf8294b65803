"""Rules after ranking that look at the list as a whole."""

from __future__ import annotations

from collections import Counter

import numpy as np

from reco_assets.recommender.types import Int32s, Int64s


def within_cap(groups: Int32s, n: int, cap: int) -> Int64s:
    """Places of the first ``n`` of a ranked list with at most ``cap`` of one group.

    Parameters
    ----------
    groups
        ``int32[m]``: the group of each ranked item, best first; -1 for none (never capped).
    """
    taken: list[int] = []
    counts: Counter[int] = Counter()
    for at, group in enumerate(groups.tolist()):
        if len(taken) == n:
            break
        if group < 0 or counts[group] < cap:
            counts[group] += 1
            taken.append(at)
    return np.array(taken, np.int64)


def choose(groups: Int32s, n: int, cap: int) -> Int64s:
    """Places as :func:`within_cap` finds them, then the best of the rest where they are fewer than ``n``."""
    taken = within_cap(groups, n, cap)
    passed = np.setdiff1d(np.arange(len(groups)), taken)
    return np.concatenate([taken, passed[: n - len(taken)]])
