"""A shop's own columns: from its product files to the item table."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from reco_assets.catalogue import attributes
from reco_assets.catalogue.attributes import ATTRIBUTES, ATTRIBUTES_SCHEMA, latest_attributes, own_columns
from reco_assets.catalogue.ingest import PRODUCTS, ingest_files
from reco_assets.catalogue.items import ItemTable, item_table
from reco_assets.platform.lake import Lake

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def land(lake: Lake, folder: Path, name: str, content: str) -> None:
    file = folder / name
    file.write_text(content)
    ingest_files(lake, PRODUCTS, [file], NOW)


def latest(lake: Lake) -> list[tuple[str, str, str]]:
    return sorted(latest_attributes(lake.scan(ATTRIBUTES)).select("product_id", "name", "value").rows())


def test_columns_without_a_meaning_are_kept_and_each_says_its_own(lake: Lake, tmp_path: Path) -> None:
    land(lake, tmp_path, "products.csv", "sku,name,Margin,Ship To,updated_at\n7,Boot,0.3,de|at,2024-05-01\n")
    land(lake, tmp_path, "products-2.csv", "sku,Ship To,margin,updated_at\n7,,0.4,2024-06-01\n8,nl,,\n")
    assert lake.scan(ATTRIBUTES).collect().schema == pl.Schema(ATTRIBUTES_SCHEMA)
    assert latest(lake) == [("7", "margin", "0.4"), ("7", "ship_to", "de|at"), ("8", "ship_to", "nl")]


def test_a_file_read_twice_says_it_once(lake: Lake, tmp_path: Path) -> None:
    for _ in range(2):
        land(lake, tmp_path, "products.csv", "sku,margin\n7,0.3\n")
    assert lake.rows(ATTRIBUTES) == 1


def test_lists_and_flags_of_json_lines(lake: Lake, tmp_path: Path) -> None:
    rows = '{"id": "7", "regions": ["de", "at"], "eco": true, "box": {"w": 1}}\n'
    land(lake, tmp_path, "products.jsonl", rows)
    assert latest(lake) == [("7", "eco", "true"), ("7", "regions", "de|at")]


def told(**columns: list[str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (f"p{row}", name, value)
            for name, values in columns.items()
            for row, value in enumerate(values)
            if value is not None
        ],
        schema=["product_id", "name", "value"],
        orient="row",
    )


def test_a_column_is_one_of_numbers_where_all_its_values_are() -> None:
    found = own_columns(
        told(margin=["0.5", None], eco=["true", "False"], color=["red", "5"]), pl.Series(["p0", "p1"])
    )
    np.testing.assert_array_equal(found.numbers["margin"], np.array([0.5, np.nan], np.float32))
    np.testing.assert_array_equal(found.numbers["eco"], np.array([1, 0], np.float32))
    codes, names = found.texts["color"]
    assert [names[code] for code in codes] == ["red", "5"]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(attributes, "MOST_TEXTS", 1)
    monkeypatch.setattr(attributes, "MOST_COLUMNS", 1)
    found = own_columns(told(link=["a", "b"], size=["1", "2"], weight=["1", "2"]), pl.Series(["p0", "p1"]))
    assert (list(found.numbers), list(found.texts)) == (["size"], [])
    assert "link, weight" in caplog.text


def test_the_columns_come_back_from_the_tables_arrays() -> None:
    products = pl.DataFrame(
        {"product_id": ["p1", "p0"], "title": None, "category": None, "brand": None, "price": None,
         "inventory": None, "valid_from": [NOW, NOW]},
        schema_overrides={"valid_from": pl.Datetime("us", "UTC")},
    )  # fmt: skip
    items = item_table(products, told(margin=["0.5", "1"], color=["red", None]))
    again = ItemTable.of_arrays(items.arrays())
    assert again.columns.numbers["margin"].tolist() == [0.5, 1.0]
    codes, names = again.columns.texts["color"]
    assert (codes.tolist(), names.tolist()) == ([0, -1], ["red"])
