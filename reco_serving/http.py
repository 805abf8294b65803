"""Reading a request's body and writing an answer, with nothing between them and the server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from reco_serving.replies import Fault, Refused

#: A request body may not be longer than this.
MOST_BYTES: Final = 1_000_000
#: A client that takes longer to send its body is not waited for. All that is awaited after it has
#: deadlines of its own.
BODY_SECONDS: Final = 10.0
#: One header of a request or an answer, names in lower case.
Header = tuple[bytes, bytes]

JSON: Final[Header] = (b"content-type", b"application/json")
#: When a client may try again that was refused for a reason which nobody can put a time to.
RETRY_AFTER: Final[Header] = (b"retry-after", b"5")
#: The connection ends with this answer.
CLOSE: Final[Header] = (b"connection", b"close")
encode: Final = msgspec.json.Encoder().encode


class Refusal(Exception):
    """An answer that is not the one that was asked for."""

    def __init__(self, status: int, field: str, reason: str, *headers: Header) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers
        self.body = encode(Refused(Fault(field, reason)))


async def posted(
    scope: Scope, receive: Receive, allowed: bytes = b"POST", seconds: float = BODY_SECONDS
) -> bytes:
    """The body of a POST; raises Refusal where it is none, too long, or does not come."""
    if scope["method"] != "POST":
        raise Refusal(405, "method", "must be POST", (b"allow", allowed))
    try:
        async with asyncio.timeout(seconds):
            return await _body(receive)
    except TimeoutError as error:
        raise Refusal(408, "body", f"did not come within {seconds:g} seconds") from error


async def _body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body", False):
        parts, size = [body], len(body)
        while message.get("more_body", False):
            message = await receive()
            part: bytes = message.get("body", b"")
            size += len(part)
            if size <= MOST_BYTES:
                parts.append(part)
        body = b"".join(parts) if size <= MOST_BYTES else b" " * (MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        raise Refusal(413, "body", f"may be at most {MOST_BYTES} bytes long")
    return body


async def answer(send: Send, status: int, content: bytes, headers: Iterable[Header] = (JSON,)) -> None:
    """Send a whole answer."""
    told = [*headers, (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": content})


async def refused(request: HttpRequest, error: Exception) -> Response:
    """What the router refuses, in the form of every refusal: there is no such path, or not by this method."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        refusal = Refusal(405, "method", f"must be one of {allowed}")
    else:
        refusal = Refusal(error.status_code, "path", "is not one of this service: / lists them")
    return Response(refusal.body, refusal.status, error.headers, "application/json")
