"""Implicit matrix factorisation: tastes that no single item names.

Source: Hu, Koren, Volinsky, "Collaborative filtering for implicit feedback datasets", 2008.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Self

import numba
import numpy as np
import polars as pl
from numba import njit
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from reco_assets.candidates.fit_kernels import solve_rows
from reco_assets.candidates.kernels import dot_rows, head_scores, top_rows
from reco_assets.candidates.retriever import EVENT_WEIGHTS, Floats, History, Int32s, Scratch, Stored
from reco_assets.catalogue.items import ItemTable
from reco_assets.interactions.log import InteractionLog

#: Factors at the most; a small shop gets one for each 16 products or people, whichever are fewer,
#: since more would learn each person by heart instead of what people have in common.
FACTORS: Final = 32
PER_FACTOR: Final = 16
ITERATIONS: Final = 8
#: Steps of conjugate gradients for each person and product in an iteration.
STEPS: Final = 3
SEED: Final = 7
REGULARISATION: Final = 0.05
#: Confidence of an event of weight 1 is 1 + ALPHA.
ALPHA: Final = 4.0
#: What a bought product counts at the least, however long ago it was.
BOUGHT_WEIGHT: Final = 0.5
#: Only the most popular items are searched on a request; any item can be scored.
HEAD: Final = 20_000


def _gram(factors: Floats) -> Floats:
    regular = REGULARISATION * np.eye(factors.shape[1], dtype=np.float32)
    return (factors.T @ factors + regular).astype(np.float32)


def _numbered(rows: Int32s) -> tuple[Int32s, Int32s]:
    """The distinct ``rows``, rising, and the place of each of ``rows`` among them; without a sort."""
    there = np.zeros(int(rows.max()) + 1, np.bool_)
    there[rows] = True
    places = np.cumsum(there, dtype=np.int32) - np.int32(1)
    return np.flatnonzero(there).astype(np.int32), places[rows]


def _alternated(people: csr_matrix, width: int) -> Floats:
    """Factors ``float32[columns, width]`` of the columns of ``people``, a matrix of confidences."""
    things = people.T.tocsr()
    dice = np.random.default_rng(SEED)
    own = dice.random((people.shape[0], width), np.float32) * np.float32(0.01)
    other = dice.random((people.shape[1], width), np.float32) * np.float32(0.01)
    with threadpool_limits(1, "blas"):
        for _ in range(ITERATIONS):
            for matrix, moved, fixed in ((people, own, other), (things, other, own)):
                solve_rows(
                    matrix.indptr.astype(np.int64),
                    matrix.indices.astype(np.int32, copy=False),
                    matrix.data,
                    moved,
                    fixed,
                    _gram(fixed),
                    STEPS,
                    numba.get_num_threads(),
                )
    return other


@njit(cache=True)
def _fold_in(
    known: Int32s, items: Int32s, weights: Floats, bought: Int32s, factors: Floats, gram: Floats
) -> Floats:
    """The vector ``float32[f]`` of who knows ``known``: one least-squares step."""
    counts = np.zeros(len(known), np.float64)
    for h in range(len(items)):
        counts[np.searchsorted(known, items[h])] += weights[h]
    for row in bought:
        at = np.searchsorted(known, row)
        counts[at] = max(counts[at], BOUGHT_WEIGHT)
    left = gram.copy()
    right = np.zeros(len(gram), np.float32)
    for at in range(len(known)):
        own = factors[known[at]]
        confidence = np.float32(ALPHA * counts[at])
        for f in range(len(own)):
            right[f] += own[f] * (np.float32(1.0) + confidence)
            weighted = own[f] * confidence
            for g in range(len(own)):
                left[f, g] += weighted * own[g]
    solved: Floats = np.linalg.solve(left, right)
    return solved


@dataclass(frozen=True)
class FactorQuery:
    """The person's vector, folded in from the history of this very moment."""

    vector: Floats
    factors: Floats
    head: Int32s
    head_factors: Floats

    def top(self, n: int) -> Int32s:
        """The best of the head by dot product."""
        if not self.vector.any():
            return self.head[:0]
        return top_rows(self.head, head_scores(self.head_factors, self.vector), n)

    def score(self, items: Int32s) -> Floats:
        """Dot products."""
        return dot_rows(self.factors, self.vector, items)


@dataclass(frozen=True)
class Factors(Stored):
    """Item factors and what is needed to fold a history in.

    Cost: ``ITERATIONS`` passes over all pairs of a person and a product, each some ``FACTORS``
    multiplications, to learn; a system of ``FACTORS`` equations and ``HEAD`` dot products to answer.
    Memory: 4 ``FACTORS`` bytes a product, and as much again for the head.

    Attributes
    ----------
    factors
        ``float32[n_items, f]``.
    gram
        ``float32[f, f]``: factors' own product plus the regularisation.
    head, head_factors
        Rows of the most popular items and their factors ``float32[f, head]``, apart so that a
        search reads only them.
    """

    factors: Floats
    gram: Floats
    head: Int32s
    head_factors: Floats
    name: ClassVar[str] = "factors"
    blend: ClassVar[float] = 2.0
    similar: ClassVar[float] = 0.0
    reason: ClassVar[str] = "fits the taste that the last products show"

    @classmethod
    def fit(cls, log: InteractionLog, items: ItemTable, now: int) -> Self:
        """Alternating least squares on summed event weights; deterministic for a log."""
        if len(log) == 0:
            nothing = np.zeros((len(items), FACTORS), np.float32)
            return cls(nothing, _gram(nothing), np.empty(0, np.int32), nothing[:0].T.copy())
        # only who and what is in the log: whoever comes later must not turn the dice of the start
        people, user = _numbered(log.user)
        known, item = _numbered(log.item)
        weights = EVENT_WEIGHTS[log.kind] * np.float32(ALPHA)
        matrix = csr_matrix((weights, (user, item)), shape=(len(people), len(known)), dtype=np.float32)
        matrix.sum_duplicates()
        # a thousand clicks on one product are not a thousand times the liking
        matrix.data = np.float32(ALPHA) * np.log1p(matrix.data / np.float32(ALPHA))
        width = int(np.clip(min(matrix.shape) // PER_FACTOR, 2, FACTORS))
        found = _alternated(matrix, width)
        factors = np.zeros((len(items), width), np.float32)
        factors[known] = found
        counts = np.bincount(log.item, minlength=len(items))
        head = np.lexsort((np.arange(len(items)), -counts))[:HEAD].astype(np.int32)
        head = head[counts[head] > 0]
        return cls(factors, _gram(factors), head, np.ascontiguousarray(factors[head].T))

    def query(self, history: History, scratch: Scratch) -> FactorQuery:
        """Solve for the person's vector: one least-squares step on all that the person knows."""
        if len(history.known) == 0:
            vector = np.zeros(self.factors.shape[1], np.float32)
        else:
            # the last events fade by rank; what was bought before them still says something
            vector = _fold_in(
                history.known, history.items, history.weights, history.bought, self.factors, self.gram
            )
        return FactorQuery(vector, self.factors, self.head, self.head_factors)

    def table(self, items: ItemTable) -> pl.DataFrame:
        """Columns product_id, factors (list of float32)."""
        return pl.DataFrame(
            {
                "product_id": pl.Series(items.ids.tolist(), dtype=pl.String),
                "factors": pl.Series(self.factors).arr.to_list(),
            }
        )
