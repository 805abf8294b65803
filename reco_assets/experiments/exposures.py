"""Who was shown which variant on which day, and how these answers went: from the record of each answer.

A user is exposed at the moment at which an answer is made by the rules of a variant, and that answer's
record is the only place where it is written down.
"""

from __future__ import annotations

from typing import Final

import polars as pl

_TIME: Final = pl.Datetime("us", "UTC")
_LISTS: Final = ("experiments", "variants", "phases")
#: Columns of ``raw/decisions`` that are read.
DECISION: Final = (
    "recommendation_id",
    "user_id",
    "decided_at",
    "decided_date",
    *_LISTS,
    "degraded",
    "latency_ms",
)
#: Columns of ``gold/impressions`` that are read.
IMPRESSION: Final = ("recommendation_id", "clicked")
#: Columns of ``gold/exposures``: one row a user, a day and a phase of an experiment.
EXPOSURES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "experiment": pl.String(),
    "phase": pl.Int64(),
    "variant": pl.String(),
    "user_id": pl.String(),
    "event_date": pl.Date(),
    "exposed_at": _TIME,  # the first answer of the day
    "answers": pl.Int64(),
    "fallbacks": pl.Int64(),  # degraded answers
    "latency_ms": pl.Float64(),  # sum over the answers
    "impressions": pl.Int64(),
    "clicks": pl.Int64(),  # of these impressions, whenever they came
}
KEY: Final = ("experiment", "phase", "variant", "user_id", "event_date")


def exposures(decisions: pl.LazyFrame, impressions: pl.LazyFrame) -> pl.DataFrame:
    """Rows of ``gold/exposures``, sorted by their key.

    Parameters
    ----------
    decisions
        ``DECISION`` of whole days; records from before there were experiments have null lists.
    impressions
        ``IMPRESSION`` of the same days.
    """
    inside = decisions.filter(pl.col("experiments").list.len() > 0).explode(list(_LISTS))
    seen = impressions.group_by("recommendation_id").agg(
        impressions=pl.len().cast(pl.Int64), clicks=pl.col("clicked").sum().cast(pl.Int64)
    )
    answers = inside.join(seen, on="recommendation_id", how="left")
    told = answers.rename(
        {"experiments": "experiment", "variants": "variant", "phases": "phase", "decided_date": "event_date"}
    )
    found = told.group_by(KEY).agg(
        exposed_at=pl.col("decided_at").min(),
        answers=pl.len().cast(pl.Int64),
        fallbacks=pl.col("degraded").sum().cast(pl.Int64),
        latency_ms=pl.col("latency_ms").sum(),
        impressions=pl.col("impressions").sum(),
        clicks=pl.col("clicks").sum(),
    )
    return found.select(list(EXPOSURES_SCHEMA)).sort(KEY).collect()
