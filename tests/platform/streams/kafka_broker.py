"""A real Kafka broker, KRaft, one node, in a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.online.conftest import free_port
from tests.platform.streams.maven import kafka_jars

_START_SECONDS = 60.0


class Broker:
    """A broker whose files are in ``folder``; it keeps its port from start to start."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("java") is None:
            pytest.fail("the Kafka tests need Java 17 or later, and no java was found")
        self._folder, self._jars = folder, kafka_jars()
        port, controller = free_port(), free_port()
        self.servers = f"127.0.0.1:{port}"
        self._properties = folder / "server.properties"
        self._properties.write_text(
            "\n".join(
                [
                    "process.roles=broker,controller",
                    "node.id=1",
                    f"controller.quorum.voters=1@127.0.0.1:{controller}",
                    f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
                    f"advertised.listeners=PLAINTEXT://127.0.0.1:{port}",
                    "controller.listener.names=CONTROLLER",
                    f"log.dirs={folder / 'data'}",
                    "broker.session.timeout.ms=1000",  # a new start after a kill waits for so long
                    "broker.heartbeat.interval.ms=200",
                    "offsets.topic.replication.factor=1",
                    "offsets.topic.num.partitions=1",
                    "transaction.state.log.replication.factor=1",
                    "transaction.state.log.min.isr=1",
                    "transaction.state.log.num.partitions=1",
                ]
            )
        )
        identity = uuid4().hex[:22]
        self._java("kafka.tools.StorageTool", "format", "-t", identity, "-c", str(self._properties)).wait(60)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = self._java("kafka.Kafka", str(self._properties))
        end = time.monotonic() + _START_SECONDS
        admin = AdminClient(
            {"bootstrap.servers": self.servers, "log_level": 0, "reconnect.backoff.max.ms": 100}
        )
        while True:
            try:
                if admin.list_topics(timeout=1.0).brokers:
                    return
            except KafkaException:
                pass  # not yet
            if self._process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"the Kafka broker does not answer: {self._log.read_text()[-2000:]}")

    def kill(self) -> None:
        """``kill -9``."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def _log(self) -> Path:
        return self._folder / "broker.log"

    def _java(self, *words: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", f"{self._jars}/*", *words],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
