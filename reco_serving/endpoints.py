"""The endpoints that answer with products: thin shells round pure functions.

They are plain ASGI applications: decoding with msgspec and answering bytes costs 0.3 ms a request,
BentoML's own typed endpoints cost 0.8 to 1 ms.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from starlette.types import Receive, Scope, Send

from reco_assets.errors import BadRequest
from reco_serving.calls import Call, call_of
from reco_serving.current import Current
from reco_serving.decisions import DecisionLog
from reco_serving.gate import HEADROOM, WAY_BACK, Gate
from reco_serving.http import CLOSE, JSON, RETRY_AFTER, Header, Refusal, answer, encode, posted
from reco_serving.intake import Collecting
from reco_serving.ladder import CHEAP, LADDER, affordable
from reco_serving.live import Live
from reco_serving.loaded import Loaded
from reco_serving.metrics import Metrics
from reco_serving.replies import Fault, Refused
from reco_serving.state import StateReader
from reco_serving.tracing import Trace, Tracer
from reco_serving.variants import Variants

NO_BUNDLE: Final = (
    "no bundle has been promoted yet: run `reco materialize`, the service picks it up by itself"
)

log = logging.getLogger("reco.answers")


def no_bundle(current: Current) -> Refusal:
    """What is answered while nothing serves."""
    return Refusal(503, "bundle", current.trouble or NO_BUNDLE, RETRY_AFTER)


@dataclass
class Parts:
    """What a worker holds while it runs.

    Records of answers whose seed is below ``evidence_below`` say what they were ranked by. Whoever looks for
    an old decision holds ``looking_up`` meanwhile.
    """

    current: Current
    states: StateReader
    decisions: DecisionLog
    collecting: Collecting
    metrics: Metrics
    started_at: int
    variants: Variants
    gate: Gate
    deadline_seconds: float
    live: Live
    evidence_below: int = 0
    tracer: Tracer | None = None
    looking_up: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    def loaded(self) -> Loaded:
        """The bundle that serves; answers 503 where there is none yet."""
        loaded = self.current.loaded
        if loaded is None:
            raise no_bundle(self.current)
        return loaded

    def rung(self, loaded: Loaded, call: Call, now: float) -> str:
        """The best rung for ``call``, whose turn it is: in time for it, and for those who wait behind it."""
        others = self.gate.others(call.priority) - 1  # the call itself is inside as well
        drain = HEADROOM * call.allowed
        rungs = CHEAP if self.gate.overloaded(now) else LADDER
        left = call.deadline - WAY_BACK * call.allowed - now
        return affordable(rungs, loaded.costs, now, left, others, self.gate.pace, drain)


Answer = Callable[[Parts, bytes, Call], Awaitable[bytes]]


class Endpoint:
    """An ASGI application that answers one POST with JSON; ``parts`` are asked for at each request."""

    def __init__(self, parts: Callable[[], Parts], name: str, answer: Answer) -> None:
        self._parts = parts
        self._name = name
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, answer, count."""
        parts = self._parts()
        status, started = 200, time.perf_counter()
        headers: tuple[Header, ...] = (JSON,)
        trace: Trace | None = None
        try:
            body = await posted(scope, receive)
            started = time.perf_counter()
            if parts.tracer is not None:
                trace = parts.tracer.begin(scope["path"], scope["headers"], started)
            came = started - parts.gate.unseen(started)
            call = call_of(scope["headers"], came, parts.deadline_seconds, self._name, trace)
            parts.gate.check(call)
            content = await self._answer(parts, body, call)
        except BadRequest as error:
            status, content = 400, encode(Refused(Fault(error.field, error.reason)))
        except Refusal as refusal:
            status, content, headers = refusal.status, refusal.body, (JSON, *refusal.headers)
        except Exception:
            log.exception("answering /%s", self._name)
            status, content = 500, encode(Refused(Fault("body", "the service failed, its log says how")))
        ended = time.perf_counter()
        if status == 200:
            # a refusal is quick, and would make answers look so
            parts.metrics.latency.labels(self._name).observe(ended - started)
        else:
            parts.metrics.refusals.labels(self._name, str(status)).inc()
        if parts.gate.settling(ended):
            headers = (*headers, CLOSE)
        await answer(send, status, content, headers)
        if trace is not None and parts.tracer is not None:
            parts.tracer.end(trace, status, ended)
