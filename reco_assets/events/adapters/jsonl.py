"""JSON lines: one event of the contract a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import polars as pl

from reco_assets.events.adapters import CHUNK_BYTES, Batch
from reco_assets.events.adapters.compression import content_digest, plain_file
from reco_assets.events.adapters.ids import derive_ids
from reco_assets.events.adapters.records import blocks
from reco_assets.events.wire import json_rows


@dataclass(frozen=True)
class JsonLines:
    """The adapter; an event without ``event_id`` gets a derived one."""

    chunk_bytes: int = CHUNK_BYTES

    name: ClassVar[str] = "jsonl"
    own_ids: ClassVar[bool] = True
    observes_prices: ClassVar[bool] = False

    def digest(self, path: Path) -> str:
        """Of the decompressed content."""
        return content_digest(path)

    def batches(self, path: Path) -> Iterator[Batch]:
        """Rows of ``path``, blank lines left out."""
        with plain_file(path) as file:
            for whole in blocks(file, self.chunk_bytes, first=1, quoting=False):
                block = whole.where(whole.payload.bin.size() > 0)
                rows = json_rows(block.payload.to_list()).with_columns(block.positions)
                yield Batch(with_ids(rows), json.dumps({"format": self.name}), file.fraction)


def with_ids(rows: pl.DataFrame) -> pl.DataFrame:
    """``rows`` with a derived id where the producer gave none."""
    derived = derive_ids(rows["payload"], rows["delivery_position"])
    return rows.with_columns(pl.coalesce("event_id", derived.alias("derived")))
