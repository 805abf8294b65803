import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reco_assets.ranking.decisions import (
    OPEN_US,
    Decisions,
    Objective,
    last_distinct,
    outcomes,
    pasts,
    sample_decisions,
)
from tests.ranking.logs import SECOND, log


def at(user: int, second: int) -> Decisions:
    return Decisions(np.array([user], np.int32), np.array([second * SECOND], np.int64), np.zeros(1, np.int64))


SHOP = log(
    (0, 1, "click", 10),
    (0, 1, "add_to_cart", 20),
    (0, 2, "click", 30),
    (0, 2, "purchase", 40),
    (0, 3, "click", 50),
    (1, 4, "click", 15),
)


def test_the_past_is_what_happened_strictly_before() -> None:
    (past,) = pasts(SHOP, at(0, 30), recent=20, most_bought=8)
    assert past.items.tolist() == [1, 1]
    assert past.bought.tolist() == []


def test_the_past_keeps_only_the_last_events_and_remembers_purchases() -> None:
    (past,) = pasts(SHOP, at(0, 55), recent=1, most_bought=8)
    assert past.items.tolist() == [3]
    assert past.bought.tolist() == [2]


def test_an_outcome_takes_the_best_grade_of_each_product() -> None:
    (outcome,) = outcomes(SHOP, at(0, 25), last=100 * SECOND, objective=Objective())
    assert dict(zip(outcome.items.tolist(), outcome.grades.tolist(), strict=True)) == {2: 3, 3: 1}


OPEN = log((0, 1, "click", 10), (0, 1, "click", 20), (0, 2, "click", 30), (0, 1, "click", 40))


def test_opening_the_open_page_again_is_not_an_outcome() -> None:
    (outcome,) = outcomes(OPEN, at(0, 20), last=100 * SECOND, objective=Objective())
    assert outcome.items.tolist() == [2]


def test_what_is_open_and_put_into_the_cart_is_an_outcome() -> None:
    (outcome,) = outcomes(SHOP, at(0, 20), last=100 * SECOND, objective=Objective())
    assert dict(zip(outcome.items.tolist(), outcome.grades.tolist(), strict=True)) == {1: 2, 2: 3, 3: 1}


def test_a_page_is_open_until_the_visit_ends() -> None:
    later = OPEN_US // SECOND + 10
    again = log((0, 1, "click", 10), (0, 1, "click", later))
    (outcome,) = outcomes(again, at(0, later), last=2 * OPEN_US, objective=Objective())
    assert outcome.items.tolist() == [1]
    (outcome,) = outcomes(again, at(0, later - 1), last=2 * OPEN_US, objective=Objective())
    assert outcome.items.tolist() == []


def test_the_open_product_counts_where_the_objective_says_so() -> None:
    (outcome,) = outcomes(OPEN, at(0, 20), last=100 * SECOND, objective=Objective(open_page=True))
    assert outcome.items.tolist() == [1, 2]


def test_only_the_next_product_counts_where_the_objective_says_so() -> None:
    (outcome,) = outcomes(SHOP, at(0, 25), last=100 * SECOND, objective=Objective(only_next=True))
    assert dict(zip(outcome.items.tolist(), outcome.grades.tolist(), strict=True)) == {2: 3}


def test_an_objective_looks_as_far_ahead_as_it_says() -> None:
    (outcome,) = outcomes(SHOP, at(0, 25), last=100 * SECOND, objective=Objective(horizon_us=10 * SECOND))
    assert dict(zip(outcome.items.tolist(), outcome.grades.tolist(), strict=True)) == {2: 1}


def test_an_outcome_ends_where_its_stretch_of_time_ends() -> None:
    (outcome,) = outcomes(SHOP, at(0, 25), last=35 * SECOND, objective=Objective())
    assert outcome.items.tolist() == [2]
    assert outcome.grades.tolist() == [1]


def test_last_distinct_goes_by_the_last_occurrence() -> None:
    assert last_distinct(np.array([1, 2, 1, 3], np.int32), 2).tolist() == [1, 3]


@given(st.integers(0, 100), st.integers(1, 5), st.integers(1, 3))
def test_sampled_decisions_lie_in_their_stretch_in_order_and_within_bounds(
    seed: int, most: int, per_user: int
) -> None:
    found = sample_decisions(SHOP, 15 * SECOND, 45 * SECOND, most, per_user, seed)
    assert len(found) <= most
    assert (np.diff(found.time) >= 0).all()
    assert ((found.time >= 15 * SECOND) & (found.time < 45 * SECOND)).all()
    assert max(np.bincount(found.user), default=0) <= per_user
    assert (SHOP.time[found.at] == found.time).all()
