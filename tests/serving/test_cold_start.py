"""With Redis, the registry and the lake all gone, a start serves what served last."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from reco_assets.platform.registry import Champion
from reco_assets.platform.settings import Settings
from reco_serving.last_good import LastGood
from tests.online.conftest import free_port
from tests.serving.bundles import bundle
from tests.serving.conftest import until


def test_a_start_without_any_dependency_answers(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", service_port=free_port())
    LastGood.of(settings).keep(Champion("3", bundle("kept").save(tmp_path / "kept")))
    environment = os.environ | {
        "RECO_HOME": str(settings.home),
        "RECO_SERVICE_PORT": str(settings.service_port),
        "RECO_REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
        "RECO_MLFLOW_URI": f"http://127.0.0.1:{free_port()}",
    }
    with (
        subprocess.Popen(
            [sys.executable, "-m", "reco_serving"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{settings.service_port}", timeout=30.0) as client,
    ):

        def ready() -> bool:
            assert process.poll() is None, "the service has ended"
            try:
                return client.get("/readyz").status_code == 200
            except httpx.TransportError:
                return False

        try:
            until(ready, "the service is ready")
            answer = client.post("/recommend", json={"user_id": "u"}).json()
            health = client.get("/health").json()
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)
    assert (answer["model_version"], answer["rung"], answer["degraded"]) == ("kept", "no_user_state", True)
    assert len(answer["recommendations"]) == 10
    assert (health["status"], health["redis_breaker"]) == ("degraded", "open")
    assert "version 3, the last that served here, does so again" in str(health["missing"])
