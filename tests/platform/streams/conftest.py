"""Servers of streams: started once for all tests here, ended at the end."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from reco_assets.platform.streams.stream import Stream
from tests.platform.streams.kafka_broker import Broker
from tests.platform.streams.servers import KafkaServer, KinesisServer, RedisServer, Restartable, Server


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis-stream"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    broker = Broker(tmp_path_factory.mktemp("kafka"))
    try:
        broker.start()
        yield KafkaServer(broker)
    finally:
        broker.kill()


@pytest.fixture(scope="session")
def kinesis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KinesisServer]:
    server = KinesisServer(tmp_path_factory.mktemp("kinesis") / "log")
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def _aws_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.fixture(params=["redis", "kafka", "kinesis"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each of the servers."""
    found: Server = request.getfixturevalue(f"{request.param}_server")
    return found


@pytest.fixture(params=["redis", "kafka"])
def restartable(request: pytest.FixtureRequest) -> Restartable:
    """The servers that keep their records on disk."""
    found: Restartable = request.getfixturevalue(f"{request.param}_server")
    return found


@pytest.fixture
def name() -> str:
    """Name of a stream that is not there yet."""
    return f"events-{uuid4().hex[:12]}"


@pytest.fixture
def stream(server: Server, name: str) -> Iterator[Stream]:
    """A new stream of two partitions."""
    opened = server.open(name, 2)
    yield opened
    opened.close()
