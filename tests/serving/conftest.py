"""The real service as a process of its own, over a real Redis and a real registry."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from reco_assets.platform.redis import open_redis, stop_redis
from reco_assets.platform.registry import Registry
from reco_assets.platform.settings import Settings
from reco_serving.answered import Answered
from reco_serving.children import Children
from reco_serving.freshness import Freshness
from reco_serving.guards import Guards
from reco_serving.metrics import Metrics, StreamGauges
from reco_serving.proposals import Proposals
from reco_serving.streams import Streams
from tests.online.conftest import free_port, redis_settings, store
from tests.serving.bundles import bundle

__all__ = ["Running", "redis_settings", "service", "started", "store", "until"]

_PATIENCE_SECONDS = 120.0


@dataclass
class Running:
    """A running service.

    ``at_first`` holds what it answered before there was a bundle, by endpoint.
    """

    settings: Settings
    folder: Path
    process: subprocess.Popen[bytes]
    client: httpx.Client
    at_first: dict[str, httpx.Response] = field(default_factory=dict)

    def ask(self, endpoint: str, body: Mapping[str, object] | bytes) -> httpx.Response:
        """Post a body, as JSON unless it is bytes."""
        if isinstance(body, bytes):
            return self.client.post(f"/{endpoint}", content=body)
        return self.client.post(f"/{endpoint}", json=dict(body))

    def recommend(self, **body: object) -> dict[str, object]:
        """The answer of /recommend, which must be 200."""
        response = self.ask("recommend", body)
        assert response.status_code == 200, response.text
        return dict(response.json())

    def products(self, **body: object) -> list[str]:
        """Product ids that /recommend answers."""
        shown = self.recommend(**body)["recommendations"]
        assert isinstance(shown, list)
        return [one["product_id"] for one in shown]

    def register(self, name: str) -> str:
        """Register a bundle called ``name``; its version in the registry."""
        registry = Registry(self.settings)
        run = registry.client().create_run(registry.experiment("tests"))
        return registry.register_bundle(bundle(name).save(self.folder / name), run.info.run_id)

    def promote(self, version: str) -> None:
        """Make a version of the registry the champion."""
        Registry(self.settings).promote(version, at_ms=1)

    def health(self) -> dict[str, object]:
        """The answer of /health."""
        return dict(self.client.get("/health").json())


def until(true: Callable[[], bool], what: str) -> None:
    """Wait until ``true``; fails with ``what`` was waited for."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while not true():
        if time.monotonic() > end:
            pytest.fail(f"waited in vain: {what}")
        time.sleep(0.05)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/livez").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The service with bundle ``one``; it was started before there was any."""
    options = {"RECO_CORS_ORIGINS": "https://shop.example", "RECO_DECISION_EVIDENCE": "1"}
    with started(tmp_path_factory.mktemp("service"), options) as running:
        yield running


@contextmanager
def started(folder: Path, options: Mapping[str, str]) -> Iterator[Running]:
    """A service of its own with these settings, and bundle ``one``.

    Its answers, and so its reads of Redis, may take longer than a visitor would wait: this machine may be
    busy with other things.
    """
    settings = Settings(home=folder / "home", redis_port=free_port(), service_port=free_port())
    environment = os.environ | {
        "RECO_HOME": str(settings.home),
        "RECO_REDIS_PORT": str(settings.redis_port),
        "RECO_SERVICE_PORT": str(settings.service_port),
        "RECO_DEADLINE_MS": "2000",
        **options,
    }
    log = folder / "service.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", "reco_serving"], env=environment, stdout=output, stderr=output
        ) as process,
        httpx.Client(
            base_url=f"http://127.0.0.1:{settings.service_port}",
            timeout=30.0,
            headers={"X-Api-Key": options.get("RECO_KEY", "")},
        ) as client,
    ):
        running = Running(settings, folder, process, client)
        try:
            until(lambda: process.poll() is not None or _answers(client), "the service answers")
            assert process.poll() is None, log.read_text()
            running.at_first = {
                "health": client.get("/health"),
                "readyz": client.get("/readyz"),
                "ready": client.get("/ready"),
                "recommend": running.ask("recommend", {"user_id": "u1"}),
            }
            running.promote(running.register("one"))
            until(lambda: running.health()["status"] == "ok", "the first bundle serves")
            yield running
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)
            stop_redis(settings)


@pytest.fixture
def metrics() -> Metrics:
    """Instruments of this test alone."""
    own = CollectorRegistry()
    return Metrics(
        latency=Histogram("latency", "-", ["endpoint"], registry=own),
        answered=Answered(
            rungs=Children(Counter("rungs", "-", ["endpoint", "rung"], registry=own)),
            seconds=Children(Histogram("seconds", "-", ["endpoint", "rung"], registry=own)),
            stages=Children(Histogram("stages", "-", ["endpoint", "stage", "rung"], registry=own)),
            candidates=Histogram("candidates", "-", registry=own),
            proposals=Proposals(Children(Counter("proposed", "-", ["source"], registry=own))),
            places=Children(Counter("places", "-", ["source"], registry=own)),
        ),
        variants=Counter("variants", "-", ["experiment", "variant"], registry=own),
        refusals=Counter("refusals", "-", ["endpoint", "status"], registry=own),
        bundle=Gauge("bundle", "-", ["version"], registry=own),
        decisions=Counter("decisions", "-", ["outcome"], registry=own),
        events=Counter("events", "-", ["outcome"], registry=own),
        spool_bytes=Gauge("spool_bytes", "-", registry=own),
        stream_troubles=Counter("stream_troubles", "-", registry=own),
        stream=StreamGauges(
            **{name.name: Gauge(name.name, "-", registry=own) for name in fields(StreamGauges)}
        ),
        guards=Guards(
            queue=Histogram("queue", "-", registry=own),
            shed=Counter("shed", "-", ["priority"], registry=own),
            breaker=Gauge("breaker", "-", ["dependency"], registry=own),
            opened=Counter("opened", "-", ["dependency"], registry=own),
            swaps=Counter("swaps", "-", ["outcome"], registry=own),
            openings=Counter("openings", "-", ["outcome"], registry=own),
            denied=Counter("denied", "-", ["reason"], registry=own),
        ),
        freshness=Freshness(
            bundle=Gauge("bundle_at", "-", registry=own),
            products=Gauge("products_at", "-", registry=own),
            users=Gauge("users_at", "-", registry=own),
            epoch=Gauge("epoch", "-", registry=own),
            lookups=Counter("lookups", "-", ["cache", "outcome"], registry=own),
        ),
        streams=Streams(
            open=Gauge("open_streams", "-", registry=own), delay=Histogram("delay", "-", registry=own)
        ),
    )


@pytest.fixture
def fresh(service: Running) -> Running:
    """The service with an empty Redis."""
    with open_redis(service.settings) as client:
        client.flushall()
    until(lambda: service.health()["status"] == "ok", "Redis answers the service")
    return service
