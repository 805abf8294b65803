"""All recommenders side by side, as functions of a question."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from benchmarks.quality.questions import Question
from reco_assets.candidates.popular import Popular
from reco_assets.candidates.retriever import Retriever
from reco_assets.candidates.sources import BLEND as EVEN
from reco_assets.interactions.log import InteractionLog
from reco_assets.ranking.evaluation import BLEND, FULL, proposed, recommended
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.recommend import blocked_items, current_history
from reco_assets.recommender.types import Int32s, Policy

#: How many people have met a product, whenever that was.
POPULARITY: Final = "popularity"
OWN_REPEATS: Final = "own_repeats"
ITEM_COSINE: Final = "item_cosine"
#: Half-life of an own event in the reference, microseconds (30 days).
_HALF_LIFE_US: Final = 30.0 * 86_400e6

Answer = Callable[[Question], Int32s]
Doubles = npt.NDArray[np.float64]


def rivals(bundle: Bundle, policy: Policy, log: InteractionLog, at: int) -> dict[str, Answer]:
    """Full recommender, blend, every source alone, popularity, and the references.

    Parameters
    ----------
    log
        All that happened before ``at`` (UTC microseconds), in the item rows of ``bundle``.
    """
    plain = replace(bundle, ranker=None, manifest=replace(bundle.manifest, blend=EVEN))
    alone: Mapping[str, Retriever] = {
        **bundle.sources.retrievers,
        POPULARITY: Popular.fit(_once(log, at), bundle.items, at),
    }
    return {
        FULL: _served(bundle, policy),
        BLEND: _served(plain, policy),
        **{name: _alone(retriever, bundle, policy) for name, retriever in alone.items()},
        OWN_REPEATS: OwnRepeats(bundle, policy),
        ITEM_COSINE: ItemCosine.fit(log, bundle, policy),
    }


def _once(log: InteractionLog, at: int) -> InteractionLog:
    """Each person and product once, as a click of one moment."""
    _, first = np.unique(np.stack([log.user, log.item]), axis=1, return_index=True)
    met = np.zeros(len(log), np.bool_)
    met[first] = True
    once = log.where(met)
    return replace(once, time=np.full_like(once.time, at - 1), kind=np.zeros_like(once.kind))


def _served(bundle: Bundle, policy: Policy) -> Answer:
    return lambda asked: recommended(asked.request, asked.state, bundle, policy, asked.now)


def _alone(retriever: Retriever, bundle: Bundle, policy: Policy) -> Answer:
    def answer(asked: Question) -> Int32s:
        past = current_history(asked.request, asked.state, asked.now)
        blocked = blocked_items(asked.request, past, bundle, policy)
        with bundle.scratch() as scratch:
            return proposed(retriever, past, blocked, asked.request.n, scratch)

    return answer


@dataclass(frozen=True)
class OwnRepeats:
    """A reference: the products of a person's whole history, each event halved every 30 days."""

    bundle: Bundle
    policy: Policy

    def __call__(self, asked: Question) -> Int32s:
        """The person's own products, most and latest first."""
        own = asked.whole
        rows, inverse = np.unique(own.items, return_inverse=True)
        scores = np.bincount(inverse, np.exp2((own.times - asked.now) / _HALF_LIFE_US), len(rows))
        return _best(rows, scores.astype(np.float64), asked, self.bundle, self.policy)


@dataclass(frozen=True)
class ItemCosine:
    """A reference: cosine of two products' sets of people, summed over a person's whole set.

    A product is as near to itself as can be, so what the person has met may be in the answer.

    Attributes
    ----------
    sets
        People by products, 1 where they have met.
    norm
        ``float64[n_items]``: 1 / root of the number of people, 0 where there are none.
    """

    sets: csr_matrix
    norm: Doubles
    bundle: Bundle
    policy: Policy

    @classmethod
    def fit(cls, log: InteractionLog, bundle: Bundle, policy: Policy) -> ItemCosine:
        """Count who has met what."""
        shape = (len(log.user_ids), len(bundle.items))
        people, products = np.unique(np.stack([log.user, log.item]), axis=1)
        sets = csr_matrix((np.ones(len(people)), (people, products)), shape=shape)
        counts = np.bincount(products, minlength=shape[1])
        return cls(sets, 1.0 / np.sqrt(np.maximum(counts, 1)) * (counts > 0), bundle, policy)

    def __call__(self, asked: Question) -> Int32s:
        """The products nearest to those that the person has met."""
        own = np.unique(asked.whole.items)
        mine = np.zeros(len(self.norm))
        mine[own] = self.norm[own]
        scores = (self.sets.T @ (self.sets @ mine)) * self.norm
        rows = np.flatnonzero(scores > 0).astype(np.int32)
        return _best(rows, scores[rows], asked, self.bundle, self.policy)


def _best(rows: Int32s, scores: Doubles, asked: Question, bundle: Bundle, policy: Policy) -> Int32s:
    """The first of ``rows`` by score that may be shown."""
    past = current_history(asked.request, asked.state, asked.now)
    blocked = blocked_items(asked.request, past, bundle, policy)
    free = ~np.isin(rows, blocked)
    order = np.lexsort((rows[free], -scores[free]))[: asked.request.n]
    return rows[free][order].astype(np.int32)
