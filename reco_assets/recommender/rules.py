"""Rules after ranking that look at the list as a whole."""

from __future__ import annotations

from collections import Counter

import numpy as np

from reco_assets.recommender.types import Int32s, Int64s


def choose(groups: Int32s, n: int, cap: int) -> Int64s:
    """Places of the first ``n`` of a ranked list with at most ``cap`` of one group, then the best of the rest.

    Parameters
    ----------
    groups
        ``int32[m]``: the group of each ranked item, best first; -1 for none (never capped).
    """
    taken: list[int] = []
    passed: list[int] = []
    counts: Counter[int] = Counter()
    for at, group in enumerate(groups.tolist()):
        if len(taken) == n:
            break
        if group >= 0 and counts[group] >= cap:
            passed.append(at)
            continue
        counts[group] += 1
        taken.append(at)
    taken += passed[: n - len(taken)]
    return np.array(taken, np.int64)
