"""What the online store must hold at a moment, from the lake's tables; frames in, frames out."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import polars as pl

from reco_assets.interactions.log import LOGGED
from reco_assets.recommender.types import BOUGHT, RECENT

_KINDS: Final = [kind.name for kind in LOGGED]


def newest_features(rows: pl.LazyFrame, key: str, at: datetime) -> pl.LazyFrame:
    """The row of each ``key`` that holds at ``at``: the last one whose ``as_of_time`` is not later."""
    return rows.filter(pl.col("as_of_time") <= at).sort("as_of_time").group_by(key).agg(pl.all().last())


def recent_events(interactions: pl.LazyFrame, at: datetime) -> pl.LazyFrame:
    """The last ``RECENT`` product events of each user before ``at``, however long ago, oldest first.

    Training remembers as far back, so what the two know of a person is the same.
    """
    return (
        interactions.filter(pl.col("event_type").is_in(_KINDS) & (pl.col("timestamp") < at))
        .select("user_id", "product_id", "event_type", "timestamp", "event_id")
        .sort("user_id", "timestamp", "event_id")
        .group_by("user_id", maintain_order=True)
        .tail(RECENT)
        .drop("event_id")
    )


def bought_products(interactions: pl.LazyFrame, at: datetime) -> pl.LazyFrame:
    """The last ``BOUGHT`` distinct products that each user bought before ``at``, oldest first, as a list."""
    return (
        interactions.filter((pl.col("event_type") == "purchase") & (pl.col("timestamp") < at))
        .group_by("user_id", "product_id")
        .agg(pl.col("timestamp").max())
        .sort("user_id", "timestamp", "product_id")
        .group_by("user_id", maintain_order=True)
        .agg(pl.col("product_id").tail(BOUGHT).alias("products"))
    )
