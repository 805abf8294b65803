"""The assets and the sensor, as Dagster runs them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import redis

from reco_assets.experiments.assets import experiment_results, exposures
from reco_assets.experiments.board import start, stop
from reco_assets.experiments.metrics import guardrail
from reco_assets.experiments.published import read_published
from reco_assets.experiments.sensors import experiment_sensor
from reco_assets.experiments.store import Store
from reco_assets.platform.lake import Lake, open_lake
from reco_assets.platform.redis import open_redis, stop_redis
from reco_assets.platform.resources import DAILY, Platform
from reco_assets.platform.settings import Settings
from tests.builders import moment, purchase
from tests.experiments.answers import answered, done
from tests.experiments.builders import experiment
from tests.online.conftest import free_port

DAY = DAILY.get_first_partition_key()
AT = moment(f"{DAY}T13:00")
START = int(moment(f"{DAY}T00:00").timestamp()) * 1_000_000

# Dagster asks pydantic for the fields of a resource by their old name.
pytestmark = pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.setenv("RECO_HOME", str(tmp_path))
    monkeypatch.setenv("RECO_REDIS_PORT", str(free_port()))
    settings = Settings()
    open_redis(settings).close()
    yield settings
    stop_redis(settings)


@pytest.fixture
def store(settings: Settings) -> Iterator[redis.Redis]:
    with open_redis(settings) as client:
        yield client


def materialize() -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            [exposures, experiment_results],
            resources={"platform": Platform()},
            instance=instance,
            partition_key=DAY,
        )


def shop(lake: Lake, spend: float, at: datetime = AT) -> None:
    """300 users in two variants, of which the treated spend ``spend`` and the others about 13."""
    users = [(f"u{n}", ("control", "treatment")[n % 2]) for n in range(300)]
    answered(lake, *((user, variant, at) for user, variant in users), experiment="x")
    bought = [
        purchase(
            user, "p1", at=at + timedelta(minutes=5), price=(spend if v == "treatment" else 10.0) + n % 7
        )
        for n, (user, v) in enumerate(users)
    ]
    done(lake, *bought)


def test_a_harmful_variant_is_stopped_by_the_asset_and_the_page_can_tell(
    settings: Settings, store: redis.Redis
) -> None:
    shop(open_lake(settings), spend=2.0)
    kept = Store.of(settings, store)
    one = experiment("x", guardrails=(guardrail("revenue_per_user:5%"),))
    kept.change("start", START, lambda board: start(board, one, (0.5, 0.5), START))

    run = materialize()

    checks = {check.check_name: check.passed for check in run.get_asset_check_evaluations()}
    assert checks == {
        "no_nulls": True, "unique": True, "in_range": True, "one_variant": True, "sample_ratio": True,
        "guardrails": False,
    }  # fmt: skip
    told = run.asset_materializations_for_node("experiment_results")[0].metadata
    assert "lifts" in told
    assert "guardrail revenue_per_user:5%" in str(told["stopped"].value)
    assert "daily" in run.asset_materializations_for_node("exposures")[0].metadata
    assert not kept.read().experiment("x").running
    shown = read_published(store)["x"]
    assert {one.metric: one.verdict for one in shown.findings.comparisons}["revenue_per_user"] == "worse"
    assert [point.as_of for point in shown.path] == [AT.date()]


def test_without_experiments_the_tables_are_empty(settings: Settings) -> None:
    lake = open_lake(settings)
    shop(lake, spend=10.0)
    run = materialize()
    assert all(check.passed for check in run.get_asset_check_evaluations())
    assert lake.scan("gold/experiment_results").collect().height == 0


def said(instance: dg.DagsterInstance) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_sensor_context(instance=instance, resources={"platform": Platform()})
    (told,) = experiment_sensor(context)  # type: ignore[misc]
    assert isinstance(told, dg.RunRequest | dg.SkipReason)
    return told


def test_the_sensor_looks_only_while_something_runs(settings: Settings, store: redis.Redis) -> None:
    kept = Store.of(settings, store)
    with dg.DagsterInstance.ephemeral() as instance:
        quiet = said(instance)
        assert isinstance(quiet, dg.SkipReason)
        assert quiet.skip_message == "no experiment runs"
        kept.change("start", 1, lambda board: start(board, experiment("x"), (0.5, 0.5), 1))
        asked = said(instance)
        assert isinstance(asked, dg.RunRequest)
        assert asked.partition_key is not None
        kept.change("stop", 2, lambda board: stop(board, "x", "done", 2))
        assert isinstance(said(instance), dg.SkipReason)
        stop_redis(settings)
        away = said(instance)
        assert isinstance(away, dg.SkipReason)
        assert "asking Redis" in str(away.skip_message)
