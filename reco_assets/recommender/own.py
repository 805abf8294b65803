"""What a person has had to do with already: products to buy again, and those that were looked at last."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.hidden import hidden_by
from reco_assets.recommender.policy.compiled import Compiled
from reco_assets.recommender.policy.shortfall import Among, shortfall
from reco_assets.recommender.recommend import current_history
from reco_assets.recommender.types import Decision, Policy, Recommendation, Request, UserState

REPEAT: Final = "repeat"
VIEWED: Final = "recently_viewed"
#: What a shortfall calls the products that the user has had nothing of the kind to do with.
NOT_BOUGHT: Final = "not bought"
NOT_VIEWED: Final = "not viewed"


def bought_again(
    request: Request,
    state: UserState,
    bundle: Bundle,
    policy: Policy,
    now: int,
    rules: Compiled | None = None,
) -> Decision:
    """Up to ``request.n`` products that the user has bought, the likeliest to be bought again soon first.

    The score is the probability of a purchase in the coming week, as the shop's log tells for the time
    since the last one (``candidates.repeat``); of equals the one bought last comes first. All rules
    hold but the one that hides what was bought.

    Parameters
    ----------
    now
        UTC microseconds.
    """
    past = current_history(request, state, now)
    policy = replace(policy, hide_bought=False)
    hidden = hidden_by(request, past, bundle, policy, rules)
    bought, again = bundle.repeat.again(past)
    free = ~hidden[bought]
    rows, again = bought[free], again[free]
    place = {row: at for at, row in enumerate(state.bought.tolist())}
    lately = np.array([place.get(row, -1) for row in rows.tolist()], np.int64)
    chosen = np.lexsort((-lately, -again))[: request.n]
    shown = tuple(
        Recommendation(item, score, position, REPEAT, "bought before")
        for position, (item, score) in enumerate(
            zip(rows[chosen].tolist(), again[chosen].tolist(), strict=True)
        )
    )
    among = Among(bought, NOT_BOUGHT)
    told = shortfall(request, len(shown), past, bundle, policy, rules, among)
    return Decision(shown, 0, "full", told)


def viewed_lately(
    request: Request,
    state: UserState,
    bundle: Bundle,
    policy: Policy,
    now: int,
    rules: Compiled | None = None,
) -> Decision:
    """Up to ``request.n`` distinct products of the user's last events, the newest first.

    The score is when that was, in seconds since 1970. All rules hold: what was bought since is gone.

    Parameters
    ----------
    now
        UTC microseconds.
    """
    past = current_history(request, state, now)
    hidden = hidden_by(request, past, bundle, policy, rules)
    times = dict(zip(past.items.tolist(), past.times.tolist(), strict=True))
    newest = [row for row in dict.fromkeys(past.items[::-1].tolist()) if not hidden[row]][: request.n]
    shown = tuple(
        Recommendation(item, times[item] / 1e6, position, VIEWED, "looked at lately")
        for position, item in enumerate(newest)
    )
    among = Among(past.items, NOT_VIEWED)
    told = shortfall(request, len(shown), past, bundle, policy, rules, among)
    return Decision(shown, 0, "full", told)
