"""Any text table of events, read with a mapping of its columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from reco_assets.events.adapters import CHUNK_BYTES, Batch
from reco_assets.events.adapters.compression import content_digest, plain_file
from reco_assets.events.adapters.delimited import as_rows, read_blocks
from reco_assets.events.adapters.fields import Layout, header_fields, table
from reco_assets.events.adapters.mapping import ANY, ColumnMapping, guess
from reco_assets.events.adapters.records import Block

_SEPARATORS: Final = ",\t;|"
_SAMPLE_BYTES: Final = 1 << 18


@dataclass(frozen=True)
class Csv:
    """The adapter; last fields that a row leaves out are empty.

    Attributes
    ----------
    separator
        One character; found in the header where it is None.
    """

    mapping: ColumnMapping
    separator: str | None = None
    chunk_bytes: int = CHUNK_BYTES
    name: str = "csv"

    @property
    def own_ids(self) -> bool:
        """Whether the file has a column of event ids."""
        return "event_id" in self.mapping.columns

    @property
    def observes_prices(self) -> bool:
        """Whether the file has a column of prices."""
        return "price" in self.mapping.columns

    def digest(self, path: Path) -> str:
        """Of the decompressed content."""
        return content_digest(path)

    def batches(self, path: Path) -> Iterator[Batch]:
        """Rows of ``path``; raises BadInput naming every column that is missing."""
        separator = self.separator or find_separator(path)
        checked = False
        for block, layout, fraction in read_blocks(path, separator, self.chunk_bytes, pad=True):
            if not checked:
                self.mapping.check(layout.header, str(path))
                checked = True
            yield Batch(self.read(block, layout), self._reader(layout), fraction)

    def read(self, block: Block, layout: Layout) -> pl.DataFrame:
        """The rows of one block."""
        fields = table(block, layout)
        return as_rows(block, fields.reasons, translate(fields.columns, self.mapping))

    def _reader(self, layout: Layout) -> str:
        return json.dumps(
            {
                "format": self.name,
                "header": layout.header,
                "separator": layout.separator,
                "columns": dict(self.mapping.columns),
                "event_types": dict(self.mapping.event_types),
            }
        )


def translate(columns: pl.DataFrame, mapping: ColumnMapping) -> pl.DataFrame:
    """Text columns of the file into fields of the contract."""
    types = {value: kind for value, kind in mapping.event_types.items() if value != ANY}
    fields = [pl.col(column).alias(name) for name, column in mapping.columns.items() if name != "event_type"]
    kind = pl.lit(None, dtype=pl.String)
    if "event_type" in mapping.columns:
        kind = pl.col(mapping.columns["event_type"]).str.strip_chars()
        other = pl.lit(mapping.event_types[ANY]) if ANY in mapping.event_types else kind
        kind = kind.replace_strict(types, default=other, return_dtype=pl.String) if types else other
    elif ANY in mapping.event_types:
        kind = pl.lit(mapping.event_types[ANY])
    return columns.select(*fields, kind.alias("event_type"))


def find_separator(path: Path) -> str:
    """The separator of a file: the one that cuts its header into the most fields."""
    header = _start(path).split(b"\n", 1)[0]
    return max(_SEPARATORS, key=lambda mark: len(header_fields(header, mark, str(path))))


def sample(path: Path, rows: int = 1000) -> pl.DataFrame:
    """The first rows of ``path`` as text columns, to guess a mapping from."""
    separator = find_separator(path)
    block, layout, _ = next(read_blocks(path, separator, _SAMPLE_BYTES, pad=True))
    return table(block, layout).columns.head(rows)


def _start(path: Path) -> bytes:
    with plain_file(path) as file:
        return file.read(_SAMPLE_BYTES)


def guessed(path: Path, given: ColumnMapping) -> Csv:
    """The adapter for ``path`` with what ``given`` leaves open guessed from its first rows."""
    rows = sample(path)
    given.check_columns(rows.columns, str(path))
    return Csv(guess(rows, given).mapping)
