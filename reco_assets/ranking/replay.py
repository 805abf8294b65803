"""The serving path, replayed at past moments: candidates and features exactly as a request got them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reco_assets.features.catalogue import RANKING_FEATURES
from reco_assets.interactions.log import InteractionLog
from reco_assets.ranking.decisions import Decisions, Objective, Outcome, outcomes, pasts
from reco_assets.ranking.timeline import ProductTimeline, UserTimeline
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.recommend import features_of, propose
from reco_assets.recommender.types import BOUGHT, RECENT, Floats, Policy, Request, UserState

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Int8s = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Moment:
    """One decision as it would have been made."""

    number: int
    state: UserState
    outcome: Outcome
    now: int


def moments(
    log: InteractionLog,
    decisions: Decisions,
    last: int,
    users: UserTimeline,
    products: ProductTimeline,
    bundle: Bundle,
    objective: Objective,
) -> Iterator[Moment]:
    """Each decision in the order of time; ``bundle.product_matrix`` follows the clock meanwhile."""
    changes = products.replay(bundle.product_matrix, decisions.time)
    past = pasts(log, decisions, RECENT, BOUGHT)
    future = outcomes(log, decisions, last, objective)
    for number, (own, outcome, (changed, values)) in enumerate(zip(past, future, changes, strict=True)):
        if len(changed):
            bundle.update_products(changed, values)
        state = UserState(
            features=users.values[number],
            favorite_category=int(users.favorite_category[number]),
            items=own.items,
            kinds=own.kinds,
            times=own.times,
            bought=own.bought,
        )
        yield Moment(number, state, outcome, int(decisions.time[number]))


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
    walk: Iterator[Moment],
    decisions: Decisions,
    bundle: Bundle,
    policy: Policy,
    negatives: int,
    seed: int,
    progress: Callable[[int], None] = lambda done: None,
) -> Examples:
    """Label what would have been shown by what happened.

    Every candidate with an outcome is kept, and ``negatives`` random ones of the others, drawn
    from the candidates that were really available at that moment. A decision of which no
    candidate came true teaches nothing and is left out.
    """
    rng = np.random.default_rng(seed)
    features: list[Floats] = []
    grades: list[Int8s] = []
    numbers: list[Int32s] = []
    items: list[Int32s] = []
    request = Request()
    for moment in walk:
        progress(moment.number)
        if not len(moment.outcome.items):
            continue
        past, candidates = propose(request, moment.state, bundle, policy, moment.now)
        grade = grades_of(candidates.items, moment.outcome)
        positive = np.flatnonzero(grade)
        if not len(positive):
            continue
        negative = np.flatnonzero(grade == 0)
        if len(negative) > negatives:
            negative = rng.choice(negative, negatives, replace=False)
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
