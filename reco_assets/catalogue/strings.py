"""A column of texts as two arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Strings:
    """A column of texts that can be memory-mapped: ``offsets int64[n+1]`` into ``data uint8[]``."""

    offsets: npt.NDArray[np.int64]
    data: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Self:
        """The column of ``texts``."""
        encoded = [text.encode() for text in texts]
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(part) for part in encoded], out=offsets[1:])
        return cls(offsets, np.frombuffer(b"".join(encoded), np.uint8))

    def __len__(self) -> int:
        """How many texts."""
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> str:
        """Text of ``row``."""
        return bytes(self.data[self.offsets[row] : self.offsets[row + 1]]).decode()

    def tolist(self) -> list[str]:
        """All texts."""
        blob = self.data.tobytes()
        ends = self.offsets.tolist()
        return [blob[a:b].decode() for a, b in pairwise(ends)]
