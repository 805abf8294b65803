"""How a user chooses: among products in view, by utility; compiled, one product row at a time."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from reco_assets.simulator.dice import Dice, draw, gumbel, uniform

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Int32s = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]

#: Products of a category page or a search result that a user really looks at.
_IN_VIEW: Final = 10


class Tables(NamedTuple):
    """What compiled code reads of the world on one day; shapes as in world.Users and world.Products."""

    user_vectors: Floats
    user_ends: Doubles  # running sums of the users' activity, 0 before they join
    interests: Int32s
    interest_ends: Floats
    buying: Floats  # factor of cart and purchase probabilities
    trend: Floats  # probability to start from what trends
    hours_ahead: Int32s
    source: npt.NDArray[np.int8]
    product_vectors: Floats
    product_ends: Doubles  # running sums of the day's popularity
    leaf: Int32s
    leaf_starts: Ints
    substitutes: Int32s
    complements: Int32s
    quality: Floats
    cycle_days: Int32s  # bought again after so many days, 0 never
    out_from: Ints  # microseconds of the day
    out_to: Ints
    trending: Int32s
    hour_ends: Doubles


@njit(cache=True)
def utility(tables: Tables, user: int, product: int) -> float:
    """True utility, as World.utility."""
    one, other = tables.user_vectors[user], tables.product_vectors[product]
    total = np.float32(0.0)
    for k in range(one.shape[0]):
        total += one[k] * other[k]
    return float(total)


@njit(cache=True)
def launched(tables: Tables, product: int) -> bool:
    """Whether ``product`` is sold today."""
    before = tables.product_ends[product - 1] if product > 0 else 0.0
    return bool(tables.product_ends[product] > before)


@njit(cache=True)
def in_stock(tables: Tables, product: int, time: int) -> bool:
    """Whether ``product`` can be bought at ``time``, microseconds of the day."""
    return not (tables.out_from[product] <= time < tables.out_to[product])


@njit(cache=True)
def interest(tables: Tables, user: int, dice: Dice) -> int:
    """A leaf that ``user`` comes for."""
    mark = uniform(dice)
    ends = tables.interest_ends[user]
    k = 0
    while k < ends.shape[0] - 1 and ends[k] < mark:
        k += 1
    return int(tables.interests[user, k])


@njit(cache=True)
def browse(tables: Tables, user: int, leaf: int, dice: Dice) -> int:
    """A product of ``leaf``: popular ones come into view, utility decides among them."""
    best, best_score = -1, -np.inf
    for _ in range(_IN_VIEW):
        product = draw(dice, tables.product_ends, tables.leaf_starts[leaf], tables.leaf_starts[leaf + 1])
        score = utility(tables, user, product) + gumbel(dice)
        if score > best_score:
            best, best_score = product, score
    return best


@njit(cache=True)
def follow(tables: Tables, user: int, successors: Int32s, dice: Dice) -> int:
    """One of ``successors``: the first are shown first, utility decides with them; -1 where none is sold."""
    best, best_score = -1, -np.inf
    for place in range(successors.shape[0]):
        product = successors[place]
        if product < 0 or not launched(tables, product):
            continue
        score = 0.7 * utility(tables, user, product) - 0.35 * place + gumbel(dice)
        if score > best_score:
            best, best_score = product, score
    return best


@njit(cache=True)
def trend(tables: Tables, user: int, dice: Dice) -> int:
    """One of the day's trending products; -1 where nothing trends."""
    best, best_score = -1, -np.inf
    if tables.trending.shape[0] == 0:
        return best
    for _ in range(6):
        product = tables.trending[int(uniform(dice) * tables.trending.shape[0])]
        score = 0.7 * utility(tables, user, product) + gumbel(dice)
        if score > best_score:
            best, best_score = product, score
    return int(best)
