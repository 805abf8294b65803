"""POST /events: what is accepted, what is said of the rest, and what the next answer knows."""

from __future__ import annotations

import json
import re
import time
import uuid

import pytest

from reco_assets.platform.streams.open import open_stream
from tests.serving.conftest import Running, until


def event(product: str, kind: str = "click", user: str = "ann", **fields: object) -> dict[str, object]:
    """What a shop's page sends, now."""
    told: dict[str, object] = {
        "event_id": str(uuid.uuid4()), "user_id": user, "event_type": kind, "product_id": product,
        "timestamp": time.time_ns() // 1_000_000,
    }  # fmt: skip
    return told | fields


def in_stream(service: Running) -> list[bytes]:
    """Everything that the service has put into the stream."""
    stream = open_stream(service.settings)
    try:
        return [record.value for name in stream.partitions() for record in stream.read(name, None, 10_000)]
    finally:
        stream.close()


def encoded(body: object) -> bytes:
    return json.dumps(body).encode()


@pytest.mark.parametrize("shape", ["one", "list", "wrapped"])
def test_one_event_or_several_are_in_the_stream_when_202_comes(fresh: Running, shape: str) -> None:
    events = [event("p1"), event("p2")] if shape != "one" else [event("p1")]
    body = {"one": events[0], "list": events, "wrapped": {"events": events, "more": 1}}[shape]
    response = fresh.ask("events", encoded(body))
    assert (response.status_code, response.json()) == (202, {"accepted": len(events), "rejected": []})
    assert sorted(in_stream(fresh)) == sorted(encoded(one) for one in events)


def test_a_bad_event_is_named_with_its_reasons_and_kept_all_the_same(fresh: Running) -> None:
    good, bad = event("p1"), event("p2", "clicked", timestamp="soon", event_id="e7")
    body = b'[%b,%b,"text",{"user_id":"\xff"}]' % (encoded(good), encoded(bad))
    response = fresh.ask("events", body)
    assert response.status_code == 202
    answer = response.json()
    assert answer["accepted"] == 1
    first, second, third = answer["rejected"]
    assert first == {
        "index": 1, "event_id": "e7", "reasons": ["timestamp: not a time", "event_type: unknown 'clicked'"],
    }  # fmt: skip
    assert (second["index"], second["event_id"], second["reasons"][0]) == (2, None, "not a JSON object")
    assert (third["index"], third["reasons"][0]) == (3, "not JSON")
    kept = [encoded(good), encoded(bad), b'"text"', b'{"user_id":"\xff"}']
    assert sorted(in_stream(fresh)) == sorted(kept)


def test_numbers_as_ids_and_fields_that_nobody_knows_are_fine(fresh: Running) -> None:
    body = event("p1", user_id=17, product_id=5, price="9.50", colour="red", timestamp="2026-03-01 12:00")
    assert fresh.ask("events", body).json() == {"accepted": 1, "rejected": []}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b'"click"', "body"),
        (b"[{]", "body"),
        (b"[" * 100_000, "body"),
        (b"[]", "body"),
        (b'{"events": []}', "events"),
        (b'{"events": 5}', "body"),
        (b"[" + b",".join([b"{}"] * 1001) + b"]", "body"),
    ],
)
def test_only_a_body_that_cannot_be_read_as_a_whole_is_400(fresh: Running, body: bytes, field: str) -> None:
    response = fresh.ask("events", body)
    assert response.status_code == 400
    assert response.json()["error"]["field"] == field
    assert in_stream(fresh) == []


def test_a_thousand_events_are_taken_and_a_megabyte_is_too_long(fresh: Running) -> None:
    assert fresh.ask("events", encoded([event("p1") for _ in range(1_000)])).json()["accepted"] == 1_000
    assert fresh.ask("events", b" " * 1_100_000).status_code == 413
    assert fresh.client.get("/events").status_code == 405


def test_a_click_changes_the_next_answer_of_somebody_nobody_knew(fresh: Running) -> None:
    before = fresh.products(user_id="ann")
    fresh.ask("events", event("p33"))
    after = fresh.products(user_id="ann")
    assert after != before
    assert fresh.products(user_id="bob") == before


def test_what_was_just_bought_is_not_shown_again(fresh: Running) -> None:
    first = fresh.products(user_id="ann")[0]
    fresh.ask("events", event(first, "purchase"))
    asked = {"user_id": "ann", "num_recommendations": 59}
    assert first not in fresh.products(**asked)
    # not even when the visit's own products push the purchase out of the recent events
    told = {"products": [f"p{number}" for number in range(30, 55)]}
    assert first not in fresh.products(context=told, **asked)


def test_what_a_visit_did_counts_before_anybody_is_logged_in(fresh: Running) -> None:
    nobody = fresh.products(user_id="ann", session_id="s1")
    fresh.ask("events", event("p33", user="visitor", session_id="s1"))
    assert fresh.products(user_id="ann", session_id="s1") != nobody
    assert fresh.products(user_id="ann") == nobody


def test_an_impression_is_kept_and_tells_nothing_of_the_person(fresh: Running) -> None:
    before = fresh.products(user_id="ann")
    fresh.ask("events", encoded([event("p33", "impression"), event("p34", "remove_from_cart")]))
    assert fresh.products(user_id="ann") == before


def test_pages_of_a_known_origin_may_send_and_read_the_answer(fresh: Running) -> None:
    ours, other = {"Origin": "https://shop.example"}, {"Origin": "https://other.example"}
    preflight = fresh.client.options("/events", headers=ours)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "https://shop.example"
    assert "content-type" in preflight.headers["access-control-allow-headers"]
    text = {"Content-Type": "text/plain;charset=UTF-8"}
    sent = fresh.client.post("/events", content=encoded(event("p1")), headers=ours | text)
    assert (sent.status_code, sent.headers["access-control-allow-origin"]) == (202, "https://shop.example")
    assert "access-control-allow-origin" not in fresh.client.options("/events", headers=other).headers


def test_the_snippet_is_small_and_cached(fresh: Running) -> None:
    response = fresh.client.get("/reco.js")
    assert response.headers["content-type"].startswith("text/javascript")
    assert "max-age" in response.headers["cache-control"]
    assert len(response.content) < 4096
    again = fresh.client.get("/reco.js", headers={"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_events_are_counted(fresh: Running) -> None:
    def counted(outcome: str) -> float:
        found = re.search(
            rf'reco_events_total{{outcome="{outcome}"}} (\S+)', fresh.client.get("/metrics").text
        )
        return float(found[1]) if found else 0.0

    accepted, rejected = counted("accepted"), counted("rejected")
    fresh.ask("events", encoded([event("p1"), event("p2"), {}]))
    until(lambda: counted("accepted") == accepted + 2, "the accepted events are counted")
    assert counted("rejected") == rejected + 1
    assert 'reco_latency_seconds_count{endpoint="events"}' in fresh.client.get("/metrics").text
