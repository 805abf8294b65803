"""How a session begins: what a user comes back for, is curious about, or rates; compiled."""

from __future__ import annotations

from typing import Final

from numba import njit

from reco_assets.simulator.choices import Tables, browse, interest, trend, utility
from reco_assets.simulator.dice import Dice, below, normal, uniform
from reco_assets.simulator.trail import BOUGHT, RATE, SECOND, Events, Memory, Visit, put, search
from reco_assets.simulator.vocabulary import EMAIL

#: Utility of what a user typically opens; behaviour is tuned around it.
USUAL: Final = 1.6


@njit(cache=True, nogil=True)
def rate_earlier(
    events: Events, filled: int, visit: Visit, tables: Tables, memory: Memory, dice: Dice, day: int, time: int
) -> tuple[int, int]:
    """Rate what was bought some days ago: by the product's quality, a little by taste."""
    for slot in range(BOUGHT):
        product = memory.bought[visit.user, slot]
        waited = day - memory.bought_day[visit.user, slot]
        if product >= 0 and 2 <= waited <= 30 and not memory.rated[visit.user, slot] and uniform(dice) < 0.04:
            taste = 0.2 * (utility(tables, visit.user, product) - USUAL)
            stars = 3.7 + 0.8 * tables.quality[product] + taste + 0.6 * normal(dice)
            filled = put(events, filled, visit, RATE, product, time, int(min(5.0, max(1.0, round(stars)))))
            memory.rated[visit.user, slot] = True
            time += 5 * SECOND + below(dice, 20 * SECOND)
    return filled, time


@njit(cache=True, nogil=True)
def arrive(
    events: Events, filled: int, visit: Visit, tables: Tables, memory: Memory, dice: Dice, day: int, time: int
) -> tuple[int, bool, int, int]:
    """First product of a session, and whether it is a consumable that is due to be bought again."""
    user = visit.user
    for slot in range(BOUGHT):
        product = memory.bought[user, slot]
        if product >= 0 and tables.cycle_days[product] > 0:
            waited = (day - memory.bought_day[user, slot]) / tables.cycle_days[product]
            if 0.8 < waited < 1.6 and uniform(dice) < 0.4:
                return product, True, filled, time
    product = -1
    if visit.source == EMAIL or uniform(dice) < tables.trend[user]:
        product = trend(tables, user, dice)
    elif memory.last[user] >= 0 and memory.last_day[user] < day and uniform(dice) < 0.25:
        product = memory.last[user]
    if product < 0:
        product, filled, time = new_interest(events, filled, visit, tables, dice, time, 0.35)
    return product, False, filled, time


@njit(cache=True, nogil=True)
def new_interest(
    events: Events, filled: int, visit: Visit, tables: Tables, dice: Dice, time: int, searching: float
) -> tuple[int, int, int]:
    """A product of one of the user's categories, found by search with probability ``searching``."""
    leaf = interest(tables, visit.user, dice)
    if uniform(dice) < searching:
        filled, time = search(events, filled, visit, leaf, time, dice)
    return browse(tables, visit.user, leaf, dice), filled, time
