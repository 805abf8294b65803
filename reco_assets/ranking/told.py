"""What the assets ask of the logged answers: rows to learn from, and what the challenger is worth."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import numpy as np

from reco_assets.interactions.history import ShopHistory
from reco_assets.platform.engine import Engine
from reco_assets.platform.lake import Lake
from reco_assets.ranking.answered import load_answered
from reco_assets.ranking.counterfactual import challenger_value, expected_clicks
from reco_assets.ranking.examination import examination
from reco_assets.ranking.examples import Examples
from reco_assets.ranking.feedback import feedback_examples
from reco_assets.ranking.policy_value import PolicyValue
from reco_assets.ranking.stage import stage
from reco_assets.ranking.training import TrainingBudget
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.types import Policy

#: How far back impressions say how likely each place is looked at.
LOOKED: Final = timedelta(days=30)


def feedback(
    engine: Engine,
    lake: Lake,
    history: ShopHistory,
    bundle: Bundle,
    first: int,
    last: int,
    budget: TrainingBudget,
    policy: Policy,
) -> Examples | None:
    """Rows of the answers given in ``[first, last)``; None where nothing came of any.

    What came of them after ``last`` is not looked at: it is what the ranker is judged by.
    """
    _, seen = load_answered(lake, history, first, last, LOOKED)
    whole, told = load_answered(lake, history, first, last)
    fruitful = np.unique(told.answer[told.grade > 0])
    if not len(fruitful):
        return None
    examined = examination(seen.group, seen.place, seen.grade > 0)
    told = told.of(fruitful).sampled(budget.train_decisions, budget.seed)
    moments = stage(engine, lake, whole, bundle, told.decisions, first, last, budget.objective)
    rows = feedback_examples(moments.walk(), told, examined, bundle, policy)
    return rows if len(rows) else None


def value_of(
    engine: Engine,
    lake: Lake,
    history: ShopHistory,
    bundle: Bundle,
    first: int,
    last: int,
    budget: TrainingBudget,
    policy: Policy,
) -> PolicyValue | None:
    """What ``bundle`` would have earned in ``[first, last)``; None without impressions with propensities.

    The model of clicks knows only the answers of the ``LOOKED`` days before.
    """
    whole, told = load_answered(lake, history, first, last)
    told = told.of(np.unique(told.answer[told.propensity > 0])).sampled(budget.judge_decisions, budget.seed)
    if not len(told):
        return None
    _, before = load_answered(lake, history, first, first, LOOKED)
    examined = examination(before.group, before.place, before.grade > 0)
    rates = expected_clicks(before, examined, len(history.items))
    moments = stage(engine, lake, whole, bundle, told.decisions, first, last, budget.objective)
    return challenger_value(moments.walk(), told, rates, examined, bundle, policy)
