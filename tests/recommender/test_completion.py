"""A cart is completed by what is bought with its products, whatever is looked at more."""

from __future__ import annotations

from itertools import chain

from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.recommender.completion import completing
from reco_assets.recommender.recommend import blocked_items, current_history
from reco_assets.recommender.state import empty_state
from reco_assets.recommender.types import Policy, Request
from tests.candidates.shops import NOW, Product, buy, click, shop
from tests.recommender.shops import Shape, bundle, state
from tests.recommender.test_lists import small

ITEMS = shop(
    Product("phone", category="phones"),
    Product("phone2", category="phones"),
    Product("case", category="cases"),
    Product("pot", category="pots"),
)
BOUGHT_WITH = [
    event for n in range(6) for event in (buy(f"b{n}", "phone", ago=2), buy(f"b{n}", "case", ago=1.99))
]
LOOKED_AT = list(
    chain.from_iterable(
        (click(f"v{n}", "phone", ago=3), click(f"v{n}", "phone2", ago=2.99)) for n in range(30)
    )
)


def test_what_is_bought_with_it_stands_before_what_is_like_it() -> None:
    own = small(ITEMS, *BOUGHT_WITH, *LOOKED_AT)
    cart = (ITEMS.row("phone"),)
    decision = completing(Request(n=3, cart=cart), empty_state(), own, own.policy, NOW)
    shown = [ITEMS.ids[one.item] for one in decision.recommendations]
    assert shown[0] == "case"
    assert sorted(shown) == ["case", "phone2", "pot"]
    assert decision.recommendations[0].source == "bought_together"
    assert decision.recommendations[0].reason == "bought together with phone"


@settings(deadline=None)
@given(
    seed=st.integers(0, 5),
    n=st.integers(1, 40),
    cart=st.lists(st.integers(0, 29), max_size=4, unique=True),
    bought=st.lists(st.integers(0, 29), max_size=6, unique=True),
    category=st.none() | st.integers(0, 2),
)
def test_it_is_as_long_as_the_rules_allow_and_keeps_to_them(
    seed: int, n: int, cart: list[int], bought: list[int], category: int | None
) -> None:
    own = bundle(Shape(products=30, categories=3, events=120, sold_out=0.2, with_ranker=False, seed=seed))
    person = state(30, [], [], bought)
    request = Request(n=n, cart=tuple(cart), category=category)
    policy = Policy()
    hidden = set(blocked_items(request, current_history(request, person, NOW), own, policy).tolist())
    free = [
        row
        for row in range(30)
        if row not in hidden and (category is None or own.items.category[row] == category)
    ]
    shown = [one.item for one in completing(request, person, own, policy, NOW).recommendations]
    assert len(set(shown)) == len(shown) == min(n, len(free))
    assert set(shown) <= set(free)
