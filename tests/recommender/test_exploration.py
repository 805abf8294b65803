"""New products in the low places: which are new, who gets the place, and with which probability."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.catalogue.items import ItemTable
from reco_assets.errors import BadInput
from reco_assets.interactions.log import InteractionLog
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.newcomers import FEW_CLICKS, FEW_IMPRESSIONS, WORLDS, Evidence, Newcomers
from reco_assets.recommender.newcomers import new_rows as found_new
from reco_assets.recommender.recommend import recommend
from reco_assets.recommender.state import empty_state
from reco_assets.recommender.types import Decision, Policy, Request
from tests.candidates.shops import NOW, Product, buy, click, log, shop
from tests.recommender.shops import Shape, bundle, state

SHOP = Shape(products=30, categories=6, events=300, sold_out=0.2, with_ranker=False, seed=1)
NEW_ROWS = tuple(range(2, 30, 3))


def known(items: ItemTable, shown: float = 0.0) -> Evidence:
    """Nothing but that each product was shown so often and never clicked."""
    nothing = np.zeros(len(items))
    return Evidence(nothing + shown, nothing, nothing + shown, nothing)


@cache
def with_new(shape: Shape = SHOP) -> Bundle:
    """The shop with a few products of which nothing is known."""
    plain = bundle(shape)
    rng = np.random.default_rng(4)
    rows = np.array([row for row in NEW_ROWS if row < len(plain.items)], np.int32)
    order = np.argsort(rng.random((WORLDS, len(rows))), axis=1).astype(np.int32)
    return replace(plain, newcomers=Newcomers(rows, order))


def answer(
    seed: int, policy: Policy | None = None, *, n: int = 10, session: tuple[int, ...] = ()
) -> Decision:
    return recommend(
        Request(n=n, seed=seed, session_items=session), empty_state(), with_new(), policy or Policy(), NOW
    )


def test_a_new_product_takes_the_last_place_and_says_so() -> None:
    decision, settled = answer(3), answer(3, Policy().settled)
    one = decision.recommendations[-1]
    assert one.source == "new"
    assert one.reason.startswith("new in ")
    assert 0 < one.propensity < 1
    assert decision.recommendations[:-1] == settled.recommendations[:-1]
    assert {place.propensity for place in settled.recommendations} == {1.0}


@pytest.mark.parametrize("n", [1, 2, 9])
def test_a_short_answer_has_no_place_to_spare(n: int) -> None:
    assert "new" not in {one.source for one in answer(3, n=n).recommendations}


@pytest.mark.parametrize(("most", "places"), [(0, 0), (1, 1), (3, 3), (99, 4)])
def test_the_knobs_bound_how_many(most: int, places: int) -> None:
    shown = answer(1, Policy(explore=0.2, max_explored=most, max_per_category=1.0), n=20)
    assert [one.source for one in shown.recommendations].count("new") <= places


def test_a_propensity_is_the_share_of_all_seeds_that_show_the_product() -> None:
    """Exact, not estimated: all seeds there are, counted."""
    two = Policy(explore=0.2, max_explored=2)
    shop = with_new(replace(SHOP, sold_out=0.0))
    answers = [recommend(Request(seed=seed), empty_state(), shop, two, NOW) for seed in range(WORLDS)]
    for place in (8, 9):
        counted = Counter(one.recommendations[place].item for one in answers)
        assert len(counted) > 1
        for one in answers:
            shown = one.recommendations[place]
            assert shown.propensity == counted[shown.item] / WORLDS


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**31 - 1),
    explore=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    bought=st.lists(st.sampled_from(NEW_ROWS), max_size=4),
    excluded=st.lists(st.sampled_from(NEW_ROWS), max_size=3),
    category=st.none() | st.integers(0, 5),
    cap=st.sampled_from([0.1, 0.4, 1.0]),
    n=st.sampled_from([1, 5, 10, 20]),
)
def test_only_what_the_rules_allow_is_explored(
    seed: int,
    explore: float,
    bought: list[int],
    excluded: list[int],
    category: int | None,
    cap: float,
    n: int,
) -> None:
    shop = with_new()
    asked = Request(n=n, seed=seed, exclude=tuple(excluded), category=category)
    policy = Policy(explore=explore, max_explored=3, max_per_category=cap, rebuy_above=1.0)
    person = state(30, [4, 5], [0, 0], bought)
    decision = recommend(asked, person, shop, policy, NOW)
    plain = recommend(asked, person, shop, policy.settled, NOW)
    items = [one.item for one in decision.recommendations]
    assert len(items) == len(set(items)) == len(plain.recommendations)
    fresh = [one for one in decision.recommendations if one.source == "new"]
    assert len(fresh) <= min(3, explore * n)
    for one in fresh:
        assert one.item in NEW_ROWS
        assert one.item not in (*bought, *excluded, *shop.sold_out.tolist())
        assert category is None or shop.items.category[one.item] == category
        assert one.position > 0
    if fresh and category is None:
        taken = Counter(code for code in shop.items.category[items].tolist() if code >= 0)
        assert max(taken.values()) <= max(1, np.ceil(cap * n))
    assert decision == recommend(asked, person, shop, policy, NOW)
    if not explore:
        assert decision == plain


def test_new_products_of_what_the_person_looks_at_come_first() -> None:
    shop = with_new(replace(SHOP, sold_out=0.0))
    category = shop.items.category
    for seen in range(30):
        asked = Request(seed=seen, session_items=(seen,))
        [*ranked, last] = recommend(
            asked, empty_state(), shop, Policy(max_per_category=1.0), NOW
        ).recommendations
        # the one whose place it took is not shown for being new either
        settled = recommend(asked, empty_state(), shop, Policy(max_per_category=1.0).settled, NOW)
        shown = {one.item for one in (*ranked, *settled.recommendations)}
        alike = {row for row in NEW_ROWS if row not in shown and category[row] == category[seen] >= 0}
        if alike:
            assert last.item in alike
            assert last.source == "new"


OLD, YOUNG = Product("old", age=90.0), Product("young", age=3.0)


def test_new_is_what_came_late_and_is_little_known() -> None:
    items = shop(OLD, YOUNG, Product("seen", age=3.0), Product("clicked", age=3.0), Product("aged", age=40.0))
    evidence = known(items)
    evidence.shown[items.row("seen")] = FEW_IMPRESSIONS
    evidence.opened[items.row("clicked")] = FEW_CLICKS
    assert [items.ids[row] for row in found_new(evidence, items, NOW)] == ["young"]


def test_nothing_is_new_where_the_records_begin() -> None:
    items = shop(Product("a", age=3.0), Product("b", age=2.5))
    assert not len(Newcomers.fit(known(items), items, NOW))


def test_what_is_clicked_more_wins_more_often_and_what_is_unknown_has_its_chance() -> None:
    items = shop(OLD, *(Product(name, age=3.0, category="hats") for name in ("bad", "good", "unknown")))
    evidence = known(items)
    for name, shown, clicked in (("bad", 150, 1), ("good", 150, 15), ("old", 1000, 50)):
        row = items.row(name)
        evidence.trials[row] = evidence.shown[row] = shown
        evidence.successes[row] = clicked
    fitted = Newcomers.fit(evidence, items, NOW)
    wins = Counter(items.ids[row] for row in fitted.rows[fitted.order[:, 0]])
    assert wins["good"] > wins["unknown"] > wins["bad"]
    assert wins["unknown"] > WORLDS // 20
    np.testing.assert_array_equal(fitted.order, Newcomers.fit(evidence, items, NOW).order)


def test_a_category_that_does_well_lends_its_rate_to_what_is_new_in_it() -> None:
    items = shop(
        Product("old hat", age=90.0, category="hats"),
        Product("old sock", age=90.0, category="socks"),
        Product("hat", age=3.0, category="hats"),
        Product("sock", age=3.0, category="socks"),
    )
    evidence = known(items, shown=0.0)
    for name, clicked in (("old hat", 300), ("old sock", 30)):
        evidence.trials[items.row(name)] = evidence.shown[items.row(name)] = 1000
        evidence.successes[items.row(name)] = clicked
    fitted = Newcomers.fit(evidence, items, NOW)
    wins = Counter(items.ids[row] for row in fitted.rows[fitted.order[:, 0]])
    assert wins["hat"] > 0.9 * WORLDS


def test_without_impressions_what_visits_led_to_is_the_evidence() -> None:
    items = shop("a", "b")
    events: InteractionLog = log(
        items, click("u", "a", ago=3), click("v", "a", ago=2), buy("u", "a"), buy("u", "b")
    )
    nothing = np.zeros(2)
    found = Evidence.of(nothing, nothing, events)
    assert (found.trials.tolist(), found.successes.tolist()) == ([2, 0], [1, 0])
    told = Evidence.of(np.array([5.0, 1.0]), np.array([1.0, 0.0]), events)
    assert (told.trials.tolist(), told.successes.tolist()) == ([5, 1], [1, 0])


def test_a_saved_bundle_explores_as_before(tmp_path: Path) -> None:
    shop = with_new()
    loaded = Bundle.load(shop.save(tmp_path))
    for seed in range(5):
        asked = Request(seed=seed)
        told, again = (recommend(asked, empty_state(), one, Policy(), NOW) for one in (shop, loaded))
        assert told == again
    for path in (tmp_path / "arrays").glob("newcomers-*"):
        path.unlink()
    assert not len(Bundle.load(tmp_path).newcomers)


@pytest.mark.parametrize("explore", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_refused(explore: float) -> None:
    with pytest.raises(BadInput, match="explore"):
        Policy(explore=explore)
