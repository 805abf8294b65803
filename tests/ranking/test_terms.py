"""What was asked at a logged answer is asked once more, as far as the bundle still knows what it means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.lake import Lake
from reco_assets.ranking.terms import LoggedTerms, Terms
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.policy.kept import keep
from reco_assets.recommender.types import MOST, Context, Request
from tests.builders import moment
from tests.events.answers import decided
from tests.interactions.test_outcomes import answered
from tests.serving.bundles import bundle, items

DAY = (int(moment("2024-05-06").timestamp() * 1e6), int(moment("2024-05-07").timestamp() * 1e6))

Logged = Callable[..., Terms]


@pytest.fixture
def served() -> Bundle:
    return bundle("b1")


@pytest.fixture
def logged(lake: Lake, tmp_path: Path, served: Bundle) -> Logged:
    """The terms of one answer at which so much was asked."""

    def terms(**asked: object) -> Terms:
        engine = DuckDBEngine(lake, threads=1, memory_gb=1)
        answered(engine, decided("r1", "ann", "p1", at="2024-05-06T12:00", **asked))  # type: ignore[arg-type]
        engine.close()
        return LoggedTerms.load(lake, ["r1"], DAY, served, tmp_path).of("r1")

    return terms


def test_all_that_was_asked_is_asked_again(logged: Logged) -> None:
    row = items().row
    told = logged(
        context={
            "page": "product", "device": "tablet", "hour": 7, "weekday": 2, "age": 17, "region": "it",
            "product_id": "p1", "products": ["p2", "gone"], "cart": ["p3"],
        },
        exclude=["p4"],
        category="tools",
        filters="price < 40",
        num_recommendations=7,
    )  # fmt: skip
    assert told.request == Request(
        n=7,
        context=Context("tablet", "product", 7, 2, 17, "it"),
        session_items=(row("p3"), row("p2"), row("p1")),
        exclude=(row("p4"), row("p1")),
        category=items().category_codes["tools"],
        seed=3,
        cart=(row("p3"),),
        filters="price < 40",
    )


def test_a_category_and_a_filter_that_mean_nothing_any_more_ask_for_nothing(logged: Logged) -> None:
    told = logged(category="gone", context={"device": "app"})
    assert told.request.category is None
    assert told.request.context.device == "app"
    assert logged(filters='colour = "red"').request.filters == ""


def test_the_policy_that_held_holds_with_what_an_experiment_changed(logged: Logged, tmp_path: Path) -> None:
    digest = keep(tmp_path, b"version = 1\nmax_per_brand = 0.5\nfilter = 'category = \"tools\"'\n")
    told = logged(policy=digest, policy_changes={"diversity": 0.25})
    assert (told.policy.max_per_brand, told.policy.diversity) == (0.5, 0.25)
    within = told.rules.within(told.request)
    assert within is not None
    assert within.allowed.tolist() == (items().category == items().category_codes["tools"]).tolist()


def test_what_is_not_known_any_more_leaves_the_bundles_own_rules(
    logged: Logged, lake: Lake, served: Bundle, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lost = logged(policy="00ff")
    assert lost.policy == served.policy
    assert "00ff" in caplog.text
    nobody = LoggedTerms.load(lake, ["another"], DAY, served, tmp_path).of("another")
    assert (nobody.request, nobody.policy) == (Request(), served.policy)


def test_a_request_that_the_contract_takes_no_more_is_as_one_that_is_not_known(
    logged: Logged, served: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    told = logged(num_recommendations=MOST + 1, exclude=["p4"])
    assert (told.request, told.policy) == (Request(), served.policy)
    assert "r1" in caplog.text


def test_a_shop_that_answered_nothing_has_no_terms(lake: Lake, served: Bundle, tmp_path: Path) -> None:
    assert LoggedTerms.load(lake, [], DAY, served, tmp_path).of("r1").request == Request()
