"""What was ranked for one request, and the answer that promotions are put into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reco_assets.recommender.policy.promotions import PROMOTED, Promoted
from reco_assets.recommender.types import Floats, Int32s, Recommendation


@dataclass(frozen=True)
class Ranked:
    """Products of one request, best first.

    Attributes
    ----------
    items, scores
        ``int32[m]`` item rows and ``float32[m]`` scores.
    by_source
        ``float32[m, sources]``: every source's score.
    """

    items: Int32s
    scores: Floats
    by_source: Floats

    def followed_by(self, more: Int32s) -> Ranked:
        """With the products ``more`` behind, of which no source has said anything."""
        lowest = self.scores.min(initial=np.float32(0.0))
        silent = np.zeros((len(more), self.by_source.shape[1]), np.float32)
        return Ranked(
            np.concatenate([self.items, more]),
            np.concatenate([self.scores, np.full(len(more), lowest, np.float32)]),
            np.concatenate([self.by_source, silent]),
        )


def interleaved(
    organic: Sequence[Recommendation], placed: Sequence[Promoted], items: Int32s, scores: Floats
) -> tuple[Recommendation, ...]:
    """``organic`` with the promoted products at their places; ``items`` and ``scores`` are what was ranked.

    A promoted product has its own score where it was ranked, else the lowest.
    """
    lowest = float(scores.min(initial=np.float32(0.0)))
    at = {one.place: one for one in placed}
    rest = iter(organic)
    answer = []
    for place in range(len(organic) + len(placed)):
        if place in at:
            new = at[place]
            ranked = np.flatnonzero(items == new.item)
            score = float(scores[ranked[0]]) if len(ranked) else lowest
            reason = f"part of {new.campaign}"
            answer.append(Recommendation(new.item, score, place, PROMOTED, reason, campaign=new.campaign))
        else:
            one = next(rest)
            answer.append(Recommendation(one.item, one.score, place, one.source, one.reason))
    return tuple(answer)
