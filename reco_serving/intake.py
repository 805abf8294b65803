"""The ASGI application of /events: what is answered, and when."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.types import Receive, Scope, Send

from reco_assets.errors import BadRequest
from reco_serving.collector import Collector, Refused
from reco_serving.events import collect
from reco_serving.http import JSON, RETRY_AFTER, Header, Refusal, answer, encode, posted
from reco_serving.metrics import Metrics
from reco_serving.replies import Fault
from reco_serving.replies import Refused as RefusedBody
from reco_serving.tracing import Part, Trace, Tracer

PATH: Final = "/events"


@dataclass(frozen=True)
class Collecting:
    """What /events needs of a running worker."""

    collector: Collector
    metrics: Metrics
    tracer: Tracer | None = None


class Intake:
    """Answers 202 when the events are durable; what is wrong with single ones is in the answer."""

    def __init__(self, worker: Callable[[], Collecting]) -> None:
        self._worker = worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, keep its events, answer, count."""
        worker = self._worker()
        extra: list[Header] = []
        started = time.perf_counter()
        trace: Trace | None = None
        try:
            body = await posted(scope, receive, allowed=b"POST, OPTIONS")
            started = time.perf_counter()
            if worker.tracer is not None:
                trace = worker.tracer.begin(scope["path"], scope["headers"], started)
            status, content = 202, encode(await collect(worker.collector, worker.metrics, body))
        except BadRequest as error:
            status, content = 400, encode(RefusedBody(Fault(error.field, error.reason)))
        except Refusal as refusal:
            status, content = refusal.status, refusal.body
            extra.extend(refusal.headers)
        except Refused as error:
            status, content = 503, encode(RefusedBody(Fault("events", str(error))))
            extra.append(RETRY_AFTER)
        ended = time.perf_counter()
        if status == 202:
            worker.metrics.latency.labels("events").observe(ended - started)
        else:
            worker.metrics.refusals.labels("events", str(status)).inc()
        await answer(send, status, content, (JSON, *extra))
        if trace is not None and worker.tracer is not None:
            trace.parts.append(Part("append to stream of events", started, ended))
            worker.tracer.end(trace, status, ended)
