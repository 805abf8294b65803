"""How often each product was shown by the service and clicked there, as arrays over the item table."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from reco_assets.catalogue.items import ItemTable

Numbers = npt.NDArray[np.float64]

#: How far back impressions say something of today.
HORIZON: Final = timedelta(days=30)
_TIME: Final = pl.Datetime("us", "UTC")


def exposure(impressions: pl.LazyFrame, items: ItemTable, now: int) -> tuple[Numbers, Numbers]:
    """``(shown, clicked)``, ``float64[n_items]`` each, of the ``HORIZON`` before ``now`` (UTC microseconds).

    Parameters
    ----------
    impressions
        Rows of ``gold/impressions``.
    """
    end = pl.lit(now).cast(_TIME)
    counts = (
        impressions.filter((pl.col("shown_at") < end) & (pl.col("shown_at") >= end - HORIZON))
        .group_by("product_id")
        .agg(shown=pl.len(), clicked=pl.col("clicked").sum())
        .collect()
    )
    rows = pl.DataFrame({"product_id": items.ids.tolist()}, schema={"product_id": pl.String})
    told = rows.join(counts, on="product_id", how="left", maintain_order="left").fill_null(0)
    return told["shown"].to_numpy().astype(np.float64), told["clicked"].to_numpy().astype(np.float64)
