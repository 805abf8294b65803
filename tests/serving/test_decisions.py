"""Decision records: written in order, kept while the stream is away, counted when they must go."""

from __future__ import annotations

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from reco_assets.events.decided import PARTITIONS, STREAM, Decided, decode
from reco_assets.platform.streams.redis_stream import RedisStream
from reco_serving.decisions import BUFFERED, KEPT, DecisionLog
from reco_serving.metrics import Metrics
from tests.online.conftest import free_port


def decided(name: str) -> Decided:
    return Decided(
        recommendation_id=name, request=b'{"user_id": "ann"}', user_state=None, session_state=None,
        reached=True, bundle="b", product_epoch=1, now_us=2, seed=3, rung="full", variant="default",
        products=["p1"], scores=[1.0], sources=["popular"],
    )  # fmt: skip


def stream_in(client: redis.Redis, most: int = KEPT) -> RedisStream:
    return RedisStream(client, STREAM, PARTITIONS, most)


def written(stream: RedisStream) -> list[str]:
    """Recommendations in the stream, in order."""
    return [decode(record.value)[0].recommendation_id for record in stream.read("0", None, 10_000)]


def count(metrics: Metrics, outcome: str) -> float:
    return float(metrics.decisions.labels(outcome)._value.get())


def test_records_reach_the_stream_in_order_and_the_rest_on_stopping(
    store: redis.Redis, metrics: Metrics
) -> None:
    log = DecisionLog(stream_in(store), metrics)
    log.start()
    for number in range(500):
        log.add(decided(f"d{number}"))
    log.stop()
    assert written(stream_in(store)) == [f"d{number}" for number in range(500)]
    assert count(metrics, "written") == 500


def test_records_wait_for_redis_and_the_oldest_give_way(metrics: Metrics) -> None:
    away = redis.Redis(port=free_port(), retry=Retry(NoBackoff(), 0))
    log = DecisionLog(stream_in(away), metrics)
    for number in range(BUFFERED + 3):
        log.add(decided(f"d{number}"))
    assert log.flush() == 0
    assert count(metrics, "dropped") == 3
    assert len(log._buffer) == BUFFERED
    assert log._buffer[0].recommendation_id == "d3"
    assert log._buffer[-1].recommendation_id == f"d{BUFFERED + 2}"


def test_records_that_end_with_their_worker_are_counted_and_told_of(
    metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    away = redis.Redis(port=free_port(), retry=Retry(NoBackoff(), 0))
    log = DecisionLog(stream_in(away), metrics)
    for number in range(3):
        log.add(decided(f"d{number}"))
    log.start()
    log.stop()
    assert count(metrics, "dropped") == 3
    assert "3 decision records end with this worker: " in caplog.text


def test_a_stream_that_nobody_drains_fills_up_and_costs_one_record_an_attempt(
    store: redis.Redis, metrics: Metrics
) -> None:
    stream = stream_in(store, most=5)
    log = DecisionLog(stream, metrics)
    for number in range(8):
        log.add(decided(f"d{number}"))
    # eight do not fit, then one, two, but not four, then again one, and not two
    assert [log.flush() for _ in range(6)] == [0, 1, 2, 0, 1, 0]
    assert [log.flush() for _ in range(3)] == [1, 0, 0]
    assert "may hold 5 unread ones" in str(log.trouble)
    assert written(stream) == ["d0", "d1", "d2", "d3", "d4"]
    assert (count(metrics, "written"), count(metrics, "dropped")) == (5, 0)
    stream.forget("0", stream.read("0", None, 10)[-1].position)
    assert [log.flush() for _ in range(2)] == [1, 2]
    assert log.trouble is None
    assert written(stream) == ["d5", "d6", "d7"]
