"""The multi-category shop log that REES46 publishes: views, carts and purchases to the second."""

from __future__ import annotations

from typing import Final

import polars as pl

from reco_assets.events.adapters.delimited import Delimited

_TYPES: Final = {
    "view": "click",
    "cart": "add_to_cart",
    "purchase": "purchase",
    "remove_from_cart": "remove_from_cart",
}


def translate(columns: pl.DataFrame) -> pl.DataFrame:
    """``electronics.smartphone`` is the path ``electronics > smartphone``; without a code the id names it."""
    code = pl.col("category_code").str.replace_all(".", " > ", literal=True)
    return columns.select(
        pl.col("event_type").replace(_TYPES),
        pl.col("event_time").alias("timestamp"),
        "user_id",
        pl.col("user_session").alias("session_id"),
        "product_id",
        "price",
        pl.coalesce(code, "category_id").alias("category"),
        "brand",
    )


ADAPTER: Final = Delimited(
    name="rees46",
    required=(
        "event_time",
        "event_type",
        "product_id",
        "category_id",
        "category_code",
        "brand",
        "price",
        "user_id",
        "user_session",
    ),
    translate=translate,
    observes_prices=True,
)
