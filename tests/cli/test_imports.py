from __future__ import annotations

import json
from pathlib import Path

import pytest

from reco_assets.cli.main import run


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    path.write_text(
        "visitor,sku,ts,event\nv1,s1,2024-05-01 10:00:00,view\n"
        "v1,s1,2024-05-01 10:01:00,buy\n,s1,2024-05-01,view\n"
    )
    return path


def test_an_import_is_told_as_a_table_and_as_json(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ["--home", str(tmp_path / "home")]
    assert run(["import", "csv", str(log), "--yes", "--json", *home]) == 0
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert (report["rows"], report["accepted"], report["quarantined"]) == (3, 2, 1)
    assert "visitor" in printed.err  # the guess is shown
    assert run(["import", "csv", str(log), "--yes", *home]) == 0
    assert "duplicate" in capsys.readouterr().out
    assert run(["quarantine", "list", "--json", *home]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["summary"][0]["reason"] == "user_id: missing"
    assert listed["examples"][0]["payload"] == ",s1,2024-05-01,view"
    assert run(["quarantine", "replay", "--json", *home]) == 0
    assert json.loads(capsys.readouterr().out)["accepted"] == 0


def test_a_mapping_that_is_given_in_full_asks_nothing(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [
        "--map",
        "user_id=visitor,product_id=sku,timestamp=ts,event_type=event",
        "--event-types",
        "view=click",
    ]
    assert run(["import", "csv", str(log), *given, "--json", "--home", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["accepted"] == 2


def test_mistakes_are_one_clear_line(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["import", "rees46", str(tmp_path / "none.csv")]) == 1
    assert "there is no such file" in capsys.readouterr().err
    assert run(["import", "rees46", str(log), "--home", str(tmp_path)]) == 1
    assert "the header lacks event_time" in capsys.readouterr().err
    assert run(["import", "csv", str(log), "--map", "user_id", "--home", str(tmp_path)]) == 1
    assert "is not name=value" in capsys.readouterr().err


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["import", "--help"]) == 0
    assert "reco import rees46" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "given", "told"),
    [
        (b"\x00\x01\rbinary\n\xff", [], "it is not a line of text"),
        (b"a,\rb\n1,2\n", [], "it is not a line of text"),
        (
            b"user,item,time,event\nu,i,2024-05-01,view\n",
            ["--map", "user_id=uid"],
            "no column for user_id=uid",
        ),
        (b"foo,bar\n1,2\n", [], "no column is known for user_id, event_type"),
        (b"", [], "the file is empty"),
    ],
    ids=["binary", "old line ends", "wrong column", "nothing usable", "empty"],
)
def test_a_file_that_is_no_table_of_events_is_one_line_and_leaves_nothing(
    content: bytes, given: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    home = tmp_path / "home"
    assert run(["import", "csv", str(path), "--yes", *given, "--home", str(home)]) == 1
    error, hint = capsys.readouterr().err.splitlines()[-2:]
    assert error.startswith("error: reading ")
    assert told in error
    assert str(path) in error
    assert hint.startswith("hint: ")
    assert not home.exists()
