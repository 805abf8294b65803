"""The state of somebody nobody knows yet."""

from __future__ import annotations

from functools import cache

import numpy as np

from reco_assets.features.catalogue import USER_FEATURES
from reco_assets.recommender.types import UserState


@cache
def empty_state() -> UserState:
    """The user state of an unknown person: every feature at its default, no events."""
    features = np.array([float(feature.default or 0.0) for feature in USER_FEATURES], np.float32)
    features.flags.writeable = False
    return UserState(
        features=features,
        favorite_category=-1,
        items=np.empty(0, np.int32),
        kinds=np.empty(0, np.int8),
        times=np.empty(0, np.int64),
        bought=np.empty(0, np.int32),
    )
