"""Decisions that the service has logged, seen again as training sees a moment: from the tables alone.

The windowed values that an answer was made from are those of the last refresh of the online store, a
moment that its record names. Everything else is as of the decision itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from reco_assets.candidates.habits import habits_of
from reco_assets.interactions.history import ShopHistory
from reco_assets.platform.engine import Engine
from reco_assets.platform.lake import Lake
from reco_assets.ranking.decisions import Decisions, Past, pasts
from reco_assets.ranking.replay import past_state
from reco_assets.ranking.windowed import product_timeline, user_timeline
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.state import empty_state
from reco_assets.recommender.types import BOUGHT, RECENT, Habits, UserState

Int32s = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Logged:
    """Who was answered, and which moments the answer saw, UTC microseconds.

    Attributes
    ----------
    now
        The decision itself: what the person had done before it counts.
    users_at, products_at
        The refreshes that the windowed values of the person and of the products came from.
    habits_at
        The midnight that the person's habits were made as of; 0 where there were none.
    """

    user_id: str
    now: int
    users_at: int
    products_at: int
    habits_at: int = 0


@dataclass(frozen=True)
class Relived:
    """The state that the tables give the decision ``number`` of those that were asked for."""

    number: int
    state: UserState


def relived(
    engine: Engine, lake: Lake, history: ShopHistory, bundle: Bundle, decisions: Sequence[Logged]
) -> Iterator[Relived]:
    """Each of ``decisions`` once, in the order of ``products_at``.

    ``bundle``, the one that answered, has its product features moved through time meanwhile. ``history``
    is all that the tables hold by now; products that the bundle lacks are left out after the last
    events have been taken, as in serving.
    """
    if not decisions:
        return
    order = sorted(range(len(decisions)), key=lambda number: decisions[number].products_at)
    asked = [decisions[number] for number in order]
    ours = ShopHistory(bundle.items, history.log)
    rows = bundle.items.rows(np.asarray(history.items.keys))
    states = iter(_states(engine, ours, rows, np.asarray(history.items.keys), asked))
    times = np.array([one.products_at for one in asked], np.int64)
    products = product_timeline(engine, lake, ours, int(times[0]), int(times[-1]) + 1)
    changes = products.replay(bundle.product_matrix, times)
    for number, state, (changed, values) in zip(order, states, changes, strict=True):
        if len(changed):
            bundle.update_products(changed, values)
        yield Relived(number, state)


def _states(
    engine: Engine,
    history: ShopHistory,
    rows: Int32s,
    keys: npt.NDArray[np.uint64],
    asked: Sequence[Logged],
) -> list[UserState]:
    """State of each of ``asked``.

    ``rows`` has the bundle's row of each of the log's items, or -1, and ``keys`` its product key.
    """
    known = {user_id: row for row, user_id in enumerate(history.log.user_ids.to_list())}
    places = [place for place, one in enumerate(asked) if one.user_id in known]
    users = np.array([known[asked[place].user_id] for place in places], np.int32)
    nowhere = np.zeros(len(places), np.int64)
    seen = np.array([asked[place].users_at for place in places], np.int64)
    now = np.array([asked[place].now for place in places], np.int64)
    windowed = user_timeline(engine, history, Decisions(users, seen, nowhere))
    states = [empty_state()] * len(asked)
    for at, (place, past) in enumerate(
        zip(places, pasts(history.log, Decisions(users, now, nowhere), RECENT, BOUGHT), strict=True)
    ):
        habits = habits_of(history.log, keys, int(users[at]), asked[place].habits_at)
        states[place] = past_state(windowed, at, _in_bundle(past, rows), _habits_in_bundle(habits, rows))
    return states


def _habits_in_bundle(habits: Habits, rows: Int32s) -> Habits:
    """``habits`` in the bundle's rows, without what it lacks."""
    items = rows[habits.items]
    here = items >= 0
    return Habits(items[here], habits.weights[here], habits.at)


def _in_bundle(past: Past, rows: Int32s) -> Past:
    """``past`` in the bundle's rows, without what it lacks."""
    items, bought = rows[past.items], rows[past.bought]
    here = items >= 0
    return replace(
        past,
        items=items[here],
        kinds=past.kinds[here],
        times=past.times[here],
        bought=bought[bought >= 0],
    )
