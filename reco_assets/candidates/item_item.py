"""Item to item by what goes together once everything else in a person's set is accounted for.

Source: Steck, "Embarrassingly shallow autoencoders for sparse data", 2019 (EASE).
"""

from __future__ import annotations

from typing import ClassVar, Final, Self

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from reco_assets.candidates.covisitation import Neighbours
from reco_assets.candidates.kernels import top_rows
from reco_assets.candidates.retriever import Floats, History, Int32s, Int64s, Scratch, SparseQuery
from reco_assets.catalogue.items import ItemTable
from reco_assets.interactions.log import InteractionLog

Doubles = npt.NDArray[np.float64]

#: Only the most popular products have neighbours; the matrix of all pairs is 8 HEAD^2 bytes, 0.13 GB.
HEAD: Final = 4_000
#: Ridge: that many people who like nothing else.
REGULARISATION: Final = 1_000.0
#: Power to which the size of a person's set is divided out: who looks at everything says little of each.
SET_POWER: Final = 0.75
#: Power to which the popularity of the products is divided out.
POWER: Final = 0.1
#: Neighbours kept of a product: those for and against which it says most.
KEPT: Final = 500


class SignedQuery(SparseQuery):
    """Scores of either sign; only what more speaks for than against is proposed."""

    def top(self, n: int) -> Int32s:
        """Up to ``n`` best of those whose score is above 0."""
        speaks = self.scores > 0.0
        return top_rows(self.rows[speaks], self.scores[speaks], n)


class ItemItem(Neighbours):
    """Which products speak for which, and against, learned from all sets at once; no order and no time.

    Cost: HEAD^3 and the pairs of products in people's sets to learn; ``KEPT`` additions for each product
    that the person knows to answer. Memory: 8 ``KEPT`` bytes for each of ``HEAD`` products, 8 for others.
    """

    name: ClassVar[str] = "item_item"
    blend: ClassVar[float] = 2.0
    similar: ClassVar[float] = 0.3
    reason: ClassVar[str] = "liked by people who like {because}"
    one_core: ClassVar[bool] = True

    @classmethod
    def fit(cls, log: InteractionLog, items: ItemTable, now: int) -> Self:
        """Invert the regularised matrix of common people: cost HEAD^3; deterministic for a log."""
        # as one number each: sorting pairs takes ten times as long
        pairs = np.sort(log.user.astype(np.int64) * len(items) + log.item)
        user, item = np.divmod(pairs[np.diff(pairs, prepend=-1) > 0], len(items))
        counts = np.bincount(item, minlength=len(items))
        head = np.sort(np.lexsort((np.arange(len(items)), -counts))[:HEAD])
        head = head[counts[head] > 0]
        if len(head) == 0:
            return cls(np.zeros(len(items) + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
        column = np.full(len(items), -1)
        column[head] = np.arange(len(head))
        known = column[item] >= 0
        user, place = user[known], column[item[known]]
        shape = (int(log.user.max()) + 1, len(head))
        sets = csr_matrix((_voices(user), (user, place)), shape=shape)
        weights = _shallow((sets.T @ sets).toarray())
        kept = min(KEPT, len(head))
        best = np.sort(np.argpartition(-np.abs(weights), kept - 1, axis=1)[:, :kept], axis=1)
        scores = np.take_along_axis(weights, best, axis=1)
        order = np.argsort(-scores, axis=1, kind="stable")
        best, scores = np.take_along_axis(best, order, axis=1), np.take_along_axis(scores, order, axis=1)
        speaks = scores != 0.0
        indptr = np.zeros(len(items) + 1, np.int64)
        indptr[head + 1] = speaks.sum(axis=1)
        return cls(np.cumsum(indptr), head[best][speaks].astype(np.int32), scores[speaks])

    def query(self, history: History, scratch: Scratch) -> SignedQuery:
        """Sum what every product that the person knows says."""
        summed = super().query(history, scratch)
        return SignedQuery(summed.rows, summed.scores, scratch)

    def asked(self, history: History) -> tuple[Int32s, Floats]:
        """Every product that the person knows, each alike."""
        return history.known, np.ones(len(history.known), np.float32)


def _voices(user: Int64s) -> Doubles:
    """What each row of people's sets counts in a product of two: 1 on average, less in a larger set."""
    voices = np.bincount(user).astype(np.float64)[user] ** -SET_POWER
    roots: Doubles = np.sqrt(voices / voices.mean())
    return roots


def _shallow(common: Doubles) -> Floats:
    """Weights ``float32[h, h]``, row to column, of the best linear model with nothing on the diagonal."""
    people = np.diag(common).copy()
    standing = people**POWER
    common /= standing
    common /= standing[:, None]
    common[np.diag_indices_from(common)] += REGULARISATION * (np.trace(common) / people.sum())
    with threadpool_limits(1, "blas"):
        factor, _ = lapack.dpotrf(common, lower=1, overwrite_a=1)
        inverse, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
    inverse = np.tril(inverse)
    inverse += np.tril(inverse, -1).T
    weights: Floats = (inverse / -np.diag(inverse) / standing[:, None]).astype(np.float32)
    weights[np.diag_indices_from(weights)] = 0.0
    # the ends of float32 would be zeros that count as touched
    weights[np.abs(weights) < np.float32(1e-9)] = 0.0
    return weights
