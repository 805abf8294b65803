"""What the assets ask of the logged answers: rows to learn from, and what the challenger is worth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np

from reco_assets.interactions.history import ShopHistory
from reco_assets.platform.engine import Engine
from reco_assets.platform.lake import Lake
from reco_assets.ranking.answered import Answered, load_answered
from reco_assets.ranking.counterfactual import challenger_value, expected_clicks
from reco_assets.ranking.examination import examination
from reco_assets.ranking.examples import Examples
from reco_assets.ranking.feedback import feedback_examples
from reco_assets.ranking.policy_value import PolicyValue
from reco_assets.ranking.replay import Moment
from reco_assets.ranking.stage import stage
from reco_assets.ranking.terms import LoggedTerms
from reco_assets.ranking.training import TrainingBudget
from reco_assets.recommender.bundle import Bundle

#: How far back impressions say how likely each place is looked at.
LOOKED: Final = timedelta(days=30)


@dataclass(frozen=True)
class Stretch:
    """The answers given in ``[first, last)``, and all that is needed to see what came of them.

    What came of them after ``last`` is not looked at: it is what the ranker is judged by.

    Attributes
    ----------
    bundle
        Whose sources propose at the moments of the answers; the challenger where it is valued.
    first, last
        UTC microseconds.
    policies
        Folder of the policies that were served, by digest.
    """

    engine: Engine
    lake: Lake
    history: ShopHistory
    bundle: Bundle
    first: int
    last: int
    budget: TrainingBudget
    policies: Path

    def feedback(self) -> Examples | None:
        """Rows of the answers to learn from; None where nothing came of any."""
        _, seen = load_answered(self.lake, self.history, self.first, self.last, LOOKED)
        whole, told = load_answered(self.lake, self.history, self.first, self.last)
        fruitful = np.unique(told.answer[told.grade > 0])
        if not len(fruitful):
            return None
        examined = examination(seen.group, seen.place, seen.grade > 0)
        told = told.of(fruitful).sampled(self.budget.train_decisions, self.budget.seed)
        rows = feedback_examples(self._moments(whole, told), told, examined, self.bundle, self._terms(told))
        return rows if len(rows) else None

    def value(self) -> PolicyValue | None:
        """What the bundle would have earned; None without impressions with propensities.

        The model of clicks knows only the answers of the ``LOOKED`` days before.
        """
        whole, told = load_answered(self.lake, self.history, self.first, self.last)
        weighed = np.unique(told.answer[told.propensity > 0])
        told = told.of(weighed).sampled(self.budget.judge_decisions, self.budget.seed)
        if not len(told):
            return None
        _, before = load_answered(self.lake, self.history, self.first, self.first, LOOKED)
        examined = examination(before.group, before.place, before.grade > 0)
        rates = expected_clicks(before, examined, len(self.history.items))
        return challenger_value(
            self._moments(whole, told), told, rates, examined, self.bundle, self._terms(told)
        )

    def _terms(self, told: Answered) -> LoggedTerms:
        span = (self.first, self.last)
        return LoggedTerms.load(self.lake, told.ids.tolist(), span, self.bundle, self.policies)

    def _moments(self, whole: ShopHistory, told: Answered) -> Iterator[Moment]:
        """The answers' moments one after the other, in a shop that knows everybody who was answered."""
        return stage(
            self.engine,
            self.lake,
            whole,
            self.bundle,
            told.decisions,
            self.first,
            self.last,
            self.budget.objective,
        ).walk()
