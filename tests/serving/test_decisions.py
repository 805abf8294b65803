"""Decision records: written in order, kept while Redis is away, counted when they must go."""

from __future__ import annotations

from typing import cast

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from reco_assets.online import keys
from reco_serving.decisions import BUFFERED, Decided, DecisionLog
from reco_serving.metrics import Metrics
from tests.online.conftest import free_port


def decided(name: str) -> Decided:
    return Decided(
        name, b"{}", None, None, None, True, "b", 1, 2, 3, "full", "default", ["p1"], [1.0], ["popular"]
    )


def count(metrics: Metrics, outcome: str) -> float:
    return float(metrics.decisions.labels(outcome)._value.get())


def test_records_reach_the_stream_in_order_and_the_rest_on_stopping(
    store: redis.Redis, metrics: Metrics
) -> None:
    log = DecisionLog(store, metrics)
    log.start()
    for number in range(500):
        log.add(decided(f"d{number}"))
    log.stop()
    entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", store.xrange(keys.DECISIONS))
    names = [msgspec.msgpack.decode(entry[b"d"], type=Decided).recommendation_id for _, entry in entries]
    assert names == [f"d{number}" for number in range(500)]
    assert count(metrics, "written") == 500


def test_records_wait_for_redis_and_the_oldest_give_way(metrics: Metrics) -> None:
    away = redis.Redis(port=free_port(), retry=Retry(NoBackoff(), 0))
    log = DecisionLog(away, metrics)
    for number in range(BUFFERED + 3):
        log.add(decided(f"d{number}"))
    assert log.flush() == 0
    assert count(metrics, "dropped") == 3
    assert len(log._buffer) == BUFFERED
    assert log._buffer[0].recommendation_id == "d3"
    assert log._buffer[-1].recommendation_id == f"d{BUFFERED + 2}"
