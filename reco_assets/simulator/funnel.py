"""The funnel of a session: click after click, into the cart, out of it, bought; compiled."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from reco_assets.simulator.arrival import USUAL, new_interest
from reco_assets.simulator.choices import Tables, browse, follow, in_stock, utility
from reco_assets.simulator.dice import Dice, below, normal, uniform
from reco_assets.simulator.trail import (
    BOUGHT,
    CART,
    CLICK,
    FAVORITE,
    PURCHASE,
    REMOVE,
    SECOND,
    Events,
    Memory,
    Visit,
    put,
)

CART_SIZE: Final = 8
_MOST_CLICKS: Final = 40


class Cart(NamedTuple):
    """Products in the cart and their units; the first ``n`` count, where ``n`` is passed along."""

    products: npt.NDArray[np.int32]
    units: npt.NDArray[np.int32]


@njit(cache=True, nogil=True)
def browse_shop(
    events: Events,
    filled: int,
    visit: Visit,
    tables: Tables,
    memory: Memory,
    dice: Dice,
    day: int,
    time: int,
    product: int,
    due: bool,
    cart: Cart,
    follow_share: float,
    conversion: float,
) -> tuple[int, int, int]:
    """Open product after product, some into the cart; how many are in it, then length and time."""
    user = visit.user
    clicks = min(_MOST_CLICKS, 1 + int(math.exp(1.25 + 0.75 * normal(dice))))
    seen = np.empty(_MOST_CLICKS, np.int32)
    carted = 0
    for click in range(clicks):
        liked = utility(tables, user, product) - USUAL
        stay = int(1000 * math.exp(2.6 + 0.25 * min(3.0, max(-3.0, liked)) + 0.8 * normal(dice)))
        filled = put(events, filled, visit, CLICK, product, time, stay)
        seen[click] = product
        time += min(stay, 600_000) * 1000 + SECOND // 2 + below(dice, SECOND)
        if uniform(dice) < 0.012 * math.exp(min(3.0, 0.5 * liked)):
            filled = put(events, filled, visit, FAVORITE, product, time, -1)
            time += SECOND + below(dice, 4 * SECOND)

        wanted = conversion * tables.buying[user] * math.exp(min(2.0, 0.55 * liked))
        if due and click == 0:
            wanted = 0.75
        elif tables.cycle_days[product] == 0 and _owns(memory, user, product):
            wanted *= 0.1
        added = carted < CART_SIZE and in_stock(tables, product, time) and uniform(dice) < wanted
        for k in range(carted):
            added = added and cart.products[k] != product
        if added:
            units = 1
            if tables.cycle_days[product] > 0 or uniform(dice) < 0.08:
                units += below(dice, 3)
            filled = put(events, filled, visit, CART, product, time, units)
            cart.products[carted], cart.units[carted] = product, units
            carted += 1
            time += 2 * SECOND + below(dice, 6 * SECOND)
        if click + 1 == clicks:
            break

        mark, following = uniform(dice), -1
        if added and mark < 0.5:
            following = follow(tables, user, tables.complements[product], dice)
        elif mark < follow_share:
            following = follow(tables, user, tables.substitutes[product], dice)
        elif mark < follow_share + 0.35 * (1 - follow_share):
            following = browse(tables, user, tables.leaf[product], dice)
        elif mark < follow_share + 0.5 * (1 - follow_share):
            following = seen[below(dice, click + 1)]
        if following < 0:
            following, filled, time = new_interest(events, filled, visit, tables, dice, time, 0.3)
        product = following
    memory.last[user], memory.last_day[user] = product, day
    return carted, filled, time


@njit(cache=True, nogil=True)
def check_out(
    events: Events,
    filled: int,
    visit: Visit,
    tables: Tables,
    memory: Memory,
    dice: Dice,
    day: int,
    time: int,
    due: bool,
    cart: Cart,
    carted: int,
) -> int:
    """Take some things out of the cart again, then perhaps buy the rest that is in stock; the length."""
    user, kept = visit.user, 0
    for k in range(carted):
        if uniform(dice) < 0.1:
            filled = put(events, filled, visit, REMOVE, cart.products[k], time, cart.units[k])
            time += SECOND + below(dice, 3 * SECOND)
        else:
            cart.products[kept], cart.units[kept] = cart.products[k], cart.units[k]
            kept += 1
    if kept == 0 or not (due or uniform(dice) < min(0.9, 0.5 * tables.buying[user])):
        return filled
    time += 20 * SECOND + below(dice, 60 * SECOND)
    for k in range(kept):
        product = cart.products[k]
        if not in_stock(tables, product, time):
            continue
        before = filled
        filled = put(events, filled, visit, PURCHASE, product, time, cart.units[k])
        if filled > before:
            slot = memory.next[user]
            memory.bought[user, slot], memory.bought_day[user, slot] = product, day
            memory.rated[user, slot] = False
            memory.next[user] = (slot + 1) % BOUGHT
        time += 1000  # one order, a millisecond between its lines
    return filled


@njit(cache=True, nogil=True)
def _owns(memory: Memory, user: int, product: int) -> bool:
    """Whether ``product`` is among the last things that ``user`` bought."""
    owned = False
    for slot in range(BOUGHT):
        owned = owned or memory.bought[user, slot] == product
    return owned
