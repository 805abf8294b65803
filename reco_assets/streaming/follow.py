"""Micro-batch after micro-batch: as large as the stream is behind, and no more often than need be."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

import redis

from reco_assets.events.decisions import decisions_stream
from reco_assets.events.drain import waiting
from reco_assets.features.windows import WATERMARK_US, WINDOW_US
from reco_assets.interactions.pipeline import INTERACTIONS
from reco_assets.interactions.withdrawn import NO_ORDERS, ORDERS, orders_version
from reco_assets.online.mark import Mark, read_mark
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.increments import Progress
from reco_assets.platform.lake import Lake, open_lake
from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.open import open_stream
from reco_assets.platform.streams.stream import Stream
from reco_assets.streaming.compaction import Compaction
from reco_assets.streaming.indexes import Indexes
from reco_assets.streaming.microbatch import MicroBatch, micro_batch

#: Rounds between two looks at how many small files there are.
COMPACT_EVERY: Final = 30
#: A follower that has had nothing to do for so many rounds ends; the sensor starts another.
IDLE_ROUNDS: Final = 6


@dataclass(frozen=True)
class Parts:
    """What a follower works with; ``client`` is the caller's to close."""

    settings: Settings
    lake: Lake
    indexes: Indexes
    stream: Stream
    client: redis.Redis

    @classmethod
    def of(cls, settings: Settings, client: redis.Redis) -> Self:
        """The lake, the indexes and the stream of this home. Raises StreamUnavailable."""
        lake = open_lake(settings)
        return cls(settings, lake, Indexes.of(settings, lake), open_stream(settings), client)

    def engine(self) -> DuckDBEngine:
        """A new engine: micro-batches are small, whatever makes the daily tables."""
        return DuckDBEngine(self.lake, threads=self.settings.threads, memory_gb=self.settings.memory_gb)


def follow_stream(
    parts: Parts,
    *,
    until: float | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    pause: Callable[[float], object] = time.sleep,
) -> Iterator[MicroBatch]:
    """Micro-batches until nothing has come for ``IDLE_ROUNDS`` rounds, or until ``until`` (monotonic s).

    A round that leaves the stream empty is followed by a pause up to ``stream_seconds``; while the
    stream is behind there is none.
    """
    compaction = Compaction(parts.lake)
    decisions = decisions_stream(parts.settings)
    idle, rounds = 0, 0
    while idle < IDLE_ROUNDS and (until is None or time.monotonic() < until):
        started = time.monotonic()
        with closing(parts.engine()) as engine:
            batch = micro_batch(
                engine, parts.indexes, parts.stream, parts.client, parts.settings, clock, decisions
            )
        yield batch
        rounds += 1
        behind = batch.drained.waiting > 0
        busy = (
            batch.drained.records
            or batch.answers.records
            or closes_later(batch.refreshed.mark if batch.refreshed else None)
        )
        idle = 0 if busy else idle + 1
        if rounds % COMPACT_EVERY == 0:
            compaction.begin()
        if not behind:
            pause(max(0.0, parts.settings.stream_seconds - (time.monotonic() - started)))
    compaction.end()
    decisions.close()


def closes_later(mark: Mark | None) -> bool:
    """Whether a tile was open at the last refresh: when it closes there is something to refresh."""
    return mark is not None and mark.newest is not None and closes_at(mark.newest) > mark.at


def due(mark: Mark | None, now: datetime) -> bool:
    """Whether a tile that was open at the last refresh is closed by now."""
    return mark is not None and mark.newest is not None and mark.at < closes_at(mark.newest) <= now


def closes_at(event: datetime) -> datetime:
    """When the tile of an event at this time counts as closed."""
    micros = int(event.timestamp() * 1_000_000)
    end = micros - micros % WINDOW_US + WINDOW_US + WATERMARK_US
    return datetime.fromtimestamp(end / 1_000_000, UTC)


@contextmanager
def alone(settings: Settings) -> Iterator[bool]:
    """Whether nobody else on this machine follows the stream; if so, nobody can until the end.

    The operating system gives the lock back when a process ends, however it ends. Two followers would
    do no harm, their commits conflict; they would only do the same work.
    """
    path = settings.home / "locks" / "microbatch.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def wanted(lake: Lake, stream: Stream, client: redis.Redis, now: datetime) -> str | None:
    """Why a follower should be started now; None where there is nothing to do.

    Raises StreamUnavailable, redis.RedisError.
    """
    if records := waiting(lake, stream):
        return f"{records:,} records wait in the stream {stream.name}"
    mark = read_mark(client)
    if due(mark, now):
        return "windows have closed since the last refresh of the online store"
    if mark is not None and mark.products != lake.version("silver/products"):
        return "the catalogue has changed since the last refresh of the online store"
    orders = orders_version(lake)
    if orders != NO_ORDERS and Progress.open(lake, INTERACTIONS, ORDERS).upto not in (None, orders):
        return "orders have changed since the interactions were made"
    return None
