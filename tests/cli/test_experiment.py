"""``reco experiment`` and ``reco canary`` as a person uses them, on a real Redis and a real registry."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from reco_assets.cli.main import run
from reco_assets.experiments.published import Published
from reco_assets.online import keys
from reco_assets.platform.promotion import promote, promoted
from reco_assets.platform.redis import open_redis, stop_redis
from reco_assets.platform.registry import CHALLENGER, Registry
from reco_assets.platform.settings import Settings
from tests.experiments.test_page import KNOWN, UNKNOWN, known
from tests.online.conftest import free_port
from tests.serving.bundles import bundle

WIDE = {"max_per_category": 1.0, "diversity": 0.2}
#: Runs a command that must succeed; its JSON.
Reco = Callable[..., dict[str, Any]]
Register = Callable[[str], str]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings of an empty home, also in the environment."""
    monkeypatch.setenv("RECO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RECO_REDIS_PORT", str(free_port()))
    settings = Settings()
    yield settings
    stop_redis(settings)


@pytest.fixture
def reco(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Reco:
    """Run a command that must succeed; its JSON."""

    def command(*arguments: str) -> dict[str, Any]:
        code = run([*arguments, "--json"])
        said = capsys.readouterr()
        assert code == 0, said.err
        told: dict[str, Any] = json.loads(said.out)
        return told

    return command


@pytest.fixture
def versions(settings: Settings, tmp_path: Path) -> Register:
    """Register a bundle; its version."""
    registry = Registry(settings)
    registered = registry.client().create_run(registry.experiment("tests"))
    return lambda name: registry.register_bundle(bundle(name).save(tmp_path / name), registered.info.run_id)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What is said of a command that must fail."""
    assert run(list(arguments)) == 1
    return capsys.readouterr().err


def test_an_experiment_from_start_to_stop(
    reco: Reco, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wide.json").write_text(json.dumps(WIDE))
    told = reco(
        "experiment", "start", "variety", "--variant", "varied=10%", "--variant", "wide=5%",
        "--control", "20%",
        "--set", "varied.diversity=0.3", "--policy", f"wide={tmp_path / 'wide.json'}", "--guard", "ctr:10%",
        "--metric", "revenue_per_user", "--metric", "ctr",
    )  # fmt: skip
    assert told["running"] is True
    assert told["variants"] == [
        {"name": "control", "share": 0.2, "bundle": "champion", "policy": {}},
        {"name": "varied", "share": 0.1, "bundle": "champion", "policy": {"diversity": 0.3}},
        {"name": "wide", "share": 0.05, "bundle": "champion", "policy": WIDE},
    ]  # fmt: skip
    assert (told["guardrails"], told["metrics"]) == (["ctr:10%"], ["revenue_per_user", "ctr"])

    ramped = reco("experiment", "ramp", "variety", "--variant", "varied=20%")
    assert (ramped["phase"], ramped["variants"][1]["share"]) == (2, 0.2)
    stopped = reco("experiment", "stop", "variety", "--reason", "enough")
    assert (stopped["running"], stopped["reason"]) == (False, "enough")
    capsys.readouterr()
    assert run(["experiment", "list", "--json"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == ["variety"]


def test_findings_are_told_in_words_in_json_and_on_a_page(
    reco: Reco,
    settings: Settings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    reco("experiment", "start", "x", "--variant", "treatment=50%", "--guard", "none")
    with open_redis(settings) as client:
        publish(client, known(KNOWN, UNKNOWN)["x"])
    found = reco("experiment", "status", "x")["findings"]
    assert [one["verdict"] for one in found["comparisons"]] == ["better", "undecided"]
    assert found["comparisons"][1]["low"] is None
    assert run(["experiment", "status", "x"]) == 0
    assert "better" in capsys.readouterr().out
    assert run(["experiment", "list"]) == 0
    assert "better" in capsys.readouterr().out
    assert run(["experiment", "page", str(tmp_path / "x.html")]) == 0
    assert "better by ctr" in (tmp_path / "x.html").read_text()


def publish(client: redis.Redis, told: Published) -> None:
    client.hset(keys.EXPERIMENT_FINDINGS, told.findings.experiment, msgspec.msgpack.encode(told))


def test_what_cannot_be_is_one_line_that_says_what_to_do(
    settings: Settings, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    start = ("experiment", "start", "x", "--variant")
    assert "'half' is no share" in refused(capsys, *start, "a=half")
    assert "no variant 'b'" in refused(capsys, *start, "a=5%", "--set", "b.diversity=0.3")
    assert "no field 'colour'" in refused(capsys, *start, "a=5%", "--set", "a.colour=1")
    assert "are free" in refused(capsys, *start, "a=70%")
    assert "is no guardrail" in refused(capsys, *start, "a=5%", "--guard", "ctr")
    assert "there is no experiment 'y'" in refused(capsys, "experiment", "stop", "y")
    (tmp_path / "bad.json").write_text("[1]")
    assert "is no JSON object" in refused(capsys, *start, "a=5%", "--policy", f"a={tmp_path / 'bad.json'}")


def test_a_control_may_name_its_bundle_and_its_policy(reco: Reco, versions: Register) -> None:
    first, second = versions("first"), versions("second")
    told = reco(
        "experiment", "start", "pinned", "--variant", "new=10%", "--bundle", f"new={second}",
        "--bundle", f"control={first}", "--set", "control.diversity=0.3",
    )  # fmt: skip
    assert told["variants"] == [
        {"name": "control", "share": 0.1, "bundle": first, "policy": {"diversity": 0.3}},
        {"name": "new", "share": 0.1, "bundle": second, "policy": {}},
    ]


def test_a_canary_is_an_experiment_about_a_version(
    reco: Reco, settings: Settings, versions: Register, capsys: pytest.CaptureFixture[str]
) -> None:
    champion, version = versions("old"), versions("new")
    promote(settings, champion, 1)
    Registry(settings).set_alias(CHALLENGER, version)
    capsys.readouterr()

    told = reco("canary", "start", CHALLENGER, "--share", "5%")
    assert told["name"] == f"canary-{version}"
    assert [(one["bundle"], one["share"]) for one in told["variants"]] == [
        (champion, 0.05),
        (version, 0.05),
    ]
    assert told["guardrails"] == ["latency_ms:25%", "fallback_share:0.02", "revenue_per_user:5%"]
    ramped = reco("canary", "ramp", version, "--share", "25%")
    assert [one["share"] for one in ramped["variants"]] == [0.25, 0.25]
    assert reco("canary", "status", version)["phase"] == 2
    assert reco("canary", "stop", version)["running"] is False
    assert reco("canary", "start", version)["name"] == f"canary-{version}.2"
    assert reco("canary", "stop", version)["name"] == f"canary-{version}.2"
    assert "was never a canary" in refused(capsys, "canary", "stop", "99")
    assert "the registry has none" in refused(capsys, "canary", "start", "4711")


def test_the_next_promotion_leaves_a_canarys_control_as_it_was(
    reco: Reco, settings: Settings, versions: Register, capsys: pytest.CaptureFixture[str]
) -> None:
    champion, version, nightly = versions("old"), versions("new"), versions("nightly")
    promote(settings, champion, 1)
    capsys.readouterr()
    reco("canary", "start", version)
    promote(settings, nightly, 2)
    assert [one["bundle"] for one in reco("canary", "status", version)["variants"]] == [champion, version]


def test_promote_with_a_canary_starts_what_canary_start_does(
    reco: Reco, settings: Settings, versions: Register, capsys: pytest.CaptureFixture[str]
) -> None:
    champion, version = versions("old"), versions("new")
    promote(settings, champion, 1)
    capsys.readouterr()
    told = reco("promote", version, "--canary", "5%")
    assert promoted(settings) == champion
    reco("canary", "stop", version)
    other = reco("canary", "start", version, "--share", "5%")
    moments = dict.fromkeys(("name", "salt", "started_at", "changed_at"))
    assert told | moments == other | moments
    assert (told["name"], other["name"]) == (f"canary-{version}", f"canary-{version}.2")
    reco("canary", "stop", version)

    assert run(["promote", version, "--canary", "0.5%"]) == 0
    said = capsys.readouterr().out
    assert f"canary-{version}.3: running" in said
    for next_ in ("canary status", "canary ramp", "promote", "canary stop"):
        assert f"reco {next_} {version}" in said
    reco("canary", "stop", version)


def test_a_canary_that_cannot_be_says_what_to_do(
    settings: Settings, versions: Register, capsys: pytest.CaptureFixture[str]
) -> None:
    champion, version = versions("old"), versions("new")
    capsys.readouterr()
    assert "no version is champion" in refused(capsys, "promote", version, "--canary", "5%")
    promote(settings, champion, 1)
    for share, why in (
        ("5", "'5' is no share"),
        ("0%", "one of them has nobody"),
        ("60%", "are more than all users"),
        ("0.001%", "it is from 0.01% to 100%"),
    ):
        assert why in refused(capsys, "promote", version, "--canary", share)
        assert why in refused(capsys, "canary", "start", version, "--share", share)
    assert "is champion already" in refused(capsys, "promote", champion, "--canary", "5%")
    assert "the registry has none" in refused(capsys, "promote", "4711", "--canary", "5%")
    assert promoted(settings) == champion


def test_who_only_promotes_imports_nothing_of_experiments() -> None:
    told = (
        "import sys; import reco_assets.cli.promote;"
        "sys.exit(str({'numpy', 'polars', 'mlflow', 'redis', 'reco_assets.experiments'} & set(sys.modules)"
        " or ''))"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr.strip()) == ("", "")
