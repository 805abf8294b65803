"""Tiny interaction logs: ``log(("u1", "p3", "click", 10), ...)``, times in seconds."""

from __future__ import annotations

import numpy as np
import polars as pl

from reco_assets.events.contract import EventType
from reco_assets.interactions.log import InteractionLog

SECOND = 1_000_000


def log(*events: tuple[int, int, str, int], n_items: int = 10) -> InteractionLog:
    """A log of ``(user row, item row, event type, second)``."""
    rows = sorted(events, key=lambda event: (event[0], event[3]))
    return InteractionLog(
        user=np.array([event[0] for event in rows], np.int32),
        item=np.array([event[1] for event in rows], np.int32),
        kind=np.array([EventType[event[2]] for event in rows], np.int8),
        time=np.array([event[3] * SECOND for event in rows], np.int64),
        user_ids=pl.Series([f"u{user}" for user in range(max((event[0] for event in rows), default=-1) + 1)]),
        n_items=n_items,
    )
