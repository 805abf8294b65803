"""Visits to a live shop: what they are made of, and that luck does not depend on who made the list."""

from __future__ import annotations

import numpy as np
import pytest

from reco_assets.simulator.parameters import DAY_US, Parameters
from reco_assets.simulator.schedule import schedule
from reco_assets.simulator.viewing import Viewing
from reco_assets.simulator.visits import LiveDay
from reco_assets.simulator.world import world

PARAMETERS = Parameters(users=300, products=200, days=12, seed=4)


@pytest.fixture(scope="module")
def day() -> LiveDay:
    hidden = world(PARAMETERS)
    return LiveDay.of(hidden, schedule(PARAMETERS, hidden.products), 11, Viewing(reluctance=0.0))


def test_visits_are_of_their_day_in_order_and_always_the_same(day: LiveDay) -> None:
    visits = day.visits(200, 0.5)
    times = [visit.time for visit in visits]
    assert times == sorted(times)
    assert day.start_us <= times[0] <= times[-1] < day.start_us + DAY_US
    assert visits == day.visits(200, 0.5)
    assert 60 < sum(visit.finds >= 0 for visit in visits) < 140
    assert sum(visit.finds >= 0 for visit in day.visits(200, 0.0)) == 0


def test_somebody_finds_products_of_the_category_that_they_came_for(day: LiveDay) -> None:
    leaves = day.world.products.leaf
    assert all(leaves[visit.finds] == visit.leaf for visit in day.visits(200, 1.0))


def test_the_wish_of_the_visit_boredom_and_what_is_owned_move_the_utility(day: LiveDay) -> None:
    visit = day.visits(1, 0.0)[0]
    here = np.flatnonzero(day.world.products.leaf == visit.leaf)[:3]
    elsewhere = np.flatnonzero(day.world.products.leaf != visit.leaf)[:3]
    products = np.concatenate([here, elsewhere])
    fresh = day.utilities(visit, products, {}, set())
    bored = day.utilities(visit, products, {int(products[0]): 2}, set())
    assert (fresh - bored).tolist() == pytest.approx([2 * day.viewing.boredom, 0, 0, 0, 0, 0])
    true = day.world.utility(np.array([visit.user]), products)[0]
    aversion = day.world.users.vectors[visit.user, -1]
    moved = np.log(day.prices[products] / day.world.products.price[products]) * aversion * 0.4 / 0.45
    wish = np.array([day.viewing.wish] * 3 + [0.0] * 3)
    np.testing.assert_allclose(fresh, true + moved + wish, rtol=1e-4, atol=1e-4)


def test_a_product_in_the_same_place_of_two_lists_has_the_same_luck(day: LiveDay) -> None:
    """Common random numbers: the other products of a list change nothing for this one."""
    dice = np.random.default_rng(2)
    for visit in day.visits(40, 0.0):
        one, other = dice.choice(len(day.prices), (2, 10), replace=False)
        other[3] = one[3]
        first = day.reads(visit, 0, one, {}, set(), visit.time)
        second = day.reads(visit, 0, other, {}, set(), visit.time)
        assert first.opened[3] == second.opened[3]
        assert first.bought[3] == second.bought[3]
        again = day.reads(visit, 0, one, {}, set(), visit.time)
        np.testing.assert_array_equal(again.opened, first.opened)


def test_another_page_is_looked_at_with_other_luck(day: LiveDay) -> None:
    products = np.arange(30)
    reactions = [
        [day.reads(visit, page, products, {}, set(), visit.time).opened.tolist() for page in range(3)]
        for visit in day.visits(10, 0.0)
    ]
    assert any(pages[0] != pages[1] for pages in reactions)


def test_what_is_out_of_stock_is_not_bought(day: LiveDay) -> None:
    tables = day.tables
    out = np.flatnonzero(tables.out_to > tables.out_from)
    if not len(out):
        pytest.fail("the day has no product that is out of stock: choose another seed")
    for visit in day.visits(30, 0.0):
        middle = (max(0, int(tables.out_from[out[0]])) + min(DAY_US, int(tables.out_to[out[0]]))) // 2
        found = day.reads(visit, 0, np.repeat(out[:1], 20), {}, set(), day.start_us + middle)
        assert not found.bought.any()
