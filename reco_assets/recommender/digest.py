"""Digests of candidates and of the ranker's matrix, by which two computations of them are compared.

A column of its own for each feature: where two matrices differ, the digests say in what.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Self
from zlib import crc32

import numpy as np

from reco_assets.candidates.sources import Candidates
from reco_assets.features.catalogue import RANKING_FEATURES, names
from reco_assets.recommender.types import Floats

#: Changes with the way in which digests are made; others cannot be compared.
VERSION: Final = 1
_COLUMN_BYTES: Final = 4


@dataclass(frozen=True)
class Digest:
    """Of one answer's candidates and features.

    Attributes
    ----------
    candidates
        63 bits of the item rows in their order; the rows are those of the answer's bundle.
    columns
        For each ranking feature, 4 bytes of its ``float32`` values to the bit.
    """

    candidates: int
    columns: bytes

    @classmethod
    def of(cls, candidates: Candidates, matrix: Floats) -> Self:
        """The digest of ``matrix`` ``float32[n, features]``, one row a candidate."""
        rows = blake2b(candidates.items.astype("<i4").tobytes(), digest_size=8).digest()
        turned = np.ascontiguousarray(matrix.T.astype("<f4", copy=False))
        columns = b"".join(crc32(column).to_bytes(_COLUMN_BYTES, "little") for column in turned)
        return cls(int.from_bytes(rows, "little") >> 1, columns)

    def differing(self, other: Digest) -> tuple[str, ...]:
        """Names of the ranking features whose columns are not the same."""
        return tuple(
            name for at, name in enumerate(names(RANKING_FEATURES)) if self._column(at) != other._column(at)
        )

    def _column(self, at: int) -> bytes:
        return self.columns[_COLUMN_BYTES * at : _COLUMN_BYTES * (at + 1)]
