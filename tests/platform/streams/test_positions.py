"""Where a stream was read up to survives in the table's own commits, however large the number."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reco_assets.platform.lake import Lake
from reco_assets.platform.streams.positions import progress_of, recorded

ROWS = pa.table({"value": ["a"]})


def test_nothing_read_is_no_position(lake: Lake) -> None:
    assert recorded(lake, "raw/things", "events", "0") is None
    lake.append("raw/things", ROWS, progress=progress_of("events", "1", 5))
    assert recorded(lake, "raw/things", "events", "0") is None
    assert recorded(lake, "raw/things", "events", "1") == 5


def test_a_small_position_is_one_transaction() -> None:
    assert progress_of("events", "3", 0) == {"stream:events:3": 0}
    assert progress_of("events", "3", 2**62 - 1) == {"stream:events:3": 2**62 - 1}


def test_a_position_of_kinesis_takes_more() -> None:
    assert progress_of("events", "shardId-7", 2**62 * 5 + 3) == {
        "stream:events:shardId-7": 3,
        "stream:events:shardId-7:1": 5,
    }


def test_positions_of_any_size_come_back_from_the_log_as_they_grow(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    for position in (0, 7, 2**62 - 1, 2**62, 2**64 + 9, 2**124, 2**124 + 2**62 - 1, 2**125, 2**186 - 1):
        lake.append("raw/things", ROWS, progress=progress_of("events", "shard", position))
        assert recorded(lake, "raw/things", "events", "shard") == position


def test_a_checkpoint_of_the_log_keeps_it(lake: Lake) -> None:
    lake.append("raw/things", ROWS, progress=progress_of("events", "shard", 2**130 + 1))
    lake.open("raw/things").create_checkpoint()
    lake.append("raw/things", ROWS)
    assert recorded(lake, "raw/things", "events", "shard") == 2**130 + 1


@given(st.integers(0, 2**200))
def test_every_limb_fits_a_transaction(position: int) -> None:
    limbs = progress_of("s", "p", position)
    assert all(0 <= limb < 2**62 for limb in limbs.values())
    assert sum(limb << (62 * place) for place, limb in enumerate(limbs.values())) == position


def test_no_stream_has_a_negative_position() -> None:
    with pytest.raises(ValueError, match="negative"):
        progress_of("events", "0", -1)
