"""From answers in the lake to rows that the ranker learns from, and to what a challenger is worth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from reco_assets.candidates.sources import Candidates
from reco_assets.features.catalogue import RANKING_FEATURES, names
from reco_assets.interactions.history import ShopHistory, load_history
from reco_assets.interactions.outcomes import build_attributions, build_impressions
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.lake import Lake
from reco_assets.ranking.answered import Answered, load_answered
from reco_assets.ranking.examination import PLACES
from reco_assets.ranking.examples import examples
from reco_assets.ranking.examples_table import examples_of, examples_table
from reco_assets.ranking.feedback import feedback_examples
from reco_assets.ranking.lambdamart import RankerParameters, train_ranker
from reco_assets.ranking.replay import Moment
from reco_assets.ranking.stage import stage
from reco_assets.ranking.terms import LoggedTerms
from reco_assets.ranking.told import Stretch
from reco_assets.ranking.training import TrainingBudget, past_bundle
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.recommend import recommend
from reco_assets.recommender.types import Context, Policy, Request
from tests.builders import Event, click, events, moment, purchase
from tests.events.answers import decided
from tests.features.lakes import build, deliver, product, stock
from tests.interactions.test_outcomes import answered as answer

FIRST, LAST = date(2024, 5, 1), date(2024, 5, 8)
FROM, TO = "2024-05-06", "2024-05-08"
PRODUCTS = [f"p{number:02d}" for number in range(12)]
BUDGET = TrainingBudget(train_decisions=100, judge_decisions=100)


def at(text: str) -> int:
    return int(moment(text).timestamp() * 1e6)


def habits() -> list[Event]:
    """Ten people who look at a few products every day; from 6 May on at none that is shown."""
    rng = np.random.default_rng(2)
    return [
        click(
            f"u{user}",
            PRODUCTS[int(rng.integers(0 if day < 6 else 7, 12))],
            at=f"2024-05-0{day}T0{1 + user % 8}:1{look}",
        )
        for day in range(1, 8)
        for user in range(10)
        for look in range(3)
    ]


@dataclass(frozen=True)
class Shop:
    """A shop that answered three times on 6 May; u0 clicked the third place and bought it, too late."""

    engine: DuckDBEngine
    history: ShopHistory
    bundle: Bundle

    @property
    def lake(self) -> Lake:
        return self.engine.lake


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    engine = DuckDBEngine(Lake(str(tmp_path_factory.mktemp("shop") / "lake")), threads=2, memory_gb=1)
    stock(engine, *(product(name, f"c{number % 3}", 5.0 + number) for number, name in enumerate(PRODUCTS)))
    answer(
        engine,
        decided(
            "r1",
            "u0",
            "p01",
            "p02",
            "p03",
            at="2024-05-06T12:00",
            propensities=[1.0, 1.0, 0.25],
            context={"device": "mobile", "hour": 23, "product_id": "p09"},
        ),
        decided("r2", "u1", "p04", "p05", "p06", at="2024-05-06T13:00"),
        decided("r3", "nobody", "p01", "gone", "p02", at="2024-05-06T14:00"),
    )
    deliver(
        engine,
        events(
            *habits(),
            click("u0", "p03", at="2024-05-06T12:01", recommendation_id="r1"),
            purchase("u0", "p03", at="2024-05-08T09:00"),
        ),
    )
    build(engine, FIRST, LAST)
    build_attributions(engine, FIRST, LAST)
    build_impressions(engine, FIRST - timedelta(days=7), LAST)
    history = load_history(engine.lake)
    yield Shop(engine, history, past_bundle(history, at(FROM)))
    engine.close()


def stretch(shop: Shop, first: str = FROM, last: str = TO) -> Stretch:
    policies = Path(shop.lake.root).parent / "policies"
    return Stretch(shop.engine, shop.lake, shop.history, shop.bundle, at(first), at(last), BUDGET, policies)


def terms(shop: Shop, found: Answered) -> LoggedTerms:
    return LoggedTerms.load(shop.lake, found.ids.tolist(), (at(FROM), at(TO)), shop.bundle, Path("none"))


def told(shop: Shop, last: str = TO) -> tuple[ShopHistory, Answered]:
    return load_answered(shop.lake, shop.history, at(FROM), at(last))


def test_answers_have_their_places_and_what_came_of_them(shop: Shop) -> None:
    whole, found = told(shop, "2024-05-09")
    ids = shop.history.items.ids
    names = [whole.log.user_ids[int(user)] for user in found.decisions.user[found.answer]]
    assert [(name, ids[item]) for name, item in zip(names, found.item, strict=True)] == [
        ("u0", "p01"), ("u0", "p02"), ("u0", "p03"),
        ("u1", "p04"), ("u1", "p05"), ("u1", "p06"),
        ("nobody", "p01"), ("nobody", "p02"),
    ]  # fmt: skip
    assert found.place.tolist() == [0, 1, 2, 0, 1, 2, 0, 2]
    assert found.grade.tolist() == [0, 0, 3, 0, 0, 0, 0, 0]
    assert found.propensity.tolist() == [1, 1, 0.25, 1, 1, 1, 1, 1]


def test_what_happens_after_the_stretch_is_not_looked_at(shop: Shop) -> None:
    _, found = told(shop)
    assert found.grade.max() == 1


def test_some_answers_may_be_taken_alone(shop: Shop) -> None:
    _, found = told(shop)
    some = found.of(np.array([0, 2]))
    assert some.answer.tolist() == [0, 0, 0, 1, 1]
    assert some.place.tolist() == [0, 1, 2, 0, 2]
    assert len(found.sampled(1, seed=3).decisions) == 1


def test_the_clicked_is_held_against_what_was_passed_over_and_weighed_by_its_place(shop: Shop) -> None:
    whole, found = told(shop)
    moments = stage(
        shop.engine, shop.lake, whole, shop.bundle, found.decisions, at(FROM), at(TO), BUDGET.objective
    )
    examined = 1.0 / np.arange(1, PLACES + 1)
    rows = feedback_examples(moments.walk(), found, examined, shop.bundle, terms(shop, found))
    ids = shop.history.items.ids
    assert [ids[row] for row in rows.item] == ["p01", "p02", "p03"]
    assert rows.grade.tolist() == [0, 0, 1]
    assert rows.weights.tolist() == [3.0, 3.0, 3.0]
    assert rows.features.shape == (3, len(RANKING_FEATURES))
    assert whole.log.user_ids[int(rows.user[0])] == "u0"


def test_the_features_are_those_by_which_the_service_ranks_the_same_request(shop: Shop) -> None:
    whole, found = told(shop)
    examined = 1.0 / np.arange(1, PLACES + 1)

    def walk() -> Iterator[Moment]:
        return stage(
            shop.engine, shop.lake, whole, shop.bundle, found.decisions, at(FROM), at(TO), BUDGET.objective
        ).walk()

    rows = feedback_examples(walk(), found, examined, shop.bundle, terms(shop, found))
    ranked: dict[int, npt.NDArray[np.float32]] = {}

    def noticed(candidates: Candidates, matrix: npt.NDArray[np.float32]) -> None:
        ranked.update(zip(candidates.items.tolist(), matrix, strict=True))

    asked = Request(
        context=Context(device="mobile", hour=23),
        session_items=(shop.history.items.row("p09"),),
        exclude=(shop.history.items.row("p09"),),
    )
    first = next(walk())
    recommend(asked, first.state, shop.bundle, Policy(), first.now, noticed)
    for item, features in zip(rows.item.tolist(), rows.features, strict=True):
        assert features.tobytes() == ranked[item].tobytes()
    of = dict(zip(names(RANKING_FEATURES), rows.features.T, strict=True))
    assert set(of["device"].tolist()) == {2.0}
    assert set(of["hour"].tolist()) == {23.0}


def test_the_rows_join_the_replayed_ones_in_the_table_and_in_the_ranker(shop: Shop) -> None:
    found = stretch(shop).feedback()
    assert found is not None
    found = replace(found, weight=found.weights * 2)
    decisions = BUDGET.judging(shop.history.log, at(FROM), at(TO))
    moments = stage(
        shop.engine, shop.lake, shop.history, shop.bundle, decisions, at(FROM), at(TO), BUDGET.objective
    )
    replayed = examples(moments.walk(), decisions, shop.bundle, Policy(), 5, 1)
    both = replayed.and_then(found)
    assert len(both) == len(replayed) + len(found)
    table = examples_table(both, shop.history, "train").lazy()
    assert table.filter(pl.col("weight") == 2.0).collect()["product_id"].to_list() == ["p01", "p02", "p03"]
    read = examples_of(table, "train")
    weights = read.decision_weights()
    assert weights is not None
    assert weights.tolist() == [1.0] * (len(weights) - 1) + [2.0]
    assert replayed.decision_weights() is None
    assert train_ranker(read, read, RankerParameters(rounds=3), threads=1).trees > 0


def test_a_challenger_is_valued_on_the_logged_answers(shop: Shop) -> None:
    worth = stretch(shop).value()
    assert worth is not None
    assert (worth.impressions, worth.users) == (8, 3)
    assert worth.logged.value == pytest.approx(1 / 8)


def test_a_shop_without_impressions_learns_from_none(shop: Shop, lake: Lake) -> None:
    before = stretch(shop, "2024-05-02", "2024-05-04")
    assert before.feedback() is None
    assert before.value() is None
    _, nothing = load_answered(lake, shop.history, 0, at(TO))
    assert len(nothing) == len(nothing.decisions) == 0
