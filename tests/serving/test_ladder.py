"""What a rung takes is learned and forgotten; the best affordable one is taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reco_serving.ladder import CHEAP, LADDER, Cost, affordable


def costs(*milliseconds: float) -> dict[str, Cost]:
    """Steady rungs that take so long, in the order of the ladder."""
    return {rung: Cost(ms / 1e3, ms / 1e3, 0.0, 0.0) for rung, ms in zip(LADDER, milliseconds, strict=True)}


STEADY = costs(3.0, 2.0, 0.3, 0.2)


@pytest.mark.parametrize(
    ("left_ms", "rung"),
    [(100, "full"), (2.5, "no_ranker"), (1, "category_popular"), (0.25, "popular"), (0, "popular")],
)
def test_the_best_rung_that_is_in_time_answers(left_ms: float, rung: str) -> None:
    assert affordable(LADDER, STEADY, 0.0, left_ms / 1e3, 0, 0.0, 0.05) == rung


@pytest.mark.parametrize(
    ("others", "rung"),
    [(0, "full"), (16, "full"), (17, "no_ranker"), (26, "category_popular"), (167, "popular")],
)
def test_the_more_wait_the_cheaper_is_the_answer(others: int, rung: str) -> None:
    assert affordable(LADDER, STEADY, 0.0, 0.1, others, 0.0, 0.05) == rung


def test_what_passes_between_answers_counts() -> None:
    assert affordable(LADDER, STEADY, 0.0, 0.1, 10, 0.0, 0.05) == "full"
    assert affordable(LADDER, STEADY, 0.0, 0.1, 10, 0.0025, 0.05) == "no_ranker"


def test_in_an_overload_only_cheap_answers_are_made() -> None:
    assert affordable(CHEAP, STEADY, 0.0, 0.1, 0, 0.0, 0.05) == "category_popular"
    assert affordable(CHEAP, STEADY, 0.0, 0.00025, 0, 0.0, 0.05) == "popular"


def test_an_estimate_follows_what_is_observed() -> None:
    cost = Cost(0.001, 0.001, 0.0, 0.0)
    cost.observe(1.0, 0.0)  # a stall counts as four times the mean
    assert cost.expected(0.0) == pytest.approx(0.001 + 0.003 / 16)
    for step in range(200):
        cost.observe(0.005, step / 100)
    assert cost.expected(2.0) == pytest.approx(0.005, rel=0.01)
    assert cost.within(2.0) == pytest.approx(0.005, rel=0.1)


def test_a_rung_that_was_slow_once_is_tried_again() -> None:
    cost = Cost(0.001, 0.5, 0.1, at=0.0)
    assert cost.within(0.0) == pytest.approx(0.8)
    assert cost.expected(2.0) == pytest.approx(0.2505)
    assert cost.within(60.0) == pytest.approx(0.001)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=50), st.floats(0.0, 100.0))
def test_an_estimate_stays_within_what_was_seen(seconds: list[float], pause: float) -> None:
    cost = Cost.of(seconds[:1], 0.0)
    for number, one in enumerate(seconds):
        cost.observe(one, number * pause)
    last = (len(seconds) - 1) * pause
    low, high = min(*seconds, seconds[0]), max(*seconds, seconds[0])
    assert low - 1e-9 <= cost.expected(last) <= high + 1e-9
