"""Lists that no history leads to: what goes with one product, and what is more wanted than usual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from reco_assets.candidates.retriever import history
from reco_assets.candidates.sources import SIMILAR
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.hidden import hidden_by
from reco_assets.recommender.policy.boosts import Boosts
from reco_assets.recommender.policy.compiled import Compiled
from reco_assets.recommender.policy.masks import Bools
from reco_assets.recommender.ranked import Ranked
from reco_assets.recommender.reasons import REASONS, explained
from reco_assets.recommender.recommend import current_history, shares_among
from reco_assets.recommender.types import Floats, Policy, Recommendation, Request, UserState

_SIMILAR: Final = np.array(SIMILAR, np.float32)
_NOBODY: Final = np.empty(0, np.int32)


@dataclass(frozen=True)
class Limits:
    """What a policy file and a request make of such a list.

    Attributes
    ----------
    hidden
        ``bool[n_items]``: what must not be shown.
    boosts
        What moves products up or down; None where nothing does.
    """

    hidden: Bools
    boosts: Boosts | None = None

    @classmethod
    def of(
        cls,
        request: Request,
        state: UserState,
        bundle: Bundle,
        policy: Policy,
        now: int,
        rules: Compiled | None = None,
    ) -> Self:
        """As the rules of :func:`.recommend` have it; ``now`` in UTC microseconds.

        Raises BadExpression where the filters of ``request`` cannot be used.
        """
        hidden = hidden_by(request, current_history(request, state, now), bundle, policy, rules)
        return cls(hidden, rules.boosts if rules is not None else None)


def similar(
    item: int, bundle: Bundle, n: int, now: int, policy: Policy | None = None, limits: Limits | None = None
) -> tuple[Recommendation, ...]:
    """Products that go with one product: what people opened next, bought with it, or is alike.

    Where fewer than ``n`` are linked to it, popular products of its category and of the shop follow.

    Parameters
    ----------
    policy
        The bundle's own where none is given. What is sold out is left out where it says so.
    limits
        What is left out beside the product itself, stock included, and what moves the others.
    """
    policy = policy or bundle.policy
    seed = np.array([item], np.int32)
    past = history(seed, np.zeros(1, np.int8), np.array([now], np.int64), _NOBODY, now)
    allowed, boosts = None, None
    if limits is None:
        blocked = np.concatenate([seed, bundle.sold_out]) if policy.in_stock_only else seed
    else:
        blocked, allowed, boosts = seed, ~limits.hidden, limits.boosts
    with bundle.scratch() as scratch:
        candidates = bundle.sources.candidates(past, blocked, policy.candidates, scratch, None, allowed)
    shares = shares_among(candidates.scores) * _SIMILAR
    scores: Floats = shares.sum(axis=1)
    if boosts is not None:
        scores = boosts.applied(candidates.items, scores)
    chosen = np.lexsort((candidates.items, -scores))[:n]
    ranked = Ranked(candidates.items[chosen], scores[chosen], shares[chosen])
    if allowed is not None and len(chosen) < n:
        # what is limited is not always within the reach of the sources; popular products follow
        allowed[seed] = allowed[candidates.items] = False
        popular = bundle.popular.ranked
        ranked = ranked.followed_by(popular[allowed[popular]][: n - len(chosen)])
    return explained(ranked.items, ranked.scores, ranked.by_source, past, bundle, boosts=boosts)


def trending(
    bundle: Bundle,
    n: int,
    category: int | None = None,
    policy: Policy | None = None,
    limits: Limits | None = None,
) -> tuple[Recommendation, ...]:
    """What is above its own past, in one category or everywhere; popular products follow.

    Parameters
    ----------
    policy
        The bundle's own where none is given. What is sold out is left out where it says so.
    limits
        What is left out, stock and category included, and what moves products that trend.
    """
    boosts = None
    if limits is not None:
        free, boosts = ~limits.hidden, limits.boosts
    else:
        free = np.ones(len(bundle.items), np.bool_) if category is None else bundle.items.category == category
        if (policy or bundle.policy).in_stock_only:
            free[bundle.sold_out] = False
    rising = bundle.trending.ranked[free[bundle.trending.ranked]]
    rising = rising[bundle.trending.scores[rising] > 0]
    scores = bundle.trending.scores[rising]
    if boosts is not None:
        scores = boosts.applied(rising, scores)
        order = np.argsort(-scores, kind="stable")
        rising, scores = rising[order], scores[order]
    rising, scores = rising[:n], scores[:n]
    free[rising] = False
    after = bundle.popular.ranked[free[bundle.popular.ranked]][: n - len(rising)]
    # a boost may take what trends below 0
    lowest = float(scores.min(initial=0.0))
    found = [("trending", *one) for one in zip(rising.tolist(), scores.tolist(), strict=True)]
    found += [("popular", item, lowest) for item in after.tolist()]
    return tuple(
        Recommendation(item, score, position, source, REASONS[source], rules=_moved(item, source, boosts))
        for position, (source, item, score) in enumerate(found)
    )


def _moved(item: int, source: str, boosts: Boosts | None) -> tuple[str, ...]:
    """Names of the boosts of a product in its place; those that only fill the list are moved by none."""
    return boosts.named(int(boosts.which[item])) if boosts is not None and source == "trending" else ()
