"""Events that are plainly good, told one at a time in microseconds; the rest is for the contract's rules.

The contract judges whole columns, which is fast for a million events and slow (10 ms) for one. Nearly
all events that a shop sends are good and written plainly, and for them a decoder made from the same
``FIELDS`` is enough. It only ever says yes: whatever it does not understand is judged by
:func:`validate_json`, so that a verdict and its reasons have one definition.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
import polars as pl
from msgspec import Meta

from reco_assets.events.contract import EARLIEST, EVENT_TYPES, FIELDS, MAX_AHEAD, EventType, Field
from reco_assets.events.values import epoch_us
from reco_assets.events.wire import validate_json

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_EARLIEST: Final = (EARLIEST - _EPOCH) // _MICROSECOND
_AHEAD: Final = MAX_AHEAD // _MICROSECOND
#: Fields whose text is used as it is; in the others white space does no harm.
_IDS: Final = ("event_id", "user_id", "session_id", "product_id")


class Gist(msgspec.Struct, frozen=True):
    """What of an accepted event is needed before it is read again; ``at_us`` is UTC microseconds."""

    event_id: str
    user_id: str
    session_id: str | None
    kind: EventType
    product_id: str | None
    at_us: int


#: An accepted event, or every reason why it is not.
Verdict = Gist | tuple[str, ...]


def plain(payload: bytes, now_us: int) -> Gist | None:
    """The gist of an event that is plainly good; None says nothing. ``now_us`` is the clock."""
    try:
        event = _DECODER.decode(payload)
        written = event.timestamp
        at_us = epoch_us(written) if isinstance(written, int) else _micros(written)
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError):
        return None  # judged, with reasons, by those who have them
    kind = EventType[event.event_type]
    if event.product_id is None and kind is not EventType.search:
        return None
    if not _EARLIEST <= at_us <= now_us + _AHEAD:
        return None
    return Gist(
        _text(event.event_id),
        _text(event.user_id),
        None if event.session_id is None else _text(event.session_id),
        kind,
        None if event.product_id is None else _text(event.product_id),
        at_us,
    )


def verdicts(payloads: Sequence[bytes], now: datetime) -> list[Verdict]:
    """What the contract says of each event, whichever it is; some 10 ms, however few they are."""
    judged = validate_json(payloads, now)
    found: dict[int, Verdict] = {}
    names = ("event_id", "user_id", "session_id", "event_type", "product_id")
    good = judged.accepted.select(
        "delivery_position", *names, pl.col("timestamp").dt.timestamp("us").alias("at_us")
    )
    for position, event_id, user_id, session_id, kind, product_id, at_us in good.iter_rows():
        found[position] = Gist(event_id, user_id, session_id, EventType[kind], product_id, at_us)
    for position, reasons in judged.rejected.select("delivery_position", "reasons").iter_rows():
        found[position] = tuple(reasons)
    return [found[position] for position in range(1, len(payloads) + 1)]


def _micros(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def _text(value: str | int) -> str:
    return value if isinstance(value, str) else str(value)


def _wire_type(field: Field) -> Any:  # noqa: ANN401 - a type expression
    whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
    if field.name == "event_type":
        return Literal[EVENT_TYPES]
    if isinstance(field.dtype, pl.Datetime):
        iso = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)?\Z"
        return Annotated[str, Meta(pattern=iso)] | whole
    if isinstance(field.dtype, pl.Float64):
        return Annotated[float, Meta(ge=field.minimum, le=field.maximum)]
    if isinstance(field.dtype, pl.Int64):
        return Annotated[int, Meta(ge=field.minimum, le=2**63 - 1)]
    # text that begins with something is not blank
    return Annotated[str, Meta(pattern=r"^\S")] | whole if field.name in _IDS else str


def _defined(field: Field) -> Any:  # noqa: ANN401 - what msgspec.defstruct takes
    kind = _wire_type(field)
    return (field.name, kind) if field.required else (field.name, kind | None, None)


_DECODER: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(
    msgspec.defstruct("_PlainEvent", [_defined(field) for field in FIELDS], kw_only=True)
)
