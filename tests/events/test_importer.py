from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from reco_assets.errors import BadInput
from reco_assets.events.adapters.csv import Csv
from reco_assets.events.adapters.formats import adapter
from reco_assets.events.adapters.mapping import ColumnMapping
from reco_assets.events.adapters.parquet import Parquet
from reco_assets.events.contract import QUARANTINE_SCHEMA, RAW_SCHEMA
from reco_assets.events.importer import import_files
from reco_assets.events.quarantine import quarantined, replay, summary
from reco_assets.platform.lake import Lake
from reco_assets.platform.staging import Staged
from tests.builders import click, events, purchase

NOW = datetime(2024, 6, 1, tzinfo=UTC)
TABLES = ("raw/quarantine", "raw/catalogue", "raw/users", "raw/events")
SHOP = ColumnMapping(
    {
        "user_id": "who",
        "product_id": "what",
        "timestamp": "when",
        "event_type": "did",
        "price": "price",
        "category": "category",
        "country": "country",
    },
    {"view": "click", "buy": "purchase"},
)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.csv"
    path.write_text(
        "who,what,when,did,price,category,country\n"
        "u1,p1,2024-05-01 10:00:00,view,2.50,shoes,NL\n"
        "u1,p1,2024-05-01 10:01:00,buy,2.50,shoes,NL\n"
        ",p1,2024-05-01 10:02:00,view,2.50,shoes,\n"
        "u2,p2,2024-06-01 00:06:00,view,9,,\n"
    )
    return path


class Crash(Exception):
    """Stands for a process that ends here."""


def crash_at(table: str, monkey: pytest.MonkeyPatch, *, after: bool) -> None:
    """From now on the process ends right before, or right after, the commit of ``table``."""
    real = Staged.append

    def append(staged: Staged, progress: Mapping[str, int], onto: DeltaTable | None = None) -> int:
        if staged.table == table and not after:
            raise Crash
        version = real(staged, progress, onto)
        if staged.table == table:
            raise Crash
        return version

    monkey.setattr(Staged, "append", append)


def content(lake: Lake) -> dict[str, list[tuple[object, ...]]]:
    return {
        table: sorted(
            lake.scan(table).drop("ingested_at", "ingest_date", strict=False).collect().rows(), key=str
        )
        for table in TABLES
        if lake.exists(table)
    }


def test_rows_go_where_they_belong(lake: Lake, shop: Path) -> None:
    report = import_files(lake, Csv(SHOP), [shop], NOW)
    assert (report.rows, report.accepted, report.duplicates, report.quarantined) == (4, 2, 0, 2)
    assert report.reasons == {"user_id: missing": 1, "timestamp: in the future": 1}
    raw = lake.scan("raw/events").sort("delivery_position").collect()
    assert raw.schema == pl.Schema(RAW_SCHEMA)
    assert raw["payload"].to_list()[0] == b"u1,p1,2024-05-01 10:00:00,view,2.50,shoes,NL"
    assert raw["event_type"].to_list() == ["click", "purchase"]
    bad = lake.scan("raw/quarantine").collect()
    assert bad.schema == pl.Schema(QUARANTINE_SCHEMA)
    assert sorted(bad["delivery_position"]) == [3, 4]
    products = lake.scan("raw/catalogue").collect().to_dicts()
    assert [(row["product_id"], row["category"], row["price"]) for row in products] == [("p1", "shoes", 2.5)]
    users = lake.scan("raw/users").collect().to_dicts()
    assert [(row["user_id"], row["country"]) for row in users] == [("u1", "NL")]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("table", TABLES)
def test_a_run_that_was_cut_short_is_completed_by_running_it_again(
    tmp_path: Path, shop: Path, table: str, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = Lake(str(tmp_path / "whole")), Lake(str(tmp_path / "cut"))
    import_files(whole, Csv(SHOP), [shop], NOW)
    with monkeypatch.context() as monkey:
        crash_at(table, monkey, after=after)
        with pytest.raises(Crash):
            import_files(cut, Csv(SHOP), [shop], NOW)
    # An hour later the row that was in the future is not; the first verdict stands all the same.
    later = import_files(cut, Csv(SHOP), [shop], NOW + timedelta(hours=1))
    assert later.rows == 4
    if table != "raw/quarantine" or after:
        assert content(cut) == content(whole)
    else:
        assert sum(len(content(cut)[name]) for name in ("raw/events", "raw/quarantine")) == 4


def test_a_cut_run_shows_no_event(lake: Lake, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crash_at("raw/events", monkeypatch, after=False)
    with pytest.raises(Crash):
        import_files(lake, Csv(SHOP), [shop], NOW)
    assert lake.scan("raw/events").collect().is_empty()


def test_the_same_event_in_two_files_is_a_duplicate(lake: Lake, tmp_path: Path) -> None:
    one, two = click("u1", "p1", at="2024-05-01T10:00"), purchase("u1", "p1", at="2024-05-01T10:05")
    three = click("u2", "p1", at="2024-05-02T10:00")
    events(one, two, one).write_parquet(tmp_path / "a.parquet")
    events(two, three).write_parquet(tmp_path / "b.parquet")
    report = import_files(lake, Parquet(chunk_rows=1), [tmp_path / "a.parquet", tmp_path / "b.parquet"], NOW)
    assert (report.rows, report.accepted, report.duplicates) == (5, 3, 2)
    assert lake.scan("raw/events").collect()["event_id"].n_unique() == 3


def test_parquet_rows_that_are_bad_are_kept_as_json(lake: Lake, tmp_path: Path) -> None:
    events(
        click("u1", "p1", at="2024-05-01T10:00", price=float("nan")), click("u1", "p2", at="2024-05-01T10:00")
    ).write_parquet(tmp_path / "a.parquet")
    report = import_files(lake, Parquet(), [tmp_path / "a.parquet"], NOW)
    assert (report.accepted, report.quarantined) == (1, 1)
    payload = lake.scan("raw/quarantine").collect()["payload"][0]
    assert b'"product_id":"p1"' in payload
    assert replay(lake, NOW).reasons == {"price: not finite": 1}


def test_a_parquet_file_without_ids_gets_the_same_ones_each_time(lake: Lake, tmp_path: Path) -> None:
    rows = events(click("u1", "p1", at="2024-05-01T10:00"), click("u1", "p1", at="2024-05-01T10:00"))
    rows.drop("event_id").write_parquet(tmp_path / "a.parquet")
    rows.drop("event_id").write_parquet(tmp_path / "b.parquet", compression="lz4")
    report = import_files(lake, Parquet(), [tmp_path / "a.parquet", tmp_path / "b.parquet"], NOW)
    assert (report.accepted, report.duplicates) == (2, 2)


def test_json_lines_are_read_too(lake: Lake, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(
        b'{"user_id":7,"event_type":"click","product_id":"p \\"1\\"","timestamp":"2024-05-01T10:00:00Z"}\n\n'
        b'{"event_id":"e2","user_id":"u","event_type":"search","query":"x","timestamp":1714557600}\n{"cut'
    )
    report = import_files(lake, adapter("jsonl"), [file], NOW)
    assert (report.rows, report.accepted, report.quarantined) == (3, 2, 1)
    assert lake.scan("raw/events").sort("delivery_position").collect()["delivery_position"].to_list() == [
        1,
        3,
    ]


def test_quarantine_is_replayed_once_the_rows_are_good(lake: Lake, shop: Path) -> None:
    import_files(lake, Csv(SHOP), [shop], NOW)
    assert summary(quarantined(lake))["reason"].sort().to_list() == [
        "timestamp: in the future",
        "user_id: missing",
    ]
    later = NOW + timedelta(days=1)
    replayed = replay(lake, later)
    assert (replayed.rows, replayed.accepted, replayed.quarantined) == (2, 1, 1)
    row = lake.scan("raw/events").filter(pl.col("delivery_position") == 4).collect().row(0, named=True)
    assert (row["user_id"], row["payload"]) == ("u2", b"u2,p2,2024-06-01 00:06:00,view,9,,")
    assert quarantined(lake).height == 1
    version = lake.version("raw/events")
    assert replay(lake, later).accepted == 0
    assert lake.version("raw/events") == version


def test_a_cut_line_stays_in_quarantine(lake: Lake, tmp_path: Path) -> None:
    file = tmp_path / "cut.csv"
    file.write_text(
        "who,what,when,did,price,category,country\nu1,p1,2024-05-01,view,1,a,NL\nu2,p2,2024-05-01,view"
    )
    report = import_files(lake, Csv(SHOP), [file], NOW)
    assert report.reasons == {"cut line: 4 of 7 fields": 1}
    assert replay(lake, NOW).accepted == 0


def test_a_file_that_cannot_be_read_says_why(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        import_files(lake, adapter("rees46"), [tmp_path / "nothing.csv"], NOW)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BadInput, match="the header lacks event_time, event_type"):
        import_files(lake, adapter("rees46"), [tmp_path / "other.csv"], NOW)
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(BadInput, match="empty"):
        import_files(lake, adapter("rees46"), [tmp_path / "empty.csv"], NOW)
    (tmp_path / "broken.csv.gz").write_bytes(b"\x1f\x8b\x08\x00broken")
    with pytest.raises(BadInput, match=r"decompressing .*broken"):
        import_files(lake, adapter("rees46"), [tmp_path / "broken.csv.gz"], NOW)
    (tmp_path / "x.parquet").write_text("not parquet")
    with pytest.raises(BadInput, match="as Parquet"):
        import_files(lake, Parquet(), [tmp_path / "x.parquet"], NOW)


def test_what_is_read_ahead_changes_nothing_of_the_files_before(lake: Lake, tmp_path: Path) -> None:
    first, same, broken = (tmp_path / f"{name}.parquet" for name in ("a", "b", "c"))
    events(click("u1", "p1", at="2024-05-01T10:00")).write_parquet(first)
    same.write_bytes(first.read_bytes())
    broken.write_text("not parquet")
    told: list[tuple[str, int]] = []

    with pytest.raises(BadInput, match=r"c\.parquet as Parquet"):
        import_files(
            lake, Parquet(), [first, same, broken], NOW, lambda path, _, rows: told.append((path.name, rows))
        )

    assert lake.scan("raw/events").collect().height == 1
    assert told == [("a.parquet", 1), ("b.parquet", 1)]
    report = import_files(lake, Parquet(), [first, same], NOW)
    assert (report.files, report.rows, report.duplicates) == (2, 2, 2)
