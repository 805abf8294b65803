"""A burst trends; the always popular, the shop's growth, its weekends and one click do not."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
import pytest

from reco_assets.candidates.popular import Popular
from reco_assets.candidates.trending import SURE, Trending
from reco_assets.catalogue.items import ItemTable
from reco_assets.interactions.log import InteractionLog
from tests.candidates.shops import DAY, NOW, Product, click, log, past, shop, top

SIZE = 2_000


@cache
def steady_shop() -> ItemTable:
    return shop(*(Product(f"p{n:04d}", category=f"c{n % 20:02d}") for n in range(SIZE)))


def stationary(
    seed: int,
    *,
    days: int = 40,
    growth: float = 0.0,
    weekend: float = 1.0,
    surge: dict[int, float] | None = None,
) -> InteractionLog:
    """Poisson visits to products of very different popularity, each person coming once.

    ``growth`` of the whole shop by day, ``weekend`` factor of category c00 in the days that are
    like the last two, and factors of the products of ``surge`` in these two.
    """
    rng = np.random.default_rng(seed)
    rate = rng.lognormal(0.0, 1.3, SIZE)
    item, time = [], []
    for ago in range(days):
        of_day = rate * (1.0 + growth) ** -ago
        of_day[::20] *= weekend if ago % 7 < 2 else 1.0
        for row, factor in (surge or {}).items():
            of_day[row] = factor if ago < 2 else of_day[row]
        counts = rng.poisson(of_day)
        item.append(np.repeat(np.arange(SIZE), counts))
        time.append(NOW - 1 - ago * DAY - rng.integers(0, DAY, counts.sum()))
    n = sum(map(len, item))
    return InteractionLog(
        user=np.arange(n, dtype=np.int32),
        item=np.concatenate(item).astype(np.int32),
        kind=np.zeros(n, np.int8),
        time=np.concatenate(time),
        user_ids=pl.Series([str(row) for row in range(n)], dtype=pl.String),
        n_items=SIZE,
    )


def scores(events: InteractionLog) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return Trending.fit(events, steady_shop(), NOW).scores


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "shape", [{}, {"growth": 0.05}, {"growth": -0.03}, {"weekend": 3.0}, {"days": 12}], ids=str
)
def test_where_nothing_changes_fewer_than_one_in_200_trend(seed: int, shape: dict[str, float]) -> None:
    found = scores(stationary(seed, **shape))  # type: ignore[arg-type]
    assert (found > SURE).mean() < 0.005


@pytest.mark.parametrize("seed", range(3))
def test_a_surge_is_found(seed: int) -> None:
    # from whatever they were to some visits a day
    surge = {7: 25.0, 500: 30.0, 1999: 40.0}
    source = Trending.fit(stationary(seed, surge=surge), steady_shop(), NOW)
    assert (source.scores[list(surge)] > SURE).all()
    assert set(source.ranked[:3].tolist()) == set(surge)


def test_a_burst_trends_and_the_always_popular_does_not() -> None:
    items = shop("burst", "quiet", "steady")
    steady = [click(f"s{n}", "steady", ago=day) for day in range(1, 31) for n in range(20)]
    burst = [click(f"b{n}", "burst", ago=0.5) for n in range(30)]
    events = log(items, *steady, *burst)

    assert next(iter(top(Popular.fit(events, items, NOW), items, past(items)))) == "steady"
    trend = top(Trending.fit(events, items, NOW), items, past(items))
    assert next(iter(trend)) == "burst"
    assert trend["burst"] > SURE
    assert trend["steady"] < 0.0  # its share of the shop fell


def test_what_grows_as_the_whole_shop_does_is_no_trend() -> None:
    items = shop("one", "other")
    past_month = [
        click(f"u{n}", item, ago=day) for day in range(3, 31) for n in range(10) for item in ("one", "other")
    ]
    busy_day = [click(f"v{n}", item, ago=1) for n in range(200) for item in ("one", "other")]
    trend = top(Trending.fit(log(items, *past_month, *busy_day), items, NOW), items, past(items))
    assert list(trend.values()) == pytest.approx([0.0, 0.0], abs=0.05)


def test_one_click_on_an_unknown_product_is_no_trend() -> None:
    items = shop("known", "risen", "new")
    known = [click(f"s{n}", "known", ago=day) for day in range(40) for n in range(20)]
    risen = [click(f"r{n}", "risen", ago=n / 30 if n < 30 else n) for n in range(38)]
    trend = top(Trending.fit(log(items, *known, *risen, click("x", "new")), items, NOW), items, past(items))
    assert next(iter(trend)) == "risen"
    assert trend["new"] < SURE


def test_one_person_is_no_trend_however_often_they_click() -> None:
    items = shop("known", "mine")
    known = [click(f"s{n}", "known", ago=day) for day in range(40) for n in range(20)]
    mine = [click("me", "mine", ago=0.01 * n) for n in range(30)]
    trend = top(Trending.fit(log(items, *known, *mine), items, NOW), items, past(items))
    assert trend["mine"] < SURE
