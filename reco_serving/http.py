"""Reading a request's body and writing an answer, with nothing between them and the server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from starlette.types import Receive, Send

from reco_serving.contract import Fault, Refused

#: A request body may not be longer than this.
MOST_BYTES: Final = 1_000_000
#: One header of a request or an answer, names in lower case.
Header = tuple[bytes, bytes]

JSON: Final[Header] = (b"content-type", b"application/json")
encode: Final = msgspec.json.Encoder().encode


class Refusal(Exception):
    """An answer that is not the one that was asked for."""

    def __init__(self, status: int, field: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.body = encode(Refused(Fault(field, reason)))


async def body_of(receive: Receive) -> bytes:
    """The request's body; raises Refusal where it is too long."""
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
