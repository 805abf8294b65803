"""What the online store must hold at a moment, from the lake's tables."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import polars as pl

from reco_assets.features.history import IN_LAKE, History
from reco_assets.features.pipeline import HORIZON, point_in_time_product_features, point_in_time_user_features
from reco_assets.features.windows import WATERMARK_US
from reco_assets.platform.engine import Engine
from reco_assets.platform.lake import Lake


def moment_of(lake: Lake, now: datetime) -> datetime:
    """The moment that the online store is made for: ``now``, where the shop is alive.

    A history whose last day is further back than the horizon, one that is only tried out, is taken as
    of the end of that day: by now all its windows have passed, and nobody would have any features.
    """
    span = lake.span("silver/interactions")
    if span is None or span[1] + HORIZON + timedelta(days=1) >= now.date():
        return now
    midnight = datetime.combine(span[1] + timedelta(days=1), time(), UTC)
    return midnight + timedelta(microseconds=WATERMARK_US)


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


def user_rows(engine: Engine, users: pl.Series, at: datetime, past: History = IN_LAKE) -> pl.DataFrame:
    """Windowed features of ``users`` at ``at``, one row each."""
    points = _points("user_id", users, at)
    return pl.DataFrame(point_in_time_user_features(engine, points.to_arrow(), past))


def product_rows(engine: Engine, products: pl.Series, at: datetime, past: History = IN_LAKE) -> pl.DataFrame:
    """Windowed features and attributes of ``products`` at ``at``, one row each."""
    points = _points("product_id", products, at)
    return pl.DataFrame(point_in_time_product_features(engine, points.to_arrow(), past))


def _points(key: str, ids: pl.Series, at: datetime) -> pl.DataFrame:
    return pl.DataFrame({key: ids}).with_columns(as_of=pl.lit(at).cast(pl.Datetime("us", "UTC")))
