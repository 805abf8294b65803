"""What is turned, and that a number which changes no answer makes no curve."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.quality.beyond import CATEGORIES, Beyond
from benchmarks.quality.curve import curves
from benchmarks.quality.curve_picture import curve_picture
from benchmarks.quality.questions import DISCOVERY, SHOWN, Events, Question
from benchmarks.quality.turning import COUNTS, played, turned
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.types import Policy, Request
from tests.candidates.shops import NOW
from tests.recommender.shops import Shape, bundle, state

NOTHING = Events(np.empty(0, np.int32), np.empty(0, np.int8), np.empty(0, np.int64))


@pytest.fixture(scope="module")
def made() -> Bundle:
    return bundle(Shape(300, 3, 3_000, 0.0, True, 1))


def question(number: int, segment: str = "light") -> Question:
    """Somebody who has seen two products, and wants one."""
    seen = [number % 300, (number + 1) % 300]
    own = state(300, seen, [0, 0], [])
    wanted = np.array([(number * 7) % 300], np.int32)
    return Question(f"u{number}", own, NOTHING, Request(n=SHOWN), NOW, wanted, segment)


def test_every_number_of_a_policy_is_turned_and_no_switch() -> None:
    policies = turned(Policy())
    assert set(policies) == {
        "max_per_category", "max_per_brand", "rebuy_above", "candidates", "diversity", "explore",
        "max_explored",
    }  # fmt: skip
    assert [policy.candidates for policy in policies["candidates"].values()] == list(COUNTS)
    assert 1.0 in policies["explore"]
    assert 1.0 not in policies["diversity"], "the policy refuses it"
    assert {policy.diversity for policy in policies["candidates"].values()} == {0.0}


def test_each_value_is_asked_once_about_each_question_and_timed(made: Bundle) -> None:
    policies = [Policy(candidates=count) for count in (5, 60)]
    found = played([question(at) for at in range(4)], policies, made)
    assert found.shown.shape == (2, 4, SHOWN)
    assert (found.seconds > 0.0).all()
    assert not found.flat
    again = played([question(at) for at in range(4)], policies[1:], made)
    np.testing.assert_array_equal(again.shown[0], found.shown[1])
    assert again.flat


def test_what_changes_no_answer_makes_no_curve(made: Bundle) -> None:
    look = Beyond(np.ones(300), made.items.category, np.ones((300, 1), np.float32))
    asked = [question(at) for at in range(12)] + [question(at, "new") for at in range(12, 15)]
    found = {curve.knob: curve for curve in curves(DISCOVERY, asked, made, Policy(), look)}
    # recommenders are compared without exploration, and nobody has bought anything
    assert not {"explore", "max_explored", "rebuy_above"} & set(found)
    assert {"candidates", "max_per_category"} <= set(found)
    assert found["candidates"].counts
    assert not found["max_per_category"].counts
    for curve in found.values():
        assert curve.asked == 12, "newcomers are no part of it"
        (own,) = (point for point in curve.points if point.value == curve.default)
        assert all(score.mean == score.low == score.high == 0.0 for score in own.minus.values())


def test_variety_of_which_nothing_is_known_has_no_panel(made: Bundle) -> None:
    nameless = Beyond(np.ones(300), np.full(300, -1, np.int32), np.ones((300, 1), np.float32))
    found = curves(DISCOVERY, [question(at) for at in range(12)], made, Policy(), nameless)
    assert all(np.isnan(point.diversity[CATEGORIES]) for curve in found for point in curve.points)
    assert curve_picture("a shop", found).startswith(b"\x89PNG")
    assert curve_picture("a shop of one product", []).startswith(b"\x89PNG")
