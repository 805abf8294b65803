"""A real Redis of this test session's own, and ports that stay free for whoever is to listen there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import redis

from reco_assets.platform.redis import open_redis, stop_redis
from reco_assets.platform.settings import Settings

_HELD: Final[list[socket.socket]] = []


def free_port() -> int:
    """A port on which nobody listens, and which the system gives to nobody else while the tests run.

    It is bound and not listened on: connections are refused, and a server that asks for it by number, with
    SO_REUSEADDR or SO_REUSEPORT as servers do, gets it all the same.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    holder.bind(("127.0.0.1", 0))
    _HELD.append(holder)
    return int(holder.getsockname()[1])


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
