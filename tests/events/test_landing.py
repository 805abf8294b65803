from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from reco_assets.errors import BadInput
from reco_assets.events.landing import import_landing
from reco_assets.platform.lake import Lake
from tests.builders import click, events

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def test_no_folder_is_no_file_and_leaves_empty_tables(lake: Lake, tmp_path: Path) -> None:
    assert import_landing(lake, tmp_path / "landing", NOW).rows == 0
    assert lake.scan("raw/events").collect().is_empty()
    assert lake.scan("raw/quarantine").collect().is_empty()


def test_what_lies_there_is_imported_once(lake: Lake, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    for folder in ("events", "shop2/events", "csv", "jsonl", ".hidden"):
        (landing / folder).mkdir(parents=True)
    events(click("u1", "p1", at="2024-05-01T10:00")).write_parquet(landing / "events" / "2024-05-01.parquet")
    events(click("u2", "p1", at="2024-05-02T10:00")).write_parquet(
        landing / "shop2/events/2024-05-02.parquet"
    )
    pl.DataFrame({"product_id": ["p1"]}).write_parquet(landing / "products.parquet")
    (landing / "manifest.json").write_text("{}")
    (landing / "notes.pdf").write_text("?")
    (landing / ".hidden" / "x.csv").write_text("?")
    (landing / "csv" / "log.csv").write_text("a,b,c,d\nu3,p1,2024-05-03,seen\n")
    (landing / "csv" / "mapping.json").write_text(
        json.dumps(
            {
                "columns": {"user_id": "a", "product_id": "b", "timestamp": "c", "event_type": "d"},
                "event_types": {"seen": "click"},
            }
        )
    )
    (landing / "jsonl" / "log.jsonl").write_text(
        '{"user_id":"u4","product_id":"p1","event_type":"click","timestamp":"2024-05-04"}\n'
    )
    first = import_landing(lake, landing, NOW)
    assert (first.files, first.rows, first.accepted) == (4, 4, 4)
    assert first.ignored == ("notes.pdf",)
    assert sorted(lake.scan("raw/events").collect()["user_id"]) == ["u1", "u2", "u3", "u4"]
    version = lake.version("raw/events")
    again = import_landing(lake, landing, NOW)
    assert (again.rows, again.accepted, again.duplicates) == (4, 0, 4)
    assert lake.version("raw/events") == version


def test_a_mapping_that_cannot_be_read_is_named(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "a.csv").write_text("a\n1\n")
    (tmp_path / "csv" / "mapping.json").write_text("{")
    with pytest.raises(BadInput, match=r"mapping\.json"):
        import_landing(lake, tmp_path, NOW)
