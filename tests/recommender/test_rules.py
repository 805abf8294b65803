"""The cap on one group, by example."""

from __future__ import annotations

import numpy as np
import pytest

from reco_assets.recommender.rules import choose, within_cap


@pytest.mark.parametrize(
    ("groups", "n", "cap", "places"),
    [
        ([1, 1, 1, 2, 3], 3, 1, [0, 3, 4]),  # one of each
        ([1, 1, 1, 2, 3], 4, 1, [0, 3, 4, 1]),  # then the best of the rest
        ([1, 1, 1], 3, 1, [0, 1, 2]),  # no other group to prefer
        ([-1, -1, -1, 1], 3, 1, [0, 1, 2]),  # what has no group is never too many
        ([1, 2], 5, 1, [0, 1]),  # there are no more
        ([1, 2], 0, 1, []),
        ([], 3, 1, []),
    ],
)
def test_the_cap_prefers_other_groups(groups: list[int], n: int, cap: int, places: list[int]) -> None:
    assert choose(np.array(groups, np.int32), n, cap).tolist() == places


def test_within_the_cap_there_may_be_fewer() -> None:
    assert within_cap(np.array([1, 1, 1, 2], np.int32), 4, 2).tolist() == [0, 1, 3]
