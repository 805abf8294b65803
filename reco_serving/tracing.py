"""Traces of requests, where RECO_OTLP_ENDPOINT says where to send them.

A request that is traced writes down when its parts began and ended, which is known anyway; the spans are
made of it afterwards and leave by a thread. A request that is not traced costs a look at its headers, and
where tracing is off, nothing.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from reco_assets.platform.settings import Settings
from reco_serving.http import Header, Refusal

TRACEPARENT: Final = b"traceparent"
#: The attribute that says that a part was a question to a database.
DATABASE: Final = "db.system.name"
_PARENT: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_SAMPLED: Final = 1
#: A collector that takes longer gets nothing.
_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Part:
    """A part of a request: what it was, and when; moments are seconds of ``time.perf_counter``."""

    name: str
    begun: float
    ended: float
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)


@dataclass
class Trace:
    """A traced request: its span, under way, and what it has written down."""

    span: Span
    parts: list[Part] = field(default_factory=list)

    @property
    def context(self) -> SpanContext:
        """Who it is, for what is done later on its behalf."""
        return self.span.get_span_context()


class Tracer:
    """Decides which requests are traced, and sends them.

    Parameters
    ----------
    share
        Share of the requests that are traced where the caller does not say.
    """

    def __init__(self, exporter: SpanExporter, share: float, chance: Callable[[], float]) -> None:
        self._share = share
        self._chance = chance
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": "reco"}), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("reco_serving")
        # the same moment on both clocks
        self._origin = time.time_ns() - time.perf_counter_ns()

    @classmethod
    def open(cls, settings: Settings) -> Tracer | None:
        """The tracer that ``settings`` mean; None where they mean none."""
        if settings.otlp_endpoint is None:
            return None
        # imported only where it is used: it brings a client of its own
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        address = f"{settings.otlp_endpoint.rstrip('/')}/v1/traces"
        return cls(OTLPSpanExporter(endpoint=address, timeout=_SECONDS), settings.trace_share, random.random)

    def begin(
        self, route: str, headers: Iterable[Header], begun: float, method: str = "POST"
    ) -> Trace | None:
        """Trace a request or not: as its ``traceparent`` says, else by chance; ``route`` holds no id."""
        told = next((value for name, value in headers if name == TRACEPARENT), None)
        parent = _parent(told) if told is not None else None
        if parent is not None and not parent.trace_flags & _SAMPLED:
            return None
        if parent is None and self._chance() >= self._share:
            return None
        above = Context() if parent is None else set_span_in_context(NonRecordingSpan(parent))
        span = self._tracer.start_span(
            f"{method} {route}", above, SpanKind.SERVER, {"http.route": route}, start_time=self._at(begun)
        )
        return Trace(span)

    def end(self, trace: Trace, status: int, ended: float) -> None:
        """A traced request was answered with ``status``: make the spans of its parts, and let all leave."""
        inside = set_span_in_context(trace.span)
        for part in trace.parts:
            kind = SpanKind.CLIENT if DATABASE in part.attributes else SpanKind.INTERNAL
            span = self._tracer.start_span(
                part.name, inside, kind, part.attributes, start_time=self._at(part.begun)
            )
            span.end(self._at(part.ended))
        trace.span.set_attribute("http.response.status_code", status)
        if status >= 500:
            trace.span.set_status(Status(StatusCode.ERROR))
        trace.span.end(self._at(ended))

    def wrote(self, name: str, begun: float, ended: float, causes: Sequence[SpanContext]) -> None:
        """Something was written later, for several requests at once: a trace that links to theirs."""
        span = self._tracer.start_span(
            name,
            Context(),
            SpanKind.PRODUCER,
            links=[Link(one) for one in causes],
            start_time=self._at(begun),
        )
        span.end(self._at(ended))

    def close(self) -> None:
        """Let what is left leave; takes seconds where nobody takes it."""
        self._provider.shutdown()

    def _at(self, moment: float) -> int:
        return self._origin + round(moment * 1e9)


@contextmanager
def traced(
    tracer: Tracer | None, route: str, headers: Iterable[Header], begun: float, method: str
) -> Iterator[Trace | None]:
    """Trace what the block answers, where it is to be: 200, the status of a Refusal, or 500."""
    trace = tracer.begin(route, headers, begun, method) if tracer is not None else None
    status = 500
    try:
        yield trace
        status = 200
    except Refusal as refusal:
        status = refusal.status
        raise
    finally:
        if trace is not None and tracer is not None:
            tracer.end(trace, status, time.perf_counter())


def _parent(told: bytes) -> SpanContext | None:
    """Who a ``traceparent`` names (W3C Trace Context, level 1); None where it cannot be read."""
    found = _PARENT.fullmatch(told)
    if found is None:
        return None
    context = SpanContext(
        int(found[1], 16), int(found[2], 16), is_remote=True, trace_flags=TraceFlags(int(found[3], 16))
    )
    return context if context.is_valid else None
