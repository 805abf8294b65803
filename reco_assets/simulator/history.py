"""The history of a simulated shop, day by day: compact rows first, then tables of the event contract."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from reco_assets.simulator import vocabulary
from reco_assets.simulator.choices import Tables
from reco_assets.simulator.parameters import DAY_US
from reco_assets.simulator.schedule import Schedule
from reco_assets.simulator.sessions import play_day
from reco_assets.simulator.trail import EVENT, Events, memory
from reco_assets.simulator.world import World

#: Share of a user's sessions in each local hour.
_HOURS: Final = (
    1.2, 0.7, 0.4, 0.3, 0.3, 0.5, 1.2, 2.4, 3.4, 4.2, 4.8, 5.2,
    5.6, 5.2, 4.8, 4.8, 5.2, 6.0, 7.0, 8.2, 9.0, 8.4, 5.8, 2.8,
)  # fmt: skip
_TRENDING: Final = 64


@dataclass(frozen=True)
class Day:
    """Events of one day, sorted by time, with what is needed to write them out.

    Attributes
    ----------
    index
        Day from 0.
    before
        Events of all earlier days.
    events
        EVENT rows.
    sessions
        How many sessions they belong to.
    prices
        ``float64[products]`` of the day.
    """

    index: int
    before: int
    sessions: int
    events: Events
    prices: npt.NDArray[np.float64]


def history(world: World, schedule: Schedule) -> Iterator[Day]:
    """Each day in turn; days cannot be skipped, because users remember."""
    parameters = world.parameters
    remembered = memory(parameters.users)
    before = 0
    for index, count in enumerate(parameters.events_of_days()):
        events = np.empty(count, EVENT)
        tables = tables_of_day(world, schedule, index)
        sessions = play_day(
            events, tables, remembered, parameters.seed, index, parameters.follow, parameters.conversion
        )
        order = np.argsort(events["time"], kind="stable")
        yield Day(index, before, sessions, events[order], schedule.prices(index))
        before += count


def tables_of_day(world: World, schedule: Schedule, day: int) -> Tables:
    """What compiled code reads of the shop on day ``day``."""
    users, products = world.users, world.products
    segments, countries = vocabulary.SEGMENTS, vocabulary.COUNTRIES
    popularity = schedule.popularity(day)
    hot = np.flatnonzero((schedule.burst(day) > 0) & (popularity > 0))
    out_from, out_to = schedule.outages(day)
    cycles = np.array([leaf.cycle_days for leaf in world.leaves], np.int32)
    return Tables(
        user_vectors=users.vectors,
        user_ends=np.cumsum(np.where(users.joined <= day, users.activity, 0.0)),
        interests=users.interests,
        interest_ends=users.interest_ends,
        buying=np.array([one.buying for one in segments], np.float32)[users.segment],
        trend=np.array([one.trend for one in segments], np.float32)[users.segment],
        hours_ahead=np.array([ahead for _, _, ahead in countries], np.int32)[users.country],
        source=users.source,
        product_vectors=products.vectors,
        product_ends=np.cumsum(popularity),
        leaf=products.leaf,
        leaf_starts=products.leaf_starts,
        substitutes=products.substitutes,
        complements=products.complements,
        quality=products.quality,
        cycle_days=cycles[products.leaf],
        out_from=out_from - day * DAY_US,
        out_to=out_to - day * DAY_US,
        trending=hot[np.argsort(-popularity[hot], kind="stable")][:_TRENDING].astype(np.int32),
        hour_ends=np.cumsum(np.array(_HOURS)),
    )
