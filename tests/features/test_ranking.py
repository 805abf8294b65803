"""The ranker's input, every column by hand; one candidate or a million get the same numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reco_assets.features.catalogue import (
    PRODUCT_FEATURES,
    RANKING_FEATURES,
    SOURCE_PLACES,
    SOURCE_SCORES,
    SOURCE_SHARES,
    USER_FEATURES,
    names,
)
from reco_assets.features.ranking import Floats, Int8s, Int32s, Int64s, ranking_features

HOUR = 3_600_000_000
DAY = 24 * HOUR
NOW = 1_700_000_000_000_000


@dataclass(frozen=True)
class Asked:
    """All that ``ranking_features`` reads, by the name of its parameter."""

    user: Floats
    favorite_category: int
    items: Int32s
    kinds: Int8s
    times: Int64s
    bought: Int32s
    candidates: Int32s
    scores: Floats
    links: Floats
    products: Floats
    category: Int32s
    department: Int32s
    brand: Int32s
    first_seen: Int64s
    now: int = NOW
    hour: int = 13
    weekday: int = 2
    device: int = 4
    keep: Int64s | None = None

    def matrix(self) -> Floats:
        return ranking_features(**{name: getattr(self, name) for name in self.__dataclass_fields__})

    def rows(self) -> list[dict[str, float]]:
        columns = names(RANKING_FEATURES)
        return [dict(zip(columns, map(float, row), strict=True)) for row in self.matrix()]


def user(**known: float) -> Floats:
    """User features; those that are not named are 0."""
    return np.array([known.get(name, 0.0) for name in names(USER_FEATURES)], np.float32)


def product(**known: float) -> list[float]:
    """Product features; those that are not named are 0."""
    return [known.get(name, 0.0) for name in names(PRODUCT_FEATURES)]


def said(**scores: float) -> list[float]:
    """One candidate's scores by source; sources that are not named say nothing."""
    return [scores.get(name.removeprefix("score_"), 0.0) for name in names(SOURCE_SCORES)]


#: Four products: two of one category, one of another in the same department, one of which little is known.
SMALL = Asked(
    user=user(
        total_events=9, clicks=6, purchases=1, add_to_carts=2, purchase_rate=0.06, categories_viewed=2,
        avg_price_point=20.0, avg_time_on_page=1500.0,
    ),
    favorite_category=1,
    # oldest first: product 0 clicked, 1 put into the cart, 0 clicked again
    items=np.array([0, 1, 0], np.int32),
    kinds=np.array([0, 1, 0], np.int8),
    times=np.array([NOW - 5 * HOUR, NOW - 3 * HOUR, NOW - 2 * HOUR], np.int64),
    bought=np.array([1], np.int32),
    candidates=np.array([1, 2, 3], np.int32),
    scores=np.array(
        [
            said(also_viewed=0.5, factors=0.25, repeat=2.0, category_popular=0.1, trending=-1.0, popular=0.3),
            said(also_viewed=1.0, popular=0.2),
            said(),
        ],
        np.float32,
    ),
    links=np.array([[0.5, 0.75, 2, 0, 0.25, 1], [1, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0]], np.float32),
    products=np.array(
        [
            product(price=10.0),
            product(
                popularity_score=3.0, conversion_rate=0.04, avg_rating=4.5, trend=0.7, clicks=11, purchases=2,
                add_to_carts=3, price=40.0, inventory_level=7,
            ),
            product(price=30.0),
            product(price=nan, inventory_level=nan),
        ],
        np.float32,
    ),
    category=np.array([0, 0, 1, -1], np.int32),
    department=np.array([0, 0, 0, -1], np.int32),
    brand=np.array([0, 1, 0, -1], np.int32),
    first_seen=np.array([NOW - 9 * DAY, NOW - 4 * DAY, NOW - 2 * DAY, NOW], np.int64),
)  # fmt: skip

#: What the first candidate, product 1, must get in every column.
EXPECTED = {
    "user_total_events": 9, "user_clicks": 6, "user_purchases": 1, "user_add_to_carts": 2,
    "user_purchase_rate": 0.06, "user_categories_viewed": 2, "user_avg_price_point": 20,
    "user_avg_time_on_page": 1500,
    "product_popularity_score": 3, "product_conversion_rate": 0.04, "product_avg_rating": 4.5,
    "product_trend": 0.7, "product_clicks": 11, "product_purchases": 2, "product_add_to_carts": 3,
    "product_price": 40, "product_inventory_level": 7,
    **dict.fromkeys(names(SOURCE_SCORES), 0.0),
    "score_also_viewed": 0.5, "score_factors": 0.25, "score_repeat": 2, "score_category_popular": 0.1,
    "score_trending": -1, "score_popular": 0.3,
    # against the best of all candidates: product 2 has more of also_viewed
    **dict.fromkeys(names(SOURCE_SHARES), 0.0),
    "share_also_viewed": 0.5, "share_factors": 1, "share_repeat": 1, "share_category_popular": 1,
    "share_popular": 1,
    **dict.fromkeys(names(SOURCE_PLACES), nan),
    "place_also_viewed": 1, "place_factors": 0, "place_repeat": 0, "place_category_popular": 0,
    "place_popular": 0,
    "last_also_viewed": 0.5, "most_also_viewed": 0.75, "named_also_viewed": 2,
    "last_next_viewed": 0, "most_next_viewed": 0.25, "named_next_viewed": 1,
    "sources": 5,  # a score below 0 speaks against it
    # weights by rank are 1/3, 1/2, 1, the newest counting most
    "recent_category": 1.0,  # all of category 0
    "recent_department": 1.0,
    "recent_brand": (1 / 2) / (1 / 3 + 1 / 2 + 1),  # its own cart event
    "last_category": 1, "favorite_category": 0,
    "price_to_user": 40 / 20, "price_to_session": 40 / ((10 + 40 + 10) / 3),
    "seen": 1, "seen_in_cart": 1, "bought_before": 1, "hours_since_seen": 3,
    "events_since_seen": 1, "product_age": 4,
    "session_events": 3, "session_products": 2, "session_departments": 1, "session_clicks": 2,
    "session_carts": 1, "session_price": 20, "hours_since_last": 2, "session_span": 3,
    "purchase_tier": 1, "hour": 13, "weekday": 2, "device": 4,
}  # fmt: skip


def test_every_column_of_the_catalogue_is_there_in_its_order() -> None:
    assert SMALL.matrix().shape == (3, len(RANKING_FEATURES))
    assert SMALL.matrix().dtype == np.float32
    assert list(EXPECTED) == list(names(RANKING_FEATURES))


@pytest.mark.parametrize("column", names(RANKING_FEATURES))
def test_the_column_is_what_the_catalogue_says(column: str) -> None:
    assert SMALL.rows()[0][column] == pytest.approx(EXPECTED[column], nan_ok=True)


def test_a_candidate_of_another_kind() -> None:
    """Product 2: never seen, of the favorite category, of the brand of product 0."""
    other = SMALL.rows()[1]
    assert other["recent_category"] == 0
    assert other["recent_department"] == 1
    assert other["recent_brand"] == pytest.approx((1 / 3 + 1) / (1 / 3 + 1 / 2 + 1))
    assert (other["last_category"], other["favorite_category"]) == (0, 1)
    assert (other["seen"], other["seen_in_cart"], other["bought_before"], other["sources"]) == (0, 0, 0, 2)
    assert isnan(other["hours_since_seen"])
    assert other["price_to_user"] == pytest.approx(1.5)


def test_what_is_unknown_stays_unknown() -> None:
    """Product 3 has no price, category, department or brand; two unknown ones are not the same one."""
    unknown = replace(
        SMALL, items=np.array([3], np.int32), kinds=SMALL.kinds[:1], times=SMALL.times[:1]
    ).rows()[2]
    for column in (
        "product_price",
        "product_inventory_level",
        "price_to_user",
        "price_to_session",
        "session_price",
    ):
        assert isnan(unknown[column])
    assert unknown["recent_category"] == unknown["recent_department"] == unknown["recent_brand"] == 0
    assert (unknown["last_category"], unknown["session_departments"], unknown["seen"]) == (0, 0, 1)


def test_somebody_nobody_knows() -> None:
    nobody = replace(
        SMALL,
        user=user(avg_price_point=nan, avg_time_on_page=nan),
        favorite_category=-1,
        items=SMALL.items[:0],
        kinds=SMALL.kinds[:0],
        times=SMALL.times[:0],
        bought=SMALL.bought[:0],
    ).rows()[0]
    for column in ("price_to_user", "price_to_session", "session_price", "hours_since_last", "session_span"):
        assert isnan(nobody[column])
    for column in (
        "recent_category",
        "last_category",
        "favorite_category",
        "session_events",
        "purchase_tier",
    ):
        assert nobody[column] == 0


def test_free_products_make_no_ratio() -> None:
    """A person who only looked at free products has no price point to compare with."""
    free = replace(
        SMALL,
        user=user(avg_price_point=0.0),
        products=np.where(np.arange(9) == 7, 0.0, SMALL.products).astype(np.float32),
    )
    assert all(isnan(row["price_to_user"]) and isnan(row["price_to_session"]) for row in free.rows())


@pytest.mark.parametrize(("rate", "tier"), [(0.0, 0), (0.05, 0), (0.051, 1), (0.1, 1), (0.101, 2)])
def test_purchase_tier_is_high_above_a_tenth_and_medium_above_a_twentieth(rate: float, tier: int) -> None:
    assert replace(SMALL, user=user(purchase_rate=rate)).rows()[0]["purchase_tier"] == tier


@given(order=st.permutations(range(3)))
def test_a_candidates_row_does_not_depend_on_its_place_in_the_list(order: list[int]) -> None:
    asked = replace(
        SMALL, candidates=SMALL.candidates[order], scores=SMALL.scores[order], links=SMALL.links[order]
    )
    np.testing.assert_array_equal(asked.matrix(), SMALL.matrix()[order])


def test_equal_scores_share_a_place() -> None:
    three = [said(popular=0.3), said(popular=0.5), said(popular=0.3)]
    places = [row["place_popular"] for row in replace(SMALL, scores=np.array(three, np.float32)).rows()]
    assert places == [1, 0, 1]


@given(wanted=st.lists(st.integers(0, 2), max_size=12))
def test_a_candidates_row_does_not_depend_on_which_rows_are_wanted(wanted: list[int]) -> None:
    some = replace(SMALL, keep=np.array(wanted, np.int64))
    np.testing.assert_array_equal(some.matrix(), SMALL.matrix()[wanted])


def test_the_order_of_the_scores_is_the_catalogues() -> None:
    first = names(RANKING_FEATURES).index(names(SOURCE_SCORES)[0])
    np.testing.assert_array_equal(SMALL.matrix()[:, first : first + len(SOURCE_SCORES)], SMALL.scores)


def test_scores_of_another_number_of_sources_are_refused() -> None:
    with pytest.raises(AssertionError, match="one column a source"):
        replace(SMALL, scores=SMALL.scores[:, :5]).matrix()


def test_what_it_reads_is_left_as_it_was() -> None:
    frozen = {
        name: getattr(SMALL, name).copy()
        for name in SMALL.__dataclass_fields__
        if isinstance(getattr(SMALL, name), np.ndarray)
    }
    SMALL.matrix()
    for name, before in frozen.items():
        np.testing.assert_array_equal(getattr(SMALL, name), before)
