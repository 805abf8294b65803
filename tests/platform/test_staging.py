"""Rows staged for a table: one commit, only the days meant, and never over somebody else's rows."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from deltalake import DeltaTable

from reco_assets.errors import BadInput, ConcurrentWrite
from reco_assets.platform.lake import Lake
from reco_assets.platform.staging import Staged

TABLE = "gold/user_days"
DAYS = [date(2024, 5, 1), date(2024, 5, 2), date(2024, 5, 3)]


def tiles(*values: int) -> pl.DataFrame:
    return pl.DataFrame({"user_id": ["u1", "u2", "u3"], "event_date": DAYS, "events": values})


def staged(lake: Lake, rows: pl.DataFrame, *, held: int = 1_000) -> Staged:
    made = Staged(lake, TABLE, rows.schema, held=held)
    for part in rows.iter_slices(1):
        made.write(part)
    return made


def content(lake: Lake) -> list[tuple[object, ...]]:
    return lake.scan(TABLE).select("event_date", "events").sort("event_date", "events").collect().rows()


def test_a_table_begins_with_its_rows_as_version_0_and_one_file_a_day(lake: Lake) -> None:
    rows = pl.concat([tiles(1, 2, 3)] * 2)

    assert staged(lake, rows).replace_window(DAYS[0], DAYS[2], {"source": 5}) == 0

    assert content(lake) == [(day, value) for day, value in zip(DAYS, (1, 2, 3), strict=True) for _ in "12"]
    assert len(lake.files(TABLE)) == 3
    assert lake.progress(TABLE, "source") == 5


def test_a_window_takes_only_its_days(lake: Lake) -> None:
    staged(lake, tiles(1, 2, 3)).replace_window(DAYS[0], DAYS[2])
    kept = lake.files(TABLE, DAYS[0], DAYS[0])

    assert staged(lake, tiles(0, 20, 0)[1:2]).replace_window(DAYS[1], DAYS[2], {"source": 6}) == 1

    assert content(lake) == [(DAYS[0], 1), (DAYS[1], 20)]
    assert lake.files(TABLE, DAYS[0], DAYS[0]) == kept
    assert lake.progress(TABLE, "source") == 6


def test_rows_of_other_days_are_refused(lake: Lake) -> None:
    staged(lake, tiles(1, 2, 3)).replace_window(DAYS[0], DAYS[2])

    with pytest.raises(BadInput, match="of 2024-05-02 to 2024-05-02: there are rows of 2024-05-01"):
        staged(lake, tiles(10, 20, 30)[:2]).replace_window(DAYS[1], DAYS[1])

    assert content(lake) == [(DAYS[0], 1), (DAYS[1], 2), (DAYS[2], 3)]


def test_more_rows_than_are_held_become_more_files_and_no_row_is_lost(lake: Lake) -> None:
    rows = pl.concat([tiles(number, number, number) for number in range(10)])

    made = staged(lake, rows, held=6)
    made.replace_window(DAYS[0], DAYS[2])

    assert made.rows == 30
    assert content(lake) == sorted((day, number) for day in DAYS for number in range(10))
    assert len(lake.files(TABLE)) == 15


def test_the_log_knows_each_file_s_rows_without_opening_it(lake: Lake) -> None:
    staged(lake, pl.concat([tiles(1, 2, 3)] * 4)).replace_window(DAYS[0], DAYS[2])

    assert lake.rows(TABLE) == 12
    assert lake.span(TABLE) == (DAYS[0], DAYS[2])


def test_a_column_that_is_new_is_added_and_null_where_it_was_not_known(lake: Lake) -> None:
    staged(lake, tiles(1, 2, 3)).replace_window(DAYS[0], DAYS[2])

    wider = tiles(1, 2, 30).with_columns(clicks=pl.lit(9, pl.Int64))[2:]
    staged(lake, wider).replace_window(DAYS[2], DAYS[2])

    found = lake.scan(TABLE).sort("event_date").select("events", "clicks").collect().rows()
    assert found == [(1, None), (2, None), (30, 9)]


@pytest.mark.parametrize("removing", [False, True])
def test_who_has_written_to_the_same_days_meanwhile_is_not_overwritten(lake: Lake, removing: bool) -> None:
    staged(lake, tiles(1, 2, 3)).replace_window(DAYS[0], DAYS[2])
    before = lake.open(TABLE)
    mine = staged(lake, tiles(0, 20, 0)[1:2])
    other = staged(lake, tiles(0, 7, 0)[1:2])
    if removing:
        other.replace_window(DAYS[1], DAYS[1])
    else:
        other.append({})
    there = content(lake)

    with pytest.raises(ConcurrentWrite, match=TABLE):
        mine.replace_window(DAYS[1], DAYS[1], onto=before)

    assert content(lake) == there


def test_who_has_written_to_other_days_meanwhile_does_no_harm(lake: Lake) -> None:
    staged(lake, tiles(1, 2, 3)).replace_window(DAYS[0], DAYS[2])
    before = lake.open(TABLE)
    staged(lake, tiles(0, 0, 30)[2:]).replace_window(DAYS[2], DAYS[2], {"source@c": 3})

    staged(lake, tiles(0, 20, 0)[1:2]).replace_window(DAYS[1], DAYS[1], {"source@b": 2}, before)

    assert content(lake) == [(DAYS[0], 1), (DAYS[1], 20), (DAYS[2], 30)]


def test_who_says_to_have_seen_the_same_days_was_there_first_even_without_rows(lake: Lake) -> None:
    staged(lake, tiles(1, 2, 3)).replace_window(DAYS[0], DAYS[2])
    before = lake.open(TABLE)
    lake.append(TABLE, tiles(1, 2, 3)[:0].to_arrow(), {"source@b": 4})

    with pytest.raises(ConcurrentWrite):
        staged(lake, tiles(0, 20, 0)[1:2]).replace_window(DAYS[1], DAYS[1], {"source@b": 3}, before)


def test_a_commit_between_the_look_and_the_write_is_looked_at_too(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged(lake, tiles(1, 2, 3)).replace_window(DAYS[0], DAYS[2])
    before = lake.open(TABLE)
    real, meanwhile = DeltaTable.create_write_transaction, [2, 1]

    def slow(table: DeltaTable, *args: object, **how: object) -> None:
        if how["mode"] == "overwrite" and meanwhile:
            day = DAYS[meanwhile.pop(0)]
            staged(lake, tiles(5, 5, 5).filter(event_date=day)).append({})
        real(table, *args, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(DeltaTable, "create_write_transaction", slow)
    with pytest.raises(ConcurrentWrite):
        staged(lake, tiles(0, 20, 0)[1:2]).replace_window(DAYS[1], DAYS[1], onto=before)

    assert not meanwhile
    assert content(lake) == [(DAYS[0], 1), (DAYS[1], 2), (DAYS[1], 5), (DAYS[2], 3), (DAYS[2], 5)]
