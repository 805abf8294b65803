"""Feature rows as the dense vectors that models and the online store use."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from reco_assets.features.catalogue import Feature


def feature_matrix(rows: pl.DataFrame, features: tuple[Feature, ...]) -> npt.NDArray[np.float32]:
    """Columns of ``features`` as ``float32[n, f]`` in catalogue order, nulls at their defaults."""
    return np.ascontiguousarray(
        rows.select(
            pl.col(feature.name).cast(pl.Float32).fill_null(pl.lit(feature.default, pl.Float32))
            for feature in features
        ).to_numpy()
    )
