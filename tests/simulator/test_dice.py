from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reco_assets.simulator.dice import draw, gumbel, mixed, normal, uniform


def _stream(seed: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return np.array([seed], np.uint64)


def test_mixing_keeps_numbers_distinct() -> None:
    assert len(np.unique(mixed(np.arange(1_000_000, dtype=np.uint64)))) == 1_000_000


@given(seed=st.integers(0, 2**64 - 1), weights=st.lists(st.sampled_from([0.0, 0.5, 3.0]), min_size=2))
def test_a_row_without_weight_is_never_drawn(seed: int, weights: list[float]) -> None:
    weights[0] = 1.0
    dice = _stream(seed)
    drawn = {draw(dice, np.cumsum(weights), 0, len(weights)) for _ in range(20)}
    assert all(weights[row] > 0 for row in drawn)


def test_rows_are_drawn_in_proportion_to_their_weight_within_the_range() -> None:
    dice, ends = _stream(1), np.cumsum([100.0, 1.0, 3.0, 100.0])
    drawn = np.bincount([draw(dice, ends, 1, 3) for _ in range(40_000)], minlength=4)
    assert drawn[0] == drawn[3] == 0
    assert abs(drawn[2] / 40_000 - 0.75) < 0.01


def test_distributions_have_their_means_and_spreads() -> None:
    dice = _stream(7)
    flat, bell, extreme = ([f(dice) for _ in range(50_000)] for f in (uniform, normal, gumbel))
    assert 0 < min(flat) < max(flat) < 1
    assert abs(np.mean(flat) - 0.5) < 0.01
    assert abs(np.mean(bell)) < 0.02
    assert abs(np.std(bell) - 1) < 0.02
    assert abs(np.mean(extreme) - np.euler_gamma) < 0.03
