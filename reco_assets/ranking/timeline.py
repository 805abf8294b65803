"""Windowed features through time: what the online store would have held at each decision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from reco_assets.catalogue.items import ItemTable
from reco_assets.features.catalogue import PRODUCT_FEATURES, USER_FEATURES
from reco_assets.features.matrix import feature_matrix

Floats = npt.NDArray[np.float32]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ProductTimeline:
    """Changes of product features in the order of time.

    Attributes
    ----------
    time
        ``int64[k]`` UTC microseconds at which a change becomes known (its window closed).
    item
        ``int32[k]`` item rows.
    values
        ``float32[k, len(PRODUCT_FEATURES)]``.
    """

    time: Int64s
    item: Int32s
    values: Floats

    @classmethod
    def of_rows(cls, rows: pl.DataFrame, items: ItemTable) -> ProductTimeline:
        """From rows of product features (product_id, as_of, the features); unknown products are left out."""
        codes = pl.DataFrame(
            {"product_id": items.ids.tolist(), "item": np.arange(len(items), dtype=np.int32)}
        )
        known = rows.join(codes, on="product_id", how="inner").sort("as_of", "item")
        return cls(
            known["as_of"].dt.timestamp("us").to_numpy().astype(np.int64),
            known["item"].to_numpy(),
            feature_matrix(known, PRODUCT_FEATURES),
        )

    def replay(self, matrix: Floats, times: Int64s) -> Iterator[tuple[Int32s, Floats]]:
        """For each of ``times`` (rising): the changes since the one before, also put into ``matrix``."""
        begin = 0
        for time in times.tolist():
            end = int(np.searchsorted(self.time, time, side="right"))
            changed = slice(begin, end)
            matrix[self.item[changed]] = self.values[changed]
            begin = end
            yield self.item[changed], self.values[changed]


@dataclass(frozen=True)
class UserTimeline:
    """User features at decisions: one row a decision."""

    values: Floats
    favorite_category: Int32s

    @classmethod
    def of_rows(cls, rows: pl.DataFrame, decisions: pl.DataFrame, items: ItemTable) -> UserTimeline:
        """From rows of user features (user_id, as_of, the features) at ``decisions`` (user_id, as_of)."""
        at = decisions.join(rows, on=["user_id", "as_of"], how="left", maintain_order="left")
        codes = pl.DataFrame(
            {
                "favorite_category": items.category_names.tolist(),
                "code": np.arange(len(items.category_names), dtype=np.int32),
            },
            schema={"favorite_category": pl.String, "code": pl.Int32},
        )
        favorite = at.select("favorite_category").join(
            codes, on="favorite_category", how="left", maintain_order="left"
        )
        return cls(feature_matrix(at, USER_FEATURES), favorite["code"].fill_null(-1).to_numpy())
