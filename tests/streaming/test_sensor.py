"""The sensor and its run, as Dagster calls them, on a real stream and a tiny lake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import redis

from reco_assets.online.mark import read_mark
from reco_assets.online.stream_status import Status
from reco_assets.platform.lake import open_lake
from reco_assets.platform.redis import open_redis, stop_redis
from reco_assets.platform.resources import Platform
from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.open import open_stream
from reco_assets.streaming import follow as following
from reco_assets.streaming.follow import alone
from reco_assets.streaming.sensors import microbatches, stream_lag, stream_sensor
from tests.online.conftest import free_port

# Dagster 1.13 asks its resources for their fields by Pydantic's old name.
pytestmark = pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings of an empty home, also in the environment, whose embedded Redis runs."""
    monkeypatch.setenv("RECO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RECO_REDIS_PORT", str(free_port()))
    monkeypatch.setenv("RECO_STREAM_SECONDS", "0.01")
    monkeypatch.setattr(following, "IDLE_ROUNDS", 1)
    settings = Settings()
    open_redis(settings).close()
    yield settings
    stop_redis(settings)


@pytest.fixture
def store(settings: Settings) -> Iterator[redis.Redis]:
    """The Redis of the home."""
    with open_redis(settings) as client:
        yield client


def collect(settings: Settings, *products: str, at: str = "2024-05-01T12:00:00Z") -> None:
    """Append a click on each product to the stream; one without a name is bad."""
    told: dict[str, str | None] = {"user_id": "u1", "event_type": "click", "timestamp": at}
    records = [told | {"event_id": f"{at}:{p}", "product_id": p or None} for p in products]
    open_stream(settings).append([("u1", json.dumps(record).encode()) for record in records])


def look(cursor: str | None = None) -> tuple[dg.RunRequest | dg.SkipReason, str | None]:
    """What the sensor says, and its cursor afterwards."""
    context = dg.build_sensor_context(cursor=cursor, resources={"platform": Platform()})
    (said,) = stream_sensor(context)  # type: ignore[misc]
    assert isinstance(said, dg.RunRequest | dg.SkipReason)
    return said, context.cursor


def followed() -> dg.ExecuteInProcessResult:
    """One run of the job, in this process."""
    with dg.DagsterInstance.ephemeral() as instance:
        return microbatches.execute_in_process(instance=instance, resources={"platform": Platform()})


def test_an_empty_stream_is_left_alone(settings: Settings) -> None:
    said, _ = look()
    assert isinstance(said, dg.SkipReason)
    assert said.skip_message == "the stream is empty and every closed window is online"


def test_waiting_records_ask_for_a_run_once(settings: Settings) -> None:
    collect(settings, "p1", "p2")

    said, cursor = look()
    again, _ = look(cursor)

    assert isinstance(said, dg.RunRequest)
    assert said.tags["reco/reason"] == "2 records wait in the stream events"
    assert isinstance(again, dg.SkipReason)
    assert again.skip_message == "a run has just been asked for"


def test_nobody_is_asked_for_while_somebody_follows(settings: Settings) -> None:
    collect(settings, "p1")
    with alone(settings) as mine:
        assert mine
        said, _ = look()
    assert isinstance(said, dg.SkipReason)
    assert said.skip_message == "a run follows the stream"


def test_a_run_that_was_killed_is_asked_for_again_under_another_key(settings: Settings) -> None:
    collect(settings, "p1")
    first, cursor = look()
    # its process has ended without a word, and two looks have passed
    second, _ = look(str(float(cursor or 0) - 60))
    assert isinstance(first, dg.RunRequest)
    assert isinstance(second, dg.RunRequest)


def test_a_stream_that_does_not_answer_is_a_reason_to_skip(settings: Settings) -> None:
    stop_redis(settings)
    said, _ = look()
    assert isinstance(said, dg.SkipReason)
    assert "the stream cannot be asked" in str(said.skip_message)


def test_a_run_brings_the_stream_into_every_table_and_tells_how_it_went(
    settings: Settings, store: redis.Redis
) -> None:
    collect(settings, "p1", "p2", "")

    done = followed()

    assert done.success
    told = {
        event.asset_key.to_user_string(): event.materialization.metadata
        for event in done.all_events
        if event.is_step_materialization and event.asset_key
    }
    assert {"raw_events", "raw_quarantine", "interactions", "online_user_features"} <= set(told)
    raw = told["raw_events"]
    assert (raw["batch size"].value, raw["accepted"].value, raw["lag records"].value) == (3, 2, 0)
    assert raw["quarantine share"].value == pytest.approx(1 / 3)
    assert {"lag seconds", "event-time delay seconds", "drain seconds", "online seconds"} <= set(raw)
    lake = open_lake(settings)
    assert lake.scan("silver/interactions").collect()["product_id"].sort().to_list() == ["p1", "p2"]
    assert store.exists("u:u1", "p:p1", "p:p2") == 3
    mark, status = read_mark(store), Status.read(store)
    assert mark is not None
    assert mark.interactions == lake.version("silver/interactions")
    assert status is not None
    said, _ = look()
    assert isinstance(said, dg.SkipReason)
    lag = stream_lag(Platform())
    assert isinstance(lag, dg.AssetCheckResult)
    assert lag.passed


def test_a_run_beside_another_follower_does_nothing(settings: Settings) -> None:
    collect(settings, "p1")
    with alone(settings) as mine:
        assert mine
        done = followed()
    assert done.success
    assert not open_lake(settings).exists("raw/events")
