from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reco_assets.cli.main import run


def test_reco_simulate_prints_one_json_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = ["--users", "40", "--products", "40", "--days", "2", "--events", "300"]
    options = ["--seed", "1", "--end", "2025-05-02", "--json"]
    assert run(["simulate", str(tmp_path / "shop"), *size, *options]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["events"] == 300
    assert (printed["first_day"], printed["last_day"]) == ("2025-05-01", "2025-05-02")
    assert (tmp_path / "shop" / "events" / "2025-05-02.parquet").exists()


def test_the_history_ends_yesterday_unless_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = datetime.now(UTC).date()
    assert run(["simulate", str(tmp_path), "--users", "20", "--days", "1", "--json"]) == 0
    last = json.loads(capsys.readouterr().out)["last_day"]
    after = datetime.now(UTC).date()
    assert last in {str(before - timedelta(days=1)), str(after - timedelta(days=1))}


def test_a_used_folder_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["simulate", str(tmp_path), "--users", "20", "--days", "1"]
    assert run(arguments) == 0
    capsys.readouterr()
    assert run(arguments) == 1
    assert "holds a simulation already" in capsys.readouterr().err
    assert run([*arguments, "--overwrite"]) == 0
