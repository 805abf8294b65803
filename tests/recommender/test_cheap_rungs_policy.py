"""The laws of answers that nothing is ranked for, and of completed carts, under a policy file."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reco_assets.recommender.completion import completing
from reco_assets.recommender.policy.document import Boost, Document, Promotion
from reco_assets.recommender.policy.rules import Rules
from reco_assets.recommender.policy.shortfall import shortfall
from reco_assets.recommender.popular_answer import popular_answer
from reco_assets.recommender.recommend import current_history
from reco_assets.recommender.state import empty_state
from reco_assets.recommender.types import Decision, Request
from tests.candidates.shops import NOW
from tests.recommender.test_policy import SHOP, Case, bundle, cases

LAW = settings(max_examples=60, deadline=None)
PERSONAL = st.booleans()


@st.composite
def visits(draw: st.DrawFn) -> Case:
    """A case whose visitor's favourite category is one of the shop, as it is where values are decoded."""
    case = draw(cases())
    if len(case.bundle.items.category_names):
        return case
    return replace(case, person=replace(case.person, favorite_category=-1))


def cheap(case: Case, personal: bool) -> Decision:
    """The answer of ``category_popular``, or of ``popular``."""
    rules = case.rules
    return popular_answer(
        case.request, case.person, case.bundle, rules.policy, NOW, personal=personal, rules=rules
    )


def completed(case: Case) -> Decision:
    """What completes the cart of the case."""
    rules = case.rules
    return completing(case.request, case.person, case.bundle, rules.policy, NOW, rules)


@st.composite
def carts(draw: st.DrawFn) -> Case:
    """A case with something in its cart, which the shop has."""
    case = draw(visits())
    assume(case.shape.products > 0)
    row = st.integers(0, case.shape.products - 1)
    cart = tuple(draw(st.lists(row, min_size=1, max_size=4, unique=True)))
    return replace(case, request=replace(case.request, cart=cart))


def check_law(case: Case, decision: Decision) -> None:
    """As many as asked for while the rules leave as many, and nothing else; a shortfall says why."""
    allowed, n = case.allowed(), case.request.n
    shown = [one.item for one in decision.recommendations]
    assert set(shown) <= allowed
    assert len(shown) == len(set(shown)) == min(n, len(allowed))
    assert [one.position for one in decision.recommendations] == list(range(len(shown)))
    past = current_history(case.request, case.person, NOW)
    told = shortfall(case.request, len(shown), past, case.bundle, case.rules.policy, case.rules)
    if told is not None:
        assert told.catalogue - sum(told.left_out.values()) == len(shown) == n - told.missing


def check_caps(case: Case, decision: Decision) -> None:
    """No brand and no category has more than its share while something else could stand there."""
    shown = [one.item for one in decision.recommendations]
    items, n, policy = case.bundle.items, case.request.n, case.rules.policy
    brands, categories = items.brand[shown].tolist(), items.category[shown].tolist()
    per_brand = max(1, ceil(policy.max_per_brand * n))
    per_category = n if case.request.category is not None else max(1, ceil(policy.max_per_category * n))
    if any(brands.count(code) > per_brand for code in set(brands) - {-1}):
        for item in case.allowed() - set(shown):
            brand, category = int(items.brand[item]), int(items.category[item])
            full = brand >= 0 and brands.count(brand) >= per_brand
            assert full or (category >= 0 and categories.count(category) >= per_category)


@LAW
@given(case=visits(), personal=PERSONAL)
def test_a_cheap_answer_is_full_and_keeps_to_the_rules(case: Case, personal: bool) -> None:
    check_law(case, cheap(case, personal))


@LAW
@given(case=visits(), personal=PERSONAL)
def test_what_was_bought_never_comes_back_on_a_cheap_rung(case: Case, personal: bool) -> None:
    assume(case.rules.policy.hide_bought)
    assert not {one.item for one in cheap(case, personal).recommendations} & case.bought()


@LAW
@given(case=visits(), personal=PERSONAL)
def test_the_caps_hold_on_a_cheap_rung(case: Case, personal: bool) -> None:
    check_caps(case, cheap(case, personal))


@LAW
@given(case=visits(), personal=PERSONAL)
def test_a_cheap_rung_is_named_by_what_it_shows_and_remembers_nothing(case: Case, personal: bool) -> None:
    answer = cheap(case, personal)
    sources = {one.source for one in answer.recommendations}
    assert sources <= {"category_popular", "popular"}
    assert answer.rung == ("category_popular" if "category_popular" in sources else "popular")
    if not personal and case.request.category is None:
        assert sources <= {"popular"}
    assert cheap(case, personal) == answer


@LAW
@given(case=visits(), personal=PERSONAL)
def test_what_only_moves_products_moves_none_on_a_cheap_rung(case: Case, personal: bool) -> None:
    answer = cheap(case, personal)
    assert all((one.campaign, one.rules, one.propensity) == ("", (), 1.0) for one in answer.recommendations)
    given_ = {name: getattr(case.document, name) for name in Document.__struct_fields__}
    unmoved = Document(**given_ | {"boosts": [], "promotions": [], "diversity": 0.0, "explore": 0.0})
    assert cheap(replace(case, document=unmoved), personal) == answer


def test_a_campaign_that_has_places_in_a_ranked_answer_has_none_in_a_cheap_one() -> None:
    own = bundle(SHOP)
    spring = Promotion(campaign="spring", share=0.5, products=own.items.ids.tolist())
    rules = Rules(own, Document(version=1, max_promoted=0.5, promotions=[spring])).now()
    answer = popular_answer(Request(n=10), empty_state(), own, rules.policy, NOW, rules=rules)
    assert len(answer.recommendations) == 10
    assert {one.campaign for one in answer.recommendations} == {""}


@LAW
@given(case=carts())
def test_a_completed_cart_is_full_and_keeps_to_the_rules(case: Case) -> None:
    decision = completed(case)
    check_law(case, decision)
    assert not {one.item for one in decision.recommendations} & set(case.request.cart)
    assert completed(case) == decision


@LAW
@given(case=carts())
def test_the_caps_hold_for_a_completed_cart(case: Case) -> None:
    check_caps(case, completed(case))


def test_a_boost_moves_what_completes_a_cart_and_the_answer_says_so() -> None:
    own = bundle(SHOP)
    plain = completing(Request(n=5, cart=(3,)), empty_state(), own, own.policy, NOW)
    last = plain.recommendations[-1].item
    push = Boost(name="push", when=f"product_id = '{own.items.ids[last]}'", add=2.0)
    rules = Rules(own, Document(version=1, boosts=[push])).now()
    first = completing(Request(n=5, cart=(3,)), empty_state(), own, rules.policy, NOW, rules)
    assert (first.recommendations[0].item, first.recommendations[0].rules) == (last, ("push",))
