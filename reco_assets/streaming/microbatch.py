"""One micro-batch: what the stream holds goes to the lake, then to every table and to the online store.

Each step keeps its progress in the commit of its own rows, so a micro-batch that is cut short, run
twice, or run beside a backfill leaves nothing out and counts nothing twice: the next one goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Final

import redis

from reco_assets.catalogue.history import PRODUCTS_SCHEMA
from reco_assets.events.decisions import DrainedDecisions, decisions_waiting, drain_all_decisions
from reco_assets.events.drain import Drained, drain
from reco_assets.features.increment import advance_features, advance_windows
from reco_assets.interactions.increment import advance_interactions
from reco_assets.online.refresh import Refreshed, refresh
from reco_assets.online.state import moment_of
from reco_assets.platform.engine import Engine
from reco_assets.platform.increments import Advanced
from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.stream import Stream
from reco_assets.streaming.indexes import Indexes

#: Records of one read of the stream, at the least and at the most, over all partitions. The larger
#: one takes some 600 MB while it is on its way.
LEAST: Final = 5_000
MOST: Final = 100_000
#: So many records are drained before the tables follow: a backlog is brought in in large rounds.
ROUND: Final = 1_000_000


@dataclass
class MicroBatch:
    """What one micro-batch did.

    Attributes
    ----------
    seconds
        By step: decisions, drain, interactions, windows, features, online.
    """

    drained: Drained = field(default_factory=Drained)
    answers: DrainedDecisions = field(default_factory=DrainedDecisions)
    advanced: list[Advanced] = field(default_factory=list)
    refreshed: Refreshed | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def timed(self, step: str, started: float) -> float:
        """Note how long ``step`` took; now."""
        now = perf_counter()
        self.seconds[step] = self.seconds.get(step, 0.0) + now - started
        return now


def micro_batch(
    engine: Engine,
    indexes: Indexes,
    stream: Stream,
    client: redis.Redis,
    settings: Settings,
    clock: Callable[[], datetime],
    decisions: Stream | None = None,
) -> MicroBatch:
    """Drain up to some ``ROUND`` records, then bring every table and the online store up to date.

    ``decisions`` is the stream of what the service answered: the impressions among the events.

    Raises StreamUnavailable, redis.RedisError; what was done until then stays and is not done again.
    """
    batch = MicroBatch()
    started = perf_counter()
    engine.lake.ensure("silver/products", PRODUCTS_SCHEMA)
    if decisions is not None and decisions_waiting(engine.lake, decisions):
        batch.answers = drain_all_decisions(engine.lake, decisions)
        started = batch.timed("decisions", started)
    batch.drained = _drain_all(engine, stream)
    started = batch.timed("drain", started)
    batch.advanced = advance_tables(engine, indexes, batch)
    started = perf_counter()
    batch.refreshed = refresh(
        engine,
        client,
        moment_of(engine.lake, clock()),
        user_ttl_days=settings.user_ttl_days,
        product_ttl_days=settings.product_ttl_days,
        history=indexes.history,
        past=indexes.past,
    )
    batch.timed("online", started)
    return batch


def _drain_all(engine: Engine, stream: Stream) -> Drained:
    """Drain until the stream is empty or the round is full, in reads that follow the backlog."""
    partitions = max(1, len(stream.partitions()))
    drained = drain(engine.lake, stream, max(1, LEAST // partitions))
    while drained.waiting and drained.records < ROUND:
        # what is left decides how much is read at once: little stays quick, much is read in large parts
        read = min(MOST, ROUND - drained.records, max(LEAST, drained.waiting))
        more = drain(engine.lake, stream, -(-read // partitions))
        if not more.records:
            break
        drained = drained.and_then(more)
    return drained


def advance_tables(engine: Engine, indexes: Indexes, batch: MicroBatch | None = None) -> list[Advanced]:
    """Bring interactions, tiles, rollups and features up to the newest raw events."""
    timed = (batch or MicroBatch()).timed
    started = perf_counter()
    advanced = [advance_interactions(engine, indexes.known)]
    started = timed("interactions", started)
    advanced += advance_windows(engine)
    started = timed("windows", started)
    advanced += advance_features(engine, indexes.history)
    timed("features", started)
    return advanced
