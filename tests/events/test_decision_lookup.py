"""One decision is found in the lake by its id and its moment, and no other day is looked at."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from urllib.parse import unquote, urlparse

import polars as pl
import pytest

from reco_assets.events.decided import encode
from reco_assets.events.decision_lookup import record_of
from reco_assets.events.decision_rows import DECISIONS, DECISIONS_SCHEMA, decision_row
from reco_assets.platform.lake import Lake
from reco_assets.platform.streams.positions import place_of
from reco_assets.platform.streams.stream import Record
from tests.builders import moment
from tests.events.answers import decided

FIRST, SECOND = "2024-05-01T12:00:00.5", "2024-05-02T12:00:00.5"
RECORDS = {name: encode(decided(name, "ann", "p1", at=at)) for name, at in (("a", FIRST), ("b", SECOND))}


def at_us(text: str) -> int:
    return int(moment(text).timestamp() * 1_000_000)


def bring(lake: Lake, *records: bytes) -> None:
    """Append decisions as a drain does."""
    rows = [
        (*place_of("decisions", "0", position), *decision_row(Record(position, at_us(SECOND), record)))
        for position, record in enumerate(records)
    ]
    lake.append(DECISIONS, pl.DataFrame(rows, schema=DECISIONS_SCHEMA, orient="row").to_arrow())


def test_the_record_is_the_one_that_was_written(lake: Lake) -> None:
    bring(lake, *RECORDS.values())
    assert record_of(lake, "a", at_us(FIRST)) == RECORDS["a"]
    assert record_of(lake, "b", at_us(SECOND)) == RECORDS["b"]


@pytest.mark.parametrize(("name", "at"), [("a", SECOND), ("b", FIRST), ("c", FIRST), ("a", "1970-01-01")])
def test_what_is_not_there_is_none(lake: Lake, name: str, at: str) -> None:
    assert record_of(lake, name, at_us(at)) is None
    bring(lake, *RECORDS.values())
    assert record_of(lake, name, at_us(at)) is None


def test_files_of_other_days_are_not_read(lake: Lake) -> None:
    bring(lake, *RECORDS.values())
    for file in lake.files(DECISIONS, date(2024, 5, 2), date(2024, 5, 2)):
        Path(unquote(urlparse(file).path)).unlink()
    assert record_of(lake, "a", at_us(FIRST)) == RECORDS["a"]
    with pytest.raises(FileNotFoundError):
        record_of(lake, "b", at_us(SECOND))
