"""What each user of an experiment did since they were first shown a variant, and before it began."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import polars as pl

#: How far back what a user did before the experiment says how they are.
BEFORE: Final = timedelta(days=14)
#: Columns of ``silver/interactions`` that are read.
INTERACTION: Final = ("user_id", "event_type", "timestamp", "event_date", "price", "quantity")
_SUMS: Final = ("answers", "fallbacks", "latency_ms", "impressions", "clicks")
#: A user whose answers came from more than one variant tells nothing of either.
CROSSED: Final = "several variants"


def outcomes(exposures: pl.LazyFrame, interactions: pl.LazyFrame, started_at: int) -> pl.DataFrame:
    """One row a user: ``variant``, ``user_days``, sums of their answers, what they bought, and before.

    Purchases count from the moment of the first exposure, whatever led to them: what a variant sells at
    the cost of something else is no gain. What lies before ``started_at`` cannot have been changed by the
    experiment, in any of its phases.

    Parameters
    ----------
    exposures
        Rows of ``gold/exposures`` of one phase of one experiment.
    interactions
        ``INTERACTION`` of ``silver/interactions`` from ``BEFORE`` the experiment on.
    started_at
        When the experiment began, UTC microseconds.
    """
    users = (
        exposures.group_by("user_id")
        .agg(
            pl.when(pl.col("variant").n_unique() > 1)
            .then(pl.lit(CROSSED))
            .otherwise(pl.col("variant").first())
            .alias("variant"),
            pl.col("event_date").n_unique().cast(pl.Int64).alias("user_days"),
            pl.col("exposed_at").min(),
            *(pl.col(name).sum() for name in _SUMS),
        )
        .with_columns(users=pl.lit(1, pl.Int64))
    )
    began = pl.lit(started_at).cast(pl.Datetime("us", "UTC"))
    theirs = interactions.join(users.select("user_id", "exposed_at"), on="user_id", how="inner")
    spent = pl.col("price").fill_null(0.0) * pl.col("quantity").fill_null(1)
    bought = pl.col("event_type") == "purchase"
    after = pl.col("timestamp") >= pl.col("exposed_at")
    before = pl.col("timestamp").is_between(began - BEFORE, began, closed="left")
    done = theirs.group_by("user_id").agg(
        purchases=(bought & after).sum().cast(pl.Int64),
        revenue=spent.filter(bought & after).sum(),
        clicks_before=((pl.col("event_type") == "click") & before).sum().cast(pl.Int64),
        purchases_before=(bought & before).sum().cast(pl.Int64),
        revenue_before=spent.filter(bought & before).sum(),
    )
    joined = users.join(done, on="user_id", how="left").with_columns(
        pl.col("purchases", "revenue", "clicks_before", "purchases_before", "revenue_before").fill_null(0)
    )
    converted = (pl.col("purchases") > 0).cast(pl.Int64)
    return joined.with_columns(converted=converted).sort("user_id").collect()
