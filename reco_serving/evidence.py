"""What an answer was ranked by, for its record: noted while it is made, in answers that are drawn for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from reco_assets.candidates.sources import Candidates
from reco_assets.events.decided import Evidence
from reco_assets.online.mark import decode_mark, micros_of
from reco_assets.recommender.digest import VERSION, Digest
from reco_assets.recommender.types import Floats

#: Bits of an answer's seed; whether its record holds evidence is drawn by looking at the seed alone.
SEED_BITS: Final = 31


@dataclass
class Watched:
    """The witness of one answer."""

    digest: Digest | None = None

    def __call__(self, candidates: Candidates, matrix: Floats) -> None:
        """Note what is about to be ranked."""
        self.digest = Digest.of(candidates, matrix)

    def evidence(self, mark: bytes | None, products_at: int) -> Evidence | None:
        """For the record; None where nothing was ranked, because ranking failed."""
        if self.digest is None:
            return None
        reached = decode_mark(mark)
        return Evidence(
            version=VERSION,
            users_at=micros_of(reached.at) if reached is not None else 0,
            products_at=products_at,
            candidates=self.digest.candidates,
            columns=self.digest.columns,
        )
