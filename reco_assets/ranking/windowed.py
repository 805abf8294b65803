"""Windowed features through a shop's history, asked of the engine by their one definition."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import cast

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from reco_assets.catalogue.items import ItemTable
from reco_assets.features.catalogue import PRODUCT_FEATURES
from reco_assets.features.pipeline import point_in_time_product_features, point_in_time_user_features
from reco_assets.interactions.history import ShopHistory
from reco_assets.platform.engine import Engine
from reco_assets.platform.lake import Lake
from reco_assets.ranking.decisions import Decisions
from reco_assets.ranking.split import DAY_US, WINDOW_US
from reco_assets.ranking.timeline import ProductTimeline, UserTimeline

#: A window's value is known this long after its end.
WATERMARK_US = 10_000_000
_TIME = pl.Datetime("us", "UTC")


def user_timeline(engine: Engine, history: ShopHistory, decisions: Decisions) -> UserTimeline:
    """Windowed user features at each decision, from the tiles, by their one definition."""
    points = pl.DataFrame(
        {
            "user_id": history.log.user_ids.gather(decisions.user),
            "as_of": pl.Series(decisions.time).cast(_TIME),
        }
    )
    rows = _frame(point_in_time_user_features(engine, points.unique(maintain_order=True).to_arrow()))
    return UserTimeline.of_rows(rows, points, history.items)


def product_timeline(
    engine: Engine, lake: Lake, history: ShopHistory, first: int, last: int
) -> ProductTimeline:
    """Every change of a product's windowed features in ``[first, last)``.

    A value changes when a window of the product closes, when the catalogue says something else of it,
    and for all products at the start and when a day passes (a day enters and a day leaves the horizons).
    """
    low, high = _day(first), _day(last)
    changed = (
        lake.scan("gold/product_windows")
        .filter(pl.col("event_date").is_between(low, high))
        .select(
            "product_id",
            as_of=(pl.col("window_start").dt.timestamp("us") + WINDOW_US + WATERMARK_US),
        )
        .filter(pl.col("as_of").is_between(first, last))
        .collect()
    )
    told = [
        lake.scan("silver/products")
        .select("product_id", as_of=pl.col(column).dt.timestamp("us"))
        .filter(pl.col("as_of").is_between(first, last))
        .collect()
        for column in ("valid_from", "valid_to")
    ]
    marks = [first, *range((first // DAY_US + 1) * DAY_US + WATERMARK_US, last, DAY_US)]
    everywhere = pl.DataFrame({"product_id": history.items.ids.tolist()}).join(
        pl.DataFrame({"as_of": marks}, schema={"as_of": pl.Int64}), how="cross"
    )
    points = pl.concat([changed, *told, everywhere]).unique().with_columns(pl.col("as_of").cast(_TIME))
    rows = _frame(point_in_time_product_features(engine, points.to_arrow()))
    return ProductTimeline.of_rows(rows, history.items)


def product_matrix(engine: Engine, items: ItemTable, at: int) -> npt.NDArray[np.float32]:
    """Product features of every item as of ``at``, ``float32[n_items, len(PRODUCT_FEATURES)]``."""
    points = pl.DataFrame({"product_id": items.ids.tolist()}).with_columns(as_of=pl.lit(at).cast(_TIME))
    rows = _frame(point_in_time_product_features(engine, points.to_arrow()))
    timeline = ProductTimeline.of_rows(rows, items)
    matrix = blank_matrix(items)
    matrix[timeline.item] = timeline.values
    return matrix


def blank_matrix(items: ItemTable) -> npt.NDArray[np.float32]:
    """Every product feature at its default."""
    defaults = [float(cast("float", feature.default)) for feature in PRODUCT_FEATURES]
    return np.tile(np.array(defaults, np.float32), (len(items), 1))


def _frame(table: pa.Table) -> pl.DataFrame:
    return cast("pl.DataFrame", pl.from_arrow(table))


def _day(time: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)).date()
