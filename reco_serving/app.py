"""What one worker of the service is made of, and what it answers beside products."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import FrameType
from typing import Final

import redis.asyncio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from reco_assets.events.decided import PARTITIONS, STREAM
from reco_assets.platform.redis import connect, redis_url
from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.redis_stream import RedisStream
from reco_serving.backlog import Backlog
from reco_serving.breaker import State
from reco_serving.collector import Collector
from reco_serving.current import Current
from reco_serving.decisions import KEPT, DecisionLog
from reco_serving.door import Door
from reco_serving.endpoints import Answer, Endpoint, Parts, no_bundle
from reco_serving.evidence import SEED_BITS
from reco_serving.explaining import PATH as EXPLAIN_PATH
from reco_serving.explaining import explain
from reco_serving.gate import Gate
from reco_serving.health import health
from reco_serving.http import Refusal, encode, refused
from reco_serving.intake import PATH, Collecting, Intake
from reco_serving.keyring import Keyring
from reco_serving.ladder import POPULAR
from reco_serving.live import Live
from reco_serving.logs import log_as_json
from reco_serving.metrics import Metrics
from reco_serving.openapi import PAGE, document
from reco_serving.parent import end_with, parent
from reco_serving.personal import (
    answer_bought_together,
    answer_buy_again,
    answer_rank,
    answer_recently_viewed,
)
from reco_serving.recommending import answer_batch, answer_recommend
from reco_serving.related import answer_similar, answer_trending
from reco_serving.replies import Health, Ready
from reco_serving.results import results_page
from reco_serving.sinks import open_sink
from reco_serving.state import StateReader
from reco_serving.streamed import listed
from reco_serving.streaming import NAME as STREAM_NAME
from reco_serving.streaming import PATH as STREAM_PATH
from reco_serving.streaming import Streaming
from reco_serving.tracing import Tracer, traced
from reco_serving.variants import Variants
from reco_serving.zero import at_zero

#: How long one thread may keep the interpreter from another that waits for it.
SWITCH_SECONDS: Final = 0.0005
#: The script that shops put into their pages, and what a browser's cache may do with it.
SNIPPET: Final = (Path(__file__).parent / "snippet" / "reco.js").read_bytes()
_SNIPPET_TAG: Final = f'"{sha256(SNIPPET).hexdigest()[:16]}"'
_SNIPPET_HEADERS: Final = {"Cache-Control": "public, max-age=3600", "ETag": _SNIPPET_TAG}

#: What is asked by POST and answered with products, by path.
_ANSWERS: Final[Mapping[str, Answer]] = {
    "/recommend": answer_recommend,
    "/recommend/batch": answer_batch,
    "/similar": answer_similar,
    "/bought-together": answer_bought_together,
    "/trending": answer_trending,
    "/buy-again": answer_buy_again,
    "/recently-viewed": answer_recently_viewed,
    "/rank": answer_rank,
}


def named_endpoint(path: str) -> str:
    """What a label of a metric calls the endpoint at ``path``."""
    return path.strip("/").replace("/", "_")


def _before_the_end(call: Callable[[], object]) -> None:
    """Have ``call`` made when this worker is told to end: the server waits for all answers, open ones too."""
    soon = partial(asyncio.get_running_loop().call_soon_threadsafe, call)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _first(soon, signal.getsignal(number)))


def _first(soon: Callable[[], object], before: object) -> Callable[[int, FrameType | None], None]:
    def told(number: int, frame: FrameType | None) -> None:
        soon()
        if callable(before):
            before(number, frame)

    return told


def _tell(metrics: Metrics, dependency: str, state: State) -> None:
    metrics.guards.breaker.labels(dependency).set(state)
    if state is State.open:
        metrics.guards.opened.labels(dependency).inc()


def _cheapest(current: Current, now: float) -> float:
    """Seconds that an answer takes at the least; nothing before there are any."""
    loaded = current.loaded
    return loaded.costs[POPULAR].expected(now) if loaded is not None else 0.0


def _refused(refusal: Refusal) -> Response:
    headers = {name.decode(): value.decode() for name, value in refusal.headers}
    return Response(refusal.body, refusal.status, headers, "application/json")


class Service:
    """The hot endpoints, the application of all others, and the parts, which exist while it runs."""

    def __init__(self) -> None:
        self._parts: Parts | None = None
        self._door: Door | None = None
        #: The endpoints that are asked all the time, by path.
        self.hot: Mapping[str, ASGIApp] = {
            PATH: Intake(lambda: self.parts.collecting),
            **{
                path: Endpoint(lambda: self.parts, named_endpoint(path), answer)
                for path, answer in _ANSWERS.items()
            },
        }
        self._stream = Streaming(
            lambda: self.parts.live,
            lambda asked, body: listed(self.parts, asked, body),
        )
        self.asgi = Starlette(
            routes=[
                Route("/reco.js", self._snippet, methods=["GET"]),
                Route("/health", self._health, methods=["GET"]),
                Route("/ready", self._ready, methods=["GET"]),
                Route(EXPLAIN_PATH, self._explain, methods=["GET", "POST"]),
                Route("/", self._page, methods=["GET"]),
                Route("/experiments", self._experiments, methods=["GET"]),
                Route("/docs.json", self._document, methods=["GET"]),
            ],
            lifespan=self._lifespan,
            exception_handlers={HTTPException: refused},
        )

    def straight(self, path: str) -> ASGIApp | None:
        """What answers ``path`` itself, ahead of the application of all others."""
        return self._stream if path.startswith(STREAM_PATH) else self.hot.get(path)

    @property
    def parts(self) -> Parts:
        """What the running worker holds."""
        assert self._parts is not None, "the worker has started"
        return self._parts

    @property
    def door(self) -> Door:
        """Who may ask the running worker."""
        assert self._door is not None, "the worker has started"
        return self._door

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        settings = Settings()
        # a thread that loads a bundle holds up the loop for no longer than this at a time
        sys.setswitchinterval(SWITCH_SECONDS)
        if settings.log_format == "json":
            log_as_json()
        metrics, tracer = Metrics(), Tracer.open(settings)
        listing = (*map(named_endpoint, _ANSWERS), STREAM_NAME)
        at_zero(metrics, (*listing, named_endpoint(PATH)), listing)
        current = Current(settings, metrics, Backlog(settings, metrics))
        keyring = Keyring(settings)
        keyring.look(time.monotonic())
        self._door = Door(keyring, frozenset(settings.cors_origins), metrics.guards.denied)
        breaker = partial(_tell, metrics, "redis")
        breaker(State.closed)
        states = StateReader.open(settings, breaker, metrics.freshness.looked_up)
        gate = Gate(metrics.guards, partial(_cheapest, current))
        with connect(settings) as client:
            decisions = DecisionLog(RedisStream(client, STREAM, PARTITIONS, KEPT), metrics, tracer)
            sink = open_sink(settings, metrics)
            collector = Collector(sink, settings.home / "spool", settings.spool_mb * 1_000_000, metrics)
            collecting = Collecting(collector, metrics, tracer)
            below = round(settings.decision_evidence * 2**SEED_BITS)
            live = Live(redis.asyncio.Redis.from_url(redis_url(settings)), settings.streams, metrics)
            variants = Variants(current)
            self._parts = Parts(
                current,
                states,
                decisions,
                collecting,
                metrics,
                time.time_ns() // 1000,
                variants,
                gate,
                settings.deadline_ms / 1e3,
                live,
                below,
                tracer,
            )
            await collector.start()
            # connected before the first visitor comes; where Redis is gone, that is known before
            await states.ping()
            current.start()
            await asyncio.to_thread(current.wait)
            variants.start()
            decisions.start()
            live.start()
            _before_the_end(live.finish)
            watching = [asyncio.create_task(end_with(parent())), asyncio.create_task(keyring.watch())]
            try:
                yield
            finally:
                for task in watching:
                    task.cancel()
                await collector.stop()
                await asyncio.to_thread(current.stop)
                await asyncio.to_thread(variants.stop)
                await asyncio.to_thread(decisions.stop)
                await live.stop()
                await states.close()
                if tracer is not None:
                    await asyncio.to_thread(tracer.close)

    async def _health(self, request: HttpRequest) -> Response:
        return Response(encode(await self.health()), media_type="application/json")

    async def health(self) -> Health:
        """What is loaded, since when, and what is missing."""
        parts = self.parts
        reached = await parts.states.ping()
        collector = parts.collecting.collector
        return health(
            parts.current,
            None if reached else parts.states.trouble or "it does not answer in time",
            parts.states.breaker.state.name,
            collector.trouble,
            collector.waiting_bytes,
            parts.started_at,
            parts.variants.trouble,
            self.door.keyring.trouble,
        )

    async def _ready(self, request: HttpRequest) -> Response:
        loaded = self.parts.current.loaded
        if loaded is None:
            return _refused(no_bundle(self.parts.current))
        return Response(encode(Ready(loaded.bundle.version)), media_type="application/json")

    async def _explain(self, request: HttpRequest) -> Response:
        begun, headers = time.perf_counter(), request.headers.raw
        try:
            with traced(self.parts.tracer, EXPLAIN_PATH, headers, begun, request.method) as trace:
                told = await explain(self.parts, Settings(), request.path_params["recommendation_id"], trace)
        except Refusal as refusal:
            return _refused(refusal)
        return Response(encode(told), media_type="application/json")

    async def _snippet(self, request: HttpRequest) -> Response:
        if request.headers.get("if-none-match") == _SNIPPET_TAG:
            return Response(status_code=304, headers=_SNIPPET_HEADERS)
        return Response(SNIPPET, media_type="text/javascript", headers=_SNIPPET_HEADERS)

    async def _experiments(self, request: HttpRequest) -> Response:
        told = await results_page(self.parts.variants.board, self.parts.states.client, time.time_ns() // 1000)
        return Response(told, media_type="text/html")

    async def _page(self, request: HttpRequest) -> Response:
        return Response(PAGE, media_type="text/html")

    async def _document(self, request: HttpRequest) -> Response:
        return Response(encode(document(keys=self.door.keyring.asked)), media_type="application/json")
