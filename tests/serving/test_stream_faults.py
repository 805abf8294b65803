"""What was answered with 202 reaches the stream, whatever ends meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from benchmarks.report import process_tree
from reco_assets.platform.redis import open_redis, start_redis, stop_redis
from reco_assets.platform.settings import Settings
from tests.online.conftest import free_port
from tests.serving.conftest import Running, until
from tests.serving.test_events import encoded, event, in_stream


@contextmanager
def started(settings: Settings, folder: Path) -> Iterator[Running]:
    """A service of its own without a bundle; killed at the end, with all its processes."""
    environment = os.environ | {
        "RECO_HOME": str(settings.home),
        "RECO_REDIS_PORT": str(settings.redis_port),
        "RECO_SERVICE_PORT": str(settings.service_port),
        "RECO_SPOOL_MB": str(settings.spool_mb),
    }
    command = [sys.executable, "-m", "reco_serving"]
    with (
        (folder / "service.log").open("ab") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{settings.service_port}", timeout=30.0) as client,
    ):
        running = Running(settings, folder, process, client)
        try:
            until(lambda: process.poll() is not None or _lives(client), "the service answers")
            assert process.poll() is None, (folder / "service.log").read_text()
            yield running
        finally:
            for one in process_tree(process.pid):  # a worker has a process group of its own
                with suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)


def _lives(client: httpx.Client) -> bool:
    try:
        return client.get("/livez").status_code == 200
    except httpx.TransportError:
        return False


def test_events_survive_the_end_of_redis_and_of_the_service(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", redis_port=free_port(), service_port=free_port(), spool_mb=1)
    sent = []
    try:
        with started(settings, tmp_path) as service:
            sent.append(encoded(event("p0")))
            assert service.ask("events", sent[0]).status_code == 202
            with open_redis(settings) as client:
                os.kill(int(client.info("server")["process_id"]), signal.SIGKILL)
            for number in range(1, 20):
                sent.append(encoded(event(f"p{number}", user=f"u{number}")))
                assert service.ask("events", sent[-1]).status_code == 202
            missing = " ".join(service.health()["missing"])  # type: ignore[arg-type]
            assert "stream: " in missing
            assert "bytes of events wait on this machine's disk" in missing
            long = encoded([event("p1", query="x" * 900) for _ in range(600)])
            assert service.ask("events", long).status_code == 202
            refused = service.ask("events", long)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
            assert "may hold 1,000,000 bytes" in refused.json()["error"]["reason"]
        start_redis(settings)
        with started(settings, tmp_path) as service:
            until(lambda: len(in_stream(service)) >= 620, "what was kept is in the stream")
            assert set(sent) <= set(in_stream(service))
            until(lambda: "stream" not in str(service.health()["missing"]), "the spool is empty")
    finally:
        stop_redis(settings)


def test_when_redis_hangs_events_are_kept_and_go_on_when_it_is_back(fresh: Running) -> None:
    with open_redis(fresh.settings) as client:
        process = int(client.info("server")["process_id"])
    os.kill(process, signal.SIGSTOP)
    sent = []
    try:
        for number in range(10):
            sent.append(encoded(event(f"p{number}")))
            assert fresh.ask("events", sent[-1]).status_code == 202
    finally:
        os.kill(process, signal.SIGCONT)
    until(lambda: set(sent) <= set(in_stream(fresh)), "what was kept is in the stream")
    until(lambda: "stream" not in str(fresh.health()["missing"]), "the spool is empty")
    first_seen = list(dict.fromkeys(in_stream(fresh)))
    assert [one for one in first_seen if one in sent] == sent
