"""Nothing that happens to Redis or to the registry makes a request fail."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import httpx
import pytest

from reco_assets.platform.redis import open_redis, start_redis
from reco_assets.platform.registry import Registry
from tests.serving.conftest import Running, until


def test_a_swap_fails_no_request(fresh: Running) -> None:
    before = str(fresh.recommend(user_id="u")["model_version"])
    name = f"{before}-next"
    statuses: list[int] = []
    versions: set[str] = set()
    stop = threading.Event()

    def visitor() -> None:
        with httpx.Client(base_url=fresh.client.base_url, timeout=30.0) as client:
            while not stop.is_set():
                response = client.post("/recommend", json={"user_id": "u"})
                statuses.append(response.status_code)
                versions.add(response.json().get("model_version", ""))

    visitors = [threading.Thread(target=visitor) for _ in range(3)]
    for thread in visitors:
        thread.start()
    try:
        fresh.promote(fresh.register(name))
        until(lambda: name in versions, "the new bundle serves")
    finally:
        stop.set()
        for thread in visitors:
            thread.join()
    assert set(statuses) == {200}
    assert versions == {before, name}


def test_a_broken_champion_is_named_and_the_one_before_goes_on(fresh: Running) -> None:
    before = fresh.recommend(user_id="u")["model_version"]
    torn = fresh.register("torn")
    manifest = Registry(fresh.settings).folder(torn) / "manifest.json"
    content = manifest.read_text()
    manifest.write_text("{")
    fresh.promote(torn)
    until(lambda: fresh.health()["status"] == "degraded", "the fault is seen")
    assert "no readable manifest" in str(fresh.health()["missing"])
    assert fresh.recommend(user_id="u")["model_version"] == before
    manifest.write_text(content)
    until(lambda: fresh.recommend(user_id="u")["model_version"] == "torn", "the mended bundle serves")
    assert fresh.health()["missing"] == []


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_without_redis_answers_go_on_and_say_so(fresh: Running, blow: signal.Signals) -> None:
    with open_redis(fresh.settings) as client:
        process = int(client.info("server")["process_id"])
    os.kill(process, blow)
    try:
        for _ in range(20):
            answer = fresh.recommend(user_id="u", context={"products": ["p1"]})
            assert (answer["degraded"], answer["rung"]) == (True, "no_user_state")
            assert len(answer["recommendations"]) == 10  # type: ignore[arg-type]
        health = fresh.health()
        assert (health["status"], health["redis"]) == ("degraded", "unreachable")
        assert fresh.ask("similar", {"product_id": "p1"}).status_code == 200
        assert fresh.ask("trending", {}).status_code == 200
    finally:
        if blow == signal.SIGKILL:
            start_redis(fresh.settings)
        else:
            os.kill(process, signal.SIGCONT)
    until(lambda: fresh.recommend(user_id="u")["degraded"] is False, "answers are whole again")


def test_a_taken_port_is_one_line_that_says_what_to_do(service: Running) -> None:
    environment = os.environ | {
        "RECO_HOME": str(service.settings.home),
        "RECO_REDIS_PORT": str(service.settings.redis_port),
        "RECO_SERVICE_PORT": str(service.settings.service_port),
    }
    done = subprocess.run(
        [sys.executable, "-m", "reco_serving"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: starting the service: 127.0.0.1:{service.settings.service_port} cannot be used: "
        "Address already in use",
        "hint: stop what listens there, or set RECO_SERVICE_PORT to a free port",
    ]


def test_the_service_loads_no_orchestrator_no_spark_no_lake_and_no_mlflow() -> None:
    program = (
        "import sys, reco_serving.service, reco_serving.run;"
        "heavy = {'dagster', 'pyspark', 'deltalake', 'mlflow', 'duckdb', 'ibis'} & set(sys.modules);"
        "sys.exit(f'{heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"imported: {done.stderr}"
