"""The Tmall contest log of 2014: four months of 2013, to the day, brands instead of products."""

from __future__ import annotations

from typing import Final

import polars as pl

from reco_assets.events.adapters.delimited import Delimited

_TYPES: Final = {"0": "click", "1": "purchase", "2": "favorite", "3": "add_to_cart"}
_YEAR: Final = 2013


def translate(columns: pl.DataFrame) -> pl.DataFrame:
    """``6-4`` is 4 June 2013, 00:00 UTC. A row that stands there again is another event of that day."""
    # The file says 6-4, or in other copies 6月4日: the two numbers are what counts.
    month_day = pl.col("visit_datetime").str.extract_groups(r"^\s*(\d{1,2})\D(\d{1,2})\D?\s*$").struct
    padded = pl.format(f"{_YEAR}-{{}}-{{}}", month_day["1"].str.zfill(2), month_day["2"].str.zfill(2))
    return columns.select(
        "user_id",
        pl.col("brand_id").alias("product_id"),
        pl.col("type").replace(_TYPES).alias("event_type"),
        pl.coalesce(padded, "visit_datetime").alias("timestamp"),
    )


ADAPTER: Final = Delimited(
    name="tmall2014",
    required=("user_id", "brand_id", "type", "visit_datetime"),
    translate=translate,
    observes_prices=False,
)
