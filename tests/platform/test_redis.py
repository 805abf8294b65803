"""One embedded Redis a home: started once, shared, stopped with everything on disk."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reco_assets.errors import MissingDependency
from reco_assets.platform.redis import open_redis, redis_runs, start_redis, stop_redis
from reco_assets.platform.settings import Settings
from tests.online.conftest import free_port


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Settings]:
    """Settings of a home without a Redis, which is stopped at the end."""
    settings = Settings(home=tmp_path / "home", redis_port=free_port())
    yield settings
    stop_redis(settings)


def test_it_starts_once_and_keeps_what_was_written_over_a_stop(own: Settings) -> None:
    assert redis_runs(own) is False
    with open_redis(own) as client:
        client.set("a", "1")
    assert redis_runs(own) is True
    assert start_redis(own) is False
    assert stop_redis(own) is True
    assert stop_redis(own) is False
    with open_redis(own) as client:
        assert client.get("a") == b"1"


def test_it_outlives_the_process_that_started_it(own: Settings) -> None:
    program = (
        "import sys; from pathlib import Path; from reco_assets.platform.redis import open_redis;"
        "from reco_assets.platform.settings import Settings;"
        "open_redis(Settings(home=Path(sys.argv[1]), redis_port=int(sys.argv[2]))).set('who', 'child')"
    )
    starts = [
        subprocess.Popen([sys.executable, "-c", program, str(own.home), str(own.redis_port)])
        for _ in range(3)
    ]
    assert [child.wait() for child in starts] == [0, 0, 0]
    with open_redis(own) as client:
        assert client.get("who") == b"child"


def test_it_answers_this_machine_only_and_never_evicts(own: Settings) -> None:
    with open_redis(own) as client:
        kept = client.config_get("*")
    assert kept["bind"] == "127.0.0.1"
    assert (kept["maxmemory-policy"], kept["appendonly"], kept["appendfsync"]) == (
        "noeviction", "yes", "always",
    )  # fmt: skip


def test_a_port_that_something_else_holds_is_named(own: Settings) -> None:
    with (
        socket.create_server(("127.0.0.1", own.redis_port)),
        pytest.raises(MissingDependency, match=f"using port {own.redis_port} on 127.0.0.1 for Redis"),
    ):
        open_redis(own)


def test_the_redis_of_another_home_is_not_taken_for_ours(own: Settings, tmp_path: Path) -> None:
    open_redis(own).close()
    stranger = Settings(home=tmp_path / "elsewhere", redis_port=own.redis_port)
    with pytest.raises(MissingDependency, match=r"it serves the Redis of .*home/redis"):
        open_redis(stranger)
    assert stop_redis(stranger) is False
    assert redis_runs(own)


def test_a_named_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    away = Settings(home=tmp_path, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(MissingDependency, match="connecting to Redis at redis://127"):
        open_redis(away)
    assert stop_redis(away) is False


def test_a_server_that_cannot_start_says_why(own: Settings) -> None:
    folder = own.home / "redis"
    folder.mkdir(parents=True)
    (folder / "appendonly.aof").write_bytes(b"this is not a log of commands\r\n" * 4)
    with pytest.raises(MissingDependency, match="starting Redis on"):
        open_redis(own)
