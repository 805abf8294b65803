"""When people buy a product again: rates by the time since they bought it, learned from all buyers.

A spell runs from one purchase of a product by a person to the next one, or to the end of the log. The
rate of buying again in a bin of ages is the number of spells that ended there over the days that all
spells spent there, so spells that are still open count for what they say: not yet. A product has few
spells, so its rates are shrunk to those of its category, and these to the shop's, as gamma-Poisson
counts whose spread is learned too (empirical Bayes).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from reco_assets.candidates.retriever import EVENT_WEIGHTS
from reco_assets.events.contract import EventType
from reco_assets.interactions.log import InteractionLog

Doubles = npt.NDArray[np.float64]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Int8s = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float32]

DAY_US: Final = 86_400_000_000
#: Bounds of the bins of days since the purchase.
EDGES: Final = np.array([0, 1, 2, 4, 7, 10, 14, 20, 28, 40, 57, 80, 120, 180, 100_000], np.float64)
BINS: Final = len(EDGES) - 1
#: Half-life of the interest that a view or a cart shows, days.
INTEREST_DAYS: Final = 30.0
#: Buyers who never came back, counted besides those of the log: one repeat does not make a habit.
DOUBT: Final = 20.0
#: Purchases again, all as the prior says, that a group has before its own: at least, and at the most.
LEAST_PRIOR: Final = 1.0
MOST_PRIOR: Final = 10_000.0

_PURCHASE: Final = int(EventType.purchase)


@njit(cache=True)
def _walk(
    order: Int64s,
    user: Int32s,
    item: Int32s,
    kind: Int8s,
    time: Int64s,
    weights: Floats,
    edges: Doubles,
    half_life: float,
    now: int,
    again: Doubles,
    days: Doubles,
) -> tuple[float, float]:
    """Walk the log person by person and product by product, filling ``again`` and ``days``.

    Returns how many purchases followed an interest, and the interest x days that there was.
    """
    followed = 0.0
    total = 0.0
    for at in range(len(order)):
        row = order[at]
        first = at == 0 or user[order[at - 1]] != user[row] or item[order[at - 1]] != item[row]
        last = at + 1 == len(order) or user[order[at + 1]] != user[row] or item[order[at + 1]] != item[row]
        if first:
            interest = 0.0
            bought = -1
        if kind[row] == _PURCHASE:
            followed += interest > 0.0
            # what is bought twice within a day is bought once
            if bought >= 0 and time[row] - bought >= DAY_US:
                _spell(item[row], (time[row] - bought) / DAY_US, True, edges, again, days)
            bought = time[row]
            interest = 0.0
        else:
            interest += weights[kind[row]]
        after = now if last else time[order[at + 1]]
        left = interest * 0.5 ** ((after - time[row]) / DAY_US / half_life)
        total += (interest - left) * half_life / np.log(2.0)
        interest = left
        if last and bought >= 0:
            _spell(item[row], (now - bought) / DAY_US, False, edges, again, days)
    return followed, total


@njit(cache=True)
def _spell(row: int, length: float, ended: bool, edges: Doubles, again: Doubles, days: Doubles) -> None:
    for b in range(len(edges) - 1):
        if length < edges[b]:
            break
        days[row, b] += min(length, edges[b + 1]) - edges[b]
        if ended and length < edges[b + 1]:
            again[row, b] += 1.0


def renewals(log: InteractionLog, now: int) -> tuple[Doubles, Doubles, float]:
    """What the log says about buying again.

    Returns
    -------
    ``again float64[n_items, BINS]``, the spells that ended in each bin; ``days``, of the same shape,
    the days that spells spent there; and the purchases a day to be expected of an interest of 1.
    """
    again = np.zeros((log.n_items, BINS))
    days = np.zeros((log.n_items, BINS))
    order = np.argsort(log.user.astype(np.int64) * max(log.n_items, 1) + log.item, kind="stable")
    followed, interest = _walk(
        order, log.user, log.item, log.kind, log.time, EVENT_WEIGHTS, EDGES, INTEREST_DAYS, now, again, days
    )
    # with nothing sold there is no rate, and any will do: it only has to be the same for all
    rate = (followed + 1.0) / (interest + 7.0) if (log.kind == EventType.purchase).any() else 1.0 / 7.0
    return again, days, rate


def shrunk(again: Doubles, days: Doubles, prior: Doubles) -> Doubles:
    """Rates a day ``[n, BINS]`` of groups, each between its own and ``prior`` (broadcast to its shape).

    First a group's level is drawn to the prior's by all its spells together, then each of its bins to
    the prior at that level: most groups can say how much is bought again long before they can say when.
    """
    level = prior * _towards(again.sum(axis=1), (prior * days).sum(axis=1))[:, None]
    rates: Doubles = level * _towards(again, level * days)
    return rates


def _towards(seen: Doubles, expected: Doubles) -> Doubles:
    """Factors on ``expected`` between 1 and ``seen / expected``.

    They are taken as gamma variables about 1, of a shape that their spread over what chance explains
    gives by the method of moments.
    """
    spread = float(((seen - expected) ** 2 - expected).sum())
    most = float((expected**2).sum())
    shape = MOST_PRIOR if spread <= 0.0 else float(np.clip(most / spread, LEAST_PRIOR, MOST_PRIOR))
    factors: Doubles = (seen + shape) / (expected + shape)
    return factors


def rates_of(again: Doubles, days: Doubles, category: Int32s, categories: int) -> tuple[Floats, Int32s]:
    """Rates of buying again by product, and where each product's are.

    Parameters
    ----------
    category
        ``int32[n_items]`` codes below ``categories``, -1 unknown.

    Returns
    -------
    ``float32[k, BINS]`` rates a day: the shop's, each category's, then each product's that was ever
    bought; and ``int32[n_items]`` their row.
    """
    doubt = DOUBT * np.minimum(np.diff(EDGES), EDGES[-2])
    shop = again.sum(axis=0) / (days.sum(axis=0) + doubt)
    known = category >= 0
    by_category = [np.zeros((categories, BINS)) for _ in range(2)]
    for table, of_products in zip(by_category, (again, days), strict=True):
        np.add.at(table, category[known], of_products[known])
    # a product of no category is one of the shop
    group = np.concatenate([shop[None], shrunk(by_category[0], by_category[1], shop[None])])
    bought = np.flatnonzero(days.any(axis=1))
    own = shrunk(again[bought], days[bought], group[category[bought] + 1])
    place = (category + 1).astype(np.int32)
    place[bought] = categories + 1 + np.arange(len(bought))
    return np.concatenate([group, own]).astype(np.float32), place


@njit(cache=True)
def expected_between(rates: Floats, edges: Doubles, age: float, horizon: float) -> float:
    """Purchases to be expected of one who bought ``age`` days ago within the next ``horizon`` days."""
    total = 0.0
    for b in range(len(rates)):
        overlap = min(age + horizon, edges[b + 1]) - max(age, edges[b])
        if overlap > 0.0:
            total += overlap * rates[b]
    return total


@njit(cache=True)
def expected_since(rates: Floats, edges: Doubles, spent: Floats, age: float, horizon: float) -> float:
    """The same of one who bought at least ``age`` days ago, nobody knows when.

    Ages are weighted by ``spent``, the days that all the shop's spells spent in each bin.
    """
    total = 0.0
    weight = 0.0
    for b in range(len(rates)):
        if edges[b + 1] > age:
            total += spent[b] * rates[b]
            weight += spent[b]
    return horizon * total / weight if weight > 0.0 else 0.0
