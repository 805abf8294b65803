"""How likely each place of an answer is to be looked at: position bias, harvested from the impressions.

Source: Agarwal, Zaitsev, Wang, Li, Najork, Joachims, "Estimating position bias without intrusive
interventions", 2019.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: Places beyond this one are taken for this one.
PLACES: Final = 20
#: Clicks that each two neighbouring places are given beforehand, half of them each: what few clicks
#: say is drawn to "no bias".
PRIOR_CLICKS: Final = 20.0
#: An impression counts this many times at the most, whatever its place.
CLIP: Final = 10.0
ITERATIONS: Final = 500


def examination(group: Int64s, place: Int64s, clicked: Bools, places: int = PLACES) -> Numbers:
    """Propensities ``float64[places]`` of a place to be examined, the first being 1.

    A product that one person was shown at two places is as good at the one as at the other, so that the
    clicks it got there stand to each other as the places do. Each pair of places is compared on the
    products that were shown at both, each weighed so that both places had as many impressions of it; the
    clicks are then matches that one of two places won, and the propensities what Bradley and Terry's
    model says of the places' strengths. Where nothing was shown at two places, all are 1.

    Parameters
    ----------
    group
        ``int64[n]``: what is equally good wherever it stands, e.g. a person and a product.
    place
        ``int64[n]`` from 0.
    clicked
        ``bool[n]``.
    """
    wins = _wins(group, np.minimum(place, places - 1), clicked, places)
    beside = np.eye(places, k=1) + np.eye(places, k=-1)
    wins = wins + beside * PRIOR_CLICKS / 2
    matches = wins + wins.T
    strength = np.ones(places)
    for _ in range(ITERATIONS):
        # Hunter's minorisation-maximisation (2004), which always converges
        strength = wins.sum(axis=1) / np.sum(matches / (strength[:, None] + strength[None, :]), axis=1)
        strength /= strength[0]
    return strength


def weights(examined: Numbers, place: Int64s) -> Numbers:
    """Inverse propensities of clicks at ``place``, at the most ``CLIP``."""
    at = np.minimum(place, len(examined) - 1)
    found: Numbers = np.minimum(1.0 / np.maximum(examined[at], 1e-9), CLIP)
    return found


def _wins(group: Int64s, place: Int64s, clicked: Bools, places: int) -> Numbers:
    """``float64[places, places]``: balanced clicks at the one place of what was shown at the other too."""
    cell, inverse = np.unique(group * places + place, return_inverse=True)
    shown = np.bincount(inverse, minlength=len(cell)).astype(np.float64)
    clicks = np.bincount(inverse, clicked, len(cell))
    owner, at = cell // places, cell % places
    wins = np.zeros((places, places))
    # cells of one group stand together: each is held against those a few rows further
    for apart in range(1, places):
        one, other = np.arange(len(cell) - apart), np.arange(apart, len(cell))
        same = owner[one] == owner[other]
        if not same.any():
            break
        one, other = one[same], other[same]
        balanced = np.minimum(shown[one], shown[other])
        np.add.at(wins, (at[one], at[other]), clicks[one] / shown[one] * balanced)
        np.add.at(wins, (at[other], at[one]), clicks[other] / shown[other] * balanced)
    return wins
