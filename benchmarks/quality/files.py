"""Reading the files of a task, and saying clearly what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import polars as pl

from reco_assets.errors import BadInput

#: What a column holds: the id of the row, one id, or a list of ids.
Holds = Literal["key", "id", "ids"]
_SHOULD: Final[Mapping[Holds, str]] = {
    "key": "one id a row, a whole number or a text, each in one row only",
    "id": "one id a row, a whole number or a text",
    "ids": "a list of ids a row, whole numbers or texts; in CSV divided by spaces",
}


def read(path: Path, columns: Mapping[str, Holds]) -> pl.DataFrame:
    """The ``columns`` of a Parquet or CSV file, with every id as a text.

    Raises
    ------
    BadInput
        There is no such file, it cannot be read, or a column is missing, of another type or has nulls.
    """
    if not path.is_file():
        raise BadInput(f"reading {path}: there is no such file", hint="check the path")
    try:
        if path.suffix == ".csv":
            frame = pl.read_csv(path, infer_schema=False)
            lists = [name for name, holds in columns.items() if holds == "ids" and name in frame.columns]
            frame = frame.with_columns(pl.col(name).str.split(" ") for name in lists)
        else:
            frame = pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        raise BadInput(f"reading {path}: {error}", hint="give a Parquet file, or a .csv file") from error
    for name, holds in columns.items():
        _check(path, frame, name, holds)
    if frame.is_empty():
        raise BadInput(f"reading {path}: it has no rows")
    return frame.select(
        pl.col(name).cast(pl.List(pl.String) if holds == "ids" else pl.String)
        for name, holds in columns.items()
    )


def _check(path: Path, frame: pl.DataFrame, name: str, holds: Holds) -> None:
    should = f"column {name!r} should be {_SHOULD[holds]}"
    if name not in frame.columns:
        raise BadInput(
            f"reading {path}: it has no column {name!r}, only {', '.join(map(repr, frame.columns))}",
            hint=should,
        )
    dtype = frame.schema[name]
    inner = dtype.inner if isinstance(dtype, pl.List) else dtype
    if isinstance(dtype, pl.List) != (holds == "ids") or not (inner.is_integer() or inner == pl.String):
        raise BadInput(f"reading {path}: column {name!r} is {dtype}", hint=should)
    column = frame[name]
    if column.has_nulls() or (
        holds == "ids" and (column.list.len().eq(0).any() or column.explode().has_nulls())
    ):
        raise BadInput(f"reading {path}: column {name!r} has nulls or empty lists", hint=should)
    if holds == "key" and column.is_duplicated().any():
        raise BadInput(f"reading {path}: column {name!r} has an id twice", hint=should)
