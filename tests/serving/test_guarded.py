"""The service that asks for keys, writes its log as JSON and sends traces, as a process of its own."""

from __future__ import annotations

import gzip
import json
import os
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from pydantic import SecretStr

from reco_assets.cli.main import run
from reco_assets.errors import BadInput
from reco_assets.recommender.asked import RecommendRequest
from reco_serving.access import Scope
from reco_serving.client import Client
from reco_serving.keys import RANDOM_BYTES, new_key, write_keys
from tests.serving.conftest import Running, started, until
from tests.serving.test_events import event


@dataclass
class Spans:
    """Where a collector of traces listens, and what it has been told."""

    address: str
    told: list[Span]

    def of(self, trace: str) -> dict[str, Span]:
        """The spans of a trace by name."""
        return {span.name: span for span in list(self.told) if span.trace_id.hex() == trace}


EVERYTHING, HELD_BACK = "everything", "held back"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Keys by name; their file is in the folder ``file``."""
    file = tmp_path_factory.mktemp("keys") / "keys.json"
    now = datetime(2026, 3, 1, tzinfo=UTC)
    own, first = new_key(EVERYTHING, list(Scope), 1e4, 1e4, os.urandom(RANDOM_BYTES), now)
    other, second = new_key(HELD_BACK, [Scope.recommend], 0.01, 2, os.urandom(RANDOM_BYTES), now)
    write_keys(file, [first, second])
    return {EVERYTHING: own, HELD_BACK: other, "file": str(file)}


@pytest.fixture(scope="module")
def spans() -> Iterator[Spans]:
    """A collector of traces."""
    told: list[Span] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                told.extend(span for scope in resource.scope_spans for span in scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Spans(f"http://127.0.0.1:{server.server_port}", told)
        server.shutdown()


@pytest.fixture(scope="module")
def guarded(
    keys: dict[str, str], spans: Spans, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """A service whose client has the key to everything."""
    options = {
        "RECO_KEYS": keys["file"],
        "RECO_KEY": keys[EVERYTHING],
        "RECO_LOG_FORMAT": "json",
        "RECO_OTLP_ENDPOINT": spans.address,
        "RECO_TRACE_SHARE": "0",
    }
    with started(tmp_path_factory.mktemp("guarded"), options) as running:
        yield running


def test_nothing_that_says_anything_is_answered_without_a_key(guarded: Running) -> None:
    with httpx.Client(base_url=guarded.client.base_url) as stranger:
        for path in ("/health", "/metrics", "/experiments", "/schema.json", "/no/such/path"):
            assert stranger.get(path).status_code == 401, path
        for path in ("/recommend", "/similar", "/trending", "/events"):
            assert stranger.post(path, json={}).status_code == 401, path
        for path in ("/livez", "/readyz", "/docs.json", "/reco.js", "/", "/static_content/index.css"):
            assert stranger.get(path).status_code == 200, path


def test_with_its_key_everything_is_as_without(guarded: Running) -> None:
    assert guarded.recommend(user_id="u1")["rung"] == "no_ranker"
    assert guarded.client.get("/no/such/path").status_code == 404
    assert guarded.health()["status"] == "ok"


def test_a_client_sends_the_key_that_it_is_given(guarded: Running, keys: dict[str, str]) -> None:
    url = str(guarded.client.base_url)
    with Client(url, key=keys[EVERYTHING]) as client:
        assert client.recommend(RecommendRequest(user_id="u1")).rung == "no_ranker"
        with client.stream("s1") as lists:
            assert next(lists).user_id == "s1"
    with Client(url) as stranger:
        with pytest.raises(BadInput, match="the key is required") as refused:
            stranger.metrics()
        with pytest.raises(BadInput, match="/stream/s1"), stranger.stream("s1"):
            pass
    assert refused.value.hint == "set RECO_KEY, or the client's key, to one that may ask"
    settings = guarded.settings.model_copy(update={"key": SecretStr(keys[EVERYTHING])})
    with Client.of(settings) as own:
        assert own.health().status == "ok"


def test_a_key_that_has_asked_enough_hears_when_to_come_back(guarded: Running, keys: dict[str, str]) -> None:
    told = [
        guarded.client.post("/recommend", json={"user_id": "u1"}, headers={"X-Api-Key": keys[HELD_BACK]})
        for _ in range(3)
    ]
    assert [one.status_code for one in told] == [200, 200, 429]
    assert 1 <= int(told[2].headers["retry-after"]) <= 100


def test_a_key_that_is_revoked_is_out_within_seconds(guarded: Running, keys: dict[str, str]) -> None:
    file = Path(keys["file"])
    before = file.read_bytes()

    def status() -> int:
        sent = {"X-Api-Key": keys[HELD_BACK]}
        return guarded.client.post("/recommend", json={}, headers=sent).status_code

    assert status() in (400, 429)
    assert run_with(file, "keys", "revoke", HELD_BACK) == 0
    until(lambda: status() == 401, "the revoked key is refused")
    file.write_bytes(before)
    until(lambda: status() != 401, "the key holds again")


def test_commands_send_the_key_that_they_are_given(
    guarded: Running,
    keys: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RECO_HOME", str(guarded.settings.home))
    monkeypatch.setenv("RECO_REDIS_PORT", str(guarded.settings.redis_port))
    monkeypatch.setenv("RECO_SERVICE_PORT", str(guarded.settings.service_port))
    for command in (["recommend", "u1", "--json"], ["promote", "1"]):
        monkeypatch.delenv("RECO_KEY", raising=False)
        assert run(command) == 1
        assert "RECO_KEY" in capsys.readouterr().err
        monkeypatch.setenv("RECO_KEY", keys[EVERYTHING])
        assert run(command) == 0


def test_no_key_is_in_the_log_or_among_the_metrics(guarded: Running, keys: dict[str, str]) -> None:
    guarded.client.post(f"/events?key={keys[HELD_BACK]}", json={})
    guarded.ask("recommend", b"{")
    texts = (guarded.folder / "service.log").read_text() + guarded.client.get("/metrics").text
    for key in (keys[EVERYTHING], keys[HELD_BACK]):
        assert key not in texts
        assert key.split("_", 2)[2] not in texts


def test_a_trace_goes_through_the_service_redis_and_the_stream(guarded: Running, spans: Spans) -> None:
    parent = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    answer = guarded.client.post("/recommend", json={"user_id": "u1"}, headers=parent).json()
    sent = {"traceparent": f"00-{TRACE[::-1]}-00f067aa0ba902b7-01"}
    assert guarded.client.post("/events", json=event("p1"), headers=sent).status_code == 202
    untraced = len(spans.told)
    guarded.recommend(user_id="u2")
    until(lambda: len(spans.of(TRACE)) == 5 and len(spans.of(TRACE[::-1])) == 2, "the spans come")
    found = spans.of(TRACE)
    root = found["POST /recommend"]
    assert root.parent_span_id.hex() == "00f067aa0ba902b7"
    attributes = {one.key: one.value for one in root.attributes}
    assert attributes["reco.recommendation_id"].string_value == answer["recommendation_id"]
    assert attributes["http.response.status_code"].int_value == 200
    assert [one.value.string_value for one in found["state"].attributes] == ["redis"]
    for name in ("state", "queue", "decide", "encode"):
        assert found[name].parent_span_id == root.span_id
        assert found[name].start_time_unix_nano <= found[name].end_time_unix_nano <= root.end_time_unix_nano
    assert "append to stream of events" in spans.of(TRACE[::-1])

    def linked() -> bool:
        return any(link.span_id == root.span_id for span in list(spans.told) for link in span.links)

    until(linked, "the decision record's write links to the request")
    assert untraced <= len(spans.told) <= 8


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/rank", {"user_id": "u1", "products": ["p1"]}),
        ("/bought-together", {"user_id": "u1", "products": ["p1"]}),
        ("/buy-again", {"user_id": "u1"}),
        ("/recently-viewed", {"user_id": "u1"}),
        ("/similar", {"user_id": "u1", "product_id": "p1"}),
        ("/trending", {"user_id": "u1"}),
    ],
)
def test_every_list_has_the_same_parts(
    guarded: Running, spans: Spans, path: str, body: dict[str, object]
) -> None:
    trace = path.encode().hex().rjust(32, "0")[-32:]
    parent = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    rung = guarded.client.post(path, json=body, headers=parent).json()["rung"]
    until(lambda: len(spans.of(trace)) == 5, "the spans come")
    found = spans.of(trace)
    root = found[f"POST {path}"]
    assert {one.key: one.value.string_value for one in root.attributes}["reco.rung"] == rung
    assert [one.value.string_value for one in found["state"].attributes] == ["redis"]
    for name in ("state", "queue", "decide", "encode"):
        assert found[name].parent_span_id == root.span_id


def test_a_batch_reads_once_and_an_explanation_says_what_took_its_time(
    guarded: Running, spans: Spans
) -> None:
    batch, explanation = "b" * 32, "e" * 32
    parent = {"traceparent": f"00-{batch}-00f067aa0ba902b7-01"}
    asked = {"requests": [{"user_id": "u1"}, {"user_id": "u2"}]}
    answers = guarded.client.post("/recommend/batch", json=asked, headers=parent).json()["answers"]
    until(lambda: "POST /recommend/batch" in spans.of(batch), "the spans come")
    names = Counter(span.name for span in list(spans.told) if span.trace_id.hex() == batch)
    assert names == {"POST /recommend/batch": 1, "state": 1, "queue": 2, "decide": 2, "encode": 2}
    parent = {"traceparent": f"00-{explanation}-00f067aa0ba902b7-01"}
    path = f"/explain/{answers[0]['recommendation_id']}"
    assert guarded.client.get(path, headers=parent).status_code == 200
    until(lambda: len(spans.of(explanation)) == 3, "the spans come")
    assert set(spans.of(explanation)) == {
        "GET /explain/{recommendation_id}", "find the record", "make the answer again",
    }  # fmt: skip


def test_every_answer_has_a_line_with_its_recommendation(guarded: Running) -> None:
    asked = guarded.recommend(user_id="somebody-secret")["recommendation_id"]

    def line() -> dict[str, object] | None:
        lines = (guarded.folder / "service.log").read_text().splitlines()
        told = [json.loads(one) for one in lines if one.startswith("{")]
        return next((one for one in told if one.get("recommendation_id") == asked), None)

    until(lambda: line() is not None, "the line is written")
    told = line()
    assert told is not None
    assert (told["logger"], told["level"], told["message"]) == ("reco.answers", "info", "answered")
    assert (told["rung"], told["degraded"], told["variant"]) == ("no_ranker", False, "default")
    assert "somebody-secret" not in (guarded.folder / "service.log").read_text()


def run_with(file: Path, *arguments: str) -> int:
    """Run a command with that keys file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECO_KEYS", str(file))
        return run(arguments)
