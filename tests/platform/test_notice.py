"""Whoever serves notices a promotion at once, on this machine by a file, elsewhere by Redis."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from reco_assets.errors import MissingDependency
from reco_assets.platform.notice import nudge, sign
from reco_assets.platform.settings import Settings
from tests.online.conftest import free_port, redis_settings, store

__all__ = ["redis_settings", "store"]


def test_a_registry_of_this_machine_is_watched_as_a_file(tmp_path: Path, store: redis.Redis) -> None:
    settings = Settings(home=tmp_path)
    absent = sign(settings, store)
    assert sign(settings, store) == absent
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "mlflow.db").touch()
    there = sign(settings, store)
    assert there != absent
    (tmp_path / "mlflow" / "mlflow.db-wal").touch()
    assert sign(settings, store) != there


def test_services_of_a_registry_elsewhere_are_told_by_redis(
    redis_settings: Settings, store: redis.Redis
) -> None:
    settings = redis_settings.model_copy(update={"mlflow_uri": "http://127.0.0.1:1"})
    before = sign(settings, store)
    assert sign(settings, store) == before
    nudge(settings)
    assert sign(settings, store) != before


def test_without_redis_nobody_is_told_and_that_is_said(tmp_path: Path, store: redis.Redis) -> None:
    settings = Settings(home=tmp_path, redis_port=free_port(), mlflow_uri="http://127.0.0.1:1")
    with pytest.raises(MissingDependency, match=r"telling services by Redis at redis://127\.0\.0\.1"):
        nudge(settings)
    with redis.Redis(port=settings.redis_port) as gone:
        assert sign(settings, gone) == ()
