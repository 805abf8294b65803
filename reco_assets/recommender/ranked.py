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
    organic: Sequence[Recommendation], placed: Sequence[Promoted], ranked: Ranked
) -> tuple[Recommendation, ...]:
    """The answer of ``organic`` and the promoted products, in the order of their places.

    A promoted product has its own score where it was ranked, else the lowest.
    """
    answer = list(organic)
    for one in placed:  # by place, so each finds what stands before it
        own = np.flatnonzero(ranked.items == one.item)
        score = float(ranked.scores[own[0]] if len(own) else ranked.scores.min(initial=np.float32(0.0)))
        reason = f"part of {one.campaign}"
        shown = Recommendation(one.item, score, one.place, PROMOTED, reason, campaign=one.campaign)
        answer.insert(one.place, shown)
    return tuple(answer)
