"""Features at a moment, asked of a small shop given by its events."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

import polars as pl

from reco_assets.features import pipeline, windows
from reco_assets.features.products import product_features
from reco_assets.features.users import user_features
from reco_assets.interactions import silver
from reco_assets.interactions.pipeline import build_interactions
from reco_assets.platform.engine import Engine
from tests.builders import Event, events, moment
from tests.features.lakes import Product, deliver, products, raw, stock


def open_shop(engine: Engine, rows: Iterable[Event], shelf: Iterable[Product] = ()) -> tuple[date, date]:
    """Interactions, tiles and days of ``rows``; the first and the last day."""
    table = events(*rows)
    stock(engine, *shelf)
    deliver(engine, table)
    days = table["timestamp"].dt.date()
    first, last = days.min(), days.max()
    assert isinstance(first, date)
    assert isinstance(last, date)
    build_interactions(engine, first, last)
    for name in (*pipeline.TILES, *pipeline.ROLLUPS):
        pipeline.BUILDS[name](engine, first, last)
    return first, last


def users_at(engine: Engine, *points: tuple[str, str]) -> list[dict[str, object]]:
    """User features at ``(user, time)`` points, in their order."""
    asked = _points("user_id", points)
    found = pl.DataFrame(pipeline.point_in_time_user_features(engine, asked.to_arrow()))
    return asked.join(found, on=["user_id", "as_of"], how="left", maintain_order="left").to_dicts()


def products_at(engine: Engine, *points: tuple[str, str]) -> list[dict[str, object]]:
    """Product features at ``(product, time)`` points, in their order."""
    asked = _points("product_id", points)
    found = pl.DataFrame(pipeline.point_in_time_product_features(engine, asked.to_arrow()))
    return asked.join(found, on=["product_id", "as_of"], how="left", maintain_order="left").to_dicts()


def features_in_memory(
    engine: Engine, rows: Iterable[Event], shelf: Iterable[Product], users: list[str], times: list[datetime]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """User features of ``users`` and product features of ``shelf`` at all ``times``, by expressions alone."""
    stocked = engine.arrow(products(*shelf).to_arrow())
    delivered = engine.arrow(raw(events(*rows)).select(silver.RAW_COLUMNS).to_arrow())
    history, repeated = silver.category_history(stocked), silver.repeated_ids(engine, delivered)
    seen = engine.arrow(engine.to_arrow(silver.interactions(delivered, repeated, history)))
    tiles, tastes, shown = (
        engine.arrow(engine.to_arrow(table(seen)))
        for table in (windows.user_windows, windows.user_category_windows, windows.product_windows)
    )
    by_user = _points("user_id", [(user, at.isoformat()) for user in users for at in times])
    names = {str(row["product_id"]) for row in shelf}
    by_product = _points("product_id", [(name, at.isoformat()) for name in names for at in times])
    found_users = user_features(
        engine.arrow(by_user.to_arrow()),
        windows.days(tiles, ("user_id",)),
        windows.days(tastes, ("user_id", "category")),
        tiles,
        tastes,
    )
    found_products = product_features(
        engine.arrow(by_product.to_arrow()), windows.days(shown, ("product_id",)), stocked, shown
    )
    return pl.DataFrame(engine.to_arrow(found_users)), pl.DataFrame(engine.to_arrow(found_products))


def _points(key: str, points: Iterable[tuple[str, str]]) -> pl.DataFrame:
    rows = [(name, moment(at)) for name, at in points]
    return pl.DataFrame(rows, schema={key: pl.String(), "as_of": pl.Datetime("us", "UTC")}, orient="row")
