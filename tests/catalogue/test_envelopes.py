"""What is read in the envelopes of Debezium and of DMS, and what is refused with which reason."""

from __future__ import annotations

import json

import pytest

from reco_assets.catalogue.changes.envelope import UNAVAILABLE, Envelope
from reco_assets.catalogue.changes.wrapping import read_envelope
from tests.catalogue.changes import Row, change, moment, read

BOOT: Row = {"id": 1, "title": "Boot", "price": "9.50", "stock": 3}


def envelope(message: object) -> Envelope:
    found = read_envelope(json.dumps(message).encode())
    assert found is not None
    return found


def reasons(*messages: object) -> list[list[str]]:
    return read(*messages).bad["reasons"].to_list()


def test_a_row_has_its_columns_by_their_names() -> None:
    (row,) = read(change("c", "2024-05-01", 7, after=BOOT)).changes.to_dicts()
    assert (row["entity"], row["source_table"], row["key"], row["op"]) == (
        "products",
        "public.products",
        "1",
        "c",
    )
    assert (row["title"], row["price"], row["inventory"], row["category"]) == ("Boot", 9.5, 3, None)
    assert row["said"] == ["inventory", "price", "title"]
    assert row["source_ts"] == moment("2024-05-01")


@pytest.mark.parametrize(
    "wrap",
    [
        lambda body: body,
        lambda body: {"schema": {"type": "struct"}, "payload": body},
        lambda body: {"key": {"id": 1}, "value": body},
        lambda body: {"topic": "shop.public.products", "key": None, "payload": json.dumps(body)},
        lambda body: {"key": '{"payload": {"id": 1}}', "value": {"schema": None, "payload": body}},
    ],
)
def test_the_wrapping_makes_no_difference(wrap: object) -> None:
    body = change("u", "2024-05-01", 7, after=BOOT)
    assert callable(wrap)
    assert envelope(wrap(body)).after == BOOT


@pytest.mark.parametrize(
    "message", [None, {"schema": None, "payload": None}, {"key": {"id": 1}, "value": None}]
)
def test_a_tombstone_says_nothing(message: object) -> None:
    assert read_envelope(json.dumps(message).encode()) is None
    assert read(b"", b"  ").ignored == 2


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({"lsn": 99}, {"lsn": 100}),
        ({"lsn": "99"}, {"lsn": "100"}),
        ({"file": "bin.000009", "pos": 500}, {"file": "bin.000010", "pos": 4}),
        ({"file": "bin.000009", "pos": 99, "row": 1}, {"file": "bin.000009", "pos": 99, "row": 2}),
        ({"file": "bin.999999", "pos": 4}, {"file": "bin.1000000", "pos": 4}),
        ({"gtid": "3e11:9"}, {"gtid": "3e11:10"}),
        (
            {"commit_lsn": "00000027:00000758:0003", "change_lsn": "00000027:00000758:0002"},
            {"commit_lsn": "00000027:00000ac0:0001", "change_lsn": "00000027:00000758:0002"},
        ),
        (
            {"commit_lsn": "00000027:00000758:0003", "change_lsn": None},
            {"commit_lsn": "00000027:00000758:0003", "change_lsn": "00000027:00000758:0002"},
        ),
        ({"scn": "900"}, {"scn": "1000"}),
    ],
)
def test_positions_sort_as_the_log_of_each_database(earlier: Row, later: Row) -> None:
    # the times say the opposite, and do not count
    one = envelope(change("c", "2024-05-02", after=BOOT, source=earlier))
    two = envelope(change("c", "2024-05-01", after=BOOT, source=later))
    assert one.log == two.log
    assert one.position < two.position


def test_the_finest_time_is_taken() -> None:
    message = change("c", "2024-05-01", 1, after=BOOT, source={"ts_us": 1_714_521_600_000_123})
    assert envelope(message).at_us == 1_714_521_600_000_123
    late = change("c", "2024-05-01", 1, after=BOOT, source={"ts_ms": 0}) | {"ts_ms": 1_714_521_600_000}
    assert envelope(late).at_us == 1_714_521_600_000_000


def test_times_have_the_unit_that_the_schema_names() -> None:
    kinds = {
        "io.debezium.time.MicroTimestamp": 1_714_521_600_000_000,
        "io.debezium.time.Timestamp": 1_714_521_600_000,
        "org.apache.kafka.connect.data.Timestamp": 1_714_521_600_000,
        "io.debezium.time.NanoTimestamp": 1_714_521_600_000_000_000,
        "io.debezium.time.Date": 19_844,
        "io.debezium.time.ZonedTimestamp": "2024-05-01T00:00:00Z",
    }
    for kind, value in kinds.items():
        after = {"order_id": 1, "line_id": 2, "user_id": 3, "product_id": 4, "ordered_at": value}
        column = {"field": "ordered_at", "name": kind}
        body = change("c", "2024-05-02", 1, after=after, table="orders")
        found = read({"schema": {"fields": [{"field": "after", "fields": [column]}]}, "payload": body})
        assert found.changes["ordered_at"].to_list() == [moment("2024-05-01")], kind


def test_a_large_value_that_was_left_alone_says_nothing() -> None:
    (row,) = read(change("u", "2024-05-01", 1, after=BOOT | {"title": UNAVAILABLE})).changes.to_dicts()
    assert row["said"] == ["inventory", "price"]


def test_a_change_of_the_id_ends_one_thing_and_begins_another() -> None:
    moved = read(change("u", "2024-05-01", 1, before=BOOT, after=BOOT | {"id": 2}))
    assert moved.changes.select("key", "op").rows() == [("1", "d"), ("2", "u")]
    assert moved.good == 1


def test_a_delete_is_known_by_its_key_where_the_row_is_not_there() -> None:
    body = change("d", "2024-05-01", 1)
    assert read({"key": {"id": 1}, "value": body}, body | {"key": {"id": 2}}).changes["key"].to_list() == [
        "1",
        "2",
    ]
    assert reasons(body) == [["before: no product_id, which says which of the products it is"]]


def test_what_cannot_be_used_has_every_reason() -> None:
    source = {"table": "products", "ts_ms": 1_714_521_600_000}
    schema = {
        "fields": [
            {
                "field": "after",
                "fields": [{"field": "price", "name": "org.apache.kafka.connect.data.Decimal"}],
            }
        ]
    }
    found = reasons(
        b"{",
        [1],
        {"id": 1},
        {"op": "x", "source": source},
        {"op": "t", "source": source},
        {"op": "u", "after": None, "source": source},
        {"op": "c", "after": BOOT},
        {"op": "c", "after": BOOT, "source": {"table": "products"}},
        {"op": "c", "after": BOOT, "source": {"ts_ms": 1_714_521_600_000}},
        change("c", "2024-07-01", 1, after=BOOT),
        change("c", "1989-07-01", 1, after=BOOT),
        change("c", "2024-05-01", 1, after=BOOT | {"id": None}),
        change("c", "2024-05-01", 1, after=BOOT | {"price": -1, "stock": "many", "title": ["a"]}),
        change("c", "2024-05-01", 1, after=BOOT | {"price": {"scale": 2, "value": "AfQ="}}),
        {"schema": schema, "payload": change("c", "2024-05-01", 1, after=BOOT | {"price": "AfQ="})},
    )
    decimal = "price: a decimal in base64; set decimal.handling.mode to string or double"
    assert [sorted(why) for why in found] == [
        ["not JSON"],
        ["not a JSON object"],
        ["no envelope: neither Debezium's op nor DMS' metadata"],
        ["op: unknown 'x'"],
        ["op t: a truncated table is not followed; delete its rows or load it anew"],
        ["after: missing in a change of op u"],
        ["source: missing"],
        ["source: no time, neither ts_ms nor ts_us"],
        ["source: no table"],
        ["time of the change: in the future"],
        ["time of the change: before 1990, a wrong unit"],
        ["after: no id, which says which of the products it is"],
        ["inventory: not a whole number", "price: below 0", "title: list instead of a text or a number"],
        [decimal],
        [decimal],
    ]


def dms(operation: str, at: str, data: Row, **metadata: object) -> Row:
    told = {"operation": operation, "timestamp": at, "schema-name": "shop", "table-name": "products"}
    return {"data": data, "metadata": {"record-type": "data", **told, **metadata}}


def test_dms_tells_the_same_in_other_words() -> None:
    found = read(
        dms("load", "2024-05-01T00:00:00.000000Z", BOOT),
        dms("update", "2024-05-02T00:00:00.000001Z", BOOT, **{"transaction-id": 87978110091475}),
        dms("delete", "2024-05-03T00:00:00Z", {"id": 1}),
        {"metadata": {"record-type": "control", "operation": "create-table", "table-name": "products"}},
    )
    assert found.ignored == 1
    assert found.changes.select("key", "op", "source_table", "log").rows() == [
        ("1", op, "shop.products", "dms") for op in "rud"
    ]
    assert found.changes["log_position"].is_sorted()


def test_changes_of_dms_at_one_moment_are_ordered_by_transaction_and_record() -> None:
    places = [
        {"transaction-id": 9, "transaction-record-id": 2},
        {"transaction-id": 9, "transaction-record-id": 10},
        {"transaction-id": 10, "transaction-record-id": 1},
    ]
    found = [envelope(dms("update", "2024-05-01T00:00:00Z", BOOT, **place)).position for place in places]
    assert found == sorted(found)
    committed = dms("update", "2024-05-03T00:00:00Z", BOOT, **{"commit-timestamp": "2024-05-01T00:00:00Z"})
    assert envelope(committed).at_us == moment("2024-05-01").timestamp() * 1e6


def test_bad_records_of_dms_have_reasons() -> None:
    assert reasons(
        dms("merge", "2024-05-01", BOOT),
        dms("insert", "soon", BOOT),
        {"metadata": {"operation": "insert", "table-name": "products", "timestamp": "2024-05-01"}},
    ) == [
        ["metadata: unknown operation 'merge'"],
        ["metadata: no time, neither timestamp nor commit-timestamp"],
        ["data: missing"],
    ]
