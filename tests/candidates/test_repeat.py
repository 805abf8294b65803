"""People come back: to coffee when it is finished, to what they looked at for a while, to a sofa never."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.candidates.renewal import BINS, shrunk
from reco_assets.candidates.repeat import Repeat
from reco_assets.candidates.retriever import History
from tests.candidates.shops import NOW, Did, Product, buy, cart, click, log, past, shop, top

SHOP = shop(
    Product("coffee", category="food"),
    Product("tea", category="food"),
    Product("sofa", category="rooms"),
    Product("lamp", category="rooms"),
    Product("unsorted"),
)


def households(n: int = 50) -> list[Did]:
    """``n`` people who buy coffee every 27 to 32 days and bought a sofa once."""
    coffee = [
        buy(f"u{one:02d}", "coffee", ago=200.0 - one % 30 - order * 30 + (one + 3 * order) % 5)
        for one in range(n)
        for order in range(6)
    ]
    return [*coffee, *(buy(f"u{one:02d}", "sofa", ago=100.0 + one) for one in range(n))]


def learned(*more: Did) -> Repeat:
    return Repeat.fit(log(SHOP, *households(), *more), SHOP, NOW)


def bought(product: str, *, ago: float) -> History:
    return past(SHOP, buy("me", product, ago=ago))


def probability(source: Repeat, seen: History) -> float:
    """That the one product bought before is bought again soon."""
    _, again = source.again(seen)
    return float(again[0])


def test_coffee_is_due_after_a_month_and_not_after_two_days() -> None:
    source = learned()
    assert probability(source, bought("coffee", ago=2)) < 0.01
    assert probability(source, bought("coffee", ago=14)) < 0.05
    assert probability(source, bought("coffee", ago=30)) > 0.5
    scores = [top(source, SHOP, bought("coffee", ago=ago)).get("coffee", 0.0) for ago in (2, 14, 30)]
    assert scores[0] < 0.01
    assert scores[2] > 10 * scores[1]


@pytest.mark.parametrize("ago", [0.1, 2, 30, 150])
def test_what_nobody_buys_twice_is_not_wanted_again(ago: float) -> None:
    assert probability(learned(), bought("sofa", ago=ago)) < 0.03


def test_what_few_have_bought_is_known_by_its_category() -> None:
    source = learned(buy("x", "tea", ago=9), buy("y", "lamp", ago=9))
    tea = probability(source, bought("tea", ago=30))
    lamp = probability(source, bought("lamp", ago=30))
    unsorted = probability(source, bought("unsorted", ago=30))
    assert tea > 0.4
    assert lamp < unsorted < tea


def test_people_who_have_not_bought_again_yet_count_as_well() -> None:
    gone = [buy(f"gone{one:03d}", "coffee", ago=150) for one in range(150)]
    assert probability(learned(*gone), bought("coffee", ago=30)) < probability(
        learned(), bought("coffee", ago=30)
    )


def test_an_order_of_several_lines_is_one_purchase() -> None:
    lines = [buy(f"u{one}", "sofa", ago=50 + line / 1000) for one in range(60) for line in range(3)]
    source = Repeat.fit(log(SHOP, *lines), SHOP, NOW)
    assert not source.rates.any()


def test_the_minute_after_nothing_is_due_even_what_is_bought_every_few_days() -> None:
    milk = [buy(f"u{one}", "tea", ago=3.0 * order + 0.1) for one in range(30) for order in range(20)]
    source = Repeat.fit(log(SHOP, *milk), SHOP, NOW)
    assert probability(source, bought("tea", ago=0.01)) == 0.0
    assert probability(source, bought("tea", ago=2.5)) > 0.5


def test_of_a_purchase_without_a_time_only_the_mean_is_known() -> None:
    source = learned()

    def untimed(*seen: Did) -> float:
        known = replace(past(SHOP, *seen), bought=np.array([SHOP.row("coffee")], np.int32))
        return probability(source, known)

    # between what holds the day after and what holds when it is due
    assert (
        probability(source, bought("coffee", ago=2))
        < untimed()
        < probability(source, bought("coffee", ago=30))
    )
    # it was bought before the oldest event that is known: after 20 days the early ones are past
    assert untimed(click("me", "lamp", ago=20)) > untimed()


def test_the_last_purchase_counts_and_each_product_once() -> None:
    seen = past(SHOP, buy("me", "coffee", ago=60), buy("me", "coffee", ago=2))
    seen = replace(seen, bought=seen.items)
    rows, again = learned().again(seen)
    assert rows.tolist() == [SHOP.row("coffee")]
    assert float(again[0]) < 0.01


def test_interest_halves_every_month_and_a_cart_says_twice_what_a_click_does() -> None:
    source = Repeat.fit(log(SHOP, click("u", "lamp")), SHOP, NOW)
    seen = past(SHOP, cart("me", "tea", ago=0), click("me", "sofa", ago=30), "lamp", "lamp")
    assert top(source, SHOP, seen) == {
        "tea": pytest.approx(2.0),
        "lamp": pytest.approx(2.0),
        "sofa": pytest.approx(0.5),
    }


def test_a_purchase_ends_the_interest() -> None:
    seen = past(SHOP, click("me", "lamp", ago=3), click("me", "sofa", ago=3), buy("me", "sofa", ago=2))
    assert top(learned(), SHOP, seen)["lamp"] > 0
    assert top(learned(), SHOP, seen).get("sofa", 0.0) == top(learned(), SHOP, bought("sofa", ago=2)).get(
        "sofa", 0.0
    )
    after = past(SHOP, buy("me", "sofa", ago=2), click("me", "sofa", ago=1))
    assert top(learned(), SHOP, after)["sofa"] > 0.01


def test_interest_counts_as_often_as_it_has_led_to_a_purchase() -> None:
    lookers = [click(f"v{one}", "lamp", ago=40) for one in range(100)]
    buyers = [buy(f"v{one}", "lamp", ago=39) for one in range(50)]
    idle = Repeat.fit(log(SHOP, *lookers, *buyers[:1]), SHOP, NOW)
    keen = Repeat.fit(log(SHOP, *lookers, *buyers), SHOP, NOW)
    assert keen.interest[0] > 10 * idle.interest[0]


def test_groups_that_differ_by_chance_alone_are_drawn_together() -> None:
    rng = np.random.default_rng(1)
    days = np.full((200, BINS), 50.0)
    prior = np.full((200, BINS), 0.05)
    alike = shrunk(rng.poisson(prior * days).astype(float), days, prior)
    assert np.abs(alike / prior - 1).max() < 0.2
    # half of them twice as fast and half of them hardly
    truth = prior * np.where(np.arange(200) < 100, 1.9, 0.1)[:, None]
    apart = shrunk(rng.poisson(truth * days).astype(float), days, prior)
    assert np.abs(apart - truth).mean() < 0.4 * np.abs(prior - truth).mean()


@settings(max_examples=50, deadline=None)
@given(
    orders=st.dictionaries(
        st.tuples(st.integers(0, 20), st.sampled_from(SHOP.ids.tolist())), st.floats(0, 300), max_size=60
    ),
    own=st.lists(st.tuples(st.sampled_from(SHOP.ids.tolist()), st.floats(0, 300)), max_size=8),
)
def test_where_nobody_has_bought_anything_twice_nothing_bought_is_due(
    orders: dict[tuple[int, str], float], own: list[tuple[str, float]]
) -> None:
    events = [buy(f"u{user}", product, ago=ago) for (user, product), ago in orders.items()]
    source = Repeat.fit(log(SHOP, *events), SHOP, NOW)
    seen = past(SHOP, *(buy("me", product, ago=ago) for product, ago in sorted(own, key=lambda one: -one[1])))
    _, again = source.again(replace(seen, bought=np.arange(len(SHOP), dtype=np.int32)))
    assert not again.any()
