"""Reading a list: answers that can be proved."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reco_assets.simulator.viewing import Doubles, Luck, Reaction, Viewing, read_list

SHOPPERS = 20_000
USUAL = 1.6


def luck(random: np.random.Generator, places: int) -> Luck:
    return Luck(random.random(places), random.random(places), random.random(places))


def opened(viewing: Viewing, utilities: Doubles, seed: int = 1) -> Doubles:
    """Share of many shoppers who open each place."""
    random = np.random.default_rng(seed)
    stock = np.ones(len(utilities), np.bool_)
    count = np.zeros(len(utilities))
    for _ in range(SHOPPERS):
        count += read_list(viewing, utilities, stock, USUAL, 1.0, luck(random, len(utilities))).opened
    return count / SHOPPERS


def test_without_position_bias_equal_products_are_opened_alike_in_every_place() -> None:
    viewing = Viewing(position_bias=0.0, reluctance=1.0)
    shares = opened(viewing, np.ones(6))
    # four standard deviations of a fair coin
    assert np.abs(shares - 0.5).max() < 4 * 0.5 / np.sqrt(SHOPPERS)


def test_the_best_product_is_opened_most_and_the_order_is_that_of_utility() -> None:
    viewing = Viewing(position_bias=0.0, reluctance=2.0)
    shares = opened(viewing, np.array([0.0, 3.0, 1.0, 2.0]))
    assert np.argsort(-shares).tolist() == [1, 3, 2, 0]


def test_with_position_bias_equal_products_are_opened_less_further_down() -> None:
    shares = opened(Viewing(position_bias=1.0, reluctance=1.0), np.ones(4))
    assert np.abs(shares - 0.5 / np.arange(1, 5)).max() < 4 * 0.5 / np.sqrt(SHOPPERS)


@given(
    bias=st.floats(0.0, 3.0),
    more=st.floats(0.01, 2.0),
    utilities=st.lists(st.floats(-5.0, 9.0), min_size=1, max_size=30),
    seed=st.integers(0, 1000),
)
def test_a_stronger_bias_opens_a_part_of_what_a_weaker_one_opens(
    bias: float, more: float, utilities: list[float], seed: int
) -> None:
    """With the same luck nothing new is opened, and the first place is as before."""
    values, chance = np.array(utilities), luck(np.random.default_rng(seed), len(utilities))
    stock = np.ones(len(values), np.bool_)
    weak, strong = (
        read_list(Viewing(position_bias=one), values, stock, USUAL, 1.0, chance)
        for one in (bias, bias + more)
    )
    assert not (strong.opened & ~weak.opened).any()
    assert strong.opened[0] == weak.opened[0]


@given(
    utilities=st.lists(st.floats(-5.0, 9.0), min_size=1, max_size=30),
    better=st.floats(0.0, 5.0),
    seed=st.integers(0, 1000),
)
def test_a_better_list_loses_nobody_with_the_same_luck(
    utilities: list[float], better: float, seed: int
) -> None:
    values, chance = np.array(utilities), luck(np.random.default_rng(seed), len(utilities))
    stock = np.ones(len(values), np.bool_)
    one, other = (
        read_list(Viewing(), shown, stock, USUAL, 1.0, chance) for shown in (values, values + better)
    )
    assert not (one.opened & ~other.opened).any()
    assert not (one.bought & ~other.bought).any()


def test_only_what_was_opened_and_is_in_stock_is_bought() -> None:
    sure = Luck(np.zeros(3), np.array([0.0, 0.0, 1.0]), np.zeros(3))
    found = read_list(Viewing(), np.full(3, 9.0), np.array([True, False, True]), USUAL, 1.0, sure)
    assert found.opened.tolist() == [True, True, False]
    assert found.bought.tolist() == [True, False, False]


@pytest.mark.parametrize("will", [0.25, 1.0, 1.2])
def test_a_purchase_is_rarer_than_a_click_and_follows_utility(will: float) -> None:
    bought = Viewing().buys(np.array([0.0, 1.6, 4.0]), USUAL, will)
    assert (np.diff(bought) > 0).all()
    assert 0 < bought[0] < bought[-1] < 1


def test_a_list_of_nothing_moves_nobody() -> None:
    nothing = np.empty(0)
    found = read_list(Viewing(), nothing, np.empty(0, np.bool_), USUAL, 1.0, Luck(nothing, nothing, nothing))
    assert isinstance(found, Reaction)
    assert len(found.opened) == 0
