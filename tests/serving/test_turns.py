"""Workers take turns, and none waits for ever."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

from reco_serving.turns import turn


def test_one_after_the_other(tmp_path: Path) -> None:
    busy, most = [0], [0]
    together = Barrier(4)

    def work(_: int) -> None:
        together.wait()
        for _ in range(20):
            with turn(tmp_path / "serving" / "lock"):
                busy[0] += 1
                most[0] = max(most[0], busy[0])
                busy[0] -= 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))

    assert most == [1]


def test_who_waits_too_long_goes_on(tmp_path: Path) -> None:
    held, over = Event(), Event()

    def hold() -> None:
        with turn(tmp_path / "lock"):
            held.set()
            over.wait(10.0)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(hold)
        held.wait(10.0)
        with turn(tmp_path / "lock", patience=0.05):
            assert not over.is_set()
        over.set()


def test_a_disk_without_a_place_for_the_file_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    entered = False
    with turn(tmp_path / "file" / "lock"):
        entered = True
    assert entered
