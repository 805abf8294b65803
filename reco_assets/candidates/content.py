"""Item to item by what the catalogue says: title words, category and brand."""

from __future__ import annotations

from typing import ClassVar, Final, Self

import numba
import numpy as np
import polars as pl

from reco_assets.candidates.covisitation import Neighbours
from reco_assets.candidates.fit_kernels import shared_tokens
from reco_assets.candidates.retriever import Int32s, Int64s
from reco_assets.catalogue.items import ItemTable
from reco_assets.interactions.log import InteractionLog

#: A token that more products share says too little and costs too much.
MOST_PRODUCTS: Final = 2000


class ContentNeighbours(Neighbours):
    """Products alike in words; finds new products that nobody has touched yet.

    Cost: products x tokens x at most ``MOST_PRODUCTS`` to learn, nothing an event; 30 additions for each
    event of the history to answer. Memory: 248 bytes a product.
    """

    name: ClassVar[str] = "content"
    blend: ClassVar[float] = 2.0
    similar: ClassVar[float] = 0.5
    reason: ClassVar[str] = "similar to {because}"

    @classmethod
    def fit(cls, log: InteractionLog, items: ItemTable, now: int) -> Self:
        """Cosine of TF-IDF over title words, category path and brand."""
        n = len(items)
        # a product that is not in the shop yet must not be found
        pairs = _tokens(items).filter(pl.lit(pl.Series(items.first_seen)).gather(pl.col("item")) < now)
        frequency = pairs.group_by("token").len("df").filter(pl.col("df").is_between(2, MOST_PRODUCTS))
        pairs = pairs.join(frequency, on="token", how="inner").with_columns(
            code=pl.col("token").rank("dense").cast(pl.Int32) - 1,
            weight=(np.log(n + 1.0) - pl.col("df").cast(pl.Float64).log()),
        )
        pairs = pairs.with_columns(
            weight=(pl.col("weight") / (pl.col("weight") ** 2).sum().over("item").sqrt()).cast(pl.Float32)
        )
        forward = pairs.sort("item", "code")
        inverse = pairs.sort("code", "item")
        count = frequency.height
        return cls.of_lists(
            *shared_tokens(
                _pointers(forward["item"].to_numpy(), n),
                forward["code"].to_numpy(),
                forward["weight"].to_numpy(),
                _pointers(inverse["code"].to_numpy(), count),
                inverse["item"].to_numpy(),
                inverse["weight"].to_numpy(),
                30,
                numba.get_num_threads(),
            )
        )


def _pointers(sorted_rows: Int32s, n: int) -> Int64s:
    return np.searchsorted(sorted_rows, np.arange(n + 1)).astype(np.int64)


def _tokens(items: ItemTable) -> pl.DataFrame:
    rows = pl.DataFrame(
        {
            "item": np.arange(len(items), dtype=np.int32),
            "title": pl.Series(items.titles.tolist(), dtype=pl.String),
            "category": items.category,
            "brand": items.brand,
        }
    )
    words = rows.select(
        "item", pl.col("title").str.to_lowercase().str.extract_all(r"[\p{L}\p{N}]{2,}").alias("token")
    ).explode("token")
    category = rows.filter(pl.col("category") >= 0).select(
        "item", token=pl.concat_str(pl.lit("category:"), pl.col("category").cast(pl.String))
    )
    brand = rows.filter(pl.col("brand") >= 0).select(
        "item", token=pl.concat_str(pl.lit("brand:"), pl.col("brand").cast(pl.String))
    )
    return pl.concat([words, category, brand]).drop_nulls("token").unique()
