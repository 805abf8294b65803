"""The three servers of streams, as the contract suite wants them: real ones, in processes of their own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pytest

from reco_assets.platform.redis import connect, start_redis, stop_redis
from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.open import open_stream
from reco_assets.platform.streams.stream import Record, Stream
from tests.online.conftest import free_port
from tests.platform.streams.kafka_broker import Broker


class Server(Protocol):
    """A server that holds streams."""

    #: Bytes of the largest record that it takes with a short key.
    largest: int
    #: Its ``host:port``.
    address: str

    def open(self, name: str, partitions: int = 2, address: str | None = None) -> Stream:
        """A new client of the stream ``name``, of this server or of another ``address``."""


class Restartable(Server, Protocol):
    """A server that the suite may kill."""

    def kill(self) -> None:
        """``kill -9``."""

    def start(self) -> None:
        """Start it again, with its files."""


class RedisServer:
    """The embedded Redis of a home of its own."""

    largest = 1024 * 1024

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home, redis_port=free_port(), stream="redis")
        self.address = f"127.0.0.1:{self.settings.redis_port}"

    def open(self, name: str, partitions: int = 2, address: str | None = None) -> Stream:
        url = f"redis://{address or self.address}/0"
        return open_stream(
            self.settings.model_copy(update={"redis_url": url, "stream_partitions": partitions}), name
        )

    def kill(self) -> None:
        with connect(self.settings) as client:
            process = int(client.info("server")["process_id"])
        os.kill(process, signal.SIGKILL)
        while _listens(self.settings.redis_port):  # not its process: that may stay a zombie
            time.sleep(0.01)

    def start(self) -> None:
        start_redis(self.settings)

    def stop(self) -> None:
        stop_redis(self.settings)


class KafkaServer:
    """A broker of this test session's own."""

    largest = 1_048_588 - 200  # what a batch says of itself counts as well

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.address = broker.servers

    def open(self, name: str, partitions: int = 2, address: str | None = None) -> Stream:
        servers = address or self.address
        return open_stream(
            Settings(stream="kafka", kafka_servers=servers, stream_partitions=partitions), name
        )

    def kill(self) -> None:
        self.broker.kill()

    def start(self) -> None:
        self.broker.start()


class KinesisServer:
    """moto's server; it keeps its streams in memory, so it is never killed."""

    largest = 1024 * 1024 - 16

    def __init__(self, log: Path) -> None:
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        with log.open("w") as told:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.platform.streams.moto_kinesis",
                    "-H",
                    "127.0.0.1",
                    "-p",
                    str(port),
                ],
                stdout=told,
                stderr=subprocess.STDOUT,
            )
        end = time.monotonic() + 60
        while " * Running on" not in log.read_text():
            if self._process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"moto's server does not answer: {log.read_text()}")
            time.sleep(0.02)

    def open(self, name: str, partitions: int = 2, address: str | None = None) -> Stream:
        return open_stream(
            Settings(
                stream="kinesis",
                kinesis_endpoint=f"http://{address or self.address}",
                s3_region="us-east-1",
                stream_partitions=partitions,
            ),
            name,
        )

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def rest(stream: Stream, partition: str, after: int | None = None, page: int = 1000) -> list[Record]:
    """Every record of ``partition`` after ``after``, read page by page."""
    records: list[Record] = []
    while found := stream.read(partition, after, page):
        assert len(found) <= page
        records += found
        after = found[-1].position
    return records


def values(stream: Stream) -> dict[str, list[bytes]]:
    """The values of every partition, in order."""
    return {
        partition: [record.value for record in rest(stream, partition)] for partition in stream.partitions()
    }


def numbered(key: str, numbers: Sequence[int] | range) -> list[tuple[str, bytes]]:
    """Records of ``key`` that say their number: ``u1 7``."""
    return [(key, f"{key} {number}".encode()) for number in numbers]
