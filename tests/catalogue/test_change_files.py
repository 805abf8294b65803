"""Files of changes: JSON lines, what DMS writes to S3, the landing folder, quarantine and replay."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from reco_assets.catalogue.changes.files import import_changes, import_changes_landing
from reco_assets.catalogue.changes.replay import replay_changes
from reco_assets.catalogue.changes.tables import Tables
from reco_assets.catalogue.ingest import ingest_landing
from reco_assets.errors import BadInput
from reco_assets.events import quarantine
from reco_assets.events.landing import import_landing
from reco_assets.platform.lake import Lake
from reco_assets.platform.streams.positions import place_of
from tests.catalogue.changes import NOW, Row, change, encoded, forget_last_commit, moment

BOOT: Row = {"id": 1, "title": "Boot", "price": 9.5, "stock": 3}
LINE: Row = {
    "order_id": 1,
    "line_id": 5,
    "user_id": 7,
    "product_id": 1,
    "quantity": 1,
    "price": 9.5,
    "ordered_at": "2024-05-01T10:00:00Z",
    "status": "paid",
}


def ordered(op: str, at: str, lsn: int, **said: object) -> Row:
    after = None if op == "d" else LINE | said
    return change(op, at, lsn, table="orders", after=after, before=LINE if op == "d" else None)


def file_of(path: Path, *messages: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\n".join(encoded(*messages)) + b"\n")
    return path


def test_files_of_dms_are_of_the_table_of_their_folder(lake: Lake, tmp_path: Path) -> None:
    folder = tmp_path / "shop" / "products"
    folder.mkdir(parents=True)
    load = folder / "LOAD00000001.csv"
    load.write_text("id,title,price,stock,dms_timestamp\n1,Boot,9.50,3,2024-05-01 00:00:00.000000\n")
    log = folder / "20240502-120000000.csv"
    log.write_text(
        "Op,id,title,price,stock,dms_timestamp\n"
        "U,1,Boot,12.00,,2024-05-02 10:00:00.000000\nD,1,Boot,12.00,,2024-05-03 10:00:00.000000\n"
        "X,1,,,,2024-05-03 10:00:00.000000\n"
    )
    pl.DataFrame({"Op": ["I"], "id": [2], "title": ["Sock"], "dms_timestamp": [NOW]}).write_parquet(
        folder / "20240601.parquet"
    )
    report = import_changes(lake, [log, folder / "20240601.parquet", load], NOW)
    assert (report.changes, report.quarantined, dict(report.reasons)) == (4, 1, {"Op: unknown 'X'": 1})
    rows = lake.scan("raw/changes").sort("log_position").collect()
    assert rows.select("op", "key", "source_table", "price", "inventory", "source_ts").rows() == [
        ("r", "1", "shop.products", 9.5, 3, moment("2024-05-01")),
        ("u", "1", "shop.products", 12.0, None, moment("2024-05-02T10:00")),
        ("d", "1", "shop.products", None, None, moment("2024-05-03T10:00")),
        ("c", "2", "shop.products", None, None, NOW),
    ]


def test_a_sequence_of_dms_orders_changes_of_one_moment(lake: Lake, tmp_path: Path) -> None:
    file = tmp_path / "products.csv"
    file.write_text(
        "Op,id,price,ar_h_change_seq,ar_h_timestamp,timestamp\n"
        "U,1,2,20240501000000000000000000000000010,,2024-05-01\n"
        "I,1,1,20240501000000000000000000000000009,,2024-05-01\n"
    )
    import_changes(lake, [file], NOW)
    rows = lake.scan("raw/changes").sort("log_position").collect()
    assert rows["price"].to_list() == [1.0, 2.0]


def test_a_file_of_no_table_is_refused_and_one_without_format_is_left_alone(
    lake: Lake, tmp_path: Path
) -> None:
    (tmp_path / "coupons.csv").write_text("Op,id\nI,1\n")
    with pytest.raises(BadInput, match="is a table of products, users or orders"):
        import_changes(lake, [tmp_path / "coupons.csv"], NOW)
    (tmp_path / "notes.txt").write_text("")
    assert import_changes(lake, [tmp_path / "notes.txt"], NOW).skipped == (str(tmp_path / "notes.txt"),)


def test_the_same_content_compressed_is_the_same_delivery(lake: Lake, tmp_path: Path) -> None:
    plain = file_of(tmp_path / "a.jsonl", change("c", "2024-05-01", 1, after=BOOT))
    packed = tmp_path / "b.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    report = import_changes(lake, [plain, packed], NOW)
    assert (report.files, report.messages, report.changes, report.known) == (2, 2, 1, 1)


def test_the_landing_folder_keeps_changes_apart_from_events_and_catalogues(
    lake: Lake, tmp_path: Path
) -> None:
    given = {"tables": {"products": {"entity": "products", "columns": {"price": "preis"}}}}
    folder = tmp_path / "changes"
    file_of(folder / "products.jsonl", change("c", "2024-05-01", 1, after={"id": 1, "preis": 4}))
    (folder / "changes.json").write_text(json.dumps(given))
    assert import_landing(lake, tmp_path, NOW).ignored == ()
    assert ingest_landing(lake, tmp_path, NOW)[0].files == 0
    assert import_changes_landing(lake, tmp_path, NOW).changes == 1
    assert lake.scan("raw/changes").collect()["price"].to_list() == [4.0]


def test_what_is_bad_waits_in_quarantine_until_the_mapping_is_mended(lake: Lake, tmp_path: Path) -> None:
    file = file_of(
        tmp_path / "a.jsonl", change("c", "2024-05-01", 1, after=BOOT | {"price": "9,5", "cost": 7})
    )
    assert import_changes(lake, [file], NOW).quarantined == 1
    assert quarantine.replay(lake, NOW).rows == 0  # it is no event
    assert replay_changes(lake, NOW).changes == 0
    mended = Tables('{"tables": {"products": {"entity": "products", "columns": {"price": "cost"}}}}')
    assert replay_changes(lake, NOW, mended).changes == 1
    assert lake.scan("raw/changes").collect()["price"].to_list() == [7.0]
    assert quarantine.quarantined(lake).height == 0
    assert replay_changes(lake, NOW, mended).messages == 0


def test_an_import_that_was_cut_short_is_completed(lake: Lake, tmp_path: Path) -> None:
    file = file_of(tmp_path / "a.jsonl", b"{", ordered("c", "2024-05-01T10:00", 1))
    import_changes(lake, [file], NOW)
    forget_last_commit(lake, "raw/changes")
    assert lake.rows("raw/changes") == 0
    import_changes(lake, [file], NOW)
    assert [lake.rows(table) for table in ("raw/quarantine", "raw/events", "raw/changes")] == [1, 1, 1]


def test_a_line_that_changes_later_is_one_purchase_whatever_came_first(tmp_path: Path) -> None:
    first, second = (
        ordered("c", "2024-05-01T10:00", 1, quantity=2),
        ordered("u", "2024-05-01T11:00", 2, quantity=1),
    )
    found = []
    for name, messages in (("a", (first, second)), ("b", (second, first))):
        lake = Lake(str(tmp_path / name))
        for number, message in enumerate(messages):
            import_changes(lake, [file_of(tmp_path / f"{name}{number}.jsonl", message)], NOW)
        columns = ["event_id", "timestamp", "quantity"]
        found.append(lake.scan("raw/events").select(columns).sort(columns).collect())
    assert found[0].equals(found[1])
    assert found[0]["event_id"].n_unique() == 1


def test_a_line_that_never_counted_is_no_purchase(lake: Lake, tmp_path: Path) -> None:
    file = file_of(
        tmp_path / "a.jsonl",
        ordered("r", "2024-05-02", 1, status=" Refunded "),
        ordered("c", "2024-05-02", 2, line_id=6, quantity=0),
        ordered("c", "2024-05-02", 3, line_id=7, user_id=None),
        ordered("d", "2024-05-02", 4),
    )
    report = import_changes(lake, [file], NOW)
    assert (report.changes, report.purchases, dict(report.refused)) == (4, 0, {"user_id: missing": 1})


def test_a_place_of_kinesis_fits_the_table() -> None:
    assert place_of("s", "0", 2**62 - 1) == ("stream:s:0", 2**62 - 1)
    assert place_of("s", "0", 2**62 * 5 + 3) == ("stream:s:0:5", 3)
