from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from reco_assets.errors import BadInput
from reco_assets.events.adapters.csv import Csv, guessed, sample
from reco_assets.events.adapters.mapping import ColumnMapping, guess
from reco_assets.events.importer import import_files
from reco_assets.platform.lake import Lake

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def table(**columns: list[str | None]) -> pl.DataFrame:
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String()))


def test_columns_are_guessed_from_their_names() -> None:
    found = guess(
        table(CustomerID=["1"], SKU=["a"], event_time=["2024-05-01 10:00:00"], action=["pageview"]),
        ColumnMapping({}),
    )
    assert found.mapping == ColumnMapping(
        {"user_id": "CustomerID", "product_id": "SKU", "timestamp": "event_time", "event_type": "action"},
        {"pageview": "click"},
    )


def test_columns_are_guessed_from_their_values() -> None:
    found = guess(
        table(uid=["1", "2"], item=["a", "b"], c3=["1714557600", "1714557601"], c4=["view", "addToCart"]),
        ColumnMapping({}),
    )
    assert found.mapping.columns["timestamp"] == "c3"
    assert found.mapping.columns["event_type"] == "c4"
    assert found.mapping.event_types == {"view": "click", "addToCart": "add_to_cart"}
    assert ("timestamp", "c3", "by its values", "1714557600") in found.grounds


def test_a_name_does_not_win_against_the_values() -> None:
    found = guess(table(user=["1"], item=["a"], time=["morning"], ts=["2024-05-01"]), ColumnMapping({}))
    assert found.mapping.columns["timestamp"] == "ts"


def test_what_is_given_is_kept() -> None:
    found = guess(
        table(user=["1"], buyer=["2"], item=["a"], ts=["2024-05-01"], type=["x"]),
        ColumnMapping({"user_id": "buyer"}, {"x": "favorite"}),
    )
    assert found.mapping.columns["user_id"] == "buyer"
    assert found.mapping.event_types == {"x": "favorite"}


def test_a_table_of_ratings_is_a_table_of_rate_events() -> None:
    found = guess(
        table(userId=["1"], movieId=["2"], rating=["4.5"], timestamp=["964982703"]), ColumnMapping({})
    )
    assert found.mapping.event_types == {"*": "rate"}
    found.mapping.check(["userId", "movieId", "rating", "timestamp"], "ratings.csv")


def test_columns_that_are_missing_are_named() -> None:
    with pytest.raises(BadInput, match="no column is known for user_id, event_type, timestamp") as raised:
        ColumnMapping({"product_id": "b"}).check(["a", "b"], "x.csv")
    assert "its columns are a, b" in raised.value.hint
    with pytest.raises(BadInput, match="the header has no column for user_id=uid"):
        ColumnMapping({"user_id": "uid"}).check(["a"], "x.csv")
    with pytest.raises(BadInput, match="no field is called person"):
        ColumnMapping({"person": "a"})
    with pytest.raises(BadInput, match="there is no type viewing"):
        ColumnMapping({}, {"view": "viewing"})


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_strangers_file_is_imported(lake: Lake, tmp_path: Path, separator: str) -> None:
    path = tmp_path / "log.csv"
    rows = [
        ["visitor", "sku", "ts", "event", "price", "department"],
        ["v1", "s1", "2024-05-01T10:00:00+02:00", "view", "9.5", "shoes > boots"],
        ["v1", "s1", "2024-05-01T10:01:00+02:00", "addtocart", "9.5", "shoes > boots"],
        ["v2", "s2", "2024-05-01T09:00:00+02:00", "teleport", "", ""],
        ["v2", "s2"],
    ]
    path.write_text("\ufeff" + "\r\n".join(separator.join(row) for row in rows) + "\r\n")
    report = import_files(lake, guessed(path, ColumnMapping({})), [path], NOW)
    assert (report.rows, report.accepted) == (4, 2)
    assert report.reasons == {
        "event_type: missing": 1,
        "event_type: unknown 'teleport'": 1,
        "timestamp: missing": 1,
    }
    raw = lake.scan("raw/events").sort("timestamp").collect()
    assert raw["event_type"].to_list() == ["click", "add_to_cart"]
    assert raw["timestamp"][0] == datetime(2024, 5, 1, 8, tzinfo=UTC)
    assert lake.scan("raw/catalogue").collect()["category"].to_list() == ["shoes > boots"]


def test_a_file_of_one_kind_needs_no_type_column(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("customer,product,date,qty\nc1,p1,2024-05-01,2\n")
    adapter = guessed(path, ColumnMapping({}, {"*": "purchase"}))
    assert import_files(lake, adapter, [path], NOW).accepted == 1
    row = lake.scan("raw/events").collect().row(0, named=True)
    assert (row["event_type"], row["quantity"]) == ("purchase", 2)


def test_ids_of_the_file_are_kept(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(
        "event_id,user_id,product_id,timestamp,event_type\n"
        "e1,u,p,2024-05-01,click\ne2,u,p,2024-05-01,click\ne1,u,p,2024-05-01,click\n"
    )
    report = import_files(lake, Csv(guess(sample(path), ColumnMapping({})).mapping), [path], NOW)
    assert (report.accepted, report.duplicates) == (2, 1)
    assert sorted(lake.scan("raw/events").collect()["event_id"]) == ["e1", "e2"]
