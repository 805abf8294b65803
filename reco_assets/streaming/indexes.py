"""Where micro-batches find the past: in local indexes that follow the tables, or in the tables themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from reco_assets.features.history import IN_LAKE, History, IndexedHistory
from reco_assets.interactions.repeats import IndexedKnown, Known, LakeKnown
from reco_assets.online.past import IndexedPast, LakePast, Past
from reco_assets.platform.lake import Lake
from reco_assets.platform.settings import Settings


@dataclass(frozen=True)
class Indexes:
    """Events that are known, tiles and rollups of keys, and the product events of users."""

    known: Known
    history: History
    past: Past

    @classmethod
    def in_lake(cls, lake: Lake) -> Self:
        """Nothing but the tables: always right, and as slow as they are large."""
        return cls(LakeKnown(lake), IN_LAKE, LakePast(lake))

    @classmethod
    def local(cls, lake: Lake, folder: Path) -> Self:
        """Indexes in ``folder``; what is missing or out of date is made from the tables when it is asked."""
        return cls(IndexedKnown(lake, folder), IndexedHistory(lake, folder), IndexedPast(lake, folder))

    @classmethod
    def of(cls, settings: Settings, lake: Lake) -> Self:
        """The indexes of this home."""
        return cls.local(lake, settings.home / "index")

    def follow(self) -> int:
        """Bring every index up to its table, making those that are missing; how many rows were read."""
        parts = (self.known, self.history, self.past)
        return sum(
            part.follow() for part in parts if isinstance(part, IndexedKnown | IndexedHistory | IndexedPast)
        )

    @property
    def rows_read(self) -> int:
        """Rows found in indexes so far."""
        parts = (self.known, self.history, self.past)
        return sum(getattr(part, "rows_read", 0) for part in parts)
