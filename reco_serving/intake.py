"""The ASGI application of /events: who may send from where, and what is answered."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.types import Receive, Scope, Send

from reco_assets.errors import BadRequest
from reco_serving.collector import Collector, Refused
from reco_serving.contract import Fault
from reco_serving.contract import Refused as RefusedBody
from reco_serving.events import collect
from reco_serving.http import JSON, Header, Refusal, answer, encode, posted
from reco_serving.metrics import Metrics

PATH: Final = "/events"
#: Seconds after which a client that was refused may try again.
RETRY_AFTER: Final[Header] = (b"retry-after", b"5")
_PREFLIGHT: Final[tuple[Header, ...]] = (
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"content-type"),
    (b"access-control-max-age", b"86400"),
)


@dataclass(frozen=True)
class Collecting:
    """What /events needs of a running worker; ``origins`` may send from their pages, ``*`` is any."""

    collector: Collector
    metrics: Metrics
    origins: frozenset[str]


class Intake:
    """Answers 202 when the events are durable; what is wrong with single ones is in the answer."""

    def __init__(self, worker: Callable[[], Collecting]) -> None:
        self._worker = worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, keep its events, answer, count."""
        worker = self._worker()
        cross = cross_origin(scope, worker.origins)
        if scope["method"] == "OPTIONS":
            return await answer(send, 204, b"", (*cross, *_PREFLIGHT) if cross else ())
        extra: list[Header] = []
        started = time.perf_counter()
        try:
            body = await posted(scope, receive, allowed=b"POST, OPTIONS")
            started = time.perf_counter()
            status, content = 202, encode(await collect(worker.collector, worker.metrics, body))
        except BadRequest as error:
            status, content = 400, encode(RefusedBody(Fault(error.field, error.reason)))
        except Refusal as refusal:
            status, content = refusal.status, refusal.body
            extra.extend(refusal.headers)
        except Refused as error:
            status, content = 503, encode(RefusedBody(Fault("events", str(error))))
            extra.append(RETRY_AFTER)
        worker.metrics.latency.labels("events").observe(time.perf_counter() - started)
        if status != 202:
            worker.metrics.refusals.labels("events", str(status)).inc()
        await answer(send, status, content, (JSON, *cross, *extra))


def cross_origin(scope: Scope, origins: frozenset[str]) -> tuple[Header, ...]:
    """What a browser must be told so that a page of another origin may read the answer."""
    if not origins:
        return ()
    origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
    if origin is None or ("*" not in origins and origin.decode("latin-1") not in origins):
        return ((b"vary", b"origin"),) if origin is not None else ()
    return (b"access-control-allow-origin", origin), (b"vary", b"origin")
