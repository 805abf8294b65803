"""The shop's own tables: observations of products and of users."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from reco_assets.simulator import vocabulary
from reco_assets.simulator.parameters import DAY_US
from reco_assets.simulator.schedule import Schedule
from reco_assets.simulator.world import World

Ints = npt.NDArray[np.int64]

_TIME: Final = pl.Datetime("us", "UTC")
#: Days between two counts of the whole stock.
_STOCK_COUNT_DAYS: Final = 7


def titles(world: World) -> list[str]:
    """Title of each product row: brand, style, what it is, tier by price, colour."""
    brands = vocabulary.brands()
    products = world.products
    columns = zip(
        products.brand.tolist(),
        products.style.tolist(),
        products.leaf.tolist(),
        products.tier.tolist(),
        products.colour.tolist(),
        strict=True,
    )
    return [
        " ".join(
            word
            for word in (
                brands[brand],
                vocabulary.STYLES[style],
                world.leaves[leaf].name,
                vocabulary.TIERS[tier],
                vocabulary.COLOURS[colour],
            )
            if word
        )
        for brand, style, leaf, tier, colour in columns
    ]


def product_observations(world: World, schedule: Schedule) -> pl.DataFrame:
    """One row per product at its launch, at each change of price or stock, and at each stock count.

    Columns product_id, observed_at (us UTC), title, category ("a > b > c"), brand, price, inventory;
    ordered by time, then product.
    """
    rows, times = _moments(schedule)
    days = times // DAY_US
    prices = np.empty(len(rows))
    for day in np.unique(days).tolist():
        here = days == day
        prices[here] = schedule.prices(day)[rows[here]]
    leaf_paths = np.array([leaf.path for leaf in world.leaves])
    brands = np.array(vocabulary.brands())
    products = world.products
    return pl.DataFrame(
        {
            "product_id": pl.Series(products.ids).gather(rows),
            "observed_at": pl.Series(times + world.parameters.start_us).cast(pl.Datetime("us")),
            "title": pl.Series(titles(world)).gather(rows),
            "category": pl.Series(leaf_paths).gather(products.leaf[rows]),
            "brand": pl.Series(brands).gather(products.brand[rows]),
            "price": prices,
            "inventory": schedule.inventory(rows, times),
        }
    ).with_columns(pl.col("observed_at").dt.replace_time_zone("UTC"))


def user_observations(world: World) -> pl.DataFrame:
    """One row per user when first known: user_id, observed_at, country, segment; ordered by time.

    About one user in fifty never told the country.
    """
    users = world.users
    random = np.random.default_rng([world.parameters.seed, 2])
    order = np.argsort(users.joined, kind="stable")
    country = pl.Series([name for name, _, _ in vocabulary.COUNTRIES]).gather(users.country)
    segment = pl.Series([one.name for one in vocabulary.SEGMENTS]).gather(users.segment)
    unknown = pl.Series(random.random(len(order)) < 0.02)
    return pl.DataFrame(
        {
            "user_id": pl.Series(users.ids),
            "observed_at": pl.Series(world.parameters.start_us + users.joined.astype(np.int64) * DAY_US).cast(
                pl.Datetime("us")
            ),
            "country": pl.select(pl.when(unknown).then(None).otherwise(country)).to_series(),
            "segment": segment,
        }
    ).with_columns(pl.col("observed_at").dt.replace_time_zone("UTC"))[order]


def _moments(schedule: Schedule) -> tuple[Ints, Ints]:
    """Product rows and microseconds since the start at which something is to be observed, without repeats."""
    end = schedule.parameters.days * DAY_US
    launched = schedule.products.launched.astype(np.int64)
    count = len(launched)
    every = np.arange(count)
    rows, times = [every], [launched * DAY_US]
    for day in range(_STOCK_COUNT_DAYS, schedule.parameters.days, _STOCK_COUNT_DAYS):
        rows.append(every)
        times.append(np.full(count, day * DAY_US))
    offer = np.minimum(schedule.offer_day, schedule.parameters.days)
    change = np.minimum(schedule.change_day, schedule.parameters.days)
    happenings = (
        offer * DAY_US,
        (offer + schedule.offer_days) * DAY_US,
        change * DAY_US,
        schedule.out_from,
        schedule.out_to,
    )
    for moment in happenings:
        product, span = np.nonzero(moment < end)
        rows.append(product)
        times.append(moment[product, span])
    row, time = np.concatenate(rows), np.concatenate(times)
    known = (time >= launched[row] * DAY_US) & (time < end)
    pairs = np.unique(np.column_stack([time[known], row[known]]), axis=0)
    return pairs[:, 1], pairs[:, 0]
