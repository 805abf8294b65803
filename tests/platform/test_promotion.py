"""Moving the champion by hand: in a moment, as MLflow itself would, and back again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from reco_assets.errors import MissingBundle, MissingDependency
from reco_assets.platform.champion import look
from reco_assets.platform.promotion import promote, rollback
from reco_assets.platform.registry import CHAMPION, Promotion, Registry
from reco_assets.platform.settings import Settings
from tests.platform.test_registry import register


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A local registry with three versions, none of them promoted."""
    folder = tmp_path_factory.mktemp("promotion")
    settings = Settings(home=folder / "home")
    for name in ("first", "second", "third"):
        register(Registry(settings), name, folder)
    return settings


@pytest.fixture(scope="module")
def server(local: Settings) -> Iterator[Settings]:
    """An MLflow server over the same database."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", local.mlflow_tracking_uri]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    process = subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url, end = f"http://127.0.0.1:{port}", time.monotonic() + 120
    try:
        while not _up(url):
            assert process.poll() is None
            assert time.monotonic() < end, "MLflow does not answer"
            time.sleep(0.2)
        yield local.model_copy(update={"mlflow_uri": url})
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


def _up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=1.0).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize("kind", ["local", "server"])
def test_promote_and_go_back_step_by_step(kind: str, request: pytest.FixtureRequest) -> None:
    settings: Settings = request.getfixturevalue(kind)
    registry = Registry(settings)
    # the server has the same database: what is done over it comes later
    start = {"local": 0, "server": 10}[kind]
    for at, version in enumerate(("1", "2", "3"), start + 1):
        promote(settings, version, at)
        assert registry.version_of(CHAMPION) == version
    assert registry.promotions()[:2] == (Promotion(start + 3, "3", "2"), Promotion(start + 2, "2", "1"))
    assert rollback(settings, start + 4) == ("3", "2")
    assert registry.version_of(CHAMPION) == "2"
    assert rollback(settings, start + 5) == ("2", "1")
    assert registry.version_of(CHAMPION) == "1"
    champion = look(settings.model_copy(update={"mlflow_uri": None}))
    assert champion is not None
    assert champion.version == "1"


@pytest.mark.parametrize("kind", ["local", "server"])
def test_a_version_that_nobody_registered_is_refused(kind: str, request: pytest.FixtureRequest) -> None:
    settings: Settings = request.getfixturevalue(kind)
    before = Registry(settings).version_of(CHAMPION)
    with pytest.raises(MissingBundle, match="promoting version 99 of reco-bundle: the registry has none"):
        promote(settings, "99", 1)
    assert Registry(settings).version_of(CHAMPION) == before


def test_there_is_nothing_before_the_first(local: Settings) -> None:
    with pytest.raises(MissingBundle, match="nothing was before it"):
        rollback(local.model_copy(update={"model_name": "another"}), 1)


def test_without_a_registry_nothing_is_promoted(tmp_path: Path) -> None:
    with pytest.raises(MissingBundle, match="there is none"):
        promote(Settings(home=tmp_path), "1", 1)
    with pytest.raises(MissingDependency, match="is the registry up"):
        promote(Settings(home=tmp_path, mlflow_uri="http://127.0.0.1:9"), "1", 1)
