"""What a delivery says of products and of users, next to its events; read by the catalogue."""

from __future__ import annotations

from typing import Final

import polars as pl

_TIME = pl.Datetime("us", "UTC")

#: Attributes of a product; null means that the delivery does not say.
PRODUCT_ATTRIBUTES: Final[dict[str, pl.DataType]] = {
    "title": pl.String(),
    "category": pl.String(),  # a path, " > " between its levels
    "brand": pl.String(),
    "price": pl.Float64(),
    "inventory": pl.Int64(),
}

#: Attributes of a user; null means that the delivery does not say.
USER_ATTRIBUTES: Final[dict[str, pl.DataType]] = {"country": pl.String(), "segment": pl.String()}

_DELIVERY: Final[dict[str, pl.DataType]] = {"delivery": pl.String(), "delivery_position": pl.Int64()}

#: Columns of ``raw/catalogue``.
CATALOGUE_SCHEMA: Final = {**_DELIVERY, "product_id": pl.String(), "observed_at": _TIME, **PRODUCT_ATTRIBUTES}

#: Columns of ``raw/users``.
USERS_SCHEMA: Final = {**_DELIVERY, "user_id": pl.String(), "observed_at": _TIME, **USER_ATTRIBUTES}


class Changes:
    """Leaves out what repeats: of the rows of one file, those that say something new of their subject.

    A shop log repeats the price of a product with every view; one row a change is enough for its
    history. Rows come batch by batch; what is left depends on the file alone, not on the lake.
    """

    def __init__(self, key: str, attributes: dict[str, pl.DataType]) -> None:
        self._key = key
        self._attributes = list(attributes)
        self._last: pl.DataFrame | None = None

    def of(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows of ``rows`` (key, observed_at, delivery_position, attributes) that are changes."""
        said = pl.any_horizontal(pl.col(name).is_not_null() for name in self._attributes)
        rows = self._without_repeats(rows.filter(said & pl.col(self._key).is_not_null()))
        if not rows.height:
            return rows
        ordered = rows.with_columns(known=pl.lit(False))
        if self._last is not None:
            touched = self._last.join(rows.select(self._key), on=self._key, how="semi")
            ordered = pl.concat([touched.with_columns(known=pl.lit(True)), ordered], how="vertical")
        ordered = ordered.sort(self._key, "observed_at", "delivery_position")
        same = pl.all_horizontal(
            pl.col(name).eq_missing(pl.col(name).shift(1)) for name in [self._key, *self._attributes]
        )
        changed = ordered.filter(~same | pl.col("known"))
        newest = ordered.drop("known").unique(self._key, keep="last", maintain_order=False)
        if self._last is not None:
            newest = pl.concat([self._last.join(newest, on=self._key, how="anti"), newest])
        self._last = newest
        return changed.filter(~pl.col("known")).drop("known")

    def _without_repeats(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Of a key that says one and the same thing in all its rows, only the first row.

        That is nearly every product of a log, so the sort that follows is small.
        """
        keys = (
            rows.with_columns(said=pl.struct(self._attributes).hash(), row=pl.int_range(pl.len()))
            .group_by(self._key)
            .agg(
                steady=pl.col("said").min() == pl.col("said").max(),
                first=pl.col("row").get(pl.col("observed_at").arg_min()),
            )
        )
        changing = keys.filter(~pl.col("steady"))
        return pl.concat(
            [rows[keys.filter("steady")["first"]], rows.join(changing, on=self._key, how="semi")]
        )
