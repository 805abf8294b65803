"""Variety of an answer: what it never costs, and what it brings where that can be proved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.candidates.factors import Factors
from reco_assets.errors import BadInput
from reco_assets.recommender.recommend import recommend
from reco_assets.recommender.state import empty_state
from reco_assets.recommender.types import Floats, Int32s, Int64s, Policy, Request
from reco_assets.recommender.variety import first_varied, likeness
from tests.candidates.shops import NOW
from tests.recommender.shops import Shape, bundle

Ranked = tuple[Floats, Int32s, Int32s, Floats]


@st.composite
def ranked(draw: st.DrawFn, most: int = 12) -> Ranked:
    """Scores, best first, with categories, brands and factors, each known or not."""
    size = draw(st.integers(1, most))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    scores = np.sort(rng.choice([0.0, 0.5, 1.0, 2.5], size))[::-1].astype(np.float32)
    factors = rng.normal(size=(size, draw(st.sampled_from([0, 2, 8])))).astype(np.float32)
    factors[rng.random(size) < 0.2] = 0.0
    codes = rng.integers(-1, 3, (2, size)).astype(np.int32)
    return scores, codes[0], codes[1], factors


def between(places: Int64s, alike: Floats) -> float:
    """Intra-list diversity: how unlike the products of a list are, on average over its pairs."""
    pairs = alike[np.ix_(places, places)][np.triu_indices(len(places), 1)]
    return float(1.0 - pairs.mean()) if len(pairs) else 0.0


@settings(max_examples=200, deadline=None)
@given(given_=ranked(), low=st.floats(0, 0.98), high=st.floats(0, 0.98))
def test_of_two_products_more_diversity_never_takes_a_more_alike_second(
    given_: Ranked, low: float, high: float
) -> None:
    """Provable: the first stays, and the second trades score for likeness at a rate that only rises."""
    alike = likeness(*given_[1:])
    less, more = (first_varied(*given_, 2, 99, weight) for weight in sorted((low, high)))
    assert less[0] == more[0] == 0
    assert between(more, alike) >= between(less, alike) - 1e-4


@pytest.mark.parametrize("size", [2, 3, 5, 8])
def test_more_diversity_means_more_diverse_answers_on_average(size: int) -> None:
    rng = np.random.default_rng(5)
    reached = []
    shops = [
        (
            np.sort(rng.normal(size=60))[::-1].astype(np.float32),
            rng.integers(0, 6, 60).astype(np.int32),
            rng.integers(0, 9, 60).astype(np.int32),
            rng.normal(size=(60, 8)).astype(np.float32),
        )
        for _ in range(40)
    ]
    for weight in (0.0, 0.1, 0.3, 0.6, 0.9):
        found = [between(first_varied(*one, size, 99, weight), likeness(*one[1:])) for one in shops]
        reached.append(float(np.mean(found)))
    assert reached == sorted(reached)
    assert reached[-1] > reached[0] + 0.05


@settings(max_examples=200, deadline=None)
@given(given_=ranked(), n=st.integers(1, 15), cap=st.integers(1, 3), weight=st.floats(0.01, 0.98))
def test_each_place_goes_to_the_best_that_is_left(given_: Ranked, n: int, cap: int, weight: float) -> None:
    """The kernel against the definition, place after place."""
    scores, category = given_[0], given_[1]
    alike = likeness(*given_[1:])
    span = float(scores.max() - scores.min())
    relevance = (scores - scores.min()) / span if span else np.zeros(len(scores))
    found = first_varied(*given_, n, cap, weight).tolist()
    for at, taken in enumerate(found):
        front = found[:at]
        left = [
            place
            for place in range(len(scores))
            if place not in front
            and (category[place] < 0 or sum(category[one] == category[place] for one in front) < cap)
        ]
        value = {
            place: (1 - weight) * relevance[place]
            - weight * max((float(alike[place, one]) for one in front), default=0.0)
            for place in left
        }
        assert taken in left
        assert value[taken] >= max(value.values()) - 1e-5
    assert len(set(found)) == len(found)
    if len(found) < min(n, len(scores)):
        assert all(category[place] >= 0 for place in set(range(len(scores))) - set(found))


def test_an_example() -> None:
    """Two shoes lead by little; with some diversity a hat comes between them."""
    scores = np.array([1.0, 0.9, 0.8, 0.0], np.float32)
    shoe, hat, unknown = 0, 1, np.full(4, -1, np.int32)
    category = np.array([shoe, shoe, hat, hat], np.int32)
    nothing = np.empty((4, 0), np.float32)
    assert first_varied(scores, category, unknown, nothing, 3, 9, 0.0).tolist() == [0, 1, 2]
    assert first_varied(scores, category, unknown, nothing, 3, 9, 0.3).tolist() == [0, 2, 1]


def test_what_nothing_is_known_of_is_like_nothing() -> None:
    unknown, nothing = np.full(3, -1, np.int32), np.empty((3, 0), np.float32)
    assert not likeness(unknown, unknown, nothing).any()
    scores = np.array([3.0, 2.0, 1.0], np.float32)
    assert first_varied(scores, unknown, unknown, nothing, 3, 1, 0.9).tolist() == [0, 1, 2]


SHOP = Shape(products=30, categories=6, events=300, sold_out=0.0, with_ranker=True, seed=1)


@pytest.mark.parametrize("seen", [(7, 3), (3,), (1, 2), ()])
def test_the_best_product_stays_first_and_the_answer_becomes_more_varied(seen: tuple[int, ...]) -> None:
    shop = bundle(SHOP)
    free = Policy(max_per_category=1.0)
    answers = [
        recommend(Request(n=6, session_items=seen), empty_state(), shop, rules, NOW)
        for rules in (free, replace(free, diversity=0.0), replace(free, diversity=0.8))
    ]
    plain, zero, much = ([one.item for one in answer.recommendations] for answer in answers)
    assert plain == zero
    assert much[0] == plain[0]
    table, source = shop.items, shop.sources.retrievers["factors"]
    assert isinstance(source, Factors)
    alike = likeness(table.category, table.brand, source.factors)
    assert between(np.array(much), alike) > between(np.array(plain), alike)


@pytest.mark.parametrize("diversity", [-0.1, 1.0, float("nan")])
def test_a_policy_without_any_relevance_is_refused(diversity: float) -> None:
    with pytest.raises(BadInput, match="diversity"):
        Policy(diversity=diversity)
