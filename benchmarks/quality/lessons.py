"""What an ablation trains and asks: the sessions of a file, or a shop's own log."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import polars as pl

from benchmarks.quality.ablation import Doubles, Lesson, Sheet
from benchmarks.quality.learning import _stage
from benchmarks.quality.live_shop import LiveShop
from benchmarks.quality.periods import KNOWN, asked_period
from benchmarks.quality.questions import DISCOVERY, PURCHASES, Asked, Question, people_of, policy_of
from benchmarks.quality.shop_files import ShopFiles, read_log
from benchmarks.quality.shop_judging import METRICS, scored
from benchmarks.quality.shop_options import Options, drawn, home_of
from benchmarks.quality.tasks import ASKED, Task
from reco_assets.errors import BadInput
from reco_assets.interactions.history import load_history
from reco_assets.platform.engines import open_engine
from reco_assets.ranking.evaluation import recommended
from reco_assets.ranking.metrics import ranking_metrics
from reco_assets.ranking.split import split_time
from reco_assets.ranking.stage import stage
from reco_assets.ranking.training import TrainingBudget, past_bundle
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.types import Policy, Request

#: What is looked at of the answers to a shop's questions.
SHOP_METRICS: Final = ("recall@20", "ndcg@20")
_SEED: Final = 7

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Exam:
    """A lesson, and the questions after it."""

    name: str
    lesson: Lesson
    sheets: tuple[Sheet, ...]


def session_exam(task: Task, most: int | None, budget: TrainingBudget, progress: Progress) -> Exam:
    """The next item of a session: trained and asked as ``sessions`` is."""
    split, log = task.split, task.history.log
    progress("fitting the sources")
    past = past_bundle(task.history, split.train_from)
    judging = budget.judging(log, split.validate_from, split.test_from)
    lesson = Lesson(
        past=past,
        learned=_stage(task, past, budget.training(log, split), split.validate_from),
        held=_stage(task, past, judging, split.test_from),
        asked=past_bundle(task.history, task.learned_before),
        budget=budget,
        threads=len(os.sched_getaffinity(0)),
    )
    rows = np.arange(len(task.cases))
    if most is not None and most < len(rows):
        rows = np.sort(np.random.default_rng(_SEED).choice(rows, most, replace=False))
    kinds = tuple(task.metrics.values())
    request = Request(n=max(int(kind.partition("@")[2]) for kind in kinds))

    def ask(bundle: Bundle) -> Doubles:
        values = []
        for items, wanted in task.cases.questions(rows.tolist()):
            shown = recommended(request, task.state(items), bundle, bundle.policy, ASKED)
            values.append(list(ranking_metrics(shown, wanted, kinds).values()))
        return np.array(values)

    return Exam(task.name, lesson, (Sheet(tuple(task.metrics), ask, task.cases.group[rows]),))


@contextmanager
def shop_exam(
    name: str, files: ShopFiles, options: Options, budget: TrainingBudget, progress: Progress
) -> Iterator[Exam]:
    """Next purchases and discovery of the people whom a shop knows.

    The graph runs once; then the steps of its retraining are gone through again on the shop's lake.

    Raises BadInput where nobody can be asked anything, GraphFailed where the graph fails.
    """
    log = read_log(files, datetime.now(UTC), progress)
    period = asked_period(log, options.split, options.days)
    with home_of(options.home) as home:
        shop = LiveShop(home, files, progress)
        try:
            shop.take_in(period.first)
            shop.materialize()
            known = shop.known(period.first, people_of(log, period))
            sheets = tuple(_sheets(Asked(log, period, known), known.bundle, options.cases))
            if not sheets:
                raise BadInput(
                    f"leaving things out for {name}: nobody known does anything after the split",
                    hint="choose an earlier --split, or a longer log",
                )
            progress("reading the shop's history")
            yield Exam(name, _lesson(shop, known.bundle, budget), sheets)
        finally:
            shop.close()


def _lesson(shop: LiveShop, asked: Bundle, budget: TrainingBudget) -> Lesson:
    """What the assets of the retraining do, on the lake of ``shop``."""
    history, lake = load_history(shop.lake), shop.lake
    cut = split_time(history.log.time)
    past = past_bundle(history, cut.train_from)
    training = budget.training(history.log, cut)
    judging = budget.judging(history.log, cut.validate_from, cut.test_from)
    engine = open_engine(shop.settings, lake)
    try:
        aim = budget.objective
        learned = stage(engine, lake, history, past, training, cut.train_from, cut.validate_from, aim)
        held = stage(engine, lake, history, past, judging, cut.validate_from, cut.test_from, aim)
    finally:
        engine.close()
    return Lesson(past, learned, held, asked, budget, len(os.sched_getaffinity(0)))


def _sheets(asked: Asked, bundle: Bundle, most: int | None) -> Iterator[Sheet]:
    """One for each question that somebody known can be asked."""
    tables = asked.tables()
    for question in (PURCHASES, DISCOVERY):
        table = tables[question].filter(pl.col("segment").is_in(KNOWN))
        rows = list(asked.questions(question, drawn(table, most)))
        if rows:
            names = tuple(f"{question}.{metric}" for metric in SHOP_METRICS)
            _, person = np.unique([one.person for one in rows], return_inverse=True)
            yield Sheet(names, _asking(rows, policy_of(question, bundle.policy)), person)


def _asking(rows: Sequence[Question], policy: Policy) -> Callable[[Bundle], Doubles]:
    places = [METRICS.index(metric) for metric in SHOP_METRICS]

    def ask(bundle: Bundle) -> Doubles:
        shown = (recommended(one.request, one.state, bundle, policy, one.now) for one in rows)
        values = [scored(answer, one.wanted) for answer, one in zip(shown, rows, strict=True)]
        return np.array(values)[:, places]

    return ask
