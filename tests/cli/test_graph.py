"""``reco materialize`` with days and selections that cannot be: one line and a way out, before any step."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    events = folder / "landing" / "csv" / "log.csv"
    events.parent.mkdir(parents=True)
    events.write_text(
        "user_id,product_id,timestamp,event_type\nu1,p1,2024-05-01,view\nu1,p1,2024-05-03,view\n"
    )
    return folder


def materialize(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # a process of its own, since the partitions are made when the definitions load
    return subprocess.run(
        [sys.executable, "-m", "reco_assets.cli.main", "--home", str(home), "materialize", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"DAGSTER_HOME": str(home / "dagster")},
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--from", "yesterday"), "--from: 'yesterday' is not a day"),
        (("--from", "2024-05-03", "--to", "2024-05-02"), "--from 2024-05-03 is after --to 2024-05-02"),
        (("--from", "2023-01-01"), "materializing 2023-01-01 to 2024-05-03: the days that can be run are"),
        (("--to", "2999-01-01"), "materializing 2024-05-01 to 2999-01-01: the days that can be run are"),
        (("--select", "key:(("), "--select 'key:((' is no selection of assets"),
    ],
    ids=["no day", "backwards", "before", "after", "no selection"],
)
def test_what_cannot_be_run_is_named(home: Path, arguments: tuple[str, ...], told: str) -> None:
    done = materialize(home, *arguments)
    assert done.returncode == 1
    error, hint = done.stderr.splitlines()
    assert error.startswith(f"error: {told}")
    assert hint.startswith("hint: ")


def test_without_events_it_says_where_they_may_land(tmp_path: Path) -> None:
    done = materialize(tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: materializing: there are no events yet",
        f"hint: reco simulate {tmp_path / 'landing'}, or reco import FORMAT FILE",
    ]


def test_one_of_the_tables_that_a_step_writes_together_can_be_selected(home: Path) -> None:
    done = materialize(home, "--select", 'key:"raw_events"', "--json")
    assert done.returncode == 0, done.stderr
