"""Visits of shoppers to a live shop: who comes when, for what, and what a product is worth to them then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from reco_assets.simulator.arrival import USUAL
from reco_assets.simulator.choices import Tables, browse, interest
from reco_assets.simulator.dice import Dice, below, draw, mix, mixed, uniform
from reco_assets.simulator.history import tables_of_day
from reco_assets.simulator.parameters import DAY_US
from reco_assets.simulator.schedule import Schedule
from reco_assets.simulator.viewing import Bools, Doubles, Luck, Reaction, Viewing, read_list
from reco_assets.simulator.world import World

#: Streams of dice of one visit, apart from one another: what happens on one page moves no other.
_COMES, _FINDS, _LOOKS, _OPENS, _BUYS, _STAYS = range(6)
_SECOND_US: Final = 1_000_000
#: How much of a product's vector a change of its price by a factor of e moves; see products.draw_products.
_DEAR: Final = 0.4 / 0.45


@dataclass(frozen=True)
class Visit:
    """One visit.

    Attributes
    ----------
    number
        Within the day, by time.
    user, leaf
        Row of the shopper, and of the category for which they came.
    time
        UTC microseconds.
    finds
        Row of a product that they find by themselves when they come; -1 for none.
    """

    number: int
    user: int
    leaf: int
    time: int
    finds: int


@dataclass(frozen=True)
class LiveDay:
    """One day of the shop as it is lived, rather than written down afterwards."""

    world: World
    schedule: Schedule
    index: int
    tables: Tables
    prices: Doubles
    viewing: Viewing

    @classmethod
    def of(cls, world: World, schedule: Schedule, index: int, viewing: Viewing) -> LiveDay:
        """Day ``index`` of ``world``, from 0."""
        tables = tables_of_day(world, schedule, index)
        return cls(world, schedule, index, tables, schedule.prices(index), viewing)

    @property
    def start_us(self) -> int:
        """The day's midnight, UTC microseconds."""
        return self.world.parameters.start_us + self.index * DAY_US

    def visits(self, count: int, found: float) -> list[Visit]:
        """``count`` visits in the order of time; a share ``found`` of them begins with a product found alone.

        Who comes, when and for what does not depend on what is shown to anybody.
        """
        drawn = []
        for number in range(count):
            dice = self._dice(number, _COMES)
            user = int(draw(dice, self.tables.user_ends, 0, len(self.tables.user_ends)))
            leaf = int(interest(self.tables, user, dice))
            local = draw(dice, self.tables.hour_ends, 0, 24) + uniform(dice)
            time = int((local - self.tables.hours_ahead[user]) % 24.0 * 3600.0 * _SECOND_US)
            alone = self._dice(number, _FINDS)
            finds = int(browse(self.tables, user, leaf, alone)) if uniform(alone) < found else -1
            # the last minutes are left free, so that a visit ends on its day
            drawn.append((min(time, DAY_US - 1_800 * _SECOND_US), number, user, leaf, finds))
        drawn.sort()
        return [
            Visit(number, user, leaf, self.start_us + time, finds)
            for time, number, user, leaf, finds in drawn
        ]

    def utilities(
        self, visit: Visit, products: npt.NDArray[np.integer], opened: dict[int, int], owned: set[int]
    ) -> Doubles:
        """What each of ``products`` is worth to the shopper of ``visit`` now, ``float64[n]``.

        Parameters
        ----------
        opened
            How often the shopper has opened a product in this visit.
        owned
            What the shopper has bought.
        """
        world, viewing = self.world, self.viewing
        values: Doubles = world.utility(np.array([visit.user]), products)[0].astype(np.float64)
        values += viewing.wish * (world.products.leaf[products] == visit.leaf)
        aversion = float(world.users.vectors[visit.user, -1])
        values += (
            viewing.price * aversion * _DEAR * np.log(self.prices[products] / world.products.price[products])
        )
        values -= viewing.boredom * np.array([opened.get(int(one), 0) for one in products])
        lasting = self.tables.cycle_days[products] == 0
        values -= viewing.owned * (lasting & np.array([int(one) in owned for one in products], np.bool_))
        return values

    def reads(
        self,
        visit: Visit,
        page: int,
        products: npt.NDArray[np.integer],
        opened: dict[int, int],
        owned: set[int],
        time: int,
    ) -> Reaction:
        """What the shopper does with a list of ``products`` on the visit's page ``page``.

        The luck with a place is that of the page, the luck with a product that of the product: the same
        list means the same to the same shopper, whoever made it.
        """
        looks = self._dice(visit.number, _LOOKS, page)
        luck = Luck(
            look=np.array([uniform(looks) for _ in products]),
            open=self._by_product(visit.number, _OPENS, products),
            buy=self._by_product(visit.number, _BUYS, products),
        )
        since = time - self.start_us
        in_stock: Bools = ~(
            (self.tables.out_from[products] <= since) & (since < self.tables.out_to[products])
        )
        utilities = self.utilities(visit, products, opened, owned)
        will = float(self.tables.buying[visit.user])
        return read_list(self.viewing, utilities, in_stock, USUAL, will, luck)

    def stays(self, visit: Visit, page: int, happy: bool) -> bool:
        """Whether the shopper looks at one more page: oftener where the last one had something for them."""
        return float(uniform(self._dice(visit.number, _STAYS, page))) < (0.75 if happy else 0.45)

    def pause(self, visit: Visit, page: int) -> int:
        """Microseconds until the next thing that the shopper does."""
        return int(5 * _SECOND_US + below(self._dice(visit.number, _COMES, page + 1), 40 * _SECOND_US))

    def _dice(self, number: int, stream: int, page: int = 0) -> Dice:
        seed = np.array(
            [self.world.parameters.seed + (self.index << 20) + (stream << 56) + (page << 48)], np.uint64
        )
        return np.array([mix(mix(mixed(seed)[0]) + np.uint64(number))], np.uint64)

    def _by_product(self, number: int, stream: int, products: npt.NDArray[np.integer]) -> Doubles:
        start = self._dice(number, stream)[0]
        numbers: npt.NDArray[np.uint64] = mixed(products.astype(np.uint64) * np.uint64(2) + start)
        return ((numbers >> np.uint64(12)).astype(np.float64) + 0.5) / 2.0**52
