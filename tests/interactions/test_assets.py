"""From the stream of decisions to impressions with outcomes, in Dagster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from reco_assets.catalogue import assets as catalogue
from reco_assets.events import assets as events
from reco_assets.events.decided import PARTITIONS, STREAM, encode
from reco_assets.interactions import assets
from reco_assets.platform.lake import Lake
from reco_assets.platform.resources import DAILY, Buckets, Platform
from tests.events.answers import decided
from tests.platform.streams.servers import RedisServer

DAY = DAILY.get_first_partition_key()

# Dagster asks pydantic for the fields of a resource by their old name.
pytestmark = pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shop in which one product was clicked; its answers are still in the stream, where there is one."""
    log = tmp_path / "landing" / "csv" / "log.csv"
    log.parent.mkdir(parents=True)
    log.write_text(f"user_id,product_id,timestamp,event_type\nu1,p2,{DAY}T12:01:00,click\n")
    monkeypatch.setenv("RECO_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def server(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    server = RedisServer(home)
    monkeypatch.setenv("RECO_REDIS_PORT", str(server.settings.redis_port))
    server.start()
    yield server
    server.stop()


def materialize() -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            [
                events.deliveries,
                events.raw_decisions,
                catalogue.observations,
                catalogue.raw_changes,
                catalogue.products,
                assets.interactions,
                assets.attributions,
                assets.impressions,
            ],
            resources={"platform": Platform(), "s3": Buckets()},
            instance=instance,
            partition_key=DAY,
            raise_on_error=False,
        )


def test_answers_in_the_stream_become_impressions_with_outcomes(home: Path, server: RedisServer) -> None:
    stream = server.open(STREAM, PARTITIONS)
    stream.append([("", encode(decided("r1", "u1", "p1", "p2", at=f"{DAY}T12:00")))])
    stream.close()

    run = materialize()

    assert run.success
    assert all(check.passed for check in run.get_asset_check_evaluations())
    told = run.asset_materializations_for_node("raw_decisions")[0].metadata
    assert told["impressions made"].value == 2
    told = run.asset_materializations_for_node("attributions")[0].metadata
    assert told["share of clicks, carts and purchases"].value == 1.0
    told = run.asset_materializations_for_node("impressions")[0].metadata
    assert told["share clicked"].value == 0.5
    assert "by_position" in told
    rows = Lake(str(home / "lake")).scan("gold/impressions").sort("position").collect()
    assert rows.select("product_id", "clicked").rows() == [("p1", False), ("p2", True)]


def test_without_a_redis_the_tables_are_empty(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECO_REDIS_PORT", str(RedisServer(home).settings.redis_port))

    run = materialize()

    assert run.success
    assert all(check.passed for check in run.get_asset_check_evaluations())
    for name in ("raw/decisions", "gold/attributions", "gold/impressions"):
        assert Lake(str(home / "lake")).scan(name).select(pl.len()).collect().item() == 0


def test_another_homes_redis_is_left_alone(
    home: Path, server: RedisServer, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = server.open(STREAM, PARTITIONS)
    stream.append([("", encode(decided("r1", "u1", "p1", at=f"{DAY}T12:00")))])
    other = tmp_path_factory.mktemp("other")
    (home / "landing").rename(other / "landing")
    monkeypatch.setenv("RECO_HOME", str(other))

    assert materialize().success

    assert stream.waiting("0", None) == 1
    stream.close()
