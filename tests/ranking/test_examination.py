"""Position bias: what was planted is found, and weighing takes it away."""

from __future__ import annotations

import numpy as np
import pytest

from reco_assets.ranking.examination import CLIP, PLACES, examination, weights

PLANTED = 1.0 / np.arange(1, 11) ** 0.8


def shown(
    groups: int, each: int, seed: int, *, told: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Groups shown ``each`` times: group, place, clicked, and how good each group is.

    ``told`` says how much a good product tends to stand at the top, from 0 to 1.
    """
    rng = np.random.default_rng(seed)
    good = rng.beta(1, 3, groups)
    group = np.repeat(np.arange(groups), each)
    by_chance = rng.random(len(group))
    rank = (1 - told) * by_chance + told * (1 - np.argsort(np.argsort(good))[group] / groups)
    place = np.minimum((rank * 10).astype(np.int64), 9)
    clicked = rng.random(len(group)) < good[group] * PLANTED[place]
    return group, place, clicked, good


@pytest.mark.parametrize("told", [0.0, 0.5])
def test_the_planted_bias_is_found_though_good_products_stand_higher(told: float) -> None:
    group, place, clicked, _ = shown(20_000, 8, 1, told=told)
    found = examination(group, place, clicked)[:10]
    assert found[0] == 1.0
    np.testing.assert_allclose(found, PLANTED, atol=0.06)
    # counting clicks alone takes the products' merit for the places'
    counted = np.array([clicked[place == at].mean() for at in range(10)])
    if told:
        assert abs(counted / counted[0] - PLANTED).max() > 0.1


def test_weighing_takes_the_bias_away() -> None:
    """Two products equally good, one always shown at the top: weighed, their clicks are the same."""
    group, place, clicked, _ = shown(20_000, 8, 2)
    examined = examination(group, place, clicked)
    rng = np.random.default_rng(3)
    top, low = np.zeros(40_000, np.int64), np.full(40_000, 7)
    rates = []
    for at in (top, low):
        seen = rng.random(len(at)) < 0.3 * PLANTED[at]
        rates.append((seen.mean(), (seen * weights(examined, at)).mean()))
    assert rates[0][0] > 3 * rates[1][0]
    assert rates[1][1] == pytest.approx(rates[0][1], rel=0.15)


def test_where_nothing_stood_at_two_places_there_is_no_bias() -> None:
    group = np.arange(1000)
    found = examination(group, group % 10, group % 3 == 0)
    np.testing.assert_allclose(found, 1.0)
    assert len(found) == PLACES
    nothing = np.empty(0, np.int64)
    np.testing.assert_allclose(examination(nothing, nothing, nothing.astype(bool)), 1.0)


def test_no_weight_is_beyond_the_clip_and_far_places_count_as_the_last() -> None:
    assert weights(np.array([1.0, 0.5, 0.001]), np.array([0, 1, 2, 99])).tolist() == [1.0, 2.0, CLIP, CLIP]
