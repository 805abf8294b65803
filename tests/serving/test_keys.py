"""API keys: what is kept of them, who is let in, and how often."""

from __future__ import annotations

import asyncio
import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter
from starlette.types import Message, Receive, Send
from starlette.types import Scope as Asked

from reco_assets.cli.main import run
from reco_assets.errors import BadInput
from reco_assets.platform.settings import Settings
from reco_serving.access import OTHER, PATHS, Scope, named, rule_of
from reco_serving.bucket import Bucket
from reco_serving.calls import DEADLINE, PRIORITY
from reco_serving.door import Door
from reco_serving.keyring import Keyring, check_exposed, on_loopback
from reco_serving.keys import RANDOM_BYTES, new_key, read_keys, write_keys
from reco_serving.openapi import document

MADE = datetime(2026, 3, 1, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is told to go on."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def made(home: Path, *scopes: Scope, per_second: float = 10.0, burst: float = 10.0) -> str:
    """A key in the keys file of ``home``."""
    known = read_keys(home / "keys.json")
    random = bytes([len(known)]) * RANDOM_BYTES
    text, key = new_key(f"k{len(known)}", scopes, per_second, burst, random, MADE)
    write_keys(home / "keys.json", [*known, key])
    return text


def door(settings: Settings, clock: Clock | None = None, origins: tuple[str, ...] = ()) -> Door:
    keyring = Keyring(settings)
    keyring.look(0.0)
    denied = Counter("denied", "-", ["reason"], registry=CollectorRegistry())
    return Door(keyring, frozenset(origins), denied, clock or Clock())


def enter(
    at: Door, path: str, key: str = "", *, query: str = "", method: str = "POST", **headers: str
) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Ask ``path``; the endpoint behind the door answers 200 with nothing."""
    sent: list[Message] = []

    async def endpoint(scope: Asked, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    told = {**({"x-api-key": key} if key else {}), **headers}
    scope: Asked = {
        "type": "http", "method": method, "path": path, "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in told.items()],
    }  # fmt: skip
    asyncio.run(at.enter(endpoint, scope, receive, send))
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    body = sent[1].get("body", b"")
    return sent[0]["status"], answered, msgspec.json.decode(body) if body else {}


def test_without_a_keys_file_a_service_on_loopback_asks_nobody(tmp_path: Path) -> None:
    assert enter(door(Settings(home=tmp_path)), "/recommend")[0] == 200
    assert enter(door(Settings(home=tmp_path, service_host="0.0.0.0")), "/recommend")[0] == 401


def test_a_key_opens_what_it_is_good_for_and_nothing_else(tmp_path: Path) -> None:
    key = made(tmp_path, Scope.recommend)
    own = door(Settings(home=tmp_path))
    assert enter(own, "/recommend", key)[0] == 200
    assert enter(own, "/recommend", authorization=f"Bearer {key}")[0] == 200
    status, _, told = enter(own, "/events", key)
    assert (status, told["error"]["field"]) == (403, "key")
    assert "scope collect" in told["error"]["reason"]
    assert enter(own, "/metrics", key, method="GET")[0] == 403
    assert enter(own, "/what/nobody/thought/of", key)[0] == 403
    assert enter(own, "/livez", method="GET")[0] == 200


def test_no_key_and_a_wrong_key_are_401(tmp_path: Path) -> None:
    key = made(tmp_path, Scope.recommend)
    own = door(Settings(home=tmp_path))
    status, headers, told = enter(own, "/recommend")
    assert (status, headers["www-authenticate"]) == (401, 'Bearer realm="reco"')
    assert "X-Api-Key" in told["error"]["reason"]
    for wrong in (key[:-1] + "!", key + "x", "reco_", "reco_00000001_x", "ü", key[5:]):
        assert enter(own, "/recommend", wrong)[0] == 401
    assert own.denied.labels("unknown")._value.get() == 6


def test_a_key_in_the_query_is_for_what_a_browser_asks_without_headers(tmp_path: Path) -> None:
    both = made(tmp_path, Scope.collect, Scope.recommend)
    own = door(Settings(home=tmp_path))
    assert enter(own, "/events", query=f"a=1&key={both}")[0] == 200
    assert enter(own, "/stream/s1", query=f"key={both}", method="GET")[0] == 200
    assert enter(own, "/recommend", query=f"key={both}")[0] == 401


def test_a_key_may_ask_so_many_times_and_hears_when_again(tmp_path: Path) -> None:
    key = made(tmp_path, Scope.recommend, per_second=0.5, burst=3)
    clock = Clock()
    own = door(Settings(home=tmp_path), clock)
    assert [enter(own, "/recommend", key)[0] for _ in range(4)] == [200, 200, 200, 429]
    assert enter(own, "/recommend", key)[1]["retry-after"] == "2"
    clock.now = 2.0
    assert enter(own, "/recommend", key)[0] == 200


def test_each_worker_grants_its_share_of_a_rate(tmp_path: Path) -> None:
    key = made(tmp_path, Scope.recommend, per_second=10, burst=4)
    own = door(Settings(home=tmp_path, service_workers=2))
    assert [enter(own, "/recommend", key)[0] for _ in range(3)] == [200, 200, 429]


def test_a_revoked_key_is_out_and_a_used_up_one_stays_used_up(tmp_path: Path) -> None:
    first, second = made(tmp_path, Scope.recommend, burst=1), made(tmp_path, Scope.recommend)
    own = door(Settings(home=tmp_path))
    assert enter(own, "/recommend", first)[0] == enter(own, "/recommend", second)[0] == 200
    write_keys(tmp_path / "keys.json", [one for one in read_keys(tmp_path / "keys.json") if one.name == "k0"])
    own.keyring.look(0.0)
    assert enter(own, "/recommend", second)[0] == 401
    assert enter(own, "/recommend", first)[0] == 429


def test_a_file_that_is_broken_or_gone_changes_nothing_and_is_told(tmp_path: Path) -> None:
    key = made(tmp_path, Scope.recommend)
    own = door(Settings(home=tmp_path))
    (tmp_path / "keys.json").write_text("{")
    own.keyring.look(0.0)
    assert "keys.json" in str(own.keyring.trouble)
    (tmp_path / "keys.json").unlink()
    own.keyring.look(0.0)
    assert "is gone" in str(own.keyring.trouble)
    assert enter(own, "/recommend", key)[0] == 200
    assert enter(own, "/recommend")[0] == 401


def test_a_broken_file_at_the_start_lets_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{")
    assert enter(door(Settings(home=tmp_path)), "/recommend")[0] == 401


def test_open_asks_nobody_whatever_the_file_says(tmp_path: Path) -> None:
    made(tmp_path, Scope.recommend)
    assert enter(door(Settings(home=tmp_path, open=True, service_host="0.0.0.0")), "/metrics")[0] == 200


def test_others_may_not_reach_a_service_without_keys(tmp_path: Path) -> None:
    check_exposed(Settings(home=tmp_path))
    check_exposed(Settings(home=tmp_path, service_host="0.0.0.0", open=True))
    with pytest.raises(BadInput, match="holds no API key") as refused:
        check_exposed(Settings(home=tmp_path, service_host="0.0.0.0"))
    assert "RECO_OPEN" in refused.value.hint
    made(tmp_path, Scope.recommend)
    check_exposed(Settings(home=tmp_path, service_host="0.0.0.0"))
    (tmp_path / "keys.json").write_text("{")
    with pytest.raises(BadInput, match="reading the keys file"):
        check_exposed(Settings(home=tmp_path))


@pytest.mark.parametrize(
    ("host", "own"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("shop.example", False)],
)  # fmt: skip
def test_what_loopback_is(host: str, own: bool) -> None:
    assert on_loopback(host) is own


def test_the_file_holds_no_key_and_is_for_its_owner(tmp_path: Path) -> None:
    key = made(tmp_path, Scope.recommend)
    file = tmp_path / "keys.json"
    assert key not in file.read_text()
    assert key.split("_", 2)[2] not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_pages_of_known_origins_may_ask_what_pages_may(tmp_path: Path) -> None:
    key = made(tmp_path, Scope.recommend)
    own = door(Settings(home=tmp_path), origins=("https://shop.example",))
    ours = {"origin": "https://shop.example"}
    status, headers, _ = enter(own, "/recommend", method="OPTIONS", **ours)
    assert (status, headers["access-control-allow-origin"]) == (204, "https://shop.example")
    allowed = headers["access-control-allow-headers"].split(", ")
    assert {"authorization", "x-api-key", "content-type", "traceparent"} <= set(allowed)
    assert {DEADLINE.decode(), PRIORITY.decode()} <= set(allowed)
    assert enter(own, "/recommend", key, **ours)[1]["access-control-allow-origin"] == "https://shop.example"
    # a page may read why it was refused
    assert enter(own, "/recommend", **ours)[1]["access-control-allow-origin"] == "https://shop.example"
    other = enter(own, "/recommend", key, origin="https://other.example")
    assert "access-control-allow-origin" not in other[1]
    assert "access-control-allow-origin" not in enter(own, "/health", key, **ours)[1]


@given(st.text())
def test_a_name_of_a_path_is_one_of_the_table(path: str) -> None:
    assert named(path) in {*PATHS, OTHER}
    assert named("/" + path) in {*PATHS, OTHER}


def test_templates_take_one_part_and_the_unknown_is_closed() -> None:
    assert named("/static_content/swagger-ui.css") == "/static_content/{file}"
    assert rule_of("/static_content/swagger-ui.css").scope is None
    for unknown in ("/static_content/a/b", "/static_content/", "/u42", "/recommend/", "//recommend"):
        assert (named(unknown), rule_of(unknown).scope) == (OTHER, Scope.operate)


@given(st.floats(0.1, 1e3), st.floats(1, 100), st.lists(st.floats(0, 5), min_size=1, max_size=200))
def test_a_bucket_never_gives_more_than_its_burst_and_its_rate(
    per_second: float, burst: float, pauses: list[float]
) -> None:
    bucket, now, given_out = Bucket.full(per_second, burst, 0.0), 0.0, 0
    for pause in pauses:
        now += pause
        wait = bucket.take(now)
        given_out += wait == 0
        # whoever waits as long as they were told is let in
        if wait:
            assert Bucket(per_second, burst, bucket.tokens, now).take(now + wait * (1 + 1e-9) + 1e-9) == 0
    assert given_out <= burst + per_second * now + 1e-6


def test_openapi_says_which_scope_each_path_asks_for() -> None:
    told = document(keys=True)
    paths, components = told["paths"], told["components"]
    assert isinstance(paths, dict)
    assert isinstance(components, dict)
    schemes = components["securitySchemes"]
    assert isinstance(schemes, dict)
    for path, item in paths.items():
        assert path in PATHS, f"{path} is not in the table of access"
        assert isinstance(item, dict)
        for operation in item.values():
            assert isinstance(operation, dict)
            security = operation.get("security", [])
            assert isinstance(security, list)
            asked = {(way, *scopes) for one in security for way, scopes in one.items()}  # type: ignore
            scope = PATHS[path].scope
            assert {one[1:] for one in asked} == ({(scope,)} if scope else set())
            assert {one[0] for one in asked} <= schemes.keys()


def test_keys_are_made_listed_and_revoked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RECO_HOME", str(tmp_path))
    assert run(["keys", "add", "shop", "--scope", "recommend", "--scope", "collect", "--rate", "50"]) == 0
    key = capsys.readouterr().out.strip()
    assert enter(door(Settings(home=tmp_path)), "/events", key)[0] == 200
    assert run(["keys", "add", "shop", "--scope", "audit"]) == 1
    assert "has one named 'shop'" in capsys.readouterr().err
    assert run(["keys", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["keys"]
    assert [(one["name"], one["scopes"], one["burst"]) for one in listed] == [
        ("shop", ["collect", "recommend"], 100.0)
    ]
    assert run(["keys", "list"]) == 0
    assert key not in capsys.readouterr().out
    assert run(["keys", "revoke", "shop"]) == 0
    assert run(["keys", "revoke", "shop"]) == 1
    assert enter(door(Settings(home=tmp_path)), "/events", key)[0] == 401
