"""A ranker that was taught at random ranks at random: what it knows, it knows from the labels."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest

from reco_assets.interactions.history import load_history
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.lake import Lake
from reco_assets.ranking.decisions import Objective, sample_decisions
from reco_assets.ranking.examples import Examples, examples
from reco_assets.ranking.lambdamart import RankerParameters, train_ranker
from reco_assets.ranking.split import split_time
from reco_assets.ranking.stage import stage
from reco_assets.ranking.training import TrainingBudget, past_bundle
from reco_assets.recommender.ranker import shares_of
from reco_assets.recommender.types import Floats, Policy

#: A single ranker of noise leans one way or another by chance; the mean of several does not.
SHUFFLES = 12
DRAWS = 2_000
CHANCE = 0.5
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Lessons:
    """What the ranker learns from, what stops it, and what it is judged by, all of one shop."""

    train: Examples
    stop: Examples
    judge: Examples


@pytest.fixture(scope="module")
def lessons(whole: Lake) -> Lessons:
    history = load_history(whole)
    split, policy, objective = split_time(history.log.time), Policy(), Objective()
    budget = TrainingBudget(train_decisions=600, per_user=4)
    bundle = past_bundle(history, split.train_from)
    first, middle, last = split.train_from, split.validate_from, split.end
    with closing(DuckDBEngine(whole, threads=1)) as engine:
        training = budget.training(history.log, split)
        judging = sample_decisions(history.log, middle, last, 400, 4, budget.seed)
        taught = stage(engine, whole, history, bundle, training, first, middle, objective)
        held = stage(engine, whole, history, bundle, judging, middle, last, objective)
    rows = examples(taught.walk(), training, bundle, policy, budget.negatives, budget.seed)
    judged = examples(held.walk(), judging, bundle, policy, policy.candidates, budget.seed)
    later = np.unique(rows.decision)[-len(np.unique(rows.decision)) // 5]
    return Lessons(_where(rows, rows.decision < later), _where(rows, rows.decision >= later), judged)


def _where(rows: Examples, mask: npt.NDArray[np.bool_]) -> Examples:
    return replace(
        rows,
        features=rows.features[mask],
        grade=rows.grade[mask],
        decision=rows.decision[mask],
        item=rows.item[mask],
    )


def shuffled(rows: Examples, dice: np.random.Generator) -> Examples:
    """The same decisions and candidates; within each decision the labels are dealt out anew."""
    keys = np.lexsort((dice.random(len(rows)), rows.decision))
    grade = np.empty_like(rows.grade)
    grade[np.arange(len(rows))] = rows.grade[keys]
    return replace(rows, grade=grade)


def judged(rows: Examples, scores: Floats) -> Doubles:
    """The share of pairs of each decision of ``rows``, one that came true and one that did not, in order.

    Half is chance, for any order that knows nothing: a metric of the first places would reward an order
    that happens to be right by more than it would punish the opposite one.
    """
    found = []
    for decision in np.unique(rows.decision):
        here = rows.decision == decision
        true, other = scores[here & (rows.grade > 0)], scores[here & (rows.grade == 0)]
        above = (true[:, None] > other[None, :]).mean() + (true[:, None] == other[None, :]).mean() / 2
        found.append(float(above))
    return np.array(found)


def taught(lessons: Lessons, train: Examples, stop: Examples) -> Doubles:
    """What the trees of a ranker of ``train`` and ``stop`` say of the decisions that neither has.

    They stand upon no blend: its weights are never below 0, so even one that was taught nonsense
    prefers what a source proposes, and is above chance by that.
    """
    parameters = RankerParameters(rounds=30, patience=30, upon_blend=False)
    ranker = train_ranker(train, stop, parameters, threads=1).ranker
    return judged(lessons.judge, ranker.score(lessons.judge.features))


def served(lessons: Lessons, train: Examples, stop: Examples) -> tuple[Doubles, Doubles]:
    """What the ranker says that would be served, trees upon a blend; and what its blend alone says."""
    trained = train_ranker(train, stop, RankerParameters(rounds=30, patience=30), threads=1)
    features = lessons.judge.features
    blended = shares_of(features) @ np.array(trained.blend, np.float32)
    return judged(lessons.judge, trained.ranker.score(features)), judged(lessons.judge, blended)


def interval(runs: Doubles, dice: np.random.Generator) -> tuple[float, float]:
    """95 % bootstrap interval of the mean of ``[runs, decisions]`` over both."""
    means = np.empty(DRAWS)
    for draw in range(DRAWS):
        some = dice.integers(0, runs.shape[0], runs.shape[0])
        decisions = dice.integers(0, runs.shape[1], runs.shape[1])
        means[draw] = runs[np.ix_(some, decisions)].mean()
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def test_shuffled_labels_bring_the_ranker_down_to_chance(lessons: Lessons) -> None:
    dice = np.random.default_rng(13)
    real = taught(lessons, lessons.train, lessons.stop)
    blind = np.stack(
        [
            taught(lessons, shuffled(lessons.train, dice), shuffled(lessons.stop, dice))
            for _ in range(SHUFFLES)
        ]
    )
    low, _ = interval(blind - CHANCE, dice)
    assert low < 0.0
    # a little below is no skill either: the value of a small leaf is drawn towards 0, that of one without
    # a label less so, and what people do come back to is rare among the candidates
    assert abs(blind.mean() - CHANCE) < (real.mean() - CHANCE) / 4
    low, _ = interval(real - blind, dice)
    assert low > 0.0
    assert real.mean() > CHANCE + 0.1


def test_nor_is_what_would_be_served_better_than_the_blend_that_it_stands_upon(lessons: Lessons) -> None:
    dice = np.random.default_rng(29)
    real, blend = served(lessons, lessons.train, lessons.stop)
    runs = [
        served(lessons, shuffled(lessons.train, dice), shuffled(lessons.stop, dice))
        for _ in range(SHUFFLES // 2)
    ]
    blind, below = (np.stack(part) for part in zip(*runs, strict=True))
    assert blind.mean() <= below.mean()
    low, _ = interval(real - blind, dice)
    assert low > 0.0
    # what it learned from the true labels is more than their blend says
    low, _ = interval((real - blend)[None], dice)
    assert low > 0.0


def test_dealing_labels_anew_keeps_how_many_each_decision_has(lessons: Lessons) -> None:
    dealt = shuffled(lessons.train, np.random.default_rng(1))
    assert (dealt.grade != lessons.train.grade).any()
    for decision in np.unique(dealt.decision)[:20]:
        here = dealt.decision == decision
        assert sorted(dealt.grade[here]) == sorted(lessons.train.grade[here])
