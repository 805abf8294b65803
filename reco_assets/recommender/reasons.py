"""Why a product is in an answer: the source that speaks for it most, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from reco_assets.candidates.covisitation import Neighbours
from reco_assets.candidates.retriever import History
from reco_assets.candidates.sources import BLEND, SOURCES
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.policy.boosts import Boosts
from reco_assets.recommender.types import Floats, Int32s, Recommendation

_NAMES: Final = tuple(SOURCES)
_WEIGHTS: Final = np.array(BLEND, np.float32)
REASONS: Final = {name: source.reason for name, source in SOURCES.items()}


def explained(
    items: Int32s,
    scores: Floats,
    shares: Floats,
    past: History,
    bundle: Bundle,
    places: Sequence[int] | None = None,
    boosts: Boosts | None = None,
) -> tuple[Recommendation, ...]:
    """Recommendations in this order; each names the source that speaks for it most.

    Parameters
    ----------
    shares
        ``float32[n, sources]``: each source's score over that source's best.
    places
        Of each in the answer; one after the other where nothing is said.
    boosts
        What may have moved them.
    """
    strengths = shares * _WEIGHTS
    strongest_source = strengths.argmax(axis=1).tolist()
    said = []
    moved = [0] * len(items) if boosts is None else boosts.which[items].tolist()
    for at, item in enumerate(items.tolist()):
        source = strongest_source[at]
        name = _NAMES[source] if strengths[at, source] > 0 else "popular"
        reason = REASONS[name]
        if "{because}" in reason:
            reason = reason.format(because=_because(item, name, past, bundle))
        elif "{category}" in reason:
            reason = reason.format(category=bundle.items.category_name(item) or "its category")
        rules = boosts.named(moved[at]) if boosts is not None and moved[at] else ()
        place = at if places is None else places[at]
        said.append(Recommendation(item, float(scores[at]), place, name, reason, rules=rules))
    return tuple(said)


def _because(item: int, source: str, past: History, bundle: Bundle) -> str:
    """Id of the product of the history that led to ``item``."""
    retriever = bundle.sources.retrievers[source]
    assert isinstance(retriever, Neighbours), "only what links two products has a product as its reason"
    row = retriever.because(item, past)
    return bundle.items.ids[row] if row >= 0 else "what was looked at"
