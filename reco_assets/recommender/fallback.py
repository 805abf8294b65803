"""What is shown when ranking fails: popular products within the rules, found by the simplest way there is."""

from __future__ import annotations

import numpy as np

from reco_assets.events.contract import EventType
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.policy.compiled import Compiled
from reco_assets.recommender.reasons import REASONS
from reco_assets.recommender.types import Int32s, Policy, Recommendation, Request, UserState


def popular_within(
    request: Request, state: UserState, bundle: Bundle, policy: Policy, rules: Compiled | None
) -> tuple[Recommendation, ...]:
    """The most popular products that the rules allow; trending ones first.

    What was bought stays out, whether it is due again or not. Caps, boosts and promotions do not count.
    """
    within = rules.within(request) if rules is not None else None
    free = np.ones(len(bundle.items), np.bool_) if within is None else within.allowed.copy()
    if request.category is not None:
        free &= bundle.items.category == request.category
    for rows in (request.exclude, request.cart):
        free[[row for row in rows if row >= 0]] = False
    if policy.hide_bought:
        free[bought_by(state)] = False
    if policy.in_stock_only:
        free[bundle.sold_out] = False
    rising = bundle.trending.ranked[free[bundle.trending.ranked]]
    rising = rising[bundle.trending.scores[rising] > 0][: request.n]
    free[rising] = False
    after = bundle.popular.ranked[free[bundle.popular.ranked]][: request.n - len(rising)]
    found = [("trending", item, float(bundle.trending.scores[item])) for item in rising.tolist()]
    found += [("popular", item, 0.0) for item in after.tolist()]
    return tuple(
        Recommendation(item, score, position, source, REASONS[source])
        for position, (source, item, score) in enumerate(found)
    )


def bought_by(state: UserState) -> Int32s:
    """Item rows of all that the user is known to have bought, due again or not."""
    return np.concatenate([state.bought, state.items[state.kinds == EventType.purchase]])
