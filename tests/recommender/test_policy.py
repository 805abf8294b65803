"""The laws of an answer under a policy file, over random shops, people, files and questions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, cached_property
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.catalogue.attributes import Columns
from reco_assets.catalogue.strings import Strings
from reco_assets.events.contract import EventType
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.exploration import NEW
from reco_assets.recommender.fallback import popular_within
from reco_assets.recommender.newcomers import WORLDS, Newcomers
from reco_assets.recommender.policy import compiled
from reco_assets.recommender.policy.columns import Table
from reco_assets.recommender.policy.compiled import Compiled
from reco_assets.recommender.policy.document import Boost, Document, Promotion, Restricted
from reco_assets.recommender.policy.masks import holds
from reco_assets.recommender.policy.promotions import PROMOTED
from reco_assets.recommender.policy.rules import Rules
from reco_assets.recommender.policy.shortfall import shortfall
from reco_assets.recommender.recommend import current_history, recommend
from reco_assets.recommender.related import Limits, similar, trending
from reco_assets.recommender.state import empty_state
from reco_assets.recommender.types import RECENT, Context, Decision, Recommendation, Request, UserState
from tests.candidates.shops import NOW
from tests.recommender.shops import Shape, state
from tests.recommender.shops import bundle as plain

MOMENT = datetime.fromtimestamp(NOW / 1e6, UTC)
EARLIER, LATER = MOMENT.replace(year=MOMENT.year - 1), MOMENT.replace(year=MOMENT.year + 1)


@cache
def bundle(shape: Shape) -> Bundle:
    """A random shop that has columns of its own, and some products that are new."""
    made = plain(shape)
    rng = np.random.default_rng(shape.seed)
    n = shape.products
    margin = np.where(rng.random(n) < 0.2, np.nan, rng.random(n)).astype(np.float32)
    least = np.where(rng.random(n) < 0.7, np.nan, 18.0).astype(np.float32)
    regions = rng.integers(-1, 3, n).astype(np.int32)
    own = Columns(
        {"margin": margin, "min_age": least}, {"regions": (regions, Strings.of(["at", "de|at", "nl"]))}
    )
    rows = np.sort(rng.choice(n, n // 4, replace=False)).astype(np.int32)
    order = np.argsort(rng.random((WORLDS, len(rows))), axis=1).astype(np.int32)
    return replace(made, items=replace(made.items, columns=own), newcomers=Newcomers(rows, order))


EXPRESSIONS = (
    "margin > 0.4",
    "category in ('c0', 'c1') or price < 30",
    "not (brand = 'b1') and inventory is not null",
    "price is null",
    "brand = 'b2'",
    "margin > 5",
)


@dataclass(frozen=True)
class Case:
    """One question to one shop under one policy file."""

    shape: Shape
    document: Document
    request: Request
    person: UserState

    @property
    def bundle(self) -> Bundle:
        return bundle(self.shape)

    @cached_property
    def rules(self) -> Compiled:
        return Rules(self.bundle, self.document).now()

    def answer(self) -> Decision:
        rules = self.rules
        return recommend(self.request, self.person, self.bundle, rules.policy, NOW, rules=rules)

    def limits(self) -> Limits:
        rules = self.rules
        return Limits.of(self.request, self.person, self.bundle, rules.policy, NOW, rules)

    def bought(self) -> set[int]:
        """Rows that the person bought, but for those that are due again."""
        past = current_history(self.request, self.person, NOW)
        rows, again = self.bundle.repeat.again(past)
        return set(rows[again <= self.rules.policy.rebuy_above].tolist())

    def allowed(self) -> set[int]:
        """Item rows that the rules permit, product by product, by the rules' own words."""
        items, rules, asked, table = self.bundle.items, self.rules, self.request, Table(self.bundle)
        found = set(range(len(items))) - set(asked.exclude) - set(asked.cart)
        if rules.policy.hide_bought:
            found -= self.bought()
        if rules.policy.in_stock_only:
            found -= set(self.bundle.sold_out.tolist())
        if asked.category is not None:
            found &= set(np.flatnonzero(items.category == asked.category).tolist())
        for text in (self.document.filter, asked.filters):
            if text:
                found &= set(np.flatnonzero(holds(text, table)).tolist())
        return {row for row in found if self._may_see(row)}

    def _may_see(self, row: int) -> bool:
        columns, context = self.bundle.items.columns, self.request.context
        least = columns.numbers["min_age"][row]
        if self.document.age is not None and not np.isnan(least):
            unknown = self.document.age.unknown == "show"
            if not (unknown if context.age is None else context.age >= least):
                return False
        codes, names = columns.texts["regions"]
        if self.document.region is not None and codes[row] >= 0:
            unknown = self.document.region.unknown == "show"
            listed = names[int(codes[row])].split("|")
            return unknown if context.region is None else context.region.lower() in listed
        return True


def promotions() -> st.SearchStrategy[list[Promotion]]:
    made = st.builds(
        Promotion,
        campaign=st.sampled_from(["spring", "sale", "brand week"]),
        share=st.sampled_from([0.05, 0.1, 0.2, 0.34, 0.5]),
        when=st.sampled_from(EXPRESSIONS),
        products=st.just([]) | st.just(["p001", "p004", "gone"]),
        start=st.sampled_from([None, EARLIER, MOMENT, LATER]),
        end=st.sampled_from([None, LATER]),
    )
    return st.lists(made, max_size=3, unique_by=lambda one: one.campaign)


def boosts() -> st.SearchStrategy[list[Boost]]:
    made = st.builds(
        Boost,
        name=st.sampled_from(["margin", "stock", "push"]),
        when=st.sampled_from(EXPRESSIONS),
        multiply=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
        add=st.sampled_from([0.0, -0.5, 0.3]),
    )
    return st.lists(made, max_size=3, unique_by=lambda one: one.name)


def documents() -> st.SearchStrategy[Document]:
    unknown = st.sampled_from(["hide", "show"])
    return st.builds(
        Document,
        version=st.just(1),
        filter=st.none() | st.sampled_from(EXPRESSIONS),
        hide_bought=st.none() | st.booleans(),
        rebuy_above=st.none() | st.sampled_from([0.001, 1.0]),
        in_stock_only=st.none() | st.booleans(),
        max_per_category=st.none() | st.sampled_from([0.1, 1.0]),
        max_per_brand=st.none() | st.sampled_from([0.1, 0.4]),
        diversity=st.none() | st.just(0.5),
        explore=st.none() | st.sampled_from([0.0, 0.5]),
        max_explored=st.none() | st.sampled_from([0, 3]),
        candidates=st.sampled_from([1, 5, 400]),
        max_promoted=st.sampled_from([0.0, 0.3, 0.5]),
        age=st.none() | st.builds(Restricted, column=st.just("min_age"), unknown=unknown),
        region=st.none() | st.builds(Restricted, column=st.just("regions"), unknown=unknown),
        boosts=boosts(),
        promotions=promotions(),
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    shape = Shape(
        products=draw(st.sampled_from([0, 1, 7, 40])),
        categories=draw(st.sampled_from([0, 3, 6])),
        events=draw(st.sampled_from([5, 300])),
        sold_out=draw(st.sampled_from([0.0, 0.3])),
        with_ranker=draw(st.booleans()),
        seed=draw(st.integers(0, 2)),
    )
    row = st.integers(0, max(shape.products - 1, 0)) if shape.products else st.just(-1)
    few = st.lists(row | st.just(-1), max_size=6).map(tuple)
    known = len(bundle(shape).items.category_names)
    events = draw(st.lists(st.tuples(row, st.sampled_from(sorted(EventType))), max_size=RECENT))
    person = state(
        shape.products,
        [max(item, 0) for item, _ in events],
        [kind for _, kind in events],
        [max(item, 0) for item in draw(st.lists(row, max_size=8))],
    )
    request = Request(
        n=draw(st.sampled_from([1, 2, 5, 10, 30])),
        context=Context(
            age=draw(st.sampled_from([None, 12, 18, 40])),
            region=draw(st.sampled_from([None, "de", "AT", "fr"])),
        ),
        session_items=draw(few),
        exclude=draw(few),
        cart=draw(few),
        category=draw(st.none() | st.integers(0, known - 1)) if known else None,
        filters=draw(st.just("") | st.sampled_from(EXPRESSIONS)),
        seed=draw(st.integers(0, 300)),
    )
    return Case(shape, draw(documents()), request, person)


LAW = settings(max_examples=150, deadline=None)


@LAW
@given(case=cases())
def test_as_many_as_asked_for_while_the_rules_leave_as_many_and_nothing_else(case: Case) -> None:
    shown = [one.item for one in case.answer().recommendations]
    assert set(shown) <= case.allowed()
    assert len(shown) == len(set(shown)) == min(case.request.n, len(case.allowed()))


@LAW
@given(case=cases())
def test_what_was_bought_never_comes_back_by_any_way(case: Case) -> None:
    if not case.rules.policy.hide_bought:
        return
    assert not {one.item for one in case.answer().recommendations} & case.bought()
    rules = case.rules
    instead = popular_within(case.request, case.person, case.bundle, rules.policy, rules)
    assert not {one.item for one in instead} & case.bought()


@LAW
@given(case=cases())
def test_the_fallback_keeps_to_the_rules_and_is_full(case: Case) -> None:
    rules = case.rules
    shown = [one.item for one in popular_within(case.request, case.person, case.bundle, rules.policy, rules)]
    assert set(shown) <= case.allowed()
    # it hides what is due again as well
    due = set(case.person.bought.tolist()) | set(case.person.items.tolist())
    assert len(shown) == len(set(shown)) >= min(case.request.n, len(case.allowed() - due))


@LAW
@given(case=cases())
def test_no_campaign_has_more_than_its_share_of_any_head_of_the_answer(case: Case) -> None:
    shown = case.answer().recommendations
    running = {one.name: one for one in case.rules.campaigns if one.runs(NOW)}
    assert all((one.source == PROMOTED) == bool(one.campaign) for one in shown)
    assert {one.campaign for one in shown} - {""} <= set(running)
    for length in range(1, len(shown) + 1):
        for campaign in running.values():
            count = sum(one.campaign == campaign.name for one in shown[:length])
            assert count <= campaign.share * length + 1e-6
    promoted = [one for one in shown if one.campaign]
    assert len(promoted) <= case.document.max_promoted * len(shown) + 1e-6
    assert all(running[one.campaign].members[one.item] for one in promoted)


@LAW
@given(case=cases())
def test_places_are_counted_and_new_products_take_none_of_a_promotion(case: Case) -> None:
    shown = case.answer().recommendations
    assert [one.position for one in shown] == list(range(len(shown)))
    explored = sum(one.source == NEW for one in shown)
    policy = case.rules.policy
    assert explored <= min(policy.max_explored, policy.explore * case.request.n + 1e-6)
    without = replace(case, document=_without_exploration(case.document)).answer().recommendations
    assert [(one.item, one.position) for one in shown if one.campaign] == [
        (one.item, one.position) for one in without if one.campaign
    ]


def _without_exploration(document: Document) -> Document:
    given = {name: getattr(document, name) for name in Document.__struct_fields__}
    return Document(**given | {"explore": 0.0})


@LAW
@given(case=cases())
def test_no_brand_takes_more_than_its_share_while_others_have_something(case: Case) -> None:
    shown = [one.item for one in case.answer().recommendations]
    brand, category = case.bundle.items.brand, case.bundle.items.category
    n, policy = case.request.n, case.rules.policy
    cap = max(1, ceil(policy.max_per_brand * n))
    per_category = n if case.request.category is not None else max(1, ceil(policy.max_per_category * n))
    if any(list(brand[shown]).count(code) > cap for code in set(brand[shown].tolist()) - {-1}):
        for item in case.allowed() - set(shown):
            full = brand[item] >= 0 and list(brand[shown]).count(brand[item]) >= cap
            crowded = category[item] >= 0 and list(category[shown]).count(category[item]) >= per_category
            assert full or crowded


@LAW
@given(case=cases())
def test_the_same_question_gets_the_same_answer_under_the_same_policy(case: Case) -> None:
    assert case.answer() == case.answer()


@LAW
@given(case=cases())
def test_an_answer_that_is_too_short_says_where_the_catalogue_went(case: Case) -> None:
    rules, shown = case.rules, len(case.answer().recommendations)
    past = current_history(case.request, case.person, NOW)
    told = shortfall(case.request, shown, past, case.bundle, rules.policy, rules)
    if shown == case.request.n:
        assert told is None
        return
    assert told is not None
    assert told.missing == case.request.n - shown
    assert told.catalogue - sum(told.left_out.values()) == len(case.allowed()) == shown


@LAW
@given(case=cases(), data=st.data())
def test_what_is_hidden_never_comes_beside_a_product_and_the_list_is_full(
    case: Case, data: st.DataObject
) -> None:
    if not case.shape.products:
        return
    row = data.draw(st.integers(0, case.shape.products - 1))
    found = similar(row, case.bundle, case.request.n, NOW, case.rules.policy, case.limits())
    shown = [one.item for one in found]
    assert set(shown) <= case.allowed() - {row}
    assert len(shown) == len(set(shown)) == min(case.request.n, len(case.allowed() - {row}))
    assert [one.position for one in found] == list(range(len(found)))
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


@LAW
@given(case=cases())
def test_what_is_hidden_never_trends_and_the_list_is_full(case: Case) -> None:
    found = trending(case.bundle, case.request.n, None, case.rules.policy, case.limits())
    shown = [one.item for one in found]
    assert set(shown) <= case.allowed()
    assert len(shown) == len(set(shown)) == min(case.request.n, len(case.allowed()))
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    boosts = case.rules.boosts
    for one in found:
        moved = boosts is not None and one.source == "trending"
        assert one.rules == (boosts.named(int(boosts.which[one.item])) if moved and boosts else ())


SHOP = Shape(products=40, categories=6, events=300, sold_out=0.0, with_ranker=True, seed=1)


def shown(document: Document, **asked: object) -> list[int]:
    rules = Rules(bundle(SHOP), document).now()
    request = Request(**asked)  # type: ignore[arg-type]
    answer = recommend(request, empty_state(), bundle(SHOP), rules.policy, NOW, rules=rules)
    return [one.item for one in answer.recommendations]


def test_a_file_that_says_nothing_changes_nothing() -> None:
    own = recommend(Request(), empty_state(), bundle(SHOP), bundle(SHOP).policy, NOW)
    assert shown(Document(version=1)) == [one.item for one in own.recommendations]


def test_a_filter_of_the_request_is_kept_without_any_policy() -> None:
    wanted = Request(filters="brand = 'b2'")
    answer = recommend(wanted, empty_state(), bundle(SHOP), bundle(SHOP).policy, NOW)
    brands = bundle(SHOP).items.brand_names
    assert {brands[int(bundle(SHOP).items.brand[one.item])] for one in answer.recommendations} == {"b2"}


def test_a_small_category_is_looked_for_behind_what_is_popular(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_REACH", 3)
    items = bundle(SHOP).items
    own = np.flatnonzero((items.category == 2) & (items.brand == 1))
    found = shown(Document(version=1, candidates=1, filter="brand = 'b1'"), n=20, category=2)
    assert sorted(found) == own.tolist()
    assert len(own) > 0


def test_a_boost_moves_a_product_and_the_answer_says_so() -> None:
    last = bundle(SHOP).items.ids[shown(Document(version=1, explore=0.0))[-1]]
    up = Document(version=1, explore=0.0, boosts=[Boost(name="push", when=f"product_id = '{last}'", add=2.0)])
    rules = Rules(bundle(SHOP), up).now()
    first = recommend(Request(), empty_state(), bundle(SHOP), rules.policy, NOW, rules=rules).recommendations[
        0
    ]
    assert bundle(SHOP).items.ids[first.item] == last
    assert first.rules == ("push",)


def beside(limits: Limits | None = None) -> tuple[Recommendation, ...]:
    return similar(3, bundle(SHOP), 5, NOW, None, limits)


def rising(limits: Limits | None = None) -> tuple[Recommendation, ...]:
    return tuple(one for one in trending(bundle(SHOP), 40, None, None, limits) if one.source == "trending")


@pytest.mark.parametrize("listed", [beside, rising])
def test_a_boost_moves_a_product_of_every_list_that_is_ranked(
    listed: Callable[..., tuple[Recommendation, ...]],
) -> None:
    own, before = bundle(SHOP), listed()
    last = before[-1].item
    push = Boost(name="push", when=f"product_id = '{own.items.ids[last]}'", add=2.0)
    rules = Rules(own, Document(version=1, boosts=[push])).now()
    after = listed(Limits.of(Request(), empty_state(), own, rules.policy, NOW, rules))
    assert len(before) > 1
    assert (after[0].item, after[0].rules) == (last, ("push",))
    assert [one.item for one in after[1:]] == [one.item for one in before[:-1]]


def test_limits_that_limit_nothing_change_nothing() -> None:
    own = bundle(SHOP)
    limits = Limits.of(Request(), empty_state(), own, own.policy, NOW)
    assert trending(own, 40, None, None, limits) == trending(own, 40)
    for row in range(5):
        limited, plain = (similar(row, own, 10, NOW, None, within) for within in (limits, None))
        assert limited == plain


def test_a_promotion_is_spread_over_the_answer() -> None:
    spring = Promotion(campaign="spring", share=0.2, when="margin > 0.5")
    document = Document(version=1, max_per_category=1.0, explore=0.0, promotions=[spring])
    rules = Rules(bundle(SHOP), document).now()
    own = recommend(Request(n=20), empty_state(), bundle(SHOP), rules.policy, NOW)
    answer = recommend(Request(n=20), empty_state(), bundle(SHOP), rules.policy, NOW, rules=rules)
    members = rules.campaigns[0].members
    standing = sum(bool(members[one.item]) for one in own.recommendations[:16])
    places = [one.position for one in answer.recommendations if one.campaign == "spring"]
    assert places == [4, 9, 14, 19][standing:]


def test_rules_follow_the_product_features() -> None:
    own = replace(bundle(SHOP), product_matrix=bundle(SHOP).product_matrix.copy(), _revision=[0])
    rules = Rules(own, Document(version=1, filter="clicks < 100"))
    before = rules.now()
    assert rules.now() is before
    clicks = own.product_matrix[:1].copy()
    clicks[0, :] = 100.0
    own.update_products(np.array([0], np.int32), clicks)
    after = rules.now()
    assert before.filter is not None
    assert after.filter is not None
    assert (bool(before.filter[0]), bool(after.filter[0])) == (True, False)
