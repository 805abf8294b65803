"""What a simulated shop is made from; the same parameters make the same history to the byte."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np

from reco_assets.errors import BadInput

DAY_US: Final = 86_400_000_000
#: Share of the week's traffic on each weekday, Monday first.
WEEKDAYS: Final = (0.92, 0.90, 0.93, 0.97, 1.04, 1.16, 1.08)


@dataclass(frozen=True)
class Parameters:
    """Size and character of a simulated shop.

    Attributes
    ----------
    users, products, days
        How many of each the whole history has; some arrive while it runs.
    end
        The last day, UTC; the history is the ``days`` days up to and with it.
    seed
        Everything random follows from it.
    events_per_user_day
        Mean number of events of a user on a day. Single users differ by a factor of hundreds.
    events
        Exact number of events of the whole history; overrides ``events_per_user_day``.
    taste
        How much a user's utility decides what is opened: 0 is popularity alone.
    follow
        Probability that the next click of a session is a successor of the current product in the
        (directed) product graph.
    popularity_tail
        Standard deviation of the log of a product's popularity: larger is a longer tail.
    drift
        Size of the slow rise and fall of a product's log popularity.
    new_users, new_products
        Share of users and of products that arrive after the first day.
    bursts, stock_outs, promotions, price_changes
        Probability, per product and 20 days, that it trends for some days, runs out of stock for
        hours to days (more often where it is popular), is on offer for some days, or changes price
        for good.
    conversion
        Scale of the probability that a click puts the product into the cart.
    """

    users: int = 2_000
    products: int = 1_500
    days: int = 30
    end: date = date(2025, 6, 30)
    seed: int = 0
    events_per_user_day: float = 5.0
    events: int | None = None
    taste: float = 4.0
    follow: float = 0.55
    popularity_tail: float = 1.3
    drift: float = 0.5
    new_users: float = 0.25
    new_products: float = 0.15
    bursts: float = 0.03
    stock_outs: float = 0.12
    promotions: float = 0.3
    price_changes: float = 0.15
    conversion: float = 0.07

    def __post_init__(self) -> None:
        for name in ("users", "days"):
            if getattr(self, name) < 1:
                raise _bad(name, getattr(self, name), "give 1 or more")
        if self.products < 32:
            raise _bad("products", self.products, "give 32 or more: the smallest catalogue has 8 categories")
        if self.seed < 0:
            raise _bad("seed", self.seed, "give 0 or more")
        if self.total_events < self.days:
            raise _bad("events", self.total_events, f"give at least one for each of the {self.days} days")
        shares = ("follow", "new_users", "new_products", "bursts", "stock_outs", "promotions")
        for name in (*shares, "price_changes", "conversion"):
            if not 0 <= getattr(self, name) <= 1:
                raise _bad(name, getattr(self, name), "give a share from 0 to 1")
        for name in ("taste", "popularity_tail", "drift"):
            if getattr(self, name) < 0:
                raise _bad(name, getattr(self, name), "give 0 or more")

    @property
    def first_day(self) -> date:
        """Day of the first event."""
        return self.end - timedelta(days=self.days - 1)

    @property
    def start_us(self) -> int:
        """The first day's midnight, UTC microseconds since 1970."""
        midnight = datetime(self.first_day.year, self.first_day.month, self.first_day.day, tzinfo=UTC)
        return int(midnight.timestamp()) * 1_000_000

    @property
    def total_events(self) -> int:
        """Exact number of events of the history."""
        if self.events is not None:
            return self.events
        return round(self.users * self.days * self.events_per_user_day)

    def day(self, index: int) -> date:
        """Calendar day of day ``index``, from 0."""
        return self.first_day + timedelta(days=index)

    def events_of_days(self) -> list[int]:
        """Events of each day by weekday season; they add up to ``total_events`` exactly."""
        weights = np.array([WEEKDAYS[self.day(index).weekday()] for index in range(self.days)])
        ends = np.rint(np.cumsum(weights) / weights.sum() * self.total_events).astype(np.int64)
        return [int(count) for count in np.diff(ends, prepend=0)]


def _bad(name: str, value: float, hint: str) -> BadInput:
    return BadInput(f"simulating a shop: {name} is {value}", hint=hint)
