"""How far the tables are behind the stream, as far as the service can see it from Redis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import redis

from reco_assets.online.mark import read_mark
from reco_assets.online.stream_status import Status
from reco_assets.platform.redis import connect
from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.redis_stream import RedisStream
from reco_assets.platform.streams.stream import StreamUnavailable
from reco_serving.metrics import Metrics

#: Records that wait longer than this, without a micro-batch, wait for nobody.
PATIENCE_SECONDS: Final = 120.0


@dataclass(frozen=True)
class Waiting:
    """Records that no table has yet, and for how many seconds the oldest of them has been there."""

    records: int
    seconds: float


@dataclass
class Backlog:
    """What the last micro-batch told, and what has come since; one look costs a few reads of Redis.

    What a Redis stream holds is what was not drained, since what was drained is forgotten. Of Kafka
    and Kinesis the service knows only what the last micro-batch met: their positions are in the lake.

    Attributes
    ----------
    trouble
        Why nobody seems to follow the stream; None where somebody does, or has nothing to do.
    """

    settings: Settings
    metrics: Metrics
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    trouble: str | None = None
    _stream: RedisStream | None = field(default=None, repr=False)

    def look(self, client: redis.Redis) -> None:
        """Read the status and the stream's ends, set the gauges; a Redis that is away changes nothing."""
        try:
            status, now = Status.read(client), self.clock()
            mark = read_mark(client)
            waiting = self._in_redis(now) if self.settings.stream == "redis" else _left(status, now)
        except (redis.RedisError, StreamUnavailable):
            return  # /health says of Redis itself that it is away
        self._show(status, waiting, now)
        self.metrics.freshness.show_online(mark)
        self.trouble = _trouble(status, waiting, now)

    def close(self) -> None:
        """Give the connections back."""
        if self._stream is not None:
            self._stream.close()

    def _in_redis(self, now: datetime) -> Waiting:
        if self._stream is None:
            settings = self.settings
            self._stream = RedisStream(
                connect(settings), settings.stream_name, settings.stream_partitions, settings.stream_most
            )
        records, now_us = 0, now.timestamp() * 1e6
        oldest_us = now_us
        for partition in self._stream.partitions():
            first = self._stream.read(partition, None, 1)
            if first:
                records += self._stream.waiting(partition, None)
                oldest_us = min(oldest_us, first[0].at_us)
        return Waiting(records, (now_us - oldest_us) / 1e6)

    def _show(self, status: Status | None, waiting: Waiting, now: datetime) -> None:
        gauges = self.metrics.stream
        gauges.lag_records.set(waiting.records)
        gauges.lag_seconds.set(waiting.seconds)
        if status is not None:
            gauges.batch_size.set(status.batch_size)
            gauges.event_delay_seconds.set(status.event_delay_seconds)
            gauges.quarantine_share.set(status.quarantine_share)
            gauges.batch_age_seconds.set((now - status.at).total_seconds())


def _left(status: Status | None, now: datetime) -> Waiting:
    """What the last micro-batch left in the stream; where it left nothing, how late it was itself."""
    if status is None:
        return Waiting(0, 0.0)
    since = (now - status.at).total_seconds() if status.waiting else 0.0
    return Waiting(status.waiting, status.lag_seconds + since)


def _trouble(status: Status | None, waiting: Waiting, now: datetime) -> str | None:
    if not waiting.records or waiting.seconds <= PATIENCE_SECONDS:
        return None
    age = (now - status.at).total_seconds() if status is not None else None
    if age is not None and age <= PATIENCE_SECONDS:
        return None
    last = f"the last one ended {age:,.0f} s ago" if age is not None else "there has been none yet"
    return (
        f"{waiting.records:,} records wait for a micro-batch, the oldest for {waiting.seconds:,.0f} s, and"
        f" {last}; nothing is lost: start Dagster (`reco up`) or run `reco stream`"
    )
