"""Also viewed knows the direction, bought together knows the basket, and both agree with plain loops."""

from __future__ import annotations

from collections import defaultdict
from math import exp

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.candidates.covisitation import (
    LINKING,
    AlsoViewed,
    BoughtTogether,
    NextViewed,
    ViewedThenBought,
)
from reco_assets.candidates.fit_kernels import cooccurrence
from reco_assets.candidates.retriever import Scratch, by_item
from reco_assets.events.contract import EventType
from tests.candidates.shops import NOW, Did, buy, cart, click, log, pairs, past, shop, top

ABC = shop("a", "b", "c")


def test_what_came_next_counts_more_than_what_came_before() -> None:
    chain = [click(user, item, ago=3 - at) for user in "uvw" for at, item in enumerate("abc")]
    viewed = AlsoViewed.fit(log(ABC, *chain), ABC, NOW)

    assert list(top(viewed, ABC, past(ABC, "a"))) == ["b", "c"]
    assert list(top(viewed, ABC, past(ABC, "b"))) == ["c", "a"]
    assert list(top(viewed, ABC, past(ABC, "c"))) == ["b", "a"]
    after_b = top(viewed, ABC, past(ABC, "b"))
    # half as much backwards; the event that leads to c is a day younger than the one that leads to a
    assert after_b["a"] == pytest.approx(after_b["c"] / 2)


def test_each_step_in_between_weakens_the_link() -> None:
    chain = [click("u", item, ago=3 - at) for at, item in enumerate("abc")]
    after_a = top(AlsoViewed.fit(log(ABC, *chain), ABC, NOW), ABC, past(ABC, "a"))
    assert after_a["c"] == pytest.approx(after_a["b"] * exp(-1 / 3))


def test_looking_again_at_the_open_page_is_no_step() -> None:
    once = log(ABC, click("u", "a", ago=3), click("u", "b", ago=1))
    twice = log(ABC, click("u", "a", ago=3), click("u", "a", ago=2), click("u", "b", ago=1))
    assert list(pairs(AlsoViewed.fit(once, ABC, NOW), ABC)) == list(
        pairs(AlsoViewed.fit(twice, ABC, NOW), ABC)
    )


def test_the_last_product_of_one_person_leads_nowhere_in_the_next() -> None:
    apart = log(ABC, click("u", "a"), click("v", "b"))
    assert list(pairs(AlsoViewed.fit(apart, ABC, NOW), ABC)) == []


def test_a_bestseller_is_not_everybodys_neighbour() -> None:
    items = shop("bestseller", "kin", "seen")
    together = [event for user in "uvw" for event in (click(user, "seen", ago=2), click(user, "kin", ago=1))]
    crowd = [click(f"x{n}", "bestseller") for n in range(200)]
    also = [
        event for user in "rst" for event in (click(user, "seen", ago=2), click(user, "bestseller", ago=1))
    ]
    viewed = AlsoViewed.fit(log(items, *together, *crowd, *also), items, NOW)
    assert list(top(viewed, items, past(items, "seen"))) == ["kin", "bestseller"]


def test_old_company_fades() -> None:
    new = [click("u", "a", ago=1.1), click("u", "b", ago=1)]
    old = [click("v", "a", ago=61.1), click("v", "c", ago=61)]
    after_a = top(AlsoViewed.fit(log(ABC, *new, *old), ABC, NOW), ABC, past(ABC, "a"))
    assert after_a["c"] == pytest.approx(after_a["b"] / 2, rel=1e-4)


def test_company_of_a_century_ago_counts_for_nothing() -> None:
    ancient = [click(user, item, ago=36_500 - at) for user in "uvw" for at, item in enumerate("abc")]
    assert list(pairs(AlsoViewed.fit(log(ABC, *ancient), ABC, NOW), ABC)) == []


def test_a_basket_goes_together_both_ways_and_another_day_does_not() -> None:
    basket = [buy("u", "a", ago=5.01), buy("u", "b", ago=5), buy("u", "c", ago=2)]
    together = BoughtTogether.fit(log(ABC, *basket), ABC, NOW)
    assert {(one, other) for one, other, _ in pairs(together, ABC)} == {("a", "b"), ("b", "a")}
    (forward, backward) = (score for _, _, score in pairs(together, ABC))
    assert forward == pytest.approx(backward, rel=1e-3)


def test_only_purchases_make_a_basket() -> None:
    looked = [click("u", "a"), cart("u", "b"), buy("u", "c")]
    assert list(pairs(BoughtTogether.fit(log(ABC, *looked), ABC, NOW), ABC)) == []


def minutes(*events: tuple[str, str]) -> list[Did]:
    """Clicks of one person after the other, a minute apart, of the last hour: nothing has faded."""
    return [click(user, item, ago=(60 - at) / 1440) for at, (user, item) in enumerate(events)]


def test_what_is_next_is_the_share_of_all_that_followed() -> None:
    walks = minutes(("u", "a"), ("u", "b"), ("u", "c"), ("v", "a"), ("v", "b"), ("w", "a"), ("w", "c"))
    following = {
        (one, other): score for one, other, score in pairs(NextViewed.fit(log(ABC, *walks), ABC, NOW), ABC)
    }
    # a was opened three times: b came next twice, c once, and once more a step later
    assert following == {
        ("a", "b"): pytest.approx(2 / 3, rel=1e-3),
        ("a", "c"): pytest.approx((1 + exp(-1 / 0.7)) / 3, rel=1e-3),
        ("b", "c"): pytest.approx(1 / 2, rel=1e-3),
    }


def test_of_what_is_next_the_popular_stay_in_front() -> None:
    crowd = [click(f"x{n}", "b", ago=0.01) for n in range(50)]
    walks = minutes(("u", "a"), ("u", "b"), ("v", "a"), ("v", "c"), ("w", "a"), ("w", "b"))
    fitted = NextViewed.fit(log(ABC, *walks, *crowd), ABC, NOW)
    assert top(fitted, ABC, past(ABC, "a")) == {
        "b": pytest.approx(2 / 3, rel=1e-3),
        "c": pytest.approx(1 / 3, rel=1e-3),
    }


def test_what_is_next_is_asked_of_the_last_product_and_a_sixth_of_the_one_before() -> None:
    items = shop("a", "b", "c", "d")
    fitted = NextViewed.fit(log(items, *minutes(("u", "a"), ("u", "c"), ("v", "b"), ("v", "d"))), items, NOW)
    asked = top(fitted, items, past(items, "a", "b"))
    assert list(asked) == ["d", "c"]
    assert asked["c"] / asked["d"] == pytest.approx(exp(-1.8), rel=1e-3)


def test_who_looked_at_it_bought_that_in_the_end() -> None:
    looked = [click("u", "a", ago=0.03), click("u", "b", ago=0.02), buy("u", "c", ago=0.01)]
    found = {
        (one, other): score
        for one, other, score in pairs(ViewedThenBought.fit(log(ABC, *looked), ABC, NOW), ABC)
    }
    # what was only looked at is nobody's neighbour, and nothing leads back from what was bought
    assert found == {
        ("a", "c"): pytest.approx(exp(-1 / 20), rel=1e-3),
        ("b", "c"): pytest.approx(1.0, rel=1e-3),
    }


def test_what_was_bought_on_another_day_or_much_later_was_not_looked_for() -> None:
    days = [click("u", "a", ago=3), buy("u", "c", ago=1.9)]
    assert list(pairs(ViewedThenBought.fit(log(ABC, *days), ABC, NOW), ABC)) == []

    def after(steps: int) -> set[tuple[str, str]]:
        between = [click("u", "b", ago=(40 - at) / 1440) for at in range(steps - 1)]
        events = [click("u", "a", ago=50 / 1440), *between, buy("u", "c", ago=1 / 1440)]
        return {
            (one, other) for one, other, _ in pairs(ViewedThenBought.fit(log(ABC, *events), ABC, NOW), ABC)
        }

    assert after(20) == {("a", "c"), ("b", "c")}
    assert after(21) == {("b", "c")}


def test_what_all_buy_is_not_what_the_look_led_to() -> None:
    items = shop("seen", "kin", "bestseller")
    led = [
        event
        for user in "uv"
        for event in (
            click(user, "seen", ago=0.03),
            buy(user, "kin", ago=0.02),
            buy(user, "bestseller", ago=0.01),
        )
    ]
    crowd = [buy(f"x{n}", "bestseller", ago=0.02) for n in range(60)]
    found = top(ViewedThenBought.fit(log(items, *led, *crowd), items, NOW), items, past(items, "seen"))
    assert list(found) == ["kin", "bestseller"]
    # 2 and 62 people have it, and it is one step further away
    assert found["bestseller"] / found["kin"] == pytest.approx((62 / 2) ** -0.4 * exp(-1 / 20), rel=1e-3)


def test_the_last_occurrences_are_enough() -> None:
    # a -> b long ago, a -> c lately; with one occurrence an item only the late one is walked
    events = log(
        ABC, click("u", "a", ago=9), click("u", "b", ago=8), click("v", "a", ago=2), click("v", "c", ago=1)
    )
    ptr, postings = by_item(events)
    ones = np.ones(len(events), np.float32)
    counts, found, _ = cooccurrence(
        ptr, postings, events.user, events.item, events.time, ones, ones,
        np.ones(3, np.float32), np.ones(3, np.float32),
        8, 2**62, 3.0, 0.5, 1, 10, numba.get_num_threads(),
    )  # fmt: skip
    assert found[0, : counts[0]].tolist() == [2]


Walks = st.lists(
    st.builds(
        Did,
        user=st.sampled_from("uvw"),
        product=st.sampled_from("abcdefgh"),
        kind=st.sampled_from([EventType.click, EventType.purchase]),
        # whole days: distinct enough for an order, and ties are in
        ago=st.integers(0, 90).map(float),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(events=Walks)
def test_also_viewed_is_what_plain_loops_count(events: list[Did]) -> None:
    items = shop(*"abcdefgh")
    learned = log(items, *events)
    expected = _counted(learned.user.tolist(), learned.item.tolist(), learned.time.tolist())
    found = {
        (items.row(one), items.row(other)): score
        for one, other, score in pairs(AlsoViewed.fit(learned, items, NOW), items)
    }
    assert set(found) == set(expected)
    for pair, score in found.items():
        assert score == pytest.approx(expected[pair], rel=1e-4)


def _counted(users: list[int], products: list[int], times: list[int]) -> dict[tuple[int, int], float]:
    """The definition of also viewed: every pair of steps of a person, at most 8 apart."""
    steps = [
        (user, item, time)
        for at, (user, item, time) in enumerate(zip(users, products, times, strict=True))
        if at == 0 or (users[at - 1], products[at - 1]) != (user, item)
    ]
    popularity = {item: sum(step[1] == item for step in steps) for item in products}
    sums: dict[tuple[int, int], float] = defaultdict(float)
    for at, (user, item, time) in enumerate(steps):
        for to, (other_user, other, _) in enumerate(steps):
            distance = abs(to - at)
            if other_user != user or other == item or not 1 <= distance <= 8:
                continue
            recency = 2.0 ** (-(NOW - time) / (60 * 86_400e6))
            direction = 1.0 if to > at else 0.5
            weight = recency * direction * exp(-(distance - 1) / 3)
            sums[item, other] += weight * (popularity[item] * popularity[other]) ** -0.4
    return sums


def test_single_products_of_the_history_are_asked_for_what_they_say() -> None:
    items = shop("a", "b", "c", "d", "e")
    fitted = NextViewed(
        indptr=np.array([0, 2, 4, 5, 5, 5]),
        indices=np.array([3, 2, 3, 4, 3], np.int32),
        weights=np.array([0.5, 0.25, 0.75, 0.125, 1.0], np.float32),
    )
    told = past(items, "c", "b", "a", "b", "a")
    scratch = Scratch(len(items))
    for _ in range(2):  # the working memory is clean again
        whole = np.zeros((4, 5), np.float32)
        fitted.links(told, np.array([3, 2, 4, 0], np.int32), scratch, whole, 1)
        out = whole[:, 1:4]
        assert not whole[:, [0, 4]].any()
        # a, the newest, says .5 of d and .25 of c; b says .75 of d and .125 of e; c says 1 of d
        assert out.tolist() == [[0.5, 1.0, 3.0], [0.25, 0.25, 1.0], [0.0, 0.125, 1.0], [0.0, 0.0, 0.0]]
    assert not scratch.dense.any()


def test_of_a_long_history_the_last_products_are_asked() -> None:
    items = shop(*(f"p{n}" for n in range(LINKING + 2)))
    rows = np.arange(LINKING + 2)
    fitted = NextViewed(np.arange(LINKING + 3), (rows * 0).astype(np.int32), np.ones(len(rows), np.float32))
    out = np.zeros((1, 3), np.float32)
    fitted.links(past(items, *items.ids.tolist()), np.array([0], np.int32), Scratch(len(items)), out, 0)
    assert out.tolist() == [[1.0, 1.0, LINKING]]


def test_of_nothing_nothing_is_said() -> None:
    items = shop("a", "b")
    fitted = NextViewed(np.array([0, 1, 1]), np.array([1], np.int32), np.ones(1, np.float32))
    out = np.zeros((1, 3), np.float32)
    fitted.links(past(items), np.array([1], np.int32), Scratch(len(items)), out, 0)
    assert out.tolist() == [[0.0, 0.0, 0.0]]
