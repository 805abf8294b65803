"""What an asset page says of a table."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import polars as pl

from reco_assets.monitoring.metadata import table_metadata
from reco_assets.monitoring.preview import Column, columns, preview, ranges
from reco_assets.monitoring.vocabulary import WORDS

FRAME = pl.DataFrame(
    {
        "user_id": ["u1", "u|2", None],
        "clicks": [3, 5, 10],
        "price": [1.5, float("nan"), 2.5],
        "at": [datetime(2024, 5, 1, 12, 3, tzinfo=UTC)] * 3,
    }
)


def test_a_preview_is_a_markdown_table_with_numbers_to_the_right() -> None:
    lines = preview(FRAME, rows=2).splitlines()
    assert lines == [
        "| user_id | clicks | price | at |",
        "| --- | ---: | ---: | --- |",
        "| u1 | 3 | 1.5 | 2024-05-01 12:03:00 |",
        "| u\\|2 | 5 | nan | 2024-05-01 12:03:00 |",
    ]


def test_long_text_is_cut_and_markup_is_only_text() -> None:
    shown = preview(pl.DataFrame({"title": ["<b>" + "x" * 100], "payload": [b"\xff\x00"]}))
    assert "&lt;b>" in shown
    assert "…" in shown
    assert "<" not in shown.splitlines()[2]


def test_ranges_leave_out_what_is_unknown() -> None:
    rows = {line.split(" | ")[0].lstrip("| "): line for line in ranges(FRAME).splitlines()}
    assert rows["clicks"] == "| clicks | Int64 | 0.00% | 3 | 6 | 10 |"
    assert rows["price"] == "| price | Float64 | 33.33% | 1.5 | 2 | 2.5 |"
    assert rows["user_id"].startswith("| user_id | String | 33.33% | u1 |")


def test_an_empty_table_has_ranges_without_values() -> None:
    assert "| clicks | Int64 |  |  |  |  |" in ranges(FRAME.clear())


def test_columns_carry_their_descriptions() -> None:
    assert columns(FRAME.schema, {"clicks": "Pages opened."})[:2] == [
        Column("user_id", "String", WORDS["user_id"]),
        Column("clicks", "Int64", "Pages opened."),
    ]
    assert columns({"unheard_of": pl.Int64()}) == [Column("unheard_of", "Int64")]


def test_metadata_counts_rows_and_names_the_version() -> None:
    made = table_metadata(FRAME, version=7, rows=1_000, descriptions={"clicks": "Pages opened."})
    assert made["dagster/row_count"].value == 1_000
    assert made["delta_version"].value == 7
    schema = made["dagster/column_schema"].value
    assert isinstance(schema, dg.TableSchema)
    assert [column.name for column in schema.columns] == FRAME.columns
    assert schema.columns[1].description == "Pages opened."
