"""How far the online store has come: beside its values, for writers and for who must not read the lake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast

import msgspec
import redis

from reco_assets.online import keys


class Mark(msgspec.Struct, frozen=True):
    """How far the online store has come: the moment, and the version of each table it was made from.

    ``newest`` is the time of the newest event in it.
    """

    at: datetime
    interactions: int
    raw: int
    products: int
    newest: datetime | None = None


def read_mark(client: redis.Redis) -> Mark | None:
    """How far the online store has come; None where it is empty or was written by another version."""
    return decode_mark(cast("bytes | None", client.get(keys.ONLINE_MARK)))


def decode_mark(written: bytes | None) -> Mark | None:
    """The mark as it stands in Redis; None where there is none or it is of another version."""
    try:
        return msgspec.json.decode(written, type=Mark) if written is not None else None
    except msgspec.DecodeError:
        return None


def micros_of(moment: datetime) -> int:
    """UTC microseconds, exactly: a float of seconds has no room for them."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
