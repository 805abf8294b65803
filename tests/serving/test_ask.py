"""Asking the running service from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reco_assets.cli.main import run
from tests.online.conftest import free_port
from tests.serving.conftest import Running


@pytest.fixture
def asking(service: Running, monkeypatch: pytest.MonkeyPatch) -> Running:
    """The service, which the settings of this process point at."""
    monkeypatch.setenv("RECO_SERVICE_PORT", str(service.settings.service_port))
    monkeypatch.setenv("COLUMNS", "200")
    return service


def test_a_table_shows_what_is_recommended_and_why(
    asking: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["recommend", "u1", "-n", "3", "--product", "p1"]) == 0
    told = capsys.readouterr().out
    for heading in ("product", "category", "price", "score", "source"):
        assert heading in told
    assert "For u1" in told


def test_the_answer_itself_is_json(asking: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recommend", "u1", "-n", "3", "--category", "tools", "--session", "s", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [one["category"] for one in answer["recommendations"]] == ["tools"] * 3
    assert run(["recommend", "u1", "--filters", "brand = 'brand 2'", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {int(one["product_id"][1:]) % 5 for one in answer["recommendations"]} == {2}
    assert run(["similar", "p1", "-n", "2", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["recommendations"]) == 2


def test_what_the_service_refuses_is_one_line(asking: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["similar", "gone"]) == 1
    assert "there is no product 'gone'" in capsys.readouterr().err
    assert run(["recommend", "u1", "--category", "no such"]) == 1
    assert "/recommend: category: there is no category 'no such'" in capsys.readouterr().err


def test_without_a_service_the_way_out_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RECO_SERVICE_PORT", str(free_port()))
    assert run(["recommend", "u1"]) == 1
    assert "hint: start the service with `reco up` or `reco serve`" in capsys.readouterr().err


def test_serving_on_a_taken_port_says_so(
    asking: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RECO_HOME", str(tmp_path))
    assert run(["serve"]) == 1
    assert "Address already in use" in capsys.readouterr().err
