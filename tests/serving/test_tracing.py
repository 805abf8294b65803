"""Which requests are traced, and what their spans say."""

from __future__ import annotations

import logging

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from reco_assets.platform.settings import Settings
from reco_serving.logs import RECOMMENDATION, JsonFormatter
from reco_serving.tracing import DATABASE, Part, Tracer, _parent

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def caller(flags: str = "01") -> list[tuple[bytes, bytes]]:
    return [(b"traceparent", f"00-{TRACE}-{CALLER}-{flags}".encode())]


def traced(tracer: Tracer, exporter: InMemorySpanExporter) -> list[ReadableSpan]:
    tracer.close()
    return list(exporter.get_finished_spans())


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    """Keeps the spans that it is given."""
    return InMemorySpanExporter()


def test_nothing_is_traced_where_nobody_listens() -> None:
    assert Tracer.open(Settings()) is None


def test_the_caller_decides_and_chance_where_there_is_none(exporter: InMemorySpanExporter) -> None:
    tracer = Tracer(exporter, 0.5, iter([0.4, 0.6]).__next__)
    assert tracer.begin("/recommend", caller("00"), 0.0) is None
    assert tracer.begin("/recommend", caller("01"), 0.0) is not None
    assert tracer.begin("/recommend", [], 0.0) is not None
    assert tracer.begin("/recommend", [], 0.0) is None
    tracer.close()


def test_spans_have_the_callers_trace_and_the_times_of_the_parts(exporter: InMemorySpanExporter) -> None:
    tracer = Tracer(exporter, 0.0, lambda: 1.0)
    trace = tracer.begin("/recommend", caller(), 10.0)
    assert trace is not None
    trace.parts.append(Part("state", 10.0, 10.001, {DATABASE: "redis"}))
    trace.parts.append(Part("decide", 10.001, 10.004))
    tracer.end(trace, 500, 10.005)
    state, decide, root = traced(tracer, exporter)
    assert root.parent is not None
    assert (f"{root.parent.trace_id:032x}", f"{root.parent.span_id:016x}") == (TRACE, CALLER)
    assert (root.kind, state.kind, decide.kind) == (SpanKind.SERVER, SpanKind.CLIENT, SpanKind.INTERNAL)
    assert not root.status.is_ok
    for part in (state, decide):
        assert part.parent == root.get_span_context()
    assert root.start_time is not None
    assert root.end_time is not None
    assert decide.start_time is not None
    assert decide.start_time - root.start_time == pytest.approx(1_000_000, abs=1_000)
    assert root.end_time - root.start_time == pytest.approx(5_000_000, abs=1_000)


def test_a_write_for_several_requests_links_to_all_of_them(exporter: InMemorySpanExporter) -> None:
    tracer = Tracer(exporter, 1.0, lambda: 0.0)
    requests = [tracer.begin("/recommend", [], 0.0) for _ in range(2)]
    contexts = [one.context for one in requests if one is not None]
    tracer.wrote("append", 1.0, 2.0, contexts)
    (write,) = traced(tracer, exporter)
    assert [link.context for link in write.links] == contexts
    assert write.parent is None


@pytest.mark.parametrize(
    "told",
    ["", "00", f"ff-{TRACE}-{CALLER}-01", f"00-{'0' * 32}-{CALLER}-01", f"00-{TRACE}-{'0' * 16}-01",
     f"00-{TRACE.upper()}-{CALLER}-01", f"00-{TRACE}-{CALLER}", f"00-{TRACE}-{CALLER}-01x"],
)  # fmt: skip
def test_a_traceparent_that_cannot_be_read_is_as_none(told: str) -> None:
    assert _parent(told.encode()) is None


@given(
    st.binary(max_size=80)
    | st.from_regex(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.{0,9})?", fullmatch=True)
)
def test_no_header_breaks_a_request_or_names_a_caller_that_it_does_not_hold(told: bytes) -> None:
    found = _parent(told)
    if found is not None:
        assert found.is_valid
        assert told[3:52].decode() == f"{found.trace_id:032x}-{found.span_id:016x}"


def test_a_line_of_the_log_names_the_recommendation(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("reco.test")
    token = RECOMMENDATION.set("r1")
    try:
        with caplog.at_level(logging.INFO):
            log.info("it is %s\nand more", "so", extra={"fields": {"rung": "full"}})
            try:
                raise ZeroDivisionError("a defect")
            except ZeroDivisionError:
                log.exception("it failed")
        first, second = (JsonFormatter().format(record) for record in caplog.records)
    finally:
        RECOMMENDATION.reset(token)
    assert "\n" not in first + second
    told = msgspec.json.decode(first)
    assert told | {"time": "-"} == {
        "time": "-", "level": "info", "logger": "reco.test", "message": "it is so\nand more",
        "recommendation_id": "r1", "rung": "full",
    }  # fmt: skip
    assert "ZeroDivisionError: a defect" in msgspec.json.decode(second)["exception"]
