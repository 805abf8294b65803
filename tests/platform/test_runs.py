"""The local index finds what a scan of the table would find, whatever the table went through."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from reco_assets.platform.lake import Lake
from reco_assets.platform.run_layout import Layout
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


def assert_it_finds_what_a_scan_finds(lake: Lake, runs: Runs, dice: random.Random) -> None:
    """Some users, known and unknown, in some days."""
    ids = pl.Series("user_id", [f"u{number}" for number in dice.sample(range(40), 9)])
    first, last = sorted(FIRST + timedelta(days=dice.randrange(-1, 6)) for _ in range(2))
    expected = lake.scan(TABLE).filter(
        pl.col("user_id").is_in(ids.implode()), pl.col("event_date").is_between(first, last)
    )
    runs.follow()
    found = runs.find(ids, first, last).select(COLUMNS)
    assert_frame_equal(found, expected.select(COLUMNS).collect(), check_row_order=False)


@pytest.mark.parametrize(("period", "recent"), [(None, None), (1, None), (2, None), (1, 2)])
@pytest.mark.parametrize("seed", range(3))
def test_it_finds_what_a_scan_finds(
    tmp_path: Path, seed: int, period: int | None, recent: int | None
) -> None:
    dice = random.Random(seed)
    lake = Lake(str(tmp_path / "lake"))
    layout = Layout(TABLE, "user_id", ("events",), ("category",), period=period, recent=recent)
    lake.append(TABLE, rows(dice, 200).to_arrow())
    for _ in range(12):
        runs = Runs(lake, layout, tmp_path / "index")  # a process that was started again
        for _ in range(3):
            assert_it_finds_what_a_scan_finds(lake, runs, dice)
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
    assert len(list((tmp_path / "index").glob("*.keys"))) <= 4
    assert_it_finds_what_a_scan_finds(lake, runs, dice)


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
    assert_it_finds_what_a_scan_finds(lake, runs, dice)


def test_a_key_is_searched_in_the_runs_of_the_days_asked_for_however_long_the_history(
    tmp_path: Path,
) -> None:
    searched = []
    for days in (8, 40):
        lake = Lake(str(tmp_path / f"lake{days}"))
        for day in range(days):
            lake.append(TABLE, of_day(day, ["u1", "u2"]).to_arrow())
        runs = Runs(
            lake, Layout(TABLE, "user_id", ("events",), ("category",), period=4), tmp_path / f"index{days}"
        )
        assert runs.follow() == 2 * days
        found = runs.find(pl.Series("user_id", ["u1", "u3"]), day_number(4), day_number(6))
        assert found["event_date"].sort().to_list() == [day_number(day) for day in (4, 5, 6)]
        searched.append(runs.searched)
    assert searched[0] == searched[1] <= 2 * 2  # two keys, in the runs of one period or two


def test_only_recent_days_are_read_and_kept_and_older_ones_are_found_in_the_table(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    for day in range(10):
        lake.append(TABLE, of_day(day, ["u1", "u2", "u3"]).to_arrow())
    layout = Layout(TABLE, "user_id", ("events",), ("category",), period=1, recent=2)
    runs = Runs(lake, layout, tmp_path / "index")
    assert runs.follow() == 2 * 3
    assert kept_rows(tmp_path / "index") == 2 * 3
    lake.append(TABLE, pl.concat([of_day(10, ["u1"]), of_day(3, ["u1"])]).to_arrow())
    assert runs.follow() == 2
    assert kept_rows(tmp_path / "index") == 3 + 1
    found = runs.find(pl.Series("user_id", ["u1"]), day_number(3), day_number(10))
    assert found.height == 8 + 1


def test_a_merge_of_any_number_of_slices_is_one_sorted_run(tmp_path: Path) -> None:
    dice = random.Random(0)
    lake = Lake(str(tmp_path / "lake"))
    lake.append(TABLE, rows(dice, 400).to_arrow())
    runs = Runs(lake, Layout(TABLE, "user_id", ("events",), ("category",)), tmp_path / "index", at_once=20)
    for _ in range(5):
        assert_it_finds_what_a_scan_finds(lake, runs, dice)
        lake.append(TABLE, rows(dice, 90).to_arrow())
    keys = [np.fromfile(path, np.uint64) for path in (tmp_path / "index").glob("*.keys")]
    assert sum(map(len, keys)) == 400 + 4 * 90
    assert all((of_run[1:] >= of_run[:-1]).all() for of_run in keys)


@pytest.mark.parametrize(
    "events", [[0, 127], [128, -1], [-129, 0], [2**31, 2**40], [-(2**63), 2**63 - 1]], ids=str
)
def test_values_come_back_as_they_were_however_narrow_they_are_kept(
    tmp_path: Path, events: list[int]
) -> None:
    lake = Lake(str(tmp_path / "lake"))
    given = of_day(0, ["u1", "u2"]).with_columns(events=pl.Series(events))
    lake.append(TABLE, given.to_arrow())
    runs = Runs(lake, Layout(TABLE, "user_id", ("events",), ("category",)), tmp_path / "index")
    runs.follow()
    found = runs.find(given["user_id"]).select(COLUMNS)
    assert_frame_equal(found, given.select(COLUMNS), check_row_order=False)


def test_an_index_that_lost_a_part_or_has_another_layout_is_made_anew(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    lake.append(TABLE, of_day(0, ["u1", "u2"]).to_arrow())
    layout = Layout(TABLE, "user_id", ("events",), ("category",))
    assert Runs(lake, layout, tmp_path / "index").follow() == 2
    [kept] = (tmp_path / "index").glob("*.rows")
    kept.write_bytes(kept.read_bytes()[:-1])
    assert Runs(lake, layout, tmp_path / "index").follow() == 2
    assert Runs(lake, replace(layout, period=1), tmp_path / "index").follow() == 2
    assert len(list((tmp_path / "index").iterdir())) == 3  # a run of two files, and the manifest


def of_day(day: int, users: list[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {"user_id": users, "event_date": [day_number(day)] * len(users), "events": 1, "category": "a"},
        schema_overrides={"events": pl.Int64},
    )


def day_number(day: int) -> date:
    return FIRST + timedelta(days=day)


def kept_rows(index: Path) -> int:
    return sum(path.stat().st_size for path in index.glob("*.keys")) // 8
