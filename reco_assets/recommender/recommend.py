"""From (request, user state, bundle, policy, now) to a decision. Pure: no clock, no I/O, no chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import ceil
from typing import Final

import numpy as np
import numpy.typing as npt

from reco_assets.candidates.retriever import History, history
from reco_assets.candidates.sources import Candidates
from reco_assets.events.contract import EventType
from reco_assets.features.ranking import ranking_features
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.exploration import explored
from reco_assets.recommender.policy.columns import Table
from reco_assets.recommender.policy.compiled import Compiled, Within
from reco_assets.recommender.policy.masks import Bools
from reco_assets.recommender.policy.promotions import Promoted, promoted
from reco_assets.recommender.ranked import Ranked, interleaved
from reco_assets.recommender.reasons import explained
from reco_assets.recommender.rules import Caps
from reco_assets.recommender.types import (
    DEVICES,
    RECENT,
    Context,
    Decision,
    Floats,
    Int32s,
    Int64s,
    Policy,
    Request,
    UserState,
)
from reco_assets.recommender.variety import varied

#: How far down the popular list the rules look for variety.
_REST: Final = 1000


def current_history(request: Request, state: UserState, now: int) -> History:
    """The stored events, then what the request itself reports, of which the last ``RECENT`` count."""
    items, kinds, times = state.items, state.kinds, state.times
    if request.session_items:
        # what the catalogue lacks has row -1
        told = np.array([row for row in request.session_items if row >= 0], np.int32)
        items = np.concatenate([items, told])
        kinds = np.concatenate([kinds, np.full(len(told), EventType.click, np.int8)])
        times = np.concatenate([times, np.full(len(told), now, np.int64)])
    return history(items[-RECENT:], kinds[-RECENT:], times[-RECENT:], state.bought, now, state.habits)


def propose(
    request: Request,
    state: UserState,
    bundle: Bundle,
    policy: Policy,
    now: int,
) -> tuple[History, Candidates]:
    """The history and the candidates of a request; shared by serving and training."""
    past = current_history(request, state, now)
    return past, candidates_of(request, past, blocked_items(request, past, bundle, policy), bundle, policy)


def candidates_of(
    request: Request,
    past: History,
    blocked: Int32s,
    bundle: Bundle,
    policy: Policy,
    within: Within | None = None,
    first: Int32s | None = None,
) -> Candidates:
    """What the sources propose of what may be shown; the distinct ``first`` are in front in any case."""
    only = bundle.category_popular.of_category(request.category) if request.category is not None else None
    if only is None and within is not None:
        only = within.popular[: policy.candidates]
    allowed = within.allowed if within is not None else None
    with bundle.scratch() as scratch:
        candidates = bundle.sources.candidates(
            past, blocked, policy.candidates, scratch, only, allowed, first
        )
    if request.category is not None:
        keep = bundle.items.category[candidates.items] == request.category
        if first is not None:
            keep[: len(first)] = True
        candidates = replace(candidates, items=candidates.items[keep], scores=candidates.scores[keep])
    return candidates


def features_of(
    request: Request,
    state: UserState,
    past: History,
    candidates: Candidates,
    bundle: Bundle,
    now: int,
    keep: Int64s | None = None,
) -> Floats:
    """The ranker's matrix of ``candidates``, or of those at ``keep``; shared by serving and training."""
    hour, weekday = _clock(request.context, now)
    items = bundle.items
    with bundle.scratch() as scratch:
        links = bundle.sources.links(past, candidates.items, scratch)
    return ranking_features(
        state.features,
        state.favorite_category,
        past.items,
        past.kinds,
        past.times,
        past.bought,
        candidates.items,
        candidates.scores,
        links,
        bundle.product_matrix,
        items.category,
        items.department,
        items.brand,
        items.first_seen,
        now,
        hour,
        weekday,
        DEVICES.index(request.context.device) if request.context.device in DEVICES else 0,
        keep,
    )


def recommend(
    request: Request,
    state: UserState,
    bundle: Bundle,
    policy: Policy,
    now: int,
    witness: Callable[[Candidates, Floats], None] | None = None,
    rules: Compiled | None = None,
) -> Decision:
    """Answer one request.

    Parameters
    ----------
    now
        UTC microseconds.
    witness
        Is told the candidates and their features, also where there is no ranker to read them.
    rules
        What the policy says of single products; its ``policy`` is to be given as ``policy``. Without
        any, the filters of the request hold all the same.

    Returns
    -------
    ``request.n`` products, fewer only where the catalogue has no more that the rules allow.
    """
    if rules is None and request.filters:
        rules = Compiled(Table(bundle), policy)
    within = rules.within(request) if rules is not None else None
    past = current_history(request, state, now)
    blocked = blocked_items(request, past, bundle, policy)
    candidates = candidates_of(request, past, blocked, bundle, policy, within)
    if bundle.ranker is not None or witness is not None:
        matrix = features_of(request, state, past, candidates, bundle, now)
        if witness is not None:
            witness(candidates, matrix)
    if bundle.ranker is not None:
        scores = bundle.ranker.score(matrix)
    else:
        scores = blend(candidates.scores, bundle.manifest.blend)
    if rules is not None and rules.boosts is not None:
        scores = rules.boosts.applied(candidates.items, scores)
    order = np.lexsort((_lots(candidates.items, request.seed), -scores))
    caps = caps_of(request, bundle, policy)
    if policy.diversity > 0.0:
        order = varied(
            order, candidates.items, scores, bundle, request.n, caps.per_category, policy.diversity
        )
    ranked = Ranked(candidates.items[order], scores[order], candidates.scores[order])
    chosen = caps.within(ranked.items, request.n)
    if len(chosen) < request.n:
        # the candidates alone do not make a full and varied answer: popular products follow them
        taken = np.concatenate([blocked, ranked.items])
        ranked = ranked.followed_by(_most_popular(request.category, taken, bundle, within))
        chosen = caps.fill(ranked.items, request.n)
    placed: tuple[Promoted, ...] = ()
    if rules is not None and rules.campaigns:
        hidden = hidden_items(request, blocked, bundle, within)
        standing = ranked.items[chosen].tolist()
        placed = promoted(rules.campaigns, rules.max_promoted, standing, ranked.items, hidden, caps, now)
        if placed:
            beside = [one.item for one in placed]
            kept = np.flatnonzero((ranked.items != np.array(beside, np.int32)[:, None]).all(axis=0))
            chosen = kept[caps.fill(ranked.items[kept], len(chosen) - len(placed), beside)]
    taken_places = {one.place for one in placed}
    places = [place for place in range(len(chosen) + len(placed)) if place not in taken_places]
    shares = shares_among(ranked.by_source, chosen)
    boosts = rules.boosts if rules is not None else None
    recommendations = explained(
        ranked.items[chosen], ranked.scores[chosen], shares, past, bundle, places, boosts
    )
    if placed:
        recommendations = interleaved(recommendations, placed, ranked)
    if policy.explore > 0.0 and len(bundle.newcomers):
        recommendations = explored(
            recommendations,
            request,
            bundle,
            policy,
            blocked=blocked,
            seen=past.items,
            caps=caps,
            allowed=within.allowed if within is not None else None,
            fixed=frozenset(taken_places),
        )
    return Decision(
        recommendations,
        len(candidates.items),
        "full" if bundle.ranker is not None else "no_ranker",
        proposed=candidates.proposed,
    )


def _lots(items: Int32s, seed: int) -> npt.NDArray[np.uint32]:
    """Lots that items with equal scores draw: each item another one for each ``seed``."""
    drawn: npt.NDArray[np.uint32] = (items.astype(np.uint32) ^ np.uint32(seed)) * np.uint32(2_654_435_761)
    return drawn


def blend(scores: Floats, weights: Sequence[float]) -> Floats:
    """Rank without a ranker: each source's scores over its best, weighted and summed."""
    blended: Floats = shares_among(scores) @ np.array(weights, np.float32)
    return blended


def shares_among(by_source: Floats, wanted: Int64s | None = None) -> Floats:
    """Each source's scores ``float32[n, sources]`` over its best of them; what speaks against is silence.

    Of the rows ``wanted``, of all by default.
    """
    best = np.maximum(by_source.max(axis=0, initial=0.0), np.float32(1e-9))
    shares: Floats = np.maximum(by_source if wanted is None else by_source[wanted], np.float32(0.0)) / best
    return shares


def _clock(context: Context, now: int) -> tuple[int, int]:
    moment = datetime.fromtimestamp(now / 1e6, UTC)
    hour = moment.hour if context.hour is None else context.hour
    return hour, moment.weekday() if context.weekday is None else context.weekday


def blocked_items(request: Request, past: History, bundle: Bundle, policy: Policy) -> Int32s:
    """Item rows that must not be shown: excluded, in the cart, bought and not due again, sold out, not yet.

    At a past moment, which training looks at, a product that came later is not there yet.
    """
    parts = [
        np.array([row for row in (*request.exclude, *request.cart) if row >= 0], np.int32),
        bundle.items.unborn(past.now),
    ]
    if policy.hide_bought:
        rows, again = bundle.repeat.again(past)
        parts.append(rows[again <= policy.rebuy_above])
    if policy.in_stock_only:
        parts.append(bundle.sold_out)
    return np.concatenate(parts)


def caps_of(request: Request, bundle: Bundle, policy: Policy) -> Caps:
    """How many products of one category and of one brand an answer to ``request`` may have."""
    n = request.n
    per_category = n if request.category is not None else max(1, ceil(policy.max_per_category * n))
    per_brand = max(1, ceil(policy.max_per_brand * n))
    return Caps(bundle.items.category, bundle.items.brand, per_category, per_brand)


def _free(ranked: Int32s, category: int | None, taken: Int32s, bundle: Bundle) -> Int32s:
    """What is left of a ranked list, in one category or in all."""
    free = np.ones(len(bundle.items), np.bool_) if category is None else bundle.items.category == category
    free[taken] = False
    left: Int32s = ranked[free[ranked]]
    return left


def _most_popular(category: int | None, taken: Int32s, bundle: Bundle, within: Within | None) -> Int32s:
    ranked = bundle.popular.ranked
    if within is not None:
        # the list that is kept does not reach down to the last product of a small category
        ranked = within.popular if category is None else ranked[within.allowed[ranked]]
    return _free(ranked, category, taken, bundle)[:_REST]


def hidden_items(request: Request, blocked: Int32s, bundle: Bundle, within: Within | None) -> Bools:
    """``bool[n_items]``: everything that may not answer ``request``."""
    hidden = ~within.allowed if within is not None else np.zeros(len(bundle.items), np.bool_)
    hidden[blocked] = True
    if request.category is not None:
        hidden |= bundle.items.category != request.category
    return hidden
