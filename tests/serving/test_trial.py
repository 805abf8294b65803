"""A new bundle serves only when it answers like a bundle of this shop, in time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import redis

from reco_assets.candidates.sources import BLEND, SOURCES
from reco_assets.errors import BadBundle
from reco_assets.platform.registry import Champion
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.policy.rules import Rules
from reco_serving.ladder import LADDER
from reco_serving.loaded import Loaded
from reco_serving.products import ProductFeed
from reco_serving.rehearsal import Case, answerable, rehearse, synthetic, warm
from reco_serving.state import Packed
from reco_serving.trial import Bounds, tried
from tests.serving.bundles import NOW, bundle

BOUNDS = Bounds(overlap=0.02, slower=3.0, seconds=1.0)


def loaded(made: Bundle) -> Loaded:
    return Loaded(made, Champion("1", Path()), ProductFeed(redis.Redis(), made), 0, Rules(made))


def other_taste() -> Bundle:
    """A bundle that ranks by nothing but popularity, turned upside down."""
    made = bundle("turned")
    popular = made.popular
    turned = replace(popular, ranked=popular.ranked[::-1].copy(), scores=(1.0 - popular.scores))
    sources = replace(made.sources, retrievers={**made.sources.retrievers, "popular": turned})
    blend = tuple(1.0 if name == "popular" else 0.0 for name in SOURCES)
    return replace(made, sources=sources, manifest=replace(made.manifest, blend=blend))


def test_the_same_answers_pass_and_are_counted() -> None:
    old, new = loaded(bundle("old")), loaded(bundle("new"))
    cases = synthetic(old.bundle)
    found = tried(new, old, cases, BOUNDS, NOW)
    assert (found.answers, found.overlap) == (len(cases), 1.0)


def test_scores_that_are_no_numbers_are_refused() -> None:
    made = bundle("broken")
    broken = replace(made, manifest=replace(made.manifest, blend=(float("nan"),) * len(BLEND)))
    with pytest.raises(BadBundle, match="a score is not finite"):
        tried(loaded(broken), None, synthetic(made), BOUNDS, NOW)


def test_answers_that_have_nothing_in_common_are_refused() -> None:
    old = loaded(bundle("old"))
    stranger = [Case(b'{"user_id": "u", "num_recommendations": 5}', Packed())]
    with pytest.raises(BadBundle, match="in common with those of the bundle that serves"):
        tried(loaded(other_taste()), old, stranger, replace(BOUNDS, overlap=0.9), NOW)
    tried(loaded(other_taste()), old, stranger, replace(BOUNDS, overlap=0.0), NOW)


def test_a_bundle_that_takes_too_long_is_refused() -> None:
    ticks = iter(np.cumsum([0.0, 0.5, 0.0, 0.1] * 100).tolist())  # half a second, a tenth for the old one
    old, new = loaded(bundle("old")), loaded(bundle("new"))
    with pytest.raises(BadBundle, match=r"an answer takes 500\.0 ms, 300\.0 ms are allowed"):
        tried(new, old, synthetic(old.bundle), replace(BOUNDS, seconds=0.01), NOW, lambda: next(ticks))


def test_requests_for_a_category_that_is_gone_are_passed_over() -> None:
    new = loaded(bundle("new"))
    gone = Case(b'{"user_id": "u", "category": "gone"}', Packed())
    assert tried(new, None, [gone, *synthetic(new.bundle)], BOUNDS, NOW).answers == len(synthetic(new.bundle))
    with pytest.raises(BadBundle, match="answers none of 1 requests"):
        tried(new, None, [gone], BOUNDS, NOW)


def test_a_request_that_leaves_nothing_is_no_fault_of_the_bundle() -> None:
    old, new = loaded(bundle("old")), loaded(bundle("new"))
    nothing = Case(b'{"user_id": "u", "filters": "price > 1e9"}', Packed())
    found = tried(new, old, [nothing], BOUNDS, NOW)
    assert (found.answers, found.overlap) == (1, 1.0)


def test_only_what_a_bundle_understands_is_asked_of_it() -> None:
    asked = [
        Case(b'{"user_id": "u", "category": "gone"}', Packed()),
        Case(b'{"user_id": "u", "filters": "gone = 1"}', Packed()),
        Case(b'{"user_id": "u", "category": "tools", "filters": "price > 0"}', Packed()),
    ]
    assert answerable(asked, loaded(bundle("new"))) == (asked[2],)


def test_warming_measures_every_rung_and_leaves_no_rung_out() -> None:
    made = loaded(bundle("warm"))
    warm(made)
    assert set(made.costs) == set(LADDER)
    assert all(0 < cost.least <= cost.mean for cost in made.costs.values())


def test_synthetic_people_are_known_and_do_not_see_what_they_bought() -> None:
    made = loaded(bundle("one"))
    known = [case for case in synthetic(made.bundle) if case.packed.user is not None]
    bought = {int(made.bundle.popular.ranked[0]), int(made.bundle.popular.ranked[4])}
    assert known
    for case in known:
        for rung in LADDER:
            decision = rehearse(case, made, NOW, rung)
            assert not bought & {one.item for one in decision.recommendations}, rung
