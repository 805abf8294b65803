"""What ranks is what did best on the validation, judged as it would be served; each case can be proved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import xgboost

from reco_assets.candidates.sources import BLEND, SOURCES
from reco_assets.catalogue.items import ItemTable
from reco_assets.features.catalogue import PRODUCT_FEATURES, RANKING_FEATURES, names
from reco_assets.interactions.history import ShopHistory
from reco_assets.ranking.decisions import Decisions, Objective
from reco_assets.ranking.evaluation import FULL, one_source
from reco_assets.ranking.lambdamart import Trained
from reco_assets.ranking.stage import Stage
from reco_assets.ranking.timeline import ProductTimeline, UserTimeline
from reco_assets.ranking.training import ALONE, DECISIVE, FEWEST, Choice, choose_ranking, past_bundle
from reco_assets.recommender.ranker import Ranker
from reco_assets.recommender.state import empty_state
from reco_assets.recommender.types import Policy
from tests.candidates.shops import DAY, NOW, Did, Product, click, log, shop

PRICE = names(PRODUCT_FEATURES).index("price")
COLUMNS = list(names(RANKING_FEATURES))


def held(items: ItemTable, past: Sequence[Did], asked: Sequence[Did]) -> Stage:
    """The events of ``asked`` are what is wanted, by a bundle that learned from ``past`` alone.

    What costs more than 50 is known to do so.
    """
    whole = log(items, *past, *asked)
    history = ShopHistory(items, whole)
    cut = NOW - DAY // 2
    rows = np.flatnonzero(whole.time >= cut)
    rows = rows[np.argsort(whole.time[rows], kind="stable")]
    decisions = Decisions(whole.user[rows], whole.time[rows], rows.astype(np.int64))
    values = np.full((len(items), len(PRODUCT_FEATURES)), np.nan, np.float32)
    values[:, PRICE] = [100.0 if name.startswith("dear") else 1.0 for name in items.ids.tolist()]
    known = np.full(len(items), cut - 1, np.int64)
    return Stage(
        whole,
        decisions,
        NOW + 1,
        UserTimeline(np.tile(empty_state().features, (len(rows), 1)), np.full(len(rows), -1, np.int32)),
        ProductTimeline(known, np.arange(len(items), dtype=np.int32), values),
        past_bundle(history, cut),
        Objective(),
    )


def dear_first(blend: Sequence[float]) -> Trained:
    """A ranker of one tree, which puts what costs more than 50 in front, upon ``blend``."""
    features = np.zeros((200, len(COLUMNS)), np.float32)
    features[100:, COLUMNS.index("product_price")] = 100.0
    rows = xgboost.DMatrix(features, np.repeat([0.0, 100.0], 100))
    grown = xgboost.train({"max_depth": 1, "eta": 1.0, "nthread": 1}, rows, 1)
    return Trained(Ranker.upon(grown, blend), tuple(blend), 1, 0.0, {})


def chosen(stage: Stage, trained: Trained | None) -> Choice:
    return choose_ranking(trained, stage, Policy(), threads=1)


def value(choice: Choice, name: str) -> float:
    return choice.validation.means()[name][DECISIVE]


CHEAP = [f"cheap{at:02d}" for at in range(40)]
#: Only what is cheap was ever looked at, each by people of its own.
LOOKED = [click(f"v{at}", name, ago=1) for at, name in enumerate(CHEAP)]
SHOP = shop(*CHEAP, "dear0", "dear1")


def newcomers(count: int, product: str) -> list[Did]:
    """So many people of whom nothing is known, and who open ``product``."""
    return [click(f"w{at}", product, ago=0.1) for at in range(count)]


def test_the_ranker_ranks_where_it_alone_knows() -> None:
    stage = held(SHOP, LOOKED, newcomers(FEWEST, "dear0"))
    choice = chosen(stage, dear_first(BLEND))
    # forty products have been looked at: no list of twenty reaches down to one that nobody knows
    assert {name: value(choice, name) for name in ("blend", ALONE, *SOURCES)} == dict.fromkeys(
        ("blend", ALONE, *SOURCES), 0.0
    )
    assert value(choice, FULL) > 0.6
    assert choice.name == "ranker"
    assert choice.trained is not None


def test_few_decisions_choose_nothing_and_all_sources_rank_as_they_come() -> None:
    stage = held(SHOP, LOOKED, newcomers(FEWEST - 1, "dear0"))
    choice = chosen(stage, dear_first(_only("popular")))
    assert value(choice, FULL) > 0.6
    assert (choice.name, choice.trained, choice.blend) == ("blend", None, BLEND)


def test_a_source_ranks_where_it_is_better_than_the_ranker_and_the_blend() -> None:
    """Everybody comes back to what is theirs; the ranker wants what is dear, and its blend what many want."""
    people = 24
    past = [click(f"u{at}", CHEAP[at], ago=days) for at in range(people) for days in (1, 2, 3)]
    crowd = [click(f"x{at}", name, ago=1) for name in CHEAP[25:] for at in range(10)]
    back = [click(f"u{at}", CHEAP[at], ago=0.1) for at in range(people)]
    stage = held(SHOP, [*past, *crowd], back)
    choice = chosen(stage, dear_first(_only("popular")))
    assert value(choice, "repeat") == 1.0
    assert value(choice, ALONE) == 1.0
    assert value(choice, "blend") < 0.5
    assert choice.name in ("repeat", "habits")
    assert choice.trained is None
    assert choice.blend == tuple(float(weight) for weight in one_source(choice.name))


def test_the_blend_that_the_ranker_was_grown_upon_ranks_where_nothing_is_better() -> None:
    people = 24
    past = [click(f"u{at}", CHEAP[at], ago=days) for at in range(people) for days in (1, 2, 3)]
    back = [click(f"u{at}", CHEAP[at], ago=0.1) for at in range(people)]
    weights = _only("repeat")
    choice = chosen(held(SHOP, past, back), dear_first(weights))
    assert value(choice, "blend") == value(choice, ALONE) == 1.0
    assert (choice.name, choice.trained, choice.blend) == ("blend", None, weights)


def test_without_a_ranker_the_blend_of_all_is_held_against_the_sources() -> None:
    people = 24
    past = [click(f"u{at}", CHEAP[at], ago=days) for at in range(people) for days in (1, 2, 3)]
    back = [click(f"u{at}", CHEAP[at], ago=0.1) for at in range(people)]
    choice = chosen(held(SHOP, past, back), None)
    assert value(choice, FULL) == value(choice, "blend")
    assert choice.trained is None
    assert value(choice, ALONE) == 1.0


def test_a_source_is_judged_under_the_rules_that_it_would_be_served_by() -> None:
    """Twenty boots are the most popular, and somebody wants the thirteenth.

    By itself the list of popular products has it. Under the rules eight of twenty may be boots, then
    eight are hoses, and the ninth to the twelfth boot take what is left.
    """
    boots = [Product(f"boot{at:02d}", category="boots") for at in range(20)]
    hoses = [Product(f"hose{at:02d}", category="hoses") for at in range(20)]
    items = shop(*boots, *hoses)
    many = [
        click(f"v{at:02d}-{one.id}", one.id, ago=1)
        for place, one in enumerate([*boots, *hoses])
        for at in range(60 - place)
    ]
    stage = held(items, many, newcomers(FEWEST, "boot12"))
    choice = chosen(stage, dear_first(_only("popular")))
    assert value(choice, "popular") == pytest.approx(1 / np.log2(14))
    assert value(choice, ALONE) == 0.0
    # by the list alone the source would be chosen, which would then show what the blend shows
    assert value(choice, "blend") == 0.0
    assert choice.name == "blend"


def _only(name: str) -> tuple[float, ...]:
    return tuple(float(source == name) for source in SOURCES)
