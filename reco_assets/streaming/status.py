"""How the last micro-batch went: kept in Redis, for metrics and checks that must not read the lake."""

from __future__ import annotations

from datetime import datetime
from typing import Self, cast

import msgspec
import redis

from reco_assets.online import keys
from reco_assets.streaming.microbatch import MicroBatch


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
    def of(cls, batch: MicroBatch, now: datetime) -> Self:
        """The status after ``batch``, which ended ``now``."""
        drained = batch.drained
        lag = now.timestamp() - drained.oldest_us / 1e6 if drained.oldest_us else 0.0
        return cls(
            at=now,
            batch_size=drained.records,
            waiting=drained.waiting,
            lag_seconds=round(max(0.0, lag), 3),
            event_delay_seconds=drained.event_delay_s,
            quarantine_share=drained.quarantined / max(1, drained.records),
            users=batch.refreshed.users if batch.refreshed else 0,
            products=batch.refreshed.products if batch.refreshed else 0,
            seconds={step: round(seconds, 3) for step, seconds in batch.seconds.items()},
        )

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
