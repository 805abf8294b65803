"""Who is let in: API keys with their scopes and rates, and pages of other origins."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Final

from prometheus_client import Counter
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Asked

from reco_serving.access import Rule, rule_of
from reco_serving.calls import DEADLINE, PRIORITY
from reco_serving.http import JSON, Header, Refusal, answer
from reco_serving.keyring import Keyring
from reco_serving.tracing import TRACEPARENT

_AUTHORIZATION: Final = b"authorization"
_KEY: Final = b"x-api-key"
_BEARER: Final = b"bearer "
_IN_QUERY: Final = b"key="
_CHALLENGE: Final[Header] = (b"www-authenticate", b'Bearer realm="reco"')
#: Every header of a request that the service reads, beside those that pages may send anyway.
_READ: Final = (_AUTHORIZATION, _KEY, b"content-type", DEADLINE, PRIORITY, TRACEPARENT)
_PREFLIGHT: Final[tuple[Header, ...]] = (
    (b"access-control-allow-methods", b"POST, GET"),
    (b"access-control-allow-headers", b", ".join(sorted(_READ))),
    (b"access-control-max-age", b"86400"),
)


@dataclass(frozen=True)
class Door:
    """What stands before every endpoint of one worker; costs three microseconds where keys are asked for.

    Attributes
    ----------
    origins
        Whose pages may ask; ``*`` is any.
    denied
        Counts who was not let in, by the reason.
    """

    keyring: Keyring
    origins: frozenset[str]
    denied: Counter
    clock: Callable[[], float] = time.monotonic

    async def enter(self, onward: ASGIApp, scope: Asked, receive: Receive, send: Send) -> None:
        """Let a request through to ``onward``, or answer why not."""
        rule = rule_of(scope["path"])
        cross = self._cross(scope) if rule.pages and self.origins else ()
        if rule.pages and scope["method"] == "OPTIONS":
            return await answer(send, 204, b"", (*cross, *_PREFLIGHT) if cross else ())
        if rule.scope is not None and self.keyring.asked:
            try:
                self._check(scope, rule)
            except Refusal as refusal:
                return await answer(send, refusal.status, refusal.body, (JSON, *cross, *refusal.headers))
        await onward(scope, receive, _saying(cross, send) if cross else send)

    def _check(self, scope: Asked, rule: Rule) -> None:
        text = _key_of(scope, rule)
        if text is None:
            raise self._refusal(401, "no_key", "is required: X-Api-Key, or Authorization: Bearer", _CHALLENGE)
        grant = self.keyring.find(text)
        if grant is None:
            raise self._refusal(401, "unknown", "is not known, or was revoked", _CHALLENGE)
        if rule.scope not in grant.scopes:
            raise self._refusal(403, "scope", f"is not good for this: it lacks the scope {rule.scope}")
        wait = grant.bucket.take(self.clock())
        if wait:
            later = (b"retry-after", b"%d" % max(1, ceil(wait)))
            raise self._refusal(429, "rate", f"may ask {grant.key.per_second:g} times a second", later)

    def _refusal(self, status: int, why: str, reason: str, *headers: Header) -> Refusal:
        self.denied.labels(why).inc()
        return Refusal(status, "key", reason, *headers)

    def _cross(self, scope: Asked) -> tuple[Header, ...]:
        """What a browser must be told so that a page of another origin may read the answer."""
        origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
        if origin is None:
            return ()
        if "*" in self.origins or origin.decode("latin-1") in self.origins:
            return (b"access-control-allow-origin", origin), (b"vary", b"origin")
        return ((b"vary", b"origin"),)


def _key_of(scope: Asked, rule: Rule) -> bytes | None:
    for name, value in scope["headers"]:
        if name == _KEY:
            return bytes(value).strip()
        if name == _AUTHORIZATION and value[: len(_BEARER)].lower() == _BEARER:
            return bytes(value[len(_BEARER) :]).strip()
    if rule.key_in_query:
        for part in scope["query_string"].split(b"&"):
            if part.startswith(_IN_QUERY):
                return bytes(part[len(_IN_QUERY) :])
    return None


def _saying(headers: tuple[Header, ...], send: Send) -> Send:
    """``send`` with ``headers`` in the answer."""

    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *headers]
        await send(message)

    return told
