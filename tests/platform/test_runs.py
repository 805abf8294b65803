"""The local index finds what a scan of the table would find, whatever the table went through."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from reco_assets.platform.lake import Lake
from reco_assets.platform.run_files import Layout
from reco_assets.platform.runs import Runs

TABLE = "gold/user_category_days"
FIRST = date(2024, 5, 1)
COLUMNS = ("user_id", "event_date", "events", "category")


def rows(dice: random.Random, count: int) -> pl.DataFrame:
    drawn = [
        (
            f"u{dice.randrange(30)}",
            FIRST + timedelta(days=dice.randrange(5)),
            dice.randrange(100),
            dice.choice("abc"),
        )
        for _ in range(count)
    ]
    return pl.DataFrame(
        drawn,
        schema=dict.fromkeys(COLUMNS, pl.String) | {"event_date": pl.Date, "events": pl.Int64},
        orient="row",
    )


def check(lake: Lake, runs: Runs, dice: random.Random) -> None:
    ids = pl.Series("user_id", [f"u{number}" for number in dice.sample(range(40), 9)])
    first, last = sorted(FIRST + timedelta(days=dice.randrange(-1, 6)) for _ in range(2))
    expected = lake.scan(TABLE).filter(
        pl.col("user_id").is_in(ids.implode()), pl.col("event_date").is_between(first, last)
    )
    runs.follow()
    found = runs.find(ids, first, last).select(COLUMNS)
    assert_frame_equal(found, expected.select(COLUMNS).collect(), check_row_order=False)


@pytest.mark.parametrize("daily", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_it_finds_what_a_scan_finds(tmp_path: Path, seed: int, daily: bool) -> None:
    dice = random.Random(seed)
    lake = Lake(str(tmp_path / "lake"))
    layout = Layout(TABLE, "user_id", ("events",), ("category",), daily=daily)
    lake.append(TABLE, rows(dice, 200).to_arrow())
    for _ in range(12):
        runs = Runs(lake, layout, tmp_path / "index")  # a process that was started again
        for _ in range(3):
            check(lake, runs, dice)
            if dice.random() < 0.7:
                lake.append(TABLE, rows(dice, dice.randrange(60)).to_arrow())
            else:
                day = FIRST + timedelta(days=dice.randrange(5))
                made = rows(dice, 40).with_columns(event_date=pl.lit(day))
                lake.replace_window(TABLE, made.to_arrow(), day, day)


def test_many_small_appends_leave_few_runs(tmp_path: Path) -> None:
    dice = random.Random(0)
    lake = Lake(str(tmp_path / "lake"))
    lake.append(TABLE, rows(dice, 500).to_arrow())
    runs = Runs(lake, Layout(TABLE, "user_id", ("events",), ("category",)), tmp_path / "index")
    for _ in range(30):
        lake.append(TABLE, rows(dice, 10).to_arrow())
        runs.follow()
    assert len(list((tmp_path / "index").glob("*.npy"))) <= 4
    check(lake, runs, dice)


def test_an_index_without_a_manifest_is_made_anew(tmp_path: Path) -> None:
    dice = random.Random(0)
    lake = Lake(str(tmp_path / "lake"))
    lake.append(TABLE, rows(dice, 100).to_arrow())
    layout = Layout(TABLE, "user_id", ("events",), ("category",))
    assert Runs(lake, layout, tmp_path / "index").follow() == 100
    assert Runs(lake, layout, tmp_path / "index").follow() == 0
    (tmp_path / "index" / "manifest.json").unlink()
    runs = Runs(lake, layout, tmp_path / "index")
    assert runs.follow() == 100
    check(lake, runs, dice)
