from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from reco_assets.catalogue.ingest import PRODUCTS, USERS, ingest_files, ingest_landing
from reco_assets.errors import BadInput
from reco_assets.events.observations import CATALOGUE_SCHEMA
from reco_assets.platform.lake import Lake

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def test_a_products_file_is_read_once(lake: Lake, tmp_path: Path) -> None:
    file = tmp_path / "products.csv"
    file.write_text(
        "sku,name,price,stock,updated_at\n7,Boot,9.5,3,2024-05-01\n,Shoe,1,1,2024-05-01\n8,Sock,,,\n"
    )
    report = ingest_files(lake, PRODUCTS, [file], NOW)
    assert (report.rows, report.appended, report.refused) == (3, 2, 1)
    found = lake.scan("raw/catalogue").sort("delivery_position").collect()
    assert found.schema == pl.Schema(CATALOGUE_SCHEMA)
    assert found.select("product_id", "title", "price", "inventory", "observed_at").rows() == [
        ("7", "Boot", 9.5, 3, datetime(2024, 5, 1, tzinfo=UTC)),
        ("8", "Sock", None, None, NOW),
    ]
    version = lake.version("raw/catalogue")
    again = ingest_files(lake, PRODUCTS, [file], NOW)
    assert (again.appended, again.known) == (0, 3)
    assert lake.version("raw/catalogue") == version


def test_json_lines_and_parquet_are_read_too(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "users.jsonl").write_text(
        '{"user_id": 1, "country": "NL"}\n{"user_id": 2, "segment": "vip"}\n'
    )
    pl.DataFrame({"user_id": ["3"], "country": ["DE"], "observed_at": [NOW]}).write_parquet(
        tmp_path / "users2.parquet"
    )
    files = [tmp_path / "users.jsonl", tmp_path / "users2.parquet"]
    assert ingest_files(lake, USERS, files, NOW).appended == 3
    found = lake.scan("raw/users").sort("user_id").collect()
    assert found.select("user_id", "country", "segment").rows() == [
        ("1", "NL", None),
        ("2", None, "vip"),
        ("3", "DE", None),
    ]


def test_the_landing_folder_is_searched_for_both(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    pl.DataFrame({"product_id": ["p"], "price": [1.0]}).write_parquet(tmp_path / "products.parquet")
    (tmp_path / "shop" / "users.csv").write_text("user_id,country\nu,NL\n")
    products, users = ingest_landing(lake, tmp_path, NOW)
    assert (products.appended, users.appended) == (1, 1)


def test_a_file_without_ids_is_refused(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_text("name\nBoot\n")
    with pytest.raises(BadInput, match="no column product_id"):
        ingest_files(lake, PRODUCTS, [tmp_path / "products.csv"], NOW)
    (tmp_path / "products.xls").write_text("")
    with pytest.raises(BadInput, match="the ending says no format"):
        ingest_files(lake, PRODUCTS, [tmp_path / "products.xls"], NOW)
