"""The service that asks for keys, as a process of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from reco_assets.cli.main import run
from reco_serving.access import Scope
from reco_serving.keys import RANDOM_BYTES, new_key, write_keys
from tests.serving.conftest import Running, started, until

EVERYTHING, HELD_BACK = "everything", "held back"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Keys by name; their file is in the folder ``file``."""
    file = tmp_path_factory.mktemp("keys") / "keys.json"
    now = datetime(2026, 3, 1, tzinfo=UTC)
    own, first = new_key(EVERYTHING, list(Scope), 1e4, 1e4, os.urandom(RANDOM_BYTES), now)
    other, second = new_key(HELD_BACK, [Scope.recommend], 0.01, 2, os.urandom(RANDOM_BYTES), now)
    write_keys(file, [first, second])
    return {EVERYTHING: own, HELD_BACK: other, "file": str(file)}


@pytest.fixture(scope="module")
def guarded(keys: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service whose client has the key to everything."""
    options = {"RECO_KEYS": keys["file"], "RECO_KEY": keys[EVERYTHING]}
    with started(tmp_path_factory.mktemp("guarded"), options) as running:
        yield running


def test_nothing_that_says_anything_is_answered_without_a_key(guarded: Running) -> None:
    with httpx.Client(base_url=guarded.client.base_url) as stranger:
        for path in ("/health", "/metrics", "/experiments", "/schema.json", "/no/such/path"):
            assert stranger.get(path).status_code == 401, path
        for path in ("/recommend", "/similar", "/trending", "/events"):
            assert stranger.post(path, json={}).status_code == 401, path
        for path in ("/livez", "/readyz", "/docs.json", "/reco.js", "/", "/static_content/index.css"):
            assert stranger.get(path).status_code == 200, path


def test_with_its_key_everything_is_as_without(guarded: Running) -> None:
    assert guarded.recommend(user_id="u1")["rung"] == "no_ranker"
    assert guarded.client.get("/no/such/path").status_code == 404
    assert guarded.health()["status"] == "ok"


def test_a_key_that_has_asked_enough_hears_when_to_come_back(guarded: Running, keys: dict[str, str]) -> None:
    told = [
        guarded.client.post("/recommend", json={"user_id": "u1"}, headers={"X-Api-Key": keys[HELD_BACK]})
        for _ in range(3)
    ]
    assert [one.status_code for one in told] == [200, 200, 429]
    assert 1 <= int(told[2].headers["retry-after"]) <= 100


def test_a_key_that_is_revoked_is_out_within_seconds(guarded: Running, keys: dict[str, str]) -> None:
    file = Path(keys["file"])
    before = file.read_bytes()

    def status() -> int:
        sent = {"X-Api-Key": keys[HELD_BACK]}
        return guarded.client.post("/recommend", json={}, headers=sent).status_code

    assert status() in (400, 429)
    assert run_with(file, "keys", "revoke", HELD_BACK) == 0
    until(lambda: status() == 401, "the revoked key is refused")
    file.write_bytes(before)
    until(lambda: status() != 401, "the key holds again")


def test_commands_send_the_key_that_they_are_given(
    guarded: Running,
    keys: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RECO_SERVICE_PORT", str(guarded.settings.service_port))
    assert run(["recommend", "u1"]) == 1
    assert "RECO_KEY" in capsys.readouterr().err
    monkeypatch.setenv("RECO_KEY", keys[EVERYTHING])
    assert run(["recommend", "u1", "--json"]) == 0


def test_no_key_is_in_the_log_or_among_the_metrics(guarded: Running, keys: dict[str, str]) -> None:
    guarded.client.post(f"/events?key={keys[HELD_BACK]}", json={})
    guarded.ask("recommend", b"{")
    texts = (guarded.folder / "service.log").read_text() + guarded.client.get("/metrics").text
    for key in (keys[EVERYTHING], keys[HELD_BACK]):
        assert key not in texts
        assert key.split("_", 2)[2] not in texts


def run_with(file: Path, *arguments: str) -> int:
    """Run a command with that keys file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECO_KEYS", str(file))
        return run(arguments)
