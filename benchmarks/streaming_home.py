"""A home whose service takes events and whose stream is followed, each by a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from benchmarks.chaos_points import spooled
from benchmarks.process import free_port
from benchmarks.report import log
from benchmarks.supervised import Supervised, Waiting
from reco_assets.errors import MissingDependency
from reco_assets.events.drain import waiting
from reco_assets.platform.lake import open_lake
from reco_assets.platform.redis import stop_redis
from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.open import open_stream

_PATIENCE_SECONDS: Final = 180.0
_COMMAND: Final = "reco_assets.cli.main"
#: What follows the stream.
FOLLOWERS: Final = {
    "reco stream": (_COMMAND, "stream", "--json"),
    "Dagster run": ("dagster", "job", "execute", "-m", "reco_assets.definitions", "-j", "microbatches"),
}
#: Settings that the processes are told.
_TOLD: Final = (
    "home",
    "redis_port",
    "service_port",
    "service_workers",
    "stream_seconds",
    "memory_gb",
    "decision_evidence",
)


@dataclass(frozen=True)
class Home:
    """The running processes of a home; ``folder/*.log`` is what they said."""

    settings: Settings
    service: Supervised
    follower: Supervised


def private(folder: Path, stream_seconds: float) -> Settings:
    """Settings of a new home, ``folder/home``, with ports of its own."""
    (folder / "home").mkdir(parents=True)
    return Settings(
        home=folder / "home",
        redis_port=free_port(),
        service_port=free_port(),
        stream_seconds=stream_seconds,
        memory_gb=2.0,
    )


@contextmanager
def running(settings: Settings, folder: Path) -> Iterator[Home]:
    """The service, which answers, and a follower of the stream; both end with the block, and so does Redis.

    The stream is followed by ``reco stream`` and by a run of Dagster's job, in turn.
    """
    home = folder / "dagster"
    home.mkdir(exist_ok=True)
    environment = environment_of(settings) | {"DAGSTER_HOME": str(home)}
    service = Supervised({"service": (_COMMAND, "serve")}, environment, folder / "service.log")
    follower = Supervised(FOLLOWERS, environment, folder / "follower.log")
    try:
        with ExitStack() as stack:
            stack.enter_context(service)
            until_it_answers(settings)
            stack.enter_context(follower)
            yield Home(settings, service, follower)
    finally:
        stop_redis(settings)


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment in which a process has these settings."""
    return dict(os.environ) | {f"RECO_{name.upper()}": str(getattr(settings, name)) for name in _TOLD}


def until_it_answers(settings: Settings) -> None:
    """Wait for the service; raises MissingDependency."""
    still = Waiting(_PATIENCE_SECONDS, "the service does not answer", 0.1)
    while still(_health(settings) is None):
        pass


def until_it_is_drained(settings: Settings) -> None:
    """Wait until the lake has all that spool and stream hold; raises MissingDependency."""
    still = Waiting(_PATIENCE_SECONDS, "the spool is not drained", 0.1)
    while still("stream:" in str(_health(settings)) or spooled(settings) > 0):
        pass
    lake, stream = open_lake(settings), open_stream(settings)
    still = Waiting(_PATIENCE_SECONDS, "the lake does not get what is in the stream", 0.2)
    while still(waiting(lake, stream) > 0):
        pass
    stream.close()


def last_micro_batch(settings: Settings) -> None:
    """One more, when nobody follows; raises MissingDependency where it fails."""
    command = [sys.executable, "-m", _COMMAND, "stream", "--once", "--json"]
    done = subprocess.run(command, env=environment_of(settings), capture_output=True, text=True, check=False)
    log(f"last micro-batch: {done.stdout.strip() or done.stderr.strip()}")
    if done.returncode:
        raise MissingDependency(f"the last micro-batch: {done.stderr.strip()}")


def _health(settings: Settings) -> str | None:
    with suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{settings.service_port}/health", timeout=2.0).text
    return None
