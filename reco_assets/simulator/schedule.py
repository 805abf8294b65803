"""What happens to products over time: offers, price changes, stock-outs, bursts, drift.

All of it is drawn beforehand, in spans of 20 days with at most one happening of a kind in each, so
that any moment can be asked for without playing what came before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from reco_assets.simulator.parameters import DAY_US, Parameters
from reco_assets.simulator.products import Products

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SPAN_DAYS: Final = 20
_MINUTE_US: Final = 60_000_000
_NEVER: Final = np.iinfo(np.int64).max // 4


@dataclass(frozen=True)
class Schedule:
    """Happenings of ``n`` products in ``s`` spans; a day of ``_NEVER`` means none.

    Attributes
    ----------
    offer_day, offer_days, offer_factor
        ``[n, s]``: first day, length, and factor of the price on those days.
    change_day, change_factor
        ``[n, s]``: the day from which the price is multiplied for good.
    out_from, out_to
        ``int64[n, s]`` microseconds since the start: not in stock in ``[from, to)``.
    burst_day, burst_days, burst_boost
        ``[n, s]``: first day, length, and addition to the log popularity.
    stock, stock_days, stock_phase
        ``[n]``: units after a delivery, days between deliveries, phase of the first.
    wave_days, wave_phase
        ``[n, 2]``: two slow sines that make the drift.
    """

    parameters: Parameters
    products: Products
    offer_day: Ints
    offer_days: Ints
    offer_factor: Doubles
    change_day: Ints
    change_factor: Doubles
    out_from: Ints
    out_to: Ints
    burst_day: Ints
    burst_days: Ints
    burst_boost: Doubles
    stock: Ints
    stock_days: Doubles
    stock_phase: Doubles
    wave_days: Doubles
    wave_phase: Doubles

    def prices(self, day: int) -> Doubles:
        """``float64[n]`` on day ``day``, in cents' precision."""
        lasting = np.where(self.change_day <= day, self.change_factor, 1.0).prod(axis=1)
        on_offer = (self.offer_day <= day) & (day < self.offer_day + self.offer_days)
        offer = np.where(on_offer, self.offer_factor, 1.0).prod(axis=1)
        prices: Doubles = np.maximum(0.5, np.round(self.products.price * lasting * offer, 2))
        return prices

    def outages(self, day: int) -> tuple[Ints, Ints]:
        """``int64[n]`` twice: the stock-out of each product that touches day ``day``, or (0, 0)."""
        first, last = day * DAY_US, (day + 1) * DAY_US
        here = (self.out_from < last) & (self.out_to > first)
        return (self.out_from * here).sum(axis=1), (self.out_to * here).sum(axis=1)

    def inventory(self, rows: Ints, times: Ints) -> Ints:
        """Units of product ``rows`` at ``times`` (microseconds since the start); 0 while out of stock."""
        days = times / DAY_US
        used = (days / self.stock_days[rows] + self.stock_phase[rows]) % 1.0
        ahead = np.where(self.out_from[rows] > times[:, None], self.out_from[rows] - times[:, None], _NEVER)
        # It runs down over the five days before it runs out.
        scarce = np.minimum(1.0, ahead.min(axis=1) / (5 * DAY_US))
        units = np.maximum(1, np.round(self.stock[rows] * (1 - 0.9 * used) * scarce)).astype(np.int64)
        out = ((self.out_from[rows] <= times[:, None]) & (times[:, None] < self.out_to[rows])).any(axis=1)
        return np.where(out, 0, units)

    def burst(self, day: int) -> Doubles:
        """``float64[n]`` addition to the log popularity of products that trend on day ``day``, else 0."""
        on = (self.burst_day <= day) & (day < self.burst_day + self.burst_days)
        boost: Doubles = np.where(on, self.burst_boost, 0.0).sum(axis=1)
        return boost

    def popularity(self, day: int) -> Doubles:
        """``float64[n]`` weight of each product on day ``day``; 0 before its launch."""
        waves = np.sin(2 * np.pi * (day / self.wave_days + self.wave_phase)).sum(axis=1)
        age = day - self.products.launched
        new = np.where((self.products.launched > 0) & (age >= 0), 0.8 * np.exp(-age / 10), 0.0)
        log = self.products.popularity + self.parameters.drift * waves + self.burst(day) + new
        return np.where(age >= 0, np.exp(log), 0.0)


def schedule(parameters: Parameters, products: Products) -> Schedule:
    """Everything that will happen to ``products``, drawn from the seed."""
    random = np.random.default_rng([parameters.seed, 1])
    count = len(products.leaf)
    shape = (count, -(-parameters.days // SPAN_DAYS))
    span_start = np.arange(shape[1]) * SPAN_DAYS
    launched = products.launched[:, None]

    def days(chance: float | Doubles, latest: int) -> Ints:
        """A day of each span on which something begins, with probability ``chance``."""
        day = span_start + random.integers(0, latest, shape)
        begins = (random.random(shape) < chance) & (day > launched)
        return np.where(begins, day, _NEVER)

    fame = np.clip(np.exp(0.5 * products.popularity)[:, None], 0.3, 3.0)
    out_day = days(np.clip(parameters.stock_outs * fame, 0, 1), 14)
    out_from = np.where(
        out_day < _NEVER, (out_day % _NEVER) * DAY_US + random.integers(0, 1_440, shape) * _MINUTE_US, _NEVER
    )
    length = np.clip(random.lognormal(np.log(14), 0.8, shape), 2, 96)
    return Schedule(
        parameters=parameters,
        products=products,
        offer_day=days(parameters.promotions, 12),
        offer_days=random.integers(2, 8, shape),
        offer_factor=random.choice([0.95, 0.9, 0.85, 0.8, 0.7], shape),
        change_day=days(parameters.price_changes, SPAN_DAYS),
        change_factor=np.exp(0.08 * random.standard_normal(shape) + 0.01),
        out_from=out_from,
        out_to=np.where(out_day < _NEVER, out_from + (length * 60).astype(np.int64) * _MINUTE_US, _NEVER),
        burst_day=days(parameters.bursts, 14),
        burst_days=random.integers(2, 7, shape),
        burst_boost=random.uniform(1.5, 3.2, shape),
        stock=np.round(np.exp(4 + 0.5 * products.popularity + 0.4 * random.standard_normal(count))).astype(
            np.int64
        )
        + 5,
        stock_days=random.uniform(8, 30, count),
        stock_phase=random.random(count),
        wave_days=np.column_stack([random.uniform(20, 60, count), random.uniform(60, 240, count)]),
        wave_phase=random.random((count, 2)),
    )
