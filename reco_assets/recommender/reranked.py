"""A list that somebody else has made, as a search engine does, in the order that fits this user."""

from __future__ import annotations

import numpy as np

from reco_assets.candidates.sources import Candidates
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.policy.compiled import Compiled
from reco_assets.recommender.reasons import explained
from reco_assets.recommender.recommend import blend, current_history, features_of, shares_among
from reco_assets.recommender.types import Int32s, Recommendation, Request, UserState


def reranked(
    items: Int32s,
    request: Request,
    state: UserState,
    bundle: Bundle,
    now: int,
    rules: Compiled | None = None,
) -> tuple[Recommendation, ...]:
    """All of ``items``, best first; of equals, the one that stood further up stays there.

    The features and the ranker are those of :func:`.recommend`, over exactly this list. Boosts count;
    nothing is left out, because somebody has asked for these products.

    Parameters
    ----------
    items
        ``int32[n]`` distinct item rows.
    now
        UTC microseconds.
    """
    past = current_history(request, state, now)
    with bundle.scratch() as scratch:
        by_source = bundle.sources.scores(past, items, scratch)
    if bundle.ranker is not None:
        matrix = features_of(request, state, past, Candidates(items, by_source), bundle, now)
        scores = bundle.ranker.score(matrix)
    else:
        scores = blend(by_source, bundle.manifest.blend)
    if rules is not None and rules.boosts is not None:
        scores = rules.boosts.applied(items, scores)
    order = np.argsort(-scores, kind="stable")
    shares = shares_among(by_source, order)
    boosts = rules.boosts if rules is not None else None
    return explained(items[order], scores[order], shares, past, bundle, boosts=boosts)
