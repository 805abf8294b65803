"""Events as JSON objects, one ``bytes`` each, into columns that the contract's rules can judge."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final

import msgspec
import polars as pl

from reco_assets.events.contract import EVENT_SCHEMA
from reco_assets.events.validate import REASONS, Validated, validate

Scalar = str | int | float | None

#: What a field may be on the wire before the contract judges it.
_Wire: Final = msgspec.defstruct("_Wire", [(name, Scalar, None) for name in EVENT_SCHEMA])
_DECODER: Final = msgspec.json.Decoder(_Wire)


def validate_json(payloads: Sequence[bytes], now: datetime) -> Validated:
    """Check events given as JSON; ``delivery_position`` is the place in ``payloads``, from 1."""
    return validate(json_rows(payloads), now)


def json_rows(payloads: Sequence[bytes], first: int = 1) -> pl.DataFrame:
    """Columns of the contract, ``delivery_position`` from ``first``, ``payload`` and ``reasons``.

    Integers are taken as ids, text as numbers; fields that the contract does not know are left alone.
    """
    events: list[object] = []
    reasons: list[list[str] | None] = []
    for payload in payloads:
        try:
            events.append(_DECODER.decode(payload))
            reasons.append(None)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            event, found = _leniently(payload)
            events.append(event)
            reasons.append(found)
    columns = [_column(name, list(map(attrgetter(name), events))) for name in EVENT_SCHEMA]
    return pl.DataFrame(
        [
            pl.Series("delivery_position", range(first, first + len(payloads)), dtype=pl.Int64),
            pl.Series("payload", payloads, dtype=pl.Binary),
            *columns,
            pl.Series(REASONS, reasons, dtype=pl.List(pl.String())),
        ]
    )


def _leniently(payload: bytes) -> tuple[object, list[str]]:
    """What can be read of an event that is not as it should be, and why the rest cannot."""
    try:
        read = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Wire(), ["not JSON"]
    except RecursionError:
        return _Wire(), ["nested too deeply"]
    if not isinstance(read, dict):
        return _Wire(), ["not a JSON object"]
    kept: dict[str, Scalar] = {}
    reasons: list[str] = []
    for name in EVENT_SCHEMA:
        value = read.get(name)
        if value is None or (isinstance(value, str | int | float) and not isinstance(value, bool)):
            kept[name] = value
        else:
            reasons.append(f"{name}: {type(value).__name__} instead of a text or a number")
    return _Wire(**kept), reasons


def _column(name: str, values: list[Scalar]) -> pl.Series:
    kinds = set(map(type, values)) - {type(None)}
    if kinds <= {str}:
        return pl.Series(name, values, dtype=pl.String)
    if kinds == {float} and EVENT_SCHEMA[name] == pl.Float64:
        return pl.Series(name, values, dtype=pl.Float64)
    texts = [value if value is None or isinstance(value, str) else _written(value) for value in values]
    return pl.Series(name, texts, dtype=pl.String)


def _written(value: float) -> str:
    """As JSON has it, so that 7 and "7" are the same id and 1.5 is no id at all."""
    return repr(value)
