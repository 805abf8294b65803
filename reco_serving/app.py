"""The HTTP endpoints: thin shells round pure functions.

They are plain ASGI applications that BentoML serves as a mounted application: decoding with
msgspec and answering bytes costs 0.3 ms a request, BentoML's own typed endpoints cost 0.8 to 1 ms.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from reco_assets.errors import BadRequest
from reco_assets.platform.redis import connect
from reco_assets.platform.settings import Settings
from reco_assets.recommender.recommend import similar, trending
from reco_serving.answers import category_code, decide, products, resolved
from reco_serving.collector import Collector
from reco_serving.contract import (
    Fault,
    Product,
    Recommended,
    RecommendRequest,
    Refused,
    Related,
    SimilarRequest,
    TrendingRequest,
    read,
)
from reco_serving.current import Current, Loaded
from reco_serving.decisions import Decided, DecisionLog
from reco_serving.health import Health, health
from reco_serving.http import Refusal, answer, body_of, encode
from reco_serving.intake import PATH, Collecting, Intake
from reco_serving.metrics import Metrics
from reco_serving.openapi import PAGE, document
from reco_serving.sinks import open_sink
from reco_serving.state import StateReader, unpack

#: Which variant of an experiment answers; there is one until experiments exist.
VARIANT = "default"
#: The script that shops put into their pages, and what a browser's cache may do with it.
SNIPPET: Final = (Path(__file__).parent / "snippet" / "reco.js").read_bytes()
_SNIPPET_TAG: Final = f'"{sha256(SNIPPET).hexdigest()[:16]}"'
_SNIPPET_HEADERS: Final = {"Cache-Control": "public, max-age=3600", "ETag": _SNIPPET_TAG}


@dataclass
class Parts:
    """What a worker holds while it runs."""

    current: Current
    states: StateReader
    decisions: DecisionLog
    collecting: Collecting
    metrics: Metrics
    started_at: int

    def loaded(self) -> Loaded:
        """The bundle that serves; answers 503 where there is none yet."""
        loaded = self.current.loaded
        if loaded is None:
            raise Refusal(503, "bundle", self.current.trouble or NO_BUNDLE)
        return loaded


NO_BUNDLE = "no bundle has been promoted yet: run `reco materialize`, the service picks it up by itself"

Answer = Callable[[Parts, bytes, float], Awaitable[bytes]]


class Endpoint:
    """An ASGI application that answers one POST with JSON."""

    def __init__(self, app: Service, name: str, answer: Answer) -> None:
        self._app = app
        self._name = name
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, answer, count."""
        parts = self._app.parts
        status, started = 200, time.perf_counter()
        try:
            body = await body_of(receive)
            started = time.perf_counter()
            content = await self._answer(parts, body, started)
        except BadRequest as error:
            status, content = 400, encode(Refused(Fault(error.field, error.reason)))
        except Refusal as refusal:
            status, content = refusal.status, refusal.body
        parts.metrics.latency.labels(self._name).observe(time.perf_counter() - started)
        if status != 200:
            parts.metrics.refusals.labels(self._name, str(status)).inc()
        await answer(send, status, content)


class Service:
    """The mounted application and its parts, which exist between startup and shutdown."""

    def __init__(self) -> None:
        self._parts: Parts | None = None
        #: What answers /events.
        self.intake = Intake(lambda: self.parts.collecting)
        self.asgi = Starlette(
            routes=[
                Route("/recommend", Endpoint(self, "recommend", answer_recommend), methods=["POST"]),
                Route("/similar", Endpoint(self, "similar", answer_similar), methods=["POST"]),
                Route("/trending", Endpoint(self, "trending", answer_trending), methods=["POST"]),
                Route(PATH, self.intake),
                Route("/reco.js", self._snippet, methods=["GET"]),
                Route("/health", self._health, methods=["GET"]),
                Route("/", self._page, methods=["GET"]),
                Route("/docs.json", self._document, methods=["GET"]),
            ],
            lifespan=self._lifespan,
        )

    @property
    def parts(self) -> Parts:
        """What the running worker holds."""
        assert self._parts is not None, "the worker has started"
        return self._parts

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        settings = Settings()
        metrics = Metrics()
        current = Current(settings, metrics)
        states = StateReader.open(settings)
        with connect(settings) as client:
            decisions = DecisionLog(client, metrics)
            sink = open_sink(settings, metrics)
            collector = Collector(sink, settings.home / "spool", settings.spool_mb * 1_000_000, metrics)
            collecting = Collecting(collector, metrics, frozenset(settings.cors_origins))
            self._parts = Parts(current, states, decisions, collecting, metrics, time.time_ns() // 1000)
            await collector.start()
            current.start()
            decisions.start()
            try:
                yield
            finally:
                await collector.stop()
                await asyncio.to_thread(current.stop)
                await asyncio.to_thread(decisions.stop)
                await states.close()

    async def _health(self, request: HttpRequest) -> Response:
        return Response(encode(await self.health()), media_type="application/json")

    async def health(self) -> Health:
        """What is loaded, since when, and what is missing."""
        parts = self.parts
        reached = await parts.states.ping()
        collector = parts.collecting.collector
        return health(
            parts.current,
            parts.states.trouble if not reached else None,
            collector.trouble,
            collector.waiting_bytes,
            parts.started_at,
        )

    async def _snippet(self, request: HttpRequest) -> Response:
        if request.headers.get("if-none-match") == _SNIPPET_TAG:
            return Response(status_code=304, headers=_SNIPPET_HEADERS)
        return Response(SNIPPET, media_type="text/javascript", headers=_SNIPPET_HEADERS)

    async def _page(self, request: HttpRequest) -> Response:
        return Response(PAGE, media_type="text/html")

    async def _document(self, request: HttpRequest) -> Response:
        return Response(encode(document()), media_type="application/json")


async def answer_recommend(parts: Parts, body: bytes, started: float) -> bytes:
    """POST /recommend."""
    asked = read(RecommendRequest, body)
    loaded = parts.loaded()
    seed = random.getrandbits(31)
    request = resolved(asked, loaded.bundle, seed)
    session_id = str(asked.session_id) if asked.session_id is not None else None
    packed = await parts.states.read(str(asked.user_id), session_id)
    read_at = time.perf_counter()
    now_us = time.time_ns() // 1000
    state, whole = unpack(packed, loaded.bundle.items)
    decision, degraded = decide(request, state, whole, loaded.bundle, now_us)
    decided_at = time.perf_counter()
    shown = products(decision.recommendations, loaded)
    recommendation_id = f"{now_us:014x}{os.urandom(5).hex()}"
    recommended = Recommended(
        user_id=asked.user_id,
        recommendations=shown,
        model_version=loaded.bundle.version,
        latency_ms=round((time.perf_counter() - started) * 1e3, 3),
        recommendation_id=recommendation_id,
        variant=VARIANT,
        degraded=degraded,
        rung=decision.rung,
    )
    content = encode(recommended)
    parts.decisions.add(
        Decided(
            recommendation_id=recommendation_id,
            request=body,
            user_state=packed.user,
            pending_state=packed.pending,
            session_state=packed.session,
            reached=packed.reached,
            bundle=loaded.bundle.version,
            product_epoch=loaded.feed.epoch,
            now_us=now_us,
            seed=seed,
            rung=decision.rung,
            variant=VARIANT,
            products=[one.product_id for one in shown],
            scores=[one.score for one in decision.recommendations],
            sources=[one.source for one in shown],
        )
    )
    parts.metrics.rungs.labels(decision.rung).inc()
    stages = parts.metrics.stages
    stages.labels("state").observe(read_at - started)
    stages.labels("decide").observe(decided_at - read_at)
    stages.labels("encode").observe(time.perf_counter() - decided_at)
    return content


async def answer_similar(parts: Parts, body: bytes, started: float) -> bytes:
    """POST /similar."""
    asked = read(SimilarRequest, body)
    loaded = parts.loaded()
    row = loaded.bundle.items.row(str(asked.product_id))
    if row < 0:
        raise Refusal(404, "product_id", f"there is no product {str(asked.product_id)!r}")
    found = similar(row, loaded.bundle, asked.num_recommendations, time.time_ns() // 1000)
    return _related(products(found, loaded), loaded, started)


async def answer_trending(parts: Parts, body: bytes, started: float) -> bytes:
    """POST /trending."""
    asked = read(TrendingRequest, body or b"{}")
    loaded = parts.loaded()
    found = trending(loaded.bundle, asked.num_recommendations, category_code(asked.category, loaded.bundle))
    return _related(products(found, loaded), loaded, started)


def _related(shown: list[Product], loaded: Loaded, started: float) -> bytes:
    milliseconds = round((time.perf_counter() - started) * 1e3, 3)
    return encode(Related(shown, loaded.bundle.version, milliseconds))
