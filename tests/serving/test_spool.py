"""The spool: what was kept comes out in order, whatever ends the process and wherever the file was cut."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco_serving.spool import Spool, SpoolFull

ROOM = 1_000_000


def all_of(spool: Spool, most: int = 3) -> list[bytes]:
    """Everything that waits, taken."""
    found: list[bytes] = []
    while records := spool.peek(most):
        found += records
        spool.advance()
    return found


def left(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


@given(st.lists(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=5) | st.integers(1, 4)))
@settings(max_examples=50, deadline=None)
def test_records_come_out_in_the_order_in_which_they_went_in(
    tmp_path_factory: pytest.TempPathFactory, steps: list[list[bytes] | int]
) -> None:
    root = tmp_path_factory.mktemp("spool")
    spool = Spool.create(root, "1", ROOM)
    wrote: list[bytes] = []
    took: list[bytes] = []
    for step in steps:
        if isinstance(step, int):
            took += spool.peek(step)
            spool.advance()
        else:
            spool.append(step)
            wrote += step
        assert spool.size == sum(8 + len(record) for record in wrote[len(took) :])
    assert took + all_of(spool) == wrote
    spool.close()
    assert left(root) == []


def test_what_is_not_taken_stays(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, "1", ROOM)
    spool.append([b"a", b"b"])
    assert spool.peek(1) == spool.peek(1) == [b"a"]
    spool.advance()
    assert all_of(spool) == [b"b"]


def test_a_long_spool_has_several_segments_which_go_one_by_one(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, "1", ROOM)
    spool.segment_bytes = 20
    for number in range(6):
        spool.append([b"%d" % number * 10])
    assert left(tmp_path)[1:-1] == ["1/00000001.log", "1/00000002.log", "1/00000003.log"]
    assert len(spool.peek(9)) == 2
    spool.advance()
    assert left(tmp_path)[1:-1] == ["1/00000002.log", "1/00000003.log"]
    assert all_of(spool) == [b"%d" % number * 10 for number in range(2, 6)]


def test_a_full_spool_takes_nothing_of_what_does_not_fit(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, "1", 100)
    spool.append([b"x" * 50])
    with pytest.raises(SpoolFull, match="may hold 100 bytes"):
        spool.append([b"y", b"z" * 50])
    assert all_of(spool) == [b"x" * 50]
    spool.append([b"z" * 50])


def test_the_spool_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, "1", ROOM)
    spool.append([b"a"])
    assert Spool.leftovers(tmp_path) == []
    spool.close()
    [found] = Spool.leftovers(tmp_path)
    assert found.size == 9
    assert all_of(found) == [b"a"]
    found.close()
    assert left(tmp_path) == []


def test_what_a_killed_process_kept_is_found(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from reco_serving.spool import Spool;"
        f"spool = Spool.create(Path({str(tmp_path)!r}), '1', 1000);"
        "spool.append([b'a', b'b']); print('kept', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"kept\n"
        child.send_signal(signal.SIGKILL)
    [found] = Spool.leftovers(tmp_path)
    assert all_of(found) == [b"a", b"b"]


@pytest.mark.parametrize("cut", [1, 4, 9, 20])
def test_a_last_record_that_was_cut_short_was_never_acknowledged(tmp_path: Path, cut: int) -> None:
    spool = Spool.create(tmp_path, "1", ROOM)
    spool.append([b"whole"])
    spool.append([b"the last one, twenty"])
    spool.close()
    segment = tmp_path / "1" / "00000001.log"
    segment.write_bytes(segment.read_bytes()[:-cut])
    [found] = Spool.leftovers(tmp_path)
    assert all_of(found) == [b"whole"]
    assert found.size == 0
    found.close()
    assert left(tmp_path) == []


def test_a_damaged_record_ends_its_segment_which_is_kept(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, "1", ROOM)
    spool.append([b"first", b"second", b"third"])
    spool.close()
    segment = tmp_path / "1" / "00000001.log"
    segment.write_bytes(segment.read_bytes().replace(b"second", b"sEcond"))
    [found] = Spool.leftovers(tmp_path)
    assert all_of(found) == [b"first"]
    assert left(tmp_path) == ["1", "1/00000001.damaged", "1/lock"]
