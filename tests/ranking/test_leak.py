"""Nothing that happens later can be seen in a decision: not in its candidates, not in their features."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from reco_assets.features.catalogue import RANKING_FEATURES, names
from reco_assets.interactions.history import ShopHistory, load_history
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.lake import Lake
from reco_assets.ranking.decisions import Decisions, Objective, sample_decisions
from reco_assets.ranking.split import DAY_US
from reco_assets.ranking.stage import stage
from reco_assets.ranking.training import past_bundle
from reco_assets.recommender.recommend import features_of, propose
from reco_assets.recommender.types import Floats, Int32s, Policy, Request
from tests.ranking.simulated import without_later_events

#: Decision points that are looked at twice; each costs a lake of its own.
POINTS = 3
#: The sources know what was before the midnight so many days before the end.
LEARNED_DAYS = 2


def ranked(
    lake: Lake, history: ShopHistory, before: int, user_id: str, time: int
) -> tuple[Int32s, Floats, Floats]:
    """Candidates of a person at a moment, their scores by source, and the ranker's matrix."""
    bundle = past_bundle(history, before)
    row = history.log.user_ids.to_list().index(user_id)
    point = Decisions(np.array([row], np.int32), np.array([time], np.int64), np.zeros(1, np.int64))
    with closing(DuckDBEngine(lake, threads=1)) as engine:
        (moment,) = stage(engine, lake, history, bundle, point, before, time + 1, Objective()).walk()
    past, candidates = propose(Request(), moment.state, bundle, Policy(), moment.now)
    features = features_of(Request(), moment.state, past, candidates, bundle, moment.now)
    return candidates.items, candidates.scores, features


def points(history: ShopHistory, before: int) -> Iterator[tuple[str, int]]:
    """People with a past, at moments that are spread over the time after ``before``."""
    found = sample_decisions(history.log, before, history.last, 200, 1, seed=11)
    bounds = history.log.user_bounds
    known = [
        (history.log.user_ids[int(user)], int(time))
        for user, time in zip(found.user, found.time, strict=True)
        if history.log.time[bounds[user]] < time
    ]
    yield from (known[place] for place in np.linspace(0, len(known) - 1, POINTS).astype(int))


def test_deleting_all_later_events_changes_no_candidate_and_no_feature(whole: Lake, tmp_path: Path) -> None:
    history = load_history(whole)
    before = history.last // DAY_US * DAY_US - (LEARNED_DAYS - 1) * DAY_US
    for number, (user_id, time) in enumerate(points(history, before)):
        cut = without_later_events(whole, time, tmp_path / str(number))
        shorter = load_history(cut)
        assert len(shorter.log) == len(history.log.before(time)) < len(history.log)
        assert shorter.items.ids.tolist() == history.items.ids.tolist()

        items, scores, features = ranked(whole, history, before, user_id, time)
        told_items, told_scores, told_features = ranked(cut, shorter, before, user_id, time)

        assert items.tolist() == told_items.tolist()
        assert scores.tobytes() == told_scores.tobytes()
        same = [a.tobytes() == b.tobytes() for a, b in zip(features.T, told_features.T, strict=True)]
        assert [name for name, alike in zip(names(RANKING_FEATURES), same, strict=True) if not alike] == []


def test_an_event_before_the_decision_is_seen(whole: Lake, tmp_path: Path) -> None:
    """The comparison can fail: without the last day before the decision the features are others."""
    history = load_history(whole)
    before = history.last // DAY_US * DAY_US
    (user_id, time) = list(points(history, before))[-1]
    cut = without_later_events(whole, before - DAY_US, tmp_path / "cut")
    shorter = load_history(cut)
    if user_id not in shorter.log.user_ids.to_list():
        pytest.fail("the point's person must have an older past: choose another seed")
    _, _, features = ranked(whole, history, before, user_id, time)
    _, _, told = ranked(cut, shorter, before, user_id, time)
    assert features.tobytes() != told.tobytes()


def test_a_later_price_is_not_seen(whole: Lake, tmp_path: Path) -> None:
    """The catalogue has a history too: what it says from a moment on is unknown before it."""
    history = load_history(whole)
    before = history.last // DAY_US * DAY_US
    (user_id, time) = next(iter(points(history, before)))
    rows = whole.scan("silver/products").collect()
    later = pl.col("valid_from").dt.timestamp("us") >= time
    cut = without_later_events(whole, time, tmp_path / "cut")
    cut.replace(
        "silver/products",
        rows.with_columns(price=pl.when(later).then(9e9).otherwise("price")).to_arrow(),
    )
    assert rows.filter(later).height > 0
    _, _, features = ranked(whole, history, before, user_id, time)
    _, _, told = ranked(cut, load_history(cut), before, user_id, time)
    assert features.tobytes() == told.tobytes()
