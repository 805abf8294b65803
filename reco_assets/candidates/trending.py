"""What is wanted more than its own past says, for chance to be no explanation."""

from __future__ import annotations

from typing import ClassVar, Final, Self

import numpy as np
import numpy.typing as npt

from reco_assets.candidates.popular import DAY_US, RankedList, ranked
from reco_assets.candidates.retriever import Int32s
from reco_assets.catalogue.items import ItemTable
from reco_assets.interactions.log import InteractionLog

#: The past counts by half this many days before.
HALF_LIFE: Final = 14.0
#: Visits that a product has before its own, at the mean of all: an unknown one has no past to be above.
PRIOR: Final = 1.0
#: The week's season is looked for in a past of so many days, and drawn to none by so many visits.
SEASON_DAYS: Final = 28
SEASON_PRIOR: Final = 200.0
#: A product of which fewer visits are expected says nothing of how much products vary by themselves.
TELLING: Final = 5.0
#: Products that it takes to tell.
MANY: Final = 30
#: Median of the square of a standard normal variable.
MEDIAN: Final = 0.4549
#: Above this score a product is said to trend: of products whose rate stays what it was, fewer than
#: 1 in 200 are.
SURE: Final = 3.0

Doubles = npt.NDArray[np.float64]


class Trending(RankedList):
    """Above its own past: the last stretch against what the product's share of the past predicts.

    A visit is a person, a product and a day, however many events. The last stretch is a tenth of the
    log's span, at most 2 days. A product's share of all visits before it, halved every 14 days, times
    all visits of the stretch is what is expected: the shop's growth, and hours and days that are busy
    for all, are no product's trend. With four weeks of past, a category's own week is taken out too.

    The score is the signed root of the deviance of the count from the negative binomial that those two
    samples make, over how much more than by chance products of this shop vary anyway; it is standard
    normal, nearly, for a product of which nothing changed. Above ``SURE``, fewer than 1 in 200 of these.

    Cost: a sort of the log to learn, none to answer. Memory: 8 bytes a product.
    """

    name: ClassVar[str] = "trending"
    reason: ClassVar[str] = "more wanted than usual right now"

    @classmethod
    def fit(cls, log: InteractionLog, items: ItemTable, now: int) -> Self:
        """Products below their past score negative and come last."""
        n = len(items)
        if len(log) == 0:
            return cls(ranked(np.zeros(n, np.float32)), np.zeros(n, np.float32))
        item, time = _visits(log)
        recent = min(2 * DAY_US, max((now - int(log.time.min())) // 10, 1))
        last = time >= now - recent
        seen = np.bincount(item[last], minlength=n)
        age = (now - recent - time[~last]) / DAY_US
        weight = np.exp2(-age / HALF_LIFE)
        # weighted visits count as many as have the same relative variance
        worth = weight.sum() / max(float((weight**2).sum()), 1e-9)
        past = PRIOR + worth * np.bincount(item[~last], weight, n)
        expected = past * _season(item[~last], age, recent / DAY_US, np.asarray(items.category))
        expected *= seen.sum() / expected.sum()
        deviance = _deviance(seen, np.maximum(expected, 1e-9), past)
        telling = expected >= TELLING
        many = int(telling.sum()) >= MANY
        varies = float(np.median(deviance[telling])) / MEDIAN if many else 1.0
        scores = np.sign(seen - expected) * np.sqrt(deviance / max(varies, 1.0))
        return cls(ranked(scores.astype(np.float32)), scores.astype(np.float32))


def _visits(log: InteractionLog) -> tuple[Int32s, npt.NDArray[np.int64]]:
    """Item and time of the first event of each person, item and day."""
    day = log.time // DAY_US
    key = (log.user.astype(np.int64) * (int(day.max() - day.min()) + 1) + day - day.min()) * log.n_items
    _, first = np.unique(key + log.item, return_index=True)
    return log.item[first], log.time[first]


def _season(item: Int32s, age: Doubles, stretch: float, category: Int32s) -> Doubles:
    """``float64[n_items]``: how much more of the shop a product's category is at this time of the week.

    ``age`` is in days before the stretch, of ``stretch`` days; 1 where the past is too short to tell.
    """
    season = np.ones(len(category))
    if not len(age) or age.max() < SEASON_DAYS:
        return season
    own = category[item]
    counted = (own >= 0) & (age < age.max() // 7 * 7)
    same = counted & (age % 7.0 >= 7.0 - stretch)
    whole = np.bincount(own[counted], minlength=int(category.max(initial=-1)) + 1).astype(np.float64)
    now = np.bincount(own[same], minlength=len(whole))
    usual = whole / max(float(whole.sum()), 1.0)
    factor = (now + SEASON_PRIOR) / (usual * now.sum() + SEASON_PRIOR)
    known = category >= 0
    season[known] = factor[category[known]]
    return season


def _deviance(seen: npt.NDArray[np.int64], expected: Doubles, past: Doubles) -> Doubles:
    """Of counts about ``expected``, itself known from ``past`` visits."""
    more = seen * np.log(np.maximum(seen, 1e-9) / expected)
    less = (seen + past) * np.log((seen + past) / (expected + past))
    deviance: Doubles = np.maximum(2.0 * (more - less), 0.0)
    return deviance
