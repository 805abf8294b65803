from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from reco_assets.events.adapters.formats import adapter
from reco_assets.events.importer import import_files
from reco_assets.events.report import ImportReport
from reco_assets.platform.lake import Lake

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def imported(lake: Lake, name: str, path: Path) -> ImportReport:
    report = import_files(lake, adapter(name), [path], NOW)
    assert report.rows == report.accepted + report.duplicates + report.quarantined
    events = lake.scan("raw/events").collect()
    assert events.height == report.accepted == events["event_id"].n_unique()
    assert lake.scan("raw/quarantine").collect().height == report.quarantined
    versions = {
        table: lake.version(table)
        for table in ("raw/events", "raw/quarantine", "raw/catalogue")
        if lake.exists(table)
    }
    again = import_files(lake, adapter(name), [path], NOW)
    assert (again.rows, again.duplicates, again.accepted) == (report.rows, report.rows, 0)
    assert versions == {table: lake.version(table) for table in versions}
    return report


def test_rees46_is_accounted_for_to_the_row(shared_data: Path, lake: Lake) -> None:
    report = imported(lake, "rees46", shared_data / "rees46_2019_oct_fragment.csv.gz")
    assert (report.rows, report.accepted) == (17_435, 17_434)
    assert report.reasons == {"cut line: 8 of 9 fields": 1}
    kinds = lake.scan("raw/events").group_by("event_type").len().collect()
    assert dict(kinds.iter_rows()) == {"click": 17_055, "add_to_cart": 165, "purchase": 214}
    bad = lake.scan("raw/quarantine").collect().row(0, named=True)
    assert bad["delivery_position"] == 17_435
    assert bad["payload"].endswith(b",elenberg,25.71,52040330")


def test_rees46_tells_what_its_products_are(shared_data: Path, lake: Lake) -> None:
    imported(lake, "rees46", shared_data / "rees46_2019_oct_fragment.csv.gz")
    products = lake.scan("raw/catalogue").collect()
    assert products["product_id"].n_unique() == 6_493
    heater = products.filter(pl.col("product_id") == "3900821").row(0, named=True)
    assert heater["category"] == "appliances > environment > water_heater"
    assert (heater["brand"], heater["price"]) == ("aqua", 33.20)
    unnamed = products.filter(pl.col("product_id") == "44600062").row(0, named=True)
    assert unnamed["category"] == "2103807459595387724"


def test_tmall_is_accounted_for_and_repeats_are_events(shared_data: Path, lake: Lake) -> None:
    report = imported(lake, "tmall2014", shared_data / "tmall2014_events.csv.gz")
    assert (report.rows, report.accepted, report.quarantined) == (182_880, 182_880, 0)
    assert (report.first_day, report.last_day) == (date(2013, 4, 15), date(2013, 8, 15))
    kinds = lake.scan("raw/events").group_by("event_type").len().collect()
    assert dict(kinds.iter_rows()) == {
        "click": 174_539,
        "purchase": 6_984,
        "favorite": 1_204,
        "add_to_cart": 153,
    }


def test_online_retail_is_accounted_for_and_explained(shared_data: Path, lake: Lake) -> None:
    report = imported(lake, "online-retail", shared_data / "uci_online_retail.csv.gz")
    assert (report.rows, report.accepted, report.quarantined) == (541_909, 527_761, 14_148)
    assert report.reasons["cancellation"] == 9_288
    guests = lake.scan("raw/events").filter(pl.col("source") == "online-retail:guest").collect()
    assert guests["user_id"].str.starts_with("invoice:").all()
    assert (guests["user_id"] == "invoice:" + guests["session_id"]).all()
    people = lake.scan("raw/events").filter(pl.col("source") == "online-retail").collect()
    assert people.height + guests.height == report.accepted
    assert people["user_id"].str.contains(r"^\d{5}$").all()
    bag = lake.scan("raw/catalogue").filter(pl.col("product_id") == "85099B").collect()
    assert "JUMBO BAG RED RETROSPOT" in bag["title"].to_list()
    assert lake.scan("raw/users").select(pl.col("country").n_unique()).collect().item() > 30


def test_a_recompressed_copy_is_the_same_delivery(shared_data: Path, lake: Lake, tmp_path: Path) -> None:
    original = shared_data / "rees46_2019_oct_fragment.csv.gz"
    imported(lake, "rees46", original)
    plain = tmp_path / "renamed.csv"
    plain.write_bytes(gzip.decompress(original.read_bytes()))
    again = import_files(lake, adapter("rees46"), [plain], NOW)
    assert (again.accepted, again.duplicates) == (0, 17_435)


def test_a_log_that_has_grown_adds_only_what_is_new(shared_data: Path, lake: Lake, tmp_path: Path) -> None:
    lines = gzip.decompress((shared_data / "rees46_2019_oct_fragment.csv.gz").read_bytes()).splitlines(True)
    log = tmp_path / "log.csv"
    log.write_bytes(b"".join(lines[:1001]))
    import_files(lake, adapter("rees46"), [log], NOW)
    log.write_bytes(b"".join(lines[:3001]))
    grown = import_files(lake, adapter("rees46"), [log], NOW)
    assert (grown.rows, grown.duplicates, grown.accepted) == (3_000, 1_000, 2_000)


@pytest.mark.parametrize("name", ["rees46", "tmall2014", "online-retail"])
def test_ids_do_not_depend_on_the_pieces_a_file_is_read_in(shared_data: Path, name: str) -> None:
    from dataclasses import replace

    from reco_assets.events.adapters.delimited import Delimited

    path = {
        "rees46": "rees46_2019_oct_fragment.csv.gz",
        "tmall2014": "tmall2014_events.csv.gz",
        "online-retail": "uci_online_retail.csv.gz",
    }[name]
    whole = adapter(name)
    assert isinstance(whole, Delimited)
    pieces = replace(whole, chunk_bytes=1_000_003)

    def ids(reads: Delimited) -> pl.DataFrame:
        rows = [
            batch.rows.select("delivery_position", "event_id") for batch in reads.batches(shared_data / path)
        ]
        return pl.concat(rows)

    assert ids(pieces).equals(ids(whole))
