"""Popular products keep to the rules of every answer, and to the visitor's categories where there are any."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reco_assets.recommender.popular_answer import popular_answer
from reco_assets.recommender.state import empty_state
from reco_assets.recommender.types import Request, UserState
from tests.serving.bundles import NOW, PRODUCTS, bundle

BUNDLE = bundle("fallback")
CATEGORY = BUNDLE.items.category


def visitor(looked_at: list[int], bought: list[int]) -> UserState:
    return UserState(
        features=empty_state().features,
        favorite_category=-1,
        items=np.array(looked_at, np.int32),
        kinds=np.zeros(len(looked_at), np.int8),
        times=np.full(len(looked_at), NOW, np.int64),
        bought=np.array(bought, np.int32),
    )


def test_strangers_get_what_everybody_wants() -> None:
    decision = popular_answer(Request(n=3), empty_state(), BUNDLE, BUNDLE.policy, NOW)
    assert decision.rung == "popular"
    assert {one.source for one in decision.recommendations} == {"popular"}


def test_visitors_get_what_is_popular_where_they_look() -> None:
    state = visitor([7], [])
    decision = popular_answer(Request(n=5), state, BUNDLE, BUNDLE.policy, NOW)
    assert decision.rung == "category_popular"
    first = decision.recommendations[0]
    assert (first.source, CATEGORY[first.item]) == ("category_popular", CATEGORY[7])
    assert popular_answer(Request(n=5), state, BUNDLE, BUNDLE.policy, NOW, personal=False).rung == "popular"


def test_a_request_for_one_category_gets_nothing_else() -> None:
    decision = popular_answer(Request(n=20, category=1), empty_state(), BUNDLE, BUNDLE.policy, NOW)
    assert {int(CATEGORY[one.item]) for one in decision.recommendations} == {1}
    assert len(decision.recommendations) == 20


_ROWS = st.lists(st.integers(0, PRODUCTS - 1), max_size=20, unique=True)


@given(_ROWS, _ROWS, _ROWS, st.integers(1, 100), st.booleans())
def test_nothing_bought_or_excluded_and_as_many_as_there_are(
    looked_at: list[int], bought: list[int], exclude: list[int], n: int, personal: bool
) -> None:
    request = Request(n=n, exclude=tuple(exclude))
    state = visitor(looked_at, bought)
    decision = popular_answer(request, state, BUNDLE, BUNDLE.policy, NOW, personal=personal)
    shown = [one.item for one in decision.recommendations]
    assert not set(shown) & {*bought, *exclude}
    assert len(shown) == len(set(shown)) == min(n, PRODUCTS - len({*bought, *exclude}))
    assert [one.position for one in decision.recommendations] == list(range(len(shown)))
    assert Counter(shown).most_common(1)[0][1] == 1 if shown else True
