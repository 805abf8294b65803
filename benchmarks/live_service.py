"""The service's own parts, driven by the clock of a simulated shop instead of the machine's.

A running service takes the time from its machine, so weeks cannot be lived through with it. Here the
same functions stand in one process: the collector with its stream and the users' pending values, the
reading of their state, the answer, the micro-batch and the feed of product changes. Only HTTP is left out.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

import numpy as np

from reco_assets.errors import MissingDependency
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.lake import open_lake
from reco_assets.platform.redis import open_redis, stop_redis
from reco_assets.platform.registry import Registry
from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.open import open_stream
from reco_assets.ranking.evaluation import proposed
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.policy.rules import Rules
from reco_assets.recommender.recommend import blocked_items, current_history
from reco_assets.recommender.types import Int32s, Request
from reco_assets.streaming.indexes import Indexes
from reco_assets.streaming.microbatch import MicroBatch, micro_batch
from reco_serving.answers import decide
from reco_serving.collector import Collector
from reco_serving.events import collect
from reco_serving.metrics import Metrics
from reco_serving.products import ProductFeed
from reco_serving.sinks import open_sink
from reco_serving.state import StateReader, unpack

#: Which products are shown: item rows, best first.
Answer = Callable[["LiveService", str, str, Request, int], Int32s]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class LiveService:
    """The parts of a service and of its follower over the home of ``settings``.

    Attributes
    ----------
    degraded
        Answers for which the online store did not answer in time.
    """

    settings: Settings
    metrics: Metrics
    degraded: int = 0

    def __enter__(self) -> Self:
        champion = Registry(self.settings).champion()
        if champion is None:
            raise MissingDependency("serving the shop: no bundle was promoted")
        self.lake = open_lake(self.settings)
        self._redis = open_redis(self.settings)
        self.bundle = Bundle.load(champion.folder)
        self.feed = ProductFeed(self._redis, self.bundle)
        self.feed.load()
        self.rules = Rules(self.bundle)
        self._stream = open_stream(self.settings)
        self._indexes = Indexes.of(self.settings, self.lake)
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.run_until_complete(self._stop())
        self._loop.close()
        self._stream.close()
        self._redis.close()
        stop_redis(self.settings)

    async def _start(self) -> None:
        self._states = StateReader.open(
            # the loop runs only while something is asked: Redis must not be left alone meanwhile
            self.settings.model_copy(update={"deadline_ms": 4_000.0})
        )
        sink = open_sink(self.settings, self.metrics)
        self._collector = Collector(sink, self.settings.home / "spool", 100_000_000, self.metrics)
        await self._collector.start()

    async def _stop(self) -> None:
        await self._collector.stop()
        await self._states.close()

    def collect(self, events: Sequence[Mapping[str, object]]) -> None:
        """As ``POST /events``: on return they are in the stream and in the next answer."""
        told = self._loop.run_until_complete(
            collect(self._collector, self.metrics, json.dumps(list(events)).encode())
        )
        if told.rejected:
            raise MissingDependency(f"telling the service what happened: {told.rejected[0]}")

    def full(self, user_id: str, session_id: str, request: Request, now: int) -> Int32s:
        """What ``POST /recommend`` answers."""
        packed = self._loop.run_until_complete(self._states.read(user_id, session_id))
        state, whole = unpack(packed, self.bundle.items)
        self.degraded += not whole
        decision, _ = decide(request, state, whole, self.bundle, self.rules.now(), now)
        return np.array([one.item for one in decision.recommendations], np.int32)

    def popularity(self, user_id: str, session_id: str, request: Request, now: int) -> Int32s:
        """What everybody wants most these weeks, by the same rules: nothing bought, sold out or excluded."""
        packed = self._loop.run_until_complete(self._states.read(user_id, session_id))
        state, whole = unpack(packed, self.bundle.items)
        self.degraded += not whole
        past = current_history(request, state, now)
        blocked = blocked_items(request, past, self.bundle, self.bundle.policy)
        with self.bundle.scratch() as scratch:
            return proposed(self.bundle.popular, past, blocked, request.n, scratch)

    def micro_batch(self, now: int) -> MicroBatch:
        """Bring the tables, the online store and the products of the answers up to ``now``."""
        with closing(DuckDBEngine(self.lake, memory_gb=self.settings.memory_gb)) as engine:
            done = micro_batch(
                engine,
                self._indexes,
                self._stream,
                self._redis,
                self.settings,
                lambda: _EPOCH + timedelta(microseconds=now),
            )
        self.feed.follow()
        return done
