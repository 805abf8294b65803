"""The command line's edge: an overview at once, one line for every failure."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from reco_assets.cli.lazy import Entry
from reco_assets.cli.main import COMMANDS, explain, run
from reco_assets.errors import MissingBundle


def reco(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "reco_assets.cli.main", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_overview_names_every_command_and_imports_none() -> None:
    program = (
        "import sys; from reco_assets.cli.main import run; code = run(['--help']);"
        "heavy = {'dagster', 'polars', 'pyspark', 'bentoml', 'mlflow', 'numpy'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [entry.name for entry in COMMANDS if entry.name not in done.stdout] == []


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_every_command_can_be_loaded_and_explains_itself(
    entry: Entry, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([entry.name, "--help"]) == 0
    assert f"reco {entry.name}" in capsys.readouterr().out


def test_without_a_command_the_overview_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    assert "materialize" in capsys.readouterr().out


def test_a_wrong_command_is_one_line_a_way_out_and_code_2() -> None:
    done = reco("recomend")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: No such command 'recomend'. Did you mean 'recommend'?",
        "hint: see `reco --help`",
    ]
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "nice"),
    [(("--home", "shop", "promote", "--help"), 10), (("rollback", "--help"), 0), (("--help",), 0)],
)
def test_a_promotion_stands_back_behind_visitors_and_a_rollback_does_not(
    arguments: tuple[str, ...], nice: int
) -> None:
    program = (
        "import os, sys; from reco_assets.cli.main import main\n"
        "try: main()\n"
        "finally: print(os.nice(0), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    assert int(done.stderr) == nice + os.nice(0)


def test_an_error_of_the_project_is_its_message_and_its_hint() -> None:
    error = MissingBundle("loading the champion: nothing is promoted", hint="run `reco materialize`")
    assert explain(error) == ("loading the champion: nothing is promoted", "run `reco materialize`", 1)


def test_a_full_disk_and_a_locked_folder_name_the_path() -> None:
    assert (
        explain(OSError(28, "No space left on device", "/data/lake"))[0]
        == "No space left on device: /data/lake"
    )
    assert explain(OSError("Read-only file system (os error 30): /data/lake"))[1].startswith("check the path")


def test_a_defect_is_one_line_too_and_debug_shows_where(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("seven\nby nought")

    module = import_module("reco_assets.cli.simulate")
    monkeypatch.setattr(module, "simulate", broken)
    assert run(["simulate"]) == 1
    quiet = capsys.readouterr().err
    assert quiet.startswith("error: ZeroDivisionError: seven by nought\nhint: ")
    assert run(["--debug", "simulate"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_home_is_where_settings_look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from reco_assets.platform.settings import Settings

    monkeypatch.setenv("RECO_HOME", "elsewhere")
    assert run(["--home", str(tmp_path / "shop")]) == 0
    assert Settings().home == tmp_path / "shop"


def test_a_setting_that_cannot_be_used_is_named() -> None:
    from pydantic import ValidationError

    from reco_assets.platform.settings import Settings

    with pytest.raises(ValidationError) as caught:
        Settings(threads=-1)
    message, hint, code = explain(caught.value)
    assert message.startswith("a setting cannot be used: RECO_THREADS=-1: ")
    assert "docs/reference.md" in hint
    assert code == 1
