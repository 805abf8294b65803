"""From (request, user state, bundle, policy, now) to a decision. Pure: no clock, no I/O, no chance."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np

from reco_assets.candidates.retriever import History, history
from reco_assets.candidates.sources import BLEND, SOURCES, Candidates
from reco_assets.events.contract import EventType
from reco_assets.features.ranking import ranking_features
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.rules import choose
from reco_assets.recommender.types import (
    DEVICES,
    RECENT,
    Context,
    Decision,
    Floats,
    Int32s,
    Policy,
    Recommendation,
    Request,
    UserState,
)

_NAMES: Final = tuple(SOURCES)
_WEIGHTS: Final = np.array(BLEND, np.float32)
#: For products like one product only what links the two counts.
_SIMILAR: Final = np.array([1.0, 0.5, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0], np.float32)
_NOBODY: Final = np.empty(0, np.int32)
_REASONS: Final = {
    "also_viewed": "people who looked at {because} went on to it",
    "bought_together": "bought together with {because}",
    "factors": "fits the taste that the last products show",
    "content": "similar to {because}",
    "repeat": "looked at before",
    "category_popular": "popular in {category}",
    "trending": "more wanted than usual right now",
    "popular": "popular with everybody",
}


def current_history(request: Request, state: UserState, now: int) -> History:
    """The stored events, then what the request itself reports, of which the last ``RECENT`` count."""
    items, kinds, times = state.items, state.kinds, state.times
    if request.session_items:
        told = np.array(request.session_items, np.int32)
        items = np.concatenate([items, told])
        kinds = np.concatenate([kinds, np.full(len(told), EventType.click, np.int8)])
        times = np.concatenate([times, np.full(len(told), now, np.int64)])
    return history(items[-RECENT:], kinds[-RECENT:], times[-RECENT:], state.bought, now)


def propose(request: Request, state: UserState, bundle: Bundle, policy: Policy, now: int) -> tuple[History, Candidates]:
    """The history and the candidates of a request; shared by serving and training."""
    past = current_history(request, state, now)
    blocked = blocked_items(request, state, past, bundle, policy)
    only = bundle.category_popular.of_category(request.category) if request.category is not None else None
    with bundle.scratch() as scratch:
        candidates = bundle.sources.candidates(past, blocked, policy.candidates, scratch, only)
    if request.category is not None:
        keep = bundle.items.category[candidates.items] == request.category
        candidates = Candidates(candidates.items[keep], candidates.scores[keep])
    return past, candidates


def features_of(
    request: Request, state: UserState, past: History, candidates: Candidates, bundle: Bundle, now: int
) -> Floats:
    """The ranker's matrix of ``candidates``; shared by serving and training."""
    hour, weekday = _clock(request.context, now)
    items = bundle.items
    return ranking_features(
        state.features,
        state.favorite_category,
        past.items,
        past.kinds,
        past.times,
        past.bought,
        candidates.items,
        candidates.scores,
        bundle.product_matrix,
        items.category,
        items.department,
        items.brand,
        items.first_seen,
        now,
        hour,
        weekday,
        DEVICES.index(request.context.device) if request.context.device in DEVICES else 0,
    )


def recommend(request: Request, state: UserState, bundle: Bundle, policy: Policy, now: int) -> Decision:
    """Answer one request.

    Parameters
    ----------
    now
        UTC microseconds.

    Returns
    -------
    ``request.n`` products, fewer only where the catalogue has no more that the rules allow.
    """
    past, candidates = propose(request, state, bundle, policy, now)
    if bundle.ranker is not None and len(candidates.items):
        scores = bundle.ranker.score(features_of(request, state, past, candidates, bundle, now))
        rung = "full"
    else:
        scores = blend(candidates.scores, bundle.manifest.blend)
        rung = "no_ranker"
    order = np.lexsort((candidates.items, -scores))
    cap = max(1, int(np.ceil(policy.max_per_category * request.n)))
    groups = np.asarray(bundle.items.category[candidates.items[order]])
    chosen = order[choose(groups, request.n, cap if request.category is None else request.n)]
    best = np.maximum(candidates.scores.max(axis=0, initial=0.0), np.float32(1e-9))
    recommendations = [
        _explained(int(candidates.items[row]), float(scores[row]), at, candidates.scores[row] / best, past, bundle)
        for at, row in enumerate(chosen)
    ]
    missing = request.n - len(recommendations)
    if missing > 0:
        blocked = blocked_items(request, state, past, bundle, policy)
        recommendations += _fill(missing, request.category, np.concatenate([blocked, candidates.items]), len(chosen), bundle)
    return Decision(tuple(recommendations), len(candidates.items), rung)


def blend(scores: Floats, weights: Sequence[float]) -> Floats:
    """Rank without a ranker: each source's scores over its best, weighted and summed."""
    best = np.maximum(scores.max(axis=0, initial=0.0), np.float32(1e-9))
    return np.maximum(scores, 0.0) / best @ np.array(weights, np.float32)


def similar(item: int, bundle: Bundle, n: int, now: int) -> tuple[Recommendation, ...]:
    """Products that go with one product: what people opened next, bought with it, or is alike."""
    past = history(
        np.array([item], np.int32), np.zeros(1, np.int8), np.array([now], np.int64), _NOBODY, now
    )
    with bundle.scratch() as scratch:
        candidates = bundle.sources.candidates(past, np.array([item], np.int32), 200, scratch)
    shares = candidates.scores / np.maximum(candidates.scores.max(axis=0, initial=0.0), np.float32(1e-9))
    shares *= _SIMILAR
    scores = shares.sum(axis=1)
    order = np.lexsort((candidates.items, -scores))[:n]
    return tuple(
        _explained(int(candidates.items[at]), float(scores[at]), rank, shares[at], past, bundle)
        for rank, at in enumerate(order)
    )


def trending(bundle: Bundle, n: int, category: int | None = None) -> tuple[Recommendation, ...]:
    """What is above its own past, in one category or everywhere; popular products follow."""
    ranked = bundle.trending.ranked
    if category is not None:
        ranked = ranked[bundle.items.category[ranked] == category]
    scores = bundle.trending.scores
    reason = _REASONS["trending"]
    return tuple(
        Recommendation(int(item), float(scores[item]), at, "trending", reason)
        for at, item in enumerate(ranked[:n])
    )


def _clock(context: Context, now: int) -> tuple[int, int]:
    moment = datetime.fromtimestamp(now / 1e6, UTC)
    hour = moment.hour if context.hour is None else context.hour
    return hour, moment.weekday() if context.weekday is None else context.weekday


def blocked_items(request: Request, state: UserState, past: History, bundle: Bundle, policy: Policy) -> Int32s:
    """Item rows that must not be shown: excluded, bought before, sold out."""
    parts = [np.array(request.exclude, np.int32)]
    if policy.hide_bought:
        parts += [state.bought, past.items[past.kinds == EventType.purchase]]
    if policy.in_stock_only:
        parts.append(bundle.sold_out)
    return np.concatenate(parts)


def _fill(n: int, category: int | None, taken: Int32s, first: int, bundle: Bundle) -> list[Recommendation]:
    ranked = bundle.popular.ranked
    if category is not None:
        ranked = ranked[bundle.items.category[ranked] == category]
    free = ranked[~np.isin(ranked, taken)][:n]
    return [
        Recommendation(int(item), 0.0, first + at, "popular", _REASONS["popular"])
        for at, item in enumerate(free)
    ]


def _explained(
    item: int, score: float, position: int, shares: Floats, past: History, bundle: Bundle
) -> Recommendation:
    """Name the source that speaks for the item most, by its score over the source's best."""
    strength = shares * _WEIGHTS
    source = _NAMES[int(strength.argmax())] if strength.max() > 0 else "popular"
    because = ""
    retriever = bundle.sources.retrievers[source]
    if "{because}" in _REASONS[source]:
        strongest = 0.0
        for own, weight in zip(past.items.tolist(), past.weights.tolist(), strict=True):
            neighbours, weights = retriever.neighbours(own)  # type: ignore[attr-defined]
            found = np.flatnonzero(neighbours == item)
            if len(found) and weight * float(weights[found[0]]) > strongest:
                strongest = weight * float(weights[found[0]])
                because = bundle.items.ids[own]
    category = bundle.items.category_name(item) or "its category"
    return Recommendation(item, score, position, source, _REASONS[source].format(because=because, category=category))
