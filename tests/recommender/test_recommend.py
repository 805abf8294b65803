"""The laws of an answer, over random shops, people and rules."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from math import ceil, isfinite

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.candidates.sources import SOURCES, Sources
from reco_assets.errors import BadRequest
from reco_assets.events.contract import EventType
from reco_assets.features.catalogue import PRODUCT_FEATURES, catalogue_hash
from reco_assets.recommender.bundle import Bundle, Manifest
from reco_assets.recommender.policy.shortfall import shortfall
from reco_assets.recommender.recommend import current_history, features_of, propose, recommend, shares_among
from reco_assets.recommender.state import empty_state
from reco_assets.recommender.types import MOST, RECENT, Context, Decision, Policy, Request, UserState
from tests.candidates.shops import DAY, NOW, Product, buy, log, shop
from tests.recommender.shops import Shape, bundle, state


@dataclass(frozen=True)
class Case:
    """One question to one shop under some rules."""

    shape: Shape
    seen: tuple[int, ...]
    kinds: tuple[int, ...]
    bought: tuple[int, ...]
    request: Request
    policy: Policy

    @property
    def bundle(self) -> Bundle:
        return bundle(self.shape)

    @property
    def state(self) -> UserState:
        return state(self.shape.products, list(self.seen), list(self.kinds), list(self.bought))

    def answer(self) -> Decision:
        return recommend(self.request, self.state, self.bundle, self.policy, NOW)

    def allowed(self) -> set[int]:
        """Item rows that the rules permit, by the rules' own words."""
        items, person = self.bundle.items, self.state
        found = set(range(len(items))) - set(self.request.exclude)
        if self.policy.hide_bought:
            newest = current_history(self.request, person, NOW)
            bought = set(person.bought.tolist())
            bought |= set(newest.items[newest.kinds == EventType.purchase].tolist())
            rows, again = self.bundle.repeat.again(newest)
            assert set(rows.tolist()) == bought
            found -= bought - set(rows[again > self.policy.rebuy_above].tolist())
        if self.policy.in_stock_only:
            found -= set(self.bundle.sold_out.tolist())
        if self.request.category is not None:
            found &= set(np.flatnonzero(items.category == self.request.category).tolist())
        return found


@st.composite
def cases(draw: st.DrawFn) -> Case:
    shape = Shape(
        products=draw(st.sampled_from([0, 1, 2, 7, 30])),
        categories=draw(st.sampled_from([0, 1, 2, 6])),
        events=draw(st.sampled_from([0, 5, 300])),
        sold_out=draw(st.sampled_from([0.0, 0.3, 1.0])),
        with_ranker=draw(st.booleans()),
        seed=draw(st.integers(0, 2)),
    )
    row = st.integers(0, max(shape.products - 1, 0)) if shape.products else st.just(-1)
    known = len(bundle(shape).items.category_names)
    events = draw(st.lists(st.tuples(row, st.sampled_from(sorted(EventType))), max_size=RECENT))
    return Case(
        shape=shape,
        seen=tuple(max(item, 0) for item, _ in events),
        kinds=tuple(kind for _, kind in events),
        bought=tuple(max(item, 0) for item in draw(st.lists(row, max_size=8))),
        request=Request(
            n=draw(st.sampled_from([1, 2, 5, 10, 20])),
            context=Context(device=draw(st.sampled_from(["mobile", "toaster"]))),
            session_items=tuple(draw(st.lists(row | st.just(-1), max_size=5))),
            exclude=tuple(draw(st.lists(row | st.just(-1), max_size=10))),
            category=draw(st.none() | st.integers(0, known - 1)) if known else None,
            seed=draw(st.integers(0, 3)),
        ),
        policy=Policy(
            max_per_category=draw(st.sampled_from([0.1, 0.4, 1.0])),
            hide_bought=draw(st.booleans()),
            rebuy_above=draw(st.sampled_from([0.001, 0.05, 1.0])),
            in_stock_only=draw(st.booleans()),
            candidates=draw(st.sampled_from([1, 5, 10, 400])),
            diversity=draw(st.sampled_from([0.0, 0.3, 0.9])),
        ),
    )


LAW = settings(max_examples=150, deadline=None)


@LAW
@given(case=cases())
def test_always_as_many_as_asked_for_while_the_rules_leave_as_many(case: Case) -> None:
    shown = [one.item for one in case.answer().recommendations]
    allowed = case.allowed()
    assert len(shown) == min(case.request.n, len(allowed))
    assert len(set(shown)) == len(shown)
    assert set(shown) <= allowed


@LAW
@given(case=cases())
def test_no_category_takes_more_than_its_share_while_others_have_something(case: Case) -> None:
    if case.request.category is not None:
        return
    shown = [one.item for one in case.answer().recommendations]
    category = case.bundle.items.category
    cap = max(1, ceil(case.policy.max_per_category * case.request.n))
    taken = Counter(int(category[item]) for item in shown if category[item] >= 0)
    if any(count > cap for count in taken.values()):
        left = case.allowed() - set(shown)
        # whatever was not shown is of a category that has its share already
        assert all(category[item] >= 0 and taken[int(category[item])] >= cap for item in left)


@LAW
@given(case=cases())
def test_an_answer_explains_itself(case: Case) -> None:
    decision = case.answer()
    assert decision.rung == ("full" if case.shape.with_ranker else "no_ranker")
    assert decision.candidates <= case.policy.candidates
    for place, one in enumerate(decision.recommendations):
        assert one.position == place
        assert isfinite(one.score)
        assert one.source in SOURCES
        assert one.reason
        assert "{" not in one.reason


@LAW
@given(case=cases(), other=cases())
def test_the_same_question_gets_the_same_answer_to_the_bit(case: Case, other: Case) -> None:
    person, before = case.state, case.state
    first = recommend(case.request, person, case.bundle, case.policy, NOW)
    other.answer()
    assert recommend(case.request, person, case.bundle, case.policy, NOW) == first
    for name in ("features", "items", "kinds", "times", "bought"):
        np.testing.assert_array_equal(getattr(person, name), getattr(before, name))


@settings(max_examples=50, deadline=None)
@given(case=cases(), data=st.data())
def test_a_candidate_has_the_same_features_whichever_others_are_kept(case: Case, data: st.DataObject) -> None:
    """Training keeps some candidates of a decision; serving ranks them all."""
    past, candidates = propose(case.request, case.state, case.bundle, case.policy, NOW)
    whole = features_of(case.request, case.state, past, candidates, case.bundle, NOW)
    assert whole.shape[0] == len(candidates.items)
    keep = np.array(data.draw(st.lists(st.sampled_from(range(len(whole))))) if len(whole) else [], np.int64)
    kept = features_of(case.request, case.state, past, candidates, case.bundle, NOW, keep)
    np.testing.assert_array_equal(kept, whole[keep])


SHOP = Shape(products=30, categories=6, events=300, sold_out=0.0, with_ranker=True, seed=1)


@pytest.mark.parametrize("with_ranker", [True, False])
def test_a_stranger_gets_a_full_answer(with_ranker: bool) -> None:
    decision = recommend(
        Request(), empty_state(), bundle(replace(SHOP, with_ranker=with_ranker)), Policy(), NOW
    )
    assert len(decision.recommendations) == 10
    assert decision.rung == ("full" if with_ranker else "no_ranker")
    assert {one.source for one in decision.recommendations} <= {"popular", "trending"}


def test_without_a_ranker_a_stranger_sees_what_is_popular_first() -> None:
    plain = bundle(replace(SHOP, with_ranker=False))
    free = Policy(max_per_category=1.0)
    best = [one.item for one in recommend(Request(n=3), empty_state(), plain, free, NOW).recommendations]
    assert set(best) & set(plain.popular.ranked[:3].tolist())


@pytest.mark.parametrize("session", [(), (7,), (3, 11)])
def test_variety_is_looked_for_beyond_the_candidates(session: tuple[int, ...]) -> None:
    narrow, shop = Policy(max_per_category=0.2, candidates=5), bundle(SHOP)
    asked = Request(n=5, session_items=session)
    shown = [one.item for one in recommend(asked, empty_state(), shop, narrow, NOW).recommendations]
    known = [int(code) for code in shop.items.category[shown] if code >= 0]
    assert len(set(known)) == len(known)


def test_what_the_request_reports_counts_as_seen_just_now() -> None:
    person = state(30, [3, 4], [0, 0], [])
    told = current_history(Request(session_items=(9, -1, 8)), person, NOW)
    assert told.items.tolist() == [3, 4, 9, 8]
    assert told.times[2:].tolist() == [NOW, NOW]
    assert told.kinds[2:].tolist() == [EventType.click, EventType.click]
    assert told.weights[-1] == told.weights.max()


def test_only_the_last_events_count() -> None:
    told = current_history(Request(session_items=tuple(range(25))), state(30, [29] * 10, [0] * 10, []), NOW)
    assert told.items.tolist() == list(range(5, 25))


def test_the_session_changes_the_answer() -> None:
    shop = bundle(SHOP)
    before = recommend(Request(), empty_state(), shop, Policy(), NOW)
    after = recommend(Request(session_items=(7,)), empty_state(), shop, Policy(), NOW)
    assert before != after
    assert {one.source for one in after.recommendations} - {"popular", "trending"}


def test_a_reason_names_the_product_that_led_there() -> None:
    shop = bundle(replace(SHOP, with_ranker=False))
    decision = recommend(Request(session_items=(7,)), empty_state(), shop, Policy(), NOW)
    linked = [one for one in decision.recommendations if one.source in ("also_viewed", "content")]
    assert linked
    assert all(shop.items.ids[7] in one.reason for one in linked)


@pytest.mark.parametrize("n", [0, -1, MOST + 1])
def test_a_request_for_none_or_too_many_is_refused(n: int) -> None:
    with pytest.raises(BadRequest, match=f"num_recommendations: must be from 1 to {MOST}, got {n}"):
        Request(n=n)


def test_nobody_can_change_the_unknown_persons_state() -> None:
    with pytest.raises(ValueError, match="read-only"):
        empty_state().features[0] = 1.0


def test_the_seed_decides_among_equals() -> None:
    shop = bundle(Shape(products=30, categories=0, events=300, sold_out=0.0, with_ranker=False, seed=2))
    equal = replace(shop, manifest=replace(shop.manifest, blend=(0.0,) * len(SOURCES)))

    def shown(seed: int) -> list[int]:
        answer = recommend(Request(seed=seed), empty_state(), equal, Policy(), NOW)
        return [one.item for one in answer.recommendations]

    assert shown(1) == shown(1)
    assert len({tuple(shown(seed)) for seed in range(5)}) > 1


def drugstore() -> Bundle:
    """A shop that sells soap every 30 days and each of ten lamps once."""
    items = shop("soap", *(f"lamp{n}" for n in range(10)))
    soap = [buy(f"u{one}", "soap", ago=30.0 * order + one / 4) for one in range(40) for order in range(6)]
    lamps = [buy(f"u{one}", f"lamp{one % 10}", ago=90) for one in range(40)]
    matrix = np.full((len(items), len(PRODUCT_FEATURES)), np.nan, np.float32)
    sources = Sources.fit(log(items, *soap, *lamps), items, NOW)
    return Bundle(Manifest("drugstore", NOW, NOW, catalogue_hash()), items, sources, matrix, None)


@pytest.mark.parametrize(
    ("days", "policy", "shown"),
    [
        (2, Policy(), False),
        (30, Policy(), True),
        (30, Policy(rebuy_above=1.0), False),
        (2, Policy(hide_bought=False), True),
    ],
)
def test_what_was_bought_is_shown_again_when_it_is_due(days: int, policy: Policy, shown: bool) -> None:
    store = drugstore()
    soap, lamp = store.items.row("soap"), store.items.row("lamp3")
    person = replace(
        empty_state(),
        items=np.array([lamp, soap], np.int32),
        kinds=np.full(2, EventType.purchase, np.int8),
        times=np.array([NOW - 90 * DAY, NOW - days * DAY], np.int64),
        bought=np.array([lamp, soap], np.int32),
    )
    answer = {one.item for one in recommend(Request(n=11), person, store, policy, NOW).recommendations}
    assert (soap in answer) == shown
    assert (lamp in answer) == (not policy.hide_bought)


def test_a_share_is_of_the_best_and_what_speaks_against_is_silent() -> None:
    scores = np.array([[2.0, -3.0, 0.0], [1.0, -1.0, 0.0], [-4.0, -2.0, 0.0]], np.float32)
    assert shares_among(scores).tolist() == [[1.0, 0.0, 0.0], [0.5, 0.0, 0.0], [0.0, 0.0, 0.0]]


def test_what_came_later_is_no_candidate_at_a_past_moment() -> None:
    """Training looks at past moments: what was not there yet could be neither shown nor passed over."""
    items = shop(
        Product("old", category="pots"),
        Product("older", category="pots"),
        Product("new", category="pots", age=2),
    )
    seen = log(items, *(buy(user, "old", ago=9) for user in ("ann", "bob")))
    blank = np.full((len(items), len(PRODUCT_FEATURES)), np.nan, np.float32)
    sources = Sources.fit(seen, items, NOW)
    own = Bundle(Manifest("pots", NOW, NOW, catalogue_hash()), items, sources, blank, None)
    request = Request(n=3, category=0, session_items=(items.row("old"),))
    for ago, there in ((3, False), (1, True)):
        at = NOW - ago * DAY
        _, candidates = propose(request, empty_state(), own, Policy(), at)
        assert (items.row("new") in candidates.items.tolist()) is there
        answer = recommend(request, empty_state(), own, Policy(explore=0), at)
        assert (items.row("new") in [one.item for one in answer.recommendations]) is there
        past = current_history(request, empty_state(), at)
        told = shortfall(request, len(answer.recommendations), past, own, Policy(), None)
        assert (told.left_out if told else {}) == ({} if there else {"not yet": 1})
