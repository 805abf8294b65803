"""Files of products and of users into ``raw/catalogue`` and ``raw/users``, each file once.

A row is an observation: what a product (or a user) was at a moment. A file may leave columns out,
and cells empty; that says nothing and changes nothing. Columns of a product file that mean nothing here
are the shop's own, and are kept in ``raw/attributes``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl

from reco_assets.catalogue.attributes import ATTRIBUTES, attribute_rows, column_name
from reco_assets.errors import BadInput
from reco_assets.events.adapters.compression import content_digest
from reco_assets.events.landing import CHANGES_FOLDER, DESCRIBING, landing_files
from reco_assets.events.observations import CATALOGUE_SCHEMA, USERS_SCHEMA
from reco_assets.events.values import as_integer, as_number, as_text, as_time
from reco_assets.platform.lake import Lake

_US: Final = pl.Datetime("us", "UTC")
_OBSERVED: Final = (
    "observed_at",
    "updated_at",
    "valid_from",
    "timestamp",
    "created_at",
    "added_at",
    "joined_at",
)


@dataclass(frozen=True)
class Kind:
    """One of the two tables of observations.

    Attributes
    ----------
    key
        Column of the id.
    names
        Other names that files have for a column.
    """

    table: str
    key: str
    schema: dict[str, pl.DataType]
    names: dict[str, tuple[str, ...]]


PRODUCTS: Final = Kind(
    "raw/catalogue",
    "product_id",
    CATALOGUE_SCHEMA,
    {
        "product_id": ("item_id", "sku", "id"),
        "title": ("name", "product_name", "description"),
        "category": ("category_path", "category_code", "category_name"),
        "inventory": ("inventory_level", "stock", "quantity"),
        "observed_at": _OBSERVED,
    },
)
USERS: Final = Kind(
    "raw/users",
    "user_id",
    USERS_SCHEMA,
    {"user_id": ("customer_id", "id"), "country": ("country_code",), "observed_at": _OBSERVED},
)


@dataclass(frozen=True)
class IngestReport:
    """Rows of the files, how many of them were appended, and how many had no id or no readable time.

    ``rows == appended + known + refused``; ``known`` are the rows of files that were there already.
    """

    files: int = 0
    rows: int = 0
    appended: int = 0
    known: int = 0
    refused: int = 0

    def __add__(self, other: IngestReport) -> IngestReport:
        return IngestReport(
            self.files + other.files,
            self.rows + other.rows,
            self.appended + other.appended,
            self.known + other.known,
            self.refused + other.refused,
        )


def ingest_files(lake: Lake, kind: Kind, paths: Sequence[Path], now: datetime) -> IngestReport:
    """Append the observations of ``paths`` (CSV, JSON lines or Parquet), each file exactly once.

    Rows without a time were observed ``now``. Raises BadInput where a file has no id column.
    """
    report = IngestReport()
    for path in paths:
        delivery = f"file:{kind.table.removeprefix('raw/')}:{_digest(path)}"
        imported = lake.progress(kind.table, delivery)
        if imported is not None:
            report += IngestReport(files=1, rows=imported, known=imported)
            continue
        rows = read_table(path)
        found = observations(rows, kind, now, str(path)).with_columns(pl.lit(delivery).alias("delivery"))
        if kind is PRODUCTS:
            _append_attributes(lake, rows, found, delivery)
        lake.append(kind.table, found.select(list(kind.schema)).to_arrow(), progress={delivery: rows.height})
        report += IngestReport(1, rows.height, found.height, 0, rows.height - found.height)
    return report


def _append_attributes(lake: Lake, rows: pl.DataFrame, found: pl.DataFrame, delivery: str) -> None:
    """What a product file says in columns of the shop's own, before the rest: a file is done when that is."""
    if lake.progress(ATTRIBUTES, delivery) is not None:
        return
    typed = found.select("delivery", "delivery_position", "product_id", "observed_at")
    told = attribute_rows(rows, own_names(rows.columns), typed)
    if told.height:
        lake.append(ATTRIBUTES, told.to_arrow(), progress={delivery: rows.height})


def own_names(columns: Sequence[str]) -> dict[str, str]:
    """Which of a product file's columns are the shop's own, with their names as rules call them."""
    taken = set(PRODUCTS.schema) | {
        option for name in PRODUCTS.schema for option in PRODUCTS.names.get(name, ())
    }
    own: dict[str, str] = {}
    for column in columns:
        name = column_name(column)
        if column not in taken and name and name not in taken and name not in own.values():
            own[column] = name
    return own


def ingest_landing(lake: Lake, folder: Path, now: datetime) -> tuple[IngestReport, IngestReport]:
    """The files of products and those of users in the landing folder (``products*``, ``users*``)."""
    files = [
        path
        for path in landing_files(folder)
        if path.name.startswith(DESCRIBING) and CHANGES_FOLDER not in path.relative_to(folder).parts[:-1]
    ]
    products = [path for path in files if path.name.startswith("products")]
    users = [path for path in files if path.name.startswith("users")]
    return ingest_files(lake, PRODUCTS, products, now), ingest_files(lake, USERS, users, now)


def observations(rows: pl.DataFrame, kind: Kind, now: datetime, what: str) -> pl.DataFrame:
    """Columns of ``kind`` out of a stranger's table; rows without an id or a readable time are left out."""
    columns: dict[str, pl.Series] = {}
    for name in kind.schema:
        present = [option for option in (name, *kind.names.get(name, ())) if option in rows.columns]
        if present:
            columns[name] = rows[present[0]]
    if kind.key not in columns:
        raise BadInput(
            f"reading {what}: there is no column {kind.key}",
            hint=f"it has {', '.join(rows.columns) or 'none'}",
        )
    position = pl.int_range(1, rows.height + 1, dtype=pl.Int64, eager=True)
    typed = [pl.Series("delivery_position", position)]
    readable = pl.Series([True]).new_from_index(0, rows.height)
    for name, dtype in kind.schema.items():
        if name in ("delivery", "delivery_position"):
            continue
        if name not in columns:
            gap = now if name == "observed_at" else None
            typed.append(pl.Series(name, [gap], dtype=dtype).new_from_index(0, rows.height))
            continue
        read = _READ[type(dtype)](columns[name]).rename(name)
        if name == "observed_at":
            readable = read.is_not_null() | columns[name].is_null()
        typed.append(read)
    table = pl.DataFrame(typed).with_columns(pl.col("observed_at").fill_null(pl.lit(now).cast(_US)))
    return table.filter(readable & pl.col(kind.key).is_not_null())


_READ: Final = {pl.String: as_text, pl.Float64: as_number, pl.Int64: as_integer, pl.Datetime: as_time}


def read_table(path: Path) -> pl.DataFrame:
    """A whole small table, by the ending of its name; raises BadInput."""
    endings = [suffix for suffix in path.suffixes if suffix not in (".gz", ".zst")]
    try:
        if endings[-1:] == [".parquet"]:
            return pl.read_parquet(path)
        if endings[-1:] in ([".jsonl"], [".ndjson"]):
            return pl.read_ndjson(
                path.read_bytes() if path.suffix == endings[-1] else path, infer_schema_length=None
            )
        if endings[-1:] in ([".csv"], [".tsv"]):
            separator = "\t" if endings[-1] == ".tsv" else ","
            return pl.read_csv(path, infer_schema=False, separator=separator)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise BadInput(f"reading {path}: {error}", hint="check that it is a whole file") from error
    raise BadInput(f"reading {path}: the ending says no format", hint="use .parquet, .csv or .jsonl")


def _digest(path: Path) -> str:
    if path.suffix == ".parquet":
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return content_digest(path)
