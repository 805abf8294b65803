"""Sessions of one day, event by event, compiled.

A session belongs to one user, and all of its randomness to one stream named by (seed, day, number), so
that a day is the same however its rows are cut into pieces.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from reco_assets.simulator.arrival import arrive, rate_earlier
from reco_assets.simulator.choices import Tables
from reco_assets.simulator.dice import Dice, below, draw, mix, uniform
from reco_assets.simulator.funnel import CART_SIZE, Cart, browse_shop, check_out
from reco_assets.simulator.trail import SECOND, Events, Memory, Visit
from reco_assets.simulator.vocabulary import EMAIL


@njit(cache=True, nogil=True)
def play_day(
    events: Events,
    tables: Tables,
    memory: Memory,
    seed: int,
    day: int,
    follow_share: float,
    conversion: float,
) -> int:
    """Fill all of ``events`` (EVENT rows, session after session); the number of sessions.

    The last session is cut where the array ends, as if its user had left. ``memory`` is updated.
    """
    dice = np.empty(1, np.uint64)
    cart = Cart(np.empty(CART_SIZE, np.int32), np.empty(CART_SIZE, np.int32))
    filled, session = 0, 0
    while filled < len(events):
        dice[0] = mix(mix(mix(np.uint64(seed)) + np.uint64(day)) + np.uint64(session))
        user = draw(dice, tables.user_ends, 0, len(tables.user_ends))
        visit = Visit(user, session, _source(tables, user, dice))
        time = _start(tables, user, dice)
        filled, time = rate_earlier(events, filled, visit, tables, memory, dice, day, time)
        product, due, filled, time = arrive(events, filled, visit, tables, memory, dice, day, time)
        carted, filled, time = browse_shop(
            events,
            filled,
            visit,
            tables,
            memory,
            dice,
            day,
            time,
            product,
            due,
            cart,
            follow_share,
            conversion,
        )
        filled = check_out(events, filled, visit, tables, memory, dice, day, time, due, cart, carted)
        session += 1
    return session


@njit(cache=True, nogil=True)
def _start(tables: Tables, user: int, dice: Dice) -> int:
    """Microsecond of the UTC day at which a session begins, by the user's local hour."""
    local = draw(dice, tables.hour_ends, 0, 24) + uniform(dice)
    return int((local - tables.hours_ahead[user]) % 24.0 * 3600.0 * SECOND)


@njit(cache=True, nogil=True)
def _source(tables: Tables, user: int, dice: Dice) -> int:
    mark = uniform(dice)
    if mark < 0.05:
        return EMAIL
    return int(tables.source[user]) if mark < 0.85 else below(dice, EMAIL)
