"""Simulated shoppers who are shown three kinds of lists, each all three: so what a kind does is known.

Who comes, when and for what, and the luck with every place and product, are the same whatever is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from reco_assets.simulator.parameters import Parameters
from reco_assets.simulator.schedule import schedule
from reco_assets.simulator.viewing import Viewing
from reco_assets.simulator.visits import LiveDay, Visit
from reco_assets.simulator.world import world

Doubles = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]

#: Popular products of the category for which the shopper came; these with some of the shopper's own taste;
#: and every second place given to another category.
ARMS: Final = ("control", "better", "harmful")
#: What is counted of a visit.
COUNTED: Final = ("impressions", "clicks", "purchases", "revenue")
_SHOWN: Final = 10
_PAGES: Final = 3
#: How many of a category's popular products are ranked, and how much taste says beside popularity.
_RANKED: Final = 40
_TASTE: Final = 0.5


@dataclass(frozen=True)
class Shown:
    """One visit under one kind of lists: products, whether each was opened and bought, and its price."""

    products: tuple[int, ...]
    opened: tuple[bool, ...]
    bought: tuple[bool, ...]
    prices: tuple[float, ...]

    def counted(self) -> tuple[float, float, float, float]:
        """``COUNTED`` of it."""
        spent = sum(price for price, bought in zip(self.prices, self.bought, strict=True) if bought)
        return float(len(self.products)), float(sum(self.opened)), float(sum(self.bought)), spent


@dataclass(frozen=True)
class Lived:
    """Visits in the order of time.

    Attributes
    ----------
    user, time
        ``int64[visits]``: row of the shopper, UTC microseconds.
    counted
        ``float64[arms, visits, COUNTED]``.
    shown
        By visit and arm.
    users
        How many shoppers there are.
    """

    parameters: Parameters
    user: Int64s
    time: Int64s
    counted: Doubles
    shown: tuple[tuple[Shown, ...], ...]
    users: int


def live(parameters: Parameters, visits: int) -> Lived:
    """Every day of ``parameters``, ``visits`` each, under all kinds of lists."""
    shop = world(parameters)
    happenings = schedule(parameters, shop.products)
    viewing = Viewing()
    owned: list[dict[int, set[int]]] = [{} for _ in ARMS]
    users, times, shown = [], [], []
    for index in range(parameters.days):
        day = LiveDay.of(shop, happenings, index, viewing)
        for visit in day.visits(visits, found=0.0):
            users.append(visit.user)
            times.append(visit.time)
            shown.append(tuple(_visit(day, visit, arm, owned[arm]) for arm in range(len(ARMS))))
    counted = np.array([[one[arm].counted() for one in shown] for arm in range(len(ARMS))])
    return Lived(parameters, np.array(users), np.array(times), counted, tuple(shown), len(shop.users.ids))


def _visit(day: LiveDay, visit: Visit, arm: int, owned: dict[int, set[int]]) -> Shown:
    own, opened = owned.setdefault(visit.user, set()), dict[int, int]()
    ranked = _ranked(day, visit, arm, own)
    told: list[tuple[int, bool, bool]] = []
    for page in range(_PAGES):
        products = ranked[page * _SHOWN : (page + 1) * _SHOWN]
        if not len(products):
            break
        seen = day.reads(visit, page, products, opened, own, visit.time)
        told += zip(products.tolist(), seen.opened.tolist(), seen.bought.tolist(), strict=True)
        opened |= {int(one): 1 for one in products[seen.opened]}
        own |= set(products[seen.bought].tolist())
        if not day.stays(visit, page, bool(seen.opened.any())):
            break
    return Shown(
        tuple(product for product, _, _ in told),
        tuple(was for _, was, _ in told),
        tuple(was for _, _, was in told),
        tuple(round(float(day.prices[product]), 2) for product, _, _ in told),
    )


def _ranked(day: LiveDay, visit: Visit, arm: int, owned: set[int]) -> Int64s:
    """Product rows, the first to be shown first."""
    leaves = len(day.tables.leaf_starts) - 1
    best = _popular(day, visit.leaf)
    if ARMS[arm] == "control":
        return best
    if ARMS[arm] == "harmful":
        other = _popular(day, (visit.leaf + leaves // 2) % leaves)
        both = min(len(best), len(other))
        mixed: Int64s = np.stack([best[:both], other[:both]], axis=1).ravel()
        return mixed
    ends = day.tables.product_ends
    popular = ends[best] - np.where(best > 0, ends[best - 1], 0.0)
    scores = np.log(popular) + _TASTE * day.utilities(visit, best, {}, owned)
    ranked: Int64s = best[np.argsort(-scores, kind="stable")]
    return ranked


def _popular(day: LiveDay, leaf: int) -> Int64s:
    """Rows of the products of ``leaf`` that are sold, the most popular first."""
    tables = day.tables
    first, last = int(tables.leaf_starts[leaf]), int(tables.leaf_starts[leaf + 1])
    before = tables.product_ends[first - 1] if first else 0.0
    popular = np.diff(np.concatenate([[before], tables.product_ends[first:last]]))
    sold = np.flatnonzero(popular > 0)
    best: Int64s = sold[np.argsort(-popular[sold], kind="stable")][:_RANKED] + first
    return best
