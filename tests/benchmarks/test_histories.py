"""A history that is measured stays as it was."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl

from benchmarks.histories import copy_of
from reco_assets.platform.lake import Lake
from reco_assets.platform.run_layout import Layout
from reco_assets.platform.runs import Runs

TABLE = "gold/product_days"
ROWS = pl.DataFrame({"product_id": ["p1", "p2"], "event_date": [date(2024, 5, 1)] * 2, "clicks": [1, 2]})
LAYOUT = Layout(TABLE, "product_id", ("clicks",))


def contents(home: Path) -> dict[str, bytes]:
    return {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_what_is_done_to_a_copy_leaves_the_history_as_it_was(tmp_path: Path) -> None:
    home = tmp_path / "1m"
    Lake(str(home / "lake")).append(TABLE, ROWS.to_arrow())
    assert Runs(Lake(str(home / "lake")), LAYOUT, home / "index").follow() == 2
    (home / "redis").mkdir()
    (home / "redis" / "appendonly.aof").write_text("set u1")
    before = contents(home)

    with copy_of(home) as copy:
        assert contents(copy) == before
        lake = Lake(str(copy / "lake"))
        lake.append(TABLE, ROWS.to_arrow())
        assert Runs(lake, LAYOUT, copy / "index").follow() == 2
        lake.open(TABLE).optimize.compact()
        lake.open(TABLE).vacuum(0, dry_run=False, enforce_retention_duration=False)
        with (copy / "redis" / "appendonly.aof").open("a") as log:
            log.write("set u2")
        assert contents(copy) != before

    assert contents(home) == before
    assert [path.name for path in tmp_path.iterdir()] == ["1m"]
