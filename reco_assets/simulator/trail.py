"""The trail that sessions leave: compact event rows, and what users remember from day to day."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from reco_assets.events.contract import EventType
from reco_assets.simulator.dice import Dice, below
from reco_assets.simulator.parameters import DAY_US

#: One event in the making. ``detail`` is milliseconds of a click, units of a cart or purchase event,
#: stars of a rating, the query (see history.queries) of a search, and -1 otherwise.
EVENT: Final = np.dtype(
    [
        ("time", "i8"),  # microseconds of the day, whole milliseconds as browsers tell them
        ("user", "i4"),
        ("session", "i4"),  # number within the day
        ("product", "i4"),  # -1 for a search
        ("detail", "i4"),
        ("kind", "i1"),
        ("source", "i1"),
    ]
)
Events = npt.NDArray[np.void]

CLICK: Final = int(EventType.click)
CART: Final = int(EventType.add_to_cart)
REMOVE: Final = int(EventType.remove_from_cart)
PURCHASE: Final = int(EventType.purchase)
FAVORITE: Final = int(EventType.favorite)
RATE: Final = int(EventType.rate)
SEARCH: Final = int(EventType.search)

#: Ways to phrase a search for a leaf category.
QUERY_FORMS: Final = 4
#: Purchases by which each user is remembered, for repeat purchases and ratings.
BOUGHT: Final = 8
SECOND: Final = 1_000_000
MILLISECOND: Final = 1_000


class Visit(NamedTuple):
    """Whose session it is, its number in the day, and by which channel."""

    user: int
    session: int
    source: int


class Memory(NamedTuple):
    """What users carry from day to day, a row per user.

    ``bought`` products with the day of each and whether it was rated, as a ring whose next slot is
    ``next``; the ``last`` product opened and its day.
    """

    bought: npt.NDArray[np.int32]
    bought_day: npt.NDArray[np.int32]
    rated: npt.NDArray[np.bool_]
    next: npt.NDArray[np.int8]
    last: npt.NDArray[np.int32]
    last_day: npt.NDArray[np.int32]


def memory(users: int) -> Memory:
    """Nobody has bought or seen anything."""
    return Memory(
        np.full((users, BOUGHT), -1, np.int32),
        np.full((users, BOUGHT), -1, np.int32),
        np.zeros((users, BOUGHT), np.bool_),
        np.zeros(users, np.int8),
        np.full(users, -1, np.int32),
        np.full(users, -1, np.int32),
    )


@njit(cache=True, nogil=True)
def put(events: Events, filled: int, visit: Visit, kind: int, product: int, time: int, detail: int) -> int:
    """Append one event and return the new length; nothing after the day's or the array's end."""
    if filled >= len(events) or time >= DAY_US:
        return filled
    event = events[filled]
    event.time, event.user, event.session = time - time % MILLISECOND, visit.user, visit.session
    event.product, event.detail, event.kind, event.source = product, detail, kind, visit.source
    return filled + 1


@njit(cache=True, nogil=True)
def search(events: Events, filled: int, visit: Visit, leaf: int, time: int, dice: Dice) -> tuple[int, int]:
    """Append a search for something of ``leaf``; the new length and time."""
    query = leaf * QUERY_FORMS + below(dice, QUERY_FORMS)
    filled = put(events, filled, visit, SEARCH, -1, time, query)
    return filled, time + 3 * SECOND + below(dice, 9 * SECOND)
