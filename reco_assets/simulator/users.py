"""Users of the simulated shop: taste, interests, activity, segment, country."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reco_assets.simulator import vocabulary
from reco_assets.simulator.latent import TASTES, Floats, Int32s, identifiers, normal, unit
from reco_assets.simulator.parameters import Parameters

#: Categories that a user comes for; others are met by following products.
INTERESTS: Final = 6
_BLOCK: Final = 65_536


@dataclass(frozen=True)
class Users:
    """Rows of users.

    Attributes
    ----------
    ids
        ``string[n]``.
    vectors
        ``float32[n, DIMENSIONS]``.
    activity
        ``float64[n]``, relative number of sessions: log-normal, heavy-tailed.
    joined
        ``int32[n]``, first day.
    interests, interest_ends
        ``int32[n, INTERESTS]`` leaves and ``float32[n, INTERESTS]`` cumulative probabilities.
    segment, country, source
        ``int8[n]`` rows of the vocabulary's tables.
    """

    ids: pa.StringArray
    vectors: Floats
    activity: npt.NDArray[np.float64]
    joined: Int32s
    interests: Int32s
    interest_ends: Floats
    segment: npt.NDArray[np.int8]
    country: npt.NDArray[np.int8]
    source: npt.NDArray[np.int8]


def draw_users(random: np.random.Generator, parameters: Parameters, centres: Floats) -> Users:
    """Users whose tastes are mixtures of two of a few dozen types of people."""
    count = parameters.users
    segments = vocabulary.SEGMENTS
    segment = random.choice(len(segments), count, p=[one.share for one in segments])
    # A taste is a mixture of two of a few dozen types of people, so that users resemble one another.
    kinds = unit(normal(random, 24, TASTES))
    mixed = kinds[random.integers(0, 24, count)] + 0.7 * kinds[random.integers(0, 24, count)]
    taste = unit(mixed + 0.25 * normal(random, count, TASTES))
    aversion = np.array([one.price_aversion for one in segments], np.float32)[segment]
    vectors = np.column_stack([parameters.taste * taste, np.ones(count), -2 * aversion])
    interests, ends = _interests(random, parameters.taste * taste, centres)
    joined = np.where(
        random.random(count) < parameters.new_users, random.integers(0, parameters.days, count), 0
    ).astype(np.int32)
    joined[0] = 0  # somebody is there on the first day
    countries = [share for _, share, _ in vocabulary.COUNTRIES]
    return Users(
        ids=identifiers("u", random.permutation(count) + 1),
        vectors=np.ascontiguousarray(vectors, np.float32),
        activity=np.minimum(np.exp(1.1 * random.standard_normal(count)), 25.0),
        joined=joined,
        interests=interests,
        interest_ends=ends,
        segment=segment.astype(np.int8),
        country=random.choice(len(countries), count, p=countries).astype(np.int8),
        source=random.choice(5, count, p=[share for _, share in vocabulary.SOURCES]).astype(np.int8),
    )


def _interests(random: np.random.Generator, taste: Floats, centres: Floats) -> tuple[Int32s, Floats]:
    """Leaves that each user comes for, drawn without replacement by exp(affinity), and their shares."""
    count = min(INTERESTS, len(centres))
    interests = np.empty((len(taste), count), np.int32)
    ends = np.empty((len(taste), count), np.float32)
    fame = 0.5 * normal(random, len(centres))
    for first in range(0, len(taste), _BLOCK):
        block = slice(first, first + _BLOCK)
        affinity = taste[block] @ centres.T + fame
        noise = -np.log(random.standard_exponential(affinity.shape, dtype=np.float32) + 1e-30)
        chosen = np.argpartition(affinity + noise, -count, axis=1)[:, -count:]
        weight = np.exp(np.take_along_axis(affinity, chosen, axis=1))
        order = np.argsort(-weight, axis=1)
        interests[block] = np.take_along_axis(chosen, order, axis=1)
        ends[block] = np.cumsum(np.take_along_axis(weight / weight.sum(axis=1, keepdims=True), order, 1), 1)
    return interests, ends
