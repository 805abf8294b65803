"""A look without Dagster: today's tables, the guard, and what readers are told, as often as need be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reco_assets.experiments.board import start
from reco_assets.experiments.look import LOOK_SECONDS, Looks
from reco_assets.experiments.metrics import guardrail
from reco_assets.experiments.published import read_published
from reco_assets.experiments.store import Store
from reco_assets.platform.lake import Lake, open_lake
from reco_assets.platform.redis import open_redis, stop_redis
from reco_assets.platform.settings import Settings
from tests.experiments.builders import experiment
from tests.experiments.test_assets import shop
from tests.online.conftest import free_port

NOON = datetime(2024, 5, 2, 12, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    settings = Settings(home=tmp_path, redis_port=free_port())
    open_redis(settings).close()
    yield settings
    stop_redis(settings)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """The experiments, of which ``x`` runs since the day before, with a guardrail."""
    with open_redis(settings) as client:
        found = Store.of(settings, client)
        at = int((NOON - timedelta(days=1)).timestamp() * 1e6)
        one = experiment("x", guardrails=(guardrail("revenue_per_user:5%"),))
        found.change("start", at, lambda board: start(board, one, (0.5, 0.5), at))
        yield found


@pytest.mark.parametrize("before", [timedelta(hours=1), timedelta(hours=13)], ids=["today", "yesterday"])
def test_a_variant_that_harms_is_taken_out_by_a_look(
    settings: Settings, store: Store, before: timedelta
) -> None:
    shop(open_lake(settings), spend=2.0, at=NOON - before)
    [line] = Looks(settings).after(NOON)
    assert line.startswith("stopped treatment of x: guardrail revenue_per_user:5%")
    assert not store.read().experiment("x").running
    told = read_published(store.client)["x"]
    assert {one.metric: one.verdict for one in told.findings.comparisons}["revenue_per_user"] == "worse"
    assert [point.as_of for point in told.path] == [NOON.date()]


def test_a_variant_that_does_no_harm_goes_on(settings: Settings, store: Store) -> None:
    shop(open_lake(settings), spend=10.0, at=NOON - timedelta(hours=1))
    assert Looks(settings).after(NOON) == ()
    assert store.read().experiment("x").running
    assert read_published(store.client)["x"].findings.users == {"control": 150, "treatment": 150}


def results(lake: Lake) -> int:
    """Version of the table of results, which grows whenever they are made."""
    version = lake.version("gold/experiment_results")
    assert version is not None
    return version


def test_looks_are_five_minutes_apart_and_there_is_none_while_nothing_runs(
    settings: Settings, store: Store
) -> None:
    lake, looks = open_lake(settings), Looks(settings)
    shop(lake, spend=10.0, at=NOON - timedelta(hours=1))
    looks.after(NOON)
    once = results(lake)
    looks.after(NOON + timedelta(seconds=LOOK_SECONDS - 1))
    assert results(lake) == once
    shop(lake, spend=2.0, at=NOON - timedelta(minutes=30))
    assert looks.after(NOON + timedelta(seconds=LOOK_SECONDS))
    again = results(lake)
    assert again > once
    assert looks.after(NOON + timedelta(seconds=2 * LOOK_SECONDS)) == ()
    assert results(lake) == again
