from __future__ import annotations

import json
from pathlib import Path

import pytest

from reco_assets.cli.main import run

FILE = Path(__file__).parents[1] / "catalogue" / "shop_changes.jsonl"


def test_changes_are_imported_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path)]
    assert run(["changes", "import", str(FILE), "--json", *home]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["messages"], report["changes"], report["quarantined"]) == (27, 22, 2)
    assert run(["changes", "import", str(FILE.parent / "shop_changes.jsonl"), *home]) == 0
    assert "known" in capsys.readouterr().out
    assert run(["changes", "replay", "--json", *home]) == 0
    assert json.loads(capsys.readouterr().out)["quarantined"] == 2


def test_mistakes_are_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["changes", "import", str(tmp_path / "none.jsonl")]) == 1
    assert "there is no such file" in capsys.readouterr().err
    (tmp_path / "changes.json").write_text('{"tables": {"a": {"entity": "things"}}}')
    given = ["--tables", str(tmp_path / "changes.json"), "--home", str(tmp_path)]
    assert run(["changes", "import", str(FILE), *given]) == 1
    assert "the entities are products, users, orders" in capsys.readouterr().err
