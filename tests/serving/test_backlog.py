"""How far the tables are behind the stream, seen from the service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import redis

from reco_assets.online.stream_status import Status, tell
from reco_assets.platform.redis import open_redis
from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.open import open_stream
from reco_serving.backlog import Backlog
from reco_serving.metrics import Metrics
from tests.online.conftest import free_port
from tests.serving.conftest import Running, until


def status(at: datetime, waiting: int = 0) -> Status:
    """Of a micro-batch of 40 records, one in four of them bad."""
    return Status(at, 40, waiting, 3.5, 0.25, 0.25, users=7, products=5, seconds={"drain": 0.1})


def shown(metrics: Metrics) -> dict[str, float]:
    return {name: gauge._value.get() for name, gauge in vars(metrics.stream).items()}


def test_the_gauges_show_the_last_micro_batch_and_what_has_come_since(
    store: redis.Redis, redis_settings: Settings, metrics: Metrics
) -> None:
    stream, now = open_stream(redis_settings), datetime.now(UTC)
    tell(store, status(at=now))
    stream.append([(f"u{number}", b"{}") for number in range(30)])
    backlog = Backlog(redis_settings, metrics, clock=lambda: now + timedelta(seconds=60))
    backlog.look(store)
    told = shown(metrics)
    assert told.pop("lag_seconds") == pytest.approx(60, abs=30)
    assert told == {
        "lag_records": 30, "batch_size": 40, "batch_age_seconds": 60.0, "event_delay_seconds": 0.25,
        "quarantine_share": 0.25,
    }  # fmt: skip
    assert backlog.trouble is None
    for partition in stream.partitions():
        for record in stream.read(partition, None, 100):
            stream.forget(partition, record.position)
    backlog.look(store)
    assert (shown(metrics)["lag_records"], shown(metrics)["lag_seconds"]) == (0.0, 0.0)
    backlog.close()
    stream.close()


@pytest.mark.parametrize(
    ("minutes_ago", "records", "troubled"),
    [
        pytest.param(10, 3, True, id="records wait and nobody takes them"),
        pytest.param(1, 3, False, id="a micro-batch has just ended"),
        pytest.param(10, 0, False, id="nothing waits"),
        pytest.param(None, 3, True, id="there has been no micro-batch at all"),
    ],
)
def test_records_that_nobody_takes_are_told(
    store: redis.Redis,
    redis_settings: Settings,
    metrics: Metrics,
    minutes_ago: float | None,
    records: int,
    troubled: bool,
) -> None:
    stream, now = open_stream(redis_settings), datetime.now(UTC) + timedelta(minutes=5)
    if records:
        stream.append([("ann", b"{}")] * records)
    if minutes_ago is not None:
        tell(store, status(at=now - timedelta(minutes=minutes_ago)))
    backlog = Backlog(redis_settings, metrics, clock=lambda: now)
    backlog.look(store)
    assert (backlog.trouble is not None) == troubled
    if troubled:
        assert "3 records wait for a micro-batch" in str(backlog.trouble)
        assert "`reco stream`" in str(backlog.trouble)
    backlog.close()
    stream.close()


def test_of_another_stream_it_knows_what_the_last_micro_batch_left(
    store: redis.Redis, redis_settings: Settings, metrics: Metrics
) -> None:
    now = datetime.now(UTC)
    elsewhere = redis_settings.model_copy(update={"stream": "kafka"})
    backlog = Backlog(elsewhere, metrics, clock=lambda: now)
    backlog.look(store)
    assert shown(metrics)["lag_records"] == 0
    tell(store, status(at=now - timedelta(minutes=4), waiting=9))
    backlog.look(store)
    assert (shown(metrics)["lag_records"], shown(metrics)["lag_seconds"]) == (9, 243.5)
    assert "9 records wait" in str(backlog.trouble)


def test_a_redis_that_is_away_changes_nothing(metrics: Metrics) -> None:
    nobody = Settings(redis_port=free_port())
    with redis.Redis(port=nobody.redis_port) as client:
        backlog = Backlog(nobody, metrics)
        backlog.look(client)
    assert backlog.trouble is None


def test_the_service_exports_them_and_health_tells(fresh: Running) -> None:
    with open_redis(fresh.settings) as client:
        tell(client, status(at=datetime.now(UTC) - timedelta(hours=1)))
        stream = open_stream(fresh.settings)
        name = f"{fresh.settings.stream_name}:0"
        hour_ago = int((datetime.now(UTC) - timedelta(hours=1)).timestamp() * 1000)
        client.xadd(name, {"e": b"{}"}, id=f"{hour_ago}-0")
        until(lambda: "1 records wait" in str(fresh.health()["missing"]), "the backlog is told")
        assert fresh.health()["status"] == "degraded"
        text = fresh.client.get("/metrics").text
        assert "reco_stream_lag_records 1.0" in text
        assert "reco_stream_quarantine_share 0.25" in text
        stream.forget("0", hour_ago << 20)
        stream.close()
    until(lambda: fresh.health()["missing"] == [], "the backlog is gone")
