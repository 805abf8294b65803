"""A real Redis of this test session's own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from reco_assets.platform.redis import open_redis, stop_redis
from reco_assets.platform.settings import Settings


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def redis_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings whose embedded Redis runs for the whole session."""
    home: Path = tmp_path_factory.mktemp("redis-home")
    settings = Settings(home=home, redis_port=free_port())
    open_redis(settings).close()
    yield settings
    stop_redis(settings)


@pytest.fixture
def store(redis_settings: Settings) -> Iterator[redis.Redis]:
    """An empty Redis."""
    with open_redis(redis_settings) as client:
        client.flushall()
        yield client
