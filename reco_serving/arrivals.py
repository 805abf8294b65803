"""What is kept of an event that arrived: its bytes for the stream, its few bytes for the next answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from reco_assets.catalogue.items import product_keys
from reco_assets.events.plain import Gist, Verdict
from reco_assets.interactions.log import LOGGED
from reco_assets.online.codec import pack_pending

_LOGGED: Final = frozenset(LOGGED)


class Arrival(msgspec.Struct, frozen=True, array_like=True):
    """One event on its way.

    Attributes
    ----------
    key
        The user id, which names the partition of the stream; empty where it cannot be read.
    value
        The event's bytes as they came.
    pending
        The entry of the user's pending value; empty where the event is no product event, or is bad.
    session
        The session id, where there is one.
    """

    key: str
    value: bytes
    pending: bytes = b""
    session: str | None = None


class _Named(msgspec.Struct):
    user_id: str | int | None = None


class _Marked(msgspec.Struct):
    event_id: str | int | None = None


_USER: Final = msgspec.json.Decoder(_Named)
_EVENT: Final = msgspec.json.Decoder(_Marked)


def arrivals(payloads: Sequence[bytes], verdicts: Sequence[Verdict]) -> list[Arrival]:
    """Every event in order: a bad one has its bytes alone, and goes to quarantine by the same road."""
    shown = [gist for gist in verdicts if isinstance(gist, Gist) and gist.kind in _LOGGED]
    packed = iter(_packed(shown))
    found = []
    for payload, verdict in zip(payloads, verdicts, strict=True):
        if not isinstance(verdict, Gist):
            found.append(Arrival(user_id(payload), payload))
        elif verdict.kind in _LOGGED:
            found.append(Arrival(verdict.user_id, payload, next(packed), verdict.session_id))
        else:
            found.append(Arrival(verdict.user_id, payload))
    return found


def user_id(payload: bytes) -> str:
    """The user of a bad event, as far as it can be read; else an empty text."""
    try:
        read = _USER.decode(payload).user_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""  # its reasons are known already
    return "" if read is None else str(read)


def event_id(payload: bytes) -> str | None:
    """The id of a bad event, as far as it can be read."""
    try:
        read = _EVENT.decode(payload).event_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # its reasons are known already
    return None if read is None else str(read)


def _packed(gists: Sequence[Gist]) -> list[bytes]:
    if not gists:
        return []
    rows = pack_pending(
        product_keys(gist.product_id or "" for gist in gists),
        np.array([gist.kind for gist in gists], np.int8),
        np.array([gist.at_us for gist in gists], np.int64),
        product_keys(gist.event_id for gist in gists),
    )
    return [row.tobytes() for row in rows]
