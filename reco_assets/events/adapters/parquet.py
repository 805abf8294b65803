"""Parquet files whose columns are the contract's, such as the simulator's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from reco_assets.errors import BadInput
from reco_assets.events.adapters import CHUNK_ROWS, DESCRIPTIONS, Batch
from reco_assets.events.adapters.ids import derive_ids
from reco_assets.events.contract import EVENT_SCHEMA

_REQUIRED: Final = ("user_id", "event_type", "timestamp")


@dataclass(frozen=True)
class Parquet:
    """The adapter.

    Attributes
    ----------
    columns
        Field of the contract to column of the file, where their names differ.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    chunk_rows: int = CHUNK_ROWS

    name: ClassVar[str] = "parquet"
    own_ids: ClassVar[bool] = True
    observes_prices: ClassVar[bool] = False

    def digest(self, path: Path) -> str:
        """Of the bytes of the file."""
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()[:16]
        except OSError as error:
            raise BadInput(f"reading {path}: {error.strerror}", hint="check the path") from error

    def batches(self, path: Path) -> Iterator[Batch]:
        """Rows of ``path``; ``payload`` is null, a rejected row is kept as JSON."""
        try:
            file = pq.ParquetFile(path, memory_map=True)
        except (OSError, pa.ArrowInvalid) as error:
            raise BadInput(
                f"reading {path} as Parquet: {error}", hint="check the path and the format"
            ) from error
        with file:
            names = {name: self.columns.get(name, name) for name in (*EVENT_SCHEMA, *DESCRIPTIONS)}
            present = {name: column for name, column in names.items() if column in file.schema_arrow.names}
            missing = [names[name] for name in _REQUIRED if name not in present]
            if missing:
                raise BadInput(
                    f"reading {path} as Parquet: the columns {', '.join(missing)} are missing",
                    hint=f"it has {', '.join(file.schema_arrow.names)}; name them with --map user_id=...",
                )
            total = max(1, file.metadata.num_rows)
        # Polars decodes in a third of the time that pyarrow takes, and needs no conversion.
        picked = pl.scan_parquet(path, glob=False, hive_partitioning=False).select(
            pl.col(column).alias(name) for name, column in present.items()
        )
        done = 0
        for rows in picked.collect_batches(chunk_size=self.chunk_rows, maintain_order=True):
            done += rows.height
            yield Batch(_placed(rows, done), json.dumps({"format": "json"}), done / total)


def _placed(rows: pl.DataFrame, done: int) -> pl.DataFrame:
    positions = pl.int_range(done - rows.height + 1, done + 1, dtype=pl.Int64, eager=True)
    if "event_id" not in rows.columns:
        rows = rows.with_columns(derive_ids(as_json(rows), positions))
    return rows.with_columns(
        positions.alias("delivery_position"), pl.lit(None, dtype=pl.Binary).alias("payload")
    )


def as_json(rows: pl.DataFrame) -> pl.Series:
    """One JSON object a row, ``binary[n]``; null fields are left out, NaN is written as text."""
    if not rows.height:
        return pl.Series("payload", [], dtype=pl.Binary)
    odd = [
        name
        for name, kind in rows.schema.items()
        if kind.is_float() and not rows[name].is_finite().fill_null(True).all()
    ]
    lines = rows.with_columns(pl.col(odd).cast(pl.String)).write_ndjson().encode().splitlines()
    return pl.Series("payload", lines, dtype=pl.Binary)
