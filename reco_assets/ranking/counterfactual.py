"""The challenger's answers at the moments of logged ones, and what they would have earned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from reco_assets.ranking.answered import Answered
from reco_assets.ranking.policy_value import LoggedPlaces, PolicyValue, policy_value
from reco_assets.ranking.replay import Moment
from reco_assets.ranking.terms import LoggedTerms
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.recommend import recommend
from reco_assets.recommender.types import MOST, Int64s

Numbers = npt.NDArray[np.float64]

#: A product's rate of clicks leans on the shop's as on so many looks at it.
LOOKS: Final = 20.0


def expected_clicks(before: Answered, examined: Numbers, n_items: int) -> Numbers:
    """Rate of clicks of each product when it is looked at, ``float64[n_items]``.

    Clicks over looks, an impression being as many looks as its place is examined. Without any
    impression nothing is expected of anything.
    """
    looks = np.bincount(before.item, _at(examined, before.place), n_items)
    clicks = np.bincount(before.item, before.grade > 0, n_items)
    shop = clicks.sum() / looks.sum() if looks.sum() > 0 else 0.0
    rates: Numbers = (clicks + LOOKS * shop) / (looks + LOOKS)
    return rates


def challenger_value(
    walk: Iterator[Moment],
    told: Answered,
    rates: Numbers,
    examined: Numbers,
    bundle: Bundle,
    logged: LoggedTerms,
) -> PolicyValue | None:
    """Clicks an impression of ``bundle``, estimated on the answers of ``told``.

    It is asked what was asked then, and keeps to the rules that held then, but for exploration: only the
    ranking is another. Only places whose propensity is known count; None where there is none.

    Parameters
    ----------
    walk
        The moments of ``told.decisions``.
    rates, examined
        The model of clicks: a product's rate when looked at, and how likely a place is looked at; both
        learned before these answers.
    logged
        What was asked at the answers of ``told``, over ``bundle``.
    """
    other = np.full(len(told), -1, np.int32)
    bounds = np.searchsorted(told.answer, np.arange(len(told.decisions) + 1))
    for moment in walk:
        own = slice(int(bounds[moment.number]), int(bounds[moment.number + 1]))
        places = told.place[own]
        length = min(int(places.max(initial=0)) + 1, MOST)
        terms = logged.of(told.ids[moment.number])
        answer = recommend(
            replace(terms.request, n=length),
            moment.state,
            bundle,
            terms.policy.settled,
            moment.now,
            rules=terms.rules,
        )
        shown = np.full(length, -1, np.int32)
        shown[: len(answer.recommendations)] = [one.item for one in answer.recommendations]
        other[own] = shown[np.minimum(places, length - 1)]
    known = told.propensity > 0  # NaN is not
    looked = _at(examined, told.place)
    return policy_value(
        LoggedPlaces(
            user=told.decisions.user[told.answer][known].astype(np.int64),
            propensity=told.propensity[known],
            same=(other == told.item)[known],
            reward=(told.grade > 0).astype(np.float64)[known],
            expected=(rates[told.item] * looked)[known],
            expected_other=np.where(other >= 0, rates[other] * looked, 0.0)[known],
        )
    )


def _at(examined: Numbers, place: Int64s) -> Numbers:
    found: Numbers = examined[np.minimum(place, len(examined) - 1)]
    return found
