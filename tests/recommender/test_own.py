"""Products to buy again by their timing, and those looked at last."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reco_assets.events.contract import EventType
from reco_assets.recommender.own import bought_again, viewed_lately
from reco_assets.recommender.state import empty_state
from reco_assets.recommender.types import Request, Shortfall, UserState
from tests.candidates.shops import DAY, NOW, Did, buy, click, shop
from tests.recommender.test_lists import small

ITEMS = shop("coffee", "tea", "sofa")
#: Everybody buys coffee every ten days, and a sofa once.
HABIT = [buy(f"u{n}", "coffee", ago=ago) for n in range(30) for ago in (42.0, 32.0, 22.0, 12.0, 2.0)]
ONCE = [buy(f"u{n}", "sofa", ago=40.0) for n in range(30)]


def person(*events: Did) -> UserState:
    """Somebody who did this, in this order."""
    rows = np.array([ITEMS.row(event.product) for event in events], np.int32)
    kinds = np.array([int(event.kind) for event in events], np.int8)
    own = list(dict.fromkeys(rows[kinds == EventType.purchase].tolist()))
    times = np.array([int(NOW - event.ago * DAY) for event in events], np.int64)
    return replace(empty_state(), items=rows, kinds=kinds, times=times, bought=np.array(own, np.int32))


def again(*events: Did, request: Request | None = None) -> list[str]:
    bundle = small(ITEMS, *HABIT, *ONCE)
    found = bought_again(request or Request(), person(*events), bundle, bundle.policy, NOW).recommendations
    assert [one.position for one in found] == list(range(len(found)))
    assert all(0.0 <= one.score <= 1.0 for one in found)
    return [ITEMS.ids[one.item] for one in found]


def test_what_is_due_comes_before_what_is_bought_once() -> None:
    assert again(buy("me", "sofa", ago=12), buy("me", "coffee", ago=10)) == ["coffee", "sofa"]
    assert again(buy("me", "coffee", ago=10), buy("me", "sofa", ago=0.1)) == ["coffee", "sofa"]


def test_what_was_only_looked_at_is_not_bought_again() -> None:
    assert again(click("me", "coffee", ago=10), buy("me", "sofa", ago=9)) == ["sofa"]


def test_it_is_not_offered_what_is_in_the_cart_or_excluded() -> None:
    did = (buy("me", "sofa", ago=12), buy("me", "coffee", ago=10))
    assert again(*did, request=Request(cart=(ITEMS.row("coffee"),))) == ["sofa"]
    assert again(*did, request=Request(exclude=(ITEMS.row("sofa"),))) == ["coffee"]
    assert again(*did, request=Request(n=1)) == ["coffee"]


def test_what_was_looked_at_stands_once_the_newest_first() -> None:
    bundle = small(ITEMS, *HABIT, *ONCE)
    visitor = person(click("me", "tea", ago=3), click("me", "coffee", ago=2), click("me", "tea", ago=1))
    found = viewed_lately(Request(), visitor, bundle, bundle.policy, NOW).recommendations
    assert [(ITEMS.ids[one.item], one.score) for one in found] == [
        ("tea", (NOW - DAY) / 1e6),
        ("coffee", (NOW - 2 * DAY) / 1e6),
    ]


def test_a_short_list_says_what_was_never_bought_and_what_the_rules_left_out() -> None:
    bundle = small(ITEMS, *HABIT, *ONCE)
    did = person(buy("me", "sofa", ago=12), buy("me", "coffee", ago=10))
    excluding = Request(n=2, exclude=(ITEMS.row("sofa"),))
    assert bought_again(Request(n=2), did, bundle, bundle.policy, NOW).shortfall is None
    told = bought_again(excluding, did, bundle, bundle.policy, NOW).shortfall
    assert told == Shortfall(missing=1, catalogue=3, left_out={"not bought": 1, "exclude": 1})


def test_a_short_list_says_what_was_not_looked_at_and_what_was_bought_since() -> None:
    bundle = small(ITEMS, *HABIT, *ONCE)
    did = person(click("me", "tea", ago=3), click("me", "sofa", ago=2), buy("me", "sofa", ago=1))
    told = viewed_lately(Request(n=5), did, bundle, bundle.policy, NOW).shortfall
    assert told == Shortfall(missing=4, catalogue=3, left_out={"not viewed": 1, "bought": 1})
