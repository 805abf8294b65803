"""The service, or any BentoML service, as a process of its own while a benchmark measures it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx

from reco_assets.errors import MissingDependency
from reco_assets.platform.settings import Settings

START_SECONDS: Final = 120.0


@contextmanager
def process(
    target: str | None, port: int, settings: Settings | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """The service (or the BentoML ``target``) as a process of its own, until the block ends."""
    environment = dict(os.environ)
    command = [sys.executable, "-m", "reco_serving"]
    if settings is not None:
        environment |= {
            "RECO_HOME": str(settings.home),
            "RECO_REDIS_PORT": str(settings.redis_port),
            "RECO_SERVICE_PORT": str(port),
            "RECO_SERVICE_WORKERS": str(settings.service_workers),
        }
    if target is not None:
        command = [
            sys.executable,
            "-m",
            "bentoml",
            "serve",
            target,
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ]
        environment["BENTOML_DO_NOT_TRACK"] = "True"
    child = subprocess.Popen(command, env=environment, stdout=sys.stderr, stderr=sys.stderr)
    try:
        end = time.monotonic() + START_SECONDS
        while not _answers(port):
            if child.poll() is not None or time.monotonic() > end:
                raise MissingDependency(f"starting {' '.join(command)}: it does not answer on port {port}")
            time.sleep(0.1)
        yield child
    finally:
        child.send_signal(signal.SIGINT)
        child.wait(timeout=30)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/livez", timeout=1.0).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
