"""What is judged fast is judged alike: the quick reader only says yes where the contract does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.events.contract import EVENT_TYPES, EventType
from reco_assets.events.plain import Gist, plain, verdicts

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000


def written(**fields: object) -> bytes:
    """A click as a shop's page sends it, with ``fields`` changed; ... leaves one out."""
    event: dict[str, object] = {
        "event_id": "e1", "user_id": "u1", "session_id": "s1", "event_type": "click", "product_id": "p1",
        "timestamp": "2026-03-01T11:59:58.123Z", "price": 9.5, "source": "web",
    }  # fmt: skip
    return json.dumps({name: value for name, value in (event | fields).items() if value is not ...}).encode()


numbers = st.one_of(
    st.integers(-3, 10),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(),
    st.sampled_from([2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 1e300, 0.0, -0.0, 5.0, 5.1, 10**30]),
)
texts = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "\t",
            "\u3000",
            "\u00a0x",
            " p1",
            "7",
            "7.0",
            "1e3",
            "nan",
            "inf",
            "-1",
            "ü",
            "\x00",
            "click",
        ]
    ),
    st.text(max_size=5),
)
odd = st.one_of(numbers, texts, st.none(), st.booleans(), st.just({}), st.just([1]), st.just(...))
moments = st.one_of(
    st.datetimes(datetime(1985, 1, 1), datetime(2027, 1, 1)).map(datetime.isoformat),
    st.datetimes(datetime(1985, 1, 1), datetime(2027, 1, 1), timezones=st.timezones()).map(
        datetime.isoformat
    ),
    st.integers(-10, 60 * 60 * 24).map(lambda s: (NOW - timedelta(seconds=s)).isoformat()),
    st.integers(-600, 600).map(lambda s: int(NOW.timestamp()) + s),
    st.integers(-600_000, 600_000).map(lambda ms: (int(NOW.timestamp()) * 1000) + ms),
    st.sampled_from([10**11 - 1, 10**11, 10**14 - 1, 10**14, 10**17 - 1, 10**17, 10**17 + 999]),
    st.sampled_from(
        [
            "2026-02-30T00:00:00Z",
            "2026-03-01T24:00:00Z",
            "2026-03-01T11:59:60Z",
            "2026-03-01 11:00:00",
            "2026-03-01T11:00:00.1234567Z",
            "2026-03-01T11:00:00+0100",
            "2026-03-01T11:00:00+01:00",
            "2026-03-01T11:00:00-23:59",
            "2026-03-01T11:00:00+24:00",
            "2026-03-01T11:00:00.5+00:00",
            "2026-03-01",
            "2026-03-01T11:00",
            "20260301T110000Z",
            "2026-W09-7T11:00:00Z",
            "now",
            "2026-03-01t11:00:00z",
            "２０２６-03-01T11:00:00Z",
            "2026-03-01T11:00:00Z\n",
            "0001-01-01T00:00:00+05:00",
        ]
    ),
    odd,
)
events = st.fixed_dictionaries(
    {},
    optional={
        "event_id": odd, "user_id": odd, "session_id": odd, "product_id": odd, "query": odd, "source": odd,
        "recommendation_id": odd, "price": odd, "quantity": odd, "duration_ms": odd, "rating": odd,
        "position": odd, "event_type": st.sampled_from(EVENT_TYPES) | odd, "timestamp": moments,
        "more": odd,
    },
)  # fmt: skip


@given(st.lists(events, min_size=1, max_size=30))
@settings(max_examples=80, deadline=None)
def test_a_quick_yes_is_the_contracts_own_verdict(changes: list[dict[str, object]]) -> None:
    payloads = [written(**fields) for fields in changes]
    for payload, verdict in zip(payloads, verdicts(payloads, NOW), strict=True):
        quick = plain(payload, NOW_US)
        assert quick is None or quick == verdict, payload


@given(st.lists(events, min_size=2, max_size=10))
@settings(max_examples=50, deadline=None)
def test_a_verdict_does_not_depend_on_the_neighbours(changes: list[dict[str, object]]) -> None:
    payloads = [written(**fields) for fields in changes]
    together = verdicts(payloads, NOW)
    assert together == [verdict for payload in payloads for verdict in verdicts([payload], NOW)]


@pytest.mark.parametrize(
    "payload",
    [
        written(),
        written(user_id=17, product_id="ü"),
        written(session_id=..., price=...),
        written(event_type="search", product_id=..., query="  チェア"),
        written(timestamp="2026-03-01T11:59:58"),
        written(timestamp="2026-03-01 12:59:58.5+01:00"),
        written(timestamp=NOW_US // 1000),
        written(quantity=2, rating=4.5, position=0, duration_ms=1200, anything="else"),
    ],
)
def test_what_shops_send_is_plainly_good(payload: bytes) -> None:
    assert plain(payload, NOW_US) == verdicts([payload], NOW)[0]
    assert isinstance(plain(payload, NOW_US), Gist)


def test_a_gist_is_what_the_event_says() -> None:
    at_us = NOW_US - 1_877_000
    assert plain(written(), NOW_US) == Gist("e1", "u1", "s1", EventType.click, "p1", at_us)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 2_000,
        b'{"user_id": "\xff"}',
        b'{"user_id":' + b"1" * 5_000 + b"}",
    ],
)
def test_whatever_comes_has_a_verdict(payload: bytes) -> None:
    assert plain(payload, NOW_US) is None
    [verdict] = verdicts([payload], NOW)
    assert isinstance(verdict, tuple)
    assert verdict
