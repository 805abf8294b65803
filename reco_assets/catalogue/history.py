"""What products and users were, and when: slowly changing tables made of observations."""

from __future__ import annotations

from typing import Final

import polars as pl

from reco_assets.events.observations import PRODUCT_ATTRIBUTES, USER_ATTRIBUTES

_US: Final = pl.Datetime("us", "UTC")
_VALIDITY: Final[dict[str, pl.DataType]] = {"valid_from": _US, "valid_to": _US}

#: Columns of ``silver/products``.
PRODUCTS_SCHEMA: Final = {"product_id": pl.String(), **PRODUCT_ATTRIBUTES, **_VALIDITY}

#: Columns of ``silver/users``.
USERS_SCHEMA: Final = {"user_id": pl.String(), **USER_ATTRIBUTES, **_VALIDITY}

Frame = pl.DataFrame | pl.LazyFrame


def product_history(observations: Frame, seen: Frame) -> pl.DataFrame:
    """Rows of ``silver/products``: one a change of any attribute, sorted by product and time.

    Parameters
    ----------
    observations
        ``raw/catalogue``, in any order.
    seen
        ``product_id, first_seen``: the products that events name, and since when.
    """
    return _history(observations.lazy(), seen.lazy(), "product_id", PRODUCT_ATTRIBUTES, PRODUCTS_SCHEMA)


def user_history(observations: Frame, seen: Frame) -> pl.DataFrame:
    """Rows of ``silver/users``; ``seen`` has ``user_id, first_seen``."""
    return _history(observations.lazy(), seen.lazy(), "user_id", USER_ATTRIBUTES, USERS_SCHEMA)


def _history(
    observations: pl.LazyFrame,
    seen: pl.LazyFrame,
    key: str,
    attributes: dict[str, pl.DataType],
    schema: dict[str, pl.DataType],
) -> pl.DataFrame:
    """A null says nothing, so the former value holds; the first row begins when the thing was first met."""
    names = list(attributes)
    first_seen = seen.group_by(key).agg(pl.col("first_seen").min().cast(_US))
    nothing = first_seen.select(
        key,
        pl.col("first_seen").alias("observed_at"),
        *(pl.lit(None, dtype=kind).alias(name) for name, kind in attributes.items()),
    )
    known = (
        observations.filter(pl.col(key).is_not_null())
        # Of several at one moment, the last in a fixed order wins, attribute by attribute.
        .sort("delivery", "delivery_position")
        .group_by(key, pl.col("observed_at").cast(_US))
        .agg(pl.col(name).drop_nulls().last() for name in names)
        .with_columns(pl.col(names).forward_fill().over(key, order_by="observed_at"))
    )
    changes = (
        known.filter(_changed(key, names))
        .join(first_seen, on=key, how="left")
        .with_columns(first=pl.col("observed_at") == pl.col("observed_at").min().over(key))
        .with_columns(
            valid_from=pl.when("first")
            .then(pl.min_horizontal("observed_at", "first_seen"))
            .otherwise("observed_at")
        )
    )
    unknown = nothing.join(known.select(key).unique(), on=key, how="anti")
    rows = pl.concat(
        [
            changes.select(key, *names, "valid_from"),
            unknown.select(key, *names, pl.col("observed_at").alias("valid_from")),
        ]
    ).with_columns(valid_to=pl.col("valid_from").shift(-1).over(key, order_by="valid_from"))
    return (
        rows.select(pl.col(name).cast(kind) for name, kind in schema.items())
        .sort(key, "valid_from")
        .collect()
    )


def _changed(key: str, names: list[str]) -> pl.Expr:
    """Whether a row says something else than the row of the same key before it, or is the first."""
    before = {name: pl.col(name).shift(1).over(key, order_by="observed_at") for name in names}
    first = pl.col("observed_at") == pl.col("observed_at").min().over(key)
    return first | pl.any_horizontal(pl.col(name).ne_missing(before[name]) for name in names)
