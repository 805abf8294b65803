"""What the person has already seen, carted or bought: people come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Self

import numpy as np
import polars as pl

from reco_assets.candidates.retriever import EVENT_WEIGHTS, DenseQuery, History, Scratch, Stored
from reco_assets.catalogue.items import ItemTable
from reco_assets.interactions.log import InteractionLog

#: Half-life of an own event, microseconds (30 days).
HALF_LIFE_US: Final = 30.0 * 86_400e6


@dataclass(frozen=True)
class Repeat(Stored):
    """The person's own items, weighted by event and age. It learns nothing and stores nothing."""

    name: ClassVar[str] = "repeat"
    blend: ClassVar[float] = 2.0
    similar: ClassVar[float] = 0.0
    reason: ClassVar[str] = "looked at before"

    @classmethod
    def fit(cls, log: InteractionLog, items: ItemTable, now: int) -> Self:
        """Nothing to learn."""
        return cls()

    def query(self, history: History, scratch: Scratch) -> DenseQuery:
        """Sum the weights of each own item, halved every 30 days."""
        dense, touched = scratch.take()
        age = np.exp2((history.times - history.now) / HALF_LIFE_US)
        weights = (EVENT_WEIGHTS[history.kinds] * age).astype(np.float32)
        # searches and the like say nothing of a product
        said = weights > 0
        rows, inverse = np.unique(history.items[said], return_inverse=True)
        weights = weights[said]
        dense[rows] = np.bincount(inverse, weights, len(rows))
        touched[: len(rows)] = rows
        return DenseQuery(dense, touched, len(rows))

    def table(self, items: ItemTable) -> pl.DataFrame:
        """No rows: the source lives in the user's own state."""
        return pl.DataFrame(schema={"product_id": pl.String, "score": pl.Float32})
