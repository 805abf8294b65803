"""Answers that were really given, as rows that the ranker learns from.

Source: Joachims, Swaminathan, Schnabel, "Unbiased learning-to-rank with biased feedback", 2017.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reco_assets.features.catalogue import RANKING_FEATURES
from reco_assets.ranking.answered import Answered
from reco_assets.ranking.examination import Numbers, weights
from reco_assets.ranking.examples import Examples
from reco_assets.ranking.replay import Moment
from reco_assets.ranking.terms import LoggedTerms
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.recommend import blocked_items, candidates_of, current_history, features_of
from reco_assets.recommender.types import Floats, Int8s, Int32s


def feedback_examples(
    walk: Iterator[Moment], told: Answered, examined: Numbers, bundle: Bundle, logged: LoggedTerms
) -> Examples:
    """Each product of an answer that was clicked or bought, against those of it that were passed over.

    A product at a low place is clicked seldom because it is seen seldom. So every one that was clicked
    makes a decision of its own, which counts as many times as one of its kind was clicked at the top:
    1 / examination, clipped (XGBoost weighs decisions, not rows). The probability of being shown does not
    enter: products are held against others that were shown beside them. An answer of which nothing came
    teaches nothing and is left out. The features are those of the request that was answered: its context, its
    products and what it was limited to.

    Parameters
    ----------
    walk
        The moments of ``told.decisions``; the sources are ``bundle``'s, which knew only what was before.
    examined
        ``float64[places]`` of :func:`reco_assets.ranking.examination.examination`.
    logged
        What was asked at the answers of ``told``, over ``bundle``.
    """
    features: list[Floats] = []
    grades: list[Int8s] = []
    numbers: list[Int32s] = []
    items: list[Int32s] = []
    weighed: list[Floats] = []
    answers: list[int] = []
    bounds = np.searchsorted(told.answer, np.arange(len(told.decisions) + 1))
    for moment in walk:
        own = slice(int(bounds[moment.number]), int(bounds[moment.number + 1]))
        shown, grade = told.item[own], told.grade[own]
        if not grade.any() or grade.all():
            continue
        terms = logged.of(told.ids[moment.number])
        request, policy = terms.request, terms.policy
        past = current_history(request, moment.state, moment.now)
        blocked = blocked_items(request, past, bundle, policy)
        within = terms.rules.within(request)
        # what was shown comes first, whether these sources would have found it or not
        candidates = candidates_of(request, past, blocked, bundle, policy, within, shown)
        matrix = features_of(
            request, moment.state, past, candidates, bundle, moment.now, np.arange(len(shown), dtype=np.int64)
        )
        passed = np.flatnonzero(grade == 0)
        for liked in np.flatnonzero(grade).tolist():
            keep = np.sort(np.append(passed, liked))
            features.append(matrix[keep])
            grades.append(grade[keep])
            items.append(shown[keep])
            numbers.append(np.full(len(keep), len(answers), np.int32))
            weight = weights(examined, told.place[own][[liked]])[0]
            weighed.append(np.full(len(keep), weight, np.float32))
            answers.append(moment.number)
    rows = np.array(answers, np.int64)
    return Examples(
        np.concatenate([np.empty((0, len(RANKING_FEATURES)), np.float32), *features]),
        np.concatenate([np.empty(0, np.int8), *grades]),
        np.concatenate([np.empty(0, np.int32), *numbers]),
        np.concatenate([np.empty(0, np.int32), *items]),
        told.decisions.time[rows],
        told.decisions.user[rows],
        np.concatenate([np.empty(0, np.float32), *weighed]),
    )
