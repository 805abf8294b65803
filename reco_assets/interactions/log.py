"""Interactions as dense arrays: what candidate sources and the ranker learn from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from reco_assets.catalogue.items import ItemTable
from reco_assets.events.contract import EventType

#: Event types that say something about a person and a product; the others are not in the log.
LOGGED: Final = (
    EventType.click,
    EventType.add_to_cart,
    EventType.purchase,
    EventType.favorite,
    EventType.rate,
)


@dataclass(frozen=True)
class InteractionLog:
    """Product events sorted by (user, time, product key, kind), as the online store has them.

    Attributes
    ----------
    user, item
        ``int32[n]`` rows of ``user_ids`` and of the item table.
    kind
        ``int8[n]`` :class:`EventType` codes.
    time
        ``int64[n]`` UTC microseconds.
    user_ids
        Text ids of the users, sorted.
    n_items
        Rows of the item table that ``item`` points into.
    """

    user: npt.NDArray[np.int32]
    item: npt.NDArray[np.int32]
    kind: npt.NDArray[np.int8]
    time: npt.NDArray[np.int64]
    user_ids: pl.Series
    n_items: int

    def __len__(self) -> int:
        """Number of events."""
        return len(self.time)

    def where(self, mask: npt.NDArray[np.bool_]) -> Self:
        """The events that ``mask`` keeps; users and items keep their rows."""
        return replace(
            self, user=self.user[mask], item=self.item[mask], kind=self.kind[mask], time=self.time[mask]
        )

    def before(self, time: int) -> Self:
        """The events strictly before ``time``."""
        return self.where(self.time < time)

    def between(self, first: int, last: int) -> Self:
        """The events of ``[first, last)``."""
        return self.where((self.time >= first) & (self.time < last))

    @cached_property
    def without_repeats(self) -> InteractionLog:
        """The log with runs of the same user and item shortened to their first event."""
        keep = np.ones(len(self), np.bool_)
        keep[1:] = (self.user[1:] != self.user[:-1]) | (self.item[1:] != self.item[:-1])
        return self.where(keep)

    @cached_property
    def in_time(self) -> npt.NDArray[np.int64]:
        """``int64[n]``: the events in the order of time; those of one moment as they stand."""
        return np.argsort(self.time, kind="stable")

    @cached_property
    def user_bounds(self) -> npt.NDArray[np.int64]:
        """``int64[n_users + 1]``: user ``u``'s events are rows ``bounds[u]:bounds[u + 1]``."""
        return np.searchsorted(self.user, np.arange(len(self.user_ids) + 1)).astype(np.int64)


def interaction_log(interactions: pl.LazyFrame, items: ItemTable) -> InteractionLog:
    """Load rows of ``silver/interactions`` (any order); events of products not in ``items`` are left out."""
    kinds = pl.DataFrame(
        {"event_type": [kind.name for kind in LOGGED], "kind": [int(kind) for kind in LOGGED]},
        schema={"event_type": pl.String, "kind": pl.Int8},
    )
    rows = pl.DataFrame(
        {
            "product_id": items.ids.tolist(),
            "item": np.arange(len(items), dtype=np.int32),
            "key": items.keys,
        },
        schema={"product_id": pl.String, "item": pl.Int32, "key": pl.UInt64},
    )
    frame = (
        interactions.select("user_id", "event_type", "product_id", "timestamp")
        .join(kinds.lazy(), on="event_type", how="inner")
        .join(rows.lazy(), on="product_id", how="inner")
        .select("user_id", "kind", "item", "key", pl.col("timestamp").dt.timestamp("us").alias("time"))
        .collect()
    )
    user_ids = frame["user_id"].unique().sort()
    users = pl.DataFrame({"user_id": user_ids, "user": np.arange(len(user_ids), dtype=np.int32)})
    frame = frame.join(users, on="user_id", how="left").sort("user", "time", "key", "kind")
    return InteractionLog(
        user=frame["user"].to_numpy(),
        item=frame["item"].to_numpy(),
        kind=frame["kind"].to_numpy(),
        time=frame["time"].to_numpy(),
        user_ids=user_ids,
        n_items=len(items),
    )
