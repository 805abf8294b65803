"""Columns of a shop's own in its product files: kept as said, and laid out beside the item table.

The files' other columns have a meaning of their own and are read by ``ingest``. These here are read by
rules alone (``recommender/policy``), so what holds is what was said last, column by column.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from reco_assets.catalogue.strings import Strings

ATTRIBUTES: Final = "raw/attributes"
#: Columns of ``raw/attributes``: one row a product and column that a file says something of.
ATTRIBUTES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "delivery": pl.String(),
    "delivery_position": pl.Int64(),
    "product_id": pl.String(),
    "observed_at": pl.Datetime("us", "UTC"),
    "name": pl.String(),
    "value": pl.String(),
}

#: Of a shop's own columns so many are used, the first by name, at 4 bytes a product each.
MOST_COLUMNS: Final = 32
#: A column of more different texts is a description or a link, not something to make a rule of.
MOST_TEXTS: Final = 10_000
#: A longer text is cut when it is read.
MOST_CHARACTERS: Final = 256
#: Between the members of a list in one text, as ``de|at``.
SEPARATORS: Final = re.compile(r"[|;,]")

_NOT_IN_A_NAME: Final = re.compile(r"[^a-z0-9_]+")
_FLAGS: Final = {"true": "1", "false": "0"}

Codes = npt.NDArray[np.int32]
Numbers = npt.NDArray[np.float32]
Arrays = Mapping[str, npt.NDArray[np.generic]]

log = logging.getLogger("reco.catalogue")


@dataclass(frozen=True)
class Columns:
    """A shop's own columns by name, one value a row of the item table.

    Attributes
    ----------
    numbers
        ``float32[n]``; NaN unknown. True is 1, false is 0.
    texts
        ``int32[n]`` codes into the names beside them; -1 unknown.
    """

    numbers: Mapping[str, Numbers] = field(default_factory=dict)
    texts: Mapping[str, tuple[Codes, Strings]] = field(default_factory=dict)

    def arrays(self) -> Iterator[tuple[str, npt.NDArray[np.generic]]]:
        """Every column as arrays, by file name."""
        for name, values in self.numbers.items():
            yield f"number.{name}", values
        for name, (codes, names) in self.texts.items():
            yield f"text.{name}.codes", codes
            yield f"text.{name}.offsets", names.offsets
            yield f"text.{name}.data", names.data

    @classmethod
    def of_arrays(cls, arrays: Arrays) -> Self:
        """The columns that :meth:`arrays` took apart; other arrays are passed over."""
        numbers = {key.split(".")[1]: values for key, values in arrays.items() if key.startswith("number.")}
        texts = {
            name: (
                arrays[f"text.{name}.codes"],
                Strings(arrays[f"text.{name}.offsets"], arrays[f"text.{name}.data"]),  # type: ignore[arg-type]
            )
            for name in sorted({key.split(".")[1] for key in arrays if key.startswith("text.")})
        }
        return cls(numbers, texts)  # type: ignore[arg-type]


def column_name(said: str) -> str:
    """The name by which rules call a file's column: small letters, digits and ``_``."""
    name = _NOT_IN_A_NAME.sub("_", said.strip().lower()).strip("_")
    return f"_{name}" if name[:1].isdigit() else name


def attribute_rows(rows: pl.DataFrame, own: Mapping[str, str], typed: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``raw/attributes`` but for the delivery, from a file of products.

    Parameters
    ----------
    rows
        The file.
    own
        Those of its columns that are the shop's own, with their names as rules call them.
    typed
        ``delivery_position`` (the row of the file, from 1), ``product_id`` and ``observed_at`` of the rows
        that can be used.
    """
    at = typed["delivery_position"] - 1
    parts = []
    for column, name in sorted(own.items()):
        said = _as_text(rows[column][at])
        parts.append(typed.with_columns(name=pl.lit(name), value=said).filter(pl.col("value").is_not_null()))
    return pl.concat(parts) if parts else typed.clear().with_columns(name=pl.lit(""), value=pl.lit(""))


def _as_text(column: pl.Series) -> pl.Series:
    """What each cell says; null where it says nothing. The members of a list have | between them."""
    if isinstance(column.dtype, pl.List):
        column = column.cast(pl.List(pl.String)).list.join("|")
    elif isinstance(column.dtype, pl.Struct | pl.Array | pl.Object | pl.Binary):
        return pl.Series([None], dtype=pl.String).new_from_index(0, len(column))
    text = column.cast(pl.String, strict=False).str.strip_chars().str.slice(0, MOST_CHARACTERS)
    return text.set(text == "", None)


def latest_attributes(said: pl.LazyFrame) -> pl.DataFrame:
    """``product_id, name, value``: what ``raw/attributes`` said last of each product and column."""
    return (
        said.sort("observed_at", "delivery", "delivery_position")
        .group_by("product_id", "name")
        .agg(pl.col("value").last())
        .collect()
    )


def own_columns(latest: pl.DataFrame, ids: pl.Series) -> Columns:
    """The columns of ``latest`` (:func:`latest_attributes`) for the products ``ids`` in their order.

    A column is one of numbers where all of its values are (or true and false). At most
    ``MOST_COLUMNS``; what is left out, and columns of more than ``MOST_TEXTS`` texts, are named in the log.
    """
    numbers: dict[str, Numbers] = {}
    texts: dict[str, tuple[Codes, Strings]] = {}
    left_out: list[str] = []
    for name in latest["name"].unique().sort().to_list():
        told = latest.filter(pl.col("name") == name)
        column = pl.DataFrame({"product_id": ids}).join(
            told, on="product_id", how="left", maintain_order="left"
        )["value"]
        number = column.str.to_lowercase().replace(_FLAGS).cast(pl.Float32, strict=False)
        different = column.drop_nulls().unique().sort()
        if len(numbers) + len(texts) == MOST_COLUMNS:
            left_out.append(name)
        elif number.null_count() == column.null_count():
            numbers[name] = number.fill_null(float("nan")).to_numpy()
        elif len(different) > MOST_TEXTS:
            left_out.append(name)
        else:
            codes = column.replace_strict(different, pl.int_range(len(different), eager=True), default=-1)
            texts[name] = codes.cast(pl.Int32).to_numpy(), Strings.of(different.to_list())
    if left_out:
        log.warning("columns of the product files that rules cannot use: %s", ", ".join(left_out))
    return Columns(numbers, texts)
