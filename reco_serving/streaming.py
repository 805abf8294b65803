"""GET /stream/{session_id}: Server-Sent Events, a new list whenever something happens in the session.

Source: the WHATWG HTML standard, section "Server-sent events".
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from reco_assets.errors import BadRequest
from reco_assets.recommender.asked import RecommendRequest
from reco_serving.contract import read
from reco_serving.http import JSON, Header, Refusal, answer, encode
from reco_serving.live import Following, Live
from reco_serving.replies import Fault, Recommended, Refused

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


class Streaming:
    """The ASGI application; ``worker`` is asked at each request, ``listed`` makes a list."""

    def __init__(
        self,
        worker: Callable[[], Live],
        listed: Lister,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._worker = worker
        self._listed = listed
        self._heartbeat = heartbeat_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a list at once, and with another after each event, until the client leaves."""
        try:
            asked, body = _asked(scope)
            live = self._worker()
            async with live.follow(str(asked.session_id)) as following:
                first = await self._listed(asked, body)
                await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS]})
                await _part(send, _event(first))
                await self._go_on(asked, body, live, following, receive, send)
        except BadRequest as error:
            content = encode(Refused(Fault(error.field, error.reason)))
            await answer(send, 400, content, (JSON,))
        except Refusal as refusal:
            await answer(send, refusal.status, refusal.body, (JSON, *refusal.headers))

    async def _go_on(
        self,
        asked: RecommendRequest,
        body: bytes,
        live: Live,
        following: Following,
        receive: Receive,
        send: Send,
    ) -> None:
        leaving = asyncio.create_task(_left(receive))
        try:
            while not live.ended.is_set():
                news = asyncio.create_task(following.news.wait())
                done, _ = await asyncio.wait(
                    {leaving, news}, timeout=self._heartbeat, return_when=asyncio.FIRST_COMPLETED
                )
                news.cancel()
                if leaving in done:
                    return
                if live.ended.is_set():
                    break
                if news not in done:
                    await _part(send, _STILL_HERE)
                    continue
                # whatever happens while this list is made is for the next one
                following.news.clear()
                try:
                    told = _event(await self._listed(asked, body))
                except Refusal as refusal:
                    log.debug("a list of an open stream was refused: %s", refusal)
                    told = _CROWDED
                    asyncio.get_running_loop().call_later(_CROWDED_SECONDS, following.news.set)
                await _part(send, told)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            leaving.cancel()


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


async def _part(send: Send, content: bytes) -> None:
    await send({"type": "http.response.body", "body": content, "more_body": True})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
