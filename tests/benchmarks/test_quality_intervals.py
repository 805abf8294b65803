import numpy as np
import pytest

from benchmarks.quality.intervals import bootstrap_intervals


def test_an_interval_lies_round_the_mean_and_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, (400, 1))
    low, high = bootstrap_intervals(values, np.arange(400))
    assert low[0] < values.mean() < high[0]
    assert high[0] - low[0] == pytest.approx(2 * 1.96 * 2.0 / 20, rel=0.15)


def test_intervals_cover_the_true_mean_nearly_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        low, high = bootstrap_intervals(rng.random((60, 1)), np.arange(60), rounds=200)
        covered += int(low[0] <= 0.5 <= high[0])
    assert 175 <= covered <= 199


def test_questions_of_one_person_are_drawn_together() -> None:
    values = np.repeat(np.random.default_rng(2).random((50, 1)), 20, axis=0)
    group = np.repeat(np.arange(50), 20)
    alone, together = (bootstrap_intervals(values, one) for one in (np.arange(1000), group))
    assert together[1] - together[0] > 3 * (alone[1] - alone[0])


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(3).random((30, 2))
    one, other = (bootstrap_intervals(values, np.arange(30)) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_what_never_varies_has_an_interval_of_no_width() -> None:
    low, high = bootstrap_intervals(np.full((10, 1), 0.25), np.arange(10))
    assert low[0] == high[0] == 0.25
