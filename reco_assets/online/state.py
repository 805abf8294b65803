"""What the online store must hold at a moment, from the lake's tables."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import polars as pl

from reco_assets.features.pipeline import point_in_time_product_features, point_in_time_user_features
from reco_assets.interactions.log import LOGGED
from reco_assets.platform.engine import Engine
from reco_assets.recommender.types import BOUGHT, RECENT

_KINDS: Final = [kind.name for kind in LOGGED]


def known_users(interactions: pl.LazyFrame) -> pl.Series:
    """Everybody who has done anything: an impression alone is what the shop did."""
    return (
        interactions.filter(pl.col("event_type") != "impression")
        .select(pl.col("user_id").unique())
        .collect(engine="streaming")["user_id"]
    )


def known_products(interactions: pl.LazyFrame, products: pl.LazyFrame) -> pl.Series:
    """Every product that the catalogue or an event names."""
    return (
        pl.concat([interactions.select("product_id"), products.select("product_id")])
        .drop_nulls()
        .unique()
        .collect(engine="streaming")["product_id"]
    )


def user_rows(engine: Engine, users: pl.Series, at: datetime) -> pl.DataFrame:
    """Windowed features of ``users`` at ``at``, one row each."""
    return pl.DataFrame(point_in_time_user_features(engine, _points("user_id", users, at).to_arrow()))


def product_rows(engine: Engine, products: pl.Series, at: datetime) -> pl.DataFrame:
    """Windowed features and attributes of ``products`` at ``at``, one row each."""
    return pl.DataFrame(
        point_in_time_product_features(engine, _points("product_id", products, at).to_arrow())
    )


def recent_events(interactions: pl.LazyFrame) -> pl.LazyFrame:
    """The last ``RECENT`` product events of each user, however long ago, oldest first.

    Training remembers as far back, so what the two know of a person is the same.
    """
    return (
        interactions.filter(pl.col("event_type").is_in(_KINDS) & pl.col("product_id").is_not_null())
        .select("user_id", "product_id", "event_type", "timestamp", "event_id")
        .sort("user_id", "timestamp", "event_id")
        .group_by("user_id", maintain_order=True)
        .tail(RECENT)
        .drop("event_id")
    )


def bought_products(interactions: pl.LazyFrame) -> pl.LazyFrame:
    """The last ``BOUGHT`` distinct products that each user bought, oldest first, as a list."""
    return (
        interactions.filter((pl.col("event_type") == "purchase") & pl.col("product_id").is_not_null())
        .group_by("user_id", "product_id")
        .agg(pl.col("timestamp").max())
        .sort("user_id", "timestamp", "product_id")
        .group_by("user_id", maintain_order=True)
        .agg(pl.col("product_id").tail(BOUGHT).alias("products"))
    )


def _points(key: str, ids: pl.Series, at: datetime) -> pl.DataFrame:
    return pl.DataFrame({key: ids}).with_columns(as_of=pl.lit(at).cast(pl.Datetime("us", "UTC")))
