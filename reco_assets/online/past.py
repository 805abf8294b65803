"""A user's past as the online store keeps it: the last product events, and the products bought.

Events of one user at one moment are in the order of the product's key, then of the event's kind, here
as in training: that is all a packed value says of them, so nothing else can decide.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

import numpy as np
import polars as pl

from reco_assets.catalogue.items import product_keys
from reco_assets.events.contract import EventType
from reco_assets.interactions.log import LOGGED
from reco_assets.platform.follow import rows_by_day
from reco_assets.platform.lake import PARTITIONS, Lake
from reco_assets.platform.run_layout import Layout
from reco_assets.platform.runs import Runs
from reco_assets.recommender.types import BOUGHT, RECENT

_TABLE: Final = "silver/interactions"
_READS: Final = ("user_id", "event_date", "event_type", "product_id", "timestamp")
_ORDER: Final = ("user_id", "at", "product", "kind")
_BOUGHT: Final = pl.col("kind") == int(EventType.purchase)
#: With more rows than this in memory, those that the online store does not keep are looked for.
_MANY: Final = 16_000_000
#: A past row: who, on which day, the product's key, the event's kind and its time (UTC microseconds).
SCHEMA: Final[dict[str, pl.DataType]] = {
    "user_id": pl.String(),
    "event_date": pl.Date(),
    "at": pl.Int64(),
    "product": pl.Int64(),
    "kind": pl.Int64(),
}


class Past(Protocol):
    """Finds the past of users."""

    def of(self, users: pl.Series | None) -> pl.DataFrame:
        """Rows of ``SCHEMA`` that hold the last ``RECENT`` events and the last ``BOUGHT`` products.

        Of ``users``, distinct; of everybody where that is None. There may be more rows than needed.
        """


class LakePast(Past):
    """Reads ``silver/interactions`` day by day, in bounded memory."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def of(self, users: pl.Series | None) -> pl.DataFrame:
        """Go through all days, from the newest back."""
        table, latest = self._lake.open(_TABLE), Latest()
        for day in sorted(rows_by_day(table, PARTITIONS[_TABLE]), reverse=True):
            rows = pl.scan_delta(table).filter(pl.col("event_date") == day)
            if users is not None:
                rows = rows.filter(pl.col("user_id").is_in(users.implode()))
            latest.add(prepared(rows.select(_READS)).collect())
        return latest.rows()


class IndexedPast(Past):
    """Asks an index in ``folder`` that follows ``silver/interactions``."""

    def __init__(self, lake: Lake, folder: Path) -> None:
        self._lake = lake
        self._runs = Runs(lake, LAYOUT, folder / "silver-interactions")
        self.rows_read = 0

    def follow(self) -> int:
        """Bring the index up to the table; how many rows were read."""
        return self._runs.follow()

    def of(self, users: pl.Series | None) -> pl.DataFrame:
        """Look the users up; everybody is read from the lake."""
        if users is None:
            return LakePast(self._lake).of(None)
        self.follow()
        found = self._runs.find(users).select(list(SCHEMA))
        self.rows_read += found.height
        return found


def prepared(interactions: pl.LazyFrame) -> pl.LazyFrame:
    """Product events of ``silver/interactions`` (``_READS``) as past rows."""
    kinds = [kind.name for kind in LOGGED]
    rows = interactions.filter(pl.col("event_type").is_in(kinds) & pl.col("product_id").is_not_null())
    return rows.select(
        "user_id",
        "event_date",
        pl.col("timestamp").dt.timestamp("us").alias("at"),
        pl.col("product_id").map_batches(keys_of, return_dtype=pl.Int64).alias("product"),
        pl.col("event_type")
        .replace_strict(kinds, [int(kind) for kind in LOGGED], return_dtype=pl.Int64)
        .alias("kind"),
    )


class Latest:
    """Gathers past rows from the newest day back, without what is too old for the online store.

    Most people's last ``RECENT`` events are of a few days: of all days before only purchases count.
    """

    def __init__(self) -> None:
        self._kept = pl.DataFrame(schema=SCHEMA)
        self._counted = pl.DataFrame(schema={"user_id": pl.String, "len": pl.UInt32})
        self._most = _MANY

    def add(self, rows: pl.DataFrame) -> None:
        """Take in ``rows``, all of them of earlier days than those before."""
        full = self._counted.filter(pl.col("len") >= RECENT)["user_id"]
        rows = rows.filter(_BOUGHT | ~pl.col("user_id").is_in(full.implode())).select(list(SCHEMA))
        counts = pl.concat([self._counted, rows.group_by("user_id").len()])
        self._counted = counts.group_by("user_id").agg(pl.col("len").sum())
        self._kept = pl.concat([self._kept, rows])
        if self._kept.height > self._most:
            self._kept = condensed(self._kept)
            self._most = max(_MANY, 2 * self._kept.height)

    def rows(self) -> pl.DataFrame:
        """Those that hold what the online store keeps of everybody."""
        return self._kept


def condensed(rows: pl.DataFrame) -> pl.DataFrame:
    """Those of past ``rows`` that the online store keeps, and no more than twice as many."""
    ordered = rows.sort(_ORDER)
    recent = ordered.group_by("user_id", maintain_order=True).tail(RECENT)
    bought = _bought(ordered)
    older = bought.join(recent.unique(_ORDER), on=_ORDER, how="anti")
    return pl.concat([recent, older.select(recent.columns)])


def recent_events(rows: pl.DataFrame) -> pl.DataFrame:
    """The last ``RECENT`` events of each user, oldest first: user_id, product_key, kind, at.

    However long ago they were: training remembers as far back, so what the two know of a person is the same.
    """
    last = rows.sort(_ORDER).group_by("user_id", maintain_order=True).tail(RECENT)
    return last.select(
        "user_id", pl.col("product").cast(pl.UInt64).alias("product_key"), pl.col("kind").cast(pl.Int8), "at"
    )


def bought_products(rows: pl.DataFrame) -> pl.DataFrame:
    """Keys of the last ``BOUGHT`` distinct products that each user bought, oldest first, as a list."""
    bought = _bought(rows.filter(_BOUGHT).sort(_ORDER)).sort(_ORDER)
    return bought.group_by("user_id", maintain_order=True).agg(
        pl.col("product").cast(pl.UInt64).alias("products")
    )


def keys_of(products: pl.Series) -> pl.Series:
    """48-bit keys of product ids; each distinct id is hashed once."""
    distinct = products.unique().drop_nulls()
    keys = pl.Series(product_keys(distinct.to_list()).astype(np.int64), dtype=pl.Int64)
    return products.replace_strict(distinct, keys, default=None, return_dtype=pl.Int64)


def _bought(ordered: pl.DataFrame) -> pl.DataFrame:
    """The latest purchase of each product, of the last ``BOUGHT`` products of each user."""
    distinct = ordered.filter(_BOUGHT).unique(["user_id", "product"], keep="last", maintain_order=True)
    return distinct.group_by("user_id", maintain_order=True).tail(BOUGHT)


#: What is indexed of the interactions.
LAYOUT: Final = Layout(
    _TABLE, "user_id", ("at", "product", "kind"), reads=_READS, prepare=prepared, condense=Latest
)
