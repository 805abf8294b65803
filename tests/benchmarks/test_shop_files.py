"""A shop's files cut by time: nothing of the test period is taken in."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from benchmarks.quality.live_shop import LiveShop
from benchmarks.quality.periods import micros
from benchmarks.quality.shop_files import Within, open_files, read_log
from reco_assets.errors import BadInput
from reco_assets.events.importer import import_files
from reco_assets.platform.lake import Lake

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LINES = """who,what,did,when,category
u,tea,view,2024-05-01T10:00:00,Drinks
u,cup,buy,2024-05-02T00:00:00,Dishes
v,tea,view,2024-05-02T10:00:00,Groceries
v,pot,view,never,Dishes
"""
MAPPING = "user_id=who,product_id=what,event_type=did,timestamp=when"
TYPES = "view=click,buy=purchase"


def shop_of(folder: Path) -> Path:
    folder.mkdir()
    (folder / "log.csv").write_text(LINES)
    return folder


def midnight(day: int) -> int:
    return micros(datetime(2024, 5, day))


def test_parts_of_a_file_are_deliveries_of_their_own_and_together_the_whole(
    lake: Lake, tmp_path: Path
) -> None:
    files = open_files([shop_of(tmp_path / "in")], "csv", MAPPING, TYPES)
    counts = []
    for first, last in ((0, midnight(2)), (midnight(2), midnight(3)), (midnight(2), midnight(3))):
        report = import_files(lake, Within(files.reads, first, last), files.events, NOW)
        counts.append((report.accepted, report.quarantined, report.duplicates))
    assert counts == [(1, 1, 0), (2, 0, 0), (0, 0, 2)]
    raw = lake.scan("raw/events").select("product_id", "timestamp").collect().sort("timestamp")
    assert raw["product_id"].to_list() == ["tea", "cup", "tea"]


def test_nothing_of_the_test_period_is_in_the_shop(tmp_path: Path) -> None:
    folder = shop_of(tmp_path / "in")
    (folder / "products.csv").write_text(
        "product_id,price,observed_at\ntea,3,2024-05-01\ntea,5,2024-05-02\ncup,9,\n"
    )
    told: list[str] = []
    shop = LiveShop(tmp_path / "home", open_files([folder], "csv", MAPPING, TYPES), told.append)
    shop.take_in(midnight(2))
    seen = shop.lake.scan("raw/events").collect()
    assert seen["product_id"].to_list() == ["tea"]
    observed = shop.lake.scan("raw/catalogue").collect()
    assert (observed["observed_at"] < datetime(2024, 5, 2, tzinfo=UTC)).all()
    assert set(observed["category"].drop_nulls()) == {"Drinks"}
    assert observed["price"].drop_nulls().to_list() == [3.0]
    assert any("1 rows without a time are left out" in line for line in told)
    shop.take_in(midnight(3))
    assert shop.lake.scan("raw/events").collect().height == 3
    assert set(shop.lake.scan("raw/catalogue").collect()["price"].drop_nulls()) == {3.0, 5.0}


def test_the_log_holds_accepted_events_in_the_order_of_time(tmp_path: Path) -> None:
    log = read_log(open_files([shop_of(tmp_path / "in")], "csv", MAPPING, TYPES), NOW, lambda told: None)
    assert log["product_id"].to_list() == ["tea", "cup", "tea"]
    assert log["event_type"].to_list() == ["click", "purchase", "click"]


def test_a_log_in_which_nothing_is_an_event_says_why(tmp_path: Path) -> None:
    files = open_files([shop_of(tmp_path / "in")], "csv", MAPPING, "view=search,buy=search")
    with pytest.raises(BadInput, match="no event of a person with a product") as caught:
        read_log(files, NOW, lambda told: None)
    assert "--event-types" in caught.value.hint


def test_guests_are_nobody(tmp_path: Path) -> None:
    pl.DataFrame(
        {
            "InvoiceNo": ["1", "2"],
            "StockCode": ["10001", "10001"],
            "Description": ["cup", "cup"],
            "Quantity": ["1", "1"],
            "InvoiceDate": ["2011-01-01 10:00:00", "2011-01-01 11:00:00"],
            "UnitPrice": ["2", "2"],
            "CustomerID": ["7", None],
            "Country": ["France", "France"],
        }
    ).write_csv(tmp_path / "retail.csv")
    log = read_log(open_files([tmp_path / "retail.csv"], "online-retail"), NOW, lambda told: None)
    assert log["user_id"].to_list() == ["7"]


def test_a_format_with_columns_of_its_own_takes_no_mapping(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="columns of its own"):
        open_files([shop_of(tmp_path / "in")], "rees46", mapping="user_id=who")


def test_a_file_of_another_format_is_told_by_its_missing_columns(tmp_path: Path) -> None:
    files = open_files([shop_of(tmp_path / "in")], "tmall2014")
    with pytest.raises(BadInput, match="the header lacks user_id, brand_id"):
        read_log(files, NOW, lambda told: None)
