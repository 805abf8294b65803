"""Text files of records: the reading that all formats with a header line share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import polars as pl

from reco_assets.errors import BadInput
from reco_assets.events.adapters import CHUNK_BYTES, Batch
from reco_assets.events.adapters.compression import content_digest, plain_file
from reco_assets.events.adapters.fields import Layout, parse_header, table
from reco_assets.events.adapters.ids import derive_ids
from reco_assets.events.adapters.records import Block, blocks

#: Turns the text columns of a file into contract columns, ``reasons`` and descriptions.
Translate = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True)
class Delimited:
    """An adapter of a fixed format: a header that must hold ``required``, and a translation.

    Attributes
    ----------
    translate
        Pure; gets the columns of ``required`` as text, gives contract columns, descriptions and
        ``reasons`` where it has any.
    """

    name: str
    required: tuple[str, ...]
    translate: Translate
    observes_prices: bool
    chunk_bytes: int = CHUNK_BYTES

    own_ids: ClassVar[bool] = False

    def digest(self, path: Path) -> str:
        """Of the decompressed content."""
        return content_digest(path)

    def batches(self, path: Path) -> Iterator[Batch]:
        """Rows of ``path``; the cut last line of a file comes with its reason."""
        for block, layout, fraction in read_blocks(path, ",", self.chunk_bytes):
            missing = [name for name in self.required if name not in layout.header]
            if missing:
                raise BadInput(
                    f"reading {path} as {self.name}: the header lacks {', '.join(missing)}",
                    hint=f"a {self.name} file has {','.join(self.required)}; other files: `reco import csv`",
                )
            reader = json.dumps({"format": self.name, "header": layout.header})
            yield Batch(self.read(block, layout), reader, fraction)

    def read(self, block: Block, layout: Layout) -> pl.DataFrame:
        """The rows of one block."""
        fields = table(block, layout)
        return as_rows(block, fields.reasons, self.translate(fields.columns.select(self.required)))


def as_rows(block: Block, reasons: pl.Series, translated: pl.DataFrame) -> pl.DataFrame:
    """A batch's rows: position, payload, all reasons, and the translated columns with an event id."""
    if "reasons" in translated.columns:
        both = pl.DataFrame({"shape": reasons, "sense": translated["reasons"]})
        # What a record with the wrong number of fields seems to say is not judged further.
        reasons = both.select(pl.coalesce("shape", "sense").alias("reasons")).to_series()
        translated = translated.drop("reasons")
    rows = translated.insert_column(0, block.positions).insert_column(1, block.payload.rename("payload"))
    rows = rows.with_columns(reasons.alias("reasons"))
    if "event_id" not in rows.columns:
        rows = rows.with_columns(derive_ids(block.payload, block.positions))
    return rows


def read_blocks(
    path: Path, separator: str, chunk_bytes: int, *, pad: bool = False
) -> Iterator[tuple[Block, Layout, float]]:
    """The records of ``path`` after its header, blank lines left out, and the fraction of the file read."""
    layout: Layout | None = None
    with plain_file(path) as file:
        for block in blocks(file, chunk_bytes):
            keep = block.payload.bin.size() > 0
            if layout is None:
                layout = Layout(parse_header(block.payload[0], separator, str(path)), separator, pad)
                keep = keep & (block.positions > 0)
            yield block.where(keep), layout, file.fraction
    if layout is None:
        raise BadInput(f"reading {path}: the file is empty", hint="its first line must name the columns")
