"""What many people want: popular with all, in a category, of a brand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Self

import numpy as np
import polars as pl

from reco_assets.candidates.kernels import accumulate, summed_by
from reco_assets.candidates.retriever import (
    EVENT_WEIGHTS,
    Floats,
    History,
    Int32s,
    Int64s,
    ListQuery,
    Scratch,
    SparseQuery,
    Stored,
)
from reco_assets.catalogue.items import ItemTable
from reco_assets.interactions.log import InteractionLog

DAY_US = 86_400_000_000
#: Half-life of popularity, days.
HALF_LIFE: Final = 7.0
#: Length of the list that answers when nothing is known.
LISTED: Final = 1000
#: Products listed of a category or a brand.
IN_GROUP: Final = 100


def decayed_weights(log: InteractionLog, now: int, half_life_days: float) -> Floats:
    """``float32[n_items]``: event weights, halved every ``half_life_days``."""
    age = (now - log.time) / (half_life_days * DAY_US)
    return np.bincount(
        log.item, weights=EVENT_WEIGHTS[log.kind] * np.exp2(-age), minlength=log.n_items
    ).astype(np.float32)


def ranked(scores: Floats) -> Int32s:
    """Rows in the order of falling ``scores``, ties by row."""
    return np.lexsort((np.arange(len(scores)), -scores)).astype(np.int32)


@dataclass(frozen=True)
class RankedList(Stored):
    """One list for everybody. ``ranked`` covers every item, so the list never runs dry."""

    ranked: Int32s
    scores: Floats
    name: ClassVar[str] = "list"
    blend: ClassVar[float] = 0.5
    similar: ClassVar[float] = 0.0
    reason: ClassVar[str] = "listed"

    def query(self, history: History, scratch: Scratch) -> ListQuery:
        """The list, whoever asks."""
        return ListQuery(self.ranked, self.scores)

    def table(self, items: ItemTable) -> pl.DataFrame:
        """Columns product_id, rank, score of the head of the list."""
        head = self.ranked[:LISTED]
        ids = pl.Series(items.ids.tolist(), dtype=pl.String)
        return pl.DataFrame(
            {
                "product_id": ids.gather(head),
                "rank": np.arange(len(head), dtype=np.int32),
                "score": self.scores[head],
            }
        )


class Popular(RankedList):
    """Weighted events, halved every week.

    Cost: a sum over the log and a sort of the products to learn, none to answer. Memory: 8 bytes a
    product.
    """

    name: ClassVar[str] = "popular"
    similar: ClassVar[float] = 0.00001
    reason: ClassVar[str] = "popular with everybody"

    @classmethod
    def fit(cls, log: InteractionLog, items: ItemTable, now: int) -> Self:
        """Every product gets a place; those that nobody touched come last."""
        scores = np.log1p(decayed_weights(log, now, HALF_LIFE))
        return cls(ranked(scores), scores)


@dataclass(frozen=True)
class GroupPopular(Stored):
    """The most popular products of the groups in a person's history.

    Attributes
    ----------
    indptr, indices, weights
        Compressed rows: the products of each group, best first, and their popularity relative to the
        group's best.
    group
        ``int32[n_items]``: each product's group, -1 for none.
    """

    indptr: Int64s
    indices: Int32s
    weights: Floats
    group: Int32s
    name: ClassVar[str] = "group"
    blend: ClassVar[float] = 1.0
    similar: ClassVar[float] = 0.001
    reason: ClassVar[str] = "popular in its group"

    @classmethod
    def of_groups(cls, log: InteractionLog, group: Int32s, groups: int, now: int) -> Self:
        """The first ``IN_GROUP`` of each group, by popularity relative to the group's best."""
        scores = np.log1p(decayed_weights(log, now, HALF_LIFE))
        order = np.lexsort((np.arange(len(group)), -scores, group))
        order = order[group[order] >= 0]
        codes = group[order]
        starts = np.searchsorted(codes, np.arange(groups + 1))
        place = np.arange(len(order)) - starts[codes]
        keep = place < IN_GROUP
        best = np.maximum(scores[order[starts[codes]]], 1e-6) if len(order) else scores[:0]
        indptr = np.searchsorted(codes[keep], np.arange(groups + 1)).astype(np.int64)
        relative = (0.05 + scores[order] / best).astype(np.float32)
        return cls(indptr, order[keep].astype(np.int32), relative[keep], np.asarray(group))

    def query(self, history: History, scratch: Scratch) -> SparseQuery:
        """Sum over the history's groups, by the weight of their events."""
        codes, weights = summed_by(self.group[history.items], history.weights)
        found = accumulate(
            codes, weights, self.indptr, self.indices, self.weights, scratch.dense, scratch.touched
        )
        return SparseQuery(*found, scratch)

    def listed(self, names: list[str], column: str, items: ItemTable) -> pl.DataFrame:
        """Columns ``column``, product_id, rank, score; ``names`` are the groups'."""
        counts = np.diff(self.indptr)
        ids = pl.Series(items.ids.tolist(), dtype=pl.String)
        return pl.DataFrame(
            {
                column: pl.Series(names, dtype=pl.String).gather(np.repeat(np.arange(len(counts)), counts)),
                "product_id": ids.gather(self.indices),
                "rank": (np.arange(len(self.indices)) - np.repeat(self.indptr[:-1], counts)).astype(np.int32),
                "score": self.weights,
            }
        )


class CategoryPopular(GroupPopular):
    """The most popular products of the categories in a person's history.

    Cost: a sum over the log and a sort of the products to learn; ``IN_GROUP`` additions for each category of
    the history to answer. Memory: 808 bytes a category and 4 a product.
    """

    name: ClassVar[str] = "category_popular"
    reason: ClassVar[str] = "popular in {category}"

    @classmethod
    def fit(cls, log: InteractionLog, items: ItemTable, now: int) -> Self:
        """By category."""
        return cls.of_groups(log, np.asarray(items.category), len(items.category_names), now)

    def of_category(self, code: int) -> Int32s:
        """The list of one category, best first."""
        return self.indices[int(self.indptr[code]) : int(self.indptr[code + 1])]

    def table(self, items: ItemTable) -> pl.DataFrame:
        """Columns category, product_id, rank, score."""
        return self.listed(items.category_names.tolist(), "category", items)


class BrandPopular(GroupPopular):
    """The most popular products of the brands in a person's history.

    Cost: a sum over the log and a sort of the products to learn; ``IN_GROUP`` additions for each brand of
    the history to answer. Memory: 808 bytes a brand and 4 a product.
    """

    name: ClassVar[str] = "brand_popular"
    reason: ClassVar[str] = "popular of a brand looked at before"

    @classmethod
    def fit(cls, log: InteractionLog, items: ItemTable, now: int) -> Self:
        """By brand."""
        return cls.of_groups(log, np.asarray(items.brand), int(items.brand.max(initial=-1)) + 1, now)

    def table(self, items: ItemTable) -> pl.DataFrame:
        """Columns brand (its code in the item table), product_id, rank, score."""
        return self.listed([str(code) for code in range(len(self.indptr) - 1)], "brand", items)
