"""Figures of lists whose right answer can be proved."""

import numpy as np
import pytest

from benchmarks.quality.beyond import CATEGORIES, COVERAGE, GINI, NOVELTY, TASTES, Beyond, gini


def looking(category: list[int], factors: list[list[float]] | None = None) -> Beyond:
    n = len(category)
    return Beyond(
        information=np.arange(n, dtype=np.float64),
        category=np.array(category, np.int32),
        factors=np.array(factors or np.zeros((n, 2)), np.float32),
    )


def lists(*rows: list[int]) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    return np.array(rows, np.int32)


def test_one_product_for_all_is_as_uneven_as_can_be_and_each_once_is_even() -> None:
    assert gini(np.array([0, 0, 0, 8])) == pytest.approx(3 / 4)
    assert gini(np.array([2, 2, 2, 2])) == 0.0
    assert np.isnan(gini(np.array([0, 0])))


def test_coverage_and_novelty_count_what_was_shown_and_pass_over_empty_places() -> None:
    found = looking([-1] * 4).of_lists(lists([0, 3], [3, -1]))
    assert found[COVERAGE] == 0.5
    assert found[NOVELTY] == pytest.approx((0 + 3 + 3) / 3)
    assert found[GINI] == gini(np.array([1, 0, 0, 2]))


def test_diversity_is_the_share_of_pairs_of_two_categories_and_unknown_ones_do_not_count() -> None:
    look = looking([0, 0, 1, -1])
    assert look.of_lists(lists([0, 1, 2]))[CATEGORIES] == pytest.approx(2 / 3)
    assert look.of_lists(lists([0, 1, -1]))[CATEGORIES] == 0.0
    assert look.of_lists(lists([0, 2, 3]))[CATEGORIES] == 1.0
    assert np.isnan(look.of_lists(lists([2, 3, -1]))[CATEGORIES])


def test_taste_is_one_less_the_mean_cosine_of_all_pairs() -> None:
    look = looking([-1] * 4, [[1, 0], [1, 0], [0, 1], [0, 0]])
    assert look.of_lists(lists([0, 1]))[TASTES] == pytest.approx(0.0)
    assert look.of_lists(lists([0, 2]))[TASTES] == pytest.approx(1.0)
    assert look.of_lists(lists([0, 1, 2, 3]))[TASTES] == pytest.approx(2 / 3)
    assert np.isnan(look.of_lists(lists([0, 3]))[TASTES])
