"""POST /events: what a body holds, what the contract says of it, and the answer once it is durable."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from reco_assets.errors import BadRequest
from reco_assets.events.plain import Gist, Verdict, plain, verdicts
from reco_serving.arrivals import arrivals, event_id
from reco_serving.collector import Collector
from reco_serving.metrics import Metrics
from reco_serving.replies import Collected, Rejected

#: Events that one request may hold.
MOST_EVENTS: Final = 1_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NOTHING: Final = msgspec.Raw(b"")


class _Body(msgspec.Struct):
    """A JSON object: several events under ``events``, or itself one event."""

    events: msgspec.Raw = _NOTHING


_OBJECT: Final = msgspec.json.Decoder(_Body)
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])


async def collect(collector: Collector, metrics: Metrics, body: bytes) -> Collected:
    """Judge and keep the events of ``body``; on return they are durable.

    Raises
    ------
    BadRequest
        The body is no JSON, or holds no events, or too many.
    Refused
        Neither the stream nor the spool takes them.
    """
    payloads = events_of(body)
    found = await judged(payloads)
    await collector.put(arrivals(payloads, found))
    rejected = [
        Rejected(index, event_id(payloads[index]), list(verdict))
        for index, verdict in enumerate(found)
        if not isinstance(verdict, Gist)
    ]
    accepted = len(payloads) - len(rejected)
    if accepted:
        metrics.events.labels("accepted").inc(accepted)
    if rejected:
        metrics.events.labels("rejected").inc(len(rejected))
    return Collected(accepted, rejected)


def events_of(body: bytes) -> list[bytes]:
    """The bytes of each event of a body: one object, a list, or an object with a list ``events``."""
    try:
        if body.lstrip()[:1] != b"{":
            return _listed("body", _LIST.decode(body))
        inner = _OBJECT.decode(body).events
        if not len(memoryview(inner)):
            return [body]
        return _listed("events", _LIST.decode(inner))
    except msgspec.ValidationError as error:
        raise BadRequest(
            "body", "must be an event, a list of events, or an object with a list `events`"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = "it is empty" if not body.strip() else str(error) or "it is nested too deeply"
        raise BadRequest("body", f"cannot be read as JSON: {reason}") from error


async def judged(payloads: Sequence[bytes]) -> list[Verdict]:
    """The contract's verdict on each event; only those that are not plainly good wait for it."""
    now_us = time.time_ns() // 1000
    gists = [plain(payload, now_us) for payload in payloads]
    open_ones = [place for place, gist in enumerate(gists) if gist is None]
    found: list[Verdict] = [gist if gist is not None else () for gist in gists]
    if open_ones:
        now = _EPOCH + timedelta(microseconds=now_us)
        # in a thread: others are answered meanwhile
        later = await asyncio.to_thread(verdicts, [payloads[place] for place in open_ones], now)
        for place, verdict in zip(open_ones, later, strict=True):
            found[place] = verdict
    return found


def _listed(field: str, events: list[msgspec.Raw]) -> list[bytes]:
    if not 1 <= len(events) <= MOST_EVENTS:
        raise BadRequest(field, f"must hold from 1 to {MOST_EVENTS} events, got {len(events)}")
    return [bytes(event) for event in events]
