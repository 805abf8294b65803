"""A stage that is shared out finds what one process finds."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest

from reco_assets.interactions.history import load_history
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.lake import Lake
from reco_assets.ranking.decisions import Objective, sample_decisions
from reco_assets.ranking.evaluation import evaluate
from reco_assets.ranking.examples import replayed
from reco_assets.ranking.split import split_time
from reco_assets.ranking.stage import WORTH_SHARING, Stage, stage
from reco_assets.ranking.training import past_bundle
from reco_assets.recommender.types import Policy


@pytest.fixture(scope="module")
def walked(whole: Lake) -> Stage:
    history = load_history(whole)
    split = split_time(history.log.time)
    decisions = sample_decisions(
        history.log, split.train_from, split.end, WORTH_SHARING + 50, WORTH_SHARING, seed=3
    )
    assert len(decisions) > WORTH_SHARING
    bundle = past_bundle(history, split.train_from)
    with closing(DuckDBEngine(whole, threads=1)) as engine:
        return stage(engine, whole, history, bundle, decisions, split.train_from, split.end, Objective())


def test_examples_do_not_depend_on_how_many_processes_make_them(walked: Stage) -> None:
    alone, shared = (replayed(walked, Policy(), 5, 7, threads) for threads in (1, 2))
    for column in ("features", "grade", "decision", "item", "time", "user"):
        np.testing.assert_array_equal(getattr(alone, column), getattr(shared, column), err_msg=column)
    assert len(alone) > 0


def test_nor_does_what_the_judges_say_nor_the_bundle_that_was_asked(walked: Stage) -> None:
    before = walked.bundle.product_matrix.copy()
    first = {"first": [np.array([number % 7], np.int32) for number in range(len(walked.decisions))]}
    alone, shared = (evaluate(walked, Policy(), threads, first) for threads in (1, 2))
    assert alone.values == shared.values
    assert alone.decisions > 0
    np.testing.assert_array_equal(walked.bundle.product_matrix, before)
