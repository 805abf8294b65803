"""The caps on categories and brands, by example."""

from __future__ import annotations

import numpy as np
import pytest

from reco_assets.recommender.rules import Caps


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
    code = np.array(groups, np.int32)
    caps = Caps(code, np.full(len(code), -1, np.int32), cap, n)
    assert caps.fill(np.arange(len(code), dtype=np.int32), n).tolist() == places


@pytest.mark.parametrize(
    ("n", "beside", "places"),
    [
        (3, [], [0, 2, 3]),
        (4, [], [0, 2, 3, 1]),  # the second of the brand before the second of the category
        (3, [3], [0, 2, 1]),  # what is shown besides has taken the room of its category
    ],
)
def test_a_brand_is_capped_beside_its_category(n: int, beside: list[int], places: list[int]) -> None:
    category, brand = np.array([1, 2, 3, 4, 4], np.int32), np.array([7, 7, 8, 9, 9], np.int32)
    caps = Caps(category, brand, per_category=1, per_brand=1)
    items = np.array([row for row in range(5) if row not in beside], np.int32)
    assert items[caps.fill(items, n, beside)].tolist() == places


def test_within_the_cap_there_may_be_fewer() -> None:
    code = np.array([1, 1, 1, 2], np.int32)
    caps = Caps(code, np.full(4, -1, np.int32), per_category=2, per_brand=4)
    assert caps.within(np.arange(4, dtype=np.int32), 4).tolist() == [0, 1, 3]
