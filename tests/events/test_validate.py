from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.events.contract import EVENT_SCHEMA, EVENT_TYPES, FIELDS
from reco_assets.events.validate import validate
from reco_assets.events.wire import validate_json
from tests.builders import Event, Value, click, events, search

NOW = datetime(2024, 5, 2, tzinfo=UTC)
AT = "2024-05-01T12:03"


def reasons(event: Event) -> list[str]:
    verdict = validate(pl.DataFrame([event], strict=False), NOW)
    assert verdict.accepted.height + verdict.rejected.height == 1
    return [] if verdict.accepted.height else list(verdict.rejected["reasons"][0])


def test_a_good_event_is_accepted_as_it_is() -> None:
    good = events(click("u1", "p7", at=AT, price=2.5), search("u1", "red shoes", at=AT))
    verdict = validate(good, NOW)
    assert verdict.accepted.equals(good)
    assert verdict.rejected.is_empty()


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("event_id", None, "event_id: missing"),
        ("event_id", "  ", "event_id: missing"),
        ("user_id", None, "user_id: missing"),
        ("user_id", 1.5, "user_id: not a text or a whole number"),
        ("event_type", None, "event_type: missing"),
        ("event_type", "viewed", "event_type: unknown 'viewed'"),
        ("product_id", None, "product_id: missing"),
        ("timestamp", None, "timestamp: missing"),
        ("timestamp", "yesterday", "timestamp: not a time"),
        ("timestamp", NOW + timedelta(minutes=5, microseconds=1), "timestamp: in the future"),
        ("timestamp", 1_714_521, "timestamp: before 1990, a wrong unit"),
        ("price", "12,50", "price: not a number"),
        ("price", -0.01, "price: below 0"),
        ("price", float("inf"), "price: not finite"),
        ("price", "nan", "price: not finite"),
        ("quantity", 0, "quantity: below 1"),
        ("quantity", "1.5", "quantity: not a whole number"),
        ("duration_ms", -1, "duration_ms: below 0"),
        ("rating", 5.5, "rating: above 5"),
        ("rating", -1, "rating: below 0"),
        ("position", -1, "position: below 0"),
    ],
)
def test_each_rule_has_its_reason(field: str, value: Value, reason: str) -> None:
    assert reasons(click("u1", "p7", at=AT) | {field: value}) == [reason]


def test_five_minutes_ahead_is_not_the_future_and_late_is_not_bad() -> None:
    assert reasons(click("u1", "p7", at=NOW + timedelta(minutes=5))) == []
    assert reasons(click("u1", "p7", at="1999-01-01T00:00")) == []


def test_every_reason_of_a_row_is_given() -> None:
    bad = click("u1", "p7", at="2030-01-01T00:00", rating=9, price=-1) | {"user_id": None}
    assert reasons(bad) == [
        "user_id: missing",
        "price: below 0",
        "rating: above 5",
        "timestamp: in the future",
    ]


def test_a_search_needs_no_product() -> None:
    assert reasons(search("u1", "shoes", at=AT)) == []


def test_what_the_reader_found_comes_first_and_other_columns_are_kept() -> None:
    rows = events(click("u1", "p1", at=AT), click("u1", "p2", at=AT, price=-1)).with_columns(
        delivery_position=pl.Series([4, 5]), reasons=pl.Series([None, ["cut line: 3 of 9 fields"]])
    )
    verdict = validate(rows, NOW)
    assert verdict.accepted["delivery_position"].to_list() == [4]
    assert verdict.rejected.to_dicts() == [
        {"delivery_position": 5, "reasons": ["cut line: 3 of 9 fields", "price: below 0"]}
    ]


def test_an_empty_table_is_accepted_with_the_contracts_types() -> None:
    verdict = validate(events(), NOW)
    assert verdict.accepted.schema == pl.Schema(EVENT_SCHEMA)
    assert verdict.rejected.is_empty()


def test_json_follows_the_same_rules() -> None:
    verdict = validate_json(
        [
            b'{"event_id":1,"user_id":7,"event_type":"click","product_id":"p1","timestamp":1714521600000}',
            b'{"event_id":"2","user_id":true,"event_type":"click","product_id":"p","timestamp":"2024-05-01"}',
            b'{"event_id":"3","user_id":"u","event_type":"click","timestamp":"2024-05-01","price":"x"}',
            b"{not json",
            b"[1]",
            b'{"event_id":"4","user_id":"u","event_type":"search","timestamp":"2024-05-01T02:00:00+02:00",'
            b'"position":3.0,"more":{"a":1}}',
        ],
        NOW,
    )
    first, last = verdict.accepted.to_dicts()
    assert (first["event_id"], first["user_id"], first["timestamp"]) == (
        "1",
        "7",
        datetime(2024, 5, 1, tzinfo=UTC),
    )
    assert (last["delivery_position"], last["position"]) == (6, 3)
    assert last["timestamp"] == datetime(2024, 5, 1, tzinfo=UTC)
    found = dict(verdict.rejected.select("delivery_position", "reasons").iter_rows())
    assert found[2][0] == "user_id: bool instead of a text or a number"
    assert found[3] == ["price: not a number", "product_id: missing"]
    assert found[4][0] == "not JSON"
    assert found[5][0] == "not a JSON object"
    assert verdict.rejected["payload"][2] == b"{not json"


TEXTS = (
    st.none()
    | st.sampled_from(
        [
            "",
            " ",
            "x",
            "click",
            "search",
            "0",
            "-1",
            "3",
            "4.5",
            "1e400",
            "nan",
            "2024-05-01",
            "2031-01-01T00:00:00Z",
        ]
    )
    | st.text(max_size=6)
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({field.name: TEXTS | st.sampled_from(EVENT_TYPES) for field in FIELDS}),
        max_size=8,
    )
)
def test_every_row_is_accepted_or_rejected_with_a_reason(rows: list[dict[str, str | None]]) -> None:
    table = pl.DataFrame(rows, schema=dict.fromkeys(EVENT_SCHEMA, pl.String()), orient="row")
    table = table.with_row_index("row")
    verdict = validate(table, NOW)
    assert sorted([*verdict.accepted["row"], *verdict.rejected["row"]]) == list(range(len(rows)))
    assert all(len(why) > 0 for why in verdict.rejected["reasons"])
    assert validate(verdict.accepted, NOW).rejected.is_empty()
    assert verdict.accepted.drop("row").schema == pl.Schema(EVENT_SCHEMA)
