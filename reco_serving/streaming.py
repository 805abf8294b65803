"""GET /stream/{session_id}: Server-Sent Events, a new list whenever something happens in the session.

Source: the WHATWG HTML standard, section "Server-sent events".
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from reco_assets.errors import BadRequest
from reco_assets.recommender.asked import RecommendRequest
from reco_serving.contract import read
from reco_serving.http import JSON, Header, Refusal, answer, encode
from reco_serving.live import Following, Live
from reco_serving.replies import Recommended

PATH: Final = "/stream/"
ROUTE: Final = "/stream/{session_id}"
#: What labels of metrics call it.
NAME: Final = "stream"
#: Pause after which a stream that is silent says that it is there: proxies close what says nothing.
HEARTBEAT_SECONDS: Final = 15.0
#: Pause before a list that could not be made in a crowd is tried again.
_CROWDED_SECONDS: Final = 1.0
_HEADERS: Final[tuple[Header, ...]] = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    # nginx would keep events back until it has a page of them
    (b"x-accel-buffering", b"no"),
)
_STILL_HERE: Final = b": still here\n\n"
_CROWDED: Final = b": too much is asked at the moment\n\n"

#: Makes a list; what it may raise is a Refusal or a BadRequest.
Lister = Callable[[RecommendRequest, bytes], Awaitable[Recommended]]

log = logging.getLogger("reco.stream")


@dataclass(frozen=True)
class _Open:
    """One open stream: what it is asked for, what it hears of, and where its lists go."""

    asked: RecommendRequest
    body: bytes
    live: Live
    following: Following
    send: Send


class Streaming:
    """The ASGI application; ``worker`` is asked at each request, ``listed`` makes a list."""

    def __init__(
        self,
        worker: Callable[[], Live],
        listed: Lister,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._worker = worker
        self._listed = listed
        self._heartbeat = heartbeat_seconds
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a list at once, and with another after each event, until the client leaves."""
        live, begun = self._worker(), time.perf_counter()
        try:
            asked, body = _asked(scope)
            async with live.follow(str(asked.session_id)) as following:
                first = _event(await self._listed(asked, body))
                await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS]})
                live.metrics.latency.labels(NAME).observe(time.perf_counter() - begun)
                await self._go_on(_Open(asked, body, live, following, send), first, receive)
        except BadRequest as error:
            await _refuse(live, send, Refusal(400, error.field, error.reason))
        except Refusal as refusal:
            await _refuse(live, send, refusal)
        except Exception:
            log.exception("answering /stream")
            await _refuse(live, send, Refusal(500, "session_id", "the service failed, its log says how"))

    async def _go_on(self, stream: _Open, first: bytes, receive: Receive) -> None:
        leaving = asyncio.create_task(_left(receive))
        try:
            await _part(stream.send, first)
            if not await self._follow(stream, leaving):
                return
        except Exception:
            # the answer has long begun: an end is all that can be said, and the browser comes back
            log.exception("following a session")
            stream.live.metrics.refusals.labels(NAME, "500").inc()
        finally:
            leaving.cancel()
        await stream.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _follow(self, stream: _Open, leaving: asyncio.Task[None]) -> bool:
        """Send what is new until the worker ends, or, which is false, the client leaves."""
        live, following = stream.live, stream.following
        while not live.ended.is_set():
            news = asyncio.create_task(following.news.wait())
            done, _ = await asyncio.wait(
                {leaving, news}, timeout=self._heartbeat, return_when=asyncio.FIRST_COMPLETED
            )
            news.cancel()
            if leaving in done:
                return False
            if live.ended.is_set():
                break
            if news not in done:
                await _part(stream.send, _STILL_HERE)
                continue
            since = following.take()
            try:
                told = _event(await self._listed(stream.asked, stream.body))
            except Refusal as refusal:
                log.debug("a list of an open stream was refused: %s", refusal)
                live.metrics.refusals.labels(NAME, str(refusal.status)).inc()
                await _part(stream.send, _CROWDED)
                asyncio.get_running_loop().call_later(_CROWDED_SECONDS, following.hear, since)
                continue
            await _part(stream.send, told)
            if since is not None:
                # the clocks of two machines may differ by more than a list takes
                live.metrics.streams.delay.observe(max(0.0, self._clock() - since))
        return True


def _asked(scope: Scope) -> tuple[RecommendRequest, bytes]:
    """What a stream is asked for, as a request to /recommend and its JSON."""
    if scope["method"] != "GET":
        raise Refusal(405, "method", "must be GET", (b"allow", b"GET"))
    session = scope["path"].removeprefix(PATH)
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    body: dict[str, object] = {"session_id": session, "user_id": query.get("user_id", [session])[-1]}
    if "num_recommendations" in query:
        told = query["num_recommendations"][-1]
        if not (told.isascii() and told.isdigit() and len(told) < 10):
            raise BadRequest("num_recommendations", "must be a whole number")
        body["num_recommendations"] = int(told)
    content = encode(body)
    return read(RecommendRequest, content), content


def _event(recommended: Recommended) -> bytes:
    return b"id: %s\nevent: recommendations\ndata: %s\n\n" % (
        recommended.recommendation_id.encode(),
        encode(recommended),
    )


async def _refuse(live: Live, send: Send, refusal: Refusal) -> None:
    live.metrics.refusals.labels(NAME, str(refusal.status)).inc()
    await answer(send, refusal.status, refusal.body, (JSON, *refusal.headers))


async def _part(send: Send, content: bytes) -> None:
    await send({"type": "http.response.body", "body": content, "more_body": True})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
