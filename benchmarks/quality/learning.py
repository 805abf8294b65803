"""Learning what is judged, from the training data alone and by the steps of the daily retraining."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from benchmarks.quality.tasks import Task
from benchmarks.report import Stopwatch
from reco_assets.candidates.popular import Popular
from reco_assets.candidates.retriever import Retriever
from reco_assets.errors import BadInput
from reco_assets.features.catalogue import PRODUCT_FEATURES
from reco_assets.ranking.decisions import Decisions
from reco_assets.ranking.examples import replayed
from reco_assets.ranking.lambdamart import RankerParameters, Trained, train_ranker
from reco_assets.ranking.outcome import Chosen
from reco_assets.ranking.stage import Stage
from reco_assets.ranking.timeline import ProductTimeline, UserTimeline
from reco_assets.ranking.training import LEARNING, TrainingBudget, choose_ranking, past_bundle
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.state import empty_state

#: Events counted, all alike: what papers call PopRec.
POPULARITY: Final = "popularity"
#: Decisions that the ranker learns from, at the most: twice as many as every night in a shop.
DECISIONS: Final = 60_000
#: Those that stop it and choose what ranks, likewise.
JUDGED: Final = 3_000


@dataclass(frozen=True)
class Learned:
    """What is asked.

    Attributes
    ----------
    bundle
        The full recommender, with its sources.
    others
        Recommenders that are no part of the bundle.
    ranks_by
        ``ranker``, ``blend`` or a source: what the validation chose.
    seconds
        Time to fit each recommender; ``full`` is the whole retraining.
    """

    bundle: Bundle
    others: Mapping[str, Retriever]
    ranks_by: str
    seconds: Mapping[str, float]


def learn(task: Task, progress: Callable[[str], None]) -> Learned:
    """Fit the sources, train and validate the ranker, and count popularity."""
    started = time.perf_counter()
    marks: dict[str, float] = {}

    def heard(name: str) -> None:
        progress(f"fitting {name}")
        marks[name] = time.perf_counter()

    bundle = past_bundle(task.history, task.learned_before, heard)
    ends = [*list(marks.values())[1:], time.perf_counter()]
    seconds = {name: end - begin for (name, begin), end in zip(marks.items(), ends, strict=True)}
    seconds["blend"] = ends[-1] - started
    chosen = _ranking(task, progress)
    seconds["full"] = time.perf_counter() - started
    log, items = task.history.log.before(task.learned_before), task.history.items
    same_time = replace(log, time=np.full_like(log.time, task.learned_before - 1))
    others: dict[str, Retriever] = {}
    with Stopwatch() as watch:
        others[POPULARITY] = Popular.fit(same_time, items, task.learned_before)
    seconds[POPULARITY] = watch.seconds
    return Learned(chosen.applied_to(bundle), others, chosen.name, seconds)


def _ranking(task: Task, progress: Callable[[str], None]) -> Chosen:
    split, budget = task.split, TrainingBudget(DECISIONS, JUDGED, objective=task.objective)
    log = task.history.log
    progress("replaying the training decisions")
    bundle = past_bundle(task.history, split.train_from)
    learned = _stage(task, bundle, budget.training(log, split), split.validate_from)
    held = _stage(task, bundle, budget.judging(log, split.validate_from, split.test_from), split.test_from)
    threads = len(os.sched_getaffinity(0))
    rows = replayed(learned, LEARNING, budget.negatives_of(learned.decisions), budget.seed, threads)
    judged = replayed(held, LEARNING, LEARNING.candidates, budget.seed, threads)
    progress(f"training the ranker on {len(rows):,} rows")
    trained: Trained | None = None
    try:
        trained = train_ranker(rows, judged, RankerParameters(), threads)
    except BadInput as error:
        progress(str(error))
    choice = choose_ranking(trained, held, bundle.policy, threads)
    progress(f"the validation chose: {choice.name}")
    return Chosen(choice.name, choice.trained.ranker if choice.trained else None, choice.blend, "")


def _stage(task: Task, bundle: Bundle, decisions: Decisions, last: int) -> Stage:
    """The decisions, one a person and moment, with every windowed feature at its default."""
    _, first = np.unique(np.stack([decisions.user, decisions.time]), axis=1, return_index=True)
    kept = np.sort(first)
    distinct = Decisions(decisions.user[kept], decisions.time[kept], decisions.at[kept])
    users = UserTimeline(np.tile(empty_state().features, (len(kept), 1)), np.full(len(kept), -1, np.int32))
    products = ProductTimeline(
        np.empty(0, np.int64), np.empty(0, np.int32), np.empty((0, len(PRODUCT_FEATURES)), np.float32)
    )
    return Stage(task.history.log, distinct, last, users, products, bundle, task.objective)
