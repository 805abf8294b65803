"""What the ranker learns from: what would have been shown at past moments, and what happened then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
import numpy.typing as npt

from reco_assets.features.catalogue import RANKING_FEATURES
from reco_assets.ranking.decisions import Decisions, Outcome
from reco_assets.ranking.replay import Moment
from reco_assets.ranking.stage import Stage, over
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.recommend import features_of, propose
from reco_assets.recommender.types import Floats, Policy, Request

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Int8s = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Examples:
    """Rows that the ranker learns from.

    Attributes
    ----------
    features
        ``float32[n, len(RANKING_FEATURES)]``.
    grade
        ``int8[n]``: 0 nothing, 1 click, 2 cart or favorite, 3 purchase.
    decision
        ``int32[n]``, rising: rows of one decision stand together.
    item
        ``int32[n]`` item rows.
    time, user
        ``int64[d]`` and ``int32[d]`` of the decisions.
    weight
        ``float32[n]``, the same for all rows of a decision: how much it counts; None is 1 for all.
    """

    features: Floats
    grade: Int8s
    decision: Int32s
    item: Int32s
    time: Int64s
    user: Int32s
    weight: Floats | None = None

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.grade)

    @property
    def weights(self) -> Floats:
        """``float32[n]``."""
        return np.ones(len(self), np.float32) if self.weight is None else self.weight

    def decision_weights(self) -> Floats | None:
        """The weight of each decision that has rows, in their order; None where all are 1."""
        if self.weight is None or (self.weight == 1.0).all():
            return None
        return self.weight[np.unique(self.decision, return_index=True)[1]]

    @classmethod
    def joined(cls, parts: Sequence[Examples], decisions: Decisions) -> Self:
        """The rows of all ``parts``, one after the other, which are numbered by ``decisions``."""
        columns = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("features", "grade", "decision", "item")
        }
        return cls(**columns, time=decisions.time, user=decisions.user)

    def and_then(self, later: Examples) -> Examples:
        """These rows and those of ``later``, whose decisions are numbered behind these."""
        return Examples(
            np.concatenate([self.features, later.features]),
            np.concatenate([self.grade, later.grade]),
            np.concatenate([self.decision, later.decision + np.int32(len(self.time))]),
            np.concatenate([self.item, later.item]),
            np.concatenate([self.time, later.time]),
            np.concatenate([self.user, later.user]),
            np.concatenate([self.weights, later.weights]),
        )


def examples(
    walk: Iterator[Moment], decisions: Decisions, bundle: Bundle, policy: Policy, negatives: int, seed: int
) -> Examples:
    """Label what would have been shown by what happened.

    Every candidate with an outcome is kept, and ``negatives`` random ones of the others, drawn
    from the candidates that were really available at that moment. A decision of which no
    candidate came true teaches nothing and is left out.
    """
    features: list[Floats] = []
    grades: list[Int8s] = []
    numbers: list[Int32s] = []
    items: list[Int32s] = []
    request = Request()
    for moment in walk:
        if not len(moment.outcome.items):
            continue
        past, candidates = propose(request, moment.state, bundle, policy, moment.now)
        grade = grades_of(candidates.items, moment.outcome)
        positive = np.flatnonzero(grade)
        if not len(positive):
            continue
        negative = np.flatnonzero(grade == 0)
        if len(negative) > negatives:
            # dice of its own: the same rows whatever is walked before it
            dice = np.random.default_rng((seed, moment.number))
            negative = dice.choice(negative, negatives, replace=False)
        keep = np.sort(np.concatenate([positive, negative]))
        features.append(features_of(request, moment.state, past, candidates, bundle, moment.now, keep))
        grades.append(grade[keep])
        numbers.append(np.full(len(keep), moment.number, np.int32))
        items.append(candidates.items[keep])
    return Examples(
        np.concatenate([np.empty((0, len(RANKING_FEATURES)), np.float32), *features]),
        np.concatenate([np.empty(0, np.int8), *grades]),
        np.concatenate([np.empty(0, np.int32), *numbers]),
        np.concatenate([np.empty(0, np.int32), *items]),
        decisions.time,
        decisions.user,
    )


def grades_of(items: Int32s, outcome: Outcome) -> Int8s:
    """Grade of each of ``items``; 0 for what did not happen."""
    if not len(outcome.items):
        return np.zeros(len(items), np.int8)
    at = np.minimum(np.searchsorted(outcome.items, items), len(outcome.items) - 1)
    return np.where(outcome.items[at] == items, outcome.grades[at], 0).astype(np.int8)


def replayed(stage: Stage, policy: Policy, negatives: int, seed: int, threads: int) -> Examples:
    """The examples of all decisions of ``stage``, made by so many processes (0: every core)."""
    work = partial(_of_stage, policy=policy, negatives=negatives, seed=seed)
    return Examples.joined(over(stage, work, threads), stage.decisions)


def _of_stage(stage: Stage, policy: Policy, negatives: int, seed: int) -> Examples:
    return examples(stage.walk(), stage.decisions, stage.bundle, policy, negatives, seed)
