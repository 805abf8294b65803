"""The serving path, replayed at past moments: candidates and features exactly as a request got them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reco_assets.candidates.habits import habits_of, midnight
from reco_assets.interactions.log import InteractionLog
from reco_assets.ranking.decisions import Decisions, Objective, Outcome, Past, outcomes, pasts
from reco_assets.ranking.timeline import ProductTimeline, UserTimeline
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.types import BOUGHT, RECENT, Habits, UserState


@dataclass(frozen=True)
class Moment:
    """One decision as it would have been made."""

    number: int
    state: UserState
    outcome: Outcome
    now: int


def past_state(users: UserTimeline, at: int, own: Past, habits: Habits) -> UserState:
    """What the tables know of the person of decision ``at`` of ``users``, who had done ``own`` before."""
    return UserState(
        features=users.values[at],
        favorite_category=int(users.favorite_category[at]),
        items=own.items,
        kinds=own.kinds,
        times=own.times,
        bought=own.bought,
        habits=habits,
    )


def moments(
    log: InteractionLog,
    decisions: Decisions,
    last: int,
    users: UserTimeline,
    products: ProductTimeline,
    bundle: Bundle,
    objective: Objective,
    first: int = 0,
) -> Iterator[Moment]:
    """Each decision in the order of time, numbered from ``first``.

    ``bundle.product_matrix`` follows the clock meanwhile.
    """
    changes = products.replay(bundle.product_matrix, decisions.time)
    keys = np.asarray(bundle.items.keys)
    past = pasts(log, decisions, RECENT, BOUGHT)
    future = outcomes(log, decisions, last, objective)
    for at, (own, outcome, (changed, values)) in enumerate(zip(past, future, changes, strict=True)):
        if len(changed):
            bundle.update_products(changed, values)
        user, now = int(decisions.user[at]), int(decisions.time[at])
        state = past_state(users, at, own, habits_of(log, keys, user, midnight(now)))
        yield Moment(first + at, state, outcome, now)
