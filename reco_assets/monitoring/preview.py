"""How a table shows itself on its asset page: a preview, its ranges and its columns, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import polars as pl

from reco_assets.monitoring.vocabulary import WORDS

#: The most characters of one cell; the rest is cut, since a page shows a glimpse.
_WIDEST: Final = 60


@dataclass(frozen=True)
class Column:
    """One column of a table: its name, its type as Polars names it, and what it says."""

    name: str
    dtype: str
    description: str = ""


def columns(schema: Mapping[str, pl.DataType], descriptions: Mapping[str, str] | None = None) -> list[Column]:
    """Columns of ``schema`` in order; ``descriptions`` come before what the name means in all tables."""
    known = {**WORDS, **(descriptions or {})}
    return [Column(name, str(dtype), known.get(name, "")) for name, dtype in schema.items()]


def preview(frame: pl.DataFrame, rows: int = 10) -> str:
    """Markdown table of the first ``rows`` rows; numbers to the right, unknown values empty."""
    if not frame.width:
        return "(no columns)"
    shown = frame.head(rows)
    header = _row(frame.columns)
    rule = "| " + " | ".join("---:" if dtype.is_numeric() else "---" for dtype in frame.dtypes) + " |"
    body = [_row([_cell(value) for value in row]) for row in shown.iter_rows()]
    return "\n".join([header, rule, *body])


def ranges(frame: pl.DataFrame) -> str:
    """Markdown table of each column's share of unknown values, minimum, mean and maximum."""
    lines = [
        "| column | type | unknown | minimum | mean | maximum |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for column in frame.get_columns():
        known = column.drop_nulls()
        if column.dtype.is_float():
            known = known.filter(known.is_not_nan())
        unknown = f"{1 - len(known) / len(column):.2%}" if len(column) else ""
        lowest, mean, highest = _spread(known)
        lines.append(_row([column.name, str(column.dtype), unknown, lowest, mean, highest]))
    return "\n".join(lines)


def _spread(known: pl.Series) -> tuple[str, str, str]:
    if not len(known) or known.dtype.is_nested() or known.dtype in (pl.Binary, pl.Null):
        return "", "", ""
    mean = _cell(known.mean()) if known.dtype.is_numeric() else ""
    return _cell(known.min()), mean, _cell(known.max())


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool() | int():
            return str(value)
        case float():
            return f"{value:.6g}"
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%S")
        case date():
            return value.isoformat()
        case bytes():
            text = value.decode("utf-8", errors="replace")
        case _:
            text = str(value)
    text = " ".join(text.split()).replace("|", "\\|").replace("`", "'").replace("<", "&lt;")
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
