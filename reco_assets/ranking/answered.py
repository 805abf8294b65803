"""What the service really answered in a stretch of time, and what came of it, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from reco_assets.events.contract import EventType
from reco_assets.interactions.history import ShopHistory
from reco_assets.interactions.outcomes import ATTRIBUTIONS, IMPRESSIONS
from reco_assets.platform.lake import Lake
from reco_assets.ranking.decisions import GRADES, Decisions

Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]

_TIME: Final = pl.Datetime("us", "UTC")
_PLACE: Final = ("recommendation_id", "product_id", "position")


@dataclass(frozen=True)
class Answered:
    """Answers in the order of time, and the places of all of them one after the other.

    Attributes
    ----------
    decisions
        Who was answered and when.
    answer
        ``int64[n]``, rising: the row in ``decisions`` of each place.
    item, place
        ``int32[n]`` item row and ``int64[n]`` place from 0; products that the item table lacks are left out.
    grade
        ``int8[n]``: 0 nothing, 1 clicked, 2 put into the cart, 3 bought.
    propensity
        ``float64[n]``; NaN where the answer does not say it.
    group
        ``int64[n]``: one number for one person, product and day.
    ids
        ``str[d]``: the recommendation id of each answer.
    """

    decisions: Decisions
    answer: Int64s
    item: Int32s
    place: Int64s
    grade: Int8s
    propensity: Numbers
    group: Int64s
    ids: npt.NDArray[np.str_]

    def __len__(self) -> int:
        """Number of places."""
        return len(self.answer)

    def of(self, answers: Int64s) -> Self:
        """Only ``answers``, rising rows of ``decisions``."""
        at = np.searchsorted(self.answer, np.arange(len(self.decisions) + 1))
        rows = np.concatenate([np.empty(0, np.int64), *(np.arange(at[one], at[one + 1]) for one in answers)])
        whole = self.decisions
        return replace(
            self,
            decisions=Decisions(whole.user[answers], whole.time[answers], whole.at[answers]),
            ids=self.ids[answers],
            answer=np.repeat(np.arange(len(answers)), at[answers + 1] - at[answers]),
            **{name: getattr(self, name)[rows] for name in ("item", "place", "grade", "propensity", "group")},
        )

    def sampled(self, most: int, seed: int) -> Self:
        """At most ``most`` of the answers, drawn at random."""
        if len(self.decisions) <= most:
            return self
        drawn = np.random.default_rng(seed).choice(len(self.decisions), most, replace=False)
        return self.of(np.sort(drawn))


def load_answered(
    lake: Lake, history: ShopHistory, first: int, last: int, horizon: timedelta = timedelta(0)
) -> tuple[ShopHistory, Answered]:
    """Answers of ``[first - horizon, last)`` (UTC microseconds) and what came of them before ``last``.

    Whoever was answered and has done nothing is added to the users of the returned history. Without
    impressions there are no answers.
    """
    if not (lake.exists(IMPRESSIONS) and lake.exists(ATTRIBUTIONS)):
        nothing = np.empty(0, np.int64)
        none = Decisions(nothing.astype(np.int32), nothing, nothing)
        small = nothing.astype(np.int8)
        return history, Answered(
            decisions=none,
            answer=nothing,
            item=nothing.astype(np.int32),
            place=nothing,
            grade=small,
            propensity=nothing.astype(float),
            group=nothing,
            ids=np.empty(0, np.str_),
        )
    shown = lake.scan(IMPRESSIONS)
    if "propensity" not in shown.collect_schema():  # the table is older than the column
        shown = shown.with_columns(propensity=pl.lit(None, pl.Float64))
    begin, end = pl.lit(first).cast(_TIME) - horizon, pl.lit(last).cast(_TIME)
    return answered(
        shown.filter((pl.col("shown_at") >= begin) & (pl.col("shown_at") < end)),
        lake.scan(ATTRIBUTIONS).filter(pl.col("timestamp") < end),
        history,
    )


def answered(
    impressions: pl.LazyFrame, attributions: pl.LazyFrame, history: ShopHistory
) -> tuple[ShopHistory, Answered]:
    """Answers as rows of ``gold/impressions``, labelled by rows of ``gold/attributions``."""
    worth = pl.col("event_type").replace_strict(
        {kind.name: int(GRADES[kind]) for kind in EventType}, default=0, return_dtype=pl.Int8
    )
    graded = attributions.group_by(_PLACE).agg(grade=worth.max())
    rows = pl.DataFrame(
        {"product_id": history.items.ids.tolist(), "item": np.arange(len(history.items), dtype=np.int32)},
        schema={"product_id": pl.String, "item": pl.Int32},
    )
    shown = (
        impressions.join(rows.lazy(), on="product_id", how="inner")
        .join(graded, on=_PLACE, how="left")
        .select(
            "recommendation_id",
            "user_id",
            "item",
            pl.col("position").cast(pl.Int64),
            pl.col("shown_at").dt.timestamp("us").alias("time"),
            pl.col("grade").fill_null(0),
            pl.col("propensity").fill_null(float("nan")),
            pl.struct("user_id", "item", "event_date").hash(seed=0).alias("group"),
        )
        .sort("time", "recommendation_id", "position")
        .collect()
    )
    known = history.log.user_ids
    strangers = shown.filter(~pl.col("user_id").is_in(known.implode()))["user_id"].unique().sort()
    whole = ShopHistory(history.items, replace(history.log, user_ids=known.append(strangers)))
    codes = pl.DataFrame({"user_id": whole.log.user_ids}).with_row_index("user")
    shown = shown.join(codes, on="user_id", how="left", maintain_order="left")
    first = shown["recommendation_id"].is_first_distinct()
    answers = shown.filter(first)
    decisions = Decisions(
        answers["user"].to_numpy().astype(np.int32),
        answers["time"].to_numpy(),
        np.full(answers.height, -1, np.int64),  # they were about to see the answer, which is no event
    )
    return whole, Answered(
        decisions,
        np.cumsum(first.to_numpy()) - 1,
        shown["item"].to_numpy(),
        shown["position"].to_numpy(),
        shown["grade"].to_numpy().astype(np.int8),
        shown["propensity"].to_numpy(),
        np.unique(shown["group"].to_numpy(), return_inverse=True)[1].astype(np.int64),
        answers["recommendation_id"].to_numpy().astype(np.str_),
    )
