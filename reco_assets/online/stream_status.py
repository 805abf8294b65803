"""How the last micro-batch went: kept in Redis, for metrics and checks that must not read the lake."""

from __future__ import annotations

from datetime import datetime
from typing import Self, cast

import msgspec
import redis

from reco_assets.online import keys


class Status(msgspec.Struct, frozen=True):
    """The last micro-batch.

    Attributes
    ----------
    at
        When it ended.
    batch_size, waiting
        Records that it took, and that it left in the stream.
    lag_seconds
        Age of its oldest record when it ended; 0 where it had none.
    event_delay_seconds
        Median seconds between an event's own time and its arrival.
    quarantine_share
        Share of its records that broke the contract.
    seconds
        What each step took.
    """

    at: datetime
    batch_size: int
    waiting: int
    lag_seconds: float
    event_delay_seconds: float
    quarantine_share: float
    users: int
    products: int
    seconds: dict[str, float]

    @classmethod
    def read(cls, client: redis.Redis) -> Self | None:
        """The last one that was told; None where there was none."""
        written = cast("bytes | None", client.get(keys.STREAM_STATUS))
        try:
            return msgspec.json.decode(written, type=cls) if written is not None else None
        except msgspec.DecodeError:
            return None


def tell(client: redis.Redis, status: Status) -> None:
    """Keep ``status`` for whoever asks."""
    client.set(keys.STREAM_STATUS, msgspec.json.encode(status))
