"""From history to a judged ranker, step by step; the assets and the benchmark call the same steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil
from typing import Final

import numpy as np

from reco_assets.candidates.sources import BLEND, SOURCES, Sources
from reco_assets.features.catalogue import catalogue_hash
from reco_assets.interactions.history import ShopHistory
from reco_assets.interactions.log import InteractionLog
from reco_assets.platform.engine import Engine
from reco_assets.platform.lake import Lake
from reco_assets.platform.settings import Settings
from reco_assets.ranking.decisions import Decisions, Objective, sample_decisions
from reco_assets.ranking.evaluation import FULL, SHOWN, evaluate, evaluate_served, one_source
from reco_assets.ranking.lambdamart import Trained
from reco_assets.ranking.metrics import Scoreboard
from reco_assets.ranking.split import Split
from reco_assets.ranking.stage import Stage, over, stage
from reco_assets.ranking.windowed import blank_matrix
from reco_assets.recommender.bundle import Bundle, Manifest
from reco_assets.recommender.recommend import recommend
from reco_assets.recommender.types import Int32s, Policy, Request

#: What recommenders are compared by.
DECISIVE = "ndcg@20"
#: Fewer validation decisions than this choose nothing; the default blend of all sources ranks.
FEWEST = 20
#: The best single source as it would be served: under the rules, the others' blend where it is silent.
ALONE: Final = "one_source"
#: So many decisions should judge, and one person makes at most so many of them.
JUDGES: Final = 500
_MOST_JUDGED: Final = 5
#: The rules while the ranker learns: what was bought may come again if people ever buy such things twice.
LEARNING: Final = Policy(rebuy_above=0.0)


def people(log: InteractionLog, first: int, last: int) -> int:
    """How many do anything in ``[first, last)``, UTC microseconds; at least 1."""
    return max(1, len(np.unique(log.user[(log.time >= first) & (log.time < last)])))


@dataclass(frozen=True)
class TrainingBudget:
    """How much of a large history is looked at.

    Attributes
    ----------
    train_decisions, judge_decisions
        Decisions that the ranker learns from, and that it is validated and tested on, at the most.
    per_user
        Decisions of one person that it learns from, where the others make enough of them.
    negatives
        Candidates without an outcome kept for each training decision; where the history has fewer decisions
        than are looked for, as many more as make up for the missing ones.
    objective
        What the ranker is to bring about.
    """

    train_decisions: int = 30_000
    judge_decisions: int = 1_500
    per_user: int = 3
    negatives: int = 30
    seed: int = 7
    objective: Objective = field(default_factory=Objective)

    def training(self, log: InteractionLog, split: Split) -> Decisions:
        """Decisions to learn from: as many a person as it takes, where there are few people."""
        first, last = split.train_from, split.validate_from
        each = max(self.per_user, ceil(self.train_decisions / people(log, first, last)))
        return sample_decisions(log, first, last, self.train_decisions, each, self.seed)

    def negatives_of(self, decisions: Decisions) -> int:
        """Candidates without an outcome kept for each of ``decisions``."""
        return max(self.negatives, self.negatives * self.train_decisions // max(1, len(decisions)))

    def judging(self, log: InteractionLog, first: int, last: int) -> Decisions:
        """Decisions to judge by: one a person, more where there are fewer than ``JUDGES`` people."""
        each = min(_MOST_JUDGED, ceil(JUDGES / people(log, first, last)))
        return sample_decisions(log, first, last, self.judge_decisions, each, self.seed)


def proposed_policy(settings: Settings) -> Policy:
    """The rules that the next bundle proposes, and by which it is chosen and judged."""
    return Policy(diversity=settings.diversity, explore=settings.explore)


def past_bundle(
    history: ShopHistory,
    before: int,
    progress: Callable[[str], None] = lambda name: None,
    policy: Policy | None = None,
) -> Bundle:
    """A bundle without a ranker, built only on what happened before ``before``."""
    items = history.items
    return Bundle(
        manifest=Manifest(f"as-of-{before}", before, before, catalogue_hash(), policy=policy or Policy()),
        items=items,
        sources=Sources.fit(history.log.before(before), items, before, progress),
        product_matrix=blank_matrix(items),
        ranker=None,
    )


def champion_answers(
    engine: Engine,
    lake: Lake,
    history: ShopHistory,
    champion: Bundle,
    decisions: Decisions,
    first: int,
    last: int,
    objective: Objective,
    threads: int,
) -> list[Int32s]:
    """What the champion would have shown at each decision, in the item rows of ``history``.

    The champion has an item table of its own: it is asked in its rows and answers in ours.
    """
    rows = champion.items.rows(np.asarray(history.items.keys))
    ours = history.items.rows(np.asarray(champion.items.keys))
    known = history.log.where(rows[history.log.item] >= 0)
    theirs = ShopHistory(champion.items, replace(known, item=rows[known.item], n_items=len(champion.items)))
    asked = stage(engine, lake, theirs, champion, decisions, first, last, objective)
    return [answer for part in over(asked, partial(_shown, ours=ours), threads) for answer in part]


def _shown(stage: Stage, ours: Int32s) -> list[Int32s]:
    policy = stage.bundle.policy.settled
    shown: list[Int32s] = []
    for moment in stage.walk():
        decision = recommend(Request(n=SHOWN), moment.state, stage.bundle, policy, moment.now)
        items = ours[np.array([one.item for one in decision.recommendations], np.int32)]
        shown.append(items[items >= 0])
    return shown


@dataclass(frozen=True)
class Choice:
    """What ranks: the ranker, or a blend of sources where that did better on the validation."""

    name: str
    trained: Trained | None
    blend: tuple[float, ...]
    validation: Scoreboard


def choose_ranking(trained: Trained | None, held: Stage, policy: Policy, threads: int) -> Choice:
    """Take the best on the validation decisions: ranker, blend, or one source alone.

    Each is judged as it would be served, under the rules of ``policy``: the source is the best of the lists
    that the sources make by themselves. The ranker must be clearly better than the other two: where few
    decisions can be judged, its trees have learned much that does not hold. So what serves is never worse,
    on these decisions, than the best single source would be in its place.
    """
    blend = trained.blend if trained and any(trained.blend) else BLEND
    ranked = _ranking_by(held, trained, blend)
    board = evaluate(ranked, policy, threads)
    if board.decisions < FEWEST:
        return Choice("blend", None, BLEND, board)
    order = list(SOURCES)
    means = board.means()
    best = max(order, key=lambda name: (means[name][DECISIVE], -order.index(name)))
    single = tuple(float(weight) for weight in one_source(best))
    alone = evaluate_served(_ranking_by(held, None, single), ALONE, policy, threads)
    board = Scoreboard(board.values | alone.values)
    means = board.means()
    rival = "blend" if means["blend"][DECISIVE] >= means[ALONE][DECISIVE] else ALONE
    if trained is not None and board.clearly_better(FULL, rival, DECISIVE):
        return Choice("ranker", trained, blend, board)
    return Choice("blend", None, blend, board) if rival == "blend" else Choice(best, None, single, board)


def _ranking_by(held: Stage, trained: Trained | None, blend: tuple[float, ...]) -> Stage:
    """``held`` with a bundle that ranks by the ranker of ``trained``, without one by ``blend``."""
    bundle = held.bundle
    ranker = trained.ranker if trained else None
    return replace(
        held, bundle=replace(bundle, ranker=ranker, manifest=replace(bundle.manifest, blend=blend))
    )
