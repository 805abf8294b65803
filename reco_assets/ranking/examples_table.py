"""``gold/training_examples``: the ranker's rows as a table that a person can query."""

from __future__ import annotations

import numpy as np
import polars as pl

from reco_assets.features.catalogue import RANKING_FEATURES, names
from reco_assets.interactions.history import ShopHistory
from reco_assets.ranking.examples import Examples

_TIME = pl.Datetime("us", "UTC")


def examples_table(rows: Examples, history: ShopHistory, part: str) -> pl.DataFrame:
    """One row a decision and candidate: part, decision, user, product, moment, grade, weight, features."""
    ids = pl.Series(history.items.ids.tolist(), dtype=pl.String)
    moment = pl.Series(rows.time[rows.decision]).cast(_TIME)
    return pl.DataFrame(
        {
            "part": pl.repeat(part, len(rows), eager=True, dtype=pl.String),
            "decision": rows.decision,
            "user_id": history.log.user_ids.gather(rows.user[rows.decision]),
            "product_id": ids.gather(rows.item),
            "decided_at": moment,
            "event_date": moment.dt.date(),
            "grade": rows.grade,
            "weight": rows.weights,
        }
    ).hstack(pl.from_numpy(rows.features, schema=list(names(RANKING_FEATURES))))


def examples_of(table: pl.LazyFrame, part: str) -> Examples:
    """Rows of one part as the ranker takes them; what only names things is left out."""
    features = list(names(RANKING_FEATURES))
    rows = (
        table.filter(pl.col("part") == part)
        .sort("decision")
        .select("decision", "grade", "weight", *features)
        .collect()
    )
    nothing = np.empty(0, np.int64)
    return Examples(
        features=np.ascontiguousarray(rows.select(features).to_numpy()),
        grade=rows["grade"].to_numpy(),
        decision=rows["decision"].to_numpy(),
        item=np.empty(0, np.int32),
        time=nothing,
        user=nothing.astype(np.int32),
        weight=rows["weight"].to_numpy(),
    )
